/* value.c - see value.h. The only file that includes msgpack.h. */
#include "net/protocol/value.h"

#include <endian.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/require.h"
#include "net/protocol/scan.h"

/* --- writing ---------------------------------------------------------------------------------- */

void value_writer_init(struct value_writer *writer, void *bytes, uint32_t capacity,
                       uint32_t size_max) {
    REQUIRE(bytes != NULL || capacity == 0);
    REQUIRE(capacity <= size_max);
    *writer = (struct value_writer){.bytes = bytes, .capacity = capacity, .size_max = size_max};
}

void value_writer_deinit(struct value_writer *writer) {
    if (writer->on_heap) free(writer->bytes);
    *writer = (struct value_writer){0};
}

void value_writer_clear(struct value_writer *writer) {
    writer->size = 0;
    writer->failed = false;
}

/* Make room for `more` bytes. Return: false if there can be none */
static bool writer_grow(struct value_writer *writer, size_t more) {
    uint64_t need = (uint64_t)writer->size + more;
    if (need > writer->size_max) return false;
    uint64_t capacity = writer->capacity < 256 ? 256 : 2ull * writer->capacity;
    if (capacity < need) capacity = need;
    if (capacity > writer->size_max) capacity = writer->size_max;
    uint8_t *bytes = realloc(writer->on_heap ? writer->bytes : NULL, capacity);
    if (!bytes) return false;
    if (!writer->on_heap && writer->size > 0) memcpy(bytes, writer->bytes, writer->size);
    writer->bytes = bytes;
    writer->capacity = (uint32_t)capacity;
    writer->on_heap = true;
    return true;
}

/* msgpack-c calls this for every piece that it packs. */
static int writer_take(void *data, const char *bytes, size_t size) {
    struct value_writer *writer = data;
    if (writer->failed) return -1;
    if (size > writer->capacity - writer->size && !writer_grow(writer, size)) {
        writer->failed = true;
        return -1;
    }
    if (size > 0) memcpy(writer->bytes + writer->size, bytes, size);
    writer->size += (uint32_t)size;
    return 0;
}

static msgpack_packer packer_of(struct value_writer *writer) {
    return (msgpack_packer){.data = writer, .callback = writer_take};
}

/* Is there room for so many bytes, without more ado? */
static bool writer_has(const struct value_writer *writer, uint32_t bytes) {
    return !writer->failed && bytes <= writer->capacity - writer->size;
}

/* A reply is made of small maps, short texts and numbers. Where there is room these are put down
 * right here ("int", "str", "array" and "map format family" of the MessagePack specification):
 * msgpack-c calls writer_take() for each piece, which made a reply three times as dear. Everything
 * else, growth and failure are left to it. The packers' results are ignored: writer->failed
 * remembers. */
enum { FIX_MAP = 0x80, FIX_ARRAY = 0x90, FIX_TEXT = 0xa0, UINT_8 = 0xcc, TEXT_8 = 0xd9 };
#define FIX_COUNT_MAX 15u
#define FIX_TEXT_MAX 31u
#define TEXT_8_MAX 255u
#define UINT_BYTES_MAX 9u

static bool put_byte(struct value_writer *writer, uint32_t byte) {
    if (!writer_has(writer, 1)) return false;
    writer->bytes[writer->size++] = (uint8_t)byte;
    return true;
}

void value_write_map(struct value_writer *writer, uint32_t count) {
    if (count <= FIX_COUNT_MAX && put_byte(writer, FIX_MAP | count)) return;
    msgpack_packer packer = packer_of(writer);
    (void)msgpack_pack_map(&packer, count);
}

void value_write_array(struct value_writer *writer, uint32_t count) {
    if (count <= FIX_COUNT_MAX && put_byte(writer, FIX_ARRAY | count)) return;
    msgpack_packer packer = packer_of(writer);
    (void)msgpack_pack_array(&packer, count);
}

