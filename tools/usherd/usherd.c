/* usherd.c - the daemon: the only place that knows all the parts, and puts them together
 *
 * Happy path, in this order, each step using only what came before it: settings -> clock -> newest
 *   valid snapshot loaded -> log opened and judged from there on, PostgreSQL and the newest
 *   snapshot asked as witnesses -> the log after the snapshot replayed and verified -> log's writer
 *   -> shards -> sockets -> projection -> `ready` -> snapshots now and then (snapshot_worker.h) ->
 *   signal -> sockets answer STOPPING -> shards finish and log their state hashes -> log sealed ->
 *   projection catches up (bounded) -> exit 0.
 *
 * Failure modes: whatever stands in the way of starting is told in a sentence that says what to do,
 * and nothing has changed. While running, a log that cannot be written ends the process at once,
 * from the writer's thread, before anybody is told anything; the next start reads the disk.
 * PostgreSQL never stops the daemon. The process is left by _exit once the log is closed: closing
 * nng's sockets can deadlock (1.5.2), and there is nothing left to lose.
 *
 * Threads: this one starts and stops the others and waits for signals, which are blocked in all.
 * One looks once a second whether folder, log and sockets are still our own (usherd_watch.h).
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/require.h"
#include "engine/runtime/engine.h"
#include "net/protocol/figures.h"
#include "net/server/server.h"
#include "replay/postgres/projection.h"
#include "replay/source/recover.h"
#include "replay/snapshot/snapshot.h"
#include "replay/source/source_wal.h"
#include "replay/tell/text.h"
#include "tools/common/clock_words.h"
#include "tools/common/log_folder.h"
#include "tools/usherd/outage_watch.h"
#include "tools/common/progress.h"
#include "tools/usherd/projection_report.h"
#include "tools/usherd/snapshot_worker.h"
#include "tools/common/system_ports.h"
#include "tools/usherd/usherd_checks.h"
#include "tools/usherd/usherd_descriptors.h"
#include "tools/usherd/usherd_options.h"
#include "tools/usherd/usherd_watch.h"
#include "wal/wal.h"

/* Frames still unanswered after this are those of a log that does not write any more. */
#define DRAIN_TIMEOUT_MS 10000u
/* A projection that is behind catches up at the next start just as well. */
#define CATCH_UP_TIMEOUT_MS 15000u
#define CATCH_UP_LOOK_MS 50u
/* Everything that lives as long as the process. The starting thread's, but for what the log's
 * callbacks read: `engine`, which is set before the log's writer starts. */
struct daemon {
    struct usherd_options options;
    sigset_t signals;
    struct system_clock clock;
    struct clock_figures told; /* of the clock, when something was said of it last */
    struct clock_port clock_port;
    struct entropy_port entropy;
    struct storage *storage, *snapshots;
    struct id128 seed;            /* of the accounts' tables */
    struct wal_recovery found;    /* as it was before this run */
    struct snapshot_info witness; /* the newest snapshot with a sound header; lsn 0: none */
    struct snapshot_info from;    /* the one that the world is made from; lsn 0: none */
    struct snapshot_worker worker;
    struct wal *wal;
    struct journal journal;
    struct wal_recovery recovery;
    uint64_t last_time_ms; /* of the last decision that was recovered; 0: none */
    struct outage_watch outages;
    struct id128 log_id;
    struct world *world; /* until the engine takes it */
    struct engine *engine;
    struct net_server *server;
    struct net_engine net_engine;
    struct net_figures figures; /* for system.stats; written by whoever knows them */
    struct source_wal source;
    struct record_source source_port;
    struct projection *projection; /* NULL: none wanted */
    struct projection_report report;
    char place[PROJECTION_RUN_BY_BYTES];      /* that others see in PostgreSQL */
    char projected_by[PROJECTION_TEXT_BYTES]; /* who did before this run, as PostgreSQL says */
    struct descriptors descriptors;
    struct usherd_watch watch;
    struct identity_check identity;
    struct refused_check refused;
};

__attribute__((format(printf, 1, 2))) static _Noreturn void give_up(const char *format, ...) {
    va_list arguments;
    (void)fputs("usherd: ", stderr); /* here and below: leaving anyway */
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
    (void)fflush(NULL);
    _exit(EXIT_FAILURE);
}

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)vprintf(format, arguments); /* whoever reads may have gone; selling goes on */
    va_end(arguments);
    (void)putchar('\n');
    (void)fflush(stdout);
}

