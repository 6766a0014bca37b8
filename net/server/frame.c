/* frame.c - see frame.h */
#include "net/server/frame.h"

#include <stdlib.h>

#include "engine/base/require.h"
#include "net/server/result.h"

/* Requests that a new frame has room for: the frames of a plain client have one. */
#define FRAME_CAPACITY_FIRST 4u

static void request_init(struct net_request *request, struct frame *frame) {
    request->frame = frame;
    value_writer_init(&request->writer, request->reply_inline, sizeof request->reply_inline,
                      NET_RESPONSE_BYTES_MAX);
}

/* Room for `count` requests. Nothing of the last frame is left. Return: false without memory */
static bool frame_reserve(struct frame *frame, uint32_t count) {
    REQUIRE(count >= 1 && count <= REQUESTS_PER_FRAME_MAX);
    if (count <= frame->capacity) return true;
    uint32_t capacity = frame->capacity ? frame->capacity : FRAME_CAPACITY_FIRST;
    while (capacity < count) capacity *= 2;
    struct net_request *requests = calloc(capacity, sizeof *requests);
    if (!requests) return false;
    /* Writers point into their own request, so requests are made anew, never moved. */
    for (uint32_t i = 0; i < capacity; i++) request_init(&requests[i], frame);
    free(frame->requests);
    frame->requests = requests;
    frame->capacity = capacity;
    return true;
}

int frame_init(struct frame *frame, struct frame_shared *shared, bool admin,
               void (*done)(void *context, struct frame *frame), void *context) {
    *frame = (struct frame){.shared = shared, .done = done, .context = context, .admin = admin};
    arena_init(&frame->arena);
    frame->spans = malloc(REQUESTS_PER_FRAME_MAX * sizeof *frame->spans);
    if (!frame->spans || !frame_reserve(frame, 1)) {
        frame_deinit(frame);
        return NET_NO_MEMORY;
    }
    return 0;
}

void frame_deinit(struct frame *frame) {
    REQUIRE(atomic_load(&frame->pending) == 0);
    for (uint32_t i = 0; i < frame->capacity; i++) value_writer_deinit(&frame->requests[i].writer);
    free(frame->requests);
    free(frame->spans);
    arena_deinit(&frame->arena);
    *frame = (struct frame){0};
}

/* `count` requests are answered. Nothing of the frame may be touched afterwards. */
static void frame_answered(struct frame *frame, uint32_t count) {
    uint32_t before = atomic_fetch_sub(&frame->pending, count);
    REQUIRE(before >= count);
    if (before == count) frame->done(frame->context, frame);
}

/* --- a frame comes in ------------------------------------------------------------------------- */

static void refuse(struct frame *frame, uint32_t index, uint32_t msgid,
                   const struct error_reply *error) {
    struct frame_shared *shared = frame->shared;
    encode_error(&frame->requests[index].writer, msgid, error);
    REQUIRE(!frame->requests[index].writer.on_heap);
    atomic_fetch_add_explicit(&shared->refused, 1, memory_order_relaxed);
    if (error->code == ERROR_BUSY) {
        atomic_fetch_add_explicit(&shared->busy, 1, memory_order_relaxed);
    }
}

/* The requests of a frame, by the shard that serves them; each chain in the order of the frame. */
struct chains {
    struct request *first[SHARDS_MAX];
    struct request *last[SHARDS_MAX];
};

static void chain_append(struct chains *chains, uint32_t shard, struct request *request) {
    REQUIRE(shard < SHARDS_MAX);
    request->next = NULL;
    if (chains->first[shard]) {
        chains->last[shard]->next = request;
    } else {
        chains->first[shard] = request;
    }
    chains->last[shard] = request;
}

