/* peer_tarantool.c - the job of callers.h on Tarantool: calls of tarantool.lua over iproto
 *
 * A packet is a length, a header {type, number of the request} and a body {name, arguments};
 * answers come in any order and carry the number: here the caller's. There is no --batch: one
 * transaction of many holds was slower than as many calls, which share commits by themselves.
 */
#include <string.h>
#include <unistd.h>

#include "bench/peers/wire.h"
#include "engine/base/require.h"
#include "net/protocol/value.h"

enum {
    IPROTO_REQUEST_TYPE = 0x00,
    IPROTO_SYNC = 0x01,
    IPROTO_CALL = 0x0a,
    IPROTO_TUPLE = 0x21,
    IPROTO_FUNCTION_NAME = 0x22,
    IPROTO_DATA = 0x30,
    IPROTO_GREETING_BYTES = 128,
};

static struct value_writer writer; /* of the packet being written */

/* --- packets ---------------------------------------------------------------------------------- */

/* The header and the body up to the arguments, `count` of which follow. The length is filled in by
 * finish_call(). */
static void begin_call(uint32_t sync, const char *function, uint32_t count) {
    value_writer_clear(&writer);
    value_write_map(&writer, 2);
    value_write_uint(&writer, IPROTO_REQUEST_TYPE);
    value_write_uint(&writer, IPROTO_CALL);
    value_write_uint(&writer, IPROTO_SYNC);
    value_write_uint(&writer, sync);
    value_write_map(&writer, 2);
    value_write_uint(&writer, IPROTO_FUNCTION_NAME);
    value_write_text(&writer, function);
    value_write_uint(&writer, IPROTO_TUPLE);
    value_write_array(&writer, count);
}

static void finish_call(struct wire_buffer *out) {
    REQUIRE(!writer.failed);
    uint8_t *packet = wire_append(out, 5 + writer.size);
    packet[0] = 0xce; /* a length of 32 bits, big endian */
    for (uint32_t i = 0; i < 4; i++) packet[1 + i] = (uint8_t)(writer.size >> (24 - 8 * i));
    memcpy(packet + 5, writer.bytes, writer.size);
}

/* One answer. Return: bytes used; 0: it is not complete yet */
static size_t read_answer(const uint8_t *bytes, size_t size, uint64_t *ret_sync,
                          const struct value **ret_data) {
    if (size < 5) return 0;
    REQUIRE(bytes[0] == 0xce);
    uint32_t length = (uint32_t)bytes[1] << 24 | (uint32_t)bytes[2] << 16 |
                      (uint32_t)bytes[3] << 8 | bytes[4];
    const struct value *map, *key, *value;
    uint32_t used;
    uint64_t number, type = 1;
    if (size < 5 + length) return 0;
    REQUIRE(value_parse(bytes + 5, length, &map, &used) == VALUE_OK);
    struct value_items items = value_items(map, VALUE_MAP);
    while ((key = value_next(&items)) != NULL) {
        value = value_next(&items);
        if (!value_get_uint(key, &number)) continue;
        if (number == IPROTO_REQUEST_TYPE) (void)value_get_uint(value, &type); /* 1: an error */
        if (number == IPROTO_SYNC) (void)value_get_uint(value, ret_sync);      /* as sent */
    }
    REQUIRE(value_parse(bytes + 5 + used, length - used, &map, &used) == VALUE_OK);
    items = value_items(map, VALUE_MAP);
    if (!(key = value_next(&items))) callers_fail("Tarantool", "an answer without a body");
    value = value_next(&items);
    const char *text;
    uint32_t text_size;
    if (type != 0 && value_get_text(value, &text, &text_size)) {
        (void)write(STDERR_FILENO, text, text_size); /* leaving anyway */
        callers_fail("\nTarantool", "an error instead of an answer");
    }
    REQUIRE(type == 0 && value_get_uint(key, &number) && number == IPROTO_DATA);
    *ret_data = value;
    return 5 + length;
}

/* --- the job ---------------------------------------------------------------------------------- */

static void encode(struct wire_connection *connection, const struct callers_hold *holds,
                   const uint32_t *callers, uint32_t count) {
    REQUIRE(count == 1);
    begin_call(callers[0], "hold", 3);
    value_write_uint(&writer, callers_token(holds[0].user));
    value_write_uint(&writer, holds[0].seat);
    value_write_uint(&writer, CALLERS_HOLD_TTL_MS);
    finish_call(&connection->out);
}

static bool is_held(const struct value *answer) {
    uint64_t number;
    return value_get_uint(answer, &number) && number == 1;
}

static size_t decode(struct wire *wire, struct wire_connection *connection) {
    struct wire_buffer *in = &connection->in;
    const struct value *data;
    uint64_t sync;
    size_t used = read_answer(in->bytes + in->begin, in->end - in->begin, &sync, &data);
    if (used == 0) return 0;
    wire_answered(wire, connection, (uint32_t)sync, is_held(value_at(data, 0)));
    return used;
}

/* --- afterwards ------------------------------------------------------------------------------- */

static int64_t ask_number(int fd) {
    struct wire_buffer out = {0};
    uint8_t answer[1024];
    size_t size = 0;
    uint64_t sync;
    int64_t number;
    const struct value *data;
    finish_call(&out);
    wire_write(fd, out.bytes, out.end);
    while (read_answer(answer, size, &sync, &data) == 0) {
        REQUIRE(size < sizeof answer);
        wire_read(fd, &answer[size++], 1);
    }
    REQUIRE(value_get_int(value_at(data, 0), &number));
    return number;
}

static int64_t ask_hold(int fd, uint32_t token, uint32_t seat) {
    begin_call(0, "hold", 3);
    value_write_uint(&writer, token);
    value_write_uint(&writer, seat);
    value_write_uint(&writer, CALLERS_HOLD_TTL_MS);
    return ask_number(fd);
}

int main(int argc, char **argv) {
    static const struct wire_format format = {encode, decode};
    static struct callers callers;
    static struct wire wire;
    struct callers_options options;
    uint8_t greeting[IPROTO_GREETING_BYTES];
    callers_read_options(argc, argv, &options);
    value_writer_init(&writer, NULL, 0, UINT32_MAX);
    wire_run(&wire, &callers, &format, &options, sizeof greeting);
    int fd = wire_connect(options.address);
    wire_read(fd, greeting, sizeof greeting);
    struct callers_hold first = callers_hold(0);
    if (ask_hold(fd, callers_token(first.user + 1), first.seat) != 0) {
        callers_fail("Tarantool", "a seat was held twice");
    }
    if (ask_hold(fd, 0, options.seats - 1) != -1)
        callers_fail("Tarantool", "a hold without a turn");
    begin_call(0, "held", 0);
    callers_report(&callers, (uint64_t)ask_number(fd));
    return 0;
}
