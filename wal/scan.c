/* scan.c - walk the blocks of one segment in sequence; see scan.h */
#include "wal/scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/require.h"
#include "wal/bytes.h"

int scan_init(struct scan *scan, struct storage *storage, struct wal_error *ret_error) {
    uint8_t *window = aligned_alloc(WAL_BLOCK_ALIGN_BYTES, WAL_BLOCK_BYTES_MAX);
    if (window == NULL) {
        return wal_error_set(ret_error, WAL_ERROR_MEMORY, NULL, 0, 0,
                             "no memory for a reader of the log");
    }
    *scan = (struct scan){.storage = storage, .window = window, .handle = -1};
    return 0;
}

void scan_deinit(struct scan *scan) {
    scan_close(scan);
    free(scan->window);
    scan->window = NULL;
}

int scan_open_any(struct scan *scan, uint64_t number, struct wal_error *ret_error) {
    scan_close(scan);
    const struct storage_operations *disk = scan->storage->operations;
    segment_name(number, scan->name);
    int handle = disk->open(scan->storage, scan->name, false);
    if (handle == -ENOENT) {
        return wal_error_set(ret_error, WAL_ERROR_MISSING, scan->name, 0, 0,
                             "segment %s is not there", scan->name);
    }
    if (handle < 0) {
        return wal_error_system(ret_error, -handle, scan->name, 0, "cannot open segment");
    }
    scan->handle = handle;
    uint64_t size = 0;
    int rc = disk->size(scan->storage, handle, &size);
    if (rc < 0) {
        return wal_error_system(ret_error, -rc, scan->name, 0, "cannot get the size of segment");
    }
    scan->odd_bytes = (uint32_t)(size % WAL_BLOCK_ALIGN_BYTES);
    scan->file_bytes = size - scan->odd_bytes;
    scan->state = SEGMENT_UNUSED;
    if (scan->file_bytes < SEGMENT_HEADER_BYTES) return 0;
    const uint8_t *bytes = NULL;
    rc = scan_page(scan, 0, SEGMENT_HEADER_BYTES, 16 * WAL_BLOCK_ALIGN_BYTES, &bytes, ret_error);
    if (rc < 0) return rc;
    scan->state = segment_decode(bytes, &scan->header, &scan->version);
    if (scan->state == SEGMENT_USED) {
        scan->seed = segment_seed(scan->header.log_id);
        scan->offset = SEGMENT_HEADER_BYTES;
        scan->lsn = scan->header.first_lsn;
        scan->chain = scan->header.checksum;
        scan->epoch = scan->header.epoch;
    }
    return 0;
}

int scan_open(struct scan *scan, uint64_t number, struct wal_error *ret_error) {
    int rc = scan_open_any(scan, number, ret_error);
    if (rc < 0) return rc;
    if (scan->file_bytes < SEGMENT_HEADER_BYTES || scan->odd_bytes != 0) {
        return wal_error_set(ret_error, WAL_ERROR_CORRUPT, scan->name, 0, 0,
                             "segment %s has %llu bytes, which no segment has; "
                             "restore it from a copy of the folder",
                             scan->name, (unsigned long long)(scan->file_bytes + scan->odd_bytes));
    }
    if (scan->state == SEGMENT_VERSION) {
        return wal_error_set(ret_error, WAL_ERROR_VERSION, scan->name, 0, 0,
                             "segment %s has format version %u, this usher reads version %u; "
                             "use the usher that wrote it, or a newer one",
                             scan->name, scan->version, WAL_FORMAT_VERSION);
    }
    return 0;
}

void scan_close(struct scan *scan) {
    if (scan->handle >= 0) {
        scan->storage->operations->close(scan->storage, scan->handle);
        scan->handle = -1;
    }
    scan_forget(scan);
}

void scan_forget(struct scan *scan) { scan->window_bytes = 0; }

int scan_page(struct scan *scan, uint64_t offset, uint32_t bytes, uint32_t read_bytes,
              const uint8_t **ret_bytes, struct wal_error *ret_error) {
    REQUIRE(bytes <= WAL_BLOCK_BYTES_MAX && offset + bytes <= scan->file_bytes);
    bool inside = offset >= scan->window_offset &&
                  offset + bytes <= scan->window_offset + scan->window_bytes;
    if (!inside) {
        uint64_t want = read_bytes > bytes ? read_bytes : bytes;
        if (want > scan->file_bytes - offset) want = scan->file_bytes - offset;
        scan_forget(scan);
        int rc = scan->storage->operations->read(scan->storage, scan->handle, offset, scan->window,
                                                 (uint32_t)want);
        if (rc < 0) {
            return wal_error_system(ret_error, -rc, scan->name, offset, "cannot read segment");
        }
        scan->window_offset = offset;
        scan->window_bytes = (uint32_t)want;
    }
    *ret_bytes = scan->window + (offset - scan->window_offset);
    return 0;
}

