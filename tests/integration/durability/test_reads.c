/* test_reads.c - who only looks is not told either, before what they see is written
 *
 * Each case leaves the write of a change under way and then reads: the same partition, another one
 * of the same shard, and, through the board, a partition of another shard. The read is answered by
 * the engine at once, but must not leave; when the write completes, it says what the change made
 * true, which proves that it saw it.
 *
 * Time is a change, too: whoever is dropped, expired or admitted by it.
 */
#include "tests/integration/durability/stage.h"

#include <string.h>

#define NEW_DATES 4u
#define NEWEST_DATE (1u + NEW_DATES)

struct look {
    const char *name;
    void (*prepare)(struct stage *stage); /* NULL: nothing */
    void (*change)(struct stage *stage);  /* sends requests, or turns the clock */
    uint32_t replies;                     /* requests that `change` makes */
    struct answer *(*ask)(struct stage *stage);
    bool (*saw)(const struct stage *stage, const struct answer *answer);
};

/* --- changes ---------------------------------------------------------------------------------- */

static void enter(struct stage *stage) { assert_true(answer_is_ok(fan_enters(&stage->anna))); }
static void both_enter(struct stage *stage) {
    enter(stage);
    assert_true(answer_is_ok(fan_enters(&stage->ben)));
}
/* Ben's token is of another date of the concert, on another shard. */
static void ben_elsewhere(struct stage *stage) {
    enter(stage);
    stage->ben.date = date_of(stage->rig, stage->concert);
    (void)date_add_seats(stage->rig, stage->ben.date, 1, STAGE_PRICE, "B"); /* checked there */
    assert_true(answer_is_ok(date_opens(stage->rig, stage->ben.date)));
    assert_int_not_equal(rig_shard_of_date(stage->rig, stage->ben.date), STAGE_DATE_SHARD);
    assert_true(answer_says(fan_enters(&stage->ben), "state", "active"));
}
static void hold_with_money(struct stage *stage) {
    stage_hold(stage);
    stage_charge(stage);
    assert_true(answer_is_ok(fan_enters(&stage->ben)));
}

static void change_hold(struct stage *stage) {
    static const uint32_t seat[] = {1};
    (void)rig_send(stage->rig, "seats.hold", /* not waited for, as all of these */
                   PARAMS(with_text("token", stage->anna.token), with_numbers("seats", seat, 1)));
}
static void change_charge(struct stage *stage) {
    (void)rig_send(stage->rig, "wallet.charge",
                   PARAMS(with_text("user", stage->anna.user), with_number("amount", 7),
                          with_text("key", "seven")));
}
static void change_pay(struct stage *stage) { (void)stage_send_pay(stage); }
static void change_concert(struct stage *stage) {
    (void)rig_send(stage->rig, "admin.concert_create", PARAMS(with_text("title", "another")));
}
static void change_date(struct stage *stage) {
    for (uint32_t i = 0; i < NEW_DATES; i++) { /* the last is not on the catalogue's shard */
        uint64_t submitted = rig_submitted(stage->rig);
        (void)rig_send(stage->rig, "admin.date_create",
                       PARAMS(with_number("concert", stage->concert), with_text("title", "next"),
                              with_number("starts_at", RIG_BEGIN_MS)));
        rig_until_submitted(stage->rig, submitted + 1);
    }
}
static void change_gate(struct stage *stage) {
    (void)rig_send(stage->rig, "admin.date_policy",
                   PARAMS(with_number("date", stage->date), with_flag("gate_dates", true)));
}
static void change_time(struct stage *stage) { rig_advance(stage->rig, STAGE_HOLD_MS); }

/* --- looks ------------------------------------------------------------------------------------ */

