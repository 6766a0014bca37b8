/* snapshot_file.c - a snapshot's file: header, blocks of entities, end block; see
 * snapshot_file.h */
#include "replay/snapshot/snapshot_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/domain/entity.h"
#include "engine/base/hash.h"
#include "engine/base/require.h"
#include "wal/bytes.h"
#include "wal/segment.h"

static const char header_magic[8] = {'U', 'S', 'H', 'E', 'R', 'S', 'N', 'P'};
static const char block_magic[8] = {'U', 'S', 'H', 'E', 'R', 'S', 'B', 'K'};

/* Offsets in the header; the table is in FORMAT.md. */
enum {
    HEADER_MAGIC = 0,
    HEADER_VERSION = 8,
    HEADER_ACCOUNT_PARTITIONS = 12,
    HEADER_LOG_ID = 16,
    HEADER_LSN = 32,
    HEADER_EPOCH = 40,
    HEADER_LAST_TIME_MS = 48,
    HEADER_CREATED_MS = 56,
    HEADER_DECISION_COUNT = 64,
    HEADER_WORLD_HASH = 72,
    HEADER_ZERO = 80,
    HEADER_CHECKSUM = 4088,
};
_Static_assert(HEADER_CHECKSUM + 8 == SNAPSHOT_HEADER_BYTES, "the checksum comes last");

/* Offsets in a block. */
enum {
    BLOCK_MAGIC = 0,
    BLOCK_VERSION = 8,
    BLOCK_ENTITY_COUNT = 12,
    BLOCK_INDEX = 16,
    BLOCK_LSN = 24,
    BLOCK_BODY_BYTES = 32,
    BLOCK_ZERO = 36,
    BLOCK_CHAIN = 40,
    BLOCK_BODY_CHECKSUM = 48,
    BLOCK_CHECKSUM = 56,
};
_Static_assert(BLOCK_CHECKSUM + 8 == SNAPSHOT_BLOCK_HEADER_BYTES, "the checksum comes last");

/* Offsets in the body of the end block. */
enum {
    END_BLOCKS = 0,
    END_ENTITIES = 8,
    END_ENTITY_BYTES = 16,
    END_FILE_BYTES = 24,
    END_WORLD_HASH = 32,
    END_BYTES = 40,
};

#define BODY_BYTES_MAX (WAL_BLOCK_BYTES_MAX - SNAPSHOT_BLOCK_HEADER_BYTES)
_Static_assert(RECORD_BYTES_MAX <= BODY_BYTES_MAX, "a block holds at least one entity");

static uint32_t block_bytes(uint32_t body_bytes) {
    return (SNAPSHOT_BLOCK_HEADER_BYTES + body_bytes + WAL_BLOCK_ALIGN_BYTES - 1) /
           WAL_BLOCK_ALIGN_BYTES * WAL_BLOCK_ALIGN_BYTES;
}

/* --- errors and names ------------------------------------------------------------------------- */

int snapshot_error_set(struct snapshot_error *ret_error, int code, const char *file,
                       uint64_t offset, const char *format, ...) {
    struct snapshot_error error = {.code = code, .offset = offset};
    (void)snprintf(error.file, sizeof error.file, "%s", file ? file : "");
    va_list arguments;
    va_start(arguments, format);
    /* A text that is cut short is good enough. */
    (void)vsnprintf(error.text, sizeof error.text, format, arguments);
    va_end(arguments);
    *ret_error = error;
    return -code;
}

int snapshot_error_system(struct snapshot_error *ret_error, int system_error, const char *file,
                          const char *what) {
    char buffer[128];
    const char *words = strerror_r(system_error, buffer, sizeof buffer);
    return snapshot_error_set(ret_error, SNAPSHOT_IO, file, 0, "%s%s%s: %s (errno %d)", what,
                              file ? " " : "", file ? file : "", words, system_error);
}

void snapshot_name(uint64_t lsn, char ret_name[SNAPSHOT_NAME_BYTES]) {
    (void)snprintf(ret_name, SNAPSHOT_NAME_BYTES, "snap-%016" PRIx64 ".snp", lsn);
}

bool snapshot_parse_name(const char *name, uint64_t *ret_lsn) {
    if (strncmp(name, "snap-", 5) != 0) return false;
    /* Whatever strtoull accepts: it is a snapshot's name only if it is spelled as we spell it. */
    uint64_t lsn = strtoull(name + 5, NULL, 16);
    char spelled[SNAPSHOT_NAME_BYTES];
    snapshot_name(lsn, spelled);
    if (strcmp(name, spelled) != 0) return false;
    *ret_lsn = lsn;
    return true;
}

