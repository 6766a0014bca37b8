/* machine_life.c - start, crash and stop of the simulated process, and what a start must have found
 *
 * A start is what the daemon does: ask PostgreSQL how far it has seen the log, recover, replay, open
 * the engine. Then it is judged: the log ends nowhere before the last LSN that it called durable,
 * holds byte for byte what was appended, and replays to the state that the diary replays to. Where
 * the disk has lied, the judgement comes first, on a copy, and the true bytes are put back.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/require.h"
#include "tests/sim/machine_parts.h"
#include "wal/storage_memory.h"

/* Pause before another try where there was no room, or the disk failed. */
#define RETRY_US 200000u

static void later(struct machine *machine) {
    machine->start_at_us = machine->run->now_us + rng_below(&machine->rng, RETRY_US);
}

/* --- the end of a process ---------------------------------------------------------------------------- */

void machine_exit(struct machine *machine, bool crashed) {
    machine_projection_end(machine);
    if (machine->wal && machine->durable_lsn < wal_durable_lsn(machine->wal)) {
        machine->durable_lsn = wal_durable_lsn(machine->wal);
    }
    if (crashed) {
        (void)disk_crash(machine->disk); /* what was in flight is part of the event already */
        if (machine->snapshot_disk) (void)disk_crash(machine->snapshot_disk); /* likewise */
    }
    if (machine->engine) engine_close(machine->engine);
    machine_slots_close(machine);
    if (machine->wal) wal_close(machine->wal);
    machine->engine = NULL;
    machine->wal = NULL;
    machine->up = machine->log_failed = false;
    network_refuse(machine->network);
    later(machine);
}

void machine_crash(struct machine *machine) {
    struct run *run = machine->run;
    run->counters.crashes++;
    run_event(run, RUN_EVENT_CRASH, disk_due_us(machine->disk) != UINT64_MAX,
              machine->wal ? wal_durable_lsn(machine->wal) : 0);
    machine_exit(machine, true);
}

/* --- a disk that has lied ---------------------------------------------------------------------------- */

/* What would a start say? Judged on a copy. */
static void judge_lies(struct machine *machine, uint64_t witness_lsn) {
    struct run *run = machine->run;
    struct disk_lies lies;
    disk_lies(machine->disk, &lies);
    if (lies.count == 0) return;
    struct storage *copy;
    struct wal_recovery recovery = {0};
    struct wal_error error = {0};
    const struct wal_recovery_options options = {.witness_lsn = witness_lsn,
                                                 .account_partitions = ACCOUNT_PARTITIONS};
    REQUIRE(storage_memory_clone(disk_inner(machine->disk), &copy) == 0);
    int result = wal_recover(copy, &options, &recovery, &error);
    copy->operations->destroy(copy);
    if (result < 0) {
        run->counters.refused_starts++;
        run_event(run, RUN_EVENT_START_REFUSED, (uint64_t)-result, error.offset);
        bool names = error.file[0] != '\0' || error.code == WAL_ERROR_MISSING;
        if (!names || error.code == WAL_ERROR_IO) {
            run_fail(run, SIM_CHECK_REFUSAL, "the log is refused, but no place is named: %s",
                     error.text);
        }
        disk_restore(machine->disk);
    } else if (recovery.end_lsn >= machine->durable_lsn) {
        run->counters.lies_harmless++;
        disk_believe(machine->disk);
    } else if (lies.last) {
        /* wal/README.md, "What remains undetected": the last block, followed by nothing. */
        run->counters.lies_last++;
        disk_restore(machine->disk);
    } else {
        run_fail(run, SIM_CHECK_REFUSAL,
                 "a log that was durable up to LSN %llu is believed to end at %llu, though the disk has "
                 "lied about %s at offset %llu and writes followed",
                 (unsigned long long)machine->durable_lsn, (unsigned long long)recovery.end_lsn,
                 lies.file, (unsigned long long)lies.offset);
    }
}

/* --- start --------------------------------------------------------------------------------------------- */

