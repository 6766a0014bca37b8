/* date_answer.c - what a date answers: one function for each kind of reply
 *
 * Who decided (date_queue.c, date_seats.c, date_payment.c, date_admin.c) has put the kind of the
 * reply and what it is about into the verdict. Here, after the decisions were applied, the reply
 * gets its values, or points to the state that has them; net/protocol/encode_date.c makes bytes of
 * it. Errors are the same for all partitions: partition_answer().
 */
#include "engine/domain/date/date_rules.h"

/* --- tokens: queue.enter, queue.status, queue.leave ------------------------------------------- */

/* Estimated wait: how many admissions it takes, times how long one took lately; before any was
 * seen, as if every active user stayed for the whole active time. */
static uint64_t estimate_ms(const struct date *date, uint32_t ahead) {
    const struct policy *policy = &date->policy;
    uint64_t turns = (uint64_t)ahead + 1;
    uint64_t by_slots = UINT64_MAX, by_interval = 0;
    if (date->room.admission_gap_ms_x16 != 0) {
        by_slots = turns * date->room.admission_gap_ms_x16 / 16;
    } else if (policy->active_capacity > 0) {
        by_slots = turns * policy->active_ttl_ms / policy->active_capacity;
    } else {
        by_slots = turns * policy->active_ttl_ms;
    }
    if (policy->admit_per_interval > 0) {
        by_interval = turns / policy->admit_per_interval * policy->admit_interval_ms;
    }
    return by_slots > by_interval ? by_slots : by_interval;
}

#define POLL_MS_MIN 200u

/* Poll often enough to be admitted without delay and not to be taken for gone, and no oftener: a
 * million waiters polling every 20 s are 50,000 requests a second. */
static uint64_t next_poll_ms(const struct date *date, uint64_t eta_ms) {
    uint64_t poll_ms = eta_ms / 4, most_ms = date->policy.waiting_timeout_ms / 3;
    if (poll_ms < POLL_MS_MIN) poll_ms = POLL_MS_MIN;
    return poll_ms < most_ms ? poll_ms : most_ms;
}

static void describe_token(const struct date *date, place_t place, uint64_t now_ms,
                           struct reply *reply) {
    const struct waiter *waiter = room_find(&date->room, place);
    REQUIRE(waiter != NULL);
    reply->token.token = (struct token){date->id, place, waiter->secret};
    reply->token.user = waiter->user;
    reply->token.state = waiter->state;
    reply->token.end = waiter->end;
    reply->token.ahead = 0;
    reply->token.eta_ms = reply->token.next_poll_ms = reply->token.expires_at = 0;
    if (waiter_is_over(waiter, now_ms)) {
        reply->token.state = TOKEN_EXPIRED; /* the timer will say so in a moment */
        reply->token.end = TOKEN_END_TIME;
    } else if (waiter->state == TOKEN_ACTIVE) {
        reply->token.expires_at = waiter->expires_at;
        reply->token.next_poll_ms = waiter->expires_at - now_ms;
    } else if (waiter->state == TOKEN_WAITING) {
        reply->token.ahead = room_ahead(&date->room, place);
        reply->token.eta_ms = estimate_ms(date, reply->token.ahead);
        reply->token.next_poll_ms = next_poll_ms(date, reply->token.eta_ms);
        reply->token.expires_at = room_silent_ms(&date->room, waiter,
                                                 date->policy.waiting_timeout_ms);
    }
}

static void answer_token(const struct date *date, const struct command *command, place_t place,
                         uint64_t now_ms, struct reply *reply) {
    if (room_find(&date->room, place)) {
        describe_token(date, place, now_ms, reply);
    } else { /* queue.leave ended it, and it was the last of its chunk */
        memset(&reply->token, 0, sizeof reply->token);
        reply->token.token = command->queue.token;
        reply->token.state = TOKEN_EXPIRED;
        reply->token.end = TOKEN_END_LEFT;
    }
}

/* --- seats, reservations, payments ------------------------------------------------------------ */

/* seats.list, admin.seats_list */
static void answer_seats(const struct date *date, const struct command *command,
                         struct reply *reply) {
    reply->seats.date = date;
    reply->seats.first = command->list.first;
    reply->seats.limit = command->list.limit;
    reply->seats.all = command->list.all;
}

static const struct reservation *reservation_of(const struct date *date,
                                                const struct verdict *verdict) {
    const struct reservation *reservation = reservations_find(&date->reservations,
                                                              verdict->reservation);
    REQUIRE(reservation != NULL);
    return reservation;
}

/* seats.hold, seats.release, reservation.cancel */
static void answer_reservation(const struct date *date, const struct verdict *verdict,
                               struct reply *reply) {
    reply->reservation.date = date;
    reply->reservation.reservation = reservation_of(date, verdict);
}

/* payment.pay */
static void answer_payment(const struct date *date, const struct verdict *verdict,
                           struct reply *reply) {
    reply->payment.date = date;
    reply->payment.reservation = reservation_of(date, verdict);
    reply->payment.balance = verdict->balance;
}

/* --- what organisers ask ---------------------------------------------------------------------- */

/* admin.seats_add */
static void answer_seats_added(const struct date *date, struct reply *reply) {
    reply->seats_added.seats = date->seats.count;
    reply->seats_added.next = date->seats.count + 1;
}

/* admin.date_policy, admin.date_open, admin.date_close, admin.date_cancel */
static void answer_date(const struct date *date, struct reply *reply) { reply->date.date = date; }

void date_answer(const struct partition *partition, const struct command *command,
                 const struct verdict *verdict, uint64_t now_ms, struct reply *reply) {
    const struct date *date = (const struct date *)partition;
    switch (reply->kind) {
    case REPLY_TOKEN: answer_token(date, command, verdict->place, now_ms, reply); break;
    case REPLY_SEATS: answer_seats(date, command, reply); break;
    case REPLY_RESERVATION: answer_reservation(date, verdict, reply); break;
    case REPLY_PAYMENT: answer_payment(date, verdict, reply); break;
    case REPLY_SEATS_ADDED: answer_seats_added(date, reply); break;
    case REPLY_DATE: answer_date(date, reply); break;
    default: REQUIRE_NEVER("a date has no other replies");
    }
}
