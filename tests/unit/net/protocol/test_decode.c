/* test_decode.c - frames and requests from bytes: every method, bad parameters, hostile frames */
#include "tests/support/cmocka.h"

#include <stdio.h>

#include "net/protocol/decode.h"
#include "net/protocol/limits.h"
#include "net/protocol/text.h"
#include "tests/support/notation.h"

#define USER "'123e4567-e89b-42d3-a456-426614174000'"
#define NIL_USER "'00000000-0000-0000-0000-000000000000'"
#define TOKEN "'0000000700000009a0a1a2a3a4a5a6a7a8a9aaabacadaeaf'"
#define RESERVATION "30064771073" /* 7 << 32 | 1 */

/* One request at work. */
static struct decode_fixture {
    struct value_writer bytes;
    struct arena arena;
    struct command command;
    struct error_reply error;
} f;

static int setup(void **state) {
    (void)state;
    value_writer_init(&f.bytes, NULL, 0, 4u << 20);
    arena_init(&f.arena);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    value_writer_deinit(&f.bytes);
    arena_deinit(&f.arena);
    return 0;
}

/* Return: what decode_request() returns for a request with these params */
static int decode(const char *method, const char *params, bool admin) {
    static struct decode_span spans[REQUESTS_PER_FRAME_MAX];
    uint32_t count, offset;
    value_writer_clear(&f.bytes);
    arena_reset(&f.arena);
    value_write_array(&f.bytes, 4);
    value_write_uint(&f.bytes, 0);
    value_write_uint(&f.bytes, 1);
    value_write_text(&f.bytes, method);
    notation_write(&f.bytes, params);
    assert_int_equal(decode_scan(f.bytes.bytes, f.bytes.size, spans, &count, &offset), VALUE_OK);
    assert_int_equal(count, 1);
    memset(&f.error, 0, sizeof f.error);
    return decode_request(f.bytes.bytes, &spans[0], admin, &f.arena, &f.command, &f.error);
}

static void accept(const char *method, const char *params, uint32_t kind, uint32_t partition) {
    int code = decode(method, params, true);
    if (code != ERROR_NONE) fail_msg("%s %s: %s", method, params, error_name((uint32_t)code));
    assert_int_equal(f.command.kind, kind);
    assert_int_equal(f.command.partition, partition);
    assert_int_equal(f.command.origin, 0);
}

static void assert_text(struct text text, const char *expected) {
    assert_int_equal(text.size, strlen(expected));
    assert_memory_equal(text.bytes, expected, text.size);
}

static void assert_token(const struct token *token) {
    assert_int_equal(token->date, 7);
    assert_int_equal(token->place, 9);
    assert_int_equal(token->secret.bytes[15], 0xaf);
}

static void assert_user(const struct id128 *user) {
    assert_int_equal(user->bytes[0], 0x12);
    assert_int_equal(user->bytes[15], 0);
}

static void public_methods(void **state) {
    (void)state;
    uint32_t date = partition_of_date(7);
    struct id128 key;
    key_digest("k1", 2, &key);
    accept("queue.enter", "{'date':7,'user':" USER "}", COMMAND_QUEUE_ENTER, date);
    assert_user(&f.command.enter.user);
    assert_true(id128_is_none(&f.command.enter.key)); /* O4: where it is optional */
    accept("queue.enter", "{'date':7,'user':" USER ",'key':'k1'}", COMMAND_QUEUE_ENTER, date);
    assert_true(id128_equal(&f.command.enter.key, &key));
    accept("queue.status", "{'token':" TOKEN "}", COMMAND_QUEUE_STATUS, date);
    assert_token(&f.command.queue.token);
    accept("queue.leave", "{'token':" TOKEN "}", COMMAND_QUEUE_LEAVE, date);
    assert_token(&f.command.queue.token);
    accept("catalogue.concerts", "{}", COMMAND_CATALOGUE_CONCERTS, PARTITION_CATALOGUE);
    accept("catalogue.dates", "{'concert':3}", COMMAND_CATALOGUE_DATES, PARTITION_CATALOGUE);
    assert_int_equal(f.command.dates.concert, 3);
    assert_false(f.command.dates.has_token);
    assert_false(f.command.dates.available_only);
    accept("catalogue.dates", "{'available_only':true,'token':" TOKEN ",'concert':3}",
           COMMAND_CATALOGUE_DATES, date);
    assert_true(f.command.dates.has_token);
    assert_false(f.command.dates.token_is_active);
    assert_true(f.command.dates.available_only);
    assert_token(&f.command.dates.token);
    accept("seats.list", "{'token':" TOKEN "}", COMMAND_SEATS_LIST, date);
    assert_int_equal(f.command.list.first, 1);
    assert_int_equal(f.command.list.limit, 500);
    assert_false(f.command.list.all);
    accept("seats.list", "{'token':" TOKEN ",'first':4294967295,'limit':1000,'all':true}",
           COMMAND_SEATS_LIST, date);
    assert_int_equal(f.command.list.first, UINT32_MAX);
    assert_int_equal(f.command.list.limit, 1000);
    assert_true(f.command.list.all);
    accept("seats.hold", "{'token':" TOKEN ",'seats':[5,'A/1/2','guid-9']}", COMMAND_SEATS_HOLD,
           date);
    assert_int_equal(f.command.hold.count, 3);
    assert_int_equal(f.command.hold.seats[0].number, 5);
    assert_null(f.command.hold.seats[0].name.bytes);
    assert_text(f.command.hold.seats[1].name, "A/1/2");
    assert_text(f.command.hold.seats[2].name, "guid-9");
    accept("seats.release", "{'token':" TOKEN ",'reservation':" RESERVATION "}",
           COMMAND_SEATS_RELEASE, date);
    assert_int_equal(f.command.release.reservation, dated_id(7, 1));
    accept("reservation.list", "{'user':" USER "}", COMMAND_RESERVATION_LIST, partition_of_date(0));
    assert_int_equal(f.command.reservations.date, 0);
    accept("reservation.list", "{'user':" USER ",'date':7}", COMMAND_RESERVATION_LIST, date);
    assert_int_equal(f.command.reservations.date, 7);
    assert_user(&f.command.reservations.user);
    accept("reservation.cancel", "{'user':" USER ",'reservation':" RESERVATION ",'key':'k1'}",
           COMMAND_RESERVATION_CANCEL, date);
    assert_user(&f.command.cancel.user);
    assert_true(id128_equal(&f.command.cancel.key, &key));
    accept("payment.pay", "{'token':" TOKEN ",'reservation':" RESERVATION ",'key':'k1'}",
           COMMAND_PAYMENT_PAY, date);
    assert_token(&f.command.pay.token);
    assert_int_equal(f.command.pay.reservation, dated_id(7, 1));
    assert_true(id128_equal(&f.command.pay.key, &key));
    assert_true(id128_is_none(&f.command.pay.user));
    /* P1: the user instead of a token that has ended */
    accept("payment.pay", "{'user':" USER ",'reservation':" RESERVATION ",'key':'k1'}",
           COMMAND_PAYMENT_PAY, date);
    assert_user(&f.command.pay.user);
    assert_int_equal(f.command.pay.reservation, dated_id(7, 1));
}

