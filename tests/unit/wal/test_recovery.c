/* test_recovery.c - torn tails are cut, everything else is refused and named exactly */
#include "tests/unit/wal/wal_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/hash.h"
#include "wal/block.h"
#include "wal/bytes.h"
#include "wal/inspect.h"
#include "wal/trim.h"

/* A log of blocks of one record each, died without a seal. */
static uint64_t write_blocks(struct wal_fixture *fixture, const uint32_t *sizes, size_t count) {
    uint64_t lsn = 0;
    wal_fixture_open_ok(fixture);
    for (size_t i = 0; i < count; i++) lsn = wal_fixture_block(fixture, sizes[i]);
    wal_fixture_kill(fixture);
    return lsn;
}

/* The same, and the last block has many records: 12 KiB and more. */
static uint64_t write_big_tail(struct wal_fixture *fixture, uint64_t *ret_before) {
    wal_fixture_open_ok(fixture);
    (void)wal_fixture_block(fixture, 100);
    *ret_before = wal_fixture_block(fixture, 4096);
    uint64_t lsn = 0;
    for (int i = 0; i < 12; i++) lsn = wal_fixture_append(fixture, 1000);
    wal_fixture_settle(fixture);
    assert_int_equal(wal_durable_lsn(fixture->wal), lsn);
    wal_fixture_kill(fixture);
    return lsn;
}

static void use_clone(struct wal_fixture *fixture, struct storage *disk,
                      struct wal_fixture *ret_copy) {
    *ret_copy = *fixture;
    ret_copy->options.callback_context = ret_copy;
    ret_copy->options.clock.context = ret_copy;
    ret_copy->options.entropy.context = ret_copy;
    assert_int_equal(storage_memory_clone(disk, &ret_copy->disk), 0);
}

/* Opening must be refused, with exactly this, and must not touch the disk. */
static void assert_refused(struct wal_fixture *fixture, int code, const char *file, uint64_t offset,
                           uint64_t lsn) {
    struct storage *before;
    assert_int_equal(storage_memory_clone(fixture->disk, &before), 0);
    assert_int_equal(wal_fixture_open(fixture), -code);
    assert_int_equal(fixture->error.code, code);
    assert_string_equal(fixture->error.file, file);
    assert_int_equal(fixture->error.offset, offset);
    assert_int_equal(fixture->error.lsn, lsn);
    assert_true(strlen(fixture->error.text) > 20);
    for (uint64_t number = 1; number < 20; number++) {
        char name[WAL_FILE_NAME_BYTES];
        segment_name(number, name);
        uint64_t size_before = 0;
        uint64_t size_after = 0;
        const uint8_t *old = storage_memory_bytes(before, name, &size_before);
        const uint8_t *now = storage_memory_bytes(fixture->disk, name, &size_after);
        assert_int_equal(old == NULL, now == NULL);
        assert_int_equal(size_before, size_after);
        assert_true(old == NULL || memcmp(old, now, size_before) == 0);
    }
    before->operations->destroy(before);
}

#define SEGMENT_1 "wal-0000000000000001.seg"
#define SEGMENT_2 "wal-0000000000000002.seg"
#define SEGMENT_3 "wal-0000000000000003.seg"

static void check_torn(struct wal_fixture *fixture, uint64_t before, uint64_t offset, bool torn) {
    wal_fixture_open_ok(fixture);
    assert_int_equal(fixture->recovery.end_lsn, before);
    assert_int_equal(fixture->recovery.torn, torn);
    if (torn) {
        assert_string_equal(fixture->recovery.torn_file, SEGMENT_1);
        assert_int_equal(fixture->recovery.torn_offset, offset);
    }
    /* The log goes on at the cut, and the torn bytes are never seen again. */
    fixture->next_number = 2;
    uint64_t lsn = wal_fixture_block(fixture, 700);
    assert_int_equal(lsn, before + 700);
    wal_fixture_kill(fixture);
    wal_fixture_open_ok(fixture);
    assert_int_equal(fixture->recovery.end_lsn, lsn);
    assert_int_equal(fixture->recovery.torn_tails, torn);
    assert_int_equal(wal_fixture_read_all(fixture->disk, lsn), 3);
    wal_fixture_kill(fixture);
}

