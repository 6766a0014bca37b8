/* buffer.h - the ring that all shards append to and one writer takes from
 *
 * Happy path: log_buffer_append reserves a range of LSNs with one compare-and-swap and copies its
 * bytes to it; log_buffer_copied tells the writer how far all copies are finished;
 * log_buffer_group and log_buffer_take move whole records into a block.
 *
 * Failure mode: no room -> WAL_FULL, and nothing has happened.
 *
 * Why copies may finish in any order: see "Group commit" in wal/README.md, and the proof at
 * log_buffer_copied. Appenders never wait for each other or for the writer, nor the writer for
 * them.
 */
#ifndef USHER_WAL_BUFFER_H
#define USHER_WAL_BUFFER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/limits.h"
#include "engine/runtime/waker.h"

#define CACHE_LINE_BYTES 64

/* One appender's announcement; its own cache line, or all shards would share one. */
struct log_slot {
    /* LSN: this appender may be copying to anything from here on. UINT64_MAX: it is not copying.
     * Written by the appender, read by the writer. */
    _Alignas(CACHE_LINE_BYTES) _Atomic uint64_t inserting_at;
};

struct log_buffer {
    /* Read-only after init. */
    uint8_t *ring;      /* capacity bytes, owned; byte of an LSN is ring[lsn & mask] */
    uint64_t mask;      /* capacity - 1 */
    uint32_t appenders; /* 1..SHARDS_MAX */

    /* Given away up to here (LSN). Any appender. */
    _Alignas(CACHE_LINE_BYTES) _Atomic uint64_t reserved;
    /* Taken up to here (LSN): room begins. Writer. */
    _Alignas(CACHE_LINE_BYTES) _Atomic uint64_t released;
    /* The writer sleeps on this; an appender that has copied wakes it. Both sides. */
    _Alignas(CACHE_LINE_BYTES) struct waker writer;
    /* Asked to end; set once by the owner. */
    _Atomic bool closing;
    /* Largest result of log_buffer_copied so far (LSN). Writer only. */
    uint64_t copied;
    struct log_slot slots[SHARDS_MAX];
};

/* log_buffer_init - allocate and touch the ring
 * @capacity: bytes, power of two
 * @lsn:      where the stream goes on
 * Return: 0, or -1 without memory */
int log_buffer_init(struct log_buffer *buffer, uint64_t capacity, uint32_t appenders, uint64_t lsn);
void log_buffer_deinit(struct log_buffer *buffer);

/* log_buffer_append - see wal_append */
int log_buffer_append(struct log_buffer *buffer, uint32_t appender, const uint8_t *bytes,
                      uint32_t size, uint64_t *ret_lsn);

/* log_buffer_copied - LSN below which every byte is in the ring. Writer only; wait-free. */
uint64_t log_buffer_copied(struct log_buffer *buffer);

/* log_buffer_group - whole records from an LSN that fit a limit
 * @from, @to:  LSNs; from is a record's start, to is at most log_buffer_copied
 * @ret_count:  records
 * Return: their bytes, 0..limit_bytes */
uint32_t log_buffer_group(const struct log_buffer *buffer, uint64_t from, uint64_t to,
                          uint32_t limit_bytes, uint32_t *ret_count);

/* log_buffer_take - copy out and give the room back. Writer only. */
void log_buffer_take(struct log_buffer *buffer, uint64_t from, uint32_t bytes, uint8_t *to);

/* log_buffer_sleep - sleep until something is copied behind an LSN, or closing, or the timeout
 * @timeout_ms: UINT64_MAX = no timeout
 * May wake for nothing. Writer only. */
void log_buffer_sleep(struct log_buffer *buffer, uint64_t lsn, uint64_t timeout_ms);

/* log_buffer_close - ask the writer to end; log_buffer_append must not follow */
void log_buffer_close(struct log_buffer *buffer);

#endif
