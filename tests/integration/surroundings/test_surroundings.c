/* test_surroundings.c - what a real usherd stands on is taken away, replaced, shared, or runs out
 *
 * Folder, lock, log and sockets: usherd must end within a few looks of its watch, say what has
 * happened, and acknowledge nothing after that. Descriptors: a flood of connections must cost
 * nobody else any. Room: restarts that decide nothing leave the disk as it was.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/process/caller.h"
#include "tests/process/common.h"
#include "tests/process/daemon.h"

#define END_MS_MAX 5000u /* of its own accord: a look each second, and a loaded machine */
#define FLOOD 300u       /* connections of each kind */
#define DESCRIPTORS 256u
#define KEPT 48u /* of them, that no connection may have */
#define PATH_BYTES 160

static struct usherd_daemon usherd;
static struct caller fan;
static uint64_t charged; /* points that were acknowledged */

static int set_up(void **state) {
    (void)state;
    charged = 0;
    daemon_create(&usherd, &(struct daemon_options){.shards = 2, .segment_mb = 1});
    return daemon_start(&usherd) ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    daemon_destroy(&usherd);
    return 0;
}

/* One point for one user. Return: whether it was acknowledged */
static bool charge(struct caller *caller, uint32_t number) {
    static struct ask ask;
    static struct caller_answer answer;
    struct id128 user;
    char key[32];
    user = test_user(1, 1, 1);
    (void)snprintf(key, sizeof key, "key %" PRIu32, number);
    ask_charge(&ask, &user, 1, key);
    bool done = caller_ask(caller, &ask, &answer) == 0;
    charged += done;
    return done;
}

static void stats(const char *url, struct caller_answer *ret_answer) {
    static struct caller caller;
    static struct ask ask;
    caller_open(&caller, url, 0);
    ask_begin(&ask, "system.stats", 0);
    assert_int_equal(caller_ask_until_answered(&caller, &ask, ret_answer), 0);
    caller_close(&caller);
}

/* --- taken away or replaced ------------------------------------------------------------------- */

static void path_of(const char *name, char ret_path[PATH_BYTES]) {
    (void)snprintf(ret_path, PATH_BYTES, "%.64s/%.64s", usherd.data, name);
}

static void move_aside(const char *path) {
    char aside[PATH_BYTES + 8];
    (void)snprintf(aside, sizeof aside, "%s.aside", path);
    assert_int_equal(rename(path, aside), 0);
}

static void make_file(const char *path) {
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(file >= 0);
    assert_int_equal(close(file), 0);
}

static void folder_moved(void) { move_aside(usherd.data); }

static void folder_replaced(void) {
    move_aside(usherd.data);
    assert_int_equal(mkdir(usherd.data, 0700), 0);
}

static void lock_replaced(void) {
    char path[PATH_BYTES];
    path_of("LOCK", path);
    move_aside(path);
    make_file(path);
}

static void lock_removed(void) {
    char path[PATH_BYTES];
    path_of("LOCK", path);
    assert_int_equal(unlink(path), 0);
}

static void log_folder_replaced(void) {
    char path[PATH_BYTES];
    path_of("wal", path);
    move_aside(path);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void segment_removed(void) {
    char path[PATH_BYTES];
    path_of("wal/wal-0000000000000001.seg", path);
    assert_int_equal(unlink(path), 0);
}

static void segment_replaced(void) {
    char path[PATH_BYTES];
    path_of("wal/wal-0000000000000001.seg", path);
    move_aside(path);
    make_file(path);
}

static int others = -1; /* the socket of another process, so to say */

static void take_address(const char *url) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%.100s", url + strlen("ipc://"));
    move_aside(address.sun_path);
    others = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(others, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(others, 8), 0);
}

static void admin_taken(void) { take_address(usherd.admin_url); }
static void public_taken(void) { take_address(usherd.url); }

