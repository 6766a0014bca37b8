/* test_clock.c - engine time by made-up readings: the table of engine/README.md, "Time" */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/runtime/clock.h"
#include "tests/support/random.h"

#define MS ((uint64_t)CLOCK_NS_PER_MS)
#define MONO 5000000u       /* ms; what the monotonic clock says when a case begins */
#define WALL 1800000000000u /* likewise the wall clock, Unix ms */
#define HOUR 3600000

/* A clock under test, and the two clocks that it reads. */
struct clock_bench {
    struct engine_clock clock;
    uint64_t mono_ms;
    uint64_t wall_ms;
};

static void look(struct clock_bench *bench, uint64_t width_ms) {
    struct clock_reading reading = {.before_ns = bench->mono_ms * MS,
                                    .wall_ns = bench->wall_ms * MS};
    bench->mono_ms += width_ms;
    bench->wall_ms += width_ms;
    reading.after_ns = bench->mono_ms * MS;
    (void)clock_look(&bench->clock, &reading); /* what it says is in the clock */
}

static void begin(struct clock_bench *bench) {
    *bench = (struct clock_bench){.mono_ms = MONO, .wall_ms = WALL};
    struct clock_reading reading = {MONO * MS, WALL * MS, MONO * MS};
    clock_begin(&bench->clock, &reading);
}

/* Both clocks go on, the wall clock by `set_ms` more or less, and are looked at. */
static void pass(struct clock_bench *bench, uint64_t ms, int64_t set_ms) {
    bench->mono_ms += ms;
    bench->wall_ms += ms + (uint64_t)set_ms;
    look(bench, 0);
}

static int64_t time_ms(const struct clock_bench *bench) {
    uint64_t now_ns = clock_at(&bench->clock, bench->mono_ms * MS);
    assert_int_equal(now_ns % (MS / 2), 0);
    return (int64_t)(now_ns / MS - WALL);
}

/* --- what engine time is ---------------------------------------------------------------------- */

struct moment {
    uint64_t pass_ms; /* so long after the moment before */
    int64_t set_ms;   /* the wall clock was changed by this just then */
    int64_t time_ms;  /* engine time, less WALL */
    uint64_t behind_ms;
};

#define MOMENTS_MAX 6
struct table_case {
    const char *what;
    struct moment moments[MOMENTS_MAX]; /* up to the first that passes no time */
    struct {
        uint64_t forward, back;
        int64_t last_ms;
    } steps; /* counted by then */
};

static const struct table_case table[] = {
    {"the wall clock is where it is expected", {{1, 0, 1, 0}, {HOUR, 0, HOUR + 1, 0}}, {0, 0, 0}},
    {"a few ms ahead: no step, met at 3/2 speed",
     {{100, 4, 100, 0}, {4, 0, 106, 0}, {4, 0, 112, 0}, {4, 0, 116, 0}},
     {0, 0, 0}},
    {"a few ms behind: no step, met at half speed",
     {{100, -4, 100, 4}, {4, 0, 102, 2}, {4, 0, 104, 0}, {4, 0, 108, 0}},
     {0, 0, 0}},
    {"999 ms ahead: slewed",
     {{100, 999, 100, 0}, {1000, 0, 1600, 0}, {998, 0, 3097, 0}, {1000, 0, 4097, 0}},
     {0, 0, 0}},
    {"1000 ms ahead: followed at once", {{100, 1000, 1100, 0}, {1, 0, 1101, 0}}, {1, 0, 1000}},
    {"two hours ahead", {{100, 2 * HOUR, 2 * HOUR + 100, 0}}, {1, 0, 2 * HOUR}},
    {"999 ms behind: slewed, no step",
     {{100, -999, 100, 999}, {1000, 0, 600, 499}, {998, 0, 1099, 0}, {1, 0, 1100, 0}},
     {0, 0, 0}},
    {"1000 ms behind: a step, half speed",
     {{100, -1000, 100, 1000}, {1000, 0, 600, 500}, {1000, 0, 1100, 0}, {7, 0, 1107, 0}},
     {0, 1, -1000}},
    {"an hour behind: half speed for two",
     {{100, -HOUR, 100, HOUR},
      {2, 0, 101, HOUR - 1},
      {2 * HOUR - 2, 0, HOUR + 100, 0},
      {10, 0, HOUR + 110, 0}},
     {0, 1, -HOUR}},
    {"back and forth: engine time was ahead, and is met",
     {{100, -HOUR, 100, HOUR},
      {200, HOUR, 200, 0},
      {10, 0, 215, 0},
      {190, 0, 500, 0},
      {10, 0, 510, 0}},
     {1, 1, HOUR}},
    {"forward, but not as far as engine time",
     {{100, -10000, 100, 10000}, {100, 5000, 150, 4950}, {9900, 0, 5100, 0}},
     {1, 1, 5000}},
    {"forward, beyond engine time by a second",
     {{100, -10000, 100, 10000}, {100, 11050, 1250, 0}},
     {1, 1, 11050}},
    {"small steps forward that add up to one",
     {{10, 600, 10, 0}, {10, 600, 1220, 0}, {10, 0, 1230, 0}},
     {1, 0, 1195}},
    {"small steps back that add up to one, told once",
     {{10, -600, 10, 600}, {10, -600, 15, 1195}, {10, -600, 20, 1790}, {10, 0, 25, 1785}},
     {0, 1, -1195}},
    {"two steps back", {{10, -5000, 10, 5000}, {10, -6000, 15, 10995}}, {0, 2, -6000}},
    {"behind, and back by just a second",
     {{10, -5000, 10, 5000}, {10, -1000, 15, 5995}},
     {0, 2, -1000}},
};

