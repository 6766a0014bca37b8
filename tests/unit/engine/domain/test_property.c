/* test_property.c - random users, time, crashes and delays; simple truths checked after every step
 *
 * 30 users do whatever comes to their mind on two small dates, while messages between partitions
 * are late and the engine crashes. After every step domain_check() recomputes every sum, and the
 * oracle judges what the log has got: who has which seat, who waits, who is active, what each user
 * may still spend. At the end everything is settled and the books are closed.
 *
 * USHER_SEED=n runs one seed; USHER_SEEDS=n runs n of them, USHER_STEPS=n steps each.
 */
#include "tests/oracle/oracle.h"
#include "tests/support/random.h"
#include "tests/unit/engine/domain/domain_image.h"
#include "tests/unit/engine/domain/domain_test.h"

#define USERS 30u
#define DATES 2u
#define HALL 12u
#define PRICE 10u
#define RESERVATIONS_MAX 4096u
#define RECOVERIES_MAX 256u

struct property_run {
    struct random random;
    struct domain *domain;
    struct oracle oracle;
    uint32_t records; /* how many the oracle has judged */
    /* When the engine came back with a shorter log: what had ended in the lost part ends then. */
    uint64_t recovered_ms[RECOVERIES_MAX];
    uint32_t recoveries;
    bool refused_late[DATES + 1][RESERVATIONS_MAX]; /* a payment was in the way of its end */
    struct token tokens[USERS + 1][DATES + 1];      /* the latest, live or not; place 0: none */
    uint64_t reservations[USERS + 1];               /* the latest; may be ended */
    uint32_t keys;
};

/* --- the log, judged -------------------------------------------------------------------------- */

static void begin_oracle(struct property_run *run) {
    oracle_init(&run->oracle, NULL);
    run->oracle.disorder = true;
}

/* R3, P5: a hold ends in the very millisecond of its deadline, unless a payment was in its way. The
 * oracle knows "not early"; here time stops at every deadline, so "not late" can be exact. */
static void demand_in_time(struct property_run *run, const struct decision *decision) {
    uint32_t id = decision->partition - PARTITION_DATE_FIRST;
    const struct oracle_date *date = oracle_date(&run->oracle, id);
    if (decision->kind == DECISION_PAYMENT_REFUSED) {
        const struct oracle_reservation *one = oracle_reservation(
            date, decision->payment_refused.reservation);
        const struct oracle_place *place = oracle_place(date, one->place);
        assert_true(decision->payment_refused.reservation < RESERVATIONS_MAX);
        run->refused_late[id][decision->payment_refused.reservation] =
            decision->time_ms > one->expires_at || decision->time_ms >= place->expires_at ||
            place->state == TOKEN_EXPIRED;
    }
    if (decision->kind != DECISION_RESERVATION_ENDED) return;
    const struct decision_reservation_ended *body = &decision->reservation_ended;
    bool late = run->refused_late[id][body->reservation];
    for (uint32_t i = 0; i < run->recoveries; i++) {
        late |= decision->time_ms == run->recovered_ms[i];
    }
    if (body->state != RESERVATION_EXPIRED || late) return;
    assert_int_equal(decision->time_ms, oracle_reservation(date, body->reservation)->expires_at);
}

/* Every record since the last time; then the engine has what the oracle has. */
static void judge(struct property_run *run) {
    struct domain *domain = run->domain;
    for (; run->records < domain->record_count; run->records++) {
        struct decision decision = domain_record(domain, run->records);
        demand_in_time(run, &decision);
        assert_true(oracle_judge(&run->oracle, &decision, run->records + 1));
    }
    for (uint32_t id = 1; id <= domain->world->date_count; id++) {
        const struct oracle_date *date = oracle_date(&run->oracle, id);
        for (uint32_t seat = 1; seat <= domain_date_of(domain, id)->seats.count; seat++) {
            assert_int_equal(domain_holder(domain, id, seat), date->seats[seat].reservation);
        }
        assert_int_equal(domain_date_of(domain, id)->room.active, date->active);
        assert_true(oracle_overdue(&run->oracle, date, domain->now_ms));
    }
}

/* --- what users do ---------------------------------------------------------------------------- */

static void random_hold(struct property_run *run, uint32_t user, const struct token *token) {
    uint32_t seats[6] = {0}, count = 1 + random_index(&run->random, 3);
    uint64_t reservation;
    for (uint32_t i = 0; i < count; i++) seats[i] = 1 + random_index(&run->random, HALL + 1);
    if (domain_hold(run->domain, token, seats, &reservation) == ERROR_NONE) {
        run->reservations[user] = reservation;
    }
}

