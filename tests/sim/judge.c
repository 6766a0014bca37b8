/* judge.c - see judge.h */
#include "tests/sim/judge_parts.h"

#include <stdlib.h>

#include "engine/base/require.h"

struct judge *judge_open(struct sim_run *run, const struct people *people) {
    struct judge *judge = calloc(1, sizeof *judge);
    REQUIRE(judge != NULL);
    judge->run = run;
    judge->people = people;
    judge->reader = wire_reader_open();
    return judge;
}

void judge_close(struct judge *judge) {
    wire_reader_close(judge->reader);
    free(judge);
}

void judge_wrong(struct judge *judge, const char *what, uint64_t told) {
    run_fail(
        judge->run, SIM_CHECK_TOLD,
        "call %u, %s, answered %s: %s (%llu); decided up to LSN %llu when it came, durable up to "
        "%llu when it was answered",
        judge->call->number, command_method(judge->call->kind),
        judge->answer->error ? error_name(judge->answer->error) : "a result", what,
        (unsigned long long)told, (unsigned long long)judge->window.from_lsn,
        (unsigned long long)judge->window.to_lsn);
}

/* Had it this value while the request was in the engine? */
bool judge_had(struct judge *judge, const struct model_history *history, uint64_t value) {
    return model_history_had(history, judge->window.from_lsn, judge->window.to_lsn, value,
                             &judge->told_lsn);
}

/* Was it ever so, up to what is durable now? For what may be older. */
static bool was_ever(struct judge *judge, const struct model_history *history, uint64_t value) {
    return model_history_had(history, 0, judge->window.to_lsn, value, &judge->told_lsn);
}

/* Since when something exists. */
static bool exists(const struct judge *judge, const struct model_history *history) {
    return history->count > 0 && history->changes[0].lsn <= judge->window.to_lsn;
}

const struct oracle_place *judge_place(const struct judge *judge, const struct token *token) {
    const struct oracle_place *place = oracle_place(judge_date(judge, token->date), token->place);
    return place && id128_equal(&place->secret, &token->secret) ? place : NULL;
}

const struct oracle_reservation *judge_reservation(const struct judge *judge, uint64_t id) {
    return oracle_reservation(judge_date(judge, dated_id_date(id)), dated_id_sequence(id));
}

const struct oracle_date *judge_date(const struct judge *judge, uint32_t date) {
    return oracle_date(&judge->model->oracle, date);
}

const struct oracle_wallet *judge_wallet(const struct judge *judge) {
    return oracle_wallet(&judge->model->oracle, &judge->call->user);
}

/* --- results ---------------------------------------------------------------------------------- */

/* An active token whose time is over counts as expired before the timer has said so. */
bool judge_is_over(const struct judge *judge, uint32_t date, uint32_t place) {
    const struct model_history *ends = model_of(judge->model, ORACLE_TOKEN_ENDS, date, place);
    uint64_t now_ms = oracle_place(judge_date(judge, date), place)->expires_at;
    /* As it was when the request came: a credit since then has moved it. */
    uint64_t ends_ms = model_history_at(ends, judge->window.from_lsn, now_ms);
    return ends_ms != 0 && ends_ms <= judge->window.to_ms;
}

/* Who waited before a place at an LSN, or when it was handed out, if that was later. */
static uint32_t ahead_at(const struct judge *judge, uint32_t date, uint32_t place, uint64_t lsn) {
    uint64_t entered = model_of(judge->model, ORACLE_TOKEN_STATE, date, place)->changes[0].lsn;
    uint32_t ahead = 0;
    if (lsn < entered) lsn = entered;
    for (uint32_t i = 1; i < place; i++) {
        uint64_t was = model_history_at(model_of(judge->model, ORACLE_TOKEN_STATE, date, i), lsn,
                                        0);
        ahead += was / 16 == TOKEN_WAITING;
    }
    return ahead;
}

