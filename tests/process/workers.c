/* workers.c - see workers.h */
#include "tests/process/workers.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/require.h"
#include "tests/process/common.h"

#define LOOK_US 2000u
#define BARRIER_LOOK_US 100u

struct workers_arena *workers_arena(const char *directory) {
    char path[128];
    REQUIRE((size_t)snprintf(path, sizeof path, "%s/arena", directory) < sizeof path);
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    REQUIRE(file >= 0 && ftruncate(file, sizeof(struct workers_arena)) == 0);
    struct workers_arena *arena = mmap(NULL, sizeof *arena, PROT_READ | PROT_WRITE, MAP_SHARED,
                                       file, 0);
    REQUIRE(arena != MAP_FAILED);
    (void)close(file); /* the mapping stays */
    return arena;
}

void workers_main(int argc, char **argv, const struct worker_role *roles) {
    if (argc < 2 || strcmp(argv[1], "worker") != 0) return;
    REQUIRE(argc == 6);
    for (; roles->name; roles++) {
        if (strcmp(roles->name, argv[2]) != 0) continue;
        const struct worker worker = {.index = (uint32_t)strtoul(argv[3], NULL, 10),
                                      .directory = argv[4],
                                      .url = argv[5],
                                      .arena = workers_arena(argv[4])};
        int status = roles->run(&worker);
        exit(worker.arena->failed ? EXIT_FAILURE : status);
    }
    REQUIRE_NEVER("a role of this program");
}

static pid_t start_one(const char *role, uint32_t index, const char *directory, const char *url) {
    char program[] = "/proc/self/exe", word[] = "worker", number[16];
    char *const role_copy = strdup(role), *const directory_copy = strdup(directory);
    char *const url_copy = strdup(url);
    REQUIRE(role_copy && directory_copy && url_copy);
    (void)snprintf(number, sizeof number, "%u", index);
    char *const arguments[] = {program, word, role_copy, number, directory_copy, url_copy, NULL};
    pid_t parent = getpid(), pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) _exit(126);
        if (dup2(STDERR_FILENO, STDOUT_FILENO) < 0) _exit(126); /* TAP is the parent's */
        execv(program, arguments);
        _exit(127);
    }
    free(role_copy);
    free(directory_copy);
    free(url_copy);
    return pid;
}

void workers_start(struct workers *workers, const char *role, const char *directory,
                   const char *url, struct workers_arena *arena, uint32_t count) {
    REQUIRE(count >= 1 && count <= WORKERS_MAX);
    *workers = (struct workers){.count = count, .arena = arena};
    arena->workers = count;
    arena->stop = false;
    for (uint32_t i = 0; i < count; i++) workers->pids[i] = start_one(role, i, directory, url);
}

bool workers_running(struct workers *workers) {
    bool good = true;
    for (uint32_t i = 0; i < workers->count; i++) {
        int status = 0;
        if (workers->pids[i] == 0 || waitpid(workers->pids[i], &status, WNOHANG) == 0) continue;
        workers->pids[i] = 0;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
        note("worker %u ended with wait status 0x%x", i, (unsigned)status);
        good = false;
    }
    return good && !workers->arena->failed;
}

bool workers_wait(struct workers *workers, uint32_t deadline_ms) {
    const uint64_t give_up_us = monotonic_us() + deadline_ms * 1000ull;
    bool good = true;
    for (;;) {
        uint32_t running = 0;
        good = workers_running(workers) && good;
        for (uint32_t i = 0; i < workers->count; i++) running += workers->pids[i] != 0;
        if (running == 0) return good;
        if (monotonic_us() > give_up_us) break;
        pause_us(LOOK_US);
    }
    note("workers do not end within %u ms", deadline_ms);
    workers_kill(workers);
    return false;
}

void workers_kill(struct workers *workers) {
    for (uint32_t i = 0; i < workers->count; i++) {
        if (workers->pids[i] == 0) continue;
        (void)kill(workers->pids[i], SIGKILL); /* ours, not waited for yet */
        while (waitpid(workers->pids[i], NULL, 0) < 0) REQUIRE(errno == EINTR);
        workers->pids[i] = 0;
    }
}

void worker_barrier(const struct worker *worker, uint32_t round, uint32_t deadline_ms) {
    struct workers_arena *arena = worker->arena;
    const uint64_t give_up_us = monotonic_us() + deadline_ms * 1000ull;
    REQUIRE(round < ARENA_ROUNDS_MAX);
    atomic_fetch_add(&arena->arrived[round], 1);
    while (atomic_load(&arena->arrived[round]) < arena->workers) {
        if (monotonic_us() > give_up_us || arena->failed) _Exit(EXIT_FAILURE);
        pause_us(BARRIER_LOOK_US);
    }
}

void worker_complain(const struct worker *worker, const char *file, int line, const char *condition,
                     const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments); /* cut where too long */
    va_end(arguments);
    note("worker %u: %s:%d: %s: %s", worker->index, file, line, condition, text);
    worker->arena->failed = true;
}
