/* bench_wal.c - the log alone, as fast as it goes, beside fio with the same writes
 *
 * usage: bench_wal [MIB [FOLDER]]
 *
 * One appender hands drains of records to the log without pause, as the busiest of all shards
 * would; the log writes them to the disk (FOLDER: $TMPDIR or /tmp) with the storage that the daemon
 * has. Then fio, if it is installed, writes as many bytes with the same flags, one write after the
 * other, each of the size that the log's had on average. Rounds take turns; medians, and the median
 * of the ratios of neighbours.
 */
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/measure.h"
#include "engine/domain/decision.h"
#include "engine/base/limits.h"
#include "engine/base/require.h"
#include "tools/common/complain.h"
#include "tools/common/system_ports.h"
#include "wal/wal.h"

#define ROUNDS 5
#define DRAIN_BYTES (64u * 1024u)

struct wal_bench {
    const char *folder;
    uint64_t bytes; /* to append in a round */
    uint8_t drain[DRAIN_BYTES];
    uint32_t drain_bytes, drain_records;
    struct clock_port clock;
    struct entropy_port entropy;
};

static _Noreturn void fail(const char *what, const char *why) {
    complain("%s: %s", what, why);
    exit(1);
}

/* A drain of holds of one seat each, as a shard hands it over. */
static void fill_drain(struct wal_bench *bench) {
    struct decision held = {
        .kind = DECISION_SEATS_HELD,
        .partition = partition_of_date(1),
        .time_ms = 1700000000000,
        .seats_held = {.place = 1, .seats = {.count = 1, .values = {1}}, .amount = 100}};
    while (bench->drain_bytes + RECORD_BYTES_MAX <= DRAIN_BYTES) {
        held.seats_held.reservation++;
        bench->drain_bytes += decision_encode(&held, bench->drain + bench->drain_bytes);
        bench->drain_records++;
    }
}

static void remove_folder(const char *folder) {
    char command[600];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0) fail(folder, "cannot be removed");
}

/* Return: seconds; *ret_stats has what was written */
static double run_log(struct wal_bench *bench, struct wal_stats *ret_stats) {
    char folder[512];
    struct storage *storage;
    struct wal *wal;
    struct wal_error error;
    uint64_t lsn = 0, end;
    (void)snprintf(folder, sizeof folder, "%s/usher-bench-wal-%d", bench->folder, (int)getpid());
    if (mkdir(folder, 0700) != 0) fail(folder, "cannot be made");
    if (storage_uring_open(folder, "wal", &storage) != 0) fail(folder, "cannot be opened");
    const struct wal_options options = {
        .storage = storage, .clock = bench->clock, .entropy = bench->entropy, .appenders = 1};
    if (wal_open(&options, NULL, &wal, &error) != 0) fail("wal_open", error.text);
    if (wal_start(wal, &error) != 0) fail("wal_start", error.text);
    uint64_t begin = measure_ns(), appended = 0;
    while (appended < bench->bytes) {
        int rc = wal_append(wal, 0, bench->drain, bench->drain_bytes, &lsn);
        if (rc < 0) fail("wal_append", "the log has failed");
        if (rc == WAL_FULL) {
            (void)sched_yield(); /* the writer is behind: that is what is measured */
        } else {
            appended += bench->drain_bytes;
        }
    }
    end = lsn;
    while (wal_durable_lsn(wal) < end) (void)sched_yield();
    double seconds = (double)(measure_ns() - begin) / 1e9;
    wal_stats_get(wal, ret_stats);
    if (wal_stop(wal) != 0) fail("wal_stop", "the log has failed");
    wal_close(wal);
    storage->operations->destroy(storage);
    remove_folder(folder);
    return seconds;
}

/* fio's bandwidth in bytes a second with writes of so many bytes; 0: there is no fio */
static double run_fio(const struct wal_bench *bench, uint64_t block) {
    char command[900];
    unsigned long long kib = 0;
    /* Field 48 of its terse output is the write bandwidth in KiB/s. The file is written before, as
     * the log's segments are. */
    (void)snprintf(
        command, sizeof command,
        "command -v fio >/dev/null || exit 0; f='%s/usher-bench-fio-%d'; "
        "fio --name=l --filename=$f --size=%lluM --rw=write --bs=1M --direct=1 "
        "--end_fsync=1 --output=/dev/null && "
        "fio --name=l --filename=$f --size=%lluM --rw=write --bs=%llu --direct=1 "
        "--sync=dsync --ioengine=psync --overwrite=1 --minimal | cut -d';' -f48; rm -f $f",
        bench->folder, (int)getpid(), (unsigned long long)(bench->bytes >> 20),
        (unsigned long long)(bench->bytes >> 20), (unsigned long long)block);
    FILE *output = popen(command, "r");
    if (!output) fail("fio", "cannot be started");
    if (fscanf(output, "%llu", &kib) != 1) kib = 0;
    (void)pclose(output); /* what it printed is what counts */
    return (double)kib * 1024;
}

int main(int argc, char **argv) {
    static struct wal_bench bench;
    static double rates[ROUNDS], records[ROUNDS], fios[ROUNDS], ratios[ROUNDS];
    struct system_clock clock;
    uint64_t block = 0;
    const char *parent = getenv("TMPDIR");
    bench.folder = argc > 2 ? argv[2] : parent ? parent : "/tmp";
    bench.bytes = (argc > 1 ? strtoull(argv[1], NULL, 10) : 512) << 20;
    if (bench.bytes == 0) fail(argv[1], "wants a number of MiB");
    system_clock_init(&clock);
    system_clock_port(&clock, &bench.clock);
    system_entropy_port(&bench.entropy);
    fill_drain(&bench);
    for (int round = 0; round < ROUNDS; round++) {
        struct wal_stats stats;
        double seconds = run_log(&bench, &stats);
        block = stats.written_bytes / stats.writes / 4096 * 4096;
        rates[round] = (double)stats.written_bytes / seconds;
        records[round] = (double)stats.records / seconds;
        fios[round] = run_fio(&bench, block);
        ratios[round] = fios[round] > 0 ? rates[round] / fios[round] : 0;
    }
    printf("the log alone, %llu MiB of records of %u bytes, median of %d rounds\n",
           (unsigned long long)(bench.bytes >> 20), bench.drain_bytes / bench.drain_records,
           ROUNDS);
    printf("  log   %8.0f MB/s  %6.2f M records/s, writes of %llu KiB\n",
           measure_median(rates, ROUNDS) / 1e6, measure_median(records, ROUNDS) / 1e6,
           (unsigned long long)(block >> 10));
    printf("  fio   %8.0f MB/s\n  ratio %8.0f %%\n", measure_median(fios, ROUNDS) / 1e6,
           100 * measure_median(ratios, ROUNDS));
    return 0;
}
