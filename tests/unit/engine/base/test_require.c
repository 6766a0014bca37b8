/* test_require.c - how often a slow check is due */
#include "engine/base/require.h"
#include "tests/support/cmocka.h"

static void due_eight_times_a_doubling(void **state) {
    (void)state;
    static const struct {
        uint64_t from, to; /* counts, `to` not among them */
        uint32_t due;
    } table[] = {
        {0, 16, 16}, {16, 32, 8}, {32, 64, 8}, {1024, 2048, 8}, {1 << 20, 1 << 21, 8},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        uint32_t due = 0;
        for (uint64_t count = table[i].from; count < table[i].to; count++) {
            due += slow_check_is_due(count);
        }
        assert_int_equal(due, table[i].due);
    }
    assert_true(slow_check_is_due(1ull << 63));
    assert_false(slow_check_is_due(UINT64_MAX));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(due_eight_times_a_doubling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
