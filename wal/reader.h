/* reader.h - the log, record by record
 *
 * For recovery (replay up to the recovered end), for the projection that follows the live log (up
 * to the durable LSN it is given), and for tools on a folder or a copy of it. Reads blocks with its
 * own buffer, checks every checksum and the chain, takes no lock, never slows the writer.
 *
 * A reader belongs to one thread at a time.
 */
#ifndef USHER_WAL_READER_H
#define USHER_WAL_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "wal/error.h"
#include "wal/storage/storage.h"

struct wal_reader;

/* No limit: as far as the log is sound. What follows is not judged; wal_recover does that. */
#define WAL_READER_NO_LIMIT UINT64_MAX

enum { WAL_READER_CAUGHT_UP = 1 };

struct wal_record {
    const uint8_t *bytes; /* borrowed until the next call */
    uint32_t size;        /* bytes, 20..RECORD_BYTES_MAX */
    uint64_t lsn;         /* just after this record */
    uint64_t wall_ms;     /* when its block was written, Unix ms */
    bool more; /* the next one is in the same block: the bytes outlive the next call too */
};

/* wal_reader_open - start reading at an LSN
 * @storage:    borrowed; outlives the reader; may be shared with a running log
 * @start_lsn:  an LSN that a record ended at, or the log's first; records after it are delivered
 * @ret_reader: close with wal_reader_close
 * A log that does not exist yet can be opened at LSN 0.
 * Return: 0; -WAL_ERROR_MISSING (start is older than the log), -WAL_ERROR_LSN (beyond its end, or
 * no boundary), -WAL_ERROR_CORRUPT, ... */
int wal_reader_open(struct storage *storage, uint64_t start_lsn, struct wal_reader **ret_reader,
                    struct wal_error *ret_error);
void wal_reader_close(struct wal_reader *reader);

/* wal_reader_next - the next record
 * @limit_lsn:  deliver no record whose LSN is above this: a durable LSN, a recovered end, or
 *              WAL_READER_NO_LIMIT. Below a given limit everything must be sound.
 * @ret_record: on 0 only
 * Return: 0; WAL_READER_CAUGHT_UP (call again when the limit has moved; without a limit: when the
 * log may have grown); <0 error, and the reader stays where it was */
int wal_reader_next(struct wal_reader *reader, uint64_t limit_lsn, struct wal_record *ret_record,
                    struct wal_error *ret_error);

/* wal_reader_lsn - the LSN after the last record delivered, or the start */
uint64_t wal_reader_lsn(const struct wal_reader *reader);

#endif
