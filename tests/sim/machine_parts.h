/* machine_parts.h - what the machine consists of; for the machine's own files alone
 *
 *   machine.c          steps, faults, rest
 *   machine_life.c     start, crash, stop: recovery and what it must have found
 *   machine_ports.c    journal, clock, entropy, frames and replies
 *   machine_readers.c  projection
 *   machine_clone.c    a copy of the log that projects as well
 *   machine_snapshot.c snapshots
 */
#ifndef USHER_TESTS_SIM_MACHINE_PARTS_H
#define USHER_TESTS_SIM_MACHINE_PARTS_H

#include "engine/runtime/clock.h"
#include "engine/runtime/engine.h"
#include "net/frame.h"
#include "replay/projection.h"
#include "replay/snapshot.h"
#include "replay/source_wal.h"
#include "tests/sim/disk.h"
#include "tests/sim/judge.h"
#include "tests/sim/machine.h"
#include "tests/sim/postgres.h"
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
    uint64_t step_us; /* when its next step is */
};

struct machine {
    struct run *run; /* borrowed; likewise the next two */
    struct network *network;
    struct people *people;
    struct rng rng, entropy;
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
    uint64_t read_errors; /* machine_read_errors() when the process began */
    uint32_t refusals;    /* decisions that PostgreSQL has refused, as far as it is known */
    bool log_failed;      /* the process has to exit */
    /* The process's, as in tools/system_ports.c; what it reads is the run's time and wall clock. Whoever
     * sets the wall clock (run->wall_offset_ms) is noticed at the next look. */
    struct engine_clock clock;
    uint64_t projection_us; /* when its next step is */
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
struct clock_reading machine_reading(const struct machine *machine);
uint64_t machine_now_ms(void *machine);
void machine_fill(void *machine, void *bytes, uint32_t size);
/* machine_believe - model and follower from the diary, up to an LSN; forgets what is after it */
void machine_believe(struct machine *machine, uint64_t lsn);
/* machine_diary_source - the diary as a source; one at a time */
struct record_source machine_diary_source(struct diary_source *source);

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
/* machine_clone_check - after a step of the machine's projection: what a clone has is the clone's */
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
/* machine_check_hash - is the live state what the follower has? Only where no drain is pending */
void machine_check_hash(struct machine *machine);

#endif
