/* daemon.c - see daemon.h */
#include "tests/process/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/require.h"
#include "tests/process/common.h"

#define COMPLAINTS "stderr"
#define COMPLAINT_LINES_MAX 60

static const char *program(void) {
    const char *path = getenv("USHERD");
    if (!path || access(path, X_OK) != 0) {
        note("USHERD must name the usherd to test; meson test does that");
        exit(EXIT_FAILURE);
    }
    return path;
}

void daemon_create(struct usherd_daemon *daemon, const struct daemon_options *options) {
    *daemon = (struct usherd_daemon){.options = *options, .output = -1};
    (void)snprintf(daemon->directory, sizeof daemon->directory,
                   "/tmp/usher-test-XXXXXX"); /* fits */
    REQUIRE(mkdtemp(daemon->directory) != NULL);
    const char *directory = daemon->directory; /* the next three fit: it has 22 bytes */
    (void)snprintf(daemon->data, sizeof daemon->data, "%.40s/data", directory);
    (void)snprintf(daemon->url, sizeof daemon->url, "ipc://%.40s/public", directory);
    (void)snprintf(daemon->admin_url, sizeof daemon->admin_url, "ipc://%.40s/admin", directory);
    (void)program(); /* complain now rather than in a child */
}

/* In the child. Only what is allowed between fork and exec: the parent may have threads. */
static _Noreturn void become(char *const arguments[], const char *complaints, int output,
                             pid_t parent, uint32_t descriptors_max) {
    const struct rlimit limit = {descriptors_max, descriptors_max};
    if (descriptors_max > 0 && setrlimit(RLIMIT_NOFILE, &limit) != 0) _exit(126);
    int errors = open(complaints, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) _exit(126);
    if (errors < 0 || dup2(output, STDOUT_FILENO) < 0 || dup2(errors, STDERR_FILENO) < 0) {
        _exit(126);
    }
    execv(arguments[0], arguments);
    _exit(127);
}

void daemon_launch(struct usherd_daemon *daemon) {
    char shards[16], segment_mb[16], path[sizeof daemon->directory + 16];
    int ends[2];
    REQUIRE(daemon->pid == 0 && daemon->output < 0);
    (void)snprintf(shards, sizeof shards, "%" PRIu32, daemon->options.shards);
    (void)snprintf(segment_mb, sizeof segment_mb, "%" PRIu32, daemon->options.segment_mb);
    (void)snprintf(path, sizeof path, "%s/" COMPLAINTS, daemon->directory);
    char *const postgres = daemon->options.postgres ? strdup(daemon->options.postgres) : NULL;
    char *const usherd = strdup(program());
    REQUIRE(usherd && pipe2(ends, O_CLOEXEC) == 0);
    char *arguments[13 + DAEMON_EXTRA_MAX + 1] = {usherd,
                                                  (char[]){"--data"},
                                                  daemon->data,
                                                  (char[]){"--listen"},
                                                  daemon->url,
                                                  (char[]){"--admin"},
                                                  daemon->admin_url,
                                                  (char[]){"--shards"},
                                                  shards,
                                                  (char[]){"--segment-mb"},
                                                  segment_mb,
                                                  postgres ? (char[]){"--postgres"} : NULL,
                                                  postgres};
    uint32_t extra = 0, begin = postgres ? 13 : 11;
    for (; daemon->options.extra && daemon->options.extra[extra]; extra++) {
        REQUIRE(extra < DAEMON_EXTRA_MAX);
        arguments[begin + extra] = strdup(daemon->options.extra[extra]);
    }
    pid_t self = getpid();
    daemon->pid = fork();
    REQUIRE(daemon->pid >= 0);
    if (daemon->pid == 0) become(arguments, path, ends[1], self, daemon->options.descriptors_max);
    (void)close(ends[1]); /* the child's */
    free(usherd);
    free(postgres);
    while (extra > 0) free(arguments[begin + --extra]);
    daemon->output = ends[0];
    daemon->runs++;
    daemon->text_bytes = 0;
    daemon->text[0] = '\0';
    daemon->recovered = daemon->stopped = (struct daemon_mark){0};
}

/* "... LSN 123 ... state hash 0123456789abcdef" in the line that begins with `begin` */
static void find_mark(const struct usherd_daemon *daemon, const char *begin,
                      struct daemon_mark *mark) {
    const char *line = strstr(daemon->text, begin);
    const char *end = line ? strchr(line, '\n') : NULL;
    if (mark->found || !end) return;
    const char *lsn = strstr(line, "LSN "), *hash = strstr(line, "state hash ");
    if (!lsn || lsn > end || !hash || hash > end) return;
    mark->lsn = strtoull(lsn + strlen("LSN "), NULL, 10);
    mark->hash = strtoull(hash + strlen("state hash "), NULL, 16);
    mark->found = true;
}

