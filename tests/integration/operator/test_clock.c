/* test_clock.c - a real usherd whose wall clock is wrong at a start, or is set while it runs
 *
 * The clock is the test's (tests/process/wall.h), so hours pass at once. The table of starts works
 * on the history of operator_fixture.h, whose last decision is Carol's last charge; the state
 * hashes behind it bear a later time. Engine time is asked for with system.ping. Rules:
 * engine/README.md, "Time".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/require.h"
#include "replay/tell/text.h"
#include "tests/integration/operator/operator_fixture.h"
#include "tests/process/caller.h"
#include "tests/process/common.h"
#include "tests/process/daemon.h"
#include "tests/process/wall.h"

#define SECOND 1000
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define LAST_CHARGE 1795292402999ull /* 2026-11-21T20:20:02.999Z */
#define TOLD_US 30000000u            /* a word about the clock comes within this */
#define LOOK_US 20000u

static struct operator_fixture *fixture;
static struct usherd_daemon usherd;
static struct wall wall;
static struct caller caller;
static struct ask ask;
static struct caller_answer answer;

static int set_up(void **state) {
    REQUIRE(operator_setup((void **)&fixture) == 0);
    daemon_create(&usherd, &(struct daemon_options){.shards = 2, .segment_mb = 1});
    wall_open(&wall, usherd.directory);
    wall_lend(&wall, true);
    (void)state; /* one fixture for all */
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    wall_close(&wall);
    daemon_destroy(&usherd);
    return operator_teardown((void **)&fixture);
}

/* --- what the tests do ------------------------------------------------------------------------ */

/* Of the daemon and of `usher`, with nothing said yet. */
static void use_folder(const char *path) {
    char copy[OPERATOR_PATH_BYTES], said[OPERATOR_PATH_BYTES];
    (void)snprintf(copy, sizeof copy, "%s", path);
    (void)snprintf(fixture->data, sizeof fixture->data, "%s", copy);
    (void)snprintf(usherd.data, sizeof usherd.data, "%.60s", copy);
    REQUIRE(strcmp(usherd.data, path) == 0);
    (void)snprintf(said, sizeof said, "%.48s/stderr", usherd.directory);
    (void)remove(said); /* it may not be there yet */
    usherd.options.extra = NULL;
}

/* Everything that the daemons of this folder have said on standard error. */
static const char *complaints(void) {
    static char text[16384];
    char path[96];
    (void)snprintf(path, sizeof path, "%s/stderr", usherd.directory);
    FILE *file = fopen(path, "r");
    size_t size = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file) (void)fclose(file);
    text[size] = '\0';
    return text;
}

static uint32_t count_words(const char *words) {
    uint32_t count = 0;
    for (const char *at = complaints(); (at = strstr(at, words)); at++) count++;
    return count;
}

static void wait_for_words(const char *words) {
    const uint64_t deadline_us = monotonic_us() + TOLD_US;
    while (count_words(words) == 0) {
        if (monotonic_us() > deadline_us) {
            fail_msg("usherd has not said \"%s\" but: %s", words, complaints());
        }
        pause_us(LOOK_US);
    }
}

static uint64_t engine_now_ms(void) {
    ask_begin(&ask, "system.ping", 0);
    assert_int_equal(caller_ask(&caller, &ask, &answer), 0);
    return answer.now_ms;
}

static void start(void) {
    assert_true(daemon_start(&usherd));
    caller_open(&caller, usherd.url, 0);
}

static void stop(void) {
    caller_close(&caller);
    assert_int_equal(daemon_stop(&usherd), 0);
}

/* A date, and a fan who holds its first seat. Between its deadlines there is nothing to do. */
static void make_date(uint64_t sales_open_at, bool hold) {
    /* A step of the clock is an outage to those whose time runs; here nothing is given back. */
    static const char *const names[] = {"hold_ttl_ms",   "active_ttl_ms", "waiting_timeout_ms",
                                        "sales_open_at", "outage_credit", NULL};
    const uint64_t values[] = {10 * MINUTE, HOUR, 24 * HOUR, sales_open_at, 0};
    const struct id128 user = test_user(4, 4, 4);
    const uint32_t seat = 1;
    struct caller admin;
    caller_open(&admin, usherd.admin_url, 0);
    uint64_t concert = caller_concert(&admin, "clock");
    const struct caller_date date = {
        .title = "clock", .seat_count = 4, .policy_names = names, .policy_values = values};
    assert_int_equal(caller_date(&admin, concert, &date), 1);
    caller_close(&admin);
    if (!hold) return;
    ask_enter(&ask, 1, &user);
    assert_int_equal(caller_ask(&caller, &ask, &answer), 0);
    char token[TOKEN_TEXT_BYTES + 1];
    memcpy(token, answer.token, sizeof token);
    ask_hold(&ask, token, &seat, 1);
    assert_int_equal(caller_ask(&caller, &ask, &answer), 0);
}

