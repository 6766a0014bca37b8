/* params.c - see params.h */
#include "net/protocol/params.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "engine/base/uuid.h"
#include "engine/base/require.h"
#include "net/protocol/limits.h"
#include "net/protocol/text.h"

/* What can be wrong with a parameter: PROBLEM(NAME, "what is said of it"). */
#define PROBLEMS(PROBLEM)                                                                          \
    PROBLEM(TYPE, "has the wrong type")                                                            \
    PROBLEM(EMPTY, "is empty")                                                                     \
    PROBLEM(TOO_LONG, "is too long")                                                               \
    PROBLEM(UNCLEAN, "has a control character or is not UTF-8")                                    \
    PROBLEM(FORM, "is not written as it must be")                                                  \
    PROBLEM(RANGE, "is out of range")                                                              \
    PROBLEM(WORD, "is no word that is known here")                                                 \
    PROBLEM(COUNT, "has too few or too many elements")                                             \
    PROBLEM(UNKNOWN, "is not a parameter of this method")                                          \
    PROBLEM(REPEATED, "is given twice")                                                            \
    PROBLEM(MISSING, "is missing")

enum problem {
#define PROBLEM(NAME, text) PROBLEM_##NAME,
    PROBLEMS(PROBLEM)
#undef PROBLEM
};
static const char *const problem_texts[] = {
#define PROBLEM(NAME, text) [PROBLEM_##NAME] = text,
    PROBLEMS(PROBLEM)
#undef PROBLEM
};

/* A reader of one parameter. Return: false if the value is not what it must be */
struct params_reading {
    struct arena *arena;
    struct params *params;
    enum param param;
    bool no_memory;       /* the value may be good, but there is no room for it */
    enum problem problem; /* what was wrong with the last one */
    /* Where in it, if it is a list: which element, from 1, and which key of it. */
    uint32_t element;
    const char *key;
};

static bool wrong(struct params_reading *reading, enum problem problem) {
    reading->problem = problem;
    return false;
}

/* A number was wanted. A whole one below 0 is of the right type, but out of every range. */
static bool not_uint(struct params_reading *reading, const struct value *value) {
    return wrong(reading, value_type(value) == VALUE_NEGATIVE ? PROBLEM_RANGE : PROBLEM_TYPE);
}

/* --- readers, each with the words for what it takes ------------------------------------------- */

#define TAKES_id "a whole number from 1"
static bool read_id(struct params_reading *reading, const struct value *value) {
    return value_get_uint(value, &reading->params->ids[reading->param]) || not_uint(reading, value);
}

#define TAKES_user "a UUID as text, as in 123e4567-e89b-42d3-a456-426614174000, but not the nil one"
static bool read_user(struct params_reading *reading, const struct value *value) {
    const char *bytes;
    uint32_t size;
    if (!value_get_text(value, &bytes, &size)) return wrong(reading, PROBLEM_TYPE);
    return uuid_parse(bytes, size, &reading->params->user) || wrong(reading, PROBLEM_FORM);
}

#define TAKES_token "the text of a token, as queue.enter gave it"
static bool read_token(struct params_reading *reading, const struct value *value) {
    const char *bytes;
    uint32_t size;
    if (!value_get_text(value, &bytes, &size)) return wrong(reading, PROBLEM_TYPE);
    reading->params->token_is_bad = !token_parse(bytes, size, &reading->params->token);
    return true;
}

/* Text of min..max bytes that log, SQL and a terminal can carry. */
static bool clean_text(struct params_reading *reading, const struct value *value,
                       uint32_t min_bytes, uint32_t max_bytes, const char **ret_bytes,
                       uint32_t *ret_size) {
    if (!value_get_text(value, ret_bytes, ret_size)) return wrong(reading, PROBLEM_TYPE);
    if (*ret_size < min_bytes) return wrong(reading, PROBLEM_EMPTY);
    if (*ret_size > max_bytes) return wrong(reading, PROBLEM_TOO_LONG);
    return text_is_clean(*ret_bytes, *ret_size) || wrong(reading, PROBLEM_UNCLEAN);
}

