/* test_fan.c - a fan notices what an engine must never do, and takes what it may do */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/domain/error.h"
#include "tools/crowd/fan.h"

static struct crowd_fan fan;
static struct fan_step step;
static struct fan_seat seats[] = {{5, 100}, {6, 120}, {7, 140}, {8, 160}};

/* A fan without any quirks, who wants two seats. */
static int plain_fan(void **state) {
    (void)state;
    fan_begin(&fan, 1, 0, 3, 50, 0, &step);
    fan.want = 2;
    fan.poor = fan.double_clicks = fan.vanishes_waiting = fan.vanishes_holding = false;
    fan.leaves = fan.cancels = fan.patient = false;
    return 0;
}

static void hear(struct fan_answer answer, bool more) { fan_hear(&fan, &answer, more, &step); }

static void expect_request(enum fan_request request) {
    assert_int_equal(step.request, request);
    assert_string_equal(step.violation, "");
}

static void become_active(void) {
    hear((struct fan_answer){.token_state = TOKEN_ACTIVE, .token = "t"}, false);
    expect_request(FAN_LIST);
}

static uint64_t hold(void) {
    become_active();
    hear((struct fan_answer){.seat_count = 4, .seats = seats}, false);
    expect_request(FAN_HOLD);
    assert_int_equal(fan.seat_count, 2);
    struct fan_seat held[2] = {{fan.seats[0], fan.prices[0]}, {fan.seats[1], fan.prices[1]}};
    uint64_t amount = fan.prices[0] + fan.prices[1];
    hear((struct fan_answer){.reservation = 9, .amount = amount, .seat_count = 2, .seats = held},
         false);
    expect_request(FAN_CHARGE);
    return amount;
}

static void charge_exactly(uint64_t amount) {
    fan.charging = amount;
    hear((struct fan_answer){.balance = fan.balance + amount}, false);
    expect_request(FAN_PAY);
}

static struct fan_answer payment(uint64_t id, uint64_t balance) {
    static struct fan_seat sold[FAN_SEATS_MAX];
    for (uint32_t i = 0; i < fan.seat_count; i++) {
        sold[i] = (struct fan_seat){fan.seats[i], fan.prices[i]};
    }
    return (struct fan_answer){.payment = id,
                               .amount = fan.amount,
                               .balance = balance,
                               .seat_count = fan.seat_count,
                               .seats = sold};
}

static void waits_holds_pays(void **state) {
    (void)state;
    expect_request(FAN_ENTER);
    hear((struct fan_answer){.token_state = TOKEN_WAITING, .ahead = 7, .next_poll_ms = 250}, false);
    expect_request(FAN_STATUS);
    assert_int_equal(step.delay_ms, 250);
    hear((struct fan_answer){.token_state = TOKEN_WAITING, .ahead = 7}, false);
    expect_request(FAN_STATUS);
    uint64_t amount = hold();
    charge_exactly(amount);
    hear(payment(1, 0), false);
    expect_request(FAN_NOTHING);
    assert_int_equal(fan.outcome, FAN_OUTCOME_BOUGHT);
}

static void notices_that_it_falls_back_in_line(void **state) {
    (void)state;
    hear((struct fan_answer){.token_state = TOKEN_WAITING, .ahead = 7}, false);
    hear((struct fan_answer){.token_state = TOKEN_WAITING, .ahead = 8}, false);
    assert_string_equal(step.violation, "8 are ahead, 7 were before");
}

static void notices_wrong_seats_and_prices(void **state) {
    (void)state;
    become_active();
    hear((struct fan_answer){.seat_count = 4, .seats = seats}, false);
    struct fan_seat wrong[2] = {{1, 1}, {2, 1}};
    hear((struct fan_answer){.amount = fan.prices[0] + fan.prices[1],
                             .seat_count = 2,
                             .seats = wrong},
         false);
    assert_string_equal(step.violation, "other seats than those asked for");
}

static void notices_a_wrong_balance(void **state) {
    (void)state;
    uint64_t amount = hold();
    charge_exactly(amount + 10);
    hear(payment(1, 9), false);
    assert_string_equal(step.violation, "the balance is 9 after paying, not 10");
}

static void charges_the_shortfall_and_pays_again(void **state) {
    (void)state;
    uint64_t amount = hold();
    charge_exactly(amount - 30);
    uint32_t key = fan.key;
    hear((struct fan_answer){.error = ERROR_INSUFFICIENT_FUNDS, .shortfall = 30}, false);
    expect_request(FAN_CHARGE);
    assert_int_equal(fan.charging, 30);
    hear((struct fan_answer){.balance = amount}, false);
    expect_request(FAN_PAY);
    assert_true(fan.key > key); /* a new intention has a new key */
}

