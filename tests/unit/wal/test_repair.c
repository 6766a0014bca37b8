/* test_repair.c - every kind of damage is seen where it is, and repaired without losing a byte */
#include "tests/unit/wal/logs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wal/bytes.h"
#include "wal/inspect.h"

/* --- helpers ---------------------------------------------------------------------------------- */

#define NAMES_MAX 64

struct repair_names {
    char names[NAMES_MAX][64];
    size_t count;
};

static void note_name(void *context, const char *name) {
    struct repair_names *names = context;
    assert_true(names->count < NAMES_MAX);
    assert_true(strlen(name) < sizeof names->names[0]);
    strcpy(names->names[names->count++], name);
}

static struct repair_names list(struct storage *disk) {
    struct repair_names names = {.count = 0};
    assert_int_equal(disk->operations->list(disk, note_name, &names), 0);
    return names;
}

/* Every file's bytes are still in some file, under its name, or kept: but for a segment that was
 * never used. */
static void assert_nothing_lost(struct storage *before, struct storage *after) {
    struct repair_names old = list(before);
    struct repair_names new = list(after);
    for (size_t i = 0; i < old.count; i++) {
        uint64_t size;
        const uint8_t *bytes = storage_memory_bytes(before, old.names[i], &size);
        bool found = size >= 4096 && bytes_all_zero(bytes + 4096, size - 4096);
        for (size_t j = 0; j < new.count && !found; j++) {
            uint64_t other_size;
            const uint8_t *other = storage_memory_bytes(after, new.names[j], &other_size);
            found = strncmp(new.names[j], old.names[i], 24) == 0 && other_size == size &&
                    (size == 0 || memcmp(bytes, other, size) == 0);
        }
        if (!found) fail_msg("the bytes of %s are gone", old.names[i]);
    }
}

static bool same_disk(struct storage *a, struct storage *b) {
    struct repair_names names = list(a);
    if (names.count != list(b).count) return false;
    for (size_t i = 0; i < names.count; i++) {
        uint64_t size_a;
        uint64_t size_b;
        const uint8_t *bytes_a = storage_memory_bytes(a, names.names[i], &size_a);
        const uint8_t *bytes_b = storage_memory_bytes(b, names.names[i], &size_b);
        if (bytes_b == NULL || size_a != size_b || memcmp(bytes_a, bytes_b, size_a) != 0) {
            return false;
        }
    }
    return true;
}

static struct storage *clone(struct storage *disk) {
    struct storage *copy;
    assert_int_equal(storage_memory_clone(disk, &copy), 0);
    return copy;
}

/* The fixture's log on another disk. */
static struct wal_fixture on(const struct wal_fixture *fixture, struct storage *disk) {
    struct wal_fixture copy = *fixture;
    copy.disk = disk;
    return copy;
}

/* The log ends at an LSN and begins where it did, it can be opened but not with a witness beyond,
 * and what is appended can be read. Changes the disk. */
