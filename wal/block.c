/* block.c - encode and decode one block; see block.h */
#include "wal/block.h"

#include "engine/base/hash.h"
#include "engine/base/require.h"
#include "wal/bytes.h"

static const char block_magic[8] = {'U', 'S', 'H', 'E', 'R', 'B', 'L', 'K'};

/* Offsets in the header; the table is in wal/FORMAT.md, "Block". */
enum {
    AT_MAGIC = 0,
    AT_VERSION = 8,
    AT_RECORD_COUNT = 12,
    AT_EPOCH = 16,
    AT_FIRST_LSN = 24,
    AT_BODY_BYTES = 32,
    AT_ZERO = 36,
    AT_WALL_MS = 40,
    AT_DURABLE_LSN = 48,
    AT_CHAIN = 56,
    AT_BODY_CHECKSUM = 64,
    AT_CHECKSUM = 72,
};
_Static_assert(AT_CHECKSUM + 8 == BLOCK_HEADER_BYTES, "the header checksum comes last");

uint64_t block_seal_body(uint8_t *block, uint32_t body_bytes, uint64_t seed) {
    REQUIRE(body_bytes <= BLOCK_BODY_BYTES_MAX);
    uint32_t total = block_bytes(body_bytes);
    uint32_t used = BLOCK_HEADER_BYTES + body_bytes;
    memset(block + used, 0, total - used);
    return hash_64(block + BLOCK_HEADER_BYTES, total - BLOCK_HEADER_BYTES, seed);
}

void block_encode_header(struct block_header *header, uint64_t seed, uint8_t *block) {
    REQUIRE(header->durable_lsn <= header->first_lsn);
    REQUIRE((header->record_count == 0) == (header->body_bytes == 0));
    memcpy(block + AT_MAGIC, block_magic, sizeof block_magic);
    bytes_put_u32(block + AT_VERSION, WAL_FORMAT_VERSION);
    bytes_put_u32(block + AT_RECORD_COUNT, header->record_count);
    bytes_put_u64(block + AT_EPOCH, header->epoch);
    bytes_put_u64(block + AT_FIRST_LSN, header->first_lsn);
    bytes_put_u32(block + AT_BODY_BYTES, header->body_bytes);
    bytes_put_u32(block + AT_ZERO, 0);
    bytes_put_u64(block + AT_WALL_MS, header->wall_ms);
    bytes_put_u64(block + AT_DURABLE_LSN, header->durable_lsn);
    bytes_put_u64(block + AT_CHAIN, header->chain);
    bytes_put_u64(block + AT_BODY_CHECKSUM, header->body_checksum);
    header->checksum = hash_64(block, AT_CHECKSUM, seed);
    bytes_put_u64(block + AT_CHECKSUM, header->checksum);
}

bool block_decode_header(const uint8_t *block, uint64_t room, uint64_t seed,
                         struct block_header *ret_header) {
    if (memcmp(block + AT_MAGIC, block_magic, sizeof block_magic) != 0 ||
        bytes_get_u32(block + AT_VERSION) != WAL_FORMAT_VERSION) {
        return false;
    }
    uint64_t checksum = bytes_get_u64(block + AT_CHECKSUM);
    if (checksum != hash_64(block, AT_CHECKSUM, seed)) return false;
    struct block_header header = {
        .record_count = bytes_get_u32(block + AT_RECORD_COUNT),
        .body_bytes = bytes_get_u32(block + AT_BODY_BYTES),
        .epoch = bytes_get_u64(block + AT_EPOCH),
        .first_lsn = bytes_get_u64(block + AT_FIRST_LSN),
        .wall_ms = bytes_get_u64(block + AT_WALL_MS),
        .durable_lsn = bytes_get_u64(block + AT_DURABLE_LSN),
        .chain = bytes_get_u64(block + AT_CHAIN),
        .body_checksum = bytes_get_u64(block + AT_BODY_CHECKSUM),
        .checksum = checksum,
    };
    if (header.body_bytes > BLOCK_BODY_BYTES_MAX || block_bytes(header.body_bytes) > room) {
        return false;
    }
    *ret_header = header;
    return true;
}

bool block_body_good(const struct block_header *header, const uint8_t *block, uint64_t seed) {
    return header->body_checksum == hash_64(block + BLOCK_HEADER_BYTES,
                                            block_bytes(header->body_bytes) - BLOCK_HEADER_BYTES,
                                            seed);
}

bool block_records_good(const struct block_header *header, const uint8_t *block) {
    const uint8_t *body = block + BLOCK_HEADER_BYTES;
    uint32_t position = 0;
    for (uint32_t i = 0; i < header->record_count; i++) {
        uint32_t left = header->body_bytes - position;
        if (left < RECORD_BYTES_MIN) return false;
        uint32_t size = bytes_get_u32(body + position);
        if (size < RECORD_BYTES_MIN || size > RECORD_BYTES_MAX || size > left) return false;
        position += size;
    }
    return position == header->body_bytes;
}
