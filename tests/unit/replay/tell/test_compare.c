/* test_compare.c - what differs between two states, on random histories */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "replay/tell/compare.h"
#include "replay/source/recover.h"
#include "tests/support/random_history.h"

static const struct id128 seed = {{7}};

struct sum {
    uint64_t left, right, both;
    char last[COMPARE_NAME_BYTES];
    uint64_t by_kind[64];
};

static int count(void *context, const struct compare_difference *difference) {
    struct sum *sum = context;
    assert_true(difference->left || difference->right);
    assert_string_not_equal(difference->name, sum->last); /* each is told once */
    memcpy(sum->last, difference->name, sizeof sum->last);
    sum->left += !difference->right;
    sum->right += !difference->left;
    sum->both += difference->left && difference->right;
    sum->by_kind[difference->left ? difference->left->kind : difference->right->kind]++;
    return 0;
}

static struct sum compare(const struct world *left, const struct world *right) {
    struct sum sum = {0};
    for (uint32_t i = 0; i < ACCOUNT_PARTITIONS + RANDOM_HISTORY_DATES + 1; i++) {
        uint32_t id = i == 0                    ? PARTITION_CATALOGUE
                      : i <= ACCOUNT_PARTITIONS ? PARTITION_ACCOUNT_FIRST + i - 1
                                                : partition_of_date(i - ACCOUNT_PARTITIONS);
        sum.last[0] = '\0';
        assert_int_equal(
            compare_partitions(world_find(left, id), world_find(right, id), count, &sum), 0);
    }
    return sum;
}

static struct world *replay(struct memory_log *log, uint64_t limit_lsn) {
    struct recover_result result;
    struct recover_error error;
    struct world *world = world_create(&seed);
    struct record_source source = memory_log_source(log);
    log->limit_lsn = limit_lsn;
    assert_int_equal(recover(&source, world, NULL, &result, &error), 0);
    log->limit_lsn = UINT64_MAX;
    return world;
}

static void differences(void **state) {
    (void)state;
    for (uint64_t number = 1; number <= 3; number++) {
        struct memory_log log;
        struct random_history history;
        printf("# seed %llu\n", (unsigned long long)number);
        memory_log_init(&log);
        random_history_init(&history, &log, number, 30);
        random_history_run(&history, 1500);
        uint64_t middle_lsn = log.size;
        random_history_run(&history, 1500);
        struct world *middle = replay(&log, middle_lsn), *end = replay(&log, UINT64_MAX);

        struct sum none = compare(end, history.world); /* live and replayed */
        assert_int_equal(none.left + none.right + none.both, 0);
        struct sum forward = compare(middle, end), back = compare(end, middle);
        assert_int_equal(forward.left, back.right);
        assert_int_equal(forward.right, back.left);
        assert_int_equal(forward.both, back.both);
        assert_true(forward.right > 100 && forward.both > 50);
        assert_int_equal(forward.by_kind[ENTITY_SEAT], 0); /* layouts stay */
        assert_int_equal(forward.by_kind[ENTITY_PARTITION],
                         forward.by_kind[ENTITY_TOTALS] + forward.by_kind[ENTITY_DATE]);
        world_free(middle);
        world_free(end);
        random_history_deinit(&history);
        memory_log_deinit(&log);
    }
}

static void a_partition_that_is_not_there(void **state) {
    (void)state;
    struct memory_log log;
    struct random_history history;
    memory_log_init(&log);
    random_history_init(&history, &log, 4, 10);
    struct world *empty = world_create(&seed);
    struct sum sum = compare(empty, history.world);
    assert_int_equal(sum.left, 0);
    assert_int_equal(sum.by_kind[ENTITY_DATE], RANDOM_HISTORY_DATES);
    assert_true(sum.by_kind[ENTITY_SEAT] > 0);
    world_free(empty);
    random_history_deinit(&history);
    memory_log_deinit(&log);
}

static int stop(void *context, const struct compare_difference *difference) {
    (void)difference;
    (*(uint32_t *)context)++;
    return 5;
}

static void the_visitor_may_end_it(void **state) {
    (void)state;
    struct memory_log log;
    struct random_history history;
    uint32_t calls = 0;
    memory_log_init(&log);
    random_history_init(&history, &log, 4, 10);
    assert_int_equal(compare_partitions(NULL, history.world->dates[1], stop, &calls), 5);
    assert_int_equal(calls, 1);
    random_history_deinit(&history);
    memory_log_deinit(&log);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(differences),
        cmocka_unit_test(a_partition_that_is_not_there),
        cmocka_unit_test(the_visitor_may_end_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