static void token(struct judge *judge) {
    const struct wire_answer *told = judge->answer;
    const struct oracle_place *waiter = judge_place(judge, &told->token);
    if (!waiter || !exists(judge, judge_token_was(judge, ORACLE_TOKEN_STATE, &told->token))) {
        judge_wrong(judge, "no such token is in the durable log; place", told->token.place);
        return;
    }
    const struct model_history *states = judge_token_was(judge, ORACLE_TOKEN_STATE, &told->token);
    if (judge->call->kind == COMMAND_QUEUE_ENTER &&
        !id128_equal(&waiter->user, &judge->call->user)) {
        judge_wrong(judge, "it is somebody else's token; place", told->token.place);
    }
    bool timed_out = told->token_state == TOKEN_EXPIRED && told->token_end == TOKEN_END_TIME &&
                     judge_is_over(judge, told->token.date, told->token.place) &&
                     judge_had(judge, states, ORACLE_TOKEN(TOKEN_ACTIVE, 0));
    if (!timed_out && !judge_had(judge, states, ORACLE_TOKEN(told->token_state, told->token_end))) {
        judge_wrong(judge, "the token was not in this state; state", told->token_state);
    }
    if (told->token_state == TOKEN_ACTIVE &&
        !judge_had(judge, judge_token_was(judge, ORACLE_TOKEN_ENDS, &told->token),
                   told->expires_at)) {
        judge_wrong(judge, "its active time does not end then", told->expires_at);
    }
    if (told->token_state == TOKEN_WAITING) {
        const struct oracle_date *date = judge_date(judge, told->token.date);
        uint32_t place = told->token.place;
        /* Who waits before it only becomes fewer: at least as many as now, at most as many as
         * then. */
        if (oracle_ahead(date, place) > told->ahead)
            judge_wrong(judge, "more are ahead", told->ahead);
        if (ahead_at(judge, date->id, place, judge->window.from_lsn) < told->ahead) {
            judge_wrong(judge, "fewer are ahead", told->ahead);
        }
    }
}

static bool same_seats(const struct numbers *a, const struct numbers *b) {
    if (a->count != b->count) return false;
    return memcmp(a->values, b->values, a->count * sizeof a->values[0]) == 0;
}

static void one_reservation(struct judge *judge, const struct wire_reservation *told) {
    const struct oracle_reservation *one = judge_reservation(judge, told->id);
    if (!one || !exists(judge, judge_reservation_was(judge, ORACLE_RESERVATION_STATE, told->id))) {
        judge_wrong(judge, "no such reservation is in the durable log", told->id);
        return;
    }
    if (!judge_had(judge, judge_reservation_was(judge, ORACLE_RESERVATION_STATE, told->id),
                   told->state)) {
        judge_wrong(judge, "the reservation was not in this state; state", told->state);
    }
    if (!same_seats(&one->seats, &told->seats)) judge_wrong(judge, "it has other seats", told->id);
    if (one->amount != told->amount) judge_wrong(judge, "it costs something else", told->amount);
    if (one->held_at != told->held_at)
        judge_wrong(judge, "it was held at another time", told->held_at);
    if (!judge_had(judge, judge_reservation_was(judge, ORACLE_RESERVATION_ENDS, told->id),
                   told->expires_at)) {
        judge_wrong(judge, "its hold ends at another time", told->expires_at);
    }
    if (told->date != dated_id_date(told->id))
        judge_wrong(judge, "it is of another date", told->date);
}

static void reservation(struct judge *judge) {
    const struct wire_call *call = judge->call;
    const struct wire_reservation *told = &judge->answer->reservation;
    one_reservation(judge, told);
    const struct oracle_reservation *one = judge_reservation(judge, told->id);
    if (one && !id128_equal(&one->user, &call->user)) {
        judge_wrong(judge, "it is somebody else's reservation", told->id);
    }
    if (call->kind != COMMAND_SEATS_HOLD) {
        if (told->id != call->reservation)
            judge_wrong(judge, "it is another reservation", told->id);
        return;
    }
    if (told->state != RESERVATION_HELD) judge_wrong(judge, "a hold is answered so", told->state);
    if (told->seats.count != call->seats.count)
        judge_wrong(judge, "other seats are held", told->id);
    for (uint32_t i = 0; i < call->seats.count; i++) {
        bool found = false;
        for (uint32_t j = 0; j < told->seats.count; j++) {
            found = found || told->seats.values[j] == call->seats.values[i];
        }
        if (!found) judge_wrong(judge, "not held; seat", call->seats.values[i]);
    }
}

