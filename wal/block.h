/* block.h - encode and decode one block
 *
 * Happy path: the writer copies records behind the header, block_seal_body closes the body while
 * an earlier write may still be in flight, block_encode_header does the rest at the last moment.
 * The reader decodes the header, then checks body and records. Table of fields: wal/FORMAT.md.
 *
 * Failure modes: any damaged bit of header, body or padding fails a checksum.
 * Pure functions; any thread.
 */
#ifndef USHER_WAL_BLOCK_H
#define USHER_WAL_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/limits.h"
#include "engine/base/version.h"

#define WAL_FORMAT_VERSION VERSION_LOG
#define BLOCK_HEADER_BYTES 80u
#define BLOCK_BODY_BYTES_MAX (WAL_BLOCK_BYTES_MAX - BLOCK_HEADER_BYTES)
#define RECORD_BYTES_MIN 20u

_Static_assert(WAL_BLOCK_BYTES_MAX % WAL_BLOCK_ALIGN_BYTES == 0, "blocks fill aligned pages");
_Static_assert(DRAIN_BYTES_MAX <= BLOCK_BODY_BYTES_MAX, "a drain fits one block");

struct block_header {
    uint32_t record_count; /* 0 = seal */
    uint32_t body_bytes;   /* 0..BLOCK_BODY_BYTES_MAX */
    uint64_t epoch;        /* >= 1 */
    uint64_t first_lsn;
    uint64_t wall_ms;     /* Unix ms */
    uint64_t durable_lsn; /* <= first_lsn */
    uint64_t chain;       /* checksum of what came before */
    uint64_t body_checksum;
    uint64_t checksum; /* of the header; the next block's chain */
};

/* block_bytes - size on disk of a block with this body */
static inline uint32_t block_bytes(uint32_t body_bytes) {
    return (BLOCK_HEADER_BYTES + body_bytes + WAL_BLOCK_ALIGN_BYTES - 1) / WAL_BLOCK_ALIGN_BYTES *
           WAL_BLOCK_ALIGN_BYTES;
}

/* block_seal_body - zero the padding behind the body and checksum both
 * @block: block_bytes(body_bytes) long; body already at BLOCK_HEADER_BYTES
 * Return: the body checksum */
uint64_t block_seal_body(uint8_t *block, uint32_t body_bytes, uint64_t seed);

/* block_encode_header - write the header; sets header->checksum */
void block_encode_header(struct block_header *header, uint64_t seed, uint8_t *block);

/* block_decode_header - read a header if it is good
 * @block: at least BLOCK_HEADER_BYTES
 * @room:  bytes from the block's start to the end of its segment
 * Return: true, or false and nothing written */
bool block_decode_header(const uint8_t *block, uint64_t room, uint64_t seed,
                         struct block_header *ret_header);

/* block_body_good - the body checksum is right; needs the whole block */
bool block_body_good(const struct block_header *header, const uint8_t *block, uint64_t seed);

/* block_records_good - the records tile the body exactly */
bool block_records_good(const struct block_header *header, const uint8_t *block);

#endif