static void wallet_methods(void **state) {
    (void)state;
    static const struct {
        const char *amount;
        uint64_t expected;
    } amounts[] = {
        {"1", 1},
        {"0", 0},
        {"-5", 0},
        {"9007199254740991", AMOUNT_MAX},
        {"9007199254740992", AMOUNT_MAX + 1},
        {"18446744073709551615", UINT64_MAX},
        {"-9223372036854775808", 0},
    };
    for (size_t i = 0; i < sizeof amounts / sizeof amounts[0]; i++) {
        char params[200];
        (void)snprintf(params, sizeof params, "{'user':" USER ",'amount':%s,'key':'k'}",
                       amounts[i].amount);
        accept("wallet.charge", params, COMMAND_WALLET_CHARGE, PARTITION_ACCOUNT_FIRST);
        assert_int_equal(f.command.wallet.amount, amounts[i].expected);
        assert_user(&f.command.wallet.user);
        assert_false(id128_is_none(&f.command.wallet.key));
    }
    accept("wallet.balance", "{'user':'123e4567-e89b-42d3-a456-426614174013'}",
           COMMAND_WALLET_BALANCE, PARTITION_ACCOUNT_FIRST + 3);
    accept("wallet.history", "{'user':" USER "}", COMMAND_WALLET_HISTORY, PARTITION_ACCOUNT_FIRST);
    accept("system.ping", "{}", COMMAND_SYSTEM_PING, PARTITION_CATALOGUE);
    accept("system.stats", "{}", COMMAND_SYSTEM_STATS, PARTITION_CATALOGUE);
}

static void admin_methods(void **state) {
    (void)state;
    accept("admin.concert_create", "{'title':'Requiem'}", COMMAND_CONCERT_CREATE,
           PARTITION_CATALOGUE);
    assert_text(f.command.concert.title, "Requiem");
    assert_true(id128_is_none(&f.command.concert.key)); /* O4: where it is optional */
    struct id128 key;
    key_digest("k1", 2, &key);
    accept("admin.concert_create", "{'key':'k1','title':'Requiem'}", COMMAND_CONCERT_CREATE,
           PARTITION_CATALOGUE);
    assert_true(id128_equal(&f.command.concert.key, &key));
    accept("admin.date_create", "{'concert':2,'title':'Friday','starts_at':1,'key':'k1'}",
           COMMAND_DATE_CREATE, PARTITION_CATALOGUE);
    assert_true(id128_equal(&f.command.date.key, &key));
    accept("admin.date_create", "{'concert':2,'title':'Friday','starts_at':1700000000000}",
           COMMAND_DATE_CREATE, PARTITION_CATALOGUE);
    assert_int_equal(f.command.date.concert, 2);
    assert_text(f.command.date.title, "Friday");
    assert_int_equal(f.command.date.starts_at, 1700000000000);
    assert_true(id128_is_none(&f.command.date.key));
    struct policy defaults;
    policy_default(&defaults);
    assert_memory_equal(f.command.date.policy, &defaults, sizeof defaults);
    accept("admin.date_create",
           "{'concert':2,'title':'Friday','starts_at':0,'reentry':'requeue','gate_dates':true,"
           "'active_capacity':50,'token_expires_on':'reservation','order':'fifo',"
           "'sales_open_at':1699999999999}",
           COMMAND_DATE_CREATE, PARTITION_CATALOGUE);
    assert_int_equal(f.command.date.policy->reentry, REENTRY_REQUEUE);
    assert_int_equal(f.command.date.policy->gate_dates, 1);
    assert_int_equal(f.command.date.policy->active_capacity, 50);
    assert_int_equal(f.command.date.policy->token_expires_on, TOKEN_EXPIRES_ON_RESERVATION);
    assert_int_equal(f.command.date.policy->sales_open_at, 1699999999999);
    assert_int_equal(f.command.date.policy->hold_ttl_ms, defaults.hold_ttl_ms);
    accept("admin.seats_add",
           "{'date':7,'first':1,'seats':[{'section':'A','row':'9A','seat':'16 bis','price':100},"
           "{'guid':'g','price':0,'seat':'','row':'','section':'','for_sale':false}]}",
           COMMAND_SEATS_ADD, partition_of_date(7));
    assert_int_equal(f.command.seats.first, 1);
    assert_int_equal(f.command.seats.count, 2);
    assert_text(f.command.seats.seats[0].seat, "16 bis");
    assert_int_equal(f.command.seats.seats[0].price, 100);
    assert_true(f.command.seats.seats[0].for_sale);
    assert_int_equal(f.command.seats.seats[0].guid.size, 0);
    assert_text(f.command.seats.seats[1].guid, "g");
    assert_false(f.command.seats.seats[1].for_sale);
    accept("admin.date_policy", "{'date':7,'hold_ttl_ms':1000,'gate_dates':false}",
           COMMAND_DATE_POLICY, partition_of_date(7));
    assert_int_equal(f.command.policy.fields,
                     1u << POLICY_INDEX_hold_ttl_ms | 1u << POLICY_INDEX_gate_dates);
    assert_int_equal(f.command.policy.policy->hold_ttl_ms, 1000);
    accept("admin.date_open", "{'date':4096}", COMMAND_DATE_OPEN, partition_of_date(DATES_MAX));
    accept("admin.date_close", "{'date':1}", COMMAND_DATE_CLOSE, partition_of_date(1));
    accept("admin.date_cancel", "{'date':1}", COMMAND_DATE_CANCEL, partition_of_date(1));
    assert_int_equal(f.command.confirm.number, 0); /* the engine says what is missing */
    assert_null(f.command.confirm.name.bytes);
    accept("admin.date_cancel", "{'date':2,'confirm':2}", COMMAND_DATE_CANCEL,
           partition_of_date(2));
    assert_int_equal(f.command.confirm.number, 2);
    accept("admin.date_cancel", "{'confirm':'Friday','date':2}", COMMAND_DATE_CANCEL,
           partition_of_date(2));
    assert_int_equal(f.command.confirm.number, 0);
    assert_text(f.command.confirm.name, "Friday");
    accept("admin.seats_list", "{'date':7}", COMMAND_DATE_SEATS, partition_of_date(7));
    assert_int_equal(f.command.list.first, 1);
    assert_int_equal(f.command.list.limit, 500);
    assert_true(f.command.list.all);
    accept("admin.seats_list", "{'date':7,'first':5,'limit':1000}", COMMAND_DATE_SEATS,
           partition_of_date(7));
    assert_int_equal(f.command.list.first, 5);
    assert_int_equal(f.command.list.limit, 1000);
}

