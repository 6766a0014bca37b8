/* postgres_sql.c - the functions of replay/postgres/sql.h, on a server in memory
 *
 * Happy path: a text is split into statements; each is found in a table of patterns and does to the
 * transaction what it means. Several statements in one text are one transaction.
 * Failure modes: those that the server is told to have (postgres.h). A statement that is in no
 * table, or a batch that leaves staged rows unfolded, is the client's bug: server_fail().
 */
#include "replay/postgres/sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/require.h"
#include "replay/postgres/statements.h"
#include "tests/sim/postgres_server.h"

#define KINDS_MAX 128u /* numbers of decision.def are below */
#define STATEMENT_BYTES_SHOWN 120

struct staged {
    struct staging_table table;
    struct rows rows;
    uint32_t folded; /* bit i: step i of the fold has read these rows */
};

struct sql {
    struct postgres *server;
    uint64_t generation; /* of the server, when this connected */
    bool lost;
    char text[SQL_ERROR_BYTES];
    char *sent; /* between sql_send and sql_finish */

    bool in_block; /* BEGIN was said */
    bool failed;   /* and something failed since: only ROLLBACK helps */
    struct server_change change;
    struct staged staged[KINDS_MAX]; /* by kind */
    uint64_t affected;               /* of the last statement that changes rows */
    sql_row_fn *row;                 /* of the call under way */
    void *row_context;
};

/* --- how it can fail -------------------------------------------------------------------------- */

static void clear_staged(struct sql *sql, bool also_kept) {
    for (uint32_t kind = 0; kind < KINDS_MAX; kind++) {
        struct staged *staged = &sql->staged[kind];
        staged->folded = 0;
        if (also_kept || !staged->table.keeps_rows) rows_truncate(&staged->rows, 0);
    }
}

static void roll_back(struct sql *sql) {
    server_unlock(sql->server, sql);
    change_begin(&sql->change, sql->server);
    clear_staged(sql, true);
    sql->in_block = sql->failed = false;
}

static int lose(struct sql *sql, const char *why) {
    if (!sql->lost) roll_back(sql);
    sql->lost = true;
    snprintf(sql->text, sizeof sql->text, "the connection was lost: %s", why);
    return SQL_LOST;
}

/* Is the connection still there? */
static int reach(struct sql *sql) {
    if (sql->lost) return SQL_LOST;
    if (sql->generation != sql->server->generation) return lose(sql, "the server went away");
    return SQL_OK;
}

static int refuse(struct sql *sql, int result, const char *state, const char *why) {
    snprintf(sql->text, sizeof sql->text, "SQLSTATE %s: %s", state, why);
    sql->failed = sql->in_block;
    if (!sql->in_block) roll_back(sql);
    return result;
}

static int unknown(struct sql *sql, const char *statement, size_t size) {
    int shown = size < STATEMENT_BYTES_SHOWN ? (int)size : STATEMENT_BYTES_SHOWN;
    server_fail(sql->server, "a statement that the stand-in for PostgreSQL does not know: %.*s",
                shown, statement);
    return refuse(sql, SQL_FAILED, "42601", "syntax error");
}

/* --- the state row ---------------------------------------------------------------------------- */

/* Before the first change of a transaction: from here on it sees its own. */
static int own(struct sql *sql) {
    if (!server_lock(sql->server, sql)) {
        return refuse(sql, SQL_FAILED, "55P03", "canceling statement due to lock timeout");
    }
    if (!sql->change.any) change_begin(&sql->change, sql->server);
    sql->change.any = true;
    return SQL_OK;
}

static const struct server_state *seen(const struct sql *sql) {
    return sql->change.any ? &sql->change.state : &sql->server->state;
}

static void give(struct sql *sql, int columns, const char *const *values) {
    if (sql->row) sql->row(sql->row_context, columns, values);
}

