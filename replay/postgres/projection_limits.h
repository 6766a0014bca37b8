/* projection_limits.h - how much the projection takes at a time, and how long it waits */
#ifndef USHER_REPLAY_POSTGRES_PROJECTION_LIMITS_H
#define USHER_REPLAY_POSTGRES_PROJECTION_LIMITS_H

/* A transaction costs milliseconds however little is in it; 50,000 decisions take about a second.
 * 200 ms is how far behind analysts may be without noticing. */
#define PROJECTION_BATCH_RECORDS_DEFAULT 50000u
#define PROJECTION_BATCH_MS_DEFAULT 200u
/* Staging data of a batch: bounds memory where records are large. */
#define PROJECTION_BATCH_BYTES_MAX (32u * 1024u * 1024u)
#define PROJECTION_RETRY_MS_MIN 100u
#define PROJECTION_RETRY_MS_MAX 10000u
/* With nothing to write: is PostgreSQL still there, and still ours? */
#define PROJECTION_LOOK_MS 5000u

/* What is told to people: a failure with what to do; whose rows are in a database. */
#define PROJECTION_TEXT_BYTES 1536u
#define PROJECTION_RUN_BY_BYTES 160u

#endif
