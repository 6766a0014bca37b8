/* date_apply.c - how each decision of a date changes its state
 *
 * Shared by live traffic and replay: reads no clock, asks nobody, cannot fail. A decision that does
 * not fit the state breaks an invariant and ends the process (REQUIRE): it means that decide and
 * apply disagree.
 */
#include "engine/domain/date/date_rules.h"

static void free_seats(struct date *date, const struct numbers *seats) {
    for (uint32_t i = 0; i < seats->count; i++) seat_map_free(&date->seats, seats->values[i]);
}

/* Of no use any more after a move to an ended state: the list of ended ones may forget it. */
static const struct reservation *find(const struct date *date, uint32_t sequence) {
    const struct reservation *reservation = reservations_find(&date->reservations, sequence);
    REQUIRE(reservation != NULL);
    return reservation;
}

static void end_unpaid(struct date *date, uint32_t sequence, uint8_t state,
                       const struct id128 *cancel_key, uint64_t now_ms) {
    const struct reservation *reservation = find(date, sequence);
    REQUIRE(reservation_is_unpaid(reservation->state));
    free_seats(date, &reservation->seats);
    reservations_move(
        &date->reservations, sequence,
        &(struct reservation_move){.state = state, .cancel_key = cancel_key, .balance = UINT64_MAX},
        now_ms);
}

static void apply_token_expired(struct date *date, const struct decision_token_expired *body,
                                uint64_t now_ms) {
    room_expire(&date->room, body->place, body->end);
    for (uint32_t i = 0; i < body->released.count; i++) {
        end_unpaid(date, body->released.values[i], RESERVATION_EXPIRED, NULL, now_ms);
    }
}

static void apply_held(struct date *date, const struct decision_seats_held *body, uint64_t now_ms) {
    const struct waiter *waiter = room_find(&date->room, body->place);
    REQUIRE(waiter != NULL && waiter->state == TOKEN_ACTIVE);
    for (uint32_t i = 0; i < body->seats.count; i++) {
        seat_map_take(&date->seats, body->seats.values[i], body->reservation);
    }
    bool swept = date->volatile_sweep == date->reservations.sequence_count;
    (void)reservations_add(&date->reservations, body, &waiter->secret, now_ms);
    /* Nothing is unfinished about it: a finished sweep stays finished. */
    if (swept) date->volatile_sweep = date->reservations.sequence_count;
    if (!body->token_expired) return;
    reservations_spend_token(&date->reservations, &body->user, body->place);
    room_expire(&date->room, body->place, TOKEN_END_RESERVED);
}

static void apply_payment_started(struct date *date, const struct decision_payment_started *body,
                                  uint64_t now_ms) {
    REQUIRE(body->payment == date->payment_count + 1);
    date->payment_count = body->payment;
    reservations_move(&date->reservations, body->reservation,
                      &(struct reservation_move){.state = RESERVATION_PAYING,
                                                 .payment = body->payment,
                                                 .payer = body->payer,
                                                 .payment_key = &body->key,
                                                 .balance = UINT64_MAX},
                      now_ms);
}

static void apply_sold(struct date *date, const struct decision_seats_sold *body, uint64_t now_ms) {
    const struct reservation *reservation = find(date, body->reservation);
    REQUIRE(reservation->payment == body->payment && reservation->amount == body->amount);
    reservations_move(
        &date->reservations, body->reservation,
        &(struct reservation_move){.state = RESERVATION_PAID, .balance = body->balance}, now_ms);
    date->points_sold += body->amount;
    if (!body->token_expired) return;
    place_t place = body->payer ? body->payer : reservation->place;
    reservations_spend_token(&date->reservations, &reservation->user, place);
    room_expire(&date->room, place, TOKEN_END_PAID);
}

static void apply_refunded(struct date *date, const struct decision_seats_refunded *body,
                           uint64_t now_ms) {
    const struct reservation *reservation = find(date, body->reservation);
    uint64_t amount = reservation->amount;
    free_seats(date, &reservation->seats);
    reservations_move(
        &date->reservations, body->reservation,
        &(struct reservation_move){.state = RESERVATION_REFUNDED, .balance = UINT64_MAX}, now_ms);
    REQUIRE(date->points_sold >= amount);
    date->points_sold -= amount;
}

