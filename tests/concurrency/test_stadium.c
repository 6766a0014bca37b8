/* test_stadium.c - a date of 39,616 seats: import, pages, holds by number, guid and label, payment
 *
 * The largest plan that we know of has this many seats. Everything that a fan meets is done once on
 * it, before and after a kill.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <string.h>

#include "tests/oracle/oracle.h"
#include "tests/process/caller.h"
#include "tests/process/common.h"
#include "tests/process/daemon.h"
#include "tests/process/history.h"

#define SEATS 39616u
#define PAGE 1000u
#define WAIT_US 10000000u

static struct usherd_daemon usherd;
static struct caller caller;
static struct ask ask;
static struct caller_answer answer;
static char token[TOKEN_TEXT_BYTES + 1];
static uint32_t date;

static int set_up(void **state) {
    (void)state;
    daemon_create(&usherd, &(struct daemon_options){.shards = 2, .segment_mb = 16});
    return daemon_start(&usherd) ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    caller_close(&caller);
    daemon_destroy(&usherd);
    return 0;
}

static void import(void) {
    struct caller admin;
    const uint64_t begin_us = monotonic_us();
    caller_open(&admin, usherd.admin_url, 0);
    date = caller_date(&admin, caller_concert(&admin, "stadium"),
                       &(struct caller_date){.title = "all of it", .seat_count = SEATS});
    caller_close(&admin);
    note("%u seats imported in %" PRIu64 " ms", SEATS, (monotonic_us() - begin_us) / 1000);
}

static void become_active(uint32_t fan) {
    const struct id128 user = test_user(1, 0, fan);
    const uint64_t give_up_us = monotonic_us() + WAIT_US;
    ask_enter(&ask, date, &user);
    assert_int_equal(caller_ask_until_answered(&caller, &ask, &answer), 0);
    memcpy(token, answer.token, sizeof token);
    while (answer.token_state != TOKEN_ACTIVE) {
        assert_true(monotonic_us() < give_up_us);
        ask_token(&ask, "queue.status", token);
        assert_int_equal(caller_ask(&caller, &ask, &answer), 0);
    }
}

/* Read all pages. Return: how many seats are listed */
static uint32_t list_all(bool all, uint32_t *ret_available) {
    uint32_t listed = 0, pages = 0, last = 0;
    *ret_available = 0;
    for (uint32_t first = 1; first != 0; first = (uint32_t)answer.next) {
        ask_list(&ask, token, first, PAGE, all);
        assert_int_equal(caller_ask(&caller, &ask, &answer), 0);
        assert_true(answer.seat_count <= PAGE && ++pages <= SEATS / PAGE + 2);
        for (uint32_t i = 0; i < answer.seat_count; i++) {
            const struct caller_seat *seat = &answer.seats[i];
            assert_true(seat->number > last && (!all || seat->number == last + 1));
            assert_true(seat->price == price_of(seat->number));
            last = seat->number;
            *ret_available += seat->available;
        }
        listed += answer.seat_count;
    }
    return listed;
}

/* First and last by number, one by guid, one by label: 50 seats a row (caller.c). */
static uint64_t hold_and_pay(void) {
    static const uint32_t numbers[] = {1, SEATS, 20000, 12345};
    const struct id128 user = test_user(1, 0, 1);
    uint64_t amount = 0;
    ask_begin(&ask, "seats.hold", 2);
    value_write_pair_text(&ask.params, "token", token);
    value_write_text(&ask.params, "seats");
    value_write_array(&ask.params, 4);
    value_write_uint(&ask.params, 1);
    value_write_uint(&ask.params, SEATS);
    value_write_text(&ask.params, "guid-20000");
    value_write_text(&ask.params, "T/247/45"); /* 246 x 50 + 45 = 12345 */
    assert_int_equal(caller_ask(&caller, &ask, &answer), 0);
    assert_int_equal(answer.seat_count, 4);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(answer.seats[i].number, numbers[i]);
        amount += price_of(numbers[i]);
    }
    assert_true(answer.amount == amount);
    uint64_t reservation = answer.reservation;
    ask_charge(&ask, &user, amount, "charge");
    assert_int_equal(caller_ask(&caller, &ask, &answer), 0);
    ask_pay(&ask, token, reservation, "pay");
    assert_int_equal(caller_ask(&caller, &ask, &answer), 0);
    assert_true(answer.balance == 0 && answer.amount == amount);
    return reservation;
}

static void a_stadium_works(void **state) {
    (void)state;
    struct oracle oracle;
    uint32_t available;
    import();
    caller_open(&caller, usherd.url, 0);
    become_active(1);
    const uint64_t begin_us = monotonic_us();
    assert_int_equal(list_all(true, &available), SEATS);
    assert_int_equal(available, SEATS);
    note("%u seats listed in %" PRIu64 " ms", SEATS, (monotonic_us() - begin_us) / 1000);
    uint64_t reservation = hold_and_pay();

    daemon_kill(&usherd);
    assert_true(daemon_start(&usherd));
    note("recovered in %" PRIu64 " ms", usherd.ready_us / 1000);
    become_active(2);
    assert_int_equal(list_all(false, &available), SEATS - 4);
    assert_int_equal(list_all(true, &available), SEATS);
    assert_int_equal(available, SEATS - 4);
    ask_hold(&ask, token, (const uint32_t[]){2, 12345}, 2);
    assert_int_equal(caller_ask(&caller, &ask, &answer), ERROR_SEAT_TAKEN);
    assert_true(answer.data[0] == 12345);

    assert_int_equal(daemon_stop(&usherd), 0);
    oracle_init(&oracle, NULL);
    assert_true(history_read(usherd.data, oracle_visit, &oracle));
    (void)oracle_rest(&oracle);
    assert_int_equal(oracle.complaints, 0);
    assert_int_equal(
        oracle_reservation(oracle_date(&oracle, date), dated_id_sequence(reservation))->state,
        RESERVATION_PAID);
    assert_int_equal(oracle.dates[date]->seat_count, SEATS);
    oracle_deinit(&oracle);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_stadium_works, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
