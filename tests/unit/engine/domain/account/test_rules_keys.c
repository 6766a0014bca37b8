/* test_rules_keys.c - idempotency keys, O4 with W1, P4, C1 and Q4: recognised for a day at least,
 * whatever else happens meanwhile, and what happens where the memory for them ends */
#include "tests/unit/engine/domain/domain_image.h"
#include "tests/unit/engine/domain/domain_test.h"
#include "tests/support/random.h"

#define KEY 1u
#define OTHER_KEYS 1000u

/* A restart from a snapshot: whatever is not in an image is gone. */
static void restart(struct domain *domain) {
    char text[IMAGE_ERROR_BYTES] = "";
    struct domain_image image = domain_image_of(domain->world);
    world_free(domain->world);
    domain->world = domain_image_load(&image, text);
    assert_string_equal(text, "");
    domain_resume(domain);
    domain_image_free(&image);
}

static struct account_partition *accounts_of(const struct domain *domain, uint32_t user) {
    struct id128 id = domain_user(user);
    return (struct account_partition *)world_find(domain->world, partition_of_user(&id));
}

/* --- charges ---------------------------------------------------------------------------------- */

static void W1_a_key_charges_once_for_a_day(void **state) {
    static const struct {
        uint32_t later;  /* charges of the same user, right after it */
        uint64_t age_ms; /* of the key, when it is asked with again */
        bool newer;      /* one more charge at that moment, before it */
        bool known;
    } cases[] = {
        {0, 0, false, true},
        {10, 0, false, true},
        {WALLET_HISTORY_KEPT, 0, true, true},
        {1000, 3600000, true, true},
        {1000, KEY_KEPT_MS - 1, true, true},
        {1000, KEY_KEPT_MS, true, true},
        {1000, KEY_KEPT_MS + 1, true, false}, /* forgotten by the charge before it */
        {10, 30 * KEY_KEPT_MS, true, true},   /* its row is still there */
    };
    (void)state;
    for (uint32_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
        struct domain *domain = domain_new();
        uint32_t at = i / 2, later = cases[at].later;
        assert_int_equal(domain_charge(domain, 1, 100, KEY), ERROR_NONE);
        for (uint32_t n = 0; n < later; n++) {
            assert_int_equal(domain_charge(domain, 1, 1, OTHER_KEYS + n), ERROR_NONE);
        }
        domain_advance(domain, cases[at].age_ms);
        if (cases[at].newer) (void)domain_charge(domain, 1, 1, OTHER_KEYS + later++);
        if (i % 2) restart(domain);
        assert_int_equal(domain_charge(domain, 1, 100, KEY), ERROR_NONE);
        assert_int_equal(domain->reply.wallet.balance, cases[at].known ? 100 : 200 + later);
        assert_int_equal(domain_balance(domain, 1), (cases[at].known ? 100 : 200) + later);
        assert_int_equal(domain_charge(domain, 1, 99, KEY), ERROR_KEY_REUSED);
        domain_image_check_splits(domain, 3);
        domain_free(domain);
    }
}

static void W1_a_user_has_a_share_of_keys(void **state) {
    struct domain *domain = *state;
    for (uint32_t n = 0; n < KEYS_PER_USER_MAX; n++) {
        assert_int_equal(domain_charge(domain, 1, 1, OTHER_KEYS + n), ERROR_NONE);
        if (n == 0) domain_advance(domain, 500);
    }
    domain_advance(domain, 1000);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(domain_charge(domain, 1, 1, KEY), ERROR_KEYS_FULL);
        assert_refused(domain, ERROR_KEYS_FULL, KEYS_PER_USER_MAX, KEY_KEPT_MS + 1 - 1500, 0);
        assert_int_equal(domain_charge(domain, 1, 1, OTHER_KEYS), ERROR_NONE); /* known: answered */
        assert_int_equal(domain->reply.wallet.balance, 1);
        restart(domain);
    }
    assert_int_equal(domain_balance(domain, 1), KEYS_PER_USER_MAX);
    assert_int_equal(domain_charge(domain, 17, 1, KEY), ERROR_NONE); /* same partition */
    domain_advance(domain, KEY_KEPT_MS - 1500);
    assert_int_equal(domain_charge(domain, 1, 1, KEY), ERROR_KEYS_FULL);
    assert_refused(domain, ERROR_KEYS_FULL, KEYS_PER_USER_MAX, 1, 0);
    domain_advance(domain, 1);
    assert_int_equal(domain_charge(domain, 1, 1, KEY), ERROR_NONE);
    assert_int_equal(domain_charge(domain, 1, 1, KEY + 1),
                     ERROR_KEYS_FULL); /* the next is younger */
    assert_refused(domain, ERROR_KEYS_FULL, KEYS_PER_USER_MAX, 500, 0);
    domain_advance(domain, KEY_KEPT_MS);
    for (uint32_t n = 0; n < 10; n++) {
        assert_int_equal(domain_charge(domain, 1, 1, 9 * OTHER_KEYS + n), ERROR_NONE);
    }
    assert_true(accounts_of(domain, 1)->keys.count < KEYS_PER_USER_MAX); /* two go, one comes */
    domain_image_check_splits(domain, 3);
}

