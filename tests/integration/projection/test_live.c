/* test_live.c - the thread, the real log, and a PostgreSQL that comes and goes
 *
 * Real threads and real time here; the tests wait for conditions, never for a fixed time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "engine/base/require.h"
#include "replay/postgres/projection_check.h"
#include "replay/postgres/projection_offline.h"
#include "replay/source/recover.h"
#include "replay/source/source_wal.h"
#include "tests/integration/projection/projection_fixture.h"
#include "tests/support/storage_memory.h"
#include "wal/wal.h"

#define WAIT_MS 60000

static struct projection_fixture *fixture;

static uint64_t clock_ms(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
static uint64_t wall_ms(void *context) {
    (void)context;
    return clock_ms(CLOCK_REALTIME);
}
static void fill(void *context, void *bytes, uint32_t size) {
    (void)context;
    memset(bytes, 0x77, size);
}

/* A log on a disk in memory, with its writer's thread, and a projection that follows it. */
struct followed_log {
    struct storage *storage;
    struct wal *wal;
    struct wal_recovery recovery;
    struct source_wal source;
    struct record_source port;
    struct projection_options options;
    uint64_t appended; /* bytes of the history that are in the log */
};

static uint64_t durable_lsn(void *context) { return wal_durable_lsn(context); }

static void live_open(struct followed_log *live) {
    struct wal_error error;
    *live = (struct followed_log){0};
    assert_int_equal(storage_memory_open(&live->storage), 0);
    struct wal_options options = {.storage = live->storage,
                                  .clock = {NULL, wall_ms},
                                  .entropy = {NULL, fill},
                                  .segment_bytes = 1u << 20,
                                  .appenders = 1};
    assert_int_equal(wal_open(&options, &live->recovery, &live->wal, &error), 0);
    assert_int_equal(wal_start(live->wal, &error), 0);
    source_wal_init(&live->source, live->storage, durable_lsn, live->wal, 0, &live->port);
    live->options = projection_fixture_options(fixture, 0);
    live->options.source = &live->port;
    live->options.clock = (struct clock_port){NULL, wall_ms};
    live->options.batch_ms = 20;
}

static void live_close(struct followed_log *live) {
    source_wal_deinit(&live->source);
    assert_int_equal(wal_stop(live->wal), 0);
    wal_close(live->wal);
    live->storage->operations->destroy(live->storage);
}

/* Append the history's records up to this offset, in drains. */
static void live_append(struct followed_log *live, uint64_t until) {
    const struct memory_log *log = &fixture->log;
    while (live->appended < until) {
        uint32_t drain = 0, size;
        uint64_t lsn;
        while (live->appended + drain < until && drain < 8000) {
            memcpy(&size, log->bytes + live->appended + drain, sizeof size);
            drain += size;
        }
        int result = wal_append(live->wal, 0, log->bytes + live->appended, drain, &lsn);
        assert_true(result == 0 || result == WAL_FULL);
        if (result == 0) live->appended += drain;
    }
}

static bool wait_until(struct projection *projection, uint64_t applied_lsn, uint32_t state) {
    struct projection_status status = {0};
    struct timespec pause = {0, 2000000};
    uint64_t began_ms = clock_ms(CLOCK_MONOTONIC);
    while (clock_ms(CLOCK_MONOTONIC) - began_ms < WAIT_MS) {
        projection_status_get(projection, &status);
        if (status.applied_lsn >= applied_lsn && status.state == state) return true;
        nanosleep(&pause, NULL);
    }
    print_message("# %s at %llu: %s\n", projection_state_name(status.state),
                  (unsigned long long)status.applied_lsn, status.text);
    return false;
}

static void assert_rows_agree(void) {
    struct projection_comparison report;
    assert_int_equal(projection_check(fixture->postgres.conninfo, fixture->history.world, &report),
                     0);
    if (report.mismatches) print_message("# %s\n", report.text);
    assert_int_equal(report.mismatches, 0);
}

static void follows_the_durable_lsn(void **state) {
    (void)state;
    struct followed_log live;
    projection_fixture_begin(fixture, 21, 3000);
    live_open(&live);
    struct projection *projection = projection_create(&live.options);
    assert_int_equal(projection_start(projection), 0);
    for (uint64_t part = 1; part <= 4; part++) {
        live_append(&live, fixture->log.size * part / 4);
        assert_true(wait_until(projection, live.appended, PROJECTION_FOLLOWING));
    }
    struct projection_status status;
    projection_status_get(projection, &status);
    assert_int_equal(status.applied_lsn, wal_durable_lsn(live.wal));
    assert_int_equal(status.lag_bytes, 0);
    projection_stop(projection);
    projection_free(projection);
    assert_rows_agree();
    live_close(&live);
    projection_fixture_end(fixture);
}

