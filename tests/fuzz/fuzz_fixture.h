/* fuzz_fixture.h - a real engine of one shard that is stepped by hand, on a journal in memory
 *
 * The clock moves when it is told to, entropy is constant (so that tokens can be guessed), nothing
 * is durable before the fixture says so. Thread: the target's.
 */
#ifndef USHER_TESTS_FUZZ_FUZZ_FIXTURE_H
#define USHER_TESTS_FUZZ_FUZZ_FIXTURE_H

#include "engine/runtime/engine.h"

#define FUZZ_BEGIN_MS 1800000000000ull

struct fuzz_fixture {
    struct engine *engine;
    struct journal journal_port;
    struct reply_sink sink; /* who really gets the replies; its release is called when durable */
    uint8_t *journal;
    uint64_t journal_size, journal_capacity, durable_lsn; /* bytes */
    uint64_t now_ms;
    uint32_t full; /* appends that are still to be refused */
    uint32_t slow; /* rounds during which nothing becomes durable */
};

/* fuzz_fixture_open - an engine with a world, which it takes
 * @now_ms: at first */
void fuzz_fixture_open(struct fuzz_fixture *fixture, struct world *world, uint64_t now_ms,
                       const struct reply_sink *sink);
void fuzz_fixture_close(struct fuzz_fixture *fixture);

/* fuzz_fixture_run - rounds until nothing moves any more and everything is durable. More rounds
 * than any input can need break an invariant. */
void fuzz_fixture_run(struct fuzz_fixture *fixture);

/* fuzz_fixture_replay - apply the journal to a world as the engine's was at first, and demand that
 * it becomes as the engine's is now, in itself consistent, with no point lost or made */
void fuzz_fixture_replay(const struct fuzz_fixture *fixture, struct world *world);

#endif