static int do_exists(struct sql *sql, const struct match *match, const char *rest) {
    const char *value = seen(sql)->schema ? "t" : "f";
    (void)match, (void)rest;
    give(sql, 1, &value);
    return SQL_OK;
}

static int do_read(struct sql *sql, const struct match *match, const char *rest) {
    const struct server_state *state = seen(sql);
    char version[24], epoch[24], lsn[24], decisions[24];
    (void)match, (void)rest;
    if (!state->schema) return refuse(sql, SQL_FAILED, "42P01", "relation does not exist");
    if (!state->exists) return SQL_OK;
    snprintf(version, sizeof version, "%llu", (unsigned long long)state->version);
    snprintf(epoch, sizeof epoch, "%llu", (unsigned long long)state->epoch);
    snprintf(lsn, sizeof lsn, "%llu", (unsigned long long)state->applied_lsn);
    snprintf(decisions, sizeof decisions, "%llu", (unsigned long long)state->decisions);
    const char *values[] = {version, state->log_id, epoch, lsn, decisions};
    give(sql, 5, values);
    return SQL_OK;
}

static int do_read_run(struct sql *sql, const struct match *match, const char *rest) {
    const struct server_state *state = seen(sql);
    char run[24], lsn[24], hash[24];
    (void)match, (void)rest;
    if (!state->schema) return refuse(sql, SQL_FAILED, "42P01", "relation does not exist");
    if (state->version < PROJECTION_SCHEMA_VERSION) {
        return refuse(sql, SQL_FAILED, "42703", "column does not exist");
    }
    if (!state->exists) return SQL_OK;
    snprintf(run, sizeof run, "%llu", (unsigned long long)state->run);
    snprintf(lsn, sizeof lsn, "%llu", (unsigned long long)state->batch_lsn);
    snprintf(hash, sizeof hash, "%llu", (unsigned long long)state->batch_hash);
    const char *values[] = {run, state->run_id, state->run_by, lsn, hash, "0"};
    give(sql, 6, values); /* no time is kept here */
    return SQL_OK;
}

static int do_insert_state(struct sql *sql, const struct match *match, const char *rest) {
    (void)rest;
    int result = own(sql);
    if (result != SQL_OK) return result;
    struct server_state *state = &sql->change.state;
    if (!state->schema) return refuse(sql, SQL_FAILED, "42P01", "relation does not exist");
    if (state->exists) return refuse(sql, SQL_INVALID, "23505", "there is a state row already");
    state->exists = true;
    state->version = match->values[0].number;
    memcpy(state->log_id, match->values[1].word, sizeof state->log_id);
    state->epoch = match->values[2].number;
    state->applied_lsn = match->values[3].number;
    state->decisions = match->values[4].number;
    state->run = match->values[5].number;
    sql->affected = 1;
    return SQL_OK;
}

/* A run takes over: values are run, run_id, run_by, and the four conditions. */
static int do_take_over(struct sql *sql, const struct match *match, const char *rest) {
    const struct match_value *values = match->values;
    (void)rest;
    int result = own(sql);
    if (result != SQL_OK) return result;
    struct server_state *state = &sql->change.state;
    bool as_found = state->exists && strcmp(state->log_id, values[3].word) == 0 &&
                    state->applied_lsn == values[4].number && state->run == values[5].number &&
                    strcmp(state->run_id, values[6].word) == 0;
    sql->affected = as_found;
    if (!as_found) return SQL_OK;
    state->run = values[0].number;
    snprintf(state->run_id, sizeof state->run_id, "%.36s", values[1].word);
    memcpy(state->run_by, values[2].word, sizeof state->run_by);
    return SQL_OK;
}

/* An older schema is raised; values are the new version and the old one. */
static int do_raise(struct sql *sql, const struct match *match, const char *rest) {
    (void)rest;
    int result = own(sql);
    if (result != SQL_OK) return result;
    struct server_state *state = &sql->change.state;
    bool old = state->exists && state->version == match->values[1].number;
    sql->affected = old;
    if (old) state->version = match->values[0].number;
    return SQL_OK;
}

