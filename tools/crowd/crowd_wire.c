/* crowd_wire.c - see crowd_wire.h */
#include "tools/crowd/crowd_wire.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/require.h"
#include "engine/base/uuid.h"
#include "engine/domain/error.h"
#include "tools/common/complain.h"

/* --- the dates -------------------------------------------------------------------------------- */

static bool wanted(const struct crowd_options *options, uint64_t concert, uint64_t date) {
    if (options->concert != 0) return concert == options->concert;
    for (uint32_t i = 0; i < options->date_count; i++) {
        if (options->dates[i] == date) return true;
    }
    return false;
}

/* The wanted and open dates of one concert are added. Return: how many there are now */
static uint32_t add_dates(struct client *client, const struct crowd_options *options,
                          uint64_t concert, struct crowd_date *dates, uint32_t count) {
    uint8_t room[64];
    struct value_writer writer;
    struct client_answer answer = {0};
    value_writer_init(&writer, room, sizeof room, sizeof room);
    value_write_map(&writer, 1);
    value_write_pair_uint(&writer, "concert", concert);
    if (client_call_wait(client, "catalogue.dates", &writer, &answer) == CLIENT_OK) {
        struct value_items rows = value_items(value_find(answer.result, "dates"), VALUE_ARRAY);
        for (const struct value *row; count < CROWD_DATES_MAX && (row = value_next(&rows));) {
            uint64_t id = value_find_uint(row, "date", 0);
            bool open = value_text_equal(value_find(row, "state"), "open");
            uint64_t seats = value_find_uint(row, "seats_total", 0);
            if (!open || seats == 0 || !wanted(options, concert, id)) continue;
            dates[count++] = (struct crowd_date){
                .id = (uint32_t)id,
                .seats = (uint32_t)seats,
                .seats_available = (uint32_t)value_find_uint(row, "seats_available", 0)};
        }
    }
    client_answer_deinit(&answer);
    return count;
}

uint32_t crowd_find_dates(struct client *client, const struct crowd_options *options,
                          struct crowd_date ret_dates[CROWD_DATES_MAX]) {
    REQUIRE(client && options && ret_dates);
    uint32_t count = 0;
    struct client_answer answer = {0};
    int status = client_call_wait(client, "catalogue.concerts", NULL, &answer);
    struct value_items rows = value_items(value_find(answer.result, "concerts"), VALUE_ARRAY);
    for (const struct value *row; (row = value_next(&rows)) != NULL;) {
        uint64_t concert = value_find_uint(row, "concert", 0);
        if (options->concert != 0 && concert != options->concert) continue;
        count = add_dates(client, options, concert, ret_dates, count);
    }
    if (count == 0) {
        complain("%s", status != CLIENT_OK ? client_status_text(status)
                                           : "no open date with seats is there by this id; usher "
                                             "call catalogue.concerts tells what is there");
    }
    client_answer_deinit(&answer);
    return count;
}

/* --- requests --------------------------------------------------------------------------------- */

const char *crowd_method(enum fan_request request) {
    static const char *const methods[FAN_REQUEST_COUNT] = {
        [FAN_ENTER] = "queue.enter",      [FAN_STATUS] = "queue.status",
        [FAN_LEAVE] = "queue.leave",      [FAN_LIST] = "seats.list",
        [FAN_HOLD] = "seats.hold",        [FAN_CHARGE] = "wallet.charge",
        [FAN_PAY] = "payment.pay",        [FAN_CANCEL] = "reservation.cancel",
        [FAN_BALANCE] = "wallet.balance",
    };
    REQUIRE(request > FAN_NOTHING && request < FAN_REQUEST_COUNT);
    return methods[request];
}

static void write_user(struct value_writer *writer, const struct crowd_fan *fan) {
    char user[UUID_TEXT_BYTES];
    uuid_format(&fan->user, user);
    value_write_text(writer, "user");
    value_write_text_bytes(writer, user, sizeof user);
}

static void write_key(struct value_writer *writer, const struct crowd_fan *fan) {
    char key[FAN_KEY_BYTES];
    fan_key(fan, key);
    value_write_pair_text(writer, "key", key);
}

static void write_seats(struct value_writer *writer, const struct crowd_fan *fan) {
    value_write_text(writer, "seats");
    value_write_array(writer, fan->seat_count);
    for (uint32_t i = 0; i < fan->seat_count; i++) value_write_uint(writer, fan->seats[i]);
}

