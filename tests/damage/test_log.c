/* test_log.c - every byte of a small log flipped, every length cut, every page, block and segment
 * mistaken for another: refused naming the place, or the end that nobody was told about is cut
 *
 * What may be cut is decided by the oracle of truth.h, which knows what was acknowledged. Damage to
 * the last block of a log that was killed before it could seal cannot be told from a torn write by
 * the log alone (wal/README.md, "Recovery"): there the test demands the cut without a witness from
 * outside, and the refusal with one.
 */
#include "tests/damage/truth.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "wal/segment.h"

#define PAGE 4096u

struct log_damage {
    struct truth truth;
    struct storage *disk; /* damaged, judged and restored, case after case */
    struct random random;
    uint64_t cases, refused, cut, same;
};

static void setup(struct log_damage *test, enum truth_end end) {
    *test = (struct log_damage){.random = {42}};
    truth_make(&test->truth, 11, end);
    assert_int_equal(storage_memory_clone(test->truth.disk, &test->disk), 0);
}

static void teardown(struct log_damage *test, const char *what) {
    /* The disk is as it was: no case leaks into the next. */
    assert_null(truth_first_damage(&test->truth, test->disk));
    print_message("# %s: %llu cases: %llu refused, %llu cut, %llu without effect\n", what,
                  (unsigned long long)test->cases, (unsigned long long)test->refused,
                  (unsigned long long)test->cut, (unsigned long long)test->same);
    test->disk->operations->destroy(test->disk);
    truth_free(&test->truth);
}

static struct truth_finding judge(struct log_damage *test, uint64_t witness_lsn) {
    struct truth_finding finding;
    truth_judge(&test->truth, test->disk, witness_lsn, &finding);
    test->cases++;
    test->refused += finding.outcome == TRUTH_REFUSED;
    test->cut += finding.outcome == TRUTH_CUT;
    test->same += finding.outcome == TRUTH_SAME;
    return finding;
}

static const char *name_of(const struct log_damage *test, const struct truth_element *element) {
    return test->truth.segments[element->segment].name;
}

/* Refused, at exactly this element. */
static void demand_refused_at(const struct log_damage *test, const struct truth_finding *finding,
                              const struct truth_element *element) {
    const struct wal_error *error = &finding->error;
    if (finding->outcome != TRUTH_REFUSED) {
        fail_msg("damage at %s, offset %u was not refused: outcome %d, LSN %llu",
                 name_of(test, element), element->offset, (int)finding->outcome,
                 (unsigned long long)finding->end_lsn);
    }
    if (strcmp(error->file, name_of(test, element)) != 0 || error->offset != element->offset ||
        error->lsn > element->first_lsn || (!element->header && error->lsn != element->first_lsn) ||
        strstr(error->text, error->file) == NULL) {
        fail_msg("damage at %s, offset %u, LSN %llu was refused as: %s", name_of(test, element),
                 element->offset, (unsigned long long)element->first_lsn, error->text);
    }
}

static void demand_same(const struct truth_finding *finding) {
    if (finding->outcome == TRUTH_REFUSED) fail_msg("refused: %s", finding->error.text);
    assert_int_equal(finding->outcome, TRUTH_SAME);
}

/* Damage to one element, without a witness and with one. */
static void demand_for(struct log_damage *test, const struct truth_element *element) {
    struct truth_finding finding = judge(test, 0);
    const struct truth_element *last = truth_element_last(&test->truth);
    if (!element) { /* nobody reads it */
        demand_same(&finding);
    } else if (element != last) {
        demand_refused_at(test, &finding, element);
    } else if (last->records == 0) { /* a seal: everything is there without it */
        demand_same(&finding);
    } else {
        if (finding.outcome == TRUTH_REFUSED) {
            demand_refused_at(test, &finding, last); /* torn bytes behind it give it away */
        } else {
            assert_int_equal(finding.end_lsn, last->first_lsn);
        }
        finding = judge(test, test->truth.acknowledged_lsn);
        demand_refused_at(test, &finding, last);
    }
}

/* --- flips ------------------------------------------------------------------------------------ */

