/* snapshot_fixture.h - a random history in a real log, and a folder of snapshots, on disks in
 * memory
 *
 * Happy path: snapshot_fixture_init, _run (decisions into the log, durable), _make (a snapshot),
 * _deinit. The log's segments are the smallest there are, so that a short history fills many.
 */
#ifndef USHER_TESTS_UNIT_REPLAY_SNAPSHOT_SNAPSHOT_FIXTURE_H
#define USHER_TESTS_UNIT_REPLAY_SNAPSHOT_SNAPSHOT_FIXTURE_H

#include "replay/snapshot/snapshot.h"
#include "tests/support/random_history.h"
#include "tests/support/storage_memory.h"
#include "wal/wal.h"

#define SNAPSHOT_FIXTURE_SKIPPED_MAX 16u

struct snapshot_fixture {
    struct storage *log, *snapshots;
    struct wal *wal; /* NULL: nobody writes */
    struct wal_recovery recovery;
    struct random_history history;
    struct memory_log records;
    uint64_t written; /* of records, bytes = LSN */
    uint64_t now_ms;
    uint64_t entropy;
    struct snapshot_recover_options options;
    /* Snapshots that were skipped, since it was last set to 0. */
    uint32_t skipped;
    int codes[SNAPSHOT_FIXTURE_SKIPPED_MAX];
    struct snapshot_error error; /* of the last call that failed */
};

/* snapshot_fixture_init - an engine on an empty log. The struct stays where it is until _deinit. */
void snapshot_fixture_init(struct snapshot_fixture *fixture, uint64_t seed, uint32_t users);
void snapshot_fixture_deinit(struct snapshot_fixture *fixture);

/* snapshot_fixture_run - so many requests; everything is durable afterwards */
void snapshot_fixture_run(struct snapshot_fixture *fixture, uint32_t requests);

/* snapshot_fixture_stop, _start - end the engine cleanly; begin again */
void snapshot_fixture_stop(struct snapshot_fixture *fixture);
void snapshot_fixture_start(struct snapshot_fixture *fixture);

/* snapshot_fixture_make - Return: as snapshot_make */
int snapshot_fixture_make(struct snapshot_fixture *fixture, struct snapshot_info *ret_info);

/* snapshot_fixture_make_ok - demand that it succeeds */
struct snapshot_info snapshot_fixture_make_ok(struct snapshot_fixture *fixture);

/* snapshot_fixture_hash - world hash at an LSN, by replaying the records from nothing */
uint64_t snapshot_fixture_hash(struct snapshot_fixture *fixture, uint64_t lsn);

/* snapshot_fixture_newest - LSN of the newest valid snapshot, loaded and compared; 0: none */
uint64_t snapshot_fixture_newest(struct snapshot_fixture *fixture);

/* snapshot_fixture_recovers - the state at the log's end can be had, and is the right one */
void snapshot_fixture_recovers(struct snapshot_fixture *fixture);

#endif
