/* machine_life.c - start, crash and stop of the simulated process, and what a start must have found
 *
 * A start is what the daemon does: ask PostgreSQL how far it has seen the log, recover, replay,
 * open the engine. Then it is judged: the log ends nowhere before the last LSN that it called
 * durable, holds byte for byte what was appended, and replays to the state that the diary replays
 * to. Where the disk has lied, the judgement comes first, on a copy, and the true bytes are put
 * back.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/base/require.h"
#include "tests/sim/machine_parts.h"
#include "tests/support/storage_memory.h"

/* Pause before another try where there was no room, or the disk failed. */
#define RETRY_US 200000u

static void later(struct machine *machine) {
    machine->start_at_us = machine->run->now_us + random_below(&machine->random, RETRY_US);
}

/* --- the end of a process --------------------------------------------------------------------- */

static bool has_crashed(const struct machine *machine) {
    return disk_has_crashed(machine->disk) ||
           (machine->snapshot_disk && disk_has_crashed(machine->snapshot_disk));
}

void machine_exit(struct machine *machine, bool crashed) {
    machine_projection_end(machine);
    if (machine->up) machine_watch_exit(machine);
    if (machine->wal && machine->durable_lsn < wal_durable_lsn(machine->wal)) {
        machine->durable_lsn = wal_durable_lsn(machine->wal);
    }
    if (crashed || has_crashed(machine)) {
        (void)disk_crash(machine->disk); /* what was in flight is part of the event already */
        if (machine->snapshot_disk) (void)disk_crash(machine->snapshot_disk); /* likewise */
    }
    if (machine->engine) engine_close(machine->engine);
    machine_slots_close(machine);
    if (machine->wal) wal_close(machine->wal);
    machine->engine = NULL;
    machine->wal = NULL;
    machine->up = machine->log_failed = false;
    machine->aim = AIM_NONE;
    machine->halted_until_us = 0;
    network_refuse(machine->network);
    later(machine);
}

void machine_crash(struct machine *machine) {
    struct sim_run *run = machine->run;
    run->counters.crashes++;
    run_event(run, RUN_EVENT_CRASH, disk_due_us(machine->disk) != UINT64_MAX,
              machine->wal ? wal_durable_lsn(machine->wal) : 0);
    machine_exit(machine, true);
}

/* --- a disk that has lied --------------------------------------------------------------------- */

/* What others have seen of the log, whatever it says itself: a snapshot, PostgreSQL. */
static uint64_t witness(struct machine *machine) {
    uint64_t lsn = 0;
    if (machine->snapshot_disk) {
        struct snapshot_info info;
        struct snapshot_error error;
        if (snapshot_witness(disk_storage(machine->snapshot_disk), NULL, &info, &error) == 0) {
            lsn = info.lsn;
        }
    }
    if (machine->postgres) {
        struct postgres_status status;
        postgres_status(machine->postgres, &status);
        if (status.applied_lsn > lsn) lsn = status.applied_lsn;
    }
    return lsn;
}

/* What would a start say? Judged on a copy. */
static void judge_lies(struct machine *machine) {
    struct sim_run *run = machine->run;
    uint64_t witness_lsn = witness(machine);
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
    } else if (recovery.end_lsn < witness_lsn) {
        run_fail(run, SIM_CHECK_REFUSAL,
                 "a log is believed to end at LSN %llu, but %llu was seen of it",
                 (unsigned long long)recovery.end_lsn, (unsigned long long)witness_lsn);
    } else if (recovery.end_lsn >= machine->durable_lsn) {
        run->counters.lies_harmless++;
        disk_believe(machine->disk);
    } else if (lies.last) {
        /* wal/README.md, "What remains undetected": the last block, followed by nothing. */
        run->counters.lies_last++;
        disk_restore(machine->disk);
    } else {
        run_fail(
            run, SIM_CHECK_REFUSAL,
            "a log that was durable up to LSN %llu is believed to end at %llu, though the disk has "
            "lied about %s at offset %llu and writes followed",
            (unsigned long long)machine->durable_lsn, (unsigned long long)recovery.end_lsn,
            lies.file, (unsigned long long)lies.offset);
    }
}

/* --- start ------------------------------------------------------------------------------------ */

