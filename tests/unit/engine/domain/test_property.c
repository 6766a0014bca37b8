/* test_property.c - random users, time, crashes and delays; simple truths checked after every step
 *
 * 30 users do whatever comes to their mind on two small dates, while messages between partitions
 * are late and the engine crashes. After every step domain_check() recomputes every sum, and a
 * model that knows nothing of the engine's structures follows the log: who has which seat, who
 * waits, who is active, what each user may still spend. At the end everything is settled and the
 * books are closed.
 *
 * USHER_SEED=n runs one seed; USHER_SEEDS=n runs n of them, USHER_STEPS=n steps each.
 */
#include "tests/unit/engine/domain/domain_image.h"
#include "tests/unit/engine/domain/domain_test.h"
#include "tests/support/random.h"

#define USERS 30u
#define DATES 2u
#define HALL 12u
#define PRICE 10u
#define PLACES_MAX 4096u
#define RESERVATIONS_MAX 4096u

/* --- the model: only what the log says, in the simplest form ---------------------------------- */

struct property_reservation {
    struct numbers seats;
    struct id128 user;
    uint64_t deadline_ms, amount;
    place_t place;
    bool live, paying, refused_late;
    place_t payer;
};

struct property_date {
    uint32_t owner[HALL + 1]; /* reservation of each seat, 0: free */
    struct property_reservation reservations[RESERVATIONS_MAX];
    uint8_t tokens[PLACES_MAX]; /* enum token_state by place */
    uint64_t ends_ms[PLACES_MAX];
    place_t last, admitted_last;
    uint32_t active;
    struct policy policy;
    bool cancelled;
};

#define RECOVERIES_MAX 256u

struct property_model {
    uint32_t records; /* how many it has followed */
    /* When the engine came back with a shorter log: what had ended in the lost part ends then. */
    uint64_t recovered_ms[RECOVERIES_MAX];
    uint32_t recoveries;
    struct property_date dates[DATES + 1];
    int64_t spendable[USERS + 1];
};

static uint32_t user_number(const struct id128 *user) {
    uint32_t number;
    memcpy(&number, user->bytes + 4, sizeof number);
    assert_true(number >= 1 && number <= USERS);
    return number;
}

static void model_end(struct property_date *date, uint32_t sequence) {
    struct property_reservation *reservation = &date->reservations[sequence];
    assert_true(reservation->live);
    for (uint32_t i = 0; i < reservation->seats.count; i++) {
        uint32_t *owner = &date->owner[reservation->seats.values[i]];
        assert_int_equal(*owner, sequence);
        *owner = 0;
    }
    reservation->live = reservation->paying = false;
}

static void model_token_ends(struct property_date *date, place_t place) {
    assert_true(token_is_live(date->tokens[place]));
    date->active -= date->tokens[place] == TOKEN_ACTIVE;
    date->tokens[place] = TOKEN_EXPIRED;
}

static void model_hold(struct property_date *date, const struct decision *decision) {
    const struct decision_seats_held *body = &decision->seats_held;
    assert_true(body->reservation < RESERVATIONS_MAX && !date->cancelled);
    assert_int_equal(date->tokens[body->place], TOKEN_ACTIVE); /* C5 */
    assert_true(date->ends_ms[body->place] > decision->time_ms);
    assert_true(body->expires_at <= decision->time_ms + date->policy.hold_ttl_ms); /* R1 */
    uint32_t have = 0;
    for (uint32_t i = 1; i < RESERVATIONS_MAX; i++) {
        const struct property_reservation *other = &date->reservations[i];
        if (other->live && id128_equal(&other->user, &body->user)) have += other->seats.count;
    }
    assert_true(have + body->seats.count <= date->policy.max_seats_per_user); /* R5 */
    for (uint32_t i = 0; i < body->seats.count; i++) {
        assert_int_equal(date->owner[body->seats.values[i]], 0); /* R2 */
        date->owner[body->seats.values[i]] = body->reservation;
    }
    assert_int_equal(body->amount, body->seats.count * PRICE);
    date->reservations[body->reservation] = (struct property_reservation){
        .seats = body->seats,
        .user = body->user,
        .deadline_ms = body->expires_at,
        .amount = body->amount,
        .place = body->place,
        .live = true};
    if (body->token_expired) model_token_ends(date, body->place);
}

