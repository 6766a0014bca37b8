/* test_rules_outage.c - X7: time in which the engine could not serve costs nobody anything */
#include "tests/unit/engine/domain/domain_test.h"

#define OUTAGE_MS 90000u

static uint64_t expires_at(struct domain *domain, const struct token *token) {
    assert_int_equal(domain_status(domain, token), ERROR_NONE);
    return domain->reply.token.expires_at;
}

static uint32_t default_date(struct domain *domain, uint32_t seats) {
    struct policy policy = default_policy();
    return domain_date(domain, &policy, seats, 10);
}

/* Replay, and an image, lead to the same state; the hash is kept up. */
static void check(struct domain *domain) {
    domain_check(domain, !domain->manual);
    if (!domain->manual) domain_crash(domain);
}

static void X7_silence_does_not_grow(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_capacity = 0;
    policy.waiting_timeout_ms = 60000;
    uint32_t date = domain_date(domain, &policy, 1, 10);
    struct token polls = entered(domain, date, 1), silent = entered(domain, date, 2);
    domain_advance(domain, 59000);
    assert_int_equal(token_state(domain, &polls), TOKEN_WAITING); /* a sign of life */
    uint32_t records = domain->record_count;
    domain_outage(domain, OUTAGE_STALLED, OUTAGE_MS);
    domain_outage(domain, OUTAGE_LOG, OUTAGE_MS);
    assert_int_equal(domain->record_count, records); /* nothing runs: nothing is written */
    assert_int_equal(expires_at(domain, &polls), domain->now_ms + 60000);
    domain_advance(domain, 999);
    assert_int_equal(domain_date_of(domain, date)->room.waiting, 2);
    domain_advance(domain, 1 + 60000 / 256 + 1);
    assert_int_equal(token_state(domain, &silent), TOKEN_EXPIRED); /* its 60 s are over */
    assert_int_equal(domain->reply.token.end, TOKEN_END_SILENT);
    assert_int_equal(token_state(domain, &polls), TOKEN_WAITING);
    domain_advance(domain, 60000 - 1);
    assert_int_equal(domain_date_of(domain, date)->room.waiting, 1);
    domain_advance(domain, 60000 / 256 + 2);
    assert_int_equal(domain_date_of(domain, date)->room.waiting, 0);
    check(domain);
}

/* Whoever enters, waits under another timeout, or would be admitted, after an outage. */
static void X7_served_time_goes_on(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_capacity = 1;
    policy.waiting_timeout_ms = 10000;
    uint32_t date = domain_date(domain, &policy, 1, 10);
    struct token active = entered(domain, date, 1), before = entered(domain, date, 2);
    domain_outage(domain, OUTAGE_STALLED, OUTAGE_MS);
    struct token after = entered(domain, date, 3);
    assert_int_equal(expires_at(domain, &after), domain->now_ms + 10000);
    assert_int_equal(domain_policy(domain, date, POLICY_INDEX_waiting_timeout_ms, 20000),
                     ERROR_NONE);
    domain_advance(domain, 19999);
    assert_int_equal(domain_date_of(domain, date)->room.waiting, 2);
    domain_advance(domain, 1); /* silent, though the hand of the wheel has not come by */
    assert_int_equal(domain_leave(domain, &active), ERROR_NONE);
    assert_int_equal(domain_date_of(domain, date)->room.waiting, 0);
    assert_int_equal(domain_date_of(domain, date)->room.active, 0);
    assert_int_equal(token_state(domain, &before), TOKEN_EXPIRED);
    check(domain);
}

static void X7_turns_and_holds_are_extended(void **state) {
    static const enum outage_cause causes[] = {OUTAGE_DOWN, OUTAGE_STALLED, OUTAGE_LOG};
    for (uint32_t i = 0; i < 3; i++) {
        struct domain *domain = *state;
        struct policy policy = default_policy();
        policy.hold_ttl_ms = 50000;
        policy.active_ttl_ms = 60000;
        uint32_t date = domain_date(domain, &policy, 4, 10);
        struct token first = entered(domain, date, 1), second = entered(domain, date, 2);
        uint64_t held_first = held(domain, &first, SEATS(1)), turn = expires_at(domain, &first);
        domain_advance(domain, 20000);
        uint64_t held_second = held(domain, &second, SEATS(2, 3));
        uint64_t hold = domain_reservation(domain, held_first)->expires_at;
        uint64_t since = domain->now_ms;
        domain_outage(domain, causes[i], OUTAGE_MS);
        struct decision credited = domain_record(domain, domain->record_count - 1);
        assert_int_equal(credited.kind, DECISION_OUTAGE_CREDITED);
        assert_int_equal(credited.outage_credited.cause, causes[i]);
        assert_int_equal(credited.outage_credited.since, since);
        assert_int_equal(credited.outage_credited.credit_ms, OUTAGE_MS);
        assert_int_equal(credited.time_ms, domain->now_ms);
        assert_int_equal(expires_at(domain, &first), turn + OUTAGE_MS);
        assert_int_equal(domain_reservation(domain, held_first)->expires_at, hold + OUTAGE_MS);
        check(domain);
        /* What is held from now on goes by its own time, in order with the rest. */
        assert_int_equal(domain_policy(domain, date, POLICY_INDEX_hold_ttl_ms, 10000), ERROR_NONE);
        uint64_t short_hold = held(domain, &first, SEATS(4));
        domain_advance(domain, 9999);
        assert_int_equal(domain_state(domain, short_hold), RESERVATION_HELD);
        domain_advance(domain, 1);
        assert_int_equal(domain_state(domain, short_hold), RESERVATION_EXPIRED);
        domain_advance(domain, 19999); /* exactly the time that was left */
        assert_int_equal(domain_state(domain, held_first), RESERVATION_HELD);
        domain_advance(domain, 1);
        assert_int_equal(domain_state(domain, held_first), RESERVATION_EXPIRED);
        assert_int_equal(token_state(domain, &first), TOKEN_ACTIVE);
        domain_advance(domain, 10000);
        assert_int_equal(token_state(domain, &first), TOKEN_EXPIRED);
        assert_int_equal(domain_state(domain, held_second), RESERVATION_EXPIRED);
        check(domain);
    }
}

