/* port.h - what net needs from the engine
 *
 * net_engine_init() fills it in for a real engine, tests and the simulator for theirs. So only
 * port.c calls the engine, and a frame can be run without one.
 */
#ifndef USHER_NET_SERVER_PORT_H
#define USHER_NET_SERVER_PORT_H

#include "engine/runtime/ports.h"

struct board;
struct command;
struct engine;
struct process_figures;

struct net_engine {
    void *context;
    uint32_t (*shard_of)(void *context, const struct command *command);
    int (*submit)(void *context, uint32_t shard, struct request *chain); /* 0 or ENGINE_BUSY */
    const struct board *board; /* for catalogue.dates and system.stats */
    struct journal journal;    /* durable_lsn, for system.stats; append is not used */
    /* Of the process, for system.stats (net/protocol/figures.h); NULL: all 0. */
    const struct process_figures *figures;
};
void net_engine_init(struct net_engine *net_engine, struct engine *engine,
                     const struct journal *journal);

#endif
