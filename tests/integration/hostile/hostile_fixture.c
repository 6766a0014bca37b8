/* hostile_fixture.c - see hostile_fixture.h */
#include "tests/integration/hostile/hostile_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <nng/nng.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/base/require.h"

/* A fixture has a few dozen. */
#define DESCRIPTORS_MAX 1024

void hostile_open(struct hostile_fixture *fixture, const struct net_options *options) {
    struct net_options o = options ? *options : (struct net_options){0};
    struct net_error error;
    struct reply_sink sink;
    struct net_engine port;
    memset(fixture, 0, sizeof *fixture);
    strcpy(fixture->directory, "/tmp/usher-hostile-XXXXXX");
    REQUIRE(mkdtemp(fixture->directory) != NULL);
    (void)snprintf(fixture->ipc_path, sizeof fixture->ipc_path, "%s/public", fixture->directory);
    (void)snprintf(fixture->admin_path, sizeof fixture->admin_path, "%s/admin", fixture->directory);
    (void)snprintf(fixture->ipc_url, sizeof fixture->ipc_url, "ipc://%s", fixture->ipc_path);
    (void)snprintf(fixture->admin_url, sizeof fixture->admin_url, "ipc://%s", fixture->admin_path);
    o.public_urls[0] = "tcp://127.0.0.1:0";
    o.public_urls[1] = fixture->ipc_url;
    o.public_url_count = 2;
    o.admin_url = fixture->admin_url;
    if (o.watch_interval_ms == 0) o.watch_interval_ms = UINT32_MAX;
    if (net_server_create(&o, &fixture->server, &error) != NET_OK) fail_msg("%s", error.text);
    net_server_sink(fixture->server, &sink);
    fixture->engine = fake_engine_start(&sink);
    fake_engine_port(fixture->engine, &port);
    if (net_server_start(fixture->server, &port, &error) != NET_OK) fail_msg("%s", error.text);
    (void)snprintf(fixture->tcp_url, sizeof fixture->tcp_url, "%s",
                   net_server_url(fixture->server, 0));
}

void hostile_close(struct hostile_fixture *fixture) {
    assert_int_equal(net_server_stop(fixture->server, 5000), NET_OK);
    fake_engine_stop(fixture->engine);
    net_server_free(fixture->server);
    (void)unlink(fixture->ipc_path); /* nng has removed them already */
    (void)unlink(fixture->admin_path);
    assert_int_equal(rmdir(fixture->directory), 0);
}

int hostile_connect_tcp(const struct hostile_fixture *fixture) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)atoi(strrchr(fixture->tcp_url, ':') + 1));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* Return: a descriptor, connected or not */
static int open_ipc(const char *path, bool *ret_connected) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    REQUIRE(strlen(path) < sizeof address.sun_path);
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    *ret_connected = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    return fd;
}

int hostile_connect_ipc(const char *path) {
    bool connected;
    int fd = open_ipc(path, &connected);
    assert_true(connected);
    return fd;
}

void hostile_touch_ipc(const char *path) {
    bool connected;
    close(open_ipc(path, &connected));
}

void hostile_reset(int fd) {
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    (void)shutdown(fd, SHUT_WR); /* the other side may have ended it first */
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(fd);
}

bool hostile_survives_vanishing(void) { return strverscmp(nng_version(), "1.6.0") >= 0; }

static bool listens_on(int fd, const char *path) {
    struct sockaddr_un address = {0};
    socklen_t size = sizeof address;
    int listens = 0;
    socklen_t listens_size = sizeof listens;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &listens_size) == 0 && listens &&
           getsockname(fd, (struct sockaddr *)&address, &size) == 0 &&
           address.sun_family == AF_UNIX && strcmp(address.sun_path, path) == 0;
}

/* The listening socket is nng's and in this process: shut down, it is there and of no use. */
void hostile_break_ipc(const char *path) {
    int fd = 0;
    while (fd < DESCRIPTORS_MAX && !listens_on(fd, path)) fd++;
    assert_in_range(fd, 0, DESCRIPTORS_MAX - 1);
    assert_int_equal(shutdown(fd, SHUT_RDWR), 0);
}

void hostile_replace_ipc(const struct hostile_fixture *fixture) {
    hostile_break_ipc(fixture->ipc_path);
    assert_int_equal(net_server_watch_step(fixture->server), 1);
}

/* Return: false if the connection ended or a second passed */
static bool read_all(int fd, void *bytes, size_t size) {
    uint8_t *to = bytes;
    while (size > 0) {
        struct pollfd entry = {.fd = fd, .events = POLLIN};
        if (poll(&entry, 1, 1000) != 1) return false;
        ssize_t got = recv(fd, to, size, 0);
        if (got <= 0) return false;
        to += got;
        size -= (size_t)got;
    }
    return true;
}

/* Ignores that the other side has ended the connection: the next read tells. */
static void write_all(int fd, const void *bytes, size_t size) {
    const uint8_t *from = bytes;
    while (size > 0) {
        ssize_t put = send(fd, from, size, MSG_NOSIGNAL);
        if (put <= 0) return;
        from += put;
        size -= (size_t)put;
    }
}

bool hostile_shake_hands(int fd) {
    static const uint8_t hello[] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
    static const uint8_t wanted[] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};
    uint8_t got[sizeof wanted];
    write_all(fd, hello, sizeof hello);
    return read_all(fd, got, sizeof got) && memcmp(got, wanted, sizeof got) == 0;
}

void hostile_send_frame(int fd, uint32_t request_id, const void *body, uint32_t size) {
    uint8_t head[12] = {0};
    uint64_t length = 4ull + size;
    for (int i = 0; i < 8; i++) head[i] = (uint8_t)(length >> (56 - 8 * i));
    for (int i = 0; i < 4; i++) head[8 + i] = (uint8_t)((request_id | 1u << 31) >> (24 - 8 * i));
    write_all(fd, head, sizeof head);
    write_all(fd, body, size);
}

int hostile_receive_frame(int fd, uint8_t *body, uint32_t capacity) {
    uint8_t head[12];
    uint64_t length = 0;
    if (!read_all(fd, head, sizeof head)) return -1;
    for (int i = 0; i < 8; i++) length = length << 8 | head[i];
    assert_in_range(length, 4, capacity + 4ull);
    return read_all(fd, body, length - 4) ? (int)(length - 4) : -1;
}

bool hostile_is_served(const char *url) {
    struct client_options options = {.timeout_ms = 1000};
    struct client_answer answer = {0};
    struct client *client;
    if (client_open(url, &options, &client) != 0) return false;
    int status = client_call_wait(client, "system.ping", NULL, &answer);
    bool served = status == CLIENT_OK && value_find_uint(answer.result, "version", 0) == 1;
    client_answer_deinit(&answer);
    client_close(client);
    return served;
}
