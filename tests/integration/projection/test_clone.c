/* test_clone.c - two engines that believe they are one, on one database
 *
 * A clone is a copy of the log up to some LSN, and a projection with a run id of its own. Both logs
 * have the same id. Each then charges wallets of its own users, so that a row says whose it is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/require.h"
#include "replay/postgres/projection_offline.h"
#include "replay/tell/text.h"
#include "tests/integration/projection/projection_fixture.h"

#define SEED 41
#define REQUESTS 300u
#define ORIGINAL_USER 1000u
#define CLONE_USER 2000u

static struct projection_fixture *fixture;

/* One engine, as far as the projection sees it. */
struct engine_stage {
    struct memory_log log;
    struct record_source source;
    struct projection_options options;
    struct projection *projection;
    uint32_t alarms;
    struct projection_status alarmed;
};

static struct engine_stage original, clone;

static void alarm_rings(void *context, const struct projection_status *status) {
    struct engine_stage *engine = context;
    engine->alarms++;
    engine->alarmed = *status;
}

/* A run begins, on a log that is there. */
static void engine_starts(struct engine_stage *engine, const char *place) {
    engine->source = memory_log_source(&engine->log);
    engine->options = projection_fixture_options(fixture, 0);
    engine->options.source = &engine->source;
    engine->options.run_by = place;
    engine->options.alarm = alarm_rings;
    engine->options.alarm_context = engine;
    engine->alarms = 0;
    engine->projection = projection_create(&engine->options);
}

static void copy_log(const struct memory_log *from, struct memory_log *to) {
    memory_log_init(to);
    (void)memory_log_append_bytes(to, from->bytes, (uint32_t)from->size);
    to->epoch = from->epoch;
}

/* The database is empty; the original has projected all it has. */
static void begin(void) {
    projection_fixture_begin(fixture, SEED, REQUESTS);
    original = clone = (struct engine_stage){0};
    copy_log(&fixture->log, &original.log);
    original.log.epoch = 1;
    engine_starts(&original, "here:/original");
    assert_int_equal(projection_fixture_run(fixture, original.projection), PROJECTION_IDLE);
}

static void end(void) {
    projection_free(original.projection);
    projection_free(clone.projection);
    memory_log_deinit(&original.log);
    memory_log_deinit(&clone.log);
    projection_fixture_end(fixture);
}

static void clone_starts(void) {
    copy_log(&original.log, &clone.log);
    engine_starts(&clone, "there:/clone");
}

/* Each charge takes as many bytes as any other. */
static void charge(struct engine_stage *engine, uint32_t user) {
    struct decision decision = {.kind = DECISION_WALLET_CHARGED,
                                .time_ms = fixture->history.now_ms + user};
    decision.wallet_charged = (struct decision_wallet_charged){
        .user = random_history_user(user), .amount = 5, .balance = 5};
    decision.partition = partition_of_user(&decision.wallet_charged.user);
    (void)memory_log_append(&engine->log, &decision);
}

static struct projection_status status_of(const struct engine_stage *engine) {
    struct projection_status status;
    projection_status_get(engine->projection, &status);
    return status;
}

static int runs(struct engine_stage *engine) {
    return projection_fixture_run(fixture, engine->projection);
}

static uint64_t wallets_of(uint32_t user) {
    char query[160], uuid[TEXT_UUID_BYTES];
    struct id128 id = random_history_user(user);
    text_uuid(&id, uuid);
    snprintf(query, sizeof query, "SELECT count(*) FROM usher.wallets WHERE user_id = '%s'", uuid);
    return projection_fixture_number(fixture, query);
}

static uint64_t run_number(void) {
    return projection_fixture_number(fixture, "SELECT run FROM usher.projection_state");
}

static void assert_says(const char *text, const char *wanted) {
    if (!strstr(text, wanted)) fail_msg("\"%s\" is not in: %s", wanted, text);
}