int snapshot_damaged(const struct snapshot_reader *reader, uint64_t offset, const char *why,
                     struct snapshot_error *ret_error) {
    return snapshot_error_set(ret_error, SNAPSHOT_DAMAGED, reader->name, offset,
                              "snapshot %s is damaged at offset %" PRIu64
                              ": %s. Restore it from a copy, or remove it: an older one and the "
                              "log give the same state",
                              reader->name, offset, why);
}

/* --- writing ---------------------------------------------------------------------------------- */

static int write_out(struct snapshot_writer *writer, uint32_t bytes) {
    int rc = writer->storage->operations->write(writer->storage, writer->handle, writer->offset,
                                                writer->block, bytes);
    if (rc < 0) {
        return snapshot_error_system(writer->error, -rc, SNAPSHOT_TEMPORARY_NAME,
                                     "cannot write snapshot");
    }
    writer->offset += bytes;
    return 0;
}

static int write_header(struct snapshot_writer *writer, const struct snapshot_info *info) {
    uint8_t *bytes = writer->block;
    memset(bytes, 0, SNAPSHOT_HEADER_BYTES);
    memcpy(bytes + HEADER_MAGIC, header_magic, sizeof header_magic);
    bytes_put_u32(bytes + HEADER_VERSION, SNAPSHOT_VERSION_NOW);
    bytes_put_u32(bytes + HEADER_ACCOUNT_PARTITIONS, info->account_partitions);
    memcpy(bytes + HEADER_LOG_ID, info->log_id, WAL_LOG_ID_BYTES);
    bytes_put_u64(bytes + HEADER_LSN, info->lsn);
    bytes_put_u64(bytes + HEADER_EPOCH, info->epoch);
    bytes_put_u64(bytes + HEADER_LAST_TIME_MS, info->last_time_ms);
    bytes_put_u64(bytes + HEADER_CREATED_MS, info->created_ms);
    bytes_put_u64(bytes + HEADER_DECISION_COUNT, info->decision_count);
    bytes_put_u64(bytes + HEADER_WORLD_HASH, info->world_hash);
    writer->chain = hash_64(bytes, HEADER_CHECKSUM, 0);
    bytes_put_u64(bytes + HEADER_CHECKSUM, writer->chain);
    return write_out(writer, SNAPSHOT_HEADER_BYTES);
}

int snapshot_writer_open(struct snapshot_writer *writer, struct storage *storage,
                         const struct snapshot_info *info,
                         void (*pace)(void *context, uint64_t bytes_done), void *pace_context,
                         struct snapshot_error *error) {
    *writer = (struct snapshot_writer){
        .storage = storage,
        .handle = -1,
        .seed = segment_seed(info->log_id),
        .lsn = info->lsn,
        .totals.world_hash = info->world_hash,
        .pace = pace,
        .pace_context = pace_context,
        .error = error,
    };
    writer->block = aligned_alloc(WAL_BLOCK_ALIGN_BYTES, WAL_BLOCK_BYTES_MAX);
    if (!writer->block) {
        return snapshot_error_set(error, SNAPSHOT_RESOURCES, NULL, 0,
                                  "not enough memory to write a snapshot");
    }
    writer->handle = storage->operations->create(storage, SNAPSHOT_TEMPORARY_NAME);
    if (writer->handle < 0) {
        return snapshot_error_system(error, -writer->handle, SNAPSHOT_TEMPORARY_NAME,
                                     "cannot make snapshot");
    }
    return write_header(writer, info);
}

/* Whatever is in the block goes out; the next one begins. */
static int flush(struct snapshot_writer *writer) {
    uint8_t *bytes = writer->block;
    uint32_t total = block_bytes(writer->body_bytes);
    uint32_t used = SNAPSHOT_BLOCK_HEADER_BYTES + writer->body_bytes;
    memset(bytes + used, 0, total - used);
    memset(bytes, 0, SNAPSHOT_BLOCK_HEADER_BYTES);
    memcpy(bytes + BLOCK_MAGIC, block_magic, sizeof block_magic);
    bytes_put_u32(bytes + BLOCK_VERSION, SNAPSHOT_VERSION_NOW);
    bytes_put_u32(bytes + BLOCK_ENTITY_COUNT, writer->entity_count);
    bytes_put_u64(bytes + BLOCK_INDEX, writer->index);
    bytes_put_u64(bytes + BLOCK_LSN, writer->lsn);
    bytes_put_u32(bytes + BLOCK_BODY_BYTES, writer->body_bytes);
    bytes_put_u64(bytes + BLOCK_CHAIN, writer->chain);
    bytes_put_u64(bytes + BLOCK_BODY_CHECKSUM,
                  hash_64(bytes + SNAPSHOT_BLOCK_HEADER_BYTES, total - SNAPSHOT_BLOCK_HEADER_BYTES,
                          writer->seed));
    writer->chain = hash_64(bytes, BLOCK_CHECKSUM, writer->seed);
    bytes_put_u64(bytes + BLOCK_CHECKSUM, writer->chain);
    writer->index++;
    writer->body_bytes = 0;
    writer->entity_count = 0;
    int rc = write_out(writer, total);
    if (rc == 0 && writer->pace) writer->pace(writer->pace_context, writer->offset);
    return rc;
}

