/* model_date.c - the reference model's dates: seats, waiting room, reservations, payments */
#include "tests/sim/model.h"

#include "engine/base/require.h"

/* --- the waiting room ------------------------------------------------------------------------- */

/* The first who waits; 0: nobody. */
static uint32_t first_waiting(const struct model_date *date) {
    for (uint32_t i = 0; i < date->live_count; i++) {
        if (date->waiters[date->live[i] - 1].state == TOKEN_WAITING) return date->live[i];
    }
    return 0;
}

/* O3 */
static bool sales_ended(const struct model_date *date, uint64_t now_ms) {
    return date->policy.sales_end_at != 0 && now_ms >= date->policy.sales_end_at;
}

static bool is_paced(const struct model_date *date) {
    return date->policy.admit_per_interval > 0 && date->policy.admit_interval_ms > 0;
}

/* Q9: may one more be admitted, as far as the interval goes? */
static bool interval_has_room(const struct model_date *date, uint64_t now_ms) {
    const struct policy *policy = &date->policy;
    if (!is_paced(date)) return true;
    return date->interval_admitted < policy->admit_per_interval ||
           now_ms >= date->interval_began_ms + policy->admit_interval_ms;
}

static struct model_waiter *live_waiter(const struct model_date *date, uint32_t place) {
    struct model_waiter *waiter = place >= 1 && place <= date->waiter_count
                                      ? &date->waiters[place - 1]
                                      : NULL;
    return waiter && waiter->state != TOKEN_EXPIRED ? waiter : NULL;
}

static bool entered(struct model *model, struct model_date *date, const struct decision *decision) {
    const struct decision_queue_entered *body = &decision->queue_entered;
    MODEL_RULE(FIFO, body->place == date->waiter_count + 1, "places are handed out 1, 2, 3");
    MODEL_RULE(RECORD, date->state == DATE_OPEN, "the date is open");
    MODEL_RULE(TIME, decision->time_ms >= date->policy.sales_open_at, "sales have begun");
    MODEL_RULE(TIME, !sales_ended(date, decision->time_ms), "sales have not ended");
    MODEL_RULE(RECORD, !id128_is_none(&body->secret), "the token has a secret");
    for (uint32_t i = 0; i < date->live_count; i++) {
        MODEL_RULE(RECORD, !id128_equal(&date->waiters[date->live[i] - 1].user, &body->user),
                   "a user has one live token of a date");
    }
    for (uint32_t i = 0; i < date->waiter_count; i++) {
        MODEL_RULE(RECORD, !id128_equal(&date->waiters[i].secret, &body->secret),
                   "no two tokens have the same secret");
    }
    date->waiters = model_grow(date->waiters, date->waiter_count, &date->waiter_capacity,
                               sizeof *date->waiters);
    struct model_waiter *waiter = &date->waiters[date->waiter_count++];
    *waiter = (struct model_waiter){.user = body->user,
                                    .secret = body->secret,
                                    .state = TOKEN_WAITING,
                                    .heard_ms = decision->time_ms,
                                    .asked_ms = decision->time_ms};
    model_note(&waiter->history, model->lsn, MODEL_TOKEN(TOKEN_WAITING, 0));
    REQUIRE(date->live_count < sizeof date->live / sizeof date->live[0]); /* one of each fan */
    date->live[date->live_count++] = body->place;
    return true;
}

