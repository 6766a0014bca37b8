/* test_hostile.c - gateways that are broken, slow, malicious or gone, against the real sockets */
#include "tests/integration/hostile/hostile_fixture.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/base/limits.h"

#define ATTACKS 200

static struct hostile_fixture fixture;

static int setup(void **state) {
    (void)state;
    hostile_open(&fixture, NULL);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    hostile_close(&fixture);
    return 0;
}

static struct net_counters counters(void) {
    struct net_counters now;
    net_server_counters(fixture.server, &now);
    return now;
}

static void all_are_served(void) {
    assert_true(hostile_is_served(fixture.tcp_url));
    assert_true(hostile_is_served(fixture.ipc_url));
    assert_true(hostile_is_served(fixture.admin_url));
}

/* --- frames ----------------------------------------------------------------------------------- */

/* What comes back for a body that is no frame: one response with msgid 0 and code MALFORMED. */
static void assert_malformed(const uint8_t *reply, int size) {
    const struct value *response;
    uint64_t msgid = 1;
    uint32_t used = 0;
    assert_true(size > 0);
    assert_int_equal(value_parse(reply, (uint32_t)size, &response, &used), VALUE_OK);
    assert_int_equal(used, size);
    assert_true(value_get_uint(value_at(response, 1), &msgid));
    assert_int_equal(msgid, 0);
    assert_true(value_text_equal(value_find(value_at(response, 2), "code"), "MALFORMED"));
}

static void hostile_frames(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        uint32_t size;
    } bodies[] = {
        {"", 0},
        {"\xc1", 1},
        {"\xdd\xff\xff\xff\xff", 5},
        {"\xdf\xff\xff\xff\xff", 5},
        {"\x94\x00\x01\xa1m\xdd\xff\xff\xff\xff", 10},
        {"\x94\x00\x01\xa1m\x80\xc0", 7},
        {"GET / HTTP/1.1\r\n\r\n", 18},
    };
    uint8_t reply[1024];
    int fd = hostile_connect_tcp(&fixture);
    assert_true(hostile_shake_hands(fd));
    for (uint32_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        hostile_send_frame(fd, i, bodies[i].bytes, bodies[i].size);
        assert_malformed(reply, hostile_receive_frame(fd, reply, sizeof reply));
    }
    static uint8_t nested[10000];
    memset(nested, 0x91, sizeof nested);
    hostile_send_frame(fd, 77, nested, sizeof nested);
    assert_malformed(reply, hostile_receive_frame(fd, reply, sizeof reply));
    close(fd);
    assert_int_equal(counters().malformed, 1 + sizeof bodies / sizeof bodies[0]);
    assert_int_equal(fake_engine_answered(fixture.engine), 0);
    all_are_served();
}

/* A frame at the limit is read; one that is far too long ends its connection and no other. */
static void long_frames(void **state) {
    (void)state;
    static uint8_t body[FRAME_BYTES_MAX + 1000];
    uint8_t reply[1024];
    int fd = hostile_connect_tcp(&fixture), other = hostile_connect_tcp(&fixture);
    assert_true(hostile_shake_hands(fd));
    assert_true(hostile_shake_hands(other));
    hostile_send_frame(fd, 1, body, FRAME_BYTES_MAX);
    assert_malformed(reply, hostile_receive_frame(fd, reply, sizeof reply));
    hostile_send_frame(fd, 2, body, FRAME_BYTES_MAX + 1);
    assert_malformed(reply, hostile_receive_frame(fd, reply, sizeof reply));
    hostile_send_frame(fd, 3, body, FRAME_BYTES_MAX + 1000);
    assert_int_equal(hostile_receive_frame(fd, reply, sizeof reply), -1);
    hostile_send_frame(other, 4, body, 1);
    assert_malformed(reply, hostile_receive_frame(other, reply, sizeof reply));
    close(fd);
    close(other);
}

