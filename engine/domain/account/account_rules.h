/* account_rules.h - how account partitions come into being, and what their files share */
#ifndef USHER_ENGINE_DOMAIN_ACCOUNT_ACCOUNT_RULES_H
#define USHER_ENGINE_DOMAIN_ACCOUNT_ACCOUNT_RULES_H

#include "engine/domain/account/account.h"

/* account_partition_create - Return: owned by the caller until partition_free() */
struct account_partition *account_partition_create(uint32_t id, const struct id128 *seed);

/* What account_kind has: partition_kind.h. */
void account_decide(const struct partition *, const struct command *, uint64_t now_ms,
                    struct verdict *);
void account_apply(struct partition *, const struct decision *);
void account_answer(const struct partition *, const struct command *, const struct verdict *,
                    uint64_t now_ms, struct reply *);
uint64_t account_hash(const struct partition *);
uint64_t account_hash_recount(const struct partition *);
bool account_due(struct partition *, uint64_t now_ms, struct verdict *);
uint64_t account_next_due_ms(const struct partition *);
void account_resume(struct partition *, uint64_t now_ms);
void account_prefetch(const struct partition *, const struct decision *, enum prefetch step);

/* From an image (image_account.c): as if every decision had been applied. First each account, in
 * the order in which they were opened, with the ledger rows that are kept, oldest first; then each
 * transfer, in order of payment; then each key of a charge, in order of age; at last the totals,
 * and what only the whole can tell.
 * Return: NULL, or what the image contradicts: the partition is then of no use */
const char *account_restore(struct account_partition *, const struct entity_account *,
                            const struct entity_ledger_row *rows, uint32_t count);
const char *account_restore_transfer(struct account_partition *, const struct entity_transfer *);
const char *account_restored(struct account_partition *, const struct entity_totals *);

const char *account_restore_key(struct account_partition *, const struct entity_charge_key *);

/* For charge_keys.c. account_index - Return: UINT32_MAX if this user has no account */
struct account *account_entry(const struct account_partition *, uint32_t index);
uint32_t account_index(const struct account_partition *, const struct id128 *user);

#endif
