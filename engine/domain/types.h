/* types.h - the words that every part of usher shares
 *
 * Nothing here does I/O, reads a clock or makes random numbers: time and entropy arrive as data.
 */
#ifndef USHER_ENGINE_DOMAIN_TYPES_H
#define USHER_ENGINE_DOMAIN_TYPES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "engine/base/id128.h"
#include "engine/base/limits.h"

/* A short text, not terminated; UTF-8, 0..TEXT_BYTES_MAX bytes. Borrowed: whoever keeps one
 * copies it. */
struct text {
    const char *bytes;
    uint8_t size;
};

/* A text that is kept. */
struct title {
    uint8_t size;
    char bytes[TEXT_BYTES_MAX];
};

static inline struct title title_of(const struct text *text) {
    struct title title = {.size = text->size};
    if (text->size > 0) memcpy(title.bytes, text->bytes, text->size);
    return title;
}

/* A place in the waiting room of one date, counted from 1 in the order of entry; never reused. */
typedef uint32_t place_t;

/* token - the capability that guards a user's calls on one date
 * It names the waiter by place, so the guard is O(1); the secret makes it unguessable. */
struct token {
    uint32_t date;
    place_t place;
    struct id128 secret;
};

/* A reservation's id is unique in the log: date in the upper half, sequence number (from 1) in the
 * lower. A payment's id is built alike. Both stay below 2^53 (DATES_MAX is 2^12). */
static inline uint64_t dated_id(uint32_t date, uint32_t sequence) {
    return (uint64_t)date << 32 | sequence;
}
static inline uint32_t dated_id_date(uint64_t id) { return (uint32_t)(id >> 32); }
static inline uint32_t dated_id_sequence(uint64_t id) { return (uint32_t)id; }

/* A partition owns its state alone and talks by messages. Ids are part of the log's format. */
#define PARTITION_CATALOGUE 0u
#define PARTITION_ACCOUNT_FIRST 0x00010000u       /* + 0..ACCOUNT_PARTITIONS-1 */
#define PARTITION_DATE_FIRST 0x01000000u          /* + date id, 1..DATES_MAX */
#define PARTITION_EVERY_DATE PARTITION_DATE_FIRST /* there is no date 0: all, in turn */

/* The kinds of partition: who decides what (decision.def), who is asked for what (command.def), who
 * owns what (entity.def). */
enum owner {
    OWNER_NONE, /* nobody: there is no such row */
    OWNER_CATALOGUE,
    OWNER_ACCOUNT,
    OWNER_DATE,
    OWNER_COUNT,
    OWNER_ANY = OWNER_COUNT, /* each of them */
    OWNER_EVERY_DATE,        /* all dates, in turn */
};

static inline uint32_t partition_of_date(uint32_t date) { return PARTITION_DATE_FIRST + date; }
static inline bool partition_is_date(uint32_t partition) {
    return partition >= PARTITION_DATE_FIRST;
}
static inline bool partition_is_account(uint32_t partition) {
    return partition >= PARTITION_ACCOUNT_FIRST && partition < PARTITION_DATE_FIRST;
}
static inline enum owner partition_owner(uint32_t partition) {
    if (partition_is_date(partition)) return OWNER_DATE;
    return partition_is_account(partition) ? OWNER_ACCOUNT : OWNER_CATALOGUE;
}
/* The last byte of a UUID is random in versions 4 and 7 and a hash in 3, 5 and 8. */
static inline uint32_t partition_of_user(const struct id128 *user) {
    return PARTITION_ACCOUNT_FIRST + user->bytes[15] % ACCOUNT_PARTITIONS;
}

/* States below are written to the log, sent on the wire (by their names) and stored in PostgreSQL:
 * the numbers are append-only. */

/* X(number, NAME, "name") */
#define DATE_STATES(X)                                                                             \
    X(1, DRAFT, "draft")         /* seats are being added */                                       \
    X(2, OPEN, "open")           /* on sale from sales_open_at */                                  \
    X(3, CLOSED, "closed")       /* paused: nobody enters, is admitted or holds; holds are paid */ \
    X(4, CANCELLED, "cancelled") /* for good: everybody is refunded */

#define TOKEN_STATES(X)                                                                            \
    X(1, WAITING, "waiting")                                                                       \
    X(2, ACTIVE, "active")                                                                         \
    X(3, EXPIRED, "expired")

