/* test_writer.c - append, group commit, seals, segments, failures; every step by hand */
#include "tests/unit/wal/wal_fixture.h"

#include <errno.h>
#include <string.h>

#include "wal/block.h"

static void test_group_commit(void **state) {
    (void)state;
    struct wal_fixture fixture;
    wal_fixture_init(&fixture);
    wal_fixture_open_ok(&fixture);
    assert_false(fixture.recovery.log_exists);
    assert_int_equal(wal_writer_step(fixture.wal, false), WAL_IDLE);

    /* One record goes out alone; what comes while it is in flight goes out together. */
    storage_memory_hold(fixture.disk, true);
    assert_int_equal(wal_fixture_append(&fixture, 100), 100);
    assert_int_equal(wal_writer_step(fixture.wal, false), 0);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(wal_fixture_append(&fixture, 40), 100 + 40 * (i + 1));
        assert_int_equal(wal_writer_step(fixture.wal, false), WAL_IDLE);
    }
    assert_int_equal(wal_durable_lsn(fixture.wal), 0);
    assert_int_equal(fixture.durable_calls, 0);
    storage_memory_hold(fixture.disk, false);
    wal_fixture_settle(&fixture);
    assert_int_equal(wal_durable_lsn(fixture.wal), 2100);
    assert_int_equal(fixture.durable_calls, 2);
    assert_int_equal(fixture.durable_lsn, 2100);

    struct wal_stats stats;
    wal_stats_get(fixture.wal, &stats);
    assert_int_equal(stats.blocks, 2);
    assert_int_equal(stats.records, 51);
    assert_int_equal(stats.record_bytes, 2100);
    assert_int_equal(stats.group_records_max, 50);
    assert_int_equal(stats.writes, 3); /* one is the segment's header */
    assert_int_equal(wal_fixture_read_all(fixture.disk, 2100), 51);
    wal_fixture_deinit(&fixture);
}

static void test_durable_never_early(void **state) {
    (void)state;
    struct wal_fixture fixture;
    wal_fixture_init(&fixture);
    wal_fixture_open_ok(&fixture);
    storage_memory_delay(fixture.disk, 3);
    uint64_t durable = 0;
    for (int i = 0; i < 200; i++) {
        uint64_t lsn = wal_fixture_append(&fixture, 64);
        uint64_t before = storage_memory_writes(fixture.disk);
        (void)wal_writer_step(fixture.wal, false); /* the LSN below tells what it did */
        uint64_t now = wal_durable_lsn(fixture.wal);
        assert_true(now >= durable && now <= lsn);
        assert_int_equal(now > durable, storage_memory_writes(fixture.disk) > before);
        assert_int_equal(now, fixture.durable_lsn);
        durable = now;
    }
    assert_true(durable > 0);
    wal_fixture_deinit(&fixture);
}

static void test_journal_port(void **state) {
    (void)state;
    struct wal_fixture fixture;
    wal_fixture_init(&fixture);
    wal_fixture_open_ok(&fixture);
    struct journal journal;
    wal_journal(fixture.wal, &journal);
    uint8_t bytes[60];
    wal_fixture_record(bytes, 0, 60);
    uint64_t lsn = 0;
    assert_int_equal(journal.append(journal.context, 3, bytes, 60, &lsn), 0);
    assert_int_equal(lsn, 60);
    assert_int_equal(journal.durable_lsn(journal.context), 0);
    wal_fixture_settle(&fixture);
    assert_int_equal(journal.durable_lsn(journal.context), 60);
    wal_fixture_deinit(&fixture);
}

