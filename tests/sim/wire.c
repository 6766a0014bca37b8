/* wire.c - see wire.h */
#include "tests/sim/wire.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/base/uuid.h"
#include "engine/base/require.h"
#include "net/protocol/text.h"
#include "tests/sim/model.h"

/* --- asking ----------------------------------------------------------------------------------- */

#define KEY_TEXT_BYTES 32u

static uint32_t key_text(uint64_t key, char ret_text[KEY_TEXT_BYTES]) {
    return (uint32_t)snprintf(ret_text, KEY_TEXT_BYTES, "key-%llu", (unsigned long long)key);
}

struct id128 wire_digest(uint64_t key) {
    char text[KEY_TEXT_BYTES];
    struct id128 digest;
    key_digest(text, key_text(key, text), &digest);
    return digest;
}

static void write_key(struct value_writer *writer, const struct wire_call *call) {
    char text[KEY_TEXT_BYTES];
    uint32_t size = key_text(call->key, text);
    value_write_text(writer, "key");
    value_write_text_bytes(writer, text, size);
}

static void write_user(struct value_writer *writer, const struct wire_call *call) {
    char text[UUID_TEXT_BYTES];
    uuid_format(&call->user, text);
    value_write_text(writer, "user");
    value_write_text_bytes(writer, text, sizeof text);
}

static void write_token(struct value_writer *writer, const struct wire_call *call) {
    char text[TOKEN_TEXT_BYTES];
    token_format(&call->token, text);
    value_write_text(writer, "token");
    value_write_text_bytes(writer, text, sizeof text);
}

/* A seat by its name: odd ones by label, even ones by guid. */
static void write_seat(struct value_writer *writer, uint32_t number, bool by_name) {
    char text[32];
    if (!by_name) {
        value_write_uint(writer, number);
        return;
    }
    (void)snprintf(text, sizeof text, number % 2 ? "A/1/%u" : "guid-%u", number);
    value_write_text(writer, text);
}

static void write_seats(struct value_writer *writer, const struct wire_call *call) {
    value_write_text(writer, "seats");
    value_write_array(writer, call->seats.count);
    for (uint32_t i = 0; i < call->seats.count; i++) {
        write_seat(writer, call->seats.values[i], call->by_name);
    }
}

static void write_specs(struct value_writer *writer, const struct wire_call *call) {
    char text[32];
    value_write_text(writer, "seats");
    value_write_array(writer, call->seat_count);
    for (uint32_t i = 0; i < call->seat_count; i++) {
        value_write_map(writer, 6);
        value_write_pair_text(writer, "section", "A");
        value_write_pair_text(writer, "row", "1");
        (void)snprintf(text, sizeof text, "%u", call->first + i);
        value_write_pair_text(writer, "seat", text);
        (void)snprintf(text, sizeof text, "guid-%u", call->first + i);
        value_write_pair_text(writer, "guid", text);
        value_write_pair_uint(writer, "price", call->prices[i]);
        value_write_pair_bool(writer, "for_sale", call->for_sale[i]);
    }
}