/* Each method once without each of its required parameters, and once with one too many. */
static void missing_and_unknown(void **state) {
    (void)state;
    static const char *const methods[][6] = {
        {"queue.enter", "'date':7", "'user':" USER},
        {"queue.status", "'token':" TOKEN},
        {"queue.leave", "'token':" TOKEN},
        {"catalogue.dates", "'concert':1"},
        {"seats.list", "'token':" TOKEN},
        {"seats.hold", "'token':" TOKEN, "'seats':[1]"},
        {"seats.release", "'token':" TOKEN, "'reservation':" RESERVATION},
        {"reservation.list", "'user':" USER},
        {"reservation.cancel", "'user':" USER, "'reservation':" RESERVATION, "'key':'k'"},
        {"payment.pay", "'token':" TOKEN, "'reservation':" RESERVATION, "'key':'k'"},
        {"wallet.charge", "'user':" USER, "'amount':1", "'key':'k'"},
        {"wallet.balance", "'user':" USER},
        {"wallet.history", "'user':" USER},
        {"admin.concert_create", "'title':'t'"},
        {"admin.date_create", "'concert':1", "'title':'t'", "'starts_at':0"},
        {"admin.seats_add", "'date':1", "'first':1",
         "'seats':[{'section':'','row':'','seat':'','price':1}]"},
        {"admin.date_policy", "'date':1", "'order':'fifo'"},
        {"admin.date_open", "'date':1"},
        {"admin.date_close", "'date':1"},
        {"admin.date_cancel", "'date':1"},
        {"admin.seats_list", "'date':1"},
    };
    for (size_t m = 0; m < sizeof methods / sizeof methods[0]; m++) {
        for (size_t skip = 1; skip <= 5; skip++) { /* past the last one: all are there */
            char params[1000] = "{";
            bool skipped = false;
            for (size_t i = 1; i < 6 && methods[m][i]; i++) {
                if (i == skip) {
                    skipped = true;
                    continue;
                }
                if (params[1]) strcat(params, ",");
                strcat(params, methods[m][i]);
            }
            strcat(params, "}");
            int code = decode(methods[m][0], params, true);
            int expected = skipped ? ERROR_BAD_PARAMS : ERROR_NONE;
            if (code != expected) fail_msg("%s %s", methods[m][0], params);
            if (skipped && strcmp(methods[m][0], "admin.date_policy") != 0) {
                /* The name that is missing is the name that was left out. */
                assert_memory_equal(f.error.param, methods[m][skip] + 1, f.error.param_size);
            }
            if (skipped) continue;
            params[strlen(params) - 1] = '\0';
            strcat(params, params[1] ? ",'extra':1}" : "'extra':1}");
            assert_int_equal(decode(methods[m][0], params, true), ERROR_BAD_PARAMS);
            assert_int_equal(f.error.param_size, 5);
            assert_memory_equal(f.error.param, "extra", 5);
        }
    }
}

struct decode_refusal {
    const char *method, *params;
    enum error code;
    const char *param; /* BAD_PARAMS */
    uint64_t data;     /* the others */
};