static void warn(const char *what, const char *why) {
    (void)fprintf(stderr, "usherd: %s: %s\n", what, why); /* nobody may be reading */
}

static void plan_descriptors(struct daemon *daemon) {
    char text[256];
    if (descriptors_plan(descriptors_raise(), daemon->options.connections_max, &daemon->descriptors,
                         text) < 0) {
        give_up("%s", text);
    }
}

/* What to do about an error of the system, to be put behind its words; may be empty. */
static const char *advice(int system_error) {
    switch (system_error) {
    case EACCES:
    case EPERM:
        return ". Run usherd as the user who owns the folder and all that is in it, or change "
               "their "
               "owner (chown -R) or permissions.";
    case EROFS: return ". The file system is mounted read-only: mount it for writing.";
    case ENOSPC:
    case EDQUOT: return ". Make room on the disk and start again.";
    default: return "";
    }
}

/* --- callbacks of the log and the projection, on their threads -------------------------------- */

static void on_durable(void *context, uint64_t durable_lsn) {
    struct daemon *daemon = context;
    (void)durable_lsn; /* the shards ask for it themselves */
    engine_durable(daemon->engine);
}

/* No reply may leave any more: the gate stays shut, because the durable LSN does not move. */
static void on_failed(void *context, const struct wal_error *error) {
    (void)context; /* nothing of it is needed: leaving */
    give_up("the log cannot be written any more: %s. Nobody was told about what was lost. Repair "
            "the cause and start again; recovery reads the disk.",
            error->text);
}

static void on_projection_stopped(void *context, const struct projection_status *status) {
    (void)context; /* the status says all */
    warn("ALARM: the projection into PostgreSQL has stopped; sales go on", status->text);
}

/* --- starting --------------------------------------------------------------------------------- */

/* What PostgreSQL has seen of this log must be in it. An empty folder beside a database that knows
 * a log is most likely the wrong folder, or a lost one: refused as well. */
static uint64_t ask_postgres(struct daemon *daemon) {
    if (!daemon->options.postgres) return 0;
    const struct wal_recovery *found = &daemon->found;
    struct id128 log_id = {{0}};
    uint64_t lsn = 0;
    char text[PROJECTION_TEXT_BYTES];
    if (found->log_exists) memcpy(log_id.bytes, found->log_id, sizeof log_id.bytes);
    int result = projection_applied_lsn(daemon->options.postgres, &log_id, &lsn, text);
    if (result == PROJECTION_FOUND && !found->log_exists && lsn > 0) {
        give_up("%s has no log, but PostgreSQL has the decisions of one up to LSN %" PRIu64
                ", last from %s. Is it the wrong --data, or the database of another engine? If the "
                "log is lost, restore it from a copy; for a new log, name an empty database with "
                "--postgres.",
                daemon->options.data, lsn, text);
    }
    if (result == PROJECTION_FOUND) {
        (void)snprintf(daemon->projected_by, sizeof daemon->projected_by, "%s", text);
        return found->log_exists ? lsn : 0;
    }
    if (result != PROJECTION_NONE) warn("PostgreSQL cannot be a witness of the log", text);
    return 0;
}

static void on_skipped(void *context, const struct snapshot_error *error) {
    (void)context; /* an older one serves, or the log */
    warn("a snapshot is skipped", error->text);
}

static void new_world(struct daemon *daemon) {
    daemon->world = world_create(&daemon->seed);
    if (!daemon->world) give_up("not enough memory");
}

/* The newest valid snapshot of what the log has is where the world begins; without one, at nothing.
 * The newest sound header of all is a witness of the log, whatever lies behind it. */
