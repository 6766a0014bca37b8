/* date_sound.c - do the parts of a date agree with each other?
 *
 * Counters, sums, heaps and the state hash are kept up to date as decisions are applied. Here they
 * are computed anew, by a walk over the whole date: for slow checks (CHECK_SLOW).
 */
#include "engine/domain/date/date_rules.h"

static bool seats_are_sound(const struct date *date) {
    const struct seat_map *map = &date->seats;
    uint32_t free_count = 0, for_sale = 0;
    for (uint32_t number = 1; number <= map->count; number++) {
        const struct seat *seat = seat_map_seat(map, number);
        for_sale += seat->for_sale;
        free_count += seat->for_sale && seat->reservation == 0;
    }
    return map->free == free_count && map->for_sale == for_sale &&
           map->hash == seat_map_hash_recount(map);
}

/* R2: a live reservation has its seats, and nobody else has. */
static bool has_its_seats(const struct date *date, const struct reservation *reservation) {
    for (uint32_t i = 0; i < reservation->seats.count; i++) {
        const struct seat *seat = seat_map_seat(&date->seats, reservation->seats.values[i]);
        if (seat->reservation != reservation->sequence) return false;
    }
    return true;
}

static bool reservations_are_sound(const struct date *date) {
    const struct reservations *all = &date->reservations;
    uint32_t states[RESERVATION_CANCELLED + 1] = {0}, seats_sold = 0, seats_live = 0, kept = 0;
    uint64_t points_sold = 0;
    const struct reservation *one = NULL;
    while ((one = reservations_next(all, one ? one->sequence : 0)) != NULL) {
        states[one->state]++;
        kept += one->kept;
        if (!reservation_is_live(one->state)) continue;
        if (!has_its_seats(date, one)) return false;
        seats_live += one->seats.count;
        if (!reservation_is_sold(one->state)) continue;
        seats_sold += one->seats.count;
        points_sold += one->amount;
    }
    return all->held == states[RESERVATION_HELD] && all->paying == states[RESERVATION_PAYING] &&
           all->paid == states[RESERVATION_PAID] &&
           all->refunding == states[RESERVATION_REFUNDING] && all->seats_sold == seats_sold &&
           date->points_sold == points_sold &&
           date->seats.for_sale - date->seats.free == seats_live &&
           all->deadlines.count == all->held && heap_is_ordered(&all->deadlines) &&
           all->kept_ends.count == kept && heap_is_ordered(&all->kept_ends) &&
           all->hash == reservations_hash_recount(all);
}

static bool room_is_sound(const struct waiting_room *room) {
    uint32_t waiting = 0, active = 0;
    for (place_t place = room_next(room, 0); place != 0; place = room_next(room, place)) {
        const struct waiter *waiter = room_find(room, place);
        if (!token_is_live(waiter->state)) continue;
        if (waiter->state == TOKEN_WAITING && room_ahead(room, place) != waiting) return false;
        waiting += waiter->state == TOKEN_WAITING;
        active += waiter->state == TOKEN_ACTIVE;
    }
    return room->waiting == waiting && room->active == active && room->deadlines.count == active &&
           heap_is_ordered(&room->deadlines) && index_count(&room->by_user) == waiting + active &&
           room->hash == room_hash_recount(room);
}

bool date_is_sound(const struct date *date) {
    return seats_are_sound(date) && reservations_are_sound(date) && room_is_sound(&date->room);
}
