/* engine.c - see engine.h */
#include "engine/runtime/engine.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "engine/base/require.h"
#include "engine/runtime/shard.h"

struct engine {
    struct shard_context context;
    pthread_t threads[SHARDS_MAX];
    bool started;
    _Atomic bool stop;
};

static void lanes_create(struct shard_context *context) {
    for (uint32_t from = 0; from < context->shard_count; from++) {
        for (uint32_t to = 0; to < context->shard_count; to++) {
            if (from != to) context->lanes[from][to] = lane_create(PEER_MESSAGES_MAX);
        }
    }
}

struct engine *engine_open(const struct engine_options *options) {
    struct engine *engine = calloc(1, sizeof *engine);
    REQUIRE_MEMORY(engine != NULL);
    REQUIRE(options->shards >= 1 && options->shards <= SHARDS_MAX);
    struct shard_context *context = &engine->context;
    context->shard_count = options->shards;
    context->journal = options->journal;
    context->sink = options->sink;
    context->clock = options->clock;
    context->entropy = options->entropy;
    context->start_lsn = options->start_lsn;
    context->served_until_ms = options->served_until_ms;
    context->board = board_create();
    lanes_create(context);
    for (uint32_t i = 0; i < context->shard_count; i++) {
        context->shards[i] = shard_create(context, i);
    }
    struct world *world = options->world;
    for (uint32_t i = 0; i < world_end(world); i++) {
        struct partition *partition = world_at(world, i);
        if (!partition) continue;
        shard_adopt(context->shards[shard_of_partition(context, partition->id)], partition);
    }
    world_abandon(world);
    for (uint32_t i = 0; i < context->shard_count; i++) shard_begin(context->shards[i]);
    return engine;
}

void engine_close(struct engine *engine) {
    REQUIRE(!engine->started);
    for (uint32_t i = 0; i < engine->context.shard_count; i++) {
        shard_free(engine->context.shards[i]);
    }
    for (uint32_t i = 0; i < engine->context.shard_count; i++) {
        for (uint32_t to = 0; to < engine->context.shard_count; to++) {
            lane_free(engine->context.lanes[i][to]);
        }
    }
    board_free(engine->context.board);
    free(engine);
}

uint32_t engine_shard_of(const struct engine *engine, const struct command *command) {
    return shard_of_partition(&engine->context, command->partition);
}

int engine_submit(struct engine *engine, uint32_t shard, struct request *chain) {
    REQUIRE(shard < engine->context.shard_count && chain != NULL);
    return shard_submit(engine->context.shards[shard], chain) ? 0 : ENGINE_BUSY;
}

uint32_t engine_step(struct engine *engine, uint32_t shard) {
    REQUIRE(shard < engine->context.shard_count);
    return shard_step(engine->context.shards[shard]);
}

uint64_t engine_next_due_ms(const struct engine *engine, uint32_t shard) {
    REQUIRE(shard < engine->context.shard_count);
    return shard_next_due_ms(engine->context.shards[shard]);
}

struct start {
    struct shard *shard;
    const _Atomic bool *stop;
};

static void *run(void *argument) {
    struct start start = *(struct start *)argument;
    free(argument);
    shard_run(start.shard, start.stop);
    return NULL;
}

static void join_threads(struct engine *engine, uint32_t count) {
    atomic_store(&engine->stop, true);
    for (uint32_t i = 0; i < count; i++) {
        shard_wake(engine->context.shards[i]);
        int error = pthread_join(engine->threads[i], NULL);
        REQUIRE(error == 0);
    }
}

int engine_start(struct engine *engine) {
    REQUIRE(!engine->started);
    atomic_store(&engine->stop, false);
    for (uint32_t i = 0; i < engine->context.shard_count; i++) {
        struct start *start = malloc(sizeof *start);
        REQUIRE_MEMORY(start != NULL);
        *start = (struct start){engine->context.shards[i], &engine->stop};
        int error = pthread_create(&engine->threads[i], NULL, run, start);
        if (error != 0) {
            free(start);
            join_threads(engine, i);
            return error;
        }
    }
    engine->started = true;
    return 0;
}

/* One round over all shards, by hand. */
static bool step_all(struct engine *engine) {
    bool idle = true;
    for (uint32_t i = 0; i < engine->context.shard_count; i++) {
        (void)shard_step(engine->context.shards[i]); /* idleness says more than the count */
    }
    for (uint32_t i = 0; i < engine->context.shard_count; i++) {
        idle = idle && shard_is_idle(engine->context.shards[i]);
    }
    return idle;
}

static void step_until_idle(struct engine *engine) {
    while (!step_all(engine)) {
        nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL); /* the journal is writing */
    }
}

void engine_stop(struct engine *engine) {
    REQUIRE(engine->started);
    join_threads(engine, engine->context.shard_count);
    engine->started = false;
    step_until_idle(engine);
    for (uint32_t i = 0; i < engine->context.shard_count; i++) engine_log_hashes(engine, i);
    step_until_idle(engine);
}

void engine_log_hashes(struct engine *engine, uint32_t shard) {
    REQUIRE(!engine->started && shard < engine->context.shard_count);
    shard_log_hashes(engine->context.shards[shard]);
}

void engine_wake(struct engine *engine) {
    for (uint32_t i = 0; i < engine->context.shard_count; i++) {
        shard_wake(engine->context.shards[i]);
    }
}

void engine_durable(struct engine *engine) { engine_wake(engine); }

const struct board *engine_board(const struct engine *engine) { return engine->context.board; }

uint64_t engine_world_hash(const struct engine *engine) {
    uint64_t hash = 0;
    for (uint32_t i = 0; i < engine->context.shard_count; i++) {
        hash += world_hash(shard_world(engine->context.shards[i]));
    }
    return hash;
}

void engine_money(const struct engine *engine, struct money_totals *ret_totals) {
    *ret_totals = (struct money_totals){0};
    for (uint32_t i = 0; i < engine->context.shard_count; i++) {
        struct money_totals part;
        world_money(shard_world(engine->context.shards[i]), &part);
        money_add(ret_totals, &part);
    }
}
