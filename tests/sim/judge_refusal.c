/* judge_refusal.c - is a refusal true? An engine that refuses everything breaks no other rule. */
#include "tests/sim/judge_parts.h"

/* A token that this person was given is never one that the engine does not know. */
static void refused_token(struct judge *judge) {
    const struct wire_call *call = judge->call;
    if (call->forged || !call->has_token || call->token.place == 0) return;
    if (judge_place(judge, &call->token)) {
        judge_wrong(judge, "the token is in the log; place", call->token.place);
    } else {
        run_fail(judge->run, SIM_CHECK_LOST,
                 "the token of place %u of date %u was given and is lost", call->token.place,
                 call->token.date);
    }
}

static void refused_as_expired(struct judge *judge) {
    const struct oracle_place *waiter = judge_place(judge, &judge->call->token);
    if (judge->call->forged || !waiter) return;
    const struct token *token = &judge->call->token;
    const struct model_history *states = judge_token_was(judge, ORACLE_TOKEN_STATE, token);
    uint64_t state = model_history_at(states, judge->window.to_lsn, 0) / 16;
    if (state == TOKEN_EXPIRED || judge_is_over(judge, token->date, token->place)) return;
    judge_wrong(judge, "the token is live; place", judge->call->token.place);
}

static void refused_as_taken(struct judge *judge) {
    const struct oracle_date *date = judge_date(judge, judge->call->token.date);
    uint64_t number = judge->answer->error_data[0];
    if (!date || number < 1 || number > date->seat_count) {
        judge_wrong(judge, "no such seat", number);
        return;
    }
    const struct model_history *of = model_of(judge->model, ORACLE_SEAT_STATE, date->id,
                                              (uint32_t)number);
    if (!judge_had(judge, of, ORACLE_SEAT_HELD) && !judge_had(judge, of, ORACLE_SEAT_SOLD)) {
        judge_wrong(judge, "nobody has the seat", number);
    }
}

static void refused_reservation(struct judge *judge) {
    const struct wire_call *call = judge->call;
    const struct oracle_reservation *one = judge_reservation(judge, call->reservation);
    if (call->forged || !one || !id128_equal(&one->user, &call->user)) return;
    if (call->has_token && call->token.date != dated_id_date(call->reservation)) return;
    /* One that ended may be forgotten; one that was refunded, not for a day (P4). */
    bool young = one->changed_at + KEY_KEPT_MS >= judge->window.to_ms;
    const struct model_history *states = judge_reservation_was(judge, ORACLE_RESERVATION_STATE,
                                                               judge->call->reservation);
    bool stands = judge_always(judge, states, RESERVATION_HELD) ||
                  judge_always(judge, states, RESERVATION_PAID) ||
                  (young && judge_always(judge, states, RESERVATION_REFUNDED));
    if (stands) judge_wrong(judge, "it stands", call->reservation);
}

static void refused_for_state(struct judge *judge, uint32_t id, uint8_t state, bool is) {
    const struct oracle_date *date = judge_date(judge, id);
    if (!date) {
        judge_wrong(judge, "no such date", id);
        return;
    }
    const struct model_history *states = judge_date_was(judge, ORACLE_DATE_STATE, id);
    /* Is: it was in this state. Else: it was in any other. */
    bool fits = is ? judge_had(judge, states, state) : !judge_always(judge, states, state);
    if (!fits) judge_wrong(judge, "the date's state is another one", id);
}

/* Is this the answer to a click before it? */
static bool was_refused_with(const struct judge *judge, uint64_t balance) {
    uint64_t id = judge->call->reservation;
    const struct oracle_date *date = judge_date(judge, dated_id_date(id));
    for (uint32_t i = 1; date && i <= date->payment_count; i++) {
        const struct oracle_payment *payment = &date->payments[i];
        bool same = payment->reservation == dated_id_sequence(id) && payment->refused;
        if (same && payment->refused_balance == balance) return true;
    }
    return false;
}

