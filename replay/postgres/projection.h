/* projection.h - the log in PostgreSQL, exactly once by LSN
 *
 * Happy path: projection_create, projection_start; the thread follows the source and commits rows
 * and applied LSN together, batch by batch; projection_stop, projection_free.
 * Failure modes: whatever may pass is retried for ever and shows in the status; what cannot pass
 * stops the projection at an LSN and raises the alarm once. Sales never notice either.
 * Source: replay/postgres/README.md
 */
#ifndef USHER_REPLAY_POSTGRES_PROJECTION_H
#define USHER_REPLAY_POSTGRES_PROJECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/domain/types.h"
#include "engine/runtime/ports.h"
#include "replay/postgres/projection_limits.h"
#include "replay/source/source.h"

struct projection;

enum projection_state {
    PROJECTION_CONNECTING = 1,
    PROJECTION_FOLLOWING = 2,
    PROJECTION_RETRYING = 3, /* the last attempt failed; goes on by itself */
    PROJECTION_STOPPED = 4,  /* needs an operator */
};
/* "connecting", "following", "retrying", "stopped" */
const char *projection_state_name(uint32_t state);

struct projection_status {
    uint32_t state;            /* enum projection_state */
    uint64_t applied_lsn;      /* in PostgreSQL; 0 until it was read */
    uint64_t applied_time_ms;  /* Unix ms, of the last decision in PostgreSQL; 0: not known */
    uint64_t end_lsn;          /* of the source, when last looked at */
    uint64_t lag_bytes;        /* end_lsn - applied_lsn */
    uint64_t decisions;        /* in PostgreSQL, since the log began */
    uint64_t batches;          /* committed by this process */
    uint64_t failures;         /* attempts that failed, of this process */
    uint64_t failing_since_ms; /* of the clock: when attempts began to fail; 0: all is well */
    uint64_t run;              /* takeovers of this database, ours included; 0: not ours yet */
    bool reached;              /* PostgreSQL has answered once, so applied_lsn is known */
    bool taken_over;           /* STOPPED: another engine projects into this database now */
    uint64_t stopped_lsn;      /* STOPPED: end of the record that could not be applied; 0: none */
    char text[PROJECTION_TEXT_BYTES]; /* last failure, or why it stopped; "" while all is well */
};

/* Where a test may interfere with a batch. */
enum projection_point {
    PROJECTION_POINT_COPIED = 1,      /* all rows are written, COMMIT comes next */
    PROJECTION_POINT_COMMIT_SENT = 2, /* COMMIT is on its way, its answer is not read */
};

struct projection_options {
    const char *conninfo;         /* libpq connection string or URI; borrowed */
    struct record_source *source; /* borrowed; belongs to the projection's thread */
    struct id128 log_id;          /* of the log that the source reads */
    uint64_t epoch;               /* of this run's own records, for the record */
    uint64_t epoch_after_lsn;     /* they come after this; what is before is of an epoch less */
    struct id128 run_id;          /* random; of this projection alone */
    const char *run_by;           /* machine and folder, for people; borrowed; NULL: not told */
    struct clock_port clock;      /* for batch_ms and back-off */
    uint32_t batch_records;       /* 0 = default */
    uint32_t batch_ms;            /* 0 = commit whatever is there at once */
    /* The projection has stopped; its thread; once; may be NULL. */
    void (*alarm)(void *context, const struct projection_status *status);
    void *alarm_context;
    /* For tests: return true to lose the connection at this point. NULL otherwise. */
    bool (*fault)(void *context, enum projection_point point);
    void *fault_context;
};

/* projection_create - nothing is connected yet
 * Everything borrowed outlives it. Return: owned by the caller until projection_free() */
struct projection *projection_create(const struct projection_options *options);
void projection_free(struct projection *projection);

enum {
    PROJECTION_WORKED = 0, /* call again at once */
    PROJECTION_IDLE = 1,   /* nothing to do for projection_idle_ms() */
    PROJECTION_HALTED = 2, /* stopped, for good */
};

/* projection_step - one move: connect, read, or commit a batch
 * Not between projection_start and projection_stop. Waits for PostgreSQL, within deadlines.
 * Return: see above */
int projection_step(struct projection *projection);

/* projection_idle_ms - how long the thread may sleep now */
uint32_t projection_idle_ms(const struct projection *projection);

/* projection_start - run the steps in a thread of their own
 * Return: 0; <0 the thread cannot be created */
int projection_start(struct projection *projection);

/* projection_stop - end the thread at once; a batch under way is given up, not lost: the next start
 * reads the applied LSN and repeats it */
void projection_stop(struct projection *projection);

/* projection_status_get - any thread */
void projection_status_get(struct projection *projection, struct projection_status *ret_status);

#endif
