/* test_seating_plan.c - what an importer meets in other people's plans, one line per case */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/limits.h"
#include "tools/seating_plan.h"

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
        {PLAN(SEAT("a", "1") "," SEAT("a", "2")), "seats[1] \"2\"", "guid \"a\" of zones[0]"},
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
