/* plan.c - see plan.h */
#include "tests/sim/plan.h"

/* How often each kind of fault happens in a run that has it: low and high, per million steps (or
 * events of its kind). */
static const struct {
    uint32_t low, high;
} rates[SIM_FAULT_COUNT] = {
    [SIM_FAULT_CRASH] = {50, 3000},
    [SIM_FAULT_CRASH_INSIDE] = {50, 1000},
    [SIM_FAULT_STOP] = {20, 500},
    [SIM_FAULT_DISK_SLOW] = {1000, 100000}, /* of writes */
    [SIM_FAULT_DISK_ERROR] = {500, 20000},  /* of writes */
    [SIM_FAULT_DISK_FULL] = {10, 200},
    [SIM_FAULT_LIE_LOST] = {500, 10000}, /* of writes; here and below */
    [SIM_FAULT_LIE_TORN] = {500, 10000},
    [SIM_FAULT_LIE_FLIP] = {500, 10000},
    [SIM_FAULT_LIE_MISDIRECTED] = {500, 10000},
    [SIM_FAULT_NET_DELAY] = {1000, 200000}, /* of frames; here and below */
    [SIM_FAULT_NET_DUPLICATE] = {1000, 100000},
    [SIM_FAULT_NET_DROP] = {1000, 100000},
    [SIM_FAULT_CLIENT_LOSS] = {20, 500},
    [SIM_FAULT_CLOCK_FORWARD] = {20, 300},
    [SIM_FAULT_CLOCK_BACK] = {20, 300},
    [SIM_FAULT_CLOCK_BEHIND] = {100000, 700000}, /* of starts; here and below */
    [SIM_FAULT_CLOCK_AHEAD] = {100000, 700000},
    [SIM_FAULT_STALL] = {50, 1000},
    [SIM_FAULT_HALT] = {50, 500},
    [SIM_FAULT_SUSPEND] = {20, 300},
    [SIM_FAULT_FREEZE] = {50, 500},
    [SIM_FAULT_JOURNAL_FULL] = {1000, 50000}, /* of drains */
    [SIM_FAULT_MAILBOX_FULL] = {500, 20000},  /* of chains */
    [SIM_FAULT_POSTGRES] = {100, 3000},
    [SIM_FAULT_CLONE] = {20, 500},
    [SIM_FAULT_SNAPSHOT] = {50, 1000},
    [SIM_FAULT_TRIM] = {20, 500},
};

static void draw_faults(struct random *random, const struct sim_options *options,
                        struct plan *plan) {
    /* A quarter of the runs has none, a half has a few, a quarter may have any. */
    uint32_t share = (uint32_t)random_pick(random, 0, 250000, 250000, 700000);
    for (uint32_t i = 0; i < SIM_FAULT_COUNT; i++) {
        bool drawn = random_chance(random, share);
        uint64_t low = rates[i].low, high = rates[i].high;
        /* Orders of magnitude, not sums: rare ones are as telling as frequent ones. */
        uint64_t rate = low << random_below(random, 12);
        rate = rate > high ? high : rate;
        if (drawn && !(options->without >> i & 1)) plan->per_million[i] = (uint32_t)rate;
    }
}

static void draw_world(struct random *random, struct plan *plan) {
    plan->shards_max = (uint32_t)random_pick(random, 1, 1, 2, 3, 4);
    plan->lame_shard = random_chance(random, 350000)
                           ? (uint32_t)random_below(random, plan->shards_max)
                           : PLAN_SHARDS_MAX;
    if (plan->shards_max == 1) plan->lame_shard = PLAN_SHARDS_MAX;
    plan->fans = (uint32_t)random_pick(random, 2, 6, 12, 24, 48, PLAN_FANS_MAX);
    plan->gateways = (uint32_t)random_between(random, 1, PLAN_GATEWAYS_MAX);
    plan->concerts = (uint32_t)random_between(random, 1, 2);
    plan->dates = (uint32_t)random_pick(random, 1, 1, 2, 3, PLAN_DATES_MAX);
    for (uint32_t i = 0; i < PLAN_DATES_MAX; i++) {
        plan->seats[i] = (uint32_t)random_pick(random, 1, 2, 5, 12, PLAN_SEATS_MAX);
    }
    plan->price_max = random_pick(random, 0, 1, 100, 100000);
    plan->step_us = (uint32_t)random_pick(random, 5, 20, 100, 1000);
    plan->net_us = (uint32_t)random_pick(random, 20, 200, 2000, 20000);
    plan->disk_us = (uint32_t)random_pick(random, 20, 90, 200, 5000);
    plan->segment_bytes = random_pick(random, 64 * 1024, 64 * 1024, 128 * 1024, 512 * 1024);
    plan->weight_shard = (uint32_t)random_pick(random, 2, 8, 16, 64);
    plan->weight_log = (uint32_t)random_pick(random, 1, 4, 16);
    plan->weight_people = (uint32_t)random_pick(random, 2, 8);
    plan->weight_network = (uint32_t)random_pick(random, 2, 8);
    plan->weight_readers = (uint32_t)random_pick(random, 1, 2);
    plan->postgres = random_chance(random, 700000);
    plan->snapshots = random_chance(random, 700000);
    plan->organiser_is_restless = random_chance(random, 500000);
    plan->rounds_take_time = random_chance(random, 250000);
}

