/* reader.c - the log, record by record
 *
 * Happy path: find the segment by the first LSNs of the headers, walk its blocks to the start, hand
 * out the records of one block after the other, go on to the next segment where its header says
 * that it continues exactly here.
 *
 * Failure modes: below the given limit everything must be sound; a block that is not in sequence
 * is read once more (what was read ahead may be older than the limit) and is then corruption.
 * Without a limit the reader stops there and says that it has caught up.
 */
#include "wal/reader.h"

#include <stdlib.h>

#include "engine/base/require.h"
#include "wal/bytes.h"
#include "wal/scan.h"

/* Reading ahead costs bandwidth where the reader follows the log closely. */
#define READ_BYTES_NEAR (64u * 1024u)

struct wal_reader {
    struct scan scan;           /* handle -1: no segment yet */
    struct scan ahead;          /* the next segment's header */
    uint64_t number;            /* of the segment in scan; 0 = the log does not exist yet */
    uint64_t lsn;               /* after the last record delivered */
    const uint8_t *block;       /* current; NULL = none */
    struct block_header header; /* of the current block */
    uint32_t position;          /* of the next record in the body, bytes */
    bool cut;                   /* a later epoch ends this segment at the two below */
    uint64_t cut_lsn;
    uint64_t cut_chain;
};

enum { READER_NOTHING = 1, READER_BLOCK = 2 };

/* Look at the header of the next segment.
 * Return: 0 (ahead holds it), READER_NOTHING (not there, or not in use), <0 */
static int look_ahead(struct wal_reader *reader, struct wal_error *ret_error) {
    int rc = scan_open(&reader->ahead, reader->number + 1, ret_error);
    if (rc == -WAL_ERROR_MISSING) return READER_NOTHING;
    if (rc < 0) return rc;
    return reader->ahead.state == SEGMENT_USED ? 0 : READER_NOTHING;
}

/* Go to a segment that is in use, and learn where a later epoch has cut it. */
static int enter_segment(struct wal_reader *reader, uint64_t number, struct wal_error *ret_error) {
    int rc = scan_open(&reader->scan, number, ret_error);
    if (rc < 0) return rc;
    struct scan *scan = &reader->scan;
    if (scan->state != SEGMENT_USED || scan->header.number != number ||
        scan->header.segment_bytes != scan->file_bytes) {
        return wal_error_set(ret_error, WAL_ERROR_CORRUPT, scan->name, 0, reader->lsn,
                             "the header of segment %s is damaged; verify the log", scan->name);
    }
    reader->number = number;
    reader->block = NULL;
    rc = look_ahead(reader, ret_error);
    if (rc < 0) return rc;
    reader->cut = rc == 0 && reader->ahead.epoch > scan->epoch;
    reader->cut_lsn = reader->ahead.header.first_lsn;
    reader->cut_chain = reader->ahead.header.chain;
    scan_close(&reader->ahead);
    return 0;
}

/* Blocks end here; does the next segment go on exactly here?
 * Return: 0 (entered it), READER_NOTHING, <0 */
static int next_segment(struct wal_reader *reader, struct wal_error *ret_error) {
    int rc = look_ahead(reader, ret_error);
    if (rc != 0) return rc;
    const struct segment_header *next = &reader->ahead.header;
    bool continues = next->first_lsn == reader->scan.lsn && next->chain == reader->scan.chain;
    scan_close(&reader->ahead);
    return continues ? enter_segment(reader, reader->number + 1, ret_error) : READER_NOTHING;
}

/* Step to the next block, over segments and seals.
 * Return: READER_BLOCK, READER_NOTHING, <0 */
