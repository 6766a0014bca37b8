/* bench_instructions.c - one operation many times over, for a tool that counts instructions
 *
 *     bench_instructions             the operations and what each is, one a line
 *     bench_instructions OPERATION   warms up, then does it in measured_steps(); prints how many
 *                                    were done there
 *
 * bench/instructions runs it under valgrind, which counts only inside measured_steps(), and
 * compares with the figures in bench/instructions.txt. A count of instructions does not depend on
 * what else the machine does, so that a change for the worse of a few per cent can fail a build.
 *
 * Everything is the engine's own code as the daemon runs it: the domain as a shard drives it
 * (stepper.h), frames decoded and answered by net, a real shard stepped by hand, a real log on a
 * disk in memory. No socket, no thread, no clock, no randomness: the same program counts the same
 * twice.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/stepper.h"
#include "engine/base/require.h"
#include "engine/runtime/engine.h"
#include "net/server/frame.h"
#include "net/protocol/text.h"
#include "replay/source/recover.h"
#include "replay/source/source_wal.h"
#include "tests/support/storage_memory.h"
#include "wal/wal.h"

#define WARM 500u     /* steps before those that count: tables and pools have their size */
#define COUNTED 2000u /* steps that count */
#define STEPS (WARM + COUNTED)
#define MANY 64u       /* requests or records of the larger frames and drains */
#define LINE 10000u    /* waiters in line before the first step */
#define ACTIVE 1000u   /* of the date of whole bookings */
#define BOOKINGS 2000u /* in the log that is replayed */
#define HOLD_TTL_MS 300000u
#define SEGMENT_BYTES (32u * 1024u * 1024u) /* one is enough for a run */

struct work {
    struct stepper *stepper;
    struct partition *date;
    struct token *tokens;   /* of each user */
    uint64_t *reservations; /* of each user */
    /* net */
    uint8_t *bytes; /* frames, one after the other */
    uint32_t *ends;
    uint32_t frames, per_frame;
    struct decode_span spans[REQUESTS_PER_FRAME_MAX];
    struct arena arena;
    struct value_writer writer;
    uint8_t reply[NET_REPLY_INLINE_BYTES * MANY];
    uint32_t reply_bytes;
    /* log */
    struct storage *storage;
    struct wal *wal;
    uint32_t drain_bytes;
    uint8_t drain[MANY * RECORD_BYTES_MAX];
    uint64_t records; /* in the log that is replayed */
    /* a whole request */
    struct engine *engine;
    struct frame_shared shared;
    struct frame frame;
    uint64_t answered; /* requests */
    uint64_t sum;      /* of what came out, so that it is made */
};

struct operation {
    const char *name, *what;
    uint32_t warm, counted; /* steps */
    uint32_t per_step;      /* operations of a step; 0: work->records */
    uint32_t decisions;     /* of a step, as the stepper counts them */
    void (*prepare)(struct work *work, const struct operation *operation);
    void (*step)(struct work *work, uint32_t n); /* n: 0..warm + counted - 1 */
};

/* Each seat once, in shuffled order. */
static uint32_t seat_of(uint32_t n, uint32_t seats) { return (uint32_t)(n * 48271ull % seats) + 1; }

/* --- the domain: decide, encode the record, apply, what follows at once ----------------------- */

static void prepare_line(struct work *work, const struct operation *operation) {
    (void)operation;
    work->date = stepper_date(work->stepper, 1, 0);
    work->tokens = calloc(LINE, sizeof *work->tokens);
    REQUIRE(work->tokens != NULL);
    for (uint32_t n = 0; n < LINE; n++) {
        work->tokens[n] = stepper_enter(work->stepper, work->date, n);
    }
}

static void step_enter(struct work *work, uint32_t n) {
    (void)stepper_enter(work->stepper, work->date, LINE + n);
}

