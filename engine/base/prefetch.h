/* prefetch.h - ask for memory ahead
 *
 * __builtin_prefetch() alone is no effect to gcc: a function that does nothing else counts as pure,
 * and its calls disappear, or stay, as inlining has it. The empty asm makes it an effect.
 */
#ifndef USHER_ENGINE_BASE_PREFETCH_H
#define USHER_ENGINE_BASE_PREFETCH_H

/* prefetch_read, prefetch_write - this cache line will be read, changed, in a moment
 * Any address, also one that cannot be read: a hint. */
static inline void prefetch_read(const void *address) {
    __builtin_prefetch(address);
    __asm__ volatile("" : : "r"(address));
}

static inline void prefetch_write(const void *address) {
    __builtin_prefetch(address, 1);
    __asm__ volatile("" : : "r"(address));
}

#endif
