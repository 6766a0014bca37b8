/* test_snapshot.c - snapshots saved, loaded, made from a log; damaged, cut, foreign, half written
 *
 * Disks are in memory and fail on command; histories come from seeds. What damage anywhere in a
 * file does, byte by byte, is tested in tests/damage.
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
#include "wal/trim.h"

static int set_up(void **state) {
    struct snapshot_fixture *fixture = malloc(sizeof *fixture);
    snapshot_fixture_init(fixture, 1, 40);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    snapshot_fixture_deinit(*state);
    free(*state);
    return 0;
}

static uint8_t *bytes_of(struct snapshot_fixture *fixture, const char *name, uint64_t *ret_bytes) {
    uint8_t *bytes = storage_memory_bytes(fixture->snapshots, name, ret_bytes);
    assert_non_null(bytes);
    return bytes;
}

static void cut(struct snapshot_fixture *fixture, const char *name, uint64_t size) {
    uint64_t bytes;
    const uint8_t *from = bytes_of(fixture, name, &bytes);
    uint8_t *copy = malloc(size > bytes ? size : bytes);
    memset(copy, 0, size > bytes ? size : bytes);
    memcpy(copy, from, size < bytes ? size : bytes);
    assert_int_equal(storage_memory_put(fixture->snapshots, name, copy, size), 0);
    free(copy);
}

static void what_is_saved_is_loaded(void **state) {
    struct snapshot_fixture *fixture = *state;
    struct snapshot_info info, loaded;
    struct world *world;
    snapshot_fixture_run(fixture, 3000);
    info = (struct snapshot_info){.lsn = fixture->written, .created_ms = 77, .epoch = 3};
    memset(info.log_id, 0x5a, sizeof info.log_id);
    assert_int_equal(snapshot_save(fixture->snapshots, fixture->history.world, &info, NULL, NULL,
                                   &fixture->error),
                     0);
    char name[SNAPSHOT_NAME_BYTES];
    (void)snprintf(name, sizeof name, "snap-%016llx.snp", (unsigned long long)fixture->written);
    assert_int_equal(snapshot_load(fixture->snapshots, name, fixture->options.seed, &loaded, &world,
                                   &fixture->error),
                     0);
    assert_string_equal(loaded.name, name);
    assert_int_equal(loaded.lsn, fixture->written);
    assert_int_equal(loaded.created_ms, 77);
    assert_int_equal(loaded.epoch, 3);
    assert_int_equal(loaded.account_partitions, ACCOUNT_PARTITIONS);
    assert_memory_equal(loaded.log_id, info.log_id, sizeof info.log_id);
    assert_true(loaded.world_hash == world_hash(fixture->history.world));
    assert_true(world_hash(world) == loaded.world_hash);
    assert_true(loaded.decision_count > 1000 && loaded.last_time_ms > 0);
    uint64_t bytes;
    (void)bytes_of(fixture, name, &bytes);
    assert_int_equal(loaded.file_bytes, bytes);
    world_free(world);
    assert_int_equal(snapshot_load(fixture->snapshots, "snap-0000000000000001.snp",
                                   fixture->options.seed, NULL, &world, &fixture->error),
                     -SNAPSHOT_NONE);
}

static void a_snapshot_goes_on_from_the_one_before(void **state) {
    struct snapshot_fixture *fixture = *state;
    uint64_t lsns[4];
    for (int i = 0; i < 4; i++) {
        snapshot_fixture_run(fixture, 700);
        if (i == 2) { /* and by an engine's successor */
            snapshot_fixture_stop(fixture);
            snapshot_fixture_start(fixture);
        }
        struct snapshot_info info = snapshot_fixture_make_ok(fixture);
        lsns[i] = info.lsn;
        assert_int_equal(snapshot_fixture_newest(fixture), info.lsn);
        assert_int_equal(info.created_ms, fixture->now_ms);
        assert_int_equal(info.epoch, i < 3 ? 1 : 2); /* the successor has written nothing yet */
    }
    assert_true(lsns[0] > 0 && lsns[0] < lsns[1] && lsns[1] < lsns[2] && lsns[2] < lsns[3]);
    assert_int_equal(fixture->skipped, 0);
    snapshot_fixture_recovers(fixture);
}

