/* cmocka.h - cmocka, with the headers that it forgets */
#ifndef USHER_TESTS_SUPPORT_CMOCKA_H
#define USHER_TESTS_SUPPORT_CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A small generator for random tests (Vigna, "splitmix64"): the same seed makes the same test. */
static inline uint64_t random_next(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* The seed of a random test: USHER_SEED, or a fixed one. Print it, so that a failure can be run
 * again. */
static inline uint64_t random_seed(uint64_t fixed) {
    const char *text = getenv("USHER_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : fixed;
    print_message("# seed %llu (USHER_SEED runs it again)\n", (unsigned long long)seed);
    return seed;
}

#endif
