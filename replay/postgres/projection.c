/* projection.c - the state machine that projection.h promises
 *
 * Happy path of a step: connected -> read records into the stage until it is full, old enough or
 * there are no more -> one transaction -> clear the stage.
 * Failure modes: every failure ends in retry() or stop(). retry() drops the connection (the server
 * rolls back) and the stage; the next step connects, reads the applied LSN and reads the log again
 * from there. So there is one way to begin, and it is the way after a crash. Only the first time it
 * takes the database over; who finds that another run has done so stops.
 * Thread: the projection's own, or a test's; `status` alone is shared, under its mutex.
 */
#include "replay/postgres/projection.h"

#include <pthread.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "engine/base/require.h"
#include "replay/postgres/projection_attach.h"
#include "replay/postgres/sql.h"
#include "replay/postgres/stage.h"
#include "replay/postgres/statements.h"
#include "replay/tell/text.h"

struct projection {
    struct projection_options options;
    struct sql *sql;     /* NULL: not connected */
    struct stage *stage; /* the batch; decisions after applied_lsn */
    char log_id[TEXT_UUID_BYTES], run_id[TEXT_UUID_BYTES];
    int wake_fd; /* readable once the projection is to stop */

    uint64_t run;             /* this run's number in PostgreSQL; 0: it has not taken over yet */
    uint64_t look_at_ms;      /* FOLLOWING: when to look whether it still has it */
    uint64_t applied_lsn;     /* as read from or written to PostgreSQL */
    uint64_t stage_lsn;       /* after the last decision of the stage */
    uint64_t stage_time_ms;   /* of it */
    uint64_t stage_hash;      /* of its records: projection_batch_hash() */
    uint64_t stage_began_ms;  /* when the first one was read */
    uint16_t stage_kind;      /* of the last decision */
    uint32_t stage_partition; /* of the last decision */
    uint32_t batch_limit;     /* decisions; 1..batch_records, halved on failure */
    uint64_t retry_ms;        /* pause after the next failure */
    uint64_t retry_at_ms;     /* RETRYING: when */

    /* The record after the stage cannot be applied: stop once the stage is committed. */
    bool poisoned;
    uint64_t poison_lsn;
    char poison[PROJECTION_TEXT_BYTES];

    pthread_t thread;
    bool running;
    pthread_mutex_t mutex;
    struct projection_status status; /* guarded by mutex; written by the projection's thread */
};

const char *projection_state_name(uint32_t state) {
    switch (state) {
    case PROJECTION_CONNECTING: return "connecting";
    case PROJECTION_FOLLOWING: return "following";
    case PROJECTION_RETRYING: return "retrying";
    case PROJECTION_STOPPED: return "stopped";
    default: return "unknown";
    }
}

/* --- status ----------------------------------------------------------------------------------- */

static uint64_t now_ms(const struct projection *projection) {
    return projection->options.clock.now_ms(projection->options.clock.context);
}

static uint64_t source_end(const struct projection *projection) {
    const struct record_source *source = projection->options.source;
    return source->end_lsn(source->context);
}

/* Only this thread writes the status, so it may read it without the mutex. */
static void publish(struct projection *projection, enum projection_state state) {
    uint64_t end_lsn = source_end(projection);
    pthread_mutex_lock(&projection->mutex);
    struct projection_status *status = &projection->status;
    status->state = state;
    status->applied_lsn = projection->applied_lsn;
    status->end_lsn = end_lsn;
    status->lag_bytes = end_lsn > projection->applied_lsn ? end_lsn - projection->applied_lsn : 0;
    pthread_mutex_unlock(&projection->mutex);
}

void projection_status_get(struct projection *projection, struct projection_status *ret_status) {
    pthread_mutex_lock(&projection->mutex);
    *ret_status = projection->status;
    pthread_mutex_unlock(&projection->mutex);
}