static void refused_funds(struct judge *judge) {
    const struct oracle_wallet *wallet = judge_wallet(judge);
    const uint64_t *told = judge->answer->error_data;
    if (told[0] + told[2] != told[1]) judge_wrong(judge, "the shortfall", told[2]);
    if (wallet && !was_refused_with(judge, told[0]) &&
        !judge_had(judge, model_of(judge->model, ORACLE_BALANCE, 0, wallet->index), told[0]))
        judge_wrong(judge, "the balance", told[0]);
}

static void refused_not_yet(struct judge *judge) {
    const struct oracle_date *date = judge_date(judge, judge->call->date);
    uint64_t opens_at = judge->answer->error_data[0];
    if (!date || !judge_had(judge, judge_date_was(judge, ORACLE_SALES_OPEN, date->id), opens_at)) {
        judge_wrong(judge, "sales open at another time", opens_at);
    } else if (opens_at <= judge->window.from_ms) {
        judge_wrong(judge, "sales were open", opens_at);
    }
}

/* Too late, as a policy that there was says? */
static void refused_too_late(struct judge *judge, uint32_t id, bool refund, uint64_t ended_at) {
    const struct oracle_date *date = judge_date(judge, id);
    if (!date || ended_at == 0 ||
        !judge_had(judge,
                   judge_date_was(judge, refund ? ORACLE_REFUND_UNTIL : ORACLE_SALES_END, id),
                   ended_at)) {
        judge_wrong(judge, "it ends at another time", ended_at);
    } else if (ended_at > judge->window.to_ms) {
        judge_wrong(judge, "it has not ended", ended_at);
    }
}

/* A draft is as good as none for who is not an admin (O2). */
static void refused_date(struct judge *judge) {
    const struct oracle_date *date = judge_date(judge, judge->call->date);
    bool admin = command_row(judge->call->kind)->listener == LISTENER_ADMIN;
    if (date && (admin || !judge_had(judge, judge_date_was(judge, ORACLE_DATE_STATE, date->id),
                                     DATE_DRAFT))) {
        judge_wrong(judge, "there is such a date", judge->call->date);
    }
}

/* Own seat in another selection. */
static void refused_as_own(struct judge *judge) {
    const struct oracle_reservation *one = judge_reservation(judge, judge->answer->error_data[1]);
    if (!one || !id128_equal(&one->user, &judge->call->user)) {
        judge_wrong(judge, "it is not this user's reservation", judge->answer->error_data[1]);
    }
}

static void refused_as_refunded(struct judge *judge) {
    const struct oracle_reservation *one = judge_reservation(judge, judge->call->reservation);
    if (!one ||
        !judge_had(judge,
                   judge_reservation_was(judge, ORACLE_RESERVATION_STATE, judge->call->reservation),
                   RESERVATION_REFUNDED)) {
        judge_wrong(judge, "it was not refunded", judge->call->reservation);
    }
}

static void refused_not_your_turn(struct judge *judge) {
    const struct oracle_place *waiter = judge_place(judge, &judge->call->token);
    if (!waiter ||
        !judge_had(judge, judge_token_was(judge, ORACLE_TOKEN_STATE, &judge->call->token),
                   ORACLE_TOKEN(TOKEN_WAITING, 0))) {
        judge_wrong(judge, "it was not waiting; place", judge->call->token.place);
    }
}

static void refused_limit(struct judge *judge) {
    const struct oracle_date *date = judge_date(judge, judge->call->token.date);
    const uint64_t *told = judge->answer->error_data;
    if (!date || !judge_had(judge, judge_date_was(judge, ORACLE_SEATS_MAX, date->id), told[0])) {
        judge_wrong(judge, "the limit is another one", told[0]);
    } else if (told[1] + judge->call->seats.count <= told[0]) {
        judge_wrong(judge, "the limit is not reached", told[1]);
    }
}