static void follows_the_wall_clock(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const struct table_case *one = &table[i];
        struct clock_figures figures = {0};
        struct clock_bench bench;
        begin(&bench);
        for (size_t j = 0; j < MOMENTS_MAX && one->moments[j].pass_ms > 0; j++) {
            const struct moment *moment = &one->moments[j];
            pass(&bench, moment->pass_ms, moment->set_ms);
            clock_figures_get(&bench.clock, bench.mono_ms * MS, &figures);
            if (time_ms(&bench) == moment->time_ms && figures.behind_ms == moment->behind_ms) {
                continue;
            }
            fail_msg("%s, moment %zu: time %lld, behind %llu", one->what, j,
                     (long long)time_ms(&bench), (unsigned long long)figures.behind_ms);
        }
        if (figures.steps_forward != one->steps.forward || figures.steps_back != one->steps.back ||
            figures.step_last_ms != one->steps.last_ms) {
            fail_msg("%s: %llu forward, %llu back, the last %lld", one->what,
                     (unsigned long long)figures.steps_forward,
                     (unsigned long long)figures.steps_back, (long long)figures.step_last_ms);
        }
    }
}

/* Whoever is halted between two looks at the clocks has seen nothing but a long look. */
static void a_halted_look_is_no_step(void **state) {
    (void)state;
    struct clock_figures figures;
    struct clock_bench bench;
    begin(&bench);
    look(&bench, 60000);
    look(&bench, 0);
    bench.wall_ms += 1; /* within what the next look may have taken */
    look(&bench, 4000);
    clock_figures_get(&bench.clock, bench.mono_ms * MS, &figures);
    assert_int_equal(figures.steps_forward + figures.steps_back, 0);
    assert_int_equal(bench.clock.gap_ns, 0);

    bench.wall_ms += 10000; /* what surely was a step is one */
    look(&bench, 4000);
    clock_figures_get(&bench.clock, bench.mono_ms * MS, &figures);
    assert_int_equal(figures.steps_forward, 1);
    assert_true(time_ms(&bench) <= (int64_t)(bench.wall_ms - WALL));
}

/* A look that began before the state did, by another thread, changes nothing. */
static void an_old_look_says_nothing(void **state) {
    (void)state;
    struct clock_bench bench;
    begin(&bench);
    pass(&bench, 1000, 500);
    struct engine_clock before = bench.clock;
    struct clock_reading old = {(MONO + 999) * MS, 0, (MONO + 5000) * MS};
    assert_false(clock_look(&bench.clock, &old));
    assert_memory_equal(&before, &bench.clock, sizeof before);
    assert_int_equal(clock_at(&bench.clock, 0), before.time_ns);
}

