/* test_snapshot.c - every byte of a snapshot flipped, every length cut, every page and block
 * mistaken for another: it is refused naming the place, and recovery takes the one before it, or
 * the log alone, and reaches the right state
 */
#include "replay/snapshot/snapshot.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "tests/damage/truth.h"

#define PAGE 4096u
static const struct id128 table_seed = {{4}};

struct snapshot_damage {
    struct truth truth;
    struct storage *disk; /* snapshots: two of them */
    struct snapshot_info older, newer;
    uint8_t *bytes; /* of the newer one, undamaged */
    uint64_t size;
    uint64_t cases, recovered, skipped;
};

static void make(struct snapshot_damage *test, uint64_t to_lsn, struct snapshot_info *ret_info) {
    struct snapshot_recover_options options = {.seed = &table_seed, .to_lsn = UINT64_MAX};
    struct snapshot_error error;
    if (snapshot_make(test->truth.disk, test->disk, to_lsn, 1763760000000, &options, NULL, NULL,
                      ret_info, &error) != 0) {
        fail_msg("%s", error.text);
    }
}

static void setup(struct snapshot_damage *test) {
    *test = (struct snapshot_damage){0};
    truth_make(&test->truth, 11, TRUTH_SEALED);
    assert_int_equal(storage_memory_open(&test->disk), 0);
    const struct truth *truth = &test->truth;
    make(test, truth->elements[truth->element_count / 2].end_lsn, &test->older);
    make(test, truth->elements[truth->element_count * 3 / 4].end_lsn, &test->newer);
    assert_true(test->older.lsn < test->newer.lsn && test->newer.lsn < truth->end_lsn);
    const uint8_t *bytes = storage_memory_bytes(test->disk, test->newer.name, &test->size);
    test->bytes = malloc(test->size);
    assert_true(bytes != NULL && test->bytes != NULL);
    memcpy(test->bytes, bytes, test->size);
}

static void teardown(struct snapshot_damage *test, const char *what) {
    print_message("# %s: %llu bytes, %llu cases refused, %llu recoveries without it\n", what,
                  (unsigned long long)test->size, (unsigned long long)test->cases,
                  (unsigned long long)test->recovered);
    test->disk->operations->destroy(test->disk);
    truth_free(&test->truth);
    free(test->bytes);
}

static uint8_t *newest(struct snapshot_damage *test) {
    return storage_memory_bytes(test->disk, test->newer.name, &(uint64_t){0});
}

/* Refused, with the file's name and an offset at or before the damage: where the page, block or
 * file begins that is damaged. */
static void demand_refused(struct snapshot_damage *test, uint64_t damage) {
    struct world *world = NULL;
    struct snapshot_error error = {0};
    int rc = snapshot_load(test->disk, test->newer.name, &table_seed, NULL, &world, &error);
    test->cases++;
    if (rc == 0) fail_msg("damage at offset %llu was believed", (unsigned long long)damage);
    assert_null(world);
    assert_int_equal(error.code, -rc);
    if (error.offset > damage || strcmp(error.file, test->newer.name) != 0 ||
        strstr(error.text, error.file) == NULL) {
        fail_msg("damage at offset %llu was refused as: %s (offset %llu)",
                 (unsigned long long)damage, error.text, (unsigned long long)error.offset);
    }
}

static void count_skipped(void *context, const struct snapshot_error *error) {
    struct snapshot_damage *test = context;
    assert_true(error->code != 0 && error->text[0] != 0);
    test->skipped++;
}

/* The state of the log's end, from whatever still serves. */
static void demand_recovered(struct snapshot_damage *test, uint64_t from_lsn, uint64_t skipped) {
    struct truth *truth = &test->truth;
    struct snapshot_recover_options options = {
        .seed = &table_seed, .to_lsn = UINT64_MAX, .skipped = count_skipped, .context = test};
    struct snapshot_info from;
    struct recover_result result;
    struct snapshot_error error;
    struct world *world = NULL;
    test->skipped = 0;
    if (snapshot_recover(truth->disk, test->disk, truth->end_lsn, &options, &from, &world, &result,
                         &error) != 0) {
        fail_msg("%s", error.text);
    }
    assert_int_equal(from.lsn, from_lsn);
    assert_int_equal(test->skipped, skipped);
    assert_true(world_hash(world) == truth->hashes[truth->element_count - 1]);
    assert_int_equal(result.last_lsn, truth->end_lsn);
    world_free(world);
    test->recovered++;
}

static void as_it_is(void **state) {
    (void)state;
    struct snapshot_damage test;
    setup(&test);
    demand_recovered(&test, test.newer.lsn, 0);
    teardown(&test, "undamaged");
}

