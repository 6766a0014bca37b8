/* buyer.c - see buyer.h */
#include "tests/process/buyer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/require.h"
#include "tests/process/common.h"
#include "tests/process/diary.h"
#include "tests/support/random.h"

#define TIMEOUT_MS 3000u
#define PACE_US 3000u /* a pause of up to this between two requests: two cores serve everybody */
#define STANDING 10u
#define SEATS_MAX 3u
#define HOLD_TRIES 8u
#define ACTIVE_WAIT_US 30000000u
#define LINE_CAPACITY 2u
#define YEAR_MS (365ull * 24 * 3600 * 1000)
#define BURST 64u /* payments at the same moment */
#define FAMILY_BUYER 1u
#define FAMILY_STANDING 2u

struct standing {
    char token[TOKEN_TEXT_BYTES + 1];
    uint32_t ahead; /* as told last */
    uint32_t state; /* likewise: enum token_state */
};

/* One fan. */
struct life {
    uint32_t date;
    struct id128 user;
    char token[TOKEN_TEXT_BYTES + 1];
    struct numbers seats;
    uint64_t reservation, payment, amount, balance;
    uint32_t state; /* of the reservation; 0: none */
};

struct buyer {
    const struct worker *worker;
    struct caller caller;
    FILE *diary;
    struct random random;
    uint32_t lives;
    uint32_t pace_us;
    uint32_t lost_seen; /* of caller.lost: what was checked up on */
    struct standing standing[STANDING];
    struct life *life; /* the current one */
    struct life all[BURST];
    struct ask ask;
    struct caller_answer answer;
};

static bool chance(struct buyer *buyer, uint32_t percent) {
    return random_index(&buyer->random, 100) < percent;
}

/* Ask until the outcome is known. */
static uint32_t ask_now(struct buyer *buyer) {
    struct workers_arena *arena = buyer->worker->arena;
    const uint64_t begin_us = monotonic_us();
    const uint32_t lost = buyer->caller.lost;
    int error = caller_ask_until_answered(&buyer->caller, &buyer->ask, &buyer->answer);
    const uint64_t took_us = monotonic_us() - begin_us;
    atomic_fetch_add(&arena->progress[buyer->worker->index], 1);
    atomic_fetch_add(&arena->lost, buyer->caller.lost - lost);
    uint64_t slowest_us = atomic_load(&arena->slowest_us);
    while (took_us > slowest_us &&
           !atomic_compare_exchange_weak(&arena->slowest_us, &slowest_us, took_us)) {}
    pause_us(random_index(&buyer->random, buyer->pace_us));
    return (uint32_t)error;
}

static void must_be(struct buyer *buyer, bool condition, const char *what) {
    WORKER_CHECK(buyer->worker, condition,
                 "%s: %s; date %u reservation %" PRIx64 " in state %u, answer %s balance %" PRIu64
                 " amount %" PRIu64 " state %u",
                 buyer->ask.method, what, buyer->life->date, buyer->life->reservation,
                 buyer->life->state, error_name(buyer->answer.error), buyer->answer.balance,
                 buyer->answer.amount, buyer->answer.reservation_state);
}

static void write_diary(struct buyer *buyer, uint32_t kind, const char *key) {
    struct diary_entry entry = {.kind = kind,
                                .date = buyer->life->date,
                                .user = buyer->life->user,
                                .reservation = buyer->life->reservation,
                                .payment = buyer->life->payment,
                                .amount = buyer->life->amount,
                                .balance = buyer->life->balance,
                                .seats = buyer->life->seats};
    if (kind == DIARY_CHARGED) entry.amount = buyer->answer.amount;
    if (key) key_digest(key, (uint32_t)strlen(key), &entry.key);
    diary_write(buyer->diary, &entry);
}

static void write_entered(struct buyer *buyer, uint32_t date, const struct id128 *user) {
    struct token token;
    REQUIRE(token_parse(buyer->answer.token, TOKEN_TEXT_BYTES, &token));
    diary_write(buyer->diary, &(struct diary_entry){.kind = DIARY_ENTERED,
                                                    .date = date,
                                                    .user = *user,
                                                    .place = token.place,
                                                    .secret = token.secret});
}

/* --- the line --------------------------------------------------------------------------------- */

