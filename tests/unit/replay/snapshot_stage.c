#include "tests/unit/replay/snapshot_stage.h"

#include <stdio.h>

#include "engine/base/require.h"

#define SEGMENT_BYTES 65536u
#define APPEND_BYTES_MAX 8192u
static const struct id128 seed = {{9}};

static uint64_t fake_now(void *context) { return ((struct snapshot_stage *)context)->now_ms; }

static void fake_entropy(void *context, void *bytes, uint32_t size) {
    struct snapshot_stage *stage = context;
    for (uint32_t i = 0; i < size; i++) ((uint8_t *)bytes)[i] = (uint8_t)(++stage->entropy * 151);
}

static void skipped(void *context, const struct snapshot_error *error) {
    struct snapshot_stage *stage = context;
    REQUIRE(error->text[0] != '\0' && stage->skipped < SNAPSHOT_STAGE_SKIPPED_MAX);
    stage->codes[stage->skipped++] = error->code;
}

static void demand(struct snapshot_stage *stage, bool good, const char *what) {
    if (good) return;
    printf("# %s: %s\n", what, stage->error.text);
    REQUIRE(good);
}

void snapshot_stage_start(struct snapshot_stage *stage) {
    struct wal_error error;
    const struct wal_options options = {
        .storage = stage->log,
        .clock = {stage, fake_now},
        .entropy = {stage, fake_entropy},
        .segment_bytes = SEGMENT_BYTES,
        .buffer_bytes = 512u * 1024u,
        .appenders = 1,
    };
    if (wal_open(&options, &stage->recovery, &stage->wal, &error) < 0) printf("# %s\n", error.text);
    REQUIRE(stage->wal != NULL);
}

void snapshot_stage_stop(struct snapshot_stage *stage) {
    REQUIRE(wal_stop(stage->wal) == 0);
    wal_close(stage->wal);
    stage->wal = NULL;
}

void snapshot_stage_init(struct snapshot_stage *stage, uint64_t number, uint32_t users) {
    *stage = (struct snapshot_stage){.now_ms = 1763755200000ull, .entropy = number};
    stage->options = (struct snapshot_recover_options){
        .seed = &seed, .to_lsn = UINT64_MAX, .skipped = skipped, .context = stage};
    REQUIRE(storage_memory_open(&stage->log) == 0 && storage_memory_open(&stage->snapshots) == 0);
    memory_log_init(&stage->records);
    history_init(&stage->history, &stage->records, number, users);
    snapshot_stage_start(stage);
}

void snapshot_stage_deinit(struct snapshot_stage *stage) {
    if (stage->wal) wal_close(stage->wal);
    history_deinit(&stage->history);
    memory_log_deinit(&stage->records);
    stage->log->operations->destroy(stage->log);
    stage->snapshots->operations->destroy(stage->snapshots);
}

/* The records that came about go to the log, some at a time, as from drains. */
static void write_records(struct snapshot_stage *stage) {
    while (stage->written < stage->records.size) {
        const uint8_t *bytes = stage->records.bytes + stage->written;
        uint32_t size = 0, next = 0;
        do {
            size += next;
            next = 0;
            if (stage->written + size < stage->records.size) memcpy(&next, bytes + size, 4);
        } while (next > 0 && size + next <= APPEND_BYTES_MAX);
        uint64_t lsn;
        REQUIRE(wal_append(stage->wal, 0, bytes, size, &lsn) == 0);
        stage->written += size;
        REQUIRE(lsn == stage->written);
        while (wal_durable_lsn(stage->wal) < lsn) REQUIRE(wal_writer_step(stage->wal, true) >= 0);
    }
}

void snapshot_stage_run(struct snapshot_stage *stage, uint32_t requests) {
    history_run(&stage->history, requests);
    stage->now_ms += 1000;
    write_records(stage);
}

int snapshot_stage_make(struct snapshot_stage *stage, struct snapshot_info *ret_info) {
    return snapshot_make(stage->log, stage->snapshots, UINT64_MAX, stage->now_ms, &stage->options,
                         NULL, NULL, ret_info, &stage->error);
}

struct snapshot_info snapshot_stage_make_ok(struct snapshot_stage *stage) {
    struct snapshot_info info;
    demand(stage, snapshot_stage_make(stage, &info) == 0, "snapshot_make");
    return info;
}

uint64_t snapshot_stage_hash(struct snapshot_stage *stage, uint64_t lsn) {
    struct recover_result result;
    struct recover_error error;
    struct world *world = world_create(&seed);
    stage->records.limit_lsn = lsn;
    struct record_source source = memory_log_source(&stage->records);
    REQUIRE(recover(&source, world, NULL, &result, &error) == 0 && result.last_lsn == lsn);
    stage->records.limit_lsn = UINT64_MAX;
    world_free(world);
    return result.world_hash;
}

uint64_t snapshot_stage_newest(struct snapshot_stage *stage) {
    struct snapshot_info info;
    struct world *world;
    int rc = snapshot_newest(stage->snapshots, NULL, UINT64_MAX, &stage->options, &info, &world,
                             &stage->error);
    if (rc == -SNAPSHOT_NONE) return 0;
    demand(stage, rc == 0, "snapshot_newest");
    REQUIRE(world_hash(world) == info.world_hash);
    REQUIRE(info.world_hash == snapshot_stage_hash(stage, info.lsn));
    world_free(world);
    return info.lsn;
}

void snapshot_stage_recovers(struct snapshot_stage *stage) {
    struct world *world;
    struct recover_result result;
    int rc = snapshot_recover(stage->log, stage->snapshots, stage->written, &stage->options, NULL,
                              &world, &result, &stage->error);
    demand(stage, rc == 0, "snapshot_recover");
    REQUIRE(result.last_lsn == stage->written);
    REQUIRE(result.world_hash == world_hash(stage->history.world));
    world_free(world);
}
