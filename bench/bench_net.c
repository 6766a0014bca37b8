/* bench_net.c - durable holds per second through nng, against an nng echo in the same run
 *
 * usage: bench_net USHERD [HOLDS]
 *
 * Starts the daemon and an echo server as processes of their own, adds dates with enough seats,
 * prepares frames of seats.hold requests (each a different free seat), and sends them closed-loop
 * from nng REQ contexts: one request a frame with 256 in flight, 64 a frame with 16 in flight. The
 * echo gets the same frames and answers as many bytes as the engine does. Rounds are interleaved
 * (engine, echo, engine, echo ...); quoted are medians of the rates and of the ratios of
 * neighbours. At the end the engine must show exactly as many held seats as holds were sent.
 */
#include <signal.h>
#include <string.h>

#include "bench/load.h"
#include "bench/measure.h"
#include "bench/sale_fixture.h"

#define ROUNDS 3
#define CONTEXTS 256u

struct net_bench {
    struct sale_fixture sale;
    char echo_url[128];
    pid_t echo;
};

static void start_echo(struct net_bench *bench, char *self, uint64_t small, uint64_t large) {
    char role[] = "--echo", sizes[2][16];
    FILE *output;
    (void)snprintf(sizes[0], sizeof sizes[0], "%llu", (unsigned long long)small);
    (void)snprintf(sizes[1], sizeof sizes[1], "%llu", (unsigned long long)large);
    bench->echo = sale_start((char *[]){self, role, sizes[0], sizes[1], NULL}, &output);
    if (fscanf(output, "%127s", bench->echo_url) != 1) sale_fail("the echo server did not start");
}

/* --- the runs --------------------------------------------------------------------------------- */

struct net_bench_figures {
    double engine[ROUNDS], echo[ROUNDS], ratio[ROUNDS];
    struct load_result latency; /* of the engine's last round */
};

static void measure(struct net_bench *bench, uint32_t round, uint32_t holds, uint32_t per_frame,
                    uint32_t in_flight, struct net_bench_figures *figures) {
    struct frames frames = sale_prepare(&bench->sale, holds / per_frame, per_frame);
    figures->latency = load_run(bench->sale.url, &frames, in_flight, 0);
    struct load_result echo = load_run(bench->echo_url, &frames, in_flight, 0);
    double sent = (double)(holds / per_frame * per_frame);
    figures->engine[round] = sent / figures->latency.seconds;
    figures->echo[round] = sent / echo.seconds;
    figures->ratio[round] = figures->engine[round] / figures->echo[round];
    free(frames.bytes);
    free(frames.ends);
}

static void report(const char *what, struct net_bench_figures *figures) {
    printf("  %-34s %10.0f %10.0f %7.0f %% %8llu %8llu %8llu\n", what,
           measure_median(figures->engine, ROUNDS), measure_median(figures->echo, ROUNDS),
           100 * measure_median(figures->ratio, ROUNDS),
           (unsigned long long)figures->latency.p50_us, (unsigned long long)figures->latency.p99_us,
           (unsigned long long)figures->latency.p999_us);
}

static void run(struct net_bench *bench, char *self, uint32_t holds) {
    struct frames warm[2] = {sale_prepare(&bench->sale, 2000, 1),
                             sale_prepare(&bench->sale, 200, 64)};
    struct load_result small = load_run(bench->sale.url, &warm[0], 16, 0);
    struct load_result large = load_run(bench->sale.url, &warm[1], 16, 0);
    start_echo(bench, self, small.reply_bytes / small.frames, large.reply_bytes / large.frames);
    static struct net_bench_figures one, many;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        measure(bench, round, holds / 5, 1, 256, &one);
        measure(bench, round, holds, 64, 16, &many);
    }
    printf("durable holds through nng over TCP, both ends on this machine, median of %d rounds;\n"
           "an echo of equal frames in the same run\n",
           ROUNDS);
    printf("  %-34s %10s %10s %9s %8s %8s %8s\n", "", "holds/s", "echo/s", "of echo", "p50 us",
           "p99 us", "p99.9 us");
    report("1 a frame, 256 frames in flight", &one);
    report("64 a frame, 16 frames in flight", &many);
    uint64_t held = sale_held_seats(&bench->sale);
    printf("  seats held: %llu, holds sent: %u\n", (unsigned long long)held, bench->sale.next);
    printf("  listeners replaced by the watchdog: %llu\n",
           (unsigned long long)sale_stats(&bench->sale, "net", "relistens"));
    if (held != bench->sale.next) sale_fail("some holds were refused or lost");
}

int main(int argc, char **argv) {
    if (argc == 4 && strcmp(argv[1], "--echo") == 0) {
        load_echo("tcp://127.0.0.1:0", (uint32_t)atoi(argv[2]), (uint32_t)atoi(argv[3]), CONTEXTS);
    }
    if (argc < 2) sale_fail("usage: bench_net USHERD [HOLDS]");
    uint32_t holds = argc > 2 ? (uint32_t)atoi(argv[2]) : 500000;
    static struct net_bench bench;
    sale_open(&bench.sale, argv[1], NULL, (uint64_t)ROUNDS * (holds + holds / 5) + 20000);
    run(&bench, argv[0], holds);
    kill(bench.echo, SIGKILL);
    return sale_close(&bench.sale);
}
