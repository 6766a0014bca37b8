/* snapshot_worker.c - snapshots made now and then by a process of their own; see snapshot_worker.h
 *
 * The child steps back wherever it can: it runs when no processor has anything else to do
 * (SCHED_IDLE, nice 19), reads and writes small parts and rests between them, comes last where the
 * disk's scheduler knows classes, and when memory ends the kernel takes it first.
 */
#include "tools/usherd/snapshot_worker.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/require.h"
#include "replay/snapshot/snapshot.h"
#include "tools/common/complain.h"
#include "tools/common/system_ports.h"

#define OPTION "--snapshot-worker"
/* Faster than a log grows on its busiest night, and a tenth of what a slow NVMe drive can do. */
#define SNAPSHOT_BYTES_PER_SECOND (100ull << 20)
/* Behind the option, in this order. */
enum argument {
    ARGUMENT_PARENT = 2, /* process id of the engine */
    ARGUMENT_DATA,
    ARGUMENT_TO_LSN,
    ARGUMENT_KEEP,
    ARGUMENT_DELETE_LOG, /* 0, 1 */
    ARGUMENT_APPLIED_LSN,
    ARGUMENT_ARCHIVE, /* empty: none */
    ARGUMENT_COUNT,
};
#define NUMBER_BYTES 24

extern char **environ;

/* --- in the engine ---------------------------------------------------------------------------- */

void snapshot_worker_init(struct snapshot_worker *worker,
                          const struct snapshot_worker_options *options) {
    REQUIRE(options->keep >= 1);
    *worker = (struct snapshot_worker){.options = *options};
}

/* Nothing of ours but the standard streams, no blocked signals, and no signals of our terminal. */
static int spawn(char *const arguments[], pid_t *ret_pid) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, defaults;
    (void)sigemptyset(&none);
    (void)sigemptyset(&defaults);
    (void)sigaddset(&defaults, SIGPIPE);
    int rc = posix_spawn_file_actions_init(&actions);
    if (rc != 0) return rc;
    rc = posix_spawnattr_init(&attributes);
    if (rc == 0) {
        (void)posix_spawnattr_setsigmask(&attributes, &none);
        (void)posix_spawnattr_setsigdefault(&attributes, &defaults);
        (void)posix_spawnattr_setpgroup(&attributes, 0);
        (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                        POSIX_SPAWN_SETPGROUP);
        rc = posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
        /* The running program, also where its file was replaced by a newer one. */
        if (rc == 0) {
            rc = posix_spawn(ret_pid, "/proc/self/exe", &actions, &attributes, arguments, environ);
        }
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return rc;
}

static void begin(struct snapshot_worker *worker, uint64_t to_lsn, uint64_t applied_lsn,
                  uint64_t now_ms) {
    const struct snapshot_worker_options *options = &worker->options;
    char parent[NUMBER_BYTES], to[NUMBER_BYTES], keep[NUMBER_BYTES], applied[NUMBER_BYTES];
    (void)snprintf(parent, sizeof parent, "%d", (int)getpid());
    (void)snprintf(to, sizeof to, "%" PRIu64, to_lsn);
    (void)snprintf(keep, sizeof keep, "%" PRIu32, options->keep);
    (void)snprintf(applied, sizeof applied, "%" PRIu64, applied_lsn);
    char *const data = strdup(options->data);
    char *const archive = strdup(options->archive ? options->archive : "");
    char *const arguments[] = {(char[]){"usherd"},
                               (char[]){OPTION},
                               parent,
                               data,
                               to,
                               keep,
                               options->delete_log ? (char[]){"1"} : (char[]){"0"},
                               applied,
                               archive,
                               NULL};
    int rc = data && archive ? spawn(arguments, &worker->pid) : ENOMEM;
    free(data);
    free(archive);
    if (rc == 0) return;
    worker->pid = 0;
    worker->not_before_ms = now_ms + SNAPSHOT_RETRY_MS;
    complain("no process can be started for a snapshot: %s; tried again in "
             "%u s",
             strerror(rc), SNAPSHOT_RETRY_MS / 1000);
}

static void look_at_child(struct snapshot_worker *worker, uint64_t now_ms) {
    int status;
    pid_t pid = waitpid(worker->pid, &status, WNOHANG);
    if (pid == 0) return;
    REQUIRE(pid == worker->pid); /* ours, and waited for nowhere else */
    worker->pid = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS) {
        worker->last_bytes = worker->now_bytes;
        return;
    }
    worker->not_before_ms = now_ms + SNAPSHOT_RETRY_MS;
    if (WIFSIGNALED(status)) { /* otherwise it has said by itself what was wrong */
        complain("the process that made a snapshot was ended by signal %d "
                 "(%s)",
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
    }
    complain("no new snapshot; sales go on, it is tried again in %u s", SNAPSHOT_RETRY_MS / 1000);
}

void snapshot_worker_step(struct snapshot_worker *worker, uint64_t log_bytes, uint64_t durable_lsn,
                          uint64_t applied_lsn, uint64_t now_ms) {
    if (worker->options.every_bytes == 0) return;
    if (worker->pid != 0) look_at_child(worker, now_ms);
    if (worker->pid != 0 || now_ms < worker->not_before_ms) return;
    if (log_bytes < worker->last_bytes + worker->options.every_bytes) return;
    worker->now_bytes = log_bytes;
    begin(worker, durable_lsn, applied_lsn, now_ms);
}

