/* test_fight.c - sixteen processes fight for fifty seats, two hundred times
 *
 * A round is a date of its own with 50 seats. In each, 16 processes with two fans apiece, who want
 * 128 seats together, hold at random, one to four seats at once, send copies, click pay twice, pay
 * with two keys, give back and cancel. Each process checks every answer against its own count of
 * its fans' seats and money, and keeps a diary; the test then holds all diaries against the log.
 *
 * The seed is printed; what the processes choose follows from it, the order in which they meet does
 * not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/require.h"
#include "tests/process/caller.h"
#include "tests/process/common.h"
#include "tests/process/daemon.h"
#include "tests/process/diary.h"
#include "tests/process/history.h"
#include "tests/process/testimony.h"
#include "tests/process/workers.h"
#include "tests/support/random.h"

#define PROCESSES 16u
#define ROUNDS 200u
#define SEATS 50u
#define FANS 2u /* of one process in one round */
#define TURNS 20u
#define SEATS_PER_FAN 4u
#define RESERVATIONS_MAX 64u /* of one fan in one round */
#define BARRIER_MS 60000u
#define TOTAL_MS 240000u
#define HOUR_MS 3600000u

struct reservation_kept {
    uint64_t id, amount;
    struct numbers seats;
    uint32_t state; /* HELD, PAID or 0: over */
    char token[TOKEN_TEXT_BYTES + 1];
};

struct fight_fan {
    struct id128 user;
    char token[TOKEN_TEXT_BYTES + 1];
    bool has_token;
    uint64_t balance;
    uint32_t seat_count; /* held or owned now */
    uint32_t key;        /* of the latest intention */
    uint32_t reservation_count;
    struct reservation_kept reservations[RESERVATIONS_MAX];
};

/* One process. */
struct fighter {
    const struct worker *worker;
    struct caller caller;
    FILE *diary;
    struct random random;
    uint32_t date;
    struct fight_fan fans[FANS];
    struct ask ask, other;
    struct caller_answer answers[2];
};

static bool chance(struct fighter *fighter, uint32_t percent) {
    return random_index(&fighter->random, 100) < percent;
}

/* --- asking ----------------------------------------------------------------------------------- */

/* Send fighter->ask, sometimes twice. No answer may be lost here: nobody is killed. */
static uint32_t ask_now(struct fighter *fighter, uint32_t twice_percent) {
    const struct ask *const asks[2] = {&fighter->ask, &fighter->ask};
    uint32_t copies = chance(fighter, twice_percent) ? 2 : 1;
    caller_ask_copies(&fighter->caller, asks, copies, fighter->answers);
    for (uint32_t i = 0; i < copies; i++) {
        WORKER_CHECK(fighter->worker, fighter->answers[i].status == CLIENT_OK, "%s: %s",
                     fighter->ask.method, client_status_text(fighter->answers[i].status));
    }
    return copies;
}

static void write_diary(struct fighter *fighter, const struct fight_fan *fan, uint32_t kind,
                        const struct caller_answer *answer, struct diary_entry entry) {
    entry.kind = kind;
    entry.date = fighter->date;
    entry.user = fan->user;
    if (answer) {
        entry.sent_ms = answer->sent_wall_ms;
        entry.received_ms = answer->received_wall_ms;
        entry.sent_us = answer->sent_us;
        entry.received_us = answer->received_us;
    }
    diary_write(fighter->diary, &entry);
}

static void unexpected(struct fighter *fighter, const struct caller_answer *answer) {
    WORKER_CHECK(fighter->worker, false, "%s on date %u was answered %s", fighter->ask.method,
                 fighter->date, error_name(answer->error));
}

/* A token that is active. */
static void enter(struct fighter *fighter, struct fight_fan *fan) {
    const uint64_t give_up_us = monotonic_us() + BARRIER_MS * 1000ull;
    struct caller_answer *answer = &fighter->answers[0];
    struct token token;
    ask_enter(&fighter->ask, fighter->date, &fan->user);
    (void)ask_now(fighter, 20); /* copies get the same token (Q4) */
    REQUIRE(token_parse(answer->token, TOKEN_TEXT_BYTES, &token));
    memcpy(fan->token, answer->token, sizeof fan->token);
    write_diary(fighter, fan, DIARY_ENTERED, answer,
                (struct diary_entry){.place = token.place, .secret = token.secret});
    while (answer->token_state != TOKEN_ACTIVE && monotonic_us() < give_up_us) {
        ask_token(&fighter->ask, "queue.status", fan->token);
        (void)ask_now(fighter, 0);
    }
    WORKER_CHECK(fighter->worker, answer->token_state == TOKEN_ACTIVE, "not admitted");
    fan->has_token = true;
}