static void test_torn_at_every_sector(void **state) {
    (void)state;
    struct wal_fixture fixture;
    wal_fixture_init(&fixture);
    uint64_t before;
    (void)write_big_tail(&fixture, &before);
    uint64_t offset;
    uint32_t bytes;
    wal_fixture_find_block(fixture.disk, 1, 2, &offset, &bytes);
    assert_true(bytes >= 3 * 4096);
    for (uint32_t cut = 0; cut < bytes; cut += STORAGE_MEMORY_SECTOR_BYTES) {
        for (int side = 0; side < 2; side++) {
            struct wal_fixture copy;
            uint64_t size;
            use_clone(&fixture, fixture.disk, &copy);
            uint8_t *block = wal_fixture_segment(copy.disk, 1, &size) + offset;
            if (side == 0) {
                memset(block + cut, 0, bytes - cut); /* the first sectors landed */
            } else {
                memset(block, 0, cut + STORAGE_MEMORY_SECTOR_BYTES); /* the last ones */
            }
            check_torn(&copy, before, offset, !bytes_all_zero(block, bytes));
            wal_fixture_deinit(&copy);
        }
    }
    wal_fixture_deinit(&fixture);
}

static void test_damage_is_corruption(void **state) {
    (void)state;
    struct wal_fixture fixture;
    wal_fixture_init(&fixture);
    static const uint32_t sizes[] = {100, 4000, 4096, 20, 4096, 33};
    (void)write_blocks(&fixture, sizes, 6);
    uint64_t lsn = 0;
    for (uint32_t i = 0; i < 5; i++) {
        uint64_t offset;
        uint32_t bytes;
        wal_fixture_find_block(fixture.disk, 1, i, &offset, &bytes);
        for (uint32_t at = 0; at < bytes; at += at < BLOCK_HEADER_BYTES ? 1 : 251) {
            uint64_t size;
            uint8_t *segment = wal_fixture_segment(fixture.disk, 1, &size);
            segment[offset + at] ^= (uint8_t)(1u << at % 8);
            assert_refused(&fixture, WAL_ERROR_CORRUPT, SEGMENT_1, offset, lsn);
            segment[offset + at] ^= (uint8_t)(1u << at % 8);
        }
        lsn += sizes[i];
    }
    wal_fixture_open_ok(&fixture);
    wal_fixture_deinit(&fixture);
}

static void test_sealed_tail(void **state) {
    (void)state;
    struct wal_fixture fixture;
    wal_fixture_init(&fixture);
    wal_fixture_open_ok(&fixture);
    (void)wal_fixture_block(&fixture, 100);
    (void)wal_fixture_block(&fixture, 200);
    wal_fixture_stop(&fixture);
    uint64_t offset;
    uint32_t bytes;
    uint64_t size;
    uint8_t *segment = wal_fixture_segment(fixture.disk, 1, &size);
    wal_fixture_find_block(fixture.disk, 1, 1, &offset, &bytes);
    segment[offset + 150] ^= 1;
    assert_refused(&fixture, WAL_ERROR_CORRUPT, SEGMENT_1, offset, 100);
    memset(segment + offset, 0, bytes);
    assert_refused(&fixture, WAL_ERROR_CORRUPT, SEGMENT_1, offset, 100);
    wal_fixture_deinit(&fixture);

    /* A torn seal costs nothing. */
    wal_fixture_init(&fixture);
    wal_fixture_open_ok(&fixture);
    (void)wal_fixture_block(&fixture, 100);
    wal_fixture_stop(&fixture);
    segment = wal_fixture_segment(fixture.disk, 1, &size);
    wal_fixture_find_block(fixture.disk, 1, 1, &offset, &bytes);
    segment[offset + 2000] ^= 1;
    wal_fixture_open_ok(&fixture);
    assert_int_equal(fixture.recovery.end_lsn, 100);
    assert_true(fixture.recovery.torn);
    wal_fixture_deinit(&fixture);
}

/* The last block of an epoch is witnessed by the next epoch's segment, even by an empty one. */
static void test_earlier_epoch_damaged(void **state) {
    (void)state;
    struct wal_fixture fixture;
    wal_fixture_init(&fixture);
    static const uint32_t sizes[] = {100, 200};
    (void)write_blocks(&fixture, sizes, 2);
    wal_fixture_open_ok(&fixture);
    wal_fixture_kill(&fixture);
    uint64_t offset;
    uint32_t bytes;
    uint64_t size;
    wal_fixture_find_block(fixture.disk, 1, 1, &offset, &bytes);
    wal_fixture_segment(fixture.disk, 1, &size)[offset + 90] ^= 4;
    assert_refused(&fixture, WAL_ERROR_CORRUPT, SEGMENT_1, offset, 100);
    wal_fixture_deinit(&fixture);
}

