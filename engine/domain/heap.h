/* heap.h - deadlines of items, earliest first; removal from the middle in O(log n)
 *
 * A binary min-heap that tells its owner where each item stands, so that the owner can name the
 * position when it removes the item. Equal deadlines come out in order of the item's number:
 * the order must be the same in every replay.
 */
#ifndef USHER_ENGINE_DOMAIN_HEAP_H
#define USHER_ENGINE_DOMAIN_HEAP_H

#include <stdint.h>

struct heap_entry {
    uint64_t due_ms;
    uint32_t item;
};

struct heap {
    struct heap_entry *entries;
    uint32_t count, capacity;
    void *owner;
    void (*moved)(void *owner, uint32_t item, uint32_t position);
};

void heap_init(struct heap *heap, void *owner,
               void (*moved)(void *owner, uint32_t item, uint32_t position));
void heap_deinit(struct heap *heap);
void heap_insert(struct heap *heap, uint64_t due_ms, uint32_t item);
void heap_remove(struct heap *heap, uint32_t position);
/* heap_first - Return: the earliest, or NULL if empty; borrowed until the heap changes */
const struct heap_entry *heap_first(const struct heap *heap);

#endif
