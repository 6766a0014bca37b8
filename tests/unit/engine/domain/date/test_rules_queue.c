/* test_rules_queue.c - the waiting room's rules, Q1 to Q13, one by one */
#include "tests/unit/engine/domain/domain_test.h"

static void Q1_entering_issues_a_token(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_capacity = 1;
    uint32_t date = domain_date(domain, &policy, 1, 10);
    struct token first = entered(domain, date, 1), second = entered(domain, date, 2),
                 third = entered(domain, date, 3);
    assert_int_equal(first.date, date);
    assert_int_equal(first.place, 1);
    assert_int_equal(second.place, 2);
    assert_false(id128_equal(&first.secret, &second.secret));
    assert_int_equal(domain->reply.token.state, TOKEN_WAITING);
    assert_int_equal(domain->reply.token.ahead, 1);
    assert_true(domain->reply.token.eta_ms > 0);
    assert_int_equal(domain_status(domain, &third), ERROR_NONE);
    assert_true(id128_equal(&domain->reply.token.token.secret, &third.secret));
}

static void Q2_first_come_first_served(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_capacity = 1;
    uint32_t date = domain_date(domain, &policy, 1, 10);
    struct token tokens[21];
    for (uint32_t user = 1; user <= 20; user++) tokens[user] = entered(domain, date, user);
    for (uint32_t user = 1; user <= 20; user++) { /* equal times of entry: still in order */
        assert_int_equal(token_state(domain, &tokens[user]), TOKEN_ACTIVE);
        if (user < 20) assert_int_equal(token_state(domain, &tokens[user + 1]), TOKEN_WAITING);
        assert_int_equal(domain_leave(domain, &tokens[user]), ERROR_NONE);
    }
}

static void Q3_token_states_and_guard(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_capacity = 1;
    uint32_t date = domain_date(domain, &policy, 2, 10);
    struct token active = entered(domain, date, 1), first = entered(domain, date, 2),
                 second = entered(domain, date, 3);
    assert_int_equal(domain_list(domain, &active), ERROR_NONE);
    assert_int_equal(domain_list(domain, &first), ERROR_NOT_YOUR_TURN);
    assert_refused(domain, ERROR_NOT_YOUR_TURN, 0, 0, 0);
    assert_int_equal(domain_hold(domain, &second, SEATS(1), NULL), ERROR_NOT_YOUR_TURN);
    assert_refused(domain, ERROR_NOT_YOUR_TURN, 1, 0, 0);
    assert_int_equal(domain_leave(domain, &active), ERROR_NONE);
    assert_int_equal(token_state(domain, &active), TOKEN_EXPIRED);
    assert_int_equal(domain_hold(domain, &active, SEATS(1), NULL), ERROR_TOKEN_EXPIRED);
    assert_int_equal(domain_list(domain, &active), ERROR_TOKEN_EXPIRED);

    struct token forged[] = {second, second, second, second};
    forged[0].secret.bytes[15] ^= 1;
    forged[1].secret.bytes[0] ^= 0x80;
    forged[2].place = 4;
    forged[3].place = 0;
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(domain_status(domain, &forged[i]), ERROR_TOKEN_INVALID);
        assert_int_equal(domain_leave(domain, &forged[i]), ERROR_TOKEN_INVALID);
        assert_int_equal(domain_list(domain, &forged[i]), ERROR_TOKEN_INVALID);
        assert_int_equal(domain_hold(domain, &forged[i], SEATS(1), NULL), ERROR_TOKEN_INVALID);
    }
    struct token borrowed = first; /* somebody else's place with one's own secret */
    borrowed.secret = second.secret;
    assert_int_equal(domain_list(domain, &borrowed), ERROR_TOKEN_INVALID);
}

static void Q4_reentry_keep(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_capacity = 1;
    uint32_t date = domain_date(domain, &policy, 2, 10);
    struct token active = entered(domain, date, 1), waiting = entered(domain, date, 2);
    (void)held(domain, &active, SEATS(1));
    uint32_t records = domain->record_count;
    struct token again = entered(domain, date, 1), again2 = entered(domain, date, 2);
    assert_memory_equal(&again, &active, sizeof again);
    assert_memory_equal(&again2, &waiting, sizeof again2);
    assert_int_equal(domain->record_count, records);

    /* an ended token is not live: a new one */
    assert_int_equal(domain_leave(domain, &active), ERROR_NONE);
    struct token fresh = entered(domain, date, 1);
    assert_int_equal(fresh.place, 3);
    assert_false(id128_equal(&fresh.secret, &active.secret));
}

