/* test_rules_seats.c - the reservation rules, R1 to R8 */
#include "tests/unit/engine/domain/domain_test.h"

/* A date of 20 seats at 10 points whose active time outlives every hold, and two active users. */
struct seats_hall {
    struct domain *domain;
    struct policy policy;
    uint32_t date;
    struct token one, two;
};

static struct seats_hall hall_of(void **state) {
    struct seats_hall hall = {.domain = *state, .policy = default_policy()};
    hall.date = domain_date(hall.domain, &hall.policy, 20, 10);
    hall.one = entered(hall.domain, hall.date, 1);
    hall.two = entered(hall.domain, hall.date, 2);
    (void)domain_charge(hall.domain, 1, 1000, 1);
    (void)domain_charge(hall.domain, 2, 1000, 2);
    return hall;
}

static void R1_hold_assigns_for_hold_ttl(void **state) {
    struct seats_hall hall = hall_of(state);
    struct domain *domain = hall.domain;
    uint64_t reservation = held(domain, &hall.one, SEATS(7));
    const struct reservation *found = domain_reservation(domain, reservation);
    assert_int_equal(found->expires_at, domain->now_ms + 300000); /* default 5 min */
    assert_int_equal(found->held_at, domain->now_ms);
    assert_int_equal(found->amount, 10);
    assert_int_equal(domain_hold(domain, &hall.two, SEATS(7), NULL), ERROR_SEAT_TAKEN);
    assert_refused(domain, ERROR_SEAT_TAKEN, 7, 0, 0);
    domain_advance(domain, 299999);
    assert_int_equal(domain_hold(domain, &hall.two, SEATS(7), NULL), ERROR_SEAT_TAKEN);
    domain_advance(domain, 1);
    assert_int_equal(domain_hold(domain, &hall.two, SEATS(7), NULL), ERROR_NONE);
}

static void R1_hold_never_outlives_active_time(void **state) {
    struct seats_hall hall = hall_of(state);
    domain_advance(hall.domain, hall.policy.active_ttl_ms - 1000);
    uint64_t reservation = held(hall.domain, &hall.one, SEATS(1));
    assert_int_equal(domain_reservation(hall.domain, reservation)->expires_at,
                     hall.domain->now_ms + 1000);
    domain_advance(hall.domain, 999);
    assert_int_equal(domain_state(hall.domain, reservation), RESERVATION_HELD);
    domain_advance(hall.domain, 1);
    assert_int_equal(domain_state(hall.domain, reservation), RESERVATION_EXPIRED);
}

static void R1_hold_ttl_changed_live(void **state) {
    struct seats_hall hall = hall_of(state);
    uint64_t before = held(hall.domain, &hall.one, SEATS(1));
    assert_int_equal(domain_policy(hall.domain, hall.date, POLICY_INDEX_hold_ttl_ms, 100), 0);
    uint64_t after = held(hall.domain, &hall.one, SEATS(2));
    domain_advance(hall.domain, 99);
    assert_int_equal(domain_state(hall.domain, after), RESERVATION_HELD);
    domain_advance(hall.domain, 1);
    assert_int_equal(domain_state(hall.domain, after), RESERVATION_EXPIRED);
    assert_int_equal(domain_state(hall.domain, before), RESERVATION_HELD);
}

static void R2_one_holder_or_owner(void **state) {
    struct seats_hall hall = hall_of(state);
    struct domain *domain = hall.domain;
    uint64_t reservation = held(domain, &hall.one, SEATS(1, 2));
    assert_int_equal(domain_hold(domain, &hall.one, SEATS(2), NULL), ERROR_SEAT_YOURS);
    assert_int_equal(domain_hold(domain, &hall.one, SEATS(3, 2), NULL), ERROR_SEAT_YOURS);
    assert_refused(domain, ERROR_SEAT_YOURS, 2, reservation, 0);
    assert_int_equal(domain_pay(domain, &hall.one, reservation, 3), ERROR_NONE);
    assert_int_equal(domain_hold(domain, &hall.two, SEATS(1), NULL), ERROR_SEAT_TAKEN);
    domain_crash(domain);
    assert_int_equal(domain_hold(domain, &hall.two, SEATS(2), NULL), ERROR_SEAT_TAKEN);
    assert_int_equal(domain_count(domain, DECISION_SEATS_HELD), 1);
}