static void stand_in_line(struct buyer *buyer) {
    const uint32_t date = buyer->worker->arena->dates[0];
    for (uint32_t i = 0; i < STANDING; i++) {
        struct standing *standing = &buyer->standing[i];
        const struct id128 user = test_user(FAMILY_STANDING, buyer->worker->index, i);
        ask_enter(&buyer->ask, date, &user);
        must_be(buyer, ask_now(buyer) == 0, "entering the line");
        memcpy(standing->token, buyer->answer.token, sizeof standing->token);
        standing->ahead = buyer->answer.ahead;
        standing->state = buyer->answer.token_state;
        write_entered(buyer, date, &user);
    }
}

/* A token outlives the engine: still waiting, nobody new in front; or active, for good. */
static void check_standing(struct buyer *buyer) {
    for (uint32_t i = 0; i < STANDING; i++) {
        struct standing *standing = &buyer->standing[i];
        ask_token(&buyer->ask, "queue.status", standing->token);
        must_be(buyer, ask_now(buyer) == 0, "a token is gone");
        must_be(buyer, strcmp(buyer->answer.token, standing->token) == 0, "another token");
        must_be(buyer, buyer->answer.ahead <= standing->ahead, "the line has grown in front");
        must_be(buyer, buyer->answer.token_state != TOKEN_EXPIRED, "a token has ended");
        must_be(buyer, standing->state != TOKEN_ACTIVE || buyer->answer.token_state == TOKEN_ACTIVE,
                "no longer active");
        standing->ahead = buyer->answer.ahead;
        standing->state = buyer->answer.token_state;
    }
}

/* --- a life ----------------------------------------------------------------------------------- */

static void enter(struct buyer *buyer) {
    const uint64_t give_up_us = monotonic_us() + ACTIVE_WAIT_US;
    ask_enter(&buyer->ask, buyer->life->date, &buyer->life->user);
    must_be(buyer, ask_now(buyer) == 0, "entering");
    memcpy(buyer->life->token, buyer->answer.token, sizeof buyer->life->token);
    write_entered(buyer, buyer->life->date, &buyer->life->user);
    while (buyer->answer.token_state != TOKEN_ACTIVE && monotonic_us() < give_up_us) {
        ask_token(&buyer->ask, "queue.status", buyer->life->token);
        must_be(buyer, ask_now(buyer) == 0, "waiting");
    }
    must_be(buyer, buyer->answer.token_state == TOKEN_ACTIVE, "not admitted");
}

static void hold(struct buyer *buyer) {
    for (uint32_t tries = 0; tries < HOLD_TRIES; tries++) {
        uint64_t amount = 0;
        buyer->life->seats.count = (uint8_t)(1 + random_index(&buyer->random, SEATS_MAX));
        uint32_t first = 1 + random_index(&buyer->random, BUYER_SEATS - SEATS_MAX);
        for (uint32_t i = 0; i < buyer->life->seats.count; i++) {
            buyer->life->seats.values[i] = first + i;
            amount += price_of(first + i);
        }
        ask_hold(&buyer->ask, buyer->life->token, buyer->life->seats.values,
                 buyer->life->seats.count);
        uint32_t error = ask_now(buyer);
        if (error == ERROR_SEAT_TAKEN || error == ERROR_SEAT_YOURS) continue;
        must_be(buyer, error == 0, "holding");
        if (error != 0) return;
        must_be(buyer, buyer->answer.amount == amount, "amount");
        must_be(buyer, buyer->answer.reservation_state == RESERVATION_HELD, "state");
        buyer->life->reservation = buyer->answer.reservation;
        buyer->life->amount = amount;
        buyer->life->state = RESERVATION_HELD;
        write_diary(buyer, DIARY_HELD, NULL);
        return;
    }
}

static void charge(struct buyer *buyer) {
    const uint64_t amount = buyer->life->amount + random_index(&buyer->random, 100);
    ask_charge(&buyer->ask, &buyer->life->user, amount, "charge");
    must_be(buyer, ask_now(buyer) == 0, "charging");
    buyer->life->balance += amount;
    must_be(buyer, buyer->answer.balance == buyer->life->balance, "balance");
    buyer->answer.amount = amount; /* for the diary */
    write_diary(buyer, DIARY_CHARGED, "charge");
}

/* One key, one payment, one answer, however often it is asked. */
static void pay(struct buyer *buyer) {
    const uint32_t times = chance(buyer, 25) ? 2 : 1;
    buyer->life->balance -= buyer->life->amount;
    for (uint32_t i = 0; i < times; i++) {
        ask_pay(&buyer->ask, buyer->life->token, buyer->life->reservation, "pay");
        must_be(buyer, ask_now(buyer) == 0, "paying");
        must_be(buyer, buyer->answer.amount == buyer->life->amount, "amount");
        must_be(buyer, buyer->answer.balance == buyer->life->balance, "balance");
        must_be(buyer, i == 0 || buyer->answer.payment == buyer->life->payment, "a second payment");
        buyer->life->payment = buyer->answer.payment;
    }
    buyer->life->state = RESERVATION_PAID;
    write_diary(buyer, DIARY_PAID, "pay");
}

