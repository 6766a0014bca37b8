/* test_reads.c - who only looks is not told either, before what they see is written
 *
 * Each case leaves the write of a change under way and then reads: the same partition, another one
 * of the same shard, and, through the board, a partition of another shard. The read is answered by
 * the engine at once, but must not leave; when the write completes, it says what the change made
 * true, which proves that it saw it.
 *
 * Time is a change, too: whoever is dropped, expired or admitted by it.
 */
#include "tests/integration/durability/durability_fixture.h"

#include <string.h>

#include "tests/oracle/oracle_engine.h"

#define NEW_DATES 4u
#define NEWEST_DATE (1u + NEW_DATES)

struct reads_look {
    const char *name;
    void (*prepare)(struct durability_fixture *sale); /* NULL: nothing */
    void (*change)(struct durability_fixture *sale);  /* sends requests, or turns the clock */
    uint32_t replies;                                 /* requests that `change` makes */
    struct answer *(*ask)(struct durability_fixture *sale);
    bool (*saw)(const struct durability_fixture *sale, const struct answer *answer);
};

/* --- changes ---------------------------------------------------------------------------------- */

static void enter(struct durability_fixture *sale) {
    assert_true(answer_is_ok(fan_enters(&sale->anna)));
}
static void both_enter(struct durability_fixture *sale) {
    enter(sale);
    assert_true(answer_is_ok(fan_enters(&sale->ben)));
}
/* Ben's token is of another date of the concert, on another shard. */
static void ben_elsewhere(struct durability_fixture *sale) {
    enter(sale);
    sale->ben.date = date_of(sale->fixture, sale->concert);
    (void)date_add_seats(sale->fixture, sale->ben.date, 1, DURABILITY_PRICE,
                         "B"); /* checked there */
    assert_true(answer_is_ok(date_opens(sale->fixture, sale->ben.date)));
    assert_int_not_equal(fixture_shard_of_date(sale->fixture, sale->ben.date),
                         DURABILITY_DATE_SHARD);
    assert_true(answer_says(fan_enters(&sale->ben), "state", "active"));
}
static void hold_with_money(struct durability_fixture *sale) {
    durability_hold(sale);
    durability_charge(sale);
    assert_true(answer_is_ok(fan_enters(&sale->ben)));
}

static void change_hold(struct durability_fixture *sale) {
    static const uint32_t seat[] = {1};
    (void)fixture_send(
        sale->fixture, "seats.hold", /* not waited for, as all of these */
        PARAMS(with_text("token", sale->anna.token), with_numbers("seats", seat, 1)));
}
static void change_charge(struct durability_fixture *sale) {
    (void)fixture_send(sale->fixture, "wallet.charge",
                       PARAMS(with_text("user", sale->anna.user), with_number("amount", 7),
                              with_text("key", "seven")));
}
static void change_pay(struct durability_fixture *sale) { (void)durability_send_pay(sale); }
static void change_concert(struct durability_fixture *sale) {
    (void)fixture_send(sale->fixture, "admin.concert_create",
                       PARAMS(with_text("title", "another")));
}
static void change_date(struct durability_fixture *sale) {
    for (uint32_t i = 0; i < NEW_DATES; i++) { /* the last is not on the catalogue's shard */
        uint64_t submitted = fixture_submitted(sale->fixture);
        (void)fixture_send(sale->fixture, "admin.date_create",
                           PARAMS(with_number("concert", sale->concert), with_text("title", "next"),
                                  with_number("starts_at", FIXTURE_BEGIN_MS)));
        fixture_until_submitted(sale->fixture, submitted + 1);
    }
}
static void change_gate(struct durability_fixture *sale) {
    (void)fixture_send(sale->fixture, "admin.date_policy",
                       PARAMS(with_number("date", sale->date), with_flag("gate_dates", true)));
}
static void change_time(struct durability_fixture *sale) {
    fixture_advance(sale->fixture, DURABILITY_HOLD_MS);
}

/* --- looks ------------------------------------------------------------------------------------ */