static void the_same_state_is_the_same_bytes(void **state) {
    struct snapshot_fixture *fixture = *state;
    snapshot_fixture_run(fixture, 1500);
    struct snapshot_info first = snapshot_fixture_make_ok(fixture);
    snapshot_fixture_run(fixture, 1500);
    struct snapshot_info info = snapshot_fixture_make_ok(fixture); /* from the first one */
    uint64_t bytes, again_bytes;
    uint8_t *kept = malloc(info.file_bytes);
    memcpy(kept, bytes_of(fixture, info.name, &bytes), info.file_bytes);
    assert_true(storage_memory_remove(fixture->snapshots, first.name));
    assert_true(storage_memory_remove(fixture->snapshots, info.name));
    struct snapshot_info again = snapshot_fixture_make_ok(fixture); /* from nothing */
    assert_int_equal(again.lsn, info.lsn);
    const uint8_t *other = bytes_of(fixture, again.name, &again_bytes);
    assert_int_equal(bytes, again_bytes);
    assert_memory_equal(kept, other, bytes);
    free(kept);
}

/* Many blocks; and whoever paces the making sees each of them. */
static void pace(void *context, uint64_t bytes_done) {
    uint64_t *last = context;
    assert_true(bytes_done > *last && bytes_done - *last <= WAL_BLOCK_BYTES_MAX);
    assert_int_equal(bytes_done % 4096, 0);
    *last = bytes_done;
}

static void a_large_state_fills_many_blocks(void **state) {
    (void)state;
    struct snapshot_fixture fixture;
    snapshot_fixture_init(&fixture, 5, 50000);
    snapshot_fixture_run(&fixture, 200000);
    struct snapshot_info info;
    uint64_t last = 4096;
    snapshot_fixture_stop(&fixture);
    assert_int_equal(snapshot_make(fixture.log, fixture.snapshots, UINT64_MAX, 1, &fixture.options,
                                   pace, &last, &info, &fixture.error),
                     0);
    assert_int_equal(last, info.file_bytes);
    printf("# %llu bytes\n", (unsigned long long)info.file_bytes);
    assert_true(info.file_bytes > 2 * WAL_BLOCK_BYTES_MAX);
    assert_int_equal(snapshot_fixture_newest(&fixture), fixture.written);

    uint64_t size; /* a block that changed places with another is out of sequence */
    uint8_t *bytes = bytes_of(&fixture, info.name, &size);
    uint8_t *kept = malloc(WAL_BLOCK_BYTES_MAX);
    memcpy(kept, bytes + 4096, WAL_BLOCK_BYTES_MAX);
    memcpy(bytes + 4096, bytes + 4096 + WAL_BLOCK_BYTES_MAX, WAL_BLOCK_BYTES_MAX);
    memcpy(bytes + 4096 + WAL_BLOCK_BYTES_MAX, kept, WAL_BLOCK_BYTES_MAX);
    free(kept);
    assert_int_equal(snapshot_fixture_newest(&fixture), 0);
    assert_int_equal(fixture.codes[0], SNAPSHOT_DAMAGED);
    snapshot_fixture_deinit(&fixture);
}

/* Same log, same LSN, same place in the file: only the chain tells that they do not belong
 * together. */
