/* arena.c - see arena.h */
#include "net/protocol/arena.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/require.h"

#define ARENA_CHUNK_BYTES 4096u

struct arena_chunk {
    struct arena_chunk *next;
    uint32_t capacity; /* bytes */
    alignas(max_align_t) uint8_t bytes[];
};

void arena_init(struct arena *arena) { *arena = (struct arena){0}; }

void arena_deinit(struct arena *arena) {
    while (arena->chunks) {
        struct arena_chunk *chunk = arena->chunks;
        arena->chunks = chunk->next;
        free(chunk);
    }
    arena_init(arena);
}

/* Return: false without memory */
static bool arena_grow(struct arena *arena, uint64_t capacity) {
    REQUIRE(capacity > 0 && capacity <= UINT32_MAX);
    struct arena_chunk *chunk = malloc(sizeof *chunk + capacity);
    if (!chunk) return false;
    chunk->next = arena->chunks;
    chunk->capacity = (uint32_t)capacity;
    arena->chunks = chunk;
    arena->used = 0;
    arena->total += capacity;
    return true;
}

void *arena_take(struct arena *arena, uint32_t size) {
    uint32_t align = alignof(max_align_t);
    uint32_t rounded = (size + align - 1) / align * align;
    REQUIRE(rounded >= size && size > 0);
    if (!arena->chunks || rounded > arena->chunks->capacity - arena->used) {
        uint32_t capacity = rounded > ARENA_CHUNK_BYTES ? rounded : ARENA_CHUNK_BYTES;
        if (!arena_grow(arena, capacity)) return NULL;
    }
    void *piece = arena->chunks->bytes + arena->used;
    arena->used += rounded;
    REQUIRE(arena->used <= arena->chunks->capacity);
    return memset(piece, 0, size);
}

void arena_reset(struct arena *arena) {
    arena->used = 0;
    if (!arena->chunks || !arena->chunks->next) return;
    /* Several chunks: one that holds them all saves the next large frame the trouble. */
    uint64_t total = arena->total;
    arena_deinit(arena);
    (void)arena_grow(arena, total); /* without memory the next take tries again */
}
