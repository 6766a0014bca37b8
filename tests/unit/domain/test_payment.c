/* test_payment.c - payments and refunds, interrupted
 *
 * Each scenario plays one story with the messages held back by hand. It is then played in all
 * variants: with every message delivered twice, and with a crash (all messages lost, the world
 * rebuilt from the log) after every single record of the story's log, and once more after every
 * record of that recovery. However it is cut: money is conserved, the seat is paid for once or not
 * at all, nothing stays unfinished, and asking again with the same key gets an answer that agrees.
 */
#include "tests/unit/domain/domain_test.h"

#define PRICE 10u

struct story {
    struct domain *domain;
    struct policy policy;
    uint32_t date;
    struct token token;
    uint64_t reservation;
};

static struct story story_of(void **state, uint64_t balance) {
    struct story story = {.domain = *state, .policy = default_policy()};
    story.date = domain_date(story.domain, &story.policy, 4, PRICE);
    story.token = entered(story.domain, story.date, 1);
    if (balance > 0) (void)domain_charge(story.domain, 1, balance, 1);
    story.reservation = held(story.domain, &story.token, SEATS(1));
    story.domain->manual = true;
    return story;
}

static uint64_t pay(const struct story *story, uint32_t key) {
    (void)domain_pay(story->domain, &story->token, story->reservation, key);
    return story->domain->origin_last;
}

static uint64_t cancel(const struct story *story, uint32_t key) {
    (void)domain_cancel(story->domain, 1, story->reservation, key);
    return story->domain->origin_last;
}

/* What must hold however a story ended. */
static void check_end(struct domain *domain, const struct story *story) {
    domain_check(domain, true);
    uint8_t state = domain_state(domain, story->reservation);
    struct money_totals totals;
    world_money(domain->world, &totals);
    bool paid = state == RESERVATION_PAID;
    if (story->reservation && state != 0) {
        bool has = domain_holder(domain, story->date, 1) == dated_id_sequence(story->reservation);
        assert_int_equal(has, paid || state == RESERVATION_HELD);
    }
    assert_int_equal(totals.balances, totals.charged - (paid ? PRICE : 0));
}

/* After recovery the client asks again, with the key it used: the answer agrees with the state. */
static void ask_again(struct domain *domain, const struct story *story) {
    uint8_t before = domain_state(domain, story->reservation);
    domain->manual = false;
    uint16_t error = domain_pay(domain, &story->token, story->reservation, 7);
    uint8_t after = domain_state(domain, story->reservation);
    switch (before) {
    case 0: assert_int_not_equal(error, ERROR_NONE); break; /* nor a token, perhaps */
    case RESERVATION_PAID:
    case RESERVATION_REFUNDED: assert_int_equal(error, ERROR_NONE); break;
    case RESERVATION_HELD: assert_true((error == ERROR_NONE) == (after == RESERVATION_PAID)); break;
    case RESERVATION_CANCELLED: assert_int_equal(error, ERROR_DATE_CANCELLED); break;
    default: assert_int_equal(error, ERROR_RESERVATION_ENDED); break;
    }
    check_end(domain, story);
}

/* Crash after each record; and again after each record that the recovery makes. */
static void cut_everywhere(const struct story *story) {
    const struct domain *whole = story->domain;
    for (uint32_t cut = 1; cut <= whole->record_count; cut++) {
        struct domain *again = domain_recover(whole, cut);
        if (again->world->date_count == 0) {
            domain_free(again);
            continue;
        }
        domain_settle(again);
        check_end(again, story);
        for (uint32_t second = cut; second < again->record_count; second++) {
            struct domain *twice = domain_recover(again, second);
            domain_settle(twice);
            check_end(twice, story);
            assert_int_equal(domain_state(twice, story->reservation),
                             domain_state(again, story->reservation));
            domain_free(twice);
        }
        ask_again(again, story);
        domain_free(again);
    }
}

