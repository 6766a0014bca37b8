/* test_threads.c - the log with its real threads: racing appenders, a tailing reader, real disks
 *
 * Records: size, appender, number within the appender. The reader checks that each appender's
 * numbers come in order and without a gap, and that LSNs tile the stream.
 */
#include "tests/unit/wal/wal_fixture.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "wal/bytes.h"
#include "wal/trim.h"

#define APPENDERS 4
#define DRAINS 3000

struct appender {
    struct wal *wal;
    uint32_t index;
    struct random random;
    uint64_t records; /* appended */
    uint64_t bytes;   /* appended */
    uint64_t last_lsn;
    uint64_t full; /* times WAL_FULL */
};

static uint32_t make_drain(struct appender *appender, uint8_t *drain) {
    uint32_t used = 0;
    uint64_t count = 1 + random_below(&appender->random, 12);
    for (uint64_t i = 0; i < count; i++) {
        uint32_t size = 20 + random_index(&appender->random, 200);
        memset(drain + used, (int)appender->index, size);
        bytes_put_u32(drain + used, size);
        bytes_put_u32(drain + used + 4, appender->index);
        bytes_put_u64(drain + used + 8, appender->records++);
        used += size;
    }
    return used;
}

static void *appender_main(void *context) {
    struct appender *appender = context;
    uint8_t drain[4096];
    for (int i = 0; i < DRAINS; i++) {
        uint32_t used = make_drain(appender, drain);
        uint64_t lsn = 0;
        int rc;
        while ((rc = wal_append(appender->wal, appender->index, drain, used, &lsn)) == WAL_FULL) {
            appender->full++;
            (void)sched_yield();
        }
        if (rc != 0 || lsn < appender->last_lsn + used) {
            abort(); /* cmocka's assertions are for the main thread */
        }
        appender->last_lsn = lsn;
        appender->bytes += used;
    }
    return NULL;
}

struct tail {
    struct wal_reader *reader;
    uint64_t next[APPENDERS];
    uint64_t lsn;
};

/* Read up to a limit and check. */
static void tail_to(struct tail *tail, uint64_t limit) {
    struct wal_record record;
    struct wal_error error;
    int rc;
    while ((rc = wal_reader_next(tail->reader, limit, &record, &error)) == 0) {
        uint32_t index = bytes_get_u32(record.bytes + 4);
        assert_true(index < APPENDERS);
        assert_int_equal(bytes_get_u64(record.bytes + 8), tail->next[index]);
        tail->next[index]++;
        assert_int_equal(record.lsn, tail->lsn + record.size);
        for (uint32_t i = 16; i < record.size; i++) assert_int_equal(record.bytes[i], index);
        tail->lsn = record.lsn;
    }
    if (rc < 0) fail_msg("%s", error.text);
    assert_int_equal(tail->lsn, limit);
}

