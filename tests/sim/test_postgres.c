/* test_postgres.c - the real projection over the stand-in for PostgreSQL: through every fault, each
 * decision of the log once; and the stand-in sees it when that is not so */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/require.h"
#include "replay/postgres/projection.h"
#include "replay/postgres/sql.h"
#include "tests/sim/postgres.h"
#include "tests/support/random.h"
#include "tests/support/random_history.h"

#define REQUESTS 1500u
#define BATCH 25u
static const struct id128 log_id = {{0x10, 0x64, 1}};

struct projection_run {
    struct postgres *postgres;
    struct memory_log log;
    struct record_source source;
    struct projection *projection;
    uint64_t now_ms;
    uint32_t runs; /* projections so far */
};

static uint64_t now_ms(void *context) { return ((struct projection_run *)context)->now_ms; }

static void begin_projection(struct projection_run *run, uint32_t batch) {
    struct projection_options options = {.conninfo = postgres_conninfo(run->postgres),
                                         .source = &run->source,
                                         .log_id = log_id,
                                         .epoch = 1,
                                         .run_id = {{0x2, (uint8_t)++run->runs}},
                                         .clock = {run, now_ms},
                                         .batch_records = batch};
    run->projection = projection_create(&options);
}

static void projection_run_init(struct projection_run *run, uint64_t seed) {
    struct random_history history;
    *run = (struct projection_run){.now_ms = 1};
    printf("# seed %llu\n", (unsigned long long)seed);
    memory_log_init(&run->log);
    random_history_init(&history, &run->log, seed, 40);
    random_history_run(&history, REQUESTS);
    random_history_deinit(&history);
    run->source = memory_log_source(&run->log);
    run->postgres = postgres_create();
    begin_projection(run, BATCH);
}

static void projection_run_deinit(struct projection_run *run) {
    projection_free(run->projection);
    postgres_free(run->postgres);
    memory_log_deinit(&run->log);
}

static int check(struct projection_run *run) {
    char text[POSTGRES_TEXT_BYTES];
    struct memory_log copy = run->log; /* same bytes, a position of its own */
    struct record_source source = memory_log_source(&copy);
    int result = postgres_check(run->postgres, &source, text);
    if (result < 0) print_message("# %s\n", text);
    return result;
}

static struct projection_status status_of(struct projection_run *run) {
    struct projection_status status;
    projection_status_get(run->projection, &status);
    return status;
}

static struct postgres_status applied(const struct projection_run *run) {
    struct postgres_status status;
    postgres_status(run->postgres, &status);
    return status;
}

static int step(struct projection_run *run) {
    int result = projection_step(run->projection);
    if (result == PROJECTION_IDLE) run->now_ms += projection_idle_ms(run->projection);
    if (postgres_failure(run->postgres)) print_message("# %s\n", postgres_failure(run->postgres));
    assert_null(postgres_failure(run->postgres));
    return result;
}

static void restart_projection(struct projection_run *run, uint32_t batch) {
    projection_free(run->projection);
    begin_projection(run, batch);
}

/* Step until everything is applied, comparing all the way. */
static void finish(struct projection_run *run) {
    for (uint32_t steps = 0; status_of(run).applied_lsn < run->log.size; steps++) {
        assert_true(steps < 10000);
        assert_int_not_equal(step(run), PROJECTION_HALTED);
        assert_int_equal(check(run), 0);
    }
    assert_int_equal(step(run), PROJECTION_IDLE);
    assert_int_equal(check(run), 0);
    assert_int_equal(status_of(run).applied_lsn, run->log.size);
    assert_int_equal(status_of(run).decisions, applied(run).decisions);
}

static void everything_once_without_incident(void **state) {
    (void)state;
    struct projection_run run;
    projection_run_init(&run, 1);
    finish(&run);
    struct postgres_status status = applied(&run);
    assert_int_equal(status_of(&run).failures, 0);
    assert_true(status.commits >= 10 && status.rows > 300 && status.rows < status.decisions);
    struct postgres_row first = postgres_row(run.postgres, 0);
    assert_memory_equal(first.record, run.log.bytes, first.size); /* byte for byte */
    assert_int_equal(first.lsn, first.size);
    projection_run_deinit(&run);
}