static void postgres_is_down_and_comes_back(void **state) {
    (void)state;
    struct followed_log live;
    projection_fixture_begin(fixture, 22, 3000);
    live_open(&live);
    postgres_fixture_stop(&fixture->postgres, SIGINT);
    struct projection *projection = projection_create(&live.options);
    assert_int_equal(projection_start(projection), 0);
    live_append(&live, fixture->log.size / 2); /* sales go on */
    assert_true(wait_until(projection, 0, PROJECTION_RETRYING));
    postgres_fixture_start(&fixture->postgres);
    assert_true(wait_until(projection, live.appended, PROJECTION_FOLLOWING));
    postgres_fixture_stop(&fixture->postgres, SIGQUIT);
    live_append(&live, fixture->log.size);
    assert_true(wait_until(projection, 0, PROJECTION_RETRYING));
    postgres_fixture_start(&fixture->postgres);
    assert_true(wait_until(projection, live.appended, PROJECTION_FOLLOWING));
    projection_stop(projection);
    projection_free(projection);
    assert_rows_agree();
    live_close(&live);
    projection_fixture_end(fixture);
}

/* A server that hangs (here: stopped by a signal) holds nobody up: the thread ends when told to. */
static void stopping_does_not_wait_for_a_server_that_hangs(void **state) {
    (void)state;
    struct followed_log live;
    projection_fixture_begin(fixture, 23, 300);
    live_open(&live);
    live_append(&live, fixture->log.size);
    assert_int_equal(kill(fixture->postgres.pid, SIGSTOP), 0);
    struct projection *projection = projection_create(&live.options);
    assert_int_equal(projection_start(projection), 0);
    struct timespec pause = {0, 100000000};
    nanosleep(&pause, NULL); /* let it begin to wait; the test passes as well if it has not */
    uint64_t began_ms = clock_ms(CLOCK_MONOTONIC);
    projection_stop(projection);
    assert_true(clock_ms(CLOCK_MONOTONIC) - began_ms < 2000);
    assert_int_equal(kill(fixture->postgres.pid, SIGCONT), 0);

    assert_int_equal(projection_start(projection), 0); /* and can be started again */
    assert_true(wait_until(projection, live.appended, PROJECTION_FOLLOWING));
    projection_stop(projection);
    projection_free(projection);
    live_close(&live);
    projection_fixture_end(fixture);
}

/* The log's own recovery refuses to cut below what PostgreSQL has seen. */
static void the_applied_lsn_is_a_witness_for_recovery(void **state) {
    (void)state;
    struct followed_log live;
    struct wal_error error;
    struct wal_recovery recovery;
    char text[PROJECTION_TEXT_BYTES];
    uint64_t lsn = 0;
    projection_fixture_begin(fixture, 24, 500);
    live_open(&live);
    live_append(&live, fixture->log.size);
    struct projection *projection = projection_create(&live.options);
    assert_int_equal(projection_start(projection), 0);
    assert_true(wait_until(projection, live.appended, PROJECTION_FOLLOWING));
    projection_stop(projection);
    projection_free(projection);
    live_close(&live);
    assert_int_equal(
        projection_applied_lsn(live.options.conninfo, &live.options.log_id, &lsn, text),
        PROJECTION_FOUND);
    assert_int_equal(lsn, fixture->log.size);

    struct followed_log shorter;
    live_open(&shorter); /* a log that has lost its second half */
    live_append(&shorter, fixture->log.size / 2);
    assert_int_equal(wal_stop(shorter.wal), 0);
    wal_close(shorter.wal);
    struct wal_recovery_options options = {.witness_lsn = lsn};
    assert_true(wal_recover(shorter.storage, &options, &recovery, &error) < 0);
    options.witness_lsn = 0;
    assert_int_equal(wal_recover(shorter.storage, &options, &recovery, &error), 0);
    shorter.storage->operations->destroy(shorter.storage);
    projection_fixture_end(fixture);
}

/* The real log into a world: what the daemon does at start. */
static void recovers_from_the_real_log(void **state) {
    (void)state;
    struct followed_log live;
    struct recover_result result;
    struct recover_error error;
    projection_fixture_begin(fixture, 25, 3000);
    live_open(&live);
    live_append(&live, fixture->log.size);
    assert_int_equal(wal_stop(live.wal), 0);
    wal_close(live.wal);
    struct source_wal source;
    struct record_source port;
    source_wal_init(&source, live.storage, NULL, NULL, WAL_READER_NO_LIMIT, &port);
    struct world *world = world_create(&(struct id128){{5}});
    assert_int_equal(recover(&port, world, NULL, &result, &error), 0);
    assert_int_equal(result.last_lsn, fixture->log.size);
    assert_true(result.hashes_verified > 10);
    assert_true(result.world_hash == world_hash(fixture->history.world));
    world_free(world);
    source_wal_deinit(&source);
    live.storage->operations->destroy(live.storage);
    projection_fixture_end(fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_durable_lsn),
        cmocka_unit_test(postgres_is_down_and_comes_back),
        cmocka_unit_test(stopping_does_not_wait_for_a_server_that_hangs),
        cmocka_unit_test(the_applied_lsn_is_a_witness_for_recovery),
        cmocka_unit_test(recovers_from_the_real_log),
    };
    if (!postgres_fixture_available()) {
        printf("1..0 # SKIP no PostgreSQL server here\n");
        return 0;
    }
    fixture = projection_fixture_create();
    int failed = cmocka_run_group_tests_name("projection live", tests, NULL, NULL);
    projection_fixture_free(fixture);
    return failed;
}
