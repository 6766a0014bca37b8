/* test_runtime.c - mailbox, lane, gate, board, and an engine stepped by hand with fake ports */
#include <pthread.h>
#include <sched.h>

#include "engine/runtime/gate.h"
#include "engine/runtime/mailbox.h"
#include "tests/unit/engine/runtime/runtime_fixture.h"

/* --- tests ------------------------------------------------------------------------------------ */

static void admitted_at_once(void **state) {
    (void)state;
    struct world_under_test *t = setup(1);
    create_date(t, 2);
    struct runtime_caller caller = calling(COMMAND_QUEUE_ENTER, partition_of_date(1));
    caller.request.command.enter.user = user_of(1);
    call(t, &caller);
    assert_int_equal(caller.reply.token.state, TOKEN_ACTIVE); /* told in the same answer */
    teardown(t);
}

static void no_reply_before_durable(void **state) {
    (void)state;
    struct world_under_test *t = setup(1);
    create_date(t, 2);
    struct token token = enter(t, 1, 1);
    struct seat_ref seat = {.number = 1};
    struct runtime_caller hold = hold_call(token, &seat);
    submit(t, &hold);
    step(t);
    assert_int_equal(hold.encoded, 1);
    assert_int_equal(hold.released, 0);
    /* a read that sees the hold waits for it, too */
    struct runtime_caller status = calling(COMMAND_QUEUE_STATUS, partition_of_date(1));
    status.request.command.queue.token = token;
    submit(t, &status);
    step(t);
    assert_int_equal(status.encoded, 1);
    assert_int_equal(status.released, 0);
    t->durable = t->log_bytes - 1; /* one byte short */
    step(t);
    assert_int_equal(hold.released + status.released, 0);
    t->durable = t->log_bytes;
    step(t);
    assert_int_equal(hold.released, 1);
    assert_int_equal(status.released, 1);
    teardown(t);
}

static void journal_full_tells_nobody(void **state) {
    (void)state;
    struct world_under_test *t = setup(2);
    create_date(t, 2);
    struct token token = enter(t, 1, 1);
    charge(t, 1, 1000);
    struct seat_ref seat = {.number = 1};
    struct runtime_caller hold = hold_call(token, &seat), other = hold_call(token, &seat);
    uint64_t before = t->log_bytes;
    t->journal_full = true;
    submit(t, &hold);
    step(t);
    t->durable = UINT64_MAX; /* even if everything were durable */
    submit(t, &other);
    step(t);
    assert_int_equal(hold.released, 0);
    assert_int_equal(other.encoded, 0); /* paused */
    assert_int_equal(t->log_bytes, before);
    t->journal_full = false;
    step(t);
    assert_int_equal(hold.released, 1);
    assert_int_equal(other.reply.kind, REPLY_RESERVATION); /* the same hold again */
    assert_true(other.reservation == hold.reservation);
    teardown(t);
}

static void pays_across_shards(void **state) {
    for (uint32_t shards = 1; shards <= 4; shards++) {
        (void)state;
        struct world_under_test *t = setup(shards);
        create_date(t, 8);
        create_date(t, 8);
        create_date(t, 8);
        for (uint8_t user = 1; user <= 8; user++) {
            uint32_t date = user % 3 + 1;
            struct token token = enter(t, date, user);
            struct seat_ref seat = {.number = user};
            struct runtime_caller hold = hold_call(token, &seat);
            call(t, &hold);
            assert_int_equal(hold.reply.kind, REPLY_RESERVATION);
            struct runtime_caller pay = pay_call(token, hold.reservation, 1);
            call(t, &pay);
            assert_int_equal(pay.reply.kind, REPLY_ERROR);
            assert_int_equal(pay.reply.error, ERROR_INSUFFICIENT_FUNDS);
            assert_int_equal(pay.reply.data[2], 100);
            charge(t, user, 150);
            struct runtime_caller twice[2] = {pay_call(token, hold.reservation, 2),
                                              pay_call(token, hold.reservation, 2)};
            submit(t, &twice[0]); /* a double click */
            call(t, &twice[1]);
            for (int i = 0; i < 2; i++) {
                assert_int_equal(twice[i].released, 1);
                assert_int_equal(twice[i].reply.kind, REPLY_PAYMENT);
                assert_int_equal(twice[i].reply.payment.balance, 50);
            }
        }
        struct money_totals money;
        engine_money(t->engine, &money);
        assert_int_equal(money.charged, 8 * 150);
        assert_int_equal(money.spent, 8 * 100);
        assert_int_equal(money.reserved, 0);
        assert_int_equal(money.balances, 8 * 50);

        struct runtime_caller list = calling(COMMAND_RESERVATION_LIST, PARTITION_EVERY_DATE);
        list.request.command.reservations.user = user_of(5);
        call(t, &list);
        assert_int_equal(list.reply.kind, REPLY_RESERVATION_END);
        assert_int_equal(list.items, 1);
        teardown(t);
    }
}

static void log_hashes(struct world_under_test *t) {
    for (uint32_t i = 0; i < t->shards; i++) engine_log_hashes(t->engine, i);
    step(t);
}