static void a_block_of_another_state_is_noticed(void **state) {
    struct snapshot_fixture *fixture = *state;
    struct snapshot_info info = {.lsn = 5, .log_id = {1}};
    uint64_t size;
    static const char name[] = "snap-0000000000000005.snp";
    snapshot_fixture_run(fixture, 500);
    assert_int_equal(snapshot_save(fixture->snapshots, fixture->history.world, &info, NULL, NULL,
                                   &fixture->error),
                     0);
    const uint8_t *bytes = bytes_of(fixture, name, &size);
    uint64_t kept_size = size;
    uint8_t *kept = malloc(size);
    memcpy(kept, bytes, size);
    snapshot_fixture_run(fixture, 500);
    assert_int_equal(snapshot_save(fixture->snapshots, fixture->history.world, &info, NULL, NULL,
                                   &fixture->error),
                     0);
    /* The header of the second, everything else of the first. */
    memcpy(kept, bytes_of(fixture, name, &size), 4096);
    assert_int_equal(storage_memory_put(fixture->snapshots, name, kept, kept_size), 0);
    free(kept);
    struct world *world;
    assert_int_equal(snapshot_load(fixture->snapshots, name, fixture->options.seed, NULL, &world,
                                   &fixture->error),
                     -SNAPSHOT_DAMAGED);
    assert_int_equal(fixture->error.offset, 4096);
    assert_non_null(strstr(fixture->error.text, "does not follow"));
}

static void nothing_new_makes_no_snapshot(void **state) {
    struct snapshot_fixture *fixture = *state;
    struct snapshot_info info;
    assert_int_equal(snapshot_fixture_make(fixture, &info), 1); /* there is no record yet */
    snapshot_fixture_run(fixture, 300);
    snapshot_fixture_stop(fixture);
    (void)snapshot_fixture_make_ok(fixture);
    assert_int_equal(snapshot_fixture_make(fixture, &info), 1);
}

/* Beside an engine: never beyond what is durable, also while a write is under way. */
static void a_snapshot_never_runs_ahead_of_the_log(void **state) {
    struct snapshot_fixture *fixture = *state;
    for (int i = 0; i < 30; i++) {
        snapshot_fixture_run(fixture, 40);
        struct snapshot_info info = {.lsn = 0};
        int rc = snapshot_fixture_make(fixture, &info);
        assert_true(rc == 0 || rc == 1);
        assert_true(info.lsn <= wal_durable_lsn(fixture->wal));
        assert_true(info.lsn < fixture->written); /* the last block's own end is in no block yet */
    }
    assert_true(snapshot_fixture_newest(fixture) > 0);
    snapshot_fixture_stop(fixture); /* nobody writes: all of it */
    assert_int_equal(snapshot_fixture_make_ok(fixture).lsn, fixture->written);
}

static void a_snapshot_stops_where_it_is_told(void **state) {
    struct snapshot_fixture *fixture = *state;
    snapshot_fixture_run(fixture, 1000);
    uint64_t half = fixture->written / 2;
    struct snapshot_info info;
    assert_int_equal(snapshot_make(fixture->log, fixture->snapshots, half, 1, &fixture->options,
                                   NULL, NULL, &info, &fixture->error),
                     0);
    assert_true(info.lsn <= half && info.lsn + RECORD_BYTES_MAX > half);
    assert_int_equal(snapshot_fixture_newest(fixture), info.lsn);
}

static void two_cannot_make_at_once(void **state) {
    struct snapshot_fixture *fixture = *state;
    snapshot_fixture_run(fixture, 100);
    assert_int_equal(fixture->snapshots->operations->claim(fixture->snapshots), 0);
    assert_int_equal(snapshot_fixture_make(fixture, NULL), -SNAPSHOT_LOCKED);
    fixture->snapshots->operations->unclaim(fixture->snapshots);
    assert_int_equal(snapshot_fixture_make(fixture, NULL), 0);
    assert_int_equal(fixture->snapshots->operations->claim(fixture->snapshots), 0);
}

/* --- the folder ------------------------------------------------------------------------------- */

struct kept_names {
    uint32_t good, bad;
    uint64_t lsn; /* of the last one */
};

static int count(void *context, const struct snapshot_info *info,
                 const struct snapshot_error *error) {
    struct kept_names *listing = context;
    assert_true(listing->lsn == 0 || error || info->lsn < listing->lsn);
    if (error) {
        listing->bad++;
        assert_true(error->text[0] != '\0' && info->name[0] != '\0');
    } else {
        listing->good++;
        listing->lsn = info->lsn;
    }
    return 0;
}

