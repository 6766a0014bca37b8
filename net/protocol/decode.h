/* decode.h - a frame's bytes to typed commands
 *
 * Happy path: decode_scan() finds the requests of a frame and proves its shape; then
 * decode_request() turns each into a command, or into the error that answers it. Nothing is
 * executed before the whole frame was scanned.
 * Failure modes: a frame of another shape is refused with the offset where reading stopped; a
 * request with an unknown method or a bad parameter gets its own error.
 * Thread: pure functions; an arena is for one thread at a time.
 */
#ifndef USHER_NET_PROTOCOL_DECODE_H
#define USHER_NET_PROTOCOL_DECODE_H

#include "engine/domain/command.h"
#include "net/protocol/arena.h"
#include "net/protocol/error_reply.h"
#include "net/protocol/value.h"

/* Where a request stands in its frame: offsets in bytes from the frame's beginning. */
struct decode_span {
    uint32_t msgid;
    uint32_t method; /* its name */
    uint32_t params; /* its map */
};

/* decode_scan - find the requests of a frame
 * @ret_spans:  room for REQUESTS_PER_FRAME_MAX
 * @ret_count:  1..REQUESTS_PER_FRAME_MAX on VALUE_OK; untouched otherwise
 * @ret_offset: where reading stopped, on VALUE_MALFORMED only
 * Return: VALUE_OK or VALUE_MALFORMED */
int decode_scan(const uint8_t *bytes, uint32_t size, struct decode_span *ret_spans,
                uint32_t *ret_count, uint32_t *ret_offset);

/* decode_request - one request that decode_scan() has found
 * @bytes:       of the frame; texts of the command point into them
 * @admin:       whether admin methods exist here
 * @arena:       the command's arrays live here until the arena is reset
 * @ret_command: complete, partition included, on ERROR_NONE; unspecified otherwise
 * @ret_error:   set if the return value is not ERROR_NONE
 * Return: ERROR_NONE or the code */
int decode_request(const uint8_t *bytes, const struct decode_span *span, bool admin,
                   struct arena *arena, struct command *ret_command, struct error_reply *ret_error);

#endif