static void X7_what_was_over_stays_over(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_ttl_ms = 10000;
    uint32_t date = domain_date(domain, &policy, 1, 10);
    struct token token = entered(domain, date, 1);
    (void)held(domain, &token, SEATS(1));
    domain_jump(domain, 10000); /* its time is over, and nobody has looked */
    domain_outage(domain, OUTAGE_STALLED, OUTAGE_MS);
    assert_int_equal(token_state(domain, &token), TOKEN_EXPIRED);
    assert_int_equal(domain_holder(domain, date, 1), 0);
    check(domain);
}

/* P5, X7: refused for lack of points after an outage: the hold goes on with what is left of it. */
static void X7_a_payment_under_way_keeps_its_hold(void **state) {
    struct domain *domain = *state;
    uint32_t date = default_date(domain, 1);
    struct token token = entered(domain, date, 1);
    uint64_t reservation = held(domain, &token, SEATS(1));
    uint64_t hold = domain_reservation(domain, reservation)->expires_at;
    domain->manual = true;
    assert_int_equal(domain_pay(domain, &token, reservation, 1), DOMAIN_UNANSWERED);
    assert_int_equal(domain_state(domain, reservation), RESERVATION_PAYING);
    domain_outage(domain, OUTAGE_LOG, OUTAGE_MS);
    assert_int_equal(domain_reservation(domain, reservation)->expires_at, hold + OUTAGE_MS);
    check(domain);
    domain->manual = false;
    domain_settle(domain);
    assert_int_equal(domain_state(domain, reservation), RESERVATION_HELD);
    assert_int_equal(domain_reservation(domain, reservation)->expires_at, hold + OUTAGE_MS);
    assert_int_equal(reservations_due(&domain_date_of(domain, date)->reservations)->expires_at,
                     hold + OUTAGE_MS);
    check(domain);
}

/* What was paid, and what has ended, has no deadline. */
static void X7_nothing_else_moves(void **state) {
    struct domain *domain = *state;
    uint32_t date = default_date(domain, 4);
    assert_int_equal(domain_charge(domain, 1, 100, 1), ERROR_NONE);
    struct token token = entered(domain, date, 1), other = entered(domain, date, 2);
    uint64_t paid = held(domain, &token, SEATS(1)), released = held(domain, &other, SEATS(2));
    assert_int_equal(domain_pay(domain, &token, paid, 2), ERROR_NONE);
    assert_int_equal(domain_release(domain, &other, released), ERROR_NONE);
    uint64_t paid_until = domain_reservation(domain, paid)->expires_at;
    uint64_t released_until = domain_reservation(domain, released)->expires_at;
    domain_outage(domain, OUTAGE_DOWN, OUTAGE_MS);
    assert_int_equal(domain_reservation(domain, paid)->expires_at, paid_until);
    assert_int_equal(domain_reservation(domain, released)->expires_at, released_until);
    assert_int_equal(domain_count(domain, DECISION_OUTAGE_CREDITED), 1); /* the other's turn */
    check(domain);
}

/* Policy 0: turns and holds end when they would have; silence is nobody's fault all the same. */
static void X7_policy_outage_credit(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.outage_credit = 0;
    policy.active_capacity = 1;
    policy.waiting_timeout_ms = 60000;
    policy.active_ttl_ms = OUTAGE_MS;
    uint32_t date = domain_date(domain, &policy, 1, 10);
    struct token active = entered(domain, date, 1), waits = entered(domain, date, 2);
    (void)held(domain, &active, SEATS(1));
    domain_outage(domain, OUTAGE_STALLED, OUTAGE_MS);
    assert_int_equal(domain_count(domain, DECISION_OUTAGE_CREDITED), 0);
    assert_int_equal(token_state(domain, &active), TOKEN_EXPIRED);
    assert_int_equal(token_state(domain, &waits), TOKEN_ACTIVE);
    assert_int_equal(domain_holder(domain, date, 1), 0);
    check(domain);
}

