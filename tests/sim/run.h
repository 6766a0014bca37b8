/* run.h - what all parts of one run share: time, chance, the trace, and the first failure
 *
 * Three times. `now_us` is the simulated world's: it only goes forward, and everything that takes
 * time (frames, writes, thinking) is measured in it. The wall clock that usher reads follows it,
 * plus whatever the faults of the clock have added (run_wall_us). The monotonic clock that it reads
 * is `now_us` less the time in which the machine was asleep (run_mono_us).
 */
#ifndef USHER_TESTS_SIM_RUN_H
#define USHER_TESTS_SIM_RUN_H

#include "tests/sim/plan.h"

/* Where the wall clock starts: some moment in 2027. */
#define RUN_BEGIN_MS 1800000000000ull
#define RUN_EVENTS_KEPT 64u

/* What the trace has. Two numbers each say what is meant; X(NAME, "format of two %llu") */
#define RUN_EVENTS(X)                                                                              \
    X(SHARD, "shard %llu: step, %llu things done")                                                 \
    X(APPEND, "shard %llu appends up to LSN %llu")                                                 \
    X(APPEND_FULL, "shard %llu finds the log full (%llu bytes)")                                   \
    X(DURABLE, "durable LSN %llu (%llu)")                                                          \
    X(SUBMIT, "write of %llu bytes at %llu")                                                       \
    X(COMPLETE, "write of %llu bytes at %llu complete")                                            \
    X(WRITE_FAILS, "write of %llu bytes fails (errno %llu)")                                       \
    X(LIE, "the disk lies: kind %llu, offset %llu")                                                \
    X(PREPARE, "segment of %llu bytes prepared (%llu)")                                            \
    X(PREPARE_FAILS, "segment of %llu bytes: disk full (%llu)")                                    \
    X(LOG_FAILED, "the log has failed (code %llu, errno %llu)")                                    \
    X(START, "start with %llu shards; the log ends at %llu")                                       \
    X(START_REFUSED, "start refused (code %llu, offset %llu)")                                     \
    X(RESTORED, "%llu writes restored from a copy (%llu)")                                         \
    X(CRASH, "the power fails (write in flight: %llu) at durable LSN %llu")                        \
    X(STOP, "stop in order at LSN %llu (%llu rounds)")                                             \
    X(FRAME, "gateway %llu: frame of %llu bytes comes in")                                         \
    X(REPLY, "gateway %llu: reply of %llu bytes goes out")                                         \
    X(CALL, "fan %llu asks: call %llu")                                                            \
    X(ANSWER, "fan %llu is answered: call %llu")                                                   \
    X(GIVE_UP, "fan %llu has no answer to call %llu")                                              \
    X(VANISH, "gateway or fan %llu vanishes (%llu)")                                               \
    X(NET_LOST, "gateway %llu: a frame of %llu bytes is lost")                                     \
    X(NET_TWICE, "gateway %llu: a frame of %llu bytes comes twice")                                \
    X(CLOCK, "the wall clock jumps ahead by %llu ms (%llu)")                                       \
    X(CLOCK_BACK, "the wall clock is set back by %llu ms (%llu)")                                  \
    X(CLOCK_REFUSED, "start refused: the clock is %llu ms behind the log (accepted: %llu)")        \
    X(STALL, "shard %llu stalls for %llu us")                                                      \
    X(HALT, "the process is halted for %llu us (%llu)")                                            \
    X(SUSPEND, "the machine is suspended for %llu us (%llu)")                                      \
    X(FREEZE, "no write completes for %llu us (%llu)")                                             \
    X(OUTAGE, "shard %llu: an outage of %llu ms is over")                                          \
    X(POSTGRES, "PostgreSQL: fault %llu, applied LSN %llu")                                        \
    X(PROJECTION, "projection: %llu, applied LSN %llu")                                            \
    X(CLONE, "clone: log up to LSN %llu, run %llu")                                                \
    X(SNAPSHOT, "snapshot: result %llu, LSN %llu")                                                 \
    X(TRIM, "trim: %llu segments, %llu snapshots")                                                 \
    X(HASH, "state hash %llx at LSN %llu")                                                         \
    X(SETTLED, "everything at rest at LSN %llu (%llu rounds)")                                     \
    X(SKIP, "nothing to do: %llu us pass (%llu)")

enum run_event {
#define X(name, format) RUN_EVENT_##name,
    RUN_EVENTS(X)
#undef X
};

struct run_happened {
    uint64_t step, now_us;
    enum run_event event;
    uint64_t a, b;
};

struct sim_run {
    const struct sim_options *options;
    struct plan plan;
    struct sim_counters counters;
    uint64_t step;
    uint64_t now_us;
    uint64_t wall_offset_ms; /* what the faults of the clock have added; mod 2^64 */
    /* While the machine sleeps its monotonic clock stands still. */
    uint64_t asleep_from_us, asleep_until_us; /* the latest time */
    uint64_t asleep_us;                       /* all earlier times together */
    bool calm;                                /* the faults have ended: the run comes to rest */
    struct random schedule;                   /* who goes next */
    struct random faults;

    uint64_t trace;
    struct run_happened happened[RUN_EVENTS_KEPT]; /* the latest, by count % RUN_EVENTS_KEPT */
    uint64_t happened_count;

    enum sim_check failed; /* the first check that failed */
    char text[SIM_TEXT_BYTES];
};

void run_init(struct sim_run *run, const struct sim_options *options);

/* run_event - note that this happened; part of what must be the same for the same seed */
void run_event(struct sim_run *run, enum run_event event, uint64_t a, uint64_t b);
/* run_mix - the same for bytes, without a line of its own */
void run_mix(struct sim_run *run, const void *bytes, uint32_t size);
/* run_is_verbose - whether to print what is too long for an event */
static inline bool run_is_verbose(const struct sim_run *run) {
    return run->step >= run->options->verbose;
}
/* run_print_last - the events that led here */
void run_print_last(const struct sim_run *run);

/* run_fail - a check has failed; the first one counts. The caller returns as soon as it can. */
__attribute__((format(printf, 3, 4))) void run_fail(struct sim_run *run, enum sim_check check,
                                                    const char *format, ...);

/* run_fault - does this kind of fault happen here and now? */
static inline bool run_fault(struct sim_run *run, enum sim_fault fault) {
    return !run->calm && random_chance(&run->faults, run->plan.per_million[fault]);
}

static inline uint64_t run_wall_us(const struct sim_run *run) {
    return (RUN_BEGIN_MS + run->wall_offset_ms) * 1000 + run->now_us;
}
static inline uint64_t run_wall_ms(const struct sim_run *run) { return run_wall_us(run) / 1000; }

static inline bool run_is_asleep(const struct sim_run *run) {
    return run->now_us < run->asleep_until_us;
}
static inline uint64_t run_mono_us(const struct sim_run *run) {
    if (run_is_asleep(run)) return run->asleep_from_us - run->asleep_us;
    return run->now_us - run->asleep_us - (run->asleep_until_us - run->asleep_from_us);
}
/* run_sleep - the machine sleeps for so long, if it is awake */
static inline void run_sleep(struct sim_run *run, uint64_t us) {
    if (run_is_asleep(run)) return;
    run->asleep_us += run->asleep_until_us - run->asleep_from_us;
    run->asleep_from_us = run->now_us;
    run->asleep_until_us = run->now_us + us;
}

#endif
