/* test_snapshot_retain.c - what retention removes, what it never removes, and being interrupted
 *
 * The power fails on each of the three disks (log, snapshots, archive) at each step.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/replay/snapshot/snapshot_fixture.h"
#include "wal/segment.h"

#define SNAPSHOTS 5u

struct yard {
    struct snapshot_fixture fixture;
    struct storage *archive;
    struct storage *whole;                 /* the log before anything went */
    struct snapshot_info infos[SNAPSHOTS]; /* oldest first */
    uint64_t snapshots_removed, segments_removed;
};

static int set_up(void **state) {
    struct yard *yard = calloc(1, sizeof *yard);
    snapshot_fixture_init(&yard->fixture, 1, 40);
    assert_int_equal(storage_memory_open(&yard->archive), 0);
    for (uint32_t i = 0; i < SNAPSHOTS; i++) {
        snapshot_fixture_run(&yard->fixture, 2000);
        yard->infos[i] = snapshot_fixture_make_ok(&yard->fixture);
    }
    snapshot_fixture_run(&yard->fixture, 500);
    assert_int_equal(storage_memory_clone(yard->fixture.log, &yard->whole), 0);
    *state = yard;
    return 0;
}

static int tear_down(void **state) {
    struct yard *yard = *state;
    snapshot_fixture_deinit(&yard->fixture);
    yard->archive->operations->destroy(yard->archive);
    yard->whole->operations->destroy(yard->whole);
    free(yard);
    return 0;
}

static int retain(struct yard *yard, uint32_t keep, bool delete_log, uint64_t applied_lsn,
                  struct storage *archive) {
    const struct snapshot_retention retention = {keep, delete_log, applied_lsn, archive};
    return snapshot_retain(yard->fixture.log, yard->fixture.snapshots, &retention,
                           &yard->snapshots_removed, &yard->segments_removed, &yard->fixture.error);
}

static uint64_t first_lsn(struct storage *log) {
    const struct wal_recovery_options options = {.from_lsn = UINT64_MAX, .live = true};
    struct wal_recovery recovery;
    struct wal_error error;
    assert_int_equal(wal_recover(log, &options, &recovery, &error), 0);
    return recovery.first_lsn;
}

static uint32_t segments(struct storage *log) {
    struct segment_list list;
    struct wal_error error;
    assert_int_equal(segment_list_read(log, &list, &error), 0);
    uint32_t count = (uint32_t)list.count;
    segment_list_free(&list);
    return count;
}

static bool has(struct storage *storage, const char *name) {
    uint64_t bytes;
    return storage_memory_bytes(storage, name, &bytes) != NULL;
}

/* Every segment that there was is in the log or in the archive, byte for byte. */
static void nothing_is_lost(struct yard *yard) {
    struct segment_list list;
    struct wal_error error;
    assert_int_equal(segment_list_read(yard->whole, &list, &error), 0);
    for (uint64_t i = 0; i < list.count; i++) {
        char name[WAL_FILE_NAME_BYTES];
        uint64_t size, copied;
        segment_name(list.numbers[i], name);
        const uint8_t *bytes = storage_memory_bytes(yard->whole, name, &size);
        if (has(yard->fixture.log, name)) continue;
        const uint8_t *copy = storage_memory_bytes(yard->archive, name, &copied);
        assert_non_null(copy);
        assert_int_equal(copied, size);
        assert_memory_equal(bytes, copy, size);
    }
    segment_list_free(&list);
}

static void older_snapshots_go(void **state) {
    struct yard *yard = *state;
    uint32_t before = segments(yard->fixture.log);
    assert_int_equal(retain(yard, 2, false, UINT64_MAX, yard->archive), 0);
    assert_int_equal(yard->snapshots_removed, 3);
    assert_int_equal(yard->segments_removed, 0);
    assert_int_equal(segments(yard->fixture.log), before); /* the log stays unless it is said */
    for (uint32_t i = 0; i < SNAPSHOTS; i++) {
        assert_true(has(yard->fixture.snapshots, yard->infos[i].name) == (i >= 3));
    }
    assert_int_equal(retain(yard, 2, false, UINT64_MAX, NULL), 0);
    assert_int_equal(yard->snapshots_removed, 0);
}

