/* require.h - the assertion that stays on
 *
 * REQUIRE() states what the programmer guarantees: it is compiled into release builds, because a
 * seat engine that continues on a broken invariant sells a seat twice. What comes from the wire,
 * the disk, SQL or a configuration file is never REQUIREd: it gets an error code.
 *
 * REQUIRE_MEMORY() is for an allocation whose caller has no answer to its failure: the process ends
 * with a sentence about memory, since no invariant is broken by that and nobody need report it.
 *
 * CHECK_SLOW() is for invariants whose test costs more than O(1). It is on where USHER_SLOW_CHECKS
 * is defined: in builds with a sanitizer, and in the simulator.
 */
#ifndef USHER_ENGINE_BASE_REQUIRE_H
#define USHER_ENGINE_BASE_REQUIRE_H

#include <stdbool.h>
#include <stdint.h>

/* require_failed - print the broken condition to standard error and abort
 * Any thread. Never returns. */
_Noreturn void require_failed(const char *condition, const char *file, int line);

/* require_prepare - load now what require_failed() needs to find the stack
 * Later, memory, descriptors or the disk may be what has failed: to load a library would then wait,
 * and meanwhile the other threads would go on. Any thread; once, at a program's beginning. */
void require_prepare(void);

#define REQUIRE(condition)                                                                         \
    (__builtin_expect(!!(condition), 1) ? (void)0 : require_failed(#condition, __FILE__, __LINE__))

/* memory_failed - say on standard error that there is not enough memory and what to do, and leave
 * Any thread. Never returns; exit status 1, no core file: it would show nothing and fill the
 * disk. */
_Noreturn void memory_failed(const char *file, int line);

#define REQUIRE_MEMORY(condition)                                                                  \
    (__builtin_expect(!!(condition), 1) ? (void)0 : memory_failed(__FILE__, __LINE__))

/* Where only a programmer's mistake leads to; `what` says what was expected here instead. */
#define REQUIRE_NEVER(what) require_failed("only " what " comes here", __FILE__, __LINE__)

#ifdef USHER_SLOW_CHECKS
#define SLOW_CHECKS_ON true
#else
#define SLOW_CHECKS_ON false
#endif

/* Compiled everywhere, so that it cannot rot; computed nowhere but where it is on. */
#define CHECK_SLOW(condition) (SLOW_CHECKS_ON ? REQUIRE(condition) : (void)0)

/* CHECK_SLOW_AT - a check whose cost grows with what was done so far, `count` times: each time up
 * to 16, then eight times while that doubles. So all of them cost as much as a few of the last. */
#define CHECK_SLOW_AT(count, condition) CHECK_SLOW(!slow_check_is_due(count) || (condition))

static inline bool slow_check_is_due(uint64_t count) {
    int low_bits = 60 - __builtin_clzll(count | 1);
    return low_bits <= 0 || (count & ((1ull << low_bits) - 1)) == 0;
}

#endif
