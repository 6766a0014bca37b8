/* batch.c - see batch.h */
#include "net/client/batch.h"

#include <stdlib.h>

#include "engine/base/limits.h"
#include "net/client/clock.h"

/* So many frames, of equal size, are to be under way where there are many callers: one is in the
 * engine and on the disk while the callers of the other get their answers. More cost more wake-ups:
 * with 3 there were 4 to 20 % fewer calls a second for 64 and for 256 callers. No frame is cut that
 * has no more calls than FRAME_CALLS_MIN. */
#define FRAMES_AIM 2u
#define FRAME_CALLS_MIN 8u

/* --- the queue -------------------------------------------------------------------------------- */

static void batch_free(struct batch *batch) {
    if (!batch) return;
    value_writer_deinit(&batch->bytes);
    free(batch->calls);
    free(batch);
}

static struct batch *batch_create(uint32_t calls_max) {
    struct batch *batch = calloc(1, sizeof *batch);
    if (!batch) return NULL;
    value_writer_init(&batch->bytes, NULL, 0, FRAME_BYTES_MAX);
    batch->calls = calloc(calls_max, sizeof *batch->calls);
    if (!batch->calls) {
        batch_free(batch);
        return NULL;
    }
    return batch;
}

void batch_queue_init(struct batch_queue *queue, uint32_t calls_max, uint32_t timeout_ms) {
    *queue = (struct batch_queue){.calls_max = calls_max, .timeout_ms = timeout_ms, .msgid = 1};
}

void batch_queue_deinit(struct batch_queue *queue) {
    batch_free(queue->first); /* at most one, opened for a request that did not fit */
    while (queue->pool) {
        struct batch *batch = queue->pool;
        queue->pool = batch->next;
        batch_free(batch);
    }
}

/* An empty frame at the end of the queue. Return: NULL without memory */
static struct batch *queue_open_batch(struct batch_queue *queue) {
    struct batch *batch = queue->pool;
    if (batch) {
        queue->pool = batch->next;
    } else {
        batch = batch_create(queue->calls_max);
        if (!batch) return NULL;
    }
    batch->next = NULL;
    batch->count = 0;
    batch->deadline_ms = client_now_ms() + queue->timeout_ms;
    value_writer_clear(&batch->bytes);
    if (queue->last) {
        queue->last->next = batch;
    } else {
        queue->first = batch;
    }
    queue->last = batch;
    queue->waiting++;
    return batch;
}

/* Is this frame as large as it should get? */
static bool batch_is_full(const struct batch_queue *queue, const struct batch *batch) {
    uint32_t share = queue->calls / FRAMES_AIM;
    if (share < FRAME_CALLS_MIN) share = FRAME_CALLS_MIN;
    if (share > queue->calls_max) share = queue->calls_max;
    return batch->count >= share;
}

bool batch_queue_is_ready(const struct batch_queue *queue) {
    const struct batch *batch = queue->first;
    if (!batch || batch->count == 0) return false;
    return queue->answering == 0 || batch != queue->last || batch_is_full(queue, batch);
}

struct batch *batch_queue_take(struct batch_queue *queue) {
    if (!batch_queue_is_ready(queue)) return NULL;
    struct batch *batch = queue->first;
    queue->first = batch->next;
    if (!queue->first) queue->last = NULL;
    queue->waiting--;
    batch->next = NULL;
    return batch;
}

void batch_queue_recycle(struct batch_queue *queue, struct batch *batch) {
    batch->next = queue->pool;
    queue->pool = batch;
    queue->calls -= batch->count;
}

/* Append a request. Return: 0, or CLIENT_TOO_BIG if it does not fit what is left of the frame;
 * the frame is as before then */
static int batch_append(struct batch *batch, uint32_t msgid, const char *method,
                        const struct value_writer *params) {
    struct value_writer *bytes = &batch->bytes;
    uint32_t before = bytes->size;
    value_write_array(bytes, 4);
    value_write_uint(bytes, 0);
    value_write_uint(bytes, msgid);
    value_write_text(bytes, method);
    if (params) {
        value_write_raw(bytes, params->bytes, params->size);
    } else {
        value_write_map(bytes, 0);
    }
    if (!bytes->failed) return 0;
    bytes->size = before;
    bytes->failed = false;
    return CLIENT_TOO_BIG;
}

