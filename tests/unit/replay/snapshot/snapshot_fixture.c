/* snapshot_fixture.c - see snapshot_fixture.h */
#include "tests/unit/replay/snapshot/snapshot_fixture.h"

#include <stdio.h>

#include "engine/base/require.h"

#define SEGMENT_BYTES 65536u
#define APPEND_BYTES_MAX 8192u
static const struct id128 seed = {{9}};

static uint64_t fake_now(void *context) { return ((struct snapshot_fixture *)context)->now_ms; }

static void fake_entropy(void *context, void *bytes, uint32_t size) {
    struct snapshot_fixture *fixture = context;
    for (uint32_t i = 0; i < size; i++) ((uint8_t *)bytes)[i] = (uint8_t)(++fixture->entropy * 151);
}

static void skipped(void *context, const struct snapshot_error *error) {
    struct snapshot_fixture *fixture = context;
    REQUIRE(error->text[0] != '\0' && fixture->skipped < SNAPSHOT_FIXTURE_SKIPPED_MAX);
    fixture->codes[fixture->skipped++] = error->code;
}

static void demand(struct snapshot_fixture *fixture, bool good, const char *what) {
    if (good) return;
    printf("# %s: %s\n", what, fixture->error.text);
    REQUIRE(good);
}

void snapshot_fixture_start(struct snapshot_fixture *fixture) {
    struct wal_error error;
    const struct wal_options options = {
        .storage = fixture->log,
        .clock = {fixture, fake_now},
        .entropy = {fixture, fake_entropy},
        .segment_bytes = SEGMENT_BYTES,
        .buffer_bytes = 512u * 1024u,
        .appenders = 1,
    };
    if (wal_open(&options, &fixture->recovery, &fixture->wal, &error) < 0)
        printf("# %s\n", error.text);
    REQUIRE(fixture->wal != NULL);
}

void snapshot_fixture_stop(struct snapshot_fixture *fixture) {
    REQUIRE(wal_stop(fixture->wal) == 0);
    wal_close(fixture->wal);
    fixture->wal = NULL;
}

void snapshot_fixture_init(struct snapshot_fixture *fixture, uint64_t number, uint32_t users) {
    *fixture = (struct snapshot_fixture){.now_ms = 1763755200000ull, .entropy = number};
    fixture->options = (struct snapshot_recover_options){
        .seed = &seed, .to_lsn = UINT64_MAX, .skipped = skipped, .context = fixture};
    REQUIRE(storage_memory_open(&fixture->log) == 0 &&
            storage_memory_open(&fixture->snapshots) == 0);
    memory_log_init(&fixture->records);
    random_history_init(&fixture->history, &fixture->records, number, users);
    snapshot_fixture_start(fixture);
}

void snapshot_fixture_deinit(struct snapshot_fixture *fixture) {
    if (fixture->wal) wal_close(fixture->wal);
    random_history_deinit(&fixture->history);
    memory_log_deinit(&fixture->records);
    fixture->log->operations->destroy(fixture->log);
    fixture->snapshots->operations->destroy(fixture->snapshots);
}

/* The records that came about go to the log, some at a time, as from drains. */
static void write_records(struct snapshot_fixture *fixture) {
    while (fixture->written < fixture->records.size) {
        const uint8_t *bytes = fixture->records.bytes + fixture->written;
        uint32_t size = 0, next = 0;
        do {
            size += next;
            next = 0;
            if (fixture->written + size < fixture->records.size) memcpy(&next, bytes + size, 4);
        } while (next > 0 && size + next <= APPEND_BYTES_MAX);
        uint64_t lsn;
        REQUIRE(wal_append(fixture->wal, 0, bytes, size, &lsn) == 0);
        fixture->written += size;
        REQUIRE(lsn == fixture->written);
        while (wal_durable_lsn(fixture->wal) < lsn)
            REQUIRE(wal_writer_step(fixture->wal, true) >= 0);
    }
}

void snapshot_fixture_run(struct snapshot_fixture *fixture, uint32_t requests) {
    random_history_run(&fixture->history, requests);
    fixture->now_ms += 1000;
    write_records(fixture);
}

int snapshot_fixture_make(struct snapshot_fixture *fixture, struct snapshot_info *ret_info) {
    return snapshot_make(fixture->log, fixture->snapshots, UINT64_MAX, fixture->now_ms,
                         &fixture->options, NULL, NULL, ret_info, &fixture->error);
}

struct snapshot_info snapshot_fixture_make_ok(struct snapshot_fixture *fixture) {
    struct snapshot_info info;
    demand(fixture, snapshot_fixture_make(fixture, &info) == 0, "snapshot_make");
    return info;
}

uint64_t snapshot_fixture_hash(struct snapshot_fixture *fixture, uint64_t lsn) {
    struct recover_result result;
    struct recover_error error;
    struct world *world = world_create(&seed);
    fixture->records.limit_lsn = lsn;
    struct record_source source = memory_log_source(&fixture->records);
    REQUIRE(recover(&source, world, NULL, &result, &error) == 0 && result.last_lsn == lsn);
    fixture->records.limit_lsn = UINT64_MAX;
    world_free(world);
    return result.world_hash;
}

uint64_t snapshot_fixture_newest(struct snapshot_fixture *fixture) {
    struct snapshot_info info;
    struct world *world;
    int rc = snapshot_newest(fixture->snapshots, NULL, UINT64_MAX, &fixture->options, &info, &world,
                             &fixture->error);
    if (rc == -SNAPSHOT_NONE) return 0;
    demand(fixture, rc == 0, "snapshot_newest");
    REQUIRE(world_hash(world) == info.world_hash);
    REQUIRE(info.world_hash == snapshot_fixture_hash(fixture, info.lsn));
    world_free(world);
    return info.lsn;
}

void snapshot_fixture_recovers(struct snapshot_fixture *fixture) {
    struct world *world;
    struct recover_result result;
    int rc = snapshot_recover(fixture->log, fixture->snapshots, fixture->written, &fixture->options,
                              NULL, &world, &result, &fixture->error);
    demand(fixture, rc == 0, "snapshot_recover");
    REQUIRE(result.last_lsn == fixture->written);
    REQUIRE(result.world_hash == world_hash(fixture->history.world));
    world_free(world);
}
