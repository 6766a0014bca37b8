#include "engine/runtime/waker.h"

#include <linux/futex.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void futex_wait(_Atomic uint32_t *word, uint32_t value, const struct timespec *timeout) {
    /* Woken, interrupted, timed out or already changed: the caller looks for work in each case. */
    (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, timeout, NULL, 0);
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