int snapshot_writer_put(struct snapshot_writer *writer, const uint8_t *bytes, uint32_t size) {
    REQUIRE(size >= ENTITY_HEADER_BYTES && size <= RECORD_BYTES_MAX);
    if (writer->body_bytes + size > BODY_BYTES_MAX) {
        int rc = flush(writer);
        if (rc < 0) return rc;
    }
    memcpy(writer->block + SNAPSHOT_BLOCK_HEADER_BYTES + writer->body_bytes, bytes, size);
    writer->body_bytes += size;
    writer->entity_count++;
    writer->totals.entities++;
    writer->totals.entity_bytes += size;
    return 0;
}

int snapshot_writer_finish(struct snapshot_writer *writer) {
    int rc = writer->entity_count > 0 ? flush(writer) : 0;
    if (rc < 0) return rc;
    uint8_t *body = writer->block + SNAPSHOT_BLOCK_HEADER_BYTES;
    struct snapshot_totals *totals = &writer->totals;
    totals->blocks = writer->index;
    totals->file_bytes = writer->offset + block_bytes(END_BYTES);
    bytes_put_u64(body + END_BLOCKS, totals->blocks);
    bytes_put_u64(body + END_ENTITIES, totals->entities);
    bytes_put_u64(body + END_ENTITY_BYTES, totals->entity_bytes);
    bytes_put_u64(body + END_FILE_BYTES, totals->file_bytes);
    bytes_put_u64(body + END_WORLD_HASH, totals->world_hash);
    writer->body_bytes = END_BYTES;
    rc = flush(writer);
    if (rc < 0) return rc;
    rc = writer->storage->operations->sync(writer->storage, writer->handle);
    return rc == 0 ? 0
                   : snapshot_error_system(writer->error, -rc, SNAPSHOT_TEMPORARY_NAME,
                                           "cannot sync snapshot");
}

void snapshot_writer_close(struct snapshot_writer *writer) {
    if (writer->handle >= 0) writer->storage->operations->close(writer->storage, writer->handle);
    writer->handle = -1;
    free(writer->block);
    writer->block = NULL;
}

/* --- reading ---------------------------------------------------------------------------------- */

static int read_in(struct snapshot_reader *reader, uint64_t offset, uint32_t bytes,
                   struct snapshot_error *ret_error) {
    int rc = reader->storage->operations->read(reader->storage, reader->handle, offset,
                                               reader->block, bytes);
    if (rc == -ENODATA) {
        return snapshot_damaged(reader, offset, "it became shorter while it was read", ret_error);
    }
    return rc == 0 ? 0
                   : snapshot_error_system(ret_error, -rc, reader->name, "cannot read snapshot");
}