/* As a log has it. The sum that was charged so far is in *balance. */
static void apply_charge(struct domain *domain, uint32_t user, uint32_t key, uint64_t balance) {
    struct account_partition *all = accounts_of(domain, user);
    struct decision decision = {.kind = DECISION_WALLET_CHARGED,
                                .partition = all->partition.id,
                                .time_ms = domain->now_ms,
                                .wallet_charged = {domain_user(user), 1, balance, domain_key(key)}};
    partition_apply(&all->partition, &decision);
}

static void W1_a_partition_has_a_limit_of_keys(void **state) {
    struct domain *domain = *state;
    struct account_partition *all = accounts_of(domain, 1);
    for (uint32_t n = 0; n < KEYS_PER_PARTITION_MAX; n++) {
        apply_charge(domain, 1 + 16 * (n / KEYS_PER_USER_MAX), n, n % KEYS_PER_USER_MAX + 1);
        if (n == 0) domain->now_ms += 7;
    }
    uint32_t fresh = 1 + 16 * (KEYS_PER_PARTITION_MAX / KEYS_PER_USER_MAX);
    assert_int_equal(all->keys.count, KEYS_PER_PARTITION_MAX);
    assert_int_equal(domain_charge(domain, fresh, 1, KEY), ERROR_KEYS_FULL);
    assert_refused(domain, ERROR_KEYS_FULL, KEYS_PER_PARTITION_MAX, KEY_KEPT_MS + 1 - 7, 0);
    assert_int_equal(domain_charge(domain, 1, 1, 0), ERROR_NONE);   /* known: answered */
    assert_int_equal(domain_charge(domain, 2, 1, KEY), ERROR_NONE); /* another partition */
    domain_jump(domain, KEY_KEPT_MS + 1 - 7);
    assert_int_equal(domain_charge(domain, fresh, 1, KEY), ERROR_NONE);
    assert_int_equal(domain_charge(domain, fresh, 1, KEY + 1), ERROR_KEYS_FULL);
    /* An older usher, which had no limit: its log goes on, the oldest goes. */
    uint32_t slots = all->keys.slot_count;
    for (uint32_t n = 2; n < 50; n++) apply_charge(domain, fresh, OTHER_KEYS + n, n);
    assert_int_equal(all->keys.count, KEYS_PER_PARTITION_MAX);
    assert_int_equal(all->keys.slot_count, slots); /* used again */
}

static void W1_older_logs_may_be_beyond_the_limits(void **state) {
    struct domain *domain = *state;
    for (uint32_t n = 0; n < KEYS_PER_USER_MAX + 9; n++) {
        apply_charge(domain, 1, OTHER_KEYS + n, n + 1);
    }
    assert_int_equal(accounts_of(domain, 1)->keys.count, KEYS_PER_USER_MAX);
    assert_int_equal(domain_charge(domain, 1, 1, OTHER_KEYS + 9), ERROR_NONE);
    assert_int_equal(domain->reply.wallet.balance, 10);
}

