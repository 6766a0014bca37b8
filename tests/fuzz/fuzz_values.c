/* fuzz_values.c - the small readers of text and values that tools and gateways feed
 *
 * Input: u8 that picks a reader, then its text or bytes.
 *
 * What must hold:
 * - a MessagePack value is taken or refused; taken, it is walked and turned into JSON without
 *   reading outside its bytes, and written again it reads as the same JSON
 * - JSON becomes MessagePack and back without a change, or is refused for a fraction or its depth
 * - a moment that is read is one that time_t knows, and reads the same from its milliseconds
 * - a token, a UUID that is read is printed as it was but for the case of its letters
 */
#include "tests/fuzz/fuzz.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/uuid.h"
#include "engine/base/limits.h"
#include "net/protocol/limits.h"
#include "net/protocol/text.h"
#include "net/protocol/value.h"
#include "tools/usher/json_value.h"
#include "tools/usher/moment.h"

#define WRITER_BYTES_MAX (4u * 1024u * 1024u)

/* As it is printed: json_equal() of jansson 2.14 does not find keys with a NUL in them. */
static bool same_json(const json_t *a, const json_t *b) {
    char *text_a = json_dumps(a, JSON_ENCODE_ANY | JSON_COMPACT);
    char *text_b = json_dumps(b, JSON_ENCODE_ANY | JSON_COMPACT);
    bool same = text_a && text_b && strcmp(text_a, text_b) == 0;
    free(text_a);
    free(text_b);
    return same;
}

/* --- MessagePack ------------------------------------------------------------------------------ */

static void read_messagepack(const uint8_t *bytes, uint32_t size) {
    const struct value *value;
    struct value_writer writer;
    uint32_t used, scanned;
    int result = value_parse(bytes, size, &value, &used);
    REQUIRE(value_scan(bytes, size, &scanned) == result);
    if (result != VALUE_OK) return;
    REQUIRE(used == scanned && used >= 1 && used <= size);
    json_t *json = json_value_read(value);
    value_writer_init(&writer, NULL, 0, WRITER_BYTES_MAX);
    value_write_value(&writer, value);
    REQUIRE(!writer.failed);
    REQUIRE(value_parse(writer.bytes, writer.size, &value, &used) == VALUE_OK);
    REQUIRE(used == writer.size);
    json_t *again = json_value_read(value);
    REQUIRE(same_json(json, again));
    json_decref(again);
    json_decref(json);
    value_writer_deinit(&writer);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static uint32_t depth_of(const json_t *json) {
    uint32_t depth = 0;
    size_t index;
    json_t *item;
    if (json_is_array(json)) {
        json_array_foreach(json, index, item) {
            uint32_t below = depth_of(item) + 1;
            if (below > depth) depth = below;
        }
    }
    for (void *at = json_object_iter((json_t *)(uintptr_t)json); at;
         at = json_object_iter_next((json_t *)(uintptr_t)json, at)) {
        uint32_t below = depth_of(json_object_iter_value(at)) + 1;
        if (below > depth) depth = below;
    }
    return depth;
}

static void read_json(const uint8_t *bytes, uint32_t size) {
    struct value_writer writer;
    const struct value *value;
    uint32_t used;
    json_t *json = json_loadb((const char *)bytes, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
                              NULL);
    if (!json) return;
    value_writer_init(&writer, NULL, 0, WRITER_BYTES_MAX);
    int result = json_value_write(&writer, json);
    if (result == JSON_VALUE_OK && !writer.failed) {
        int parsed = value_parse(writer.bytes, writer.size, &value, &used);
        REQUIRE(parsed == VALUE_OK || depth_of(json) >= NET_DEPTH_MAX);
        if (parsed == VALUE_OK) {
            REQUIRE(used == writer.size);
            json_t *again = json_value_read(value);
            REQUIRE(same_json(json, again));
            json_decref(again);
        }
    }
    value_writer_deinit(&writer);
    json_decref(json);
}

/* --- texts ------------------------------------------------------------------------------------ */

static void read_moment(const uint8_t *bytes, uint32_t size) {
    char *text = malloc(size + 1);
    char digits[32];
    uint64_t time_ms, again;
    REQUIRE(text != NULL);
    memcpy(text, bytes, size);
    text[size] = '\0';
    if (moment_parse(text, &time_ms) == 0) {
        REQUIRE(time_ms <= TIME_MS_MAX);
        (void)snprintf(digits, sizeof digits, "%llu", (unsigned long long)time_ms);
        REQUIRE(moment_parse(digits, &again) == 0 && again == time_ms);
    }
    free(text);
}

static bool same_but_for_case(const char *a, const uint8_t *b, uint32_t size) {
    for (uint32_t i = 0; i < size; i++) {
        if (tolower(a[i]) != tolower(b[i])) return false;
    }
    return true;
}

static void read_ids(const uint8_t *bytes, uint32_t size) {
    char text[TOKEN_TEXT_BYTES];
    struct token token;
    struct id128 id;
    if (token_parse((const char *)bytes, size, &token)) {
        token_format(&token, text);
        REQUIRE(size == TOKEN_TEXT_BYTES && same_but_for_case(text, bytes, size));
    }
    if (uuid_parse((const char *)bytes, size, &id)) {
        uuid_format(&id, text);
        REQUIRE(size == UUID_TEXT_BYTES && same_but_for_case(text, bytes, size));
    }
    key_digest((const char *)bytes, size, &id);
    REQUIRE(!id128_is_none(&id));
    (void)text_is_clean((const char *)bytes, size); /* that it ends is all there is to demand */
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct input input = {bytes, size};
    uint8_t reader = input_u8(&input);
    switch (reader % 4) {
    case 0: read_messagepack(input.at, (uint32_t)input.left); break;
    case 1: read_json(input.at, (uint32_t)input.left); break;
    case 2: read_moment(input.at, (uint32_t)input.left); break;
    default: read_ids(input.at, (uint32_t)input.left); break;
    }
    return 0;
}
