/* error_reply.h - the answer to a request that is refused
 *
 * Made by decode (what cannot be asked), by frame.c (BUSY, STOPPING) and from an engine's
 * REPLY_ERROR; encode_error() makes bytes of it.
 */
#ifndef USHER_NET_PROTOCOL_ERROR_REPLY_H
#define USHER_NET_PROTOCOL_ERROR_REPLY_H

#include "engine/domain/error.h"

struct error_reply {
    uint16_t code; /* enum error */
    uint64_t data[ERROR_DATA_COUNT];
    /* BAD_PARAMS: name of the parameter, borrowed from the frame or static; NULL: none in
     * particular */
    const char *param;
    uint32_t param_size; /* bytes */
    /* What is wrong in particular, in the words of the request; static or of the frame's arena.
     * NULL: the code's own text */
    const char *message;
};

#endif