static void P3_crash_in_a_sale(void **state) {
    struct story story = story_of(state, 100);
    uint64_t click = pay(&story, 7);
    uint32_t started = story.domain->record_count;
    domain_settle(story.domain);
    assert_int_equal(domain_answered(story.domain, click), ERROR_NONE);
    assert_int_equal(story.domain->record_count, started + 3);
    check_end(story.domain, &story);
    /* from PAYING on, a crash anywhere ends as paid */
    for (uint32_t cut = started; cut <= started + 3; cut++) {
        struct domain *again = domain_recover(story.domain, cut);
        domain_settle(again);
        assert_int_equal(domain_state(again, story.reservation), RESERVATION_PAID);
        assert_int_equal(domain_balance(again, 1), 90);
        domain_free(again);
    }
    cut_everywhere(&story);
}

static void P3_crash_with_messages_in_flight(void **state) {
    for (uint32_t delivered = 0; delivered <= 4; delivered++) {
        struct domain *fresh = domain_new();
        void *one = fresh;
        struct story story = story_of(&one, 100);
        (void)pay(&story, 7);
        for (uint32_t i = 0; i < delivered; i++) (void)domain_deliver(story.domain, 0);
        domain_crash(story.domain);
        domain_settle(story.domain);
        assert_int_equal(domain_state(story.domain, story.reservation), RESERVATION_PAID);
        assert_int_equal(domain_count(story.domain, DECISION_SEATS_SOLD), 1);
        assert_int_equal(domain_count(story.domain, DECISION_FUNDS_POSTED), 1);
        check_end(story.domain, &story);
        domain_free(fresh);
    }
    (void)state; /* each turn has its own */
}

static void P2_crash_in_a_refused_payment(void **state) {
    struct story story = story_of(state, 9);
    uint64_t click = pay(&story, 7);
    domain_settle(story.domain);
    assert_int_equal(domain_answered(story.domain, click), ERROR_INSUFFICIENT_FUNDS);
    (void)domain_charge(story.domain, 1, 5, 2);
    click = pay(&story, 7);
    domain_settle(story.domain);
    assert_int_equal(domain_answered(story.domain, click), ERROR_NONE);
    check_end(story.domain, &story);
    cut_everywhere(&story);
}

static void P4_every_message_twice(void **state) {
    struct story story = story_of(state, 100);
    story.domain->duplicate = true;
    (void)pay(&story, 7);
    domain_settle(story.domain);
    assert_int_equal(domain_state(story.domain, story.reservation), RESERVATION_PAID);
    assert_int_equal(domain_balance(story.domain, 1), 90);
    assert_int_equal(domain_count(story.domain, DECISION_FUNDS_RESERVED), 1);
    assert_int_equal(domain_count(story.domain, DECISION_FUNDS_POSTED), 1);
    check_end(story.domain, &story);
    (void)cancel(&story, 8);
    domain_settle(story.domain);
    assert_int_equal(domain_state(story.domain, story.reservation), RESERVATION_REFUNDED);
    assert_int_equal(domain_count(story.domain, DECISION_FUNDS_REFUNDED), 1);
    check_end(story.domain, &story);
    cut_everywhere(&story);
}

/* The second click comes after `delivered` messages of the first. */
static void double_click(uint64_t balance, uint32_t delivered, uint32_t key) {
    struct domain *fresh = domain_new();
    void *one = fresh;
    struct story story = story_of(&one, balance);
    uint64_t first = pay(&story, 7);
    for (uint32_t i = 0; i < delivered; i++) (void)domain_deliver(story.domain, 0);
    uint64_t second = pay(&story, key);
    domain_settle(story.domain);
    uint16_t error = domain_answered(story.domain, second);
    if (balance >= PRICE) {
        assert_int_equal(domain_answered(story.domain, first), ERROR_NONE);
        bool paying = delivered < 2;
        assert_int_equal(error, key == 7 ? ERROR_NONE
                                : paying ? ERROR_PAYMENT_IN_PROGRESS
                                         : ERROR_ALREADY_PAID);
        assert_int_equal(domain_count(story.domain, DECISION_SEATS_SOLD), 1);
        if (key == 7) {
            assert_int_equal(story.domain->answers[first].reply.payment.balance, 90);
            assert_int_equal(story.domain->answers[second].reply.payment.balance, 90);
        }
    } else {
        assert_int_equal(domain_answered(story.domain, first), ERROR_INSUFFICIENT_FUNDS);
        assert_int_equal(error, key != 7 && delivered < 2 ? ERROR_PAYMENT_IN_PROGRESS
                                                          : ERROR_INSUFFICIENT_FUNDS);
        assert_int_equal(domain_state(story.domain, story.reservation), RESERVATION_HELD);
    }
    check_end(story.domain, &story);
    cut_everywhere(&story);
    domain_free(fresh);
}

