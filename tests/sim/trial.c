/* trial.c - see trial.h */
#include "tests/sim/trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/require.h"
#include "tests/sim/sim.h"

/* A run that takes longer than this hangs: the longest of the default size take seconds. */
#define TRIAL_SECONDS_MAX 600u

/* Shared with the process of the run. */
struct place {
    pid_t process; /* 0: free */
    struct sim_options options;
    struct sim_result result;
    uint64_t step; /* where it is */
    bool ended;    /* by itself: the result is there */
};

struct trials {
    struct place *places; /* TRIALS_MAX, shared memory */
    uint32_t at_once, count;
};

struct trials *trials_open(uint32_t at_once) {
    struct trials *trials = calloc(1, sizeof *trials);
    REQUIRE(trials != NULL && at_once >= 1 && at_once <= TRIALS_MAX);
    trials->at_once = at_once;
    trials->places = mmap(NULL, TRIALS_MAX * sizeof *trials->places, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(trials->places != MAP_FAILED);
    return trials;
}

void trials_close(struct trials *trials) {
    struct sim_options options;
    struct sim_result result;
    while (trials_end(trials, &options, &result)) {}
    (void)munmap(trials->places, TRIALS_MAX * sizeof *trials->places); /* it is ours */
    free(trials);
}

uint32_t trials_count(const struct trials *trials) { return trials->count; }

void trials_begin(struct trials *trials, const struct sim_options *options) {
    struct place *place = trials->places;
    REQUIRE(trials->count < trials->at_once);
    while (place->process != 0) place++;
    memset(place, 0, sizeof *place);
    place->options = *options;
    place->options.step_now = &place->step;
    (void)fflush(NULL); /* or the child prints it again */
    pid_t process = fork();
    REQUIRE(process >= 0);
    if (process == 0) {
        (void)alarm(TRIAL_SECONDS_MAX);                 /* no earlier one */
        (void)sim_run(&place->options, &place->result); /* the result says it too */
        place->ended = true;
        exit(0); /* what was forgotten to be freed, a sanitizer says now */
    }
    place->process = process;
    trials->count++;
}

bool trials_end(struct trials *trials, struct sim_options *ret_options,
                struct sim_result *ret_result) {
    int status;
    struct place *place = trials->places;
    if (trials->count == 0) return false;
    while (place->process == 0) place++;
    /* A single one is waited for by its id: others may be under way (trial_shrink). */
    pid_t process = waitpid(trials->count == 1 ? place->process : -1, &status, 0);
    REQUIRE(process > 0);
    for (place = trials->places; place->process != process;) place++;
    if (!place->ended || status != 0) {
        place->result.check = SIM_CHECK_CRASHED;
        place->result.step = place->step;
        (void)snprintf(place->result.text, sizeof place->result.text, "ended with status 0x%x",
                       (unsigned)status); /* fits; how to read it: wait(2) */
    }
    *ret_options = place->options;
    ret_options->step_now = NULL;
    *ret_result = place->result;
    place->process = 0;
    trials->count--;
    return true;
}

void trial(const struct sim_options *options, struct sim_result *ret_result) {
    struct trials *trials = trials_open(1);
    struct sim_options same;
    trials_begin(trials, options);
    (void)trials_end(trials, &same, ret_result); /* there is one */
    trials_close(trials);
}

/* Does it still fail, and in the same way? Then go on from there. */
static bool accept(struct sim_options *options, struct sim_result *result,
                   const struct sim_options *smaller) {
    struct sim_result again;
    trial(smaller, &again);
    if (again.check != result->check) return false;
    *options = *smaller;
    *result = again;
    return true;
}

void trial_shrink(struct sim_options *options, struct sim_result *result) {
    bool smaller = true;
    options->verbose = UINT64_MAX;
    while (smaller) {
        smaller = false;
        for (uint32_t i = 0; i < SIM_FAULT_COUNT; i++) {
            struct sim_options fewer = *options;
            fewer.without |= 1u << i;
            bool had = result->check == SIM_CHECK_CRASHED || (result->faults >> i & 1);
            if (had && fewer.without != options->without && accept(options, result, &fewer)) {
                smaller = true;
            }
        }
        uint32_t fans = options->fans_max ? options->fans_max : result->fans ? result->fans : 64;
        for (uint32_t try = fans / 2; try >= 1 && try < fans; try += (fans - try + 1) / 2) {
            struct sim_options fewer = *options;
            fewer.fans_max = try;
            if (accept(options, result, &fewer)) {
                smaller = true;
                break;
            }
            if (fans - try <= 1) break;
        }
    }
}
