/* test_s0.c - the system with a line, ten at a time: one evening of S0, from the door to the refund
 *
 * Policy: first come first served, ten active users, seven minutes each, a waiter who is silent for
 * 60 s is dropped, a hold lasts seven minutes.
 *
 * Rules demanded here, by number of the requirements:
 *   Q1 Q2 Q3 Q5 Q6 Q7 Q8 Q9 Q10 Q11   the waiting room
 *   C3 C4 C5                          seats
 *   R1 R2 R3 R6 R7 R8                 reservations
 *   W1 W2 P1 P3 P4                    money
 *
 * Driven with threads, over a log in a folder, and restarted in the middle.
 */
#include <string.h>

#include "tests/oracle/oracle_engine.h"
#include "tests/support/fan.h"

#define RULES "Q1 Q2 Q3 Q5 Q6 Q7 Q8 Q9 Q10 Q11 C3 C4 C5 R1 R2 R3 R6 R7 R8 W1 W2 P1 P3 P4"

#define CAPACITY 10u
#define SILENCE_MS 60000u
#define ACTIVE_MS 420000u
#define HOLD_MS 420000u
#define PRICE 90u

static struct engine_fixture *open_s0(void **state, uint32_t *ret_date) {
    struct engine_fixture *fixture = fixture_open(
        &(struct fixture_options){.shards = 2, .folder = true});
    *state = fixture;
    *ret_date = date_on_sale(
        fixture, 20, PRICE, with_text("order", "fifo"), with_number("active_capacity", CAPACITY),
        with_number("waiting_timeout_ms", SILENCE_MS), with_number("active_ttl_ms", ACTIVE_MS),
        with_number("hold_ttl_ms", HOLD_MS));
    return fixture;
}

/* Fifteen come; ten are let in, five wait in the order in which they came. */
static void fill_the_room(struct engine_fixture *fixture, uint32_t date, struct fan *fans,
                          uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        fans[i] = fan_of(fixture, date, (uint8_t)(i + 1));
        struct answer *token = fan_enters(&fans[i]);
        RULE(fixture, "Q1", strlen(fans[i].token) == 48 && answer_has(token, "position"));
        if (i < CAPACITY) {
            RULE(fixture, "Q9",
                 answer_says(token, "state", "active")); /* the moment a slot is free */
            RULE(fixture, "Q8",
                 answer_number(token, "expires_at") == fixture_now(fixture) + ACTIVE_MS);
        } else {
            RULE(fixture, "Q7", answer_says(token, "state", "waiting"));
            RULE(fixture, "Q2", answer_number(token, "ahead") == i - CAPACITY);
            RULE(fixture, "Q1", answer_number(token, "position") == i - CAPACITY + 1);
        }
    }
}

static void poll_all(struct fan *fans, uint32_t first, uint32_t end) {
    for (uint32_t i = first; i < end; i++) assert_true(answer_is_ok(fan_polls(&fans[i])));
}

/* Who waits must keep polling; who does not is dropped; those behind move up. */
static void silence_drops_only_the_silent(struct engine_fixture *fixture, struct fan *fans) {
    struct answer *poll = fan_polls(&fans[12]);
    RULE(fixture, "Q5", answer_says(poll, "state", "waiting") && answer_number(poll, "ahead") == 2);
    RULE(fixture, "Q5", answer_number(poll, "eta_ms") > 0);
    RULE(fixture, "Q5",
         answer_number(poll, "next_poll_ms") > 0 &&
             answer_number(poll, "next_poll_ms") < SILENCE_MS);
    for (uint32_t i = 0; i < 3; i++) { /* 90 s in all; waiter 11 says nothing */
        fixture_advance(fixture, SILENCE_MS / 2);
        poll_all(fans, 10, 11);
        poll_all(fans, 12, 15);
    }
    struct answer *silent = fan_polls(&fans[11]);
    RULE(fixture, "Q6",
         answer_says(silent, "state", "expired") && answer_says(silent, "end", "silent"));
    poll = fan_polls(&fans[12]);
    RULE(fixture, "Q6", answer_says(poll, "state", "waiting"));
    RULE(fixture, "Q6", answer_number(poll, "ahead") == 1); /* moved up */
}

