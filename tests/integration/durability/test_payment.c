/* test_payment.c - payment and refund cross two shards; the power fails after each of their steps
 *
 *     step      0: date          1: wallet       2: date         3: wallet
 *     pay       PAYMENT_STARTED  FUNDS_RESERVED  SEATS_SOLD      FUNDS_POSTED
 *     cancel    REFUND_STARTED   FUNDS_REFUNDED  SEATS_REFUNDED  REFUND_CLOSED
 *
 * For each number of steps whose writes have completed: the reply is there if and only if the step
 * that answers is durable. After the crash whatever was begun is finished by itself; asking again
 * with the same key gets the one answer; the points are taken and given once, and none is lost.
 */
#include "tests/integration/durability/stage.h"

#include <stdlib.h>
#include <string.h>

#define STEPS 4u          /* of a payment, of a refund */
#define ANSWERING_STEP 3u /* the step whose decision the reply tells */
#define SHARDS 3u
#define CHARGED (5 * STAGE_PRICE)

struct flow {
    const char *name;
    void (*prepare)(struct stage *stage);
    struct answer *(*ask)(struct stage *stage);
    const char *begun, *ended; /* states of the reservation */
    uint64_t balance;          /* in the end */
    enum decision_kind once;   /* this happens exactly once, whatever else does */
    enum decision_kind money_once;
};

static void held(struct stage *stage) {
    stage_hold(stage);
    stage_charge(stage);
}
static void paid(struct stage *stage) {
    held(stage);
    stage_pay(stage);
}

static const struct flow flows[] = {
    {"payment", held, stage_send_pay, "held", "paid", CHARGED - STAGE_PRICE, DECISION_SEATS_SOLD,
     DECISION_FUNDS_RESERVED},
    {"refund", paid, stage_send_cancel, "paid", "refunded", CHARGED, DECISION_SEATS_REFUNDED,
     DECISION_FUNDS_REFUNDED},
};
#define FLOWS (sizeof flows / sizeof flows[0])
#define SEEDS 4u /* of what a torn write leaves */

struct trial {
    const struct flow *flow;
    uint32_t written; /* steps whose write has completed when the power fails */
    uint64_t seed;
    void *rig; /* for the teardown */
    char name[80];
};

static int end_trial(void **state) { return rig_teardown(&((struct trial *)*state)->rig); }

/* The shards in the order of the steps. */
static uint32_t shard_of_step(const struct stage *stage, uint32_t step) {
    return step % 2 == 0 ? STAGE_DATE_SHARD : rig_shard_of_user(stage->rig, stage->anna.user);
}

static void write_all(struct stage *stage) {
    while (rig_disk_lsn(stage->rig) < rig_appended_lsn(stage->rig)) rig_step_log(stage->rig);
}

static void power_fails(void **state) {
    struct trial *trial = *state;
    const struct flow *flow = trial->flow;
    struct stage stage = stage_open(&trial->rig, SHARDS);
    flow->prepare(&stage);
    stage_stop_disk(&stage);
    rig_hold_disk(stage.rig, false);
    uint64_t submitted = rig_submitted(stage.rig);
    struct answer *answer = flow->ask(&stage);
    rig_until_submitted(stage.rig, submitted + 1);
    for (uint32_t step = 0; step < STEPS; step++) {
        uint64_t appended = rig_appended_lsn(stage.rig);
        if (step == trial->written) rig_hold_disk(stage.rig, true);
        rig_step_shard(stage.rig, shard_of_step(&stage, step));
        assert_true(rig_appended_lsn(stage.rig) > appended); /* each step decides something */
        if (step < trial->written) write_all(&stage);
        rig_step_log(stage.rig);
    }
    for (uint32_t i = 0; i < 10; i++) {
        rig_step_log(stage.rig);
        rig_step_shards(stage.rig);
    }
    bool told = trial->written >= ANSWERING_STEP;
    assert_int_equal(rig_released(stage.rig), stage.released + told);
    if (told) assert_true(answer_is_ok(rig_wait(stage.rig, answer)));
    if (!told) assert_false(answer_is_here(answer));

    rig_crash(stage.rig, trial->seed);
    rig_settle(stage.rig); /* what was begun finishes by itself */
    if (trial->written > 0) assert_true(fan_reservation_is(&stage.anna, flow->ended));
    if (trial->written == 0) {
        assert_true(fan_reservation_is(&stage.anna, flow->begun) ||
                    fan_reservation_is(&stage.anna, flow->ended)); /* it was in the torn write */
    }
    answer = rig_wait(stage.rig, flow->ask(&stage)); /* the same key again */
    assert_true(answer_is_ok(answer));
    assert_true(fan_reservation_is(&stage.anna, flow->ended));
    assert_true(fan_balance(&stage.anna) == flow->balance);
    rig_settle(stage.rig);
    assert_int_equal(rig_count_log(stage.rig, flow->once), 1);
    assert_int_equal(rig_count_log(stage.rig, flow->money_once), 1);
    rig_finish(stage.rig);
}

int main(void) {
    static struct trial trials[FLOWS * (STEPS + 1) * SEEDS];
    static struct CMUnitTest tests[FLOWS * (STEPS + 1) * SEEDS];
    uint32_t count = 0;
    for (uint32_t i = 0; i < FLOWS * (STEPS + 1) * SEEDS; i++) {
        uint32_t written = i / SEEDS % (STEPS + 1);
        char number[2] = {(char)('0' + written)};
        trials[i] = (struct trial){
            .flow = &flows[i / SEEDS / (STEPS + 1)], .written = written, .seed = i % SEEDS};
        (void)strcat(strcat(strcpy(trials[i].name, trials[i].flow->name), ", steps written: "),
                     number);
        tests[count++] = (struct CMUnitTest){trials[i].name, power_fails, NULL, end_trial,
                                             &trials[i]};
    }
    return cmocka_run_group_tests_name("durability: payments", tests, NULL, NULL);
}
