/* log_folder.h - a data folder opened to read: where its log ends, and its worlds, for the tools
 *
 * Works on a stopped engine's folder, on a copy (also read-only), and beside a running engine:
 * there the log ends where it is durable. Writes nothing. Whether an engine runs is learned by
 * trying its lock for an instant (shared, never waited for); wal_open waits out such an instant.
 *
 * Opening judges only the end of the log. What is read is checked while it is read; `usher wal
 * verify` checks everything.
 *
 * Whatever goes wrong is said on standard error, with what to do next; functions return 0 or -1.
 * One thread.
 */
#ifndef USHER_TOOLS_COMMON_LOG_FOLDER_H
#define USHER_TOOLS_COMMON_LOG_FOLDER_H

#include "engine/domain/partition/world.h"
#include "replay/source/recover.h"
#include "replay/snapshot/snapshot.h"
#include "wal/recovery.h"
#include "wal/storage/storage.h"

/* A segment as its header describes it. */
struct log_segment {
    uint64_t number, first_lsn, created_ms;
};

struct log_folder {
    const char *directory;     /* borrowed */
    struct storage *wal;       /* owned */
    struct storage *snapshots; /* owned */
    bool engine_runs;
    struct wal_recovery state; /* of the last segment; not set where damage.code is */
    struct wal_error damage;   /* code 0: the end is sound */
    /* Read no further than this: the log's end; durable where an engine runs; sound before
     * damage. */
    uint64_t end_lsn;
    uint64_t first_lsn; /* above 0: the log's beginning was deleted */
    uint8_t log_id[WAL_LOG_ID_BYTES];
    struct log_segment *segments; /* with good headers, ascending; owned */
    uint32_t segment_count;
};

/* log_folder_glance - open DIR and read the headers of its segments, no more: end_lsn, first_lsn,
 * state and damage are not set */
int log_folder_glance(const char *directory, struct log_folder *ret_folder);

/* log_folder_open - and find the end of its log. An empty folder is refused.
 * A log with a damaged end is refused but with `damaged_too`: then it can be read up to there. */
int log_folder_open(const char *directory, bool damaged_too, struct log_folder *ret_folder);
void log_folder_close(struct log_folder *folder);

/* log_folder_world - the state at an LSN, from the newest valid snapshot and the log after it
 * @from_snapshots: false: from the log alone, from nothing
 * @ret_from: the snapshot; may be NULL
 * @ret_world: free with world_free() */
int log_folder_world(struct log_folder *folder, uint64_t lsn, bool from_snapshots,
                     struct snapshot_info *ret_from, struct world **ret_world,
                     struct recover_result *ret_result);

/* log_folder_judge - is a snapshot of this log, and of the history that this log tells now?
 * Return: 0; -SNAPSHOT_FOREIGN, ret_error says why not */
int log_folder_judge(struct log_folder *folder, const struct snapshot_info *info,
                     struct snapshot_error *ret_error);

/* log_folder_skipped - say which snapshot is passed over, and why (`skipped` of those that look for
 * one); context: not used */
void log_folder_skipped(void *context, const struct snapshot_error *error);

/* log_folder_oldest_snapshot - load the oldest valid snapshot that the log goes on from
 * @max_lsn: not after this
 * Return: 0; 1 there is none; -1 */
int log_folder_oldest_snapshot(struct log_folder *folder, uint64_t max_lsn,
                               struct snapshot_info *ret_info, struct world **ret_world);

/* log_folder_seed - for the worlds of tools: it guards a live engine's hash tables; a replay meets
 * keys that are on disk already */
const struct id128 *log_folder_seed(void);

#endif
