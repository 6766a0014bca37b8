/* source_wal.h - the write-ahead log as a record source
 *
 * Reads blocks with a wal_reader of its own: it shares nothing with the log's writer but the files
 * and, where it follows a live log, the durable LSN.
 */
#ifndef USHER_REPLAY_SOURCE_SOURCE_WAL_H
#define USHER_REPLAY_SOURCE_SOURCE_WAL_H

#include "replay/source/source.h"
#include "wal/reader.h"

struct source_wal {
    struct storage *storage;   /* borrowed; outlives the source */
    struct wal_reader *reader; /* owned; NULL until the first seek */
    uint64_t fixed_limit_lsn;  /* used where durable_lsn is NULL */
    uint64_t (*durable_lsn)(void *context);
    void *durable_context;
};

/* source_wal_init - read a log up to a fixed LSN, or follow a live one
 * @storage:     borrowed; outlives the source
 * @durable_lsn: asked before each record: nothing beyond is delivered; NULL for a log at rest
 * @limit_lsn:   where durable_lsn is NULL: the recovered end, or WAL_READER_NO_LIMIT for as far as
 *               the log is sound
 * @ret_port:    usable until source_wal_deinit()
 * Opens nothing yet: seek() does. */
void source_wal_init(struct source_wal *source, struct storage *storage,
                     uint64_t (*durable_lsn)(void *context), void *durable_context,
                     uint64_t limit_lsn, struct record_source *ret_port);
void source_wal_deinit(struct source_wal *source);

#endif
