/* model.c - what was so when; see model.h */
#include "tests/sim/model.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/require.h"

static void *grow(void *array, uint32_t number, uint32_t *capacity, size_t size) {
    if (number < *capacity) return array;
    uint32_t before = *capacity;
    *capacity = number < 8 ? 8 : number * 2;
    array = realloc(array, *capacity * size);
    REQUIRE(array != NULL);
    memset((uint8_t *)array + before * size, 0, (*capacity - before) * size);
    return array;
}

/* --- histories -------------------------------------------------------------------------------- */

static void note(struct model_history *history, uint64_t lsn, uint64_t value) {
    if (history->count > 0 && history->changes[history->count - 1].value == value) return;
    history->changes = grow(history->changes, history->count, &history->capacity,
                            sizeof *history->changes);
    history->changes[history->count++] = (struct model_change){lsn, value};
}

bool model_history_had(const struct model_history *history, uint64_t from_lsn, uint64_t to_lsn,
                       uint64_t value, uint64_t *ret_lsn) {
    for (uint32_t i = history->count; i-- > 0;) {
        const struct model_change *change = &history->changes[i];
        if (change->lsn <= to_lsn && change->value == value) {
            if (ret_lsn && *ret_lsn < change->lsn) *ret_lsn = change->lsn;
            return true;
        }
        if (change->lsn <= from_lsn) return false; /* this is the value at from_lsn */
    }
    return false;
}

uint64_t model_history_at(const struct model_history *history, uint64_t lsn, uint64_t before) {
    for (uint32_t i = history->count; i-- > 0;) {
        if (history->changes[i].lsn <= lsn) return history->changes[i].value;
    }
    return before;
}

const struct model_history *model_of(const struct model *model, enum oracle_what what,
                                     uint32_t date, uint32_t number) {
    static const struct model_history never = {0};
    REQUIRE(date <= PLAN_DATES_MADE_MAX);
    const struct model_histories *all = &model->dates[date].what[what];
    return number < all->capacity ? &all->of[number] : &never;
}

const struct model_rows *model_rows(const struct model *model, const struct id128 *user) {
    const struct oracle_wallet *wallet = oracle_wallet(&model->oracle, user);
    return wallet ? &model->rows[wallet->index] : NULL;
}

/* --- what the oracle says --------------------------------------------------------------------- */

static void changed(void *context, enum oracle_what what, uint32_t date, uint32_t number,
                    uint64_t value) {
    struct model *model = context;
    REQUIRE(date <= PLAN_DATES_MADE_MAX); /* the organiser makes no more */
    struct model_date *of = &model->dates[date];
    struct model_histories *all = &of->what[what];
    all->of = grow(all->of, number, &all->capacity, sizeof *all->of);
    struct model_history *history = &all->of[number];
    /* Nobody's wallet is empty since ever. */
    if (date == 0 && history->count == 0) note(history, 0, 0);
    note(history, model->oracle.lsn, value);
    if (what != ORACLE_TOKEN_STATE || value != ORACLE_TOKEN(TOKEN_WAITING, 0)) return;
    uint64_t now_ms = model->oracle.decision->time_ms;
    of->signs = grow(of->signs, number, &of->sign_capacity, sizeof *of->signs);
    of->signs[number] = (struct model_signs){now_ms, now_ms};
}

static void complain(void *context, enum oracle_matter matter, const char *rule, const char *text) {
    static const enum sim_check checks[] = {
#define X(NAME, what) [ORACLE_##NAME] = SIM_CHECK_##NAME,
        ORACLE_MATTERS(X)
#undef X
    };
    run_fail(((struct model *)context)->run, checks[matter], "rule %s: %s", rule, text);
}

struct model *model_create(struct sim_run *run) {
    struct model *model = calloc(1, sizeof *model);
    REQUIRE(model != NULL);
    const struct oracle_ports ports = {.context = model,
                                       .complain = complain,
                                       .changed = changed,
                                       .admits = model_admits,
                                       .drops = model_drops,
                                       .ends = model_ends,
                                       .credits = model_credits};
    oracle_init(&model->oracle, &ports);
    model->run = run;
    return model;
}