/* Nothing is left that a failure could be about. Connecting alone proves nothing. */
static void all_is_well(struct projection *projection) {
    pthread_mutex_lock(&projection->mutex);
    projection->status.text[0] = '\0';
    projection->status.failing_since_ms = 0;
    pthread_mutex_unlock(&projection->mutex);
    projection->retry_ms = PROJECTION_RETRY_MS_MIN;
}

static void disconnect(struct projection *projection) {
    sql_close(projection->sql);
    projection->sql = NULL;
    stage_clear(projection->stage);
    projection->poisoned = false;
}

/* Something that may pass. */
static int retry(struct projection *projection, const char *what, const char *why) {
    uint64_t now = now_ms(projection);
    disconnect(projection);
    projection->retry_at_ms = now + projection->retry_ms;
    projection->retry_ms *= 2;
    if (projection->retry_ms > PROJECTION_RETRY_MS_MAX)
        projection->retry_ms = PROJECTION_RETRY_MS_MAX;
    pthread_mutex_lock(&projection->mutex);
    projection->status.failures++;
    if (projection->status.failing_since_ms == 0) projection->status.failing_since_ms = now;
    snprintf(projection->status.text, sizeof projection->status.text, "%s: %s", what, why);
    pthread_mutex_unlock(&projection->mutex);
    publish(projection, PROJECTION_RETRYING);
    return PROJECTION_IDLE;
}

/* Something that will not pass. */
static int stop(struct projection *projection, uint64_t lsn, const char *why) {
    char text[PROJECTION_TEXT_BYTES];
    snprintf(text, sizeof text, "%s", why); /* `why` may be the poison that disconnect() clears */
    disconnect(projection);
    pthread_mutex_lock(&projection->mutex);
    projection->status.failures++;
    projection->status.stopped_lsn = lsn;
    snprintf(projection->status.text, sizeof projection->status.text, "%s", text);
    pthread_mutex_unlock(&projection->mutex);
    publish(projection, PROJECTION_STOPPED);
    if (projection->options.alarm) {
        projection->options.alarm(projection->options.alarm_context, &projection->status);
    }
    return PROJECTION_HALTED;
}

/* --- connecting ------------------------------------------------------------------------------- */

/* Read the state row; make the schema, or raise it, where that is needed. */
static int attach(struct projection *projection, struct projection_found *ret_found) {
    struct sql *sql = projection->sql;
    int result = projection_look_up(sql, ret_found);
    if (result == SQL_OK && !ret_found->exists) {
        result = projection_create_schema(sql, projection->log_id, projection->options.epoch, 0,
                                          ret_found);
    }
    bool raise = result == SQL_OK && ret_found->version == PROJECTION_SCHEMA_VERSION_RAISED &&
                 strcmp(ret_found->log_id, projection->log_id) == 0;
    if (raise) result = projection_raise(sql, ret_found);
    if (result == SQL_OK) result = sql_run(sql, statement_staging_tables, NULL, NULL, NULL);
    if (result == SQL_OK) result = sql_run(sql, statement_fold_tables, NULL, NULL, NULL);
    return result;
}

static int stop_taken_over(struct projection *projection, const struct projection_found *found) {
    char text[PROJECTION_TEXT_BYTES], who[PROJECTION_WHO_BYTES];
    snprintf(text, sizeof text,
             "another engine has taken this database over: %s; this one was run %llu. Two engines "
             "believe that they are one: is there a copy of the data folder, with the same "
             "--postgres? This one does not project any more; sales go on. Stop the wrong one, or "
             "give it a database of its own; then stop this one, rebuild the projection from the "
             "right log (usher project DIR --rebuild), and start again.",
             projection_who(found, who), (unsigned long long)projection->run);
    pthread_mutex_lock(&projection->mutex);
    projection->status.taken_over = true;
    pthread_mutex_unlock(&projection->mutex);
    return stop(projection, 0, text);
}

