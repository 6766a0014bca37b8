/* test_outage_shard.c - X7: what shards give back after stalls, a log that stands still, and
 * restarts */
#include "tests/unit/engine/runtime/runtime_fixture.h"

#define TTL_MS 10000u    /* turns */
#define HOLD_MS 8000u    /* holds */
#define TIMEOUT_MS 2000u /* silence */
#define STALL_MS 60000u

/* Time passes as it should: everybody looks at it, and the log moves. */
static void pass(struct world_under_test *t, uint64_t ms, bool durable) {
    for (uint64_t left = ms; left > 0;) {
        uint64_t part = left < SHARD_ROUND_MS_MAX ? left : SHARD_ROUND_MS_MAX;
        t->now_ms += part;
        left -= part;
        step(t);
        if (durable) t->durable = t->log_bytes;
        step(t);
    }
}

struct outage_line {
    struct world_under_test *t;
    struct token active, waits;
    uint64_t reservation;
};

/* One has a turn and holds a seat, one waits. */
static struct outage_line line_of(uint32_t shards) {
    struct outage_line line = {.t = setup(shards)};
    line.t->policy.active_capacity = 1;
    line.t->policy.active_ttl_ms = TTL_MS;
    line.t->policy.hold_ttl_ms = HOLD_MS;
    line.t->policy.waiting_timeout_ms = TIMEOUT_MS;
    create_date(line.t, 2);
    line.active = enter(line.t, 1, 1);
    line.waits = enter(line.t, 1, 2);
    struct seat_ref seat = {.number = 1};
    struct runtime_caller hold = hold_call(line.active, &seat);
    call(line.t, &hold);
    line.reservation = hold.reservation;
    return line;
}

static struct runtime_caller status_call(struct token token) {
    struct runtime_caller caller = calling(COMMAND_QUEUE_STATUS, partition_of_date(token.date));
    caller.request.command.queue.token = token;
    return caller;
}
static struct reply status(struct world_under_test *t, struct token token) {
    struct runtime_caller caller = status_call(token);
    call(t, &caller);
    assert_int_equal(caller.reply.kind, REPLY_TOKEN);
    return caller.reply;
}

/* How many records of a kind the log has; the last of them. */
static uint32_t count_records(const struct world_under_test *t, uint16_t kind,
                              struct decision *ret_last) {
    uint32_t count = 0;
    for (uint64_t at = 0; at < t->log_bytes;) {
        uint32_t size;
        struct decision decision;
        memcpy(&size, t->log + at, sizeof size);
        assert_int_equal(decision_decode(t->log + at, size, &decision), DECISION_DECODE_OK);
        if (decision.kind == kind) {
            count++;
            *ret_last = decision;
        }
        at += size;
    }
    return count;
}
static uint32_t expired(const struct world_under_test *t) {
    struct decision last;
    return count_records(t, DECISION_TOKEN_EXPIRED, &last) +
           count_records(t, DECISION_RESERVATION_ENDED, &last);
}
static void demand_credit(const struct world_under_test *t, uint32_t count, uint64_t ms,
                          enum outage_cause cause) {
    struct decision last;
    struct shard_counters counters;
    assert_int_equal(count_records(t, DECISION_OUTAGE_CREDITED, &last), count);
    assert_int_equal(last.outage_credited.credit_ms, ms);
    assert_int_equal(last.outage_credited.cause, cause);
    assert_int_equal(last.time_ms - last.outage_credited.since, ms);
    board_read_shards(engine_board(t->engine), &counters);
    assert_int_equal(counters.outages, count);
    assert_int_equal(counters.outage_cause, cause);
    if (count == 1) assert_int_equal(counters.outage_ms, ms);
    if (count == 1) assert_int_equal(counters.outage_long_ms, ms >= OUTAGE_LONG_MS ? ms : 0);
}

