/* model.h - the reference model: what every record of the log means, in plain arrays
 *
 * Written to be obviously right, not fast, and without a line of engine/domain but the words of
 * types.h and policy.h and the decoding of records. It is fed with every record in the order of the
 * log and demands of each that the rules allow it at this point (../../engine/README.md; Q1, R2 and
 * so on are the requirements' numbers). What it remembers says what clients may be told.
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

/* What a seat's history has: who has it. */
enum { MODEL_SEAT_AVAILABLE = 0, MODEL_SEAT_HELD = 1, MODEL_SEAT_SOLD = 2 };

struct model_seat {
    uint64_t price;
    bool for_sale;
    uint32_t reservation; /* sequence of who has it; 0: nobody */
    struct model_history history;
};

/* What a token's history has: state * 16 + end. */
#define MODEL_TOKEN(state, end) ((uint64_t)(state)*16u + (uint64_t)(end))

struct model_waiter { /* by place - 1 */
    struct id128 user, secret;
    uint8_t state;       /* enum token_state */
    uint64_t expires_at; /* ACTIVE */
    uint64_t admitted_ms, ttl_ms;
    uint64_t heard_ms;                  /* WAITING: last sign of life that it was answered to */
    uint64_t asked_ms;                  /* WAITING: last request at all that may have been one */
    struct model_history history, ends; /* ends: its expires_at */
};

struct model_reservation { /* by sequence - 1 */
    struct id128 user;
    uint32_t place;
    uint8_t state; /* enum reservation_state */
    bool spent;    /* its token ended by a reservation or a payment: it stands without it (Q10) */
    struct numbers seats;
    uint64_t amount, held_at, expires_at, changed_at;
    uint64_t ttl_ms;                    /* for so long it is held, if nothing ends it */
    uint32_t payment;                   /* latest; 0: none */
    uint32_t payer;                     /* place of the token that started it; 0: its own */
    struct id128 key;                   /* of that payment */
    struct model_history history, ends; /* its states, its expires_at */
};

/* The money's side of a payment. */
enum model_money {
    MODEL_MONEY_NONE = 0,
    MODEL_MONEY_REFUSED,
    MODEL_MONEY_RESERVED,
    MODEL_MONEY_VOIDED,
    MODEL_MONEY_POSTED,
    MODEL_MONEY_REFUNDED,
    MODEL_MONEY_CLOSED,
};

struct model_payment { /* by sequence - 1 */
    uint32_t reservation;
    bool sold;             /* SEATS_SOLD is in the log */
    uint64_t reserved_lsn; /* FUNDS_RESERVED, the latest */
    uint64_t balance;      /* as SEATS_SOLD has it */
    bool refused;          /* FUNDS_REFUSED is in the log, with this balance */
    uint64_t refused_balance;
    enum model_money money;
};

struct model_date { /* by id - 1 */
    uint32_t id, concert;
    uint8_t state; /* enum date_state */
    struct policy policy;
    struct model_seat seats[PLAN_SEATS_MAX];
    uint32_t seat_count;
    struct model_waiter *waiters;
    uint32_t waiter_count, waiter_capacity;
    uint32_t live[PLAN_FANS_MAX * 2]; /* places of live tokens, by place */
    uint32_t live_count, active;
    struct model_reservation *reservations;
    uint32_t reservation_count, reservation_capacity;
    uint32_t standing[PLAN_SEATS_MAX + 1]; /* sequences: HELD, PAYING, PAID, REFUNDING */
    uint32_t standing_count;
    struct model_payment *payments;
    uint32_t payment_count, payment_capacity;
    uint64_t interval_began_ms;
    uint64_t interval_admitted;
    uint64_t last_time_ms;
    uint64_t policy_ms;     /* when the policy was changed last */
    uint64_t credited_ms;   /* when an outage was credited last; 0: never */
    uint64_t credit_off_ms; /* when the policy did not give back outages last; 0: never */
    /* max_seats_per_user, sales_open_at, sales_end_at, refund_until */
    struct model_history limits, opens, ends, refunds_end;
    struct model_history history; /* its states */
};

struct model_row { /* of a wallet's history */
    uint8_t reason;
    uint64_t time_ms, amount, balance, payment, reservation, lsn;
    struct id128 key;
};

