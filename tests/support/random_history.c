/* random_history.c - see random_history.h */
#include "tests/support/random_history.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/domain/date/date.h"
#include "engine/base/require.h"

#define SEATS 24u
#define BEGIN_MS 1763755200000ull /* 2025-11-21T20:00:00Z */

/* Not the generator of tests/support/random.h: the golden logs were written with this one (a linear
 * congruential one, constants by Knuth), and today's code must still write the same bytes. */
static uint32_t below(struct random_history *history, uint32_t bound) {
    history->random = history->random * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)((history->random >> 33) % bound);
}

static struct id128 number_id(uint8_t kind, uint64_t number) {
    struct id128 id = {{kind}};
    memcpy(id.bytes + 4, &number, sizeof number);
    id.bytes[6] = 0x40; /* looks like a UUID */
    id.bytes[15] = (uint8_t)number;
    return id;
}

struct id128 random_history_user(uint32_t user) {
    return number_id(0xAA, user + 1);
}

static struct date *date_of(const struct random_history *history, uint32_t date) {
    return (struct date *)history->world->dates[date];
}

static struct text text_of(const char *bytes) {
    return (struct text){bytes, (uint8_t)strlen(bytes)};
}

/* --- the small engine ------------------------------------------------------------------------- */

static void log_and_apply(struct random_history *history, const struct decision *decision) {
    (void)memory_log_append(history->log, decision);
    REQUIRE(world_apply(history->world, decision) == WORLD_APPLIED);
}

static void log_records(void *context, const uint8_t *bytes, uint32_t size) {
    struct random_history *history = context;
    (void)memory_log_append_bytes(history->log, bytes, size);
}

static struct stepper *stepper_of(struct random_history *history) {
    history->stepper->now_ms = history->now_ms;
    return history->stepper;
}

/* What the stepper has carried out goes to the log, its message is under way. */
static void keep(struct random_history *history, const struct verdict *verdict) {
    stepper_flush(history->stepper);
    if (!verdict->has_message) return;
    REQUIRE(history->message_count < RANDOM_HISTORY_MESSAGES_MAX);
    history->messages[history->message_count++] = verdict->message;
}

void random_history_decide(struct random_history *history, const struct command *command) {
    stepper_step(stepper_of(history), world_find(history->world, command->partition), command);
    keep(history, &history->stepper->verdict);
}

static void deliver(struct random_history *history) {
    struct command message = history->messages[0];
    history->message_count--;
    memmove(history->messages, history->messages + 1,
            history->message_count * sizeof history->messages[0]);
    random_history_decide(history, &message);
}

static void due(struct random_history *history) {
    for (uint32_t date = 1; date <= history->world->date_count; date++) {
        struct partition *partition = history->world->dates[date];
        while (history->message_count < RANDOM_HISTORY_MESSAGES_MAX / 2 &&
               stepper_due_once(stepper_of(history), partition)) {
            keep(history, &history->stepper->due);
        }
    }
}

void random_history_settle(struct random_history *history) {
    do {
        while (history->message_count > 0) deliver(history);
        due(history);
    } while (history->message_count > 0);
}

/* --- the beginning ---------------------------------------------------------------------------- */

static void add_seats(struct random_history *history, uint32_t date) {
    static const char *const sections[] = {"Stalls", "Balcony \"left\"", "Parkett \xC3\x9C"};
    struct command command = {.kind = COMMAND_SEATS_ADD, .partition = partition_of_date(date)};
    struct seat_spec specs[SEATS];
    char rows[SEATS][8], seats[SEATS][8], guids[SEATS][16];
    for (uint32_t i = 0; i < SEATS; i++) {
        snprintf(rows[i], sizeof rows[i], "%u", i / 8 + 1);
        snprintf(seats[i], sizeof seats[i], "%u%s", i % 8 + 1, i % 5 ? "" : " bis");
        snprintf(guids[i], sizeof guids[i], "%s%u", i % 7 ? "g" : "", i);
        specs[i] = (struct seat_spec){.price = i % 6 ? 100 * (i % 6) : 0, /* some are free */
                                      .for_sale = i % 11 != 10,
                                      .section = text_of(sections[i % 3]),
                                      .row = text_of(rows[i]),
                                      .seat = text_of(seats[i]),
                                      .guid = text_of(i % 7 ? guids[i] : "")};
    }
    command.seats.first = 1;
    command.seats.count = SEATS;
    command.seats.seats = specs;
    random_history_decide(history, &command);
}