static int next_block(struct wal_reader *reader, uint32_t read_bytes, struct wal_error *ret_error) {
    struct scan *scan = &reader->scan;
    bool again = true;
    for (;;) {
        bool at_cut = reader->cut && scan->lsn == reader->cut_lsn &&
                      scan->chain == reader->cut_chain;
        struct block_header header;
        const uint8_t *block = NULL;
        int rc = at_cut ? SCAN_END : scan_peek(scan, read_bytes, &header, &block, ret_error);
        if (rc < 0) return rc;
        if (rc == SCAN_BLOCK) {
            scan_take(scan, &header);
            again = true;
            if (header.record_count == 0) continue;
            reader->header = header;
            reader->block = block;
            reader->position = 0;
            return READER_BLOCK;
        }
        if (rc == SCAN_STOP && again) {
            /* What was read ahead may be older than what the caller knows to be durable. */
            again = false;
            scan_forget(scan);
            continue;
        }
        rc = next_segment(reader, ret_error);
        if (rc != 0) return rc;
        again = true;
    }
}

static int too_old(uint64_t lsn, const struct scan *first, struct wal_error *ret_error) {
    return wal_error_set(ret_error, WAL_ERROR_MISSING, first->name, 0, lsn,
                         "the log on disk begins at LSN %llu with segment %s; LSN %llu is in an "
                         "older one, restore it from an archive, or start from a snapshot",
                         (unsigned long long)first->header.first_lsn, first->name,
                         (unsigned long long)lsn);
}

/* The log did not exist when the reader was opened: does it now? */
static int find_first(struct wal_reader *reader, struct wal_error *ret_error) {
    reader->number = 0;
    int rc = look_ahead(reader, ret_error);
    if (rc != 0) return rc;
    if (reader->ahead.header.first_lsn != reader->lsn) {
        return too_old(reader->lsn, &reader->ahead, ret_error);
    }
    return enter_segment(reader, 1, ret_error);
}

int wal_reader_next(struct wal_reader *reader, uint64_t limit_lsn, struct wal_record *ret_record,
                    struct wal_error *ret_error) {
    if (reader->lsn >= limit_lsn) return WAL_READER_CAUGHT_UP;
    if (reader->block != NULL && reader->position == reader->header.body_bytes) {
        reader->block = NULL;
    }
    if (reader->block == NULL) {
        bool near = limit_lsn != WAL_READER_NO_LIMIT && limit_lsn - reader->lsn < READ_BYTES_NEAR;
        int rc = reader->number == 0 ? find_first(reader, ret_error) : 0;
        if (rc == 0) {
            rc = next_block(reader, near ? READ_BYTES_NEAR : WAL_BLOCK_BYTES_MAX, ret_error);
        }
        if (rc < 0) return rc;
        if (rc == READER_NOTHING && limit_lsn == WAL_READER_NO_LIMIT) {
            return WAL_READER_CAUGHT_UP;
        }
        if (rc == READER_NOTHING) {
            return wal_error_set(ret_error, WAL_ERROR_CORRUPT, reader->scan.name,
                                 reader->scan.offset, reader->lsn,
                                 "no sound block in segment %s at offset %llu, LSN %llu, but the "
                                 "log is durable up to LSN %llu; verify the log",
                                 reader->scan.name, (unsigned long long)reader->scan.offset,
                                 (unsigned long long)reader->lsn, (unsigned long long)limit_lsn);
        }
    }
    const uint8_t *bytes = reader->block + BLOCK_HEADER_BYTES + reader->position;
    uint32_t size = bytes_get_u32(bytes);
    REQUIRE(size >= RECORD_BYTES_MIN && size <= reader->header.body_bytes - reader->position);
    uint64_t lsn = reader->header.first_lsn + reader->position + size;
    if (lsn > limit_lsn) return WAL_READER_CAUGHT_UP;
    reader->position += size;
    reader->lsn = lsn;
    *ret_record = (struct wal_record){.bytes = bytes,
                                      .size = size,
                                      .lsn = lsn,
                                      .wall_ms = reader->header.wall_ms,
                                      .more = reader->position < reader->header.body_bytes};
    return 0;
}