void snapshot_worker_end(struct snapshot_worker *worker) {
    if (worker->pid == 0) return;
    (void)kill(worker->pid, SIGKILL);
    while (waitpid(worker->pid, NULL, 0) < 0) REQUIRE(errno == EINTR);
    worker->pid = 0;
}

/* --- in the child ----------------------------------------------------------------------------- */

bool snapshot_worker_asked(int argc, char **argv) {
    return argc >= 2 && strcmp(argv[1], OPTION) == 0;
}

struct job {
    const char *data;
    uint64_t to_lsn, started_ms;
    struct snapshot_retention retention;
    const char *archive;
    struct storage *log, *snapshots; /* owned */
};

static int fail(const char *what, const char *why) {
    complain("%s: %s", what, why);
    return EXIT_FAILURE;
}

/* Nobody waits for this process. Where the system refuses one of these, it is a little less polite,
 * so what they answer does not matter. */
static void step_back(void) {
    const struct sched_param parameters = {.sched_priority = 0};
    (void)setpriority(PRIO_PROCESS, 0, 19);
    (void)sched_setscheduler(0, SCHED_IDLE, &parameters);
    (void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0));
    int score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (score >= 0) {
        (void)!write(score, "800", 3);
        (void)close(score);
    }
}

static uint64_t monotonic_ms(void) {
    struct timespec now;
    REQUIRE(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void tell_skipped(void *context, const struct snapshot_error *error) {
    (void)context;
    (void)fail("a snapshot is skipped", error->text);
}

static int make(const struct job *job) {
    struct system_clock clock;
    struct entropy_port entropy;
    struct id128 seed;
    struct snapshot_info info;
    struct snapshot_error error;
    system_clock_init(&clock);
    system_entropy_port(&entropy);
    entropy.fill(entropy.context, seed.bytes, sizeof seed.bytes);
    const struct snapshot_recover_options options = {
        .seed = &seed, .to_lsn = UINT64_MAX, .skipped = tell_skipped};
    int rc = snapshot_make(job->log, job->snapshots, job->to_lsn, system_clock_now_ms(&clock),
                           &options, NULL, NULL, &info, &error);
    if (rc < 0) return fail("no snapshot could be made", error.text);
    if (rc == 0) {
        (void)printf("snapshot %s made: %" PRIu64 " decisions, %" PRIu64 " KiB, %" PRIu64 " ms\n",
                     info.name, info.decision_count, info.file_bytes / 1024,
                     monotonic_ms() - job->started_ms);
    }
    return EXIT_SUCCESS;
}

static int retain(struct job *job) {
    uint64_t snapshots = 0, segments = 0;
    struct snapshot_error error;
    if (job->archive[0] != '\0') {
        bool made = mkdir(job->archive, 0700) == 0 || errno == EEXIST;
        int rc = made ? storage_posix_open(job->archive, STORAGE_WAL, &job->retention.archive)
                      : -errno;
        if (rc < 0) return fail("the archive cannot be used", strerror(-rc));
    }
    int rc = snapshot_retain(job->log, job->snapshots, &job->retention, &snapshots, &segments,
                             &error);
    if (snapshots > 0) (void)printf("older snapshots removed: %" PRIu64 "\n", snapshots);
    if (segments > 0) {
        (void)printf("segments of the log %s: %" PRIu64 "\n",
                     job->retention.archive ? "archived" : "removed", segments);
    }
    if (job->retention.archive) job->retention.archive->operations->destroy(job->retention.archive);
    return rc < 0 ? fail("not everything that is not needed could be removed", error.text)
                  : EXIT_SUCCESS;
}

static int run(struct job *job) {
    int rc = storage_posix_open(job->data, STORAGE_WAL, &job->log);
    if (rc < 0) return fail(job->data, strerror(-rc));
    rc = storage_posix_open(job->data, STORAGE_SNAPSHOTS, &job->snapshots);
    if (rc < 0) return fail(job->data, strerror(-rc));
    storage_posix_pace(job->log, SNAPSHOT_BYTES_PER_SECOND);
    storage_posix_pace(job->snapshots, SNAPSHOT_BYTES_PER_SECOND);
    rc = make(job);
    if (rc == EXIT_SUCCESS) rc = retain(job);
    job->log->operations->destroy(job->log);
    job->snapshots->operations->destroy(job->snapshots);
    return rc;
}

int snapshot_worker_main(int argc, char **argv) {
    if (argc != ARGUMENT_COUNT) {
        return fail(OPTION, "is only for usherd itself; see `usher snapshot make`");
    }
    /* The engine may have gone before this was asked for. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != atoi(argv[ARGUMENT_PARENT])) {
        return EXIT_FAILURE;
    }
    (void)signal(SIGPIPE, SIG_IGN); /* a reader of our output may go away */
    step_back();
    struct job job = {
        .data = argv[ARGUMENT_DATA],
        .to_lsn = strtoull(argv[ARGUMENT_TO_LSN], NULL, 10),
        .started_ms = monotonic_ms(),
        .retention = {.keep = (uint32_t)strtoul(argv[ARGUMENT_KEEP], NULL, 10),
                      .delete_log = argv[ARGUMENT_DELETE_LOG][0] == '1',
                      .applied_lsn = strtoull(argv[ARGUMENT_APPLIED_LSN], NULL, 10)},
        .archive = argv[ARGUMENT_ARCHIVE],
    };
    return run(&job);
}
