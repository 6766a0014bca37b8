/* usherd.c - the daemon: the only place that knows all the parts, and puts them together
 *
 * Happy path, in the order of main(), each step using only what came before it: settings -> clock
 *   -> log found, judged and opened (usherd_log.h) -> replayed and verified -> log's writer ->
 *   shards -> sockets -> watch -> projection -> `ready` -> snapshots now and then
 *   (snapshot_worker.h) -> signal -> sockets answer STOPPING -> shards finish and log their state
 *   hashes -> log sealed -> projection catches up (bounded) -> exit 0.
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
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/require.h"
#include "engine/runtime/engine.h"
#include "net/protocol/figures.h"
#include "net/server/server.h"
#include "replay/postgres/projection.h"
#include "replay/source/source_wal.h"
#include "tools/common/log_folder.h"
#include "tools/common/clock_words.h"
#include "tools/common/complain.h"
#include "tools/common/system_ports.h"
#include "tools/common/version.h"
#include "tools/usherd/outage_watch.h"
#include "tools/usherd/projection_report.h"
#include "tools/usherd/snapshot_worker.h"
#include "tools/usherd/usherd_checks.h"
#include "tools/usherd/usherd_descriptors.h"
#include "tools/usherd/usherd_log.h"
#include "tools/usherd/usherd_options.h"
#include "tools/usherd/usherd_watch.h"
#include "tools/usherd/usherd_words.h"
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
    struct usherd_log log;
    struct snapshot_worker worker;
    struct outage_watch outages;
    struct engine *engine;
    struct net_server *server;
    struct net_engine net_engine;
    struct process_figures figures; /* for system.stats; written by whoever knows them */
    struct source_wal source;
    struct record_source source_port;
    struct projection *projection; /* NULL: none wanted */
    struct projection_report report;
    char place[PROJECTION_RUN_BY_BYTES]; /* that others see in PostgreSQL */
    struct descriptors descriptors;
    struct usherd_watch watch;
    struct identity_check identity;
    struct refused_check refused;
};

/* Threads inherit it. */
static void block_signals(struct daemon *daemon) {
    (void)sigemptyset(&daemon->signals);
    (void)sigaddset(&daemon->signals, SIGINT);
    (void)sigaddset(&daemon->signals, SIGTERM);
    sigset_t blocked = daemon->signals;
    (void)sigaddset(&blocked, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &blocked, NULL);
    (void)signal(SIGPIPE, SIG_IGN); /* a reader of our output may go away */
}

static void start_clock(struct daemon *daemon) {
    system_clock_init(&daemon->clock);
    system_clock_port(&daemon->clock, &daemon->clock_port);
    system_entropy_port(&daemon->entropy);
}

static void plan_descriptors(struct daemon *daemon) {
    char text[256];
    if (descriptors_plan(descriptors_raise(), daemon->options.connections_max, &daemon->descriptors,
                         text) < 0) {
        give_up("%s", text);
    }
}

/* --- callbacks of the log and the projection, on their threads -------------------------------- */

static void on_durable(void *context, uint64_t durable_lsn) {
    struct daemon *daemon = context;
    (void)durable_lsn;
    engine_durable(daemon->engine);
}

/* No reply may leave any more: the gate stays shut, because the durable LSN does not move. */
static void on_failed(void *context, const struct wal_error *error) {
    (void)context;
    give_up("the log cannot be written any more: %s. Nobody was told about what was lost. Repair "
            "the cause and start again; recovery reads the disk.",
            error->text);
}

static void on_projection_stopped(void *context, const struct projection_status *status) {
    (void)context;
    complain("ALARM: the projection into PostgreSQL has stopped; sales go on: %s", status->text);
}

/* --- starting --------------------------------------------------------------------------------- */

static void open_log(struct daemon *daemon) {
    struct usherd_log *log = &daemon->log;
    *log = (struct usherd_log){
        .options = &daemon->options,
        .clock = &daemon->clock,
        .clock_port = daemon->clock_port,
        .entropy = daemon->entropy,
        .on_durable = on_durable,
        .on_failed = on_failed,
        .callback_context = daemon,
    };
    daemon->entropy.fill(daemon->entropy.context, log->seed.bytes, sizeof log->seed.bytes);
    usherd_log_open(log);
}

static void replay_log(struct daemon *daemon) {
    usherd_log_replay(&daemon->log);
    daemon->told.behind_ms = daemon->log.clock_behind_ms;
    daemon->report.start_lsn = daemon->log.start_lsn;
    daemon->report.start_decisions = daemon->log.start_decisions;
}

/* For system.stats. */
static void show_log(struct daemon *daemon) {
    struct process_figures *figures = &daemon->figures;
    struct wal_space space;
    wal_space_get(daemon->log.wal, &space);
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
        .world = daemon->log.world,
        .journal = daemon->log.journal,
        .clock = daemon->clock_port,
        .entropy = daemon->entropy,
        .start_lsn = daemon->log.recovery.end_lsn,
        .served_until_ms = usherd_log_served_until_ms(&daemon->log),
    };
    net_server_sink(daemon->server, &engine_options.sink);
    daemon->engine = engine_open(&engine_options);
    if (!daemon->engine) give_up("not enough memory");
    daemon->log.world = NULL;
    struct wal_error wal_error;
    if (wal_start(daemon->log.wal, &wal_error) < 0) give_up("%s", wal_error.text);
    int error = engine_start(daemon->engine);
    if (error != 0) {
        give_up(
            "the shards' threads cannot be started: %s. Raise the limit of processes (ulimit -u, "
            "TasksMax= of systemd) or the memory, or lower --shards.",
            strerror(error));
    }
    net_engine_init(&daemon->net_engine, daemon->engine, &daemon->log.journal);
    daemon->net_engine.figures = &daemon->figures;
    daemon->figures.build = version_of_build;
    show_log(daemon);
    if (net_server_start(daemon->server, &daemon->net_engine, &net_error) != NET_OK) {
        give_up("%s", net_error.text);
    }
}