static bool admitted(struct model *model, struct model_date *date,
                     const struct decision *decision) {
    const struct decision_admitted *body = &decision->admitted;
    MODEL_RULE(FIFO, first_waiting(date) == body->place, "the first who waits is admitted");
    MODEL_RULE(CAPACITY, date->active < date->policy.active_capacity, "there is a free slot");
    MODEL_RULE(CAPACITY, body->at_once || interval_has_room(date, decision->time_ms),
               "the interval has room");
    MODEL_RULE(RECORD,
               !body->at_once || (date->policy.admit_first_at_once && is_paced(date) &&
                                  body->place == date->waiter_count),
               "who goes in at once has just entered, and an interval would have held him up");
    MODEL_RULE(RECORD, date->state == DATE_OPEN, "the date is open");
    MODEL_RULE(TIME, decision->time_ms >= date->policy.sales_open_at, "sales have begun");
    MODEL_RULE(TIME, !sales_ended(date, decision->time_ms), "sales have not ended");
    MODEL_RULE(TIME, body->expires_at == decision->time_ms + date->policy.active_ttl_ms,
               "it is active for the active time");
    struct model_waiter *waiter = &date->waiters[body->place - 1];
    /* Signs of life are in no log: when it is read again, nobody knows. */
    MODEL_RULE(TIME,
               !model->counting ||
                   waiter->asked_ms + date->policy.waiting_timeout_ms +
                           model_unserved_ms(model, date, waiter->asked_ms, decision->time_ms) >
                       decision->time_ms,
               "who is silent for the timeout is not admitted");
    waiter->state = TOKEN_ACTIVE;
    waiter->expires_at = body->expires_at;
    waiter->admitted_ms = decision->time_ms;
    waiter->ttl_ms = date->policy.active_ttl_ms;
    model_note(&waiter->ends, model->lsn, waiter->expires_at);
    model_note(&waiter->history, model->lsn, MODEL_TOKEN(TOKEN_ACTIVE, 0));
    date->active++;
    if (body->at_once) return true; /* the interval does not count it */
    uint64_t interval_ms = date->policy.admit_interval_ms;
    if (interval_ms == 0 || decision->time_ms - date->interval_began_ms >= interval_ms) {
        date->interval_began_ms = decision->time_ms;
        date->interval_admitted = 0;
    }
    date->interval_admitted++;
    return true;
}

static void end_token(struct model *model, struct model_date *date, uint32_t place, uint8_t end) {
    struct model_waiter *waiter = &date->waiters[place - 1];
    date->active -= waiter->state == TOKEN_ACTIVE;
    waiter->state = TOKEN_EXPIRED;
    model_note(&waiter->history, model->lsn, MODEL_TOKEN(TOKEN_EXPIRED, end));
    uint32_t i = 0;
    while (date->live[i] != place) i++;
    for (date->live_count--; i < date->live_count; i++) date->live[i] = date->live[i + 1];
}

/* --- reservations ----------------------------------------------------------------------------- */

static void set_state(struct model *model, struct model_date *date, uint32_t sequence,
                      uint8_t state, uint64_t now_ms) {
    struct model_reservation *reservation = &date->reservations[sequence - 1];
    reservation->state = state;
    reservation->changed_at = now_ms;
    model_note(&reservation->history, model->lsn, state);
    uint64_t seat_state = reservation_is_unpaid(state) ? MODEL_SEAT_HELD
                          : reservation_is_sold(state) ? MODEL_SEAT_SOLD
                                                       : MODEL_SEAT_AVAILABLE;
    for (uint32_t i = 0; i < reservation->seats.count; i++) {
        struct model_seat *seat = &date->seats[reservation->seats.values[i] - 1];
        seat->reservation = seat_state == MODEL_SEAT_AVAILABLE ? 0 : sequence;
        model_note(&seat->history, model->lsn, seat_state);
    }
    if (seat_state != MODEL_SEAT_AVAILABLE) return;
    uint32_t i = 0;
    while (date->standing[i] != sequence) i++;
    for (date->standing_count--; i < date->standing_count; i++) {
        date->standing[i] = date->standing[i + 1];
    }
}

/* Does a token still stand behind an unpaid reservation? */
static bool is_backed(const struct model_date *date, const struct model_reservation *reservation,
                      uint64_t now_ms) {
    const struct model_waiter *waiter = &date->waiters[reservation->place - 1];
    return reservation->spent || (waiter->state == TOKEN_ACTIVE && waiter->expires_at > now_ms);
}

static void spend(struct model_date *date, uint32_t place) {
    for (uint32_t i = 0; i < date->standing_count; i++) {
        struct model_reservation *reservation = model_reservation(date, date->standing[i]);
        if (reservation->place == place) reservation->spent = true;
    }
}

