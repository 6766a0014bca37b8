/* usherd_log.c - see usherd_log.h
 *
 * Happy path of usherd_log_open, each step using only what came before it: the folder is there ->
 *   is there a log, from which LSN on -> newest valid snapshot of it loaded -> PostgreSQL and the
 *   newest snapshot asked as witnesses -> log opened, which cuts off a torn end -> read back.
 * Nothing is changed before the last but one.
 */
#include "tools/usherd/usherd_log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/base/require.h"
#include "replay/postgres/projection_offline.h"
#include "replay/source/recover.h"
#include "tools/common/clock_words.h"
#include "tools/common/complain.h"
#include "tools/common/progress.h"
#include "tools/usherd/usherd_words.h"

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

/* What PostgreSQL has seen of this log must be in it. An empty folder beside a database that knows
 * a log is most likely the wrong folder, or a lost one: refused as well. */
static uint64_t ask_postgres(struct usherd_log *log) {
    if (!log->options->postgres) return 0;
    const struct wal_recovery *found = &log->found;
    struct id128 log_id = {{0}};
    uint64_t lsn = 0;
    char text[PROJECTION_TEXT_BYTES];
    if (found->log_exists) memcpy(log_id.bytes, found->log_id, sizeof log_id.bytes);
    int result = projection_applied_lsn(log->options->postgres, &log_id, &lsn, text);
    if (result == PROJECTION_FOUND && !found->log_exists && lsn > 0) {
        give_up("%s has no log, but PostgreSQL has the decisions of one up to LSN %" PRIu64
                ", last from %s. Is it the wrong --data, or the database of another engine? If the "
                "log is lost, restore it from a copy; for a new log, name an empty database with "
                "--postgres.",
                log->options->data, lsn, text);
    }
    if (result == PROJECTION_FOUND) {
        (void)snprintf(log->projected_by, sizeof log->projected_by, "%s", text);
        return found->log_exists ? lsn : 0;
    }
    if (result != PROJECTION_NONE) complain("PostgreSQL cannot be a witness of the log: %s", text);
    return 0;
}

static void on_skipped(void *context, const struct snapshot_error *error) {
    (void)context; /* an older one serves, or the log */
    complain("a snapshot is skipped: %s", error->text);
}

static void new_world(struct usherd_log *log) {
    log->world = world_create(&log->seed);
    if (!log->world) give_up("not enough memory");
}

/* The newest valid snapshot of what the log has is where the world begins; without one, at nothing.
 * The newest sound header of all is a witness of the log, whatever lies behind it. */
static void load_snapshot(struct usherd_log *log) {
    const char *data = log->options->data;
    const uint8_t *log_id = log->found.log_exists ? log->found.log_id : NULL;
    const struct snapshot_recover_options options = {
        .seed = &log->seed, .log = log->storage, .skipped = on_skipped};
    struct snapshot_error error;
    int result = storage_posix_open(data, STORAGE_SNAPSHOTS, &log->snapshots);
    if (result < 0) give_up("%s cannot be used: %s%s", data, strerror(-result), advice(-result));
    if (snapshot_witness(log->snapshots, log_id, &log->witness, &error) < 0) {
        give_up("%s: %s", data, error.text);
    }
    if (log->witness.lsn > 0 && !log->found.log_exists) {
        give_up("%s has no log, but %s/" STORAGE_SNAPSHOTS " has %s of one. Is it the wrong "
                "--data? Restore " STORAGE_WAL " from a copy; for a new log, name another folder.",
                data, data, log->witness.name);
    }
    uint64_t begin_ms = system_clock_mono_ms(log->clock);
    result = snapshot_newest(log->snapshots, log_id, log->found.end_lsn, &options, &log->from,
                             &log->world, &error);
    if (result < 0 && result != -SNAPSHOT_NONE) give_up("%s: %s", data, error.text);
    if (result < 0) {
        new_world(log);
        return;
    }
    say("snapshot %s of LSN %" PRIu64 " loaded in %" PRIu64 " ms", log->from.name, log->from.lsn,
        system_clock_mono_ms(log->clock) - begin_ms);
}

