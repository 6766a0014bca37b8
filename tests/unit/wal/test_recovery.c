/* test_recovery.c - torn tails are cut, everything else is refused and named exactly */
#include "harness.h"

#include "engine/base/hash.h"
#include "wal/block.h"
#include "wal/bytes.h"
#include "wal/inspect.h"
#include "wal/trim.h"

#include <stdlib.h>
#include <string.h>

/* A log of blocks of one record each, died without a seal. */
static uint64_t write_blocks(struct harness *harness, const uint32_t *sizes, size_t count) {
    uint64_t lsn = 0;
    harness_open_ok(harness);
    for (size_t i = 0; i < count; i++) lsn = harness_block(harness, sizes[i]);
    harness_kill(harness);
    return lsn;
}

/* The same, and the last block has many records: 12 KiB and more. */
static uint64_t write_big_tail(struct harness *harness, uint64_t *ret_before) {
    harness_open_ok(harness);
    (void)harness_block(harness, 100);
    *ret_before = harness_block(harness, 4096);
    uint64_t lsn = 0;
    for (int i = 0; i < 12; i++) lsn = harness_append(harness, 1000);
    harness_settle(harness);
    assert_int_equal(wal_durable_lsn(harness->wal), lsn);
    harness_kill(harness);
    return lsn;
}

static void use_clone(struct harness *harness, struct storage *disk, struct harness *ret_copy) {
    *ret_copy = *harness;
    ret_copy->options.callback_context = ret_copy;
    ret_copy->options.clock.context = ret_copy;
    ret_copy->options.entropy.context = ret_copy;
    assert_int_equal(storage_memory_clone(disk, &ret_copy->disk), 0);
}

/* Opening must be refused, with exactly this, and must not touch the disk. */
static void assert_refused(struct harness *harness, int code, const char *file, uint64_t offset,
                           uint64_t lsn) {
    struct storage *before;
    assert_int_equal(storage_memory_clone(harness->disk, &before), 0);
    assert_int_equal(harness_open(harness), -code);
    assert_int_equal(harness->error.code, code);
    assert_string_equal(harness->error.file, file);
    assert_int_equal(harness->error.offset, offset);
    assert_int_equal(harness->error.lsn, lsn);
    assert_true(strlen(harness->error.text) > 20);
    for (uint64_t number = 1; number < 20; number++) {
        char name[WAL_FILE_NAME_BYTES];
        segment_name(number, name);
        uint64_t size_before = 0;
        uint64_t size_after = 0;
        const uint8_t *old = storage_memory_bytes(before, name, &size_before);
        const uint8_t *now = storage_memory_bytes(harness->disk, name, &size_after);
        assert_int_equal(old == NULL, now == NULL);
        assert_int_equal(size_before, size_after);
        assert_true(old == NULL || memcmp(old, now, size_before) == 0);
    }
    before->operations->destroy(before);
}

#define SEGMENT_1 "wal-0000000000000001.seg"
#define SEGMENT_2 "wal-0000000000000002.seg"
#define SEGMENT_3 "wal-0000000000000003.seg"

static void check_torn(struct harness *harness, uint64_t before, uint64_t offset, bool torn) {
    harness_open_ok(harness);
    assert_int_equal(harness->recovery.end_lsn, before);
    assert_int_equal(harness->recovery.torn, torn);
    if (torn) {
        assert_string_equal(harness->recovery.torn_file, SEGMENT_1);
        assert_int_equal(harness->recovery.torn_offset, offset);
    }
    /* The log goes on at the cut, and the torn bytes are never seen again. */
    harness->next_number = 2;
    uint64_t lsn = harness_block(harness, 700);
    assert_int_equal(lsn, before + 700);
    harness_kill(harness);
    harness_open_ok(harness);
    assert_int_equal(harness->recovery.end_lsn, lsn);
    assert_int_equal(harness->recovery.torn_tails, torn);
    assert_int_equal(harness_read_all(harness->disk, lsn), 3);
    harness_kill(harness);
}

