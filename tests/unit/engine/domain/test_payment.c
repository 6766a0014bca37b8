/* test_payment.c - payments and refunds, interrupted
 *
 * Each scenario plays one attempt with the messages held back by hand. It is then played in all
 * variants: with every message delivered twice, and with a crash (all messages lost, the world
 * rebuilt from the log) after every single record of the attempt's log, and once more after every
 * record of that recovery. However it is cut: money is conserved, the seat is paid for once or not
 * at all, nothing stays unfinished, and asking again with the same key gets an answer that agrees.
 */
#include "tests/unit/engine/domain/domain_test.h"

#define PRICE 10u

struct payment_attempt {
    struct domain *domain;
    struct policy policy;
    uint32_t date;
    struct token token;
    uint64_t reservation;
};

static struct payment_attempt attempt_of(void **state, uint64_t balance) {
    struct payment_attempt attempt = {.domain = *state, .policy = default_policy()};
    attempt.date = domain_date(attempt.domain, &attempt.policy, 4, PRICE);
    attempt.token = entered(attempt.domain, attempt.date, 1);
    if (balance > 0) (void)domain_charge(attempt.domain, 1, balance, 1);
    attempt.reservation = held(attempt.domain, &attempt.token, SEATS(1));
    attempt.domain->manual = true;
    return attempt;
}

static uint64_t pay(const struct payment_attempt *attempt, uint32_t key) {
    (void)domain_pay(attempt->domain, &attempt->token, attempt->reservation, key);
    return attempt->domain->origin_last;
}

static uint64_t cancel(const struct payment_attempt *attempt, uint32_t key) {
    (void)domain_cancel(attempt->domain, 1, attempt->reservation, key);
    return attempt->domain->origin_last;
}

/* What must hold however a attempt ended. */
static void check_end(struct domain *domain, const struct payment_attempt *attempt) {
    domain_check(domain, true);
    uint8_t state = domain_state(domain, attempt->reservation);
    struct money_totals totals;
    world_money(domain->world, &totals);
    bool paid = state == RESERVATION_PAID;
    if (attempt->reservation && state != 0) {
        bool has = domain_holder(domain, attempt->date, 1) ==
                   dated_id_sequence(attempt->reservation);
        assert_int_equal(has, paid || state == RESERVATION_HELD);
    }
    assert_int_equal(totals.balances, totals.charged - (paid ? PRICE : 0));
}

/* After recovery the client asks again, with the key it used: the answer agrees with the state. */
static void ask_again(struct domain *domain, const struct payment_attempt *attempt) {
    uint8_t before = domain_state(domain, attempt->reservation);
    domain->manual = false;
    uint16_t error = domain_pay(domain, &attempt->token, attempt->reservation, 7);
    uint8_t after = domain_state(domain, attempt->reservation);
    switch (before) {
    case 0: assert_int_not_equal(error, ERROR_NONE); break; /* nor a token, perhaps */
    case RESERVATION_PAID:
    case RESERVATION_REFUNDED: assert_int_equal(error, ERROR_NONE); break;
    case RESERVATION_HELD: assert_true((error == ERROR_NONE) == (after == RESERVATION_PAID)); break;
    case RESERVATION_CANCELLED: assert_int_equal(error, ERROR_DATE_CANCELLED); break;
    default: assert_int_equal(error, ERROR_RESERVATION_ENDED); break;
    }
    check_end(domain, attempt);
}

/* Crash after each record; and again after each record that the recovery makes. */
static void cut_everywhere(const struct payment_attempt *attempt) {
    const struct domain *whole = attempt->domain;
    for (uint32_t cut = 1; cut <= whole->record_count; cut++) {
        struct domain *again = domain_recover(whole, cut);
        if (again->world->date_count == 0) {
            domain_free(again);
            continue;
        }
        domain_settle(again);
        check_end(again, attempt);
        for (uint32_t second = cut; second < again->record_count; second++) {
            struct domain *twice = domain_recover(again, second);
            domain_settle(twice);
            check_end(twice, attempt);
            assert_int_equal(domain_state(twice, attempt->reservation),
                             domain_state(again, attempt->reservation));
            domain_free(twice);
        }
        ask_again(again, attempt);
        domain_free(again);
    }
}

