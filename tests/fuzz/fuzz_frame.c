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

#include "net/server/frame.h"
#include "tests/fuzz/fuzz_fixture.h"

#define FRAMES_MAX 64u
#define JOURNAL_BYTES_MAX (16u * 1024u * 1024u)

enum {
    HEAD_ADMIN = 0x01,
    HEAD_FULL = 0x02, /* the journal has no room for the first two appends */
    HEAD_SLOW = 0x04, /* what is appended is durable a few rounds later */
    HEAD_TIME_SHIFT = 3,
};
static const uint64_t passes_ms[] = {0, 1, 200, 3000, 60000, 600000, 7200000, 86400000};

/* Both listeners of an engine. */
struct door {
    struct fuzz_fixture fixture;
    struct frame_shared shared;
    struct frame frames[2]; /* public, admin */
    uint32_t done;          /* frames answered */
};

static uint32_t shard_of(void *context, const struct command *command) {
    return engine_shard_of(((struct door *)context)->fixture.engine, command);
}

static int submit(void *context, uint32_t shard, struct request *chain) {
    return engine_submit(((struct door *)context)->fixture.engine, shard, chain);
}

static void done(void *context, struct frame *frame) {
    (void)frame; /* asked for its reply by answer_is_right() */
    ((struct door *)context)->done++;
}

static void door_open(struct door *door) {
    struct id128 seed = {{1}};
    struct reply_sink sink = {&door->shared, frame_sink_encode, frame_sink_release};
    memset(door, 0, sizeof *door);
    fuzz_fixture_open(&door->fixture, world_create(&seed), FUZZ_BEGIN_MS, &sink);
    door->shared.engine = (struct net_engine){.context = door,
                                              .shard_of = shard_of,
                                              .submit = submit,
                                              .board = engine_board(door->fixture.engine),
                                              .journal = door->fixture.journal_port};
    for (uint32_t i = 0; i < 2; i++) {
        REQUIRE(frame_init(&door->frames[i], &door->shared, i == 1, done, door) == 0);
    }
}

static void door_close(struct door *door) {
    REQUIRE(atomic_load(&door->shared.in_flight) == 0);
    REQUIRE(atomic_load(&door->shared.heap_bytes) == 0);
    for (uint32_t i = 0; i < 2; i++) frame_deinit(&door->frames[i]);
    fuzz_fixture_close(&door->fixture);
}

/* --- one frame -------------------------------------------------------------------------------- */

static void response_is_right(const uint8_t *bytes, uint32_t size, uint32_t msgid, bool refused) {
    const struct value *response, *error;
    uint32_t used;
    uint64_t number;
    REQUIRE(value_parse(bytes, size, &response, &used) == VALUE_OK && used == size);
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
    bool refused = atomic_load(&frame->shared->malformed) > 0;
    uint32_t total = 0;
    REQUIRE(frame->count == (refused ? 1 : count_values(bytes, size)));
    for (uint32_t i = 0; i < frame->count; i++) {
        uint32_t response_size;
        const uint8_t *response = frame_reply_at(frame, i, &response_size);
        response_is_right(response, response_size, refused ? 0 : frame->requests[i].msgid, refused);
        total += response_size;
    }
    REQUIRE(total == frame_reply_bytes(frame));
}

static void run_frame(struct door *door, uint8_t head, const uint8_t *bytes, uint32_t size) {
    struct frame *frame = &door->frames[head & HEAD_ADMIN ? 1 : 0];
    door->fixture.now_ms += passes_ms[head >> HEAD_TIME_SHIFT & 7];
    door->fixture.full = head & HEAD_FULL ? 2 : 0;
    door->fixture.slow = head & HEAD_SLOW ? 3 : 0;
    door->done = 0;
    atomic_store(&door->shared.malformed, 0);
    frame_run(frame, bytes, size);
    fuzz_fixture_run(&door->fixture);
    REQUIRE(door->done == 1);
    answer_is_right(frame, bytes, size);
    frame_recycle(frame);
    REQUIRE(frame_end(frame->shared));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static struct door door; /* large; made anew for each input */
    struct input input = {bytes, size};
    door_open(&door);
    for (uint32_t i = 0; i < FRAMES_MAX && input.left > 0; i++) {
        uint8_t head = input_u8(&input);
        size_t frame_size;
        const uint8_t *frame = input_bytes(&input, input_u16(&input), &frame_size);
        if (door.fixture.journal_size > JOURNAL_BYTES_MAX) break;
        /* Of its own, so that reading beyond its end is seen. */
        uint8_t *copy = malloc(frame_size > 0 ? frame_size : 1);
        REQUIRE(copy != NULL);
        memcpy(copy, frame, frame_size);
        run_frame(&door, head, copy, (uint32_t)frame_size);
        free(copy);
    }
    engine_log_hashes(door.fixture.engine, 0);
    fuzz_fixture_run(&door.fixture);
    struct id128 other_seed = {{7}};
    struct world *world = world_create(&other_seed);
    fuzz_fixture_replay(&door.fixture, world);
    world_free(world);
    door_close(&door);
    return 0;
}
