/* seating_plan.h - read a hall from pretix's open seating-plan JSON
 *
 * Other people's plans are input, not data of ours: whatever is wrong with one is reported with
 * the place in the plan and what to do, never guessed. What is merely unusual is taken as it is:
 * keys the schema does not name, nulls, areas without seats, gaps, duplicate labels, labels that
 * are no numbers. Seats keep the order of the file, which is what adjacency means.
 *
 * The format has no price and no sale flag: both are given per category, with seating_plan_price
 * and its siblings, and seating_plan_check_prices says what is still missing.
 *
 * Texts are compared and looked up by people: all of them are brought into Unicode's form NFC, and
 * how many were changed is counted. A byte order mark of UTF-8 is skipped and remembered.
 *
 * Happy path: seating_plan_load, seating_plan_check_guids, prices, seating_plan_check_prices, use,
 * seating_plan_free.
 * One thread at a time per plan.
 */
#ifndef USHER_TOOLS_COMMON_SEATING_PLAN_H
#define USHER_TOOLS_COMMON_SEATING_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest file that is read. A stadium of SEATS_PER_DATE_MAX seats with long guids stays below. */
#define SEATING_PLAN_BYTES_MAX (64u * 1024 * 1024)
/* Categories are compared one by one; real halls have fewer than 20. */
#define SEATING_PLAN_CATEGORIES_MAX 1024u

/* Texts are terminated UTF-8 of at most TEXT_BYTES_MAX bytes, "" where the plan has none. */
struct seating_plan_category {
    const char *name;
    uint32_t seats; /* of this category in the plan */
    bool priced;    /* a price is known, or it is not for sale */
    bool for_sale;
    uint64_t price; /* points, 0..AMOUNT_MAX */
};

struct seating_plan_seat {
    const char *section; /* the zone's name */
    const char *row;
    const char *number;
    const char *guid;
    uint32_t category; /* index */
};

struct seating_plan {
    const char *name;
    struct seating_plan_category *categories;
    struct seating_plan_seat *seats;
    uint32_t category_count;
    uint32_t seat_count; /* 1..SEATS_PER_DATE_MAX */
    uint32_t zone_count;
    uint32_t row_count;
    uint32_t texts_changed; /* names, labels and guids that were not in form NFC */
    bool byte_order_mark;   /* the file began with one */
    void *document;         /* owns the texts */
    void *new_guids;        /* owns those of seating_plan_new_guids; NULL: none were made */
};

/* Where and what, printable: control characters of the plan are replaced. */
struct seating_plan_error {
    char where[1024]; /* for example: zones[1] "Balcony", rows[3] "F", seats[12] "16 bis" */
    char what[7168];
};

/* seating_plan_load, seating_plan_parse - read a file, or bytes
 * @ret_plan: on success only; free with seating_plan_free
 * Return: 0; -1 and *ret_error */
int seating_plan_load(const char *path, struct seating_plan **ret_plan,
                      struct seating_plan_error *ret_error);
int seating_plan_parse(const char *bytes, size_t size, struct seating_plan **ret_plan,
                       struct seating_plan_error *ret_error);
void seating_plan_free(struct seating_plan *plan);

/* seating_plan_check_guids - only a guid identifies a seat: no two may have the same
 * Return: 0; -1 and *ret_error names those that are there more than once, as many as it can */
int seating_plan_check_guids(const struct seating_plan *plan, struct seating_plan_error *ret_error);

/* seating_plan_new_guids - every seat whose guid another seat has, too, gets GUID#NUMBER, with its
 * number in the plan. So the same plan gets the same guids each time. At most once per plan.
 * @ret_count: seats that got a new one
 * Return: 0, and check them again: the plan may have had GUID#NUMBER before; -1 and *ret_error */
int seating_plan_new_guids(struct seating_plan *plan, uint32_t *ret_count,
                           struct seating_plan_error *ret_error);

/* seating_plan_price - apply one "CATEGORY=POINTS"; the last '=' divides
 * seating_plan_not_for_sale - seats of this category exist but are not sold
 * A category that the plan does not have is an error: most likely it is misspelt.
 * Return: 0; -1 and *ret_error */
int seating_plan_price(struct seating_plan *plan, const char *mapping,
                       struct seating_plan_error *ret_error);
int seating_plan_not_for_sale(struct seating_plan *plan, const char *category,
                              struct seating_plan_error *ret_error);

/* seating_plan_prices_from_names - "300 UAH" costs 300: the leading whole number of the name
 * Categories that are priced already, or whose name has no such number, stay as they are. */
void seating_plan_prices_from_names(struct seating_plan *plan);

/* seating_plan_check_prices - every category with seats is priced or not for sale, and all seats
 * together cost at most DATE_POINTS_MAX
 * Return: 0; -1 and *ret_error names those that are not */
int seating_plan_check_prices(const struct seating_plan *plan,
                              struct seating_plan_error *ret_error);

#endif