static void step_poll(struct work *work, uint32_t n) {
    struct command command = {.kind = COMMAND_QUEUE_STATUS, .partition = work->date->id};
    struct stepper *stepper = work->stepper;
    struct reply reply;
    command.queue.token = work->tokens[seat_of(n, LINE) - 1];
    partition_heard(work->date, &command, stepper->now_ms);
    partition_decide(work->date, &command, stepper->now_ms, &stepper->verdict);
    partition_answer(work->date, &command, &stepper->verdict, stepper->now_ms, &reply);
    work->sum += reply.token.ahead;
}

/* As many active users as seats. */
static void prepare_hall(struct work *work, uint32_t seats) {
    work->date = stepper_date(work->stepper, seats, seats);
    work->tokens = calloc(seats, sizeof *work->tokens);
    work->reservations = calloc(seats, sizeof *work->reservations);
    REQUIRE(work->tokens != NULL && work->reservations != NULL);
    for (uint32_t n = 0; n < seats; n++) {
        work->tokens[n] = stepper_enter(work->stepper, work->date, n);
    }
}

static void prepare_free(struct work *work, const struct operation *operation) {
    (void)operation;
    prepare_hall(work, STEPS);
}

static void step_hold(struct work *work, uint32_t n) {
    work->reservations[n] = stepper_hold(work->stepper, work->date, &work->tokens[n],
                                         seat_of(n, STEPS));
}

/* Every user has a seat; each hold a millisecond after the one before. */
static void prepare_held(struct work *work, const struct operation *operation) {
    prepare_free(work, operation);
    for (uint32_t n = 0; n < STEPS; n++, work->stepper->now_ms++) step_hold(work, n);
}

static void step_hold_refused(struct work *work, uint32_t n) {
    uint64_t taken = stepper_hold(work->stepper, work->date, &work->tokens[n],
                                  seat_of(n + 1, STEPS));
    REQUIRE(taken == 0);
}

static void step_release(struct work *work, uint32_t n) {
    stepper_release(work->stepper, work->date, &work->tokens[n], work->reservations[n]);
}

static void prepare_expire(struct work *work, const struct operation *operation) {
    prepare_held(work, operation);
    work->stepper->now_ms += HOLD_TTL_MS - STEPS - 1;
}

/* One hold comes to its end. */
static void step_expire(struct work *work, uint32_t n) {
    (void)n;
    work->stepper->now_ms++;
    stepper_due(work->stepper, work->date);
}

static void book(struct work *work, uint32_t n) {
    struct stepper *stepper = work->stepper;
    struct token token = stepper_enter(stepper, work->date, n);
    stepper_charge(stepper, n, 100);
    stepper_pay(stepper, work->date, &token, stepper_hold(stepper, work->date, &token, n + 1));
}

static void prepare_booking(struct work *work, const struct operation *operation) {
    (void)operation;
    work->date = stepper_date(work->stepper, STEPS, ACTIVE);
}

/* --- one record ------------------------------------------------------------------------------- */

static void prepare_record(struct work *work, const struct operation *operation) {
    prepare_free(work, operation);
    step_hold(work, 0);
}

static void step_record(struct work *work, uint32_t n) {
    struct decision *decision = &work->stepper->verdict.decisions[0];
    decision->seats_held.reservation = n;
    work->sum += decision_encode(decision, work->drain);
}

/* --- frames ----------------------------------------------------------------------------------- */

static void write_hold(struct work *work, struct value_writer *frame, uint32_t n) {
    char text[TOKEN_TEXT_BYTES];
    token_format(&work->tokens[n], text);
    value_write_array(frame, 4);
    value_write_uint(frame, 0);
    value_write_uint(frame, n);
    value_write_text(frame, "seats.hold");
    value_write_map(frame, 2);
    value_write_text(frame, "token");
    value_write_text_bytes(frame, text, sizeof text);
    value_write_text(frame, "seats");
    value_write_array(frame, 1);
    value_write_uint(frame, seat_of(n, work->frames * work->per_frame));
}