static void leaving_lets_the_next_in(struct engine_fixture *fixture, struct fan *fans) {
    struct answer *left = fan_leaves(&fans[0]);
    RULE(fixture, "Q11", answer_says(left, "state", "expired") && answer_says(left, "end", "left"));
    RULE(fixture, "Q9", fan_is(&fans[10], "active")); /* at once, and the first in line */
    RULE(fixture, "Q2", fan_is(&fans[12], "waiting"));
    RULE(fixture, "Q3", answer_is(fan_holds(&fans[0], 1), "TOKEN_EXPIRED"));
    RULE(fixture, "C5", answer_is(fan_lists_seats(&fans[12], false), "NOT_YOUR_TURN"));
    RULE(fixture, "Q11", answer_says(fan_leaves(&fans[14]), "end", "left")); /* a waiter may, too */
    RULE(fixture, "Q11", answer_number(fan_polls(&fans[13]), "ahead") == 1);
}

static void seats_are_held_and_released(struct engine_fixture *fixture, struct fan *fans) {
    struct answer *seats = fan_lists_seats(&fans[1], false);
    RULE(fixture, "C4", value_count(answer_list(seats, "seats")) == 20);
    const struct value *row = seat_row(seats, 7);
    RULE(fixture, "C3", value_text_equal(value_find(row, "section"), "A"));
    RULE(fixture, "C3", value_text_equal(value_find(row, "row"), "1"));
    RULE(fixture, "C3", value_text_equal(value_find(row, "seat"), "7"));

    RULE(fixture, "C3", answer_is_ok(fan_holds_by_name(&fans[1], "A/1/7")));
    RULE(fixture, "R1", answer_is(fan_holds(&fans[2], 7), "SEAT_TAKEN"));
    seats = fan_lists_seats(&fans[2], false);
    RULE(fixture, "C4", seat_row(seats, 7) == NULL); /* held is not available */
    RULE(fixture, "C4", seat_is(fan_lists_seats(&fans[2], true), 7, "held"));
    RULE(fixture, "R7", fan_reservation_is(&fans[1], "held"));

    struct fan thief = fans[2];
    thief.reservation = fans[1].reservation;
    RULE(fixture, "R6",
         answer_is(fan_releases(&thief), "NO_SUCH_RESERVATION")); /* its owner alone */
    RULE(fixture, "R6", answer_says(fan_releases(&fans[1]), "state", "released"));
    RULE(fixture, "R6",
         answer_says(fan_releases(&fans[1]), "state", "released")); /* double click */
    RULE(fixture, "R6", answer_is_ok(fan_holds(&fans[2], 7)));      /* free for the next */
    RULE(fixture, "R8", answer_says(fan_cancels(&fans[2], "c1"), "state", "released")); /* unpaid */
    RULE(fixture, "R8", answer_is_ok(fan_holds(&fans[1], 7)));
}

static void paying_ends_the_turn(struct engine_fixture *fixture, struct fan *fans) {
    struct fan *buyer = &fans[1];
    RULE(fixture, "W1", answer_is(fan_charges(buyer, 0, "k0"), "AMOUNT_INVALID"));
    RULE(fixture, "W1", answer_number(fan_charges(buyer, 200, "k1"), "balance") == 200);
    RULE(fixture, "W1",
         answer_number(fan_charges(buyer, 200, "k1"), "balance") == 200); /* resent */
    struct answer *payment = fan_pays(buyer, "p1");
    RULE(fixture, "P3", answer_number(payment, "amount") == PRICE);
    RULE(fixture, "P3", answer_number(payment, "balance") == 200 - PRICE);
    RULE(fixture, "P3", answer_number(payment, "paid_at") == fixture_now(fixture));
    RULE(fixture, "P3", answer_number(payment, "payment") > 0);
    RULE(fixture, "P3", fan_balance(buyer) == 200 - PRICE);
    struct answer *again = fan_pays(buyer, "p1");
    RULE(fixture, "P4", answer_number(again, "payment") == answer_number(payment, "payment"));
    RULE(fixture, "P4", fan_balance(buyer) == 200 - PRICE);
    struct answer *token = fan_polls(buyer);
    RULE(fixture, "Q10",
         answer_says(token, "state", "expired") && answer_says(token, "end", "paid"));
    RULE(fixture, "Q9", fan_is(&fans[12], "active")); /* the slot went on */
    RULE(fixture, "P3", seat_is(fan_lists_seats(&fans[2], true), 7, "sold"));
    RULE(fixture, "R2", answer_is(fan_holds(&fans[2], 7), "SEAT_TAKEN"));
    struct fan thief = fans[2];
    thief.reservation = buyer->reservation;
    RULE(fixture, "P1", answer_is(fan_pays(&thief, "p2"), "NO_SUCH_RESERVATION"));
}

