/* compare.c - see compare.h
 *
 * Happy path: both images go into one buffer each, with a sorted table of keys; then one merge.
 * Equal bytes are equal entities: each field has one encoding. There is no failure but memory,
 * which ends the process: these are operators' tools.
 */
#include "replay/tell/compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/require.h"
#include "replay/tell/text.h"

struct item {
    uint16_t kind;
    uint32_t size;   /* bytes, encoded */
    uint64_t offset; /* in bytes */
    struct id128 id; /* user, or none */
    uint64_t number; /* of the seat, the place, the row, ...; 0 where there is only one */
};

struct side {
    uint32_t partition;
    uint8_t *bytes;
    uint64_t size, capacity;
    struct item *items;
    uint64_t count, items_capacity;
    struct id128 user; /* of the account that ledger rows belong to */
    uint64_t rows;     /* of it, over its life */
};

/* --- keys ------------------------------------------------------------------------------------- */

/* What names an entity. Ledger rows are numbered from the oldest kept; renumber_rows() mends
 * that. */
static void set_key(struct side *side, const struct entity *entity, struct item *item) {
    switch (entity->kind) {
    case ENTITY_CONCERT: item->number = entity->concert.concert; break;
    case ENTITY_CONCERT_DATE: item->number = entity->concert_date.date; break;
    case ENTITY_SEAT: item->number = entity->seat.number; break;
    case ENTITY_RESERVATION: item->number = entity->reservation.reservation; break;
    case ENTITY_WAITER: item->number = entity->waiter.place; break;
    case ENTITY_CHARGE_KEY:
        item->id = entity->charge_key.user;
        memcpy(&item->number, entity->charge_key.key.bytes, sizeof item->number);
        break;
    case ENTITY_TRANSFER: item->number = entity->transfer.payment; break;
    case ENTITY_ACCOUNT:
        side->user = item->id = entity->account.user;
        side->rows = entity->account.rows;
        break;
    case ENTITY_LEDGER_ROW: item->id = side->user; break;
    default: break; /* one of a kind */
    }
}

/* The rows of an account follow it; the last of them is number `rows`. */
static void number_rows(struct side *side) {
    uint64_t number = side->rows;
    for (uint64_t i = side->count; i > 0 && side->items[i - 1].kind == ENTITY_LEDGER_ROW; i--) {
        side->items[i - 1].number = number--;
    }
}

static int compare_items(const void *a, const void *b) {
    const struct item *left = a, *right = b;
    if (left->kind != right->kind) return left->kind < right->kind ? -1 : 1;
    int ids = memcmp(left->id.bytes, right->id.bytes, sizeof left->id.bytes);
    if (ids != 0) return ids;
    return left->number < right->number ? -1 : left->number > right->number;
}

/* --- collecting ------------------------------------------------------------------------------- */

static void *grow(void *memory, uint64_t needed, uint64_t *capacity, size_t unit) {
    if (needed <= *capacity) return memory;
    while (*capacity < needed) *capacity = *capacity ? *capacity * 2 : 1024;
    memory = realloc(memory, *capacity * unit);
    REQUIRE_MEMORY(memory);
    return memory;
}

static int collect(void *context, const struct entity *entity, const uint8_t *bytes,
                   uint32_t size) {
    struct side *side = context;
    if (entity->kind == ENTITY_ENDED) return 0; /* see compare.h */
    if (entity->kind != ENTITY_LEDGER_ROW) number_rows(side);
    side->bytes = grow(side->bytes, side->size + size, &side->capacity, 1);
    side->items = grow(side->items, side->count + 1, &side->items_capacity, sizeof *side->items);
    struct item item = {.kind = entity->kind, .size = size, .offset = side->size};
    set_key(side, entity, &item);
    memcpy(side->bytes + side->size, bytes, size);
    side->size += size;
    side->items[side->count++] = item;
    return 0;
}

static void side_init(struct side *side, const struct partition *partition) {
    *side = (struct side){0};
    if (!partition) return;
    const struct image_sink sink = {collect, side};
    side->partition = partition->id;
    (void)image_save_partition(partition, &sink); /* collect() never ends it */
    number_rows(side);
    if (side->count > 0) qsort(side->items, side->count, sizeof *side->items, compare_items);
}

static void side_deinit(struct side *side) {
    free(side->bytes);
    free(side->items);
}

/* --- merging ---------------------------------------------------------------------------------- */

static void name_item(const struct item *item, char ret_name[COMPARE_NAME_BYTES]) {
    char user[TEXT_UUID_BYTES];
    text_uuid(&item->id, user);
    const char *kind = entity_name(item->kind);
    if (item->kind == ENTITY_LEDGER_ROW || item->kind == ENTITY_CHARGE_KEY) {
        snprintf(ret_name, COMPARE_NAME_BYTES, "%s %llu of %s", kind,
                 (unsigned long long)item->number, user);
    } else if (item->kind == ENTITY_ACCOUNT) {
        snprintf(ret_name, COMPARE_NAME_BYTES, "%s %s", kind, user);
    } else if (item->number != 0) {
        snprintf(ret_name, COMPARE_NAME_BYTES, "%s %llu", kind, (unsigned long long)item->number);
    } else {
        snprintf(ret_name, COMPARE_NAME_BYTES, "%s", kind);
    }
}

static const struct entity *decode(const struct side *side, const struct item *item,
                                   struct entity *entity) {
    if (!item) return NULL;
    REQUIRE(entity_decode(side->bytes + item->offset, item->size, entity) == DECISION_DECODE_OK);
    return entity;
}

static bool same(const struct side *left, const struct item *a, const struct side *right,
                 const struct item *b) {
    return a->size == b->size &&
           memcmp(left->bytes + a->offset, right->bytes + b->offset, a->size) == 0;
}

static int merge(const struct side *left, const struct side *right,
                 int (*visit)(void *context, const struct compare_difference *difference),
                 void *context) {
    uint64_t l = 0, r = 0;
    int result = 0;
    while (result == 0 && (l < left->count || r < right->count)) {
        const struct item *a = l < left->count ? &left->items[l] : NULL;
        const struct item *b = r < right->count ? &right->items[r] : NULL;
        int order = !a ? 1 : !b ? -1 : compare_items(a, b);
        if (order > 0) a = NULL;
        if (order < 0) b = NULL;
        l += a != NULL;
        r += b != NULL;
        if (a && b && same(left, a, right, b)) continue;
        struct entity entities[2];
        struct compare_difference difference = {
            .partition = a ? left->partition : right->partition,
            .left = decode(left, a, &entities[0]),
            .right = decode(right, b, &entities[1]),
        };
        name_item(a ? a : b, difference.name);
        result = visit(context, &difference);
    }
    return result;
}

int compare_partitions(const struct partition *left, const struct partition *right,
                       int (*visit)(void *context, const struct compare_difference *difference),
                       void *context) {
    struct side sides[2];
    side_init(&sides[0], left);
    side_init(&sides[1], right);
    int result = merge(&sides[0], &sides[1], visit, context);
    side_deinit(&sides[0]);
    side_deinit(&sides[1]);
    return result;
}
