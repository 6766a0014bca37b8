/* encode_list.h - the replies that list things; a part of encode.c with its own file for its
 * size */
#ifndef USHER_NET_PROTOCOL_ENCODE_LIST_H
#define USHER_NET_PROTOCOL_ENCODE_LIST_H

#include "net/protocol/encode.h"

/* Results without the response around them; see encode_reply(). */
void encode_seats(struct value_writer *writer, const struct reply *reply);
void encode_history(struct value_writer *writer, const struct reply *reply);
void encode_concerts(struct value_writer *writer, const struct reply *reply,
                     const struct board *board, uint64_t *ret_lsn);
/* encode_dates_gated - rule C5: does this list need a token that the client has not got? */
bool encode_dates_gated(const struct reply *reply, const struct board *board, uint64_t *ret_lsn);
void encode_dates(struct value_writer *writer, const struct reply *reply, const struct board *board,
                  uint64_t *ret_lsn);
void encode_stats(struct value_writer *writer, const struct reply *reply,
                  const struct encode_view *view, uint64_t *ret_lsn);

/* shared helpers */
static inline void encode_text(struct value_writer *writer, const char *key, struct text text) {
    value_write_text(writer, key);
    value_write_text_bytes(writer, text.bytes, text.size);
}
void encode_user(struct value_writer *writer, const struct id128 *user);

#endif