static void write_policy(struct value_writer *writer, const struct wire_call *call) {
    for (uint32_t i = 0; i < POLICY_FIELD_COUNT; i++) {
        if (!(call->policy_fields >> i & 1)) continue;
        uint64_t value = policy_get(&call->policy, i);
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

static void write_admin_params(struct value_writer *writer, const struct wire_call *call) {
    uint32_t fields = (uint32_t)__builtin_popcountll(call->policy_fields);
    switch (call->kind) {
    case COMMAND_CONCERT_CREATE:
        value_write_map(writer, 1);
        value_write_pair_text(writer, "title", "concert");
        break;
    case COMMAND_DATE_CREATE:
        value_write_map(writer, 3 + fields);
        value_write_pair_uint(writer, "concert", call->concert);
        value_write_pair_text(writer, "title", "date");
        value_write_pair_uint(writer, "starts_at", RUN_BEGIN_MS + 86400000);
        write_policy(writer, call);
        break;
    case COMMAND_SEATS_ADD:
        value_write_map(writer, 3);
        value_write_pair_uint(writer, "date", call->date);
        value_write_pair_uint(writer, "first", call->first);
        write_specs(writer, call);
        break;
    case COMMAND_DATE_POLICY:
        value_write_map(writer, 1 + fields);
        value_write_pair_uint(writer, "date", call->date);
        write_policy(writer, call);
        break;
    case COMMAND_DATE_OPEN:
    case COMMAND_DATE_CLOSE:
        value_write_map(writer, 1);
        value_write_pair_uint(writer, "date", call->date);
        break;
    case COMMAND_DATE_CANCEL:
        value_write_map(writer, 2);
        value_write_pair_uint(writer, "date", call->date);
        value_write_pair_uint(writer, "confirm", call->date);
        break;
    default: value_write_map(writer, 0); /* catalogue.concerts, system.* */
    }
}

static void write_params(struct value_writer *writer, const struct wire_call *call) {
    switch (call->kind) {
    case COMMAND_QUEUE_ENTER:
        value_write_map(writer, 2);
        value_write_pair_uint(writer, "date", call->date);
        write_user(writer, call);
        break;
    case COMMAND_QUEUE_STATUS:
    case COMMAND_QUEUE_LEAVE:
        value_write_map(writer, 1);
        write_token(writer, call);
        break;
    case COMMAND_CATALOGUE_DATES:
        value_write_map(writer, call->has_token ? 2 : 1);
        value_write_pair_uint(writer, "concert", call->concert);
        if (call->has_token) write_token(writer, call);
        break;
    case COMMAND_SEATS_LIST:
        value_write_map(writer, 2);
        write_token(writer, call);
        value_write_pair_bool(writer, "all", call->all);
        break;
    case COMMAND_SEATS_HOLD:
        value_write_map(writer, 2);
        write_token(writer, call);
        write_seats(writer, call);
        break;
    case COMMAND_SEATS_RELEASE:
    case COMMAND_PAYMENT_PAY:
        value_write_map(writer, call->kind == COMMAND_PAYMENT_PAY ? 3 : 2);
        write_token(writer, call);
        value_write_pair_uint(writer, "reservation", call->reservation);
        if (call->kind == COMMAND_PAYMENT_PAY) write_key(writer, call);
        break;
    case COMMAND_RESERVATION_LIST:
        value_write_map(writer, call->date ? 2 : 1);
        write_user(writer, call);
        if (call->date) value_write_pair_uint(writer, "date", call->date);
        break;
    case COMMAND_RESERVATION_CANCEL:
        value_write_map(writer, 3);
        write_user(writer, call);
        value_write_pair_uint(writer, "reservation", call->reservation);
        write_key(writer, call);
        break;
    case COMMAND_WALLET_CHARGE:
        value_write_map(writer, 3);
        write_user(writer, call);
        value_write_pair_uint(writer, "amount", call->amount);
        write_key(writer, call);
        break;
    case COMMAND_WALLET_BALANCE:
    case COMMAND_WALLET_HISTORY:
        value_write_map(writer, 1);
        write_user(writer, call);
        break;
    default: write_admin_params(writer, call);
    }
}

void wire_request(struct value_writer *writer, const struct wire_call *call) {
    value_write_array(writer, 4);
    value_write_uint(writer, 0);
    value_write_uint(writer, call->number);
    value_write_text(writer, command_method(call->kind));
    write_params(writer, call);
}

/* --- being told ------------------------------------------------------------------------------- */

struct wire_reader {
    struct wire_answer answer;
    struct wire_reservation reservations[WIRE_RESERVATIONS_MAX];
};

struct wire_reader *wire_reader_open(void) {
    struct wire_reader *reader = calloc(1, sizeof *reader);
    REQUIRE(reader != NULL);
    return reader;
}

void wire_reader_close(struct wire_reader *reader) { free(reader); }

static uint64_t number_at(const struct value *map, const char *key) {
    return value_find_uint(map, key, 0);
}

/* The number of a state from its name; 0 if there is none. */
static uint8_t state_at(const struct value *map, const char *key, const char *(*name)(uint32_t),
                        uint32_t last) {
    const struct value *value = value_find(map, key);
    for (uint32_t i = 1; i <= last; i++) {
        if (value_text_equal(value, name(i))) return (uint8_t)i;
    }
    return 0;
}

static void read_error(const struct value *error, struct wire_answer *answer) {
    const struct value *code = value_find(error, "code"), *data = value_find(error, "data");
    answer->error = UINT16_MAX; /* a code that nobody knows */
    for (uint32_t number = 1; number < 128; number++) {
        const struct error_row *row = error_row(number);
        if (!row || !value_text_equal(code, row->name)) continue;
        answer->error = (uint16_t)number;
        for (uint32_t i = 0; i < ERROR_DATA_COUNT; i++) {
            if (row->data[i][0]) answer->error_data[i] = number_at(data, row->data[i]);
        }
    }
}

static void read_token(const struct value *map, struct wire_answer *answer) {
    const char *text = NULL;
    uint32_t size = 0;
    if (value_get_text(value_find(map, "token"), &text, &size)) {
        (void)token_parse(text, size, &answer->token); /* if it is none, the judge will see */
    }
    answer->token_state = state_at(map, "state", token_state_name, TOKEN_EXPIRED);
    answer->token_end = state_at(map, "end", token_end_name, TOKEN_END_REQUEUED);
    answer->ahead = number_at(map, "ahead");
    answer->position = number_at(map, "position");
    answer->expires_at = number_at(map, "expires_at");
}

static void read_reserved_seats(const struct value *map, struct numbers *ret_seats) {
    const struct value *seats = value_find(map, "seats");
    ret_seats->count = 0;
    for (uint32_t i = 0; i < value_count(seats) && i < SEATS_PER_USER_MAX; i++) {
        ret_seats->values[ret_seats->count++] = (uint32_t)number_at(value_at(seats, i), "number");
    }
}

static void read_reservation(const struct value *map, struct wire_reservation *ret_one) {
    *ret_one = (struct wire_reservation){
        .id = number_at(map, "reservation"),
        .amount = number_at(map, "amount"),
        .held_at = number_at(map, "held_at"),
        .expires_at = number_at(map, "expires_at"),
        .changed_at = number_at(map, "changed_at"),
        .payment = number_at(map, "payment"),
        .date = (uint32_t)number_at(map, "date"),
        .state = state_at(map, "state", reservation_state_name, RESERVATION_CANCELLED),
    };
    read_reserved_seats(map, &ret_one->seats);
}

static void read_seat_list(const struct value *map, struct wire_answer *answer) {
    static const char *const states[] = {"available", "held", "sold", "not_for_sale"};
    const struct value *list = value_find(map, "seats");
    for (uint32_t i = 0; i < value_count(list) && i < PLAN_SEATS_MAX; i++) {
        const struct value *row = value_at(list, i);
        struct wire_seat *seat = &answer->seats[answer->seat_count++];
        *seat = (struct wire_seat){.number = (uint32_t)number_at(row, "number"),
                                   .state = UINT8_MAX,
                                   .price = number_at(row, "price")};
        for (uint8_t state = 0; state < 4; state++) {
            if (value_text_equal(value_find(row, "state"), states[state])) seat->state = state;
        }
    }
}

static void read_list(struct wire_reader *reader, const struct value *map) {
    struct wire_answer *answer = &reader->answer;
    const struct value *list = value_find(map, "reservations");
    answer->reservations = reader->reservations;
    answer->truncated = value_count(list) > WIRE_RESERVATIONS_MAX;
    for (uint32_t i = 0; i < value_count(list) && i < WIRE_RESERVATIONS_MAX; i++) {
        read_reservation(value_at(list, i), &reader->reservations[answer->reservation_count++]);
    }
}

static void read_history(const struct value *map, struct wire_answer *answer) {
    const struct value *rows = value_find(map, "rows");
    answer->rows_total = number_at(map, "rows_total");
    for (uint32_t i = 0; i < value_count(rows) && i < WALLET_HISTORY_KEPT; i++) {
        const struct value *row = value_at(rows, i);
        answer->rows[answer->row_count++] = (struct wire_row){
            .reason = state_at(row, "reason", ledger_reason_name, LEDGER_REFUND),
            .amount = number_at(row, "amount"),
            .balance = number_at(row, "balance"),
            .time_ms = number_at(row, "time"),
            .payment = number_at(row, "payment"),
            .reservation = number_at(row, "reservation"),
        };
    }
}

static void read_dates(const struct value *map, struct wire_answer *answer) {
    const struct value *list = value_find(map, "dates");
    for (uint32_t i = 0; i < value_count(list) && i < PLAN_DATES_MADE_MAX; i++) {
        const struct value *row = value_at(list, i);
        answer->dates[answer->date_count++] = (struct wire_date){
            .id = (uint32_t)number_at(row, "date"),
            .state = state_at(row, "state", date_state_name, DATE_CANCELLED),
            .seats_total = (uint32_t)number_at(row, "seats_total"),
            .seats_available = (uint32_t)number_at(row, "seats_available"),
            .waiting = (uint32_t)number_at(row, "waiting"),
            .active = (uint32_t)number_at(row, "active"),
        };
    }
}

static void read_result(struct wire_reader *reader, const struct wire_call *call,
                        const struct value *map) {
    struct wire_answer *answer = &reader->answer;
    answer->now_ms = number_at(map, "now");
    switch (call->kind) {
    case COMMAND_QUEUE_ENTER:
    case COMMAND_QUEUE_STATUS:
    case COMMAND_QUEUE_LEAVE: read_token(map, answer); break;
    case COMMAND_SEATS_HOLD:
    case COMMAND_SEATS_RELEASE:
    case COMMAND_RESERVATION_CANCEL: read_reservation(map, &answer->reservation); break;
    case COMMAND_PAYMENT_PAY:
        read_reservation(map, &answer->reservation);
        answer->payment = number_at(map, "payment");
        answer->paid_at = number_at(map, "paid_at");
        answer->balance = number_at(map, "balance");
        break;
    case COMMAND_SEATS_LIST: read_seat_list(map, answer); break;
    case COMMAND_RESERVATION_LIST: read_list(reader, map); break;
    case COMMAND_WALLET_CHARGE:
    case COMMAND_WALLET_BALANCE:
        answer->balance = number_at(map, "balance");
        answer->reserved = number_at(map, "reserved");
        break;
    case COMMAND_WALLET_HISTORY: read_history(map, answer); break;
    case COMMAND_CATALOGUE_DATES: read_dates(map, answer); break;
    case COMMAND_CONCERT_CREATE:
    case COMMAND_DATE_CREATE:
        answer->concert = (uint32_t)number_at(map, "concert");
        answer->date = (uint32_t)number_at(map, "date");
        break;
    case COMMAND_SEATS_ADD: answer->next = (uint32_t)number_at(map, "next"); break;
    case COMMAND_DATE_POLICY:
    case COMMAND_DATE_OPEN:
    case COMMAND_DATE_CLOSE:
    case COMMAND_DATE_CANCEL:
        answer->date_state = state_at(map, "state", date_state_name, DATE_CANCELLED);
        break;
    default: break; /* nothing that is looked at */
    }
}

const struct wire_answer *
wire_answer(struct wire_reader *reader, const uint8_t *bytes, uint32_t size,
            const struct wire_call *(*find)(void *context, uint32_t number), void *context,
            uint32_t *ret_used) {
    const struct value *response;
    uint64_t type = UINT64_MAX, number = 0;
    if (value_parse(bytes, size, &response, ret_used) != VALUE_OK) return NULL;
    if (value_count(response) != 4 || !value_get_uint(value_at(response, 0), &type) || type != 1 ||
        !value_get_uint(value_at(response, 1), &number) || number > UINT32_MAX) {
        return NULL;
    }
    reader->answer = (struct wire_answer){.number = (uint32_t)number};
    const struct wire_call *call = find(context, (uint32_t)number);
    if (value_type(value_at(response, 2)) != VALUE_NIL) {
        read_error(value_at(response, 2), &reader->answer);
    } else if (call) {
        read_result(reader, call, value_at(response, 3));
    }
    return &reader->answer;
}
