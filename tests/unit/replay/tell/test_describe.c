/* test_describe.c - golden lines: what operators read and scripts parse */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "engine/domain/error.h"
#include "replay/tell/describe.h"
#include "replay/tell/text.h"

#define USER                                                                                       \
    {                                                                                              \
        { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0x4c, 0xde, 0x8f, 1, 2, 3, 4, 5, 6, 7 }              \
    }
#define USER_TEXT "01234567-89ab-4cde-8f01-020304050607"
#define SECRET                                                                                     \
    {                                                                                              \
        { 0xfe, 0xdc, 0xba, 0x98, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 }                          \
    }
#define SECRET_TEXT "fedcba98-0102-0304-0506-0708090a0b0c"
#define TIME_MS 1763755203123ull
#define TIME_TEXT "2025-11-21T20:00:03.123Z"

static const struct {
    struct decision decision;
    const char *text, *json; /* from the partition on */
} golden[] = {
    {{.kind = DECISION_SEATS_HELD,
      .partition = PARTITION_DATE_FIRST + 7,
      .seats_held = {12, 3, USER, {2, {14, 15}}, 25000, TIME_MS + 300000, 0}},
     "date/7 seats_held reservation=12 place=3 user=" USER_TEXT " seats=[14,15] amount=25000"
     " expires_at=2025-11-21T20:05:03.123Z token_expired=false",
     "\"date/"
     "7\",\"kind\":\"seats_held\",\"fields\":{\"reservation\":12,\"place\":3,\"user\":\"" USER_TEXT
     "\",\"seats\":[14,15],\"amount\":25000,\"expires_at\":\"2025-11-21T20:05:03.123Z\","
     "\"token_expired\":false}}"},
    {{.kind = DECISION_HOLD_REFUSED,
      .partition = PARTITION_DATE_FIRST + 7,
      .hold_refused = {3, USER, ERROR_SEAT_TAKEN, 14}},
     "date/7 hold_refused place=3 user=" USER_TEXT " error=SEAT_TAKEN seat=14",
     "\"date/7\",\"kind\":\"hold_refused\",\"fields\":{\"place\":3,\"user\":\"" USER_TEXT
     "\",\"error\":\"SEAT_TAKEN\",\"seat\":14}}"},
    {{.kind = DECISION_TOKEN_EXPIRED,
      .partition = PARTITION_DATE_FIRST + 1,
      .token_expired = {9, TOKEN_END_SILENT, {0, {0}}}},
     "date/1 token_expired place=9 end=silent released=[]",
     "\"date/"
     "1\",\"kind\":\"token_expired\",\"fields\":{\"place\":9,\"end\":\"silent\",\"released\":[]}}"},
    {{.kind = DECISION_OUTAGE_CREDITED,
      .partition = PARTITION_DATE_FIRST + 1,
      .outage_credited = {OUTAGE_STALLED, TIME_MS - 4000, 4000}},
     "date/1 outage_credited cause=stalled since=2025-11-21T19:59:59.123Z credit_ms=4000",
     "\"date/"
     "1\",\"kind\":\"outage_credited\",\"fields\":{\"cause\":\"stalled\","
     "\"since\":\"2025-11-21T19:59:59.123Z\",\"credit_ms\":4000}}"},
    {{.kind = DECISION_RESERVATION_ENDED,
      .partition = PARTITION_DATE_FIRST + 1,
      .reservation_ended = {4, RESERVATION_RELEASED, {{0}}}},
     "date/1 reservation_ended reservation=4 state=released key=none",
     "\"date/"
     "1\",\"kind\":\"reservation_ended\",\"fields\":{\"reservation\":4,\"state\":\"released\","
     "\"key\":\"none\"}}"},
    {{.kind = DECISION_CONCERT_CREATED,
      .partition = PARTITION_CATALOGUE,
      .concert_created = {.concert = 1, .title = {"a\n\"b\"\\\xFF\xC3\x9C", 9}}},
     "catalogue concert_created concert=1 title=\"a\\u000a\\\"b\\\"\\\\\xEF\xBF\xBD\xC3\x9C\""
     " key=none",
     "\"catalogue\",\"kind\":\"concert_created\",\"fields\":{\"concert\":1,"
     "\"title\":\"a\\n\\\"b\\\"\\\\\xEF\xBF\xBD\xC3\x9C\",\"key\":\"none\"}}"},
    {{.kind = DECISION_STATE_HASHED,
      .partition = PARTITION_ACCOUNT_FIRST + 3,
      .state_hashed = {0xFEDCBA9876543210ull}},
     "account/3 state_hashed hash=0xfedcba9876543210",
     "\"account/3\",\"kind\":\"state_hashed\",\"fields\":{\"hash\":\"0xfedcba9876543210\"}}"},
    {{.kind = DECISION_DATE_OPENED, .partition = PARTITION_DATE_FIRST + 2},
     "date/2 date_opened",
     "\"date/2\",\"kind\":\"date_opened\",\"fields\":{}}"},
};

