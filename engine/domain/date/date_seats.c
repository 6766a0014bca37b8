/* date_seats.c - seats: list, hold, release
 *
 * date_hold() is the line that decides who gets a seat.
 */
#include "engine/domain/date/date_rules.h"

void date_list(const struct date *date, const struct command *command, uint64_t now_ms,
               struct verdict *verdict) {
    if (!date_guard_active(date, &command->list.token, now_ms, verdict)) return; /* C5 */
    verdict->reply_kind = REPLY_SEATS;
}

/* A refused hold, with the seat that it failed on where one is known. */
struct hold_refusal {
    enum error error;
    uint32_t seat;
    uint64_t data1, data2;
};

static bool contains(const struct numbers *numbers, uint32_t number) {
    for (uint32_t i = 0; i < numbers->count; i++) {
        if (numbers->values[i] == number) return true;
    }
    return false;
}

/* Which seats, and at what price in all? Return: error NONE if all of them exist and are for
 * sale */
static struct hold_refusal resolve(const struct date *date, const struct command *command,
                                   struct numbers *ret_seats, uint64_t *ret_amount) {
    uint64_t amount = 0;
    REQUIRE(command->hold.count >= 1 && command->hold.count <= SEATS_PER_USER_MAX);
    ret_seats->count = 0;
    for (uint32_t i = 0; i < command->hold.count; i++) {
        uint32_t number;
        int error = seat_map_find(&date->seats, &command->hold.seats[i], &number);
        if (error) return (struct hold_refusal){(enum error)error, 0, i, 0};
        const struct seat *seat = seat_map_seat(&date->seats, number);
        if (!seat->for_sale)
            return (struct hold_refusal){ERROR_SEAT_NOT_FOR_SALE, number, number, 0};
        if (contains(ret_seats, number)) {
            return (struct hold_refusal){ERROR_SEAT_REPEATED, number, number, 0};
        }
        ret_seats->values[ret_seats->count++] = number;
        amount += seat->price;
    }
    if (amount > AMOUNT_MAX) {
        return (struct hold_refusal){ERROR_HOLD_TOO_EXPENSIVE, 0, AMOUNT_MAX, 0};
    }
    *ret_amount = amount;
    return (struct hold_refusal){ERROR_NONE, 0, 0, 0};
}

/* The HELD reservation that has exactly these seats, NULL if there is none. */
static const struct reservation *held_as_one(const struct date *date, const struct numbers *seats,
                                             uint64_t now_ms) {
    uint32_t sequence = seat_map_seat(&date->seats, seats->values[0])->reservation;
    const struct reservation *reservation = sequence
                                                ? reservations_find(&date->reservations, sequence)
                                                : NULL;
    if (!reservation || reservation->state != RESERVATION_HELD ||
        reservation->expires_at <= now_ms || reservation->seats.count != seats->count) {
        return NULL;
    }
    for (uint32_t i = 0; i < seats->count; i++) {
        if (!contains(&reservation->seats, seats->values[i])) return NULL;
    }
    return reservation;
}

/* A hold whose answer was lost, asked again with the token that it has spent (Q10): the same answer
 * instead of TOKEN_EXPIRED, which the verdict has so far. */
static void answer_spent(const struct date *date, const struct command *command, uint64_t now_ms,
                         struct verdict *verdict) {
    struct numbers seats = {0};
    uint64_t amount = 0;
    const struct token *token = &command->hold.token;
    if (verdict->error != ERROR_TOKEN_EXPIRED || resolve(date, command, &seats, &amount).error) {
        return;
    }
    const struct reservation *same = held_as_one(date, &seats, now_ms);
    if (same && same->token_spent && same->place == token->place &&
        id128_equal_secret(&same->secret, &token->secret)) {
        date_answer_with(verdict, same->sequence);
    }
}

/* R4: somebody else's, or the user's own, in another selection? */
static struct hold_refusal taken(const struct date *date, const struct id128 *user,
                                 uint32_t number) {
    uint32_t sequence = seat_map_seat(&date->seats, number)->reservation;
    const struct reservation *owner = reservations_find(&date->reservations, sequence);
    if (owner && id128_equal(&owner->user, user)) {
        return (struct hold_refusal){ERROR_SEAT_YOURS, number, number,
                                     dated_id(date->id, sequence)};
    }
    return (struct hold_refusal){ERROR_SEAT_TAKEN, number, number, 0};
}