static void flip(struct log_damage *test, uint32_t segment, uint32_t offset, uint8_t pattern) {
    uint8_t *bytes = truth_segment_bytes(test->disk, &test->truth, segment);
    bytes[offset] ^= pattern;
    demand_for(test, truth_element_at(&test->truth, segment, offset));
    bytes[offset] ^= pattern;
}

/* Fields, that is; the zeros of a segment's header are like a body. */
static bool in_header(const struct truth_element *element, uint32_t offset) {
    uint32_t at = offset - element->offset;
    return at < 80 || (element->header && at >= 4088);
}

static void flip_segment(struct log_damage *test, uint32_t segment) {
    for (uint32_t offset = 0; offset < TRUTH_SEGMENT_BYTES; offset++) {
        const struct truth_element *element = truth_element_at(&test->truth, segment, offset);
        if (element && in_header(element, offset)) {
            for (uint32_t bit = 0; bit < 8; bit++)
                flip(test, segment, offset, (uint8_t)(1u << bit));
        } else {
            uint64_t drawn = random_next(&test->random);
            flip(test, segment, offset, (uint8_t)(1u << (drawn % 8)));
            if (element) flip(test, segment, offset, (uint8_t)(drawn >> 8 | 1));
        }
    }
}

static void every_byte_flipped(void **state) {
    (void)state;
    struct log_damage test;
    setup(&test, TRUTH_SEALED);
    for (uint32_t i = 0; i < truth_segment_last(&test.truth) + 1; i++) flip_segment(&test, i);
    assert_int_equal(test.cut, 0); /* sealed: nothing can be lost unnoticed */
    teardown(&test, "sealed log");
}

/* What comes before the last segment is as in the sealed log. */
static void every_byte_of_an_unsealed_end_flipped(void **state) {
    (void)state;
    struct log_damage test;
    setup(&test, TRUTH_UNSEALED);
    flip_segment(&test, truth_segment_last(&test.truth));
    assert_true(test.cut > 0);
    teardown(&test, "unsealed end");
}

static void every_byte_of_a_torn_end_flipped(void **state) {
    (void)state;
    struct log_damage test;
    setup(&test, TRUTH_TORN);
    flip_segment(&test, truth_segment_last(&test.truth));
    teardown(&test, "torn end");
}

/* Damage in the spare segment: it is not used, or it has been written to, which proves a loss. */
static void every_byte_of_the_spare_segment_flipped(void **state) {
    (void)state;
    struct log_damage test;
    setup(&test, TRUTH_SEALED);
    uint32_t spare = test.truth.segment_count - 1;
    uint8_t *bytes = truth_segment_bytes(test.disk, &test.truth, spare);
    for (uint32_t offset = 0; offset < TRUTH_SEGMENT_BYTES; offset++) {
        bytes[offset] ^= 0x20;
        struct truth_finding finding = judge(&test, 0);
        if (offset < PAGE) {
            demand_same(&finding);
        } else {
            assert_int_equal(finding.outcome, TRUTH_REFUSED);
            assert_string_equal(finding.error.file, test.truth.segments[spare].name);
        }
        bytes[offset] ^= 0x20;
    }
    teardown(&test, "spare segment");
}

/* --- lengths ---------------------------------------------------------------------------------- */

static void resize(struct log_damage *test, uint32_t segment, uint32_t bytes) {
    const struct truth_segment *truth = &test->truth.segments[segment];
    static uint8_t longer[2 * TRUTH_SEGMENT_BYTES]; /* zeros behind */
    memcpy(longer, truth->bytes, bytes < TRUTH_SEGMENT_BYTES ? bytes : TRUTH_SEGMENT_BYTES);
    assert_int_equal(storage_memory_put(test->disk, truth->name, longer, bytes), 0);
}

