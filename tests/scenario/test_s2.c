/* test_s2.c - the system that lets N in per interval, and whose users run out of money
 *
 * Policy: three admissions each ten seconds, at most five active (MAX_CONNECTION).
 *
 * Rules demanded here, by number of the requirements:
 *   Q1 Q5 Q7 Q9 Q10     the waiting room
 *   C1 C2 C4            what admins add, what is listed
 *   R1 R2 R3            reservations
 *   W1 W2 P1 P2 P3      too little money: charge, and pay again
 *
 * Driven with threads, on a disk in memory.
 */
#include <string.h>

#include "tests/oracle/oracle_engine.h"
#include "tests/support/fan.h"

#define RULES "Q1 Q5 Q7 Q9 Q10 C1 C2 C4 R1 R2 R3 W1 W2 P1 P2 P3"

#define PER_INTERVAL 3u
#define INTERVAL_MS 10000u
#define MAX_CONNECTION 5u
#define FANS 12u
#define HOLD_MS 300000u
#define PRICE 70u

struct s2 {
    struct engine_fixture *fixture;
    uint32_t concert, date;
    struct fan fans[FANS];
};

/* C1: an admin adds concert, date, seats, and opens it */
static struct s2 open_s2(void **state) {
    struct s2 s2 = {.fixture = fixture_open(&(struct fixture_options){.shards = 2})};
    struct engine_fixture *fixture = *state = s2.fixture;
    s2.concert = concert_of(fixture, "S2");
    struct answer *concerts = fixture_ask(fixture, "catalogue.concerts");
    RULE(fixture, "C1", value_count(answer_list(concerts, "concerts")) == 1);
    s2.date = date_of(fixture, s2.concert, with_number("admit_per_interval", PER_INTERVAL),
                      with_number("admit_interval_ms", INTERVAL_MS),
                      with_number("active_capacity", MAX_CONNECTION),
                      with_number("waiting_timeout_ms", 1000 * INTERVAL_MS),
                      with_number("hold_ttl_ms", HOLD_MS));
    RULE(fixture, "C1", answer_is(date_opens(fixture, s2.date), "DATE_WITHOUT_SEATS"));
    RULE(fixture, "C1",
         answer_number(date_add_seats(fixture, s2.date, 30, PRICE, "A"), "seats") == 30);
    RULE(fixture, "C1", answer_says(date_opens(fixture, s2.date), "state", "open"));
    RULE(fixture, "C1", answer_is(fixture_ask(fixture, "admin.seats_add"), "BAD_PARAMS"));
    for (uint32_t i = 0; i < FANS; i++) s2.fans[i] = fan_of(fixture, s2.date, (uint8_t)(i + 1));
    return s2;
}

static uint32_t active(struct s2 *s2) {
    const struct value *row = date_row(s2->fixture, s2->concert, s2->date, NULL);
    return (uint32_t)value_find_uint(row, "active", UINT64_MAX);
}

/* Are exactly the fans first..last-1 active, of those not finished? */
static bool are_active(struct s2 *s2, uint32_t first, uint32_t end) {
    bool good = true;
    for (uint32_t i = first; i < FANS; i++) {
        good = good && fan_is(&s2->fans[i], i < end ? "active" : "waiting");
    }
    return good;
}

static void n_per_interval(struct s2 *s2) {
    struct engine_fixture *fixture = s2->fixture;
    for (uint32_t i = 0; i < FANS; i++) {
        struct answer *token = fan_enters(&s2->fans[i]);
        RULE(fixture, "Q1",
             answer_number(token, "position") == (i < PER_INTERVAL ? 0 : i - PER_INTERVAL + 1));
    }
    RULE(fixture, "Q9", are_active(s2, 0, PER_INTERVAL)); /* two slots are free, yet they wait */
    fixture_advance(fixture, INTERVAL_MS - 1);
    RULE(fixture, "Q9", are_active(s2, 0, PER_INTERVAL));
    RULE(fixture, "Q5", answer_number(fan_polls(&s2->fans[3]), "ahead") == 0);
    fixture_advance(fixture, 1);
    RULE(fixture, "Q7",
         are_active(s2, 0, MAX_CONNECTION)); /* two of three: no more may be active */
    RULE(fixture, "Q7", active(s2) == MAX_CONNECTION);
    fixture_advance(fixture, 5 * INTERVAL_MS);
    RULE(fixture, "Q7", are_active(s2, 0, MAX_CONNECTION));
    RULE(fixture, "Q5", answer_number(fan_polls(&s2->fans[7]), "ahead") == 2);
    /* Four leave: three come in at once, the fourth slot waits for the next interval. */
    for (uint32_t i = 0; i < 4; i++) assert_true(answer_is_ok(fan_leaves(&s2->fans[i])));
    RULE(fixture, "Q9", are_active(s2, 4, 8));
    fixture_advance(fixture, INTERVAL_MS);
    RULE(fixture, "Q9", are_active(s2, 4, 9));
    RULE(fixture, "Q7", active(s2) == MAX_CONNECTION);
}

