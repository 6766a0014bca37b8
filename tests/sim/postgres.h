/* postgres.h - a PostgreSQL in memory that loses connections and COMMITs on command
 *
 * Stands in for the server behind replay/postgres/sql.h: postgres_sql.c defines the functions of
 * sql.c, so the real projection runs unchanged, in the caller's thread, and no libpq is linked. It
 * is no SQL engine: it knows the statements that the projection sends (replay/postgres/sql), by
 * their role, keeps what they mean - transactions, the guarded state row, staged and folded rows -
 * and takes anything else for a bug: postgres_failure().
 *
 * Happy path: postgres_create; its conninfo goes into projection_options; step the projection;
 * postgres_check compares every applied row with the log.
 * What is kept: each staged decision that was folded and committed, rebuilt from the COPY stream as
 * a record of the log (decision.h), so that it can be compared byte for byte.
 * What is not: the SQL of the fold itself is not run; tests/integration/projection does that with a
 * real server. Here each step is checked to run once, after the rows that it reads were copied.
 * Thread: one. Nothing sleeps, nothing is random: whoever calls has the seed.
 */
#ifndef USHER_TESTS_SIM_POSTGRES_H
#define USHER_TESTS_SIM_POSTGRES_H

#include <stdbool.h>
#include <stdint.h>

#include "replay/source/source.h"

struct postgres;

/* postgres_create - a server with an empty database
 * Return: owned by the caller until postgres_free(), which no connection may outlive */
struct postgres *postgres_create(void);
void postgres_free(struct postgres *postgres);

/* postgres_conninfo - names this server, and no other, to sql_open(); borrowed */
const char *postgres_conninfo(const struct postgres *postgres);

/* --- faults ----------------------------------------------------------------------------------- */

enum postgres_fault {
    POSTGRES_FAULT_REFUSED = 0,   /* the next connection is refused */
    POSTGRES_FAULT_LOST,          /* connection lost at a statement other than COMMIT */
    POSTGRES_FAULT_DISK_FULL,     /* for a while statements fail (SQLSTATE 53100), COMMIT too */
    POSTGRES_FAULT_TIMEOUT,       /* a statement inside a batch runs into its timeout (57014) */
    POSTGRES_FAULT_INVALID,       /* a statement inside a batch breaks a constraint (23514), once */
    POSTGRES_FAULT_COMMIT_LOST,   /* lost with COMMIT sent: rolled back */
    POSTGRES_FAULT_COMMIT_UNTOLD, /* lost with COMMIT sent: committed, the answer is lost */
    POSTGRES_FAULT_COMMIT_LATE,   /* likewise, but only when somebody waits for its row lock */
    POSTGRES_FAULT_COMMIT_HUNG,   /* likewise, but it is rolled back then */
    POSTGRES_FAULT_COUNT
};

/* postgres_fault_name - "commit untold" */
const char *postgres_fault_name(uint32_t fault);

/* postgres_fault - this happens once
 * @after: so many moments at which it could happen pass first: connections, statements, statements
 *         of a batch, COMMITs of a batch
 * One of each fault can be under way; a second call moves the first. */
void postgres_fault(struct postgres *postgres, enum postgres_fault fault, uint32_t after);

/* postgres_stop - the server dies: connections are lost, what is not committed is rolled back;
 * connections are refused until postgres_start */
void postgres_stop(struct postgres *postgres);
void postgres_start(struct postgres *postgres);

/* postgres_restore - the server restarts from the backup of so many commits ago
 * Not further back than the schema's last creation. Return: commits undone */
uint32_t postgres_restore(struct postgres *postgres, uint32_t commits);

/* postgres_refuse - the decision that ends at this LSN breaks a constraint (23505), always */
void postgres_refuse(struct postgres *postgres, uint64_t lsn);

/* postgres_slow - a batch of more rows than that runs into the statement timeout, always */
void postgres_slow(struct postgres *postgres, uint32_t rows);

/* postgres_heal - forget every fault that has not happened yet, _refuse and _slow; start */
void postgres_heal(struct postgres *postgres);

/* --- what has been applied -------------------------------------------------------------------- */

struct postgres_status {
    bool exists; /* there is a state row; the next seven are 0 otherwise */
    char log_id[37], run_id[37];
    uint64_t run;
    uint64_t epoch;
    uint64_t applied_lsn;
    uint64_t decisions;
    uint64_t rows;                           /* applied, one per decision that has rows */
    uint64_t commits;                        /* that changed something, since the server was made */
    uint32_t happened[POSTGRES_FAULT_COUNT]; /* by fault */
};

void postgres_status(const struct postgres *postgres, struct postgres_status *ret_status);

struct postgres_row {
    uint64_t lsn;
    const uint8_t *record; /* borrowed until the next statement of any connection */
    uint32_t size;         /* bytes */
};

/* postgres_row - in the order in which they were applied; those of one batch by LSN
 * @index: below status.rows */
struct postgres_row postgres_row(const struct postgres *postgres, uint64_t index);

#define POSTGRES_TEXT_BYTES 512u

/* postgres_check - is every decision of this log up to the applied LSN there once, unchanged?
 * Also that nothing else is, that the LSN is the end of a record, and that the count is right. What
 * was found right before is not looked at again, unless a restore has undone it.
 * @source:   moved; must reach back to where the last call ended
 * @ret_text: on failure: which decision, and what is wrong with it
 * Return: 0; <0 not so, or the source cannot be read */
int postgres_check(struct postgres *postgres, struct record_source *source,
                   char ret_text[POSTGRES_TEXT_BYTES]);

/* postgres_failure - the first thing that a client did and no projection may do: a statement
 * that nobody knows, a COPY stream that cannot be read, rows that no step folds
 * Return: borrowed; NULL if there was none */
const char *postgres_failure(const struct postgres *postgres);

#endif
