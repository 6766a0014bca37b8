/* moment.h - a moment as an organiser writes it
 *
 * moment_parse - "2016-02-08T19:00+02:00", "2016-02-08 17:00:30Z" or Unix milliseconds
 * The offset is demanded: a concert's hour without it means another moment on every machine.
 * @ret_time_ms: Unix ms UTC, 0..TIME_MS_MAX; on success only
 * Return: 0; -1 not of this form, or no such moment
 */
#ifndef USHER_TOOLS_MOMENT_H
#define USHER_TOOLS_MOMENT_H

#include <stdint.h>

#define MOMENT_FORM "YYYY-MM-DDTHH:MM[:SS] followed by Z or +HH:MM, or Unix milliseconds"

int moment_parse(const char *text, uint64_t *ret_time_ms);

#endif