static void outage_of_a_shard_that_stalls(void **state) {
    (void)state;
    for (uint32_t shards = 1; shards <= 3; shards++) {
        struct outage_line line = line_of(shards);
        uint64_t turn = status(line.t, line.active).token.expires_at;
        for (uint32_t i = 0; i < shards;
             i++) { /* whose time runs is looked at; else the shard sleeps */
            uint64_t due = engine_next_due_ms(line.t->engine, i);
            bool has_date = i == 1 % shards;
            assert_true(has_date ? due <= line.t->now_ms + SHARD_ROUND_MS_MAX : due == UINT64_MAX);
        }
        pass(line.t, TIMEOUT_MS - 100, true); /* the waiter would be silent in a moment */
        line.t->now_ms += STALL_MS;
        if (shards == 2) { /* what it asked is still in a socket */
            step(line.t);
            pass(line.t, OUTAGE_HEARING_MS / 2, true);
        }
        struct runtime_caller polls = status_call(line.waits), list = status_call(line.active);
        submit(line.t, &list);
        call(line.t, &polls); /* it asked meanwhile */
        assert_int_equal(polls.reply.token.state, TOKEN_WAITING);
        assert_int_equal(list.reply.token.expires_at, turn + STALL_MS);
        demand_credit(line.t, 1, STALL_MS, OUTAGE_STALLED);
        assert_int_equal(expired(line.t), 0);
        line.t->now_ms += OUTAGE_LONG_MS - 1; /* once more, too short to be told */
        step(line.t);
        struct shard_counters counters;
        board_read_shards(engine_board(line.t->engine), &counters);
        assert_int_equal(counters.outages, 2);
        assert_int_equal(counters.outage_ms, STALL_MS + OUTAGE_LONG_MS - 1);
        assert_int_equal(counters.outage_long_ms, STALL_MS);
        pass(line.t, TTL_MS - HOLD_MS, true);
        assert_int_equal(status(line.t, line.active).token.state, TOKEN_ACTIVE);
        pass(line.t, TTL_MS, true); /* and its time does end */
        assert_int_equal(status(line.t, line.active).token.state, TOKEN_EXPIRED);
        teardown(line.t);
    }
}

/* A process that stops in the middle of a step: what it decides then is of the time before. */
static void outage_in_the_middle_of_a_step(void **state) {
    (void)state;
    struct outage_line line = line_of(1);
    uint64_t before = line.t->now_ms;
    struct runtime_caller first = status_call(line.waits), second = status_call(line.active);
    line.t->leap_ms = STALL_MS; /* from the second reading of the clock on */
    submit(line.t, &first);
    submit(line.t, &second);
    (void)engine_step(line.t->engine, 0);
    assert_int_equal(line.t->leap_ms, 0);
    assert_true(second.reply.now_ms <= before + OUTAGE_MS_MIN);
    assert_int_equal(second.reply.token.state, TOKEN_ACTIVE);
    step(line.t);
    demand_credit(line.t, 1, STALL_MS, OUTAGE_STALLED);
    assert_int_equal(expired(line.t), 0);
    teardown(line.t);
}

static void outage_of_the_log(void **state) {
    (void)state;
    for (uint32_t full = 0; full < 2; full++) {
        struct outage_line line = line_of(1);
        struct world_under_test *t = line.t;
        uint64_t begin = t->now_ms;
        struct seat_ref seat = {.number = 2};
        struct runtime_caller hold = hold_call(line.active, &seat);
        t->journal_full = full;
        submit(t, &hold); /* something waits */
        step(t);
        pass(t, STALL_MS, false);
        assert_int_equal(hold.released, 0);
        assert_int_equal(expired(t), 0);
        struct runtime_caller late = status_call(line.active);
        submit(t, &late);
        step(t);
        if (!full) { /* decided at the standing time, told later */
            assert_true(late.reply.now_ms <= begin + OUTAGE_MS_MIN);
            assert_int_equal(late.reply.token.state, TOKEN_ACTIVE);
            assert_int_equal(late.released, 0);
        }
        /* Whoever sleeps until the next thing is due does sleep. */
        if (!full)
            assert_int_equal(engine_next_due_ms(t->engine, 0), t->now_ms + SHARD_ROUND_MS_MAX);
        t->journal_full = false;
        t->durable = t->log_bytes;
        step(t);
        t->durable = t->log_bytes;
        step(t);
        t->durable = t->log_bytes;
        step(t);
        assert_int_equal(hold.released + late.released, 2);
        demand_credit(t, 1, STALL_MS, OUTAGE_LOG);
        assert_int_equal(expired(t), 0);
        assert_int_equal(status(t, line.waits).token.state, TOKEN_WAITING);
        assert_int_equal(status(t, line.active).token.state, TOKEN_ACTIVE);
        teardown(t);
    }
}

/* Slow, but it moves: 200 ms for each write. Time goes on. */
static void a_slow_log_is_no_outage(void **state) {
    (void)state;
    struct outage_line line = line_of(1);
    struct decision last;
    for (uint32_t i = 0; i < 3 * TTL_MS / 200; i++) {
        struct runtime_caller charges = charge_call(3, 1, (uint8_t)i);
        submit(line.t, &charges);
        step(line.t);
        pass(line.t, 100, false);
        assert_int_equal(charges.encoded, 1);
        assert_int_equal(charges.released, 0);
        pass(line.t, 100, true);
        assert_int_equal(charges.released, 1);
    }
    assert_int_equal(count_records(line.t, DECISION_OUTAGE_CREDITED, &last), 0);
    assert_int_equal(count_records(line.t, DECISION_TOKEN_EXPIRED, &last), 2);
    teardown(line.t);
}

