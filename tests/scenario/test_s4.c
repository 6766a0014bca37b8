/* test_s4.c - the system with a price per seat, an hour at which sales open, and guarded date lists
 *
 * Policy: entering again gives the same token (reentry = keep), sales_open_at (S4's
 * reservationStartTime), date lists need an active token (gate_dates), lists show only dates with
 * seats left.
 *
 * Rules demanded here, by number of the requirements:
 *   Q1 Q3 Q4 Q9 Q10 Q13     the waiting room
 *   C1 C2 C3 C4 C5          dates, seats, prices
 *   R1 R2 R3 R4 R8          reservations
 *   W1 W2 P1 P2 P3          money
 *
 * Driven with threads, on a disk in memory. Two dates of one concert, on different shards; one date
 * is cancelled by its organiser at the end.
 */
#include <string.h>

#include "tests/oracle/oracle_engine.h"
#include "tests/support/fan.h"

#define RULES "Q1 Q3 Q4 Q9 Q10 Q13 C1 C2 C3 C4 C5 R1 R2 R3 R4 R8 W1 W2 P1 P2 P3"

#define OPENS_IN_MS 3600000u
#define ACTIVE_MS 420000u
#define STALLS 30u /* price of a seat there */
#define BOX 500u   /* likewise */

struct s4 {
    struct engine_fixture *fixture;
    uint32_t concert, matinee, evening; /* two seats; three stalls, a box, a free seat */
    uint64_t opens_at;
    struct fan dora, emil, fritz;
};

static struct s4 open_s4(void **state) {
    struct s4 s4 = {.fixture = fixture_open(&(struct fixture_options){.shards = 2})};
    struct engine_fixture *fixture = *state = s4.fixture;
    s4.opens_at = fixture_now(fixture) + OPENS_IN_MS;
    s4.concert = concert_of(fixture, "S4");
    const struct param policy[] = {with_text("reentry", "keep"),
                                   with_flag("gate_dates", true),
                                   with_number("sales_open_at", s4.opens_at),
                                   with_number("active_capacity", 2),
                                   with_number("active_ttl_ms", ACTIVE_MS),
                                   with_number("waiting_timeout_ms", 10 * ACTIVE_MS),
                                   {.key = NULL}};
    s4.matinee = date_of_(fixture, s4.concert, policy);
    s4.evening = date_of_(fixture, s4.concert, policy);
    RULE(fixture, "C1", s4.matinee != s4.evening);
    RULE(fixture, "C1",
         answer_number(date_add_seats(fixture, s4.matinee, 2, STALLS, "stalls"), "seats") == 2);
    RULE(fixture, "C1",
         answer_number(date_add_seats(fixture, s4.evening, 3, STALLS, "stalls"), "next") == 4);
    RULE(fixture, "C1",
         answer_number(date_add_seats(fixture, s4.evening, 1, BOX, "box"), "seats") == 4);
    RULE(fixture, "C1",
         answer_number(date_add_seats(fixture, s4.evening, 1, 0, "guests"), "seats") == 5);
    assert_true(answer_is_ok(date_opens(fixture, s4.matinee)));
    assert_true(answer_is_ok(date_opens(fixture, s4.evening)));
    s4.dora = fan_of(fixture, s4.evening, 1);
    s4.emil = fan_of(fixture, s4.evening, 2);
    s4.fritz = fan_of(fixture, s4.evening, 3);
    return s4;
}

static void not_before_the_hour(struct s4 *s4) {
    struct engine_fixture *fixture = s4->fixture;
    struct answer *early = fan_enters(&s4->dora);
    RULE(fixture, "Q13", answer_is(early, "NOT_ON_SALE_YET"));
    RULE(fixture, "Q13", answer_data(early, "opens_at") == s4->opens_at);
    fixture_advance(fixture, OPENS_IN_MS - 1);
    RULE(fixture, "Q13", answer_is(fan_enters(&s4->dora), "NOT_ON_SALE_YET"));
    fixture_advance(fixture, 1);
    RULE(fixture, "Q13", answer_says(fan_enters(&s4->dora), "state", "active"));
}