/* Once, at the start of a run; after a lost connection it is ours already.
 * Return: true if it is ours; else *ret_outcome is what the step returns */
static bool take_over(struct projection *projection, const struct projection_found *found,
                      int *ret_outcome) {
    bool taken = strcmp(found->run_id, projection->run_id) == 0;
    if (taken) {
        projection->run = found->run;
        return true;
    }
    int result = projection_take_over(projection->sql, found, projection->run_id,
                                      projection->options.run_by, &taken);
    if (result != SQL_OK) {
        char text[PROJECTION_TEXT_BYTES];
        snprintf(text, sizeof text, "%s", sql_error(projection->sql));
        *ret_outcome = retry(projection, "taking the database over", text);
    } else if (!taken) {
        *ret_outcome = retry(projection, "taking the database over",
                             "it has moved on meanwhile: another engine projects into it, or a "
                             "batch of before was committed late");
    } else {
        projection->run = found->run + 1;
    }
    return taken;
}

static int connect_step(struct projection *projection) {
    char text[PROJECTION_TEXT_BYTES];
    struct projection_found found;
    int outcome;
    if (sql_open(projection->options.conninfo, projection->wake_fd, &projection->sql, text) !=
        SQL_OK) {
        return retry(projection, "connecting to PostgreSQL", text);
    }
    if (attach(projection, &found) != SQL_OK) {
        snprintf(text, sizeof text, "%s", sql_error(projection->sql));
        return retry(projection, "preparing the schema", text);
    }
    if (!projection_is_ours(&found, projection->log_id, text)) return stop(projection, 0, text);
    if (projection_is_taken_over(&found, projection->run, projection->run_id)) {
        return stop_taken_over(projection, &found);
    }
    if (!projection_fits(&found, projection->options.source, text)) {
        return stop(projection, 0, text);
    }
    if (!take_over(projection, &found, &outcome)) return outcome;
    projection->applied_lsn = found.applied_lsn; /* of our log, and ours: not before */
    projection->look_at_ms = now_ms(projection) + PROJECTION_LOOK_MS;
    pthread_mutex_lock(&projection->mutex);
    projection->status.decisions = found.decisions;
    projection->status.applied_time_ms = found.applied_time_ms;
    projection->status.run = projection->run;
    projection->status.reached = true;
    pthread_mutex_unlock(&projection->mutex);
    publish(projection, PROJECTION_FOLLOWING);
    return PROJECTION_WORKED;
}

/* Nothing to write. Whatever is not as we left it is found out by connecting anew. */
static int look_step(struct projection *projection) {
    struct projection_found found;
    if (projection_look_up(projection->sql, &found) != SQL_OK) {
        char text[PROJECTION_TEXT_BYTES];
        snprintf(text, sizeof text, "%s", sql_error(projection->sql));
        return retry(projection, "looking at PostgreSQL", text);
    }
    projection->look_at_ms = now_ms(projection) + PROJECTION_LOOK_MS;
    if (found.exists && found.applied_lsn == projection->applied_lsn &&
        strcmp(found.run_id, projection->run_id) == 0) {
        all_is_well(projection);
        publish(projection, PROJECTION_FOLLOWING);
        return PROJECTION_IDLE;
    }
    disconnect(projection);
    return PROJECTION_WORKED;
}

/* --- reading ---------------------------------------------------------------------------------- */

static void poison(struct projection *projection, uint64_t lsn, const char *why) {
    projection->poisoned = true;
    projection->poison_lsn = lsn;
    if (lsn == 0) { /* the source itself failed, and says where */
        snprintf(projection->poison, sizeof projection->poison, "%s", why);
    } else {
        snprintf(projection->poison, sizeof projection->poison,
                 "the record that ends at LSN %llu %s. Nothing after it is projected.",
                 (unsigned long long)lsn, why);
    }
}

