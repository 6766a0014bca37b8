/* usher_restore.c - `usher restore`: a new data folder with the state at X, that starts and serves
 *
 * Happy path: the records up to X go, as they are, into a new log with an id of its own, in
 * NEW.partial; where the beginning of the old log was deleted, also the newest snapshot not after
 * X. Then the new folder is replayed, its hash compared with the old one's at X, everything synced,
 * and NEW.partial becomes NEW. LSNs stay what they were.
 *
 * Failure modes: whatever goes wrong, NEW does not come into being; NEW.partial is left for a look,
 * and refused the next time. The source is only read.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/require.h"
#include "replay/tell/text.h"
#include "tools/common/complain.h"
#include "tools/common/log_folder.h"
#include "tools/common/progress.h"
#include "tools/common/system_ports.h"
#include "tools/usher/json_print.h"
#include "tools/usher/usher.h"
#include "tools/usher/usher_arguments.h"
#include "wal/reader.h"
#include "wal/wal.h"

struct restore {
    struct log_folder source;
    const char *target;
    char *partial; /* owned */
    uint64_t lsn;  /* of the state, a record's end */
    uint64_t last_time_ms;
    uint64_t hash;
    struct snapshot_info from; /* goes along; no name: the log begins at its beginning */
    uint8_t log_id[WAL_LOG_ID_BYTES];
    struct wal *wal; /* owned */
};

/* --- folders ---------------------------------------------------------------------------------- */

static int complain_system(const char *path, const char *what) {
    complain("%s: %s: %s", path, what, strerror(errno));
    return -1;
}

static int sync_folder(const char *path) {
    int handle = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (handle < 0) return complain_system(path, "cannot be opened");
    int result = fsync(handle);
    if (result < 0) (void)complain_system(path, "cannot be synced");
    (void)close(handle);
    return result;
}

static int sync_parent(const char *path) {
    char *copy = strdup(path);
    REQUIRE_MEMORY(copy);
    int result = sync_folder(dirname(copy));
    free(copy);
    return result;
}

