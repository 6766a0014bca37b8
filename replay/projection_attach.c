#include "replay/projection_attach.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/require.h"
#include "replay/projection_sql.h"

static void read_exists(void *context, int columns, const char *const *values) {
    REQUIRE(columns == 1);
    if (values[0]) *(bool *)context = strcmp(values[0], "t") == 0;
}

static void read_state(void *context, int columns, const char *const *values) {
    struct projection_found *found = context;
    REQUIRE(columns == 5);
    found->exists = true;
    found->version = strtol(values[0], NULL, 10);
    snprintf(found->log_id, sizeof found->log_id, "%s", values[1]);
    found->epoch = strtoull(values[2], NULL, 10);
    found->applied_lsn = strtoull(values[3], NULL, 10);
    found->decisions = strtoull(values[4], NULL, 10);
}

int projection_look_up(struct sql *sql, struct projection_found *ret_found) {
    bool exists = false;
    *ret_found = (struct projection_found){0};
    int result = sql_run(sql, "SELECT to_regclass('usher.projection_state') IS NOT NULL",
                         read_exists, &exists, NULL);
    if (result != SQL_OK || !exists) return result;
    return sql_run(sql,
                   "SELECT schema_version, log_id, epoch, applied_lsn, decisions"
                   " FROM usher.projection_state",
                   read_state, ret_found, NULL);
}

bool projection_is_ours(const struct projection_found *found, const char *log_id, char *ret_text) {
    if (found->version != PROJECTION_SCHEMA_VERSION) {
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

/* The advisory lock keeps two engines from creating the schema at once; its number is random. */
int projection_create_schema(struct sql *sql, const char *log_id, uint64_t epoch,
                             struct projection_found *ret_found) {
    char insert[256];
    int result = sql_run(sql, "BEGIN; SELECT pg_advisory_xact_lock(6284905711720734)", NULL, NULL,
                         NULL);
    if (result == SQL_OK) result = projection_look_up(sql, ret_found);
    if (result == SQL_OK && !ret_found->exists) {
        snprintf(insert, sizeof insert,
                 "INSERT INTO usher.projection_state (schema_version, log_id, epoch, applied_lsn,"
                 " decisions) VALUES (%d, '%s', %llu, 0, 0)",
                 PROJECTION_SCHEMA_VERSION, log_id, (unsigned long long)epoch);
        result = sql_run(sql, projection_schema_sql(), NULL, NULL, NULL);
        if (result == SQL_OK) result = sql_run(sql, insert, NULL, NULL, NULL);
        if (result == SQL_OK) result = projection_look_up(sql, ret_found);
    }
    return result == SQL_OK ? sql_run(sql, "COMMIT", NULL, NULL, NULL) : result;
}