static void on_durable(void *context, uint64_t lsn) {
    struct machine *machine = context;
    run_event(machine->run, RUN_EVENT_DURABLE, lsn, 0);
    if (machine->durable_lsn < lsn) machine->durable_lsn = lsn;
    if (machine->engine) engine_durable(machine->engine);
}

static void on_failed(void *context, const struct wal_error *error) {
    struct machine *machine = context;
    machine->run->counters.log_failures++;
    machine->log_failed = true;
    run_event(machine->run, RUN_EVENT_LOG_FAILED, (uint64_t)error->code,
              (uint64_t)error->system_error);
}

/* Return: false: it is down, and may be started again */
static bool open_log(struct machine *machine, uint64_t witness_lsn) {
    struct run *run = machine->run;
    const struct wal_options options = {
        .storage = disk_storage(machine->disk),
        .clock = {machine, machine_now_ms},
        .entropy = {machine, machine_fill},
        .segment_bytes = run->plan.segment_bytes,
        .buffer_bytes = DRAIN_BYTES_MAX,
        .appenders = machine->shards,
        .witness_lsn = witness_lsn,
        .on_durable = on_durable,
        .on_failed = on_failed,
        .callback_context = machine,
    };
    struct wal_error error = {0};
    if (wal_open(&options, &machine->recovery, &machine->wal, &error) == 0) return true;
    machine->wal = NULL;
    run_event(run, RUN_EVENT_START_REFUSED, (uint64_t)error.code, (uint64_t)error.system_error);
    if (disk_has_crashed(machine->disk)) {
        run->counters.crashes_inside++;
        (void)disk_crash(machine->disk); /* it is the end of it */
    } else if (error.code != WAL_ERROR_IO) {
        run_fail(run, SIM_CHECK_REFUSAL, "a good log is refused: %s", error.text);
    } else if (!disk_is_full(machine->disk) && !run->plan.per_million[SIM_FAULT_DISK_ERROR]) {
        run_fail(run, SIM_CHECK_REFUSAL, "a good disk fails: %s", error.text);
    }
    machine->log_failed = false;
    later(machine);
    return false;
}

/* A source that demands of every record that it was appended so. */
struct checked_source {
    struct machine *machine;
    struct record_source inner;
};

static int checked_seek(void *context, uint64_t lsn, struct source_error *ret_error) {
    struct checked_source *source = context;
    return source->inner.seek(source->inner.context, lsn, ret_error);
}

static int checked_next(void *context, struct source_record *ret_record,
                        struct source_error *ret_error) {
    struct checked_source *source = context;
    const struct machine_diary *diary = &source->machine->diary;
    int result = source->inner.next(source->inner.context, ret_record, ret_error);
    if (result != 0) return result;
    uint64_t end = ret_record->lsn, size = ret_record->size;
    if (end > diary->size || size > end ||
        memcmp(diary->bytes + (end - size), ret_record->bytes, size) != 0) {
        run_fail(source->machine->run, SIM_CHECK_REFUSAL,
                 "the record that ends at LSN %llu is not what was appended there",
                 (unsigned long long)end);
    }
    return 0;
}

static uint64_t checked_end(void *context) {
    struct checked_source *source = context;
    return source->inner.end_lsn(source->inner.context);
}

/* Return: the state, or NULL if it does not replay */
static struct world *replay(struct machine *machine, uint64_t *ret_last_time_ms) {
    struct id128 seed;
    struct source_wal source;
    struct checked_source checked = {.machine = machine};
    struct record_source port = {&checked, checked_seek, checked_next, checked_end};
    struct recover_result result = {0};
    struct recover_error error;
    machine_fill(machine, &seed, sizeof seed);
    struct world *world = world_create(&seed);
    *ret_last_time_ms = 0;
    if (!machine->recovery.found) return world;
    source_wal_init(&source, disk_storage(machine->disk), NULL, NULL, machine->recovery.end_lsn,
                    &checked.inner);
    int failed = recover(&port, world, NULL, &result, &error);
    source_wal_deinit(&source);
    *ret_last_time_ms = result.last_time_ms;
    if (!failed) return world;
    run_fail(machine->run, SIM_CHECK_HASH, "the log does not replay: %s", error.text);
    world_free(world);
    return NULL;
}