static void test_witness(void **state) {
    (void)state;
    struct wal_fixture fixture;
    wal_fixture_init(&fixture);
    fixture.options.witness_lsn = 1;
    assert_int_equal(wal_fixture_open(&fixture), -WAL_ERROR_MISSING);
    fixture.options.witness_lsn = 0;
    static const uint32_t sizes[] = {100, 200};
    (void)write_blocks(&fixture, sizes, 2);
    fixture.options.witness_lsn = 301;
    assert_refused(&fixture, WAL_ERROR_CORRUPT, SEGMENT_1, 4096 * 3, 300);
    fixture.options.witness_lsn = 300;
    wal_fixture_open_ok(&fixture);
    wal_fixture_deinit(&fixture);
}

/* A good header where the log ends, of a block that is not whole: torn, or proof of more? */
static void test_header_at_the_end(void **state) {
    (void)state;
    static const struct {
        uint64_t epoch, first_lsn, durable_lsn, chain_xor;
        uint32_t record_bytes;
        bool whole, torn;
    } table[] = {
        {1, 100, 100, 0, 30, false, true},
        {1, 100, 0, 0, 30, false, true},
        {1, 100, 100, 1, 30, false, false}, /* follows another block */
        {1, 100, 100, 1, 30, true, false},
        {2, 100, 100, 0, 30, false, false}, /* of an epoch that has no segment */
        {2, 100, 100, 0, 30, true, false},
        {1, 500, 100, 0, 30, false, false}, /* what was before it is lost */
        {1, 500, 500, 0, 30, true, false},
        {1, 50, 50, 0, 30, true, false},
        {1, 100, 100, 0, 7, true, false}, /* sound, but 30 bytes are not one record of 7 */
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct wal_fixture fixture;
        wal_fixture_init(&fixture);
        static const uint32_t sizes[] = {100};
        (void)write_blocks(&fixture, sizes, 1);
        uint64_t size;
        uint8_t *segment = wal_fixture_segment(fixture.disk, 1, &size);
        struct segment_header header;
        uint32_t version;
        assert_int_equal(segment_decode(segment, &header, &version), SEGMENT_USED);
        uint64_t seed = segment_seed(header.log_id);
        struct block_header before;
        assert_true(block_decode_header(segment + 4096, size - 4096, seed, &before));
        struct block_header block = {
            .record_count = 1,
            .body_bytes = 30,
            .epoch = table[i].epoch,
            .first_lsn = table[i].first_lsn,
            .durable_lsn = table[i].durable_lsn,
            .chain = before.checksum ^ table[i].chain_xor,
        };
        bytes_put_u32(segment + 8192 + BLOCK_HEADER_BYTES, table[i].record_bytes);
        block.body_checksum = block_seal_body(segment + 8192, 30, seed) + !table[i].whole;
        block_encode_header(&block, seed, segment + 8192);
        if (table[i].torn) {
            wal_fixture_open_ok(&fixture);
            assert_true(fixture.recovery.torn);
            assert_int_equal(fixture.recovery.end_lsn, 100);
        } else {
            assert_refused(&fixture, WAL_ERROR_CORRUPT, SEGMENT_1, 8192, 100);
        }
        wal_fixture_deinit(&fixture);
    }
}

/* The header's durable LSN is a witness too. The encoder refuses to make one, so by hand. */
static void test_durable_witness(void **state) {
    (void)state;
    struct wal_fixture fixture;
    wal_fixture_init(&fixture);
    static const uint32_t sizes[] = {100, 50};
    (void)write_blocks(&fixture, sizes, 2);
    uint64_t size;
    uint8_t *segment = wal_fixture_segment(fixture.disk, 1, &size);
    struct segment_header header;
    uint32_t version;
    assert_int_equal(segment_decode(segment, &header, &version), SEGMENT_USED);
    uint64_t seed = segment_seed(header.log_id);
    bytes_put_u64(segment + 8192 + 48, 101);
    bytes_put_u64(segment + 8192 + 72, hash_64(segment + 8192, 72, seed));
    assert_refused(&fixture, WAL_ERROR_CORRUPT, SEGMENT_1, 8192, 100);
    segment[8192 + 90] ^= 1; /* also when its body is torn */
    assert_refused(&fixture, WAL_ERROR_CORRUPT, SEGMENT_1, 8192, 100);
    wal_fixture_deinit(&fixture);
}

