/* durability_fixture.c - see durability_fixture.h */
#include "tests/integration/durability/durability_fixture.h"

struct durability_fixture durability_open(void **state, uint32_t shards) {
    struct durability_fixture sale = {.shards = shards};
    sale.fixture = fixture_open(&(struct fixture_options){
        .shards = shards, .by_hand = true, .segment_bytes = 256u * 1024u});
    *state = sale.fixture;
    sale.concert = concert_of(sale.fixture, "sale");
    sale.date = date_of(sale.fixture, sale.concert, with_number("active_capacity", 2),
                        with_number("hold_ttl_ms", DURABILITY_HOLD_MS));
    (void)date_add_seats(sale.fixture, sale.date, DURABILITY_SEATS, DURABILITY_PRICE,
                         "A"); /* checked there */
    assert_true(answer_is_ok(date_opens(sale.fixture, sale.date)));
    sale.anna = fan_of(sale.fixture, sale.date, (uint8_t)(shards == 2 ? 2 : 5));
    sale.ben = fan_of(sale.fixture, sale.date, 1);
    assert_int_equal(fixture_shard_of_date(sale.fixture, sale.date), DURABILITY_DATE_SHARD);
    assert_int_not_equal(fixture_shard_of_user(sale.fixture, sale.anna.user),
                         DURABILITY_DATE_SHARD);
    assert_int_equal(fixture_shard_of_user(sale.fixture, sale.ben.user), DURABILITY_DATE_SHARD);
    return sale;
}

void durability_hold(struct durability_fixture *sale) {
    assert_true(answer_says(fan_enters(&sale->anna), "state", "active"));
    assert_true(answer_is_ok(fan_holds(&sale->anna, 1)));
}

void durability_charge(struct durability_fixture *sale) {
    assert_true(answer_is_ok(fan_charges(&sale->anna, 5 * DURABILITY_PRICE, "charge")));
}

void durability_pay(struct durability_fixture *sale) {
    assert_true(answer_is_ok(fan_pays(&sale->anna, "pay")));
}

void durability_stop_disk(struct durability_fixture *sale) {
    fixture_settle(sale->fixture);
    assert_true(fixture_disk_lsn(sale->fixture) == fixture_appended_lsn(sale->fixture));
    sale->encoded = fixture_encoded(sale->fixture);
    sale->released = fixture_released(sale->fixture);
    assert_true(sale->encoded == sale->released);
    fixture_hold_disk(sale->fixture, true);
}

void durability_demand_silence(struct durability_fixture *sale, uint32_t replies) {
    fixture_until_encoded(sale->fixture, sale->encoded + replies);
    /* What follows from it as well, so that all of it goes into one block. */
    for (uint32_t i = 0; i < 4; i++) fixture_step_shards(sale->fixture);
    for (uint32_t i = 0; i < 20; i++) {
        fixture_step_log(sale->fixture);
        fixture_step_shards(sale->fixture);
    }
    assert_int_equal(fixture_encoded(sale->fixture), sale->encoded + replies);
    assert_int_equal(fixture_released(sale->fixture), sale->released);
    /* There was something to wait for, and it is not there yet. */
    assert_true(fixture_disk_lsn(sale->fixture) < fixture_appended_lsn(sale->fixture));
}

struct answer *durability_send_pay(struct durability_fixture *sale) {
    return fixture_send(sale->fixture, "payment.pay",
                        PARAMS(with_text("token", sale->anna.token),
                               with_number("reservation", sale->anna.reservation),
                               with_text("key", "pay")));
}

struct answer *durability_send_cancel(struct durability_fixture *sale) {
    return fixture_send(sale->fixture, "reservation.cancel",
                        PARAMS(with_text("user", sale->anna.user),
                               with_number("reservation", sale->anna.reservation),
                               with_text("key", "cancel")));
}
