/* test_s1.c - the system with fifty numbered seats, and an error code for everything
 *
 * Policy: first come first served, seats 1 to 50, a hold lasts five minutes.
 *
 * Rules demanded here, by number of the requirements:
 *   Q1 Q2 Q3 Q5 Q10 Q12      the waiting room, with thousands in it
 *   C2 C3 C4 C5              dates and seats
 *   R1 R2 R3 R4 R5           reservations, and why one is refused
 *   W1 P1 P3 X1              money, codes
 *
 * Driven with threads, on a disk in memory; the power fails in the middle.
 */
#include <stdio.h>
#include <string.h>

#include "tests/oracle/oracle_engine.h"
#include "tests/support/fan.h"

#define RULES "Q1 Q2 Q3 Q5 Q10 Q12 O2 C2 C3 C4 C5 R1 R2 R3 R4 R5 W1 P1 P3 X1"

#define SEATS 50u
#define HOLD_MS 300000u
#define PRICE 100u
#define CROWD 3000u
#define WAVE 500u /* calls under way at once */

struct s1 {
    struct engine_fixture *fixture;
    uint32_t concert, date;
    struct fan first, second, waiting;
};

static struct s1 open_s1(void **state) {
    struct s1 s1 = {.fixture = fixture_open(&(struct fixture_options){.shards = 3})};
    *state = s1.fixture;
    s1.concert = concert_of(s1.fixture, "S1");
    s1.date = date_of(s1.fixture, s1.concert, with_text("order", "fifo"),
                      with_number("active_capacity", 2), with_number("hold_ttl_ms", HOLD_MS),
                      with_number("active_ttl_ms", 4 * HOLD_MS),
                      with_number("waiting_timeout_ms", 100 * HOLD_MS));
    (void)date_add_seats(s1.fixture, s1.date, SEATS, PRICE, "A"); /* it has checked its answers */
    s1.first = fan_of(s1.fixture, s1.date, 1);
    s1.second = fan_of(s1.fixture, s1.date, 2);
    s1.waiting = fan_of(s1.fixture, s1.date, 3);
    return s1;
}

static void the_date_is_listed(struct s1 *s1) {
    bool bookable = false;
    RULE(s1->fixture, "O2", date_row(s1->fixture, s1->concert, s1->date, NULL) == NULL);
    RULE(s1->fixture, "O2", answer_is(fan_enters(&s1->first), "NO_SUCH_DATE"));
    assert_true(answer_is_ok(date_opens(s1->fixture, s1->date)));
    assert_true(answer_is_ok(date_closes(s1->fixture, s1->date)));
    const struct value *row = date_row(s1->fixture, s1->concert, s1->date, NULL);
    RULE(s1->fixture, "C2", value_get_bool(value_find(row, "bookable"), &bookable) && !bookable);
    RULE(s1->fixture, "X1", answer_is(fan_enters(&s1->first), "DATE_CLOSED"));
    assert_true(answer_is_ok(date_opens(s1->fixture, s1->date)));
    row = date_row(s1->fixture, s1->concert, s1->date, NULL);
    RULE(s1->fixture, "C2", value_get_bool(value_find(row, "bookable"), &bookable) && bookable);
    RULE(s1->fixture, "C2", value_find_uint(row, "seats_total", 0) == SEATS);
    RULE(s1->fixture, "C2", value_find_uint(row, "seats_available", 0) == SEATS);
    RULE(s1->fixture, "C2", value_find_uint(row, "starts_at", 0) > fixture_now(s1->fixture));
}

/* A crowd enters through one coalescing client, in waves. Its places are those in which the engine
 * decided: the log's order, without a gap. */
struct order {
    uint32_t last; /* place */
    bool good;
};

static void follow_places(void *context, const struct decision *decision) {
    struct order *order = context;
    if (decision->kind != DECISION_QUEUE_ENTERED) return;
    order->good = order->good && decision->queue_entered.place == order->last + 1;
    order->last = decision->queue_entered.place;
}