static void payment(struct judge *judge) {
    const struct wire_answer *told = judge->answer;
    const struct oracle_reservation *one = judge_reservation(judge, judge->call->reservation);
    if (!one || told->reservation.id != judge->call->reservation) {
        judge_wrong(judge, "it is another reservation", told->reservation.id);
        return;
    }
    const struct model_history *states = judge_reservation_was(judge, ORACLE_RESERVATION_STATE,
                                                               judge->call->reservation);
    bool paid = judge_had(judge, states, RESERVATION_PAID) ||
                judge_had(judge, states, RESERVATION_REFUNDING) ||
                judge_had(judge, states, RESERVATION_REFUNDED);
    if (!paid) judge_wrong(judge, "it was not paid", told->reservation.id);
    if (told->reservation.amount != one->amount) {
        judge_wrong(judge, "it costs something else", told->reservation.amount);
    }
    if (!same_seats(&one->seats, &told->reservation.seats))
        judge_wrong(judge, "other seats", one->place);
    if (dated_id_sequence(told->payment) != one->payment) {
        judge_wrong(judge, "it is another payment", told->payment);
    }
    if (!id128_equal(&one->user, &judge->call->user)) {
        judge_wrong(judge, "somebody else's reservation", told->reservation.id);
    }
    const struct oracle_date *date = judge_date(judge, dated_id_date(told->reservation.id));
    if (one->payment == 0 || date->payments[one->payment].balance != told->balance) {
        judge_wrong(judge, "the balance after the payment was another one", told->balance);
    }
}

static void charge(struct judge *judge) {
    struct id128 key = wire_digest(judge->call->key);
    const struct model_rows *rows = model_rows(judge->model, &judge->call->user);
    for (uint32_t i = 0; rows && i < rows->count; i++) {
        const struct model_row *row = &rows->rows[i];
        if (row->reason != LEDGER_CHARGE || !id128_equal(&row->key, &key)) continue;
        if (row->lsn > judge->window.to_lsn) judge_wrong(judge, "not durable; LSN", row->lsn);
        if (row->balance != judge->answer->balance) {
            judge_wrong(judge, "the balance after the charge was another one",
                        judge->answer->balance);
        }
        if (judge->told_lsn < row->lsn) judge->told_lsn = row->lsn;
        return;
    }
    judge_wrong(judge, "no such charge is in the log; amount", judge->call->amount);
}

static void balance(struct judge *judge) {
    const struct wire_answer *told = judge->answer;
    const struct oracle_wallet *wallet = judge_wallet(judge);
    if (!wallet) {
        if (told->balance != 0 || told->reserved != 0) judge_wrong(judge, "nobody", told->balance);
        return;
    }
    if (!judge_had(judge, model_of(judge->model, ORACLE_BALANCE, 0, wallet->index), told->balance))
        judge_wrong(judge, "the balance", told->balance);
    if (!judge_had(judge, model_of(judge->model, ORACLE_RESERVED, 0, wallet->index),
                   told->reserved))
        judge_wrong(judge, "reserved", told->reserved);
}

/* Rows of a wallet at an LSN. */
static uint32_t rows_at(const struct model_rows *rows, uint64_t lsn) {
    uint32_t count = 0;
    while (rows && count < rows->count && rows->rows[count].lsn <= lsn) count++;
    return count;
}

static void history(struct judge *judge) {
    const struct wire_answer *told = judge->answer;
    const struct model_rows *rows = model_rows(judge->model, &judge->call->user);
    uint32_t least = rows_at(rows, judge->window.from_lsn);
    uint32_t most = rows_at(rows, judge->window.to_lsn);
    uint64_t kept = told->rows_total < WALLET_HISTORY_KEPT ? told->rows_total : WALLET_HISTORY_KEPT;
    if (told->rows_total < least || told->rows_total > most || told->row_count != kept) {
        judge_wrong(judge, "the history has another number of rows", told->rows_total);
        return;
    }
    for (uint32_t i = 0; i < told->row_count; i++) {
        const struct model_row *row = &rows->rows[told->rows_total - kept + i];
        const struct wire_row *shown = &told->rows[i];
        if (shown->reason != row->reason || shown->amount != row->amount ||
            shown->balance != row->balance || shown->time_ms != row->time_ms ||
            shown->payment != row->payment || shown->reservation != row->reservation) {
            judge_wrong(judge, "a row of the history is another one; row", i);
        }
        if (judge->told_lsn < row->lsn) judge->told_lsn = row->lsn;
    }
}

