/* test_s3.c - the system where entering again means the end of the line, and of double clicks
 *
 * Policy: entering again queues again (reentry = requeue), the token ends when the seat is reserved
 * (token_expires_on = reservation), and the reservation stays payable until its hold ends.
 *
 * Rules demanded here, by number of the requirements:
 *   Q4 Q5 Q9 Q10        the waiting room
 *   C2 C4 C5            dates and seats
 *   R1 R2 R3 R7         reservations
 *   W1 P1 P3 P4 P5      money, once
 *
 * Driven by hand with three shards, so that a payment can be stopped half-way: the date is on one
 * shard, the wallet on another.
 */
#include <string.h>

#include "tests/oracle/oracle_engine.h"
#include "tests/support/fan.h"

#define RULES "Q4 Q5 Q9 Q10 C2 C4 C5 R1 R2 R3 R7 W1 P1 P3 P4 P5"

#define HOLD_MS 300000u
#define PRICE 120u

struct s3 {
    struct engine_fixture *fixture;
    uint32_t concert, date;
    struct fan anna, ben, carl;
};

static struct s3 open_s3(void **state) {
    struct s3 s3 = {
        .fixture = fixture_open(&(struct fixture_options){.shards = 3, .by_hand = true})};
    *state = s3.fixture;
    s3.concert = concert_of(s3.fixture, "S3");
    s3.date = date_of(s3.fixture, s3.concert, with_text("reentry", "requeue"),
                      with_text("token_expires_on", "reservation"),
                      with_number("active_capacity", 1), with_number("hold_ttl_ms", HOLD_MS),
                      with_number("waiting_timeout_ms", 10 * HOLD_MS),
                      with_number("active_ttl_ms", 10 * HOLD_MS));
    (void)date_add_seats(s3.fixture, s3.date, 10, PRICE, "A"); /* it has checked its answers */
    assert_true(answer_is_ok(date_opens(s3.fixture, s3.date)));
    /* Wallets on shards 2, 0 and 1; the date is on shard 1. */
    s3.anna = fan_of(s3.fixture, s3.date, 2);
    s3.ben = fan_of(s3.fixture, s3.date, 3);
    s3.carl = fan_of(s3.fixture, s3.date, 4);
    assert_int_equal(fixture_shard_of_date(s3.fixture, s3.date), 1);
    assert_int_equal(fixture_shard_of_user(s3.fixture, s3.anna.user), 2);
    return s3;
}

static void entering_again_is_queuing_again(struct s3 *s3) {
    struct engine_fixture *fixture = s3->fixture;
    assert_true(answer_says(fan_enters(&s3->anna), "state", "active"));
    RULE(fixture, "Q5", answer_number(fan_enters(&s3->ben), "ahead") == 0);
    RULE(fixture, "Q5", answer_number(fan_enters(&s3->carl), "ahead") == 1);
    struct fan before = s3->ben;
    struct answer *again = fan_enters(&s3->ben);
    RULE(fixture, "Q4", strcmp(before.token, s3->ben.token) != 0); /* a new token */
    RULE(fixture, "Q4", answer_number(again, "ahead") == 1);       /* behind Carl */
    struct answer *old = fan_polls(&before);
    RULE(fixture, "Q4",
         answer_says(old, "state", "expired") && answer_says(old, "end", "requeued"));
    RULE(fixture, "Q5", answer_number(fan_polls(&s3->carl), "ahead") == 0);
    RULE(fixture, "C5", answer_is(fan_lists_seats(&before, false), "TOKEN_EXPIRED"));
}

