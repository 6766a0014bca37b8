/* test_index.c - index against a plain array, heap against sorting */
#include "tests/unit/engine/domain/domain_test.h"
#include "tests/support/random.h"

#define ENTRIES 3000u

/* Few different hashes: many equal tags, long probes, wrap-around. */
static uint64_t coarse_hash(uint64_t random) {
    return (random % 3) << 58 | (random >> 8) % 40 * 0x11111;
}

struct pair {
    uint64_t hash;
    uint32_t value;
    bool there;
};

static void check_pairs(const struct index *index, const struct pair *pairs, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        uint32_t value, found = 0, expected = 0, seen = 0;
        struct index_cursor cursor = index_find(index, pairs[i].hash);
        while (index_next(&cursor, &value)) {
            found += value == pairs[i].value;
            seen++;
        }
        assert_int_equal(found, pairs[i].there);
        for (uint32_t j = 0; j < count; j++) {
            expected += pairs[j].there && pairs[j].hash >> 58 == pairs[i].hash >> 58 &&
                        (uint32_t)pairs[j].hash == (uint32_t)pairs[i].hash;
        }
        assert_int_equal(seen, expected);
    }
}

static void index_agrees_with_an_array(void **state) {
    struct random random = {1};
    for (uint32_t round = 0; round < 30; round++) {
        struct pair pairs[200];
        struct index index;
        index_init(&index);
        for (uint32_t i = 0; i < 200; i++) {
            uint64_t hash = random_next(&random);
            pairs[i] = (struct pair){round % 2 ? coarse_hash(hash) : hash, i * 7, false};
        }
        for (uint32_t step = 0; step < 2000; step++) {
            struct pair *pair = &pairs[random_below(&random, 200)];
            if (pair->there) {
                index_remove(&index, pair->hash, pair->value);
            } else {
                index_insert(&index, pair->hash, pair->value);
            }
            pair->there = !pair->there;
            if (step % 10 == 0 && pair->there) {
                index_replace(&index, pair->hash, pair->value, pair->value + 1);
                pair->value++;
            }
            if (step % 200 == 0) check_pairs(&index, pairs, 200);
        }
        check_pairs(&index, pairs, 200);
        index_deinit(&index);
        assert_int_equal(index_bytes(&index), 0);
    }
    (void)state;
}

static void empty_index_finds_nothing(void **state) {
    struct index index;
    uint32_t value;
    index_init(&index);
    for (uint64_t part = 0; part < 64; part++) {
        struct index_cursor cursor = index_find(&index, part << 58 | 5);
        assert_false(index_next(&cursor, &value));
    }
    index_deinit(&index);
    (void)state;
}

static void index_hash_is_keyed(void **state) {
    assert_true(index_hash("abc", 3, 1) != index_hash("abc", 3, 2));
    assert_true(index_hash("abc", 3, 1) != index_hash("abd", 3, 1));
    assert_true(index_hash("abc", 3, 1) == index_hash("abc", 3, 1));
    (void)index_hash(NULL, 0, 1); /* an empty text */
    (void)state;
}

/* What was reserved is enough for hashes spread as index_hash spreads them; what is there stays. */
static void a_reserved_index_does_not_grow(void **state) {
    struct index index;
    index_init(&index);
    for (uint64_t i = 0; i < 100; i++) {
        index_insert(&index, index_hash(&i, sizeof i, 1), (uint32_t)i);
    }
    index_reserve(&index, 200000);
    uint64_t bytes = index_bytes(&index);
    for (uint64_t i = 100; i < 200000; i++) {
        index_insert(&index, index_hash(&i, sizeof i, 1), (uint32_t)i);
    }
    assert_int_equal(index_bytes(&index), bytes);
    index_reserve(&index, 10);
    assert_int_equal(index_bytes(&index), bytes);
    for (uint64_t i = 0; i < 200000; i += 7) {
        uint32_t value;
        struct index_cursor cursor = index_find(&index, index_hash(&i, sizeof i, 1));
        assert_true(index_next(&cursor, &value));
        assert_int_equal(value, i);
    }
    index_deinit(&index);
    (void)state;
}

/* --- heap ------------------------------------------------------------------------------------- */

struct timer {
    uint64_t due_ms;
    uint32_t handle;
    bool there;
};

static const struct timer *earliest(const struct timer *timers, uint32_t count) {
    const struct timer *first = NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (timers[i].there && (!first || timers[i].due_ms < first->due_ms)) first = &timers[i];
    }
    return first; /* the lowest number among equals */
}

static void heap_agrees_with_searching(void **state) {
    static struct timer timers[ENTRIES];
    struct random random = {2};
    struct heap heap;
    heap_init(&heap);
    assert_null(heap_first(&heap));
    uint32_t count = 0;
    for (uint32_t step = 0; step < 20000; step++) {
        uint32_t item = random_index(&random, step < 10000 ? ENTRIES : 100);
        struct timer *timer = &timers[item];
        if (timer->there) {
            heap_remove(&heap, timer->handle);
            count--;
        } else {
            timer->due_ms = random_below(&random, 500); /* many equal ones */
            timer->handle = heap_insert(&heap, timer->due_ms, item);
            count++;
        }
        timer->there = !timer->there;
        const struct timer *first = earliest(timers, ENTRIES);
        assert_int_equal(heap.count, count);
        if (first) {
            assert_int_equal(heap_first(&heap)->due_ms, first->due_ms);
            assert_int_equal(heap_first(&heap)->item, first - timers);
        } else {
            assert_null(heap_first(&heap));
        }
    }
    while (heap.count > 0) { /* all that is left comes out sorted */
        const struct timer *first = earliest(timers, ENTRIES);
        assert_int_equal(heap_first(&heap)->item, first - timers);
        heap_remove(&heap, heap_first(&heap)->handle);
        timers[first - timers].there = false;
    }
    assert_null(earliest(timers, ENTRIES));
    heap_deinit(&heap);
    (void)state;
}

static void heap_reuses_handles(void **state) {
    struct heap heap;
    heap_init(&heap);
    for (uint32_t round = 0; round < 1000; round++) {
        uint32_t one = heap_insert(&heap, round, 1), two = heap_insert(&heap, round, 2);
        assert_true(one != two && one < 2 && two < 2);
        heap_remove(&heap, one);
        heap_remove(&heap, two);
    }
    heap_deinit(&heap);
    (void)state;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(index_agrees_with_an_array),
        cmocka_unit_test(empty_index_finds_nothing),
        cmocka_unit_test(index_hash_is_keyed),
        cmocka_unit_test(heap_agrees_with_searching),
        cmocka_unit_test(heap_reuses_handles),
        cmocka_unit_test(a_reserved_index_does_not_grow),
    };
    return cmocka_run_group_tests_name("index", tests, NULL, NULL);
}