static int open_wal(struct usherd_log *log, uint64_t witness_lsn, struct wal_error *ret_error) {
    const struct wal_options options = {
        .storage = log->storage,
        .clock = log->clock_port,
        .entropy = log->entropy,
        .segment_bytes = log->options->segment_bytes,
        .appenders = log->options->shards,
        .recover_from_lsn = log->from.lsn,
        .witness_lsn = witness_lsn,
        .on_durable = log->on_durable,
        .on_failed = log->on_failed,
        .callback_context = log->callback_context,
    };
    return wal_open(&options, &log->recovery, &log->wal, ret_error);
}

/* Before anything is changed: is there a log, and does it reach back to the world's beginning? */
static void look_at_log(struct usherd_log *log) {
    const char *data = log->options->data;
    const struct wal_recovery_options look = {.from_lsn = UINT64_MAX, .live = true};
    struct wal_error error;
    int result = storage_uring_open(data, STORAGE_WAL, &log->storage);
    if (result < 0) give_up("%s cannot be used: %s%s", data, strerror(-result), advice(-result));
    if (wal_recover(log->storage, &look, &log->found, &error) < 0) {
        give_up("%s: %s%s", data, error.text, advice(error.system_error));
    }
    load_snapshot(log);
    if (log->found.log_exists && log->found.first_lsn > log->from.lsn) {
        give_up("%s: the log on disk begins at LSN %" PRIu64
                ", and there is no valid snapshot of that LSN or a later one. Put the segments "
                "before it back into %s/" STORAGE_WAL " from the archive, or a newer snapshot into "
                "%s/" STORAGE_SNAPSHOTS " from a copy.",
                data, log->found.first_lsn, data, data);
    }
}

/* The log is refused: would it be sound if nobody had seen more of it? */
static bool is_the_witness(struct usherd_log *log) {
    const struct wal_recovery_options look = {.from_lsn = log->from.lsn, .live = true};
    struct wal_recovery recovery;
    struct wal_error error;
    return wal_recover(log->storage, &look, &recovery, &error) == 0;
}

/* PostgreSQL has seen more than the log has. A copy of a folder looks just like a log that was
 * cut. */
static _Noreturn void refuse_postgres(struct usherd_log *log, uint64_t lsn,
                                      const struct wal_error *error) {
    give_up(
        "%s: PostgreSQL has decisions of this log up to LSN %" PRIu64
        ", and the log ends before that, in %s at offset %" PRIu64
        ". There are two causes. Either two engines believe that they are one: this folder is a "
        "copy of another one's, or another one is a copy of it, and that engine has projected into "
        "this database, last %s. Then this log is not damaged: stop the wrong engine, or give this "
        "one a database of its own with --postgres. Or this log has lost its end: then restore it "
        "from a copy. Nothing was changed.",
        log->options->data, lsn, error->file, error->offset, log->projected_by);
}

void usherd_log_open(struct usherd_log *log) {
    const char *data = log->options->data;
    if (mkdir(data, 0700) < 0 && errno != EEXIST) {
        give_up("%s cannot be made: %s%s Name another folder with --data, or make it.", data,
                strerror(errno), advice(errno)[0] ? advice(errno) : ".");
    }
    look_at_log(log);
    uint64_t witness_lsn = ask_postgres(log);
    bool postgres_knows_more = witness_lsn > log->witness.lsn;
    if (!postgres_knows_more) witness_lsn = log->witness.lsn;
    struct wal_error error;
    int result = open_wal(log, witness_lsn, &error);
    if (result < 0 && (error.system_error == EPERM || error.system_error == ENOSYS)) {
        /* Containers often forbid io_uring. */
        complain("io_uring is not permitted here; writing the log without it: %s", error.text);
        log->storage->operations->destroy(log->storage);
        result = storage_posix_open(data, STORAGE_WAL, &log->storage);
        if (result < 0) give_up("%s cannot be used: %s", data, strerror(-result));
        result = open_wal(log, witness_lsn, &error);
    }
    if (result < 0 && error.code == WAL_ERROR_CORRUPT && is_the_witness(log)) {
        if (postgres_knows_more) refuse_postgres(log, witness_lsn, &error);
        give_up("%s: %s. The witness is snapshot %s.", data, error.text, log->witness.name);
    }
    if (result < 0) give_up("%s: %s%s", data, error.text, advice(error.system_error));
    wal_journal(log->wal, &log->journal);

    const struct wal_recovery_options look = {.from_lsn = UINT64_MAX, .live = true};
    struct wal_recovery now;
    if (wal_recover(log->storage, &look, &now, &error) < 0) give_up("%s: %s", data, error.text);
    if (!now.log_exists) {
        give_up(
            "%s: the log that was just begun cannot be read back: the disk has lost a write that "
            "it had confirmed. Use another disk.",
            data);
    }
    memcpy(log->log_id.bytes, now.log_id, sizeof log->log_id.bytes);
}

