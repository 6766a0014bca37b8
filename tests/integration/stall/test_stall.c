/* test_stall.c - a real usherd is stopped for a while, then killed and started after a while (X7)
 *
 * Happy path: a line of waiters and some active users with holds; SIGSTOP, SIGCONT; SIGKILL, a
 * pause, a start. Turns, holds and the patience of the line are shorter than either outage, and
 * polls come every now and then only. At the end everybody has the place, the turn and the hold
 * that they had, with the time that was left of it; holds are paid, and the line moves up.
 *
 *   test-stall [waiters active stopped_s down_s]     the test runs with small numbers
 *
 * Failure modes: a machine so slow that the rest of a turn does not suffice for the questions fails
 * the test; the numbers are generous. Thread: one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/process/caller.h"
#include "tests/process/common.h"
#include "tests/process/daemon.h"
#include "tests/process/history.h"

#define FAMILY 9u /* of test_user() */

static uint32_t waiters = 200, active = 20, stopped_s = 7, down_s = 7;

/* Somebody at the end of a token. */
struct stall_fan {
    struct id128 user;
    char token[TOKEN_TEXT_BYTES + 1];
    uint64_t reservation;
    uint64_t turn_ms, hold_ms; /* when they end, as told last */
};

struct sale {
    struct usherd_daemon usherd;
    struct caller admin, public;
    uint32_t date;
    struct stall_fan *fans; /* the active ones first */
    struct ask ask;
    struct caller_answer answer;
};

/* Whoever asks is answered, however long it takes. */
static const struct caller_answer *ask(struct sale *sale) {
    assert_int_equal(caller_ask_until_answered(&sale->public, &sale->ask, &sale->answer), 0);
    return &sale->answer;
}

static const struct caller_answer *ask_status(struct sale *sale, const struct stall_fan *fan) {
    ask_token(&sale->ask, "queue.status", fan->token);
    return ask(sale);
}

static const struct caller_answer *ask_reservation(struct sale *sale, const struct stall_fan *fan) {
    ask_user(&sale->ask, "reservation.list", &fan->user);
    const struct caller_answer *answer = ask(sale);
    assert_int_equal(answer->reservation_count, 1);
    assert_true(answer->reservations[0].id == fan->reservation);
    return answer;
}

static void set_capacity(struct sale *sale, uint64_t capacity) {
    ask_begin(&sale->ask, "admin.date_policy", 2);
    value_write_pair_uint(&sale->ask.params, "date", sale->date);
    value_write_pair_uint(&sale->ask.params, "active_capacity", capacity);
    assert_int_equal(caller_ask_until_answered(&sale->admin, &sale->ask, &sale->answer), 0);
}

/* --- what is on sale
 * -------------------------------------------------------------------------------- */

/* Nobody's turn begins before all are in. Every time limit is shorter than the outages. */
static void open_sale(struct sale *sale) {
    uint64_t shortest_s = stopped_s < down_s ? stopped_s : down_s;
    uint64_t limit_ms = shortest_s * 1000 - 1000;
    static const char *const names[] = {"active_capacity", "waiting_timeout_ms", "active_ttl_ms",
                                        "hold_ttl_ms", NULL};
    const uint64_t values[] = {0, limit_ms, limit_ms, limit_ms - 500};
    const struct caller_date date = {
        .title = "stall", .seat_count = active, .policy_names = names, .policy_values = values};
    caller_open(&sale->admin, sale->usherd.admin_url, 0);
    caller_open(&sale->public, sale->usherd.url, 0);
    sale->date = caller_date(&sale->admin, caller_concert(&sale->admin, "stall"), &date);
}

static void enter_all(struct sale *sale) {
    for (uint32_t i = 0; i < active; i++) {
        sale->fans[i].user = test_user(FAMILY, 0, i);
        ask_charge(&sale->ask, &sale->fans[i].user, 1000000, "charge");
        (void)ask(sale);
    }
    for (uint32_t i = 0; i < active + waiters; i++) {
        struct stall_fan *fan = &sale->fans[i];
        fan->user = test_user(FAMILY, 0, i);
        ask_enter(&sale->ask, sale->date, &fan->user);
        const struct caller_answer *answer = ask(sale);
        assert_int_equal(answer->token_state, TOKEN_WAITING);
        assert_int_equal(answer->ahead, i);
        memcpy(fan->token, answer->token, sizeof fan->token);
    }
}

static void hold_all(struct sale *sale) {
    set_capacity(sale, active);
    for (uint32_t i = 0; i < active; i++) {
        struct stall_fan *fan = &sale->fans[i];
        ask_hold(&sale->ask, fan->token, &(uint32_t){i + 1}, 1);
        const struct caller_answer *answer = ask(sale);
        fan->reservation = answer->reservation;
        fan->hold_ms = answer->expires_at;
        fan->turn_ms = ask_status(sale, fan)->expires_at;
    }
}

/* --- what must be as it was ------------------------------------------------------------------- */

/* Everybody has what they had, `outage_ms` longer; a little more is no harm. */
static void check_all(struct sale *sale, uint64_t outage_ms, uint64_t more_ms) {
    for (uint32_t i = 0; i < active + waiters; i++) { /* the line first: its patience is short */
        const struct stall_fan *fan = &sale->fans[active + waiters - 1 - i];
        const struct caller_answer *answer = ask_status(sale, fan);
        uint32_t index = (uint32_t)(fan - sale->fans);
        assert_int_equal(answer->token_state, index < active ? TOKEN_ACTIVE : TOKEN_WAITING);
        if (index >= active) assert_int_equal(answer->ahead, index - active);
    }
    for (uint32_t i = 0; i < active; i++) {
        struct stall_fan *fan = &sale->fans[i];
        uint64_t turn_ms = ask_status(sale, fan)->expires_at;
        assert_in_range(turn_ms, fan->turn_ms + outage_ms, fan->turn_ms + outage_ms + more_ms);
        fan->hold_ms += turn_ms - fan->turn_ms;
        fan->turn_ms = turn_ms;
        assert_int_equal(ask_reservation(sale, fan)->reservations[0].state, RESERVATION_HELD);
    }
}