static int decode_header(struct snapshot_reader *reader, struct snapshot_error *ret_error) {
    const uint8_t *bytes = reader->block;
    struct snapshot_info *info = &reader->info;
    if (memcmp(bytes + HEADER_MAGIC, header_magic, sizeof header_magic) != 0) {
        return snapshot_damaged(reader, 0, "it does not begin as a snapshot does", ret_error);
    }
    uint64_t checksum = bytes_get_u64(bytes + HEADER_CHECKSUM);
    if (checksum != hash_64(bytes, HEADER_CHECKSUM, 0)) {
        return snapshot_damaged(reader, 0, "the header's checksum is wrong", ret_error);
    }
    uint32_t version = bytes_get_u32(bytes + HEADER_VERSION);
    if (version != SNAPSHOT_VERSION_NOW) {
        return snapshot_error_set(ret_error, SNAPSHOT_VERSION, reader->name, 0,
                                  "snapshot %s has format version %u, this usher reads version "
                                  "%u; use the usher that wrote it, or a newer one",
                                  reader->name, version, SNAPSHOT_VERSION_NOW);
    }
    if (!bytes_all_zero(bytes + HEADER_ZERO, HEADER_CHECKSUM - HEADER_ZERO)) {
        return snapshot_damaged(reader, HEADER_ZERO, "the header's padding is not zero", ret_error);
    }
    info->account_partitions = bytes_get_u32(bytes + HEADER_ACCOUNT_PARTITIONS);
    memcpy(info->log_id, bytes + HEADER_LOG_ID, WAL_LOG_ID_BYTES);
    info->lsn = bytes_get_u64(bytes + HEADER_LSN);
    info->epoch = bytes_get_u64(bytes + HEADER_EPOCH);
    info->last_time_ms = bytes_get_u64(bytes + HEADER_LAST_TIME_MS);
    info->created_ms = bytes_get_u64(bytes + HEADER_CREATED_MS);
    info->decision_count = bytes_get_u64(bytes + HEADER_DECISION_COUNT);
    info->world_hash = bytes_get_u64(bytes + HEADER_WORLD_HASH);
    reader->chain = checksum;
    reader->seed = segment_seed(info->log_id);
    uint64_t lsn;
    if (snapshot_parse_name(reader->name, &lsn) && lsn != info->lsn) {
        return snapshot_damaged(reader, HEADER_LSN, "its name is of another LSN than its header",
                                ret_error);
    }
    return 0;
}

int snapshot_reader_open(struct snapshot_reader *ret_reader, struct storage *storage,
                         const char *name, struct snapshot_error *ret_error) {
    struct snapshot_reader *reader = ret_reader;
    *reader = (struct snapshot_reader){
        .storage = storage, .handle = -1, .offset = SNAPSHOT_HEADER_BYTES};
    /* A name that is too long is cut, and then there is no such file. */
    (void)snprintf(reader->name, sizeof reader->name, "%s", name);
    memcpy(reader->info.name, reader->name, sizeof reader->info.name);
    reader->block = aligned_alloc(WAL_BLOCK_ALIGN_BYTES, WAL_BLOCK_BYTES_MAX);
    if (!reader->block) {
        return snapshot_error_set(ret_error, SNAPSHOT_RESOURCES, reader->name, 0,
                                  "not enough memory to read a snapshot");
    }
    reader->handle = storage->operations->open(storage, reader->name, false);
    if (reader->handle == -ENOENT) {
        return snapshot_error_set(ret_error, SNAPSHOT_NONE, reader->name, 0,
                                  "there is no snapshot %s", reader->name);
    }
    int rc = reader->handle;
    if (rc >= 0) rc = storage->operations->size(storage, reader->handle, &reader->info.file_bytes);
    if (rc < 0) {
        return snapshot_error_system(ret_error, -rc, reader->name, "cannot open snapshot");
    }
    uint64_t bytes = reader->info.file_bytes;
    if (bytes < SNAPSHOT_HEADER_BYTES || bytes % WAL_BLOCK_ALIGN_BYTES != 0) {
        return snapshot_damaged(reader, bytes, "the file is too short, or was cut", ret_error);
    }
    rc = read_in(reader, 0, SNAPSHOT_HEADER_BYTES, ret_error);
    return rc < 0 ? rc : decode_header(reader, ret_error);
}

/* What is wrong with the block that was read; NULL: nothing. */
static const char *judge_block(const struct snapshot_reader *reader, uint32_t room) {
    const uint8_t *bytes = reader->block;
    if (memcmp(bytes + BLOCK_MAGIC, block_magic, sizeof block_magic) != 0) {
        return "there is no block";
    }
    if (bytes_get_u64(bytes + BLOCK_CHECKSUM) != hash_64(bytes, BLOCK_CHECKSUM, reader->seed)) {
        return "the checksum of the block's header is wrong";
    }
    uint32_t body_bytes = bytes_get_u32(bytes + BLOCK_BODY_BYTES);
    if (bytes_get_u32(bytes + BLOCK_VERSION) != SNAPSHOT_VERSION_NOW ||
        bytes_get_u64(bytes + BLOCK_INDEX) != reader->totals.blocks ||
        bytes_get_u64(bytes + BLOCK_LSN) != reader->info.lsn ||
        bytes_get_u64(bytes + BLOCK_CHAIN) != reader->chain) {
        return "the block does not follow the one before it";
    }
    if (body_bytes > BODY_BYTES_MAX || block_bytes(body_bytes) > room) {
        return "the file ends inside the block";
    }
    uint32_t total = block_bytes(body_bytes);
    uint32_t used = SNAPSHOT_BLOCK_HEADER_BYTES + body_bytes;
    if (bytes_get_u64(bytes + BLOCK_BODY_CHECKSUM) != hash_64(bytes + SNAPSHOT_BLOCK_HEADER_BYTES,
                                                              total - SNAPSHOT_BLOCK_HEADER_BYTES,
                                                              reader->seed)) {
        return "the checksum of the block's body is wrong";
    }
    if (bytes_get_u32(bytes + BLOCK_ZERO) != 0 || !bytes_all_zero(bytes + used, total - used)) {
        return "the block's padding is not zero";
    }
    return NULL;
}