static void P3_crash_in_a_sale(void **state) {
    struct payment_attempt attempt = attempt_of(state, 100);
    uint64_t click = pay(&attempt, 7);
    uint32_t started = attempt.domain->record_count;
    domain_settle(attempt.domain);
    assert_int_equal(domain_answered(attempt.domain, click), ERROR_NONE);
    assert_int_equal(attempt.domain->record_count, started + 3);
    check_end(attempt.domain, &attempt);
    /* from PAYING on, a crash anywhere ends as paid */
    for (uint32_t cut = started; cut <= started + 3; cut++) {
        struct domain *again = domain_recover(attempt.domain, cut);
        domain_settle(again);
        assert_int_equal(domain_state(again, attempt.reservation), RESERVATION_PAID);
        assert_int_equal(domain_balance(again, 1), 90);
        domain_free(again);
    }
    cut_everywhere(&attempt);
}

static void P3_crash_with_messages_in_flight(void **state) {
    for (uint32_t delivered = 0; delivered <= 4; delivered++) {
        struct domain *fresh = domain_new();
        void *one = fresh;
        struct payment_attempt attempt = attempt_of(&one, 100);
        (void)pay(&attempt, 7);
        for (uint32_t i = 0; i < delivered; i++) (void)domain_deliver(attempt.domain, 0);
        domain_crash(attempt.domain);
        domain_settle(attempt.domain);
        assert_int_equal(domain_state(attempt.domain, attempt.reservation), RESERVATION_PAID);
        assert_int_equal(domain_count(attempt.domain, DECISION_SEATS_SOLD), 1);
        assert_int_equal(domain_count(attempt.domain, DECISION_FUNDS_POSTED), 1);
        check_end(attempt.domain, &attempt);
        domain_free(fresh);
    }
    (void)state;
}

static void P2_crash_in_a_refused_payment(void **state) {
    struct payment_attempt attempt = attempt_of(state, 9);
    uint64_t click = pay(&attempt, 7);
    domain_settle(attempt.domain);
    assert_int_equal(domain_answered(attempt.domain, click), ERROR_INSUFFICIENT_FUNDS);
    (void)domain_charge(attempt.domain, 1, 5, 2);
    click = pay(&attempt, 7);
    domain_settle(attempt.domain);
    assert_int_equal(domain_answered(attempt.domain, click), ERROR_NONE);
    check_end(attempt.domain, &attempt);
    cut_everywhere(&attempt);
}

static void P4_every_message_twice(void **state) {
    struct payment_attempt attempt = attempt_of(state, 100);
    attempt.domain->duplicate = true;
    (void)pay(&attempt, 7);
    domain_settle(attempt.domain);
    assert_int_equal(domain_state(attempt.domain, attempt.reservation), RESERVATION_PAID);
    assert_int_equal(domain_balance(attempt.domain, 1), 90);
    assert_int_equal(domain_count(attempt.domain, DECISION_FUNDS_RESERVED), 1);
    assert_int_equal(domain_count(attempt.domain, DECISION_FUNDS_POSTED), 1);
    check_end(attempt.domain, &attempt);
    (void)cancel(&attempt, 8);
    domain_settle(attempt.domain);
    assert_int_equal(domain_state(attempt.domain, attempt.reservation), RESERVATION_REFUNDED);
    assert_int_equal(domain_count(attempt.domain, DECISION_FUNDS_REFUNDED), 1);
    check_end(attempt.domain, &attempt);
    cut_everywhere(&attempt);
}

