/* log_replay.c - see log_replay.h */
#include "tools/usher/log_replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/base/require.h"
#include "replay/source/source_wal.h"
#include "tools/common/complain.h"
#include "tools/common/progress.h"

static uint64_t monotonic_us(void) {
    struct timespec now;
    REQUIRE(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* --- checkpoints ------------------------------------------------------------------------------ */

void log_checkpoints_add(struct log_checkpoints *all, const struct log_checkpoint *checkpoint) {
    all->items = realloc(all->items, (all->count + 1) * sizeof *all->items);
    REQUIRE_MEMORY(all->items);
    uint32_t at = all->count++;
    for (; at > 0 && all->items[at - 1].info.lsn > checkpoint->info.lsn; at--) {
        all->items[at] = all->items[at - 1];
    }
    all->items[at] = *checkpoint;
}

void log_checkpoints_free(struct log_checkpoints *all) {
    free(all->items);
    *all = (struct log_checkpoints){0};
}

struct headers {
    struct log_folder *folder;
    struct log_checkpoints *all;
};

static int add_header(void *context, const struct snapshot_info *info,
                      const struct snapshot_error *error) {
    const struct headers *headers = context;
    const struct log_checkpoint checkpoint = {.info = *info};
    struct snapshot_error foreign;
    if (error || log_folder_judge(headers->folder, info, &foreign) < 0) return 0;
    log_checkpoints_add(headers->all, &checkpoint);
    return 0;
}

int log_checkpoints_headers(struct log_folder *folder, struct log_checkpoints *all) {
    struct headers headers = {folder, all};
    struct snapshot_error error;
    if (snapshot_list(folder->snapshots, add_header, &headers, &error) == 0) return 0;
    complain("%s: %s", folder->directory, error.text);
    return -1;
}

/* --- replay ----------------------------------------------------------------------------------- */

struct replay_run {
    struct log_folder *folder;
    struct log_replay *replay;
    struct source_wal source;
    struct record_source port;
    struct progress progress;
    uint64_t records; /* before the stretch that runs */
    uint64_t begun_us;
};

static void run_progress(void *context, uint64_t records, uint64_t bytes, uint64_t lsn) {
    struct replay_run *run = context;
    (void)bytes;
    uint64_t elapsed_us = monotonic_us() - run->begun_us;
    char note[48] = "";
    if (elapsed_us > 1000000) {
        snprintf(note, sizeof note, "%" PRIu64 " decisions/s",
                 (run->records + records) * 1000000 / elapsed_us);
    }
    progress_at(&run->progress, lsn, run->replay->to_lsn, note);
}

/* The world to begin with. */
static int begin(struct log_folder *folder, struct log_replay *replay) {
    if (replay->from_newest) {
        const struct snapshot_recover_options options = {.seed = log_folder_seed(),
                                                         .log = folder->wal,
                                                         .to_lsn = replay->to_lsn,
                                                         .skipped = log_folder_skipped};
        struct snapshot_error error;
        if (snapshot_newest(folder->snapshots, folder->log_id, replay->to_lsn, &options,
                            &replay->from, &replay->world, &error) == 0) {
            return 0;
        }
        complain("%s: %s", folder->directory, error.text);
        return -1;
    }
    if (folder->first_lsn == 0) {
        replay->world = world_create(log_folder_seed());
        REQUIRE_MEMORY(replay->world);
        return 0;
    }
    int result = log_folder_oldest_snapshot(folder, replay->to_lsn, &replay->from, &replay->world);
    if (result == 0) {
        complain("the log before LSN %" PRIu64 " was deleted; replaying from snapshot "
                 "%s, LSN %" PRIu64,
                 folder->first_lsn, replay->from.name,
                 replay->from.lsn); /* what is left can be replayed all the same */
    } else if (result > 0) {
        complain("the log before LSN %" PRIu64 " was deleted and no valid snapshot "
                 "between there and LSN %" PRIu64 " takes its place; add the archived "
                 "segments to a copy of the folder",
                 folder->first_lsn, replay->to_lsn);
    }
    return result == 0 ? 0 : -1;
}

static void add_up(struct recover_result *sum, const struct recover_result *part) {
    sum->records += part->records;
    sum->bytes += part->bytes;
    sum->last_lsn = part->last_lsn;
    if (part->last_time_ms > sum->last_time_ms) sum->last_time_ms = part->last_time_ms;
    sum->hashes_verified += part->hashes_verified;
    sum->world_hash = part->world_hash;
    for (uint32_t i = 0; i < RECOVER_KINDS_MAX; i++) sum->decisions[i] += part->decisions[i];
}

/* From where the world is to an LSN. */
static int stretch(struct replay_run *run, uint64_t to_lsn) {
    struct log_replay *replay = run->replay;
    const struct recover_options options = {.from_lsn = replay->result.last_lsn,
                                            .progress_every = 65536,
                                            .progress = run_progress,
                                            .progress_context = run};
    struct recover_result part;
    struct recover_error error;
    run->source.fixed_limit_lsn = to_lsn;
    run->records = replay->result.records;
    if (recover(&run->port, replay->world, &options, &part, &error) < 0) {
        complain("%s", error.text);
        return -1;
    }
    add_up(&replay->result, &part);
    return 0;
}

static int run_all(struct replay_run *run) {
    struct log_replay *replay = run->replay;
    const struct log_checkpoints *all = replay->checkpoints;
    for (uint32_t i = 0; all && i < all->count; i++) {
        struct log_checkpoint *checkpoint = &all->items[i];
        uint64_t lsn = checkpoint->info.lsn;
        if (checkpoint->error.code != 0 || lsn > replay->to_lsn) continue;
        if (lsn < replay->from.lsn || (lsn == replay->from.lsn && replay->from.name[0])) continue;
        if (lsn > replay->result.last_lsn && stretch(run, lsn) < 0) return -1;
        checkpoint->reached = replay->result.last_lsn == lsn;
        checkpoint->hash = world_hash(replay->world);
    }
    return stretch(run, replay->to_lsn);
}

int log_replay_run(struct log_folder *folder, struct log_replay *replay) {
    struct replay_run run = {.folder = folder, .replay = replay};
    if (begin(folder, replay) < 0) return -1;
    replay->result = (struct recover_result){.last_lsn = replay->from.lsn,
                                             .last_time_ms = replay->from.last_time_ms};
    source_wal_init(&run.source, folder->wal, NULL, NULL, replay->to_lsn, &run.port);
    progress_begin(&run.progress, "bytes of log replayed");
    run.begun_us = monotonic_us();
    int result = run_all(&run);
    replay->elapsed_us = monotonic_us() - run.begun_us;
    progress_end(&run.progress, replay->result.last_lsn, replay->to_lsn, "");
    source_wal_deinit(&run.source);
    if (result < 0) log_replay_free(replay);
    return result;
}

void log_replay_free(struct log_replay *replay) {
    if (replay->world) world_free(replay->world);
    replay->world = NULL;
}
