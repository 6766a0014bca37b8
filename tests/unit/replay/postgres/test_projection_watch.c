/* test_projection_watch.c - what an operator is told about PostgreSQL, and when; the clock is
 * fake */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "replay/postgres/projection_watch.h"
#include "replay/postgres/sql.h"

#define T0 1700000000000u

/* One look a second after T0, and what it must say; "" nothing. */
struct watch_moment {
    uint64_t s;                                 /* since T0 */
    uint64_t failing_since;                     /* s since T0; 0: all is well */
    uint64_t applied_lsn, decisions, applied_s; /* in PostgreSQL; applied_s: since T0 */
    uint64_t durable_lsn, records;              /* of the log */
    const char *says;
    uint64_t lag_decisions, lag_ms;
};

static struct projection_status status_at(const struct watch_moment *row) {
    struct projection_status status = {
        .state = row->failing_since ? PROJECTION_RETRYING : PROJECTION_FOLLOWING,
        .reached = true,
        .applied_lsn = row->applied_lsn,
        .decisions = row->decisions,
        .applied_time_ms = row->applied_s ? T0 + row->applied_s * 1000 : 0,
        .failing_since_ms = row->failing_since ? T0 + row->failing_since * 1000 : 0,
    };
    if (row->failing_since) {
        (void)snprintf(status.text, sizeof status.text, "connecting to PostgreSQL: refused");
    }
    return status;
}

static void play(struct projection_watch *watch, const struct watch_moment *rows, size_t count,
                 uint64_t start_lsn, uint64_t start_decisions) {
    for (size_t i = 0; i < count; i++) {
        const struct watch_moment *row = &rows[i];
        char text[PROJECTION_WATCH_TEXT_BYTES] = "";
        struct projection_status status = status_at(row);
        struct projection_look look = {T0 + row->s * 1000, row->durable_lsn, row->records,
                                       start_lsn, start_decisions};
        bool told = projection_watch_step(watch, &status, &look, text);
        if (told != (row->says[0] != '\0') || !strstr(text, row->says)) {
            fail_msg("row %zu says \"%s\", not \"%s\"", i, text, row->says);
        }
        if (watch->lag_decisions != row->lag_decisions || watch->lag_ms != row->lag_ms) {
            fail_msg("row %zu is %llu decisions and %llu ms behind, not %llu and %llu", i,
                     (unsigned long long)watch->lag_decisions, (unsigned long long)watch->lag_ms,
                     (unsigned long long)row->lag_decisions, (unsigned long long)row->lag_ms);
        }
    }
}

#define PLAY(rows, start_lsn, start_decisions)                                                     \
    do {                                                                                           \
        struct projection_watch watch = {0};                                                       \
        play(&watch, rows, sizeof(rows) / sizeof(rows)[0], start_lsn, start_decisions);            \
    } while (0)

/* Away once, reminders after 1, 2, 4 minutes and so on, back once, caught up once. */
static void an_absence_is_told(void **state) {
    (void)state;
    static const struct watch_moment rows[] = {
        {1, 0, 1000, 10, 1, 1000, 10, "", 0, 0},
        {2, 0, 1000, 10, 1, 1000, 10, "", 0, 0},
        {3, 3, 1000, 10, 1, 1100, 11, "", 1, 1000}, /* since it had everything */
        {7, 3, 1000, 10, 1, 1500, 15, "", 5, 5000},
        {8, 3, 1000, 10, 1, 1600, 16, "PostgreSQL is away: connecting to PostgreSQL: refused", 6,
         6000},
        {9, 3, 1000, 10, 1, 1700, 17, "", 7, 7000},
        {67, 3, 1000, 10, 1, 1700, 17, "", 7, 65000},
        {68, 3, 1000, 10, 1, 1700, 17,
         "still away, for 65 s now; it is 66 s and 7 decisions behind", 7, 66000},
        {187, 3, 1000, 10, 1, 1700, 17, "", 7, 185000},
        {188, 3, 1000, 10, 1, 1700, 17, "for 3 min now; it is 3 min and 7 decisions", 7, 186000},
        {427, 3, 1000, 10, 1, 1700, 17, "", 7, 425000},
        {428, 3, 1000, 10, 1, 1700, 17, "for 7 min now", 7, 426000},
        {500, 0, 1200, 12, 4, 1700, 17, "is back after 8 min; 5 decisions are to catch up", 5,
         496000},
        {501, 0, 1500, 15, 7, 1700, 17, "", 2, 494000},
        {502, 0, 1700, 17, 9, 1700, 17, "caught up: it has everything up to LSN 1700", 0, 0},
        {503, 0, 1700, 17, 9, 1700, 17, "", 0, 0},
        {504, 0, 1700, 17, 9, 1800, 18, "", 1, 1000},
    };
    PLAY(rows, 0, 0);
}

