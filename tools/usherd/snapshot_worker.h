/* snapshot_worker.h - snapshots made now and then by a process of their own, beside the engine
 *
 * A process, not a thread: the memory of a second state goes back to the system when it is done, a
 * defect in it cannot end the engine, and the scheduler can be told which of the two matters. It is
 * usherd itself, spawned anew (README.md, "Snapshots"); it dies with the engine.
 *
 * Happy path: snapshot_worker_init at start; snapshot_worker_step now and then; snapshot_worker_end
 * before the log is closed. In the child: snapshot_worker_asked, snapshot_worker_main.
 * Failure modes: whatever goes wrong is said on standard error and tried again later. Nothing here
 * ever waits for the child but snapshot_worker_end, which has killed it.
 * Thread: the one that waits for signals; SIGCHLD is blocked, so that sigtimedwait tells it.
 */
#ifndef USHER_TOOLS_USHERD_SNAPSHOT_WORKER_H
#define USHER_TOOLS_USHERD_SNAPSHOT_WORKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Between two looks at how far the log has grown. */
#define SNAPSHOT_LOOK_MS 1000u
/* After a failure: a full disk does not become emptier within a second. */
#define SNAPSHOT_RETRY_MS 60000u

struct snapshot_worker_options {
    const char *data;     /* borrowed */
    const char *archive;  /* folder; borrowed; NULL: none */
    uint64_t every_bytes; /* of the log's files between two snapshots; 0: never */
    uint32_t keep;        /* snapshots, >= 1 */
    bool delete_log;      /* segments that nobody needs go; true where there is an archive */
};

struct snapshot_worker {
    struct snapshot_worker_options options;
    pid_t pid;           /* of the child; 0: none runs */
    uint64_t now_bytes;  /* log_bytes when it was started */
    uint64_t last_bytes; /* log_bytes when the latest good one was started */
    uint64_t not_before_ms;
};

void snapshot_worker_init(struct snapshot_worker *worker,
                          const struct snapshot_worker_options *options);

/* snapshot_worker_step - notice a child that has ended; start one if the log has grown enough
 * @log_bytes:   of the log's files behind the snapshot that the engine began with: what a start
 *               would have to read, headers and padding included
 * @durable_lsn: of the log, at this moment
 * @applied_lsn: PostgreSQL's; UINT64_MAX: there is none
 * @now_ms:      never goes back */
void snapshot_worker_step(struct snapshot_worker *worker, uint64_t log_bytes, uint64_t durable_lsn,
                          uint64_t applied_lsn, uint64_t now_ms);

/* snapshot_worker_end - kill the child if one runs; what it was making is left out */
void snapshot_worker_end(struct snapshot_worker *worker);

/* --- in the child ----------------------------------------------------------------------------- */

/* snapshot_worker_asked - was this process spawned to make a snapshot? */
bool snapshot_worker_asked(int argc, char **argv);
/* snapshot_worker_main - make it, retain, say how it went; Return: exit status */
int snapshot_worker_main(int argc, char **argv);

#endif
