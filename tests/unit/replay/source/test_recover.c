/* test_recover.c - the log into a world, and every way in which that must be refused */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "replay/source/recover.h"
#include "tests/support/random_history.h"

static const struct id128 seed = {{7}};

static void replay_reaches_the_live_state(void **state) {
    (void)state;
    for (uint64_t number = 1; number <= 5; number++) {
        struct memory_log log;
        struct random_history history;
        struct recover_result result;
        struct recover_error error;
        printf("# seed %llu\n", (unsigned long long)number);
        memory_log_init(&log);
        random_history_init(&history, &log, number, 40);
        random_history_run(&history, 4000); /* not settled: payments are under way */
        struct world *world = world_create(&seed);
        struct record_source source = memory_log_source(&log);
        assert_int_equal(recover(&source, world, NULL, &result, &error), 0);
        assert_true(result.world_hash == world_hash(history.world));
        assert_int_equal(result.last_lsn, log.size);
        assert_int_equal(result.bytes, log.size);
        assert_true(result.hashes_verified >= 60);
        assert_true(result.decisions[DECISION_SEATS_SOLD] > 10);
        assert_true(result.last_time_ms <= history.now_ms && result.last_time_ms > 0);
        world_free(world);
        random_history_deinit(&history);
        memory_log_deinit(&log);
    }
}

static void an_empty_log_is_an_empty_world(void **state) {
    (void)state;
    struct memory_log log;
    struct recover_result result;
    struct recover_error error;
    memory_log_init(&log);
    struct world *world = world_create(&seed), *fresh = world_create(&seed);
    struct record_source source = memory_log_source(&log);
    assert_int_equal(recover(&source, world, NULL, &result, &error), 0);
    assert_int_equal(result.records, 0);
    assert_true(result.world_hash == world_hash(fresh));
    world_free(world);
    world_free(fresh);
}

struct recover_progress {
    uint32_t calls;
    uint64_t records, lsn;
};
static void note(void *context, uint64_t records, uint64_t bytes, uint64_t lsn) {
    struct recover_progress *progress = context;
    assert_true(records > progress->records || progress->calls == 0 || lsn == progress->lsn);
    assert_int_equal(bytes, lsn);
    *progress = (struct recover_progress){progress->calls + 1, records, lsn};
}

/* A snapshot is a world and an LSN: replay from the middle onto it reaches the same end. */
static void replay_in_two_parts_with_progress(void **state) {
    (void)state;
    struct memory_log log;
    struct random_history history;
    struct recover_result half, whole;
    struct recover_error error;
    struct recover_progress progress = {0, 0, 0};
    memory_log_init(&log);
    random_history_init(&history, &log, 8, 40);
    random_history_run(&history, 1000);
    uint64_t middle_lsn = log.size;
    random_history_run(&history, 1000);
    struct world *world = world_create(&seed);
    struct record_source source = memory_log_source(&log);
    log.limit_lsn = middle_lsn;
    struct recover_options options = {
        .progress_every = 100, .progress = note, .progress_context = &progress};
    assert_int_equal(recover(&source, world, &options, &half, &error), 0);
    assert_int_equal(half.last_lsn, middle_lsn);
    assert_int_equal(progress.calls, half.records / 100 + 1);
    assert_int_equal(progress.lsn, middle_lsn);
    log.limit_lsn = UINT64_MAX;
    options = (struct recover_options){.from_lsn = middle_lsn};
    assert_int_equal(recover(&source, world, &options, &whole, &error), 0);
    assert_true(whole.world_hash == world_hash(history.world));
    world_free(world);
    random_history_deinit(&history);
    memory_log_deinit(&log);
}

static struct decision concert(void) {
    return (struct decision){.kind = DECISION_CONCERT_CREATED,
                             .partition = PARTITION_CATALOGUE,
                             .time_ms = 1763755200000ull,
                             .concert_created = {.concert = 1, .title = {"Aida", 4}}};
}

