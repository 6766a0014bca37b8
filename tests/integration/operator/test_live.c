/* test_live.c - usher beside a running usherd, and a restored folder under usherd
 *
 * While a fan in a process of its own holds and releases seats as fast as it can, every command
 * that reads must do its work on the folder, and see what somebody was told. Then a restored folder
 * is started and must go on where the old one was.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/uuid.h"
#include "engine/base/require.h"
#include "net/protocol/text.h"
#include "tests/integration/operator/operator_fixture.h"
#include "tests/process/caller.h"
#include "tests/process/common.h"
#include "tests/process/daemon.h"

#define SEATS 60u
#define OURS 7u /* the seat that the test holds; the busy fan keeps away from it */
#define HOUR_MS (3600u * 1000u)
/* How often each command runs beside the engine. */
#define ROUNDS 3u

struct operator_live {
    struct operator_fixture *fixture;
    struct usherd_daemon usherd;
    pid_t busy;
};

static struct operator_live live;

/* --- a busy fan ------------------------------------------------------------------------------- */

/* Ends with a signal. The date may not be there yet. */
static _Noreturn void be_busy(const char *url, pid_t parent) {
    static struct caller caller;
    static struct ask ask;
    static struct caller_answer answer;
    struct id128 user = test_user(1, 1, 1);
    REQUIRE(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent);
    caller_open(&caller, url, 0);
    for (;;) {
        ask_enter(&ask, 1, &user);
        if (caller_ask(&caller, &ask, &answer) == 0 && answer.token_state == TOKEN_ACTIVE) break;
        pause_us(10000);
    }
    char token[TOKEN_TEXT_BYTES + 1];
    memcpy(token, answer.token, sizeof token);
    for (uint32_t i = 0;; i++) {
        uint32_t seat = OURS + 1 + i % (SEATS - OURS);
        ask_hold(&ask, token, &seat, 1);
        if (caller_ask(&caller, &ask, &answer) != 0) continue;
        ask_release(&ask, token, answer.reservation);
        (void)caller_ask(&caller, &ask, &answer); /* it is busy, not careful */
    }
}

static void end_busy(void) {
    if (live.busy == 0) return;
    (void)kill(live.busy, SIGKILL);    /* it ends either way */
    (void)waitpid(live.busy, NULL, 0); /* likewise */
    live.busy = 0;
}

static int set_up(void **state) {
    (void)state;
    REQUIRE(operator_setup((void **)&live.fixture) == 0);
    daemon_create(&live.usherd, &(struct daemon_options){.shards = 2, .segment_mb = 1});
    if (!daemon_start(&live.usherd)) return -1;
    pid_t self = getpid();
    live.busy = fork(); /* before this process has any of nng's threads */
    REQUIRE(live.busy >= 0);
    if (live.busy == 0) be_busy(live.usherd.url, self);
    (void)snprintf(live.fixture->data, sizeof live.fixture->data, "%s",
                   live.usherd.data); /* fits */
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    end_busy();
    daemon_destroy(&live.usherd);
    return operator_teardown((void **)&live.fixture);
}

/* --- what the test does by itself ------------------------------------------------------------- */

static void make_date(void) {
    static const char *const names[] = {"hold_ttl_ms", "active_ttl_ms", "waiting_timeout_ms", NULL};
    static const uint64_t values[] = {HOUR_MS, HOUR_MS, HOUR_MS};
    struct caller admin;
    caller_open(&admin, live.usherd.admin_url, 0);
    uint64_t concert = caller_concert(&admin, "live");
    const struct caller_date date = {
        .title = "live", .seat_count = SEATS, .policy_names = names, .policy_values = values};
    assert_int_equal(caller_date(&admin, concert, &date), 1);
    caller_close(&admin);
}

/* Enter and hold. Return: the error, 0 held; *ret_reservation then */
static int hold(const struct id128 *user, uint32_t seat, uint64_t *ret_reservation) {
    static struct ask ask;
    static struct caller_answer answer;
    struct caller caller;
    caller_open(&caller, live.usherd.url, 0);
    ask_enter(&ask, 1, user);
    assert_int_equal(caller_ask_until_answered(&caller, &ask, &answer), 0);
    char token[TOKEN_TEXT_BYTES + 1];
    memcpy(token, answer.token, sizeof token);
    ask_hold(&ask, token, &seat, 1);
    int error = caller_ask_until_answered(&caller, &ask, &answer);
    *ret_reservation = answer.reservation;
    caller_close(&caller);
    return error;
}

