/* test_outage.c - what a shard makes of its clock and of the log (outage.h), look by look */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/limits.h"
#include "engine/runtime/outage.h"

#define BEGIN_MS 1000000u
#define LOOKS_MAX 10u

/* One look: `at` ms after the beginning; what waits for the log, whether it has moved since the
 * look before; whether the step promises the next one. */
struct outage_look {
    uint32_t at_ms;
    bool waits, moved, promises;
    enum outage_sight sight;
    uint32_t since_ms, length_ms; /* of OVER */
    enum outage_cause cause;
    uint32_t limit_ms; /* latest moment of a decision; 0: not looked at */
};

struct outage_course {
    const char *name;
    uint32_t served_until_ms; /* before the beginning; 0: nobody served before */
    struct outage_look looks[LOOKS_MAX];
};

enum { NO = 0, YES = 1 };
#define NONE OUTAGE_NONE, 0, 0, 0
#define LASTS OUTAGE_LASTS, 0, 0, 0
#define OVER(since, length, cause) OUTAGE_OVER, since, length, OUTAGE_##cause

static const struct outage_course courses[] = {
    {"a round of 350 ms is none",
     0,
     {{1, NO, NO, YES, NONE, 251}, {351, NO, NO, YES, NONE, 601}, {701, NO, NO, YES, NONE, 951}}},
    {"one of 351 ms is",
     0,
     {{1, NO, NO, YES, NONE, 0}, {352, NO, NO, YES, OVER(1, 351, STALLED), 0}}},
    {"and it is over",
     0,
     {{1, NO, NO, YES, NONE, 0},
      {9001, NO, NO, YES, OVER(1, 9000, STALLED), 9251},
      {9101, NO, NO, YES, NONE, 9351}}},
    {"who promised nothing may sleep",
     0,
     {{1, NO, NO, NO, NONE, 0}, {900001, NO, NO, YES, NONE, 0}, {900101, NO, NO, NO, NONE, 0}}},
    {"two in a row",
     0,
     {{1, NO, NO, YES, NONE, 0},
      {1001, NO, NO, YES, OVER(1, 1000, STALLED), 0},
      {3001, NO, NO, YES, OVER(1001, 2000, STALLED), 0}}},
    {"a log that takes 250 ms is none",
     0,
     {{1, NO, NO, YES, NONE, 0},
      {101, YES, NO, YES, NONE, 251}, /* appended in the step before */
      {201, YES, NO, YES, NONE, 251},
      {251, YES, NO, YES, NONE, 251},
      {260, NO, YES, YES, NONE, 510}}},
    {"one of 251 ms is; time stands still until it moves",
     0,
     {{1, NO, NO, YES, NONE, 0},
      {101, YES, NO, YES, NONE, 251},
      {201, YES, NO, YES, NONE, 251},
      {252, YES, NO, YES, LASTS, 251},
      {5001, YES, NO, YES, LASTS, 251},
      {5101, NO, YES, YES, OVER(1, 5100, LOG), 5351},
      {5201, NO, NO, YES, NONE, 5451}}},
    {"a log that moves is slow, not still",
     0,
     {{1, NO, NO, YES, NONE, 0},
      {101, YES, NO, YES, NONE, 251},
      {301, YES, YES, YES, NONE, 551},
      {501, YES, YES, YES, NONE, 751},
      {601, YES, NO, YES, NONE, 751},
      {752, YES, NO, YES, LASTS, 751},
      {801, YES, YES, YES, OVER(501, 300, LOG), 1051}}},
    {"always slow: from the second on, only what stood still",
     0,
     {{1, NO, NO, YES, NONE, 0},
      {101, YES, NO, YES, NONE, 251},
      {252, YES, NO, YES, LASTS, 251},
      {301, NO, YES, YES, OVER(1, 300, LOG), 551}, /* and the credit itself is written */
      {302, YES, NO, YES, NONE, 551},
      {600, YES, NO, YES, LASTS, 551},
      {601, YES, YES, YES, OVER(551, 50, LOG), 851},
      {900, YES, NO, YES, LASTS, 851},
      {901, NO, YES, YES, OVER(851, 50, LOG), 1151},
      {1000, NO, NO, YES, NONE, 0}}},
    {"stopped while a write was on its way: one outage, over when the log moves",
     0,
     {{1, NO, NO, YES, NONE, 0},
      {101, NO, NO, YES, NONE, 0},
      {4101, YES, NO, YES, LASTS, 351},
      {4102, NO, YES, YES, OVER(101, 4001, STALLED), 0}}},
    {"stopped while the log stood still: since it did",
     0,
     {{1, NO, NO, YES, NONE, 0},
      {101, YES, NO, YES, NONE, 0},
      {4101, YES, NO, YES, LASTS, 251},
      {4201, NO, YES, YES, OVER(1, 4200, STALLED), 0}}},
    {"a start ends the time in which nobody served",
     90000,
     {{1, NO, NO, YES, OVER(0, 90001, DOWN), 0}, {101, NO, NO, YES, NONE, 0}}},
    {"frozen at the start as well: since the run before",
     90000,
     {{1, NO, NO, YES, OVER(0, 90001, DOWN), 0}, {2001, NO, NO, YES, OVER(1, 2000, STALLED), 0}}},
};

