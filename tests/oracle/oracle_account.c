/* oracle_account.c - the wallets, and the money's half of payments and refunds */
#include "tests/oracle/oracle_parts.h"

#include <string.h>

struct oracle_wallet *oracle_open_wallet(struct oracle *oracle, const struct id128 *user) {
    struct table_key key = table_key(user, NULL);
    uint64_t *index = table_at(&oracle->wallet_of, &key);
    if (*index == 0) {
        struct oracle_wallet *wallet = APPEND(oracle->wallets, oracle->wallet_count);
        wallet->user = *user;
        wallet->index = oracle->wallet_count;
        *index = oracle->wallet_count;
    }
    return &oracle->wallets[*index];
}

static void add_row(struct oracle *oracle, struct oracle_wallet *wallet) {
    wallet->balances = oracle_grown(wallet->balances, (uint32_t)wallet->rows,
                                    sizeof *wallet->balances);
    wallet->balances[++wallet->rows] = (struct oracle_balance){oracle->lsn, wallet->balance};
}

static void tell(struct oracle *oracle, const struct oracle_wallet *wallet) {
    oracle_changed(oracle, ORACLE_BALANCE, 0, wallet->index, wallet->balance);
    oracle_changed(oracle, ORACLE_RESERVED, 0, wallet->index, wallet->reserved);
}

/* W1: once per key, within a day and within the rows that the engine keeps. */
static bool charged(struct oracle *oracle, const struct decision *decision) {
    const struct decision_wallet_charged *body = &decision->wallet_charged;
    DEMAND(RECORD, "L", decision->partition == partition_of_user(&body->user),
           "it is the user's partition");
    DEMAND(POINTS, "W1", body->amount >= 1 && body->amount <= AMOUNT_MAX, "the amount is allowed");
    struct oracle_wallet *wallet = oracle_open_wallet(oracle, &body->user);
    const struct oracle_charge *before = oracle_charge(oracle, &body->user, &body->key);
    bool forgotten = before && before->time_ms + KEY_KEPT_MS < decision->time_ms &&
                     before->row + WALLET_HISTORY_KEPT <= wallet->rows;
    DEMAND(POINTS, "W1", !before || forgotten, "a key charges once");
    DEMAND(POINTS, "W2", body->balance == wallet->balance + body->amount,
           "the balance is what it was, and the amount");
    wallet->balance += body->amount;
    wallet->charged += body->amount;
    oracle->charged += body->amount;
    oracle->balances += body->amount;
    add_row(oracle, wallet);
    struct table_key key = table_key(&body->user, &body->key);
    struct oracle_charge *charge = APPEND(oracle->charges, oracle->charge_count);
    *charge = (struct oracle_charge){body->amount, decision->time_ms, wallet->rows};
    *table_at(&oracle->charge_of, &key) = oracle->charge_count;
    tell(oracle, wallet);
    return true;
}

/* What the six records of a payment's money name alike. */
struct money_move {
    const struct id128 *user;
    uint64_t payment, reservation, amount, balance;
    bool has_reservation, has_amount, has_balance;
};

static bool transfer_of(const struct decision *decision, struct money_move *ret_transfer) {
#define WHOLE(body)                                                                                \
    ((struct money_move){&(body)->user, (body)->payment, (body)->reservation, (body)->amount,      \
                         (body)->balance, true, true, true})
    switch (decision->kind) {
    case DECISION_FUNDS_RESERVED: *ret_transfer = WHOLE(&decision->funds_reserved); return true;
    case DECISION_FUNDS_REFUSED: *ret_transfer = WHOLE(&decision->funds_refused); return true;
    case DECISION_FUNDS_VOIDED: *ret_transfer = WHOLE(&decision->funds_voided); return true;
    case DECISION_FUNDS_REFUNDED: *ret_transfer = WHOLE(&decision->funds_refunded); return true;
    case DECISION_FUNDS_POSTED:
        *ret_transfer = (struct money_move){.user = &decision->funds_posted.user,
                                            .payment = decision->funds_posted.payment,
                                            .amount = decision->funds_posted.amount,
                                            .has_amount = true};
        return true;
    case DECISION_REFUND_CLOSED:
        *ret_transfer = (struct money_move){.user = &decision->refund_closed.user,
                                            .payment = decision->refund_closed.payment};
        return true;
    default: return false;
    }
#undef WHOLE
}

/* P3: does this follow from what the log has of the payment? */
static bool follows(struct oracle *oracle, const struct oracle_payment *payment,
                    const struct oracle_reservation *reservation) {
    enum oracle_money money = payment->money;
    switch (oracle->decision->kind) {
    case DECISION_FUNDS_RESERVED:
    case DECISION_FUNDS_REFUSED:
        DEMAND(HALF, "P4", money < ORACLE_MONEY_RESERVED, "points are set aside or refused once");
        return true;
    case DECISION_FUNDS_POSTED:
        DEMAND(HALF, "P3", money == ORACLE_MONEY_RESERVED, "points are spent that were set aside");
        DEMAND(HALF, "P3", payment->sold, "points are spent for seats that were sold");
        return true;
    case DECISION_FUNDS_VOIDED:
        DEMAND(HALF, "P3", money == ORACLE_MONEY_RESERVED,
               "points are given back that were set aside");
        DEMAND(HALF, "P3", !payment->sold, "sold seats' points are not given back");
        return true;
    case DECISION_FUNDS_REFUNDED:
        DEMAND(HALF, "R8", money == ORACLE_MONEY_POSTED && payment->sold,
               "points are refunded that were spent");
        DEMAND(HALF, "R8", reservation->state == RESERVATION_REFUNDING, "it is being refunded");
        return true;
    default:
        DEMAND(HALF, "R8", money == ORACLE_MONEY_REFUNDED, "a refund is closed that took place");
        DEMAND(HALF, "R8", reservation->state == RESERVATION_REFUNDED, "its seats are free");
        return true;
    }
}

/* W2: does the balance cover it, and is it what the record says it is afterwards? */
static bool balance_fits(struct oracle *oracle, const struct oracle_wallet *wallet,
                         const struct money_move *transfer) {
    uint64_t amount = transfer->amount, after = wallet->balance;
    switch (oracle->decision->kind) {
    case DECISION_FUNDS_RESERVED:
        DEMAND(POINTS, "P1", wallet->balance >= amount, "the balance covers it");
        after -= amount;
        break;
    case DECISION_FUNDS_REFUSED:
        DEMAND(POINTS, "P2", wallet->balance < amount, "the balance does not cover it");
        break;
    case DECISION_FUNDS_VOIDED:
    case DECISION_FUNDS_REFUNDED: after += amount; break;
    default: break;
    }
    DEMAND(POINTS, "W2", !transfer->has_balance || transfer->balance == after,
           "the balance is what the rows add up to");
    return true;
}

/* Move the points. Return: has the wallet's history a row of it? */
static bool move(struct oracle *oracle, struct oracle_wallet *wallet,
                 struct oracle_payment *payment, uint64_t amount) {
    switch (oracle->decision->kind) {
    case DECISION_FUNDS_RESERVED:
        wallet->balance -= amount, oracle->balances -= amount;
        wallet->reserved += amount, oracle->reserved += amount;
        payment->money = ORACLE_MONEY_RESERVED;
        payment->reserved_lsn = oracle->lsn;
        return true;
    case DECISION_FUNDS_REFUSED:
        payment->money = ORACLE_MONEY_REFUSED;
        payment->refused = true;
        payment->refused_balance = wallet->balance;
        return false;
    case DECISION_FUNDS_POSTED:
        wallet->reserved -= amount, oracle->reserved -= amount;
        wallet->spent += amount, oracle->spent += amount;
        payment->money = ORACLE_MONEY_POSTED;
        return false;
    case DECISION_FUNDS_VOIDED:
        wallet->reserved -= amount, oracle->reserved -= amount;
        wallet->balance += amount, oracle->balances += amount;
        payment->money = ORACLE_MONEY_VOIDED;
        return true;
    case DECISION_FUNDS_REFUNDED:
        wallet->balance += amount, oracle->balances += amount;
        wallet->refunded += amount, oracle->refunded += amount;
        payment->money = ORACLE_MONEY_REFUNDED;
        return true;
    default: payment->money = ORACLE_MONEY_CLOSED; return false;
    }
}

static bool transferred(struct oracle *oracle, const struct decision *decision) {
    struct money_move transfer;
    DEMAND(RECORD, "L", transfer_of(decision, &transfer), "an account decides this");
    DEMAND(RECORD, "L", decision->partition == partition_of_user(transfer.user),
           "it is the user's partition");
    struct oracle_date *date = oracle_date(oracle, dated_id_date(transfer.payment));
    uint32_t number = dated_id_sequence(transfer.payment);
    DEMAND(HALF, "P3", date && number >= 1 && number <= date->payment_count,
           "its payment was started before");
    struct oracle_payment *payment = &date->payments[number];
    const struct oracle_reservation *reservation = &date->reservations[payment->reservation];
    DEMAND(HALF, "P1", id128_equal(&reservation->user, transfer.user), "it is the user's payment");
    DEMAND(HALF, "P3",
           !transfer.has_reservation ||
               transfer.reservation == dated_id(date->id, payment->reservation),
           "it is the payment's reservation");
    DEMAND(POINTS, "P3", !transfer.has_amount || transfer.amount == reservation->amount,
           "it is the reservation's price");
    if (!follows(oracle, payment, reservation)) return false;
    struct oracle_wallet *wallet = oracle_open_wallet(oracle, transfer.user);
    if (!balance_fits(oracle, wallet, &transfer)) return false;
    if (move(oracle, wallet, payment, transfer.amount)) add_row(oracle, wallet);
    tell(oracle, wallet);
    return true;
}

bool oracle_judge_account(struct oracle *oracle, const struct decision *decision) {
    bool allowed = decision->kind == DECISION_WALLET_CHARGED ? charged(oracle, decision)
                                                             : transferred(oracle, decision);
    if (!allowed) return false;
    DEMAND(POINTS, "W2",
           oracle->charged ==
               oracle->balances + oracle->reserved + oracle->spent - oracle->refunded,
           "points are conserved");
    return true;
}
