/* wal_fixture.h - a log on a memory disk, with a fake clock and numbered records
 *
 * Records carry their number and bytes that follow from it, so that a reader can tell whether
 * exactly the right ones come back.
 */
#ifndef USHER_TESTS_UNIT_WAL_WAL_FIXTURE_H
#define USHER_TESTS_UNIT_WAL_WAL_FIXTURE_H

/* clang-format off: cmocka.h needs these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/random.h"
#include "tests/support/storage_memory.h"
#include "wal/reader.h"
#include "wal/segment.h"
#include "wal/wal.h"

#define WAL_FIXTURE_SEGMENT_BYTES (256u * 1024u)
#define WAL_FIXTURE_BUFFER_BYTES (512u * 1024u)

struct wal_fixture {
    struct storage *disk;
    struct wal *wal;              /* NULL while closed */
    struct wal_options options;   /* of the next open */
    struct wal_recovery recovery; /* of the last open */
    struct wal_error error;
    uint64_t now_ms;
    uint64_t durable_calls; /* of on_durable */
    uint64_t durable_lsn;   /* its last argument */
    uint64_t failed_calls;
    uint64_t next_number; /* of the next record */
    struct random entropy;
};

void wal_fixture_init(struct wal_fixture *fixture);
void wal_fixture_deinit(struct wal_fixture *fixture);

/* Return what wal_open returned; on failure fixture->error is set. */
int wal_fixture_open(struct wal_fixture *fixture);
void wal_fixture_open_ok(struct wal_fixture *fixture);
/* Close without a flush, as a process does that dies. */
void wal_fixture_kill(struct wal_fixture *fixture);
void wal_fixture_stop(struct wal_fixture *fixture);

/* Make record `number` of `size` bytes. */
void wal_fixture_record(uint8_t *bytes, uint64_t number, uint32_t size);
/* Is it record `number`? */
bool wal_fixture_record_good(const struct wal_record *record, uint64_t number);

/* Append one record, return its LSN. */
uint64_t wal_fixture_append(struct wal_fixture *fixture, uint32_t size);
/* Step until there is nothing to do. */
void wal_fixture_settle(struct wal_fixture *fixture);
/* Append one record, and settle: one block. */
uint64_t wal_fixture_block(struct wal_fixture *fixture, uint32_t size);

/* Read all of the disk; check that it holds the records 0.. in sequence up to an LSN.
 * Return: how many */
uint64_t wal_fixture_read_all(struct storage *disk, uint64_t limit_lsn);

/* Where block `index` of a segment begins and how long it is; fails the test if it is not there. */
void wal_fixture_find_block(struct storage *disk, uint64_t number, uint32_t index,
                            uint64_t *ret_offset, uint32_t *ret_bytes);
/* The bytes of a segment on a memory disk. */
uint8_t *wal_fixture_segment(struct storage *disk, uint64_t number, uint64_t *ret_bytes);

#endif
