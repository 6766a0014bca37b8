/* test_clock.c - the daemon's clock asked by many threads while it is set; and what is said of
 * it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "tools/common/clock_words.h"
#include "tools/common/system_ports.h"

#define MS ((uint64_t)CLOCK_NS_PER_MS)
#define WALL 1800000000000u /* Unix ms */
#define MINUTE 60000

/* --- many threads ----------------------------------------------------------------------------- */

#define THREADS 4u
#define ASKS 40000u
#define SETS 400u

/* The machine's clocks. Each reading of the monotonic one takes 1 us, so that time passes. */
struct clock_readings {
    _Atomic uint64_t mono_ns;
    _Atomic int64_t set_ns; /* by so much was the wall clock changed */
    uint32_t readings;      /* of the monotonic clock, where `meanwhile` counts them */
    /* After this reading, and before its reader goes on, another thread does this; NULL: nothing */
    uint32_t reading;
    void (*meanwhile)(void);
};

struct clock_asking {
    struct system_clock clock;
    struct clock_readings machine;
    _Atomic uint64_t told_ms; /* the latest that a thread has been told and has passed on */
    _Atomic uint32_t backwards;
};

static uint64_t read_machine(void *context, clockid_t id) {
    struct clock_readings *machine = context;
    if (id == CLOCK_MONOTONIC) {
        uint64_t now_ns = atomic_fetch_add(&machine->mono_ns, 1000) + 1000;
        if (machine->meanwhile && ++machine->readings == machine->reading) machine->meanwhile();
        return now_ns;
    }
    return WALL * MS + atomic_load(&machine->mono_ns) + (uint64_t)atomic_load(&machine->set_ns);
}

/* What was told to anybody before a question is asked is not later than the answer. */
static void *ask(void *context) {
    struct clock_asking *asking = context;
    for (uint32_t i = 0; i < ASKS; i++) {
        uint64_t before_ms = atomic_load(&asking->told_ms);
        uint64_t now_ms = system_clock_now_ms(&asking->clock);
        if (now_ms < before_ms) atomic_fetch_add(&asking->backwards, 1);
        while (before_ms < now_ms &&
               !atomic_compare_exchange_weak(&asking->told_ms, &before_ms, now_ms)) {}
    }
    return NULL;
}

static void no_thread_sees_time_go_back(void **state) {
    (void)state;
    static struct clock_asking asking;
    pthread_t threads[THREADS];
    struct clock_figures figures;
    system_clock_init_with(&asking.clock, read_machine, &asking.machine);
    for (uint32_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &asking), 0);
    }
    for (uint32_t i = 0; i < SETS; i++) {
        int64_t ms = i % 4 == 0 ? 5000 : i % 4 == 1 ? -7000 : i % 4 == 2 ? -300 : 400;
        atomic_fetch_add(&asking.machine.set_ns, ms * (int64_t)MS);
        system_clock_figures(&asking.clock, &figures);
    }
    for (uint32_t i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    system_clock_figures(&asking.clock, &figures);
    assert_int_equal(asking.backwards, 0);
    assert_true(figures.steps_forward > 0 && figures.steps_back > 0);
}

/* A thread has found that the clock was set back, and is halted before it says so. For ten seconds
 * others know nothing of it. What they are told stays true. */
static struct clock_asking halted;
static uint64_t told_meanwhile_ms;

static void ask_meanwhile(void) {
    halted.machine.meanwhile = NULL;
    atomic_fetch_add(&halted.machine.mono_ns, 10000 * MS);
    told_meanwhile_ms = system_clock_now_ms(&halted.clock);
}

static void what_was_told_stays_true(void **state) {
    (void)state;
    system_clock_init_with(&halted.clock, read_machine, &halted.machine);
    atomic_fetch_add(&halted.machine.mono_ns, 500 * MS);
    halted.machine.set_ns = -2 * MINUTE * (int64_t)MS;
    halted.machine.reading = 3; /* now_ms reads one, and its look at the wall clock two */
    halted.machine.meanwhile = ask_meanwhile;
    uint64_t first_ms = system_clock_now_ms(&halted.clock);
    assert_int_equal(told_meanwhile_ms, WALL + 10500);
    assert_int_equal(first_ms, told_meanwhile_ms);
    atomic_fetch_add(&halted.machine.mono_ns, 9990 * MS);
    assert_int_equal(system_clock_now_ms(&halted.clock), told_meanwhile_ms);
    atomic_fetch_add(&halted.machine.mono_ns, 30 * MS);
    assert_in_range(system_clock_now_ms(&halted.clock), told_meanwhile_ms + 9,
                    told_meanwhile_ms + 11);
}

static void follows_when_asked(void **state) {
    (void)state;
    struct clock_readings machine = {.mono_ns = 1000 * MS};
    struct system_clock clock;
    struct clock_figures figures;
    system_clock_init_with(&clock, read_machine, &machine);
    assert_int_equal(system_clock_now_ms(&clock), WALL + 1000);
    machine.mono_ns += 500 * MS;
    assert_int_equal(system_clock_now_ms(&clock), WALL + 1500);
    machine.set_ns = 2 * MINUTE * (int64_t)MS;
    machine.mono_ns += 2 * MS; /* the next millisecond looks at the wall clock */
    assert_int_equal(system_clock_now_ms(&clock), WALL + 1502 + 2 * MINUTE);
    machine.set_ns = 0;
    system_clock_figures(&clock, &figures); /* so does whoever wants to know */
    assert_int_equal(figures.steps_forward, 1);
    assert_int_equal(figures.steps_back, 1);
    assert_int_equal(figures.step_last_ms, -2 * MINUTE);
    assert_int_equal(figures.behind_ms, 2 * MINUTE);
    machine.mono_ns += 1000 * MS;
    assert_int_equal(system_clock_now_ms(&clock), WALL + 2002 + 2 * MINUTE);
    assert_int_equal(system_clock_wall_ms(&clock), WALL + 2502);
    assert_int_equal(system_clock_mono_ms(&clock), 2502);
}

