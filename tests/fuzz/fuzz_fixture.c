/* fuzz_fixture.c - see fuzz_fixture.h */
#include "tests/fuzz/fuzz_fixture.h"

#include <stdlib.h>

#include "engine/domain/decision.h"
#include "engine/base/require.h"

#define ROUNDS_MAX 1000000u

static int append(void *context, uint32_t appender, const uint8_t *bytes, uint32_t size,
                  uint64_t *ret_lsn) {
    struct fuzz_fixture *fixture = context;
    REQUIRE(appender == 0 && size >= RECORD_HEADER_BYTES && size <= DRAIN_BYTES_MAX);
    if (fixture->full > 0) {
        fixture->full--;
        return JOURNAL_FULL;
    }
    while (fixture->journal_size + size > fixture->journal_capacity) {
        fixture->journal_capacity = fixture->journal_capacity ? fixture->journal_capacity * 2
                                                              : 4096;
        fixture->journal = realloc(fixture->journal, fixture->journal_capacity);
        REQUIRE(fixture->journal != NULL);
    }
    memcpy(fixture->journal + fixture->journal_size, bytes, size);
    fixture->journal_size += size;
    *ret_lsn = fixture->journal_size;
    return 0;
}

static uint64_t durable_lsn(void *context) { return ((struct fuzz_fixture *)context)->durable_lsn; }

static uint64_t now_ms(void *context) { return ((struct fuzz_fixture *)context)->now_ms; }

static void fill(void *context, void *bytes, uint32_t size) {
    (void)context;
    memset(bytes, 1, size);
}

static void encode(void *context, struct request *request, const struct reply *reply) {
    struct fuzz_fixture *fixture = context;
    fixture->sink.encode(fixture->sink.context, request, reply);
}

static void release(void *context, struct request *request) {
    struct fuzz_fixture *fixture = context;
    REQUIRE(request->lsn <= fixture->durable_lsn);
    fixture->sink.release(fixture->sink.context, request);
}

void fuzz_fixture_open(struct fuzz_fixture *fixture, struct world *world, uint64_t begin_ms,
                       const struct reply_sink *sink) {
    *fixture = (struct fuzz_fixture){.now_ms = begin_ms, .sink = *sink};
    fixture->journal_port = (struct journal){fixture, append, durable_lsn};
    struct engine_options options = {
        .shards = 1,
        .world = world,
        .journal = fixture->journal_port,
        .sink = {fixture, encode, release},
        .clock = {fixture, now_ms},
        .entropy = {fixture, fill},
    };
    fixture->engine = engine_open(&options);
}

void fuzz_fixture_close(struct fuzz_fixture *fixture) {
    engine_close(fixture->engine);
    free(fixture->journal);
}

void fuzz_fixture_run(struct fuzz_fixture *fixture) {
    bool moves = true;
    for (uint32_t rounds = 0; moves; rounds++) {
        REQUIRE(rounds < ROUNDS_MAX);
        bool was_full = fixture->full > 0;
        moves = engine_step(fixture->engine, 0) > 0 || was_full ||
                fixture->durable_lsn != fixture->journal_size;
        if (fixture->slow > 0) {
            fixture->slow--;
        } else {
            fixture->durable_lsn = fixture->journal_size;
            /* Where nothing was appended, nobody has met a full journal. */
            if (fixture->full > 0) fixture->full--;
        }
    }
}

static void is_consistent(const struct partition *partition) {
    REQUIRE(!partition || partition_hash(partition) == partition_hash_recount(partition));
}

void fuzz_fixture_replay(const struct fuzz_fixture *fixture, struct world *world) {
    for (uint64_t at = 0; at < fixture->journal_size;) {
        struct decision decision;
        uint32_t size;
        memcpy(&size, fixture->journal + at, sizeof size);
        REQUIRE(size <= fixture->journal_size - at);
        REQUIRE(decision_decode(fixture->journal + at, size, &decision) == DECISION_DECODE_OK);
        REQUIRE(world_apply(world, &decision) == WORLD_APPLIED);
        at += size;
    }
    REQUIRE(world_hash(world) == engine_world_hash(fixture->engine));
    is_consistent(world->catalogue);
    for (uint32_t i = 0; i < ACCOUNT_PARTITIONS; i++) is_consistent(world->accounts[i]);
    for (uint32_t i = 1; i <= world->date_count; i++) is_consistent(world->dates[i]);
    struct money_totals money;
    world_money(world, &money);
    REQUIRE(money.charged == money.balances + money.reserved + money.spent - money.refunded);
}