static void X7_idle_dates_write_nothing(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_capacity = 0;
    uint32_t idle = default_date(domain, 1);
    uint32_t waits = domain_date(domain, &policy, 1, 10);
    (void)entered(domain, waits, 1);
    struct token left = entered(domain, idle, 1);
    assert_int_equal(domain_leave(domain, &left), ERROR_NONE);
    uint32_t records = domain->record_count;
    domain_outage(domain, OUTAGE_DOWN, OUTAGE_MS);
    assert_int_equal(domain->record_count, records);
}

/* No credit reaches behind what the date has decided, but for the time that may stand still. */
static void X7_credit_is_bounded_by_what_was_decided(void **state) {
    static const struct {
        uint64_t decided_ms, since_ms, now_ms, credit_ms; /* after the same moment */
    } cases[] = {
        {0, 0, 90000, 90000},      {1000, 2000, 90000, 88000}, {1000, 1000, 90000, 89000},
        {1000, 800, 90000, 89200}, {1000, 750, 90000, 89250},  {1000, 749, 90000, 89250},
        {1000, 0, 90000, 89250},   {0, 5000, 5000, 0},         {0, 5001, 5000, 0},
        {0, 4999, 5000, 1},
    };
    struct domain *domain = *state;
    uint32_t date = default_date(domain, 1);
    (void)entered(domain, date, 1);
    struct partition *partition = world_find(domain->world, partition_of_date(date));
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        partition->last_time_ms = DOMAIN_EPOCH_MS + cases[i].decided_ms;
        bool any = partition_outage(partition, OUTAGE_DOWN, DOMAIN_EPOCH_MS + cases[i].since_ms,
                                    DOMAIN_EPOCH_MS + cases[i].now_ms, &domain->verdict);
        assert_int_equal(any, cases[i].credit_ms > 0);
        assert_int_equal(domain->verdict.count, any);
        if (!any) continue;
        assert_int_equal(domain->verdict.decisions[0].outage_credited.credit_ms,
                         cases[i].credit_ms);
    }
    assert_false(partition_outage(domain->world->catalogue, OUTAGE_DOWN, 0, domain->now_ms,
                                  &domain->verdict));
    assert_false(partition_outage(domain->world->accounts[0], OUTAGE_DOWN, 0, domain->now_ms,
                                  &domain->verdict));
}

/* apply cannot fail: whatever a record says, deadlines stop at the latest moment there is, and
 * those that have become equal come out by number. */
static void X7_the_latest_moment_is_the_last(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_capacity = 20;
    uint32_t date = domain_date(domain, &policy, 40, 10);
    struct token tokens[20];
    for (uint32_t user = 1; user <= 20; user++) { /* who comes later has less time */
        uint64_t ttl_ms = 100000 - user * 1000;
        assert_int_equal(domain_policy(domain, date, POLICY_INDEX_active_ttl_ms, ttl_ms),
                         ERROR_NONE);
        tokens[user - 1] = entered(domain, date, user);
        (void)held(domain, &tokens[user - 1], SEATS(user));
    }
    struct partition *partition = world_find(domain->world, partition_of_date(date));
    const uint64_t first = domain_date_of(domain, date)->room.deadlines.entries[0].due_ms;
    struct decision decision = {
        .kind = DECISION_OUTAGE_CREDITED,
        .partition = partition->id,
        .time_ms = domain->now_ms,
        .outage_credited = {.cause = OUTAGE_DOWN, .credit_ms = TIME_MS_MAX - first - 30}};
    partition_apply(partition, &decision); /* most of them reach the end */
    assert_true(partition_hash(partition) == partition_hash_recount(partition));
    decision.outage_credited.credit_ms = UINT64_MAX;
    partition_apply(partition, &decision);
    assert_true(partition_hash(partition) == partition_hash_recount(partition));
    const struct date *of = domain_date_of(domain, date);
    assert_int_equal(room_find(&of->room, 1)->expires_at, TIME_MS_MAX);
    domain->now_ms = TIME_MS_MAX;
    for (uint32_t place = 1; place <= 20; place++) {
        assert_int_equal(room_due(&of->room)->item, place);
        assert_int_equal(reservations_due(&of->reservations)->sequence, place);
        assert_true(partition_due(partition, domain->now_ms, &domain->verdict));
        partition_apply(partition, &domain->verdict.decisions[0]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(X7_silence_does_not_grow),
        T(X7_served_time_goes_on),
        T(X7_turns_and_holds_are_extended),
        T(X7_what_was_over_stays_over),
        T(X7_a_payment_under_way_keeps_its_hold),
        T(X7_nothing_else_moves),
        T(X7_policy_outage_credit),
        T(X7_idle_dates_write_nothing),
        T(X7_credit_is_bounded_by_what_was_decided),
        T(X7_the_latest_moment_is_the_last),
    };
    return cmocka_run_group_tests_name("rules_outage", tests, NULL, NULL);
}