static void R2_same_request_again_same_answer(void **state) {
    struct seats_hall hall = hall_of(state);
    struct domain *domain = hall.domain;
    uint64_t first = held(domain, &hall.one, SEATS(1, 2)), again;
    uint32_t records = domain->record_count;
    assert_int_equal(domain_hold(domain, &hall.one, SEATS(2, 1), &again), ERROR_NONE);
    assert_true(again == first);
    assert_int_equal(domain->record_count, records);
    assert_int_equal(domain_hold(domain, &hall.two, SEATS(1, 2), NULL), ERROR_SEAT_TAKEN);
    /* a hold that is over is no answer, even before its timer has spoken */
    domain_jump(domain, hall.policy.hold_ttl_ms);
    assert_int_equal(domain_hold(domain, &hall.one, SEATS(1, 2), NULL), ERROR_SEAT_YOURS);
    assert_int_equal(domain_hold(domain, &hall.one, SEATS(1, 2), &again), ERROR_NONE);
    assert_true(again != first);
}

static void R3_unpaid_hold_ends_by_itself(void **state) {
    struct seats_hall hall = hall_of(state);
    struct domain *domain = hall.domain;
    uint64_t reservation = held(domain, &hall.one, SEATS(1, 2));
    uint64_t deadline = domain->now_ms + hall.policy.hold_ttl_ms;
    domain_advance(domain, hall.policy.hold_ttl_ms);
    assert_int_equal(domain_state(domain, reservation), RESERVATION_EXPIRED);
    assert_int_equal(domain_holder(domain, hall.date, 1), 0);
    assert_int_equal(domain_holder(domain, hall.date, 2), 0);
    struct decision record = domain_record(domain, domain->record_count - 1);
    assert_int_equal(record.kind, DECISION_RESERVATION_ENDED); /* on record: who, what, when */
    assert_int_equal(record.time_ms, deadline);
    assert_int_equal(record.reservation_ended.reservation, dated_id_sequence(reservation));
    assert_int_equal(record.reservation_ended.state, RESERVATION_EXPIRED);
    assert_int_equal(domain_release(domain, &hall.one, reservation), ERROR_RESERVATION_ENDED);
    assert_int_equal(domain_pay(domain, &hall.one, reservation, 3), ERROR_RESERVATION_ENDED);
    assert_refused(domain, ERROR_RESERVATION_ENDED, reservation, 0, 0);
}

static void R4_refused_hold_says_why(void **state) {
    struct seats_hall hall = hall_of(state);
    struct domain *domain = hall.domain;
    (void)held(domain, &hall.two, SEATS(5));
    const struct {
        const uint32_t *seats;
        uint16_t error;
        uint64_t data1, data2;
        uint32_t seat;
    } cases[] = {
        {SEATS(5), ERROR_SEAT_TAKEN, 5, 0, 5},
        {SEATS(21), ERROR_SEAT_UNKNOWN, 0, 0, 0},
        {SEATS(1, 2, 0xffffffffu), ERROR_SEAT_UNKNOWN, 2, 0, 0},
        {SEATS(3, 4, 3), ERROR_SEAT_REPEATED, 3, 0, 3},
        {SEATS(1, 2, 3, 4, 6), ERROR_SEAT_LIMIT, 4, 0, 0},
    };
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t records = domain->record_count;
        assert_int_equal(domain_hold(domain, &hall.one, cases[i].seats, NULL), cases[i].error);
        assert_refused(domain, cases[i].error, cases[i].data1, cases[i].data2, 0);
        assert_int_equal(domain->record_count, records + 1); /* demand is recorded */
        struct decision record = domain_record(domain, records);
        assert_int_equal(record.kind, DECISION_HOLD_REFUSED);
        assert_int_equal(record.hold_refused.error, cases[i].error);
        assert_int_equal(record.hold_refused.seat, cases[i].seat);
        assert_int_equal(record.hold_refused.place, hall.one.place);
    }
    uint32_t records = domain->record_count; /* garbage is not recorded */
    hall.one.secret.bytes[0] ^= 1;
    assert_int_equal(domain_hold(domain, &hall.one, SEATS(1), NULL), ERROR_TOKEN_INVALID);
    assert_int_equal(domain->record_count, records);
}

