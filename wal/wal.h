/* wal.h - the write-ahead log: append from many shards, group commit by one writer
 *
 * Happy path: wal_open recovers the folder and begins a new epoch; the owner replays with a reader
 * up to recovery.end_lsn; wal_start; shards append; on_durable tells when to look at
 * wal_durable_lsn; wal_stop flushes and seals; wal_close.
 *
 * Failure modes: what is on disk cannot be trusted -> wal_open refuses and says what to do. The
 * buffer is full -> WAL_FULL, try again after the next on_durable. A write fails -> the log is
 * failed for good, on_failed is called once, the owner exits without answering anybody.
 */
#ifndef USHER_WAL_WAL_H
#define USHER_WAL_WAL_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/runtime/ports.h"
#include "wal/error.h"
#include "wal/recovery.h"
#include "wal/storage/storage.h"

struct wal;

_Static_assert((int)WAL_FULL == (int)JOURNAL_FULL, "the journal's word for it");

#define WAL_SEGMENT_BYTES_DEFAULT (64ull * 1024 * 1024)
#define WAL_SEGMENT_BYTES_MIN (64ull * 1024)
#define WAL_SEGMENT_BYTES_MAX (16ull * 1024 * 1024 * 1024)
#define WAL_BUFFER_BYTES_DEFAULT (8ull * 1024 * 1024)
#define WAL_BUFFER_BYTES_MAX (4ull * 1024 * 1024 * 1024)
/* Leaves room for centuries of appending before LSNs reach 2^63, where SQL's integers end. */
#define WAL_FIRST_LSN_MAX ((1ull << 62) - 1)
/* Idle for so long after a block with records: seal it. Short against the life of a disk sector,
 * long against the pause between two requests. */
#define WAL_SEAL_AFTER_MS 200u
/* A segment that could not be made is tried again after this. */
#define WAL_PREPARE_RETRY_MS 2000u

/* wal_beat: the last block is no older than this, and what the caller takes between two calls. What
 * a crash leaves uncertain of the time in which a quiet engine has served. */
#define WAL_BEAT_MS 5000u

struct wal_options {
    struct storage *storage;     /* borrowed; outlives the log */
    struct clock_port clock;     /* times of writing; decides when to seal */
    struct entropy_port entropy; /* the id of a new log */
    uint64_t segment_bytes;      /* multiple of 4096; 0 = default */
    uint64_t buffer_bytes;       /* power of two, >= DRAIN_BYTES_MAX; 0 = default */
    uint32_t appenders;          /* 1..SHARDS_MAX */
    uint32_t account_partitions; /* 0 = ACCOUNT_PARTITIONS */
    uint64_t recover_from_lsn;   /* see wal_recovery_options.from_lsn */
    uint64_t witness_lsn;        /* see wal_recovery_options.witness_lsn */
    /* A new log begins here: what lies before is in a snapshot (restore). 0 for every other log;
     * refused where one exists already, and above WAL_FIRST_LSN_MAX. */
    uint64_t first_lsn;
    /* on_durable - the durable LSN has moved; writer's thread; must not block; may be NULL */
    void (*on_durable)(void *context, uint64_t durable_lsn);
    /* on_failed - the log is dead; writer's thread; once; may be NULL */
    void (*on_failed)(void *context, const struct wal_error *error);
    void *callback_context;
};

/* Counts since wal_open. Seals and segment headers count as writes, not as blocks. */
struct wal_stats {
    uint64_t blocks;
    uint64_t records;
    uint64_t record_bytes;      /* body bytes of blocks */
    uint64_t writes;            /* completed */
    uint64_t written_bytes;     /* headers and padding included */
    uint64_t group_records_max; /* most records in one block */
    uint64_t seals;
    uint64_t segments;      /* begun */
    uint64_t prepare_waits; /* the next segment was not ready in time */
};

/* Room for the log. `system_error` may be another one than that of a full disk. */
struct wal_space {
    uint64_t segment_bytes; /* of the next segment */
    uint64_t free_bytes;    /* for new files; UINT64_MAX: nobody knows */
    uint64_t missing_bytes; /* to make the next segment; 0: it is there, or there is room for it */
    uint64_t left_bytes;    /* of the segments that are there, for blocks */
    bool next_ready;        /* it is there, or being made right now */
    int system_error;       /* errno of the latest attempt to make it; 0: none has failed */
};

