/* statements.h - the statements of the .sql files, as texts
 *
 * statements.py builds the texts into the program. It takes the comments out and puts in what comes
 * from the tables of engine/domain: names of states, numbers, fields of decisions. So SQL cannot
 * disagree with the engine.
 *
 * In a .sql file a statement begins at "-- @statement NAME" or "-- @step NAME" and goes on to the
 * next of these lines; it may be several statements of SQL. There are two sorts of placeholders:
 *   :UPPER_CASE        filled in when the program is built, from a table or constant of its name:
 *                      :DATE_STATES is 'draft', 'open', ...; :DATE_OPEN is 2; :DATE_STATES_WHEN is
 *                      WHEN 1 THEN 'draft' ...
 *   :lower_case        filled in by statement_fill(), written as psql has its variables:
 *                      :epoch a number, :'log_id' a quoted text, :"kind" a quoted identifier
 * Source: replay/postgres/README.md, "SQL"
 */
#ifndef USHER_REPLAY_POSTGRES_STATEMENTS_H
#define USHER_REPLAY_POSTGRES_STATEMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/version.h"

/* Raise it with every change of the tables. A database of another version is refused (rebuild),
 * unless raise.sql makes it one of this version. */
#define PROJECTION_SCHEMA_VERSION VERSION_SCHEMA
#define PROJECTION_SCHEMA_VERSION_RAISED 1 /* the one that can be raised */

/* States of a payment. The log has events instead; these numbers live within a batch. */
#define PAYMENT_STATES(X)                                                                          \
    X(1, STARTED, "started")                                                                       \
    X(2, REFUSED, "refused")                                                                       \
    X(3, PAID, "paid")                                                                             \
    X(4, ABORTED, "aborted")                                                                       \
    X(5, REFUNDING, "refunding")                                                                   \
    X(6, REFUNDED, "refunded")

#define X(number, name, text) PAYMENT_##name = (number),
enum payment_state { PAYMENT_STATES(X) };
#undef X

/* session.sql: for sql_open(); and what a connection that projects creates, in this order */
extern const char statement_connect[];
extern const char statement_staging_tables[];
extern const char statement_fold_tables[];

/* schema.sql, raise.sql: one transaction each; a new schema needs both, in this order */
extern const char statement_schema[];
extern const char statement_raise_schema[];

/* attach.sql */
extern const char statement_look_exists[]; /* one boolean */
extern const char statement_look_state[];  /* the state row of any version */
extern const char statement_look_run[];    /* the rest of it, of this version */
extern const char statement_create_begin[];
extern const char statement_create_state[]; /* :'log_id' :epoch :run */
extern const char statement_drop_schema[];
extern const char statement_take_over[]; /* :run :'run_id' :'run_by' :'log_id' :found_lsn
                                            :found_run :'found_run_id' */

/* batch.sql */
extern const char statement_batch_begin[];    /* :applied_lsn :'applied_time' :decisions :epoch
                                                 :batch_lsn :batch_hash :'log_id' :'run_id' */
extern const char statement_copy_decisions[]; /* :"kind" */
extern const char statement_commit[];

/* check.sql */
extern const char statement_check_begin[];
extern const char statement_check_totals[];
extern const char statement_check_dates[];
extern const char statement_check_seats[];
extern const char statement_check_reservations[];
extern const char statement_check_entries[];
extern const char statement_check_wallets[];

/* fold.sql: one step, needed if the batch has any of these kinds. */
struct fold_step {
    const char *name; /* for errors: "reservations" */
    const uint16_t
        *kinds; /* enum decision_kind, those whose staging tables it reads; ends with 0 */
    const char *statements; /* inside the batch's transaction, after its COPYs */
};

/* The steps, in the order in which they must run. */
extern const struct fold_step fold_steps[];
extern const uint32_t fold_step_count;

/* fold_reads - does a step read decisions of this kind? Otherwise they change no row. */
bool fold_reads(uint32_t kind);

/* Every statement above, those of the steps included: for a test by PostgreSQL. */
struct statement {
    const char *file, *name; /* "fold.sql", "reservations" */
    const char *text;
};
extern const struct statement statement_table[];
extern const uint32_t statement_count;

/* A statement of attach.sql or batch.sql with values of up to 40 bytes fits. */
#define STATEMENT_BYTES 768u

struct statement_value {
    const char *name;
    const char *text; /* NULL: it is the number */
    uint64_t number;
};

/* statement_fill - a statement with its values
 * @ret_text: large enough; `size` bytes
 * @values:   each placeholder has one; a text has no quote and no backslash
 * Return: ret_text */
const char *statement_fill(char *ret_text, size_t size, const char *statement,
                           const struct statement_value *values, uint32_t count);

#endif
