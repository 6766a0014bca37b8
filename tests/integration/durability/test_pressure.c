/* test_pressure.c - full queues: the log's buffer, a shard's mailbox
 *
 * The buffer is full: the shard pauses, nobody is told anything, and all of it goes on when there
 * is room again; if the power fails instead, nothing of it was ever told. The mailbox is full:
 * BUSY, at once, with the time after which to ask again, and nothing was done.
 */
#include "tests/integration/durability/stage.h"

#include "net/protocol/limits.h"

#include <string.h>

#define BUFFER_BYTES (256u * 1024u)
#define TEXT_BYTES 250u
#define SEATS_PER_CALL 64u
#define CALLS 12u /* about 65 KiB of decisions each: far more than buffer and two blocks */

struct pressure {
    struct rig *rig;
    uint32_t date;
    struct fan zoe; /* wallet on shard 0, the date is on shard 1 */
    uint64_t encoded, released;
};

static struct pressure open_pressure(void **state) {
    struct pressure pressure = {
        .rig = rig_open(&(struct rig_options){.shards = 2,
                                              .by_hand = true,
                                              .segment_bytes = 128u * 1024u,
                                              .buffer_bytes = BUFFER_BYTES})};
    *state = pressure.rig;
    pressure.date = date_of(pressure.rig, concert_of(pressure.rig, "big"));
    pressure.zoe = fan_of(pressure.rig, pressure.date, 2);
    assert_int_equal(rig_shard_of_date(pressure.rig, pressure.date), 1);
    assert_int_equal(rig_shard_of_user(pressure.rig, pressure.zoe.user), 0);
    rig_settle(pressure.rig);
    pressure.encoded = rig_encoded(pressure.rig);
    pressure.released = rig_released(pressure.rig);
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
    struct answer *answer = rig_send(pressure->rig, "admin.seats_add",
                                     PARAMS(with_number("date", pressure->date),
                                            with_number("first", call * SEATS_PER_CALL + 1),
                                            with_raw("seats", &seats)));
    value_writer_deinit(&seats);
    return answer;
}

/* Ask for more than the buffer can take while nothing is being written. */
static void fill_buffer(struct pressure *pressure, struct answer *answers[CALLS]) {
    struct rig *rig = pressure->rig;
    uint64_t submitted = rig_submitted(rig);
    rig_hold_disk(rig, true);
    for (uint32_t i = 0; i < CALLS; i++) {
        answers[i] = send_seats(pressure, i);
        rig_until_submitted(rig, submitted + i + 1); /* in this order */
        rig_step_shards(rig);
        rig_step_log(rig);
    }
    for (uint32_t i = 0; i < 20; i++) {
        rig_step_shards(rig);
        rig_step_log(rig);
    }
    assert_true(rig_encoded(rig) > pressure->encoded);
    assert_true(rig_encoded(rig) < pressure->encoded + CALLS); /* paused */
    assert_int_equal(rig_released(rig), pressure->released);
    for (uint32_t i = 0; i < CALLS; i++) assert_false(answer_is_here(answers[i]));
}

static void goes_on_when_there_is_room(void **state) {
    struct answer *answers[CALLS];
    struct pressure pressure = open_pressure(state);
    struct rig *rig = pressure.rig;
    fill_buffer(&pressure, answers);
    uint64_t paused_at = rig_encoded(rig);
    /* The other shard has nothing to append and goes on; what it says is durable. */
    assert_int_equal(fan_balance(&pressure.zoe), 0);
    assert_int_equal(rig_encoded(rig), paused_at + 1);
    /* A look at the paused shard waits with the rest. */
    uint64_t submitted = rig_submitted(rig);
    struct answer *look = rig_send(rig, "admin.date_close",
                                   PARAMS(with_number("date", pressure.date)));
    rig_until_submitted(rig, submitted + 1);
    rig_step_shards(rig);
    assert_int_equal(rig_encoded(rig), paused_at + 1);

    rig_hold_disk(rig, false);
    for (uint32_t i = 0; i < CALLS; i++) {
        assert_int_equal(answer_number(rig_wait(rig, answers[i]), "next"),
                         (i + 1) * SEATS_PER_CALL + 1);
    }
    assert_int_equal(answer_number(rig_wait(rig, look), "seats_total"), CALLS * SEATS_PER_CALL);
    const struct value *engine = answer_map(rig_ask(rig, "system.stats"), "engine");
    assert_true(value_find_uint(engine, "journal_full", 0) > 0);
    rig_finish(rig);
}

