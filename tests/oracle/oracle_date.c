/* oracle_date.c - a date: what the organiser does with it, its seats and their reservations */
#include <stdlib.h>
#include <string.h>

#include "engine/base/require.h"
#include "engine/domain/error.h"
#include "tests/oracle/oracle_parts.h"

/* --- reservations ----------------------------------------------------------------------------- */

static uint64_t seat_state_of(uint8_t state) {
    switch (state) {
    case RESERVATION_HELD:
    case RESERVATION_PAYING: return ORACLE_SEAT_HELD;
    case RESERVATION_PAID:
    case RESERVATION_REFUNDING: return ORACLE_SEAT_SOLD;
    default: return ORACLE_SEAT_AVAILABLE;
    }
}

void oracle_set_state(struct oracle *oracle, struct oracle_date *date, uint32_t sequence,
                      uint8_t state) {
    struct oracle_reservation *one = &date->reservations[sequence];
    uint64_t seat_state = seat_state_of(state);
    oracle->paying -= one->state == RESERVATION_PAYING;
    oracle->paying += state == RESERVATION_PAYING;
    one->state = state;
    one->changed_at = oracle->decision->time_ms;
    oracle_changed(oracle, ORACLE_RESERVATION_STATE, date->id, sequence, state);
    for (uint32_t i = 0; i < one->seats.count; i++) {
        struct oracle_seat *seat = &date->seats[one->seats.values[i]];
        REQUIRE(seat->reservation == 0 || seat->reservation == sequence); /* R2, by held() */
        seat->reservation = seat_state == ORACLE_SEAT_AVAILABLE ? 0 : sequence;
        oracle_changed(oracle, ORACLE_SEAT_STATE, date->id, one->seats.values[i], seat_state);
    }
    if (seat_state != ORACLE_SEAT_AVAILABLE) return;
    *oracle_of_user(&oracle->seats_of, &one->user, date->id) -= one->seats.count;
    uint32_t i = 1;
    while (date->standing[i] != sequence) i++;
    memmove(&date->standing[i], &date->standing[i + 1],
            (date->standing_count - i) * sizeof date->standing[0]);
    date->standing_count--;
}

bool oracle_is_backed(const struct oracle_date *date, const struct oracle_reservation *reservation,
                      uint64_t now_ms) {
    const struct oracle_place *place = &date->places[reservation->place];
    return reservation->spent || (place->state == TOKEN_ACTIVE && place->expires_at > now_ms);
}

uint32_t oracle_newest(const struct oracle *oracle, const struct oracle_date *date,
                       const struct id128 *user) {
    struct table_key key = table_key_number(user, date->id);
    const uint64_t *newest = table_find(&oracle->newest_of, &key);
    return newest ? (uint32_t)*newest : 0;
}

void oracle_spend(struct oracle *oracle, struct oracle_date *date, uint32_t place) {
    uint32_t sequence = oracle_newest(oracle, date, &date->places[place].user);
    for (; sequence != 0; sequence = date->reservations[sequence].older) {
        struct oracle_reservation *one = &date->reservations[sequence];
        bool stands = seat_state_of(one->state) != ORACLE_SEAT_AVAILABLE;
        if (stands && one->place == place) one->spent = true;
    }
}

/* R2, R5: the seats of a hold. */
static bool seats_are_free(struct oracle *oracle, const struct oracle_date *date,
                           const struct decision_seats_held *body, uint64_t *ret_amount) {
    uint64_t amount = 0;
    DEMAND(RECORD, "R5", body->seats.count >= 1, "there is a seat");
    for (uint32_t i = 0; i < body->seats.count; i++) {
        uint32_t number = body->seats.values[i];
        DEMAND(RECORD, "R4", number >= 1 && number <= date->seat_count, "the seat exists");
        const struct oracle_seat *seat = &date->seats[number];
        DEMAND(RECORD, "R4", seat->for_sale, "the seat is for sale");
        DEMAND(SEAT, "R2", seat->reservation == 0, "nobody has the seat");
        for (uint32_t j = 0; j < i; j++) {
            DEMAND(SEAT, "R2", body->seats.values[j] != number, "each seat once");
        }
        amount += seat->price;
    }
    *ret_amount = amount;
    return true;
}

