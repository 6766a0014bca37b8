/* date_payment.c - the date's side of payments and refunds (engine/README.md, "Payment")
 *
 * Happy path: pay -> PAYMENT_STARTED, message FUNDS_RESERVE; the account answers FUNDS_RESERVED ->
 * SEATS_SOLD, message FUNDS_POST. Failure modes: the account refuses -> PAYMENT_REFUSED, the hold
 * goes on with its old deadline; the date was cancelled meanwhile -> PAYMENT_ABORTED, message
 * FUNDS_VOID. Every message may come twice (double click, recovery): the payment's number says
 * whether it was dealt with already.
 */
#include "engine/domain/date/date_rules.h"

void date_message(const struct date *date, const struct reservation *reservation,
                  enum command_kind kind, uint32_t payment, struct verdict *verdict) {
    struct command *message = verdict_message(verdict, kind, partition_of_user(&reservation->user));
    message->funds.user = reservation->user;
    message->funds.payment = dated_id(date->id, payment);
    message->funds.reservation = dated_id(date->id, reservation->sequence);
    message->funds.amount = reservation->amount;
    message->funds.balance = 0;
}

static void answer_payment(struct verdict *verdict, const struct reservation *reservation,
                           uint64_t balance) {
    verdict->reply_kind = REPLY_PAYMENT;
    verdict->reservation = reservation->sequence;
    verdict->balance = balance;
}

/* P4: has this user used the key for another reservation of this date? */
static bool key_reused(const struct date *date, const struct reservation *reservation,
                       const struct id128 *key) {
    const struct reservation *other = reservations_of(&date->reservations, &reservation->user);
    for (; other; other = reservations_older(&date->reservations, other)) {
        if (other != reservation && id128_equal(&other->payment_key, key)) return true;
    }
    other = reservations_kept_of(&date->reservations, &reservation->user);
    for (; other; other = reservations_older(&date->reservations, other)) {
        if (id128_equal(&other->payment_key, key)) return true;
    }
    return false;
}

/* What ends with a key is remembered for a day. Is there room for one more? */
static bool keys_are_full(const struct date *date, const struct reservation *reservation, bool paid,
                          uint64_t now_ms, struct verdict *verdict) {
    uint32_t limit = 0;
    uint64_t room_ms = reservations_keys_room_ms(&date->reservations, &reservation->user, paid,
                                                 now_ms, &limit);
    if (room_ms <= now_ms) return false;
    verdict_error(verdict, ERROR_KEYS_FULL, limit, room_ms - now_ms, 0);
    return true;
}

/* P1: who may pay? The holder of a token (date_authorise), or, where the token has ended with a
 * hold or a payment (Q10), whoever the gateway vouches for. */
static const struct reservation *authorise_payment(const struct date *date,
                                                   const struct command *command, uint64_t now_ms,
                                                   struct verdict *verdict) {
    uint64_t id = command->pay.reservation;
    if (id128_is_none(&command->pay.user)) {
        return date_authorise(date, &command->pay.token, id, now_ms, verdict);
    }
    const struct reservation *reservation = date_find(date, id);
    if (!reservation || !id128_equal(&reservation->user, &command->pay.user)) {
        verdict_error(verdict, ERROR_NO_SUCH_RESERVATION, id, 0, 0);
    } else if (!reservation->token_spent && reservation->state == RESERVATION_HELD) {
        verdict_error(verdict, ERROR_TOKEN_REQUIRED, 0, 0, 0);
    } else {
        return reservation;
    }
    return NULL;
}

/* Q10: the token that pays ends. Return: its place; 0: the reservation's own, or there is none */
static place_t payer_of(const struct reservation *reservation, const struct command *command) {
    if (!id128_is_none(&command->pay.user)) return 0;
    place_t place = command->pay.token.place;
    return place == reservation->place ? 0 : place;
}

static void start_payment(const struct date *date, const struct reservation *reservation,
                          const struct command *command, uint64_t now_ms, struct verdict *verdict) {
    uint32_t payment = date->payment_count + 1;
    if (date->state == DATE_CANCELLED) {
        verdict_error(verdict, ERROR_DATE_CANCELLED, 0, 0, 0);
    } else if (date_sales_ended(date, now_ms)) { /* O3 */
        verdict_error(verdict, ERROR_SALES_ENDED, date->policy.sales_end_at, 0, 0);
    } else if (reservation->expires_at <= now_ms || !date_backs(date, reservation, now_ms)) {
        verdict_error(verdict, ERROR_RESERVATION_ENDED, command->pay.reservation, 0, 0);
    } else if (key_reused(date, reservation, &command->pay.key)) {
        verdict_error(verdict, ERROR_KEY_REUSED, 0, 0, 0);
    } else if (!keys_are_full(date, reservation, true, now_ms, verdict)) { /* P1, P5 */
        verdict_add(verdict, &date->partition, DECISION_PAYMENT_STARTED, now_ms)->payment_started =
            (struct decision_payment_started){.payment = payment,
                                              .reservation = reservation->sequence,
                                              .key = command->pay.key,
                                              .payer = payer_of(reservation, command)};
        date_message(date, reservation, COMMAND_FUNDS_RESERVE, payment, verdict);
    }
}

