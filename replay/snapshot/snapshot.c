/* snapshot.c - snapshots listed, loaded and saved; see snapshot.h
 *
 * Loading trusts nothing: file and chain (snapshot_file.c), entities and partition hashes
 * (engine/domain/image/image.h), and at the end the sums that the header states.
 */
#include "replay/snapshot/snapshot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/domain/image/image.h"
#include "engine/base/require.h"
#include "replay/snapshot/snapshot_file.h"

/* --- the folder ------------------------------------------------------------------------------- */

struct snapshot_collect {
    struct snapshot_names names;
    uint64_t capacity;
    bool out_of_memory;
};

static void collect_name(void *context, const char *name) {
    struct snapshot_collect *collect = context;
    uint64_t lsn;
    if (collect->out_of_memory || !snapshot_parse_name(name, &lsn)) return;
    if (collect->names.count == collect->capacity) {
        uint64_t capacity = collect->capacity ? 2 * collect->capacity : 16;
        uint64_t *lsns = realloc(collect->names.lsns, capacity * sizeof *lsns);
        if (!lsns) {
            collect->out_of_memory = true;
            return;
        }
        collect->names.lsns = lsns;
        collect->capacity = capacity;
    }
    collect->names.lsns[collect->names.count++] = lsn;
}

static int compare_descending(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left < right) - (left > right);
}

int snapshot_names_read(struct storage *snapshots, struct snapshot_names *ret_names,
                        struct snapshot_error *ret_error) {
    struct snapshot_collect collect = {.capacity = 0};
    int rc = snapshots->operations->list(snapshots, collect_name, &collect);
    if (rc < 0) {
        rc = snapshot_error_system(ret_error, -rc, NULL, "cannot list the folder of snapshots");
    } else if (collect.out_of_memory) {
        rc = snapshot_error_set(ret_error, SNAPSHOT_RESOURCES, NULL, 0,
                                "not enough memory for the list of snapshots");
    }
    if (rc < 0) {
        free(collect.names.lsns);
        return rc;
    }
    if (collect.names.count > 1) {
        qsort(collect.names.lsns, collect.names.count, sizeof *collect.names.lsns,
              compare_descending);
    }
    *ret_names = collect.names;
    return 0;
}

void snapshot_names_free(struct snapshot_names *names) {
    free(names->lsns);
    *names = (struct snapshot_names){0};
}

/* The folder cannot be read, or memory is short: that says nothing about the snapshot. */
static bool is_about_us(int rc) { return rc == -SNAPSHOT_RESOURCES; }

int snapshot_list(struct storage *snapshots,
                  int (*visit)(void *context, const struct snapshot_info *info,
                               const struct snapshot_error *error),
                  void *context, struct snapshot_error *ret_error) {
    struct snapshot_names names;
    int rc = snapshot_names_read(snapshots, &names, ret_error);
    if (rc < 0) return rc;
    for (uint64_t i = 0; i < names.count && rc == 0; i++) {
        struct snapshot_reader reader;
        struct snapshot_error error;
        char name[SNAPSHOT_NAME_BYTES];
        snapshot_name(names.lsns[i], name);
        int opened = snapshot_reader_open(&reader, snapshots, name, &error);
        snapshot_reader_close(&reader);
        if (opened == -SNAPSHOT_NONE) continue; /* removed meanwhile */
        if (is_about_us(opened)) {
            *ret_error = error;
            rc = opened;
        } else {
            rc = visit(context, &reader.info, opened < 0 ? &error : NULL);
        }
    }
    snapshot_names_free(&names);
    return rc;
}

struct witness {
    const uint8_t *log_id; /* NULL: any */
    struct snapshot_info *info;
};

static int visit_witness(void *context, const struct snapshot_info *info,
                         const struct snapshot_error *error) {
    struct witness *witness = context;
    if (error) return 0;
    if (witness->log_id && memcmp(info->log_id, witness->log_id, WAL_LOG_ID_BYTES) != 0) return 0;
    *witness->info = *info;
    return 1; /* newest first */
}

