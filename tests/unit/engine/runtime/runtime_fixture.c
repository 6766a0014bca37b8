/* runtime_fixture.c - see runtime_fixture.h */
#include "tests/unit/engine/runtime/runtime_fixture.h"

#define LOG_BYTES_MAX (8u << 20)

static int fake_append(void *context, uint32_t appender, const uint8_t *bytes, uint32_t size,
                       uint64_t *ret_lsn) {
    struct world_under_test *t = context;
    (void)appender;
    if (t->journal_full) return JOURNAL_FULL;
    assert_true(t->log_bytes + size <= LOG_BYTES_MAX);
    memcpy(t->log + t->log_bytes, bytes, size);
    t->log_bytes += size;
    *ret_lsn = t->log_bytes;
    return 0;
}
static uint64_t fake_durable(void *context) {
    return ((struct world_under_test *)context)->durable;
}
static uint64_t fake_now(void *context) {
    struct world_under_test *t = context;
    uint64_t now_ms = t->now_ms;
    t->now_ms += t->leap_ms;
    t->leap_ms = 0;
    return now_ms;
}
static void fake_entropy(void *context, void *bytes, uint32_t size) {
    struct world_under_test *t = context;
    for (uint32_t i = 0; i < size; i++)
        ((uint8_t *)bytes)[i] = (uint8_t)(++t->entropy * 37 + i / 256);
}
static void fake_encode(void *context, struct request *request, const struct reply *reply) {
    struct runtime_caller *caller = (struct runtime_caller *)request;
    (void)context;
    if (reply->kind == REPLY_RESERVATION_ITEM) {
        caller->items++;
        return;
    }
    caller->reply = *reply;
    if (reply->kind == REPLY_RESERVATION) {
        caller->reservation = dated_id(reply->reservation.date->id,
                                       reply->reservation.reservation->sequence);
    }
    caller->encoded++;
}
static void fake_release(void *context, struct request *request) {
    struct world_under_test *t = context;
    struct runtime_caller *caller = (struct runtime_caller *)request;
    caller->released++;
    caller->durable_at_release = t->durable;
}

void open_engine(struct world_under_test *t, struct world *world, uint64_t served_until_ms) {
    struct engine_options options = {
        .shards = t->shards,
        .world = world,
        .journal = {t, fake_append, fake_durable},
        .sink = {t, fake_encode, fake_release},
        .clock = {t, fake_now},
        .entropy = {t, fake_entropy},
        .start_lsn = t->log_bytes,
        .served_until_ms = served_until_ms,
    };
    t->engine = engine_open(&options);
}
struct world_under_test *setup(uint32_t shards) {
    struct world_under_test *t = calloc(1, sizeof *t);
    static const struct id128 seed = {{1}};
    t->log = malloc(LOG_BYTES_MAX);
    t->now_ms = 1000000;
    t->shards = shards;
    policy_default(&t->policy);
    open_engine(t, world_create(&seed), 0);
    return t;
}
void teardown(struct world_under_test *t) {
    engine_close(t->engine);
    free(t->log);
    free(t);
}
void step(struct world_under_test *t) {
    for (int round = 0; round < 8; round++) {
        for (uint32_t i = 0; i < t->shards; i++) (void)engine_step(t->engine, i);
    }
}
void submit(struct world_under_test *t, struct runtime_caller *caller) {
    caller->request.next = NULL;
    assert_int_equal(engine_submit(t->engine, engine_shard_of(t->engine, &caller->request.command),
                                   &caller->request),
                     0);
}
/* Submit, run, make durable, run. */
void call(struct world_under_test *t, struct runtime_caller *caller) {
    submit(t, caller);
    step(t);
    t->durable = t->log_bytes;
    step(t);
    assert_int_equal(caller->encoded, 1);
    assert_int_equal(caller->released, 1);
}

struct id128 user_of(uint8_t n) {
    struct id128 user = {{0x42, n}};
    user.bytes[15] = n;
    return user;
}
struct runtime_caller calling(enum command_kind kind, uint32_t partition) {
    struct runtime_caller caller = {0};
    caller.request.command.kind = (uint16_t)kind;
    caller.request.command.partition = partition;
    return caller;
}
void create_date(struct world_under_test *t, uint32_t seats) {
    static const struct text title = {"date", 4};
    struct runtime_caller caller = calling(COMMAND_CONCERT_CREATE, PARTITION_CATALOGUE);
    caller.request.command.concert.title = title;
    call(t, &caller);
    uint32_t concert = caller.reply.created.concert;
    caller = calling(COMMAND_DATE_CREATE, PARTITION_CATALOGUE);
    caller.request.command.date.concert = concert;
    caller.request.command.date.title = title;
    caller.request.command.date.policy = &t->policy;
    call(t, &caller);
    assert_int_equal(caller.reply.kind, REPLY_CREATED);
    uint32_t date = caller.reply.created.date;
    struct seat_spec spec = {
        .price = 100, .for_sale = true, .section = {"A", 1}, .row = {"1", 1}, .seat = {"1", 1}};
    for (uint32_t i = 1; i <= seats; i++) {
        caller = calling(COMMAND_SEATS_ADD, partition_of_date(date));
        caller.request.command.seats.first = i;
        caller.request.command.seats.count = 1;
        caller.request.command.seats.seats = &spec;
        call(t, &caller);
        assert_int_equal(caller.reply.kind, REPLY_SEATS_ADDED);
    }
    caller = calling(COMMAND_DATE_OPEN, partition_of_date(date));
    call(t, &caller);
    assert_int_equal(caller.reply.kind, REPLY_DATE);
}
struct token enter(struct world_under_test *t, uint32_t date, uint8_t user) {
    struct runtime_caller caller = calling(COMMAND_QUEUE_ENTER, partition_of_date(date));
    caller.request.command.enter.user = user_of(user);
    call(t, &caller);
    assert_int_equal(caller.reply.kind, REPLY_TOKEN);
    return caller.reply.token.token;
}
struct runtime_caller hold_call(struct token token, const struct seat_ref *seat) {
    struct runtime_caller caller = calling(COMMAND_SEATS_HOLD, partition_of_date(token.date));
    caller.request.command.hold.token = token;
    caller.request.command.hold.seats = seat;
    caller.request.command.hold.count = 1;
    return caller;
}
struct runtime_caller charge_call(uint8_t user, uint64_t amount, uint8_t key) {
    struct id128 id = user_of(user);
    struct runtime_caller caller = calling(COMMAND_WALLET_CHARGE, partition_of_user(&id));
    caller.request.command.wallet.user = id;
    caller.request.command.wallet.amount = amount;
    caller.request.command.wallet.key = user_of(key);
    return caller;
}
void charge(struct world_under_test *t, uint8_t user, uint64_t amount) {
    struct runtime_caller caller = charge_call(user, amount, user);
    call(t, &caller);
    assert_int_equal(caller.reply.kind, REPLY_WALLET);
}
struct runtime_caller pay_call(struct token token, uint64_t reservation, uint8_t key) {
    struct runtime_caller caller = calling(COMMAND_PAYMENT_PAY, partition_of_date(token.date));
    caller.request.command.pay.token = token;
    caller.request.command.pay.reservation = reservation;
    caller.request.command.pay.key = user_of(key);
    return caller;
}
