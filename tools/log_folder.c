/* log_folder.c - see log_folder.h */
#include "tools/log_folder.h"

#include <stdio.h>
#include <string.h>

#include "engine/require.h"
#include "replay/source_wal.h"
#include "tools/progress.h"

static void verify_progress(void *context, uint64_t done, uint64_t total) {
    progress_at(context, done, total, "");
}

int log_folder_open(const char *directory, struct log_folder *ret_folder) {
    REQUIRE(directory && ret_folder);
    struct log_folder folder = {0};
    int result = storage_posix_open(directory, STORAGE_WAL, &folder.storage);
    if (result < 0) {
        (void)fprintf(stderr, "usher: %s: %s. Name the folder that usherd got with --data.\n",
                      directory, strerror(-result)); /* the caller's status tells, too */
        return -1;
    }
    struct wal_error error;
    struct progress progress;
    progress_begin(&progress, "segments verified");
    result = wal_verify(folder.storage, verify_progress, &progress, &folder.state, &error);
    if (result < 0) {
        (void)fprintf(stderr, "%susher: %s: %s\n", progress.drawn ? "\n" : "", directory,
                      error.text); /* the caller's status tells, too */
        log_folder_close(&folder);
        return -1;
    }
    if (progress.drawn) progress_end(&progress, folder.state.segments, folder.state.segments, "");
    *ret_folder = folder;
    return 0;
}

void log_folder_close(struct log_folder *folder) {
    folder->storage->operations->destroy(folder->storage);
    folder->storage = NULL;
}

struct replaying {
    struct progress progress;
    uint64_t end_lsn;
};

static void replay_progress(void *context, uint64_t records, uint64_t bytes, uint64_t lsn) {
    struct replaying *replaying = context;
    (void)records; /* the LSN measures the way better */
    (void)bytes;   /* likewise */
    progress_at(&replaying->progress, lsn, replaying->end_lsn, "");
}

int log_folder_replay(struct log_folder *folder, uint64_t limit_lsn, struct world **ret_world,
                      struct recover_result *ret_result) {
    REQUIRE(folder && folder->storage && ret_world && ret_result);
    /* The seed guards a live engine's hash tables; a replay meets keys that are on disk already. */
    static const struct id128 seed = {{1}};
    struct world *world = world_create(&seed);
    struct source_wal source;
    struct record_source port;
    struct replaying replaying = {.end_lsn = limit_lsn};
    struct recover_error error;
    const struct recover_options options = {
        .progress_every = 100000, .progress = replay_progress, .progress_context = &replaying};
    REQUIRE(world);
    source_wal_init(&source, folder->storage, NULL, NULL, limit_lsn, &port);
    progress_begin(&replaying.progress, "bytes of log replayed");
    int result = recover(&port, world, &options, ret_result, &error);
    source_wal_deinit(&source);
    if (replaying.progress.drawn) {
        progress_end(&replaying.progress, result == 0 ? ret_result->last_lsn : error.lsn,
                     replaying.end_lsn, "");
    }
    if (result < 0) {
        (void)fprintf(stderr, "usher: %s\n", error.text); /* the caller's status tells, too */
        world_free(world);
        return -1;
    }
    *ret_world = world;
    return 0;
}

bool money_conserved(const struct money_totals *money) {
    return money->charged + money->refunded == money->balances + money->reserved + money->spent;
}