/* Find the last segment that is in use and begins at or before an LSN. Those that are not in use
 * are at the end. Return: 0, READER_NOTHING (none is in use), <0 */
static int find_segment(struct wal_reader *reader, const struct segment_list *list, uint64_t lsn,
                        uint64_t *ret_number, struct wal_error *ret_error) {
    bool found = false;
    uint64_t low = 0;
    uint64_t high = list->count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        int rc = scan_open(&reader->ahead, list->numbers[middle], ret_error);
        if (rc < 0) return rc;
        bool used = reader->ahead.state == SEGMENT_USED;
        if (used && reader->ahead.header.first_lsn <= lsn) {
            found = true;
            low = middle + 1;
        } else if (used && middle == 0) {
            return too_old(lsn, &reader->ahead, ret_error);
        } else {
            high = middle;
        }
    }
    if (found) *ret_number = list->numbers[low - 1];
    return found ? 0 : READER_NOTHING;
}

/* Walk records up to the start. */
static int seek(struct wal_reader *reader, uint64_t start_lsn, struct wal_error *ret_error) {
    reader->lsn = reader->scan.lsn;
    while (reader->lsn < start_lsn) {
        struct wal_record record;
        int rc = wal_reader_next(reader, WAL_READER_NO_LIMIT, &record, ret_error);
        if (rc < 0) return rc;
        if (rc == WAL_READER_CAUGHT_UP) {
            return wal_error_set(ret_error, WAL_ERROR_LSN, reader->scan.name, reader->scan.offset,
                                 reader->lsn, "the log ends at LSN %llu, before LSN %llu",
                                 (unsigned long long)reader->lsn, (unsigned long long)start_lsn);
        }
    }
    if (reader->lsn != start_lsn) {
        return wal_error_set(ret_error, WAL_ERROR_LSN, reader->scan.name, reader->scan.offset,
                             reader->lsn, "LSN %llu is inside a record that ends at %llu",
                             (unsigned long long)start_lsn, (unsigned long long)reader->lsn);
    }
    return 0;
}

static int reader_start(struct wal_reader *reader, uint64_t start_lsn,
                        struct wal_error *ret_error) {
    struct segment_list list;
    int rc = segment_list_read(reader->scan.storage, &list, ret_error);
    if (rc < 0) return rc;
    uint64_t number = 0;
    rc = find_segment(reader, &list, start_lsn, &number, ret_error);
    segment_list_free(&list);
    scan_close(&reader->ahead);
    if (rc < 0) return rc;
    if (rc == READER_NOTHING && start_lsn == 0) return 0;
    if (rc == READER_NOTHING) {
        return wal_error_set(ret_error, WAL_ERROR_LSN, NULL, 0, 0,
                             "there is no log that reaches LSN %llu",
                             (unsigned long long)start_lsn);
    }
    rc = enter_segment(reader, number, ret_error);
    return rc < 0 ? rc : seek(reader, start_lsn, ret_error);
}

int wal_reader_open(struct storage *storage, uint64_t start_lsn, struct wal_reader **ret_reader,
                    struct wal_error *ret_error) {
    struct wal_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) {
        return wal_error_set(ret_error, WAL_ERROR_MEMORY, NULL, 0, 0,
                             "no memory for a reader of the log");
    }
    reader->scan.handle = -1;
    reader->ahead.handle = -1;
    int rc = scan_init(&reader->scan, storage, ret_error);
    if (rc == 0) rc = scan_init(&reader->ahead, storage, ret_error);
    if (rc == 0) rc = reader_start(reader, start_lsn, ret_error);
    if (rc < 0) {
        wal_reader_close(reader);
        return rc;
    }
    *ret_reader = reader;
    return 0;
}

void wal_reader_close(struct wal_reader *reader) {
    if (reader != NULL) {
        scan_deinit(&reader->scan);
        scan_deinit(&reader->ahead);
        free(reader);
    }
}

uint64_t wal_reader_lsn(const struct wal_reader *reader) { return reader->lsn; }
