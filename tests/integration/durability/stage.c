#include "tests/integration/durability/stage.h"

struct stage stage_open(void **state, uint32_t shards) {
    struct stage stage = {.shards = shards};
    stage.rig = rig_open(
        &(struct rig_options){.shards = shards, .by_hand = true, .segment_bytes = 256u * 1024u});
    *state = stage.rig;
    stage.concert = concert_of(stage.rig, "stage");
    stage.date = date_of(stage.rig, stage.concert, with_number("active_capacity", 2),
                         with_number("hold_ttl_ms", STAGE_HOLD_MS));
    (void)date_add_seats(stage.rig, stage.date, STAGE_SEATS, STAGE_PRICE, "A"); /* checked there */
    assert_true(answer_is_ok(date_opens(stage.rig, stage.date)));
    stage.anna = fan_of(stage.rig, stage.date, (uint8_t)(shards == 2 ? 2 : 5));
    stage.ben = fan_of(stage.rig, stage.date, 1);
    assert_int_equal(rig_shard_of_date(stage.rig, stage.date), STAGE_DATE_SHARD);
    assert_int_not_equal(rig_shard_of_user(stage.rig, stage.anna.user), STAGE_DATE_SHARD);
    assert_int_equal(rig_shard_of_user(stage.rig, stage.ben.user), STAGE_DATE_SHARD);
    return stage;
}

void stage_hold(struct stage *stage) {
    assert_true(answer_says(fan_enters(&stage->anna), "state", "active"));
    assert_true(answer_is_ok(fan_holds(&stage->anna, 1)));
}

void stage_charge(struct stage *stage) {
    assert_true(answer_is_ok(fan_charges(&stage->anna, 5 * STAGE_PRICE, "charge")));
}

void stage_pay(struct stage *stage) { assert_true(answer_is_ok(fan_pays(&stage->anna, "pay"))); }

void stage_stop_disk(struct stage *stage) {
    rig_settle(stage->rig);
    assert_true(rig_disk_lsn(stage->rig) == rig_appended_lsn(stage->rig));
    stage->encoded = rig_encoded(stage->rig);
    stage->released = rig_released(stage->rig);
    assert_true(stage->encoded == stage->released);
    rig_hold_disk(stage->rig, true);
}

void stage_demand_silence(struct stage *stage, uint32_t replies) {
    rig_until_encoded(stage->rig, stage->encoded + replies);
    /* What follows from it as well, so that all of it goes into one block. */
    for (uint32_t i = 0; i < 4; i++) rig_step_shards(stage->rig);
    for (uint32_t i = 0; i < 20; i++) {
        rig_step_log(stage->rig);
        rig_step_shards(stage->rig);
    }
    assert_int_equal(rig_encoded(stage->rig), stage->encoded + replies);
    assert_int_equal(rig_released(stage->rig), stage->released);
    /* There was something to wait for, and it is not there yet. */
    assert_true(rig_disk_lsn(stage->rig) < rig_appended_lsn(stage->rig));
}

struct answer *stage_send_pay(struct stage *stage) {
    return rig_send(stage->rig, "payment.pay",
                    PARAMS(with_text("token", stage->anna.token),
                           with_number("reservation", stage->anna.reservation),
                           with_text("key", "pay")));
}

struct answer *stage_send_cancel(struct stage *stage) {
    return rig_send(stage->rig, "reservation.cancel",
                    PARAMS(with_text("user", stage->anna.user),
                           with_number("reservation", stage->anna.reservation),
                           with_text("key", "cancel")));
}