/* Each fault, at every moment of the first batches at which it can happen. */
static void every_fault_at_every_moment(void **state) {
    (void)state;
    for (uint32_t fault = 0; fault < POSTGRES_FAULT_COUNT; fault++) {
        uint32_t after = 0;
        for (;; after++) {
            struct projection_run run;
            if (after % 40 == 0) printf("# %s after %u\n", postgres_fault_name(fault), after);
            projection_run_init(&run, 2);
            postgres_fault(run.postgres, fault, after);
            finish(&run);
            uint32_t happened = applied(&run).happened[fault];
            assert_true(happened == 0 || status_of(&run).failures > 0);
            projection_run_deinit(&run);
            if (happened == 0 || after == 60) break;
        }
        assert_true(after > 0);
    }
}

static void an_unknown_commit_is_read_again(void **state) {
    (void)state;
    struct projection_run run;
    projection_run_init(&run, 3);
    assert_int_equal(step(&run), PROJECTION_WORKED); /* connected */
    postgres_fault(run.postgres, POSTGRES_FAULT_COMMIT_UNTOLD, 0);
    assert_int_equal(step(&run), PROJECTION_IDLE);
    assert_true(applied(&run).applied_lsn > 0); /* it has, and does not know */
    assert_int_equal(status_of(&run).applied_lsn, 0);
    assert_int_equal(step(&run), PROJECTION_WORKED);
    assert_int_equal(status_of(&run).applied_lsn, applied(&run).applied_lsn);
    finish(&run);
    assert_int_equal(status_of(&run).failures, 1);
    projection_run_deinit(&run);
}

/* The old backend commits only when the new one's guard waits for it: the guard matches no row. */
static void a_late_commit_meets_the_guard(void **state) {
    (void)state;
    struct projection_run run;
    projection_run_init(&run, 4);
    assert_int_equal(step(&run), PROJECTION_WORKED);
    postgres_fault(run.postgres, POSTGRES_FAULT_COMMIT_LATE, 0);
    assert_int_equal(step(&run), PROJECTION_IDLE);
    assert_int_equal(applied(&run).applied_lsn, 0);
    assert_int_equal(step(&run), PROJECTION_WORKED); /* reads 0 */
    assert_int_equal(status_of(&run).applied_lsn, 0);
    assert_int_equal(step(&run), PROJECTION_IDLE);
    assert_non_null(strstr(status_of(&run).text, "committed late"));
    finish(&run);
    assert_int_equal(status_of(&run).failures, 2);
    projection_run_deinit(&run);
}

/* Another run takes over in the middle, through each fault at each moment: it gets to the end, each
 * decision is there once, and the first run stops for good and changes nothing. */
static void a_takeover_through_every_fault(void **state) {
    (void)state;
    for (uint32_t fault = 0; fault < POSTGRES_FAULT_COUNT; fault++) {
        for (uint32_t after = 0; after < 12; after++) {
            struct projection_run run;
            projection_run_init(&run, 7);
            for (uint32_t i = 0; i < 4; i++) assert_int_equal(step(&run), PROJECTION_WORKED);
            struct projection_run other = run; /* another engine on a copy of the log */
            other.source = memory_log_source(&other.log);
            begin_projection(&other, BATCH);
            postgres_fault(run.postgres, fault, after);
            while (applied(&run).run < 2) assert_int_not_equal(step(&other), PROJECTION_HALTED);
            for (int result = PROJECTION_WORKED; result != PROJECTION_HALTED;) result = step(&run);
            assert_true(status_of(&run).taken_over);
            assert_int_equal(applied(&run).run, 2);
            assert_int_equal(check(&run), 0);
            finish(&other);
            projection_free(other.projection);
            projection_run_deinit(&run);
        }
    }
}

static void an_older_schema_is_raised(void **state) {
    (void)state;
    struct projection_run run;
    projection_run_init(&run, 8);
    for (uint32_t i = 0; i < 4; i++) assert_int_equal(step(&run), PROJECTION_WORKED);
    struct sql *sql = NULL;
    char text[SQL_ERROR_BYTES];
    assert_int_equal(sql_open(postgres_conninfo(run.postgres), -1, &sql, text), SQL_OK);
    assert_int_equal(sql_run(sql,
                             "UPDATE usher.projection_state SET schema_version = 1"
                             " WHERE schema_version = 2",
                             NULL, NULL, NULL),
                     SQL_OK);
    sql_close(sql);
    restart_projection(&run, BATCH);
    finish(&run);
    assert_int_equal(applied(&run).run, 2);
    projection_run_deinit(&run);
}