/* The same image as an older usher made it: without keys but for those in ledger rows. */
static void W1_older_images_have_keys_in_rows(void **state) {
    struct domain *domain = *state;
    char text[IMAGE_ERROR_BYTES] = "";
    assert_int_equal(domain_charge(domain, 1, 7, 5000), ERROR_NONE);
    domain_advance(domain, KEY_KEPT_MS + 1);
    assert_int_equal(domain_charge(domain, 1, 100, KEY), ERROR_NONE);
    assert_int_equal(domain_charge(domain, 17, 100, KEY), ERROR_NONE);
    struct domain_image image = domain_image_of(domain->world);
    uint32_t kept = 0;
    for (uint32_t at = 0; at < image.size;) {
        uint16_t size, kind;
        memcpy(&size, image.bytes + at, sizeof size);
        memcpy(&kind, image.bytes + at + 2, sizeof kind);
        memmove(image.bytes + kept, image.bytes + at, size);
        if (kind != ENTITY_CHARGE_KEY) kept += size;
        at += size;
    }
    assert_true(kept < image.size);
    image.size = kept;
    world_free(domain->world);
    domain->world = domain_image_load(&image, text);
    assert_string_equal(text, "");
    domain_resume(domain);
    assert_int_equal(accounts_of(domain, 1)->keys.count, 2); /* 5000 is too old */
    for (uint32_t n = 0; n < 2 * WALLET_HISTORY_KEPT; n++) {
        assert_int_equal(domain_charge(domain, 1 + n % 2 * 16, 1, OTHER_KEYS + n), ERROR_NONE);
        assert_int_equal(domain_charge(domain, 1 + n % 2 * 16, 1, 2 * OTHER_KEYS + n), ERROR_NONE);
    }
    for (uint32_t user = 1; user <= 17; user += 16) {
        assert_int_equal(domain_charge(domain, user, 100, KEY), ERROR_NONE);
        assert_int_equal(domain->reply.wallet.balance, user == 1 ? 107 : 100);
    }
    domain_image_free(&image);
}

/* --- payments and cancellations --------------------------------------------------------------- */

struct keys_hall {
    struct domain *domain;
    uint32_t date;
    struct token token;
};

static struct keys_hall hall_of(void **state) {
    struct keys_hall hall = {.domain = *state};
    struct policy policy = default_policy();
    policy.active_capacity = ACTIVE_PER_DATE_MAX;
    policy.active_ttl_ms = policy.waiting_timeout_ms = POLICY_YEAR_MS;
    policy.max_seats_per_user = 16;
    hall.date = domain_date(hall.domain, &policy, 20, 10);
    hall.token = entered(hall.domain, hall.date, 1);
    (void)domain_charge(hall.domain, 1, 100000, 999999);
    return hall;
}

static void hold_and_release(const struct keys_hall *hall, uint32_t times) {
    for (uint32_t i = 0; i < times; i++) {
        uint64_t reservation = held(hall->domain, &hall->token, SEATS(9));
        assert_int_equal(domain_release(hall->domain, &hall->token, reservation), ERROR_NONE);
    }
}

static uint64_t paid_and_cancelled(struct keys_hall *hall, uint32_t pay_key, uint32_t cancel_key) {
    struct domain *domain = hall->domain;
    uint64_t reservation = held(domain, &hall->token, SEATS(1));
    assert_int_equal(domain_pay(domain, &hall->token, reservation, pay_key), ERROR_NONE);
    assert_int_equal(domain_cancel(domain, 1, reservation, cancel_key), ERROR_NONE);
    hall->token = entered(domain, hall->date, 1);
    return reservation;
}

static void P4_keys_are_known_for_a_day_after_the_end(void **state) {
    static const struct {
        uint32_t ended; /* others of the same user, right after it */
        uint64_t age_ms;
        bool known;
    } cases[] = {
        {0, 0, true},
        {ENDED_RESERVATIONS_KEPT_PER_USER + 1, 0, true},
        {200, KEY_KEPT_MS - 1, true},
        {200, KEY_KEPT_MS, true},
        {200, KEY_KEPT_MS + 1, false},
        {3, 30 * KEY_KEPT_MS, true}, /* still in the user's list */
    };
    (void)state;
    for (uint32_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
        struct domain *domain = domain_new();
        void *one = domain;
        struct keys_hall hall = hall_of(&one);
        bool known = cases[i / 2].known;
        uint64_t refunded = paid_and_cancelled(&hall, KEY, KEY + 1);
        uint64_t released = held(domain, &hall.token, SEATS(2));
        assert_int_equal(domain_cancel(domain, 1, released, KEY + 2), ERROR_NONE);
        hold_and_release(&hall, cases[i / 2].ended);
        domain_advance(domain, cases[i / 2].age_ms);
        hold_and_release(&hall, 2);
        if (i % 2) restart(domain);
        uint64_t balance = domain_balance(domain, 1);
        uint16_t expected = known ? ERROR_NONE : ERROR_NO_SUCH_RESERVATION;
        assert_int_equal(domain_pay(domain, &hall.token, refunded, KEY), expected);
        if (known) assert_int_equal(domain->reply.payment.balance, 100000 - 10);
        assert_int_equal(domain_cancel(domain, 1, refunded, KEY + 1), expected);
        if (known) {
            const struct reservation *answered = domain->reply.reservation.reservation;
            assert_int_equal(answered->state, RESERVATION_REFUNDED);
        }
        assert_int_equal(domain_cancel(domain, 1, released, KEY + 2), expected);
        uint64_t next = held(domain, &hall.token, SEATS(1));
        assert_int_equal(domain_pay(domain, &hall.token, next, KEY),
                         known ? ERROR_KEY_REUSED : ERROR_NONE);
        assert_int_equal(domain_balance(domain, 1), balance - (known ? 0 : 10));
        domain_check(domain, true);
        domain_image_check_splits(domain, 5);
        domain_crash(domain);
        domain_free(domain);
    }
}