static void test_torn_at_every_sector(void **state) {
    (void)state;
    struct harness harness;
    harness_init(&harness);
    uint64_t before;
    (void)write_big_tail(&harness, &before);
    uint64_t offset;
    uint32_t bytes;
    harness_find_block(harness.disk, 1, 2, &offset, &bytes);
    assert_true(bytes >= 3 * 4096);
    for (uint32_t cut = 0; cut < bytes; cut += STORAGE_MEMORY_SECTOR_BYTES) {
        for (int side = 0; side < 2; side++) {
            struct harness copy;
            uint64_t size;
            use_clone(&harness, harness.disk, &copy);
            uint8_t *block = harness_segment(copy.disk, 1, &size) + offset;
            if (side == 0) {
                memset(block + cut, 0, bytes - cut); /* the first sectors landed */
            } else {
                memset(block, 0, cut + STORAGE_MEMORY_SECTOR_BYTES); /* the last ones */
            }
            check_torn(&copy, before, offset, !bytes_all_zero(block, bytes));
            harness_deinit(&copy);
        }
    }
    harness_deinit(&harness);
}

static void test_damage_is_corruption(void **state) {
    (void)state;
    struct harness harness;
    harness_init(&harness);
    static const uint32_t sizes[] = {100, 4000, 4096, 20, 4096, 33};
    (void)write_blocks(&harness, sizes, 6);
    uint64_t lsn = 0;
    for (uint32_t i = 0; i < 5; i++) {
        uint64_t offset;
        uint32_t bytes;
        harness_find_block(harness.disk, 1, i, &offset, &bytes);
        for (uint32_t at = 0; at < bytes; at += at < BLOCK_HEADER_BYTES ? 1 : 251) {
            uint64_t size;
            uint8_t *segment = harness_segment(harness.disk, 1, &size);
            segment[offset + at] ^= (uint8_t)(1u << at % 8);
            assert_refused(&harness, WAL_ERROR_CORRUPT, SEGMENT_1, offset, lsn);
            segment[offset + at] ^= (uint8_t)(1u << at % 8);
        }
        lsn += sizes[i];
    }
    harness_open_ok(&harness);
    harness_deinit(&harness);
}

static void test_sealed_tail(void **state) {
    (void)state;
    struct harness harness;
    harness_init(&harness);
    harness_open_ok(&harness);
    (void)harness_block(&harness, 100);
    (void)harness_block(&harness, 200);
    harness_stop(&harness);
    uint64_t offset;
    uint32_t bytes;
    uint64_t size;
    uint8_t *segment = harness_segment(harness.disk, 1, &size);
    harness_find_block(harness.disk, 1, 1, &offset, &bytes);
    segment[offset + 150] ^= 1;
    assert_refused(&harness, WAL_ERROR_CORRUPT, SEGMENT_1, offset, 100);
    memset(segment + offset, 0, bytes);
    assert_refused(&harness, WAL_ERROR_CORRUPT, SEGMENT_1, offset, 100);
    harness_deinit(&harness);

    /* A torn seal costs nothing. */
    harness_init(&harness);
    harness_open_ok(&harness);
    (void)harness_block(&harness, 100);
    harness_stop(&harness);
    segment = harness_segment(harness.disk, 1, &size);
    harness_find_block(harness.disk, 1, 1, &offset, &bytes);
    segment[offset + 2000] ^= 1;
    harness_open_ok(&harness);
    assert_int_equal(harness.recovery.end_lsn, 100);
    assert_true(harness.recovery.torn);
    harness_deinit(&harness);
}

/* The last block of an epoch is witnessed by the next epoch's segment, even by an empty one. */
static void test_earlier_epoch_damaged(void **state) {
    (void)state;
    struct harness harness;
    harness_init(&harness);
    static const uint32_t sizes[] = {100, 200};
    (void)write_blocks(&harness, sizes, 2);
    harness_open_ok(&harness);
    harness_kill(&harness);
    uint64_t offset;
    uint32_t bytes;
    uint64_t size;
    harness_find_block(harness.disk, 1, 1, &offset, &bytes);
    harness_segment(harness.disk, 1, &size)[offset + 90] ^= 4;
    assert_refused(&harness, WAL_ERROR_CORRUPT, SEGMENT_1, offset, 100);
    harness_deinit(&harness);
}

