/* test_beginning.c - where a log begins, and how far it says that it is durable */
#include "tests/unit/wal/wal_fixture.h"

#include <string.h>

#include "wal/trim.h"

/* A log that goes on where a snapshot ends. */
static void test_first_lsn(void **state) {
    (void)state;
    static const uint64_t table[] = {1, 20, 4096, 123456789, WAL_FIRST_LSN_MAX};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        uint64_t first = table[i];
        struct wal_fixture fixture;
        struct wal_reader *early;
        struct wal_reader *reader;
        struct wal_record record;
        wal_fixture_init(&fixture);
        fixture.options.segment_bytes = WAL_SEGMENT_BYTES_MIN;
        fixture.options.first_lsn = first;
        assert_int_equal(wal_reader_open(fixture.disk, 0, &early, &fixture.error), 0);
        wal_fixture_open_ok(&fixture);
        assert_false(fixture.recovery.log_exists);
        assert_int_equal(fixture.recovery.first_lsn, first);
        assert_int_equal(fixture.recovery.end_lsn, first);
        assert_int_equal(wal_durable_lsn(fixture.wal), first);
        uint64_t size;
        struct segment_header header;
        uint32_t version;
        assert_int_equal(
            segment_decode(wal_fixture_segment(fixture.disk, 1, &size), &header, &version),
            SEGMENT_USED);
        assert_int_equal(header.number, 1);
        assert_int_equal(header.epoch, 1);
        assert_int_equal(header.first_lsn, first);
        assert_int_equal(header.chain, 0);
        wal_fixture_kill(&fixture);
        assert_int_equal(wal_fixture_open(&fixture), -WAL_ERROR_OPTIONS); /* there is a log now */
        fixture.options.first_lsn = 0;
        for (int epoch = 2; epoch <= 4; epoch++) {
            wal_fixture_open_ok(&fixture);
            assert_true(fixture.recovery.log_exists);
            assert_int_equal(fixture.recovery.first_lsn, first);
            for (int j = 0; j < 20; j++) (void)wal_fixture_block(&fixture, 3000);
            wal_fixture_stop(&fixture);
        }
        uint64_t end = first + 60ull * 3000;
        fixture.options.witness_lsn = end + 1;
        assert_int_equal(wal_fixture_open(&fixture), -WAL_ERROR_CORRUPT);
        fixture.options.witness_lsn = end;
        wal_fixture_open_ok(&fixture);
        assert_int_equal(fixture.recovery.end_lsn, end);
        assert_int_equal(fixture.recovery.durable_lsn, end);
        assert_int_equal(wal_reader_open(fixture.disk, first - 1, &reader, &fixture.error),
                         -WAL_ERROR_MISSING);
        assert_int_equal(wal_reader_open(fixture.disk, first, &reader, &fixture.error), 0);
        for (uint64_t number = 0; number < 60; number++) {
            assert_int_equal(wal_reader_next(reader, end, &record, &fixture.error), 0);
            assert_true(wal_fixture_record_good(&record, number));
            assert_int_equal(record.lsn, first + (number + 1) * 3000);
        }
        /* Who began to read before there was a log must not skip what it never had. */
        assert_int_equal(wal_reader_next(early, end, &record, &fixture.error), -WAL_ERROR_MISSING);
        wal_reader_close(early);
        wal_reader_close(reader);
        uint64_t removed = 0;
        assert_int_equal(wal_trim(fixture.disk, first, &removed, &fixture.error), 0);
        assert_int_equal(removed, 0); /* empty, but who stands there goes on with its number */
        wal_fixture_deinit(&fixture);
    }
    struct wal_fixture fixture;
    wal_fixture_init(&fixture);
    fixture.options.first_lsn = WAL_FIRST_LSN_MAX + 1;
    assert_int_equal(wal_fixture_open(&fixture), -WAL_ERROR_OPTIONS);
    wal_fixture_deinit(&fixture);
}

