/* projection_fixture.c - see projection_fixture.h */
#include "tests/integration/projection/projection_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/base/require.h"

#define RETRIES_MAX 50u

struct projection_fixture *projection_fixture_create(void) {
    struct projection_fixture *fixture = calloc(1, sizeof *fixture);
    REQUIRE(fixture != NULL);
    postgres_fixture_create(&fixture->postgres);
    return fixture;
}

void projection_fixture_free(struct projection_fixture *fixture) {
    postgres_fixture_destroy(&fixture->postgres);
    free(fixture);
}

void projection_fixture_drop(struct projection_fixture *fixture) {
    projection_fixture_sql(fixture, "DROP SCHEMA IF EXISTS usher CASCADE");
}

void projection_fixture_begin(struct projection_fixture *fixture, uint64_t seed,
                              uint32_t requests) {
    printf("# seed %llu\n", (unsigned long long)seed);
    if (fixture->postgres.pid == 0) postgres_fixture_start(&fixture->postgres);
    projection_fixture_drop(fixture);
    fixture->alarms = 0;
    fixture->now_ms = 1000;
    memory_log_init(&fixture->log);
    random_history_init(&fixture->history, &fixture->log, seed, 40);
    random_history_run(&fixture->history, requests);
    random_history_settle(&fixture->history);
    fixture->source = memory_log_source(&fixture->log);
}

void projection_fixture_end(struct projection_fixture *fixture) {
    random_history_deinit(&fixture->history);
    memory_log_deinit(&fixture->log);
}

static uint64_t fake_now_ms(void *context) {
    return ((struct projection_fixture *)context)->now_ms;
}

static void alarm_rings(void *context, const struct projection_status *status) {
    struct projection_fixture *fixture = context;
    fixture->alarms++;
    fixture->alarmed = *status;
}

struct projection_options projection_fixture_options(struct projection_fixture *fixture,
                                                     uint32_t batch_records) {
    return (struct projection_options){
        .conninfo = fixture->postgres.conninfo,
        .source = &fixture->source,
        .log_id = {{0x10, 0x6, 1}},
        .epoch = 1,
        .run_id = {{0x2, (uint8_t)(++fixture->runs >> 8), (uint8_t)fixture->runs}},
        .run_by = "tests:/fixture",
        .clock = {fixture, fake_now_ms},
        .batch_records = batch_records,
        .alarm = alarm_rings,
        .alarm_context = fixture,
    };
}

int projection_fixture_run(struct projection_fixture *fixture, struct projection *projection) {
    struct projection_status status;
    for (uint32_t retries = 0; retries < RETRIES_MAX;) {
        int result = projection_step(projection);
        if (result == PROJECTION_WORKED) continue;
        projection_status_get(projection, &status);
        if (result == PROJECTION_HALTED || status.state == PROJECTION_FOLLOWING) return result;
        fixture->now_ms += projection_idle_ms(projection);
        retries++;
    }
    REQUIRE_NEVER("a projection that goes on after a few retries");
}

void projection_fixture_project(struct projection_fixture *fixture, uint32_t batch_records,
                                char ret_contents[CONTENTS_BYTES]) {
    struct projection_options options = projection_fixture_options(fixture, batch_records);
    struct projection *projection = projection_create(&options);
    struct projection_status status;
    REQUIRE(projection_fixture_run(fixture, projection) == PROJECTION_IDLE);
    projection_status_get(projection, &status);
    REQUIRE(status.failures == 0 && status.applied_lsn == fixture->log.size);
    projection_free(projection);
    projection_fixture_contents(fixture, ret_contents);
}

/* --- SQL -------------------------------------------------------------------------------------- */

static void query(struct projection_fixture *fixture, const char *statements, sql_row_fn *row,
                  void *context) {
    char text[SQL_ERROR_BYTES];
    struct sql *sql = NULL;
    if (sql_open(fixture->postgres.conninfo, -1, &sql, text) != SQL_OK) {
        printf("# %s\n", text);
        REQUIRE_NEVER("an administrator who can connect");
    }
    if (sql_run(sql, statements, row, context, NULL) != SQL_OK) {
        printf("# %s\n# %s\n", statements, sql_error(sql));
        REQUIRE_NEVER("a statement that succeeds");
    }
    sql_close(sql);
}

void projection_fixture_sql(struct projection_fixture *fixture, const char *statements) {
    query(fixture, statements, NULL, NULL);
}

static void read_number(void *context, int columns, const char *const *values) {
    REQUIRE(columns == 1);
    *(uint64_t *)context = values[0] ? strtoull(values[0], NULL, 10) : 0;
}

uint64_t projection_fixture_number(struct projection_fixture *fixture, const char *statement) {
    uint64_t number = 0;
    query(fixture, statement, read_number, &number);
    return number;
}

static void read_line(void *context, int columns, const char *const *values) {
    char *contents = context;
    size_t size = strlen(contents);
    REQUIRE(columns == 3);
    int added = snprintf(contents + size, CONTENTS_BYTES - size, "%s %s %s\n", values[0], values[1],
                         values[2] ? values[2] : "-");
    REQUIRE(added > 0 && (size_t)added < CONTENTS_BYTES - size);
}

#define CONTENT(table)                                                                             \
    "SELECT '" table                                                                               \
    "', count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM usher." table " t;"

void projection_fixture_contents(struct projection_fixture *fixture,
                                 char ret_contents[CONTENTS_BYTES]) {
    ret_contents[0] = '\0';
    query(fixture,
          /* Not who projected, nor in what batches. */
          "SELECT 'projection_state', 1, concat_ws(' ', schema_version, log_id, epoch, applied_lsn,"
          " applied_time, decisions) FROM usher.projection_state;" CONTENT("concerts")
              CONTENT("dates") CONTENT("seats") CONTENT("reservations") CONTENT("reservation_seats")
                  CONTENT("payments") CONTENT("wallets") CONTENT("wallet_ledger")
                      CONTENT("queue_entries") CONTENT("refusals") CONTENT("outages"),
          read_line, ret_contents);
}