/* NEW must not exist, or be an empty folder, which rename() replaces. */
static int check_target(const char *target) {
    DIR *stream = opendir(target);
    if (!stream && errno == ENOENT) return 0;
    if (!stream) return complain_system(target, "cannot be used");
    uint32_t names = 0;
    const struct dirent *entry;
    while ((entry = readdir(stream)) != NULL) {
        names += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    (void)closedir(stream);
    if (names == 0) return 0;
    complain("%s is there already and is not empty; name a new folder", target);
    return -1;
}

static int make_partial(struct restore *restore) {
    size_t size = strlen(restore->target);
    while (size > 1 && restore->target[size - 1] == '/') size--;
    REQUIRE_MEMORY(asprintf(&restore->partial, "%.*s.partial", (int)size, restore->target) > 0);
    if (mkdir(restore->partial, 0700) == 0) return 0;
    if (errno != EEXIST) return complain_system(restore->partial, "cannot be made");
    complain("%s is left from a restore that was interrupted; remove it and run this "
             "again",
             restore->partial);
    return -1;
}

/* --- the new log ------------------------------------------------------------------------------ */

static int complain_log(const struct restore *restore, const struct wal_error *error) {
    complain("%s: %s", restore->partial, error->text);
    return -1;
}

/* Append a drain's worth of records, and write until there is room for the next. */
static int append(struct restore *restore, const uint8_t *bytes, uint32_t size) {
    struct wal_error error;
    uint64_t lsn;
    int result;
    while ((result = wal_append(restore->wal, 0, bytes, size, &lsn)) == WAL_FULL) {
        result = wal_writer_step(restore->wal, true);
        if (result < 0) break;
    }
    if (result >= 0) return 0;
    wal_error_get(restore->wal, &error);
    return complain_log(restore, &error);
}

static int copy_records(struct restore *restore) {
    static uint8_t drain[DRAIN_BYTES_MAX];
    uint32_t used = 0;
    struct wal_reader *reader;
    struct wal_record record;
    struct wal_error error;
    struct progress progress;
    if (wal_reader_open(restore->source.wal, restore->source.first_lsn, &reader, &error) < 0) {
        return complain_log(restore, &error);
    }
    progress_begin(&progress, "bytes of log copied");
    int result, failed = 0;
    while (failed == 0 && (result = wal_reader_next(reader, restore->lsn, &record, &error)) == 0) {
        if (used + record.size > sizeof drain) {
            failed = append(restore, drain, used);
            used = 0;
            progress_at(&progress, record.lsn, restore->lsn, "");
        }
        memcpy(drain + used, record.bytes, record.size);
        used += record.size;
    }
    progress_end(&progress, wal_reader_lsn(reader), restore->lsn, "");
    wal_reader_close(reader);
    if (failed == 0 && result < 0) failed = complain_log(restore, &error);
    if (failed == 0 && used > 0) failed = append(restore, drain, used);
    if (failed == 0 && wal_stop(restore->wal) < 0) {
        wal_error_get(restore->wal, &error);
        failed = complain_log(restore, &error);
    }
    return failed;
}

/* The new log was written when its last record was: nobody has been served since, and whoever had a
 * turn or a hold then gets the time back at the first start (X7). */
static uint64_t moment_of_state(void *context) {
    return ((const struct restore *)context)->last_time_ms;
}

static int write_log(struct restore *restore, struct storage *storage) {
    struct wal_error error;
    struct wal_options options = {
        .storage = storage,
        .appenders = 1,
        .account_partitions = restore->source.state.account_partitions,
        .first_lsn = restore->source.first_lsn,
    };
    options.clock = (struct clock_port){.context = restore, .now_ms = moment_of_state};
    system_entropy_port(&options.entropy);
    if (wal_open(&options, NULL, &restore->wal, &error) < 0) return complain_log(restore, &error);
    int result = copy_records(restore);
    wal_close(restore->wal);
    return result;
}

/* --- the snapshot ----------------------------------------------------------------------------- */

static int complain_snapshot(const struct restore *restore, const struct snapshot_error *error) {
    complain("%s: %s", restore->partial, error->text);
    return -1;
}

static int write_snapshot(struct restore *restore, const struct log_folder *partial) {
    struct snapshot_error error;
    struct world *world;
    struct snapshot_info info = restore->from;
    if (snapshot_load(restore->source.snapshots, restore->from.name, log_folder_seed(), NULL,
                      &world, &error) < 0) {
        return complain_snapshot(restore, &error);
    }
    memcpy(info.log_id, partial->log_id, sizeof info.log_id);
    info.epoch = 1;
    int result = snapshot_save(partial->snapshots, world, &info, NULL, NULL, &error);
    world_free(world);
    return result < 0 ? complain_snapshot(restore, &error) : 0;
}

/* --- the whole -------------------------------------------------------------------------------- */

/* The state that is wanted, and its hash, from the source. */
static int find_state(struct restore *restore, const struct usher_arguments *arguments) {
    struct recover_result result;
    struct world *world;
    uint64_t lsn;
    if (log_point_resolve(&restore->source, &arguments->to, LOG_POINT_AT, 0, &lsn) < 0) return -1;
    bool beginning_deleted = restore->source.first_lsn > 0;
    if (log_folder_world(&restore->source, lsn, beginning_deleted, &restore->from, &world,
                         &result) < 0) {
        return -1;
    }
    restore->lsn = result.last_lsn;
    restore->last_time_ms = result.last_time_ms > restore->from.last_time_ms
                                ? result.last_time_ms
                                : restore->from.last_time_ms;
    restore->hash = world_hash(world);
    world_free(world);
    return 0;
}

static int compare(struct restore *restore, struct log_folder *partial) {
    struct recover_result result;
    struct world *world;
    bool beginning_deleted = partial->first_lsn > 0;
    if (log_folder_world(partial, partial->end_lsn, beginning_deleted, NULL, &world, &result) < 0) {
        return -1;
    }
    uint64_t hash = world_hash(world);
    world_free(world);
    if (result.last_lsn == restore->lsn && hash == restore->hash) return 0;
    complain("%s came out as LSN %" PRIu64 ", state hash %016" PRIx64 " instead of LSN %" PRIu64
             ", %016" PRIx64 ": do not use it; check memory and disk of this machine",
             restore->partial, result.last_lsn, hash, restore->lsn, restore->hash);
    return -1;
}

static int fill_partial(struct restore *restore) {
    struct storage *storage;
    int result = storage_posix_open(restore->partial, STORAGE_WAL, &storage);
    if (result < 0) {
        errno = -result;
        return complain_system(restore->partial, "cannot be opened");
    }
    result = write_log(restore, storage);
    storage->operations->destroy(storage);
    if (result < 0) return -1;
    struct log_folder partial;
    if (log_folder_open(restore->partial, false, &partial) < 0) return -1;
    memcpy(restore->log_id, partial.log_id, sizeof restore->log_id);
    if (restore->from.name[0]) result = write_snapshot(restore, &partial);
    if (result == 0) result = compare(restore, &partial);
    log_folder_close(&partial);
    return result;
}

static int publish(const struct restore *restore) {
    if (sync_folder(restore->partial) < 0) return -1;
    if (rename(restore->partial, restore->target) < 0) {
        return complain_system(restore->target, "cannot get its name");
    }
    return sync_parent(restore->target);
}

static void print_done(const struct restore *restore, bool json) {
    char time[TEXT_TIME_BYTES] = "nothing decided yet";
    if (restore->last_time_ms > 0) text_time(restore->last_time_ms, time);
    if (json) {
        json_t *line = json_object();
        json_put_text(line, "folder", restore->target);
        json_put_number(line, "lsn", restore->lsn);
        json_put_time(line, "last_decision", restore->last_time_ms);
        json_put_hash(line, "state_hash", restore->hash);
        json_put_bytes(line, "log", restore->log_id, WAL_LOG_ID_BYTES);
        json_put_number(line, "first_lsn", restore->source.first_lsn);
        (void)json_print(line);
        return;
    }
    printf("%s has the state at LSN %" PRIu64 " (%s), state hash %016" PRIx64
           ", replayed and compared.\nIt is a log of its own: ",
           restore->target, restore->lsn, time, restore->hash);
    for (uint32_t i = 0; i < WAL_LOG_ID_BYTES; i++) printf("%02x", restore->log_id[i]);
    printf(". Start it with: usherd --data %s\n", restore->target);
    if (restore->source.first_lsn == 0) {
        printf("PostgreSQL still has the old log: usher project %s --postgres CONNINFO --rebuild\n",
               restore->target);
    } else {
        printf(
            "PostgreSQL still has the old log, and cannot be rebuilt from this one, which begins "
            "at LSN %" PRIu64
            ". To rebuild it, restore from a copy of %s that has the archived segments, too.\n",
            restore->source.first_lsn, restore->source.directory);
    }
}

static int restore_folder(struct restore *restore, const struct usher_arguments *arguments) {
    if (check_target(restore->target) < 0 || find_state(restore, arguments) < 0) {
        return USHER_FAILED;
    }
    if (make_partial(restore) < 0) return USHER_FAILED;
    if (fill_partial(restore) < 0 || publish(restore) < 0) return USHER_FAILED;
    print_done(restore, arguments->json);
    return fflush(stdout) == 0 ? USHER_DONE : USHER_FAILED;
}

static void check(const struct usher_arguments *arguments, struct argp_state *state) {
    if (!arguments->to.text) argp_error(state, "--to is missing: which state is wanted?");
}

int usher_restore(int argc, char **argv) {
    static const struct argp_option options[] = {
        OPTION_TO("The state that is wanted"),
        OPTION_JSON,
        {0},
    };
    static const struct usher_usage usage = {
        options,
        "DIR NEW",
        "Make the data folder NEW with the state that DIR had at X, as a log of its own that "
        "usherd "
        "starts and serves. DIR is only read; an engine may run on it. NEW must not exist or be "
        "empty; the result is replayed and compared before it gets that name.\v" X_HELP,
        2,
        2,
        check};
    struct usher_arguments arguments;
    if (!usher_parse(&usage, argc, argv, &arguments)) return USHER_USAGE;
    struct restore restore = {.target = arguments.folders[1]};
    if (log_folder_open(arguments.folders[0], true, &restore.source) < 0) return USHER_FAILED;
    int status = restore_folder(&restore, &arguments);
    free(restore.partial);
    log_folder_close(&restore.source);
    return status;
}
