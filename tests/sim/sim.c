/* sim.c - see sim.h */
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/require.h"
#include "tests/sim/canary.h"
#include "tests/sim/machine.h"

/* Rounds within which everything must come to rest once there are no faults any more. */
#define REST_ROUNDS_MAX 200000u
/* Quiet for so long: whatever a shard, or the time, has left to do was done. */
#define REST_STILL_ROUNDS 20u
#define STEPS_BETWEEN_RESTS 4000u

struct sim {
    struct sim_run run;
    struct network *network;
    struct people *people;
    struct machine *machine;
    uint32_t idle; /* bit of each actor who had nothing to do since anything happened */
};

/* --- one step --------------------------------------------------------------------------------- */

static bool deliver(struct sim *sim) {
    struct network_frame frame;
    bool listens = machine_is_up(sim->machine) && !machine_is_halted(sim->machine);
    if (!network_take(sim->network, listens, &frame)) return false;
    if (frame.to_engine) {
        if (!machine_receive(sim->machine, &frame)) { free(frame.bytes); /* no room: as if lost */ }
    } else {
        people_receive(sim->people, &frame);
        free(frame.bytes);
    }
    return true;
}

static bool start(struct sim *sim) {
    if (machine_is_up(sim->machine) || machine_due_us(sim->machine) > sim->run.now_us) return false;
    machine_start(sim->machine);
    return true;
}

/* Who can go next; shards come first, by their number. */
enum { ACTOR_LOG = PLAN_SHARDS_MAX, ACTOR_PEOPLE, ACTOR_NETWORK, ACTOR_READERS, ACTOR_COUNT };

static uint32_t weight_of(const struct sim *sim, uint32_t actor) {
    const struct plan *plan = &sim->run.plan;
    if (sim->idle >> actor & 1) return 0;
    switch (actor) {
    case ACTOR_LOG: return plan->weight_log;
    case ACTOR_PEOPLE: return plan->weight_people;
    case ACTOR_NETWORK: return plan->weight_network;
    case ACTOR_READERS: return plan->weight_readers;
    default: return actor < machine_shards(sim->machine) ? plan->weight_shard : 0;
    }
}

static bool act(struct sim *sim, uint32_t actor) {
    switch (actor) {
    case ACTOR_LOG: return machine_step_log(sim->machine);
    case ACTOR_PEOPLE: return people_step(sim->people);
    case ACTOR_NETWORK: return deliver(sim);
    case ACTOR_READERS: return machine_step_projection(sim->machine);
    default: return machine_step_shard(sim->machine, actor);
    }
}

/* Somebody goes next: anybody but those who had nothing to do since anything happened.
 * Return: false if nobody has anything to do */
static bool turn(struct sim *sim) {
    uint32_t sum = 0, actor = 0;
    if (start(sim) || machine_step_beat(sim->machine)) {
        sim->idle = 0;
        return true;
    }
    for (uint32_t i = 0; i < ACTOR_COUNT; i++) sum += weight_of(sim, i);
    if (sum == 0) return false;
    uint32_t chosen = (uint32_t)random_below(&sim->run.schedule, sum);
    while (chosen >= weight_of(sim, actor)) chosen -= weight_of(sim, actor++);
    if (act(sim, actor)) {
        sim->idle = 0;
    } else {
        sim->idle |= 1u << actor;
    }
    return true;
}

static void draw_faults(struct sim *sim) {
    static const enum sim_fault machines[] = {
        SIM_FAULT_CRASH,         SIM_FAULT_CRASH_INSIDE, SIM_FAULT_STOP,     SIM_FAULT_DISK_FULL,
        SIM_FAULT_STALL,         SIM_FAULT_POSTGRES,     SIM_FAULT_SNAPSHOT, SIM_FAULT_TRIM,
        SIM_FAULT_CLOCK_FORWARD, SIM_FAULT_HALT,         SIM_FAULT_SUSPEND,  SIM_FAULT_FREEZE,
        SIM_FAULT_CLOCK_BACK,    SIM_FAULT_CLONE,
    };
    struct sim_run *run = &sim->run;
    for (uint32_t i = 0; i < sizeof machines / sizeof machines[0]; i++) {
        if (run_fault(run, machines[i])) machine_fault(sim->machine, machines[i]);
    }
    if (run_fault(run, SIM_FAULT_CLIENT_LOSS)) people_lose_gateway(sim->people);
}

/* Nobody has anything to do now: on to the next thing that will be. */
static void skip(struct sim *sim) {
    struct sim_run *run = &sim->run;
    uint64_t due_us = machine_due_us(sim->machine), people_us = people_due_us(sim->people);
    uint64_t network_us = network_due_us(sim->network);
    if (people_us < due_us) due_us = people_us;
    bool listens = machine_is_up(sim->machine) && !machine_is_halted(sim->machine);
    if (network_us < due_us && listens) due_us = network_us;
    if (due_us == UINT64_MAX) due_us = run->now_us + 1000000;
    if (due_us <= run->now_us) return;
    run_event(run, RUN_EVENT_SKIP, due_us - run->now_us, 0);
    run->now_us = due_us;
}