static void the_power_fails_while_it_is_full(void **state) {
    struct answer *answers[CALLS];
    struct pressure pressure = open_pressure(state);
    struct rig *rig = pressure.rig;
    fill_buffer(&pressure, answers);
    rig_crash(rig, 5);
    /* Nobody was told about a single seat: all, some or none of them may be there, in order. */
    struct answer *next = send_seats(&pressure, 1000);
    uint64_t first = answer_data(rig_wait(rig, next), "next");
    assert_true(first <= CALLS * SEATS_PER_CALL + 1);
    rig_finish(rig);
}

static void a_disk_that_dies_tells_nobody(void **state) {
    struct answer *answers[CALLS];
    struct pressure pressure = open_pressure(state);
    struct rig *rig = pressure.rig;
    fill_buffer(&pressure, answers);
    rig_break_disk(rig, 6); /* the write after the one under way */
    rig_hold_disk(rig, false);
    for (uint32_t i = 0; i < 50; i++) {
        rig_step_log(rig);
        rig_step_shards(rig);
    }
    assert_int_equal(rig_log_failures(rig), 1);
    for (uint32_t i = 1; i < CALLS; i++) assert_false(answer_is_here(answers[i]));
    rig_crash(rig, 6);
    rig_finish(rig);
}

static void a_full_mailbox_is_busy(void **state) {
    struct pressure pressure = open_pressure(state);
    struct rig *rig = pressure.rig;
    rig_fill_mailbox(rig, 0);
    uint64_t submitted = rig_submitted(rig);
    struct answer *busy = rig_send(rig, "wallet.charge",
                                   PARAMS(with_text("user", pressure.zoe.user),
                                          with_number("amount", 5), with_text("key", "k")));
    (void)rig_wait_only(rig, busy); /* no shard moves a finger */
    assert_true(answer_is(busy, "BUSY"));
    assert_int_equal(answer_data(busy, "retry_ms"), NET_BUSY_RETRY_MS);
    assert_int_equal(rig_submitted(rig), submitted);
    rig_settle(rig);
    assert_int_equal(rig_count_log(rig, DECISION_WALLET_CHARGED), 0); /* nothing was done */
    assert_int_equal(answer_number(fan_charges(&pressure.zoe, 5, "k"), "balance"), 5);
    rig_finish(rig);
}

static void a_full_mailbox_is_of_one_shard(void **state) {
    struct pressure pressure = open_pressure(state);
    struct rig *rig = pressure.rig;
    rig_fill_mailbox(rig, 0);
    uint64_t submitted = rig_submitted(rig);
    struct answer *other = rig_send(rig, "admin.date_close",
                                    PARAMS(with_number("date", pressure.date)));
    rig_until_submitted(rig, submitted + 1);
    rig_step_shard(rig, 1);
    assert_true(answer_says(rig_wait(rig, other), "state", "draft"));
    rig_finish(rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(goes_on_when_there_is_room, rig_teardown),
        cmocka_unit_test_teardown(the_power_fails_while_it_is_full, rig_teardown),
        cmocka_unit_test_teardown(a_disk_that_dies_tells_nobody, rig_teardown),
        cmocka_unit_test_teardown(a_full_mailbox_is_busy, rig_teardown),
        cmocka_unit_test_teardown(a_full_mailbox_is_of_one_shard, rig_teardown),
    };
    return cmocka_run_group_tests_name("durability: pressure", tests, NULL, NULL);
}