static void R4_not_for_sale_and_ambiguous(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    uint32_t date = domain_date(domain, &policy, 0, 0);
    const struct seat_spec seats[] = {
        {.price = 1, .for_sale = true, .section = {"A", 1}, .row = {"1", 1}, .seat = {"1", 1}},
        {.price = 1, .for_sale = true, .section = {"A", 1}, .row = {"1", 1}, .seat = {"1", 1}},
        {.price = 1, .section = {"A", 1}, .row = {"1", 1}, .seat = {"3", 1}, .guid = {"x", 1}},
    };
    struct command add = {.kind = COMMAND_SEATS_ADD,
                          .partition = partition_of_date(date),
                          .seats = {.first = 1, .count = 3, .seats = seats}};
    assert_int_equal(domain_do(domain, add), ERROR_NONE);
    assert_int_equal(domain_switch(domain, date, COMMAND_DATE_OPEN), ERROR_NONE);
    struct token token = entered(domain, date, 1);
    const struct {
        struct seat_ref ref;
        uint16_t error;
        uint64_t data;
    } cases[] = {
        {{.name = {"A/1/1", 5}}, ERROR_SEAT_AMBIGUOUS, 0},
        {{.name = {"A/1/3", 5}}, ERROR_SEAT_NOT_FOR_SALE, 3},
        {{.name = {"x", 1}}, ERROR_SEAT_NOT_FOR_SALE, 3},
        {{.number = 3}, ERROR_SEAT_NOT_FOR_SALE, 3},
        {{.name = {"A/1/2", 5}}, ERROR_SEAT_UNKNOWN, 0},
        {{.name = {"", 0}}, ERROR_SEAT_UNKNOWN, 0},
        {{.number = 2}, ERROR_NONE, 0},
    };
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct command hold = {.kind = COMMAND_SEATS_HOLD,
                               .partition = partition_of_date(date),
                               .hold = {.token = token, .seats = &cases[i].ref, .count = 1}};
        assert_int_equal(domain_do(domain, hold), cases[i].error);
        if (cases[i].error) assert_refused(domain, cases[i].error, cases[i].data, 0, 0);
    }
}

/* No reservation costs more than the protocol can say: 2^53-1. */
static void R4_too_expensive_together(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.max_seats_per_user = SEATS_PER_USER_MAX;
    uint32_t date = domain_date(domain, &policy, SEATS_PER_USER_MAX, AMOUNT_MAX);
    struct token token = entered(domain, date, 1);
    assert_int_equal(domain_hold(domain, &token, SEATS(1, 2), NULL), ERROR_HOLD_TOO_EXPENSIVE);
    assert_refused(domain, ERROR_HOLD_TOO_EXPENSIVE, AMOUNT_MAX, 0, 0);
    struct decision record = domain_record(domain, domain->record_count - 1);
    assert_int_equal(record.kind, DECISION_HOLD_REFUSED);
    assert_int_equal(record.hold_refused.error, ERROR_HOLD_TOO_EXPENSIVE);
    const uint32_t all[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0};
    assert_int_equal(domain_hold(domain, &token, all, NULL), ERROR_HOLD_TOO_EXPENSIVE);
    uint64_t one = held(domain, &token, SEATS(1)); /* exactly the limit */
    assert_int_equal(domain_reservation(domain, one)->amount, AMOUNT_MAX);
    (void)held(domain, &token, SEATS(2)); /* each by itself is fine */
}

static void R5_all_or_none(void **state) {
    struct seats_hall hall = hall_of(state);
    struct domain *domain = hall.domain;
    (void)held(domain, &hall.two, SEATS(3));
    assert_int_equal(domain_hold(domain, &hall.one, SEATS(1, 2, 3), NULL), ERROR_SEAT_TAKEN);
    assert_int_equal(domain_hold(domain, &hall.one, SEATS(1, 2, 99), NULL), ERROR_SEAT_UNKNOWN);
    assert_int_equal(domain_holder(domain, hall.date, 1), 0);
    assert_int_equal(domain_holder(domain, hall.date, 2), 0);
    uint64_t reservation = held(domain, &hall.one, SEATS(1, 2, 4));
    assert_int_equal(domain_reservation(domain, reservation)->amount, 30);
    assert_int_equal(domain_holder(domain, hall.date, 4), dated_id_sequence(reservation));
}

