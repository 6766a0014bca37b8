/* fuzz_plan.c - other people's seating plans
 *
 * Input: the file.
 *
 * What must hold:
 * - a plan is taken within all limits, or refused with a place and a reason that can be printed
 * - of one that is taken every seat has a category and texts that the log can hold, in form NFC,
 *   the counts agree, and prices can be given by the very names that it has
 * - no guid is there twice where the plan says so, also after guids were numbered anew
 */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/limits.h"
#include "net/protocol/text.h"
#include "tools/common/seating_plan.h"
#include "tools/common/unicode.h"

static void error_is_right(const struct seating_plan_error *error) {
    REQUIRE(memchr(error->where, '\0', sizeof error->where) != NULL);
    REQUIRE(memchr(error->what, '\0', sizeof error->what) != NULL && error->what[0] != '\0');
    REQUIRE(text_is_clean(error->where, (uint32_t)strlen(error->where)));
    REQUIRE(text_is_clean(error->what, (uint32_t)strlen(error->what)));
}

static void text_is_right(const char *text) {
    REQUIRE(text != NULL && strlen(text) <= TEXT_BYTES_MAX);
    REQUIRE(text_is_clean(text, (uint32_t)strlen(text)));
    char *nfc = unicode_nfc(text);
    REQUIRE(nfc != NULL && strcmp(nfc, text) == 0);
    free(nfc);
}

static int compare_texts(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Return: whether no guid is there twice */
static bool guids_are_unique(const struct seating_plan *plan) {
    bool unique = true;
    const char **guids = malloc(plan->seat_count * sizeof *guids);
    REQUIRE(guids != NULL);
    for (uint32_t i = 0; i < plan->seat_count; i++) guids[i] = plan->seats[i].guid;
    qsort(guids, plan->seat_count, sizeof *guids, compare_texts);
    for (uint32_t i = 1; i < plan->seat_count; i++) {
        unique = unique && (guids[i][0] == '\0' || strcmp(guids[i - 1], guids[i]) != 0);
    }
    free(guids);
    return unique;
}

static void guids_are_right(struct seating_plan *plan) {
    struct seating_plan_error error;
    uint32_t changed = 0;
    bool unique = guids_are_unique(plan);
    REQUIRE((seating_plan_check_guids(plan, &error) == 0) == unique);
    if (!unique) error_is_right(&error);
    if (seating_plan_new_guids(plan, &changed, &error) != 0) {
        error_is_right(&error);
        return;
    }
    REQUIRE((changed == 0) == unique);
    REQUIRE((seating_plan_check_guids(plan, &error) == 0) == guids_are_unique(plan));
    for (uint32_t i = 0; i < plan->seat_count; i++) {
        REQUIRE(strlen(plan->seats[i].guid) <= TEXT_BYTES_MAX);
    }
}

static void plan_is_right(const struct seating_plan *plan) {
    uint64_t seats = 0;
    text_is_right(plan->name);
    REQUIRE(plan->seat_count >= 1 && plan->seat_count <= SEATS_PER_DATE_MAX);
    REQUIRE(plan->category_count >= 1 && plan->category_count <= SEATING_PLAN_CATEGORIES_MAX);
    REQUIRE(plan->zone_count >= 1 && plan->row_count >= 1);
    for (uint32_t i = 0; i < plan->category_count; i++) {
        text_is_right(plan->categories[i].name);
        seats += plan->categories[i].seats;
    }
    REQUIRE(seats == plan->seat_count);
    for (uint32_t i = 0; i < plan->seat_count; i++) {
        const struct seating_plan_seat *seat = &plan->seats[i];
        text_is_right(seat->section);
        text_is_right(seat->row);
        text_is_right(seat->number);
        text_is_right(seat->guid);
        REQUIRE(seat->category < plan->category_count);
    }
}

static void prices_are_right(struct seating_plan *plan) {
    struct seating_plan_error error;
    char mapping[TEXT_BYTES_MAX + 8];
    seating_plan_prices_from_names(plan);
    if (seating_plan_check_prices(plan, &error) != 0) error_is_right(&error);
    for (uint32_t i = 0; i < plan->category_count; i++) {
        const char *name = plan->categories[i].name;
        (void)snprintf(mapping, sizeof mapping, "%s=%u", name, i); /* cut at no name's length */
        REQUIRE(i % 2 || seating_plan_price(plan, mapping, &error) == 0);
        REQUIRE(i % 2 == 0 || seating_plan_not_for_sale(plan, name, &error) == 0);
        REQUIRE(seating_plan_price(plan, name, &error) == 0 || error.what[0] != '\0');
    }
    REQUIRE(seating_plan_check_prices(plan, &error) == 0);
    for (uint32_t i = 0; i < plan->category_count; i++) {
        REQUIRE(plan->categories[i].price <= AMOUNT_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct seating_plan *plan = NULL;
    struct seating_plan_error error;
    if (seating_plan_parse((const char *)bytes, size, &plan, &error) != 0) {
        REQUIRE(plan == NULL);
        error_is_right(&error);
        return 0;
    }
    plan_is_right(plan);
    guids_are_right(plan);
    prices_are_right(plan);
    seating_plan_free(plan);
    return 0;
}
