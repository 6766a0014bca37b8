/* snapshot_make.c - a snapshot and the log after it: the state at an LSN, and the next snapshot
 *
 * Happy path: the newest valid snapshot, recover() from its LSN on, write the world, free it, load
 * what was written, rename.
 * Failure modes: no snapshot serves and the log's beginning is gone; the log cannot be replayed;
 * the disk fails or is full. The snapshots that are there stay as they are.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/require.h"
#include "replay/snapshot/snapshot.h"
#include "replay/snapshot/snapshot_file.h"
#include "replay/source/source_wal.h"
#include "wal/segment.h"

static int log_error(const char *text, struct snapshot_error *ret_error) {
    return snapshot_error_set(ret_error, SNAPSHOT_LOG, NULL, 0, "%s", text);
}

/* Replay could not even begin: is it because the log's beginning was deleted? Then a sentence that
 * says what is needed. Return: whether it was */
static bool beginning_is_gone(struct storage *log, const struct snapshot_info *from,
                              struct snapshot_error *ret_error) {
    struct wal_reader *reader;
    struct wal_error error;
    int rc = wal_reader_open(log, from->lsn, &reader, &error);
    if (rc == 0) wal_reader_close(reader);
    if (rc != -WAL_ERROR_MISSING) return false;
    (void)snapshot_error_set(
        ret_error, SNAPSHOT_LOG, from->name, 0,
        "%s. %s%s: put the segments before it back from the archive, or a newer snapshot from a "
        "copy",
        error.text,
        from->name[0] != '\0' ? "The newest valid snapshot that serves is "
                              : "There is no valid snapshot that serves",
        from->name); /* returned by its code, below */
    return true;
}

int snapshot_catch_up(struct storage *log, const struct snapshot_info *from, uint64_t end_lsn,
                      const struct snapshot_recover_options *options, struct world *world,
                      struct recover_result *ret_result, struct snapshot_error *ret_error) {
    struct source_wal source;
    struct record_source port;
    struct recover_error error;
    const struct recover_options replay = {
        .from_lsn = from->lsn,
        .progress_every = 100000,
        .progress = options->progress,
        .progress_context = options->context,
    };
    source_wal_init(&source, log, NULL, NULL, end_lsn, &port);
    int rc = recover(&port, world, &replay, ret_result, &error);
    source_wal_deinit(&source);
    if (rc == 0) return 0;
    if (error.failure == RECOVER_SOURCE && beginning_is_gone(log, from, ret_error)) {
        return -SNAPSHOT_LOG;
    }
    return log_error(error.text, ret_error);
}

/* What serves as a beginning: the newest valid snapshot, or an empty world. */
static int begin(struct storage *log, struct storage *snapshots, const uint8_t *log_id,
                 uint64_t max_lsn, const struct snapshot_recover_options *options,
                 struct snapshot_info *ret_from, struct world **ret_world,
                 struct snapshot_error *ret_error) {
    *ret_from = (struct snapshot_info){.lsn = 0};
    struct snapshot_recover_options ours = *options;
    int rc = -SNAPSHOT_NONE;
    ours.log = log;
    if (snapshots) {
        rc = snapshot_newest(snapshots, log_id, max_lsn, &ours, ret_from, ret_world, ret_error);
    }
    if (rc != -SNAPSHOT_NONE) return rc;
    *ret_world = world_create(options->seed);
    if (*ret_world) return 0;
    return snapshot_error_set(ret_error, SNAPSHOT_RESOURCES, NULL, 0,
                              "not enough memory for the state");
}

/* Look at the log's end, from outside. */
static int look(struct storage *log, struct wal_recovery *ret_recovery,
                struct snapshot_error *ret_error) {
    const struct wal_recovery_options options = {.from_lsn = UINT64_MAX, .live = true};
    struct wal_error error;
    if (wal_recover(log, &options, ret_recovery, &error) < 0) {
        return log_error(error.text, ret_error);
    }
    return 0;
}

struct oldest {
    const uint8_t *log_id;
    struct snapshot_info info;
};

static int visit_oldest(void *context, const struct snapshot_info *info,
                        const struct snapshot_error *error) {
    struct oldest *oldest = context;
    if (!error && memcmp(info->log_id, oldest->log_id, WAL_LOG_ID_BYTES) == 0) oldest->info = *info;
    return 0; /* newest first: the last one stays */
}

/* The log alone does not lead there, but later there is a snapshot: say from where on it goes. */
static void add_oldest(struct storage *snapshots, const struct wal_recovery *recovery,
                       uint64_t limit, struct snapshot_error *error) {
    struct oldest oldest = {.log_id = recovery->log_id};
    struct snapshot_error other;
    int rc = snapshot_list(snapshots, visit_oldest, &oldest, &other);
    size_t used = strlen(error->text);
    if (rc == 0 && oldest.info.lsn > limit) {
        (void)snprintf(error->text + used, sizeof error->text - used,
                       ". As it is, the state can be had from LSN %" PRIu64 " on, with %s",
                       oldest.info.lsn, oldest.info.name); /* cut where too long */
    }
}