static bool held(struct oracle *oracle, struct oracle_date *date, const struct decision *decision) {
    const struct decision_seats_held *body = &decision->seats_held;
    uint64_t now_ms = decision->time_ms, amount = 0;
    const struct oracle_place *place = oracle_live_place(date, body->place);
    DEMAND(RECORD, "L", body->reservation == date->reservation_count + 1, "numbered 1, 2, 3");
    DEMAND(RECORD, "C5", date->state == DATE_OPEN, "the date is open");
    DEMAND(TIME, "C5", place && place->state == TOKEN_ACTIVE && place->expires_at > now_ms,
           "the token is active");
    DEMAND(TIME, "O3", !oracle_sales_ended(date, now_ms), "sales have not ended");
    DEMAND(RECORD, "C5", id128_equal(&place->user, &body->user), "it is the token's user");
    if (!seats_are_free(oracle, date, body, &amount)) return false;
    uint64_t *count = oracle_of_user(&oracle->seats_of, &body->user, date->id);
    DEMAND(CAPACITY, "R5", *count + body->seats.count <= date->policy.max_seats_per_user,
           "no more seats than a user may have");
    DEMAND(POINTS, "R1", body->amount == amount, "it costs what the seats cost");
    bool spent = date->policy.token_expires_on == TOKEN_EXPIRES_ON_RESERVATION;
    uint64_t expires_at = now_ms + date->policy.hold_ttl_ms;
    if (!spent && place->expires_at < expires_at) expires_at = place->expires_at;
    DEMAND(TIME, "R1", body->expires_at == expires_at, "it is held for the holding time");
    DEMAND(RECORD, "Q10", body->token_expired == spent, "the policy says whether the token ends");

    *count += body->seats.count;
    uint64_t *newest = oracle_of_user(&oracle->newest_of, &body->user, date->id);
    struct oracle_reservation *one = APPEND(date->reservations, date->reservation_count);
    *one = (struct oracle_reservation){.user = body->user,
                                       .place = body->place,
                                       .older = (uint32_t)*newest,
                                       .seats = body->seats,
                                       .amount = amount,
                                       .held_at = now_ms,
                                       .expires_at = expires_at,
                                       .ttl_ms = expires_at - now_ms};
    *newest = body->reservation;
    *APPEND(date->standing, date->standing_count) = body->reservation;
    oracle_changed(oracle, ORACLE_RESERVATION_ENDS, date->id, body->reservation, expires_at);
    oracle_set_state(oracle, date, body->reservation, RESERVATION_HELD);
    oracle->held++;
    if (!spent) return true;
    oracle_spend(oracle, date, body->place);
    oracle_end_token(oracle, date, body->place, TOKEN_END_RESERVED);
    return true;
}

static void note_refusal(struct oracle *oracle, struct oracle_date *date,
                         const struct decision *decision) {
    const struct decision_hold_refused *body = &decision->hold_refused;
    uint64_t *chain = oracle_of_user(&oracle->refusals_of, &body->user, date->id);
    struct oracle_refusal *refusal = APPEND(date->refusals, date->refusal_count);
    *refusal = (struct oracle_refusal){
        .time_ms = decision->time_ms, .error = body->error, .seat = body->seat};
    uint32_t first = (uint32_t)(*chain >> 32), last = (uint32_t)*chain;
    if (last != 0) date->refusals[last].next = date->refusal_count;
    *chain = (uint64_t)(first ? first : date->refusal_count) << 32 | date->refusal_count;
}

/* R4: what is refused is refused for a reason that there is. */
static bool hold_refused(struct oracle *oracle, struct oracle_date *date,
                         const struct decision *decision) {
    const struct decision_hold_refused *body = &decision->hold_refused;
    note_refusal(oracle, date, decision);
    const struct oracle_place *place = oracle_live_place(date, body->place);
    DEMAND(RECORD, "R4", place && place->state == TOKEN_ACTIVE, "the token is active");
    DEMAND(RECORD, "R4", id128_equal(&place->user, &body->user), "it is the token's user");
    bool exists = body->seat >= 1 && body->seat <= date->seat_count;
    const struct oracle_seat *seat = exists ? &date->seats[body->seat] : NULL;
    const struct oracle_reservation *of = seat ? oracle_reservation(date, seat->reservation) : NULL;
    bool own = of && id128_equal(&of->user, &body->user);
    switch (body->error) {
    case ERROR_SEAT_TAKEN:
        DEMAND(SEAT, "R4", of != NULL, "somebody has the seat");
        DEMAND(SEAT, "R4", !own, "somebody else has the seat");
        oracle->refused_taken++;
        break;
    case ERROR_SEAT_YOURS:
        DEMAND(SEAT, "R4", own, "the user has the seat");
        oracle->refused_taken++;
        break;
    case ERROR_SALES_ENDED:
        DEMAND(TIME, "O3", oracle_sales_ended(date, decision->time_ms), "sales have ended");
        break;
    case ERROR_SEAT_NOT_FOR_SALE:
        DEMAND(RECORD, "R4", seat && !seat->for_sale, "the seat is not for sale");
        break;
    case ERROR_SEAT_LIMIT:
        DEMAND(CAPACITY, "R4",
               *oracle_of_user(&oracle->seats_of, &body->user, date->id) + SEATS_PER_USER_MAX >
                   date->policy.max_seats_per_user,
               "the user may have had too many");
        break;
    case ERROR_DATE_CLOSED:
        DEMAND(RECORD, "R4", date->state != DATE_OPEN, "the date is not open");
        break;
    case ERROR_SEAT_UNKNOWN:
    case ERROR_SEAT_AMBIGUOUS:
    case ERROR_SEAT_REPEATED: break;
    default: DEMAND(RECORD, "R4", false, "a hold is refused so");
    }
    return true;
}