static uint64_t wall_now(void *context) {
    (void)context;
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail */
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void fixed_entropy(void *context, void *bytes, uint32_t size) {
    (void)context;
    memset(bytes, 0x5a, size);
}

static _Atomic uint64_t durable_seen;
static void on_durable(void *context, uint64_t lsn) {
    (void)context;
    atomic_store(&durable_seen, lsn);
}

static struct wal_options make_options(struct storage *storage) {
    return (struct wal_options){
        .storage = storage,
        .clock = {.now_ms = wall_now},
        .entropy = {.fill = fixed_entropy},
        .segment_bytes = 1u << 20,
        .buffer_bytes = DRAIN_BYTES_MAX, /* wraps and fills up often */
        .appenders = APPENDERS,
        .on_durable = on_durable,
    };
}

/* Appenders race, a reader follows, the log stops; then once more from the disk. */
static void race(struct storage *storage) {
    struct wal_options options = make_options(storage);
    struct wal *wal;
    struct wal_error error;
    struct tail tail = {0};
    uint64_t total[APPENDERS] = {0};
    assert_int_equal(wal_reader_open(storage, 0, &tail.reader, &error), 0);
    for (int round = 0; round < 2; round++) {
        if (wal_open(&options, NULL, &wal, &error) != 0 || wal_start(wal, &error) != 0) {
            fail_msg("%s", error.text);
        }
        struct appender appenders[APPENDERS];
        pthread_t threads[APPENDERS];
        uint64_t expected = wal_appended_lsn(wal);
        for (uint32_t i = 0; i < APPENDERS; i++) {
            appenders[i] = (struct appender){
                .wal = wal, .index = i, .random = {i + 1}, .records = total[i]};
            assert_int_equal(pthread_create(&threads[i], NULL, appender_main, &appenders[i]), 0);
        }
        for (int i = 0; i < 200; i++) tail_to(&tail, wal_durable_lsn(wal));
        for (uint32_t i = 0; i < APPENDERS; i++) {
            assert_int_equal(pthread_join(threads[i], NULL), 0);
            total[i] = appenders[i].records;
            expected += appenders[i].bytes;
        }
        assert_int_equal(wal_stop(wal), 0);
        assert_int_equal(wal_durable_lsn(wal), expected);
        assert_int_equal(atomic_load(&durable_seen), expected);
        tail_to(&tail, expected);
        struct wal_recovery found;
        assert_int_equal(wal_verify(storage, NULL, NULL, &found, &error), 0);
        assert_int_equal(found.end_lsn, expected);
        wal_close(wal);
    }
    for (uint32_t i = 0; i < APPENDERS; i++) assert_int_equal(tail.next[i], total[i]);
    wal_reader_close(tail.reader);
}

static void test_race_memory(void **state) {
    (void)state;
    struct storage *storage;
    assert_int_equal(storage_memory_open(&storage), 0);
    race(storage);
    storage->operations->destroy(storage);
}

static void remove_folder(const char *path) {
    char command[256];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", path);
    assert_int_equal(system(command), 0);
}

static void on_real_disk(int (*open_storage)(const char *, const char *, struct storage **),
                         const char *kind) {
    char path[] = "test-wal-XXXXXX";
    assert_non_null(mkdtemp(path));
    struct storage *storage;
    assert_int_equal(open_storage(path, STORAGE_WAL, &storage), 0);
    race(storage);
    struct storage_info info;
    storage->operations->info(storage, &info);
    assert_string_equal(info.kind, kind);
    print_message("# %s, %s\n", info.kind, info.direct ? "O_DIRECT" : "page cache");

    /* A second engine is refused; a reader is not. */
    struct wal_options options = make_options(storage);
    struct wal *wal;
    struct wal_error error;
    assert_int_equal(wal_open(&options, NULL, &wal, &error), 0);
    struct storage *second;
    assert_int_equal(open_storage(path, STORAGE_WAL, &second), 0);
    options.storage = second;
    struct wal *second_wal;
    assert_int_equal(wal_open(&options, NULL, &second_wal, &error), -WAL_ERROR_LOCKED);
    struct wal_recovery found;
    assert_int_equal(wal_verify(second, NULL, NULL, &found, &error), 0);
    second->operations->destroy(second);
    uint64_t removed;
    assert_int_equal(wal_trim(storage, found.end_lsn, &removed, &error), 0);
    assert_int_equal(removed, found.segments - 1);
    wal_close(wal);
    storage->operations->destroy(storage);
    remove_folder(path);
}

static void test_race_uring(void **state) {
    (void)state;
    on_real_disk(storage_uring_open, "io_uring");
}

static void test_race_posix(void **state) {
    (void)state;
    on_real_disk(storage_posix_open, "posix");
}

/* Verify beside a running engine must never cry wolf. */
static void test_verify_beside_writer(void **state) {
    (void)state;
    struct storage *storage;
    assert_int_equal(storage_memory_open(&storage), 0);
    struct wal_options options = make_options(storage);
    struct wal *wal;
    struct wal_error error;
    assert_int_equal(wal_open(&options, NULL, &wal, &error), 0);
    assert_int_equal(wal_start(wal, &error), 0);
    struct appender appender = {.wal = wal, .random = {5}};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, appender_main, &appender), 0);
    for (int i = 0; i < 50; i++) {
        uint64_t durable = wal_durable_lsn(wal);
        struct wal_recovery found;
        if (wal_verify(storage, NULL, NULL, &found, &error) != 0) fail_msg("%s", error.text);
        assert_true(found.end_lsn >= durable);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(wal_stop(wal), 0);
    wal_close(wal);
    storage->operations->destroy(storage);
}

/* Sleep and wake: one record at a time, so that the writer sleeps before each. */
static void test_wake(void **state) {
    (void)state;
    struct storage *storage;
    assert_int_equal(storage_memory_open(&storage), 0);
    struct wal_options options = make_options(storage);
    struct wal *wal;
    struct wal_error error;
    assert_int_equal(wal_open(&options, NULL, &wal, &error), 0);
    assert_int_equal(wal_start(wal, &error), 0);
    uint8_t record[20] = {20};
    for (int i = 0; i < 2000; i++) {
        uint64_t lsn = 0;
        assert_int_equal(wal_append(wal, 1, record, 20, &lsn), 0);
        while (wal_durable_lsn(wal) < lsn) { /* a lost wake-up hangs here, or until the seal */
            (void)sched_yield();
        }
    }
    assert_int_equal(wal_stop(wal), 0);
    struct wal_stats stats;
    wal_stats_get(wal, &stats);
    assert_int_equal(stats.records, 2000);
    wal_close(wal);
    storage->operations->destroy(storage);
}

static void test_nonexistent_folder(void **state) {
    (void)state;
    struct storage *storage;
    assert_true(storage_posix_open("no-such-folder", STORAGE_WAL, &storage) < 0);
    assert_true(storage_uring_open("no-such-folder", STORAGE_WAL, &storage) < 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_race_memory), cmocka_unit_test(test_race_uring),
        cmocka_unit_test(test_race_posix),  cmocka_unit_test(test_verify_beside_writer),
        cmocka_unit_test(test_wake),        cmocka_unit_test(test_nonexistent_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
