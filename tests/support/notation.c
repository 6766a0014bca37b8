/* notation.c - see notation.h */
#include "tests/support/notation.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/require.h"

static const char *write_one(struct value_writer *writer, const char *text);

/* Elements up to the closing bracket, into a writer of their own. Return: just after it */
static const char *write_elements(struct value_writer *writer, const char *text, char end,
                                  bool map) {
    struct value_writer inner;
    uint32_t count = 0;
    value_writer_init(&inner, NULL, 0, 4u << 20);
    while (*text != end) {
        text = write_one(&inner, text);
        if (map) {
            REQUIRE(*text == ':');
            text = write_one(&inner, text + 1);
        }
        count++;
        if (*text == ',') text++;
    }
    if (map) {
        value_write_map(writer, count);
    } else {
        value_write_array(writer, count);
    }
    value_write_raw(writer, inner.bytes, inner.size);
    value_writer_deinit(&inner);
    return text + 1;
}

static const char *write_number(struct value_writer *writer, const char *text) {
    char *end;
    if (*text == '-') {
        value_write_int(writer, strtoll(text, &end, 10));
    } else {
        value_write_uint(writer, strtoull(text, &end, 10));
    }
    REQUIRE(end > text);
    if (*end != '.') return end;
    /* The protocol has no floats, so neither has value.h: any float will do. */
    static const uint8_t one_and_a_half[] = {0xca, 0x3f, 0xc0, 0, 0};
    writer->size--; /* the integer before the point was one byte */
    value_write_raw(writer, one_and_a_half, sizeof one_and_a_half);
    (void)strtoull(end + 1, &end, 10); /* skip the digits */
    return end;
}

static const char *write_raw(struct value_writer *writer, const char *text) {
    unsigned byte;
    for (; isxdigit((unsigned char)text[0]) && isxdigit((unsigned char)text[1]); text += 2) {
        REQUIRE(sscanf(text, "%2x", &byte) == 1);
        uint8_t raw = (uint8_t)byte;
        value_write_raw(writer, &raw, 1);
    }
    return text;
}

static const char *write_one(struct value_writer *writer, const char *text) {
    if (*text == '{') return write_elements(writer, text + 1, '}', true);
    if (*text == '[') return write_elements(writer, text + 1, ']', false);
    if (*text == '#') return write_raw(writer, text + 1);
    if (*text == '\'') {
        const char *end = strchr(text + 1, '\'');
        REQUIRE(end != NULL);
        value_write_text_bytes(writer, text + 1, (uint32_t)(end - text - 1));
        return end + 1;
    }
    if (strncmp(text, "nil", 3) == 0) {
        value_write_nil(writer);
        return text + 3;
    }
    if (strncmp(text, "true", 4) == 0) {
        value_write_bool(writer, true);
        return text + 4;
    }
    if (strncmp(text, "false", 5) == 0) {
        value_write_bool(writer, false);
        return text + 5;
    }
    return write_number(writer, text);
}

void notation_write(struct value_writer *writer, const char *text) {
    const char *end = write_one(writer, text);
    REQUIRE(*end == '\0');
}

static char printed[65536];
static size_t printed_size;

static void print(const char *bytes, size_t size) {
    REQUIRE(printed_size + size < sizeof printed);
    if (size > 0) memcpy(printed + printed_size, bytes, size);
    printed_size += size;
    printed[printed_size] = '\0';
}

static void print_text(const char *text) { print(text, strlen(text)); }

static void print_value(const struct value *value) {
    const struct value *element;
    struct value_items items;
    const char *bytes;
    uint32_t size;
    uint64_t natural = 0;
    int64_t integer = 0;
    bool flag = false;
    char number[32];
    switch (value_type(value)) {
    case VALUE_NIL: print_text("nil"); return;
    case VALUE_BOOL:
        REQUIRE(value_get_bool(value, &flag));
        print_text(flag ? "true" : "false");
        return;
    case VALUE_UINT:
        REQUIRE(value_get_uint(value, &natural));
        (void)snprintf(number, sizeof number, "%" PRIu64, natural);
        print_text(number);
        return;
    case VALUE_NEGATIVE:
        REQUIRE(value_get_int(value, &integer));
        (void)snprintf(number, sizeof number, "%" PRId64, integer);
        print_text(number);
        return;
    case VALUE_TEXT:
        REQUIRE(value_get_text(value, &bytes, &size));
        print_text("'");
        print(bytes, size);
        print_text("'");
        return;
    case VALUE_ARRAY:
        print_text("[");
        items = value_items(value, VALUE_ARRAY);
        for (uint32_t i = 0; (element = value_next(&items)) != NULL; i++) {
            if (i > 0) print_text(",");
            print_value(element);
        }
        print_text("]");
        return;
    case VALUE_MAP:
        print_text("{");
        items = value_items(value, VALUE_MAP);
        for (uint32_t i = 0; (element = value_next(&items)) != NULL; i++) {
            if (i > 0) print_text(",");
            print_value(element);
            print_text(":");
            print_value(value_next(&items));
        }
        print_text("}");
        return;
    case VALUE_OTHER: print_text("other"); return;
    }
}

const char *notation_print(const struct value *value) {
    printed_size = 0;
    print_value(value);
    return printed;
}

const char *notation_print_bytes(const uint8_t *bytes, uint32_t size) {
    printed_size = 0;
    printed[0] = '\0';
    for (uint32_t offset = 0; offset < size;) {
        const struct value *value;
        uint32_t used;
        if (offset > 0) print_text(" ");
        if (value_parse(bytes + offset, size - offset, &value, &used) != VALUE_OK) {
            print_text("MALFORMED");
            break;
        }
        print_value(value);
        offset += used;
    }
    return printed;
}