/* The holds that end with an active token: all of its HELD reservations, and no others. */
static bool released_with(struct model *model, struct model_date *date,
                          const struct decision *decision, bool was_active) {
    const struct decision_token_expired *body = &decision->token_expired;
    uint32_t expected = 0;
    for (uint32_t i = 0; i < date->standing_count && was_active; i++) {
        const struct model_reservation *one = model_reservation(date, date->standing[i]);
        expected += one->place == body->place && one->state == RESERVATION_HELD;
    }
    MODEL_RULE(TIME, body->released.count == expected, "its unpaid holds end with it, all of them");
    for (uint32_t i = 0; i < body->released.count; i++) {
        uint32_t sequence = body->released.values[i];
        const struct model_reservation *one = model_reservation(date, sequence);
        MODEL_RULE(SEAT, one && one->place == body->place && one->state == RESERVATION_HELD,
                   "a hold that ends with a token is the token's, and unpaid");
        set_state(model, date, sequence, RESERVATION_EXPIRED, decision->time_ms);
        if (model->counting) model->run->counters.holds_expired++;
    }
    return true;
}

/* X7: nobody ends early by time in which nobody could be served; seen from outside. */
static bool has_had(struct model *model, const struct model_date *date,
                    const struct decision *decision, uint64_t from_ms, uint64_t ttl_ms) {
    /* What the policy says when an outage is over counts, and that may have changed in between. */
    if (!model->counting || date->credit_off_ms >= from_ms) return true;
    model->run->counters.turns_judged++;
    MODEL_RULE(OUTAGE,
               model_served_ms(model, date, OUTAGES_OWED, from_ms, decision->time_ms) >= ttl_ms,
               "it has had its time, in which it was served");
    return true;
}

/* Q6, X7: who asks again and again, by their own account, is not silent. Not for those with whom
 * the world has interfered, nor where a lost answer alone takes longer than their timeout. */
static bool is_silent(struct model *model, struct model_date *date, const struct decision *decision,
                      const struct model_waiter *waiter) {
    uint64_t timeout_ms = date->policy.waiting_timeout_ms, now_ms = decision->time_ms;
    const struct plan *plan = &model->run->plan;
    MODEL_RULE(TIME, now_ms >= waiter->heard_ms + timeout_ms,
               "it was not heard from for the timeout");
    if (!model->counting) return true;
    MODEL_RULE(OUTAGE,
               model_served_ms(model, date, OUTAGES_SURE, waiter->heard_ms, now_ms) >= timeout_ms,
               "it was not heard from for the timeout, in which it could have been");
    bool hindered = plan->per_million[SIM_FAULT_NET_DROP] > 0 ||
                    plan->per_million[SIM_FAULT_NET_DELAY] > 0 ||
                    plan->per_million[SIM_FAULT_CLIENT_LOSS] > 0;
    if (hindered || timeout_ms < 10000 || now_ms < date->policy_ms + timeout_ms) return true;
    model->run->counters.silent_judged++;
    MODEL_RULE(OUTAGE,
               !model->asks.keeps_asking(model->asks.people, &waiter->user, date->id,
                                         decision->token_expired.place, timeout_ms * 500),
               "it does not say of itself that it kept asking");
    return true;
}

static bool token_expired(struct model *model, struct model_date *date,
                          const struct decision *decision) {
    const struct decision_token_expired *body = &decision->token_expired;
    struct model_waiter *waiter = live_waiter(date, body->place);
    MODEL_RULE(RECORD, waiter != NULL, "the token is live");
    bool was_active = waiter->state == TOKEN_ACTIVE;
    uint64_t now_ms = decision->time_ms;
    switch (body->end) {
    case TOKEN_END_TIME:
        MODEL_RULE(TIME, was_active && now_ms >= waiter->expires_at, "its active time is over");
        if (!has_had(model, date, decision, waiter->admitted_ms, waiter->ttl_ms)) return false;
        break;
    case TOKEN_END_SILENT:
        MODEL_RULE(TIME, !was_active, "an active user may be silent");
        if (!is_silent(model, date, decision, waiter)) return false;
        break;
    case TOKEN_END_LEFT: break;
    case TOKEN_END_REQUEUED:
        MODEL_RULE(RECORD, date->policy.reentry == REENTRY_REQUEUE, "the policy says requeue");
        MODEL_RULE(RECORD, date->state == DATE_OPEN, "the date is open");
        break;
    default: MODEL_RULE(RECORD, false, "a token ends so");
    }
    if (!released_with(model, date, decision, was_active)) return false;
    end_token(model, date, body->place, body->end);
    if (model->counting) {
        model->run->counters.silent += body->end == TOKEN_END_SILENT;
        model->run->counters.requeued += body->end == TOKEN_END_REQUEUED;
        model->run->counters.tokens_timed_out += body->end == TOKEN_END_TIME;
    }
    return true;
}