/* The second click comes after `delivered` messages of the first. */
static void double_click(uint64_t balance, uint32_t delivered, uint32_t key) {
    struct domain *fresh = domain_new();
    void *one = fresh;
    struct payment_attempt attempt = attempt_of(&one, balance);
    uint64_t first = pay(&attempt, 7);
    for (uint32_t i = 0; i < delivered; i++) (void)domain_deliver(attempt.domain, 0);
    uint64_t second = pay(&attempt, key);
    domain_settle(attempt.domain);
    uint16_t error = domain_answered(attempt.domain, second);
    if (balance >= PRICE) {
        assert_int_equal(domain_answered(attempt.domain, first), ERROR_NONE);
        bool paying = delivered < 2;
        assert_int_equal(error, key == 7 ? ERROR_NONE
                                : paying ? ERROR_PAYMENT_IN_PROGRESS
                                         : ERROR_ALREADY_PAID);
        assert_int_equal(domain_count(attempt.domain, DECISION_SEATS_SOLD), 1);
        if (key == 7) {
            assert_int_equal(attempt.domain->answers[first].reply.payment.balance, 90);
            assert_int_equal(attempt.domain->answers[second].reply.payment.balance, 90);
        }
    } else {
        assert_int_equal(domain_answered(attempt.domain, first), ERROR_INSUFFICIENT_FUNDS);
        assert_int_equal(error, key != 7 && delivered < 2 ? ERROR_PAYMENT_IN_PROGRESS
                                                          : ERROR_INSUFFICIENT_FUNDS);
        assert_int_equal(domain_state(attempt.domain, attempt.reservation), RESERVATION_HELD);
    }
    check_end(attempt.domain, &attempt);
    cut_everywhere(&attempt);
    domain_free(fresh);
}

static void P4_double_click_at_every_point(void **state) {
    for (uint32_t delivered = 0; delivered <= 4; delivered++) {
        for (uint32_t key = 7; key <= 8; key++) {
            double_click(100, delivered, key);
            double_click(9, delivered, key);
        }
    }
    (void)state;
}

/* Refused for the first click, charged, enough for the second click that was already on its way. */
static void P4_charged_between_two_clicks(void **state) {
    struct payment_attempt attempt = attempt_of(state, 9);
    uint64_t first = pay(&attempt, 7), second = pay(&attempt, 7);
    assert_true(domain_deliver(attempt.domain, 0)); /* the account refuses the first */
    (void)domain_charge(attempt.domain, 1, 1, 2);
    domain_settle(attempt.domain);
    assert_int_equal(domain_answered(attempt.domain, first), ERROR_INSUFFICIENT_FUNDS);
    assert_int_equal(domain_answered(attempt.domain, second), ERROR_INSUFFICIENT_FUNDS);
    const struct reply *replies[] = {&attempt.domain->answers[first % DOMAIN_ANSWERS_KEPT].reply,
                                     &attempt.domain->answers[second % DOMAIN_ANSWERS_KEPT].reply};
    for (uint32_t i = 0; i < 2; i++) { /* the same answer: the first one's */
        assert_int_equal(replies[i]->data[0], 9);
        assert_int_equal(replies[i]->data[1], PRICE);
        assert_int_equal(replies[i]->data[2], 1);
    }
    assert_int_equal(domain_balance(attempt.domain, 1), 10); /* given back */
    assert_int_equal(domain_state(attempt.domain, attempt.reservation), RESERVATION_HELD);
    check_end(attempt.domain, &attempt);
    uint64_t third = pay(&attempt, 7);
    domain_settle(attempt.domain);
    assert_int_equal(domain_answered(attempt.domain, third), ERROR_NONE);
    check_end(attempt.domain, &attempt);
    cut_everywhere(&attempt);
}

/* The points of an old attempt come back late, while a new attempt is under way. */
static void P4_late_answer_of_an_older_payment(void **state) {
    struct payment_attempt attempt = attempt_of(state, 9);
    (void)pay(&attempt, 7);
    (void)pay(&attempt, 7);
    assert_true(domain_deliver(attempt.domain, 0)); /* RESERVE 1: refused */
    (void)domain_charge(attempt.domain, 1, 11, 2);  /* 20 now */
    assert_true(domain_deliver(attempt.domain, 1)); /* REFUSED 1 arrives: held again */
    assert_int_equal(domain_state(attempt.domain, attempt.reservation), RESERVATION_HELD);
    uint64_t third = pay(&attempt, 7); /* payment 2, before RESERVE 1 (second copy) is answered */
    domain_settle(attempt.domain);
    assert_int_equal(domain_answered(attempt.domain, third), ERROR_NONE);
    assert_int_equal(domain_balance(attempt.domain, 1), 10);
    assert_int_equal(domain_count(attempt.domain, DECISION_FUNDS_VOIDED), 1);
    check_end(attempt.domain, &attempt);
    cut_everywhere(&attempt);
}

