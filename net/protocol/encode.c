/* encode.c - see encode.h; what the results look like is README.md, "Public methods" */
#include "net/protocol/encode.h"

#include <inttypes.h>
#include <stdio.h>

#include "engine/base/uuid.h"
#include "engine/domain/date/date.h"
#include "engine/base/require.h"
#include "net/protocol/encode_list.h"
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

void encode_user(struct value_writer *writer, const struct id128 *user) {
    char text[UUID_TEXT_BYTES];
    uuid_format(user, text);
    value_write_text(writer, "user");
    value_write_text_bytes(writer, text, sizeof text);
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
void encode_error(struct value_writer *writer, uint32_t msgid, const struct decode_error *error) {
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

/* --- what a partition answers ----------------------------------------------------------------- */

static void encode_token(struct value_writer *writer, const struct reply *reply) {
    char text[TOKEN_TEXT_BYTES];
    bool ended = reply->token.state == TOKEN_EXPIRED;
    bool waiting = reply->token.state == TOKEN_WAITING;
    token_format(&reply->token.token, text);
    bool known = !id128_is_none(&reply->token.user);
    value_write_map(writer, 9u + ended + known);
    value_write_text(writer, "token");
    value_write_text_bytes(writer, text, sizeof text);
    if (known) encode_user(writer, &reply->token.user);
    value_write_pair_uint(writer, "date", reply->token.token.date);
    value_write_pair_text(writer, "state", token_state_name(reply->token.state));
    if (ended) value_write_pair_text(writer, "end", token_end_name(reply->token.end));
    value_write_pair_uint(writer, "position", waiting ? reply->token.ahead + 1ull : 0);
    value_write_pair_uint(writer, "ahead", reply->token.ahead);
    value_write_pair_uint(writer, "eta_ms", reply->token.eta_ms);
    value_write_pair_uint(writer, "next_poll_ms", reply->token.next_poll_ms);
    value_write_pair_uint(writer, "expires_at", reply->token.expires_at);
    value_write_pair_uint(writer, "now", reply->now_ms);
}

static void encode_reserved_seats(struct value_writer *writer, const struct date *date,
                                  const struct reservation *reservation) {
    const struct numbers *seats = &reservation->seats;
    value_write_text(writer, "seats");
    value_write_array(writer, seats->count);
    for (uint32_t i = 0; i < seats->count; i++) {
        uint32_t number = seats->values[i];
        value_write_map(writer, 5);
        value_write_pair_uint(writer, "number", number);
        encode_text(writer, "section", seat_map_text(&date->seats, number, SEAT_SECTION));
        encode_text(writer, "row", seat_map_text(&date->seats, number, SEAT_ROW));
        encode_text(writer, "seat", seat_map_text(&date->seats, number, SEAT_NUMBER));
        value_write_pair_uint(writer, "price", seat_map_seat(&date->seats, number)->price);
    }
}

static void encode_reservation(struct value_writer *writer, const struct date *date,
                               const struct reservation *reservation) {
    bool tried = reservation->payment != 0;
    value_write_map(writer, tried ? 9 : 8);
    value_write_pair_uint(writer, "reservation", dated_id(date->id, reservation->sequence));
    value_write_pair_uint(writer, "date", date->id);
    value_write_pair_text(writer, "state", reservation_state_name(reservation->state));
    encode_reserved_seats(writer, date, reservation);
    value_write_pair_uint(writer, "amount", reservation->amount);
    value_write_pair_uint(writer, "held_at", reservation->held_at);
    value_write_pair_uint(writer, "expires_at", reservation->expires_at);
    value_write_pair_uint(writer, "changed_at", reservation->changed_at);
    if (tried) {
        value_write_pair_uint(writer, "payment", dated_id(date->id, reservation->payment));
    }
}

static void encode_payment(struct value_writer *writer, const struct reply *reply) {
    const struct date *date = reply->payment.date;
    const struct reservation *reservation = reply->payment.reservation;
    REQUIRE(reservation->payment != 0);
    value_write_map(writer, 7);
    value_write_pair_uint(writer, "payment", dated_id(date->id, reservation->payment));
    value_write_pair_uint(writer, "reservation", dated_id(date->id, reservation->sequence));
    value_write_pair_uint(writer, "date", date->id);
    value_write_pair_uint(writer, "amount", reservation->amount);
    value_write_pair_uint(writer, "balance", reply->payment.balance);
    encode_reserved_seats(writer, date, reservation);
    value_write_pair_uint(writer, "paid_at", reservation->changed_at);
}

static void encode_wallet(struct value_writer *writer, const struct reply *reply) {
    value_write_map(writer, 3);
    encode_user(writer, &reply->wallet.user);
    value_write_pair_uint(writer, "balance", reply->wallet.balance);
    value_write_pair_uint(writer, "reserved", reply->wallet.reserved);
}

static void encode_created(struct value_writer *writer, const struct reply *reply) {
    bool is_date = reply->created.date != 0;
    value_write_map(writer, is_date ? 2 : 1);
    value_write_pair_uint(writer, "concert", reply->created.concert);
    if (is_date) value_write_pair_uint(writer, "date", reply->created.date);
}

static void encode_policy(struct value_writer *writer, const struct policy *policy) {
    value_write_map(writer, POLICY_FIELD_COUNT);
    for (uint32_t i = 0; i < POLICY_FIELD_COUNT; i++) {
        uint64_t value = policy_get(policy, i);
        const char *word = policy_value_name(i, value);
        value_write_text(writer, policy_row(i)->name);
        if (policy_form(i) == POLICY_BOOLEAN) {
            value_write_bool(writer, value != 0);
        } else if (word) {
            value_write_text(writer, word);
        } else {
            value_write_uint(writer, value);
        }
    }
}

static void encode_date(struct value_writer *writer, const struct date *date) {
    struct date_counters counters;
    date_counters(date, &counters);
    value_write_map(writer, 7);
    value_write_pair_uint(writer, "date", date->id);
    value_write_pair_uint(writer, "concert", date->concert);
    value_write_pair_text(writer, "state", date_state_name(date->state));
    value_write_pair_uint(writer, "starts_at", date->starts_at);
    value_write_pair_uint(writer, "seats_total", counters.seats_total);
    value_write_pair_uint(writer, "seats_available", counters.seats_available);
    value_write_text(writer, "policy");
    encode_policy(writer, &date->policy);
}

/* BAD_POLICY says the field by its name: its number means nothing to a client. */
static void name_policy(struct decode_error *error, char ret_message[ERROR_MESSAGE_BYTES]) {
    REQUIRE(error->data[0] < POLICY_FIELD_COUNT);
    error->param = policy_row((uint32_t)error->data[0])->name;
    error->param_size = (uint32_t)strlen(error->param);
    (void)snprintf(ret_message, ERROR_MESSAGE_BYTES, /* fits */
                   "The policy field %s must be from %" PRIu64 " to %" PRIu64
                   ". Nothing was changed.",
                   error->param, error->data[1], error->data[2]);
    error->message = ret_message;
}

static void encode_result(struct value_writer *writer, const struct reply *reply,
                          const struct encode_view *view, uint64_t *ret_lsn) {
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
    case REPLY_CONCERTS: encode_concerts(writer, reply, view->board, ret_lsn); break;
    case REPLY_DATES: encode_dates(writer, reply, view->board, ret_lsn); break;
    case REPLY_CREATED: encode_created(writer, reply); break;
    case REPLY_SEATS_ADDED:
        value_write_map(writer, 2);
        value_write_pair_uint(writer, "seats", reply->seats_added.seats);
        value_write_pair_uint(writer, "next", reply->seats_added.next);
        break;
    case REPLY_DATE: encode_date(writer, reply->date.date); break;
    case REPLY_PING:
        value_write_map(writer, 2);
        value_write_pair_uint(writer, "now", reply->now_ms);
        value_write_pair_uint(writer, "version", NET_PROTOCOL_VERSION);
        break;
    default: REQUIRE(reply->kind == REPLY_STATS); encode_stats(writer, reply, view, ret_lsn);
    }
}

void encode_reply(struct value_writer *writer, uint32_t msgid, const struct reply *reply,
                  const struct encode_view *view, uint64_t *ret_lsn) {
    if (reply->kind == REPLY_ERROR) {
        struct decode_error error = {.code = reply->error};
        char message[ERROR_MESSAGE_BYTES];
        memcpy(error.data, reply->data, sizeof error.data);
        if (reply->error == ERROR_BAD_POLICY) name_policy(&error, message);
        encode_error(writer, msgid, &error);
        return;
    }
    if (reply->kind == REPLY_DATES && encode_dates_gated(reply, view->board, ret_lsn)) {
        uint16_t refusal = reply->dates.refusal;
        encode_error(writer, msgid,
                     &(struct decode_error){.code = refusal ? refusal : ERROR_TOKEN_REQUIRED,
                                            .data = {reply->dates.refusal_data}});
        return;
    }
    value_writer_clear(writer);
    begin_result(writer, msgid);
    encode_result(writer, reply, view, ret_lsn);
}

/* --- reservation.list ------------------------------------------------------------------------- */

static void open_items(struct value_writer *writer, uint32_t msgid, struct encode_items *items) {
    if (items->open) return;
    value_writer_clear(writer);
    begin_result(writer, msgid);
    value_write_map(writer, 2);
    value_write_text(writer, "reservations");
    *items = (struct encode_items){.begin = value_write_array_open(writer), .open = true};
}

void encode_item(struct value_writer *writer, uint32_t msgid, const struct reply *reply,
                 struct encode_items *items) {
    REQUIRE(reply->kind == REPLY_RESERVATION_ITEM);
    open_items(writer, msgid, items);
    if (writer->size >= NET_RESERVATION_LIST_BYTES_MAX) {
        items->truncated = true;
        return;
    }
    encode_reservation(writer, reply->reservation.date, reply->reservation.reservation);
    items->count++;
}

void encode_items_end(struct value_writer *writer, uint32_t msgid, struct encode_items *items) {
    open_items(writer, msgid, items);
    value_write_array_close(writer, items->begin, items->count);
    value_write_pair_bool(writer, "truncated", items->truncated);
    items->open = false;
}
