/* wire.h - what the people ask and are told, to bytes and back (net/PROTOCOL.md) */
#ifndef USHER_TESTS_SIM_WIRE_H
#define USHER_TESTS_SIM_WIRE_H

#include "engine/domain/command.h"
#include "engine/domain/decision.h"
#include "engine/domain/error.h"
#include "engine/domain/reply.h"
#include "net/protocol/value.h"
#include "tests/sim/plan.h"

/* A call of somebody, as they meant it; kept for the whole run. */
struct wire_call {
    uint32_t number; /* msgid */
    uint32_t person; /* fan; PLAN_FANS_MAX: the organiser */
    uint16_t kind;   /* enum command_kind */
    bool answered;   /* once at least */
    bool forged;     /* the token or the reservation is not what this person was given */
    struct id128 user;
    struct token token;
    bool has_token, all;
    uint32_t date, concert;
    uint64_t reservation, amount, key; /* key: a number, unique in the run; 0: none */
    struct numbers seats;
    bool by_name; /* the seats are named by guid or label */
    uint32_t first, limit;
    uint32_t seat_count; /* admin.seats_add */
    uint64_t prices[PLAN_SEATS_MAX];
    bool for_sale[PLAN_SEATS_MAX];
    struct policy policy;
    uint64_t policy_fields; /* bits */
};

/* wire_request - append this call to a frame */
void wire_request(struct value_writer *writer, const struct wire_call *call);

/* wire_key - the text of a key, for wire_digest's and the request's sake */
struct id128 wire_digest(uint64_t key);

struct wire_seat {
    uint32_t number;
    uint8_t state; /* MODEL_SEAT_*, or WIRE_SEAT_NOT_FOR_SALE */
    uint64_t price;
};
#define WIRE_SEAT_NOT_FOR_SALE 3u

struct wire_reservation {
    uint64_t id, amount, held_at, expires_at, changed_at, payment;
    uint32_t date;
    uint8_t state; /* enum reservation_state */
    struct numbers seats;
};
#define WIRE_RESERVATIONS_MAX 512u

struct wire_row {
    uint8_t reason;
    uint64_t amount, balance, time_ms, payment, reservation;
};

struct wire_date {
    uint32_t id;
    uint8_t state;
    uint32_t seats_total, seats_available, waiting, active;
};

/* One response. Which fields count depends on the call. */
struct wire_answer {
    uint32_t number; /* msgid */
    uint16_t error;  /* enum error; ERROR_NONE: a result */
    uint64_t error_data[ERROR_DATA_COUNT];
    uint64_t now_ms;
    struct token token; /* of queue.* */
    uint8_t token_state, token_end;
    uint64_t ahead, position, expires_at;
    struct wire_reservation reservation; /* seats.hold, seats.release, reservation.cancel */
    uint64_t payment, paid_at, balance, reserved;
    uint32_t concert, date, next;
    uint8_t date_state;
    struct wire_seat seats[PLAN_SEATS_MAX];
    uint32_t seat_count;
    struct wire_reservation *reservations; /* WIRE_RESERVATIONS_MAX; the reader's */
    uint32_t reservation_count;
    bool truncated;
    struct wire_row rows[WALLET_HISTORY_KEPT];
    uint32_t row_count;
    uint64_t rows_total;
    struct wire_date dates[PLAN_DATES_MADE_MAX];
    uint32_t date_count;
};

struct wire_reader;
struct wire_reader *wire_reader_open(void);
void wire_reader_close(struct wire_reader *reader);

/* wire_answer - the first response of these bytes
 * @kind_of:  what a number was asked with: the form of a result depends on it; NULL call: nobody
 *            has asked this
 * @ret_used: bytes of this response
 * Return: borrowed until the next call; NULL: not a response */
const struct wire_answer *
wire_answer(struct wire_reader *reader, const uint8_t *bytes, uint32_t size,
            const struct wire_call *(*find)(void *context, uint32_t number), void *context,
            uint32_t *ret_used);

#endif