static void P5_token_ends_during_the_payment(void **state) {
    struct payment_attempt attempt = attempt_of(state, 100);
    uint64_t click = pay(&attempt, 7);
    domain_advance(attempt.domain, 2 * attempt.policy.active_ttl_ms);
    assert_int_equal(domain_state(attempt.domain, attempt.reservation), RESERVATION_PAYING);
    domain_settle(attempt.domain);
    assert_int_equal(domain_answered(attempt.domain, click), ERROR_NONE);
    check_end(attempt.domain, &attempt);
    cut_everywhere(&attempt);
}

static void P5_token_ends_and_funds_are_refused(void **state) {
    const uint64_t late[] = {0, 1}; /* the timer has not spoken yet; it has */
    for (uint32_t i = 0; i < 2; i++) {
        struct domain *fresh = domain_new();
        void *one = fresh;
        struct payment_attempt attempt = attempt_of(&one, 9);
        uint64_t click = pay(&attempt, 7);
        assert_int_equal(domain_policy(attempt.domain, attempt.date, POLICY_INDEX_hold_ttl_ms, 100),
                         ERROR_NONE);
        if (late[i]) {
            domain_advance(attempt.domain, attempt.policy.active_ttl_ms);
        } else {
            domain_jump(attempt.domain, attempt.policy.active_ttl_ms);
        }
        assert_true(domain_deliver(attempt.domain, 0) && domain_deliver(attempt.domain, 0));
        assert_int_equal(domain_answered(attempt.domain, click), ERROR_INSUFFICIENT_FUNDS);
        assert_int_equal(domain_state(attempt.domain, attempt.reservation), RESERVATION_EXPIRED);
        domain_settle(attempt.domain);
        check_end(attempt.domain, &attempt);
        cut_everywhere(&attempt);
        domain_free(fresh);
    }
    (void)state;
}

static void P5_leaves_during_the_payment(void **state) {
    struct payment_attempt attempt = attempt_of(state, 9);
    (void)pay(&attempt, 7);
    assert_int_equal(domain_leave(attempt.domain, &attempt.token), ERROR_NONE);
    assert_int_equal(domain_state(attempt.domain, attempt.reservation), RESERVATION_PAYING);
    domain_settle(attempt.domain);
    assert_int_equal(domain_state(attempt.domain, attempt.reservation), RESERVATION_EXPIRED);
    check_end(attempt.domain, &attempt);
    cut_everywhere(&attempt);
}

/* The log was cut between the refusal and the end of the hold: nothing stands behind it. */
static void P5_cut_before_the_hold_ended(void **state) {
    struct payment_attempt attempt = attempt_of(state, 9);
    (void)pay(&attempt, 7);
    assert_int_equal(domain_leave(attempt.domain, &attempt.token), ERROR_NONE);
    domain_settle(attempt.domain);
    uint32_t last = attempt.domain->record_count - 1;
    assert_int_equal(domain_record(attempt.domain, last).kind, DECISION_RESERVATION_ENDED);
    struct domain *again = domain_recover(attempt.domain, last);
    assert_int_equal(domain_state(again, attempt.reservation), RESERVATION_HELD);
    again->manual = true; /* before the sweep finds it */
    (void)domain_charge(again, 1, 1, 2);
    assert_int_equal(domain_pay(again, &attempt.token, attempt.reservation, 7),
                     ERROR_RESERVATION_ENDED);
    domain_free(again);
}

