/* source_wal.c - see source_wal.h */
#include "replay/source/source_wal.h"

#include <stdio.h>

#include "engine/base/require.h"
#include "wal/recovery.h"

static uint64_t limit_lsn(const struct source_wal *source) {
    return source->durable_lsn ? source->durable_lsn(source->durable_context)
                               : source->fixed_limit_lsn;
}

static int fail(const struct wal_error *error, struct source_error *ret_error) {
    snprintf(ret_error->text, sizeof ret_error->text, "%s", error->text);
    return -1;
}

static int seek(void *context, uint64_t lsn, struct source_error *ret_error) {
    struct source_wal *source = context;
    struct wal_error error;
    struct wal_reader *reader = NULL;
    /* The reader that is there may be far ahead (a batch that was rolled back): begin afresh. */
    if (source->reader && wal_reader_lsn(source->reader) == lsn) return 0;
    if (wal_reader_open(source->storage, lsn, &reader, &error) < 0) return fail(&error, ret_error);
    if (source->reader) wal_reader_close(source->reader);
    source->reader = reader;
    return 0;
}

static int next(void *context, struct source_record *ret_record, struct source_error *ret_error) {
    struct source_wal *source = context;
    struct wal_error error;
    struct wal_record record;
    REQUIRE(source->reader != NULL); /* seek() comes first */
    int result = wal_reader_next(source->reader, limit_lsn(source), &record, &error);
    if (result < 0) return fail(&error, ret_error);
    if (result == WAL_READER_CAUGHT_UP) return SOURCE_CAUGHT_UP;
    *ret_record = (struct source_record){record.bytes, record.size, record.lsn, record.more};
    return 0;
}

static uint64_t end_lsn(void *context) { return limit_lsn(context); }

static int epoch_at(void *context, uint64_t lsn, uint64_t *ret_epoch,
                    struct source_error *ret_error) {
    struct source_wal *source = context;
    struct wal_error error;
    return wal_epoch_at(source->storage, lsn, ret_epoch, &error) < 0 ? fail(&error, ret_error) : 0;
}

void source_wal_init(struct source_wal *source, struct storage *storage,
                     uint64_t (*durable_lsn)(void *context), void *durable_context,
                     uint64_t fixed_limit_lsn, struct record_source *ret_port) {
    REQUIRE(storage != NULL);
    *source = (struct source_wal){
        .storage = storage,
        .fixed_limit_lsn = fixed_limit_lsn,
        .durable_lsn = durable_lsn,
        .durable_context = durable_context,
    };
    *ret_port = (struct record_source){source, seek, next, end_lsn, epoch_at};
}

void source_wal_deinit(struct source_wal *source) {
    if (source->reader) wal_reader_close(source->reader);
    source->reader = NULL;
}