int snapshot_recover(struct storage *log, struct storage *snapshots, uint64_t end_lsn,
                     const struct snapshot_recover_options *options, struct snapshot_info *ret_from,
                     struct world **ret_world, struct recover_result *ret_result,
                     struct snapshot_error *ret_error) {
    struct wal_recovery recovery;
    struct snapshot_info from;
    struct world *world = NULL;
    uint64_t limit = options->to_lsn < end_lsn ? options->to_lsn : end_lsn;
    int rc = look(log, &recovery, ret_error);
    if (rc < 0) return rc;
    rc = begin(log, snapshots, recovery.log_exists ? recovery.log_id : NULL, limit, options, &from,
               &world, ret_error);
    if (rc < 0) return rc;
    rc = snapshot_catch_up(log, &from, limit, options, world, ret_result, ret_error);
    if (rc < 0) {
        if (snapshots && from.lsn == 0) add_oldest(snapshots, &recovery, limit, ret_error);
        world_free(world);
        return rc;
    }
    if (ret_from) *ret_from = from;
    *ret_world = world;
    return 0;
}

/* --- making ----------------------------------------------------------------------------------- */

/* Nobody writes this log: what is sound is made durable, and then the snapshot may have it. */
static int make_durable(struct storage *log, const struct wal_recovery *recovery,
                        struct snapshot_error *ret_error) {
    char name[WAL_FILE_NAME_BYTES];
    segment_name(recovery->last_number, name);
    int handle = log->operations->open(log, name, false);
    int rc = handle < 0 ? handle : log->operations->sync(log, handle);
    if (handle >= 0) log->operations->close(log, handle);
    return rc == 0 ? 0 : snapshot_error_system(ret_error, -rc, name, "cannot sync segment");
}

/* Up to where is the log certain to survive a crash? Beside an engine: as far as its blocks state.
 * @ret_recovery: of the log, with durable_lsn as said */
static int find_durable(struct storage *log, struct wal_recovery *ret_recovery,
                        struct snapshot_error *ret_error) {
    int rc = look(log, ret_recovery, ret_error);
    if (rc < 0) return rc;
    if (!ret_recovery->log_exists) return log_error("there is no log in the folder", ret_error);
    if (log->operations->claim(log) < 0) return 0; /* an engine runs, or we may only read */
    rc = look(log, ret_recovery, ret_error);
    if (rc == 0) rc = make_durable(log, ret_recovery, ret_error);
    log->operations->unclaim(log);
    if (rc == 0) ret_recovery->durable_lsn = ret_recovery->end_lsn;
    return rc;
}

/* Write the world, then load what the disk has of it. Takes ownership of the world: there is never
 * a second one in memory. */
static int write_and_load(struct storage *snapshots, struct world *world,
                          const struct snapshot_recover_options *options,
                          void (*pace)(void *context, uint64_t bytes_done), void *pace_context,
                          struct snapshot_info *info, struct snapshot_error *ret_error) {
    uint64_t written;
    struct snapshot_info loaded;
    int rc = snapshot_write(snapshots, world, info, pace, pace_context, &written, ret_error);
    world_free(world);
    if (rc < 0) return rc;
    rc = snapshot_load(snapshots, SNAPSHOT_TEMPORARY_NAME, options->seed, &loaded, &world,
                       ret_error);
    if (rc == 0) {
        world_free(world);
        if (loaded.lsn != info->lsn || loaded.world_hash != info->world_hash) {
            rc = snapshot_error_set(ret_error, SNAPSHOT_DAMAGED, SNAPSHOT_TEMPORARY_NAME, 0,
                                    "the disk gave back another snapshot than was written");
        }
    }
    if (rc == 0) rc = snapshot_publish(snapshots, info, ret_error);
    if (rc < 0) snapshot_discard(snapshots);
    return rc;
}

static int make(struct storage *log, struct storage *snapshots, uint64_t to_lsn, uint64_t now_ms,
                const struct snapshot_recover_options *options,
                void (*pace)(void *context, uint64_t bytes_done), void *pace_context,
                struct snapshot_info *ret_info, struct snapshot_error *ret_error) {
    struct wal_recovery recovery;
    struct snapshot_info from;
    struct world *world = NULL;
    struct recover_result replayed;
    int rc = find_durable(log, &recovery, ret_error);
    if (rc < 0) return rc;
    uint64_t limit = to_lsn < recovery.durable_lsn ? to_lsn : recovery.durable_lsn;
    rc = begin(log, snapshots, recovery.log_id, limit, options, &from, &world, ret_error);
    if (rc < 0) return rc;
    rc = snapshot_catch_up(log, &from, limit, options, world, &replayed, ret_error);
    if (rc < 0 || replayed.last_lsn == from.lsn) {
        world_free(world);
        return rc < 0 ? rc : 1;
    }
    struct snapshot_info info = {
        .lsn = replayed.last_lsn, .created_ms = now_ms, .epoch = recovery.epoch};
    memcpy(info.log_id, recovery.log_id, sizeof info.log_id);
    rc = write_and_load(snapshots, world, options, pace, pace_context, &info, ret_error);
    if (rc == 0 && ret_info) *ret_info = info;
    return rc;
}

int snapshot_make(struct storage *log, struct storage *snapshots, uint64_t to_lsn, uint64_t now_ms,
                  const struct snapshot_recover_options *options,
                  void (*pace)(void *context, uint64_t bytes_done), void *pace_context,
                  struct snapshot_info *ret_info, struct snapshot_error *ret_error) {
    int rc = snapshot_claim(snapshots, ret_error);
    if (rc < 0) return rc;
    rc = make(log, snapshots, to_lsn, now_ms, options, pace, pace_context, ret_info, ret_error);
    snapshots->operations->unclaim(snapshots);
    return rc;
}
