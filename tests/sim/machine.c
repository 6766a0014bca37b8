/* machine.c - see machine.h */
#include "tests/sim/machine.h"

#include <stdlib.h>

#include "engine/base/require.h"
#include "tests/sim/machine_parts.h"

struct machine *machine_open(struct sim_run *run, struct network *network, struct people *people) {
    struct machine *machine = calloc(1, sizeof *machine);
    REQUIRE(machine != NULL);
    machine->run = run;
    machine->network = network;
    machine->people = people;
    machine->random = random_stream(run->options->seed, 40);
    machine->entropy = random_stream(run->options->seed, 41);
    machine->disk = disk_open(run, 10);
    if (run->plan.snapshots) machine->snapshot_disk = disk_open(run, 11);
    if (run->plan.postgres) machine->postgres = postgres_create();
    machine->judge = judge_open(run, people);
    machine->outages = outages_create();
    machine_believe(machine, 0);
    return machine;
}

void machine_close(struct machine *machine) {
    if (machine->engine || machine->wal) machine_exit(machine, true);
    machine_clone_end(machine);
    if (machine->snapshot_disk) disk_close(machine->snapshot_disk);
    if (machine->postgres) postgres_free(machine->postgres);
    disk_close(machine->disk);
    model_free(machine->model);
    world_free(machine->follower);
    judge_close(machine->judge);
    outages_free(machine->outages);
    free(machine->diary.bytes);
    free(machine->reply);
    free(machine);
}

uint64_t machine_read_errors(const struct machine *machine) {
    uint64_t errors = disk_read_errors(machine->disk);
    return machine->snapshot_disk ? errors + disk_read_errors(machine->snapshot_disk) : errors;
}

bool machine_is_up(const struct machine *machine) { return machine->up; }
uint32_t machine_shards(const struct machine *machine) { return machine->shards; }

/* --- steps ------------------------------------------------------------------------------------ */

/* What a round of this shard should have decided. */
static void check_overdue(const struct machine *machine, uint32_t shard, uint64_t now_ms) {
    for (uint32_t i = 1; i <= machine->model->oracle.date_count; i++) {
        if (i % machine->shards != shard) continue; /* as shard_of_partition() deals them out */
        if (!model_overdue(machine->model, i, now_ms)) return;
    }
}

uint32_t machine_round(struct machine *machine, uint32_t shard) {
    machine->in_round = true;
    machine->looks = shard; /* the first look at the clock is the round's */
    uint32_t done = engine_step(machine->engine, shard);
    machine->in_round = false;
    return done;
}

bool machine_step_shard(struct machine *machine, uint32_t shard) {
    struct sim_run *run = machine->run;
    if (!machine->up || machine_is_halted(machine)) return false;
    if (run->now_us < machine->stalled_until_us[shard]) return false;
    bool lame = shard == run->plan.lame_shard && !run->calm;
    if (lame && !random_chance(&machine->random, 5000)) return false;
    uint64_t fulls = run->counters.journal_fulls;
    uint32_t done = machine_round(machine, shard);
    uint64_t now_ms = machine_decides_ms(machine, shard, machine->watches[shard].round_ms);
    if (machine->newborn > 0) machine->newborn--;
    if (done > 0) run_event(run, RUN_EVENT_SHARD, shard, done);
    bool whole = !machine->pending[shard] && fulls == run->counters.journal_fulls;
    if (whole && !run->failed) check_overdue(machine, shard, now_ms);
    return done > 0;
}

bool machine_step_log(struct machine *machine) {
    if (!machine->wal || machine_is_halted(machine)) return false;
    struct sim_run *run = machine->run;
    if (!disk_is_frozen(machine->disk)) {
        (void)wal_prepare_step(machine->wal); /* a failure is kept for the writer */
    }
    int result = disk_has_crashed(machine->disk) ? -1 : wal_writer_step(machine->wal, false);
    if (disk_has_crashed(machine->disk)) {
        run->counters.crashes_inside++;
        machine_crash(machine);
        return true;
    }
    if (machine->log_failed || result < 0) {
        machine_exit(machine, false);
        return true;
    }
    return result == 0;
}