/* Seats that a user has: held, being paid or paid. */
static uint32_t seats_of(const struct model_date *date, const struct id128 *user) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < date->standing_count; i++) {
        const struct model_reservation *one = model_reservation(date, date->standing[i]);
        if (id128_equal(&one->user, user)) count += one->seats.count;
    }
    return count;
}

static bool held(struct model *model, struct model_date *date, const struct decision *decision) {
    const struct decision_seats_held *body = &decision->seats_held;
    uint64_t now_ms = decision->time_ms, amount = 0;
    const struct model_waiter *waiter = live_waiter(date, body->place);
    MODEL_RULE(RECORD, body->reservation == date->reservation_count + 1, "numbered 1, 2, 3");
    MODEL_RULE(RECORD, date->state == DATE_OPEN, "the date is open");
    MODEL_RULE(TIME, waiter && waiter->state == TOKEN_ACTIVE && waiter->expires_at > now_ms,
               "the token is active");
    MODEL_RULE(RECORD, id128_equal(&waiter->user, &body->user), "it is the token's user");
    MODEL_RULE(RECORD, body->seats.count >= 1, "there is a seat");
    for (uint32_t i = 0; i < body->seats.count; i++) {
        uint32_t number = body->seats.values[i];
        MODEL_RULE(RECORD, number >= 1 && number <= date->seat_count, "the seat exists");
        const struct model_seat *seat = &date->seats[number - 1];
        MODEL_RULE(RECORD, seat->for_sale, "the seat is for sale");
        MODEL_RULE(SEAT, seat->reservation == 0, "nobody has the seat");
        for (uint32_t j = 0; j < i; j++) {
            MODEL_RULE(SEAT, body->seats.values[j] != number, "each seat once");
        }
        amount += seat->price;
    }
    MODEL_RULE(CAPACITY,
               seats_of(date, &body->user) + body->seats.count <= date->policy.max_seats_per_user,
               "no more seats than a user may have");
    MODEL_RULE(POINTS, body->amount == amount, "it costs what the seats cost");
    bool spent = date->policy.token_expires_on == TOKEN_EXPIRES_ON_RESERVATION;
    uint64_t expires_at = now_ms + date->policy.hold_ttl_ms;
    if (!spent && waiter->expires_at < expires_at) expires_at = waiter->expires_at;
    MODEL_RULE(TIME, body->expires_at == expires_at, "it is held for the holding time");
    MODEL_RULE(RECORD, body->token_expired == spent, "the policy says whether the token ends");

    date->reservations = model_grow(date->reservations, date->reservation_count,
                                    &date->reservation_capacity, sizeof *date->reservations);
    date->reservations[date->reservation_count++] = (struct model_reservation){
        .user = body->user,
        .place = body->place,
        .seats = body->seats,
        .amount = amount,
        .held_at = now_ms,
        .expires_at = expires_at,
        .ttl_ms = expires_at - now_ms};
    model_note(&date->reservations[date->reservation_count - 1].ends, model->lsn, expires_at);
    REQUIRE(date->standing_count < PLAN_SEATS_MAX); /* each has a seat */
    date->standing[date->standing_count++] = body->reservation;
    set_state(model, date, body->reservation, RESERVATION_HELD, now_ms);
    if (spent) {
        spend(date, body->place);
        end_token(model, date, body->place, TOKEN_END_RESERVED);
    }
    return true;
}