static void refused_seat(struct judge *judge) {
    const struct oracle_date *date = judge_date(judge, judge->call->token.date);
    const struct numbers *seats = &judge->call->seats;
    uint64_t number = judge->answer->error_data[0];
    uint32_t times = 0;
    for (uint32_t i = 0; i < seats->count; i++) times += seats->values[i] == number;
    bool exists = date && number >= 1 && number <= date->seat_count;
    switch (judge->answer->error) {
    case ERROR_SEAT_UNKNOWN: /* names its index */
        if (!date || number >= seats->count || seats->values[number] <= date->seat_count) {
            judge_wrong(judge, "the seat exists; index", number);
        }
        break;
    case ERROR_SEAT_REPEATED:
        if (times < 2) judge_wrong(judge, "it is not named twice; seat", number);
        break;
    default:
        if (!exists || times == 0 || date->seats[number].for_sale) {
            judge_wrong(judge, "it is for sale; seat", number);
        }
    }
}

/* Is a payment or refund under way? */
static void refused_in_progress(struct judge *judge) {
    const struct oracle_reservation *one = judge_reservation(judge, judge->call->reservation);
    if (!one) {
        judge_wrong(judge, "there is no such reservation", judge->call->reservation);
        return;
    }
    if (!judge_had(judge,
                   judge_reservation_was(judge, ORACLE_RESERVATION_STATE, judge->call->reservation),
                   RESERVATION_PAYING) &&
        !judge_had(judge,
                   judge_reservation_was(judge, ORACLE_RESERVATION_STATE, judge->call->reservation),
                   RESERVATION_REFUNDING)) {
        judge_wrong(judge, "nothing was under way", judge->call->reservation);
    }
}

static void refused_as_paid(struct judge *judge) {
    const struct oracle_reservation *one = judge_reservation(judge, judge->call->reservation);
    if (!one || (!judge_had(judge,
                            judge_reservation_was(judge, ORACLE_RESERVATION_STATE,
                                                  judge->call->reservation),
                            RESERVATION_PAID) &&
                 !judge_had(judge,
                            judge_reservation_was(judge, ORACLE_RESERVATION_STATE,
                                                  judge->call->reservation),
                            RESERVATION_REFUNDING))) {
        judge_wrong(judge, "it was not paid", judge->call->reservation);
    }
}

static void refused_as_ended(struct judge *judge) {
    const struct oracle_reservation *one = judge_reservation(judge, judge->call->reservation);
    if (!one) {
        judge_wrong(judge, "there is no such reservation", judge->call->reservation);
        return;
    }
    const struct oracle_date *date = judge_date(judge, dated_id_date(judge->call->reservation));
    const struct oracle_place *waiter = oracle_place(date, one->place);
    bool backed = one->spent ||
                  (waiter->state == TOKEN_ACTIVE && !judge_is_over(judge, date->id, one->place));
    const struct model_history *states = judge_reservation_was(judge, ORACLE_RESERVATION_STATE,
                                                               judge->call->reservation);
    const struct model_history *ends = judge_reservation_was(judge, ORACLE_RESERVATION_ENDS,
                                                             judge->call->reservation);
    uint64_t ends_ms = model_history_at(ends, judge->window.from_lsn, one->expires_at);
    bool stands = judge_always(judge, states, RESERVATION_HELD) && backed &&
                  ends_ms > judge->window.to_ms;
    if (stands || judge_always(judge, states, RESERVATION_PAID)) {
        judge_wrong(judge, "it stands", judge->call->reservation);
    }
}

static void refused_key(struct judge *judge) {
    const struct wire_call *call = judge->call;
    struct id128 key = wire_digest(call->key);
    const struct model_rows *rows = model_rows(judge->model, &call->user);
    bool used = false;
    if (call->kind == COMMAND_WALLET_CHARGE) {
        for (uint32_t i = 0; rows && i < rows->count; i++) {
            used = used ||
                   (id128_equal(&rows->rows[i].key, &key) && rows->rows[i].amount != call->amount);
        }
    } else {
        const struct oracle_date *date = judge_date(judge, dated_id_date(call->reservation));
        for (uint32_t i = 1; date && i <= date->reservation_count; i++) {
            const struct oracle_reservation *other = &date->reservations[i];
            bool same_user = id128_equal(&other->user, &call->user);
            used = used || (same_user && i != dated_id_sequence(call->reservation) &&
                            id128_equal(&other->key, &key));
        }
    }
    if (!used) judge_wrong(judge, "the key is fresh", call->key);
}

