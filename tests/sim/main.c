/* main.c - the simulator's program: one run to look at, many to find something, or a test
 *
 * Without arguments it is a test (TAP): a fixed set of seeds, what they have exercised, that a seed
 * gives the same run twice, and a fresh set.
 */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/canary.h"
#include "tests/sim/trial.h"
#include "tests/support/random.h"

/* As a test: half a minute on two cores. Sanitizers take ten times as long. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifdef SANITIZED
#define FIXED_SEEDS 50u
#define FRESH_SEEDS 50u
#else
#define FIXED_SEEDS 400u
#define FRESH_SEEDS 400u
#endif
#define TWICE_SEEDS 8u

enum {
    KEY_UNTIL = 256,
    KEY_WITHOUT,
    KEY_FANS,
    KEY_FAULTS,
    KEY_CANARY,
    KEY_CANARIES,
    KEY_NO_SHRINK
};

struct arguments {
    struct sim_options options;
    bool has_seed, shrink;
    uint64_t seeds, minutes;
    uint32_t jobs;
};

static const struct argp_option options[] = {
    {"seed", 's', "N", 0, "run this seed (0x... too), once", 0},
    {"seeds", 'n', "N", 0, "run so many seeds, from --seed on or from a random one", 0},
    {"minutes", 'm', "N", 0, "run fresh seeds for so long", 0},
    {"steps", 'S', "N", 0, "steps of each run", 0},
    {"jobs", 'j', "N", 0, "runs at once (default: processors)", 0},
    {"until", KEY_UNTIL, "STEP", 0, "stop dead after this step", 0},
    {"verbose", 'v', "STEP", OPTION_ARG_OPTIONAL, "print every event, from this step on", 0},
    {"without", KEY_WITHOUT, "KIND", 0, "no faults of this kind; see --faults; may be repeated", 0},
    {"fans", KEY_FANS, "N", 0, "no more fans than that", 0},
    {"faults", KEY_FAULTS, NULL, 0, "print the kinds of faults", 0},
    {"canary", KEY_CANARY, "NAME", 0, "with this bug planted; see --canaries", 0},
    {"canaries", KEY_CANARIES, NULL, 0, "print the bugs that can be planted", 0},
    {"no-shrink", KEY_NO_SHRINK, NULL, 0, "do not look for a smaller run that fails too", 0},
    {0},
};

static uint64_t number(struct argp_state *state, const char *text) {
    char *end;
    uint64_t value = strtoull(text, &end, 0);
    if (*text == '\0' || *end != '\0') argp_error(state, "'%s' is not a number", text);
    return value;
}

static void print_faults(void) {
    for (uint32_t i = 0; i < SIM_FAULT_COUNT; i++) {
        printf("%-18s %s\n", sim_fault_word(i), sim_fault_text(i));
    }
}

static error_t parse(int key, char *text, struct argp_state *state) {
    struct arguments *arguments = state->input;
    struct sim_options *run = &arguments->options;
    switch (key) {
    case 's':
        run->seed = number(state, text);
        arguments->has_seed = true;
        break;
    case 'n': arguments->seeds = number(state, text); break;
    case 'm': arguments->minutes = number(state, text); break;
    case 'S': run->steps = number(state, text); break;
    case 'j':
        arguments->jobs = (uint32_t)number(state, text);
        if (arguments->jobs < 1 || arguments->jobs > TRIALS_MAX) {
            argp_error(state, "--jobs is 1 to %u", TRIALS_MAX);
        }
        break;
    case KEY_UNTIL: run->until = number(state, text); break;
    case 'v': run->verbose = text ? number(state, text) : 0; break;
    case KEY_WITHOUT: {
        int fault = sim_fault_find(text);
        if (fault < 0) argp_error(state, "'%s' is no kind of fault; see --faults", text);
        run->without |= 1u << fault;
        break;
    }
    case KEY_FANS: run->fans_max = (uint32_t)number(state, text); break;
    case KEY_FAULTS: print_faults(); exit(0);
    case KEY_CANARY:
        run->canary = canary_find(text);
        if (run->canary == CANARY_COUNT) argp_error(state, "'%s' is no canary", text);
        break;
    case KEY_CANARIES: canary_print(stdout); exit(0);
    case KEY_NO_SHRINK: arguments->shrink = false; break;
    case ARGP_KEY_ARG: argp_error(state, "'%s' is not expected", text); break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp parser = {
    .options = options,
    .parser = parse,
    .doc = "A whole usher in one thread, with everything around it, from a seed.\v"
           "Without --seed, --seeds or --minutes it is a test and prints TAP.",
};

/* --- telling ---------------------------------------------------------------------------------- */

