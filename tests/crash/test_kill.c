/* test_kill.c - kill -9, fifty times in a row, while fans buy
 *
 * Four processes buy (tests/process/buyer.h) while usherd is killed at random moments: under load,
 * just after it says `ready`, and during its recovery; and started again on the same folder. The
 * buyers never notice but by waiting. In the end
 * - whatever was acknowledged to a client is in the log, and the log has nothing that nobody was
 *   told of; no seat is sold twice, no point is missing (the oracle, testimony.h);
 * - every restart recovered exactly the state that replaying the log up to there gives;
 * - a clean stop, two replays and one more start agree on the state hash.
 * The log's segments are the smallest that usherd offers, so that kills meet switches; snapshots
 * are made as often as it can, so that kills meet their making, and restarts begin with them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdlib.h>

#include "tests/process/buyer.h"
#include "tests/process/common.h"
#include "tests/process/daemon.h"
#include "tests/process/history.h"
#include "tests/process/testimony.h"
#include "tests/support/random.h"

#define KILLS 50u
#define BUYERS 4u /* the first one pays in bursts */
#define LOAD_US_MAX 1500000u
#define BURST_WAIT_US 5000000u
#define BURST_US_MAX 1500u
#define SETTLE_US 500000u
#define WORKERS_END_MS 60000u

static struct usherd_daemon usherd;
static struct workers workers;

/* What each restart said that it recovered. */
struct restarts {
    struct daemon_mark marks[KILLS + 1];
    uint32_t count;
};

static int set_up(void **state) {
    (void)state;
    static const char *const extra[] = {"--snapshot-mib", "1", NULL};
    daemon_create(&usherd, &(struct daemon_options){.shards = 4, .segment_mb = 1, .extra = extra});
    return daemon_start(&usherd) ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    workers_kill(&workers);
    daemon_destroy(&usherd);
    return 0;
}

static void start_again(struct restarts *restarts) {
    assert_true(daemon_start(&usherd));
    assert_true(usherd.recovered.found);
    restarts->marks[restarts->count++] = usherd.recovered;
}

/* Until fans pay, many at the same moment, and a little longer. */
static void wait_for_burst(struct random *random) {
    const uint64_t give_up_us = monotonic_us() + BURST_WAIT_US;
    const uint32_t before = workers.arena->bursts;
    while (workers.arena->bursts == before && monotonic_us() < give_up_us) pause_us(50);
    pause_us(random_index(random, BURST_US_MAX));
}

/* One in eight dies before it serves, one in eight as soon as it does, three in eight while many
 * payments are on their way, the others at any moment. */
static void kill_fifty_times(uint64_t seed, struct restarts *restarts) {
    struct random random = random_stream(seed, 1000);
    uint32_t early = 0, at_once = 0;
    bool up = true;
    for (uint32_t kills = 0; kills < KILLS; kills++) {
        assert_true(workers_running(&workers));
        uint32_t when = random_index(&random, 8);
        if (when == 0 && !up) {
            daemon_launch(&usherd);
            pause_us(random_index(&random, (uint32_t)usherd.ready_us + 1));
            early++;
        } else {
            if (!up) start_again(restarts);
            if (when >= 5) wait_for_burst(&random);
            if (when >= 2 && when < 5) pause_us(random_index(&random, LOAD_US_MAX));
            at_once += when == 1;
        }
        daemon_kill(&usherd);
        up = false;
    }
    start_again(restarts);
    note("%u kills, %u of them before `ready`, %u just after it; the last start took %" PRIu64
         " ms",
         KILLS, early, at_once, usherd.ready_us / 1000);
    assert_true(early > 0);
}

/* --- what every restart recovered ------------------------------------------------------------- */

struct kill_retracing {
    const struct restarts *restarts;
    struct world *world;
    struct oracle oracle;
    uint32_t next; /* mark */
    uint32_t disagree;
    uint64_t paying; /* payments that were under way at a restart */
};

