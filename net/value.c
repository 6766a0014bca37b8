/* value.c - see value.h. The only file that includes msgpack.h. */
#include "net/value.h"

#include <endian.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "engine/require.h"

/* A value is an object of msgpack-c under another name. */
static const msgpack_object *object_of(const struct value *value) {
    return (const msgpack_object *)(const void *)value;
}

static const struct value *value_of(const msgpack_object *object) {
    return (const struct value *)(const void *)object;
}

/* --- writing ------------------------------------------------------------------------------- */

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

/* A reply is made of small maps, short texts and numbers. Where there is room these are put down right
 * here ("int", "str", "array" and "map format family" of the MessagePack specification): msgpack-c
 * calls writer_take() for each piece, which made a reply three times as dear. Everything else, growth
 * and failure are left to it. The packers' results are ignored: writer->failed remembers. */
enum { FIX_MAP = 0x80, FIX_ARRAY = 0x90, FIX_TEXT = 0xa0, UINT_8 = 0xcc };
#define FIX_COUNT_MAX 15u
#define FIX_TEXT_MAX 31u
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
    if (size <= FIX_TEXT_MAX && writer_has(writer, 1 + size)) {
        writer->bytes[writer->size] = (uint8_t)(FIX_TEXT | size);
        memcpy(writer->bytes + writer->size + 1, bytes, size);
        writer->size += 1 + size;
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
    msgpack_packer packer = packer_of(writer);
    REQUIRE(value != NULL);
    (void)msgpack_pack_object(&packer, *object_of(value));
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

/* --- reading ------------------------------------------------------------------------------- */

/* Holds the objects of a request of a few dozen parameters; larger ones add chunks, which the next
 * parse gives back. */
#define DOCUMENT_CHUNK_BYTES 8192u

struct value_document {
    msgpack_zone zone;
    msgpack_object root;
};

struct value_document *value_document_open(void) {
    struct value_document *document = calloc(1, sizeof *document);
    if (document && !msgpack_zone_init(&document->zone, DOCUMENT_CHUNK_BYTES)) {
        free(document);
        return NULL;
    }
    return document;
}

void value_document_close(struct value_document *document) {
    if (!document) return;
    msgpack_zone_destroy(&document->zone);
    free(document);
}

int value_parse_scanned(struct value_document *document, const uint8_t *bytes, uint32_t size,
                        const struct value **ret_value) {
    size_t offset = 0;
    msgpack_zone_clear(&document->zone);
    msgpack_unpack_return result = msgpack_unpack((const char *)bytes, size, &offset,
                                                  &document->zone, &document->root);
    /* Anything else is a lack of memory, or a disagreement between the scan and msgpack-c; both
     * refuse the bytes. */
    if (result != MSGPACK_UNPACK_SUCCESS || offset != size) return VALUE_MALFORMED;
    *ret_value = value_of(&document->root);
    return VALUE_OK;
}

int value_parse(struct value_document *document, const uint8_t *bytes, uint32_t size,
                const struct value **ret_value, uint32_t *ret_used) {
    uint32_t used;
    if (value_scan(bytes, size, &used) != VALUE_OK) return VALUE_MALFORMED;
    if (value_parse_scanned(document, bytes, used, ret_value) != VALUE_OK) return VALUE_MALFORMED;
    *ret_used = used;
    return VALUE_OK;
}

enum value_type value_type(const struct value *value) {
    static const uint8_t types[] = {
        [MSGPACK_OBJECT_NIL] = VALUE_NIL,
        [MSGPACK_OBJECT_BOOLEAN] = VALUE_BOOL,
        [MSGPACK_OBJECT_POSITIVE_INTEGER] = VALUE_UINT,
        [MSGPACK_OBJECT_NEGATIVE_INTEGER] = VALUE_NEGATIVE,
        [MSGPACK_OBJECT_STR] = VALUE_TEXT,
        [MSGPACK_OBJECT_ARRAY] = VALUE_ARRAY,
        [MSGPACK_OBJECT_MAP] = VALUE_MAP,
        [MSGPACK_OBJECT_BIN] = VALUE_OTHER,
        [MSGPACK_OBJECT_EXT] = VALUE_OTHER,
        [MSGPACK_OBJECT_FLOAT32] = VALUE_OTHER,
        [MSGPACK_OBJECT_FLOAT64] = VALUE_OTHER,
    };
    if (!value) return VALUE_NIL;
    REQUIRE((uint32_t)object_of(value)->type < sizeof types);
    return types[object_of(value)->type];
}

bool value_get_bool(const struct value *value, bool *ret_value) {
    if (value_type(value) != VALUE_BOOL) return false;
    *ret_value = object_of(value)->via.boolean;
    return true;
}

bool value_get_uint(const struct value *value, uint64_t *ret_value) {
    if (value_type(value) != VALUE_UINT) return false;
    *ret_value = object_of(value)->via.u64;
    return true;
}

bool value_get_int(const struct value *value, int64_t *ret_value) {
    enum value_type type = value_type(value);
    if (type == VALUE_UINT && object_of(value)->via.u64 <= INT64_MAX) {
        *ret_value = (int64_t)object_of(value)->via.u64;
        return true;
    }
    if (type != VALUE_NEGATIVE) return false;
    *ret_value = object_of(value)->via.i64;
    return true;
}

bool value_get_text(const struct value *value, const char **ret_bytes, uint32_t *ret_size) {
    if (value_type(value) != VALUE_TEXT) return false;
    *ret_size = object_of(value)->via.str.size;
    /* msgpack-c leaves the pointer of an empty text unset. */
    *ret_bytes = *ret_size > 0 ? object_of(value)->via.str.ptr : "";
    return true;
}

uint32_t value_count(const struct value *value) {
    switch (value_type(value)) {
    case VALUE_ARRAY: return object_of(value)->via.array.size;
    case VALUE_MAP: return object_of(value)->via.map.size;
    default: return 0;
    }
}

const struct value *value_at(const struct value *array, uint32_t index) {
    if (value_type(array) != VALUE_ARRAY || index >= value_count(array)) return NULL;
    return value_of(&object_of(array)->via.array.ptr[index]);
}

bool value_pair_at(const struct value *map, uint32_t index, const struct value **ret_key,
                   const struct value **ret_value) {
    if (value_type(map) != VALUE_MAP || index >= value_count(map)) return false;
    const msgpack_object_kv *pair = &object_of(map)->via.map.ptr[index];
    *ret_key = value_of(&pair->key);
    *ret_value = value_of(&pair->val);
    return true;
}

const struct value *value_find(const struct value *map, const char *key) {
    const struct value *name, *value;
    for (uint32_t i = 0; value_pair_at(map, i, &name, &value); i++) {
        if (value_text_equal(name, key)) return value;
    }
    return NULL;
}

uint64_t value_find_uint(const struct value *map, const char *key, uint64_t missing) {
    uint64_t value = missing;
    (void)value_get_uint(value_find(map, key), &value); /* false leaves `missing` */
    return value;
}

bool value_text_equal(const struct value *value, const char *text) {
    const char *bytes;
    uint32_t size;
    return value_get_text(value, &bytes, &size) && size == strlen(text) &&
           memcmp(bytes, text, size) == 0;
}