int snapshot_witness(struct storage *snapshots, const uint8_t log_id[WAL_LOG_ID_BYTES],
                     struct snapshot_info *ret_info, struct snapshot_error *ret_error) {
    *ret_info = (struct snapshot_info){.lsn = 0};
    struct witness witness = {log_id, ret_info};
    int rc = snapshot_list(snapshots, visit_witness, &witness, ret_error);
    return rc < 0 ? rc : 0;
}

int snapshot_claim(struct storage *snapshots, struct snapshot_error *ret_error) {
    int rc = snapshots->operations->claim(snapshots);
    if (rc == -EWOULDBLOCK) {
        return snapshot_error_set(ret_error, SNAPSHOT_LOCKED, NULL, 0,
                                  "another process is making a snapshot of this folder; wait "
                                  "until it is done");
    }
    return rc == 0
               ? 0
               : snapshot_error_system(ret_error, -rc, NULL, "cannot lock the folder of snapshots");
}

/* --- loading ---------------------------------------------------------------------------------- */

static int check_log(const struct snapshot_info *info, const uint8_t *log_id,
                     struct snapshot_error *ret_error) {
    if (!log_id || memcmp(info->log_id, log_id, WAL_LOG_ID_BYTES) == 0) return 0;
    return snapshot_error_set(ret_error, SNAPSHOT_FOREIGN, info->name, 0,
                              "snapshot %s belongs to another log; move it to that log's folder",
                              info->name);
}

int snapshot_check_history(struct storage *log, const struct snapshot_info *info,
                           struct snapshot_error *ret_error) {
    uint64_t epoch;
    struct wal_error error; /* a log that cannot be read is judged elsewhere */
    if (!log || wal_epoch_at(log, info->lsn, &epoch, &error) < 0 || epoch <= info->epoch) return 0;
    return snapshot_error_set(ret_error, SNAPSHOT_FOREIGN, info->name, 0,
                              "snapshot %s was made in epoch %" PRIu64
                              ", but what the log says at its LSN was written in epoch %" PRIu64
                              ": it knows decisions that were taken out of the log since. Move it "
                              "away",
                              info->name, info->epoch, epoch);
}

static int invalid(const struct snapshot_reader *reader, const char *why,
                   struct snapshot_error *ret_error) {
    return snapshot_error_set(ret_error, SNAPSHOT_INVALID, reader->name, 0,
                              "snapshot %s has sound checksums, but contradicts itself: %s. Start "
                              "the version of usher that wrote it, or remove it: an older one and "
                              "the log give the state. Please report this",
                              reader->name, why);
}

static int load_entities(struct snapshot_reader *reader, struct world *world,
                         struct snapshot_error *ret_error) {
    struct image_loader *loader = image_loader_open(world);
    if (!loader) {
        return snapshot_error_set(ret_error, SNAPSHOT_RESOURCES, reader->name, 0,
                                  "not enough memory to load snapshot %s", reader->name);
    }
    char why[IMAGE_ERROR_BYTES];
    const uint8_t *bytes;
    uint32_t size;
    int rc;
    while ((rc = snapshot_reader_next(reader, &bytes, &size, ret_error)) == 0) {
        struct entity entity;
        if (entity_decode(bytes, size, &entity) != DECISION_DECODE_OK) {
            rc = invalid(reader, "an entity of it cannot be decoded", ret_error);
        } else if (image_load(loader, &entity, why) != 0) {
            rc = invalid(reader, why, ret_error);
        }
        if (rc != 0) break;
    }
    if (rc == SNAPSHOT_END) {
        rc = image_finish(loader, why) == 0 ? 0 : invalid(reader, why, ret_error);
    }
    image_loader_close(loader);
    return rc;
}

/* What the header says about the world. */
static void sum_up(const struct world *world, struct snapshot_info *info) {
    info->decision_count = 0;
    info->last_time_ms = 0;
    info->account_partitions = ACCOUNT_PARTITIONS;
    info->world_hash = world_hash(world);
    for (uint32_t i = 0; i < 1 + ACCOUNT_PARTITIONS + world->date_count; i++) {
        const struct partition *partition = i == 0 ? world->catalogue
                                            : i <= ACCOUNT_PARTITIONS
                                                ? world->accounts[i - 1]
                                                : world->dates[i - ACCOUNT_PARTITIONS];
        REQUIRE(partition != NULL);
        info->decision_count += partition->decision_count;
        if (partition->last_time_ms > info->last_time_ms) {
            info->last_time_ms = partition->last_time_ms;
        }
    }
}