struct replaying {
    struct progress progress;
    uint64_t end_lsn;
};

static void replay_progress(void *context, uint64_t records, uint64_t bytes, uint64_t lsn) {
    struct replaying *replaying = context;
    (void)records;
    (void)bytes;
    progress_at(&replaying->progress, lsn, replaying->end_lsn, "");
}

/* The log's last decision is the floor of the clock (engine/README.md, "Time"). */
static void raise_clock(struct usherd_log *log, uint64_t last_time_ms) {
    char words[CLOCK_WORDS_BYTES];
    uint64_t wall_ms = system_clock_wall_ms(log->clock), behind_ms;
    bool may_start = clock_may_start(wall_ms, last_time_ms, &behind_ms);
    bool accepted = log->options->accept_clock_behind && last_time_ms <= CLOCK_MS_MAX;
    if (!may_start && !accepted) {
        clock_words_refused(log->options->data, wall_ms, last_time_ms, words);
        give_up("%s", words);
    }
    if (behind_ms >= CLOCK_STEP_NS / CLOCK_NS_PER_MS) {
        clock_words_waits(wall_ms, last_time_ms, words);
        complain("%s", words);
    }
    log->clock_behind_ms = system_clock_raise(log->clock, last_time_ms);
}

void usherd_log_replay(struct usherd_log *log) {
    struct recover_result result;
    struct snapshot_error error;
    struct replaying replaying = {.end_lsn = log->recovery.end_lsn};
    const struct snapshot_recover_options options = {.progress = replay_progress,
                                                     .context = &replaying};
    log->last_time_ms = log->from.last_time_ms;
    if (!log->recovery.log_exists) {
        say("new log in %s", log->options->data);
        return;
    }
    uint64_t begin_ms = system_clock_mono_ms(log->clock);
    progress_begin(&replaying.progress, "bytes of log replayed");
    int failed = snapshot_catch_up(log->storage, &log->from, replaying.end_lsn, &options,
                                   log->world, &result, &error);
    if (replaying.progress.drawn) progress_end(&replaying.progress, 1, 1, "");
    if (failed) give_up("%s", error.text);
    say("recovered %" PRIu64 " decisions %sup to LSN %" PRIu64 " in %" PRIu64 " ms; %" PRIu64
        " state hashes agree; state hash %016" PRIx64,
        result.records - result.hashes_verified, log->from.lsn > 0 ? "after it, " : "",
        result.last_lsn, system_clock_mono_ms(log->clock) - begin_ms, result.hashes_verified,
        result.world_hash);
    log->start_lsn = result.last_lsn;
    log->start_decisions = log->from.decision_count + result.records;
    if (log->recovery.torn) {
        say("the last write of the previous run was torn, in %s at offset %" PRIu64
            "; nobody was told about it, it is cut off",
            log->recovery.torn_file, log->recovery.torn_offset);
    }
    if (result.last_time_ms > log->last_time_ms) log->last_time_ms = result.last_time_ms;
    raise_clock(log, log->last_time_ms);
}

uint64_t usherd_log_served_until_ms(const struct usherd_log *log) {
    uint64_t written_ms = log->recovery.last_wall_ms;
    if (written_ms > system_clock_now_ms(log->clock)) written_ms = 0;
    return written_ms > log->last_time_ms ? written_ms : log->last_time_ms;
}