static void a_folder_is_listed_newest_first(void **state) {
    struct snapshot_fixture *fixture = *state;
    static const uint8_t junk[8192];
    struct kept_names listing = {0};
    assert_int_equal(snapshot_list(fixture->snapshots, count, &listing, &fixture->error), 0);
    assert_int_equal(listing.good + listing.bad, 0);
    for (int i = 0; i < 3; i++) {
        snapshot_fixture_run(fixture, 300);
        (void)snapshot_fixture_make_ok(fixture);
    }
    static const char *const strangers[] = {"snapshot.tmp",
                                            "snap-1.snp",
                                            "snap-.snp",
                                            "README",
                                            "snap-000000000000000A.snp",
                                            "snap-0000000000000010.snp.beyond-cut"};
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        assert_int_equal(storage_memory_put(fixture->snapshots, strangers[i], junk, sizeof junk),
                         0);
    }
    (void)storage_memory_put(fixture->snapshots, "snap-0000000000000010.snp", junk, sizeof junk);
    assert_int_equal(snapshot_list(fixture->snapshots, count, &listing, &fixture->error), 0);
    assert_int_equal(listing.good, 3);
    assert_int_equal(listing.bad, 1);
}

/* --- skipped ---------------------------------------------------------------------------------- */

enum damage {
    FLIP_HEADER,
    FLIP_PADDING,
    FLIP_BODY,
    FLIP_BLOCK_HEADER,
    FLIP_END,
    CUT_END,
    CUT_MIDDLE,
    CUT_HEADER,
    CUT_ODD,
    EMPTY,
    LONGER,
    RENAMED,
    DAMAGES,
};

static void damage(struct snapshot_fixture *fixture, const struct snapshot_info *info,
                   enum damage damage) {
    uint64_t size;
    uint8_t *bytes = bytes_of(fixture, info->name, &size);
    switch (damage) {
    case FLIP_HEADER: bytes[40] ^= 1; break;
    case FLIP_PADDING: bytes[3000] ^= 1; break;
    case FLIP_BODY: bytes[4096 + 300] ^= 0x80; break;
    case FLIP_BLOCK_HEADER: bytes[4096 + 16] ^= 1; break;
    case FLIP_END: bytes[size - 4096 + 64] ^= 1; break;
    case CUT_END: cut(fixture, info->name, size - 4096); break;
    case CUT_MIDDLE: cut(fixture, info->name, 8192); break;
    case CUT_HEADER: cut(fixture, info->name, 4096); break;
    case CUT_ODD: cut(fixture, info->name, size - 100); break;
    case EMPTY: cut(fixture, info->name, 0); break;
    case LONGER: cut(fixture, info->name, size + 4096); break;
    case RENAMED: {
        char name[SNAPSHOT_NAME_BYTES];
        (void)snprintf(name, sizeof name, "snap-%016llx.snp", (unsigned long long)info->lsn + 1);
        assert_int_equal(storage_memory_put(fixture->snapshots, name, bytes, size), 0);
        assert_true(storage_memory_remove(fixture->snapshots, info->name));
        break;
    }
    case DAMAGES: break;
    }
}

static void a_damaged_snapshot_is_skipped_for_the_one_before(void **state) {
    (void)state;
    for (enum damage how = 0; how < DAMAGES; how++) {
        struct snapshot_fixture fixture;
        snapshot_fixture_init(&fixture, 2, 40);
        snapshot_fixture_run(&fixture, 500);
        uint64_t before = snapshot_fixture_make_ok(&fixture).lsn;
        snapshot_fixture_run(&fixture, 500);
        struct snapshot_info info = snapshot_fixture_make_ok(&fixture);
        damage(&fixture, &info, how);
        assert_int_equal(snapshot_fixture_newest(&fixture), before);
        assert_int_equal(fixture.skipped, 1);
        assert_int_equal(fixture.codes[0], SNAPSHOT_DAMAGED);
        snapshot_fixture_recovers(&fixture);
        assert_true(snapshot_fixture_make_ok(&fixture).lsn == info.lsn); /* and made again */
        if (how != RENAMED) assert_int_equal(snapshot_fixture_newest(&fixture), info.lsn);
        snapshot_fixture_deinit(&fixture);
    }
}

