/* snapshot_file.h - a snapshot's file: header, blocks of entities, end block; shared inside replay
 *
 * Knows bytes, checksums and the storage; does not know what an entity means. Tables of fields:
 * FORMAT.md.
 *
 * Happy path: snapshot_writer_open, _put for each entity, _close makes a whole, synced file;
 * snapshot_reader_open, _next until it says SNAPSHOT_END, _close.
 * Failure modes: every operation of the storage may fail; a file may hold anything at all. The
 * reader has given out nothing but entities of blocks whose checksums and chain were right, and
 * says SNAPSHOT_END only where the file is whole.
 * Thread: one at a time for each.
 */
#ifndef USHER_REPLAY_SNAPSHOT_SNAPSHOT_FILE_H
#define USHER_REPLAY_SNAPSHOT_SNAPSHOT_FILE_H

#include "engine/base/version.h"
#include "engine/domain/partition/world.h"
#include "replay/snapshot/snapshot_info.h"
#include "wal/storage/storage.h"

#define SNAPSHOT_VERSION_NOW VERSION_SNAPSHOT
#define SNAPSHOT_HEADER_BYTES 4096u
#define SNAPSHOT_BLOCK_HEADER_BYTES 64u
/* The name under which a snapshot is written; the next one takes it over. */
#define SNAPSHOT_TEMPORARY_NAME "snapshot.tmp"

/* snapshot_error_set - Return: -code */
__attribute__((format(printf, 5, 6))) int snapshot_error_set(struct snapshot_error *ret_error,
                                                             int code, const char *file,
                                                             uint64_t offset, const char *format,
                                                             ...);
/* snapshot_error_system - the same for a failed operation of a storage
 * @system_error: positive errno */
int snapshot_error_system(struct snapshot_error *ret_error, int system_error, const char *file,
                          const char *what);

void snapshot_name(uint64_t lsn, char ret_name[SNAPSHOT_NAME_BYTES]);
/* snapshot_parse_name - true if this is exactly a snapshot's name */
bool snapshot_parse_name(const char *name, uint64_t *ret_lsn);

/* Behind the last entity. */
struct snapshot_totals {
    uint64_t blocks; /* the end block not counted */
    uint64_t entities;
    uint64_t entity_bytes;
    uint64_t file_bytes;
    uint64_t world_hash;
};

struct snapshot_writer {
    struct storage *storage; /* borrowed */
    int handle;              /* -1: closed */
    uint8_t *block;          /* WAL_BLOCK_BYTES_MAX, aligned, owned */
    uint32_t body_bytes;     /* of the block being filled */
    uint32_t entity_count;
    uint64_t index; /* of that block */
    uint64_t offset;
    uint64_t chain, seed, lsn;
    struct snapshot_totals totals;
    void (*pace)(void *context, uint64_t bytes_done);
    void *pace_context;
    struct snapshot_error *error; /* borrowed; set where a call fails */
};

/* snapshot_writer_open - begin SNAPSHOT_TEMPORARY_NAME and write the header
 * @info:  all but name and file_bytes
 * @pace:  after each block; may be NULL
 * @error: borrowed until the writer is closed
 * Return: 0, -enum snapshot_error_code; snapshot_writer_close() in any case */
int snapshot_writer_open(struct snapshot_writer *writer, struct storage *storage,
                         const struct snapshot_info *info,
                         void (*pace)(void *context, uint64_t bytes_done), void *pace_context,
                         struct snapshot_error *error);
/* snapshot_writer_put - append an entity; Return: 0, -enum snapshot_error_code */
int snapshot_writer_put(struct snapshot_writer *writer, const uint8_t *bytes, uint32_t size);
/* snapshot_writer_finish - last block, end block, sync; Return: 0, -enum snapshot_error_code */
int snapshot_writer_finish(struct snapshot_writer *writer);
void snapshot_writer_close(struct snapshot_writer *writer);

enum { SNAPSHOT_END = 1 };

