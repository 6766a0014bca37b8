/* workers.h - client processes: this very program, executed again
 *
 * nng's threads do not survive a fork, so a worker is a fork followed at once by an exec of
 * /proc/self/exe with the arguments `worker ROLE INDEX DIRECTORY URL ...`; a test program with
 * workers begins its main() with workers_main(). Workers die with the test program.
 *
 * What they share with it is an arena: a page in a file of the test's folder.
 */
#ifndef USHER_TESTS_PROCESS_WORKERS_H
#define USHER_TESTS_PROCESS_WORKERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define WORKERS_MAX 16u
#define ARENA_ROUNDS_MAX 1024u
#define ARENA_DATES_MAX 1024u

struct workers_arena {
    uint64_t seed; /* written before the workers start, like the next four */
    uint32_t workers;
    uint32_t date_count;
    uint32_t dates[ARENA_DATES_MAX];
    uint32_t seats_per_date;
    _Atomic bool stop;                          /* the test: come to an end */
    _Atomic bool failed;                        /* a worker: something was wrong */
    _Atomic uint32_t arrived[ARENA_ROUNDS_MAX]; /* workers at each barrier */
    _Atomic uint64_t progress[WORKERS_MAX];     /* requests answered, per worker */
    _Atomic uint64_t slowest_us; /* longest answer of any worker since the test cleared it */
    _Atomic uint32_t bursts;     /* of payments, begun (buyer.h) */
    _Atomic uint64_t lost;       /* answers that never came */
};

/* A worker's start. */
struct worker {
    uint32_t index;        /* 0..arena->workers-1 */
    const char *directory; /* the test's */
    const char *url;       /* of the engine */
    struct workers_arena *arena;
};
/* Return: the worker's exit status; 0 if all was as it must be */
typedef int worker_fn(const struct worker *worker);

struct worker_role {
    const char *name;
    worker_fn *run;
};

/* workers_main - in a worker, run it and leave; else return
 * @roles: the last one has no name */
void workers_main(int argc, char **argv, const struct worker_role *roles);

struct workers {
    pid_t pids[WORKERS_MAX]; /* 0: ended */
    uint32_t count;
    struct workers_arena *arena;
};

/* workers_arena - the arena of a folder, made on first use; ends the program if it cannot */
struct workers_arena *workers_arena(const char *directory);

/* workers_start - arena->seed, dates and so on are set before */
void workers_start(struct workers *workers, const char *role, const char *directory,
                   const char *url, struct workers_arena *arena, uint32_t count);
/* workers_wait - until all have ended
 * Return: whether all of them ended with 0 within the deadline; those that did not are killed */
bool workers_wait(struct workers *workers, uint32_t deadline_ms);
/* workers_running - Return: false as soon as one has ended with anything but 0 */
bool workers_running(struct workers *workers);
void workers_kill(struct workers *workers);

/* worker_barrier - in a worker: wait for the others; ends the program after `deadline_ms` */
void worker_barrier(const struct worker *worker, uint32_t round, uint32_t deadline_ms);

/* worker_check - in a worker: what must be true; says what is not and goes on, to a bad end */
#define WORKER_CHECK(worker, condition, ...)                                                       \
    do {                                                                                           \
        if (!(condition)) worker_complain(worker, __FILE__, __LINE__, #condition, __VA_ARGS__);    \
    } while (0)
void worker_complain(const struct worker *worker, const char *file, int line, const char *condition,
                     const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif
