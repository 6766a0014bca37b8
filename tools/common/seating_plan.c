/* seating_plan.c - see seating_plan.h
 *
 * jansson does the lexing (UTF-8, escapes, depth) and owns the texts; this file owns the meaning.
 * The walk carries its place in the document with it, so that every error can say where. Failure
 * modes: unreadable file, another encoding, bad JSON, wrong type, a text that is too long, a
 * category nobody declared, too many or no seats. Texts come out in form NFC, and every text that
 * was not in it is replaced in the document, which owns them.
 */
#include "tools/common/seating_plan.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/limits.h"
#include "engine/base/require.h"
#include "net/protocol/text.h"
#include "tools/common/unicode.h"

/* Where the walk is. Names are borrowed from the document; NULL below the level reached. */
struct plan_walk {
    struct seating_plan *plan;
    struct seating_plan_error *error;
    uint32_t seat_capacity;
    size_t zone, row, seat;
    const char *zone_name, *row_name, *seat_name;
};

static int walk_zones(struct plan_walk *walk, const json_t *zones);
static int read_categories(struct plan_walk *walk, const json_t *categories);
static int walk_fail(const struct plan_walk *walk, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static int plan_fail(struct seating_plan_error *error, const char *where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static int walk_text(const struct plan_walk *walk, json_t *object, const char *key,
                     const char **ret_text);

static struct seating_plan_category *find_category(const struct seating_plan *plan,
                                                   const char *name) {
    for (uint32_t i = 0; i < plan->category_count; i++) {
        if (strcmp(plan->categories[i].name, name) == 0) return &plan->categories[i];
    }
    return NULL;
}

static int read_document(struct plan_walk *walk, json_t *root) {
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
    size_t mark_bytes;
    const char *encoding = unicode_byte_order_mark(bytes, size, &mark_bytes);
    if (encoding && strcmp(encoding, "UTF-8") != 0) {
        return plan_fail(ret_error, "the first bytes",
                         "are the byte order mark of %s; save the plan as UTF-8", encoding);
    }
    json_t *root = json_loadb(bytes + mark_bytes, size - mark_bytes, JSON_REJECT_DUPLICATES,
                              &json_error);
    if (!root) {
        char where[64];
        (void)snprintf(where, sizeof where, "line %d, column %d", json_error.line,
                       json_error.column);
        return plan_fail(ret_error, where, "is not valid JSON: %s", json_error.text);
    }
    struct seating_plan *plan = calloc(1, sizeof *plan);
    struct plan_walk walk = {.plan = plan, .error = ret_error};
    REQUIRE_MEMORY(plan);
    plan->document = root;
    plan->byte_order_mark = mark_bytes > 0;
    if (read_document(&walk, root) < 0) {
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
        (void)plan_fail(ret_error, path, "cannot be read: %s", strerror(errno));
    } else if (size > SEATING_PLAN_BYTES_MAX) {
        (void)plan_fail(ret_error, path, "is longer than %u bytes; no hall is",
                        SEATING_PLAN_BYTES_MAX);
    } else {
        result = seating_plan_parse(bytes, size, ret_plan, ret_error);
    }
    free(bytes);
    (void)fclose(file);
    return result;
}

void seating_plan_free(struct seating_plan *plan) {
    if (!plan) return;
    json_decref(plan->document);
    json_decref(plan->new_guids);
    free(plan->categories);
    free(plan->seats);
    free(plan);
}

/* --- errors and texts ------------------------------------------------------------------------- */

static void fail_list(struct seating_plan_error *error, const char *format, va_list arguments) {
    (void)vsnprintf(error->what, sizeof error->what, format, arguments); /* cut where too long */
    unicode_make_printable(error->where);
    unicode_make_printable(error->what);
}

static int plan_fail(struct seating_plan_error *error, const char *where, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)snprintf(error->where, sizeof error->where, "%s", where); /* cut where too long */
    fail_list(error, format, arguments);
    va_end(arguments);
    return -1;
}

static void walk_where(const struct plan_walk *walk, char *ret_where, size_t size) {
    if (!walk->zone_name) {
        (void)snprintf(ret_where, size, "the plan");
        return;
    }
    int used = snprintf(ret_where, size, "zones[%zu] \"%.80s\"", walk->zone, walk->zone_name);
    if (walk->row_name) {
        used += snprintf(ret_where + used, size - (size_t)used, ", rows[%zu] \"%.80s\"", walk->row,
                         walk->row_name);
    }
    if (walk->seat_name) {
        (void)snprintf(ret_where + used, size - (size_t)used, ", seats[%zu] \"%.80s\"", walk->seat,
                       walk->seat_name);
    }
}

static int walk_fail(const struct plan_walk *walk, const char *format, ...) {
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

/* The text in form NFC, in the document's place of the one that was not. Return: the text */
static const json_t *to_nfc(const struct plan_walk *walk, json_t *object, const char *key,
                            const json_t *value) {
    char *nfc = unicode_nfc(json_string_value(value));
    REQUIRE(nfc); /* jansson takes well-formed UTF-8 only */
    if (strcmp(nfc, json_string_value(value)) != 0) {
        json_t *text = json_string(nfc);
        REQUIRE_MEMORY(text && json_object_set_new(object, key, text) == 0);
        walk->plan->texts_changed++;
        value = text;
    }
    free(nfc);
    return value;
}

/* A text that may be absent or null ("" then). Hand-made plans write seat_number: 12 without the
 * quotes; the document's value is replaced by its text, so that the document owns that too. */
static int walk_text(const struct plan_walk *walk, json_t *object, const char *key,
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
    value = to_nfc(walk, object, key, value);
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
static int walk_array(const struct plan_walk *walk, const json_t *value, const char *key,
                      size_t *ret_count) {
    if (value && !json_is_null(value) && !json_is_array(value)) {
        return walk_fail(walk, "\"%s\" is %s; it must be an array", key, type_name(value));
    }
    *ret_count = json_array_size(value);
    return 0;
}

/* --- the walk --------------------------------------------------------------------------------- */

static int read_categories(struct plan_walk *walk, const json_t *categories) {
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

static void plan_grow(struct plan_walk *walk) {
    if (walk->plan->seat_count < walk->seat_capacity) return;
    walk->seat_capacity = walk->seat_capacity ? walk->seat_capacity * 2 : 1024;
    walk->plan->seats = reallocarray(walk->plan->seats, walk->seat_capacity,
                                     sizeof *walk->plan->seats);
    REQUIRE_MEMORY(walk->plan->seats);
}

static int walk_seat(struct plan_walk *walk, json_t *seat) {
    struct seating_plan *plan = walk->plan;
    struct seating_plan_seat result = {.section = walk->zone_name, .row = walk->row_name};
    walk->seat_name = "";
    if (!json_is_object(seat)) {
        return walk_fail(walk, "is %s; a seat must be an object", type_name(seat));
    }
    const char *category_text;
    uint32_t changed;
    if (walk_text(walk, seat, "seat_number", &result.number) < 0) return -1;
    walk->seat_name = result.number;
    if (walk_text(walk, seat, "seat_guid", &result.guid) < 0) return -1;
    changed = plan->texts_changed;
    if (walk_text(walk, seat, "category", &category_text) < 0) return -1;
    plan->texts_changed = changed; /* it is compared, not stored */
    const struct seating_plan_category *category = find_category(plan, category_text);
    if (!category) {
        return walk_fail(walk,
                         "has the category \"%.80s\", which \"categories\" does not list; "
                         "its price cannot be known",
                         category_text);
    }
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

static int walk_row(struct plan_walk *walk, json_t *row) {
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

static int walk_zones(struct plan_walk *walk, const json_t *zones) {
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

/* --- prices ----------------------------------------------------------------------------------- */

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

/* Whoever types a name may get another form of it than the plan's author did. */
static struct seating_plan_category *find_category_as_typed(const struct seating_plan *plan,
                                                            const char *name) {
    char *nfc = unicode_nfc(name);
    struct seating_plan_category *category = nfc ? find_category(plan, nfc) : NULL;
    free(nfc);
    return category;
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
    struct seating_plan_category *category = find_category_as_typed(plan, name);
    int result = category ? 0 : no_category(plan, name, ret_error);
    if (category) set_price(category, price);
    free(name);
    return result;
}

int seating_plan_not_for_sale(struct seating_plan *plan, const char *name,
                              struct seating_plan_error *ret_error) {
    REQUIRE(plan && name && ret_error);
    struct seating_plan_category *category = find_category_as_typed(plan, name);
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
    bool too_much = false;
    uint64_t points = 0, more;
    for (uint32_t i = 0; i < plan->category_count && used < sizeof missing; i++) {
        const struct seating_plan_category *category = &plan->categories[i];
        too_much = too_much || __builtin_mul_overflow(category->price, category->seats, &more) ||
                   __builtin_add_overflow(points, more, &points);
        if (category->priced || category->seats == 0) continue;
        used += (size_t)snprintf(missing + used, sizeof missing - used, "%s\"%s\" (%u seats)",
                                 used > 0 ? ", " : "", category->name, category->seats);
    }
    if (used == 0 && (too_much || points > DATE_POINTS_MAX)) {
        return plan_fail(ret_error, "categories",
                         "all seats together cost more than %llu points, which no date may; is a "
                         "price mistyped?",
                         DATE_POINTS_MAX);
    }
    if (used == 0) return 0;
    return plan_fail(ret_error, "categories",
                     "no price for %s; give --price CATEGORY=POINTS, --prices-from-names or "
                     "--not-for-sale CATEGORY",
                     missing);
}

/* --- guids ------------------------------------------------------------------------------------ */

/* Duplicates that a message names; the others are counted. */
#define GUIDS_NAMED_MAX 20u
/* Room for one of them: seven texts that are cut, three numbers, the words between. */
#define GUID_NAMED_BYTES 300u

static int compare_guids(const void *a, const void *b) {
    const struct seating_plan_seat *left = *(const struct seating_plan_seat *const *)a;
    const struct seating_plan_seat *right = *(const struct seating_plan_seat *const *)b;
    int order = strcmp(left->guid, right->guid);
    return order != 0 ? order : (left > right) - (left < right); /* then as in the file */
}

/* All seats in the order of their guids. Return: owned by the caller */
static struct seating_plan_seat **by_guid(const struct seating_plan *plan) {
    struct seating_plan_seat **seats = calloc(plan->seat_count, sizeof *seats);
    REQUIRE_MEMORY(seats);
    for (uint32_t i = 0; i < plan->seat_count; i++) seats[i] = &plan->seats[i];
    qsort(seats, plan->seat_count, sizeof *seats, compare_guids);
    return seats;
}

/* How many seats from `first` on have one guid; 1 for those without any. */
static uint32_t run_of(const struct seating_plan *plan, struct seating_plan_seat *const *seats,
                       uint32_t first) {
    uint32_t end = first + 1;
    if (seats[first]->guid[0] == '\0') return 1;
    while (end < plan->seat_count && strcmp(seats[end]->guid, seats[first]->guid) == 0) end++;
    return end - first;
}

/* "dup-1" at A/1/4 (seat 5) and A/1/7 (seat 8) and 3 more */
static void name_run(const struct seating_plan *plan, struct seating_plan_seat *const *run,
                     uint32_t count, char ret_text[GUID_NAMED_BYTES]) {
    char rest[24] = "";
    if (count > 2) (void)snprintf(rest, sizeof rest, " and %u more", count - 2);
    (void)snprintf(ret_text, GUID_NAMED_BYTES,
                   "\"%.40s\" at %.40s/%.20s/%.20s (seat %u) and %.40s/%.20s/%.20s (seat %u)%s",
                   run[0]->guid, run[0]->section, run[0]->row, run[0]->number,
                   (uint32_t)(run[0] - plan->seats) + 1, run[1]->section, run[1]->row,
                   run[1]->number, (uint32_t)(run[1] - plan->seats) + 1, rest);
}

int seating_plan_check_guids(const struct seating_plan *plan,
                             struct seating_plan_error *ret_error) {
    REQUIRE(plan && ret_error);
    struct seating_plan_seat **seats = by_guid(plan);
    char named[GUIDS_NAMED_MAX * GUID_NAMED_BYTES] = "", rest[40] = "";
    size_t used = 0;
    uint32_t twice = 0;
    for (uint32_t i = 0, run; i < plan->seat_count; i += run) {
        char one[GUID_NAMED_BYTES];
        run = run_of(plan, seats, i);
        if (run == 1 || ++twice > GUIDS_NAMED_MAX) continue;
        name_run(plan, &seats[i], run, one);
        used += (size_t)snprintf(named + used, sizeof named - used, "%s%s", twice > 1 ? "; " : "",
                                 one);
    }
    free(seats);
    if (twice == 0) return 0;
    if (twice > GUIDS_NAMED_MAX) {
        (void)snprintf(rest, sizeof rest, "; and %u more", twice - GUIDS_NAMED_MAX);
    }
    return plan_fail(
        ret_error, "seat_guid",
        "%u guid%s there more than once: %s%s. Only a guid identifies a seat: make them "
        "unique in the plan, or give --new-guids: each of these seats then gets "
        "GUID#NUMBER, its own number",
        twice, twice == 1 ? " is" : "s are", named, rest);
}

/* GUID#NUMBER. Return: 0; -1: it is too long */
static int number_anew(struct seating_plan *plan, struct seating_plan_seat *seat,
                       struct seating_plan_error *error) {
    uint32_t number = (uint32_t)(seat - plan->seats) + 1;
    json_t *guid = json_sprintf("%s#%u", seat->guid, number);
    REQUIRE(guid && json_array_append_new(plan->new_guids, guid) == 0);
    if (json_string_length(guid) > TEXT_BYTES_MAX) {
        return plan_fail(error, "seat_guid",
                         "\"%.60s...\" of seat %u has no room for #%u; shorten it in the plan",
                         seat->guid, number, number);
    }
    seat->guid = json_string_value(guid);
    return 0;
}

int seating_plan_new_guids(struct seating_plan *plan, uint32_t *ret_count,
                           struct seating_plan_error *ret_error) {
    REQUIRE(plan && ret_count && ret_error && !plan->new_guids);
    struct seating_plan_seat **seats = by_guid(plan);
    uint32_t count = 0;
    int result = 0;
    plan->new_guids = json_array();
    REQUIRE_MEMORY(plan->new_guids);
    for (uint32_t i = 0, run; i < plan->seat_count && result == 0; i += run) {
        run = run_of(plan, seats, i);
        for (uint32_t k = 0; run > 1 && k < run && result == 0; k++) {
            result = number_anew(plan, seats[i + k], ret_error);
            count++;
        }
    }
    free(seats);
    if (result == 0) *ret_count = count;
    return result;
}
