/* usher_repair.c - `usher wal repair`: show what cutting damage off a log would lose, or do it
 *
 * Order of the cut: snapshots that know more than the log will are set aside first, then the log is
 * cut. Whatever dies in between, the engine refuses to start as before, and running this again
 * finishes it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/require.h"
#include "replay/postgres/projection_offline.h"
#include "replay/tell/text.h"
#include "tools/common/complain.h"
#include "tools/common/log_folder.h"
#include "tools/usher/json_print.h"
#include "tools/usher/usher.h"
#include "tools/usher/usher_arguments.h"
#include "wal/inspect.h"

#define ASIDE ".beyond-cut"

struct usher_repair {
    struct log_folder *folder;
    struct wal_repair_plan plan;
    char (*beyond)[SNAPSHOT_NAME_BYTES]; /* snapshots that know more than the log will; owned */
    uint32_t beyond_count;
    bool starts; /* a snapshot has all that is damaged, and the log goes on whole from there */
    bool postgres_known; /* else nobody asked, or there is no answer */
    uint64_t postgres_lsn;
    char postgres_text[PROJECTION_TEXT_BYTES]; /* why there is no answer; empty: nobody asked */
};

/* --- look ------------------------------------------------------------------------------------- */

/* Does the engine start from this one, without the damaged part? */
static bool serves(const struct usher_repair *repair, const struct snapshot_info *info) {
    struct snapshot_error error;
    struct world *world;
    if (repair->plan.sound_from_lsn == 0 || info->lsn < repair->plan.sound_from_lsn) return false;
    if (log_folder_judge(repair->folder, info, &error) < 0) return false;
    if (snapshot_load(repair->folder->snapshots, info->name, log_folder_seed(), NULL, &world,
                      &error) < 0) {
        return false;
    }
    world_free(world);
    return true;
}

static int look_at_snapshot(void *context, const struct snapshot_info *info,
                            const struct snapshot_error *error) {
    struct usher_repair *repair = context;
    if (error || memcmp(info->log_id, repair->folder->log_id, sizeof info->log_id) != 0) return 0;
    if (!repair->starts) repair->starts = serves(repair, info);
    if (info->lsn <= repair->plan.keep_lsn) return 0;
    repair->beyond = realloc(repair->beyond, (repair->beyond_count + 1) * sizeof *repair->beyond);
    REQUIRE_MEMORY(repair->beyond);
    memcpy(repair->beyond[repair->beyond_count++], info->name, sizeof info->name);
    return 0;
}

static void look_at_postgres(struct usher_repair *repair, const char *conninfo) {
    struct id128 log_id;
    if (repair->folder->segment_count == 0) return;
    memcpy(log_id.bytes, repair->folder->log_id, sizeof log_id.bytes);
    repair->postgres_known = projection_applied_lsn(conninfo, &log_id, &repair->postgres_lsn,
                                                    repair->postgres_text) == PROJECTION_FOUND;
}

/* Return: 0; -1 after saying why not */
static int look(struct usher_repair *repair, const struct usher_arguments *arguments) {
    struct wal_error error;
    struct snapshot_error snapshot_error;
    int result = wal_repair_look(repair->folder->wal, &repair->plan, &error);
    if (result < 0) {
        complain("%s: %s", arguments->folders[0], error.text);
        return -1;
    }
    if (!repair->plan.needed) return 0;
    result = snapshot_list(repair->folder->snapshots, look_at_snapshot, repair, &snapshot_error);
    if (result < 0) {
        complain("%s: %s", arguments->folders[0], snapshot_error.text);
        return -1;
    }
    if (arguments->postgres) look_at_postgres(repair, arguments->postgres);
    return 0;
}

static bool acknowledged_lost(const struct usher_repair *repair) {
    const struct wal_repair_plan *plan = &repair->plan;
    return plan->durable_lsn > plan->keep_lsn || repair->beyond_count > 0 ||
           (repair->postgres_known && repair->postgres_lsn > plan->keep_lsn);
}

/* --- tell ------------------------------------------------------------------------------------- */

