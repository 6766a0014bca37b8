/* recovery.c - where the log ends, and whether that can be believed
 *
 * Happy path: find the last segment with a good header, walk the stream of blocks from the first
 * segment (or the one that holds from_lsn) to its end, find nothing behind it.
 *
 * Failure modes: all proofs of corruption in wal/README.md, "Recovery". Each is reported at the
 * place where the next sound block should be: that is what an operator has to restore.
 *
 * Runs on the thread that opens the log, or in a tool, also beside a running engine (live): then
 * what looks like damage may be a write that arrived between two reads, and is read once more.
 */
#include "wal/recovery.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/require.h"
#include "wal/scan.h"

struct recovery_walk {
    struct storage *storage;
    const struct wal_recovery_options *options;
    struct segment_list list;
    struct scan scan;  /* the segment being walked */
    struct scan ahead; /* for headers of others */
    uint64_t start;    /* index in list of the first segment to walk */
    uint64_t used;     /* segments with a good header; list[used..] have none */
    struct wal_recovery result;
    struct wal_error *error;
};

enum { TAIL_MOVED = 1 };

static int corrupt(struct recovery_walk *walk, const char *file, uint64_t offset, uint64_t lsn,
                   const char *proof) {
    return wal_error_set(walk->error, WAL_ERROR_CORRUPT, file, offset, lsn,
                         "the log is damaged in segment %s at offset %llu, LSN %llu: %s. "
                         "Records that were acknowledged may be lost. Nothing was changed; "
                         "restore the file from a copy of the folder",
                         file, (unsigned long long)offset, (unsigned long long)lsn, proof);
}

/* A segment without a good header has never had a block: zeros but for the header's place.
 * Return: 0; 1 if a live engine has begun it meanwhile; <0 */
static int check_unused(struct recovery_walk *walk, uint64_t number, bool *ret_all_zero) {
    struct scan *scan = &walk->ahead;
    bool zeros = false;
    int rc = scan_zeros(scan, 0, SEGMENT_HEADER_BYTES, ret_all_zero, walk->error);
    if (rc == 0) {
        rc = scan_zeros(scan, SEGMENT_HEADER_BYTES, scan->file_bytes, &zeros, walk->error);
    }
    if (rc < 0 || zeros) return rc;
    if (walk->options->live) {
        rc = scan_open(scan, number, walk->error);
        if (rc < 0 || scan->state == SEGMENT_USED) return rc < 0 ? rc : 1;
    }
    return corrupt(walk, scan->name, 0, 0, "its header is not good, but it has been written to");
}

/* Split the list into segments in use and, at its end, those that are not. */
static int find_used(struct recovery_walk *walk) {
    walk->used = walk->list.count;
    while (walk->used > 0) {
        uint64_t number = walk->list.numbers[walk->used - 1];
        int rc = scan_open(&walk->ahead, number, walk->error);
        if (rc < 0) return rc;
        if (walk->ahead.state == SEGMENT_USED) break;
        bool all_zero = false;
        rc = check_unused(walk, number, &all_zero);
        if (rc < 0) return rc;
        walk->result.spare_bytes = all_zero && rc == 0 ? walk->ahead.file_bytes : 0;
        walk->used--;
    }
    if (walk->used == 0 && walk->list.count > 0 && walk->list.numbers[0] != 1) {
        return wal_error_set(walk->error, WAL_ERROR_MISSING, walk->ahead.name, 0, 0,
                             "no segment has a good header, and the first is %s; the segments "
                             "before it are missing, restore them from a copy of the folder",
                             walk->ahead.name);
    }
    return 0;
}

