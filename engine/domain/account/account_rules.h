/* account_rules.h - how account partitions come into being, and what their files share
 *
 *   account.c          created, found, kept, hashed
 *   account_decide.c   charges, and the account's side of payments    W1, W2, P4
 *   account_apply.c    how a decision changes the state
 *   account_restore.c  from an image
 *   charge_keys.c      the keys of charges
 */
#ifndef USHER_ENGINE_DOMAIN_ACCOUNT_ACCOUNT_RULES_H
#define USHER_ENGINE_DOMAIN_ACCOUNT_ACCOUNT_RULES_H

#include "engine/base/require.h"
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
/* account_is_sound - W2: are the sums those of the accounts, and are points conserved? By a walk */
bool account_is_sound(const struct account_partition *);

/* From an image (image_account.c): as if every decision had been applied. First each account, in
 * the order in which they were opened, with the ledger rows that are kept, oldest first; then each
 * transfer, in order of payment; then each key of a charge, in order of age; at last the totals,
 * and what only the whole can tell.
 * Return: NULL, or what the image contradicts: the partition is then of no use */
const char *account_restore(struct account_partition *, const struct entity_account *,
                            const struct entity_ledger_row *rows, uint32_t count);
const char *account_restore_transfer(struct account_partition *, const struct entity_transfer *);
const char *account_restore_key(struct account_partition *, const struct entity_charge_key *);
const char *account_restored(struct account_partition *, const struct entity_totals *);

/* --- for the account's own files -------------------------------------------------------------- */

#define ACCOUNT_CHUNK 1024u /* accounts, and rows, per chunk */
#define ACCOUNT_NONE UINT32_MAX

static inline struct account *account_entry(const struct account_partition *all, uint32_t index) {
    REQUIRE(index < all->account_count);
    return &all->accounts[index / ACCOUNT_CHUNK][index % ACCOUNT_CHUNK];
}

static inline struct ledger_row *account_row(const struct account_partition *all, uint32_t index) {
    REQUIRE(index < all->row_count);
    return &all->rows[index / ACCOUNT_CHUNK][index % ACCOUNT_CHUNK];
}

/* account_index - Return: ACCOUNT_NONE if this user has no account */
uint32_t account_index(const struct account_partition *all, const struct id128 *user);
/* account_add - the next account; its hash is still to be added. Return: its index */
uint32_t account_add(struct account_partition *all, const struct id128 *user);
/* account_entry_hash - what an account contributes to the state hash */
uint64_t account_entry_hash(const struct account *account);

/* account_row_append - a row into a ring of its own account that has room: the newest points to the
 * oldest. Return: its index */
uint32_t account_row_append(struct account_partition *all, struct account *account,
                            const struct ledger_row *row);
/* ledger_chain - a wallet's chain with one more row */
uint64_t ledger_chain(uint64_t chain, const struct ledger_row *row);

/* transfer_find - Return: the one under way for this payment; NULL: none */
struct transfer *transfer_find(const struct account_partition *all, uint64_t payment);
void transfer_open(struct account_partition *all, struct transfer transfer);
void transfer_close(struct account_partition *all, struct transfer *transfer);

#endif