/* Nothing waits for a released hold without a key: it goes as it always went. */
static void P4_without_a_key_nothing_is_kept(void **state) {
    struct keys_hall hall = hall_of(state);
    hold_and_release(&hall, 3 * ENDED_RESERVATIONS_KEPT_PER_USER);
    const struct reservations *all = &domain_date_of(hall.domain, hall.date)->reservations;
    assert_int_equal(all->kept_ends.count, 0);
    assert_int_equal(all->ended_count, ENDED_RESERVATIONS_KEPT_PER_USER);
}

static void P4_a_user_has_a_share_of_keys(void **state) {
    struct keys_hall hall = hall_of(state);
    struct domain *domain = hall.domain;
    uint32_t most = KEPT_RESERVATIONS_PER_USER_MAX + ENDED_RESERVATIONS_KEPT_PER_USER;
    for (uint32_t n = 0; n < most; n++) {
        (void)paid_and_cancelled(&hall, OTHER_KEYS + 2 * n, OTHER_KEYS + 2 * n + 1);
    }
    uint64_t reservation = held(domain, &hall.token, SEATS(1));
    uint32_t records = domain->record_count;
    assert_int_equal(domain_pay(domain, &hall.token, reservation, KEY), ERROR_KEYS_FULL);
    assert_refused(domain, ERROR_KEYS_FULL, KEPT_RESERVATIONS_PER_USER_MAX, KEY_KEPT_MS + 1, 0);
    assert_int_equal(domain_cancel(domain, 1, reservation, KEY), ERROR_KEYS_FULL);
    assert_int_equal(domain->record_count, records); /* nothing was started */
    assert_int_equal(domain_state(domain, reservation), RESERVATION_HELD);
    domain_image_check_splits(domain, 3);
    /* Others buy; the first one gives the hold back without a key, and buys when a day is over. */
    struct token other = entered(domain, hall.date, 2);
    (void)domain_charge(domain, 2, 10, 1);
    assert_int_equal(domain_pay(domain, &other, held(domain, &other, SEATS(2)), 1), ERROR_NONE);
    assert_int_equal(domain_release(domain, &hall.token, reservation), ERROR_NONE);
    domain_advance(domain, KEY_KEPT_MS + 1);
    reservation = held(domain, &hall.token, SEATS(1));
    assert_int_equal(domain_pay(domain, &hall.token, reservation, KEY), ERROR_NONE);
    domain_check(domain, true);
}

