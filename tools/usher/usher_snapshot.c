/* usher_snapshot.c - `usher snapshot make`, `snapshot ls` and `snapshot verify` */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/require.h"
#include "replay/tell/text.h"
#include "tools/common/complain.h"
#include "tools/common/log_folder.h"
#include "tools/common/progress.h"
#include "tools/common/system_ports.h"
#include "tools/usher/json_print.h"
#include "tools/usher/log_replay.h"
#include "tools/usher/usher.h"
#include "tools/usher/usher_arguments.h"

/* --- make ------------------------------------------------------------------------------------- */

struct making {
    struct progress progress;
    uint64_t to_lsn;
};

static void make_progress(void *context, uint64_t records, uint64_t bytes, uint64_t lsn) {
    struct making *making = context;
    (void)records;
    (void)bytes;
    progress_at(&making->progress, lsn, making->to_lsn, "");
}

static void print_info_json(const struct snapshot_info *info, const char *state,
                            const struct snapshot_error *error, const struct log_checkpoint *log) {
    json_t *line = json_object();
    bool known = info->lsn > 0 || info->created_ms > 0;
    json_put_text(line, "snapshot", info->name);
    json_put_text(line, "state", state);
    json_put(line, "lsn", known ? json_integer((json_int_t)info->lsn) : NULL);
    json_put_time(line, "last_decision", info->last_time_ms);
    json_put_time(line, "created", info->created_ms);
    json_put(line, "decisions", known ? json_integer((json_int_t)info->decision_count) : NULL);
    json_put_number(line, "bytes", info->file_bytes);
    if (known) {
        json_put_hash(line, "hash", info->world_hash);
    } else {
        json_put(line, "hash", NULL);
    }
    if (error) {
        json_t *details = json_object();
        json_put_number(details, "code", (uint64_t)error->code);
        json_put_number(details, "offset", error->offset);
        json_put_text(details, "text", error->text);
        json_put(line, "error", details);
    }
    if (log) {
        if (log->reached) {
            json_put_hash(line, "log_hash", log->hash);
        } else {
            json_put(line, "log_hash", NULL);
        }
    }
    (void)json_print(line);
}

static int keep_newest(struct log_folder *folder, uint32_t keep) {
    const struct snapshot_retention retention = {.keep = keep, .applied_lsn = UINT64_MAX};
    struct snapshot_error error;
    uint64_t snapshots, segments;
    if (snapshot_retain(folder->wal, folder->snapshots, &retention, &snapshots, &segments, &error) <
        0) {
        complain("%s: %s", folder->directory, error.text);
        return -1;
    }
    if (snapshots > 0) complain("%" PRIu64 " older snapshots removed", snapshots);
    return 0;
}

static int make_in_folder(struct log_folder *folder, const struct usher_arguments *arguments) {
    struct system_clock clock;
    struct snapshot_info info;
    struct snapshot_error error;
    uint64_t to_lsn;
    if (log_point_resolve(folder, &arguments->to, LOG_POINT_AT, UINT64_MAX, &to_lsn) < 0) {
        return USHER_FAILED;
    }
    struct making making = {.to_lsn = to_lsn == UINT64_MAX ? folder->end_lsn : to_lsn};
    const struct snapshot_recover_options options = {.seed = log_folder_seed(),
                                                     .log = folder->wal,
                                                     .to_lsn = to_lsn,
                                                     .skipped = log_folder_skipped,
                                                     .progress = make_progress,
                                                     .context = &making};
    system_clock_init(&clock);
    progress_begin(&making.progress, "bytes of log replayed");
    int result = snapshot_make(folder->wal, folder->snapshots, to_lsn, system_clock_now_ms(&clock),
                               &options, NULL, NULL, &info, &error);
    progress_end(&making.progress, making.to_lsn, making.to_lsn, "");
    if (result < 0) {
        complain("%s: %s", folder->directory, error.text);
        return USHER_FAILED;
    }
    if (result == 0 && arguments->json) {
        print_info_json(&info, "sound", NULL, NULL);
    } else if (result == 0) {
        printf("%s: LSN %" PRIu64 ", %" PRIu64 " bytes, state hash %016" PRIx64 "\n", info.name,
               info.lsn, info.file_bytes, info.world_hash);
    } else {
        complain("%s: the newest snapshot has all of it already",
                 folder->directory); /* nothing to do is no failure */
    }
    if (arguments->keep > 0 && keep_newest(folder, arguments->keep) < 0) return USHER_FAILED;
    return fflush(stdout) == 0 ? USHER_DONE : USHER_FAILED;
}