/* The end block: the file must end with it, and all sums must be right. */
static int read_end(struct snapshot_reader *reader, uint64_t offset,
                    struct snapshot_error *ret_error) {
    const uint8_t *body = reader->block + SNAPSHOT_BLOCK_HEADER_BYTES;
    struct snapshot_totals *totals = &reader->totals;
    if (reader->body_bytes != END_BYTES || bytes_get_u64(body + END_BLOCKS) != totals->blocks ||
        bytes_get_u64(body + END_ENTITIES) != totals->entities ||
        bytes_get_u64(body + END_ENTITY_BYTES) != totals->entity_bytes ||
        bytes_get_u64(body + END_FILE_BYTES) != reader->offset ||
        bytes_get_u64(body + END_WORLD_HASH) != reader->info.world_hash) {
        return snapshot_damaged(reader, offset, "its sums are not those of what comes before",
                                ret_error);
    }
    if (reader->offset != reader->info.file_bytes) {
        return snapshot_damaged(reader, reader->offset, "something follows its end", ret_error);
    }
    totals->file_bytes = reader->offset;
    totals->world_hash = reader->info.world_hash;
    return SNAPSHOT_END;
}

/* Return: 0 (a block with entities), SNAPSHOT_END, <0 */
static int next_block(struct snapshot_reader *reader, struct snapshot_error *ret_error) {
    uint64_t offset = reader->offset;
    uint64_t left = reader->info.file_bytes - offset;
    uint32_t room = left < WAL_BLOCK_BYTES_MAX ? (uint32_t)left : WAL_BLOCK_BYTES_MAX;
    if (room == 0) {
        return snapshot_damaged(reader, offset, "the file ends without an end block", ret_error);
    }
    int rc = read_in(reader, offset, room, ret_error);
    if (rc < 0) return rc;
    const char *wrong = judge_block(reader, room);
    if (wrong) return snapshot_damaged(reader, offset, wrong, ret_error);
    reader->chain = bytes_get_u64(reader->block + BLOCK_CHECKSUM);
    reader->body_bytes = bytes_get_u32(reader->block + BLOCK_BODY_BYTES);
    reader->entities_left = bytes_get_u32(reader->block + BLOCK_ENTITY_COUNT);
    reader->position = 0;
    reader->offset += block_bytes(reader->body_bytes);
    if (reader->entities_left == 0) return read_end(reader, offset, ret_error);
    reader->totals.blocks++;
    return 0;
}

int snapshot_reader_next(struct snapshot_reader *reader, const uint8_t **ret_bytes,
                         uint32_t *ret_size, struct snapshot_error *ret_error) {
    REQUIRE(reader->handle >= 0);
    if (reader->position == reader->body_bytes && reader->entities_left == 0) {
        int rc = next_block(reader, ret_error);
        if (rc != 0) return rc;
    }
    const uint8_t *bytes = reader->block + SNAPSHOT_BLOCK_HEADER_BYTES + reader->position;
    uint32_t left = reader->body_bytes - reader->position;
    uint32_t size = left >= ENTITY_HEADER_BYTES ? (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 : 0;
    if (reader->entities_left == 0 || size < ENTITY_HEADER_BYTES || size > RECORD_BYTES_MAX ||
        size > left) {
        return snapshot_damaged(reader, reader->offset - block_bytes(reader->body_bytes),
                                "the entities in the block do not add up", ret_error);
    }
    reader->position += size;
    reader->entities_left--;
    reader->totals.entities++;
    reader->totals.entity_bytes += size;
    *ret_bytes = bytes;
    *ret_size = size;
    return 0;
}

void snapshot_reader_close(struct snapshot_reader *reader) {
    if (reader->handle >= 0) reader->storage->operations->close(reader->storage, reader->handle);
    reader->handle = -1;
    free(reader->block);
    reader->block = NULL;
}
