/* scan.h - walk MessagePack bytes without believing them
 *
 * Reads headers and skips payloads; every count is bounded by the bytes that are left (an element
 * takes at least one byte), depth by NET_DEPTH_MAX. Allocates nothing, recurses nowhere.
 * Thread: pure functions.
 */
#ifndef USHER_NET_SCAN_H
#define USHER_NET_SCAN_H

#include <stdint.h>

#include "net/value.h"

struct scan_item {
    enum value_type type;
    uint64_t number;  /* VALUE_UINT: its value; VALUE_ARRAY: elements; VALUE_MAP: pairs */
    uint32_t size;    /* header and payload, bytes; elements and pairs come after */
    uint32_t payload; /* bytes of a text, at the end of the item */
};

/* scan_item - the item at the beginning of these bytes
 * Return: VALUE_OK or VALUE_MALFORMED (truncated, or the byte that MessagePack never uses) */
int scan_item(const uint8_t *bytes, uint32_t size, struct scan_item *ret_item);

/* scan_value - a whole value with everything in it
 * @nested:       in how many arrays and maps it is itself, 0..NET_DEPTH_MAX
 * @ret_position: its size on VALUE_OK, the offset where reading stopped otherwise
 * Return: VALUE_OK or VALUE_MALFORMED */
int scan_value(const uint8_t *bytes, uint32_t size, uint32_t nested, uint32_t *ret_position);

#endif
