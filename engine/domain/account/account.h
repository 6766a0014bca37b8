/* account.h - wallets: balances, histories, and the points that payments and refunds move
 *
 * One account partition serves the users that partition_of_user() gives it. A user's account comes
 * into being with the first charge.
 *
 * A transfer remembers, from FundsReserved to FundsPosted or FundsVoided and from FundsRefunded to
 * RefundClosed, that this payment was done on this side: whatever is repeated after a crash finds
 * it and gets the same answer.
 */
#ifndef USHER_ENGINE_DOMAIN_ACCOUNT_ACCOUNT_H
#define USHER_ENGINE_DOMAIN_ACCOUNT_ACCOUNT_H

#include "engine/domain/account/charge_keys.h"
#include "engine/domain/index.h"
#include "engine/domain/money.h"
#include "engine/domain/partition_kind.h"

struct ledger_row {
    struct id128 key;     /* CHARGE: digest of its idempotency key */
    uint64_t time_ms;     /* Unix ms */
    uint64_t amount;      /* points, > 0 */
    uint64_t balance;     /* spendable, after the row */
    uint64_t payment;     /* dated_id; 0 for CHARGE */
    uint64_t reservation; /* dated_id; 0 for CHARGE */
    uint32_t next;        /* the row after; the newest points to the oldest */
    uint8_t reason;       /* enum ledger_reason: CHARGE, VOID and REFUND add, PAYMENT takes */
};

struct account {
    struct id128 user;
    uint64_t balance;                /* spendable points */
    uint64_t reserved;               /* set aside by payments under way */
    uint64_t charged;                /* over its life; at most AMOUNT_MAX */
    uint64_t rows;                   /* ledger rows over its life */
    uint64_t chain;                  /* hash over all its ledger rows, oldest first */
    uint32_t newest;                 /* index of the newest ledger row; valid if rows > 0 */
    struct charge_keys_of_user keys; /* of its charges */
};

enum transfer_state { TRANSFER_RESERVED = 1, TRANSFER_REFUNDED = 2 };

struct transfer {
    uint64_t payment, reservation; /* dated_id; payment 0: an unused slot */
    uint64_t amount;
    uint32_t account;   /* index */
    uint32_t next_free; /* unused slots */
    uint8_t state;      /* enum transfer_state */
};

/* Sums over the accounts of a partition. They may pass 2^64: a wallet may take in 2^53, and there
 * may be more than 2,048 of those. An image has the low 64 bits; the accounts in it say the
 * rest. */
__extension__ typedef unsigned __int128 wide_sum;
struct account_sums {
    uint64_t accounts;
    wide_sum charged, balances, reserved, spent, refunded;
};

struct account_partition {
    struct partition partition;
    struct account **accounts; /* chunks */
    uint32_t account_count;
    struct ledger_row **rows; /* chunks */
    uint32_t row_count;
    struct transfer *transfers;
    uint32_t transfer_count, transfer_capacity, transfer_free;
    uint32_t transfer_open; /* how many are in use */
    struct index by_user, by_payment;
    struct charge_keys keys;
    struct account_sums totals;
    uint64_t seed;
    uint64_t hash;           /* sum over all accounts and transfers */
    uint32_t volatile_sweep; /* transfers not yet taken up again after recovery */
};

/* account_totals - the sums as everybody else sees them: what does not fit is UINT64_MAX */
void account_totals(const struct account_partition *all, struct money_totals *ret_totals);

/* account_find - Return: borrowed, or NULL if this user has never charged */
const struct account *account_find(const struct account_partition *all, const struct id128 *user);

/* account_at - the account with this index, 0..account_count-1, in the order in which they were
 * opened */
const struct account *account_at(const struct account_partition *all, uint32_t index);

/* account_transfers - those under way, in order of payment
 * Return: all->transfer_open of them, to be freed by the caller */
struct transfer *account_transfers(const struct account_partition *all);

/* account_history - the newest rows of a wallet, oldest of them first
 * @ret_rows: room for WALLET_HISTORY_KEPT; borrowed
 * Return: how many, 0..WALLET_HISTORY_KEPT; account->rows says how many there ever were */
uint32_t account_history(const struct account_partition *all, const struct account *account,
                         const struct ledger_row *ret_rows[WALLET_HISTORY_KEPT]);

#endif