static void step(struct sim *sim) {
    struct sim_run *run = &sim->run;
    run->step++;
    if (run->options->step_now) *run->options->step_now = run->step;
    run->now_us += random_below(&run->schedule, 2ull * run->plan.step_us);
    if (!turn(sim)) {
        sim->idle = 0;
        skip(sim);
    }
    if (!run->failed) machine_hit(sim->machine);
    if (!run->calm && !run->failed) draw_faults(sim);
}

/* --- rest ------------------------------------------------------------------------------------- */

/* Everybody once, in turn. */
static void round_of_all(struct sim *sim) {
    struct sim_run *run = &sim->run;
    run->step++;
    if (run->options->step_now) *run->options->step_now = run->step;
    bool moved = start(sim);
    moved = machine_step_beat(sim->machine) || moved;
    for (uint32_t i = 0; i < machine_shards(sim->machine) && !run->failed; i++) {
        moved = machine_step_shard(sim->machine, i) || moved;
    }
    moved = machine_step_log(sim->machine) || moved;
    moved = deliver(sim) || moved;
    moved = people_step(sim->people) || moved;
    moved = machine_step_projection(sim->machine) || moved;
    run->now_us += random_below(&run->schedule, 2ull * run->plan.step_us);
    if (!moved && !run->failed) skip(sim);
}

static bool is_quiet(struct sim *sim) {
    return people_rest(sim->people, true) && network_count(sim->network) == 0 &&
           machine_is_at_rest(sim->machine);
}

static void stuck(struct sim *sim, uint64_t since_us) {
    uint32_t fan = 0, waiting = people_waiting(sim->people, &fan);
    run_fail(&sim->run, SIM_CHECK_STUCK,
             "%u people are not answered (fan %u is one), %u frames are on their way, the machine "
             "is %s; "
             "%llu s after the last fault",
             waiting, fan, network_count(sim->network),
             machine_is_at_rest(sim->machine) ? "at rest" : "not at rest",
             (unsigned long long)(sim->run.now_us - since_us) / 1000000);
}

/* No faults, nobody begins anything: everything must come to rest, and be whole. */
static void rest(struct sim *sim) {
    struct sim_run *run = &sim->run;
    uint64_t rounds = 0, since_us = run->now_us, until = run->options->until;
    run->calm = true;
    machine_heal(sim->machine);
    for (uint32_t still = 0; !run->failed; rounds++) {
        if (until && run->step >= until) return;
        still = is_quiet(sim) ? still + 1 : 0;
        if (still == REST_STILL_ROUNDS) break;
        round_of_all(sim);
        if (rounds > REST_ROUNDS_MAX) stuck(sim, since_us);
    }
    if (run->failed) return;
    run->counters.settled++;
    run_event(run, RUN_EVENT_SETTLED, 0, rounds);
    machine_check_rest(sim->machine);
    (void)people_rest(sim->people, false); /* nobody rests any more */
    run->calm = false;
}

bool sim_run(const struct sim_options *options, struct sim_result *ret_result) {
    struct sim *sim = calloc(1, sizeof *sim);
    REQUIRE(sim != NULL);
    struct sim_run *run = &sim->run;
    uint64_t steps = options->steps ? options->steps : SIM_STEPS_DEFAULT;
    uint64_t until = options->until ? options->until : UINT64_MAX;
    canary_select(options->canary);
    run_init(run, options);
    sim->network = network_open(run);
    sim->people = people_open(run, sim->network);
    sim->machine = machine_open(run, sim->network, sim->people);
    uint64_t rest_at = STEPS_BETWEEN_RESTS;
    for (uint64_t i = 1; i <= steps && !run->failed && run->step < until; i++) {
        step(sim);
        if (i == rest_at && i < steps) {
            rest(sim);
            rest_at += STEPS_BETWEEN_RESTS;
        }
    }
    if (!run->failed && run->step < until) rest(sim);
    run->counters.steps = run->step;
    run->counters.simulated_ms = run->now_us / 1000;
    *ret_result = (struct sim_result){
        .check = run->failed, .step = run->step, .trace = run->trace, .counters = run->counters};
    memcpy(ret_result->text, run->text, sizeof run->text);
    ret_result->fans = run->plan.fans;
    for (uint32_t i = 0; i < SIM_FAULT_COUNT; i++) {
        if (run->plan.per_million[i] > 0) ret_result->faults |= 1u << i;
    }
    if (run->failed && options->verbose != UINT64_MAX) run_print_last(run);
    machine_close(sim->machine);
    people_close(sim->people);
    network_close(sim->network);
    free(sim);
    return ret_result->check == SIM_CHECK_NONE;
}
