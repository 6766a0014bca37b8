/* test_words.c - what people type: moments and misspelt commands; texts; and JSON as messages */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/limits.h"
#include "tools/usher/json_value.h"
#include "tools/usher/log_point.h"
#include "tools/usher/moment.h"
#include "tools/usher/suggest.h"
#include "tools/common/unicode.h"

static void moments(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t time_ms;
    } good[] = {
        {"1970-01-01T00:00Z", 0},
        {"2016-02-08T19:00+02:00", 1454950800000},
        {"2016-02-08 17:00:30Z", 1454950830000},
        {"2016-02-29T12:00-05:30", 1456767000000},
        {"2026-11-21T20:00:03.250Z", 1795291203250},
        {"2026-11-21T20:00:03.25Z", 1795291203250},
        {"2026-11-21T22:00:03.2+02:00", 1795291203200},
        {"2026-11-21T20:00:03.007Z", 1795291203007},
        {"1454950800000", 1454950800000},
        {"0", 0},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        uint64_t time_ms = 1;
        assert_int_equal(moment_parse(good[i].text, &time_ms), 0);
        assert_int_equal(time_ms, good[i].time_ms);
    }
}

static void no_moments(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "tomorrow",
        "2016-02-08",
        "2016-02-08T19:00", /* no offset */
        "2015-02-29T12:00Z",
        "2016-13-01T12:00Z",
        "2016-00-01T12:00Z",
        "2016-02-08T24:00Z",
        "2016-02-08T19:60Z",
        "2016-2-8T19:00Z",
        "2016-02-08T19:00.5Z", /* a fraction of a minute */
        "2016-02-08T19:00:00.Z",
        "2016-02-08T19:00:00.0001Z",
        "2016-02-08T19:00:00,5Z",
        "2016-02-08T19:00+2:00",
        "2016-02-08T19:00+02:00x",
        "2016-02-08T19:00+99:00",
        "1969-12-31T23:59Z",
        "-5",
        "99999999999999999999",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint64_t time_ms = 77;
        if (moment_parse(bad[i], &time_ms) == 0) fail_msg("taken: %s", bad[i]);
        assert_int_equal(time_ms, 77);
    }
}

/* X of usher's options: digits are an LSN, never Unix milliseconds. */
static void places_in_the_log(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",          "-1", "1 ", "0x10", "12345678901234567890", "now", "2026-11-21T20:00:03.250",
        "2026-11-21"};
    struct log_point point;
    assert_int_equal(log_point_parse("1795291203250", &point), 0);
    assert_false(point.is_moment);
    assert_int_equal(point.value, 1795291203250);
    assert_int_equal(log_point_parse("0", &point), 0);
    assert_string_equal(point.text, "0");
    assert_int_equal(log_point_parse("2026-11-21T20:00:03.250Z", &point), 0);
    assert_true(point.is_moment);
    assert_int_equal(point.value, 1795291203250);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct log_point untouched = {.value = 77};
        if (log_point_parse(bad[i], &untouched) == 0) fail_msg("taken: %s", bad[i]);
        assert_int_equal(untouched.value, 77);
    }
}

static void distances(void **state) {
    (void)state;
    assert_int_equal(suggest_distance("check", "check"), 0);
    assert_int_equal(suggest_distance("chekc", "check"), 1); /* neighbours swapped */
    assert_int_equal(suggest_distance("chck", "check"), 1);
    assert_int_equal(suggest_distance("", "call"), 4);
    assert_true(suggest_is_close("date-opn", "date-open"));
    assert_false(suggest_is_close("xyz", "replay"));
    char endless[200];
    memset(endless, 'a', sizeof endless - 1);
    endless[sizeof endless - 1] = '\0';
    assert_int_equal(suggest_distance(endless, "call"), UINT32_MAX);
}