static void P4_double_click_at_every_point(void **state) {
    for (uint32_t delivered = 0; delivered <= 4; delivered++) {
        for (uint32_t key = 7; key <= 8; key++) {
            double_click(100, delivered, key);
            double_click(9, delivered, key);
        }
    }
    (void)state; /* each turn has its own */
}

/* Refused for the first click, charged, enough for the second click that was already on its way. */
static void P4_charged_between_two_clicks(void **state) {
    struct story story = story_of(state, 9);
    uint64_t first = pay(&story, 7), second = pay(&story, 7);
    assert_true(domain_deliver(story.domain, 0)); /* the account refuses the first */
    (void)domain_charge(story.domain, 1, 1, 2);
    domain_settle(story.domain);
    assert_int_equal(domain_answered(story.domain, first), ERROR_INSUFFICIENT_FUNDS);
    assert_int_equal(domain_answered(story.domain, second), ERROR_INSUFFICIENT_FUNDS);
    const struct reply *replies[] = {&story.domain->answers[first % DOMAIN_ANSWERS_KEPT].reply,
                                     &story.domain->answers[second % DOMAIN_ANSWERS_KEPT].reply};
    for (uint32_t i = 0; i < 2; i++) { /* the same answer: the first one's */
        assert_int_equal(replies[i]->data[0], 9);
        assert_int_equal(replies[i]->data[1], PRICE);
        assert_int_equal(replies[i]->data[2], 1);
    }
    assert_int_equal(domain_balance(story.domain, 1), 10); /* given back */
    assert_int_equal(domain_state(story.domain, story.reservation), RESERVATION_HELD);
    check_end(story.domain, &story);
    uint64_t third = pay(&story, 7);
    domain_settle(story.domain);
    assert_int_equal(domain_answered(story.domain, third), ERROR_NONE);
    check_end(story.domain, &story);
    cut_everywhere(&story);
}

/* The points of an old attempt come back late, while a new attempt is under way. */
static void P4_late_answer_of_an_older_payment(void **state) {
    struct story story = story_of(state, 9);
    (void)pay(&story, 7);
    (void)pay(&story, 7);
    assert_true(domain_deliver(story.domain, 0)); /* RESERVE 1: refused */
    (void)domain_charge(story.domain, 1, 11, 2);  /* 20 now */
    assert_true(domain_deliver(story.domain, 1)); /* REFUSED 1 arrives: held again */
    assert_int_equal(domain_state(story.domain, story.reservation), RESERVATION_HELD);
    uint64_t third = pay(&story, 7); /* payment 2, before RESERVE 1 (second copy) is answered */
    domain_settle(story.domain);
    assert_int_equal(domain_answered(story.domain, third), ERROR_NONE);
    assert_int_equal(domain_balance(story.domain, 1), 10);
    assert_int_equal(domain_count(story.domain, DECISION_FUNDS_VOIDED), 1);
    check_end(story.domain, &story);
    cut_everywhere(&story);
}

static void P5_token_ends_during_the_payment(void **state) {
    struct story story = story_of(state, 100);
    uint64_t click = pay(&story, 7);
    domain_advance(story.domain, 2 * story.policy.active_ttl_ms);
    assert_int_equal(domain_state(story.domain, story.reservation), RESERVATION_PAYING);
    domain_settle(story.domain);
    assert_int_equal(domain_answered(story.domain, click), ERROR_NONE);
    check_end(story.domain, &story);
    cut_everywhere(&story);
}

