/* sql.h - one PostgreSQL connection that never waits without a deadline
 *
 * The only door to libpq. The socket is non-blocking: whatever is being sent, answers are read
 * meanwhile, so neither end can block on a full buffer (the trap of COPY). Every wait ends at its
 * deadline or when the caller's wake descriptor becomes readable.
 *
 * Happy path: sql_open, then sql_run and sql_copy as often as wanted, sql_close.
 * Failure modes: see enum sql_result. After SQL_LOST the connection is of no use but for
 * sql_error() and sql_close(); whether a COMMIT that was on its way took place is unknown.
 * Thread: one at a time.
 */
#ifndef USHER_REPLAY_POSTGRES_SQL_H
#define USHER_REPLAY_POSTGRES_SQL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sql;

enum sql_result {
    SQL_OK = 0,
    SQL_LOST = 1,    /* no connection (any more), deadline, or woken */
    SQL_FAILED = 2,  /* the server refused the statement; trying again later may help */
    SQL_INVALID = 3, /* SQLSTATE 22 or 23: the data breaks a rule; trying again will not help */
    SQL_TIMEOUT = 4, /* the server cancelled the statement for taking too long */
};

#define SQL_ERROR_BYTES 512u

/* The server cancels a statement after this time. When it does not even do that, sql_run and the
 * others leave 10 s later. */
#define SQL_STATEMENT_TIMEOUT_MS 60000

/* sql_open - connect and set up the session: UTF-8, UTC, timeouts
 * @conninfo: libpq connection string or URI; what it says goes before the defaults here
 * @wake_fd:  ends every wait of this connection when readable; -1 for none; borrowed
 * @ret_sql:  on SQL_OK only; close with sql_close
 * @ret_text: on failure only
 * Return: SQL_OK, SQL_LOST or SQL_FAILED */
int sql_open(const char *conninfo, int wake_fd, struct sql **ret_sql,
             char ret_text[SQL_ERROR_BYTES]);
void sql_close(struct sql *sql);

/* One row of a result; values are text, NULL for SQL's NULL; borrowed for the call. */
typedef void sql_row_fn(void *context, int column_count, const char *const *values);

/* sql_run - one or several statements, without parameters
 * @row:          called per row of any of them, streaming; NULL: rows are dropped
 * @ret_affected: rows of the last statement that changed any; may be NULL
 * Several statements in one text are one transaction unless it says otherwise. */
int sql_run(struct sql *sql, const char *statements, sql_row_fn *row, void *context,
            uint64_t *ret_affected);

/* sql_send, sql_finish - sql_run in two halves, for tests of what happens in between */
int sql_send(struct sql *sql, const char *statements);
int sql_finish(struct sql *sql, sql_row_fn *row, void *context, uint64_t *ret_affected);

/* sql_copy - COPY ... FROM STDIN
 * @command: the COPY statement
 * @bytes:   the whole stream; sent in pieces, answers read in between */
int sql_copy(struct sql *sql, const char *command, const uint8_t *bytes, size_t size);

/* sql_error - why the last call failed, with its SQLSTATE; borrowed until the next call */
const char *sql_error(const struct sql *sql);

#endif
