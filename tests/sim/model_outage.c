/* model_outage.c - the witness: what was given back, what had to be, and who was silent
 *
 * Seen from outside (outages.h): the model knows when nobody could be served, from whoever made it
 * so. What is read again from the log was judged when it was written: nobody knows any more who
 * asked.
 */
#include "tests/sim/model.h"

/* Moments are taken before and after a look at a clock that may move meanwhile. */
#define MOMENT_SLACK_MS 40u

/* Of the time between two moments, at most so much was served. OUTAGES_OWED: what had to be given
 * back counts as not served. */
static uint64_t served_ms(const struct model *model, const struct oracle_date *date,
                          enum outages_kind kind, uint64_t from_ms, uint64_t to_ms) {
    uint32_t count = 0;
    uint64_t passed_ms = to_ms > from_ms ? to_ms - from_ms : 0;
    uint64_t unserved_ms = outages_ms(model->outages, date->id, kind, from_ms, to_ms, &count);
    uint64_t slack_ms = count * (uint64_t)(OUTAGES_SLACK_MS + MOMENT_SLACK_MS);
    unserved_ms = unserved_ms > slack_ms ? unserved_ms - slack_ms : 0;
    return passed_ms - unserved_ms;
}

uint64_t model_unserved_ms(const struct model *model, const struct oracle_date *date,
                           uint64_t from_ms, uint64_t to_ms) {
    uint32_t count = 0;
    /* After those that are just over they are to be heard, after each of them. */
    from_ms -= 5 * OUTAGES_HEARING_MS;
    uint64_t unserved_ms = outages_ms(model->outages, date->id, OUTAGES_POSSIBLE, from_ms, to_ms,
                                      &count);
    /* Two that follow each other at once look like one. */
    return unserved_ms + count * (uint64_t)(2 * OUTAGES_HEARING_MS + OUTAGES_SLACK_MS);
}

static bool wrong(struct model *model, enum oracle_matter matter, const char *rule,
                  const struct oracle_date *date, const char *what) {
    const struct oracle *oracle = &model->oracle;
    oracle_complain(&model->oracle, matter, rule, "LSN %llu, %s of date %u at %llu: not so: %s",
                    (unsigned long long)oracle->lsn, decision_name(oracle->decision->kind),
                    date->id, (unsigned long long)oracle->decision->time_ms, what);
    return false;
}

bool model_admits(void *context, const struct oracle_date *date, uint32_t place) {
    struct model *model = context;
    uint64_t now_ms = model->oracle.decision->time_ms;
    uint64_t asked_ms = model->dates[date->id].signs[place].asked_ms;
    if (!model->counting) return true;
    if (asked_ms + date->policy.waiting_timeout_ms +
            model_unserved_ms(model, date, asked_ms, now_ms) >
        now_ms) {
        return true;
    }
    return wrong(model, ORACLE_TIME, "Q6", date, "who is silent for the timeout is not admitted");
}

/* X7: nobody ends early by time in which nobody could be served; seen from outside. */
bool model_ends(void *context, const struct oracle_date *date, uint64_t from_ms, uint64_t ttl_ms) {
    struct model *model = context;
    uint64_t now_ms = model->oracle.decision->time_ms;
    /* What the policy says when an outage is over counts, and that may have changed in between. */
    if (!model->counting || date->credit_off_ms >= from_ms) return true;
    model->run->counters.turns_judged++;
    if (served_ms(model, date, OUTAGES_OWED, from_ms, now_ms) >= ttl_ms) return true;
    return wrong(model, ORACLE_OUTAGE, "X7", date, "it has had its time, in which it was served");
}

/* Q6, X7: who asks again and again, by their own account, is not silent. Not for those with whom
 * the world has interfered, nor where a lost answer alone takes longer than their timeout. */
bool model_drops(void *context, const struct oracle_date *date, uint32_t place) {
    struct model *model = context;
    uint64_t timeout_ms = date->policy.waiting_timeout_ms;
    uint64_t now_ms = model->oracle.decision->time_ms;
    uint64_t heard_ms = model->dates[date->id].signs[place].heard_ms;
    const struct plan *plan = &model->run->plan;
    if (now_ms < heard_ms + timeout_ms) {
        return wrong(model, ORACLE_TIME, "Q6", date, "it was not heard from for the timeout");
    }
    if (!model->counting) return true;
    if (served_ms(model, date, OUTAGES_SURE, heard_ms, now_ms) < timeout_ms) {
        return wrong(model, ORACLE_OUTAGE, "X7", date,
                     "it was not heard from for the timeout, in which it could have been");
    }
    bool hindered = plan->per_million[SIM_FAULT_NET_DROP] > 0 ||
                    plan->per_million[SIM_FAULT_NET_DELAY] > 0 ||
                    plan->per_million[SIM_FAULT_CLIENT_LOSS] > 0;
    if (hindered || timeout_ms < 10000 || now_ms < date->policy_ms + timeout_ms) return true;
    model->run->counters.silent_judged++;
    if (!model->asks.keeps_asking(model->asks.people, &date->places[place].user, date->id, place,
                                  timeout_ms * 500)) {
        return true;
    }
    return wrong(model, ORACLE_OUTAGE, "Q6", date, "it does not say of itself that it kept asking");
}

bool model_credits(void *context, const struct oracle_date *date,
                   const struct decision_outage_credited *credited) {
    struct model *model = context;
    uint32_t count = 0;
    if (!model->counting) return true;
    uint64_t most_ms = outages_ms(model->outages, date->id, OUTAGES_POSSIBLE, credited->since,
                                  credited->since + credited->credit_ms, &count);
    most_ms += OUTAGES_SLACK_MS + count * (uint64_t)MOMENT_SLACK_MS;
    /* The last block may lie before an outage whose own credit the crash has taken. */
    if (credited->cause == OUTAGE_DOWN) most_ms += OUTAGES_DOWN_SLACK_MS;
    bool unseen = count == 0 && credited->cause != OUTAGE_DOWN; /* of a start: a moment */
    if (!unseen && credited->credit_ms <= most_ms) return true;
    oracle_complain(&model->oracle, ORACLE_OUTAGE, "X7",
                    "LSN %llu: date %u is credited %llu ms (%s) since %llu; there may have been "
                    "%llu",
                    (unsigned long long)model->oracle.lsn, date->id,
                    (unsigned long long)credited->credit_ms, outage_cause_name(credited->cause),
                    (unsigned long long)credited->since, (unsigned long long)most_ms);
    return false;
}
