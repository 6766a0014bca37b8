/* test_storage_memory.c - the disk in memory itself: what is written, synced and renamed, and what
 * a crash leaves of it. The tests of the log and of snapshots are worth what this disk is worth. */
#include "tests/unit/wal/wal_fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096u

struct disk_test {
    struct storage *disk;
    uint8_t *buffer; /* 16 pages, aligned */
};

static int setup(void **state) {
    struct disk_test *test = calloc(1, sizeof *test);
    assert_int_equal(storage_memory_open(&test->disk), 0);
    test->buffer = aligned_alloc(PAGE, 16 * PAGE);
    assert_non_null(test->buffer);
    *state = test;
    return 0;
}

static int teardown(void **state) {
    struct disk_test *test = *state;
    test->disk->operations->destroy(test->disk);
    free(test->buffer);
    free(test);
    return 0;
}

static const struct storage_operations *disk(const struct disk_test *test) {
    return test->disk->operations;
}

static int write_pages(struct disk_test *test, int handle, uint64_t page, uint32_t count,
                       int value) {
    memset(test->buffer, value, (size_t)count * PAGE);
    return disk(test)->write(test->disk, handle, page * PAGE, test->buffer, count * PAGE);
}

/* A file of so many pages, synced and renamed. Return: an open handle */
static int make_file(struct disk_test *test, const char *name, uint32_t pages, int value) {
    int handle = disk(test)->create(test->disk, "making.tmp");
    assert_true(handle >= 0);
    assert_int_equal(write_pages(test, handle, 0, pages, value), 0);
    assert_int_equal(disk(test)->sync(test->disk, handle), 0);
    assert_int_equal(disk(test)->rename(test->disk, "making.tmp", name), 0);
    return handle;
}

/* How many of the file's sectors are all of that value. */
static uint64_t count_sectors(struct disk_test *test, const char *name, int value) {
    uint64_t bytes = 0;
    const uint8_t *at = storage_memory_bytes(test->disk, name, &bytes);
    assert_non_null(at);
    uint64_t count = 0;
    for (uint64_t i = 0; i < bytes / STORAGE_MEMORY_SECTOR_BYTES; i++) {
        uint8_t sector[STORAGE_MEMORY_SECTOR_BYTES];
        memset(sector, value, sizeof sector);
        count += memcmp(at + i * sizeof sector, sector, sizeof sector) == 0;
    }
    return count;
}

static bool exists(struct disk_test *test, const char *name) {
    uint64_t bytes;
    return storage_memory_bytes(test->disk, name, &bytes) != NULL;
}

static void test_written_file_can_be_read_and_renamed(void **state) {
    struct disk_test *test = *state;
    int handle = make_file(test, "one", 3, 7);
    uint64_t bytes = 0;
    assert_int_equal(disk(test)->size(test->disk, handle, &bytes), 0);
    assert_int_equal(bytes, 3 * PAGE);
    assert_int_equal(disk(test)->read(test->disk, handle, PAGE, test->buffer, 2 * PAGE), 0);
    assert_int_equal(test->buffer[2 * PAGE - 1], 7);
    assert_int_equal(disk(test)->read(test->disk, handle, PAGE, test->buffer, 3 * PAGE), -ENODATA);
    assert_false(exists(test, "making.tmp"));
    disk(test)->close(test->disk, handle);

    int other = make_file(test, "one", 1, 8); /* over the first */
    assert_int_equal(count_sectors(test, "one", 8), 8);
    disk(test)->close(test->disk, other);
    assert_int_equal(disk(test)->rename(test->disk, "nothing", "one"), -ENOENT);
}

static void test_what_was_synced_survives_a_crash(void **state) {
    struct disk_test *test = *state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        assert_int_equal(disk(test)->claim(test->disk), 0);
        disk(test)->close(test->disk, make_file(test, "kept", 4, 5));
        (void)storage_memory_crash(test->disk, seed);
        assert_int_equal(count_sectors(test, "kept", 5), 4 * 8);
        int handle = disk(test)->create(test->disk, "other"); /* the power is gone */
        assert_int_equal(handle, -EIO);
    }
}

static void test_what_was_not_synced_is_torn_by_a_crash(void **state) {
    struct disk_test *test = *state;
    uint64_t all = 0, none = 0, some = 0, gone = 0, shorter = 0;
    for (uint64_t seed = 0; seed < 3000; seed++) {
        assert_int_equal(disk(test)->claim(test->disk), 0);
        int handle = disk(test)->create(test->disk, "torn");
        assert_true(handle >= 0);
        assert_int_equal(write_pages(test, handle, 0, 4, 1), 0);
        (void)storage_memory_crash(test->disk, seed);
        disk(test)->close(test->disk, handle);
        uint64_t bytes = 0;
        if (storage_memory_bytes(test->disk, "torn", &bytes) == NULL) {
            gone++;
            continue;
        }
        uint64_t landed = count_sectors(test, "torn", 1);
        all += landed == 32;
        none += landed == 0;
        some += landed > 0 && landed < 32;
        shorter += bytes < 4 * PAGE;
        assert_int_equal(landed + count_sectors(test, "torn", 0),
                         bytes / STORAGE_MEMORY_SECTOR_BYTES);
        (void)storage_memory_remove(test->disk, "torn");
    }
    assert_true(all > 0 && none > 0 && some > 0 && gone > 0 && shorter > 0);
}