/* --- holding ---------------------------------------------------------------------------------- */

static void note_held(struct fighter *fighter, struct fight_fan *fan, const struct numbers *seats,
                      const struct caller_answer *answer) {
    const struct worker *worker = fighter->worker;
    uint64_t amount = 0;
    for (uint32_t i = 0; i < seats->count; i++) amount += price_of(seats->values[i]);
    WORKER_CHECK(worker, answer->amount == amount, "%" PRIu64, answer->amount);
    WORKER_CHECK(worker, answer->seat_count == seats->count, "all or none: %u of %u seats",
                 answer->seat_count, seats->count);
    for (uint32_t i = 0; i < fan->reservation_count; i++) { /* a copy: the same reservation */
        if (fan->reservations[i].id == answer->reservation) return;
    }
    REQUIRE(fan->reservation_count < RESERVATIONS_MAX);
    struct reservation_kept *kept = &fan->reservations[fan->reservation_count++];
    *kept = (struct reservation_kept){
        .id = answer->reservation, .amount = amount, .seats = *seats, .state = RESERVATION_HELD};
    memcpy(kept->token, fan->token, sizeof kept->token);
    fan->seat_count += seats->count;
    WORKER_CHECK(worker, fan->seat_count <= SEATS_PER_FAN, "%u seats", fan->seat_count);
    write_diary(fighter, fan, DIARY_HELD, answer,
                (struct diary_entry){.reservation = kept->id, .amount = amount, .seats = *seats});
}

/* Any seats, or such as were free a moment ago. */
static void pick(struct fighter *fighter, const struct fight_fan *fan, struct numbers *ret_seats) {
    uint32_t wanted = 1 + random_index(&fighter->random, SEATS_PER_FAN);
    uint32_t known = 0;
    if (chance(fighter, 50)) {
        ask_list(&fighter->ask, fan->token, 1, SEATS, false);
        (void)ask_now(fighter, 0);
        if (fighter->answers[0].error == 0) known = fighter->answers[0].seat_count;
    }
    *ret_seats = (struct numbers){0};
    while (ret_seats->count < wanted) {
        uint32_t number = 1 + random_index(&fighter->random, SEATS);
        if (known >= wanted) {
            number = fighter->answers[0].seats[random_index(&fighter->random, known)].number;
        }
        bool again = false;
        for (uint32_t i = 0; i < ret_seats->count; i++) again |= ret_seats->values[i] == number;
        if (!again) ret_seats->values[ret_seats->count++] = number;
    }
}

static void hold(struct fighter *fighter, struct fight_fan *fan) {
    struct numbers seats;
    const uint32_t before = fan->seat_count;
    pick(fighter, fan, &seats);
    ask_hold(&fighter->ask, fan->token, seats.values, seats.count);
    uint32_t copies = ask_now(fighter, 25);
    for (uint32_t i = 0; i < copies; i++) {
        const struct caller_answer *answer = &fighter->answers[i];
        switch (answer->error) {
        case ERROR_NONE: note_held(fighter, fan, &seats, answer); break;
        case ERROR_SEAT_LIMIT:
            WORKER_CHECK(fighter->worker, answer->data[1] == before,
                         "%" PRIu64 " seats are counted, not %u", answer->data[1], before);
            __attribute__((fallthrough));
        case ERROR_SEAT_TAKEN:
        case ERROR_SEAT_YOURS:
            write_diary(fighter, fan, DIARY_REFUSED, answer,
                        (struct diary_entry){.error = answer->error,
                                             .seats = seats,
                                             .data = {answer->data[0], answer->data[1]}});
            break;
        case ERROR_TOKEN_EXPIRED: fan->has_token = false; break;
        default: unexpected(fighter, answer);
        }
    }
}

