/* test_rules_wallet.c - wallet and payment rules, W1, W2, P1 to P5, where nothing goes wrong in
 * between; test_payment.c interrupts, repeats and delays */
#include "tests/unit/engine/domain/domain_test.h"

struct wallet_hall {
    struct domain *domain;
    struct policy policy;
    uint32_t date;
    struct token one, two;
};

static struct wallet_hall hall_of(void **state) {
    struct wallet_hall hall = {.domain = *state, .policy = default_policy()};
    hall.date = domain_date(hall.domain, &hall.policy, 20, 10);
    hall.one = entered(hall.domain, hall.date, 1);
    hall.two = entered(hall.domain, hall.date, 2);
    return hall;
}

static uint16_t wallet(struct domain *domain, enum command_kind kind, uint32_t user) {
    struct id128 id = domain_user(user);
    struct command command = {
        .kind = (uint16_t)kind, .partition = partition_of_user(&id), .wallet = {.user = id}};
    return domain_do(domain, command);
}

static void W1_charge(void **state) {
    struct domain *domain = *state;
    assert_int_equal(domain_charge(domain, 1, 100, 1), ERROR_NONE);
    assert_int_equal(domain->reply.wallet.balance, 100);
    assert_int_equal(domain_charge(domain, 1, 50, 2), ERROR_NONE);
    assert_int_equal(domain->reply.wallet.balance, 150);
    assert_int_equal(wallet(domain, COMMAND_WALLET_BALANCE, 1), ERROR_NONE);
    assert_int_equal(domain->reply.wallet.balance, 150);
    assert_int_equal(domain->reply.wallet.reserved, 0);
    assert_int_equal(wallet(domain, COMMAND_WALLET_BALANCE, 2), ERROR_NONE); /* no wallet yet */
    assert_int_equal(domain->reply.wallet.balance, 0);
    assert_int_equal(wallet(domain, COMMAND_WALLET_HISTORY, 2), ERROR_NONE);
    assert_null(domain->reply.history.account);
}

static void W1_charge_refusals(void **state) {
    struct domain *domain = *state;
    assert_int_equal(domain_charge(domain, 1, 0, 1), ERROR_AMOUNT_INVALID);
    assert_refused(domain, ERROR_AMOUNT_INVALID, AMOUNT_MAX, 0, 0);
    assert_int_equal(domain_charge(domain, 1, AMOUNT_MAX + 1, 1), ERROR_AMOUNT_INVALID);
    assert_int_equal(domain_charge(domain, 1, UINT64_MAX, 1), ERROR_AMOUNT_INVALID);
    assert_int_equal(domain->record_count, 0);
    assert_int_equal(domain_charge(domain, 1, AMOUNT_MAX - 1, 1), ERROR_NONE);
    assert_int_equal(domain_charge(domain, 1, 2, 2), ERROR_BALANCE_LIMIT);
    assert_refused(domain, ERROR_BALANCE_LIMIT, AMOUNT_MAX, 0, 0);
    assert_int_equal(domain_charge(domain, 1, 1, 3), ERROR_NONE);
    assert_int_equal(domain_charge(domain, 1, 1, 4), ERROR_BALANCE_LIMIT);
    assert_int_equal(domain_balance(domain, 1), AMOUNT_MAX);
}

static void W1_accounts_full(void **state) {
    struct domain *domain = *state;
    struct id128 user = domain_user(1);
    struct account_partition *all = (struct account_partition *)world_find(
        domain->world, partition_of_user(&user));
    domain->manual = true;
    all->account_count = ACCOUNTS_PER_PARTITION_MAX; /* pretend */
    assert_int_equal(domain_charge(domain, 1, 5, 1), ERROR_ACCOUNTS_FULL);
    assert_refused(domain, ERROR_ACCOUNTS_FULL, ACCOUNTS_PER_PARTITION_MAX, 0, 0);
    all->account_count = 0;
}

static void W1_same_key_charges_once(void **state) {
    struct domain *domain = *state;
    assert_int_equal(domain_charge(domain, 1, 100, 1), ERROR_NONE);
    assert_int_equal(domain_charge(domain, 1, 70, 2), ERROR_NONE);
    assert_int_equal(domain_charge(domain, 1, 100, 1), ERROR_NONE);
    assert_int_equal(domain->reply.wallet.balance, 100); /* the same answer again */
    assert_int_equal(domain_balance(domain, 1), 170);
    assert_int_equal(domain_charge(domain, 1, 99, 1), ERROR_KEY_REUSED);
    assert_int_equal(domain_charge(domain, 2, 100, 1), ERROR_NONE); /* keys are per user */
    assert_int_equal(domain_balance(domain, 2), 100);
    domain_crash(domain);
    assert_int_equal(domain_charge(domain, 1, 100, 1), ERROR_NONE);
    assert_int_equal(domain_balance(domain, 1), 170);
}

