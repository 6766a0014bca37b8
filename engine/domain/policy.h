/* policy.h - what one date decides differently from another
 *
 * The five systems that usher replaces disagree on these points (engine/README.md, "Policies"); one
 * policy per date serves them all. Set when the date is created, changed live by a logged decision.
 *
 * P(index, name, default, min, max): every value is an unsigned integer of 64 bits; durations are
 * milliseconds. The index is the position in the log's encoding: append-only. A log that is older
 * than a row reads it as its default.
 */
#ifndef USHER_ENGINE_DOMAIN_POLICY_H
#define USHER_ENGINE_DOMAIN_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/limits.h"

enum { ORDER_FIFO = 0 };
enum { REENTRY_KEEP = 0, REENTRY_REQUEUE = 1 };
enum { TOKEN_EXPIRES_ON_PAYMENT = 0, TOKEN_EXPIRES_ON_RESERVATION = 1 };

#define POLICY_YEAR_MS (366ull * 24 * 3600 * 1000)

#define POLICY_FIELDS(P)                                                                           \
    P(0, order, ORDER_FIFO, ORDER_FIFO, ORDER_FIFO)            /* Q2 */                            \
    P(1, reentry, REENTRY_KEEP, REENTRY_KEEP, REENTRY_REQUEUE) /* Q4 */                            \
    P(2, token_expires_on, TOKEN_EXPIRES_ON_PAYMENT, TOKEN_EXPIRES_ON_PAYMENT,                     \
      TOKEN_EXPIRES_ON_RESERVATION)                      /* Q10 */                                 \
    P(3, gate_dates, 0, 0, 1)                            /* C5 */                                  \
    P(4, waiting_timeout_ms, 60000, 100, POLICY_YEAR_MS) /* Q6 */                                  \
    P(5, active_capacity, 10, 0, ACTIVE_PER_DATE_MAX)    /* Q7 */                                  \
    P(6, active_ttl_ms, 420000, 100, POLICY_YEAR_MS)     /* Q8 */                                  \
    P(7, admit_per_interval, 0, 0, ACTIVE_PER_DATE_MAX)  /* Q9, 0: at once */                      \
    P(8, admit_interval_ms, 0, 0, POLICY_YEAR_MS)        /* Q9, 0: at once */                      \
    P(9, hold_ttl_ms, 300000, 100, POLICY_YEAR_MS)       /* R1 */                                  \
    P(10, max_seats_per_user, 4, 1, SEATS_PER_USER_MAX)  /* R5 */                                  \
    P(11, sales_open_at, 0, 0, TIME_MS_MAX)              /* Q13, Unix ms */                        \
    P(12, outage_credit, 1, 0, 1)                        /* X7 */                                  \
    P(13, admit_first_at_once, 0, 0, 1)                  /* Q9 */                                  \
    P(14, sales_end_at, 0, 0, TIME_MS_MAX)               /* O3, Unix ms, 0: no end */              \
    P(15, refund_until, 0, 0, TIME_MS_MAX)               /* O3, Unix ms, 0: no end */

/* Fields that were there from the beginning. The state hash covers them always, a later field only
 * where it is not at its default: logs that are older than a field keep their hashes. */
#define POLICY_FIELDS_FIRST 12

struct policy {
#define P(index, name, initial, min, max) uint64_t name;
    POLICY_FIELDS(P)
#undef P
};

enum {
#define P(index, name, initial, min, max) POLICY_INDEX_##name = (index),
    POLICY_FIELDS(P)
#undef P
        POLICY_FIELD_COUNT
};

/* One row of the table above, for code that sets fields by name (wire, tools, SQL). */
struct policy_row {
    const char *name;
    uint64_t initial, min, max;
};

/* How a field's value is written for people, in JSON and on the wire. */
enum policy_form {
    POLICY_NUMBER = 1,
    POLICY_WORD,    /* one of a few: policy_value_name() */
    POLICY_BOOLEAN, /* "false" and "true" are its words */
    POLICY_MOMENT,  /* Unix ms, 0: none */
};
enum policy_form policy_form(uint32_t index);

/* policy_value_name - the word for an enumerated value ("fifo", "keep", "requeue", "payment",
 * "reservation", "false", "true"), as on the wire
 * Return: static text, or NULL where the field is a plain number */
const char *policy_value_name(uint32_t index, uint64_t value);
/* policy_value_find - the value for such a word
 * Return: the value, or -1 where the field is a plain number or has no such word */
int policy_value_find(uint32_t index, const char *word, uint32_t size);

/* policy_default - every field at its default */
void policy_default(struct policy *policy);
/* policy_row - the row of a field; index 0..POLICY_FIELD_COUNT-1 */
const struct policy_row *policy_row(uint32_t index);
/* policy_find - the index of a field's name, or -1 */
int policy_find(const char *name, uint32_t size);
uint64_t policy_get(const struct policy *policy, uint32_t index);
/* policy_set - change one field; any value (policy_check says whether it is in range) */
void policy_set(struct policy *policy, uint32_t index, uint64_t value);
/* policy_check - Return: -1 if every field is in its range, else the index of the first that is
 * not */
int policy_check(const struct policy *policy);

#endif