static void cancel(struct buyer *buyer) {
    ask_cancel(&buyer->ask, &buyer->life->user, buyer->life->reservation, "cancel");
    must_be(buyer, ask_now(buyer) == 0, "cancelling");
    must_be(buyer, buyer->answer.reservation_state == RESERVATION_REFUNDED, "state");
    buyer->life->balance += buyer->life->amount;
    buyer->life->state = RESERVATION_REFUNDED;
    write_diary(buyer, DIARY_CANCELLED, NULL);
}

static void release(struct buyer *buyer) {
    ask_release(&buyer->ask, buyer->life->token, buyer->life->reservation);
    must_be(buyer, ask_now(buyer) == 0, "releasing");
    must_be(buyer, buyer->answer.reservation_state == RESERVATION_RELEASED, "state");
    buyer->life->state = RESERVATION_RELEASED;
    write_diary(buyer, DIARY_RELEASED, NULL);
}

/* Does the engine think the same of this fan? */
static void check_fan(struct buyer *buyer) {
    uint32_t expected = buyer->life->state ? 1 : 0;
    ask_user(&buyer->ask, "reservation.list", &buyer->life->user);
    must_be(buyer, ask_now(buyer) == 0, "listing");
    must_be(buyer, buyer->answer.reservation_count == expected, "how many reservations");
    must_be(buyer,
            expected == 0 || (buyer->answer.reservations[0].id == buyer->life->reservation &&
                              buyer->answer.reservations[0].state == buyer->life->state),
            "which reservation, in which state");
    ask_user(&buyer->ask, "wallet.balance", &buyer->life->user);
    must_be(buyer, ask_now(buyer) == 0, "balance");
    must_be(buyer, buyer->answer.balance == buyer->life->balance, "the balance after all");
}

static void check_after_loss(struct buyer *buyer) {
    if (buyer->caller.lost == buyer->lost_seen) return;
    check_fan(buyer);
    check_standing(buyer);
    buyer->lost_seen = buyer->caller.lost; /* what was lost in checking was asked again as well */
}

static void begin(struct buyer *buyer, struct life *life) {
    const struct workers_arena *arena = buyer->worker->arena;
    uint32_t which = 1 + random_index(&buyer->random, arena->date_count - 1);
    *life = (struct life){.date = arena->dates[which],
                          .user = test_user(FAMILY_BUYER, buyer->worker->index, buyer->lives++)};
    buyer->life = life;
}

/* The fan's last will. */
static void end(struct buyer *buyer) {
    check_after_loss(buyer);
    if (chance(buyer, 5)) check_fan(buyer);
    if (buyer->life->state == RESERVATION_PAID) write_diary(buyer, DIARY_OWNS, NULL);
    write_diary(buyer, DIARY_BALANCE, NULL);
    if (buyer->life->payment != 0) return;
    ask_token(&buyer->ask, "queue.leave", buyer->life->token);
    must_be(buyer, ask_now(buyer) == 0, "leaving");
}

static void live(struct buyer *buyer) {
    begin(buyer, &buyer->all[0]);
    enter(buyer);
    hold(buyer);
    check_after_loss(buyer);
    if (buyer->life->state == RESERVATION_HELD && chance(buyer, 10)) {
        release(buyer);
    } else if (buyer->life->state == RESERVATION_HELD) {
        charge(buyer);
        check_after_loss(buyer);
        pay(buyer);
        check_after_loss(buyer);
        if (chance(buyer, 60)) cancel(buyer);
    }
    end(buyer);
}

/* --- many payments at the same moment --------------------------------------------------------- */

/* A fan who does not ask again: the engine must come to an end with the payment by itself (P3). */
static void wait_and_see(struct buyer *buyer) {
    const uint64_t give_up_us = monotonic_us() + ACTIVE_WAIT_US;
    do {
        ask_user(&buyer->ask, "reservation.list", &buyer->life->user);
        must_be(buyer, ask_now(buyer) == 0 && buyer->answer.reservation_count == 1, "listing");
        buyer->life->state = buyer->answer.reservations[0].state;
    } while (buyer->life->state == RESERVATION_PAYING && monotonic_us() < give_up_us);
    if (buyer->life->state == RESERVATION_PAID) {
        buyer->life->balance -= buyer->life->amount;
        buyer->life->payment = buyer->answer.reservations[0].payment;
        write_diary(buyer, DIARY_PAID, "pay");
    } else {
        must_be(buyer, buyer->life->state == RESERVATION_HELD, "neither paid nor held");
    }
}

