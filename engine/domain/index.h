/* index.h - hash index from a key's hash to 32-bit values; the caller compares keys
 *
 * Open addressing with linear probing and backward-shift deletion (Knuth, TAOCP vol. 3, 6.4,
 * Algorithm R), in INDEX_PARTS parts that grow one by one: growing an index of ten million entries
 * in one go would stall its date for longer than a fan should notice.
 * Several entries may have the same hash; the caller walks them:
 *
 *     struct index_cursor c = index_find(index, hash);
 *     while (index_next(&c, &value)) if (key_of(value) == key) ...
 */
#ifndef USHER_ENGINE_DOMAIN_INDEX_H
#define USHER_ENGINE_DOMAIN_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/domain/types.h"

#define INDEX_PARTS 64u

struct index_entry {
    uint32_t tag;   /* lower half of the hash */
    uint32_t value; /* never INDEX_EMPTY */
};
#define INDEX_EMPTY UINT32_MAX

struct index_part {
    struct index_entry *entries; /* NULL until the first insertion */
    uint32_t mask;               /* capacity - 1 */
    uint32_t count;
};

struct index {
    struct index_part parts[INDEX_PARTS];
};

struct index_cursor {
    const struct index_part *part;
    uint32_t at, tag;
};

void index_init(struct index *index);
void index_deinit(struct index *index);
/* index_reserve - memory for `count` entries: up to then hardly any insertion grows a part */
void index_reserve(struct index *index, uint32_t count);
/* index_prefetch - the caller will look for this hash, or insert it, in a moment */
void index_prefetch(const struct index *index, uint64_t hash);
/* hash: all 64 bits well mixed (index_hash). value: anything but INDEX_EMPTY. */
void index_insert(struct index *index, uint64_t hash, uint32_t value);
/* index_remove - the entry must exist */
void index_remove(struct index *index, uint64_t hash, uint32_t value);
/* index_replace - change the value of an entry that exists */
void index_replace(struct index *index, uint64_t hash, uint32_t from, uint32_t to);
struct index_cursor index_find(const struct index *index, uint64_t hash);
bool index_next(struct index_cursor *cursor, uint32_t *ret_value);
uint32_t index_count(const struct index *index);
uint64_t index_bytes(const struct index *index);

/* index_hash - keyed hash of bytes (engine/base/hash.h) */
uint64_t index_hash(const void *bytes, uint32_t size, uint64_t seed);

#endif