static void Q4_reentry_keep_after_time_without_timer(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    uint32_t date = domain_date(domain, &policy, 2, 10);
    struct token active = entered(domain, date, 1);
    uint64_t reservation = held(domain, &active, SEATS(1));
    domain_jump(domain, policy.active_ttl_ms); /* over, though no timer has said so */
    struct token fresh = entered(domain, date, 1);
    assert_int_equal(fresh.place, 2);
    assert_int_equal(domain_state(domain, reservation), RESERVATION_EXPIRED);
    assert_int_equal(token_state(domain, &fresh), TOKEN_ACTIVE);
}

static void Q4_reentry_requeue(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_capacity = 1;
    policy.reentry = REENTRY_REQUEUE;
    uint32_t date = domain_date(domain, &policy, 2, 10);
    struct token active = entered(domain, date, 1), waiting = entered(domain, date, 2);
    struct token last = entered(domain, date, 3);
    uint64_t reservation = held(domain, &active, SEATS(1));
    struct token moved = entered(domain, date, 2); /* behind 3 now */
    assert_int_equal(moved.place, 4);
    assert_int_equal(token_state(domain, &waiting), TOKEN_EXPIRED);
    assert_int_equal(domain->reply.token.end, TOKEN_END_REQUEUED);
    assert_int_equal(domain_status(domain, &moved), ERROR_NONE);
    assert_int_equal(domain->reply.token.ahead, 1);

    struct token again = entered(domain, date, 1); /* gives up its turn and its holds */
    assert_int_equal(again.place, 5);
    assert_int_equal(domain_state(domain, reservation), RESERVATION_EXPIRED);
    assert_int_equal(token_state(domain, &active), TOKEN_EXPIRED);
    assert_int_equal(token_state(domain, &last), TOKEN_ACTIVE);
    assert_int_equal(domain_date_of(domain, date)->room.active, 1);
}

static void Q4_reentry_changed_live(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_capacity = 0;
    uint32_t date = domain_date(domain, &policy, 1, 10);
    struct token first = entered(domain, date, 1);
    assert_int_equal(domain_policy(domain, date, POLICY_INDEX_reentry, REENTRY_REQUEUE), 0);
    struct token second = entered(domain, date, 1);
    assert_int_equal(second.place, first.place + 1);
    assert_int_equal(domain_policy(domain, date, POLICY_INDEX_reentry, REENTRY_KEEP), 0);
    struct token third = entered(domain, date, 1);
    assert_int_equal(third.place, second.place);
}

static void Q5_poll_answers_place_and_time(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_capacity = 2;
    uint32_t date = domain_date(domain, &policy, 1, 10);
    struct token tokens[8];
    for (uint32_t user = 0; user < 8; user++) tokens[user] = entered(domain, date, user + 1);
    for (uint32_t user = 0; user < 8; user++) {
        assert_int_equal(domain_status(domain, &tokens[user]), ERROR_NONE);
        uint32_t ahead = user < 2 ? 0 : user - 2;
        assert_int_equal(domain->reply.token.ahead, ahead);
        if (user < 2) {
            assert_int_equal(domain->reply.token.state, TOKEN_ACTIVE);
            assert_int_equal(domain->reply.token.expires_at, domain->now_ms + policy.active_ttl_ms);
            assert_int_equal(domain->reply.token.eta_ms, 0);
        } else {
            assert_int_equal(domain->reply.token.eta_ms, (ahead + 1) * policy.active_ttl_ms / 2);
            assert_true(domain->reply.token.next_poll_ms > 0);
            assert_true(domain->reply.token.next_poll_ms < policy.waiting_timeout_ms / 2);
            assert_int_equal(domain->reply.token.expires_at,
                             domain->now_ms + policy.waiting_timeout_ms);
        }
    }
    assert_int_equal(domain_leave(domain, &tokens[4]), ERROR_NONE);
    assert_int_equal(domain_status(domain, &tokens[7]), ERROR_NONE);
    assert_int_equal(domain->reply.token.ahead, 4);
    assert_int_equal(domain_status(domain, &tokens[3]), ERROR_NONE);
    assert_int_equal(domain->reply.token.ahead, 1);
}

