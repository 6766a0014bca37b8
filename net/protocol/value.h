/* value.h - write and read MessagePack values; the only face of msgpack-c in usher
 *
 * Writing: a writer packs into the caller's buffer and moves to the heap when that is full, up to
 * a limit. A writer that has failed stays failed and ignores what follows, so callers check once,
 * at the end.
 *
 * Reading: value_scan() walks bytes that nobody has looked at yet and bounds depth and every count
 * by the bytes that are left. What passed it is read where it lies: a `struct value` is the first
 * byte of a value, and nothing is copied or built. (msgpack-c would build a tree of objects, twice
 * the work of all the rest, and takes memory by counts that it believes: five bytes make it reserve
 * gigabytes.)
 *
 * Thread: no shared state; one writer is for one thread at a time.
 */
#ifndef USHER_NET_PROTOCOL_VALUE_H
#define USHER_NET_PROTOCOL_VALUE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "net/protocol/value_type.h"

struct value_writer {
    uint8_t *bytes;    /* what was written; the caller's buffer or the heap's */
    uint32_t size;     /* bytes written */
    uint32_t capacity; /* bytes there is room for */
    uint32_t size_max; /* never grow above this; writing more fails */
    bool on_heap;      /* bytes is the writer's own; value_writer_deinit() frees it */
    bool failed;       /* size_max or memory was exceeded; bytes has a prefix only */
};

/* value_writer_init - write into `bytes` first, into memory of the writer's own when that is full
 * @bytes:    borrowed until value_writer_deinit(); NULL with capacity 0: heap from the start
 * @size_max: equal to capacity: never allocates */
void value_writer_init(struct value_writer *writer, void *bytes, uint32_t capacity,
                       uint32_t size_max);
/* value_writer_deinit - free what was allocated; the caller's buffer is not touched */
void value_writer_deinit(struct value_writer *writer);
/* value_writer_clear - forget what was written (and a failure), keep the memory */
void value_writer_clear(struct value_writer *writer);

/* Where the length of a literal is known: inlined whatever the compiler thinks of it, or it is
 * not. */
#define VALUE_INLINE static inline __attribute__((always_inline))

/* A map is followed by count pairs of key and value, an array by count values. */
void value_write_map(struct value_writer *writer, uint32_t count);
void value_write_array(struct value_writer *writer, uint32_t count);
void value_write_text_bytes(struct value_writer *writer, const char *bytes, uint32_t size);
/* value_write_text - up to its zero byte. The length of a literal is known when this is compiled,
 * and a short one (fixstr of the MessagePack specification) becomes a few stores. */
VALUE_INLINE void value_write_text(struct value_writer *writer, const char *text) {
    uint32_t size = (uint32_t)strlen(text);
    if (__builtin_constant_p(size) && size < 32 && !writer->failed &&
        size < writer->capacity - writer->size) {
        uint8_t *to = writer->bytes + writer->size;
        to[0] = (uint8_t)(0xa0 | size);
        memcpy(to + 1, text, size);
        writer->size += 1 + size;
        return;
    }
    value_write_text_bytes(writer, text, size);
}
void value_write_uint(struct value_writer *writer, uint64_t value);
void value_write_int(struct value_writer *writer, int64_t value);
void value_write_bool(struct value_writer *writer, bool value);
void value_write_nil(struct value_writer *writer);
/* value_write_raw - append what another writer made: whole values */
void value_write_raw(struct value_writer *writer, const void *bytes, uint32_t size);

struct value;
/* value_write_value - append a value that was read */
void value_write_value(struct value_writer *writer, const struct value *value);

/* A pair of a map whose key is a literal. */
VALUE_INLINE void value_write_pair_text(struct value_writer *writer, const char *key,
                                        const char *text) {
    value_write_text(writer, key);
    value_write_text(writer, text);
}
VALUE_INLINE void value_write_pair_uint(struct value_writer *writer, const char *key,
                                        uint64_t value) {
    value_write_text(writer, key);
    value_write_uint(writer, value);
}
VALUE_INLINE void value_write_pair_bool(struct value_writer *writer, const char *key, bool value) {
    value_write_text(writer, key);
    value_write_bool(writer, value);
}

/* value_write_array_open - an array whose count is known only at its end
 * Return: where it begins, for value_write_array_close() */
uint32_t value_write_array_open(struct value_writer *writer);
void value_write_array_close(struct value_writer *writer, uint32_t begin, uint32_t count);

/* value_scan - is there one whole, bounded value at the beginning of these bytes?
 * @ret_used: its size in bytes; on VALUE_OK only
 * Reads nothing outside bytes[0..size), allocates nothing. Return: enum value_result */
int value_scan(const uint8_t *bytes, uint32_t size, uint32_t *ret_used);

/* value_parse - scan one value at the beginning of these bytes
 * @bytes:     borrowed as long as the value is used
 * @ret_used:  size of the value in bytes
 * Return: enum value_result; the outputs are set on VALUE_OK only */
int value_parse(const uint8_t *bytes, uint32_t size, const struct value **ret_value,
                uint32_t *ret_used);
/* value_scanned - the value that begins here; value_scan() has passed it */
static inline const struct value *value_scanned(const uint8_t *bytes) {
    return (const struct value *)(const void *)bytes;
}

/* Reading. `value` may be NULL (a key that is not there): it is of type VALUE_NIL. Getters set
 * their output and return true only if the value has the type. */
enum value_type value_type(const struct value *value);
bool value_get_bool(const struct value *value, bool *ret_value);
bool value_get_uint(const struct value *value, uint64_t *ret_value);
bool value_get_int(const struct value *value, int64_t *ret_value);
bool value_get_text(const struct value *value, const char **ret_bytes, uint32_t *ret_size);
/* value_size - bytes from its first to its last */
uint32_t value_size(const struct value *value);
/* value_count - elements of an array, pairs of a map, 0 for anything else */
uint32_t value_count(const struct value *value);
/* value_at - an element of an array. NULL beyond its end or if it is none. Walks there from the
 * beginning: for all elements, go through them. */
const struct value *value_at(const struct value *array, uint32_t index);

/* Going through the elements of an array, or the keys and values of a map in turn. */
struct value_items {
    const struct value *next;
    uint32_t left; /* still to come; next is unset at 0 */
};
/* value_items - none if the value is not of that type: VALUE_ARRAY or VALUE_MAP */
struct value_items value_items(const struct value *value, enum value_type type);
/* value_next - Return: NULL at the end */
const struct value *value_next(struct value_items *items);

/* value_find - the value of a key in a map. NULL if it is not there */
const struct value *value_find(const struct value *map, const char *key);
/* value_find_uint - for results whose shape is known: `missing` if there is no such integer */
uint64_t value_find_uint(const struct value *map, const char *key, uint64_t missing);
/* value_text_equal - is this value that text? */
bool value_text_equal_bytes(const struct value *value, const char *bytes, uint32_t size);
static inline bool value_text_equal(const struct value *value, const char *text) {
    return value_text_equal_bytes(value, text, (uint32_t)strlen(text));
}

#endif
