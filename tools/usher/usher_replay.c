/* usher_replay.c - `usher replay`: does the log lead to the state that was live? how fast?
 *
 * Applies the log to an empty state, with the code that the engine runs, and shows what comes out.
 * Every state hash that the engine has logged must agree; with --verify also every snapshot on the
 * way, and the hashes counted afresh at the end.
 */
#include <inttypes.h>
#include <stdio.h>

#include "engine/domain/date/date.h"
#include "engine/domain/decision.h"
#include "replay/tell/text.h"
#include "tools/common/complain.h"
#include "tools/usher/json_print.h"
#include "tools/usher/log_replay.h"
#include "tools/usher/state_print.h"
#include "tools/usher/usher.h"
#include "tools/usher/usher_arguments.h"

struct verdict_of_replay {
    bool conserved;           /* points */
    uint64_t agree, differ;   /* snapshots */
    bool recounted;           /* asked for */
    uint64_t recount_differs; /* partitions whose running hash is not what a walk gives */
};

static uint64_t per_second(const struct log_replay *replay) {
    return replay->elapsed_us == 0 ? 0 : replay->result.records * 1000000 / replay->elapsed_us;
}

/* --- text ------------------------------------------------------------------------------------- */

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

static void print_replay(const struct log_replay *replay, const struct verdict_of_replay *verdict) {
    const struct recover_result *result = &replay->result;
    char time[TEXT_TIME_BYTES] = "-";
    struct money_totals money;
    world_money(replay->world, &money);
    if (result->last_time_ms > 0) text_time(result->last_time_ms, time);
    for (uint32_t kind = 0; kind < RECOVER_KINDS_MAX; kind++) {
        if (result->decisions[kind] == 0) continue;
        printf("%-20s %" PRIu64 "\n", decision_name(kind), result->decisions[kind]);
    }
    print_dates(replay->world);
    printf("wallets           %" PRIu64 ": charged %" PRIu64 ", balances %" PRIu64
           ", reserved %" PRIu64 ", spent %" PRIu64 ", refunded %" PRIu64 "\n",
           money.accounts, money.charged, money.balances, money.reserved, money.spent,
           money.refunded);
    printf("points conserved  %s\n", verdict->conserved ? "yes" : "NO");
    if (replay->from.name[0]) {
        printf("from              snapshot %s, LSN %" PRIu64 "\n", replay->from.name,
               replay->from.lsn);
    }
    printf("records           %" PRIu64 " in %" PRIu64 " bytes, the last at %s\n", result->records,
           result->bytes, time);
    printf("hashes verified   %" PRIu64 "\n", result->hashes_verified);
    if (verdict->recounted) {
        printf("snapshots agree   %" PRIu64 "\n", verdict->agree);
        if (verdict->differ > 0) printf("snapshots DIFFER  %" PRIu64 "\n", verdict->differ);
        printf("hashes recounted  %s\n", verdict->recount_differs == 0 ? "agree" : "DIFFER");
    }
    printf("decisions/s       %" PRIu64 "\n", per_second(replay));
    printf("LSN               %" PRIu64 "\n", result->last_lsn);
    printf("state hash        %016" PRIx64 "\n", result->world_hash);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void print_replay_json(const struct log_replay *replay,
                              const struct verdict_of_replay *verdict) {
    const struct recover_result *result = &replay->result;
    json_t *line = json_object(), *kinds = json_object();
    for (uint32_t kind = 0; kind < RECOVER_KINDS_MAX; kind++) {
        if (result->decisions[kind] == 0) continue;
        json_put_number(kinds, decision_name(kind), result->decisions[kind]);
    }
    json_put_number(line, "lsn", result->last_lsn);
    json_put_hash(line, "state_hash", result->world_hash);
    json_put(line, "from_snapshot", replay->from.name[0] ? json_string(replay->from.name) : NULL);
    json_put_number(line, "records", result->records);
    json_put_number(line, "bytes", result->bytes);
    json_put_time(line, "last_decision", result->last_time_ms);
    json_put(line, "decisions", kinds);
    json_put(line, "dates", state_dates_json(replay->world));
    json_put(line, "money", state_money_json(replay->world));
    json_put_number(line, "hashes_verified", result->hashes_verified);
    if (verdict->recounted) {
        json_put_number(line, "snapshots_agree", verdict->agree);
        json_put_number(line, "snapshots_differ", verdict->differ);
        json_put(line, "hashes_recounted", json_boolean(verdict->recount_differs == 0));
    }
    json_put_number(line, "elapsed_us", replay->elapsed_us);
    json_put_number(line, "decisions_per_second", per_second(replay));
    (void)json_print(line);
}

/* --- judging ---------------------------------------------------------------------------------- */

static void recount(const struct world *world, struct verdict_of_replay *verdict) {
    verdict->recounted = true;
    const struct partition *partition = world->catalogue;
    for (uint32_t i = 0; i <= ACCOUNT_PARTITIONS + DATES_MAX; i++) {
        if (i > 0 && i <= ACCOUNT_PARTITIONS) partition = world->accounts[i - 1];
        if (i > ACCOUNT_PARTITIONS) partition = world->dates[i - ACCOUNT_PARTITIONS];
        if (!partition) continue;
        verdict->recount_differs += partition_hash(partition) != partition_hash_recount(partition);
    }
}

static void compare_snapshots(const struct log_checkpoints *all,
                              struct verdict_of_replay *verdict) {
    for (uint32_t i = 0; i < all->count; i++) {
        const struct log_checkpoint *checkpoint = &all->items[i];
        if (!checkpoint->reached) continue;
        bool agrees = checkpoint->hash == checkpoint->info.world_hash;
        verdict->agree += agrees;
        verdict->differ += !agrees;
        if (agrees) continue;
        complain("at LSN %" PRIu64 " the log leads to state hash %016" PRIx64
                 ", snapshot %s has %016" PRIx64 ": keep both, and report this",
                 checkpoint->info.lsn, checkpoint->hash, checkpoint->info.name,
                 checkpoint->info.world_hash);
    }
}

static int replay_folder(struct log_folder *folder, const struct usher_arguments *arguments) {
    struct log_checkpoints snapshots = {0};
    struct log_replay replay = {.from_newest = arguments->from_snapshot};
    struct verdict_of_replay verdict = {0};
    if (log_point_resolve(folder, &arguments->to, LOG_POINT_AT, folder->end_lsn, &replay.to_lsn) <
        0) {
        return USHER_FAILED;
    }
    int failed = 0;
    if (arguments->verify) {
        failed = log_checkpoints_headers(folder, &snapshots);
        replay.checkpoints = &snapshots;
    }
    if (failed == 0) failed = log_replay_run(folder, &replay);
    if (failed == 0) {
        struct money_totals money;
        world_money(replay.world, &money);
        verdict.conserved = money_conserved(&money);
        compare_snapshots(&snapshots, &verdict);
        if (arguments->verify) recount(replay.world, &verdict);
        if (arguments->json) {
            print_replay_json(&replay, &verdict);
        } else {
            print_replay(&replay, &verdict);
        }
        log_replay_free(&replay);
    }
    log_checkpoints_free(&snapshots);
    bool good = failed == 0 && verdict.conserved && verdict.differ == 0 &&
                verdict.recount_differs == 0;
    return good && fflush(stdout) == 0 ? USHER_DONE : USHER_FAILED;
}

int usher_replay(int argc, char **argv) {
    static const struct argp_option options[] = {
        {"verify", KEY_VERIFY, NULL, 0,
         "Also compare the state at each snapshot's LSN, and count the hashes afresh at the end",
         0},
        OPTION_TO("No further than this"),
        {"from-snapshot", KEY_FROM_SNAPSHOT, NULL, 0,
         "Begin with the newest valid snapshot, as a start does", 0},
        OPTION_JSON,
        {0},
    };
    static const struct usher_usage usage = {
        options,
        "DIR",
        "Replay the log of a data folder from nothing, with the code that the engine runs, and "
        "print what comes out: decisions by kind, dates, money, speed, state hash. Changes "
        "nothing.\v" X_HELP
        "\n\nExit status: 0 replayed, all hashes agree, points are conserved; 1 otherwise.",
        1,
        1,
        NULL};
    struct usher_arguments arguments;
    if (!usher_parse(&usage, argc, argv, &arguments)) return USHER_USAGE;
    bool damaged_too = arguments.to.text != NULL; /* what is sound is asked for by name */
    return usher_in_folder(&arguments, damaged_too, replay_folder);
}