static void another_logs_snapshot_is_skipped(void **state) {
    struct snapshot_fixture *fixture = *state;
    snapshot_fixture_run(fixture, 500);
    uint64_t before = snapshot_fixture_make_ok(fixture).lsn;
    struct snapshot_info info = {.lsn = before + 100, .log_id = {1, 2, 3}}, from;
    struct recover_result result;
    struct world *world;
    assert_int_equal(snapshot_save(fixture->snapshots, fixture->history.world, &info, NULL, NULL,
                                   &fixture->error),
                     0);
    assert_int_equal(snapshot_recover(fixture->log, fixture->snapshots, fixture->written,
                                      &fixture->options, &from, &world, &result, &fixture->error),
                     0);
    assert_int_equal(from.lsn, before);
    assert_int_equal(fixture->skipped, 1);
    assert_int_equal(fixture->codes[0], SNAPSHOT_FOREIGN);
    world_free(world);
}

/* --- crashes and lies of the disk ------------------------------------------------------------- */

/* The power fails at each step of making a snapshot. */
static void a_crash_leaves_the_old_or_the_new_one(void **state) {
    (void)state;
    struct snapshot_fixture fixture;
    snapshot_fixture_init(&fixture, 3, 40);
    snapshot_fixture_run(&fixture, 400);
    uint64_t before = snapshot_fixture_make_ok(&fixture).lsn;
    snapshot_fixture_run(&fixture, 400);
    uint32_t old = 0, new = 0;
    bool done = false;
    for (uint64_t step = 0; !done; step++) {
        for (uint64_t seed = 0; seed < 8; seed++) {
            struct storage *kept = fixture.snapshots;
            assert_int_equal(storage_memory_clone(kept, &fixture.snapshots), 0);
            struct snapshot_info info;
            storage_memory_crash_in(fixture.snapshots, step, seed);
            int rc = snapshot_fixture_make(&fixture, &info);
            bool crashed = storage_memory_crashed(fixture.snapshots);
            if (!crashed) {
                assert_int_equal(rc, 0);
                storage_memory_crash(fixture.snapshots, seed); /* what it named is durable */
                done = true;
            } else {
                assert_int_equal(rc, -SNAPSHOT_IO);
            }
            uint64_t newest = snapshot_fixture_newest(&fixture);
            assert_true(newest == before || newest > before);
            assert_true(crashed || newest == info.lsn);
            assert_int_equal(fixture.skipped, 0); /* never a bad one under a good name */
            old += newest == before;
            new += newest > before;
            assert_int_equal(fixture.snapshots->operations->claim(fixture.snapshots), 0);
            fixture.snapshots->operations->unclaim(fixture.snapshots);
            assert_true(snapshot_fixture_make(&fixture, &info) >=
                        0); /* the next one is not disturbed */
            fixture.snapshots->operations->destroy(fixture.snapshots);
            fixture.snapshots = kept;
        }
    }
    assert_true(old > 0 && new > 8);
    snapshot_fixture_deinit(&fixture);
}

