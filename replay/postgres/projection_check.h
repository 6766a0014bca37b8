/* projection_check.h - are the rows in PostgreSQL what the engine has in memory?
 *
 * Compares, entity by entity, what both know: dates, seats and who has them, live reservations,
 * live tokens, wallets; and counts and sums of what the engine has forgotten. For operators, and
 * for the end of every integration test.
 */
#ifndef USHER_REPLAY_POSTGRES_PROJECTION_CHECK_H
#define USHER_REPLAY_POSTGRES_PROJECTION_CHECK_H

#include "engine/domain/partition/world.h"

/* Lines beyond this are counted, not kept: the first few say what is wrong. */
#define PROJECTION_REPORT_BYTES 8192u

struct projection_comparison {
    uint64_t compared;   /* entities */
    uint64_t mismatches; /* 0: PostgreSQL agrees with the engine */
    uint64_t applied_lsn;
    char text[PROJECTION_REPORT_BYTES]; /* a line for each, or why it could not be checked */
};

/* projection_check - compare
 * @world: the state at the LSN that PostgreSQL has applied; at another one they must differ
 * Reads in one snapshot (REPEATABLE READ), so a projection may be running.
 * Return: 0 (see ret_report->mismatches); <0 PostgreSQL cannot be asked */
int projection_check(const char *conninfo, const struct world *world,
                     struct projection_comparison *ret_report);

#endif
