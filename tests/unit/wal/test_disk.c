/* test_disk.c - the disk in memory itself: what is written, synced and renamed, and what a crash
 * leaves of it. The tests of the log and of snapshots are worth what this disk is worth. */
#include "harness.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096u

struct stage {
    struct storage *disk;
    uint8_t *buffer; /* 16 pages, aligned */
};

static int setup(void **state) {
    struct stage *stage = calloc(1, sizeof *stage);
    assert_int_equal(storage_memory_open(&stage->disk), 0);
    stage->buffer = aligned_alloc(PAGE, 16 * PAGE);
    assert_non_null(stage->buffer);
    *state = stage;
    return 0;
}

static int teardown(void **state) {
    struct stage *stage = *state;
    stage->disk->operations->destroy(stage->disk);
    free(stage->buffer);
    free(stage);
    return 0;
}

static const struct storage_operations *disk(const struct stage *stage) {
    return stage->disk->operations;
}

static int write_pages(struct stage *stage, int handle, uint64_t page, uint32_t count, int value) {
    memset(stage->buffer, value, (size_t)count * PAGE);
    return disk(stage)->write(stage->disk, handle, page * PAGE, stage->buffer, count * PAGE);
}

/* A file of so many pages, synced and renamed. Return: an open handle */
static int make_file(struct stage *stage, const char *name, uint32_t pages, int value) {
    int handle = disk(stage)->create(stage->disk, "making.tmp");
    assert_true(handle >= 0);
    assert_int_equal(write_pages(stage, handle, 0, pages, value), 0);
    assert_int_equal(disk(stage)->sync(stage->disk, handle), 0);
    assert_int_equal(disk(stage)->rename(stage->disk, "making.tmp", name), 0);
    return handle;
}

/* How many of the file's sectors are all of that value. */
static uint64_t count_sectors(struct stage *stage, const char *name, int value) {
    uint64_t bytes = 0;
    const uint8_t *at = storage_memory_bytes(stage->disk, name, &bytes);
    assert_non_null(at);
    uint64_t count = 0;
    for (uint64_t i = 0; i < bytes / STORAGE_MEMORY_SECTOR_BYTES; i++) {
        uint8_t sector[STORAGE_MEMORY_SECTOR_BYTES];
        memset(sector, value, sizeof sector);
        count += memcmp(at + i * sizeof sector, sector, sizeof sector) == 0;
    }
    return count;
}

static bool exists(struct stage *stage, const char *name) {
    uint64_t bytes;
    return storage_memory_bytes(stage->disk, name, &bytes) != NULL;
}

static void test_written_file_can_be_read_and_renamed(void **state) {
    struct stage *stage = *state;
    int handle = make_file(stage, "one", 3, 7);
    uint64_t bytes = 0;
    assert_int_equal(disk(stage)->size(stage->disk, handle, &bytes), 0);
    assert_int_equal(bytes, 3 * PAGE);
    assert_int_equal(disk(stage)->read(stage->disk, handle, PAGE, stage->buffer, 2 * PAGE), 0);
    assert_int_equal(stage->buffer[2 * PAGE - 1], 7);
    assert_int_equal(disk(stage)->read(stage->disk, handle, PAGE, stage->buffer, 3 * PAGE),
                     -ENODATA);
    assert_false(exists(stage, "making.tmp"));
    disk(stage)->close(stage->disk, handle);

    int other = make_file(stage, "one", 1, 8); /* over the first */
    assert_int_equal(count_sectors(stage, "one", 8), 8);
    disk(stage)->close(stage->disk, other);
    assert_int_equal(disk(stage)->rename(stage->disk, "nothing", "one"), -ENOENT);
}

static void test_what_was_synced_survives_a_crash(void **state) {
    struct stage *stage = *state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        assert_int_equal(disk(stage)->claim(stage->disk), 0);
        disk(stage)->close(stage->disk, make_file(stage, "kept", 4, 5));
        (void)storage_memory_crash(stage->disk, seed);
        assert_int_equal(count_sectors(stage, "kept", 5), 4 * 8);
        int handle = disk(stage)->create(stage->disk, "other"); /* the power is gone */
        assert_int_equal(handle, -EIO);
    }
}

static void test_what_was_not_synced_is_torn_by_a_crash(void **state) {
    struct stage *stage = *state;
    uint64_t all = 0, none = 0, some = 0, gone = 0, shorter = 0;
    for (uint64_t seed = 0; seed < 3000; seed++) {
        assert_int_equal(disk(stage)->claim(stage->disk), 0);
        int handle = disk(stage)->create(stage->disk, "torn");
        assert_true(handle >= 0);
        assert_int_equal(write_pages(stage, handle, 0, 4, 1), 0);
        (void)storage_memory_crash(stage->disk, seed);
        disk(stage)->close(stage->disk, handle);
        uint64_t bytes = 0;
        if (storage_memory_bytes(stage->disk, "torn", &bytes) == NULL) {
            gone++;
            continue;
        }
        uint64_t landed = count_sectors(stage, "torn", 1);
        all += landed == 32;
        none += landed == 0;
        some += landed > 0 && landed < 32;
        shorter += bytes < 4 * PAGE;
        assert_int_equal(landed + count_sectors(stage, "torn", 0),
                         bytes / STORAGE_MEMORY_SECTOR_BYTES);
        (void)storage_memory_remove(stage->disk, "torn");
    }
    assert_true(all > 0 && none > 0 && some > 0 && gone > 0 && shorter > 0);
}