static void a_restored_backup_is_caught_up(void **state) {
    (void)state;
    struct projection_run run;
    projection_run_init(&run, 5);
    for (uint32_t i = 0; i < 8; i++) assert_int_equal(step(&run), PROJECTION_WORKED);
    uint64_t before = applied(&run).applied_lsn;
    assert_int_equal(check(&run), 0);
    assert_int_equal(postgres_restore(run.postgres, 3), 3);
    assert_true(applied(&run).applied_lsn < before && applied(&run).applied_lsn > 0);
    assert_int_equal(check(&run), 0);
    finish(&run);
    assert_true(postgres_restore(run.postgres, 100000) > 10); /* to the empty schema */
    assert_int_equal(applied(&run).applied_lsn, 0);
    assert_int_equal(applied(&run).rows, 0);
    assert_int_equal(step(&run), PROJECTION_IDLE); /* it has nothing to write */
    run.now_ms += PROJECTION_LOOK_MS;
    assert_int_equal(step(&run), PROJECTION_IDLE);   /* and looks: its connection is lost */
    assert_int_equal(step(&run), PROJECTION_WORKED); /* connected */
    assert_int_equal(status_of(&run).applied_lsn, 0);
    finish(&run);
    projection_run_deinit(&run);
}

static void a_server_that_is_down_is_waited_for(void **state) {
    (void)state;
    struct projection_run run;
    projection_run_init(&run, 6);
    for (uint32_t i = 0; i < 3; i++) assert_int_equal(step(&run), PROJECTION_WORKED);
    postgres_stop(run.postgres);
    for (uint32_t i = 0; i < 30; i++) (void)step(&run);
    assert_int_equal(status_of(&run).state, PROJECTION_RETRYING);
    postgres_start(run.postgres);
    finish(&run);
    projection_run_deinit(&run);
}

static void a_slow_server_gets_smaller_batches(void **state) {
    (void)state;
    struct projection_run run;
    projection_run_init(&run, 7);
    postgres_slow(run.postgres, 10);
    finish(&run);
    assert_true(applied(&run).commits > applied(&run).rows / 10);
    projection_run_deinit(&run);
}

/* Refused for good: everything before it is applied, and nothing from it on. */
static void a_refused_decision_stops_right_there(void **state) {
    (void)state;
    struct projection_run run;
    struct source_record record;
    struct source_error error;
    projection_run_init(&run, 8);
    for (uint32_t i = 0; i < 321; i++) {
        assert_int_equal(run.source.next(run.source.context, &record, &error), 0);
    }
    postgres_refuse(run.postgres, record.lsn);
    int result = PROJECTION_IDLE;
    for (uint32_t i = 0; i < 1000 && result != PROJECTION_HALTED; i++) result = step(&run);
    assert_int_equal(result, PROJECTION_HALTED);
    assert_int_equal(status_of(&run).stopped_lsn, record.lsn);
    assert_int_equal(applied(&run).applied_lsn, record.lsn - record.size);
    assert_int_equal(check(&run), 0);
    postgres_heal(run.postgres);
    restart_projection(&run, BATCH);
    finish(&run);
    projection_run_deinit(&run);
}

static void a_log_that_has_lost_decisions_stops_it(void **state) {
    (void)state;
    struct projection_run run;
    projection_run_init(&run, 13);
    finish(&run);
    run.log.limit_lsn = postgres_row(run.postgres, 50).lsn;
    restart_projection(&run, BATCH);
    assert_int_equal(step(&run), PROJECTION_HALTED);
    assert_non_null(strstr(status_of(&run).text, "lost decisions"));
    assert_int_equal(applied(&run).applied_lsn, run.log.size);
    projection_run_deinit(&run);
}

