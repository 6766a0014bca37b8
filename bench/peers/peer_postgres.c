/* peer_postgres.c - the job of callers.h on PostgreSQL, through libpq
 *
 * One prepared UPDATE does it: it locks the seat's row, sees its last version, and changes it if
 * the turn and the seat are good; shorter than SELECT FOR UPDATE and an UPDATE, and as safe (READ
 * COMMITTED looks again at a row that it had to wait for). A caller's connection carries one
 * transaction after the other, in pipeline mode. With --batch, the holds that gathered on a
 * connection are one UPDATE in one transaction: one commit for all of them. The statements stand in
 * holds.sql (HOLDS_SQL: where that is).
 */
#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/peers/callers.h"
#include "engine/base/require.h"

struct pg_connection {
    PGconn *pg;
    uint32_t *callers; /* of this connection */
    uint32_t caller_count;
    uint32_t *asked; /* a ring: sent, in the order of sending */
    struct callers_hold *holds;
    bool *held; /* of the answer being read, by place */
    uint32_t asked_first, asked_count;
    uint32_t wanting_count; /* batch: in `asked` and `holds`, not yet sent */
    char *tokens, *seats;   /* batch: text of arrays */
};

static void must(bool good, PGconn *pg) {
    if (!good) callers_fail("PostgreSQL", PQerrorMessage(pg));
}

/* --- sending ---------------------------------------------------------------------------------- */

static void send_hold(struct pg_connection *connection, const char *name, const char *token,
                      const char *seat) {
    char ttl[16];
    const char *values[3] = {token, seat, ttl};
    (void)snprintf(ttl, sizeof ttl, "%u", CALLERS_HOLD_TTL_MS);
    must(PQsendQueryPrepared(connection->pg, name, 3, values, NULL, NULL, 0), connection->pg);
    must(PQpipelineSync(connection->pg), connection->pg);
}

static void want_next(struct callers *callers, struct pg_connection *connection, uint32_t caller) {
    uint32_t place = (connection->asked_first + connection->asked_count) % connection->caller_count;
    struct callers_hold *hold = &connection->holds[place];
    char token[16], seat[16];
    if (!callers_next(callers, caller, hold)) return;
    connection->asked[place] = caller;
    connection->asked_count++;
    if (callers->options->batch) {
        connection->wanting_count++;
        return;
    }
    (void)snprintf(token, sizeof token, "%u", callers_token(hold->user));
    (void)snprintf(seat, sizeof seat, "%u", hold->seat);
    send_hold(connection, "one", token, seat);
}

/* All that wait, as one command. Nothing else is under way on the connection. */
static void send_batch(struct pg_connection *connection) {
    char *token = connection->tokens, *seat = connection->seats;
    if (connection->wanting_count == 0) return;
    REQUIRE(connection->wanting_count == connection->asked_count);
    for (uint32_t i = 0; i < connection->asked_count; i++) {
        const struct callers_hold *hold =
            &connection->holds[(connection->asked_first + i) % connection->caller_count];
        token += sprintf(token, "%c%u", i ? ',' : '{', callers_token(hold->user));
        seat += sprintf(seat, "%c%u", i ? ',' : '{', hold->seat);
    }
    memcpy(token, "}", 2);
    memcpy(seat, "}", 2);
    connection->wanting_count = 0;
    send_hold(connection, "many", connection->tokens, connection->seats);
}

/* --- answers ---------------------------------------------------------------------------------- */

/* Of one command: rows are the holds that were done. */
static void answered(struct callers *callers, struct pg_connection *connection, PGresult *result) {
    uint32_t count = callers->options->batch ? connection->asked_count : 1;
    must(PQresultStatus(result) == PGRES_TUPLES_OK, connection->pg);
    memset(connection->held, 0, count * sizeof *connection->held);
    for (int row = 0; row < PQntuples(result); row++) {
        uint32_t place = (uint32_t)atoi(PQgetvalue(result, row, 0));
        REQUIRE(place < count);
        connection->held[place] = true;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t caller = connection->asked[connection->asked_first];
        connection->asked_first = (connection->asked_first + 1) % connection->caller_count;
        connection->asked_count--;
        callers_answer(callers, caller, connection->held[i]);
        /* With a batch, the places of those that are not told yet are still in use: later. */
        if (!callers->options->batch) want_next(callers, connection, caller);
    }
    if (!callers->options->batch) return;
    for (uint32_t i = 0; i < connection->caller_count; i++) {
        want_next(callers, connection, connection->callers[i]);
    }
    send_batch(connection);
}

