/* test_daemon.c - a real usherd makes snapshots while it sells, is killed, and starts from them
 *
 * Buyers (tests/process/buyer.h) keep the log growing; snapshots are made as often as usherd
 * offers. What a start recovers from snapshot and tail is compared with the log replayed from
 * nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/process/buyer.h"
#include "tests/process/common.h"
#include "tests/process/daemon.h"
#include "tests/process/history.h"
#include "tests/support/random.h"

#define BUYERS 2u
#define WAIT_US 60000000u
#define LOOK_US 20000u
#define NAME_BYTES 64

static struct usherd_daemon usherd;
static struct workers workers;
static char archive[96];

static void start_with(const char *const *extra) {
    daemon_create(&usherd, &(struct daemon_options){.shards = 2, .segment_mb = 1, .extra = extra});
    assert_true(daemon_start(&usherd));
}

static int tear_down(void **state) {
    (void)state;
    workers_kill(&workers);
    daemon_destroy(&usherd);
    return 0;
}

static void begin_selling(void) {
    struct workers_arena *arena = workers_arena(usherd.directory);
    arena->seed = random_seed_fresh();
    buyer_dates(usherd.admin_url, arena);
    workers_start(&workers, "buyer", usherd.directory, usherd.url, arena, BUYERS);
}

static void end_selling(void) {
    workers.arena->stop = true;
    assert_true(workers_wait(&workers, WAIT_US / 1000));
}

/* Files of a folder that begin and end so. @ret_last: the highest name */
static uint32_t count_files(const char *folder, const char *begin, const char *end,
                            char ret_last[NAME_BYTES]) {
    char path[160];
    uint32_t count = 0;
    (void)snprintf(path, sizeof path, "%s/%s", usherd.data, folder);
    DIR *directory = opendir(folder[0] == '/' ? folder : path);
    ret_last[0] = '\0';
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        size_t length = strlen(entry->d_name);
        if (length >= NAME_BYTES || length < strlen(end)) continue;
        if (strncmp(entry->d_name, begin, strlen(begin)) != 0) continue;
        if (strcmp(entry->d_name + length - strlen(end), end) != 0) continue;
        if (strcmp(entry->d_name, ret_last) > 0) memcpy(ret_last, entry->d_name, length + 1);
        count++;
    }
    if (directory) (void)closedir(directory);
    return count;
}

static uint32_t snapshots(char ret_newest[NAME_BYTES]) {
    return count_files("snapshots", "snap-", ".snp", ret_newest);
}

/* Until there is a snapshot that is newer than this one. */
static void wait_for_snapshot(const char *than, char ret_newest[NAME_BYTES]) {
    const uint64_t deadline_us = monotonic_us() + WAIT_US;
    while (snapshots(ret_newest) == 0 || strcmp(ret_newest, than) <= 0) {
        assert_true(workers_running(&workers));
        assert_true(monotonic_us() < deadline_us);
        pause_us(LOOK_US);
    }
}

/* What the daemon has recovered is what the log gives, replayed from nothing up to there. */
struct daemon_retracing {
    struct world *world;
    uint64_t lsn, hash;
};
static void retrace(void *context, const struct decision *decision, uint64_t lsn) {
    struct daemon_retracing *retracing = context;
    assert_int_equal(world_apply(retracing->world, decision), WORLD_APPLIED);
    if (lsn == retracing->lsn) retracing->hash = world_hash(retracing->world);
}
static void check_recovered(void) {
    static const struct id128 seed = {{5}};
    struct daemon_retracing retracing = {.world = world_create(&seed), .lsn = usherd.recovered.lsn};
    assert_true(usherd.recovered.found);
    assert_true(history_read(usherd.data, retrace, &retracing));
    assert_true(retracing.hash == usherd.recovered.hash);
    world_free(retracing.world);
}

static bool has_complained(const char *words) {
    char path[96], line[1024];
    bool found = false;
    (void)snprintf(path, sizeof path, "%s/stderr", usherd.directory);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) found = found || strstr(line, words);
    if (file) (void)fclose(file);
    return found;
}

static void flip_byte(const char *name, off_t offset) {
    char path[160];
    uint8_t byte = 0;
    (void)snprintf(path, sizeof path, "%s/snapshots/%s", usherd.data, name);
    int file = open(path, O_RDWR | O_CLOEXEC);
    assert_true(file >= 0 && pread(file, &byte, 1, offset) == 1);
    byte ^= 0x10;
    assert_true(pwrite(file, &byte, 1, offset) == 1);
    assert_int_equal(close(file), 0);
}

static void starts_from_snapshot_and_tail(void **state) {
    (void)state;
    static const char *const extra[] = {"--snapshot-mib", "1", NULL};
    char newest[NAME_BYTES], words[128];
    uint64_t seed = random_seed_fresh();
    struct random random = random_stream(seed, 1);
    start_with(extra);
    begin_selling();
    newest[0] = '\0';
    for (int kill = 0; kill < 6; kill++) {
        char before[NAME_BYTES];
        memcpy(before, newest, sizeof before);
        wait_for_snapshot(before, newest);
        pause_us(random_index(&random, 1500000)); /* some hit a snapshot that is being made */
        daemon_kill(&usherd);
        (void)snapshots(newest);
        if (kill == 3) flip_byte(newest, 4096 + 100);
        assert_true(daemon_start(&usherd));
        (void)snprintf(words, sizeof words, "snapshot %s of LSN ", newest);
        assert_true((strstr(usherd.text, words) != NULL) == (kill != 3));
        assert_non_null(strstr(usherd.text, "decisions after it, up to LSN "));
        check_recovered();
    }
    assert_true(has_complained("a snapshot is skipped: snapshot snap-"));
    end_selling();
    assert_int_equal(daemon_stop(&usherd), 0);
    struct world *world;
    struct recover_result replayed;
    assert_true(history_replay(usherd.data, &world, &replayed));
    assert_true(replayed.world_hash == usherd.stopped.hash);
    world_free(world);
}

