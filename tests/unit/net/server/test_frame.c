/* test_frame.c - one frame from bytes to reply, with an engine that is driven by hand */
#include "tests/support/cmocka.h"

#include <stdio.h>

#include "engine/domain/date/date.h"
#include "engine/runtime/engine.h"
#include "net/server/frame.h"
#include "net/protocol/limits.h"
#include "tests/support/notation.h"

#define USER(last) "'123e4567-e89b-42d3-a456-4266141740" last "'"
#define CHARGE(msgid, last, amount)                                                                \
    "[0," msgid ",'wallet.charge',{'user':" USER(last) ",'amount':" amount ",'key':'k'}]"
#define PING(msgid) "[0," msgid ",'system.ping',{}]"

static struct {
    struct frame_shared shared;
    struct frame frame;
    struct value_writer bytes;
    uint32_t done;
    struct request *submitted[64]; /* in the order of submission */
    uint32_t submitted_count;
    uint32_t submit_calls;
    uint32_t busy_shard; /* this shard's mailbox is full; SHARDS_MAX: none is */
} f;

static uint32_t shard_of(void *context, const struct command *command) {
    (void)context;
    return partition_is_account(command->partition) ? command->partition % 2 : 2;
}

static int submit(void *context, uint32_t shard, struct request *chain) {
    (void)context;
    f.submit_calls++;
    if (shard == f.busy_shard) return ENGINE_BUSY;
    for (; chain; chain = chain->next) {
        assert_int_equal(shard_of(NULL, &chain->command), shard);
        f.submitted[f.submitted_count++] = chain;
    }
    return 0;
}

static void done(void *context, struct frame *frame) {
    assert_ptr_equal(context, &f);
    assert_ptr_equal(frame, &f.frame);
    f.done++;
}

static int setup(void **state) {
    (void)state;
    memset(&f, 0, sizeof f);
    f.busy_shard = SHARDS_MAX;
    f.shared.engine.submit = submit;
    f.shared.engine.shard_of = shard_of;
    value_writer_init(&f.bytes, NULL, 0, 4u << 20);
    return frame_init(&f.frame, &f.shared, false, done, &f);
}

static int teardown(void **state) {
    (void)state;
    frame_deinit(&f.frame);
    value_writer_deinit(&f.bytes);
    assert_int_equal(atomic_load(&f.shared.heap_bytes), 0);
    assert_int_equal(atomic_load(&f.shared.in_flight), 0);
    return 0;
}

static void run(const char *const *requests, uint32_t count) {
    value_writer_clear(&f.bytes);
    for (uint32_t i = 0; i < count; i++) notation_write(&f.bytes, requests[i]);
    f.done = f.submitted_count = f.submit_calls = 0;
    frame_run(&f.frame, f.bytes.bytes, f.bytes.size);
}

/* Answer with the amount that was asked for. */
static void answer(struct request *request) {
    struct reply reply = {.kind = REPLY_DONE};
    if (request->command.kind == COMMAND_WALLET_CHARGE) {
        reply.kind = REPLY_CREATED;
        reply.created.concert = (uint32_t)request->command.wallet.amount;
    }
    frame_sink_encode(&f.shared, request, &reply);
    frame_sink_release(&f.shared, request);
}

/* Return: the reply frame as text; ends the frame */
static const char *finish(void) {
    struct value_writer all;
    assert_int_equal(f.done, 1);
    value_writer_init(&all, NULL, 0, NET_REPLY_FRAME_BYTES_MAX);
    uint32_t total = frame_reply_bytes(&f.frame);
    for (uint32_t i = 0; i < f.frame.count && total > 0; i++) {
        uint32_t size;
        const uint8_t *bytes = frame_reply_at(&f.frame, i, &size);
        value_write_raw(&all, bytes, size);
    }
    assert_int_equal(all.size, total);
    const char *text = notation_print_bytes(all.bytes, all.size);
    value_writer_deinit(&all);
    frame_recycle(&f.frame);
    assert_true(frame_end(&f.shared));
    return text;
}

/* @message: NULL: the code's own */
static const char *error_text(uint32_t msgid, enum error code, const char *message,
                              const char *data) {
    static char text[512];
    const struct error_row *row = error_row(code);
    (void)snprintf(text, sizeof text, "[1,%u,{'code':'%s','message':'%s','data':{%s}},nil]", msgid,
                   row->name, message ? message : row->text, data);
    return text;
}

/* Chains go to their shards in the order of the frame; answers come back in any order and leave in
 * the order of the frame. */
