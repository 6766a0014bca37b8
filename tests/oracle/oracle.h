/* oracle.h - the one judge of records: may this decision follow from those before it?
 *
 * It is the law, told a second time. It shares nothing with the engine but the words (types.h,
 * policy.h, error.h) and the format of decisions, so a mistake in the engine's rules or in its
 * apply code must show here. Written to be obviously right; fast enough for a million records.
 *
 * Each demand names its rule: Q2, R2, P3, W2, O3, X7 and so on are the requirements' numbers
 * (README.md beside this file lists them). "L" is what a log must be for any reader: numbers go up
 * by one, time does not run backwards, the partition is the one that decides this.
 *
 * Happy path: oracle_init(); oracle_judge() for each decision in the order of the log;
 * oracle_overdue() where time was given to decide; oracle_rest() when everything has come to rest;
 * oracle_deinit(). After a crash a new oracle reads what the log still has.
 * Failure modes: what a rule forbids is complained about, counted, and not taken over. The first
 * complaint is the one to look at: those after it may follow from it.
 *
 * Who has seen more than the log says (who asked, when nobody could be served) bears witness
 * through the ports, and hears of each change (tests/sim/model.h).
 *
 * Thread: one.
 */
#ifndef USHER_TESTS_ORACLE_ORACLE_H
#define USHER_TESTS_ORACLE_ORACLE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/domain/decision.h"
#include "tests/oracle/table.h"

#define ORACLE_COMPLAINTS_PRINTED 20u
#define ORACLE_TEXT_BYTES 400u

/* What a complaint is about. X(NAME, what must be) */
#define ORACLE_MATTERS(X)                                                                          \
    X(SEAT, "a seat has at most one holder or owner")                                              \
    X(HALF, "paid with seat, or not paid")                                                         \
    X(FIFO, "who entered first is admitted first")                                                 \
    X(CAPACITY, "nobody has more than the policy allows")                                          \
    X(TIME, "holds and tokens end in time, never early, never late")                               \
    X(OUTAGE, "time in which nobody could be served is given back, and no more")                   \
    X(POINTS, "points are conserved")                                                              \
    X(RECORD, "every decision is one that the rules allow")

enum oracle_matter {
#define X(name, text) ORACLE_##name,
    ORACLE_MATTERS(X)
#undef X
        ORACLE_MATTER_COUNT
};

/* What a record changes: of which date, of which number within it, to which value. */
enum oracle_what {
    ORACLE_DATE_STATE, /* enum date_state */
    ORACLE_SEATS_MAX,  /* of the policy: max_seats_per_user, and so on */
    ORACLE_SALES_OPEN,
    ORACLE_SALES_END,
    ORACLE_REFUND_UNTIL,
    ORACLE_SEAT_STATE,        /* by seat: who has it, ORACLE_SEAT_... */
    ORACLE_TOKEN_STATE,       /* by place: ORACLE_TOKEN() */
    ORACLE_TOKEN_ENDS,        /* by place: expires_at */
    ORACLE_RESERVATION_STATE, /* by sequence: enum reservation_state */
    ORACLE_RESERVATION_ENDS,  /* by sequence: expires_at */
    ORACLE_BALANCE,           /* of no date, by the wallet's index: points */
    ORACLE_RESERVED,
    ORACLE_WHAT_COUNT
};
enum { ORACLE_SEAT_AVAILABLE = 0, ORACLE_SEAT_HELD = 1, ORACLE_SEAT_SOLD = 2 };
#define ORACLE_TOKEN(state, end) ((uint64_t)(state)*16u + (uint64_t)(end))

struct oracle_seat {
    uint64_t price;       /* points */
    uint32_t reservation; /* sequence of who has it; 0: nobody */
    bool for_sale;
};

struct oracle_place {
    struct id128 user, secret;
    uint8_t state;       /* enum token_state */
    uint64_t entered_ms; /* when it was handed out */
    uint64_t expires_at; /* ACTIVE */
    uint64_t admitted_ms, ttl_ms;
};

