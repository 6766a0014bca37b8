/* test_histogram.c - the buckets tile the range, and quantiles keep the stated precision */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/histogram.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(buckets_tile_the_range, reset),
        cmocka_unit_test_setup(too_large_values_count_as_the_largest, reset),
        cmocka_unit_test_setup(quantiles_of_a_ramp, reset),
        cmocka_unit_test_setup(empty_and_single, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
