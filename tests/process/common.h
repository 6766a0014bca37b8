/* common.h - time and waiting, for tests that run real processes
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

/* note - a line of diagnostics: TAP comment on standard error */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
