/* test_contents.c - the rows are what the engine decided, however they were batched
 *
 * The history is random, from a seed, made by the real domain (tests/support/random_history.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "replay/postgres/projection_check.h"
#include "replay/postgres/projection_offline.h"
#include "tests/integration/projection/projection_fixture.h"

static struct projection_fixture *fixture;

static void rows_are_what_the_engine_has(void **state) {
    (void)state;
    char contents[CONTENTS_BYTES];
    struct projection_comparison report;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        projection_fixture_begin(fixture, seed, 3000);
        projection_fixture_project(fixture, 0, contents);
        assert_int_equal(
            projection_check(fixture->postgres.conninfo, fixture->history.world, &report), 0);
        if (report.mismatches) print_message("# %s\n", report.text);
        assert_int_equal(report.mismatches, 0);
        assert_int_equal(report.applied_lsn, fixture->log.size);
        assert_true(report.compared > 400);
        projection_fixture_end(fixture);
    }
}

/* Each of these is a way in which rows can be wrong; the check must see it. */
static void the_check_finds_differences(void **state) {
    (void)state;
    static const char *const harm[] = {
        "UPDATE usher.seats SET price = price + 1 WHERE date = 1 AND number = 3",
        "UPDATE usher.seats SET state = 'held', reservation = 1 WHERE date = 1 AND number ="
        " (SELECT min(number) FROM usher.seats WHERE date = 1 AND state = 'available' AND "
        "for_sale)",
        "UPDATE usher.dates SET state = 'draft' WHERE id = 2",
        "UPDATE usher.reservations SET amount = amount + 1 WHERE id ="
        " (SELECT min(id) FROM usher.reservations WHERE state IN ('paid', 'held'))",
        "UPDATE usher.wallets SET balance = balance + 1, charged = charged + 1 WHERE user_id ="
        " (SELECT user_id FROM usher.wallets ORDER BY 1 LIMIT 1)",
        "UPDATE usher.queue_entries SET active_until = active_until + interval '1 ms'"
        " WHERE admitted_at IS NOT NULL AND ended_at IS NULL",
        "DELETE FROM usher.queue_entries WHERE date = 1 AND place = 1",
        "DELETE FROM usher.wallet_ledger WHERE lsn = (SELECT max(lsn) FROM usher.wallet_ledger)",
    };
    char contents[CONTENTS_BYTES];
    struct projection_comparison report;
    projection_fixture_begin(fixture, 3, 2000);
    for (size_t i = 0; i < sizeof harm / sizeof harm[0]; i++) {
        projection_fixture_drop(fixture);
        projection_fixture_project(fixture, 0, contents);
        projection_fixture_sql(fixture, harm[i]);
        assert_int_equal(
            projection_check(fixture->postgres.conninfo, fixture->history.world, &report), 0);
        if (report.mismatches == 0) print_message("# not seen: %s\n", harm[i]);
        assert_true(report.mismatches > 0 && report.text[0] != '\0');
    }
    projection_fixture_end(fixture);
}

static void batch_size_does_not_matter(void **state) {
    (void)state;
    static const uint32_t sizes[] = {1, 7, 100};
    char whole[CONTENTS_BYTES], contents[CONTENTS_BYTES];
    projection_fixture_begin(fixture, 3, 2500);
    projection_fixture_project(fixture, 50000, whole);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        projection_fixture_drop(fixture);
        projection_fixture_project(fixture, sizes[i], contents);
        assert_string_equal(contents, whole);
    }
    projection_fixture_end(fixture);
}

/* The history has every kind of row; a table that stays empty would prove nothing above. */
static void the_history_reaches_every_table_and_state(void **state) {
    (void)state;
    static const char *const queries[] = {
        "SELECT count(DISTINCT state) FROM usher.reservations", /* held .. cancelled, not in flight
                                                                 */
        "SELECT count(DISTINCT state) FROM usher.payments",
        "SELECT count(DISTINCT reason) FROM usher.wallet_ledger",
        "SELECT count(DISTINCT end_reason) FROM usher.queue_entries",
        "SELECT count(DISTINCT state) FROM usher.seats",
        "SELECT count(DISTINCT kind) FROM usher.refusals",
        "SELECT count(DISTINCT cause) FROM usher.outages",
        "SELECT count(*) FROM usher.sales_by_date WHERE revenue > 0",
        "SELECT count(*) FROM usher.waiting_by_date WHERE bought > 0 AND abandoned > 0",
    };
    static const uint64_t least[] = {5, 3, 3, 5, 3, 2, 3, 1, 1};
    char contents[CONTENTS_BYTES];
    projection_fixture_begin(fixture, 3, 2500);
    projection_fixture_project(fixture, 0, contents);
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        uint64_t number = projection_fixture_number(fixture, queries[i]);
        if (number < least[i])
            print_message("# %llu: %s\n", (unsigned long long)number, queries[i]);
        assert_true(number >= least[i]);
    }
    projection_fixture_end(fixture);
}

static void rebuilding_gives_the_same_rows(void **state) {
    (void)state;
    char before[CONTENTS_BYTES], after[CONTENTS_BYTES];
    struct projection_status status;
    projection_fixture_begin(fixture, 4, 2500);
    projection_fixture_project(fixture, 500, before);
    projection_fixture_sql(fixture, "UPDATE usher.seats SET price = 1");
    struct projection_options options = projection_fixture_options(fixture, 0);
    assert_int_equal(projection_rebuild(&options, NULL, NULL, &status), 0);
    assert_int_equal(status.applied_lsn, fixture->log.size);
    projection_fixture_contents(fixture, after);
    assert_string_equal(after, before);
    projection_fixture_end(fixture);
}

/* A reservation's whole life in one batch, and a projection that follows a growing log. */
static void following_equals_catching_up(void **state) {
    (void)state;
    char whole[CONTENTS_BYTES], contents[CONTENTS_BYTES];
    projection_fixture_begin(fixture, 6, 1500);
    projection_fixture_project(fixture, 0, whole);
    projection_fixture_drop(fixture);
    struct projection_options options = projection_fixture_options(fixture, 0);
    struct projection *projection = projection_create(&options);
    struct projection_status status;
    for (uint64_t limit = 0; limit < fixture->log.size; limit += 4321) {
        fixture->log.limit_lsn = limit; /* within a record: it is not durable yet */
        assert_int_equal(projection_fixture_run(fixture, projection), PROJECTION_IDLE);
        projection_status_get(projection, &status);
        assert_true(status.applied_lsn <= limit && limit - status.applied_lsn < RECORD_BYTES_MAX);
    }
    fixture->log.limit_lsn = UINT64_MAX;
    assert_int_equal(projection_fixture_run(fixture, projection), PROJECTION_IDLE);
    projection_free(projection);
    projection_fixture_contents(fixture, contents);
    assert_string_equal(contents, whole);
    projection_fixture_end(fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_what_the_engine_has),
        cmocka_unit_test(the_check_finds_differences),
        cmocka_unit_test(batch_size_does_not_matter),
        cmocka_unit_test(the_history_reaches_every_table_and_state),
        cmocka_unit_test(rebuilding_gives_the_same_rows),
        cmocka_unit_test(following_equals_catching_up),
    };
    if (!postgres_fixture_available()) {
        printf("1..0 # SKIP no PostgreSQL server here\n");
        return 0;
    }
    fixture = projection_fixture_create();
    int failed = cmocka_run_group_tests_name("projection contents", tests, NULL, NULL);
    projection_fixture_free(fixture);
    return failed;
}
