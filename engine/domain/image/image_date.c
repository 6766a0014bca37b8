/* image_date.c - a date as entities, and back (image.h)
 *
 * Order: the date, its seats, its reservations, the order in which ended ones ended, its waiters.
 * Loading checks here what concerns several of these, and what one structure may tell by itself in
 * its *_restore functions; then it goes through these.
 */
#include "engine/domain/image/image_parts.h"

/* --- save ------------------------------------------------------------------------------------- */

static int save_date(const struct date *date, const struct image_sink *sink) {
    const struct waiting_room *room = &date->room;
    struct entity entity = {.kind = ENTITY_DATE};
    entity.date = (struct entity_date){.date = date->id,
                                       .concert = date->concert,
                                       .starts_at = date->starts_at,
                                       .state = (uint8_t)date->state,
                                       .seed = date->seats.seed,
                                       .payments = date->payment_count,
                                       .reservations = date->reservations.sequence_count,
                                       .places = room->last,
                                       .points_sold = date->points_sold,
                                       .interval_began_ms = room->interval_began_ms,
                                       .interval_admitted = room->interval_admitted,
                                       .last_admission_ms = room->last_admission_ms,
                                       .admission_gap_ms_x16 = room->admission_gap_ms_x16,
                                       .policy = date->policy};
    return image_put(sink, &entity);
}

static int save_seats(const struct seat_map *map, const struct image_sink *sink) {
    struct entity entity = {.kind = ENTITY_SEAT};
    int result = 0;
    for (uint32_t number = 1; number <= map->count && result == 0; number++) {
        const struct seat *seat = seat_map_seat(map, number);
        entity.seat = (struct entity_seat){.number = number,
                                           .price = seat->price,
                                           .for_sale = seat->for_sale,
                                           .section = seat_map_text(map, number, SEAT_SECTION),
                                           .row = seat_map_text(map, number, SEAT_ROW),
                                           .seat = seat_map_text(map, number, SEAT_NUMBER),
                                           .guid = seat_map_text(map, number, SEAT_GUID)};
        result = image_put(sink, &entity);
    }
    return result;
}

static int save_reservations(const struct reservations *all, const struct image_sink *sink) {
    struct entity entity = {.kind = ENTITY_RESERVATION};
    const struct reservation *saved = NULL;
    int result = 0;
    while (result == 0 && (saved = reservations_next(all, saved ? saved->sequence : 0)) != NULL) {
        entity.reservation = (struct entity_reservation){.reservation = saved->sequence,
                                                         .place = saved->place,
                                                         .user = saved->user,
                                                         .secret = saved->secret,
                                                         .state = saved->state,
                                                         .token_spent = saved->token_spent,
                                                         .seats = saved->seats,
                                                         .amount = saved->amount,
                                                         .held_at = saved->held_at,
                                                         .expires_at = saved->expires_at,
                                                         .changed_at = saved->changed_at,
                                                         .payment = saved->payment,
                                                         .payment_key = saved->payment_key,
                                                         .cancel_key = saved->cancel_key,
                                                         .balance = saved->balance,
                                                         .payer = saved->payer,
                                                         .kept = saved->kept};
        result = image_put(sink, &entity);
    }
    entity.kind = ENTITY_ENDED;
    uint32_t slot = all->ended_first;
    while (result == 0 && slot != RESERVATION_NO_SLOT) {
        const struct reservation *ended = reservations_at(all, slot);
        entity.ended.reservation = ended->sequence;
        result = image_put(sink, &entity);
        slot = ended->ended_next;
    }
    return result;
}

static int save_waiters(const struct waiting_room *room, const struct image_sink *sink) {
    struct entity entity = {.kind = ENTITY_WAITER};
    int result = 0;
    for (place_t place = 0; result == 0 && (place = room_next(room, place)) != 0;) {
        const struct waiter *waiter = room_find(room, place);
        entity.waiter = (struct entity_waiter){.place = place,
                                               .user = waiter->user,
                                               .secret = waiter->secret,
                                               .state = waiter->state,
                                               .end = waiter->end,
                                               .expires_at = waiter_expires_at(waiter)};
        result = image_put(sink, &entity);
    }
    return result;
}

int image_save_date(const struct partition *partition, const struct image_sink *sink) {
    const struct date *date = (const struct date *)partition;
    int result = save_date(date, sink);
    if (result == 0) result = save_seats(&date->seats, sink);
    if (result == 0) result = save_reservations(&date->reservations, sink);
    if (result == 0) result = save_waiters(&date->room, sink);
    return result;
}

/* --- load ------------------------------------------------------------------------------------- */

/* Deadlines are set at a moment that was decided at, and a policy reaches a year at most; an
 * outage's credit may begin OUTAGE_MS_MIN before that moment. */
static bool deadline_is_possible(const struct partition *partition, uint64_t due_ms) {
    return due_ms <= partition->last_time_ms ||
           due_ms - partition->last_time_ms <= POLICY_YEAR_MS + OUTAGE_MS_MIN;
}

