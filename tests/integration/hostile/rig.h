/* rig.h - a served fake engine, and raw sockets to attack it with */
#ifndef USHER_TESTS_HOSTILE_RIG_H
#define USHER_TESTS_HOSTILE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_engine.h"
#include "net/client/client.h"
#include "net/server/server.h"

struct rig {
    struct net_server *server;
    struct fake_engine *engine;
    char directory[64]; /* of the socket files */
    char ipc_path[96], admin_path[96];
    char tcp_url[64], ipc_url[128], admin_url[128];
};

/* rig_open - public listeners on a free TCP port and on ipc, an admin listener, no watchdog thread
 * @options: NULL, or contexts and time-outs */
void rig_open(struct rig *rig, const struct net_options *options);
void rig_close(struct rig *rig);

/* Raw connections. Return: a descriptor; the test fails if there is none. */
int rig_connect_tcp(const struct rig *rig);
int rig_connect_ipc(const char *path);
/* rig_touch_ipc - connect and close at once; nobody need be listening */
void rig_touch_ipc(const char *path);
/* rig_reset - close with FIN and then RST, as a client that is killed does */
void rig_reset(int fd);
/* rig_shake_hands - exchange SP headers as a `req` socket. Return: false if none came in a
 * second */
bool rig_shake_hands(int fd);
/* rig_send_frame - one SP message over raw TCP: length, request id, body */
void rig_send_frame(int fd, uint32_t request_id, const void *body, uint32_t size);
/* rig_receive_frame - Return: size of the body, -1 if the connection ended or a second passed */
int rig_receive_frame(int fd, uint8_t *body, uint32_t capacity);

/* rig_survives_vanishing - is this an nng whose listeners go on accepting after clients that
 * vanish? 1.6.0 mended that (net/README.md, "The accept watchdog"). */
bool rig_survives_vanishing(void);
/* rig_break_ipc - the listener on this path accepts nothing any more, with every nng */
void rig_break_ipc(const char *path);
/* rig_replace_ipc - break the public ipc listener and let the watchdog replace it */
void rig_replace_ipc(const struct rig *rig);

/* rig_is_served - does a new client get an answer within a second? */
bool rig_is_served(const char *url);

#endif
