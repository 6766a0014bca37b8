/* bench_recovery.c - a great date from a snapshot's file: read, checksums, state, hashes
 *
 * usage: bench_recovery [WAITERS [SEATS [FOLDER]]]
 *
 * Fills a date: a quarter as many fans as there are seats are active, each holds two, every second
 * one has paid; a million others wait. Saves it as a snapshot on the disk (FOLDER: /tmp by
 * default), then loads it several times, past the page cache, as the daemon does it at its start.
 * Wall time: medians.
 */
#include <string.h>
#include <unistd.h>

#include "tests/support/stepper.h"
#include "bench/measure.h"
#include "engine/base/require.h"
#include "replay/snapshot/snapshot.h"
#include "replay/snapshot/snapshot_file.h"
#include "tools/common/complain.h"

#define ROUNDS 7
#define SEATS_EACH 2u

static const struct id128 seed = {{1}};

static struct stepper *fill(uint32_t waiters, uint32_t seats) {
    uint32_t active = seats / (2 * SEATS_EACH), next = 1;
    struct stepper *stepper = stepper_new(NULL);
    struct partition *date = stepper_date(stepper, seats, active);
    for (uint32_t n = 1; n <= active; n++) {
        struct token token = stepper_enter(stepper, date, n);
        for (uint32_t i = 0; i < SEATS_EACH; i++) {
            uint64_t reservation = stepper_hold(stepper, date, &token, next++);
            REQUIRE(reservation != 0);
            if (n % 2 == 0 && i + 1 == SEATS_EACH) { /* paying ends the time of being active */
                stepper_charge(stepper, n, 1000);
                stepper_pay(stepper, date, &token, reservation);
            }
        }
    }
    for (uint32_t n = active + 1; n <= active + waiters + active / 2; n++) {
        (void)stepper_enter(stepper, date, n);
    }
    return stepper;
}

static void report(const char *what, double *ns, uint64_t bytes) {
    double median = measure_median(ns, ROUNDS);
    printf("  %-36s %8.1f ms  %7.0f MiB/s\n", what, median / 1e6,
           (double)bytes / 1048576.0 / (median / 1e9));
}

static void run(struct storage *storage, struct stepper *stepper) {
    struct snapshot_info info = {.lsn = 1, .log_id = {1, 2, 3}};
    struct snapshot_error error;
    static double save[ROUNDS], check[ROUNDS], load[ROUNDS];
    char name[SNAPSHOT_NAME_BYTES];
    uint64_t hash = world_hash(stepper->world);
    snapshot_name(info.lsn, name);
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t begin = measure_ns();
        int rc = snapshot_save(storage, stepper->world, &info, NULL, NULL, &error);
        save[round] = (double)(measure_ns() - begin);
        if (rc < 0) complain("%s", error.text);
        REQUIRE(rc == 0);
    }
    stepper_free(stepper); /* a start has only one */
    for (int round = 0; round < ROUNDS; round++) {
        struct world *world;
        uint64_t begin = measure_ns();
        REQUIRE(snapshot_check(storage, name, NULL, &info, NULL, &error) == 0);
        check[round] = (double)(measure_ns() - begin);
        begin = measure_ns();
        int rc = snapshot_load(storage, name, &seed, &info, &world, &error);
        load[round] = (double)(measure_ns() - begin);
        if (rc < 0) complain("%s", error.text);
        REQUIRE(rc == 0 && world_hash(world) == hash);
        world_free(world);
    }
    printf("  %-36s %8.1f MiB\n", "file", (double)info.file_bytes / 1048576.0);
    report("write, sync, read back", save, info.file_bytes);
    report("read and compare checksums", check, info.file_bytes);
    report("read, load, compare hashes", load, info.file_bytes);
}

int main(int argc, char **argv) {
    uint32_t waiters = argc > 1 ? (uint32_t)atoi(argv[1]) : 1000000;
    uint32_t seats = argc > 2 ? (uint32_t)atoi(argv[2]) : 100000;
    char folder[256], command[300];
    (void)snprintf(folder, sizeof folder, "%s/usher-bench-XXXXXX", argc > 3 ? argv[3] : "/tmp");
    REQUIRE(mkdtemp(folder) != NULL);
    struct storage *storage;
    REQUIRE(storage_posix_open(folder, STORAGE_SNAPSHOTS, &storage) == 0);
    struct stepper *stepper = fill(waiters, seats);
    printf("snapshot of %u waiters and %u seats (half of them reserved), %llu decisions; median of "
           "%d rounds\n",
           waiters, seats, (unsigned long long)stepper->decisions, ROUNDS);
    run(storage, stepper);
    storage->operations->destroy(storage);
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) == 0 ? 0 : 1;
}
