/* test_gate.c - for every kind of decision: nobody is told before it is written, nor if it never is
 *
 * Each change runs three times. Held: the write does not complete, the reply does not leave; it
 * completes, the reply says what was expected. Broken: the write fails, the reply never leaves, the
 * log says once that it is dead. Torn: the power fails while the write is in flight. After both of
 * the latter the state that is recovered is what was told, or that and the change, never a part.
 *
 * The last test demands that these changes together made every kind of decision of decision.def.
 */
#include "tests/integration/durability/stage.h"

#include <stdlib.h>
#include <string.h>

/* One way to make decisions. */
struct change {
    const char *name;
    void (*prepare)(struct stage *stage); /* NULL: nothing */
    struct answer *(*ask)(struct stage *stage);
    const char *code; /* of the answer's error; "" for a result */
    uint32_t replies; /* how many requests `ask` makes */
};

/* --- changes ---------------------------------------------------------------------------------- */

static void enter(struct stage *stage) { assert_true(answer_is_ok(fan_enters(&stage->anna))); }
static void hold_with_money(struct stage *stage) {
    stage_hold(stage);
    stage_charge(stage);
}
static void paid(struct stage *stage) {
    hold_with_money(stage);
    stage_pay(stage);
}
static void taken(struct stage *stage) {
    stage_hold(stage);
    assert_true(answer_is_ok(fan_enters(&stage->ben)));
}
static void draft(struct stage *stage) { stage->date = date_of(stage->rig, stage->concert); }
static void draft_with_seats(struct stage *stage) {
    draft(stage);
    (void)date_add_seats(stage->rig, stage->date, 1, STAGE_PRICE, "A"); /* checked there */
}

static struct answer *send_concert(struct stage *stage) {
    return rig_send(stage->rig, "admin.concert_create", PARAMS(with_text("title", "another")));
}
static struct answer *send_date(struct stage *stage) {
    return rig_send(stage->rig, "admin.date_create",
                    PARAMS(with_number("concert", stage->concert), with_text("title", "another"),
                           with_number("starts_at", RIG_BEGIN_MS)));
}
static struct answer *send_seat(struct stage *stage) {
    struct value_writer seats;
    value_writer_init(&seats, NULL, 0, 4096);
    value_write_array(&seats, 1);
    value_write_map(&seats, 4);
    value_write_pair_text(&seats, "section", "A");
    value_write_pair_text(&seats, "row", "1");
    value_write_pair_text(&seats, "seat", "1");
    value_write_pair_uint(&seats, "price", STAGE_PRICE);
    struct answer *answer = rig_send(stage->rig, "admin.seats_add",
                                     PARAMS(with_number("date", stage->date),
                                            with_number("first", 1), with_raw("seats", &seats)));
    value_writer_deinit(&seats);
    return answer;
}
static struct answer *send_switch(struct stage *stage, const char *method) {
    return rig_send(stage->rig, method, PARAMS(with_number("date", stage->date)));
}
static struct answer *send_open(struct stage *stage) {
    return send_switch(stage, "admin.date_open");
}
static struct answer *send_close(struct stage *stage) {
    return send_switch(stage, "admin.date_close");
}
static struct answer *send_end(struct stage *stage) {
    return rig_send(stage->rig, "admin.date_cancel",
                    PARAMS(with_number("date", stage->date), with_number("confirm", stage->date)));
}
static struct answer *send_policy(struct stage *stage) {
    return rig_send(stage->rig, "admin.date_policy",
                    PARAMS(with_number("date", stage->date), with_number("active_capacity", 3)));
}
static struct answer *send_enter(struct stage *stage) {
    return rig_send(stage->rig, "queue.enter",
                    PARAMS(with_number("date", stage->date), with_text("user", stage->anna.user)));
}
static struct answer *send_leave(struct stage *stage) {
    return rig_send(stage->rig, "queue.leave", PARAMS(with_text("token", stage->anna.token)));
}
static struct answer *send_hold(struct stage *stage, const char *token) {
    static const uint32_t seat[] = {1};
    return rig_send(stage->rig, "seats.hold",
                    PARAMS(with_text("token", token), with_numbers("seats", seat, 1)));
}
static struct answer *send_annas_hold(struct stage *stage) {
    return send_hold(stage, stage->anna.token);
}
static struct answer *send_bens_hold(struct stage *stage) {
    return send_hold(stage, stage->ben.token);
}
static struct answer *send_release(struct stage *stage) {
    return rig_send(stage->rig, "seats.release",
                    PARAMS(with_text("token", stage->anna.token),
                           with_number("reservation", stage->anna.reservation)));
}
static struct answer *send_charge(struct stage *stage) {
    return rig_send(stage->rig, "wallet.charge",
                    PARAMS(with_text("user", stage->anna.user), with_number("amount", 7),
                           with_text("key", "seven")));
}
/* A minute in which nobody was served is credited to Anna's turn and hold before she is
 * answered. */
