/* buffer.c - the ring that all shards append to and one writer takes from; see buffer.h */
#include "wal/buffer.h"

#include <stdlib.h>

#include "engine/base/require.h"
#include "wal/block.h"
#include "wal/bytes.h"
#include "wal/error.h"

#define SLOT_IDLE UINT64_MAX
/* Looks for work before the writer goes to sleep: some 50 us on a core of its own. */
#define AWAKE_ROUNDS 200u

int log_buffer_init(struct log_buffer *buffer, uint64_t capacity, uint32_t appenders,
                    uint64_t lsn) {
    REQUIRE(capacity >= DRAIN_BYTES_MAX && (capacity & (capacity - 1)) == 0);
    REQUIRE(appenders >= 1 && appenders <= SHARDS_MAX);
    buffer->ring = aligned_alloc(WAL_BLOCK_ALIGN_BYTES, capacity);
    if (buffer->ring == NULL) return -1;
    memset(buffer->ring, 0, capacity); /* touch it now, not under the first customers */
    buffer->mask = capacity - 1;
    buffer->appenders = appenders;
    buffer->copied = lsn;
    atomic_init(&buffer->reserved, lsn);
    atomic_init(&buffer->released, lsn);
    atomic_init(&buffer->writer.sleeping, 0);
    atomic_init(&buffer->closing, false);
    for (uint32_t i = 0; i < SHARDS_MAX; i++) {
        atomic_init(&buffer->slots[i].inserting_at, SLOT_IDLE);
    }
    return 0;
}

void log_buffer_deinit(struct log_buffer *buffer) {
    free(buffer->ring);
    buffer->ring = NULL;
}

static void ring_write(struct log_buffer *buffer, uint64_t lsn, const uint8_t *bytes,
                       uint32_t size) {
    uint64_t at = lsn & buffer->mask;
    uint64_t to_end = buffer->mask + 1 - at;
    if (size <= to_end) {
        memcpy(buffer->ring + at, bytes, size);
    } else {
        memcpy(buffer->ring + at, bytes, to_end);
        memcpy(buffer->ring, bytes + to_end, size - to_end);
    }
}

static uint32_t ring_u32(const struct log_buffer *buffer, uint64_t lsn) {
    uint64_t at = lsn & buffer->mask;
    if (buffer->mask + 1 - at >= 4) return bytes_get_u32(buffer->ring + at);
    uint8_t bytes[4];
    for (uint64_t i = 0; i < 4; i++) bytes[i] = buffer->ring[(lsn + i) & buffer->mask];
    return bytes_get_u32(bytes);
}

static bool records_tile(const uint8_t *bytes, uint32_t size) {
    uint32_t position = 0;
    while (size - position >= RECORD_BYTES_MIN) {
        uint32_t record = bytes_get_u32(bytes + position);
        if (record < RECORD_BYTES_MIN || record > RECORD_BYTES_MAX || record > size - position) {
            return false;
        }
        position += record;
    }
    return position == size;
}

int log_buffer_append(struct log_buffer *buffer, uint32_t appender, const uint8_t *bytes,
                      uint32_t size, uint64_t *ret_lsn) {
    REQUIRE(appender < buffer->appenders);
    REQUIRE(size >= RECORD_BYTES_MIN && size <= DRAIN_BYTES_MAX);
    CHECK_SLOW(records_tile(bytes, size));
    _Atomic uint64_t *slot = &buffer->slots[appender].inserting_at;

    /* The bound must be in the slot before the reservation can be seen: whoever sees the
     * reservation then sees the bound, or that the copy is finished. */
    uint64_t start = atomic_load_explicit(&buffer->reserved, memory_order_relaxed);
    atomic_store_explicit(slot, start, memory_order_release);
    do {
        uint64_t released = atomic_load_explicit(&buffer->released, memory_order_acquire);
        /* `start` may be stale and `released` beyond it: then the swap below fails. */
        if (start >= released && start + size - released > buffer->mask + 1) {
            atomic_store_explicit(slot, SLOT_IDLE, memory_order_release);
            return WAL_FULL;
        }
    } while (!atomic_compare_exchange_weak(&buffer->reserved, &start, start + size));

    ring_write(buffer, start, bytes, size);
    atomic_store_explicit(slot, SLOT_IDLE, memory_order_release);
    waker_wake(&buffer->writer);
    *ret_lsn = start + size;
    return 0;
}

/* Let R be the `reserved` that is read here. Every reservation below R was made by a swap that this
 * load has seen, and its appender had stored a bound <= its start in its slot before the swap. So
 * the slot's load sees that bound (the result stays below the copy), or IDLE stored after the
 * copy (the copy is visible, by acquire), or the bound of a later append, also stored after the
 * copy. Reservations at or above R do not matter. A bound can be stale and lie below an earlier
 * result, never above its own range: hence the maximum. */
uint64_t log_buffer_copied(struct log_buffer *buffer) {
    uint64_t copied = atomic_load(&buffer->reserved);
    for (uint32_t i = 0; i < buffer->appenders; i++) {
        uint64_t bound = atomic_load(&buffer->slots[i].inserting_at);
        if (bound < copied) copied = bound;
    }
    if (copied > buffer->copied) buffer->copied = copied;
    return buffer->copied;
}

uint32_t log_buffer_group(const struct log_buffer *buffer, uint64_t from, uint64_t to,
                          uint32_t limit_bytes, uint32_t *ret_count) {
    REQUIRE(from <= to && to <= buffer->copied);
    uint64_t available = to - from;
    uint32_t bytes = 0;
    uint32_t count = 0;
    while (bytes < available) {
        uint32_t size = ring_u32(buffer, from + bytes);
        REQUIRE(size >= RECORD_BYTES_MIN && size <= RECORD_BYTES_MAX);
        REQUIRE(size <= available - bytes);
        if (size > limit_bytes - bytes) break;
        bytes += size;
        count++;
    }
    *ret_count = count;
    return bytes;
}

void log_buffer_take(struct log_buffer *buffer, uint64_t from, uint32_t bytes, uint8_t *to) {
    REQUIRE(atomic_load_explicit(&buffer->released, memory_order_relaxed) == from);
    REQUIRE(from + bytes <= buffer->copied);
    uint64_t at = from & buffer->mask;
    uint64_t to_end = buffer->mask + 1 - at;
    if (bytes <= to_end) {
        memcpy(to, buffer->ring + at, bytes);
    } else {
        memcpy(to, buffer->ring + at, to_end);
        memcpy(to + to_end, buffer->ring, bytes - to_end);
    }
    /* Release: our reads are over before an appender, who acquires this, writes there again. */
    atomic_store_explicit(&buffer->released, from + bytes, memory_order_release);
}

void log_buffer_sleep(struct log_buffer *buffer, uint64_t lsn, uint64_t timeout_ms) {
    /* While there is traffic the next append is near. */
    for (uint32_t round = 0; round < AWAKE_ROUNDS && waker_linger(&buffer->writer); round++) {
        if (log_buffer_copied(buffer) != lsn || atomic_load(&buffer->closing)) return;
    }
    waker_announce(&buffer->writer);
    if (log_buffer_copied(buffer) == lsn && !atomic_load(&buffer->closing)) {
        waker_sleep(&buffer->writer,
                    timeout_ms); /* for whatever reason it ends: the caller looks */
    } else {
        waker_cancel(&buffer->writer);
    }
}

void log_buffer_close(struct log_buffer *buffer) {
    atomic_store(&buffer->closing, true);
    waker_wake(&buffer->writer);
}