struct snapshot_reader {
    struct storage *storage; /* borrowed */
    int handle;              /* -1: closed */
    uint8_t *block;          /* WAL_BLOCK_BYTES_MAX, aligned, owned */
    char name[SNAPSHOT_NAME_BYTES];
    struct snapshot_info info;
    uint64_t offset;      /* of the next block */
    uint64_t chain, seed; /* chain: the checksum that the next block must state */
    uint32_t body_bytes, position;
    uint32_t entities_left; /* in the block */
    struct snapshot_totals totals;
};

/* snapshot_reader_open - open a file and read its header
 * @name: also SNAPSHOT_TEMPORARY_NAME
 * ret_reader->info.name and file_bytes are set also where the header is not good.
 * Return: 0, -enum snapshot_error_code; snapshot_reader_close() in any case */
int snapshot_reader_open(struct snapshot_reader *ret_reader, struct storage *storage,
                         const char *name, struct snapshot_error *ret_error);
/* snapshot_reader_next - the next entity, not decoded
 * @ret_bytes: borrowed until the next call
 * Return: 0; SNAPSHOT_END: that was all, and the file is whole; -enum snapshot_error_code */
int snapshot_reader_next(struct snapshot_reader *reader, const uint8_t **ret_bytes,
                         uint32_t *ret_size, struct snapshot_error *ret_error);
void snapshot_reader_close(struct snapshot_reader *reader);

/* --- shared by what makes and removes snapshots ----------------------------------------------- */

/* The snapshots of a folder by name, newest first. */
struct snapshot_names {
    uint64_t *lsns; /* owned */
    uint64_t count;
};
/* snapshot_names_read - Return: 0 (free with snapshot_names_free), -enum snapshot_error_code */
int snapshot_names_read(struct storage *snapshots, struct snapshot_names *ret_names,
                        struct snapshot_error *ret_error);
void snapshot_names_free(struct snapshot_names *names);

/* snapshot_check - read a whole file and check everything but what its entities mean
 * @log_id:    must match; NULL: any
 * @ret_info:  may be NULL
 * @ret_chain: checksum of the end block: equal for equal files; may be NULL
 * Return: 0, -enum snapshot_error_code */
int snapshot_check(struct storage *snapshots, const char *name,
                   const uint8_t log_id[WAL_LOG_ID_BYTES], struct snapshot_info *ret_info,
                   uint64_t *ret_chain, struct snapshot_error *ret_error);

/* snapshot_check_history - refuse one that was made of decisions that a repair took out of the log
 * @log: NULL: not compared
 * Return: 0, also where the log cannot tell; -SNAPSHOT_FOREIGN */
int snapshot_check_history(struct storage *log, const struct snapshot_info *info,
                           struct snapshot_error *ret_error);

/* snapshot_claim - Return: 0, -SNAPSHOT_LOCKED, -SNAPSHOT_IO */
int snapshot_claim(struct storage *snapshots, struct snapshot_error *ret_error);

/* snapshot_write - write a world as SNAPSHOT_TEMPORARY_NAME, synced; the storage is claimed
 * @info:      as for snapshot_save; completed
 * @ret_chain: checksum of the end block
 * Return: 0, -enum snapshot_error_code (the temporary file is removed) */
int snapshot_write(struct storage *snapshots, const struct world *world, struct snapshot_info *info,
                   void (*pace)(void *context, uint64_t bytes_done), void *pace_context,
                   uint64_t *ret_chain, struct snapshot_error *ret_error);

/* snapshot_publish - give SNAPSHOT_TEMPORARY_NAME its name; sets info->name */
int snapshot_publish(struct storage *snapshots, struct snapshot_info *info,
                     struct snapshot_error *ret_error);

/* snapshot_discard - remove SNAPSHOT_TEMPORARY_NAME after a failure */
void snapshot_discard(struct storage *snapshots);

/* snapshot_damaged - the file is not what was written; Return: -SNAPSHOT_DAMAGED */
int snapshot_damaged(const struct snapshot_reader *reader, uint64_t offset, const char *why,
                     struct snapshot_error *ret_error);

#endif
