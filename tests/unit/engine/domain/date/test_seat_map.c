/* test_seat_map.c - labels, guids, ambiguity, large halls */
#include "tests/unit/engine/domain/domain_test.h"

static struct text text_of(const char *bytes) {
    return (struct text){bytes, (uint8_t)strlen(bytes)};
}

static void add(struct seat_map *map, const char *section, const char *row, const char *seat,
                const char *guid) {
    seat_map_add(map, &(struct decision_seat_added){.number = map->count + 1,
                                                    .price = 5,
                                                    .for_sale = 1,
                                                    .section = text_of(section),
                                                    .row = text_of(row),
                                                    .seat = text_of(seat),
                                                    .guid = text_of(guid)});
}

static int find(const struct seat_map *map, const char *name, uint32_t *ret_number) {
    struct seat_ref ref = {.name = text_of(name)};
    return seat_map_find(map, &ref, ret_number);
}

static void seats_by_guid_label_and_number(void **state) {
    struct seat_map map;
    uint32_t number;
    seat_map_init(&map, 3);
    add(&map, "A", "9A", "16 bis", "g1");
    add(&map, "A", "9A", "17", "g2");
    add(&map, "A", "9A", "17", "g3");    /* the same label: ambiguous */
    add(&map, "A", "9A", "17", "");      /* three times */
    add(&map, "A/9A", "1", "7", "");     /* slashes: "A/9A/1/7" ... */
    add(&map, "A", "9A/1", "7", "");     /* ... is the same label */
    add(&map, "B", "1", "1", "A/9A/20"); /* a guid that is another's label: ambiguous */
    add(&map, "A", "9A", "20", "");
    add(&map, "", "", "", "");
    add(&map, "C", "1", "1", "C/1/1"); /* a guid that is the seat's own label */
    add(&map, "C", "1", "2", "");      /* a label that is there before the guid */
    add(&map, "C", "1", "3", "C/1/2");
    add(&map, "C", "1", "4", "A/9A/17"); /* a guid that several have as their label */
    add(&map, "D", "1", "1", "D/1/1");   /* its own label, which another has, too */
    add(&map, "D", "1", "1", "");
    const struct {
        const char *name;
        int error;
        uint32_t number;
    } cases[] = {
        {"g1", ERROR_NONE, 1},
        {"g2", ERROR_NONE, 2},
        {"g3", ERROR_NONE, 3},
        {"A/9A/16 bis", ERROR_NONE, 1},
        {"A/9A/17", ERROR_SEAT_AMBIGUOUS, 0},
        {"A/9A/1/7", ERROR_SEAT_AMBIGUOUS, 0},
        {"A/9A/20", ERROR_SEAT_AMBIGUOUS, 0},
        {"C/1/1", ERROR_NONE, 10},
        {"C/1/2", ERROR_SEAT_AMBIGUOUS, 0},
        {"C/1/3", ERROR_NONE, 12},
        {"C/1/4", ERROR_NONE, 13},
        {"D/1/1", ERROR_SEAT_AMBIGUOUS, 0},
        {"B/1/1", ERROR_NONE, 7},
        {"//", ERROR_NONE, 9},
        {"", ERROR_SEAT_UNKNOWN, 0},
        {"g4", ERROR_SEAT_UNKNOWN, 0},
        {"A/9A/1", ERROR_SEAT_UNKNOWN, 0},
        {"a/9A/16 bis", ERROR_SEAT_UNKNOWN, 0},
        {"1", ERROR_SEAT_UNKNOWN, 0},
    };
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        number = 777;
        assert_int_equal(find(&map, cases[i].name, &number), cases[i].error);
        assert_int_equal(number, cases[i].error ? 777 : cases[i].number); /* on success only */
    }
    const uint32_t unknown[] = {0, 16, 0x80000001u, UINT32_MAX};
    for (uint32_t i = 0; i < 4; i++) {
        struct seat_ref ref = {.number = unknown[i]};
        assert_int_equal(seat_map_find(&map, &ref, &number), ERROR_SEAT_UNKNOWN);
    }
    struct text empty = {"", 0};
    assert_int_equal(seat_map_has_guid(&map, &empty), 0);
    seat_map_deinit(&map);
    (void)state;
}

static void a_large_hall_with_long_labels(void **state) {
    struct seat_map map;
    static char longest[TEXT_BYTES_MAX + 1];
    memset(longest, 'x', TEXT_BYTES_MAX);
    seat_map_init(&map, 3);
    for (uint32_t i = 1; i <= 20000; i++) {
        char row[16], seat[16], guid[16];
        (void)snprintf(row, sizeof row, "%u", i / 100);
        (void)snprintf(seat, sizeof seat, "%u", i % 100);
        (void)snprintf(guid, sizeof guid, "guid-%u", i);
        add(&map, i % 1000 ? "Parterre" : longest, row, seat, guid);
    }
    for (uint32_t i = 1; i <= 20000; i++) {
        char label[64];
        uint32_t number = 0;
        (void)snprintf(label, sizeof label, "guid-%u", i);
        assert_int_equal(find(&map, label, &number), ERROR_NONE);
        assert_int_equal(number, i);
        (void)snprintf(label, sizeof label, "Parterre/%u/%u", i / 100, i % 100);
        assert_int_equal(find(&map, label, &number), i % 1000 ? ERROR_NONE : ERROR_SEAT_UNKNOWN);
        if (i % 1000) assert_int_equal(number, i);
    }
    struct text section = seat_map_text(&map, 1000, SEAT_SECTION);
    assert_int_equal(section.size, TEXT_BYTES_MAX);
    assert_memory_equal(section.bytes, longest, TEXT_BYTES_MAX);
    seat_map_deinit(&map);
    (void)state;
}

static void taking_and_freeing_counts(void **state) {
    struct seat_map map;
    seat_map_init(&map, 3);
    for (uint32_t i = 0; i < 10; i++) add(&map, "A", "1", "1", "");
    for (uint32_t i = 1; i <= 10; i++) seat_map_take(&map, i, 100 + i);
    assert_int_equal(map.free, 0);
    assert_int_equal(seat_map_seat(&map, 3)->reservation, 103);
    seat_map_free(&map, 3);
    assert_int_equal(map.free, 1);
    seat_map_take(&map, 3, 200);
    assert_int_equal(seat_map_seat(&map, 3)->reservation, 200);
    seat_map_deinit(&map);
    (void)state;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seats_by_guid_label_and_number),
        cmocka_unit_test(a_large_hall_with_long_labels),
        cmocka_unit_test(taking_and_freeing_counts),
    };
    return cmocka_run_group_tests_name("seat_map", tests, NULL, NULL);
}
