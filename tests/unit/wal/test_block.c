/* test_block.c - headers of blocks and segments: round trip, and every damaged bit is seen */
#include "tests/unit/wal/wal_fixture.h"

#include <string.h>

#include "wal/block.h"
#include "wal/bytes.h"

#define SEED 0x1122334455667788u

static struct block_header make_block(uint8_t *block, uint32_t records, uint32_t size) {
    memset(block, 0xee, block_bytes(records * size)); /* padding must not keep this */
    for (uint32_t i = 0; i < records; i++) {
        wal_fixture_record(block + BLOCK_HEADER_BYTES + i * size, i, size);
    }
    struct block_header header = {
        .record_count = records,
        .body_bytes = records * size,
        .epoch = 3,
        .first_lsn = 1000,
        .wall_ms = 1700000000123,
        .durable_lsn = 900,
        .chain = 0xabcdef,
    };
    header.body_checksum = block_seal_body(block, header.body_bytes, SEED);
    block_encode_header(&header, SEED, block);
    return header;
}

static bool block_good(const uint8_t *block, uint64_t room) {
    struct block_header header;
    return block_decode_header(block, room, SEED, &header) &&
           block_body_good(&header, block, SEED) && block_records_good(&header, block);
}

static void test_round_trip(void **state) {
    (void)state;
    static const struct {
        uint32_t records, size, bytes;
    } table[] = {
        {0, 0, 4096},
        {1, 20, 4096},
        {1, 4016, 4096},
        {1, 4017, 8192},
        {1, 4096, 8192},
        {100, 80, 8192},
        {52428, 20, 1048576 + 4096},
    };
    static uint8_t block[WAL_BLOCK_BYTES_MAX + 4096];
    for (size_t i = 0; i < sizeof table / sizeof table[0] - 1; i++) {
        struct block_header wrote = make_block(block, table[i].records, table[i].size);
        assert_int_equal(block_bytes(wrote.body_bytes), table[i].bytes);
        struct block_header read;
        assert_true(block_decode_header(block, table[i].bytes, SEED, &read));
        assert_memory_equal(&wrote, &read, sizeof read);
        assert_true(block_good(block, table[i].bytes));
        uint32_t used = BLOCK_HEADER_BYTES + wrote.body_bytes;
        assert_true(bytes_all_zero(block + used, table[i].bytes - used));
        assert_false(block_decode_header(block, table[i].bytes - 4096, SEED, &read)); /* no room */
        assert_false(block_decode_header(block, table[i].bytes, SEED + 1, &read)); /* other log */
    }
}

static void test_golden(void **state) {
    (void)state;
    /* The bytes of version 1. If this fails, old logs have become unreadable. */
    static const uint8_t head[64] = {
        'U',  'S', 'H', 'E', 'R', 'B', 'L', 'K', 1,    0,    0,    0,    1,    0, 0, 0,
        3,    0,   0,   0,   0,   0,   0,   0,   0xe8, 3,    0,    0,    0,    0, 0, 0,
        20,   0,   0,   0,   0,   0,   0,   0,   0x7b, 0x68, 0xe5, 0xcf, 0x8b, 1, 0, 0,
        0x84, 3,   0,   0,   0,   0,   0,   0,   0xef, 0xcd, 0xab, 0,    0,    0, 0, 0};
    uint8_t block[4096];
    struct block_header header = make_block(block, 1, 20);
    for (uint32_t i = 4; i < 20; i++) block[BLOCK_HEADER_BYTES + i] = (uint8_t)i;
    header.body_checksum = block_seal_body(block, 20, SEED);
    block_encode_header(&header, SEED, block);
    assert_memory_equal(block, head, sizeof head);
    assert_true(bytes_get_u64(block + 64) == 0xc13e680c1365057cu);
    assert_true(bytes_get_u64(block + 72) == 0xddc396d084a980beu);
    assert_int_equal(bytes_get_u32(block + 80), 20);
}

static void test_every_bit(void **state) {
    (void)state;
    uint8_t block[8192];
    (void)make_block(block, 60, 80);
    for (uint32_t bit = 0; bit < sizeof block * 8; bit++) {
        block[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(block_good(block, sizeof block));
        block[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_true(block_good(block, sizeof block));
}

static void test_records_must_tile(void **state) {
    (void)state;
    static const struct {
        uint32_t count, body, sizes[4];
        bool good;
    } table[] = {
        {2, 60, {20, 40}, true}, {1, 60, {20, 40}, false}, {3, 60, {20, 40}, false},
        {1, 60, {61}, false},    {1, 60, {59}, false},     {3, 60, {20, 20, 20}, true},
        {1, 19, {19}, false},    {2, 39, {20, 19}, false}, {1, 60, {0}, false},
        {1, 4096, {4096}, true}, {1, 4097, {4097}, false}, {0, 20, {20}, false},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        uint8_t block[8192] = {0};
        uint32_t at = BLOCK_HEADER_BYTES;
        for (uint32_t j = 0; j < 4 && table[i].sizes[j] != 0; j++) {
            bytes_put_u32(block + at, table[i].sizes[j]);
            at += table[i].sizes[j];
        }
        struct block_header header = {.record_count = table[i].count, .body_bytes = table[i].body};
        assert_int_equal(block_records_good(&header, block), table[i].good);
    }
}

static void test_segment_header(void **state) {
    (void)state;
    struct segment_header wrote = {
        .account_partitions = 16,
        .log_id = {1, 2, 3, 4, 5, 6, 7, 8, 9},
        .number = 5,
        .epoch = 4,
        .first_lsn = 12345678901234567u,
        .chain = 99,
        .segment_bytes = 1 << 20,
        .created_ms = 1700000000123,
    };
    uint8_t bytes[SEGMENT_HEADER_BYTES];
    segment_encode(&wrote, bytes);
    struct segment_header read;
    uint32_t version = 0;
    assert_int_equal(segment_decode(bytes, &read, &version), SEGMENT_USED);
    assert_memory_equal(&wrote, &read, sizeof read);
    assert_true(wrote.checksum == 0xb0e851b652169511u); /* golden: the bytes of version 1 */
    assert_int_equal(segment_seed(wrote.log_id), 0x0807060504030201u);
    for (uint32_t bit = 0; bit < sizeof bytes * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(segment_decode(bytes, &read, &version), SEGMENT_UNUSED);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void test_segment_names(void **state) {
    (void)state;
    static const struct {
        const char *name;
        bool good;
        uint64_t number;
    } table[] = {
        {"wal-0000000000000001.seg", true, 1},
        {"wal-00000000000000ff.seg", true, 255},
        {"wal-ffffffffffffffff.seg", true, UINT64_MAX},
        {"wal-00000000000000FF.seg", false, 0},
        {"wal-0000000000000001.seg.tmp", false, 0},
        {"wal-000000000000001.seg", false, 0},
        {"wal-00000000000000g1.seg", false, 0},
        {"lost+found", false, 0},
        {"", false, 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        uint64_t number = 0;
        assert_int_equal(segment_parse_name(table[i].name, &number), table[i].good);
        if (table[i].good) {
            assert_int_equal(number, table[i].number);
            char name[WAL_FILE_NAME_BYTES];
            segment_name(number, name);
            assert_string_equal(name, table[i].name);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_golden),
        cmocka_unit_test(test_every_bit),      cmocka_unit_test(test_records_must_tile),
        cmocka_unit_test(test_segment_header), cmocka_unit_test(test_segment_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