/* Holding and cancelling in a loop, by many: sales go on. */
static void P4_cancelled_holds_never_stop_sales(void **state) {
    struct keys_hall hall = hall_of(state);
    struct domain *domain = hall.domain;
    const struct reservations *all = &domain_date_of(domain, hall.date)->reservations;
    uint32_t user = 1, each = ENDED_RESERVATIONS_KEPT_PER_USER + KEPT_RESERVATIONS_PER_USER_MAX;
    uint16_t error = ERROR_NONE;
    while (error == ERROR_NONE && user < 2 * KEPT_RESERVATIONS_MAX / each) {
        struct token token = entered(domain, hall.date, ++user);
        for (uint32_t n = 0; n < each && error == ERROR_NONE; n++) {
            error = domain_cancel(domain, user, held(domain, &token, SEATS(3)), OTHER_KEYS + n);
        }
    }
    assert_int_equal(error, ERROR_KEYS_FULL);
    assert_refused(domain, ERROR_KEYS_FULL, KEPT_RESERVATIONS_MAX / 2, KEY_KEPT_MS + 1, 0);
    assert_int_equal(all->kept_ends.count, KEPT_RESERVATIONS_MAX / 2);
    uint64_t reservation = held(domain, &hall.token, SEATS(1));
    assert_int_equal(domain_pay(domain, &hall.token, reservation, KEY), ERROR_NONE);
    assert_int_equal(domain_cancel(domain, 1, reservation, KEY), ERROR_NONE); /* never refused */
    domain_advance(domain, KEY_KEPT_MS + 1);
    hall.token = entered(domain, hall.date, 1);
    reservation = held(domain, &hall.token, SEATS(1));
    uint32_t slots = all->slot_count, kept = all->kept_ends.count;
    domain->manual = true; /* started, and no more */
    assert_int_equal(domain_pay(domain, &hall.token, reservation, KEY + 1), DOMAIN_UNANSWERED);
    assert_int_equal(all->kept_ends.count, kept - 2); /* so that what is let in adds none */
    domain->manual = false;
    domain_settle(domain);
    assert_int_equal(domain_cancel(domain, 1, reservation, KEY), ERROR_NONE);
    hall.token = entered(domain, hall.date, 1);
    for (uint32_t n = 0; n < 100; n++) (void)paid_and_cancelled(&hall, 2 * n + 5, 2 * n + 6);
    assert_true(all->kept_ends.count < KEPT_RESERVATIONS_MAX / 2 - 100); /* two go, one comes */
    assert_true(all->slot_count <= slots + 2);                           /* slots come round */
    restart(domain);
    domain_check(domain, true);
}

/* --- the catalogue ---------------------------------------------------------------------------- */

static uint16_t create_concert(struct domain *domain, const char *title, uint32_t key) {
    struct command command = {.kind = COMMAND_CONCERT_CREATE,
                              .concert = {.title = {title, (uint8_t)strlen(title)}}};
    if (key) command.concert.key = domain_key(key);
    return domain_do(domain, command);
}

struct wanted_date {
    uint32_t concert;
    const char *title;
    uint64_t starts_at, hold_ttl_ms;
};

static uint16_t create_date(struct domain *domain, const struct wanted_date *wanted, uint32_t key) {
    struct policy policy = default_policy();
    policy.hold_ttl_ms = wanted->hold_ttl_ms;
    struct command command = {
        .kind = COMMAND_DATE_CREATE,
        .date = {.concert = wanted->concert,
                 .title = {wanted->title, (uint8_t)strlen(wanted->title)},
                 .starts_at = wanted->starts_at,
                 .policy = &policy,
                 .seed = domain_key(domain->record_count)}}; /* another one each time */
    if (key) command.date.key = domain_key(key);
    return domain_do(domain, command);
}

static void O4_a_concert_is_created_once(void **state) {
    struct domain *domain = *state;
    assert_int_equal(create_concert(domain, "Requiem", KEY), ERROR_NONE);
    uint64_t keyed = partition_hash(domain->world->catalogue);
    assert_int_equal(create_concert(domain, "Encore", 0), ERROR_NONE);
    assert_int_equal(create_concert(domain, "Encore", 0),
                     ERROR_NONE); /* without a key: another one */
    assert_int_equal(domain->reply.created.concert, 3);
    for (uint32_t i = 0; i < 3; i++) {
        domain_advance(domain, POLICY_YEAR_MS); /* for ever */
        assert_int_equal(create_concert(domain, "Requiem", KEY), ERROR_NONE);
        assert_int_equal(domain->reply.created.concert, 1);
        assert_int_equal(domain->reply.created.date, 0);
        assert_int_equal(create_concert(domain, "Requiem!", KEY), ERROR_KEY_REUSED);
        if (i == 0) domain_crash(domain);
        if (i == 1) restart(domain);
    }
    assert_int_equal(domain_count(domain, DECISION_CONCERT_CREATED), 3);
    domain_check(domain, true);
    domain_image_check_splits(domain, 3);
    /* A key is part of the state, but a log without keys has the hash that it always had. */
    struct domain *plain = domain_new();
    assert_int_equal(create_concert(plain, "Requiem", 0), ERROR_NONE);
    assert_true(partition_hash(plain->world->catalogue) == index_hash("Requiem", 7, 1));
    assert_true(partition_hash(plain->world->catalogue) != keyed);
    domain_free(plain);
}