static void assert_serves(const struct wal_fixture *fixture, struct storage *disk,
                          uint64_t first_lsn, uint64_t end_lsn) {
    struct wal_fixture copy = on(fixture, disk);
    copy.options.callback_context = &copy;
    copy.options.clock.context = &copy;
    copy.options.entropy.context = &copy;
    copy.options.witness_lsn = end_lsn + 1;
    assert_int_equal(wal_fixture_open(&copy), -WAL_ERROR_CORRUPT);
    /* The power fails when the next start has prepared its segment: that shows no damage again. */
    struct wal_recovery found;
    char name[WAL_FILE_NAME_BYTES];
    if (wal_verify(disk, NULL, NULL, &found, &copy.error) != 0) fail_msg("%s", copy.error.text);
    segment_name(found.next_number, name);
    int handle = disk->operations->create(disk, name);
    assert_true(handle >= 0);
    static _Alignas(4096) const uint8_t zeros[WAL_SEGMENT_BYTES_MIN];
    assert_int_equal(disk->operations->write(disk, handle, 0, zeros, sizeof zeros), 0);
    assert_int_equal(disk->operations->sync(disk, handle), 0);
    disk->operations->close(disk, handle);
    copy.options.witness_lsn = end_lsn;
    wal_fixture_open_ok(&copy);
    assert_int_equal(copy.recovery.first_lsn, first_lsn);
    assert_int_equal(copy.recovery.end_lsn, end_lsn);
    copy.next_number = end_lsn / LOGS_RECORD_BYTES;
    for (int i = 0; i < 20; i++) (void)wal_fixture_block(&copy, LOGS_RECORD_BYTES);
    wal_fixture_stop(&copy);
    copy.options.witness_lsn = 0;
    wal_fixture_open_ok(&copy);
    assert_int_equal(copy.recovery.end_lsn, end_lsn + 20 * LOGS_RECORD_BYTES);
    wal_fixture_kill(&copy);
    struct wal_reader *reader;
    struct wal_record record;
    struct wal_error error;
    assert_int_equal(wal_reader_open(disk, first_lsn, &reader, &error), 0);
    for (uint64_t lsn = first_lsn; lsn < copy.recovery.end_lsn; lsn += LOGS_RECORD_BYTES) {
        if (wal_reader_next(reader, copy.recovery.end_lsn, &record, &error) != 0) {
            fail_msg("%s", error.text);
        }
        assert_true(wal_fixture_record_good(&record, lsn / LOGS_RECORD_BYTES));
    }
    wal_reader_close(reader);
}

/* --- inspect ---------------------------------------------------------------------------------- */

struct seen {
    struct wal_segment_info infos[16];
    size_t count;
    size_t stop_after; /* 0 = never */
};

static int note_segment(void *context, const struct wal_segment_info *info) {
    struct seen *seen = context;
    assert_true(seen->count < 16);
    seen->infos[seen->count++] = *info;
    return seen->count == seen->stop_after ? 77 : 0;
}

static struct seen inspect(struct storage *disk) {
    struct seen seen = {.count = 0};
    struct wal_error error;
    if (wal_inspect(disk, note_segment, &seen, &error) != 0) fail_msg("%s", error.text);
    return seen;
}

static void test_inspect_sound(void **state) {
    (void)state;
    static const struct {
        uint64_t epoch, first_lsn, end_lsn, used_pages, blocks, seals;
    } table[] = {{1, 0, 45000, 16, 15, 0},     {1, 45000, 90000, 16, 15, 0},
                 {1, 90000, 93000, 3, 1, 1},   {2, 93000, 108000, 6, 5, 0},
                 {3, 108000, 120000, 5, 4, 0}, {0, 0, 0, 0, 0, 0}};
    struct wal_fixture fixture;
    logs_write(&fixture);
    struct seen seen = inspect(fixture.disk);
    assert_int_equal(seen.count, LOGS_SEGMENTS);
    for (size_t i = 0; i < seen.count; i++) {
        const struct wal_segment_info *info = &seen.infos[i];
        char name[WAL_FILE_NAME_BYTES];
        segment_name(i + 1, name);
        assert_string_equal(info->name, name);
        assert_int_equal(info->number, i + 1);
        assert_int_equal(info->epoch, table[i].epoch);
        assert_int_equal(info->first_lsn, table[i].first_lsn);
        assert_int_equal(info->end_lsn, table[i].end_lsn);
        assert_int_equal(info->file_bytes, WAL_SEGMENT_BYTES_MIN);
        assert_int_equal(info->used_bytes, table[i].used_pages * 4096);
        assert_int_equal(info->blocks, table[i].blocks);
        assert_int_equal(info->records, table[i].blocks);
        assert_int_equal(info->seals, table[i].seals);
        assert_int_equal(info->created_ms, i < 5 ? fixture.now_ms : 0);
        assert_int_equal(info->first_wall_ms, i < 5 ? fixture.now_ms : 0);
        assert_int_equal(info->last_wall_ms, i < 5 ? fixture.now_ms : 0);
        assert_int_equal(info->stray_blocks, 0);
        assert_null(info->proof);
    }
    struct seen two = {.stop_after = 2};
    assert_int_equal(wal_inspect(fixture.disk, note_segment, &two, &fixture.error), 77);
    assert_int_equal(two.count, 2);
    wal_fixture_deinit(&fixture);
    assert_string_equal(wal_segment_state_name(WAL_SEGMENT_TORN), "torn");
    assert_string_equal(wal_segment_state_name(99), "unknown");
}