void model_free(struct model *model) {
    if (!model) return;
    for (uint32_t i = 0; i <= PLAN_DATES_MADE_MAX; i++) {
        struct model_date *date = &model->dates[i];
        for (uint32_t what = 0; what < ORACLE_WHAT_COUNT; what++) {
            struct model_histories *all = &date->what[what];
            for (uint32_t j = 0; j < all->capacity; j++) free(all->of[j].changes);
            free(all->of);
        }
        free(date->signs);
    }
    for (uint32_t i = 0; i <= PLAN_FANS_MAX; i++) free(model->rows[i].rows);
    oracle_deinit(&model->oracle);
    free(model);
}

/* --- signs of life ---------------------------------------------------------------------------- */

void model_heard(struct model *model, uint32_t date, uint32_t place, uint64_t now_ms) {
    const struct oracle_place *of = oracle_place(oracle_date(&model->oracle, date), place);
    if (!of || of->state != TOKEN_WAITING) return; /* or entered in this very drain */
    struct model_signs *signs = &model->dates[date].signs[place];
    signs->heard_ms = now_ms;
    if (signs->asked_ms < now_ms) signs->asked_ms = now_ms;
}

void model_asked(struct model *model, uint32_t date, const struct id128 *user, uint64_t now_ms) {
    const struct oracle_date *of = oracle_date(&model->oracle, date);
    for (uint32_t i = 1; of && i <= of->live_count; i++) {
        uint32_t place = of->live[i];
        if (!id128_equal(&of->places[place].user, user)) continue;
        model->dates[date].signs[place].asked_ms = now_ms;
    }
}

void model_resumed(struct model *model, uint64_t from_ms, uint64_t to_ms) {
    for (uint32_t i = 1; i <= model->oracle.date_count; i++) {
        const struct oracle_date *date = oracle_date(&model->oracle, i);
        for (uint32_t j = 1; j <= date->live_count; j++) {
            model->dates[i].signs[date->live[j]] = (struct model_signs){from_ms, to_ms};
        }
    }
}

/* --- records ---------------------------------------------------------------------------------- */

static void add_row(struct model *model, const struct id128 *user, struct model_row row) {
    const struct oracle_wallet *wallet = oracle_wallet(&model->oracle, user);
    REQUIRE(wallet->index <= PLAN_FANS_MAX); /* there are no more fans */
    struct model_rows *rows = &model->rows[wallet->index];
    row.lsn = model->oracle.lsn;
    row.time_ms = model->oracle.decision->time_ms;
    row.balance = wallet->balance;
    rows->rows = grow(rows->rows, rows->count, &rows->capacity, sizeof *rows->rows);
    rows->rows[rows->count++] = row;
}

/* The wallet's history has a row of each change of its balance. */
static void note_row(struct model *model, const struct decision *decision) {
#define ROW(why, body)                                                                             \
    add_row(model, &(body).user,                                                                   \
            (struct model_row){.reason = (why),                                                    \
                               .amount = (body).amount,                                            \
                               .payment = (body).payment,                                          \
                               .reservation = (body).reservation})
    switch (decision->kind) {
    case DECISION_WALLET_CHARGED:
        add_row(model, &decision->wallet_charged.user,
                (struct model_row){.reason = LEDGER_CHARGE,
                                   .amount = decision->wallet_charged.amount,
                                   .key = decision->wallet_charged.key});
        break;
    case DECISION_FUNDS_RESERVED: ROW(LEDGER_PAYMENT, decision->funds_reserved); break;
    case DECISION_FUNDS_VOIDED: ROW(LEDGER_VOID, decision->funds_voided); break;
    case DECISION_FUNDS_REFUNDED: ROW(LEDGER_REFUND, decision->funds_refunded); break;
    default: break;
    }
#undef ROW
}