static void pay_all(struct sale *sale) {
    for (uint32_t i = 0; i < active; i++) {
        struct stall_fan *fan = &sale->fans[i];
        ask_pay(&sale->ask, fan->token, fan->reservation, "pay");
        assert_true(ask(sale)->payment != 0);
    }
    for (uint32_t i = active; i < active + waiters; i++) { /* their slots are free: in order */
        const struct caller_answer *answer = ask_status(sale, &sale->fans[i]);
        bool is_in = i < 2 * active;
        assert_int_equal(answer->token_state, is_in ? TOKEN_ACTIVE : TOKEN_WAITING);
        assert_int_equal(answer->ahead, is_in ? 0 : i - 2 * active);
    }
}

struct stall_tally {
    uint32_t credits, silent, ended;
    struct decision_outage_credited credited[2];
};

static void tally(void *context, const struct decision *decision, uint64_t lsn) {
    struct stall_tally *tally = context;
    (void)lsn; /* where it stands is of no interest */
    if (decision->kind == DECISION_OUTAGE_CREDITED) {
        if (tally->credits < 2) tally->credited[tally->credits] = decision->outage_credited;
        tally->credits++;
    }
    tally->ended += decision->kind == DECISION_RESERVATION_ENDED;
    tally->silent += decision->kind == DECISION_TOKEN_EXPIRED;
}

/* The engine has said it, too. */
static void check_sentence(const struct sale *sale, uint32_t seconds, const char *why) {
    char path[80], text[4096], sentence[80];
    (void)snprintf(path, sizeof path, "%s/stderr", sale->usherd.directory);
    (void)snprintf(sentence, sizeof sentence, "nobody could be served for %u.", seconds);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    (void)fclose(file);
    if (!strstr(text, sentence) || !strstr(text, why)) fail_msg("said was: %s", text);
}

/* --- the test --------------------------------------------------------------------------------- */

static void stop_for(struct sale *sale, uint32_t seconds) {
    assert_int_equal(kill(sale->usherd.pid, SIGSTOP), 0);
    pause_us(seconds * 1000000ull);
    assert_int_equal(kill(sale->usherd.pid, SIGCONT), 0);
}

/* Until the engine has said a sentence about a time that nobody could use: it looks once a
 * second. */
#define SAY_US 1500000u

static int set_up(void **state) {
    struct sale *sale = calloc(1, sizeof *sale);
    assert_non_null(sale);
    *state = sale;
    sale->fans = calloc(active + waiters, sizeof *sale->fans);
    assert_non_null(sale->fans);
    daemon_create(&sale->usherd, &(struct daemon_options){.shards = 2, .segment_mb = 1});
    return daemon_start(&sale->usherd) ? 0 : -1;
}

static int tear_down(void **state) {
    struct sale *sale = *state;
    daemon_destroy(&sale->usherd);
    free(sale->fans);
    free(sale);
    return 0;
}

static void nobody_loses_anything(void **state) {
    struct sale *sale = *state;
    struct stall_tally seen = {0};
    open_sale(sale);
    enter_all(sale);
    hold_all(sale);
    stop_for(sale, stopped_s);
    check_all(sale, stopped_s * 1000ull - 250, 2000);
    note("stopped for %u s: %u waiters, %u turns and holds are as they were", stopped_s, waiters,
         active);
    pause_us(SAY_US);
    check_sentence(sale, stopped_s, "stood still");

    daemon_kill(&sale->usherd);
    uint64_t killed_us = monotonic_us();
    pause_us(down_s * 1000000ull);
    assert_true(daemon_start(&sale->usherd));
    uint64_t down_ms = (monotonic_us() - killed_us) / 1000;
    check_all(sale, down_s * 1000ull, down_ms - down_s * 1000ull + 7000); /* the log beats */
    note("killed, and started after %" PRIu64 " ms: likewise", down_ms);
    pay_all(sale);
    pause_us(SAY_US);
    caller_close(&sale->admin);
    caller_close(&sale->public);
    assert_int_equal(daemon_stop(&sale->usherd), 0);
    assert_true(history_read(sale->usherd.data, tally, &seen));
    assert_int_equal(seen.credits, 2);
    assert_int_equal(seen.credited[0].cause, OUTAGE_STALLED);
    assert_int_equal(seen.credited[1].cause, OUTAGE_DOWN);
    assert_int_equal(seen.ended + seen.silent, 0); /* paid tokens end with the payment */
    check_sentence(sale, down_s, "did not run");
    note("credited: %" PRIu64 " ms stalled, %" PRIu64 " ms down", seen.credited[0].credit_ms,
         seen.credited[1].credit_ms);
}

int main(int argc, char **argv) {
    uint32_t *const numbers[] = {&waiters, &active, &stopped_s, &down_s};
    if (argc != 1 && argc != 5) {
        (void)fprintf(stderr, "usage: test-stall [waiters active stopped_s down_s]\n");
        return 2;
    }
    for (int i = 1; i < argc; i++) *numbers[i - 1] = (uint32_t)strtoul(argv[i], NULL, 10);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nobody_loses_anything, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("stall", tests, NULL, NULL);
}
