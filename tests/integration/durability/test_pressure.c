/* test_pressure.c - full queues: the log's buffer, a shard's mailbox
 *
 * The buffer is full: the shard pauses, nobody is told anything, and all of it goes on when there
 * is room again; if the power fails instead, nothing of it was ever told. The mailbox is full:
 * BUSY, at once, with the time after which to ask again, and nothing was done.
 */
#include "tests/integration/durability/durability_fixture.h"

#include <string.h>

#include "net/protocol/limits.h"
#include "tests/oracle/oracle_engine.h"

#define BUFFER_BYTES (256u * 1024u)
#define TEXT_BYTES 250u
#define SEATS_PER_CALL 64u
#define CALLS 12u /* about 65 KiB of decisions each: far more than buffer and two blocks */

struct pressure {
    struct engine_fixture *fixture;
    uint32_t date;
    struct fan zoe; /* wallet on shard 0, the date is on shard 1 */
    uint64_t encoded, released;
};

static struct pressure open_pressure(void **state) {
    struct pressure pressure = {
        .fixture = fixture_open(&(struct fixture_options){.shards = 2,
                                                          .by_hand = true,
                                                          .segment_bytes = 128u * 1024u,
                                                          .buffer_bytes = BUFFER_BYTES})};
    *state = pressure.fixture;
    pressure.date = date_of(pressure.fixture, concert_of(pressure.fixture, "big"));
    pressure.zoe = fan_of(pressure.fixture, pressure.date, 2);
    assert_int_equal(fixture_shard_of_date(pressure.fixture, pressure.date), 1);
    assert_int_equal(fixture_shard_of_user(pressure.fixture, pressure.zoe.user), 0);
    fixture_settle(pressure.fixture);
    pressure.encoded = fixture_encoded(pressure.fixture);
    pressure.released = fixture_released(pressure.fixture);
    return pressure;
}

/* Seats whose labels are as long as can be. */
static struct answer *send_seats(struct pressure *pressure, uint32_t call) {
    char text[TEXT_BYTES + 1];
    struct value_writer seats;
    value_writer_init(&seats, NULL, 0, 1u << 20);
    value_write_array(&seats, SEATS_PER_CALL);
    memset(text, 'x', TEXT_BYTES);
    text[TEXT_BYTES] = '\0';
    for (uint32_t i = 0; i < SEATS_PER_CALL; i++) {
        value_write_map(&seats, 4);
        value_write_pair_text(&seats, "section", text);
        value_write_pair_text(&seats, "row", text);
        value_write_pair_text(&seats, "seat", text);
        value_write_pair_uint(&seats, "price", 1);
    }
    struct answer *answer = fixture_send(pressure->fixture, "admin.seats_add",
                                         PARAMS(with_number("date", pressure->date),
                                                with_number("first", call * SEATS_PER_CALL + 1),
                                                with_raw("seats", &seats)));
    value_writer_deinit(&seats);
    return answer;
}

/* Ask for more than the buffer can take while nothing is being written. */
static void fill_buffer(struct pressure *pressure, struct answer *answers[CALLS]) {
    struct engine_fixture *fixture = pressure->fixture;
    uint64_t submitted = fixture_submitted(fixture);
    fixture_hold_disk(fixture, true);
    for (uint32_t i = 0; i < CALLS; i++) {
        answers[i] = send_seats(pressure, i);
        fixture_until_submitted(fixture, submitted + i + 1); /* in this order */
        fixture_step_shards(fixture);
        fixture_step_log(fixture);
    }
    for (uint32_t i = 0; i < 20; i++) {
        fixture_step_shards(fixture);
        fixture_step_log(fixture);
    }
    assert_true(fixture_encoded(fixture) > pressure->encoded);
    assert_true(fixture_encoded(fixture) < pressure->encoded + CALLS); /* paused */
    assert_int_equal(fixture_released(fixture), pressure->released);
    for (uint32_t i = 0; i < CALLS; i++) assert_false(answer_is_here(answers[i]));
}

