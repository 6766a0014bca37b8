/* test_fifo.c - first come, first served: sixteen processes in four small lines
 *
 * Dates that admit few at a time, 16 processes whose fans enter, poll, leave when it is their turn,
 * or give up earlier. Admission must follow the order of entry exactly. The oracle judges the log,
 * and the clients' own clocks bear witness: who had a place before another one asked for one is
 * before that one. Nobody who waits is ever told a longer line than before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
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
#define DATES 4u
#define FANS 40u /* of one process on one date */
#define TOTAL_MS 120000u
#define HOUR_MS 3600000u

/* What the dates admit: so many at once; so many in so many milliseconds (0: at once). */
static const uint64_t capacities[DATES] = {1, 3, 7, 10};
static const uint64_t per_interval[DATES] = {0, 0, 0, 5};
static const uint64_t interval_ms[DATES] = {0, 0, 0, 20};

struct fifo_waiter {
    char token[TOKEN_TEXT_BYTES + 1];
    uint32_t ahead; /* as told last */
    bool gone;
};

struct fifo_line {
    uint32_t date;
    uint32_t entered; /* waiters so far */
    uint32_t first;   /* the oldest who is not gone */
    struct fifo_waiter waiters[FANS];
};

struct visitor {
    const struct worker *worker;
    struct caller caller;
    FILE *diary;
    struct random random;
    struct fifo_line lines[DATES];
    struct ask ask;
    struct caller_answer answers[2];
};

static void enter(struct visitor *visitor, struct fifo_line *line) {
    const struct ask *const asks[2] = {&visitor->ask, &visitor->ask};
    const struct caller_answer *answer = &visitor->answers[0];
    struct diary_entry entry = {.kind = DIARY_ENTERED, .date = line->date};
    struct fifo_waiter *waiter = &line->waiters[line->entered];
    uint32_t copies = 1 + random_index(&visitor->random, 2);
    struct token token;
    entry.user = test_user(line->date, visitor->worker->index, line->entered++);
    ask_enter(&visitor->ask, line->date, &entry.user);
    caller_ask_copies(&visitor->caller, asks, copies, visitor->answers);
    REQUIRE(answer->status == CLIENT_OK && answer->error == 0);
    REQUIRE(token_parse(answer->token, TOKEN_TEXT_BYTES, &token));
    WORKER_CHECK(visitor->worker,
                 copies == 1 || strcmp(answer->token, visitor->answers[1].token) == 0,
                 "two places for one fan");
    memcpy(waiter->token, answer->token, sizeof waiter->token);
    waiter->ahead = answer->ahead;
    entry.place = token.place;
    entry.secret = token.secret;
    /* The entry happened between the first request and the first answer. */
    entry.sent_us = answer->sent_us;
    entry.received_us = answer->received_us;
    if (copies == 2 && visitor->answers[1].received_us < entry.received_us) {
        entry.received_us = visitor->answers[1].received_us;
    }
    diary_write(visitor->diary, &entry);
}

static void leave(struct visitor *visitor, struct fifo_waiter *waiter) {
    ask_token(&visitor->ask, "queue.leave", waiter->token);
    int error = caller_ask(&visitor->caller, &visitor->ask, &visitor->answers[0]);
    WORKER_CHECK(visitor->worker, error == 0, "leaving: %d", error);
    waiter->gone = true;
}

/* Ask where this waiter stands; leave when it is its turn, or on a whim. */
static void poll(struct visitor *visitor, struct fifo_waiter *waiter, bool whim) {
    const struct caller_answer *answer = &visitor->answers[0];
    ask_token(&visitor->ask, "queue.status", waiter->token);
    int error = caller_ask(&visitor->caller, &visitor->ask, &visitor->answers[0]);
    WORKER_CHECK(visitor->worker, error == 0 && answer->token_state != TOKEN_EXPIRED, "error %d",
                 error);
    WORKER_CHECK(visitor->worker, answer->ahead <= waiter->ahead, "%u ahead after %u",
                 answer->ahead, waiter->ahead);
    waiter->ahead = answer->ahead;
    if (answer->token_state == TOKEN_ACTIVE || whim) leave(visitor, waiter);
}