static void model_admit(struct property_date *date, const struct decision *decision) {
    place_t place = decision->admitted.place;
    assert_int_equal(date->tokens[place], TOKEN_WAITING);
    assert_true(place > date->admitted_last); /* Q2: admission order is entry order */
    for (place_t other = date->admitted_last + 1; other < place; other++) {
        assert_int_not_equal(date->tokens[other], TOKEN_WAITING); /* nobody is passed over */
    }
    date->admitted_last = place;
    date->active++;
    assert_true(date->active <= date->policy.active_capacity); /* Q7 */
    assert_int_equal(decision->admitted.expires_at,            /* Q8 */
                     decision->time_ms + date->policy.active_ttl_ms);
    date->tokens[place] = TOKEN_ACTIVE;
    date->ends_ms[place] = decision->admitted.expires_at;
}

/* R3, P5: a hold ends by its deadline and no sooner, unless a payment was in its way */
static void model_reservation_ended(const struct property_model *model, struct property_date *date,
                                    const struct decision *decision) {
    const struct decision_reservation_ended *body = &decision->reservation_ended;
    struct property_reservation *reservation = &date->reservations[body->reservation];
    assert_false(reservation->paying);
    bool late = reservation->refused_late;
    for (uint32_t i = 0; i < model->recoveries; i++) {
        late |= decision->time_ms == model->recovered_ms[i];
    }
    if (body->state == RESERVATION_EXPIRED && !late) {
        assert_int_equal(decision->time_ms, reservation->deadline_ms);
    }
    model_end(date, body->reservation);
}

/* X7: turns and unpaid holds move, all by the same time, and nothing else. */
static void model_credited(struct property_date *date, const struct decision *decision) {
    uint64_t credit_ms = decision->outage_credited.credit_ms;
    uint32_t moved = date->active;
    assert_int_equal(date->policy.outage_credit, 1);
    assert_true(credit_ms > 0 && decision->outage_credited.since + credit_ms == decision->time_ms);
    for (place_t place = 1; place <= date->last; place++) {
        if (date->tokens[place] == TOKEN_ACTIVE) date->ends_ms[place] += credit_ms;
    }
    for (uint32_t i = 1; i < RESERVATIONS_MAX; i++) {
        struct property_reservation *reservation = &date->reservations[i];
        if (!reservation->live || reservation->deadline_ms == 0) continue; /* sold: 0 */
        reservation->deadline_ms += credit_ms;
        moved++;
    }
    assert_true(moved > 0);
}

static void model_date_follow(struct property_model *model, const struct decision *decision) {
    struct property_date *date = &model->dates[decision->partition - PARTITION_DATE_FIRST];
    switch (decision->kind) {
    case DECISION_POLICY_CHANGED: date->policy = decision->policy_changed.policy; break;
    case DECISION_DATE_CANCELLED: date->cancelled = true; break;
    case DECISION_OUTAGE_CREDITED: model_credited(date, decision); break;
    case DECISION_QUEUE_ENTERED:
        assert_int_equal(decision->queue_entered.place, ++date->last);
        assert_true(date->last < PLACES_MAX);
        date->tokens[date->last] = TOKEN_WAITING;
        break;
    case DECISION_ADMITTED: model_admit(date, decision); break;
    case DECISION_TOKEN_EXPIRED: {
        const struct decision_token_expired *body = &decision->token_expired;
        if (body->end == TOKEN_END_TIME) {
            assert_true(decision->time_ms >= date->ends_ms[body->place]);
        }
        model_token_ends(date, body->place);
        for (uint32_t i = 0; i < body->released.count; i++) {
            assert_false(date->reservations[body->released.values[i]].paying); /* P5 */
            assert_int_equal(date->reservations[body->released.values[i]].place, body->place);
            model_end(date, body->released.values[i]);
        }
        break;
    }
    case DECISION_SEATS_HELD: model_hold(date, decision); break;
    case DECISION_RESERVATION_ENDED: model_reservation_ended(model, date, decision); break;
    case DECISION_PAYMENT_STARTED: {
        struct property_reservation *paying =
            &date->reservations[decision->payment_started.reservation];
        assert_true(paying->live && !paying->paying && paying->deadline_ms > decision->time_ms);
        paying->paying = true;
        paying->payer = decision->payment_started.payer;
        break;
    }
    case DECISION_PAYMENT_REFUSED: {
        struct property_reservation *refused =
            &date->reservations[decision->payment_refused.reservation];
        uint64_t token_ends_ms = date->ends_ms[refused->place];
        refused->paying = false;
        refused->refused_late = decision->time_ms > refused->deadline_ms ||
                                decision->time_ms >= token_ends_ms ||
                                date->tokens[refused->place] == TOKEN_EXPIRED;
        break;
    }
    case DECISION_SEATS_SOLD:
        assert_false(date->cancelled);
        assert_true(date->reservations[decision->seats_sold.reservation].paying);
        date->reservations[decision->seats_sold.reservation].deadline_ms = 0;
        if (decision->seats_sold.token_expired) {
            const struct property_reservation *sold =
                &date->reservations[decision->seats_sold.reservation];
            model_token_ends(date, sold->payer ? sold->payer : sold->place);
        }
        model->spendable[user_number(&date->reservations[decision->seats_sold.reservation].user)] -=
            (int64_t)decision->seats_sold.amount;
        break;
    case DECISION_PAYMENT_ABORTED: model_end(date, decision->payment_aborted.reservation); break;
    case DECISION_SEATS_REFUNDED: {
        struct property_reservation *refunded =
            &date->reservations[decision->seats_refunded.reservation];
        model->spendable[user_number(&refunded->user)] += (int64_t)refunded->amount;
        model_end(date, decision->seats_refunded.reservation);
        break;
    }
    default: break; /* says nothing about seats, places or money */
    }
}

