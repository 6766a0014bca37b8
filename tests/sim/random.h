/* random.h - the generator of a simulated run: everything that happens by chance follows from a
 * seed
 *
 * One stream per part of the run, so that taking one part away (when a failure is shrunk) leaves
 * the choices of the others as they were. SplitMix64 (Vigna): passes BigCrush, one word of state.
 */
#ifndef USHER_TESTS_SIM_RANDOM_H
#define USHER_TESTS_SIM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
    uint64_t state;
};

static inline uint64_t rng_next(struct rng *rng) {
    uint64_t z = rng->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* rng_stream - a generator of its own for one part: part numbers are arbitrary */
static inline struct rng rng_stream(uint64_t seed, uint64_t part) {
    struct rng rng = {seed ^ part * 0xd6e8feb86659fd93u};
    rng.state = rng_next(&rng);
    return rng;
}

/* rng_below - 0..limit-1; limit > 0 */
static inline uint64_t rng_below(struct rng *rng, uint64_t limit) {
    return (uint64_t)((unsigned __int128)rng_next(rng) * limit >> 64);
}

/* rng_between - low..high, both included */
static inline uint64_t rng_between(struct rng *rng, uint64_t low, uint64_t high) {
    return low + rng_below(rng, high - low + 1);
}

/* rng_chance - true with this probability */
static inline bool rng_chance(struct rng *rng, uint32_t per_million) {
    return per_million > 0 && rng_below(rng, 1000000) < per_million;
}

/* rng_pick - an element of an array of uint64_t */
#define rng_pick(rng, ...)                                                                         \
    ((const uint64_t[]){                                                                           \
        __VA_ARGS__}[rng_below(rng, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))])

#endif