static void random_policy(struct property_run *run, uint32_t date) {
    static const struct {
        uint32_t index;
        uint64_t values[3];
    } choices[] = {
        {POLICY_INDEX_reentry, {REENTRY_KEEP, REENTRY_REQUEUE, REENTRY_KEEP}},
        {POLICY_INDEX_token_expires_on, {0, 1, 0}},
        {POLICY_INDEX_active_capacity, {3, 5, 1}},
        {POLICY_INDEX_active_ttl_ms, {20000, 5000, 1000}},
        {POLICY_INDEX_hold_ttl_ms, {10000, 3000, 30000}},
        {POLICY_INDEX_waiting_timeout_ms, {15000, 1000, 60000}},
        {POLICY_INDEX_admit_per_interval, {0, 1, 2}},
        {POLICY_INDEX_admit_interval_ms, {0, 1000, 3000}},
        {POLICY_INDEX_max_seats_per_user, {4, 1, 6}},
        {POLICY_INDEX_sales_open_at, {0, 1500, 4000}}, /* from now */
        {POLICY_INDEX_outage_credit, {1, 0, 1}},
    };
    uint32_t which = random_index(&run->random, sizeof choices / sizeof choices[0]);
    uint64_t value = choices[which].values[random_index(&run->random, 3)];
    if (choices[which].index == POLICY_INDEX_sales_open_at) value += run->domain->now_ms;
    assert_int_equal(domain_policy(run->domain, date, choices[which].index, value), ERROR_NONE);
}

static void random_admin(struct property_run *run, uint32_t date) {
    switch (random_index(&run->random, 60)) {
    case 0: (void)domain_switch(run->domain, date, COMMAND_DATE_CLOSE); break;
    case 1:
        if (random_index(&run->random, 6) == 0) {
            (void)domain_switch(run->domain, date, COMMAND_DATE_CANCEL);
        }
        break;
    case 2:
    case 3: random_policy(run, date); break;
    default: (void)domain_switch(run->domain, date, COMMAND_DATE_OPEN); break;
    }
}

/* Mostly somebody whose turn it is, so that seats do get sold. */
static uint32_t random_user(struct property_run *run, uint32_t date) {
    uint32_t user = 1 + random_index(&run->random, USERS);
    if (random_index(&run->random, 4) == 0) return user;
    for (uint32_t i = 0; i < USERS; i++) {
        uint32_t other = 1 + (user + i) % USERS;
        place_t place = run->tokens[other][date].place;
        if (place && oracle_date(&run->oracle, date)->places[place].state == TOKEN_ACTIVE)
            return other;
    }
    return user;
}

/* Any answer is fine; the checks look at what it did. */
static void random_command(struct property_run *run) {
    struct domain *domain = run->domain;
    uint32_t date = 1 + random_index(&run->random, DATES), user = random_user(run, date);
    struct token *token = &run->tokens[user][date];
    uint64_t reservation = run->reservations[user];
    uint32_t action = random_index(&run->random, 100);
    if (token->place == 0 || action < 10) {
        (void)domain_enter(domain, date, user, token);
    } else if (action < 20) {
        (void)domain_status(domain, token);
    } else if (action < 22) {
        (void)domain_leave(domain, token);
    } else if (action < 47) {
        random_hold(run, user, token);
    } else if (action < 52) {
        (void)domain_charge(domain, user, 1 + random_index(&run->random, 100), ++run->keys);
    } else if (action < 82 && reservation) {
        token = &run->tokens[user][dated_id_date(reservation)];
        (void)domain_pay(domain, token, reservation,
                         random_index(&run->random, 3) ? user : ++run->keys);
    } else if (action < 85 && reservation) {
        (void)domain_release(domain, &run->tokens[user][dated_id_date(reservation)], reservation);
    } else if (action < 92 && reservation) {
        (void)domain_cancel(domain, user, reservation, 1000 + random_index(&run->random, 3));
    } else {
        random_admin(run, date);
    }
}

static void random_crash(struct property_run *run) {
    struct domain *domain = run->domain;
    uint32_t lost = random_index(&run->random, 2) ? 0 : random_index(&run->random, 4);
    if (lost == 0) {
        domain_crash(domain);
    } else { /* the tail that nobody was told about is gone */
        struct domain *again = domain_recover(domain, domain->record_count - lost);
        again->manual = true;
        domain_free(domain);
        run->domain = again;
        assert_true(run->recoveries < RECOVERIES_MAX);
        run->recovered_ms[run->recoveries++] = again->now_ms;
        run->records = 0;
        oracle_deinit(&run->oracle);
        begin_oracle(run);
        memset(run->refused_late, 0, sizeof run->refused_late);
        memset(run->tokens, 0, sizeof run->tokens); /* gateways forget: everybody asks again */
        memset(run->reservations, 0, sizeof run->reservations);
    }
}

