/* test_histogram.c - the buckets tile the range, and quantiles keep the stated precision */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tools/common/histogram.h"
#include "tests/support/random.h"

static struct histogram histogram;

static int reset(void **state) {
    (void)state;
    histogram = (struct histogram){0};
    return 0;
}

static void buckets_tile_the_range(void **state) {
    (void)state;
    uint64_t lowest = 0;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t highest = histogram_highest(i);
        assert_true(highest >= lowest);
        assert_int_equal(histogram_index(lowest), i);
        assert_int_equal(histogram_index(highest), i);
        /* width <= 1/32 of the lowest value */
        assert_true((highest - lowest) * HISTOGRAM_SUB_COUNT <= lowest);
        lowest = highest + 1;
    }
    assert_int_equal(lowest, 1ull << HISTOGRAM_VALUE_BITS);
}

static void too_large_values_count_as_the_largest(void **state) {
    (void)state;
    assert_int_equal(histogram_index(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
    assert_int_equal(histogram_index(1ull << HISTOGRAM_VALUE_BITS), HISTOGRAM_BUCKETS - 1);
}

static void quantiles_of_a_ramp(void **state) {
    (void)state;
    for (uint64_t value = 1; value <= 100000; value++) histogram_add(&histogram, value);
    static const uint32_t millionths[] = {1, 10000, 500000, 900000, 990000, 999000, 1000000};
    for (size_t i = 0; i < sizeof millionths / sizeof millionths[0]; i++) {
        uint64_t exact = (100000ull * millionths[i] + 999999) / 1000000;
        uint64_t got = histogram_quantile(&histogram, millionths[i]);
        assert_true(got >= exact);
        assert_true(got - exact <= exact / HISTOGRAM_SUB_COUNT);
    }
    assert_int_equal(histogram_quantile(&histogram, 1000000), 100000);
}

static void empty_and_single(void **state) {
    (void)state;
    assert_int_equal(histogram_quantile(&histogram, 990000), 0);
    histogram_add(&histogram, 12345);
    assert_int_equal(histogram_quantile(&histogram, 0), 12345);
    assert_int_equal(histogram_quantile(&histogram, 500000), 12345);
    assert_int_equal(histogram.max, 12345);
}

/* --- against a sorted list -------------------------------------------------------------------- */

#define VALUES 20000u
#define PARTS 7u
#define ROUNDS 12u

static int compare(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* What is promised of every quantile: the value of that rank in the sorted list, or at most 1/32
 * above it, never more than the greatest. */
static void demand_quantiles(const struct histogram *of, const uint64_t *sorted, uint32_t count) {
    static const uint32_t millionths[] = {0,      1,      100,    50000,  250000, 500000,
                                          750000, 900000, 990000, 999000, 999900, 1000000};
    assert_int_equal(of->count, count);
    assert_int_equal(of->max, sorted[count - 1]);
    for (size_t i = 0; i < sizeof millionths / sizeof millionths[0]; i++) {
        uint64_t rank = ((uint64_t)count * millionths[i] + 999999) / 1000000;
        uint64_t exact = sorted[rank > 0 ? rank - 1 : 0];
        uint64_t got = histogram_quantile(of, millionths[i]);
        assert_true(got >= exact);
        assert_true(got - exact <= exact / HISTOGRAM_SUB_COUNT);
        assert_true(got <= of->max);
    }
}

/* Random values of every magnitude from 0 to 2^40-1, dealt out to several histograms, which are
 * then merged: the quantiles of each and of the sum against those of the sorted lists. */
static void quantiles_of_a_sorted_list(void **state) {
    (void)state;
    static uint64_t values[PARTS][VALUES], all[PARTS * VALUES];
    static struct histogram parts[PARTS];
    struct random random = {random_seed(20261121)};
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t counts[PARTS], total = 0;
        histogram = (struct histogram){0};
        for (uint32_t p = 0; p < PARTS; p++) {
            /* From a handful, so that ranks fall on the edges, to many. */
            counts[p] = 1 + random_index(&random, p < 3 ? 10 : VALUES);
            parts[p] = (struct histogram){0};
            /* Rounds differ in how many magnitudes they have: 0..3 bits first, 0..40 bits last. */
            uint64_t bits = 4 + round * (HISTOGRAM_VALUE_BITS - 4) / (ROUNDS - 1);
            for (uint32_t i = 0; i < counts[p]; i++) {
                uint64_t value = random_next(&random) & ((1ull << HISTOGRAM_VALUE_BITS) - 1);
                value >>= HISTOGRAM_VALUE_BITS - random_below(&random, bits + 1);
                values[p][i] = all[total++] = value;
                histogram_add(&parts[p], value);
            }
            qsort(values[p], counts[p], sizeof values[p][0], compare);
            demand_quantiles(&parts[p], values[p], counts[p]);
            histogram_merge(&histogram, &parts[p]);
        }
        qsort(all, total, sizeof all[0], compare);
        demand_quantiles(&histogram, all, total);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(buckets_tile_the_range, reset),
        cmocka_unit_test_setup(too_large_values_count_as_the_largest, reset),
        cmocka_unit_test_setup(quantiles_of_a_ramp, reset),
        cmocka_unit_test_setup(empty_and_single, reset),
        cmocka_unit_test_setup(quantiles_of_a_sorted_list, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
