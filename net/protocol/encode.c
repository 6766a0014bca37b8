/* encode.c - see encode.h; what the results look like is PROTOCOL.md, "Public methods" */
#include "net/protocol/encode.h"

#include <inttypes.h>
#include <stdio.h>

#include "engine/base/require.h"
#include "engine/domain/policy.h"
#include "net/protocol/encode_parts.h"
#include "net/protocol/limits.h"
#include "net/protocol/text.h"

bool encode_is_list(uint32_t reply_kind) {
    switch (reply_kind) {
    case REPLY_SEATS:
    case REPLY_RESERVATION_ITEM:
    case REPLY_RESERVATION_END:
    case REPLY_HISTORY:
    case REPLY_CONCERTS:
    case REPLY_DATES:
    case REPLY_STATS: return true;
    default: return false;
    }
}

/* The response around a result, up to it. */
static void begin_result(struct value_writer *writer, uint32_t msgid) {
    value_write_array(writer, 4);
    value_write_uint(writer, 1);
    value_write_uint(writer, msgid);
    value_write_nil(writer);
}

/* --- errors ----------------------------------------------------------------------------------- */

#define ERROR_MESSAGE_BYTES 128u
void encode_error(struct value_writer *writer, uint32_t msgid, const struct error_reply *error) {
    const struct error_row *row = error_row(error->code);
    REQUIRE(row != NULL);
    value_writer_clear(writer);
    value_write_array(writer, 4);
    value_write_uint(writer, 1);
    value_write_uint(writer, msgid);
    value_write_map(writer, 3);
    value_write_pair_text(writer, "code", row->name);
    value_write_pair_text(writer, "message", error->message ? error->message : row->text);
    uint32_t count = error->param ? 1 : 0;
    for (uint32_t i = 0; i < ERROR_DATA_COUNT; i++) count += row->data[i][0] != '\0';
    value_write_text(writer, "data");
    value_write_map(writer, count);
    for (uint32_t i = 0; i < ERROR_DATA_COUNT; i++) {
        if (row->data[i][0]) value_write_pair_uint(writer, row->data[i], error->data[i]);
    }
    if (error->param) {
        /* The client's own misspelt key goes back to it only if it is text that can be shown. */
        bool show = error->param_size <= PARAM_NAME_BYTES_MAX &&
                    text_is_clean(error->param, error->param_size);
        value_write_text(writer, "param");
        value_write_text_bytes(writer, show ? error->param : "?", show ? error->param_size : 1);
    }
    value_write_nil(writer);
}

/* BAD_POLICY says the field by its name: its number means nothing to a client. */
static void name_policy(struct error_reply *error, char ret_message[ERROR_MESSAGE_BYTES]) {
    REQUIRE(error->data[0] < POLICY_FIELD_COUNT);
    error->param = policy_row((uint32_t)error->data[0])->name;
    error->param_size = (uint32_t)strlen(error->param);
    (void)snprintf(ret_message, ERROR_MESSAGE_BYTES,
                   "The policy field %s must be from %" PRIu64 " to %" PRIu64
                   ". Nothing was changed.",
                   error->param, error->data[1], error->data[2]);
    error->message = ret_message;
}

/* --- results ---------------------------------------------------------------------------------- */

static void encode_result(struct value_writer *writer, const struct reply *reply,
                          const struct encode_sources *sources, uint64_t *ret_lsn) {
    switch (reply->kind) {
    case REPLY_DONE: value_write_map(writer, 0); break;
    case REPLY_TOKEN: encode_token(writer, reply); break;
    case REPLY_SEATS: encode_seats(writer, reply); break;
    case REPLY_RESERVATION:
        encode_reservation(writer, reply->reservation.date, reply->reservation.reservation);
        break;
    case REPLY_PAYMENT: encode_payment(writer, reply); break;
    case REPLY_WALLET: encode_wallet(writer, reply); break;
    case REPLY_HISTORY: encode_history(writer, reply); break;
    case REPLY_CONCERTS: encode_concerts(writer, reply, sources->board, ret_lsn); break;
    case REPLY_DATES: encode_dates(writer, reply, sources->board, ret_lsn); break;
    case REPLY_CREATED: encode_created(writer, reply); break;
    case REPLY_SEATS_ADDED: encode_seats_added(writer, reply); break;
    case REPLY_DATE: encode_date(writer, reply); break;
    case REPLY_PING: encode_ping(writer, reply); break;
    default: REQUIRE(reply->kind == REPLY_STATS); encode_stats(writer, reply, sources, ret_lsn);
    }
}

void encode_reply(struct value_writer *writer, uint32_t msgid, const struct reply *reply,
                  const struct encode_sources *sources, uint64_t *ret_lsn) {
    if (reply->kind == REPLY_ERROR) {
        struct error_reply error = {.code = reply->error};
        char message[ERROR_MESSAGE_BYTES];
        memcpy(error.data, reply->data, sizeof error.data);
        if (reply->error == ERROR_BAD_POLICY) name_policy(&error, message);
        encode_error(writer, msgid, &error);
        return;
    }
    if (reply->kind == REPLY_DATES && encode_dates_gated(reply, sources->board, ret_lsn)) {
        uint16_t refusal = reply->dates.refusal;
        encode_error(writer, msgid,
                     &(struct error_reply){.code = refusal ? refusal : ERROR_TOKEN_REQUIRED,
                                           .data = {reply->dates.refusal_data}});
        return;
    }
    value_writer_clear(writer);
    begin_result(writer, msgid);
    encode_result(writer, reply, sources, ret_lsn);
}

/* --- reservation.list ------------------------------------------------------------------------- */

static void open_list(struct value_writer *writer, uint32_t msgid, struct reservation_list *list) {
    if (list->open) return;
    value_writer_clear(writer);
    begin_result(writer, msgid);
    value_write_map(writer, 2);
    value_write_text(writer, "reservations");
    *list = (struct reservation_list){.begin = value_write_array_open(writer), .open = true};
}

void encode_reservation_item(struct value_writer *writer, uint32_t msgid, const struct reply *reply,
                             struct reservation_list *list) {
    REQUIRE(reply->kind == REPLY_RESERVATION_ITEM);
    open_list(writer, msgid, list);
    if (writer->size >= NET_RESERVATION_LIST_BYTES_MAX) {
        list->truncated = true;
        return;
    }
    encode_reservation(writer, reply->reservation.date, reply->reservation.reservation);
    list->count++;
}

void encode_reservation_end(struct value_writer *writer, uint32_t msgid,
                            struct reservation_list *list) {
    open_list(writer, msgid, list);
    value_write_array_close(writer, list->begin, list->count);
    value_write_pair_bool(writer, "truncated", list->truncated);
    list->open = false;
}
