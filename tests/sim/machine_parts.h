/* machine_parts.h - what the machine consists of; for the machine's own files alone
 *
 *   machine.c          steps, faults, rest
 *   machine_life.c     start, crash, stop: recovery and what it must have found
 *   machine_ports.c    journal, clock, entropy, frames and replies
 *   machine_time.c     clocks, stalls, halts, freezes; what must have been an outage
 *   machine_readers.c  projection
 *   machine_clone.c    a copy of the log that projects as well
 *   machine_snapshot.c snapshots
 */
#ifndef USHER_TESTS_SIM_MACHINE_PARTS_H
#define USHER_TESTS_SIM_MACHINE_PARTS_H

#include "engine/runtime/engine.h"
#include "net/server/frame.h"
#include "replay/postgres/projection.h"
#include "replay/snapshot/snapshot.h"
#include "replay/source/source_wal.h"
#include "tests/sim/disk.h"
#include "tests/sim/judge.h"
#include "tests/sim/machine.h"
#include "tests/sim/outages.h"
#include "tests/sim/postgres.h"
#include "tools/usherd/outage_watch.h"
#include "tools/common/system_ports.h"
#include "wal/wal.h"

#define MACHINE_SLOTS 32u

/* When the next crash is to come. */
enum machine_aim {
    AIM_NONE = 0,
    AIM_FLIGHT,  /* as soon as a write is in flight */
    AIM_WORD,    /* not before a drain has something about money */
    AIM_DURABLE, /* as soon as that is durable */
    AIM_STEPS,   /* a few steps later */
};

/* A frame in the engine. */
struct machine_slot {
    struct machine *machine;
    struct frame frame;
    bool ready, busy;
    uint8_t *bytes; /* of the request, owned */
    uint32_t gateway;
    struct judge_window window;
};

/* Every byte that was appended, from LSN 0 on. */
struct machine_diary {
    uint8_t *bytes;
    uint64_t size, capacity; /* size: the LSN after the last record */
};

/* The diary as a source. */
struct diary_source {
    const struct machine_diary *diary;
    uint64_t limit_lsn; /* no further than this; 0: all of it */
    uint64_t at;
};

/* A copy of the log as it was durable at some moment, which projects. */
struct machine_clone {
    struct projection *projection; /* NULL: there is none */
    struct diary_source diary;
    struct record_source port;
    char run_id[37];
    uint64_t run; /* the number that it took over with; 0: it has not, or the machine has since */
    uint64_t own_run; /* that of the machine's projection, before its latest step */
    uint64_t step_us; /* when its next step is */
};

/* What the process's clock has told last. */
struct machine_told {
    uint64_t mono_us, now_ms, steps; /* now_ms 0: nothing yet */
};

/* What is known of a shard from outside, in engine time. */
struct machine_watch {
    uint64_t round_ms, before_ms; /* its latest round looked at the clock, and the one before */
    /* since when something of it waits for the log, which has not moved; 0: nothing */
    uint64_t waits_ms;
    uint64_t last_lsn; /* of its latest append */
    /* Since when it may believe, at the earliest, that the log stands still; what was durable
     * then. */
    uint64_t still_ms, durable_lsn;
};

struct machine {
    struct sim_run *run; /* borrowed; likewise the next two */
    struct network *network;
    struct people *people;
    struct random random, entropy;
    struct disk *disk, *snapshot_disk; /* snapshot_disk: NULL where the plan has none */
    struct postgres *postgres;         /* NULL where the plan has none */

    /* What should be. */
    struct machine_diary diary;
    struct model *model;
    struct world *follower;
    struct judge *judge;
    uint64_t told_lsn;    /* what replies rest on: never to be lost */
    uint64_t durable_lsn; /* highest that the log has ever claimed */

    /* The process. */
    bool up;
    uint64_t start_at_us; /* down: when to start */
    uint32_t shards;
    struct wal *wal;
    struct journal journal;
    struct wal_recovery recovery;
    uint64_t last_time_ms;     /* of the last decision that was recovered */
    struct snapshot_info from; /* the snapshot that it was started from; lsn 0: none */
    struct engine *engine;
    struct net_engine net_engine;
    struct frame_shared shared;
    struct machine_slot slots[MACHINE_SLOTS];
    struct source_wal source;
    struct record_source source_port;
    struct projection *projection;
    struct machine_clone clone;
    struct id128 log_id;
    uint64_t read_errors;   /* machine_read_errors() when the process began */
    uint32_t refusals;      /* decisions that PostgreSQL has refused, as far as it is known */
    bool log_failed;        /* the process has to exit */
    uint64_t projection_us; /* when its next step is */