/* --- crashes that are aimed ------------------------------------------------------------------- */

static void aim(struct machine *machine) {
    machine->aim = (enum machine_aim)random_pick(&machine->random, AIM_NONE, AIM_FLIGHT, AIM_WORD);
    if (machine->aim == AIM_NONE) machine_crash(machine);
}

void machine_hit(struct machine *machine) {
    bool hit = false;
    if (!machine->up) return;
    switch (machine->aim) {
    case AIM_NONE:
    case AIM_WORD: return;
    case AIM_FLIGHT: hit = disk_due_us(machine->disk) != UINT64_MAX; break;
    case AIM_DURABLE: hit = wal_durable_lsn(machine->wal) >= machine->aim_lsn; break;
    case AIM_STEPS: hit = machine->aim_steps-- == 0; break;
    }
    if (hit) machine_crash(machine);
}

/* --- faults ----------------------------------------------------------------------------------- */

/* The server comes back from a backup. Only where the log still has what it lacks then. */
static void restore_postgres(struct machine *machine) {
    if (machine->run->plan.per_million[SIM_FAULT_TRIM] > 0) return;
    (void)postgres_restore(machine->postgres,
                           (uint32_t)random_between(&machine->random, 1, 5)); /* seen */
}

static void disturb_postgres(struct machine *machine) {
    if (!machine->postgres) return;
    uint32_t fault = (uint32_t)random_below(&machine->random, POSTGRES_FAULT_COUNT + 2);
    struct postgres_status status;
    postgres_status(machine->postgres, &status);
    machine->run->counters.postgres_faults++;
    run_event(machine->run, RUN_EVENT_POSTGRES, fault, status.applied_lsn);
    if (fault < POSTGRES_FAULT_COUNT) {
        postgres_fault(machine->postgres, (enum postgres_fault)fault,
                       (uint32_t)random_below(&machine->random, 12));
    } else if (fault > POSTGRES_FAULT_COUNT) {
        restore_postgres(machine);
    } else if (random_chance(&machine->random, 500000)) {
        postgres_stop(machine->postgres);
    } else {
        postgres_start(machine->postgres);
    }
}

void machine_fault(struct machine *machine, enum sim_fault fault) {
    struct sim_run *run = machine->run;
    switch (fault) {
    case SIM_FAULT_CRASH:
        if (machine->up && machine->aim == AIM_NONE) aim(machine);
        break;
    case SIM_FAULT_CRASH_INSIDE:
        disk_crash_after(machine->disk, random_between(&machine->random, 1, 8));
        break;
    case SIM_FAULT_STOP:
        if (machine->up && !machine_is_halted(machine)) machine_stop(machine);
        break;
    case SIM_FAULT_DISK_FULL:
        disk_fill(machine->disk, run->now_us + random_below(&machine->random, 5000000));
        break;
    case SIM_FAULT_SNAPSHOT: machine_snapshot(machine); break;
    case SIM_FAULT_TRIM: machine_trim(machine); break;
    case SIM_FAULT_CLOCK_FORWARD:
    case SIM_FAULT_CLOCK_BACK:
    case SIM_FAULT_STALL:
    case SIM_FAULT_HALT:
    case SIM_FAULT_SUSPEND:
    case SIM_FAULT_FREEZE: machine_time_fault(machine, fault); break;
    case SIM_FAULT_POSTGRES: disturb_postgres(machine); break;
    case SIM_FAULT_CLONE: machine_clone_begin(machine); break;
    default: break;
    }
}

void machine_heal(struct machine *machine) {
    disk_fill(machine->disk, 0);
    disk_freeze(machine->disk, 0);
    machine->halted_until_us = 0;
    if (run_is_asleep(machine->run)) machine->run->asleep_until_us = machine->run->now_us;
    machine->aim = AIM_NONE;
    if (!disk_has_crashed(machine->disk)) disk_crash_after(machine->disk, 0);
    for (uint32_t i = 0; i < PLAN_SHARDS_MAX; i++) machine->stalled_until_us[i] = 0;
    if (!machine->postgres) return;
    postgres_heal(machine->postgres);
    /* One that has nothing to write would notice at its next look only that the server went
     * back. */
    if (machine->projection) machine_projection_restart(machine);
}