static void enter_is_too_early(void) {
    const struct id128 user = test_user(5, 5, 5);
    ask_enter(&ask, 1, &user);
    assert_int_equal(caller_ask(&caller, &ask, &answer), ERROR_NOT_ON_SALE_YET);
}

/* Engine time is the wall clock, but for what starting and asking takes. */
static void clock_is_right(void) {
    uint64_t before_ms = wall_now_ms(&wall), now_ms = engine_now_ms();
    assert_in_range(now_ms, before_ms - 2, wall_now_ms(&wall) + 2);
}

/* Each answer was computed at some moment between question and answer. */
static void runs_at_half_speed(void) {
    uint64_t asked_us = monotonic_us(), first_ms = engine_now_ms(), answered_us = monotonic_us();
    pause_us(400000);
    uint64_t least_ms = (monotonic_us() - answered_us) / 2000;
    uint64_t passed_ms = engine_now_ms() - first_ms;
    assert_in_range(passed_ms, least_ms - 2, (monotonic_us() - asked_us) / 2000 + 2);
}

/* --- starting --------------------------------------------------------------------------------- */

struct start_case {
    const char *name;
    int64_t wall_ms; /* less the log's last decision */
    const char *option;
    const char *words; /* NULL: nothing is said */
    bool starts;
};

/* The exact end of the five minutes is in tests/unit/engine/runtime/test_clock.c; here a start
 * takes time. */
static const struct start_case start_cases[] = {
    {"long-after", 24 * HOUR, NULL, NULL, true},
    {"before-hashes", 10 * SECOND, NULL, NULL, true}, /* their time counts for nothing */
    {"bit-behind", -100, NULL, NULL, true},
    {"minute-behind", -MINUTE, NULL, "The engine's time goes on from the decision's", true},
    {"five-behind", -5 * MINUTE, NULL, "until the clock has met it", true},
    {"beyond", -5 * MINUTE - 20 * SECOND, NULL, "At most 5 minutes are waited for", false},
    {"hours-behind", -8 * HOUR, NULL, "usher restore", false},
    {"accepted", -8 * HOUR, "--accept-clock-behind", "at half speed", true},
    {"not-accepted", -8 * HOUR, "--accept-clock-behind=no", "--accept-clock-behind", false},
};

static void judge_running(const struct start_case *one) {
    uint64_t first_ms = engine_now_ms();
    if (one->wall_ms >= 0) {
        clock_is_right();
        return;
    }
    assert_in_range(first_ms, LAST_CHARGE, LAST_CHARGE + MINUTE);
    if (one->wall_ms > -MINUTE) return; /* the clock may have met it by now */
    runs_at_half_speed();
}

static void starts_by_the_log(void **state) {
    (void)state;
    USHER(fixture, "state", FOLDER, "--json");
    DONE(fixture);
    SAYS(fixture, "\"last_decision\":\"" DAY "20:20:02.999Z\"");
    char history[OPERATOR_PATH_BYTES];
    memcpy(history, fixture->data, sizeof history);
    for (size_t i = 0; i < sizeof start_cases / sizeof start_cases[0]; i++) {
        const struct start_case *one = &start_cases[i];
        const char *const extra[] = {one->option, NULL};
        memcpy(fixture->data, history, sizeof history);
        operator_copy(fixture, one->name);
        use_folder(fixture->data);
        usherd.options.extra = extra;
        wall_set(&wall, LAST_CHARGE + (uint64_t)one->wall_ms);
        note("%s", one->name);
        if (one->starts) {
            start();
            judge_running(one);
            stop();
        } else {
            daemon_launch(&usherd);
            assert_int_equal(daemon_wait_end(&usherd, DAEMON_READY_MS_MAX), 1);
            USHER(fixture, "wal", "verify", FOLDER);
            DONE(fixture);
        }
        if (!one->words) assert_string_equal(complaints(), "");
        if (one->words && !strstr(complaints(), one->words)) {
            fail_msg("%s: \"%s\" is not in: %s", one->name, one->words, complaints());
        }
    }
}

/* --- a start with a fast clock ---------------------------------------------------------------- */

/* A clean stop logs state hashes and seals; a killed engine leaves what it leaves. */
static void start_fast(bool killed) {
    wall_step(&wall, 8 * HOUR);
    start();
    clock_is_right();
    if (killed) {
        caller_close(&caller);
        daemon_kill(&usherd);
    } else {
        stop();
    }
    wall_step(&wall, -8 * HOUR);
}

/* The engine of the folder has the right clock, opens no sale early, and has nothing to say. */
static void starts_right(const char *folder) {
    use_folder(folder);
    start();
    clock_is_right();
    enter_is_too_early();
    stop();
    assert_string_equal(complaints(), "");
}

/* The folder of a date whose sale opens in an hour, after fast starts. @ret_before: a moment
 * before */