/* It has stopped, once and for good, and whatever it does changes nothing. */
static void assert_lost(struct engine_stage *engine, const char *to) {
    char before[CONTENTS_BYTES], after[CONTENTS_BYTES];
    struct projection_status status = status_of(engine);
    assert_int_equal(status.state, PROJECTION_STOPPED);
    assert_true(status.taken_over);
    assert_int_equal(engine->alarms, 1);
    assert_true(engine->alarmed.taken_over);
    assert_says(engine->alarmed.text, "another engine has taken this database over");
    assert_says(engine->alarmed.text, to);
    uint64_t run = run_number();
    projection_fixture_contents(fixture, before);
    charge(engine, ORIGINAL_USER + 500);
    for (int i = 0; i < 3; i++) {
        fixture->now_ms += PROJECTION_RETRY_MS_MAX;
        assert_int_equal(projection_step(engine->projection), PROJECTION_HALTED);
    }
    projection_fixture_contents(fixture, after);
    assert_string_equal(before, after);
    assert_int_equal(run_number(), run);
    assert_int_equal(engine->alarms, 1);
}

/* --- a clone beside its original -------------------------------------------------------------- */

static void a_clone_takes_over_and_the_original_stops(void **state) {
    (void)state;
    begin();
    clone_starts();
    assert_int_equal(run_number(), 1);
    charge(&clone, CLONE_USER);
    assert_int_equal(runs(&clone), PROJECTION_IDLE);
    assert_int_equal(run_number(), 2);
    charge(&original, ORIGINAL_USER);
    assert_int_equal(runs(&original), PROJECTION_HALTED);
    assert_lost(&original, "there:/clone");
    assert_int_equal(wallets_of(ORIGINAL_USER), 0);
    for (uint32_t i = 1; i < 4; i++) { /* and they never take turns */
        charge(&clone, CLONE_USER + i);
        assert_int_equal(runs(&clone), PROJECTION_IDLE);
        assert_int_equal(wallets_of(CLONE_USER + i), 1);
    }
    assert_int_equal(clone.alarms, 0);
    end();
}

/* The clone has written nothing yet, so the applied LSN is still the original's: the run id
 * tells. */
static void who_lost_it_writes_no_row_more(void **state) {
    (void)state;
    begin();
    clone_starts();
    assert_int_equal(runs(&clone), PROJECTION_IDLE);
    charge(&original, ORIGINAL_USER);
    assert_int_equal(runs(&original), PROJECTION_HALTED);
    assert_lost(&original, "there:/clone");
    assert_int_equal(wallets_of(ORIGINAL_USER), 0);
    end();
}

/* The other direction: the original is restarted, and it is the clone that stops. */
static void a_restart_takes_over_again(void **state) {
    (void)state;
    begin();
    clone_starts();
    assert_int_equal(runs(&clone), PROJECTION_IDLE); /* it has decided nothing yet */
    assert_int_equal(run_number(), 2);
    projection_free(original.projection);
    engine_starts(&original, "here:/original");
    charge(&original, ORIGINAL_USER);
    assert_int_equal(runs(&original), PROJECTION_IDLE);
    assert_int_equal(run_number(), 3);
    charge(&clone, CLONE_USER);
    assert_int_equal(runs(&clone), PROJECTION_HALTED);
    assert_lost(&clone, "here:/original");
    assert_int_equal(wallets_of(ORIGINAL_USER), 1);
    assert_int_equal(wallets_of(CLONE_USER), 0);
    end();
}

/* Who has nothing to write finds out all the same. */
static void an_idle_engine_looks(void **state) {
    (void)state;
    begin();
    clone_starts();
    assert_int_equal(runs(&clone), PROJECTION_IDLE);
    assert_int_equal(runs(&original), PROJECTION_IDLE); /* not yet */
    fixture->now_ms += PROJECTION_LOOK_MS;
    assert_int_equal(runs(&original), PROJECTION_HALTED);
    assert_lost(&original, "there:/clone");
    fixture->now_ms += PROJECTION_LOOK_MS;
    assert_int_equal(runs(&clone), PROJECTION_IDLE);
    assert_int_equal(status_of(&clone).failures, 0);
    end();
}

/* --- a clone that comes too late -------------------------------------------------------------- */

static void a_clone_that_is_behind_is_refused(void **state) {
    (void)state;
    uint64_t lsn = 0;
    char who[PROJECTION_TEXT_BYTES];
    begin();
    clone_starts();
    charge(&original, ORIGINAL_USER);
    assert_int_equal(runs(&original), PROJECTION_IDLE);
    assert_int_equal(runs(&clone), PROJECTION_HALTED);
    assert_false(status_of(&clone).taken_over);
    assert_says(clone.alarmed.text, "the log ends at");
    assert_says(clone.alarmed.text, "two engines believe that they are one");
    assert_says(clone.alarmed.text, "here:/original");
    /* The daemon asks before: it learns who. */
    assert_int_equal(
        projection_applied_lsn(clone.options.conninfo, &clone.options.log_id, &lsn, who),
        PROJECTION_FOUND);
    assert_int_equal(lsn, original.log.size);
    assert_says(who, "here:/original");
    charge(&original, ORIGINAL_USER + 1);
    assert_int_equal(runs(&original), PROJECTION_IDLE);
    assert_int_equal(run_number(), 1);
    end();
}