static void every_length(void **state) {
    (void)state;
    struct log_damage test;
    setup(&test, TRUTH_SEALED);
    for (uint32_t i = 0; i <= truth_segment_last(&test.truth); i++) {
        for (uint32_t bytes = 0; bytes < TRUTH_SEGMENT_BYTES + 3 * PAGE; bytes++) {
            if (bytes == TRUTH_SEGMENT_BYTES) continue;
            resize(&test, i, bytes);
            struct truth_finding finding = judge(&test, 0);
            assert_int_equal(finding.outcome, TRUTH_REFUSED);
            assert_string_equal(finding.error.file, test.truth.segments[i].name);
            if (finding.error.offset > bytes) {
                fail_msg("%s cut to %u bytes: %s", finding.error.file, bytes, finding.error.text);
            }
        }
        resize(&test, i, TRUTH_SEGMENT_BYTES);
    }
    assert_int_equal(test.refused, test.cases);
    teardown(&test, "cut or grown");
}

/* --- pages and sectors ------------------------------------------------------------------------ */

/* Whatever was done, to whatever the oracle says was hit first. Beyond one element, more than one
 * refusal is right: the place must be damaged, and nothing sound may be behind the LSN. */
static void demand_any(struct log_damage *test, uint64_t witness_lsn) {
    const struct truth_element *first = truth_first_damage(&test->truth, test->disk);
    struct truth_finding finding = judge(test, witness_lsn);
    if (finding.outcome == TRUTH_REFUSED) {
        if (first && finding.error.lsn > first->first_lsn) {
            fail_msg("damage at %s, offset %u, LSN %llu was refused as: %s", name_of(test, first),
                     first->offset, (unsigned long long)first->first_lsn, finding.error.text);
        }
        assert_true(finding.error.file[0] != 0);
    } else if (first) { /* cut in front of the damage, never behind it, and never what is proven */
        bool harmless = first == truth_element_last(&test->truth) && first->records == 0;
        assert_true(finding.end_lsn == first->first_lsn || harmless);
        assert_true(witness_lsn == 0 || finding.end_lsn == test->truth.end_lsn);
    } else {
        demand_same(&finding);
    }
}

static void replace(struct log_damage *test, uint32_t segment, uint32_t offset, const uint8_t *with,
                    uint32_t bytes) {
    uint8_t *place = truth_segment_bytes(test->disk, &test->truth, segment) + offset;
    if (memcmp(place, with, bytes) == 0) return;
    memcpy(place, with, bytes);
    const struct truth_element *first = truth_first_damage(&test->truth, test->disk);
    const struct truth_element *last = truth_element_last(&test->truth);
    /* Where the end goes with it, the log alone may not be able to tell. */
    bool takes_end = last->segment == segment && last->offset < offset + bytes;
    if (first && !takes_end) {
        struct truth_finding finding = judge(test, 0);
        demand_refused_at(test, &finding, first);
    } else {
        demand_any(test, 0);
        demand_any(test, test->truth.acknowledged_lsn);
    }
    memcpy(place, test->truth.segments[segment].bytes + offset, bytes);
}

/* A lost write, a sector that cannot be written any more, one that was erased. */
static void every_page_and_sector_blank(void **state) {
    (void)state;
    static const uint32_t sizes[] = {512, PAGE, 4 * PAGE};
    for (int end = TRUTH_SEALED; end <= TRUTH_TORN; end++) {
        struct log_damage test;
        static uint8_t blank[4 * PAGE];
        setup(&test, (enum truth_end)end);
        for (uint32_t fill = 0; fill <= 0xff; fill += 0xff) {
            memset(blank, (int)fill, sizeof blank);
            for (uint32_t segment = 0; segment <= truth_segment_last(&test.truth); segment++) {
                for (uint32_t size = 0; size < 3; size++) {
                    for (uint32_t at = 0; at < TRUTH_SEGMENT_BYTES; at += sizes[size]) {
                        replace(&test, segment, at, blank, sizes[size]);
                    }
                }
            }
        }
        teardown(&test, "blank");
    }
}

