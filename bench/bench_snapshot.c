/* bench_snapshot.c - what making a snapshot costs those who buy at that moment
 *
 * usage: bench_snapshot USHERD [ROUNDS [HOLDS_PER_SECOND]]
 *
 * A daemon that sells, a load that leaves room on the machine (holds, one a frame, open loop at a
 * fixed rate), and rounds that take turns: without, and with the daemon's own snapshot process
 * running all the time, one snapshot after the other, of a state of hundreds of thousands of seats.
 * Quoted are medians of the latencies and of the ratios of neighbours. A second table is a closed
 * loop: a machine without any room.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/load.h"
#include "bench/measure.h"
#include "bench/sale_fixture.h"

extern char **environ;

#define ROUNDS_MAX 31u
#define SECONDS 2u
#define IN_FLIGHT_MAX 1024u
#define CLIENTS_FULL 16u
#define FULL_RATE_MAX 20000u /* holds to prepare for a second of it */

/* One snapshot after the other while `go`. */
struct maker {
    char *usherd, *data;
    _Atomic bool go;
    uint32_t made;
    uint64_t ns;
    pthread_t thread;
};

/* Not by fork(): the copy of this process would cost the load more than the snapshot does. */
static pid_t spawn_worker(const struct maker *maker) {
    char parent[24], name[] = "usherd", option[] = "--snapshot-worker", keep[] = "1", no[] = "0",
                     all[] = "18446744073709551615", none[] = "";
    (void)snprintf(parent, sizeof parent, "%d", (int)getpid());
    /* All of the log, one snapshot kept, the log stays, no PostgreSQL, no archive. */
    char *const arguments[] = {name, option, parent, maker->data, all, keep, no, all, none, NULL};
    posix_spawn_file_actions_t actions;
    pid_t child;
    if (posix_spawn_file_actions_init(&actions) != 0 ||
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0) != 0 ||
        posix_spawn(&child, maker->usherd, &actions, NULL, arguments, environ) != 0) {
        sale_fail("posix_spawn");
    }
    (void)posix_spawn_file_actions_destroy(&actions); /* cannot fail */
    return child;
}

static void *make(void *context) {
    struct maker *maker = context;
    while (atomic_load(&maker->go)) {
        int status;
        uint64_t began = measure_ns();
        pid_t child = spawn_worker(maker);
        while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
        if (status != 0) sale_fail("the snapshot's process failed");
        maker->made++;
        maker->ns += measure_ns() - began;
    }
    return NULL;
}

struct snapshot_figures {
    double rate[2][ROUNDS_MAX], p50[2][ROUNDS_MAX], p99[2][ROUNDS_MAX], p999[2][ROUNDS_MAX];
    double ratio50[ROUNDS_MAX], ratio99[ROUNDS_MAX], ratio999[ROUNDS_MAX];
};

static void one_round(struct sale_fixture *sale, struct maker *maker, bool with, uint32_t holds,
                      uint32_t in_flight, uint32_t rate, uint32_t round,
                      struct snapshot_figures *figures) {
    struct frames frames = sale_prepare(sale, holds, 1);
    if (with) {
        atomic_store(&maker->go, true);
        if (pthread_create(&maker->thread, NULL, make, maker) != 0) sale_fail("thread");
    }
    struct load_result result = load_run(sale->url, &frames, in_flight, rate);
    if (with) {
        atomic_store(&maker->go, false);
        (void)pthread_join(maker->thread, NULL); /* the next round has the machine for itself */
    }
    figures->rate[with][round] = (double)holds / result.seconds;
    figures->p50[with][round] = (double)result.p50_us;
    figures->p99[with][round] = (double)result.p99_us;
    figures->p999[with][round] = (double)result.p999_us;
    free(frames.bytes);
    free(frames.ends);
}

static void run(struct sale_fixture *sale, char *usherd, const char *what, uint32_t rounds,
                uint32_t holds, uint32_t in_flight, uint32_t rate) {
    static struct snapshot_figures figures;
    struct maker maker = {.usherd = usherd, .data = sale->folder};
    for (uint32_t round = 0; round < rounds; round++) {
        bool first = round % 2 != 0; /* neither always goes first */
        one_round(sale, &maker, first, holds, in_flight, rate, round, &figures);
        one_round(sale, &maker, !first, holds, in_flight, rate, round, &figures);
        figures.ratio50[round] = figures.p50[1][round] / figures.p50[0][round];
        figures.ratio99[round] = figures.p99[1][round] / figures.p99[0][round];
        figures.ratio999[round] = figures.p999[1][round] / figures.p999[0][round];
    }
    printf("%s; median of %u rounds; %u snapshots, %.0f ms each\n", what, rounds, maker.made,
           maker.made ? (double)maker.ns / 1e6 / maker.made : 0);
    printf("  %-22s %10s %8s %8s %8s\n", "", "holds/s", "p50 us", "p99 us", "p99.9 us");
    for (int with = 0; with < 2; with++) {
        printf("  %-22s %10.0f %8.0f %8.0f %8.0f\n", with ? "a snapshot being made" : "no snapshot",
               measure_median(figures.rate[with], rounds),
               measure_median(figures.p50[with], rounds), measure_median(figures.p99[with], rounds),
               measure_median(figures.p999[with], rounds));
    }
    printf("  %-22s %10s %+7.1f%% %+7.1f%% %+7.1f%%\n", "ratio of neighbours", "",
           100 * measure_median(figures.ratio50, rounds) - 100,
           100 * measure_median(figures.ratio99, rounds) - 100,
           100 * measure_median(figures.ratio999, rounds) - 100);
}

int main(int argc, char **argv) {
    if (argc < 2) sale_fail("usage: bench_snapshot USHERD [ROUNDS [HOLDS_PER_SECOND]]");
    uint32_t rounds = argc > 2 ? (uint32_t)atoi(argv[2]) : 9;
    uint32_t rate = argc > 3 ? (uint32_t)atoi(argv[3]) : 6400;
    if (rounds < 1 || rounds > ROUNDS_MAX || rate < 1000)
        sale_fail("1 to 31 rounds, 1000 holds/s or more");
    uint32_t paced = SECONDS * rate, full = SECONDS * FULL_RATE_MAX;
    char snapshots[] = "--snapshot-mib=0"; /* they are made when the bench says so */
    static struct sale_fixture sale;
    sale_open(&sale, argv[1], (char *[]){snapshots, NULL}, 2ull * rounds * (paced + full) + 20000);
    struct frames warm = sale_prepare(&sale, 20000, 1);
    struct load_result result = load_run(sale.url, &warm, CLIENTS_FULL, 0);
    double seconds = (double)full / warm.count * result.seconds;
    if (seconds > SECONDS) full = (uint32_t)((double)full * SECONDS / seconds);
    printf("%u dates, %u seats\n", sale.dates, sale.dates * SALE_SEATS_PER_DATE);
    run(&sale, argv[1], "a load that leaves room", rounds, paced, IN_FLIGHT_MAX, rate);
    run(&sale, argv[1], "a load that takes all there is", rounds, full, CLIENTS_FULL, 0);
    if (sale_held_seats(&sale) != sale.next) sale_fail("some holds were refused or lost");
    return sale_close(&sale);
}
