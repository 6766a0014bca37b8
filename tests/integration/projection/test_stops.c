/* test_stops.c - what cannot be projected stops it, at that LSN, with an alarm, and nothing after
 *
 * Every log here is sound up to a bad record, and goes on after it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "replay/postgres/projection_offline.h"
#include "tests/integration/projection/projection_fixture.h"

static struct projection_fixture *fixture;

static const char applied_sql[] = "SELECT applied_lsn FROM usher.projection_state";

static struct decision date_decision(uint16_t kind) {
    return (struct decision){
        .kind = kind, .partition = partition_of_date(1), .time_ms = fixture->history.now_ms};
}

/* A seat that somebody has, held by somebody else. */
static struct decision second_owner(void) {
    struct decision decision = date_decision(DECISION_SEATS_HELD);
    uint64_t seat = projection_fixture_number(
        fixture, "SELECT min(date::bigint << 32 | seat)"
                 " FROM usher.reservation_seats WHERE freed_at IS NULL");
    assert_int_not_equal(seat, 0);
    decision.partition = partition_of_date(dated_id_date(seat));
    decision.seats_held = (struct decision_seats_held){
        .reservation = 900000,
        .place = 1,
        .user = random_history_user(0),
        .seats = {.count = 1, .values = {dated_id_sequence(seat)}},
        .expires_at = decision.time_ms + 1000,
    };
    return decision;
}

static struct decision place_twice(void) {
    struct decision decision = date_decision(DECISION_QUEUE_ENTERED);
    decision.queue_entered = (struct decision_queue_entered){.place = 1,
                                                             .user = random_history_user(1)};
    return decision;
}

static struct decision nobody_admitted(void) {
    struct decision decision = date_decision(DECISION_ADMITTED);
    decision.admitted = (struct decision_admitted){.place = 999999, .expires_at = decision.time_ms};
    return decision;
}

static struct decision nothing_sold(void) {
    struct decision decision = date_decision(DECISION_SEATS_SOLD);
    decision.seats_sold = (struct decision_seats_sold){.payment = 99999, .reservation = 99999};
    return decision;
}

static struct decision points_from_nowhere(void) {
    struct id128 user = random_history_user(3);
    struct decision decision = {.kind = DECISION_WALLET_CHARGED,
                                .partition = partition_of_user(&user),
                                .time_ms = fixture->history.now_ms};
    decision.wallet_charged = (struct decision_wallet_charged){
        .user = user, .amount = 10, .balance = 1000000};
    return decision;
}

static struct decision seat_of_no_date(void) {
    struct decision decision = date_decision(DECISION_SEAT_ADDED);
    decision.partition = partition_of_date(77);
    decision.seat_added = (struct decision_seat_added){.number = 1};
    return decision;
}

static struct decision date_twice(void) {
    struct decision decision = {.kind = DECISION_DATE_CREATED,
                                .partition = PARTITION_CATALOGUE,
                                .time_ms = fixture->history.now_ms};
    decision.date_created = (struct decision_date_created){.date = 1, .concert = 1};
    policy_default(&decision.date_created.policy);
    return decision;
}

static struct decision decided_by_the_wrong_partition(void) {
    struct decision decision = place_twice();
    decision.partition = PARTITION_ACCOUNT_FIRST;
    return decision;
}

static struct decision number_out_of_range(void) {
    struct decision decision = nobody_admitted();
    decision.admitted.expires_at = UINT64_MAX;
    return decision;
}

/* Project up to the bad record and see that it ends there, in whatever batch it comes. */
static void expect_stop(uint32_t batch_records, uint64_t before_lsn, uint64_t bad_lsn,
                        const char *named, const char *contents_before) {
    char contents[CONTENTS_BYTES];
    struct projection_options options = projection_fixture_options(fixture, batch_records);
    struct projection *projection = projection_create(&options);
    struct projection_status status;
    fixture->alarms = 0;
    assert_int_equal(projection_fixture_run(fixture, projection), PROJECTION_HALTED);
    assert_int_equal(projection_step(projection), PROJECTION_HALTED); /* it stays stopped */
    projection_status_get(projection, &status);
    projection_free(projection);
    assert_int_equal(status.state, PROJECTION_STOPPED);
    assert_int_equal(status.stopped_lsn, bad_lsn);
    assert_int_equal(status.applied_lsn, before_lsn);
    assert_int_equal(fixture->alarms, 1);
    assert_int_equal(fixture->alarmed.stopped_lsn, bad_lsn);
    if (!strstr(status.text, named)) print_message("# %s\n", status.text);
    assert_non_null(strstr(status.text, named));
    projection_fixture_contents(fixture, contents);
    assert_string_equal(contents, contents_before);
}