static void refused_amount(struct judge *judge) {
    const struct oracle_wallet *wallet = judge_wallet(judge);
    uint64_t amount = judge->call->amount, charged = wallet ? wallet->charged : 0;
    bool fits = amount >= 1 && amount <= AMOUNT_MAX && charged + amount <= AMOUNT_MAX;
    if (fits) judge_wrong(judge, "it can be charged", amount);
}

void judge_refusal(struct judge *judge) {
    const struct wire_call *call = judge->call;
    uint32_t date = call->has_token ? call->token.date : call->date;
    if (call->kind == COMMAND_RESERVATION_CANCEL) date = dated_id_date(call->reservation);
    switch (judge->answer->error) {
    case ERROR_TOKEN_INVALID: refused_token(judge); break;
    case ERROR_TOKEN_EXPIRED: refused_as_expired(judge); break;
    case ERROR_SEAT_TAKEN: refused_as_taken(judge); break;
    case ERROR_SEAT_YOURS: refused_as_own(judge); break;
    case ERROR_NO_SUCH_DATE: refused_date(judge); break;
    case ERROR_SALES_ENDED:
        refused_too_late(judge, date, false, judge->answer->error_data[0]);
        break;
    case ERROR_REFUNDS_ENDED:
        refused_too_late(judge, date, true, judge->answer->error_data[1]);
        break;
    case ERROR_ALREADY_REFUNDED: refused_as_refunded(judge); break;
    case ERROR_NO_SUCH_RESERVATION: refused_reservation(judge); break;
    case ERROR_DATE_CANCELLED: refused_for_state(judge, date, DATE_CANCELLED, true); break;
    case ERROR_DATE_CLOSED: refused_for_state(judge, date, DATE_OPEN, false); break;
    case ERROR_INSUFFICIENT_FUNDS: refused_funds(judge); break;
    case ERROR_NOT_ON_SALE_YET: refused_not_yet(judge); break;
    case ERROR_NOT_YOUR_TURN: refused_not_your_turn(judge); break;
    case ERROR_SEAT_LIMIT: refused_limit(judge); break;
    case ERROR_SEAT_UNKNOWN:
    case ERROR_SEAT_REPEATED:
    case ERROR_SEAT_NOT_FOR_SALE: refused_seat(judge); break;
    case ERROR_PAYMENT_IN_PROGRESS: refused_in_progress(judge); break;
    case ERROR_ALREADY_PAID:
    case ERROR_RESERVATION_PAID: refused_as_paid(judge); break;
    case ERROR_RESERVATION_ENDED: refused_as_ended(judge); break;
    case ERROR_KEY_REUSED: refused_key(judge); break;
    case ERROR_AMOUNT_INVALID:
    case ERROR_BALANCE_LIMIT: refused_amount(judge); break;
    case ERROR_DATE_NOT_DRAFT: refused_for_state(judge, call->date, DATE_DRAFT, false); break;
    case ERROR_MALFORMED:
    case ERROR_UNKNOWN_METHOD: judge_wrong(judge, "the frame was well-formed", 0); break;
    case ERROR_BAD_PARAMS:
        if (call->kind != COMMAND_DATE_POLICY) judge_wrong(judge, "the parameters are right", 0);
        break;
    case ERROR_BUSY: judge->run->counters.mailbox_fulls++; break;
    case ERROR_TOKEN_REQUIRED:
    case ERROR_SEATS_OUT_OF_ORDER:
    case ERROR_STOPPING: break;
    default: judge_wrong(judge, "nobody has given a reason for that", judge->answer->error);
    }
}