static bool hold_refused(struct model *model, struct model_date *date,
                         const struct decision *decision) {
    const struct decision_hold_refused *body = &decision->hold_refused;
    const struct model_waiter *waiter = live_waiter(date, body->place);
    MODEL_RULE(RECORD, waiter && waiter->state == TOKEN_ACTIVE, "the token is active");
    MODEL_RULE(RECORD, id128_equal(&waiter->user, &body->user), "it is the token's user");
    const struct model_seat *seat = body->seat >= 1 && body->seat <= date->seat_count
                                        ? &date->seats[body->seat - 1]
                                        : NULL;
    switch (body->error) {
    case ERROR_SEAT_TAKEN:
        MODEL_RULE(SEAT, seat && seat->reservation != 0, "somebody has the seat");
        break;
    case ERROR_SEAT_YOURS: {
        const struct model_reservation *own = seat ? model_reservation(date, seat->reservation)
                                                   : NULL;
        MODEL_RULE(SEAT, own && id128_equal(&own->user, &body->user), "the user has the seat");
        break;
    }
    case ERROR_SALES_ENDED:
        MODEL_RULE(TIME, sales_ended(date, decision->time_ms), "sales have ended");
        break;
    case ERROR_SEAT_NOT_FOR_SALE:
        MODEL_RULE(RECORD, seat && !seat->for_sale, "the seat is not for sale");
        break;
    case ERROR_SEAT_LIMIT:
        MODEL_RULE(CAPACITY,
                   seats_of(date, &body->user) + SEATS_PER_USER_MAX >
                       date->policy.max_seats_per_user,
                   "the user may have had too many");
        break;
    case ERROR_DATE_CLOSED:
        MODEL_RULE(RECORD, date->state != DATE_OPEN, "the date is not open");
        break;
    case ERROR_SEAT_UNKNOWN:
    case ERROR_SEAT_AMBIGUOUS:
    case ERROR_SEAT_REPEATED: break;
    default: MODEL_RULE(RECORD, false, "a hold is refused so");
    }
    return true;
}

static bool reservation_ended(struct model *model, struct model_date *date,
                              const struct decision *decision) {
    const struct decision_reservation_ended *body = &decision->reservation_ended;
    const struct model_reservation *one = model_reservation(date, body->reservation);
    MODEL_RULE(RECORD, one && one->state == RESERVATION_HELD, "it is held");
    switch (body->state) {
    case RESERVATION_EXPIRED:
        MODEL_RULE(TIME,
                   decision->time_ms >= one->expires_at || !is_backed(date, one, decision->time_ms),
                   "its time is over, or its token has ended");
        if (is_backed(date, one, decision->time_ms) &&
            !has_had(model, date, decision, one->held_at, one->ttl_ms)) {
            return false;
        }
        break;
    case RESERVATION_RELEASED: break;
    case RESERVATION_CANCELLED:
        MODEL_RULE(RECORD, date->state == DATE_CANCELLED, "the date is cancelled");
        break;
    default: MODEL_RULE(RECORD, false, "a hold ends so");
    }
    set_state(model, date, body->reservation, body->state, decision->time_ms);
    if (model->counting) {
        model->run->counters.holds_expired += body->state == RESERVATION_EXPIRED;
        model->run->counters.released += body->state == RESERVATION_RELEASED;
    }
    return true;
}

/* --- payments --------------------------------------------------------------------------------- */

static bool payment_started(struct model *model, struct model_date *date,
                            const struct decision *decision) {
    const struct decision_payment_started *body = &decision->payment_started;
    struct model_reservation *one = model_reservation(date, body->reservation);
    MODEL_RULE(RECORD, one && one->state == RESERVATION_HELD, "it is held");
    MODEL_RULE(TIME, one->expires_at > decision->time_ms, "its time is not over");
    MODEL_RULE(TIME, is_backed(date, one, decision->time_ms), "its token has not ended");
    MODEL_RULE(RECORD, date->state != DATE_CANCELLED, "the date is not cancelled");
    MODEL_RULE(TIME, !sales_ended(date, decision->time_ms), "sales have not ended");
    const struct model_waiter *payer = body->payer ? live_waiter(date, body->payer) : NULL;
    MODEL_RULE(RECORD,
               !body->payer || (payer && payer->state == TOKEN_ACTIVE &&
                                body->payer != one->place && id128_equal(&payer->user, &one->user)),
               "another token that pays is active, and the same user's");
    MODEL_RULE(RECORD, body->payment == date->payment_count + 1, "payments are numbered 1, 2, 3");
    for (uint32_t i = 0; i < date->standing_count; i++) {
        const struct model_reservation *other = model_reservation(date, date->standing[i]);
        MODEL_RULE(HALF,
                   other == one || !id128_equal(&other->user, &one->user) ||
                       !id128_equal(&other->key, &body->key),
                   "a key pays one reservation");
    }
    for (uint32_t i = 0; i < date->reservation_count; i++) { /* P4: for a day after a refund */
        const struct model_reservation *other = &date->reservations[i];
        MODEL_RULE(HALF,
                   other->state != RESERVATION_REFUNDED ||
                       other->changed_at + KEY_KEPT_MS < decision->time_ms ||
                       !id128_equal(&other->user, &one->user) ||
                       !id128_equal(&other->key, &body->key),
                   "a key pays one reservation, also one that was refunded");
    }
    date->payments = model_grow(date->payments, date->payment_count, &date->payment_capacity,
                                sizeof *date->payments);
    date->payments[date->payment_count++] = (struct model_payment){
        .reservation = body->reservation};
    one->payment = body->payment;
    one->payer = body->payer;
    one->key = body->key;
    set_state(model, date, body->reservation, RESERVATION_PAYING, decision->time_ms);
    return true;
}

