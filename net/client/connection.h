/* connection.h - frames to an engine and back, over a connection of nng; works around nng 1.5.2
 *
 * Happy path: connection_open dials; each carrier takes one frame at a time: carrier_send, then its
 * `done` with the reply frame. A lost connection is dialled again in the background.
 *
 * Failure modes, and what is done about them here:
 * - the connection breaks under a frame: CLIENT_LOST. Nothing is ever sent twice by itself (nng's
 *   resending is off).
 * - nng 1.5.2 never dials again after a peer that vanished during the handshake: a thread that
 *   watches dials anew (`redial`).
 * - nng 1.5.2 takes a dead connection for alive: what answers nothing for 5 s, while frames time
 *   out, is left alone and another one opened beside it (`relink`).
 * - nng 1.5.2 can wait for ever in nng_close(), if an answer comes in at that moment: a connection
 *   on which one may still come stays open, idle, until the process ends (connection_close).
 * net/README.md, "Limits of nng 1.5.2 that remain", has the reasons. The defects of nng are known
 * to this file alone, and so is nng.
 *
 * Threads: any, one at a time for a carrier; `done` runs on nng's.
 */
#ifndef USHER_NET_CLIENT_CONNECTION_H
#define USHER_NET_CLIENT_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

struct connection;
struct carrier;
struct link;

/* connection_open - dial, and wait for at most two seconds until somebody answers
 * @ret_connection: owned by the caller until connection_close()
 * Return: 0; CLIENT_BAD_URL, CLIENT_UNREACHABLE, CLIENT_NO_MEMORY */
int connection_open(const char *url, struct connection **ret_connection);
/* connection_close - all its carriers are closed */
void connection_close(struct connection *connection);

/* carrier_done - a frame is back, or lost; the carrier is free, for carrier_send() right here, too
 * @status: CLIENT_OK, or why there is no reply (enum client_status)
 * @reply:  the reply frame, borrowed during the call; NULL unless CLIENT_OK */
typedef void carrier_done(struct carrier *carrier, int status, const uint8_t *reply, uint32_t size);

/* One frame under way: a REQ context of nng. Its owner zeroes it and sets its own fields. */
struct carrier {
    void *owner;          /* the owner's, as the next two */
    void *frame;          /* what is under way */
    struct carrier *next; /* of the idle ones */

    struct connection *connection;
    struct link *link;   /* of the context; NULL: there is none */
    uint32_t context_id; /* of nng */
    struct nng_aio *aio; /* NULL: the carrier is not open */
    carrier_done *done;
    bool sent;         /* the aio is receiving */
    uint64_t begun_ms; /* when the frame was given to nng; client_now_ms() */
    uint64_t deadline_ms;
};

/* carrier_open - Return: 0, CLIENT_NO_MEMORY (nothing is left behind then) */
int carrier_open(struct carrier *carrier, struct connection *connection, carrier_done *done);
/* carrier_send - send a frame
 * @bytes: copied
 * Return: 0, then `done` is called once; else why not (enum client_status) */
int carrier_send(struct carrier *carrier, const uint8_t *bytes, uint32_t size,
                 uint64_t deadline_ms);
/* carrier_cancel - end what is under way now with CLIENT_CLOSED. A carrier between sending and
 * receiving has nothing to cancel at that moment: cancel again. */
void carrier_cancel(struct carrier *carrier);
/* carrier_close - no `done` runs when this returns, and none comes any more */
void carrier_close(struct carrier *carrier);

#endif