static struct answer *ask_status(struct stage *stage) {
    return rig_send(stage->rig, "queue.status", PARAMS(with_text("token", stage->anna.token)));
}
static struct answer *ask_seats(struct stage *stage) {
    return rig_send(stage->rig, "seats.list",
                    PARAMS(with_text("token", stage->ben.token), with_flag("all", true)));
}
static struct answer *ask_reservations(struct stage *stage) {
    return rig_send(stage->rig, "reservation.list", PARAMS(with_text("user", stage->anna.user)));
}
static struct answer *ask_reservations_of_date(struct stage *stage) {
    return rig_send(stage->rig, "reservation.list",
                    PARAMS(with_text("user", stage->anna.user), with_number("date", stage->date)));
}
static struct answer *ask_new_date(struct stage *stage) {
    return rig_send_as_admin(
        stage->rig, "reservation.list",
        PARAMS(with_text("user", stage->anna.user), with_number("date", NEWEST_DATE)));
}
static struct answer *ask_new_draft(struct stage *stage) {
    return rig_send(stage->rig, "admin.date_close", PARAMS(with_number("date", NEWEST_DATE)));
}
static struct answer *ask_balance(struct stage *stage) {
    return rig_send(stage->rig, "wallet.balance", PARAMS(with_text("user", stage->anna.user)));
}
static struct answer *ask_history(struct stage *stage) {
    return rig_send(stage->rig, "wallet.history", PARAMS(with_text("user", stage->anna.user)));
}
static struct answer *ask_concerts(struct stage *stage) {
    return rig_send(stage->rig, "catalogue.concerts", PARAMS());
}
static struct answer *ask_dates(struct stage *stage) {
    return rig_send(stage->rig, "catalogue.dates", PARAMS(with_number("concert", stage->concert)));
}
static struct answer *ask_dates_as_admin(struct stage *stage) {
    return rig_send_as_admin(stage->rig, "catalogue.dates",
                             PARAMS(with_number("concert", stage->concert)));
}
static struct answer *ask_dates_as_anna(struct stage *stage) {
    return rig_send(
        stage->rig, "catalogue.dates",
        PARAMS(with_number("concert", stage->concert), with_text("token", stage->anna.token)));
}
static struct answer *ask_dates_as_ben(struct stage *stage) {
    return rig_send(
        stage->rig, "catalogue.dates",
        PARAMS(with_number("concert", stage->concert), with_text("token", stage->ben.token)));
}
static struct answer *ask_stats(struct stage *stage) {
    return rig_send(stage->rig, "system.stats", PARAMS());
}

/* --- what they saw ---------------------------------------------------------------------------- */