static void retrace(void *context, const struct decision *decision, uint64_t lsn) {
    struct kill_retracing *retracing = context;
    oracle_visit(&retracing->oracle, decision, lsn);
    retracing->disagree += world_apply(retracing->world, decision) != WORLD_APPLIED;
    while (retracing->next < retracing->restarts->count &&
           retracing->restarts->marks[retracing->next].lsn <= lsn) {
        const struct daemon_mark *mark = &retracing->restarts->marks[retracing->next++];
        retracing->paying += retracing->oracle.paying;
        if (mark->lsn == lsn && mark->hash == world_hash(retracing->world)) continue;
        note("restart %u recovered LSN %" PRIu64 " with another state hash", retracing->next,
             mark->lsn);
        retracing->disagree++;
    }
}

static void check_log(const struct restarts *restarts) {
    static const struct id128 seed = {{3}};
    struct kill_retracing retracing = {.restarts = restarts, .world = world_create(&seed)};
    struct oracle *oracle = &retracing.oracle;
    struct testimony testimony;
    oracle_init(oracle, NULL);
    assert_true(history_read(usherd.data, retrace, &retracing));
    assert_int_equal(retracing.disagree, 0);
    assert_int_equal(retracing.next, restarts->count);
    assert_true(world_hash(retracing.world) == usherd.stopped.hash);
    world_free(retracing.world);
    (void)oracle_rest(oracle);
    testimony_read(&testimony, usherd.directory, BUYERS, oracle);
    testimony_check(&testimony, false);
    testimony_check_owners(&testimony);
    note("%" PRIu64 " decisions, %" PRIu64 " sales, %" PRIu64 " refunds; %u acknowledged payments; "
         "%" PRIu64 " payments were under way at a restart; %" PRIu64 " answers never came",
         oracle->decisions, oracle->sold, oracle->refunds, testimony.told[DIARY_PAID],
         retracing.paying, workers.arena->lost);
    assert_int_equal(oracle->complaints, 0);
    assert_true(testimony.told[DIARY_PAID] > KILLS);
    assert_true(workers.arena->lost > KILLS / 2); /* kills did hit requests, */
    assert_true(retracing.paying > 0);            /* and payments */
    testimony_free(&testimony);
    oracle_deinit(oracle);
}

static void nothing_acknowledged_is_lost(void **state) {
    (void)state;
    static struct restarts restarts;
    struct workers_arena *arena = workers_arena(usherd.directory);
    arena->seed = random_seed_fresh();
    buyer_dates(usherd.admin_url, arena);
    workers_start(&workers, "buyer", usherd.directory, usherd.url, arena, BUYERS);
    kill_fifty_times(arena->seed, &restarts);
    pause_us(SETTLE_US);
    arena->stop = true;
    assert_true(workers_wait(&workers, WORKERS_END_MS));
    assert_int_equal(daemon_stop(&usherd), 0);
    assert_true(usherd.stopped.found);
    const struct daemon_mark stopped = usherd.stopped;
    check_log(&restarts);

    for (int i = 0; i < 2; i++) {
        struct world *world;
        struct recover_result replayed;
        assert_true(history_replay(usherd.data, &world, &replayed));
        assert_true(replayed.world_hash == stopped.hash);
        assert_true(replayed.last_lsn == stopped.lsn);
        assert_true(replayed.hashes_verified > 0);
        world_free(world);
    }
    assert_true(daemon_start(&usherd));
    assert_true(usherd.recovered.found && usherd.recovered.hash == stopped.hash);
    assert_int_equal(daemon_stop(&usherd), 0);
}

static int buy(const struct worker *worker) {
    return worker->index == 0 ? buyer_burst_run(worker) : buyer_run(worker);
}

int main(int argc, char **argv) {
    static const struct worker_role roles[] = {{"buyer", buy}, {0}};
    workers_main(argc, argv, roles);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_acknowledged_is_lost, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