static void a_decision_that_breaks_a_rule(void **state) {
    (void)state;
    static const struct {
        struct decision (*make)(void);
        const char *named;
    } cases[] = {
        {second_owner, "reservation_seats_one_live_owner"},
        {place_twice, "queue_entered of date/1"},
        {nobody_admitted, "admitted of date/1"},
        {nothing_sold, "seats_sold of date/1"},
        {points_from_nowhere, "points_conserved"},
        {seat_of_no_date, "seat_added of date/77"},
        {date_twice, "date_created of catalogue"},
        {decided_by_the_wrong_partition, "wrong partition"},
        {number_out_of_range, "out of range"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char before[CONTENTS_BYTES];
        projection_fixture_begin(fixture, 3, 800);
        projection_fixture_project(fixture, 0, before);
        uint64_t before_lsn = fixture->log.size;
        struct decision bad = cases[i].make();
        uint64_t bad_lsn = memory_log_append(&fixture->log, &bad);
        struct decision good = date_decision(DECISION_DATE_CLOSED);
        for (int j = 0; j < 20; j++) (void)memory_log_append(&fixture->log, &good);
        expect_stop(0, before_lsn, bad_lsn, cases[i].named, before);
        projection_fixture_drop(fixture);
        expect_stop(300, before_lsn, bad_lsn, cases[i].named, before); /* not at a batch's start */
        projection_fixture_end(fixture);
    }
}

static void a_record_of_a_newer_usher(void **state) {
    (void)state;
    char before[CONTENTS_BYTES];
    uint8_t bytes[RECORD_BYTES_MAX];
    projection_fixture_begin(fixture, 5, 800);
    projection_fixture_project(fixture, 0, before);
    uint64_t before_lsn = fixture->log.size;
    struct decision decision = date_decision(DECISION_DATE_CLOSED);
    uint32_t size = decision_encode(&decision, bytes);
    bytes[4] = 0xE7; /* kind 999 */
    bytes[5] = 0x03;
    uint64_t bad_lsn = memory_log_append_bytes(&fixture->log, bytes, size);
    (void)memory_log_append(&fixture->log, &decision);
    projection_fixture_drop(fixture);
    expect_stop(0, before_lsn, bad_lsn, "newer usher", before);
    projection_fixture_end(fixture);
}

static void a_source_that_fails(void **state) {
    (void)state;
    char contents[CONTENTS_BYTES];
    projection_fixture_begin(fixture, 5, 800);
    fixture->log.fails_at = fixture->log.size / 2;
    struct projection_options options = projection_fixture_options(fixture, 0);
    struct projection *projection = projection_create(&options);
    struct projection_status status;
    assert_int_equal(projection_fixture_run(fixture, projection), PROJECTION_HALTED);
    projection_status_get(projection, &status);
    projection_free(projection);
    assert_non_null(strstr(status.text, "the disk fell off"));
    assert_true(status.applied_lsn >= fixture->log.fails_at); /* what was read is applied */
    assert_int_equal(fixture->alarms, 1);
    projection_fixture_contents(fixture, contents);
    projection_fixture_end(fixture);
}

static void postgres_knows_more_than_the_log(void **state) {
    (void)state;
    char contents[CONTENTS_BYTES], text[PROJECTION_TEXT_BYTES];
    uint64_t lsn = 0, size;
    projection_fixture_begin(fixture, 5, 800);
    struct projection_options options = projection_fixture_options(fixture, 0);
    assert_int_equal(projection_applied_lsn(options.conninfo, &options.log_id, &lsn, text),
                     PROJECTION_NONE);
    projection_fixture_project(fixture, 0, contents);
    assert_int_equal(projection_applied_lsn(options.conninfo, &options.log_id, &lsn, text),
                     PROJECTION_FOUND);
    assert_int_equal(lsn, fixture->log.size); /* the witness of the log's recovery */

    size = fixture->log.size;
    fixture->log.size = size / 2;
    struct projection *projection = projection_create(&options);
    struct projection_status status;
    assert_int_equal(projection_fixture_run(fixture, projection), PROJECTION_HALTED);
    projection_status_get(projection, &status);
    projection_free(projection);
    assert_non_null(strstr(status.text, "has lost decisions"));
    assert_int_equal(fixture->alarms, 1);
    assert_int_equal(projection_fixture_number(fixture, applied_sql),
                     size); /* nothing was changed */
    projection_fixture_end(fixture);
}

/* A log that was repaired gives LSNs out again, in a later epoch. */
static void postgres_knows_another_history(void **state) {
    (void)state;
    char before[CONTENTS_BYTES], after[CONTENTS_BYTES];
    struct projection_status status;
    projection_fixture_begin(fixture, 5, 800);
    projection_fixture_project(fixture, 0, before); /* in epoch 1 */
    struct projection_options options = projection_fixture_options(fixture, 0);
    options.epoch = 3;
    fixture->log.epoch = 1;
    fixture->source = memory_log_source(&fixture->log);
    assert_int_equal(projection_catch_up(&options, NULL, NULL, &status), 0);

    fixture->log.epoch = 2;
    assert_int_equal(projection_catch_up(&options, NULL, NULL, &status), -1);
    assert_int_equal(status.state, PROJECTION_STOPPED);
    assert_non_null(strstr(status.text, "Rebuild the projection"));
    projection_fixture_contents(fixture, after);
    assert_string_equal(after, before);
    assert_int_equal(projection_rebuild(&options, NULL, NULL, &status), 0); /* as advised */
    assert_int_equal(projection_catch_up(&options, NULL, NULL, &status), 0);
    assert_int_equal(projection_fixture_number(fixture, applied_sql), fixture->log.size);
    projection_fixture_end(fixture);
}

static void another_log_and_another_version(void **state) {
    (void)state;
    char before[CONTENTS_BYTES], after[CONTENTS_BYTES], text[PROJECTION_TEXT_BYTES];
    struct projection_status status;
    uint64_t lsn = 42;
    projection_fixture_begin(fixture, 5, 800);
    projection_fixture_project(fixture, 0, before);
    struct projection_options options = projection_fixture_options(fixture, 0);
    options.log_id = (struct id128){{0x0B, 0xAD}};
    assert_int_equal(projection_applied_lsn(options.conninfo, &options.log_id, &lsn, text),
                     PROJECTION_OTHER_LOG);
    assert_int_equal(lsn, 42);
    assert_non_null(strstr(text, "belongs to the log"));
    assert_int_equal(projection_catch_up(&options, NULL, NULL, &status), -1);
    assert_int_equal(status.state, PROJECTION_STOPPED);
    assert_non_null(strstr(status.text, "belongs to the log"));
    projection_fixture_contents(fixture, after);
    assert_string_equal(after, before);

    projection_fixture_sql(fixture, "UPDATE usher.projection_state SET schema_version = 4711");
    options = projection_fixture_options(fixture, 0);
    assert_int_equal(projection_catch_up(&options, NULL, NULL, &status), -1);
    assert_non_null(strstr(status.text, "version 4711"));
    /* What the text advises helps. */
    assert_int_equal(projection_rebuild(&options, NULL, NULL, &status), 0);
    projection_fixture_contents(fixture, after);
    assert_string_equal(after, before);
    projection_fixture_end(fixture);
}

/* Missing permissions, a missing table: an operator can mend it while we wait. */
static void what_may_pass_is_retried(void **state) {
    (void)state;
    char expected[CONTENTS_BYTES], contents[CONTENTS_BYTES];
    projection_fixture_begin(fixture, 6, 800);
    projection_fixture_project(fixture, 0, expected);
    projection_fixture_drop(fixture);
    struct projection_options options = projection_fixture_options(fixture, 0);
    struct projection *projection = projection_create(&options);
    struct projection_status status;
    assert_int_equal(projection_step(projection), PROJECTION_WORKED);
    projection_fixture_sql(fixture, "ALTER TABLE usher.refusals RENAME TO mislaid");
    uint32_t idle_ms = 0;
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_not_equal(projection_step(projection), PROJECTION_HALTED);
        idle_ms = projection_idle_ms(projection);
        fixture->now_ms += idle_ms;
    }
    projection_status_get(projection, &status);
    assert_int_equal(status.applied_lsn, 0);
    assert_non_null(strstr(status.text, "refusals"));
    assert_int_equal(fixture->alarms, 0);
    assert_true(status.failures >= 5);
    projection_fixture_sql(fixture, "ALTER TABLE usher.mislaid RENAME TO refusals");
    fixture->now_ms += PROJECTION_RETRY_MS_MAX;
    assert_int_equal(projection_fixture_run(fixture, projection), PROJECTION_IDLE);
    projection_free(projection);
    projection_fixture_contents(fixture, contents);
    assert_string_equal(contents, expected);
    projection_fixture_end(fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_decision_that_breaks_a_rule),
        cmocka_unit_test(a_record_of_a_newer_usher),
        cmocka_unit_test(a_source_that_fails),
        cmocka_unit_test(postgres_knows_more_than_the_log),
        cmocka_unit_test(postgres_knows_another_history),
        cmocka_unit_test(another_log_and_another_version),
        cmocka_unit_test(what_may_pass_is_retried),
    };
    if (!postgres_fixture_available()) {
        printf("1..0 # SKIP no PostgreSQL server here\n");
        return 0;
    }
    fixture = projection_fixture_create();
    int failed = cmocka_run_group_tests_name("projection stops", tests, NULL, NULL);
    projection_fixture_free(fixture);
    return failed;
}