static void take(struct projection *projection, const struct source_record *record) {
    struct decision decision;
    int decoded = decision_decode(record->bytes, record->size, &decision);
    if (decoded == DECISION_DECODE_UNKNOWN_KIND) {
        poison(projection, record->lsn,
               "is of a kind that only a newer usher knows: start that one");
    } else if (decoded != DECISION_DECODE_OK) {
        poison(projection, record->lsn, "cannot be decoded: it was not written by this usher");
    } else if (stage_add(projection->stage, &decision, record->lsn) != 0) {
        poison(projection, record->lsn,
               "holds a number that is out of range, or was decided by the wrong partition: it was "
               "not written by this usher");
    } else {
        if (stage_records(projection->stage) == 1) {
            projection->stage_began_ms = now_ms(projection);
            projection->stage_hash = 0;
        }
        projection->stage_hash = projection_batch_hash(projection->stage_hash, record->bytes,
                                                       record->size);
        projection->stage_lsn = record->lsn;
        projection->stage_time_ms = decision.time_ms;
        projection->stage_kind = decision.kind;
        projection->stage_partition = decision.partition;
    }
}

static bool stage_is_full(const struct projection *projection) {
    return stage_records(projection->stage) >= projection->batch_limit ||
           stage_bytes(projection->stage) >= PROJECTION_BATCH_BYTES_MAX;
}

/* Read what is durable. Return: true if the batch is due. */
static bool fill_stage(struct projection *projection) {
    struct record_source *source = projection->options.source;
    struct source_record record;
    struct source_error error;
    while (!projection->poisoned && !stage_is_full(projection)) {
        int got = source->next(source->context, &record, &error);
        if (got == SOURCE_CAUGHT_UP) break;
        if (got < 0)
            poison(projection, 0, error.text);
        else
            take(projection, &record);
    }
    if (stage_records(projection->stage) == 0) return false;
    return projection->poisoned || stage_is_full(projection) ||
           now_ms(projection) - projection->stage_began_ms >= projection->options.batch_ms;
}

/* --- committing ------------------------------------------------------------------------------- */

static bool has_any(struct projection *projection, const uint16_t *kinds) {
    struct stage_stream stream;
    for (; *kinds; kinds++) {
        if (stage_stream(projection->stage, *kinds, &stream)) return true;
    }
    return false;
}

/* COPY every kind, then fold. ret_what names the part that failed. */
static int write_rows(struct projection *projection, const char **ret_what) {
    struct stage_stream stream;
    for (uint32_t kind = 0; kind < STAGE_KINDS_MAX; kind++) {
        if (!stage_stream(projection->stage, kind, &stream)) continue;
        *ret_what = decision_name(kind);
        int result = sql_copy(projection->sql, stream.command, stream.bytes, stream.size);
        if (result != SQL_OK) return result;
    }
    for (uint32_t i = 0; i < fold_step_count; i++) {
        if (!has_any(projection, fold_steps[i].kinds)) continue;
        *ret_what = fold_steps[i].name;
        int result = sql_run(projection->sql, fold_steps[i].statements, NULL, NULL, NULL);
        if (result != SQL_OK) return result;
    }
    return SQL_OK;
}

/* Never an epoch that has written nothing so far: a later run may have the same one. */
static uint64_t stage_epoch(const struct projection *projection) {
    const struct projection_options *options = &projection->options;
    bool own = options->epoch == 0 || projection->stage_lsn > options->epoch_after_lsn;
    return own ? options->epoch : options->epoch - 1;
}

/* The guard: moves the applied LSN if, and only if, it is where we believe it to be, and this run
 * is still the one that projects. */