static const struct decode_refusal refusals[] = {
    {"queue.enter", "{'date':'7','user':" USER "}", ERROR_BAD_PARAMS, "date", 0},
    {"queue.enter", "{'date':-7,'user':" USER "}", ERROR_BAD_PARAMS, "date", 0},
    {"queue.enter", "{'date':1.5,'user':" USER "}", ERROR_BAD_PARAMS, "date", 0},
    {"queue.enter", "{'date':nil,'user':" USER "}", ERROR_BAD_PARAMS, "date", 0},
    {"queue.enter", "{'date':0,'user':" USER "}", ERROR_NO_SUCH_DATE, NULL, 0},
    {"queue.enter", "{'date':4097,'user':" USER "}", ERROR_NO_SUCH_DATE, NULL, 4097},
    {"queue.enter", "{'date':4294967303,'user':" USER "}", ERROR_NO_SUCH_DATE, NULL, 4294967303},
    {"queue.enter", "{'date':7,'user':'bob'}", ERROR_BAD_PARAMS, "user", 0},
    {"queue.enter", "{'date':7,'user':" NIL_USER "}", ERROR_BAD_PARAMS, "user", 0},
    {"queue.enter", "{'date':7,'user':[" USER "]}", ERROR_BAD_PARAMS, "user", 0},
    {"queue.enter", "{'date':7,'user':" USER ",'date':7}", ERROR_BAD_PARAMS, "date", 0},
    {"queue.enter", "{'date':7,'user':" USER ",'Date':7}", ERROR_BAD_PARAMS, "Date", 0},
    {"queue.enter", "{'date':7,'user':" USER ",5:7}", ERROR_BAD_PARAMS, NULL, 0},
    {"queue.enter", "{'date':7,'user':" USER ",[1]:7}", ERROR_BAD_PARAMS, NULL, 0},
    {"queue.status", "{'token':5}", ERROR_BAD_PARAMS, "token", 0},
    {"queue.status", "{'token':'x'}", ERROR_TOKEN_INVALID, NULL, 0},
    {"queue.status", "{'token':''}", ERROR_TOKEN_INVALID, NULL, 0},
    {"queue.status", "{'token':'0000000000000009a0a1a2a3a4a5a6a7a8a9aaabacadaeaf'}",
     ERROR_TOKEN_INVALID, NULL, 0}, /* date 0 */
    {"queue.status", "{'token':'ffffffff00000009a0a1a2a3a4a5a6a7a8a9aaabacadaeaf'}",
     ERROR_TOKEN_INVALID, NULL, 0}, /* its partition would wrap around */
    {"queue.status", "{'token':'0000000700000000a0a1a2a3a4a5a6a7a8a9aaabacadaeaf'}",
     ERROR_TOKEN_INVALID, NULL, 0}, /* place 0 */
    {"catalogue.dates", "{'concert':0}", ERROR_NO_SUCH_CONCERT, NULL, 0},
    {"catalogue.dates", "{'concert':4097}", ERROR_NO_SUCH_CONCERT, NULL, 4097},
    {"catalogue.dates", "{'concert':1,'available_only':1}", ERROR_BAD_PARAMS, "available_only", 0},
    {"catalogue.dates", "{'concert':1,'token':nil}", ERROR_BAD_PARAMS, "token", 0},
    {"seats.list", "{'token':" TOKEN ",'first':0}", ERROR_BAD_PARAMS, "first", 0},
    {"seats.list", "{'token':" TOKEN ",'first':4294967296}", ERROR_BAD_PARAMS, "first", 0},
    {"seats.list", "{'token':" TOKEN ",'limit':0}", ERROR_BAD_PARAMS, "limit", 0},
    {"seats.list", "{'token':" TOKEN ",'limit':1001}", ERROR_BAD_PARAMS, "limit", 0},
    {"seats.list", "{'token':" TOKEN ",'all':'yes'}", ERROR_BAD_PARAMS, "all", 0},
    {"seats.hold", "{'token':" TOKEN ",'seats':[]}", ERROR_BAD_PARAMS, "seats", 0},
    {"seats.hold", "{'token':" TOKEN ",'seats':1}", ERROR_BAD_PARAMS, "seats", 0},
    {"seats.hold", "{'token':" TOKEN ",'seats':[0]}", ERROR_BAD_PARAMS, "seats", 0},
    {"seats.hold", "{'token':" TOKEN ",'seats':[-1]}", ERROR_BAD_PARAMS, "seats", 0},
    {"seats.hold", "{'token':" TOKEN ",'seats':['']}", ERROR_BAD_PARAMS, "seats", 0},
    {"seats.hold", "{'token':" TOKEN ",'seats':[nil]}", ERROR_BAD_PARAMS, "seats", 0},
    {"seats.hold", "{'token':" TOKEN ",'seats':[4294967296]}", ERROR_BAD_PARAMS, "seats", 0},
    {"seats.hold", "{'token':" TOKEN ",'seats':[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}",
     ERROR_BAD_PARAMS, "seats", 0},
    {"seats.release", "{'token':" TOKEN ",'reservation':1}", ERROR_NO_SUCH_RESERVATION, NULL, 1},
    {"seats.release", "{'token':" TOKEN ",'reservation':30064771072}", ERROR_NO_SUCH_RESERVATION,
     NULL, 30064771072}, /* sequence 0 */
    {"seats.release", "{'token':" TOKEN ",'reservation':18446744073709551615}",
     ERROR_NO_SUCH_RESERVATION, NULL, UINT64_MAX},
    {"seats.release", "{'token':" TOKEN ",'reservation':'1'}", ERROR_BAD_PARAMS, "reservation", 0},
    {"reservation.list", "{'user':" USER ",'date':0}", ERROR_NO_SUCH_DATE, NULL, 0},
    {"payment.pay", "{'token':" TOKEN ",'reservation':" RESERVATION ",'key':''}", ERROR_BAD_PARAMS,
     "key", 0},
    {"payment.pay", "{'token':" TOKEN ",'reservation':" RESERVATION ",'key':7}", ERROR_BAD_PARAMS,
     "key", 0},
    {"payment.pay",
     "{'token':" TOKEN ",'reservation':" RESERVATION ",'key':"
     "'12345678901234567890123456789012345678901234567890123456789012345'}",
     ERROR_BAD_PARAMS, "key", 0},
    {"wallet.charge", "{'user':" USER ",'amount':'1','key':'k'}", ERROR_BAD_PARAMS, "amount", 0},
    {"wallet.charge", "{'user':" USER ",'amount':1.5,'key':'k'}", ERROR_BAD_PARAMS, "amount", 0},
    {"admin.concert_create", "{'title':''}", ERROR_BAD_PARAMS, "title", 0},
    {"admin.concert_create", "{'title':'t','key':''}", ERROR_BAD_PARAMS, "key", 0},
    {"admin.concert_create", "{'title':'a\nb'}", ERROR_BAD_PARAMS, "title", 0},
    {"admin.concert_create", "{'title':'\xff'}", ERROR_BAD_PARAMS, "title", 0},
    {"admin.concert_create", "{'title':5}", ERROR_BAD_PARAMS, "title", 0},
    {"admin.date_create", "{'concert':0,'title':'t','starts_at':1}", ERROR_NO_SUCH_CONCERT, NULL,
     0},
    {"admin.date_create", "{'concert':1,'title':'t','starts_at':-1}", ERROR_BAD_PARAMS, "starts_at",
     0},
    {"admin.date_create", "{'concert':1,'title':'t','starts_at':10000000000000}", ERROR_BAD_PARAMS,
     "starts_at", 0},
    {"admin.date_create", "{'concert':1,'title':'t','starts_at':1,'date':1}", ERROR_BAD_PARAMS,
     "date", 0},
    {"admin.date_policy", "{'date':1}", ERROR_BAD_PARAMS, NULL, 0},
    {"admin.date_policy", "{'date':1,'reentry':'maybe'}", ERROR_BAD_PARAMS, "reentry", 0},
    {"admin.date_policy", "{'date':1,'reentry':1}", ERROR_BAD_PARAMS, "reentry", 0},
    {"admin.date_policy", "{'date':1,'gate_dates':1}", ERROR_BAD_PARAMS, "gate_dates", 0},
    {"admin.date_policy", "{'date':1,'gate_dates':'true'}", ERROR_BAD_PARAMS, "gate_dates", 0},
    {"admin.date_policy", "{'date':1,'hold_ttl_ms':-1}", ERROR_BAD_PARAMS, "hold_ttl_ms", 0},
    {"admin.date_policy", "{'date':1,'hold_ttl_ms':'1'}", ERROR_BAD_PARAMS, "hold_ttl_ms", 0},
    {"admin.date_policy", "{'date':1,'hold_ttl_ms':1,'hold_ttl_ms':1}", ERROR_BAD_PARAMS,
     "hold_ttl_ms", 0},
    {"admin.date_cancel", "{'date':1,'confirm':''}", ERROR_BAD_PARAMS, "confirm", 0},
    {"admin.date_cancel", "{'date':1,'confirm':-1}", ERROR_BAD_PARAMS, "confirm", 0},
    {"admin.date_cancel", "{'date':1,'confirm':true}", ERROR_BAD_PARAMS, "confirm", 0},
    {"admin.date_cancel", "{'date':1,'confirm':'a\nb'}", ERROR_BAD_PARAMS, "confirm", 0},
    {"admin.date_open", "{'date':1,'confirm':1}", ERROR_BAD_PARAMS, "confirm", 0},
    {"admin.seats_list", "{'date':0}", ERROR_NO_SUCH_DATE, NULL, 0},
    {"admin.seats_list", "{'date':1,'limit':1001}", ERROR_BAD_PARAMS, "limit", 0},
    {"admin.seats_list", "{'date':1,'token':" TOKEN "}", ERROR_BAD_PARAMS, "token", 0},
    {"admin.seats_add", "{'date':1,'first':1,'seats':[]}", ERROR_BAD_PARAMS, "seats", 0},
    {"admin.seats_add", "{'date':1,'first':1,'seats':[5]}", ERROR_BAD_PARAMS, "seats", 0},
    {"admin.seats_add",
     "{'date':1,'first':0,'seats':[{'section':'','row':'','seat':'',"
     "'price':1}]}",
     ERROR_BAD_PARAMS, "first", 0},
    {"admin.seats_add", "{'date':1,'first':1,'seats':[{'section':'','row':'','seat':''}]}",
     ERROR_BAD_PARAMS, "seats", 0},
    {"admin.seats_add", "{'date':1,'first':1,'seats':[{'section':'','row':'','price':1}]}",
     ERROR_BAD_PARAMS, "seats", 0},
    {"admin.seats_add",
     "{'date':1,'first':1,'seats':[{'section':'','row':'','seat':'',"
     "'price':9007199254740992}]}",
     ERROR_BAD_PARAMS, "seats", 0},
    {"admin.seats_add",
     "{'date':1,'first':1,'seats':[{'section':'','row':'','seat':'',"
     "'price':1,'price':1}]}",
     ERROR_BAD_PARAMS, "seats", 0},
    {"admin.seats_add",
     "{'date':1,'first':1,'seats':[{'section':'','row':'','seat':'',"
     "'price':1,'colour':1}]}",
     ERROR_BAD_PARAMS, "seats", 0},
    {"admin.seats_add",
     "{'date':1,'first':1,'seats':[{'section':1,'row':'','seat':'',"
     "'price':1}]}",
     ERROR_BAD_PARAMS, "seats", 0},
    {"admin.seats_add",
     "{'date':1,'first':1,'seats':[{'section':'','row':'','seat':'',"
     "'price':1,'for_sale':1}]}",
     ERROR_BAD_PARAMS, "seats", 0},
    {"nothing", "{}", ERROR_UNKNOWN_METHOD, NULL, 0},
    {"", "{}", ERROR_UNKNOWN_METHOD, NULL, 0},
    {"queue.ente", "{}", ERROR_UNKNOWN_METHOD, NULL, 0},
    {"queue.enter2", "{}", ERROR_UNKNOWN_METHOD, NULL, 0},
};