static int load(struct snapshot_reader *reader, const struct id128 *seed, struct world **ret_world,
                struct snapshot_error *ret_error) {
    const struct snapshot_info *info = &reader->info;
    if (info->account_partitions != ACCOUNT_PARTITIONS) {
        return snapshot_error_set(ret_error, SNAPSHOT_VERSION, reader->name, 0,
                                  "snapshot %s was made with %u account partitions, this usher has "
                                  "%u; use a build with %u",
                                  reader->name, info->account_partitions, ACCOUNT_PARTITIONS,
                                  info->account_partitions);
    }
    struct world *world = world_create(seed);
    if (!world) {
        return snapshot_error_set(ret_error, SNAPSHOT_RESOURCES, reader->name, 0,
                                  "not enough memory to load snapshot %s", reader->name);
    }
    int rc = load_entities(reader, world, ret_error);
    if (rc == 0) {
        struct snapshot_info found = *info;
        sum_up(world, &found);
        if (found.world_hash != info->world_hash || found.decision_count != info->decision_count ||
            found.last_time_ms != info->last_time_ms) {
            rc = invalid(reader, "the state in it is not the one that its header states",
                         ret_error);
        }
    }
    if (rc == 0) {
        *ret_world = world;
    } else {
        world_free(world);
    }
    return rc;
}

/* One snapshot, if it is of this log and its history. */
static int load_of_log(struct storage *snapshots, const char *name, const uint8_t *log_id,
                       struct storage *log, const struct id128 *seed,
                       struct snapshot_info *ret_info, struct world **ret_world,
                       struct snapshot_error *ret_error) {
    struct snapshot_reader reader;
    int rc = snapshot_reader_open(&reader, snapshots, name, ret_error);
    if (rc == 0) rc = check_log(&reader.info, log_id, ret_error);
    if (rc == 0) rc = snapshot_check_history(log, &reader.info, ret_error);
    if (rc == 0) rc = load(&reader, seed, ret_world, ret_error);
    snapshot_reader_close(&reader);
    if (rc == 0 && ret_info) *ret_info = reader.info;
    return rc;
}

int snapshot_load(struct storage *snapshots, const char *name, const struct id128 *seed,
                  struct snapshot_info *ret_info, struct world **ret_world,
                  struct snapshot_error *ret_error) {
    return load_of_log(snapshots, name, NULL, NULL, seed, ret_info, ret_world, ret_error);
}

int snapshot_newest(struct storage *snapshots, const uint8_t log_id[WAL_LOG_ID_BYTES],
                    uint64_t max_lsn, const struct snapshot_recover_options *options,
                    struct snapshot_info *ret_info, struct world **ret_world,
                    struct snapshot_error *ret_error) {
    struct snapshot_names names;
    int rc = snapshot_names_read(snapshots, &names, ret_error);
    if (rc < 0) return rc;
    rc = -SNAPSHOT_NONE;
    for (uint64_t i = 0; i < names.count; i++) {
        if (names.lsns[i] > max_lsn) continue;
        char name[SNAPSHOT_NAME_BYTES];
        struct snapshot_error error;
        snapshot_name(names.lsns[i], name);
        rc = load_of_log(snapshots, name, log_id, options->log, options->seed, ret_info, ret_world,
                         &error);
        if (rc == 0) break;
        if (is_about_us(rc)) {
            *ret_error = error;
            break;
        }
        if (rc != -SNAPSHOT_NONE && options->skipped) options->skipped(options->context, &error);
        rc = -SNAPSHOT_NONE;
    }
    snapshot_names_free(&names);
    if (rc == -SNAPSHOT_NONE) {
        return snapshot_error_set(ret_error, SNAPSHOT_NONE, NULL, 0,
                                  "there is no valid snapshot of this log");
    }
    return rc;
}

