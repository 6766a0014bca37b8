/* fuzz_frame.c - frames of requests, from their bytes to the replies of a real engine
 *
 * Input: any number of frames: u8 head, u16 size, bytes. The head says on which listener the frame
 * comes in, how much time passes before it, and how badly the journal behaves (HEAD_*).
 *
 * What must hold, whatever the bytes are:
 * - every frame is answered, once; not before what it waits for is durable
 * - a frame of n well-formed values gets n responses in its order, or the one of a malformed frame;
 *   each is a whole MessagePack value with the request's msgid and either error or result
 * - the journal holds what the engine did: replayed from nothing it gives the same state hash, each
 *   partition's hash is that of a walk over its state, and points are conserved
 * - no request changes whether any of this holds: tokens are not secret here (entropy is constant),
 *   so the fuzzer gets behind the guard
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "engine/domain/decision.h"
#include "engine/runtime/engine.h"
#include "net/frame.h"
#include "net/limits.h"

#define FRAMES_MAX 64u
#define BEGIN_MS 1800000000000ull
#define ROUNDS_MAX 100000u
#define JOURNAL_BYTES_MAX (16u * 1024u * 1024u)

enum {
    HEAD_ADMIN = 0x01,
    HEAD_FULL = 0x02, /* the journal has no room for the first two appends */
    HEAD_SLOW = 0x04, /* what is appended is durable a few rounds later */
    HEAD_TIME_SHIFT = 3,
};
static const uint64_t passes_ms[] = {0, 1, 200, 3000, 60000, 600000, 7200000, 86400000};

struct bench {
    struct engine *engine;
    struct frame_shared shared;
    struct frame frames[2]; /* public, admin */
    uint8_t *journal;
    uint64_t journal_size, journal_capacity, durable_lsn;
    uint64_t now_ms;
    uint32_t full; /* appends still to refuse */
    uint32_t done; /* frames answered */
};

/* --- the engine's ports -------------------------------------------------------------------- */

static int append(void *context, uint32_t appender, const uint8_t *bytes, uint32_t size,
                  uint64_t *ret_lsn) {
    struct bench *bench = context;
    REQUIRE(appender == 0 && size >= RECORD_HEADER_BYTES && size <= DRAIN_BYTES_MAX);
    if (bench->full > 0) {
        bench->full--;
        return JOURNAL_FULL;
    }
    while (bench->journal_size + size > bench->journal_capacity) {
        bench->journal_capacity = bench->journal_capacity ? bench->journal_capacity * 2 : 4096;
        bench->journal = realloc(bench->journal, bench->journal_capacity);
        REQUIRE(bench->journal != NULL);
    }
    memcpy(bench->journal + bench->journal_size, bytes, size);
    bench->journal_size += size;
    *ret_lsn = bench->journal_size;
    return 0;
}

static uint64_t durable_lsn(void *context) { return ((struct bench *)context)->durable_lsn; }
static uint64_t now_ms(void *context) { return ((struct bench *)context)->now_ms; }

/* The same secret for all, so that the fuzzer can know it. */
static void fill(void *context, void *bytes, uint32_t size) {
    (void)context;
    memset(bytes, 0, size);
    ((uint8_t *)bytes)[0] = 1;
}

static uint32_t shard_of(void *context, const struct command *command) {
    return engine_shard_of(((struct bench *)context)->engine, command);
}

static int submit(void *context, uint32_t shard, struct request *chain) {
    return engine_submit(((struct bench *)context)->engine, shard, chain);
}

static void release(void *context, struct request *request) {
    struct bench *bench = context;
    REQUIRE(request->lsn <= bench->durable_lsn);
    frame_sink_release(&bench->shared, request);
}

static void encode(void *context, struct request *request, const struct reply *reply) {
    frame_sink_encode(&((struct bench *)context)->shared, request, reply);
}

static void done(void *context, struct frame *frame) {
    (void)frame; /* asked for its reply by answer_is_right() */
    ((struct bench *)context)->done++;
}

static void bench_open(struct bench *bench) {
    struct id128 seed = {{1}};
    *bench = (struct bench){.now_ms = BEGIN_MS};
    struct engine_options options = {
        .shards = 1,
        .world = world_create(&seed),
        .journal = {bench, append, durable_lsn},
        .sink = {bench, encode, release},
        .clock = {bench, now_ms},
        .entropy = {bench, fill},
    };
    bench->engine = engine_open(&options);
    bench->shared.engine = (struct net_engine){bench, shard_of, submit, engine_board(bench->engine),
                                               options.journal};
    for (uint32_t i = 0; i < 2; i++) {
        REQUIRE(frame_init(&bench->frames[i], &bench->shared, i == 1, done, bench) == 0);
    }
}

static void bench_close(struct bench *bench) {
    REQUIRE(atomic_load(&bench->shared.in_flight) == 0);
    REQUIRE(atomic_load(&bench->shared.heap_bytes) == 0);
    for (uint32_t i = 0; i < 2; i++) frame_deinit(&bench->frames[i]);
    engine_close(bench->engine);
    free(bench->journal);
}

/* --- one frame ----------------------------------------------------------------------------- */