/* More bytes behind the end than one write can have left. */
static void test_garbage_beyond_one_block(void **state) {
    (void)state;
    static const struct {
        uint64_t segment_bytes, at;
        bool torn;
    } table[] = {
        {4u << 20, 8192 + WAL_BLOCK_BYTES_MAX - 1, true},
        {4u << 20, 8192 + WAL_BLOCK_BYTES_MAX, false},
        {4u << 20, (4u << 20) - 1, false},
        {256u << 10, (256u << 10) - 1, true},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct wal_fixture fixture;
        wal_fixture_init(&fixture);
        fixture.options.segment_bytes = table[i].segment_bytes;
        static const uint32_t sizes[] = {100};
        (void)write_blocks(&fixture, sizes, 1);
        uint64_t size;
        wal_fixture_segment(fixture.disk, 1, &size)[table[i].at] = 1;
        if (table[i].torn) {
            wal_fixture_open_ok(&fixture);
            assert_true(fixture.recovery.torn);
        } else {
            assert_refused(&fixture, WAL_ERROR_CORRUPT, SEGMENT_1, 8192, 100);
        }
        wal_fixture_deinit(&fixture);
    }
}

static void test_two_torn_epochs(void **state) {
    (void)state;
    struct wal_fixture fixture;
    wal_fixture_init(&fixture);
    uint64_t lsn = 0;
    for (uint64_t epoch = 1; epoch <= 4; epoch++) {
        wal_fixture_open_ok(&fixture);
        assert_int_equal(fixture.recovery.end_lsn, lsn);
        if (epoch == 1) lsn = wal_fixture_block(&fixture, 100);
        /* The first block after the header is torn in epochs 2, 3 and 4. */
        (void)wal_fixture_append(&fixture, 3000);
        fixture.next_number--;
        storage_memory_hold(fixture.disk, true);
        assert_int_equal(wal_writer_step(fixture.wal, false), 0);
        assert_true(storage_memory_crash(fixture.disk, epoch));
        wal_fixture_kill(&fixture);
        uint64_t size;
        uint8_t *segment = wal_fixture_segment(fixture.disk, epoch, &size);
        uint64_t offset = epoch == 1 ? 8192 : 4096;
        memset(segment + offset, 0, 512); /* torn for sure: no header, */
        segment[offset + 600] = 1;        /* but not empty */
    }
    wal_fixture_open_ok(&fixture);
    assert_int_equal(fixture.recovery.end_lsn, 100);
    assert_int_equal(fixture.recovery.torn_tails, 4);
    assert_int_equal(fixture.recovery.epochs, 4);
    lsn = wal_fixture_block(&fixture, 50);
    assert_int_equal(wal_fixture_read_all(fixture.disk, lsn), 2);
    wal_fixture_deinit(&fixture);
}

/* A block that could not be read when the log was cut, and can be read later. */
static void test_cut_overrules_sound_block(void **state) {
    (void)state;
    struct wal_fixture fixture;
    wal_fixture_init(&fixture);
    static const uint32_t sizes[] = {100, 200, 300};
    (void)write_blocks(&fixture, sizes, 3);
    uint64_t size;
    uint8_t *segment = wal_fixture_segment(fixture.disk, 1, &size);
    uint8_t saved[4096];
    memcpy(saved, segment + 4096 * 3, 4096);
    memset(segment + 4096 * 3, 0, 4096);
    wal_fixture_open_ok(&fixture);
    assert_int_equal(fixture.recovery.end_lsn, 300);
    fixture.next_number = 2;
    uint64_t lsn = wal_fixture_block(&fixture, 400);
    wal_fixture_kill(&fixture);
    memcpy(segment + 4096 * 3, saved, 4096);
    wal_fixture_open_ok(&fixture);
    assert_int_equal(fixture.recovery.end_lsn, lsn);
    assert_int_equal(fixture.recovery.torn_tails, 1);
    assert_int_equal(wal_fixture_read_all(fixture.disk, lsn), 3);
    wal_fixture_deinit(&fixture);
}

/* Three segments of one epoch. */
static void write_three(struct wal_fixture *fixture) {
    wal_fixture_init(fixture);
    fixture->options.segment_bytes = WAL_SEGMENT_BYTES_MIN;
    wal_fixture_open_ok(fixture);
    while (true) {
        (void)wal_fixture_block(fixture, 3000);
        struct wal_stats stats;
        wal_stats_get(fixture->wal, &stats);
        if (stats.segments == 3) break;
    }
    wal_fixture_kill(fixture);
    /* 15 blocks fit a segment of 16 pages. */
    assert_int_equal(fixture->next_number, 31);
}

