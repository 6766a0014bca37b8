/* machine_clone.c - a copy of the data folder, started by mistake, that projects into the same database
 *
 * It has the same log id, an epoch of its own, and soon decisions of its own at the same LSNs. It takes
 * the database over, or is refused, or the machine takes it back; whichever of the two has lost it must
 * not write a row any more. The operator ends the clone and, where it has written, restores PostgreSQL
 * from the backup of before.
 */
#include <stdio.h>
#include <stdlib.h>

#include "engine/require.h"
#include "replay/text.h"
#include "tests/sim/machine_parts.h"
#include "wal/storage_memory.h"

#define LIFE_US_MAX 20000000u

struct machine_clone {
    struct storage *storage;
    struct wal *wal;
    struct journal journal;
    struct source_wal source;
    struct record_source port;
    struct projection *projection;
    struct machine_owner owner;
    struct id128 user; /* of its own decisions */
    uint64_t balance;
    uint64_t backup;   /* of PostgreSQL, from before */
    uint64_t ends_us, step_us;
    bool has_written;
};

/* --- who owns the database --------------------------------------------------------------------------------- */

void machine_owner_begin(struct machine *machine, struct machine_owner *owner,
                         struct id128 *ret_run_id) {
    machine_fill(machine, ret_run_id->bytes, sizeof ret_run_id->bytes);
    *owner = (struct machine_owner){0};
    text_uuid(ret_run_id, owner->run_id);
}

bool machine_owner_check(struct machine *machine, struct machine_owner *owner,
                         struct projection *projection) {
    struct projection_status status;
    struct postgres_status postgres;
    projection_status_get(projection, &status);
    postgres_status(machine->postgres, &postgres);
    bool wrote = status.batches > owner->batches, owns = strcmp(postgres.run_id, owner->run_id) == 0;
    owner->batches = status.batches;
    if (wrote && !owns) {
        run_fail(machine->run, SIM_CHECK_RUN,
                 "run %s has committed a batch up to LSN %llu, but the database is run %s's",
                 owner->run_id, (unsigned long long)status.applied_lsn, postgres.run_id);
    }
    if (owner->owned && !owns && status.taken_over) machine->run->counters.runs_lost++;
    owner->owned = owns;
    return wrote;
}

/* --- life --------------------------------------------------------------------------------------------------- */

static void on_durable(void *context, uint64_t lsn) { (void)context, (void)lsn; /* asked for */ }

static uint64_t durable_lsn(void *context) {
    const struct machine_clone *clone = context;
    return wal_durable_lsn(clone->wal);
}

static void free_clone(struct machine_clone *clone) {
    if (clone->projection) {
        projection_free(clone->projection);
        source_wal_deinit(&clone->source);
    }
    if (clone->wal) wal_close(clone->wal);
    clone->storage->operations->destroy(clone->storage);
    free(clone);
}

/* As its daemon starts. Return: false: its log is refused, for PostgreSQL has seen more of it */
static bool open_clone(struct machine *machine, struct machine_clone *clone) {
    struct wal_recovery recovery;
    struct wal_error error;
    const struct wal_options options = {.storage = clone->storage,
                                        .clock = {machine, machine_now_ms},
                                        .entropy = {machine, machine_fill},
                                        .segment_bytes = machine->run->plan.segment_bytes,
                                        .buffer_bytes = DRAIN_BYTES_MAX,
                                        .appenders = 1,
                                        .witness_lsn = machine_witness(machine, &machine->recovery),
                                        .on_durable = on_durable};
    if (wal_open(&options, &recovery, &clone->wal, &error) < 0) {
        clone->wal = NULL;
        return false;
    }
    wal_journal(clone->wal, &clone->journal);
    source_wal_init(&clone->source, clone->storage, durable_lsn, clone, 0, &clone->port);
    struct projection_options project = {.conninfo = postgres_conninfo(machine->postgres),
                                         .source = &clone->port,
                                         .log_id = machine->log_id,
                                         .epoch = recovery.epoch + 1,
                                         .run_by = "the clone",
                                         .clock = {machine, machine_now_ms},
                                         .batch_records = 100,
                                         .batch_ms = 50};
    machine_owner_begin(machine, &clone->owner, &project.run_id);
    clone->projection = projection_create(&project);
    return true;
}

void machine_clone_begin(struct machine *machine) {
    struct run *run = machine->run;
    struct disk_lies lies;
    disk_lies(machine->disk, &lies);
    /* Restored from a backup PostgreSQL needs the log again, all of it. */
    bool can = machine->up && machine->postgres && machine->projection && !machine->clone &&
               lies.count == 0 && machine->recovery.found &&
               run->plan.per_million[SIM_FAULT_TRIM] == 0;
    if (!can) return;
    struct machine_clone *clone = calloc(1, sizeof *clone);
    REQUIRE(clone != NULL);
    REQUIRE(storage_memory_clone(disk_inner(machine->disk), &clone->storage) == 0);
    clone->backup = postgres_backup(machine->postgres);
    clone->ends_us = run->now_us + rng_below(&machine->rng, LIFE_US_MAX);
    clone->user.bytes[0] = 0xC1; /* nobody's */
    run->counters.clones++;
    bool opened = open_clone(machine, clone);
    run_event(run, RUN_EVENT_CLONE, opened, clone->backup);
    if (opened) {
        machine->clone = clone;
    } else {
        run->counters.clones_refused++;
        free_clone(clone);
    }
}

void machine_clone_end(struct machine *machine) {
    struct machine_clone *clone = machine->clone;
    if (!clone) return;
    machine->clone = NULL;
    machine->clone_was = true;
    run_event(machine->run, RUN_EVENT_CLONE_END, clone->has_written, clone->balance);
    if (clone->has_written) postgres_restore_to(machine->postgres, clone->backup);
    free_clone(clone);
}

bool machine_clone_has_written(const struct machine *machine) {
    return machine->clone && machine->clone->has_written;
}

/* A decision of its own: a stranger's wallet is charged. */
static void decide(struct machine *machine, struct machine_clone *clone) {
    uint8_t record[RECORD_BYTES_MAX];
    uint64_t lsn;
    struct decision decision = {.kind = DECISION_WALLET_CHARGED,
                                .partition = partition_of_user(&clone->user),
                                .time_ms = machine_now_ms(machine)};
    decision.wallet_charged.user = clone->user;
    decision.wallet_charged.amount = 1;
    decision.wallet_charged.balance = clone->balance + 1;
    uint32_t size = decision_encode(&decision, record);
    if (clone->journal.append(clone->journal.context, 0, record, size, &lsn) == 0) clone->balance++;
}

bool machine_clone_step(struct machine *machine) {
    struct run *run = machine->run;
    struct machine_clone *clone = machine->clone;
    if (!clone || run->now_us < clone->step_us || machine_is_halted(machine)) return false;
    if (run->now_us >= clone->ends_us) {
        machine_clone_end(machine);
        return true;
    }
    clone->step_us = run->now_us + rng_below(&machine->rng, 20000);
    if (rng_chance(&machine->rng, 50000)) decide(machine, clone);
    (void)wal_prepare_step(clone->wal);          /* its disk is sound */
    while (wal_writer_step(clone->wal, false) == 0) {}
    int result = projection_step(clone->projection);
    if (machine_owner_check(machine, &clone->owner, clone->projection)) clone->has_written = true;
    if (result == PROJECTION_HALTED) machine_clone_end(machine); /* somebody has looked at it */
    return true;
}

uint64_t machine_clone_due_us(const struct machine *machine) {
    return machine->clone ? machine->clone->step_us : UINT64_MAX;
}