static void test_witness(void **state) {
    (void)state;
    struct harness harness;
    harness_init(&harness);
    harness.options.witness_lsn = 1;
    assert_int_equal(harness_open(&harness), -WAL_ERROR_MISSING);
    harness.options.witness_lsn = 0;
    static const uint32_t sizes[] = {100, 200};
    (void)write_blocks(&harness, sizes, 2);
    harness.options.witness_lsn = 301;
    assert_refused(&harness, WAL_ERROR_CORRUPT, SEGMENT_1, 4096 * 3, 300);
    harness.options.witness_lsn = 300;
    harness_open_ok(&harness);
    harness_deinit(&harness);
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
        struct harness harness;
        harness_init(&harness);
        static const uint32_t sizes[] = {100};
        (void)write_blocks(&harness, sizes, 1);
        uint64_t size;
        uint8_t *segment = harness_segment(harness.disk, 1, &size);
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
            harness_open_ok(&harness);
            assert_true(harness.recovery.torn);
            assert_int_equal(harness.recovery.end_lsn, 100);
        } else {
            assert_refused(&harness, WAL_ERROR_CORRUPT, SEGMENT_1, 8192, 100);
        }
        harness_deinit(&harness);
    }
}

/* The header's durable LSN is a witness too. The encoder refuses to make one, so by hand. */
static void test_durable_witness(void **state) {
    (void)state;
    struct harness harness;
    harness_init(&harness);
    static const uint32_t sizes[] = {100, 50};
    (void)write_blocks(&harness, sizes, 2);
    uint64_t size;
    uint8_t *segment = harness_segment(harness.disk, 1, &size);
    struct segment_header header;
    uint32_t version;
    assert_int_equal(segment_decode(segment, &header, &version), SEGMENT_USED);
    uint64_t seed = segment_seed(header.log_id);
    bytes_put_u64(segment + 8192 + 48, 101);
    bytes_put_u64(segment + 8192 + 72, hash_64(segment + 8192, 72, seed));
    assert_refused(&harness, WAL_ERROR_CORRUPT, SEGMENT_1, 8192, 100);
    segment[8192 + 90] ^= 1; /* also when its body is torn */
    assert_refused(&harness, WAL_ERROR_CORRUPT, SEGMENT_1, 8192, 100);
    harness_deinit(&harness);
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
        struct harness harness;
        harness_init(&harness);
        harness.options.segment_bytes = table[i].segment_bytes;
        static const uint32_t sizes[] = {100};
        (void)write_blocks(&harness, sizes, 1);
        uint64_t size;
        harness_segment(harness.disk, 1, &size)[table[i].at] = 1;
        if (table[i].torn) {
            harness_open_ok(&harness);
            assert_true(harness.recovery.torn);
        } else {
            assert_refused(&harness, WAL_ERROR_CORRUPT, SEGMENT_1, 8192, 100);
        }
        harness_deinit(&harness);
    }
}

static void test_two_torn_epochs(void **state) {
    (void)state;
    struct harness harness;
    harness_init(&harness);
    uint64_t lsn = 0;
    for (uint64_t epoch = 1; epoch <= 4; epoch++) {
        harness_open_ok(&harness);
        assert_int_equal(harness.recovery.end_lsn, lsn);
        if (epoch == 1) lsn = harness_block(&harness, 100);
        /* The first block after the header is torn in epochs 2, 3 and 4. */
        (void)harness_append(&harness, 3000);
        harness.next_number--;
        storage_memory_hold(harness.disk, true);
        assert_int_equal(wal_writer_step(harness.wal, false), 0);
        assert_true(storage_memory_crash(harness.disk, epoch));
        harness_kill(&harness);
        uint64_t size;
        uint8_t *segment = harness_segment(harness.disk, epoch, &size);
        uint64_t offset = epoch == 1 ? 8192 : 4096;
        memset(segment + offset, 0, 512); /* torn for sure: no header, */
        segment[offset + 600] = 1;        /* but not empty */
    }
    harness_open_ok(&harness);
    assert_int_equal(harness.recovery.end_lsn, 100);
    assert_int_equal(harness.recovery.torn_tails, 4);
    assert_int_equal(harness.recovery.epochs, 4);
    lsn = harness_block(&harness, 50);
    assert_int_equal(harness_read_all(harness.disk, lsn), 2);
    harness_deinit(&harness);
}