/* --- time and rest ---------------------------------------------------------------------------- */

static uint64_t earlier(uint64_t a, uint64_t b) { return a < b ? a : b; }

uint64_t machine_due_us(const struct machine *machine) {
    if (!machine->up) return machine->start_at_us;
    const struct sim_run *run = machine->run;
    if (run->now_us < machine->halted_until_us) return machine->halted_until_us;
    uint64_t due_us = earlier(disk_due_us(machine->disk), machine->beat_us);
    if (machine->projection) due_us = earlier(due_us, machine->projection_us);
    if (machine->clone.projection) due_us = earlier(due_us, machine->clone.step_us);
    for (uint32_t i = 0; i < machine->shards; i++) {
        uint64_t due_ms = engine_next_due_ms(machine->engine, i),
                 now_ms = machine_now_ms((void *)(uintptr_t)machine);
        uint64_t shard_us = due_ms == UINT64_MAX ? UINT64_MAX
                            : due_ms <= now_ms   ? run->now_us
                                                 : run->now_us + (due_ms - now_ms) * 1000;
        if (shard_us < machine->stalled_until_us[i]) shard_us = machine->stalled_until_us[i];
        due_us = earlier(due_us, shard_us);
    }
    return due_us;
}

bool machine_is_at_rest(struct machine *machine) {
    if (!machine->up || atomic_load(&machine->shared.in_flight) > 0) return false;
    if (wal_durable_lsn(machine->wal) < machine->diary.size) return false;
    for (uint32_t i = 0; i < machine->shards; i++) {
        if (machine->pending[i]) return false;
    }
    if (!machine->postgres) return true;
    struct postgres_status status;
    postgres_status(machine->postgres, &status);
    return status.applied_lsn == machine->diary.size;
}

/* The board shows what there is, once everything is published. */
static void check_board(struct machine *machine) {
    const struct board *board = engine_board(machine->engine);
    struct money_totals money;
    uint64_t lsn = 0;
    for (uint32_t i = 1; i <= machine->model->oracle.date_count; i++) {
        const struct oracle_date *date = oracle_date(&machine->model->oracle, i);
        struct date_counters is, should = {.state = date->state, .active = date->active};
        board_read_date(board, i, &is, &lsn);
        for (uint32_t j = 1; j <= date->standing_count; j++) {
            const struct oracle_reservation *one = &date->reservations[date->standing[j]];
            bool sold = one->state == RESERVATION_PAID;
            *(sold ? &should.seats_sold : &should.seats_held) += one->seats.count;
            if (sold) should.points_sold += one->amount;
        }
        if (is.state != should.state || is.active != should.active ||
            is.waiting != date->live_count - date->active || is.entered != date->place_count ||
            is.seats_total != date->seat_count || is.seats_held != should.seats_held ||
            is.seats_sold != should.seats_sold || is.points_sold != should.points_sold ||
            is.seats_available != is.seats_for_sale - is.seats_held - is.seats_sold) {
            run_fail(machine->run, SIM_CHECK_TOLD, "the board's row of date %u is not what it has",
                     i);
        }
    }
    board_read_money(board, &money, &lsn);
    if (money.charged != machine->model->oracle.charged ||
        money.balances != machine->model->oracle.balances ||
        money.reserved != machine->model->oracle.reserved ||
        money.spent != machine->model->oracle.spent ||
        money.refunded != machine->model->oracle.refunded) {
        run_fail(machine->run, SIM_CHECK_POINTS, "the board has other points than the log");
    }
}

void machine_check_rest(struct machine *machine) {
    struct money_totals money;
    machine->newborn = 0;
    machine_check_hash(machine);
    machine_check_projection(machine);
    if (machine->run->failed || model_unfinished(machine->model)) return;
    check_board(machine);
    machine_check_snapshots(machine);
    engine_money(machine->engine, &money);
    if (money.charged != money.balances + money.reserved + money.spent - money.refunded ||
        money.charged != machine->model->oracle.charged ||
        money.balances != machine->model->oracle.balances) {
        run_fail(machine->run, SIM_CHECK_POINTS, "the engine has other points than the log");
    }
}
