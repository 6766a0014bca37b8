/* test_value.c - writing and reading MessagePack; msgpack-c reads the same bytes beside it */
#include "tests/support/cmocka.h"

#include <msgpack.h>

#include "net/protocol/limits.h"
#include "net/protocol/scan.h"
#include "net/protocol/value.h"
#include "tests/support/notation.h"

static void writer_grows_and_stops(void **state) {
    (void)state;
    uint8_t start[4];
    struct value_writer writer;
    value_writer_init(&writer, start, sizeof start, 300);
    value_write_text(&writer, "abc");
    assert_false(writer.on_heap);
    value_write_text(&writer, "defg");
    assert_true(writer.on_heap);
    assert_string_equal(notation_print_bytes(writer.bytes, writer.size), "'abc' 'defg'");
    char big[300];
    memset(big, 'x', sizeof big);
    value_write_text_bytes(&writer, big, sizeof big);
    assert_true(writer.failed);
    uint32_t size = writer.size;
    value_write_uint(&writer, 1); /* would fit, but the value before it is not whole */
    assert_int_equal(writer.size, size);
    value_writer_clear(&writer);
    assert_false(writer.failed);
    value_write_uint(&writer, 1);
    assert_string_equal(notation_print_bytes(writer.bytes, writer.size), "1");
    value_writer_deinit(&writer);
}

static void writer_without_heap(void **state) {
    (void)state;
    uint8_t buffer[3];
    struct value_writer writer;
    value_writer_init(&writer, buffer, sizeof buffer, sizeof buffer);
    value_write_text(&writer, "ab");
    assert_false(writer.failed);
    value_write_nil(&writer);
    assert_true(writer.failed);
    assert_false(writer.on_heap);
    value_writer_deinit(&writer);
}

/* What is put down directly is what msgpack-c writes, which is asked where there is no room yet. */
static void small_forms_are_msgpacks(void **state) {
    (void)state;
    static const char text[] = "0123456789abcdefghijklmnopqrstuvwxyz0123456789";
    static const uint64_t edges[] = {0,           1,           127,      128,
                                     255,         256,         65535,    65536,
                                     4294967295u, 4294967296u, 1u << 31, UINT64_MAX - 1,
                                     UINT64_MAX};
    for (uint32_t i = 0; i < 80; i++) {
        uint8_t room[64];
        struct value_writer writers[2];
        value_writer_init(&writers[0], room, sizeof room, sizeof room);
        value_writer_init(&writers[1], NULL, 0, sizeof room);
        for (uint32_t w = 0; w < 2; w++) {
            if (i < 20) value_write_map(&writers[w], i);
            if (i >= 20 && i < 40) value_write_array(&writers[w], i - 20);
            if (i >= 40) value_write_text_bytes(&writers[w], text, i - 40);
            assert_false(writers[w].failed);
        }
        assert_int_equal(writers[0].size, writers[1].size);
        assert_memory_equal(writers[0].bytes, writers[1].bytes, writers[1].size);
        value_writer_deinit(&writers[1]);
    }
    for (uint32_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        uint8_t room[64];
        struct value_writer direct, packed;
        value_writer_init(&direct, room, sizeof room, sizeof room);
        value_writer_init(&packed, NULL, 0, sizeof room);
        value_write_uint(&direct, edges[i]);
        value_write_uint(&packed, edges[i]);
        assert_int_equal(direct.size, packed.size);
        assert_memory_equal(direct.bytes, packed.bytes, packed.size);
        value_writer_deinit(&packed);
    }
}

/* The longest text that fits, the header that is longer, and one byte too many: both with and
 * without room beforehand. */
static void texts_of_any_length(void **state) {
    (void)state;
    static char text[300];
    memset(text, 'x', sizeof text);
    for (uint32_t size = 0; size < sizeof text; size++) {
        for (uint32_t room = size; room <= size + 4; room++) {
            static uint8_t start[512];
            struct value_writer direct, packed;
            value_writer_init(&direct, start, room, room);
            value_writer_init(&packed, NULL, 0, room);
            value_write_text_bytes(&direct, text, size);
            value_write_text_bytes(&packed, text, size);
            assert_int_equal(direct.failed, packed.failed);
            assert_int_equal(direct.failed, room < size + (size < 32 ? 1 : size < 256 ? 2 : 3));
            if (!direct.failed) {
                assert_int_equal(direct.size, packed.size);
                assert_memory_equal(direct.bytes, packed.bytes, packed.size);
            }
            value_writer_deinit(&packed);
        }
    }
}