static void R5_max_seats_per_user(void **state) {
    struct seats_hall hall = hall_of(state);
    struct domain *domain = hall.domain;
    uint64_t paid = held(domain, &hall.one, SEATS(1, 2));
    uint64_t other = held(domain, &hall.one, SEATS(3));
    assert_int_equal(domain_hold(domain, &hall.one, SEATS(4, 5), NULL), ERROR_SEAT_LIMIT);
    assert_refused(domain, ERROR_SEAT_LIMIT, 4, 3, 0);
    (void)held(domain, &hall.one, SEATS(4)); /* exactly the limit */
    assert_int_equal(domain_hold(domain, &hall.one, SEATS(5), NULL), ERROR_SEAT_LIMIT);
    assert_refused(domain, ERROR_SEAT_LIMIT, 4, 4, 0);
    assert_int_equal(domain_release(domain, &hall.one, other), ERROR_NONE);
    (void)held(domain, &hall.one, SEATS(5));
    /* paid seats count as well, over several tokens */
    assert_int_equal(domain_pay(domain, &hall.one, paid, 3), ERROR_NONE);
    hall.one = entered(domain, hall.date, 1);
    assert_int_equal(domain_hold(domain, &hall.one, SEATS(6), NULL), ERROR_SEAT_LIMIT);
    assert_int_equal(domain_policy(domain, hall.date, POLICY_INDEX_max_seats_per_user, 5), 0);
    (void)held(domain, &hall.one, SEATS(6));
    /* lowered below what the user has: no more, nothing is taken away */
    assert_int_equal(domain_policy(domain, hall.date, POLICY_INDEX_max_seats_per_user, 1), 0);
    assert_int_equal(domain_hold(domain, &hall.one, SEATS(7), NULL), ERROR_SEAT_LIMIT);
    assert_refused(domain, ERROR_SEAT_LIMIT, 1, 5, 0);
    assert_int_equal(domain_cancel(domain, 1, paid, 4), ERROR_NONE); /* refunded: not counted */
    assert_int_equal(domain_policy(domain, hall.date, POLICY_INDEX_max_seats_per_user, 4), 0);
    assert_int_equal(domain_hold(domain, &hall.one, SEATS(7), NULL), ERROR_NONE);
}

static void R5_sixteen_seats_at_once(void **state) {
    struct seats_hall hall = hall_of(state);
    assert_int_equal(domain_policy(hall.domain, hall.date, POLICY_INDEX_max_seats_per_user, 16), 0);
    uint64_t reservation = held(hall.domain, &hall.one,
                                SEATS(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16));
    assert_int_equal(domain_reservation(hall.domain, reservation)->seats.count, 16);
    domain_crash(hall.domain);
    assert_int_equal(domain_pay(hall.domain, &hall.one, reservation, 3), ERROR_NONE);
    assert_int_equal(domain_balance(hall.domain, 1), 1000 - 160);
}

static void R6_release_by_owner(void **state) {
    struct seats_hall hall = hall_of(state);
    struct domain *domain = hall.domain;
    uint64_t reservation = held(domain, &hall.one, SEATS(1, 2));
    assert_int_equal(domain_release(domain, &hall.two, reservation), ERROR_NO_SUCH_RESERVATION);
    assert_refused(domain, ERROR_NO_SUCH_RESERVATION, reservation, 0, 0);
    assert_int_equal(domain_release(domain, &hall.one, reservation + 1), ERROR_NO_SUCH_RESERVATION);
    assert_int_equal(domain_release(domain, &hall.one, dated_id(hall.date + 1, 1)),
                     ERROR_NO_SUCH_RESERVATION);
    assert_int_equal(domain_release(domain, &hall.one, 0), ERROR_NO_SUCH_RESERVATION);
    assert_int_equal(domain_release(domain, &hall.one, reservation), ERROR_NONE);
    assert_int_equal(domain->reply.reservation.reservation->state, RESERVATION_RELEASED);
    assert_int_equal(domain_holder(domain, hall.date, 1), 0);
    uint32_t records = domain->record_count;
    assert_int_equal(domain_release(domain, &hall.one, reservation), ERROR_NONE); /* again */
    assert_int_equal(domain->record_count, records);
    assert_int_equal(domain_hold(domain, &hall.two, SEATS(1), NULL), ERROR_NONE);

    uint64_t paid = held(domain, &hall.one, SEATS(3));
    assert_int_equal(domain_pay(domain, &hall.one, paid, 3), ERROR_NONE);
    assert_int_equal(domain_release(domain, &hall.one, paid), ERROR_RESERVATION_PAID);
    assert_refused(domain, ERROR_RESERVATION_PAID, paid, 0, 0);
    assert_int_equal(domain_cancel(domain, 1, paid, 4), ERROR_NONE);
    assert_int_equal(domain_release(domain, &hall.one, paid), ERROR_RESERVATION_ENDED);
}

