/* test_organise.c - `usher admin` on a running usherd: plans, what a date has, cancelling
 *
 * The kinds of fault that are tried: a second hall on a date that has one; texts that look alike
 * and are not; guids that are there more than once; files that begin with a byte order mark; a date
 * that is cancelled by mistake.
 */
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/require.h"
#include "tests/integration/operator/operator_fixture.h"
#include "tests/process/daemon.h"

#define NFC "Balc\xc3\xb3n"
#define NFD "Balco\xcc\x81n"
#define MARK "\xef\xbb\xbf"
#define TERMINAL_BYTES 8192u

static struct organise {
    struct operator_fixture *fixture;
    struct usherd_daemon usherd;
} at;

static int set_up(void **state) {
    (void)state;
    REQUIRE(operator_setup((void **)&at.fixture) == 0);
    daemon_create(&at.usherd, &(struct daemon_options){.shards = 2, .segment_mb = 1});
    if (!daemon_start(&at.usherd)) return -1;
    USHER(at.fixture, "admin", "concert-create", "Requiem", "--url", at.usherd.admin_url);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    int status = daemon_stop(&at.usherd);
    daemon_destroy(&at.usherd);
    return operator_teardown((void **)&at.fixture) == 0 && status == 0 ? 0 : -1;
}

/* --- what is on sale
 * -------------------------------------------------------------------------------- */

/* A new draft; its number as text, valid until the next one. */
static const char *new_date(const char *title) {
    static char date[24];
    USHER(at.fixture, "admin", "date-create", "--concert", "1", "--starts-at", "2030-01-01T20:00Z",
          "--url", at.usherd.admin_url, title);
    DONE(at.fixture);
    json_t *lines = operator_json(at.fixture);
    (void)snprintf(
        date, sizeof date, "%llu",
        (unsigned long long)operator_number(json_array_get(lines, 0), "date")); /* fits */
    json_decref(lines);
    return date;
}

/* Write `before`, then a plan of one section with seats 1..count, guids PREFIX-1.. repeated after
 * `guids` of them. Return: its path, valid until the next one */
static const char *plan(const char *before, const char *section, const char *prefix, uint32_t count,
                        uint32_t guids) {
    static char path[OPERATOR_PATH_BYTES];
    operator_path(at.fixture, "plan.json", path);
    FILE *file = fopen(path, "wb");
    REQUIRE(file != NULL);
    (void)fprintf(file,
                  "%s{\"name\": \"Hall\", \"categories\": [{\"name\": \"10 EUR\"}], \"zones\": "
                  "[{\"name\": \"%s\", \"rows\": [{\"row_number\": \"1\", \"seats\": [",
                  before, section); /* fclose says */
    for (uint32_t i = 1; i <= count; i++) {
        (void)fprintf(file,
                      "%s{\"seat_guid\": \"%s-%u\", \"seat_number\": \"%u\", \"category\": \"10 "
                      "EUR\"}",
                      i > 1 ? ", " : "", prefix, (i - 1) % guids + 1, i); /* likewise */
    }
    REQUIRE(fprintf(file, "]}]}]}") > 0 && fclose(file) == 0);
    return path;
}

static void load(const char *date, const char *path, const char *option) {
    USHER(at.fixture, "admin", "import-plan", "--date", date, "--url", at.usherd.admin_url, path,
          option ? option : "--prices-from-names", "--prices-from-names");
}

/* A number of the summary that the latest run has printed. */
static uint64_t summed(const char *key) {
    json_t *lines = operator_json(at.fixture);
    uint64_t number = operator_number(json_array_get(lines, 0), key);
    json_decref(lines);
    return number;
}

/* How many seats the date has, as the engine lists them to admins. */
static size_t seats_of(const char *date) {
    char params[64];
    (void)snprintf(params, sizeof params, "{\"date\": %s, \"limit\": 1000}", date);
    USHER(at.fixture, "call", "admin.seats_list", params, "--url", at.usherd.admin_url);
    DONE(at.fixture);
    json_t *lines = operator_json(at.fixture);
    size_t count = json_array_size(json_object_get(json_array_get(lines, 0), "seats"));
    json_decref(lines);
    return count;
}