static void open_arrays(void **state) {
    (void)state;
    static const uint32_t counts[] = {0, 1, 15, 16, 65535, 65536, 70000};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct value_writer writer;
        const struct value *value;
        uint32_t used;
        value_writer_init(&writer, NULL, 0, 1u << 20);
        uint32_t begin = value_write_array_open(&writer);
        for (uint32_t k = 0; k < counts[i]; k++) value_write_uint(&writer, k % 100);
        value_write_array_close(&writer, begin, counts[i]);
        assert_int_equal(value_parse(writer.bytes, writer.size, &value, &used), VALUE_OK);
        assert_int_equal(used, writer.size);
        assert_int_equal(value_count(value), counts[i]);
        value_writer_deinit(&writer);
    }
}

static void round_trip(void **state) {
    (void)state;
    static const char *const texts[] = {
        "nil",
        "true",
        "false",
        "0",
        "127",
        "128",
        "65536",
        "18446744073709551615",
        "-1",
        "-33",
        "-129",
        "-9223372036854775808",
        "''",
        "'text'",
        "[]",
        "{}",
        "[1,[2,[3,'x']],{'a':nil}]",
        "{'a':{'b':[true,false]},'c':-5}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct value_writer writer, copy;
        const struct value *value;
        uint32_t used;
        value_writer_init(&writer, NULL, 0, 4096);
        value_writer_init(&copy, NULL, 0, 4096);
        notation_write(&writer, texts[i]);
        assert_int_equal(value_parse(writer.bytes, writer.size, &value, &used), VALUE_OK);
        assert_string_equal(notation_print(value), texts[i]);
        value_write_value(&copy, value);
        assert_int_equal(copy.size, writer.size);
        assert_memory_equal(copy.bytes, writer.bytes, writer.size);
        value_writer_deinit(&writer);
        value_writer_deinit(&copy);
    }
}

static void getters_are_typed(void **state) {
    (void)state;
    struct value_writer writer;
    const struct value *map;
    const char *text;
    uint32_t used, size;
    uint64_t natural = 5;
    int64_t integer = 5;
    bool flag = true;
    value_writer_init(&writer, NULL, 0, 4096);
    notation_write(&writer, "{'n':7,'m':-7,'t':'x','b':false,'a':[1],'big':18446744073709551615}");
    assert_int_equal(value_parse(writer.bytes, writer.size, &map, &used), VALUE_OK);
    assert_true(value_get_uint(value_find(map, "n"), &natural));
    assert_int_equal(natural, 7);
    assert_false(value_get_uint(value_find(map, "m"), &natural));
    assert_int_equal(natural, 7);
    assert_true(value_get_int(value_find(map, "m"), &integer));
    assert_int_equal(integer, -7);
    assert_false(value_get_int(value_find(map, "big"), &integer));
    assert_true(value_get_bool(value_find(map, "b"), &flag));
    assert_false(flag);
    assert_false(value_get_bool(value_find(map, "n"), &flag));
    assert_true(value_get_text(value_find(map, "t"), &text, &size));
    assert_false(value_get_text(value_find(map, "a"), &text, &size));
    assert_null(value_find(map, "x"));
    assert_int_equal(value_type(NULL), VALUE_NIL);
    assert_int_equal(value_find_uint(map, "n", 1), 7);
    assert_int_equal(value_find_uint(map, "t", 1), 1);
    assert_null(value_at(map, 0));
    assert_null(value_at(value_find(map, "a"), 1));
    assert_int_equal(value_items(map, VALUE_ARRAY).left, 0);
    assert_int_equal(value_items(NULL, VALUE_MAP).left, 0);
    value_writer_deinit(&writer);
}

