/* date_seats.c - see date_seats.h
 *
 * Pages of admin.seats_list, one after the other. The answer is text and numbers, so it is compared
 * as JSON: what an admin sees is what is compared.
 */
#include "tools/usher/date_seats.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/base/limits.h"
#include "engine/base/require.h"
#include "tools/common/complain.h"
#include "tools/common/unicode.h"
#include "tools/usher/usher.h"

#define ATTEMPTS_MAX 5u
#define RETRY_MS 200u

/* A seat, as the date has it or as the plan wants it. Texts are borrowed. */
struct seat_facts {
    const char *section, *row, *number, *guid;
    uint64_t price;
    bool for_sale;
};

/* What was read so far; the maps count by section, and by price in digits. */
struct sums {
    uint32_t seats, for_sale;
    uint64_t points; /* of those for sale */
    json_t *sections, *prices;
};

static const char *text_at(const json_t *row, const char *key) {
    const char *text = json_string_value(json_object_get(row, key));
    return text ? text : "";
}

static struct seat_facts facts_of_row(const json_t *row) {
    return (struct seat_facts){.section = text_at(row, "section"),
                               .row = text_at(row, "row"),
                               .number = text_at(row, "seat"),
                               .guid = text_at(row, "guid"),
                               .price = (uint64_t)json_integer_value(json_object_get(row, "price")),
                               .for_sale = strcmp(text_at(row, "state"), "not_for_sale") != 0};
}

static struct seat_facts facts_of_plan(const struct seating_plan *plan, uint32_t number) {
    const struct seating_plan_seat *seat = &plan->seats[number - 1];
    const struct seating_plan_category *category = &plan->categories[seat->category];
    return (struct seat_facts){.section = seat->section,
                               .row = seat->row,
                               .number = seat->number,
                               .guid = seat->guid,
                               .price = category->price,
                               .for_sale = category->for_sale};
}

/* --- what differs ----------------------------------------------------------------------------- */

static bool is_same_text(const char *one, const char *other, bool in_nfc) {
    if (!in_nfc) return strcmp(one, other) == 0;
    char *a = unicode_nfc(one), *b = unicode_nfc(other);
    bool same = a && b && strcmp(a, b) == 0;
    free(a);
    free(b);
    return same;
}

static bool is_same(const struct seat_facts *one, const struct seat_facts *other, bool in_nfc) {
    return is_same_text(one->section, other->section, in_nfc) &&
           is_same_text(one->row, other->row, in_nfc) &&
           is_same_text(one->number, other->number, in_nfc) &&
           is_same_text(one->guid, other->guid, in_nfc) && one->price == other->price &&
           one->for_sale == other->for_sale;
}

static void tell_seat(const char *whose, const struct seat_facts *seat) {
    char text[5 * (TEXT_BYTES_MAX + 1) + 200];
    (void)snprintf(text, sizeof text,
                   "section \"%s\", row \"%s\", seat \"%s\", guid \"%s\", %" PRIu64 " points, %s",
                   seat->section, seat->row, seat->number, seat->guid, seat->price,
                   seat->for_sale ? "for sale" : "not for sale");
    unicode_make_printable(text);
    complain_more("  %-9s %s", whose, text);
}

static void tell_difference(uint32_t date, uint32_t number, const struct seat_facts *there,
                            const struct seat_facts *wanted) {
    complain("seat %" PRIu32 " of date %" PRIu32 " is not the plan's:", number, date);
    tell_seat("the date", there);
    if (!wanted) {
        complain_more("  the plan  ends before it");
    } else {
        tell_seat("the plan", wanted);
    }
    complain("%s", wanted && is_same(there, wanted, true)
                       ? "they look alike, but differ in their Unicode form: an older usher, or "
                         "another program, added them. Create another date: usher admin date-create"
                       : "the seats of a date cannot be changed. Import the plan that it was begun "
                         "with, at the same prices, or create another date: usher admin "
                         "date-create");
}

/* --- what there is ---------------------------------------------------------------------------- */

/* One more in the row that `map` has under this key. */
static void count_row(json_t *map, const char *key, uint64_t points) {
    json_t *row = json_object_get(map, key);
    if (!row) {
        row = json_pack("{s:i, s:I}", "seats", 0, "points", (json_int_t)0);
        REQUIRE_MEMORY(row && json_object_set_new(map, key, row) == 0);
    }
    json_t *seats = json_object_get(row, "seats"), *sum = json_object_get(row, "points");
    REQUIRE(json_integer_set(seats, json_integer_value(seats) + 1) == 0);
    REQUIRE(json_integer_set(sum, json_integer_value(sum) + (json_int_t)points) == 0);
}