/* One step after another, anything may happen before it: faults, outages, restores, restarts. */
static void random_faults(void **state) {
    (void)state;
    const struct random_seeds seeds = random_seeds(100, 41);
    for (uint64_t seed = seeds.first; seed < seeds.first + seeds.count; seed++) {
        random_tell(seed);
        struct projection_run run;
        struct random random = random_stream(seed, 1);
        projection_run_init(&run, seed);
        for (uint32_t i = 0; i < 300; i++) {
            uint64_t what = random_below(&random, 100);
            if (what < 30) {
                postgres_fault(run.postgres, (uint32_t)random_below(&random, POSTGRES_FAULT_COUNT),
                               (uint32_t)random_below(&random, 12));
            } else if (what < 33) {
                (void)postgres_restore(run.postgres, (uint32_t)random_below(&random, 6));
            } else if (what < 36) {
                postgres_stop(run.postgres);
            } else if (what < 45) {
                postgres_start(run.postgres);
            } else if (what < 48) {
                restart_projection(&run,
                                   (uint32_t)random_between(&random, 1, 300)); /* the engine died */
            }
            if (step(&run) == PROJECTION_HALTED) { /* one decision, refused: the operator's turn */
                postgres_heal(run.postgres);
                restart_projection(&run, BATCH);
            }
            assert_int_equal(check(&run), 0);
        }
        postgres_heal(run.postgres);
        restart_projection(&run, BATCH);
        finish(&run);
        projection_run_deinit(&run);
    }
}

/* --- every kind of decision, whatever its fields say ------------------------------------------ */

static struct random chance;
static char letters[TEXT_BYTES_MAX];

static void fill_u8(uint8_t *field) { *field = (uint8_t)random_next(&chance); }
static void fill_u16(uint16_t *field) { *field = (uint16_t)random_next(&chance); }
static void fill_u32(uint32_t *field) { *field = (uint32_t)random_next(&chance); }
static void fill_u64(uint64_t *field) {
    uint64_t value = random_next(&chance); /* first: C leaves the order to the compiler */
    *field = value >> random_between(&chance, 1, 63);
}
static void fill_id(struct id128 *field) {
    uint64_t halves[2];
    for (int i = 0; i < 2; i++) halves[i] = random_next(&chance);
    if (random_chance(&chance, 200000)) halves[0] = halves[1] = 0; /* none */
    memcpy(field, halves, sizeof *field);
}
static void fill_text(struct text *field) {
    *field = (struct text){letters, (uint8_t)random_below(&chance, sizeof letters + 1)};
}
static void fill_numbers(struct numbers *field) {
    field->count = (uint8_t)random_below(&chance, SEATS_PER_USER_MAX + 1);
    for (uint32_t i = 0; i < field->count; i++) fill_u32(&field->values[i]);
}
static void fill_policy(struct policy *field) {
    for (uint32_t i = 0; i < POLICY_FIELD_COUNT; i++) {
        policy_set(field, i, random_between(&chance, policy_row(i)->min, policy_row(i)->max));
    }
}

static void fill(struct decision *decision, uint32_t kind) {
    const struct id128 *user = NULL;
    *decision = (struct decision){.kind = (uint16_t)kind,
                                  .time_ms = random_below(&chance, TIME_MS_MAX)};
    switch (kind) {
#define FILL(type, field) fill_##type(&body->field);
#define DECISION(number, NAME, name, OWNER)                                                        \
    case DECISION_##NAME: {                                                                        \
        struct decision_##name *body = &decision->name;                                            \
        (void)body;                                                                                \
        FIELDS_##name(FILL) break;                                                                 \
    }
#include "engine/domain/decision.def"
#undef DECISION
#undef FILL
    default: fail();
    }
    /* An account's body begins with its user. */
    if (decision_owner(kind) == OWNER_ACCOUNT) {
        user = &decision->wallet_charged.user;
        decision->partition = partition_of_user(user);
    } else if (decision_owner(kind) == OWNER_DATE) {
        decision->partition = partition_of_date((uint32_t)random_between(&chance, 1, DATES_MAX));
    }
}

static void every_kind_comes_back_as_it_was(void **state) {
    (void)state;
    static const uint16_t kinds[] = {
#define DECISION(number, NAME, name, OWNER) DECISION_##NAME,
#include "engine/domain/decision.def"
#undef DECISION
    };
    const uint32_t count = sizeof kinds / sizeof kinds[0];
    struct projection_run run;
    struct decision decision;
    projection_run_init(&run, 12);
    chance = random_stream(12, 2);
    for (uint32_t i = 0; i < sizeof letters; i++) letters[i] = (char)(' ' + i % 95);
    for (uint32_t i = 0; i < 100 * count; i++) {
        fill(&decision, kinds[i % count]);
        (void)memory_log_append(&run.log, &decision);
    }
    finish(&run);
    projection_run_deinit(&run);
}

/* --- the stand-in sees what must not be ------------------------------------------------------- */