/* At most an hour between reminders. */
static void reminders_do_not_end(void **state) {
    (void)state;
    struct projection_watch watch = {0};
    uint64_t last = 0, told = 0, longest = 0;
    for (uint64_t s = 1; s < 48 * 3600; s++) {
        char text[PROJECTION_WATCH_TEXT_BYTES];
        struct watch_moment row = {.s = s, .failing_since = 1, .durable_lsn = 100, .records = 1};
        struct projection_status status = status_at(&row);
        struct projection_look look = {T0 + s * 1000, 100, 1, 0, 0};
        if (!projection_watch_step(&watch, &status, &look, text)) continue;
        if (last && s - last > longest) longest = s - last;
        last = s;
        told++;
    }
    assert_int_equal(longest, 3600);
    assert_in_range(told, 50, 56);
    assert_true(last > 47 * 3600);
}

static void a_short_failure_is_not_told(void **state) {
    (void)state;
    static const struct watch_moment rows[] = {
        {1, 0, 1000, 10, 1, 1000, 10, "", 0, 0},    {2, 2, 1000, 10, 1, 1100, 11, "", 1, 1000},
        {6, 2, 1000, 10, 1, 1100, 11, "", 1, 5000}, {7, 0, 1100, 11, 6, 1100, 11, "", 0, 0},
        {8, 8, 1100, 11, 6, 1200, 12, "", 1, 1000}, {12, 8, 1100, 11, 6, 1200, 12, "", 1, 5000},
        {13, 0, 1200, 12, 6, 1200, 12, "", 0, 0},
    };
    PLAY(rows, 0, 0);
}

/* Away again before it had caught up. */
static void it_may_go_again(void **state) {
    (void)state;
    static const struct watch_moment rows[] = {
        {1, 1, 0, 0, 0, 1000, 10, "", 10, 1},
        {6, 1, 0, 0, 0, 1000, 10, "is away", 10, 5000},
        {7, 0, 100, 1, 1, 1000, 10, "is back after 6 s; 9 decisions", 9, 6000},
        {9, 9, 100, 1, 1, 1000, 10, "", 9, 8000},
        {14, 9, 100, 1, 1, 1000, 10, "is away", 9, 13000},
        {20, 0, 200, 2, 1, 1000, 10, "is back after 11 s; 8 decisions", 8, 19000},
        {21, 0, 900, 9, 20, 1000, 10, "has caught up", 1,
         1000}, /* as far as it ever is under load */
    };
    PLAY(rows, 0, 0);
}

/* A log that was there before: an estimate by bytes, until PostgreSQL has had everything once. */
static void decisions_of_before_this_run(void **state) {
    (void)state;
    static const struct watch_moment rows[] = {
        {1, 0, 5000, 48, 1, 11000, 10, "", 60,
         1}, /* 110 in 11,000 bytes; it has half, less a few */
        {2, 0, 10500, 108, 1, 11000, 10, "", 5, 1000},
        {3, 0, 11000, 113, 2, 11000, 10, "", 0, 0}, /* so there were 103 before */
        {4, 0, 11000, 113, 2, 12000, 14, "", 4, 1000},
        {5, 0, 12000, 117, 4, 12000, 16, "", 0, 0}, /* two of a block that is on its way */
        {6, 0, 12000, 117, 4, 12500, 16, "", 2, 1000},
    };
    PLAY(rows, 10000, 100);
}

