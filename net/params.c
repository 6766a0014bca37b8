/* params.c - see params.h */
#include "net/params.h"

#include "engine/require.h"
#include "net/limits.h"
#include "net/text.h"

/* A reader of one parameter. Return: false if the value is not what it must be */
struct reading {
    struct arena *arena;
    struct params *params;
    enum param param;
    bool no_memory; /* the value may be good, but there is no room for it */
};

static bool read_id(struct reading *reading, const struct value *value) {
    return value_get_uint(value, &reading->params->ids[reading->param]);
}

static bool read_user(struct reading *reading, const struct value *value) {
    const char *bytes;
    uint32_t size;
    return value_get_text(value, &bytes, &size) && uuid_parse(bytes, size, &reading->params->user);
}

static bool read_token(struct reading *reading, const struct value *value) {
    const char *bytes;
    uint32_t size;
    if (!value_get_text(value, &bytes, &size)) return false;
    reading->params->token_is_bad = !token_parse(bytes, size, &reading->params->token);
    return true;
}

static bool read_key(struct reading *reading, const struct value *value) {
    const char *bytes;
    uint32_t size;
    if (!value_get_text(value, &bytes, &size)) return false;
    if (size == 0 || size > IDEMPOTENCY_KEY_BYTES_MAX || !text_is_clean(bytes, size)) return false;
    key_digest(bytes, size, &reading->params->key);
    return true;
}

/* Whatever integer it is, the engine says AMOUNT_INVALID where it is out of range. */
static bool read_amount(struct reading *reading, const struct value *value) {
    reading->params->amount = 0;
    return value_type(value) == VALUE_NEGATIVE || value_get_uint(value, &reading->params->amount);
}

static bool read_flag(struct reading *reading, const struct value *value) {
    return value_get_bool(value, &reading->params->flags[reading->param]);
}

static bool get_u32(const struct value *value, uint32_t min, uint32_t max, uint32_t *ret_number) {
    uint64_t number;
    if (!value_get_uint(value, &number) || number < min || number > max) return false;
    *ret_number = (uint32_t)number;
    return true;
}

static bool read_first(struct reading *reading, const struct value *value) {
    return get_u32(value, 1, UINT32_MAX, &reading->params->first);
}

static bool read_limit(struct reading *reading, const struct value *value) {
    return get_u32(value, 1, SEATS_LIST_MAX, &reading->params->limit);
}

static bool read_time(struct reading *reading, const struct value *value) {
    return value_get_uint(value, &reading->params->starts_at) &&
           reading->params->starts_at <= TIME_MS_MAX;
}

static bool get_text(const struct value *value, uint32_t min_bytes, struct text *ret_text) {
    const char *bytes;
    uint32_t size;
    if (!value_get_text(value, &bytes, &size)) return false;
    if (size < min_bytes || size > TEXT_BYTES_MAX || !text_is_clean(bytes, size)) return false;
    *ret_text = (struct text){.bytes = bytes, .size = (uint8_t)size};
    return true;
}

static bool read_title(struct reading *reading, const struct value *value) {
    return get_text(value, 1, &reading->params->title);
}

/* A date named again: by number or by title. */
static bool read_confirm(struct reading *reading, const struct value *value) {
    return read_id(reading, value) || get_text(value, 1, &reading->params->confirm);
}

/* Room for an array of 1..max elements. Return: NULL if the value is no such array */
static void *take_array(struct reading *reading, const struct value *value, uint32_t max,
                        uint32_t element_bytes) {
    uint32_t count = value_count(value);
    if (value_type(value) != VALUE_ARRAY || count == 0 || count > max) return NULL;
    void *array = arena_take(reading->arena, count * element_bytes);
    reading->no_memory = array == NULL;
    reading->params->seat_count = count;
    return array;
}

