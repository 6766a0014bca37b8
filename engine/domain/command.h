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

enum command_kind {
    COMMAND_NONE = 0,
#define COMMAND(KIND, method, OWNER, LISTENER, NAMED_BY, ENTROPY, REQUIRED, OPTIONAL)              \
    COMMAND_##KIND,
#include "engine/domain/command.def"
#undef COMMAND
    COMMAND_COUNT
};

enum command_listener { LISTENER_PUBLIC, LISTENER_ADMIN, LISTENER_MESSAGE };

enum named_by {
    NAMED_BY_FIXED,
    NAMED_BY_USER,
    NAMED_BY_DATE,
    NAMED_BY_TOKEN,
    NAMED_BY_RESERVATION,
    NAMED_BY_PAYER,
    NAMED_BY_VOUCHER,
    NAMED_BY_SENDER,
};

/* A row of command.def. */
struct command_row {
    const char *method; /* static; "" for messages */
    uint8_t owner;      /* enum owner */
    uint8_t listener;   /* enum command_listener */
    uint8_t named_by;   /* enum named_by */
    uint8_t entropy;    /* offset of the id128 in struct command; 0: none */
};

/* command_row - kind: 1..COMMAND_COUNT-1 */
const struct command_row *command_row(uint32_t kind);
static inline const char *command_method(uint32_t kind) { return command_row(kind)->method; }

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
        struct { /* RESERVATION_LIST; date 0: all dates, asked at PARTITION_EVERY_DATE */
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

/* command_entropy - what the runtime fills in at random before this is decided; NULL: nothing */
static inline struct id128 *command_entropy(struct command *command) {
    uint8_t offset = command_row(command->kind)->entropy;
    return offset ? (struct id128 *)((uint8_t *)command + offset) : NULL;
}

#endif
