/* audit.h - the law, told a second time: does every decision of a log follow from those before it?
 *
 * Shares nothing with engine/domain but the format of decisions: a mistake in the engine's rules
 * or in its apply code must show here. Judges one decision after the other:
 * - a seat has at most one reservation; a request gets all its seats or none (R2, R5);
 * - a refused seat was taken at that moment (R4); nobody has more seats than allowed (R5);
 * - only active tokens hold; admission is in order of entry and within the capacity (Q2, Q7);
 * - reservations and payments move only along their tables; money is set aside before a seat is
 *   sold, posted once after it, refunded once (P3, P4); balances say what the wallet's rows add up
 *   to (W2); no point appears or vanishes.
 */
#ifndef USHER_TESTS_PROCESS_AUDIT_H
#define USHER_TESTS_PROCESS_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/domain/decision.h"
#include "tests/process/table.h"

#define AUDIT_COMPLAINTS_PRINTED 20u

struct audit_seat {
    uint64_t price;
    uint32_t reservation; /* that has it; 0: free */
    bool for_sale;
};

struct audit_reservation {
    uint32_t payer; /* place of the token that pays; 0: its own */
    struct id128 user;
    uint32_t place;
    uint32_t payment; /* latest attempt */
    uint32_t state;   /* enum reservation_state */
    uint64_t amount, expires_at;
    struct numbers seats;
};

struct audit_payment {
    struct id128 key;
    uint32_t reservation;
    uint8_t reserved, sold, posted, voided, refunded, closed; /* how often */
};

struct audit_place {
    struct id128 user, secret;
    uint32_t state; /* enum token_state */
    uint64_t expires_at;
};

/* What the engine refused to an active user. */
struct audit_refusal {
    uint64_t time_ms;
    uint32_t error, seat;
    uint32_t next; /* of the same user on the same date; 0: last */
    bool told;     /* testimony.c: a client has spoken of it */
};

/* [0] of each array is not used. */
struct audit_date {
    struct policy policy;
    uint32_t state; /* enum date_state */
    struct audit_seat *seats;
    struct audit_reservation *reservations;
    struct audit_payment *payments;
    struct audit_place *places;
    struct audit_refusal *refusals;
    uint32_t seat_count, reservation_count, payment_count, place_count, refusal_count;
    uint32_t first_waiting; /* no place before it waits */
    uint32_t active, active_most;
};

struct audit_wallet {
    struct id128 user;
    uint64_t charged, balance, reserved, spent, refunded;
};

struct audit {
    uint64_t complaints;
    uint64_t decisions;
    uint64_t lsn;                 /* of the decision that is being judged */
    struct audit_date **dates;    /* by id; NULL where there is none */
    struct audit_wallet *wallets; /* [0] is not used */
    uint32_t wallet_count;
    struct table wallet_of;   /* user -> index */
    struct table charges;     /* user, key -> amount */
    struct table seats_of;    /* user, date -> seats that they hold or own now */
    struct table refusals_of; /* user, date -> first and last index of refusals */
    uint64_t held, sold, refused_taken, refunded, admitted, credited; /* how often */
    uint64_t paying;         /* reservations in PAYING now */
    uint64_t open_transfers; /* reserved but neither posted nor voided; refunded but not closed */
};

void audit_begin(struct audit *audit);
/* audit_decision - a history_fn; context: struct audit */
void audit_decision(void *audit, const struct decision *decision, uint64_t lsn);
void audit_deinit(struct audit *audit);

/* audit_fail - say what is wrong, count it */
void audit_fail(struct audit *audit, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Lookups: NULL where there is none. */
const struct audit_reservation *audit_reservation(const struct audit *audit, uint64_t id);
const struct audit_payment *audit_payment(const struct audit *audit, uint64_t id);
const struct audit_place *audit_place(const struct audit *audit, uint32_t date, uint32_t place);
const struct audit_wallet *audit_wallet(const struct audit *audit, const struct id128 *user);

/* audit_money - complain unless points are conserved and, in a log at rest, nothing is half done */
void audit_money(struct audit *audit, bool at_rest);

#endif
