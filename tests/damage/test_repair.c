/* test_repair.c - after any damage that recovery refuses, wal_repair leaves a log that opens and
 * has exactly the records before the damage; where nothing is refused it has nothing to do
 *
 * Where the damage begins, and how much lies sound behind it, is the oracle's word (truth.h).
 */
#include "tests/damage/truth.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "wal/inspect.h"

#define PAGE 4096u
#define NOT_REPAIRED UINT64_MAX

struct repair_damage {
    struct truth truth;
    uint64_t repaired, unneeded, refused, healed;
    uint64_t last_end_lsn; /* of the latest repair, or NOT_REPAIRED */
};

static void setup(struct repair_damage *test, enum truth_end end) {
    *test = (struct repair_damage){0};
    truth_make(&test->truth, 11, end);
}

static void teardown(struct repair_damage *test, const char *what) {
    print_message("# %s: %llu repaired (%llu of them healed later), %llu in no need of it, %llu "
                  "refused\n",
                  what, (unsigned long long)test->repaired, (unsigned long long)test->healed,
                  (unsigned long long)test->unneeded, (unsigned long long)test->refused);
    truth_free(&test->truth);
}

/* Sound records behind an element, in blocks that are as they were. */
static uint64_t records_behind(struct truth *truth, const struct truth_element *first,
                               struct storage *disk) {
    uint64_t records = 0;
    for (const struct truth_element *at = first; at <= truth_element_last(truth); at++) {
        const struct truth_segment *segment = &truth->segments[at->segment];
        uint64_t size = 0;
        const uint8_t *bytes = storage_memory_bytes(disk, segment->name, &size);
        if (bytes && size >= at->offset + at->bytes &&
            memcmp(bytes + at->offset, segment->bytes + at->offset, at->bytes) == 0) {
            records += at->records;
        }
    }
    return records;
}

/* The damaged bytes are still there, under a name that says so. */
static void demand_kept(struct repair_damage *test, struct storage *disk, const char *name,
                        const uint8_t *bytes, uint64_t size) {
    char kept[64];
    uint64_t kept_size = 0;
    (void)snprintf(kept, sizeof kept, "%s.damaged", name);
    const uint8_t *found = storage_memory_bytes(disk, kept, &kept_size);
    (void)test;
    assert_non_null(found);
    assert_int_equal(kept_size, size);
    assert_memory_equal(found, bytes, size);
}

static void repair(struct repair_damage *test, struct storage *disk,
                   const struct wal_repair_plan *plan) {
    struct truth *truth = &test->truth;
    struct wal_error error = {0};
    struct storage *before;
    assert_int_equal(storage_memory_clone(disk, &before), 0);
    if (wal_repair(disk, plan, &error) != 0) fail_msg("%s", error.text);

    struct truth_finding finding;
    truth_judge(truth, disk, 0, &finding);
    if (finding.outcome == TRUTH_REFUSED) fail_msg("still refused: %s", finding.error.text);
    assert_int_equal(finding.end_lsn, plan->keep_lsn);
    if (plan->cut_file[0]) {
        uint64_t size = 0;
        const uint8_t *bytes = storage_memory_bytes(before, plan->cut_file, &size);
        demand_kept(test, disk, plan->cut_file, bytes, size);
    }
    struct wal_repair_plan again;
    assert_int_equal(wal_repair_look(disk, &again, &error), 0);
    assert_false(again.needed);
    if (truth_open(truth, disk, plan->keep_lsn, &error) != 0) fail_msg("%s", error.text);
    before->operations->destroy(before);
    test->repaired++;
    test->last_end_lsn = plan->keep_lsn;
}

/* @single: one element is damaged, and nothing else */
static void look_and_repair(struct repair_damage *test, struct storage *disk, bool single) {
    struct truth *truth = &test->truth;
    const struct truth_element *first = truth_first_damage(truth, disk);
    struct truth_finding finding;
    struct wal_repair_plan plan;
    struct wal_error error = {0};
    test->last_end_lsn = NOT_REPAIRED;
    truth_judge(truth, disk, 0, &finding);
    int rc = wal_repair_look(disk, &plan, &error);
    if (rc != 0) { /* nothing to keep, or the wrong file */
        assert_int_equal(finding.outcome, TRUTH_REFUSED);
        bool wrong_file = error.code == WAL_ERROR_FOREIGN || error.code == WAL_ERROR_VERSION;
        if (!wrong_file && (!first || first != truth->elements)) fail_msg("%s", error.text);
        test->refused++;
    } else if (finding.outcome != TRUTH_REFUSED) {
        assert_false(plan.needed);
        test->unneeded++;
    } else {
        assert_true(plan.needed);
        if (single && first) {
            assert_int_equal(plan.keep_lsn, first->first_lsn);
            assert_string_equal(plan.damage.file, truth->segments[first->segment].name);
            assert_int_equal(plan.damage.offset, first->offset);
            assert_int_equal(plan.lost_records, records_behind(truth, first, disk));
        }
        /* Never less than could be kept, never anything behind the damage. */
        if (first) assert_true(plan.keep_lsn == first->first_lsn);
        repair(test, disk, &plan);
    }
}

static struct storage *damaged_copy(struct repair_damage *test) {
    struct storage *disk;
    assert_int_equal(storage_memory_clone(test->truth.disk, &disk), 0);
    return disk;
}

