/* test_crash.c - crashes at random moments, on a disk that tears writes, and on a disk that lies
 *
 * The model is the list of LSNs that records ended at. After each crash: everything that was
 * reported durable is there, what is there is a prefix of what was appended, byte by byte.
 */
#include "tests/unit/wal/wal_fixture.h"

#include <stdlib.h>

#include "wal/block.h"

#define RECORDS_MAX 20000

struct crash_model {
    struct wal_fixture fixture;
    struct random random;
    uint64_t ends[RECORDS_MAX + 1]; /* LSN after record i-1; ends[0] = 0 */
    uint64_t durable_lsn;           /* reported */
};

static void append_some(struct crash_model *model) {
    uint64_t count = random_below(&model->random, 20);
    for (uint64_t i = 0; i < count && model->fixture.next_number < RECORDS_MAX; i++) {
        uint64_t kind = random_below(&model->random, 4);
        uint32_t size = 20 + random_index(&model->random, kind == 0 ? 4077 : 100);
        uint64_t lsn = wal_fixture_append(&model->fixture, size);
        model->ends[model->fixture.next_number] = lsn;
    }
}

/* Appends, steps, time passes. */
static void run_some(struct crash_model *model) {
    struct wal_fixture *fixture = &model->fixture;
    uint64_t moves = random_below(&model->random, 60);
    for (uint64_t i = 0; i < moves; i++) {
        switch (random_below(&model->random, 8)) {
        case 0:
        case 1: append_some(model); break;
        case 2: fixture->now_ms += random_below(&model->random, 500); break;
        case 3: storage_memory_delay(fixture->disk, random_index(&model->random, 4)); break;
        case 4:
            (void)wal_prepare_step(fixture->wal); /* early, or not; both are fine */
            break;
        default: assert_true(wal_writer_step(fixture->wal, false) >= 0); break;
        }
        uint64_t durable = wal_durable_lsn(fixture->wal);
        assert_true(durable >= model->durable_lsn);
        model->durable_lsn = durable;
    }
}

/* What recovery found must be at the end of a record; go on from there. */
static void check_prefix(struct crash_model *model) {
    struct wal_fixture *fixture = &model->fixture;
    uint64_t end = fixture->recovery.end_lsn;
    assert_true(end >= model->durable_lsn);
    while (fixture->next_number > 0 && model->ends[fixture->next_number] > end) {
        fixture->next_number--;
    }
    assert_int_equal(model->ends[fixture->next_number], end);
    assert_int_equal(wal_fixture_read_all(fixture->disk, end), fixture->next_number);
    model->durable_lsn = end;
}

static void reopen(struct crash_model *model) {
    model->fixture.options.witness_lsn = model->durable_lsn;
    wal_fixture_open_ok(&model->fixture);
    check_prefix(model);
}

static struct crash_model *make_model(uint64_t seed) {
    struct crash_model *model = calloc(1, sizeof *model);
    assert_non_null(model);
    model->random = (struct random){seed};
    wal_fixture_init(&model->fixture);
    model->fixture.options.segment_bytes = WAL_SEGMENT_BYTES_MIN;
    return model;
}

static void test_crashes(void **state) {
    (void)state;
    uint64_t seed = random_seed(20240601);
    uint64_t torn = 0;
    for (int run = 0; run < 60; run++) {
        struct crash_model *model = make_model(seed + (uint64_t)run);
        for (int epoch = 0; epoch < 8; epoch++) {
            reopen(model);
            torn += model->fixture.recovery.torn;
            run_some(model);
            if (random_below(&model->random, 5) == 0) {
                assert_int_equal(wal_stop(model->fixture.wal), 0);
                model->durable_lsn = wal_durable_lsn(model->fixture.wal);
                assert_int_equal(model->durable_lsn, model->ends[model->fixture.next_number]);
            } else {
                (void)storage_memory_crash(model->fixture.disk,
                                           random_next(&model->random)); /* in flight or not */
            }
            wal_fixture_kill(&model->fixture);
        }
        reopen(model);
        wal_fixture_deinit(&model->fixture);
        free(model);
    }
    assert_true(torn > 20); /* or this test tests nothing */
}

/* The write of a new segment's header fails: within wal_open, or, where it may wait, with the first
 * record. */
static void fail_to_begin(struct crash_model *model) {
    struct wal_fixture *fixture = &model->fixture;
    storage_memory_fault(fixture->disk, STORAGE_FAULT_FAIL, 0, random_next(&model->random));
    fixture->options.witness_lsn = model->durable_lsn;
    int rc = wal_fixture_open(fixture);
    if (rc == 0) {
        assert_true(fixture->recovery.sealed && !fixture->recovery.torn);
        check_prefix(model);
        (void)wal_fixture_append(fixture, 100);
        do { rc = wal_writer_step(fixture->wal, true); } while (rc >= 0);
        fixture->next_number--; /* nobody was told of it */
        wal_fixture_kill(fixture);
    }
    assert_int_equal(rc, -WAL_ERROR_IO);
}

/* Crash while an epoch begins: the header of the new segment is torn. */
static void test_crash_in_open(void **state) {
    (void)state;
    uint64_t seed = random_seed(20240602);
    for (int run = 0; run < 40; run++) {
        struct crash_model *model = make_model(seed + (uint64_t)run);
        for (int epoch = 0; epoch < 4; epoch++) {
            fail_to_begin(model);
            reopen(model);
            run_some(model);
            (void)storage_memory_crash(model->fixture.disk,
                                       random_next(&model->random)); /* in flight or not */
            wal_fixture_kill(&model->fixture);
        }
        wal_fixture_deinit(&model->fixture);
        free(model);
    }
}

/* A disk that says 0 and did not write: refused whenever something acknowledged is lost. */
static void test_lies(void **state) {
    (void)state;
    static const enum storage_fault faults[] = {STORAGE_FAULT_DROP, STORAGE_FAULT_TEAR,
                                                STORAGE_FAULT_FLIP};
    uint64_t seed = random_seed(20240603);
    uint64_t refused = 0;
    for (int run = 0; run < 150; run++) {
        struct crash_model *model = make_model(seed + (uint64_t)run);
        struct wal_fixture *fixture = &model->fixture;
        reopen(model);
        storage_memory_fault(fixture->disk, faults[run % 3], random_below(&model->random, 6),
                             random_next(&model->random));
        for (int i = 0; i < 3; i++) run_some(model);
        (void)storage_memory_crash(fixture->disk, random_next(&model->random)); /* either way */
        wal_fixture_kill(fixture);
        fixture->options.witness_lsn = model->durable_lsn;
        int rc = wal_fixture_open(fixture);
        if (rc == 0) {
            check_prefix(model);
        } else {
            assert_int_equal(rc, -WAL_ERROR_CORRUPT);
            assert_true(fixture->error.lsn <= model->durable_lsn);
            refused++;
        }
        wal_fixture_deinit(fixture);
        free(model);
    }
    assert_true(refused > 30);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crashes),
        cmocka_unit_test(test_crash_in_open),
        cmocka_unit_test(test_lies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