static void O4_a_date_is_created_once(void **state) {
    static const struct wanted_date first = {1, "Odesa", 5000, 300000};
    static const struct wanted_date others[] = {
        {2, "Odesa", 5000, 300000},
        {1, "Odessa", 5000, 300000},
        {1, "Odes", 5000, 300000},
        {1, "Odesa", 5001, 300000},
        {1, "Odesa", 5000, 300001},
        {9, "Odesa", 5000, 300000},
        {1, "Odesa", 5000, 0} /* a bad policy: another request, first of all */,
    };
    struct domain *domain = *state;
    assert_int_equal(create_concert(domain, "Requiem", KEY), ERROR_NONE);
    assert_int_equal(create_concert(domain, "Encore", KEY + 1), ERROR_NONE);
    assert_int_equal(create_date(domain, &first, KEY), ERROR_NONE); /* not the concert's key */
    assert_int_equal(create_date(domain, &first, 0), ERROR_NONE);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(create_date(domain, &first, KEY), ERROR_NONE);
        assert_int_equal(domain->reply.created.concert, 1);
        assert_int_equal(domain->reply.created.date, 1);
        for (uint32_t j = 0; j < sizeof others / sizeof others[0]; j++) {
            assert_int_equal(create_date(domain, &others[j], KEY), ERROR_KEY_REUSED);
        }
        /* Its policy of now is of no matter. */
        assert_int_equal(domain_policy(domain, 1, POLICY_INDEX_hold_ttl_ms, 1000 + i), ERROR_NONE);
        if (i == 0) domain_crash(domain);
        if (i == 1) restart(domain);
    }
    assert_int_equal(domain_count(domain, DECISION_DATE_CREATED), 2);
    domain_check(domain, true);
    domain_image_check_splits(domain, 4);
}

/* --- the waiting room ------------------------------------------------------------------------- */

static uint16_t enter(struct domain *domain, uint32_t date, uint32_t user, uint32_t key) {
    struct command command = {
        .kind = COMMAND_QUEUE_ENTER,
        .partition = partition_of_date(date),
        .enter = {.user = domain_user(user), .secret = domain_key(700 + domain->record_count)}};
    if (key) command.enter.key = domain_key(key);
    return domain_do(domain, command);
}

/* Where entering again goes to the end of the line, the same request again must not. */
static void Q4_an_entry_with_a_key_is_made_once(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.reentry = REENTRY_REQUEUE;
    policy.active_capacity = 1;
    uint32_t date = domain_date(domain, &policy, 1, 1);
    static const struct {
        uint32_t user, key, place, ahead;
    } steps[] = {
        {1, 0, 1, 0},       {2, KEY, 2, 0}, {3, KEY, 3, 1},     /* keys are per user */
        {2, KEY, 2, 0},     {3, KEY, 3, 1}, {2, KEY + 1, 4, 1}, /* a new intention */
        {2, KEY + 1, 4, 1}, {2, 0, 5, 1},   {2, KEY + 1, 6, 1}, {1, KEY, 7, 1},
    };
    for (uint32_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        assert_int_equal(enter(domain, date, steps[i].user, steps[i].key), ERROR_NONE);
        assert_int_equal(domain->reply.token.token.place, steps[i].place);
        if (i == 4) restart(domain);
        if (i == 6) domain_crash(domain);
    }
    struct token token = domain->reply.token.token;
    assert_int_equal(domain_status(domain, &token), ERROR_NONE);
    domain_check(domain, true);
}

/* --- random histories ------------------------------------------------------------------------- */

#define RANDOM_USERS 3u
#define RANDOM_KEYS 40u

struct keys_history {
    struct domain *domain;
    struct random random;
    uint32_t date;
    struct token tokens[RANDOM_USERS + 1];
    uint64_t reservations[RANDOM_USERS + 1], refunded[RANDOM_USERS + 1];
    uint64_t refunded_ms[RANDOM_USERS + 1];
    uint32_t pay_keys[RANDOM_USERS + 1], keys;
    uint64_t charged_ms[RANDOM_USERS + 1][RANDOM_KEYS]; /* 0: not charged with this key */
};

static uint32_t below(struct keys_history *history, uint32_t limit) {
    return random_index(&history->random, limit);
}

