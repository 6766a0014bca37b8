/* people_fan.h - what one person wants next, and what they make of an answer
 *
 * Also the organiser, who is a person with other wishes. Knows no bytes and no network.
 */
#ifndef USHER_TESTS_SIM_PEOPLE_FAN_H
#define USHER_TESTS_SIM_PEOPLE_FAN_H

#include "tests/sim/run.h"
#include "tests/sim/wire.h"

#define PEOPLE_TIMEOUT_US 2000000u
#define PEOPLE_TRIES_MAX 6u

/* What everybody knows: how far the organiser has come. */
struct people_hall {
    struct sim_run *run; /* borrowed */
    uint32_t concerts, dates;
    uint32_t concert_of[PLAN_DATES_MADE_MAX]; /* by date - 1 */
    uint32_t seats[PLAN_DATES_MADE_MAX];      /* added so far */
    uint8_t state[PLAN_DATES_MADE_MAX];       /* enum date_state, as the organiser knows it */
    uint64_t next_key;
    uint32_t tempting; /* date that the organiser might cancel just now; 0: none */
};

struct people_fan {
    uint32_t number; /* PLAN_FANS_MAX: the organiser */
    struct people_hall *hall;
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

void people_fan_init(struct people_fan *fan, struct people_hall *hall, uint32_t number,
                     uint64_t seed);

/* people_fan_decides - Return: false if there is nothing to do now */
bool people_fan_decides(struct people_fan *fan, struct wire_call *ret_call);
/* people_fan_learns - a call was answered */
void people_fan_learns(struct people_fan *fan, const struct wire_call *call,
                       const struct wire_answer *answer);
/* people_fan_asks - a call was sent, once more perhaps */
void people_fan_asks(struct people_fan *fan, const struct wire_call *call);
/* people_fan_pauses - thinks for a while: sets wake_us */
void people_fan_pauses(struct people_fan *fan);
/* people_fan_forgets - token and reservation are gone from memory */
void people_fan_forgets(struct people_fan *fan);

#endif