static void test_inspect_damage(void **state) {
    (void)state;
    for (size_t i = 0; i < logs_damage_count; i++) {
        struct wal_fixture fixture;
        logs_write(&fixture);
        logs_damages[i].apply(fixture.disk);
        struct storage *before = clone(fixture.disk);
        struct seen seen = inspect(fixture.disk);
        char states[17] = "";
        for (size_t j = 0; j < seen.count; j++) {
            const struct wal_segment_info *info = &seen.infos[j];
            states[j] = logs_state_letter(info->state);
            assert_int_equal(info->proof != NULL, info->state >= WAL_SEGMENT_DAMAGED);
        }
        if (strcmp(states, logs_damages[i].states) != 0) {
            fail_msg("%s: %s, not %s", logs_damages[i].name, states, logs_damages[i].states);
        }
        assert_true(same_disk(before, fixture.disk));
        before->operations->destroy(before);
        wal_fixture_deinit(&fixture);
    }
}

static void test_inspect_stray(void **state) {
    (void)state;
    struct wal_fixture fixture;
    logs_write(&fixture);
    uint64_t size;
    wal_fixture_segment(fixture.disk, 2, &size)[4096 * 4 + 300] ^= 1;
    wal_fixture_segment(fixture.disk, 2, &size)[4096 * 9 + 300] ^= 1;
    const struct seen seen = inspect(fixture.disk);
    const struct wal_segment_info *info = &seen.infos[1];
    assert_int_equal(info->state, WAL_SEGMENT_DAMAGED);
    assert_int_equal(info->bad_offset, 4096 * 4);
    assert_int_equal(info->used_bytes, 4096 * 4);
    assert_int_equal(info->end_lsn, 54000);
    assert_int_equal(info->blocks, 3);
    assert_int_equal(info->stray_blocks, 10);
    assert_int_equal(info->stray_records, 10);
    assert_int_equal(info->stray_first_lsn, 57000);
    assert_int_equal(info->stray_end_lsn, 90000);
    /* The header of the one segment there is gone: its id is still readable, or not. */
    for (int part = 0; part < 2; part++) {
        struct wal_fixture one;
        wal_fixture_init(&one);
        wal_fixture_open_ok(&one);
        for (int i = 0; i < 3; i++) (void)wal_fixture_block(&one, 5000 / 2);
        wal_fixture_kill(&one);
        wal_fixture_segment(one.disk, 1, &size)[part == 0 ? 2000 : 20] ^= 1;
        const struct seen lone = inspect(one.disk);
        assert_int_equal(lone.infos[0].state, WAL_SEGMENT_DAMAGED);
        assert_int_equal(lone.infos[0].bad_offset, 0);
        assert_int_equal(lone.infos[0].stray_blocks, part == 0 ? 3 : 0);
        wal_fixture_deinit(&one);
    }
    wal_fixture_deinit(&fixture);
}

/* Beside an engine nothing that it writes may look like damage. */
static void test_inspect_beside_engine(void **state) {
    (void)state;
    struct wal_fixture fixture;
    wal_fixture_init(&fixture);
    fixture.options.segment_bytes = WAL_SEGMENT_BYTES_MIN;
    assert_int_equal(inspect(fixture.disk).count, 0);
    wal_fixture_open_ok(&fixture);
    for (int i = 0; i < 40; i++) {
        (void)wal_fixture_block(&fixture, LOGS_RECORD_BYTES);
        if (i % 5 == 0) (void)wal_prepare_step(fixture.wal);
        struct seen seen = inspect(fixture.disk);
        uint64_t records = 0;
        for (size_t j = 0; j < seen.count; j++) {
            assert_true(seen.infos[j].state == WAL_SEGMENT_SOUND ||
                        seen.infos[j].state == WAL_SEGMENT_UNUSED);
            records += seen.infos[j].records;
        }
        assert_int_equal(records, i + 1);
    }
    wal_fixture_deinit(&fixture);
}

