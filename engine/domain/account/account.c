/* account.c - the wallets of one partition: how they are found, kept and hashed
 *
 * What is decided about them: account_decide.c; how a decision changes them: account_apply.c.
 * Accounts and ledger rows stand in chunks and never move; the slots of transfers that are closed
 * are used again. There is no failure but memory, which ends the process.
 */
#include "engine/domain/account/account.h"

#include <stdlib.h>

#include "engine/base/hash.h"
#include "engine/base/prefetch.h"
#include "engine/domain/account/account_rules.h"

static void account_free(struct partition *partition) {
    struct account_partition *all = (struct account_partition *)partition;
    for (uint32_t i = 0; i * ACCOUNT_CHUNK < all->account_count; i++) free(all->accounts[i]);
    for (uint32_t i = 0; i * ACCOUNT_CHUNK < all->row_count; i++) free(all->rows[i]);
    free(all->accounts);
    free(all->rows);
    free(all->transfers);
    index_deinit(&all->by_user);
    index_deinit(&all->by_payment);
    charge_keys_deinit(&all->keys);
    free(all);
}

static const struct partition_kind account_kind = {.owner = OWNER_ACCOUNT,
                                                   .free = account_free,
                                                   .decide = account_decide,
                                                   .apply = account_apply,
                                                   .answer = account_answer,
                                                   .hash = account_hash,
                                                   .hash_recount = account_hash_recount,
                                                   .due = account_due,
                                                   .next_due_ms = account_next_due_ms,
                                                   .resume = account_resume,
                                                   .prefetch = account_prefetch};

struct account_partition *account_partition_create(uint32_t id, const struct id128 *seed) {
    struct account_partition *all = calloc(1, sizeof *all);
    REQUIRE_MEMORY(all != NULL);
    REQUIRE(partition_is_account(id));
    all->partition = (struct partition){.kind = &account_kind, .id = id};
    memcpy(&all->seed, seed->bytes, sizeof all->seed);
    index_init(&all->by_user);
    index_init(&all->by_payment);
    charge_keys_init(&all->keys);
    all->transfer_free = UINT32_MAX;
    return all;
}

/* --- read ------------------------------------------------------------------------------------- */

static uint64_t user_hash(const struct account_partition *all, const struct id128 *user) {
    return index_hash(user->bytes, sizeof user->bytes, all->seed);
}

uint32_t account_index(const struct account_partition *all, const struct id128 *user) {
    uint32_t index;
    struct index_cursor cursor = index_find(&all->by_user, user_hash(all, user));
    while (index_next(&cursor, &index)) {
        if (id128_equal(&account_entry(all, index)->user, user)) return index;
    }
    return ACCOUNT_NONE;
}

const struct account *account_at(const struct account_partition *all, uint32_t index) {
    return account_entry(all, index);
}

const struct account *account_find(const struct account_partition *all, const struct id128 *user) {
    uint32_t index = account_index(all, user);
    return index == ACCOUNT_NONE ? NULL : account_entry(all, index);
}

uint32_t account_history(const struct account_partition *all, const struct account *account,
                         const struct ledger_row *ret_rows[WALLET_HISTORY_KEPT]) {
    if (account->rows == 0) return 0;
    uint32_t count = 0, index = account->newest;
    do {
        index = account_row(all, index)->next;
        ret_rows[count++] = account_row(all, index);
    } while (index != account->newest);
    return count;
}

static uint64_t payment_hash(const struct account_partition *all, uint64_t payment) {
    return index_hash(&payment, sizeof payment, all->seed);
}

struct transfer *transfer_find(const struct account_partition *all, uint64_t payment) {
    uint32_t index;
    struct index_cursor cursor = index_find(&all->by_payment, payment_hash(all, payment));
    while (index_next(&cursor, &index)) {
        if (all->transfers[index].payment == payment) return &all->transfers[index];
    }
    return NULL;
}

/* Unused slots last. */
static int compare_transfers(const void *a, const void *b) {
    uint64_t x = ((const struct transfer *)a)->payment, y = ((const struct transfer *)b)->payment;
    return (x - 1 > y - 1) - (x - 1 < y - 1);
}

