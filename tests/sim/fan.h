/* fan.h - what one person wants next, and what they make of an answer
 *
 * Also the organiser, who is a person with other wishes. Knows no bytes and no network.
 */
#ifndef USHER_TESTS_SIM_FAN_H
#define USHER_TESTS_SIM_FAN_H

#include "tests/sim/run.h"
#include "tests/sim/wire.h"

#define FAN_TIMEOUT_US 2000000u
#define FAN_TRIES_MAX 6u

/* What everybody knows: how far the organiser has come. */
struct hall {
    struct run *run; /* borrowed */
    uint32_t concerts, dates;
    uint32_t concert_of[PLAN_DATES_MADE_MAX]; /* by date - 1 */
    uint32_t seats[PLAN_DATES_MADE_MAX];      /* added so far */
    uint8_t state[PLAN_DATES_MADE_MAX];       /* enum date_state, as the organiser knows it */
    uint64_t next_key;
    uint32_t tempting; /* date that the organiser might cancel just now; 0: none */
};

struct fan {
    uint32_t number; /* PLAN_FANS_MAX: the organiser */
    struct hall *hall;
    struct random random;
    uint64_t wake_us; /* does something then; with a call under way: asks again then */
    uint32_t call;    /* under way; 0: none */
    uint32_t tries;
    struct id128 user;
    bool has_token;
    struct token token;
    uint8_t token_state;
    /* How well this fan keeps asking about the token that it has. */
    uint64_t asked_us, asked_gap_us; /* the latest time; the longest pause before it */
    uint64_t reservation;            /* the last one held; 0: none */
    struct token bought_with;
    uint8_t reservation_state;
    uint64_t shortfall;
    uint32_t seen; /* a seat that was available when the fan last looked; 0: none */
    uint64_t charge_key;
    uint64_t key; /* of the intention under way, as long as it is the same */
};

void fan_init(struct fan *fan, struct hall *hall, uint32_t number, uint64_t seed);

/* fan_decides - Return: false if there is nothing to do now */
bool fan_decides(struct fan *fan, struct call *ret_call);
/* fan_learns - a call was answered */
void fan_learns(struct fan *fan, const struct call *call, const struct answer *answer);
/* fan_asks - a call was sent, once more perhaps */
void fan_asks(struct fan *fan, const struct call *call);
/* fan_pauses - thinks for a while: sets wake_us */
void fan_pauses(struct fan *fan);
/* fan_forgets - token and reservation are gone from memory */
void fan_forgets(struct fan *fan);

#endif