static void outage_that_nobody_feels(void **state) {
    (void)state;
    struct world_under_test *t = setup(2);
    struct shard_counters counters;
    create_date(t, 2);
    uint64_t bytes = t->log_bytes;
    for (uint32_t i = 0; i < 2; i++) assert_true(engine_next_due_ms(t->engine, i) == UINT64_MAX);
    t->now_ms += STALL_MS;
    step(t);
    struct token token = enter(t, 1, 1);
    pass(t, 2 * t->policy.waiting_timeout_ms, true); /* the wheel has forgotten it */
    uint64_t due = engine_next_due_ms(t->engine, 1); /* a turn of minutes: still looked at */
    assert_true(due <= t->now_ms + SHARD_ROUND_MS_MAX);
    struct runtime_caller leave = calling(COMMAND_QUEUE_LEAVE, partition_of_date(1));
    leave.request.command.queue.token = token;
    call(t, &leave);
    pass(t, 30 * TTL_MS, true); /* until the wheel has forgotten it */
    bytes = t->log_bytes;
    t->now_ms += STALL_MS;
    step(t);
    assert_int_equal(t->log_bytes, bytes);
    board_read_shards(engine_board(t->engine), &counters);
    assert_int_equal(counters.outages + counters.outage_ms, 0);
    teardown(t);
}

/* The log of `t`, replayed and served on from `down_ms` later. Return: what was appended since */
static uint64_t restart(struct world_under_test *t, uint64_t served_until_ms) {
    static const struct id128 seed = {{9}};
    struct world *world = world_create(&seed);
    for (uint64_t at = 0; at < t->log_bytes;) {
        uint32_t size;
        struct decision decision;
        memcpy(&size, t->log + at, sizeof size);
        assert_int_equal(decision_decode(t->log + at, size, &decision), DECISION_DECODE_OK);
        assert_int_equal(world_apply(world, &decision), WORLD_APPLIED);
        at += size;
    }
    engine_close(t->engine);
    uint64_t before = t->log_bytes;
    open_engine(t, world, served_until_ms);
    /* The credits of all shards are there before any of them runs: one write has them all. */
    uint64_t credits = t->log_bytes - before;
    for (uint32_t i = 0; i < t->shards; i++) (void)engine_step(t->engine, i);
    t->durable = t->log_bytes;
    step(t);
    assert_int_equal(t->log_bytes - before, credits);
    return credits;
}

static void outage_of_a_restart(void **state) {
    (void)state;
    for (uint32_t shards = 1; shards <= 3; shards++) {
        struct outage_line line = line_of(shards);
        struct world_under_test *t = line.t;
        uint64_t turn = status(t, line.active).token.expires_at, stopped = t->now_ms;
        t->now_ms += STALL_MS;
        assert_true(restart(t, stopped) > 0);
        demand_credit(t, 1, STALL_MS, OUTAGE_DOWN);
        assert_int_equal(expired(t), 0);
        assert_int_equal(status(t, line.active).token.expires_at, turn + STALL_MS);
        assert_int_equal(status(t, line.waits).token.state, TOKEN_WAITING);
        /* Again, with a clock that stands behind: nothing to give. */
        assert_int_equal(restart(t, t->now_ms + 1), 0);
        assert_int_equal(restart(t, t->now_ms), 0);
        assert_int_equal(restart(t, 0), 0);
        /* Silence begins with the start; a moment is added in which the sockets are heard. */
        t->now_ms += STALL_MS;
        assert_true(restart(t, t->now_ms - STALL_MS) > 0);
        pass(t, TIMEOUT_MS, true);
        assert_int_equal(expired(t), 0);
        pass(t, OUTAGE_HEARING_MS + TIMEOUT_MS / 100, true);
        assert_int_equal(expired(t), 1);
        teardown(t);
    }
}

