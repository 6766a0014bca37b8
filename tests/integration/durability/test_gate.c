/* test_gate.c - for every kind of decision: nobody is told before it is written, nor if it never is
 *
 * Each change runs three times. Held: the write does not complete, the reply does not leave; it
 * completes, the reply says what was expected. Broken: the write fails, the reply never leaves, the
 * log says once that it is dead. Torn: the power fails while the write is in flight. After both of
 * the latter the state that is recovered is what was told, or that and the change, never a part.
 *
 * The last test demands that these changes together made every kind of decision of decision.def.
 */
#include "tests/integration/durability/durability_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "tests/oracle/oracle_engine.h"

/* One way to make decisions. */
struct gate_change {
    const char *name;
    void (*prepare)(struct durability_fixture *sale); /* NULL: nothing */
    struct answer *(*ask)(struct durability_fixture *sale);
    const char *code; /* of the answer's error; "" for a result */
    uint32_t replies; /* how many requests `ask` makes */
};

/* --- changes ---------------------------------------------------------------------------------- */

static void enter(struct durability_fixture *sale) {
    assert_true(answer_is_ok(fan_enters(&sale->anna)));
}
static void hold_with_money(struct durability_fixture *sale) {
    durability_hold(sale);
    durability_charge(sale);
}
static void paid(struct durability_fixture *sale) {
    hold_with_money(sale);
    durability_pay(sale);
}
static void taken(struct durability_fixture *sale) {
    durability_hold(sale);
    assert_true(answer_is_ok(fan_enters(&sale->ben)));
}
static void draft(struct durability_fixture *sale) {
    sale->date = date_of(sale->fixture, sale->concert);
}
static void draft_with_seats(struct durability_fixture *sale) {
    draft(sale);
    (void)date_add_seats(sale->fixture, sale->date, 1, DURABILITY_PRICE, "A"); /* checked there */
}

static struct answer *send_concert(struct durability_fixture *sale) {
    return fixture_send(sale->fixture, "admin.concert_create",
                        PARAMS(with_text("title", "another")));
}
static struct answer *send_date(struct durability_fixture *sale) {
    return fixture_send(sale->fixture, "admin.date_create",
                        PARAMS(with_number("concert", sale->concert), with_text("title", "another"),
                               with_number("starts_at", FIXTURE_BEGIN_MS)));
}
static struct answer *send_seat(struct durability_fixture *sale) {
    struct value_writer seats;
    value_writer_init(&seats, NULL, 0, 4096);
    value_write_array(&seats, 1);
    value_write_map(&seats, 4);
    value_write_pair_text(&seats, "section", "A");
    value_write_pair_text(&seats, "row", "1");
    value_write_pair_text(&seats, "seat", "1");
    value_write_pair_uint(&seats, "price", DURABILITY_PRICE);
    struct answer *answer = fixture_send(sale->fixture, "admin.seats_add",
                                         PARAMS(with_number("date", sale->date),
                                                with_number("first", 1),
                                                with_raw("seats", &seats)));
    value_writer_deinit(&seats);
    return answer;
}
static struct answer *send_switch(struct durability_fixture *sale, const char *method) {
    return fixture_send(sale->fixture, method, PARAMS(with_number("date", sale->date)));
}
static struct answer *send_open(struct durability_fixture *sale) {
    return send_switch(sale, "admin.date_open");
}
static struct answer *send_close(struct durability_fixture *sale) {
    return send_switch(sale, "admin.date_close");
}
static struct answer *send_end(struct durability_fixture *sale) {
    return fixture_send(
        sale->fixture, "admin.date_cancel",
        PARAMS(with_number("date", sale->date), with_number("confirm", sale->date)));
}
static struct answer *send_policy(struct durability_fixture *sale) {
    return fixture_send(sale->fixture, "admin.date_policy",
                        PARAMS(with_number("date", sale->date), with_number("active_capacity", 3)));
}
static struct answer *send_enter(struct durability_fixture *sale) {
    return fixture_send(
        sale->fixture, "queue.enter",
        PARAMS(with_number("date", sale->date), with_text("user", sale->anna.user)));
}
static struct answer *send_leave(struct durability_fixture *sale) {
    return fixture_send(sale->fixture, "queue.leave", PARAMS(with_text("token", sale->anna.token)));
}
static struct answer *send_hold(struct durability_fixture *sale, const char *token) {
    static const uint32_t seat[] = {1};
    return fixture_send(sale->fixture, "seats.hold",
                        PARAMS(with_text("token", token), with_numbers("seats", seat, 1)));
}
static struct answer *send_annas_hold(struct durability_fixture *sale) {
    return send_hold(sale, sale->anna.token);
}
static struct answer *send_bens_hold(struct durability_fixture *sale) {
    return send_hold(sale, sale->ben.token);
}
static struct answer *send_release(struct durability_fixture *sale) {
    return fixture_send(sale->fixture, "seats.release",
                        PARAMS(with_text("token", sale->anna.token),
                               with_number("reservation", sale->anna.reservation)));
}
static struct answer *send_charge(struct durability_fixture *sale) {
    return fixture_send(sale->fixture, "wallet.charge",
                        PARAMS(with_text("user", sale->anna.user), with_number("amount", 7),
                               with_text("key", "seven")));
}
/* A minute in which nobody was served is credited to Anna's turn and hold before she is
 * answered. */
