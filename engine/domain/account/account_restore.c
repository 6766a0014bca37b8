/* account_restore.c - an account partition from an image, which is taken at no word
 *
 * Whatever contradicts itself, or what came before, is refused with a sentence. What is loaded is
 * as if every decision had been applied.
 */
#include <stdlib.h>

#include "engine/domain/account/account_rules.h"

static bool is_dated(uint64_t id) {
    return dated_id_date(id) >= 1 && dated_id_date(id) <= DATES_MAX && dated_id_sequence(id) >= 1;
}

/* What the rows of a wallet say, walked from the oldest that is kept. */
struct ledger_walk {
    uint64_t time_ms, balance, charged, chain;
};

static const char *walk_row(struct ledger_walk *walk, const struct ledger_row *row, bool known) {
    bool charge = row->reason == LEDGER_CHARGE, takes = row->reason == LEDGER_PAYMENT;
    if (row->reason < LEDGER_CHARGE || row->reason > LEDGER_REFUND) {
        return "there is no such reason of a ledger row";
    }
    if (row->time_ms < walk->time_ms) return "time runs backwards in the ledger";
    if (row->amount > AMOUNT_MAX || row->balance > AMOUNT_MAX) return "an amount above the limit";
    if (charge ? row->payment != 0 || row->reservation != 0
               : !is_dated(row->payment) || !is_dated(row->reservation) ||
                     dated_id_date(row->payment) != dated_id_date(row->reservation)) {
        return "a ledger row's reason contradicts its payment";
    }
    if (!charge && !id128_is_none(&row->key)) return "a ledger row without charge has a key";
    if (!takes && row->balance < row->amount) return "a ledger row's balance is below its amount";
    uint64_t before = takes ? row->balance + row->amount : row->balance - row->amount;
    if (known && before != walk->balance) return "a ledger row's balance does not follow";
    walk->time_ms = row->time_ms;
    walk->balance = row->balance;
    walk->charged += charge ? row->amount : 0;
    walk->chain = ledger_chain(walk->chain, row);
    return NULL;
}

static const char *check_saved(const struct account_partition *all,
                               const struct entity_account *saved, uint32_t count) {
    uint32_t kept = saved->rows < WALLET_HISTORY_KEPT ? (uint32_t)saved->rows : WALLET_HISTORY_KEPT;
    if (partition_of_user(&saved->user) != all->partition.id) return "a user of another partition";
    if (account_index(all, &saved->user) != ACCOUNT_NONE) return "this user has an account already";
    if (all->account_count == ACCOUNTS_PER_PARTITION_MAX) return "too many accounts";
    if (saved->rows == 0) return "an account without ledger";
    if (count != kept) return "the number of ledger rows is not the one stated";
    if (saved->charged > AMOUNT_MAX) return "charged above the limit";
    if (saved->balance > saved->charged || saved->reserved > saved->charged - saved->balance) {
        return "more points than were charged";
    }
    return NULL;
}

static struct ledger_row row_of(const struct entity_ledger_row *saved) {
    return (struct ledger_row){.key = saved->key,
                               .time_ms = saved->time_ms,
                               .amount = saved->amount,
                               .balance = saved->balance,
                               .payment = saved->payment,
                               .reservation = saved->reservation,
                               .reason = saved->reason};
}

const char *account_restore(struct account_partition *all, const struct entity_account *saved,
                            const struct entity_ledger_row *rows, uint32_t count) {
    const char *wrong = check_saved(all, saved, count);
    bool whole = saved->rows == count; /* the ledger since its beginning */
    struct ledger_walk walk = {0};
    if (wrong) return wrong;
    struct account *account = account_entry(all, account_add(all, &saved->user));
    for (uint32_t i = 0; i < count; i++) {
        struct ledger_row row = row_of(&rows[i]);
        wrong = walk_row(&walk, &row, whole || i > 0);
        if (wrong) return wrong;
        account->newest = account_row_append(all, account, &row);
        account->rows++;
    }
    if (walk.time_ms > all->partition.last_time_ms) return "a ledger row later than its partition";
    if (walk.balance != saved->balance) return "the balance is not that of the newest ledger row";
    if (whole && (walk.charged != saved->charged || walk.chain != saved->chain)) {
        return "the ledger rows do not add up to what was charged, or to their chain";
    }
    account->balance = saved->balance;
    account->reserved = saved->reserved;
    account->charged = saved->charged;
    account->rows = saved->rows;
    account->chain = saved->chain;
    all->hash += account_entry_hash(account);
    all->totals.charged += account->charged;
    all->totals.balances += account->balance;
    all->totals.reserved += account->reserved;
    return NULL;
}

