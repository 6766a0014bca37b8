/* common.h - time, chance and waiting, for tests that run real processes
 *
 * These tests cannot step a clock: they wait, always with a deadline.
 */
#ifndef USHER_TESTS_PROCESS_COMMON_H
#define USHER_TESTS_PROCESS_COMMON_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

static inline uint64_t clock_us(clockid_t clock) {
    struct timespec now;
    (void)clock_gettime(clock, &now); /* these clocks cannot fail */
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}
/* The same in all processes of a machine. */
static inline uint64_t monotonic_us(void) { return clock_us(CLOCK_MONOTONIC); }
static inline uint64_t wall_ms(void) { return clock_us(CLOCK_REALTIME) / 1000u; }

static inline void pause_us(uint64_t us) {
    const struct timespec time = {(time_t)(us / 1000000u), (long)(us % 1000000u) * 1000};
    (void)nanosleep(&time, NULL); /* a shorter pause does no harm */
}

/* random_next - xorshift64*; *state is never 0 */
static inline uint64_t random_next(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1dull;
}
/* random_below - 0..count-1 */
static inline uint32_t random_below(uint64_t *state, uint32_t count) {
    return (uint32_t)((random_next(state) >> 32) * count >> 32);
}
/* random_from - a generator of its own for each (seed, stream) */
static inline uint64_t random_from(uint64_t seed, uint64_t stream) {
    uint64_t state = (seed + 1) * 0x9e3779b97f4a7c15ull ^ (stream + 1) * 0xd1b54a32d192ed03ull;
    if (state == 0) state = 1;
    for (int i = 0; i < 4; i++) (void)random_next(&state); /* leave the poor beginning behind */
    return state;
}

/* test_seed - USHER_SEED of the environment, else a fresh one; printed, so that a failure tells it
 * @what: the test's name */
uint64_t test_seed(const char *what);

/* note - a line of diagnostics: TAP comment on standard error */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
