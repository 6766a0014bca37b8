/* request.h - what is submitted to a shard */
#ifndef USHER_ENGINE_RUNTIME_REQUEST_H
#define USHER_ENGINE_RUNTIME_REQUEST_H

#include "engine/domain/command.h"

/* request - one call of one client, on its way through a shard
 * Owned by whoever submitted it, until engine_submit() takes it; the shard's, until
 * reply_sink.release() gives it back. Embed it in a larger struct to find your own fields. */
struct request {
    struct request *next; /* next of the chain; the shard's while it has the request */
    struct command command;
    uint64_t lsn; /* the reply waits until this is durable; encode() may raise it */
};

#endif