struct oracle_reservation {
    struct id128 user;
    uint32_t place;
    uint32_t payment; /* latest attempt; 0: none */
    uint32_t payer;   /* place of the token that started it; 0: its own */
    uint32_t older;   /* the same user's before it; 0: none */
    uint8_t state;    /* enum reservation_state */
    bool spent;       /* its token ended by a hold or a payment: it stands without it (Q10) */
    struct numbers seats;
    uint64_t amount, held_at, expires_at, changed_at;
    uint64_t ttl_ms;  /* for so long it is held, if nothing ends it */
    struct id128 key; /* of the latest attempt */
};

/* The money's side of a payment, in this order. */
enum oracle_money {
    ORACLE_MONEY_NONE = 0,
    ORACLE_MONEY_REFUSED,
    ORACLE_MONEY_RESERVED,
    ORACLE_MONEY_VOIDED,
    ORACLE_MONEY_POSTED,
    ORACLE_MONEY_REFUNDED,
    ORACLE_MONEY_CLOSED,
};

struct oracle_payment {
    struct id128 key;
    uint32_t reservation;
    bool sold;    /* SEATS_SOLD is in the log */
    bool refused; /* FUNDS_REFUSED is in the log, with this balance */
    enum oracle_money money;
    uint64_t reserved_lsn; /* of FUNDS_RESERVED */
    uint64_t balance;      /* as SEATS_SOLD has it */
    uint64_t refused_balance;
};

/* What was refused to an active user. */
struct oracle_refusal {
    uint64_t time_ms;
    uint32_t error, seat;
    uint32_t next; /* of the same user on the same date; 0: last */
    bool told;     /* testimony.c: a client has spoken of it */
};

/* [0] of each array is not used: they go by seat, sequence, place. */
struct oracle_date {
    uint32_t id, concert;
    uint8_t state; /* enum date_state */
    struct policy policy;
    struct oracle_seat *seats;
    struct oracle_reservation *reservations;
    struct oracle_payment *payments;
    struct oracle_place *places;
    struct oracle_refusal *refusals;
    uint32_t seat_count, reservation_count, payment_count, place_count, refusal_count;
    uint32_t *live;     /* [1..]: places of live tokens, rising */
    uint32_t *standing; /* [1..]: sequences of HELD, PAYING, PAID, REFUNDING, rising */
    uint32_t live_count, standing_count;
    uint32_t first_waiting; /* no place before it waits */
    uint32_t active, active_most;
    uint64_t interval_began_ms, interval_admitted;
    uint64_t last_time_ms;  /* of its last decision */
    uint64_t policy_ms;     /* when the policy was changed last */
    uint64_t credited_ms;   /* when an outage was credited last; 0: never */
    uint64_t credit_off_ms; /* when the policy did not give back outages last; 0: never */
};

struct oracle_balance {
    uint64_t lsn, points;
};

struct oracle_wallet {
    struct id128 user;
    uint32_t index; /* in oracle->wallets */
    uint64_t charged, balance, reserved, spent, refunded;
    uint64_t rows;                   /* of its history, so far */
    struct oracle_balance *balances; /* [1..]: after each row */
};

struct oracle_charge {
    uint64_t amount, time_ms;
    uint64_t row; /* of the wallet's history, from 1 on */
};

/* Whoever knows more, or must know what was so when. Each may be NULL. The four that judge say
 * themselves what is wrong, and return false. */
struct oracle_ports {
    void *context; /* borrowed */
    /* NULL: complaints are printed on standard error. @rule: "R2" */
    void (*complain)(void *context, enum oracle_matter matter, const char *rule, const char *text);
    void (*changed)(void *context, enum oracle_what what, uint32_t date, uint32_t number,
                    uint64_t value);
    /* Might the place be admitted now, was it heard from? (Q6) */
    bool (*admits)(void *context, const struct oracle_date *date, uint32_t place);
    /* Was the place silent for the timeout? (Q6, X7) */
    bool (*drops)(void *context, const struct oracle_date *date, uint32_t place);
    /* Has a turn or a hold had its time, in which it was served? (X7) */
    bool (*ends)(void *context, const struct oracle_date *date, uint64_t from_ms, uint64_t ttl_ms);
    /* May there have been such an outage? (X7) */
    bool (*credits)(void *context, const struct oracle_date *date,
                    const struct decision_outage_credited *credited);
};