static void count(struct sim_counters *counters, const struct decision *decision) {
    switch (decision->kind) {
    case DECISION_DATE_CANCELLED: counters->cancellations++; break;
    case DECISION_POLICY_CHANGED: counters->policies++; break;
    case DECISION_OUTAGE_CREDITED:
        counters->credits++;
        counters->credits_down += decision->outage_credited.cause == OUTAGE_DOWN;
        counters->credits_log += decision->outage_credited.cause == OUTAGE_LOG;
        break;
    case DECISION_QUEUE_ENTERED: counters->entered++; break;
    case DECISION_ADMITTED: counters->admitted++; break;
    case DECISION_TOKEN_EXPIRED:
        counters->holds_expired += decision->token_expired.released.count;
        counters->silent += decision->token_expired.end == TOKEN_END_SILENT;
        counters->requeued += decision->token_expired.end == TOKEN_END_REQUEUED;
        counters->tokens_timed_out += decision->token_expired.end == TOKEN_END_TIME;
        break;
    case DECISION_SEATS_HELD: counters->held++; break;
    case DECISION_HOLD_REFUSED: counters->hold_refused++; break;
    case DECISION_RESERVATION_ENDED:
        counters->holds_expired += decision->reservation_ended.state == RESERVATION_EXPIRED;
        counters->released += decision->reservation_ended.state == RESERVATION_RELEASED;
        break;
    case DECISION_PAYMENT_STARTED: counters->payments++; break;
    case DECISION_PAYMENT_REFUSED: counters->payments_refused++; break;
    case DECISION_SEATS_SOLD: counters->sold++; break;
    case DECISION_PAYMENT_ABORTED: counters->payments_aborted++; break;
    case DECISION_WALLET_CHARGED: counters->charges++; break;
    case DECISION_FUNDS_VOIDED: counters->voided++; break;
    case DECISION_FUNDS_REFUNDED: counters->refunds++; break;
    default: break;
    }
}

bool model_apply(struct model *model, const uint8_t *record, uint32_t size, uint64_t lsn) {
    struct decision decision = {0};
    if (decision_decode(record, size, &decision) != DECISION_DECODE_OK) {
        run_fail(model->run, SIM_CHECK_RECORD, "LSN %llu: the record cannot be decoded",
                 (unsigned long long)lsn);
        return false;
    }
    if (!oracle_judge(&model->oracle, &decision, lsn) || model->run->failed) return false;
    note_row(model, &decision);
    if (!model->counting) return true;
    model->run->counters.decisions++;
    count(&model->run->counters, &decision);
    return true;
}

/* --- what time should have decided, and rest -------------------------------------------------- */

bool model_overdue(struct model *model, uint32_t id, uint64_t now_ms) {
    const struct oracle_date *date = oracle_date(&model->oracle, id);
    if (!oracle_overdue(&model->oracle, date, now_ms)) return false;
    /* The wheel looks at each waiter once per tick, which is 1/256 of the timeout, at least 1
     * ms. */
    uint64_t timeout_ms = date->policy.waiting_timeout_ms, slack_ms = timeout_ms / 256 + 2;
    for (uint32_t i = 1; i <= date->live_count; i++) {
        uint32_t place = date->live[i];
        if (date->places[place].state != TOKEN_WAITING) continue;
        uint64_t asked_ms = model->dates[id].signs[place].asked_ms;
        uint64_t silent_ms = asked_ms + timeout_ms;
        if (silent_ms < date->policy_ms) silent_ms = date->policy_ms; /* the timeout was longer */
        silent_ms += slack_ms + model_unserved_ms(model, date, asked_ms, now_ms);
        if (silent_ms > now_ms) continue;
        oracle_complain(&model->oracle, ORACLE_TIME, "Q6",
                        "date %u, after a round at %llu: silent, and still waiting: place %u", id,
                        (unsigned long long)now_ms, place);
        return false;
    }
    return true;
}

bool model_unfinished(struct model *model) { return !oracle_rest(&model->oracle); }