static void every_byte_flipped(void **state) {
    (void)state;
    struct snapshot_damage test;
    struct random random = {5};
    setup(&test);
    uint8_t *bytes = newest(&test);
    for (uint64_t at = 0; at < test.size; at++) {
        /* Every bit of what may be a header, one of all others. */
        bool header = at % PAGE < 80 || at % PAGE >= 4088;
        for (uint32_t bit = header ? 0 : random_index(&random, 8); bit < 8; bit += header ? 1 : 8) {
            bytes[at] ^= (uint8_t)(1u << bit);
            demand_refused(&test, at);
            if (bit == 0 && at % 61 == 0) demand_recovered(&test, test.older.lsn, 1);
            bytes[at] ^= (uint8_t)(1u << bit);
        }
    }
    demand_recovered(&test, test.newer.lsn, 0);
    teardown(&test, "flips");
}

static void every_length(void **state) {
    (void)state;
    struct snapshot_damage test;
    setup(&test);
    uint8_t *longer = calloc(1, test.size + 2 * PAGE);
    assert_non_null(longer);
    memcpy(longer, test.bytes, test.size);
    for (uint64_t size = 0; size <= test.size + 2 * PAGE; size++) {
        if (size == test.size) continue;
        assert_int_equal(storage_memory_put(test.disk, test.newer.name, longer, size), 0);
        demand_refused(&test, size);
        if (size % 509 == 0) demand_recovered(&test, test.older.lsn, 1);
    }
    free(longer);
    teardown(&test, "lengths");
}

/* Blank, or another page of it or of the older snapshot. */
static void every_page_replaced(void **state) {
    (void)state;
    struct snapshot_damage test;
    setup(&test);
    static const uint8_t zeros[PAGE];
    uint64_t older_size = 0;
    const uint8_t *older = storage_memory_bytes(test.disk, test.older.name, &older_size);
    uint8_t *bytes = newest(&test);
    for (uint64_t to = 0; to < test.size; to += PAGE) {
        for (uint64_t from = 0; from <= test.size + older_size; from += PAGE) {
            const uint8_t *page = from < test.size                ? test.bytes + from
                                  : from < test.size + older_size ? older + (from - test.size)
                                                                  : zeros;
            if (memcmp(page, bytes + to, PAGE) == 0) continue;
            memcpy(bytes + to, page, PAGE);
            demand_refused(&test, to + PAGE);
            demand_recovered(&test, test.older.lsn, 1);
            memcpy(bytes + to, test.bytes + to, PAGE);
        }
    }
    teardown(&test, "pages");
}

static void wrong_names_and_nothing_left(void **state) {
    (void)state;
    struct snapshot_damage test;
    setup(&test);
    uint64_t older_size = 0;
    const uint8_t *older = storage_memory_bytes(test.disk, test.older.name, &older_size);
    /* The older one under the newer one's name. */
    assert_int_equal(storage_memory_put(test.disk, test.newer.name, older, older_size), 0);
    demand_refused(&test, PAGE);
    demand_recovered(&test, test.older.lsn, 1);
    /* Neither serves: the log alone does. */
    storage_memory_bytes(test.disk, test.older.name, &older_size)[PAGE] ^= 1;
    demand_recovered(&test, 0, 2);
    /* ... unless its beginning is gone. */
    struct snapshot_recover_options options = {.seed = &table_seed, .to_lsn = UINT64_MAX};
    struct recover_result result;
    struct snapshot_error error = {0};
    struct world *world = NULL;
    assert_true(storage_memory_remove(test.truth.disk, test.truth.segments[0].name));
    assert_int_not_equal(snapshot_recover(test.truth.disk, test.disk, test.truth.end_lsn, &options,
                                          NULL, &world, &result, &error),
                         0);
    assert_null(world);
    print_message("# %s\n", error.text);
    teardown(&test, "names");
}

/* --- a snapshot of several blocks ------------------------------------------------------------- */

struct large {
    struct storage *disk;
    char name[SNAPSHOT_NAME_BYTES];
    uint8_t *bytes;
    uint64_t size;
};

/* @created_ms: all that two snapshots of the same state differ in */
static void large_make(struct large *large, uint64_t created_ms) {
    struct memory_log log;
    struct random_history history;
    struct snapshot_error error;
    memory_log_init(&log);
    random_history_init(&history, &log, 3, 80000);
    random_history_run(&history, 240000);
    struct snapshot_info info = {.lsn = log.size,
                                 .created_ms = created_ms,
                                 .epoch = 1,
                                 .log_id = {1, 2, 3, 4, 5, 6, 7, 8, 9},
                                 .account_partitions = ACCOUNT_PARTITIONS,
                                 .last_time_ms = history.now_ms};
    assert_int_equal(storage_memory_open(&large->disk), 0);
    struct record_source source = memory_log_source(&log);
    struct world *world = world_create(&table_seed);
    struct recover_result result;
    struct recover_error recover_error;
    assert_int_equal(recover(&source, world, NULL, &result, &recover_error), 0);
    info.last_time_ms = result.last_time_ms;
    if (snapshot_save(large->disk, world, &info, NULL, NULL, &error) != 0) {
        fail_msg("%s", error.text);
    }
    (void)snprintf(large->name, sizeof large->name, "snap-%016llx.snp",
                   (unsigned long long)log.size);
    const uint8_t *bytes = storage_memory_bytes(large->disk, large->name, &large->size);
    large->bytes = malloc(large->size);
    assert_true(bytes && large->bytes);
    memcpy(large->bytes, bytes, large->size);
    world_free(world);
    random_history_deinit(&history);
    memory_log_deinit(&log);
}

