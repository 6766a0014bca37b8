/* clock.c - see clock.h */
#include "engine/runtime/clock.h"

#include "engine/base/require.h"

static uint64_t passed_ns(const struct engine_clock *clock, uint64_t mono_ns) {
    return mono_ns > clock->mono_ns ? mono_ns - clock->mono_ns : 0;
}

/* A look takes time, so what it finds is a little less than what happened: rounded. */
static int64_t to_ms(int64_t ns) {
    const int64_t unit = CLOCK_NS_PER_MS;
    return ns < 0 ? (ns - unit / 2) / unit : (ns + unit / 2) / unit;
}

static uint64_t magnitude(int64_t number) {
    return number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
}

/* So much of the gap has been closed after a while. */
static uint64_t slewed_ns(const struct engine_clock *clock, uint64_t passed) {
    uint64_t gap = magnitude(clock->gap_ns);
    return passed / 2 < gap ? passed / 2 : gap;
}

uint64_t clock_at(const struct engine_clock *clock, uint64_t mono_ns) {
    uint64_t passed = passed_ns(clock, mono_ns), slewed = slewed_ns(clock, passed);
    return clock->gap_ns < 0 ? clock->time_ns + passed - slewed : clock->time_ns + passed + slewed;
}

int64_t clock_gap_ns(const struct engine_clock *clock, uint64_t mono_ns) {
    int64_t slewed = (int64_t)slewed_ns(clock, passed_ns(clock, mono_ns));
    return clock->gap_ns < 0 ? clock->gap_ns + slewed : clock->gap_ns - slewed;
}

void clock_begin(struct engine_clock *clock, const struct clock_reading *reading) {
    REQUIRE(clock && reading->before_ns <= reading->after_ns);
    *clock = (struct engine_clock){.mono_ns = reading->after_ns, .time_ns = reading->wall_ns};
}

uint64_t clock_raise(struct engine_clock *clock, uint64_t mono_ns, uint64_t floor_ms) {
    uint64_t now_ns = clock_at(clock, mono_ns), floor_ns = floor_ms * CLOCK_NS_PER_MS;
    int64_t gap_ns = clock_gap_ns(clock, mono_ns);
    REQUIRE(floor_ms <= CLOCK_MS_MAX);
    if (floor_ns > now_ns) {
        clock->gap_ns = gap_ns = gap_ns - (int64_t)(floor_ns - now_ns);
        clock->mono_ns = mono_ns > clock->mono_ns ? mono_ns : clock->mono_ns;
        clock->time_ns = floor_ns;
    }
    REQUIRE(clock_at(clock, mono_ns) >= floor_ns);
    return gap_ns < 0 ? magnitude(to_ms(gap_ns)) : 0;
}

/* By how much the wall clock was changed, at least; 0 if it may be what it was. */
static int64_t changed_ns(const struct engine_clock *clock, const struct clock_reading *reading) {
    uint64_t earliest = clock_at(clock, reading->before_ns) +
                        (uint64_t)clock_gap_ns(clock, reading->before_ns);
    uint64_t latest = earliest + (reading->after_ns - reading->before_ns);
    if (reading->wall_ns < earliest) return -(int64_t)(earliest - reading->wall_ns);
    return reading->wall_ns > latest ? (int64_t)(reading->wall_ns - latest) : 0;
}

static void count_step(struct clock_figures *figures, int64_t step_ns) {
    figures->step_last_ms = to_ms(step_ns);
    if (step_ns > 0) figures->steps_forward++;
    if (step_ns < 0) figures->steps_back++;
}

bool clock_look(struct engine_clock *clock, const struct clock_reading *reading) {
    REQUIRE(reading->before_ns <= reading->after_ns);
    if (reading->before_ns < clock->mono_ns) return false;
    int64_t change_ns = changed_ns(clock, reading);
    if (change_ns == 0) return false;
    int64_t gap_before_ns = clock_gap_ns(clock, reading->after_ns);
    int64_t gap_ns = gap_before_ns + change_ns;
    clock->time_ns = clock_at(clock, reading->after_ns);
    clock->mono_ns = reading->after_ns;
    clock->gap_ns = gap_ns;
    if (gap_ns >= CLOCK_STEP_NS) {
        clock->time_ns += (uint64_t)gap_ns;
        clock->gap_ns = 0;
        count_step(&clock->figures, change_ns < CLOCK_STEP_NS ? gap_ns : change_ns);
    } else if (change_ns >= CLOCK_STEP_NS || change_ns <= -CLOCK_STEP_NS) {
        count_step(&clock->figures, change_ns);
    } else if (gap_ns <= -CLOCK_STEP_NS && gap_before_ns > -CLOCK_STEP_NS) {
        count_step(&clock->figures, gap_ns); /* small steps that have added up */
    }
    return true;
}

void clock_figures_get(const struct engine_clock *clock, uint64_t mono_ns,
                       struct clock_figures *ret_figures) {
    int64_t gap_ns = clock_gap_ns(clock, mono_ns);
    *ret_figures = clock->figures;
    ret_figures->behind_ms = gap_ns < 0 ? magnitude(to_ms(gap_ns)) : 0;
}

bool clock_may_start(uint64_t wall_ms, uint64_t last_ms, uint64_t *ret_behind_ms) {
    uint64_t behind_ms = last_ms > wall_ms ? last_ms - wall_ms : 0;
    *ret_behind_ms = behind_ms;
    return behind_ms <= CLOCK_START_BEHIND_MS_MAX;
}