static void replay_agrees(void **state) {
    (void)state;
    struct world_under_test *t = setup(3);
    create_date(t, 4);
    create_date(t, 4);
    struct token token = enter(t, 2, 7);
    struct seat_ref seat = {.number = 3};
    struct runtime_caller hold = hold_call(token, &seat);
    call(t, &hold);
    t->now_ms += 1000 * 1000; /* the hold ends, the token ends */
    step(t);
    (void)enter(t, 1, 9);
    log_hashes(t);
    const uint64_t hashed_bytes = t->log_bytes;
    log_hashes(t);
    assert_int_equal(t->log_bytes, hashed_bytes); /* nothing was decided: nothing is written */

    static const struct id128 other_seed = {{9, 9}};
    struct world *world = world_create(&other_seed);
    uint32_t hashes = 0;
    for (uint64_t at = 0; at < t->log_bytes;) {
        uint32_t size;
        struct decision decision;
        memcpy(&size, t->log + at, sizeof size);
        assert_int_equal(decision_decode(t->log + at, size, &decision), DECISION_DECODE_OK);
        assert_int_equal(world_apply(world, &decision), WORLD_APPLIED);
        hashes += decision.kind == DECISION_STATE_HASHED;
        at += size;
    }
    uint32_t decided = (world->catalogue->decision_count > 0) +
                       (world->dates[1]->decision_count > 0) +
                       (world->dates[2]->decision_count > 0);
    for (uint32_t i = 0; i < ACCOUNT_PARTITIONS; i++) {
        decided += world->accounts[i]->decision_count > 0;
    }
    assert_int_equal(hashes, decided);
    assert_true(world_hash(world) == engine_world_hash(t->engine));
    assert_true(world->dates[1]->volatile_hashed && world->catalogue->volatile_hashed);
    (void)enter(t, 1, 10); /* only what has decided since has a new hash */
    const uint64_t entered_bytes = t->log_bytes;
    log_hashes(t);
    assert_int_equal(t->log_bytes, entered_bytes + RECORD_HEADER_BYTES + 8);
    struct decision wrong = {.kind = DECISION_STATE_HASHED,
                             .partition = partition_of_date(1),
                             .time_ms = t->now_ms,
                             .state_hashed.hash = 1};
    assert_int_equal(world_apply(world, &wrong), WORLD_HASH_MISMATCH);
    world_free(world);
    teardown(t);
}

static void mailbox_full_is_busy(void **state) {
    (void)state;
    struct world_under_test *t = setup(1);
    create_date(t, 1);
    struct runtime_caller *callers = calloc(MAILBOX_CHAINS_MAX + 1, sizeof *callers);
    uint32_t accepted = 0, busy = 0;
    for (uint32_t i = 0; i <= MAILBOX_CHAINS_MAX; i++) {
        callers[i] = calling(COMMAND_SYSTEM_PING, PARTITION_CATALOGUE);
        int result = engine_submit(t->engine, 0, &callers[i].request);
        accepted += result == 0;
        busy += result == ENGINE_BUSY;
    }
    assert_true(busy >= 1 && accepted >= MAILBOX_CHAINS_MAX - 1);
    for (int i = 0; i < 32; i++) step(t);
    uint32_t released = 0;
    for (uint32_t i = 0; i <= MAILBOX_CHAINS_MAX; i++) released += callers[i].released;
    assert_int_equal(released, accepted);
    free(callers);
    teardown(t);
}

static void unknown_partitions_are_refused(void **state) {
    (void)state;
    struct world_under_test *t = setup(2);
    struct runtime_caller caller = calling(COMMAND_QUEUE_ENTER, partition_of_date(77));
    call(t, &caller);
    assert_int_equal(caller.reply.error, ERROR_NO_SUCH_DATE);
    assert_int_equal(caller.reply.data[0], 77);
    /* a date id that wraps around to the catalogue's partition */
    caller = calling(COMMAND_QUEUE_STATUS, partition_of_date(0xff000000u));
    call(t, &caller);
    assert_int_equal(caller.reply.error, ERROR_TOKEN_INVALID);
    caller = calling(COMMAND_RESERVATION_CANCEL, partition_of_date(DATES_MAX));
    call(t, &caller);
    assert_int_equal(caller.reply.error, ERROR_NO_SUCH_RESERVATION);
    /* Without a token it is the reservation that nobody knows, as on a date that is there (O2). */
    caller = pay_call((struct token){.date = 77}, dated_id(77, 1), 1);
    call(t, &caller);
    assert_int_equal(caller.reply.error, ERROR_TOKEN_INVALID);
    caller = pay_call((struct token){.date = 77}, dated_id(77, 1), 1);
    caller.request.command.pay.user = user_of(1);
    call(t, &caller);
    assert_int_equal(caller.reply.error, ERROR_NO_SUCH_RESERVATION);
    /* A token of no date is judged as invalid, whatever partition it wraps around to: the
     * catalogue's, an account's, none. */
    const uint32_t dates[] = {0xff000000u, 0xff010000u, 77};
    create_date(t, 1); /* and its concert */
    for (uint32_t i = 0; i < sizeof dates / sizeof dates[0]; i++) {
        caller = calling(COMMAND_CATALOGUE_DATES, partition_of_date(dates[i]));
        caller.request.command.dates.has_token = true;
        caller.request.command.dates.concert = 1;
        caller.request.command.dates.token = (struct token){.date = dates[i], .place = 1};
        call(t, &caller);
        assert_int_equal(caller.reply.kind, REPLY_DATES);
        assert_int_equal(caller.reply.dates.refusal, ERROR_TOKEN_INVALID);
    }
    teardown(t);
}

