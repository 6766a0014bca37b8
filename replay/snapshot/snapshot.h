/* snapshot.h - the whole state at one LSN in a file, so that a start need not read the whole log
 *
 * A snapshot is made by a reader of the log (an older snapshot + the log after it -> a newer one),
 * never by stopping the engine. It is written under a temporary name, synced, read back and
 * compared, and only then renamed: a file named snap-*.snp was whole once, and one that
 * snapshot_make() named was loaded once. Format: FORMAT.md.
 *
 * Happy path: snapshot_recover() at start; snapshot_make() now and then, beside the engine; then
 * snapshot_retain().
 * Failure modes: a snapshot that is damaged, foreign, of another version or contradicts itself is
 * skipped for the one before it, and reported; making one fails with a reason and leaves nothing
 * but a temporary file, which the next one replaces. Nothing here ever writes to the log but
 * snapshot_retain(), which deletes from its low end what it was told to.
 * Thread: any, one at a time for each storage. What changes DIR/snapshots (save, make, retain)
 * claims the storage meanwhile: the caller must not hold it, and a second process is refused.
 */
#ifndef USHER_REPLAY_SNAPSHOT_SNAPSHOT_H
#define USHER_REPLAY_SNAPSHOT_SNAPSHOT_H

#include "engine/domain/partition/world.h"
#include "replay/snapshot/snapshot_info.h"
#include "replay/source/recover.h"
#include "wal/recovery.h"
#include "wal/storage/storage.h"

/* snapshot_list - headers of all snapshots, newest first
 * @snapshots: storage bound to DIR/snapshots (storage_posix_open(DIR, "snapshots")); an absent
 *             folder is an empty one
 * @visit:     per snapshot; `error` is NULL for one with a good header, else says what is wrong
 *             with it and only info->name and file_bytes count. Return other than 0 ends the walk.
 * Return: 0, what visit returned, or -SNAPSHOT_IO */
int snapshot_list(struct storage *snapshots,
                  int (*visit)(void *context, const struct snapshot_info *info,
                               const struct snapshot_error *error),
                  void *context, struct snapshot_error *ret_error);

/* snapshot_load - one snapshot into a world, everything checked
 * @name:      of the file
 * @seed:      secret of the accounts' tables (world_create)
 * @ret_info:  may be NULL
 * @ret_world: owned by the caller; on success only
 * Return: 0; -enum snapshot_error_code */
int snapshot_load(struct storage *snapshots, const char *name, const struct id128 *seed,
                  struct snapshot_info *ret_info, struct world **ret_world,
                  struct snapshot_error *ret_error);

/* snapshot_save - write a world as the snapshot of an LSN: temporary name, sync, read back, rename
 * @world: with the catalogue, all account partitions and all dates
 * @info:  lsn, created_ms, epoch, log_id; the rest is taken from the world
 * @pace:  called after each block of at most 1 MiB, to slow down on purpose; may be NULL
 * Return: 0; -enum snapshot_error_code */
int snapshot_save(struct storage *snapshots, const struct world *world,
                  const struct snapshot_info *info,
                  void (*pace)(void *context, uint64_t bytes_done), void *pace_context,
                  struct snapshot_error *ret_error);

struct snapshot_recover_options {
    const struct id128 *seed;
    /* A snapshot must be of the history that this log tells: after a repair LSNs are given out
     * again, and one that was made before may know decisions that were taken out. NULL: not
     * compared. snapshot_recover and snapshot_make fill it in. */
    struct storage *log;
    uint64_t to_lsn; /* replay no further; UINT64_MAX: to the end of what is sound */
    /* Skipped ones are told here, once each; may be NULL. */
    void (*skipped)(void *context, const struct snapshot_error *error);
    void (*progress)(void *context, uint64_t records, uint64_t bytes, uint64_t lsn);
    void *context;
};

/* snapshot_newest - the newest valid snapshot with lsn <= max_lsn, loaded whole
 * @log_id:   must match; NULL: any
 * @ret_info: on success only; may be NULL
 * Return: 0; -SNAPSHOT_NONE if there is none (ret_world untouched), other errors likewise */