static void golden_lines(void **state) {
    (void)state;
    char line[DESCRIBE_LINE_BYTES], expected[DESCRIBE_LINE_BYTES];
    for (size_t i = 0; i < sizeof golden / sizeof golden[0]; i++) {
        struct decision decision = golden[i].decision;
        decision.time_ms = TIME_MS;
        size_t size = describe_text(&decision, 4242, 0, line);
        snprintf(expected, sizeof expected, "lsn=4242 " TIME_TEXT " %s", golden[i].text);
        assert_string_equal(line, expected);
        assert_int_equal(size, strlen(line));
        size = describe_json(&decision, 4242, 0, line);
        snprintf(expected, sizeof expected,
                 "{\"lsn\":4242,\"time\":\"" TIME_TEXT "\",\"partition\":%s", golden[i].json);
        assert_string_equal(line, expected);
        assert_int_equal(size, strlen(line));
    }
}

static void token_secrets_are_hidden_unless_asked_for(void **state) {
    (void)state;
    char line[DESCRIBE_LINE_BYTES];
    struct decision decision = {.kind = DECISION_QUEUE_ENTERED,
                                .partition = PARTITION_DATE_FIRST + 7,
                                .time_ms = TIME_MS,
                                .queue_entered = {3, USER, SECRET}};
    describe_text(&decision, 1, 0, line);
    assert_null(strstr(line, SECRET_TEXT));
    assert_non_null(strstr(line, "secret=\xE2\x80\xA6"));
    describe_json(&decision, 1, 0, line);
    assert_null(strstr(line, SECRET_TEXT));
    describe_text(&decision, 1, DESCRIBE_TOKEN_SECRETS, line);
    assert_non_null(strstr(line, "secret=" SECRET_TEXT));
    describe_json(&decision, 1, DESCRIBE_TOKEN_SECRETS, line);
    assert_non_null(strstr(line, SECRET_TEXT));
}

static const struct {
    struct entity entity;
    const char *text, *json;
} entities[] = {
    {{.kind = ENTITY_WAITER, .waiter = {9, USER, SECRET, TOKEN_ACTIVE, TOKEN_END_NONE, TIME_MS}},
     "waiter place=9 user=" USER_TEXT
     " secret=\xE2\x80\xA6 state=active end=none expires_at=" TIME_TEXT,
     "{\"place\":9,\"user\":\"" USER_TEXT "\",\"secret\":\"\xE2\x80\xA6\",\"state\":\"active\","
     "\"end\":\"none\",\"expires_at\":\"" TIME_TEXT "\"}"},
    {{.kind = ENTITY_WAITER, .waiter = {9, USER, SECRET, TOKEN_WAITING, TOKEN_END_NONE, 0}},
     "waiter place=9 user=" USER_TEXT " secret=\xE2\x80\xA6 state=waiting end=none expires_at=none",
     "{\"place\":9,\"user\":\"" USER_TEXT "\",\"secret\":\"\xE2\x80\xA6\",\"state\":\"waiting\","
     "\"end\":\"none\",\"expires_at\":null}"},
    /* The same number is another state in each kind. */
    {{.kind = ENTITY_TRANSFER, .transfer = {5, 6, USER, 7, 2}},
     "transfer payment=5 reservation=6 user=" USER_TEXT " amount=7 state=refunded",
     "{\"payment\":5,\"reservation\":6,\"user\":\"" USER_TEXT "\",\"amount\":7,"
     "\"state\":\"refunded\"}"},
    {{.kind = ENTITY_LEDGER_ROW, .ledger_row = {TIME_MS, LEDGER_REFUND, 1, 2, 3, 4, {{0}}}},
     "ledger_row time_ms=" TIME_TEXT
     " reason=refund amount=1 balance=2 payment=3 reservation=4 key=none",
     "{\"time_ms\":\"" TIME_TEXT
     "\",\"reason\":\"refund\",\"amount\":1,\"balance\":2,\"payment\":3,"
     "\"reservation\":4,\"key\":\"none\"}"},
    {{.kind = ENTITY_PARTITION, .partition = {PARTITION_CATALOGUE, 1, 0, 0xFEDCBA9876543210ull}},
     "partition partition=0 decision_count=1 last_time_ms=none hash=0xfedcba9876543210",
     "{\"partition\":0,\"decision_count\":1,\"last_time_ms\":null,\"hash\":"
     "\"0xfedcba9876543210\"}"},
    {{.kind = ENTITY_SEAT, .seat = {1, 2, 1, {"A", 1}, {"1", 1}, {"\"", 1}, {"", 0}}},
     "seat number=1 price=2 for_sale=true section=\"A\" row=\"1\" seat=\"\\\"\" guid=\"\"",
     "{\"number\":1,\"price\":2,\"for_sale\":true,\"section\":\"A\",\"row\":\"1\",\"seat\":"
     "\"\\\"\","
     "\"guid\":\"\"}"},
};