static void model_follow(struct property_model *model, const struct domain *domain) {
    for (; model->records < domain->record_count; model->records++) {
        struct decision decision = domain_record(domain, model->records);
        if (partition_is_date(decision.partition)) {
            model_date_follow(model, &decision);
        } else if (decision.kind == DECISION_DATE_CREATED) {
            model->dates[decision.date_created.date].policy = decision.date_created.policy;
        } else if (decision.kind == DECISION_WALLET_CHARGED) {
            model->spendable[user_number(&decision.wallet_charged.user)] +=
                (int64_t)decision.wallet_charged.amount;
        }
    }
    for (uint32_t id = 1; id <= domain->world->date_count; id++) {
        const struct property_date *date = &model->dates[id];
        for (uint32_t seat = 1; seat <= domain_date_of(domain, id)->seats.count; seat++) {
            assert_int_equal(domain_holder(domain, id, seat), date->owner[seat]);
        }
        assert_int_equal(domain_date_of(domain, id)->room.active, date->active);
    }
}

/* --- what users do ---------------------------------------------------------------------------- */

struct property_run {
    struct random random;
    struct domain *domain;
    struct property_model *model;
    struct token tokens[USERS + 1][DATES + 1]; /* the latest, live or not; place 0: none */
    uint64_t reservations[USERS + 1];          /* the latest; may be ended */
    uint32_t keys;
};

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
        if (place && run->model->dates[date].tokens[place] == TOKEN_ACTIVE) return other;
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
        assert_true(run->model->recoveries < RECOVERIES_MAX);
        run->model->recovered_ms[run->model->recoveries++] = again->now_ms;
        run->model->records = 0;
        memset(run->model->dates, 0, sizeof run->model->dates);
        memset(run->model->spendable, 0, sizeof run->model->spendable);
        memset(run->tokens, 0, sizeof run->tokens); /* gateways forget: everybody asks again */
        memset(run->reservations, 0, sizeof run->reservations);
    }
}

/* The engine stands still. Where the policy gives nothing back, holds end when it goes on. */
static void random_outage(struct property_run *run) {
    domain_outage(run->domain, (enum outage_cause)(OUTAGE_DOWN + random_index(&run->random, 3)),
                  300 + random_index(&run->random, random_index(&run->random, 4) ? 2000 : 60000));
    for (uint32_t id = 1; id <= DATES; id++) {
        if (run->model->dates[id].policy.outage_credit) continue;
        assert_true(run->model->recoveries < RECOVERIES_MAX);
        run->model->recovered_ms[run->model->recoveries++] = run->domain->now_ms;
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
    model_follow(run->model, domain);
    domain_crash(domain);
    for (uint32_t user = 1; user <= USERS; user++) {
        assert_true(run->model->spendable[user] >= 0); /* W2 */
        assert_int_equal(domain_balance(domain, user), (uint64_t)run->model->spendable[user]);
    }
    domain_advance(domain, POLICY_YEAR_MS); /* what is unpaid ends; what is paid stays */
    domain_check(domain, true);
    model_follow(run->model, domain);
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
    run->model = calloc(1, sizeof *run->model);
    assert_non_null(run->model);
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
    for (uint32_t step = 0; step < steps; step++) {
        random_step(run);
        assert_true(run->domain->record_count + 4 > protected_records);
        domain_check(run->domain, false);
        model_follow(run->model, run->domain);
    }
    domain_image_check_splits(run->domain, 4); /* in the midst of it */
    close_the_books(run);
    domain_image_check_splits(run->domain, 3);
    domain_free(run->domain);
    free(run->model);
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
    (void)state; /* every seed has its own */
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_users_never_break_the_rules)};
    return cmocka_run_group_tests_name("property", tests, NULL, NULL);
}
