/* table.h - a hash table from two ids to a number, for what a test must look up
 *
 * Grows; nothing is ever removed. Keys come from the test itself, so no secret seed.
 */
#ifndef USHER_TESTS_ORACLE_TABLE_H
#define USHER_TESTS_ORACLE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/domain/types.h"

struct table_key {
    struct id128 user;
    struct id128 other; /* a digest, or a number in its first bytes */
};

struct table {
    struct table_entry {
        struct table_key key;
        bool used;
        uint64_t value;
    } * entries;
    uint32_t count, capacity; /* capacity: 0 or a power of two, never full */
};

static inline struct table_key table_key(const struct id128 *user, const struct id128 *other) {
    return (struct table_key){*user, other ? *other : (struct id128){{0}}};
}
static inline struct table_key table_key_number(const struct id128 *user, uint64_t number) {
    struct table_key key = {*user, {{0}}};
    memcpy(key.other.bytes, &number, sizeof number);
    return key;
}

/* table_at - the value of a key; made, as 0, where it is not there yet
 * Return: valid until the next call */
uint64_t *table_at(struct table *table, const struct table_key *key);
/* table_find - Return: NULL if it is not there */
uint64_t *table_find(const struct table *table, const struct table_key *key);
void table_deinit(struct table *table);

#endif