static struct answer *send_after_stall(struct durability_fixture *sale) {
    fixture_turn_clock(sale->fixture, 60000);
    return fixture_send(sale->fixture, "queue.status",
                        PARAMS(with_text("token", sale->anna.token)));
}
/* The organiser cancels the date between the payment's beginning and the wallet's answer. */
static struct answer *send_pay_too_late(struct durability_fixture *sale) {
    uint64_t submitted = fixture_submitted(sale->fixture);
    struct answer *payment = durability_send_pay(sale);
    fixture_until_submitted(sale->fixture, submitted + 1);
    fixture_step_shard(sale->fixture, DURABILITY_DATE_SHARD);
    (void)send_end(sale); /* it waits as well; what it says is another change's matter */
    fixture_until_submitted(sale->fixture, submitted + 2);
    fixture_step_shard(sale->fixture, DURABILITY_DATE_SHARD);
    return payment;
}

static const struct gate_change changes[] = {
    {"a concert is created", NULL, send_concert, "", 1},
    {"a date is created", NULL, send_date, "", 1},
    {"a seat is added", draft, send_seat, "", 1},
    {"a date is opened", draft_with_seats, send_open, "", 1},
    {"a date is closed", NULL, send_close, "", 1},
    {"a date is cancelled", NULL, send_end, "", 1},
    {"a date with a sale is cancelled", paid, send_end, "", 1},
    {"a policy changes", NULL, send_policy, "", 1},
    {"somebody enters and is admitted", NULL, send_enter, "", 1},
    {"somebody leaves", enter, send_leave, "", 1},
    {"somebody leaves a hold behind", durability_hold, send_leave, "", 1},
    {"a seat is held", enter, send_annas_hold, "", 1},
    {"a hold is refused", taken, send_bens_hold, "SEAT_TAKEN", 1},
    {"a hold is released", durability_hold, send_release, "", 1},
    {"an unpaid reservation is cancelled", durability_hold, durability_send_cancel, "", 1},
    {"a wallet is charged", NULL, send_charge, "", 1},
    {"a payment is refused", durability_hold, durability_send_pay, "INSUFFICIENT_FUNDS", 1},
    {"a reservation is paid", hold_with_money, durability_send_pay, "", 1},
    {"a paid reservation is refunded", paid, durability_send_cancel, "", 1},
    {"a stall is over", durability_hold, send_after_stall, "", 1},
    {"a payment comes too late", hold_with_money, send_pay_too_late, "DATE_CANCELLED", 2},
};
#define CHANGES (sizeof changes / sizeof changes[0])

/* --- trials ----------------------------------------------------------------------------------- */

#define KINDS_MAX 64u
struct gate_trial {
    const struct gate_change *change;
    bool *kinds; /* KINDS_MAX: kinds of decisions that nobody was told about too early */
    uint32_t counts[KINDS_MAX];
    uint64_t seed;
    void *fixture; /* for the teardown */
    char name[80];
};

static int end_trial(void **state) {
    struct gate_trial *trial = *state;
    return fixture_teardown(&trial->fixture);
}

static void count_kinds(void *context, const struct decision *decision) {
    struct gate_trial *trial = context;
    assert_true(decision->kind < KINDS_MAX);
    trial->counts[decision->kind]++;
}

/* Decide the change, leave its write under way. Return: its answer to come */
static struct answer *leave_under_way(struct gate_trial *trial, struct durability_fixture *sale) {
    *sale = durability_open(&trial->fixture, 2);
    if (trial->change->prepare) trial->change->prepare(sale);
    durability_stop_disk(sale);
    memset(trial->counts, 0, sizeof trial->counts);
    fixture_read_log(sale->fixture, count_kinds, trial);
    struct answer *answer = trial->change->ask(sale);
    durability_demand_silence(sale, trial->change->replies);
    assert_false(answer_is_here(answer));
    return answer;
}

