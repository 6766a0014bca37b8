/* wal_fixture.c - a log on a memory disk; see wal_fixture.h */
#include "tests/unit/wal/wal_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wal/block.h"
#include "wal/bytes.h"

static uint64_t fake_now(void *context) { return ((struct wal_fixture *)context)->now_ms; }

static void fake_entropy(void *context, void *bytes, uint32_t size) {
    struct wal_fixture *fixture = context;
    random_fill(&fixture->entropy, bytes, size);
}

static void on_durable(void *context, uint64_t durable_lsn) {
    struct wal_fixture *fixture = context;
    assert_true(durable_lsn > fixture->durable_lsn);
    fixture->durable_calls++;
    fixture->durable_lsn = durable_lsn;
}

static void on_failed(void *context, const struct wal_error *error) {
    struct wal_fixture *fixture = context;
    fixture->failed_calls++;
    fixture->error = *error;
}

void wal_fixture_init(struct wal_fixture *fixture) {
    *fixture = (struct wal_fixture){.now_ms = 1700000000000, .entropy = {7}};
    assert_int_equal(storage_memory_open(&fixture->disk), 0);
    fixture->options = (struct wal_options){
        .storage = fixture->disk,
        .clock = {.context = fixture, .now_ms = fake_now},
        .entropy = {.context = fixture, .fill = fake_entropy},
        .segment_bytes = WAL_FIXTURE_SEGMENT_BYTES,
        .buffer_bytes = WAL_FIXTURE_BUFFER_BYTES,
        .appenders = 4,
        .on_durable = on_durable,
        .on_failed = on_failed,
        .callback_context = fixture,
    };
}

void wal_fixture_deinit(struct wal_fixture *fixture) {
    if (fixture->wal != NULL) wal_fixture_kill(fixture);
    fixture->disk->operations->destroy(fixture->disk);
}

int wal_fixture_open(struct wal_fixture *fixture) {
    assert_null(fixture->wal);
    fixture->options.storage = fixture->disk;
    int rc = wal_open(&fixture->options, &fixture->recovery, &fixture->wal, &fixture->error);
    if (rc == 0) fixture->durable_lsn = fixture->recovery.end_lsn;
    return rc;
}

void wal_fixture_open_ok(struct wal_fixture *fixture) {
    if (wal_fixture_open(fixture) != 0) fail_msg("%s", fixture->error.text);
}

void wal_fixture_kill(struct wal_fixture *fixture) {
    wal_close(fixture->wal);
    fixture->wal = NULL;
}

void wal_fixture_stop(struct wal_fixture *fixture) {
    assert_int_equal(wal_stop(fixture->wal), 0);
    wal_fixture_kill(fixture);
}

void wal_fixture_record(uint8_t *bytes, uint64_t number, uint32_t size) {
    struct random random = {number};
    bytes_put_u32(bytes, size);
    bytes_put_u64(bytes + 4, number);
    for (uint32_t i = 12; i < size; i += 8) {
        uint64_t drawn = random_next(&random);
        memcpy(bytes + i, &drawn, size - i < 8 ? size - i : 8);
    }
}

bool wal_fixture_record_good(const struct wal_record *record, uint64_t number) {
    uint8_t expected[RECORD_BYTES_MAX];
    if (record->size < RECORD_BYTES_MIN || record->size > RECORD_BYTES_MAX) return false;
    wal_fixture_record(expected, number, record->size);
    return memcmp(expected, record->bytes, record->size) == 0;
}

uint64_t wal_fixture_append(struct wal_fixture *fixture, uint32_t size) {
    uint8_t bytes[RECORD_BYTES_MAX];
    uint64_t lsn = 0;
    wal_fixture_record(bytes, fixture->next_number++, size);
    assert_int_equal(wal_append(fixture->wal, 0, bytes, size, &lsn), 0);
    return lsn;
}

void wal_fixture_settle(struct wal_fixture *fixture) {
    int rc;
    do { rc = wal_writer_step(fixture->wal, false); } while (rc == 0);
    assert_int_equal(rc, WAL_IDLE);
}

uint64_t wal_fixture_block(struct wal_fixture *fixture, uint32_t size) {
    uint64_t lsn = wal_fixture_append(fixture, size);
    wal_fixture_settle(fixture);
    assert_int_equal(wal_durable_lsn(fixture->wal), lsn);
    return lsn;
}

uint64_t wal_fixture_read_all(struct storage *disk, uint64_t limit_lsn) {
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
        assert_true(wal_fixture_record_good(&record, count));
        assert_int_equal(record.lsn, lsn + record.size);
        lsn = record.lsn;
        count++;
    }
    assert_int_equal(wal_reader_lsn(reader), lsn);
    if (limit_lsn != WAL_READER_NO_LIMIT) assert_int_equal(lsn, limit_lsn);
    wal_reader_close(reader);
    return count;
}

uint8_t *wal_fixture_segment(struct storage *disk, uint64_t number, uint64_t *ret_bytes) {
    char name[WAL_FILE_NAME_BYTES];
    segment_name(number, name);
    uint8_t *bytes = storage_memory_bytes(disk, name, ret_bytes);
    assert_non_null(bytes);
    return bytes;
}

void wal_fixture_find_block(struct storage *disk, uint64_t number, uint32_t index,
                            uint64_t *ret_offset, uint32_t *ret_bytes) {
    uint64_t size;
    const uint8_t *bytes = wal_fixture_segment(disk, number, &size);
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