void date_pay(const struct date *date, const struct command *command, uint64_t now_ms,
              struct verdict *verdict) {
    uint64_t id = command->pay.reservation;
    const struct reservation *reservation = authorise_payment(date, command, now_ms, verdict);
    if (!reservation) return;
    bool same_key = id128_equal(&reservation->payment_key, &command->pay.key);
    switch (reservation->state) {
    case RESERVATION_HELD: start_payment(date, reservation, command, now_ms, verdict); break;
    case RESERVATION_PAYING:
        if (same_key) { /* double click: ask again, the answer goes to both */
            date_message(date, reservation, COMMAND_FUNDS_RESERVE, reservation->payment, verdict);
        } else {
            verdict_error(verdict, ERROR_PAYMENT_IN_PROGRESS, id, 0, 0);
        }
        break;
    case RESERVATION_PAID:
    case RESERVATION_REFUNDING:
    case RESERVATION_REFUNDED: /* P4 */
        if (same_key) {
            answer_payment(verdict, reservation, reservation->balance);
        } else if (reservation->state == RESERVATION_REFUNDED) {
            verdict_error(verdict, ERROR_ALREADY_REFUNDED, id, 0, 0);
        } else {
            verdict_error(verdict, ERROR_ALREADY_PAID, id, dated_id(date->id, reservation->payment),
                          0);
        }
        break;
    case RESERVATION_CANCELLED: verdict_error(verdict, ERROR_DATE_CANCELLED, 0, 0, 0); break;
    default: verdict_error(verdict, ERROR_RESERVATION_ENDED, id, 0, 0); break;
    }
}

/* A PAYING reservation of a date that was cancelled meanwhile. */
static void abort_payment(const struct date *date, const struct reservation *reservation,
                          uint64_t now_ms, struct verdict *verdict) {
    verdict_add(verdict, &date->partition, DECISION_PAYMENT_ABORTED, now_ms)->payment_aborted =
        (struct decision_payment_aborted){reservation->payment, reservation->sequence};
    verdict_error(verdict, ERROR_DATE_CANCELLED, 0, 0, 0);
}

/* P4: refused before, then charged, and only now the account heard of the second click. The points
 * are given back, and both clicks get the same answer: the first one's. Return: false: not
 * refused */
static bool answer_refused(const struct reservation *reservation, uint32_t payment,
                           struct verdict *verdict) {
    if (!reservation || reservation->volatile_refused != payment) return false;
    uint64_t amount = reservation->amount, balance = reservation->volatile_refused_balance;
    verdict_error(verdict, ERROR_INSUFFICIENT_FUNDS, balance, amount,
                  amount > balance ? amount - balance : 0);
    return true;
}

void date_funds_reserved(const struct date *date, const struct command *command, uint64_t now_ms,
                         struct verdict *verdict) {
    uint64_t id = command->funds.reservation;
    uint32_t payment = dated_id_sequence(command->funds.payment);
    const struct reservation *reservation = date_find(date, id);
    bool ours = reservation && reservation->payment == payment;
    enum command_kind message = COMMAND_FUNDS_VOID;

    if (ours && reservation->state == RESERVATION_PAYING) {
        if (date->state == DATE_CANCELLED) {
            abort_payment(date, reservation, now_ms, verdict);
        } else { /* P3: payment record, seats and the token that pays, in one decision */
            place_t payer = reservation->payer;
            const struct waiter *waiter = room_find(&date->room,
                                                    payer ? payer : reservation->place);
            verdict_add(verdict, &date->partition, DECISION_SEATS_SOLD, now_ms)->seats_sold =
                (struct decision_seats_sold){.payment = payment,
                                             .reservation = reservation->sequence,
                                             .amount = reservation->amount,
                                             .balance = command->funds.balance,
                                             .token_expired = waiter &&
                                                              token_is_live(waiter->state),
                                             .payer = payer};
            answer_payment(verdict, reservation, command->funds.balance);
            message = COMMAND_FUNDS_POST;
        }
    } else if (ours && reservation_was_paid(reservation->state)) {
        answer_payment(verdict, reservation, reservation->balance);
        message = COMMAND_FUNDS_POST;
    } else if (ours && reservation->state == RESERVATION_CANCELLED) {
        verdict_error(verdict, ERROR_DATE_CANCELLED, 0, 0, 0);
    } else if (!answer_refused(reservation, payment, verdict)) {
        /* A newer payment is under way; or the reservation is forgotten, which takes thousands that
         * end between two messages. */
        verdict_error(verdict, reservation ? ERROR_PAYMENT_IN_PROGRESS : ERROR_RESERVATION_ENDED,
                      id, 0, 0);
    }
    struct command *out = verdict_message(verdict, message,
                                          partition_of_user(&command->funds.user));
    out->funds = command->funds;
}