static const char *load_date(struct image_loader *loader, const struct entity_date *saved) {
    const struct catalogue *catalogue = (const struct catalogue *)loader->world->catalogue;
    const struct entity_partition *stated = &loader->stated;
    if (partition_of_date(saved->date) != stated->partition) return "another date's entity";
    const struct concert_date *created = &catalogue->dates[saved->date - 1];
    if (saved->concert != created->concert || saved->starts_at != created->starts_at) {
        return "concert or start are not those of the catalogue";
    }
    if (saved->state < DATE_DRAFT || saved->state > DATE_CANCELLED) {
        return "there is no such state of a date";
    }
    uint64_t made = (uint64_t)saved->places + saved->reservations + saved->payments;
    if (made > stated->decision_count) return "it made more than it decided";
    if (saved->state == DATE_DRAFT && made > 0) return "a draft has sold something";
    if (saved->interval_began_ms > stated->last_time_ms ||
        saved->last_admission_ms > stated->last_time_ms ||
        saved->admission_gap_ms_x16 / 16 > stated->last_time_ms) {
        return "an admission later than the latest decision";
    }
    struct date *date = date_restore(saved, &created->title);
    partition_restore(&date->partition, stated);
    world_adopt(loader->world, &date->partition);
    loader->partition = &date->partition;
    return NULL;
}

static bool is_on_sale(const struct date *date) {
    return date->state == DATE_OPEN || date->state == DATE_CLOSED;
}

/* Seats come before reservations: from here on the number of those for sale is known. */
static void seats_are_loaded(struct date *date) {
    if (is_on_sale(date)) reservations_reserve(&date->reservations, date->seats.for_sale);
}

/* Seats that exist, once each, at their price; nobody else has those of a live reservation (R2). */
static const char *load_reserved_seats(struct date *date, const struct entity_reservation *saved,
                                       bool live) {
    uint64_t amount = 0;
    for (uint32_t i = 0; i < saved->seats.count; i++) {
        uint32_t number = saved->seats.values[i];
        if (number < 1 || number > date->seats.count) return "it names a seat that does not exist";
        const struct seat *seat = seat_map_seat(&date->seats, number);
        if (!seat->for_sale) return "it has a seat that is not for sale";
        for (uint32_t j = 0; j < i; j++) {
            if (saved->seats.values[j] == number) return "it names a seat twice";
        }
        if (live && seat->reservation != 0) return "another live reservation has one of its seats";
        if (live) seat_map_take(&date->seats, number, saved->reservation);
        amount += seat->price;
    }
    return amount == saved->amount ? NULL : "its amount is not the price of its seats";
}

static const char *load_reservation(struct image_loader *loader, struct date *date,
                                    const struct entity_reservation *saved) {
    if (loader->kind != ENTITY_RESERVATION) seats_are_loaded(date);
    if (!image_rises(loader, saved->reservation)) return "reservations are out of order";
    if (saved->place < 1 || saved->place > date->room.last) {
        return "it was made with a token that does not exist";
    }
    if (saved->changed_at > date->partition.last_time_ms ||
        !deadline_is_possible(&date->partition, saved->expires_at)) {
        return "its moments contradict that of the latest decision";
    }
    const char *wrong = reservations_restore_one(&date->reservations, saved);
    if (wrong) return wrong;
    const struct reservation *restored = reservations_find(&date->reservations, saved->reservation);
    return load_reserved_seats(date, saved, reservation_is_live(restored->state));
}

static const char *load_waiter(struct image_loader *loader, struct date *date,
                               const struct entity_waiter *saved) {
    if (!image_rises(loader, saved->place)) return "waiters are out of order";
    if (!deadline_is_possible(&date->partition, saved->expires_at)) {
        return "its deadline is too far from the latest decision";
    }
    return room_restore_waiter(&date->room, saved);
}

const char *image_load_date(struct image_loader *loader, const struct entity *entity) {
    struct date *date = (struct date *)loader->partition;
    if (!date != (entity->kind == ENTITY_DATE)) {
        return date ? "a date comes twice" : "a date begins with its own entity";
    }
    switch (entity->kind) {
    case ENTITY_DATE: return load_date(loader, &entity->date);
    case ENTITY_SEAT: return seat_map_restore(&date->seats, &entity->seat);
    case ENTITY_RESERVATION: return load_reservation(loader, date, &entity->reservation);
    case ENTITY_ENDED:
        return reservations_restore_ended(&date->reservations, entity->ended.reservation);
    default: return load_waiter(loader, date, &entity->waiter);
    }
}

/* A reservation and the token that it was made with, if that is still remembered. */
static const char *check_token(const struct date *date, const struct reservation *reservation) {
    const struct waiter *waiter = room_find(&date->room, reservation->place);
    if (!waiter) return NULL;
    if (!id128_equal(&waiter->user, &reservation->user) ||
        !id128_equal(&waiter->secret, &reservation->secret)) {
        return "a reservation and its token are not of the same user";
    }
    if (waiter->state == TOKEN_WAITING) return "a reservation of somebody who waits";
    if (reservation->token_spent && token_is_live(waiter->state)) {
        return "a token that was spent is still live";
    }
    return NULL;
}

const char *image_end_date(struct image_loader *loader) {
    struct date *date = (struct date *)loader->partition;
    if (!date) return "a date without its own entity";
    const struct reservations *all = &date->reservations;
    if (all->slot_count == 0) seats_are_loaded(date);
    if (is_on_sale(date) && date->seats.count == 0) return "a date on sale without seats";
    const char *wrong = reservations_restored(all, date->payment_count);
    if (!wrong) wrong = room_restored(&date->room);
    uint64_t sold = 0;
    const struct reservation *one = NULL;
    while (!wrong && (one = reservations_next(all, one ? one->sequence : 0)) != NULL) {
        wrong = check_token(date, one);
        if (reservation_is_sold(one->state)) sold += one->amount;
    }
    if (!wrong && sold != date->points_sold) wrong = "points_sold is not the sum of what is sold";
    return wrong;
}
