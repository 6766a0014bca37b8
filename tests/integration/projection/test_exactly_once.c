/* test_exactly_once.c - whatever dies when, every decision is in PostgreSQL once
 *
 * Each test projects a history with an accident in a batch, and compares all rows with those of a
 * projection without accident.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "replay/postgres/projection_check.h"
#include "tests/integration/projection/projection_fixture.h"

#define REQUESTS 2000u
#define BATCH 400u

static struct projection_fixture *fixture;

static const char terminate_sql[] =
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'";
static const char applied_sql[] = "SELECT applied_lsn FROM usher.projection_state";

/* What happens to which batch, at which point. */
struct accident {
    enum projection_point point;
    uint32_t batch;        /* counted from 1, at this point */
    bool (*happens)(void); /* true: the answer is lost on its way */
    uint32_t seen, happened;
};

static bool fault(void *context, enum projection_point point) {
    struct accident *accident = context;
    if (point != accident->point || ++accident->seen != accident->batch) return false;
    accident->happened++;
    return accident->happens();
}

static bool server_dies(void) {
    postgres_fixture_stop(&fixture->postgres, SIGQUIT);
    postgres_fixture_start(&fixture->postgres);
    return false;
}

static bool backend_is_terminated(void) {
    (void)projection_fixture_number(fixture, terminate_sql);
    return false;
}

static bool connection_is_lost(void) { return true; }

/* COMMIT takes place, then the connection dies before its answer was read. The server says "idle"
 * of a connection only when its transaction is over; another process moves here, not our clock. */
static bool answer_is_lost(void) {
    static const char busy_sql[] =
        "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        " AND backend_type = 'client backend' AND state <> 'idle'";
    struct timespec pause = {0, 1000000};
    for (int looks = 0; looks < 10000 && projection_fixture_number(fixture, busy_sql) > 0;
         looks++) {
        nanosleep(&pause, NULL);
    }
    return true;
}

/* The same rows as without accident, and the right ones. */
static void assert_contents(const char *expected) {
    char contents[CONTENTS_BYTES];
    struct projection_comparison report;
    projection_fixture_contents(fixture, contents);
    assert_string_equal(contents, expected);
    assert_int_equal(projection_check(fixture->postgres.conninfo, fixture->history.world, &report),
                     0);
    if (report.mismatches) print_message("# %s\n", report.text);
    assert_int_equal(report.mismatches, 0);
}

static void project_with(struct accident *accident, struct projection_status *ret_status) {
    char expected[CONTENTS_BYTES];
    projection_fixture_begin(fixture, 11, REQUESTS);
    projection_fixture_project(fixture, BATCH, expected);
    projection_fixture_drop(fixture);
    struct projection_options options = projection_fixture_options(fixture, BATCH);
    options.fault = fault;
    options.fault_context = accident;
    struct projection *projection = projection_create(&options);
    assert_int_equal(projection_fixture_run(fixture, projection), PROJECTION_IDLE);
    projection_status_get(projection, ret_status);
    projection_free(projection);
    assert_int_equal(accident->happened, 1);
    assert_int_equal(fixture->alarms, 0);
    assert_int_equal(ret_status->applied_lsn, fixture->log.size);
    assert_contents(expected);
    projection_fixture_end(fixture);
}

static void server_killed_before_commit(void **state) {
    (void)state;
    struct accident accident = {PROJECTION_POINT_COPIED, 2, server_dies, 0, 0};
    struct projection_status status;
    project_with(&accident, &status);
    assert_true(status.failures >= 1);
}

static void server_killed_while_committing(void **state) {
    (void)state;
    struct accident accident = {PROJECTION_POINT_COMMIT_SENT, 2, server_dies, 0, 0};
    struct projection_status status;
    project_with(&accident, &status);
}

static void backend_terminated_between_copy_and_commit(void **state) {
    (void)state;
    struct accident accident = {PROJECTION_POINT_COPIED, 3, backend_is_terminated, 0, 0};
    struct projection_status status;
    project_with(&accident, &status);
    assert_true(status.failures >= 1);
    assert_true(accident.seen > status.batches); /* that batch was written twice, committed once */
}

static void answer_to_commit_lost(void **state) {
    (void)state;
    struct accident accident = {PROJECTION_POINT_COMMIT_SENT, 2, answer_is_lost, 0, 0};
    struct projection_status status;
    project_with(&accident, &status);
    assert_int_equal(status.failures, 1);
    /* It was committed although we were not told: never sent again. */
    assert_int_equal(accident.seen, status.batches + 1);
}

static void connection_lost_before_commit(void **state) {
    (void)state;
    struct accident accident = {PROJECTION_POINT_COPIED, 1, connection_is_lost, 0, 0};
    struct projection_status status;
    project_with(&accident, &status);
    assert_int_equal(status.failures, 1);
    assert_int_equal(accident.seen, status.batches + 1);
}