struct model_user {
    struct id128 user;
    uint64_t balance, reserved, charged, spent, refunded;
    struct model_row *rows;
    uint32_t row_count, row_capacity;
    struct model_history balances, reserves;
};

/* Who says of themselves that they keep asking (people.h). */
struct model_asks {
    const struct people *people; /* borrowed */
    bool (*keeps_asking)(const struct people *people, const struct id128 *user, uint32_t date,
                         uint32_t place, uint64_t pause_us);
};

struct model {
    struct sim_run *run;           /* borrowed; whom a failure is reported to */
    const struct outages *outages; /* borrowed */
    struct model_asks asks;
    uint64_t lsn;          /* after the last record */
    uint64_t last_time_ms; /* the latest of a decision; state hashes decide nothing */
    struct model_date dates[PLAN_DATES_MADE_MAX];
    uint32_t date_count, concert_count;
    struct model_user users[PLAN_FANS_MAX];
    uint32_t user_count;
    uint64_t charged, balances, reserved, spent, refunded; /* over all users */
    uint64_t partition_time_ms[ACCOUNT_PARTITIONS + 1];    /* last of accounts, of the catalogue */
    bool counting; /* decisions count in run->counters: not when they are read again */
};

struct model *model_create(struct sim_run *run);
void model_free(struct model *model);

/* model_apply - the next record. Return: false if a rule forbids it */
bool model_apply(struct model *model, const uint8_t *record, uint32_t size, uint64_t lsn);

/* model_overdue - is there anything that should have been decided by this moment?
 * For after a round of the date's shard. Return: false if so */
bool model_overdue(const struct model *model, const struct model_date *date, uint64_t now_ms);

/* model_unfinished - is there anything half done? For when everything is at rest. */
bool model_unfinished(const struct model *model);

/* model_heard, model_asked - a sign of life was answered; something that may have been one came */
void model_heard(struct model *model, uint32_t date, uint32_t place, uint64_t now_ms);
void model_asked(struct model *model, uint32_t date, const struct id128 *user, uint64_t now_ms);
/* model_resumed - the engine has started, between these two moments: it takes it that everybody was
 * heard from then */
void model_resumed(struct model *model, uint64_t from_ms, uint64_t to_ms);

/* Return: borrowed, NULL if there is none */
struct model_date *model_date(const struct model *model, uint32_t date);
const struct model_waiter *model_waiter(const struct model_date *date, uint32_t place);
struct model_reservation *model_reservation(const struct model_date *date, uint64_t sequence);
struct model_user *model_user(const struct model *model, const struct id128 *user);
/* model_ahead - live waiters before a place */
uint32_t model_ahead(const struct model_date *date, uint32_t place);

/* --- between the model's files ---------------------------------------------------------------- */
/* model_note_policy - the date's policy is new */
void model_note_policy(struct model *model, struct model_date *date);
bool model_date_apply(struct model *model, const struct decision *decision);
bool model_account_apply(struct model *model, const struct decision *decision);
/* --- model_outage.c: X7 */
bool model_credited(struct model *model, struct model_date *date, const struct decision *decision);
/* model_served_ms - of the time between two moments, at most so much was served
 * @kind: OUTAGES_SURE, or OUTAGES_OWED: what had to be given back counts as not served */
uint64_t model_served_ms(const struct model *model, const struct model_date *date,
                         enum outages_kind kind, uint64_t from_ms, uint64_t to_ms);
/* model_unserved_ms - of that, at most so much was not served, and does not count as silence */
uint64_t model_unserved_ms(const struct model *model, const struct model_date *date,
                           uint64_t from_ms, uint64_t to_ms);
void model_note(struct model_history *history, uint64_t lsn, uint64_t value);
void *model_grow(void *array, uint32_t count, uint32_t *capacity, uint32_t size);

/* MODEL_RULE - demand something of this record; leaves the function with false if it is not so */
#define MODEL_RULE(check, condition, what)                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            run_fail(model->run, SIM_CHECK_##check, "LSN %llu, %s of partition %x at %llu: %s",    \
                     (unsigned long long)model->lsn, decision_name(decision->kind),                \
                     decision->partition, (unsigned long long)decision->time_ms, what);            \
            return false;                                                                          \
        }                                                                                          \
    } while (0)

#endif
