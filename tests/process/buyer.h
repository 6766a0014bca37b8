/* buyer.h - a worker that buys, gives back and stands in line, whatever happens to the engine
 *
 * One fan's life after the other: enter, hold, charge, pay, often cancel. Whatever gets no answer
 * is asked again, with the same idempotency key, until it has one: then the outcome is known, and
 * must be the same as the one that the engine may have reached before it died. After every loss the
 * buyer asks what it has (reservation.list, wallet.balance) and compares with its own count; and
 * its fans who stand in line must still stand there, not further back.
 *
 * arena->dates[0] is the line: a date that admits a few who never leave. The others are for sale.
 */
#ifndef USHER_TESTS_PROCESS_BUYER_H
#define USHER_TESTS_PROCESS_BUYER_H

#include "tests/process/caller.h"
#include "tests/process/workers.h"

#define BUYER_DATES 4u /* the line and three for sale */
#define BUYER_SEATS 8000u

/* buyer_dates - make them, and fill in the arena */
void buyer_dates(const char *admin_url, struct workers_arena *arena);

/* buyer_run - a worker_fn: until arena->stop */
int buyer_run(const struct worker *worker);

/* buyer_burst_run - a worker_fn: the same, but so many fans at a time pay in the same moment, which
 * arena->bursts announces: who kills the engine then catches payments on their way. Of those that
 * got no answer only some are asked again; the engine must finish the others by itself. */
int buyer_burst_run(const struct worker *worker);

#endif