/* Seven minutes are over: what was held and not paid is free, the next is in. */
static void active_time_ends(struct engine_fixture *fixture, struct fan *fans) {
    assert_true(answer_is_ok(fan_holds(&fans[3], 3)));
    RULE(fixture, "Q3", fan_is(&fans[3], "active"));
    for (uint32_t i = 0; i < 8; i++) { /* waiter 13 keeps polling while they pass */
        fixture_advance(fixture, SILENCE_MS - 10000);
        (void)fan_polls(&fans[13]);
    }
    struct answer *token = fan_polls(&fans[3]);
    RULE(fixture, "Q8",
         answer_says(token, "state", "expired") && answer_says(token, "end", "time"));
    RULE(fixture, "R3", fan_reservation_is(&fans[3], "expired"));
    RULE(fixture, "Q8", fan_is(&fans[13], "active"));
    RULE(fixture, "R3", seat_is(fan_lists_seats(&fans[13], false), 3, "available"));
    RULE(fixture, "Q8", answer_is_ok(fan_holds(&fans[13], 3)));
    RULE(fixture, "P1", answer_is(fan_pays(&fans[3], "p3"), "RESERVATION_ENDED"));
}

struct holder {
    uint32_t seat;
    uint32_t held, ended;
};

static void follow_seat(void *context, const struct decision *decision) {
    struct holder *holder = context;
    if (decision->kind == DECISION_SEATS_HELD) {
        const struct numbers *seats = &decision->seats_held.seats;
        holder->held += seats->count == 1 && seats->values[0] == holder->seat;
    }
    if (decision->kind == DECISION_TOKEN_EXPIRED) {
        holder->ended += decision->token_expired.released.count;
    }
}

static void refund(struct engine_fixture *fixture, struct fan *fans) {
    struct fan *buyer = &fans[1];
    struct answer *cancelled = fan_cancels(buyer, "c2");
    RULE(fixture, "R8", answer_says(cancelled, "state", "refunded"));
    RULE(fixture, "R8", fan_balance(buyer) == 200);
    RULE(fixture, "R8", answer_says(fan_cancels(buyer, "c2"), "state", "refunded")); /* resent */
    RULE(fixture, "R8", fan_balance(buyer) == 200);
    RULE(fixture, "R8", seat_is(fan_lists_seats(&fans[13], false), 7, "available"));
    const struct value *rows = answer_list(fan_history(buyer), "rows");
    static const char *const reasons[] = {"charge", "payment", "refund"};
    static const uint64_t balances[] = {200, 200 - PRICE, 200};
    RULE(fixture, "W2", value_count(rows) == 3);
    for (uint32_t i = 0; i < 3; i++) {
        const struct value *row = value_at(rows, i);
        RULE(fixture, "W2", value_text_equal(value_find(row, "reason"), reasons[i]));
        RULE(fixture, "W2", value_find_uint(row, "balance", 0) == balances[i]);
        RULE(fixture, "W2", value_find_uint(row, "time", 0) > 0);
    }
}

static void an_evening(void **state) {
    uint32_t date;
    struct fan fans[15];
    struct engine_fixture *fixture = open_s0(state, &date);
    fill_the_room(fixture, date, fans, 15);
    silence_drops_only_the_silent(fixture, fans);
    leaving_lets_the_next_in(fixture, fans);
    seats_are_held_and_released(fixture, fans);
    fixture_restart(fixture); /* tokens, holds and the line outlive the process */
    RULE(fixture, "Q3", fan_is(&fans[2], "active"));
    RULE(fixture, "Q2", answer_number(fan_polls(&fans[13]), "ahead") == 1);
    RULE(fixture, "R7", fan_reservation_is(&fans[1], "held"));
    paying_ends_the_turn(fixture, fans);
    active_time_ends(fixture, fans);
    refund(fixture, fans);
    struct holder holder = {.seat = 3};
    fixture_read_log(fixture, follow_seat, &holder);
    RULE(fixture, "R3", holder.held == 2 && holder.ended == 1); /* who and when stays on record */
    fixture_demand_rules(fixture, RULES);
    oracle_finish(fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(an_evening, fixture_teardown),
    };
    return cmocka_run_group_tests_name("scenario S0", tests, NULL, NULL);
}
