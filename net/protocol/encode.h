/* encode.h - typed replies to bytes
 *
 * One response per request: [1, msgid, error, result]. Lists that span partitions arrive in pieces
 * (encode_item), everything else at once (encode_reply).
 * Thread: the shard's that owns what the reply points to; a writer is for one request.
 */
#ifndef USHER_NET_PROTOCOL_ENCODE_H
#define USHER_NET_PROTOCOL_ENCODE_H

#include "engine/domain/reply.h"
#include "net/protocol/decode.h"
#include "net/protocol/figures.h"
#include "net/server/server.h"
#include "net/protocol/value.h"

/* What replies show beyond the partition's own state. */
struct encode_view {
    const struct board *board;
    uint64_t durable_lsn;                /* system.stats */
    const struct net_counters *counters; /* system.stats; else may be NULL */
    const struct net_figures *figures;   /* system.stats; NULL: all 0 */
};

/* encode_is_list - may this kind of reply be refused for its size? It changed nothing. */
bool encode_is_list(uint32_t reply_kind);

/* encode_reply - a whole response, but for reservation.list
 * @writer:  cleared first; has failed afterwards if the response is too big or memory is missing
 * @ret_lsn: raised to what the board's rows had seen */
void encode_reply(struct value_writer *writer, uint32_t msgid, const struct reply *reply,
                  const struct encode_view *view, uint64_t *ret_lsn);

/* A reservation.list on its way through the partitions. */
struct encode_items {
    uint32_t begin; /* of the array, in the writer */
    uint32_t count; /* rows so far */
    bool open;      /* the response has begun */
    bool truncated; /* NET_RESERVATION_LIST_BYTES_MAX was reached: later rows are left out */
};
/* encode_item - append a REPLY_RESERVATION_ITEM; encode_items_end - REPLY_RESERVATION_END */
void encode_item(struct value_writer *writer, uint32_t msgid, const struct reply *reply,
                 struct encode_items *items);
void encode_items_end(struct value_writer *writer, uint32_t msgid, struct encode_items *items);

/* encode_error - a response that is an error of net's own
 * Fits NET_REPLY_INLINE_BYTES always. */
void encode_error(struct value_writer *writer, uint32_t msgid, const struct decode_error *error);

#endif