/* --- repair ----------------------------------------------------------------------------------- */

static void check_plan(const struct logs_damage *damage, const struct wal_repair_plan *plan) {
    const struct logs_repair *repair = &damage->repair;
    char cut_file[WAL_FILE_NAME_BYTES] = "";
    if (repair->cut_number > 0) segment_name(repair->cut_number, cut_file);
    print_message("# %s: keep %llu, durable %llu: %s\n", damage->name,
                  (unsigned long long)plan->keep_lsn, (unsigned long long)plan->durable_lsn,
                  plan->needed ? plan->damage.text : "-");
    assert_int_equal(plan->needed, repair->needed);
    assert_int_equal(plan->keep_lsn, repair->keep_lsn);
    if (!repair->needed) return;
    assert_string_equal(plan->cut_file, cut_file);
    assert_int_equal(plan->cut_offset, repair->cut_offset);
    assert_int_equal(plan->segments_set_aside, repair->aside);
    assert_int_equal(plan->lost_records, repair->lost_records);
    assert_int_equal(plan->lost_blocks, repair->lost_records);
    assert_int_equal(plan->sound_from_lsn, repair->sound_from_lsn);
    assert_int_equal(plan->lost_first_lsn == 0, repair->lost_records == 0);
    assert_true(plan->lost_first_lsn == 0 || plan->lost_first_lsn >= plan->keep_lsn);
    assert_int_equal(plan->damage.lsn, plan->keep_lsn);
    assert_true(strlen(plan->damage.text) > 20 && plan->damage.file[0] != '\0');
}

static void test_repair_damage(void **state) {
    (void)state;
    for (size_t i = 0; i < logs_damage_count; i++) {
        const struct logs_damage *damage = &logs_damages[i];
        struct wal_fixture fixture;
        struct wal_repair_plan plan;
        logs_write(&fixture);
        damage->apply(fixture.disk);
        struct storage *before = clone(fixture.disk);
        int rc = wal_repair_look(fixture.disk, &plan, &fixture.error);
        assert_true(same_disk(before, fixture.disk));
        assert_int_equal(rc, -damage->repair.refused);
        struct wal_recovery found;
        int refused = wal_verify(fixture.disk, NULL, NULL, &found, &fixture.error);
        if (rc == 0) {
            check_plan(damage, &plan);
            assert_int_equal(refused != 0, plan.needed);
            if (wal_repair(fixture.disk, &plan, &fixture.error) != 0) {
                fail_msg("%s: %s", damage->name, fixture.error.text);
            }
            assert_nothing_lost(before, fixture.disk);
            assert_int_equal(same_disk(before, fixture.disk), !plan.needed);
            struct wal_repair_plan again;
            assert_int_equal(wal_repair_look(fixture.disk, &again, &fixture.error), 0);
            assert_false(again.needed);
            assert_int_equal(again.keep_lsn, plan.keep_lsn);
            bool first_gone = damage->states[5] == '\0' && !plan.needed;
            assert_serves(&fixture, fixture.disk, first_gone ? 45000 : 0, plan.keep_lsn);
        } else {
            assert_true(refused != 0);
            assert_true(strlen(fixture.error.text) > 20);
        }
        before->operations->destroy(before);
        wal_fixture_deinit(&fixture);
    }
}

