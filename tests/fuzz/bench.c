#include "tests/fuzz/bench.h"

#include <stdlib.h>

#include "engine/domain/decision.h"
#include "engine/base/require.h"

#define ROUNDS_MAX 1000000u

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

static void fill(void *context, void *bytes, uint32_t size) {
    (void)context;
    memset(bytes, 1, size);
}

static void encode(void *context, struct request *request, const struct reply *reply) {
    struct bench *bench = context;
    bench->sink.encode(bench->sink.context, request, reply);
}

static void release(void *context, struct request *request) {
    struct bench *bench = context;
    REQUIRE(request->lsn <= bench->durable_lsn);
    bench->sink.release(bench->sink.context, request);
}

void bench_open(struct bench *bench, struct world *world, uint64_t begin_ms,
                const struct reply_sink *sink) {
    *bench = (struct bench){.now_ms = begin_ms, .sink = *sink};
    bench->journal_port = (struct journal){bench, append, durable_lsn};
    struct engine_options options = {
        .shards = 1,
        .world = world,
        .journal = bench->journal_port,
        .sink = {bench, encode, release},
        .clock = {bench, now_ms},
        .entropy = {bench, fill},
    };
    bench->engine = engine_open(&options);
}

void bench_close(struct bench *bench) {
    engine_close(bench->engine);
    free(bench->journal);
}

void bench_run(struct bench *bench) {
    bool moves = true;
    for (uint32_t rounds = 0; moves; rounds++) {
        REQUIRE(rounds < ROUNDS_MAX);
        bool was_full = bench->full > 0;
        moves = engine_step(bench->engine, 0) > 0 || was_full ||
                bench->durable_lsn != bench->journal_size;
        if (bench->slow > 0) {
            bench->slow--;
        } else {
            bench->durable_lsn = bench->journal_size;
            /* Where nothing was appended, nobody has met a full journal. */
            if (bench->full > 0) bench->full--;
        }
    }
}

static void is_consistent(const struct partition *partition) {
    REQUIRE(!partition || partition_hash(partition) == partition_hash_recount(partition));
}

void bench_replay(const struct bench *bench, struct world *world) {
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
    is_consistent(world->catalogue);
    for (uint32_t i = 0; i < ACCOUNT_PARTITIONS; i++) is_consistent(world->accounts[i]);
    for (uint32_t i = 1; i <= world->date_count; i++) is_consistent(world->dates[i]);
    struct money_totals money;
    world_money(world, &money);
    REQUIRE(money.charged == money.balances + money.reserved + money.spent - money.refunded);
}