static void W2_every_change_has_a_row(void **state) {
    struct wallet_hall hall = hall_of(state);
    struct domain *domain = hall.domain;
    (void)domain_charge(domain, 1, 100, 1);
    uint64_t reservation = held(domain, &hall.one, SEATS(1, 2));
    domain_advance(domain, 5);
    assert_int_equal(domain_pay(domain, &hall.one, reservation, 2), ERROR_NONE);
    domain_advance(domain, 5);
    assert_int_equal(domain_cancel(domain, 1, reservation, 3), ERROR_NONE);
    assert_int_equal(wallet(domain, COMMAND_WALLET_HISTORY, 1), ERROR_NONE);
    const struct ledger_row *rows[WALLET_HISTORY_KEPT];
    assert_int_equal(
        account_history(domain->reply.history.partition, domain->reply.history.account, rows), 3);
    const struct ledger_row expected[] = {
        {.reason = LEDGER_CHARGE, .amount = 100, .balance = 100, .time_ms = DOMAIN_EPOCH_MS},
        {.reason = LEDGER_PAYMENT,
         .amount = 20,
         .balance = 80,
         .time_ms = DOMAIN_EPOCH_MS + 5,
         .payment = dated_id(hall.date, 1),
         .reservation = reservation},
        {.reason = LEDGER_REFUND,
         .amount = 20,
         .balance = 100,
         .time_ms = DOMAIN_EPOCH_MS + 10,
         .payment = dated_id(hall.date, 1),
         .reservation = reservation},
    };
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(rows[i]->reason, expected[i].reason);
        assert_int_equal(rows[i]->amount, expected[i].amount);
        assert_int_equal(rows[i]->balance, expected[i].balance);
        assert_int_equal(rows[i]->time_ms, expected[i].time_ms);
        assert_int_equal(rows[i]->payment, expected[i].payment);
        assert_int_equal(rows[i]->reservation, expected[i].reservation);
    }
}

static void P1_only_held_by_this_user_and_not_expired(void **state) {
    struct wallet_hall hall = hall_of(state);
    struct domain *domain = hall.domain;
    (void)domain_charge(domain, 1, 100, 1);
    (void)domain_charge(domain, 2, 100, 2);
    uint64_t reservation = held(domain, &hall.one, SEATS(1));
    assert_int_equal(domain_pay(domain, &hall.two, reservation, 3), ERROR_NO_SUCH_RESERVATION);
    assert_refused(domain, ERROR_NO_SUCH_RESERVATION, reservation, 0, 0);
    struct token forged = hall.one;
    forged.secret.bytes[9] ^= 1;
    assert_int_equal(domain_pay(domain, &forged, reservation, 3), ERROR_TOKEN_INVALID);
    assert_int_equal(domain_pay(domain, &hall.one, reservation + 1, 3), ERROR_NO_SUCH_RESERVATION);
    domain_jump(domain, hall.policy.hold_ttl_ms - 1); /* the last moment counts */
    assert_int_equal(domain_pay(domain, &hall.one, reservation, 3), ERROR_NONE);
    uint64_t late = held(domain, &hall.two, SEATS(2));
    domain_jump(domain, domain_reservation(domain, late)->expires_at - domain->now_ms);
    assert_int_equal(domain_pay(domain, &hall.two, late, 4), ERROR_RESERVATION_ENDED);
    assert_refused(domain, ERROR_RESERVATION_ENDED, late, 0, 0);
    assert_int_equal(domain_balance(domain, 2), 100);
    domain_check(domain, true);
}

/* C5: any token but the one it was made with must be this user's, and ACTIVE now. */
static void P1_which_token_may_pay(void **state) {
    struct wallet_hall hall = hall_of(state);
    struct domain *domain = hall.domain;
    (void)domain_charge(domain, 1, 100, 1);
    uint64_t first = held(domain, &hall.one, SEATS(1)), second = held(domain, &hall.one, SEATS(2));
    assert_int_equal(domain_pay(domain, &hall.one, first, 3), ERROR_NONE); /* ends the token */
    assert_int_equal(domain_policy(domain, hall.date, POLICY_INDEX_active_capacity, 1), 0);
    struct token again = entered(domain, hall.date, 1);
    assert_int_equal(domain_pay(domain, &again, second, 4), ERROR_NOT_YOUR_TURN);
    assert_refused(domain, ERROR_NOT_YOUR_TURN, 0, 0, 0);
    assert_int_equal(domain_release(domain, &again, second), ERROR_NOT_YOUR_TURN);
    assert_int_equal(domain_leave(domain, &again), ERROR_NONE);
    assert_int_equal(domain_pay(domain, &again, second, 4), ERROR_TOKEN_EXPIRED);
    assert_int_equal(domain_release(domain, &again, second), ERROR_TOKEN_EXPIRED);
    assert_int_equal(domain_leave(domain, &hall.two), ERROR_NONE);
    again = entered(domain, hall.date, 1);
    assert_int_equal(domain_pay(domain, &again, second, 4), ERROR_NONE);
    assert_int_equal(domain_balance(domain, 1), 80);
}

