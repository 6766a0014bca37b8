/* test_canaries.c - every check of the simulator can fail: each planted bug is found, by the right one
 *
 * Each run is a process of its own, for a planted bug may break an invariant of the engine before a
 * check sees it. A canary has so many seeds to be found in; the first check that fails must be its
 * own (canary.h). Without a canary the same seeds are good.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/sim/canary.h"
#include "tests/sim/sim.h"

/* The rarest takes a third of it. */
#define SEEDS 40u
#define FIRST_SEED 1u

/* What one run came to, through a pipe. */
struct outcome {
    uint32_t check; /* enum sim_check */
    uint64_t step;
    char text[SIM_TEXT_BYTES];
};

static void child(int to, uint32_t canary, uint64_t seed) {
    struct sim_options options = {.seed = seed, .verbose = UINT64_MAX};
    struct outcome outcome = {0};
    struct sim_result result;
    (void)freopen("/dev/null", "w", stderr); /* REQUIRE says what it must; the outcome is enough */
    canary_select(canary);
    (void)sim_run(&options, &result);
    outcome.check = result.check;
    outcome.step = result.step;
    memcpy(outcome.text, result.text, sizeof outcome.text);
    /* One that is not deterministic differs from itself. */
    if (canary == CANARY_NOT_REPEATABLE && result.check == SIM_CHECK_NONE) {
        uint64_t trace = result.trace;
        canary_select(canary);
        (void)sim_run(&options, &result);
        if (result.trace != trace) outcome.check = SIM_CHECK_TRACE;
    }
    _exit(write(to, &outcome, sizeof outcome) == sizeof outcome ? 0 : 1);
}

static struct outcome run(uint32_t canary, uint64_t seed) {
    struct outcome outcome = {.check = SIM_CHECK_CRASHED};
    int ends[2], status = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) child(ends[1], canary, seed);
    (void)close(ends[1]);
    ssize_t got = read(ends[0], &outcome, sizeof outcome);
    (void)close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (got != sizeof outcome) {
        outcome = (struct outcome){.check = SIM_CHECK_CRASHED};
        snprintf(outcome.text, sizeof outcome.text, "the process ended with status %x", status);
    }
    return outcome;
}

static void canary_is_found(void **state) {
    uint32_t canary = (uint32_t)(uintptr_t)*state, wanted = canary_check(canary);
    for (uint64_t seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
        struct outcome outcome = run(canary, seed);
        if (outcome.check == SIM_CHECK_NONE) continue;
        print_message("# %s: seed %llu, step %llu: %s: %s\n", canary_name(canary),
                      (unsigned long long)seed, (unsigned long long)outcome.step,
                      sim_check_name(outcome.check), outcome.text);
        assert_string_equal(sim_check_name(outcome.check), sim_check_name(wanted));
        return;
    }
    fail_msg("%s was not found with %u seeds", canary_name(canary), SEEDS);
}

static void without_a_canary_all_is_well(void **state) {
    (void)state;
    for (uint64_t seed = FIRST_SEED; seed < FIRST_SEED + 5; seed++) {
        struct outcome outcome = run(CANARY_NONE, seed);
        if (outcome.check != SIM_CHECK_NONE) print_message("# %s\n", outcome.text);
        assert_string_equal(sim_check_name(outcome.check), sim_check_name(SIM_CHECK_NONE));
    }
}

/* A class of invariant without a canary is a check that nobody has seen fail. */
static void every_class_has_a_canary(void **state) {
    (void)state;
    for (uint32_t check = SIM_CHECK_NONE + 1; check < SIM_CHECK_COUNT; check++) {
        bool found = false;
        for (uint32_t i = CANARY_NONE + 1; i < CANARY_COUNT; i++) {
            found = found || canary_check(i) == check;
        }
        if (!found) print_message("# no canary for %s\n", sim_check_name(check));
        assert_true(found);
    }
}

int main(void) {
    struct CMUnitTest tests[2 + CANARY_COUNT] = {
        cmocka_unit_test(without_a_canary_all_is_well),
        cmocka_unit_test(every_class_has_a_canary),
    };
    uint32_t count = 2;
    for (uint32_t i = CANARY_NONE + 1; i < CANARY_COUNT; i++) {
        tests[count++] = (struct CMUnitTest){canary_name(i), canary_is_found, NULL, NULL,
                                             (void *)(uintptr_t)i};
    }
    return _cmocka_run_group_tests("canaries", tests, count, NULL, NULL);
}
