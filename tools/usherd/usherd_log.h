/* usherd_log.h - the daemon's log at a start: found, judged, opened, replayed
 *
 * Happy path: usherd_log_open, usherd_log_replay; then the log's writer may start, and `world` goes
 * to the engine.
 * Failure modes: a log that is damaged, that lacks what a witness has seen, that is another
 *   engine's, or whose last decision is ahead of the clock: told in a sentence that says what to
 *   do, and the process ends with status 1. Nothing has changed on the disk then.
 * Thread: the one that starts the daemon.
 * Source: tools/usherd/README.md, "Starting"
 */
#ifndef USHER_TOOLS_USHERD_USHERD_LOG_H
#define USHER_TOOLS_USHERD_USHERD_LOG_H

#include <stdint.h>

#include "engine/domain/types.h"
#include "engine/runtime/ports.h"
#include "replay/postgres/projection.h"
#include "replay/snapshot/snapshot.h"
#include "tools/common/system_ports.h"
#include "tools/usherd/usherd_options.h"
#include "wal/wal.h"

struct usherd_log {
    /* Set by the caller before usherd_log_open, all borrowed. */
    const struct usherd_options *options;
    struct system_clock *clock; /* usherd_log_replay raises it to the log's last decision */
    struct clock_port clock_port;
    struct entropy_port entropy;
    struct id128 seed; /* of the accounts' tables */
    void (*on_durable)(void *context, uint64_t durable_lsn);
    void (*on_failed)(void *context, const struct wal_error *error);
    void *callback_context;

    /* Set by usherd_log_open; kept until the process ends. */
    struct storage *storage, *snapshots;
    struct wal_recovery found;    /* as it was before this run */
    struct snapshot_info witness; /* the newest snapshot with a sound header; lsn 0: none */
    struct snapshot_info from;    /* the one that the world is made from; lsn 0: none */
    struct wal *wal;
    struct journal journal;
    struct wal_recovery recovery;
    struct id128 log_id;
    struct world *world;                      /* until the engine takes it */
    char projected_by[PROJECTION_TEXT_BYTES]; /* who did before this run, as PostgreSQL says */

    /* Set by usherd_log_replay. */
    uint64_t last_time_ms;               /* of the last decision that was recovered; 0: none */
    uint64_t start_lsn, start_decisions; /* up to where it was replayed; 0: a new log */
    uint64_t clock_behind_ms;            /* the machine's clock, behind the engine's time */
};

/* usherd_log_open - find the log, ask its witnesses, judge and open it, begin the world
 * Leaves the process where it is refused. */
void usherd_log_open(struct usherd_log *log);

/* usherd_log_replay - bring the world up to the log's end, verify it, judge the clock
 * Leaves the process where the log does not prove its replay, or the clock is too far behind. */
void usherd_log_replay(struct usherd_log *log);

/* usherd_log_served_until_ms - until when the run before is known to have served: its log was
 * written then, or something decided. A block from a clock that was wrong says nothing. */
uint64_t usherd_log_served_until_ms(const struct usherd_log *log);

#endif