static const char *text_of(const struct id128 *user) {
    static char text[UUID_TEXT_BYTES + 1];
    uuid_format(user, text);
    text[UUID_TEXT_BYTES] = '\0';
    return text;
}

/* --- tests ------------------------------------------------------------------------------------ */

/* What was acknowledged is seen as soon as the log itself says that it is durable: with the next
 * block, or the seal of an idle log. */
static void beside_the_engine(void **state) {
    (void)state;
    struct operator_fixture *fixture = live.fixture;
    struct id128 user = test_user(2, 2, 2);
    uint64_t reservation;
    char number[24];
    make_date();
    assert_int_equal(hold(&user, OURS, &reservation), 0);
    (void)snprintf(number, sizeof number, "%llu", (unsigned long long)reservation);
    pause_us(500000);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        char new[OPERATOR_PATH_BYTES], name[16];
        USHER(fixture, "state", FOLDER, "--date", "1", "--seat", "7");
        DONE(fixture);
        SAYS(fixture, text_of(&user));
        USHER(fixture, "state", FOLDER, "--reservation", number);
        DONE(fixture);
        USHER(fixture, "history", FOLDER, "--reservation", number);
        DONE(fixture);
        SAYS(fixture, "held by ");
        USHER(fixture, "history", FOLDER, "--date", "1", "--seat", "9");
        DONE(fixture);
        SAYS(fixture, "freed: given back by ");
        USHER(fixture, "wal", "verify", FOLDER);
        DONE(fixture);
        USHER(fixture, "wal", "ls", FOLDER);
        DONE(fixture);
        USHER(fixture, "wal", "repair", FOLDER);
        DONE(fixture);
        USHER(fixture, "wal", "cat", FOLDER, "--user", text_of(&user));
        DONE(fixture);
        SAYS(fixture, "seats_held");
        USHER(fixture, "snapshot", "make", FOLDER);
        DONE(fixture);
        USHER(fixture, "snapshot", "verify", FOLDER, "--against-log");
        DONE(fixture);
        USHER(fixture, "replay", FOLDER, "--verify");
        DONE(fixture);
        (void)snprintf(name, sizeof name, "live-%u", round);
        operator_path(fixture, name, new);
        USHER(fixture, "restore", FOLDER, new, "--to", "2100-01-01T00:00Z");
        DONE(fixture);
        USHER(fixture, "state", new, "--date", "1", "--seat", "7");
        DONE(fixture);
        SAYS(fixture, text_of(&user));
        USHER(fixture, "diff", FOLDER, new, "--date", "1");
        DONE(fixture);
        /* It would take the database from the engine; so it does not even ask the server. */
        USHER(fixture, "project", FOLDER, "--postgres", "host=/nowhere");
        FAILED(fixture, "an engine runs on ");
        USHER(fixture, "project", FOLDER, "--postgres", "host=/nowhere", "--rebuild");
        FAILED(fixture, "Stop it first");
    }
    end_busy();
    assert_int_equal(daemon_stop(&live.usherd), 0);
    char hash[32];
    (void)snprintf(hash, sizeof hash, "%016llx",
                   (unsigned long long)live.usherd.stopped.hash); /* fits */
    USHER(fixture, "state", FOLDER, "--json");
    DONE(fixture);
    SAYS(fixture, hash);
    assert_true(live.usherd.stopped.found);
}

/* The folder of the last round serves: the seat is still held, others can be. */
static void restored_folder_serves(void **state) {
    (void)state;
    struct operator_fixture *fixture = live.fixture;
    struct id128 user = test_user(3, 3, 3);
    uint64_t reservation;
    char path[OPERATOR_PATH_BYTES];
    operator_path(fixture, "live-2", path);
    REQUIRE(strlen(path) < sizeof live.usherd.data);
    (void)snprintf(live.usherd.data, sizeof live.usherd.data, "%.60s", path);
    assert_true(daemon_start(&live.usherd));
    assert_int_equal(hold(&user, OURS, &reservation), ERROR_SEAT_TAKEN);
    assert_int_equal(hold(&user, OURS - 1, &reservation), 0);
    assert_int_equal(daemon_stop(&live.usherd), 0);
    USHER(fixture, "state", live.usherd.data, "--date", "1", "--seat", "6");
    DONE(fixture);
    SAYS(fixture, text_of(&user));
    USHER(fixture, "replay", live.usherd.data, "--verify");
    DONE(fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beside_the_engine),
        cmocka_unit_test(restored_folder_serves),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
