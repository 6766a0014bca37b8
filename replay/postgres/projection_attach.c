/* projection_attach.c - see projection_attach.h; replay/postgres/README.md, "Which
 * engine may write"
 *
 * Happy path at a start: look up -> create or raise -> is_ours -> fits -> take_over.
 * Failure modes: SQL's results are the caller's; what does not fit is told in a sentence that names
 * a second engine among the causes, since a copy of a data folder looks just like a damaged one.
 * Thread: the caller's, with its connection.
 */
#include "replay/postgres/projection_attach.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/hash.h"
#include "engine/base/require.h"
#include "replay/postgres/statements.h"

static void read_exists(void *context, int columns, const char *const *values) {
    REQUIRE(columns == 1);
    if (values[0]) *(bool *)context = strcmp(values[0], "t") == 0;
}

/* Names of machines and folders are anybody's, and so is what a database says of itself: what is
 * not plain is not repeated. */
static void copy_plain(const char *from, char *to, size_t room) {
    size_t size = 0;
    for (; from && *from && size + 1 < room; from++) {
        bool plain = *from >= ' ' && *from <= '~' && !strchr("'\"\\", *from);
        to[size++] = plain ? *from : '?';
    }
    to[size] = '\0';
}

static void read_state(void *context, int columns, const char *const *values) {
    struct projection_found *found = context;
    REQUIRE(columns == 5);
    found->exists = true;
    found->version = strtol(values[0], NULL, 10);
    copy_plain(values[1], found->log_id, sizeof found->log_id);
    found->epoch = strtoull(values[2], NULL, 10);
    found->applied_lsn = strtoull(values[3], NULL, 10);
    found->decisions = strtoull(values[4], NULL, 10);
}

static void read_run(void *context, int columns, const char *const *values) {
    struct projection_found *found = context;
    REQUIRE(columns == 6);
    found->run = strtoull(values[0], NULL, 10);
    copy_plain(values[1], found->run_id, sizeof found->run_id);
    snprintf(found->run_by, sizeof found->run_by, "%s", values[2]);
    found->batch_lsn = strtoull(values[3], NULL, 10);
    found->batch_hash = strtoull(values[4], NULL, 10);
    found->applied_time_ms = strtoull(values[5], NULL, 10);
}

/* Two statements, since an older schema lacks the columns of the second. What moves in between is
 * seen by whoever takes over. */
int projection_look_up(struct sql *sql, struct projection_found *ret_found) {
    bool exists = false;
    *ret_found = (struct projection_found){0};
    int result = sql_run(sql, statement_look_exists, read_exists, &exists, NULL);
    if (result != SQL_OK || !exists) return result;
    result = sql_run(sql, statement_look_state, read_state, ret_found, NULL);
    if (result != SQL_OK || ret_found->version != PROJECTION_SCHEMA_VERSION) return result;
    return sql_run(sql, statement_look_run, read_run, ret_found, NULL);
}

bool projection_is_ours(const struct projection_found *found, const char *log_id, char *ret_text) {
    if (found->version != PROJECTION_SCHEMA_VERSION &&
        found->version != PROJECTION_SCHEMA_VERSION_RAISED) {
        snprintf(ret_text, PROJECTION_TEXT_BYTES,
                 "the schema usher of this database has version %ld, this usher writes version %d. "
                 "Rebuild the projection, which drops the schema, or name another database.",
                 found->version, PROJECTION_SCHEMA_VERSION);
        return false;
    }
    if (log_id && strcmp(found->log_id, log_id) != 0) {
        snprintf(
            ret_text, PROJECTION_TEXT_BYTES,
            "the schema usher of this database belongs to the log %s, not to this log %s. "
            "Name the right database or the right log directory; if the other log is given up, "
            "rebuild the projection, which drops the schema.",
            found->log_id, log_id);
        return false;
    }
    return true;
}

int projection_create_schema(struct sql *sql, const char *log_id, uint64_t epoch, uint64_t run,
                             struct projection_found *ret_found) {
    int result = sql_run(sql, statement_create_begin, NULL, NULL, NULL);
    if (result == SQL_OK) result = projection_look_up(sql, ret_found);
    if (result == SQL_OK && !ret_found->exists) {
        char insert[STATEMENT_BYTES];
        const struct statement_value values[] = {
            {"log_id", log_id, 0}, {"epoch", NULL, epoch}, {"run", NULL, run}};
        statement_fill(insert, sizeof insert, statement_create_state, values,
                       sizeof values / sizeof values[0]);
        result = sql_run(sql, statement_schema, NULL, NULL, NULL);
        if (result == SQL_OK) result = sql_run(sql, statement_raise_schema, NULL, NULL, NULL);
        if (result == SQL_OK) result = sql_run(sql, insert, NULL, NULL, NULL);
        if (result == SQL_OK) result = projection_look_up(sql, ret_found);
    }
    return result == SQL_OK ? sql_run(sql, statement_commit, NULL, NULL, NULL) : result;
}

int projection_raise(struct sql *sql, struct projection_found *ret_found) {
    int result = sql_run(sql, statement_raise_schema, NULL, NULL, NULL);
    return result == SQL_OK ? projection_look_up(sql, ret_found) : result;
}

/* --- does it fit? ----------------------------------------------------------------------------- */

uint64_t projection_batch_hash(uint64_t hash, const uint8_t *bytes, uint32_t size) {
    return hash_64(bytes, size, hash);
}

