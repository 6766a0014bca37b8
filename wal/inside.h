/* inside.h - what is inside a log: the writer's and the preparer's state
 *
 * Private to wal.c and writer.c. Which thread owns what stands beside it.
 */
#ifndef USHER_WAL_INSIDE_H
#define USHER_WAL_INSIDE_H

#include <pthread.h>

#include "wal/block.h"
#include "wal/buffer.h"
#include "wal/segment.h"
#include "wal/wal.h"

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

#endif