/* Each is refused. */
static void hostile_values(void **state) {
    (void)state;
    static const char *const cases[] = {
        "#c1",         /* the byte that is never used */
        "#ddffffffff", /* four billion elements */
        "#dd04000000", /* 67 million */
        "#dfffffffff", /* pairs */
        "#df80000000",
        "#dcffff",
        "#deffff",
        "#dbffffffff", /* text of 4 GiB */
        "#db00000001",
        "#c6ffffffff",
        "#c9ffffffff00",
        "#91",
        "#81",
        "#8101",
        "#82010203", /* elements missing */
        "#a1",
        "#d9",
        "#d901",
        "#da00",
        "#da0001",
        "#cc",
        "#cd00",
        "#ce000000",
        "#cf00000000000000",
        "#d0",
        "#d100",
        "#d2000000",
        "#d300000000000000",
        "#ca000000",
        "#cb00000000000000",
        "#d400",
        "#d50000",
        "#d600000000",
        "#d70000000000000000",
        "#c70000000000" /* ext 8 of length 0 is whole: bytes are left over */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct value_writer writer;
        uint32_t used = 77;
        value_writer_init(&writer, NULL, 0, 64);
        notation_write(&writer, cases[i]);
        int result = value_scan(writer.bytes, writer.size, &used);
        bool refused = result == VALUE_MALFORMED ? used == 77 : used < writer.size;
        if (!refused) fail_msg("%s", cases[i]);
        value_writer_deinit(&writer);
    }
    uint32_t used;
    assert_int_equal(value_scan((const uint8_t *)"", 0, &used), VALUE_MALFORMED);
}

static void depth_is_bounded(void **state) {
    (void)state;
    static uint8_t nested[10001];
    uint32_t used = 0, position = 0;
    for (uint32_t depth = 0; depth <= 10000; depth++) {
        memset(nested, 0x91, depth);
        nested[depth] = 0xc0;
        int result = value_scan(nested, depth + 1, &used);
        if (result != (depth <= NET_DEPTH_MAX ? VALUE_OK : VALUE_MALFORMED)) {
            fail_msg("depth %u", depth);
        }
    }
    /* It does not read on beyond the depth that it refuses. */
    assert_int_equal(scan_value(nested, sizeof nested, 0, &position), VALUE_MALFORMED);
    assert_int_equal(position, NET_DEPTH_MAX);
}

/* --- msgpack-c, another reader of the same bytes ---------------------------------------------- */

static void same_as_msgpacks(const struct value *value, const msgpack_object *object);

static void same_items(const struct value *value, enum value_type type,
                       const msgpack_object *objects, uint32_t count) {
    struct value_items items = value_items(value, type);
    const struct value *item;
    for (uint32_t i = 0; i < count; i++) {
        assert_non_null(item = value_next(&items));
        if (type == VALUE_ARRAY && i < 100) assert_ptr_equal(value_at(value, i), item);
        same_as_msgpacks(item, &objects[i]);
    }
    assert_null(value_next(&items));
    assert_null(value_next(&items));
}

static void same_as_msgpacks(const struct value *value, const msgpack_object *object) {
    uint64_t natural = 0;
    int64_t integer = 0;
    bool flag = false;
    const char *text;
    uint32_t size;
    switch (object->type) {
    case MSGPACK_OBJECT_NIL: assert_int_equal(value_type(value), VALUE_NIL); break;
    case MSGPACK_OBJECT_BOOLEAN:
        assert_true(value_get_bool(value, &flag));
        assert_int_equal(flag, object->via.boolean);
        break;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        assert_true(value_get_uint(value, &natural));
        assert_true(natural == object->via.u64);
        assert_int_equal(value_get_int(value, &integer), natural <= INT64_MAX);
        break;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        assert_int_equal(value_type(value), VALUE_NEGATIVE);
        assert_true(value_get_int(value, &integer));
        assert_true(integer == object->via.i64);
        break;
    case MSGPACK_OBJECT_STR:
        assert_true(value_get_text(value, &text, &size));
        assert_int_equal(size, object->via.str.size);
        if (size > 0) assert_ptr_equal(text, object->via.str.ptr);
        break;
    case MSGPACK_OBJECT_ARRAY:
        assert_int_equal(value_count(value), object->via.array.size);
        same_items(value, VALUE_ARRAY, object->via.array.ptr, object->via.array.size);
        assert_null(value_items(value, VALUE_MAP).next);
        break;
    case MSGPACK_OBJECT_MAP:
        assert_int_equal(value_count(value), object->via.map.size);
        /* A pair of msgpack-c's is two objects, key and value. */
        _Static_assert(sizeof(msgpack_object_kv) == 2 * sizeof(msgpack_object), "nothing between");
        same_items(value, VALUE_MAP, (const msgpack_object *)(const void *)object->via.map.ptr,
                   2 * object->via.map.size);
        assert_null(value_at(value, 0));
        break;
    default: assert_int_equal(value_type(value), VALUE_OTHER);
    }
}