static void Q5_poll_is_not_a_decision(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_capacity = 0;
    struct token token = entered(domain, domain_date(domain, &policy, 1, 1), 1);
    uint32_t records = domain->record_count;
    for (uint32_t i = 0; i < 10; i++) assert_int_equal(domain_status(domain, &token), ERROR_NONE);
    assert_int_equal(domain->record_count, records);
}

static void Q6_silent_waiters_are_dropped(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_capacity = 1;
    policy.active_ttl_ms = POLICY_YEAR_MS;
    uint32_t date = domain_date(domain, &policy, 1, 10);
    (void)entered(domain, date, 9);
    struct token silent = entered(domain, date, 1), polls = entered(domain, date, 2);
    for (uint32_t second = 0; second < 59; second++) {
        domain_advance(domain, 1000);
        assert_int_equal(token_state(domain, &polls), TOKEN_WAITING);
    }
    domain_advance(domain, 999); /* one ms before */
    assert_int_equal(domain_date_of(domain, date)->room.waiting, 2);
    domain_advance(domain, 1 + policy.waiting_timeout_ms / 256 + 1); /* at most 1/256 late */
    assert_int_equal(domain_date_of(domain, date)->room.waiting, 1);
    assert_int_equal(token_state(domain, &silent), TOKEN_EXPIRED);
    assert_int_equal(domain->reply.token.end, TOKEN_END_SILENT);
    assert_int_equal(domain_status(domain, &polls), ERROR_NONE); /* has moved up */
    assert_int_equal(domain->reply.token.ahead, 0);
    for (uint32_t second = 0; second < 600; second++) { /* who polls is never dropped */
        domain_advance(domain, 59999);
        assert_int_equal(token_state(domain, &polls), TOKEN_WAITING);
    }
}

static void Q6_entering_again_is_a_sign_of_life(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_capacity = 0;
    uint32_t date = domain_date(domain, &policy, 1, 10);
    struct token token = entered(domain, date, 1);
    domain_advance(domain, 59999);
    (void)entered(domain, date, 1);
    domain_advance(domain, 59999);
    assert_int_equal(token_state(domain, &token), TOKEN_WAITING);
}

static void Q6_silent_is_not_admitted(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_capacity = 1;
    uint32_t date = domain_date(domain, &policy, 1, 10);
    struct token active = entered(domain, date, 1), silent = entered(domain, date, 2);
    struct token polls = entered(domain, date, 3);
    domain_jump(domain, policy.waiting_timeout_ms - 1);
    (void)domain_status(domain, &polls);
    domain_jump(domain, 1); /* exactly: the wheel may be late, admission is not */
    assert_int_equal(domain_leave(domain, &active), ERROR_NONE);
    assert_int_equal(token_state(domain, &silent), TOKEN_EXPIRED);
    assert_int_equal(domain->reply.token.end, TOKEN_END_SILENT);
    assert_int_equal(token_state(domain, &polls), TOKEN_ACTIVE);
}

static void Q6_recovery_counts_as_a_sign_of_life(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_capacity = 0;
    struct token token = entered(domain, domain_date(domain, &policy, 1, 10), 1);
    domain_jump(domain, 1000000);
    domain_crash(domain);
    domain_advance(domain, policy.waiting_timeout_ms - 1);
    assert_int_equal(domain_date_of(domain, token.date)->room.waiting, 1);
    domain_advance(domain, 1 + policy.waiting_timeout_ms / 256 + 1);
    assert_int_equal(token_state(domain, &token), TOKEN_EXPIRED);
}

static void Q6_timeout_changed_live(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_capacity = 0;
    uint32_t date = domain_date(domain, &policy, 1, 10);
    struct token token = entered(domain, date, 1);
    domain_advance(domain, 30000);
    assert_int_equal(domain_policy(domain, date, POLICY_INDEX_waiting_timeout_ms, 120000), 0);
    domain_advance(domain, 120000 - 30000 - 1); /* counted from the last sign of life */
    assert_int_equal(domain_date_of(domain, date)->room.waiting, 1);
    assert_int_equal(token_state(domain, &token), TOKEN_WAITING);
    assert_int_equal(domain_policy(domain, date, POLICY_INDEX_waiting_timeout_ms, 10000), 0);
    domain_advance(domain, 9999);
    assert_int_equal(domain_date_of(domain, date)->room.waiting, 1);
    domain_advance(domain, 1 + 10000 / 256 + 1);
    assert_int_equal(domain_date_of(domain, date)->room.waiting, 0);
}

