/* scan.c - see scan.h */
#include "net/protocol/scan.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include "engine/base/require.h"
#include "net/protocol/limits.h"

/* What a first byte from 0xc0 says (the MessagePack specification, "Formats"). */
struct format {
    uint8_t type;         /* enum value_type */
    uint8_t number_bytes; /* of the count, length or value after the first byte */
    uint8_t payload;      /* fixed payload that is skipped, bytes */
    bool length;          /* the number is the length of a payload */
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

static uint64_t big_endian(const uint8_t *bytes, uint32_t count) {
    uint16_t two;
    uint32_t four;
    uint64_t eight;
    switch (count) {
    case 0: return 0;
    case 1: return bytes[0];
    case 2: return be16toh(*(uint16_t *)memcpy(&two, bytes, sizeof two));
    case 4: return be32toh(*(uint32_t *)memcpy(&four, bytes, sizeof four));
    default: return be64toh(*(uint64_t *)memcpy(&eight, bytes, sizeof eight));
    }
}

struct scan_item scan_item_long(const uint8_t *bytes, uint32_t size) {
    const struct scan_item malformed = {0};
    if (size == 0) return malformed;
    REQUIRE(bytes[0] >= 0xc0);
    if (bytes[0] >= 0xe0) {
        uint64_t number = (uint64_t)(int64_t)(int8_t)bytes[0];
        return (struct scan_item){.number = number, .size = 1, .type = VALUE_NEGATIVE};
    }
    const struct format *format = &formats[bytes[0] - 0xc0];
    uint32_t header = 1u + format->number_bytes;
    if (format->bad || size < header) return malformed;
    struct scan_item item = {.number = big_endian(bytes + 1, format->number_bytes),
                             .size = header,
                             .type = format->type};
    if (item.type == VALUE_BOOL) item.number = bytes[0] & 1;
    if (item.type == VALUE_NEGATIVE) {
        /* A signed format may well have a number that is not below zero. */
        uint32_t unused = 64 - 8u * format->number_bytes;
        item.number = (uint64_t)((int64_t)(item.number << unused) >> unused);
        if ((int64_t)item.number >= 0) item.type = VALUE_UINT;
    }
    uint64_t payload = format->payload + (format->length ? item.number : 0);
    uint32_t left = size - header;
    if (payload > left) return malformed;
    if (item.type == VALUE_ARRAY && item.number > left) return malformed;
    if (item.type == VALUE_MAP && item.number > left / 2) return malformed;
    item.size += (uint32_t)payload;
    return item;
}

int scan_value(const uint8_t *bytes, uint32_t size, uint32_t nested, uint32_t *ret_position) {
    REQUIRE(nested <= NET_DEPTH_MAX);
    uint64_t open[NET_DEPTH_MAX + 1]; /* values of each level that are not over yet */
    uint32_t depth = 0, position = 0;
    open[0] = 1;
    for (;;) {
        struct scan_item item = scan_item(bytes + position, size - position);
        *ret_position = position;
        if (item.size == 0) return VALUE_MALFORMED;
        if (item.type == VALUE_ARRAY || item.type == VALUE_MAP) {
            if (nested + depth == NET_DEPTH_MAX) return VALUE_MALFORMED;
            position += item.size;
            if (item.number > 0) {
                open[++depth] = item.type == VALUE_MAP ? 2 * item.number : item.number;
                continue;
            }
        } else {
            position += item.size;
        }
        while (--open[depth] == 0) {
            if (depth == 0) {
                REQUIRE(position > 0 && position <= size);
                *ret_position = position;
                return VALUE_OK;
            }
            depth--;
        }
    }
}
