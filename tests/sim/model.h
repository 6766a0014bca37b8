/* model.h - what clients may be told: what was so at each LSN, and what the world has seen
 *
 * The oracle (tests/oracle) judges each record of the log. The model stands beside it. It remembers
 * how everything changed over the log, so that an answer can be looked for in it. And it bears
 * witness to what no record says: who asked, and when nobody could be served.
 *
 * Happy path: model_apply() for each record as it is appended; model_overdue() after each round of
 * a shard; model_unfinished() when everything has come to rest. After a crash a new model is fed
 * with what the log still has.
 * Failure mode: the first thing that is not allowed is reported by run_fail(); the model is of no
 * use from then on.
 */
#ifndef USHER_TESTS_SIM_MODEL_H
#define USHER_TESTS_SIM_MODEL_H

#include "engine/domain/decision.h"
#include "engine/domain/error.h"
#include "tests/oracle/oracle.h"
#include "tests/sim/outages.h"
#include "tests/sim/run.h"

struct people;

/* How something changed over the log: the value from each LSN on. */
struct model_change {
    uint64_t lsn, value;
};
struct model_history {
    struct model_change *changes;
    uint32_t count, capacity;
};
/* model_history_had - did it have this value at some point of from_lsn..to_lsn?
 * @ret_lsn: raised to since when it had it; may be NULL */
bool model_history_had(const struct model_history *history, uint64_t from_lsn, uint64_t to_lsn,
                       uint64_t value, uint64_t *ret_lsn);
/* model_history_at - the value at an LSN; `before` if it did not exist yet */
uint64_t model_history_at(const struct model_history *history, uint64_t lsn, uint64_t before);

/* The histories of one thing: by number, [0] where it has none. */
struct model_histories {
    struct model_history *of;
    uint32_t capacity;
};

/* Signs of life of a place that waits. */
struct model_signs {
    uint64_t heard_ms; /* the last that it was answered to */
    uint64_t asked_ms; /* the last request at all that may have been one */
};

struct model_date { /* by id; [0]: of no date, the wallets */
    struct model_histories what[ORACLE_WHAT_COUNT];
    struct model_signs *signs; /* by place */
    uint32_t sign_capacity;
};

struct model_row { /* of a wallet's history */
    uint8_t reason;
    uint64_t time_ms, amount, balance, payment, reservation, lsn;
    struct id128 key;
};

struct model_rows { /* by the wallet's index in the oracle */
    struct model_row *rows;
    uint32_t count, capacity;
};

/* Who says of themselves that they keep asking (people.h). */
struct model_asks {
    const struct people *people; /* borrowed */
    bool (*keeps_asking)(const struct people *people, const struct id128 *user, uint32_t date,
                         uint32_t place, uint64_t pause_us);
};

struct model {
    struct oracle oracle;
    struct sim_run *run;           /* borrowed; whom a failure is reported to */
    const struct outages *outages; /* borrowed */
    struct model_asks asks;
    struct model_date dates[PLAN_DATES_MADE_MAX + 1];
    struct model_rows rows[PLAN_FANS_MAX + 1];
    bool counting; /* it is live: decisions count in run->counters, and the world has seen them */
};

struct model *model_create(struct sim_run *run);
void model_free(struct model *model);

/* model_apply - the next record. Return: false if a rule forbids it */
bool model_apply(struct model *model, const uint8_t *record, uint32_t size, uint64_t lsn);

/* model_overdue - is there anything that should have been decided by this moment?
 * For after a round of the date's shard. Return: false if so */
bool model_overdue(struct model *model, uint32_t date, uint64_t now_ms);

/* model_unfinished - is there anything half done? For when everything is at rest. */
bool model_unfinished(struct model *model);

/* model_heard, model_asked - a sign of life was answered; something that may have been one came */
void model_heard(struct model *model, uint32_t date, uint32_t place, uint64_t now_ms);
void model_asked(struct model *model, uint32_t date, const struct id128 *user, uint64_t now_ms);
/* model_resumed - the engine has started, between these two moments: it takes it that everybody was
 * heard from then */
void model_resumed(struct model *model, uint64_t from_ms, uint64_t to_ms);

/* model_of - how this has changed; empty if it never was
 * @date:   0 for a wallet's
 * @number: seat, place, sequence, index of a wallet; 0 for the date's own */
const struct model_history *model_of(const struct model *model, enum oracle_what what,
                                     uint32_t date, uint32_t number);
/* model_rows - a user's wallet history; NULL if there is none */
const struct model_rows *model_rows(const struct model *model, const struct id128 *user);

/* --- model_outage.c: X7, as the ports of the oracle ------------------------------------------- */
bool model_admits(void *model, const struct oracle_date *date, uint32_t place);
bool model_drops(void *model, const struct oracle_date *date, uint32_t place);
bool model_ends(void *model, const struct oracle_date *date, uint64_t from_ms, uint64_t ttl_ms);
bool model_credits(void *model, const struct oracle_date *date,
                   const struct decision_outage_credited *credited);
/* model_unserved_ms - of the time between two moments, at most so much was not served, and does not
 * count as silence */
uint64_t model_unserved_ms(const struct model *model, const struct oracle_date *date,
                           uint64_t from_ms, uint64_t to_ms);

#endif
