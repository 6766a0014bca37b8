/* test_open_loop.c - the open loop of bench/peers/callers.h shows a stall in every hold that it
 * held up
 *
 * RATE holds a second are due; what they ask is no server but a stand-in in the same thread that
 * answers at once, but for STALL_MS in the time that counts. The holds due meanwhile wait for the
 * stall's rest, so that each latency from 0 to the whole stall comes up once: what the quantiles
 * must be at least follows from that alone and holds on any machine. At most they may be what a
 * loaded machine adds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

#include "bench/peers/callers.h"

#define RATE 1000u /* holds a second */
#define SECONDS 1u /* that count */
#define STALL_FROM_US ((CALLERS_WARM_UP_MS + 200) * 1000)
#define STALL_MS 200u
#define HOLDS_MAX 100000u
#define OVERHEAD_MS 2000u /* see test_load.c */
#define ALARM_S 60u

struct open_loop_server {
    struct callers callers;
    bool blocks;              /* who asks waits meanwhile; else only the answers are late */
    bool stalled;             /* it was */
    uint32_t answered, asked; /* callers below these */
};

static void ask(void *context, uint32_t caller, const struct callers_hold *hold) {
    struct open_loop_server *server = context;
    uint32_t now_us = callers_clock_us(&server->callers);
    assert_int_equal(caller, server->asked);
    assert_int_equal(hold->number, caller);
    assert_true(now_us > caller * (1000000ull / RATE)); /* not before it is due */
    server->asked++;
    if (server->blocks && !server->stalled && now_us >= STALL_FROM_US) {
        server->stalled = true;
        usleep(STALL_MS * 1000);
    }
    if (!server->blocks && now_us >= STALL_FROM_US && now_us < STALL_FROM_US + STALL_MS * 1000) {
        server->stalled = true;
        return;
    }
    while (server->answered < server->asked) {
        callers_answer(&server->callers, server->answered++, true);
    }
}

/* The k-th greatest latency of those that count is at least STALL_MS - k ms. */
static void demand_quantile(const struct callers_figures *figures, uint64_t got_us,
                            uint32_t millionths) {
    uint64_t rank = (figures->count * millionths + 999999) / 1000000;
    uint64_t kth = figures->count - rank + 1, ms_each = 1000 / RATE;
    uint64_t least_ms = (kth + 1) * ms_each < STALL_MS ? STALL_MS - (kth + 1) * ms_each : 0;
    assert_true(got_us >= least_ms * 1000);
    assert_true(got_us <= (least_ms + OVERHEAD_MS) * 1000);
}

static void run(bool blocks) {
    const struct callers_options options = {.name = "test",
                                            .folder = "/",
                                            .callers = HOLDS_MAX,
                                            .seats = HOLDS_MAX,
                                            .seconds = SECONDS,
                                            .rate = RATE};
    static struct open_loop_server server;
    struct callers_figures figures;
    server = (struct open_loop_server){.blocks = blocks};
    callers_begin(&server.callers, &options, 0);
    callers_open_loop(&server.callers, ask, &server);
    while (server.answered < server.asked) {
        callers_answer(&server.callers, server.answered++, true);
    }
    assert_true(callers_all_answered(&server.callers));
    callers_end(&server.callers);
    callers_figures(&server.callers, &figures);
    callers_free(&server.callers);
    print_message("# count %llu, p50 %llu us, p99 %llu us, p99.9 %llu us\n",
                  (unsigned long long)figures.count, (unsigned long long)figures.p50_us,
                  (unsigned long long)figures.p99_us, (unsigned long long)figures.p999_us);
    assert_true(server.stalled);
    /* Every hold of the time was asked for, late or not. */
    assert_int_equal(server.asked, (CALLERS_WARM_UP_MS + SECONDS * 1000) * RATE / 1000);
    assert_true(figures.count <= SECONDS * RATE + STALL_MS * RATE / 1000);
    demand_quantile(&figures, figures.p50_us, 500000);
    demand_quantile(&figures, figures.p99_us, 990000);
    demand_quantile(&figures, figures.p999_us, 999000);
}

static void late_answers_count(void **state) {
    (void)state;
    run(false);
}

static void who_asks_late_counts_too(void **state) {
    (void)state;
    run(true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(late_answers_count),
        cmocka_unit_test(who_asks_late_counts_too),
    };
    (void)alarm(ALARM_S);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
