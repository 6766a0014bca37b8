/* postgres_server.h - the parts of the stand-in for PostgreSQL, for the files postgres*.c alone
 *
 *   postgres.c        the server: what is committed, locks, faults, comparing with the log
 *   postgres_sql.c    a connection (replay/postgres/sql.h): statements by their role, transactions
 *   postgres_match.c  a statement against a pattern, token by token
 *   postgres_copy.c   COPY's binary format back into records of the log
 */
#ifndef USHER_TESTS_SIM_POSTGRES_SERVER_H
#define USHER_TESTS_SIM_POSTGRES_SERVER_H

#include "engine/domain/decision.h"
#include "tests/sim/postgres.h"

/* --- rows ------------------------------------------------------------------------------------- */

struct row_entry {
    uint64_t lsn;
    size_t offset; /* in rows.bytes */
    uint32_t size;
};

struct rows {
    struct row_entry *entries;
    uint64_t count, capacity;
    uint8_t *bytes;
    size_t size, bytes_capacity;
};

void rows_add(struct rows *rows, uint64_t lsn, const uint8_t *record, uint32_t size);
void rows_append(struct rows *rows, const struct rows *more);
void rows_truncate(struct rows *rows, uint64_t count);
void rows_sort(struct rows *rows); /* by LSN */
void rows_deinit(struct rows *rows);

/* --- the server ------------------------------------------------------------------------------- */

/* The schema and its one state row. */
struct server_state {
    bool schema, exists;
    uint64_t version, epoch, applied_lsn, decisions;
    uint64_t run, batch_lsn, batch_hash;
    char log_id[37], run_id[37], run_by[64];
};

/* What a connection has changed and not committed. */
struct server_change {
    bool any;
    bool dropped; /* the schema, before anything else in here */
    struct server_state state;
    struct rows rows;
};

struct commit {
    struct server_state state;
    uint64_t rows;
};

/* A COMMIT whose connection is gone, and that the server has yet to finish. */
struct late_commit {
    bool under_way, takes_place;
    struct server_change change;
};

struct postgres {
    char conninfo[32];
    uint64_t generation; /* of connections: those of an earlier one are lost */
    bool down;

    struct server_state state;
    struct rows rows;
    struct commit *commits; /* since the schema was made: where a backup can go back to */
    uint64_t commit_count, commit_capacity, commits_ever;

    const void *lock_owner; /* the connection that has changed the state row; NULL: nobody */
    struct late_commit late;

    uint32_t armed[POSTGRES_FAULT_COUNT]; /* 0: not; else it happens at so many moments from now */
    uint32_t happened[POSTGRES_FAULT_COUNT];
    uint64_t refused_lsn;
    uint32_t slow_rows;

    uint64_t verified_lsn, verified_rows, verified_decisions;
    char failure[POSTGRES_TEXT_BYTES];
};

struct postgres *server_find(const char *conninfo);

/* server_happens - a moment at which this fault could happen: does it? */
bool server_happens(struct postgres *server, enum postgres_fault fault);

/* server_lock - the state row, for a connection that changes it
 * Waits for a late COMMIT, which ends it. Return: false if another live connection has it */
bool server_lock(struct postgres *server, const void *owner);
/* server_unlock - its transaction is over */
void server_unlock(struct postgres *server, const void *owner);

/* server_commit - make a change durable; empties it */
void server_commit(struct postgres *server, struct server_change *change);
/* server_commit_late - the same, once somebody waits for it, or not (takes_place) */
void server_commit_late(struct postgres *server, struct server_change *change, bool takes_place);

/* change_begin - nothing yet, on what is committed */
void change_begin(struct server_change *change, const struct postgres *server);

__attribute__((format(printf, 2, 3))) void server_fail(struct postgres *server, const char *format,
                                                       ...);

/* --- statements ------------------------------------------------------------------------------- */

#define MATCH_VALUES_MAX 12u
#define MATCH_WORD_BYTES 64u

/* What the placeholders of a pattern stood for, in order. */
struct match {
    uint32_t count;
    struct match_value {
        uint64_t number;
        char word[MATCH_WORD_BYTES];
    } values[MATCH_VALUES_MAX];
};

/* match_statement - the text up to `end` against a pattern
 * Words in any case, any white space. %n a number, %i an identifier, quoted or not, %s a string
 * without quotes in it, at the pattern's end * anything.
 * @ret_rest: where * begins; may be NULL */
bool match_statement(const char *text, const char *end, const char *pattern,
                     struct match *ret_match, const char **ret_rest);

/* match_next - the end of the statement that begins here: its semicolon, or the text's end */
const char *match_next(const char *text);

/* --- COPY ------------------------------------------------------------------------------------- */

#define TABLE_COLUMNS_MAX 16u

enum column_type {
    COLUMN_BIGINT,
    COLUMN_TIME,
    COLUMN_UUID,
    COLUMN_TEXT,
    COLUMN_BIGINTS,
    COLUMN_JSONB,
};

/* A staging table, as its CREATE statement says. */
struct staging_table {
    uint32_t kind;   /* enum decision_kind; 0: no such table */
    bool keeps_rows; /* over COMMIT */
    uint32_t column_count;
    struct column {
        char name[MATCH_WORD_BYTES];
        enum column_type type;
        bool not_null;
    } columns[TABLE_COLUMNS_MAX];
};

/* copy_table - read the columns of "CREATE TEMPORARY TABLE name (...) ON COMMIT DELETE ROWS"
 * @columns: after the parenthesis
 * Return: false if it has what no staging table has */
bool copy_table(uint32_t kind, const char *columns, const char *end,
                struct staging_table *ret_table);

/* copy_rows - a binary stream as records, added to `rows`
 * Return: NULL, or what is wrong with it: static text */
const char *copy_rows(const struct staging_table *table, const uint8_t *bytes, size_t size,
                      struct rows *rows);

#endif