/* Two repairs of segments of one name: the first originals are not overwritten. */
static void test_repair_twice(void **state) {
    (void)state;
    struct wal_fixture fixture;
    struct wal_repair_plan plan;
    logs_write(&fixture);
    for (int i = 0; i < 3; i++) {
        uint64_t size;
        wal_fixture_segment(fixture.disk, 2, &size)[4096 * (10 - 2 * i) + 300] ^= 1;
        struct storage *before = clone(fixture.disk);
        assert_int_equal(wal_repair_look(fixture.disk, &plan, &fixture.error), 0);
        assert_true(plan.needed);
        assert_int_equal(wal_repair(fixture.disk, &plan, &fixture.error), 0);
        assert_nothing_lost(before, fixture.disk);
        before->operations->destroy(before);
    }
    uint64_t size;
    assert_non_null(storage_memory_bytes(fixture.disk, "wal-0000000000000003.seg.damaged", &size));
    assert_non_null(
        storage_memory_bytes(fixture.disk, "wal-0000000000000003.seg.3.damaged", &size));
    assert_serves(&fixture, fixture.disk, 0, 60000);
    wal_fixture_deinit(&fixture);
}

/* Who has seen what is lost has seen it in an epoch that is over, wherever the log grows to. */
static void test_repair_epoch(void **state) {
    (void)state;
    for (size_t i = 0; i < logs_damage_count; i++) {
        struct wal_fixture fixture;
        struct wal_repair_plan plan;
        logs_write(&fixture);
        logs_damages[i].apply(fixture.disk);
        if (wal_repair_look(fixture.disk, &plan, &fixture.error) == 0 && plan.needed) {
            assert_int_equal(wal_repair(fixture.disk, &plan, &fixture.error), 0);
            wal_fixture_open_ok(&fixture);
            for (int j = 0; j < 100; j++) (void)wal_fixture_block(&fixture, LOGS_RECORD_BYTES);
            uint64_t kept;
            uint64_t behind;
            uint64_t none;
            assert_int_equal(wal_epoch_at(fixture.disk, plan.keep_lsn, &kept, &fixture.error), 0);
            assert_int_equal(wal_epoch_at(fixture.disk, plan.keep_lsn + 1, &behind, &fixture.error),
                             0);
            assert_true(kept >= 1 && kept <= 3);
            /* A segment that was removed cannot tell that it was of epoch 3. */
            bool told = strcmp(logs_damages[i].name, "last removed") != 0;
            assert_true(behind > (told ? 4 : 3));
            assert_int_equal(wal_epoch_at(fixture.disk, 0, &none, &fixture.error), 0);
            assert_int_equal(none, 0);
        }
        wal_fixture_deinit(&fixture);
    }
}

static void test_repair_refused(void **state) {
    (void)state;
    struct wal_fixture fixture;
    struct wal_repair_plan plan;
    logs_write(&fixture);
    wal_fixture_open_ok(&fixture);
    uint64_t size;
    uint8_t *segment = wal_fixture_segment(fixture.disk, 2, &size);
    segment[4096 * 4 + 300] ^= 1;
    /* Looking is possible beside an engine, repairing is not. */
    assert_int_equal(wal_repair_look(fixture.disk, &plan, &fixture.error), 0);
    assert_true(plan.needed);
    struct storage *before = clone(fixture.disk);
    assert_int_equal(wal_repair(fixture.disk, &plan, &fixture.error), -WAL_ERROR_LOCKED);
    assert_true(same_disk(before, fixture.disk));
    wal_fixture_kill(&fixture);
    /* Another place than was looked at. */
    segment[4096 * 3 + 300] ^= 1;
    before->operations->destroy(before);
    before = clone(fixture.disk);
    assert_int_equal(wal_repair(fixture.disk, &plan, &fixture.error), -WAL_ERROR_OPTIONS);
    assert_true(same_disk(before, fixture.disk));
    /* Restored meanwhile. */
    segment[4096 * 3 + 300] ^= 1;
    segment[4096 * 4 + 300] ^= 1;
    assert_int_equal(wal_repair(fixture.disk, &plan, &fixture.error), -WAL_ERROR_OPTIONS);
    assert_int_equal(wal_repair_look(fixture.disk, &plan, &fixture.error), 0);
    assert_false(plan.needed);
    before->operations->destroy(before);
    before = clone(fixture.disk);
    assert_int_equal(wal_repair(fixture.disk, &plan, &fixture.error), 0);
    assert_true(same_disk(before, fixture.disk));
    before->operations->destroy(before);
    wal_fixture_deinit(&fixture);
}

/* --- repair, interrupted ---------------------------------------------------------------------- */