/* The guard: values are applied_lsn, applied_time, decisions added, epoch, what the batch was, and
 * the three conditions. */
static int do_guard(struct sql *sql, const struct match *match, const char *rest) {
    (void)rest;
    int result = own(sql);
    if (result != SQL_OK) return result;
    struct server_state *state = &sql->change.state;
    bool ours = state->exists && state->applied_lsn == match->values[6].number &&
                strcmp(state->log_id, match->values[7].word) == 0 &&
                strcmp(state->run_id, match->values[8].word) == 0;
    sql->affected = ours;
    if (!ours) return SQL_OK;
    state->applied_lsn = match->values[0].number;
    state->decisions += match->values[2].number;
    state->epoch = match->values[3].number;
    state->batch_lsn = match->values[4].number;
    state->batch_hash = match->values[5].number;
    return SQL_OK;
}

/* --- the schema ------------------------------------------------------------------------------- */

static int do_create_schema(struct sql *sql, const struct match *match, const char *rest) {
    (void)match, (void)rest;
    int result = own(sql);
    if (result == SQL_OK) sql->change.state.schema = true;
    return result;
}

static int do_drop_schema(struct sql *sql, const struct match *match, const char *rest) {
    (void)match, (void)rest;
    int result = own(sql);
    if (result != SQL_OK) return result;
    sql->change.state = (struct server_state){0};
    sql->change.dropped = true;
    rows_truncate(&sql->change.rows, 0);
    return SQL_OK;
}

/* Tables and indexes: there is one schema, whole or not at all. */
static int do_create(struct sql *sql, const struct match *match, const char *rest) {
    (void)match, (void)rest;
    if (seen(sql)->schema) return SQL_OK;
    return refuse(sql, SQL_FAILED, "3F000", "schema \"usher\" does not exist");
}

static int do_nothing(struct sql *sql, const struct match *match, const char *rest) {
    (void)sql, (void)match, (void)rest;
    return SQL_OK;
}

static uint32_t kind_of(const char *name) {
    for (uint32_t kind = 1; kind < KINDS_MAX; kind++) {
        if (strcmp(decision_name(kind), name) == 0) return kind;
    }
    return 0;
}

static int do_create_staging(struct sql *sql, const struct match *match, const char *rest) {
    const char *name = match->values[0].word;
    uint32_t kind = kind_of(name);
    if (kind == 0) { /* a table of the fold, or nobody's */
        bool folds = strncmp(name, "fold_", 5) == 0;
        return folds ? SQL_OK : unknown(sql, name, strlen(name));
    }
    if (!copy_table(kind, rest, match_next(rest), &sql->staged[kind].table)) {
        return unknown(sql, name, strlen(name));
    }
    return SQL_OK;
}

/* --- transactions ----------------------------------------------------------------------------- */

static int do_begin(struct sql *sql, const struct match *match, const char *rest) {
    (void)match, (void)rest;
    sql->in_block = true;
    return SQL_OK;
}

static int do_rollback(struct sql *sql, const struct match *match, const char *rest) {
    (void)match, (void)rest;
    roll_back(sql);
    return SQL_OK;
}

/* Does a step of the fold read the staging table of this kind? "pg_temp.admitted" is not
 * "pg_temp.admitted_x". */
static bool step_reads(const struct fold_step *step, uint32_t kind) {
    char table[64];
    int size = snprintf(table, sizeof table, "pg_temp.%s", decision_name(kind));
    const char *at = step->statements;
    while ((at = strstr(at, table)) != NULL) {
        at += size;
        if (*at != '_' && (*at < 'a' || *at > 'z')) return true;
    }
    return false;
}