static void seats(struct judge *judge) {
    const struct wire_answer *told = judge->answer;
    const struct oracle_date *date = judge_date(judge, judge->call->token.date);
    uint32_t expected = 1; /* with `all` none is left out */
    for (uint32_t i = 0; i < told->seat_count; i++, expected++) {
        const struct wire_seat *shown = &told->seats[i];
        if (!date || shown->number < 1 || shown->number > date->seat_count) {
            judge_wrong(judge, "no such seat", shown->number);
            return;
        }
        const struct oracle_seat *seat = &date->seats[shown->number];
        bool for_sale = shown->state != WIRE_SEAT_NOT_FOR_SALE;
        if (for_sale != seat->for_sale) judge_wrong(judge, "for sale or not; seat", shown->number);
        if (for_sale &&
            !judge_had(judge, model_of(judge->model, ORACLE_SEAT_STATE, date->id, shown->number),
                       shown->state)) {
            judge_wrong(judge, "the seat was not in this state; seat", shown->number);
        }
        if (shown->price != seat->price) judge_wrong(judge, "another price; seat", shown->number);
        if (judge->call->all && shown->number != expected)
            judge_wrong(judge, "left out; seat", expected);
        if (!judge->call->all && shown->state != ORACLE_SEAT_AVAILABLE) {
            judge_wrong(judge, "not asked for; seat", shown->number);
        }
    }
}

/* Was it this all the time that the request was in the engine? */
bool judge_always(const struct judge *judge, const struct model_history *history, uint64_t value) {
    if (model_history_at(history, judge->window.from_lsn, UINT64_MAX) != value) return false;
    for (uint32_t i = 0; i < history->count; i++) {
        uint64_t lsn = history->changes[i].lsn;
        if (lsn > judge->window.from_lsn) return false; /* up to now, to be sure */
    }
    return true;
}

static void list(struct judge *judge) {
    const struct wire_answer *told = judge->answer;
    for (uint32_t i = 0; i < told->reservation_count; i++) {
        one_reservation(judge, &told->reservations[i]);
        const struct oracle_reservation *one = judge_reservation(judge, told->reservations[i].id);
        if (one && !id128_equal(&one->user, &judge->call->user)) {
            judge_wrong(judge, "somebody else's reservation", told->reservations[i].id);
        }
    }
    if (told->truncated) return;
    /* Every paid one has to be there. */
    for (uint32_t d = 1; d <= judge->model->oracle.date_count; d++) {
        const struct oracle_date *date = judge_date(judge, d);
        if (judge->call->date && judge->call->date != d) continue;
        for (uint32_t i = 1; i <= date->standing_count; i++) {
            const struct oracle_reservation *one = &date->reservations[date->standing[i]];
            const struct model_history *states = model_of(judge->model, ORACLE_RESERVATION_STATE, d,
                                                          date->standing[i]);
            bool found = !id128_equal(&one->user, &judge->call->user) ||
                         !judge_always(judge, states, RESERVATION_PAID);
            for (uint32_t j = 0; j < told->reservation_count && !found; j++) {
                found = told->reservations[j].id == dated_id(d, date->standing[i]);
            }
            if (!found) judge_wrong(judge, "a paid one is missing", dated_id(d, date->standing[i]));
        }
    }
}

static void dates(struct judge *judge) {
    const struct wire_answer *told = judge->answer;
    for (uint32_t i = 0; i < told->date_count; i++) {
        const struct wire_date *row = &told->dates[i];
        const struct oracle_date *date = judge_date(judge, row->id);
        if (!date || !exists(judge, judge_date_was(judge, ORACLE_DATE_STATE, date->id))) {
            judge_wrong(judge, "no such date is in the durable log", row->id);
            return;
        }
        /* Before the date's first round the board has no row. */
        if (row->state &&
            !was_ever(judge, judge_date_was(judge, ORACLE_DATE_STATE, date->id), row->state)) {
            judge_wrong(judge, "the date was never in this state", row->state);
        }
        if (row->seats_available > row->seats_total || row->seats_total > date->seat_count) {
            judge_wrong(judge, "seats", row->seats_total);
        }
    }
}