struct oracle {
    struct oracle_ports ports;
    /* Messages between partitions come twice and overtake each other, as only a test of the domain
     * lets them: an account may have set points aside again after it refused them. */
    bool disorder;
    uint64_t complaints, decisions;
    uint64_t lsn;                    /* just after the record that is judged */
    uint64_t last_time_ms;           /* the latest of a decision; state hashes decide nothing */
    const struct decision *decision; /* that is judged; borrowed */
    struct oracle_date **dates;      /* [1..date_count], by id */
    uint32_t date_count, concert_count;
    struct oracle_wallet *wallets; /* [1..wallet_count] */
    struct oracle_charge *charges; /* [1..charge_count] */
    uint32_t wallet_count, charge_count;
    struct table wallet_of;   /* user -> index */
    struct table charge_of;   /* user, key -> index of the latest */
    struct table secrets;     /* secret, date -> place */
    struct table live_of;     /* user, date -> place of the live token; 0: none */
    struct table seats_of;    /* user, date -> seats that they hold or own now */
    struct table newest_of;   /* user, date -> their newest reservation */
    struct table refusals_of; /* user, date -> first and last index of refusals */
    uint64_t charged, balances, reserved, spent, refunded; /* points, over all wallets */
    uint64_t account_time_ms[ACCOUNT_PARTITIONS + 1];      /* the last of each; of the catalogue */
    uint64_t held, sold, refused_taken, refunds, admitted, credited; /* how often */
    uint64_t paying;                                                 /* reservations, now */
};

void oracle_init(struct oracle *oracle, const struct oracle_ports *ports);
void oracle_deinit(struct oracle *oracle);

/* oracle_judge - the next decision of the log
 * @lsn: just after its record
 * Return: whether it was allowed */
bool oracle_judge(struct oracle *oracle, const struct decision *decision, uint64_t lsn);
/* oracle_visit - the same, as whatever reads a log calls it; context: struct oracle */
void oracle_visit(void *oracle, const struct decision *decision, uint64_t lsn);

/* oracle_overdue - is there anything of this date that should have been decided by this moment?
 * For after a round of its shard. Return: false if so; that is a complaint */
bool oracle_overdue(struct oracle *oracle, const struct oracle_date *date, uint64_t now_ms);

/* oracle_rest - is anything half done? For when everything is at rest.
 * Return: false if so; that is a complaint */
bool oracle_rest(struct oracle *oracle);

/* oracle_complain - something is wrong: for those who judge by what they find here */
__attribute__((format(printf, 4, 5))) void oracle_complain(struct oracle *oracle,
                                                           enum oracle_matter matter,
                                                           const char *rule, const char *format,
                                                           ...);

/* Lookups: borrowed until the next record, NULL where there is none. */
struct oracle_date *oracle_date(const struct oracle *oracle, uint32_t date);
const struct oracle_place *oracle_place(const struct oracle_date *date, uint32_t place);
struct oracle_reservation *oracle_reservation(const struct oracle_date *date, uint32_t sequence);
const struct oracle_payment *oracle_payment(const struct oracle_date *date, uint32_t sequence);
const struct oracle_wallet *oracle_wallet(const struct oracle *oracle, const struct id128 *user);
/* oracle_charge - Return: NULL if nothing was charged with this key */
const struct oracle_charge *oracle_charge(const struct oracle *oracle, const struct id128 *user,
                                          const struct id128 *key);
/* oracle_ahead - live waiters before a place */
uint32_t oracle_ahead(const struct oracle_date *date, uint32_t place);

#endif