/* A frame of holds for each step, and a hall in which all of them are possible. */
static void prepare_frames(struct work *work, const struct operation *operation) {
    struct value_writer writer;
    work->frames = operation->warm + operation->counted;
    work->per_frame = operation->per_step;
    prepare_hall(work, work->frames * work->per_frame);
    work->ends = calloc(work->frames, sizeof *work->ends);
    REQUIRE(work->ends != NULL);
    arena_init(&work->arena);
    value_writer_init(&writer, NULL, 0, UINT32_MAX);
    for (uint32_t i = 0; i < work->frames; i++) {
        for (uint32_t j = 0; j < work->per_frame; j++) {
            write_hold(work, &writer, i * work->per_frame + j);
        }
        work->ends[i] = writer.size;
    }
    REQUIRE(!writer.failed);
    work->bytes = writer.bytes;
}

static const uint8_t *frame_at(const struct work *work, uint32_t n, uint32_t *ret_size) {
    uint32_t begin = n ? work->ends[n - 1] : 0;
    *ret_size = work->ends[n] - begin;
    return work->bytes + begin;
}

static void step_decode(struct work *work, uint32_t n) {
    uint32_t size, count, offset;
    const uint8_t *bytes = frame_at(work, n, &size);
    struct command command;
    struct error_reply error;
    arena_reset(&work->arena);
    REQUIRE(decode_scan(bytes, size, work->spans, &count, &offset) == VALUE_OK);
    for (uint32_t i = 0; i < count; i++) {
        const struct decode_span *span = &work->spans[i];
        REQUIRE(decode_request(bytes, span, false, &work->arena, &command, &error) == ERROR_NONE);
        work->sum += command.hold.seats[0].number;
    }
}

static void encode(struct work *work, uint32_t msgid, const struct reply *reply) {
    const struct encode_sources sources = {0};
    uint64_t lsn = 0;
    encode_reply(&work->writer, msgid, reply, &sources, &lsn);
    work->sum += work->writer.size;
}

static void prepare_replies(struct work *work, const struct operation *operation) {
    prepare_held(work, operation);
    value_writer_init(&work->writer, work->reply, NET_REPLY_INLINE_BYTES, NET_RESPONSE_BYTES_MAX);
}

static void step_reply_hold(struct work *work, uint32_t n) {
    const struct date *date = (const struct date *)work->date;
    struct reply reply = {.kind = REPLY_RESERVATION, .now_ms = work->stepper->now_ms};
    reply.reservation.date = date;
    reply.reservation.reservation = reservations_find(&date->reservations, n + 1);
    encode(work, n, &reply);
}

static void step_reply_poll(struct work *work, uint32_t n) {
    const struct reply reply = {.kind = REPLY_TOKEN,
                                .now_ms = work->stepper->now_ms,
                                .token = {.token = work->tokens[n],
                                          .state = TOKEN_WAITING,
                                          .ahead = n,
                                          .eta_ms = 1000ull * n,
                                          .next_poll_ms = 5000,
                                          .expires_at = work->stepper->now_ms + 60000}};
    encode(work, n, &reply);
}

/* --- the log ---------------------------------------------------------------------------------- */

static uint64_t clock_now(void *context) { return ((struct stepper *)context)->now_ms; }
static void entropy_fill(void *context, void *bytes, uint32_t size) {
    (void)context;
    memset(bytes, 42, size);
}

static void open_log(struct work *work) {
    REQUIRE(storage_memory_open(&work->storage) == 0);
    struct wal_options options = {.storage = work->storage,
                                  .clock = {work->stepper, clock_now},
                                  .entropy = {NULL, entropy_fill},
                                  .segment_bytes = SEGMENT_BYTES,
                                  .appenders = 1};
    struct wal_error error;
    REQUIRE(wal_open(&options, NULL, &work->wal, &error) == 0);
}

static void make_durable(struct work *work) {
    while (wal_durable_lsn(work->wal) < wal_appended_lsn(work->wal)) {
        REQUIRE(wal_writer_step(work->wal, false) >= 0);
    }
}

