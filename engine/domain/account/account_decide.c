/* account_decide.c - what account partitions decide: charges, and their side of payments
 *
 * Balances never go negative (W2): points are set aside before a date sells (FUNDS_RESERVED), spent
 * when it has sold (FUNDS_POSTED), given back when it could not (FUNDS_VOIDED). A refund is
 * credited once, however often it is asked for (transfers).
 */
#include "engine/domain/account/account_rules.h"
#include "engine/domain/verdict.h"

static void answer_again(const struct command *command, uint64_t amount, uint64_t balance,
                         struct verdict *verdict) {
    if (amount != command->wallet.amount) {
        verdict_error(verdict, ERROR_KEY_REUSED, 0, 0, 0);
    } else {
        verdict->reply_kind = REPLY_WALLET;
        verdict->balance = balance;
    }
}

/* W1, P4: the same key gets the same answer, the same key for another amount is refused. A key is
 * known for a day at least, and as long as its row is among those that are kept. */
static bool charged_before(const struct account_partition *all, uint32_t index,
                           const struct command *command, struct verdict *verdict) {
    const struct charge_key *known = charge_keys_find(all, index, &command->wallet.key);
    if (known) {
        answer_again(command, known->amount, known->balance, verdict);
        return true;
    }
    const struct ledger_row *rows[WALLET_HISTORY_KEPT];
    uint32_t count = account_history(all, account_at(all, index), rows);
    for (uint32_t i = 0; i < count; i++) {
        if (rows[i]->reason != LEDGER_CHARGE || !id128_equal(&rows[i]->key, &command->wallet.key)) {
            continue;
        }
        answer_again(command, rows[i]->amount, rows[i]->balance, verdict);
        return true;
    }
    return false;
}

static void charge(const struct account_partition *all, const struct command *command,
                   uint64_t now_ms, struct verdict *verdict) {
    uint32_t index = account_index(all, &command->wallet.user), limit = 0;
    const struct account *account = index == ACCOUNT_NONE ? NULL : account_entry(all, index);
    uint64_t amount = command->wallet.amount;
    if (amount < 1 || amount > AMOUNT_MAX) {
        verdict_error(verdict, ERROR_AMOUNT_INVALID, AMOUNT_MAX, 0, 0);
        return;
    }
    if (account && charged_before(all, index, command, verdict)) return;
    if (amount + (account ? account->charged : 0) > AMOUNT_MAX) {
        verdict_error(verdict, ERROR_BALANCE_LIMIT, AMOUNT_MAX, 0, 0);
        return;
    }
    if (!account && all->account_count >= ACCOUNTS_PER_PARTITION_MAX) {
        verdict_error(verdict, ERROR_ACCOUNTS_FULL, ACCOUNTS_PER_PARTITION_MAX, 0, 0);
        return;
    }
    uint64_t room_ms = charge_keys_room_ms(all, account, now_ms, &limit);
    if (room_ms > now_ms) { /* never forget a key early, never charge twice */
        verdict_error(verdict, ERROR_KEYS_FULL, limit, room_ms - now_ms, 0);
        return;
    }
    uint64_t balance = (account ? account->balance : 0) + amount;
    verdict_add(verdict, &all->partition, DECISION_WALLET_CHARGED, now_ms)->wallet_charged =
        (struct decision_wallet_charged){command->wallet.user, amount, balance,
                                         command->wallet.key};
    verdict->reply_kind = REPLY_WALLET;
    verdict->balance = balance;
}

/* Answer a date's message by another about the same payment. */
static void send(const struct command *command, enum command_kind kind, uint64_t balance,
                 struct verdict *verdict) {
    struct command *message = verdict_message(
        verdict, kind, partition_of_date(dated_id_date(command->funds.payment)));
    message->funds = command->funds;
    message->funds.balance = balance;
}

static void reserve(const struct account_partition *all, const struct command *command,
                    uint64_t now_ms, struct verdict *verdict) {
    const struct account *account = account_find(all, &command->funds.user);
    uint64_t balance = account ? account->balance : 0, amount = command->funds.amount;
    if (transfer_find(all, command->funds.payment)) { /* asked again */
        send(command, COMMAND_FUNDS_RESERVED, balance, verdict);
    } else if (balance >= amount) { /* a free seat needs no wallet */
        verdict_add(verdict, &all->partition, DECISION_FUNDS_RESERVED, now_ms)->funds_reserved =
            (struct decision_funds_reserved){command->funds.user, command->funds.payment,
                                             command->funds.reservation, amount, balance - amount};
        send(command, COMMAND_FUNDS_RESERVED, balance - amount, verdict);
    } else {
        verdict_add(verdict, &all->partition, DECISION_FUNDS_REFUSED, now_ms)->funds_refused =
            (struct decision_funds_refused){command->funds.user, command->funds.payment,
                                            command->funds.reservation, amount, balance};
        send(command, COMMAND_FUNDS_REFUSED, balance, verdict);
    }
}

static void post(const struct account_partition *all, const struct transfer *transfer,
                 uint64_t now_ms, struct verdict *verdict) {
    verdict_add(verdict, &all->partition, DECISION_FUNDS_POSTED, now_ms)->funds_posted =
        (struct decision_funds_posted){account_at(all, transfer->account)->user, transfer->payment,
                                       transfer->amount};
}

