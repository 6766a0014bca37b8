/* number.h - a whole number as somebody types it */
#ifndef USHER_TOOLS_COMMON_NUMBER_H
#define USHER_TOOLS_COMMON_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* number_read - decimal digits and nothing else, from min to max
 * @ret_number: on true only
 * Pure; any thread. Return: false where it is something else; the caller says what it wants */
bool number_read(const char *text, uint64_t min, uint64_t max, uint64_t *ret_number);

#endif