static void P5_requeued_during_the_payment(void **state) {
    struct payment_attempt attempt = attempt_of(state, 100);
    struct token again;
    assert_int_equal(
        domain_policy(attempt.domain, attempt.date, POLICY_INDEX_reentry, REENTRY_REQUEUE),
        ERROR_NONE);
    (void)pay(&attempt, 7);
    assert_int_equal(domain_enter(attempt.domain, attempt.date, 1, &again), ERROR_NONE);
    domain_settle(attempt.domain);
    assert_int_equal(domain_state(attempt.domain, attempt.reservation), RESERVATION_PAID);
    assert_int_equal(token_state(attempt.domain, &again), TOKEN_ACTIVE); /* not the one it ends */
    check_end(attempt.domain, &attempt);
    cut_everywhere(&attempt);
}

static void P5_date_cancelled_at_every_point_of_a_payment(void **state) {
    for (uint32_t delivered = 0; delivered <= 4; delivered++) {
        for (uint64_t balance = 9; balance <= 10; balance++) {
            struct domain *fresh = domain_new();
            void *one = fresh;
            struct payment_attempt attempt = attempt_of(&one, balance);
            uint64_t click = pay(&attempt, 7);
            for (uint32_t i = 0; i < delivered; i++) (void)domain_deliver(attempt.domain, 0);
            assert_int_equal(domain_switch(attempt.domain, attempt.date, COMMAND_DATE_CANCEL), 0);
            domain_settle(attempt.domain);
            uint16_t error = domain_answered(attempt.domain, click);
            assert_int_equal(error, delivered < 2      ? ERROR_DATE_CANCELLED
                                    : balance >= PRICE ? ERROR_NONE
                                                       : ERROR_INSUFFICIENT_FUNDS);
            uint8_t ended = domain_state(attempt.domain, attempt.reservation);
            assert_int_equal(ended, delivered >= 2 && balance >= PRICE ? RESERVATION_REFUNDED
                                                                       : RESERVATION_CANCELLED);
            assert_int_equal(domain_balance(attempt.domain, 1), balance);
            assert_int_equal(domain_date_of(attempt.domain, attempt.date)->seats.free, 4);
            check_end(attempt.domain, &attempt);
            cut_everywhere(&attempt);
            domain_free(fresh);
        }
    }
    (void)state;
}

static void R8_refund_at_every_point(void **state) {
    for (uint32_t delivered = 0; delivered <= 4; delivered++) {
        for (uint32_t key = 8; key <= 9; key++) {
            struct domain *fresh = domain_new();
            void *one = fresh;
            struct payment_attempt attempt = attempt_of(&one, 100);
            (void)pay(&attempt, 7);
            domain_settle(attempt.domain);
            uint64_t first = cancel(&attempt, 8);
            for (uint32_t i = 0; i < delivered; i++) (void)domain_deliver(attempt.domain, 0);
            uint64_t second = cancel(&attempt, key);
            domain_settle(attempt.domain);
            assert_int_equal(domain_answered(attempt.domain, first), ERROR_NONE);
            bool refunding = delivered < 2;
            assert_int_equal(domain_answered(attempt.domain, second),
                             key == 8    ? ERROR_NONE
                             : refunding ? ERROR_PAYMENT_IN_PROGRESS
                                         : ERROR_ALREADY_REFUNDED);
            assert_int_equal(domain_state(attempt.domain, attempt.reservation),
                             RESERVATION_REFUNDED);
            assert_int_equal(domain_count(attempt.domain, DECISION_FUNDS_REFUNDED), 1);
            check_end(attempt.domain, &attempt);
            cut_everywhere(&attempt);
            domain_free(fresh);
        }
    }
    (void)state;
}

/* The refund is asked for before the sale was posted; the crash lost FUNDS_POST. */
static void R8_refund_overtakes_a_lost_post(void **state) {
    struct payment_attempt attempt = attempt_of(state, 100);
    (void)pay(&attempt, 7);
    assert_true(domain_deliver(attempt.domain, 0) && domain_deliver(attempt.domain, 0)); /* sold */
    domain_crash(attempt.domain);
    (void)cancel(&attempt, 8); /* before the account asks what became of its reserve */
    domain_settle(attempt.domain);
    assert_int_equal(domain_state(attempt.domain, attempt.reservation), RESERVATION_REFUNDED);
    assert_int_equal(domain_count(attempt.domain, DECISION_FUNDS_POSTED), 1);
    assert_int_equal(domain_count(attempt.domain, DECISION_FUNDS_REFUNDED), 1);
    check_end(attempt.domain, &attempt);
    cut_everywhere(&attempt);
}