static void move(struct date *date, uint32_t sequence, uint8_t state,
                 const struct id128 *cancel_key, uint64_t now_ms) {
    reservations_move(
        &date->reservations, sequence,
        &(struct reservation_move){.state = state, .cancel_key = cancel_key, .balance = UINT64_MAX},
        now_ms);
}

static void apply_policy(struct date *date, const struct policy *policy, uint64_t now_ms) {
    bool timeout_changed = policy->waiting_timeout_ms != date->policy.waiting_timeout_ms;
    date->policy = *policy;
    date->volatile_sales_over = false; /* it may have a later end now */
    if (timeout_changed && date->room.wheel) {
        room_wheel_reset(&date->room, now_ms, policy->waiting_timeout_ms, false);
    }
}

void date_apply(struct partition *partition, const struct decision *decision) {
    struct date *date = (struct date *)partition;
    uint64_t now_ms = decision->time_ms;
    switch (decision->kind) {
    case DECISION_SEAT_ADDED: seat_map_add(&date->seats, &decision->seat_added); break;
    case DECISION_DATE_OPENED:
        date->state = DATE_OPEN;
        reservations_reserve(&date->reservations, date->seats.for_sale);
        break;
    case DECISION_DATE_CLOSED: date->state = DATE_CLOSED; break;
    case DECISION_DATE_CANCELLED:
        date->state = DATE_CANCELLED;
        date->volatile_sweep = 0; /* give everybody their points back */
        break;
    case DECISION_POLICY_CHANGED:
        apply_policy(date, &decision->policy_changed.policy, now_ms);
        break;
    case DECISION_OUTAGE_CREDITED:
        room_postpone(&date->room, decision->outage_credited.credit_ms);
        reservations_postpone(&date->reservations, decision->outage_credited.credit_ms);
        break;
    case DECISION_QUEUE_ENTERED:
        room_enter(&date->room, decision->queue_entered.place, &decision->queue_entered.user,
                   &decision->queue_entered.secret, now_ms);
        break;
    case DECISION_ADMITTED:
        room_admit(&date->room, &decision->admitted, now_ms, date->policy.admit_interval_ms);
        break;
    case DECISION_TOKEN_EXPIRED: apply_token_expired(date, &decision->token_expired, now_ms); break;
    case DECISION_SEATS_HELD: apply_held(date, &decision->seats_held, now_ms); break;
    case DECISION_HOLD_REFUSED: break; /* for the record */
    case DECISION_RESERVATION_ENDED:
        end_unpaid(date, decision->reservation_ended.reservation, decision->reservation_ended.state,
                   &decision->reservation_ended.key, now_ms);
        break;
    case DECISION_PAYMENT_STARTED:
        apply_payment_started(date, &decision->payment_started, now_ms);
        break;
    case DECISION_PAYMENT_REFUSED:
        reservations_move(
            &date->reservations, decision->payment_refused.reservation,
            &(struct reservation_move){.state = RESERVATION_HELD,
                                       .balance = UINT64_MAX,
                                       .refused = true,
                                       .refused_balance = decision->payment_refused.balance},
            now_ms);
        break;
    case DECISION_SEATS_SOLD: apply_sold(date, &decision->seats_sold, now_ms); break;
    case DECISION_PAYMENT_ABORTED:
        end_unpaid(date, decision->payment_aborted.reservation, RESERVATION_CANCELLED, NULL,
                   now_ms);
        break;
    case DECISION_REFUND_STARTED:
        move(date, decision->refund_started.reservation, RESERVATION_REFUNDING,
             &decision->refund_started.key, now_ms);
        break;
    case DECISION_SEATS_REFUNDED: apply_refunded(date, &decision->seats_refunded, now_ms); break;
    default: REQUIRE_NEVER("a date's decision");
    }
    CHECK_SLOW_AT(date->partition.decision_count, date_is_sound(date));
}
