/* fake_engine.h - an engine that answers at once and remembers nothing
 *
 * For tests of sockets, frames and the client: each shard is a thread that answers wallet.charge
 * with the amount it was given (so that every caller can tell its own answer), system.ping with a
 * ping and everything else with DONE. It can be told to be full, or to keep its requests until let
 * go.
 */
#ifndef USHER_TESTS_INTEGRATION_HOSTILE_FAKE_ENGINE_H
#define USHER_TESTS_INTEGRATION_HOSTILE_FAKE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "net/server/server.h"

#define FAKE_SHARDS 2u

struct fake_engine;

/* fake_engine_start - @sink: where answers go; copied */
struct fake_engine *fake_engine_start(const struct reply_sink *sink);
/* fake_engine_stop - answer what it still has, end the threads, free it */
void fake_engine_stop(struct fake_engine *engine);
void fake_engine_port(struct fake_engine *engine, struct net_engine *ret_engine);

/* All mailboxes are full from now on, or not. */
void fake_engine_full(struct fake_engine *engine, bool full);
/* Keep requests unanswered from now on, or answer them. */
void fake_engine_hold(struct fake_engine *engine, bool hold);
/* Requests answered so far. */
uint64_t fake_engine_answered(const struct fake_engine *engine);

#endif
