/* table.c - see table.h */
#include "tests/oracle/table.h"

#include <stdlib.h>

#include "engine/base/hash.h"
#include "engine/base/require.h"

static struct table_entry *slot_of(const struct table *table, const struct table_key *key) {
    uint32_t mask = table->capacity - 1, slot = (uint32_t)hash_64(key, sizeof *key, 0) & mask;
    while (table->entries[slot].used && memcmp(&table->entries[slot].key, key, sizeof *key) != 0) {
        slot = (slot + 1) & mask;
    }
    return &table->entries[slot];
}

static void grow(struct table *table) {
    const struct table old = *table;
    table->capacity = old.capacity ? old.capacity * 2 : 1024;
    table->entries = calloc(table->capacity, sizeof *table->entries);
    REQUIRE(table->entries);
    for (uint32_t i = 0; i < old.capacity; i++) {
        if (old.entries[i].used) *slot_of(table, &old.entries[i].key) = old.entries[i];
    }
    free(old.entries);
}

uint64_t *table_at(struct table *table, const struct table_key *key) {
    if ((table->count + 1) * 2 > table->capacity) grow(table);
    struct table_entry *entry = slot_of(table, key);
    if (!entry->used) {
        *entry = (struct table_entry){.key = *key, .used = true};
        table->count++;
    }
    return &entry->value;
}

uint64_t *table_find(const struct table *table, const struct table_key *key) {
    if (table->capacity == 0) return NULL;
    struct table_entry *entry = slot_of(table, key);
    return entry->used ? &entry->value : NULL;
}

void table_deinit(struct table *table) {
    free(table->entries);
    *table = (struct table){0};
}
