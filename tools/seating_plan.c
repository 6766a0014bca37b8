/* seating_plan.c - see seating_plan.h
 *
 * jansson does the lexing (UTF-8, escapes, depth) and owns the texts; this file owns the meaning.
 * The walk carries its place in the document with it, so that every error can say where. Failure
 * modes: unreadable file, bad JSON, wrong type, a text that is too long, a category nobody
 * declared, one guid twice, too many or no seats.
 */
#include "tools/seating_plan.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/limits.h"
#include "engine/require.h"
#include "net/text.h"

/* Where the walk is. Names are borrowed from the document; NULL below the level reached. */
struct walk {
    struct seating_plan *plan;
    struct seating_plan_error *error;
    json_t *guids; /* owned; guid -> place of its first seat */
    uint32_t seat_capacity;
    size_t zone, row, seat;
    const char *zone_name, *row_name, *seat_name;
};

static int walk_zones(struct walk *walk, const json_t *zones);
static int read_categories(struct walk *walk, const json_t *categories);
static int walk_fail(const struct walk *walk, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static int plan_fail(struct seating_plan_error *error, const char *where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static int walk_text(const struct walk *walk, json_t *object, const char *key,
                     const char **ret_text);

static struct seating_plan_category *find_category(const struct seating_plan *plan,
                                                   const char *name) {
    for (uint32_t i = 0; i < plan->category_count; i++) {
        if (strcmp(plan->categories[i].name, name) == 0) return &plan->categories[i];
    }
    return NULL;
}

static int read_document(struct walk *walk, json_t *root) {
    if (!json_is_object(root)) {
        return plan_fail(walk->error, "the whole document",
                         "is not an object; a seating plan is {\"name\", \"categories\", "
                         "\"zones\", ...}");
    }
    if (walk_text(walk, root, "name", &walk->plan->name) < 0) return -1;
    if (read_categories(walk, json_object_get(root, "categories")) < 0) return -1;
    if (walk_zones(walk, json_object_get(root, "zones")) < 0) return -1;
    if (walk->plan->seat_count == 0) {
        return plan_fail(walk->error, "zones", "the plan has no seats; nothing could be sold");
    }
    return 0;
}

int seating_plan_parse(const char *bytes, size_t size, struct seating_plan **ret_plan,
                       struct seating_plan_error *ret_error) {
    REQUIRE(bytes && ret_plan && ret_error);
    json_error_t json_error;
    json_t *root = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &json_error);
    if (!root) {
        char where[64];
        (void)snprintf(where, sizeof where, "line %d, column %d", json_error.line,
                       json_error.column); /* fits: two integers */
        return plan_fail(ret_error, where, "is not valid JSON: %s", json_error.text);
    }
    struct seating_plan *plan = calloc(1, sizeof *plan);
    struct walk walk = {.plan = plan, .error = ret_error, .guids = json_object()};
    REQUIRE_MEMORY(plan && walk.guids);
    plan->document = root;
    int result = read_document(&walk, root);
    json_decref(walk.guids);
    if (result < 0) {
        seating_plan_free(plan);
        return -1;
    }
    REQUIRE(plan->seat_count <= SEATS_PER_DATE_MAX && plan->category_count > 0);
    *ret_plan = plan;
    return 0;
}

int seating_plan_load(const char *path, struct seating_plan **ret_plan,
                      struct seating_plan_error *ret_error) {
    REQUIRE(path && ret_plan && ret_error);
    FILE *file = fopen(path, "rbe");
    if (!file) return plan_fail(ret_error, path, "cannot be opened: %s", strerror(errno));
    int result = -1;
    size_t capacity = 64 * 1024, size = 0;
    char *bytes = NULL;
    for (;;) {
        bytes = realloc(bytes, capacity);
        REQUIRE_MEMORY(bytes);
        size += fread(bytes + size, 1, capacity - size, file);
        if (size < capacity || size > SEATING_PLAN_BYTES_MAX) break;
        capacity *= 2;
    }
    if (ferror(file)) {
        (void)plan_fail(ret_error, path, "cannot be read: %s", strerror(errno)); /* result is -1 */
    } else if (size > SEATING_PLAN_BYTES_MAX) {
        (void)plan_fail(ret_error, path, "is longer than %u bytes; no hall is",
                        SEATING_PLAN_BYTES_MAX); /* result is -1 */
    } else {
        result = seating_plan_parse(bytes, size, ret_plan, ret_error);
    }
    free(bytes);
    (void)fclose(file); /* read only: nothing can be lost */
    return result;
}

void seating_plan_free(struct seating_plan *plan) {
    if (!plan) return;
    json_decref(plan->document);
    free(plan->categories);
    free(plan->seats);
    free(plan);
}

/* --- errors and texts ------------------------------------------------------------------------ */

/* Bytes of the well-formed, printable character at `text`; 0: there is none */
static size_t character_bytes(const char *text) {
    uint32_t size = 1, left = (uint32_t)strnlen(text, 4);
    while (size <= left && !text_is_clean(text, size)) size++;
    bool is_c1 = size == 2 && text[0] == '\xC2' && (unsigned char)text[1] < 0xA0;
    return size <= left && !is_c1 ? size : 0;
}

/* The plan is somebody else's text: it must not steer the terminal that shows it. Long names were
 * cut, perhaps inside a character: what is shown is well-formed all the same. */
static void make_printable(char *text) {
    while (*text) {
        size_t size = character_bytes(text);
        if (size == 0) *text = '?';
        text += size > 0 ? size : 1;
    }
}

static void fail_list(struct seating_plan_error *error, const char *format, va_list arguments) {
    (void)vsnprintf(error->what, sizeof error->what, format, arguments); /* cut where too long */
    make_printable(error->where);
    make_printable(error->what);
}

static int plan_fail(struct seating_plan_error *error, const char *where, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)snprintf(error->where, sizeof error->where, "%s", where); /* cut where too long */
    fail_list(error, format, arguments);
    va_end(arguments);
    return -1;
}