int scan_peek(struct scan *scan, uint32_t read_bytes, struct block_header *ret_header,
              const uint8_t **ret_block, struct wal_error *ret_error) {
    REQUIRE(scan->handle >= 0 && scan->state == SEGMENT_USED);
    uint64_t room = scan->file_bytes - scan->offset;
    if (room < WAL_BLOCK_ALIGN_BYTES) return SCAN_END;
    const uint8_t *block = NULL;
    int rc = scan_page(scan, scan->offset, WAL_BLOCK_ALIGN_BYTES, read_bytes, &block, ret_error);
    if (rc < 0) return rc;
    struct block_header header;
    if (!block_decode_header(block, room, scan->seed, &header) || header.epoch != scan->epoch ||
        header.first_lsn != scan->lsn || header.chain != scan->chain ||
        header.durable_lsn > header.first_lsn) {
        return SCAN_STOP;
    }
    uint32_t total = block_bytes(header.body_bytes);
    rc = scan_page(scan, scan->offset, total, read_bytes, &block, ret_error);
    if (rc < 0) return rc;
    if (!block_body_good(&header, block, scan->seed) || !block_records_good(&header, block)) {
        return SCAN_STOP;
    }
    *ret_header = header;
    *ret_block = block;
    return SCAN_BLOCK;
}

void scan_take(struct scan *scan, const struct block_header *header) {
    REQUIRE(header->first_lsn == scan->lsn && header->chain == scan->chain);
    scan->offset += block_bytes(header->body_bytes);
    scan->lsn += header->body_bytes;
    scan->chain = header->checksum;
    REQUIRE(scan->offset <= scan->file_bytes);
}

int scan_zeros(struct scan *scan, uint64_t from, uint64_t to, bool *ret_zeros,
               struct wal_error *ret_error) {
    bool zeros = true;
    while (from < to && zeros) {
        uint32_t bytes = to - from < WAL_BLOCK_BYTES_MAX ? (uint32_t)(to - from)
                                                         : WAL_BLOCK_BYTES_MAX;
        const uint8_t *page = NULL;
        int rc = scan_page(scan, from, bytes, bytes, &page, ret_error);
        if (rc < 0) return rc;
        zeros = bytes_all_zero(page, bytes);
        from += bytes;
    }
    *ret_zeros = zeros;
    return 0;
}

/* The block that should be at the end of the sequence: torn, or proof of something worse?
 * @ret_torn_end: where the bytes of one torn write must end */
static int judge_block(struct scan *scan, struct scan_tail *ret_tail, uint64_t *ret_torn_end,
                       struct wal_error *ret_error) {
    uint64_t room = scan->file_bytes - scan->offset;
    uint32_t bytes = room < WAL_BLOCK_BYTES_MAX ? (uint32_t)room : WAL_BLOCK_BYTES_MAX;
    const uint8_t *block = NULL;
    int rc = scan_page(scan, scan->offset, bytes, bytes, &block, ret_error);
    if (rc < 0) return rc;
    *ret_torn_end = scan->offset + bytes;
    ret_tail->torn = !bytes_all_zero(block, bytes);
    struct block_header header;
    if (!block_decode_header(block, room, scan->seed, &header)) return 0;
    if (header.epoch != scan->epoch || header.first_lsn != scan->lsn ||
        header.chain != scan->chain) {
        ret_tail->proof = "the block there does not follow the one before it";
    } else if (header.durable_lsn > scan->lsn) {
        ret_tail->proof = "the block there was written when later records were durable";
    } else if (block_body_good(&header, block, scan->seed)) {
        ret_tail->proof = "the block there is sound, but its records do not add up";
    }
    *ret_torn_end = scan->offset + block_bytes(header.body_bytes);
    return 0;
}

int scan_tail(struct scan *scan, struct scan_tail *ret_tail, struct wal_error *ret_error) {
    *ret_tail = (struct scan_tail){0};
    if (scan->offset == scan->file_bytes) return 0;
    uint64_t torn_end = 0;
    int rc = judge_block(scan, ret_tail, &torn_end, ret_error);
    if (rc < 0 || ret_tail->proof != NULL) return rc;
    uint64_t offset = scan->offset + WAL_BLOCK_ALIGN_BYTES;
    for (; offset < scan->file_bytes; offset += WAL_BLOCK_ALIGN_BYTES) {
        const uint8_t *page = NULL;
        rc = scan_page(scan, offset, WAL_BLOCK_ALIGN_BYTES, WAL_BLOCK_BYTES_MAX, &page, ret_error);
        if (rc < 0) return rc;
        struct block_header header;
        if (block_decode_header(page, scan->file_bytes - offset, scan->seed, &header)) {
            ret_tail->proof = "there is no sound block, but a later one was written";
            return 0;
        }
        if (offset >= torn_end && !bytes_all_zero(page, WAL_BLOCK_ALIGN_BYTES)) {
            ret_tail->proof = "there is no sound block, but more was written than one block";
            return 0;
        }
    }
    return 0;
}