static void the_same_token_again(struct s4 *s4) {
    struct engine_fixture *fixture = s4->fixture;
    struct fan before = s4->dora;
    struct answer *again = fan_enters(&s4->dora);
    RULE(fixture, "Q4", strcmp(before.token, s4->dora.token) == 0);
    RULE(fixture, "Q4", answer_says(again, "state", "active"));
    RULE(fixture, "Q9", answer_says(fan_enters(&s4->emil), "state", "active"));
    struct answer *waits = fan_enters(&s4->fritz);
    RULE(fixture, "Q1",
         answer_says(waits, "state", "waiting") && answer_number(waits, "position") == 1);
    before = s4->fritz;
    RULE(fixture, "Q4", answer_number(fan_enters(&s4->fritz), "position") == 1);
    RULE(fixture, "Q4", strcmp(before.token, s4->fritz.token) == 0);
}

static void lists_are_guarded(struct s4 *s4) {
    struct engine_fixture *fixture = s4->fixture;
    struct answer *bare = fixture_ask(fixture, "catalogue.dates",
                                      with_number("concert", s4->concert));
    RULE(fixture, "C5", answer_is(bare, "TOKEN_REQUIRED"));
    struct answer *waiting = fixture_ask(fixture, "catalogue.dates",
                                         with_number("concert", s4->concert),
                                         with_text("token", s4->fritz.token));
    RULE(fixture, "C5", answer_is(waiting, "NOT_YOUR_TURN"));
    RULE(fixture, "Q3", answer_is(fan_lists_seats(&s4->fritz, false), "NOT_YOUR_TURN"));
    RULE(fixture, "R4", answer_is(fan_holds(&s4->fritz, 1), "NOT_YOUR_TURN"));
    const struct value *row = date_row(fixture, s4->concert, s4->evening, s4->dora.token);
    RULE(fixture, "C2", value_find_uint(row, "seats_available", 0) == 5);
    RULE(fixture, "C2", value_find_uint(row, "sales_open_at", 0) == s4->opens_at);
    RULE(fixture, "C1", value_text_equal(value_find(row, "title"), "evening"));
}

static uint32_t dates_with_seats(struct s4 *s4) {
    struct answer *answer = fixture_ask(
        s4->fixture, "catalogue.dates", with_number("concert", s4->concert),
        with_text("token", s4->emil.token), with_flag("available_only", true));
    return value_count(answer_list(answer, "dates"));
}

/* Somebody buys both seats of the matinee: it is not listed any more. */
static void only_dates_with_seats_left(struct s4 *s4) {
    struct engine_fixture *fixture = s4->fixture;
    struct fan gina = fan_of(fixture, s4->matinee, 9);
    RULE(fixture, "C2", dates_with_seats(s4) == 2);
    RULE(fixture, "Q9", answer_says(fan_enters(&gina), "state", "active"));
    RULE(fixture, "R1", answer_number(fan_holds(&gina, 1, 2), "amount") == 2 * STALLS);
    RULE(fixture, "C2", dates_with_seats(s4) == 1);
    assert_true(answer_is_ok(fan_releases(&gina)));
    RULE(fixture, "C2", dates_with_seats(s4) == 2);
    assert_true(answer_is_ok(fan_holds(&gina, 1, 2)));
    assert_true(answer_is_ok(fan_charges(&gina, 2 * STALLS, "g")));
    RULE(fixture, "P3", answer_number(fan_pays(&gina, "g"), "balance") == 0);
    RULE(fixture, "C2", dates_with_seats(s4) == 1);
}