static void test_segments_refused(void **state) {
    (void)state;
    struct wal_fixture fixture;
    struct wal_fixture other;
    write_three(&fixture);
    wal_fixture_init(&other);
    other.entropy = (struct random){99};
    other.options.segment_bytes = WAL_SEGMENT_BYTES_MIN;
    wal_fixture_open_ok(&other);
    wal_fixture_kill(&other);
    const uint64_t size = WAL_SEGMENT_BYTES_MIN;
    uint64_t ignored;
    struct wal_fixture copy;

    use_clone(&fixture, fixture.disk, &copy); /* missing */
    assert_true(storage_memory_remove(copy.disk, SEGMENT_2));
    assert_refused(&copy, WAL_ERROR_MISSING, SEGMENT_2, 0, 0);
    wal_fixture_deinit(&copy);

    use_clone(&fixture, fixture.disk, &copy); /* foreign */
    uint8_t *foreign = wal_fixture_segment(other.disk, 1, &ignored);
    struct segment_header header;
    uint32_t version;
    assert_int_equal(segment_decode(foreign, &header, &version), SEGMENT_USED);
    header.number = 2;
    segment_encode(&header, foreign);
    assert_int_equal(storage_memory_put(copy.disk, SEGMENT_2, foreign, size), 0);
    assert_refused(&copy, WAL_ERROR_FOREIGN, SEGMENT_2, 0, 0);
    wal_fixture_deinit(&copy);

    use_clone(&fixture, fixture.disk, &copy); /* copied over another */
    assert_int_equal(storage_memory_put(copy.disk, SEGMENT_3,
                                        wal_fixture_segment(fixture.disk, 2, &ignored), size),
                     0);
    assert_refused(&copy, WAL_ERROR_FOREIGN, SEGMENT_3, 0, 0);
    wal_fixture_deinit(&copy);

    use_clone(&fixture, fixture.disk, &copy); /* cut short */
    assert_int_equal(storage_memory_put(copy.disk, SEGMENT_2,
                                        wal_fixture_segment(fixture.disk, 2, &ignored), 8192),
                     0);
    assert_refused(&copy, WAL_ERROR_CORRUPT, SEGMENT_2, 8192, 45000);
    wal_fixture_deinit(&copy);

    use_clone(&fixture, fixture.disk, &copy); /* shorter than any segment */
    assert_int_equal(storage_memory_put(copy.disk, SEGMENT_3, foreign, 100), 0);
    assert_refused(&copy, WAL_ERROR_CORRUPT, SEGMENT_3, 0, 0);
    wal_fixture_deinit(&copy);

    fixture.options.account_partitions = 17;
    assert_refused(&fixture, WAL_ERROR_PARTITIONS, SEGMENT_1, 0, 0);
    wal_fixture_deinit(&fixture);
    wal_fixture_deinit(&other);
}

static void test_unknown_version(void **state) {
    (void)state;
    struct wal_fixture fixture;
    write_three(&fixture);
    uint64_t size;
    uint8_t *segment = wal_fixture_segment(fixture.disk, 3, &size);
    /* Version 2, with a checksum that is right: of a page whose last 8 bytes it is. */
    segment[8] = 2;
    assert_refused(&fixture, WAL_ERROR_CORRUPT, SEGMENT_3, 0, 0); /* the checksum is not */
    bytes_put_u64(segment + 4088, hash_64(segment, 4088, 0));
    assert_refused(&fixture, WAL_ERROR_VERSION, SEGMENT_3, 0, 0);
    assert_non_null(strstr(fixture.error.text, "version 2"));
    wal_fixture_deinit(&fixture);
}

static void test_header_damage(void **state) {
    (void)state;
    for (uint64_t number = 1; number <= 3; number++) {
        for (uint32_t at = 0; at < SEGMENT_HEADER_BYTES; at += 100) {
            struct wal_fixture fixture;
            write_three(&fixture);
            uint64_t size;
            wal_fixture_segment(fixture.disk, number, &size)[at] ^= 16;
            char name[WAL_FILE_NAME_BYTES];
            segment_name(number, name);
            assert_refused(&fixture, WAL_ERROR_CORRUPT, name, 0, 0);
            wal_fixture_deinit(&fixture);
        }
    }
}

