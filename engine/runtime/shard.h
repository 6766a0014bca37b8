/* shard.h - one thread's partitions and its round: drain, decide, append, release
 *
 * One step, in this order:
 *   1. take a chain from the mailbox; has there been an outage (outage.h)? What it gives back is
 *      decided before anything else. Then everything that other shards have sent: a partition that
 *      came into being is here before the first request that can name it
 *   2. what time decides
 *   3. the requests: decide, apply, what follows at once (admission), messages within the shard,
 *      encode the reply; the memory of the next ones is asked for ahead
 *   4. append the drain's decisions with one reservation; only then send messages to other shards
 *      and let the replies into the gate
 *   5. release the replies whose LSN is durable
 * Failure modes: the journal is full -> the step ends with the drain pending, the next one tries
 * again before anything else; nothing of it was told to anybody. The log stands still -> so does
 * the time of this shard (README.md, "Time and outages"); requests are decided at it. A lane is
 * full -> messages wait in this shard's outbox, in order.
 * Thread: the shard's own; shard_submit and shard_wake from any.
 */
#ifndef USHER_ENGINE_RUNTIME_SHARD_H
#define USHER_ENGINE_RUNTIME_SHARD_H

#include "engine/domain/partition/world.h"
#include "engine/runtime/board.h"
#include "engine/runtime/mailbox.h"
#include "engine/runtime/ports.h"
#include "engine/runtime/request.h"
#include "engine/runtime/waker.h"

struct shard;

/* What all shards of an engine share; read-only after engine_open. */
struct shard_context {
    uint32_t shard_count;
    struct journal journal;
    struct reply_sink sink;
    struct clock_port clock;
    struct entropy_port entropy;
    struct board *board;
    struct shard *shards[SHARDS_MAX];
    struct lane *lanes[SHARDS_MAX][SHARDS_MAX]; /* [from][to]; NULL on the diagonal */
    uint64_t start_lsn;
    uint64_t served_until_ms; /* see engine_options */
};

struct shard *shard_create(struct shard_context *context, uint32_t id);
void shard_free(struct shard *shard);

/* shard_adopt - take ownership of a partition, before the shard runs or in its own thread */
void shard_adopt(struct shard *shard, struct partition *partition);

/* shard_of_partition - partitions are dealt out by id */
uint32_t shard_of_partition(const struct shard_context *context, uint32_t partition);

/* shard_begin - when all its partitions are adopted, before the first step: the time in which the
 * engine was down is credited. While the journal's writer has not begun, the credits of all shards
 * are one write: a crash leaves all of them or none, and the next start gives back what this one
 * did not. */
void shard_begin(struct shard *shard);

bool shard_submit(struct shard *shard, struct request *chain);
void shard_wake(struct shard *shard);

uint32_t shard_step(struct shard *shard);
uint64_t shard_next_due_ms(const struct shard *shard);
/* shard_is_idle - nothing submitted, received, pending or waiting at the gate */
bool shard_is_idle(const struct shard *shard);
void shard_log_hashes(struct shard *shard);
/* shard_run - step until *stop; sleeps when there is nothing to do */
void shard_run(struct shard *shard, const _Atomic bool *stop);

struct world *shard_world(struct shard *shard);

#endif
