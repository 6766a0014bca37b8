/* server.h - the engine's front door: frames in, replies out
 *
 * Happy path: net_server_create; net_server_sink gives the reply sink that engine_open() needs;
 * net_server_start binds the listeners and begins to receive; a frame is decoded on a thread of
 * nng's, its requests go to their shards, the last reply to be released sends the reply frame.
 * At the end net_server_stop, then engine_stop.
 *
 * Failure modes: an address that cannot be bound fails net_server_start; a listener that stops
 * accepting (a defect of nng 1.5.2) is found and replaced by the watchdog; a gateway that does not
 * read its replies is disconnected; a full engine answers BUSY.
 *
 * Threads: nng's own run the callbacks; the watchdog has one; sink functions run on shard threads.
 */
#ifndef USHER_NET_SERVER_SERVER_H
#define USHER_NET_SERVER_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "net/protocol/figures.h"
#include "net/protocol/limits.h"
#include "net/server/port.h"
#include "net/server/result.h"

struct net_server;

struct net_options {
    const char *public_urls[NET_LISTENERS_MAX]; /* tcp:// or ipc://; port 0: any free port */
    uint32_t public_url_count;                  /* 1..NET_LISTENERS_MAX */
    const char *admin_url;    /* ipc://, NULL: no admin listener; its file gets mode 0600 */
    uint32_t connections_max; /* public ones; later ones are closed at once; 0: no limit */
    /* Descriptors with these numbers and above are for others than the public, and for others than
     * the admin listener; for the whole process (accept.h); 0: no limit. */
    uint32_t public_below, private_below;
    uint32_t contexts;          /* frames in flight, 1..NET_CONTEXTS_MAX; 0: default */
    uint32_t send_timeout_ms;   /* 0: NET_SEND_TIMEOUT_MS */
    uint32_t watch_interval_ms; /* 0: NET_WATCH_INTERVAL_MS; UINT32_MAX: no watchdog thread */
};

/* net_server_create - check the options, get the memory; touches no address
 * @ret_server: owned by the caller until net_server_free()
 * Return: enum net_result */
int net_server_create(const struct net_options *options, struct net_server **ret_server,
                      struct net_error *ret_error);

/* net_server_sink - the reply sink for engine_open(); valid as long as the server */
void net_server_sink(struct net_server *server, struct reply_sink *ret_sink);

/* net_server_start - bind all listeners and serve
 * @engine: copied
 * On failure nothing listens. Return: enum net_result */
int net_server_start(struct net_server *server, const struct net_engine *engine,
                     struct net_error *ret_error);

/* net_server_url - the real address of a public listener: port 0 is replaced by the port
 * index: 0..public_url_count-1, in the order of the options; after net_server_start() */
const char *net_server_url(const struct net_server *server, uint32_t index);

/* net_server_stop - answer STOPPING from now on, wait until every earlier frame is answered
 * After it returned NET_OK nothing is submitted any more, so engine_stop() may follow. The sockets
 * stay open, and answer STOPPING, until the process ends: nng_close() of 1.5.2 can deadlock.
 * Return: NET_OK; NET_TIMEOUT: some are still unanswered (a journal that has failed: leave) */
int net_server_stop(struct net_server *server, uint32_t timeout_ms);

/* net_server_free - close the sockets; for tests. A daemon ends its process instead, see above. */
void net_server_free(struct net_server *server);

/* net_server_watch_step - one round of the watchdog: is every listener still accepting?
 * The watchdog's thread, or a test (with watch_interval_ms UINT32_MAX). Takes up to two seconds
 * for each listener that is stuck. Return: how many listeners were replaced */
uint32_t net_server_watch_step(struct net_server *server);

/* net_server_intact - does each local listener still own the file that clients connect to? A file
 * that is gone is no loss, the watchdog makes another. One of somebody else's is: the address
 * belongs to another process, whose file must stay (the watchdog leaves it alone, too).
 * @ret_error: on NET_LISTEN only
 * Any thread. Return: NET_OK, NET_LISTEN */
int net_server_intact(struct net_server *server, struct net_error *ret_error);

/* net_server_counters - any thread */
void net_server_counters(const struct net_server *server, struct net_counters *ret_counters);

#endif