/* Misdirected writes: each page over each other page. */
static void every_page_over_every_other(void **state) {
    (void)state;
    for (int end = TRUTH_SEALED; end <= TRUTH_TORN; end += TRUTH_TORN) {
        struct log_damage test;
        setup(&test, (enum truth_end)end);
        uint32_t pages = (truth_segment_last(&test.truth) + 1) * (TRUTH_SEGMENT_BYTES / PAGE);
        for (uint32_t from = 0; from < pages; from++) {
            const uint8_t *page = test.truth.segments[from * PAGE / TRUTH_SEGMENT_BYTES].bytes +
                                  from * PAGE % TRUTH_SEGMENT_BYTES;
            for (uint32_t to = 0; to < pages; to++) {
                replace(&test, to * PAGE / TRUTH_SEGMENT_BYTES, to * PAGE % TRUTH_SEGMENT_BYTES,
                        page, PAGE);
            }
        }
        teardown(&test, "misdirected");
    }
}

/* --- blocks ----------------------------------------------------------------------------------- */

/* Two neighbours change places, as a device would that loses the order; sizes may differ. */
static void swap_neighbours(struct log_damage *test, const struct truth_element *a) {
    const struct truth_element *b = a + 1;
    const uint8_t *original = test->truth.segments[a->segment].bytes + a->offset;
    uint8_t *place = truth_segment_bytes(test->disk, &test->truth, a->segment) + a->offset;
    memcpy(place, original + a->bytes, b->bytes);
    memcpy(place + b->bytes, original, a->bytes);
    struct truth_finding finding = judge(test, 0);
    demand_refused_at(test, &finding, a);
    memcpy(place, original, a->bytes + b->bytes);
}

/* A block where another one of at least its size should be. */
static void put_block(struct log_damage *test, const struct truth_element *from,
                      const struct truth_element *to) {
    replace(test, to->segment, to->offset, test->truth.segments[from->segment].bytes + from->offset,
            from->bytes);
}

static void blocks_exchanged(void **state) {
    (void)state;
    for (int end = TRUTH_SEALED; end <= TRUTH_TORN; end++) {
        struct log_damage test;
        setup(&test, (enum truth_end)end);
        const struct truth_element *all = test.truth.elements;
        for (uint32_t i = 0; i < test.truth.element_count; i++) {
            bool neighbours = i + 1 < test.truth.element_count && !all[i].header &&
                              all[i + 1].segment == all[i].segment;
            if (neighbours) swap_neighbours(&test, &all[i]);
            for (uint32_t j = 0; j < test.truth.element_count; j++) {
                if (i != j && all[j].bytes >= all[i].bytes) put_block(&test, &all[i], &all[j]);
            }
        }
        teardown(&test, "blocks");
    }
}

/* What the header of a segment states of the block before it. */
static uint64_t chain_of(const uint8_t *bytes) {
    struct segment_header header;
    uint32_t version;
    assert_int_equal(segment_decode(bytes, &header, &version), SEGMENT_USED);
    return header.chain;
}

/* Of two logs that were one, each block of one in the other: same log id, epoch, LSN and records,
 * and yet not what was written there. Only the chain tells. */
static void blocks_of_a_fork(void **state) {
    (void)state;
    struct log_damage test;
    struct truth fork;
    setup(&test, TRUTH_SEALED);
    truth_make_fork(&fork, 11, TRUTH_SEALED);
    assert_int_equal(fork.element_count, test.truth.element_count);
    uint32_t different = 0;
    for (uint32_t i = 0; i < fork.element_count; i++) {
        const struct truth_element *element = &test.truth.elements[i];
        const uint8_t *theirs = fork.segments[element->segment].bytes + element->offset;
        const uint8_t *ours = test.truth.segments[element->segment].bytes + element->offset;
        uint8_t *place = truth_segment_bytes(test.disk, &test.truth, element->segment) +
                         element->offset;
        if (memcmp(place, theirs, element->bytes) == 0) continue;
        memcpy(place, theirs, element->bytes);
        struct truth_finding finding = judge(&test, 0);
        /* A header that goes on from our block is as good as ours; then the first block does not go
         * on from it. */
        bool goes_on = element->header && chain_of(theirs) == chain_of(ours);
        demand_refused_at(&test, &finding, goes_on ? element + 1 : element);
        memcpy(place, ours, element->bytes);
        different++;
    }
    assert_true(different >= 8);
    truth_free(&fork);
    teardown(&test, "of a fork");
}