void crowd_write_params(const struct crowd_fan *fan, enum fan_request request,
                        struct value_writer *writer) {
    static const uint8_t counts[FAN_REQUEST_COUNT] = {
        [FAN_ENTER] = 2,  [FAN_STATUS] = 1, [FAN_LEAVE] = 1,  [FAN_LIST] = 3,   [FAN_HOLD] = 2,
        [FAN_CHARGE] = 3, [FAN_PAY] = 3,    [FAN_CANCEL] = 3, [FAN_BALANCE] = 1};
    const bool guarded = request == FAN_STATUS || request == FAN_LEAVE || request == FAN_LIST ||
                         request == FAN_HOLD || request == FAN_PAY;
    REQUIRE(request > FAN_NOTHING && request < FAN_REQUEST_COUNT);
    value_write_map(writer, counts[request]);
    if (guarded) {
        value_write_pair_text(writer, "token", fan->token);
    } else {
        write_user(writer, fan);
    }
    if (request == FAN_ENTER) value_write_pair_uint(writer, "date", fan->date);
    if (request == FAN_HOLD) write_seats(writer, fan);
    if (request == FAN_LIST) {
        value_write_pair_uint(writer, "first", fan->list_first);
        value_write_pair_uint(writer, "limit", FAN_LIST_MAX);
    }
    if (request == FAN_CHARGE) value_write_pair_uint(writer, "amount", fan->charging);
    if (request == FAN_PAY || request == FAN_CANCEL) {
        value_write_pair_uint(writer, "reservation", fan->reservation);
    }
    if (request == FAN_CHARGE || request == FAN_PAY || request == FAN_CANCEL) {
        write_key(writer, fan);
    }
}

/* --- answers ---------------------------------------------------------------------------------- */

static uint16_t find_error(const struct value *code) {
    for (uint32_t number = 1; number < CROWD_ERRORS_MAX; number++) {
        const struct error_row *row = error_row(number);
        if (row && value_text_equal(code, row->name)) return (uint16_t)number;
    }
    return CROWD_ERRORS_MAX - 1; /* a code that error.def does not have: no fan expects it */
}

static void read_seats(const struct value *seats, struct fan_answer *answer) {
    uint32_t count = value_count(seats);
    if (count == 0) return;
    answer->seats = calloc(count, sizeof *answer->seats);
    REQUIRE_MEMORY(answer->seats);
    answer->seat_count = count;
    struct value_items items = value_items(seats, VALUE_ARRAY);
    for (uint32_t i = 0; i < count; i++) {
        const struct value *seat = value_next(&items);
        answer->seats[i].number = (uint32_t)value_find_uint(seat, "number", 0);
        answer->seats[i].price = value_find_uint(seat, "price", 0);
    }
}

static void read_token(const struct value *result, struct fan_answer *answer) {
    const struct value *state = value_find(result, "state");
    const char *bytes;
    uint32_t size;
    answer->token_state = value_text_equal(state, "active")    ? TOKEN_ACTIVE
                          : value_text_equal(state, "waiting") ? TOKEN_WAITING
                                                               : TOKEN_EXPIRED;
    answer->ahead = (uint32_t)value_find_uint(result, "ahead", UINT32_MAX);
    answer->next_poll_ms = value_find_uint(result, "next_poll_ms", 1000);
    if (value_get_text(value_find(result, "token"), &bytes, &size) && size == TOKEN_TEXT_BYTES) {
        memcpy(answer->token, bytes, size);
    }
}

void crowd_read_answer(const struct client_reply *reply, enum fan_request request,
                       struct fan_answer *ret_answer) {
    *ret_answer = (struct fan_answer){.lost = reply->status != CLIENT_OK};
    if (ret_answer->lost) return;
    if (reply->error) {
        const struct value *data = value_find(reply->error, "data");
        ret_answer->error = find_error(value_find(reply->error, "code"));
        ret_answer->retry_ms = value_find_uint(data, "retry_ms", 0);
        ret_answer->shortfall = value_find_uint(data, "shortfall", 0);
        return;
    }
    const struct value *result = reply->result;
    if (request == FAN_ENTER || request == FAN_STATUS) read_token(result, ret_answer);
    if (request == FAN_LIST || request == FAN_HOLD || request == FAN_PAY) {
        read_seats(value_find(result, "seats"), ret_answer);
    }
    ret_answer->reservation = value_find_uint(result, "reservation", 0);
    ret_answer->payment = value_find_uint(result, "payment", 0);
    ret_answer->amount = value_find_uint(result, "amount", 0);
    ret_answer->balance = value_find_uint(result, "balance", 0);
}