static void goes_on_when_there_is_room(void **state) {
    struct answer *answers[CALLS];
    struct pressure pressure = open_pressure(state);
    struct engine_fixture *fixture = pressure.fixture;
    fill_buffer(&pressure, answers);
    uint64_t paused_at = fixture_encoded(fixture);
    /* The other shard has nothing to append and goes on; what it says is durable. */
    assert_int_equal(fan_balance(&pressure.zoe), 0);
    assert_int_equal(fixture_encoded(fixture), paused_at + 1);
    /* A look at the paused shard waits with the rest. */
    uint64_t submitted = fixture_submitted(fixture);
    struct answer *look = fixture_send(fixture, "admin.date_close",
                                       PARAMS(with_number("date", pressure.date)));
    fixture_until_submitted(fixture, submitted + 1);
    fixture_step_shards(fixture);
    assert_int_equal(fixture_encoded(fixture), paused_at + 1);

    fixture_hold_disk(fixture, false);
    for (uint32_t i = 0; i < CALLS; i++) {
        assert_int_equal(answer_number(fixture_wait(fixture, answers[i]), "next"),
                         (i + 1) * SEATS_PER_CALL + 1);
    }
    assert_int_equal(answer_number(fixture_wait(fixture, look), "seats_total"),
                     CALLS * SEATS_PER_CALL);
    const struct value *engine = answer_map(fixture_ask(fixture, "system.stats"), "engine");
    assert_true(value_find_uint(engine, "journal_full", 0) > 0);
    oracle_finish(fixture);
}

static void the_power_fails_while_it_is_full(void **state) {
    struct answer *answers[CALLS];
    struct pressure pressure = open_pressure(state);
    struct engine_fixture *fixture = pressure.fixture;
    fill_buffer(&pressure, answers);
    fixture_crash(fixture, 5);
    /* Nobody was told about a single seat: all, some or none of them may be there, in order. */
    struct answer *next = send_seats(&pressure, 1000);
    uint64_t first = answer_data(fixture_wait(fixture, next), "next");
    assert_true(first <= CALLS * SEATS_PER_CALL + 1);
    oracle_finish(fixture);
}

static void a_disk_that_dies_tells_nobody(void **state) {
    struct answer *answers[CALLS];
    struct pressure pressure = open_pressure(state);
    struct engine_fixture *fixture = pressure.fixture;
    fill_buffer(&pressure, answers);
    fixture_break_disk(fixture, 6); /* the write after the one under way */
    fixture_hold_disk(fixture, false);
    for (uint32_t i = 0; i < 50; i++) {
        fixture_step_log(fixture);
        fixture_step_shards(fixture);
    }
    assert_int_equal(fixture_log_failures(fixture), 1);
    for (uint32_t i = 1; i < CALLS; i++) assert_false(answer_is_here(answers[i]));
    fixture_crash(fixture, 6);
    oracle_finish(fixture);
}

static void a_full_mailbox_is_busy(void **state) {
    struct pressure pressure = open_pressure(state);
    struct engine_fixture *fixture = pressure.fixture;
    fixture_fill_mailbox(fixture, 0);
    uint64_t submitted = fixture_submitted(fixture);
    struct answer *busy = fixture_send(fixture, "wallet.charge",
                                       PARAMS(with_text("user", pressure.zoe.user),
                                              with_number("amount", 5), with_text("key", "k")));
    (void)fixture_wait_only(fixture, busy); /* no shard moves a finger */
    assert_true(answer_is(busy, "BUSY"));
    assert_int_equal(answer_data(busy, "retry_ms"), NET_BUSY_RETRY_MS);
    assert_int_equal(fixture_submitted(fixture), submitted);
    fixture_settle(fixture);
    assert_int_equal(fixture_count_log(fixture, DECISION_WALLET_CHARGED), 0); /* nothing was done */
    assert_int_equal(answer_number(fan_charges(&pressure.zoe, 5, "k"), "balance"), 5);
    oracle_finish(fixture);
}

static void a_full_mailbox_is_of_one_shard(void **state) {
    struct pressure pressure = open_pressure(state);
    struct engine_fixture *fixture = pressure.fixture;
    fixture_fill_mailbox(fixture, 0);
    uint64_t submitted = fixture_submitted(fixture);
    struct answer *other = fixture_send(fixture, "admin.date_close",
                                        PARAMS(with_number("date", pressure.date)));
    fixture_until_submitted(fixture, submitted + 1);
    fixture_step_shard(fixture, 1);
    assert_true(answer_says(fixture_wait(fixture, other), "state", "draft"));
    oracle_finish(fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(goes_on_when_there_is_room, fixture_teardown),
        cmocka_unit_test_teardown(the_power_fails_while_it_is_full, fixture_teardown),
        cmocka_unit_test_teardown(a_disk_that_dies_tells_nobody, fixture_teardown),
        cmocka_unit_test_teardown(a_full_mailbox_is_busy, fixture_teardown),
        cmocka_unit_test_teardown(a_full_mailbox_is_of_one_shard, fixture_teardown),
    };
    return cmocka_run_group_tests_name("durability: pressure", tests, NULL, NULL);
}