static void make_fast_folder(const char *name, char ret_before[TEXT_TIME_BYTES]) {
    char path[OPERATOR_PATH_BYTES];
    operator_path(fixture, name, path);
    use_folder(path);
    wall_set(&wall, LAST_CHARGE);
    start();
    make_date(LAST_CHARGE + HOUR, false);
    stop();
    wall_step(&wall, MINUTE);
    text_time(wall_now_ms(&wall), ret_before);
    wall_step(&wall, MINUTE);
    start_fast(false);
    start_fast(true);
    start_fast(false);
}

static void a_fast_start_leaves_no_trace(void **state) {
    (void)state;
    char before[TEXT_TIME_BYTES], folder[OPERATOR_PATH_BYTES], restored[OPERATOR_PATH_BYTES];
    make_fast_folder("fast", before);
    memcpy(folder, fixture->data, sizeof folder);
    operator_path(fixture, "restored", restored);
    USHER(fixture, "restore", folder, restored, "--to", before);
    DONE(fixture);
    USHER(fixture, "wal", "ls", restored);
    SAYS_NOT(fixture, "2026-11-22"); /* nor were its blocks written then */
    starts_right(restored);
    starts_right(folder);
}

/* The repair's own block bears the latest time of all blocks. */
static void repaired_after_a_fast_start(void **state) {
    (void)state;
    char before[TEXT_TIME_BYTES];
    make_fast_folder("repaired", before);
    operator_flip(fixture, "wal/wal-0000000000000002.seg", 4096 + 100);
    USHER(fixture, "wal", "repair", FOLDER, "--cut");
    DONE(fixture);
    starts_right(fixture->data);
}

static void make_concert(void) {
    struct caller admin;
    caller_open(&admin, usherd.admin_url, 0);
    (void)caller_concert(&admin, "another"); /* whichever number it gets */
    caller_close(&admin);
}

/* A moment is found although the segment behind it says that it was begun long before. */
static void moments_after_a_start_behind(void **state) {
    (void)state;
    static const char *const accept[] = {"--accept-clock-behind", NULL};
    char path[OPERATOR_PATH_BYTES], moment[TEXT_TIME_BYTES];
    operator_path(fixture, "behind", path);
    use_folder(path);
    wall_set(&wall, LAST_CHARGE);
    start();
    make_date(0, false);
    wall_step(&wall, HOUR);
    text_time(LAST_CHARGE + HOUR / 2, moment);
    make_concert();
    stop();
    wall_step(&wall, -2 * HOUR);
    usherd.options.extra = accept;
    start();
    make_concert();
    stop();
    usherd.options.extra = NULL;
    USHER(fixture, "state", FOLDER, "--at", moment);
    DONE(fixture);
    SAYS(fixture, "concerts 1, dates 1");
}

/* --- set while it runs ------------------------------------------------------------------------ */

/* Nobody asks: the shard sleeps until a deadline that the step has passed. */
static void wait_for_hold_to_end(void) {
    const uint64_t deadline_us = monotonic_us() + TOLD_US;
    do {
        if (monotonic_us() > deadline_us) fail_msg("the hold does not end: %s", fixture->out);
        pause_us(LOOK_US);
        USHER(fixture, "wal", "cat", FOLDER, "--kind", "reservation_ended,token_expired");
        DONE(fixture);
    } while (fixture->out[0] == '\0');
}

static void is_set_while_it_runs(void **state) {
    (void)state;
    char path[OPERATOR_PATH_BYTES];
    operator_path(fixture, "running", path);
    use_folder(path);
    wall_set(&wall, LAST_CHARGE);
    start();
    make_date(0, true);
    clock_is_right();

    wall_step(&wall, 300); /* no step: followed, but not worth a word */
    pause_us(2000);        /* the next millisecond */
    (void)engine_now_ms();
    wall_step(&wall, HOUR); /* and nobody asks */
    wait_for_words("was set forward by 1 h (or");
    wait_for_hold_to_end();

    uint64_t now_ms = engine_now_ms();
    wall_step(&wall, -HOUR / 2);
    wait_for_words("was set back by 30 min; the engine's time never goes back");
    assert_true(engine_now_ms() >= now_ms);
    runs_at_half_speed();

    wall_step(&wall, HOUR / 2 + 10 * SECOND);
    pause_us(2000);
    clock_is_right();
    wait_for_words("was set forward by 30 min 10 s");
    assert_int_equal(count_words("usherd:"), 3);

    wall_step(&wall, -4200); /* still behind by more than a second at the daemon's next look */
    wait_for_words("was set back by 4.200 s");
    wait_for_words("has met the engine's time again");
    clock_is_right();
    stop();
    assert_int_equal(count_words("usherd:"), 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_by_the_log),
        cmocka_unit_test(a_fast_start_leaves_no_trace),
        cmocka_unit_test(repaired_after_a_fast_start),
        cmocka_unit_test(moments_after_a_start_behind),
        cmocka_unit_test(is_set_while_it_runs),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
