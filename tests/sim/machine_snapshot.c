/* machine_snapshot.c - snapshots of the simulated machine: made, checked, used at a start, retained
 *
 * In the daemon a process of its own makes them; here it happens between two steps, and a crash may
 * fall anywhere inside it.
 */
#include <string.h>

#include "engine/domain/image/image.h"
#include "engine/base/require.h"
#include "tests/sim/machine_parts.h"
#include "tests/support/storage_memory.h"

/* --- is it the state of that LSN? ------------------------------------------------------------- */

static int mix_entity(void *context, const struct entity *entity, const uint8_t *bytes,
                      uint32_t size) {
    uint64_t *hash = context;
    (void)entity; /* its bytes say all */
    for (uint32_t i = 0; i < size; i++) *hash = (*hash ^ bytes[i]) * 0x100000001b3u;
    return 0;
}

/* FNV-1a over the image: unlike the state hash it leaves nothing out. */
uint64_t machine_image_hash(const struct world *world) {
    uint64_t hash = 0xcbf29ce484222325u;
    const struct image_sink sink = {mix_entity, &hash};
    REQUIRE(image_save(world, &sink) == 0); /* the sink takes everything */
    return hash;
}

/* The state that the diary has at an LSN. Return: owned by the caller */
static struct world *state_at(struct machine *machine, uint64_t lsn) {
    struct id128 seed;
    struct decision decision;
    struct source_record record;
    struct source_error error;
    struct diary_source source = {.diary = &machine->diary};
    struct record_source port = machine_diary_source(&source);
    machine_fill(machine, &seed, sizeof seed);
    struct world *world = world_create(&seed);
    while (source.at < lsn && port.next(port.context, &record, &error) == 0) {
        REQUIRE(decision_decode(record.bytes, record.size, &decision) == DECISION_DECODE_OK);
        REQUIRE(world_apply(world, &decision) == WORLD_APPLIED); /* it was applied before */
    }
    return world;
}

static void check_loaded(struct machine *machine, const struct snapshot_info *info) {
    struct sim_run *run = machine->run;
    struct id128 seed;
    struct world *loaded;
    struct snapshot_error error;
    machine_fill(machine, &seed, sizeof seed);
    if (info->lsn > machine->durable_lsn) {
        run_fail(run, SIM_CHECK_SNAPSHOT, "a snapshot of LSN %llu, but only %llu is durable",
                 (unsigned long long)info->lsn, (unsigned long long)machine->durable_lsn);
        return;
    }
    if (snapshot_load(disk_storage(machine->snapshot_disk), info->name, &seed, NULL, &loaded,
                      &error) < 0) {
        run_fail(run, SIM_CHECK_SNAPSHOT, "a snapshot that was just made is refused: %s",
                 error.text);
        return;
    }
    struct world *should = state_at(machine, info->lsn);
    if (machine_image_hash(loaded) != machine_image_hash(should)) {
        run_fail(run, SIM_CHECK_SNAPSHOT, "the snapshot of LSN %llu is not the state of that LSN",
                 (unsigned long long)info->lsn);
    }
    world_free(should);
    world_free(loaded);
}

static void check(struct machine *machine, const struct snapshot_info *info) {
    disk_trust(machine->snapshot_disk, true);
    check_loaded(machine, info);
    disk_trust(machine->snapshot_disk, false);
}

/* --- making and retaining --------------------------------------------------------------------- */

/* The disk has failed, or has lied: then it may fail. */
static void failed(struct machine *machine, const struct snapshot_error *error) {
    struct disk_lies lies;
    disk_lies(machine->disk, &lies);
    uint32_t allowed = machine->run->plan.per_million[SIM_FAULT_DISK_ERROR];
    for (int i = SIM_FAULT_LIE_LOST; i <= SIM_FAULT_LIE_MISDIRECTED; i++) {
        allowed |= machine->run->plan.per_million[i];
    }
    bool full = disk_is_full(machine->snapshot_disk);
    if (!full && lies.count == 0 && !allowed) {
        run_fail(machine->run, SIM_CHECK_SNAPSHOT, "no snapshot can be made: %s", error->text);
    }
}

static bool has_crashed(struct machine *machine) {
    if (!disk_has_crashed(machine->disk) && !disk_has_crashed(machine->snapshot_disk)) return false;
    machine->run->counters.crashes_inside++;
    machine_crash(machine);
    return true;
}

static void draw_crash(struct machine *machine) {
    if (!run_fault(machine->run, SIM_FAULT_CRASH_INSIDE) &&
        !(machine->run->plan.per_million[SIM_FAULT_CRASH_INSIDE] > 0 &&
          random_chance(&machine->random, 200000))) {
        return;
    }
    if (machine->run->calm) return;
    disk_crash_after(machine->snapshot_disk, random_between(&machine->random, 1, 12));
}

void machine_snapshot(struct machine *machine) {
    struct sim_run *run = machine->run;
    struct id128 seed;
    struct snapshot_info info;
    struct snapshot_error error;
    const struct snapshot_recover_options options = {.seed = &seed, .to_lsn = UINT64_MAX};
    if (!machine->up || !machine->snapshot_disk) return;
    draw_crash(machine);
    machine_fill(machine, &seed, sizeof seed);
    int result = snapshot_make(disk_storage(machine->disk), disk_storage(machine->snapshot_disk),
                               UINT64_MAX, run_wall_ms(run), &options, NULL, NULL, &info, &error);
    run_event(run, RUN_EVENT_SNAPSHOT, (uint64_t)(result < 0 ? -result : 0),
              result == 0 ? info.lsn : 0);
    if (has_crashed(machine)) return;
    disk_crash_after(machine->snapshot_disk, 0);
    if (result < 0) failed(machine, &error);
    if (result != 0) return;
    run->counters.snapshots++;
    check(machine, &info);
}

