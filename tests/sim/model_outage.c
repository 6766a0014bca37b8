/* model_outage.c - the reference model's outages: what was given back, and what had to be
 *
 * Seen from outside (outages.h): the model knows when nobody could be served, from whoever made it
 * so.
 */
#include "tests/sim/model.h"

/* Moments are taken before and after a look at a clock that may move meanwhile. */
#define MOMENT_SLACK_MS 40u

uint64_t model_served_ms(const struct model *model, const struct model_date *date,
                         enum outages_kind kind, uint64_t from_ms, uint64_t to_ms) {
    uint32_t count = 0;
    uint64_t passed_ms = to_ms > from_ms ? to_ms - from_ms : 0;
    uint64_t unserved_ms = outages_ms(model->outages, date->id, kind, from_ms, to_ms, &count);
    uint64_t slack_ms = count * (uint64_t)(OUTAGES_SLACK_MS + MOMENT_SLACK_MS);
    unserved_ms = unserved_ms > slack_ms ? unserved_ms - slack_ms : 0;
    return passed_ms - unserved_ms;
}

uint64_t model_unserved_ms(const struct model *model, const struct model_date *date,
                           uint64_t from_ms, uint64_t to_ms) {
    uint32_t count = 0;
    /* After those that are just over they are to be heard, after each of them. */
    from_ms -= 5 * OUTAGES_HEARING_MS;
    uint64_t unserved_ms = outages_ms(model->outages, date->id, OUTAGES_POSSIBLE, from_ms, to_ms,
                                      &count);
    /* Two that follow each other at once look like one. */
    return unserved_ms + count * (uint64_t)(2 * OUTAGES_HEARING_MS + OUTAGES_SLACK_MS);
}

static uint32_t move_all(struct model *model, struct model_date *date, uint64_t credit_ms) {
    uint32_t moved = 0;
    for (uint32_t i = 0; i < date->live_count; i++) {
        struct model_waiter *waiter = &date->waiters[date->live[i] - 1];
        if (waiter->state != TOKEN_ACTIVE) continue;
        waiter->expires_at += credit_ms;
        model_note(&waiter->ends, model->lsn, waiter->expires_at);
        moved++;
    }
    for (uint32_t i = 0; i < date->standing_count; i++) {
        struct model_reservation *one = model_reservation(date, date->standing[i]);
        if (!reservation_is_unpaid(one->state)) continue;
        one->expires_at += credit_ms;
        model_note(&one->ends, model->lsn, one->expires_at);
        moved++;
    }
    return moved;
}

bool model_credited(struct model *model, struct model_date *date, const struct decision *decision) {
    const struct decision_outage_credited *body = &decision->outage_credited;
    uint64_t to_ms = body->since + body->credit_ms;
    uint32_t count = 0;
    MODEL_RULE(RECORD, body->cause >= OUTAGE_DOWN && body->cause <= OUTAGE_LOG, "there is a cause");
    MODEL_RULE(OUTAGE, body->credit_ms > 0 && to_ms == decision->time_ms,
               "what is credited is the time until now");
    MODEL_RULE(RECORD, date->policy.outage_credit == 1, "the policy says so");
    if (model->counting) {
        uint64_t most_ms = outages_ms(model->outages, date->id, OUTAGES_POSSIBLE, body->since,
                                      to_ms, &count);
        most_ms += OUTAGES_SLACK_MS + count * (uint64_t)MOMENT_SLACK_MS;
        /* The last block may lie before an outage whose own credit the crash has taken. */
        if (body->cause == OUTAGE_DOWN) most_ms += OUTAGES_DOWN_SLACK_MS;
        bool unseen = count == 0 && body->cause != OUTAGE_DOWN; /* of a start: a moment */
        if (unseen || body->credit_ms > most_ms) {
            run_fail(
                model->run, SIM_CHECK_OUTAGE,
                "LSN %llu: date %u is credited %llu ms (%s) since %llu; there may have been %llu",
                (unsigned long long)model->lsn, date->id, (unsigned long long)body->credit_ms,
                outage_cause_name(body->cause), (unsigned long long)body->since,
                (unsigned long long)most_ms);
            return false;
        }
    }
    date->credited_ms = decision->time_ms;
    MODEL_RULE(OUTAGE, move_all(model, date, body->credit_ms) > 0, "somebody's time was running");
    return true;
}
