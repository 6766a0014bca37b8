/* world.c - see world.h */
#include "engine/domain/partition/world.h"

#include <stdlib.h>

#include "engine/domain/account/account.h"
#include "engine/domain/index.h"
#include "engine/base/require.h"

struct world *world_create(const struct id128 *seed) {
    struct world *world = calloc(1, sizeof *world);
    REQUIRE_MEMORY(world != NULL);
    world->catalogue = partition_create(PARTITION_CATALOGUE, seed);
    for (uint32_t i = 0; i < ACCOUNT_PARTITIONS; i++) {
        world->accounts[i] = partition_create(PARTITION_ACCOUNT_FIRST + i, seed);
    }
    return world;
}

void world_free(struct world *world) {
    if (!world) return;
    for (uint32_t i = 0; i < world_end(world); i++) partition_free(world_at(world, i));
    free(world);
}

void world_abandon(struct world *world) { free(world); }

uint32_t world_end(const struct world *world) { return 1 + ACCOUNT_PARTITIONS + world->date_count; }

struct partition *world_at(const struct world *world, uint32_t index) {
    REQUIRE(index < world_end(world));
    if (index == 0) return world->catalogue;
    if (index <= ACCOUNT_PARTITIONS) return world->accounts[index - 1];
    return world->dates[index - ACCOUNT_PARTITIONS];
}

static struct partition **slot_of(const struct world *world, uint32_t partition) {
    struct world *mutable_world = (struct world *)(uintptr_t)world;
    if (partition == PARTITION_CATALOGUE) return &mutable_world->catalogue;
    if (partition_is_date(partition)) {
        uint32_t date = partition - PARTITION_DATE_FIRST;
        return date >= 1 && date <= DATES_MAX ? &mutable_world->dates[date] : NULL;
    }
    if (partition_is_account(partition) &&
        partition < PARTITION_ACCOUNT_FIRST + ACCOUNT_PARTITIONS) {
        return &mutable_world->accounts[partition - PARTITION_ACCOUNT_FIRST];
    }
    return NULL;
}

struct partition *world_find(const struct world *world, uint32_t partition) {
    struct partition **slot = slot_of(world, partition);
    return slot ? *slot : NULL;
}

struct partition *world_asked(const struct world *world, const struct command *command) {
    struct partition *partition = world_find(world, command->partition);
    const struct command_row *row = command_row(command->kind);
    uint8_t owner = row->owner;
    if (owner == OWNER_EVERY_DATE) owner = OWNER_DATE;
    /* A token goes to its date first, which passes the command on, judged. */
    bool vouching = row->named_by == NAMED_BY_VOUCHER && command->dates.has_token;
    if (vouching && !command->dates.is_judged) owner = OWNER_DATE;
    return partition && partition->kind->owner == owner ? partition : NULL;
}

void world_adopt(struct world *world, struct partition *partition) {
    struct partition **slot = slot_of(world, partition->id);
    REQUIRE(slot != NULL && *slot == NULL);
    *slot = partition;
    if (partition_is_date(partition->id)) {
        uint32_t date = partition->id - PARTITION_DATE_FIRST;
        if (date > world->date_count) world->date_count = date;
    }
}

int world_apply(struct world *world, const struct decision *decision) {
    struct partition *partition = world_find(world, decision->partition);
    if (!partition) return WORLD_NO_PARTITION;
    if (decision->time_ms < partition->last_time_ms) return WORLD_NOT_APPLICABLE;
    if (decision->kind == DECISION_STATE_HASHED) {
        partition->volatile_hashed = partition_hash(partition) == decision->state_hashed.hash;
        return partition->volatile_hashed ? WORLD_APPLIED : WORLD_HASH_MISMATCH;
    }
    if (decision_owner(decision->kind) != partition->kind->owner) return WORLD_NOT_APPLICABLE;
    partition_apply(partition, decision);
    struct partition *born = partition_born(decision);
    if (born) world_adopt(world, born);
    return WORLD_APPLIED;
}

void world_prefetch(const struct world *world, const struct decision *decision,
                    enum prefetch step) {
    const struct partition *partition = world_find(world, decision->partition);
    if (partition) partition_prefetch(partition, decision, step);
}

void world_prefetch_command(const struct world *world, const struct command *command,
                            enum prefetch step) {
    const struct partition *partition = world_find(world, command->partition);
    if (partition) partition_prefetch_command(partition, command, step);
}

uint64_t world_hash(const struct world *world) {
    uint64_t hash = 0;
    for (uint32_t i = 0; i < world_end(world); i++) {
        const struct partition *partition = world_at(world, i);
        if (!partition) continue;
        uint64_t own = partition_hash(partition);
        hash += index_hash(&own, sizeof own, partition->id);
    }
    return hash;
}

void world_money(const struct world *world, struct money_totals *ret_totals) {
    *ret_totals = (struct money_totals){0};
    for (uint32_t i = 0; i < ACCOUNT_PARTITIONS; i++) {
        if (!world->accounts[i]) continue;
        struct money_totals totals;
        account_totals((const struct account_partition *)world->accounts[i], &totals);
        money_add(ret_totals, &totals);
    }
}