static void append(void *context, const uint8_t *bytes, uint32_t size) {
    struct work *work = context;
    uint64_t lsn;
    REQUIRE(wal_append(work->wal, 0, bytes, size, &lsn) == 0);
    make_durable(work);
}

static void prepare_append(struct work *work, const struct operation *operation) {
    prepare_record(work, operation);
    const struct decision *decision = &work->stepper->verdict.decisions[0];
    for (uint32_t i = 0; i < operation->per_step; i++) {
        work->drain_bytes += decision_encode(decision, work->drain + work->drain_bytes);
    }
    open_log(work);
}

static void step_append(struct work *work, uint32_t n) {
    (void)n;
    append(work, work->drain, work->drain_bytes);
}

static void prepare_replay(struct work *work, const struct operation *operation) {
    (void)operation;
    open_log(work);
    work->stepper->flush = append;
    work->stepper->flush_context = work;
    work->stepper->log_capacity = 16u * 1024u + RECORD_BYTES_MAX;
    work->date = stepper_date(work->stepper, BOOKINGS, ACTIVE);
    for (uint32_t n = 0; n < BOOKINGS; n++) book(work, n);
    stepper_flush(work->stepper);
    REQUIRE(wal_stop(work->wal) == 0);
    work->records = work->stepper->decisions;
}

static void step_replay(struct work *work, uint32_t n) {
    static const struct id128 seed = {{3}};
    struct source_wal source;
    struct record_source port;
    struct recover_result result;
    struct recover_error error;
    struct world *world = world_create(&seed);
    (void)n;
    source_wal_init(&source, work->storage, NULL, NULL, WAL_READER_NO_LIMIT, &port);
    REQUIRE(recover(&port, world, NULL, &result, &error) == 0);
    REQUIRE(result.records == work->records);
    REQUIRE(result.world_hash == world_hash(work->stepper->world));
    source_wal_deinit(&source);
    world_free(world);
}

/* --- a whole request, from the frame's bytes to the reply's ----------------------------------- */

static void collect_reply(void *context, struct frame *frame) {
    struct work *work = context;
    work->reply_bytes = 0;
    REQUIRE(frame_reply_bytes(frame) <= sizeof work->reply);
    for (uint32_t i = 0; i < frame->count; i++) {
        uint32_t size;
        const uint8_t *bytes = frame_reply_at(frame, i, &size);
        memcpy(work->reply + work->reply_bytes, bytes, size);
        work->reply_bytes += size;
    }
    work->answered += frame->count;
    frame_recycle(frame);
    (void)frame_end(frame->shared); /* nobody waits for the last one */
}

static void prepare_requests(struct work *work, const struct operation *operation) {
    prepare_frames(work, operation);
    open_log(work);
    struct engine_options options = {.shards = 1,
                                     .world = work->stepper->world,
                                     .sink = {&work->shared, frame_sink_encode, frame_sink_release},
                                     .clock = {work->stepper, clock_now},
                                     .entropy = {NULL, entropy_fill}};
    wal_journal(work->wal, &options.journal);
    work->engine = engine_open(&options);
    net_engine_init(&work->shared.engine, work->engine, &options.journal);
    REQUIRE(frame_init(&work->frame, &work->shared, false, collect_reply, work) == 0);
}

static void step_request(struct work *work, uint32_t n) {
    uint32_t size;
    const uint8_t *bytes = frame_at(work, n, &size);
    uint64_t before = work->answered;
    frame_run(&work->frame, bytes, size);
    (void)engine_step(work->engine, 0); /* decides and appends */
    make_durable(work);
    (void)engine_step(work->engine, 0); /* releases */
    REQUIRE(work->answered == before + work->per_frame);
}

/* After a whole request nothing may have been refused: all holds are in the log. */
static void check_requests(const struct work *work, const struct operation *operation) {
    struct shard_counters counters;
    if (!work->engine) return;
    board_read_shards(engine_board(work->engine), &counters);
    REQUIRE(counters.refusals == 0);
    REQUIRE(counters.decisions >= (operation->warm + operation->counted) * operation->per_step);
}

