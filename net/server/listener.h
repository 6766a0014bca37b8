/* listener.h - one address that is listened on, and the proof that it still accepts
 *
 * Why there is a proof: README.md, "The accept watchdog".
 * Happy path: listener_start; nng announces connections to listener_accepted; now and then
 * listener_step connects to the address, shakes hands like a `req` socket and sees its own
 * connection announced.
 * Failure modes: no announcement, twice -> the listener is replaced; the address cannot be bound
 * again yet -> the next step tries again; this process has no descriptor to spare -> no judgement;
 * the socket file is another process's by now -> it is left alone (nng removes whatever has the
 * name when it closes a listener), and so is the listener: listener_owner tells.
 * Threads: start, step and stop: one at a time (start-up, then the watchdog); accepted: nng's.
 */
#ifndef USHER_NET_SERVER_LISTENER_H
#define USHER_NET_SERVER_LISTENER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "net/protocol/limits.h"
#include "net/server/result.h"

struct listener {
    uint32_t socket;                 /* id of the nng socket */
    bool admin;                      /* its file gets mode 0600 */
    bool listening;                  /* false: closed, and could not be opened again yet */
    char url[NET_URL_BYTES_MAX];     /* as given, then with the real port */
    struct sockaddr_storage address; /* where a client connects */
    socklen_t address_bytes;
    _Atomic uint32_t id; /* of the nng listener; 0: none */

    pthread_mutex_t mutex; /* guards `accepted` */
    pthread_cond_t announced;
    uint64_t accepted; /* connections that nng has announced */
    /* Of the socket file, guarded by `mutex`; 0: none, or not known right now. */
    uint64_t file_device, file_inode;
};

/* Whose is the socket file? */
enum listener_owner {
    LISTENER_OURS = 0,   /* also: there is no such file, for it is a TCP address */
    LISTENER_GONE = 1,   /* it is not there */
    LISTENER_OTHERS = 2, /* another process has put its own in the place */
};

void listener_init(struct listener *listener);
void listener_deinit(struct listener *listener);

/* listener_start - bind and listen
 * @socket: id of the nng socket, whose pipe events reach listener_accepted()
 * Return: NET_OK, NET_BAD_OPTIONS, NET_LISTEN */
int listener_start(struct listener *listener, uint32_t socket, const char *url, bool admin,
                   struct net_error *ret_error);

/* listener_stop - close it, and the connections that came in on it */
void listener_stop(struct listener *listener);

/* listener_accepted - nng has announced a connection; any thread
 * Return: false if it came in on another listener */
bool listener_accepted(struct listener *listener, uint32_t listener_id);

/* listener_owner - any thread */
enum listener_owner listener_owner(struct listener *listener);

/* listener_step - prove that it accepts, or replace it
 * Takes up to two NET_WATCH_TIMEOUT_MS. Return: true if it was replaced */
bool listener_step(struct listener *listener);

#endif