static void P5_token_ends_and_funds_are_refused(void **state) {
    const uint64_t late[] = {0, 1}; /* the timer has not spoken yet; it has */
    for (uint32_t i = 0; i < 2; i++) {
        struct domain *fresh = domain_new();
        void *one = fresh;
        struct story story = story_of(&one, 9);
        uint64_t click = pay(&story, 7);
        assert_int_equal(domain_policy(story.domain, story.date, POLICY_INDEX_hold_ttl_ms, 100),
                         ERROR_NONE);
        if (late[i]) {
            domain_advance(story.domain, story.policy.active_ttl_ms);
        } else {
            domain_jump(story.domain, story.policy.active_ttl_ms);
        }
        assert_true(domain_deliver(story.domain, 0) && domain_deliver(story.domain, 0));
        assert_int_equal(domain_answered(story.domain, click), ERROR_INSUFFICIENT_FUNDS);
        assert_int_equal(domain_state(story.domain, story.reservation), RESERVATION_EXPIRED);
        domain_settle(story.domain);
        check_end(story.domain, &story);
        cut_everywhere(&story);
        domain_free(fresh);
    }
    (void)state; /* each turn has its own */
}

static void P5_leaves_during_the_payment(void **state) {
    struct story story = story_of(state, 9);
    (void)pay(&story, 7);
    assert_int_equal(domain_leave(story.domain, &story.token), ERROR_NONE);
    assert_int_equal(domain_state(story.domain, story.reservation), RESERVATION_PAYING);
    domain_settle(story.domain);
    assert_int_equal(domain_state(story.domain, story.reservation), RESERVATION_EXPIRED);
    check_end(story.domain, &story);
    cut_everywhere(&story);
}

/* The log was cut between the refusal and the end of the hold: nothing stands behind it. */
static void P5_cut_before_the_hold_ended(void **state) {
    struct story story = story_of(state, 9);
    (void)pay(&story, 7);
    assert_int_equal(domain_leave(story.domain, &story.token), ERROR_NONE);
    domain_settle(story.domain);
    uint32_t last = story.domain->record_count - 1;
    assert_int_equal(domain_record(story.domain, last).kind, DECISION_RESERVATION_ENDED);
    struct domain *again = domain_recover(story.domain, last);
    assert_int_equal(domain_state(again, story.reservation), RESERVATION_HELD);
    again->manual = true; /* before the sweep finds it */
    (void)domain_charge(again, 1, 1, 2);
    assert_int_equal(domain_pay(again, &story.token, story.reservation, 7),
                     ERROR_RESERVATION_ENDED);
    domain_free(again);
}

static void P5_requeued_during_the_payment(void **state) {
    struct story story = story_of(state, 100);
    struct token again;
    assert_int_equal(domain_policy(story.domain, story.date, POLICY_INDEX_reentry, REENTRY_REQUEUE),
                     ERROR_NONE);
    (void)pay(&story, 7);
    assert_int_equal(domain_enter(story.domain, story.date, 1, &again), ERROR_NONE);
    domain_settle(story.domain);
    assert_int_equal(domain_state(story.domain, story.reservation), RESERVATION_PAID);
    assert_int_equal(token_state(story.domain, &again), TOKEN_ACTIVE); /* not the one it ends */
    check_end(story.domain, &story);
    cut_everywhere(&story);
}