/* Return: how many requests were answered with an error here */
static uint32_t frame_decode(struct frame *frame, const uint8_t *bytes, struct chains *chains) {
    const struct net_engine *engine = &frame->shared->engine;
    bool stopping = atomic_load(&frame->shared->stopping);
    uint32_t answered = 0;
    for (uint32_t i = 0; i < frame->count; i++) {
        struct net_request *request = &frame->requests[i];
        const struct decode_span *span = &frame->spans[i];
        struct error_reply error = {.code = ERROR_STOPPING};
        int code = ERROR_STOPPING;
        request->msgid = span->msgid;
        request->request.lsn = 0;
        request->list = (struct reservation_list){0};
        if (!stopping) {
            code = decode_request(bytes, span, frame->admin, &frame->arena,
                                  &request->request.command, &error);
        }
        if (code == ERROR_NONE) {
            uint32_t shard = engine->shard_of(engine->context, &request->request.command);
            chain_append(chains, shard, &request->request);
        } else {
            refuse(frame, i, span->msgid, &error);
            answered++;
        }
    }
    return answered;
}

/* Return: how many requests were answered BUSY here */
static uint32_t frame_submit(struct frame *frame, const struct chains *chains) {
    const struct net_engine *engine = &frame->shared->engine;
    const struct error_reply busy = {.code = ERROR_BUSY, .data = {NET_BUSY_RETRY_MS}};
    uint32_t answered = 0;
    for (uint32_t shard = 0; shard < SHARDS_MAX; shard++) {
        struct request *chain = chains->first[shard];
        if (!chain || engine->submit(engine->context, shard, chain) == 0) continue;
        for (; chain; chain = chain->next) {
            struct net_request *request = (struct net_request *)chain;
            refuse(frame, (uint32_t)(request - frame->requests), request->msgid, &busy);
            answered++;
        }
    }
    return answered;
}

void frame_run(struct frame *frame, const uint8_t *bytes, uint32_t size) {
    struct frame_shared *shared = frame->shared;
    struct chains chains = {0};
    uint32_t answered = 0, offset = 0;
    REQUIRE(atomic_load(&frame->pending) == 0);
    atomic_fetch_add(&shared->in_flight, 1); /* before `stopping` is looked at */
    atomic_fetch_add_explicit(&shared->frames, 1, memory_order_relaxed);
    atomic_store(&frame->lost, false);
    atomic_store(&frame->list_bytes, 0);
    arena_reset(&frame->arena);
    if (size > FRAME_BYTES_MAX ||
        decode_scan(bytes, size, frame->spans, &frame->count, &offset) != VALUE_OK) {
        frame->count = 1;
        atomic_store(&frame->pending, 1);
        atomic_fetch_add_explicit(&shared->malformed, 1, memory_order_relaxed);
        refuse(frame, 0, 0, &(struct error_reply){.code = ERROR_MALFORMED, .data = {offset}});
    } else if (!frame_reserve(frame, frame->count)) {
        frame->count = 0;
        atomic_store(&frame->pending, 1);
        atomic_store(&frame->lost, true);
    } else {
        atomic_store(&frame->pending, frame->count + 1);
        atomic_fetch_add_explicit(&shared->requests, frame->count, memory_order_relaxed);
        answered = frame_decode(frame, bytes, &chains);
        answered += frame_submit(frame, &chains);
    }
    frame_answered(frame, answered + 1);
}

/* --- the reply goes out ----------------------------------------------------------------------- */

uint32_t frame_reply_bytes(const struct frame *frame) {
    uint64_t total = 0;
    if (atomic_load(&frame->lost)) return 0;
    for (uint32_t i = 0; i < frame->count; i++) total += frame->requests[i].writer.size;
    REQUIRE(total <= NET_REPLY_FRAME_BYTES_MAX);
    return (uint32_t)total;
}

const uint8_t *frame_reply_at(const struct frame *frame, uint32_t index, uint32_t *ret_size) {
    REQUIRE(index < frame->count);
    const struct value_writer *writer = &frame->requests[index].writer;
    REQUIRE(!writer->failed && writer->size > 0);
    *ret_size = writer->size;
    return writer->bytes;
}