static void R6_release_with_a_newer_token(void **state) {
    struct seats_hall hall = hall_of(state);
    struct domain *domain = hall.domain;
    uint64_t paid = held(domain, &hall.one, SEATS(1)), kept = held(domain, &hall.one, SEATS(2));
    assert_int_equal(domain_pay(domain, &hall.one, paid, 3), ERROR_NONE); /* ends the token */
    struct token again = entered(domain, hall.date, 1);
    assert_int_equal(domain_release(domain, &again, kept), ERROR_NONE);
    assert_int_equal(domain_state(domain, kept), RESERVATION_RELEASED);
}

static void R7_users_see_their_reservations(void **state) {
    struct seats_hall hall = hall_of(state);
    struct domain *domain = hall.domain;
    struct id128 user = domain_user(1);
    uint64_t first = held(domain, &hall.one, SEATS(1)), second = held(domain, &hall.one, SEATS(2));
    (void)held(domain, &hall.two, SEATS(3));
    assert_int_equal(domain_release(domain, &hall.one, first), ERROR_NONE);
    domain_crash(domain);
    const struct reservations *all = &domain_date_of(domain, hall.date)->reservations;
    const struct reservation *newest = reservations_of(all, &user);
    assert_int_equal(newest->sequence, dated_id_sequence(second));
    assert_int_equal(newest->state, RESERVATION_HELD);
    const struct reservation *older = reservations_older(all, newest);
    assert_int_equal(older->sequence, dated_id_sequence(first));
    assert_int_equal(older->state, RESERVATION_RELEASED);
    assert_null(reservations_older(all, older));
    struct id128 nobody = domain_user(99);
    assert_null(reservations_of(all, &nobody));
}

static void R8_cancel_unpaid(void **state) {
    struct seats_hall hall = hall_of(state);
    struct domain *domain = hall.domain;
    uint64_t reservation = held(domain, &hall.one, SEATS(1));
    assert_int_equal(domain_cancel(domain, 2, reservation, 5), ERROR_NO_SUCH_RESERVATION);
    assert_int_equal(domain_cancel(domain, 1, reservation + 1, 5), ERROR_NO_SUCH_RESERVATION);
    assert_int_equal(domain_cancel(domain, 1, reservation, 5), ERROR_NONE);
    assert_int_equal(domain_state(domain, reservation), RESERVATION_RELEASED);
    assert_int_equal(domain_holder(domain, hall.date, 1), 0);
    assert_int_equal(domain_cancel(domain, 1, reservation, 5), ERROR_NONE);
    assert_int_equal(domain_cancel(domain, 1, reservation, 6), ERROR_RESERVATION_ENDED);
    assert_int_equal(domain_balance(domain, 1), 1000);
}