uint64_t projection_batch_hash_column(uint64_t hash) {
    hash &= INT64_MAX;
    return hash ? hash : 1;
}

const char *projection_who(const struct projection_found *found,
                           char ret_text[PROJECTION_WHO_BYTES]) {
    snprintf(ret_text, PROJECTION_WHO_BYTES, "'%s' (run %llu)",
             found->run_by[0] ? found->run_by : "unknown", (unsigned long long)found->run);
    return ret_text;
}

/* What may be true of a log that is not what PostgreSQL has seen, whichever way it was noticed. */
static void add_second_engine(const struct projection_found *found, char *text) {
    char who[PROJECTION_WHO_BYTES];
    size_t size = strlen(text);
    snprintf(text + size, PROJECTION_TEXT_BYTES - size,
             " Or two engines believe that they are one: another engine, on a copy of this data "
             "folder, has projected into this database, last %s. Then no log is damaged: stop the "
             "one that is wrong, or give it a database of its own, and rebuild from the right one.",
             projection_who(found, who));
}

/* After a repair of the log its LSNs are given out again, by a later epoch than any that was lost:
 * what PostgreSQL has then ends in decisions that this log does not have any more. */
static bool is_other_epoch(const struct projection_found *found, struct record_source *source,
                           char *ret_text) {
    struct source_error error;
    uint64_t epoch = 0;
    if (!source->epoch_at || found->applied_lsn == 0) return false;
    if (source->epoch_at(source->context, found->applied_lsn, &epoch, &error) < 0) {
        snprintf(ret_text, PROJECTION_TEXT_BYTES, "%s", error.text);
        return true;
    }
    if (epoch <= found->epoch) return false;
    snprintf(ret_text, PROJECTION_TEXT_BYTES,
             "PostgreSQL has applied this log up to LSN %llu in epoch %llu, but the log has other "
             "decisions there, of epoch %llu: it was repaired, or restored from an older copy. "
             "Rebuild the projection, which drops the schema.",
             (unsigned long long)found->applied_lsn, (unsigned long long)found->epoch,
             (unsigned long long)epoch);
    return true;
}

/* Is the last batch of the database not what the log has there? Where the log does not reach back
 * so far, nobody can say. */
static bool is_other_batch(const struct projection_found *found, struct record_source *source,
                           char *ret_text) {
    struct source_error error;
    struct source_record record = {.lsn = found->batch_lsn};
    uint64_t hash = 0;
    if (found->batch_hash == 0 || found->batch_lsn >= found->applied_lsn) return false;
    if (source->seek(source->context, found->batch_lsn, &error) < 0) return false;
    while (record.lsn < found->applied_lsn) {
        if (source->next(source->context, &record, &error) != 0) return false;
        hash = projection_batch_hash(hash, record.bytes, record.size);
    }
    if (record.lsn == found->applied_lsn && projection_batch_hash_column(hash) == found->batch_hash)
        return false;
    snprintf(ret_text, PROJECTION_TEXT_BYTES,
             "PostgreSQL has applied a log of this id up to LSN %llu, but the decisions before it, "
             "from LSN %llu on, are others than in this log. It was repaired, or restored from an "
             "older copy: then rebuild the projection, which drops the schema.",
             (unsigned long long)found->applied_lsn, (unsigned long long)found->batch_lsn);
    return true;
}

bool projection_fits(const struct projection_found *found, struct record_source *source,
                     char *ret_text) {
    uint64_t end_lsn = source->end_lsn(source->context);
    bool more = found->applied_lsn > end_lsn;
    if (more) {
        snprintf(
            ret_text, PROJECTION_TEXT_BYTES,
            "PostgreSQL has applied this log up to LSN %llu, but the log ends at %llu: the log "
            "has lost decisions. Do not rebuild the projection; restore the log's directory.",
            (unsigned long long)found->applied_lsn, (unsigned long long)end_lsn);
    }
    bool fits = !more && !is_other_epoch(found, source, ret_text) &&
                !is_other_batch(found, source, ret_text);
    struct source_error error;
    if (fits && source->seek(source->context, found->applied_lsn, &error) < 0) {
        snprintf(ret_text, PROJECTION_TEXT_BYTES, "%s", error.text);
        fits = false;
    }
    if (!fits) add_second_engine(found, ret_text);
    return fits;
}

/* --- taking over ------------------------------------------------------------------------------ */

int projection_take_over(struct sql *sql, const struct projection_found *found, const char *run_id,
                         const char *run_by, bool *ret_taken) {
    char statement[STATEMENT_BYTES + PROJECTION_RUN_BY_BYTES], plain[PROJECTION_RUN_BY_BYTES];
    uint64_t rows = 0;
    copy_plain(run_by, plain, sizeof plain);
    const struct statement_value values[] = {
        {"run", NULL, found->run + 1},
        {"run_id", run_id, 0},
        {"run_by", plain, 0},
        {"log_id", found->log_id, 0},
        {"found_lsn", NULL, found->applied_lsn},
        {"found_run", NULL, found->run},
        {"found_run_id", found->run_id, 0},
    };
    statement_fill(statement, sizeof statement, statement_take_over, values,
                   sizeof values / sizeof values[0]);
    int result = sql_run(sql, statement, NULL, NULL, &rows);
    *ret_taken = rows == 1;
    return result;
}

bool projection_is_taken_over(const struct projection_found *found, uint64_t run,
                              const char *run_id) {
    return run > 0 && found->run >= run && strcmp(found->run_id, run_id) != 0;
}