static void response_is_right(struct value_document *document, const uint8_t *bytes, uint32_t size,
                              uint32_t msgid, bool refused) {
    const struct value *response, *error;
    uint32_t used;
    uint64_t number;
    REQUIRE(value_parse(document, bytes, size, &response, &used) == VALUE_OK && used == size);
    REQUIRE(value_type(response) == VALUE_ARRAY && value_count(response) == 4);
    REQUIRE(value_get_uint(value_at(response, 0), &number) && number == 1);
    REQUIRE(value_get_uint(value_at(response, 1), &number) && number == msgid);
    error = value_at(response, 2);
    REQUIRE((value_type(error) == VALUE_NIL) != (value_type(value_at(response, 3)) == VALUE_NIL));
    REQUIRE(value_type(error) == VALUE_NIL || value_type(value_find(error, "code")) == VALUE_TEXT);
    REQUIRE(value_text_equal(value_find(error, "code"), "MALFORMED") == refused);
}

/* Values of the frame, counted by another walk than the decoder's; 0: it is no row of values */
static uint32_t count_values(const uint8_t *bytes, uint32_t size) {
    uint32_t count = 0, used;
    for (uint32_t at = 0; at < size; at += used, count++) {
        if (value_scan(bytes + at, size - at, &used) != VALUE_OK) return 0;
    }
    return count;
}

static void answer_is_right(struct frame *frame, const uint8_t *bytes, uint32_t size) {
    struct value_document *document = value_document_open();
    bool refused = atomic_load(&frame->shared->malformed) > 0;
    uint32_t total = 0;
    REQUIRE(document != NULL);
    REQUIRE(frame->count == (refused ? 1 : count_values(bytes, size)));
    for (uint32_t i = 0; i < frame->count; i++) {
        uint32_t response_size;
        const uint8_t *response = frame_reply_at(frame, i, &response_size);
        response_is_right(document, response, response_size, refused ? 0 : frame->requests[i].msgid,
                          refused);
        total += response_size;
    }
    REQUIRE(total == frame_reply_bytes(frame));
    value_document_close(document);
}

static void run_frame(struct bench *bench, uint8_t head, const uint8_t *bytes, uint32_t size) {
    struct frame *frame = &bench->frames[head & HEAD_ADMIN ? 1 : 0];
    uint32_t slow = head & HEAD_SLOW ? 3 : 0;
    bench->now_ms += passes_ms[head >> HEAD_TIME_SHIFT & 7];
    bench->full = head & HEAD_FULL ? 2 : 0;
    bench->done = 0;
    atomic_store(&bench->shared.malformed, 0);
    frame_run(frame, bytes, size);
    uint32_t rounds = 0;
    bool moved = true;
    while (bench->done == 0 || moved || bench->full > 0 || slow > 0) {
        moved = engine_step(bench->engine, 0) > 0;
        if (slow > 0) {
            slow--;
        } else {
            moved = moved || bench->durable_lsn != bench->journal_size;
            bench->durable_lsn = bench->journal_size;
        }
        if (!moved && bench->full > 0) bench->full--; /* nothing was appended */
        REQUIRE(++rounds < ROUNDS_MAX);
    }
    REQUIRE(bench->done == 1);
    answer_is_right(frame, bytes, size);
    frame_recycle(frame);
    REQUIRE(frame_end(frame));
}

/* --- the journal --------------------------------------------------------------------------- */

static void partition_is_right(const struct partition *partition) {
    if (!partition) return;
    REQUIRE(partition_hash(partition) == partition_hash_recount(partition));
}

static void journal_is_right(struct bench *bench) {
    struct id128 other_seed = {{7}};
    struct world *world = world_create(&other_seed);
    for (uint64_t at = 0; at < bench->journal_size;) {
        struct decision decision;
        uint32_t size;
        memcpy(&size, bench->journal + at, sizeof size);
        REQUIRE(size <= bench->journal_size - at);
        REQUIRE(decision_decode(bench->journal + at, size, &decision) == DECISION_DECODE_OK);
        REQUIRE(world_apply(world, &decision) == WORLD_APPLIED);
        at += size;
    }
    REQUIRE(world_hash(world) == engine_world_hash(bench->engine));
    partition_is_right(world->catalogue);
    for (uint32_t i = 0; i < ACCOUNT_PARTITIONS; i++) partition_is_right(world->accounts[i]);
    for (uint32_t i = 1; i <= world->date_count; i++) partition_is_right(world->dates[i]);
    struct money_totals money;
    world_money(world, &money);
    REQUIRE(money.charged == money.balances + money.reserved + money.spent - money.refunded);
    world_free(world);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct input input = {bytes, size};
    static struct bench bench; /* large; made anew for each input */
    bench_open(&bench);
    for (uint32_t i = 0; i < FRAMES_MAX && input.left > 0; i++) {
        uint8_t head = input_u8(&input);
        size_t frame_size;
        const uint8_t *frame = input_bytes(&input, input_u16(&input), &frame_size);
        if (bench.journal_size > JOURNAL_BYTES_MAX) break;
        /* Of its own, so that reading beyond its end is seen. */
        uint8_t *copy = malloc(frame_size > 0 ? frame_size : 1);
        REQUIRE(copy != NULL);
        memcpy(copy, frame, frame_size);
        run_frame(&bench, head, copy, (uint32_t)frame_size);
        free(copy);
    }
    engine_log_hashes(bench.engine, 0);
    run_frame(&bench, 0, (const uint8_t *)"", 0);
    journal_is_right(&bench);
    bench_close(&bench);
    return 0;
}