static void release(struct fighter *fighter, struct fight_fan *fan, struct reservation_kept *kept) {
    ask_release(&fighter->ask, kept->token, kept->id);
    uint32_t copies = ask_now(fighter, 25);
    for (uint32_t i = 0; i < copies; i++) {
        if (fighter->answers[i].error != 0) unexpected(fighter, &fighter->answers[i]);
    }
    kept->state = 0;
    fan->seat_count -= kept->seats.count;
    write_diary(fighter, fan, DIARY_RELEASED, &fighter->answers[0],
                (struct diary_entry){.reservation = kept->id, .amount = kept->amount});
}

/* --- paying ----------------------------------------------------------------------------------- */

static void next_key(struct fighter *fighter, struct fight_fan *fan, char ret_key[64]) {
    (void)snprintf(ret_key, 64, "%u-%u-%u", fighter->date, fighter->worker->index, ++fan->key);
}

static struct id128 digest_of(const char *key) {
    struct id128 digest;
    key_digest(key, (uint32_t)strlen(key), &digest);
    return digest;
}

static void charge(struct fighter *fighter, struct fight_fan *fan, uint64_t amount) {
    char key[64];
    next_key(fighter, fan, key);
    ask_charge(&fighter->ask, &fan->user, amount, key);
    uint32_t copies = ask_now(fighter, 30);
    fan->balance += amount;
    for (uint32_t i = 0; i < copies; i++) {
        const struct caller_answer *answer = &fighter->answers[i];
        if (answer->error != 0) unexpected(fighter, answer);
        WORKER_CHECK(fighter->worker, answer->balance == fan->balance,
                     "a balance of %" PRIu64 " and not %" PRIu64, answer->balance, fan->balance);
    }
    write_diary(fighter, fan, DIARY_CHARGED, &fighter->answers[0],
                (struct diary_entry){.amount = amount, .key = digest_of(key)});
}

/* Too little money: refused with the shortfall, and the hold stays (P2). */
static void pay_without_money(struct fighter *fighter, struct fight_fan *fan,
                              const struct reservation_kept *kept) {
    char key[64];
    next_key(fighter, fan, key);
    ask_pay(&fighter->ask, kept->token, kept->id, key);
    (void)ask_now(fighter, 0);
    const struct caller_answer *answer = &fighter->answers[0];
    if (answer->error != ERROR_INSUFFICIENT_FUNDS) unexpected(fighter, answer);
    WORKER_CHECK(fighter->worker,
                 answer->data[0] == fan->balance && answer->data[1] == kept->amount &&
                     answer->data[2] == kept->amount - fan->balance,
                 "a shortfall of %" PRIu64, answer->data[2]);
}

static void note_paid(struct fighter *fighter, struct fight_fan *fan, struct reservation_kept *kept,
                      const char *key, const struct caller_answer *answer) {
    if (kept->state == RESERVATION_HELD) {
        kept->state = RESERVATION_PAID;
        fan->balance -= kept->amount;
    }
    WORKER_CHECK(fighter->worker, answer->balance == fan->balance && answer->amount == kept->amount,
                 "balance %" PRIu64 " and not %" PRIu64, answer->balance, fan->balance);
    write_diary(fighter, fan, DIARY_PAID, answer,
                (struct diary_entry){.reservation = kept->id,
                                     .payment = answer->payment,
                                     .amount = answer->amount,
                                     .key = digest_of(key)});
}

/* One click, two clicks with the same key, or two with different keys: charged once (P4). */
static void pay(struct fighter *fighter, struct fight_fan *fan, struct reservation_kept *kept) {
    char keys[2][64];
    const struct ask *const asks[2] = {&fighter->ask, &fighter->other};
    uint32_t copies = chance(fighter, 60) ? 2 : 1, paid = 0;
    bool different = chance(fighter, 33);
    if (fan->balance < kept->amount) {
        if (chance(fighter, 20)) pay_without_money(fighter, fan, kept);
        charge(fighter, fan, kept->amount - fan->balance + random_index(&fighter->random, 200));
    }
    next_key(fighter, fan, keys[0]);
    memcpy(keys[1], keys[0], sizeof keys[1]);
    if (different) next_key(fighter, fan, keys[1]);
    ask_pay(&fighter->ask, kept->token, kept->id, keys[0]);
    ask_pay(&fighter->other, kept->token, kept->id, keys[1]);
    caller_ask_copies(&fighter->caller, asks, copies, fighter->answers);
    for (uint32_t i = 0; i < copies; i++) {
        const struct caller_answer *answer = &fighter->answers[i];
        if (answer->error == 0) {
            note_paid(fighter, fan, kept, keys[i], answer);
            paid++;
        } else if (!different || (answer->error != ERROR_ALREADY_PAID &&
                                  answer->error != ERROR_PAYMENT_IN_PROGRESS)) {
            unexpected(fighter, answer);
        }
    }
    WORKER_CHECK(fighter->worker, paid == (different ? 1 : copies), "%u of %u clicks paid", paid,
                 copies);
    WORKER_CHECK(fighter->worker,
                 different || fighter->answers[0].payment == fighter->answers[copies - 1].payment,
                 "one key, two payments");
}

