/* ports.h - what the runtime needs from the world, as structs of functions
 *
 * The runtime includes neither wal nor net: tools/usherd/usherd.c fills these in with the real log,
 * the real sockets and the real clock; tests and the simulator fill them in with their own. The
 * runtime does not know which journal it has: a local log today, a replicated one later, whose
 * durable LSN advances when the replicas have the block.
 */
#ifndef USHER_ENGINE_RUNTIME_PORTS_H
#define USHER_ENGINE_RUNTIME_PORTS_H

#include <stdint.h>

struct request;
struct reply;

/* journal - where decisions become durable, in one total order
 * A record is opaque to the journal but for its first four bytes: its total size in bytes,
 * little-endian, those four included, 20..RECORD_BYTES_MAX.
 * LSN: byte position in the stream of records, the position just after a record is "its" LSN. */
enum { JOURNAL_FULL = 1 };
struct journal {
    void *context;
    /* append - queue one drain's records; whole records, in order
     * @appender: shard number, 0..SHARDS_MAX-1; one thread per appender at a time
     * @bytes:    borrowed until return; 20..DRAIN_BYTES_MAX
     * @ret_lsn:  LSN just after the last record, on 0 only
     * Never blocks, never allocates. Return: 0, or JOURNAL_FULL (try again later). */
    int (*append)(void *context, uint32_t appender, const uint8_t *bytes, uint32_t size,
                  uint64_t *ret_lsn);
    /* durable_lsn - everything below this survives a crash; any thread */
    uint64_t (*durable_lsn)(void *context);
};

/* clock - Unix ms UTC; must never run backwards within a process
 * entropy - unguessable bytes for tokens (getrandom) */
struct clock_port {
    void *context;
    uint64_t (*now_ms)(void *context);
};
struct entropy_port {
    void *context;
    void (*fill)(void *context, void *bytes, uint32_t size);
};

/* reply_sink - where answers go; implemented by net
 * Called on the shard's thread. A request gets one final encode and then one release. */
struct reply_sink {
    void *context;
    /* encode - turn a typed reply into bytes now, while the partition's state may be read.
     * Pointers in the reply are valid during the call only. */
    void (*encode)(void *context, struct request *request, const struct reply *reply);
    /* release - everything this reply saw is durable: send it. The request is the sink's again. */
    void (*release)(void *context, struct request *request);
};

#endif
