/* oracle_payment.c - the date's half of payments and refunds; oracle_account.c has the points */
#include "tests/oracle/oracle_parts.h"

/* P4: a key pays one reservation, also one that was refunded less than a day ago. */
static bool key_is_fresh(struct oracle *oracle, const struct oracle_date *date,
                         const struct oracle_reservation *one, const struct id128 *key) {
    uint32_t sequence = oracle_newest(oracle, date, &one->user);
    for (; sequence != 0; sequence = date->reservations[sequence].older) {
        const struct oracle_reservation *other = &date->reservations[sequence];
        if (other == one || !id128_equal(&other->key, key)) continue;
        DEMAND(HALF, "P4", other->state < RESERVATION_HELD || other->state > RESERVATION_REFUNDING,
               "a key pays one reservation");
        DEMAND(HALF, "P4",
               other->state != RESERVATION_REFUNDED ||
                   other->changed_at + KEY_KEPT_MS < oracle->decision->time_ms,
               "a key pays one reservation, also one that was refunded");
    }
    return true;
}

static bool started(struct oracle *oracle, struct oracle_date *date,
                    const struct decision *decision) {
    const struct decision_payment_started *body = &decision->payment_started;
    struct oracle_reservation *one = oracle_reservation(date, body->reservation);
    DEMAND(RECORD, "P1", one && one->state == RESERVATION_HELD, "it is held");
    DEMAND(TIME, "P1", one->expires_at > decision->time_ms, "its time is not over");
    DEMAND(TIME, "P1", oracle_is_backed(date, one, decision->time_ms), "its token has not ended");
    DEMAND(RECORD, "P1", date->state != DATE_CANCELLED, "the date is not cancelled");
    DEMAND(TIME, "O3", !oracle_sales_ended(date, decision->time_ms), "sales have not ended");
    const struct oracle_place *payer = body->payer ? oracle_live_place(date, body->payer) : NULL;
    DEMAND(RECORD, "P1",
           !body->payer || (payer && payer->state == TOKEN_ACTIVE && body->payer != one->place &&
                            id128_equal(&payer->user, &one->user)),
           "another token that pays is active, and the same user's");
    DEMAND(RECORD, "L", body->payment == date->payment_count + 1, "payments are numbered 1, 2, 3");
    if (!key_is_fresh(oracle, date, one, &body->key)) return false;
    struct oracle_payment *payment = APPEND(date->payments, date->payment_count);
    payment->reservation = body->reservation;
    payment->key = body->key;
    one->payment = body->payment;
    one->payer = body->payer;
    one->key = body->key;
    oracle_set_state(oracle, date, body->reservation, RESERVATION_PAYING);
    return true;
}

/* P5: the reservation is in this state because of this payment. */
static bool is_under_way(struct oracle *oracle, const struct oracle_date *date, uint32_t sequence,
                         uint32_t payment, uint8_t state) {
    const struct oracle_reservation *one = oracle_reservation(date, sequence);
    DEMAND(HALF, "P5", one && one->state == state && one->payment == payment && payment != 0,
           state == RESERVATION_PAYING ? "the payment is under way"
           : state == RESERVATION_PAID ? "it is paid"
                                       : "it is being refunded");
    return true;
}

static bool refused(struct oracle *oracle, struct oracle_date *date,
                    const struct decision *decision) {
    const struct decision_payment_refused *body = &decision->payment_refused;
    if (!is_under_way(oracle, date, body->reservation, body->payment, RESERVATION_PAYING)) {
        return false;
    }
    const struct oracle_payment *payment = &date->payments[body->payment];
    DEMAND(HALF, "P2",
           payment->money == ORACLE_MONEY_REFUSED || (oracle->disorder && payment->refused),
           "the account has refused it");
    DEMAND(POINTS, "P2",
           body->balance + body->shortfall == date->reservations[body->reservation].amount,
           "the shortfall is right");
    oracle_set_state(oracle, date, body->reservation, RESERVATION_HELD);
    return true;
}

/* Was this the user's balance at some moment since the points were set aside? */
static bool had_balance(const struct oracle_wallet *wallet, uint64_t since_lsn, uint64_t points) {
    for (uint64_t i = wallet ? wallet->rows : 0; i > 0; i--) {
        if (wallet->balances[i].points == points) return true;
        if (wallet->balances[i].lsn <= since_lsn) return false;
    }
    return false;
}

