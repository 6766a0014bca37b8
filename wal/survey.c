/* survey.c - every segment of a log judged with its neighbours; see survey.h
 *
 * Beside a running engine: how far the segments are in use is looked up before any block is read,
 * so a block that is missing before the next segment in use is missing for good. In the last one,
 * what looks like proof of damage is looked at once more, as recovery does.
 */
#include "wal/survey.h"

#include <string.h>

#include "wal/bytes.h"
#include "wal/wal.h"

int survey_open(struct survey *survey, struct storage *storage, struct wal_error *error) {
    *survey = (struct survey){.scan.handle = -1, .ahead.handle = -1, .error = error};
    int rc = scan_init(&survey->scan, storage, error);
    if (rc == 0) rc = scan_init(&survey->ahead, storage, error);
    if (rc == 0) rc = segment_list_any(storage, &survey->list, error);
    if (rc < 0) return rc;
    struct scan *ahead = &survey->ahead;
    for (uint64_t i = survey->list.count; i > 0 && survey->used == 0; i--) {
        rc = scan_open_any(ahead, survey->list.numbers[i - 1], error);
        if (rc < 0 && rc != -WAL_ERROR_MISSING) return rc;
        if (rc == 0 && ahead->state != SEGMENT_UNUSED) survey->used = i;
    }
    for (uint64_t i = 0; i < survey->used && !survey->log_known; i++) {
        rc = scan_open_any(ahead, survey->list.numbers[i], error);
        if (rc < 0 && rc != -WAL_ERROR_MISSING) return rc;
        if (rc == 0 && ahead->state == SEGMENT_USED) {
            survey->log_known = true;
            memcpy(survey->log_id, ahead->header.log_id, WAL_LOG_ID_BYTES);
        }
    }
    return 0;
}

void survey_close(struct survey *survey) {
    scan_deinit(&survey->scan);
    scan_deinit(&survey->ahead);
    segment_list_free(&survey->list);
}

static void damaged(struct segment_verdict *verdict, uint64_t offset, const char *proof) {
    verdict->info.state = WAL_SEGMENT_DAMAGED;
    verdict->info.bad_offset = offset;
    verdict->info.proof = proof;
}

static void count_durable(struct segment_verdict *verdict, uint64_t lsn) {
    if (lsn > verdict->durable_lsn) verdict->durable_lsn = lsn;
}

static void count_stray(struct segment_verdict *verdict, const struct block_header *header) {
    struct wal_segment_info *info = &verdict->info;
    count_durable(verdict, header->durable_lsn);
    if (header->epoch > verdict->epoch) verdict->epoch = header->epoch;
    if (header->record_count == 0) return;
    uint64_t end_lsn = header->first_lsn + header->body_bytes;
    if (info->stray_blocks == 0 || header->first_lsn < info->stray_first_lsn) {
        info->stray_first_lsn = header->first_lsn;
    }
    if (end_lsn > info->stray_end_lsn) info->stray_end_lsn = end_lsn;
    if (header->wall_ms > verdict->stray_last_wall_ms) {
        verdict->stray_last_wall_ms = header->wall_ms;
    }
    info->stray_blocks++;
    info->stray_records += header->record_count;
}

/* Every place where a block may begin, from an offset on. */
static int find_stray(struct survey *survey, uint64_t offset, struct segment_verdict *verdict) {
    struct scan *scan = &survey->scan;
    while (offset < scan->file_bytes) {
        uint64_t room = scan->file_bytes - offset;
        const uint8_t *block = NULL;
        int rc = scan_page(scan, offset, WAL_BLOCK_ALIGN_BYTES, WAL_BLOCK_BYTES_MAX, &block,
                           survey->error);
        if (rc < 0) return rc;
        uint32_t step = WAL_BLOCK_ALIGN_BYTES;
        struct block_header header;
        if (block_decode_header(block, room, scan->seed, &header)) {
            uint32_t bytes = block_bytes(header.body_bytes);
            rc = scan_page(scan, offset, bytes, WAL_BLOCK_BYTES_MAX, &block, survey->error);
            if (rc < 0) return rc;
            if (block_body_good(&header, block, scan->seed) && block_records_good(&header, block)) {
                count_stray(verdict, &header);
                step = bytes;
            }
        }
        offset += step;
    }
    return 0;
}

/* Without a good header a segment has never had a block: zeros but for the header's place.
 * Return: 0; 1 if a live engine has begun it meanwhile; <0 */