static void board_waits_for_the_row(void **state) {
    (void)state;
    struct world_under_test *t = setup(2);
    create_date(t, 5);
    struct date_counters counters;
    uint64_t lsn = 0;
    board_read_date(engine_board(t->engine), 1, &counters, &lsn);
    assert_int_equal(counters.seats_available, 5);
    assert_int_equal(counters.state, DATE_OPEN);
    assert_true(lsn > 0 && lsn <= t->log_bytes);
    struct token token = enter(t, 1, 1);
    struct seat_ref seat = {.number = 1};
    struct runtime_caller hold = hold_call(token, &seat);
    submit(t, &hold);
    step(t);
    board_read_date(engine_board(t->engine), 1, &counters, &lsn);
    assert_int_equal(counters.seats_available, 4);
    assert_true(lsn == t->log_bytes && lsn > t->durable); /* a reader knows what to wait for */
    t->durable = t->log_bytes;
    step(t);
    teardown(t);
}

static void gate_is_first_in_first_out(void **state) {
    (void)state;
    struct request requests[3] = {{.lsn = 10}, {.lsn = 30}, {.lsn = 20}};
    struct gate gate = {0};
    for (int i = 0; i < 3; i++) gate_enter(&gate, &requests[i]);
    assert_null(gate_leave(&gate, 9));
    assert_ptr_equal(gate_leave(&gate, 10), &requests[0]);
    assert_null(gate_leave(&gate, 29));
    assert_ptr_equal(gate_leave(&gate, 30), &requests[1]);
    assert_ptr_equal(gate_leave(&gate, 30), &requests[2]);
    assert_null(gate_leave(&gate, 30));
    assert_int_equal(gate.count, 0);
}

/* --- threads ---------------------------------------------------------------------------------- */

#define SENDERS 4
#define SENT 20000
struct sender {
    struct mailbox *mailbox;
    struct request *requests;
};
static void *send_all(void *argument) {
    struct sender *sender = argument;
    for (uint32_t i = 0; i < SENT; i++) {
        while (!mailbox_send(sender->mailbox, &sender->requests[i])) sched_yield();
    }
    return NULL;
}
static void mailbox_loses_nothing(void **state) {
    (void)state;
    struct mailbox *mailbox = mailbox_create(64);
    struct sender senders[SENDERS];
    pthread_t threads[SENDERS];
    for (uint32_t i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){mailbox, calloc(SENT, sizeof(struct request))};
        for (uint32_t n = 0; n < SENT; n++) senders[i].requests[n].lsn = (uint64_t)i * SENT + n;
        assert_int_equal(pthread_create(&threads[i], NULL, send_all, &senders[i]), 0);
    }
    uint64_t next[SENDERS] = {0};
    for (uint32_t received = 0; received < SENDERS * SENT;) {
        struct request *request = mailbox_receive(mailbox);
        if (!request) {
            sched_yield();
            continue;
        }
        uint64_t sender = request->lsn / SENT;
        assert_int_equal(request->lsn % SENT, next[sender]++); /* each sender in order */
        received++;
    }
    assert_true(mailbox_is_empty(mailbox));
    for (uint32_t i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
        free(senders[i].requests);
    }
    mailbox_free(mailbox);
}

static void *send_lane(void *argument) {
    for (uint32_t i = 0; i < SENT; i++) {
        struct peer_message message = {.kind = PEER_COMMAND, .command.funds.amount = i};
        while (!lane_send(argument, &message)) sched_yield();
    }
    return NULL;
}
static void lane_keeps_order(void **state) {
    (void)state;
    struct lane *lane = lane_create(16);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, send_lane, lane), 0);
    for (uint32_t i = 0; i < SENT;) {
        struct peer_message message;
        if (!lane_receive(lane, &message)) {
            sched_yield();
            continue;
        }
        assert_int_equal(message.command.funds.amount, i++);
    }
    pthread_join(thread, NULL);
    lane_free(lane);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(admitted_at_once),
        cmocka_unit_test(no_reply_before_durable),
        cmocka_unit_test(journal_full_tells_nobody),
        cmocka_unit_test(pays_across_shards),
        cmocka_unit_test(replay_agrees),
        cmocka_unit_test(mailbox_full_is_busy),
        cmocka_unit_test(unknown_partitions_are_refused),
        cmocka_unit_test(board_waits_for_the_row),
        cmocka_unit_test(gate_is_first_in_first_out),
        cmocka_unit_test(mailbox_loses_nothing),
        cmocka_unit_test(lane_keeps_order),
    };
    return cmocka_run_group_tests_name("runtime", tests, NULL, NULL);
}