static int begin(struct projection *projection, bool *ret_ours) {
    char statement[STATEMENT_BYTES], time[TEXT_TIME_BYTES];
    uint64_t rows = 0;
    text_time(projection->stage_time_ms, time);
    const struct statement_value values[] = {
        {"applied_lsn", NULL, projection->stage_lsn},
        {"applied_time", time, 0},
        {"decisions", NULL, stage_records(projection->stage)},
        {"epoch", NULL, stage_epoch(projection)},
        {"batch_lsn", NULL, projection->applied_lsn},
        {"batch_hash", NULL, projection_batch_hash_column(projection->stage_hash)},
        {"log_id", projection->log_id, 0},
        {"run_id", projection->run_id, 0},
    };
    statement_fill(statement, sizeof statement, statement_batch_begin, values,
                   sizeof values / sizeof values[0]);
    int result = sql_run(projection->sql, statement, NULL, NULL, &rows);
    *ret_ours = rows == 1;
    return result;
}

static bool fault(struct projection *projection, enum projection_point point) {
    return projection->options.fault &&
           projection->options.fault(projection->options.fault_context, point);
}

static int commit(struct projection *projection) {
    int result = sql_send(projection->sql, statement_commit);
    if (result == SQL_OK && fault(projection, PROJECTION_POINT_COMMIT_SENT)) return SQL_LOST;
    return result == SQL_OK ? sql_finish(projection->sql, NULL, NULL, NULL) : result;
}

static int committed(struct projection *projection) {
    projection->applied_lsn = projection->stage_lsn;
    projection->look_at_ms = now_ms(projection) + PROJECTION_LOOK_MS;
    if (projection->batch_limit < projection->options.batch_records) {
        uint64_t doubled = 2ull * projection->batch_limit;
        projection->batch_limit = doubled < projection->options.batch_records
                                      ? (uint32_t)doubled
                                      : projection->options.batch_records;
    }
    pthread_mutex_lock(&projection->mutex);
    projection->status.applied_time_ms = projection->stage_time_ms;
    projection->status.decisions += stage_records(projection->stage);
    projection->status.batches++;
    pthread_mutex_unlock(&projection->mutex);
    all_is_well(projection);
    stage_clear(projection->stage);
    publish(projection, PROJECTION_FOLLOWING);
    return PROJECTION_WORKED;
}

static int not_committed(struct projection *projection, int result, const char *what) {
    char text[PROJECTION_TEXT_BYTES], partition[TEXT_PARTITION_BYTES];
    uint64_t records = stage_records(projection->stage);
    snprintf(text, sizeof text, "%s", sql_error(projection->sql));
    if (result == SQL_INVALID && records == 1) {
        char why[PROJECTION_TEXT_BYTES];
        text_partition(projection->stage_partition, partition);
        snprintf(why, sizeof why,
                 "PostgreSQL refuses the decision %s of %s that ends at LSN %llu (%s: %.512s). "
                 "Nothing from it on is projected. If somebody changed the tables, rebuild the "
                 "projection; otherwise keep log and database, and report this.",
                 decision_name(projection->stage_kind), partition,
                 (unsigned long long)projection->stage_lsn, what, text);
        return stop(projection, projection->stage_lsn, why);
    }
    /* Halves lead to the one decision that is refused, or to what can be done in time. */
    if (result == SQL_INVALID || result == SQL_TIMEOUT) {
        projection->batch_limit = records > 1 ? (uint32_t)(records / 2) : 1;
    }
    int outcome = retry(projection, what, text);
    if (result == SQL_INVALID) { /* no reason to wait */
        projection->retry_ms = PROJECTION_RETRY_MS_MIN;
        projection->retry_at_ms = 0;
        outcome = PROJECTION_WORKED;
    }
    return outcome;
}

static int commit_step(struct projection *projection) {
    const char *what = "beginning a batch";
    bool ours = false;
    int result = begin(projection, &ours);
    if (result == SQL_OK && !ours) {
        return retry(projection, what,
                     "the state row is not the one that was read: another engine projects into "
                     "this database, or a batch of before was committed late");
    }
    if (result == SQL_OK) result = write_rows(projection, &what);
    if (result == SQL_OK) {
        what = "committing a batch";
        if (fault(projection, PROJECTION_POINT_COPIED))
            result = SQL_LOST;
        else
            result = commit(projection);
    }
    return result == SQL_OK ? committed(projection) : not_committed(projection, result, what);
}