/* Whatever the wall clock does: engine time does not go back, runs at half speed at least, and at
 * 3/2 at most but where a step forward was counted; and without more changes they meet. */
static void never_goes_back(void **state) {
    (void)state;
    struct random random = {random_seed(20261127)};
    struct clock_bench bench;
    begin(&bench);
    for (uint32_t i = 0; i < 200000; i++) {
        uint64_t ms = random_below(&random, 64), kind = random_below(&random, 16);
        uint64_t size = random_below(&random, 4);
        int64_t range = size == 0 ? 10 : size == 1 ? 900 : size == 2 ? 5000 : HOUR;
        int64_t set_ms =
            kind < 2 ? (int64_t)random_below(&random, (uint64_t)range) * (kind == 0 ? 1 : -1) : 0;
        uint64_t before_ns = clock_at(&bench.clock, bench.mono_ms * MS);
        uint64_t steps = bench.clock.figures.steps_forward;
        pass(&bench, ms, set_ms);
        uint64_t passed_ns = clock_at(&bench.clock, bench.mono_ms * MS) - before_ns;
        bool jumped = bench.clock.figures.steps_forward > steps;
        if (passed_ns < ms * MS / 2 || (!jumped && passed_ns > ms * MS * 3 / 2)) {
            fail_msg("round %u: %llu ns in %llu ms", i, (unsigned long long)passed_ns,
                     (unsigned long long)ms);
        }
        assert_true(bench.clock.gap_ns < CLOCK_STEP_NS);
    }
    bench.mono_ms += 1000ull * HOUR * 24;
    bench.wall_ms += 1000ull * HOUR * 24;
    assert_int_equal(clock_at(&bench.clock, bench.mono_ms * MS), bench.wall_ms * MS);
}

/* --- starting --------------------------------------------------------------------------------- */

static void goes_on_from_the_log(void **state) {
    (void)state;
    struct clock_bench bench;
    begin(&bench);
    assert_int_equal(clock_raise(&bench.clock, MONO * MS, 0), 0); /* an empty log */
    assert_int_equal(clock_raise(&bench.clock, MONO * MS, WALL), 0);
    assert_int_equal(time_ms(&bench), 0);
    assert_int_equal(clock_raise(&bench.clock, MONO * MS, WALL + 300000), 300000);
    assert_int_equal(time_ms(&bench), 300000);
    pass(&bench, 200000, 0);
    assert_int_equal(time_ms(&bench), 400000);
    pass(&bench, 400000, 0);
    assert_int_equal(time_ms(&bench), 600000); /* met */
    pass(&bench, 1000, 0);
    assert_int_equal(time_ms(&bench), 601000);
    assert_int_equal(bench.clock.figures.steps_back + bench.clock.figures.steps_forward, 0);
}

static void how_far_a_start_waits(void **state) {
    (void)state;
    static const struct {
        uint64_t wall_ms, last_ms;
        bool may;
        uint64_t behind_ms;
    } cases[] = {
        {WALL, 0, true, 0},
        {WALL, WALL - HOUR, true, 0},
        {WALL, WALL, true, 0},
        {WALL, WALL + 1, true, 1},
        {WALL, WALL + 299999, true, 299999},
        {WALL, WALL + 300000, true, 300000},
        {WALL, WALL + 300001, false, 300001},
        {WALL, WALL + 8 * HOUR, false, 8 * HOUR},
        {0, WALL, false, WALL}, /* a machine whose clock begins at 1970 */
        {0, UINT64_MAX, false, UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t behind_ms = 77;
        assert_int_equal(clock_may_start(cases[i].wall_ms, cases[i].last_ms, &behind_ms),
                         cases[i].may);
        assert_int_equal(behind_ms, cases[i].behind_ms);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_wall_clock),   cmocka_unit_test(a_halted_look_is_no_step),
        cmocka_unit_test(an_old_look_says_nothing), cmocka_unit_test(never_goes_back),
        cmocka_unit_test(goes_on_from_the_log),     cmocka_unit_test(how_far_a_start_waits),
    };
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