void machine_trim(struct machine *machine) {
    struct sim_run *run = machine->run;
    struct snapshot_error error;
    uint64_t snapshots = 0, segments = 0;
    struct snapshot_retention retention = {
        .keep = (uint32_t)random_between(&machine->random, 1, 3),
        .delete_log = true,
        .applied_lsn = UINT64_MAX,
    };
    if (!machine->up || !machine->snapshot_disk) return;
    if (machine->projection) { /* its own, as in the daemon: a clone may be further */
        struct projection_status status;
        projection_status_get(machine->projection, &status);
        retention.applied_lsn = status.applied_lsn;
    } else if (machine->postgres) {
        retention.applied_lsn = 0;
    }
    draw_crash(machine);
    int result = snapshot_retain(disk_storage(machine->disk), disk_storage(machine->snapshot_disk),
                                 &retention, &snapshots, &segments, &error);
    run_event(run, RUN_EVENT_TRIM, segments, snapshots);
    run->counters.trims += segments;
    if (has_crashed(machine)) return;
    disk_crash_after(machine->snapshot_disk, 0);
    if (result < 0) failed(machine, &error);
}

/* --- at rest: every snapshot and the log after it are the log --------------------------------- */

struct checking {
    struct machine *machine;
    uint64_t should; /* image of the state at the log's end */
};

static void check_from(struct machine *machine, const struct snapshot_info *from,
                       struct world *world, uint64_t should) {
    struct recover_result result;
    struct snapshot_error error;
    const struct snapshot_recover_options options = {0};
    int failed = snapshot_catch_up(disk_storage(machine->disk), from, machine->diary.size, &options,
                                   world, &result, &error);
    machine->run->counters.snapshot_checks++;
    if (failed || machine_image_hash(world) != should) {
        run_fail(machine->run, from->lsn > 0 ? SIM_CHECK_SNAPSHOT : SIM_CHECK_HASH,
                 "the log after LSN %llu does not lead to the state of its end%s%s",
                 (unsigned long long)from->lsn, failed ? ": " : "", failed ? error.text : "");
    }
}

static int check_one(void *context, const struct snapshot_info *info,
                     const struct snapshot_error *error) {
    struct checking *checking = context;
    struct machine *machine = checking->machine;
    struct snapshot_error ignored;
    struct world *world;
    struct id128 seed;
    if (error) return 0; /* the disk has lied about it: nobody will use it */
    machine_fill(machine, &seed, sizeof seed);
    if (snapshot_load(disk_storage(machine->snapshot_disk), info->name, &seed, NULL, &world,
                      &ignored) < 0) {
        return 0; /* likewise */
    }
    check_from(machine, info, world, checking->should);
    world_free(world);
    return 0;
}

void machine_check_snapshots(struct machine *machine) {
    struct checking checking = {machine, machine_image_hash(machine->follower)};
    struct snapshot_error error;
    struct disk_lies lies;
    disk_lies(machine->disk, &lies);
    if (lies.count > 0) return; /* it cannot be read */
    if (machine->snapshot_disk) {
        (void)snapshot_list(disk_storage(machine->snapshot_disk), check_one, &checking,
                            &error); /* memory can be read */
    }
    if (machine->recovery.first_lsn > 0 || machine->run->plan.per_million[SIM_FAULT_TRIM] > 0)
        return;
    struct id128 seed;
    const struct snapshot_info nothing = {0};
    machine_fill(machine, &seed, sizeof seed);
    struct world *world = world_create(&seed);
    check_from(machine, &nothing, world, checking.should);
    world_free(world);
}

/* --- at a start ------------------------------------------------------------------------------- */

/* As the daemon does it. Return: the state to go on from, empty or loaded; NULL: try again later */
struct world *machine_load(struct machine *machine, const struct wal_recovery *found,
                           uint64_t *ret_witness_lsn) {
    const uint8_t *log_id = found->log_exists ? found->log_id : NULL;
    struct sim_run *run = machine->run;
    struct id128 seed;
    struct snapshot_info witness = {0};
    struct snapshot_error error;
    struct world *world = NULL;
    machine_fill(machine, &seed, sizeof seed);
    machine->from = (struct snapshot_info){0};
    *ret_witness_lsn = 0;
    const struct snapshot_recover_options options = {.seed = &seed,
                                                     .log = disk_storage(machine->disk)};
    if (!machine->snapshot_disk) return world_create(&seed);
    struct storage *snapshots = disk_storage(machine->snapshot_disk);
    uint64_t read_errors = machine_read_errors(machine);
    if (snapshot_witness(snapshots, log_id, &witness, &error) < 0) {
        if (machine_read_errors(machine) == read_errors) {
            run_fail(run, SIM_CHECK_SNAPSHOT, "%s", error.text);
        }
        return NULL;
    }
    *ret_witness_lsn = witness.lsn;
    int result = snapshot_newest(snapshots, log_id, found->end_lsn, &options, &machine->from,
                                 &world, &error);
    if (result == 0) {
        run->counters.snapshot_starts++;
        return world;
    }
    if (machine_read_errors(machine) > read_errors)
        return NULL; /* one may serve that was skipped */
    if (result != -SNAPSHOT_NONE) run_fail(run, SIM_CHECK_SNAPSHOT, "%s", error.text);
    machine->from = (struct snapshot_info){0};
    return world_create(&seed);
}
