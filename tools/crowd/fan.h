/* fan.h - one simulated fan: what it asks for next, and what it thinks of the answer
 *
 * A pure state machine: no I/O, no clock, its own seeded random numbers, so that a crowd's
 * decisions can be told from its seed. The state is the request that was asked last:
 *
 *   ENTER -> STATUS* -> LIST -> HOLD -> CHARGE -> PAY -> (CHARGE -> PAY) -> bought
 *                 \        \<- taken                \-> CANCEL -> BALANCE -> cancelled
 *                  \-> LEAVE, vanish                 sold out -> LEAVE
 *
 * A fan trusts nobody: it keeps its own account of its place in line, its seats and its money, and
 * whatever the engine says against that is a violation.
 */
#ifndef USHER_TOOLS_CROWD_FAN_H
#define USHER_TOOLS_CROWD_FAN_H

#include <stdbool.h>
#include <stdint.h>

#include "net/protocol/text.h"

#define FAN_SEATS_MAX 4u  /* a fan wants 1..4 seats */
#define FAN_LIST_MAX 100u /* seats in one page */
#define FAN_LOOKS_MAX 6u  /* of a patient fan, where all seats are gone */
#define FAN_TRIES_MAX 40u /* seats taken by somebody else, before it gives up */
#define FAN_KEY_BYTES 48u

enum fan_request {
    FAN_NOTHING = 0,
    FAN_ENTER,
    FAN_STATUS,
    FAN_LEAVE,
    FAN_LIST,
    FAN_HOLD,
    FAN_CHARGE,
    FAN_PAY,
    FAN_CANCEL,
    FAN_BALANCE,
    FAN_REQUEST_COUNT,
};

/* X(NAME, "name in the summary") */
#define FAN_OUTCOMES(X)                                                                            \
    X(UNDECIDED, "undecided")                                                                      \
    X(BOUGHT, "bought")                                                                            \
    X(CANCELLED, "bought_and_refunded")                                                            \
    X(SOLD_OUT, "found_it_sold_out")                                                               \
    X(LEFT, "left_the_line")                                                                       \
    X(VANISHED_WAITING, "vanished_while_waiting")                                                  \
    X(VANISHED_HOLDING, "vanished_while_holding")                                                  \
    X(TOO_LATE, "turn_or_hold_ran_out")                                                            \
    X(GAVE_UP, "gave_up_taken_too_often")                                                          \
    X(REFUSED, "refused_at_the_door")                                                              \
    X(LOST, "no_answer")

enum fan_outcome {
#define X(name, text) FAN_OUTCOME_##name,
    FAN_OUTCOMES(X)
#undef X
        FAN_OUTCOME_COUNT
};
const char *fan_outcome_name(uint32_t outcome);

struct crowd_fan {
    /* who it is */
    uint64_t random; /* state of its generator */
    struct id128 user;
    uint32_t date;
    uint32_t date_seats; /* seats are numbered 1..date_seats */
    uint8_t want;        /* seats */
    bool poor;           /* has too little money at first */
    bool double_clicks;
    bool vanishes_waiting, vanishes_holding, leaves, cancels;
    bool patient; /* looks again where all seats are gone: a hold may end */
    /* where it stands */
    uint8_t asked; /* enum fan_request */
    uint8_t outcome;
    bool listed_from_start; /* the last list began at seat 1 */
    bool double_clicked;    /* the pay under way was sent twice */
    bool paid;
    uint8_t tries;
    uint8_t looks;
    uint16_t polls;
    uint16_t lost; /* answers that never came */
    uint8_t seat_count;
    uint32_t seats[FAN_SEATS_MAX]; /* numbers asked for, then held */
    uint64_t prices[FAN_SEATS_MAX];
    uint32_t list_first;
    uint32_t ahead; /* as told last; may only fall */
    uint32_t key;   /* number of the idempotency key in use */
    uint64_t reservation, payment;
    uint64_t amount;   /* price of the seats it holds */
    uint64_t balance;  /* what its wallet must have */
    uint64_t charging; /* amount of the charge under way */
    char token[TOKEN_TEXT_BYTES + 1];
};

struct fan_seat {
    uint32_t number;
    uint64_t price;
};

/* An answer, cut down to what a fan looks at. Unset fields are 0. */
struct fan_answer {
    bool lost;      /* none came, the outcome is unknown */
    uint16_t error; /* enum error; 0: a result */
    /* of a result */
    uint8_t token_state; /* enum token_state */
    uint32_t ahead;
    uint64_t next_poll_ms;
    char token[TOKEN_TEXT_BYTES + 1];
    uint64_t reservation, payment, amount, balance;
    uint32_t seat_count;
    struct fan_seat *seats; /* borrowed: of a list, a hold or a payment */
    /* of an error's data */
    uint64_t retry_ms, shortfall;
};

/* What a fan does next. */
struct fan_step {
    uint8_t request;     /* enum fan_request; NOTHING: it is done, see outcome */
    uint8_t copies;      /* 2: a double click, both at once */
    uint32_t delay_ms;   /* before it asks */
    char violation[160]; /* what the engine did wrong; "" for nothing */
};

/* fan_begin - a new fan, told apart by seed and index
 * @arrival_ms: it arrives within this time */
void fan_begin(struct crowd_fan *fan, uint64_t seed, uint32_t index, uint32_t date,
               uint32_t date_seats, uint32_t arrival_ms, struct fan_step *ret_step);

/* fan_hear - an answer to what was asked
 * @more: further answers to the same request are on their way (double click): the step is
 *        FAN_NOTHING then, whatever the answer was */
void fan_hear(struct crowd_fan *fan, const struct fan_answer *answer, bool more,
              struct fan_step *ret_step);

/* fan_key - the idempotency key in use, terminated */
void fan_key(const struct crowd_fan *fan, char ret_key[FAN_KEY_BYTES]);

#endif
