/* recovery.h - where the log ends, and whether that can be believed
 *
 * Walks the stream of blocks to its end and judges what lies behind it: nothing, a torn tail that
 * nobody was told about, or corruption. Changes nothing on disk, ever. The rules are in
 * wal/README.md, "Recovery".
 */
#ifndef USHER_WAL_RECOVERY_H
#define USHER_WAL_RECOVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "wal/error.h"
#include "wal/segment.h"
#include "wal/storage/storage.h"

struct wal_recovery_options {
    /* Walk from the segment that holds this LSN; what is older is only checked to be there. A
     * verified snapshot's LSN saves reading the whole log at each start. 0 = all of it. */
    uint64_t from_lsn;
    /* Somebody outside has seen the log durable up to here (PostgreSQL's applied LSN, a snapshot).
     * 0 = nobody. */
    uint64_t witness_lsn;
    /* The log must have been made with this number; 0 = any. */
    uint32_t account_partitions;
    /* An engine may be writing at this moment: look again before calling it corrupt. */
    bool live;
    /* After each segment; may be NULL. */
    void (*progress)(void *context, uint64_t segments_done, uint64_t segments_total);
    void *progress_context;
};

/* What was found. Counts cover what was walked (see from_lsn). */
struct wal_recovery {
    bool log_exists; /* false: there is no log yet, the rest is 0 */
    uint8_t log_id[WAL_LOG_ID_BYTES];
    uint32_t account_partitions;
    uint64_t first_lsn; /* first LSN of the oldest segment on disk */
    uint64_t end_lsn;   /* everything below is sound; the cut if torn */
    /* Highest LSN that a walked block states as durable, or a walked segment header as its first:
     * beside a running engine only this much will survive a crash for certain. <= end_lsn. */
    uint64_t durable_lsn;
    uint64_t next_number;  /* of the segment that the next epoch begins with */
    uint64_t next_chain;   /* what its header must state */
    uint64_t epoch;        /* of the last segment in use */
    uint64_t last_wall_ms; /* of the last block walked, for people; 0 = none */
    uint64_t segments;     /* in use */
    uint64_t blocks;       /* with records */
    uint64_t seals;
    uint64_t records;
    uint64_t epochs;
    uint64_t torn_tails; /* of all epochs walked, the last included */
    bool torn;           /* the last epoch ended in a torn tail */
    bool sealed;         /* the last block is a seal, or there is none in the last segment */
    char torn_file[WAL_FILE_NAME_BYTES];
    uint64_t torn_offset; /* bytes */
    uint64_t last_number; /* last segment in use; 0 = none */
    uint64_t spare_bytes; /* segment next_number is this long, all zeros; 0 = no */
};

/* wal_recover - find the end of the log
 * @storage:    borrowed
 * @ret_result: on success only
 * @ret_error:  on failure only
 * Return: 0; <0 a wal_error_code, negated
 * Source: wal/README.md, "Recovery" */
int wal_recover(struct storage *storage, const struct wal_recovery_options *options,
                struct wal_recovery *ret_result, struct wal_error *ret_error);

/* wal_epoch_at - which epoch wrote the record that ends at an LSN Who has seen the log up to there
 * in an earlier epoch has seen records that a repair has taken out of it since, and must not go on
 * from there (wal/README.md, "Repair").
 * @lsn:       not beyond the end of the log
 * @ret_epoch: 0 if the log on disk does not begin before that LSN
 * Return: 0; <0 */
int wal_epoch_at(struct storage *storage, uint64_t lsn, uint64_t *ret_epoch,
                 struct wal_error *ret_error);

/* wal_verify - wal_recover for an operator: the whole log, no lock, also beside a running engine
 * @progress: may be NULL */
int wal_verify(struct storage *storage,
               void (*progress)(void *context, uint64_t segments_done, uint64_t segments_total),
               void *progress_context, struct wal_recovery *ret_result,
               struct wal_error *ret_error);

#endif
