/* test_outage.c - PostgreSQL dies, usherd dies, sales go on and the projection ends exact
 *
 * A private PostgreSQL behind a real usherd, and processes that buy (tests/process/buyer.h).
 * PostgreSQL is stopped as if its machine had died, in the middle of batches; usherd is killed
 * while the projection is behind, is catching up, or has no server to talk to. Buyers must not
 * notice the first; and whatever the order of deaths, every decision arrives in PostgreSQL exactly
 * once: compared row by row with the replayed log (projection_check), and counted by SQL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "replay/postgres/projection_offline.h"
#include "replay/postgres/projection_check.h"
#include "replay/postgres/sql.h"
#include "tests/support/postgres_fixture.h"
#include "tests/process/buyer.h"
#include "tests/process/common.h"
#include "tests/process/daemon.h"
#include "tests/process/history.h"
#include "tests/process/testimony.h"
#include "tests/support/random.h"

#define BUYERS 3u
#define PHASE_US 1500000u
#define OUTAGE_US 2500000u
#define DEATHS 6u
#define DEATH_US_MAX 500000u
/* The projection's longest pause between two attempts is 10 s. */
#define CATCH_UP_US 45000000u
#define CATCH_UP_LOOK_US 20000u
#define WORKERS_END_MS 60000u
/* The machine may be busy with other things; sales that wait for PostgreSQL would stop for as long
 * as the outage. */
#define SLOWEST_US_MAX 2000000u
#define SLOWER_MAX 10u

static struct postgres_fixture postgres;
static struct usherd_daemon usherd;
static struct workers workers;

static int set_up(void **state) {
    (void)state;
    if (!postgres_fixture_available()) return 0;
    postgres_fixture_create(&postgres);
    daemon_create(&usherd, &(struct daemon_options){
                               .shards = 2, .segment_mb = 1, .postgres = postgres.conninfo});
    return daemon_start(&usherd) ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    workers_kill(&workers);
    daemon_destroy(&usherd);
    if (postgres.directory[0] != '\0') postgres_fixture_destroy(&postgres);
    postgres = (struct postgres_fixture){.pid = 0};
    return 0;
}

static struct workers_arena *begin_sales(void) {
    struct workers_arena *arena = workers_arena(usherd.directory);
    arena->seed = random_seed_fresh();
    buyer_dates(usherd.admin_url, arena);
    workers_start(&workers, "buyer", usherd.directory, usherd.url, arena, BUYERS);
    return arena;
}

static uint64_t progress_of(const struct workers_arena *arena) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < BUYERS; i++) sum += arena->progress[i];
    return sum;
}

/* Answers within this time. */
static uint64_t watch(struct workers_arena *arena, uint64_t us) {
    const uint64_t before = progress_of(arena);
    arena->slowest_us = 0;
    pause_us(us);
    assert_true(workers_running(&workers));
    return progress_of(arena) - before;
}

static void end_sales(struct workers_arena *arena) {
    arena->stop = true;
    assert_true(workers_wait(&workers, WORKERS_END_MS));
}

/* --- is PostgreSQL what the log says? --------------------------------------------------------- */

static uint64_t durable_lsn(void) {
    static struct caller caller;
    static struct ask ask;
    static struct caller_answer answer;
    caller_open(&caller, usherd.url, 0);
    ask_begin(&ask, "system.stats", 0);
    assert_int_equal(caller_ask_until_answered(&caller, &ask, &answer), 0);
    caller_close(&caller);
    return answer.durable_lsn;
}

/* While usherd runs: by itself, without being stopped or asked. */
static void wait_until_caught_up(void) {
    static const struct id128 any_log;
    const uint64_t end_lsn = durable_lsn(), begin_us = monotonic_us();
    char text[PROJECTION_TEXT_BYTES];
    for (uint64_t lsn = 0; lsn < end_lsn; pause_us(CATCH_UP_LOOK_US)) {
        assert_true(monotonic_us() - begin_us < CATCH_UP_US);
        (void)projection_applied_lsn(postgres.conninfo, &any_log, &lsn,
                                     text); /* again if it fails */
    }
    note("caught up with LSN %" PRIu64 " in %" PRIu64 " ms", end_lsn,
         (monotonic_us() - begin_us) / 1000);
}

static void first_number(void *context, int columns, const char *const *values) {
    uint64_t *number = context;
    if (columns == 1 && values[0]) *number = strtoull(values[0], NULL, 10);
}

static uint64_t sql_number(const char *query) {
    struct sql *sql;
    char text[SQL_ERROR_BYTES];
    uint64_t number = UINT64_MAX;
    assert_int_equal(sql_open(postgres.conninfo, -1, &sql, text), SQL_OK);
    assert_int_equal(sql_run(sql, query, first_number, &number, NULL), SQL_OK);
    sql_close(sql);
    return number;
}

