/* date_prefetch.c - the memory that a decision or a command will touch, asked for ahead
 * (world_prefetch)
 *
 * First what it names: places, seats, reservations, users' entries in tables. Then, when that has
 * come, what it leads to. Those before it have not changed the state yet: what it names may not be
 * there, or be something else. That costs time and nothing else.
 */
#include "engine/domain/date/date_rules.h"

#include "engine/base/prefetch.h"

static void prefetch_seat(const struct seat_map *map, uint32_t number) {
    if (number <= map->count) prefetch_write(&map->seats[number]);
}

static void prefetch_seats(const struct seat_map *map, const struct numbers *numbers) {
    for (uint32_t i = 0; i < numbers->count; i++) prefetch_seat(map, numbers->values[i]);
}

/* The reservation; then its user's list, its seats and its token. */
static void prefetch_reservation(const struct date *date, uint32_t sequence, enum prefetch step) {
    if (step == PREFETCH_FIRST) {
        reservations_prefetch(&date->reservations, sequence);
        return;
    }
    const struct reservation *reservation = reservations_find(&date->reservations, sequence);
    if (!reservation) return;
    reservations_prefetch_user(&date->reservations, &reservation->user);
    prefetch_seats(&date->seats, &reservation->seats);
    room_prefetch(&date->room, reservation->place);
}

/* The token; then its user's entry. */
static void prefetch_token(const struct date *date, place_t place, enum prefetch step) {
    if (step == PREFETCH_FIRST) {
        room_prefetch(&date->room, place);
        return;
    }
    const struct waiter *waiter = room_find(&date->room, place);
    if (waiter) room_prefetch_user(&date->room, &waiter->user);
}

void date_prefetch(const struct partition *partition, const struct decision *decision,
                   enum prefetch step) {
    const struct date *date = (const struct date *)partition;
    switch (decision->kind) {
    case DECISION_QUEUE_ENTERED:
        if (step == PREFETCH_FIRST) {
            room_prefetch_user(&date->room, &decision->queue_entered.user);
        }
        break;
    case DECISION_ADMITTED: prefetch_token(date, decision->admitted.place, step); break;
    case DECISION_TOKEN_EXPIRED: {
        const struct numbers *released = &decision->token_expired.released;
        prefetch_token(date, decision->token_expired.place, step);
        for (uint32_t i = 0; i < released->count; i++) {
            prefetch_reservation(date, released->values[i], step);
        }
        break;
    }
    case DECISION_SEATS_HELD:
        if (step == PREFETCH_LAST) break;
        prefetch_seats(&date->seats, &decision->seats_held.seats);
        reservations_prefetch_user(&date->reservations, &decision->seats_held.user);
        room_prefetch(&date->room, decision->seats_held.place);
        break;
    case DECISION_RESERVATION_ENDED:
        prefetch_reservation(date, decision->reservation_ended.reservation, step);
        break;
    case DECISION_PAYMENT_STARTED:
        prefetch_reservation(date, decision->payment_started.reservation, step);
        break;
    case DECISION_SEATS_SOLD:
        prefetch_reservation(date, decision->seats_sold.reservation, step);
        break;
    case DECISION_REFUND_STARTED:
        prefetch_reservation(date, decision->refund_started.reservation, step);
        break;
    case DECISION_SEATS_REFUNDED:
        prefetch_reservation(date, decision->seats_refunded.reservation, step);
        break;
    default: break; /* rare */
    }
}

/* Of a hold: its token and the seats that it names by number; then its user's entry among those who
 * hold, and the seats' texts, which the reply shows. */
static void prefetch_hold(const struct date *date, const struct command *command,
                          enum prefetch step) {
    const struct seat_map *map = &date->seats;
    const struct waiter *waiter = room_find(&date->room, command->hold.token.place);
    if (step == PREFETCH_FIRST) {
        room_prefetch(&date->room, command->hold.token.place);
    } else if (waiter) {
        reservations_prefetch_user(&date->reservations, &waiter->user);
    }
    for (uint32_t i = 0; i < command->hold.count; i++) {
        uint32_t number = command->hold.seats[i].number;
        if (command->hold.seats[i].name.bytes || number > map->count) continue;
        if (step == PREFETCH_FIRST) {
            prefetch_seat(map, number);
        } else {
            prefetch_read(map->texts + map->seats[number].text_offset);
        }
    }
}

void date_prefetch_command(const struct partition *partition, const struct command *command,
                           enum prefetch step) {
    const struct date *date = (const struct date *)partition;
    switch (command->kind) {
    case COMMAND_QUEUE_ENTER:
        if (step == PREFETCH_FIRST) room_prefetch_user(&date->room, &command->enter.user);
        break;
    case COMMAND_QUEUE_STATUS:
        if (step == PREFETCH_FIRST) room_prefetch(&date->room, command->queue.token.place);
        break;
    case COMMAND_QUEUE_LEAVE: prefetch_token(date, command->queue.token.place, step); break;
    case COMMAND_SEATS_HOLD: prefetch_hold(date, command, step); break;
    case COMMAND_SEATS_RELEASE:
        if (step == PREFETCH_FIRST) room_prefetch(&date->room, command->release.token.place);
        prefetch_reservation(date, dated_id_sequence(command->release.reservation), step);
        break;
    case COMMAND_PAYMENT_PAY:
        if (step == PREFETCH_FIRST) room_prefetch(&date->room, command->pay.token.place);
        prefetch_reservation(date, dated_id_sequence(command->pay.reservation), step);
        break;
    case COMMAND_RESERVATION_CANCEL:
        prefetch_reservation(date, dated_id_sequence(command->cancel.reservation), step);
        break;
    default: break; /* rare, or long */
    }
}