/* The device changes its mind, and the damage is gone: what was cut stays cut. */
static void heal(struct repair_damage *test, struct storage *disk, uint32_t segment,
                 uint32_t offset) {
    struct truth *truth = &test->truth;
    struct truth_finding before, after;
    uint64_t size = 0;
    uint8_t *bytes = storage_memory_bytes(disk, truth->segments[segment].name, &size);
    truth_judge(truth, disk, 0, &before);
    if (before.outcome == TRUTH_REFUSED || !bytes) return; /* not repaired, or set aside */
    if (test->last_end_lsn == NOT_REPAIRED || size != TRUTH_SEGMENT_BYTES) return;
    uint8_t damaged = bytes[offset];
    bytes[offset] = truth->segments[segment].bytes[offset];
    if (memcmp(bytes, truth->segments[segment].bytes, size) != 0) { /* the new one has its name */
        bytes[offset] = damaged;
        return;
    }
    truth_judge(truth, disk, 0, &after);
    if (after.outcome == TRUTH_REFUSED) fail_msg("healed: %s", after.error.text);
    assert_int_equal(after.end_lsn, test->last_end_lsn);
    test->healed++;
}

/* Some bytes of every page of every element: fields, records, padding. */
static void bytes_flipped(void **state) {
    (void)state;
    for (int end = TRUTH_SEALED; end <= TRUTH_TORN; end++) {
        struct repair_damage test;
        setup(&test, (enum truth_end)end);
        for (uint32_t segment = 0; segment <= truth_segment_last(&test.truth); segment++) {
            for (uint32_t at = 0; at < TRUTH_SEGMENT_BYTES; at += at % PAGE < 88 ? 8 : 499) {
                struct storage *disk = damaged_copy(&test);
                truth_segment_bytes(disk, &test.truth, segment)[at] ^= 4;
                look_and_repair(&test, disk, true);
                heal(&test, disk, segment, at);
                disk->operations->destroy(disk);
            }
        }
        teardown(&test, "flips");
    }
}

static void pages_blank(void **state) {
    (void)state;
    struct repair_damage test;
    setup(&test, TRUTH_SEALED);
    for (uint32_t segment = 0; segment <= truth_segment_last(&test.truth); segment++) {
        for (uint32_t at = 0; at < TRUTH_SEGMENT_BYTES; at += PAGE) {
            for (uint32_t pages = 1; at + pages * PAGE <= TRUTH_SEGMENT_BYTES; pages *= 2) {
                struct storage *disk = damaged_copy(&test);
                memset(truth_segment_bytes(disk, &test.truth, segment) + at, 0, pages * PAGE);
                look_and_repair(&test, disk, false);
                disk->operations->destroy(disk);
            }
        }
    }
    teardown(&test, "blank pages");
}

/* The element that a cut to so many bytes hits first. */
static void lengths(void **state) {
    (void)state;
    struct repair_damage test;
    setup(&test, TRUTH_SEALED);
    for (uint32_t segment = 0; segment <= truth_segment_last(&test.truth); segment++) {
        for (uint32_t bytes = 0; bytes <= TRUTH_SEGMENT_BYTES + PAGE; bytes += 512) {
            if (bytes == TRUTH_SEGMENT_BYTES) continue;
            static uint8_t longer[2 * TRUTH_SEGMENT_BYTES];
            struct storage *disk = damaged_copy(&test);
            memcpy(longer, test.truth.segments[segment].bytes, TRUTH_SEGMENT_BYTES);
            assert_int_equal(
                storage_memory_put(disk, test.truth.segments[segment].name, longer, bytes), 0);
            struct wal_repair_plan plan;
            struct wal_error error;
            if (wal_repair_look(disk, &plan, &error) != 0) {
                if (segment > 0 || bytes >= PAGE) fail_msg("%s", error.text);
                test.refused++;
            } else { /* blocks that are whole in a file that is not may be kept */
                uint64_t first_lsn = 0, kept_lsn = 0;
                for (uint32_t i = 0; i < test.truth.element_count; i++) {
                    const struct truth_element *at = &test.truth.elements[i];
                    if (at->segment < segment) first_lsn = kept_lsn = at->end_lsn;
                    if (at->segment == segment && at->offset + at->bytes <= bytes) {
                        kept_lsn = at->end_lsn;
                    }
                }
                assert_true(plan.needed);
                assert_true(plan.keep_lsn >= first_lsn && plan.keep_lsn <= kept_lsn);
                repair(&test, disk, &plan);
            }
            disk->operations->destroy(disk);
        }
    }
    teardown(&test, "lengths");
}

static void segments_missing_or_swapped(void **state) {
    (void)state;
    struct repair_damage test;
    setup(&test, TRUTH_SEALED);
    uint32_t count = test.truth.segment_count;
    for (uint32_t i = 0; i < count; i++) {
        struct storage *disk = damaged_copy(&test);
        assert_true(storage_memory_remove(disk, test.truth.segments[i].name));
        if (i > 0) look_and_repair(&test, disk, false); /* without the first it is another log */
        disk->operations->destroy(disk);
        for (uint32_t j = i + 1; j < count; j++) {
            disk = damaged_copy(&test);
            uint8_t *a = truth_segment_bytes(disk, &test.truth, i);
            uint8_t *b = truth_segment_bytes(disk, &test.truth, j);
            memcpy(a, test.truth.segments[j].bytes, TRUTH_SEGMENT_BYTES);
            memcpy(b, test.truth.segments[i].bytes, TRUTH_SEGMENT_BYTES);
            look_and_repair(&test, disk, false);
            disk->operations->destroy(disk);
        }
    }
    teardown(&test, "missing or swapped");
}

int main(void) {
    (void)mallopt(M_MMAP_THRESHOLD, 1 << 26);
    (void)mallopt(M_TRIM_THRESHOLD, 1 << 27);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_flipped),
        cmocka_unit_test(pages_blank),
        cmocka_unit_test(lengths),
        cmocka_unit_test(segments_missing_or_swapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
