/* machine_clone.c - a copy of the machine's log that projects into the same database
 *
 * Happy path: begin, with what is durable at that moment; the clone projects what PostgreSQL lacks
 * of it, under a run id of its own. The machine's projection must notice and stop, and write
 * nothing more; an operator ends the clone and starts the machine's projection again. The clone
 * decides nothing of its own, so the rows stay comparable with the diary. What two worlds do to
 * each other is tested with a real server (tests/integration/projection/test_clone.c).
 * Failure modes: a clone that comes too late is refused, and one that is cut off stops: it is gone.
 */
#include <string.h>

#include "replay/tell/text.h"
#include "tests/sim/machine_parts.h"

void machine_clone_begin(struct machine *machine) {
    struct sim_run *run = machine->run;
    struct machine_clone *clone = &machine->clone;
    if (!machine->postgres || !machine->up || clone->projection) return;
    uint64_t durable_lsn = wal_durable_lsn(machine->wal);
    struct id128 run_id;
    if (durable_lsn == 0) return;
    machine_fill(machine, run_id.bytes, sizeof run_id.bytes);
    text_uuid(&run_id, clone->run_id);
    clone->diary = (struct diary_source){.diary = &machine->diary, .limit_lsn = durable_lsn};
    clone->port = machine_diary_source(&clone->diary);
    const struct projection_options options = {
        .conninfo = postgres_conninfo(machine->postgres),
        .source = &clone->port,
        .log_id = machine->log_id,
        .epoch = machine->recovery.epoch + 1,
        .run_id = run_id,
        .run_by = "a clone",
        .clock = {machine, machine_now_ms},
        .batch_records = (uint32_t)random_pick(&machine->random, 1, 7, 100),
    };
    clone->projection = projection_create(&options);
    clone->step_us = run->now_us;
    clone->run = 0;
    run->counters.clones++;
    run_event(run, RUN_EVENT_CLONE, durable_lsn, 0);
}

void machine_clone_end(struct machine *machine) {
    if (!machine->clone.projection) return;
    projection_free(machine->clone.projection);
    machine->clone.projection = NULL;
}

/* It has just taken over: was PostgreSQL no further than its log is? */
static void taken(struct machine *machine, uint64_t number) {
    struct machine_clone *clone = &machine->clone;
    struct postgres_status postgres;
    postgres_status(machine->postgres, &postgres);
    clone->run = number;
    run_event(machine->run, RUN_EVENT_CLONE, clone->diary.limit_lsn, number);
    if (postgres.applied_lsn > clone->diary.limit_lsn) {
        run_fail(machine->run, SIM_CHECK_PROJECTION,
                 "a clone with a log up to LSN %llu has taken over a database at LSN %llu",
                 (unsigned long long)clone->diary.limit_lsn,
                 (unsigned long long)postgres.applied_lsn);
    }
}

bool machine_clone_step(struct machine *machine) {
    struct machine_clone *clone = &machine->clone;
    struct projection_status before, after;
    if (!clone->projection || machine->run->now_us < clone->step_us) return false;
    projection_status_get(clone->projection, &before);
    int result = projection_step(clone->projection);
    projection_status_get(clone->projection, &after);
    if (after.run != before.run) taken(machine, after.run);
    if (result == PROJECTION_IDLE) {
        clone->step_us = machine->run->now_us + 1000ull * projection_idle_ms(clone->projection);
    }
    if (result == PROJECTION_HALTED) machine_clone_end(machine);
    return result != PROJECTION_IDLE;
}

void machine_clone_check(struct machine *machine) {
    struct machine_clone *clone = &machine->clone;
    struct postgres_status postgres;
    struct projection_status own;
    if (clone->run == 0 || !machine->projection) return;
    projection_status_get(machine->projection, &own);
    if (own.run == 0) { /* it has just begun, and may have taken over without being told */
        clone->run = 0;
        return;
    }
    postgres_status(machine->postgres, &postgres);
    /* A backup of before was restored; a number below its own is to the machine's projection one of
     * such a backup. */
    if (postgres.run < clone->run || clone->run < clone->own_run) {
        clone->run = 0;
    } else if (strcmp(postgres.run_id, clone->run_id) != 0) {
        run_fail(machine->run, SIM_CHECK_PROJECTION,
                 "a clone has taken the database over as run %llu, and the machine takes it back "
                 "by itself, as run %llu",
                 (unsigned long long)clone->run, (unsigned long long)postgres.run);
    }
}

bool machine_clone_noticed(struct machine *machine, const struct projection_status *status) {
    struct postgres_status postgres;
    postgres_status(machine->postgres, &postgres);
    bool clones = machine->clone.run > 0 ||
                  strcmp(postgres.run_id, machine->clone.run_id) == 0; /* nobody has told it yet */
    if (!status->taken_over || !clones) return false;
    machine->run->counters.clones_noticed++;
    machine_clone_end(machine);
    machine_projection_restart(machine);
    return true;
}