static void create_date(struct random_history *history, uint32_t date) {
    struct policy policy;
    policy_default(&policy);
    policy.active_capacity = 6;
    policy.active_ttl_ms = 60000;
    policy.hold_ttl_ms = 25000;
    policy.waiting_timeout_ms = 40000;
    policy.max_seats_per_user = 6;
    if (date == 2) {
        policy.token_expires_on = TOKEN_EXPIRES_ON_RESERVATION;
        policy.admit_per_interval = 2;
        policy.admit_interval_ms = 3000;
        policy.admit_first_at_once = 1;
    }
    if (date == 3) policy.reentry = REENTRY_REQUEUE;
    struct command command = {.kind = COMMAND_DATE_CREATE, .partition = PARTITION_CATALOGUE};
    command.date.concert = 1;
    command.date.title = text_of(date == 1 ? "Opening night; 'quoted'" : "Second night");
    command.date.starts_at = BEGIN_MS + 30 * 86400000ull + date * 86400000ull;
    command.date.policy = &policy;
    command.date.seed = number_id(0x5E, date);
    if (date == 1) command.date.key = number_id(0x6B, date);
    random_history_decide(history, &command);
    add_seats(history, date);
    random_history_decide(history, &(struct command){.kind = COMMAND_DATE_OPEN,
                                                     .partition = partition_of_date(date)});
}

void random_history_init(struct random_history *history, struct memory_log *log, uint64_t seed,
                         uint32_t users) {
    *history = (struct random_history){
        .log = log, .now_ms = BEGIN_MS, .random = seed * 2 + 1, .users = users};
    history->world = world_create(&(struct id128){{1, 2, 3}});
    history->stepper = stepper_new(history->world);
    history->stepper->apply = world_apply;
    history->stepper->flush = log_records;
    history->stepper->flush_context = history;
    struct command command = {.kind = COMMAND_CONCERT_CREATE, .partition = PARTITION_CATALOGUE};
    command.concert.title = text_of("Die Zauberfl\xC3\xB6te");
    command.concert.key = number_id(0x6B, 9);
    random_history_decide(history, &command);
    for (uint32_t date = 1; date <= RANDOM_HISTORY_DATES; date++) create_date(history, date);
}

void random_history_deinit(struct random_history *history) { stepper_free(history->stepper); }

/* --- random requests -------------------------------------------------------------------------- */

static bool live_token(struct random_history *history, uint32_t date, const struct id128 *user,
                       struct token *ret_token) {
    const struct waiting_room *room = &date_of(history, date)->room;
    place_t place = room_place_of(room, user);
    if (place == 0) return false;
    *ret_token = (struct token){date, place, room_find(room, place)->secret};
    return true;
}

static void hold(struct random_history *history, uint32_t date, const struct token *token) {
    struct command command = {.kind = COMMAND_SEATS_HOLD, .partition = partition_of_date(date)};
    struct seat_ref seats[3] = {0};
    command.hold.token = *token;
    command.hold.seats = seats;
    command.hold.count = 1 + below(history, 3);
    for (uint32_t i = 0; i < command.hold.count; i++) {
        seats[i].number = 1 + (below(history, SEATS) + i) % SEATS;
    }
    random_history_decide(history, &command);
}

/* Live ones are the interesting ones; now and then one that has ended. */
static const struct reservation *some_reservation(struct random_history *history, uint32_t date) {
    const struct reservations *all = &date_of(history, date)->reservations;
    const struct reservation *reservation = NULL;
    for (uint32_t look = 0; look < 8 && all->slot_count > 0; look++) {
        reservation = reservations_at(all, below(history, all->slot_count));
        if (reservation && reservation_is_live(reservation->state)) break;
    }
    return reservation;
}

