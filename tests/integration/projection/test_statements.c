/* test_statements.c - PostgreSQL understands every statement of replay/postgres/sql
 *
 * The list is the one that is built into the program, so none can be forgotten. What reads or
 * changes rows is planned (EXPLAIN), with NULL for each value; everything else is run. Tables and
 * functions are there by then, since their files come first.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/require.h"
#include "engine/domain/decision.h"
#include "replay/postgres/sql.h"
#include "replay/postgres/stage.h"
#include "replay/postgres/statements.h"
#include "tests/integration/projection/projection_fixture.h"

#define TEXT_BYTES 16384

static struct projection_fixture *fixture;

struct query_plan {
    const struct statement *statement;
    uint32_t lines, calls; /* of functions in pg_temp */
};

static struct sql *connected(void) {
    char text[SQL_ERROR_BYTES];
    struct sql *sql = NULL;
    REQUIRE(sql_open(fixture->postgres.conninfo, -1, &sql, text) == SQL_OK);
    return sql;
}

static void run(struct sql *sql, const struct statement *statement, const char *text,
                struct query_plan *plan, sql_row_fn *row) {
    if (sql_run(sql, text, row, plan, NULL) == SQL_OK) return;
    print_message("# %s, %s: %s\n# %s\n", statement->file, statement->name, sql_error(sql), text);
    fail();
}

/* A function that PostgreSQL calls, where its body should stand in its place. */
static void read_plan(void *context, int columns, const char *const *values) {
    struct query_plan *plan = context;
    assert_int_equal(columns, 1);
    plan->lines++;
    for (const char *at = strstr(values[0], "pg_temp"); at; at = strstr(at, "pg_temp")) {
        at += strspn(at, "abcdefghijklmnopqrstuvwxyz_0123456789.");
        if (*at != '(') continue;
        print_message("# %s, %s: is called: %s\n", plan->statement->file, plan->statement->name,
                      values[0]);
        plan->calls++;
    }
}

/* Placeholders become NULL. */
static void put_nulls(const char *text, char *ret_text) {
    size_t size = 0;
    for (; *text; REQUIRE(size + 8 < TEXT_BYTES)) {
        size_t name = strspn(text + 1, "'\"abcdefghijklmnopqrstuvwxyz_");
        if (text[0] == ':' && text[1] == ':') {
            size += (size_t)sprintf(ret_text + size, "::");
            text += 2;
        } else if (text[0] == ':' && name > 0) {
            size += (size_t)sprintf(ret_text + size, "NULL");
            text += 1 + name;
        } else {
            ret_text[size++] = *text++;
        }
    }
    ret_text[size] = '\0';
}

static bool begins(const char *text, const char *word) {
    return strncmp(text, word, strlen(word)) == 0;
}

static bool is_planned(const char *text) {
    return begins(text, "SELECT") || begins(text, "INSERT") || begins(text, "UPDATE") ||
           begins(text, "DELETE");
}

/* One statement of SQL. */
static void try_one(struct sql *sql, const struct statement *statement, const char *text) {
    char filled[TEXT_BYTES], whole[TEXT_BYTES + 64];
    struct query_plan plan = {.statement = statement};
    put_nulls(text, filled);
    if (is_planned(filled)) {
        snprintf(whole, sizeof whole, "EXPLAIN VERBOSE %s", filled);
        run(sql, statement, whole, &plan, read_plan);
        assert_true(plan.lines > 0);
        assert_int_equal(plan.calls, 0);
        return;
    }
    const char *form = "%s";
    if (begins(text, "BEGIN")) form = "%s; ROLLBACK";
    if (begins(text, "DROP")) form = "BEGIN; %s; ROLLBACK";
    snprintf(whole, sizeof whole, form, filled);
    run(sql, statement, whole, NULL, NULL);
}

/* COPY of nothing, into each staging table. */
static void try_copy(struct sql *sql) {
    static const uint8_t nothing[21] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\377\377";
    for (uint32_t kind = 1; kind < STAGE_KINDS_MAX; kind++) {
        char command[STATEMENT_BYTES];
        const struct statement_value into = {"kind", decision_name(kind), 0};
        if (!fold_reads(kind)) continue;
        statement_fill(command, sizeof command, statement_copy_decisions, &into, 1);
        assert_int_equal(sql_copy(sql, command, nothing, sizeof nothing), SQL_OK);
    }
}

static size_t sql_statement_size(const char *text) {
    bool quoted = false;
    size_t size = 0;
    for (; text[size] && (quoted || text[size] != ';'); size++) quoted ^= text[size] == '\'';
    return size;
}

static void postgres_understands_every_statement(void **state) {
    (void)state;
    char one[TEXT_BYTES];
    struct sql *sql = connected();
    projection_fixture_drop(fixture);
    for (uint32_t i = 0; i < statement_count; i++) {
        if (statement_table[i].text == statement_copy_decisions) {
            try_copy(sql);
            continue;
        }
        for (const char *at = statement_table[i].text; *at;) {
            size_t size = sql_statement_size(at);
            REQUIRE(size > 0 && size < sizeof one);
            memcpy(one, at, size);
            one[size] = '\0';
            try_one(sql, &statement_table[i], one);
            at += size + (at[size] == ';');
            at += strspn(at, "\n ");
        }
    }
    sql_close(sql);
    projection_fixture_drop(fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(postgres_understands_every_statement)};
    if (!postgres_fixture_available()) {
        printf("1..0 # SKIP no PostgreSQL server here\n");
        return 0;
    }
    fixture = projection_fixture_create();
    int failed = cmocka_run_group_tests_name("projection statements", tests, NULL, NULL);
    projection_fixture_free(fixture);
    return failed;
}
