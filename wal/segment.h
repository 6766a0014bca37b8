/* segment.h - a segment's name and header, and the list of segments in the folder
 * Pure functions but for segment_list; any thread. Table of fields: wal/FORMAT.md, "Segment". */
#ifndef USHER_WAL_SEGMENT_H
#define USHER_WAL_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/limits.h"
#include "wal/error.h"
#include "wal/storage/storage.h"

#define WAL_LOG_ID_BYTES 16u
#define SEGMENT_HEADER_BYTES 4096u
/* Segment numbers, epochs and first LSNs above this are in no good header: no log gets there, and
 * what is counted on from them cannot overflow. */
#define SEGMENT_COUNT_MAX ((1ull << 63) - 1)
#define SEGMENT_AT_LOG_ID 16u /* where it is in the header */

struct segment_header {
    uint32_t account_partitions;
    uint8_t log_id[WAL_LOG_ID_BYTES];
    uint64_t number; /* >= 1 */
    uint64_t epoch;  /* >= 1 */
    uint64_t first_lsn;
    uint64_t chain; /* checksum of what came before; 0 in segment 1 */
    uint64_t segment_bytes;
    uint64_t created_ms; /* Unix ms */
    uint64_t checksum;   /* chain of the first block */
};

enum segment_state {
    SEGMENT_USED = 0,    /* a good header */
    SEGMENT_UNUSED = 1,  /* no good header: prepared, or damaged */
    SEGMENT_VERSION = 2, /* a good header of another format version */
};

/* segment_encode - write the 4096 bytes; sets header->checksum */
void segment_encode(struct segment_header *header, uint8_t *bytes);

/* segment_decode - read 4096 bytes
 * @ret_header:  on SEGMENT_USED only
 * @ret_version: on SEGMENT_VERSION only */
enum segment_state segment_decode(const uint8_t *bytes, struct segment_header *ret_header,
                                  uint32_t *ret_version);

/* segment_seed - what keys the checksums of the blocks of a log */
uint64_t segment_seed(const uint8_t log_id[WAL_LOG_ID_BYTES]);

void segment_name(uint64_t number, char ret_name[WAL_FILE_NAME_BYTES]);
/* segment_parse_name - true if this is exactly a segment's name */
bool segment_parse_name(const char *name, uint64_t *ret_number);

struct segment_list {
    uint64_t *numbers; /* ascending, owned */
    uint64_t count;
};

/* segment_list_any - the segments in the folder, sorted
 * @ret_list: free with segment_list_free, on 0 only */
int segment_list_any(struct storage *storage, struct segment_list *ret_list,
                     struct wal_error *ret_error);
/* segment_list_read - the same; refuses gaps */
int segment_list_read(struct storage *storage, struct segment_list *ret_list,
                      struct wal_error *ret_error);
void segment_list_free(struct segment_list *list);

#endif
