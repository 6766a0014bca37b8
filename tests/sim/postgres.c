/* postgres.c - see postgres.h */
#include "tests/sim/postgres.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/require.h"
#include "tests/sim/postgres_server.h"

/* --- rows ------------------------------------------------------------------------------------- */

static void *grown(void *memory, uint64_t *capacity, uint64_t needed, size_t size) {
    if (needed <= *capacity) return memory;
    *capacity = needed < 64 ? 128 : 2 * needed;
    memory = realloc(memory, *capacity * size);
    REQUIRE(memory != NULL);
    return memory;
}

void rows_add(struct rows *rows, uint64_t lsn, const uint8_t *record, uint32_t size) {
    rows->entries = grown(rows->entries, &rows->capacity, rows->count + 1, sizeof rows->entries[0]);
    rows->bytes = grown(rows->bytes, &rows->bytes_capacity, rows->size + size, 1);
    rows->entries[rows->count++] = (struct row_entry){lsn, rows->size, size};
    memcpy(rows->bytes + rows->size, record, size);
    rows->size += size;
}

void rows_append(struct rows *rows, const struct rows *more) {
    for (uint64_t i = 0; i < more->count; i++) {
        const struct row_entry *entry = &more->entries[i];
        rows_add(rows, entry->lsn, more->bytes + entry->offset, entry->size);
    }
}

void rows_truncate(struct rows *rows, uint64_t count) {
    rows->count = count;
    if (count == 0) rows->size = 0; /* else what is cut stays in between, unused */
}

static int by_lsn(const void *a, const void *b) {
    const struct row_entry *left = a, *right = b;
    if (left->lsn != right->lsn) return left->lsn < right->lsn ? -1 : 1;
    return left->offset < right->offset ? -1 : 1;
}

void rows_sort(struct rows *rows) {
    if (rows->count > 1) qsort(rows->entries, rows->count, sizeof rows->entries[0], by_lsn);
}

void rows_deinit(struct rows *rows) {
    free(rows->entries);
    free(rows->bytes);
    *rows = (struct rows){0};
}

/* --- life ------------------------------------------------------------------------------------- */

static const char prefix[] = "sim:";

struct postgres *postgres_create(void) {
    struct postgres *server = calloc(1, sizeof *server);
    REQUIRE(server != NULL);
    snprintf(server->conninfo, sizeof server->conninfo, "%s%p", prefix, (void *)server);
    return server;
}

struct postgres *server_find(const char *conninfo) {
    void *server = NULL;
    REQUIRE(strncmp(conninfo, prefix, sizeof prefix - 1) == 0);
    REQUIRE(sscanf(conninfo + sizeof prefix - 1, "%p", &server) == 1);
    REQUIRE(strcmp(((struct postgres *)server)->conninfo, conninfo) == 0);
    return server;
}

static void drop_late(struct postgres *server) {
    rows_deinit(&server->late.change.rows);
    server->late = (struct late_commit){0};
}

void postgres_free(struct postgres *server) {
    if (!server) return;
    drop_late(server);
    rows_deinit(&server->rows);
    free(server->commits);
    free(server);
}

const char *postgres_conninfo(const struct postgres *server) { return server->conninfo; }

void server_fail(struct postgres *server, const char *format, ...) {
    va_list arguments;
    if (server->failure[0]) return; /* the first one is the cause */
    va_start(arguments, format);
    vsnprintf(server->failure, sizeof server->failure, format, arguments);
    va_end(arguments);
}

const char *postgres_failure(const struct postgres *server) {
    return server->failure[0] ? server->failure : NULL;
}

/* --- faults ----------------------------------------------------------------------------------- */

const char *postgres_fault_name(uint32_t fault) {
    static const char *const names[POSTGRES_FAULT_COUNT] = {
        "refused",     "lost",          "disk full",   "timeout",     "invalid",
        "commit lost", "commit untold", "commit late", "commit hung",
    };
    return fault < POSTGRES_FAULT_COUNT ? names[fault] : "unknown";
}