static void held(void **state) {
    struct gate_trial *trial = *state;
    struct durability_fixture sale;
    struct answer *answer = leave_under_way(trial, &sale);
    uint32_t before[KINDS_MAX];
    memcpy(before, trial->counts, sizeof before);
    fixture_hold_disk(sale.fixture, false);
    assert_string_equal(answer_code(fixture_wait(sale.fixture, answer)), trial->change->code);
    fixture_settle(sale.fixture);
    memset(trial->counts, 0, sizeof trial->counts);
    fixture_read_log(sale.fixture, count_kinds, trial);
    for (uint32_t i = 0; i < KINDS_MAX; i++) trial->kinds[i] |= trial->counts[i] > before[i];
    oracle_finish(sale.fixture);
}

/* What is recovered is what was told, or that and the whole change. */
static void demand_whole(struct durability_fixture *sale, uint64_t told, uint64_t changed,
                         uint64_t seed) {
    fixture_crash(sale->fixture, seed);
    uint64_t recovered = fixture_recovered_hash(sale->fixture);
    assert_true(recovered == told || recovered == changed);
    fixture_settle(sale->fixture); /* what was left unfinished is finished */
    oracle_finish(sale->fixture);
}

static void never_told(struct gate_trial *trial, bool broken) {
    struct durability_fixture sale = durability_open(&trial->fixture, 2);
    if (trial->change->prepare) trial->change->prepare(&sale);
    fixture_settle(sale.fixture);
    uint64_t told = fixture_hash(sale.fixture);
    durability_stop_disk(&sale);
    if (broken) fixture_break_disk(sale.fixture, trial->seed);
    struct answer *answer = trial->change->ask(&sale);
    durability_demand_silence(&sale, trial->change->replies);
    uint64_t changed = fixture_hash(sale.fixture);
    assert_true(changed != told || strcmp(trial->change->code, "") != 0);
    if (broken) {
        fixture_hold_disk(sale.fixture, false); /* the write completes, badly */
        fixture_settle(sale.fixture);
        assert_int_equal(fixture_log_failures(sale.fixture), 1);
        struct answer *read = fixture_send(sale.fixture, "system.stats", PARAMS());
        fixture_until_encoded(sale.fixture, sale.encoded + trial->change->replies + 1);
        fixture_settle(sale.fixture);
        assert_int_equal(fixture_log_failures(sale.fixture), 1); /* said once */
        assert_int_equal(fixture_disk_lsn(sale.fixture) <= fixture_appended_lsn(sale.fixture), 1);
        (void)read; /* it may be told what was durable before, and nothing else */
    }
    assert_false(answer_is_here(answer));
    demand_whole(&sale, told, changed, trial->seed);
}

static void broken(void **state) { never_told(*state, true); }
static void torn(void **state) { never_told(*state, false); }

/* STATE_HASHED is nobody's answer: the log ends with it. */
static void every_kind_was_tried(void **state) {
    const bool *kinds = ((struct gate_trial *)*state)->kinds;
#define DECISION(number, NAME, name, OWNER)                                                        \
    if ((number) != DECISION_STATE_HASHED && !kinds[number]) fail_msg("nobody tried %s", #name);
#include "engine/domain/decision.def"
#undef DECISION
}

#define ROUNDS 3u
static const struct {
    const char *name;
    CMUnitTestFunction run;
} rounds[ROUNDS] = {{"held", held}, {"broken", broken}, {"torn", torn}};

int main(void) {
    static bool kinds[KINDS_MAX];
    static struct gate_trial trials[CHANGES * ROUNDS];
    static struct CMUnitTest tests[CHANGES * ROUNDS + 1];
    for (uint32_t i = 0; i < CHANGES * ROUNDS; i++) {
        const struct gate_change *change = &changes[i % CHANGES];
        trials[i] = (struct gate_trial){.change = change, .kinds = kinds, .seed = i};
        (void)strcat(strcat(strcpy(trials[i].name, rounds[i / CHANGES].name), ": "), change->name);
        tests[i] = (struct CMUnitTest){trials[i].name, rounds[i / CHANGES].run, NULL, end_trial,
                                       &trials[i]};
    }
    tests[CHANGES * ROUNDS] = (struct CMUnitTest){"every kind of decision was tried",
                                                  every_kind_was_tried, NULL, NULL, &trials[0]};
    return cmocka_run_group_tests_name("durability: decisions", tests, NULL, NULL);
}
