/* hostile_fixture.h - a served fake engine, and raw sockets to attack it with */
#ifndef USHER_TESTS_INTEGRATION_HOSTILE_HOSTILE_FIXTURE_H
#define USHER_TESTS_INTEGRATION_HOSTILE_HOSTILE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/integration/hostile/fake_engine.h"
#include "net/client/client.h"
#include "net/server/server.h"

struct hostile_fixture {
    struct net_server *server;
    struct fake_engine *engine;
    char directory[64]; /* of the socket files */
    char ipc_path[96], admin_path[96];
    char tcp_url[64], ipc_url[128], admin_url[128];
};

/* hostile_open - public listeners on a free TCP port and on ipc, an admin listener, no watchdog
 * thread
 * @options: NULL, or contexts and time-outs */
void hostile_open(struct hostile_fixture *fixture, const struct net_options *options);
void hostile_close(struct hostile_fixture *fixture);

/* Raw connections. Return: a descriptor; the test fails if there is none. */
int hostile_connect_tcp(const struct hostile_fixture *fixture);
int hostile_connect_ipc(const char *path);
/* hostile_touch_ipc - connect and close at once; nobody need be listening */
void hostile_touch_ipc(const char *path);
/* hostile_reset - close with FIN and then RST, as a client that is killed does */
void hostile_reset(int fd);
/* hostile_shake_hands - exchange SP headers as a `req` socket. Return: false if none came in a
 * second */
bool hostile_shake_hands(int fd);
/* hostile_send_frame - one SP message over raw TCP: length, request id, body */
void hostile_send_frame(int fd, uint32_t request_id, const void *body, uint32_t size);
/* hostile_receive_frame - Return: size of the body, -1 if the connection ended or a second passed
 * */
int hostile_receive_frame(int fd, uint8_t *body, uint32_t capacity);

/* hostile_survives_vanishing - is this an nng whose listeners go on accepting after clients that
 * vanish? 1.6.0 mended that (net/README.md, "The accept watchdog"). */
bool hostile_survives_vanishing(void);
/* hostile_break_ipc - the listener on this path accepts nothing any more, with every nng */
void hostile_break_ipc(const char *path);
/* hostile_replace_ipc - break the public ipc listener and let the watchdog replace it */
void hostile_replace_ipc(const struct hostile_fixture *fixture);

/* hostile_is_served - does a new client get an answer within a second? */
bool hostile_is_served(const char *url);

#endif
