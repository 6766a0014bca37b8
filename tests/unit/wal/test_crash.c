/* test_crash.c - crashes at random moments, on a disk that tears writes, and on a disk that lies
 *
 * The model is the list of LSNs that records ended at. After each crash: everything that was
 * reported durable is there, what is there is a prefix of what was appended, byte by byte.
 */
#include "harness.h"

#include "wal/block.h"

#include <stdlib.h>

#define RECORDS_MAX 20000

struct model {
    struct harness harness;
    struct random random;
    uint64_t ends[RECORDS_MAX + 1]; /* LSN after record i-1; ends[0] = 0 */
    uint64_t durable_lsn;           /* reported */
};

static void append_some(struct model *model) {
    uint64_t count = random_below(&model->random, 20);
    for (uint64_t i = 0; i < count && model->harness.next_number < RECORDS_MAX; i++) {
        uint64_t kind = random_below(&model->random, 4);
        uint32_t size = 20 + random_index(&model->random, kind == 0 ? 4077 : 100);
        uint64_t lsn = harness_append(&model->harness, size);
        model->ends[model->harness.next_number] = lsn;
    }
}

/* Appends, steps, time passes. */
static void run_some(struct model *model) {
    struct harness *harness = &model->harness;
    uint64_t moves = random_below(&model->random, 60);
    for (uint64_t i = 0; i < moves; i++) {
        switch (random_below(&model->random, 8)) {
        case 0:
        case 1: append_some(model); break;
        case 2: harness->now_ms += random_below(&model->random, 500); break;
        case 3: storage_memory_delay(harness->disk, random_index(&model->random, 4)); break;
        case 4:
            (void)wal_prepare_step(harness->wal); /* early, or not; both are fine */
            break;
        default: assert_true(wal_writer_step(harness->wal, false) >= 0); break;
        }
        uint64_t durable = wal_durable_lsn(harness->wal);
        assert_true(durable >= model->durable_lsn);
        model->durable_lsn = durable;
    }
}

/* What recovery found must be at the end of a record; go on from there. */
static void check_prefix(struct model *model) {
    struct harness *harness = &model->harness;
    uint64_t end = harness->recovery.end_lsn;
    assert_true(end >= model->durable_lsn);
    while (harness->next_number > 0 && model->ends[harness->next_number] > end) {
        harness->next_number--;
    }
    assert_int_equal(model->ends[harness->next_number], end);
    assert_int_equal(harness_read_all(harness->disk, end), harness->next_number);
    model->durable_lsn = end;
}

static void reopen(struct model *model) {
    model->harness.options.witness_lsn = model->durable_lsn;
    harness_open_ok(&model->harness);
    check_prefix(model);
}

static struct model *make_model(uint64_t seed) {
    struct model *model = calloc(1, sizeof *model);
    assert_non_null(model);
    model->random = (struct random){seed};
    harness_init(&model->harness);
    model->harness.options.segment_bytes = WAL_SEGMENT_BYTES_MIN;
    return model;
}

static void test_crashes(void **state) {
    (void)state;
    uint64_t seed = random_seed(20240601);
    uint64_t torn = 0;
    for (int run = 0; run < 60; run++) {
        struct model *model = make_model(seed + (uint64_t)run);
        for (int epoch = 0; epoch < 8; epoch++) {
            reopen(model);
            torn += model->harness.recovery.torn;
            run_some(model);
            if (random_below(&model->random, 5) == 0) {
                assert_int_equal(wal_stop(model->harness.wal), 0);
                model->durable_lsn = wal_durable_lsn(model->harness.wal);
                assert_int_equal(model->durable_lsn, model->ends[model->harness.next_number]);
            } else {
                (void)storage_memory_crash(model->harness.disk,
                                           random_next(&model->random)); /* in flight or not */
            }
            harness_kill(&model->harness);
        }
        reopen(model);
        harness_deinit(&model->harness);
        free(model);
    }
    assert_true(torn > 20); /* or this test tests nothing */
}

/* The write of a new segment's header fails: within wal_open, or, where it may wait, with the first
 * record. */
static void fail_to_begin(struct model *model) {
    struct harness *harness = &model->harness;
    storage_memory_fault(harness->disk, STORAGE_FAULT_FAIL, 0, random_next(&model->random));
    harness->options.witness_lsn = model->durable_lsn;
    int rc = harness_open(harness);
    if (rc == 0) {
        assert_true(harness->recovery.sealed && !harness->recovery.torn);
        check_prefix(model);
        (void)harness_append(harness, 100);
        do { rc = wal_writer_step(harness->wal, true); } while (rc >= 0);
        harness->next_number--; /* nobody was told of it */
        harness_kill(harness);
    }
    assert_int_equal(rc, -WAL_ERROR_IO);
}

/* Crash while an epoch begins: the header of the new segment is torn. */
static void test_crash_in_open(void **state) {
    (void)state;
    uint64_t seed = random_seed(20240602);
    for (int run = 0; run < 40; run++) {
        struct model *model = make_model(seed + (uint64_t)run);
        for (int epoch = 0; epoch < 4; epoch++) {
            fail_to_begin(model);
            reopen(model);
            run_some(model);
            (void)storage_memory_crash(model->harness.disk,
                                       random_next(&model->random)); /* in flight or not */
            harness_kill(&model->harness);
        }
        harness_deinit(&model->harness);
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
        struct model *model = make_model(seed + (uint64_t)run);
        struct harness *harness = &model->harness;
        reopen(model);
        storage_memory_fault(harness->disk, faults[run % 3], random_below(&model->random, 6),
                             random_next(&model->random));
        for (int i = 0; i < 3; i++) run_some(model);
        (void)storage_memory_crash(harness->disk, random_next(&model->random)); /* either way */
        harness_kill(harness);
        harness->options.witness_lsn = model->durable_lsn;
        int rc = harness_open(harness);
        if (rc == 0) {
            check_prefix(model);
        } else {
            assert_int_equal(rc, -WAL_ERROR_CORRUPT);
            assert_true(harness->error.lsn <= model->durable_lsn);
            refused++;
        }
        harness_deinit(harness);
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