static void Q7_active_capacity(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    uint32_t date = domain_date(domain, &policy, 1, 10);
    struct token tokens[13];
    for (uint32_t user = 1; user <= 12; user++) tokens[user] = entered(domain, date, user);
    assert_int_equal(domain_date_of(domain, date)->room.active, 10); /* the default */
    assert_int_equal(token_state(domain, &tokens[10]), TOKEN_ACTIVE);
    assert_int_equal(token_state(domain, &tokens[11]), TOKEN_WAITING);
    assert_int_equal(domain_policy(domain, date, POLICY_INDEX_active_capacity, 11), 0);
    assert_int_equal(token_state(domain, &tokens[11]), TOKEN_ACTIVE);
    assert_int_equal(token_state(domain, &tokens[12]), TOKEN_WAITING);
    /* lowered: nobody is thrown out, nobody comes in until it fits */
    assert_int_equal(domain_policy(domain, date, POLICY_INDEX_active_capacity, 10), 0);
    assert_int_equal(domain_leave(domain, &tokens[1]), ERROR_NONE);
    assert_int_equal(token_state(domain, &tokens[12]), TOKEN_WAITING);
    assert_int_equal(domain_leave(domain, &tokens[2]), ERROR_NONE);
    assert_int_equal(token_state(domain, &tokens[12]), TOKEN_ACTIVE);
}

static void Q8_active_time_ends(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_capacity = 1;
    policy.hold_ttl_ms = POLICY_YEAR_MS;
    policy.waiting_timeout_ms = POLICY_YEAR_MS;
    uint32_t date = domain_date(domain, &policy, 3, 10);
    struct token first = entered(domain, date, 1), second = entered(domain, date, 2);
    uint64_t one = held(domain, &first, SEATS(1)), two = held(domain, &first, SEATS(2, 3));
    domain_advance(domain, policy.active_ttl_ms - 1);
    assert_int_equal(token_state(domain, &first), TOKEN_ACTIVE);
    assert_int_equal(domain_list(domain, &first), ERROR_NONE);
    domain_jump(domain, 1); /* exactly, and the timer has not spoken: the guard says so */
    assert_int_equal(domain_list(domain, &first), ERROR_TOKEN_EXPIRED);
    assert_int_equal(token_state(domain, &first), TOKEN_EXPIRED);
    assert_int_equal(domain->reply.token.end, TOKEN_END_TIME);
    assert_int_equal(domain_state(domain, one), RESERVATION_EXPIRED);
    assert_int_equal(domain_state(domain, two), RESERVATION_EXPIRED);
    assert_int_equal(domain_holder(domain, date, 2), 0);
    assert_int_equal(token_state(domain, &second), TOKEN_ACTIVE); /* at once */
    assert_int_equal(domain_hold(domain, &second, SEATS(1, 2, 3), NULL), ERROR_NONE);
    domain_check(domain, true);
}

static void Q8_active_ttl_changed_live(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    uint32_t date = domain_date(domain, &policy, 1, 10);
    struct token before = entered(domain, date, 1);
    assert_int_equal(domain_policy(domain, date, POLICY_INDEX_active_ttl_ms, 1000), 0);
    struct token after = entered(domain, date, 2);
    domain_advance(domain, 1000); /* a promise that was given is kept */
    assert_int_equal(token_state(domain, &before), TOKEN_ACTIVE);
    assert_int_equal(token_state(domain, &after), TOKEN_EXPIRED);
    domain_advance(domain, policy.active_ttl_ms - 1000);
    assert_int_equal(token_state(domain, &before), TOKEN_EXPIRED);
}

