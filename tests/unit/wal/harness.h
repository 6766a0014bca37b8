/* harness.h - a log on a memory disk, with a fake clock and numbered records
 *
 * Records carry their number and bytes that follow from it, so that a reader can tell whether
 * exactly the right ones come back.
 */
#ifndef USHER_TESTS_UNIT_WAL_HARNESS_H
#define USHER_TESTS_UNIT_WAL_HARNESS_H

/* clang-format off: cmocka.h needs these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "wal/reader.h"
#include "wal/segment.h"
#include "wal/storage/storage_memory.h"
#include "wal/wal.h"
#include "tests/support/random.h"

#include <stdbool.h>

#define HARNESS_SEGMENT_BYTES (256u * 1024u)
#define HARNESS_BUFFER_BYTES (512u * 1024u)

struct harness {
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

void harness_init(struct harness *harness);
void harness_deinit(struct harness *harness);

/* Return what wal_open returned; on failure harness->error is set. */
int harness_open(struct harness *harness);
void harness_open_ok(struct harness *harness);
/* Close without a flush, as a process does that dies. */
void harness_kill(struct harness *harness);
void harness_stop(struct harness *harness);

/* Make record `number` of `size` bytes. */
void harness_record(uint8_t *bytes, uint64_t number, uint32_t size);
/* Is it record `number`? */
bool harness_record_good(const struct wal_record *record, uint64_t number);

/* Append one record, return its LSN. */
uint64_t harness_append(struct harness *harness, uint32_t size);
/* Step until there is nothing to do. */
void harness_settle(struct harness *harness);
/* Append one record, and settle: one block. */
uint64_t harness_block(struct harness *harness, uint32_t size);

/* Read all of the disk; check that it holds the records 0.. in sequence up to an LSN.
 * Return: how many */
uint64_t harness_read_all(struct storage *disk, uint64_t limit_lsn);

/* Where block `index` of a segment begins and how long it is; fails the test if it is not there. */
void harness_find_block(struct storage *disk, uint64_t number, uint32_t index, uint64_t *ret_offset,
                        uint32_t *ret_bytes);
/* The bytes of a segment on a memory disk. */
uint8_t *harness_segment(struct storage *disk, uint64_t number, uint64_t *ret_bytes);

#endif