/* The end of a payment's first half: which reservation, and is it under way? */
static struct model_reservation *paying(struct model *model, struct model_date *date,
                                        const struct decision *decision, uint32_t payment,
                                        uint32_t reservation) {
    struct model_reservation *one = model_reservation(date, reservation);
    if (one && one->state == RESERVATION_PAYING && one->payment == payment) return one;
    run_fail(model->run, SIM_CHECK_HALF,
             "LSN %llu, %s: payment %u of reservation %u is not under way",
             (unsigned long long)model->lsn, decision_name(decision->kind), payment, reservation);
    return NULL;
}

static bool payment_refused(struct model *model, struct model_date *date,
                            const struct decision *decision) {
    const struct decision_payment_refused *body = &decision->payment_refused;
    struct model_reservation *one = paying(model, date, decision, body->payment, body->reservation);
    if (!one) return false;
    MODEL_RULE(HALF, date->payments[body->payment - 1].money == MODEL_MONEY_REFUSED,
               "the account has refused it");
    MODEL_RULE(POINTS, body->balance + body->shortfall == one->amount, "the shortfall is right");
    set_state(model, date, body->reservation, RESERVATION_HELD, decision->time_ms);
    return true;
}

static bool seats_sold(struct model *model, struct model_date *date,
                       const struct decision *decision) {
    const struct decision_seats_sold *body = &decision->seats_sold;
    struct model_reservation *one = paying(model, date, decision, body->payment, body->reservation);
    if (!one) return false;
    struct model_payment *payment = &date->payments[body->payment - 1];
    MODEL_RULE(HALF, payment->money == MODEL_MONEY_RESERVED, "its points are reserved");
    MODEL_RULE(RECORD, date->state != DATE_CANCELLED, "the date is not cancelled");
    MODEL_RULE(POINTS, body->amount == one->amount, "it costs what was said");
    uint32_t payer = one->payer ? one->payer : one->place;
    bool live = live_waiter(date, payer) != NULL;
    MODEL_RULE(RECORD, body->token_expired == live, "a live token ends with the payment");
    MODEL_RULE(RECORD, body->payer == one->payer, "the token that pays is the one that began");
    const struct model_user *user = model_user(model, &one->user);
    MODEL_RULE(
        POINTS,
        model_history_had(&user->balances, payment->reserved_lsn, model->lsn, body->balance, NULL),
        "the balance after the payment is one that there was since");
    payment->sold = true;
    payment->balance = body->balance;
    set_state(model, date, body->reservation, RESERVATION_PAID, decision->time_ms);
    if (live) {
        spend(date, payer);
        end_token(model, date, payer, TOKEN_END_PAID);
    }
    return true;
}

static bool payment_aborted(struct model *model, struct model_date *date,
                            const struct decision *decision) {
    const struct decision_payment_aborted *body = &decision->payment_aborted;
    if (!paying(model, date, decision, body->payment, body->reservation)) return false;
    MODEL_RULE(RECORD, date->state == DATE_CANCELLED, "the date is cancelled");
    set_state(model, date, body->reservation, RESERVATION_CANCELLED, decision->time_ms);
    return true;
}

