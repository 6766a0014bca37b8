/* plan.h - what a run is made of, drawn from its seed before it begins
 *
 * Swarm testing (Groce et al. 2012): every run has its own world and its own few kinds of faults.
 * A run in which everything may happen at once hides what only shows when one thing happens often.
 */
#ifndef USHER_TESTS_SIM_PLAN_H
#define USHER_TESTS_SIM_PLAN_H

#include "engine/domain/policy.h"
#include "tests/support/random.h"
#include "tests/sim/words.h"

#define PLAN_DATES_MAX 6u
/* The organiser asks for a date again when no answer comes, and then there are two. */
#define PLAN_DATES_MADE_MAX 64u
#define PLAN_SEATS_MAX 24u
#define PLAN_FANS_MAX 64u
#define PLAN_GATEWAYS_MAX 4u
#define PLAN_SHARDS_MAX 4u

/* What fans do when they may choose; weights. */
struct plan_manners {
    uint32_t patience;      /* per million: does what is sensible next; else anything at all */
    uint32_t leave, vanish; /* per million and wake-up */
    uint32_t double_click;  /* per million and request */
    uint32_t pay, release, cancel, refund; /* weights with a held or paid reservation */
    uint32_t seats_max;                    /* of one hold */
    uint32_t think_ms;                     /* longest pause between two requests */
    uint64_t charge_max;                   /* points */
};

struct plan {
    uint32_t per_million[SIM_FAULT_COUNT]; /* of each fault, per step or per event; 0: not here */
    uint32_t shards_max;                   /* of any start, 1..PLAN_SHARDS_MAX */
    uint32_t lame_shard;                   /* is stepped once in 200 turns; PLAN_SHARDS_MAX: none */
    uint32_t fans, gateways, concerts, dates;
    uint32_t seats[PLAN_DATES_MAX];
    uint64_t price_max;
    uint32_t step_us; /* mean time of a step */
    uint32_t net_us;  /* mean time of a frame on its way */
    uint32_t disk_us; /* mean time of a write */
    uint64_t segment_bytes;
    uint32_t weight_shard, weight_log, weight_people, weight_network, weight_readers;
    bool postgres;  /* there is a database */
    bool snapshots; /* there is a folder for snapshots */
    bool organiser_is_restless;
    bool rounds_take_time; /* the clock moves between two looks of a shard at it, within a round */
    bool sells;            /* there is time, room and money enough: much is bought and paid */
    struct plan_manners manners;
};

/* plan_draw - Return: the plan of this seed, less what the options take away */
struct plan plan_draw(const struct sim_options *options);

/* plan_seats - how many seats a date has, id 1..PLAN_DATES_MADE_MAX */
static inline uint32_t plan_seats(const struct plan *plan, uint32_t date) {
    return plan->seats[(date - 1) % PLAN_DATES_MAX];
}

/* plan_policy - a policy with the values that make things happen, edge values included
 * @now_ms: for sales_open_at */
void plan_policy(const struct plan *plan, struct random *random, uint64_t now_ms,
                 struct policy *ret_policy);

#endif