/* What a crash between making a segment and using it leaves behind. */
static void test_unused_segments(void **state) {
    (void)state;
    static const struct {
        uint64_t bytes;
        bool header_torn;
    } table[] = {
        {WAL_SEGMENT_BYTES_MIN, false},
        {WAL_SEGMENT_BYTES_MIN, true},
        {WAL_SEGMENT_BYTES_MIN * 2, false}, /* made with other options */
        {WAL_SEGMENT_BYTES_MIN * 2, true},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct wal_fixture fixture;
        write_three(&fixture);
        uint8_t *bytes = calloc(1, table[i].bytes);
        assert_non_null(bytes);
        if (table[i].header_torn) memcpy(bytes, "USHERSEG", 8);
        assert_int_equal(
            storage_memory_put(fixture.disk, "wal-0000000000000004.seg", bytes, table[i].bytes), 0);
        free(bytes);
        assert_int_equal(storage_memory_put(fixture.disk, "wal-0000000000000005.seg.tmp",
                                            (const uint8_t *)"x", 1),
                         0);
        wal_fixture_open_ok(&fixture);
        assert_int_equal(fixture.recovery.end_lsn, 93000);
        assert_int_equal(fixture.recovery.next_number, 4);
        uint64_t lsn = wal_fixture_block(&fixture, 77);
        uint64_t size;
        (void)wal_fixture_segment(fixture.disk, 4, &size);
        assert_int_equal(size, WAL_SEGMENT_BYTES_MIN);
        wal_fixture_kill(&fixture);
        wal_fixture_open_ok(&fixture);
        assert_int_equal(fixture.recovery.end_lsn, lsn);
        assert_int_equal(wal_fixture_read_all(fixture.disk, lsn), 32);
        wal_fixture_deinit(&fixture);
    }
    /* Not a leftover: a header that is gone, but blocks. */
    struct wal_fixture fixture;
    write_three(&fixture);
    uint64_t size;
    memset(wal_fixture_segment(fixture.disk, 3, &size), 0, SEGMENT_HEADER_BYTES);
    assert_refused(&fixture, WAL_ERROR_CORRUPT, SEGMENT_3, 0, 0);
    wal_fixture_deinit(&fixture);
}

static void test_reader_seek(void **state) {
    (void)state;
    struct wal_fixture fixture;
    struct wal_reader *reader;
    struct wal_record record;
    write_three(&fixture);
    for (uint64_t number = 0; number <= 31; number++) {
        assert_int_equal(wal_reader_open(fixture.disk, number * 3000, &reader, &fixture.error), 0);
        assert_int_equal(wal_reader_lsn(reader), number * 3000);
        if (number < 31) {
            assert_int_equal(wal_reader_next(reader, number * 3000 + 2999, &record, &fixture.error),
                             WAL_READER_CAUGHT_UP);
            assert_int_equal(wal_reader_next(reader, number * 3000 + 3000, &record, &fixture.error),
                             0);
            assert_true(wal_fixture_record_good(&record, number));
            assert_int_equal(record.wall_ms, fixture.now_ms);
        } else {
            assert_int_equal(wal_reader_next(reader, WAL_READER_NO_LIMIT, &record, &fixture.error),
                             WAL_READER_CAUGHT_UP);
            assert_int_equal(wal_reader_next(reader, 93001, &record, &fixture.error),
                             -WAL_ERROR_CORRUPT);
            assert_int_equal(fixture.error.lsn, 93000);
        }
        wal_reader_close(reader);
    }
    assert_int_equal(wal_reader_open(fixture.disk, 4000, &reader, &fixture.error), -WAL_ERROR_LSN);
    assert_int_equal(wal_reader_open(fixture.disk, 93001, &reader, &fixture.error), -WAL_ERROR_LSN);
    /* The oldest segment was deleted: fine, but not for who needs it. */
    assert_true(storage_memory_remove(fixture.disk, SEGMENT_1));
    assert_int_equal(wal_reader_open(fixture.disk, 44999, &reader, &fixture.error),
                     -WAL_ERROR_MISSING);
    assert_int_equal(wal_reader_open(fixture.disk, 45000, &reader, &fixture.error), 0);
    wal_reader_close(reader);
    wal_fixture_open_ok(&fixture);
    assert_int_equal(fixture.recovery.first_lsn, 45000);
    assert_int_equal(fixture.recovery.end_lsn, 93000);
    wal_fixture_deinit(&fixture);
}

