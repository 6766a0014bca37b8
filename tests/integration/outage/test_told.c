/* test_told.c - what an operator sees of PostgreSQL, and of a clone of the data folder
 *
 * Real usherds and a private PostgreSQL. Nothing here waits for a fixed time: words and figures are
 * looked for until they are there, or a deadline has passed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/require.h"
#include "replay/postgres/projection.h"
#include "tests/support/postgres_fixture.h"
#include "tests/process/caller.h"
#include "tests/process/common.h"
#include "tests/process/daemon.h"

/* The projection's longest pause is 10 s, an absence is told after 5. */
#define PATIENCE_US 60000000u
#define LOOK_US 20000u
#define WORDS_BYTES 65536u

static struct postgres_fixture postgres;
static struct usherd_daemon original, clone;

static const struct daemon_options *options(void) {
    static struct daemon_options wanted;
    wanted = (struct daemon_options){.shards = 1, .segment_mb = 1, .postgres = postgres.conninfo};
    return &wanted;
}

static int set_up(void **state) {
    (void)state;
    original = clone = (struct usherd_daemon){.pid = 0};
    if (!postgres_fixture_available()) return 0;
    postgres_fixture_create(&postgres);
    daemon_create(&original, options());
    return daemon_start(&original) ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    if (original.directory[0]) daemon_destroy(&original);
    if (clone.directory[0]) daemon_destroy(&clone);
    if (postgres.directory[0] != '\0') postgres_fixture_destroy(&postgres);
    postgres = (struct postgres_fixture){.pid = 0};
    return 0;
}

/* --- asking and looking ----------------------------------------------------------------------- */

static struct caller_answer ask(const struct usherd_daemon *daemon, const struct ask *ask) {
    static struct caller_answer answer;
    struct caller caller;
    caller_open(&caller, daemon->url, 0);
    assert_int_equal(caller_ask_until_answered(&caller, ask, &answer), 0);
    caller_close(&caller);
    return answer;
}

static struct caller_answer stats(const struct usherd_daemon *daemon) {
    static struct ask request;
    ask_begin(&request, "system.stats", 0);
    return ask(daemon, &request);
}

/* A sale goes on: it is answered. */
static void charge(const struct usherd_daemon *daemon, uint32_t times) {
    static struct ask request;
    static uint32_t number;
    for (; times > 0; times--) {
        char key[16];
        const struct id128 user = test_user(1, 1, ++number);
        (void)snprintf(key, sizeof key, "k%u", (unsigned)number);
        ask_charge(&request, &user, 7, key);
        (void)ask(daemon, &request); /* its error was looked at */
    }
}

/* What it has written on standard error; borrowed until the next call. */
static const char *words(const struct usherd_daemon *daemon) {
    static char text[WORDS_BYTES];
    char path[sizeof daemon->directory + 16];
    (void)snprintf(path, sizeof path, "%s/stderr", daemon->directory);
    FILE *file = fopen(path, "r");
    size_t size = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file) (void)fclose(file);
    text[size] = '\0';
    return text;
}

static void wait_for_words(const struct usherd_daemon *daemon, const char *wanted) {
    for (uint64_t begin_us = monotonic_us(); !strstr(words(daemon), wanted); pause_us(LOOK_US)) {
        if (monotonic_us() - begin_us < PATIENCE_US) continue;
        fail_msg("\"%s\" is not in: %s", wanted, words(daemon));
    }
}

/* Until the projection looks like this. Return: the figures */
static struct caller_answer wait_for(const struct usherd_daemon *daemon, const char *what,
                                     bool (*looks)(const struct caller_answer *answer)) {
    const uint64_t begin_us = monotonic_us();
    struct caller_answer answer = stats(daemon);
    for (; !looks(&answer); answer = stats(daemon)) {
        if (monotonic_us() - begin_us > PATIENCE_US) {
            daemon_complaints(daemon);
            fail_msg("not %s", what);
        }
        pause_us(LOOK_US);
    }
    return answer;
}

static bool has_all(const struct caller_answer *answer) {
    return answer->projection.connected == 1 && answer->projection.lag_decisions == 0 &&
           answer->projection.applied_lsn == answer->durable_lsn;
}
static bool is_away(const struct caller_answer *answer) {
    return answer->projection.connected == 0 && answer->projection.lag_decisions >= 5;
}
static bool is_stopped(const struct caller_answer *answer) {
    return answer->projection.stopped == 1;
}

/* --- the tests -------------------------------------------------------------------------------- */

