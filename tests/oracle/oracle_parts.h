/* oracle_parts.h - what the oracle's own files share */
#ifndef USHER_TESTS_ORACLE_ORACLE_PARTS_H
#define USHER_TESTS_ORACLE_ORACLE_PARTS_H

#include "tests/oracle/oracle.h"

/* DEMAND - something of the record that is judged; leaves the function with false if it is not so
 * @what: what must be, as a sentence */
#define DEMAND(matter, rule, condition, what)                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            oracle_forbid(oracle, ORACLE_##matter, rule, what);                                    \
            return false;                                                                          \
        }                                                                                          \
    } while (0)
void oracle_forbid(struct oracle *oracle, enum oracle_matter matter, const char *rule,
                   const char *what);

/* APPEND - one more element, all zero, of an array that goes from 1 to count */
#define APPEND(array, count)                                                                       \
    ((array) = oracle_grown(array, count, sizeof *(array)),                                        \
     memset(&(array)[(count) + 1], 0, sizeof *(array)), &(array)[++(count)])
void *oracle_grown(void *array, uint32_t count, size_t size);

void oracle_changed(struct oracle *oracle, enum oracle_what what, uint32_t date, uint32_t number,
                    uint64_t value);
uint64_t *oracle_of_user(struct table *table, const struct id128 *user, uint32_t date);
struct oracle_wallet *oracle_open_wallet(struct oracle *oracle, const struct id128 *user);

/* Each judges a decision of one kind of partition. Return: whether it was allowed */
bool oracle_judge_date(struct oracle *oracle, const struct decision *decision);
bool oracle_judge_account(struct oracle *oracle, const struct decision *decision);

/* --- oracle_room.c: the waiting room ---------------------------------------------------------- */
bool oracle_sales_ended(const struct oracle_date *date, uint64_t now_ms); /* O3 */
bool oracle_interval_has_room(const struct oracle_date *date, uint64_t now_ms);
uint32_t oracle_first_waiting(struct oracle_date *date); /* 0: nobody */
struct oracle_place *oracle_live_place(const struct oracle_date *date, uint32_t place);
void oracle_end_token(struct oracle *oracle, struct oracle_date *date, uint32_t place, uint8_t end);
bool oracle_entered(struct oracle *oracle, struct oracle_date *date,
                    const struct decision *decision);
bool oracle_admitted(struct oracle *oracle, struct oracle_date *date,
                     const struct decision *decision);
bool oracle_token_expired(struct oracle *oracle, struct oracle_date *date,
                          const struct decision *decision);
bool oracle_credited(struct oracle *oracle, struct oracle_date *date,
                     const struct decision *decision);

/* --- oracle_date.c: reservations -------------------------------------------------------------- */
void oracle_set_state(struct oracle *oracle, struct oracle_date *date, uint32_t sequence,
                      uint8_t state);
/* oracle_spend - the token has ended by a hold or a payment: its other holds stand without it */
void oracle_spend(struct oracle *oracle, struct oracle_date *date, uint32_t place);
/* oracle_is_backed - does a token still stand behind an unpaid reservation? */
bool oracle_is_backed(const struct oracle_date *date, const struct oracle_reservation *reservation,
                      uint64_t now_ms);
/* oracle_newest - of a user; the others follow by `older` */
uint32_t oracle_newest(const struct oracle *oracle, const struct oracle_date *date,
                       const struct id128 *user);

/* --- oracle_payment.c ------------------------------------------------------------------------- */
bool oracle_judge_payment(struct oracle *oracle, struct oracle_date *date,
                          const struct decision *decision);

#endif