int snapshot_check(struct storage *snapshots, const char *name,
                   const uint8_t log_id[WAL_LOG_ID_BYTES], struct snapshot_info *ret_info,
                   uint64_t *ret_chain, struct snapshot_error *ret_error) {
    struct snapshot_reader reader;
    const uint8_t *bytes;
    uint32_t size;
    int rc = snapshot_reader_open(&reader, snapshots, name, ret_error);
    if (rc == 0) rc = check_log(&reader.info, log_id, ret_error);
    while (rc == 0) rc = snapshot_reader_next(&reader, &bytes, &size, ret_error);
    snapshot_reader_close(&reader);
    if (rc != SNAPSHOT_END) return rc;
    if (ret_info) *ret_info = reader.info;
    if (ret_chain) *ret_chain = reader.chain;
    return 0;
}

/* --- saving ----------------------------------------------------------------------------------- */

static int put_entity(void *context, const struct entity *entity, const uint8_t *bytes,
                      uint32_t size) {
    (void)entity; /* stored as it is encoded */
    return snapshot_writer_put(context, bytes, size);
}

int snapshot_write(struct storage *snapshots, const struct world *world, struct snapshot_info *info,
                   void (*pace)(void *context, uint64_t bytes_done), void *pace_context,
                   uint64_t *ret_chain, struct snapshot_error *ret_error) {
    struct snapshot_writer writer;
    const struct image_sink sink = {put_entity, &writer};
    sum_up(world, info);
    int rc = snapshot_writer_open(&writer, snapshots, info, pace, pace_context, ret_error);
    if (rc == 0) rc = image_save(world, &sink);
    if (rc == 0) rc = snapshot_writer_finish(&writer);
    snapshot_writer_close(&writer);
    if (rc < 0) {
        snapshot_discard(snapshots);
        return rc;
    }
    info->file_bytes = writer.totals.file_bytes;
    *ret_chain = writer.chain;
    return 0;
}

int snapshot_publish(struct storage *snapshots, struct snapshot_info *info,
                     struct snapshot_error *ret_error) {
    snapshot_name(info->lsn, info->name);
    int rc = snapshots->operations->rename(snapshots, SNAPSHOT_TEMPORARY_NAME, info->name);
    return rc == 0 ? 0
                   : snapshot_error_system(ret_error, -rc, SNAPSHOT_TEMPORARY_NAME,
                                           "cannot rename snapshot");
}

void snapshot_discard(struct storage *snapshots) {
    /* It may not be there; if it stays, nobody reads it and the next one replaces it. */
    (void)snapshots->operations->remove(snapshots, SNAPSHOT_TEMPORARY_NAME);
}

static int save(struct storage *snapshots, const struct world *world, struct snapshot_info *info,
                void (*pace)(void *context, uint64_t bytes_done), void *pace_context,
                struct snapshot_error *ret_error) {
    uint64_t written, read;
    int rc = snapshot_write(snapshots, world, info, pace, pace_context, &written, ret_error);
    if (rc < 0) return rc;
    rc = snapshot_check(snapshots, SNAPSHOT_TEMPORARY_NAME, info->log_id, NULL, &read, ret_error);
    if (rc == 0 && read != written) {
        rc = snapshot_error_set(ret_error, SNAPSHOT_DAMAGED, SNAPSHOT_TEMPORARY_NAME, 0,
                                "the disk gave back another snapshot than was written");
    }
    if (rc == 0) rc = snapshot_publish(snapshots, info, ret_error);
    if (rc < 0) snapshot_discard(snapshots);
    return rc;
}

int snapshot_save(struct storage *snapshots, const struct world *world,
                  const struct snapshot_info *info,
                  void (*pace)(void *context, uint64_t bytes_done), void *pace_context,
                  struct snapshot_error *ret_error) {
    struct snapshot_info complete = *info;
    int rc = snapshot_claim(snapshots, ret_error);
    if (rc < 0) return rc;
    rc = save(snapshots, world, &complete, pace, pace_context, ret_error);
    snapshots->operations->unclaim(snapshots);
    return rc;
}