static bool read_seat_refs(struct reading *reading, const struct value *value) {
    struct seat_ref *refs = take_array(reading, value, SEATS_PER_USER_MAX, sizeof *refs);
    if (!refs) return false;
    struct value_items items = value_items(value, VALUE_ARRAY);
    for (uint32_t i = 0; i < reading->params->seat_count; i++) {
        const struct value *seat = value_next(&items);
        if (!get_u32(seat, 1, UINT32_MAX, &refs[i].number) && !get_text(seat, 1, &refs[i].name)) {
            return false;
        }
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
static uint32_t read_spec_pair(struct seat_spec *spec, const struct value *key,
                               const struct value *value) {
    if (value_text_equal(key, "section")) {
        return get_text(value, 0, &spec->section) ? SPEC_SECTION : 0;
    }
    if (value_text_equal(key, "row")) return get_text(value, 0, &spec->row) ? SPEC_ROW : 0;
    if (value_text_equal(key, "seat")) return get_text(value, 0, &spec->seat) ? SPEC_SEAT : 0;
    if (value_text_equal(key, "guid")) return get_text(value, 0, &spec->guid) ? SPEC_GUID : 0;
    if (value_text_equal(key, "price")) {
        bool good = value_get_uint(value, &spec->price) && spec->price <= AMOUNT_MAX;
        return good ? SPEC_PRICE : 0;
    }
    if (value_text_equal(key, "for_sale")) {
        return value_get_bool(value, &spec->for_sale) ? SPEC_FOR_SALE : 0;
    }
    return 0;
}

static bool read_spec(struct seat_spec *spec, const struct value *map) {
    const uint32_t required = SPEC_SECTION | SPEC_ROW | SPEC_SEAT | SPEC_PRICE;
    uint32_t seen = 0;
    if (value_type(map) != VALUE_MAP) return false;
    spec->for_sale = true;
    struct value_items items = value_items(map, VALUE_MAP);
    for (const struct value *key; (key = value_next(&items)) != NULL;) {
        uint32_t bit = read_spec_pair(spec, key, value_next(&items));
        if (bit == 0 || (seen & bit) != 0) return false;
        seen |= bit;
    }
    return (seen & required) == required;
}

static bool read_seat_specs(struct reading *reading, const struct value *value) {
    struct seat_spec *specs = take_array(reading, value, SEATS_ADD_MAX, sizeof *specs);
    if (!specs) return false;
    struct value_items items = value_items(value, VALUE_ARRAY);
    for (uint32_t i = 0; i < reading->params->seat_count; i++) {
        if (!read_spec(&specs[i], value_next(&items))) return false;
    }
    reading->params->seat_specs = specs;
    return true;
}

struct param_row {
    const char *name;
    uint32_t name_size; /* bytes */
    bool (*read)(struct reading *reading, const struct value *value);
};
static const struct param_row rows[PARAM_COUNT] = {
#define PARAM(NAME, name, how) [PARAM_##NAME] = {name, sizeof name - 1, read_##how},
    PARAMS(PARAM)
#undef PARAM
};

static int bad_param(struct decode_error *error, const char *name, uint32_t size) {
    *error = (struct decode_error){.code = ERROR_BAD_PARAMS, .param = name, .param_size = size};
    return ERROR_BAD_PARAMS;
}

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
static bool read_policy_field(struct params *params, const char *name, uint32_t name_size,
                              const struct value *value) {
    int index = policy_find(name, name_size);
    if (index < 0 || (params->policy_fields >> index & 1) != 0) return false;
    uint64_t number;
    if (policy_form((uint32_t)index) == POLICY_BOOLEAN) {
        bool flag;
        if (!value_get_bool(value, &flag)) return false;
        number = flag;
    } else if (policy_form((uint32_t)index) == POLICY_WORD) {
        const char *word;
        uint32_t size;
        if (!value_get_text(value, &word, &size)) return false;
        int found = policy_value_find((uint32_t)index, word, size);
        if (found < 0) return false;
        number = (uint64_t)found;
    } else if (!value_get_uint(value, &number)) {
        return false;
    }
    policy_set(&params->policy, (uint32_t)index, number);
    params->policy_fields |= 1ull << index;
    return true;
}

/* One pair of the map. Return: false if key or value are wrong, or the key was there before */
static bool read_pair(struct reading *reading, const struct params_shape *shape, const char *name,
                      uint32_t name_size, const struct value *value) {
    struct params *params = reading->params;
    reading->param = param_find(name, name_size, shape->required | shape->optional);
    if (reading->param == PARAM_COUNT) {
        return shape->policy && read_policy_field(params, name, name_size, value);
    }
    uint32_t bit = 1u << reading->param;
    if ((params->seen & bit) != 0 || !rows[reading->param].read(reading, value)) return false;
    params->seen |= bit;
    return true;
}

int params_read(const struct value *map, const struct params_shape *shape, struct arena *arena,
                struct params *ret_params, struct decode_error *ret_error) {
    REQUIRE(value_type(map) == VALUE_MAP);
    REQUIRE((shape->required & shape->optional) == 0);
    struct reading reading = {.arena = arena, .params = ret_params};
    struct value_items items = value_items(map, VALUE_MAP);
    for (const struct value *key; (key = value_next(&items)) != NULL;) {
        const struct value *value = value_next(&items);
        const char *name;
        uint32_t size;
        if (!value_get_text(key, &name, &size)) return bad_param(ret_error, NULL, 0);
        if (read_pair(&reading, shape, name, size, value)) continue;
        if (!reading.no_memory) return bad_param(ret_error, name, size);
        *ret_error = (struct decode_error){.code = ERROR_BUSY, .data = {NET_BUSY_RETRY_MS}};
        return ERROR_BUSY;
    }
    uint32_t missing = shape->required & ~ret_params->seen;
    if (missing == 0) return ERROR_NONE;
    const struct param_row *row = &rows[__builtin_ctz(missing)];
    return bad_param(ret_error, row->name, row->name_size);
}
