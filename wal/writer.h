/* writer.h - what is inside a log: the writer's and the preparer's state
 *
 * Private to wal.c and writer.c. Moves of the writer, each a wal_writer_step:
 *
 *     idle -> block in flight -> idle
 *     idle -> header in flight -> idle       (a new segment first, then the staged block; so also
 *                                             with the first block, if the header has waited for
 *                                             it)
 *     any in flight -> failed                (for good)
 *
 * A block is staged (records taken out of the ring, body checksummed) when the writer is idle, or
 * while a write is in flight once a whole block's worth has been appended: the CPU then works
 * while the device does, and no group becomes smaller by it.
 */
#ifndef USHER_WAL_WRITER_H
#define USHER_WAL_WRITER_H

#include "wal/block.h"
#include "wal/buffer.h"
#include "wal/segment.h"
#include "wal/wal.h"

#include <pthread.h>

enum writer_flight { FLIGHT_NONE = 0, FLIGHT_BLOCK = 1, FLIGHT_HEADER = 2 };

struct writer {
    /* All of it: the writer's thread only (before wal_start and after wal_stop: the owner's). */
    enum writer_flight flight;
    uint32_t flight_bytes; /* of the write in flight */
    uint64_t flight_lsn;   /* durable when it is complete */
    int handle;            /* of the current segment; -1: none has begun */
    bool begun;            /* the current segment's header was submitted */
    struct segment_header
        segment;                /* the current one, or the one that begins with the first block */
    uint64_t offset;            /* of the next block, bytes */
    uint64_t chain;             /* checksum of the last header submitted */
    uint64_t lsn;               /* end of what was staged */
    uint32_t block_bytes_limit; /* a block must fit a segment */
    uint8_t *blocks[2];         /* one in flight, one staged; WAL_BLOCK_BYTES_MAX, aligned */
    uint32_t block_index;       /* of the one to stage */
    bool staged;
    struct block_header stage; /* if staged; time, durable LSN, chain come at submit */
    uint8_t *header_page;      /* SEGMENT_HEADER_BYTES, aligned */
    bool unsealed;             /* the last block written has records */
    uint64_t idle_since_ms;    /* when the last block was complete, clock */
};

/* The next segment. The mutex guards all of it; never held during I/O. */
struct preparer {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint64_t wanted; /* number to have ready */
    uint64_t ready;  /* number that is ready; <= wanted */
    int failed;      /* errno of the attempt for `wanted`; 0 = none */
    bool working;    /* on `wanted`, now */
    bool stopping;
    struct wal_segment current; /* begun last; device 0, inode 0: not known */
};

/* Written by the writer's thread, read by any. */
struct wal_counters {
    _Atomic uint64_t blocks, records, record_bytes, writes, written_bytes, group_records_max;
    _Atomic uint64_t seals, segments, prepare_waits;
    _Atomic uint64_t number, room_bytes; /* of the current segment; not counts */
};

struct wal {
    struct wal_options options; /* sizes filled in; read-only after wal_open */
    uint64_t seed;              /* of block checksums; read-only */
    struct log_buffer buffer;
    _Alignas(CACHE_LINE_BYTES) _Atomic uint64_t durable_lsn; /* writer writes, any reads */
    _Atomic bool failed;                                     /* set after `error` is complete */
    _Atomic bool beat;      /* wal_beat was called; any sets, writer clears */
    struct wal_error error; /* written once by the writer, before `failed` */
    struct writer writer;
    struct preparer preparer;
    struct wal_counters counters;
    bool open;    /* wal_open has succeeded; callbacks may be called */
    bool running; /* threads exist; owner's thread, set before they start */
    pthread_t writer_thread;
    pthread_t preparer_thread;
};

/* writer_init - be ready to write an epoch's first segment
 * @header: all but the checksum; the file is there and all zeros
 * @now:    open it, write its header, wait for it; else that waits for the first block
 * Return: 0, <0 */
int writer_init(struct wal *wal, const struct segment_header *header, bool now,
                struct wal_error *ret_error);
void writer_deinit(struct wal *wal);

/* writer_no_segment - say why the next segment could not be made, and how much room is missing
 * Return: <0, a wal_error_code, negated */
int writer_no_segment(struct storage *storage, uint64_t segment_bytes, int system_error,
                      const char *name, struct wal_error *ret_error);

/* writer_drained - nothing staged, in flight or copied into the ring and not taken */
bool writer_drained(struct wal *wal);
/* writer_seal - stage a seal if the last block is not sealed; nothing staged or in flight */
void writer_seal(struct wal *wal);

/* writer_threads_start, writer_threads_stop - see wal_start, wal_stop */
int writer_threads_start(struct wal *wal);
void writer_threads_stop(struct wal *wal);

#endif
