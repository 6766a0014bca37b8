/* sql.c - see sql.h */
#include "replay/postgres/sql.h"

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/base/require.h"
#include "replay/postgres/statements.h"

#define CONNECT_DEADLINE_MS 10000
#define STATEMENT_DEADLINE_MS (SQL_STATEMENT_TIMEOUT_MS + 10000)
#define COPY_PIECE_BYTES (64u * 1024u)
#define COLUMNS_MAX 32

struct sql {
    PGconn *connection;
    int wake_fd;
    char text[SQL_ERROR_BYTES];
};

/* --- waiting ---------------------------------------------------------------------------------- */

static int64_t monotonic_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* libpq's words have several lines, and a line feed at their end; they become part of a
 * sentence. */
static void make_one_line(char *text) {
    size_t size = 0;
    for (const char *from = text; *from; from++) {
        bool blank = *from == '\n' || *from == '\t' || *from == ' ';
        if (blank && (size == 0 || text[size - 1] == ' ')) continue;
        text[size++] = blank ? ' ' : *from;
    }
    if (size > 0 && text[size - 1] == ' ') size--;
    text[size] = '\0';
}

static int lost(struct sql *sql, const char *why) {
    const char *detail = PQerrorMessage(sql->connection);
    snprintf(sql->text, sizeof sql->text, "%s%s%s", why, detail && *detail ? ": " : "",
             detail ? detail : "");
    make_one_line(sql->text);
    return SQL_LOST;
}

/* Wait until the socket has one of `events`, the deadline, or the caller's wake descriptor. */
static int wait_for(struct sql *sql, short events, int64_t deadline_ms) {
    for (;;) {
        struct pollfd fds[2] = {{.fd = PQsocket(sql->connection), .events = events},
                                {.fd = sql->wake_fd, .events = POLLIN}};
        int64_t left_ms = deadline_ms - monotonic_ms();
        if (fds[0].fd < 0) return lost(sql, "the connection is closed");
        if (left_ms <= 0) return lost(sql, "PostgreSQL does not answer (deadline)");
        int ready = poll(fds, 2, (int)left_ms); /* a negative descriptor is ignored */
        if (ready < 0 && errno != EINTR) return lost(sql, "poll failed");
        if (ready <= 0) continue;
        if (fds[1].revents) return lost(sql, "stopped while waiting for PostgreSQL");
        if (fds[0].revents) return SQL_OK;
    }
}

/* Send what libpq has buffered. Reading while writing: a server that cannot get rid of its answers
 * stops reading, and would never take the rest. */
static int flush(struct sql *sql, int64_t deadline_ms) {
    for (;;) {
        int left = PQflush(sql->connection);
        if (left == 0) return SQL_OK;
        if (left < 0) return lost(sql, "the connection was lost while sending");
        int result = wait_for(sql, POLLIN | POLLOUT, deadline_ms);
        if (result != SQL_OK) return result;
        if (!PQconsumeInput(sql->connection)) return lost(sql, "the connection was lost");
    }
}

/* The next result, or NULL when the command is finished; never blocks beyond the deadline. */
static int next_result(struct sql *sql, int64_t deadline_ms, PGresult **ret_result) {
    while (PQisBusy(sql->connection)) {
        int result = wait_for(sql, POLLIN, deadline_ms);
        if (result != SQL_OK) return result;
        if (!PQconsumeInput(sql->connection)) return lost(sql, "the connection was lost");
    }
    *ret_result = PQgetResult(sql->connection);
    return SQL_OK;
}

/* --- opening ---------------------------------------------------------------------------------- */

static int connect_poll(struct sql *sql, int64_t deadline_ms) {
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    for (;;) {
        if (PQstatus(sql->connection) == CONNECTION_BAD) return lost(sql, "cannot connect");
        if (next == PGRES_POLLING_OK) return SQL_OK;
        int result = wait_for(sql, next == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_ms);
        if (result != SQL_OK) return result;
        next = PQconnectPoll(sql->connection);
        if (next == PGRES_POLLING_FAILED) return lost(sql, "cannot connect");
    }
}

/* Notices ("relation exists, skipping") have no reader: library code never logs. */
static void drop_notice(void *context, const PGresult *notice) {
    (void)context;
    (void)notice;
}

static int setup(struct sql *sql) {
    PQsetNoticeReceiver(sql->connection, drop_notice, NULL);
    if (PQsetnonblocking(sql->connection, 1) != 0) return lost(sql, "cannot set non-blocking mode");
    return sql_run(sql, statement_connect, NULL, NULL, NULL);
}

int sql_open(const char *conninfo, int wake_fd, struct sql **ret_sql,
             char ret_text[SQL_ERROR_BYTES]) {
    /* A later keyword wins: the connection string comes last, expanded from "dbname". */
    static const char *const keywords[] = {
        "application_name", "keepalives",       "keepalives_idle", "keepalives_interval",
        "keepalives_count", "tcp_user_timeout", "dbname",          NULL};
    const char *const values[] = {"usher", "1", "10", "5", "3", "30000", conninfo, NULL};
    REQUIRE(conninfo != NULL);

    struct sql *sql = calloc(1, sizeof *sql);
    REQUIRE_MEMORY(sql != NULL);
    sql->wake_fd = wake_fd;
    sql->connection = PQconnectStartParams(keywords, values, 1);
    REQUIRE_MEMORY(sql->connection != NULL);
    int result = connect_poll(sql, monotonic_ms() + CONNECT_DEADLINE_MS);
    if (result == SQL_OK) result = setup(sql);
    if (result == SQL_OK) {
        *ret_sql = sql;
        return SQL_OK;
    }
    snprintf(ret_text, SQL_ERROR_BYTES, "%s", sql->text);
    sql_close(sql);
    return result;
}

