/* waker.h - put a thread to sleep until somebody has work for it, without a lock on the way
 *
 * The sleeper announces itself, then looks for work once more, then sleeps; whoever publishes work
 * looks for a sleeper afterwards. Both sides have a sequentially consistent fence between their
 * store and their load, so at least one of them sees the other: no wake-up is lost, and waking
 * costs one load while nobody sleeps.
 */
#ifndef USHER_ENGINE_RUNTIME_WAKER_H
#define USHER_ENGINE_RUNTIME_WAKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct waker {
    _Atomic uint32_t sleeping;   /* futex word: 1 from announcing until woken */
    uint64_t no_linger_until_ns; /* CLOCK_MONOTONIC; the owner's */
};

/* waker_linger - expecting work within microseconds: let others run first, and stay awake. Where
 * nobody else wants the core it does not halt, and whoever brings the work need not wake anybody.
 * Return: false if the owner had better sleep: the core belonged to somebody else for long (a
 * sleeper that is woken gets it sooner than one that yields), lately. The owner alone. */
bool waker_linger(struct waker *waker);

/* waker_announce - the owner is about to sleep; it looks for work after this */
void waker_announce(struct waker *waker);
/* waker_sleep - sleep until woken or timeout; returns at once if woken since waker_announce
 * @timeout_ms: UINT64_MAX for none. The owner alone. */
void waker_sleep(struct waker *waker, uint64_t timeout_ms);
/* waker_cancel - the owner has found work after all */
void waker_cancel(struct waker *waker);
/* waker_wake - after having published work; any thread */
void waker_wake(struct waker *waker);

#endif