static bool sold(struct oracle *oracle, struct oracle_date *date, const struct decision *decision) {
    const struct decision_seats_sold *body = &decision->seats_sold;
    if (!is_under_way(oracle, date, body->reservation, body->payment, RESERVATION_PAYING)) {
        return false;
    }
    const struct oracle_reservation *one = &date->reservations[body->reservation];
    struct oracle_payment *payment = &date->payments[body->payment];
    DEMAND(HALF, "P3", payment->money == ORACLE_MONEY_RESERVED, "its points are set aside");
    DEMAND(HALF, "P4", !payment->sold, "a payment sells once");
    DEMAND(RECORD, "R8", date->state != DATE_CANCELLED, "the date is not cancelled");
    DEMAND(POINTS, "P3", body->amount == one->amount, "it costs what was said");
    for (uint32_t i = 0; i < one->seats.count; i++) {
        DEMAND(SEAT, "R2", date->seats[one->seats.values[i]].reservation == body->reservation,
               "who pays has the seats");
    }
    uint32_t payer = one->payer ? one->payer : one->place;
    const struct oracle_place *token = oracle_live_place(date, payer);
    DEMAND(RECORD, "Q10", body->token_expired == (token != NULL),
           "a live token ends with the payment");
    DEMAND(RECORD, "Q10", !token || token->state == TOKEN_ACTIVE, "the token that pays is active");
    DEMAND(RECORD, "P1", body->payer == one->payer, "the token that pays is the one that began");
    DEMAND(POINTS, "P3",
           had_balance(oracle_wallet(oracle, &one->user), payment->reserved_lsn, body->balance),
           "the balance after the payment is one that there was since");
    payment->sold = true;
    payment->balance = body->balance;
    oracle_set_state(oracle, date, body->reservation, RESERVATION_PAID);
    oracle->sold++;
    if (!token) return true;
    oracle_spend(oracle, date, payer);
    oracle_end_token(oracle, date, payer, TOKEN_END_PAID);
    return true;
}

static bool aborted(struct oracle *oracle, struct oracle_date *date,
                    const struct decision *decision) {
    const struct decision_payment_aborted *body = &decision->payment_aborted;
    if (!is_under_way(oracle, date, body->reservation, body->payment, RESERVATION_PAYING)) {
        return false;
    }
    DEMAND(RECORD, "R8", date->state == DATE_CANCELLED, "the date is cancelled");
    oracle_set_state(oracle, date, body->reservation, RESERVATION_CANCELLED);
    return true;
}

static bool refund_started(struct oracle *oracle, struct oracle_date *date,
                           const struct decision *decision) {
    const struct decision_refund_started *body = &decision->refund_started;
    if (!is_under_way(oracle, date, body->reservation, body->payment, RESERVATION_PAID)) {
        return false;
    }
    DEMAND(RECORD, "R8", !id128_is_none(&body->key) || date->state == DATE_CANCELLED,
           "its owner cancels, or the date is cancelled");
    uint64_t until_ms = date->policy.refund_until;
    DEMAND(TIME, "O3",
           date->state == DATE_CANCELLED || until_ms == 0 || decision->time_ms < until_ms,
           "its owner could still cancel it");
    oracle_set_state(oracle, date, body->reservation, RESERVATION_REFUNDING);
    return true;
}

static bool refunded(struct oracle *oracle, struct oracle_date *date,
                     const struct decision *decision) {
    const struct decision_seats_refunded *body = &decision->seats_refunded;
    if (!is_under_way(oracle, date, body->reservation, body->payment, RESERVATION_REFUNDING)) {
        return false;
    }
    DEMAND(HALF, "R8", date->payments[body->payment].money == ORACLE_MONEY_REFUNDED,
           "its points are back");
    oracle_set_state(oracle, date, body->reservation, RESERVATION_REFUNDED);
    oracle->refunds++;
    return true;
}

bool oracle_judge_payment(struct oracle *oracle, struct oracle_date *date,
                          const struct decision *decision) {
    switch (decision->kind) {
    case DECISION_PAYMENT_STARTED: return started(oracle, date, decision);
    case DECISION_PAYMENT_REFUSED: return refused(oracle, date, decision);
    case DECISION_SEATS_SOLD: return sold(oracle, date, decision);
    case DECISION_PAYMENT_ABORTED: return aborted(oracle, date, decision);
    case DECISION_REFUND_STARTED: return refund_started(oracle, date, decision);
    case DECISION_SEATS_REFUNDED: return refunded(oracle, date, decision);
    default: DEMAND(RECORD, "L", false, "a date decides this");
    }
}
