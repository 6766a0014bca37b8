/* words.h - what the simulator's parts have in common: checks, faults, counters, options, a result
 *
 * Thread: any; nothing here changes.
 */
#ifndef USHER_TESTS_SIM_WORDS_H
#define USHER_TESTS_SIM_WORDS_H

#include <stdbool.h>
#include <stdint.h>

/* What can be wrong: one for each class of invariant. X(NAME, "what it demands") */
#define SIM_CHECKS(X)                                                                              \
    X(NONE, "nothing was wrong")                                                                   \
    X(SEAT, "a seat has one owner")                                                                \
    X(LOST, "no acknowledged decision is lost")                                                    \
    X(HALF, "no payment or refund is half done")                                                   \
    X(FIFO, "who entered first is admitted first")                                                 \
    X(CAPACITY, "no more users are active than the policy allows")                                 \
    X(TIME, "holds and tokens end in time, never early, never late")                               \
    X(OUTAGE, "time in which nobody could be served costs nobody anything, and gives no more")     \
    X(CLOCK, "engine time never goes back, and never jumps unseen")                                \
    X(POINTS, "points are conserved")                                                              \
    X(HASH, "replay reaches the state of the live engine")                                         \
    X(PROJECTION, "PostgreSQL has every decision exactly once")                                    \
    X(TOLD, "clients are told what the durable log says")                                          \
    X(RECORD, "every decision is one that the rules allow")                                        \
    X(REFUSAL, "a start refuses what is damaged, and nothing else")                                \
    X(SNAPSHOT, "a snapshot and the log after it are the log")                                     \
    X(STUCK, "everybody is answered once the faults have ended")                                   \
    X(CRASHED, "no broken invariant ends the process")                                             \
    X(TRACE, "the same seed gives the same run")

enum sim_check {
#define X(name, text) SIM_CHECK_##name,
    SIM_CHECKS(X)
#undef X
        SIM_CHECK_COUNT
};
const char *sim_check_name(uint32_t check); /* "SEAT" */
const char *sim_check_text(uint32_t check);

/* Kinds of faults, each with a probability of its own in each run, most runs with a few of them
 * only. X(NAME, "word", "what happens") */
#define SIM_FAULTS(X)                                                                              \
    X(CRASH, "crash", "the power fails between two steps; the write in flight is torn")            \
    X(CRASH_INSIDE, "crash-inside", "the power fails inside an operation on the disk")             \
    X(STOP, "stop", "an orderly stop and start, with another number of shards")                    \
    X(DISK_SLOW, "disk-slow", "a write takes up to seconds")                                       \
    X(DISK_ERROR, "disk-error", "a write fails: the process exits")                                \
    X(DISK_FULL, "disk-full", "no room for another segment, for a while")                          \
    X(LIE_LOST, "lie-lost", "the disk forgets a write that it has confirmed")                      \
    X(LIE_TORN, "lie-torn", "a part of a confirmed write is missing")                              \
    X(LIE_FLIP, "lie-flip", "a bit of a confirmed write is wrong")                                 \
    X(LIE_MISDIRECTED, "lie-misdirected", "a confirmed write went to another place")               \
    X(NET_DELAY, "net-delay", "a frame takes up to seconds")                                       \
    X(NET_DUPLICATE, "net-duplicate", "a frame comes twice")                                       \
    X(NET_DROP, "net-drop", "a frame is lost")                                                     \
    X(CLIENT_LOSS, "client-loss", "a gateway dies, its fans forget what they had")                 \
    X(CLOCK_FORWARD, "clock-forward", "the wall clock jumps ahead, up to hours")                   \
    X(CLOCK_BACK, "clock-back", "the wall clock is set back, up to hours, while usher runs")       \
    X(CLOCK_BEHIND, "clock-behind", "the wall clock is behind the log at a start")                 \
    X(CLOCK_AHEAD, "clock-ahead", "the wall clock is ahead at a start, up to hours")               \
    X(STALL, "stall", "a shard gets no processor, for up to minutes")                              \
    X(HALT, "halt", "the whole process stands still, for up to minutes (SIGSTOP)")                 \
    X(SUSPEND, "suspend",                                                                          \
      "the machine sleeps: its monotonic clock stands, the wall clock goes on")                    \
    X(FREEZE, "freeze", "no write completes, for up to minutes (fsfreeze)")                        \
    X(JOURNAL_FULL, "journal-full", "the log has no room for a drain, for a while")                \
    X(MAILBOX_FULL, "mailbox-full", "a shard has no room for a request")                           \
    X(POSTGRES, "postgres", "PostgreSQL dies, in mid-commit too")                                  \
    X(CLONE, "clone", "a copy of the data folder projects into the same database")                 \
    X(SNAPSHOT, "snapshot", "a snapshot is made now")                                              \
    X(TRIM, "trim", "old segments and snapshots are deleted now")