static void test_full_and_wrap(void **state) {
    (void)state;
    struct wal_fixture fixture;
    wal_fixture_init(&fixture);
    fixture.options.buffer_bytes = DRAIN_BYTES_MAX;
    wal_fixture_open_ok(&fixture);
    uint8_t bytes[1000];
    uint64_t lsn = 0;
    /* 262 records of 1000 fit 256 KiB, not 263; the ring's end falls into a record. */
    for (uint64_t round = 0; round < 20; round++) {
        uint32_t count = 0;
        for (;;) {
            wal_fixture_record(bytes, fixture.next_number, 1000);
            uint64_t before = lsn;
            int rc = wal_append(fixture.wal, 0, bytes, 1000, &lsn);
            if (rc == WAL_FULL) {
                assert_int_equal(lsn, before);
                break;
            }
            assert_int_equal(rc, 0);
            assert_int_equal(lsn, before + 1000);
            fixture.next_number++;
            count++;
        }
        assert_int_equal(count, 262);
        assert_int_equal(wal_appended_lsn(fixture.wal), lsn);
        wal_fixture_settle(&fixture);
        assert_int_equal(wal_durable_lsn(fixture.wal), lsn);
    }
    assert_int_equal(wal_fixture_read_all(fixture.disk, lsn), 262 * 20);
    wal_fixture_deinit(&fixture);
}

/* The four bytes of a record's size may lie on both sides of the ring's end. */
static void test_wrap_in_size(void **state) {
    (void)state;
    for (uint32_t shift = 0; shift < 8; shift++) {
        struct wal_fixture fixture;
        wal_fixture_init(&fixture);
        fixture.options.buffer_bytes = DRAIN_BYTES_MAX;
        wal_fixture_open_ok(&fixture);
        while (DRAIN_BYTES_MAX - wal_appended_lsn(fixture.wal) > 4096 + 64) {
            (void)wal_fixture_block(&fixture, 4000);
        }
        uint64_t left = DRAIN_BYTES_MAX - wal_appended_lsn(fixture.wal);
        (void)wal_fixture_block(&fixture, (uint32_t)(left - 32 - shift));
        (void)wal_fixture_append(&fixture, 30);
        uint64_t lsn = wal_fixture_append(&fixture, 40);
        wal_fixture_settle(&fixture);
        assert_int_equal(wal_durable_lsn(fixture.wal), lsn);
        assert_int_equal(wal_fixture_read_all(fixture.disk, lsn), fixture.next_number);
        wal_fixture_deinit(&fixture);
    }
}

static void test_seal(void **state) {
    (void)state;
    struct wal_fixture fixture;
    wal_fixture_init(&fixture);
    wal_fixture_open_ok(&fixture);
    struct wal_stats stats;
    fixture.now_ms += 10 * WAL_SEAL_AFTER_MS;
    assert_int_equal(wal_writer_step(fixture.wal, false), WAL_IDLE); /* nothing to seal */

    (void)wal_fixture_block(&fixture, 100);
    fixture.now_ms += WAL_SEAL_AFTER_MS - 1;
    assert_int_equal(wal_writer_step(fixture.wal, false), WAL_IDLE);
    fixture.now_ms += 1;
    assert_int_equal(wal_writer_step(fixture.wal, false), 0);
    wal_fixture_settle(&fixture);
    fixture.now_ms += 10 * WAL_SEAL_AFTER_MS;
    assert_int_equal(wal_writer_step(fixture.wal, false), WAL_IDLE); /* one is enough */
    wal_stats_get(fixture.wal, &stats);
    assert_int_equal(stats.seals, 1);
    assert_int_equal(stats.blocks, 1);

    (void)wal_fixture_block(&fixture, 100);
    assert_int_equal(wal_stop(fixture.wal), 0);
    wal_stats_get(fixture.wal, &stats);
    assert_int_equal(stats.seals, 2);
    assert_int_equal(wal_stop(fixture.wal), 0); /* again: nothing to do */
    assert_int_equal(wal_durable_lsn(fixture.wal), 200);
    assert_int_equal(wal_fixture_read_all(fixture.disk, 200), 2);
    wal_fixture_deinit(&fixture);
}