/* Where nothing is there to be refused, the log is sound before its new end is in place. */
static bool ends_early(struct storage *before, const struct wal_repair_plan *plan) {
    uint64_t size = 0;
    const uint8_t *bytes = storage_memory_bytes(before, plan->damage.file, &size);
    return bytes == NULL || bytes_all_zero(bytes, size);
}

/* Whatever has happened: refused as before, or repaired; and the next repair finishes it. */
static void check_interrupted(const struct wal_fixture *fixture, struct storage *before,
                              struct storage *disk, const struct wal_repair_plan *plan) {
    struct wal_error error;
    struct wal_recovery found;
    struct wal_error old;
    int refused = wal_verify(before, NULL, NULL, &found, &old);
    int rc = wal_verify(disk, NULL, NULL, &found, &error);
    if (rc == 0) {
        assert_int_equal(found.end_lsn, plan->keep_lsn);
        assert_true(found.epoch >= (ends_early(before, plan) ? 1 : 4));
    } else {
        assert_int_equal(rc, refused);
        assert_string_equal(error.file, old.file);
    }
    assert_nothing_lost(before, disk);
    struct wal_repair_plan rest;
    if (wal_repair_look(disk, &rest, &error) != 0) fail_msg("%s", error.text);
    assert_int_equal(rest.needed, rc != 0);
    assert_int_equal(rest.keep_lsn, plan->keep_lsn);
    if (wal_repair(disk, &rest, &error) != 0) fail_msg("%s", error.text);
    assert_nothing_lost(before, disk);
    assert_serves(fixture, disk, 0, plan->keep_lsn);
}

static void test_repair_crashed(void **state) {
    (void)state;
    struct random random = {random_seed(11)};
    uint64_t crashes = 0;
    for (size_t i = 0; i < logs_damage_count; i++) {
        struct wal_fixture fixture;
        struct wal_repair_plan plan;
        logs_write(&fixture);
        logs_damages[i].apply(fixture.disk);
        if (wal_repair_look(fixture.disk, &plan, &fixture.error) != 0 || !plan.needed) {
            wal_fixture_deinit(&fixture);
            continue;
        }
        bool done = false;
        for (uint64_t after = 0; !done; after++) {
            for (int variant = 0; variant < 2; variant++) {
                struct storage *disk = clone(fixture.disk);
                storage_memory_crash_in(disk, after, random_next(&random));
                int rc = wal_repair(disk, &plan, &fixture.error);
                done = !storage_memory_crashed(disk);
                storage_memory_heal(disk);
                assert_int_equal(done, rc == 0);
                check_interrupted(&fixture, fixture.disk, disk, &plan);
                crashes += !done;
                disk->operations->destroy(disk);
            }
        }
        wal_fixture_deinit(&fixture);
    }
    print_message("# %llu crashes\n", (unsigned long long)crashes);
    assert_true(crashes > 150);
}

static void test_repair_failed(void **state) {
    (void)state;
    static const enum storage_fault faults[] = {
        STORAGE_FAULT_SUBMIT, STORAGE_FAULT_FAIL,     STORAGE_FAULT_SHORT, STORAGE_FAULT_DROP,
        STORAGE_FAULT_TEAR,   STORAGE_FAULT_FLIP,     STORAGE_FAULT_FULL,  STORAGE_FAULT_READ,
        STORAGE_FAULT_SYNC,   STORAGE_FAULT_MISDIRECT};
    struct random random = {random_seed(12)};
    uint64_t failures = 0;
    for (size_t i = 0; i < logs_damage_count; i++) {
        struct wal_fixture fixture;
        struct wal_repair_plan plan;
        logs_write(&fixture);
        logs_damages[i].apply(fixture.disk);
        if (wal_repair_look(fixture.disk, &plan, &fixture.error) != 0 || !plan.needed) {
            wal_fixture_deinit(&fixture);
            continue;
        }
        for (size_t j = 0; j < sizeof faults / sizeof faults[0]; j++) {
            for (uint64_t after = 0; after < 28; after += 1 + after / 2) {
                struct storage *disk = clone(fixture.disk);
                storage_memory_fault(disk, faults[j], after, random_next(&random));
                int rc = wal_repair(disk, &plan, &fixture.error);
                storage_memory_heal(disk);
                check_interrupted(&fixture, fixture.disk, disk, &plan);
                failures += rc != 0;
                disk->operations->destroy(disk);
            }
        }
        wal_fixture_deinit(&fixture);
    }
    print_message("# %llu failures\n", (unsigned long long)failures);
    assert_true(failures > 50);
}

