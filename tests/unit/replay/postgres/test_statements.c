/* test_statements.c - placeholders get their values, and a step runs for what it reads */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/domain/decision.h"
#include "replay/postgres/statements.h"

static void placeholders_are_filled(void **state) {
    (void)state;
    static const struct statement_value values[] = {
        {"run", NULL, 18446744073709551615ull}, {"run_id", "1-2", 0}, {"kind", "seats_held", 0}};
    static const struct {
        const char *statement, *expected;
    } rows[] = {
        {"", ""},
        {"COMMIT", "COMMIT"},
        {"x = :run", "x = 18446744073709551615"},
        {"x = :'run_id' AND y = :run", "x = '1-2' AND y = 18446744073709551615"},
        {"COPY pg_temp.:\"kind\" FROM", "COPY pg_temp.\"seats_held\" FROM"},
        {"run_id::text, :'run_id'::uuid", "run_id::text, '1-2'::uuid"},
        {"a[1:2] : run", "a[1:2] : run"},
    };
    char text[64];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *filled = statement_fill(text, sizeof text, rows[i].statement, values, 3);
        assert_string_equal(filled, rows[i].expected);
    }
}

static void a_step_knows_what_it_reads(void **state) {
    (void)state;
    uint32_t found = 0;
    for (uint32_t i = 0; i < fold_step_count; i++) {
        for (const uint16_t *kind = fold_steps[i].kinds; *kind; kind++) {
            char table[64] = "pg_temp.";
            strncat(table, decision_name(*kind), sizeof table - 10);
            assert_non_null(strstr(fold_steps[i].statements, table));
            assert_true(fold_reads(*kind));
            found++;
        }
    }
    assert_int_equal(found, 35); /* a new reader of a kind: raise it */
    assert_false(fold_reads(DECISION_STATE_HASHED));
    assert_false(fold_reads(0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(placeholders_are_filled),
        cmocka_unit_test(a_step_knows_what_it_reads),
    };
    return cmocka_run_group_tests_name("statements", tests, NULL, NULL);
}