static void walk_where(const struct walk *walk, char *ret_where, size_t size) {
    if (!walk->zone_name) {
        (void)snprintf(ret_where, size, "the plan"); /* fits */
        return;
    }
    int used = snprintf(ret_where, size, "zones[%zu] \"%.80s\"", walk->zone, walk->zone_name);
    if (walk->row_name) {
        used += snprintf(ret_where + used, size - (size_t)used, ", rows[%zu] \"%.80s\"", walk->row,
                         walk->row_name);
    }
    if (walk->seat_name) {
        (void)snprintf(ret_where + used, size - (size_t)used, ", seats[%zu] \"%.80s\"", walk->seat,
                       walk->seat_name); /* fits: three names of 80 bytes in 1024 */
    }
}

static int walk_fail(const struct walk *walk, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    walk_where(walk, walk->error->where, sizeof walk->error->where);
    fail_list(walk->error, format, arguments);
    va_end(arguments);
    return -1;
}

static const char *type_name(const json_t *value) {
    switch (json_typeof(value)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "an array";
    case JSON_STRING: return "a text";
    case JSON_INTEGER: return "an integer";
    case JSON_REAL: return "a fraction";
    case JSON_TRUE:
    case JSON_FALSE: return "a truth value";
    case JSON_NULL: return "null";
    }
    return "of an unknown type";
}

/* A text that may be absent or null ("" then). Hand-made plans write seat_number: 12 without the
 * quotes; the document's value is replaced by its text, so that the document owns that too. */
static int walk_text(const struct walk *walk, json_t *object, const char *key,
                     const char **ret_text) {
    const json_t *value = json_object_get(object, key);
    if (!value || json_is_null(value)) {
        *ret_text = "";
        return 0;
    }
    if (json_is_integer(value)) {
        json_t *text = json_sprintf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
        REQUIRE_MEMORY(text && json_object_set_new(object, key, text) == 0);
        value = text;
    }
    if (!json_is_string(value)) {
        return walk_fail(walk, "\"%s\" is %s; it must be a text", key, type_name(value));
    }
    if (json_string_length(value) > TEXT_BYTES_MAX) {
        return walk_fail(walk,
                         "\"%s\" has %zu bytes (\"%.60s...\"); usher takes at most %u. "
                         "Shorten it in the plan",
                         key, json_string_length(value), json_string_value(value), TEXT_BYTES_MAX);
    }
    if (!text_is_clean(json_string_value(value), (uint32_t)json_string_length(value))) {
        return walk_fail(walk, "\"%s\" (\"%.60s\") has a control character; remove it in the plan",
                         key, json_string_value(value));
    }
    *ret_text = json_string_value(value);
    return 0;
}

/* An array that may be absent or null. */
static int walk_array(const struct walk *walk, const json_t *value, const char *key,
                      size_t *ret_count) {
    if (value && !json_is_null(value) && !json_is_array(value)) {
        return walk_fail(walk, "\"%s\" is %s; it must be an array", key, type_name(value));
    }
    *ret_count = json_array_size(value);
    return 0;
}