/* The segment that is written now. */
struct wal_segment {
    uint64_t number;
    uint64_t device, inode; /* of its file */
};

/* wal_open - recover the folder, make ready to begin a new epoch in a new segment
 * @ret_recovery: what was found; replay from there; may be NULL. For a new log (not found) only
 *                first_lsn and end_lsn are set: options->first_lsn
 * @ret_wal:      close with wal_close
 * Takes the lock of the folder. On failure nothing has changed on disk, unless the failure is an
 * I/O error of the new segment. On success nothing has, but where the new segment's header says
 * something new (wal/README.md, "When an epoch begins"), or where no unused segment was there.
 * Return: 0; <0 a wal_error_code, negated
 * Source: wal/README.md, "Recovery" */
int wal_open(const struct wal_options *options, struct wal_recovery *ret_recovery,
             struct wal **ret_wal, struct wal_error *ret_error);

/* wal_close - free everything, give up the lock; what was not written is lost
 * Not between wal_start and wal_stop. */
void wal_close(struct wal *wal);

/* wal_start - start the writer's and the preparer's thread
 * Return: 0; -WAL_ERROR_IO if a thread cannot be created (nothing runs then) */
int wal_start(struct wal *wal, struct wal_error *ret_error);

/* wal_stop - write everything that was appended, seal, end the threads
 * No appends during and after. Works on a log driven by hand as well.
 * Return: 0; <0 if the log has failed */
int wal_stop(struct wal *wal);

/* wal_append - queue one drain's decisions for group commit
 * @wal:      borrowed
 * @appender: 0..appenders-1; one thread per appender at a time
 * @bytes:    whole records, borrowed until return
 * @size:     20..DRAIN_BYTES_MAX
 * @ret_lsn:  LSN just after the last record; on 0 only
 * Never blocks, never allocates. Durable once wal_durable_lsn(wal) >= *ret_lsn.
 * Return: 0; WAL_FULL (try again after the next on_durable); <0 the log has failed
 * Source: wal/README.md, "Group commit" */
int wal_append(struct wal *wal, uint32_t appender, const uint8_t *bytes, uint32_t size,
               uint64_t *ret_lsn);

/* wal_durable_lsn - everything below survives a crash; any thread; never goes back */
uint64_t wal_durable_lsn(const struct wal *wal);

/* wal_appended_lsn - where the next append will go; any thread */
uint64_t wal_appended_lsn(const struct wal *wal);

/* wal_beat - somebody waits for time to pass: if the last block is older than WAL_BEAT_MS and there
 * is nothing to write, the writer writes a seal, so that a later start knows how long this run has
 * served Called about once a second; any thread; never blocks. A log that nobody beats stays as it
 * is.
 * Source: wal/README.md, "Recovery" */
void wal_beat(struct wal *wal);

/* wal_writer_step - one move of the writer: complete a write, or start one
 * Only while no threads run (before wal_start, after wal_stop).
 * @wait: sleep until there is something to do (a completion, an append, a seal that is due)
 * Return: 0 (moved), WAL_IDLE (nothing to do, or woken: call again), <0 the log has failed */
int wal_writer_step(struct wal *wal, bool wait);

/* wal_prepare_step - make the next segment if it is not there yet
 * Only while no threads run; then the writer also does it by itself when it needs the segment.
 * Return: 0 (made one), WAL_IDLE (it is there), <0 failed; it is tried once more when the writer
 * needs the segment, and then the log fails */
int wal_prepare_step(struct wal *wal);

/* wal_error_get - why the log failed; code 0 if it has not; any thread */
void wal_error_get(const struct wal *wal, struct wal_error *ret_error);

/* wal_stats_get - any thread; each count by itself is exact, together they are a snapshot */
void wal_stats_get(const struct wal *wal, struct wal_stats *ret_stats);

/* wal_space_get - how far the room on the disk will go; any thread */
void wal_space_get(struct wal *wal, struct wal_space *ret_space);

/* wal_segment_get - which file is written now, to compare with what has its name; any thread
 * Return: false where none has begun, or where the storage has no such thing */
bool wal_segment_get(struct wal *wal, struct wal_segment *ret_segment);

/* wal_journal - fill in the port of the runtime; valid until wal_close
 * A failed log answers JOURNAL_FULL there: the port has no other word, and the owner is told by
 * on_failed. */
void wal_journal(struct wal *wal, struct journal *ret_journal);

#endif