static void one_date(struct judge *judge) {
    const struct oracle_date *date = judge_date(judge, judge->call->date);
    if (!date || !exists(judge, judge_date_was(judge, ORACLE_DATE_STATE, date->id))) {
        judge_wrong(judge, "no such date is in the durable log", judge->call->date);
    } else if (!judge_had(judge, judge_date_was(judge, ORACLE_DATE_STATE, date->id),
                          judge->answer->date_state)) {
        judge_wrong(judge, "the date was not in this state", judge->answer->date_state);
    }
}

static void created(struct judge *judge) {
    const struct oracle_date *date = judge_date(judge, judge->answer->date);
    bool is_date = judge->call->kind == COMMAND_DATE_CREATE;
    if (judge->answer->concert < 1 || judge->answer->concert > judge->model->oracle.concert_count ||
        (is_date &&
         (!date || !exists(judge, judge_date_was(judge, ORACLE_DATE_STATE, date->id))))) {
        judge_wrong(judge, "it is not in the durable log", judge->answer->date);
    }
}

/* What an organiser was told to have added must be there after a crash, like a fan's seat. */
static void added(struct judge *judge) {
    const struct oracle_date *date = judge_date(judge, judge->call->date);
    uint32_t last = judge->answer->next - 1;
    bool known = date && last >= 1 && last <= date->seat_count;
    const struct model_history *seat =
        known ? model_of(judge->model, ORACLE_SEAT_STATE, date->id, last) : NULL;
    if (!seat || !exists(judge, seat)) {
        judge_wrong(judge, "these seats are not in the durable log", judge->answer->next);
        return;
    }
    uint64_t lsn = seat->changes[0].lsn;
    if (judge->told_lsn < lsn) judge->told_lsn = lsn;
}

static void result(struct judge *judge) {
    switch (judge->call->kind) {
    case COMMAND_QUEUE_ENTER:
    case COMMAND_QUEUE_STATUS:
    case COMMAND_QUEUE_LEAVE: token(judge); break;
    case COMMAND_SEATS_HOLD:
    case COMMAND_SEATS_RELEASE:
    case COMMAND_RESERVATION_CANCEL: reservation(judge); break;
    case COMMAND_PAYMENT_PAY: payment(judge); break;
    case COMMAND_WALLET_CHARGE: charge(judge); break;
    case COMMAND_WALLET_BALANCE: balance(judge); break;
    case COMMAND_WALLET_HISTORY: history(judge); break;
    case COMMAND_SEATS_LIST: seats(judge); break;
    case COMMAND_RESERVATION_LIST: list(judge); break;
    case COMMAND_CATALOGUE_DATES: dates(judge); break;
    case COMMAND_CONCERT_CREATE:
    case COMMAND_DATE_CREATE: created(judge); break;
    case COMMAND_SEATS_ADD: added(judge); break;
    case COMMAND_DATE_POLICY:
    case COMMAND_DATE_OPEN:
    case COMMAND_DATE_CLOSE:
    case COMMAND_DATE_CANCEL: one_date(judge); break;
    default: break; /* counters of now, and lists of titles */
    }
}

/* --- frames ----------------------------------------------------------------------------------- */

static const struct wire_call *find(void *context, uint32_t number) {
    return people_call(((struct judge *)context)->people, number);
}

void judge_reply(struct judge *judge, const struct model *model, const struct judge_window *window,
                 const uint8_t *bytes, uint32_t size, uint64_t *ret_told_lsn) {
    uint32_t used = 0;
    judge->model = model;
    judge->window = *window;
    judge->told_lsn = 0;
    for (uint32_t at = 0; at < size; at += used) {
        judge->answer = wire_answer(judge->reader, bytes + at, size - at, find, judge, &used);
        judge->call = judge->answer ? find(judge, judge->answer->number) : NULL;
        if (!judge->call) {
            run_fail(judge->run, SIM_CHECK_TOLD, "%s at byte %u of a reply",
                     judge->answer ? "an answer to what nobody has asked" : "not a response", at);
            return;
        }
        judge->run->counters.replies++;
        if (judge->answer->error == ERROR_NONE) {
            result(judge);
        } else {
            judge->run->counters.refusals++;
            judge_refusal(judge);
        }
    }
    if (judge->told_lsn > *ret_told_lsn) *ret_told_lsn = judge->told_lsn;
}
