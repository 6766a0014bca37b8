/* world.h - a set of partitions, found by id
 *
 * Recovery and offline tools fill one world with every partition; each shard of a running engine
 * has a world with its own. The thread that owns the world, alone.
 */
#ifndef USHER_ENGINE_DOMAIN_PARTITION_WORLD_H
#define USHER_ENGINE_DOMAIN_PARTITION_WORLD_H

#include "engine/domain/money.h"
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
/* world_abandon - others have taken over its partitions; only the world itself goes */
void world_abandon(struct world *world);

/* world_end, world_at - all partitions, in the order of an image
 *     for (uint32_t i = 0; i < world_end(world); i++) ... world_at(world, i) ...
 * Return: of world_at, the partition, borrowed, or NULL: this world does not have it */
uint32_t world_end(const struct world *world);
struct partition *world_at(const struct world *world, uint32_t index);

/* world_find - Return: the partition, borrowed, or NULL if this world has none with this id */
struct partition *world_find(const struct world *world, uint32_t partition);

/* world_asked - the partition that a command asks, borrowed
 * Return: NULL: there is none that could decide it; partition_missing() answers */
struct partition *world_asked(const struct world *world, const struct command *command);

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

/* world_prefetch, world_prefetch_command - as partition_prefetch(), of whatever partition it is */
void world_prefetch(const struct world *world, const struct decision *decision, enum prefetch step);
void world_prefetch_command(const struct world *world, const struct command *command,
                            enum prefetch step);

/* world_hash - one number for the whole state; equal states have equal hashes */
uint64_t world_hash(const struct world *world);

/* world_money - points over all wallets of this world */
void world_money(const struct world *world, struct money_totals *ret_totals);

#endif