static int judge_headless(struct survey *survey, uint64_t index, struct segment_verdict *verdict) {
    struct scan *scan = &survey->scan;
    bool zeros = true;
    if (index < survey->used) {
        damaged(verdict, 0, "its header is not good, but later segments are");
    } else if (scan->odd_bytes != 0 || scan->file_bytes < SEGMENT_HEADER_BYTES) {
        damaged(verdict, 0, "no segment has this size");
    } else {
        int rc = scan_zeros(scan, SEGMENT_HEADER_BYTES, scan->file_bytes, &zeros, survey->error);
        if (rc == 0 && !zeros) {
            rc = scan_open_any(scan, survey->list.numbers[index], survey->error);
            if (rc == 0 && scan->state == SEGMENT_USED) return 1;
        }
        if (rc < 0) return rc;
        verdict->info.state = WAL_SEGMENT_UNUSED;
        if (!zeros) damaged(verdict, 0, "its header is not good, but it has been written to");
    }
    if (verdict->info.state == WAL_SEGMENT_UNUSED || scan->file_bytes < SEGMENT_HEADER_BYTES) {
        return 0;
    }
    const uint8_t *page = NULL;
    int rc = scan_page(scan, 0, SEGMENT_HEADER_BYTES, SEGMENT_HEADER_BYTES, &page, survey->error);
    if (rc < 0) return rc;
    /* Of a log that is one segment, the id may still be readable in the header's place. */
    scan->seed = segment_seed(survey->log_known ? survey->log_id : page + SEGMENT_AT_LOG_ID);
    return find_stray(survey, SEGMENT_HEADER_BYTES, verdict);
}

/* Does it follow the one before it? */
static void judge_place(const struct segment_verdict *before, struct segment_verdict *verdict) {
    if (before == NULL || !before->belongs || before->info.number + 1 != verdict->info.number) {
        return;
    }
    if (verdict->header.epoch < before->header.epoch) {
        verdict->misplaced = true;
        damaged(verdict, 0, "its epoch runs backwards");
    } else if (before->whole && (verdict->header.first_lsn != before->info.end_lsn ||
                                 verdict->header.chain != before->chain)) {
        verdict->misplaced = true;
        damaged(verdict, 0, "it does not go on where the segment before it ended");
    }
}

/* The header of the next segment, if it is in use and can follow this one.
 * Return: whether it is in survey->ahead; <0 */
static int next_header(struct survey *survey, uint64_t index) {
    const struct scan *scan = &survey->scan;
    struct scan *ahead = &survey->ahead;
    uint64_t number = survey->list.numbers[index] + 1;
    if (index + 1 >= survey->used || survey->list.numbers[index + 1] != number) return 0;
    int rc = scan_open_any(ahead, number, survey->error);
    if (rc < 0) return rc == -WAL_ERROR_MISSING ? 0 : rc;
    return ahead->state == SEGMENT_USED && ahead->header.number == number &&
           memcmp(ahead->header.log_id, survey->log_id, WAL_LOG_ID_BYTES) == 0 &&
           ahead->epoch >= scan->epoch;
}

static void count_block(struct segment_verdict *verdict, const struct block_header *header) {
    struct wal_segment_info *info = &verdict->info;
    if (info->blocks + info->seals == 0) info->first_wall_ms = header->wall_ms;
    info->last_wall_ms = header->wall_ms;
    info->blocks += header->record_count > 0;
    info->seals += header->record_count == 0;
    info->records += header->record_count;
    count_durable(verdict, header->durable_lsn);
}

/* Take blocks in sequence up to where the next header says, if it is of a later epoch.
 * Return: enum scan_peek; <0 */
static int walk(struct survey *survey, const struct segment_header *next,
                struct segment_verdict *verdict) {
    struct scan *scan = &survey->scan;
    for (;;) {
        if (next != NULL && next->epoch > scan->epoch && next->first_lsn == scan->lsn &&
            next->chain == scan->chain) {
            return SCAN_END;
        }
        struct block_header header;
        const uint8_t *block = NULL;
        int rc = scan_peek(scan, WAL_BLOCK_BYTES_MAX, &header, &block, survey->error);
        if (rc != SCAN_BLOCK) return rc;
        count_block(verdict, &header);
        scan_take(scan, &header);
    }
}

/* In the last segment, whatever looks like damage may be what an engine has just written.
 * Return: 0; 1 (there is another block now); <0 */
static int look_again(struct survey *survey) {
    struct block_header header;
    const uint8_t *block = NULL;
    scan_forget(&survey->scan);
    int rc = scan_peek(&survey->scan, WAL_BLOCK_BYTES_MAX, &header, &block, survey->error);
    return rc < 0 ? rc : rc == SCAN_BLOCK;
}