static void refund(const struct account_partition *all, const struct command *command,
                   uint64_t now_ms, struct verdict *verdict) {
    const struct account *account = account_find(all, &command->funds.user);
    const struct transfer *transfer = transfer_find(all, command->funds.payment);
    REQUIRE(account != NULL); /* it paid */
    uint64_t balance = account->balance + command->funds.amount;
    if (transfer && transfer->state == TRANSFER_REFUNDED) { /* asked again */
        send(command, COMMAND_FUNDS_REFUNDED, account->balance, verdict);
        return;
    }
    /* The date refunds only what it has sold: a crash lost the message that said so. */
    if (transfer) post(all, transfer, now_ms, verdict);
    verdict_add(verdict, &all->partition, DECISION_FUNDS_REFUNDED, now_ms)->funds_refunded =
        (struct decision_funds_refunded){command->funds.user, command->funds.payment,
                                         command->funds.reservation, command->funds.amount,
                                         balance};
    send(command, COMMAND_FUNDS_REFUNDED, balance, verdict);
}

static void settle(const struct account_partition *all, const struct command *command,
                   uint64_t now_ms, struct verdict *verdict) {
    const struct transfer *transfer = transfer_find(all, command->funds.payment);
    if (!transfer) return; /* said before */
    const struct account *account = account_at(all, transfer->account);
    if (command->kind == COMMAND_REFUND_CLOSE) {
        if (transfer->state != TRANSFER_REFUNDED) return;
        verdict_add(verdict, &all->partition, DECISION_REFUND_CLOSED, now_ms)->refund_closed =
            (struct decision_refund_closed){account->user, transfer->payment};
    } else if (transfer->state != TRANSFER_RESERVED) {
        return;
    } else if (command->kind == COMMAND_FUNDS_POST) {
        post(all, transfer, now_ms, verdict);
    } else {
        verdict_add(verdict, &all->partition, DECISION_FUNDS_VOIDED, now_ms)->funds_voided =
            (struct decision_funds_voided){account->user, transfer->payment, transfer->reservation,
                                           transfer->amount, account->balance + transfer->amount};
    }
}

void account_decide(const struct partition *partition, const struct command *command,
                    uint64_t now_ms, struct verdict *verdict) {
    const struct account_partition *all = (const struct account_partition *)partition;
    switch (command->kind) {
    case COMMAND_WALLET_CHARGE: charge(all, command, now_ms, verdict); break;
    case COMMAND_WALLET_BALANCE: {
        const struct account *account = account_find(all, &command->wallet.user);
        verdict->reply_kind = REPLY_WALLET;
        verdict->balance = account ? account->balance : 0;
        break;
    }
    case COMMAND_WALLET_HISTORY: verdict->reply_kind = REPLY_HISTORY; break;
    case COMMAND_FUNDS_RESERVE: reserve(all, command, now_ms, verdict); break;
    case COMMAND_FUNDS_REFUND: refund(all, command, now_ms, verdict); break;
    case COMMAND_FUNDS_POST:
    case COMMAND_FUNDS_VOID:
    case COMMAND_REFUND_CLOSE: settle(all, command, now_ms, verdict); break;
    default: REQUIRE_NEVER("an account's command");
    }
}

void account_answer(const struct partition *partition, const struct command *command,
                    const struct verdict *verdict, uint64_t now_ms, struct reply *reply) {
    const struct account_partition *all = (const struct account_partition *)partition;
    (void)now_ms;
    const struct account *account = account_find(all, &command->wallet.user);
    if (reply->kind == REPLY_WALLET) {
        reply->wallet.user = command->wallet.user;
        reply->wallet.balance = verdict->balance;
        reply->wallet.reserved = account ? account->reserved : 0;
    } else {
        REQUIRE(reply->kind == REPLY_HISTORY);
        reply->history.user = command->wallet.user;
        reply->history.partition = all;
        reply->history.account = account;
    }
}

/* After a crash: ask the date about every reserve that was neither posted nor voided, and tell it
 * again about every refund that it has not closed. */
bool account_due(struct partition *partition, uint64_t now_ms, struct verdict *verdict) {
    struct account_partition *all = (struct account_partition *)partition;
    (void)now_ms; /* unfinished matters, not deadlines */
    while (all->volatile_sweep < all->transfer_count) {
        const struct transfer *transfer = &all->transfers[all->volatile_sweep++];
        if (transfer->payment == 0) continue;
        const struct account *account = account_at(all, transfer->account);
        struct command *message = verdict_message(
            verdict,
            transfer->state == TRANSFER_RESERVED ? COMMAND_FUNDS_RESERVED : COMMAND_FUNDS_REFUNDED,
            partition_of_date(dated_id_date(transfer->payment)));
        message->funds.user = account->user;
        message->funds.payment = transfer->payment;
        message->funds.reservation = transfer->reservation;
        message->funds.amount = transfer->amount;
        message->funds.balance = account->balance;
        return true;
    }
    return false;
}

uint64_t account_next_due_ms(const struct partition *partition) {
    const struct account_partition *all = (const struct account_partition *)partition;
    return all->volatile_sweep < all->transfer_count ? 0 : UINT64_MAX;
}
