/* memory_log.c - see memory_log.h */
#include "tests/support/memory_log.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/base/require.h"

void memory_log_init(struct memory_log *log) {
    *log = (struct memory_log){.limit_lsn = UINT64_MAX, .fails_at = UINT64_MAX};
}

void memory_log_deinit(struct memory_log *log) { free(log->bytes); }

uint64_t memory_log_append_bytes(struct memory_log *log, const uint8_t *bytes, uint32_t size) {
    if (log->size + size > log->capacity) {
        log->capacity = log->capacity ? 2 * log->capacity : 1u << 16;
        log->bytes = realloc(log->bytes, log->capacity);
        REQUIRE(log->bytes != NULL && log->size + size <= log->capacity);
    }
    memcpy(log->bytes + log->size, bytes, size);
    log->size += size;
    return log->size;
}

uint64_t memory_log_append(struct memory_log *log, const struct decision *decision) {
    uint8_t bytes[RECORD_BYTES_MAX];
    return memory_log_append_bytes(log, bytes, decision_encode(decision, bytes));
}

static uint64_t end_lsn(void *context) {
    const struct memory_log *log = context;
    return log->size < log->limit_lsn ? log->size : log->limit_lsn;
}

static int seek(void *context, uint64_t lsn, struct source_error *ret_error) {
    struct memory_log *log = context;
    if (lsn > log->size) {
        snprintf(ret_error->text, sizeof ret_error->text, "LSN %llu is beyond the end",
                 (unsigned long long)lsn);
        return -1;
    }
    log->at = lsn;
    return 0;
}

static int next(void *context, struct source_record *ret_record, struct source_error *ret_error) {
    struct memory_log *log = context;
    uint32_t size;
    if (log->at >= end_lsn(log)) return SOURCE_CAUGHT_UP;
    if (log->at >= log->fails_at) {
        snprintf(ret_error->text, sizeof ret_error->text, "the disk fell off at LSN %llu",
                 (unsigned long long)log->at);
        return -1;
    }
    memcpy(&size, log->bytes + log->at, sizeof size);
    if (log->at + size > end_lsn(log)) return SOURCE_CAUGHT_UP;
    ret_record->bytes = log->bytes + log->at;
    ret_record->size = size;
    log->at += size;
    ret_record->lsn = log->at;
    ret_record->more = log->at < end_lsn(log);
    return 0;
}

static int epoch_at(void *context, uint64_t lsn, uint64_t *ret_epoch,
                    struct source_error *ret_error) {
    struct memory_log *log = context;
    (void)lsn;       /* all of it is of one epoch */
    (void)ret_error; /* cannot fail */
    *ret_epoch = log->epoch;
    return 0;
}

struct record_source memory_log_source(struct memory_log *log) {
    return (struct record_source){log, seek, next, end_lsn, log->epoch > 0 ? epoch_at : NULL};
}
