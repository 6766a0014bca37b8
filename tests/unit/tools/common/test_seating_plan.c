/* test_seating_plan.c - what an importer meets in other people's plans, one line per case */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/limits.h"
#include "tools/common/seating_plan.h"

static int parse(const char *json, struct seating_plan **ret_plan,
                 struct seating_plan_error *ret_error) {
    memset(ret_error, 0, sizeof *ret_error);
    *ret_plan = NULL;
    return seating_plan_parse(json, strlen(json), ret_plan, ret_error);
}

static struct seating_plan *parse_good(const char *json) {
    struct seating_plan *plan;
    struct seating_plan_error error;
    int result = parse(json, &plan, &error);
    if (result < 0) print_error("%s: %s\n", error.where, error.what);
    assert_int_equal(result, 0);
    return plan;
}

#define CATEGORIES "\"categories\":[{\"name\":\"300 UAH\"},{\"name\":\"Not for sale\"}]"
#define SEAT(guid, number)                                                                         \
    "{\"seat_guid\":\"" guid "\",\"seat_number\":\"" number "\",\"category\":\"300 UAH\"}"
#define PLAN(seats)                                                                                \
    "{\"name\":\"Hall\"," CATEGORIES ",\"zones\":[{\"name\":\"Stalls\",\"rows\":["                 \
    "{\"row_number\":\"9A\",\"seats\":[" seats "]}]}]}"

static void takes_seats_in_order_of_the_file(void **state) {
    (void)state;
    struct seating_plan *plan = parse_good(
        PLAN(SEAT("a", "3") "," SEAT("b", "1") "," SEAT("c", "16 bis")));
    assert_int_equal(plan->seat_count, 3);
    assert_string_equal(plan->seats[0].number, "3");
    assert_string_equal(plan->seats[1].number, "1");
    assert_string_equal(plan->seats[2].number, "16 bis");
    assert_string_equal(plan->seats[2].row, "9A");
    assert_string_equal(plan->seats[2].section, "Stalls");
    assert_string_equal(plan->seats[2].guid, "c");
    assert_string_equal(plan->name, "Hall");
    seating_plan_free(plan);
}