void sql_close(struct sql *sql) {
    if (!sql) return;
    PQfinish(sql->connection);
    free(sql);
}

const char *sql_error(const struct sql *sql) { return sql->text; }

/* --- running ---------------------------------------------------------------------------------- */

static int failed(struct sql *sql, const PGresult *result) {
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    /* No SQLSTATE: libpq made this result itself, because the connection is gone. */
    if (!state) return lost(sql, "the connection was lost");
    snprintf(sql->text, sizeof sql->text, "SQLSTATE %s: %s%s%s", state, message ? message : "",
             detail ? ". " : "", detail ? detail : "");
    if (strncmp(state, "22", 2) == 0 || strncmp(state, "23", 2) == 0) return SQL_INVALID;
    if (strcmp(state, "57014") == 0) return SQL_TIMEOUT;
    return SQL_FAILED;
}

static void deliver(const PGresult *result, sql_row_fn *row, void *context) {
    const char *values[COLUMNS_MAX];
    int columns = PQnfields(result);
    REQUIRE(columns <= COLUMNS_MAX);
    for (int i = 0; row && i < PQntuples(result); i++) {
        for (int j = 0; j < columns; j++) {
            values[j] = PQgetisnull(result, i, j) ? NULL : PQgetvalue(result, i, j);
        }
        row(context, columns, values);
    }
}

int sql_send(struct sql *sql, const char *statements) {
    sql->text[0] = '\0';
    if (!PQsendQuery(sql->connection, statements)) return lost(sql, "cannot send");
    (void)PQsetSingleRowMode(sql->connection); /* no-op for statements without rows */
    return flush(sql, monotonic_ms() + STATEMENT_DEADLINE_MS);
}

int sql_finish(struct sql *sql, sql_row_fn *row, void *context, uint64_t *ret_affected) {
    int64_t deadline_ms = monotonic_ms() + STATEMENT_DEADLINE_MS;
    int outcome = SQL_OK;
    if (ret_affected) *ret_affected = 0;
    for (;;) {
        PGresult *result = NULL;
        int waited = next_result(sql, deadline_ms, &result);
        if (waited != SQL_OK) return waited;
        if (!result) return outcome;
        ExecStatusType status = PQresultStatus(result);
        const char *affected = PQcmdTuples(result);
        if (status == PGRES_SINGLE_TUPLE || status == PGRES_TUPLES_OK) {
            deliver(result, row, context);
        } else if (status == PGRES_COMMAND_OK) {
            if (ret_affected && *affected) *ret_affected = strtoull(affected, NULL, 10);
        } else if (outcome == SQL_OK) {
            outcome = failed(sql, result); /* the first error is the cause */
        }
        PQclear(result);
        /* A dead connection may go on producing error results; do not turn with it. */
        if (outcome == SQL_LOST) return outcome;
    }
}

int sql_run(struct sql *sql, const char *statements, sql_row_fn *row, void *context,
            uint64_t *ret_affected) {
    int result = sql_send(sql, statements);
    return result == SQL_OK ? sql_finish(sql, row, context, ret_affected) : result;
}

static int copy_piece(struct sql *sql, const uint8_t *bytes, size_t size, int64_t deadline_ms) {
    for (;;) {
        int put = PQputCopyData(sql->connection, (const char *)bytes, (int)size);
        if (put < 0) return lost(sql, "the connection was lost while copying");
        int result = flush(sql, deadline_ms);
        if (result != SQL_OK || put == 1) return result;
    }
}

int sql_copy(struct sql *sql, const char *command, const uint8_t *bytes, size_t size) {
    int64_t deadline_ms = monotonic_ms() + STATEMENT_DEADLINE_MS;
    PGresult *result = NULL;
    sql->text[0] = '\0';
    if (!PQsendQuery(sql->connection, command)) return lost(sql, "cannot send");
    int outcome = flush(sql, deadline_ms);
    if (outcome == SQL_OK) outcome = next_result(sql, deadline_ms, &result);
    if (outcome != SQL_OK) return outcome;
    if (PQresultStatus(result) != PGRES_COPY_IN) {
        outcome = failed(sql, result);
        PQclear(result);
        int drained = outcome == SQL_LOST ? SQL_LOST : sql_finish(sql, NULL, NULL, NULL);
        return drained == SQL_LOST ? SQL_LOST : outcome;
    }
    PQclear(result);
    for (size_t sent = 0; sent < size; sent += COPY_PIECE_BYTES) {
        size_t piece = size - sent < COPY_PIECE_BYTES ? size - sent : COPY_PIECE_BYTES;
        outcome = copy_piece(sql, bytes + sent, piece, deadline_ms);
        if (outcome != SQL_OK) return outcome;
    }
    /* Non-blocking: 0 means that the end could not be queued yet. */
    int ended;
    while ((ended = PQputCopyEnd(sql->connection, NULL)) == 0) {
        outcome = flush(sql, deadline_ms);
        if (outcome != SQL_OK) return outcome;
    }
    if (ended < 0) return lost(sql, "the connection was lost while copying");
    outcome = flush(sql, deadline_ms);
    return outcome == SQL_OK ? sql_finish(sql, NULL, NULL, NULL) : outcome;
}