static void print_loss(const struct wal_repair_plan *plan) {
    char time[TEXT_TIME_BYTES] = "-";
    if (plan->lost_last_wall_ms > 0) text_time(plan->lost_last_wall_ms, time);
    if (plan->lost_records == 0) {
        printf("behind it          no readable record\n");
        return;
    }
    printf("behind it          %" PRIu64 " readable records in %" PRIu64 " blocks, LSN %" PRIu64
           " to %" PRIu64 ", the last written at %s\n",
           plan->lost_records, plan->lost_blocks, plan->lost_first_lsn, plan->lost_end_lsn, time);
}

static void print_witnesses(const struct usher_repair *repair) {
    const struct wal_repair_plan *plan = &repair->plan;
    for (uint32_t i = 0; i < repair->beyond_count; i++) {
        printf("snapshot           %s knows more than the log would\n", repair->beyond[i]);
    }
    if (repair->postgres_known) {
        printf("PostgreSQL         has everything up to LSN %" PRIu64 "%s\n", repair->postgres_lsn,
               repair->postgres_lsn > plan->keep_lsn ? ": more than the log would" : "");
    } else if (repair->postgres_text[0]) {
        printf("PostgreSQL         not known: %s\n", repair->postgres_text);
    } else {
        printf("PostgreSQL         not asked (--postgres CONNINFO)\n");
    }
    printf("acknowledged       %s\n",
           acknowledged_lost(repair)
               ? "decisions that somebody was told of are certainly lost by cutting"
               : "nothing proves that a lost decision was acknowledged; it may have been");
}

static void print_plan(const struct usher_repair *repair) {
    const struct wal_repair_plan *plan = &repair->plan;
    printf("damage             %s\n", plan->damage.text);
    printf("the log would end  at LSN %" PRIu64 "\n", plan->keep_lsn);
    printf("cut                %s at offset %" PRIu64 "%s\n", plan->damage.file,
           plan->damage.offset, plan->cut_file[0] ? "; its size is wrong, it is written anew" : "");
    printf("set aside          %" PRIu64 " segments behind it\n", plan->segments_set_aside);
    print_loss(plan);
    print_witnesses(repair);
}

static void print_json(const struct usher_repair *repair, bool done) {
    const struct wal_repair_plan *plan = &repair->plan;
    json_t *line = json_object(), *snapshots = json_array();
    json_put(line, "needed", json_boolean(plan->needed));
    json_put(line, "damage", plan->needed ? json_string(plan->damage.text) : NULL);
    json_put_number(line, "keep_lsn", plan->keep_lsn);
    json_put(line, "cut_file", plan->cut_file[0] ? json_string(plan->cut_file) : NULL);
    json_put_number(line, "cut_offset", plan->cut_offset);
    json_put_number(line, "segments_set_aside", plan->segments_set_aside);
    json_put_number(line, "lost_blocks", plan->lost_blocks);
    json_put_number(line, "lost_records", plan->lost_records);
    json_put_number(line, "lost_first_lsn", plan->lost_first_lsn);
    json_put_number(line, "lost_end_lsn", plan->lost_end_lsn);
    json_put_time(line, "lost_last_write", plan->lost_last_wall_ms);
    json_put_number(line, "durable_lsn", plan->durable_lsn);
    json_put(line, "acknowledged_lost", json_boolean(plan->needed && acknowledged_lost(repair)));
    json_put(line, "starts_without_repair", json_boolean(!plan->needed || repair->starts));
    for (uint32_t i = 0; i < repair->beyond_count; i++) {
        REQUIRE_MEMORY(json_array_append_new(snapshots, json_string(repair->beyond[i])) == 0);
    }
    json_put(line, "snapshots_beyond", snapshots);
    json_put(line, "postgres_lsn",
             repair->postgres_known ? json_integer((json_int_t)repair->postgres_lsn) : NULL);
    json_put(line, "done", json_boolean(done));
    (void)json_print(line);
}

static void advise(const struct usher_repair *repair, const char *directory) {
    if (repair->starts) {
        printf("The engine needs no repair: a snapshot has what is damaged, and the log is whole "
               "from LSN %" PRIu64 " on. Just start it.\n",
               repair->plan.sound_from_lsn);
        return;
    }
    printf("Nothing was changed. If there is a copy of the damaged file, restore it instead. To "
           "cut:\n    usher wal repair %s --cut\n",
           directory);
}

/* --- cut -------------------------------------------------------------------------------------- */