static struct answer *ask_status(struct durability_fixture *sale) {
    return fixture_send(sale->fixture, "queue.status",
                        PARAMS(with_text("token", sale->anna.token)));
}
static struct answer *ask_seats(struct durability_fixture *sale) {
    return fixture_send(sale->fixture, "seats.list",
                        PARAMS(with_text("token", sale->ben.token), with_flag("all", true)));
}
static struct answer *ask_reservations(struct durability_fixture *sale) {
    return fixture_send(sale->fixture, "reservation.list",
                        PARAMS(with_text("user", sale->anna.user)));
}
static struct answer *ask_reservations_of_date(struct durability_fixture *sale) {
    return fixture_send(
        sale->fixture, "reservation.list",
        PARAMS(with_text("user", sale->anna.user), with_number("date", sale->date)));
}
static struct answer *ask_new_date(struct durability_fixture *sale) {
    return fixture_send_as_admin(
        sale->fixture, "reservation.list",
        PARAMS(with_text("user", sale->anna.user), with_number("date", NEWEST_DATE)));
}
static struct answer *ask_new_draft(struct durability_fixture *sale) {
    return fixture_send(sale->fixture, "admin.date_close",
                        PARAMS(with_number("date", NEWEST_DATE)));
}
static struct answer *ask_balance(struct durability_fixture *sale) {
    return fixture_send(sale->fixture, "wallet.balance",
                        PARAMS(with_text("user", sale->anna.user)));
}
static struct answer *ask_history(struct durability_fixture *sale) {
    return fixture_send(sale->fixture, "wallet.history",
                        PARAMS(with_text("user", sale->anna.user)));
}
static struct answer *ask_concerts(struct durability_fixture *sale) {
    return fixture_send(sale->fixture, "catalogue.concerts", PARAMS());
}
static struct answer *ask_dates(struct durability_fixture *sale) {
    return fixture_send(sale->fixture, "catalogue.dates",
                        PARAMS(with_number("concert", sale->concert)));
}
static struct answer *ask_dates_as_admin(struct durability_fixture *sale) {
    return fixture_send_as_admin(sale->fixture, "catalogue.dates",
                                 PARAMS(with_number("concert", sale->concert)));
}
static struct answer *ask_dates_as_anna(struct durability_fixture *sale) {
    return fixture_send(
        sale->fixture, "catalogue.dates",
        PARAMS(with_number("concert", sale->concert), with_text("token", sale->anna.token)));
}
static struct answer *ask_dates_as_ben(struct durability_fixture *sale) {
    return fixture_send(
        sale->fixture, "catalogue.dates",
        PARAMS(with_number("concert", sale->concert), with_text("token", sale->ben.token)));
}
static struct answer *ask_stats(struct durability_fixture *sale) {
    return fixture_send(sale->fixture, "system.stats", PARAMS());
}

/* --- what they saw ---------------------------------------------------------------------------- */

static bool saw_active(const struct durability_fixture *sale, const struct answer *answer) {
    (void)sale; /* the answer says it all, here and below */
    return answer_says(answer, "state", "active");
}
static bool saw_seat_held(const struct durability_fixture *sale, const struct answer *answer) {
    (void)sale;
    return seat_is(answer, 1, "held");
}
static bool saw_seat_sold(const struct durability_fixture *sale, const struct answer *answer) {
    (void)sale;
    return seat_is(answer, 1, "sold");
}
static bool saw_seat_free(const struct durability_fixture *sale, const struct answer *answer) {
    (void)sale;
    return seat_is(answer, 1, "available");
}
static const struct value *first(const struct answer *answer, const char *list) {
    return value_at(answer_list(answer, list), 0);
}
static bool saw_reservation(const struct durability_fixture *sale, const struct answer *answer) {
    (void)sale;
    return value_text_equal(value_find(first(answer, "reservations"), "state"), "held");
}
static bool saw_paid(const struct durability_fixture *sale, const struct answer *answer) {
    (void)sale;
    return value_text_equal(value_find(first(answer, "reservations"), "state"), "paid");
}
static bool saw_expired(const struct durability_fixture *sale, const struct answer *answer) {
    (void)sale;
    return value_text_equal(value_find(first(answer, "reservations"), "state"), "expired");
}
static bool saw_no_reservation(const struct durability_fixture *sale, const struct answer *answer) {
    (void)sale;
    return value_count(answer_list(answer, "reservations")) == 0;
}
static bool saw_draft(const struct durability_fixture *sale, const struct answer *answer) {
    (void)sale;
    return answer_says(answer, "state", "draft");
}
static bool saw_charge(const struct durability_fixture *sale, const struct answer *answer) {
    (void)sale;
    return answer_number(answer, "balance") == 7;
}
static bool saw_price_gone(const struct durability_fixture *sale, const struct answer *answer) {
    (void)sale;
    return answer_number(answer, "balance") == 4 * DURABILITY_PRICE;
}
static bool saw_row(const struct durability_fixture *sale, const struct answer *answer) {
    (void)sale;
    return value_find_uint(first(answer, "rows"), "amount", 0) == 7;
}
static bool saw_concert(const struct durability_fixture *sale, const struct answer *answer) {
    (void)sale;
    return value_count(answer_list(answer, "concerts")) == 2;
}
static bool saw_new_dates(const struct durability_fixture *sale, const struct answer *answer) {
    (void)sale;
    return value_count(answer_list(answer, "dates")) == NEWEST_DATE;
}
static bool saw_seat_less(const struct durability_fixture *sale, const struct answer *answer) {
    (void)sale;
    const struct value *row = first(answer, "dates");
    return value_find_uint(row, "seats_available", 0) == DURABILITY_SEATS - 1;
}
static bool saw_all_seats(const struct durability_fixture *sale, const struct answer *answer) {
    (void)sale;
    return value_find_uint(first(answer, "dates"), "seats_available", 0) == DURABILITY_SEATS;
}
static bool saw_gate(const struct durability_fixture *sale, const struct answer *answer) {
    (void)sale;
    return answer_is(answer, "TOKEN_REQUIRED");
}
static bool saw_money(const struct durability_fixture *sale, const struct answer *answer) {
    (void)sale;
    return value_find_uint(answer_map(answer, "money"), "charged", 0) == 7;
}
static bool saw_spent(const struct durability_fixture *sale, const struct answer *answer) {
    (void)sale;
    const struct value *money = answer_map(answer, "money");
    return value_find_uint(money, "balances", 0) == 4 * DURABILITY_PRICE;
}

