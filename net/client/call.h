/* call.h - the words of a call: how it can end, its reply, who is told; a part of client.h */
#ifndef USHER_NET_CLIENT_CALL_H
#define USHER_NET_CLIENT_CALL_H

#include "net/protocol/value.h"

/* Frames that wait for one to come back. More than this and client_call() says CLIENT_FULL. */
#define CLIENT_FRAMES_WAITING_MAX 64u

enum client_status {
    CLIENT_OK = 0,           /* there is a response: an error of error.def, or a result */
    CLIENT_TIMEOUT = 1,      /* no reply in time; the outcome is unknown */
    CLIENT_LOST = 2,         /* the connection broke under the call; the outcome is unknown */
    CLIENT_BAD_REPLY = 3,    /* what came back is not a reply to what was asked */
    CLIENT_CLOSED = 4,       /* client_close() came first; the outcome is unknown */
    CLIENT_FULL = 5,         /* too many calls wait already; nothing was sent */
    CLIENT_TOO_BIG = 6,      /* the request does not fit a frame; nothing was sent */
    CLIENT_BAD_URL = -1,     /* client_open */
    CLIENT_UNREACHABLE = -2, /* client_open: nobody answers at this address */
    CLIENT_NO_MEMORY = -3,
};
/* client_status_text - a sentence for a person; static */
const char *client_status_text(int status);

/* One response. Borrowed: valid during the callback only. */
struct client_reply {
    int status;                 /* enum client_status, 0 or positive */
    const struct value *error;  /* map {code, message, data}; NULL if there is none */
    const struct value *result; /* NULL if there is an error, or none at all (status not OK) */
};
typedef void client_done(void *context, const struct client_reply *reply);

#endif