/* What COMMIT makes true of the staged rows: those that every step has read which must. */
static void take_staged(struct sql *sql) {
    for (uint32_t kind = 1; kind < KINDS_MAX; kind++) {
        struct staged *staged = &sql->staged[kind];
        uint32_t wanted = 0;
        if (staged->rows.count == 0) continue;
        for (uint32_t i = 0; i < fold_step_count; i++) {
            wanted |= (uint32_t)step_reads(&fold_steps[i], kind) << i;
        }
        if (wanted == 0 || staged->folded != wanted) {
            server_fail(sql->server, "COMMIT of %s, whose rows not every step of the fold has read",
                        decision_name(kind));
            continue;
        }
        rows_append(&sql->change.rows, &staged->rows);
    }
}

static int commit(struct sql *sql, bool batch) {
    struct postgres *server = sql->server;
    if (batch && server_happens(server, POSTGRES_FAULT_COMMIT_LOST)) {
        return lose(sql, "COMMIT was on its way");
    }
    take_staged(sql);
    bool late = batch && server_happens(server, POSTGRES_FAULT_COMMIT_LATE);
    bool hung = batch && !late && server_happens(server, POSTGRES_FAULT_COMMIT_HUNG);
    if (late || hung) {
        server_commit_late(server, &sql->change, late);
        return lose(sql, "COMMIT is under way");
    }
    if (sql->change.any) server_commit(server, &sql->change);
    server_unlock(server, sql);
    clear_staged(sql, false);
    sql->in_block = false;
    if (batch && server_happens(server, POSTGRES_FAULT_COMMIT_UNTOLD)) {
        return lose(sql, "the answer to COMMIT was on its way");
    }
    return SQL_OK;
}

static int do_commit(struct sql *sql, const struct match *match, const char *rest) {
    (void)match, (void)rest;
    bool batch = sql->change.any && seen(sql)->applied_lsn > sql->server->state.applied_lsn;
    if (sql->failed) { /* PostgreSQL says ROLLBACK, and OK */
        roll_back(sql);
        return SQL_OK;
    }
    return commit(sql, batch);
}

/* --- the batch -------------------------------------------------------------------------------- */

/* A statement of a batch that is about its rows: what may befall it. */
static int befall(struct sql *sql) {
    struct postgres *server = sql->server;
    uint64_t rows = 0;
    if (server_happens(server, POSTGRES_FAULT_TIMEOUT)) {
        return refuse(sql, SQL_TIMEOUT, "57014", "canceling statement due to statement timeout");
    }
    if (server_happens(server, POSTGRES_FAULT_INVALID)) {
        return refuse(sql, SQL_INVALID, "23514", "a CHECK constraint, this once");
    }
    for (uint32_t kind = 1; kind < KINDS_MAX; kind++) {
        const struct rows *staged = &sql->staged[kind].rows;
        rows += staged->count;
        for (uint64_t i = 0; server->refused_lsn && i < staged->count; i++) {
            if (staged->entries[i].lsn != server->refused_lsn) continue;
            return refuse(sql, SQL_INVALID, "23505", "duplicate key value, for good");
        }
    }
    if (server->slow_rows && rows > server->slow_rows) {
        return refuse(sql, SQL_TIMEOUT, "57014", "canceling statement due to statement timeout");
    }
    return SQL_OK;
}

static int fold(struct sql *sql, const struct fold_step *step, uint32_t index) {
    int result = befall(sql);
    if (result != SQL_OK) return result;
    result = own(sql);
    if (result != SQL_OK) return result;
    if (!sql->change.state.schema) return refuse(sql, SQL_FAILED, "42P01", "no such relation");
    for (uint32_t kind = 1; kind < KINDS_MAX; kind++) {
        struct staged *staged = &sql->staged[kind];
        if (staged->rows.count == 0 || !step_reads(step, kind)) continue;
        if (staged->folded & 1u << index) {
            server_fail(sql->server, "the step %s of the fold ran twice in a batch", step->name);
        }
        staged->folded |= 1u << index;
    }
    return SQL_OK;
}