int snapshot_newest(struct storage *snapshots, const uint8_t log_id[WAL_LOG_ID_BYTES],
                    uint64_t max_lsn, const struct snapshot_recover_options *options,
                    struct snapshot_info *ret_info, struct world **ret_world,
                    struct snapshot_error *ret_error);

/* snapshot_witness - the highest LSN that a snapshot's header states: the log was durable up to
 * there Checks headers only: what is wrong behind them does not make the LSN less true.
 * @log_id:   must match; NULL: any
 * @ret_info: of that snapshot; lsn 0 and an empty name if there is none
 * Return: 0; -SNAPSHOT_IO */
int snapshot_witness(struct storage *snapshots, const uint8_t log_id[WAL_LOG_ID_BYTES],
                     struct snapshot_info *ret_info, struct snapshot_error *ret_error);

/* snapshot_catch_up - the log after a snapshot into its world
 * @from:    of the world: snapshot_newest's; lsn 0: an empty world
 * @end_lsn: the log's end, or its durable LSN where an engine writes
 * Return: 0; -SNAPSHOT_LOG: the world is half-filled and of no use */
int snapshot_catch_up(struct storage *log, const struct snapshot_info *from, uint64_t end_lsn,
                      const struct snapshot_recover_options *options, struct world *world,
                      struct recover_result *ret_result, struct snapshot_error *ret_error);

/* snapshot_recover - the state at an LSN: newest valid snapshot not after it, and the log from
 * there
 * @log:       storage of the log
 * @snapshots: NULL: from the log alone
 * @end_lsn:   the log's end, or its durable LSN where an engine writes (wal_recovery)
 * @ret_from:  the snapshot used; lsn 0 and an empty name if none; may be NULL
 * Where the log's beginning was deleted and no snapshot serves, the error says from which LSN on
 * the state can be had. Return: 0; -enum snapshot_error_code */
int snapshot_recover(struct storage *log, struct storage *snapshots, uint64_t end_lsn,
                     const struct snapshot_recover_options *options, struct snapshot_info *ret_from,
                     struct world **ret_world, struct recover_result *ret_result,
                     struct snapshot_error *ret_error);

/* snapshot_make - the next snapshot of a log, also beside its engine
 * Gets its name only after it was loaded again and its hashes compared. At no time are there two
 * worlds in memory.
 * @to_lsn: UINT64_MAX: as far as the log is known to be durable; never beyond that
 * @now_ms: stated in the header
 * Return: 0; -enum snapshot_error_code; 1 nothing new since the newest valid snapshot */
int snapshot_make(struct storage *log, struct storage *snapshots, uint64_t to_lsn, uint64_t now_ms,
                  const struct snapshot_recover_options *options,
                  void (*pace)(void *context, uint64_t bytes_done), void *pace_context,
                  struct snapshot_info *ret_info, struct snapshot_error *ret_error);

struct snapshot_retention {
    uint32_t keep;        /* newest valid snapshots to keep, at least 1; older ones are removed */
    bool delete_log;      /* remove segments that no kept snapshot needs; false: keep all */
    uint64_t applied_lsn; /* PostgreSQL's; UINT64_MAX: there is none. Nothing above it goes. */
    struct storage *archive; /* bound to ARCHIVE/wal: before segments go they are copied there,
                                synced, read back and compared; NULL: none. Only matters with
                                delete_log; claimed meanwhile. */
};

/* snapshot_retain - remove what the retention says, in an order that leaves a recoverable folder
 * whenever it is interrupted A snapshot counts as valid if it is of this log and its history and
 * all its checksums are right. Where there are fewer than `keep`, nothing is removed: `keep` says
 * how many ways back there are to be. Where a snapshot is beyond the log's end, decisions are lost:
 * -SNAPSHOT_LOG, nothing is removed.
 * @log:           not claimed: an engine may be writing
 * @ret_removed_*: also on failure
 * Return: 0; -enum snapshot_error_code */
int snapshot_retain(struct storage *log, struct storage *snapshots,
                    const struct snapshot_retention *retention, uint64_t *ret_removed_snapshots,
                    uint64_t *ret_removed_segments, struct snapshot_error *ret_error);

#endif