/* The dates that get a credit are no longer due, and do not stand in the way of one that is. */
static void outage_that_one_date_does_not_credit(void **state) {
    (void)state;
    struct outage_line line = line_of(1);
    struct decision last;
    line.t->policy.outage_credit = 0;
    line.t->policy.waiting_timeout_ms = STALL_MS;
    create_date(line.t, 2);
    struct token ends = enter(line.t, 2, 3), waits = enter(line.t, 2, 4);
    line.t->now_ms += STALL_MS;
    (void)engine_step(line.t->engine, 0);
    assert_int_equal(count_records(line.t, DECISION_OUTAGE_CREDITED, &last), 1);
    assert_int_equal(last.partition, partition_of_date(1));
    assert_int_equal(count_records(line.t, DECISION_TOKEN_EXPIRED, &last), 1);
    assert_int_equal(last.token_expired.place, ends.place);
    assert_int_equal(status(line.t, waits).token.state, TOKEN_ACTIVE);
    teardown(line.t);
}

static void restart_of_nobody_writes_nothing(void **state) {
    (void)state;
    struct world_under_test *t = setup(1);
    struct shard_counters counters;
    create_date(t, 2);
    uint64_t stopped = t->now_ms;
    t->now_ms += STALL_MS;
    assert_int_equal(restart(t, stopped), 0);
    board_read_shards(engine_board(t->engine), &counters);
    assert_int_equal(counters.outages, 0);
    teardown(t);
}

/* 300 ms for each write, with or without anybody who asks: each is an outage, and so is that of its
 * credit. Turns, holds and silence end all the same, a little later. */
static void a_log_that_is_always_slow(void **state) {
    (void)state;
    for (uint32_t busy = 0; busy < 2; busy++) {
        struct outage_line line = line_of(1);
        struct world_under_test *t = line.t;
        struct decision last;
        struct runtime_caller charges[2 * TTL_MS / 300];
        uint64_t begin_ms = t->now_ms;
        for (uint32_t i = 0; i < sizeof charges / sizeof charges[0]; i++) {
            charges[i] = charge_call(3, 1, (uint8_t)i);
            if (busy || i == 0) submit(t, &charges[i]);
            step(t);
            uint64_t lsn = t->log_bytes;
            pass(t, 300, false);
            t->durable = lsn;
            step(t);
            uint32_t ended = count_records(t, DECISION_RESERVATION_ENDED, &last);
            if (t->now_ms < begin_ms + HOLD_MS) assert_int_equal(ended, 0);
        }
        assert_true(count_records(t, DECISION_OUTAGE_CREDITED, &last) > 20);
        assert_int_equal(count_records(t, DECISION_RESERVATION_ENDED, &last), 1);
        assert_int_equal(count_records(t, DECISION_TOKEN_EXPIRED, &last), 2);
        teardown(t);
    }
}

/* The moment in which sockets are heard after an outage counts once: the silent waiter is found. */
static void outages_one_after_another(void **state) {
    (void)state;
    struct outage_line line = line_of(1);
    struct decision last;
    for (uint32_t i = 0; i < 20; i++) {
        line.t->now_ms += 400;
        step(line.t);
        line.t->durable = line.t->log_bytes;
        step(line.t);
    }
    pass(line.t, OUTAGE_HEARING_MS + TIMEOUT_MS + TIMEOUT_MS / 100, true);
    assert_int_equal(count_records(line.t, DECISION_TOKEN_EXPIRED, &last), 1);
    assert_int_equal(last.token_expired.end, TOKEN_END_SILENT);
    teardown(line.t);
    /* But whoever was heard between two loses nothing by the second. */
    line = line_of(1);
    line.t->now_ms += STALL_MS;
    (void)status(line.t, line.waits);
    line.t->now_ms += 400;
    step(line.t);
    pass(line.t, TIMEOUT_MS - 100, true);
    struct runtime_caller leave = calling(COMMAND_QUEUE_LEAVE, partition_of_date(1));
    leave.request.command.queue.token = line.active;
    call(line.t, &leave);
    assert_int_equal(status(line.t, line.waits).token.state, TOKEN_ACTIVE);
    teardown(line.t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outage_of_a_shard_that_stalls),
        cmocka_unit_test(outage_in_the_middle_of_a_step),
        cmocka_unit_test(outage_of_the_log),
        cmocka_unit_test(a_slow_log_is_no_outage),
        cmocka_unit_test(outage_that_nobody_feels),
        cmocka_unit_test(outage_of_a_restart),
        cmocka_unit_test(outage_that_one_date_does_not_credit),
        cmocka_unit_test(restart_of_nobody_writes_nothing),
        cmocka_unit_test(a_log_that_is_always_slow),
        cmocka_unit_test(outages_one_after_another),
    };
    return cmocka_run_group_tests_name("outage_shard", tests, NULL, NULL);
}