/* It has decided as much, but not the same: nothing but the hash of the last batch tells. */
static void a_clone_with_other_decisions_is_refused(void **state) {
    (void)state;
    for (uint32_t more = 0; more < 2; more++) {
        begin();
        clone_starts();
        charge(&original, ORIGINAL_USER);
        assert_int_equal(runs(&original), PROJECTION_IDLE);
        charge(&clone, CLONE_USER);
        if (more) charge(&clone, CLONE_USER + 1);
        assert_int_equal(clone.log.size > original.log.size, more);
        assert_int_equal(runs(&clone), PROJECTION_HALTED);
        assert_says(clone.alarmed.text, "others than in this log");
        assert_says(clone.alarmed.text, "two engines believe that they are one");
        assert_says(clone.alarmed.text, "here:/original");
        assert_int_equal(status_of(&clone).applied_lsn, 0); /* nothing of this log may be deleted */
        charge(&original, ORIGINAL_USER + 1);
        assert_int_equal(runs(&original), PROJECTION_IDLE);
        assert_int_equal(original.alarms, 0);
        assert_int_equal(wallets_of(ORIGINAL_USER + 1), 1);
        assert_int_equal(wallets_of(CLONE_USER), 0);
        assert_int_equal(run_number(), 1);
        end();
    }
}

/* The clone has projected; the original's log is sound, and is not called damaged alone. */
static void the_original_is_not_called_damaged(void **state) {
    (void)state;
    begin();
    clone_starts();
    charge(&clone, CLONE_USER);
    assert_int_equal(runs(&clone), PROJECTION_IDLE);
    projection_free(original.projection);
    engine_starts(&original, "here:/original");
    assert_int_equal(runs(&original), PROJECTION_HALTED);
    assert_says(original.alarmed.text, "there:/clone");
    assert_says(original.alarmed.text, "Then no log is damaged");
    /* As advised: the wrong one is stopped, the database is made anew from the right one. */
    struct projection_status status;
    projection_free(clone.projection);
    clone.projection = NULL;
    charge(&original, ORIGINAL_USER);
    original.options = projection_fixture_options(fixture, 0);
    original.options.source = &original.source;
    assert_int_equal(projection_rebuild(&original.options, NULL, NULL, &status), 0);
    assert_int_equal(wallets_of(ORIGINAL_USER), 1);
    assert_int_equal(wallets_of(CLONE_USER), 0);
    end();
}

/* --- at the same moment ----------------------------------------------------------------------- */

/* What a clone does while the original's batch is written and not yet committed. */
static bool clone_comes_in_between(void *context, enum projection_point point) {
    uint32_t *times = context;
    struct sql *sql;
    char text[SQL_ERROR_BYTES], statement[320];
    uint64_t rows = 7;
    if (point != PROJECTION_POINT_COPIED || (*times)++ > 0) return false;
    /* The take-over of a clone; it gets the row's lock after the original's COMMIT, or never. */
    REQUIRE(sql_open(fixture->postgres.conninfo, -1, &sql, text) == SQL_OK);
    snprintf(statement, sizeof statement,
             "SET lock_timeout = '50ms'; UPDATE usher.projection_state SET run = run + 1,"
             " run_id = '00000000-0000-0000-0000-000000000077' WHERE run > 0");
    REQUIRE(sql_run(sql, statement, NULL, NULL, &rows) != SQL_OK); /* it waits in vain */
    sql_close(sql);
    return false;
}

static void a_batch_under_way_is_not_cut_off(void **state) {
    (void)state;
    uint32_t times = 0;
    begin();
    projection_free(original.projection);
    engine_starts(&original, "here:/original");
    original.options.fault = clone_comes_in_between;
    original.options.fault_context = &times;
    projection_free(original.projection);
    original.projection = projection_create(&original.options);
    charge(&original, ORIGINAL_USER);
    assert_int_equal(runs(&original), PROJECTION_IDLE);
    assert_int_equal(times, 1);
    assert_int_equal(wallets_of(ORIGINAL_USER), 1);
    end();
}