static int set_snapshots_aside(struct usher_repair *repair) {
    struct storage *snapshots = repair->folder->snapshots;
    if (repair->beyond_count == 0) return 0;
    int result = snapshots->operations->claim(snapshots);
    if (result < 0) {
        complain("somebody is making a snapshot: %s. Try again.", strerror(-result));
        return -1;
    }
    for (uint32_t i = 0; i < repair->beyond_count && result == 0; i++) {
        char aside[SNAPSHOT_NAME_BYTES + sizeof ASIDE];
        snprintf(aside, sizeof aside, "%s%s", repair->beyond[i], ASIDE);
        result = snapshots->operations->rename(snapshots, repair->beyond[i], aside);
        if (result < 0) {
            complain("snapshot %s cannot be set aside: %s", repair->beyond[i], strerror(-result));
        }
    }
    snapshots->operations->unclaim(snapshots);
    return result;
}

static int cut(struct usher_repair *repair, const char *directory) {
    struct wal_error error;
    if (repair->folder->engine_runs) {
        complain("an engine runs on %s: stop it first", directory);
        return -1;
    }
    if (repair->starts) {
        complain("not cut: the engine starts as it is, from a snapshot, and cutting "
                 "would lose what is sound behind LSN %" PRIu64,
                 repair->plan.sound_from_lsn);
        return -1;
    }
    if (set_snapshots_aside(repair) < 0) return -1;
    if (wal_repair(repair->folder->wal, &repair->plan, &error) == 0) return 0;
    complain("%s: %s", directory, error.text);
    return -1;
}

static void print_done(const struct usher_repair *repair, const char *directory) {
    printf("Done: the log ends at LSN %" PRIu64
           ". Nothing was destroyed: segments behind that are kept "
           "as *.damaged in %s/wal%s.\n",
           repair->plan.keep_lsn, directory,
           repair->beyond_count > 0 ? ", snapshots beyond it as *" ASIDE : "");
    printf("Next: usher wal verify %s; start the engine. If PostgreSQL has more than the log, the "
           "engine refuses until it is rebuilt: usher project %s --postgres CONNINFO --rebuild\n",
           directory, directory);
}

static int repair_folder(struct usher_repair *repair, const struct usher_arguments *arguments) {
    const char *directory = arguments->folders[0];
    if (look(repair, arguments) < 0) return USHER_FAILED;
    if (!repair->plan.needed) {
        if (arguments->json) {
            print_json(repair, false);
        } else {
            printf("The log needs no repair.\n");
        }
        return USHER_DONE;
    }
    if (!arguments->json) print_plan(repair);
    bool done = arguments->cut && cut(repair, directory) == 0;
    if (arguments->json) {
        print_json(repair, done);
    } else if (done) {
        print_done(repair, directory);
    } else if (!arguments->cut) {
        advise(repair, directory);
    }
    return done ? USHER_DONE : USHER_FAILED;
}

int usher_wal_repair(int argc, char **argv) {
    static const struct argp_option options[] = {
        {"cut", KEY_CUT, NULL, 0, "Do it: make the log end before the damage", 0},
        OPTION_POSTGRES("Also ask this database how much it has"),
        OPTION_JSON,
        {0},
    };
    static const struct usher_usage usage = {
        options,
        "DIR",
        "Show what is damaged in a log that the engine refuses to start with, and what would be "
        "lost by making it end before that. Changes nothing without --cut.\v"
        "With --cut nothing is destroyed: damaged segments stay as NAME.damaged, snapshots that "
        "know more than the log as NAME" ASIDE ". Restoring the damaged file from a copy is "
        "always better.\n\nExit status: 0 nothing needs repair, or it was done; 1 it is needed, "
        "or failed.",
        1,
        1,
        NULL};
    struct usher_arguments arguments;
    if (!usher_parse(&usage, argc, argv, &arguments)) return USHER_USAGE;
    struct log_folder folder;
    if (log_folder_glance(arguments.folders[0], &folder) < 0) return USHER_FAILED;
    struct usher_repair *repair = calloc(1, sizeof *repair);
    REQUIRE_MEMORY(repair);
    repair->folder = &folder;
    int status = repair_folder(repair, &arguments);
    free(repair->beyond);
    free(repair);
    log_folder_close(&folder);
    return fflush(stdout) == 0 ? status : USHER_FAILED;
}