static bool saw_active(const struct stage *stage, const struct answer *answer) {
    (void)stage; /* the answer says it all, here and below */
    return answer_says(answer, "state", "active");
}
static bool saw_seat_held(const struct stage *stage, const struct answer *answer) {
    (void)stage;
    return seat_is(answer, 1, "held");
}
static bool saw_seat_sold(const struct stage *stage, const struct answer *answer) {
    (void)stage;
    return seat_is(answer, 1, "sold");
}
static bool saw_seat_free(const struct stage *stage, const struct answer *answer) {
    (void)stage;
    return seat_is(answer, 1, "available");
}
static const struct value *first(const struct answer *answer, const char *list) {
    return value_at(answer_list(answer, list), 0);
}
static bool saw_reservation(const struct stage *stage, const struct answer *answer) {
    (void)stage;
    return value_text_equal(value_find(first(answer, "reservations"), "state"), "held");
}
static bool saw_paid(const struct stage *stage, const struct answer *answer) {
    (void)stage;
    return value_text_equal(value_find(first(answer, "reservations"), "state"), "paid");
}
static bool saw_expired(const struct stage *stage, const struct answer *answer) {
    (void)stage;
    return value_text_equal(value_find(first(answer, "reservations"), "state"), "expired");
}
static bool saw_no_reservation(const struct stage *stage, const struct answer *answer) {
    (void)stage;
    return value_count(answer_list(answer, "reservations")) == 0;
}
static bool saw_draft(const struct stage *stage, const struct answer *answer) {
    (void)stage;
    return answer_says(answer, "state", "draft");
}
static bool saw_charge(const struct stage *stage, const struct answer *answer) {
    (void)stage;
    return answer_number(answer, "balance") == 7;
}
static bool saw_price_gone(const struct stage *stage, const struct answer *answer) {
    (void)stage;
    return answer_number(answer, "balance") == 4 * STAGE_PRICE;
}
static bool saw_row(const struct stage *stage, const struct answer *answer) {
    (void)stage;
    return value_find_uint(first(answer, "rows"), "amount", 0) == 7;
}
static bool saw_concert(const struct stage *stage, const struct answer *answer) {
    (void)stage;
    return value_count(answer_list(answer, "concerts")) == 2;
}
static bool saw_new_dates(const struct stage *stage, const struct answer *answer) {
    (void)stage;
    return value_count(answer_list(answer, "dates")) == NEWEST_DATE;
}
static bool saw_seat_less(const struct stage *stage, const struct answer *answer) {
    (void)stage;
    const struct value *row = first(answer, "dates");
    return value_find_uint(row, "seats_available", 0) == STAGE_SEATS - 1;
}
static bool saw_all_seats(const struct stage *stage, const struct answer *answer) {
    (void)stage;
    return value_find_uint(first(answer, "dates"), "seats_available", 0) == STAGE_SEATS;
}
static bool saw_gate(const struct stage *stage, const struct answer *answer) {
    (void)stage;
    return answer_is(answer, "TOKEN_REQUIRED");
}
static bool saw_money(const struct stage *stage, const struct answer *answer) {
    (void)stage;
    return value_find_uint(answer_map(answer, "money"), "charged", 0) == 7;
}
static bool saw_spent(const struct stage *stage, const struct answer *answer) {
    (void)stage;
    const struct value *money = answer_map(answer, "money");
    return value_find_uint(money, "balances", 0) == 4 * STAGE_PRICE;
}

static const struct look looks[] = {
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
    {"reservation.list when a hold's time is over", stage_hold, change_time, 0, ask_reservations,
     saw_expired},
    {"catalogue.dates when a hold's time is over", stage_hold, change_time, 0, ask_dates,
     saw_all_seats},
    {"seats.list when a hold's time is over", hold_with_money, change_time, 0, ask_seats,
     saw_seat_free},
};
#define LOOKS (sizeof looks / sizeof looks[0])

struct trial {
    const struct look *look;
    uint32_t shards;
    void *rig; /* for the teardown */
    char name[80];
};

static int end_trial(void **state) { return rig_teardown(&((struct trial *)*state)->rig); }

/* The change is decided by one step, the look comes in a later one: nothing ties them together but
 * the state that the look sees. */
static void seen_when_written(void **state) {
    struct trial *trial = *state;
    const struct look *look = trial->look;
    struct stage stage = stage_open(&trial->rig, trial->shards);
    if (look->prepare) look->prepare(&stage);
    stage_stop_disk(&stage);
    look->change(&stage);
    stage_demand_silence(&stage, look->replies);
    struct answer *answer = look->ask(&stage);
    stage_demand_silence(&stage, look->replies + 1);
    assert_false(answer_is_here(answer));
    rig_hold_disk(stage.rig, false);
    assert_true(look->saw(&stage, rig_wait(stage.rig, answer)));
    rig_finish(stage.rig);
}

int main(void) {
    static struct trial trials[2 * LOOKS];
    static struct CMUnitTest tests[2 * LOOKS];
    for (uint32_t i = 0; i < 2 * LOOKS; i++) {
        const struct look *look = &looks[i % LOOKS];
        trials[i] = (struct trial){.look = look, .shards = i < LOOKS ? 2 : 3};
        (void)strcat(strcpy(trials[i].name, i < LOOKS ? "2 shards: " : "3 shards: "), look->name);
        tests[i] = (struct CMUnitTest){trials[i].name, seen_when_written, NULL, end_trial,
                                       &trials[i]};
    }
    return cmocka_run_group_tests_name("durability: reads", tests, NULL, NULL);
}
