/* usher_replay.c - `usher replay DIR`, and `usher check` and `usher project`, which do it for
 * PostgreSQL
 *
 * Replay applies the log to an empty state and shows what comes out; check holds PostgreSQL against
 * that; project brings PostgreSQL up to the log's end while no engine does.
 */
#include <argp.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/domain/date.h"
#include "engine/domain/decision.h"
#include "engine/require.h"
#include "replay/projection.h"
#include "replay/projection_check.h"
#include "replay/source_wal.h"
#include "replay/text.h"
#include "tools/log_folder.h"
#include "tools/progress.h"
#include "tools/system_ports.h"
#include "tools/usher.h"

struct replay_arguments {
    const char *directory, *postgres;
    bool wants_postgres, rebuild;
};

static error_t parse_option(int key, char *argument, struct argp_state *state) {
    struct replay_arguments *arguments = state->input;
    switch (key) {
    case 'p': arguments->postgres = argument; return 0;
    case 'r': arguments->rebuild = true; return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) argp_error(state, "one folder at a time");
        arguments->directory = argument;
        return 0;
    case ARGP_KEY_END:
        if (!arguments->directory) argp_error(state, "DIR is missing: usherd's --data folder");
        if (arguments->wants_postgres && !arguments->postgres) {
            argp_error(state, "--postgres is missing");
        }
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* Return: 0, or -1 after saying why not */
static int open_folder(const char *directory, struct log_folder *ret_folder) {
    if (log_folder_open(directory, ret_folder) < 0) return -1;
    if (ret_folder->state.found) return 0;
    (void)fprintf(stderr, "usher: %s: there is no log in this folder\n",
                  directory); /* the exit status tells, too */
    log_folder_close(ret_folder);
    return -1;
}

/* --- replay ----------------------------------------------------------------------------------- */

static void print_dates(const struct world *world) {
    for (uint32_t id = 1; id <= world->date_count; id++) {
        if (!world->dates[id]) continue;
        struct date_counters counters;
        date_counters((const struct date *)world->dates[id], &counters);
        printf("date %-4" PRIu32 "         %s, %" PRIu32 " seats, %" PRIu32 " for sale, %" PRIu32
               " sold for %" PRIu64 " points, %" PRIu32 " held, %" PRIu64 " entries\n",
               id, date_state_name(counters.state), counters.seats_total, counters.seats_for_sale,
               counters.seats_sold, counters.points_sold, counters.seats_held, counters.entered);
    }
}

static bool print_world(const struct world *world, const struct recover_result *result) {
    char time[TEXT_TIME_BYTES] = "-";
    struct money_totals money;
    world_money(world, &money);
    if (result->last_time_ms > 0) text_time(result->last_time_ms, time);
    for (uint32_t kind = 0; kind < RECOVER_KINDS_MAX; kind++) {
        if (result->decisions[kind] == 0) continue;
        printf("%-20s %" PRIu64 "\n", decision_name(kind), result->decisions[kind]);
    }
    print_dates(world);
    printf("wallets           %" PRIu64 ": charged %" PRIu64 ", balances %" PRIu64
           ", reserved %" PRIu64 ", spent %" PRIu64 ", refunded %" PRIu64 "\n",
           money.accounts, money.charged, money.balances, money.reserved, money.spent,
           money.refunded);
    printf("points conserved  %s\n", money_conserved(&money) ? "yes" : "NO");
    printf("records           %" PRIu64 " in %" PRIu64 " bytes, the last at %s\n", result->records,
           result->bytes, time);
    printf("hashes verified   %" PRIu64 "\n", result->hashes_verified);
    printf("LSN               %" PRIu64 "\n", result->last_lsn);
    printf("state hash        %016" PRIx64 "\n", result->world_hash);
    return money_conserved(&money);
}

int usher_replay(int argc, char **argv) {
    static const struct argp_option no_options[] = {{0}};
    static const struct argp argp = {
        no_options,
        parse_option,
        "DIR",
        "Replay the log of a data folder from nothing, with the code that the engine runs, and "
        "print what comes out: decisions by kind, dates, money, state hash. Changes nothing.\v"
        "Exit status: 0 replayed, all hashes agree, points are conserved; 1 otherwise.",
        NULL,
        NULL,
        NULL};
    struct replay_arguments arguments = {0};
    argp_err_exit_status = USHER_USAGE;
    if (argp_parse(&argp, argc, argv, 0, NULL, &arguments) != 0) return USHER_USAGE;
    struct log_folder folder;
    struct world *world;
    struct recover_result result;
    if (open_folder(arguments.directory, &folder) < 0) return USHER_FAILED;
    bool conserved = false;
    if (log_folder_replay(&folder, folder.state.end_lsn, &world, &result) == 0) {
        conserved = print_world(world, &result);
        world_free(world);
    }
    log_folder_close(&folder);
    return conserved && fflush(stdout) == 0 ? USHER_DONE : USHER_FAILED;
}

/* --- check ------------------------------------------------------------------------------------ */

static struct id128 log_id_of(const struct log_folder *folder) {
    struct id128 log_id;
    _Static_assert(sizeof log_id.bytes == WAL_LOG_ID_BYTES, "a log's id is one");
    memcpy(log_id.bytes, folder->state.log_id, sizeof log_id.bytes);
    return log_id;
}

static int compare(const char *conninfo, const struct world *world, uint64_t lsn,
                   uint64_t end_lsn) {
    static struct projection_report report;
    if (projection_check(conninfo, world, &report) < 0) {
        (void)fprintf(stderr, "usher: %s\n", report.text); /* the exit status tells, too */
        return USHER_FAILED;
    }
    if (report.applied_lsn != lsn) {
        (void)fprintf(stderr,
                      "usher: PostgreSQL moved on from LSN %" PRIu64 " to %" PRIu64
                      " meanwhile; check again when there is less to do\n",
                      lsn, report.applied_lsn); /* likewise */
        return USHER_FAILED;
    }
    printf("%sentities compared %" PRIu64 "\nmismatches        %" PRIu64 "\n"
           "LSN               %" PRIu64 " of %" PRIu64 "%s\n",
           report.text, report.compared, report.mismatches, lsn, end_lsn,
           lsn == end_lsn ? "" : " (PostgreSQL is behind; what it has was compared)");
    return report.mismatches == 0 && fflush(stdout) == 0 ? USHER_DONE : USHER_FAILED;
}

static int check_folder(const char *conninfo, struct log_folder *folder) {
    char text[PROJECTION_TEXT_BYTES];
    uint64_t lsn;
    struct world *world;
    struct recover_result result;
    struct id128 log_id = log_id_of(folder);
    if (projection_applied_lsn(conninfo, &log_id, &lsn, text) != PROJECTION_FOUND) {
        (void)fprintf(stderr, "usher: PostgreSQL: %s\n", text); /* the exit status tells, too */
        return USHER_FAILED;
    }
    if (lsn > folder->state.end_lsn) {
        (void)fprintf(stderr,
                      "usher: PostgreSQL is at LSN %" PRIu64 ", the log ends at %" PRIu64
                      ": the log has lost decisions; restore it from a copy\n",
                      lsn, folder->state.end_lsn); /* likewise */
        return USHER_FAILED;
    }
    if (log_folder_replay(folder, lsn, &world, &result) < 0) return USHER_FAILED;
    int status = compare(conninfo, world, lsn, folder->state.end_lsn);
    world_free(world);
    return status;
}

int usher_check(int argc, char **argv) {
    static const struct argp_option options[] = {
        {"postgres", 'p', "CONNINFO", 0, "The database, as usherd got it", 0},
        {0},
    };
    static const struct argp argp = {
        options,
        parse_option,
        "DIR",
        "Replay the log as far as PostgreSQL has applied it, and compare every date, seat, "
        "reservation, token and wallet with the rows there. Changes nothing; also beside a running "
        "engine.\vExit status: 0 they agree, 1 they do not, or cannot be compared.",
        NULL,
        NULL,
        NULL};
    struct replay_arguments arguments = {.wants_postgres = true};
    argp_err_exit_status = USHER_USAGE;
    if (argp_parse(&argp, argc, argv, 0, NULL, &arguments) != 0) return USHER_USAGE;
    struct log_folder folder;
    if (open_folder(arguments.directory, &folder) < 0) return USHER_FAILED;
    int status = check_folder(arguments.postgres, &folder);
    log_folder_close(&folder);
    return status;
}

/* --- project ---------------------------------------------------------------------------------- */

static void project_progress(void *context, const struct projection_status *status) {
    progress_at(context, status->applied_lsn, status->end_lsn, "");
}

static int project_folder(const struct replay_arguments *arguments, struct log_folder *folder) {
    static struct projection_status status;
    struct system_clock clock;
    struct source_wal source;
    struct record_source port;
    struct progress progress;
    system_clock_init(&clock);
    source_wal_init(&source, folder->storage, NULL, NULL, folder->state.end_lsn, &port);
    struct projection_options options = {
        .conninfo = arguments->postgres,
        .source = &port,
        .log_id = log_id_of(folder),
        .epoch = folder->state.epoch,
    };
    system_clock_port(&clock, &options.clock);
    progress_begin(&progress, "bytes of log applied");
    int result = arguments->rebuild
                     ? projection_rebuild(&options, project_progress, &progress, &status)
                     : projection_catch_up(&options, project_progress, &progress, &status);
    source_wal_deinit(&source);
    if (progress.drawn) progress_end(&progress, status.applied_lsn, status.end_lsn, "");
    if (result < 0) {
        (void)fprintf(stderr, "usher: PostgreSQL: %s\n", status.text); /* the exit status tells */
        return USHER_FAILED;
    }
    printf("PostgreSQL has everything up to LSN %" PRIu64 "\n", status.applied_lsn);
    return USHER_DONE;
}

int usher_project(int argc, char **argv) {
    static const struct argp_option options[] = {
        {"postgres", 'p', "CONNINFO", 0, "The database, as usherd got it", 0},
        {"rebuild", 'r', NULL, 0,
         "First drop the schema usher, with all views that depend on it, and begin from nothing",
         0},
        {0},
    };
    static const struct argp argp = {
        options,
        parse_option,
        "DIR",
        "Bring PostgreSQL up to the end of the log, while no engine runs on it (a running engine "
        "does that by itself).",
        NULL,
        NULL,
        NULL};
    struct replay_arguments arguments = {.wants_postgres = true};
    argp_err_exit_status = USHER_USAGE;
    if (argp_parse(&argp, argc, argv, 0, NULL, &arguments) != 0) return USHER_USAGE;
    struct log_folder folder;
    if (open_folder(arguments.directory, &folder) < 0) return USHER_FAILED;
    int status = project_folder(&arguments, &folder);
    log_folder_close(&folder);
    return status;
}
