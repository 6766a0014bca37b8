/* seat_map.h - the seats of one date: layout, prices, and which reservation has each
 *
 * Seats have plain numbers 1..N in the order in which they were added, which is adjacency order
 * (left to right, row by row). Layout and prices never change after the date was first opened.
 * Labels are text and need not be unique ("16 bis", row "9A"); guids are. A text that is one seat's
 * guid and another's label names neither: whoever sent it must say which by number.
 */
#ifndef USHER_ENGINE_DOMAIN_DATE_SEAT_MAP_H
#define USHER_ENGINE_DOMAIN_DATE_SEAT_MAP_H

#include "engine/domain/command.h"
#include "engine/domain/entity.h"
#include "engine/domain/index.h"

struct seat {
    uint64_t price;       /* points */
    uint32_t reservation; /* sequence of the reservation that has it, 0: free */
    uint32_t text_offset; /* section, row, seat, guid: one after the other in seat_map.texts */
    uint8_t text_sizes[4];
    bool for_sale;
};

struct seat_map {
    struct seat *seats; /* [0] is never used */
    uint32_t count;     /* seats 1..count */
    uint32_t capacity;
    uint32_t for_sale; /* how many are */
    uint32_t free;     /* for sale and without reservation */
    uint64_t points;   /* price of all seats, for sale or not; UINT64_MAX if it is more */
    char *texts;
    uint32_t text_bytes, text_capacity;
    struct index guids;  /* guid -> number */
    struct index labels; /* "section/row/seat" -> number, or number | SEAT_MAP_AMBIGUOUS */
    uint64_t seed;
    uint64_t hash; /* sum over all seats' layout and price */
};

enum seat_text { SEAT_SECTION = 0, SEAT_ROW, SEAT_NUMBER, SEAT_GUID };

void seat_map_init(struct seat_map *map, uint64_t seed);
void seat_map_deinit(struct seat_map *map);

/* seat_map_seat - number 1..map->count. Return: borrowed until seats are added */
const struct seat *seat_map_seat(const struct seat_map *map, uint32_t number);

/* seat_map_text - one text of a seat; borrowed until seats are added */
struct text seat_map_text(const struct seat_map *map, uint32_t number, enum seat_text which);

/* seat_map_find - the seat that a client means
 * @ret_number: on success only
 * Return: ERROR_NONE, ERROR_SEAT_UNKNOWN or ERROR_SEAT_AMBIGUOUS */
int seat_map_find(const struct seat_map *map, const struct seat_ref *ref, uint32_t *ret_number);

/* seat_map_has_guid - Return: the seat's number, 0 if no seat has this guid */
uint32_t seat_map_has_guid(const struct seat_map *map, const struct text *guid);

/* seat_map_hash_recount - what map->hash must be, by a walk over all seats */
uint64_t seat_map_hash_recount(const struct seat_map *map);

/* seat_map_restore - the next seat of an image (image_date.c); who has it is said by reservations
 * Return: NULL, or what the image contradicts: the map is then of no use */
const char *seat_map_restore(struct seat_map *map, const struct entity_seat *saved);

/* changes of state, from date_apply.c alone */
void seat_map_add(struct seat_map *map, const struct decision_seat_added *added);
void seat_map_take(struct seat_map *map, uint32_t number, uint32_t reservation);
void seat_map_free(struct seat_map *map, uint32_t number);

#endif