void frame_recycle(struct frame *frame) {
    REQUIRE(atomic_load(&frame->pending) == 0);
    for (uint32_t i = 0; i < frame->count; i++) {
        struct net_request *request = &frame->requests[i];
        if (!request->writer.on_heap) continue;
        atomic_fetch_sub(&frame->shared->heap_bytes, request->heap_bytes);
        request->heap_bytes = 0;
        value_writer_deinit(&request->writer);
        request_init(request, frame);
    }
    frame->count = 0;
}

bool frame_end(struct frame_shared *shared) {
    uint64_t before = atomic_fetch_sub(&shared->in_flight, 1);
    REQUIRE(before >= 1);
    return before == 1;
}

/* --- the sink --------------------------------------------------------------------------------- */

static void encode_busy(struct net_request *request) {
    const struct error_reply busy = {.code = ERROR_BUSY, .data = {NET_BUSY_RETRY_MS}};
    encode_error(&request->writer, request->msgid, &busy);
    atomic_fetch_add_explicit(&request->frame->shared->busy, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&request->frame->shared->refused, 1, memory_order_relaxed);
}

/* Account for a response that needed memory of its own. */
static void count_heap(struct frame_shared *shared, struct net_request *request) {
    uint32_t heap = request->writer.on_heap ? request->writer.capacity : 0;
    REQUIRE(heap >= request->heap_bytes);
    atomic_fetch_add(&shared->heap_bytes, heap - request->heap_bytes);
    request->heap_bytes = heap;
}

/* Lists may be refused for their size: they changed nothing. Return: true if this one must be */
static bool list_is_too_much(struct net_request *request) {
    struct frame *frame = request->frame;
    uint32_t size = request->writer.size;
    if (request->writer.failed) return true;
    if (atomic_load(&frame->shared->heap_bytes) > NET_REPLY_HEAP_BYTES_MAX) return true;
    uint32_t before = atomic_fetch_add(&frame->list_bytes, size);
    if (before + size <= NET_REPLY_LISTS_BYTES_MAX) return false;
    atomic_fetch_sub(&frame->list_bytes, size);
    return true;
}

void frame_sink_encode(void *context, struct request *request_, const struct reply *reply) {
    struct frame_shared *shared = context;
    struct net_request *request = (struct net_request *)request_;
    struct net_counters counters;
    struct encode_sources sources = {.board = shared->engine.board};
    REQUIRE(request->frame->shared == shared);
    REQUIRE(reply->kind != REPLY_NONE);
    switch (reply->kind) {
    case REPLY_RESERVATION_ITEM:
        encode_reservation_item(&request->writer, request->msgid, reply, &request->list);
        return;
    case REPLY_RESERVATION_END:
        encode_reservation_end(&request->writer, request->msgid, &request->list);
        break;
    case REPLY_STATS:
        frame_counters(shared, &counters);
        sources.counters = &counters;
        sources.figures = shared->engine.figures;
        sources.durable_lsn = shared->engine.journal.durable_lsn(shared->engine.journal.context);
        /* fall through */
    default: encode_reply(&request->writer, request->msgid, reply, &sources, &request->request.lsn);
    }
    count_heap(shared, request);
    if (encode_is_list(reply->kind)) {
        if (list_is_too_much(request)) encode_busy(request);
    } else if (request->writer.failed) {
        atomic_store(&request->frame->lost, true);
    }
}

void frame_sink_release(void *context, struct request *request_) {
    struct net_request *request = (struct net_request *)request_;
    REQUIRE(request->frame->shared == context);
    REQUIRE(request->writer.size > 0 || atomic_load(&request->frame->lost));
    frame_answered(request->frame, 1);
}

void frame_counters(struct frame_shared *shared, struct net_counters *ret_counters) {
    *ret_counters = (struct net_counters){
        .frames = atomic_load(&shared->frames),
        .requests = atomic_load(&shared->requests),
        .malformed = atomic_load(&shared->malformed),
        .refused = atomic_load(&shared->refused),
        .busy = atomic_load(&shared->busy),
        .replies_dropped = atomic_load(&shared->replies_dropped),
        .frames_in_flight = atomic_load(&shared->in_flight),
    };
    if (shared->counters) shared->counters(shared->counters_context, ret_counters);
}