/* The end of the last segment lost from any page on: as if it had never been written. The log alone
 * cannot tell; whoever has seen it can. */
static void every_end_lost(void **state) {
    (void)state;
    for (int end = TRUTH_SEALED; end <= TRUTH_TORN; end++) {
        struct log_damage test;
        setup(&test, (enum truth_end)end);
        uint32_t last = truth_segment_last(&test.truth);
        uint8_t *bytes = truth_segment_bytes(test.disk, &test.truth, last);
        for (uint32_t at = 0; at < TRUTH_SEGMENT_BYTES; at += PAGE) {
            memset(bytes + at, 0, TRUTH_SEGMENT_BYTES - at);
            demand_any(&test, 0);
            demand_any(&test, test.truth.acknowledged_lsn);
            memcpy(bytes, test.truth.segments[last].bytes, TRUTH_SEGMENT_BYTES);
        }
        teardown(&test, "end lost");
    }
}

/* --- segments --------------------------------------------------------------------------------- */

static void restore(struct log_damage *test, uint32_t segment) {
    resize(test, segment, TRUTH_SEGMENT_BYTES);
}

static void put_as(struct log_damage *test, uint32_t from, uint32_t to) {
    assert_int_equal(storage_memory_put(test->disk, test->truth.segments[to].name,
                                        test->truth.segments[from].bytes, TRUTH_SEGMENT_BYTES),
                     0);
}

/* Refused, and one of two files is named. */
static void demand_named(struct log_damage *test, uint32_t a, uint32_t b, uint64_t witness_lsn) {
    struct truth_finding finding = judge(test, witness_lsn);
    if (finding.outcome != TRUTH_REFUSED) {
        fail_msg("segments %u and %u: outcome %d", a + 1, b + 1, (int)finding.outcome);
    }
    if (strcmp(finding.error.file, test->truth.segments[a].name) != 0 &&
        strcmp(finding.error.file, test->truth.segments[b].name) != 0) {
        fail_msg("segments %u and %u: %s", a + 1, b + 1, finding.error.text);
    }
}

static void segments_swapped_and_doubled(void **state) {
    (void)state;
    struct log_damage test;
    setup(&test, TRUTH_SEALED);
    uint32_t count = test.truth.segment_count, last = truth_segment_last(&test.truth);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < count; j++) {
            if (i == j) continue;
            if (i < j) { /* each other's names */
                put_as(&test, i, j);
                put_as(&test, j, i);
                demand_named(&test, i, j, 0);
                restore(&test, i);
                restore(&test, j);
            }
            put_as(&test, i, j);
            if (i > last && j == last) { /* a last segment that says that it was never used */
                demand_named(&test, j, j - 1, test.truth.acknowledged_lsn);
                demand_any(&test, 0);
            } else if (i > last) { /* zeros in the middle, named as bad or as not going on */
                demand_named(&test, j, j + 1, 0);
            } else {
                demand_named(&test, j, j, 0);
            }
            restore(&test, j);
        }
    }
    teardown(&test, "swapped and doubled");
}

/* Each set of segments that can be missing. */
static void segments_removed(void **state) {
    (void)state;
    struct log_damage test;
    setup(&test, TRUTH_SEALED);
    uint32_t count = test.truth.segment_count;
    for (uint32_t set = 1; set < 1u << count; set++) {
        for (uint32_t i = 0; i < count; i++) {
            if (set >> i & 1) (void)storage_memory_remove(test.disk, test.truth.segments[i].name);
        }
        if (set == 1u << (count - 1)) { /* only the spare one */
            struct truth_finding finding = judge(&test, test.truth.acknowledged_lsn);
            demand_same(&finding);
        } else {
            /* Whoever has seen the end can tell that it is missing. */
            struct truth_finding finding = judge(&test, test.truth.acknowledged_lsn);
            assert_int_equal(finding.outcome, TRUTH_REFUSED);
            demand_any(&test, 0); /* the newest ones gone: an earlier state, and a right one */
        }
        for (uint32_t i = 0; i < count; i++) {
            if (set >> i & 1) restore(&test, i);
        }
    }
    teardown(&test, "removed");
}

