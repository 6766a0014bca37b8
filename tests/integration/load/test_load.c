/* test_load.c - an open loop shows a stall in every frame that it held up, a closed one hides it
 *
 * A server that answers one frame after the other stalls once. RATE frames a second are due,
 * whatever happens: those due during the stall wait for its rest, so that each latency from 0 to
 * the whole stall comes up once. What the quantiles must be at least follows from that alone and
 * holds on any machine: whatever else is slow only adds to a latency. What they may be at most
 * leaves room for a machine that has other things to do.
 *
 * The closed loop with the same server is the counter-example (Gil Tene's "coordinated omission"):
 * the stall counts in the two frames that were on their way, and the median knows nothing of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "bench/load.h"

#define RATE 1000u   /* frames a second */
#define FRAMES 300u  /* of a run: two of three are due during the stall */
#define STALL_AT 50u /* the stall begins when so many frames have come in */
#define STALL_MS 200u
/* What a loaded machine may add: four times as many processes as cores added 320. */
#define OVERHEAD_MS 2000u
#define ALARM_S 60u

/* --- the server ------------------------------------------------------------------------------- */

struct load_server {
    char url[32];
    nng_socket socket;
    pthread_t thread;
};

static void *serve(void *argument) {
    struct load_server *server = argument;
    const struct timespec stall = {.tv_nsec = STALL_MS * 1000000l};
    nng_msg *message;
    for (uint32_t n = 1; nng_recvmsg(server->socket, &message, 0) == 0; n++) {
        if (n == STALL_AT) {
            struct timespec left = stall;
            while (nanosleep(&left, &left) != 0) {}
        }
        if (nng_sendmsg(server->socket, message, 0) != 0) nng_msg_free(message);
    }
    return NULL;
}

static void server_start(struct load_server *server, const char *url) {
    (void)strcpy(server->url, url);
    assert_int_equal(nng_rep0_open(&server->socket), 0);
    assert_int_equal(nng_listen(server->socket, server->url, NULL, 0), 0);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static struct load_result run(const char *url, uint32_t in_flight, uint32_t rate) {
    static uint8_t bytes[FRAMES * 8];
    static uint32_t ends[FRAMES];
    for (uint32_t i = 0; i < FRAMES; i++) ends[i] = (i + 1) * 8;
    const struct frames frames = {bytes, ends, FRAMES};
    struct load_server server;
    server_start(&server, url);
    struct load_result result = load_run(server.url, &frames, in_flight, rate);
    (void)nng_close(server.socket); /* ends the thread; nothing is under way */
    assert_int_equal(pthread_join(server.thread, NULL), 0);
    assert_int_equal(result.frames, FRAMES);
    assert_int_equal(result.reply_bytes, sizeof bytes);
    print_message("# %u in flight, rate %u: p50 %llu us, p99 %llu us, p99.9 %llu us, %.3f s\n",
                  in_flight, rate, (unsigned long long)result.p50_us,
                  (unsigned long long)result.p99_us, (unsigned long long)result.p999_us,
                  result.seconds);
    return result;
}

/* --- what must come out ----------------------------------------------------------------------- */

/* A frame is due every millisecond of the stall and waits for its end: the k-th greatest of all
 * latencies is at least STALL_MS - k ms. */
static void demand_quantile(uint64_t got_us, uint32_t millionths) {
    uint64_t rank = ((uint64_t)FRAMES * millionths + 999999) / 1000000;
    uint64_t kth = FRAMES - rank + 1, ms_each = 1000 / RATE;
    uint64_t least_ms = kth * ms_each < STALL_MS ? STALL_MS - kth * ms_each : 0;
    assert_true(got_us >= least_ms * 1000);
    assert_true(got_us <= (least_ms + OVERHEAD_MS) * 1000);
}

static void demand_open_loop(const struct load_result *result) {
    demand_quantile(result->p50_us, 500000);
    demand_quantile(result->p99_us, 990000);
    demand_quantile(result->p999_us, 999000);
    /* The last frame was not sent before it was due. */
    assert_true(result->seconds >= (FRAMES - 1.0) / RATE);
    assert_true(result->seconds < (double)FRAMES / RATE + OVERHEAD_MS / 1000.0);
}

static void open_loop_shows_a_stall(void **state) {
    (void)state;
    struct load_result result = run("inproc://load-open", 512, RATE);
    demand_open_loop(&result);
}

/* Frames that are due wait for a free caller as well: their latency is the same. */
static void open_loop_with_few_callers_shows_it_too(void **state) {
    (void)state;
    struct load_result result = run("inproc://load-few", 2, RATE);
    demand_open_loop(&result);
}

static void closed_loop_hides_it(void **state) {
    (void)state;
    struct load_result result = run("inproc://load-closed", 2, 0);
    assert_true(result.p50_us < STALL_MS * 1000 / 4);
    assert_true(result.p999_us >= STALL_MS * 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open_loop_shows_a_stall),
        cmocka_unit_test(open_loop_with_few_callers_shows_it_too),
        cmocka_unit_test(closed_loop_hides_it),
    };
    (void)alarm(ALARM_S);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
