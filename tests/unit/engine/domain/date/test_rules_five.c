/* test_rules_five.c - where the five systems differ in detail, and the organiser's small rules
 * (requirements O2, O3; Q1, Q9, Q10, P1 as S1, S2 and S3 have them) */
#include "tests/unit/engine/domain/domain_test.h"

static uint16_t pay_as_user(struct domain *domain, uint32_t date, uint32_t user,
                            uint64_t reservation, uint32_t key) {
    struct command command = {.kind = COMMAND_PAYMENT_PAY, .partition = partition_of_date(date)};
    command.pay.user = domain_user(user);
    command.pay.reservation = reservation;
    command.pay.key = domain_key(key);
    return domain_do(domain, command);
}

static void Q1_a_token_says_whose_it_is(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_capacity = 1;
    uint32_t date = domain_date(domain, &policy, 1, 10);
    struct id128 first = domain_user(1), second = domain_user(2);
    struct token active = entered(domain, date, 1);
    assert_true(id128_equal(&domain->reply.token.user, &first));
    struct token waiting = entered(domain, date, 2);
    assert_true(id128_equal(&domain->reply.token.user, &second));
    assert_int_equal(domain_status(domain, &active), ERROR_NONE);
    assert_true(id128_equal(&domain->reply.token.user, &first));
    assert_int_equal(domain_leave(domain, &waiting), ERROR_NONE);
    assert_true(id128_equal(&domain->reply.token.user, &second));
}

/* --- Q9, S2: who finds a free slot and an empty line goes in at once -------------------------- */

static struct policy paced(void) {
    struct policy policy = default_policy();
    policy.active_capacity = 3;
    policy.admit_per_interval = 1;
    policy.admit_interval_ms = 1000;
    policy.admit_first_at_once = 1;
    return policy;
}

static void Q9_first_at_once(void **state) {
    struct domain *domain = *state;
    struct policy policy = paced();
    uint32_t date = domain_date(domain, &policy, 1, 10);
    const struct waiting_room *room = &domain_date_of(domain, date)->room;
    struct token tokens[6];
    for (uint32_t user = 1; user <= 5; user++) tokens[user] = entered(domain, date, user);
    assert_int_equal(room->active, 3);            /* the slots there were */
    assert_int_equal(room->interval_admitted, 0); /* and none of them counts */
    assert_int_equal(token_state(domain, &tokens[4]), TOKEN_WAITING);
    assert_int_equal(domain_leave(domain, &tokens[1]), ERROR_NONE);
    assert_int_equal(domain_leave(domain, &tokens[2]), ERROR_NONE);
    assert_int_equal(token_state(domain, &tokens[4]), TOKEN_ACTIVE);  /* the interval's one */
    assert_int_equal(token_state(domain, &tokens[5]), TOKEN_WAITING); /* is paced */
    struct token last = entered(domain, date, 6);                     /* a free slot, but a line */
    assert_int_equal(token_state(domain, &last), TOKEN_WAITING);
    domain_crash(domain);
    domain_advance(domain, 999);
    assert_int_equal(token_state(domain, &tokens[5]), TOKEN_WAITING);
    domain_advance(domain, 1);
    assert_int_equal(token_state(domain, &tokens[5]), TOKEN_ACTIVE);
    assert_int_equal(token_state(domain, &last), TOKEN_WAITING);
    domain_check(domain, true);
}

/* An own token that ends with the entry is no line, and frees its slot. */
static void Q9_first_at_once_again(void **state) {
    struct domain *domain = *state;
    struct policy policy = paced();
    policy.active_capacity = 1;
    policy.reentry = REENTRY_REQUEUE;
    uint32_t date = domain_date(domain, &policy, 1, 10);
    struct token first = entered(domain, date, 1), again = entered(domain, date, 1);
    assert_int_not_equal(first.place, again.place);
    assert_int_equal(token_state(domain, &again), TOKEN_ACTIVE);
    struct token waits = entered(domain, date, 2), later = entered(domain, date, 2);
    assert_int_equal(token_state(domain, &waits), TOKEN_EXPIRED);
    assert_int_equal(token_state(domain, &later), TOKEN_WAITING);
}

static void Q9_without_the_policy_all_are_paced(void **state) {
    struct domain *domain = *state;
    struct policy policy = paced();
    policy.admit_first_at_once = 0;
    uint32_t date = domain_date(domain, &policy, 1, 10);
    (void)entered(domain, date, 1);
    struct token second = entered(domain, date, 2);
    assert_int_equal(token_state(domain, &second), TOKEN_WAITING);
}

/* --- Q10, P3: the token that pays ends -------------------------------------------------------- */

