/* moment.h - a moment as an organiser or operator writes it
 *
 * The offset is demanded: a concert's hour without it means another moment on every machine.
 */
#ifndef USHER_TOOLS_USHER_MOMENT_H
#define USHER_TOOLS_USHER_MOMENT_H

#include <stdint.h>

#define MOMENT_ISO_FORM "YYYY-MM-DDTHH:MM[:SS[.mmm]] followed by Z or +HH:MM"
#define MOMENT_FORM MOMENT_ISO_FORM ", or Unix milliseconds"

/* moment_parse_iso - "2016-02-08T19:00+02:00", "2016-02-08 17:00:30Z", "2026-11-21T20:00:03.250Z"
 * @ret_time_ms: Unix ms UTC, 0..TIME_MS_MAX; on success only
 * Return: 0; -1 not of this form, or no such moment */
int moment_parse_iso(const char *text, uint64_t *ret_time_ms);

/* moment_parse - the same, or Unix milliseconds */
int moment_parse(const char *text, uint64_t *ret_time_ms);

#endif
