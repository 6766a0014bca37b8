/* accept.h - who may come in when descriptors run short: judged where a connection is accepted
 *
 * Why here: nng gives a connection its descriptor long before it tells anybody of it, and one that
 * never shakes hands is never told of at all. A flood of those would take the last descriptor from
 * the log. So this file takes the place of the C library's accept() and accept4(), which nng calls.
 *
 * The rule counts nothing: the kernel gives out the lowest free number. A public connection whose
 * number is not below `public_below` is closed at once; so the numbers from there up to the
 * process's limit are there for the log, PostgreSQL, the watchdog's own connections and the admin
 * listener, whatever the public does. Those of the admin listener stay below `private_below` in
 * turn.
 * Happy path: accept_limit once, before anything listens; accept_refused for the counters.
 * Failure modes: who is turned away sees a connection that is closed; the SP protocol has no word.
 * Threads: nng's call accept; the rest is for any thread, accept_limit for the first one.
 * It is the one global state of this folder: accept() has no room for a context.
 */
#ifndef USHER_NET_SERVER_ACCEPT_H
#define USHER_NET_SERVER_ACCEPT_H

#include <stdint.h>

/* accept_limit - from now on connections are judged; before that, all are welcome
 * @public_below, @private_below: descriptor numbers, public_below <= private_below; 0: no limit
 * @admin_path: of the admin listener's socket file; NULL: none. Copied */
void accept_limit(uint32_t public_below, uint32_t private_below, const char *admin_path);

/* accept_probe - a connection from this port of this machine is the watchdog's own
 * @port: in network order; 0: none. Local sockets need none: the kernel knows whose they are */
void accept_probe(uint16_t port);

/* accept_refused - connections that were turned away so far */
uint64_t accept_refused(void);

#endif