/* Until account_restored(), account->reserved is what no transfer has explained yet. */
const char *account_restore_transfer(struct account_partition *all,
                                     const struct entity_transfer *saved) {
    uint32_t index = account_index(all, &saved->user);
    if (index == ACCOUNT_NONE) return "a transfer of a user without account";
    if (!is_dated(saved->payment) || !is_dated(saved->reservation) ||
        dated_id_date(saved->payment) != dated_id_date(saved->reservation)) {
        return "payment and reservation are not of one date";
    }
    if (saved->state != TRANSFER_RESERVED && saved->state != TRANSFER_REFUNDED) {
        return "there is no such state of a transfer";
    }
    REQUIRE(!transfer_find(all, saved->payment)); /* in order */
    struct account *account = account_entry(all, index);
    if (saved->state == TRANSFER_RESERVED) {
        if (account->reserved < saved->amount) return "transfers of more than is reserved";
        account->reserved -= saved->amount;
    }
    transfer_open(all, (struct transfer){.payment = saved->payment,
                                         .reservation = saved->reservation,
                                         .amount = saved->amount,
                                         .account = index,
                                         .state = saved->state});
    return NULL;
}

const char *account_restore_key(struct account_partition *all,
                                const struct entity_charge_key *saved) {
    uint32_t index = account_index(all, &saved->user);
    if (index == ACCOUNT_NONE) return "a key of a user without account";
    return charge_keys_restore(all, saved, index);
}

static int compare_ages(const void *a, const void *b) {
    const struct charge_key *x = a, *y = b;
    if (x->time_ms != y->time_ms) return x->time_ms < y->time_ms ? -1 : 1;
    return x->next < y->next ? -1 : x->next > y->next;
}

/* An image that an older usher made has no keys: those of the latest day that stand in ledger rows
 * are known. Of keys of the same millisecond, the first account's come first: which was first
 * nobody knows. */
static void keys_from_rows(struct account_partition *all) {
    struct charge_key *found = malloc((all->row_count + 1u) * sizeof *found);
    uint32_t count = 0;
    REQUIRE_MEMORY(found != NULL);
    for (uint32_t index = 0; index < all->account_count; index++) {
        const struct ledger_row *rows[WALLET_HISTORY_KEPT];
        uint32_t row_count = account_history(all, account_at(all, index), rows);
        for (uint32_t i = 0; i < row_count; i++) {
            if (rows[i]->reason != LEDGER_CHARGE || id128_is_none(&rows[i]->key) ||
                rows[i]->time_ms + KEY_KEPT_MS < all->partition.last_time_ms) {
                continue;
            }
            found[count] = (struct charge_key){.key = rows[i]->key,
                                               .amount = rows[i]->amount,
                                               .balance = rows[i]->balance,
                                               .time_ms = rows[i]->time_ms,
                                               .account = index,
                                               .next = count};
            count++;
        }
    }
    if (count > 0) qsort(found, count, sizeof *found, compare_ages);
    for (uint32_t i = 0; i < count; i++) charge_keys_add(all, found[i].account, &found[i]);
    free(found);
}

/* The newest charge's key is never forgotten: without any, this is from an usher that kept none. */
const char *account_restored(struct account_partition *all, const struct entity_totals *saved) {
    struct account_sums *totals = &all->totals;
    for (uint32_t i = 0; i < all->account_count; i++) {
        if (account_entry(all, i)->reserved != 0) return "points are reserved without a transfer";
    }
    for (uint32_t i = 0; i < all->transfer_count; i++) {
        const struct transfer *transfer = &all->transfers[i];
        if (transfer->state != TRANSFER_RESERVED) continue;
        account_entry(all, transfer->account)->reserved += transfer->amount;
    }
    if ((uint64_t)totals->charged != saved->charged ||
        (uint64_t)totals->balances != saved->balances ||
        (uint64_t)totals->reserved != saved->reserved) {
        return "the totals are not the sums of the accounts";
    }
    wide_sum kept = totals->balances + totals->reserved;
    if (kept > totals->charged ||
        (uint64_t)(totals->charged - kept) != saved->spent - saved->refunded) {
        return "the totals do not add up: charged = balances + reserved + spent - refunded";
    }
    totals->refunded = saved->refunded;
    totals->spent = totals->refunded + (totals->charged - kept);
    if (all->keys.count == 0) keys_from_rows(all);
    return NULL;
}
