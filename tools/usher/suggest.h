/* suggest.h - which of the known words was most likely meant */
#ifndef USHER_TOOLS_USHER_SUGGEST_H
#define USHER_TOOLS_USHER_SUGGEST_H

#include <stdint.h>

/* suggest_distance - letters to insert, delete, replace or swap with a neighbour to get from one
 * word to the other; words of more than 63 letters are infinitely far away (UINT32_MAX) */
uint32_t suggest_distance(const char *a, const char *b);

/* suggest_is_close - near enough to ask "did you mean ...?": up to a third of the letters */
int suggest_is_close(const char *typed, const char *known);

#endif