static void load_snapshot(struct daemon *daemon) {
    const char *data = daemon->options.data;
    const uint8_t *log_id = daemon->found.log_exists ? daemon->found.log_id : NULL;
    const struct snapshot_recover_options options = {
        .seed = &daemon->seed, .log = daemon->storage, .skipped = on_skipped};
    struct snapshot_error error;
    int result = storage_posix_open(data, STORAGE_SNAPSHOTS, &daemon->snapshots);
    if (result < 0) give_up("%s cannot be used: %s%s", data, strerror(-result), advice(-result));
    if (snapshot_witness(daemon->snapshots, log_id, &daemon->witness, &error) < 0) {
        give_up("%s: %s", data, error.text);
    }
    if (daemon->witness.lsn > 0 && !daemon->found.log_exists) {
        give_up("%s has no log, but %s/" STORAGE_SNAPSHOTS " has %s of one. Is it the wrong "
                "--data? Restore " STORAGE_WAL " from a copy; for a new log, name another folder.",
                data, data, daemon->witness.name);
    }
    uint64_t begin_ms = system_clock_mono_ms(&daemon->clock);
    result = snapshot_newest(daemon->snapshots, log_id, daemon->found.end_lsn, &options,
                             &daemon->from, &daemon->world, &error);
    if (result < 0 && result != -SNAPSHOT_NONE) give_up("%s: %s", data, error.text);
    if (result < 0) {
        new_world(daemon);
        return;
    }
    say("snapshot %s of LSN %" PRIu64 " loaded in %" PRIu64 " ms", daemon->from.name,
        daemon->from.lsn, system_clock_mono_ms(&daemon->clock) - begin_ms);
}

static int open_wal(struct daemon *daemon, uint64_t witness_lsn, struct wal_error *ret_error) {
    const struct wal_options options = {
        .storage = daemon->storage,
        .clock = daemon->clock_port,
        .entropy = daemon->entropy,
        .segment_bytes = daemon->options.segment_bytes,
        .appenders = daemon->options.shards,
        .recover_from_lsn = daemon->from.lsn,
        .witness_lsn = witness_lsn,
        .on_durable = on_durable,
        .on_failed = on_failed,
        .callback_context = daemon,
    };
    return wal_open(&options, &daemon->recovery, &daemon->wal, ret_error);
}

/* Before anything is changed: is there a log, and does it reach back to the world's beginning? */
static void look_at_log(struct daemon *daemon) {
    const char *data = daemon->options.data;
    const struct wal_recovery_options look = {.from_lsn = UINT64_MAX, .live = true};
    struct wal_error error;
    int result = storage_uring_open(data, STORAGE_WAL, &daemon->storage);
    if (result < 0) give_up("%s cannot be used: %s%s", data, strerror(-result), advice(-result));
    if (wal_recover(daemon->storage, &look, &daemon->found, &error) < 0) {
        give_up("%s: %s%s", data, error.text, advice(error.system_error));
    }
    load_snapshot(daemon);
    if (daemon->found.log_exists && daemon->found.first_lsn > daemon->from.lsn) {
        give_up("%s: the log on disk begins at LSN %" PRIu64
                ", and there is no valid snapshot of that LSN or a later one. Put the segments "
                "before it back into %s/" STORAGE_WAL " from the archive, or a newer snapshot into "
                "%s/" STORAGE_SNAPSHOTS " from a copy.",
                data, daemon->found.first_lsn, data, data);
    }
}

/* The log is refused: would it be sound if nobody had seen more of it? */
static bool is_the_witness(struct daemon *daemon) {
    const struct wal_recovery_options look = {.from_lsn = daemon->from.lsn, .live = true};
    struct wal_recovery recovery;
    struct wal_error error;
    return wal_recover(daemon->storage, &look, &recovery, &error) == 0;
}

/* PostgreSQL has seen more than the log has. A copy of a folder looks just like a log that was
 * cut. */
static _Noreturn void refuse_postgres(struct daemon *daemon, uint64_t lsn,
                                      const struct wal_error *error) {
    give_up(
        "%s: PostgreSQL has decisions of this log up to LSN %" PRIu64
        ", and the log ends before that, in %s at offset %" PRIu64
        ". There are two causes. Either two engines believe that they are one: this folder is a "
        "copy of another one's, or another one is a copy of it, and that engine has projected into "
        "this database, last %s. Then this log is not damaged: stop the wrong engine, or give this "
        "one a database of its own with --postgres. Or this log has lost its end: then restore it "
        "from a copy. Nothing was changed.",
        daemon->options.data, lsn, error->file, error->offset, daemon->projected_by);
}

