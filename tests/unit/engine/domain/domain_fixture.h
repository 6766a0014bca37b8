/* domain_fixture.h - the whole domain in one thread, stepped by a test
 *
 * To the stepper it adds what a shard has beside, in the simplest way that is right: records go
 * into `log`, a command's message is queued, its reply kept under the command's origin; the clock
 * is fake. Messages between two partitions arrive in the order in which they were sent, as between
 * shards; between different pairs any order is possible.
 *
 * Happy path: domain_new, domain_date, domain_enter, domain_hold, domain_pay, ... domain_check,
 * domain_free. Each domain_<verb> settles all messages unless `manual` is set, and returns the
 * reply's error number (0: fine, DOMAIN_UNANSWERED: no reply yet). domain_advance moves the clock
 * and stops at every deadline on the way; domain_jump moves it and lets nothing happen.
 * Failure mode: anything that breaks an invariant fails the running cmocka test.
 */
#ifndef USHER_TESTS_UNIT_ENGINE_DOMAIN_DOMAIN_FIXTURE_H
#define USHER_TESTS_UNIT_ENGINE_DOMAIN_DOMAIN_FIXTURE_H

#include "engine/domain/account/account.h"
#include "engine/domain/catalogue/catalogue.h"
#include "engine/domain/date/date.h"
#include "engine/domain/verdict.h"
#include "engine/domain/partition/world.h"
#include "tests/support/stepper.h"

#define DOMAIN_UNANSWERED 0xffffu
#define DOMAIN_MESSAGES_MAX 1024u
#define DOMAIN_ANSWERS_KEPT 256u
#define DOMAIN_EPOCH_MS 1700000000000ull /* where every test's clock starts, Unix ms */

struct domain_message {
    uint32_t from; /* partition */
    struct command command;
};

struct domain_answer {
    uint64_t origin;
    bool given;
    struct reply reply;
};

struct domain {
    struct stepper *stepper;
    struct world *world; /* a test may put another one here; likewise the clock */
    uint64_t now_ms;
    bool manual;    /* messages wait for domain_deliver() */
    bool duplicate; /* every message is delivered twice in a row */
    uint64_t origin_last;
    struct domain_answer answers[DOMAIN_ANSWERS_KEPT]; /* by origin */
    struct reply reply;                                /* of the latest answered command */
    struct domain_message messages[DOMAIN_MESSAGES_MAX];
    uint32_t message_count;
    uint8_t *log; /* every record since the beginning */
    uint64_t log_bytes, log_capacity;
    uint64_t *records; /* offset of each record in `log` */
    uint32_t record_count, record_capacity;
    struct verdict verdict; /* for those who ask a partition by themselves */
};

struct domain *domain_new(void);
void domain_free(struct domain *domain);

/* Users, keys and secrets by a small number, 1.. */
struct id128 domain_user(uint32_t number);
struct id128 domain_key(uint32_t number);

/* domain_date - a new concert with one date of `seats` seats at `price`, open
 * Seat n has section "A", row n/10, number n, guid "seat-n".
 * Return: the date's id */
uint32_t domain_date(struct domain *domain, const struct policy *policy, uint32_t seats,
                     uint64_t price);

/* domain_do - execute one command, as a client's request
 * Return: the reply's error; DOMAIN_UNANSWERED while a message's consequences are to answer */
uint16_t domain_do(struct domain *domain, struct command command);
/* domain_answered - the error of an earlier command; its reply is in answers[origin % KEPT] */
uint16_t domain_answered(const struct domain *domain, uint64_t origin);

uint16_t domain_enter(struct domain *domain, uint32_t date, uint32_t user, struct token *ret_token);
uint16_t domain_status(struct domain *domain, const struct token *token);
uint16_t domain_leave(struct domain *domain, const struct token *token);
uint16_t domain_list(struct domain *domain, const struct token *token);
/* @seats: numbers, 0 terminated; @ret_reservation may be NULL */
uint16_t domain_hold(struct domain *domain, const struct token *token, const uint32_t *seats,
                     uint64_t *ret_reservation);
uint16_t domain_release(struct domain *domain, const struct token *token, uint64_t reservation);
uint16_t domain_pay(struct domain *domain, const struct token *token, uint64_t reservation,
                    uint32_t key);
uint16_t domain_cancel(struct domain *domain, uint32_t user, uint64_t reservation, uint32_t key);
uint16_t domain_charge(struct domain *domain, uint32_t user, uint64_t amount, uint32_t key);
/* @kind: COMMAND_DATE_OPEN, _CLOSE or _CANCEL */
uint16_t domain_switch(struct domain *domain, uint32_t date, enum command_kind kind);
uint16_t domain_policy(struct domain *domain, uint32_t date, uint32_t index, uint64_t value);
#define SEATS(...) ((const uint32_t[]){__VA_ARGS__, 0})

/* domain_due - everything that time and unfinished matters decide now, in every partition */
void domain_due(struct domain *domain);
/* domain_advance - `ms` pass; every deadline on the way is met on time */
void domain_advance(struct domain *domain, uint64_t ms);
/* domain_jump - `ms` pass and nobody looked */
void domain_jump(struct domain *domain, uint64_t ms);
/* domain_outage - `ms` pass in which nobody was served (X7): credited first, then everything
 * else */
void domain_outage(struct domain *domain, enum outage_cause cause, uint64_t ms);
/* domain_deliver - the next message that `index` (any number) picks; in order for its pair
 * Return: false if none is on the way */
bool domain_deliver(struct domain *domain, uint32_t index);
/* domain_settle - due and messages until nothing is left to do now */
void domain_settle(struct domain *domain);

/* domain_recover - a new domain from the first `records` records of a log, resumed; no messages
 * Return: owned by the caller until domain_free() */
struct domain *domain_recover(const struct domain *from, uint32_t records);
/* domain_resume - what a start does with every partition after replay; changes no logged state */
void domain_resume(struct domain *domain);
/* domain_crash - recover in place from the whole log; the state must come out equal */
void domain_crash(struct domain *domain);

/* domain_record - decode a record of the log; texts point into it */
struct decision domain_record(const struct domain *domain, uint32_t index);
/* domain_count - how many records of this kind the log has */
uint32_t domain_count(const struct domain *domain, enum decision_kind kind);

const struct date *domain_date_of(const struct domain *domain, uint32_t date);
const struct reservation *domain_reservation(const struct domain *domain, uint64_t reservation);
uint8_t domain_state(const struct domain *domain, uint64_t reservation);
/* domain_holder - sequence of the reservation that has the seat, 0: free */
uint32_t domain_holder(const struct domain *domain, uint32_t date, uint32_t seat);
uint64_t domain_balance(const struct domain *domain, uint32_t user);
uint64_t domain_reserved(const struct domain *domain, uint32_t user);

/* domain_check - the invariants of everything, computed from scratch
 * @settled: nothing is due or on the way, so sums agree across partitions as well */
void domain_check(const struct domain *domain, bool settled);

#endif