    /* Time: machine_time.c */
    struct system_clock clock; /* of this process */
    struct machine_told told;
    bool accepts_clock; /* the next start goes on, however far behind the clock is */
    bool in_round;      /* of a shard */
    uint32_t looks;     /* the shard that is about to look at the clock; PLAN_SHARDS_MAX: none */
    uint64_t ahead_ms;  /* so far is the wall clock ahead until the next start */
    uint64_t halted_until_us; /* the process or the machine stands still */
    uint64_t halted_ms;       /* since when, in engine time */
    uint64_t beat_us;         /* when the daemon looks after the log again */
    struct machine_watch watches[PLAN_SHARDS_MAX];
    struct outages *outages;
    uint64_t served_until_ms, served_first_ms; /* all shards, or any, before the process ended */
    /* the latest time at which a process ended; a clock may have gone back since */
    uint64_t ended_ms;
    uint64_t stalled_until_us[PLAN_SHARDS_MAX];

    bool pending[PLAN_SHARDS_MAX]; /* has a drain that the log had no room for */
    enum machine_aim aim;
    uint64_t aim_lsn;
    uint32_t aim_steps;
    uint32_t newborn; /* rounds of shards until a new date is surely with its shard */
    uint8_t *reply;   /* NET_REPLY_FRAME_BYTES_MAX at most; grows */
    uint32_t reply_capacity;
};

/* --- machine_ports.c */
void machine_ports_open(struct machine *machine, struct engine_options *ret_options);
void machine_slots_close(struct machine *machine);
void machine_fill(void *machine, void *bytes, uint32_t size);
/* machine_believe - model and follower from the diary, up to an LSN; forgets what is after it */
void machine_believe(struct machine *machine, uint64_t lsn);
/* machine_diary_source - the diary as a source; one at a time */
struct record_source machine_diary_source(struct diary_source *source);

/* --- machine_time.c */
uint64_t machine_now_ms(void *machine);
void machine_clock_begin(struct machine *machine);
/* machine_clock_raise - engine time begins, after the log was read. Return: false: the clock is too
 * far behind; the next start will do */
bool machine_clock_raise(struct machine *machine, uint64_t last_ms);
void machine_clock_fault(struct machine *machine);
void machine_time_fault(struct machine *machine, enum sim_fault fault);
/* What is seen of a shard: in a round, it looks at the clock; it has appended (lsn 0: there was no
 * room); the log has moved; the process ends; it has started, and believes to have served until
 * then. */
void machine_watch_round(struct machine *machine, uint32_t shard, uint64_t now_ms);
void machine_watch_append(struct machine *machine, uint32_t shard, uint64_t lsn);
void machine_watch_durable(struct machine *machine, uint64_t lsn);
void machine_watch_exit(struct machine *machine);
void machine_watch_start(struct machine *machine, uint64_t served_until_ms);
/* machine_decides_ms - the earliest that `now` may be to this shard */
uint64_t machine_decides_ms(const struct machine *machine, uint32_t shard, uint64_t now_ms);

/* --- machine_readers.c */
void machine_projection_start(struct machine *machine, const struct id128 *log_id);
void machine_projection_end(struct machine *machine);
void machine_projection_restart(struct machine *machine);
void machine_check_projection(struct machine *machine);
uint64_t machine_witness(struct machine *machine, const struct wal_recovery *found);

/* --- machine_clone.c */
/* machine_clone_begin - where there is none, and something to copy */
void machine_clone_begin(struct machine *machine);
void machine_clone_end(struct machine *machine);
bool machine_clone_step(struct machine *machine);
/* machine_clone_check - after a step of the machine's projection: what a clone has is the
 * clone's */
void machine_clone_check(struct machine *machine);
/* machine_clone_noticed - the machine's projection has stopped: because of a clone?
 * Return: then the clone is gone, and the projection begins anew */
bool machine_clone_noticed(struct machine *machine, const struct projection_status *status);

/* --- machine_snapshot.c */
void machine_snapshot(struct machine *machine);
void machine_trim(struct machine *machine);
void machine_check_snapshots(struct machine *machine);
struct world *machine_load(struct machine *machine, const struct wal_recovery *found,
                           uint64_t *ret_witness_lsn);
uint64_t machine_image_hash(const struct world *world);

/* machine_read_errors - of both disks: what fails meanwhile may fail */
uint64_t machine_read_errors(const struct machine *machine);

/* --- machine_life.c */
/* machine_exit - the process ends as it stands; crashed: the power has failed */
void machine_exit(struct machine *machine, bool crashed);
/* machine_round - a round of a shard, watched. Return: as engine_step() */
uint32_t machine_round(struct machine *machine, uint32_t shard);
/* machine_check_hash - is the live state what the follower has? Only where no drain is pending */
void machine_check_hash(struct machine *machine);

#endif