static void tell(const struct outage_course *course) {
    struct outage outage;
    uint64_t durable_lsn = 4711, origin_ms = BEGIN_MS - course->served_until_ms;
    outage_init(&outage, course->served_until_ms ? origin_ms : 0);
    assert_true(outage_limit_ms(&outage) == UINT64_MAX);
    assert_true(outage_next_look_ms(&outage) == (course->served_until_ms ? 0 : UINT64_MAX));
    for (uint32_t i = 0; i < LOOKS_MAX && course->looks[i].at_ms != 0; i++) {
        const struct outage_look *look = &course->looks[i];
        uint64_t now_ms = BEGIN_MS + look->at_ms;
        durable_lsn += look->moved;
        enum outage_sight sight = outage_look(&outage, now_ms, look->waits, durable_lsn);
        if (sight != look->sight) fail_msg("%s: %u sees %d", course->name, look->at_ms, sight);
        assert_int_equal(outage_lasts(&outage), sight != OUTAGE_NONE);
        if (sight == OUTAGE_OVER) {
            enum outage_cause cause;
            uint64_t since_ms = outage_end(&outage, &cause);
            assert_int_equal(now_ms - since_ms, look->length_ms);
            if (look->cause != OUTAGE_DOWN) assert_int_equal(since_ms, BEGIN_MS + look->since_ms);
            assert_int_equal(cause, look->cause);
            assert_false(outage_lasts(&outage));
        }
        if (look->limit_ms != 0) {
            assert_int_equal(outage_limit_ms(&outage), BEGIN_MS + look->limit_ms);
        }
        outage_promise(&outage, look->promises);
        assert_true(outage_next_look_ms(&outage) ==
                    (look->promises ? now_ms + SHARD_ROUND_MS_MAX : UINT64_MAX));
    }
}

static void courses_of_outages(void **state) {
    (void)state;
    for (uint32_t i = 0; i < sizeof courses / sizeof courses[0]; i++) tell(&courses[i]);
}

/* The run before is later than the clock: it was set back, and there is nothing to give. */
static void a_clock_that_stands_behind(void **state) {
    (void)state;
    for (uint32_t ahead_ms = 0; ahead_ms < 2; ahead_ms++) {
        struct outage outage;
        outage_init(&outage, BEGIN_MS + ahead_ms);
        assert_int_equal(outage_look(&outage, BEGIN_MS, false, 0), OUTAGE_NONE);
        outage_promise(&outage, true);
        assert_int_equal(outage_look(&outage, BEGIN_MS + 100, false, 0), OUTAGE_NONE);
        assert_int_equal(outage_look(&outage, BEGIN_MS + 50, false, 0), OUTAGE_NONE);
        assert_int_equal(outage_limit_ms(&outage), BEGIN_MS + 100 + OUTAGE_MS_MIN);
    }
}

/* An outage that could not be given at once, and another one meanwhile: no moment counts twice. */
static void no_moment_counts_twice(void **state) {
    (void)state;
    struct outage outage;
    enum outage_cause cause;
    outage_init(&outage, 0);
    assert_int_equal(outage_look(&outage, BEGIN_MS, false, 1), OUTAGE_NONE);
    outage_promise(&outage, true);
    assert_int_equal(outage_look(&outage, BEGIN_MS + 1000, false, 1), OUTAGE_OVER);
    assert_int_equal(outage_look(&outage, BEGIN_MS + 1100, true, 1), OUTAGE_OVER); /* not ended */
    assert_int_equal(outage_end(&outage, &cause), BEGIN_MS);
    assert_int_equal(outage_look(&outage, BEGIN_MS + 1400, true, 1), OUTAGE_LASTS);
    assert_int_equal(outage_look(&outage, BEGIN_MS + 2000, false, 2), OUTAGE_OVER);
    assert_int_equal(outage_end(&outage, &cause), BEGIN_MS + 1100); /* not + 1000 */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(courses_of_outages),
        cmocka_unit_test(a_clock_that_stands_behind),
        cmocka_unit_test(no_moment_counts_twice),
    };
    return cmocka_run_group_tests_name("outage", tests, NULL, NULL);
}