/* Lengths that promise what never comes, and garbage where the handshake should be. */
static void broken_framing(void **state) {
    (void)state;
    static const char *const heads[] = {
        "\xff\xff\xff\xff\xff\xff\xff\xff",
        "\0\0\0\0\x04\0\0\0",
        "\0\0\0\0\0\0\0\1",
        "\0\0\0\0\0\0\0\0",
    };
    for (uint32_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        int fd = hostile_connect_tcp(&fixture);
        assert_true(hostile_shake_hands(fd));
        assert_int_equal(send(fd, heads[i], 8, MSG_NOSIGNAL), 8);
        hostile_reset(fd);
    }
    int fd = hostile_connect_tcp(&fixture);
    assert_int_equal(send(fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL), 18);
    close(fd);
    fd = hostile_connect_ipc(fixture.ipc_path);
    assert_int_equal(send(fd, "garbage garbage", 15, MSG_NOSIGNAL), 15);
    close(fd);
    (void)net_server_watch_step(fixture.server); /* whether they stuck or not */
    all_are_served();
}

/* --- methods ---------------------------------------------------------------------------------- */

static void call_code(const char *url, const char *method, const char *expected) {
    struct client *client;
    struct client_answer answer = {0};
    struct value_writer params;
    char code[32];
    value_writer_init(&params, NULL, 0, 1024);
    value_write_map(&params, 1);
    value_write_pair_uint(&params, "date", 1);
    assert_int_equal(client_open(url, NULL, &client), 0);
    assert_int_equal(client_call_wait(client, method, &params, &answer), CLIENT_OK);
    assert_string_equal(client_answer_code(&answer, code), expected);
    client_close(client);
    client_answer_deinit(&answer);
    value_writer_deinit(&params);
}