/* The disk fails or lies at each write, each sync, each read; or is full. */
static void a_lying_disk_makes_no_snapshot(void **state) {
    (void)state;
    static const enum storage_fault faults[] = {
        STORAGE_FAULT_SUBMIT, STORAGE_FAULT_FAIL,      STORAGE_FAULT_SHORT, STORAGE_FAULT_DROP,
        STORAGE_FAULT_TEAR,   STORAGE_FAULT_FLIP,      STORAGE_FAULT_READ,  STORAGE_FAULT_SYNC,
        STORAGE_FAULT_FULL,   STORAGE_FAULT_MISDIRECT,
    };
    struct snapshot_fixture fixture;
    snapshot_fixture_init(&fixture, 4, 40);
    snapshot_fixture_run(&fixture, 400);
    uint64_t before = snapshot_fixture_make_ok(&fixture).lsn;
    snapshot_fixture_run(&fixture, 400);
    for (size_t fault = 0; fault < sizeof faults / sizeof *faults; fault++) {
        uint32_t refused = 0;
        for (uint64_t after = 0; after < 8; after++) {
            struct storage *kept = fixture.snapshots;
            assert_int_equal(storage_memory_clone(kept, &fixture.snapshots), 0);
            storage_memory_fault(fixture.snapshots, faults[fault], after, after + 1);
            struct snapshot_info info;
            int rc = snapshot_fixture_make(&fixture, &info);
            storage_memory_heal(fixture.snapshots);
            uint64_t newest = snapshot_fixture_newest(&fixture);
            assert_int_equal(fixture.skipped,
                             faults[fault] == STORAGE_FAULT_READ ? fixture.skipped : 0);
            fixture.skipped = 0;
            assert_true(rc == 0 ? newest == info.lsn : newest == before);
            refused += rc < 0;
            fixture.snapshots->operations->destroy(fixture.snapshots);
            fixture.snapshots = kept;
        }
        printf("# fault %d: refused %u of 8\n", (int)faults[fault], refused);
        assert_true(refused > 0);
    }
    snapshot_fixture_deinit(&fixture);
}

static void what_is_saved_is_read_back(void **state) {
    struct snapshot_fixture *fixture = *state;
    static const enum storage_fault faults[] = {STORAGE_FAULT_DROP, STORAGE_FAULT_FLIP,
                                                STORAGE_FAULT_READ, STORAGE_FAULT_MISDIRECT};
    const struct snapshot_info info = {.lsn = 5, .log_id = {1}};
    snapshot_fixture_run(fixture, 300);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        storage_memory_fault(fixture->snapshots, faults[i], 1, i + 1);
        assert_true(snapshot_save(fixture->snapshots, fixture->history.world, &info, NULL, NULL,
                                  &fixture->error) < 0);
        assert_true(fixture->error.text[0] != '\0');
        struct kept_names listing = {0};
        assert_int_equal(snapshot_list(fixture->snapshots, count, &listing, &fixture->error), 0);
        assert_int_equal(listing.good + listing.bad, 0);
    }
    assert_int_equal(snapshot_save(fixture->snapshots, fixture->history.world, &info, NULL, NULL,
                                   &fixture->error),
                     0);
}

/* --- snapshots and the log that they are of --------------------------------------------------- */

static void a_log_that_lost_its_end_is_refused(void **state) {
    struct snapshot_fixture *fixture = *state;
    snapshot_fixture_run(fixture, 300);
    struct storage *older; /* a copy of the log as it was */
    assert_int_equal(storage_memory_clone(fixture->log, &older), 0);
    snapshot_fixture_run(fixture, 300);
    snapshot_fixture_stop(fixture);
    struct snapshot_info info = snapshot_fixture_make_ok(fixture), witness;
    assert_int_equal(snapshot_witness(fixture->snapshots, NULL, &witness, &fixture->error), 0);
    assert_int_equal(witness.lsn, info.lsn);
    const struct wal_recovery_options options = {.witness_lsn = witness.lsn};
    struct wal_recovery recovery;
    struct wal_error error;
    assert_int_equal(wal_recover(fixture->log, &options, &recovery, &error), 0);
    assert_int_equal(wal_recover(older, &options, &recovery, &error), -WAL_ERROR_CORRUPT);
    older->operations->destroy(older);

    uint64_t size; /* what lies behind a good header does not make its LSN less true */
    bytes_of(fixture, info.name, &size)[4096 + 300] ^= 1;
    assert_int_equal(snapshot_witness(fixture->snapshots, NULL, &witness, &fixture->error), 0);
    assert_int_equal(witness.lsn, info.lsn);
    bytes_of(fixture, info.name, &size)[300] ^= 1;
    assert_int_equal(snapshot_witness(fixture->snapshots, NULL, &witness, &fixture->error), 0);
    assert_int_equal(witness.lsn, 0);
}