static void every_seat_has_its_price(struct s4 *s4) {
    struct engine_fixture *fixture = s4->fixture;
    struct answer *seats = fan_lists_seats(&s4->dora, false);
    RULE(fixture, "C3", value_find_uint(seat_row(seats, 2), "price", 0) == STALLS);
    RULE(fixture, "C3", value_find_uint(seat_row(seats, 4), "price", 0) == BOX);
    RULE(fixture, "C3", value_text_equal(value_find(seat_row(seats, 4), "section"), "box"));
    struct answer *held = fan_holds_by_name(&s4->dora, "box-1"); /* by guid */
    RULE(fixture, "C3", answer_number(held, "amount") == BOX);
    RULE(fixture, "C4", seat_row(fan_lists_seats(&s4->emil, false), 4) == NULL);
    RULE(fixture, "R2", answer_is(fan_holds(&s4->emil, 1, 4), "SEAT_TAKEN"));
    RULE(fixture, "R1", answer_number(fan_holds(&s4->emil, 1), "amount") == STALLS);
    /* P2, W1: too little, charge, pay again */
    assert_true(answer_is_ok(fan_charges(&s4->dora, BOX - 1, "d1")));
    struct answer *poor = fan_pays(&s4->dora, "d");
    RULE(fixture, "P2",
         answer_is(poor, "INSUFFICIENT_FUNDS") && answer_data(poor, "shortfall") == 1);
    RULE(fixture, "P1", fan_balance(&s4->dora) == BOX - 1);
    RULE(fixture, "W1", answer_number(fan_charges(&s4->dora, 1, "d2"), "balance") == BOX);
    struct answer *payment = fan_pays(&s4->dora, "d");
    RULE(fixture, "P3", answer_number(payment, "amount") == BOX);
    RULE(fixture, "Q10", answer_says(fan_polls(&s4->dora), "end", "paid"));
    RULE(fixture, "Q9", fan_is(&s4->fritz, "active"));
    RULE(fixture, "Q3", answer_is(fan_holds(&s4->dora, 2), "TOKEN_EXPIRED"));
    const struct value *rows = answer_list(fan_history(&s4->dora), "rows");
    RULE(fixture, "W2", value_count(rows) == 3);
    RULE(fixture, "W2", value_find_uint(value_at(rows, 2), "balance", 1) == 0);
}

/* R3, at once: who waits for a seat gets it in the moment that its hold ends. */
static void unpaid_holds_end(struct s4 *s4) {
    struct engine_fixture *fixture = s4->fixture;
    fixture_advance(fixture, 300000); /* the default */
    RULE(fixture, "R3", fan_reservation_is(&s4->emil, "expired"));
    RULE(fixture, "R3", answer_is_ok(fan_holds(&s4->fritz, 1)));
}

/* A free seat is paid for like any other, by somebody who never had a wallet, and given back. */
static void a_free_seat(struct s4 *s4) {
    struct engine_fixture *fixture = s4->fixture;
    struct fan hans = fan_of(fixture, s4->evening, 11);
    assert_true(answer_is_ok(fan_leaves(&s4->emil)));
    RULE(fixture, "Q9", answer_says(fan_enters(&hans), "state", "active"));
    RULE(fixture, "C3", answer_number(fan_holds_by_name(&hans, "guests/1/1"), "amount") == 0);
    RULE(fixture, "P1", answer_number(fan_pays(&hans, "h"), "balance") == 0);
    RULE(fixture, "P3", fan_reservation_is(&hans, "paid"));
    RULE(fixture, "R8", answer_says(fan_cancels(&hans, "h"), "state", "refunded"));
    RULE(fixture, "W1", fan_balance(&hans) == 0);
}

/* The organiser cancels the evening: everybody has their points back, nobody can enter. */
static void the_evening_is_cancelled(struct s4 *s4) {
    struct engine_fixture *fixture = s4->fixture;
    RULE(fixture, "R8", answer_says(date_is_cancelled(fixture, s4->evening), "state", "cancelled"));
    fixture_advance(fixture, 1); /* refunds are messages between shards */
    RULE(fixture, "R8", fan_balance(&s4->dora) == BOX);
    RULE(fixture, "R8", fan_reservation_is(&s4->dora, "refunded"));
    RULE(fixture, "R8", fan_reservation_is(&s4->fritz, "cancelled"));
    RULE(fixture, "Q3", answer_is(fan_enters(&s4->emil), "DATE_CANCELLED"));
    RULE(fixture, "P1", answer_is(fan_pays(&s4->fritz, "f"), "DATE_CANCELLED"));
    const struct value *rows = answer_list(fan_history(&s4->dora), "rows");
    RULE(fixture, "W2", value_text_equal(value_find(value_at(rows, 3), "reason"), "refund"));
}

static void two_dates(void **state) {
    struct s4 s4 = open_s4(state);
    not_before_the_hour(&s4);
    the_same_token_again(&s4);
    lists_are_guarded(&s4);
    only_dates_with_seats_left(&s4);
    every_seat_has_its_price(&s4);
    unpaid_holds_end(&s4);
    a_free_seat(&s4);
    the_evening_is_cancelled(&s4);
    fixture_demand_rules(s4.fixture, RULES);
    oracle_finish(s4.fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(two_dates, fixture_teardown),
    };
    return cmocka_run_group_tests_name("scenario S4", tests, NULL, NULL);
}
