/* machine_time.c - the clocks of the simulated machine, what goes wrong with time, and what must
 * have been an outage
 *
 * The process has the daemon's own clock (tools/common/system_ports.h) over made-up readings. Here
 * it is held against its promises at every look. What the engine has to find out about its outages
 * is known here from outside: when each shard went round, what waited for the log, and when the log
 * moved.
 */
#include <stdlib.h>

#include "engine/base/require.h"
#include "tests/sim/machine_parts.h"

/* The monotonic clock is not 0 when a machine starts a process. */
#define MONO_BEGIN_US 1000000000u
/* What rounds_take_time may add to a look at the clock, many times over. */
#define LOOK_SLACK_MS 30u
/* The daemon lets the log show a sign of life so often (wal_beat); and how old it may be then. */
#define BEAT_US 1000000u

/* --- the clock -------------------------------------------------------------------------------- */

static uint64_t read_clock(void *context, clockid_t id) {
    struct machine *machine = context;
    struct sim_run *run = machine->run;
    if (id == CLOCK_MONOTONIC) return (MONO_BEGIN_US + run_mono_us(run)) * 1000;
    /* Halted between two looks: no step of the clock. */
    if (machine->up && !machine->in_round && random_chance(&machine->random, 500) &&
        run_fault(run, SIM_FAULT_HALT)) {
        run->now_us += random_below(&machine->random, 3000000);
    }
    return run_wall_us(run) * 1000;
}

static uint64_t steps_of(const struct machine *machine) {
    return atomic_load(&machine->clock.words.steps_forward) +
           atomic_load(&machine->clock.words.steps_back);
}

/* What was told since the last look, in this time of the monotonic clock: is it allowed? */
static void check_clock(struct machine *machine, uint64_t mono_us, uint64_t now_ms) {
    struct sim_run *run = machine->run;
    struct machine_told *told = &machine->told;
    uint64_t passed_ms = (mono_us - told->mono_us) / 1000, moved_ms = now_ms - told->now_ms;
    uint64_t steps = steps_of(machine);
    if (now_ms < told->now_ms) {
        run_fail(run, SIM_CHECK_CLOCK, "engine time was %llu, and now it is %llu",
                 (unsigned long long)told->now_ms, (unsigned long long)now_ms);
    } else if (steps == told->steps && moved_ms > passed_ms * 3 / 2 + 2) {
        run_fail(run, SIM_CHECK_CLOCK,
                 "engine time has moved by %llu ms in %llu ms, and no step was told",
                 (unsigned long long)moved_ms, (unsigned long long)passed_ms);
    } else if (moved_ms + 2 < passed_ms / 2) {
        run_fail(run, SIM_CHECK_CLOCK, "engine time has moved by %llu ms only in %llu ms",
                 (unsigned long long)moved_ms, (unsigned long long)passed_ms);
    } else if (moved_ms > 0 && run_wall_ms(run) > now_ms + 1002 && told->mono_us < mono_us) {
        run_fail(run, SIM_CHECK_CLOCK,
                 "the wall clock is at %llu, engine time does not follow it from %llu",
                 (unsigned long long)run_wall_ms(run), (unsigned long long)now_ms);
    }
    run->counters.clock_steps += steps - told->steps;
    *told = (struct machine_told){mono_us, now_ms, steps};
}

uint64_t machine_now_ms(void *context) {
    struct machine *machine = context;
    uint64_t mono_us = run_mono_us(machine->run), wall_us = run_wall_us(machine->run);
    uint64_t now_ms = system_clock_now_ms(&machine->clock);
    bool halted = run_wall_us(machine->run) != wall_us; /* within the look */
    if (machine->told.now_ms > 0 && !halted) check_clock(machine, mono_us, now_ms);
    return now_ms;
}

void machine_clock_begin(struct machine *machine) {
    machine->told = (struct machine_told){0}; /* of another process */
    system_clock_init_with(&machine->clock, read_clock, machine);
}

