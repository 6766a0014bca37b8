/* projection_offline.c - see projection_offline.h
 *
 * Happy path: one connection for one question; or projection_step until there is nothing to do.
 * Failure modes: those of the connection and of a step, as texts.
 * Thread: the caller's.
 */
#include "replay/postgres/projection_offline.h"

#include <stdio.h>

#include "engine/base/require.h"
#include "replay/postgres/projection_attach.h"
#include "replay/postgres/statements.h"

int projection_applied_lsn(const char *conninfo, const struct id128 *log_id, uint64_t *ret_lsn,
                           char ret_text[PROJECTION_TEXT_BYTES]) {
    struct projection_found found;
    struct sql *sql = NULL;
    char uuid[TEXT_UUID_BYTES];
    bool any = id128_is_none(log_id);
    text_uuid(log_id, uuid);
    if (sql_open(conninfo, -1, &sql, ret_text) != SQL_OK) return -1;
    int result = projection_look_up(sql, &found);
    if (result != SQL_OK) snprintf(ret_text, PROJECTION_TEXT_BYTES, "%s", sql_error(sql));
    sql_close(sql);
    if (result != SQL_OK) return -1;
    if (!found.exists) {
        snprintf(ret_text, PROJECTION_TEXT_BYTES, "this database has no schema usher yet");
        return PROJECTION_NONE;
    }
    if (!projection_is_ours(&found, any ? NULL : uuid, ret_text)) return PROJECTION_OTHER_LOG;
    *ret_lsn = found.applied_lsn;
    (void)projection_who(&found, ret_text);
    return PROJECTION_FOUND;
}

int projection_catch_up(const struct projection_options *options,
                        void (*progress)(void *context, const struct projection_status *status),
                        void *progress_context, struct projection_status *ret_status) {
    struct projection_options now = *options;
    now.batch_ms = 0; /* whatever is there, at once */
    struct projection *projection = projection_create(&now);
    uint64_t batches = 0;
    for (;;) {
        int result = projection_step(projection);
        projection_status_get(projection, ret_status);
        if (progress && ret_status->batches > batches) progress(progress_context, ret_status);
        batches = ret_status->batches;
        if (result == PROJECTION_WORKED) continue;
        projection_free(projection);
        bool done = result == PROJECTION_IDLE && ret_status->state == PROJECTION_FOLLOWING;
        return done ? 0 : -1;
    }
}

int projection_rebuild(const struct projection_options *options,
                       void (*progress)(void *context, const struct projection_status *status),
                       void *progress_context, struct projection_status *ret_status) {
    struct record_source *source = options->source;
    struct source_error error;
    struct sql *sql = NULL;
    *ret_status = (struct projection_status){.state = PROJECTION_STOPPED};
    _Static_assert(SOURCE_ERROR_BYTES <= PROJECTION_TEXT_BYTES, "an error of the source fits");
    _Static_assert(SQL_ERROR_BYTES <= PROJECTION_TEXT_BYTES, "an error of SQL fits");
    if (source->seek(source->context, 0, &error) < 0) { /* before anything is lost */
        snprintf(ret_status->text, sizeof ret_status->text, "%s", error.text);
        return -1;
    }
    struct projection_found found;
    char log_id[TEXT_UUID_BYTES];
    text_uuid(&options->log_id, log_id);
    if (sql_open(options->conninfo, -1, &sql, ret_status->text) != SQL_OK) return -1;
    int result = projection_look_up(sql, &found);
    if (result == SQL_OK) result = sql_run(sql, statement_drop_schema, NULL, NULL, NULL);
    /* At once, with the count of takeovers: whoever has projected so far must not take the new
     * schema for a backup, and for its own. */
    if (result == SQL_OK) {
        result = projection_create_schema(sql, log_id, options->epoch, found.run, &found);
    }
    if (result != SQL_OK) {
        snprintf(ret_status->text, sizeof ret_status->text, "%s", sql_error(sql));
    }
    sql_close(sql);
    return result == SQL_OK ? projection_catch_up(options, progress, progress_context, ret_status)
                            : -1;
}