/* Return: whether these bytes begin with a value, for both readers and with the same content */
static bool both_read(const uint8_t *bytes, uint32_t size) {
    uint32_t used = 0;
    const struct value *value;
    if (value_parse(bytes, size, &value, &used) != VALUE_OK) return false;
    assert_in_range(used, 1, size);
    assert_int_equal(value_size(value), used);
    msgpack_zone zone;
    msgpack_object object;
    size_t offset = 0;
    assert_true(msgpack_zone_init(&zone, 4096));
    assert_int_equal(msgpack_unpack((const char *)bytes, size, &offset, &zone, &object),
                     used < size ? MSGPACK_UNPACK_EXTRA_BYTES : MSGPACK_UNPACK_SUCCESS);
    assert_int_equal(offset, used);
    same_as_msgpacks(value, &object);
    msgpack_zone_destroy(&zone);
    return true;
}

/* Bytes of their exact size on the heap, so that a sanitizer sees any read beyond them. */
static bool both_read_copy(const uint8_t *from, uint32_t size) {
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    memcpy(bytes, from, size);
    bool read = both_read(bytes, size);
    free(bytes);
    return read;
}

static void random_bytes_agree_with_msgpack(void **state) {
    (void)state;
    struct random random = {random_seed(20240607)};
    uint32_t passed = 0;
    for (int round = 0; round < 100000; round++) {
        uint8_t bytes[40];
        uint32_t size = random_index(&random, sizeof bytes) + 1;
        for (uint32_t i = 0; i < size; i++) {
            uint64_t r = random_next(&random);
            /* Mostly small containers and texts, which lead somewhere. */
            bytes[i] = r % 4 == 0   ? (uint8_t)(r >> 8)
                       : r % 4 == 1 ? (uint8_t)(0x80 | (r >> 8) % 3)
                       : r % 4 == 2 ? (uint8_t)(0x90 | (r >> 8) % 4)
                                    : (uint8_t)((r >> 8) % 128);
        }
        passed += both_read_copy(bytes, size);
    }
    assert_in_range(passed, 10000, 90000);
}

/* Every first byte, before bytes that are small, large, and look like headers. */
static void every_form_agrees_with_msgpack(void **state) {
    (void)state;
    static const uint8_t fills[] = {0x00, 0x01, 0x02, 0x7f, 0x80, 0xff};
    static uint8_t bytes[70000];
    uint32_t passed = 0;
    for (uint32_t first = 0; first < 256; first++) {
        for (uint32_t fill = 0; fill < sizeof fills; fill++) {
            for (uint32_t width = 0; width <= 8; width++) {
                memset(bytes, 0, sizeof bytes);
                bytes[0] = (uint8_t)first;
                memset(bytes + 1, 0, 8);
                memset(bytes + 1 + 8 - width, fills[fill], width);
                passed += both_read_copy(bytes, sizeof bytes);
                memset(bytes + 1, fills[fill], width);
                passed += both_read_copy(bytes, 9);
            }
        }
    }
    assert_in_range(passed, 10000, 256 * sizeof fills * 9 * 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writer_grows_and_stops),
        cmocka_unit_test(writer_without_heap),
        cmocka_unit_test(small_forms_are_msgpacks),
        cmocka_unit_test(texts_of_any_length),
        cmocka_unit_test(open_arrays),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(getters_are_typed),
        cmocka_unit_test(hostile_values),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(random_bytes_agree_with_msgpack),
        cmocka_unit_test(every_form_agrees_with_msgpack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