int sql_copy(struct sql *sql, const char *command, const uint8_t *bytes, size_t size) {
    struct match match;
    const char *end = command + strlen(command);
    int result = reach(sql);
    if (result == SQL_OK && server_happens(sql->server, POSTGRES_FAULT_LOST)) {
        result = lose(sql, "COPY was on its way");
    }
    if (result != SQL_OK) return result;
    bool known = match_statement(command, end, "COPY pg_temp.%i FROM STDIN (FORMAT binary)", &match,
                                 NULL);
    uint32_t kind = known ? kind_of(match.values[0].word) : 0;
    struct staged *staged = &sql->staged[kind];
    if (kind == 0 || staged->table.kind == 0) return unknown(sql, command, strlen(command));
    if (sql->failed) return refuse(sql, SQL_FAILED, "25P02", "the transaction is aborted");
    if (staged->folded) server_fail(sql->server, "COPY of %s after it was folded", command);
    const char *wrong = copy_rows(&staged->table, bytes, size, &staged->rows);
    if (wrong) {
        server_fail(sql->server, "%s: %s", command, wrong);
        return refuse(sql, SQL_INVALID, "22P04", wrong);
    }
    return befall(sql);
}

/* --- statements ------------------------------------------------------------------------------- */

static const struct role {
    const char *pattern;
    int (*run)(struct sql *sql, const struct match *match, const char *rest);
} roles[] = {
    {"BEGIN", do_begin},
    {"COMMIT", do_commit},
    {"ROLLBACK", do_rollback},
    {"SELECT pg_advisory_xact_lock(%n)", do_nothing},
    {"SELECT to_regclass('usher.projection_state') IS NOT NULL", do_exists},
    {"SELECT schema_version, log_id, epoch, applied_lsn, decisions FROM usher.projection_state",
     do_read},
    {"SELECT run, coalesce(run_id::text, ''), run_by, batch_lsn, batch_hash, *", do_read_run},
    {"DROP SCHEMA IF EXISTS usher CASCADE", do_drop_schema},
    {"CREATE SCHEMA IF NOT EXISTS usher", do_create_schema},
    {"CREATE TABLE usher.%i (*", do_create},
    {"CREATE TABLE IF NOT EXISTS usher.%i (*", do_create},
    {"CREATE INDEX *", do_create},
    {"CREATE UNIQUE INDEX *", do_create},
    {"CREATE VIEW usher.%i AS *", do_create},
    {"COMMENT ON SCHEMA usher IS *", do_create},
    {"CREATE TEMPORARY TABLE %i (*", do_create_staging},
    {"CREATE FUNCTION pg_temp.%i (*", do_nothing},
    {"INSERT INTO usher.projection_state (schema_version, log_id, epoch, applied_lsn, decisions,"
     " run) VALUES (%n, %s, %n, %n, %n, %n)",
     do_insert_state},
    {"ALTER TABLE usher.projection_state ADD COLUMN IF NOT EXISTS *", do_create},
    {"UPDATE usher.projection_state SET schema_version = %n WHERE schema_version = %n", do_raise},
    {"UPDATE usher.projection_state SET run = %n, run_id = %s, run_by = %s WHERE log_id = %s"
     " AND applied_lsn = %n AND run = %n AND coalesce(run_id::text, '') = %s",
     do_take_over},
    {"UPDATE usher.projection_state SET applied_lsn = %n, applied_time = %s,"
     " decisions = decisions + %n, epoch = %n, batch_lsn = %n, batch_hash = %n"
     " WHERE applied_lsn = %n AND log_id = %s AND run_id = %s",
     do_guard},
};