#define A_KEY "It must be text of 1 to 64 bytes without control characters."
#define SEATS_TO_ADD                                                                               \
    "It must be a list of 1 to 64 seats, each {section, row, seat, price, guid?, for_sale?}: "     \
    "texts of at most 255 bytes, the price in points, for_sale true or false."
#define ONE_OF_TWO                                                                                 \
    "Pay with the token that holds the seats; where that has ended with the hold, with the user "  \
    "instead. Give exactly one of the two."

/* What is wrong with which parameter, and what it must be: in the message. */
static void what_is_wrong_is_said(void **state) {
    static const struct {
        const char *method, *params, *message;
    } cases[] = {
        {"queue.enter", "{'date':1}",
         "Parameter \"user\" is missing. It must be a UUID as text, as in "
         "123e4567-e89b-42d3-a456-426614174000, but not the nil one."},
        {"queue.enter", "{'date':'1','user':" USER "}",
         "Parameter \"date\" has the wrong type. It must be a whole number from 1."},
        {"queue.enter", "{'date':-1,'user':" USER "}",
         "Parameter \"date\" is out of range. It must be a whole number from 1."},
        {"queue.enter", "{'date':1,'user':'bob'}",
         "Parameter \"user\" is not written as it must be. It must be a UUID as text, as in "
         "123e4567-e89b-42d3-a456-426614174000, but not the nil one."},
        {"queue.enter", "{'date':1,'date':1,'user':" USER "}",
         "Parameter \"date\" is given twice. It must be a whole number from 1."},
        {"queue.enter", "{'dat':1,'user':" USER "}",
         "Parameter \"dat\" is not a parameter of this method. This method takes date, user, key."},
        {"seats.list", "{'token':" TOKEN ",'limit':1001}",
         "Parameter \"limit\" is out of range. It must be a whole number from 1 to 1000."},
        {"wallet.charge", "{'user':" USER ",'amount':1,'key':''}",
         "Parameter \"key\" is empty. " A_KEY},
        {"wallet.charge",
         "{'user':" USER ",'amount':1,"
         "'key':'12345678901234567890123456789012345678901234567890123456789012345'}",
         "Parameter \"key\" is too long. " A_KEY},
        {"wallet.charge", "{'user':" USER ",'amount':1,'key':'a\x7f'}",
         "Parameter \"key\" has a control character or is not UTF-8. " A_KEY},
        {"seats.hold", "{'token':" TOKEN ",'seats':[1,'']}",
         "Parameter \"seats\", element 2 is empty. It must be a list of 1 to 16 seats, each its "
         "number, or text: its guid or section/row/seat."},
        {"seats.hold", "{'token':" TOKEN ",'seats':[]}",
         "Parameter \"seats\" has too few or too many elements. It must be a list of 1 to 16 "
         "seats, each its number, or text: its guid or section/row/seat."},
        {"admin.date_policy", "{'date':1,'reentry':'kepe'}",
         "Parameter \"reentry\" is no word that is known here. It must be \"keep\" or "
         "\"requeue\"."},
        {"admin.date_policy", "{'date':1,'gate_dates':1}",
         "Parameter \"gate_dates\" has the wrong type. It must be true or false."},
        {"admin.date_policy", "{'date':1,'max_seats_per_user':'1'}",
         "Parameter \"max_seats_per_user\" has the wrong type. It must be a whole number from 1 to "
         "16."},
        {"admin.date_policy", "{'date':1,'max_seats_per_user':-5}",
         "Parameter \"max_seats_per_user\" is out of range. It must be a whole number from 1 to "
         "16."},
        {"admin.date_policy", "{'date':1,'hold_ttl':1}",
         "Parameter \"hold_ttl\" is not a parameter of this method. This method takes date and the "
         "fields of a policy."},
        {"admin.date_policy", "{'date':1}",
         "No policy field is given. Name at least one; net/PROTOCOL.md lists them."},
        {"payment.pay", "{'reservation':" RESERVATION ",'key':'k'}", ONE_OF_TWO},
        {"payment.pay",
         "{'token':" TOKEN ",'user':" USER ",'reservation':" RESERVATION ",'key':'k'}", ONE_OF_TWO},
        {"admin.seats_add",
         "{'date':1,'first':1,'seats':[{'section':'','row':'','seat':'','price':1},"
         "{'section':'','row':1,'seat':'','price':1}]}",
         "Parameter \"seats\", element 2, \"row\" has the wrong type. " SEATS_TO_ADD},
        {"admin.seats_add", "{'date':1,'first':1,'seats':[{'section':'','row':'','seat':''}]}",
         "Parameter \"seats\", element 1, \"price\" is missing. " SEATS_TO_ADD},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(decode(cases[i].method, cases[i].params, true), ERROR_BAD_PARAMS);
        assert_non_null(f.error.message);
        assert_string_equal(f.error.message, cases[i].message);
    }
    /* The longest name that is shown, with the longest words for it. */
    (void)decode("admin.date_create",
                 "{'1234567890123456789012345678901234567890123456789012345678901234':1}", true);
    assert_non_null(strstr(f.error.message, "of a policy."));
}

