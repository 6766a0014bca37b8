#include "tests/sim/model.h"

#include <stdlib.h>

#include "engine/base/require.h"

struct model *model_create(struct sim_run *run) {
    struct model *model = calloc(1, sizeof *model);
    REQUIRE(model != NULL);
    model->run = run;
    return model;
}

void model_free(struct model *model) {
    if (!model) return;
    for (uint32_t i = 0; i < model->date_count; i++) {
        struct model_date *date = &model->dates[i];
        for (uint32_t j = 0; j < date->seat_count; j++) free(date->seats[j].history.changes);
        for (uint32_t j = 0; j < date->waiter_count; j++) {
            free(date->waiters[j].history.changes);
            free(date->waiters[j].ends.changes);
        }
        for (uint32_t j = 0; j < date->reservation_count; j++) {
            free(date->reservations[j].history.changes);
            free(date->reservations[j].ends.changes);
        }
        free(date->waiters);
        free(date->reservations);
        free(date->payments);
        free(date->history.changes);
        free(date->limits.changes);
        free(date->opens.changes);
        free(date->ends.changes);
        free(date->refunds_end.changes);
    }
    for (uint32_t i = 0; i < model->user_count; i++) {
        free(model->users[i].rows);
        free(model->users[i].balances.changes);
        free(model->users[i].reserves.changes);
    }
    free(model);
}

void *model_grow(void *array, uint32_t count, uint32_t *capacity, uint32_t size) {
    if (count < *capacity) return array;
    *capacity = *capacity ? *capacity * 2 : 4;
    array = realloc(array, (size_t)*capacity * size);
    REQUIRE(array != NULL);
    return array;
}

/* --- histories -------------------------------------------------------------------------------- */