static void print_command(const struct sim_options *run) {
    printf("# to see it again: tests/sim/sim --seed 0x%llx", (unsigned long long)run->seed);
    if (run->steps) printf(" --steps %llu", (unsigned long long)run->steps);
    for (uint32_t i = 0; i < SIM_FAULT_COUNT; i++) {
        if (run->without >> i & 1) printf(" --without %s", sim_fault_word(i));
    }
    if (run->fans_max) printf(" --fans %u", run->fans_max);
    if (run->canary) printf(" --canary %s", canary_name(run->canary));
}

static void tell_failure(const struct arguments *arguments, struct sim_options run,
                         struct sim_result result) {
    printf("# FAILED %s (%s), seed 0x%llx, step %llu: %s\n", sim_check_name(result.check),
           sim_check_text(result.check), (unsigned long long)run.seed,
           (unsigned long long)result.step, result.text);
    if (arguments->shrink) {
        (void)fflush(stdout); /* shrinking takes a while */
        trial_shrink(&run, &result);
        printf("# smallest: step %llu: %s\n", (unsigned long long)result.step, result.text);
    }
    print_command(&run);
    uint64_t from = result.step > 200 ? result.step - 200 : 0;
    printf(" --verbose=%llu\n", (unsigned long long)from);
}

/* --- many runs -------------------------------------------------------------------------------- */

struct sim_tally {
    struct sim_counters counters;
    uint64_t runs, failures;
};

#define FAILURES_TOLD_MAX 5u

static void take(const struct arguments *arguments, struct sim_tally *tally,
                 const struct sim_options *run, const struct sim_result *result) {
    tally->runs++;
    sim_counters_add(&tally->counters, &result->counters);
    if (result->check == SIM_CHECK_NONE) return;
    if (tally->failures++ < FAILURES_TOLD_MAX) tell_failure(arguments, *run, *result);
}