/* --- the walk -------------------------------------------------------------------------------- */

static int read_categories(struct walk *walk, const json_t *categories) {
    struct seating_plan *plan = walk->plan;
    size_t count = 0;
    if (walk_array(walk, categories, "categories", &count) < 0) return -1;
    if (count > SEATING_PLAN_CATEGORIES_MAX) {
        return walk_fail(walk, "has %zu categories; at most %u are taken", count,
                         SEATING_PLAN_CATEGORIES_MAX);
    }
    plan->categories = calloc(count + 1, sizeof *plan->categories);
    REQUIRE_MEMORY(plan->categories);
    for (size_t i = 0; i < count; i++) {
        json_t *item = json_array_get(categories, i);
        struct seating_plan_category *category = &plan->categories[i];
        if (!json_is_object(item)) {
            return walk_fail(walk, "categories[%zu] is %s; it must be an object", i,
                             type_name(item));
        }
        if (walk_text(walk, item, "name", &category->name) < 0) return -1;
        if (find_category(plan, category->name)) {
            return walk_fail(walk, "categories[%zu] is called \"%.80s\", as one before it", i,
                             category->name);
        }
        plan->category_count++;
    }
    return 0;
}

/* Only a guid identifies a seat; the same one twice would make an order ambiguous. */
static int check_guid(struct walk *walk, const char *guid) {
    if (guid[0] == '\0') return 0;
    const json_t *first = json_object_get(walk->guids, guid);
    if (first) {
        return walk_fail(walk, "has the guid \"%.80s\" of %.300s; make it unique in the plan", guid,
                         json_string_value(first));
    }
    char where[400];
    walk_where(walk, where, sizeof where);
    /* A name of 80 bytes may have been cut inside a character: the place is for people. */
    REQUIRE_MEMORY(json_object_set_new(walk->guids, guid, json_string_nocheck(where)) == 0);
    return 0;
}

static void plan_grow(struct walk *walk) {
    if (walk->plan->seat_count < walk->seat_capacity) return;
    walk->seat_capacity = walk->seat_capacity ? walk->seat_capacity * 2 : 1024;
    walk->plan->seats = reallocarray(walk->plan->seats, walk->seat_capacity,
                                     sizeof *walk->plan->seats);
    REQUIRE(walk->plan->seats);
}

static int walk_seat(struct walk *walk, json_t *seat) {
    struct seating_plan *plan = walk->plan;
    struct seating_plan_seat result = {.section = walk->zone_name, .row = walk->row_name};
    walk->seat_name = "";
    if (!json_is_object(seat)) {
        return walk_fail(walk, "is %s; a seat must be an object", type_name(seat));
    }
    const char *category_name;
    if (walk_text(walk, seat, "seat_number", &result.number) < 0) return -1;
    walk->seat_name = result.number;
    if (walk_text(walk, seat, "seat_guid", &result.guid) < 0) return -1;
    if (walk_text(walk, seat, "category", &category_name) < 0) return -1;
    const struct seating_plan_category *category = find_category(plan, category_name);
    if (!category) {
        return walk_fail(walk,
                         "has the category \"%.80s\", which \"categories\" does not list; "
                         "its price cannot be known",
                         category_name);
    }
    if (check_guid(walk, result.guid) < 0) return -1;
    if (plan->seat_count == SEATS_PER_DATE_MAX) {
        return walk_fail(walk, "is seat number %u; a date has at most %u", SEATS_PER_DATE_MAX + 1,
                         SEATS_PER_DATE_MAX);
    }
    result.category = (uint32_t)(category - plan->categories);
    plan->categories[result.category].seats++;
    plan_grow(walk);
    plan->seats[plan->seat_count++] = result;
    return 0;
}

static int walk_row(struct walk *walk, json_t *row) {
    walk->row_name = "";
    if (!json_is_object(row))
        return walk_fail(walk, "is %s; a row must be an object", type_name(row));
    if (walk_text(walk, row, "row_number", &walk->row_name) < 0) return -1;
    const json_t *seats = json_object_get(row, "seats");
    size_t count = 0;
    if (walk_array(walk, seats, "seats", &count) < 0) return -1;
    for (walk->seat = 0; walk->seat < count; walk->seat++) {
        if (walk_seat(walk, json_array_get(seats, walk->seat)) < 0) return -1;
    }
    walk->seat_name = NULL;
    walk->plan->row_count++;
    return 0;
}