static void a_crowd_waits(struct s1 *s1) {
    struct engine_fixture *fixture = s1->fixture;
    struct answer *answers[WAVE];
    char user[40];
    for (uint32_t done = 0; done < CROWD; done += WAVE) {
        for (uint32_t i = 0; i < WAVE; i++) {
            (void)snprintf(user, sizeof user, "fa000000-0000-4000-8001-%012x", done + i);
            answers[i] = fixture_send(
                fixture, "queue.enter",
                PARAMS(with_number("date", s1->date), with_text("user", user)));
        }
        for (uint32_t i = 0; i < WAVE; i++) {
            RULE(fixture, "Q12",
                 answer_says(fixture_wait(fixture, answers[i]), "state", "waiting"));
            (void)snprintf(user, sizeof user, "fa000000-0000-4000-8001-%012x", done + i);
            RULE(fixture, "Q1", answer_says(answers[i], "user", user));
        }
    }
    RULE(fixture, "Q12",
         value_find_uint(date_row(fixture, s1->concert, s1->date, NULL), "waiting", 0) == CROWD);
    struct order order = {.good = true};
    fixture_read_log(fixture, follow_places, &order);
    RULE(fixture, "Q2", order.good && order.last == CROWD + 2);
    RULE(fixture, "Q1", answer_number(fan_enters(&s1->waiting), "ahead") == CROWD);
    RULE(fixture, "Q5", answer_number(fan_polls(&s1->waiting), "position") == CROWD + 1);
}

static void every_refusal_has_a_code(struct s1 *s1) {
    struct engine_fixture *fixture = s1->fixture;
    RULE(fixture, "R1",
         answer_number(fan_holds(&s1->first, 17), "expires_at") == fixture_now(fixture) + HOLD_MS);
    struct answer *taken = fan_holds(&s1->second, 17);
    RULE(fixture, "R4", answer_is(taken, "SEAT_TAKEN") && answer_data(taken, "seat") == 17);
    struct answer *unknown = fan_holds(&s1->second, SEATS + 1);
    RULE(fixture, "R4", answer_is(unknown, "SEAT_UNKNOWN") && answer_data(unknown, "index") == 0);
    struct answer *early = fan_holds(&s1->waiting, 18);
    RULE(fixture, "R4", answer_is(early, "NOT_YOUR_TURN") && answer_data(early, "ahead") == CROWD);
    struct answer *limit = fan_holds(&s1->second, 1, 2, 3, 4, 5);
    RULE(fixture, "R5", answer_is(limit, "SEAT_LIMIT") && answer_data(limit, "limit") == 4);
    RULE(fixture, "R4", answer_data(limit, "have") == 0);
    RULE(fixture, "X1", answer_is(fan_holds(&s1->second, 9, 9), "SEAT_REPEATED"));
    RULE(fixture, "R5", answer_is(fan_holds(&s1->second, 18, 17), "SEAT_TAKEN")); /* all or none: */
    RULE(fixture, "R5", seat_is(fan_lists_seats(&s1->second, true), 18, "available"));
    struct answer *three = fan_holds(&s1->second, 18, 19, 20);
    RULE(fixture, "R5", answer_number(three, "amount") == 3 * PRICE);
    limit = fan_holds(&s1->second, 21, 22);
    RULE(fixture, "R5", answer_is(limit, "SEAT_LIMIT") && answer_data(limit, "have") == 3);

    RULE(fixture, "C5", answer_is(fan_lists_seats(&s1->waiting, false), "NOT_YOUR_TURN"));
    struct fan forger = s1->first;
    forger.token[40] = forger.token[40] == '0' ? '1' : '0';
    RULE(fixture, "Q3", answer_is(fan_lists_seats(&forger, false), "TOKEN_INVALID"));
    RULE(fixture, "Q3", answer_is(fan_polls(&forger), "TOKEN_INVALID"));
    RULE(fixture, "Q3", answer_is(fan_holds(&forger, 30), "TOKEN_INVALID"));
    RULE(fixture, "X1", answer_is(fixture_ask(fixture, "seats.steal"), "UNKNOWN_METHOD"));
    RULE(fixture, "X1",
         answer_is(fixture_ask(fixture, "queue.enter", with_number("date", s1->date)),
                   "BAD_PARAMS"));
    struct fan lost = fan_of(fixture, 99, 4);
    RULE(fixture, "X1", answer_is(fan_enters(&lost), "NO_SUCH_DATE"));
    RULE(fixture, "W1", answer_is(fan_charges(&s1->first, 0, "zero"), "AMOUNT_INVALID"));
}

