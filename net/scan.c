/* scan.c - see scan.h */
#include "net/scan.h"

#include <stdbool.h>

#include "engine/require.h"
#include "net/limits.h"

static uint64_t big_endian(const uint8_t *bytes, uint32_t count) {
    uint64_t value = 0;
    for (uint32_t i = 0; i < count; i++) value = value << 8 | bytes[i];
    return value;
}

/* One row for each first byte from 0xc0 to 0xdf (the MessagePack specification, "Formats"). */
struct format {
    enum value_type type;
    uint8_t number_bytes;  /* of the count, length or value after the first byte */
    uint8_t payload_bytes; /* fixed payload that is skipped */
    bool length;           /* the number is the length of a payload */
    bool bad;
};
static const struct format formats[32] = {
    [0x00] = {VALUE_NIL, 0, 0, false, false},
    [0x01] = {.bad = true},
    [0x02] = {VALUE_BOOL, 0, 0, false, false},
    [0x03] = {VALUE_BOOL, 0, 0, false, false},
    [0x04] = {VALUE_OTHER, 1, 0, true, false}, /* bin 8, 16, 32 */
    [0x05] = {VALUE_OTHER, 2, 0, true, false},
    [0x06] = {VALUE_OTHER, 4, 0, true, false},
    [0x07] = {VALUE_OTHER, 1, 1, true, false}, /* ext 8, 16, 32: a type byte more */
    [0x08] = {VALUE_OTHER, 2, 1, true, false},
    [0x09] = {VALUE_OTHER, 4, 1, true, false},
    [0x0a] = {VALUE_OTHER, 0, 4, false, false}, /* float 32, 64 */
    [0x0b] = {VALUE_OTHER, 0, 8, false, false},
    [0x0c] = {VALUE_UINT, 1, 0, false, false}, /* uint 8, 16, 32, 64 */
    [0x0d] = {VALUE_UINT, 2, 0, false, false},
    [0x0e] = {VALUE_UINT, 4, 0, false, false},
    [0x0f] = {VALUE_UINT, 8, 0, false, false},
    [0x10] = {VALUE_NEGATIVE, 1, 0, false, false}, /* int 8, 16, 32, 64: see below */
    [0x11] = {VALUE_NEGATIVE, 2, 0, false, false},
    [0x12] = {VALUE_NEGATIVE, 4, 0, false, false},
    [0x13] = {VALUE_NEGATIVE, 8, 0, false, false},
    [0x14] = {VALUE_OTHER, 0, 2, false, false}, /* fixext 1, 2, 4, 8, 16 */
    [0x15] = {VALUE_OTHER, 0, 3, false, false},
    [0x16] = {VALUE_OTHER, 0, 5, false, false},
    [0x17] = {VALUE_OTHER, 0, 9, false, false},
    [0x18] = {VALUE_OTHER, 0, 17, false, false},
    [0x19] = {VALUE_TEXT, 1, 0, true, false}, /* str 8, 16, 32 */
    [0x1a] = {VALUE_TEXT, 2, 0, true, false},
    [0x1b] = {VALUE_TEXT, 4, 0, true, false},
    [0x1c] = {VALUE_ARRAY, 2, 0, false, false}, /* array 16, 32 */
    [0x1d] = {VALUE_ARRAY, 4, 0, false, false},
    [0x1e] = {VALUE_MAP, 2, 0, false, false}, /* map 16, 32 */
    [0x1f] = {VALUE_MAP, 4, 0, false, false},
};

/* First bytes that carry their number in themselves. Return: false for all others */
static bool fixed_item(uint8_t first, struct scan_item *ret_item) {
    struct scan_item item = {.size = 1};
    if (first <= 0x7f) {
        item.type = VALUE_UINT;
        item.number = first;
    } else if (first <= 0x8f) {
        item.type = VALUE_MAP;
        item.number = first & 0x0f;
    } else if (first <= 0x9f) {
        item.type = VALUE_ARRAY;
        item.number = first & 0x0f;
    } else if (first <= 0xbf) {
        item.type = VALUE_TEXT;
        item.payload = first & 0x1f;
        item.size += item.payload;
    } else if (first >= 0xe0) {
        item.type = VALUE_NEGATIVE;
    } else {
        return false;
    }
    *ret_item = item;
    return true;
}

int scan_item(const uint8_t *bytes, uint32_t size, struct scan_item *ret_item) {
    if (size == 0) return VALUE_MALFORMED;
    struct scan_item item;
    if (!fixed_item(bytes[0], &item)) {
        const struct format *format = &formats[bytes[0] - 0xc0];
        uint32_t header = 1u + format->number_bytes;
        if (format->bad || size < header) return VALUE_MALFORMED;
        item = (struct scan_item){.type = format->type};
        item.number = big_endian(bytes + 1, format->number_bytes);
        /* A signed format may well have a number that is not below zero. */
        if (item.type == VALUE_NEGATIVE && (bytes[1] & 0x80) == 0) item.type = VALUE_UINT;
        uint64_t payload = format->payload_bytes + (format->length ? item.number : 0);
        if (payload > size - header) return VALUE_MALFORMED;
        item.payload = (uint32_t)payload;
        item.size = header + item.payload;
    }
    if (item.size > size) return VALUE_MALFORMED;
    /* Each element takes a byte, each pair two: what cannot be there is refused before anybody
     * makes room for it. */
    uint64_t left = size - item.size;
    if (item.type == VALUE_ARRAY && item.number > left) return VALUE_MALFORMED;
    if (item.type == VALUE_MAP && item.number > left / 2) return VALUE_MALFORMED;
    *ret_item = item;
    return VALUE_OK;
}

int scan_value(const uint8_t *bytes, uint32_t size, uint32_t nested, uint32_t *ret_position) {
    REQUIRE(nested <= NET_DEPTH_MAX);
    uint64_t left[NET_DEPTH_MAX + 1]; /* values still to come at each level */
    uint32_t depth = 0, position = 0;
    left[0] = 1;
    for (;;) {
        while (left[depth] == 0) {
            if (depth == 0) {
                REQUIRE(position > 0 && position <= size);
                *ret_position = position;
                return VALUE_OK;
            }
            depth--;
        }
        left[depth]--;
        struct scan_item item;
        bool container = false;
        if (scan_item(bytes + position, size - position, &item) == VALUE_OK) {
            container = item.type == VALUE_ARRAY || item.type == VALUE_MAP;
        } else {
            break;
        }
        if (container && nested + depth == NET_DEPTH_MAX) break;
        position += item.size;
        if (container) left[++depth] = item.type == VALUE_MAP ? 2 * item.number : item.number;
    }
    *ret_position = position;
    return VALUE_MALFORMED;
}

int value_scan(const uint8_t *bytes, uint32_t size, uint32_t *ret_used) {
    uint32_t position;
    int result = scan_value(bytes, size, 0, &position);
    if (result == VALUE_OK) *ret_used = position;
    return result;
}