static void the_log_moves_to_the_archive(void **state) {
    (void)state;
    const char *const extra[] = {"--snapshot-mib",  "1", "--archive", archive,
                                 "--snapshot-keep", "2", NULL};
    char last[NAME_BYTES];
    (void)snprintf(archive, sizeof archive, "/tmp/usher-archive-%d", (int)getpid());
    start_with(extra);
    begin_selling();
    char folder[128];
    (void)snprintf(folder, sizeof folder, "%s/wal", archive);
    const uint64_t deadline_us = monotonic_us() + WAIT_US;
    while (count_files(folder, "wal-", ".seg", last) < 3) {
        assert_true(workers_running(&workers) && monotonic_us() < deadline_us);
        pause_us(LOOK_US);
    }
    daemon_kill(&usherd);
    assert_true(daemon_start(&usherd));
    end_selling();
    assert_int_equal(daemon_stop(&usherd), 0);
    assert_true(snapshots(last) >= 2 && snapshots(last) <= 3);

    /* Without a snapshot and without the archive there is no state: refused, and said why. */
    char command[512];
    (void)snprintf(command, sizeof command, "mv %s/snapshots %s/aside", usherd.data,
                   usherd.directory); /* fits */
    assert_int_equal(system(command), 0);
    assert_false(daemon_start(&usherd));
    daemon_kill(&usherd);
    assert_true(has_complained("from the archive"));

    /* With the archive in its place, the log has all of it. */
    (void)snprintf(command, sizeof command, "cp %s/wal/wal-*.seg %s/wal/ && rm -r %s", archive,
                   usherd.data, archive); /* fits */
    assert_int_equal(system(command), 0);
    assert_true(daemon_start(&usherd));
    check_recovered();
    assert_int_equal(daemon_stop(&usherd), 0);
}

static void a_log_that_lost_its_end_is_refused(void **state) {
    (void)state;
    static const char *const extra[] = {"--snapshot-mib", "1", NULL};
    char newest[NAME_BYTES], path[200], command[512];
    start_with(extra);
    begin_selling();
    wait_for_snapshot("", newest);
    end_selling();
    assert_int_equal(daemon_stop(&usherd), 0);
    (void)snprintf(command, sizeof command,
                   "cd %s/wal && mkdir ../lost && mv $(ls wal-*.seg | tail -n +2) ../lost",
                   usherd.data); /* fits */
    assert_int_equal(system(command), 0);
    assert_false(daemon_start(&usherd));
    daemon_kill(&usherd);
    (void)snapshots(newest);
    assert_true(has_complained("others have seen it durable up to LSN"));
    assert_true(has_complained(newest));
    (void)snprintf(path, sizeof path, "%s/wal/wal-0000000000000001.seg", usherd.data);
    (void)snprintf(command, sizeof command, "mv %s %s/lost", path, usherd.data);
    assert_int_equal(system(command), 0);
    assert_false(daemon_start(&usherd)); /* all of it */
    daemon_kill(&usherd);
    assert_true(has_complained("has no log, but"));
    (void)snprintf(command, sizeof command, "mv %s/lost/* %s/wal", usherd.data, usherd.data);
    assert_int_equal(system(command), 0);
    assert_true(daemon_start(&usherd)); /* nothing was changed by refusing */
    check_recovered();
    assert_int_equal(daemon_stop(&usherd), 0);
}

static void sales_go_on_where_snapshots_fail(void **state) {
    (void)state;
    static const char *const extra[] = {"--snapshot-mib", "1", NULL};
    char path[96], newest[NAME_BYTES];
    start_with(extra);
    (void)snprintf(path, sizeof path, "%s/snapshots.LOCK", usherd.data);
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(lock >= 0 && flock(lock, LOCK_EX) == 0); /* somebody makes one, and hangs */
    begin_selling();
    const uint64_t deadline_us = monotonic_us() + WAIT_US;
    while (!has_complained("no new snapshot; sales go on")) {
        assert_true(workers_running(&workers) && monotonic_us() < deadline_us);
        pause_us(LOOK_US);
    }
    assert_true(has_complained("another process is making a snapshot of this folder"));
    uint64_t before = workers.arena->progress[0];
    while (workers.arena->progress[0] < before + 100) {
        assert_true(workers_running(&workers) && monotonic_us() < deadline_us);
        pause_us(LOOK_US);
    }
    end_selling();
    assert_int_equal(daemon_stop(&usherd), 0);
    assert_int_equal(snapshots(newest), 0);
    assert_int_equal(close(lock), 0);
}

int main(int argc, char **argv) {
    static const struct worker_role roles[] = {{"buyer", buyer_run}, {0}};
    workers_main(argc, argv, roles);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(starts_from_snapshot_and_tail, tear_down),
        cmocka_unit_test_teardown(the_log_moves_to_the_archive, tear_down),
        cmocka_unit_test_teardown(a_log_that_lost_its_end_is_refused, tear_down),
        cmocka_unit_test_teardown(sales_go_on_where_snapshots_fail, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