static struct sql *connected(struct projection_run *run) {
    char text[SQL_ERROR_BYTES];
    struct sql *sql = NULL;
    assert_int_equal(sql_open(postgres_conninfo(run->postgres), -1, &sql, text), SQL_OK);
    return sql;
}

static void unknown_statements_are_failures(void **state) {
    (void)state;
    static const char *const unknown[] = {
        "VACUUM",
        "UPDATE usher.seats SET state = 'sold'",
        ("UPDATE usher.projection_state SET applied_lsn = 1, applied_time = 'x',"
         " decisions = decisions + 1, epoch = 1 WHERE applied_lsn = 0"),
        "INSERT INTO usher.concerts (id) VALUES (1)",
        "CREATE TEMPORARY TABLE other (_lsn bigint NOT NULL) ON COMMIT DELETE ROWS",
        "SELECT 1; COMMIT",
    };
    for (uint32_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        struct projection_run run;
        projection_run_init(&run, 9);
        assert_int_equal(step(&run), PROJECTION_WORKED);
        struct sql *sql = connected(&run);
        assert_int_equal(sql_run(sql, unknown[i], NULL, NULL, NULL), SQL_FAILED);
        assert_non_null(strstr(sql_error(sql), "42601"));
        assert_non_null(postgres_failure(run.postgres));
        sql_close(sql);
        projection_run_deinit(&run);
    }
}

/* The applied LSN moved over decisions without their rows, and the other way round. */
static void missing_and_repeated_rows_are_seen(void **state) {
    (void)state;
    static const char guard[] = "BEGIN; UPDATE usher.projection_state SET applied_lsn = %llu,"
                                " applied_time = 'then', decisions = decisions + %llu, epoch = 1,"
                                " batch_lsn = 0, batch_hash = 1 WHERE applied_lsn = %llu"
                                " AND log_id = '%s' AND run_id = '%s'; COMMIT";
    for (uint32_t twice = 0; twice < 2; twice++) {
        struct projection_run run;
        char statements[512];
        projection_run_init(&run, 10);
        for (uint32_t i = 0; i < 4; i++) assert_int_equal(step(&run), PROJECTION_WORKED);
        struct postgres_status status = applied(&run);
        struct postgres_row row = postgres_row(run.postgres, status.rows - 1);
        unsigned long long to = twice ? row.lsn - row.size : run.log.size;
        struct sql *sql = connected(&run);
        snprintf(statements, sizeof statements, guard, to, 0ull,
                 (unsigned long long)status.applied_lsn, status.log_id, status.run_id);
        assert_int_equal(sql_run(sql, statements, NULL, NULL, NULL), SQL_OK);
        assert_int_equal(applied(&run).applied_lsn, to);
        sql_close(sql);
        assert_true(check(&run) < 0);
        projection_run_deinit(&run);
    }
}

static void a_changed_byte_is_seen(void **state) {
    (void)state;
    struct projection_run run;
    projection_run_init(&run, 11);
    for (uint32_t i = 0; i < 4; i++) assert_int_equal(step(&run), PROJECTION_WORKED);
    struct postgres_row row = postgres_row(run.postgres, 40);
    run.log.bytes[row.lsn - 1] ^= 1; /* of the log, which comes to the same */
    assert_true(check(&run) < 0);
    projection_run_deinit(&run);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_once_without_incident),
        cmocka_unit_test(every_fault_at_every_moment),
        cmocka_unit_test(an_unknown_commit_is_read_again),
        cmocka_unit_test(a_late_commit_meets_the_guard),
        cmocka_unit_test(a_takeover_through_every_fault),
        cmocka_unit_test(an_older_schema_is_raised),
        cmocka_unit_test(a_restored_backup_is_caught_up),
        cmocka_unit_test(a_server_that_is_down_is_waited_for),
        cmocka_unit_test(a_slow_server_gets_smaller_batches),
        cmocka_unit_test(a_refused_decision_stops_right_there),
        cmocka_unit_test(a_log_that_has_lost_decisions_stops_it),
        cmocka_unit_test(random_faults),
        cmocka_unit_test(every_kind_comes_back_as_it_was),
        cmocka_unit_test(unknown_statements_are_failures),
        cmocka_unit_test(missing_and_repeated_rows_are_seen),
        cmocka_unit_test(a_changed_byte_is_seen),
    };
    return cmocka_run_group_tests_name("stand-in for PostgreSQL", tests, NULL, NULL);
}
