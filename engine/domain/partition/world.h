/* world.h - a set of partitions, found by id
 *
 * Recovery and offline tools fill one world with every partition; each shard of a running engine
 * has a world with its own. The thread that owns the world, alone.
 */
#ifndef USHER_ENGINE_DOMAIN_PARTITION_WORLD_H
#define USHER_ENGINE_DOMAIN_PARTITION_WORLD_H

#include "engine/domain/partition/partition.h"

struct world {
    struct partition *catalogue;
    struct partition *accounts[ACCOUNT_PARTITIONS];
    struct partition *dates[DATES_MAX + 1]; /* by date id; [0] is never used */
    uint32_t date_count;                    /* highest id in `dates` */
};

/* world_create - catalogue and account partitions, no dates
 * @seed: secret of the accounts' hash tables; any value replays to the same state hash
 * Return: owned by the caller until world_free() */
struct world *world_create(const struct id128 *seed);
void world_free(struct world *world);

/* world_find - Return: the partition, borrowed, or NULL if this world has none with this id */
struct partition *world_find(const struct world *world, uint32_t partition);

/* world_adopt - hand a partition over; the slot is empty. Takes ownership. */
void world_adopt(struct world *world, struct partition *partition);

enum world_apply_result {
    WORLD_APPLIED = 0,
    WORLD_NO_PARTITION = 1,   /* decided by a partition that no earlier record created */
    WORLD_HASH_MISMATCH = 2,  /* STATE_HASHED disagrees: replay has diverged from the live engine */
    WORLD_NOT_APPLICABLE = 3, /* another kind of partition decides this, or time runs backwards:
                                 not a log of this engine */
};

/* world_apply - apply one decision of a verified log, in log order
 * DATE_CREATED also brings the date's partition into being. Return: enum world_apply_result */
int world_apply(struct world *world, const struct decision *decision);

/* world_prefetch, world_prefetch_command - this decision will be applied in a moment, this command
 * decided, perhaps: bring nearer what it will touch
 * @step: each of a batch with FIRST (what it names), then each with LAST (what that points to)
 * Change nothing, demand nothing: hints for who replays, and for a shard with requests before
 * it. */
enum prefetch { PREFETCH_FIRST, PREFETCH_LAST };
void world_prefetch(const struct world *world, const struct decision *decision, enum prefetch step);
void world_prefetch_command(const struct world *world, const struct command *command,
                            enum prefetch step);

/* world_hash - one number for the whole state; equal states have equal hashes */
uint64_t world_hash(const struct world *world);

/* Points over all wallets. Conserved: charged = balances + reserved + spent - refunded, as long as
 * none of them is UINT64_MAX, which means so many or more. */
struct money_totals {
    uint64_t accounts;
    uint64_t charged, balances, reserved, spent, refunded;
};
/* money_add - sums that would pass 2^64 stay at UINT64_MAX: a total never falls by growing */
void money_add(struct money_totals *sum, const struct money_totals *part);
void world_money(const struct world *world, struct money_totals *ret_totals);

#endif