/* --- the table and the run -------------------------------------------------------------------- */

static const struct operation operations[] = {
    {"enter", "a fan enters a line of 10,000", WARM, COUNTED, 1, 1, prepare_line, step_enter},
    {"poll", "one of 10,000 waiters asks; no record", WARM, COUNTED, 1, 0, prepare_line, step_poll},
    {"hold", "a free seat of 2,500", WARM, COUNTED, 1, 1, prepare_free, step_hold},
    {"hold_refused", "a seat that is taken; a record as well", WARM, COUNTED, 1, 1, prepare_held,
     step_hold_refused},
    {"release", "a seat is given back", WARM, COUNTED, 1, 1, prepare_held, step_release},
    {"expire", "a hold's time is over", WARM, COUNTED, 1, 1, prepare_expire, step_expire},
    {"booking", "enter, admitted, charge, hold, pay: eight decisions", WARM, COUNTED, 1, 8,
     prepare_booking, book},
    {"record", "the record of a hold, to bytes", WARM, COUNTED, 1, 0, prepare_record, step_record},
    {"decode_1", "a frame of one hold, to a command", WARM, COUNTED, 1, 0, prepare_frames,
     step_decode},
    {"decode_64", "one hold of a frame of 64", 10, 30, MANY, 0, prepare_frames, step_decode},
    {"reply_hold", "the answer to a hold, to bytes", WARM, COUNTED, 1, 0, prepare_replies,
     step_reply_hold},
    {"reply_poll", "the answer to a poll, to bytes", WARM, COUNTED, 1, 0, prepare_replies,
     step_reply_poll},
    {"append_1", "one record a block: log buffer, block, disk in memory", WARM, COUNTED, 1, 0,
     prepare_append, step_append},
    {"append_64", "one record of 64 in a block", 100, 500, MANY, 0, prepare_append, step_append},
    {"request_1", "a hold from frame to durable reply, one a frame and a block", WARM, COUNTED, 1,
     0, prepare_requests, step_request},
    {"request_64", "the same, one of a frame of 64", 10, 30, MANY, 0, prepare_requests,
     step_request},
    {"replay", "a record of 2,000 bookings read, checked, applied; state freed", 1, 1, 0, 0,
     prepare_replay, step_replay},
};
#define OPERATIONS (sizeof operations / sizeof operations[0])

/* measured_steps - what is counted: the counting tool knows this function by its name
 * Its own instructions, less than ten a step, count too. */
void measured_steps(const struct operation *operation, struct work *work);

__attribute__((noinline)) void measured_steps(const struct operation *operation,
                                              struct work *work) {
    for (uint32_t i = 0; i < operation->counted; i++) operation->step(work, operation->warm + i);
}

/* Return: operations that were counted. Memory is left to the process's end. */
static uint64_t run(const struct operation *operation) {
    static struct work work;
    work.stepper = stepper_new(NULL);
    operation->prepare(&work, operation);
    uint64_t before = work.stepper->decisions;
    for (uint32_t i = 0; i < operation->warm; i++) operation->step(&work, i);
    measured_steps(operation, &work);
    uint64_t steps = operation->warm + operation->counted;
    REQUIRE(work.stepper->decisions - before == steps * operation->decisions);
    check_requests(&work, operation);
    return operation->counted * (operation->per_step ? operation->per_step : work.records);
}

int main(int count, char **arguments) {
    for (uint32_t i = 0; i < OPERATIONS; i++) {
        if (count == 1) {
            printf("%s %s\n", operations[i].name, operations[i].what);
        } else if (strcmp(arguments[1], operations[i].name) == 0) {
            printf("%llu\n", (unsigned long long)run(&operations[i]));
            return 0;
        }
    }
    if (count == 1) return 0;
    (void)fprintf(stderr, "bench_instructions: \"%s\" is none of its operations\n", arguments[1]);
    return 2;
}
