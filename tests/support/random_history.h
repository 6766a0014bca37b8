/* random_history.h - a random but valid history, made by the real domain from a seed
 *
 * A small engine in one thread: commands of a few dozen users go to partitions of a world, their
 * decisions to a log, their messages to other partitions, late or at once. Same seed, same log.
 */
#ifndef USHER_TESTS_SUPPORT_RANDOM_HISTORY_H
#define USHER_TESTS_SUPPORT_RANDOM_HISTORY_H

#include "engine/domain/partition/world.h"
#include "tests/support/memory_log.h"
#include "tests/support/stepper.h"

#define RANDOM_HISTORY_DATES 3u
#define RANDOM_HISTORY_MESSAGES_MAX 256u

struct random_history {
    struct stepper *stepper;
    struct world *world;    /* the stepper's */
    struct memory_log *log; /* borrowed */
    uint64_t now_ms;
    uint64_t random;
    uint32_t users;
    uint64_t keys;                                        /* idempotency keys handed out */
    struct command messages[RANDOM_HISTORY_MESSAGES_MAX]; /* under way, oldest first */
    uint32_t message_count;
};

/* random_history_init - an empty world, three dates with seats on sale, of different policies
 * @log: gets the records; borrowed */
void random_history_init(struct random_history *history, struct memory_log *log, uint64_t seed,
                         uint32_t users);
void random_history_deinit(struct random_history *history);

/* random_history_decide - one command; its message is under way afterwards */
void random_history_decide(struct random_history *history, const struct command *command);

/* random_history_run - so many random requests, and whatever follows from them */
void random_history_run(struct random_history *history, uint32_t requests);

/* random_history_settle - deliver every message, so that no payment is under way */
void random_history_settle(struct random_history *history);

/* random_history_user - the UUID of user 0..users-1 */
struct id128 random_history_user(uint32_t user);

#endif