static void pay_or_end(struct random_history *history, uint32_t date, uint32_t what) {
    const struct reservation *reservation = some_reservation(history, date);
    struct command command = {.partition = partition_of_date(date)};
    if (!reservation) return;
    uint64_t id = dated_id(date, reservation->sequence);
    if (what < 2) {
        command.kind = COMMAND_RESERVATION_CANCEL;
        command.cancel.user = reservation->user;
        command.cancel.reservation = id;
        command.cancel.key = number_id(0xCC, ++history->keys);
    } else if (what == 2) {
        command.kind = COMMAND_SEATS_RELEASE;
        command.release.token = (struct token){date, reservation->place, reservation->secret};
        command.release.reservation = id;
    } else {
        command.kind = COMMAND_PAYMENT_PAY;
        command.pay.token = (struct token){date, reservation->place, reservation->secret};
        command.pay.reservation = id;
        command.pay.key = number_id(0xBB, ++history->keys);
    }
    random_history_decide(history, &command);
}

static void charge(struct random_history *history, const struct id128 *user) {
    struct command command = {.kind = COMMAND_WALLET_CHARGE, .partition = partition_of_user(user)};
    command.wallet.user = *user;
    command.wallet.amount = 50 + 50 * below(history, 10);
    command.wallet.key = number_id(0xDD, ++history->keys);
    random_history_decide(history, &command);
}

static void organise(struct random_history *history, uint32_t date) {
    struct command command = {.partition = partition_of_date(date)};
    struct policy policy = date_of(history, date)->policy;
    uint32_t what = below(history, 40);
    if (what < 4) {
        command.kind = COMMAND_DATE_CLOSE;
    } else if (what == 4 && date == RANDOM_HISTORY_DATES) {
        command.kind = COMMAND_DATE_CANCEL;
        command.confirm.number = date;
    } else if (what < 30) {
        command.kind = COMMAND_DATE_OPEN;
    } else {
        command.kind = COMMAND_DATE_POLICY;
        policy.active_capacity = 3 + below(history, 6);
        command.policy.policy = &policy;
        command.policy.fields = 1u << POLICY_INDEX_active_capacity;
    }
    random_history_decide(history, &command);
}

static void request(struct random_history *history) {
    struct id128 user = random_history_user(below(history, history->users));
    uint32_t date = 1 + below(history, RANDOM_HISTORY_DATES), what = below(history, 100);
    struct command command = {.partition = partition_of_date(date)};
    struct token token;
    bool live = live_token(history, date, &user, &token);
    if (what < 2) {
        organise(history, date);
    } else if (what < 10) {
        charge(history, &user);
    } else if (what < 45 && (!live || (date == RANDOM_HISTORY_DATES && what > 42))) {
        command.kind = COMMAND_QUEUE_ENTER;
        command.enter.user = user;
        command.enter.secret = number_id(0xEE, ++history->keys);
        random_history_decide(history, &command);
    } else if (what < 14 && live) {
        command.kind = what < 12 ? COMMAND_QUEUE_LEAVE : COMMAND_QUEUE_STATUS;
        command.queue.token = token;
        random_history_decide(history, &command);
    } else if (what < 55 && live) {
        hold(history, date, &token);
    } else {
        pay_or_end(history, date, below(history, 8));
    }
}

static void hash_states(struct random_history *history) {
    for (uint32_t date = 1; date <= RANDOM_HISTORY_DATES; date++) {
        struct partition *partition = history->world->dates[date];
        struct decision decision = {
            .kind = DECISION_STATE_HASHED, .partition = partition->id, .time_ms = history->now_ms};
        decision.state_hashed.hash = partition_hash(partition);
        log_and_apply(history, &decision);
    }
}

/* X7: the small engine stands still for a while; all dates are told before anything else. */
static void outage(struct random_history *history, uint32_t number) {
    static struct verdict verdict;
    uint64_t since_ms = history->now_ms;
    enum outage_cause cause = (enum outage_cause)(OUTAGE_DOWN + number % 3);
    history->now_ms += 300 + number * 377 % 9000;
    for (uint32_t date = 1; date <= history->world->date_count; date++) {
        if (partition_outage(history->world->dates[date], cause, since_ms, history->now_ms,
                             &verdict)) {
            stepper_carry_out(stepper_of(history), history->world->dates[date], &verdict);
            keep(history, &verdict);
        }
    }
}

void random_history_run(struct random_history *history, uint32_t requests) {
    for (uint32_t i = 0; i < requests; i++) {
        if (below(history, 3) == 0) history->now_ms += below(history, 1000);
        if (i % 40 == 37) outage(history, i / 40);
        request(history);
        while (history->message_count > 0 && below(history, 4) != 0) deliver(history);
        due(history);
        if (i % 200 == 199) hash_states(history);
    }
}
