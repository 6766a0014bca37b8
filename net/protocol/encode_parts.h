/* encode_parts.h - the results of each kind of reply; shared by the encode*.c files, not for others
 *
 *   encode.c            the response around a result, errors, reservation.list
 *   encode_date.c       tokens, seats, reservations, payments
 *   encode_account.c    wallets and their history
 *   encode_catalogue.c  concerts, dates
 *   encode_system.c     ping, stats
 *
 * Thread: as encode_reply().
 */
#ifndef USHER_NET_PROTOCOL_ENCODE_PARTS_H
#define USHER_NET_PROTOCOL_ENCODE_PARTS_H

#include "engine/base/uuid.h"
#include "engine/domain/reply.h"
#include "net/protocol/text.h"
#include "net/protocol/value.h"

struct board;
struct encode_sources;

/* A date's. */
void encode_token(struct value_writer *writer, const struct reply *reply);
void encode_seats(struct value_writer *writer, const struct reply *reply);
void encode_reservation(struct value_writer *writer, const struct date *date,
                        const struct reservation *reservation);
void encode_payment(struct value_writer *writer, const struct reply *reply);
void encode_seats_added(struct value_writer *writer, const struct reply *reply);
void encode_date(struct value_writer *writer, const struct reply *reply);

/* An account partition's. */
void encode_wallet(struct value_writer *writer, const struct reply *reply);
void encode_history(struct value_writer *writer, const struct reply *reply);

/* The catalogue's, with the board's rows of dates.
 * @ret_lsn: raised to what those rows had seen */
void encode_concerts(struct value_writer *writer, const struct reply *reply,
                     const struct board *board, uint64_t *ret_lsn);
/* encode_dates_gated - rule C5: does this list need a token that the client has not got? */
bool encode_dates_gated(const struct reply *reply, const struct board *board, uint64_t *ret_lsn);
void encode_dates(struct value_writer *writer, const struct reply *reply, const struct board *board,
                  uint64_t *ret_lsn);
void encode_created(struct value_writer *writer, const struct reply *reply);

/* The process's. */
void encode_ping(struct value_writer *writer, const struct reply *reply);
void encode_stats(struct value_writer *writer, const struct reply *reply,
                  const struct encode_sources *sources, uint64_t *ret_lsn);

/* Pairs of a map. */
static inline void encode_text(struct value_writer *writer, const char *key, struct text text) {
    value_write_text(writer, key);
    value_write_text_bytes(writer, text.bytes, text.size);
}
static inline void encode_user(struct value_writer *writer, const struct id128 *user) {
    char text[UUID_TEXT_BYTES];
    uuid_format(user, text);
    value_write_text(writer, "user");
    value_write_text_bytes(writer, text, sizeof text);
}

#endif