/* A block that could not be read when the log was cut, and can be read later. */
static void test_cut_overrules_sound_block(void **state) {
    (void)state;
    struct harness harness;
    harness_init(&harness);
    static const uint32_t sizes[] = {100, 200, 300};
    (void)write_blocks(&harness, sizes, 3);
    uint64_t size;
    uint8_t *segment = harness_segment(harness.disk, 1, &size);
    uint8_t saved[4096];
    memcpy(saved, segment + 4096 * 3, 4096);
    memset(segment + 4096 * 3, 0, 4096);
    harness_open_ok(&harness);
    assert_int_equal(harness.recovery.end_lsn, 300);
    harness.next_number = 2;
    uint64_t lsn = harness_block(&harness, 400);
    harness_kill(&harness);
    memcpy(segment + 4096 * 3, saved, 4096);
    harness_open_ok(&harness);
    assert_int_equal(harness.recovery.end_lsn, lsn);
    assert_int_equal(harness.recovery.torn_tails, 1);
    assert_int_equal(harness_read_all(harness.disk, lsn), 3);
    harness_deinit(&harness);
}

/* Three segments of one epoch. */
static void write_three(struct harness *harness) {
    harness_init(harness);
    harness->options.segment_bytes = WAL_SEGMENT_BYTES_MIN;
    harness_open_ok(harness);
    while (true) {
        (void)harness_block(harness, 3000);
        struct wal_stats stats;
        wal_stats_get(harness->wal, &stats);
        if (stats.segments == 3) break;
    }
    harness_kill(harness);
    /* 15 blocks fit a segment of 16 pages. */
    assert_int_equal(harness->next_number, 31);
}

static void test_segments_refused(void **state) {
    (void)state;
    struct harness harness;
    struct harness other;
    write_three(&harness);
    harness_init(&other);
    other.entropy = (struct random){99};
    other.options.segment_bytes = WAL_SEGMENT_BYTES_MIN;
    harness_open_ok(&other);
    harness_kill(&other);
    const uint64_t size = WAL_SEGMENT_BYTES_MIN;
    uint64_t ignored;
    struct harness copy;

    use_clone(&harness, harness.disk, &copy); /* missing */
    assert_true(storage_memory_remove(copy.disk, SEGMENT_2));
    assert_refused(&copy, WAL_ERROR_MISSING, SEGMENT_2, 0, 0);
    harness_deinit(&copy);

    use_clone(&harness, harness.disk, &copy); /* foreign */
    uint8_t *foreign = harness_segment(other.disk, 1, &ignored);
    struct segment_header header;
    uint32_t version;
    assert_int_equal(segment_decode(foreign, &header, &version), SEGMENT_USED);
    header.number = 2;
    segment_encode(&header, foreign);
    assert_int_equal(storage_memory_put(copy.disk, SEGMENT_2, foreign, size), 0);
    assert_refused(&copy, WAL_ERROR_FOREIGN, SEGMENT_2, 0, 0);
    harness_deinit(&copy);

    use_clone(&harness, harness.disk, &copy); /* copied over another */
    assert_int_equal(
        storage_memory_put(copy.disk, SEGMENT_3, harness_segment(harness.disk, 2, &ignored), size),
        0);
    assert_refused(&copy, WAL_ERROR_FOREIGN, SEGMENT_3, 0, 0);
    harness_deinit(&copy);

    use_clone(&harness, harness.disk, &copy); /* cut short */
    assert_int_equal(
        storage_memory_put(copy.disk, SEGMENT_2, harness_segment(harness.disk, 2, &ignored), 8192),
        0);
    assert_refused(&copy, WAL_ERROR_CORRUPT, SEGMENT_2, 8192, 45000);
    harness_deinit(&copy);

    use_clone(&harness, harness.disk, &copy); /* shorter than any segment */
    assert_int_equal(storage_memory_put(copy.disk, SEGMENT_3, foreign, 100), 0);
    assert_refused(&copy, WAL_ERROR_CORRUPT, SEGMENT_3, 0, 0);
    harness_deinit(&copy);

    harness.options.account_partitions = 17;
    assert_refused(&harness, WAL_ERROR_PARTITIONS, SEGMENT_1, 0, 0);
    harness_deinit(&harness);
    harness_deinit(&other);
}