/* --- the public functions --------------------------------------------------------------------- */

struct projection *projection_create(const struct projection_options *options) {
    REQUIRE(options->conninfo && options->source && options->clock.now_ms);
    REQUIRE(!id128_is_none(&options->log_id) && !id128_is_none(&options->run_id));
    struct projection *projection = calloc(1, sizeof *projection);
    REQUIRE_MEMORY(projection != NULL);
    projection->options = *options;
    if (projection->options.batch_records == 0) {
        projection->options.batch_records = PROJECTION_BATCH_RECORDS_DEFAULT;
    }
    projection->batch_limit = projection->options.batch_records;
    projection->retry_ms = PROJECTION_RETRY_MS_MIN;
    projection->stage = stage_create();
    projection->status.state = PROJECTION_CONNECTING;
    projection->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    REQUIRE(projection->wake_fd >= 0);
    REQUIRE(pthread_mutex_init(&projection->mutex, NULL) == 0);
    text_uuid(&options->log_id, projection->log_id);
    text_uuid(&options->run_id, projection->run_id);
    return projection;
}

void projection_free(struct projection *projection) {
    if (!projection) return;
    REQUIRE(!projection->running);
    sql_close(projection->sql);
    stage_free(projection->stage);
    close(projection->wake_fd);
    pthread_mutex_destroy(&projection->mutex);
    free(projection);
}

int projection_step(struct projection *projection) {
    if (projection->status.state == PROJECTION_STOPPED) return PROJECTION_HALTED;
    if (!projection->sql) {
        bool early = projection->status.state == PROJECTION_RETRYING &&
                     now_ms(projection) < projection->retry_at_ms;
        return early ? PROJECTION_IDLE : connect_step(projection);
    }
    if (fill_stage(projection)) return commit_step(projection);
    if (projection->poisoned) return stop(projection, projection->poison_lsn, projection->poison);
    if (stage_records(projection->stage) == 0) {
        if (now_ms(projection) >= projection->look_at_ms) return look_step(projection);
        all_is_well(projection);
    }
    publish(projection, PROJECTION_FOLLOWING);
    return PROJECTION_IDLE;
}

#define IDLE_MS_MIN 5u

uint32_t projection_idle_ms(const struct projection *projection) {
    uint64_t idle_ms = projection->options.batch_ms;
    if (projection->status.state == PROJECTION_RETRYING) {
        uint64_t now = now_ms(projection);
        idle_ms = projection->retry_at_ms > now ? projection->retry_at_ms - now : 0;
    }
    return idle_ms < IDLE_MS_MIN ? IDLE_MS_MIN : (uint32_t)idle_ms;
}

static void *run(void *context) {
    struct projection *projection = context;
    struct pollfd wake = {.fd = projection->wake_fd, .events = POLLIN};
    int timeout_ms = 0;
    while (poll(&wake, 1, timeout_ms) <= 0) {
        int result = projection_step(projection);
        timeout_ms = 0;
        if (result == PROJECTION_IDLE) timeout_ms = (int)projection_idle_ms(projection);
        if (result == PROJECTION_HALTED) timeout_ms = -1; /* the status stays readable */
    }
    return NULL;
}

int projection_start(struct projection *projection) {
    REQUIRE(!projection->running);
    if (pthread_create(&projection->thread, NULL, run, projection) != 0) return -1;
    projection->running = true;
    return 0;
}

void projection_stop(struct projection *projection) {
    uint64_t one = 1;
    if (!projection->running) return;
    REQUIRE(write(projection->wake_fd, &one, sizeof one) == sizeof one);
    REQUIRE(pthread_join(projection->thread, NULL) == 0);
    REQUIRE(read(projection->wake_fd, &one, sizeof one) == sizeof one);
    projection->running = false;
}
