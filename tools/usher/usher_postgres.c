/* usher_postgres.c - `usher check` and `usher project`: the log and PostgreSQL
 *
 * check holds PostgreSQL against the replayed log; project brings PostgreSQL up to the log's end
 * while no engine does.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "replay/postgres/projection_offline.h"
#include "replay/postgres/projection_check.h"
#include "replay/source/source_wal.h"
#include "tools/common/complain.h"
#include "tools/common/log_folder.h"
#include "tools/common/progress.h"
#include "tools/common/system_ports.h"
#include "tools/usher/json_print.h"
#include "tools/usher/usher.h"
#include "tools/usher/usher_arguments.h"

static struct id128 log_id_of(const struct log_folder *folder) {
    struct id128 log_id;
    _Static_assert(sizeof log_id.bytes == WAL_LOG_ID_BYTES, "a log's id is one");
    memcpy(log_id.bytes, folder->log_id, sizeof log_id.bytes);
    return log_id;
}

static void check_conninfo(const struct usher_arguments *arguments, struct argp_state *state) {
    if (!arguments->postgres) argp_error(state, "--postgres is missing");
}

/* --- check ------------------------------------------------------------------------------------ */

static void print_report(const struct projection_comparison *report, uint64_t end_lsn, bool json) {
    if (!json) {
        printf("%sentities compared %" PRIu64 "\nmismatches        %" PRIu64 "\n"
               "LSN               %" PRIu64 " of %" PRIu64 "%s\n",
               report->text, report->compared, report->mismatches, report->applied_lsn, end_lsn,
               report->applied_lsn == end_lsn
                   ? ""
                   : " (PostgreSQL is behind; what it has was compared)");
        return;
    }
    json_t *line = json_object();
    json_put_number(line, "compared", report->compared);
    json_put_number(line, "mismatches", report->mismatches);
    json_put_number(line, "postgres_lsn", report->applied_lsn);
    json_put_number(line, "end_lsn", end_lsn);
    json_put_text(line, "text", report->text);
    (void)json_print(line);
}

static int compare(const struct usher_arguments *arguments, const struct world *world, uint64_t lsn,
                   uint64_t end_lsn) {
    static struct projection_comparison report;
    if (projection_check(arguments->postgres, world, &report) < 0) {
        complain("%s", report.text);
        return USHER_FAILED;
    }
    if (report.applied_lsn != lsn) {
        complain("PostgreSQL moved on from LSN %" PRIu64 " to %" PRIu64
                 " meanwhile; check again when there is less to do",
                 lsn, report.applied_lsn);
        return USHER_FAILED;
    }
    print_report(&report, end_lsn, arguments->json);
    return report.mismatches == 0 && fflush(stdout) == 0 ? USHER_DONE : USHER_FAILED;
}

static int check_folder(const struct usher_arguments *arguments, struct log_folder *folder,
                        uint64_t lsn) {
    struct world *world;
    struct recover_result result;
    if (lsn > folder->state.end_lsn) {
        complain("PostgreSQL is at LSN %" PRIu64 ", the log ends at %" PRIu64
                 ": the log has lost decisions (restore it from a copy), or another engine, "
                 "on a copy of this folder, projects into this database",
                 lsn, folder->state.end_lsn);
        return USHER_FAILED;
    }
    /* Beside an engine the log states later than PostgreSQL knows what is durable. */
    if (lsn > folder->end_lsn) folder->end_lsn = lsn;
    bool beginning_deleted = folder->first_lsn > 0; /* else nothing is taken from a snapshot */
    if (log_folder_world(folder, lsn, beginning_deleted, NULL, &world, &result) < 0) {
        return USHER_FAILED;
    }
    int status = compare(arguments, world, lsn, folder->end_lsn);
    world_free(world);
    return status;
}