struct transfer *account_transfers(const struct account_partition *all) {
    struct transfer *sorted = malloc((all->transfer_count + 1u) * sizeof *sorted);
    REQUIRE_MEMORY(sorted != NULL);
    if (all->transfer_count > 0) {
        memcpy(sorted, all->transfers, all->transfer_count * sizeof *sorted);
        qsort(sorted, all->transfer_count, sizeof *sorted, compare_transfers);
    }
    return sorted;
}

static uint64_t narrow(wide_sum sum) { return sum < UINT64_MAX ? (uint64_t)sum : UINT64_MAX; }

void account_totals(const struct account_partition *all, struct money_totals *ret_totals) {
    *ret_totals = (struct money_totals){
        .accounts = all->totals.accounts,
        .charged = narrow(all->totals.charged),
        .balances = narrow(all->totals.balances),
        .reserved = narrow(all->totals.reserved),
        .spent = narrow(all->totals.spent),
        .refunded = narrow(all->totals.refunded),
    };
}

void account_prefetch(const struct partition *partition, const struct decision *decision,
                      enum prefetch step) {
    const struct account_partition *all = (const struct account_partition *)partition;
    /* Every decision of an account begins with its user. */
    const struct id128 *user = &decision->wallet_charged.user;
    if (decision_owner(decision->kind) != OWNER_ACCOUNT) return;
    if (step == PREFETCH_FIRST) {
        index_prefetch(&all->by_user, user_hash(all, user));
        return;
    }
    uint32_t index = account_index(all, user);
    if (index == ACCOUNT_NONE) return;
    prefetch_write(account_entry(all, index));
    if (decision->kind == DECISION_WALLET_CHARGED) {
        charge_keys_prefetch(all, index, &decision->wallet_charged.key);
    }
}

/* --- state hash ------------------------------------------------------------------------------- */

uint64_t account_entry_hash(const struct account *account) {
    HASHED_STRUCT_BEGIN
    struct {
        struct id128 user;
        uint64_t balance, reserved, charged, rows, chain;
    } image = {account->user,    account->balance, account->reserved,
               account->charged, account->rows,    account->chain};
    HASHED_STRUCT_END
    return index_hash(&image, sizeof image, 0);
}

static uint64_t transfer_hash(const struct transfer *transfer) {
    uint64_t image[4] = {transfer->payment, transfer->reservation, transfer->amount,
                         transfer->state};
    return index_hash(image, sizeof image, 1);
}

uint64_t account_hash(const struct partition *partition) {
    return ((const struct account_partition *)partition)->hash;
}

uint64_t account_hash_recount(const struct partition *partition) {
    const struct account_partition *all = (const struct account_partition *)partition;
    uint64_t hash = 0;
    for (uint32_t i = 0; i < all->account_count; i++)
        hash += account_entry_hash(account_at(all, i));
    for (uint32_t i = 0; i < all->transfer_count; i++) {
        if (all->transfers[i].payment != 0) hash += transfer_hash(&all->transfers[i]);
    }
    return hash;
}

bool account_is_sound(const struct account_partition *all) {
    const struct account_sums *totals = &all->totals;
    wide_sum charged = 0, balances = 0, reserved = 0, under_way = 0;
    uint32_t open = 0;
    for (uint32_t i = 0; i < all->account_count; i++) {
        const struct account *account = account_at(all, i);
        charged += account->charged;
        balances += account->balance;
        reserved += account->reserved;
    }
    for (uint32_t i = 0; i < all->transfer_count; i++) {
        const struct transfer *transfer = &all->transfers[i];
        open += transfer->payment != 0;
        if (transfer->state == TRANSFER_RESERVED) under_way += transfer->amount;
    }
    return totals->charged == charged && totals->balances == balances &&
           totals->reserved == reserved && reserved == under_way &&
           charged + totals->refunded == balances + reserved + totals->spent &&
           all->transfer_open == open && index_count(&all->by_payment) == open &&
           index_count(&all->by_user) == all->account_count &&
           all->hash == account_hash_recount(&all->partition);
}

