/* snapshot_stage.h - a random history in a real log, and a folder of snapshots, on disks in memory
 *
 * Happy path: snapshot_stage_init, _run (decisions into the log, durable), _make (a snapshot),
 * _deinit. The log's segments are the smallest there are, so that a short history fills many.
 */
#ifndef USHER_TESTS_SNAPSHOT_STAGE_H
#define USHER_TESTS_SNAPSHOT_STAGE_H

#include "replay/snapshot/snapshot.h"
#include "tests/unit/replay/history.h"
#include "wal/storage/storage_memory.h"
#include "wal/wal.h"

#define SNAPSHOT_STAGE_SKIPPED_MAX 16u

struct snapshot_stage {
    struct storage *log, *snapshots;
    struct wal *wal; /* NULL: nobody writes */
    struct wal_recovery recovery;
    struct history history;
    struct memory_log records;
    uint64_t written; /* of records, bytes = LSN */
    uint64_t now_ms;
    uint64_t entropy;
    struct snapshot_recover_options options;
    /* Snapshots that were skipped, since it was last set to 0. */
    uint32_t skipped;
    int codes[SNAPSHOT_STAGE_SKIPPED_MAX];
    struct snapshot_error error; /* of the last call that failed */
};

/* snapshot_stage_init - an engine on an empty log. The struct stays where it is until _deinit. */
void snapshot_stage_init(struct snapshot_stage *stage, uint64_t seed, uint32_t users);
void snapshot_stage_deinit(struct snapshot_stage *stage);

/* snapshot_stage_run - so many requests; everything is durable afterwards */
void snapshot_stage_run(struct snapshot_stage *stage, uint32_t requests);

/* snapshot_stage_stop, _start - end the engine cleanly; begin again */
void snapshot_stage_stop(struct snapshot_stage *stage);
void snapshot_stage_start(struct snapshot_stage *stage);

/* snapshot_stage_make - Return: as snapshot_make */
int snapshot_stage_make(struct snapshot_stage *stage, struct snapshot_info *ret_info);

/* snapshot_stage_make_ok - demand that it succeeds */
struct snapshot_info snapshot_stage_make_ok(struct snapshot_stage *stage);

/* snapshot_stage_hash - world hash at an LSN, by replaying the records from nothing */
uint64_t snapshot_stage_hash(struct snapshot_stage *stage, uint64_t lsn);

/* snapshot_stage_newest - LSN of the newest valid snapshot, loaded and compared; 0: none */
uint64_t snapshot_stage_newest(struct snapshot_stage *stage);

/* snapshot_stage_recovers - the state at the log's end can be had, and is the right one */
void snapshot_stage_recovers(struct snapshot_stage *stage);

#endif