static void takes_what_is_unusual(void **state) {
    (void)state;
    static const struct {
        const char *why, *json;
        uint32_t seats;
    } cases[] = {
        {"one label twice", PLAN(SEAT("a", "1") "," SEAT("b", "1")), 2},
        {"no guids",
         PLAN("{\"category\":\"300 UAH\"},{\"seat_guid\":null,\"category\":\"300 UAH\"}"), 2},
        {"a number that is a number", PLAN("{\"seat_number\":12,\"category\":\"300 UAH\"}"), 1},
        {"null label", PLAN("{\"seat_number\":null,\"category\":\"300 UAH\"}"), 1},
        {"unknown keys", PLAN("{\"x\":{\"y\":[1.5]},\"category\":\"300 UAH\"}"), 1},
        {"positions that are fractions",
         PLAN("{\"position\":{\"x\":1.5,\"y\":-2e3},\"category\":\"300 UAH\"}"), 1},
        {"size, position and areas null",
         "{\"name\":null,\"size\":null," CATEGORIES ",\"zones\":[{\"name\":null,\"areas\":null,"
         "\"rows\":[{\"row_number\":null,\"row_number_position\":null,\"position\":null,"
         "\"seats\":[" SEAT("a", "1") "]}]}]}",
         1},
        {"zone with areas only",
         "{\"name\":\"H\"," CATEGORIES
         ",\"zones\":[{\"name\":\"Stage\",\"areas\":[{}],\"rows\":[]},"
         "{\"name\":\"Floor\",\"areas\":[{}]},{\"rows\":[{\"seats\":[" SEAT("a", "1") "]},{}]}]}",
         1},
        {"not ASCII", PLAN(SEAT("крісло-1", "№ 1")), 1},
        {"escaped not ASCII", PLAN(SEAT("\\u043a\\ud83c\\udfb5", "1")), 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct seating_plan *plan = parse_good(cases[i].json);
        if (plan->seat_count != cases[i].seats) fail_msg("%s", cases[i].why);
        seating_plan_free(plan);
    }
}

#define TEXT_64 "0123456789012345678901234567890123456789012345678901234567890123"
#define TEXT_256 TEXT_64 TEXT_64 TEXT_64 TEXT_64

/* 43 times U+0958, three bytes each: its form NFC is two characters of three bytes. */
#define QA_8                                                                                       \
    "\xe0\xa5\x98\xe0\xa5\x98\xe0\xa5\x98\xe0\xa5\x98\xe0\xa5\x98\xe0\xa5\x98\xe0\xa5\x98\xe0\xa5" \
    "\x98"
#define TEXT_DEVANAGARI QA_8 QA_8 QA_8 QA_8 QA_8 "\xe0\xa5\x98\xe0\xa5\x98\xe0\xa5\x98"

static void refuses_with_the_place(void **state) {
    (void)state;
    static const struct {
        const char *json, *where, *what;
    } cases[] = {
        {"", "line 1", "not valid JSON"},
        {"[]", "whole document", "not an object"},
        {"nonsense", "line 1", "not valid JSON"},
        {"{\"name\":\"a\",\"name\":\"b\"}", "line 1", "duplicate"},
        {"{\"name\":\"\xff\"}", "line 1", "0xff"},
        {"{\"name\":\"\\u0000\"}", "line 1", "not valid JSON"},
        {"{\"name\":[]}", "the plan", "\"name\" is an array"},
        {"{\"categories\":{}}", "the plan", "\"categories\" is an object"},
        {"{\"categories\":[1]}", "the plan", "categories[0] is an integer"},
        {"{\"categories\":[{\"name\":\"a\"},{\"name\":\"a\"}]}", "the plan", "as one before it"},
        {"{" CATEGORIES ",\"zones\":7}", "the plan", "\"zones\" is an integer"},
        {"{" CATEGORIES ",\"zones\":[7]}", "zones[0]", "is an integer"},
        {"{" CATEGORIES ",\"zones\":[{\"name\":\"Z\",\"rows\":\"r\"}]}", "zones[0] \"Z\"",
         "a text"},
        {"{" CATEGORIES ",\"zones\":[{\"rows\":[null]}]}", "rows[0]", "null"},
        {"{" CATEGORIES ",\"zones\":[]}", "zones", "no seats"},
        {PLAN("5"), "zones[0] \"Stalls\", rows[0] \"9A\", seats[0]", "must be an object"},
        {"\xff\xfe[\0", "first bytes", "byte order mark of UTF-16"},
        {"\xfe\xff", "first bytes", "byte order mark of UTF-16"},
        {"\xef\xbb\xbf\xef\xbb\xbf[]", "line 1", "not valid JSON"}, /* one is enough */
        {"{\"categories\":[{\"name\":\"Balc\\u00f3n\"},{\"name\":\"Balco\\u0301n\"}]}", "the plan",
         "as one before it"},
        {PLAN("{\"seat_number\":\"" TEXT_DEVANAGARI "\",\"category\":\"300 UAH\"}"), "seats[0]",
         "\"seat_number\" has 258 bytes"}, /* in form NFC */
        {PLAN(SEAT("a", "1") ",{\"seat_number\":\"2\"}"), "seats[1] \"2\"", "category \"\""},
        {PLAN("{\"category\":\"VIP\"}"), "seats[0]", "\"VIP\""},
        {PLAN("{\"seat_number\":1.5,\"category\":\"300 UAH\"}"), "seats[0]", "a fraction"},
        {PLAN("{\"seat_number\":\"" TEXT_256 "\",\"category\":\"300 UAH\"}"), "seats[0]",
         "256 bytes"},
        {PLAN("{\"seat_guid\":\"" TEXT_256 "\",\"category\":\"300 UAH\"}"), "seats[0]",
         "at most 255"},
        {PLAN("{\"seat_number\":\"\\u001b[2J\",\"category\":\"x\"}"), "seats[0]",
         "(\"?[2J\") has a control character"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct seating_plan *plan;
        struct seating_plan_error error;
        if (parse(cases[i].json, &plan, &error) == 0) fail_msg("taken: %s", cases[i].json);
        assert_null(plan);
        if (!strstr(error.where, cases[i].where) || !strstr(error.what, cases[i].what)) {
            fail_msg("case %zu: %s: %s", i, error.where, error.what);
        }
    }
}

/* What looks the same is the same: every text comes out in form NFC, and it is told how many were
 * not. */
static void brings_texts_into_one_form(void **state) {
    (void)state;
    static const char json[] =
        "{\"name\":\"O\\u0308\",\"categories\":[{\"name\":\"10 Balco\\u0301n\"}],\"zones\":["
        "{\"name\":\"Balc\\u00f3n\",\"rows\":[{\"row_number\":\"1\",\"seats\":["
        "{\"seat_number\":\"1\",\"seat_guid\":\"\\u212b\",\"category\":\"10 Balc\\u00f3n\"}]}]},"
        "{\"name\":\"Balco\\u0301n\",\"rows\":[{\"row_number\":\"e\\u0301\",\"seats\":["
        "{\"seat_number\":\"2\",\"seat_guid\":\"b\",\"category\":\"10 Balco\\u0301n\"}]}]}]}";
    struct seating_plan *plan = parse_good(json);
    assert_string_equal(plan->name, "\xc3\x96");
    assert_string_equal(plan->seats[0].section, "Balc\xc3\xb3n");
    assert_string_equal(plan->seats[1].section, "Balc\xc3\xb3n");
    assert_string_equal(plan->seats[1].row, "\xc3\xa9");
    assert_string_equal(plan->seats[0].guid, "\xc3\x85"); /* the sign for Angstrom is a letter */
    assert_int_equal(plan->categories[0].seats, 2);
    assert_int_equal(plan->texts_changed, 5); /* not the categories that seats only refer to */
    struct seating_plan_error error;
    assert_int_equal(seating_plan_price(plan, "10 Balc\xc3\xb3n=3", &error), 0);
    assert_int_equal(seating_plan_price(plan, "10 Balco\xcc\x81n=4", &error), 0);
    assert_int_equal(plan->categories[0].price, 4);
    assert_int_equal(seating_plan_not_for_sale(plan, "10 Balco\xcc\x81n", &error), 0);
    assert_int_equal(seating_plan_not_for_sale(plan, "\xff", &error), -1);
    seating_plan_free(plan);

    plan = parse_good(PLAN(SEAT("\\u043a", "\\u2116 1")));
    assert_int_equal(plan->texts_changed, 0);
    seating_plan_free(plan);
}

static void skips_a_byte_order_mark(void **state) {
    (void)state;
    struct seating_plan *plan = parse_good("\xef\xbb\xbf" PLAN(SEAT("a", "1")));
    assert_true(plan->byte_order_mark);
    seating_plan_free(plan);
    plan = parse_good(PLAN(SEAT("a", "1")));
    assert_false(plan->byte_order_mark);
    seating_plan_free(plan);
}

/* A plan of `count` seats whose guids are "g0" .. repeated after `guids` of them. */
static struct seating_plan *plan_with_guids(uint32_t count, uint32_t guids) {
    static char json[256 * 1024];
    size_t used = (size_t)snprintf(json, sizeof json,
                                   "{" CATEGORIES ",\"zones\":[{\"name\":\"A\",\"rows\":["
                                   "{\"row_number\":\"1\",\"seats\":[");
    for (uint32_t i = 0; i < count; i++) {
        used += (size_t)snprintf(json + used, sizeof json - used,
                                 "%s{\"seat_guid\":\"g%u\",\"seat_number\":\"%u\","
                                 "\"category\":\"300 UAH\"}",
                                 i > 0 ? "," : "", i % guids, i);
    }
    used += (size_t)snprintf(json + used, sizeof json - used, "]}]}]}");
    assert_true(used < sizeof json);
    return parse_good(json);
}

static void names_all_duplicate_guids_at_once(void **state) {
    (void)state;
    struct seating_plan_error error;
    struct seating_plan *plan = plan_with_guids(5, 5);
    assert_int_equal(seating_plan_check_guids(plan, &error), 0);
    seating_plan_free(plan);

    plan = plan_with_guids(7, 3); /* g0 three times, g1 and g2 twice */
    assert_int_equal(seating_plan_check_guids(plan, &error), -1);
    assert_string_equal(error.where, "seat_guid");
    assert_non_null(strstr(error.what, "3 guids are there more than once"));
    assert_non_null(strstr(error.what, "\"g0\" at A/1/0 (seat 1) and A/1/3 (seat 4) and 1 more"));
    assert_non_null(strstr(error.what, "\"g1\" at A/1/1 (seat 2) and A/1/4 (seat 5); "));
    assert_non_null(strstr(error.what, "\"g2\" at A/1/2 (seat 3) and A/1/5 (seat 6). "));
    assert_non_null(strstr(error.what, "--new-guids"));
    seating_plan_free(plan);

    plan = plan_with_guids(200, 100); /* as many as are readable, and how many more */
    assert_int_equal(seating_plan_check_guids(plan, &error), -1);
    assert_non_null(strstr(error.what, "100 guids are there more than once"));
    assert_non_null(strstr(error.what, "; and 80 more. "));
    seating_plan_free(plan);

    char longest[TEXT_BYTES_MAX + 1];
    memset(longest, 'x', TEXT_BYTES_MAX);
    longest[TEXT_BYTES_MAX] = '\0';
    plan = plan_with_guids(200, 100); /* all of them are named, however long their labels are */
    for (uint32_t i = 0; i < 200; i++) {
        plan->seats[i].section = plan->seats[i].row = plan->seats[i].number = longest;
    }
    assert_int_equal(seating_plan_check_guids(plan, &error), -1);
    assert_non_null(strstr(error.what, "\"g25\" at xxx")); /* the 20th */
    assert_non_null(strstr(error.what, "; and 80 more. "));
    seating_plan_free(plan);

    plan = parse_good(PLAN("{\"category\":\"300 UAH\"},{\"category\":\"300 UAH\"}"));
    assert_int_equal(seating_plan_check_guids(plan, &error), 0); /* none is no duplicate */
    seating_plan_free(plan);
    plan = parse_good(PLAN(SEAT("\\u00f3", "1") "," SEAT("o\\u0301", "2")));
    assert_int_equal(seating_plan_check_guids(plan, &error), -1); /* they look the same */
    seating_plan_free(plan);
}

static void numbers_duplicate_guids_anew(void **state) {
    (void)state;
    struct seating_plan_error error;
    uint32_t changed;
    struct seating_plan *plan = plan_with_guids(5, 3); /* g0 g1 g2 g0 g1 */
    assert_int_equal(seating_plan_new_guids(plan, &changed, &error), 0);
    assert_int_equal(changed, 4);
    static const char *const expected[] = {"g0#1", "g1#2", "g2", "g0#4", "g1#5"};
    for (uint32_t i = 0; i < 5; i++) assert_string_equal(plan->seats[i].guid, expected[i]);
    assert_int_equal(seating_plan_check_guids(plan, &error), 0);
    seating_plan_free(plan);

    plan = parse_good(PLAN(SEAT("a", "1") "," SEAT("a", "2") "," SEAT("a#2", "3")));
    assert_int_equal(seating_plan_new_guids(plan, &changed, &error), 0);
    assert_int_equal(seating_plan_check_guids(plan, &error), -1); /* that was there before */
    assert_non_null(strstr(error.what, "\"a#2\""));
    seating_plan_free(plan);

#define LONG_GUID                                                                                  \
    TEXT_64 TEXT_64 TEXT_64 "0123456789012345678901234567890123456789012345678901234567890"
    plan = parse_good(PLAN(SEAT(LONG_GUID, "1") "," SEAT(LONG_GUID, "2")));
    assert_int_equal(seating_plan_new_guids(plan, &changed, &error), 0); /* 255 bytes */
    seating_plan_free(plan);
    plan = parse_good(PLAN(SEAT(LONG_GUID "x", "1") "," SEAT(LONG_GUID "x", "2")));
    assert_int_equal(seating_plan_new_guids(plan, &changed, &error), -1);
    assert_non_null(strstr(error.what, "no room for #1"));
    seating_plan_free(plan);
}

static void refuses_a_hall_that_nobody_can_count(void **state) {
    (void)state;
    struct seating_plan_error error;
    struct seating_plan *plan = plan_with_guids(1025, 1025);
    assert_int_equal(seating_plan_price(plan, "300 UAH=8998403161718784", &error), 0);
    assert_int_equal(seating_plan_check_prices(plan, &error), 0);
    assert_int_equal(seating_plan_price(plan, "300 UAH=9007199254740991", &error), 0);
    assert_int_equal(seating_plan_check_prices(plan, &error), -1);
    assert_non_null(strstr(error.what, "cost more than 9223372036854774784 points"));
    seating_plan_free(plan);
    plan = plan_with_guids(2049, 2049); /* their sum needs more than 64 bits */
    assert_int_equal(seating_plan_price(plan, "300 UAH=9007199254740991", &error), 0);
    assert_int_equal(seating_plan_check_prices(plan, &error), -1);
    seating_plan_free(plan);
}

static void takes_texts_up_to_the_limit(void **state) {
    (void)state;
    struct seating_plan *plan = parse_good(PLAN("{\"seat_number\":\"" TEXT_64 TEXT_64 TEXT_64
                                                "01234567890123456789012345678901234567890123456789"
                                                "0123456789012\",\"category\":\"300 UAH\"}"));
    assert_int_equal(strlen(plan->seats[0].number), TEXT_BYTES_MAX);
    seating_plan_free(plan);
}

static void refuses_deep_nesting(void **state) {
    (void)state;
    static char deep[200001];
    memset(deep, '[', sizeof deep - 1);
    struct seating_plan *plan;
    struct seating_plan_error error;
    assert_int_equal(parse(deep, &plan, &error), -1);
    assert_non_null(strstr(error.what, "depth"));
}

/* Every prefix of a plan ends in an error, never in a crash. */
static void refuses_every_prefix(void **state) {
    (void)state;
    static const char json[] = PLAN(SEAT("a", "1"));
    for (size_t size = 0; size < sizeof json - 1; size++) {
        struct seating_plan *plan;
        struct seating_plan_error error;
        assert_int_equal(seating_plan_parse(json, size, &plan, &error), -1);
    }
}

static void prices_by_mapping_and_name(void **state) {
    (void)state;
    struct seating_plan *plan = parse_good(PLAN(SEAT("a", "1") ",{\"category\":\"Not for sale\"}"));
    struct seating_plan_error error;
    assert_int_equal(seating_plan_check_prices(plan, &error), -1);
    assert_non_null(strstr(error.what, "\"300 UAH\" (1 seats), \"Not for sale\" (1 seats)"));

    seating_plan_prices_from_names(plan);
    assert_int_equal(plan->categories[0].price, 300);
    assert_true(plan->categories[0].for_sale);
    assert_int_equal(seating_plan_check_prices(plan, &error), -1);
    assert_int_equal(seating_plan_not_for_sale(plan, "Not for sale", &error), 0);
    assert_int_equal(seating_plan_check_prices(plan, &error), 0);
    assert_false(plan->categories[1].for_sale);

    assert_int_equal(seating_plan_price(plan, "300 UAH=350", &error), 0);
    assert_int_equal(plan->categories[0].price, 350);
    seating_plan_prices_from_names(plan); /* keeps what was given */
    assert_int_equal(plan->categories[0].price, 350);
    assert_int_equal(seating_plan_price(plan, "300 UAH=0", &error), 0);
    assert_int_equal(seating_plan_price(plan, "300 UAH=9007199254740991", &error), 0);
    seating_plan_free(plan);
}

static void refuses_bad_prices(void **state) {
    (void)state;
    struct seating_plan *plan = parse_good(PLAN(SEAT("a", "1")));
    static const char *const bad[] = {"300 UAH",
                                      "300 UAH=",
                                      "300 UAH=-1",
                                      "300 UAH=1.5",
                                      "300 UAH=1 ",
                                      "300 UAH=9007199254740992",
                                      "300 UAH=99999999999999999999",
                                      "VIP=3"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct seating_plan_error error;
        if (seating_plan_price(plan, bad[i], &error) == 0) fail_msg("taken: %s", bad[i]);
        assert_false(plan->categories[0].priced);
    }
    struct seating_plan_error error;
    assert_int_equal(seating_plan_not_for_sale(plan, "Not For Sale", &error), -1);
    assert_non_null(strstr(error.what, "\"Not for sale\"")); /* says what there is */
    seating_plan_free(plan);
}

/* The two real halls of tools/demo: the figures of its README. */
static void reads_the_real_halls(void **state) {
    (void)state;
    static const struct {
        const char *file;
        uint32_t zones, rows, seats, categories, not_for_sale;
    } halls[] = {
        {"kherson-yubileynyi.json", 2, 40, 1594, 9, 156},
        {"mykolaiv-odk.json", 4, 40, 1130, 15, 163},
    };
    for (size_t i = 0; i < sizeof halls / sizeof halls[0]; i++) {
        char path[512];
        struct seating_plan *plan;
        struct seating_plan_error error;
        (void)snprintf(path, sizeof path, "%s/%s", DEMO_DIRECTORY, halls[i].file);
        assert_int_equal(seating_plan_load(path, &plan, &error), 0);
        assert_int_equal(plan->zone_count, halls[i].zones);
        assert_int_equal(plan->row_count, halls[i].rows);
        assert_int_equal(plan->seat_count, halls[i].seats);
        assert_int_equal(plan->category_count, halls[i].categories);
        seating_plan_prices_from_names(plan);
        assert_int_equal(seating_plan_not_for_sale(plan, "Not for sale", &error), 0);
        assert_int_equal(seating_plan_check_prices(plan, &error), 0);
        assert_int_equal(plan->categories[plan->category_count - 1].seats, halls[i].not_for_sale);
        seating_plan_free(plan);
    }
}

static void names_a_file_that_is_not_there(void **state) {
    (void)state;
    struct seating_plan *plan;
    struct seating_plan_error error;
    assert_int_equal(seating_plan_load("/nowhere/hall.json", &plan, &error), -1);
    assert_string_equal(error.where, "/nowhere/hall.json");
    assert_int_equal(seating_plan_load("/", &plan, &error), -1);
    assert_non_null(strstr(error.what, "directory"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_seats_in_order_of_the_file),
        cmocka_unit_test(takes_what_is_unusual),
        cmocka_unit_test(refuses_with_the_place),
        cmocka_unit_test(brings_texts_into_one_form),
        cmocka_unit_test(skips_a_byte_order_mark),
        cmocka_unit_test(names_all_duplicate_guids_at_once),
        cmocka_unit_test(numbers_duplicate_guids_anew),
        cmocka_unit_test(refuses_a_hall_that_nobody_can_count),
        cmocka_unit_test(takes_texts_up_to_the_limit),
        cmocka_unit_test(refuses_deep_nesting),
        cmocka_unit_test(refuses_every_prefix),
        cmocka_unit_test(prices_by_mapping_and_name),
        cmocka_unit_test(refuses_bad_prices),
        cmocka_unit_test(reads_the_real_halls),
        cmocka_unit_test(names_a_file_that_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
