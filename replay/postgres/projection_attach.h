/* projection_attach.h - what a database says about the projection in it; shared inside replay */
#ifndef USHER_REPLAY_POSTGRES_PROJECTION_ATTACH_H
#define USHER_REPLAY_POSTGRES_PROJECTION_ATTACH_H

#include "replay/postgres/projection_limits.h"
#include "replay/postgres/sql.h"
#include "replay/source/source.h"
#include "replay/tell/text.h"

struct projection_found {
    bool exists; /* false: the rest is 0 */
    long version;
    char log_id[TEXT_UUID_BYTES];
    uint64_t epoch; /* of the run that projected last */
    uint64_t applied_lsn, decisions;
    /* Version 1 has none of these: 0 and "". */
    uint64_t applied_time_ms; /* of the last decision; Unix ms */
    uint64_t run;             /* takeovers so far */
    char run_id[TEXT_UUID_BYTES];
    char run_by[PROJECTION_RUN_BY_BYTES];
    uint64_t batch_lsn,
        batch_hash; /* where the last batch began, and what was in it; hash 0: not known */
};

/* projection_batch_hash - one record more
 * @hash: of the batch's records before it; 0: there are none */
uint64_t projection_batch_hash(uint64_t hash, const uint8_t *bytes, uint32_t size);
/* projection_batch_hash_column - as it stands in the state row: 1..2^63-1 */
uint64_t projection_batch_hash_column(uint64_t hash);

/* projection_look_up - read the state row. Return: enum sql_result */
int projection_look_up(struct sql *sql, struct projection_found *ret_found);

/* projection_is_ours - of this schema version, and of this log
 * @log_id:   NULL: any log
 * @ret_text: where it is not: what to do; PROJECTION_TEXT_BYTES */
bool projection_is_ours(const struct projection_found *found, const char *log_id, char *ret_text);

/* projection_fits - is what PostgreSQL has applied the beginning of what this source has?
 * @found:    of this log
 * @ret_text: where it is not: why, and what to do; PROJECTION_TEXT_BYTES
 * Moves the source. What cannot be compared is taken for fitting. */
bool projection_fits(const struct projection_found *found, struct record_source *source,
                     char *ret_text);

/* projection_create_schema - unless another engine was faster
 * @run: takeovers of the schema that was there before; 0: none. Return: enum sql_result */
int projection_create_schema(struct sql *sql, const char *log_id, uint64_t epoch, uint64_t run,
                             struct projection_found *ret_found);

/* projection_raise - a schema of an older version to this one, and look it up again
 * Return: enum sql_result */
int projection_raise(struct sql *sql, struct projection_found *ret_found);

/* projection_take_over - this run projects from now on, if the state row is still what was found
 * @run_by:    borrowed; what SQL or a terminal could take amiss becomes "?"
 * @ret_taken: false: it is not; look again
 * Return: enum sql_result */
int projection_take_over(struct sql *sql, const struct projection_found *found, const char *run_id,
                         const char *run_by, bool *ret_taken);

/* projection_is_taken_over - is it somebody else's now?
 * @run: the number that this run has taken over with; 0: it has not yet
 * A lower number in the database is that of an older backup, or of a schema that was made anew. */
bool projection_is_taken_over(const struct projection_found *found, uint64_t run,
                              const char *run_id);

/* projection_who - whose rows are in the database, for people: "'host:/var/lib/usher' (run 3)" */
#define PROJECTION_WHO_BYTES (PROJECTION_RUN_BY_BYTES + 40u)
const char *projection_who(const struct projection_found *found,
                           char ret_text[PROJECTION_WHO_BYTES]);

#endif
