/* test_canaries.c - every check of the simulator can fail: each planted bug is found, by the right
 * one
 *
 * A canary has so many seeds to be found in; the first check that fails must be its own (canary.h).
 * Without a canary the first seeds are good.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/sim/canary.h"
#include "tests/sim/trial.h"

/* The rarest is found within a third of it. */
#define SEEDS_MAX 480u
#define SEEDS_GOOD 5u

/* One run; one whose trace differs from itself has failed as well. */
static void run(uint32_t canary, uint64_t seed, struct sim_result *ret_result) {
    const struct sim_options options = {.seed = seed, .verbose = UINT64_MAX, .canary = canary};
    struct sim_result again;
    trial(&options, ret_result);
    if (canary_check(canary) != SIM_CHECK_TRACE || ret_result->check != SIM_CHECK_NONE) return;
    trial(&options, &again);
    if (again.trace != ret_result->trace) ret_result->check = SIM_CHECK_TRACE;
}

static void canary_is_found(void **state) {
    uint32_t canary = (uint32_t)(uintptr_t)*state;
    for (uint64_t seed = 1; seed <= SEEDS_MAX; seed++) {
        struct sim_result result;
        run(canary, seed, &result);
        if (result.check == SIM_CHECK_NONE) continue;
        print_message("# %s: seed %llu, step %llu: %s: %s\n", canary_name(canary),
                      (unsigned long long)seed, (unsigned long long)result.step,
                      sim_check_name(result.check), result.text);
        assert_string_equal(sim_check_name(result.check), sim_check_name(canary_check(canary)));
        return;
    }
    fail_msg("%s was not found with %u seeds", canary_name(canary), SEEDS_MAX);
}

static void without_a_canary_all_is_well(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS_GOOD; seed++) {
        struct sim_result result;
        run(CANARY_NONE, seed, &result);
        if (result.check != SIM_CHECK_NONE) print_message("# %s\n", result.text);
        assert_string_equal(sim_check_name(result.check), sim_check_name(SIM_CHECK_NONE));
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
