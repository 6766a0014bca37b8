/* command.h - what a partition is asked to decide: requests of clients and messages of partitions
 *
 * Messages between two partitions arrive in the order in which they were sent. One may be sent
 * twice (a double click, a crash), but never arrives after one that was sent later: an account
 * forgets a payment when it is posted, and would take a late copy for a new one.
 *
 * A command is data. Its pointers are borrowed from whoever made it and stay valid until the
 * request is released (requests) or for the call (messages have none).
 */
#ifndef USHER_ENGINE_DOMAIN_COMMAND_H
#define USHER_ENGINE_DOMAIN_COMMAND_H

#include "engine/domain/policy.h"
#include "engine/domain/types.h"

/* COMMAND(KIND, "method" on the wire or "" for a message, decided by)
 * The order is not stored anywhere: rows may be added where they read best. */
#define COMMANDS(COMMAND)                                                                          \
    /* public listener */                                                                          \
    COMMAND(QUEUE_ENTER, "queue.enter", DATE)                                                      \
    COMMAND(QUEUE_STATUS, "queue.status", DATE)                                                    \
    COMMAND(QUEUE_LEAVE, "queue.leave", DATE)                                                      \
    COMMAND(CATALOGUE_CONCERTS, "catalogue.concerts", CATALOGUE)                                   \
    COMMAND(CATALOGUE_DATES, "catalogue.dates", CATALOGUE) /* a token is checked first: DATE */    \
    COMMAND(SEATS_LIST, "seats.list", DATE)                                                        \
    COMMAND(SEATS_HOLD, "seats.hold", DATE)                                                        \
    COMMAND(SEATS_RELEASE, "seats.release", DATE)                                                  \
    COMMAND(RESERVATION_LIST, "reservation.list", EVERY_DATE)                                      \
    COMMAND(RESERVATION_CANCEL, "reservation.cancel", DATE)                                        \
    COMMAND(PAYMENT_PAY, "payment.pay", DATE)                                                      \
    COMMAND(WALLET_CHARGE, "wallet.charge", ACCOUNT)                                               \
    COMMAND(WALLET_BALANCE, "wallet.balance", ACCOUNT)                                             \
    COMMAND(WALLET_HISTORY, "wallet.history", ACCOUNT)                                             \
    COMMAND(SYSTEM_PING, "system.ping", CATALOGUE)                                                 \
    COMMAND(SYSTEM_STATS, "system.stats", CATALOGUE)                                               \
    /* admin listener */                                                                           \
    COMMAND(CONCERT_CREATE, "admin.concert_create", CATALOGUE)                                     \
    COMMAND(DATE_CREATE, "admin.date_create", CATALOGUE)                                           \
    COMMAND(SEATS_ADD, "admin.seats_add", DATE)                                                    \
    COMMAND(DATE_SEATS, "admin.seats_list", DATE)                                                  \
    COMMAND(DATE_POLICY, "admin.date_policy", DATE)                                                \
    COMMAND(DATE_OPEN, "admin.date_open", DATE)                                                    \
    COMMAND(DATE_CLOSE, "admin.date_close", DATE)                                                  \
    COMMAND(DATE_CANCEL, "admin.date_cancel", DATE)                                                \
    /* messages between partitions: engine/README.md, "Payment" */                                 \
    COMMAND(FUNDS_RESERVE, "", ACCOUNT) /* date -> account: may these points be spent? */          \
    COMMAND(FUNDS_RESERVED, "", DATE)   /* account -> date: they are set aside */                  \
    COMMAND(FUNDS_REFUSED, "", DATE)    /* account -> date: too little */                          \
    COMMAND(FUNDS_POST, "", ACCOUNT)    /* date -> account: sold, spend them */                    \
    COMMAND(FUNDS_VOID, "", ACCOUNT)    /* date -> account: not sold, give them back */            \
    COMMAND(FUNDS_REFUND, "", ACCOUNT)  /* date -> account: credit a paid reservation */           \
    COMMAND(FUNDS_REFUNDED, "", DATE)   /* account -> date: credited */                            \
    COMMAND(REFUND_CLOSE, "", ACCOUNT)  /* date -> account: the seats are free, forget it */

enum command_kind {
    COMMAND_NONE = 0,
#define COMMAND(kind, method, decider) COMMAND_##kind,
    COMMANDS(COMMAND)
#undef COMMAND
        COMMAND_COUNT
};
#define COMMAND_ADMIN_FIRST COMMAND_CONCERT_CREATE
#define COMMAND_MESSAGE_FIRST COMMAND_FUNDS_RESERVE