/* --- on real files ---------------------------------------------------------------------------- */

/* Repair a log whose segment 2 ends inside a page, with a storage of files: its original must stay
 * to the last byte, as the very file that it was. */
static void test_repair_files(void **state) {
    (void)state;
    struct wal_fixture fixture;
    struct wal_repair_plan plan;
    logs_write(&fixture);
    char path[] = "/tmp/usher-repair-XXXXXX";
    assert_non_null(mkdtemp(path));
    struct storage *disk;
    assert_int_equal(storage_posix_open(path, STORAGE_WAL, &disk), 0);
    struct repair_names names = list(fixture.disk);
    char file[128];
    struct storage *engine; /* the lock is between storages */
    assert_int_equal(storage_posix_open(path, STORAGE_WAL, &engine), 0);
    assert_int_equal(engine->operations->claim(engine), 0); /* makes the folder */
    for (size_t i = 0; i < names.count; i++) {
        uint64_t size;
        const uint8_t *bytes = storage_memory_bytes(fixture.disk, names.names[i], &size);
        (void)snprintf(file, sizeof file, "%s/wal/%s", path, names.names[i]);
        FILE *stream = fopen(file, "w");
        assert_non_null(stream);
        assert_int_equal(fwrite(bytes, 1, size, stream), size);
        assert_int_equal(fclose(stream), 0);
    }
    (void)snprintf(file, sizeof file, "%s/wal/wal-0000000000000002.seg", path);
    assert_int_equal(truncate(file, 5 * 4096 + 77), 0);
    struct stat before;
    struct stat kept;
    assert_int_equal(stat(file, &before), 0);
    assert_int_equal(wal_repair_look(disk, &plan, &fixture.error), 0);
    assert_int_equal(plan.keep_lsn, 57000);
    assert_int_equal(wal_repair(disk, &plan, &fixture.error), -WAL_ERROR_LOCKED);
    engine->operations->destroy(engine);
    if (wal_repair(disk, &plan, &fixture.error) != 0) fail_msg("%s", fixture.error.text);
    (void)snprintf(file, sizeof file, "%s/wal/wal-0000000000000002.seg.damaged", path);
    assert_int_equal(stat(file, &kept), 0);
    assert_int_equal(kept.st_ino, before.st_ino);
    assert_int_equal(kept.st_size, 5 * 4096 + 77);
    assert_int_equal(kept.st_nlink, 1);
    assert_int_equal(list(disk).count, names.count + 2 + 2); /* the new end; ., .. */
    assert_serves(&fixture, disk, 0, plan.keep_lsn);
    names = list(disk);
    for (size_t i = 0; i < names.count; i++) {
        if (names.names[i][0] != '.') {
            assert_int_equal(disk->operations->remove(disk, names.names[i]), 0);
        }
    }
    (void)snprintf(file, sizeof file, "%s/wal", path);
    assert_int_equal(rmdir(file), 0);
    (void)snprintf(file, sizeof file, "%s/LOCK", path);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(rmdir(path), 0);
    disk->operations->destroy(disk);
    wal_fixture_deinit(&fixture);
}

/* --- at random -------------------------------------------------------------------------------- */