/* --- plans ------------------------------------------------------------------------------------ */

static void a_second_hall_is_refused_whole(void **state) {
    (void)state;
    const char *date = new_date("Friday");
    load(date, plan("", "Small", "small", 100, 100), NULL);
    DONE(at.fixture);
    assert_int_equal(summed("seats"), 100);
    assert_int_equal(summed("seats_for_sale"), 100);
    assert_int_equal(summed("points"), 1000);
    assert_int_equal(summed("added"), 100);
    SAYS(at.fixture, "\"sections\": [{\"section\": \"Small\", \"seats\": 100, \"points\": 1000}]");
    SAYS(at.fixture, "\"prices\": [{\"price\": 10, \"seats\": 100, \"points\": 1000}]");

    load(date, plan("", "Opera", "opera", 150, 150), NULL);
    FAILED(at.fixture, "seat 1 of date");
    assert_non_null(
        strstr(at.fixture->err, "section \"Small\", row \"1\", seat \"1\", guid \"small-1\""));
    assert_non_null(
        strstr(at.fixture->err, "section \"Opera\", row \"1\", seat \"1\", guid \"opera-1\""));
    assert_non_null(strstr(at.fixture->err, "nothing was imported"));
    assert_int_equal(seats_of(date), 100);
    load(date, "/nowhere/hall.json", NULL);
    FAILED(at.fixture, "usher: /nowhere/hall.json: cannot be opened");
    load(date, plan("", "Small", "small", 99, 99), NULL); /* shorter */
    FAILED(at.fixture, "seat 100 of date");
    load(date, plan("", "Small", "small", 100, 100), "--price=10 EUR=11"); /* dearer */
    FAILED(at.fixture, "10 points");
    assert_int_equal(seats_of(date), 100);
}

static void an_import_that_broke_off_goes_on(void **state) {
    (void)state;
    const char *date = new_date("Saturday");
    load(date, plan("", "Hall", "h", 64, 2500), NULL); /* as far as it got */
    DONE(at.fixture);
    load(date, plan("", "Hall", "h", 2500, 2500), NULL);
    DONE(at.fixture);
    assert_non_null(strstr(at.fixture->err, "first 64 seats already; going on there"));
    assert_int_equal(summed("added"), 2436);
    assert_int_equal(summed("seats"), 2500); /* more than a page is read back */
    load(date, plan("", "Hall", "h", 2500, 2500), NULL);
    DONE(at.fixture);
    assert_non_null(strstr(at.fixture->err, "nothing is left to add"));
    assert_int_equal(summed("added"), 0);
    USHER(at.fixture, "admin", "date-open", date, "--url", at.usherd.admin_url);
    DONE(at.fixture);
    load(date, plan("", "Hall", "h", 2500, 2500), NULL); /* an open date has it, too */
    DONE(at.fixture);
    load(date, plan("", "Hall", "h", 2501, 2501), NULL);
    FAILED(at.fixture, "DATE_NOT_DRAFT");
}

static void texts_that_look_alike_meet(void **state) {
    (void)state;
    const char *date = new_date("Sunday");
    load(date, plan("", NFC, "a", 1, 1), NULL);
    DONE(at.fixture);
    assert_null(strstr(at.fixture->err, "NFC"));
    load(date, plan("", NFD, "a", 2, 2), NULL); /* the same hall from another editor */
    DONE(at.fixture);
    assert_non_null(
        strstr(at.fixture->err, "1 name or label of the plan was brought into Unicode's"));
    assert_int_equal(summed("added"), 1);
    SAYS(at.fixture, "\"section\": \"" NFC "\", \"seats\": 2");
    SAYS_NOT(at.fixture, NFD);

    date = new_date("Monday"); /* as it came through the protocol, or an older importer */
    char params[300];
    (void)snprintf(params, sizeof params,
                   "{\"date\": %s, \"first\": 1, \"seats\": [{\"section\": \"" NFD
                   "\", \"row\": \"1\", \"seat\": \"1\", \"guid\": \"a-1\", \"price\": 10}]}",
                   date); /* fits */
    USHER(at.fixture, "call", "admin.seats_add", params, "--url", at.usherd.admin_url);
    DONE(at.fixture);
    load(date, plan("", NFC, "a", 1, 1), NULL);
    FAILED(at.fixture, "they look alike, but differ in their Unicode form");
}

