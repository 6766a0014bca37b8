/* model_account.c - the reference model's wallets */
#include "tests/sim/model.h"

#include "engine/base/require.h"

static struct model_user *open_user(struct model *model, const struct id128 *user) {
    struct model_user *of = model_user(model, user);
    if (of) return of;
    REQUIRE(model->user_count < PLAN_FANS_MAX); /* there are no more fans */
    of = &model->users[model->user_count++];
    *of = (struct model_user){.user = *user};
    model_note(&of->balances, 0, 0);
    model_note(&of->reserves, 0, 0);
    return of;
}

static void add_row(struct model *model, struct model_user *user, const struct model_row *row) {
    user->rows = model_grow(user->rows, user->row_count, &user->row_capacity, sizeof *user->rows);
    user->rows[user->row_count] = *row;
    user->rows[user->row_count].lsn = model->lsn;
    user->rows[user->row_count++].balance = user->balance;
}

/* W1: once per key, within a day and within the rows that the engine keeps. */
static bool charged(struct model *model, const struct decision *decision) {
    const struct decision_wallet_charged *body = &decision->wallet_charged;
    struct model_user *user = open_user(model, &body->user);
    MODEL_RULE(POINTS, body->amount >= 1 && body->amount <= AMOUNT_MAX, "the amount is allowed");
    uint32_t from = user->row_count > WALLET_HISTORY_KEPT ? user->row_count - WALLET_HISTORY_KEPT
                                                          : 0;
    for (uint32_t i = 0; i < user->row_count; i++) {
        bool old = user->rows[i].time_ms + KEY_KEPT_MS < decision->time_ms;
        MODEL_RULE(POINTS,
                   (old && i < from) || user->rows[i].reason != LEDGER_CHARGE ||
                       !id128_equal(&user->rows[i].key, &body->key),
                   "a key charges once");
    }
    user->balance += body->amount;
    user->charged += body->amount;
    model->charged += body->amount;
    model->balances += body->amount;
    MODEL_RULE(POINTS, user->balance == body->balance,
               "the balance is what it was, and the amount");
    add_row(model, user,
            &(struct model_row){.reason = LEDGER_CHARGE,
                                .time_ms = decision->time_ms,
                                .amount = body->amount,
                                .key = body->key});
    if (model->counting) model->run->counters.charges++;
    return true;
}

/* What the five records of a payment's money name alike. */
struct model_transfer {
    const struct id128 *user;
    uint64_t payment, reservation, amount, balance;
    bool has_reservation, has_balance;
};

static struct model_transfer transfer_of(const struct decision *decision) {
#define WHOLE(body)                                                                                \
    {                                                                                              \
        &(body)->user, (body)->payment, (body)->reservation, (body)->amount, (body)->balance,      \
            true, true                                                                             \
    }
    switch (decision->kind) {
    case DECISION_FUNDS_RESERVED: return (struct model_transfer)WHOLE(&decision->funds_reserved);
    case DECISION_FUNDS_REFUSED: return (struct model_transfer)WHOLE(&decision->funds_refused);
    case DECISION_FUNDS_VOIDED: return (struct model_transfer)WHOLE(&decision->funds_voided);
    case DECISION_FUNDS_REFUNDED: return (struct model_transfer)WHOLE(&decision->funds_refunded);
    case DECISION_FUNDS_POSTED:
        return (struct model_transfer){.user = &decision->funds_posted.user,
                                       .payment = decision->funds_posted.payment,
                                       .amount = decision->funds_posted.amount};
    default:
        return (struct model_transfer){.user = &decision->refund_closed.user,
                                       .payment = decision->refund_closed.payment};
    }
#undef WHOLE
}

/* Does this follow from what the log has of the payment? */
static bool follows(struct model *model, const struct decision *decision,
                    const struct model_payment *payment,
                    const struct model_reservation *reservation) {
    enum model_money money = payment->money;
    switch (decision->kind) {
    case DECISION_FUNDS_RESERVED:
    case DECISION_FUNDS_REFUSED:
        MODEL_RULE(HALF, money < MODEL_MONEY_RESERVED || money == MODEL_MONEY_VOIDED,
                   "points are reserved or refused once");
        break;
    case DECISION_FUNDS_POSTED:
        MODEL_RULE(HALF, money == MODEL_MONEY_RESERVED, "points are spent that were reserved");
        MODEL_RULE(HALF, payment->sold, "points are spent for seats that were sold");
        break;
    case DECISION_FUNDS_VOIDED:
        MODEL_RULE(HALF, money == MODEL_MONEY_RESERVED, "points are given back that were reserved");
        MODEL_RULE(HALF, !payment->sold, "sold seats' points are not given back");
        break;
    case DECISION_FUNDS_REFUNDED:
        MODEL_RULE(HALF, money == MODEL_MONEY_POSTED, "points are refunded that were spent");
        MODEL_RULE(HALF, reservation->state == RESERVATION_REFUNDING, "it is being refunded");
        break;
    default:
        MODEL_RULE(HALF, money == MODEL_MONEY_REFUNDED, "a refund is closed that took place");
        MODEL_RULE(HALF, reservation->state == RESERVATION_REFUNDED, "its seats are free");
    }
    return true;
}