static struct answer *send_after_stall(struct stage *stage) {
    rig_turn_clock(stage->rig, 60000);
    return rig_send(stage->rig, "queue.status", PARAMS(with_text("token", stage->anna.token)));
}
/* The organiser cancels the date between the payment's beginning and the wallet's answer. */
static struct answer *send_pay_too_late(struct stage *stage) {
    uint64_t submitted = rig_submitted(stage->rig);
    struct answer *payment = stage_send_pay(stage);
    rig_until_submitted(stage->rig, submitted + 1);
    rig_step_shard(stage->rig, STAGE_DATE_SHARD);
    (void)send_end(stage); /* it waits as well; what it says is another change's matter */
    rig_until_submitted(stage->rig, submitted + 2);
    rig_step_shard(stage->rig, STAGE_DATE_SHARD);
    return payment;
}

static const struct change changes[] = {
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
    {"somebody leaves a hold behind", stage_hold, send_leave, "", 1},
    {"a seat is held", enter, send_annas_hold, "", 1},
    {"a hold is refused", taken, send_bens_hold, "SEAT_TAKEN", 1},
    {"a hold is released", stage_hold, send_release, "", 1},
    {"an unpaid reservation is cancelled", stage_hold, stage_send_cancel, "", 1},
    {"a wallet is charged", NULL, send_charge, "", 1},
    {"a payment is refused", stage_hold, stage_send_pay, "INSUFFICIENT_FUNDS", 1},
    {"a reservation is paid", hold_with_money, stage_send_pay, "", 1},
    {"a paid reservation is refunded", paid, stage_send_cancel, "", 1},
    {"a stall is over", stage_hold, send_after_stall, "", 1},
    {"a payment comes too late", hold_with_money, send_pay_too_late, "DATE_CANCELLED", 2},
};
#define CHANGES (sizeof changes / sizeof changes[0])

/* --- trials ----------------------------------------------------------------------------------- */

#define KINDS_MAX 64u
struct trial {
    const struct change *change;
    bool *kinds; /* KINDS_MAX: kinds of decisions that nobody was told about too early */
    uint32_t counts[KINDS_MAX];
    uint64_t seed;
    void *rig; /* for the teardown */
    char name[80];
};

static int end_trial(void **state) {
    struct trial *trial = *state;
    return rig_teardown(&trial->rig);
}

static void count_kinds(void *context, const struct decision *decision) {
    struct trial *trial = context;
    assert_true(decision->kind < KINDS_MAX);
    trial->counts[decision->kind]++;
}

/* Decide the change, leave its write under way. Return: its answer to come */
static struct answer *leave_under_way(struct trial *trial, struct stage *stage) {
    *stage = stage_open(&trial->rig, 2);
    if (trial->change->prepare) trial->change->prepare(stage);
    stage_stop_disk(stage);
    memset(trial->counts, 0, sizeof trial->counts);
    rig_read_log(stage->rig, count_kinds, trial);
    struct answer *answer = trial->change->ask(stage);
    stage_demand_silence(stage, trial->change->replies);
    assert_false(answer_is_here(answer));
    return answer;
}