static void test_reader_tails(void **state) {
    (void)state;
    struct wal_fixture fixture;
    struct wal_reader *reader;
    struct wal_record record;
    wal_fixture_init(&fixture);
    fixture.options.segment_bytes = WAL_SEGMENT_BYTES_MIN;
    assert_int_equal(wal_reader_open(fixture.disk, 0, &reader, &fixture.error), 0); /* no log yet */
    assert_int_equal(wal_reader_next(reader, WAL_READER_NO_LIMIT, &record, &fixture.error),
                     WAL_READER_CAUGHT_UP);
    wal_fixture_open_ok(&fixture);
    struct random random = {random_seed(3)};
    uint64_t read = 0;
    for (int i = 0; i < 500; i++) {
        uint64_t records = random_below(&random, 8);
        for (uint64_t j = 0; j < records; j++) {
            (void)wal_fixture_append(&fixture, 20 + random_index(&random, 2000));
        }
        fixture.now_ms += random_below(&random, 400); /* seals now and then */
        wal_fixture_settle(&fixture);
        int rc;
        while ((rc = wal_reader_next(reader, wal_durable_lsn(fixture.wal), &record,
                                     &fixture.error)) == 0) {
            assert_true(wal_fixture_record_good(&record, read++));
        }
        assert_int_equal(rc, WAL_READER_CAUGHT_UP);
        assert_int_equal(read, fixture.next_number);
    }
    wal_reader_close(reader);
    wal_fixture_deinit(&fixture);
}

static uint64_t progress_calls;
static void count_progress(void *context, uint64_t done, uint64_t total) {
    (void)context;
    assert_int_equal(done, ++progress_calls);
    assert_int_equal(total, 3);
}

static void test_verify(void **state) {
    (void)state;
    struct wal_fixture fixture;
    write_three(&fixture);
    progress_calls = 0;
    struct wal_recovery found;
    assert_int_equal(wal_verify(fixture.disk, count_progress, NULL, &found, &fixture.error), 0);
    assert_int_equal(progress_calls, 3);
    assert_int_equal(found.segments, 3);
    assert_int_equal(found.blocks, 31);
    assert_int_equal(found.records, 31);
    assert_int_equal(found.first_lsn, 0);
    assert_int_equal(found.end_lsn, 93000);
    assert_int_equal(found.epochs, 1);
    /* Beside an engine that has the lock. */
    wal_fixture_open_ok(&fixture);
    (void)wal_fixture_block(&fixture, 100);
    assert_int_equal(wal_verify(fixture.disk, NULL, NULL, &found, &fixture.error), 0);
    assert_int_equal(found.end_lsn, 93100);
    assert_int_equal(found.epochs, 2);
    uint64_t size;
    wal_fixture_segment(fixture.disk, 2, &size)[4096 * 5 + 99] ^= 1;
    assert_int_equal(wal_verify(fixture.disk, NULL, NULL, &found, &fixture.error),
                     -WAL_ERROR_CORRUPT);
    assert_int_equal(fixture.error.offset, 4096 * 5);
    assert_int_equal(fixture.error.lsn, 45000 + 4 * 3000);
    wal_fixture_deinit(&fixture);
}

static void test_trim(void **state) {
    (void)state;
    static const struct {
        uint64_t keep_lsn;
        uint64_t removed;
    } table[] = {{0, 0}, {44999, 0}, {45000, 1}, {89999, 1}, {90000, 2}, {UINT64_MAX, 2}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct wal_fixture fixture;
        write_three(&fixture);
        uint8_t zeros[4096] = {0}; /* a prepared segment is not a reason to delete the last */
        assert_int_equal(
            storage_memory_put(fixture.disk, "wal-0000000000000004.seg", zeros, sizeof zeros), 0);
        uint64_t removed = 77;
        assert_int_equal(wal_trim(fixture.disk, table[i].keep_lsn, &removed, &fixture.error), 0);
        assert_int_equal(removed, table[i].removed);
        wal_fixture_open_ok(&fixture);
        assert_int_equal(fixture.recovery.first_lsn, removed * 45000);
        assert_int_equal(fixture.recovery.end_lsn, 93000);
        wal_fixture_deinit(&fixture);
    }
}

/* A disk whose log grows between two reads of somebody else. */
struct growing {
    struct storage storage;
    struct storage_operations operations;
    struct wal_fixture *fixture;
    int reads_left; /* until it grows */
};

static int growing_read(struct storage *storage, int handle, uint64_t offset, uint8_t *buffer,
                        uint32_t bytes) {
    struct growing *growing = (struct growing *)storage;
    struct storage *disk = growing->fixture->disk;
    int rc = disk->operations->read(disk, handle, offset, buffer, bytes);
    if (growing->reads_left-- == 0) {
        for (int i = 0; i < 800; i++) {
            (void)wal_fixture_append(growing->fixture, 4000);
            if (i % 100 == 99) wal_fixture_settle(growing->fixture);
        }
    }
    return rc;
}

