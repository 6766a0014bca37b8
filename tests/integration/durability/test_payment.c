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
#include "tests/integration/durability/durability_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "tests/oracle/oracle_engine.h"

#define STEPS 4u          /* of a payment, of a refund */
#define ANSWERING_STEP 3u /* the step whose decision the reply tells */
#define SHARDS 3u
#define CHARGED (5 * DURABILITY_PRICE)

struct flow {
    const char *name;
    void (*prepare)(struct durability_fixture *sale);
    struct answer *(*ask)(struct durability_fixture *sale);
    const char *begun, *ended; /* states of the reservation */
    uint64_t balance;          /* in the end */
    enum decision_kind once;   /* this happens exactly once, whatever else does */
    enum decision_kind money_once;
};

static void held(struct durability_fixture *sale) {
    durability_hold(sale);
    durability_charge(sale);
}
static void paid(struct durability_fixture *sale) {
    held(sale);
    durability_pay(sale);
}

static const struct flow flows[] = {
    {"payment", held, durability_send_pay, "held", "paid", CHARGED - DURABILITY_PRICE,
     DECISION_SEATS_SOLD, DECISION_FUNDS_RESERVED},
    {"refund", paid, durability_send_cancel, "paid", "refunded", CHARGED, DECISION_SEATS_REFUNDED,
     DECISION_FUNDS_REFUNDED},
};
#define FLOWS (sizeof flows / sizeof flows[0])
#define SEEDS 4u /* of what a torn write leaves */

struct payment_trial {
    const struct flow *flow;
    uint32_t written; /* steps whose write has completed when the power fails */
    uint64_t seed;
    void *fixture; /* for the teardown */
    char name[80];
};

static int end_trial(void **state) {
    return fixture_teardown(&((struct payment_trial *)*state)->fixture);
}

/* The shards in the order of the steps. */
static uint32_t shard_of_step(const struct durability_fixture *sale, uint32_t step) {
    return step % 2 == 0 ? DURABILITY_DATE_SHARD
                         : fixture_shard_of_user(sale->fixture, sale->anna.user);
}

static void write_all(struct durability_fixture *sale) {
    while (fixture_disk_lsn(sale->fixture) < fixture_appended_lsn(sale->fixture))
        fixture_step_log(sale->fixture);
}

static void power_fails(void **state) {
    struct payment_trial *trial = *state;
    const struct flow *flow = trial->flow;
    struct durability_fixture sale = durability_open(&trial->fixture, SHARDS);
    flow->prepare(&sale);
    durability_stop_disk(&sale);
    fixture_hold_disk(sale.fixture, false);
    uint64_t submitted = fixture_submitted(sale.fixture);
    struct answer *answer = flow->ask(&sale);
    fixture_until_submitted(sale.fixture, submitted + 1);
    for (uint32_t step = 0; step < STEPS; step++) {
        uint64_t appended = fixture_appended_lsn(sale.fixture);
        if (step == trial->written) fixture_hold_disk(sale.fixture, true);
        fixture_step_shard(sale.fixture, shard_of_step(&sale, step));
        assert_true(fixture_appended_lsn(sale.fixture) >
                    appended); /* each step decides something */
        if (step < trial->written) write_all(&sale);
        fixture_step_log(sale.fixture);
    }
    for (uint32_t i = 0; i < 10; i++) {
        fixture_step_log(sale.fixture);
        fixture_step_shards(sale.fixture);
    }
    bool told = trial->written >= ANSWERING_STEP;
    assert_int_equal(fixture_released(sale.fixture), sale.released + told);
    if (told) assert_true(answer_is_ok(fixture_wait(sale.fixture, answer)));
    if (!told) assert_false(answer_is_here(answer));

    fixture_crash(sale.fixture, trial->seed);
    fixture_settle(sale.fixture); /* what was begun finishes by itself */
    if (trial->written > 0) assert_true(fan_reservation_is(&sale.anna, flow->ended));
    if (trial->written == 0) {
        assert_true(fan_reservation_is(&sale.anna, flow->begun) ||
                    fan_reservation_is(&sale.anna, flow->ended)); /* it was in the torn write */
    }
    answer = fixture_wait(sale.fixture, flow->ask(&sale)); /* the same key again */
    assert_true(answer_is_ok(answer));
    assert_true(fan_reservation_is(&sale.anna, flow->ended));
    assert_true(fan_balance(&sale.anna) == flow->balance);
    fixture_settle(sale.fixture);
    assert_int_equal(fixture_count_log(sale.fixture, flow->once), 1);
    assert_int_equal(fixture_count_log(sale.fixture, flow->money_once), 1);
    oracle_finish(sale.fixture);
}

int main(void) {
    static struct payment_trial trials[FLOWS * (STEPS + 1) * SEEDS];
    static struct CMUnitTest tests[FLOWS * (STEPS + 1) * SEEDS];
    uint32_t count = 0;
    for (uint32_t i = 0; i < FLOWS * (STEPS + 1) * SEEDS; i++) {
        uint32_t written = i / SEEDS % (STEPS + 1);
        char number[2] = {(char)('0' + written)};
        trials[i] = (struct payment_trial){
            .flow = &flows[i / SEEDS / (STEPS + 1)], .written = written, .seed = i % SEEDS};
        (void)strcat(strcat(strcpy(trials[i].name, trials[i].flow->name), ", steps written: "),
                     number);
        tests[count++] = (struct CMUnitTest){trials[i].name, power_fails, NULL, end_trial,
                                             &trials[i]};
    }
    return cmocka_run_group_tests_name("durability: payments", tests, NULL, NULL);
}
