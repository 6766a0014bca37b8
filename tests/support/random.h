/* random.h - the one generator of all tests, and the one seed
 *
 * Whatever happens by chance in a test follows from a seed, and the seed is told: USHER_SEED in the
 * environment takes it back. A test with many seeds runs that one alone; USHER_SEEDS says how many
 * to run. Both are printed on standard error, as TAP comments, before anything can fail.
 *
 * One stream per part of a test, so that taking one part away (when a failure is shrunk) leaves the
 * choices of the others as they were.
 *
 * Happy path: struct random random = {random_seed(1)}; ... random_below(&random, 6).
 * Failure modes: a USHER_SEED that is no number ends the test.
 *
 * Source: SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014;
 * public-domain code by Vigna). One word of state, passes BigCrush, any state is as good as
 * another.
 */
#ifndef USHER_TESTS_SUPPORT_RANDOM_H
#define USHER_TESTS_SUPPORT_RANDOM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <sys/random.h>

#include "engine/base/require.h"

/* By what the state moves. Threads may share a state: each adds this, then draws from its own. */
#define RANDOM_STEP 0x9e3779b97f4a7c15u

struct random {
    uint64_t state; /* any value */
};

/* --- drawing ---------------------------------------------------------------------------------- */

static inline uint64_t random_next(struct random *random) {
    uint64_t z = random->state += RANDOM_STEP;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* random_stream - a generator of its own for one part of a test: part numbers are arbitrary */
static inline struct random random_stream(uint64_t seed, uint64_t part) {
    struct random random = {seed ^ part * 0xd6e8feb86659fd93u};
    random.state = random_next(&random);
    return random;
}

/* random_below - 0..limit-1; limit > 0 */
static inline uint64_t random_below(struct random *random, uint64_t limit) {
    return (uint64_t)((unsigned __int128)random_next(random) * limit >> 64);
}

/* random_index - 0..count-1; count > 0 */
static inline uint32_t random_index(struct random *random, uint32_t count) {
    return (uint32_t)random_below(random, count);
}

/* random_between - low..high, both included */
static inline uint64_t random_between(struct random *random, uint64_t low, uint64_t high) {
    return low + random_below(random, high - low + 1);
}

/* random_chance - true with this probability */
static inline bool random_chance(struct random *random, uint32_t per_million) {
    return per_million > 0 && random_below(random, 1000000) < per_million;
}

/* random_pick - an element of an array of uint64_t */
#define random_pick(random, ...)                                                                   \
    ((const uint64_t[]){__VA_ARGS__}[random_below(                                                 \
        random, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))])

/* random_fill - bytes, for what a test has in place of the machine's entropy */
static inline void random_fill(struct random *random, void *bytes, uint32_t size) {
    for (uint32_t i = 0; i < size; i++) ((uint8_t *)bytes)[i] = (uint8_t)random_next(random);
}

/* --- the seed --------------------------------------------------------------------------------- */

/* random_number_set - a number of the environment
 * Return: was it there? */
static inline bool random_number_set(const char *name, uint64_t *ret_number) {
    const char *text = getenv(name);
    if (!text) return false;
    char *end;
    *ret_number = strtoull(text, &end, 0);
    REQUIRE(end != text && *end == '\0'); /* USHER_SEED or USHER_SEEDS is no number */
    return true;
}

/* random_tell - say which seed runs now */
static inline void random_tell(uint64_t seed) {
    (void)fprintf(stderr, "# USHER_SEED=%llu runs it again\n", (unsigned long long)seed);
}

/* random_seed - of a test that has one: USHER_SEED, otherwise this; told */
static inline uint64_t random_seed(uint64_t otherwise) {
    uint64_t seed = otherwise;
    (void)random_number_set("USHER_SEED", &seed); /* else it stays */
    random_tell(seed);
    return seed;
}

/* random_seed_fresh - of a test that is another one every time: USHER_SEED, otherwise drawn from
 * the machine; told */
static inline uint64_t random_seed_fresh(void) {
    uint64_t drawn;
    REQUIRE(getrandom(&drawn, sizeof drawn, 0) == sizeof drawn);
    return random_seed(drawn >> 16); /* short enough to be read aloud */
}

struct random_seeds {
    uint64_t first, count;
};

/* random_seeds - of a test with many, from `first` on: USHER_SEED alone, or USHER_SEEDS of them
 * The test tells each one with random_tell() before it runs it. */
static inline struct random_seeds random_seeds(uint64_t first, uint64_t count) {
    struct random_seeds seeds = {first, count};
    if (random_number_set("USHER_SEED", &seeds.first)) seeds.count = 1;
    (void)random_number_set("USHER_SEEDS", &seeds.count); /* else it stays */
    return seeds;
}

#endif