static void test_unknown_version(void **state) {
    (void)state;
    struct harness harness;
    write_three(&harness);
    uint64_t size;
    uint8_t *segment = harness_segment(harness.disk, 3, &size);
    /* Version 2, with a checksum that is right: of a page whose last 8 bytes it is. */
    segment[8] = 2;
    assert_refused(&harness, WAL_ERROR_CORRUPT, SEGMENT_3, 0, 0); /* the checksum is not */
    bytes_put_u64(segment + 4088, hash_64(segment, 4088, 0));
    assert_refused(&harness, WAL_ERROR_VERSION, SEGMENT_3, 0, 0);
    assert_non_null(strstr(harness.error.text, "version 2"));
    harness_deinit(&harness);
}

static void test_header_damage(void **state) {
    (void)state;
    for (uint64_t number = 1; number <= 3; number++) {
        for (uint32_t at = 0; at < SEGMENT_HEADER_BYTES; at += 100) {
            struct harness harness;
            write_three(&harness);
            uint64_t size;
            harness_segment(harness.disk, number, &size)[at] ^= 16;
            char name[WAL_FILE_NAME_BYTES];
            segment_name(number, name);
            assert_refused(&harness, WAL_ERROR_CORRUPT, name, 0, 0);
            harness_deinit(&harness);
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
        struct harness harness;
        write_three(&harness);
        uint8_t *bytes = calloc(1, table[i].bytes);
        assert_non_null(bytes);
        if (table[i].header_torn) memcpy(bytes, "USHERSEG", 8);
        assert_int_equal(
            storage_memory_put(harness.disk, "wal-0000000000000004.seg", bytes, table[i].bytes), 0);
        free(bytes);
        assert_int_equal(storage_memory_put(harness.disk, "wal-0000000000000005.seg.tmp",
                                            (const uint8_t *)"x", 1),
                         0);
        harness_open_ok(&harness);
        assert_int_equal(harness.recovery.end_lsn, 93000);
        assert_int_equal(harness.recovery.next_number, 4);
        uint64_t lsn = harness_block(&harness, 77);
        uint64_t size;
        (void)harness_segment(harness.disk, 4, &size); /* is there */
        assert_int_equal(size, WAL_SEGMENT_BYTES_MIN);
        harness_kill(&harness);
        harness_open_ok(&harness);
        assert_int_equal(harness.recovery.end_lsn, lsn);
        assert_int_equal(harness_read_all(harness.disk, lsn), 32);
        harness_deinit(&harness);
    }
    /* Not a leftover: a header that is gone, but blocks. */
    struct harness harness;
    write_three(&harness);
    uint64_t size;
    memset(harness_segment(harness.disk, 3, &size), 0, SEGMENT_HEADER_BYTES);
    assert_refused(&harness, WAL_ERROR_CORRUPT, SEGMENT_3, 0, 0);
    harness_deinit(&harness);
}

static void test_reader_seek(void **state) {
    (void)state;
    struct harness harness;
    struct wal_reader *reader;
    struct wal_record record;
    write_three(&harness);
    for (uint64_t number = 0; number <= 31; number++) {
        assert_int_equal(wal_reader_open(harness.disk, number * 3000, &reader, &harness.error), 0);
        assert_int_equal(wal_reader_lsn(reader), number * 3000);
        if (number < 31) {
            assert_int_equal(wal_reader_next(reader, number * 3000 + 2999, &record, &harness.error),
                             WAL_READER_CAUGHT_UP);
            assert_int_equal(wal_reader_next(reader, number * 3000 + 3000, &record, &harness.error),
                             0);
            assert_true(harness_record_good(&record, number));
            assert_int_equal(record.wall_ms, harness.now_ms);
        } else {
            assert_int_equal(wal_reader_next(reader, WAL_READER_NO_LIMIT, &record, &harness.error),
                             WAL_READER_CAUGHT_UP);
            assert_int_equal(wal_reader_next(reader, 93001, &record, &harness.error),
                             -WAL_ERROR_CORRUPT);
            assert_int_equal(harness.error.lsn, 93000);
        }
        wal_reader_close(reader);
    }
    assert_int_equal(wal_reader_open(harness.disk, 4000, &reader, &harness.error), -WAL_ERROR_LSN);
    assert_int_equal(wal_reader_open(harness.disk, 93001, &reader, &harness.error), -WAL_ERROR_LSN);
    /* The oldest segment was deleted: fine, but not for who needs it. */
    assert_true(storage_memory_remove(harness.disk, SEGMENT_1));
    assert_int_equal(wal_reader_open(harness.disk, 44999, &reader, &harness.error),
                     -WAL_ERROR_MISSING);
    assert_int_equal(wal_reader_open(harness.disk, 45000, &reader, &harness.error), 0);
    wal_reader_close(reader);
    harness_open_ok(&harness);
    assert_int_equal(harness.recovery.first_lsn, 45000);
    assert_int_equal(harness.recovery.end_lsn, 93000);
    harness_deinit(&harness);
}

static void test_reader_tails(void **state) {
    (void)state;
    struct harness harness;
    struct wal_reader *reader;
    struct wal_record record;
    harness_init(&harness);
    harness.options.segment_bytes = WAL_SEGMENT_BYTES_MIN;
    assert_int_equal(wal_reader_open(harness.disk, 0, &reader, &harness.error), 0); /* no log yet */
    assert_int_equal(wal_reader_next(reader, WAL_READER_NO_LIMIT, &record, &harness.error),
                     WAL_READER_CAUGHT_UP);
    harness_open_ok(&harness);
    struct random random = {random_seed(3)};
    uint64_t read = 0;
    for (int i = 0; i < 500; i++) {
        uint64_t records = random_below(&random, 8);
        for (uint64_t j = 0; j < records; j++) {
            (void)harness_append(&harness, 20 + random_index(&random, 2000));
        }
        harness.now_ms += random_below(&random, 400); /* seals now and then */
        harness_settle(&harness);
        int rc;
        while ((rc = wal_reader_next(reader, wal_durable_lsn(harness.wal), &record,
                                     &harness.error)) == 0) {
            assert_true(harness_record_good(&record, read++));
        }
        assert_int_equal(rc, WAL_READER_CAUGHT_UP);
        assert_int_equal(read, harness.next_number);
    }
    wal_reader_close(reader);
    harness_deinit(&harness);
}

static uint64_t progress_calls;
static void count_progress(void *context, uint64_t done, uint64_t total) {
    (void)context;
    assert_int_equal(done, ++progress_calls);
    assert_int_equal(total, 3);
}

static void test_verify(void **state) {
    (void)state;
    struct harness harness;
    write_three(&harness);
    progress_calls = 0;
    struct wal_recovery found;
    assert_int_equal(wal_verify(harness.disk, count_progress, NULL, &found, &harness.error), 0);
    assert_int_equal(progress_calls, 3);
    assert_int_equal(found.segments, 3);
    assert_int_equal(found.blocks, 31);
    assert_int_equal(found.records, 31);
    assert_int_equal(found.first_lsn, 0);
    assert_int_equal(found.end_lsn, 93000);
    assert_int_equal(found.epochs, 1);
    /* Beside an engine that has the lock. */
    harness_open_ok(&harness);
    (void)harness_block(&harness, 100);
    assert_int_equal(wal_verify(harness.disk, NULL, NULL, &found, &harness.error), 0);
    assert_int_equal(found.end_lsn, 93100);
    assert_int_equal(found.epochs, 2);
    uint64_t size;
    harness_segment(harness.disk, 2, &size)[4096 * 5 + 99] ^= 1;
    assert_int_equal(wal_verify(harness.disk, NULL, NULL, &found, &harness.error),
                     -WAL_ERROR_CORRUPT);
    assert_int_equal(harness.error.offset, 4096 * 5);
    assert_int_equal(harness.error.lsn, 45000 + 4 * 3000);
    harness_deinit(&harness);
}

static void test_trim(void **state) {
    (void)state;
    static const struct {
        uint64_t keep_lsn;
        uint64_t removed;
    } table[] = {{0, 0}, {44999, 0}, {45000, 1}, {89999, 1}, {90000, 2}, {UINT64_MAX, 2}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct harness harness;
        write_three(&harness);
        uint8_t zeros[4096] = {0}; /* a prepared segment is not a reason to delete the last */
        assert_int_equal(
            storage_memory_put(harness.disk, "wal-0000000000000004.seg", zeros, sizeof zeros), 0);
        uint64_t removed = 77;
        assert_int_equal(wal_trim(harness.disk, table[i].keep_lsn, &removed, &harness.error), 0);
        assert_int_equal(removed, table[i].removed);
        harness_open_ok(&harness);
        assert_int_equal(harness.recovery.first_lsn, removed * 45000);
        assert_int_equal(harness.recovery.end_lsn, 93000);
        harness_deinit(&harness);
    }
}

/* A disk whose log grows between two reads of somebody else. */
struct growing {
    struct storage storage;
    struct storage_operations operations;
    struct harness *harness;
    int reads_left; /* until it grows */
};

static int growing_read(struct storage *storage, int handle, uint64_t offset, uint8_t *buffer,
                        uint32_t bytes) {
    struct growing *growing = (struct growing *)storage;
    struct storage *disk = growing->harness->disk;
    int rc = disk->operations->read(disk, handle, offset, buffer, bytes);
    if (growing->reads_left-- == 0) {
        for (int i = 0; i < 800; i++) {
            (void)harness_append(growing->harness, 4000);
            if (i % 100 == 99) harness_settle(growing->harness);
        }
    }
    return rc;
}

static int growing_list(struct storage *storage, void (*visit)(void *context, const char *name),
                        void *context) {
    struct storage *disk = ((struct growing *)storage)->harness->disk;
    return disk->operations->list(disk, visit, context);
}

static int growing_open(struct storage *storage, const char *name, bool writable) {
    struct storage *disk = ((struct growing *)storage)->harness->disk;
    return disk->operations->open(disk, name, writable);
}

static void growing_close(struct storage *storage, int handle) {
    struct storage *disk = ((struct growing *)storage)->harness->disk;
    disk->operations->close(disk, handle);
}

static int growing_size(struct storage *storage, int handle, uint64_t *ret_bytes) {
    struct storage *disk = ((struct growing *)storage)->harness->disk;
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
            struct harness harness;
            harness_init(&harness);
            harness.options.segment_bytes = blocks == 2 ? 1u << 20 : 4u << 20;
            harness_open_ok(&harness);
            (void)wal_prepare_step(harness.wal); /* an unused segment to look at */
            for (int i = 0; i < blocks; i++) (void)harness_block(&harness, 4000);
            uint64_t durable = wal_durable_lsn(harness.wal);
            struct growing growing = {
                .operations = {.list = growing_list,
                               .open = growing_open,
                               .close = growing_close,
                               .size = growing_size,
                               .read = growing_read},
                .harness = &harness,
                .reads_left = reads / 2,
            };
            growing.storage.operations = &growing.operations;
            struct wal_recovery found = {.end_lsn = durable};
            if (reads % 2 == 1) {
                assert_int_equal(
                    wal_inspect(&growing.storage, assert_undamaged, NULL, &harness.error), 0);
            } else if (wal_verify(&growing.storage, NULL, NULL, &found, &harness.error) != 0) {
                fail_msg("reads %d blocks %d: %s", reads, blocks, harness.error.text);
            }
            assert_true(found.end_lsn >= durable);
            harness_deinit(&harness);
        }
    }
}

static void test_recover_from(void **state) {
    (void)state;
    struct harness harness;
    write_three(&harness);
    static const struct {
        uint64_t from;
        uint64_t segments;
    } table[] = {{0, 3}, {44999, 3}, {45000, 2}, {60000, 2}, {90000, 1}, {93000, 1}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct wal_recovery_options options = {.from_lsn = table[i].from};
        struct wal_recovery found;
        assert_int_equal(wal_recover(harness.disk, &options, &found, &harness.error), 0);
        assert_int_equal(found.segments, table[i].segments);
        assert_int_equal(found.end_lsn, 93000);
        assert_int_equal(found.first_lsn, 0);
    }
    harness_deinit(&harness);
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