static void what_is_not_valid_does_not_count(void **state) {
    struct yard *yard = *state;
    uint64_t size;
    storage_memory_bytes(yard->fixture.snapshots, yard->infos[4].name, &size)[5000] ^= 1;
    storage_memory_bytes(yard->fixture.snapshots, yard->infos[0].name, &size)[5000] ^= 1;
    assert_int_equal(retain(yard, 2, true, UINT64_MAX, NULL), 0);
    assert_int_equal(yard->snapshots_removed, 2); /* 0 and 1; 4 is newer than what is kept */
    assert_true(has(yard->fixture.snapshots, yard->infos[2].name));
    assert_true(has(yard->fixture.snapshots, yard->infos[3].name));
    assert_true(first_lsn(yard->fixture.log) <= yard->infos[2].lsn);
    snapshot_fixture_recovers(&yard->fixture);
}

static void without_a_valid_snapshot_nothing_goes(void **state) {
    struct yard *yard = *state;
    uint32_t before = segments(yard->fixture.log);
    for (uint32_t i = 0; i < SNAPSHOTS; i++) {
        uint64_t size;
        storage_memory_bytes(yard->fixture.snapshots, yard->infos[i].name, &size)[5000] ^= 1;
    }
    assert_int_equal(retain(yard, 1, true, UINT64_MAX, NULL), 0);
    assert_int_equal(yard->snapshots_removed + yard->segments_removed, 0);
    assert_int_equal(segments(yard->fixture.log), before);
}

static void fewer_than_are_to_be_kept_keep_the_log(void **state) {
    struct yard *yard = *state;
    uint64_t size;
    for (uint32_t i = 1; i < SNAPSHOTS; i++) {
        storage_memory_bytes(yard->fixture.snapshots, yard->infos[i].name, &size)[5000] ^= 1;
    }
    assert_int_equal(retain(yard, 2, true, UINT64_MAX, NULL), 0);
    assert_int_equal(yard->snapshots_removed + yard->segments_removed, 0);
}

/* The log lost its end, and was cut there: what the snapshots know of it must not be relied on. */
static void lost_decisions_stop_retention(void **state) {
    struct yard *yard = *state;
    struct snapshot_fixture *fixture = &yard->fixture;
    struct snapshot_info ahead = yard->infos[4];
    uint32_t before = segments(fixture->log);
    ahead.lsn = fixture->written + 1000;
    assert_int_equal(snapshot_save(fixture->snapshots, fixture->history.world, &ahead, NULL, NULL,
                                   &fixture->error),
                     0);
    assert_int_equal(retain(yard, 1, true, UINT64_MAX, NULL), -SNAPSHOT_LOG);
    assert_non_null(strstr(fixture->error.text, "has lost decisions"));
    assert_int_equal(yard->snapshots_removed + yard->segments_removed, 0);
    assert_int_equal(segments(fixture->log), before);

    /* And later, when the log has grown past it: its epoch gives it away. */
    snapshot_fixture_stop(fixture);
    snapshot_fixture_start(fixture);
    snapshot_fixture_run(fixture, 3000);
    assert_true(fixture->written > ahead.lsn);
    assert_int_equal(retain(yard, 1, true, UINT64_MAX, NULL), 0);
    assert_int_equal(yard->snapshots_removed, 4);
    uint64_t kept = first_lsn(fixture->log);
    assert_true(kept <= yard->infos[4].lsn);
    snapshot_fixture_recovers(fixture);
    assert_int_equal(fixture->skipped, 1);
    assert_int_equal(fixture->codes[0], SNAPSHOT_FOREIGN);
    snapshot_fixture_make_ok(fixture);
    assert_int_equal(retain(yard, 1, true, UINT64_MAX, NULL), 0);
    snapshot_fixture_recovers(fixture); /* it is older now, and stays for somebody to look at */
    char name[SNAPSHOT_NAME_BYTES];
    (void)snprintf(name, sizeof name, "snap-%016llx.snp", (unsigned long long)ahead.lsn);
    assert_true(has(fixture->snapshots, name));
}