static void an_outage_is_told_and_shown(void **state) {
    (void)state;
    if (!postgres_fixture_available()) skip();
    charge(&original, 3);
    struct caller_answer answer = wait_for(&original, "complete", has_all);
    assert_int_equal(answer.projection.wanted, 1);
    assert_int_equal(answer.projection.lag_ms, 0);
    postgres_fixture_stop(&postgres, SIGINT);
    charge(&original, 5);
    answer = wait_for(&original, "away", is_away);
    assert_int_equal(answer.projection.lag_decisions, 5);
    assert_true(answer.projection.lag_ms > 0);
    assert_int_equal(answer.projection.stopped, 0);
    wait_for_words(&original, "usherd: PostgreSQL is away: ");
    postgres_fixture_start(&postgres);
    (void)wait_for(&original, "complete", has_all); /* in time */
    wait_for_words(&original, "usherd: PostgreSQL is back after ");
    wait_for_words(&original, "usherd: PostgreSQL has caught up");
    assert_int_equal(daemon_stop(&original), 0);
}

/* Who has nothing to write is told all the same. */
static void an_idle_engine_notices(void **state) {
    (void)state;
    if (!postgres_fixture_available()) skip();
    (void)wait_for(&original, "complete", has_all);
    postgres_fixture_stop(&postgres, SIGINT);
    wait_for_words(&original, "usherd: PostgreSQL is away: ");
    assert_int_equal(stats(&original).projection.lag_decisions, 0);
    postgres_fixture_start(&postgres);
    wait_for_words(&original, "usherd: PostgreSQL has caught up");
}

static void copy_data(const struct usherd_daemon *from, const struct usherd_daemon *to) {
    int status = -1;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        execlp("cp", "cp", "-a", from->data, to->data, (char *)NULL);
        _exit(127);
    }
    assert_true(waitpid(pid, &status, 0) == pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Stopped, copied, and both started: as with an image of a machine. */
static void clone_it(void) {
    charge(&original, 3);
    (void)wait_for(&original, "complete", has_all);
    assert_int_equal(daemon_stop(&original), 0);
    daemon_create(&clone, options());
    copy_data(&original, &clone);
    assert_true(daemon_start(&original));
    (void)wait_for(&original, "complete", has_all);
}

static void assert_refused(struct usherd_daemon *daemon) {
    daemon_launch(daemon);
    assert_int_equal(daemon_wait_end(daemon, DAEMON_READY_MS_MAX), EXIT_FAILURE);
}

static void a_clone_takes_over_and_it_is_told(void **state) {
    (void)state;
    if (!postgres_fixture_available()) skip();
    clone_it();
    assert_true(daemon_start(&clone));
    wait_for_words(&clone, "This run takes over"); /* who starts a copy by mistake hears of it */
    wait_for_words(&clone, original.data);
    assert_null(strstr(words(&original), "takes over")); /* it was there last itself */
    charge(&clone, 20);
    (void)wait_for(&clone, "complete", has_all);
    struct caller_answer answer = wait_for(&original, "stopped", is_stopped);
    assert_int_equal(answer.projection.taken_over, 1);
    wait_for_words(&original, "ALARM: the projection into PostgreSQL has stopped");
    wait_for_words(&original, "another engine has taken this database over");
    wait_for_words(&original, clone.data); /* where it is */
    charge(&original, 3);                  /* sales go on */
    assert_int_equal(stats(&original).projection.taken_over, 1);
    assert_int_equal(stats(&clone).projection.stopped, 0);

    /* Its log is sound: what refuses it does not call it damaged and no more. */
    assert_int_equal(daemon_stop(&original), 0);
    assert_refused(&original);
    wait_for_words(&original, "two engines believe that they are one");
    wait_for_words(&original, clone.data);
    original.options.postgres = NULL; /* as advised */
    assert_true(daemon_start(&original));
    charge(&original, 1);
    assert_int_equal(stats(&original).projection.wanted, 0);
}

static void a_clone_that_is_behind_is_refused(void **state) {
    (void)state;
    if (!postgres_fixture_available()) skip();
    clone_it();
    charge(&original, 3);
    (void)wait_for(&original, "complete", has_all);
    assert_refused(&clone);
    wait_for_words(&clone, "this folder is a copy of another one's");
    wait_for_words(&clone, original.data);
    charge(&original, 3);
    struct caller_answer answer = wait_for(&original, "complete", has_all);
    assert_int_equal(answer.projection.stopped, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_outage_is_told_and_shown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_idle_engine_notices, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_clone_takes_over_and_it_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_clone_that_is_behind_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