/* Return: false when nobody of this process stands in the line any more, nor will */
static bool visit(struct visitor *visitor, struct fifo_line *line) {
    if (line->entered < FANS && random_index(&visitor->random, 2) == 0) enter(visitor, line);
    while (line->first < line->entered && line->waiters[line->first].gone) line->first++;
    if (line->first == line->entered) return line->entered < FANS;
    poll(visitor, &line->waiters[line->first], false);
    uint32_t other = line->first + random_index(&visitor->random, line->entered - line->first);
    if (!line->waiters[other].gone && random_index(&visitor->random, 4) == 0) {
        poll(visitor, &line->waiters[other], random_index(&visitor->random, 4) == 0);
    }
    return true;
}

static int stand_in_line(const struct worker *worker) {
    static struct visitor visitor;
    const struct workers_arena *arena = worker->arena;
    const uint64_t give_up_us = monotonic_us() + TOTAL_MS * 1000ull;
    visitor.worker = worker;
    visitor.random = random_stream(arena->seed, worker->index);
    visitor.diary = diary_open(worker->directory, worker->index);
    caller_open(&visitor.caller, worker->url, 0);
    for (uint32_t i = 0; i < DATES; i++) visitor.lines[i].date = arena->dates[i];
    worker_barrier(worker, 0, TOTAL_MS);
    for (bool busy = true; busy && !arena->failed && monotonic_us() < give_up_us;) {
        busy = false;
        for (uint32_t i = 0; i < DATES; i++) busy = visit(&visitor, &visitor.lines[i]) || busy;
    }
    for (uint32_t i = 0; i < DATES; i++) {
        WORKER_CHECK(worker, visitor.lines[i].first == FANS, "date %u: the turn never came",
                     visitor.lines[i].date);
    }
    if (fclose(visitor.diary) != 0) return EXIT_FAILURE;
    caller_close(&visitor.caller);
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
    static const char *const names[] = {"active_capacity",    "active_ttl_ms",
                                        "waiting_timeout_ms", "admit_per_interval",
                                        "admit_interval_ms",  NULL};
    struct caller admin;
    caller_open(&admin, usherd.admin_url, 0);
    uint64_t concert = caller_concert(&admin, "lines");
    for (uint32_t i = 0; i < DATES; i++) {
        const uint64_t values[] = {capacities[i], HOUR_MS, HOUR_MS, per_interval[i],
                                   interval_ms[i]};
        arena->dates[i] = caller_date(
            &admin, concert,
            &(struct caller_date){
                .title = "line", .seat_count = 1, .policy_names = names, .policy_values = values});
    }
    arena->date_count = DATES;
    caller_close(&admin);
}

static void admission_follows_entry(void **state) {
    (void)state;
    struct oracle oracle;
    struct testimony testimony;
    struct workers_arena *arena = workers_arena(usherd.directory);
    arena->seed = random_seed_fresh();
    make_dates(arena);
    workers_start(&workers, "line", usherd.directory, usherd.url, arena, PROCESSES);
    assert_true(workers_wait(&workers, TOTAL_MS));
    assert_int_equal(daemon_stop(&usherd), 0);

    oracle_init(&oracle, NULL);
    assert_true(history_read(usherd.data, oracle_visit, &oracle));
    testimony_read(&testimony, usherd.directory, PROCESSES, &oracle);
    testimony_check(&testimony, true);
    testimony_check_order(&testimony);
    assert_int_equal(oracle.complaints, 0);
    for (uint32_t i = 0; i < DATES; i++) {
        const struct oracle_date *date = oracle.dates[arena->dates[i]];
        assert_int_equal(date->place_count,
                         PROCESSES * FANS); /* copies of an entry are one entry */
        /* The oracle has found it never above; admission by interval may never fill it. */
        if (per_interval[i] == 0) assert_int_equal(date->active_most, capacities[i]);
        for (uint32_t place = 1; place <= date->place_count; place++) {
            assert_int_equal(date->places[place].state, TOKEN_EXPIRED);
        }
    }
    note("%" PRIu64 " of %u were admitted, the others gave up", oracle.admitted,
         DATES * PROCESSES * FANS);
    assert_true(oracle.admitted > DATES * PROCESSES * FANS / 2);
    testimony_free(&testimony);
    oracle_deinit(&oracle);
}

int main(int argc, char **argv) {
    static const struct worker_role roles[] = {{"line", stand_in_line}, {0}};
    workers_main(argc, argv, roles);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(admission_follows_entry, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