static void open_log(struct daemon *daemon) {
    const char *data = daemon->options.data;
    if (mkdir(data, 0700) < 0 && errno != EEXIST) {
        give_up("%s cannot be made: %s%s Name another folder with --data, or make it.", data,
                strerror(errno), advice(errno)[0] ? advice(errno) : ".");
    }
    look_at_log(daemon);
    uint64_t witness_lsn = ask_postgres(daemon);
    bool postgres_knows_more = witness_lsn > daemon->witness.lsn;
    if (!postgres_knows_more) witness_lsn = daemon->witness.lsn;
    struct wal_error error;
    int result = open_wal(daemon, witness_lsn, &error);
    if (result < 0 && (error.system_error == EPERM || error.system_error == ENOSYS)) {
        /* Containers often forbid io_uring. */
        warn("io_uring is not permitted here; writing the log without it", error.text);
        daemon->storage->operations->destroy(daemon->storage);
        result = storage_posix_open(data, STORAGE_WAL, &daemon->storage);
        if (result < 0) give_up("%s cannot be used: %s", data, strerror(-result));
        result = open_wal(daemon, witness_lsn, &error);
    }
    if (result < 0 && error.code == WAL_ERROR_CORRUPT && is_the_witness(daemon)) {
        if (postgres_knows_more) refuse_postgres(daemon, witness_lsn, &error);
        give_up("%s: %s. The witness is snapshot %s.", data, error.text, daemon->witness.name);
    }
    if (result < 0) give_up("%s: %s%s", data, error.text, advice(error.system_error));
    wal_journal(daemon->wal, &daemon->journal);

    const struct wal_recovery_options look = {.from_lsn = UINT64_MAX, .live = true};
    struct wal_recovery now;
    if (wal_recover(daemon->storage, &look, &now, &error) < 0) give_up("%s: %s", data, error.text);
    if (!now.log_exists) {
        give_up(
            "%s: the log that was just begun cannot be read back: the disk has lost a write that "
            "it had confirmed. Use another disk.",
            data);
    }
    memcpy(daemon->log_id.bytes, now.log_id, sizeof daemon->log_id.bytes);
}

struct replaying {
    struct progress progress;
    uint64_t end_lsn;
};

static void replay_progress(void *context, uint64_t records, uint64_t bytes, uint64_t lsn) {
    struct replaying *replaying = context;
    (void)records; /* the LSN measures the way better */
    (void)bytes;   /* likewise */
    progress_at(&replaying->progress, lsn, replaying->end_lsn, "");
}

/* The log's last decision is the floor of the clock (engine/README.md, "Time"). */
static void raise_clock(struct daemon *daemon, uint64_t last_time_ms) {
    char words[CLOCK_WORDS_BYTES];
    uint64_t wall_ms = system_clock_wall_ms(&daemon->clock), behind_ms;
    bool may_start = clock_may_start(wall_ms, last_time_ms, &behind_ms);
    bool accepted = daemon->options.accept_clock_behind && last_time_ms <= CLOCK_MS_MAX;
    if (!may_start && !accepted) {
        clock_words_refused(daemon->options.data, wall_ms, last_time_ms, words);
        give_up("%s", words);
    }
    if (behind_ms >= CLOCK_STEP_NS / CLOCK_NS_PER_MS) {
        clock_words_waits(wall_ms, last_time_ms, words);
        (void)fprintf(stderr, "usherd: %s\n", words); /* nobody may be reading */
    }
    daemon->told.behind_ms = system_clock_raise(&daemon->clock, last_time_ms);
}

static void replay(struct daemon *daemon) {
    struct recover_result result;
    struct snapshot_error error;
    struct replaying replaying = {.end_lsn = daemon->recovery.end_lsn};
    const struct snapshot_recover_options options = {.progress = replay_progress,
                                                     .context = &replaying};
    daemon->last_time_ms = daemon->from.last_time_ms;
    if (!daemon->recovery.log_exists) {
        say("new log in %s", daemon->options.data);
        return;
    }
    uint64_t begin_ms = system_clock_mono_ms(&daemon->clock);
    progress_begin(&replaying.progress, "bytes of log replayed");
    int failed = snapshot_catch_up(daemon->storage, &daemon->from, replaying.end_lsn, &options,
                                   daemon->world, &result, &error);
    if (replaying.progress.drawn) progress_end(&replaying.progress, 1, 1, "");
    if (failed) give_up("%s", error.text);
    say("recovered %" PRIu64 " decisions %sup to LSN %" PRIu64 " in %" PRIu64 " ms; %" PRIu64
        " state hashes agree; state hash %016" PRIx64,
        result.records - result.hashes_verified, daemon->from.lsn > 0 ? "after it, " : "",
        result.last_lsn, system_clock_mono_ms(&daemon->clock) - begin_ms, result.hashes_verified,
        result.world_hash);
    daemon->report.start_lsn = result.last_lsn;
    daemon->report.start_decisions = daemon->from.decision_count + result.records;
    if (daemon->recovery.torn) {
        say("the last write of the previous run was torn, in %s at offset %" PRIu64
            "; nobody was told about it, it is cut off",
            daemon->recovery.torn_file, daemon->recovery.torn_offset);
    }
    if (result.last_time_ms > daemon->last_time_ms) daemon->last_time_ms = result.last_time_ms;
    raise_clock(daemon, daemon->last_time_ms);
}