static void R8_date_cancelled_during_a_refund(void **state) {
    for (uint32_t delivered = 0; delivered <= 3; delivered++) {
        struct domain *fresh = domain_new();
        void *one = fresh;
        struct payment_attempt attempt = attempt_of(&one, 100);
        (void)pay(&attempt, 7);
        domain_settle(attempt.domain);
        uint64_t click = cancel(&attempt, 8);
        for (uint32_t i = 0; i < delivered; i++) (void)domain_deliver(attempt.domain, 0);
        assert_int_equal(domain_switch(attempt.domain, attempt.date, COMMAND_DATE_CANCEL), 0);
        domain_settle(attempt.domain);
        assert_int_equal(domain_answered(attempt.domain, click), ERROR_NONE);
        assert_int_equal(domain_count(attempt.domain, DECISION_FUNDS_REFUNDED), 1);
        check_end(attempt.domain, &attempt);
        cut_everywhere(&attempt);
        domain_free(fresh);
    }
    (void)state;
}

/* Many users, a third paid, a third held, a third paying, and the date is cancelled. */
static void R8_cancelled_date_with_everything_under_way(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_capacity = 100;
    uint32_t date = domain_date(domain, &policy, 60, PRICE);
    struct token tokens[61];
    uint64_t reservations[61];
    for (uint32_t user = 1; user <= 60; user++) {
        (void)domain_charge(domain, user, 25, 1);
        tokens[user] = entered(domain, date, user);
        reservations[user] = held(domain, &tokens[user], SEATS(user));
    }
    for (uint32_t user = 1; user <= 60; user += 3) {
        assert_int_equal(domain_pay(domain, &tokens[user], reservations[user], 2), ERROR_NONE);
    }
    domain->manual = true;
    for (uint32_t user = 2; user <= 60; user += 3) {
        (void)domain_pay(domain, &tokens[user], reservations[user], 2);
        if (user % 2) (void)domain_deliver(domain, user);
    }
    assert_int_equal(domain_switch(domain, date, COMMAND_DATE_CANCEL), ERROR_NONE);
    uint32_t cancelled = domain->record_count;
    domain_settle(domain);
    for (uint32_t cut = cancelled; cut <= domain->record_count; cut++) {
        struct domain *again = domain_recover(domain, cut);
        domain_settle(again);
        domain_check(again, true);
        for (uint32_t user = 1; user <= 60; user++) {
            assert_int_equal(domain_balance(again, user), 25);
            assert_int_equal(domain_state(again, reservations[user]),
                             domain_state(domain, reservations[user]));
        }
        assert_int_equal(domain_date_of(again, date)->seats.free, 60);
        domain_free(again);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(P3_crash_in_a_sale),
        T(P3_crash_with_messages_in_flight),
        T(P2_crash_in_a_refused_payment),
        T(P4_every_message_twice),
        T(P4_double_click_at_every_point),
        T(P4_charged_between_two_clicks),
        T(P4_late_answer_of_an_older_payment),
        T(P5_token_ends_during_the_payment),
        T(P5_token_ends_and_funds_are_refused),
        T(P5_leaves_during_the_payment),
        T(P5_cut_before_the_hold_ended),
        T(P5_requeued_during_the_payment),
        T(P5_date_cancelled_at_every_point_of_a_payment),
        T(R8_refund_at_every_point),
        T(R8_refund_overtakes_a_lost_post),
        T(R8_date_cancelled_during_a_refund),
        T(R8_cancelled_date_with_everything_under_way),
    };
    return cmocka_run_group_tests_name("payment", tests, NULL, NULL);
}