static void Q10_the_token_that_pays_ends(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_capacity = 1;
    uint32_t date = domain_date(domain, &policy, 3, 10);
    (void)domain_charge(domain, 1, 100, 1);
    struct token first = entered(domain, date, 1);
    uint64_t one = held(domain, &first, SEATS(1)), two = held(domain, &first, SEATS(2));
    assert_int_equal(domain_pay(domain, &first, one, 2), ERROR_NONE);
    assert_int_equal(token_state(domain, &first), TOKEN_EXPIRED);
    struct token second = entered(domain, date, 1);
    struct token next = entered(domain, date, 2);
    uint64_t three = held(domain, &second, SEATS(3));
    assert_int_equal(domain_pay(domain, &second, two, 3), ERROR_NONE);
    assert_int_equal(token_state(domain, &second), TOKEN_EXPIRED);
    assert_int_equal(domain->reply.token.end, TOKEN_END_PAID);
    assert_int_equal(token_state(domain, &next), TOKEN_ACTIVE); /* its slot is free at once */
    /* What else was held with it stays payable, by whom it is, without a token. */
    domain_crash(domain);
    assert_int_equal(pay_as_user(domain, date, 1, three, 4), ERROR_NONE);
    domain_check(domain, true);
}

/* The token that pays ends by itself while the account is asked, an outage comes, the engine starts
 * again: paid all the same, and the one that the user has by then stays. */
static void Q10_the_token_that_pays_ends_meanwhile(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    uint32_t date = domain_date(domain, &policy, 3, 10);
    (void)domain_charge(domain, 1, 100, 1);
    struct token first = entered(domain, date, 1);
    uint64_t one = held(domain, &first, SEATS(1)), two = held(domain, &first, SEATS(2));
    assert_int_equal(domain_pay(domain, &first, one, 2), ERROR_NONE);
    struct token second = entered(domain, date, 1);
    domain->manual = true;
    assert_int_equal(domain_pay(domain, &second, two, 3), DOMAIN_UNANSWERED);
    domain_outage(domain, OUTAGE_LOG, policy.active_ttl_ms);
    assert_int_equal(domain_leave(domain, &second), ERROR_NONE);
    struct token third = entered(domain, date, 1);
    domain_crash(domain);
    domain->manual = false;
    domain_outage(domain, OUTAGE_DOWN, policy.active_ttl_ms);
    domain_settle(domain);
    assert_int_equal(domain_state(domain, two), RESERVATION_PAID);
    assert_int_equal(token_state(domain, &second), TOKEN_EXPIRED);
    assert_int_equal(domain->reply.token.end, TOKEN_END_LEFT);
    assert_int_equal(token_state(domain, &third), TOKEN_ACTIVE);
    domain_check(domain, true);
    domain_crash(domain);
}

/* A payment with the old token leaves the new one its place in the line. */
static void Q10_another_place_in_the_line_stays(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_capacity = 1;
    uint32_t date = domain_date(domain, &policy, 3, 10);
    (void)domain_charge(domain, 1, 100, 1);
    struct token first = entered(domain, date, 1), other = entered(domain, date, 2);
    uint64_t one = held(domain, &first, SEATS(1)), two = held(domain, &first, SEATS(2));
    assert_int_equal(domain_pay(domain, &first, one, 2), ERROR_NONE);
    struct token second = entered(domain, date, 1);
    assert_int_equal(token_state(domain, &other), TOKEN_ACTIVE);
    assert_int_equal(token_state(domain, &second), TOKEN_WAITING);
    assert_int_equal(domain_pay(domain, &first, two, 3), ERROR_NONE);
    assert_int_equal(token_state(domain, &second), TOKEN_WAITING);
}

/* --- P1, S3: user and reservation are enough where the token has ended with the hold ---------- */

static void P1_user_pays_where_the_token_has_ended(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.token_expires_on = TOKEN_EXPIRES_ON_RESERVATION;
    uint32_t date = domain_date(domain, &policy, 3, 10);
    struct token token = entered(domain, date, 1);
    uint64_t reservation = held(domain, &token, SEATS(1));
    assert_int_equal(pay_as_user(domain, date, 2, reservation, 2), ERROR_NO_SUCH_RESERVATION);
    assert_int_equal(pay_as_user(domain, date, 1, reservation + 1, 2), ERROR_NO_SUCH_RESERVATION);
    assert_int_equal(pay_as_user(domain, date, 1, reservation, 2), ERROR_INSUFFICIENT_FUNDS);
    (void)domain_charge(domain, 1, 100, 1);
    assert_int_equal(pay_as_user(domain, date, 1, reservation, 2), ERROR_NONE);
    assert_int_equal(pay_as_user(domain, date, 1, reservation, 2), ERROR_NONE); /* P4 */
    assert_int_equal(pay_as_user(domain, date, 1, reservation, 3), ERROR_ALREADY_PAID);
    assert_int_equal(domain_balance(domain, 1), 90);
}