static void reserving_ends_the_token(struct s3 *s3) {
    struct engine_fixture *fixture = s3->fixture;
    RULE(fixture, "C5", answer_is_ok(fan_lists_seats(&s3->anna, false)));
    struct answer *held = fan_holds(&s3->anna, 4);
    RULE(fixture, "R1", answer_number(held, "expires_at") == fixture_now(fixture) + HOLD_MS);
    struct answer *token = fan_polls(&s3->anna);
    RULE(fixture, "Q10", answer_says(token, "state", "expired"));
    RULE(fixture, "Q10", answer_says(token, "end", "reserved"));
    RULE(fixture, "Q9", fan_is(&s3->carl, "active")); /* the slot is free at once */
    RULE(fixture, "C5", answer_is(fan_lists_seats(&s3->anna, false), "TOKEN_EXPIRED"));
    RULE(fixture, "R2", answer_is(fan_holds(&s3->carl, 4), "SEAT_TAKEN"));
    RULE(fixture, "C4", seat_row(fan_lists_seats(&s3->carl, false), 4) == NULL);
    RULE(fixture, "R7", fan_reservation_is(&s3->anna, "held"));
}

/* Two clicks, and a third while the payment is under way: charged once. */
static void charged_once(struct s3 *s3) {
    struct engine_fixture *fixture = s3->fixture;
    RULE(fixture, "P1", answer_is(fan_pays(&s3->anna, "a0"), "INSUFFICIENT_FUNDS"));
    /* The token has ended with the hold: user and reservation are enough, but they must be that. */
    RULE(fixture, "P1", answer_is(fan_pays_as_user(&s3->anna, "a0"), "INSUFFICIENT_FUNDS"));
    struct fan stranger = s3->carl;
    stranger.reservation = s3->anna.reservation;
    RULE(fixture, "P1", answer_is(fan_pays_as_user(&stranger, "a0"), "NO_SUCH_RESERVATION"));
    RULE(fixture, "W1",
         answer_number(fan_charges(&s3->anna, 3 * PRICE, "c"), "balance") == 3 * PRICE);
    fixture_advance(fixture, HOLD_MS - 1000); /* payable until the hold ends, without a token */
    const struct param pay[] = {with_text("token", s3->anna.token),
                                with_number("reservation", s3->anna.reservation),
                                with_text("key", "a1"),
                                {.key = NULL}};
    struct answer *clicks[3];
    uint64_t submitted = fixture_submitted(fixture);
    for (uint32_t i = 0; i < 3; i++) clicks[i] = fixture_send(fixture, "payment.pay", pay);
    fixture_until_submitted(fixture, submitted + 3); /* all of them before the first is answered */
    for (uint32_t i = 0; i < 3; i++) {
        RULE(fixture, "P4",
             answer_number(fixture_wait(fixture, clicks[i]), "balance") == 2 * PRICE);
        RULE(fixture, "P4",
             answer_number(clicks[i], "payment") == answer_number(clicks[0], "payment"));
    }
    RULE(fixture, "P4",
         answer_number(fan_pays_as_user(&s3->anna, "a1"), "payment") ==
             answer_number(clicks[0], "payment"));
    RULE(fixture, "P4", fan_balance(&s3->anna) == 2 * PRICE);
    struct answer *other = fan_pays(&s3->anna, "a2"); /* another pay of a paid reservation */
    RULE(fixture, "P4", answer_is(other, "ALREADY_PAID"));
    RULE(fixture, "P4", answer_data(other, "payment") == answer_number(clicks[0], "payment"));
    RULE(fixture, "P3", fan_reservation_is(&s3->anna, "paid"));
    RULE(fixture, "P3", seat_is(fan_lists_seats(&s3->carl, true), 4, "sold"));
    RULE(fixture, "P3", fixture_count_log(fixture, DECISION_SEATS_SOLD) == 1);
}

/* The hold's time ends while the wallet is being asked: the payment goes first. */
static void no_end_in_the_middle(struct s3 *s3) {
    struct engine_fixture *fixture = s3->fixture;
    RULE(fixture, "R1", answer_is_ok(fan_holds(&s3->carl, 5)));
    assert_true(answer_is_ok(fan_charges(&s3->carl, PRICE, "c")));
    uint64_t submitted = fixture_submitted(fixture);
    struct answer *payment = fixture_send(fixture, "payment.pay",
                                          PARAMS(with_text("token", s3->carl.token),
                                                 with_number("reservation", s3->carl.reservation),
                                                 with_text("key", "p")));
    fixture_until_submitted(fixture, submitted + 1);
    fixture_step_shard(fixture, 1);                 /* the date has asked; nobody else has moved */
    fixture_advance_shard(fixture, 1, 2 * HOLD_MS); /* holds end now, but not this one */
    RULE(fixture, "P5", answer_number(fixture_wait(fixture, payment), "balance") == 0);
    RULE(fixture, "P5", fan_reservation_is(&s3->carl, "paid"));
}