static void nothing_is_acknowledged_without_a_log(void **state) {
    (void)state;
    static const struct {
        const char *name;
        void (*change)(void);
        const char *says;
    } table[] = {
        {"folder moved", folder_moved, "the data folder"},
        {"folder replaced", folder_replaced, "the data folder"},
        {"lock replaced", lock_replaced, "the lock"},
        {"lock removed", lock_removed, "the lock"},
        {"log's folder replaced", log_folder_replaced, "the folder of the log"},
        {"segment removed", segment_removed, "the file that the log is written to"},
        {"segment replaced", segment_replaced, "the file that the log is written to"},
        {"admin address taken", admin_taken, "admin"},
        {"public address taken", public_taken, "public"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char text[4096];
        if (i > 0) assert_int_equal(set_up(NULL), 0);
        caller_open(&fan, usherd.url, 500);
        assert_true(charge(&fan, 1));
        pause_us(300000); /* longer than the log waits for its seal: it is idle now */
        table[i].change();
        int status = daemon_wait_end(&usherd, END_MS_MAX);
        daemon_complained(&usherd, text, sizeof text);
        note("%s: status %d, %s", table[i].name, status, text);
        assert_int_equal(status, 1);
        assert_non_null(strstr(text, "ALARM"));
        assert_non_null(strstr(text, table[i].says));
        assert_false(charge(&fan, 2));
        caller_close(&fan);
        if (others >= 0) (void)close(others); /* nothing was sent */
        others = -1;
        if (i + 1 < sizeof table / sizeof *table) daemon_destroy(&usherd);
    }
}

/* Moved with the log in it, and back again: whatever was acknowledged until the end is there. */
static void a_moved_folder_is_whole(void **state) {
    (void)state;
    char aside[PATH_BYTES];
    static struct ask ask;
    static struct caller_answer answer;
    struct id128 user;
    caller_open(&fan, usherd.url, 500);
    for (uint32_t i = 0; i < 50; i++) assert_true(charge(&fan, i));
    move_aside(usherd.data);
    const uint64_t give_up_us = monotonic_us() + END_MS_MAX * 1000ull;
    uint32_t number = 50;
    while (charge(&fan, number) && monotonic_us() < give_up_us)
        number++; /* until the watch looks */
    assert_int_equal(daemon_wait_end(&usherd, END_MS_MAX), 1);
    caller_close(&fan);
    (void)snprintf(aside, sizeof aside, "%.64s.aside", usherd.data);
    assert_int_equal(rename(aside, usherd.data), 0);
    assert_true(daemon_start(&usherd));
    caller_open(&fan, usherd.url, 0);
    user = test_user(1, 1, 1);
    ask_user(&ask, "wallet.balance", &user);
    assert_int_equal(caller_ask_until_answered(&fan, &ask, &answer), 0);
    caller_close(&fan);
    assert_in_range(answer.balance, charged,
                    charged + 1); /* the last one may have been under way */
}

/* A second engine on the same addresses while the first has lost its folder: one of them is left,
 * and has its admin socket. They used to take it from each other for ever. */
static void two_engines_do_not_fight(void **state) {
    (void)state;
    struct usherd_daemon second;
    char path[PATH_BYTES];
    struct stat before, after;
    static struct caller_answer answer;
    move_aside(usherd.data);
    (void)snprintf(path, sizeof path, "%.100s", usherd.admin_url + strlen("ipc://"));
    assert_int_equal(unlink(path), 0);
    daemon_create(&second, &(struct daemon_options){.shards = 1, .segment_mb = 1});
    (void)snprintf(second.data, sizeof second.data, "%s", usherd.data);
    (void)snprintf(second.admin_url, sizeof second.admin_url, "%s", usherd.admin_url);
    assert_true(daemon_start(&second));
    assert_int_equal(daemon_wait_end(&usherd, END_MS_MAX), 1);
    assert_int_equal(lstat(path, &before), 0);
    pause_us(2500000); /* two rounds of the watchdog and of the watch */
    assert_int_equal(lstat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    stats(second.admin_url, &answer);
    assert_int_equal(answer.relistens, 0);
    assert_int_equal(daemon_stop(&second), 0);
    daemon_destroy(&second);
}

/* --- descriptors ------------------------------------------------------------------------------ */

static int set_up_few(void **state) {
    (void)state;
    charged = 0;
    daemon_create(&usherd, &(struct daemon_options){
                               .shards = 2, .segment_mb = 1, .descriptors_max = DESCRIPTORS});
    return daemon_start(&usherd) ? 0 : -1;
}

static uint32_t count_names(const char *path) {
    uint32_t count = 0;
    DIR *directory = opendir(path);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        count += entry->d_name[0] != '.';
    }
    (void)closedir(directory);
    return count;
}

/* Half of them say hello, as a gateway that does nothing more; half say nothing at all. */
static void flood(int fds[2 * FLOOD]) {
    static const uint8_t hello[8] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%.100s",
                   usherd.url + strlen("ipc://")); /* fits */
    for (uint32_t i = 0; i < 2 * FLOOD; i++) {
        fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_true(fds[i] >= 0);
        for (int k = 0; k < 1000; k++) { /* the backlog is short */
            if (connect(fds[i], (struct sockaddr *)&address, sizeof address) == 0) break;
            pause_us(1000);
        }
        if (i % 2 == 0) (void)send(fds[i], hello, sizeof hello, MSG_NOSIGNAL); /* may be closed */
    }
}