void postgres_fault(struct postgres *server, enum postgres_fault fault, uint32_t after) {
    REQUIRE(fault < POSTGRES_FAULT_COUNT && after < UINT32_MAX);
    server->armed[fault] = after + 1;
}

bool server_happens(struct postgres *server, enum postgres_fault fault) {
    if (server->armed[fault] == 0 || --server->armed[fault] > 0) return false;
    server->happened[fault]++;
    return true;
}

void postgres_stop(struct postgres *server) {
    server->generation++;
    server->down = true;
    server->lock_owner = NULL;
    drop_late(server);
}

void postgres_start(struct postgres *server) { server->down = false; }

uint32_t postgres_restore(struct postgres *server, uint32_t commits) {
    bool was_down = server->down;
    postgres_stop(server);
    server->down = was_down;
    /* The first of them made the schema: there is no backup without one. */
    uint64_t left = server->commit_count > commits ? server->commit_count - commits : 1;
    if (left >= server->commit_count) return 0;
    uint32_t undone = (uint32_t)(server->commit_count - left);
    server->commit_count = left;
    server->state = server->commits[left - 1].state;
    rows_truncate(&server->rows, server->commits[left - 1].rows);
    if (server->verified_lsn > server->state.applied_lsn) {
        server->verified_lsn = server->verified_rows = server->verified_decisions = 0;
    }
    return undone;
}

void postgres_refuse(struct postgres *server, uint64_t lsn) { server->refused_lsn = lsn; }

void postgres_slow(struct postgres *server, uint32_t rows) { server->slow_rows = rows; }

void postgres_heal(struct postgres *server) {
    memset(server->armed, 0, sizeof server->armed);
    server->refused_lsn = 0;
    server->slow_rows = 0;
    postgres_start(server);
}

/* --- transactions ----------------------------------------------------------------------------- */

void change_begin(struct server_change *change, const struct postgres *server) {
    rows_truncate(&change->rows, 0);
    change->any = change->dropped = false;
    change->state = server->state;
}

void server_commit(struct postgres *server, struct server_change *change) {
    REQUIRE(change->any);
    if (change->dropped || !server->state.schema) {
        rows_truncate(&server->rows, 0);
        server->commit_count = 0;
        server->verified_lsn = server->verified_rows = server->verified_decisions = 0;
    }
    rows_sort(&change->rows);
    rows_append(&server->rows, &change->rows);
    server->state = change->state;
    server->commits = grown(server->commits, &server->commit_capacity, server->commit_count + 1,
                            sizeof server->commits[0]);
    server->commits[server->commit_count++] = (struct commit){server->state, server->rows.count};
    server->commits_ever++;
    change_begin(change, server);
}

void server_commit_late(struct postgres *server, struct server_change *change, bool takes_place) {
    REQUIRE(!server->late.under_way);
    server->late = (struct late_commit){true, takes_place, *change};
    *change = (struct server_change){0};
    server->lock_owner = &server->late;
}

bool server_lock(struct postgres *server, const void *owner) {
    if (server->lock_owner == &server->late) {
        if (server->late.takes_place) server_commit(server, &server->late.change);
        drop_late(server);
        server->lock_owner = NULL;
    }
    if (server->lock_owner && server->lock_owner != owner) return false;
    server->lock_owner = owner;
    return true;
}

void server_unlock(struct postgres *server, const void *owner) {
    if (server->lock_owner == owner) server->lock_owner = NULL;
}

/* --- what has been applied -------------------------------------------------------------------- */

void postgres_status(const struct postgres *server, struct postgres_status *ret_status) {
    const struct server_state *state = &server->state;
    *ret_status = (struct postgres_status){.exists = state->exists,
                                           .epoch = state->epoch,
                                           .applied_lsn = state->applied_lsn,
                                           .decisions = state->decisions,
                                           .rows = server->rows.count,
                                           .commits = server->commits_ever};
    ret_status->run = state->run;
    memcpy(ret_status->log_id, state->log_id, sizeof ret_status->log_id);
    memcpy(ret_status->run_id, state->run_id, sizeof ret_status->run_id);
    memcpy(ret_status->happened, server->happened, sizeof ret_status->happened);
}

