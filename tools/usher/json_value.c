/* json_value.c - see json_value.h */
#include "tools/usher/json_value.h"

#include <inttypes.h>
#include <stdint.h>

#include "engine/base/require.h"

/* More than the protocol's messages have (net/protocol/limits.h), so that net itself refuses what
 * is deep. */
#define DEPTH_MAX 32u

static int write_at(struct value_writer *writer, const json_t *json, uint32_t depth) {
    if (depth > DEPTH_MAX) return JSON_VALUE_DEEP;
    switch (json_typeof(json)) {
    case JSON_NULL: value_write_nil(writer); return JSON_VALUE_OK;
    case JSON_TRUE: value_write_bool(writer, true); return JSON_VALUE_OK;
    case JSON_FALSE: value_write_bool(writer, false); return JSON_VALUE_OK;
    case JSON_REAL: return JSON_VALUE_FRACTION;
    case JSON_INTEGER: value_write_int(writer, json_integer_value(json)); return JSON_VALUE_OK;
    case JSON_STRING:
        value_write_text_bytes(writer, json_string_value(json), (uint32_t)json_string_length(json));
        return JSON_VALUE_OK;
    case JSON_ARRAY: {
        size_t index;
        json_t *item;
        value_write_array(writer, (uint32_t)json_array_size(json));
        json_array_foreach(json, index, item) {
            int result = write_at(writer, item, depth + 1);
            if (result != JSON_VALUE_OK) return result;
        }
        return JSON_VALUE_OK;
    }
    case JSON_OBJECT: {
        value_write_map(writer, (uint32_t)json_object_size(json));
        json_t *object = (json_t *)(uintptr_t)json; /* jansson's iterator takes no const */
        for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
            value_write_text(writer, json_object_iter_key(at));
            int result = write_at(writer, json_object_iter_value(at), depth + 1);
            if (result != JSON_VALUE_OK) return result;
        }
        return JSON_VALUE_OK;
    }
    }
    REQUIRE(false && "a type that jansson does not have");
    return JSON_VALUE_OK;
}

int json_value_write(struct value_writer *writer, const json_t *json) {
    REQUIRE_MEMORY(writer && json);
    return write_at(writer, json, 0);
}

static json_t *read_text(const char *bytes, uint32_t size) {
    json_t *text = json_stringn(bytes, size);
    return text ? text : json_string("(not UTF-8)");
}

static json_t *read_map(const struct value *map) {
    json_t *object = json_object();
    struct value_items items = value_items(map, VALUE_MAP);
    for (const struct value *key; (key = value_next(&items)) != NULL;) {
        const struct value *value = value_next(&items);
        const char *bytes;
        uint32_t size;
        if (!value_get_text(key, &bytes, &size)) continue;
        if (json_object_setn_new(object, bytes, size, json_value_read(value)) == 0) continue;
        REQUIRE_MEMORY(json_object_set_new(object, "(not UTF-8)", json_value_read(value)) == 0);
    }
    return object;
}

json_t *json_value_read(const struct value *value) {
    bool truth;
    uint64_t number;
    int64_t negative;
    const char *bytes;
    uint32_t size;
    json_t *json = NULL;
    struct value_items items;
    switch (value_type(value)) {
    case VALUE_NIL: json = json_null(); break;
    case VALUE_BOOL: json = json_boolean(value_get_bool(value, &truth) && truth); break;
    case VALUE_UINT:
        REQUIRE(value_get_uint(value, &number));
        json = number <= INT64_MAX ? json_integer((json_int_t)number)
                                   : json_sprintf("%" PRIu64, number);
        break;
    case VALUE_NEGATIVE:
        REQUIRE(value_get_int(value, &negative));
        json = json_integer(negative);
        break;
    case VALUE_TEXT:
        REQUIRE(value_get_text(value, &bytes, &size));
        json = read_text(bytes, size);
        break;
    case VALUE_ARRAY:
        json = json_array();
        items = value_items(value, VALUE_ARRAY);
        for (const struct value *item; (item = value_next(&items)) != NULL;) {
            REQUIRE_MEMORY(json_array_append_new(json, json_value_read(item)) == 0);
        }
        break;
    case VALUE_MAP: json = read_map(value); break;
    case VALUE_OTHER: json = json_string("(no type of the protocol)"); break;
    }
    REQUIRE_MEMORY(json);
    return json;
}