uint64_t ledger_chain(uint64_t chain, const struct ledger_row *row) {
    uint64_t image[7] = {chain,        row->time_ms,     row->amount, row->balance,
                         row->payment, row->reservation, row->reason};
    return index_hash(image, sizeof image, 2);
}

/* --- kept ------------------------------------------------------------------------------------- */

/* Pointers to chunks of whatever type: copied as bytes, for no other type may be written
 * through. */
static void *chunk_for(void *chunks, uint32_t count, size_t size) {
    if (count % ACCOUNT_CHUNK != 0) return chunks;
    char *all = realloc(chunks, (count / ACCOUNT_CHUNK + 1) * sizeof(void *));
    void *chunk = calloc(ACCOUNT_CHUNK, size);
    REQUIRE_MEMORY(all != NULL && chunk != NULL);
    memcpy(all + count / ACCOUNT_CHUNK * sizeof chunk, &chunk, sizeof chunk);
    return all;
}

uint32_t account_add(struct account_partition *all, const struct id128 *user) {
    all->accounts = chunk_for(all->accounts, all->account_count, sizeof(struct account));
    index_insert(&all->by_user, user_hash(all, user), all->account_count);
    account_entry(all, all->account_count++)->user = *user;
    all->totals.accounts++;
    return all->account_count - 1;
}

uint32_t account_row_append(struct account_partition *all, struct account *account,
                            const struct ledger_row *row) {
    all->rows = chunk_for(all->rows, all->row_count, sizeof(struct ledger_row));
    uint32_t index = all->row_count++;
    *account_row(all, index) = *row;
    if (account->rows == 0) {
        account_row(all, index)->next = index;
    } else {
        account_row(all, index)->next = account_row(all, account->newest)->next;
        account_row(all, account->newest)->next = index;
    }
    return index;
}

void transfer_open(struct account_partition *all, struct transfer transfer) {
    uint32_t index = all->transfer_free;
    if (index != UINT32_MAX) {
        all->transfer_free = all->transfers[index].next_free;
    } else {
        if (all->transfer_count == all->transfer_capacity) {
            all->transfer_capacity = all->transfer_capacity ? all->transfer_capacity * 2 : 64;
            all->transfers = realloc(all->transfers,
                                     all->transfer_capacity * sizeof *all->transfers);
            REQUIRE_MEMORY(all->transfers != NULL);
        }
        index = all->transfer_count++;
        /* A live transfer is answered as it goes; only recovery sweeps. */
        if (all->volatile_sweep == index) all->volatile_sweep = all->transfer_count;
    }
    all->transfers[index] = transfer;
    index_insert(&all->by_payment, payment_hash(all, transfer.payment), index);
    all->transfer_open++;
    all->hash += transfer_hash(&transfer);
}

void transfer_close(struct account_partition *all, struct transfer *transfer) {
    uint32_t index = (uint32_t)(transfer - all->transfers);
    all->hash -= transfer_hash(transfer);
    index_remove(&all->by_payment, payment_hash(all, transfer->payment), index);
    *transfer = (struct transfer){.next_free = all->transfer_free};
    all->transfer_free = index;
    all->transfer_open--;
}

/* In order of payment, and not of slots that depend on how the state came about: what is asked
 * first is then the same from a log and from an image. */
void account_resume(struct partition *partition, uint64_t now_ms) {
    struct account_partition *all = (struct account_partition *)partition;
    (void)now_ms;
    CHECK_SLOW(account_is_sound(all));
    struct transfer *sorted = account_transfers(all);
    free(all->transfers);
    all->transfers = sorted;
    all->transfer_capacity = all->transfer_count + 1;
    all->transfer_count = all->transfer_open;
    all->transfer_free = UINT32_MAX;
    index_deinit(&all->by_payment);
    for (uint32_t i = 0; i < all->transfer_count; i++) {
        index_insert(&all->by_payment, payment_hash(all, all->transfers[i].payment), i);
    }
    all->volatile_sweep = 0;
}