int usher_check(int argc, char **argv) {
    static const struct argp_option options[] = {
        OPTION_POSTGRES("The database, as usherd got it"),
        OPTION_JSON,
        {0},
    };
    static const struct usher_usage usage = {
        options,
        "DIR",
        "Replay the log as far as PostgreSQL has applied it, and compare every date, seat, "
        "reservation, token and wallet with the rows there. Changes nothing; also beside a running "
        "engine.\vExit status: 0 they agree, 1 they do not, or cannot be compared.",
        1,
        1,
        check_conninfo};
    struct usher_arguments arguments;
    char text[PROJECTION_TEXT_BYTES];
    uint64_t lsn;
    struct log_folder folder;
    if (!usher_parse(&usage, argc, argv, &arguments)) return USHER_USAGE;
    if (log_folder_open(arguments.folders[0], false, &folder) < 0) return USHER_FAILED;
    struct id128 log_id = log_id_of(&folder);
    log_folder_close(&folder);
    if (projection_applied_lsn(arguments.postgres, &log_id, &lsn, text) != PROJECTION_FOUND) {
        complain("PostgreSQL: %s", text);
        return USHER_FAILED;
    }
    /* Opened again: a running engine's log may have moved on, PostgreSQL behind it. */
    if (log_folder_open(arguments.folders[0], false, &folder) < 0) return USHER_FAILED;
    int status = check_folder(&arguments, &folder, lsn);
    log_folder_close(&folder);
    return status;
}

/* --- project ---------------------------------------------------------------------------------- */

static void project_progress(void *context, const struct projection_status *status) {
    progress_at(context, status->applied_lsn, status->end_lsn, "");
}

static int project_folder(const struct usher_arguments *arguments, struct log_folder *folder) {
    static struct projection_status status;
    struct system_clock clock;
    struct source_wal source;
    struct record_source port;
    struct progress progress;
    system_clock_init(&clock);
    struct entropy_port entropy;
    struct id128 run_id;
    char place[PROJECTION_RUN_BY_BYTES];
    system_entropy_port(&entropy);
    entropy.fill(entropy.context, run_id.bytes, sizeof run_id.bytes);
    system_place(folder->directory, place, sizeof place);
    source_wal_init(&source, folder->wal, NULL, NULL, folder->end_lsn, &port);
    struct projection_options options = {
        .conninfo = arguments->postgres,
        .source = &port,
        .log_id = log_id_of(folder),
        .epoch = folder->state.epoch,
        .run_id = run_id,
        .run_by = place,
    };
    system_clock_port(&clock, &options.clock);
    progress_begin(&progress, "bytes of log applied");
    int result = arguments->rebuild
                     ? projection_rebuild(&options, project_progress, &progress, &status)
                     : projection_catch_up(&options, project_progress, &progress, &status);
    source_wal_deinit(&source);
    if (progress.drawn) progress_end(&progress, status.applied_lsn, status.end_lsn, "");
    if (result < 0) {
        complain("PostgreSQL: %s", status.text);
        return USHER_FAILED;
    }
    printf("PostgreSQL has everything up to LSN %" PRIu64 "\n", status.applied_lsn);
    return fflush(stdout) == 0 ? USHER_DONE : USHER_FAILED;
}

int usher_project(int argc, char **argv) {
    static const struct argp_option options[] = {
        OPTION_POSTGRES("The database, as usherd got it"),
        {"rebuild", KEY_REBUILD, NULL, 0,
         "First drop the schema usher, with all views that depend on it, and begin from nothing",
         0},
        {0},
    };
    static const struct usher_usage usage = {
        options,
        "DIR",
        "Bring PostgreSQL up to the end of the log, while no engine runs on it (a running engine "
        "does that by itself).",
        1,
        1,
        check_conninfo};
    struct usher_arguments arguments;
    if (!usher_parse(&usage, argc, argv, &arguments)) return USHER_USAGE;
    struct log_folder folder;
    if (log_folder_open(arguments.folders[0], false, &folder) < 0) return USHER_FAILED;
    int status = USHER_FAILED;
    if (folder.engine_runs) {
        complain("an engine runs on %s, and projects by itself if it has --postgres. "
                 "It would be cut off by this command. Stop it first.",
                 arguments.folders[0]);
    } else {
        status = project_folder(&arguments, &folder);
    }
    log_folder_close(&folder);
    return status;
}