/* C5: whether a list of dates needs its token is not judged here. */
static void a_list_of_dates_takes_any_token(void **state) {
    (void)state;
    accept("catalogue.dates", "{'concert':2,'token':'nonsense'}", COMMAND_CATALOGUE_DATES,
           PARTITION_CATALOGUE);
    assert_false(f.command.dates.has_token);
    assert_true(f.command.dates.is_judged);
    assert_int_equal(f.command.dates.refusal, ERROR_TOKEN_INVALID);
    assert_true(f.command.is_admin);
}

static void refused(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        const struct decode_refusal *r = &refusals[i];
        int code = decode(r->method, r->params, true);
        if (code != (int)r->code || f.error.code != r->code) {
            fail_msg("%s %s: %s", r->method, r->params, error_name((uint32_t)code));
        }
        if (r->param) {
            bool same = f.error.param && f.error.param_size == strlen(r->param) &&
                        memcmp(f.error.param, r->param, f.error.param_size) == 0;
            if (!same) fail_msg("%s %s names another parameter", r->method, r->params);
        } else {
            assert_null(f.error.param);
            assert_int_equal(f.error.data[0], r->data);
        }
    }
}

/* A key is text like any other, in every method that takes one. */
static void keys_are_clean_text(void **state) {
    (void)state;
    static const struct {
        const char *method, *params;
    } methods[] = {
        {"wallet.charge", "'user':" USER ",'amount':1"},
        {"payment.pay", "'token':" TOKEN ",'reservation':" RESERVATION},
        {"reservation.cancel", "'user':" USER ",'reservation':" RESERVATION},
    };
    static const struct {
        const char *key;
        enum error expected;
    } keys[] = {
        {"k", ERROR_NONE},
        {"0123456789abcdef0123456789ABCDEF {}[]!~", ERROR_NONE},
        {"\u043a\u043b\u044e\u0447 \U0001f511", ERROR_NONE},
        {"\xc2\x80", ERROR_NONE}, /* C1 is no control character of this protocol */
        {"a\nb", ERROR_BAD_PARAMS},
        {"\x1f", ERROR_BAD_PARAMS},
        {"a\x7f", ERROR_BAD_PARAMS},
        {"0123456789abcdef\t", ERROR_BAD_PARAMS},
        {"0123456\x7f"
         "89abcdef",
         ERROR_BAD_PARAMS},
        {"\xff\xfe", ERROR_BAD_PARAMS},
        {"0123456789abcde\xc3", ERROR_BAD_PARAMS}, /* cut in the middle */
        {"\xc0\xaf", ERROR_BAD_PARAMS},            /* overlong */
        {"\xed\xa0\x80", ERROR_BAD_PARAMS},        /* a surrogate */
        {"\xf4\x90\x80\x80", ERROR_BAD_PARAMS},    /* above U+10FFFF */
    };
    for (size_t m = 0; m < sizeof methods / sizeof methods[0]; m++) {
        for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
            char params[400];
            (void)snprintf(params, sizeof params, "{%s,'key':'%s'}", methods[m].params,
                           keys[k].key);
            int code = decode(methods[m].method, params, true);
            if (code != (int)keys[k].expected) fail_msg("%s, key %zu", methods[m].method, k);
            if (code != ERROR_NONE) assert_memory_equal(f.error.param, "key", 3);
        }
    }
}