enum command_decider {
    DECIDER_CATALOGUE = 1,
    DECIDER_ACCOUNT,
    DECIDER_DATE,
    DECIDER_EVERY_DATE, /* each date in turn adds its part */
};
/* Static text; "" for messages. kind: 1..COMMAND_COUNT-1 */
const char *command_method(uint32_t kind);
enum command_decider command_decider(uint32_t kind);

/* A seat as a client names it: by plain number (name.bytes NULL) or by guid or
 * "section/row/number" label. */
struct seat_ref {
    uint32_t number;
    struct text name;
};

/* A seat as an organiser adds it. */
struct seat_spec {
    uint64_t price; /* points, 0..AMOUNT_MAX */
    bool for_sale;
    struct text section, row, seat; /* row 12, seat "16 bis" */
    struct text guid;               /* unique in its date; may be empty */
};

struct command {
    uint16_t kind; /* enum command_kind */
    bool is_admin; /* it came over the admin listener: drafts are shown to it (O2) */
    uint32_t partition;
    /* Opaque to the domain: the request to answer, carried along by every message that follows
     * from it; 0 where nobody waits (recovery, cancellation of a date). */
    uintptr_t origin;
    union {
        struct { /* QUEUE_ENTER */
            struct id128 user;
            struct id128 secret; /* entropy for the token, stamped by the runtime */
            struct id128 key;    /* digest of the idempotency key, or none */
        } enter;
        struct { /* QUEUE_STATUS, QUEUE_LEAVE */
            struct token token;
        } queue;
        struct { /* CATALOGUE_DATES */
            uint32_t concert;
            bool has_token;
            bool available_only; /* only dates that can be booked now (C2) */
            struct token token;
            /* Set by the token's date, not by the client. A bad token is a refusal only where one
             * of the dates is gated. */
            bool is_judged;
            bool token_is_active;
            uint32_t token_concert; /* concert of the token's date; set with token_is_active */
            uint16_t refusal;       /* enum error: why the token is not active */
            uint64_t refusal_data;
        } dates;
        struct {                /* SEATS_LIST, DATE_SEATS */
            struct token token; /* SEATS_LIST */
            uint32_t first;     /* lowest seat number to list, from 1 */
            uint32_t limit;     /* 1..SEATS_LIST_MAX */
            bool all;           /* held and sold seats too */
        } list;
        struct { /* SEATS_HOLD */
            struct token token;
            const struct seat_ref *seats;
            uint32_t count; /* 1..SEATS_PER_USER_MAX */
        } hold;
        struct { /* SEATS_RELEASE */
            struct token token;
            uint64_t reservation;
        } release;
        struct { /* PAYMENT_PAY */
            struct token token;
            uint64_t reservation;
            struct id128 key; /* digest of the idempotency key, never none */
            /* Instead of the token, where that has ended with the hold (P1); none: the token
             * counts. */
            struct id128 user;
        } pay;
        struct { /* RESERVATION_LIST; date 0: all dates */
            struct id128 user;
            uint32_t date;
        } reservations;
        struct { /* RESERVATION_CANCEL */
            struct id128 user;
            uint64_t reservation;
            struct id128 key; /* digest of the idempotency key, never none */
        } cancel;
        struct { /* WALLET_CHARGE, WALLET_BALANCE, WALLET_HISTORY */
            struct id128 user;
            uint64_t amount;  /* WALLET_CHARGE */
            struct id128 key; /* WALLET_CHARGE: digest of the idempotency key, never none */
        } wallet;
        struct { /* CONCERT_CREATE */
            struct text title;
            struct id128 key; /* digest of the idempotency key, or none */
        } concert;
        struct { /* DATE_CREATE */
            uint32_t concert;
            struct text title;
            uint64_t starts_at;
            const struct policy *policy;
            struct id128 seed; /* entropy, stamped by the runtime */
            struct id128 key;  /* digest of the idempotency key, or none */
        } date;
        struct {            /* SEATS_ADD */
            uint32_t first; /* number of the first seat: how many the date has, plus one */
            uint32_t count; /* 1..SEATS_ADD_MAX */
            const struct seat_spec *seats;
        } seats;
        struct { /* DATE_POLICY: the fields of `policy` whose bit is set in `fields` */
            const struct policy *policy;
            uint64_t fields; /* bit i: field with index i */
        } policy;
        struct {              /* DATE_CANCEL: the date named again (O5) */
            uint64_t number;  /* its id; 0: none was given */
            struct text name; /* its title, or its id in digits; NULL: none was given */
        } confirm;
        struct { /* messages */
            struct id128 user;
            uint64_t payment;     /* dated_id */
            uint64_t reservation; /* dated_id */
            uint64_t amount;
            uint64_t balance; /* FUNDS_RESERVED, FUNDS_REFUSED, FUNDS_REFUNDED: spendable now */
        } funds;
    };
};

#endif