/* Read what it says, within the deadline. Return: false at the end of its output */
static bool listen_on(struct usherd_daemon *daemon, uint64_t deadline_us) {
    uint64_t now_us = monotonic_us();
    struct pollfd poll_fd = {.fd = daemon->output, .events = POLLIN};
    uint32_t room = DAEMON_OUTPUT_BYTES - 1 - daemon->text_bytes;
    if (room == 0 || now_us >= deadline_us) return false;
    int timeout_ms = (int)((deadline_us - now_us) / 1000u) + 1;
    if (poll(&poll_fd, 1, timeout_ms) <= 0) return errno == EINTR;
    ssize_t got = read(daemon->output, daemon->text + daemon->text_bytes, room);
    if (got <= 0) return false;
    daemon->text_bytes += (uint32_t)got;
    daemon->text[daemon->text_bytes] = '\0';
    find_mark(daemon, "recovered ", &daemon->recovered);
    find_mark(daemon, "stopped at ", &daemon->stopped);
    return true;
}

bool daemon_wait_ready(struct usherd_daemon *daemon) {
    const uint64_t begin_us = monotonic_us();
    REQUIRE(daemon->pid > 0);
    while (!strstr(daemon->text, "\nready\n") && strncmp(daemon->text, "ready\n", 6) != 0) {
        if (listen_on(daemon, begin_us + DAEMON_READY_MS_MAX * 1000ull)) continue;
        note("usherd has not become ready in run %" PRIu32 "; it said: %s", daemon->runs,
             daemon->text);
        daemon_complaints(daemon);
        return false;
    }
    daemon->ready_us = monotonic_us() - begin_us;
    return true;
}

bool daemon_start(struct usherd_daemon *daemon) {
    daemon_launch(daemon);
    return daemon_wait_ready(daemon);
}

/* It is ending: take its last words and its status. */
static int reap(struct usherd_daemon *daemon, uint64_t deadline_us) {
    int status = 0;
    while (listen_on(daemon, deadline_us)) {}
    if (monotonic_us() >= deadline_us) {
        note("usherd does not end; killing it. It said: %s", daemon->text);
        (void)kill(daemon->pid, SIGKILL); /* ours, not waited for yet */
    }
    while (waitpid(daemon->pid, &status, 0) < 0) REQUIRE(errno == EINTR);
    (void)close(daemon->output); /* read to its end */
    daemon->output = -1;
    daemon->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void daemon_kill(struct usherd_daemon *daemon) {
    if (daemon->pid == 0) return;
    REQUIRE(kill(daemon->pid, SIGKILL) == 0);
    (void)reap(daemon, monotonic_us() + DAEMON_STOP_MS_MAX * 1000ull); /* killed, not exited */
}

int daemon_wait_end(struct usherd_daemon *daemon, uint32_t deadline_ms) {
    REQUIRE(daemon->pid > 0);
    return reap(daemon, monotonic_us() + deadline_ms * 1000ull);
}

int daemon_stop(struct usherd_daemon *daemon) {
    REQUIRE(daemon->pid > 0 && kill(daemon->pid, SIGTERM) == 0);
    int status = reap(daemon, monotonic_us() + DAEMON_STOP_MS_MAX * 1000ull);
    if (status != 0) {
        note("usherd ended with status %d; it said: %s", status, daemon->text);
        daemon_complaints(daemon);
    }
    return status;
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *where) {
    (void)about;
    (void)kind;
    (void)where;
    return remove(path);
}

void daemon_destroy(struct usherd_daemon *daemon) {
    if (daemon->directory[0] == '\0') return; /* never made */
    daemon_kill(daemon);
    if (getenv("USHER_KEEP")) {
        note("kept: %s", daemon->directory);
    } else if (nftw(daemon->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0) {
        note("%s could not be removed: %s", daemon->directory, strerror(errno));
    }
    daemon->directory[0] = '\0';
}

void daemon_complained(const struct usherd_daemon *daemon, char *ret_text, uint32_t size) {
    char path[sizeof daemon->directory + 16];
    (void)snprintf(path, sizeof path, "%s/" COMPLAINTS, daemon->directory);
    FILE *file = fopen(path, "r");
    ret_text[file ? fread(ret_text, 1, size - 1, file) : 0] = '\0';
    if (file) (void)fclose(file);
}

void daemon_complaints(const struct usherd_daemon *daemon) {
    char path[sizeof daemon->directory + 16], line[512];
    (void)snprintf(path, sizeof path, "%s/" COMPLAINTS, daemon->directory);
    FILE *file = fopen(path, "r");
    for (int i = 0; file && i < COMPLAINT_LINES_MAX && fgets(line, sizeof line, file); i++) {
        line[strcspn(line, "\n")] = '\0';
        note("usherd's standard error: %s", line);
    }
    if (file) (void)fclose(file);
}
