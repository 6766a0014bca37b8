/* harness.c - a log on a memory disk; see harness.h */
#include "harness.h"

#include "wal/block.h"
#include "wal/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t fake_now(void *context) { return ((struct harness *)context)->now_ms; }

static void fake_entropy(void *context, void *bytes, uint32_t size) {
    struct harness *harness = context;
    random_fill(&harness->entropy, bytes, size);
}

static void on_durable(void *context, uint64_t durable_lsn) {
    struct harness *harness = context;
    assert_true(durable_lsn > harness->durable_lsn);
    harness->durable_calls++;
    harness->durable_lsn = durable_lsn;
}

static void on_failed(void *context, const struct wal_error *error) {
    struct harness *harness = context;
    harness->failed_calls++;
    harness->error = *error;
}

void harness_init(struct harness *harness) {
    *harness = (struct harness){.now_ms = 1700000000000, .entropy = {7}};
    assert_int_equal(storage_memory_open(&harness->disk), 0);
    harness->options = (struct wal_options){
        .storage = harness->disk,
        .clock = {.context = harness, .now_ms = fake_now},
        .entropy = {.context = harness, .fill = fake_entropy},
        .segment_bytes = HARNESS_SEGMENT_BYTES,
        .buffer_bytes = HARNESS_BUFFER_BYTES,
        .appenders = 4,
        .on_durable = on_durable,
        .on_failed = on_failed,
        .callback_context = harness,
    };
}

void harness_deinit(struct harness *harness) {
    if (harness->wal != NULL) harness_kill(harness);
    harness->disk->operations->destroy(harness->disk);
}

int harness_open(struct harness *harness) {
    assert_null(harness->wal);
    harness->options.storage = harness->disk;
    int rc = wal_open(&harness->options, &harness->recovery, &harness->wal, &harness->error);
    if (rc == 0) harness->durable_lsn = harness->recovery.end_lsn;
    return rc;
}

void harness_open_ok(struct harness *harness) {
    if (harness_open(harness) != 0) fail_msg("%s", harness->error.text);
}

void harness_kill(struct harness *harness) {
    wal_close(harness->wal);
    harness->wal = NULL;
}

void harness_stop(struct harness *harness) {
    assert_int_equal(wal_stop(harness->wal), 0);
    harness_kill(harness);
}

void harness_record(uint8_t *bytes, uint64_t number, uint32_t size) {
    struct random random = {number};
    bytes_put_u32(bytes, size);
    bytes_put_u64(bytes + 4, number);
    for (uint32_t i = 12; i < size; i += 8) {
        uint64_t drawn = random_next(&random);
        memcpy(bytes + i, &drawn, size - i < 8 ? size - i : 8);
    }
}

bool harness_record_good(const struct wal_record *record, uint64_t number) {
    uint8_t expected[RECORD_BYTES_MAX];
    if (record->size < RECORD_BYTES_MIN || record->size > RECORD_BYTES_MAX) return false;
    harness_record(expected, number, record->size);
    return memcmp(expected, record->bytes, record->size) == 0;
}

uint64_t harness_append(struct harness *harness, uint32_t size) {
    uint8_t bytes[RECORD_BYTES_MAX];
    uint64_t lsn = 0;
    harness_record(bytes, harness->next_number++, size);
    assert_int_equal(wal_append(harness->wal, 0, bytes, size, &lsn), 0);
    return lsn;
}

void harness_settle(struct harness *harness) {
    int rc;
    do { rc = wal_writer_step(harness->wal, false); } while (rc == 0);
    assert_int_equal(rc, WAL_IDLE);
}

uint64_t harness_block(struct harness *harness, uint32_t size) {
    uint64_t lsn = harness_append(harness, size);
    harness_settle(harness);
    assert_int_equal(wal_durable_lsn(harness->wal), lsn);
    return lsn;
}

uint64_t harness_read_all(struct storage *disk, uint64_t limit_lsn) {
    struct wal_reader *reader;
    struct wal_error error;
    if (wal_reader_open(disk, 0, &reader, &error) != 0) fail_msg("%s", error.text);
    uint64_t count = 0;
    uint64_t lsn = 0;
    for (;;) {
        struct wal_record record;
        int rc = wal_reader_next(reader, limit_lsn, &record, &error);
        if (rc == WAL_READER_CAUGHT_UP) break;
        if (rc < 0) fail_msg("%s", error.text);
        assert_true(harness_record_good(&record, count));
        assert_int_equal(record.lsn, lsn + record.size);
        lsn = record.lsn;
        count++;
    }
    assert_int_equal(wal_reader_lsn(reader), lsn);
    if (limit_lsn != WAL_READER_NO_LIMIT) assert_int_equal(lsn, limit_lsn);
    wal_reader_close(reader);
    return count;
}

uint8_t *harness_segment(struct storage *disk, uint64_t number, uint64_t *ret_bytes) {
    char name[WAL_FILE_NAME_BYTES];
    segment_name(number, name);
    uint8_t *bytes = storage_memory_bytes(disk, name, ret_bytes);
    assert_non_null(bytes);
    return bytes;
}

void harness_find_block(struct storage *disk, uint64_t number, uint32_t index, uint64_t *ret_offset,
                        uint32_t *ret_bytes) {
    uint64_t size;
    const uint8_t *bytes = harness_segment(disk, number, &size);
    struct segment_header segment;
    uint32_t version;
    assert_int_equal(segment_decode(bytes, &segment, &version), SEGMENT_USED);
    uint64_t seed = segment_seed(segment.log_id);
    uint64_t offset = SEGMENT_HEADER_BYTES;
    for (;;) {
        struct block_header header;
        assert_true(offset < size);
        assert_true(block_decode_header(bytes + offset, size - offset, seed, &header));
        if (index-- == 0) {
            *ret_offset = offset;
            *ret_bytes = block_bytes(header.body_bytes);
            return;
        }
        offset += block_bytes(header.body_bytes);
    }
}
