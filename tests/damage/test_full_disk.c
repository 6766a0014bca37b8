/* test_full_disk.c - the disk is full, really: usherd on a small ext4 file system while fans buy
 *
 * The log finds no room for its next segment: the engine says so and ends, without having told
 * anybody anything that is not on the disk; it says so again as long as there is no room, and goes
 * on where it was when there is. A snapshot finds no room: the engine goes on selling. Skipped
 * where a file system cannot be mounted.
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
#include <sys/wait.h>
#include <unistd.h>

#include "tests/damage/small_disk.h"
#include "tests/process/buyer.h"
#include "tests/process/caller.h"
#include "tests/process/common.h"
#include "tests/process/daemon.h"
#include "tests/process/history.h"
#include "tests/process/testimony.h"
#include "tests/support/random.h"

/* A disk on which a log soon finds no room for its next segment of a MiB; one with segments that
 * last for seconds, so that the log needs none while the disk is full; one that nobody fills. */
#define SMALL_MIB 16u
#define MEDIUM_MIB 128u
#define MEDIUM_SEGMENT_MIB 24u
#define ROOMY_MIB 256u
#define BUYERS 3u /* the first one pays in bursts */
#define FULL_MS_MAX 120000u
#define END_MS_MAX 60000u
#define SELL_US 700000u
#define ANSWERS 300u

static struct usherd_daemon usherd;
static struct workers workers;
static struct small_disk disk;

static int set_up_on(uint32_t mib, uint32_t segment_mib) {
    static const char *const extra[] = {"--snapshot-mib", "0", NULL};
    daemon_create(&usherd,
                  &(struct daemon_options){.shards = 2, .segment_mb = segment_mib, .extra = extra});
    small_disk_mount(&disk, usherd.directory, usherd.data, mib);
    if (!daemon_start(&usherd)) return -1;
    struct workers_arena *arena = workers_arena(usherd.directory);
    arena->seed = random_seed_fresh();
    buyer_dates(usherd.admin_url, arena);
    workers_start(&workers, "buyer", usherd.directory, usherd.url, arena, BUYERS);
    return 0;
}

static int set_up_small(void **state) {
    (void)state;
    return set_up_on(SMALL_MIB, 1);
}

static int set_up_medium(void **state) {
    (void)state;
    return set_up_on(MEDIUM_MIB, MEDIUM_SEGMENT_MIB);
}

static int set_up_roomy(void **state) {
    (void)state;
    return set_up_on(ROOMY_MIB, 1);
}

static int tear_down(void **state) {
    (void)state;
    workers_kill(&workers);
    daemon_kill(&usherd);
    small_disk_unmount(&disk);
    daemon_destroy(&usherd);
    return 0;
}

/* What usherd has said on standard error, in all runs so far, from an offset on. */
static void complaints(char *ret_text, uint32_t size, long *offset) {
    char path[128];
    (void)snprintf(path, sizeof path, "%s/stderr", usherd.directory);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fseek(file, *offset, SEEK_SET), 0);
    size_t got = fread(ret_text, 1, size - 1, file);
    ret_text[got] = '\0';
    *offset = ftell(file);
    (void)fclose(file);
}

/* It has ended by itself, and said that there is no room, and for what. */
static void demand_no_room(long *offset) {
    char text[8192];
    int status = daemon_wait_end(&usherd, FULL_MS_MAX);
    complaints(text, sizeof text, offset);
    note("usherd ended with status %d and said: %s", status, text);
    assert_true(status > 0);
    assert_non_null(strstr(text, strerror(28))); /* ENOSPC */
    assert_non_null(strstr(text, "wal-"));
}

static uint64_t answers(void) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < BUYERS; i++) sum += workers.arena->progress[i];
    return sum;
}

static void demand_selling(void) {
    const uint64_t before = answers(), give_up_us = monotonic_us() + END_MS_MAX * 1000ull;
    while (answers() < before + ANSWERS && monotonic_us() < give_up_us) pause_us(1000);
    assert_true(answers() >= before + ANSWERS);
    assert_true(workers_running(&workers));
}

/* Everything that a client was told is in the log, and nothing else. */
static void end_and_check(void) {
    struct oracle oracle;
    struct testimony testimony;
    struct world *world;
    struct recover_result replayed;
    workers.arena->stop = true;
    assert_true(workers_wait(&workers, END_MS_MAX));
    assert_int_equal(daemon_stop(&usherd), 0);
    oracle_init(&oracle, NULL);
    assert_true(history_read(usherd.data, oracle_visit, &oracle));
    (void)oracle_rest(&oracle);
    testimony_read(&testimony, usherd.directory, BUYERS, &oracle);
    testimony_check(&testimony, false);
    testimony_check_owners(&testimony);
    note("%" PRIu64 " decisions, %" PRIu64 " sales, %u acknowledged payments, %" PRIu64
         " answers never came",
         oracle.decisions, oracle.sold, testimony.told[DIARY_PAID], workers.arena->lost);
    assert_int_equal(oracle.complaints, 0);
    assert_true(testimony.told[DIARY_PAID] > 0);
    testimony_free(&testimony);
    oracle_deinit(&oracle);
    assert_true(history_replay(usherd.data, &world, &replayed));
    assert_true(usherd.stopped.found && replayed.world_hash == usherd.stopped.hash);
    world_free(world);
}

static void a_full_log_loses_nothing_acknowledged(void **state) {
    (void)state;
    long offset = 0;
    demand_selling();
    small_disk_fill(&disk, 1536u << 10); /* one more segment, not two */
    demand_no_room(&offset);
    daemon_launch(&usherd); /* no room for the segment of a new epoch either */
    demand_no_room(&offset);
    assert_true(workers_running(&workers));
    small_disk_empty(&disk);
    assert_true(daemon_start(&usherd));
    demand_selling();
    end_and_check();
}