/* The sequence ends here. Return: 0; 1 (it does not, any more); <0 */
static int judge_end(struct survey *survey, const struct segment_header *next, int end,
                     struct segment_verdict *verdict) {
    struct scan *scan = &survey->scan;
    bool reached = next != NULL && next->first_lsn == scan->lsn && next->chain == scan->chain;
    verdict->whole = end == SCAN_END || reached;
    if (reached) {
        uint64_t left = scan->file_bytes - scan->offset;
        uint64_t bytes = left < WAL_BLOCK_BYTES_MAX ? left : WAL_BLOCK_BYTES_MAX;
        bool zeros = true;
        int rc = scan_zeros(scan, scan->offset, scan->offset + bytes, &zeros, survey->error);
        if (!zeros && next->epoch > scan->epoch) verdict->info.state = WAL_SEGMENT_TORN;
        return rc;
    }
    struct scan_tail tail;
    int rc = scan_tail(scan, &tail, survey->error);
    if (rc < 0) return rc;
    if (tail.proof != NULL && next == NULL) {
        rc = look_again(survey);
        if (rc != 0) return rc;
    }
    if (tail.proof != NULL) {
        damaged(verdict, scan->offset, tail.proof);
    } else if (next != NULL && end == SCAN_STOP) {
        damaged(verdict, scan->offset,
                "there is no sound block, but the next segment goes on behind it");
    } else if (tail.torn) {
        verdict->info.state = WAL_SEGMENT_TORN;
    }
    return 0;
}

static int judge_blocks(struct survey *survey, uint64_t index, const struct segment_verdict *before,
                        struct segment_verdict *verdict) {
    struct scan *scan = &survey->scan;
    const struct segment_header *header = &scan->header;
    verdict->header = *header;
    verdict->belongs = true;
    verdict->epoch = header->epoch;
    count_durable(verdict, header->first_lsn); /* written when all before it was durable */
    bool right_size = verdict->info.file_bytes == header->segment_bytes;
    if (scan->file_bytes > header->segment_bytes) scan->file_bytes = header->segment_bytes;
    int rc = next_header(survey, index);
    if (rc < 0) return rc;
    const struct segment_header *next = rc != 0 ? &survey->ahead.header : NULL;
    do {
        rc = walk(survey, next, verdict);
        if (rc >= 0) rc = judge_end(survey, next, rc, verdict);
    } while (rc > 0);
    if (rc < 0) return rc;
    verdict->info.used_bytes = scan->offset;
    verdict->info.end_lsn = scan->lsn;
    verdict->chain = scan->chain;
    if (!right_size) {
        damaged(verdict, scan->offset, "the file has not the size that its header states");
        verdict->whole = false;
        verdict->odd_size = true;
    }
    judge_place(before, verdict);
    return verdict->info.state == WAL_SEGMENT_DAMAGED ? find_stray(survey, scan->offset, verdict)
                                                      : 0;
}

/* A good header: of this log, and of this segment? */
static int judge_used(struct survey *survey, uint64_t index, const struct segment_verdict *before,
                      struct segment_verdict *verdict) {
    const struct segment_header *header = &survey->scan.header;
    struct wal_segment_info *info = &verdict->info;
    info->epoch = header->epoch;
    info->created_ms = header->created_ms;
    info->first_lsn = header->first_lsn;
    info->end_lsn = header->first_lsn;
    if (!survey->log_known) { /* an engine has made the log since survey_open */
        survey->log_known = true;
        memcpy(survey->log_id, header->log_id, WAL_LOG_ID_BYTES);
    }
    if (memcmp(header->log_id, survey->log_id, WAL_LOG_ID_BYTES) != 0) {
        info->state = WAL_SEGMENT_FOREIGN;
        info->proof = "it belongs to another log";
        return 0;
    }
    if (header->number != info->number) {
        info->state = WAL_SEGMENT_FOREIGN;
        info->proof = "its header states another number: it was renamed or copied over";
        return 0;
    }
    if (header->segment_bytes < WAL_SEGMENT_BYTES_MIN ||
        header->segment_bytes > WAL_SEGMENT_BYTES_MAX ||
        header->segment_bytes % WAL_BLOCK_ALIGN_BYTES != 0) {
        damaged(verdict, 0, "its header states a size that no segment has");
        return find_stray(survey, SEGMENT_HEADER_BYTES, verdict);
    }
    return judge_blocks(survey, index, before, verdict);
}

int survey_judge(struct survey *survey, uint64_t index, const struct segment_verdict *before,
                 struct segment_verdict *ret_verdict) {
    struct scan *scan = &survey->scan;
    int rc = scan_open_any(scan, survey->list.numbers[index], survey->error);
    if (rc < 0) return rc == -WAL_ERROR_MISSING ? SURVEY_GONE : rc;
    struct segment_verdict verdict = {.info.number = survey->list.numbers[index],
                                      .info.file_bytes = scan->file_bytes + scan->odd_bytes};
    memcpy(verdict.info.name, scan->name, sizeof verdict.info.name);
    if (scan->state == SEGMENT_UNUSED) {
        rc = judge_headless(survey, index, &verdict);
        if (rc <= 0) {
            *ret_verdict = verdict;
            return rc;
        }
        /* An engine has begun it meanwhile; scan has it open. */
    }
    rc = 0;
    if (scan->state == SEGMENT_VERSION) {
        verdict.info.state = WAL_SEGMENT_VERSION;
        verdict.info.proof = "another version of usher wrote it";
    } else {
        rc = judge_used(survey, index, before, &verdict);
    }
    *ret_verdict = verdict;
    return rc;
}