static int make(int argc, char **argv) {
    static const struct argp_option options[] = {
        OPTION_TO("The state at this point; the durable end of the log if left out"),
        {"keep", KEY_KEEP, "N", 0, "Then remove all but the newest N valid snapshots", 0},
        OPTION_JSON,
        {0},
    };
    static const struct usher_usage usage = {
        options,
        "DIR",
        "Make a snapshot from the newest one and the log after it, also beside a running engine. "
        "It "
        "is written, read back, loaded and compared before it gets its name. The log is only "
        "read.\v" X_HELP,
        1,
        1,
        NULL};
    struct usher_arguments arguments;
    if (!usher_parse(&usage, argc, argv, &arguments)) return USHER_USAGE;
    return usher_in_folder(&arguments, false, make_in_folder);
}

/* --- ls --------------------------------------------------------------------------------------- */

static const char *state_of_error(const struct snapshot_error *error) {
    if (!error) return "sound";
    switch (error->code) {
    case SNAPSHOT_VERSION: return "version";
    case SNAPSHOT_FOREIGN: return "foreign";
    case SNAPSHOT_INVALID: return "invalid";
    default: return "damaged";
    }
}

static void print_head(void) {
    printf("%-26s  %-8s  %14s  %-24s  %-24s  %12s  %s\n", "snapshot", "state", "LSN",
           "last decision", "made", "bytes", "state hash");
}

static void print_info(const struct snapshot_info *info, const char *state,
                       const struct snapshot_error *error) {
    char last[TEXT_TIME_BYTES] = "-", created[TEXT_TIME_BYTES] = "-";
    if (error) {
        printf("%-26s  %-8s  %s\n", info->name, state, error->text);
        return;
    }
    if (info->last_time_ms > 0) text_time(info->last_time_ms, last);
    if (info->created_ms > 0) text_time(info->created_ms, created);
    printf("%-26s  %-8s  %14" PRIu64 "  %-24s  %-24s  %12" PRIu64 "  %016" PRIx64 "\n", info->name,
           state, info->lsn, last, created, info->file_bytes, info->world_hash);
}

struct snapshot_listing {
    struct log_folder *folder;
    struct log_checkpoints all;
    bool json;
    uint64_t bad;
};

static int list_one(void *context, const struct snapshot_info *info,
                    const struct snapshot_error *error) {
    struct snapshot_listing *listing = context;
    struct snapshot_error foreign;
    if (!error && listing->folder->segment_count > 0 &&
        log_folder_judge(listing->folder, info, &foreign) < 0) {
        error = &foreign;
    }
    const char *state = error ? state_of_error(error) : "header ok";
    listing->bad += error != NULL;
    if (listing->json) {
        print_info_json(info, state, error, NULL);
    } else {
        print_info(info, state, error);
    }
    return 0;
}

static int complain_of(const char *directory, const struct snapshot_error *error) {
    complain("%s: %s", directory, error->text);
    return USHER_FAILED;
}

static int ls(int argc, char **argv) {
    static const struct argp_option options[] = {OPTION_JSON, {0}};
    static const struct usher_usage usage = {
        options,
        "DIR",
        "List the snapshots, newest first, by what their headers say.\v"
        "Exit status: 0 listed; 1 a header is damaged or of another log, or they cannot be read. "
        "usher snapshot verify reads them whole.",
        1,
        1,
        NULL};
    struct usher_arguments arguments;
    if (!usher_parse(&usage, argc, argv, &arguments)) return USHER_USAGE;
    struct log_folder folder;
    struct snapshot_error error;
    if (log_folder_glance(arguments.folders[0], &folder) < 0) return USHER_FAILED;
    struct snapshot_listing listing = {.folder = &folder, .json = arguments.json};
    if (!arguments.json) print_head();
    int status = snapshot_list(folder.snapshots, list_one, &listing, &error) < 0
                     ? complain_of(arguments.folders[0], &error)
                 : listing.bad > 0 ? USHER_FAILED
                                   : USHER_DONE;
    log_folder_close(&folder);
    return fflush(stdout) == 0 ? status : USHER_FAILED;
}