static double seconds(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail on Linux */
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Seeds from..from+count-1, or as long as the time lasts. */
static void run_many(const struct arguments *arguments, uint64_t from, uint64_t count, double until,
                     struct sim_tally *tally) {
    struct trials *trials = trials_open(arguments->jobs);
    struct sim_options run = arguments->options;
    struct sim_result result;
    uint64_t begun = 0;
    double told = seconds();
    for (;;) {
        bool more = (begun < count && seconds() < until) && tally->failures < FAILURES_TOLD_MAX;
        if (more && trials_count(trials) < arguments->jobs) {
            struct sim_options next = arguments->options;
            next.seed = from + begun++;
            trials_begin(trials, &next);
            continue;
        }
        if (!trials_end(trials, &run, &result)) break;
        take(arguments, tally, &run, &result);
        if (seconds() - told < 60) continue;
        told = seconds();
        printf("# %llu seeds, %llu failures, %llu steps, %.1f simulated hours\n",
               (unsigned long long)tally->runs, (unsigned long long)tally->failures,
               (unsigned long long)tally->counters.steps,
               (double)tally->counters.simulated_ms / 3.6e6);
        (void)fflush(stdout); /* somebody may be watching */
    }
    trials_close(trials);
}

static void tell_tally(const struct sim_tally *tally, double began) {
    printf("# %llu seeds, %.1f s, %.2f simulated hours, %.0f steps/s\n",
           (unsigned long long)tally->runs, seconds() - began,
           (double)tally->counters.simulated_ms / 3.6e6,
           (double)tally->counters.steps / (seconds() - began));
    sim_counters_print(&tally->counters);
}

/* --- the ways to be called -------------------------------------------------------------------- */

static int one(const struct arguments *arguments) {
    struct sim_result result;
    trial(&arguments->options, &result);
    sim_counters_print(&result.counters);
    printf("# trace %016llx, faults:", (unsigned long long)result.trace);
    for (uint32_t i = 0; i < SIM_FAULT_COUNT; i++) {
        if (result.faults >> i & 1) printf(" %s", sim_fault_word(i));
    }
    putchar('\n');
    if (result.check == SIM_CHECK_NONE) {
        printf("ok 1 - seed 0x%llx\n1..1\n", (unsigned long long)arguments->options.seed);
        return 0;
    }
    printf("not ok 1 - seed 0x%llx\n1..1\n", (unsigned long long)arguments->options.seed);
    bool looking = arguments->options.verbose != UINT64_MAX;
    struct arguments told = *arguments;
    told.shrink = arguments->shrink && !looking;
    tell_failure(&told, arguments->options, result);
    return 1;
}

static int many(const struct arguments *arguments) {
    struct sim_tally tally = {0};
    double began = seconds();
    uint64_t from = arguments->has_seed ? arguments->options.seed : random_seed_fresh();
    uint64_t count = arguments->minutes ? UINT64_MAX : arguments->seeds;
    double until = arguments->minutes ? began + 60.0 * (double)arguments->minutes : 1e18;
    printf("# seeds from 0x%llx on\n", (unsigned long long)from);
    run_many(arguments, from, count, until, &tally);
    tell_tally(&tally, began);
    printf("%s 1 - %llu seeds\n1..1\n", tally.failures ? "not ok" : "ok",
           (unsigned long long)tally.runs);
    return tally.failures > 0;
}

/* The same seed twice: the same trace. */
static bool same_twice(const struct arguments *arguments) {
    for (uint64_t seed = 1; seed <= TWICE_SEEDS; seed++) {
        struct sim_options run = arguments->options;
        struct sim_result first, second;
        run.seed = seed;
        trial(&run, &first);
        trial(&run, &second);
        if (first.trace == second.trace && first.step == second.step) continue;
        printf("# FAILED %s (%s), seed %llu\n", sim_check_name(SIM_CHECK_TRACE),
               sim_check_text(SIM_CHECK_TRACE), (unsigned long long)seed);
        return false;
    }
    return true;
}

static int test(const struct arguments *arguments) {
    struct sim_tally fixed = {0}, fresh = {0};
    double began = seconds();
    uint64_t from = random_seed_fresh();
    printf("TAP version 13\n1..4\n");
    run_many(arguments, 1, FIXED_SEEDS, 1e18, &fixed);
    printf("%s 1 - the fixed seeds 1 to %u\n", fixed.failures ? "not ok" : "ok", FIXED_SEEDS);
#ifdef SANITIZED
    const char *missing = NULL; /* too few seeds for what is rare */
#else
    const char *missing = sim_counters_missing(&fixed.counters);
#endif
    if (missing) printf("# never seen: %s\n", missing);
    printf("%s 2 - everything was exercised\n", missing ? "not ok" : "ok");
    bool same = same_twice(arguments);
    printf("%s 3 - the same seed gives the same run\n", same ? "ok" : "not ok");
    printf("# fresh seeds from 0x%llx on (USHER_SEED)\n", (unsigned long long)from);
    run_many(arguments, from, FRESH_SEEDS, 1e18, &fresh);
    printf("%s 4 - %u fresh seeds\n", fresh.failures ? "not ok" : "ok", FRESH_SEEDS);
    sim_counters_add(&fixed.counters, &fresh.counters);
    fixed.runs += fresh.runs;
    tell_tally(&fixed, began);
    return fixed.failures > 0 || fresh.failures > 0 || missing || !same;
}

int main(int argc, char **argv) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    struct arguments arguments = {
        .options = {.verbose = UINT64_MAX},
        .shrink = true,
        .jobs = processors < 1            ? 1
                : processors > TRIALS_MAX ? TRIALS_MAX
                                          : (uint32_t)processors,
    };
    if (argp_parse(&parser, argc, argv, 0, NULL, &arguments) != 0) return 2;
    if (arguments.seeds || arguments.minutes) return many(&arguments);
    return arguments.has_seed ? one(&arguments) : test(&arguments);
}