static void damage_at_random(struct storage *disk, struct random *random) {
    uint64_t number = 1 + random_below(random, LOGS_SEGMENTS);
    char name[WAL_FILE_NAME_BYTES];
    segment_name(number, name);
    uint64_t size = 0;
    uint8_t *bytes = storage_memory_bytes(disk, name, &size);
    if (bytes == NULL) return;
    uint64_t pages = size / 4096;
    uint64_t kind = random_below(random, 10);
    uint64_t at = size > 0 ? random_below(random, size) : 0;
    if (kind == 0) {
        assert_true(storage_memory_remove(disk, name));
    } else if (kind <= 2) {
        uint64_t length = kind == 1 ? at : at / 4096 * 4096;
        uint8_t *copy = calloc(1, size + 4096);
        assert_non_null(copy);
        memcpy(copy, bytes, size);
        if (random_below(random, 4) == 0) length = size + 1 + random_below(random, 4096);
        assert_int_equal(storage_memory_put(disk, name, copy, length), 0);
        free(copy);
    } else if (pages < 2) {
        return;
    } else if (kind <= 5) {
        bytes[at] ^= (uint8_t)(1u << random_below(random, 8));
    } else if (kind <= 7) {
        memset(bytes + random_below(random, pages) * 4096, 0, 4096);
    } else {
        uint64_t from = random_below(random, pages);
        memcpy(bytes + random_below(random, pages) * 4096, bytes + from * 4096, 4096);
    }
}

/* Recovery, inspection and repair agree on every log, however it is damaged. */
static void test_random_damage(void **state) {
    (void)state;
    struct random random = {random_seed(13)};
    struct wal_fixture fixture;
    logs_write(&fixture);
    uint64_t repaired = 0;
    uint64_t refused = 0;
    for (int i = 0; i < 500; i++) {
        struct storage *disk = clone(fixture.disk);
        for (uint64_t count = 1 + random_below(&random, 3); count > 0; count--) {
            damage_at_random(disk, &random);
        }
        struct storage *before = clone(disk);
        struct wal_recovery found;
        int rc = wal_verify(disk, NULL, NULL, &found, &fixture.error);
        struct seen seen = inspect(disk);
        bool bad = false;
        for (size_t j = 0; j < seen.count; j++) {
            bad = bad || seen.infos[j].state >= WAL_SEGMENT_DAMAGED;
            bad = bad || (j > 0 && seen.infos[j].number != seen.infos[j - 1].number + 1);
        }
        struct wal_repair_plan plan;
        int looked = wal_repair_look(disk, &plan, &fixture.error);
        if (seen.count > 0 && seen.infos[0].state == WAL_SEGMENT_UNUSED) {
            /* Nothing has a good header, and the oldest is unused: no log, or its end. */
        } else if (bad != (rc != 0)) {
            fail_msg("damage %d: recovery says %d (%s)", i, rc, fixture.error.text);
        }
        if (looked == 0) {
            assert_int_equal(plan.needed, rc != 0);
            if (wal_repair(disk, &plan, &fixture.error) != 0) {
                fail_msg("damage %d: %s", i, fixture.error.text);
            }
            assert_nothing_lost(before, disk);
            assert_int_equal(wal_verify(disk, NULL, NULL, &found, &fixture.error), 0);
            assert_int_equal(found.end_lsn, plan.keep_lsn);
            repaired += plan.needed;
            if (found.log_exists) assert_serves(&fixture, disk, found.first_lsn, plan.keep_lsn);
        } else {
            assert_true(rc != 0);
            assert_true(same_disk(before, disk));
            refused++;
        }
        before->operations->destroy(before);
        disk->operations->destroy(disk);
    }
    print_message("# %llu repaired, %llu refused\n", (unsigned long long)repaired,
                  (unsigned long long)refused);
    assert_true(repaired > 300);
    wal_fixture_deinit(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inspect_sound),  cmocka_unit_test(test_inspect_damage),
        cmocka_unit_test(test_inspect_stray),  cmocka_unit_test(test_inspect_beside_engine),
        cmocka_unit_test(test_repair_damage),  cmocka_unit_test(test_repair_twice),
        cmocka_unit_test(test_repair_epoch),   cmocka_unit_test(test_repair_refused),
        cmocka_unit_test(test_repair_crashed), cmocka_unit_test(test_repair_failed),
        cmocka_unit_test(test_repair_files),   cmocka_unit_test(test_random_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