/* --- the daemon's way in ---------------------------------------------------------------------- */

/* wal_open decides as wal_recover does, and a refusal changes nothing. */
static void opening_agrees_and_a_refusal_changes_nothing(void **state) {
    (void)state;
    for (int end = TRUTH_SEALED; end <= TRUTH_TORN; end++) {
        struct log_damage test;
        setup(&test, (enum truth_end)end);
        for (uint32_t at = 0; at < (truth_segment_last(&test.truth) + 1) * TRUTH_SEGMENT_BYTES;
             at += 509) {
            uint32_t segment = at / TRUTH_SEGMENT_BYTES, offset = at % TRUTH_SEGMENT_BYTES;
            struct wal_error error = {0};
            uint8_t *bytes = truth_segment_bytes(test.disk, &test.truth, segment);
            bytes[offset] ^= 0x10;
            struct storage *copy;
            assert_int_equal(storage_memory_clone(test.disk, &copy), 0);
            struct truth_finding finding = judge(&test, 0);
            int rc = truth_open(&test.truth, copy, 0, &error);
            assert_int_equal(rc != 0, finding.outcome == TRUTH_REFUSED);
            if (rc != 0) {
                assert_string_equal(error.text, finding.error.text);
                assert_memory_equal(truth_segment_bytes(copy, &test.truth, segment), bytes,
                                    TRUTH_SEGMENT_BYTES);
                bytes[offset] ^= 0x10;
                truth_segment_bytes(copy, &test.truth, segment)[offset] ^= 0x10;
                assert_null(truth_first_damage(&test.truth, copy));
            } else {
                bytes[offset] ^= 0x10;
            }
            copy->operations->destroy(copy);
        }
        teardown(&test, "opened");
    }
}

static void what_the_log_is_made_of(void **state) {
    (void)state;
    struct log_damage test;
    setup(&test, TRUTH_SEALED);
    uint32_t seals = 0, records = 0, pages[17] = {0}, sizes = 0;
    for (uint32_t i = 0; i < test.truth.element_count; i++) {
        const struct truth_element *element = &test.truth.elements[i];
        seals += !element->header && element->records == 0;
        records += element->records;
        pages[element->bytes / PAGE]++;
    }
    for (uint32_t i = 1; i < 17; i++) sizes += pages[i] > 0;
    print_message("# %u segments and a spare one, %u elements of %u sizes, %u seals, %u records, "
                  "%llu bytes of records\n",
                  test.truth.segment_count - 1, test.truth.element_count, sizes, seals, records,
                  (unsigned long long)test.truth.end_lsn);
    assert_true(seals >= 4 && sizes >= 4 && records > 400);
    struct truth_finding finding = judge(&test, test.truth.acknowledged_lsn);
    demand_same(&finding);
    teardown(&test, "as it is");
}

int main(void) {
    /* Windows of 1 MiB are asked for a million times: keep them. */
    (void)mallopt(M_MMAP_THRESHOLD, 1 << 26);
    (void)mallopt(M_TRIM_THRESHOLD, 1 << 27);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_log_is_made_of),
        cmocka_unit_test(every_byte_flipped),
        cmocka_unit_test(every_byte_of_an_unsealed_end_flipped),
        cmocka_unit_test(every_byte_of_a_torn_end_flipped),
        cmocka_unit_test(every_byte_of_the_spare_segment_flipped),
        cmocka_unit_test(every_length),
        cmocka_unit_test(every_page_and_sector_blank),
        cmocka_unit_test(every_page_over_every_other),
        cmocka_unit_test(blocks_exchanged),
        cmocka_unit_test(blocks_of_a_fork),
        cmocka_unit_test(every_end_lost),
        cmocka_unit_test(segments_swapped_and_doubled),
        cmocka_unit_test(segments_removed),
        cmocka_unit_test(opening_agrees_and_a_refusal_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