static void order(void **state) {
    (void)state;
    const char *requests[] = {CHARGE("5", "00", "10"), CHARGE("6", "01", "11"), PING("7"),
                              CHARGE("8", "00", "12"), CHARGE("9", "02", "13")};
    run(requests, 5);
    assert_int_equal(f.submit_calls, 3);
    assert_int_equal(f.submitted_count, 5);
    static const uint32_t amounts[] = {10, 12, 13, 11};
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(f.submitted[i]->command.wallet.amount, amounts[i]);
    }
    for (uint32_t i = 5; i-- > 0;) {
        assert_int_equal(f.done, 0);
        assert_int_equal(atomic_load(&f.shared.in_flight), 1);
        answer(f.submitted[i]);
    }
    assert_string_equal(finish(), "[1,5,nil,{'concert':10}] [1,6,nil,{'concert':11}] [1,7,nil,{}] "
                                  "[1,8,nil,{'concert':12}] [1,9,nil,{'concert':13}]");
}

/* Errors of net's own stand in their place; their neighbours are executed. */
static void neighbours(void **state) {
    (void)state;
    const char *requests[] = {"[0,1,'no.such',{}]", CHARGE("2", "00", "10"),
                              "[0,3,'system.ping',{'x':1}]", "[0,4,'admin.date_open',{'date':1}]"};
    char expected[2048];
    run(requests, 4);
    assert_int_equal(f.submitted_count, 1);
    answer(f.submitted[0]);
    int size = snprintf(expected, sizeof expected, "%s [1,2,nil,{'concert':10}] ",
                        error_text(1, ERROR_UNKNOWN_METHOD, NULL, ""));
    size += snprintf(expected + size, sizeof expected - (size_t)size, "%s ",
                     error_text(3, ERROR_BAD_PARAMS,
                                "Parameter \"x\" is not a parameter of this method. This method "
                                "takes no parameters.",
                                "'param':'x'"));
    (void)snprintf(expected + size, sizeof expected - (size_t)size, "%s",
                   error_text(4, ERROR_UNKNOWN_METHOD, NULL, ""));
    assert_string_equal(finish(), expected);
    assert_int_equal(atomic_load(&f.shared.refused), 3);
    assert_int_equal(atomic_load(&f.shared.requests), 4);
}

static void malformed(void **state) {
    (void)state;
    const char *requests[] = {CHARGE("2", "00", "10"), "[0,2,'system.ping',{}]", "nil"};
    char offset[32];
    run(requests, 3);
    assert_int_equal(f.submit_calls, 0); /* nothing in it was done */
    (void)snprintf(offset, sizeof offset, "'offset':%u", f.bytes.size - 1);
    assert_string_equal(finish(), error_text(0, ERROR_MALFORMED, NULL, offset));
    assert_int_equal(atomic_load(&f.shared.malformed), 1);
    /* Too long by a byte, whatever it holds. */
    static uint8_t big[FRAME_BYTES_MAX + 1];
    f.done = 0;
    frame_run(&f.frame, big, sizeof big);
    assert_string_equal(finish(), error_text(0, ERROR_MALFORMED, NULL, "'offset':0"));
}

static void busy(void **state) {
    (void)state;
    const char *requests[] = {CHARGE("1", "00", "10"), CHARGE("2", "01", "11"),
                              CHARGE("3", "00", "12")};
    char expected[1024];
    f.busy_shard = 0;
    run(requests, 3);
    assert_int_equal(f.submitted_count, 1);
    assert_int_equal(f.done, 0);
    answer(f.submitted[0]);
    int size = snprintf(expected, sizeof expected, "%s [1,2,nil,{'concert':11}] ",
                        error_text(1, ERROR_BUSY, NULL, "'retry_ms':5"));
    (void)snprintf(expected + size, sizeof expected - (size_t)size, "%s",
                   error_text(3, ERROR_BUSY, NULL, "'retry_ms':5"));
    assert_string_equal(finish(), expected);
    assert_int_equal(atomic_load(&f.shared.busy), 2);
}

static void stopping(void **state) {
    (void)state;
    const char *requests[] = {CHARGE("1", "00", "10")};
    atomic_store(&f.shared.stopping, true);
    run(requests, 1);
    assert_int_equal(f.submit_calls, 0);
    assert_string_equal(finish(), error_text(1, ERROR_STOPPING, NULL, ""));
}

/* A date whose list of seats is as long as can be: 4 x 255 bytes of text for each seat. */
static struct date *big_date(uint32_t seats) {
    struct decision_date_created created = {.date = 1, .concert = 1};
    static char long_text[TEXT_BYTES_MAX];
    memset(long_text, 'x', sizeof long_text);
    policy_default(&created.policy);
    struct date *date = date_create(&created);
    for (uint32_t i = 1; i <= seats; i++) {
        char guid[TEXT_BYTES_MAX];
        struct text text = {long_text, sizeof long_text};
        memset(guid, 'g', sizeof guid);
        guid[snprintf(guid, sizeof guid, "%06u", i)] = 'g';
        struct decision added = {
            .kind = DECISION_SEAT_ADDED,
            .partition = date->partition.id,
            .seat_added = {i, AMOUNT_MAX, 1, text, text, text, {guid, sizeof guid}}};
        partition_apply(&date->partition, &added);
    }
    return date;
}

