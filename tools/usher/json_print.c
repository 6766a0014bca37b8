/* json_print.c - see json_print.h */
#include "tools/usher/json_print.h"

#include <inttypes.h>
#include <stdio.h>

#include "engine/base/require.h"
#include "replay/tell/text.h"

void json_put(json_t *object, const char *key, json_t *value) {
    if (!value) value = json_null();
    REQUIRE_MEMORY(json_object_set_new(object, key, value) == 0);
}

void json_put_number(json_t *object, const char *key, uint64_t value) {
    json_put(object, key, json_integer((json_int_t)value));
}

void json_put_text(json_t *object, const char *key, const char *text) {
    json_put(object, key, json_string(text));
}

void json_put_time(json_t *object, const char *key, uint64_t time_ms) {
    char text[TEXT_TIME_BYTES];
    text_time(time_ms, text);
    json_put(object, key, time_ms > 0 ? json_string(text) : json_null());
}

void json_put_hash(json_t *object, const char *key, uint64_t hash) {
    char text[17];
    REQUIRE(snprintf(text, sizeof text, "%016" PRIx64, hash) == 16);
    json_put_text(object, key, text);
}

void json_put_bytes(json_t *object, const char *key, const uint8_t *bytes, uint32_t size) {
    char text[65];
    REQUIRE(size <= 32);
    for (uint32_t i = 0; i < size; i++) snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    json_put(object, key, json_stringn(text, 2 * size));
}

int json_print(json_t *value) {
    int result = json_dumpf(value, stdout, JSON_COMPACT);
    json_decref(value);
    return result == 0 && putchar('\n') != EOF ? 0 : -1;
}