/* --- verify ----------------------------------------------------------------------------------- */

/* Load each; those that are sound are what the log is held against. */
static int verify_one(void *context, const struct snapshot_info *info,
                      const struct snapshot_error *header_error) {
    struct snapshot_listing *listing = context;
    struct log_checkpoint checkpoint = {.info = *info};
    struct world *world;
    if (header_error) {
        checkpoint.error = *header_error;
    } else if (log_folder_judge(listing->folder, info, &checkpoint.error) == 0 &&
               snapshot_load(listing->folder->snapshots, info->name, log_folder_seed(), NULL,
                             &world, &checkpoint.error) == 0) {
        checkpoint.error.code = 0;
        world_free(world);
    }
    log_checkpoints_add(&listing->all, &checkpoint);
    return 0;
}

static void tell_checkpoint(struct snapshot_listing *listing,
                            const struct log_checkpoint *checkpoint, bool against_log) {
    const struct snapshot_error *error = checkpoint->error.code != 0 ? &checkpoint->error : NULL;
    bool differs = checkpoint->reached && checkpoint->hash != checkpoint->info.world_hash;
    const char *state = differs ? "differs" : state_of_error(error);
    listing->bad += error || differs;
    if (listing->json) {
        print_info_json(&checkpoint->info, state, error, against_log ? checkpoint : NULL);
        return;
    }
    print_info(&checkpoint->info, state, error);
    if (differs) {
        printf("    the log leads to state hash %016" PRIx64 " there: keep both, and report this\n",
               checkpoint->hash);
    } else if (against_log && !error && !checkpoint->reached) {
        printf("    not compared: the log does not reach from its beginning to there\n");
    }
}

static int verify_folder(struct log_folder *folder, const struct usher_arguments *arguments) {
    struct snapshot_listing listing = {.folder = folder, .json = arguments->json};
    struct snapshot_error error;
    int status = USHER_DONE;
    if (snapshot_list(folder->snapshots, verify_one, &listing, &error) < 0) {
        status = complain_of(arguments->folders[0], &error);
    }
    if (status == USHER_DONE && arguments->against_log) {
        struct log_replay replay = {.to_lsn = folder->end_lsn, .checkpoints = &listing.all};
        status = log_replay_run(folder, &replay) == 0 ? USHER_DONE : USHER_FAILED;
        log_replay_free(&replay);
    }
    if (!arguments->json) print_head();
    for (uint32_t i = listing.all.count; i > 0; i--) {
        tell_checkpoint(&listing, &listing.all.items[i - 1], arguments->against_log);
    }
    if (listing.bad > 0) {
        complain("recovery skips what is not sound, and makes it up from older "
                 "ones and the log; move such files away");
        status = USHER_FAILED;
    }
    log_checkpoints_free(&listing.all);
    return fflush(stdout) == 0 ? status : USHER_FAILED;
}

static int verify(int argc, char **argv) {
    static const struct argp_option options[] = {
        {"against-log", KEY_AGAINST_LOG, NULL, 0,
         "Also replay the log, and compare the state at each snapshot's LSN", 0},
        OPTION_JSON,
        {0},
    };
    static const struct usher_usage usage = {
        options,
        "DIR",
        "Load every snapshot whole, check every checksum and compare the hashes.\v"
        "Exit status: 0 all are sound; 1 one is not, or differs from the log, or they cannot be "
        "read.",
        1,
        1,
        NULL};
    struct usher_arguments arguments;
    if (!usher_parse(&usage, argc, argv, &arguments)) return USHER_USAGE;
    return usher_in_folder(&arguments, false, verify_folder);
}

int usher_snapshot(int argc, char **argv) {
    static const struct usher_command commands[] = {
        {"make", "DIR", "make one of the log as it is now", make},
        {"ls", "DIR", "list them", ls},
        {"verify", "DIR", "load each and compare its hashes", verify},
        {0},
    };
    return usher_dispatch("usher snapshot", "snapshots of the state in usherd's data folder",
                          commands, argc, argv);
}