/* One good record, then the bad one. */
static void expect(struct memory_log *log, uint64_t bad_lsn, enum recover_failure failure,
                   const char *named) {
    struct recover_result result = {.records = 77};
    struct recover_error error;
    struct world *world = world_create(&seed);
    struct record_source source = memory_log_source(log);
    assert_int_equal(recover(&source, world, NULL, &result, &error), -(int)failure);
    assert_int_equal(error.failure, failure);
    assert_int_equal(error.lsn, bad_lsn);
    if (!strstr(error.text, named)) print_message("# %s\n", error.text);
    assert_non_null(strstr(error.text, named));
    assert_int_equal(result.records, 77); /* only on success */
    world_free(world);
    memory_log_deinit(log);
}

static void a_partition_that_nobody_created(void **state) {
    (void)state;
    struct memory_log log;
    struct decision good = concert(), bad = {.kind = DECISION_DATE_OPENED,
                                             .partition = partition_of_date(9),
                                             .time_ms = good.time_ms};
    memory_log_init(&log);
    (void)memory_log_append(&log, &good);
    uint64_t bad_lsn = memory_log_append(&log, &bad);
    expect(&log, bad_lsn, RECOVER_NO_PARTITION, "date_opened of date/9");
}

static void a_state_hash_that_disagrees(void **state) {
    (void)state;
    struct memory_log log;
    struct decision good = concert(), bad = {.kind = DECISION_STATE_HASHED,
                                             .partition = PARTITION_CATALOGUE,
                                             .time_ms = good.time_ms,
                                             .state_hashed = {12345}};
    memory_log_init(&log);
    (void)memory_log_append(&log, &good);
    uint64_t bad_lsn = memory_log_append(&log, &bad);
    (void)memory_log_append(&log, &good);
    expect(&log, bad_lsn, RECOVER_HASH_MISMATCH, "state_hashed of catalogue");
}

static void time_that_runs_backwards(void **state) {
    (void)state;
    struct memory_log log;
    struct decision good = concert(), bad = concert();
    bad.concert_created.concert = 2;
    bad.time_ms--;
    memory_log_init(&log);
    (void)memory_log_append(&log, &good);
    uint64_t bad_lsn = memory_log_append(&log, &bad);
    expect(&log, bad_lsn, RECOVER_NOT_APPLICABLE, "concert_created of catalogue");
}

static void records_that_cannot_be_decoded(void **state) {
    (void)state;
    static const struct {
        uint32_t at;
        uint8_t byte;
        const char *named;
    } cases[] = {
        {4, 0xFE, "newer usher"},                      /* kind */
        {6, 1, "body cannot be read"},                 /* reserved */
        {RECORD_HEADER_BYTES + 4, 200, "body cannot"}, /* title runs over the end */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct memory_log log;
        uint8_t bytes[RECORD_BYTES_MAX];
        struct decision good = concert();
        memory_log_init(&log);
        (void)memory_log_append(&log, &good);
        uint32_t size = decision_encode(&good, bytes);
        bytes[cases[i].at] = cases[i].byte;
        uint64_t bad_lsn = memory_log_append_bytes(&log, bytes, size);
        expect(&log, bad_lsn, RECOVER_UNDECODABLE, cases[i].named);
    }
}

static void a_source_that_fails(void **state) {
    (void)state;
    struct memory_log log;
    struct decision good = concert();
    memory_log_init(&log);
    uint64_t lsn = memory_log_append(&log, &good);
    (void)memory_log_append(&log, &good);
    log.fails_at = lsn;
    expect(&log, lsn, RECOVER_SOURCE, "the disk fell off");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replay_reaches_the_live_state),
        cmocka_unit_test(an_empty_log_is_an_empty_world),
        cmocka_unit_test(replay_in_two_parts_with_progress),
        cmocka_unit_test(a_partition_that_nobody_created),
        cmocka_unit_test(a_state_hash_that_disagrees),
        cmocka_unit_test(time_that_runs_backwards),
        cmocka_unit_test(records_that_cannot_be_decoded),
        cmocka_unit_test(a_source_that_fails),
    };
    return cmocka_run_group_tests_name("recover", tests, NULL, NULL);
}
