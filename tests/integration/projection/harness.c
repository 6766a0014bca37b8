#include "tests/integration/projection/harness.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/base/require.h"

#define RETRIES_MAX 50u

struct harness *harness_create(void) {
    struct harness *harness = calloc(1, sizeof *harness);
    REQUIRE(harness != NULL);
    postgres_create(&harness->postgres);
    return harness;
}

void harness_free(struct harness *harness) {
    postgres_destroy(&harness->postgres);
    free(harness);
}

void harness_drop(struct harness *harness) {
    harness_sql(harness, "DROP SCHEMA IF EXISTS usher CASCADE");
}

void harness_begin(struct harness *harness, uint64_t seed, uint32_t requests) {
    printf("# seed %llu\n", (unsigned long long)seed);
    if (harness->postgres.pid == 0) postgres_start(&harness->postgres);
    harness_drop(harness);
    harness->alarms = 0;
    harness->now_ms = 1000;
    memory_log_init(&harness->log);
    history_init(&harness->history, &harness->log, seed, 40);
    history_run(&harness->history, requests);
    history_settle(&harness->history);
    harness->source = memory_log_source(&harness->log);
}

void harness_end(struct harness *harness) {
    history_deinit(&harness->history);
    memory_log_deinit(&harness->log);
}

static uint64_t fake_now_ms(void *context) { return ((struct harness *)context)->now_ms; }

static void alarm_rings(void *context, const struct projection_status *status) {
    struct harness *harness = context;
    harness->alarms++;
    harness->alarmed = *status;
}

struct projection_options harness_options(struct harness *harness, uint32_t batch_records) {
    return (struct projection_options){
        .conninfo = harness->postgres.conninfo,
        .source = &harness->source,
        .log_id = {{0x10, 0x6, 1}},
        .epoch = 1,
        .run_id = {{0x2, (uint8_t)(++harness->runs >> 8), (uint8_t)harness->runs}},
        .run_by = "stage:/harness",
        .clock = {harness, fake_now_ms},
        .batch_records = batch_records,
        .alarm = alarm_rings,
        .alarm_context = harness,
    };
}

int harness_run(struct harness *harness, struct projection *projection) {
    struct projection_status status;
    for (uint32_t retries = 0; retries < RETRIES_MAX;) {
        int result = projection_step(projection);
        if (result == PROJECTION_WORKED) continue;
        projection_status_get(projection, &status);
        if (result == PROJECTION_HALTED || status.state == PROJECTION_FOLLOWING) return result;
        harness->now_ms += projection_idle_ms(projection);
        retries++;
    }
    REQUIRE_NEVER("a projection that goes on after a few retries");
}

void harness_project(struct harness *harness, uint32_t batch_records,
                     char ret_contents[CONTENTS_BYTES]) {
    struct projection_options options = harness_options(harness, batch_records);
    struct projection *projection = projection_create(&options);
    struct projection_status status;
    REQUIRE(harness_run(harness, projection) == PROJECTION_IDLE);
    projection_status_get(projection, &status);
    REQUIRE(status.failures == 0 && status.applied_lsn == harness->log.size);
    projection_free(projection);
    harness_contents(harness, ret_contents);
}

/* --- SQL -------------------------------------------------------------------------------------- */

static void query(struct harness *harness, const char *statements, sql_row_fn *row, void *context) {
    char text[SQL_ERROR_BYTES];
    struct sql *sql = NULL;
    if (sql_open(harness->postgres.conninfo, -1, &sql, text) != SQL_OK) {
        printf("# %s\n", text);
        REQUIRE_NEVER("an administrator who can connect");
    }
    if (sql_run(sql, statements, row, context, NULL) != SQL_OK) {
        printf("# %s\n# %s\n", statements, sql_error(sql));
        REQUIRE_NEVER("a statement that succeeds");
    }
    sql_close(sql);
}

void harness_sql(struct harness *harness, const char *statements) {
    query(harness, statements, NULL, NULL);
}

static void read_number(void *context, int columns, const char *const *values) {
    REQUIRE(columns == 1);
    *(uint64_t *)context = values[0] ? strtoull(values[0], NULL, 10) : 0;
}

uint64_t harness_number(struct harness *harness, const char *statement) {
    uint64_t number = 0;
    query(harness, statement, read_number, &number);
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

void harness_contents(struct harness *harness, char ret_contents[CONTENTS_BYTES]) {
    ret_contents[0] = '\0';
    query(harness,
          /* Not who projected, nor in what batches. */
          "SELECT 'projection_state', 1, concat_ws(' ', schema_version, log_id, epoch, applied_lsn,"
          " applied_time, decisions) FROM usher.projection_state;" CONTENT("concerts")
              CONTENT("dates") CONTENT("seats") CONTENT("reservations") CONTENT("reservation_seats")
                  CONTENT("payments") CONTENT("wallets") CONTENT("wallet_ledger")
                      CONTENT("queue_entries") CONTENT("refusals") CONTENT("outages"),
          read_line, ret_contents);
}
