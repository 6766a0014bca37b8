/* oracle_room.c - the waiting room: who may enter, who is admitted, how a token ends */
#include <stdlib.h>
#include <string.h>

#include "engine/base/require.h"
#include "tests/oracle/oracle_parts.h"

/* --- who waits -------------------------------------------------------------------------------- */

uint32_t oracle_first_waiting(struct oracle_date *date) {
    uint32_t first = date->first_waiting ? date->first_waiting : 1;
    while (first <= date->place_count && date->places[first].state != TOKEN_WAITING) first++;
    date->first_waiting = first;
    return first <= date->place_count ? first : 0;
}

bool oracle_sales_ended(const struct oracle_date *date, uint64_t now_ms) {
    return date->policy.sales_end_at != 0 && now_ms >= date->policy.sales_end_at;
}

static bool is_paced(const struct oracle_date *date) {
    return date->policy.admit_per_interval > 0 && date->policy.admit_interval_ms > 0;
}

/* Q9: may one more be admitted, as far as the interval goes? */
bool oracle_interval_has_room(const struct oracle_date *date, uint64_t now_ms) {
    const struct policy *policy = &date->policy;
    if (!is_paced(date)) return true;
    return date->interval_admitted < policy->admit_per_interval ||
           now_ms >= date->interval_began_ms + policy->admit_interval_ms;
}

struct oracle_place *oracle_live_place(const struct oracle_date *date, uint32_t place) {
    bool known = place >= 1 && place <= date->place_count;
    return known && date->places[place].state != TOKEN_EXPIRED ? &date->places[place] : NULL;
}

/* --- records ---------------------------------------------------------------------------------- */

bool oracle_entered(struct oracle *oracle, struct oracle_date *date,
                    const struct decision *decision) {
    const struct decision_queue_entered *body = &decision->queue_entered;
    DEMAND(FIFO, "Q2", body->place == date->place_count + 1, "places are handed out 1, 2, 3");
    DEMAND(RECORD, "Q1", date->state == DATE_OPEN, "the date is open");
    DEMAND(TIME, "Q13", decision->time_ms >= date->policy.sales_open_at, "sales have begun");
    DEMAND(TIME, "O3", !oracle_sales_ended(date, decision->time_ms), "sales have not ended");
    DEMAND(RECORD, "Q3", !id128_is_none(&body->secret), "the token has a secret");
    DEMAND(RECORD, "Q4", *oracle_of_user(&oracle->live_of, &body->user, date->id) == 0,
           "a user has one live token of a date");
    uint64_t *secret = oracle_of_user(&oracle->secrets, &body->secret, date->id);
    DEMAND(RECORD, "Q3", *secret == 0, "no two tokens have the same secret");
    *secret = body->place;
    *oracle_of_user(&oracle->live_of, &body->user, date->id) = body->place;
    struct oracle_place *place = APPEND(date->places, date->place_count);
    *place = (struct oracle_place){.user = body->user,
                                   .secret = body->secret,
                                   .state = TOKEN_WAITING,
                                   .entered_ms = decision->time_ms};
    *APPEND(date->live, date->live_count) = body->place;
    oracle_changed(oracle, ORACLE_TOKEN_STATE, date->id, body->place,
                   ORACLE_TOKEN(TOKEN_WAITING, 0));
    return true;
}

static bool may_be_admitted(struct oracle *oracle, struct oracle_date *date,
                            const struct decision *decision) {
    const struct decision_admitted *body = &decision->admitted;
    uint64_t now_ms = decision->time_ms;
    uint32_t first = oracle_first_waiting(date);
    DEMAND(FIFO, "Q2", first != 0 && first == body->place, "the first who waits is admitted");
    DEMAND(CAPACITY, "Q7", date->active < date->policy.active_capacity, "there is a free slot");
    DEMAND(CAPACITY, "Q9", body->at_once || oracle_interval_has_room(date, now_ms),
           "the interval has room");
    DEMAND(RECORD, "Q9",
           !body->at_once || (date->policy.admit_first_at_once && is_paced(date) &&
                              body->place == date->place_count),
           "who goes in at once has just entered, and an interval would have held him up");
    DEMAND(RECORD, "Q9", date->state == DATE_OPEN, "the date is open");
    DEMAND(TIME, "Q13", now_ms >= date->policy.sales_open_at, "sales have begun");
    DEMAND(TIME, "O3", !oracle_sales_ended(date, now_ms), "sales have not ended");
    DEMAND(TIME, "Q8", body->expires_at == now_ms + date->policy.active_ttl_ms,
           "it is active for the active time");
    return !oracle->ports.admits || oracle->ports.admits(oracle->ports.context, date, body->place);
}

bool oracle_admitted(struct oracle *oracle, struct oracle_date *date,
                     const struct decision *decision) {
    const struct decision_admitted *body = &decision->admitted;
    if (!may_be_admitted(oracle, date, decision)) return false;
    struct oracle_place *place = &date->places[body->place];
    place->state = TOKEN_ACTIVE;
    place->expires_at = body->expires_at;
    place->admitted_ms = decision->time_ms;
    place->ttl_ms = date->policy.active_ttl_ms;
    oracle_changed(oracle, ORACLE_TOKEN_ENDS, date->id, body->place, place->expires_at);
    oracle_changed(oracle, ORACLE_TOKEN_STATE, date->id, body->place,
                   ORACLE_TOKEN(TOKEN_ACTIVE, 0));
    if (++date->active > date->active_most) date->active_most = date->active;
    oracle->admitted++;
    if (body->at_once) return true; /* the interval does not count it */
    uint64_t interval_ms = date->policy.admit_interval_ms;
    if (interval_ms == 0 || decision->time_ms - date->interval_began_ms >= interval_ms) {
        date->interval_began_ms = decision->time_ms;
        date->interval_admitted = 0;
    }
    date->interval_admitted++;
    return true;
}