enum sim_fault {
#define X(name, word, text) SIM_FAULT_##name,
    SIM_FAULTS(X)
#undef X
        SIM_FAULT_COUNT
};
const char *sim_fault_word(uint32_t fault);
const char *sim_fault_text(uint32_t fault);
/* sim_fault_find - Return: the fault, or -1 */
int sim_fault_find(const char *word);

/* What a run has exercised. X(name, "text", must_be_seen in the fixed seeds) */
#define SIM_COUNTERS(X)                                                                            \
    X(steps, "steps", 1)                                                                           \
    X(simulated_ms, "simulated ms", 1)                                                             \
    X(decisions, "decisions", 1)                                                                   \
    X(requests, "requests sent", 1)                                                                \
    X(replies, "replies judged", 1)                                                                \
    X(refusals, "replies that refuse", 1)                                                          \
    X(retries, "requests sent again", 1)                                                           \
    X(frames, "frames", 1)                                                                         \
    X(starts, "starts", 1)                                                                         \
    X(crashes, "crashes", 1)                                                                       \
    X(crashes_inside, "crashes inside an operation", 1)                                            \
    X(torn, "recoveries that cut a torn tail", 1)                                                  \
    X(stops, "orderly stops", 1)                                                                   \
    X(reshards, "starts with another number of shards", 1)                                         \
    X(log_failures, "failures of the log", 1)                                                      \
    X(read_errors, "reads that fail", 1)                                                           \
    X(slow_writes, "slow writes", 1)                                                               \
    X(full_disks, "full disks", 1)                                                                 \
    X(lies, "writes that the disk lied about", 1)                                                  \
    X(refused_starts, "damaged logs refused", 1)                                                   \
    X(lies_harmless, "lies that lost nothing", 1)                                                  \
    X(lies_last, "lies about the last block (not detectable)", 0)                                  \
    X(net_delays, "frames delayed", 1)                                                             \
    X(net_duplicates, "frames duplicated", 1)                                                      \
    X(net_drops, "frames dropped", 1)                                                              \
    X(client_losses, "clients lost", 1)                                                            \
    X(clock_jumps, "clock jumps", 1)                                                               \
    X(clocks_set_back, "clocks set back while running", 1)                                         \
    X(clocks_behind, "starts with the clock behind the log", 1)                                    \
    X(clocks_ahead, "starts with the clock ahead", 1)                                              \
    X(clock_refusals, "starts refused for the clock", 1)                                           \
    X(clock_steps, "steps of the clock that the engine has counted", 1)                            \
    X(stalls, "stalls", 1)                                                                         \
    X(halts, "halts of the whole process", 1)                                                      \
    X(suspends, "times the machine was suspended", 1)                                              \
    X(freezes, "freezes of the disk", 1)                                                           \
    X(outages, "outages of a shard", 1)                                                            \
    X(outage_ms, "ms of these", 1)                                                                 \
    X(credits, "credits", 1)                                                                       \
    X(credits_down, "credits for having been down", 1)                                             \
    X(credits_log, "credits for a log that stood still", 1)                                        \
    X(credits_lost, "outages whose credit was lost in a crash at once", 0)                         \
    X(turns_judged, "turns and holds whose end was compared with served time", 1)                  \
    X(silent_judged, "of the silent, who had been heard of by their own account", 1)               \
    X(journal_fulls, "drains that found the log full", 1)                                          \
    X(mailbox_fulls, "requests answered BUSY", 1)                                                  \
    X(postgres_faults, "faults of PostgreSQL", 1)                                                  \
    X(postgres_checks, "comparisons of its rows", 1)                                               \
    X(clones, "clones that project", 1)                                                            \
    X(clones_noticed, "of those, noticed by the original", 1)                                      \
    X(snapshots, "snapshots", 1)                                                                   \
    X(snapshot_checks, "ways from a snapshot, or from nothing, to the end", 1)                     \
    X(snapshot_starts, "starts from a snapshot", 1)                                                \
    X(trims, "segments deleted", 1)                                                                \
    X(segments, "segments begun", 1)                                                               \
    X(hash_checks, "comparisons of state hashes", 1)                                               \
    X(settled, "times at rest", 1)                                                                 \
    X(entered, "entered", 1)                                                                       \
    X(admitted, "admitted", 1)                                                                     \
    X(silent, "dropped for silence", 1)                                                            \
    X(requeued, "requeued", 1)                                                                     \
    X(tokens_timed_out, "active times over", 1)                                                    \
    X(held, "holds", 1)                                                                            \
    X(hold_refused, "holds refused", 1)                                                            \
    X(holds_expired, "holds expired", 1)                                                           \
    X(released, "holds released", 1)                                                               \
    X(payments, "payments started", 1)                                                             \
    X(payments_refused, "payments refused", 1)                                                     \
    X(payments_aborted, "payments aborted", 1)                                                     \
    X(sold, "payments completed", 1)                                                               \
    X(voided, "payments voided", 1)                                                                \
    X(refunds, "refunds", 1)                                                                       \
    X(charges, "charges", 1)                                                                       \
    X(policies, "policies changed live", 1)                                                        \
    X(cancellations, "dates cancelled", 1)                                                         \
    X(temptations, "of those, in the middle of a payment", 1)

