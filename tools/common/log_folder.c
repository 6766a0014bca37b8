/* log_folder.c - see log_folder.h */
#include "tools/common/log_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "engine/base/require.h"
#include "replay/snapshot/snapshot_file.h"
#include "tools/common/complain.h"
#include "tools/common/progress.h"
#include "wal/segment.h"

/* --- opening ---------------------------------------------------------------------------------- */

/* A lock that cannot even be looked at may be held. */
static bool engine_runs(const char *directory) {
    char *path;
    REQUIRE_MEMORY(asprintf(&path, "%s/LOCK", directory) > 0);
    int lock = open(path, O_RDONLY | O_CLOEXEC);
    free(path);
    if (lock < 0) return errno != ENOENT;
    bool runs = flock(lock, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
    (void)close(lock); /* gives the lock up */
    return runs;
}

/* Return: 0 with a good header, 1 without, -1 */
static int read_header(struct log_folder *folder, uint64_t number,
                       struct segment_header *ret_header) {
    const struct storage_operations *operations = folder->wal->operations;
    _Alignas(SEGMENT_HEADER_BYTES) uint8_t bytes[SEGMENT_HEADER_BYTES];
    char name[WAL_FILE_NAME_BYTES];
    uint32_t version;
    segment_name(number, name);
    int handle = operations->open(folder->wal, name, false);
    if (handle == -ENOENT) return 1; /* deleted meanwhile: nobody needs it */
    int result = handle < 0 ? handle : 0;
    if (result == 0) result = operations->read(folder->wal, handle, 0, bytes, sizeof bytes);
    if (handle >= 0) operations->close(folder->wal, handle);
    if (result == -ENODATA) return 1;
    if (result < 0) {
        complain("%s/wal/%s: %s", folder->directory, name, strerror(-result));
        return -1;
    }
    return segment_decode(bytes, ret_header, &version) == SEGMENT_USED ? 0 : 1;
}

static int read_headers(struct log_folder *folder) {
    struct segment_list list;
    struct wal_error error;
    int result = segment_list_read(folder->wal, &list, &error);
    if (result == -WAL_ERROR_MISSING) return 0; /* a gap: whoever needs the segments will say so */
    if (result < 0) {
        complain("%s: %s", folder->directory, error.text);
        return -1;
    }
    folder->segments = calloc(list.count + 1, sizeof *folder->segments);
    REQUIRE_MEMORY(folder->segments);
    for (uint64_t i = 0; i < list.count && result >= 0; i++) {
        struct segment_header header;
        result = read_header(folder, list.numbers[i], &header);
        if (result != 0) continue;
        if (folder->segment_count == 0) memcpy(folder->log_id, header.log_id, sizeof header.log_id);
        folder->segments[folder->segment_count++] = (struct log_segment){
            header.number, header.first_lsn, header.created_ms};
    }
    segment_list_free(&list);
    return result < 0 ? -1 : 0;
}

int log_folder_glance(const char *directory, struct log_folder *ret_folder) {
    REQUIRE(directory && ret_folder);
    struct log_folder folder = {.directory = directory};
    int result = storage_posix_open(directory, STORAGE_WAL, &folder.wal);
    if (result == 0) {
        result = storage_posix_open(directory, STORAGE_SNAPSHOTS, &folder.snapshots);
        if (result < 0) folder.wal->operations->destroy(folder.wal);
    }
    if (result < 0) {
        complain("%s: %s. Name the folder that usherd got with --data.", directory,
                 strerror(-result));
        return -1;
    }
    folder.engine_runs = engine_runs(directory);
    if (read_headers(&folder) < 0) {
        log_folder_close(&folder);
        return -1;
    }
    *ret_folder = folder;
    return 0;
}

void log_folder_close(struct log_folder *folder) {
    folder->wal->operations->destroy(folder->wal);
    folder->snapshots->operations->destroy(folder->snapshots);
    free(folder->segments);
    *folder = (struct log_folder){0};
}

static int find_end(struct log_folder *folder, bool damaged_too) {
    const struct wal_recovery_options options = {.from_lsn = UINT64_MAX, .live = true};
    struct wal_error error;
    if (wal_recover(folder->wal, &options, &folder->state, &error) == 0) {
        folder->end_lsn = folder->engine_runs ? folder->state.durable_lsn : folder->state.end_lsn;
        folder->first_lsn = folder->state.first_lsn;
        if (folder->state.log_exists) return 0;
        complain("%s: there is no log in this folder. Name the folder that usherd got "
                 "with --data.",
                 folder->directory);
        return -1;
    }
    folder->damage = error;
    folder->end_lsn = error.lsn;
    if (folder->segment_count > 0) folder->first_lsn = folder->segments[0].first_lsn;
    bool readable = error.code == WAL_ERROR_CORRUPT && folder->segment_count > 0 &&
                    folder->end_lsn >= folder->first_lsn;
    if (damaged_too && readable) return 0;
    complain("%s: %s.", folder->directory, error.text);
    if (readable) {
        complain_more("usher wal repair %s shows what cutting it off would lose.",
                      folder->directory);
    }
    return -1;
}

int log_folder_open(const char *directory, bool damaged_too, struct log_folder *ret_folder) {
    struct log_folder folder;
    if (log_folder_glance(directory, &folder) < 0) return -1;
    if (find_end(&folder, damaged_too) < 0) {
        log_folder_close(&folder);
        return -1;
    }
    *ret_folder = folder;
    return 0;
}

/* --- worlds ----------------------------------------------------------------------------------- */

const struct id128 *log_folder_seed(void) {
    static const struct id128 seed = {{1}};
    return &seed;
}

struct folder_replay {
    struct progress progress;
    uint64_t end_lsn;
};

static void replay_progress(void *context, uint64_t records, uint64_t bytes, uint64_t lsn) {
    struct folder_replay *replaying = context;
    (void)records;
    (void)bytes;
    progress_at(&replaying->progress, lsn, replaying->end_lsn, "");
}

void log_folder_skipped(void *context, const struct snapshot_error *error) {
    (void)context;
    complain("snapshot %s is not used: %s", error->file, error->text);
}

/* snapshot_recover() wants a log whose end is sound; this reads up to the damage. */
static int recover_damaged(struct log_folder *folder, bool from_snapshots,
                           const struct snapshot_recover_options *options,
                           struct snapshot_info *ret_from, struct world **ret_world,
                           struct recover_result *ret_result, struct snapshot_error *ret_error) {
    struct snapshot_info from = {0};
    struct world *world = NULL;
    int result = -SNAPSHOT_NONE;
    if (from_snapshots) {
        result = snapshot_newest(folder->snapshots, folder->log_id, options->to_lsn, options, &from,
                                 &world, ret_error);
    }
    if (result == -SNAPSHOT_NONE) {
        world = world_create(options->seed);
        REQUIRE_MEMORY(world);
    } else if (result < 0) {
        return result;
    }
    result = snapshot_catch_up(folder->wal, &from, options->to_lsn, options, world, ret_result,
                               ret_error);
    if (result < 0) {
        world_free(world);
        return result;
    }
    if (ret_from) *ret_from = from;
    *ret_world = world;
    return 0;
}

int log_folder_world(struct log_folder *folder, uint64_t lsn, bool from_snapshots,
                     struct snapshot_info *ret_from, struct world **ret_world,
                     struct recover_result *ret_result) {
    REQUIRE(folder && ret_world && ret_result);
    struct folder_replay replaying = {.end_lsn = lsn};
    const struct snapshot_recover_options options = {
        .seed = log_folder_seed(),
        .log = folder->wal,
        .to_lsn = lsn,
        .skipped = log_folder_skipped,
        .progress = replay_progress,
        .context = &replaying,
    };
    struct snapshot_error error;
    progress_begin(&replaying.progress, "bytes of log replayed");
    int result = folder->damage.code != 0
                     ? recover_damaged(folder, from_snapshots, &options, ret_from, ret_world,
                                       ret_result, &error)
                     : snapshot_recover(folder->wal, from_snapshots ? folder->snapshots : NULL,
                                        folder->end_lsn, &options, ret_from, ret_world, ret_result,
                                        &error);
    progress_end(&replaying.progress, result == 0 ? ret_result->last_lsn : lsn, lsn, "");
    if (result == 0) return 0;
    complain("%s: %s", folder->directory, error.text);
    return -1;
}

int log_folder_judge(struct log_folder *folder, const struct snapshot_info *info,
                     struct snapshot_error *ret_error) {
    if (memcmp(info->log_id, folder->log_id, sizeof folder->log_id) == 0) {
        return snapshot_check_history(folder->wal, info, ret_error);
    }
    *ret_error = (struct snapshot_error){.code = SNAPSHOT_FOREIGN};
    memcpy(ret_error->file, info->name, sizeof ret_error->file);
    snprintf(ret_error->text, sizeof ret_error->text,
             "snapshot %s belongs to another log; move it to that log's folder", info->name);
    return -SNAPSHOT_FOREIGN;
}

/* All that have a good header, newest first, as they are listed. */
struct candidates {
    struct snapshot_info *infos; /* owned */
    uint32_t count;
};

static int add_candidate(void *context, const struct snapshot_info *info,
                         const struct snapshot_error *error) {
    struct candidates *all = context;
    if (error) return 0;
    all->infos = realloc(all->infos, (all->count + 1) * sizeof *all->infos);
    REQUIRE_MEMORY(all->infos);
    all->infos[all->count++] = *info;
    return 0;
}

int log_folder_oldest_snapshot(struct log_folder *folder, uint64_t max_lsn,
                               struct snapshot_info *ret_info, struct world **ret_world) {
    struct candidates all = {0};
    struct snapshot_error error;
    int result = snapshot_list(folder->snapshots, add_candidate, &all, &error);
    if (result < 0) {
        complain("%s: %s", folder->directory, error.text);
        free(all.infos);
        return -1;
    }
    result = 1;
    for (uint32_t i = all.count; i > 0 && result == 1; i--) {
        const struct snapshot_info *info = &all.infos[i - 1];
        if (info->lsn < folder->first_lsn || info->lsn > max_lsn) continue;
        if (log_folder_judge(folder, info, &error) == 0 &&
            snapshot_load(folder->snapshots, info->name, log_folder_seed(), ret_info, ret_world,
                          &error) == 0) {
            result = 0;
        } else {
            log_folder_skipped(NULL, &error);
        }
    }
    free(all.infos);
    return result;
}