/* Whoever waits is heard of in the log: a seal where the last block is old, and never else. */
static void test_beat(void **state) {
    (void)state;
    struct wal_fixture fixture;
    wal_fixture_init(&fixture);
    wal_fixture_open_ok(&fixture);
    struct wal_stats stats;
    (void)wal_fixture_block(&fixture, 100);
    fixture.now_ms += WAL_SEAL_AFTER_MS;
    wal_fixture_settle(&fixture);
    uint64_t sealed_ms = fixture.now_ms;
    wal_beat(fixture.wal);
    fixture.now_ms += WAL_BEAT_MS - 1;
    assert_int_equal(wal_writer_step(fixture.wal, false), WAL_IDLE);
    fixture.now_ms += 1; /* the beat was answered: it is young enough */
    assert_int_equal(wal_writer_step(fixture.wal, false), WAL_IDLE);
    for (uint32_t i = 0; i < 3; i++) {
        wal_beat(fixture.wal);
        wal_beat(fixture.wal);
        assert_int_equal(wal_writer_step(fixture.wal, false), 0);
        wal_fixture_settle(&fixture);
        wal_beat(fixture.wal); /* too soon */
        assert_int_equal(wal_writer_step(fixture.wal, false), WAL_IDLE);
        fixture.now_ms += WAL_BEAT_MS;
        assert_int_equal(wal_writer_step(fixture.wal, false), WAL_IDLE); /* nobody has asked */
    }
    wal_stats_get(fixture.wal, &stats);
    assert_int_equal(stats.seals, 4);
    (void)wal_fixture_block(&fixture, 100); /* records come first */
    wal_beat(fixture.wal);
    assert_int_equal(wal_writer_step(fixture.wal, false), WAL_IDLE);
    assert_int_equal(wal_fixture_read_all(fixture.disk, 200), 2);
    wal_fixture_kill(&fixture);
    fixture.now_ms += WAL_BEAT_MS;
    wal_fixture_open_ok(&fixture); /* the last block says when it was there */
    assert_int_equal(fixture.recovery.last_wall_ms, sealed_ms + 4 * WAL_BEAT_MS);
    wal_beat(fixture.wal); /* nothing written yet in this epoch */
    assert_int_equal(wal_writer_step(fixture.wal, false), 0);
    wal_fixture_settle(&fixture);
    assert_int_equal(wal_fixture_read_all(fixture.disk, 200), 2);
    wal_fixture_deinit(&fixture);
}

static void test_segment_switch(void **state) {
    (void)state;
    struct wal_fixture fixture;
    wal_fixture_init(&fixture);
    fixture.options.segment_bytes = WAL_SEGMENT_BYTES_MIN;
    wal_fixture_open_ok(&fixture);
    uint64_t lsn = 0;
    struct random random = {random_seed(1)};
    for (int i = 0; i < 400; i++) {
        uint32_t records = random_index(&random, 30) + 1;
        for (uint32_t j = 0; j < records; j++) {
            lsn = wal_fixture_append(&fixture, 20 + random_index(&random, 4077));
        }
        wal_fixture_settle(&fixture);
        assert_int_equal(wal_durable_lsn(fixture.wal), lsn);
    }
    struct wal_stats stats;
    wal_stats_get(fixture.wal, &stats);
    assert_true(stats.segments > 50);
    assert_int_equal(wal_fixture_read_all(fixture.disk, lsn), fixture.next_number);
    wal_fixture_stop(&fixture);
    wal_fixture_open_ok(&fixture);
    assert_int_equal(fixture.recovery.end_lsn, lsn);
    assert_int_equal(fixture.recovery.records, fixture.next_number);
    assert_int_equal(fixture.recovery.segments, stats.segments);
    assert_int_equal(fixture.recovery.torn_tails, 0);
    wal_fixture_deinit(&fixture);
}