void model_note(struct model_history *history, uint64_t lsn, uint64_t value) {
    if (history->count > 0 && history->changes[history->count - 1].value == value) return;
    history->changes = model_grow(history->changes, history->count, &history->capacity,
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

/* --- looking up ------------------------------------------------------------------------------- */

struct model_date *model_date(const struct model *model, uint32_t date) {
    if (date < 1 || date > model->date_count) return NULL;
    return (struct model_date *)(uintptr_t)&model->dates[date - 1];
}

const struct model_waiter *model_waiter(const struct model_date *date, uint32_t place) {
    return place < 1 || place > date->waiter_count ? NULL : &date->waiters[place - 1];
}

struct model_reservation *model_reservation(const struct model_date *date, uint64_t sequence) {
    if (sequence < 1 || sequence > date->reservation_count) return NULL;
    return &date->reservations[sequence - 1];
}

struct model_user *model_user(const struct model *model, const struct id128 *user) {
    for (uint32_t i = 0; i < model->user_count; i++) {
        if (id128_equal(&model->users[i].user, user)) {
            return (struct model_user *)(uintptr_t)&model->users[i];
        }
    }
    return NULL;
}

uint32_t model_ahead(const struct model_date *date, uint32_t place) {
    uint32_t ahead = 0;
    for (uint32_t i = 0; i < date->live_count && date->live[i] < place; i++) {
        ahead += date->waiters[date->live[i] - 1].state == TOKEN_WAITING;
    }
    return ahead;
}

/* --- signs of life ---------------------------------------------------------------------------- */

void model_heard(struct model *model, uint32_t date, uint32_t place, uint64_t now_ms) {
    struct model_date *of = model_date(model, date);
    if (!of || place < 1 || place > of->waiter_count) return; /* entered in this very drain */
    struct model_waiter *waiter = &of->waiters[place - 1];
    if (waiter->state != TOKEN_WAITING) return;
    waiter->heard_ms = now_ms;
    if (waiter->asked_ms < now_ms) waiter->asked_ms = now_ms;
}

void model_asked(struct model *model, uint32_t date, const struct id128 *user, uint64_t now_ms) {
    struct model_date *of = model_date(model, date);
    for (uint32_t i = 0; of && i < of->live_count; i++) {
        struct model_waiter *waiter = &of->waiters[of->live[i] - 1];
        if (id128_equal(&waiter->user, user)) waiter->asked_ms = now_ms;
    }
}

void model_resumed(struct model *model, uint64_t from_ms, uint64_t to_ms) {
    for (uint32_t i = 0; i < model->date_count; i++) {
        struct model_date *date = &model->dates[i];
        for (uint32_t j = 0; j < date->live_count; j++) {
            struct model_waiter *waiter = &date->waiters[date->live[j] - 1];
            waiter->heard_ms = from_ms;
            waiter->asked_ms = to_ms;
        }
    }
}

/* --- records ---------------------------------------------------------------------------------- */

static bool catalogue_apply(struct model *model, const struct decision *decision) {
    MODEL_RULE(RECORD, decision->partition == PARTITION_CATALOGUE, "the catalogue decides this");
    if (decision->kind == DECISION_CONCERT_CREATED) {
        MODEL_RULE(RECORD, decision->concert_created.concert == model->concert_count + 1,
                   "concerts are numbered 1, 2, 3");
        model->concert_count++;
        return true;
    }
    const struct decision_date_created *body = &decision->date_created;
    MODEL_RULE(RECORD, body->date == model->date_count + 1, "dates are numbered 1, 2, 3");
    MODEL_RULE(RECORD, body->concert >= 1 && body->concert <= model->concert_count,
               "its concert exists");
    REQUIRE(model->date_count < PLAN_DATES_MADE_MAX); /* the organiser makes no more */
    struct model_date *date = &model->dates[model->date_count++];
    *date = (struct model_date){
        .id = body->date, .concert = body->concert, .state = DATE_DRAFT, .policy = body->policy};
    model_note(&date->history, model->lsn, DATE_DRAFT);
    model_note_policy(model, date);
    return true;
}

/* Time does not run backwards within a partition. */
static bool in_time(struct model *model, const struct decision *decision) {
    uint64_t *last;
    if (partition_is_date(decision->partition)) {
        struct model_date *date = model_date(model, decision->partition - PARTITION_DATE_FIRST);
        MODEL_RULE(RECORD, date != NULL, "its date exists");
        last = &date->last_time_ms;
    } else if (partition_is_account(decision->partition)) {
        uint32_t index = decision->partition - PARTITION_ACCOUNT_FIRST;
        MODEL_RULE(RECORD, index < ACCOUNT_PARTITIONS, "there is such an account partition");
        last = &model->partition_time_ms[index];
    } else {
        last = &model->partition_time_ms[ACCOUNT_PARTITIONS];
    }
    MODEL_RULE(RECORD, decision->time_ms >= *last, "time does not run backwards");
    *last = decision->time_ms;
    return true;
}

bool model_apply(struct model *model, const uint8_t *record, uint32_t size, uint64_t lsn) {
    struct decision decoded, *decision = &decoded;
    decoded = (struct decision){0};
    int result = decision_decode(record, size, decision);
    model->lsn = lsn;
    MODEL_RULE(RECORD, result == DECISION_DECODE_OK, "the record can be decoded");
    if (!in_time(model, decision)) return false;
    if (model->counting) model->run->counters.decisions++;
    if (decision->kind == DECISION_STATE_HASHED) return true;
    if (model->last_time_ms < decision->time_ms) model->last_time_ms = decision->time_ms;
    enum owner owner = decision_owner(decision->kind);
    if (owner == OWNER_CATALOGUE) return catalogue_apply(model, decision);
    return owner == OWNER_ACCOUNT ? model_account_apply(model, decision)
                                  : model_date_apply(model, decision);
}

/* --- at rest ---------------------------------------------------------------------------------- */

static bool date_is_finished(const struct model *model, const struct model_date *date) {
    for (uint32_t i = 0; i < date->standing_count; i++) {
        const struct model_reservation *reservation = model_reservation(date, date->standing[i]);
        if (reservation->state == RESERVATION_PAYING ||
            reservation->state == RESERVATION_REFUNDING) {
            run_fail(model->run, SIM_CHECK_HALF, "reservation %u of date %u is %s for ever",
                     date->standing[i], date->id, reservation_state_name(reservation->state));
            return false;
        }
    }
    for (uint32_t i = 0; i < date->payment_count; i++) {
        enum model_money money = date->payments[i].money;
        if (money == MODEL_MONEY_RESERVED || money == MODEL_MONEY_REFUNDED) {
            run_fail(model->run, SIM_CHECK_HALF, "points of payment %u of date %u are %s for ever",
                     i + 1, date->id,
                     money == MODEL_MONEY_RESERVED ? "reserved" : "refunded, but not closed,");
            return false;
        }
        if (date->payments[i].sold != (money >= MODEL_MONEY_POSTED)) {
            run_fail(model->run, SIM_CHECK_HALF, "payment %u of date %u: seats %s, points %s",
                     i + 1, date->id, date->payments[i].sold ? "sold" : "not sold",
                     money >= MODEL_MONEY_POSTED ? "spent" : "not spent");
            return false;
        }
    }
    return true;
}

/* What each user has spent is what their reservations cost. */
static bool points_and_seats_agree(const struct model *model) {
    for (uint32_t u = 0; u < model->user_count; u++) {
        const struct model_user *user = &model->users[u];
        uint64_t paid = 0;
        for (uint32_t d = 0; d < model->date_count; d++) {
            const struct model_date *date = &model->dates[d];
            for (uint32_t i = 0; i < date->standing_count; i++) {
                const struct model_reservation *one = model_reservation(date, date->standing[i]);
                bool is_paid = one->state == RESERVATION_PAID;
                if (is_paid && id128_equal(&one->user, &user->user)) paid += one->amount;
            }
        }
        if (paid != user->spent - user->refunded || user->reserved != 0) {
            run_fail(model->run, SIM_CHECK_HALF,
                     "user %u has paid %llu points for seats that cost %llu; %llu are reserved", u,
                     (unsigned long long)(user->spent - user->refunded), (unsigned long long)paid,
                     (unsigned long long)user->reserved);
            return false;
        }
    }
    return true;
}

bool model_unfinished(const struct model *model) {
    for (uint32_t i = 0; i < model->date_count; i++) {
        if (!date_is_finished(model, &model->dates[i])) return true;
    }
    return !points_and_seats_agree(model);
}