static void Q9_admission_by_interval(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_capacity = 100;
    policy.admit_per_interval = 3;
    policy.admit_interval_ms = 1000;
    uint32_t date = domain_date(domain, &policy, 1, 10);
    const struct waiting_room *room = &domain_date_of(domain, date)->room;
    for (uint32_t user = 1; user <= 20; user++) (void)entered(domain, date, user);
    assert_int_equal(room->active, 3);
    domain_advance(domain, 999);
    assert_int_equal(room->active, 3);
    domain_advance(domain, 1);
    assert_int_equal(room->active, 6);
    domain_crash(domain); /* the interval survives */
    room = &domain_date_of(domain, date)->room;
    domain_advance(domain, 999);
    assert_int_equal(room->active, 6);
    domain_advance(domain, 1);
    assert_int_equal(room->active, 9);
    assert_int_equal(domain_policy(domain, date, POLICY_INDEX_active_capacity, 10), 0);
    domain_advance(domain, 5000); /* capacity still bounds */
    assert_int_equal(room->active, 10);
    assert_int_equal(domain_policy(domain, date, POLICY_INDEX_active_capacity, 100), 0);
    assert_int_equal(domain_policy(domain, date, POLICY_INDEX_admit_per_interval, 0), 0);
    domain_due(domain);
    assert_int_equal(room->active, 20); /* 0: at once */
}

static void Q9_interval_zero_is_at_once(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.admit_per_interval = 1;
    uint32_t date = domain_date(domain, &policy, 1, 10);
    for (uint32_t user = 1; user <= 9; user++) (void)entered(domain, date, user);
    assert_int_equal(domain_date_of(domain, date)->room.active, 9);
}

static void Q10_token_expires_on_payment(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_capacity = 1;
    uint32_t date = domain_date(domain, &policy, 3, 10);
    struct token token = entered(domain, date, 1), next = entered(domain, date, 2);
    (void)domain_charge(domain, 1, 100, 1);
    uint64_t one = held(domain, &token, SEATS(1)), two = held(domain, &token, SEATS(2));
    assert_int_equal(token_state(domain, &token), TOKEN_ACTIVE);
    assert_int_equal(domain_pay(domain, &token, one, 2), ERROR_NONE);
    assert_int_equal(token_state(domain, &token), TOKEN_EXPIRED);
    assert_int_equal(domain->reply.token.end, TOKEN_END_PAID);
    assert_int_equal(domain_hold(domain, &token, SEATS(3), NULL), ERROR_TOKEN_EXPIRED);
    assert_int_equal(token_state(domain, &next), TOKEN_ACTIVE); /* the slot is free at once */
    /* what was held with it stays payable until its hold ends */
    domain_advance(domain, policy.hold_ttl_ms - 1);
    assert_int_equal(domain_pay(domain, &token, two, 3), ERROR_NONE);
    assert_int_equal(domain_balance(domain, 1), 80);
}

static void Q10_token_expires_on_reservation(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_capacity = 1;
    policy.token_expires_on = TOKEN_EXPIRES_ON_RESERVATION;
    policy.hold_ttl_ms = policy.active_ttl_ms * 2;
    uint32_t date = domain_date(domain, &policy, 3, 10);
    struct token token = entered(domain, date, 1), next = entered(domain, date, 2);
    (void)domain_charge(domain, 1, 100, 1);
    uint64_t reservation = held(domain, &token, SEATS(1, 2));
    assert_int_equal(token_state(domain, &token), TOKEN_EXPIRED);
    assert_int_equal(domain->reply.token.end, TOKEN_END_RESERVED);
    assert_int_equal(token_state(domain, &next), TOKEN_ACTIVE);
    assert_int_equal(domain_hold(domain, &token, SEATS(3), NULL), ERROR_TOKEN_EXPIRED);
    /* The same request again, its answer was lost: the same answer; by another token, or for other
     * seats, it is still TOKEN_EXPIRED. */
    uint64_t again = 0;
    assert_int_equal(domain_hold(domain, &token, SEATS(2, 1), &again), ERROR_NONE);
    assert_true(again == reservation);
    assert_int_equal(domain_hold(domain, &token, SEATS(1), NULL), ERROR_TOKEN_EXPIRED);
    assert_int_equal(domain_hold(domain, &next, SEATS(1, 2), NULL), ERROR_SEAT_TAKEN);
    domain_advance(domain, policy.hold_ttl_ms - 1);
    assert_int_equal(domain_state(domain, reservation), RESERVATION_HELD);
    assert_int_equal(domain_pay(domain, &token, reservation, 2), ERROR_NONE);
    assert_int_equal(domain_state(domain, reservation), RESERVATION_PAID);
}