static void on_durable(void *context, uint64_t lsn) {
    struct machine *machine = context;
    run_event(machine->run, RUN_EVENT_DURABLE, lsn, 0);
    if (machine->durable_lsn < lsn) machine->durable_lsn = lsn;
    machine_watch_durable(machine, lsn);
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
    struct sim_run *run = machine->run;
    const struct wal_options options = {
        .storage = disk_storage(machine->disk),
        .clock = {machine, machine_now_ms},
        .entropy = {machine, machine_fill},
        .segment_bytes = run->plan.segment_bytes,
        .buffer_bytes = DRAIN_BYTES_MAX,
        .appenders = machine->shards,
        .recover_from_lsn = machine->from.lsn,
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

/* Every record that the log still has is what was appended. */
static void judge_records(struct machine *machine) {
    struct sim_run *run = machine->run;
    const struct machine_diary *diary = &machine->diary;
    struct wal_reader *reader;
    struct wal_record record;
    struct wal_error error;
    uint64_t end = machine->recovery.end_lsn;
    int result = wal_reader_open(disk_storage(machine->disk), machine->recovery.first_lsn, &reader,
                                 &error);
    if (result < 0) {
        run_fail(run, SIM_CHECK_REFUSAL, "a recovered log cannot be read: %s", error.text);
        return;
    }
    while ((result = wal_reader_next(reader, end, &record, &error)) == 0) {
        if (record.lsn <= diary->size && record.size <= record.lsn &&
            memcmp(diary->bytes + (record.lsn - record.size), record.bytes, record.size) == 0) {
            continue;
        }
        run_fail(run, SIM_CHECK_REFUSAL,
                 "the record that ends at LSN %llu is not what was appended there",
                 (unsigned long long)record.lsn);
        break;
    }
    if (result < 0 || (result == WAL_READER_CAUGHT_UP && wal_reader_lsn(reader) != end)) {
        run_fail(run, SIM_CHECK_REFUSAL,
                 "a recovered log can be read up to LSN %llu only, not %llu",
                 (unsigned long long)wal_reader_lsn(reader), (unsigned long long)end);
    }
    wal_reader_close(reader);
}

/* The log after the snapshot into its state. Return: false if it does not replay */
static bool replay(struct machine *machine, struct world *world, uint64_t *ret_last_time_ms) {
    struct recover_result result = {0};
    struct snapshot_error error;
    const struct snapshot_recover_options options = {0};
    *ret_last_time_ms = machine->from.last_time_ms;
    if (!machine->recovery.log_exists) return true;
    if (snapshot_catch_up(disk_storage(machine->disk), &machine->from, machine->recovery.end_lsn,
                          &options, world, &result, &error) < 0) {
        if (machine_read_errors(machine) > machine->read_errors) return false;
        run_fail(machine->run, SIM_CHECK_HASH, "the log does not replay: %s", error.text);
        return false;
    }
    if (result.last_time_ms > *ret_last_time_ms) *ret_last_time_ms = result.last_time_ms;
    return true;
}

static void judge_recovery(struct machine *machine) {
    struct sim_run *run = machine->run;
    uint64_t end = machine->recovery.end_lsn;
    run->counters.torn += machine->recovery.torn;
    if (end < machine->durable_lsn || end < machine->told_lsn) {
        run_fail(
            run, SIM_CHECK_LOST,
            "the log ends at LSN %llu; it was durable up to %llu, and clients were told things up "
            "to %llu",
            (unsigned long long)end, (unsigned long long)machine->durable_lsn,
            (unsigned long long)machine->told_lsn);
    } else if (end > machine->diary.size) {
        run_fail(run, SIM_CHECK_REFUSAL,
                 "the log ends at LSN %llu, but was written up to %llu only",
                 (unsigned long long)end, (unsigned long long)machine->diary.size);
    } else {
        machine_believe(machine, end);
        machine->durable_lsn = end; /* what was found is durable before anything follows from it */
    }
}

static void judge_replay(struct machine *machine, const struct world *world) {
    struct sim_run *run = machine->run;
    uint64_t is = world_hash(world), should = world_hash(machine->follower);
    enum sim_check check = machine->from.lsn > 0 ? SIM_CHECK_SNAPSHOT : SIM_CHECK_HASH;
    run->counters.hash_checks++;
    run_event(run, RUN_EVENT_HASH, is, machine->recovery.end_lsn);
    if (is != should) {
        run_fail(run, check, "the log replays to %016llx, what was appended to %016llx",
                 (unsigned long long)is, (unsigned long long)should);
    } else if (machine_image_hash(world) != machine_image_hash(machine->follower)) {
        run_fail(run, check, "the log replays to the same hash, but to another state");
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

static void draw_start(struct machine *machine) {
    struct sim_run *run = machine->run;
    uint32_t before = machine->shards;
    machine->shards = (uint32_t)random_between(&machine->random, 1, run->plan.shards_max);
    run->counters.reshards += before != 0 && before != machine->shards;
    machine_clock_fault(machine);
    if (run_fault(run, SIM_FAULT_CRASH_INSIDE)) {
        disk_crash_after(machine->disk, random_between(&machine->random, 1, 4));
    }
    machine_clock_begin(machine); /* a new process */
}

/* The projection wants to know which log it is: the daemon looks once more. */
static void start_projection(struct machine *machine) {
    struct id128 log_id;
    struct wal_recovery now;
    struct wal_error error = {0};
    struct disk_lies lies;
    const struct wal_recovery_options look = {.from_lsn = UINT64_MAX, .live = true};
    if (wal_recover(disk_storage(machine->disk), &look, &now, &error) == 0 && now.log_exists) {
        memcpy(log_id.bytes, now.log_id, sizeof log_id.bytes);
        machine_projection_start(machine, &log_id);
        return;
    }
    disk_lies(machine->disk, &lies);
    if (lies.count == 0 && machine_read_errors(machine) == machine->read_errors) {
        run_fail(machine->run, SIM_CHECK_REFUSAL, "a log that was just opened is refused: %s",
                 error.text);
    }
    machine_exit(machine, false);
}

/* What is there, before anything is changed: the log, a snapshot to begin with, witnesses.
 * Return: the snapshot's state, or an empty one; NULL: a failure was reported, or a read has
 * failed: try again later */
static struct world *look(struct machine *machine, uint64_t *ret_witness_lsn) {
    struct wal_recovery found = {0};
    struct wal_error error;
    const struct wal_recovery_options options = {.from_lsn = UINT64_MAX, .live = true};
    uint64_t read_errors = machine_read_errors(machine);
    if (wal_recover(disk_storage(machine->disk), &options, &found, &error) < 0) {
        if (machine_read_errors(machine) == read_errors) {
            run_fail(machine->run, SIM_CHECK_REFUSAL, "a good log is refused: %s", error.text);
        }
        return NULL;
    }
    struct world *world = machine_load(machine, &found, ret_witness_lsn);
    if (!world) return NULL;
    uint64_t applied_lsn = machine_witness(machine, &found);
    if (applied_lsn > *ret_witness_lsn) *ret_witness_lsn = applied_lsn;
    if (found.first_lsn > machine->from.lsn) {
        run_fail(machine->run, SIM_CHECK_SNAPSHOT,
                 "the log begins at LSN %llu, but the newest snapshot is of LSN %llu",
                 (unsigned long long)found.first_lsn, (unsigned long long)machine->from.lsn);
    }
    return world;
}

/* As the daemon believes it: the log was written then, or something decided. */
static uint64_t served_until_ms(struct machine *machine) {
    uint64_t written_ms = machine->recovery.last_wall_ms;
    if (written_ms > machine_now_ms(machine)) written_ms = 0;
    return written_ms > machine->last_time_ms ? written_ms : machine->last_time_ms;
}

static void open_engine(struct machine *machine, struct world *world) {
    struct engine_options options = {.shards = machine->shards,
                                     .world = world,
                                     .start_lsn = machine->recovery.end_lsn,
                                     .served_until_ms = served_until_ms(machine)};
    machine_watch_start(machine, options.served_until_ms);
    machine_ports_open(machine, &options);
    wal_journal(machine->wal, &machine->journal);
    uint64_t from_ms = machine_now_ms(machine);
    machine->engine = engine_open(&options);
    machine->net_engine.board = engine_board(machine->engine);
    machine->shared.engine = machine->net_engine;
    model_resumed(machine->model, from_ms, machine_now_ms(machine));
    machine->up = true;
}

/* The log is open: everything is judged that it has. */
static bool judge_start(struct machine *machine, struct world *world) {
    struct sim_run *run = machine->run;
    judge_recovery(machine);
    disk_trust(machine->disk, true);
    if (!run->failed && machine->recovery.log_exists) judge_records(machine);
    disk_trust(machine->disk, false);
    if (run->failed || !replay(machine, world, &machine->last_time_ms)) return false;
    judge_replay(machine, world);
    return !run->failed && machine_clock_raise(machine, machine->last_time_ms);
}

void machine_start(struct machine *machine) {
    struct sim_run *run = machine->run;
    uint64_t witness_lsn = 0;
    REQUIRE(!machine->up);
    draw_start(machine);
    judge_lies(machine);
    machine->read_errors = machine_read_errors(machine);
    struct world *world = run->failed ? NULL : look(machine, &witness_lsn);
    if (!world) later(machine);
    if (!world || run->failed || !open_log(machine, witness_lsn)) {
        world_free(world);
        return;
    }
    run->counters.starts++;
    run->counters.segments++;
    run_event(run, RUN_EVENT_START, machine->shards, machine->recovery.end_lsn);
    if (!judge_start(machine, world)) {
        world_free(world);
        machine_exit(machine, true);
        return;
    }
    open_engine(machine, world);
    start_projection(machine);
}

/* --- an orderly stop -------------------------------------------------------------------------- */

void machine_check_hash(struct machine *machine) {
    for (uint32_t i = 0; i < machine->shards; i++) {
        if (machine->pending[i]) return;
    }
    if (machine->newborn > 0) return; /* a date is on its way to its shard */
    struct sim_run *run = machine->run;
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

/* Rounds of everything until all frames are answered and all is durable. Return: whether it got
 * there */
static bool wind_up(struct machine *machine, uint64_t *rounds) {
    struct sim_run *run = machine->run;
    for (uint32_t idle = 0; idle < 3 && *rounds < STOP_ROUNDS_MAX; (*rounds)++) {
        bool moved = false;
        for (uint32_t i = 0; i < machine->shards; i++) {
            moved = machine_round(machine, i) > 0 || machine->pending[i] || moved;
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
    struct sim_run *run = machine->run;
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