static void R8_cancel_paid_is_refunded(void **state) {
    struct seats_hall hall = hall_of(state);
    struct domain *domain = hall.domain;
    uint64_t reservation = held(domain, &hall.one, SEATS(1, 2));
    assert_int_equal(domain_pay(domain, &hall.one, reservation, 3), ERROR_NONE);
    assert_int_equal(domain_balance(domain, 1), 980);
    assert_int_equal(domain_cancel(domain, 2, reservation, 5), ERROR_NO_SUCH_RESERVATION);
    assert_int_equal(domain_cancel(domain, 1, reservation, 5), ERROR_NONE);
    assert_int_equal(domain->reply.reservation.reservation->state, RESERVATION_REFUNDED);
    assert_int_equal(domain_balance(domain, 1), 1000);
    assert_int_equal(domain_holder(domain, hall.date, 1), 0);
    assert_int_equal(domain_cancel(domain, 1, reservation, 5), ERROR_NONE); /* twice */
    assert_int_equal(domain_cancel(domain, 1, reservation, 6), ERROR_ALREADY_REFUNDED);
    assert_refused(domain, ERROR_ALREADY_REFUNDED, reservation, 0, 0);
    assert_int_equal(domain_balance(domain, 1), 1000);
    assert_int_equal(domain_count(domain, DECISION_FUNDS_REFUNDED), 1);
    /* the old payment's key still gets its old answer; another key learns that it is over */
    assert_int_equal(domain_pay(domain, &hall.one, reservation, 3), ERROR_NONE);
    assert_int_equal(domain->reply.payment.balance, 980);
    assert_int_equal(domain_pay(domain, &hall.one, reservation, 4), ERROR_ALREADY_REFUNDED);
    assert_int_equal(domain_hold(domain, &hall.two, SEATS(1), NULL), ERROR_NONE);
    domain_check(domain, true);
}

static void R8_cancel_needs_no_token(void **state) {
    struct seats_hall hall = hall_of(state);
    struct domain *domain = hall.domain;
    uint64_t reservation = held(domain, &hall.one, SEATS(1));
    assert_int_equal(domain_pay(domain, &hall.one, reservation, 3), ERROR_NONE);
    domain_advance(domain, 30ull * 24 * 3600 * 1000);
    assert_int_equal(domain_cancel(domain, 1, reservation, 5), ERROR_NONE);
    assert_int_equal(domain_balance(domain, 1), 1000);
}

static void R8_cancelled_date_refunds_everybody(void **state) {
    struct seats_hall hall = hall_of(state);
    struct domain *domain = hall.domain;
    uint64_t paid = held(domain, &hall.one, SEATS(1, 2)), kept = held(domain, &hall.two, SEATS(3));
    assert_int_equal(domain_pay(domain, &hall.one, paid, 3), ERROR_NONE);
    assert_int_equal(domain_switch(domain, hall.date, COMMAND_DATE_CANCEL), ERROR_NONE);
    assert_int_equal(domain_state(domain, paid), RESERVATION_REFUNDED);
    assert_int_equal(domain_state(domain, kept), RESERVATION_CANCELLED);
    assert_int_equal(domain_balance(domain, 1), 1000);
    assert_int_equal(domain_date_of(domain, hall.date)->seats.free, 20);
    assert_int_equal(domain_pay(domain, &hall.two, kept, 4), ERROR_DATE_CANCELLED);
    assert_int_equal(domain_release(domain, &hall.two, kept), ERROR_RESERVATION_ENDED);
    assert_int_equal(domain_cancel(domain, 2, kept, 4), ERROR_NONE); /* it is cancelled */
    assert_int_equal(domain_cancel(domain, 1, paid, 4), ERROR_NONE);
    assert_int_equal(domain_balance(domain, 1), 1000);
    domain_check(domain, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(R1_hold_assigns_for_hold_ttl),
        T(R1_hold_never_outlives_active_time),
        T(R1_hold_ttl_changed_live),
        T(R2_one_holder_or_owner),
        T(R2_same_request_again_same_answer),
        T(R3_unpaid_hold_ends_by_itself),
        T(R4_refused_hold_says_why),
        T(R4_not_for_sale_and_ambiguous),
        T(R4_too_expensive_together),
        T(R5_all_or_none),
        T(R5_max_seats_per_user),
        T(R5_sixteen_seats_at_once),
        T(R6_release_by_owner),
        T(R6_release_with_a_newer_token),
        T(R7_users_see_their_reservations),
        T(R8_cancel_unpaid),
        T(R8_cancel_paid_is_refunded),
        T(R8_cancel_needs_no_token),
        T(R8_cancelled_date_refunds_everybody),
    };
    return cmocka_run_group_tests_name("rules_seats", tests, NULL, NULL);
}