void value_write_text_bytes(struct value_writer *writer, const char *bytes, uint32_t size) {
    if (size <= TEXT_8_MAX && writer_has(writer, 2 + size)) {
        uint8_t *to = writer->bytes + writer->size;
        if (size > FIX_TEXT_MAX) *to++ = TEXT_8;
        *to++ = (uint8_t)(size > FIX_TEXT_MAX ? size : FIX_TEXT | size);
        memcpy(to, bytes, size);
        writer->size = (uint32_t)(to - writer->bytes) + size;
        return;
    }
    msgpack_packer packer = packer_of(writer);
    (void)msgpack_pack_str(&packer, size);
    (void)msgpack_pack_str_body(&packer, bytes, size);
}

void value_write_uint(struct value_writer *writer, uint64_t value) {
    if (value < 128 && put_byte(writer, (uint32_t)value)) return;
    if (value >= 128 && writer_has(writer, UINT_BYTES_MAX)) {
        /* 1, 2, 4 or 8 bytes in big-endian order; all 8 are written, some count */
        uint32_t power = value > UINT32_MAX ? 3 : value > UINT16_MAX ? 2 : value > UINT8_MAX;
        uint64_t big = htobe64(value << (64 - (8u << power)));
        writer->bytes[writer->size] = (uint8_t)(UINT_8 + power);
        memcpy(writer->bytes + writer->size + 1, &big, sizeof big);
        writer->size += 1 + (1u << power);
        return;
    }
    msgpack_packer packer = packer_of(writer);
    (void)msgpack_pack_uint64(&packer, value);
}

void value_write_int(struct value_writer *writer, int64_t value) {
    msgpack_packer packer = packer_of(writer);
    (void)msgpack_pack_int64(&packer, value);
}

void value_write_bool(struct value_writer *writer, bool value) {
    msgpack_packer packer = packer_of(writer);
    (void)(value ? msgpack_pack_true(&packer) : msgpack_pack_false(&packer));
}

void value_write_nil(struct value_writer *writer) {
    msgpack_packer packer = packer_of(writer);
    (void)msgpack_pack_nil(&packer);
}

void value_write_raw(struct value_writer *writer, const void *bytes, uint32_t size) {
    (void)writer_take(writer, bytes, size);
}

void value_write_value(struct value_writer *writer, const struct value *value) {
    REQUIRE(value != NULL);
    value_write_raw(writer, value, value_size(value));
}

/* A count above 65535 makes msgpack-c choose the header with four bytes of count (array 32), whose
 * count can then be set afterwards, whatever it is. */
#define ARRAY32_COUNT 65536u
#define ARRAY32_HEADER_BYTES 5u

uint32_t value_write_array_open(struct value_writer *writer) {
    uint32_t begin = writer->size;
    value_write_array(writer, ARRAY32_COUNT);
    REQUIRE(writer->failed || writer->size == begin + ARRAY32_HEADER_BYTES);
    return begin;
}

void value_write_array_close(struct value_writer *writer, uint32_t begin, uint32_t count) {
    if (writer->failed) return;
    REQUIRE(begin + ARRAY32_HEADER_BYTES <= writer->size);
    for (uint32_t i = 0; i < 4; i++) {
        writer->bytes[begin + 1 + i] = (uint8_t)(count >> (24 - 8 * i));
    }
}

/* --- reading ---------------------------------------------------------------------------------- */

int value_scan(const uint8_t *bytes, uint32_t size, uint32_t *ret_used) {
    uint32_t position;
    int result = scan_value(bytes, size, 0, &position);
    if (result == VALUE_OK) *ret_used = position;
    return result;
}

int value_parse(const uint8_t *bytes, uint32_t size, const struct value **ret_value,
                uint32_t *ret_used) {
    int result = value_scan(bytes, size, ret_used);
    if (result == VALUE_OK) *ret_value = value_scanned(bytes);
    return result;
}

static const uint8_t *bytes_of(const struct value *value) {
    return (const uint8_t *)(const void *)value;
}