/* Open a segment that must be in use, and check that it belongs to this log. */
static int open_used(struct recovery_walk *walk, struct scan *scan, uint64_t index) {
    uint64_t number = walk->list.numbers[index];
    int rc = scan_open(scan, number, walk->error);
    if (rc < 0) return rc;
    const struct segment_header *header = &scan->header;
    if (scan->state != SEGMENT_USED) {
        return corrupt(walk, scan->name, 0, 0, "its header is not good, but later segments are");
    }
    if (header->number != number) {
        return wal_error_set(walk->error, WAL_ERROR_FOREIGN, scan->name, 0, 0,
                             "segment %s says in its header that its number is %llu; it was "
                             "renamed or copied over, restore it from a copy of the folder",
                             scan->name, (unsigned long long)header->number);
    }
    if (walk->result.log_exists &&
        memcmp(header->log_id, walk->result.log_id, WAL_LOG_ID_BYTES) != 0) {
        return wal_error_set(walk->error, WAL_ERROR_FOREIGN, scan->name, 0, 0,
                             "segment %s belongs to another log than the first segment; "
                             "remove it, and restore the right one from a copy of the folder",
                             scan->name);
    }
    uint32_t wanted = walk->options->account_partitions;
    if (wanted != 0 && header->account_partitions != wanted) {
        return wal_error_set(walk->error, WAL_ERROR_PARTITIONS, scan->name, 0, header->first_lsn,
                             "the log was made with %u account partitions, this usher has %u; "
                             "use a build with %u",
                             header->account_partitions, wanted, header->account_partitions);
    }
    if (header->segment_bytes != scan->file_bytes) {
        return corrupt(walk, scan->name, scan->file_bytes, header->first_lsn,
                       "the file has not the size that its header states");
    }
    return 0;
}

/* Read the first header, which says which log this is, and find where to start. */
static int find_start(struct recovery_walk *walk) {
    int rc = open_used(walk, &walk->ahead, 0);
    if (rc < 0) return rc;
    const struct segment_header *first = &walk->ahead.header;
    walk->result.log_exists = true;
    memcpy(walk->result.log_id, first->log_id, WAL_LOG_ID_BYTES);
    walk->result.account_partitions = first->account_partitions;
    walk->result.first_lsn = first->first_lsn;

    /* First LSNs rise with the numbers: the last segment that begins at or before from_lsn. From
     * the high end, where it mostly is: then a damaged one that nobody needs is not even looked
     * at. */
    walk->start = walk->options->from_lsn == 0 ? 0 : walk->used - 1;
    while (walk->start > 0) {
        rc = open_used(walk, &walk->ahead, walk->start);
        if (rc < 0) return rc;
        if (walk->ahead.header.first_lsn <= walk->options->from_lsn) break;
        walk->start--;
    }
    return 0;
}

/* Is anything written where the next block should be? */
static int check_torn(struct recovery_walk *walk, bool *ret_torn) {
    struct scan *scan = &walk->scan;
    uint64_t left = scan->file_bytes - scan->offset;
    uint64_t bytes = left < WAL_BLOCK_BYTES_MAX ? left : WAL_BLOCK_BYTES_MAX;
    bool zeros = true;
    int rc = scan_zeros(scan, scan->offset, scan->offset + bytes, &zeros, walk->error);
    *ret_torn = !zeros;
    return rc;
}

static void count_block(struct wal_recovery *result, const struct block_header *header) {
    if (header->record_count == 0) {
        result->seals++;
    } else {
        result->blocks++;
        result->records += header->record_count;
    }
    result->sealed = header->record_count == 0;
    result->last_wall_ms = header->wall_ms;
    /* In sequence, so both are at most the LSN that was reached. */
    if (header->durable_lsn > result->durable_lsn) result->durable_lsn = header->durable_lsn;
}

/* Take blocks in sequence until they end, or until a later epoch's header overrules the rest.
 * Return: 0 (ret_overruled set), <0 */
