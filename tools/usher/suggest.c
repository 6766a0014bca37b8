/* suggest.c - see suggest.h */
#include "tools/usher/suggest.h"

#include <string.h>

#define WORD_MAX 63u

static uint32_t smaller(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* The restricted Damerau-Levenshtein distance, by the usual table: words are short. */
uint32_t suggest_distance(const char *a, const char *b) {
    uint32_t cost[WORD_MAX + 1][WORD_MAX + 1];
    size_t a_size = strlen(a), b_size = strlen(b);
    if (a_size > WORD_MAX || b_size > WORD_MAX) return UINT32_MAX;
    for (uint32_t i = 0; i <= a_size; i++) cost[i][0] = i;
    for (uint32_t j = 0; j <= b_size; j++) cost[0][j] = j;
    for (uint32_t i = 1; i <= a_size; i++) {
        for (uint32_t j = 1; j <= b_size; j++) {
            uint32_t replaced = cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            cost[i][j] = smaller(replaced, smaller(cost[i - 1][j], cost[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                cost[i][j] = smaller(cost[i][j], cost[i - 2][j - 2] + 1);
            }
        }
    }
    return cost[a_size][b_size];
}

int suggest_is_close(const char *typed, const char *known) {
    return suggest_distance(typed, known) <= (strlen(known) + 2) / 3;
}
