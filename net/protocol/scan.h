/* scan.h - walk MessagePack bytes without believing them
 *
 * Reads headers and skips payloads; every count is bounded by the bytes that are left (an element
 * takes at least one byte), depth by NET_DEPTH_MAX. Allocates nothing, recurses nowhere. The one
 * place that knows the formats of the MessagePack specification when reading: bytes that a scan has
 * passed are read by the same scan_item(), with SCAN_TRUSTED for their size.
 * Thread: pure functions.
 */
#ifndef USHER_NET_PROTOCOL_SCAN_H
#define USHER_NET_PROTOCOL_SCAN_H

#include <stdint.h>

#include "net/protocol/value_type.h"

/* Of bytes that were scanned: every value ends before their end. */
#define SCAN_TRUSTED UINT32_MAX

/* Small enough for two registers: nearly all work of a reader is done by scan_item(). */
struct scan_item {
    /* VALUE_UINT: its value; VALUE_NEGATIVE: in two's complement; VALUE_BOOL: 0, 1; VALUE_TEXT:
     * bytes, which end the item; VALUE_ARRAY: elements; VALUE_MAP: pairs */
    uint64_t number;
    /* header and payload, bytes; elements and pairs come after. 0: malformed, which is truncated,
     * or the byte that MessagePack never uses */
    uint32_t size;
    uint32_t type; /* enum value_type */
};

/* The forms whose first byte is not their number or count. */
struct scan_item scan_item_long(const uint8_t *bytes, uint32_t size);

/* scan_item - the item at the beginning of these bytes. Each element takes a byte, each pair two:
 * what cannot be there is malformed before anybody makes room for it. */
static inline struct scan_item scan_item(const uint8_t *bytes, uint32_t size) {
    if (size == 0 || bytes[0] >= 0xc0) return scan_item_long(bytes, size);
    uint32_t first = bytes[0];
    struct scan_item item = {.number = first, .size = 1, .type = VALUE_UINT};
    if (first < 0x80) return item;
    uint32_t left = size - 1, most = left;
    if (first >= 0xa0) {
        item.type = VALUE_TEXT;
        item.number = first & 0x1f;
        item.size += (uint32_t)item.number;
    } else if (first >= 0x90) {
        item.type = VALUE_ARRAY;
        item.number = first & 0x0f;
    } else {
        item.type = VALUE_MAP;
        item.number = first & 0x0f;
        most = left / 2;
    }
    if (item.number > most) item.size = 0;
    return item;
}

/* scan_value - a whole value with everything in it
 * @nested:       in how many arrays and maps it is itself, 0..NET_DEPTH_MAX
 * @ret_position: its size on VALUE_OK, the offset where reading stopped otherwise
 * Return: VALUE_OK or VALUE_MALFORMED */
int scan_value(const uint8_t *bytes, uint32_t size, uint32_t nested, uint32_t *ret_position);

#endif