static void P1_active_time_is_over(void **state) {
    struct wallet_hall hall = hall_of(state);
    struct domain *domain = hall.domain;
    (void)domain_charge(domain, 1, 100, 1);
    domain_jump(domain, hall.policy.active_ttl_ms - 1);
    uint64_t reservation = held(domain, &hall.one, SEATS(1));
    domain_jump(domain, 1); /* no timer has spoken */
    assert_int_equal(domain_pay(domain, &hall.one, reservation, 3), ERROR_RESERVATION_ENDED);
    assert_int_equal(domain_balance(domain, 1), 100);
}

static void P2_too_little_money(void **state) {
    struct wallet_hall hall = hall_of(state);
    struct domain *domain = hall.domain;
    uint64_t reservation = held(domain, &hall.one, SEATS(1, 2));
    uint64_t deadline = domain_reservation(domain, reservation)->expires_at;
    domain_advance(domain, 1000);
    assert_int_equal(domain_pay(domain, &hall.one, reservation, 3), ERROR_INSUFFICIENT_FUNDS);
    assert_refused(domain, ERROR_INSUFFICIENT_FUNDS, 0, 20, 20);
    (void)domain_charge(domain, 1, 19, 1);
    assert_int_equal(domain_pay(domain, &hall.one, reservation, 3), ERROR_INSUFFICIENT_FUNDS);
    assert_refused(domain, ERROR_INSUFFICIENT_FUNDS, 19, 20, 1);
    assert_int_equal(domain_state(domain, reservation), RESERVATION_HELD);
    assert_int_equal(domain_reservation(domain, reservation)->expires_at, deadline);
    assert_int_equal(domain_count(domain, DECISION_PAYMENT_REFUSED), 2);
    assert_int_equal(domain_count(domain, DECISION_FUNDS_REFUSED), 2);
    (void)domain_charge(domain, 1, 1, 2); /* charges and pays again: exactly enough */
    assert_int_equal(domain_pay(domain, &hall.one, reservation, 3), ERROR_NONE);
    assert_int_equal(domain_balance(domain, 1), 0);
    domain_check(domain, true);
}

static void P2_hold_ends_at_its_old_time(void **state) {
    struct wallet_hall hall = hall_of(state);
    struct domain *domain = hall.domain;
    uint64_t reservation = held(domain, &hall.one, SEATS(1));
    domain_advance(domain, hall.policy.hold_ttl_ms - 1);
    assert_int_equal(domain_pay(domain, &hall.one, reservation, 3), ERROR_INSUFFICIENT_FUNDS);
    assert_int_equal(domain_state(domain, reservation), RESERVATION_HELD);
    domain_advance(domain, 1);
    assert_int_equal(domain_state(domain, reservation), RESERVATION_EXPIRED);
}

static void P3_success_is_all_of_it(void **state) {
    struct wallet_hall hall = hall_of(state);
    struct domain *domain = hall.domain;
    (void)domain_charge(domain, 1, 100, 1);
    uint64_t reservation = held(domain, &hall.one, SEATS(1, 2));
    domain_advance(domain, 7);
    assert_int_equal(domain_pay(domain, &hall.one, reservation, 3), ERROR_NONE);
    assert_int_equal(domain->reply.kind, REPLY_PAYMENT);
    assert_int_equal(domain->reply.payment.balance, 80);
    const struct reservation *paid = domain->reply.payment.reservation;
    assert_int_equal(paid->state, RESERVATION_PAID);
    assert_int_equal(paid->payment, 1);
    assert_int_equal(paid->changed_at, domain->now_ms);
    assert_int_equal(domain_balance(domain, 1), 80);
    assert_int_equal(domain_reserved(domain, 1), 0);
    assert_int_equal(token_state(domain, &hall.one), TOKEN_EXPIRED);
    const enum decision_kind steps[] = {DECISION_PAYMENT_STARTED, DECISION_FUNDS_RESERVED,
                                        DECISION_SEATS_SOLD, DECISION_FUNDS_POSTED};
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(domain_record(domain, domain->record_count - 4 + i).kind, steps[i]);
    }
    struct decision sold = domain_record(domain, domain->record_count - 2);
    assert_int_equal(sold.seats_sold.amount, 20);
    assert_int_equal(sold.seats_sold.balance, 80);
    assert_int_equal(sold.seats_sold.token_expired, 1);
    domain_advance(domain, POLICY_YEAR_MS); /* sold for good */
    assert_int_equal(domain_state(domain, reservation), RESERVATION_PAID);
    domain_check(domain, true);
}