int batch_queue_append(struct batch_queue *queue, const char *method,
                       const struct value_writer *params, client_done *done, void *context) {
    struct batch *batch = queue->last;
    bool full = !batch || batch_is_full(queue, batch);
    for (int tries = 0; tries < 2; tries++) {
        if (full) {
            if (queue->waiting >= CLIENT_FRAMES_WAITING_MAX) return CLIENT_FULL;
            batch = queue_open_batch(queue);
            if (!batch) return CLIENT_NO_MEMORY;
        }
        if (batch_append(batch, queue->msgid, method, params) == 0) {
            batch->calls[batch->count++] = (struct batch_call){
                .done = done, .context = context, .msgid = queue->msgid};
            queue->calls++;
            if (++queue->msgid == 0) queue->msgid = 1;
            return 0;
        }
        if (batch->count == 0) break; /* not even alone */
        full = true;
    }
    /* The frame that was opened for nothing stays at the end of the queue: it is the next one's. */
    return CLIENT_TOO_BIG;
}

/* --- answers ---------------------------------------------------------------------------------- */

static void call_finish(const struct batch_call *call, int status, const struct value *error,
                        const struct value *result) {
    struct client_reply reply = {.status = status, .error = error, .result = result};
    call->done(call->context, &reply);
}

static void fail_from(const struct batch *batch, uint32_t from, int status) {
    for (uint32_t i = from; i < batch->count; i++) {
        call_finish(&batch->calls[i], status, NULL, NULL);
    }
}

void batch_fail(const struct batch *batch, int status) { fail_from(batch, 0, status); }

/* Read the response to that call: its error or its result, the other one is NULL.
 * Return: its size in bytes; 0: this is none */
static uint32_t response_read(const uint8_t *bytes, uint32_t size, uint32_t msgid,
                              const struct value **ret_error, const struct value **ret_result) {
    const struct value *response;
    uint32_t used;
    uint64_t type, id;
    if (value_parse(bytes, size, &response, &used) != VALUE_OK) return 0;
    struct value_items items = value_items(response, VALUE_ARRAY);
    if (items.left != 4) return 0;
    if (!value_get_uint(value_next(&items), &type) || type != 1) return 0;
    if (!value_get_uint(value_next(&items), &id) || id != msgid) return 0;
    const struct value *error = value_next(&items), *result = value_next(&items);
    *ret_error = value_type(error) == VALUE_NIL ? NULL : error;
    *ret_result = value_type(result) == VALUE_NIL ? NULL : result;
    return (*ret_error == NULL) != (*ret_result == NULL) ? used : 0;
}

/* A frame that is refused as a whole has one response, with msgid 0: everybody's answer. */
static bool frame_refused(const struct batch *batch, const uint8_t *bytes, uint32_t size) {
    const struct value *error, *result;
    if (size == 0 || response_read(bytes, size, 0, &error, &result) != size) return false;
    if (!value_text_equal(value_find(error, "code"), "MALFORMED")) return false;
    for (uint32_t i = 0; i < batch->count; i++) {
        call_finish(&batch->calls[i], CLIENT_OK, error, NULL);
    }
    return true;
}

void batch_answer(const struct batch *batch, const uint8_t *bytes, uint32_t size) {
    uint32_t offset = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct value *error, *result;
        uint32_t used = response_read(bytes + offset, size - offset, batch->calls[i].msgid, &error,
                                      &result);
        if (used == 0) {
            if (i > 0 || !frame_refused(batch, bytes, size)) {
                fail_from(batch, i, CLIENT_BAD_REPLY);
            }
            return;
        }
        call_finish(&batch->calls[i], CLIENT_OK, error, result);
        offset += used;
    }
}