#define TAKES_key "text of 1 to 64 bytes without control characters"
_Static_assert(IDEMPOTENCY_KEY_BYTES_MAX == 64, "as TAKES_key says");
static bool read_key(struct params_reading *reading, const struct value *value) {
    const char *bytes;
    uint32_t size;
    if (!clean_text(reading, value, 1, IDEMPOTENCY_KEY_BYTES_MAX, &bytes, &size)) return false;
    key_digest(bytes, size, &reading->params->key);
    return true;
}

/* Whatever integer it is, the engine says AMOUNT_INVALID where it is out of range. */
#define TAKES_amount "a whole number of points"
static bool read_amount(struct params_reading *reading, const struct value *value) {
    reading->params->amount = 0;
    return value_type(value) == VALUE_NEGATIVE || value_get_uint(value, &reading->params->amount) ||
           wrong(reading, PROBLEM_TYPE);
}

#define TAKES_flag "true or false"
static bool read_flag(struct params_reading *reading, const struct value *value) {
    return value_get_bool(value, &reading->params->flags[reading->param]) ||
           wrong(reading, PROBLEM_TYPE);
}

static bool get_number(struct params_reading *reading, const struct value *value, uint64_t min,
                       uint64_t max, uint64_t *ret_number) {
    if (!value_get_uint(value, ret_number)) return not_uint(reading, value);
    return (*ret_number >= min && *ret_number <= max) || wrong(reading, PROBLEM_RANGE);
}

static bool get_u32(struct params_reading *reading, const struct value *value, uint32_t max,
                    uint32_t *ret_number) {
    uint64_t number;
    if (!get_number(reading, value, 1, max, &number)) return false;
    *ret_number = (uint32_t)number;
    return true;
}

#define TAKES_first "a whole number from 1 to 4294967295"
static bool read_first(struct params_reading *reading, const struct value *value) {
    return get_u32(reading, value, UINT32_MAX, &reading->params->first);
}

#define TAKES_limit "a whole number from 1 to 1000"
_Static_assert(SEATS_LIST_MAX == 1000, "as TAKES_limit says");
static bool read_limit(struct params_reading *reading, const struct value *value) {
    return get_u32(reading, value, SEATS_LIST_MAX, &reading->params->limit);
}

#define TAKES_time "a moment in Unix milliseconds, a whole number from 0 to 9999999999999"
_Static_assert(TIME_MS_MAX == 9999999999999, "as TAKES_time says");
static bool read_time(struct params_reading *reading, const struct value *value) {
    return get_number(reading, value, 0, TIME_MS_MAX, &reading->params->starts_at);
}

static bool get_text(struct params_reading *reading, const struct value *value, uint32_t min_bytes,
                     struct text *ret_text) {
    const char *bytes;
    uint32_t size;
    if (!clean_text(reading, value, min_bytes, TEXT_BYTES_MAX, &bytes, &size)) return false;
    *ret_text = (struct text){.bytes = bytes, .size = (uint8_t)size};
    return true;
}

#define TAKES_title "text of 1 to 255 bytes without control characters"
_Static_assert(TEXT_BYTES_MAX == 255, "as TAKES_title and others say");
static bool read_title(struct params_reading *reading, const struct value *value) {
    return get_text(reading, value, 1, &reading->params->title);
}

/* A date named again: by number or by title. */
#define TAKES_confirm "the date's number, or its title as text"
static bool read_confirm(struct params_reading *reading, const struct value *value) {
    return read_id(reading, value) || get_text(reading, value, 1, &reading->params->confirm);
}

/* Room for an array of 1..max elements. Return: NULL if the value is no such array */
static void *take_array(struct params_reading *reading, const struct value *value, uint32_t max,
                        uint32_t element_bytes) {
    uint32_t count = value_count(value);
    (void)wrong(reading, value_type(value) == VALUE_ARRAY ? PROBLEM_COUNT : PROBLEM_TYPE);
    if (value_type(value) != VALUE_ARRAY || count == 0 || count > max) return NULL;
    void *array = arena_take(reading->arena, count * element_bytes);
    reading->no_memory = array == NULL;
    reading->params->seat_count = count;
    return array;
}

#define TAKES_seat_refs                                                                            \
    "a list of 1 to 16 seats, each its number, or text: its guid or section/row/seat"