static void P5_date_cancelled_at_every_point_of_a_payment(void **state) {
    for (uint32_t delivered = 0; delivered <= 4; delivered++) {
        for (uint64_t balance = 9; balance <= 10; balance++) {
            struct domain *fresh = domain_new();
            void *one = fresh;
            struct story story = story_of(&one, balance);
            uint64_t click = pay(&story, 7);
            for (uint32_t i = 0; i < delivered; i++) (void)domain_deliver(story.domain, 0);
            assert_int_equal(domain_switch(story.domain, story.date, COMMAND_DATE_CANCEL), 0);
            domain_settle(story.domain);
            uint16_t error = domain_answered(story.domain, click);
            assert_int_equal(error, delivered < 2      ? ERROR_DATE_CANCELLED
                                    : balance >= PRICE ? ERROR_NONE
                                                       : ERROR_INSUFFICIENT_FUNDS);
            uint8_t ended = domain_state(story.domain, story.reservation);
            assert_int_equal(ended, delivered >= 2 && balance >= PRICE ? RESERVATION_REFUNDED
                                                                       : RESERVATION_CANCELLED);
            assert_int_equal(domain_balance(story.domain, 1), balance);
            assert_int_equal(domain_date_of(story.domain, story.date)->seats.free, 4);
            check_end(story.domain, &story);
            cut_everywhere(&story);
            domain_free(fresh);
        }
    }
    (void)state; /* each turn has its own */
}

static void R8_refund_at_every_point(void **state) {
    for (uint32_t delivered = 0; delivered <= 4; delivered++) {
        for (uint32_t key = 8; key <= 9; key++) {
            struct domain *fresh = domain_new();
            void *one = fresh;
            struct story story = story_of(&one, 100);
            (void)pay(&story, 7);
            domain_settle(story.domain);
            uint64_t first = cancel(&story, 8);
            for (uint32_t i = 0; i < delivered; i++) (void)domain_deliver(story.domain, 0);
            uint64_t second = cancel(&story, key);
            domain_settle(story.domain);
            assert_int_equal(domain_answered(story.domain, first), ERROR_NONE);
            bool refunding = delivered < 2;
            assert_int_equal(domain_answered(story.domain, second), key == 8 ? ERROR_NONE
                                                                    : refunding
                                                                        ? ERROR_PAYMENT_IN_PROGRESS
                                                                        : ERROR_ALREADY_REFUNDED);
            assert_int_equal(domain_state(story.domain, story.reservation), RESERVATION_REFUNDED);
            assert_int_equal(domain_count(story.domain, DECISION_FUNDS_REFUNDED), 1);
            check_end(story.domain, &story);
            cut_everywhere(&story);
            domain_free(fresh);
        }
    }
    (void)state; /* each turn has its own */
}

/* The refund is asked for before the sale was posted; the crash lost FUNDS_POST. */
static void R8_refund_overtakes_a_lost_post(void **state) {
    struct story story = story_of(state, 100);
    (void)pay(&story, 7);
    assert_true(domain_deliver(story.domain, 0) && domain_deliver(story.domain, 0)); /* sold */
    domain_crash(story.domain);
    (void)cancel(&story, 8); /* before the account asks what became of its reserve */
    domain_settle(story.domain);
    assert_int_equal(domain_state(story.domain, story.reservation), RESERVATION_REFUNDED);
    assert_int_equal(domain_count(story.domain, DECISION_FUNDS_POSTED), 1);
    assert_int_equal(domain_count(story.domain, DECISION_FUNDS_REFUNDED), 1);
    check_end(story.domain, &story);
    cut_everywhere(&story);
}

static void R8_date_cancelled_during_a_refund(void **state) {
    for (uint32_t delivered = 0; delivered <= 3; delivered++) {
        struct domain *fresh = domain_new();
        void *one = fresh;
        struct story story = story_of(&one, 100);
        (void)pay(&story, 7);
        domain_settle(story.domain);
        uint64_t click = cancel(&story, 8);
        for (uint32_t i = 0; i < delivered; i++) (void)domain_deliver(story.domain, 0);
        assert_int_equal(domain_switch(story.domain, story.date, COMMAND_DATE_CANCEL), 0);
        domain_settle(story.domain);
        assert_int_equal(domain_answered(story.domain, click), ERROR_NONE);
        assert_int_equal(domain_count(story.domain, DECISION_FUNDS_REFUNDED), 1);
        check_end(story.domain, &story);
        cut_everywhere(&story);
        domain_free(fresh);
    }
    (void)state; /* each turn has its own */
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