/* One key, one amount: charged at most once within a day. */
static void charge_any(struct keys_history *history, uint32_t user) {
    struct domain *domain = history->domain;
    uint32_t key = below(history, RANDOM_KEYS), before = domain->record_count;
    uint64_t *charged_ms = &history->charged_ms[user][key];
    assert_int_equal(domain_charge(domain, user, 1 + key, 1 + key), ERROR_NONE);
    bool young = *charged_ms && *charged_ms + KEY_KEPT_MS >= domain->now_ms;
    if (young) assert_int_equal(domain->record_count, before);
    if (domain->record_count > before) *charged_ms = domain->now_ms;
}

static void book_any(struct keys_history *history, uint32_t user) {
    struct domain *domain = history->domain;
    struct token *token = &history->tokens[user];
    uint64_t reservation;
    *token = entered(domain, history->date, user);
    if (domain_hold(domain, token, SEATS(user), &reservation) != ERROR_NONE) return;
    uint32_t choice = below(history, 4), key = ++history->keys;
    if (choice == 0) {
        assert_int_equal(domain_release(domain, token, reservation), ERROR_NONE);
    } else if (choice == 1) {
        (void)domain_cancel(domain, user, reservation, key);
    } else if (domain_pay(domain, token, reservation, key) == ERROR_NONE) {
        assert_int_equal(domain_cancel(domain, user, reservation, key), ERROR_NONE);
        if (below(history, 8) > 0 && history->refunded[user]) return;
        history->refunded[user] = reservation;
        history->refunded_ms[user] = domain->now_ms;
        history->pay_keys[user] = key;
    } else {
        (void)domain_release(domain, token, reservation);
    }
}

/* The answer to an old payment, for a day at least; and never another payment. */
static void ask_again(struct keys_history *history, uint32_t user) {
    struct domain *domain = history->domain;
    if (!history->refunded[user]) return;
    uint64_t balance = domain_balance(domain, user);
    history->tokens[user] = entered(domain, history->date, user);
    uint16_t error = domain_pay(domain, &history->tokens[user], history->refunded[user],
                                history->pay_keys[user]);
    if (history->refunded_ms[user] + KEY_KEPT_MS >= domain->now_ms) assert_int_equal(error, 0);
    assert_true(error == ERROR_NONE || error == ERROR_NO_SUCH_RESERVATION);
    assert_int_equal(domain_balance(domain, user), balance);
}

static void random_histories(void **state) {
    const struct random_seeds seeds = random_seeds(1, 10);
    (void)state;
    for (uint64_t seed = seeds.first; seed < seeds.first + seeds.count; seed++) {
        struct keys_history history = {.domain = domain_new(), .random = {seed}, .keys = 1000};
        struct policy policy = default_policy();
        bool kept = false;
        random_tell(seed);
        policy.active_ttl_ms = policy.waiting_timeout_ms = POLICY_YEAR_MS;
        history.date = domain_date(history.domain, &policy, RANDOM_USERS + 10, 10);
        for (uint32_t step = 0; step < 1500; step++) {
            uint32_t user = 1 + below(&history, RANDOM_USERS), action = below(&history, 100);
            if (action < 30) {
                charge_any(&history, user);
            } else if (action < 80) {
                book_any(&history, user);
            } else if (action < 92) {
                ask_again(&history, user);
            } else if (action < 98) {
                domain_advance(history.domain, below(&history, 4000000));
            } else {
                restart(history.domain);
            }
            const struct date *date = domain_date_of(history.domain, history.date);
            kept = kept || date->reservations.kept_ends.count > 0;
        }
        assert_true(kept); /* or nothing was tried */
        domain_check(history.domain, true);
        domain_image_check_splits(history.domain, 5);
        domain_free(history.domain);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(W1_a_key_charges_once_for_a_day),
        T(W1_a_user_has_a_share_of_keys),
        T(W1_a_partition_has_a_limit_of_keys),
        T(W1_older_logs_may_be_beyond_the_limits),
        T(W1_older_images_have_keys_in_rows),
        cmocka_unit_test(P4_keys_are_known_for_a_day_after_the_end),
        T(P4_without_a_key_nothing_is_kept),
        T(P4_a_user_has_a_share_of_keys),
        T(P4_cancelled_holds_never_stop_sales),
        T(O4_a_concert_is_created_once),
        T(O4_a_date_is_created_once),
        T(Q4_an_entry_with_a_key_is_made_once),
        cmocka_unit_test(random_histories),
    };
    return cmocka_run_group_tests_name("rules_keys", tests, NULL, NULL);
}
