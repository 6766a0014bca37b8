/* waker.c - see waker.h */
#include "engine/runtime/waker.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void futex_wait(_Atomic uint32_t *word, uint32_t value, const struct timespec *timeout) {
    /* Woken, interrupted, timed out or already changed: the caller looks for work in each case. */
    (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, timeout, NULL, 0);
}

/* A turn of somebody else that was no mere callback, and how long to sleep instead of lingering
 * then: so at most a few per cent of the time are lost to finding out. */
#define LINGER_NS_MAX 2000000u
#define NO_LINGER_NS 100000000u

static uint64_t now_ns(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

bool waker_linger(struct waker *waker) {
    uint64_t before = now_ns();
    if (before < waker->no_linger_until_ns) return false;
    (void)sched_yield();
    uint64_t after = now_ns();
    if (after - before > LINGER_NS_MAX) waker->no_linger_until_ns = after + NO_LINGER_NS;
    return true;
}

void waker_announce(struct waker *waker) {
    atomic_store_explicit(&waker->sleeping, 1, memory_order_seq_cst);
    atomic_thread_fence(memory_order_seq_cst);
}

void waker_sleep(struct waker *waker, uint64_t timeout_ms) {
    struct timespec timeout = {.tv_sec = (time_t)(timeout_ms / 1000),
                               .tv_nsec = (long)(timeout_ms % 1000) * 1000000};
    bool forever = timeout_ms == UINT64_MAX;
    futex_wait(&waker->sleeping, 1, forever ? NULL : &timeout);
    waker_cancel(waker);
}

void waker_cancel(struct waker *waker) {
    atomic_store_explicit(&waker->sleeping, 0, memory_order_seq_cst);
}

void waker_wake(struct waker *waker) {
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&waker->sleeping, memory_order_relaxed) == 0) return;
    if (atomic_exchange_explicit(&waker->sleeping, 0, memory_order_seq_cst) == 0) return;
    (void)syscall(SYS_futex, &waker->sleeping, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
