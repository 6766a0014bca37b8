/* history.h - a random but valid history, made by the real domain from a seed
 *
 * A small engine in one thread: commands of a few dozen users go to partitions of a world, their
 * decisions to a log, their messages to other partitions, late or at once. Same seed, same log.
 */
#ifndef USHER_TESTS_HISTORY_H
#define USHER_TESTS_HISTORY_H

#include "engine/domain/partition/world.h"
#include "tests/unit/replay/memory_log.h"

#define HISTORY_DATES 3u
#define HISTORY_MESSAGES_MAX 256u

struct history {
    struct world *world;
    struct memory_log *log; /* borrowed */
    uint64_t now_ms;
    uint64_t random;
    uint32_t users;
    uint64_t keys;                                 /* idempotency keys handed out */
    struct command messages[HISTORY_MESSAGES_MAX]; /* under way, oldest first */
    uint32_t message_count;
};

/* history_init - an empty world, three dates with seats on sale, of different policies
 * @log: gets the records; borrowed */
void history_init(struct history *history, struct memory_log *log, uint64_t seed, uint32_t users);
void history_deinit(struct history *history);

/* history_run - so many random requests, and whatever follows from them */
void history_run(struct history *history, uint32_t requests);

/* history_settle - deliver every message, so that no payment is under way */
void history_settle(struct history *history);

/* history_user - the UUID of user 0..users-1 */
struct id128 history_user(uint32_t user);

#endif
