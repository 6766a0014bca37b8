/* index.c - see index.h */
#include "engine/domain/index.h"

#include <stdlib.h>

#include "engine/base/hash.h"
#include "engine/base/prefetch.h"
#include "engine/base/require.h"

#define PART_CAPACITY_FIRST 16u

uint64_t index_hash(const void *bytes, uint32_t size, uint64_t seed) {
    return hash_64(bytes, size, seed);
}

/* The hash's top bits pick the part, its lower half is the tag: no bit serves twice. */
static uint32_t part_of(uint64_t hash) { return (uint32_t)(hash >> 58); }
_Static_assert(INDEX_PARTS == 1u << 6, "part_of takes six bits");

void index_init(struct index *index) { memset(index, 0, sizeof *index); }

void index_deinit(struct index *index) {
    for (uint32_t i = 0; i < INDEX_PARTS; i++) free(index->parts[i].entries);
    index_init(index);
}

static void part_place(struct index_part *part, struct index_entry entry) {
    uint32_t at = entry.tag & part->mask;
    while (part->entries[at].value != INDEX_EMPTY) at = (at + 1) & part->mask;
    part->entries[at] = entry;
}

static void part_resize(struct index_part *part, uint32_t capacity) {
    struct index_part grown = {.count = part->count, .mask = capacity - 1};
    REQUIRE(capacity > part->mask && capacity <= 1u << 31);
    grown.entries = malloc(capacity * sizeof *grown.entries);
    REQUIRE_MEMORY(grown.entries != NULL);
    memset(grown.entries, 0xff, capacity * sizeof *grown.entries); /* value INDEX_EMPTY */
    for (uint32_t i = 0; part->entries && i <= part->mask; i++) {
        if (part->entries[i].value != INDEX_EMPTY) part_place(&grown, part->entries[i]);
    }
    free(part->entries);
    *part = grown;
}

/* At most three quarters full: linear probes stay short. */
static bool part_is_full(uint32_t count, uint32_t capacity) {
    return (uint64_t)count * 4 > (uint64_t)capacity * 3;
}

void index_reserve(struct index *index, uint32_t count) {
    uint32_t share = count / INDEX_PARTS, capacity = PART_CAPACITY_FIRST;
    share += share / 16 + 8; /* hashes fill the parts unevenly */
    while (part_is_full(share, capacity)) capacity *= 2;
    for (uint32_t i = 0; i < INDEX_PARTS; i++) {
        struct index_part *part = &index->parts[i];
        if (!part->entries || part->mask + 1 < capacity) part_resize(part, capacity);
    }
}

void index_prefetch(const struct index *index, uint64_t hash) {
    const struct index_part *part = &index->parts[part_of(hash)];
    if (part->entries) prefetch_write(&part->entries[(uint32_t)hash & part->mask]);
}

void index_insert(struct index *index, uint64_t hash, uint32_t value) {
    struct index_part *part = &index->parts[part_of(hash)];
    REQUIRE(value != INDEX_EMPTY);
    if (!part->entries) {
        part_resize(part, PART_CAPACITY_FIRST);
    } else if (part_is_full(part->count + 1, part->mask + 1)) {
        part_resize(part, (part->mask + 1) * 2);
    }
    part_place(part, (struct index_entry){(uint32_t)hash, value});
    part->count++;
}

static uint32_t part_find(const struct index_part *part, uint32_t tag, uint32_t value) {
    REQUIRE(part->entries != NULL);
    uint32_t at = tag & part->mask;
    while (part->entries[at].value != value || part->entries[at].tag != tag) {
        REQUIRE(part->entries[at].value != INDEX_EMPTY); /* the caller says that it exists */
        at = (at + 1) & part->mask;
    }
    return at;
}

void index_remove(struct index *index, uint64_t hash, uint32_t value) {
    struct index_part *part = &index->parts[part_of(hash)];
    uint32_t hole = part_find(part, (uint32_t)hash, value);
    uint32_t at = hole;
    for (;;) {
        at = (at + 1) & part->mask;
        if (part->entries[at].value == INDEX_EMPTY) break;
        uint32_t home = part->entries[at].tag & part->mask;
        /* An entry may move into the hole unless its home lies between the hole and it. */
        if (((at - home) & part->mask) >= ((at - hole) & part->mask)) {
            part->entries[hole] = part->entries[at];
            hole = at;
        }
    }
    part->entries[hole].value = INDEX_EMPTY;
    part->count--;
}

void index_replace(struct index *index, uint64_t hash, uint32_t from, uint32_t to) {
    struct index_part *part = &index->parts[part_of(hash)];
    REQUIRE(to != INDEX_EMPTY);
    part->entries[part_find(part, (uint32_t)hash, from)].value = to;
}

struct index_cursor index_find(const struct index *index, uint64_t hash) {
    const struct index_part *part = &index->parts[part_of(hash)];
    return (struct index_cursor){part, (uint32_t)hash & part->mask, (uint32_t)hash};
}

bool index_next(struct index_cursor *cursor, uint32_t *ret_value) {
    const struct index_part *part = cursor->part;
    if (!part->entries) return false;
    while (part->entries[cursor->at].value != INDEX_EMPTY) {
        struct index_entry entry = part->entries[cursor->at];
        cursor->at = (cursor->at + 1) & part->mask;
        if (entry.tag == cursor->tag) {
            *ret_value = entry.value;
            return true;
        }
    }
    return false;
}

uint32_t index_count(const struct index *index) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < INDEX_PARTS; i++) count += index->parts[i].count;
    return count;
}

uint64_t index_bytes(const struct index *index) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < INDEX_PARTS; i++) {
        if (index->parts[i].entries) {
            bytes += (uint64_t)(index->parts[i].mask + 1) * sizeof(struct index_entry);
        }
    }
    return bytes;
}