/* The engine stands still. Where the policy gives nothing back, holds end when it goes on. */
static void random_outage(struct property_run *run) {
    domain_outage(run->domain, (enum outage_cause)(OUTAGE_DOWN + random_index(&run->random, 3)),
                  300 + random_index(&run->random, random_index(&run->random, 4) ? 2000 : 60000));
    for (uint32_t id = 1; id <= DATES; id++) {
        if (oracle_date(&run->oracle, id)->policy.outage_credit) continue;
        assert_true(run->recoveries < RECOVERIES_MAX);
        run->recovered_ms[run->recoveries++] = run->domain->now_ms;
    }
}

static void random_step(struct property_run *run) {
    uint32_t action = random_index(&run->random, 1000);
    if (action < 550) {
        random_command(run);
    } else if (action < 850 || run->domain->message_count > 50) {
        run->domain->duplicate = random_index(&run->random, 10) == 0;
        (void)domain_deliver(run->domain, random_index(&run->random, 1000));
    } else if (action < 857) {
        random_outage(run);
    } else if (action < 994) {
        domain_advance(run->domain,
                       random_index(&run->random, random_index(&run->random, 20) ? 100 : 9000));
    } else {
        random_crash(run);
    }
    domain_due(run->domain);
}

static void close_the_books(struct property_run *run) {
    struct domain *domain = run->domain;
    domain->manual = false;
    domain_settle(domain);
    domain_check(domain, true);
    judge(run);
    assert_true(oracle_rest(&run->oracle));
    domain_crash(domain);
    for (uint32_t user = 1; user <= USERS; user++) { /* W2 */
        struct id128 id = domain_user(user);
        const struct oracle_wallet *wallet = oracle_wallet(&run->oracle, &id);
        assert_int_equal(domain_balance(domain, user), wallet ? wallet->balance : 0);
    }
    domain_advance(domain, POLICY_YEAR_MS); /* what is unpaid ends; what is paid stays */
    domain_check(domain, true);
    judge(run);
    for (uint32_t id = 1; id <= DATES; id++) {
        const struct date *date = domain_date_of(domain, id);
        assert_int_equal(date->reservations.held, 0);
        assert_int_equal(date->room.active, 0);
        if (date->state == DATE_CANCELLED) assert_int_equal(date->reservations.paid, 0);
    }
}

static void run_seed(uint64_t seed, uint32_t steps) {
    struct property_run *run = calloc(1, sizeof *run);
    assert_non_null(run);
    run->random = (struct random){seed};
    run->domain = domain_new();
    begin_oracle(run);
    for (uint32_t i = 0; i < DATES; i++) {
        struct policy policy = default_policy();
        policy.active_capacity = 5;
        policy.active_ttl_ms = 20000;
        policy.hold_ttl_ms = 10000;
        policy.waiting_timeout_ms = 15000;
        policy.token_expires_on = random_index(&run->random, 4) == 0;
        policy.reentry = random_index(&run->random, 4) == 0;
        (void)domain_date(run->domain, &policy, HALL, PRICE);
    }
    run->domain->manual = true;
    uint32_t protected_records = run->domain->record_count;
    judge(run);
    for (uint32_t step = 0; step < steps; step++) {
        random_step(run);
        assert_true(run->domain->record_count + 4 > protected_records);
        domain_check(run->domain, false);
        judge(run);
    }
    domain_image_check_splits(run->domain, 4); /* in the midst of it */
    close_the_books(run);
    domain_image_check_splits(run->domain, 3);
    domain_free(run->domain);
    oracle_deinit(&run->oracle);
    free(run);
}

static void random_users_never_break_the_rules(void **state) {
    const struct random_seeds seeds = random_seeds(1, 20);
    uint64_t steps = 3000;
    (void)random_number_set("USHER_STEPS", &steps); /* else it stays */
    for (uint64_t seed = seeds.first; seed < seeds.first + seeds.count; seed++) {
        random_tell(seed);
        run_seed(seed, (uint32_t)steps);
    }
    (void)state;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_users_never_break_the_rules)};
    return cmocka_run_group_tests_name("property", tests, NULL, NULL);
}
