/* fake_engine.c - see fake_engine.h */
#include "tests/integration/hostile/fake_engine.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "engine/base/require.h"
#include "engine/runtime/board.h"
#include "engine/runtime/engine.h"

struct fake_shard {
    struct fake_engine *engine;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    struct request *first, **end; /* chains, one after the other */
    bool stop;
};

struct fake_engine {
    struct reply_sink sink;
    struct board *board;
    _Atomic bool full, hold;
    _Atomic uint64_t answered;
    struct fake_shard shards[FAKE_SHARDS];
};

static void answer(struct fake_engine *engine, struct request *request) {
    struct reply reply = {.kind = REPLY_DONE, .now_ms = 1700000000000};
    switch (request->command.kind) {
    case COMMAND_WALLET_CHARGE:
        reply.kind = REPLY_WALLET;
        reply.wallet.user = request->command.wallet.user;
        reply.wallet.balance = request->command.wallet.amount;
        break;
    case COMMAND_SYSTEM_PING: reply.kind = REPLY_PING; break;
    case COMMAND_SYSTEM_STATS: reply.kind = REPLY_STATS; break;
    default: break;
    }
    engine->sink.encode(engine->sink.context, request, &reply);
    atomic_fetch_add(&engine->answered, 1);
    engine->sink.release(engine->sink.context, request);
}

static void *run(void *argument) {
    struct fake_shard *shard = argument;
    struct fake_engine *engine = shard->engine;
    pthread_mutex_lock(&shard->mutex);
    while (!shard->stop || shard->first) {
        bool hold = atomic_load(&engine->hold) && !shard->stop;
        if (!shard->first || hold) {
            pthread_cond_wait(&shard->wake, &shard->mutex);
            continue;
        }
        struct request *chain = shard->first;
        shard->first = NULL;
        shard->end = &shard->first;
        pthread_mutex_unlock(&shard->mutex);
        while (chain) {
            struct request *next = chain->next;
            answer(engine, chain);
            chain = next;
        }
        pthread_mutex_lock(&shard->mutex);
    }
    pthread_mutex_unlock(&shard->mutex);
    return NULL;
}

struct fake_engine *fake_engine_start(const struct reply_sink *sink) {
    struct fake_engine *engine = calloc(1, sizeof *engine);
    REQUIRE(engine != NULL);
    engine->sink = *sink;
    engine->board = board_create();
    for (uint32_t i = 0; i < FAKE_SHARDS; i++) {
        struct fake_shard *shard = &engine->shards[i];
        shard->engine = engine;
        shard->end = &shard->first;
        REQUIRE(pthread_mutex_init(&shard->mutex, NULL) == 0);
        REQUIRE(pthread_cond_init(&shard->wake, NULL) == 0);
        REQUIRE(pthread_create(&shard->thread, NULL, run, shard) == 0);
    }
    return engine;
}

static void wake_all(struct fake_engine *engine, bool stop) {
    for (uint32_t i = 0; i < FAKE_SHARDS; i++) {
        struct fake_shard *shard = &engine->shards[i];
        pthread_mutex_lock(&shard->mutex);
        shard->stop = stop;
        pthread_cond_signal(&shard->wake);
        pthread_mutex_unlock(&shard->mutex);
    }
}

void fake_engine_stop(struct fake_engine *engine) {
    wake_all(engine, true);
    for (uint32_t i = 0; i < FAKE_SHARDS; i++) {
        REQUIRE(pthread_join(engine->shards[i].thread, NULL) == 0);
        (void)pthread_cond_destroy(&engine->shards[i].wake);
        (void)pthread_mutex_destroy(&engine->shards[i].mutex);
    }
    board_free(engine->board);
    free(engine);
}

void fake_engine_full(struct fake_engine *engine, bool full) { atomic_store(&engine->full, full); }

void fake_engine_hold(struct fake_engine *engine, bool hold) {
    atomic_store(&engine->hold, hold);
    wake_all(engine, false);
}

uint64_t fake_engine_answered(const struct fake_engine *engine) {
    return atomic_load(&engine->answered);
}

static uint32_t shard_of(void *context, const struct command *command) {
    (void)context; /* it has as many shards as all of them */
    return command->partition % FAKE_SHARDS;
}

static int submit(void *context, uint32_t shard_index, struct request *chain) {
    struct fake_engine *engine = context;
    struct fake_shard *shard = &engine->shards[shard_index];
    if (atomic_load(&engine->full)) return ENGINE_BUSY;
    pthread_mutex_lock(&shard->mutex);
    *shard->end = chain;
    while (chain->next) chain = chain->next;
    shard->end = &chain->next;
    pthread_cond_signal(&shard->wake);
    pthread_mutex_unlock(&shard->mutex);
    return 0;
}

static uint64_t durable_lsn(void *context) {
    (void)context; /* nothing is logged */
    return 4711;
}

void fake_engine_port(struct fake_engine *engine, struct net_engine *ret_engine) {
    *ret_engine = (struct net_engine){
        .context = engine,
        .shard_of = shard_of,
        .submit = submit,
        .board = engine->board,
        .journal = {.durable_lsn = durable_lsn},
    };
}