static void test_epochs(void **state) {
    (void)state;
    struct wal_fixture fixture;
    wal_fixture_init(&fixture);
    uint64_t lsn = 0;
    for (uint64_t epoch = 1; epoch <= 5; epoch++) {
        wal_fixture_open_ok(&fixture);
        assert_int_equal(fixture.recovery.end_lsn, lsn);
        assert_int_equal(fixture.recovery.epoch, epoch - 1);
        assert_int_equal(wal_durable_lsn(fixture.wal), lsn);
        (void)wal_fixture_block(&fixture, 500);
        lsn = wal_fixture_block(&fixture, 300);
        if (epoch % 2 == 0) {
            wal_fixture_stop(&fixture);
        } else {
            wal_fixture_kill(&fixture);
        }
    }
    assert_int_equal(wal_fixture_read_all(fixture.disk, lsn), 10);
    wal_fixture_deinit(&fixture);
}

static void add_number(void *context, const char *name) {
    uint64_t number, *numbers = context;
    if (segment_parse_name(name, &number)) *numbers |= 1ull << number;
}

/* The segments on the disk, as bits. */
static uint64_t segments(struct storage *disk) {
    uint64_t numbers = 0;
    assert_int_equal(disk->operations->list(disk, add_number, &numbers), 0);
    return numbers;
}

/* An engine that restarts for ever and decides nothing writes nothing, and so fills no disk; a
 * segment that was made ahead is used, whether the run before ended well or was killed. */
static void test_empty_epochs(void **state) {
    (void)state;
    enum { CLEAN = 1, SEALED = 2, UNSEALED = 3 }; /* how the run that wrote has ended */
    for (int end = CLEAN; end <= UNSEALED; end++) {
        struct wal_fixture fixture;
        wal_fixture_init(&fixture);
        wal_fixture_open_ok(&fixture);
        (void)wal_fixture_block(&fixture, 500);
        assert_int_equal(wal_prepare_step(fixture.wal), 0);
        if (end == SEALED) {
            fixture.now_ms += WAL_SEAL_AFTER_MS;
            wal_fixture_settle(&fixture);
        }
        if (end == CLEAN) assert_int_equal(wal_stop(fixture.wal), 0);
        wal_fixture_kill(&fixture);
        uint64_t before = storage_memory_writes(fixture.disk);
        for (uint64_t i = 0; i < 20; i++) {
            wal_fixture_open_ok(&fixture);
            /* What is not sealed is proven by the next header, at once; that is written once. */
            bool proven = end == UNSEALED && i > 0;
            assert_int_equal(fixture.recovery.epoch, proven ? 2 : 1);
            assert_int_equal(fixture.recovery.last_number, proven ? 2 : 1);
            assert_int_equal(fixture.recovery.sealed, end != UNSEALED || proven);
            if (i % 2 == 0) {
                wal_fixture_stop(&fixture);
            } else {
                wal_fixture_kill(&fixture);
            }
            assert_int_equal(storage_memory_writes(fixture.disk), before + (end == UNSEALED));
            assert_int_equal(segments(fixture.disk), end == UNSEALED && i > 0 ? 0xe : 0x6);
        }
        wal_fixture_open_ok(&fixture);
        uint64_t lsn = wal_fixture_block(&fixture, 500);
        assert_int_equal(lsn, 1000);
        assert_int_equal(wal_fixture_read_all(fixture.disk, lsn), 2);
        wal_fixture_kill(&fixture);
        wal_fixture_open_ok(&fixture);
        assert_int_equal(fixture.recovery.epoch, end == UNSEALED ? 3 : 2);
        assert_int_equal(fixture.recovery.last_number, end == UNSEALED ? 3 : 2);
        wal_fixture_deinit(&fixture);
    }
}