static int statement(struct sql *sql, const char *text, const char *end) {
    struct match match;
    const char *rest = end;
    for (uint32_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        if (!match_statement(text, end, roles[i].pattern, &match, &rest)) continue;
        bool ends = roles[i].run == do_commit || roles[i].run == do_rollback;
        if (sql->failed && !ends) {
            return refuse(sql, SQL_FAILED, "25P02", "the transaction is aborted");
        }
        if (!ends && server_happens(sql->server, POSTGRES_FAULT_LOST)) {
            return lose(sql, "a statement was on its way");
        }
        if (roles[i].run != do_rollback && server_happens(sql->server, POSTGRES_FAULT_DISK_FULL)) {
            int result = refuse(sql, SQL_FAILED, "53100", "could not extend file: no space left");
            if (ends) roll_back(sql); /* a COMMIT that fails ends its transaction all the same */
            return result;
        }
        return roles[i].run(sql, &match, rest);
    }
    return unknown(sql, text, (size_t)(end - text));
}

static int statements(struct sql *sql, const char *text) {
    struct match nothing;
    for (uint32_t i = 0; i < fold_step_count; i++) {
        if (strcmp(fold_steps[i].statements, text) != 0) continue;
        if (sql->failed) return refuse(sql, SQL_FAILED, "25P02", "the transaction is aborted");
        return fold(sql, &fold_steps[i], i);
    }
    for (;;) {
        const char *end = match_next(text);
        if (!match_statement(text, end, "", &nothing, NULL)) {
            int result = statement(sql, text, end);
            if (result != SQL_OK) return result;
        }
        if (*end == '\0') return SQL_OK;
        text = end + 1;
    }
}

int sql_send(struct sql *sql, const char *text) {
    sql->text[0] = '\0';
    int result = reach(sql);
    if (result != SQL_OK) return result;
    REQUIRE(!sql->sent);
    sql->sent = strdup(text);
    REQUIRE(sql->sent != NULL);
    return SQL_OK;
}

int sql_finish(struct sql *sql, sql_row_fn *row, void *context, uint64_t *ret_affected) {
    int result = reach(sql);
    sql->affected = 0;
    sql->row = row;
    sql->row_context = context;
    REQUIRE(sql->sent || result != SQL_OK);
    if (result == SQL_OK) result = statements(sql, sql->sent);
    if (result == SQL_OK && !sql->in_block && sql->change.any) result = commit(sql, false);
    free(sql->sent);
    sql->sent = NULL;
    if (ret_affected) *ret_affected = sql->affected;
    return result;
}

int sql_run(struct sql *sql, const char *text, sql_row_fn *row, void *context,
            uint64_t *ret_affected) {
    int result = sql_send(sql, text);
    if (ret_affected) *ret_affected = 0;
    return result == SQL_OK ? sql_finish(sql, row, context, ret_affected) : result;
}

/* --- connections ------------------------------------------------------------------------------ */

int sql_open(const char *conninfo, int wake_fd, struct sql **ret_sql,
             char ret_text[SQL_ERROR_BYTES]) {
    struct postgres *server = server_find(conninfo);
    (void)wake_fd; /* nothing here waits */
    if (server_happens(server, POSTGRES_FAULT_REFUSED) || server->down) {
        snprintf(ret_text, SQL_ERROR_BYTES, "cannot connect: connection refused");
        return SQL_LOST;
    }
    struct sql *sql = calloc(1, sizeof *sql);
    REQUIRE(sql != NULL);
    sql->server = server;
    sql->generation = server->generation;
    change_begin(&sql->change, server);
    *ret_sql = sql;
    return SQL_OK;
}

void sql_close(struct sql *sql) {
    if (!sql) return;
    /* What was sent has arrived: the server does it, whoever reads the answer. */
    if (sql->sent && reach(sql) == SQL_OK) (void)sql_finish(sql, NULL, NULL, NULL);
    if (!sql->lost) roll_back(sql);
    for (uint32_t kind = 0; kind < KINDS_MAX; kind++) rows_deinit(&sql->staged[kind].rows);
    rows_deinit(&sql->change.rows);
    free(sql->sent);
    free(sql);
}

const char *sql_error(const struct sql *sql) { return sql->text; }