/* What was scanned is well-formed. A value that is not there is nil. */
static struct scan_item item_of(const struct value *value) {
    return value ? scan_item(bytes_of(value), SCAN_TRUSTED) : (struct scan_item){.type = VALUE_NIL};
}

uint32_t value_size(const struct value *value) {
    struct scan_item item = item_of(value);
    if (item.type != VALUE_ARRAY && item.type != VALUE_MAP) return item.size;
    uint32_t size;
    REQUIRE(scan_value(bytes_of(value), SCAN_TRUSTED, 0, &size) == VALUE_OK);
    return size;
}

enum value_type value_type(const struct value *value) {
    return (enum value_type)item_of(value).type;
}

bool value_get_bool(const struct value *value, bool *ret_value) {
    struct scan_item item = item_of(value);
    if (item.type != VALUE_BOOL) return false;
    *ret_value = item.number != 0;
    return true;
}

bool value_get_uint(const struct value *value, uint64_t *ret_value) {
    struct scan_item item = item_of(value);
    if (item.type != VALUE_UINT) return false;
    *ret_value = item.number;
    return true;
}

bool value_get_int(const struct value *value, int64_t *ret_value) {
    struct scan_item item = item_of(value);
    bool small = item.type == VALUE_UINT && item.number <= INT64_MAX;
    if (!small && item.type != VALUE_NEGATIVE) return false;
    *ret_value = (int64_t)item.number;
    return true;
}

bool value_get_text(const struct value *value, const char **ret_bytes, uint32_t *ret_size) {
    struct scan_item item = item_of(value);
    if (item.type != VALUE_TEXT) return false;
    *ret_size = (uint32_t)item.number; /* fits: it was bounded by the bytes there were */
    *ret_bytes = (const char *)bytes_of(value) + item.size - *ret_size;
    return true;
}

uint32_t value_count(const struct value *value) {
    struct scan_item item = item_of(value);
    return item.type == VALUE_ARRAY || item.type == VALUE_MAP ? (uint32_t)item.number : 0;
}

struct value_items value_items(const struct value *value, enum value_type type) {
    REQUIRE(type == VALUE_ARRAY || type == VALUE_MAP);
    struct scan_item item = item_of(value);
    uint32_t count = (uint32_t)item.number; /* a count fits: each takes a byte */
    if (item.type != type || count == 0) return (struct value_items){0};
    return (struct value_items){.next = value_scanned(bytes_of(value) + item.size),
                                .left = type == VALUE_MAP ? 2 * count : count};
}

const struct value *value_next(struct value_items *items) {
    const struct value *value = items->next;
    if (items->left == 0) return NULL;
    /* Nobody knows what is behind the last one. */
    items->next = --items->left > 0 ? value_scanned(bytes_of(value) + value_size(value)) : NULL;
    return value;
}

const struct value *value_at(const struct value *array, uint32_t index) {
    struct value_items items = value_items(array, VALUE_ARRAY);
    if (index >= items.left) return NULL;
    while (index-- > 0) (void)value_next(&items);
    return items.next;
}

const struct value *value_find(const struct value *map, const char *key) {
    struct value_items items = value_items(map, VALUE_MAP);
    uint32_t size = (uint32_t)strlen(key);
    for (const struct value *name; (name = value_next(&items)) != NULL;) {
        const struct value *value = value_next(&items);
        if (value_text_equal_bytes(name, key, size)) return value;
    }
    return NULL;
}

uint64_t value_find_uint(const struct value *map, const char *key, uint64_t missing) {
    uint64_t value = missing;
    (void)value_get_uint(value_find(map, key), &value); /* false leaves `missing` */
    return value;
}

bool value_text_equal_bytes(const struct value *value, const char *bytes, uint32_t size) {
    const char *text;
    uint32_t text_size;
    return value_get_text(value, &text, &text_size) && text_size == size &&
           memcmp(text, bytes, size) == 0;
}