/* The first block of a run that had to wait for its header is as durable as any other. */
static void test_late_header(void **state) {
    (void)state;
    struct wal_fixture fixture;
    wal_fixture_init(&fixture);
    fixture.options.segment_bytes = WAL_SEGMENT_BYTES_MIN;
    wal_fixture_open_ok(&fixture);
    uint64_t lsn = wal_fixture_block(&fixture, 500);
    wal_fixture_stop(&fixture);
    wal_fixture_open_ok(&fixture);
    struct wal_space space;
    wal_space_get(fixture.wal, &space);
    assert_false(space.next_ready);
    assert_int_equal(space.left_bytes, WAL_SEGMENT_BYTES_MIN - SEGMENT_HEADER_BYTES);
    storage_memory_hold(fixture.disk, true);
    lsn = wal_fixture_append(&fixture, 700);
    wal_fixture_settle(&fixture); /* the header is on its way, and nothing is durable by that */
    assert_int_equal(wal_durable_lsn(fixture.wal), 500);
    storage_memory_hold(fixture.disk, false);
    wal_fixture_settle(&fixture);
    assert_int_equal(wal_durable_lsn(fixture.wal), lsn);
    struct wal_stats stats;
    wal_stats_get(fixture.wal, &stats);
    assert_int_equal(stats.segments, 1);
    assert_int_equal(stats.prepare_waits, 0);
    wal_fixture_kill(&fixture);
    wal_fixture_open_ok(&fixture);
    assert_int_equal(fixture.recovery.end_lsn, lsn);
    assert_int_equal(fixture.recovery.epoch, 2);
    wal_fixture_deinit(&fixture);
}

/* A full segment on a full disk: a beat that finds no room waits, and the log goes on when there
 * is. */
static void test_beat_without_room(void **state) {
    (void)state;
    struct wal_fixture fixture;
    struct wal_space space;
    struct wal_stats stats;
    wal_fixture_init(&fixture);
    fixture.options.segment_bytes = WAL_SEGMENT_BYTES_MIN;
    wal_fixture_open_ok(&fixture);
    storage_memory_fault(fixture.disk, STORAGE_FAULT_PREPARE, 0, 0);
    do {
        fixture.now_ms += WAL_BEAT_MS;
        wal_beat(fixture.wal);
        assert_int_equal(wal_writer_step(fixture.wal, false), 0);
        wal_fixture_settle(&fixture);
        wal_space_get(fixture.wal, &space);
    } while (space.left_bytes > 0);
    for (uint32_t i = 0; i < 3; i++) {
        fixture.now_ms += WAL_BEAT_MS;
        wal_beat(fixture.wal);
        assert_int_equal(wal_writer_step(fixture.wal, false), WAL_IDLE);
    }
    assert_int_equal(fixture.failed_calls, 0);
    storage_memory_heal(fixture.disk);
    wal_fixture_kill(&fixture);
    wal_fixture_open_ok(&fixture);
    (void)wal_fixture_block(&fixture, 100);
    assert_int_equal(wal_fixture_read_all(fixture.disk, 100), 1);
    wal_stats_get(fixture.wal, &stats);
    assert_int_equal(stats.blocks, 1);
    wal_fixture_deinit(&fixture);
}

/* A disk that is full is known a whole segment before the end, and at a start. */
static void test_no_room(void **state) {
    (void)state;
    struct wal_fixture fixture;
    struct wal_space space;
    wal_fixture_init(&fixture);
    fixture.options.segment_bytes = WAL_SEGMENT_BYTES_MIN;
    wal_fixture_open_ok(&fixture);
    wal_space_get(fixture.wal, &space);
    assert_int_equal(space.free_bytes, UINT64_MAX); /* a disk that does not say how much */
    assert_int_equal(space.missing_bytes, 0);
    storage_memory_fault(fixture.disk, STORAGE_FAULT_PREPARE, 0, 0);
    assert_true(wal_prepare_step(fixture.wal) < 0);
    wal_space_get(fixture.wal, &space);
    assert_false(space.next_ready);
    assert_int_equal(space.system_error, ENOSPC);
    assert_int_equal(space.free_bytes, 0);
    assert_int_equal(space.missing_bytes, WAL_SEGMENT_BYTES_MIN);
    assert_int_equal(space.left_bytes, WAL_SEGMENT_BYTES_MIN - SEGMENT_HEADER_BYTES);
    (void)wal_fixture_block(&fixture, 500); /* it goes on meanwhile */
    wal_space_get(fixture.wal, &space);
    assert_int_equal(space.left_bytes, WAL_SEGMENT_BYTES_MIN - SEGMENT_HEADER_BYTES - 4096);
    wal_fixture_kill(&fixture);
    assert_int_equal(wal_fixture_open(&fixture), -WAL_ERROR_IO);
    assert_non_null(strstr(fixture.error.text, "64 KiB are missing"));
    storage_memory_heal(fixture.disk);
    wal_fixture_open_ok(&fixture);
    assert_int_equal(wal_prepare_step(fixture.wal), 0);
    wal_space_get(fixture.wal, &space);
    assert_true(space.next_ready);
    assert_int_equal(space.system_error, 0);
    wal_fixture_deinit(&fixture);
}