static void cancel(struct fighter *fighter, struct fight_fan *fan, struct reservation_kept *kept) {
    char key[64];
    next_key(fighter, fan, key);
    ask_cancel(&fighter->ask, &fan->user, kept->id, key);
    uint32_t copies = ask_now(fighter, 30);
    for (uint32_t i = 0; i < copies; i++) {
        const struct caller_answer *answer = &fighter->answers[i];
        if (answer->error != 0 || answer->reservation_state != RESERVATION_REFUNDED) {
            unexpected(fighter, answer);
        }
    }
    kept->state = 0;
    fan->balance += kept->amount;
    fan->seat_count -= kept->seats.count;
    write_diary(fighter, fan, DIARY_CANCELLED, &fighter->answers[0],
                (struct diary_entry){.reservation = kept->id, .amount = kept->amount});
}

/* --- a process -------------------------------------------------------------------------------- */

/* Any of the fan's reservations in this state, NULL if there is none. */
static struct reservation_kept *any(struct fighter *fighter, struct fight_fan *fan,
                                    uint32_t state) {
    struct reservation_kept *found = NULL;
    uint32_t seen = 0;
    for (uint32_t i = 0; i < fan->reservation_count; i++) {
        if (fan->reservations[i].state != state) continue;
        if (random_index(&fighter->random, ++seen) == 0) found = &fan->reservations[i];
    }
    return found;
}

static void take_turn(struct fighter *fighter, struct fight_fan *fan) {
    struct reservation_kept *held = any(fighter, fan, RESERVATION_HELD);
    struct reservation_kept *paid = any(fighter, fan, RESERVATION_PAID);
    uint32_t what = random_index(&fighter->random, 100);
    if (held && what < 45) {
        pay(fighter, fan, held);
    } else if (held && what < 65) {
        release(fighter, fan, held);
    } else if (paid && what < 75) {
        cancel(fighter, fan, paid);
    } else {
        if (!fan->has_token) enter(fighter, fan);
        hold(fighter, fan);
    }
}

/* What each fan has in the end, as counted here. */
static void settle(struct fighter *fighter, const struct fight_fan *fan) {
    for (uint32_t i = 0; i < fan->reservation_count; i++) {
        const struct reservation_kept *kept = &fan->reservations[i];
        if (kept->state == 0) continue;
        write_diary(fighter, fan, kept->state == RESERVATION_PAID ? DIARY_OWNS : DIARY_HOLDS, NULL,
                    (struct diary_entry){
                        .reservation = kept->id, .amount = kept->amount, .seats = kept->seats});
    }
    write_diary(fighter, fan, DIARY_BALANCE, NULL, (struct diary_entry){.balance = fan->balance});
}

static int fight(const struct worker *worker) {
    static struct fighter fighter;
    const struct workers_arena *arena = worker->arena;
    fighter.worker = worker;
    fighter.random = random_stream(arena->seed, worker->index);
    fighter.diary = diary_open(worker->directory, worker->index);
    caller_open(&fighter.caller, worker->url, 0);
    for (uint32_t round = 0; round < arena->date_count && !arena->failed; round++) {
        fighter.date = arena->dates[round];
        memset(fighter.fans, 0, sizeof fighter.fans);
        for (uint32_t i = 0; i < FANS; i++) {
            fighter.fans[i].user = test_user(round, worker->index, i);
        }
        worker_barrier(worker, round, BARRIER_MS);
        for (uint32_t turn = 0; turn < TURNS; turn++) {
            take_turn(&fighter, &fighter.fans[turn % FANS]);
        }
        for (uint32_t i = 0; i < FANS; i++) settle(&fighter, &fighter.fans[i]);
    }
    if (fclose(fighter.diary) != 0) return EXIT_FAILURE;
    caller_close(&fighter.caller);
    return EXIT_SUCCESS;
}

