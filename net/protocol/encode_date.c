/* encode_date.c - what a date answers, to bytes: tokens, seats, reservations, payments
 *
 * One function for each kind of reply; engine/domain/date/date_answer.c has filled them in.
 */
#include "engine/base/require.h"
#include "engine/domain/date/date.h"
#include "net/protocol/encode_parts.h"
#include "net/protocol/text.h"

/* --- tokens ----------------------------------------------------------------------------------- */

void encode_token(struct value_writer *writer, const struct reply *reply) {
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

/* --- seats ------------------------------------------------------------------------------------ */

static const char *seat_state(const struct date *date, const struct seat *seat) {
    if (seat->reservation != 0) {
        const struct reservation *reservation = reservations_find(&date->reservations,
                                                                  seat->reservation);
        REQUIRE(reservation != NULL);
        bool sold = reservation->state == RESERVATION_PAID ||
                    reservation->state == RESERVATION_REFUNDING;
        return sold ? "sold" : "held";
    }
    return seat->for_sale ? "available" : "not_for_sale";
}

static void write_seat(struct value_writer *writer, const struct date *date, uint32_t number,
                       const struct seat *seat) {
    value_write_map(writer, 7);
    value_write_pair_uint(writer, "number", number);
    encode_text(writer, "section", seat_map_text(&date->seats, number, SEAT_SECTION));
    encode_text(writer, "row", seat_map_text(&date->seats, number, SEAT_ROW));
    encode_text(writer, "seat", seat_map_text(&date->seats, number, SEAT_NUMBER));
    encode_text(writer, "guid", seat_map_text(&date->seats, number, SEAT_GUID));
    value_write_pair_uint(writer, "price", seat->price);
    value_write_pair_text(writer, "state", seat_state(date, seat));
}

void encode_seats(struct value_writer *writer, const struct reply *reply) {
    const struct date *date = reply->seats.date;
    uint32_t number = reply->seats.first > 0 ? reply->seats.first : 1, count = 0, next = 0;
    value_write_map(writer, 2);
    value_write_text(writer, "seats");
    uint32_t begin = value_write_array_open(writer);
    for (; number <= date->seats.count; number++) {
        const struct seat *seat = seat_map_seat(&date->seats, number);
        bool available = seat->for_sale && seat->reservation == 0;
        if (!available && !reply->seats.all) continue;
        if (count == reply->seats.limit) {
            next = number;
            break;
        }
        write_seat(writer, date, number, seat);
        count++;
    }
    value_write_array_close(writer, begin, count);
    value_write_text(writer, "next");
    if (next != 0) {
        value_write_uint(writer, next);
    } else {
        value_write_nil(writer);
    }
}

/* --- reservations and payments ---------------------------------------------------------------- */

static void write_reserved_seats(struct value_writer *writer, const struct date *date,
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

void encode_reservation(struct value_writer *writer, const struct date *date,
                        const struct reservation *reservation) {
    bool tried = reservation->payment != 0;
    value_write_map(writer, tried ? 9 : 8);
    value_write_pair_uint(writer, "reservation", dated_id(date->id, reservation->sequence));
    value_write_pair_uint(writer, "date", date->id);
    value_write_pair_text(writer, "state", reservation_state_name(reservation->state));
    write_reserved_seats(writer, date, reservation);
    value_write_pair_uint(writer, "amount", reservation->amount);
    value_write_pair_uint(writer, "held_at", reservation->held_at);
    value_write_pair_uint(writer, "expires_at", reservation->expires_at);
    value_write_pair_uint(writer, "changed_at", reservation->changed_at);
    if (tried) {
        value_write_pair_uint(writer, "payment", dated_id(date->id, reservation->payment));
    }
}

void encode_payment(struct value_writer *writer, const struct reply *reply) {
    const struct date *date = reply->payment.date;
    const struct reservation *reservation = reply->payment.reservation;
    REQUIRE(reservation->payment != 0);
    value_write_map(writer, 7);
    value_write_pair_uint(writer, "payment", dated_id(date->id, reservation->payment));
    value_write_pair_uint(writer, "reservation", dated_id(date->id, reservation->sequence));
    value_write_pair_uint(writer, "date", date->id);
    value_write_pair_uint(writer, "amount", reservation->amount);
    value_write_pair_uint(writer, "balance", reply->payment.balance);
    write_reserved_seats(writer, date, reservation);
    value_write_pair_uint(writer, "paid_at", reservation->changed_at);
}

/* --- what organisers are answered ------------------------------------------------------------- */

void encode_seats_added(struct value_writer *writer, const struct reply *reply) {
    value_write_map(writer, 2);
    value_write_pair_uint(writer, "seats", reply->seats_added.seats);
    value_write_pair_uint(writer, "next", reply->seats_added.next);
}

static void write_policy(struct value_writer *writer, const struct policy *policy) {
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

void encode_date(struct value_writer *writer, const struct reply *reply) {
    const struct date *date = reply->date.date;
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
    write_policy(writer, &date->policy);
}