static void count_seat(struct sums *sums, const struct seat_facts *seat) {
    char price[24];
    uint64_t points = seat->for_sale ? seat->price : 0;
    sums->seats++;
    sums->for_sale += seat->for_sale;
    sums->points += points; /* cannot overflow: DATE_POINTS_MAX */
    count_row(sums->sections, seat->section, points);
    if (!seat->for_sale) return;
    (void)snprintf(price, sizeof price, "%" PRIu64, seat->price);
    count_row(sums->prices, price, points);
}

/* Rows of a list instead of keys of a map: any text may be a section. */
static json_t *rows_of(const json_t *map, const char *name, bool is_number) {
    json_t *rows = json_array();
    const char *key;
    json_t *counted;
    REQUIRE_MEMORY(rows);
    json_object_foreach((json_t *)(uintptr_t)map, key, counted) {
        json_t *row = json_object();
        json_t *value = is_number ? json_integer((json_int_t)strtoull(key, NULL, 10))
                                  : json_string(key);
        REQUIRE_MEMORY(row && value && json_object_set_new(row, name, value) == 0);
        REQUIRE_MEMORY(json_object_update(row, counted) == 0 &&
                       json_array_append_new(rows, row) == 0);
    }
    return rows;
}

static void sums_write(const struct sums *sums, json_t *ret_summary) {
    json_t *summary = json_pack(
        "{s:i, s:i, s:I, s:o, s:o}", "seats", (int)sums->seats, "seats_for_sale",
        (int)sums->for_sale, "points", (json_int_t)sums->points, "sections",
        rows_of(sums->sections, "section", false), "prices", rows_of(sums->prices, "price", true));
    REQUIRE(summary && json_object_update(ret_summary, summary) == 0);
    json_decref(summary);
}

/* --- pages ------------------------------------------------------------------------------------ */

/* Return: the answer, owned by the caller; NULL after saying why there is none */
static json_t *ask_page(struct client *client, uint32_t date, uint32_t first) {
    json_t *params = json_pack("{s:I, s:I, s:i}", "date", (json_int_t)date, "first",
                               (json_int_t)first, "limit", (int)SEATS_LIST_MAX);
    json_t *answer = NULL;
    int result = 1;
    REQUIRE_MEMORY(params);
    for (uint32_t attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        json_decref(answer);
        answer = NULL;
        result = usher_ask(client, "admin.seats_list", params, &answer);
        if (result != 1 || strcmp(text_at(answer, "code"), "BUSY") != 0) break;
        struct timespec pause = {.tv_nsec = RETRY_MS * 1000000L};
        (void)nanosleep(&pause, NULL);
    }
    json_decref(params);
    if (result == 0) return answer;
    if (result == 1) {
        complain("the seats of date %" PRIu32 " cannot be compared: %s: %s", date,
                 text_at(answer, "code"), text_at(answer, "message"));
    }
    json_decref(answer);
    return NULL;
}

/* Compare the page's seats. Return: false after telling the first one that differs */
static bool judge_page(const json_t *seats, uint32_t date, const struct seating_plan *plan,
                       struct sums *sums, uint32_t *number) {
    size_t index;
    json_t *row;
    json_array_foreach((json_t *)(uintptr_t)seats, index, row) {
        struct seat_facts there = facts_of_row(row);
        if (*number > plan->seat_count) {
            tell_difference(date, *number, &there, NULL);
            return false;
        }
        struct seat_facts wanted = facts_of_plan(plan, *number);
        if (!is_same(&there, &wanted, false)) {
            tell_difference(date, *number, &there, &wanted);
            return false;
        }
        if (sums->sections) count_seat(sums, &there);
        (*number)++;
    }
    return true;
}

int date_seats_compare(struct client *client, uint32_t date, const struct seating_plan *plan,
                       uint32_t first, uint32_t *ret_count, json_t *ret_summary) {
    REQUIRE(client && plan && first >= 1 && ret_count && (!ret_summary || first == 1));
    struct sums sums = {.sections = ret_summary ? json_object() : NULL,
                        .prices = ret_summary ? json_object() : NULL};
    uint32_t number = first;
    int result = DATE_SEATS_EQUAL;
    for (bool more = true; more && result == DATE_SEATS_EQUAL;) {
        json_t *page = ask_page(client, date, number);
        if (!page) {
            result = DATE_SEATS_UNKNOWN;
            break;
        }
        const json_t *seats = json_object_get(page, "seats");
        more = json_array_size(seats) > 0 && json_is_integer(json_object_get(page, "next"));
        if (!judge_page(seats, date, plan, &sums, &number)) result = DATE_SEATS_DIFFER;
        json_decref(page);
    }
    if (result == DATE_SEATS_EQUAL) {
        *ret_count = number - 1;
        if (ret_summary) sums_write(&sums, ret_summary);
    }
    json_decref(sums.sections);
    json_decref(sums.prices);
    return result;
}
