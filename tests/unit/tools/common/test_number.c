/* test_number.c - whole numbers as somebody types them */
#include "tests/support/cmocka.h"

#include "tools/common/number.h"

static void only_digits_within_bounds(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t min, max;
        bool good;
        uint64_t number;
    } cases[] = {
        {"0", 0, 9, true, 0},
        {"7", 1, 9, true, 7},
        {"007", 1, 9, true, 7},
        {"18446744073709551615", 0, UINT64_MAX, true, UINT64_MAX},
        {"18446744073709551616", 0, UINT64_MAX, false, 0},
        {"0", 1, 9, false, 0},
        {"10", 1, 9, false, 0},
        {"", 0, 9, false, 0},
        {" 1", 0, 9, false, 0},
        {"+1", 0, 9, false, 0},
        {"-1", 0, UINT64_MAX, false, 0},
        {"1 ", 0, 9, false, 0},
        {"1k", 0, 9, false, 0},
        {"0x1", 0, 9, false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t number = 0;
        assert_int_equal(number_read(cases[i].text, cases[i].min, cases[i].max, &number),
                         cases[i].good);
        assert_true(number == cases[i].number);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(only_digits_within_bounds)};
    return cmocka_run_group_tests_name("number", tests, NULL, NULL);
}
