/* heap.c - see heap.h */
#include "engine/domain/heap.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/require.h"

#define CHILDREN 4u

void heap_init(struct heap *heap) { *heap = (struct heap){.handle_free = HEAP_NO_HANDLE}; }

void heap_deinit(struct heap *heap) {
    free(heap->entries);
    free(heap->positions);
    heap_init(heap);
}

/* Without a branch: which of two deadlines is earlier cannot be predicted. */
static inline bool before(const struct heap_entry *a, const struct heap_entry *b) {
    return (a->due_ms < b->due_ms) | ((a->due_ms == b->due_ms) & (a->item < b->item));
}

static void set(struct heap *heap, uint32_t position, struct heap_entry entry) {
    heap->entries[position] = entry;
    heap->positions[entry.handle] = position;
}

static void sift_up(struct heap *heap, uint32_t position, struct heap_entry entry) {
    while (position > 0) {
        uint32_t parent = (position - 1) / CHILDREN;
        if (!before(&entry, &heap->entries[parent])) break;
        set(heap, position, heap->entries[parent]);
        position = parent;
    }
    set(heap, position, entry);
}

static void sift_down(struct heap *heap, uint32_t position, struct heap_entry entry) {
    for (;;) {
        uint32_t first = CHILDREN * position + 1, least = first;
        uint32_t end = first + CHILDREN < heap->count ? first + CHILDREN : heap->count;
        if (first >= heap->count) break;
        for (uint32_t child = first + 1; child < end; child++) {
            least = before(&heap->entries[child], &heap->entries[least]) ? child : least;
        }
        if (!before(&heap->entries[least], &entry)) break;
        set(heap, position, heap->entries[least]);
        position = least;
    }
    set(heap, position, entry);
}

static void resize(struct heap *heap, uint32_t capacity) {
    heap->capacity = capacity;
    heap->entries = realloc(heap->entries, heap->capacity * sizeof *heap->entries);
    heap->positions = realloc(heap->positions, heap->capacity * sizeof *heap->positions);
    REQUIRE_MEMORY(heap->entries != NULL && heap->positions != NULL);
}

void heap_reserve(struct heap *heap, uint32_t count) {
    if (count <= heap->capacity) return;
    resize(heap, count);
    memset(heap->entries + heap->count, 0, (count - heap->count) * sizeof *heap->entries);
    memset(heap->positions + heap->handle_count, 0,
           (count - heap->handle_count) * sizeof *heap->positions);
}

uint32_t heap_insert(struct heap *heap, uint64_t due_ms, uint32_t item) {
    if (heap->count == heap->capacity) resize(heap, heap->capacity ? heap->capacity * 2 : 64);
    uint32_t handle = heap->handle_free;
    if (handle != HEAP_NO_HANDLE) {
        heap->handle_free = heap->positions[handle];
    } else {
        handle = heap->handle_count++;
        REQUIRE(handle < heap->capacity);
    }
    heap->count++;
    sift_up(heap, heap->count - 1, (struct heap_entry){due_ms, item, handle});
    return handle;
}

void heap_remove(struct heap *heap, uint32_t handle) {
    REQUIRE(handle < heap->handle_count);
    uint32_t position = heap->positions[handle];
    REQUIRE(position < heap->count && heap->entries[position].handle == handle);
    struct heap_entry removed = heap->entries[position];
    struct heap_entry last = heap->entries[--heap->count];
    heap->positions[handle] = heap->handle_free;
    heap->handle_free = handle;
    if (position == heap->count) return;
    if (before(&last, &removed)) {
        sift_up(heap, position, last);
    } else {
        sift_down(heap, position, last);
    }
}

void heap_shift(struct heap *heap, uint64_t by_ms, uint64_t max_ms) {
    bool equal = false; /* deadlines that differed may be equal now: then the items' order counts */
    for (uint32_t i = 0; i < heap->count; i++) {
        struct heap_entry *entry = &heap->entries[i];
        entry->due_ms = heap_shifted_ms(entry->due_ms, by_ms, max_ms);
        equal |= entry->due_ms >= max_ms;
    }
    if (!equal) return;
    for (uint32_t i = heap->count; i-- > 0;) sift_down(heap, i, heap->entries[i]);
}

bool heap_is_ordered(const struct heap *heap) {
    for (uint32_t i = 0; i < heap->count; i++) {
        const struct heap_entry *entry = &heap->entries[i];
        if (heap->positions[entry->handle] != i) return false;
        if (i > 0 && before(entry, &heap->entries[(i - 1) / CHILDREN])) return false;
    }
    return true;
}

const struct heap_entry *heap_first(const struct heap *heap) {
    return heap->count > 0 ? &heap->entries[0] : NULL;
}