_Static_assert(SEATS_PER_USER_MAX == 16, "as TAKES_seat_refs says");
static bool read_seat_refs(struct params_reading *reading, const struct value *value) {
    struct seat_ref *refs = take_array(reading, value, SEATS_PER_USER_MAX, sizeof *refs);
    if (!refs) return false;
    struct value_items items = value_items(value, VALUE_ARRAY);
    for (uint32_t i = 0; i < reading->params->seat_count; i++) {
        const struct value *seat = value_next(&items);
        reading->element = i + 1;
        bool number = value_type(seat) == VALUE_UINT || value_type(seat) == VALUE_NEGATIVE;
        bool good = number ? get_u32(reading, seat, UINT32_MAX, &refs[i].number)
                           : get_text(reading, seat, 1, &refs[i].name);
        if (!good) return false;
    }
    reading->params->seat_refs = refs;
    return true;
}

enum {
    SPEC_SECTION = 1,
    SPEC_ROW = 2,
    SPEC_SEAT = 4,
    SPEC_PRICE = 8,
    SPEC_GUID = 16,
    SPEC_FOR_SALE = 32
};

/* Return: the SPEC_ bit of what was read, 0 if key or value are wrong */
static uint32_t read_spec_pair(struct params_reading *reading, struct seat_spec *spec,
                               const struct value *key, const struct value *value) {
    static const struct {
        const char *name;
        uint32_t bit;
    } keys[] = {{"section", SPEC_SECTION}, {"row", SPEC_ROW},   {"seat", SPEC_SEAT},
                {"price", SPEC_PRICE},     {"guid", SPEC_GUID}, {"for_sale", SPEC_FOR_SALE}};
    uint32_t i = 0, count = sizeof keys / sizeof keys[0];
    while (i < count && !value_text_equal(key, keys[i].name)) i++;
    if (i == count) {
        (void)wrong(reading, PROBLEM_UNKNOWN);
        return 0;
    }
    reading->key = keys[i].name;
    bool good;
    switch (keys[i].bit) {
    case SPEC_SECTION: good = get_text(reading, value, 0, &spec->section); break;
    case SPEC_ROW: good = get_text(reading, value, 0, &spec->row); break;
    case SPEC_SEAT: good = get_text(reading, value, 0, &spec->seat); break;
    case SPEC_GUID: good = get_text(reading, value, 0, &spec->guid); break;
    case SPEC_PRICE: good = get_number(reading, value, 0, AMOUNT_MAX, &spec->price); break;
    default: good = value_get_bool(value, &spec->for_sale) || wrong(reading, PROBLEM_TYPE); break;
    }
    return good ? keys[i].bit : 0;
}

static bool read_spec(struct params_reading *reading, struct seat_spec *spec,
                      const struct value *map) {
    const uint32_t required = SPEC_SECTION | SPEC_ROW | SPEC_SEAT | SPEC_PRICE;
    uint32_t seen = 0;
    reading->key = NULL;
    if (value_type(map) != VALUE_MAP) return wrong(reading, PROBLEM_TYPE);
    spec->for_sale = true;
    struct value_items items = value_items(map, VALUE_MAP);
    for (const struct value *key; (key = value_next(&items)) != NULL;) {
        uint32_t bit = read_spec_pair(reading, spec, key, value_next(&items));
        if (bit == 0) return false;
        if ((seen & bit) != 0) return wrong(reading, PROBLEM_REPEATED);
        seen |= bit;
    }
    if ((seen & required) == required) return true;
    reading->key = !(seen & SPEC_SECTION) ? "section"
                   : !(seen & SPEC_ROW)   ? "row"
                   : !(seen & SPEC_SEAT)  ? "seat"
                                          : "price";
    return wrong(reading, PROBLEM_MISSING);
}

#define TAKES_seat_specs                                                                           \
    "a list of 1 to 64 seats, each {section, row, seat, price, guid?, for_sale?}: texts of at "    \
    "most 255 bytes, the price in points, for_sale true or false"
_Static_assert(SEATS_ADD_MAX == 64, "as TAKES_seat_specs says");
static bool read_seat_specs(struct params_reading *reading, const struct value *value) {
    struct seat_spec *specs = take_array(reading, value, SEATS_ADD_MAX, sizeof *specs);
    if (!specs) return false;
    struct value_items items = value_items(value, VALUE_ARRAY);
    for (uint32_t i = 0; i < reading->params->seat_count; i++) {
        reading->element = i + 1;
        if (!read_spec(reading, &specs[i], value_next(&items))) return false;
    }
    reading->params->seat_specs = specs;
    return true;
}