/* Until when the run before is known to have served: its log was written then, or something
 * decided. A block from a clock that was wrong says nothing. */
static uint64_t served_until_ms(struct daemon *daemon) {
    uint64_t written_ms = daemon->recovery.last_wall_ms;
    if (written_ms > system_clock_now_ms(&daemon->clock)) written_ms = 0;
    return written_ms > daemon->last_time_ms ? written_ms : daemon->last_time_ms;
}

/* For system.stats. */
static void show_log(struct daemon *daemon) {
    struct net_figures *figures = &daemon->figures;
    struct wal_space space;
    wal_space_get(daemon->wal, &space);
    atomic_store(&figures->log_segment_bytes, space.segment_bytes);
    atomic_store(&figures->log_left_bytes, space.left_bytes);
    atomic_store(&figures->log_free_bytes, space.free_bytes == UINT64_MAX ? 0 : space.free_bytes);
    atomic_store(&figures->log_segment_missing_bytes, space.missing_bytes);
}

static void start_engine(struct daemon *daemon) {
    const struct usherd_options *options = &daemon->options;
    const struct net_options net_options = {
        .public_urls = {options->listen},
        .public_url_count = 1,
        .admin_url = options->admin,
        .connections_max = daemon->descriptors.connections_max,
        .public_below = daemon->descriptors.public_below,
        .private_below = daemon->descriptors.private_below,
    };
    struct net_error net_error;
    if (net_server_create(&net_options, &daemon->server, &net_error) != NET_OK) {
        give_up("%s", net_error.text);
    }
    struct engine_options engine_options = {
        .shards = options->shards,
        .world = daemon->world,
        .journal = daemon->journal,
        .clock = daemon->clock_port,
        .entropy = daemon->entropy,
        .start_lsn = daemon->recovery.end_lsn,
        .served_until_ms = served_until_ms(daemon),
    };
    net_server_sink(daemon->server, &engine_options.sink);
    daemon->engine = engine_open(&engine_options);
    if (!daemon->engine) give_up("not enough memory");
    daemon->world = NULL;
    struct wal_error wal_error;
    if (wal_start(daemon->wal, &wal_error) < 0) give_up("%s", wal_error.text);
    int error = engine_start(daemon->engine);
    if (error != 0) {
        give_up(
            "the shards' threads cannot be started: %s. Raise the limit of processes (ulimit -u, "
            "TasksMax= of systemd) or the memory, or lower --shards.",
            strerror(error));
    }
    net_engine_init(&daemon->net_engine, daemon->engine, &daemon->journal);
    daemon->net_engine.figures = &daemon->figures;
    show_log(daemon);
    if (net_server_start(daemon->server, &daemon->net_engine, &net_error) != NET_OK) {
        give_up("%s", net_error.text);
    }
}

static void start_projection(struct daemon *daemon) {
    if (!daemon->options.postgres) return;
    source_wal_init(&daemon->source, daemon->storage, daemon->journal.durable_lsn,
                    daemon->journal.context, 0, &daemon->source_port);
    struct id128 run_id;
    daemon->entropy.fill(daemon->entropy.context, run_id.bytes, sizeof run_id.bytes);
    system_place(daemon->options.data, daemon->place, sizeof daemon->place);
    projection_report_start(daemon->projected_by, daemon->place);
    const struct projection_options options = {
        .conninfo = daemon->options.postgres,
        .source = &daemon->source_port,
        .log_id = daemon->log_id,
        .epoch = daemon->recovery.epoch + 1,
        .run_id = run_id,
        .run_by = daemon->place,
        .epoch_after_lsn = daemon->recovery.end_lsn,
        .clock = daemon->clock_port,
        .batch_ms = PROJECTION_BATCH_MS_DEFAULT,
        .alarm = on_projection_stopped,
        .alarm_context = daemon,
    };
    daemon->projection = projection_create(&options);
    if (projection_start(daemon->projection) < 0) {
        give_up("the projection's thread cannot be started");
    }
}