static void Q10_reservation_hold_still_ends(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.token_expires_on = TOKEN_EXPIRES_ON_RESERVATION;
    uint32_t date = domain_date(domain, &policy, 3, 10);
    struct token token = entered(domain, date, 1);
    (void)domain_charge(domain, 1, 100, 1);
    uint64_t reservation = held(domain, &token, SEATS(1));
    domain_jump(domain, policy.hold_ttl_ms);
    assert_int_equal(domain_pay(domain, &token, reservation, 2), ERROR_RESERVATION_ENDED);
    assert_int_equal(domain_state(domain, reservation), RESERVATION_EXPIRED);
    assert_int_equal(domain_balance(domain, 1), 100);
}

static void Q10_changed_live(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    uint32_t date = domain_date(domain, &policy, 4, 10);
    struct token token = entered(domain, date, 1);
    (void)domain_charge(domain, 1, 100, 1);
    uint64_t before = held(domain, &token, SEATS(1));
    assert_int_equal(
        domain_policy(domain, date, POLICY_INDEX_token_expires_on, TOKEN_EXPIRES_ON_RESERVATION),
        0);
    uint64_t after = held(domain, &token, SEATS(2));
    assert_int_equal(token_state(domain, &token), TOKEN_EXPIRED);
    assert_int_equal(domain_state(domain, before), RESERVATION_HELD);
    assert_int_equal(domain_pay(domain, &token, before, 2), ERROR_NONE);
    assert_int_equal(domain_pay(domain, &token, after, 3), ERROR_NONE);
}

static void Q11_leaving(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_capacity = 1;
    uint32_t date = domain_date(domain, &policy, 1, 10);
    struct token active = entered(domain, date, 1), waiting = entered(domain, date, 2),
                 last = entered(domain, date, 3);
    uint64_t reservation = held(domain, &active, SEATS(1));
    assert_int_equal(domain_leave(domain, &waiting), ERROR_NONE);
    assert_int_equal(domain->reply.token.state, TOKEN_EXPIRED);
    assert_int_equal(domain->reply.token.end, TOKEN_END_LEFT);
    uint32_t records = domain->record_count;
    assert_int_equal(domain_leave(domain, &waiting), ERROR_NONE); /* twice: same answer */
    assert_int_equal(domain->reply.token.end, TOKEN_END_LEFT);
    assert_int_equal(domain->record_count, records);
    assert_int_equal(domain_leave(domain, &active), ERROR_NONE);
    assert_int_equal(domain_state(domain, reservation), RESERVATION_EXPIRED);
    assert_int_equal(domain_holder(domain, date, 1), 0);
    assert_int_equal(token_state(domain, &last), TOKEN_ACTIVE);
}

/* The room frees the memory of 4096 places when all of them have ended: leaving as the last of
 * them must still be answered. */
static void Q11_leaving_as_last_of_a_chunk(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_capacity = 1;
    policy.active_ttl_ms = POLICY_YEAR_MS;
    uint32_t date = domain_date(domain, &policy, 1, 10);
    struct token first = entered(domain, date, 1);
    for (uint32_t user = 2; user <= 5000; user++) (void)entered(domain, date, user);
    domain_advance(domain, 2 * policy.waiting_timeout_ms); /* everybody else goes silent */
    assert_int_equal(domain_date_of(domain, date)->room.waiting, 0);
    assert_int_equal(token_state(domain, &first), TOKEN_ACTIVE);
    assert_int_equal(domain_leave(domain, &first), ERROR_NONE);
    assert_int_equal(domain->reply.token.state, TOKEN_EXPIRED);
    assert_int_equal(domain->reply.token.end, TOKEN_END_LEFT);
    assert_memory_equal(&domain->reply.token.token, &first, sizeof first);
    assert_int_equal(domain_status(domain, &first), ERROR_TOKEN_EXPIRED);
}

static void Q12_queue_full_is_an_answer(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_capacity = 0;
    uint32_t date = domain_date(domain, &policy, 1, 10);
    struct token token;
    struct date *mutable_date = (struct date *)world_find(domain->world, partition_of_date(date));
    uint32_t waiting = mutable_date->room.waiting;
    mutable_date->room.waiting = WAITERS_PER_DATE_MAX; /* pretend; 16 million take a while */
    domain->manual = true;
    struct command enter = {.kind = COMMAND_QUEUE_ENTER,
                            .partition = partition_of_date(date),
                            .enter = {.user = domain_user(1), .secret = domain_key(1)}};
    partition_decide(&mutable_date->partition, &enter, domain->now_ms, &domain->verdict);
    assert_int_equal(domain->verdict.error, ERROR_QUEUE_FULL);
    assert_int_equal(domain->verdict.data[0], WAITERS_PER_DATE_MAX);
    mutable_date->room.waiting = waiting;
    assert_int_equal(domain_enter(domain, date, 1, &token), ERROR_NONE);
}