static void stats(struct caller_answer *ret_answer) {
    static struct caller caller;
    static struct ask ask;
    caller_open(&caller, usherd.url, 0);
    ask_begin(&ask, "system.stats", 0);
    assert_int_equal(caller_ask_until_answered(&caller, &ask, ret_answer), 0);
    caller_close(&caller);
}

/* What the log has is up to a second old in system.stats. */
static void stats_until(struct caller_answer *ret_answer,
                        bool (*is_so)(const struct caller_answer *answer)) {
    const uint64_t give_up_us = monotonic_us() + END_MS_MAX * 1000ull;
    do {
        stats(ret_answer);
        if (!is_so(ret_answer)) pause_us(50000);
    } while (!is_so(ret_answer) && monotonic_us() < give_up_us);
    assert_true(is_so(ret_answer));
}

static bool two_segments_are_there(const struct caller_answer *answer) {
    return answer->left_bytes > MEDIUM_SEGMENT_MIB << 20;
}

static bool the_next_is_missing(const struct caller_answer *answer) {
    return answer->segment_missing_bytes > 20u << 20;
}

/* The segment that is written and the one after it are there, so everything goes on; but whoever
 * looks is told, at the start too, and by how much. */
static void a_full_disk_is_told_a_segment_before(void **state) {
    (void)state;
    static struct caller_answer answer;
    char text[8192] = "";
    stats_until(&answer, two_segments_are_there);
    assert_int_equal(answer.segment_missing_bytes, 0);
    workers_kill(&workers);
    small_disk_fill(&disk, 1u << 20);
    assert_int_equal(daemon_stop(&usherd), 0);
    assert_true(daemon_start(&usherd));
    const uint64_t give_up_us = monotonic_us() + END_MS_MAX * 1000ull;
    while (!strstr(text, "room for the log") && monotonic_us() < give_up_us) {
        pause_us(10000);
        daemon_complained(&usherd, text, sizeof text);
    }
    note("usherd said: %s", text);
    assert_non_null(strstr(text, "room for the log: the log's next file of 24 MiB cannot be made"));
    assert_non_null(strstr(text, "MiB are missing"));
    stats_until(&answer, the_next_is_missing);
    assert_true(answer.segment_missing_bytes + answer.free_bytes >= MEDIUM_SEGMENT_MIB << 20);
    assert_true(answer.left_bytes > 20u << 20); /* so long it goes on */
    small_disk_empty(&disk);
    while (!strstr(text, "well again") && monotonic_us() < give_up_us) {
        pause_us(10000);
        daemon_complained(&usherd, text, sizeof text);
    }
    assert_non_null(strstr(text, "well again"));
    assert_int_equal(daemon_stop(&usherd), 0);
}

/* Return: exit status of `usher snapshot WHAT DATA`, its words on standard error in ret_text */
static int snapshot(const char *what, char *ret_text, size_t size) {
    char command[512];
    const char *usher = getenv("USHER");
    assert_non_null(usher);
    (void)snprintf(command, sizeof command, "'%.200s' snapshot %s '%.64s' 2>&1", usher, what,
                   usherd.data); /* fits */
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    ret_text[fread(ret_text, 1, size - 1, pipe)] = '\0';
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_snapshot_without_room_ends_nothing(void **state) {
    (void)state;
    char text[4096];
    demand_selling();
    assert_int_equal(snapshot("make", text, sizeof text), 0);
    demand_selling();
    small_disk_fill(&disk, 0);
    int status = snapshot("make", text, sizeof text);
    small_disk_empty(&disk); /* at once: the log needs room as well, some time */
    note("a snapshot without room: status %d, %s", status, text);
    assert_true(status > 0);
    assert_non_null(strstr(text, strerror(28))); /* ENOSPC */
    demand_selling();
    assert_int_equal(snapshot("verify", text, sizeof text), 0); /* the older one */
    assert_int_equal(snapshot("make", text, sizeof text), 0);
    assert_int_equal(snapshot("verify", text, sizeof text), 0);
    end_and_check();
}

static void a_second_engine_is_refused(void **state) {
    (void)state;
    struct usherd_daemon second;
    char path[128], text[4096] = "";
    daemon_create(&second, &(struct daemon_options){.shards = 2, .segment_mb = 1});
    (void)snprintf(second.data, sizeof second.data, "%s", usherd.data);
    daemon_launch(&second);
    assert_true(daemon_wait_end(&second, END_MS_MAX) > 0);
    (void)snprintf(path, sizeof path, "%s/stderr", second.directory);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    (void)fclose(file);
    note("the second engine said: %s", text);
    assert_non_null(strstr(text, "engine runs"));
    daemon_destroy(&second);
    demand_selling(); /* the first one has not noticed */
    end_and_check();
}

static int buy(const struct worker *worker) {
    return worker->index == 0 ? buyer_burst_run(worker) : buyer_run(worker);
}

int main(int argc, char **argv) {
    static const struct worker_role roles[] = {{"buyer", buy}, {0}};
    workers_main(argc, argv, roles);
    if (!small_disk_enter()) {
        printf("1..0 # SKIP no file system can be mounted here\n");
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_full_log_loses_nothing_acknowledged, set_up_small,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_full_disk_is_told_a_segment_before, set_up_medium,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_snapshot_without_room_ends_nothing, set_up_medium,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_second_engine_is_refused, set_up_roomy, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
