/* projection_sql.h - the SQL of the projection: its tables, and how a batch becomes rows
 *
 * Text only; projection.c runs it. Numbers and names of states come from the tables of
 * engine/domain, so that SQL cannot disagree with the engine.
 */
#ifndef USHER_REPLAY_POSTGRES_PROJECTION_SQL_H
#define USHER_REPLAY_POSTGRES_PROJECTION_SQL_H

#include <stdint.h>

#include "engine/base/version.h"
#include "engine/domain/decision.h"

/* Raise it with every change of the tables. A database of another version is refused (rebuild),
 * unless projection_raise_sql() makes it one of this version. */
#define PROJECTION_SCHEMA_VERSION VERSION_SCHEMA
#define PROJECTION_SCHEMA_VERSION_RAISED 1 /* the one that can be raised */

/* projection_schema_sql - create schema, tables, indexes and views; one transaction
 * projection_raise_sql() follows it. */
const char *projection_schema_sql(void);

/* projection_raise_sql - make a schema of PROJECTION_SCHEMA_VERSION_RAISED one of this version
 * One transaction; does nothing to one that somebody else has just raised. */
const char *projection_raise_sql(void);

/* projection_session_sql - temporary tables of the fold; after stage_tables_sql() */
const char *projection_session_sql(void);

/* One step of the fold: statements that are needed if the batch has any of these kinds. */
struct projection_fold_step {
    const char *name;       /* for errors: "reservations" */
    const uint16_t *kinds;  /* enum decision_kind, ends with 0 */
    const char *statements; /* inside the batch's transaction, after its COPYs */
};

/* projection_fold - the steps, in the order in which they must run
 * @ret_count: number of steps */
const struct projection_fold_step *projection_fold(uint32_t *ret_count);

#endif