#define TOKEN_ENDS(X)                                                                              \
    X(0, NONE, "none")                                                                             \
    X(1, PAID, "paid")         /* payment completed (Q10) */                                       \
    X(2, RESERVED, "reserved") /* policy token_expires_on = reservation (Q10) */                   \
    X(3, TIME, "time")         /* active_ttl is over (Q8) */                                       \
    X(4, LEFT, "left")         /* left by choice (Q11) */                                          \
    X(5, SILENT, "silent")     /* not heard from for waiting_timeout (Q6) */                       \
    X(6, REQUEUED, "requeued") /* entered again with reentry = requeue (Q4) */

#define RESERVATION_STATES(X)                                                                      \
    X(1, HELD, "held")                                                                             \
    X(2, PAYING, "paying") /* its hold cannot end now (P5) */                                      \
    X(3, PAID, "paid")                                                                             \
    X(4, REFUNDING, "refunding") /* the wallet is being credited */                                \
    X(5, REFUNDED, "refunded")                                                                     \
    X(6, EXPIRED, "expired")     /* the hold, or the user's active time, ended unpaid */           \
    X(7, RELEASED, "released")   /* given back by its owner before paying */                       \
    X(8, CANCELLED, "cancelled") /* the date was cancelled before it was paid */

#define LEDGER_REASONS(X)                                                                          \
    X(1, CHARGE, "charge")                                                                         \
    X(2, PAYMENT, "payment")                                                                       \
    X(3, VOID, "void") /* a payment that the date could not take any more: points are back */      \
    X(4, REFUND, "refund")

/* Why the engine could not serve for a while. */
#define OUTAGE_CAUSES(X)                                                                           \
    X(1, DOWN, "down")       /* it did not run: stopped, crashed, upgraded */                      \
    X(2, STALLED, "stalled") /* it stood still: frozen, suspended, starved, or its clock leapt */  \
    X(3, LOG, "log")         /* nothing could be made durable */

#define X(number, name, text) DATE_##name = (number),
enum date_state { DATE_STATES(X) };
#undef X
#define X(number, name, text) TOKEN_##name = (number),
enum token_state { TOKEN_STATES(X) };
#undef X
#define X(number, name, text) TOKEN_END_##name = (number),
enum token_end { TOKEN_ENDS(X) };
#undef X
#define X(number, name, text) RESERVATION_##name = (number),
enum reservation_state { RESERVATION_STATES(X) };
#undef X
#define X(number, name, text) LEDGER_##name = (number),
enum ledger_reason { LEDGER_REASONS(X) };
#undef X
#define X(number, name, text) OUTAGE_##name = (number),
enum outage_cause { OUTAGE_CAUSES(X) };
#undef X

/* What several states have in common; `state` is an enum reservation_state or token_state. */
/* reservation_is_unpaid - its seats are held: HELD, PAYING */
static inline bool reservation_is_unpaid(uint32_t state) {
    return state == RESERVATION_HELD || state == RESERVATION_PAYING;
}
/* reservation_is_sold - its seats are sold: PAID, REFUNDING */
static inline bool reservation_is_sold(uint32_t state) {
    return state == RESERVATION_PAID || state == RESERVATION_REFUNDING;
}
/* reservation_was_paid - now or once: PAID, REFUNDING, REFUNDED */
static inline bool reservation_was_paid(uint32_t state) {
    return reservation_is_sold(state) || state == RESERVATION_REFUNDED;
}
/* reservation_is_live - it has its seats: HELD, PAYING, PAID, REFUNDING */
static inline bool reservation_is_live(uint32_t state) {
    return reservation_is_unpaid(state) || reservation_is_sold(state);
}
/* token_is_live - WAITING, ACTIVE */
static inline bool token_is_live(uint32_t state) {
    return state == TOKEN_WAITING || state == TOKEN_ACTIVE;
}

/* Names as on the wire, in SQL and in the docs; "unknown" for a number outside the table. */
const char *date_state_name(uint32_t state);
const char *token_state_name(uint32_t state);
const char *token_end_name(uint32_t end);
const char *reservation_state_name(uint32_t state);
const char *ledger_reason_name(uint32_t reason);
const char *outage_cause_name(uint32_t cause);

#endif