static void test_an_overwritten_file_is_a_mixture_after_a_crash(void **state) {
    struct stage *stage = *state;
    bool mixed = false;
    for (uint64_t seed = 0; seed < 50; seed++) {
        assert_int_equal(disk(stage)->claim(stage->disk), 0);
        int handle = make_file(stage, "both", 4, 1);
        assert_int_equal(write_pages(stage, handle, 0, 4, 2), 0);
        (void)storage_memory_crash(stage->disk, seed);
        disk(stage)->close(stage->disk, handle);
        uint64_t old = count_sectors(stage, "both", 1);
        assert_int_equal(old + count_sectors(stage, "both", 2), 32);
        mixed = mixed || (old > 0 && old < 32);
    }
    assert_true(mixed);
}

static void test_a_misdirected_write_lands_elsewhere_in_the_file(void **state) {
    struct stage *stage = *state;
    int handle = make_file(stage, "file", 8, 1);
    for (uint64_t seed = 0; seed < 50; seed++) {
        assert_int_equal(write_pages(stage, handle, 0, 8, 1), 0);
        assert_int_equal(disk(stage)->sync(stage->disk, handle), 0);
        storage_memory_fault(stage->disk, STORAGE_FAULT_MISDIRECT, 0, seed);
        memset(stage->buffer, 2, PAGE);
        assert_int_equal(disk(stage)->submit(stage->disk, handle, 3 * PAGE, stage->buffer, PAGE),
                         0);
        assert_int_equal(disk(stage)->complete(stage->disk, true), 0);
        uint64_t bytes;
        const uint8_t *file = storage_memory_bytes(stage->disk, "file", &bytes);
        assert_int_equal(file[3 * PAGE], 1);
        assert_int_equal(count_sectors(stage, "file", 2), 8);
    }
    disk(stage)->close(stage->disk, handle);
}

static void test_reads_syncs_and_room_fail_on_command(void **state) {
    struct stage *stage = *state;
    int handle = make_file(stage, "file", 2, 1);
    storage_memory_fault(stage->disk, STORAGE_FAULT_READ, 1, 0);
    assert_int_equal(disk(stage)->read(stage->disk, handle, 0, stage->buffer, PAGE), 0);
    assert_int_equal(disk(stage)->read(stage->disk, handle, 0, stage->buffer, PAGE), -EIO);
    assert_int_equal(disk(stage)->read(stage->disk, handle, 0, stage->buffer, PAGE), 0);

    storage_memory_fault(stage->disk, STORAGE_FAULT_SYNC, 0, 3);
    assert_int_equal(write_pages(stage, handle, 0, 2, 9), 0);
    assert_int_equal(disk(stage)->sync(stage->disk, handle), -EIO);
    uint64_t landed = count_sectors(stage, "file", 9);
    assert_int_equal(disk(stage)->sync(stage->disk, handle), 0); /* and has forgotten the rest */
    assert_int_equal(count_sectors(stage, "file", 9), landed);

    storage_memory_fault(stage->disk, STORAGE_FAULT_FULL, 2, 0);
    int other = disk(stage)->create(stage->disk, "other");
    assert_true(other >= 0);
    assert_int_equal(write_pages(stage, other, 0, 1, 1), 0);
    assert_int_equal(write_pages(stage, other, 1, 1, 1), -ENOSPC);
    assert_int_equal(disk(stage)->prepare(stage->disk, "segment", PAGE), -ENOSPC);
    storage_memory_heal(stage->disk);
    assert_int_equal(write_pages(stage, other, 1, 1, 1), 0);
    disk(stage)->close(stage->disk, other);
    disk(stage)->close(stage->disk, handle);
}

static void test_the_power_fails_in_the_middle_of_a_rename(void **state) {
    struct stage *stage = *state;
    bool renamed = false, kept = false;
    for (uint64_t seed = 0; seed < 30; seed++) {
        assert_int_equal(disk(stage)->claim(stage->disk), 0);
        int handle = disk(stage)->create(stage->disk, "new.tmp");
        assert_int_equal(write_pages(stage, handle, 0, 1, 1), 0);
        assert_int_equal(disk(stage)->sync(stage->disk, handle), 0);
        storage_memory_crash_in(stage->disk, 0, seed);
        assert_int_equal(disk(stage)->rename(stage->disk, "new.tmp", "new"), -EIO);
        assert_true(storage_memory_crashed(stage->disk));
        disk(stage)->close(stage->disk, handle);
        renamed = renamed || exists(stage, "new");
        kept = kept || exists(stage, "new.tmp");
        assert_false(exists(stage, "new") && exists(stage, "new.tmp"));
        (void)storage_memory_remove(stage->disk, "new");
        (void)storage_memory_remove(stage->disk, "new.tmp");
    }
    assert_true(renamed && kept);
}

static void test_files_come_and_go_for_ever(void **state) {
    struct stage *stage = *state;
    for (uint32_t i = 0; i < 10000; i++) {
        disk(stage)->close(stage->disk, make_file(stage, "passing", 1, (int)(i % 100)));
        assert_int_equal(disk(stage)->remove(stage->disk, "passing"), 0);
    }
    int handle = make_file(stage, "held", 1, 3);
    assert_int_equal(disk(stage)->remove(stage->disk, "held"), 0);
    disk(stage)->close(stage->disk, make_file(stage, "next", 1, 4));
    assert_int_equal(disk(stage)->read(stage->disk, handle, 0, stage->buffer, PAGE), 0);
    assert_int_equal(stage->buffer[0], 3); /* a removed file lives as long as it is open */
    disk(stage)->close(stage->disk, handle);
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