static void held(void **state) {
    struct trial *trial = *state;
    struct stage stage;
    struct answer *answer = leave_under_way(trial, &stage);
    uint32_t before[KINDS_MAX];
    memcpy(before, trial->counts, sizeof before);
    rig_hold_disk(stage.rig, false);
    assert_string_equal(answer_code(rig_wait(stage.rig, answer)), trial->change->code);
    rig_settle(stage.rig);
    memset(trial->counts, 0, sizeof trial->counts);
    rig_read_log(stage.rig, count_kinds, trial);
    for (uint32_t i = 0; i < KINDS_MAX; i++) trial->kinds[i] |= trial->counts[i] > before[i];
    rig_finish(stage.rig);
}

/* What is recovered is what was told, or that and the whole change. */
static void demand_whole(struct stage *stage, uint64_t told, uint64_t changed, uint64_t seed) {
    rig_crash(stage->rig, seed);
    uint64_t recovered = rig_recovered_hash(stage->rig);
    assert_true(recovered == told || recovered == changed);
    rig_settle(stage->rig); /* what was left unfinished is finished */
    rig_finish(stage->rig);
}

static void never_told(struct trial *trial, bool broken) {
    struct stage stage = stage_open(&trial->rig, 2);
    if (trial->change->prepare) trial->change->prepare(&stage);
    rig_settle(stage.rig);
    uint64_t told = rig_hash(stage.rig);
    stage_stop_disk(&stage);
    if (broken) rig_break_disk(stage.rig, trial->seed);
    struct answer *answer = trial->change->ask(&stage);
    stage_demand_silence(&stage, trial->change->replies);
    uint64_t changed = rig_hash(stage.rig);
    assert_true(changed != told || strcmp(trial->change->code, "") != 0);
    if (broken) {
        rig_hold_disk(stage.rig, false); /* the write completes, badly */
        rig_settle(stage.rig);
        assert_int_equal(rig_log_failures(stage.rig), 1);
        struct answer *read = rig_send(stage.rig, "system.stats", PARAMS());
        rig_until_encoded(stage.rig, stage.encoded + trial->change->replies + 1);
        rig_settle(stage.rig);
        assert_int_equal(rig_log_failures(stage.rig), 1); /* said once */
        assert_int_equal(rig_disk_lsn(stage.rig) <= rig_appended_lsn(stage.rig), 1);
        (void)read; /* it may be told what was durable before, and nothing else */
    }
    assert_false(answer_is_here(answer));
    demand_whole(&stage, told, changed, trial->seed);
}

static void broken(void **state) { never_told(*state, true); }
static void torn(void **state) { never_told(*state, false); }

/* STATE_HASHED is nobody's answer: the log ends with it. */
static void every_kind_was_tried(void **state) {
    const bool *kinds = ((struct trial *)*state)->kinds;
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
    static struct trial trials[CHANGES * ROUNDS];
    static struct CMUnitTest tests[CHANGES * ROUNDS + 1];
    for (uint32_t i = 0; i < CHANGES * ROUNDS; i++) {
        const struct change *change = &changes[i % CHANGES];
        trials[i] = (struct trial){.change = change, .kinds = kinds, .seed = i};
        (void)strcat(strcat(strcpy(trials[i].name, rounds[i / CHANGES].name), ": "), change->name);
        tests[i] = (struct CMUnitTest){trials[i].name, rounds[i / CHANGES].run, NULL, end_trial,
                                       &trials[i]};
    }
    tests[CHANGES * ROUNDS] = (struct CMUnitTest){"every kind of decision was tried",
                                                  every_kind_was_tried, NULL, NULL, &trials[0]};
    return cmocka_run_group_tests_name("durability: decisions", tests, NULL, NULL);
}