static void test_write_faults(void **state) {
    (void)state;
    static const enum storage_fault table[] = {STORAGE_FAULT_SUBMIT, STORAGE_FAULT_FAIL,
                                               STORAGE_FAULT_SHORT};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct wal_fixture fixture;
        wal_fixture_init(&fixture);
        wal_fixture_open_ok(&fixture);
        uint64_t lsn = wal_fixture_block(&fixture, 500);
        storage_memory_fault(fixture.disk, table[i], 1, i);
        lsn = wal_fixture_block(&fixture, 500);
        (void)wal_fixture_append(&fixture, 9 * 100);
        int rc;
        do { rc = wal_writer_step(fixture.wal, false); } while (rc == 0);
        assert_int_equal(rc, -WAL_ERROR_IO);
        assert_int_equal(fixture.failed_calls, 1);
        assert_int_equal(fixture.error.code, WAL_ERROR_IO);
        assert_int_equal(fixture.error.system_error,
                         table[i] == STORAGE_FAULT_SUBMIT ? EAGAIN : EIO);
        assert_int_equal(fixture.error.lsn, lsn);
        assert_int_equal(fixture.error.offset, 4096 * 3);
        assert_string_equal(fixture.error.file, "wal-0000000000000001.seg");
        assert_non_null(strstr(fixture.error.text, "cannot write 4096 bytes at offset 12288"));
        assert_int_equal(wal_durable_lsn(fixture.wal), lsn);
        assert_int_equal(fixture.durable_lsn, lsn);
        uint64_t ret = 77;
        uint8_t bytes[20];
        wal_fixture_record(bytes, 0, 20);
        assert_int_equal(wal_append(fixture.wal, 0, bytes, 20, &ret), -WAL_ERROR_IO);
        assert_int_equal(ret, 77);
        uint64_t writes = storage_memory_writes(fixture.disk);
        assert_int_equal(wal_writer_step(fixture.wal, true), -WAL_ERROR_IO); /* never again */
        assert_int_equal(wal_stop(fixture.wal), -WAL_ERROR_IO);
        assert_int_equal(storage_memory_writes(fixture.disk), writes);
        assert_int_equal(fixture.failed_calls, 1);
        struct wal_error error;
        wal_error_get(fixture.wal, &error);
        assert_int_equal(error.code, WAL_ERROR_IO);
        wal_fixture_kill(&fixture);
        wal_fixture_open_ok(&fixture); /* a torn tail, at most */
        assert_true(fixture.recovery.end_lsn == lsn || fixture.recovery.end_lsn == lsn + 900);
        wal_fixture_deinit(&fixture);
    }
}

static void test_prepare_fault(void **state) {
    (void)state;
    struct wal_fixture fixture;
    wal_fixture_init(&fixture);
    fixture.options.segment_bytes = WAL_SEGMENT_BYTES_MIN;
    wal_fixture_open_ok(&fixture);
    storage_memory_fault(fixture.disk, STORAGE_FAULT_PREPARE, 0, 0);
    uint64_t lsn = 0;
    int rc = WAL_IDLE;
    while (rc >= 0) {
        lsn = wal_fixture_append(&fixture, 4000);
        do { rc = wal_writer_step(fixture.wal, false); } while (rc == 0);
    }
    assert_int_equal(rc, -WAL_ERROR_IO);
    assert_int_equal(fixture.error.system_error, ENOSPC);
    assert_int_equal(wal_durable_lsn(fixture.wal), lsn - 4000);
    wal_fixture_deinit(&fixture);
}

