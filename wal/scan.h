/* scan.h - walk the blocks of one segment in sequence
 *
 * Happy path: scan_init once, scan_open for a segment, then scan_peek and scan_take in turn until
 * peek says that the sequence ends. Recovery then looks at what is behind with scan_page.
 *
 * Reads ahead with one aligned buffer that it owns. One thread at a time.
 */
#ifndef USHER_WAL_SCAN_H
#define USHER_WAL_SCAN_H

#include "wal/block.h"
#include "wal/segment.h"

enum scan_peek {
    SCAN_BLOCK = 1, /* the next block is in sequence */
    SCAN_END = 2,   /* no room for another block */
    SCAN_STOP = 3,  /* what is there is not in sequence */
};

struct scan {
    struct storage *storage; /* borrowed */
    uint8_t *window;         /* WAL_BLOCK_BYTES_MAX, aligned, owned */
    uint64_t window_offset;  /* in the file, bytes */
    uint32_t window_bytes;   /* valid bytes in the window */
    int handle;              /* -1 = none */
    enum segment_state state;
    struct segment_header header; /* if state is SEGMENT_USED */
    char name[WAL_FILE_NAME_BYTES];
    uint32_t version;    /* if state is SEGMENT_VERSION */
    uint32_t odd_bytes;  /* behind the last whole page; no segment has any */
    uint64_t file_bytes; /* whole pages */
    uint64_t seed;
    uint64_t offset; /* where the next block should be */
    uint64_t lsn;    /* reached */
    uint64_t chain;  /* reached */
    uint64_t epoch;  /* of the segment */
};

/* scan_init, scan_deinit - Return: 0, -WAL_ERROR_MEMORY */
int scan_init(struct scan *scan, struct storage *storage, struct wal_error *ret_error);
void scan_deinit(struct scan *scan);

/* scan_open - go to a segment and read its header; refuses other versions and impossible sizes
 * Afterwards scan->state says what the header is; only with SEGMENT_USED can blocks be walked.
 * Return: 0; -WAL_ERROR_MISSING if the file is not there; other errors */
int scan_open(struct scan *scan, uint64_t number, struct wal_error *ret_error);

/* scan_open_any - the same, and refuses nothing that can be read */
int scan_open_any(struct scan *scan, uint64_t number, struct wal_error *ret_error);
void scan_close(struct scan *scan);

/* scan_peek - look at the next block
 * @read_bytes: how much to read ahead, 4096..WAL_BLOCK_BYTES_MAX
 * @ret_header: on SCAN_BLOCK only
 * @ret_block:  on SCAN_BLOCK only; borrowed until the next call
 * Return: enum scan_peek, or <0 */
int scan_peek(struct scan *scan, uint32_t read_bytes, struct block_header *ret_header,
              const uint8_t **ret_block, struct wal_error *ret_error);

/* scan_take - step over the block that scan_peek has just returned */
void scan_take(struct scan *scan, const struct block_header *header);

/* scan_zeros - is there nothing but zeros in a part of the file?
 * @from, @to: bytes, multiples of 4096, within the file */
int scan_zeros(struct scan *scan, uint64_t from, uint64_t to, bool *ret_zeros,
               struct wal_error *ret_error);

/* What lies behind the end of the sequence, in a segment that nothing follows. */
struct scan_tail {
    bool torn;         /* something was written where the next block should be */
    const char *proof; /* that more than one torn write is lost; static text; NULL = none */
};

/* scan_tail - judge it by the rules of wal/README.md, "Recovery", 2 and 3; after scan_peek has
 * said SCAN_STOP or SCAN_END */
int scan_tail(struct scan *scan, struct scan_tail *ret_tail, struct wal_error *ret_error);

/* scan_page - bytes at an offset, from the window or the disk
 * @bytes: multiple of 4096, at most WAL_BLOCK_BYTES_MAX; within the file
 * Return: 0, <0 */
int scan_page(struct scan *scan, uint64_t offset, uint32_t bytes, uint32_t read_bytes,
              const uint8_t **ret_bytes, struct wal_error *ret_error);

/* scan_forget - drop what was read ahead: the disk may have moved on */
void scan_forget(struct scan *scan);

#endif