/* The same with too little money: back to a deadline that is over by then. */
static void no_end_in_the_middle_of_a_refusal(struct s3 *s3) {
    struct engine_fixture *fixture = s3->fixture;
    RULE(fixture, "Q9", fan_is(&s3->ben, "active"));
    RULE(fixture, "R1", answer_is_ok(fan_holds(&s3->ben, 6)));
    uint64_t submitted = fixture_submitted(fixture), encoded = fixture_encoded(fixture);
    struct answer *payment = fixture_send(fixture, "payment.pay",
                                          PARAMS(with_text("token", s3->ben.token),
                                                 with_number("reservation", s3->ben.reservation),
                                                 with_text("key", "p")));
    fixture_until_submitted(fixture, submitted + 1);
    fixture_step_shard(fixture, 1);
    fixture_advance_shard(fixture, 1, 2 * HOLD_MS);
    struct answer *list = fixture_send(
        fixture, "reservation.list",
        PARAMS(with_text("user", s3->ben.user), with_number("date", s3->date)));
    fixture_until_submitted(fixture, submitted + 2);
    fixture_step_shard(fixture, 1);
    RULE(fixture, "P5",
         fixture_encoded(fixture) == encoded + 1); /* the list; the wallet has not been asked */
    RULE(fixture, "P5", answer_is(fixture_wait(fixture, payment), "INSUFFICIENT_FUNDS"));
    const struct value *row = value_at(answer_list(fixture_wait(fixture, list), "reservations"), 0);
    RULE(fixture, "P5", value_text_equal(value_find(row, "state"), "paying"));
    /* Refused, it goes back to its old deadline, which is over. */
    RULE(fixture, "R3", fan_reservation_is(&s3->ben, "expired"));
    struct answer *in = fan_enters(&s3->ben);
    RULE(fixture, "R3", answer_says(in, "state", "active"));
    RULE(fixture, "R3", seat_is(fan_lists_seats(&s3->ben, false), 6, "available"));
}

static void users_see_their_reservations(struct s3 *s3) {
    struct engine_fixture *fixture = s3->fixture;
    const struct value *all = answer_list(fan_reservations(&s3->anna), "reservations");
    RULE(fixture, "R7", value_count(all) == 1);
    RULE(fixture, "R7", value_find_uint(value_at(all, 0), "amount", 0) == PRICE);
    RULE(fixture, "R7", value_text_equal(value_find(value_at(all, 0), "state"), "paid"));
    const struct value *row = date_row(fixture, s3->concert, s3->date, NULL);
    RULE(fixture, "C2", value_find_uint(row, "seats_available", 0) == 8);
}

static void double_clicks(void **state) {
    struct s3 s3 = open_s3(state);
    entering_again_is_queuing_again(&s3);
    reserving_ends_the_token(&s3);
    charged_once(&s3);
    no_end_in_the_middle(&s3);
    no_end_in_the_middle_of_a_refusal(&s3);
    users_see_their_reservations(&s3);
    fixture_crash(s3.fixture, 3); /* at rest: all of it was told, all of it is there */
    users_see_their_reservations(&s3);
    RULE(s3.fixture, "P4", answer_is(fan_pays(&s3.anna, "a2"), "ALREADY_PAID"));
    RULE(s3.fixture, "P4", answer_number(fan_pays(&s3.anna, "a1"), "balance") == 2 * PRICE);
    fixture_demand_rules(s3.fixture, RULES);
    oracle_finish(s3.fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(double_clicks, fixture_teardown),
    };
    return cmocka_run_group_tests_name("scenario S3", tests, NULL, NULL);
}