/* The disk was full when the segment was prepared ahead, and has room when it is needed. */
static void test_prepare_fault_heals(void **state) {
    (void)state;
    struct wal_fixture fixture;
    wal_fixture_init(&fixture);
    fixture.options.segment_bytes = WAL_SEGMENT_BYTES_MIN;
    wal_fixture_open_ok(&fixture);
    storage_memory_fault(fixture.disk, STORAGE_FAULT_PREPARE, 0, 0);
    assert_int_equal(wal_prepare_step(fixture.wal), -WAL_ERROR_IO);
    assert_int_equal(wal_prepare_step(fixture.wal), -WAL_ERROR_IO); /* not again by itself */
    storage_memory_heal(fixture.disk);
    for (int i = 0; i < 40; i++) (void)wal_fixture_block(&fixture, 4000);
    assert_int_equal(fixture.failed_calls, 0);
    wal_fixture_deinit(&fixture);
}

static void test_open_faults(void **state) {
    (void)state;
    struct wal_fixture fixture;
    wal_fixture_init(&fixture);
    storage_memory_fault(fixture.disk, STORAGE_FAULT_FAIL, 0, 5);
    assert_int_equal(wal_fixture_open(&fixture), -WAL_ERROR_IO);
    assert_int_equal(fixture.failed_calls, 0); /* a result, not a callback */
    wal_fixture_open_ok(&fixture);             /* the lock was given up */
    struct wal *second;
    struct wal_error error;
    assert_int_equal(wal_open(&fixture.options, NULL, &second, &error), -WAL_ERROR_LOCKED);
    (void)wal_fixture_block(&fixture, 100); /* the first is unharmed */
    wal_fixture_kill(&fixture);
    wal_fixture_open_ok(&fixture);
    wal_fixture_deinit(&fixture);
}

static void test_options(void **state) {
    (void)state;
    static const struct {
        uint64_t segment_bytes, buffer_bytes;
        uint32_t appenders;
    } table[] = {
        {4096, 0, 1},
        {WAL_SEGMENT_BYTES_MIN + 1, 0, 1},
        {WAL_SEGMENT_BYTES_MAX + 4096, 0, 1},
        {0, 4096, 1},
        {0, DRAIN_BYTES_MAX + 4096, 1},
        {0, 2 * WAL_BUFFER_BYTES_MAX, 1},
        {0, 0, 0},
        {0, 0, SHARDS_MAX + 1},
    };
    struct wal_fixture fixture;
    wal_fixture_init(&fixture);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        fixture.options.segment_bytes = table[i].segment_bytes;
        fixture.options.buffer_bytes = table[i].buffer_bytes;
        fixture.options.appenders = table[i].appenders;
        assert_int_equal(wal_fixture_open(&fixture), -WAL_ERROR_OPTIONS);
    }
    wal_fixture_deinit(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_group_commit),  cmocka_unit_test(test_durable_never_early),
        cmocka_unit_test(test_journal_port),  cmocka_unit_test(test_full_and_wrap),
        cmocka_unit_test(test_wrap_in_size),  cmocka_unit_test(test_seal),
        cmocka_unit_test(test_beat),          cmocka_unit_test(test_segment_switch),
        cmocka_unit_test(test_epochs),        cmocka_unit_test(test_empty_epochs),
        cmocka_unit_test(test_late_header),   cmocka_unit_test(test_beat_without_room),
        cmocka_unit_test(test_no_room),       cmocka_unit_test(test_write_faults),
        cmocka_unit_test(test_prepare_fault), cmocka_unit_test(test_prepare_fault_heals),
        cmocka_unit_test(test_open_faults),   cmocka_unit_test(test_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
