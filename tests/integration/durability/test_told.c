/* test_told.c - the power fails under load, with threads: what anybody was told is still true
 *
 * Forty fans over three dates and three shards, two for each seat. In four waves they charge, hold,
 * pay and cancel, all at once; in each wave the power fails after a random number of answers. Then
 * every answer that arrived is compared with what was recovered, and what got no answer is asked
 * again with the same key. At the end every seat has one owner and every point is accounted for.
 *
 * The seed is printed; USHER_SEED runs one again.
 */
#include "tests/support/fan.h"

#include <stdlib.h>
#include <string.h>

#include "tests/oracle/oracle_engine.h"
#include "tests/support/random.h"

#define FANS 40u
#define DATES 3u
#define SEATS (FANS / DATES + 1)
#define PRICE 30u
#define CHARGE 100u
#define SEEDS 20u

struct told_crowd {
    struct engine_fixture *fixture;
    uint32_t dates[DATES];
    struct fan fans[FANS];
    uint32_t seats[FANS];
    struct answer *answers[FANS];
    struct random random;
};

struct arrivals {
    struct told_crowd *crowd;
    uint32_t least;
};

static bool have_arrived(void *context) {
    struct arrivals *arrivals = context;
    uint32_t count = 0;
    for (uint32_t i = 0; i < FANS; i++) count += answer_is_here(arrivals->crowd->answers[i]);
    return count >= arrivals->least;
}

/* Some have their answers, then it is dark; the others' answers never come. */
static void power_fails_after_some(struct told_crowd *crowd) {
    struct arrivals arrivals = {crowd, random_index(&crowd->random, FANS)};
    fixture_until(crowd->fixture, have_arrived, &arrivals, "some answers arrived");
    fixture_crash(crowd->fixture, random_next(&crowd->random));
}

/* Was this fan told something by the engine? (Else the connection was lost.) */
static bool was_told(const struct told_crowd *crowd, uint32_t i) {
    return strcmp(answer_code(crowd->answers[i]), "(none)") != 0;
}

static void open_crowd(struct told_crowd *crowd, void **state, uint64_t seed) {
    *crowd = (struct told_crowd){.random = {seed}};
    crowd->fixture = *state = fixture_open(
        &(struct fixture_options){.shards = 3, .segment_bytes = 256u * 1024u});
    for (uint32_t i = 0; i < DATES; i++) {
        crowd->dates[i] = date_on_sale(crowd->fixture, SEATS, PRICE,
                                       with_number("active_capacity", FANS));
    }
    for (uint32_t i = 0; i < FANS; i++) {
        crowd->fans[i] = fan_of(crowd->fixture, crowd->dates[i % DATES], (uint8_t)(i + 1));
        crowd->seats[i] = i / DATES / 2 + 1; /* two fans of a date want the same */
        assert_true(answer_says(fan_enters(&crowd->fans[i]), "state", "active"));
    }
}

static struct answer *send_charge(struct told_crowd *crowd, uint32_t i) {
    return fixture_send(crowd->fixture, "wallet.charge",
                        PARAMS(with_text("user", crowd->fans[i].user),
                               with_number("amount", CHARGE), with_text("key", "charge")));
}

static void charge(struct told_crowd *crowd) {
    for (uint32_t i = 0; i < FANS; i++) crowd->answers[i] = send_charge(crowd, i);
    power_fails_after_some(crowd);
    for (uint32_t i = 0; i < FANS; i++) {
        uint64_t balance = fan_balance(&crowd->fans[i]);
        assert_true(balance == CHARGE || (balance == 0 && !was_told(crowd, i)));
        assert_int_equal(
            answer_number(fixture_wait(crowd->fixture, send_charge(crowd, i)), "balance"), CHARGE);
    }
}

static void hold(struct told_crowd *crowd) {
    for (uint32_t i = 0; i < FANS; i++) {
        crowd->answers[i] = fixture_send(crowd->fixture, "seats.hold",
                                         PARAMS(with_text("token", crowd->fans[i].token),
                                                with_numbers("seats", &crowd->seats[i], 1)));
    }
    power_fails_after_some(crowd);
    for (uint32_t i = 0; i < FANS; i++) {
        struct fan *fan = &crowd->fans[i];
        bool told = was_told(crowd, i), told_held = told && answer_is_ok(crowd->answers[i]);
        if (told_held) {
            fan->reservation = answer_number(crowd->answers[i], "reservation");
            assert_true(fan_reservation_is(fan, "held"));
        } else if (told) { /* taken then, taken now */
            assert_true(answer_is(crowd->answers[i], "SEAT_TAKEN"));
            assert_true(seat_is(fan_lists_seats(fan, true), crowd->seats[i], "held"));
        }
        struct answer *again = fan_holds(fan, crowd->seats[i]);
        if (told_held) assert_true(answer_is_ok(again)); /* the same hold */
        if (told && !told_held) assert_true(answer_is(again, "SEAT_TAKEN"));
    }
}