static void draw_manners(struct random *random, struct plan *plan) {
    struct plan_manners *manners = &plan->manners;
    manners->patience = (uint32_t)random_pick(random, 500000, 900000, 990000);
    manners->leave = (uint32_t)random_pick(random, 0, 10000, 100000);
    manners->vanish = (uint32_t)random_pick(random, 0, 10000, 50000);
    manners->double_click = (uint32_t)random_pick(random, 0, 10000, 200000);
    manners->pay = (uint32_t)random_pick(random, 1, 4, 16);
    manners->release = (uint32_t)random_pick(random, 0, 1, 4);
    manners->cancel = (uint32_t)random_pick(random, 0, 1, 4);
    manners->refund = (uint32_t)random_pick(random, 0, 1, 8);
    manners->seats_max = (uint32_t)random_pick(random, 1, 2, 4, 16);
    manners->think_ms = (uint32_t)random_pick(random, 1, 20, 500, 5000, 30000);
    manners->charge_max = plan->price_max * random_pick(random, 1, 3, 30) + 1;
}

/* A fifth of the runs has fans who keep asking, and nothing in the network that hinders them:
 * however often the engine stands still, none of them may be dropped (X7). */
static void draw_attentive(struct random *random, struct plan *plan) {
    if (!random_chance(random, 200000)) return;
    plan->manners.patience = 990000;
    plan->manners.think_ms = (uint32_t)random_pick(random, 100, 500, 2000);
    plan->manners.vanish = 0;
    plan->per_million[SIM_FAULT_NET_DROP] = 0;
    plan->per_million[SIM_FAULT_NET_DELAY] = 0;
    plan->per_million[SIM_FAULT_CLIENT_LOSS] = 0;
}

/* Half of the runs are about selling, not about who gets in. */
static void draw_selling(struct random *random, struct plan *plan) {
    struct plan_manners *manners = &plan->manners;
    plan->sells = random_chance(random, 500000);
    if (!plan->sells) return;
    plan->seats[0] = plan->seats[2] = PLAN_SEATS_MAX;
    if (plan->fans > 24) plan->fans = 24;
    manners->patience = 990000;
    manners->think_ms = (uint32_t)random_pick(random, 1, 20, 500);
    manners->leave = manners->vanish = 0;
    manners->pay = 16;
    manners->refund = 8;
    manners->charge_max = plan->price_max * 100 + 1;
}

struct plan plan_draw(const struct sim_options *options) {
    struct plan plan = {0};
    struct random world = random_stream(options->seed, 1), faults = random_stream(options->seed, 2);
    draw_world(&world, &plan);
    draw_manners(&world, &plan);
    draw_selling(&world, &plan);
    draw_faults(&faults, options, &plan);
    draw_attentive(&faults, &plan);
    if (options->fans_max > 0 && plan.fans > options->fans_max) plan.fans = options->fans_max;
    return plan;
}

static uint64_t at_least(uint64_t value, uint64_t least) { return value < least ? least : value; }

void plan_policy(const struct plan *plan, struct random *random, uint64_t now_ms,
                 struct policy *ret_policy) {
    policy_default(ret_policy);
    ret_policy->reentry = random_below(random, 2);
    ret_policy->token_expires_on = random_chance(random, 300000);
    ret_policy->gate_dates = random_chance(random, 300000);
    ret_policy->waiting_timeout_ms = random_pick(random, 100, 1000, 10000, 60000, 600000);
    ret_policy->active_capacity = random_pick(random, 1, 1, 2, 3, 10, 50);
    if (random_chance(random, 30000)) ret_policy->active_capacity = 0;
    ret_policy->active_ttl_ms = random_pick(random, 100, 500, 5000, 60000, 420000);
    if (random_chance(random, 250000)) {
        ret_policy->admit_per_interval = random_pick(random, 0, 1, 2, 5);
        ret_policy->admit_interval_ms = random_pick(random, 0, 1, 100, 1000, 60000);
    }
    ret_policy->hold_ttl_ms = random_pick(random, 100, 1000, 5000, 60000, 300000);
    ret_policy->max_seats_per_user = random_pick(random, 1, 2, 4, SEATS_PER_USER_MAX);
    ret_policy->outage_credit = !random_chance(random, 150000);
    if (random_chance(random, 150000))
        ret_policy->sales_open_at = now_ms + random_below(random, 20000);
    ret_policy->admit_first_at_once = random_chance(random, 500000);
    if (random_chance(random, 50000))
        ret_policy->sales_end_at = now_ms + random_below(random, 40000);
    if (random_chance(random, 50000))
        ret_policy->refund_until = now_ms + random_below(random, 40000);
    if (!plan->sells || random_chance(random, 50000)) return;
    ret_policy->sales_end_at = 0;
    uint64_t turn_ms = plan->manners.think_ms + plan->net_us / 250;
    ret_policy->active_capacity = at_least(ret_policy->active_capacity, plan->fans / 2 + 1);
    ret_policy->active_ttl_ms = at_least(ret_policy->active_ttl_ms, 40 * turn_ms);
    ret_policy->hold_ttl_ms = at_least(ret_policy->hold_ttl_ms, 10 * turn_ms);
    ret_policy->waiting_timeout_ms = at_least(ret_policy->waiting_timeout_ms, 10 * turn_ms);
    ret_policy->admit_per_interval = 0;
}
