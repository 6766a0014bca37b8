/* account.c - wallets: what account partitions decide, and how it changes them
 *
 * Balances never go negative (W2): points are set aside before a date sells (FUNDS_RESERVED), spent
 * when it has sold (FUNDS_POSTED), given back when it could not (FUNDS_VOIDED). A refund is
 * credited once, however often it is asked for (transfers).
 */
#include "engine/domain/account/account.h"

#include <stdlib.h>

#include "engine/domain/account/account_rules.h"
#include "engine/domain/verdict.h"
#include "engine/base/hash.h"

#define CHUNK 1024u /* accounts, and rows, per chunk */
#define NO_ACCOUNT UINT32_MAX

static struct account *at(const struct account_partition *all, uint32_t index) {
    REQUIRE(index < all->account_count);
    return &all->accounts[index / CHUNK][index % CHUNK];
}

struct account *account_entry(const struct account_partition *all, uint32_t index) {
    return at(all, index);
}

static struct ledger_row *row_at(const struct account_partition *all, uint32_t index) {
    REQUIRE(index < all->row_count);
    return &all->rows[index / CHUNK][index % CHUNK];
}

static void account_free(struct partition *partition) {
    struct account_partition *all = (struct account_partition *)partition;
    for (uint32_t i = 0; i * CHUNK < all->account_count; i++) free(all->accounts[i]);
    for (uint32_t i = 0; i * CHUNK < all->row_count; i++) free(all->rows[i]);
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

static uint32_t index_of(const struct account_partition *all, const struct id128 *user) {
    uint32_t index;
    struct index_cursor cursor = index_find(&all->by_user, user_hash(all, user));
    while (index_next(&cursor, &index)) {
        if (id128_equal(&at(all, index)->user, user)) return index;
    }
    return NO_ACCOUNT;
}

uint32_t account_index(const struct account_partition *all, const struct id128 *user) {
    return index_of(all, user);
}

const struct account *account_at(const struct account_partition *all, uint32_t index) {
    return at(all, index);
}

static struct account *find(const struct account_partition *all, const struct id128 *user) {
    uint32_t index = index_of(all, user);
    return index == NO_ACCOUNT ? NULL : at(all, index);
}

const struct account *account_find(const struct account_partition *all, const struct id128 *user) {
    return find(all, user);
}

uint32_t account_history(const struct account_partition *all, const struct account *account,
                         const struct ledger_row *ret_rows[WALLET_HISTORY_KEPT]) {
    if (account->rows == 0) return 0;
    uint32_t count = 0, index = account->newest;
    do {
        index = row_at(all, index)->next;
        ret_rows[count++] = row_at(all, index);
    } while (index != account->newest);
    return count;
}

static uint64_t payment_hash(const struct account_partition *all, uint64_t payment) {
    return index_hash(&payment, sizeof payment, all->seed);
}

static struct transfer *transfer_find(const struct account_partition *all, uint64_t payment) {
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

/* --- decide ----------------------------------------------------------------------------------- */

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
    uint32_t index = index_of(all, &command->wallet.user), limit = 0;
    const struct account *account = index == NO_ACCOUNT ? NULL : at(all, index);
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
    const struct account *account = find(all, &command->funds.user);
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
    const struct account *account = find(all, &command->funds.user);
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
        const struct account *account = find(all, &command->wallet.user);
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
    const struct account *account = find(all, &command->wallet.user);
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

/* In order of payment, and not of slots that depend on how the state came about: what is asked
 * first is then the same from a log and from an image. */
void account_resume(struct partition *partition, uint64_t now_ms) {
    struct account_partition *all = (struct account_partition *)partition;
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
    (void)now_ms;
}

/* --- apply ------------------------------------------------------------------------------------ */

static uint64_t hash_of(const struct account *account) {
    HASHED_STRUCT_BEGIN
    struct {
        struct id128 user;
        uint64_t balance, reserved, charged, rows, chain;
    } image = {account->user,    account->balance, account->reserved,
               account->charged, account->rows,    account->chain};
    HASHED_STRUCT_END
    return index_hash(&image, sizeof image, 0);
}

static uint64_t transfer_hash(const struct transfer *t) {
    uint64_t image[4] = {t->payment, t->reservation, t->amount, t->state};
    return index_hash(image, sizeof image, 1);
}

uint64_t account_hash(const struct partition *all) {
    return ((const struct account_partition *)all)->hash;
}

uint64_t account_hash_recount(const struct partition *partition) {
    const struct account_partition *all = (const struct account_partition *)partition;
    uint64_t hash = 0;
    for (uint32_t i = 0; i < all->account_count; i++) hash += hash_of(account_at(all, i));
    for (uint32_t i = 0; i < all->transfer_count; i++) {
        if (all->transfers[i].payment != 0) hash += transfer_hash(&all->transfers[i]);
    }
    return hash;
}

/* Pointers to chunks of whatever type: copied as bytes, for no other type may be written
 * through. */
static void *chunk_for(void *chunks, uint32_t count, size_t size) {
    if (count % CHUNK != 0) return chunks;
    char *all = realloc(chunks, (count / CHUNK + 1) * sizeof(void *));
    void *chunk = calloc(CHUNK, size);
    REQUIRE_MEMORY(all != NULL && chunk != NULL);
    memcpy(all + count / CHUNK * sizeof chunk, &chunk, sizeof chunk);
    return all;
}

/* The next account; its hash is still to be added. Return: its index */
static uint32_t account_add(struct account_partition *all, const struct id128 *user) {
    all->accounts = chunk_for(all->accounts, all->account_count, sizeof(struct account));
    index_insert(&all->by_user, user_hash(all, user), all->account_count);
    at(all, all->account_count++)->user = *user;
    all->totals.accounts++;
    return all->account_count - 1;
}

static uint32_t account_open(struct account_partition *all, const struct id128 *user) {
    uint32_t index = index_of(all, user);
    if (index != NO_ACCOUNT) return index;
    index = account_add(all, user);
    all->hash += hash_of(at(all, index));
    return index;
}

/* A wallet's chain with one more row. */
static uint64_t chained(uint64_t chain, const struct ledger_row *row) {
    uint64_t image[7] = {chain,        row->time_ms,     row->amount, row->balance,
                         row->payment, row->reservation, row->reason};
    return index_hash(image, sizeof image, 2);
}

/* A row into a ring of its own account that has room: the newest points to the oldest. */
static uint32_t row_append(struct account_partition *all, struct account *account,
                           const struct ledger_row *row) {
    all->rows = chunk_for(all->rows, all->row_count, sizeof(struct ledger_row));
    uint32_t index = all->row_count++;
    *row_at(all, index) = *row;
    if (account->rows == 0) {
        row_at(all, index)->next = index;
    } else {
        row_at(all, index)->next = row_at(all, account->newest)->next;
        row_at(all, account->newest)->next = index;
    }
    return index;
}

/* W2: every change has a row. The rows of one wallet are a ring: the newest points to the oldest,
 * which is overwritten when WALLET_HISTORY_KEPT are there. */
static void row_add(struct account_partition *all, struct account *account,
                    const struct ledger_row *row) {
    uint32_t index;
    if (account->rows >= WALLET_HISTORY_KEPT) {
        index = row_at(all, account->newest)->next;
        uint32_t oldest = row_at(all, index)->next;
        *row_at(all, index) = *row;
        row_at(all, index)->next = oldest;
    } else {
        index = row_append(all, account, row);
    }
    account->newest = index;
    account->rows++;
    account->chain = chained(account->chain, row);
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

static void transfer_open(struct account_partition *all, struct transfer transfer) {
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

static void transfer_close(struct account_partition *all, struct transfer *transfer) {
    uint32_t index = (uint32_t)(transfer - all->transfers);
    all->hash -= transfer_hash(transfer);
    index_remove(&all->by_payment, payment_hash(all, transfer->payment), index);
    *transfer = (struct transfer){.next_free = all->transfer_free};
    all->transfer_free = index;
    all->transfer_open--;
}

static void apply_charged(struct account_partition *all, const struct decision_wallet_charged *body,
                          uint64_t now_ms) {
    uint32_t index = account_open(all, &body->user);
    struct account *account = at(all, index);
    all->hash -= hash_of(account);
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
    all->hash += hash_of(account);
}

static void apply_reserved(struct account_partition *all,
                           const struct decision_funds_reserved *body, uint64_t now_ms) {
    uint32_t index = account_open(all, &body->user);
    struct account *account = at(all, index);
    REQUIRE(account->balance >= body->amount); /* W2: never negative */
    all->hash -= hash_of(account);
    account->balance -= body->amount;
    account->reserved += body->amount;
    REQUIRE(account->balance == body->balance);
    all->totals.balances -= body->amount;
    all->totals.reserved += body->amount;
    row_of_payment(all, account, LEDGER_PAYMENT, body->payment, body->reservation, body->amount,
                   now_ms);
    all->hash += hash_of(account);
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
    struct account *account = at(all, transfer->account);
    REQUIRE(account->reserved >= amount);
    all->hash -= hash_of(account);
    account->reserved -= amount;
    all->totals.reserved -= amount;
    transfer_close(all, transfer);
    return account; /* its hash is still to be added */
}

static void apply_posted(struct account_partition *all, const struct decision_funds_posted *body) {
    struct account *account = take_reserved(all, body->payment, body->amount);
    all->totals.spent += body->amount;
    all->hash += hash_of(account);
}

static void apply_voided(struct account_partition *all, const struct decision_funds_voided *body,
                         uint64_t now_ms) {
    struct account *account = take_reserved(all, body->payment, body->amount);
    account->balance += body->amount;
    REQUIRE(account->balance == body->balance);
    all->totals.balances += body->amount;
    row_of_payment(all, account, LEDGER_VOID, body->payment, body->reservation, body->amount,
                   now_ms);
    all->hash += hash_of(account);
}

static void apply_refunded(struct account_partition *all,
                           const struct decision_funds_refunded *body, uint64_t now_ms) {
    uint32_t index = index_of(all, &body->user);
    struct account *account = at(all, index);
    all->hash -= hash_of(account);
    account->balance += body->amount;
    REQUIRE(account->balance == body->balance);
    all->totals.balances += body->amount;
    all->totals.refunded += body->amount;
    row_of_payment(all, account, LEDGER_REFUND, body->payment, body->reservation, body->amount,
                   now_ms);
    all->hash += hash_of(account);
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
    uint32_t index = index_of(all, user);
    if (index == NO_ACCOUNT) return;
    __builtin_prefetch(at(all, index), 1);
    if (decision->kind == DECISION_WALLET_CHARGED) {
        charge_keys_prefetch(all, index, &decision->wallet_charged.key);
    }
}

/* --- from an image ---------------------------------------------------------------------------- */

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
    walk->chain = chained(walk->chain, row);
    return NULL;
}

static const char *check_saved(const struct account_partition *all,
                               const struct entity_account *saved, uint32_t count) {
    uint32_t kept = saved->rows < WALLET_HISTORY_KEPT ? (uint32_t)saved->rows : WALLET_HISTORY_KEPT;
    if (partition_of_user(&saved->user) != all->partition.id) return "a user of another partition";
    if (index_of(all, &saved->user) != NO_ACCOUNT) return "this user has an account already";
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
    struct account *account = at(all, account_add(all, &saved->user));
    for (uint32_t i = 0; i < count; i++) {
        struct ledger_row row = row_of(&rows[i]);
        wrong = walk_row(&walk, &row, whole || i > 0);
        if (wrong) return wrong;
        account->newest = row_append(all, account, &row);
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
    all->hash += hash_of(account);
    all->totals.charged += account->charged;
    all->totals.balances += account->balance;
    all->totals.reserved += account->reserved;
    return NULL;
}

/* Until account_restored(), account->reserved is what no transfer has explained yet. */
const char *account_restore_transfer(struct account_partition *all,
                                     const struct entity_transfer *saved) {
    uint32_t index = index_of(all, &saved->user);
    if (index == NO_ACCOUNT) return "a transfer of a user without account";
    if (!is_dated(saved->payment) || !is_dated(saved->reservation) ||
        dated_id_date(saved->payment) != dated_id_date(saved->reservation)) {
        return "payment and reservation are not of one date";
    }
    if (saved->state != TRANSFER_RESERVED && saved->state != TRANSFER_REFUNDED) {
        return "there is no such state of a transfer";
    }
    REQUIRE(!transfer_find(all, saved->payment)); /* in order */
    struct account *account = at(all, index);
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
    return charge_keys_restore(all, saved);
}

/* The newest charge's key is never forgotten: without any, this is from an usher that kept none. */
const char *account_restored(struct account_partition *all, const struct entity_totals *saved) {
    struct account_sums *totals = &all->totals;
    for (uint32_t i = 0; i < all->account_count; i++) {
        if (at(all, i)->reserved != 0) return "points are reserved without a transfer";
    }
    for (uint32_t i = 0; i < all->transfer_count; i++) {
        const struct transfer *transfer = &all->transfers[i];
        if (transfer->state != TRANSFER_RESERVED) continue;
        at(all, transfer->account)->reserved += transfer->amount;
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
    if (all->keys.count == 0) charge_keys_from_rows(all);
    return NULL;
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