static struct answer *send_pay(struct told_crowd *crowd, uint32_t i) {
    return fixture_send(crowd->fixture, "payment.pay",
                        PARAMS(with_text("token", crowd->fans[i].token),
                               with_number("reservation", crowd->fans[i].reservation),
                               with_text("key", "pay")));
}

/* Those without a seat are answered NO_SUCH_RESERVATION, or an id that cannot be. */
static void pay(struct told_crowd *crowd) {
    for (uint32_t i = 0; i < FANS; i++) crowd->answers[i] = send_pay(crowd, i);
    power_fails_after_some(crowd);
    for (uint32_t i = 0; i < FANS; i++) {
        struct fan *fan = &crowd->fans[i];
        if (fan->reservation == 0) continue;
        if (was_told(crowd, i)) assert_true(fan_reservation_is(fan, "paid"));
        assert_true(
            answer_is_ok(fixture_wait(crowd->fixture, send_pay(crowd, i)))); /* the same key */
        assert_int_equal(fan_balance(fan), CHARGE - PRICE);                  /* once */
    }
}

static struct answer *send_cancel(struct told_crowd *crowd, uint32_t i) {
    return fixture_send(crowd->fixture, "reservation.cancel",
                        PARAMS(with_text("user", crowd->fans[i].user),
                               with_number("reservation", crowd->fans[i].reservation),
                               with_text("key", "cancel")));
}

static void cancel(struct told_crowd *crowd) {
    for (uint32_t i = 0; i < FANS; i++) crowd->answers[i] = send_cancel(crowd, i);
    power_fails_after_some(crowd);
    for (uint32_t i = 0; i < FANS; i++) {
        struct fan *fan = &crowd->fans[i];
        if (fan->reservation == 0) continue;
        if (was_told(crowd, i)) assert_true(fan_reservation_is(fan, "refunded"));
        if (i % 2 == 0) continue; /* what was not refunded stays sold */
        assert_true(answer_is_ok(fixture_wait(crowd->fixture, send_cancel(crowd, i))));
        assert_int_equal(fan_balance(fan), CHARGE);
    }
}

/* Nothing stays half-way, asked for or not. */
static void demand_finished(struct told_crowd *crowd) {
    fixture_advance(crowd->fixture,
                    1); /* a few rounds: what was taken up again has come to its end */
    for (uint32_t i = 0; i < FANS; i++) {
        const struct fan *fan = &crowd->fans[i];
        if (fan->reservation == 0) continue;
        assert_true(fan_reservation_is(fan, "paid") || fan_reservation_is(fan, "refunded"));
    }
}

/* Who has each seat, by the log alone: never two. */
#define RESERVATIONS_MAX (4u * FANS)
struct owners {
    uint32_t owner[DATES + 1][SEATS + 1];              /* reservation by date and seat; 0: nobody */
    uint32_t seat_of[DATES + 1][RESERVATIONS_MAX + 1]; /* by date and reservation */
};

static void follow(void *context, const struct decision *decision) {
    struct owners *owners = context;
    uint32_t date = decision->partition - PARTITION_DATE_FIRST;
    if (!partition_is_date(decision->partition)) return;
    if (decision->kind == DECISION_SEATS_HELD) {
        uint32_t seat = decision->seats_held.seats.values[0];
        assert_int_equal(owners->owner[date][seat], 0); /* R2 */
        assert_true(decision->seats_held.reservation <= RESERVATIONS_MAX);
        owners->owner[date][seat] = decision->seats_held.reservation;
        owners->seat_of[date][decision->seats_held.reservation] = seat;
    } else if (decision->kind == DECISION_SEATS_REFUNDED) {
        owners->owner[date][owners->seat_of[date][decision->seats_refunded.reservation]] = 0;
    }
}

static void under_load(void **state) {
    uint64_t *seed = *state;
    struct told_crowd crowd;
    random_tell(*seed);
    *state = NULL;
    open_crowd(&crowd, state, *seed);
    charge(&crowd);
    hold(&crowd);
    pay(&crowd);
    cancel(&crowd);
    demand_finished(&crowd);
    struct owners owners = {0};
    fixture_read_log(crowd.fixture, follow, &owners);
    oracle_finish(crowd.fixture);
}

int main(void) {
    static uint64_t seeds[SEEDS];
    static struct CMUnitTest tests[SEEDS];
    const struct random_seeds chosen = random_seeds(100, SEEDS);
    uint32_t count = chosen.count < SEEDS ? (uint32_t)chosen.count : SEEDS;
    for (uint32_t i = 0; i < count; i++) {
        seeds[i] = chosen.first + i;
        tests[i] = (struct CMUnitTest){"what was told stays true", under_load, NULL,
                                       fixture_teardown, &seeds[i]};
    }
    return _cmocka_run_group_tests("durability: told", tests, count, NULL, NULL);
}