void oracle_end_token(struct oracle *oracle, struct oracle_date *date, uint32_t place,
                      uint8_t end) {
    struct oracle_place *of = &date->places[place];
    date->active -= of->state == TOKEN_ACTIVE;
    of->state = TOKEN_EXPIRED;
    *oracle_of_user(&oracle->live_of, &of->user, date->id) = 0;
    oracle_changed(oracle, ORACLE_TOKEN_STATE, date->id, place, ORACLE_TOKEN(TOKEN_EXPIRED, end));
    uint32_t i = 1;
    while (date->live[i] != place) i++;
    memmove(&date->live[i], &date->live[i + 1], (date->live_count - i) * sizeof date->live[0]);
    date->live_count--;
}

/* The holds that end with an active token: all of its HELD reservations, and no others (Q8). */
static bool released_with(struct oracle *oracle, struct oracle_date *date,
                          const struct decision *decision) {
    const struct decision_token_expired *body = &decision->token_expired;
    const struct oracle_place *place = &date->places[body->place];
    uint32_t expected = 0;
    uint32_t sequence = place->state == TOKEN_ACTIVE ? oracle_newest(oracle, date, &place->user)
                                                     : 0;
    for (; sequence != 0; sequence = date->reservations[sequence].older) {
        const struct oracle_reservation *one = &date->reservations[sequence];
        expected += one->place == body->place && one->state == RESERVATION_HELD;
    }
    DEMAND(TIME, "Q8", body->released.count == expected,
           "its unpaid holds end with it, all of them");
    for (uint32_t i = 0; i < body->released.count; i++) {
        const struct oracle_reservation *one = oracle_reservation(date, body->released.values[i]);
        DEMAND(SEAT, "P5", one && one->place == body->place && one->state == RESERVATION_HELD,
               "a hold that ends with a token is the token's, and unpaid");
        oracle_set_state(oracle, date, body->released.values[i], RESERVATION_EXPIRED);
    }
    return true;
}

bool oracle_token_expired(struct oracle *oracle, struct oracle_date *date,
                          const struct decision *decision) {
    const struct decision_token_expired *body = &decision->token_expired;
    const struct oracle_ports *ports = &oracle->ports;
    const struct oracle_place *place = oracle_live_place(date, body->place);
    uint64_t now_ms = decision->time_ms;
    DEMAND(RECORD, "Q3", place != NULL, "the token is live");
    bool was_active = place->state == TOKEN_ACTIVE;
    switch (body->end) {
    case TOKEN_END_TIME:
        DEMAND(TIME, "Q8", was_active && now_ms >= place->expires_at, "its active time is over");
        if (ports->ends && !ports->ends(ports->context, date, place->admitted_ms, place->ttl_ms)) {
            return false;
        }
        break;
    case TOKEN_END_SILENT:
        DEMAND(TIME, "Q6", !was_active, "an active user may be silent");
        DEMAND(TIME, "Q6", now_ms >= place->entered_ms + date->policy.waiting_timeout_ms,
               "it was not heard from for the timeout");
        if (ports->drops && !ports->drops(ports->context, date, body->place)) return false;
        break;
    case TOKEN_END_LEFT: break;
    case TOKEN_END_REQUEUED:
        DEMAND(RECORD, "Q4", date->policy.reentry == REENTRY_REQUEUE, "the policy says requeue");
        DEMAND(RECORD, "Q4", date->state == DATE_OPEN, "the date is open");
        break;
    default: DEMAND(RECORD, "Q3", false, "a token ends so");
    }
    if (!released_with(oracle, date, decision)) return false;
    oracle_end_token(oracle, date, body->place, body->end);
    return true;
}

/* --- outages ---------------------------------------------------------------------------------- */

static uint32_t postpone_all(struct oracle *oracle, struct oracle_date *date, uint64_t credit_ms) {
    uint32_t moved = 0;
    for (uint32_t i = 1; i <= date->live_count; i++) {
        struct oracle_place *place = &date->places[date->live[i]];
        if (place->state != TOKEN_ACTIVE) continue;
        place->expires_at += credit_ms;
        oracle_changed(oracle, ORACLE_TOKEN_ENDS, date->id, date->live[i], place->expires_at);
        moved++;
    }
    for (uint32_t i = 1; i <= date->standing_count; i++) {
        struct oracle_reservation *one = &date->reservations[date->standing[i]];
        if (one->state != RESERVATION_HELD && one->state != RESERVATION_PAYING) continue;
        one->expires_at += credit_ms;
        oracle_changed(oracle, ORACLE_RESERVATION_ENDS, date->id, date->standing[i],
                       one->expires_at);
        moved++;
    }
    return moved;
}

/* X7: every turn and every unpaid hold of the date gets the same. */
bool oracle_credited(struct oracle *oracle, struct oracle_date *date,
                     const struct decision *decision) {
    const struct decision_outage_credited *body = &decision->outage_credited;
    const struct oracle_ports *ports = &oracle->ports;
    DEMAND(RECORD, "X7", body->cause >= OUTAGE_DOWN && body->cause <= OUTAGE_LOG,
           "there is a cause");
    DEMAND(OUTAGE, "X7", body->credit_ms > 0 && body->since + body->credit_ms == decision->time_ms,
           "what is credited is the time until now");
    DEMAND(RECORD, "X7", date->policy.outage_credit == 1, "the policy says so");
    if (ports->credits && !ports->credits(ports->context, date, body)) return false;
    date->credited_ms = decision->time_ms;
    oracle->credited++;
    DEMAND(OUTAGE, "X7", postpone_all(oracle, date, body->credit_ms) > 0,
           "somebody's time was running");
    return true;
}