/* Once a second; each row is a check. Those that end the process come first. */
static void start_watch(struct daemon *daemon) {
    struct usherd_watch *watch = &daemon->watch;
    int rc = identity_check_init(&daemon->identity, daemon->options.data, daemon->storage,
                                 daemon->wal);
    if (rc != 0) give_up("%s cannot be watched: %s", daemon->options.data, strerror(rc));
    daemon->refused = (struct refused_check){
        .server = daemon->server, .connections_max = daemon->descriptors.connections_max};
    usherd_watch_init(watch, NULL);
    usherd_watch_add(watch, "files", identity_check_look, &daemon->identity);
    usherd_watch_add(watch, "addresses", sockets_check_look, daemon->server);
    usherd_watch_add(watch, "room for the log", room_check_look, daemon->wal);
    usherd_watch_add(watch, "connections", refused_check_look, &daemon->refused);
    rc = usherd_watch_start(watch);
    if (rc != 0) give_up("the watch's thread cannot be started: %s", strerror(rc));
}

/* --- running ---------------------------------------------------------------------------------- */

static void start_worker(struct daemon *daemon) {
    const struct usherd_options *options = &daemon->options;
    snapshot_worker_init(&daemon->worker, &(struct snapshot_worker_options){
                                              .data = options->data,
                                              .archive = options->archive,
                                              .every_bytes = options->snapshot_bytes,
                                              .keep = options->snapshot_keep,
                                              .delete_log = options->delete_log,
                                          });
}

/* Of the log's files behind the snapshot that this run began with. At the start it is known by its
 * blocks, each of which has at least its alignment, and by its records. */
static uint64_t log_bytes(const struct daemon *daemon) {
    const struct wal_recovery *recovery = &daemon->recovery;
    struct wal_stats stats;
    uint64_t blocks = (recovery->blocks + recovery->seals) * WAL_BLOCK_ALIGN_BYTES;
    uint64_t records = recovery->end_lsn - daemon->from.lsn;
    wal_stats_get(daemon->wal, &stats);
    return (blocks > records ? blocks : records) + stats.written_bytes;
}

/* Say what has become of the machine's clock. A shard that sleeps until a deadline has counted
 * without the step: it counts again. */
static void tell_clock(struct daemon *daemon) {
    char words[CLOCK_WORDS_BYTES];
    struct clock_figures now;
    system_clock_figures(&daemon->clock, &now);
    atomic_store(&daemon->figures.clock_steps_forward, now.steps_forward);
    atomic_store(&daemon->figures.clock_steps_back, now.steps_back);
    atomic_store(&daemon->figures.clock_behind_ms, now.behind_ms);
    if (clock_words_change(&daemon->told, &now, words)) {
        (void)fprintf(stderr, "usherd: %s\n", words); /* nobody may be reading */
        engine_wake(daemon->engine);
        daemon->told = now;
    }
}

static void look_at_projection(struct daemon *daemon, struct projection_status *status) {
    if (!daemon->projection) return;
    projection_status_get(daemon->projection, status);
    projection_report_step(&daemon->report, status, daemon->wal,
                           system_clock_now_ms(&daemon->clock), &daemon->figures);
}

/* What time has done to those who wait is told; that it is running for them, the log shows. */
static void tell_outages(struct daemon *daemon) {
    const struct board *board = engine_board(daemon->engine);
    char text[OUTAGE_TEXT_BYTES];
    if (outage_watch_tell(&daemon->outages, board, text)) {
        (void)fprintf(stderr, "usherd: %s\n", text); /* nobody may be reading */
    }
    if (outage_watch_anybody(board)) wal_beat(daemon->wal);
}

/* Until somebody wants it to end: look after the clock, snapshots and PostgreSQL. */
static void run(struct daemon *daemon) {
    const struct timespec pause = {.tv_sec = SNAPSHOT_LOOK_MS / 1000,
                                   .tv_nsec = SNAPSHOT_LOOK_MS % 1000 * 1000000L};
    struct projection_status status = {.applied_lsn = UINT64_MAX};
    look_at_projection(daemon, &status);
    sigset_t signals = daemon->signals;
    (void)sigaddset(&signals, SIGCHLD); /* cannot fail */
    for (;;) {
        int number = sigtimedwait(&signals, NULL, &pause);
        if (number == SIGINT || number == SIGTERM) return;
        tell_clock(daemon);
        show_log(daemon);
        tell_outages(daemon);
        look_at_projection(daemon, &status);
        snapshot_worker_step(&daemon->worker, log_bytes(daemon), wal_durable_lsn(daemon->wal),
                             status.applied_lsn, system_clock_mono_ms(&daemon->clock));
    }
}