static int walk_blocks(struct recovery_walk *walk, const struct segment_header *cut,
                       enum scan_peek *ret_end) {
    struct scan *scan = &walk->scan;
    for (;;) {
        if (cut != NULL && scan->lsn == cut->first_lsn && scan->chain == cut->chain) {
            *ret_end = SCAN_END;
            return 0;
        }
        struct block_header header;
        const uint8_t *block = NULL;
        int rc = scan_peek(scan, WAL_BLOCK_BYTES_MAX, &header, &block, walk->error);
        if (rc < 0) return rc;
        if (rc != SCAN_BLOCK) {
            *ret_end = (enum scan_peek)rc;
            return 0;
        }
        count_block(&walk->result, &header);
        scan_take(scan, &header);
    }
}

/* A segment with a successor: the successor's header says where this one must have ended. */
static int walk_inner(struct recovery_walk *walk, uint64_t index) {
    int rc = open_used(walk, &walk->ahead, index + 1);
    if (rc < 0) return rc;
    struct scan *scan = &walk->scan;
    const struct segment_header *next = &walk->ahead.header;
    if (next->epoch < scan->epoch) {
        return corrupt(walk, walk->ahead.name, 0, next->first_lsn, "its epoch runs backwards");
    }
    bool cut = next->epoch > scan->epoch;
    enum scan_peek end;
    rc = walk_blocks(walk, cut ? next : NULL, &end);
    if (rc < 0) return rc;
    if (scan->lsn != next->first_lsn || scan->chain != next->chain) {
        if (end == SCAN_STOP) {
            return corrupt(walk, scan->name, scan->offset, scan->lsn,
                           "there is no sound block, but the next segment goes on behind it");
        }
        return corrupt(walk, walk->ahead.name, 0, scan->lsn,
                       "it does not go on where the segment before it ended");
    }
    if (cut) {
        bool torn = false;
        walk->result.epochs++;
        rc = check_torn(walk, &torn);
        walk->result.torn_tails += torn;
    }
    return rc;
}

/* What looked like proof may be a block that a live engine has finished meanwhile.
 * Return: TAIL_MOVED, or the corruption, or another error */
static int prove(struct recovery_walk *walk, const char *proof) {
    struct scan *scan = &walk->scan;
    if (walk->options->live) {
        struct block_header header;
        const uint8_t *block = NULL;
        scan_forget(scan);
        int rc = scan_peek(scan, WAL_BLOCK_BYTES_MAX, &header, &block, walk->error);
        if (rc < 0 || rc == SCAN_BLOCK) return rc < 0 ? rc : TAIL_MOVED;
    }
    return corrupt(walk, scan->name, scan->offset, scan->lsn, proof);
}

/* Behind the end of the sequence in the last segment.
 * Return: 0 (nothing or a torn tail), TAIL_MOVED, <0 */
static int judge_tail(struct recovery_walk *walk) {
    struct scan_tail tail;
    int rc = scan_tail(&walk->scan, &tail, walk->error);
    if (rc < 0) return rc;
    walk->result.torn = tail.torn;
    return tail.proof != NULL ? prove(walk, tail.proof) : 0;
}

static int walk_last(struct recovery_walk *walk) {
    struct scan *scan = &walk->scan;
    int rc = TAIL_MOVED;
    while (rc == TAIL_MOVED) {
        enum scan_peek end;
        rc = walk_blocks(walk, NULL, &end);
        if (rc == 0) rc = judge_tail(walk);
    }
    if (rc < 0) return rc;
    struct wal_recovery *result = &walk->result;
    if (walk->options->witness_lsn > scan->lsn) {
        char proof[128];
        (void)snprintf(proof, sizeof proof,
                       "the log ends there, but others have seen it durable up to LSN %llu",
                       (unsigned long long)walk->options->witness_lsn);
        return corrupt(walk, scan->name, scan->offset, scan->lsn, proof);
    }
    result->end_lsn = scan->lsn;
    result->epoch = scan->epoch;
    result->last_number = scan->header.number;
    result->next_number = scan->header.number + 1;
    result->next_chain = scan->chain;
    if (result->torn) {
        result->torn_tails++;
        result->torn_offset = scan->offset;
        memcpy(result->torn_file, scan->name, sizeof result->torn_file);
    }
    result->epochs++;
    return 0;
}