/* Move the points. Return: the ledger's reason; 0: no row */
static uint8_t move(struct model *model, struct model_user *user, struct model_payment *payment,
                    uint32_t kind, uint64_t amount) {
    switch (kind) {
    case DECISION_FUNDS_RESERVED:
        user->balance -= amount, model->balances -= amount;
        user->reserved += amount, model->reserved += amount;
        payment->money = MODEL_MONEY_RESERVED;
        payment->reserved_lsn = model->lsn;
        return LEDGER_PAYMENT;
    case DECISION_FUNDS_REFUSED:
        payment->money = MODEL_MONEY_REFUSED;
        payment->refused = true;
        payment->refused_balance = user->balance;
        return 0;
    case DECISION_FUNDS_POSTED:
        user->reserved -= amount, model->reserved -= amount;
        user->spent += amount, model->spent += amount;
        payment->money = MODEL_MONEY_POSTED;
        return 0;
    case DECISION_FUNDS_VOIDED:
        user->reserved -= amount, model->reserved -= amount;
        user->balance += amount, model->balances += amount;
        payment->money = MODEL_MONEY_VOIDED;
        return LEDGER_VOID;
    case DECISION_FUNDS_REFUNDED:
        user->balance += amount, model->balances += amount;
        user->refunded += amount, model->refunded += amount;
        payment->money = MODEL_MONEY_REFUNDED;
        return LEDGER_REFUND;
    default: payment->money = MODEL_MONEY_CLOSED; return 0;
    }
}

static void count(struct model *model, uint32_t kind) {
    if (!model->counting) return;
    model->run->counters.voided += kind == DECISION_FUNDS_VOIDED;
    model->run->counters.refunds += kind == DECISION_FUNDS_REFUNDED;
}

bool model_account_apply(struct model *model, const struct decision *decision) {
    if (decision->kind == DECISION_WALLET_CHARGED) {
        MODEL_RULE(RECORD, decision->partition == partition_of_user(&decision->wallet_charged.user),
                   "it is the user's partition");
        if (!charged(model, decision)) return false;
        struct model_user *user = model_user(model, &decision->wallet_charged.user);
        model_note(&user->balances, model->lsn, user->balance);
    } else {
        struct model_transfer transfer = transfer_of(decision);
        MODEL_RULE(RECORD, decision->partition == partition_of_user(transfer.user),
                   "it is the user's partition");
        struct model_date *date = model_date(model, dated_id_date(transfer.payment));
        uint32_t number = dated_id_sequence(transfer.payment);
        MODEL_RULE(HALF, date && number >= 1 && number <= date->payment_count,
                   "its payment was started before");
        struct model_payment *payment = &date->payments[number - 1];
        struct model_reservation *reservation = model_reservation(date, payment->reservation);
        MODEL_RULE(HALF, id128_equal(&reservation->user, transfer.user),
                   "it is the user's payment");
        MODEL_RULE(HALF,
                   !transfer.has_reservation ||
                       transfer.reservation == dated_id(date->id, payment->reservation),
                   "it is the payment's reservation");
        bool closing = decision->kind == DECISION_REFUND_CLOSED;
        uint64_t amount = closing ? 0 : transfer.amount;
        MODEL_RULE(POINTS, closing || amount == reservation->amount,
                   "it is the reservation's price");
        if (!follows(model, decision, payment, reservation)) return false;
        struct model_user *user = open_user(model, transfer.user);
        if (decision->kind == DECISION_FUNDS_RESERVED) {
            MODEL_RULE(POINTS, user->balance >= amount, "the balance covers it");
        }
        if (decision->kind == DECISION_FUNDS_REFUSED) {
            MODEL_RULE(POINTS, user->balance < amount, "the balance does not cover it");
        }
        uint8_t reason = move(model, user, payment, decision->kind, amount);
        MODEL_RULE(POINTS, !transfer.has_balance || transfer.balance == user->balance,
                   "the balance is right");
        if (reason) {
            add_row(model, user,
                    &(struct model_row){.reason = reason,
                                        .time_ms = decision->time_ms,
                                        .amount = amount,
                                        .payment = transfer.payment,
                                        .reservation = dated_id(date->id, payment->reservation)});
        }
        model_note(&user->balances, model->lsn, user->balance);
        model_note(&user->reserves, model->lsn, user->reserved);
        count(model, decision->kind);
    }
    MODEL_RULE(POINTS,
               model->charged == model->balances + model->reserved + model->spent - model->refunded,
               "points are conserved");
    return true;
}