static void notices_a_wrong_shortfall(void **state) {
    (void)state;
    charge_exactly(hold() - 30);
    hear((struct fan_answer){.error = ERROR_INSUFFICIENT_FUNDS, .shortfall = 31}, false);
    assert_string_equal(step.violation, "a shortfall of 31 is told, it is 30");
}

static void double_click_pays_once(void **state) {
    (void)state;
    fan.double_clicks = true;
    charge_exactly(hold());
    assert_int_equal(step.copies, 2);
    hear(payment(1, 0), true);
    expect_request(FAN_NOTHING);
    assert_int_equal(fan.outcome, FAN_OUTCOME_UNDECIDED);
    hear(payment(1, 0), false);
    expect_request(FAN_NOTHING);
    assert_int_equal(fan.outcome, FAN_OUTCOME_BOUGHT);
}

static void double_click_may_be_told_to_wait(void **state) {
    (void)state;
    fan.double_clicks = true;
    charge_exactly(hold());
    hear((struct fan_answer){.error = ERROR_PAYMENT_IN_PROGRESS}, true);
    hear(payment(1, 0), false);
    expect_request(FAN_NOTHING);
    assert_int_equal(fan.outcome, FAN_OUTCOME_BOUGHT);
}

static void notices_a_double_charge(void **state) {
    (void)state;
    fan.double_clicks = true;
    charge_exactly(hold());
    hear(payment(1, 0), true);
    hear(payment(2, 0), false);
    assert_string_equal(step.violation, "paid twice by a double click");
}

static void notices_a_refused_second_click(void **state) {
    (void)state;
    fan.double_clicks = true;
    charge_exactly(hold());
    hear(payment(1, 0), true);
    hear((struct fan_answer){.error = ERROR_TOKEN_EXPIRED}, false);
    assert_string_equal(step.violation, "one of two clicks on pay was answered TOKEN_EXPIRED");
}

static void asks_again_with_the_same_key(void **state) {
    (void)state;
    charge_exactly(hold());
    char before[FAN_KEY_BYTES], after[FAN_KEY_BYTES];
    fan_key(&fan, before);
    hear((struct fan_answer){.lost = true}, false);
    expect_request(FAN_PAY);
    hear((struct fan_answer){.error = ERROR_BUSY, .retry_ms = 5}, false);
    expect_request(FAN_PAY);
    assert_int_equal(step.delay_ms, 5);
    fan_key(&fan, after);
    assert_string_equal(before, after);
}

static void takes_other_seats_when_taken(void **state) {
    (void)state;
    become_active();
    hear((struct fan_answer){.seat_count = 4, .seats = seats}, false);
    hear((struct fan_answer){.error = ERROR_SEAT_TAKEN}, false);
    expect_request(FAN_LIST);
}

static void leaves_when_all_is_gone(void **state) {
    (void)state;
    become_active();
    fan.listed_from_start = false;
    hear((struct fan_answer){0}, false);
    expect_request(FAN_LIST); /* from the start this time */
    assert_int_equal(fan.list_first, 1);
    hear((struct fan_answer){0}, false);
    expect_request(FAN_LEAVE);
    hear((struct fan_answer){.token_state = TOKEN_EXPIRED}, false);
    assert_int_equal(fan.outcome, FAN_OUTCOME_SOLD_OUT);
}

static void one_seed_one_fan(void **state) {
    (void)state;
    struct crowd_fan again, other;
    fan_begin(&fan, 42, 7, 3, 50, 1000, &step);
    fan_begin(&again, 42, 7, 3, 50, 1000, &step);
    fan_begin(&other, 42, 8, 3, 50, 1000, &step);
    assert_memory_equal(&fan.user, &again.user, sizeof fan.user);
    assert_int_equal(fan.random, again.random);
    assert_memory_not_equal(&fan.user, &other.user, sizeof fan.user);
}

#define FAN_TEST(test) cmocka_unit_test_setup(test, plain_fan)

int main(void) {
    const struct CMUnitTest tests[] = {
        FAN_TEST(waits_holds_pays),
        FAN_TEST(notices_that_it_falls_back_in_line),
        FAN_TEST(notices_wrong_seats_and_prices),
        FAN_TEST(notices_a_wrong_balance),
        FAN_TEST(charges_the_shortfall_and_pays_again),
        FAN_TEST(notices_a_wrong_shortfall),
        FAN_TEST(double_click_pays_once),
        FAN_TEST(double_click_may_be_told_to_wait),
        FAN_TEST(notices_a_double_charge),
        FAN_TEST(notices_a_refused_second_click),
        FAN_TEST(asks_again_with_the_same_key),
        FAN_TEST(takes_other_seats_when_taken),
        FAN_TEST(leaves_when_all_is_gone),
        FAN_TEST(one_seed_one_fan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