static void P3_free_seats_need_no_wallet(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    uint32_t date = domain_date(domain, &policy, 2, 0);
    struct token token = entered(domain, date, 1);
    uint64_t reservation = held(domain, &token, SEATS(1));
    assert_int_equal(domain_pay(domain, &token, reservation, 1), ERROR_NONE);
    assert_int_equal(domain_cancel(domain, 1, reservation, 2), ERROR_NONE);
    domain_crash(domain);
    domain_check(domain, true);
}

static void P4_charged_once(void **state) {
    struct wallet_hall hall = hall_of(state);
    struct domain *domain = hall.domain;
    (void)domain_charge(domain, 1, 100, 1);
    uint64_t reservation = held(domain, &hall.one, SEATS(1));
    assert_int_equal(domain_pay(domain, &hall.one, reservation, 3), ERROR_NONE);
    for (uint32_t again = 0; again < 3; again++) {
        (void)domain_charge(domain, 1, 1, 100 + again);
        assert_int_equal(domain_pay(domain, &hall.one, reservation, 3), ERROR_NONE);
        assert_int_equal(domain->reply.payment.balance, 90); /* the same answer */
        assert_int_equal(domain_pay(domain, &hall.one, reservation, 4), ERROR_ALREADY_PAID);
        assert_refused(domain, ERROR_ALREADY_PAID, reservation, dated_id(hall.date, 1), 0);
        domain_crash(domain);
    }
    assert_int_equal(domain_balance(domain, 1), 93);
    assert_int_equal(domain_count(domain, DECISION_PAYMENT_STARTED), 1);
}

static void P4_key_of_another_reservation(void **state) {
    struct wallet_hall hall = hall_of(state);
    struct domain *domain = hall.domain;
    (void)domain_charge(domain, 1, 100, 1);
    (void)domain_charge(domain, 2, 100, 1);
    uint64_t first = held(domain, &hall.one, SEATS(1)), second = held(domain, &hall.one, SEATS(2));
    uint64_t other = held(domain, &hall.two, SEATS(3));
    assert_int_equal(domain_pay(domain, &hall.one, first, 3), ERROR_NONE);
    assert_int_equal(domain_pay(domain, &hall.one, second, 3), ERROR_KEY_REUSED);
    assert_int_equal(domain_balance(domain, 1), 90);
    assert_int_equal(domain_pay(domain, &hall.two, other, 3), ERROR_NONE); /* keys are per user */
    assert_int_equal(domain_pay(domain, &hall.one, second, 4), ERROR_NONE);
}

static void P5_hold_cannot_end_in_the_middle(void **state) {
    struct wallet_hall hall = hall_of(state);
    struct domain *domain = hall.domain;
    (void)domain_charge(domain, 1, 100, 1);
    uint64_t reservation = held(domain, &hall.one, SEATS(1));
    domain_advance(domain, hall.policy.hold_ttl_ms - 1);
    domain->manual = true;
    assert_int_equal(domain_pay(domain, &hall.one, reservation, 3), DOMAIN_UNANSWERED);
    domain_advance(domain, 10 * hall.policy.active_ttl_ms);
    assert_int_equal(domain_state(domain, reservation), RESERVATION_PAYING);
    assert_int_equal(domain_hold(domain, &hall.two, SEATS(1), NULL), ERROR_TOKEN_EXPIRED);
    assert_int_equal(domain_release(domain, &hall.one, reservation), ERROR_PAYMENT_IN_PROGRESS);
    assert_refused(domain, ERROR_PAYMENT_IN_PROGRESS, reservation, 0, 0);
    assert_int_equal(domain_cancel(domain, 1, reservation, 9), ERROR_PAYMENT_IN_PROGRESS);
    assert_int_equal(domain_pay(domain, &hall.one, reservation, 4), ERROR_PAYMENT_IN_PROGRESS);
    domain_settle(domain);
    assert_int_equal(domain_state(domain, reservation), RESERVATION_PAID);
    assert_int_equal(domain_balance(domain, 1), 90);
    domain_check(domain, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(W1_charge),
        T(W1_charge_refusals),
        T(W1_accounts_full),
        T(W1_same_key_charges_once),
        T(W2_every_change_has_a_row),
        T(P1_only_held_by_this_user_and_not_expired),
        T(P1_which_token_may_pay),
        T(P1_active_time_is_over),
        T(P2_too_little_money),
        T(P2_hold_ends_at_its_old_time),
        T(P3_success_is_all_of_it),
        T(P3_free_seats_need_no_wallet),
        T(P4_charged_once),
        T(P4_key_of_another_reservation),
        T(P5_hold_cannot_end_in_the_middle),
    };
    return cmocka_run_group_tests_name("rules_wallet", tests, NULL, NULL);
}