static int walk_zones(struct walk *walk, const json_t *zones) {
    size_t zone_count = 0;
    if (walk_array(walk, zones, "zones", &zone_count) < 0) return -1;
    for (walk->zone = 0; walk->zone < zone_count; walk->zone++) {
        json_t *zone = json_array_get(zones, walk->zone);
        walk->zone_name = "";
        if (!json_is_object(zone)) {
            return walk_fail(walk, "is %s; a zone must be an object", type_name(zone));
        }
        if (walk_text(walk, zone, "name", &walk->zone_name) < 0) return -1;
        const json_t *rows = json_object_get(zone, "rows");
        size_t row_count = 0;
        if (walk_array(walk, rows, "rows", &row_count) < 0) return -1;
        for (walk->row = 0; walk->row < row_count; walk->row++) {
            if (walk_row(walk, json_array_get(rows, walk->row)) < 0) return -1;
        }
        walk->row_name = NULL;
        walk->plan->zone_count++;
    }
    walk->zone_name = NULL;
    return 0;
}

/* --- prices ---------------------------------------------------------------------------------- */

/* A whole number without sign at the start of a text. Return: characters taken; 0 for none */
static size_t leading_number(const char *text, uint64_t *ret_value) {
    uint64_t value = 0;
    size_t digits = 0;
    for (; text[digits] >= '0' && text[digits] <= '9'; digits++) {
        value = value * 10 + (uint64_t)(text[digits] - '0');
        if (value > AMOUNT_MAX) return 0;
    }
    if (digits > 0) *ret_value = value;
    return digits;
}

static void set_price(struct seating_plan_category *category, uint64_t price) {
    REQUIRE(price <= AMOUNT_MAX);
    category->price = price;
    category->priced = true;
    category->for_sale = true;
}

static int no_category(const struct seating_plan *plan, const char *name,
                       struct seating_plan_error *error) {
    char known[800] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < plan->category_count && used < sizeof known; i++) {
        used += (size_t)snprintf(known + used, sizeof known - used, "%s\"%s\"", i > 0 ? ", " : "",
                                 plan->categories[i].name);
    }
    return plan_fail(error, "categories", "the plan has no category \"%.80s\"; it has %s", name,
                     known);
}

int seating_plan_price(struct seating_plan *plan, const char *mapping,
                       struct seating_plan_error *ret_error) {
    REQUIRE(plan && mapping && ret_error);
    const char *equals = strrchr(mapping, '=');
    uint64_t price;
    size_t digits = equals ? leading_number(equals + 1, &price) : 0;
    if (digits == 0 || equals[1 + digits] != '\0') {
        return plan_fail(ret_error, mapping,
                         "is no price; write CATEGORY=POINTS with whole points from 0 to %llu",
                         AMOUNT_MAX);
    }
    char *name = strndup(mapping, (size_t)(equals - mapping));
    REQUIRE_MEMORY(name);
    struct seating_plan_category *category = find_category(plan, name);
    int result = category ? 0 : no_category(plan, name, ret_error);
    if (category) set_price(category, price);
    free(name);
    return result;
}

int seating_plan_not_for_sale(struct seating_plan *plan, const char *name,
                              struct seating_plan_error *ret_error) {
    REQUIRE(plan && name && ret_error);
    struct seating_plan_category *category = find_category(plan, name);
    if (!category) return no_category(plan, name, ret_error);
    category->price = 0;
    category->priced = true;
    category->for_sale = false;
    return 0;
}

void seating_plan_prices_from_names(struct seating_plan *plan) {
    REQUIRE(plan);
    for (uint32_t i = 0; i < plan->category_count; i++) {
        struct seating_plan_category *category = &plan->categories[i];
        uint64_t price;
        if (!category->priced && leading_number(category->name, &price) > 0) {
            set_price(category, price);
        }
    }
}

int seating_plan_check_prices(const struct seating_plan *plan,
                              struct seating_plan_error *ret_error) {
    REQUIRE(plan && ret_error);
    char missing[800] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < plan->category_count && used < sizeof missing; i++) {
        const struct seating_plan_category *category = &plan->categories[i];
        if (category->priced || category->seats == 0) continue;
        used += (size_t)snprintf(missing + used, sizeof missing - used, "%s\"%s\" (%u seats)",
                                 used > 0 ? ", " : "", category->name, category->seats);
    }
    if (used == 0) return 0;
    return plan_fail(ret_error, "categories",
                     "no price for %s; give --price CATEGORY=POINTS, --prices-from-names or "
                     "--not-for-sale CATEGORY",
                     missing);
}