static void large_free(struct large *large) {
    large->disk->operations->destroy(large->disk);
    free(large->bytes);
}

static void large_demand_refused(struct large *large, const uint8_t *bytes, uint64_t size) {
    struct world *world = NULL;
    struct snapshot_error error = {0};
    assert_int_equal(storage_memory_put(large->disk, large->name, bytes, size), 0);
    assert_int_not_equal(snapshot_load(large->disk, large->name, &table_seed, NULL, &world, &error),
                         0);
    assert_null(world);
    assert_string_equal(error.file, large->name);
}

/* Blocks by their magic: where each begins. */
static uint32_t large_blocks(const struct large *large, uint64_t offsets[16]) {
    uint32_t count = 0;
    for (uint64_t at = PAGE; at < large->size && count < 15; at += PAGE) {
        if (memcmp(large->bytes + at, "USHERSBK", 8) == 0) offsets[count++] = at;
    }
    offsets[count] = large->size;
    return count;
}

static void blocks_exchanged_repeated_and_dropped(void **state) {
    (void)state;
    struct large large;
    uint64_t at[16];
    struct world *world = NULL;
    struct snapshot_error error = {0};
    large_make(&large, 1763760000000);
    uint32_t count = large_blocks(&large, at), cases = 0;
    assert_true(count >= 4);
    uint8_t *bytes = malloc(2 * large.size);
    assert_non_null(bytes);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t size = at[i + 1] - at[i];
        memcpy(bytes, large.bytes, at[i]); /* dropped */
        memcpy(bytes + at[i], large.bytes + at[i + 1], large.size - at[i + 1]);
        large_demand_refused(&large, bytes, large.size - size);
        memcpy(bytes, large.bytes, at[i + 1]); /* repeated */
        memcpy(bytes + at[i + 1], large.bytes + at[i], large.size - at[i]);
        large_demand_refused(&large, bytes, large.size + size);
        cases += 2;
        for (uint32_t j = i + 1; j < count; j++) { /* exchanged, whatever their sizes */
            uint64_t middle = at[j] - at[i + 1], other = at[j + 1] - at[j];
            memcpy(bytes, large.bytes, large.size);
            memcpy(bytes + at[i], large.bytes + at[j], other);
            memcpy(bytes + at[i] + other, large.bytes + at[i + 1], middle);
            memcpy(bytes + at[i] + other + middle, large.bytes + at[i], size);
            large_demand_refused(&large, bytes, large.size);
            cases++;
        }
    }
    for (uint64_t page = 0; page < large.size; page += 16 * PAGE) { /* some flips as well */
        memcpy(bytes, large.bytes, large.size);
        bytes[page + page / PAGE % PAGE] ^= 1;
        large_demand_refused(&large, bytes, large.size);
        cases++;
    }
    assert_int_equal(storage_memory_put(large.disk, large.name, large.bytes, large.size), 0);
    if (snapshot_load(large.disk, large.name, &table_seed, NULL, &world, &error) != 0) {
        fail_msg("%s", error.text);
    }
    world_free(world);
    print_message("# %llu bytes, %u blocks, %u cases refused\n", (unsigned long long)large.size,
                  count, cases);
    free(bytes);
    large_free(&large);
}

/* Of two snapshots of the same state, each block of one in the other: index, LSN and entities are
 * right, and only the chain tells. */
static void blocks_of_another_snapshot(void **state) {
    (void)state;
    struct large large, other;
    uint64_t at[16];
    large_make(&large, 1763760000000);
    large_make(&other, 1763760000001);
    assert_int_equal(large.size, other.size);
    uint32_t count = large_blocks(&large, at);
    uint8_t *bytes = malloc(large.size);
    assert_non_null(bytes);
    for (uint32_t i = 0; i < count; i++) {
        memcpy(bytes, large.bytes, large.size);
        memcpy(bytes + at[i], other.bytes + at[i], at[i + 1] - at[i]);
        large_demand_refused(&large, bytes, large.size);
    }
    free(bytes);
    large_free(&large);
    large_free(&other);
}

int main(void) {
    (void)mallopt(M_MMAP_THRESHOLD, 1 << 26);
    (void)mallopt(M_TRIM_THRESHOLD, 1 << 27);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_it_is),
        cmocka_unit_test(every_byte_flipped),
        cmocka_unit_test(every_length),
        cmocka_unit_test(every_page_replaced),
        cmocka_unit_test(wrong_names_and_nothing_left),
        cmocka_unit_test(blocks_exchanged_repeated_and_dropped),
        cmocka_unit_test(blocks_of_another_snapshot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