static void guids_that_are_there_more_than_once(void **state) {
    (void)state;
    const char *date = new_date("Tuesday");
    load(date, plan("", "Hall", "dup", 6, 3), NULL);
    FAILED(at.fixture, "3 guids are there more than once");
    for (uint32_t i = 1; i <= 3; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "\"dup-%u\"", i);
        assert_non_null(strstr(at.fixture->err, name));
    }
    assert_int_equal(seats_of(date), 0);
    load(date, plan("", "Hall", "dup", 6, 3), "--new-guids");
    DONE(at.fixture);
    assert_non_null(strstr(at.fixture->err, "6 seats got a new guid"));
    load(date, plan("", "Hall", "dup", 6, 3), "--new-guids"); /* the same ones again */
    DONE(at.fixture);
    assert_int_equal(summed("added"), 0);
}

static void byte_order_marks_are_named(void **state) {
    (void)state;
    const char *date = new_date("Wednesday");
    load(date, plan(MARK, "Hall", "h", 2, 2), NULL);
    DONE(at.fixture);
    assert_non_null(strstr(at.fixture->err, "begins with a byte order mark (U+FEFF)"));
    load(date, plan("\xff\xfe", "Hall", "h", 2, 2), NULL);
    FAILED(at.fixture, "byte order mark of UTF-16");
    USHER(at.fixture, "call", "system.ping", MARK "{}", "--url", at.usherd.url);
    DONE(at.fixture);
    USHER(at.fixture, "call", "system.ping", "\xff\xfe{", "--url", at.usherd.url);
    MISUSED(at.fixture, "byte order mark of UTF-16");
}

/* A configuration file, by a daemon that is told a mistake, too, so that it does not start. */
static void byte_order_marks_of_configurations(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t bytes;
        const char *complaint;
    } cases[] = {
        {MARK "shards = 99\n", 15, "shards: \"99\""}, /* read past the mark */
        {"\xff\xfes\0h\0", 6, "byte order mark of UTF-16"},
        {"\0\0\xfe\xff\0\0\0s", 8, "byte order mark of UTF-32"},
    };
    char path[OPERATOR_PATH_BYTES], command[3 * OPERATOR_PATH_BYTES + 200], said[1024];
    operator_path(at.fixture, "usherd.conf", path);
    REQUIRE(getenv("USHERD") != NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        FILE *file = fopen(path, "wb");
        REQUIRE(file && fwrite(cases[i].text, 1, cases[i].bytes, file) == cases[i].bytes);
        REQUIRE(fclose(file) == 0);
        (void)snprintf(command, sizeof command, "'%s' --data '%s.d' --config '%s' 2>&1",
                       getenv("USHERD"), path, path); /* fits: the folder is ours */
        FILE *usherd = popen(command, "r");
        REQUIRE(usherd != NULL);
        size_t size = fread(said, 1, sizeof said - 1, usherd);
        said[size] = '\0';
        int status = pclose(usherd);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 2);
        if (!strstr(said, cases[i].complaint)) fail_msg("case %zu: %s", i, said);
    }
}

/* --- cancelling ------------------------------------------------------------------------------- */

/* date-cancel at a terminal; `typed` is what the person types. Return: its exit status; all that
 * the terminal showed is in ret_shown */