/* R2, R5: all of them free, and not too many */
static struct hold_refusal available(const struct date *date, const struct id128 *user,
                                     const struct numbers *seats) {
    for (uint32_t i = 0; i < seats->count; i++) {
        if (seat_map_seat(&date->seats, seats->values[i])->reservation != 0) {
            return taken(date, user, seats->values[i]);
        }
    }
    uint32_t have = reservations_seats_of(&date->reservations, user);
    if (have + seats->count > date->policy.max_seats_per_user) {
        return (struct hold_refusal){ERROR_SEAT_LIMIT, 0, date->policy.max_seats_per_user, have};
    }
    return (struct hold_refusal){ERROR_NONE, 0, 0, 0};
}

void date_hold(const struct date *date, const struct command *command, uint64_t now_ms,
               struct verdict *verdict) {
    const struct waiter *waiter = date_guard_active(date, &command->hold.token, now_ms, verdict);
    if (!waiter) {
        answer_spent(date, command, now_ms, verdict);
        return;
    }
    place_t place = command->hold.token.place;
    struct numbers seats = {0};
    uint64_t amount = 0;
    struct hold_refusal refusal = resolve(date, command, &seats, &amount);
    if (!refusal.error) {
        const struct reservation *same = held_as_one(date, &seats, now_ms);
        if (same && id128_equal(&same->user, &waiter->user)) { /* the same request again */
            date_answer_with(verdict, same->sequence);
            return;
        }
        refusal = available(date, &waiter->user, &seats);
        if (date->state != DATE_OPEN) refusal = (struct hold_refusal){ERROR_DATE_CLOSED, 0, 0, 0};
        if (date_sales_ended(date, now_ms)) { /* O3 */
            refusal = (struct hold_refusal){ERROR_SALES_ENDED, 0, date->policy.sales_end_at, 0};
        }
    }
    if (refusal.error) { /* R4, and analysts want to know */
        verdict_add(verdict, &date->partition, DECISION_HOLD_REFUSED, now_ms)->hold_refused =
            (struct decision_hold_refused){.place = place,
                                           .user = waiter->user,
                                           .error = (uint16_t)refusal.error,
                                           .seat = refusal.seat};
        verdict_error(verdict, refusal.error, refusal.data1, refusal.data2, 0);
        return;
    }

    /* R1. A hold also ends with its user's active time (Q8), unless the token is spent by it. */
    bool spent = date->policy.token_expires_on == TOKEN_EXPIRES_ON_RESERVATION; /* Q10 */
    uint64_t expires_at = now_ms + date->policy.hold_ttl_ms;
    if (!spent && waiter->expires_at < expires_at) expires_at = waiter->expires_at;
    struct decision_seats_held *held =
        &verdict_add(verdict, &date->partition, DECISION_SEATS_HELD, now_ms)->seats_held;
    *held = (struct decision_seats_held){.reservation = date->reservations.sequence_count + 1,
                                         .place = place,
                                         .user = waiter->user,
                                         .seats = seats,
                                         .amount = amount,
                                         .expires_at = expires_at,
                                         .token_expired = spent};
    date_answer_with(verdict, held->reservation);
}

void date_release(const struct date *date, const struct command *command, uint64_t now_ms,
                  struct verdict *verdict) {
    uint64_t id = command->release.reservation;
    const struct reservation *reservation = date_authorise(date, &command->release.token, id,
                                                           now_ms, verdict);
    if (!reservation) return;
    switch (reservation->state) {
    case RESERVATION_HELD: /* R6 */
        verdict_add(verdict, &date->partition, DECISION_RESERVATION_ENDED, now_ms)
            ->reservation_ended = (struct decision_reservation_ended){
            .reservation = reservation->sequence, .state = RESERVATION_RELEASED};
        __attribute__((fallthrough));
    case RESERVATION_RELEASED: /* released twice: same answer */
        date_answer_with(verdict, reservation->sequence);
        break;
    case RESERVATION_PAYING:
    case RESERVATION_REFUNDING: verdict_error(verdict, ERROR_PAYMENT_IN_PROGRESS, id, 0, 0); break;
    case RESERVATION_PAID: verdict_error(verdict, ERROR_RESERVATION_PAID, id, 0, 0); break;
    default: verdict_error(verdict, ERROR_RESERVATION_ENDED, id, 0, 0); break;
    }
}