struct param_row {
    const char *name;
    uint32_t name_size; /* bytes */
    bool (*read)(struct params_reading *reading, const struct value *value);
    const char *takes; /* in words */
};
static const struct param_row rows[PARAM_COUNT] = {
#define PARAM(NAME, name, how) [PARAM_##NAME] = {name, sizeof name - 1, read_##how, TAKES_##how},
    PARAMS(PARAM)
#undef PARAM
};

/* --- what is said of a bad one ---------------------------------------------------------------- */

/* With the rest of its response it fits NET_REPLY_INLINE_BYTES. */
#define MESSAGE_BYTES 320u

struct message {
    char *bytes; /* MESSAGE_BYTES */
    uint32_t size;
};

__attribute__((format(printf, 2, 3))) static void add(struct message *message, const char *format,
                                                      ...) {
    va_list arguments;
    uint32_t left = MESSAGE_BYTES - message->size;
    va_start(arguments, format);
    int size = vsnprintf(message->bytes + message->size, left, format, arguments);
    va_end(arguments);
    REQUIRE(size >= 0);
    message->size += (uint32_t)size < left ? (uint32_t)size : left - 1; /* cut: plain ASCII */
}

static void add_policy_form(struct message *message, uint32_t index) {
    const struct policy_row *row = policy_row(index);
    switch (policy_form(index)) {
    case POLICY_BOOLEAN: add(message, "true or false"); break;
    case POLICY_WORD:
        for (uint64_t value = row->min; value <= row->max; value++) {
            add(message, "%s\"%s\"", value == row->min ? "" : " or ",
                policy_value_name(index, value));
        }
        break;
    default: add(message, "a whole number from %" PRIu64 " to %" PRIu64, row->min, row->max);
    }
}

static void add_names(struct message *message, const struct params_shape *shape) {
    uint32_t count = 0;
    for (uint32_t param = 0; param < PARAM_COUNT; param++) {
        if (((shape->required | shape->optional) >> param & 1) == 0) continue;
        add(message, "%s%s", count++ ? ", " : "This method takes ", rows[param].name);
    }
    if (shape->policy) {
        add(message, "%sthe fields of a policy.", count > 0 ? " and " : "This method takes ");
    } else {
        add(message, "%s.", count > 0 ? "" : "This method takes no parameters");
    }
}

/* In the words of the request: which parameter, what is wrong with it, what it takes.
 * @name: as the client wrote it, or static; NULL: it is no text */
static int bad_param(const struct params_reading *reading, const struct params_shape *shape,
                     const char *name, uint32_t size, struct error_reply *ret_error) {
    *ret_error = (struct error_reply){.code = ERROR_BAD_PARAMS, .param = name, .param_size = size};
    struct message message = {.bytes = arena_take(reading->arena, MESSAGE_BYTES)};
    if (!message.bytes) return ERROR_BAD_PARAMS; /* the code's own text will do */
    bool shown = name && size <= PARAM_NAME_BYTES_MAX && text_is_clean(name, size);
    if (shown) {
        add(&message, "Parameter \"%.*s\"", (int)size, name);
    } else {
        add(&message, "A parameter's name");
    }
    if (reading->element) add(&message, ", element %u", reading->element);
    if (reading->key) add(&message, ", \"%s\"", reading->key);
    add(&message, " %s. ", problem_texts[reading->problem]);
    int policy = name ? policy_find(name, size) : -1;
    if (reading->problem == PROBLEM_UNKNOWN && reading->element == 0) {
        add_names(&message, shape);
    } else if (reading->param != PARAM_COUNT) {
        add(&message, "It must be %s.", rows[reading->param].takes);
    } else if (policy >= 0) {
        add(&message, "It must be ");
        add_policy_form(&message, (uint32_t)policy);
        add(&message, ".");
    }
    ret_error->message = message.bytes;
    return ERROR_BAD_PARAMS;
}

/* --- the map ---------------------------------------------------------------------------------- */

