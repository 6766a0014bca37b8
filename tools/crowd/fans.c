/* fans.c - usher-fans: a crowd of simulated fans against a running engine, and what came of it
 *
 * Happy path: fork one process per gateway before any of them touches nng; each runs a crowd and
 * writes what happened into memory shared with this one, which shows the progress, merges the
 * results, looks for seats that two fans have paid for, and prints a summary as JSON.
 * Failure modes: a gateway that dies or does not finish makes the run a failure; so does a single
 * violation of what the engine promises its users.
 * Threads: this process has one.
 */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/domain/error.h"
#include "engine/base/limits.h"
#include "engine/base/require.h"
#include "engine/base/uuid.h"
#include "tools/crowd/crowd.h"
#include "tools/common/complain.h"
#include "tools/common/number.h"
#include "tools/common/progress.h"
#include "tools/common/version.h"

#define DEFAULT_URL "tcp://127.0.0.1:7787"
#define FANS_MAX 10000000u
#define PROCESSES_MAX 64u
#define LOOK_MS 100u

struct fans_arguments {
    struct crowd_options crowd;
    uint32_t fans, processes, timeout_s;
    const char *bought_path;
};

struct gateway {
    pid_t pid;
    uint32_t fans;
    bool ok;
    struct crowd_result *result; /* shared */
};

static uint64_t parse_number(struct argp_state *state, const char *name, const char *text,
                             uint64_t min, uint64_t max) {
    uint64_t number = 0;
    if (!number_read(text, min, max, &number)) {
        argp_error(state, "%s \"%s\" must be a whole number from %" PRIu64 " to %" PRIu64, name,
                   text, min, max);
    }
    return number;
}