/* --- the test --------------------------------------------------------------------------------- */

static struct usherd_daemon usherd;
static struct workers workers;

static int set_up(void **state) {
    (void)state;
    daemon_create(&usherd, &(struct daemon_options){.shards = 2, .segment_mb = 16});
    return daemon_start(&usherd) ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    workers_kill(&workers);
    daemon_destroy(&usherd);
    return 0;
}

static void make_dates(struct workers_arena *arena) {
    static const char *const names[] = {"active_capacity",    "active_ttl_ms",    "hold_ttl_ms",
                                        "max_seats_per_user", "token_expires_on", NULL};
    struct caller admin;
    caller_open(&admin, usherd.admin_url, 0);
    uint64_t concert = caller_concert(&admin, "a fight");
    for (uint32_t i = 0; i < ROUNDS; i++) {
        /* Every third date ends tokens by the reservation already (Q10). */
        uint64_t expires_on = i % 3 == 2 ? TOKEN_EXPIRES_ON_RESERVATION : TOKEN_EXPIRES_ON_PAYMENT;
        const uint64_t values[] = {1000, HOUR_MS, HOUR_MS, SEATS_PER_FAN, expires_on};
        arena->dates[i] = caller_date(&admin, concert,
                                      &(struct caller_date){.title = "round",
                                                            .seat_count = SEATS,
                                                            .policy_names = names,
                                                            .policy_values = values});
    }
    arena->date_count = ROUNDS;
    caller_close(&admin);
}

/* Was it a fight at all? */
static void check_that_it_was_one(const struct oracle *oracle) {
    uint32_t sold_seats = 0;
    for (uint32_t i = 1; i <= oracle->date_count; i++) {
        const struct oracle_date *date = oracle->dates[i];
        for (uint32_t j = 1; j <= date->seat_count; j++) {
            sold_seats += date->seats[j].reservation != 0;
        }
    }
    note("%" PRIu64 " holds, %" PRIu64 " refused as taken, %" PRIu64 " sales, %" PRIu64
         " refunds; at the end %u of %u seats are taken",
         oracle->held, oracle->refused_taken, oracle->sold, oracle->refunds, sold_seats,
         ROUNDS * SEATS);
    assert_true(oracle->refused_taken > ROUNDS * 50u);
    assert_true(oracle->sold > ROUNDS * 20u);
    assert_true(oracle->refunds > ROUNDS);
    assert_true(sold_seats > ROUNDS * SEATS / 2);
}

static void sixteen_processes_fight_for_fifty_seats(void **state) {
    (void)state;
    struct oracle oracle;
    struct testimony testimony;
    struct world *world;
    struct recover_result replayed;
    struct workers_arena *arena = workers_arena(usherd.directory);
    arena->seed = random_seed_fresh();
    make_dates(arena);
    const uint64_t begin_us = monotonic_us();
    workers_start(&workers, "fight", usherd.directory, usherd.url, arena, PROCESSES);
    assert_true(workers_wait(&workers, TOTAL_MS));
    note("%u rounds in %" PRIu64 " ms", ROUNDS, (monotonic_us() - begin_us) / 1000);
    assert_int_equal(daemon_stop(&usherd), 0);

    oracle_init(&oracle, NULL);
    assert_true(history_read(usherd.data, oracle_visit, &oracle));
    (void)oracle_rest(&oracle);
    testimony_read(&testimony, usherd.directory, PROCESSES, &oracle);
    testimony_check(&testimony, true);
    testimony_check_owners(&testimony);
    check_that_it_was_one(&oracle);
    assert_int_equal(oracle.complaints, 0);
    testimony_free(&testimony);
    oracle_deinit(&oracle);

    assert_true(history_replay(usherd.data, &world, &replayed));
    assert_true(usherd.stopped.found);
    assert_true(world_hash(world) == usherd.stopped.hash);
    assert_true(replayed.hashes_verified > 0);
    world_free(world);
}

int main(int argc, char **argv) {
    static const struct worker_role roles[] = {{"fight", fight}, {0}};
    workers_main(argc, argv, roles);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sixteen_processes_fight_for_fifty_seats, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