static bool refund_started(struct model *model, struct model_date *date,
                           const struct decision *decision) {
    const struct decision_refund_started *body = &decision->refund_started;
    struct model_reservation *one = model_reservation(date, body->reservation);
    MODEL_RULE(HALF, one && one->state == RESERVATION_PAID && one->payment == body->payment,
               "it is paid");
    MODEL_RULE(RECORD, !id128_is_none(&body->key) || date->state == DATE_CANCELLED,
               "its owner cancels, or the date is cancelled");
    uint64_t until_ms = date->policy.refund_until;
    MODEL_RULE(TIME, date->state == DATE_CANCELLED || until_ms == 0 || decision->time_ms < until_ms,
               "its owner could still cancel it");
    set_state(model, date, body->reservation, RESERVATION_REFUNDING, decision->time_ms);
    return true;
}

static bool seats_refunded(struct model *model, struct model_date *date,
                           const struct decision *decision) {
    const struct decision_seats_refunded *body = &decision->seats_refunded;
    struct model_reservation *one = model_reservation(date, body->reservation);
    MODEL_RULE(HALF, one && one->state == RESERVATION_REFUNDING && one->payment == body->payment,
               "it is being refunded");
    MODEL_RULE(HALF, date->payments[body->payment - 1].money == MODEL_MONEY_REFUNDED,
               "its points are back");
    set_state(model, date, body->reservation, RESERVATION_REFUNDED, decision->time_ms);
    return true;
}

/* --- the organiser ---------------------------------------------------------------------------- */

static bool seat_added(struct model *model, struct model_date *date,
                       const struct decision *decision) {
    const struct decision_seat_added *body = &decision->seat_added;
    MODEL_RULE(RECORD, date->state == DATE_DRAFT, "the date is a draft");
    MODEL_RULE(RECORD, body->number == date->seat_count + 1, "seats are numbered 1, 2, 3");
    REQUIRE(date->seat_count < PLAN_SEATS_MAX); /* the organiser adds no more */
    struct model_seat *seat = &date->seats[date->seat_count++];
    *seat = (struct model_seat){.price = body->price, .for_sale = body->for_sale};
    model_note(&seat->history, model->lsn, MODEL_SEAT_AVAILABLE);
    return true;
}

static bool moved(struct model *model, struct model_date *date, const struct decision *decision) {
    uint8_t to = decision->kind == DECISION_DATE_OPENED   ? DATE_OPEN
                 : decision->kind == DECISION_DATE_CLOSED ? DATE_CLOSED
                                                          : DATE_CANCELLED;
    MODEL_RULE(RECORD, date->state != DATE_CANCELLED && date->state != to, "it can come to that");
    MODEL_RULE(RECORD, to != DATE_OPEN || date->seat_count > 0, "it has seats");
    MODEL_RULE(RECORD, to != DATE_CLOSED || date->state == DATE_OPEN, "it was open");
    date->state = to;
    model_note(&date->history, model->lsn, to);
    return true;
}

void model_note_policy(struct model *model, struct model_date *date) {
    model_note(&date->limits, model->lsn, date->policy.max_seats_per_user);
    model_note(&date->opens, model->lsn, date->policy.sales_open_at);
    model_note(&date->ends, model->lsn, date->policy.sales_end_at);
    model_note(&date->refunds_end, model->lsn, date->policy.refund_until);
}