static void judge_recovery(struct machine *machine) {
    struct run *run = machine->run;
    uint64_t end = machine->recovery.end_lsn;
    run->counters.torn += machine->recovery.torn;
    if (end < machine->durable_lsn || end < machine->told_lsn) {
        run_fail(run, SIM_CHECK_LOST,
                 "the log ends at LSN %llu; it was durable up to %llu, and clients were told things up "
                 "to %llu",
                 (unsigned long long)end, (unsigned long long)machine->durable_lsn,
                 (unsigned long long)machine->told_lsn);
    } else if (end > machine->diary.size) {
        run_fail(run, SIM_CHECK_REFUSAL, "the log ends at LSN %llu, but was written up to %llu only",
                 (unsigned long long)end, (unsigned long long)machine->diary.size);
    } else {
        machine_believe(machine, end);
    }
}

static void judge_replay(struct machine *machine, const struct world *world) {
    struct run *run = machine->run;
    uint64_t is = world_hash(world), should = world_hash(machine->follower);
    run->counters.hash_checks++;
    run_event(run, RUN_EVENT_HASH, is, machine->recovery.end_lsn);
    if (is != should) {
        run_fail(run, SIM_CHECK_HASH, "the log replays to %016llx, what was appended to %016llx",
                 (unsigned long long)is, (unsigned long long)should);
    }
    for (uint32_t i = 1; i <= world->date_count; i++) {
        const struct partition *date = world->dates[i];
        if (date && partition_hash(date) != partition_hash_recount(date)) {
            run_fail(run, SIM_CHECK_HASH, "the hash of date %u is not the hash of what it has", i);
        }
    }
    for (uint32_t i = 0; i < ACCOUNT_PARTITIONS; i++) {
        const struct partition *account = world->accounts[i];
        if (partition_hash(account) != partition_hash_recount(account)) {
            run_fail(run, SIM_CHECK_HASH, "the hash of accounts %u is not of what they have", i);
        }
    }
}

static void open_engine(struct machine *machine, struct world *world) {
    struct engine_options options = {.shards = machine->shards,
                                     .world = world,
                                     .start_lsn = machine->recovery.end_lsn};
    machine_ports_open(machine, &options);
    wal_journal(machine->wal, &machine->journal);
    machine->engine = engine_open(&options);
    machine->net_engine.board = engine_board(machine->engine);
    machine->shared.engine = machine->net_engine;
    model_resumed(machine->model, machine_now_ms(machine));
}

static void draw_start(struct machine *machine) {
    struct run *run = machine->run;
    uint32_t before = machine->shards;
    machine->shards = (uint32_t)rng_between(&machine->rng, 1, run->plan.shards_max);
    run->counters.reshards += before != 0 && before != machine->shards;
    if (run_fault(run, SIM_FAULT_CLOCK_BEHIND)) {
        run->counters.clocks_behind++;
        run->wall_offset_ms -= rng_below(&machine->rng, rng_pick(&machine->rng, 1000, 3600000));
    }
    if (run_fault(run, SIM_FAULT_CRASH_INSIDE)) {
        disk_crash_after(machine->disk, rng_between(&machine->rng, 1, 4));
    }
    machine->anchor_ms = run_wall_ms(run) - run->now_us / 1000; /* a new process */
}

static void raise_clock(struct machine *machine, uint64_t last_time_ms) {
    uint64_t now_ms = machine_now_ms(machine);
    if (now_ms < last_time_ms) machine->anchor_ms += last_time_ms - now_ms;
}

/* The projection wants to know which log it is: the daemon looks once more. */
static void start_projection(struct machine *machine) {
    struct id128 log_id;
    struct wal_recovery now;
    struct wal_error error;
    struct disk_lies lies;
    const struct wal_recovery_options look = {.from_lsn = UINT64_MAX, .live = true};
    if (wal_recover(disk_storage(machine->disk), &look, &now, &error) == 0) {
        memcpy(log_id.bytes, now.log_id, sizeof log_id.bytes);
        machine_projection_start(machine, &log_id);
        return;
    }
    disk_lies(machine->disk, &lies);
    if (lies.count == 0) {
        run_fail(machine->run, SIM_CHECK_REFUSAL, "a log that was just opened is refused: %s",
                 error.text);
    }
    machine_exit(machine, false);
}

