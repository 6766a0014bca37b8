/* seat_map.c - see seat_map.h */
#include "engine/domain/date/seat_map.h"

#include <stdlib.h>

#include "engine/domain/error.h"
#include "engine/base/require.h"

/* In the labels index: several seats have this label; the number is the first of them. */
#define SEAT_MAP_AMBIGUOUS 0x80000000u
_Static_assert(SEATS_PER_DATE_MAX < SEAT_MAP_AMBIGUOUS, "a seat number leaves the flag free");

#define LABEL_BYTES_MAX (3 * TEXT_BYTES_MAX + 2)

void seat_map_init(struct seat_map *map, uint64_t seed) {
    memset(map, 0, sizeof *map);
    index_init(&map->guids);
    index_init(&map->labels);
    map->seed = seed;
}

void seat_map_deinit(struct seat_map *map) {
    free(map->seats);
    free(map->texts);
    index_deinit(&map->guids);
    index_deinit(&map->labels);
}

const struct seat *seat_map_seat(const struct seat_map *map, uint32_t number) {
    REQUIRE(number >= 1 && number <= map->count);
    return &map->seats[number];
}

struct text seat_map_text(const struct seat_map *map, uint32_t number, enum seat_text which) {
    const struct seat *seat = seat_map_seat(map, number);
    uint32_t offset = seat->text_offset;
    for (uint32_t i = 0; i < (uint32_t)which; i++) offset += seat->text_sizes[i];
    return (struct text){map->texts + offset, seat->text_sizes[which]};
}

/* "section/row/seat" */
static uint32_t label_of(const struct seat_map *map, uint32_t number, char label[LABEL_BYTES_MAX]) {
    uint32_t size = 0;
    for (enum seat_text which = SEAT_SECTION; which <= SEAT_NUMBER; which++) {
        struct text part = seat_map_text(map, number, which);
        if (which != SEAT_SECTION) label[size++] = '/';
        if (part.size > 0) memcpy(label + size, part.bytes, part.size);
        size += part.size;
    }
    return size;
}

uint32_t seat_map_has_guid(const struct seat_map *map, const struct text *guid) {
    uint32_t number;
    if (guid->size == 0) return 0;
    struct index_cursor cursor = index_find(&map->guids,
                                            index_hash(guid->bytes, guid->size, map->seed));
    while (index_next(&cursor, &number)) {
        struct text other = seat_map_text(map, number, SEAT_GUID);
        if (other.size == guid->size && memcmp(other.bytes, guid->bytes, guid->size) == 0) {
            return number;
        }
    }
    return 0;
}

/* Return: the value in the labels index (a number, perhaps with the flag), 0 if there is none */
static uint32_t label_find(const struct seat_map *map, const char *label, uint32_t size) {
    uint32_t value;
    struct index_cursor cursor = index_find(&map->labels, index_hash(label, size, map->seed));
    while (index_next(&cursor, &value)) {
        char other[LABEL_BYTES_MAX];
        uint32_t other_size = label_of(map, value & ~SEAT_MAP_AMBIGUOUS, other);
        if (other_size == size && memcmp(other, label, size) == 0) return value;
    }
    return 0;
}

int seat_map_find(const struct seat_map *map, const struct seat_ref *ref, uint32_t *ret_number) {
    uint32_t number = ref->number;
    if (ref->name.bytes) {
        uint32_t by_guid = seat_map_has_guid(map, &ref->name);
        uint32_t by_label = label_find(map, ref->name.bytes, ref->name.size);
        number = by_guid != 0 ? by_guid : by_label;
        if (by_label != 0 && by_label != number) return ERROR_SEAT_AMBIGUOUS;
        if (number & SEAT_MAP_AMBIGUOUS) return ERROR_SEAT_AMBIGUOUS;
    }
    if (number < 1 || number > map->count) return ERROR_SEAT_UNKNOWN;
    *ret_number = number;
    return ERROR_NONE;
}

static uint64_t hash_of(const struct seat_map *map, uint32_t number) {
    const struct seat *seat = seat_map_seat(map, number);
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < 4; i++) bytes += seat->text_sizes[i];
    uint64_t numbers[3] = {seat->price, number, seat->for_sale};
    return index_hash(map->texts + seat->text_offset, bytes,
                      index_hash(numbers, sizeof numbers, 0));
}