static int walk_segments(struct recovery_walk *walk) {
    uint64_t total = walk->used - walk->start;
    for (uint64_t i = walk->start; i < walk->used; i++) {
        int rc = open_used(walk, &walk->scan, i);
        walk->result.sealed = true; /* a header proves what is before it */
        /* A header is written when all before it is durable. */
        if (rc == 0 && walk->scan.lsn > walk->result.durable_lsn) {
            walk->result.durable_lsn = walk->scan.lsn;
        }
        if (rc == 0) rc = i + 1 < walk->used ? walk_inner(walk, i) : walk_last(walk);
        if (rc < 0) return rc;
        walk->result.segments++;
        if (walk->options->progress != NULL) {
            walk->options->progress(walk->options->progress_context, walk->result.segments, total);
        }
    }
    return 0;
}

static int recover(struct recovery_walk *walk) {
    int rc = segment_list_read(walk->storage, &walk->list, walk->error);
    if (rc < 0) return rc;
    rc = find_used(walk);
    if (rc < 0) return rc;
    if (walk->used == 0) {
        uint64_t witness = walk->options->witness_lsn;
        if (witness == 0) {
            walk->result.next_number = 1;
            return 0;
        }
        return wal_error_set(walk->error, WAL_ERROR_MISSING, NULL, 0, 0,
                             "there is no log in the folder, but others have seen it durable up "
                             "to LSN %llu; restore the folder from a copy",
                             (unsigned long long)witness);
    }
    rc = find_start(walk);
    return rc < 0 ? rc : walk_segments(walk);
}

int wal_recover(struct storage *storage, const struct wal_recovery_options *options,
                struct wal_recovery *ret_result, struct wal_error *ret_error) {
    struct recovery_walk walk = {.storage = storage, .options = options, .error = ret_error};
    int rc = scan_init(&walk.scan, storage, ret_error);
    if (rc < 0) return rc;
    rc = scan_init(&walk.ahead, storage, ret_error);
    if (rc == 0) {
        rc = recover(&walk);
        scan_deinit(&walk.ahead);
    }
    scan_deinit(&walk.scan);
    segment_list_free(&walk.list);
    if (rc == 0) *ret_result = walk.result;
    return rc;
}

int wal_verify(struct storage *storage,
               void (*progress)(void *context, uint64_t segments_done, uint64_t segments_total),
               void *progress_context, struct wal_recovery *ret_result,
               struct wal_error *ret_error) {
    struct wal_recovery_options options = {
        .live = true, .progress = progress, .progress_context = progress_context};
    return wal_recover(storage, &options, ret_result, ret_error);
}

static int find_epoch(struct scan *scan, const struct segment_list *list, uint64_t lsn,
                      uint64_t *ret_epoch, struct wal_error *ret_error) {
    for (uint64_t i = list->count; i > 0; i--) {
        int rc = scan_open(scan, list->numbers[i - 1], ret_error);
        if (rc == -WAL_ERROR_MISSING) break; /* deleted meanwhile, like all before it */
        if (rc < 0) return rc;
        if (scan->state == SEGMENT_USED && scan->header.first_lsn < lsn) {
            *ret_epoch = scan->header.epoch;
            return 0;
        }
    }
    *ret_epoch = 0;
    return 0;
}

int wal_epoch_at(struct storage *storage, uint64_t lsn, uint64_t *ret_epoch,
                 struct wal_error *ret_error) {
    struct segment_list list;
    struct scan scan;
    int rc = segment_list_read(storage, &list, ret_error);
    if (rc < 0) return rc;
    rc = scan_init(&scan, storage, ret_error);
    if (rc == 0) {
        rc = find_epoch(&scan, &list, lsn, ret_epoch, ret_error);
        scan_deinit(&scan);
    }
    segment_list_free(&list);
    return rc;
}
