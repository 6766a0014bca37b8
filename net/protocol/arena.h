/* arena.h - memory that is given out piece by piece and taken back all at once
 *
 * A frame's arrays (seats of a hold, seats to add, policies) live here. Pieces never move: when a
 * chunk is full another is added, and reset keeps one chunk as large as all were together, so that
 * a context that has seen its largest frame allocates no more.
 * Thread: the one that decodes the frame; the pieces are read by shards after the hand-over.
 */
#ifndef USHER_NET_PROTOCOL_ARENA_H
#define USHER_NET_PROTOCOL_ARENA_H

#include <stdint.h>

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks; /* the newest first */
    uint32_t used;              /* bytes of the newest */
    uint64_t total;             /* capacity of all chunks, bytes */
};

void arena_init(struct arena *arena);
void arena_deinit(struct arena *arena);
/* arena_take - `size` zeroed bytes, aligned for any type. Return: NULL without memory */
void *arena_take(struct arena *arena, uint32_t size);
/* arena_reset - all pieces are gone */
void arena_reset(struct arena *arena);

#endif
