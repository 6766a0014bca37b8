/* reply.h - what a partition answers, typed; net turns it into bytes
 *
 * Pointers are into the partition's state: valid only while the reply sink's encode() runs.
 */
#ifndef USHER_ENGINE_DOMAIN_REPLY_H
#define USHER_ENGINE_DOMAIN_REPLY_H

#include "engine/domain/error.h"
#include "engine/domain/types.h"

struct catalogue;
struct account;
struct account_partition;
struct date;
struct reservation;

enum reply_kind {
    REPLY_NONE = 0,         /* deferred: a later message answers (never reaches the sink) */
    REPLY_ERROR,            /* error.def */
    REPLY_DONE,             /* {} : nothing more to say */
    REPLY_TOKEN,            /* queue.enter, queue.status, queue.leave */
    REPLY_SEATS,            /* seats.list, admin.seats_list */
    REPLY_RESERVATION,      /* seats.hold, seats.release, reservation.cancel */
    REPLY_RESERVATION_ITEM, /* one row of reservation.list; more may follow */
    REPLY_RESERVATION_END,  /* reservation.list is complete */
    REPLY_PAYMENT,          /* payment.pay */
    REPLY_WALLET,           /* wallet.charge, wallet.balance */
    REPLY_HISTORY,          /* wallet.history */
    REPLY_CONCERTS,         /* catalogue.concerts */
    REPLY_DATES,            /* catalogue.dates */
    REPLY_CREATED,          /* admin.concert_create, admin.date_create */
    REPLY_SEATS_ADDED,      /* admin.seats_add */
    REPLY_DATE,             /* admin.date_policy, date_open, date_close, date_cancel */
    REPLY_PING,             /* system.ping */
    REPLY_STATS,            /* system.stats */
};

struct reply {
    uint16_t kind;   /* enum reply_kind */
    uint16_t error;  /* enum error, REPLY_ERROR only */
    uint64_t now_ms; /* the moment of the answer */
    union {
        uint64_t data[ERROR_DATA_COUNT]; /* REPLY_ERROR: values of the row's data names */
        struct {
            struct token token;
            uint8_t state;         /* enum token_state */
            uint8_t end;           /* enum token_end, EXPIRED only */
            uint32_t ahead;        /* live waiters before this one; position is ahead + 1 */
            uint64_t eta_ms;       /* estimated wait until active; 0 when active */
            uint64_t next_poll_ms; /* poll again after this; 0 when expired */
            uint64_t expires_at;   /* Unix ms: end of ACTIVE; WAITING: when silence drops it */
            struct id128 user;     /* none: forgotten, like its token (EXPIRED only) */
        } token;
        struct {
            const struct date *date;
            uint32_t first, limit;
            bool all;
        } seats;
        struct {
            const struct date *date;
            const struct reservation *reservation;
        } reservation; /* also REPLY_RESERVATION_ITEM */
        struct {
            const struct date *date;
            const struct reservation *reservation;
            uint64_t balance; /* spendable balance just after the payment */
        } payment;
        struct {
            struct id128 user;
            uint64_t balance;  /* spendable */
            uint64_t reserved; /* set aside by payments under way */
        } wallet;
        struct {
            struct id128 user;
            const struct account_partition *partition;
            const struct account *account; /* NULL: this user has no wallet yet */
        } history;
        struct {
            const struct catalogue *catalogue;
            bool drafts; /* with dates that are not public yet (O2) */
        } concerts;
        struct {
            const struct catalogue *catalogue;
            uint32_t concert;
            bool available_only, drafts;
            bool has_token;   /* and it is active on a date of this concert */
            uint16_t refusal; /* enum error: what is wrong with the one that was given */
            uint64_t refusal_data;
        } dates; /* seat counts come from the board (engine/runtime/board.h) */
        struct {
            uint32_t concert;
            uint32_t date; /* 0 for admin.concert_create */
        } created;
        struct {
            uint32_t seats; /* seats of the date now */
            uint32_t next;  /* number of the next seat to add */
        } seats_added;
        struct {
            const struct date *date;
        } date;
    };
};

#endif
