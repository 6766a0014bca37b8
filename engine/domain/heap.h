/* heap.h - deadlines of items, earliest first; removal from the middle in O(log n)
 *
 * A min-heap of four children a node: half as many levels as two, and their deadlines lie side by
 * side in memory. Inserting gives a handle that stays the same while the entry moves; the
 * handles' positions stand in one compact array, so that sifting touches the heap alone and never
 * the items (100,000 holds: cache misses on the items made up most of a release). Equal deadlines
 * come out in order of the item's number: the order must be the same in every replay.
 */
#ifndef USHER_ENGINE_DOMAIN_HEAP_H
#define USHER_ENGINE_DOMAIN_HEAP_H

#include <stdbool.h>
#include <stdint.h>

struct heap_entry {
    uint64_t due_ms;
    uint32_t item;
    uint32_t handle;
};

struct heap {
    struct heap_entry *entries;
    uint32_t *positions; /* by handle; of an unused handle: the next unused one */
    uint32_t count, capacity;
    uint32_t handle_count; /* handles ever given out */
    uint32_t handle_free;  /* first unused one of those; HEAP_NO_HANDLE: none */
};
#define HEAP_NO_HANDLE UINT32_MAX

/* heap_shifted_ms - a deadline, some time later, but not beyond max_ms (nor earlier than it was) */
static inline uint64_t heap_shifted_ms(uint64_t due_ms, uint64_t by_ms, uint64_t max_ms) {
    if (due_ms >= max_ms) return due_ms;
    return by_ms < max_ms - due_ms ? due_ms + by_ms : max_ms;
}

void heap_init(struct heap *heap);
void heap_deinit(struct heap *heap);
/* heap_reserve - memory for `count` entries, touched now: no insertion up to then allocates */
void heap_reserve(struct heap *heap, uint32_t count);
/* heap_insert - Return: the entry's handle, until it is removed */
uint32_t heap_insert(struct heap *heap, uint64_t due_ms, uint32_t item);
void heap_remove(struct heap *heap, uint32_t handle);
/* heap_shift - every deadline moves by the same time, but not beyond max_ms; handles stay */
void heap_shift(struct heap *heap, uint64_t by_ms, uint64_t max_ms);
/* heap_is_ordered - what must hold after every change, by a walk: nobody is before its parent,
 * every handle leads to its entry */
bool heap_is_ordered(const struct heap *heap);
/* heap_first - Return: the earliest, or NULL if empty; borrowed until the heap changes */
const struct heap_entry *heap_first(const struct heap *heap);

#endif