static void a_flood_takes_no_descriptor_of_others(void **state) {
    (void)state;
    static int fds[2 * FLOOD];
    static struct caller_answer answer;
    static struct caller admin;
    static struct ask ask;
    char path[64], text[4096], wal[PATH_BYTES];
    caller_open(&fan, usherd.url, 5000);
    assert_true(charge(&fan, 1));
    flood(fds);
    (void)snprintf(path, sizeof path, "/proc/%d/fd", (int)usherd.pid);
    uint32_t open_now = count_names(path);
    note("%" PRIu32 " of %u descriptors are open", open_now, DESCRIPTORS);
    assert_true(open_now <= DESCRIPTORS - KEPT);

    caller_open(&admin, usherd.admin_url, 5000); /* who administers gets in */
    ask_begin(&ask, "system.stats", 0);
    assert_int_equal(caller_ask_until_answered(&admin, &ask, &answer), 0);
    assert_true(answer.connections_refused > 0);
    /* The log gets its files, the gateway that was there is served, and the watchdog is not
     * misled. */
    path_of("wal", wal);
    uint32_t number = 2;
    while (count_names(wal) < 4 && number < 60000) assert_true(charge(&fan, number++));
    assert_true(count_names(wal) >= 4);
    pause_us(2500000);
    assert_int_equal(caller_ask_until_answered(&admin, &ask, &answer), 0);
    assert_int_equal(answer.relistens, 0);
    assert_int_equal(fan.lost, 0);
    caller_close(&admin);
    daemon_complained(&usherd, text, sizeof text);
    note("%s", text);
    assert_non_null(strstr(text, "--connections-max"));
    for (uint32_t i = 0; i < 2 * FLOOD; i++) (void)close(fds[i]); /* nothing else was sent */
    caller_close(&fan);
    assert_int_equal(daemon_stop(&usherd), 0);
}

/* --- settings that cannot be ------------------------------------------------------------------ */