static void admin_is_private(void **state) {
    (void)state;
    struct stat status;
    call_code(fixture.tcp_url, "admin.date_open", "UNKNOWN_METHOD");
    call_code(fixture.ipc_url, "admin.date_open", "UNKNOWN_METHOD");
    call_code(fixture.admin_url, "admin.date_open", "");
    assert_int_equal(stat(fixture.admin_path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    /* And again after the watchdog has made it anew. */
    for (int i = 0; i < ATTACKS; i++) close(hostile_connect_ipc(fixture.admin_path));
    (void)net_server_watch_step(fixture.server); /* the attack need not have worked */
    assert_int_equal(stat(fixture.admin_path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    call_code(fixture.admin_url, "admin.date_open", "");
}

/* --- connections that come and go ------------------------------------------------------------- */

static void reset_tcp(void) {
    for (int i = 0; i < ATTACKS; i++) hostile_reset(hostile_connect_tcp(&fixture));
}

/* The attack that nng 1.5.2 does not survive, and the watchdog that makes good. */
static void vanishing_tcp(void **state) {
    (void)state;
    for (int round = 0; round < 3; round++) {
        reset_tcp();
        (void)net_server_watch_step(fixture.server); /* how often it must act is nng's to say */
        all_are_served();
    }
    print_message("# listeners replaced: %llu\n", (unsigned long long)counters().relistens);
}

/* Without the watchdog nng 1.5.2 loses this address; with a later one there is nothing to mend. */
static void vanishing_ipc(void **state) {
    (void)state;
    bool served = true;
    for (int i = 0; i < 20 && served; i++) {
        for (int k = 0; k < ATTACKS; k++) close(hostile_connect_ipc(fixture.ipc_path));
        served = hostile_is_served(fixture.ipc_url);
    }
    assert_int_equal(served, hostile_survives_vanishing());
    assert_int_equal(net_server_watch_step(fixture.server), served ? 0 : 1);
    all_are_served();
    assert_int_equal(counters().relistens, served ? 0 : 1);
    /* All is well now, so nothing more is replaced. */
    assert_int_equal(net_server_watch_step(fixture.server), 0);
}

/* Whatever it is that keeps a listener from accepting, with any nng. */
static void broken_listener(void **state) {
    (void)state;
    for (uint64_t round = 1; round <= 3; round++) {
        hostile_break_ipc(fixture.ipc_path);
        assert_false(hostile_is_served(fixture.ipc_url));
        assert_int_equal(net_server_watch_step(fixture.server), 1);
        all_are_served();
        assert_int_equal(counters().relistens, round);
        assert_int_equal(net_server_watch_step(fixture.server), 0);
    }
}

/* A look of the watchdog must not be the attack that it looks for. */
static void watching_is_harmless(void **state) {
    (void)state;
    for (int i = 0; i < 200; i++) assert_int_equal(net_server_watch_step(fixture.server), 0);
    assert_int_equal(counters().relistens, 0);
    assert_true(counters().accepted >= 600);
    all_are_served();
}

static uint64_t inode_of(const char *path) {
    struct stat status;
    assert_int_equal(lstat(path, &status), 0);
    return status.st_ino;
}

/* Another process has put its socket in the place of ours: it is not "stuck", it is not ours.
 * Whoever replaced it would be replaced in turn, for ever. */
static void a_socket_of_others_stays(void **state) {
    (void)state;
    struct net_error error;
    char aside[128];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *const paths[] = {fixture.ipc_path, fixture.admin_path};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(net_server_intact(fixture.server, &error), NET_OK);
        (void)snprintf(aside, sizeof aside, "%s.aside", paths[i]);
        assert_int_equal(rename(paths[i], aside), 0);
        assert_int_equal(net_server_intact(fixture.server, &error),
                         NET_OK); /* gone: can be mended */
        strcpy(address.sun_path, paths[i]);
        int other = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(other, (struct sockaddr *)&address, sizeof address), 0);
        assert_int_equal(listen(other, 8), 0);
        uint64_t inode = inode_of(paths[i]);
        assert_int_equal(net_server_intact(fixture.server, &error), NET_LISTEN);
        assert_non_null(strstr(error.text, paths[i]));
        for (int k = 0; k < 3; k++) assert_int_equal(net_server_watch_step(fixture.server), 0);
        assert_int_equal(inode_of(paths[i]), inode);
        close(other);
        assert_int_equal(rename(aside, paths[i]), 0);
    }
    assert_int_equal(net_server_intact(fixture.server, &error), NET_OK);
    all_are_served();
}

/* A socket file that somebody has swept away is made again. */
static void a_removed_socket_comes_back(void **state) {
    (void)state;
    assert_int_equal(unlink(fixture.ipc_path), 0);
    assert_int_equal(net_server_watch_step(fixture.server), 1);
    all_are_served();
}

static bool is_closed_within(int fd, int ms) {
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    uint8_t byte;
    return poll(&entry, 1, ms) == 1 && recv(fd, &byte, 1, MSG_PEEK) <= 0;
}

/* Those that are too many are closed, those that were there stay; the watchdog is not confused. */
static void too_many_connections(void **state) {
    (void)state;
    enum { ALLOWED = 3, MORE = 4 };
    static const uint8_t ping[] = "\x94\0\7\xabsystem.ping\x80";
    struct hostile_fixture own;
    struct net_counters now = {.connections = UINT64_MAX};
    uint8_t reply[256];
    int fds[ALLOWED + MORE], open_now = 0;
    hostile_open(&own, &(struct net_options){.connections_max = ALLOWED});
    for (int i = 0; i < ALLOWED + MORE; i++) {
        fds[i] = hostile_connect_tcp(&own);
        assert_true(hostile_shake_hands(fds[i])); /* that is the transport's */
    }
    for (int i = 0; i < 500 && (now.connections > ALLOWED || now.connections_refused < MORE); i++) {
        net_server_counters(own.server, &now); /* nng clears away in the background */
        usleep(10000);
    }
    assert_int_equal(now.connections, ALLOWED);
    assert_int_equal(now.connections_refused, MORE);
    for (int i = 0; i < ALLOWED + MORE; i++) { /* which of them is nng's to say */
        if (is_closed_within(fds[i], 100)) continue;
        open_now++;
        hostile_send_frame(fds[i], 1, ping, sizeof ping - 1);
        assert_true(hostile_receive_frame(fds[i], reply, sizeof reply) > 0);
    }
    assert_int_equal(open_now, ALLOWED);
    assert_int_equal(net_server_watch_step(own.server), 0);
    net_server_counters(own.server, &now);
    assert_true(now.connections_refused >= MORE + 2); /* the watchdog's, on two listeners */
    assert_true(hostile_is_served(own.admin_url));
    for (int i = 0; i < ALLOWED + MORE; i++) close(fds[i]);
    bool served = false;
    for (int i = 0; i < 20 && !served; i++) served = hostile_is_served(own.tcp_url);
    assert_true(served);
    hostile_close(&own);
}

/* A peer that speaks another protocol of SP is turned away by nng, and was never there. */
static void another_protocol(void **state) {
    (void)state;
    static const uint8_t hello[8] = {0, 'S', 'P', 0, 0, 0x10, 0, 0}; /* a pair socket's */
    for (int i = 0; i < 5; i++) {
        uint8_t theirs[8];
        int fd = hostile_connect_tcp(&fixture);
        assert_int_equal(send(fd, hello, sizeof hello, MSG_NOSIGNAL), sizeof hello);
        (void)recv(fd, theirs, sizeof theirs, MSG_WAITALL); /* then nng closes */
        assert_true(is_closed_within(fd, 2000));
        close(fd);
    }
    usleep(100000);                            /* nng clears away in the background */
    assert_true(counters().connections < 100); /* not below 0 */
    all_are_served();
}

/* Replacing a listener ends its connections; clients come back by themselves. */
static void clients_come_back(void **state) {
    (void)state;
    struct client *client;
    struct client_answer answer = {0};
    assert_int_equal(client_open(fixture.ipc_url, NULL, &client), 0);
    assert_int_equal(client_call_wait(client, "system.ping", NULL, &answer), CLIENT_OK);
    hostile_replace_ipc(&fixture);
    int status = client_call_wait(client, "system.ping", NULL, &answer);
    if (status == CLIENT_LOST) { /* it had not noticed yet */
        status = client_call_wait(client, "system.ping", NULL, &answer);
    }
    assert_int_equal(status, CLIENT_OK);
    client_answer_deinit(&answer);
    client_close(client);
}

/* The watchdog's own thread does it all without help. */
static void watchdog_thread(void **state) {
    (void)state;
    struct hostile_fixture own;
    hostile_open(&own, &(struct net_options){.watch_interval_ms = 10});
    struct net_counters now = {0};
    if (hostile_survives_vanishing()) hostile_break_ipc(own.ipc_path);
    for (int i = 0; i < 1000 && now.relistens == 0; i++) {
        if (!hostile_survives_vanishing()) hostile_touch_ipc(own.ipc_path);
        usleep(10000);
        net_server_counters(own.server, &now);
    }
    assert_in_range(now.relistens, 1, 10);
    /* The last attacks may have hit the new listener: that takes another round. */
    bool served = false;
    for (int i = 0; i < 10 && !served; i++) served = hostile_is_served(own.ipc_url);
    assert_true(served);
    hostile_close(&own);
}

/* --- load and leaving ------------------------------------------------------------------------- */

static void full_engine(void **state) {
    (void)state;
    fake_engine_full(fixture.engine, true);
    call_code(fixture.tcp_url, "queue.enter", "BAD_PARAMS"); /* net's own answers need no engine */
    struct client *client;
    struct client_answer answer = {0};
    char code[32];
    assert_int_equal(client_open(fixture.tcp_url, NULL, &client), 0);
    assert_int_equal(client_call_wait(client, "system.ping", NULL, &answer), CLIENT_OK);
    assert_string_equal(client_answer_code(&answer, code), "BUSY");
    const struct value *data = value_find(answer.error, "data");
    assert_int_equal(value_find_uint(data, "retry_ms", 0), NET_BUSY_RETRY_MS);
    fake_engine_full(fixture.engine, false);
    assert_int_equal(client_call_wait(client, "system.ping", NULL, &answer), CLIENT_OK);
    assert_string_equal(client_answer_code(&answer, code), "");
    client_answer_deinit(&answer);
    client_close(client);
}

static _Atomic uint32_t stopped_answers;

static void count_answer(void *context, const struct client_reply *reply) {
    (void)context;
    if (reply->status == CLIENT_OK && reply->result) stopped_answers++;
}

/* What came in before is answered, what comes after is told that the engine leaves. */
static void stopping(void **state) {
    (void)state;
    struct client *client;
    struct client_answer answer = {0};
    char code[32];
    fake_engine_hold(fixture.engine, true);
    assert_int_equal(client_open(fixture.tcp_url, NULL, &client), 0);
    stopped_answers = 0;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(client_call(client, "system.ping", NULL, count_answer, NULL), 0);
    }
    while (counters().requests < 5) usleep(1000);
    assert_int_equal(net_server_stop(fixture.server, 50), NET_TIMEOUT);
    assert_int_equal(stopped_answers, 0);
    assert_int_equal(client_call_wait(client, "system.ping", NULL, &answer), CLIENT_OK);
    assert_string_equal(client_answer_code(&answer, code), "STOPPING");
    fake_engine_hold(fixture.engine, false);
    assert_int_equal(net_server_stop(fixture.server, 5000), NET_OK);
    for (int i = 0; i < 5000 && stopped_answers < 5; i++) usleep(1000); /* they are on their way */
    assert_int_equal(stopped_answers, 5);
    client_answer_deinit(&answer);
    client_close(client);
}

/* --- addresses -------------------------------------------------------------------------------- */

static int try_start(const char *public_url, const char *admin_url, struct net_error *error) {
    struct net_options options = {.public_urls = {public_url},
                                  .public_url_count = 1,
                                  .admin_url = admin_url,
                                  .watch_interval_ms = UINT32_MAX};
    struct net_server *server;
    struct net_engine port;
    int rc = net_server_create(&options, &server, error);
    if (rc != NET_OK) return rc;
    fake_engine_port(fixture.engine, &port);
    rc = net_server_start(server, &port, error);
    net_server_free(server);
    return rc;
}

static void addresses(void **state) {
    (void)state;
    struct net_error error;
    assert_int_equal(try_start(fixture.tcp_url, NULL, &error), NET_LISTEN);
    assert_non_null(strstr(error.text, fixture.tcp_url));
    assert_non_null(strstr(error.text, "ss -ltnp")); /* what to do */
    assert_int_equal(try_start(fixture.ipc_url, NULL, &error), NET_LISTEN);
    assert_non_null(strstr(error.text, "choose another path"));
    assert_int_equal(try_start("http://127.0.0.1:0", NULL, &error), NET_BAD_OPTIONS);
    assert_int_equal(try_start("tcp://127.0.0.1:0", "tcp://127.0.0.1:0", &error), NET_BAD_OPTIONS);
    assert_int_equal(try_start("tcp://no.such.host.invalid:80", NULL, &error), NET_LISTEN);
    assert_int_equal(try_start("tcp://127.0.0.1:0", NULL, &error), NET_OK);
    /* Asking whether another engine lives at an ipc address disturbs the one that does: the
     * watchdog mends that, too. */
    (void)net_server_watch_step(fixture.server);
    all_are_served();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(hostile_frames),
        TEST(long_frames),
        TEST(broken_framing),
        TEST(admin_is_private),
        TEST(vanishing_tcp),
        TEST(vanishing_ipc),
        TEST(broken_listener),
        TEST(watching_is_harmless),
        TEST(a_socket_of_others_stays),
        TEST(a_removed_socket_comes_back),
        cmocka_unit_test(too_many_connections),
        TEST(another_protocol),
        TEST(clients_come_back),
        cmocka_unit_test(watchdog_thread),
        TEST(full_engine),
        TEST(stopping),
        TEST(addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
