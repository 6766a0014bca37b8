/* test_uuid.c - the text form of UUIDs */
#include "engine/base/uuid.h"
#include "tests/support/cmocka.h"

static void uuid_round_trip(void **state) {
    (void)state;
    struct random random = {random_seed(1)};
    for (int round = 0; round < 1000; round++) {
        struct id128 id, parsed;
        char text[UUID_TEXT_BYTES];
        random_fill(&random, id.bytes, sizeof id.bytes);
        uuid_format(&id, text);
        assert_true(uuid_parse(text, sizeof text, &parsed));
        assert_true(id128_equal(&id, &parsed));
    }
}

static void uuid_cases(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {"123e4567-e89b-42d3-a456-426614174000", true},
        {"123E4567-E89B-42D3-A456-426614174000", true},
        {"00000000-0000-0000-0000-000000000001", true},
        {"00000000-0000-0000-0000-000000000000", false}, /* nobody */
        {"123e4567-e89b-42d3-a456-42661417400", false},
        {"123e4567-e89b-42d3-a456-4266141740000", false},
        {"123e4567e89b-42d3-a456-4266141740000", false},
        {"123e4567-e89b-42d3-a456_426614174000", false},
        {"{23e4567-e89b-42d3-a456-42661417400}", false},
        {"123e4567-e89b-42d3-a456-42661417400g", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct id128 id;
        bool good = uuid_parse(cases[i].text, (uint32_t)strlen(cases[i].text), &id);
        if (good != cases[i].good) fail_msg("%s", cases[i].text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uuid_round_trip),
        cmocka_unit_test(uuid_cases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