struct counting {
    struct oracle oracle;
    uint64_t records, entered, ledger_rows;
};

static void count(void *context, const struct decision *decision, uint64_t lsn) {
    struct counting *counting = context;
    oracle_visit(&counting->oracle, decision, lsn);
    counting->records++;
    counting->entered += decision->kind == DECISION_QUEUE_ENTERED;
    counting->ledger_rows += decision->kind == DECISION_WALLET_CHARGED ||
                             decision->kind == DECISION_FUNDS_RESERVED ||
                             decision->kind == DECISION_FUNDS_REFUNDED ||
                             decision->kind == DECISION_FUNDS_VOIDED;
}

static void check_postgres(void) {
    struct counting counting = {.records = 0};
    struct testimony testimony;
    struct projection_comparison report;
    struct world *world;
    struct recover_result replayed;
    assert_int_equal(daemon_stop(&usherd), 0);
    oracle_init(&counting.oracle, NULL);
    assert_true(history_read(usherd.data, count, &counting));
    (void)oracle_rest(&counting.oracle);
    testimony_read(&testimony, usherd.directory, BUYERS, &counting.oracle);
    testimony_check(&testimony, false);
    assert_int_equal(counting.oracle.complaints, 0);

    assert_true(history_replay(usherd.data, &world, &replayed));
    assert_int_equal(projection_check(postgres.conninfo, world, &report), 0);
    if (report.mismatches > 0) note("%.900s", report.text);
    assert_int_equal(report.mismatches, 0);
    assert_true(report.applied_lsn == replayed.last_lsn && report.compared > 0);
    world_free(world);

    assert_true(sql_number("SELECT decisions FROM usher.projection_state") == counting.records);
    assert_true(sql_number("SELECT count(*) FROM usher.queue_entries") == counting.entered);
    assert_true(sql_number("SELECT count(*) FROM usher.wallet_ledger") == counting.ledger_rows);
    assert_true(sql_number("SELECT count(*) FROM usher.payments WHERE state IN "
                           "('paid', 'refunding', 'refunded')") == counting.oracle.sold);
    note("%" PRIu64 " decisions, %" PRIu64 " sales: PostgreSQL has them all, once",
         counting.records, counting.oracle.sold);
    testimony_free(&testimony);
    oracle_deinit(&counting.oracle);
}

/* --- the tests -------------------------------------------------------------------------------- */

static void sales_do_not_notice_an_outage(void **state) {
    (void)state;
    if (!postgres_fixture_available()) skip();
    struct workers_arena *arena = begin_sales();
    uint64_t with = watch(arena, PHASE_US);
    for (int outage = 0; outage < 2; outage++) {
        postgres_fixture_stop(&postgres, SIGQUIT);
        uint64_t without = watch(arena, OUTAGE_US) * PHASE_US / OUTAGE_US,
                 slowest = arena->slowest_us;
        note("answers in %u ms: %" PRIu64 " with PostgreSQL, %" PRIu64
             " without; the slowest took %" PRIu64 " us",
             PHASE_US / 1000, with, without, slowest);
        assert_true(without > with / SLOWER_MAX);
        assert_true(slowest < SLOWEST_US_MAX);
        postgres_fixture_start(&postgres);
        (void)watch(arena, PHASE_US); /* while it catches up */
        assert_true(arena->slowest_us < SLOWEST_US_MAX);
    }
    end_sales(arena);
    assert_true(arena->lost == 0);
    wait_until_caught_up();
    check_postgres();
}

/* Three deaths, in every order that chance finds: PostgreSQL's, usherd's while PostgreSQL is away,
 * usherd's while the projection catches up. */
static void every_decision_arrives_once(void **state) {
    (void)state;
    if (!postgres_fixture_available()) skip();
    struct workers_arena *arena = begin_sales();
    struct random random = random_stream(arena->seed, 1000);
    (void)watch(arena, PHASE_US);
    for (uint32_t i = 0; i < DEATHS; i++) {
        postgres_fixture_stop(&postgres, SIGQUIT);
        (void)watch(arena, random_index(&random, DEATH_US_MAX));
        if (i % 2 == 0) { /* it must start, and sell, without PostgreSQL */
            daemon_kill(&usherd);
            assert_true(daemon_start(&usherd));
            (void)watch(arena, random_index(&random, DEATH_US_MAX));
        }
        postgres_fixture_start(&postgres);
        (void)watch(arena, random_index(&random, DEATH_US_MAX));
        daemon_kill(&usherd);
        assert_true(daemon_start(&usherd));
        (void)watch(arena, random_index(&random, DEATH_US_MAX));
    }
    end_sales(arena);
    wait_until_caught_up();
    check_postgres();
}

int main(int argc, char **argv) {
    static const struct worker_role roles[] = {{"buyer", buyer_run}, {0}};
    workers_main(argc, argv, roles);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sales_do_not_notice_an_outage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_decision_arrives_once, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