static void start_projection(struct daemon *daemon) {
    if (!daemon->options.postgres) return;
    source_wal_init(&daemon->source, daemon->log.storage, daemon->log.journal.durable_lsn,
                    daemon->log.journal.context, 0, &daemon->source_port);
    struct id128 run_id;
    daemon->entropy.fill(daemon->entropy.context, run_id.bytes, sizeof run_id.bytes);
    system_place(daemon->options.data, daemon->place, sizeof daemon->place);
    projection_report_start(daemon->log.projected_by, daemon->place);
    const struct projection_options options = {
        .conninfo = daemon->options.postgres,
        .source = &daemon->source_port,
        .log_id = daemon->log.log_id,
        .epoch = daemon->log.recovery.epoch + 1,
        .run_id = run_id,
        .run_by = daemon->place,
        .epoch_after_lsn = daemon->log.recovery.end_lsn,
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
    int rc = identity_check_init(&daemon->identity, daemon->options.data, daemon->log.storage,
                                 daemon->log.wal);
    if (rc != 0) give_up("%s cannot be watched: %s", daemon->options.data, strerror(rc));
    daemon->refused = (struct refused_check){
        .server = daemon->server, .connections_max = daemon->descriptors.connections_max};
    usherd_watch_init(watch, NULL);
    usherd_watch_add(watch, "files", identity_check_look, &daemon->identity);
    usherd_watch_add(watch, "addresses", sockets_check_look, daemon->server);
    usherd_watch_add(watch, "room for the log", room_check_look, daemon->log.wal);
    usherd_watch_add(watch, "connections", refused_check_look, &daemon->refused);
    rc = usherd_watch_start(watch);
    if (rc != 0) give_up("the watch's thread cannot be started: %s", strerror(rc));
}

static void tell_addresses(const struct daemon *daemon) {
    say("listen %s", net_server_url(daemon->server, 0));
    say("admin %s", daemon->options.admin);
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
    const struct wal_recovery *recovery = &daemon->log.recovery;
    struct wal_stats stats;
    uint64_t blocks = (recovery->blocks + recovery->seals) * WAL_BLOCK_ALIGN_BYTES;
    uint64_t records = recovery->end_lsn - daemon->log.from.lsn;
    wal_stats_get(daemon->log.wal, &stats);
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
        complain("%s", words);
        engine_wake(daemon->engine);
        daemon->told = now;
    }
}

static void look_at_projection(struct daemon *daemon, struct projection_status *status) {
    if (!daemon->projection) return;
    projection_status_get(daemon->projection, status);
    projection_report_step(&daemon->report, status, daemon->log.wal,
                           system_clock_now_ms(&daemon->clock), &daemon->figures);
}

/* What time has done to those who wait is told; that it is running for them, the log shows. */
static void tell_outages(struct daemon *daemon) {
    const struct board *board = engine_board(daemon->engine);
    char text[OUTAGE_TEXT_BYTES];
    if (outage_watch_tell(&daemon->outages, board, text)) complain("%s", text);
    if (outage_watch_anybody(board)) wal_beat(daemon->log.wal);
}

/* Until somebody wants it to end: look after the clock, snapshots and PostgreSQL. */
static void run(struct daemon *daemon) {
    const struct timespec pause = {.tv_sec = SNAPSHOT_LOOK_MS / 1000,
                                   .tv_nsec = SNAPSHOT_LOOK_MS % 1000 * 1000000L};
    struct projection_status status = {.applied_lsn = UINT64_MAX};
    look_at_projection(daemon, &status);
    sigset_t signals = daemon->signals;
    (void)sigaddset(&signals, SIGCHLD);
    for (;;) {
        int number = sigtimedwait(&signals, NULL, &pause);
        if (number == SIGINT || number == SIGTERM) return;
        tell_clock(daemon);
        show_log(daemon);
        tell_outages(daemon);
        look_at_projection(daemon, &status);
        snapshot_worker_step(&daemon->worker, log_bytes(daemon), wal_durable_lsn(daemon->log.wal),
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
    if (wal_stop(daemon->log.wal) < 0) give_up("the log cannot be sealed");
    uint64_t end_lsn = wal_durable_lsn(daemon->log.wal);
    catch_up(daemon, end_lsn);

    struct money_totals money;
    engine_money(daemon->engine, &money);
    if (!money_conserved(&money)) complain("points are not conserved: please report this");
    uint64_t hash = engine_world_hash(daemon->engine);
    usherd_watch_stop(&daemon->watch);
    wal_close(daemon->log.wal);
    say("stopped at LSN %" PRIu64 ", state hash %016" PRIx64, end_lsn, hash);
    (void)fflush(NULL);
    _exit(EXIT_SUCCESS);
}

int main(int argc, char **argv) {
    static struct daemon daemon;
    if (snapshot_worker_asked(argc, argv)) return snapshot_worker_main(argc, argv);
    usherd_options_read(argc, argv, &daemon.options);
    require_prepare();
    block_signals(&daemon);
    start_clock(&daemon);
    plan_descriptors(&daemon);
    open_log(&daemon);
    replay_log(&daemon);
    start_engine(&daemon);
    start_watch(&daemon);
    start_projection(&daemon);
    start_worker(&daemon);
    tell_addresses(&daemon);
    say("ready");

    run(&daemon);
    say("stopping");
    stop(&daemon);
}