/* The answer to the takeover was lost: the run id says that it took place. */
static void a_takeover_that_nobody_was_told_of(void **state) {
    (void)state;
    char statement[256], uuid[TEXT_UUID_BYTES];
    begin();
    clone_starts();
    text_uuid(&clone.options.run_id, uuid);
    snprintf(statement, sizeof statement,
             "UPDATE usher.projection_state SET run = 2, run_id = '%s'", uuid);
    projection_fixture_sql(fixture, statement);
    charge(&clone, CLONE_USER);
    assert_int_equal(runs(&clone), PROJECTION_IDLE);
    assert_int_equal(run_number(), 2);
    assert_int_equal(status_of(&clone).run, 2);
    assert_int_equal(wallets_of(CLONE_USER), 1);
    end();
}

/* --- what is no takeover ---------------------------------------------------------------------- */

static void a_restored_backup_is_taken_again(void **state) {
    (void)state;
    static const char *const backups[] = {
        "UPDATE usher.projection_state SET run = 1, run_id = "
        "'00000000-0000-0000-0000-00000000000b'",
        "DROP SCHEMA usher CASCADE",
    };
    for (size_t i = 0; i < sizeof backups / sizeof backups[0]; i++) {
        begin();
        projection_free(original.projection);
        engine_starts(&original, "here:/original");
        assert_int_equal(runs(&original), PROJECTION_IDLE); /* run 2 */
        projection_fixture_sql(fixture, backups[i]);
        charge(&original, ORIGINAL_USER);
        assert_int_equal(runs(&original), PROJECTION_IDLE);
        assert_int_equal(original.alarms, 0);
        assert_int_equal(wallets_of(ORIGINAL_USER), 1);
        assert_int_equal(status_of(&original).run, run_number());
        end();
    }
}

/* A clone that still runs does not take the rebuilt schema for a backup. */
static void a_rebuild_cuts_everybody_off(void **state) {
    (void)state;
    struct projection_status status;
    begin();
    clone_starts();
    assert_int_equal(runs(&clone), PROJECTION_IDLE);
    struct projection_options options = original.options;
    options.run_id.bytes[0] = 0x99;
    options.run_by = "here:/rebuild";
    assert_int_equal(projection_rebuild(&options, NULL, NULL, &status), 0);
    assert_int_equal(run_number(), 3);
    charge(&clone, CLONE_USER);
    assert_int_equal(runs(&clone), PROJECTION_HALTED);
    assert_lost(&clone, "here:/rebuild");
    end();
}

/* --- older schemas ---------------------------------------------------------------------------- */

static const char to_version_1[] =
    "ALTER TABLE usher.projection_state DROP COLUMN run, DROP COLUMN run_id, DROP COLUMN run_by,"
    " DROP COLUMN batch_lsn, DROP COLUMN batch_hash;"
    "UPDATE usher.projection_state SET schema_version = 1";

static uint64_t version(void) {
    return projection_fixture_number(fixture, "SELECT schema_version FROM usher.projection_state");
}

static void version_1_is_raised(void **state) {
    (void)state;
    char before[CONTENTS_BYTES], after[CONTENTS_BYTES], text[PROJECTION_TEXT_BYTES];
    uint64_t lsn = 0;
    begin();
    projection_fixture_contents(fixture, before);
    projection_fixture_sql(fixture, to_version_1);
    projection_free(original.projection);
    engine_starts(&original, "here:/original");
    assert_int_equal(
        projection_applied_lsn(original.options.conninfo, &original.options.log_id, &lsn, text),
        PROJECTION_FOUND);
    assert_int_equal(lsn, original.log.size);
    assert_int_equal(version(), 1); /* who asks changes nothing */
    assert_int_equal(runs(&original), PROJECTION_IDLE);
    assert_int_equal(version(), 2);
    assert_int_equal(run_number(), 1);
    projection_fixture_contents(fixture, after);
    assert_string_equal(before, after);
    charge(&original, ORIGINAL_USER);
    assert_int_equal(runs(&original), PROJECTION_IDLE);
    assert_int_equal(wallets_of(ORIGINAL_USER), 1);
    end();
}