static bool reservation_ended(struct oracle *oracle, struct oracle_date *date,
                              const struct decision *decision) {
    const struct decision_reservation_ended *body = &decision->reservation_ended;
    const struct oracle_ports *ports = &oracle->ports;
    const struct oracle_reservation *one = oracle_reservation(date, body->reservation);
    DEMAND(RECORD, "P5", one && one->state == RESERVATION_HELD, "it is held");
    bool backed = oracle_is_backed(date, one, decision->time_ms);
    switch (body->state) {
    case RESERVATION_EXPIRED:
        DEMAND(TIME, "R3", decision->time_ms >= one->expires_at || !backed,
               "its time is over, or its token has ended");
        if (backed && ports->ends &&
            !ports->ends(ports->context, date, one->held_at, one->ttl_ms)) {
            return false;
        }
        break;
    case RESERVATION_RELEASED: break;
    case RESERVATION_CANCELLED:
        DEMAND(RECORD, "R8", date->state == DATE_CANCELLED, "the date is cancelled");
        break;
    default: DEMAND(RECORD, "R3", false, "a hold ends so");
    }
    oracle_set_state(oracle, date, body->reservation, body->state);
    return true;
}

/* --- the organiser ---------------------------------------------------------------------------- */

static bool seat_added(struct oracle *oracle, struct oracle_date *date,
                       const struct decision *decision) {
    const struct decision_seat_added *body = &decision->seat_added;
    DEMAND(RECORD, "C1", date->state == DATE_DRAFT, "the date is a draft");
    DEMAND(RECORD, "C3", body->number == date->seat_count + 1, "seats are numbered 1, 2, 3");
    struct oracle_seat *seat = APPEND(date->seats, date->seat_count);
    *seat = (struct oracle_seat){.price = body->price, .for_sale = body->for_sale};
    oracle_changed(oracle, ORACLE_SEAT_STATE, date->id, body->number, ORACLE_SEAT_AVAILABLE);
    return true;
}

static bool moved(struct oracle *oracle, struct oracle_date *date, uint8_t to) {
    DEMAND(RECORD, "C1", date->state != DATE_CANCELLED && date->state != to, "it can come to that");
    DEMAND(RECORD, "C1", to != DATE_OPEN || date->seat_count > 0, "it has seats");
    DEMAND(RECORD, "C1", to != DATE_CLOSED || date->state == DATE_OPEN, "it was open");
    date->state = to;
    oracle_changed(oracle, ORACLE_DATE_STATE, date->id, 0, to);
    return true;
}

static bool policy_changed(struct oracle *oracle, struct oracle_date *date,
                           const struct decision *decision) {
    const struct policy *policy = &decision->policy_changed.policy;
    if (!date->policy.outage_credit || !policy->outage_credit) {
        date->credit_off_ms = decision->time_ms;
    }
    date->policy = *policy;
    date->policy_ms = decision->time_ms;
    oracle_changed(oracle, ORACLE_SEATS_MAX, date->id, 0, policy->max_seats_per_user);
    oracle_changed(oracle, ORACLE_SALES_OPEN, date->id, 0, policy->sales_open_at);
    oracle_changed(oracle, ORACLE_SALES_END, date->id, 0, policy->sales_end_at);
    oracle_changed(oracle, ORACLE_REFUND_UNTIL, date->id, 0, policy->refund_until);
    return true;
}

bool oracle_judge_date(struct oracle *oracle, const struct decision *decision) {
    struct oracle_date *date = oracle->dates[decision->partition - PARTITION_DATE_FIRST];
    switch (decision->kind) {
    case DECISION_SEAT_ADDED: return seat_added(oracle, date, decision);
    case DECISION_DATE_OPENED: return moved(oracle, date, DATE_OPEN);
    case DECISION_DATE_CLOSED: return moved(oracle, date, DATE_CLOSED);
    case DECISION_DATE_CANCELLED: return moved(oracle, date, DATE_CANCELLED);
    case DECISION_POLICY_CHANGED: return policy_changed(oracle, date, decision);
    case DECISION_OUTAGE_CREDITED: return oracle_credited(oracle, date, decision);
    case DECISION_QUEUE_ENTERED: return oracle_entered(oracle, date, decision);
    case DECISION_ADMITTED: return oracle_admitted(oracle, date, decision);
    case DECISION_TOKEN_EXPIRED: return oracle_token_expired(oracle, date, decision);
    case DECISION_SEATS_HELD: return held(oracle, date, decision);
    case DECISION_HOLD_REFUSED: return hold_refused(oracle, date, decision);
    case DECISION_RESERVATION_ENDED: return reservation_ended(oracle, date, decision);
    default: return oracle_judge_payment(oracle, date, decision);
    }
}