static error_t parse_option(int key, char *argument, struct argp_state *state) {
    struct fans_arguments *arguments = state->input;
    struct crowd_options *crowd = &arguments->crowd;
    switch (key) {
    case 'u': crowd->url = argument; return 0;
    case 'c':
        crowd->concert = (uint32_t)parse_number(state, "--concert", argument, 1, CONCERTS_MAX);
        return 0;
    case 'd':
        if (crowd->date_count == CROWD_DATES_MAX) argp_error(state, "too many --date");
        crowd->dates[crowd->date_count++] = (uint32_t)parse_number(state, "--date", argument, 1,
                                                                   DATES_MAX);
        return 0;
    case 'n':
        arguments->fans = (uint32_t)parse_number(state, "--fans", argument, 1, FANS_MAX);
        return 0;
    case 'p':
        arguments->processes = (uint32_t)parse_number(state, "--processes", argument, 1,
                                                      PROCESSES_MAX);
        return 0;
    case 's': crowd->seed = parse_number(state, "--seed", argument, 0, INT64_MAX); return 0;
    case 'a':
        crowd->arrival_ms = (uint32_t)parse_number(state, "--arrival-ms", argument, 0, 3600000);
        return 0;
    case 't':
        arguments->timeout_s = (uint32_t)parse_number(state, "--timeout", argument, 1, 86400);
        return 0;
    case 'b': arguments->bought_path = argument; return 0;
    case ARGP_KEY_ARG: argp_error(state, "\"%s\" is no option", argument); return 0;
    case ARGP_KEY_END:
        if ((crowd->concert != 0) == (crowd->date_count > 0)) {
            argp_error(state, "give either --concert or --date");
        }
        if (arguments->fans < arguments->processes) {
            argp_error(state, "fewer fans than processes");
        }
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* --- gateways --------------------------------------------------------------------------------- */

static void start_gateway(const struct fans_arguments *arguments, uint32_t first_index,
                          struct gateway *gateway) {
    const size_t bytes = crowd_result_bytes(gateway->fans);
    gateway->result = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(gateway->result != MAP_FAILED);
    gateway->pid = fork();
    REQUIRE(gateway->pid >= 0);
    if (gateway->pid > 0) return;
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM); /* a gateway without its parent would go on unseen */
    struct crowd_options options = arguments->crowd;
    options.first_index = first_index;
    options.fans = gateway->fans;
    options.timeout_ms = arguments->timeout_s * 1000;
    _exit(crowd_run(&options, gateway->result) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

static uint64_t load(const _Atomic uint64_t *number) {
    return atomic_load_explicit(number, memory_order_relaxed);
}

static void show_progress(struct progress *progress, const struct gateway *gateways, uint32_t count,
                          bool last) {
    static uint64_t requests_before, moment_before_ms, rate;
    uint64_t sold = 0, waiting = 0, active = 0, done = 0, requests = 0, seats = 0;
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    for (uint32_t i = 0; i < count; i++) {
        const struct crowd_result *result = gateways[i].result;
        uint64_t on_sale = load(&result->seats_on_sale);
        if (on_sale > seats) seats = on_sale;
        sold += load(&result->seats_bought);
        requests += load(&result->requests);
        waiting += load(&result->phases[CROWD_WAITING]);
        active += load(&result->phases[CROWD_ACTIVE]);
        done += load(&result->phases[CROWD_DONE]);
    }
    if (moment_before_ms == 0) moment_before_ms = now_ms;
    if (now_ms - moment_before_ms >= 500) {
        rate = (requests - requests_before) * 1000 / (now_ms - moment_before_ms);
        requests_before = requests;
        moment_before_ms = now_ms;
    }
    char note[120];
    (void)snprintf(note, sizeof note,
                   "%" PRIu64 " active, %" PRIu64 " waiting, %" PRIu64 " done, %" PRIu64 " req/s",
                   active, waiting, done, rate);
    if (last) {
        progress_end(progress, sold, seats, note);
    } else {
        progress_at(progress, sold, seats, note);
    }
}

/* Wait for all gateways, showing how far they are. */
static void watch_gateways(struct gateway *gateways, uint32_t count) {
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
    struct progress progress;
    uint32_t running = count;
    progress_begin(&progress, "seats sold");
    while (running > 0) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        REQUIRE(pid >= 0);
        for (uint32_t i = 0; i < count && pid > 0; i++) {
            if (gateways[i].pid != pid) continue;
            gateways[i].ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
            running--;
        }
        if (pid > 0) continue;
        show_progress(&progress, gateways, count, false);
        (void)nanosleep(&pause, NULL);
    }
    show_progress(&progress, gateways, count, true);
}

/* --- what came of it -------------------------------------------------------------------------- */

/* All gateways' results in one; its purchases are in order of date and seat. */
struct summary {
    uint64_t requests, lost, bookings, refunds, points_paid, elapsed_us, violation_count;
    uint64_t outcomes[FAN_OUTCOME_COUNT], errors[CROWD_ERRORS_MAX];
    uint32_t requests_peak, bookings_peak; /* of the busiest second */
    struct histogram latency, payment_latency;
    struct crowd_purchase *purchases; /* owned */
    uint64_t purchase_count, sold_twice;
    bool finished;
};

static int compare_purchases(const void *left, const void *right) {
    const struct crowd_purchase *a = left, *b = right;
    if (a->date != b->date) return a->date < b->date ? -1 : 1;
    return (a->seat > b->seat) - (a->seat < b->seat);
}

/* All gateways begin within milliseconds of each other: their seconds are the same. */
static void find_peaks(const struct gateway *gateways, uint32_t count, struct summary *sum) {
    for (uint32_t second = 0; second < CROWD_SECONDS_MAX; second++) {
        uint32_t requests = 0, bookings = 0;
        for (uint32_t i = 0; i < count; i++) {
            requests += gateways[i].result->requests_by_second[second];
            bookings += gateways[i].result->bookings_by_second[second];
        }
        if (requests > sum->requests_peak) sum->requests_peak = requests;
        if (bookings > sum->bookings_peak) sum->bookings_peak = bookings;
    }
}

static void merge(const struct gateway *gateways, uint32_t count, uint32_t fans,
                  struct summary *ret_summary) {
    struct summary *sum = ret_summary;
    *sum = (struct summary){.finished = true};
    sum->purchases = calloc((size_t)fans * FAN_SEATS_MAX, sizeof *sum->purchases);
    REQUIRE_MEMORY(sum->purchases);
    for (uint32_t i = 0; i < count; i++) {
        const struct crowd_result *part = gateways[i].result;
        sum->requests += load(&part->requests);
        sum->lost += part->lost;
        sum->bookings += part->bookings;
        sum->refunds += part->refunds;
        sum->points_paid += part->points_paid;
        sum->violation_count += part->violation_count;
        if (part->elapsed_us > sum->elapsed_us) sum->elapsed_us = part->elapsed_us;
        for (uint32_t j = 0; j < FAN_OUTCOME_COUNT; j++) sum->outcomes[j] += part->outcomes[j];
        for (uint32_t j = 0; j < CROWD_ERRORS_MAX; j++) sum->errors[j] += part->errors[j];
        histogram_merge(&sum->latency, &part->latency);
        histogram_merge(&sum->payment_latency, &part->payment_latency);
        memcpy(sum->purchases + sum->purchase_count, part->purchases,
               part->purchase_count * sizeof *sum->purchases);
        sum->purchase_count += part->purchase_count;
        sum->finished = sum->finished && gateways[i].ok && part->finished;
    }
    find_peaks(gateways, count, sum);
    qsort(sum->purchases, sum->purchase_count, sizeof *sum->purchases, compare_purchases);
    for (uint64_t i = 1; i < sum->purchase_count; i++) {
        sum->sold_twice += compare_purchases(&sum->purchases[i - 1], &sum->purchases[i]) == 0;
    }
}

static json_t *latency_json(const struct histogram *histogram) {
    return json_pack(
        "{s:I, s:I, s:I, s:I}", "p50", (json_int_t)histogram_quantile(histogram, 500000), "p99",
        (json_int_t)histogram_quantile(histogram, 990000), "p99.9",
        (json_int_t)histogram_quantile(histogram, 999000), "max", (json_int_t)histogram->max);
}

static void set(json_t *object, const char *key, uint64_t number) {
    REQUIRE_MEMORY(json_object_set_new(object, key, json_integer((json_int_t)number)) == 0);
}

static json_t *summary_json(const struct fans_arguments *arguments, const struct summary *sum,
                            const struct gateway *gateways) {
    json_t *json = json_object(), *outcomes = json_object(), *errors = json_object();
    json_t *violations = json_array();
    REQUIRE_MEMORY(json && outcomes && errors && violations);
    for (uint32_t i = 0; i < FAN_OUTCOME_COUNT; i++) {
        if (sum->outcomes[i] > 0) set(outcomes, fan_outcome_name(i), sum->outcomes[i]);
    }
    for (uint32_t i = 0; i < CROWD_ERRORS_MAX; i++) {
        if (sum->errors[i] > 0) set(errors, error_name(i), sum->errors[i]);
    }
    for (uint32_t i = 0; i < arguments->processes; i++) {
        const struct crowd_result *part = gateways[i].result;
        for (uint64_t j = 0; j < part->violation_count && j < CROWD_VIOLATIONS_KEPT; j++) {
            REQUIRE_MEMORY(json_array_append_new(violations, json_string(part->violations[j])) ==
                           0);
        }
    }
    uint64_t elapsed_ms = sum->elapsed_us / 1000 > 0 ? sum->elapsed_us / 1000 : 1;
    set(json, "fans", arguments->fans);
    set(json, "processes", arguments->processes);
    set(json, "seed", arguments->crowd.seed);
    set(json, "elapsed_ms", elapsed_ms);
    set(json, "requests", sum->requests);
    set(json, "requests_per_second", sum->requests * 1000 / elapsed_ms);
    set(json, "requests_in_busiest_second", sum->requests_peak);
    set(json, "bookings", sum->bookings);
    set(json, "bookings_per_second", sum->bookings * 1000 / elapsed_ms);
    set(json, "bookings_in_busiest_second", sum->bookings_peak);
    set(json, "refunds", sum->refunds);
    set(json, "seats_bought", sum->purchase_count);
    set(json, "seats_sold_twice", sum->sold_twice);
    set(json, "points_paid", sum->points_paid);
    set(json, "answers_lost", sum->lost);
    int failed = json_object_set_new(json, "latency_us", latency_json(&sum->latency));
    failed |= json_object_set_new(json, "payment_latency_us", latency_json(&sum->payment_latency));
    failed |= json_object_set_new(json, "outcomes", outcomes);
    failed |= json_object_set_new(json, "refusals", errors);
    set(json, "violations", sum->violation_count + sum->sold_twice);
    failed |= json_object_set_new(json, "violations_seen", violations);
    failed |= json_object_set_new(json, "finished", json_boolean(sum->finished));
    REQUIRE_MEMORY(!failed);
    return json;
}

static int write_bought(const char *path, const struct summary *sum) {
    FILE *file = fopen(path, "we");
    bool ok = file != NULL;
    for (uint64_t i = 0; i < sum->purchase_count && ok; i++) {
        char user[UUID_TEXT_BYTES];
        uuid_format(&sum->purchases[i].user, user);
        ok = fprintf(file, "%" PRIu32 " %" PRIu32 " %.*s\n", sum->purchases[i].date,
                     sum->purchases[i].seat, (int)sizeof user, user) > 0;
    }
    if (file && fclose(file) != 0) ok = false;
    if (!ok) complain_more("%s: %s", path, strerror(errno));
    return ok ? 0 : -1;
}

static int run(const struct fans_arguments *arguments) {
    static struct gateway gateways[PROCESSES_MAX];
    static struct summary summary;
    uint32_t first_index = 0;
    for (uint32_t i = 0; i < arguments->processes; i++) {
        gateways[i].fans = arguments->fans / arguments->processes +
                           (i < arguments->fans % arguments->processes);
        start_gateway(arguments, first_index, &gateways[i]);
        first_index += gateways[i].fans;
    }
    watch_gateways(gateways, arguments->processes);
    merge(gateways, arguments->processes, arguments->fans, &summary);
    json_t *json = summary_json(arguments, &summary, gateways);
    bool ok = summary.finished && summary.violation_count == 0 && summary.sold_twice == 0;
    if (arguments->bought_path && write_bought(arguments->bought_path, &summary) < 0) ok = false;
    if (json_dumpf(json, stdout, JSON_INDENT(2)) != 0) ok = false;
    (void)putchar('\n');
    if (fflush(stdout) != 0) ok = false;
    json_decref(json);
    free(summary.purchases);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv) {
    static const struct argp_option options[] = {
        {"url", 'u', "URL", 0, "The engine's address (default: " DEFAULT_URL ")", 0},
        {"concert", 'c', "ID", 0, "The fans want seats of all open dates of this concert", 0},
        {"date", 'd', "ID", 0, "... of this date; may be given repeatedly", 0},
        {"fans", 'n', "N", 0, "How many fans (default: 1000)", 0},
        {"processes", 'p', "N", 0, "Gateway processes that they come through (default: 1)", 0},
        {"seed", 's', "N", 0,
         "Another crowd for every seed (default: drawn, and told in the summary). The same crowd "
         "again has the same users and idempotency keys: for another engine only",
         0},
        {"arrival-ms", 'a', "N", 0, "They arrive within this time (default: 2000)", 0},
        {"timeout", 't', "SECONDS", 0, "Give up after this time (default: 300)", 0},
        {"bought", 'b', "FILE", 0, "Write date, seat and user of every seat bought, one a line", 0},
        {0},
    };
    static const struct argp argp = {
        .options = options,
        .parser = parse_option,
        .doc =
            "usher-fans - simulate fans: enter, wait, look at seats, hold, charge, pay; some are "
            "short of money, click twice, vanish, leave, or want their money back.\v"
            "Prints a summary as JSON; latencies are in microseconds, at most 3.2 % above the "
            "true value. Exit status: 0 all fans are done and the engine kept every promise; "
            "1 it did not (\"violations_seen\" says how); 2 a mistake in the call.",
    };
    static struct fans_arguments arguments = {
        .crowd = {.url = DEFAULT_URL, .arrival_ms = 2000},
        .fans = 1000,
        .processes = 1,
        .timeout_s = 300,
    };
    uint32_t drawn;
    REQUIRE(getrandom(&drawn, sizeof drawn, 0) == sizeof drawn);
    arguments.crowd.seed = drawn;
    argp_err_exit_status = EXIT_USAGE;
    version_offer();
    if (argp_parse(&argp, argc, argv, 0, NULL, &arguments) != 0) return EXIT_USAGE;
    return run(&arguments);
}