static void P1_user_alone_is_not_enough_for_a_live_token(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    uint32_t date = domain_date(domain, &policy, 3, 10);
    struct token token = entered(domain, date, 1);
    (void)domain_charge(domain, 1, 100, 1);
    uint64_t reservation = held(domain, &token, SEATS(1));
    assert_int_equal(pay_as_user(domain, date, 1, reservation, 2), ERROR_TOKEN_REQUIRED);
    assert_int_equal(domain_state(domain, reservation), RESERVATION_HELD);
    domain_advance(domain, policy.hold_ttl_ms);
    assert_int_equal(pay_as_user(domain, date, 1, reservation, 2), ERROR_RESERVATION_ENDED);
}

/* --- O2: a draft is known to admins only ------------------------------------------------------ */

static uint16_t enter(struct domain *domain, uint32_t date, bool is_admin) {
    struct command command = {
        .kind = COMMAND_QUEUE_ENTER, .is_admin = is_admin, .partition = partition_of_date(date)};
    command.enter.user = domain_user(1);
    command.enter.secret = (struct id128){{7}};
    return domain_do(domain, command);
}

static void O2_drafts_are_unknown_to_the_public(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    (void)domain_date(domain, &policy, 1, 10); /* makes concert 1 */
    struct command create = {
        .kind = COMMAND_DATE_CREATE,
        .date = {
            .concert = 1, .title = {"d", 1}, .starts_at = 1, .policy = &policy, .seed = {{1}}}};
    assert_int_equal(domain_do(domain, create), ERROR_NONE);
    uint32_t draft = domain->reply.created.date;
    assert_int_equal(enter(domain, draft, false), ERROR_NO_SUCH_DATE);
    assert_refused(domain, ERROR_NO_SUCH_DATE, draft, 0, 0);
    assert_int_equal(enter(domain, draft, true), ERROR_DATE_CLOSED);
    struct command lists[] = {{.kind = COMMAND_CATALOGUE_CONCERTS},
                              {.kind = COMMAND_CATALOGUE_DATES, .dates = {.concert = 1}}};
    for (uint32_t i = 0; i < 4; i++) { /* net leaves them out unless it is told not to */
        struct command list = lists[i / 2];
        list.is_admin = i % 2;
        assert_int_equal(domain_do(domain, list), ERROR_NONE);
        bool drafts = i < 2 ? domain->reply.concerts.drafts : domain->reply.dates.drafts;
        assert_int_equal(drafts, list.is_admin);
    }
}

/* --- O3: ends of sales and of refunds --------------------------------------------------------- */

#define ENDS_MS 10000u

static void O3_nobody_enters_holds_or_pays_after_the_end(void **state) {
    for (uint32_t late_ms = 0; late_ms < 2; late_ms++) {
        struct domain *domain = domain_new();
        struct policy policy = default_policy();
        policy.active_capacity = 1;
        policy.sales_end_at = domain->now_ms + ENDS_MS;
        uint32_t date = domain_date(domain, &policy, 4, 10);
        (void)domain_charge(domain, 1, 100, 1);
        struct token token = entered(domain, date, 1), waits = entered(domain, date, 2);
        uint64_t reservation = held(domain, &token, SEATS(1));
        domain_advance(domain, policy.sales_end_at - 1 + late_ms - domain->now_ms);
        uint16_t expected = late_ms ? ERROR_SALES_ENDED : ERROR_NONE;
        struct token another;
        assert_int_equal(domain_enter(domain, date, 3, &another), expected);
        if (late_ms) assert_refused(domain, ERROR_SALES_ENDED, policy.sales_end_at, 0, 0);
        assert_int_equal(domain_status(domain, &waits), expected);
        assert_int_equal(domain_status(domain, &token), ERROR_NONE);
        assert_int_equal(domain_hold(domain, &token, SEATS(2), NULL), expected);
        uint32_t refused = domain_count(domain, DECISION_HOLD_REFUSED);
        assert_int_equal(refused, late_ms); /* analysts see the demand */
        assert_int_equal(domain_pay(domain, &token, reservation, 2), expected);
        assert_int_equal(domain_leave(domain, &waits), ERROR_NONE);
        domain_check(domain, true);
        domain_free(domain);
    }
    (void)state;
}