static void is_raised(void **state) {
    (void)state;
    struct clock_readings machine = {.mono_ns = 0};
    struct system_clock clock;
    system_clock_init_with(&clock, read_machine, &machine);
    assert_int_equal(system_clock_raise(&clock, WALL - MINUTE), 0);
    assert_int_equal(system_clock_now_ms(&clock), WALL);
    assert_int_equal(system_clock_raise(&clock, WALL + MINUTE), MINUTE);
    assert_int_equal(system_clock_now_ms(&clock), WALL + MINUTE);
}

/* --- words ------------------------------------------------------------------------------------ */

static void durations(void **state) {
    (void)state;
    static const struct {
        uint64_t ms;
        const char *text;
    } cases[] = {
        {0, "0 s"},
        {1, "0.001 s"},
        {1000, "1 s"},
        {59999, "59.999 s"},
        {60000, "1 min"},
        {3600000, "1 h"},
        {3600001, "1 h 0.001 s"},
        {3723250, "1 h 2 min 3.250 s"},
        {28790499, "7 h 59 min 50.499 s"},
    };
    char text[CLOCK_DURATION_BYTES];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        clock_words_duration(cases[i].ms, text);
        assert_string_equal(text, cases[i].text);
    }
    clock_words_duration(UINT64_MAX, text); /* fits */
}

static void changes(void **state) {
    (void)state;
    static const struct {
        struct clock_figures told, now;
        const char *text; /* NULL: nothing is said */
    } cases[] = {
        {{0}, {0}, NULL},
        {{0}, {.behind_ms = 999}, NULL},
        {{.behind_ms = 999}, {0}, NULL},
        {{1, 2, -5000, 4000}, {1, 2, -5000, 3500}, NULL},
        {{1, 2, -5000, 4000},
         {1, 2, -5000, 0},
         "the machine's clock has met the engine's time again"},
        {{0},
         {1, 0, 3600000, 0},
         "the machine's clock was set forward by 1 h (or the machine was suspended); the engine's "
         "time "
         "has followed at once"},
        {{1, 0, 1000, 0},
         {3, 0, 2000, 0},
         "the machine's clock was set forward by 2 s (or the machine was suspended), the last of 2 "
         "steps; the engine's time has followed at once"},
        {{0, 1, -10000, 9000},
         {1, 1, 3000, 6000},
         "the machine's clock was set forward by 3 s (or the machine was suspended); it is still "
         "behind "
         "the engine's time, which goes on at half speed until the clock has met it, in about 12 "
         "s"},
        {{0},
         {0, 1, -10000, 9750},
         "the machine's clock was set back by 10 s; the engine's time never goes back: it runs at "
         "half "
         "speed until the clock has met it, in about 20 s"},
        {{0},
         {0, 1, -1000, 0},
         "the machine's clock was set back by 1 s; the engine's time has met it"},
    };
    char text[CLOCK_WORDS_BYTES];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool said = clock_words_change(&cases[i].told, &cases[i].now, text);
        assert_int_equal(said, cases[i].text != NULL);
        if (said) assert_string_equal(text, cases[i].text);
    }
}

static void starts(void **state) {
    (void)state;
    static char long_name[4096];
    char text[CLOCK_WORDS_BYTES];
    memset(long_name, 'x', sizeof long_name - 1);
    clock_words_waits(1795815642031, 1795815702530, text);
    assert_string_equal(text,
                        "the machine's clock says 2026-11-27T21:40:42.031Z, but the log's last "
                        "decision was made at 2026-11-27T21:41:42.530Z: the clock is 1 min 0.499 "
                        "s behind. The engine's time goes on from the decision's, at half speed "
                        "until the clock has met it, in about 2 min 1 s");
    clock_words_refused(long_name, 0, UINT64_MAX, text);
    assert_true(strlen(text) < sizeof text - 1); /* nothing is cut but the name */
    clock_words_refused("data", 1795815602031, 1795844402530, text);
    static const char *const parts[] = {
        "data: the machine's clock says 2026-11-27T21:40:02.031Z, but the log's last decision was "
        "made "
        "at 2026-11-28T05:40:02.530Z: the clock is 8 h 0.499 s behind. ",
        "At most 5 minutes are waited for. ", "If the clock is wrong now, set it and start again. ",
        "`usher restore data NEW --to MOMENT`", "--accept-clock-behind"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (!strstr(text, parts[i])) fail_msg("\"%s\" lacks \"%s\"", text, parts[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_thread_sees_time_go_back),
        cmocka_unit_test(what_was_told_stays_true),
        cmocka_unit_test(follows_when_asked),
        cmocka_unit_test(is_raised),
        cmocka_unit_test(durations),
        cmocka_unit_test(changes),
        cmocka_unit_test(starts),
    };
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
