/* batch.h - calls that travel in one frame, and the queue of frames that wait to leave
 *
 * A frame costs as much as dozens of calls, in threads woken on both sides. So calls that callbacks
 * make wait until the callbacks of their frame have run, or the frame that they fill is as large as
 * its share of all calls: many callers then travel in FRAMES_AIM frames, which keep client, engine
 * and disk busy at the same time, rather than in many small ones or in one that everybody waits
 * for. Other calls leave at once while a carrier is idle, as many small frames if need be: nothing
 * says when the next would come.
 *
 * Happy path: batch_queue_append puts a call into the last frame; batch_queue_take gives out the
 * first one; batch_answer hands each response to its call; batch_queue_recycle keeps the memory.
 * Failure modes: every call ends once, by batch_answer or by batch_fail.
 * Threads: the owner's mutex is held for the queue's functions. A batch that was taken belongs to
 * who took it, and no mutex is held while it runs callbacks.
 */
#ifndef USHER_NET_CLIENT_BATCH_H
#define USHER_NET_CLIENT_BATCH_H

#include "net/client/call.h"

struct batch_call {
    client_done *done;
    void *context;
    uint32_t msgid;
};

/* A frame of calls: being filled, waiting, under way, or being answered; else in the pool. */
struct batch {
    struct batch *next;       /* in the queue or the pool */
    struct batch_call *calls; /* calls_max of the queue */
    uint32_t count;
    uint64_t deadline_ms; /* of the first call, which is the earliest; client_now_ms() */
    struct value_writer bytes;
};

struct batch_queue {
    uint32_t calls_max;         /* of one frame */
    uint32_t timeout_ms;        /* of a call */
    struct batch *first, *last; /* frames that wait; the last one is being filled */
    uint32_t waiting;           /* how many */
    uint32_t calls;             /* in frames that wait, are under way or being answered */
    uint32_t answering;         /* threads that run callbacks; the owner counts */
    struct batch *pool;
    uint32_t msgid; /* of the next call; never 0, which is that of a refused frame */
};

void batch_queue_init(struct batch_queue *queue, uint32_t calls_max, uint32_t timeout_ms);
/* batch_queue_deinit - no frame is under way any more */
void batch_queue_deinit(struct batch_queue *queue);

/* batch_queue_append - put a call into a frame that waits
 * Return: 0; CLIENT_FULL, CLIENT_TOO_BIG, CLIENT_NO_MEMORY */
int batch_queue_append(struct batch_queue *queue, const char *method,
                       const struct value_writer *params, client_done *done, void *context);
/* batch_queue_is_ready - should the first frame leave? */
bool batch_queue_is_ready(const struct batch_queue *queue);
/* batch_queue_take - the first frame, if it should leave, else NULL; owned until recycled */
struct batch *batch_queue_take(struct batch_queue *queue);
/* batch_queue_recycle - the callbacks of a frame have run */
void batch_queue_recycle(struct batch_queue *queue, struct batch *batch);

/* batch_answer - hand each response of a reply frame to its call
 * What does not fit ends it: the rest is CLIENT_BAD_REPLY. */
void batch_answer(const struct batch *batch, const uint8_t *bytes, uint32_t size);
/* batch_fail - end all its calls with this status (enum client_status) */
void batch_fail(const struct batch *batch, int status);

#endif
