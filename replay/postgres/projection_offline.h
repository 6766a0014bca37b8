/* projection_offline.h - the projection without its thread: for the daemon's start and for tools
 *
 * Happy path: projection_applied_lsn asks PostgreSQL how far it is; projection_catch_up and
 * projection_rebuild bring it to the source's end, in the caller's thread.
 * Failure modes: somebody waits for these, so nothing is retried for ever; the first failure ends
 * them, with its text.
 */
#ifndef USHER_REPLAY_POSTGRES_PROJECTION_OFFLINE_H
#define USHER_REPLAY_POSTGRES_PROJECTION_OFFLINE_H

#include "replay/postgres/projection.h"

enum projection_lookup {
    PROJECTION_FOUND = 0,
    PROJECTION_NONE = 1,      /* this database has no projection yet */
    PROJECTION_OTHER_LOG = 2, /* it has, of another log or version; the text says what to do */
};

/* projection_applied_lsn - what PostgreSQL has seen of a log: a witness for its recovery
 * @log_id:   none: of whatever log it is
 * @ret_lsn:  on PROJECTION_FOUND only
 * @ret_text: then: who has projected last; otherwise why there is no LSN
 * Return: enum projection_lookup; <0 PostgreSQL cannot be asked */
int projection_applied_lsn(const char *conninfo, const struct id128 *log_id, uint64_t *ret_lsn,
                           char ret_text[PROJECTION_TEXT_BYTES]);

/* projection_catch_up - apply everything up to the source's end, then return
 * @progress: after each batch; may be NULL
 * @ret_status: always; says why, on failure
 * Return: 0; <0 it failed once or stopped: what was applied stays */
int projection_catch_up(const struct projection_options *options,
                        void (*progress)(void *context, const struct projection_status *status),
                        void *progress_context, struct projection_status *ret_status);

/* projection_rebuild - drop the schema usher with all that depends on it, then projection_catch_up
 * The source must reach back to LSN 0: checked before anything is dropped. */
int projection_rebuild(const struct projection_options *options,
                       void (*progress)(void *context, const struct projection_status *status),
                       void *progress_context, struct projection_status *ret_status);

#endif