bool model_date_apply(struct model *model, const struct decision *decision) {
    MODEL_RULE(RECORD, partition_is_date(decision->partition), "a date decides this");
    struct model_date *date = model_date(model, decision->partition - PARTITION_DATE_FIRST);
    struct sim_counters ignored = {0};
    struct sim_counters *counters = model->counting ? &model->run->counters : &ignored;
    switch (decision->kind) {
    case DECISION_SEAT_ADDED: return seat_added(model, date, decision);
    case DECISION_DATE_OPENED:
    case DECISION_DATE_CLOSED: return moved(model, date, decision);
    case DECISION_DATE_CANCELLED: counters->cancellations++; return moved(model, date, decision);
    case DECISION_POLICY_CHANGED:
        counters->policies++;
        if (!date->policy.outage_credit || !decision->policy_changed.policy.outage_credit) {
            date->credit_off_ms = decision->time_ms;
        }
        date->policy = decision->policy_changed.policy;
        date->policy_ms = decision->time_ms;
        model_note_policy(model, date);
        return true;
    case DECISION_OUTAGE_CREDITED:
        counters->credits++;
        counters->credits_down += decision->outage_credited.cause == OUTAGE_DOWN;
        counters->credits_log += decision->outage_credited.cause == OUTAGE_LOG;
        return model_credited(model, date, decision);
    case DECISION_QUEUE_ENTERED: counters->entered++; return entered(model, date, decision);
    case DECISION_ADMITTED: counters->admitted++; return admitted(model, date, decision);
    case DECISION_TOKEN_EXPIRED: return token_expired(model, date, decision);
    case DECISION_SEATS_HELD: counters->held++; return held(model, date, decision);
    case DECISION_HOLD_REFUSED:
        counters->hold_refused++;
        return hold_refused(model, date, decision);
    case DECISION_RESERVATION_ENDED: return reservation_ended(model, date, decision);
    case DECISION_PAYMENT_STARTED:
        counters->payments++;
        return payment_started(model, date, decision);
    case DECISION_PAYMENT_REFUSED:
        counters->payments_refused++;
        return payment_refused(model, date, decision);
    case DECISION_SEATS_SOLD: counters->sold++; return seats_sold(model, date, decision);
    case DECISION_PAYMENT_ABORTED:
        counters->payments_aborted++;
        return payment_aborted(model, date, decision);
    case DECISION_REFUND_STARTED: return refund_started(model, date, decision);
    case DECISION_SEATS_REFUNDED: return seats_refunded(model, date, decision);
    default: MODEL_RULE(RECORD, false, "a date's decision");
    }
}

/* --- what time should have decided ------------------------------------------------------------ */

static bool late(const struct model *model, const struct model_date *date, enum sim_check check,
                 const char *what, uint32_t number, uint64_t now_ms) {
    run_fail(model->run, check, "date %u, after a round at %llu: %s %u", date->id,
             (unsigned long long)now_ms, what, number);
    return false;
}

bool model_overdue(const struct model *model, const struct model_date *date, uint64_t now_ms) {
    const struct policy *policy = &date->policy;
    for (uint32_t i = 0; i < date->standing_count; i++) {
        const struct model_reservation *one = model_reservation(date, date->standing[i]);
        if (one->state == RESERVATION_HELD && one->expires_at <= now_ms) {
            return late(model, date, SIM_CHECK_TIME, "not expired yet: reservation",
                        date->standing[i], now_ms);
        }
        bool unfinished = one->state == RESERVATION_HELD || one->state == RESERVATION_PAID;
        if (unfinished && date->state == DATE_CANCELLED) {
            return late(model, date, SIM_CHECK_TIME,
                        "the date is cancelled, but nothing was done about reservation",
                        date->standing[i], now_ms);
        }
    }
    /* The wheel looks at each waiter once per tick, which is 1/256 of the timeout, at least 1
     * ms. */
    uint64_t slack_ms = policy->waiting_timeout_ms / 256 + 2;
    for (uint32_t i = 0; i < date->live_count; i++) {
        const struct model_waiter *waiter = &date->waiters[date->live[i] - 1];
        if (waiter->state == TOKEN_ACTIVE && waiter->expires_at <= now_ms) {
            return late(model, date, SIM_CHECK_TIME, "still active: place", date->live[i], now_ms);
        }
        uint64_t silent_ms = waiter->asked_ms + policy->waiting_timeout_ms;
        if (silent_ms < date->policy_ms) silent_ms = date->policy_ms; /* the timeout was longer */
        silent_ms += slack_ms + model_unserved_ms(model, date, waiter->asked_ms, now_ms);
        if (waiter->state == TOKEN_WAITING && silent_ms <= now_ms) {
            return late(model, date, SIM_CHECK_TIME, "silent, and still waiting: place",
                        date->live[i], now_ms);
        }
    }
    /* The date's own time may be a moment ahead of the shard's look. */
    uint64_t sale_ms = now_ms > date->last_time_ms ? now_ms : date->last_time_ms;
    bool may_admit = date->state == DATE_OPEN && date->active < policy->active_capacity &&
                     now_ms >= policy->sales_open_at && !sales_ended(date, sale_ms) &&
                     interval_has_room(date, now_ms);
    uint32_t first = first_waiting(date);
    if (may_admit && first) {
        return late(model, date, SIM_CHECK_FIFO, "there is room, but not for place", first, now_ms);
    }
    return true;
}