static void seats_have_plain_numbers(struct s1 *s1) {
    struct answer *all = fan_lists_seats(&s1->first, true);
    RULE(s1->fixture, "C3", value_count(answer_list(all, "seats")) == SEATS);
    for (uint32_t number = 1; number <= SEATS; number++) {
        RULE(s1->fixture, "C3", seat_row(all, number) != NULL);
    }
    struct answer *available = fan_lists_seats(&s1->first, false);
    RULE(s1->fixture, "C4", value_count(answer_list(available, "seats")) == SEATS - 4);
    RULE(s1->fixture, "C4", seat_row(available, 17) == NULL && seat_row(available, 16) != NULL);
    const struct value *row = date_row(s1->fixture, s1->concert, s1->date, NULL);
    RULE(s1->fixture, "C2", value_find_uint(row, "seats_available", 0) == SEATS - 4);
}

/* Five minutes pass. The second pays in time, the first does not. */
static void holds_end_by_themselves(struct s1 *s1) {
    struct engine_fixture *fixture = s1->fixture;
    RULE(fixture, "W1", answer_number(fan_charges(&s1->second, 1000, "k"), "balance") == 1000);
    fixture_advance(fixture, HOLD_MS - 1);
    RULE(fixture, "R1", answer_is(fan_holds(&s1->second, 17), "SEAT_TAKEN"));
    RULE(fixture, "P3", answer_number(fan_pays(&s1->second, "p"), "balance") == 1000 - 3 * PRICE);
    RULE(fixture, "Q10", answer_says(fan_polls(&s1->second), "end", "paid"));
    fixture_advance(fixture, 1);
    RULE(fixture, "R3", fan_reservation_is(&s1->first, "expired"));
    struct answer *seats = fan_lists_seats(&s1->first, true);
    RULE(fixture, "R3", seat_is(seats, 17, "available") && seat_is(seats, 18, "sold"));
    RULE(fixture, "P1", answer_is(fan_pays(&s1->first, "p"), "RESERVATION_ENDED"));
    RULE(fixture, "R3", answer_is_ok(fan_holds(&s1->first, 17)));              /* at once */
    RULE(fixture, "R3", fixture_count_log(fixture, DECISION_SEATS_HELD) == 3); /* on record */
    RULE(fixture, "R3", fixture_count_log(fixture, DECISION_RESERVATION_ENDED) == 1);
    RULE(fixture, "R4",
         fixture_count_log(fixture, DECISION_HOLD_REFUSED) >= 6); /* demand is, too */
}

/* What was told stays true. */
static void the_power_fails(struct s1 *s1) {
    struct engine_fixture *fixture = s1->fixture;
    fixture_crash(fixture, 1);
    RULE(fixture, "Q3", answer_says(fan_polls(&s1->first), "state", "active"));
    struct answer *seats = fan_lists_seats(&s1->first, true);
    RULE(fixture, "R2", seat_is(seats, 17, "held") && seat_is(seats, 18, "sold"));
    RULE(fixture, "P3", fan_balance(&s1->second) == 1000 - 3 * PRICE);
    /* The second's slot went to the first of the crowd, and to nobody twice. */
    RULE(fixture, "Q2", answer_number(fan_polls(&s1->waiting), "ahead") == CROWD - 1);
    RULE(fixture, "R2", answer_is_ok(fan_pays(&s1->second, "p"))); /* the same answer again */
    RULE(fixture, "P3", fan_balance(&s1->second) == 1000 - 3 * PRICE);
}

static void fifty_seats(void **state) {
    struct s1 s1 = open_s1(state);
    the_date_is_listed(&s1);
    RULE(s1.fixture, "Q1", answer_says(fan_enters(&s1.first), "state", "active"));
    RULE(s1.fixture, "Q1", answer_says(fan_enters(&s1.second), "state", "active"));
    a_crowd_waits(&s1);
    every_refusal_has_a_code(&s1);
    seats_have_plain_numbers(&s1);
    holds_end_by_themselves(&s1);
    the_power_fails(&s1);
    fixture_demand_rules(s1.fixture, RULES);
    oracle_finish(s1.fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(fifty_seats, fixture_teardown),
    };
    return cmocka_run_group_tests_name("scenario S1", tests, NULL, NULL);
}