/* --- stopping --------------------------------------------------------------------------------- */

/* Wait until PostgreSQL has everything, for as long as that makes sense; a second signal ends
 * it. */
static void catch_up(struct daemon *daemon, uint64_t end_lsn) {
    if (!daemon->projection) return;
    const struct timespec pause = {.tv_nsec = CATCH_UP_LOOK_MS * 1000000L};
    const uint64_t deadline_ms = system_clock_mono_ms(&daemon->clock) + CATCH_UP_TIMEOUT_MS;
    struct projection_status status;
    for (;;) {
        projection_status_get(daemon->projection, &status);
        bool connected = status.state == PROJECTION_FOLLOWING;
        if (connected && status.applied_lsn >= end_lsn) break;
        if (!connected && status.failures > 0) break; /* no server: not worth waiting for */
        if (status.state == PROJECTION_STOPPED) break;
        if (system_clock_mono_ms(&daemon->clock) > deadline_ms) break;
        if (sigtimedwait(&daemon->signals, NULL, &pause) > 0) break;
    }
    if (status.reached && status.applied_lsn >= end_lsn) {
        say("PostgreSQL has everything up to LSN %" PRIu64, status.applied_lsn);
    } else if (status.state == PROJECTION_STOPPED) {
        say("PostgreSQL was not projected into any more when usherd stopped; see the ALARM");
    } else if (!status.reached) {
        say("PostgreSQL has not answered; it catches up at the next start");
    } else {
        say("PostgreSQL is at LSN %" PRIu64 " and catches up at the next start",
            status.applied_lsn);
    }
    projection_stop(daemon->projection);
}

static _Noreturn void stop(struct daemon *daemon) {
    snapshot_worker_end(&daemon->worker);
    if (net_server_stop(daemon->server, DRAIN_TIMEOUT_MS) != NET_OK) {
        give_up("requests are still unanswered after %u ms; leaving without closing the log, "
                "recovery will read it",
                DRAIN_TIMEOUT_MS);
    }
    engine_stop(daemon->engine);
    if (wal_stop(daemon->wal) < 0) give_up("the log cannot be sealed");
    uint64_t end_lsn = wal_durable_lsn(daemon->wal);
    catch_up(daemon, end_lsn);

    struct money_totals money;
    engine_money(daemon->engine, &money);
    if (!money_conserved(&money)) warn("points are not conserved", "please report this");
    uint64_t hash = engine_world_hash(daemon->engine);
    usherd_watch_stop(&daemon->watch);
    wal_close(daemon->wal);
    say("stopped at LSN %" PRIu64 ", state hash %016" PRIx64, end_lsn, hash);
    (void)fflush(NULL); /* nobody may be reading */
    _exit(EXIT_SUCCESS);
}

int main(int argc, char **argv) {
    static struct daemon daemon;
    if (snapshot_worker_asked(argc, argv)) return snapshot_worker_main(argc, argv);
    usherd_options_read(argc, argv, &daemon.options);
    (void)sigemptyset(&daemon.signals); /* cannot fail, here and below */
    (void)sigaddset(&daemon.signals, SIGINT);
    (void)sigaddset(&daemon.signals, SIGTERM);
    sigset_t blocked = daemon.signals;
    (void)sigaddset(&blocked, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &blocked, NULL); /* threads inherit it */
    (void)signal(SIGPIPE, SIG_IGN);               /* a reader of our output may go away */
    system_clock_init(&daemon.clock);
    system_clock_port(&daemon.clock, &daemon.clock_port);
    system_entropy_port(&daemon.entropy);
    daemon.entropy.fill(daemon.entropy.context, daemon.seed.bytes, sizeof daemon.seed.bytes);

    plan_descriptors(&daemon);
    open_log(&daemon);
    replay(&daemon);
    start_engine(&daemon);
    start_watch(&daemon);
    start_projection(&daemon);
    start_worker(&daemon);
    say("listen %s", net_server_url(daemon.server, 0));
    say("admin %s", daemon.options.admin);
    say("ready");

    run(&daemon);
    say("stopping");
    stop(&daemon);
}