static void version_1_of_another_log_is_left_alone(void **state) {
    (void)state;
    begin();
    projection_fixture_sql(fixture, to_version_1);
    projection_free(original.projection);
    original.options.log_id = (struct id128){{0x0B, 0xAD}};
    original.projection = projection_create(&original.options);
    assert_int_equal(runs(&original), PROJECTION_HALTED);
    assert_says(original.alarmed.text, "belongs to the log");
    assert_int_equal(version(), 1);
    end();
}

/* --- what cannot be compared ------------------------------------------------------------------ */

static struct record_source whole;
static uint64_t first_lsn;

static int seek_in_what_is_left(void *context, uint64_t lsn, struct source_error *ret_error) {
    if (lsn >= first_lsn) return whole.seek(context, lsn, ret_error);
    snprintf(ret_error->text, sizeof ret_error->text, "the log begins later");
    return -1;
}

/* The beginning of the log was deleted, and the last batch began there. */
static void a_log_without_its_beginning_goes_on(void **state) {
    (void)state;
    begin();
    projection_free(original.projection);
    engine_starts(&original, "here:/original");
    whole = original.source;
    first_lsn = original.log.size;
    original.source.seek = seek_in_what_is_left;
    charge(&original, ORIGINAL_USER);
    assert_int_equal(runs(&original), PROJECTION_IDLE);
    assert_int_equal(wallets_of(ORIGINAL_USER), 1);
    end();
}

/* Names of folders are anybody's. */
static void an_odd_place_does_no_harm(void **state) {
    (void)state;
    begin();
    projection_free(original.projection);
    engine_starts(&original, "x:/o'brien\\'; DROP SCHEMA usher CASCADE; --\n");
    assert_int_equal(runs(&original), PROJECTION_IDLE);
    assert_int_equal(run_number(), 2);
    assert_int_equal(projection_fixture_number(
                         fixture, "SELECT count(*) FROM usher.projection_state WHERE run_by ="
                                  " 'x:/o?brien??; DROP SCHEMA usher CASCADE; --?'"),
                     1);
    end();
}

/* What a database says of itself is anybody's, too: somebody has changed the table. */
static void an_odd_database_does_no_harm(void **state) {
    (void)state;
    begin();
    projection_free(original.projection);
    projection_fixture_sql(fixture, "ALTER TABLE usher.projection_state ALTER run_id TYPE text;"
                                    "UPDATE usher.projection_state SET run_id ="
                                    " $$o'brien'; DROP SCHEMA usher CASCADE; --$$");
    engine_starts(&original, "here:/original");
    for (uint32_t i = 0; i < 3; i++) {
        fixture->now_ms += projection_idle_ms(original.projection);
        assert_int_equal(projection_step(original.projection), PROJECTION_IDLE);
    }
    assert_int_equal(status_of(&original).state, PROJECTION_RETRYING);
    assert_int_equal(run_number(), 1);
    projection_fixture_sql(fixture, "UPDATE usher.projection_state SET run_id = NULL;"
                                    "ALTER TABLE usher.projection_state"
                                    " ALTER run_id TYPE uuid USING run_id::uuid");
    assert_int_equal(runs(&original), PROJECTION_IDLE);
    assert_int_equal(run_number(), 2);
    end();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clone_takes_over_and_the_original_stops),
        cmocka_unit_test(who_lost_it_writes_no_row_more),
        cmocka_unit_test(a_restart_takes_over_again),
        cmocka_unit_test(an_idle_engine_looks),
        cmocka_unit_test(a_clone_that_is_behind_is_refused),
        cmocka_unit_test(a_clone_with_other_decisions_is_refused),
        cmocka_unit_test(the_original_is_not_called_damaged),
        cmocka_unit_test(a_batch_under_way_is_not_cut_off),
        cmocka_unit_test(a_takeover_that_nobody_was_told_of),
        cmocka_unit_test(a_restored_backup_is_taken_again),
        cmocka_unit_test(a_rebuild_cuts_everybody_off),
        cmocka_unit_test(version_1_is_raised),
        cmocka_unit_test(version_1_of_another_log_is_left_alone),
        cmocka_unit_test(a_log_without_its_beginning_goes_on),
        cmocka_unit_test(an_odd_place_does_no_harm),
        cmocka_unit_test(an_odd_database_does_no_harm),
    };
    if (!postgres_fixture_available()) {
        printf("1..0 # SKIP no PostgreSQL 15 here\n");
        return 0;
    }
    fixture = projection_fixture_create();
    int failed = cmocka_run_group_tests_name("projection clone", tests, NULL, NULL);
    projection_fixture_free(fixture);
    return failed;
}
