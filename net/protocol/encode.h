/* encode.h - typed replies to bytes
 *
 * One response per request: [1, msgid, error, result]. Lists that span partitions arrive in pieces
 * (encode_reservation_item), everything else at once (encode_reply).
 * Thread: the shard's that owns what the reply points to; a writer is for one request.
 */
#ifndef USHER_NET_PROTOCOL_ENCODE_H
#define USHER_NET_PROTOCOL_ENCODE_H

#include "engine/domain/reply.h"
#include "net/protocol/encode_sources.h"
#include "net/protocol/error_reply.h"
#include "net/protocol/value.h"

/* encode_is_list - may this kind of reply be refused for its size? It changed nothing. */
bool encode_is_list(uint32_t reply_kind);

/* encode_reply - a whole response, but for reservation.list
 * @writer:  cleared first; has failed afterwards if the response is too big or memory is missing
 * @ret_lsn: raised to what the board's rows had seen */
void encode_reply(struct value_writer *writer, uint32_t msgid, const struct reply *reply,
                  const struct encode_sources *sources, uint64_t *ret_lsn);

/* A reservation.list on its way through the partitions. */
struct reservation_list {
    uint32_t begin; /* of the array, in the writer */
    uint32_t count; /* rows so far */
    bool open;      /* the response has begun */
    bool truncated; /* NET_RESERVATION_LIST_BYTES_MAX was reached: later rows are left out */
};
/* encode_reservation_item - append a REPLY_RESERVATION_ITEM
 * encode_reservation_end - REPLY_RESERVATION_END: the list is complete */
void encode_reservation_item(struct value_writer *writer, uint32_t msgid, const struct reply *reply,
                             struct reservation_list *list);
void encode_reservation_end(struct value_writer *writer, uint32_t msgid,
                            struct reservation_list *list);

/* encode_error - a response that is an error of net's own
 * Fits NET_REPLY_INLINE_BYTES always. */
void encode_error(struct value_writer *writer, uint32_t msgid, const struct error_reply *error);

#endif
