/* client.h - call a usher engine; concurrent callers share frames by themselves
 *
 * Happy path: client_open; any thread calls; while fewer than `frames_in_flight` frames are under
 * way a call leaves at once, otherwise it joins the frame that leaves next. Calls of callbacks
 * leave when the callbacks of their frame have run. So one caller gets the lowest latency and a
 * thousand callers get batch speed, with the same code.
 *
 * Failure modes: every call gets exactly one callback, with CLIENT_OK or with the reason why there
 * is no answer. After CLIENT_TIMEOUT and CLIENT_LOST the engine may or may not have done it: ask
 * again with the same idempotency key. The client never sends a request twice by itself (nng's
 * resending is off); a lost connection is dialled again in the background. A connection that seems
 * to be there and answers nothing for 5 s, while calls time out, is left alone and another one
 * opened beside it: what leaves from then on takes that one.
 *
 * Threads: all functions but client_close() from any thread, and from callbacks, too, except the
 * blocking client_call_wait() and client_close(). Callbacks run on nng's threads: they must not
 * block, and they delay each other. They may run before client_call() has returned.
 */
#ifndef USHER_NET_CLIENT_CLIENT_H
#define USHER_NET_CLIENT_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "net/client/call.h"
#include "net/protocol/value.h"

#define CLIENT_FRAMES_IN_FLIGHT_DEFAULT 16u
#define CLIENT_FRAMES_IN_FLIGHT_MAX 1024u
#define CLIENT_TIMEOUT_MS_DEFAULT 10000u

struct client_options {
    uint32_t frames_in_flight;       /* at most; 1..CLIENT_FRAMES_IN_FLIGHT_MAX; 0: default */
    uint32_t requests_per_frame_max; /* 1..REQUESTS_PER_FRAME_MAX; 0: that; 1: never coalesce */
    uint32_t timeout_ms;             /* of a call, from client_call() to its callback; 0: default */
};

struct client;

/* client_open - connect
 * @options:    NULL: all defaults
 * @ret_client: owned by the caller until client_close()
 * Return: 0; CLIENT_BAD_URL, CLIENT_UNREACHABLE, CLIENT_NO_MEMORY */
int client_open(const char *url, const struct client_options *options, struct client **ret_client);

/* client_close - wait a second for what is under way, give up the rest (CLIENT_CLOSED), disconnect
 * All callbacks have run when it returns. Nobody uses the client any more when this is called, and
 * its callbacks no longer call. Where an answer may still be on its way (CLIENT_TIMEOUT,
 * CLIENT_CLOSED) the connection stays open, idle, until the process ends: see connection.h. */
void client_close(struct client *client);

/* client_call - ask; the answer comes to `done`
 * @method: "seats.hold"
 * @params: the map of parameters; NULL: none. Copied before return.
 * @done:   called exactly once if this returns 0, never otherwise
 * Return: 0; CLIENT_FULL, CLIENT_TOO_BIG, CLIENT_NO_MEMORY */
int client_call(struct client *client, const char *method, const struct value_writer *params,
                client_done *done, void *context);

/* client_call_with_room - client_call(), but where that says CLIENT_FULL it waits for room
 * Blocks, so not from a callback. Return: 0; CLIENT_TOO_BIG, CLIENT_NO_MEMORY */
int client_call_with_room(struct client *client, const char *method,
                          const struct value_writer *params, client_done *done, void *context);

/* An answer that outlives its callback. Zero-initialise it; use it for any number of calls, one at
 * a time (its memory is kept); client_answer_deinit() at the end. */
struct client_answer {
    int status;                /* enum client_status */
    const struct value *error; /* see struct client_reply */
    const struct value *result;
    uint8_t *bytes; /* of either */
};
void client_answer_deinit(struct client_answer *answer);
/* client_answer_code - the error's code ("SEAT_TAKEN"), terminated; "" where there is no error */
const char *client_answer_code(const struct client_answer *answer, char ret_code[32]);

/* client_call_wait - ask and wait; waits for room, too, where client_call() says CLIENT_FULL
 * Not from a callback. Return: answer->status (CLIENT_TOO_BIG, CLIENT_NO_MEMORY included) */
int client_call_wait(struct client *client, const char *method, const struct value_writer *params,
                     struct client_answer *answer);

#endif