static void too_little_money(struct s2 *s2) {
    struct engine_fixture *fixture = s2->fixture;
    struct fan *fan = &s2->fans[4];
    RULE(fixture, "R1", answer_number(fan_holds(fan, 1, 2), "amount") == 2 * PRICE);
    struct answer *poor = fan_pays(fan, "p1");
    RULE(fixture, "P2", answer_is(poor, "INSUFFICIENT_FUNDS"));
    RULE(fixture, "P2",
         answer_data(poor, "shortfall") == 2 * PRICE && answer_data(poor, "balance") == 0);
    RULE(fixture, "W1", answer_number(fan_charges(fan, 100, "c1"), "balance") == 100);
    poor = fan_pays(fan, "p2");
    RULE(fixture, "P2", answer_data(poor, "shortfall") == 2 * PRICE - 100);
    RULE(fixture, "P2", answer_data(poor, "amount") == 2 * PRICE);
    RULE(fixture, "P2", fan_reservation_is(fan, "held")); /* the hold stays */
    RULE(fixture, "R2", answer_is(fan_holds(&s2->fans[5], 2), "SEAT_TAKEN"));
    RULE(fixture, "W2", fan_balance(fan) == 100); /* nothing was taken */
    RULE(fixture, "W1",
         answer_number(fan_charges(fan, 2 * PRICE - 100, "c2"), "balance") == 2 * PRICE);
    struct answer *payment = fan_pays(fan,
                                      "p2"); /* the key of the refused attempt may come again */
    RULE(fixture, "P3", answer_number(payment, "balance") == 0);
    RULE(fixture, "P1", answer_number(payment, "amount") == 2 * PRICE);
    RULE(fixture, "Q10", answer_says(fan_polls(fan), "end", "paid"));
    const struct value *rows = answer_list(fan_history(fan), "rows");
    RULE(fixture, "W2", value_count(rows) == 3); /* two charges, one payment */
    RULE(fixture, "W2", value_text_equal(value_find(value_at(rows, 2), "reason"), "payment"));
    RULE(fixture, "W2", value_find_uint(value_at(rows, 2), "amount", 0) == 2 * PRICE);
    RULE(fixture, "W2", value_find_uint(value_at(rows, 2), "balance", 1) == 0);
}

/* ... or not: the hold ends at its time, refused payments do not prolong it. */
static void never_enough(struct s2 *s2) {
    struct engine_fixture *fixture = s2->fixture;
    struct fan *fan = &s2->fans[5];
    RULE(fixture, "R1", answer_is_ok(fan_holds(fan, 5)));
    fixture_advance(fixture, HOLD_MS / 2);
    RULE(fixture, "P2", answer_is(fan_pays(fan, "q1"), "INSUFFICIENT_FUNDS"));
    fixture_advance(fixture, HOLD_MS / 2 - 1);
    RULE(fixture, "P2", answer_is(fan_pays(fan, "q2"), "INSUFFICIENT_FUNDS"));
    fixture_advance(fixture, 1);
    RULE(fixture, "P1", answer_is(fan_pays(fan, "q3"), "RESERVATION_ENDED"));
    RULE(fixture, "R3", fan_reservation_is(fan, "expired"));
    RULE(fixture, "C4", seat_is(fan_lists_seats(fan, false), 5, "available"));
    const struct value *row = date_row(fixture, s2->concert, s2->date, NULL);
    RULE(fixture, "C2", value_find_uint(row, "seats_available", 0) == 28);
    RULE(fixture, "C2", value_find_uint(row, "seats_total", 0) == 30);
}

/* Many charges of one wallet at once: each is whole, the balance is their sum. */
static void charges_do_not_interleave(struct s2 *s2) {
    struct engine_fixture *fixture = s2->fixture;
    struct fan *fan = &s2->fans[6];
    struct answer *answers[40];
    char key[] = "k00";
    for (uint32_t i = 0; i < 40; i++) {
        key[1] = (char)('0' + i / 2 / 10); /* each of them twice */
        key[2] = (char)('0' + i / 2 % 10);
        answers[i] = fixture_send(
            fixture, "wallet.charge",
            PARAMS(with_text("user", fan->user), with_number("amount", 5), with_text("key", key)));
    }
    for (uint32_t i = 0; i < 40; i++) assert_true(answer_is_ok(fixture_wait(fixture, answers[i])));
    RULE(fixture, "W2", fan_balance(fan) == 20 * 5);
    const struct value *rows = answer_list(fan_history(fan), "rows");
    RULE(fixture, "W2", value_count(rows) == 20);
    for (uint32_t i = 0; i < 20; i++) {
        RULE(fixture, "W2", value_find_uint(value_at(rows, i), "balance", 0) == (i + 1) * 5);
    }
}

static void an_interval_at_a_time(void **state) {
    struct s2 s2 = open_s2(state);
    n_per_interval(&s2);
    too_little_money(&s2);
    never_enough(&s2);
    charges_do_not_interleave(&s2);
    fixture_demand_rules(s2.fixture, RULES);
    oracle_finish(s2.fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(an_interval_at_a_time, fixture_teardown),
    };
    return cmocka_run_group_tests_name("scenario S2", tests, NULL, NULL);
}