static void read_results(struct callers *callers, struct pg_connection *connection) {
    must(PQconsumeInput(connection->pg), connection->pg);
    while (connection->asked_count > 0 && !PQisBusy(connection->pg)) {
        PGresult *result = PQgetResult(connection->pg);
        if (result && PQresultStatus(result) != PGRES_PIPELINE_SYNC) {
            answered(callers, connection, result);
        }
        PQclear(result);
    }
}

/* --- before and after ------------------------------------------------------------------------- */

/* Return: a connection on which the statements of holds.sql are prepared */
static PGconn *connect_prepared(const char *address) {
    char statements[4096];
    FILE *file = fopen(HOLDS_SQL, "r");
    REQUIRE(file != NULL);
    size_t size = fread(statements, 1, sizeof statements - 1, file);
    REQUIRE(size > 0 && feof(file));
    (void)fclose(file);
    statements[size] = '\0';
    PGconn *pg = PQconnectdb(address);
    must(PQstatus(pg) == CONNECTION_OK, pg);
    PGresult *result = PQexec(pg, statements);
    must(PQresultStatus(result) == PGRES_COMMAND_OK, pg);
    PQclear(result);
    return pg;
}

static void open_connection(struct pg_connection *connection, uint32_t index,
                            const struct callers_options *options) {
    PGconn *pg = connection->pg = connect_prepared(options->address);
    uint32_t room = options->callers / options->connections + 1;
    must(PQenterPipelineMode(pg) && PQsetnonblocking(pg, 1) == 0, pg);
    connection->callers = calloc(room, sizeof *connection->callers);
    connection->asked = calloc(room, sizeof *connection->asked);
    connection->holds = calloc(room, sizeof *connection->holds);
    connection->held = calloc(room, sizeof *connection->held);
    connection->tokens = calloc(room + 1, 12);
    connection->seats = calloc(room + 1, 12);
    REQUIRE(connection->callers && connection->asked && connection->holds && connection->held);
    REQUIRE(connection->tokens && connection->seats);
    for (uint32_t caller = index; caller < options->callers; caller += options->connections) {
        connection->callers[connection->caller_count++] = caller;
    }
}

static uint64_t ask_held(PGconn *pg) {
    PGresult *result = PQexecPrepared(pg, "held", 0, NULL, NULL, NULL, 0);
    must(PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1, pg);
    uint64_t number = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return number;
}

static int ask_hold(PGconn *pg, uint32_t token, uint32_t seat) {
    char texts[2][16];
    const char *values[3] = {texts[0], texts[1], "60000"};
    (void)snprintf(texts[0], sizeof texts[0], "%u", token);
    (void)snprintf(texts[1], sizeof texts[1], "%u", seat);
    PGresult *result = PQexecPrepared(pg, "one", 3, values, NULL, NULL, 0);
    must(PQresultStatus(result) == PGRES_TUPLES_OK, pg);
    int rows = PQntuples(result);
    PQclear(result);
    return rows;
}

static void report(struct callers *callers) {
    struct callers_hold first = callers_hold(0);
    PGconn *pg = connect_prepared(callers->options->address);
    if (ask_hold(pg, callers_token(first.user + 1), first.seat) != 0) {
        callers_fail("PostgreSQL", "a seat was held twice");
    }
    if (ask_hold(pg, 0, callers->options->seats - 1) != 0) {
        callers_fail("PostgreSQL", "a hold without a turn");
    }
    callers_report(callers, ask_held(pg));
    PQfinish(pg);
}

int main(int argc, char **argv) {
    static struct callers callers;
    struct callers_options options;
    callers_read_options(argc, argv, &options);
    struct pg_connection *connections = calloc(options.connections, sizeof *connections);
    struct pollfd *polls = calloc(options.connections, sizeof *polls);
    REQUIRE(connections && polls);
    for (uint32_t i = 0; i < options.connections; i++) {
        open_connection(&connections[i], i, &options);
        polls[i].fd = PQsocket(connections[i].pg);
    }
    callers_begin(&callers, &options, 0);
    for (uint32_t i = 0; i < options.connections; i++) {
        for (uint32_t n = 0; n < connections[i].caller_count; n++) {
            want_next(&callers, &connections[i], connections[i].callers[n]);
        }
        send_batch(&connections[i]);
    }
    while (!callers_all_answered(&callers)) {
        for (uint32_t i = 0; i < options.connections; i++) {
            int more = PQflush(connections[i].pg);
            must(more >= 0, connections[i].pg);
            polls[i].events = (short)(POLLIN | (more ? POLLOUT : 0));
        }
        if (poll(polls, options.connections, 1000) < 0) callers_fail("poll", strerror(errno));
        for (uint32_t i = 0; i < options.connections; i++) {
            if (polls[i].revents) read_results(&callers, &connections[i]);
        }
    }
    callers_end(&callers);
    report(&callers);
    return 0;
}
