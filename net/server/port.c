/* port.c - a real engine behind struct net_engine; the only one of net that calls engine.h */
#include "net/server/port.h"

#include "engine/runtime/engine.h"

static uint32_t shard_of(void *context, const struct command *command) {
    return engine_shard_of(context, command);
}

static int submit(void *context, uint32_t shard, struct request *chain) {
    return engine_submit(context, shard, chain);
}

void net_engine_init(struct net_engine *net_engine, struct engine *engine,
                     const struct journal *journal) {
    *net_engine = (struct net_engine){
        .context = engine,
        .shard_of = shard_of,
        .submit = submit,
        .board = engine_board(engine),
        .journal = *journal,
    };
}
