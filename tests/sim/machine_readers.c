/* machine_readers.c - the projection of the simulated process */
#include <string.h>

#include "replay/postgres/projection_offline.h"
#include "tests/sim/machine_parts.h"

/* --- the projection --------------------------------------------------------------------------- */

static uint64_t live_durable_lsn(void *context) {
    struct machine *machine = context;
    return machine->journal.durable_lsn(machine->journal.context);
}

/* How far PostgreSQL has seen the log; 0: nobody can say. As the daemon asks. */
uint64_t machine_witness(struct machine *machine, const struct wal_recovery *found) {
    struct id128 log_id = {{0}};
    uint64_t lsn = 0;
    char text[PROJECTION_TEXT_BYTES];
    if (!machine->postgres || !found->log_exists) return 0;
    memcpy(log_id.bytes, found->log_id, sizeof log_id.bytes);
    int result = projection_applied_lsn(postgres_conninfo(machine->postgres), &log_id, &lsn, text);
    return result == PROJECTION_FOUND ? lsn : 0;
}

void machine_projection_start(struct machine *machine, const struct id128 *log_id) {
    machine->log_id = *log_id;
    if (!machine->postgres) return;
    source_wal_init(&machine->source, disk_storage(machine->disk), live_durable_lsn, machine, 0,
                    &machine->source_port);
    struct id128 run_id;
    machine_fill(machine, run_id.bytes, sizeof run_id.bytes);
    const struct projection_options options = {
        .conninfo = postgres_conninfo(machine->postgres),
        .source = &machine->source_port,
        .log_id = *log_id,
        .epoch = machine->recovery.epoch + 1,
        .run_id = run_id,
        .run_by = "the machine",
        .clock = {machine, machine_now_ms},
        .batch_records = (uint32_t)random_pick(&machine->random, 1, 7, 100, 50000),
        .batch_ms = (uint32_t)random_pick(&machine->random, 1, 50, 200),
    };
    machine->projection = projection_create(&options);
    machine->projection_us = machine->run->now_us;
}

void machine_projection_restart(struct machine *machine) {
    const struct id128 log_id = machine->log_id;
    machine_projection_end(machine);
    machine_projection_start(machine, &log_id);
}

void machine_projection_end(struct machine *machine) {
    if (!machine->projection) return;
    projection_free(machine->projection);
    source_wal_deinit(&machine->source);
    machine->projection = NULL;
}

/* It stops for good where the log cannot be read, or PostgreSQL refuses a single decision. Then an
 * operator has to look, and to start it again. */
static void halted(struct machine *machine, const struct projection_status *status) {
    struct disk_lies lies;
    struct postgres_status postgres;
    if (machine_clone_noticed(machine, status)) return;
    disk_lies(machine->disk, &lies);
    postgres_status(machine->postgres, &postgres);
    bool refused = postgres.happened[POSTGRES_FAULT_INVALID] > machine->refusals;
    machine->refusals = postgres.happened[POSTGRES_FAULT_INVALID];
    bool unread = machine_read_errors(machine) > machine->read_errors;
    if (lies.count == 0 && !refused && !unread) {
        run_fail(machine->run, SIM_CHECK_PROJECTION, "it has stopped: %s", status->text);
    } else {
        machine_crash(machine);
    }
}

bool machine_step_projection(struct machine *machine) {
    struct sim_run *run = machine->run;
    struct projection_status status;
    if (machine_is_halted(machine)) return false;
    bool cloned = machine_clone_step(machine);
    if (!machine->projection || run->now_us < machine->projection_us) return cloned;
    projection_status_get(machine->projection, &status);
    bool starts = status.run == 0;
    machine->clone.own_run = status.run;
    int result = projection_step(machine->projection);
    projection_status_get(machine->projection, &status);
    if (starts && status.run > 0) machine->clone.run = 0; /* whoever starts takes over, once */
    if (result == PROJECTION_IDLE) {
        machine->projection_us = run->now_us + 1000ull * projection_idle_ms(machine->projection);
    }
    if (result != PROJECTION_IDLE) {
        run_event(run, RUN_EVENT_PROJECTION, status.state, status.applied_lsn);
    }
    const char *failure = postgres_failure(machine->postgres);
    if (failure) run_fail(run, SIM_CHECK_PROJECTION, "%s", failure);
    machine_clone_check(machine);
    if (result == PROJECTION_HALTED) halted(machine, &status);
    return cloned || result != PROJECTION_IDLE;
}

void machine_check_projection(struct machine *machine) {
    char text[POSTGRES_TEXT_BYTES];
    if (!machine->postgres) return;
    struct diary_source source = {.diary = &machine->diary};
    struct record_source port = machine_diary_source(&source);
    machine->run->counters.postgres_checks++;
    if (postgres_check(machine->postgres, &port, text) < 0) {
        run_fail(machine->run, SIM_CHECK_PROJECTION, "%s", text);
    }
}