static void text_limits(void **state) {
    (void)state;
    char params[600], text[300];
    for (uint32_t size = 254; size <= 257; size++) {
        int expected = size <= TEXT_BYTES_MAX ? ERROR_NONE : ERROR_BAD_PARAMS;
        memset(text, 'x', size);
        text[size] = '\0';
        (void)snprintf(params, sizeof params, "{'title':'%s'}", text);
        assert_int_equal(decode("admin.concert_create", params, true), expected);
        (void)snprintf(params, sizeof params, "{'token':" TOKEN ",'seats':['%s']}", text);
        assert_int_equal(decode("seats.hold", params, true), expected);
    }
}

/* The public listener knows no admin method, whatever its parameters. */
static void admin_is_hidden(void **state) {
    (void)state;
    for (uint32_t kind = COMMAND_NONE + 1; kind < COMMAND_COUNT; kind++) {
        if (command_row(kind)->listener == LISTENER_MESSAGE) continue;
        int code = decode(command_method(kind), "{}", false);
        assert_int_equal(code == ERROR_UNKNOWN_METHOD,
                         command_row(kind)->listener == LISTENER_ADMIN);
        assert_int_not_equal(decode(command_method(kind), "{}", true), ERROR_UNKNOWN_METHOD);
    }
    /* Messages between partitions have no name: nobody can send one. */
    assert_int_equal(decode("", "{}", true), ERROR_UNKNOWN_METHOD);
}

/* --- frames ----------------------------------------------------------------------------------- */

static struct decode_span spans[REQUESTS_PER_FRAME_MAX];

static int scan(const uint8_t *bytes, uint32_t size, uint32_t *ret_count) {
    uint32_t offset = 0;
    int result = decode_scan(bytes, size, spans, ret_count, &offset);
    assert_in_range(offset, 0, size);
    return result;
}

static void hostile_frames(void **state) {
    (void)state;
    static const char *const frames[] = {
        "#", /* no request at all */
        "nil",
        "5",
        "'text'",
        "{}",
        "[]",
        "[0,1,'m']",        /* three elements */
        "[0,1,'m',{},nil]", /* five */
        "[1,1,'m',{}]",     /* a response */
        "[2,'m',{}]",       /* a notification */
        "[0,-1,'m',{}]",
        "[0,'1','m',{}]",
        "[0,4294967296,'m',{}]",
        "[0,1,5,{}]",
        "[0,1,nil,{}]",
        "[0,1,'m',[]]",
        "[0,1,'m',nil]",
        "['0',1,'m',{}]",
        "[-0.0,1,'m',{}]",
        "[0,1,'m',{'a':[[[[[[[1]]]]]]]}]", /* nested too deep */
        "#9400a16d80",                     /* method where the msgid should be */
        "#940001a16d",
        "#940001a16dc1",
        "#94000101",
        "#9400",
        "#940001a16d8001", /* a byte too many */
        "#940001a16d80c1",
        "#940001a16d8094",
        "#940001a16dddffffffff",
        "#940001a16ddfffffffff",
        "#940001dbffffffff",
        "#ddffffffff",
        "#dd0400000000",
        "#dc000400",
    };
    for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
        uint32_t count = 77;
        value_writer_clear(&f.bytes);
        notation_write(&f.bytes, frames[i]);
        if (scan(f.bytes.bytes, f.bytes.size, &count) != VALUE_MALFORMED || count != 77) {
            fail_msg("%s", frames[i]);
        }
    }
}