static void entities_in_words(void **state) {
    (void)state;
    char line[DESCRIBE_LINE_BYTES];
    for (size_t i = 0; i < sizeof entities / sizeof entities[0]; i++) {
        size_t size = describe_entity_text(&entities[i].entity, 0, line);
        assert_string_equal(line, entities[i].text);
        assert_int_equal(size, strlen(line));
        json_t *fields = describe_entity_fields(&entities[i].entity, 0);
        char *text = json_dumps(fields, JSON_COMPACT);
        assert_string_equal(text, entities[i].json);
        free(text);
        json_decref(fields);
    }
    struct entity date = {.kind = ENTITY_DATE, .date = {.state = DATE_OPEN, .seed = 0xABCDEF}};
    describe_entity_text(&date, 0, line);
    assert_non_null(strstr(line, " state=open seed=\xE2\x80\xA6 "));
    describe_entity_text(&date, DESCRIBE_TOKEN_SECRETS, line);
    assert_non_null(strstr(line, " seed=0x0000000000abcdef "));
    describe_entity_text(&entities[0].entity, DESCRIBE_TOKEN_SECRETS, line);
    assert_non_null(strstr(line, "secret=" SECRET_TEXT));
}

/* Every kind, with all bits set and the longest texts of the worst bytes: fits a line, is JSON. */
static void the_largest_of_every_kind_fits(void **state) {
    (void)state;
    static const uint16_t kinds[] = {
#define DECISION(number, NAME, name, OWNER) DECISION_##NAME,
#include "engine/domain/decision.def"
#undef DECISION
    };
    char worst[TEXT_BYTES_MAX], line[DESCRIBE_LINE_BYTES];
    memset(worst, 0x01, sizeof worst);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct decision decision;
        memset(&decision, 0xFF, sizeof decision);
        decision.kind = kinds[i];
        decision.partition = UINT32_MAX;
        decision.time_ms = UINT64_MAX;
        struct text text = {worst, TEXT_BYTES_MAX};
        struct numbers numbers = {.count = SEATS_PER_USER_MAX};
        memset(numbers.values, 0xFF, sizeof numbers.values);
        if (kinds[i] == DECISION_CONCERT_CREATED) decision.concert_created.title = text;
        if (kinds[i] == DECISION_DATE_CREATED) decision.date_created.title = text;
        if (kinds[i] == DECISION_SEATS_HELD) decision.seats_held.seats = numbers;
        if (kinds[i] == DECISION_TOKEN_EXPIRED) decision.token_expired.released = numbers;
        if (kinds[i] == DECISION_SEAT_ADDED) {
            decision.seat_added.section = decision.seat_added.row = text;
            decision.seat_added.seat = decision.seat_added.guid = text;
        }
        assert_true(describe_text(&decision, UINT64_MAX, 0, line) < DESCRIBE_LINE_BYTES);
        assert_null(strchr(line, '\n'));
        assert_non_null(strstr(line, decision_name(kinds[i])));
        size_t size = describe_json(&decision, UINT64_MAX, 0, line);
        json_t *json = json_loadb(line, size, 0, NULL);
        assert_non_null(json);
        assert_string_equal(json_string_value(json_object_get(json, "kind")),
                            decision_name(kinds[i]));
        json_decref(json);
    }
}

static void hostile_text_becomes_valid(void **state) {
    (void)state;
    static const struct {
        const char *from, *to;
        uint8_t size;
    } cases[] = {
        {"", "", 0},
        {"plain", "plain", 5},
        {"a\0b",
         "a\xEF\xBF\xBD"
         "b",
         3},
        {"\xC3\x9C", "\xC3\x9C", 2},
        {"\xC0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD", 2},                 /* overlong NUL */
        {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD", 3}, /* surrogate */
        {"\xF4\x90\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD", 4}, /* too high */
        {"\xF0\x9F\x8E\xB5", "\xF0\x9F\x8E\xB5", 4},
        {"\xF0\x9F\x8E", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD", 3}, /* cut short */
        {"\xE2\x80\xA6", "\xE2\x80\xA6", 3},
        {"\xE0\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD", 3}, /* overlong */
    };
    char clean[TEXT_CLEAN_BYTES];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct text text = {cases[i].from, cases[i].size};
        assert_int_equal(text_clean(&text, clean), strlen(cases[i].to));
        assert_string_equal(clean, cases[i].to);
    }
}

static void times_and_partitions(void **state) {
    (void)state;
    char time[TEXT_TIME_BYTES], partition[TEXT_PARTITION_BYTES];
    text_time(0, time);
    assert_string_equal(time, "1970-01-01T00:00:00.000Z");
    text_time(TIME_MS_MAX, time);
    assert_string_equal(time, "2286-11-20T17:46:39.999Z");
    text_time(UINT64_MAX, time);
    assert_string_equal(time, "@18446744073709551615");
    text_partition(12, partition);
    assert_string_equal(partition, "unknown/12");
    text_partition(partition_of_date(DATES_MAX), partition);
    assert_string_equal(partition, "date/4096");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_lines),
        cmocka_unit_test(token_secrets_are_hidden_unless_asked_for),
        cmocka_unit_test(entities_in_words),
        cmocka_unit_test(the_largest_of_every_kind_fits),
        cmocka_unit_test(hostile_text_becomes_valid),
        cmocka_unit_test(times_and_partitions),
    };
    return cmocka_run_group_tests_name("describe", tests, NULL, NULL);
}