static void test_an_overwritten_file_is_a_mixture_after_a_crash(void **state) {
    struct disk_test *test = *state;
    bool mixed = false;
    for (uint64_t seed = 0; seed < 50; seed++) {
        assert_int_equal(disk(test)->claim(test->disk), 0);
        int handle = make_file(test, "both", 4, 1);
        assert_int_equal(write_pages(test, handle, 0, 4, 2), 0);
        (void)storage_memory_crash(test->disk, seed);
        disk(test)->close(test->disk, handle);
        uint64_t old = count_sectors(test, "both", 1);
        assert_int_equal(old + count_sectors(test, "both", 2), 32);
        mixed = mixed || (old > 0 && old < 32);
    }
    assert_true(mixed);
}

static void test_a_misdirected_write_lands_elsewhere_in_the_file(void **state) {
    struct disk_test *test = *state;
    int handle = make_file(test, "file", 8, 1);
    for (uint64_t seed = 0; seed < 50; seed++) {
        assert_int_equal(write_pages(test, handle, 0, 8, 1), 0);
        assert_int_equal(disk(test)->sync(test->disk, handle), 0);
        storage_memory_fault(test->disk, STORAGE_FAULT_MISDIRECT, 0, seed);
        memset(test->buffer, 2, PAGE);
        assert_int_equal(disk(test)->submit(test->disk, handle, 3 * PAGE, test->buffer, PAGE), 0);
        assert_int_equal(disk(test)->complete(test->disk, true), 0);
        uint64_t bytes;
        const uint8_t *file = storage_memory_bytes(test->disk, "file", &bytes);
        assert_int_equal(file[3 * PAGE], 1);
        assert_int_equal(count_sectors(test, "file", 2), 8);
    }
    disk(test)->close(test->disk, handle);
}

static void test_reads_syncs_and_room_fail_on_command(void **state) {
    struct disk_test *test = *state;
    int handle = make_file(test, "file", 2, 1);
    storage_memory_fault(test->disk, STORAGE_FAULT_READ, 1, 0);
    assert_int_equal(disk(test)->read(test->disk, handle, 0, test->buffer, PAGE), 0);
    assert_int_equal(disk(test)->read(test->disk, handle, 0, test->buffer, PAGE), -EIO);
    assert_int_equal(disk(test)->read(test->disk, handle, 0, test->buffer, PAGE), 0);

    storage_memory_fault(test->disk, STORAGE_FAULT_SYNC, 0, 3);
    assert_int_equal(write_pages(test, handle, 0, 2, 9), 0);
    assert_int_equal(disk(test)->sync(test->disk, handle), -EIO);
    uint64_t landed = count_sectors(test, "file", 9);
    assert_int_equal(disk(test)->sync(test->disk, handle), 0); /* and has forgotten the rest */
    assert_int_equal(count_sectors(test, "file", 9), landed);

    storage_memory_fault(test->disk, STORAGE_FAULT_FULL, 2, 0);
    int other = disk(test)->create(test->disk, "other");
    assert_true(other >= 0);
    assert_int_equal(write_pages(test, other, 0, 1, 1), 0);
    assert_int_equal(write_pages(test, other, 1, 1, 1), -ENOSPC);
    assert_int_equal(disk(test)->prepare(test->disk, "segment", PAGE), -ENOSPC);
    storage_memory_heal(test->disk);
    assert_int_equal(write_pages(test, other, 1, 1, 1), 0);
    disk(test)->close(test->disk, other);
    disk(test)->close(test->disk, handle);
}

static void test_the_power_fails_in_the_middle_of_a_rename(void **state) {
    struct disk_test *test = *state;
    bool renamed = false, kept = false;
    for (uint64_t seed = 0; seed < 30; seed++) {
        assert_int_equal(disk(test)->claim(test->disk), 0);
        int handle = disk(test)->create(test->disk, "new.tmp");
        assert_int_equal(write_pages(test, handle, 0, 1, 1), 0);
        assert_int_equal(disk(test)->sync(test->disk, handle), 0);
        storage_memory_crash_in(test->disk, 0, seed);
        assert_int_equal(disk(test)->rename(test->disk, "new.tmp", "new"), -EIO);
        assert_true(storage_memory_crashed(test->disk));
        disk(test)->close(test->disk, handle);
        renamed = renamed || exists(test, "new");
        kept = kept || exists(test, "new.tmp");
        assert_false(exists(test, "new") && exists(test, "new.tmp"));
        (void)storage_memory_remove(test->disk, "new");
        (void)storage_memory_remove(test->disk, "new.tmp");
    }
    assert_true(renamed && kept);
}

static void test_files_come_and_go_for_ever(void **state) {
    struct disk_test *test = *state;
    for (uint32_t i = 0; i < 10000; i++) {
        disk(test)->close(test->disk, make_file(test, "passing", 1, (int)(i % 100)));
        assert_int_equal(disk(test)->remove(test->disk, "passing"), 0);
    }
    int handle = make_file(test, "held", 1, 3);
    assert_int_equal(disk(test)->remove(test->disk, "held"), 0);
    disk(test)->close(test->disk, make_file(test, "next", 1, 4));
    assert_int_equal(disk(test)->read(test->disk, handle, 0, test->buffer, PAGE), 0);
    assert_int_equal(test->buffer[0], 3); /* a removed file lives as long as it is open */
    disk(test)->close(test->disk, handle);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_written_file_can_be_read_and_renamed),
        TEST(test_what_was_synced_survives_a_crash),
        TEST(test_what_was_not_synced_is_torn_by_a_crash),
        TEST(test_an_overwritten_file_is_a_mixture_after_a_crash),
        TEST(test_a_misdirected_write_lands_elsewhere_in_the_file),
        TEST(test_reads_syncs_and_room_fail_on_command),
        TEST(test_the_power_fails_in_the_middle_of_a_rename),
        TEST(test_files_come_and_go_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