static void Q13_sales_open_at(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.sales_open_at = DOMAIN_EPOCH_MS + 60000;
    uint32_t date = domain_date(domain, &policy, 1, 10);
    struct token token;
    assert_int_equal(domain_enter(domain, date, 1, &token), ERROR_NOT_ON_SALE_YET);
    assert_refused(domain, ERROR_NOT_ON_SALE_YET, policy.sales_open_at, 0, 0);
    domain_advance(domain, 59999);
    assert_int_equal(domain_enter(domain, date, 1, &token), ERROR_NOT_ON_SALE_YET);
    domain_advance(domain, 1);
    assert_int_equal(domain_enter(domain, date, 1, &token), ERROR_NONE);
    assert_int_equal(token_state(domain, &token), TOKEN_ACTIVE);
}

static void Q13_sales_open_at_moved(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_capacity = 1;
    uint32_t date = domain_date(domain, &policy, 1, 10);
    struct token active = entered(domain, date, 1), waits = entered(domain, date, 2), other;
    uint64_t opens_at = domain->now_ms + 5000;
    assert_int_equal(domain_policy(domain, date, POLICY_INDEX_sales_open_at, opens_at), 0);
    assert_int_equal(domain_enter(domain, date, 3, &other), ERROR_NOT_ON_SALE_YET);
    assert_int_equal(domain_leave(domain, &active), ERROR_NONE);
    assert_int_equal(token_state(domain, &waits), TOKEN_WAITING); /* kept, not admitted */
    domain_advance(domain, 4999);
    assert_int_equal(token_state(domain, &waits), TOKEN_WAITING);
    domain_advance(domain, 1);
    assert_int_equal(token_state(domain, &waits), TOKEN_ACTIVE);
}

/* Sales are moved to a moment at which the interval's admissions are used up: the later of the two
 * counts, and nothing is due in between (domain_due fails if something claims to be). */
static void Q13_sales_open_within_an_interval(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_capacity = 100;
    policy.admit_per_interval = 1;
    policy.admit_interval_ms = 10000;
    uint32_t date = domain_date(domain, &policy, 1, 10);
    (void)entered(domain, date, 1);
    struct token waits = entered(domain, date, 2);
    uint64_t opens_at = domain->now_ms + 5000;
    assert_int_equal(domain_policy(domain, date, POLICY_INDEX_sales_open_at, opens_at), 0);
    assert_int_equal(
        partition_next_due_ms(&domain_date_of(domain, date)->partition) > domain->now_ms, true);
    domain_advance(domain, 9999);
    assert_int_equal(token_state(domain, &waits), TOKEN_WAITING);
    domain_advance(domain, 1);
    assert_int_equal(token_state(domain, &waits), TOKEN_ACTIVE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(Q1_entering_issues_a_token),
        T(Q2_first_come_first_served),
        T(Q3_token_states_and_guard),
        T(Q4_reentry_keep),
        T(Q4_reentry_keep_after_time_without_timer),
        T(Q4_reentry_requeue),
        T(Q4_reentry_changed_live),
        T(Q5_poll_answers_place_and_time),
        T(Q5_poll_is_not_a_decision),
        T(Q6_silent_waiters_are_dropped),
        T(Q6_entering_again_is_a_sign_of_life),
        T(Q6_silent_is_not_admitted),
        T(Q6_recovery_counts_as_a_sign_of_life),
        T(Q6_timeout_changed_live),
        T(Q7_active_capacity),
        T(Q8_active_time_ends),
        T(Q8_active_ttl_changed_live),
        T(Q9_admission_by_interval),
        T(Q9_interval_zero_is_at_once),
        T(Q10_token_expires_on_payment),
        T(Q10_token_expires_on_reservation),
        T(Q10_reservation_hold_still_ends),
        T(Q10_changed_live),
        T(Q11_leaving),
        T(Q11_leaving_as_last_of_a_chunk),
        T(Q12_queue_full_is_an_answer),
        T(Q13_sales_open_at),
        T(Q13_sales_open_at_moved),
        T(Q13_sales_open_within_an_interval),
    };
    return cmocka_run_group_tests_name("rules_queue", tests, NULL, NULL);
}