bool machine_clock_raise(struct machine *machine, uint64_t last_ms) {
    struct sim_run *run = machine->run;
    uint64_t wall_ms = run_wall_ms(run), behind_ms = 0;
    if (!clock_may_start(wall_ms, last_ms, &behind_ms) && !machine->accepts_clock) {
        machine->accepts_clock = random_chance(&machine->random, 300000);
        run->counters.clock_refusals++;
        run_event(run, RUN_EVENT_CLOCK_REFUSED, behind_ms, machine->accepts_clock);
        if (!machine->accepts_clock)
            run->wall_offset_ms += behind_ms; /* somebody has set it right */
        return false;
    }
    machine->accepts_clock = false;
    (void)system_clock_raise(&machine->clock, last_ms); /* by how much is told to nobody here */
    uint64_t now_ms = system_clock_now_ms(&machine->clock);
    uint64_t should_ms = wall_ms > machine->model->oracle.last_time_ms
                             ? wall_ms
                             : machine->model->oracle.last_time_ms;
    if (now_ms + 2 < should_ms || now_ms > should_ms + 2) {
        run_fail(run, SIM_CHECK_CLOCK,
                 "engine time starts at %llu; the wall clock is at %llu, the last decision at %llu",
                 (unsigned long long)now_ms, (unsigned long long)wall_ms,
                 (unsigned long long)machine->model->oracle.last_time_ms);
    }
    machine->told = (struct machine_told){run_mono_us(run), now_ms, steps_of(machine)};
    return true;
}

/* --- what must have been an outage ------------------------------------------------------------ */

/* Is anything of the date's running out of time, and does its policy give it back? As it is
 * logged. */
static bool is_owed(const struct oracle_date *date) {
    uint32_t unpaid = 0;
    for (uint32_t i = 1; i <= date->standing_count; i++) {
        unpaid += reservation_is_unpaid(date->reservations[date->standing[i]].state);
    }
    return date->policy.outage_credit && date->active + unpaid > 0;
}

/* Of all dates of a shard, until now. */
static void note(struct machine *machine, uint32_t shard, bool sure, uint64_t from_ms,
                 uint64_t to_ms) {
    for (uint32_t i = 1; i <= machine->model->oracle.date_count; i++) {
        if (i % machine->shards != shard) continue; /* as shard_of_partition() deals them out */
        outages_note(machine->outages, i, OUTAGES_POSSIBLE, from_ms, to_ms);
        if (!sure) continue;
        outages_note(machine->outages, i, OUTAGES_SURE, from_ms, to_ms);
        if (!is_owed(oracle_date(&machine->model->oracle, i))) continue;
        outages_note(machine->outages, i, OUTAGES_OWED, from_ms, to_ms);
    }
    if (!sure) return;
    machine->run->counters.outages++;
    machine->run->counters.outage_ms += to_ms - from_ms;
    run_event(machine->run, RUN_EVENT_OUTAGE, shard, to_ms - from_ms);
}

void machine_watch_round(struct machine *machine, uint32_t shard, uint64_t now_ms) {
    struct machine_watch *watch = &machine->watches[shard];
    if (now_ms > watch->round_ms + OUTAGES_ROUND_MS) {
        note(machine, shard, true, watch->round_ms, now_ms);
    }
    watch->before_ms = watch->round_ms;
    watch->round_ms = now_ms;
    /* Whatever waits may be known to this shard, too. */
    uint64_t since_ms = UINT64_MAX;
    for (uint32_t i = 0; i < machine->shards; i++) {
        uint64_t waits_ms = machine->watches[i].waits_ms;
        if (waits_ms != 0 && waits_ms < since_ms) since_ms = waits_ms;
    }
    if (now_ms > since_ms) note(machine, shard, false, since_ms, now_ms);
    uint64_t durable_lsn = wal_durable_lsn(machine->wal);
    if (since_ms == UINT64_MAX) {
        watch->still_ms = 0;
    } else if (watch->still_ms == 0) {
        watch->still_ms = watch->before_ms; /* what waits, it may have seen then */
    } else if (durable_lsn > watch->durable_lsn) {
        watch->still_ms = now_ms;
    }
    watch->durable_lsn = durable_lsn;
}

void machine_watch_append(struct machine *machine, uint32_t shard, uint64_t lsn) {
    struct machine_watch *watch = &machine->watches[shard];
    if (lsn != 0) watch->last_lsn = lsn; /* else the log was full, and it waits all the same */
    if (watch->waits_ms == 0) watch->waits_ms = watch->round_ms;
}

void machine_watch_durable(struct machine *machine, uint64_t lsn) {
    if (!machine->up) return;
    uint64_t now_ms = machine_now_ms(machine);
    for (uint32_t i = 0; i < machine->shards; i++) {
        struct machine_watch *watch = &machine->watches[i];
        if (watch->waits_ms == 0) continue;
        if (now_ms > watch->waits_ms + OUTAGES_LOG_MS) {
            /* It may have moved just before the next look of the shard, which then sees it
             * moving. */
            bool sure = now_ms > watch->waits_ms + OUTAGES_LOG_MS + OUTAGES_ROUND_MS;
            note(machine, i, sure, watch->waits_ms, now_ms);
        }
        bool waits = watch->last_lsn > lsn || machine->pending[i];
        watch->waits_ms = waits ? now_ms : 0;
    }
}