void date_funds_refused(const struct date *date, const struct command *command, uint64_t now_ms,
                        struct verdict *verdict) {
    uint32_t payment = dated_id_sequence(command->funds.payment);
    const struct reservation *reservation = date_find(date, command->funds.reservation);
    uint64_t amount = command->funds.amount, balance = command->funds.balance;
    uint64_t shortfall = amount > balance ? amount - balance : 0;
    bool ours = reservation && reservation->payment == payment;
    if (ours && reservation_was_paid(reservation->state)) {
        answer_payment(verdict, reservation, reservation->balance);
        return;
    }
    if (answer_refused(reservation, payment, verdict)) return; /* said before */
    verdict_error(verdict, ERROR_INSUFFICIENT_FUNDS, balance, amount, shortfall);
    if (!ours || reservation->state != RESERVATION_PAYING) return;
    if (date->state == DATE_CANCELLED) {
        abort_payment(date, reservation, now_ms, verdict);
        return;
    }
    verdict_add(verdict, &date->partition, DECISION_PAYMENT_REFUSED, now_ms)->payment_refused =
        (struct decision_payment_refused){payment, reservation->sequence, balance, shortfall};
    if (!date_backs(date, reservation, now_ms)) { /* its token ended during the payment (P5, Q8) */
        verdict_add(verdict, &date->partition, DECISION_RESERVATION_ENDED, now_ms)
            ->reservation_ended = (struct decision_reservation_ended){
            .reservation = reservation->sequence, .state = RESERVATION_EXPIRED};
    }
}

void date_cancel_one(const struct date *date, const struct command *command, uint64_t now_ms,
                     struct verdict *verdict) {
    uint64_t id = command->cancel.reservation;
    const struct reservation *reservation = date_find(date, id);
    if (!reservation || !id128_equal(&reservation->user, &command->cancel.user)) {
        verdict_error(verdict, ERROR_NO_SUCH_RESERVATION, id, 0, 0);
        return;
    }
    bool same_key = id128_equal(&reservation->cancel_key, &command->cancel.key) ||
                    id128_is_none(&reservation->cancel_key);
    switch (reservation->state) {
    case RESERVATION_HELD: /* R8: unpaid, released */
        if (keys_are_full(date, reservation, false, now_ms, verdict)) break;
        verdict_add(verdict, &date->partition, DECISION_RESERVATION_ENDED, now_ms)
            ->reservation_ended = (struct decision_reservation_ended){
            .reservation = reservation->sequence,
            .state = RESERVATION_RELEASED,
            .key = command->cancel.key};
        date_answer_with(verdict, reservation->sequence);
        break;
    case RESERVATION_PAYING: verdict_error(verdict, ERROR_PAYMENT_IN_PROGRESS, id, 0, 0); break;
    case RESERVATION_PAID: /* R8: paid, refunded */
        if (date->policy.refund_until != 0 && now_ms >= date->policy.refund_until) { /* O3 */
            verdict_error(verdict, ERROR_REFUNDS_ENDED, id, date->policy.refund_until, 0);
            break;
        }
        verdict_add(verdict, &date->partition, DECISION_REFUND_STARTED, now_ms)->refund_started =
            (struct decision_refund_started){reservation->sequence, reservation->payment,
                                             command->cancel.key};
        date_message(date, reservation, COMMAND_FUNDS_REFUND, reservation->payment, verdict);
        break;
    case RESERVATION_REFUNDING:
        if (same_key) {
            date_message(date, reservation, COMMAND_FUNDS_REFUND, reservation->payment, verdict);
        } else {
            verdict_error(verdict, ERROR_PAYMENT_IN_PROGRESS, id, 0, 0);
        }
        break;
    case RESERVATION_REFUNDED:
    case RESERVATION_RELEASED:
    case RESERVATION_CANCELLED:
        if (same_key) {
            date_answer_with(verdict, reservation->sequence);
            break;
        }
        if (reservation->state == RESERVATION_REFUNDED) {
            verdict_error(verdict, ERROR_ALREADY_REFUNDED, id, 0, 0);
            break;
        }
        __attribute__((fallthrough));
    default: verdict_error(verdict, ERROR_RESERVATION_ENDED, id, 0, 0); break;
    }
}

void date_funds_refunded(const struct date *date, const struct command *command, uint64_t now_ms,
                         struct verdict *verdict) {
    const struct reservation *reservation = date_find(date, command->funds.reservation);
    if (reservation && reservation->state == RESERVATION_REFUNDING) {
        verdict_add(verdict, &date->partition, DECISION_SEATS_REFUNDED, now_ms)->seats_refunded =
            (struct decision_seats_refunded){reservation->sequence, reservation->payment,
                                             command->funds.balance};
    }
    if (reservation) {
        date_answer_with(verdict, reservation->sequence);
    } else { /* repeated so late that the reservation is forgotten */
        verdict_error(verdict, ERROR_NO_SUCH_RESERVATION, command->funds.reservation, 0, 0);
    }
    struct command *out = verdict_message(verdict, COMMAND_REFUND_CLOSE,
                                          partition_of_user(&command->funds.user));
    out->funds = command->funds;
}