uint64_t seat_map_hash_recount(const struct seat_map *map) {
    uint64_t hash = 0;
    for (uint32_t number = 1; number <= map->count; number++) hash += hash_of(map, number);
    return hash;
}

static uint32_t texts_add(struct seat_map *map, const struct text *text) {
    if (text->size > 0) memcpy(map->texts + map->text_bytes, text->bytes, text->size);
    map->text_bytes += text->size;
    return text->size;
}

static void grow(struct seat_map *map) {
    if (map->count + 1 >= map->capacity) {
        map->capacity = map->capacity ? map->capacity * 2 : 256;
        map->seats = realloc(map->seats, map->capacity * sizeof *map->seats);
        REQUIRE_MEMORY(map->seats != NULL);
    }
    if (map->text_bytes + 4 * TEXT_BYTES_MAX > map->text_capacity) {
        map->text_capacity = map->text_capacity ? map->text_capacity * 2 : 8192;
        map->texts = realloc(map->texts, map->text_capacity);
        REQUIRE_MEMORY(map->texts != NULL);
    }
}

void seat_map_add(struct seat_map *map, const struct decision_seat_added *added) {
    char label[LABEL_BYTES_MAX];
    REQUIRE(added->number == map->count + 1 && added->number <= SEATS_PER_DATE_MAX);
    grow(map);
    struct seat *seat = &map->seats[added->number];
    *seat = (struct seat){
        .price = added->price, .text_offset = map->text_bytes, .for_sale = added->for_sale != 0};
    seat->text_sizes[SEAT_SECTION] = (uint8_t)texts_add(map, &added->section);
    seat->text_sizes[SEAT_ROW] = (uint8_t)texts_add(map, &added->row);
    seat->text_sizes[SEAT_NUMBER] = (uint8_t)texts_add(map, &added->seat);
    seat->text_sizes[SEAT_GUID] = (uint8_t)texts_add(map, &added->guid);
    map->count++;
    map->hash += hash_of(map, added->number);
    map->for_sale += seat->for_sale;
    map->free += seat->for_sale;
    bool more = __builtin_add_overflow(map->points, seat->price, &map->points);
    if (more) map->points = UINT64_MAX; /* only in logs of before DATE_POINTS_MAX */

    if (added->guid.size > 0) {
        index_insert(&map->guids, index_hash(added->guid.bytes, added->guid.size, map->seed),
                     added->number);
    }
    uint32_t size = label_of(map, added->number, label);
    uint32_t same = label_find(map, label, size);
    uint64_t hash = index_hash(label, size, map->seed);
    if (same == 0) {
        index_insert(&map->labels, hash, added->number);
    } else if (!(same & SEAT_MAP_AMBIGUOUS)) {
        index_replace(&map->labels, hash, same, same | SEAT_MAP_AMBIGUOUS);
    }
}

const char *seat_map_restore(struct seat_map *map, const struct entity_seat *saved) {
    if (map->count == SEATS_PER_DATE_MAX) return "too many seats";
    if (saved->number != map->count + 1) return "seats are out of order";
    if (saved->price > AMOUNT_MAX) return "a price above the limit";
    if (saved->for_sale > 1) return "for_sale is neither 0 nor 1";
    if (seat_map_has_guid(map, &saved->guid)) return "another seat has the same guid";
    seat_map_add(map, &(struct decision_seat_added){.number = saved->number,
                                                    .price = saved->price,
                                                    .for_sale = saved->for_sale,
                                                    .section = saved->section,
                                                    .row = saved->row,
                                                    .seat = saved->seat,
                                                    .guid = saved->guid});
    return NULL;
}

void seat_map_take(struct seat_map *map, uint32_t number, uint32_t reservation) {
    REQUIRE(number >= 1 && number <= map->count && reservation != 0);
    struct seat *seat = &map->seats[number];
    REQUIRE(seat->for_sale && seat->reservation == 0); /* R2: one holder or owner, always */
    REQUIRE(map->free > 0);
    seat->reservation = reservation;
    map->free--;
}

void seat_map_free(struct seat_map *map, uint32_t number) {
    REQUIRE(number >= 1 && number <= map->count);
    struct seat *seat = &map->seats[number];
    REQUIRE(seat->reservation != 0 && map->free < map->for_sale);
    seat->reservation = 0;
    map->free++;
}