/* Until when was everybody served? */
void machine_watch_exit(struct machine *machine) {
    uint64_t until_ms = machine_now_ms(machine), first_ms = until_ms;
    if (machine->ended_ms < until_ms) machine->ended_ms = until_ms;
    if (machine->run->now_us < machine->halted_until_us && machine->halted_ms < until_ms) {
        until_ms = machine->halted_ms;
    }
    for (uint32_t i = 0; i < machine->shards; i++) {
        const struct machine_watch *watch = &machine->watches[i];
        if (watch->waits_ms != 0 && watch->waits_ms < until_ms) until_ms = watch->waits_ms;
        if (watch->round_ms < first_ms) first_ms = watch->round_ms;
    }
    if (until_ms < first_ms) first_ms = until_ms;
    machine->served_until_ms = until_ms;
    machine->served_first_ms = first_ms;
}

/* A process that dies in the very moment in which it gives something back may take that with it:
 * its log says that it served (engine/README.md, "Time and outages"). */
static void forget_lost(struct machine *machine) {
    for (uint32_t i = 1; i <= machine->model->oracle.date_count; i++) {
        const struct oracle_date *date = oracle_date(&machine->model->oracle, i);
        /* A moment is a look at the clock. */
        uint32_t lost = outages_forget(machine->outages, i, date->credited_ms + LOOK_SLACK_MS);
        machine->run->counters.credits_lost += lost;
    }
}

void machine_watch_start(struct machine *machine, uint64_t served_until_ms) {
    uint64_t now_ms = machine_now_ms(machine);
    memset(machine->watches, 0, sizeof machine->watches);
    for (uint32_t i = 0; i < machine->shards; i++) {
        machine->watches[i] = (struct machine_watch){.round_ms = now_ms, .before_ms = now_ms};
    }
    machine->beat_us = machine->run->now_us + BEAT_US;
    machine->halted_until_us = 0;
    outages_cut(machine->outages, now_ms);
    forget_lost(machine);
    if (machine->served_until_ms == 0 || served_until_ms == 0) return; /* the first start of all */
    /* What it wrote after it stood still, and before it could say so, says that it served. */
    if (served_until_ms <= machine->ended_ms && served_until_ms > machine->served_until_ms) {
        uint64_t lost_ms = served_until_ms - machine->served_until_ms;
        if (lost_ms > OUTAGES_ROUND_MS) machine->run->counters.credits_lost++;
        machine->served_until_ms = served_until_ms;
    }
    for (uint32_t i = 0; i < machine->shards; i++) {
        uint64_t first_ms = machine->served_first_ms;
        if (machine->served_until_ms < now_ms) {
            note(machine, i, true, machine->served_until_ms, now_ms);
        }
        first_ms = first_ms > OUTAGES_DOWN_SLACK_MS ? first_ms - OUTAGES_DOWN_SLACK_MS : 0;
        /* The log's last block may be of a clock that was wrong. */
        if (served_until_ms == machine->last_time_ms && first_ms > served_until_ms) {
            first_ms = served_until_ms;
        }
        note(machine, i, false, first_ms, now_ms);
    }
}

/* At what time does this shard decide, at least? While the log stands still, so does its time. */
uint64_t machine_decides_ms(const struct machine *machine, uint32_t shard, uint64_t now_ms) {
    for (uint32_t i = 0; i < machine->shards; i++) {
        const struct machine_watch *watch = &machine->watches[i];
        if (i == shard && watch->round_ms + OUTAGES_LOG_MS < now_ms) {
            now_ms = watch->round_ms + OUTAGES_LOG_MS;
        }
        uint64_t since_ms = i == shard && watch->still_ms != 0 ? watch->still_ms : UINT64_MAX;
        if (watch->waits_ms != 0 && watch->waits_ms < since_ms) since_ms = watch->waits_ms;
        if (since_ms != UINT64_MAX && since_ms + OUTAGES_LOG_MS < now_ms) {
            now_ms = since_ms + OUTAGES_LOG_MS;
        }
    }
    return now_ms > LOOK_SLACK_MS ? now_ms - LOOK_SLACK_MS : 0;
}

/* --- faults ----------------------------------------------------------------------------------- */

/* Of every order of magnitude. */
static uint64_t draw_length_us(struct machine *machine) {
    return random_below(&machine->random,
                        random_pick(&machine->random, 1000, 100000, 700000, 700000, 5000000,
                                    5000000, 60000000, 300000000));
}