/* Return: the parameter of this name among `allowed`, PARAM_COUNT if there is none */
static enum param param_find(const char *name, uint32_t size, uint32_t allowed) {
    while (allowed != 0) {
        uint32_t param = (uint32_t)__builtin_ctz(allowed);
        const struct param_row *row = &rows[param];
        if (row->name_size == size && memcmp(row->name, name, size) == 0) return param;
        allowed &= allowed - 1;
    }
    return PARAM_COUNT;
}

/* A policy field. Return: false if key or value are wrong, or the field was there before */
static bool read_policy_field(struct params_reading *reading, const char *name, uint32_t name_size,
                              const struct value *value) {
    struct params *params = reading->params;
    int index = policy_find(name, name_size);
    if (index < 0) return wrong(reading, PROBLEM_UNKNOWN);
    if ((params->policy_fields >> index & 1) != 0) return wrong(reading, PROBLEM_REPEATED);
    uint64_t number;
    if (policy_form((uint32_t)index) == POLICY_BOOLEAN) {
        bool flag;
        if (!value_get_bool(value, &flag)) return wrong(reading, PROBLEM_TYPE);
        number = flag;
    } else if (policy_form((uint32_t)index) == POLICY_WORD) {
        const char *word;
        uint32_t size;
        if (!value_get_text(value, &word, &size)) return wrong(reading, PROBLEM_TYPE);
        int found = policy_value_find((uint32_t)index, word, size);
        if (found < 0) return wrong(reading, PROBLEM_WORD);
        number = (uint64_t)found;
    } else if (!value_get_uint(value, &number)) {
        return not_uint(reading, value);
    }
    policy_set(&params->policy, (uint32_t)index, number);
    params->policy_fields |= 1ull << index;
    return true;
}

/* One pair of the map. Return: false if key or value are wrong, or the key was there before */
static bool read_pair(struct params_reading *reading, const struct params_shape *shape,
                      const char *name, uint32_t name_size, const struct value *value) {
    struct params *params = reading->params;
    reading->element = 0;
    reading->key = NULL;
    reading->param = param_find(name, name_size, shape->required | shape->optional);
    if (reading->param == PARAM_COUNT) {
        return shape->policy ? read_policy_field(reading, name, name_size, value)
                             : wrong(reading, PROBLEM_UNKNOWN);
    }
    uint32_t bit = 1u << reading->param;
    if ((params->seen & bit) != 0) return wrong(reading, PROBLEM_REPEATED);
    if (!rows[reading->param].read(reading, value)) return false;
    params->seen |= bit;
    return true;
}

int params_read(const struct value *map, const struct params_shape *shape, struct arena *arena,
                struct params *ret_params, struct error_reply *ret_error) {
    REQUIRE(value_type(map) == VALUE_MAP);
    REQUIRE((shape->required & shape->optional) == 0);
    REQUIRE((shape->required | shape->optional) >> PARAM_COUNT == 0); /* rows of the table */
    struct params_reading reading = {.arena = arena, .params = ret_params, .param = PARAM_COUNT};
    struct value_items items = value_items(map, VALUE_MAP);
    for (const struct value *key; (key = value_next(&items)) != NULL;) {
        const struct value *value = value_next(&items);
        const char *name;
        uint32_t size;
        if (!value_get_text(key, &name, &size)) {
            reading.problem = PROBLEM_TYPE;
            reading.param = PARAM_COUNT;
            return bad_param(&reading, shape, NULL, 0, ret_error);
        }
        if (read_pair(&reading, shape, name, size, value)) continue;
        if (!reading.no_memory) return bad_param(&reading, shape, name, size, ret_error);
        *ret_error = (struct error_reply){.code = ERROR_BUSY, .data = {NET_BUSY_RETRY_MS}};
        return ERROR_BUSY;
    }
    uint32_t missing = shape->required & ~ret_params->seen;
    if (missing == 0) return ERROR_NONE;
    reading.param = (enum param)__builtin_ctz(missing);
    reading.problem = PROBLEM_MISSING;
    reading.element = 0;
    reading.key = NULL;
    const struct param_row *row = &rows[reading.param];
    return bad_param(&reading, shape, row->name, row->name_size, ret_error);
}