static void every_truncation(void **state) {
    (void)state;
    uint32_t count, first;
    value_writer_clear(&f.bytes);
    notation_write(&f.bytes, "[0,1,'seats.hold',{'token':" TOKEN ",'seats':[1,'A/1/2']}]");
    first = f.bytes.size;
    notation_write(&f.bytes, "[0,70000,'wallet.charge',{'user':" USER ",'amount':5,'key':'k'}]");
    assert_int_equal(scan(f.bytes.bytes, f.bytes.size, &count), VALUE_OK);
    assert_int_equal(count, 2);
    assert_int_equal(spans[1].method, first + 7); /* behind array, type and a msgid of 5 bytes */
    assert_int_equal(spans[1].msgid, 70000);
    for (uint32_t size = 0; size < f.bytes.size; size++) {
        uint8_t *exact = malloc(size + 1); /* a sanitizer sees reads beyond `size` */
        assert_non_null(exact);
        memcpy(exact + 1, f.bytes.bytes, size);
        int expected = size == first ? VALUE_OK : VALUE_MALFORMED;
        if (scan(exact + 1, size, &count) != expected) fail_msg("cut at %u", size);
        free(exact);
    }
}

static void offset_of_the_fault(void **state) {
    (void)state;
    uint32_t count, offset = 0;
    value_writer_clear(&f.bytes);
    notation_write(&f.bytes, "[0,1,'m',{}]");
    notation_write(&f.bytes, "[0,1,'m',{'a':#c1}]");
    assert_int_equal(decode_scan(f.bytes.bytes, f.bytes.size, spans, &count, &offset),
                     VALUE_MALFORMED);
    assert_int_equal(offset, f.bytes.size - 1);
}

static void count_is_bounded(void **state) {
    (void)state;
    uint32_t count = 0;
    value_writer_clear(&f.bytes);
    for (uint32_t i = 0; i < REQUESTS_PER_FRAME_MAX; i++) notation_write(&f.bytes, "[0,1,'m',{}]");
    assert_int_equal(scan(f.bytes.bytes, f.bytes.size, &count), VALUE_OK);
    assert_int_equal(count, REQUESTS_PER_FRAME_MAX);
    notation_write(&f.bytes, "[0,1,'m',{}]");
    assert_int_equal(scan(f.bytes.bytes, f.bytes.size, &count), VALUE_MALFORMED);
}

/* 64 MiB of every byte within a request: refused, or a request as large as that, without memory and
 * without reading further than needed. */
static void huge_frames(void **state) {
    (void)state;
    static const uint8_t head[] = {0x94, 0, 1, 0xa1, 'm', 0x81, 0xa1, 'a'};
    const uint32_t size = 64u << 20;
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    for (uint32_t filler = 0x80; filler < 256; filler += 5) {
        uint32_t count;
        memset(bytes, (int)filler, size);
        memcpy(bytes, head, sizeof head);
        assert_int_equal(scan(bytes, size, &count), VALUE_MALFORMED);
    }
    free(bytes);
}

/* Random bytes, and good frames with random damage, through both stages. */
static void random_frames(void **state) {
    (void)state;
    struct random random = {random_seed(20240608)};
    uint32_t good = 0;
    value_writer_clear(&f.bytes);
    notation_write(&f.bytes, "[0,1,'seats.hold',{'token':" TOKEN ",'seats':[1,'A/1/2']}]");
    notation_write(&f.bytes, "[0,2,'wallet.charge',{'user':" USER ",'amount':5,'key':'k'}]");
    notation_write(&f.bytes, "[0,3,'admin.seats_add',{'date':1,'first':1,'seats':[{'section':'',"
                             "'row':'','seat':'','price':1}]}]");
    for (int round = 0; round < 100000; round++) {
        uint32_t size = f.bytes.size, count;
        uint8_t *bytes = malloc(size);
        assert_non_null(bytes);
        memcpy(bytes, f.bytes.bytes, size);
        if (round % 4 == 0) size = random_index(&random, size) + 1;
        for (uint64_t damage = random_below(&random, 4); damage > 0; damage--) {
            uint64_t at = random_below(&random, size); /* first: C knows no order */
            bytes[at] = (uint8_t)random_next(&random);
        }
        if (round % 16 == 0) {
            for (uint32_t i = 0; i < size; i++) bytes[i] = (uint8_t)random_next(&random);
        }
        arena_reset(&f.arena);
        if (scan(bytes, size, &count) == VALUE_OK) {
            for (uint32_t i = 0; i < count; i++) {
                struct command command;
                struct error_reply error = {0};
                int code = decode_request(bytes, &spans[i], true, &f.arena, &command, &error);
                assert_true(code == ERROR_NONE || error_row((uint32_t)code) != NULL);
                good += code == ERROR_NONE;
            }
        }
        free(bytes);
    }
    assert_in_range(good, 1000, 300000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(public_methods),
        cmocka_unit_test(wallet_methods),
        cmocka_unit_test(admin_methods),
        cmocka_unit_test(missing_and_unknown),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(a_list_of_dates_takes_any_token),
        cmocka_unit_test(refused),
        cmocka_unit_test(keys_are_clean_text),
        cmocka_unit_test(text_limits),
        cmocka_unit_test(admin_is_hidden),
        cmocka_unit_test(hostile_frames),
        cmocka_unit_test(every_truncation),
        cmocka_unit_test(offset_of_the_fault),
        cmocka_unit_test(count_is_bounded),
        cmocka_unit_test(huge_frames),
        cmocka_unit_test(random_frames),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