static void process_restarts_between_batches(void **state) {
    (void)state;
    char expected[CONTENTS_BYTES];
    projection_fixture_begin(fixture, 12, REQUESTS);
    projection_fixture_project(fixture, BATCH, expected);
    projection_fixture_drop(fixture);
    struct projection_options options = projection_fixture_options(fixture, BATCH);
    int result = PROJECTION_WORKED;
    for (uint32_t runs = 0; result == PROJECTION_WORKED && runs < 1000; runs++) {
        struct projection *projection = projection_create(&options);
        result = projection_step(projection);                                  /* connect */
        if (result == PROJECTION_WORKED) result = projection_step(projection); /* one batch */
        projection_free(projection);
    }
    assert_int_equal(result, PROJECTION_IDLE);
    assert_contents(expected);
    projection_fixture_end(fixture);
}

static void two_engines_on_one_database(void **state) {
    (void)state;
    char expected[CONTENTS_BYTES];
    projection_fixture_begin(fixture, 13, REQUESTS);
    projection_fixture_project(fixture, BATCH, expected);
    projection_fixture_drop(fixture);
    struct memory_log copy = fixture->log; /* same bytes, a position of its own */
    struct record_source second = memory_log_source(&copy);
    struct projection_options options = projection_fixture_options(fixture, BATCH);
    struct projection *a = projection_create(&options);
    options.source = &second;
    options.batch_records = BATCH / 3;
    struct projection *b = projection_create(&options);
    struct projection_status status;
    assert_int_equal(projection_step(a), PROJECTION_WORKED); /* connected */
    assert_int_equal(projection_step(b), PROJECTION_WORKED);
    assert_int_equal(projection_step(a), PROJECTION_WORKED); /* a batch */
    assert_int_equal(projection_step(b), PROJECTION_IDLE);   /* the guard matches no row */
    projection_status_get(b, &status);
    assert_int_equal(status.failures, 1);
    assert_non_null(strstr(status.text, "another engine"));
    fixture->now_ms += PROJECTION_RETRY_MS_MAX;
    for (uint32_t i = 0; i < 3; i++) {
        (void)projection_step(b);
        (void)projection_step(a);
    }
    assert_int_equal(projection_fixture_run(fixture, b), PROJECTION_IDLE);
    assert_int_equal(projection_fixture_run(fixture, a), PROJECTION_IDLE);
    projection_free(a);
    projection_free(b);
    assert_contents(expected);
    projection_fixture_end(fixture);
}

/* The applied LSN and the rows go back together: the rest is repeated. */
static void database_restored_from_a_backup(void **state) {
    (void)state;
    char expected[CONTENTS_BYTES], contents[CONTENTS_BYTES];
    struct postgres_fixture *postgres = &fixture->postgres;
    projection_fixture_begin(fixture, 14, REQUESTS);
    projection_fixture_project(fixture, BATCH, expected);
    projection_fixture_drop(fixture);
    struct projection_options options = projection_fixture_options(fixture, BATCH);
    struct projection *projection = projection_create(&options);
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(projection_step(projection), PROJECTION_WORKED);
    projection_free(projection);
    postgres_fixture_database(postgres, "template1"); /* a database cannot be copied from within */
    projection_fixture_sql(fixture, "CREATE DATABASE backup TEMPLATE postgres");
    postgres_fixture_database(postgres, "postgres");
    projection_fixture_project(fixture, BATCH, contents); /* the original goes on */
    assert_string_equal(contents, expected);
    postgres_fixture_database(postgres, "backup");
    assert_true(projection_fixture_number(fixture, applied_sql) < fixture->log.size);
    projection_fixture_project(fixture, BATCH, contents);
    postgres_fixture_database(postgres, "postgres");
    projection_fixture_sql(fixture, "DROP DATABASE backup");
    assert_string_equal(contents, expected);
    projection_fixture_end(fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(server_killed_before_commit),
        cmocka_unit_test(server_killed_while_committing),
        cmocka_unit_test(backend_terminated_between_copy_and_commit),
        cmocka_unit_test(answer_to_commit_lost),
        cmocka_unit_test(connection_lost_before_commit),
        cmocka_unit_test(process_restarts_between_batches),
        cmocka_unit_test(two_engines_on_one_database),
        cmocka_unit_test(database_restored_from_a_backup),
    };
    if (!postgres_fixture_available()) {
        printf("1..0 # SKIP no PostgreSQL server here\n");
        return 0;
    }
    fixture = projection_fixture_create();
    int failed = cmocka_run_group_tests_name("projection exactly once", tests, NULL, NULL);
    projection_fixture_free(fixture);
    return failed;
}