struct postgres_row postgres_row(const struct postgres *server, uint64_t index) {
    REQUIRE(index < server->rows.count);
    const struct row_entry *entry = &server->rows.entries[index];
    return (struct postgres_row){entry->lsn, server->rows.bytes + entry->offset, entry->size};
}

/* replay/postgres/README.md: these count and move the applied LSN, but change no row. */
static bool has_rows(uint32_t kind) {
    return kind != DECISION_FUNDS_REFUSED && kind != DECISION_REFUND_CLOSED &&
           kind != DECISION_STATE_HASHED;
}

static const char *name_of(const struct postgres_row *row) {
    struct decision decision;
    int decoded = decision_decode(row->record, row->size, &decision);
    return decoded == DECISION_DECODE_OK ? decision_name(decision.kind) : "record";
}

/* The log's record against the next row. Return: NULL or what is wrong */
static const char *compare(struct postgres *server, const struct source_record *record) {
    struct decision decision;
    uint8_t encoded[RECORD_BYTES_MAX];
    if (decision_decode(record->bytes, record->size, &decision) != DECISION_DECODE_OK) {
        return "was applied although it cannot be decoded";
    }
    server->verified_decisions++;
    if (!has_rows(decision.kind)) return NULL;
    if (server->verified_rows == server->rows.count) return "was never applied";
    struct postgres_row row = postgres_row(server, server->verified_rows);
    if (row.lsn < record->lsn) return "is preceded by a row that was applied twice";
    if (row.lsn > record->lsn) return "was never applied, or not in its place";
    uint32_t size = decision_encode(&decision, encoded); /* an older record may be shorter */
    if (row.size != size || memcmp(row.record, encoded, size) != 0) return "was applied wrongly";
    server->verified_rows++;
    return NULL;
}

static int wrong(char *ret_text, uint64_t lsn, const char *name, const char *what) {
    snprintf(ret_text, POSTGRES_TEXT_BYTES, "the %s that ends at LSN %llu %s", name,
             (unsigned long long)lsn, what);
    return -1;
}

/* Everything up to the applied LSN was found: is that all there is? */
static int verify_end(struct postgres *server, char *ret_text) {
    const struct server_state *state = &server->state;
    if (server->verified_lsn != state->applied_lsn) {
        return wrong(ret_text, server->verified_lsn, "log",
                     "has no record that ends at the applied LSN");
    }
    if (server->verified_rows < server->rows.count) {
        struct postgres_row row = postgres_row(server, server->verified_rows);
        return wrong(ret_text, row.lsn, name_of(&row),
                     "is in PostgreSQL twice, or lies beyond the applied LSN");
    }
    if (server->verified_decisions != state->decisions) {
        snprintf(ret_text, POSTGRES_TEXT_BYTES,
                 "PostgreSQL counts %llu decisions up to LSN %llu, the log has %llu",
                 (unsigned long long)state->decisions, (unsigned long long)state->applied_lsn,
                 (unsigned long long)server->verified_decisions);
        return -1;
    }
    return 0;
}

int postgres_check(struct postgres *server, struct record_source *source,
                   char ret_text[POSTGRES_TEXT_BYTES]) {
    struct source_error error;
    struct source_record record;
    int got = source->seek(source->context, server->verified_lsn, &error);
    while (got == 0 && server->verified_lsn < server->state.applied_lsn) {
        got = source->next(source->context, &record, &error);
        if (got != 0) break;
        const char *what = compare(server, &record);
        if (what) {
            struct decision decision = {0};
            (void)decision_decode(record.bytes, record.size, &decision); /* for its name alone */
            return wrong(ret_text, record.lsn, decision_name(decision.kind), what);
        }
        server->verified_lsn = record.lsn;
    }
    if (got < 0) {
        snprintf(ret_text, POSTGRES_TEXT_BYTES, "%.500s", error.text);
        return -1;
    }
    return verify_end(server, ret_text);
}
