/* date.h - one concert date: its seats, reservations, waiting room and policy
 *
 * The read side, for replies, the board and tests; which file has which rules: date_rules.h.
 * Thread: the shard that owns the date, alone.
 */
#ifndef USHER_ENGINE_DOMAIN_DATE_DATE_H
#define USHER_ENGINE_DOMAIN_DATE_DATE_H

#include "engine/domain/partition_kind.h"
#include "engine/domain/date/reservations.h"
#include "engine/domain/date/seat_map.h"
#include "engine/domain/date/waiting_room.h"

/* What the board shows of a date. */
struct date_counters {
    uint32_t state;           /* enum date_state */
    uint32_t seats_total;     /* for sale or not */
    uint32_t seats_for_sale;  /* total less those that are not for sale */
    uint32_t seats_available; /* for sale, neither held nor sold */
    uint32_t seats_held;      /* HELD, PAYING */
    uint32_t seats_sold;      /* PAID, REFUNDING */
    uint32_t waiting;         /* live waiters */
    uint32_t active;
    uint64_t entered;       /* places handed out since the date exists */
    uint64_t points_sold;   /* price of all seats that are sold now */
    uint64_t sales_open_at; /* Unix ms */
    uint64_t sales_end_at;  /* Unix ms, 0: no end */
    bool gate_dates;        /* C5 */
};

/* date_row_is_draft - known to admins only (O2). A date whose first drain is not on the board yet
 * has an all-zero row. */
bool date_row_is_draft(const struct date_counters *counters);
/* date_row_is_bookable - can somebody who enters now buy a seat (C2, O3)? */
bool date_row_is_bookable(const struct date_counters *counters, uint64_t now_ms);

struct date {
    struct partition partition; /* first: a partition pointer is a date pointer */
    uint32_t id;                /* 1..DATES_MAX */
    uint32_t concert;
    uint64_t starts_at; /* Unix ms */
    struct title title; /* the catalogue's; an image has it there (O5) */
    uint32_t state;     /* enum date_state */
    struct policy policy;
    uint32_t payment_count; /* payment sequence numbers handed out */
    uint64_t points_sold;

    struct seat_map seats;
    struct reservations reservations;
    struct waiting_room room;

    /* Sweep over reservations for unfinished payments and refunds, and for those of a cancelled
     * date; volatile. Sequence looked at last; reservations.sequence_count: finished. In order of
     * sequence, and not of slots, so that it goes alike however the state came about. */
    uint32_t volatile_sweep;
    /* Time has passed sales_end_at when it was last looked at: nobody is due for admission (O3). */
    bool volatile_sales_over;
};

/* date_is_hidden - O2: of a draft the public does not know */
static inline bool date_is_hidden(const struct date *date, bool is_admin) {
    return date->state == DATE_DRAFT && !is_admin;
}

/* date_create - what a DATE_CREATED decision brings into being
 * A live date also needs partition_resume(): before it, nobody's silence is noticed (Q6).
 * Return: owned by the caller until partition_free() */
struct date *date_create(const struct decision_date_created *created);

/* date_restore - a date of an image, still without seats, reservations and waiters (image_date.c)
 * @title: what the catalogue has
 * Return: owned by the caller until partition_free() */
struct date *date_restore(const struct entity_date *saved, const struct title *title);

void date_counters(const struct date *date, struct date_counters *ret_counters);

#endif