/* Nobody knows how far PostgreSQL is: at least this run is missing there. */
static void never_reached(void **state) {
    (void)state;
    struct projection_watch watch = {0};
    for (uint64_t s = 0; s < 4; s++) {
        char text[PROJECTION_WATCH_TEXT_BYTES];
        struct projection_status status = {.state = PROJECTION_CONNECTING};
        struct projection_look look = {T0 + s * 1000, 10000 + s * 100, s, 10000, 100};
        assert_false(projection_watch_step(&watch, &status, &look, text));
        assert_int_equal(watch.lag_decisions, s ? s : 1);
        assert_int_equal(watch.lag_ms, s ? s * 1000 : 1);
    }
}

/* Nothing was ever decided: nothing is missing. */
static void an_empty_log(void **state) {
    (void)state;
    struct projection_watch watch = {0};
    char text[PROJECTION_WATCH_TEXT_BYTES];
    struct projection_status status = {.state = PROJECTION_CONNECTING};
    struct projection_look look = {.now_ms = T0};
    assert_false(projection_watch_step(&watch, &status, &look, text));
    assert_int_equal(watch.lag_decisions, 0);
    assert_int_equal(watch.lag_ms, 0);
}

/* The alarm has said it; the lag is shown all the same. */
static void one_that_has_stopped_is_silent(void **state) {
    (void)state;
    struct projection_watch watch = {0};
    for (uint64_t s = 1; s < 200; s++) {
        char text[PROJECTION_WATCH_TEXT_BYTES];
        struct watch_moment row = {s, 1, 1000, 10, 1, 1000 + 100 * s, 10 + s, "", 0, 0};
        struct projection_status status = status_at(&row);
        struct projection_look look = {T0 + s * 1000, row.durable_lsn, row.records, 0, 0};
        status.state = PROJECTION_STOPPED;
        assert_false(projection_watch_step(&watch, &status, &look, text));
        assert_int_equal(watch.lag_decisions, s);
        assert_int_equal(watch.lag_ms, s > 1 ? (s - 1) * 1000 : 1);
    }
}

/* What libpq says has several lines; it becomes part of one. */
static void what_postgres_says_is_one_line(void **state) {
    (void)state;
    struct sql *sql;
    struct projection_watch watch = {0};
    struct projection_status status = {.state = PROJECTION_RETRYING, .failing_since_ms = T0};
    const struct projection_look look = {.now_ms = T0 + PROJECTION_WATCH_AWAY_MS};
    char text[PROJECTION_WATCH_TEXT_BYTES];
    assert_int_not_equal(sql_open("host=/nowhere dbname=usher", -1, &sql, status.text), SQL_OK);
    assert_non_null(strstr(status.text, "/nowhere"));
    assert_true(projection_watch_step(&watch, &status, &look, text));
    assert_null(strpbrk(text, "\n\t"));
    assert_null(strstr(text, "?."));
    assert_null(strstr(text, " ."));
    assert_non_null(strstr(text, "Sales go on"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_absence_is_told),
        cmocka_unit_test(reminders_do_not_end),
        cmocka_unit_test(a_short_failure_is_not_told),
        cmocka_unit_test(it_may_go_again),
        cmocka_unit_test(decisions_of_before_this_run),
        cmocka_unit_test(never_reached),
        cmocka_unit_test(an_empty_log),
        cmocka_unit_test(one_that_has_stopped_is_silent),
        cmocka_unit_test(what_postgres_says_is_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
