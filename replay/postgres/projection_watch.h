/* projection_watch.h - how far PostgreSQL is behind, and what to tell an operator about it
 *
 * Happy path: projection_watch_step about once a second; it measures the lag and now and then has a
 * sentence: away, still away (at widening intervals), back, caught up. Nothing is said of a failure
 * that passes within seconds, nor of a projection that has stopped: its alarm says that.
 * It keeps numbers and makes text; it prints nothing and knows no clock. One thread.
 * Source: replay/postgres/README.md, "When PostgreSQL is away"
 */
#ifndef USHER_REPLAY_POSTGRES_PROJECTION_WATCH_H
#define USHER_REPLAY_POSTGRES_PROJECTION_WATCH_H

#include "replay/postgres/projection.h"

/* Failing for less than this is nobody's business. */
#define PROJECTION_WATCH_AWAY_MS 5000u
/* Between reminders: at first, doubled each time, and at most. */
#define PROJECTION_WATCH_REMIND_MS_MIN 60000u
#define PROJECTION_WATCH_REMIND_MS_MAX 3600000u
/* Under load a batch is always under way: as far behind as that is caught up. */
#define PROJECTION_WATCH_CAUGHT_UP_MS 2000u

/* The log, when PostgreSQL is looked at; taken after the status. */
struct projection_look {
    uint64_t now_ms;      /* of the projection's clock */
    uint64_t durable_lsn; /* what PostgreSQL could have */
    uint64_t records;   /* that this run has logged: those up to durable_lsn, at most a few more */
    uint64_t start_lsn; /* where the log ended when this run began */
    uint64_t start_decisions; /* about as many were in it then */
};

struct projection_watch {
    uint64_t lag_decisions; /* durable, and not in PostgreSQL; 0: it has everything */
    uint64_t lag_ms;        /* since when; likewise */

    /* Its own. */
    uint64_t began_ms;    /* first step; 0: none yet */
    uint64_t complete_ms; /* when PostgreSQL was last seen to have everything; 0: never */
    uint64_t before;      /* decisions in PostgreSQL from before this run, once `exact` */
    bool exact;
    uint32_t mood;          /* enum mood, in projection_watch.c */
    uint64_t away_since_ms; /* of the absence that was told */
    uint64_t remind_at_ms, remind_ms;
};

#define PROJECTION_WATCH_TEXT_BYTES (PROJECTION_TEXT_BYTES + 256u)

/* projection_watch_step - one look; begin with a struct of zeros
 * @ret_text: on true only
 * Return: there is something to tell */
bool projection_watch_step(struct projection_watch *watch, const struct projection_status *status,
                           const struct projection_look *look,
                           char ret_text[PROJECTION_WATCH_TEXT_BYTES]);

#endif