static void O3_nobody_is_admitted_after_the_end(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_capacity = 1;
    policy.sales_end_at = domain->now_ms + ENDS_MS;
    policy.active_ttl_ms = ENDS_MS + 5000;
    uint32_t date = domain_date(domain, &policy, 1, 10);
    struct token active = entered(domain, date, 1), waits = entered(domain, date, 2);
    domain_advance(domain, ENDS_MS + 5000);
    assert_int_equal(token_state(domain, &active), TOKEN_EXPIRED);
    assert_int_equal(domain_count(domain, DECISION_ADMITTED), 1);
    /* Nothing is due for it any more, so a shard may sleep. */
    const struct partition *partition = &domain_date_of(domain, date)->partition;
    assert_true(partition_next_due_ms(partition) > domain->now_ms);
    /* A later end takes the line up where it stood. */
    assert_int_equal(domain_status(domain, &waits), ERROR_SALES_ENDED);
    struct token again;
    assert_int_equal(domain_enter(domain, date, 2, &again), ERROR_SALES_ENDED); /* Q4: no better */
    assert_refused(domain, ERROR_SALES_ENDED, policy.sales_end_at, 0, 0);
    assert_int_equal(domain_policy(domain, date, POLICY_INDEX_sales_end_at, 0), 0);
    domain_due(domain);
    assert_int_equal(token_state(domain, &waits), TOKEN_ACTIVE);
}

/* The end comes while a slot is free and the one who was to be admitted has not been looked at. */
static void O3_an_overslept_end_leaves_nothing_due(void **state) {
    struct domain *domain = *state;
    struct policy policy = paced();
    policy.admit_first_at_once = 0;
    policy.sales_end_at = domain->now_ms + 1500;
    uint32_t date = domain_date(domain, &policy, 1, 10);
    (void)entered(domain, date, 1);
    (void)entered(domain, date, 2);
    domain_jump(domain, 2000);
    domain_due(domain);
    const struct partition *partition = &domain_date_of(domain, date)->partition;
    assert_true(partition_next_due_ms(partition) > domain->now_ms);
    assert_int_equal(domain_count(domain, DECISION_ADMITTED), 1);
}

static void O3_a_payment_under_way_finishes(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.sales_end_at = domain->now_ms + ENDS_MS;
    uint32_t date = domain_date(domain, &policy, 2, 10);
    (void)domain_charge(domain, 1, 100, 1);
    struct token token = entered(domain, date, 1);
    uint64_t reservation = held(domain, &token, SEATS(1));
    domain_advance(domain, policy.sales_end_at - 1 - domain->now_ms);
    domain->manual = true;
    assert_int_equal(domain_pay(domain, &token, reservation, 2), DOMAIN_UNANSWERED);
    domain_jump(domain, 10);
    domain_settle(domain);
    assert_int_equal(domain_state(domain, reservation), RESERVATION_PAID);
}

static void O3_refunds_end(void **state) {
    for (uint32_t late_ms = 0; late_ms < 2; late_ms++) {
        struct domain *domain = domain_new();
        struct policy policy = default_policy();
        policy.refund_until = domain->now_ms + ENDS_MS;
        uint32_t date = domain_date(domain, &policy, 2, 10);
        (void)domain_charge(domain, 1, 100, 1);
        struct token token = entered(domain, date, 1);
        uint64_t paid = held(domain, &token, SEATS(1)), unpaid = held(domain, &token, SEATS(2));
        assert_int_equal(domain_pay(domain, &token, paid, 2), ERROR_NONE);
        domain_advance(domain, policy.refund_until - 1 + late_ms - domain->now_ms);
        assert_int_equal(domain_cancel(domain, 1, unpaid, 3),
                         ERROR_NONE); /* costs nobody anything */
        uint16_t said = domain_cancel(domain, 1, paid, 4);
        assert_int_equal(said, late_ms ? ERROR_REFUNDS_ENDED : ERROR_NONE);
        if (late_ms) assert_refused(domain, ERROR_REFUNDS_ENDED, paid, policy.refund_until, 0);
        assert_int_equal(domain_balance(domain, 1), late_ms ? 90 : 100);
        /* A cancelled date refunds everybody, whenever. */
        assert_int_equal(domain_switch(domain, date, COMMAND_DATE_CANCEL), ERROR_NONE);
        domain_settle(domain);
        assert_int_equal(domain_balance(domain, 1), 100);
        domain_check(domain, true);
        domain_free(domain);
    }
    (void)state;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(Q1_a_token_says_whose_it_is),
        T(Q9_first_at_once),
        T(Q9_first_at_once_again),
        T(Q9_without_the_policy_all_are_paced),
        T(Q10_the_token_that_pays_ends),
        T(Q10_the_token_that_pays_ends_meanwhile),
        T(Q10_another_place_in_the_line_stays),
        T(P1_user_pays_where_the_token_has_ended),
        T(P1_user_alone_is_not_enough_for_a_live_token),
        T(O2_drafts_are_unknown_to_the_public),
        T(O3_nobody_enters_holds_or_pays_after_the_end),
        T(O3_nobody_is_admitted_after_the_end),
        T(O3_an_overslept_end_leaves_nothing_due),
        T(O3_a_payment_under_way_finishes),
        T(O3_refunds_end),
    };
    return cmocka_run_group_tests_name("rules_five", tests, NULL, NULL);
}