static void stall(struct machine *machine) {
    uint32_t shard = (uint32_t)random_below(&machine->random, machine->shards);
    uint64_t stalls_us = draw_length_us(machine);
    machine->stalled_until_us[shard] = machine->run->now_us + stalls_us;
    machine->run->counters.stalls++;
    run_event(machine->run, RUN_EVENT_STALL, shard, stalls_us);
}

bool machine_is_halted(const struct machine *machine) {
    return machine->run->now_us < machine->halted_until_us || run_is_asleep(machine->run);
}

static void halt(struct machine *machine) {
    uint64_t us = draw_length_us(machine);
    if (machine_is_halted(machine)) return;
    machine->halted_ms = machine_now_ms(machine);
    machine->halted_until_us = machine->run->now_us + us;
    machine->run->counters.halts++;
    run_event(machine->run, RUN_EVENT_HALT, us, 0);
}

static void suspend(struct machine *machine) {
    uint64_t us = draw_length_us(machine) * random_pick(&machine->random, 1, 1, 1, 30);
    if (machine_is_halted(machine)) return;
    machine->halted_ms = machine_now_ms(machine);
    run_sleep(machine->run, us);
    machine->halted_until_us = machine->run->asleep_until_us;
    machine->run->counters.suspends++;
    run_event(machine->run, RUN_EVENT_SUSPEND, us, 0);
}

static void freeze(struct machine *machine) {
    uint64_t us = draw_length_us(machine);
    disk_freeze(machine->disk, machine->run->now_us + us);
    machine->run->counters.freezes++;
    run_event(machine->run, RUN_EVENT_FREEZE, us, 0);
}

static void set_clock(struct machine *machine, bool forward) {
    struct sim_run *run = machine->run;
    uint64_t ms = random_below(&machine->random,
                               random_pick(&machine->random, 100, 1500, 5000, 600000, 7200000));
    run->wall_offset_ms += forward ? ms : 0 - ms;
    run->counters.clock_jumps += forward;
    run->counters.clocks_set_back += !forward;
    run_event(run, forward ? RUN_EVENT_CLOCK : RUN_EVENT_CLOCK_BACK, ms, 0);
    if (!machine->up || ms < 1001 || machine_is_halted(machine) ||
        random_chance(&machine->random, 500000)) {
        return;
    }
    /* The daemon looks, sooner or later; this time at once. */
    struct clock_figures now;
    uint64_t steps = steps_of(machine);
    system_clock_figures(&machine->clock, &now);
    if (steps_of(machine) == steps && now.behind_ms + 1000 < ms) {
        run_fail(run, SIM_CHECK_CLOCK,
                 "the wall clock was changed by %llu ms, and no step was told",
                 (unsigned long long)ms);
    }
}

void machine_time_fault(struct machine *machine, enum sim_fault fault) {
    switch (fault) {
    case SIM_FAULT_CLOCK_FORWARD: set_clock(machine, true); break;
    case SIM_FAULT_CLOCK_BACK: set_clock(machine, false); break;
    case SIM_FAULT_STALL:
        if (machine->up) stall(machine);
        break;
    case SIM_FAULT_HALT:
        if (machine->up) halt(machine);
        break;
    case SIM_FAULT_SUSPEND: suspend(machine); break;
    case SIM_FAULT_FREEZE: freeze(machine); break;
    default: REQUIRE_NEVER("a fault of time");
    }
}

/* The wall clock at a start. */
void machine_clock_fault(struct machine *machine) {
    struct sim_run *run = machine->run;
    if (run_fault(run, SIM_FAULT_CLOCK_BEHIND)) {
        run->counters.clocks_behind++;
        run->wall_offset_ms -= random_below(&machine->random,
                                            random_pick(&machine->random, 1000, 3600000));
    }
    /* One start with a clock that is ahead; it is set right before the next one. */
    run->wall_offset_ms -= machine->ahead_ms;
    machine->ahead_ms = 0;
    if (run_fault(run, SIM_FAULT_CLOCK_AHEAD)) {
        run->counters.clocks_ahead++;
        machine->ahead_ms = random_below(&machine->random,
                                         random_pick(&machine->random, 1000, 600000, 28800000));
        run->wall_offset_ms += machine->ahead_ms;
    }
}

/* --- the daemon's second ---------------------------------------------------------------------- */

bool machine_step_beat(struct machine *machine) {
    if (!machine->up || machine_is_halted(machine) || machine->run->now_us < machine->beat_us) {
        return false;
    }
    machine->beat_us = machine->run->now_us + BEAT_US;
    if (outage_watch_anybody(engine_board(machine->engine))) wal_beat(machine->wal);
    return true;
}
