/* caller.h - a test's client: ask, wait, and get the answer as a flat struct
 *
 * One caller is for one thread. caller_ask() sends one request; caller_ask_copies() sends copies of
 * it at the same moment, which is what a double click and a resend look like to the engine.
 * Failure modes: answer.status says what the client library knows; after CLIENT_TIMEOUT and
 * CLIENT_LOST the outcome is unknown. caller_ask_until_answered() asks the same again until the
 * outcome is known, as a gateway must.
 */
#ifndef USHER_TESTS_PROCESS_CALLER_H
#define USHER_TESTS_PROCESS_CALLER_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/domain/decision.h"
#include "engine/domain/error.h"
#include "net/client/client.h"
#include "net/protocol/text.h"

#define CALLER_RESERVATIONS_MAX 64u
#define CALLER_COPIES_MAX 64u
#define CALLER_PARAMS_BYTES 16384u
/* Longer than any restart of a test's engine takes. */
#define CALLER_PATIENCE_MS 30000u

struct caller {
    struct client *client;
    uint32_t lost; /* calls without an answer, so far */
};

/* A row of seats.list, or a seat of a hold. */
struct caller_seat {
    uint32_t number;
    uint64_t price;
    bool available;
};

/* What a test may look at; what the answer does not have is 0. */
struct caller_answer {
    int status;     /* enum client_status */
    uint32_t error; /* enum error; 0: a result */
    uint64_t data[ERROR_DATA_COUNT];
    uint64_t sent_us, received_us;           /* CLOCK_MONOTONIC */
    uint64_t sent_wall_ms, received_wall_ms; /* Unix ms */
    char token[TOKEN_TEXT_BYTES + 1];
    uint32_t token_state, token_end; /* of queue.* */
    uint32_t ahead;
    uint64_t concert, date, next;
    uint64_t reservation, payment, amount, balance, reserved, expires_at;
    uint32_t reservation_state;
    uint64_t now_ms;                                        /* engine time, where it is told */
    uint64_t durable_lsn;                                   /* system.stats */
    uint64_t charged, balances, spent, refunded, accounts;  /* system.stats: money */
    uint64_t connections, connections_refused, relistens;   /* system.stats: net */
    uint64_t segment_missing_bytes, free_bytes, left_bytes; /* system.stats: log */
    /* system.stats: projection */
    struct {
        uint64_t wanted, connected, stopped, taken_over, applied_lsn, lag_decisions, lag_ms;
    } projection;
    uint32_t seat_count;
    struct caller_seat seats[SEATS_LIST_MAX];
    bool truncated;
    uint32_t reservation_count; /* reservation.list */
    struct {
        uint64_t id, payment;
        uint32_t state;
    } reservations[CALLER_RESERVATIONS_MAX];
};

/* A request that can be sent any number of times. */
struct ask {
    const char *method;
    struct value_writer params;
    uint8_t bytes[CALLER_PARAMS_BYTES];
};

/* caller_open - connect, patiently: the engine may be starting. Ends the program if it cannot. */
void caller_open(struct caller *caller, const char *url, uint32_t timeout_ms);
void caller_close(struct caller *caller);

/* caller_ask - Return: answer->error where there was an answer, -1 where there was none */
int caller_ask(struct caller *caller, const struct ask *ask, struct caller_answer *ret_answer);
/* caller_ask_copies - several requests at once, each a frame of its own
 * @asks: `count` of them; the same pointer twice is a double click */
void caller_ask_copies(struct caller *caller, const struct ask *const asks[], uint32_t count,
                       struct caller_answer *ret_answers);
/* caller_ask_until_answered - the same again while the outcome is unknown or the engine is busy or
 * stopping; ends the program after CALLER_PATIENCE_MS
 * Return: answer->error */
int caller_ask_until_answered(struct caller *caller, const struct ask *ask,
                              struct caller_answer *ret_answer);

/* Requests. */
void ask_begin(struct ask *ask, const char *method, uint32_t params);
void ask_enter(struct ask *ask, uint32_t date, const struct id128 *user);
void ask_token(struct ask *ask, const char *method, const char *token);
void ask_list(struct ask *ask, const char *token, uint32_t first, uint32_t limit, bool all);
void ask_hold(struct ask *ask, const char *token, const uint32_t *seats, uint32_t count);
void ask_release(struct ask *ask, const char *token, uint64_t reservation);
void ask_pay(struct ask *ask, const char *token, uint64_t reservation, const char *key);
void ask_cancel(struct ask *ask, const struct id128 *user, uint64_t reservation, const char *key);
void ask_charge(struct ask *ask, const struct id128 *user, uint64_t amount, const char *key);
void ask_user(struct ask *ask, const char *method, const struct id128 *user);

/* An organiser's date: seats 1..seat_count of section "T", all for sale at price_of(number); open.
 * Ends the program if anything is refused. */
struct caller_date {
    const char *title;
    uint32_t seat_count;
    const char *const *policy_names; /* beside the policy_values; NULL after the last */
    const uint64_t *policy_values;
};
uint64_t caller_concert(struct caller *admin, const char *title);
uint32_t caller_date(struct caller *admin, uint64_t concert, const struct caller_date *date);
uint64_t price_of(uint32_t seat);

/* test_user - a user told apart by three numbers; never none */
struct id128 test_user(uint32_t family, uint32_t process, uint32_t number);

#endif
