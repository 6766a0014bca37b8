/* account_apply.c - how each decision of an account partition changes its state
 *
 * Shared by live traffic and replay: reads no clock, asks nobody, cannot fail. A decision that does
 * not fit the state breaks an invariant and ends the process (REQUIRE): it means that decide and
 * apply disagree.
 */
#include "engine/domain/account/account_rules.h"

static uint32_t account_open(struct account_partition *all, const struct id128 *user) {
    uint32_t index = account_index(all, user);
    if (index != ACCOUNT_NONE) return index;
    index = account_add(all, user);
    all->hash += account_entry_hash(account_entry(all, index));
    return index;
}

/* W2: every change has a row. The rows of one wallet are a ring: the newest points to the oldest,
 * which is overwritten when WALLET_HISTORY_KEPT are there. */
static void row_add(struct account_partition *all, struct account *account,
                    const struct ledger_row *row) {
    uint32_t index;
    if (account->rows >= WALLET_HISTORY_KEPT) {
        index = account_row(all, account->newest)->next;
        uint32_t oldest = account_row(all, index)->next;
        *account_row(all, index) = *row;
        account_row(all, index)->next = oldest;
    } else {
        index = account_row_append(all, account, row);
    }
    account->newest = index;
    account->rows++;
    account->chain = ledger_chain(account->chain, row);
}

/* The row of points that a payment takes or gives back; the balance has changed already. */
static void row_of_payment(struct account_partition *all, struct account *account,
                           enum ledger_reason reason, uint64_t payment, uint64_t reservation,
                           uint64_t amount, uint64_t now_ms) {
    row_add(all, account,
            &(struct ledger_row){.time_ms = now_ms,
                                 .amount = amount,
                                 .balance = account->balance,
                                 .payment = payment,
                                 .reservation = reservation,
                                 .reason = (uint8_t)reason});
}

static void apply_charged(struct account_partition *all, const struct decision_wallet_charged *body,
                          uint64_t now_ms) {
    uint32_t index = account_open(all, &body->user);
    struct account *account = account_entry(all, index);
    all->hash -= account_entry_hash(account);
    account->balance += body->amount;
    account->charged += body->amount;
    REQUIRE(account->balance == body->balance && account->charged <= AMOUNT_MAX);
    all->totals.charged += body->amount;
    all->totals.balances += body->amount;
    row_add(all, account,
            &(struct ledger_row){.key = body->key,
                                 .time_ms = now_ms,
                                 .amount = body->amount,
                                 .balance = body->balance,
                                 .reason = LEDGER_CHARGE});
    if (!id128_is_none(&body->key)) { /* always, but in a log of a very old usher */
        charge_keys_add(all, index,
                        &(struct charge_key){.key = body->key,
                                             .amount = body->amount,
                                             .balance = body->balance,
                                             .time_ms = now_ms});
    }
    all->hash += account_entry_hash(account);
}

static void apply_reserved(struct account_partition *all,
                           const struct decision_funds_reserved *body, uint64_t now_ms) {
    uint32_t index = account_open(all, &body->user);
    struct account *account = account_entry(all, index);
    REQUIRE(account->balance >= body->amount); /* W2: never negative */
    all->hash -= account_entry_hash(account);
    account->balance -= body->amount;
    account->reserved += body->amount;
    REQUIRE(account->balance == body->balance);
    all->totals.balances -= body->amount;
    all->totals.reserved += body->amount;
    row_of_payment(all, account, LEDGER_PAYMENT, body->payment, body->reservation, body->amount,
                   now_ms);
    all->hash += account_entry_hash(account);
    transfer_open(all, (struct transfer){.payment = body->payment,
                                         .reservation = body->reservation,
                                         .amount = body->amount,
                                         .account = index,
                                         .state = TRANSFER_RESERVED});
}

static struct account *take_reserved(struct account_partition *all, uint64_t payment,
                                     uint64_t amount) {
    struct transfer *transfer = transfer_find(all, payment);
    REQUIRE(transfer && transfer->state == TRANSFER_RESERVED && transfer->amount == amount);
    struct account *account = account_entry(all, transfer->account);
    REQUIRE(account->reserved >= amount);
    all->hash -= account_entry_hash(account);
    account->reserved -= amount;
    all->totals.reserved -= amount;
    transfer_close(all, transfer);
    return account; /* its hash is still to be added */
}

static void apply_posted(struct account_partition *all, const struct decision_funds_posted *body) {
    struct account *account = take_reserved(all, body->payment, body->amount);
    all->totals.spent += body->amount;
    all->hash += account_entry_hash(account);
}

static void apply_voided(struct account_partition *all, const struct decision_funds_voided *body,
                         uint64_t now_ms) {
    struct account *account = take_reserved(all, body->payment, body->amount);
    account->balance += body->amount;
    REQUIRE(account->balance == body->balance);
    all->totals.balances += body->amount;
    row_of_payment(all, account, LEDGER_VOID, body->payment, body->reservation, body->amount,
                   now_ms);
    all->hash += account_entry_hash(account);
}

static void apply_refunded(struct account_partition *all,
                           const struct decision_funds_refunded *body, uint64_t now_ms) {
    uint32_t index = account_index(all, &body->user);
    struct account *account = account_entry(all, index);
    all->hash -= account_entry_hash(account);
    account->balance += body->amount;
    REQUIRE(account->balance == body->balance);
    all->totals.balances += body->amount;
    all->totals.refunded += body->amount;
    row_of_payment(all, account, LEDGER_REFUND, body->payment, body->reservation, body->amount,
                   now_ms);
    all->hash += account_entry_hash(account);
    transfer_open(all, (struct transfer){.payment = body->payment,
                                         .reservation = body->reservation,
                                         .amount = body->amount,
                                         .account = index,
                                         .state = TRANSFER_REFUNDED});
}

void account_apply(struct partition *partition, const struct decision *decision) {
    struct account_partition *all = (struct account_partition *)partition;
    uint64_t now_ms = decision->time_ms;
    switch (decision->kind) {
    case DECISION_WALLET_CHARGED: apply_charged(all, &decision->wallet_charged, now_ms); break;
    case DECISION_FUNDS_RESERVED: apply_reserved(all, &decision->funds_reserved, now_ms); break;
    case DECISION_FUNDS_REFUSED: break; /* for the record */
    case DECISION_FUNDS_POSTED: apply_posted(all, &decision->funds_posted); break;
    case DECISION_FUNDS_VOIDED: apply_voided(all, &decision->funds_voided, now_ms); break;
    case DECISION_FUNDS_REFUNDED: apply_refunded(all, &decision->funds_refunded, now_ms); break;
    case DECISION_REFUND_CLOSED: {
        struct transfer *transfer = transfer_find(all, decision->refund_closed.payment);
        REQUIRE(transfer && transfer->state == TRANSFER_REFUNDED);
        transfer_close(all, transfer);
        break;
    }
    default: REQUIRE_NEVER("an account's decision");
    }
    CHECK_SLOW_AT(all->partition.decision_count, account_is_sound(all));
}