static void what_to_do_is_said(void **state) {
    (void)state;
    static const struct {
        uint32_t descriptors_max;
        const char *extra[3];
        int status;
        const char *says;
    } table[] = {
        {0, {"--listen", "tcp://127.0.0.1"}, 2, "names no port"},
        {0, {"--listen", "tcp://127.0.0.1:"}, 2, "names no port"},
        {0, {"--listen", "tcp://[::1]"}, 2, "names no port"},
        {0, {"--listen", "tcp://127.0.0.1:70000"}, 2, "from 0 to 65535"},
        {0, {"--listen", "tcp://192.0.2.1:0"}, 1, "No interface"},
        {0, {"--admin", "ipc:///tmp/usher-no-such-folder/admin"}, 1, "is not there: make it"},
        {0, {"--connections-max", "0"}, 2, "whole number"},
        {DESCRIPTORS, {"--connections-max", "200"}, 1, "raise the hard limit"},
        {128, {NULL}, 1, "raise the hard limit"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct usherd_daemon wrong;
        char text[4096];
        const char *const *extra = table[i].extra;
        daemon_create(&wrong, &(struct daemon_options){.shards = 1,
                                                       .segment_mb = 1,
                                                       .descriptors_max = table[i].descriptors_max,
                                                       .extra = extra});
        daemon_launch(&wrong);
        int status = daemon_wait_end(&wrong, DAEMON_READY_MS_MAX);
        daemon_complained(&wrong, text, sizeof text);
        note("%s %s: status %d, %s", extra[0] ? extra[0] : "", extra[0] ? extra[1] : "", status,
             text);
        assert_int_equal(status, table[i].status);
        assert_non_null(strstr(text, table[i].says));
        daemon_destroy(&wrong);
    }
    /* An address that somebody has, our own in this case: where it may be left is said. */
    struct usherd_daemon second;
    char text[4096];
    daemon_create(&second, &(struct daemon_options){.shards = 1, .segment_mb = 1});
    (void)snprintf(second.url, sizeof second.url, "%s", usherd.url);
    daemon_launch(&second);
    assert_int_equal(daemon_wait_end(&second, DAEMON_READY_MS_MAX), 1);
    daemon_complained(&second, text, sizeof text);
    assert_non_null(strstr(text, "Address in use"));
    assert_non_null(strstr(text, "choose another path"));
    daemon_destroy(&second);
    /* The question whether somebody lives there can make nng 1.5.2 stop accepting: the accept
     * watchdog mends that within seconds. */
    caller_open(&fan, usherd.url, 2000);
    bool served = false;
    for (int i = 0; i < 10 && !served; i++) served = charge(&fan, 1);
    assert_true(served);
    caller_close(&fan);
}

/* --- restarts --------------------------------------------------------------------------------- */

static uint64_t used_bytes(void) {
    char wal[PATH_BYTES], path[2 * PATH_BYTES];
    uint64_t sum = 0;
    path_of("wal", wal);
    DIR *directory = opendir(wal);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        struct stat status;
        (void)snprintf(path, sizeof path, "%s/%.100s", wal, entry->d_name);
        if (entry->d_name[0] != '.' && stat(path, &status) == 0) {
            sum += (uint64_t)status.st_blocks * 512;
        }
    }
    (void)closedir(directory);
    return sum;
}

/* Also a run that was killed leaves what it has made ahead to the next one. */
static void idle_restarts_take_no_room(void **state) {
    (void)state;
    uint64_t lsn = 0;
    caller_open(&fan, usherd.url, 5000);
    assert_true(charge(&fan, 1));
    caller_close(&fan);
    assert_int_equal(daemon_stop(&usherd), 0);
    lsn = usherd.stopped.lsn;
    const uint64_t before = used_bytes();
    for (int i = 0; i < 6; i++) {
        assert_true(daemon_start(&usherd));
        if (i % 2 == 0) {
            assert_int_equal(daemon_stop(&usherd), 0);
            assert_int_equal(usherd.stopped.lsn, lsn);
        } else {
            daemon_kill(&usherd);
        }
        assert_int_equal(used_bytes(), before);
    }
    assert_true(daemon_start(&usherd));
    caller_open(&fan, usherd.url, 5000);
    assert_true(charge(&fan, 2));
    caller_close(&fan);
    assert_int_equal(daemon_stop(&usherd), 0);
    assert_true(usherd.stopped.lsn > lsn);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_acknowledged_without_a_log, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_moved_folder_is_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_engines_do_not_fight, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_flood_takes_no_descriptor_of_others, set_up_few,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_to_do_is_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(idle_restarts_take_no_room, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