static void another_logs_snapshots_stay(void **state) {
    struct yard *yard = *state;
    struct snapshot_fixture *fixture = &yard->fixture;
    struct snapshot_info info = {.lsn = 1, .log_id = {1, 2, 3}};
    assert_int_equal(snapshot_save(fixture->snapshots, fixture->history.world, &info, NULL, NULL,
                                   &fixture->error),
                     0);
    info.lsn = fixture->written + 1;
    assert_int_equal(snapshot_save(fixture->snapshots, fixture->history.world, &info, NULL, NULL,
                                   &fixture->error),
                     0);
    assert_int_equal(retain(yard, 1, true, UINT64_MAX, NULL), 0);
    assert_int_equal(yard->snapshots_removed, 4);
    assert_true(has(fixture->snapshots, "snap-0000000000000001.snp"));
    snapshot_fixture_recovers(fixture);
}

static void the_log_goes_as_far_as_nobody_needs_it(void **state) {
    struct yard *yard = *state;
    uint64_t lsn = yard->infos[4].lsn;
    assert_int_equal(retain(yard, 5, true, UINT64_MAX, NULL), 0);
    uint64_t kept = first_lsn(yard->fixture.log);
    assert_true(yard->segments_removed > 0);
    assert_true(kept <= yard->infos[0].lsn && kept + 65536 > yard->infos[0].lsn);

    assert_int_equal(retain(yard, 1, true, lsn / 2, NULL), 0); /* PostgreSQL is behind */
    assert_int_equal(yard->snapshots_removed, 4);
    kept = first_lsn(yard->fixture.log);
    assert_true(kept <= lsn / 2 && kept + 65536 > lsn / 2);
    assert_int_equal(retain(yard, 1, true, 0, NULL), 0); /* has not said anything */
    assert_int_equal(yard->segments_removed, 0);

    assert_int_equal(retain(yard, 1, true, UINT64_MAX, NULL), 0);
    kept = first_lsn(yard->fixture.log);
    assert_true(kept > lsn / 2 && kept <= lsn);
    snapshot_fixture_recovers(&yard->fixture);
}

static void the_archive_gets_what_goes(void **state) {
    struct yard *yard = *state;
    assert_int_equal(retain(yard, 1, true, UINT64_MAX, yard->archive), 0);
    assert_true(yard->segments_removed > 3);
    assert_int_equal(segments(yard->archive), yard->segments_removed);
    nothing_is_lost(yard);
    /* With the archive in place again, replay begins at the beginning. */
    snapshot_fixture_stop(&yard->fixture);
    uint64_t end = yard->fixture.written;
    for (uint64_t number = 1; number <= yard->segments_removed; number++) {
        char name[WAL_FILE_NAME_BYTES];
        uint64_t size;
        segment_name(number, name);
        const uint8_t *bytes = storage_memory_bytes(yard->archive, name, &size);
        assert_int_equal(storage_memory_put(yard->fixture.log, name, bytes, size), 0);
    }
    struct world *world;
    struct recover_result result;
    assert_int_equal(snapshot_recover(yard->fixture.log, NULL, end, &yard->fixture.options, NULL,
                                      &world, &result, &yard->fixture.error),
                     0);
    assert_true(result.world_hash == world_hash(yard->fixture.history.world));
    world_free(world);
}

static void another_logs_archive_is_refused(void **state) {
    struct yard *yard = *state;
    static const uint8_t other[65536] = {1};
    char name[WAL_FILE_NAME_BYTES];
    segment_name(2, name);
    assert_int_equal(storage_memory_put(yard->archive, name, other, sizeof other), 0);
    assert_int_equal(retain(yard, 1, true, UINT64_MAX, yard->archive), -SNAPSHOT_IO);
    assert_non_null(strstr(yard->fixture.error.text, "another log"));
    assert_int_equal(yard->segments_removed, 1); /* the first is archived and gone */
    nothing_is_lost(yard);
    snapshot_fixture_recovers(&yard->fixture);
}