/* What is told is noted; what is not is asked again with the same key, or left to the engine. */
static void resolve(struct buyer *buyer, const struct caller_answer *answer) {
    if (answer->status == CLIENT_OK && answer->error == 0) {
        buyer->life->balance -= buyer->life->amount;
        must_be(buyer, answer->balance == buyer->life->balance, "balance");
        buyer->life->payment = answer->payment;
        buyer->life->state = RESERVATION_PAID;
        write_diary(buyer, DIARY_PAID, "pay");
        return;
    }
    must_be(buyer,
            answer->status != CLIENT_OK || answer->error == ERROR_STOPPING ||
                answer->error == ERROR_BUSY,
            "paying with many");
    if (answer->status == CLIENT_OK || chance(buyer, 40)) {
        pay(buyer);
    } else {
        wait_and_see(buyer);
    }
}

static void live_in_a_burst(struct buyer *buyer) {
    static struct ask asks[BURST];
    static struct caller_answer answers[BURST];
    const struct ask *pointers[BURST];
    struct workers_arena *arena = buyer->worker->arena;
    uint32_t count = 0;
    while (count < BURST) {
        begin(buyer, &buyer->all[count]);
        enter(buyer);
        hold(buyer);
        if (buyer->life->state == RESERVATION_HELD) {
            charge(buyer);
            ask_pay(&asks[count], buyer->life->token, buyer->life->reservation, "pay");
            pointers[count] = &asks[count];
            count++;
        } else {
            end(buyer);
        }
    }
    check_after_loss(buyer);
    const uint32_t lost = buyer->caller.lost;
    atomic_fetch_add(&arena->bursts, 1);
    caller_ask_copies(&buyer->caller, pointers, BURST, answers);
    atomic_fetch_add(&arena->lost, buyer->caller.lost - lost);
    for (uint32_t i = 0; i < BURST; i++) {
        buyer->life = &buyer->all[i];
        resolve(buyer, &answers[i]);
        check_fan(buyer);
        if (buyer->life->state == RESERVATION_HELD) release(buyer);
        if (buyer->life->state == RESERVATION_PAID && chance(buyer, 80)) cancel(buyer);
        end(buyer);
    }
}

static int run(const struct worker *worker, void (*once)(struct buyer *buyer), uint32_t pace_us) {
    static struct buyer buyer;
    buyer.worker = worker;
    buyer.random = random_stream(worker->arena->seed, worker->index);
    buyer.pace_us = pace_us;
    buyer.life = &buyer.all[0];
    buyer.diary = diary_open(worker->directory, worker->index);
    caller_open(&buyer.caller, worker->url, TIMEOUT_MS);
    stand_in_line(&buyer);
    while (!worker->arena->stop && !worker->arena->failed) once(&buyer);
    check_standing(&buyer);
    if (fclose(buyer.diary) != 0) return EXIT_FAILURE;
    caller_close(&buyer.caller);
    return EXIT_SUCCESS;
}

int buyer_run(const struct worker *worker) { return run(worker, live, PACE_US); }

int buyer_burst_run(const struct worker *worker) { return run(worker, live_in_a_burst, 1); }

void buyer_dates(const char *admin_url, struct workers_arena *arena) {
    static const char *const names[] = {"active_capacity", "active_ttl_ms", "hold_ttl_ms",
                                        "waiting_timeout_ms", NULL};
    struct caller admin;
    caller_open(&admin, admin_url, 0);
    uint64_t concert = caller_concert(&admin, "sales");
    for (uint32_t i = 0; i < BUYER_DATES; i++) {
        const uint64_t values[] = {i == 0 ? LINE_CAPACITY : 1000, YEAR_MS, YEAR_MS, YEAR_MS};
        arena->dates[i] = caller_date(&admin, concert,
                                      &(struct caller_date){.title = i == 0 ? "line" : "sale",
                                                            .seat_count = i == 0 ? 1 : BUYER_SEATS,
                                                            .policy_names = names,
                                                            .policy_values = values});
    }
    arena->date_count = BUYER_DATES;
    caller_close(&admin);
}