static int cancel_at_terminal(const char *date, const char *typed, char ret_shown[TERMINAL_BYTES]) {
    int terminal, status = -1;
    size_t size = 0;
    bool has_typed = false;
    const char *program = getenv("USHER");
    REQUIRE(program != NULL);
    pid_t pid = forkpty(&terminal, NULL, NULL, NULL);
    REQUIRE(pid >= 0);
    if (pid == 0) {
        (void)execl(program, "usher", "admin", "date-cancel", date, "--url", at.usherd.admin_url,
                    (char *)NULL); /* returns only if it fails */
        _exit(126);
    }
    for (;;) { /* a terminal whose other side has gone fails to be read */
        ssize_t got = read(terminal, ret_shown + size, TERMINAL_BYTES - 1 - size);
        if (got <= 0) break;
        size += (size_t)got;
        ret_shown[size] = '\0';
        if (has_typed || !strstr(ret_shown, "to cancel it: ")) continue;
        has_typed = true;
        REQUIRE(write(terminal, typed, strlen(typed)) == (ssize_t)strlen(typed));
    }
    REQUIRE(waitpid(pid, &status, 0) == pid && close(terminal) == 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_date_is_named_again_to_be_cancelled(void **state) {
    (void)state;
    static char shown[TERMINAL_BYTES];
    const char *date = new_date("Thursday, late");
    USHER(at.fixture, "admin", "date-cancel", date, "--url", at.usherd.admin_url);
    MISUSED(at.fixture, "--confirm TITLE|NUMBER is missing");
    USHER(at.fixture, "admin", "date-cancel", date, "--confirm", "Thursday", "--url",
          at.usherd.admin_url);
    FAILED(at.fixture, "NOT_CONFIRMED");

    assert_int_equal(cancel_at_terminal(date, "yes\n", shown), 1);
    assert_non_null(strstr(shown, "\"Thursday, late\", of \"Requiem\""));
    assert_non_null(strstr(shown, "NOT_CONFIRMED"));
    assert_int_equal(cancel_at_terminal(date, "\n", shown), 1);
    assert_non_null(strstr(shown, "nothing was cancelled"));
    assert_int_equal(cancel_at_terminal(date, "Thursday, late\n", shown), 0);
    assert_non_null(strstr(shown, "\"state\": \"cancelled\""));

    date = new_date("Thursday");
    USHER(at.fixture, "admin", "date-cancel", date, "--confirm", date, "--url",
          at.usherd.admin_url);
    DONE(at.fixture);
    SAYS(at.fixture, "\"state\": \"cancelled\"");
    date = new_date("Thursday");
    USHER(at.fixture, "admin", "date-cancel", date, "--confirm", "Thursday", "--url",
          at.usherd.admin_url);
    DONE(at.fixture);
}

/* --- who may connect -------------------------------------------------------------------------- */

/* From now on the usher of the tests has no right to ignore permissions, which root has. */
static void give_up_rights(void) {
    char script[OPERATOR_PATH_BYTES];
    const char *program = getenv("USHER");
    REQUIRE(program != NULL);
    operator_path(at.fixture, "plain-usher", script);
    FILE *file = fopen(script, "w");
    REQUIRE(file != NULL);
    (void)fprintf(file, "#!/bin/sh\nexec %s %s \"$@\"\n",
                  geteuid() == 0 ? "setpriv --bounding-set=-dac_override,-dac_read_search" : "",
                  program); /* fclose says */
    REQUIRE(fclose(file) == 0 && chmod(script, 0700) == 0 && setenv("USHER", script, 1) == 0);
}

/* Another user's usher is not told that nobody is there: somebody is, but not for everybody. */
static void who_may_not_connect_is_told_so(void **state) {
    (void)state;
    const char *path = at.usherd.admin_url + strlen("ipc://");
    char *program = strdup(getenv("USHER"));
    REQUIRE(program != NULL);
    give_up_rights();
    USHER(at.fixture, "call", "system.ping", "--url", at.usherd.admin_url);
    DONE(at.fixture);
    REQUIRE(chmod(path, 0) == 0);
    USHER(at.fixture, "call", "system.ping", "--url", at.usherd.admin_url);
    FAILED(at.fixture, "Permission denied. Only the user that runs usherd may connect");
    REQUIRE(chmod(path, 0600) == 0 && setenv("USHER", program, 1) == 0);
    free(program);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_hall_is_refused_whole),
        cmocka_unit_test(an_import_that_broke_off_goes_on),
        cmocka_unit_test(texts_that_look_alike_meet),
        cmocka_unit_test(guids_that_are_there_more_than_once),
        cmocka_unit_test(byte_order_marks_are_named),
        cmocka_unit_test(byte_order_marks_of_configurations),
        cmocka_unit_test(a_date_is_named_again_to_be_cancelled),
        cmocka_unit_test(who_may_not_connect_is_told_so),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