struct sim_counters {
#define X(name, text, needed) uint64_t name;
    SIM_COUNTERS(X)
#undef X
};
#define SIM_COUNTER_COUNT (sizeof(struct sim_counters) / sizeof(uint64_t))
/* sim_counters_add - `to` gets the sum of both */
void sim_counters_add(struct sim_counters *to, const struct sim_counters *from);
/* sim_counters_print - one "# text: number" line each, for people and TAP */
void sim_counters_print(const struct sim_counters *counters);
/* sim_counters_missing - text of a counter that has to be seen and is 0; NULL: none */
const char *sim_counters_missing(const struct sim_counters *counters);

#define SIM_STEPS_DEFAULT 20000u

struct sim_options {
    uint64_t seed;
    uint64_t steps;     /* of the run with faults; then it comes to rest. 0: SIM_STEPS_DEFAULT */
    uint64_t until;     /* stop dead after this step (to look at a failure); 0: do not */
    uint64_t verbose;   /* print every event from this step on; UINT64_MAX: none */
    uint32_t without;   /* bit of each enum sim_fault that must not happen */
    uint32_t fans_max;  /* fans beyond this number stay at home; 0: no limit */
    uint32_t canary;    /* enum canary: a planted bug; CANARY_NONE for none */
    uint64_t *step_now; /* is told the step that is under way; may be NULL */
};

#define SIM_TEXT_BYTES 1024u

struct sim_result {
    enum sim_check check; /* the first that failed */
    uint64_t step;        /* at which it failed, or the last one */
    uint64_t trace;       /* hash over everything that happened */
    uint32_t faults;      /* bit of each enum sim_fault that the run had */
    uint32_t fans;
    char text[SIM_TEXT_BYTES];
    struct sim_counters counters;
};

#endif