static int growing_list(struct storage *storage, void (*visit)(void *context, const char *name),
                        void *context) {
    struct storage *disk = ((struct growing *)storage)->fixture->disk;
    return disk->operations->list(disk, visit, context);
}

static int growing_open(struct storage *storage, const char *name, bool writable) {
    struct storage *disk = ((struct growing *)storage)->fixture->disk;
    return disk->operations->open(disk, name, writable);
}

static void growing_close(struct storage *storage, int handle) {
    struct storage *disk = ((struct growing *)storage)->fixture->disk;
    disk->operations->close(disk, handle);
}

static int growing_size(struct storage *storage, int handle, uint64_t *ret_bytes) {
    struct storage *disk = ((struct growing *)storage)->fixture->disk;
    return disk->operations->size(disk, handle, ret_bytes);
}

static int assert_undamaged(void *context, const struct wal_segment_info *info) {
    (void)context;
    if (info->state >= WAL_SEGMENT_DAMAGED) fail_msg("%s: %s", info->name, info->proof);
    return 0;
}

/* Verify beside a writer must not cry wolf, whatever is written between which reads. */
static void test_verify_while_growing(void **state) {
    (void)state;
    for (int reads = 0; reads < 28; reads++) {
        for (int blocks = 0; blocks < 3; blocks++) {
            struct wal_fixture fixture;
            wal_fixture_init(&fixture);
            fixture.options.segment_bytes = blocks == 2 ? 1u << 20 : 4u << 20;
            wal_fixture_open_ok(&fixture);
            (void)wal_prepare_step(fixture.wal); /* an unused segment to look at */
            for (int i = 0; i < blocks; i++) (void)wal_fixture_block(&fixture, 4000);
            uint64_t durable = wal_durable_lsn(fixture.wal);
            struct growing growing = {
                .operations = {.list = growing_list,
                               .open = growing_open,
                               .close = growing_close,
                               .size = growing_size,
                               .read = growing_read},
                .fixture = &fixture,
                .reads_left = reads / 2,
            };
            growing.storage.operations = &growing.operations;
            struct wal_recovery found = {.end_lsn = durable};
            if (reads % 2 == 1) {
                assert_int_equal(
                    wal_inspect(&growing.storage, assert_undamaged, NULL, &fixture.error), 0);
            } else if (wal_verify(&growing.storage, NULL, NULL, &found, &fixture.error) != 0) {
                fail_msg("reads %d blocks %d: %s", reads, blocks, fixture.error.text);
            }
            assert_true(found.end_lsn >= durable);
            wal_fixture_deinit(&fixture);
        }
    }
}

static void test_recover_from(void **state) {
    (void)state;
    struct wal_fixture fixture;
    write_three(&fixture);
    static const struct {
        uint64_t from;
        uint64_t segments;
    } table[] = {{0, 3}, {44999, 3}, {45000, 2}, {60000, 2}, {90000, 1}, {93000, 1}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct wal_recovery_options options = {.from_lsn = table[i].from};
        struct wal_recovery found;
        assert_int_equal(wal_recover(fixture.disk, &options, &found, &fixture.error), 0);
        assert_int_equal(found.segments, table[i].segments);
        assert_int_equal(found.end_lsn, 93000);
        assert_int_equal(found.first_lsn, 0);
    }
    wal_fixture_deinit(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_torn_at_every_sector),
        cmocka_unit_test(test_damage_is_corruption),
        cmocka_unit_test(test_sealed_tail),
        cmocka_unit_test(test_earlier_epoch_damaged),
        cmocka_unit_test(test_witness),
        cmocka_unit_test(test_header_at_the_end),
        cmocka_unit_test(test_durable_witness),
        cmocka_unit_test(test_garbage_beyond_one_block),
        cmocka_unit_test(test_two_torn_epochs),
        cmocka_unit_test(test_cut_overrules_sound_block),
        cmocka_unit_test(test_segments_refused),
        cmocka_unit_test(test_unknown_version),
        cmocka_unit_test(test_header_damage),
        cmocka_unit_test(test_unused_segments),
        cmocka_unit_test(test_reader_seek),
        cmocka_unit_test(test_reader_tails),
        cmocka_unit_test(test_verify),
        cmocka_unit_test(test_trim),
        cmocka_unit_test(test_verify_while_growing),
        cmocka_unit_test(test_recover_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