static void answer_seats(struct request *request, const struct date *date) {
    struct reply reply = {.kind = REPLY_SEATS, .seats = {date, 1, SEATS_LIST_MAX, true}};
    frame_sink_encode(&f.shared, request, &reply);
    frame_sink_release(&f.shared, request);
}

/* The longest page fits a response; fourteen of them fit a reply frame, the others are BUSY. */
static void lists_are_bounded(void **state) {
    (void)state;
    const char *requests[20];
    struct date *date = big_date(SEATS_LIST_MAX);
    for (uint32_t i = 0; i < 20; i++) requests[i] = PING("1");
    run(requests, 20);
    assert_int_equal(f.submitted_count, 20);
    for (uint32_t i = 0; i < 20; i++) answer_seats(f.submitted[i], date);
    assert_int_equal(f.done, 1);
    uint32_t one, last;
    (void)frame_reply_at(&f.frame, 0, &one);
    (void)frame_reply_at(&f.frame, 19, &last);
    assert_in_range(one, 1000u * 1024u, NET_RESPONSE_BYTES_MAX);
    assert_in_range(last, 1, NET_REPLY_INLINE_BYTES);
    uint64_t fit = NET_REPLY_LISTS_BYTES_MAX / one;
    assert_int_equal(atomic_load(&f.shared.busy), 20 - fit);
    assert_in_range(frame_reply_bytes(&f.frame), fit * one, NET_REPLY_FRAME_BYTES_MAX);
    assert_true(atomic_load(&f.shared.heap_bytes) >= fit * one);
    frame_recycle(&f.frame);
    assert_int_equal(atomic_load(&f.shared.heap_bytes), 0);
    assert_true(frame_end(&f.shared));
    partition_free(&date->partition);
}

/* When the memory for replies is used up, lists are BUSY and changes are still answered. */
static void heap_is_bounded(void **state) {
    (void)state;
    const char *requests[] = {PING("1"), CHARGE("2", "00", "10")};
    struct date *date = big_date(10);
    atomic_fetch_add(&f.shared.heap_bytes, NET_REPLY_HEAP_BYTES_MAX);
    run(requests, 2);
    answer_seats(f.submitted[1], date); /* the ping: account shards come first */
    answer(f.submitted[0]);
    const char *text = finish();
    assert_non_null(strstr(text, "[1,1,{'code':'BUSY'"));
    assert_non_null(strstr(text, "[1,2,nil,{'concert':10}]"));
    atomic_fetch_sub(&f.shared.heap_bytes, NET_REPLY_HEAP_BYTES_MAX);
    partition_free(&date->partition);
}

/* A list that came in pieces, and turned into an error at its end. */
static void list_in_pieces(void **state) {
    (void)state;
    const char *requests[] = {"[0,1,'reservation.list',{'user':" USER("00") "}]"};
    for (int round = 0; round < 3; round++) {
        run(requests, 1);
        struct reply end = {.kind = REPLY_RESERVATION_END};
        if (round == 1) { end = (struct reply){.kind = REPLY_ERROR, .error = ERROR_DATE_CLOSED}; }
        frame_sink_encode(&f.shared, f.submitted[0], &end);
        frame_sink_release(&f.shared, f.submitted[0]);
        const char *expected = round == 1 ? error_text(1, ERROR_DATE_CLOSED, NULL, "")
                                          : "[1,1,nil,{'reservations':[],'truncated':false}]";
        assert_string_equal(finish(), expected);
    }
}

/* Frames of all sizes, one after the other, in one context: nothing of one shows in the next. */
static void reuse(void **state) {
    (void)state;
    struct random random = {random_seed(3)};
    for (int round = 0; round < 300; round++) {
        uint32_t count = random_index(&random, 60) + 1;
        value_writer_clear(&f.bytes);
        for (uint32_t i = 0; i < count; i++) {
            char request[200];
            (void)snprintf(request, sizeof request, CHARGE("%u", "%02x", "%u"), i,
                           random_index(&random, 16), i + 1000 * (unsigned)round);
            notation_write(&f.bytes, request);
        }
        f.done = f.submitted_count = 0;
        frame_run(&f.frame, f.bytes.bytes, f.bytes.size);
        assert_int_equal(f.submitted_count, count);
        for (uint32_t left = count; left > 0; left--) {
            uint32_t pick = random_index(&random, left);
            answer(f.submitted[pick]);
            f.submitted[pick] = f.submitted[left - 1];
        }
        const char *text = finish();
        for (uint32_t i = 0; i < count; i++) {
            char expected[100];
            (void)snprintf(expected, sizeof expected, "[1,%u,nil,{'concert':%u}]%s", i,
                           i + 1000 * (unsigned)round, i + 1 < count ? " " : "");
            assert_memory_equal(text, expected, strlen(expected));
            text += strlen(expected);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(order),    TEST(neighbours),        TEST(malformed),       TEST(busy),
        TEST(stopping), TEST(lists_are_bounded), TEST(heap_is_bounded), TEST(list_in_pieces),
        TEST(reuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