void machine_start(struct machine *machine) {
    struct run *run = machine->run;
    uint64_t last_time_ms;
    REQUIRE(!machine->up);
    draw_start(machine);
    uint64_t witness_lsn = machine_witness(machine);
    judge_lies(machine, witness_lsn);
    if (run->failed || !open_log(machine, witness_lsn)) return;
    raise_clock(machine, machine->recovery.last_wall_ms);
    run->counters.starts++;
    run->counters.segments++;
    run_event(run, RUN_EVENT_START, machine->shards, machine->recovery.end_lsn);
    judge_recovery(machine);
    struct world *world = run->failed ? NULL : replay(machine, &last_time_ms);
    if (!world) {
        machine_exit(machine, true);
        return;
    }
    judge_replay(machine, world);
    raise_clock(machine, last_time_ms);
    open_engine(machine, world);
    machine->up = true;
    start_projection(machine);
}

/* --- an orderly stop -------------------------------------------------------------------------------------- */

void machine_check_hash(struct machine *machine) {
    for (uint32_t i = 0; i < machine->shards; i++) {
        if (machine->pending[i]) return;
    }
    if (machine->newborn > 0) return; /* a date is on its way to its shard */
    struct run *run = machine->run;
    uint64_t is = engine_world_hash(machine->engine), should = world_hash(machine->follower);
    run->counters.hash_checks++;
    run_event(run, RUN_EVENT_HASH, is, machine->diary.size);
    if (is != should) {
        run_fail(run, SIM_CHECK_HASH, "at LSN %llu the engine has %016llx, replay %016llx",
                 (unsigned long long)machine->diary.size, (unsigned long long)is,
                 (unsigned long long)should);
    }
}

#define STOP_ROUNDS_MAX 100000u

/* Rounds of everything until all frames are answered and all is durable. Return: whether it got there */
static bool wind_up(struct machine *machine, uint64_t *rounds) {
    struct run *run = machine->run;
    for (uint32_t idle = 0; idle < 3 && *rounds < STOP_ROUNDS_MAX; (*rounds)++) {
        bool moved = false;
        for (uint32_t i = 0; i < machine->shards; i++) {
            moved = engine_step(machine->engine, i) > 0 || machine->pending[i] || moved;
        }
        moved = machine_step_log(machine) || moved;
        if (run->failed || machine->log_failed || !machine->up) return false;
        bool busy = atomic_load(&machine->shared.in_flight) > 0 ||
                    wal_durable_lsn(machine->wal) < machine->diary.size;
        uint64_t due_us = disk_due_us(machine->disk);
        run->now_us = !moved && due_us != UINT64_MAX && due_us > run->now_us ? due_us
                                                                             : run->now_us + 10;
        idle = moved || busy ? 0 : idle + 1;
    }
    return *rounds < STOP_ROUNDS_MAX;
}

void machine_stop(struct machine *machine) {
    struct run *run = machine->run;
    uint64_t rounds = 0;
    atomic_store(&machine->shared.stopping, true);
    bool well = wind_up(machine, &rounds);
    for (uint32_t i = 0; i < machine->shards && well; i++) {
        engine_log_hashes(machine->engine, i);
    }
    well = well && wind_up(machine, &rounds);
    if (rounds >= STOP_ROUNDS_MAX) {
        run_fail(run, SIM_CHECK_STUCK, "an orderly stop takes for ever");
    }
    if (run->failed || !machine->up) return;
    if (!well || wal_stop(machine->wal) < 0) {
        machine_exit(machine, false); /* the log has failed: as good as a crash */
        return;
    }
    machine_check_hash(machine);
    run->counters.stops++;
    run_event(run, RUN_EVENT_STOP, wal_durable_lsn(machine->wal), rounds);
    machine_exit(machine, false);
}