/* What blocks and headers say about durability, and never more than there is. */
static void test_durable_lsn(void **state) {
    (void)state;
    struct wal_fixture fixture;
    struct wal_recovery found;
    wal_fixture_init(&fixture);
    fixture.options.segment_bytes = WAL_SEGMENT_BYTES_MIN;
    wal_fixture_open_ok(&fixture);
    for (uint64_t i = 1; i <= 31; i++) {
        (void)wal_fixture_block(&fixture, 3000);
        assert_int_equal(wal_verify(fixture.disk, NULL, NULL, &found, &fixture.error), 0);
        assert_int_equal(found.end_lsn, i * 3000);
        assert_int_equal(found.durable_lsn, (i - 1) * 3000); /* of the last block nobody says so */
    }
    fixture.now_ms += WAL_SEAL_AFTER_MS;
    wal_fixture_settle(&fixture);
    assert_int_equal(wal_verify(fixture.disk, NULL, NULL, &found, &fixture.error), 0);
    assert_int_equal(found.durable_lsn, 31 * 3000); /* but its seal does */
    (void)wal_fixture_block(&fixture, 3000);
    wal_fixture_kill(&fixture);
    wal_fixture_open_ok(&fixture); /* flushes it, so its header says so */
    assert_int_equal(fixture.recovery.durable_lsn, 31 * 3000);
    struct wal_recovery_options options = {.from_lsn = UINT64_MAX, .live = true};
    assert_int_equal(wal_recover(fixture.disk, &options, &found, &fixture.error), 0);
    assert_int_equal(found.durable_lsn, 32 * 3000);
    wal_fixture_deinit(&fixture);
}

/* The oldest segment keeps its place, even empty: it alone knows where the log is, and which. */
static void test_oldest_stays(void **state) {
    (void)state;
    struct wal_fixture fixture;
    wal_fixture_init(&fixture);
    fixture.options.first_lsn = 5000;
    uint8_t log_id[WAL_LOG_ID_BYTES];
    for (int i = 0; i < 5; i++) {
        wal_fixture_open_ok(&fixture);
        wal_fixture_kill(&fixture);
        fixture.options.first_lsn = 0;
        struct wal_recovery found;
        assert_int_equal(wal_verify(fixture.disk, NULL, NULL, &found, &fixture.error), 0);
        assert_int_equal(found.last_number, 1);
        if (i == 0) memcpy(log_id, found.log_id, sizeof log_id);
        /* Power fails when the next one has prepared its segment, and written nothing. */
        char name[WAL_FILE_NAME_BYTES];
        segment_name(found.next_number, name);
        assert_int_equal(
            fixture.disk->operations->prepare(fixture.disk, name, WAL_FIXTURE_SEGMENT_BYTES), 0);
        wal_fixture_open_ok(&fixture);
        assert_int_equal(fixture.recovery.end_lsn, 5000);
        assert_memory_equal(fixture.recovery.log_id, log_id, sizeof log_id);
        wal_fixture_kill(&fixture);
    }
    wal_fixture_deinit(&fixture);
}

/* Somebody who has read all there was, while what lies between that and the next record is deleted:
 * a run that wrote its header and nothing else. */
static void trim_under_a_reader(void **state) {
    (void)state;
    struct wal_fixture fixture;
    struct wal_reader *reader;
    struct wal_record record;
    uint64_t removed = 0;
    wal_fixture_init(&fixture);
    wal_fixture_open_ok(&fixture);
    uint64_t lsn = wal_fixture_block(&fixture, 100);
    assert_int_equal(wal_reader_open(fixture.disk, 0, &reader, &fixture.error), 0);
    assert_int_equal(wal_reader_next(reader, lsn, &record, &fixture.error), 0);
    assert_int_equal(wal_reader_next(reader, lsn, &record, &fixture.error), WAL_READER_CAUGHT_UP);
    /* The first proves the block, the second has nothing to say. */
    for (uint32_t i = 0; i < 2; i++) {
        wal_fixture_kill(&fixture);
        wal_fixture_open_ok(&fixture);
    }
    uint64_t next = wal_fixture_block(&fixture, 200);
    assert_int_equal(wal_trim(fixture.disk, lsn, &removed, &fixture.error), 0);
    assert_int_equal(removed, 1); /* the bare header is where the reader goes on */
    assert_int_equal(wal_reader_next(reader, next, &record, &fixture.error), 0);
    assert_int_equal(record.lsn, next);
    assert_true(wal_fixture_record_good(&record, 1));
    wal_reader_close(reader);
    wal_fixture_deinit(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_lsn),
        cmocka_unit_test(test_durable_lsn),
        cmocka_unit_test(test_oldest_stays),
        cmocka_unit_test(trim_under_a_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
