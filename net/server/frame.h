/* frame.h - one frame from its bytes to its reply; knows no sockets
 *
 * Happy path: frame_run() decodes, chains the requests per shard and submits the chains; shards
 * call the sink's encode and release; the last release calls `done`; its owner copies the reply out
 * with frame_reply_*(), calls frame_recycle() and frame_end(), and gives the frame the next bytes.
 * Failure modes: malformed -> one response, nothing submitted; a mailbox is full -> BUSY for the
 * chain; stopping -> STOPPING for all; no memory for a response -> list: BUSY, else the frame is
 * `lost` (no reply: the client asks again with its key).
 *
 * Threads: frame_run on any one thread; encode and release on the shards'; done on whichever comes
 * last, perhaps within frame_run itself.
 */
#ifndef USHER_NET_SERVER_FRAME_H
#define USHER_NET_SERVER_FRAME_H

#include <stdatomic.h>

#include "engine/domain/reply.h"
#include "engine/runtime/request.h"
#include "net/protocol/arena.h"
#include "net/protocol/decode.h"
#include "net/protocol/encode.h"
#include "net/protocol/limits.h"
#include "net/server/port.h"

/* What all frames of a server share. */
struct frame_shared {
    struct net_engine engine; /* set before the first frame runs, then constant */
    _Atomic bool stopping;
    _Atomic uint64_t in_flight;  /* frames between frame_run() and frame_end() */
    _Atomic uint64_t heap_bytes; /* of responses above NET_REPLY_INLINE_BYTES */
    _Atomic uint64_t frames, requests, malformed, refused, busy, replies_dropped;
    /* counters - fill in those of net_counters that only the owner of the sockets knows; may be
     * NULL */
    void (*counters)(void *context, struct net_counters *counters);
    void *counters_context;
};

/* One request's place in a frame. The engine sees `request` alone. */
struct net_request {
    struct request request; /* first */
    struct frame *frame;
    uint32_t msgid;
    struct reservation_list list; /* reservation.list only */
    struct value_writer writer;   /* the response; begins in reply_inline */
    uint32_t heap_bytes;          /* of the writer, as counted in frame_shared.heap_bytes */
    uint8_t reply_inline[NET_REPLY_INLINE_BYTES];
};

struct frame {
    struct frame_shared *shared;
    /* done - every request is answered; the frame is its owner's again */
    void (*done)(void *context, struct frame *frame);
    void *context;
    struct frame *next; /* its owner's: frames that nobody uses */
    bool admin;         /* belongs to the admin listener */

    struct net_request *requests; /* grows between frames only */
    uint32_t count, capacity;     /* requests */
    struct decode_span *spans;    /* REQUESTS_PER_FRAME_MAX */
    struct arena arena;
    _Atomic uint32_t pending;    /* requests not released, plus one while frame_run() is at work */
    _Atomic uint32_t list_bytes; /* of the list responses so far */
    _Atomic bool lost;           /* a response could not be built: send nothing */
};

/* frame_init - Return: 0, or NET_NO_MEMORY */
int frame_init(struct frame *frame, struct frame_shared *shared, bool admin,
               void (*done)(void *context, struct frame *frame), void *context);
/* frame_deinit - not while the frame is in flight */
void frame_deinit(struct frame *frame);

/* frame_run - answer one frame
 * @bytes: borrowed until frame_recycle()
 * `done` is called once, perhaps before this returns; do not touch the frame after this. */
void frame_run(struct frame *frame, const uint8_t *bytes, uint32_t size);

/* frame_reply_bytes - size of the whole reply, after done(); 0: there is none, send nothing
 * frame_reply_at - one response of it; index 0..frame->count-1 */
uint32_t frame_reply_bytes(const struct frame *frame);
const uint8_t *frame_reply_at(const struct frame *frame, uint32_t index, uint32_t *ret_size);
/* frame_recycle - the reply was copied, and the request's bytes are not needed any more: give back
 * what the responses took beyond the inline buffers */
void frame_recycle(struct frame *frame);
/* frame_end - a frame's reply is on its way: it no longer counts as in flight. The frame itself may
 * have the next bytes by now.
 * Return: true if no frame is in flight now */
bool frame_end(struct frame_shared *shared);

/* The reply sink; context is the struct frame_shared. */
void frame_sink_encode(void *context, struct request *request, const struct reply *reply);
void frame_sink_release(void *context, struct request *request);

/* frame_counters - those that frames keep */
void frame_counters(struct frame_shared *shared, struct net_counters *ret_counters);

#endif
