/* log_cursor.c - see log_cursor.h */
#include "tools/usher/log_cursor.h"

#include <inttypes.h>
#include <stdio.h>

#include "engine/base/require.h"
#include "tools/common/complain.h"

/* Asking for the time is slower than reading a decision. */
#define PROGRESS_EVERY 4096u

static uint64_t segment_start(const struct log_folder *folder, uint64_t lsn) {
    uint64_t start = folder->first_lsn;
    for (uint32_t i = 0; i < folder->segment_count; i++) {
        uint64_t first = folder->segments[i].first_lsn;
        if (first <= lsn && first > start) start = first;
    }
    return start;
}

int log_cursor_open(struct log_folder *folder, uint64_t from_lsn, uint64_t to_lsn,
                    struct log_cursor *ret_cursor) {
    struct log_cursor cursor = {
        .directory = folder->directory, .from_lsn = from_lsn, .to_lsn = to_lsn};
    struct wal_error error;
    cursor.lsn = segment_start(folder, from_lsn);
    if (wal_reader_open(folder->wal, cursor.lsn, &cursor.reader, &error) < 0) {
        complain("%s: %s", folder->directory, error.text);
        return -1;
    }
    progress_begin(&cursor.progress, "bytes of log read");
    *ret_cursor = cursor;
    return 0;
}

void log_cursor_close(struct log_cursor *cursor) {
    if (cursor->progress.drawn) progress_end(&cursor->progress, cursor->lsn, cursor->to_lsn, "");
    wal_reader_close(cursor->reader);
}

static int decode(struct log_cursor *cursor, const struct wal_record *record) {
    int result = decision_decode(record->bytes, record->size, &cursor->decision);
    if (result == DECISION_DECODE_OK) return 0;
    complain("the record that ends at LSN %" PRIu64 " is not one of this usher (%s); "
             "was it written by a newer one? Use that one's tools.",
             record->lsn, result == DECISION_DECODE_UNKNOWN_KIND ? "unknown kind" : "bad form");
    return -1;
}

int log_cursor_next(struct log_cursor *cursor) {
    struct wal_record record;
    struct wal_error error;
    int result;
    do {
        result = wal_reader_next(cursor->reader, cursor->to_lsn, &record, &error);
        if (result == WAL_READER_CAUGHT_UP) return LOG_CURSOR_END;
        if (result < 0) {
            complain("%s: %s. usher wal verify %s tells more, usher wal repair %s what "
                     "can be done.",
                     cursor->directory, error.text, cursor->directory, cursor->directory);
            return -1;
        }
        cursor->lsn = record.lsn;
        if (++cursor->unshown == PROGRESS_EVERY) {
            cursor->unshown = 0;
            progress_at(&cursor->progress, record.lsn, cursor->to_lsn, "");
        }
    } while (record.lsn <= cursor->from_lsn);
    return decode(cursor, &record);
}
