/* disk.h - a disk in memory that takes its time, fails, lies, and can be restored from a copy
 *
 * A storage around storage_memory: that one keeps the bytes and tears the write in flight when the
 * power fails; this one lives in the run's time, draws faults from its plan, and notes what it has
 * lied about: which bytes should be where. So a test can tell what recovery has to say about it,
 * and put the true bytes back, as an operator would from a copy.
 */
#ifndef USHER_TESTS_SIM_DISK_H
#define USHER_TESTS_SIM_DISK_H

#include "tests/sim/run.h"
#include "wal/error.h"
#include "wal/storage/storage.h"

struct disk;

/* disk_open - an empty disk
 * @stream: number of its generator */
struct disk *disk_open(struct sim_run *run, uint64_t stream);
void disk_close(struct disk *disk);

/* disk_storage - the port; the disk's own */
struct storage *disk_storage(struct disk *disk);
/* disk_inner - the storage_memory inside, to clone */
struct storage *disk_inner(struct disk *disk);

/* disk_crash - the power fails. Return: whether a write was in flight */
bool disk_crash(struct disk *disk);
/* disk_crash_after - the power fails after so many operations that change the disk; from then on
 * every operation fails. disk_crash() must follow. 0: forget it */
void disk_crash_after(struct disk *disk, uint64_t operations);
bool disk_has_crashed(const struct disk *disk);

/* disk_fill - no room for another file until `until_us` */
void disk_fill(struct disk *disk, uint64_t until_us);
bool disk_is_full(const struct disk *disk);

/* disk_freeze - no write completes until `until_us`; reads go on */
void disk_freeze(struct disk *disk, uint64_t until_us);
bool disk_is_frozen(const struct disk *disk);

/* disk_read_errors - reads that have failed so far; disk_trust - no more of them until false:
 * whoever reads is the test itself */
uint64_t disk_read_errors(const struct disk *disk);
void disk_trust(struct disk *disk, bool trust);

/* disk_due_us - when the write in flight can complete; UINT64_MAX: none */
uint64_t disk_due_us(const struct disk *disk);

/* What it has lied about. */
struct disk_lies {
    uint32_t count;                 /* outstanding */
    bool last;                      /* nothing was written after the first of them */
    char file[WAL_FILE_NAME_BYTES]; /* of the first */
    uint64_t offset;
};
void disk_lies(const struct disk *disk, struct disk_lies *ret_lies);
/* disk_restore - put everything where it should be; disk_believe - let it be as it is */
void disk_restore(struct disk *disk);
void disk_believe(struct disk *disk);

#endif