/* JSON -> MessagePack -> JSON is the same. */
static void json_there_and_back(void **state) {
    (void)state;
    static const char text[] = "{\"a\": null, \"b\": [true, false, 0, -1, 9223372036854775807], "
                               "\"c\": {\"d\": \"крісло\"}}";
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    struct value_writer writer;
    value_writer_init(&writer, NULL, 0, FRAME_BYTES_MAX);
    assert_int_equal(json_value_write(&writer, json), JSON_VALUE_OK);
    assert_false(writer.failed);
    const struct value *value;
    uint32_t used;
    assert_int_equal(value_parse(writer.bytes, writer.size, &value, &used), VALUE_OK);
    json_t *back = json_value_read(value);
    assert_true(json_equal(json, back));
    json_decref(json);
    json_decref(back);
    value_writer_deinit(&writer);
}

static void json_that_no_message_has(void **state) {
    (void)state;
    struct value_writer writer;
    value_writer_init(&writer, NULL, 0, FRAME_BYTES_MAX);
    json_t *fraction = json_pack("[f]", 1.5);
    assert_int_equal(json_value_write(&writer, fraction), JSON_VALUE_FRACTION);
    json_decref(fraction);
    json_t *deep = json_array();
    for (int i = 0; i < 100; i++) deep = json_pack("[o]", deep);
    assert_int_equal(json_value_write(&writer, deep), JSON_VALUE_DEEP);
    json_decref(deep);
    value_writer_deinit(&writer);
}

static void byte_order_marks(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *encoding;
        size_t mark_bytes;
    } cases[] = {
        {"\xef\xbb\xbf{", 4, "UTF-8", 3},
        {"\xef\xbb\xbf", 3, "UTF-8", 3},
        {"\xef\xbb", 2, NULL, 0},
        {"\xff\xfe{\0", 4, "UTF-16", 2},
        {"\xfe\xff\0{", 4, "UTF-16", 2},
        {"\xff\xfe\0\0", 4, "UTF-32", 4},
        {"\0\0\xfe\xff", 4, "UTF-32", 4},
        {"\xff\xfe\0", 3, "UTF-16", 2},
        {"", 0, NULL, 0},
        {"{}", 2, NULL, 0},
        {" \xef\xbb\xbf", 4, NULL, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t bytes = 99;
        const char *encoding = unicode_byte_order_mark(cases[i].bytes, cases[i].size, &bytes);
        if (!encoding != !cases[i].encoding || bytes != cases[i].mark_bytes) fail_msg("%zu", i);
        if (encoding) assert_string_equal(encoding, cases[i].encoding);
    }
}

static void texts_in_form_nfc(void **state) {
    (void)state;
    static const struct {
        const char *text, *nfc;
    } cases[] = {
        {"", ""},
        {"Row 9A, seat 16 bis", "Row 9A, seat 16 bis"},
        {"Balc\xc3\xb3n", "Balc\xc3\xb3n"},
        {"Balco\xcc\x81n", "Balc\xc3\xb3n"},
        {"\xd0\xb8\xcc\x86", "\xd0\xb9"},             /* Cyrillic short i */
        {"\xe1\x84\x92\xe1\x85\xa1", "\xed\x95\x98"}, /* Hangul */
        {"a\xcc\xa3\xcc\x82", "\xe1\xba\xad"},        /* two accents */
        {"a\xcc\x82\xcc\xa3", "\xe1\xba\xad"},        /* in another order */
        {"\xef\xac\x81", "\xef\xac\x81"},             /* a ligature is a letter of its own */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *nfc = unicode_nfc(cases[i].text);
        assert_non_null(nfc);
        assert_string_equal(nfc, cases[i].nfc);
        free(nfc);
    }
    assert_null(unicode_nfc("\xff"));
    assert_null(unicode_nfc("a\xc3"));
}

static void printable(void **state) {
    (void)state;
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"\xd0\xba 1", "\xd0\xba 1"},
        {"a\x1b[2J", "a?[2J"},
        {"\xc2\x9b", "??"},
        {"a\xd0", "a?"},
        {"\x7f\n", "??"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "%s", cases[i].text);
        unicode_make_printable(text);
        assert_string_equal(text, cases[i].shown);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments),
        cmocka_unit_test(no_moments),
        cmocka_unit_test(places_in_the_log),
        cmocka_unit_test(distances),
        cmocka_unit_test(json_there_and_back),
        cmocka_unit_test(json_that_no_message_has),
        cmocka_unit_test(byte_order_marks),
        cmocka_unit_test(texts_in_form_nfc),
        cmocka_unit_test(printable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