static void a_full_or_lying_archive_keeps_the_segments(void **state) {
    struct yard *yard = *state;
    static const enum storage_fault faults[] = {STORAGE_FAULT_FULL, STORAGE_FAULT_FAIL,
                                                STORAGE_FAULT_DROP, STORAGE_FAULT_FLIP,
                                                STORAGE_FAULT_SYNC, STORAGE_FAULT_TEAR};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        storage_memory_fault(yard->archive, faults[i], 0, i);
        assert_int_equal(retain(yard, 3, true, UINT64_MAX, yard->archive), -SNAPSHOT_IO);
        assert_int_equal(yard->segments_removed, 0);
        storage_memory_heal(yard->archive);
    }
    assert_int_equal(yard->archive->operations->claim(yard->archive), 0);
    assert_int_equal(retain(yard, 3, true, UINT64_MAX, yard->archive), -SNAPSHOT_IO);
    yard->archive->operations->unclaim(yard->archive);
    assert_int_equal(retain(yard, 3, true, UINT64_MAX, yard->archive), 0);
    assert_true(yard->segments_removed > 0);
    nothing_is_lost(yard);
}

/* One of the three disks loses power at one step; what is left serves, and the next run ends it. */
static bool interrupt(struct yard *yard, uint32_t which, uint64_t step, uint64_t seed) {
    struct snapshot_fixture *fixture = &yard->fixture;
    struct storage *disks[3] = {fixture->log, fixture->snapshots, yard->archive}, *kept[3];
    for (int i = 0; i < 3; i++) {
        kept[i] = disks[i];
        assert_int_equal(storage_memory_clone(kept[i], &disks[i]), 0);
    }
    fixture->log = disks[0], fixture->snapshots = disks[1], yard->archive = disks[2];
    storage_memory_crash_in(disks[which], step, seed);
    int rc = retain(yard, 2, true, UINT64_MAX, yard->archive);
    bool crashed = storage_memory_crashed(disks[which]);
    assert_true(crashed ? rc < 0 : rc == 0);
    for (int i = 0; i < 3; i++) storage_memory_crash(disks[i], seed + (uint64_t)i);
    nothing_is_lost(yard);
    snapshot_fixture_recovers(fixture);
    assert_int_equal(fixture->skipped, 0);
    assert_int_equal(disks[0]->operations->claim(disks[0]), 0); /* the log is usable again */
    disks[0]->operations->unclaim(disks[0]);
    rc = retain(yard, 2, true, UINT64_MAX, yard->archive);
    if (rc < 0) printf("# disk %u step %u: %s\n", which, (unsigned)step, fixture->error.text);
    assert_int_equal(rc, 0);
    nothing_is_lost(yard);
    snapshot_fixture_recovers(fixture);
    assert_false(has(fixture->snapshots, yard->infos[2].name));
    uint64_t first = first_lsn(fixture->log), wanted = yard->infos[3].lsn;
    assert_true(first <= wanted && first + 65536 > wanted);
    for (int i = 0; i < 3; i++) disks[i]->operations->destroy(disks[i]);
    fixture->log = kept[0], fixture->snapshots = kept[1], yard->archive = kept[2];
    return crashed;
}

static void interrupted_anywhere_nothing_is_lost(void **state) {
    struct yard *yard = *state;
    snapshot_fixture_stop(&yard->fixture);
    yard->whole->operations->destroy(yard->whole);
    assert_int_equal(storage_memory_clone(yard->fixture.log, &yard->whole), 0);
    for (uint32_t disk = 0; disk < 3; disk++) {
        uint64_t step = 0;
        bool crashed = true;
        for (; crashed; step++) {
            crashed = false;
            for (uint64_t seed = 0; seed < 4; seed++) {
                crashed = interrupt(yard, disk, step, seed) || crashed;
            }
        }
        printf("# disk %u: %u steps\n", disk, (unsigned)step);
        assert_true(step > 2);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(older_snapshots_go),
        TEST(what_is_not_valid_does_not_count),
        TEST(without_a_valid_snapshot_nothing_goes),
        TEST(fewer_than_are_to_be_kept_keep_the_log),
        TEST(lost_decisions_stop_retention),
        TEST(another_logs_snapshots_stay),
        TEST(the_log_goes_as_far_as_nobody_needs_it),
        TEST(the_archive_gets_what_goes),
        TEST(another_logs_archive_is_refused),
        TEST(a_full_or_lying_archive_keeps_the_segments),
        TEST(interrupted_anywhere_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