static const struct reads_look looks[] = {
    {"queue.status beside a hold", both_enter, change_hold, 1, ask_status, saw_active},
    {"seats.list of a hold", both_enter, change_hold, 1, ask_seats, saw_seat_held},
    {"reservation.list of a hold", both_enter, change_hold, 1, ask_reservations, saw_reservation},
    {"reservation.list of one date", both_enter, change_hold, 1, ask_reservations_of_date,
     saw_reservation},
    {"catalogue.dates of a hold", both_enter, change_hold, 1, ask_dates, saw_seat_less},
    {"catalogue.dates with a token", both_enter, change_hold, 1, ask_dates_as_anna, saw_seat_less},
    {"catalogue.dates with a token of another date", ben_elsewhere, change_hold, 1,
     ask_dates_as_ben, saw_seat_less},
    {"wallet.balance of a charge", NULL, change_charge, 1, ask_balance, saw_charge},
    {"wallet.history of a charge", NULL, change_charge, 1, ask_history, saw_row},
    {"system.stats of a charge", NULL, change_charge, 1, ask_stats, saw_money},
    {"seats.list of a sale", hold_with_money, change_pay, 1, ask_seats, saw_seat_sold},
    {"reservation.list of a sale", hold_with_money, change_pay, 1, ask_reservations, saw_paid},
    {"wallet.balance of a sale", hold_with_money, change_pay, 1, ask_balance, saw_price_gone},
    {"catalogue.dates of a sale", hold_with_money, change_pay, 1, ask_dates, saw_seat_less},
    {"system.stats of a sale", hold_with_money, change_pay, 1, ask_stats, saw_spent},
    {"catalogue.concerts of a concert", NULL, change_concert, 1, ask_concerts, saw_concert},
    {"catalogue.dates of new dates", NULL, change_date, NEW_DATES, ask_dates_as_admin,
     saw_new_dates},
    {"reservation.list of a new date", NULL, change_date, NEW_DATES, ask_new_date,
     saw_no_reservation},
    {"admin.date_close of a new date", NULL, change_date, NEW_DATES, ask_new_draft, saw_draft},
    {"catalogue.dates of a new policy", enter, change_gate, 1, ask_dates, saw_gate},
    {"reservation.list when a hold's time is over", durability_hold, change_time, 0,
     ask_reservations, saw_expired},
    {"catalogue.dates when a hold's time is over", durability_hold, change_time, 0, ask_dates,
     saw_all_seats},
    {"seats.list when a hold's time is over", hold_with_money, change_time, 0, ask_seats,
     saw_seat_free},
};
#define LOOKS (sizeof looks / sizeof looks[0])

struct reads_trial {
    const struct reads_look *look;
    uint32_t shards;
    void *fixture; /* for the teardown */
    char name[80];
};

static int end_trial(void **state) {
    return fixture_teardown(&((struct reads_trial *)*state)->fixture);
}

/* The change is decided by one step, the look comes in a later one: nothing ties them together but
 * the state that the look sees. */
static void seen_when_written(void **state) {
    struct reads_trial *trial = *state;
    const struct reads_look *look = trial->look;
    struct durability_fixture sale = durability_open(&trial->fixture, trial->shards);
    if (look->prepare) look->prepare(&sale);
    durability_stop_disk(&sale);
    look->change(&sale);
    durability_demand_silence(&sale, look->replies);
    struct answer *answer = look->ask(&sale);
    durability_demand_silence(&sale, look->replies + 1);
    assert_false(answer_is_here(answer));
    fixture_hold_disk(sale.fixture, false);
    assert_true(look->saw(&sale, fixture_wait(sale.fixture, answer)));
    oracle_finish(sale.fixture);
}

int main(void) {
    static struct reads_trial trials[2 * LOOKS];
    static struct CMUnitTest tests[2 * LOOKS];
    for (uint32_t i = 0; i < 2 * LOOKS; i++) {
        const struct reads_look *look = &looks[i % LOOKS];
        trials[i] = (struct reads_trial){.look = look, .shards = i < LOOKS ? 2 : 3};
        (void)strcat(strcpy(trials[i].name, i < LOOKS ? "2 shards: " : "3 shards: "), look->name);
        tests[i] = (struct CMUnitTest){trials[i].name, seen_when_written, NULL, end_trial,
                                       &trials[i]};
    }
    return cmocka_run_group_tests_name("durability: reads", tests, NULL, NULL);
}
