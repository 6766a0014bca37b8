/* engine.h - the shards of one process: submit requests, run, stop
 *
 * Happy path: net decodes a frame into requests, chains those of one shard and submits the chain;
 * the shard drains, decides, applies, appends; the sink encodes each reply at once and releases it
 * when the gate opens. Failure modes: a full mailbox refuses the chain (BUSY); a full journal makes
 * the shard pause its mailbox until there is room.
 */
#ifndef USHER_ENGINE_RUNTIME_ENGINE_H
#define USHER_ENGINE_RUNTIME_ENGINE_H

#include "engine/domain/partition/world.h"
#include "engine/runtime/board.h"
#include "engine/runtime/ports.h"
#include "engine/runtime/request.h"

struct engine_options {
    uint32_t shards;     /* 1..SHARDS_MAX */
    struct world *world; /* recovered state; ownership passes to the engine */
    struct journal journal;
    struct reply_sink sink;
    struct clock_port clock;
    struct entropy_port entropy;
    uint64_t start_lsn; /* where the recovered log ends; reads wait for at least this */
    /* When the log was last written, in engine time: the run before served until then, and what it
     * has cost nobody since is credited (X7). 0: a new log. */
    uint64_t served_until_ms;
};

struct engine;

/* engine_open - distribute the world's partitions over shards; starts no thread
 * Return: owned by the caller until engine_close() */
struct engine *engine_open(const struct engine_options *options);
void engine_close(struct engine *engine);

/* engine_shard_of - which shard serves a command; sets nothing
 * What is asked of every date (PARTITION_EVERY_DATE) starts at shard 0 and visits the others by
 * itself. */
uint32_t engine_shard_of(const struct engine *engine, const struct command *command);

/* engine_submit - hand a chain of requests, all of one shard, to that shard
 * @chain: linked by `next`, the last one NULL; command complete (partition included)
 * Any thread; lock-free; never blocks or allocates.
 * Return: 0, or ENGINE_BUSY: the mailbox is full, nothing was taken */
enum { ENGINE_BUSY = 1 };
int engine_submit(struct engine *engine, uint32_t shard, struct request *chain);

/* engine_step - one round of one shard: drain, decide, append, release
 * The shard's thread, or a test that drives all shards by hand.
 * Return: how many requests, messages, due decisions and releases it handled; 0 when idle */
uint32_t engine_step(struct engine *engine, uint32_t shard);

/* engine_next_due_ms - when this shard has something to do by itself; UINT64_MAX for never */
uint64_t engine_next_due_ms(const struct engine *engine, uint32_t shard);

/* engine_start - one thread per shard
 * Return: 0, or an errno where a thread cannot be made; none runs then */
int engine_start(struct engine *engine);

/* engine_stop - finish what was submitted, log the state hash of every partition whose hash the log
 * does not have yet, wait until all of it is durable and released, end the threads. Nobody submits
 * any more when this is called. */
void engine_stop(struct engine *engine);

/* engine_log_hashes - the part of engine_stop that tests drive by hand: the state hash of each of a
 * shard's partitions that has decided something since its last one goes into the shard's drain; the
 * next engine_step appends it */
void engine_log_hashes(struct engine *engine, uint32_t shard);

/* engine_wake - shards that sleep look again at once, at the clock as well
 * Any thread; cheap when nobody sleeps. */
void engine_wake(struct engine *engine);

/* engine_durable - the journal's durable LSN has moved: wake shards that wait for it
 * Any thread; cheap when nobody sleeps. */
void engine_durable(struct engine *engine);

const struct board *engine_board(const struct engine *engine);

/* engine_world_hash - hash of the whole state. Only while no shard runs (before start, after stop,
 * or between steps driven by hand). */
uint64_t engine_world_hash(const struct engine *engine);
void engine_money(const struct engine *engine, struct money_totals *ret_totals);

#endif