static void a_log_without_its_beginning_needs_a_snapshot(void **state) {
    struct snapshot_fixture *fixture = *state;
    snapshot_fixture_run(fixture, 5000);
    struct snapshot_info info = snapshot_fixture_make_ok(fixture);
    snapshot_fixture_run(fixture, 5000);
    uint64_t removed;
    struct wal_error error;
    assert_int_equal(wal_trim(fixture->log, info.lsn, &removed, &error), 0);
    assert_true(removed > 1);
    snapshot_fixture_recovers(fixture);

    struct world *world;
    struct recover_result result;
    uint64_t before = info.lsn - 1;
    assert_int_equal(snapshot_recover(fixture->log, fixture->snapshots, before, &fixture->options,
                                      NULL, &world, &result, &fixture->error),
                     -SNAPSHOT_LOG);
    char words[64];
    (void)snprintf(words, sizeof words, "can be had from LSN %llu on",
                   (unsigned long long)info.lsn);
    assert_non_null(strstr(fixture->error.text, words));
    assert_non_null(strstr(fixture->error.text, info.name));

    uint64_t size;
    bytes_of(fixture, info.name, &size)[4096 + 300] ^= 1;
    assert_int_equal(snapshot_recover(fixture->log, fixture->snapshots, fixture->written,
                                      &fixture->options, NULL, &world, &result, &fixture->error),
                     -SNAPSHOT_LOG);
    assert_int_equal(fixture->skipped, 1);
    assert_non_null(strstr(fixture->error.text, "no valid snapshot"));
    assert_non_null(strstr(fixture->error.text, "from the archive"));
    assert_int_equal(snapshot_fixture_make(fixture, NULL), -SNAPSHOT_LOG);
}

static void every_moment_can_be_recovered(void **state) {
    struct snapshot_fixture *fixture = *state;
    for (int i = 0; i < 3; i++) {
        snapshot_fixture_run(fixture, 300);
        (void)snapshot_fixture_make_ok(fixture);
    }
    snapshot_fixture_run(fixture, 100);
    uint32_t size, number = 0;
    for (uint64_t lsn = 0; lsn < fixture->written; lsn += size, number++) {
        memcpy(&size, fixture->records.bytes + lsn, sizeof size);
        if (number % 97 != 0) continue;
        struct world *world;
        struct recover_result result;
        fixture->options.to_lsn = lsn;
        assert_int_equal(snapshot_recover(fixture->log, fixture->snapshots, fixture->written,
                                          &fixture->options, NULL, &world, &result,
                                          &fixture->error),
                         0);
        assert_true(world_hash(world) == snapshot_fixture_hash(fixture, lsn));
        assert_int_equal(result.last_lsn, lsn);
        world_free(world);
    }
    fixture->options.to_lsn = UINT64_MAX;
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_is_saved_is_loaded),
        TEST(a_snapshot_goes_on_from_the_one_before),
        TEST(the_same_state_is_the_same_bytes),
        cmocka_unit_test(a_large_state_fills_many_blocks),
        TEST(a_block_of_another_state_is_noticed),
        TEST(nothing_new_makes_no_snapshot),
        TEST(a_snapshot_never_runs_ahead_of_the_log),
        TEST(a_snapshot_stops_where_it_is_told),
        TEST(two_cannot_make_at_once),
        TEST(a_folder_is_listed_newest_first),
        cmocka_unit_test(a_damaged_snapshot_is_skipped_for_the_one_before),
        TEST(another_logs_snapshot_is_skipped),
        cmocka_unit_test(a_crash_leaves_the_old_or_the_new_one),
        cmocka_unit_test(a_lying_disk_makes_no_snapshot),
        TEST(what_is_saved_is_read_back),
        TEST(a_log_that_lost_its_end_is_refused),
        TEST(a_log_without_its_beginning_needs_a_snapshot),
        TEST(every_moment_can_be_recovered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
