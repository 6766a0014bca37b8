/* run.c - see run.h */
#include "tests/sim/run.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void run_init(struct sim_run *run, const struct sim_options *options) {
    *run = (struct sim_run){
        .options = options,
        .plan = plan_draw(options),
        .schedule = random_stream(options->seed, 3),
        .faults = random_stream(options->seed, 4),
        .trace = options->seed,
    };
}

static const char *const formats[] = {
#define X(name, format) format,
    RUN_EVENTS(X)
#undef X
};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void print(const struct run_happened *happened) {
    printf("# %8llu %14.3f ms  ", (unsigned long long)happened->step,
           (double)happened->now_us / 1000);
    printf(formats[happened->event], (unsigned long long)happened->a,
           (unsigned long long)happened->b);
    putchar('\n');
}
#pragma GCC diagnostic pop

static void mix(struct sim_run *run, uint64_t value) {
    run->trace = (run->trace ^ value) * 0x9e3779b97f4a7c15u;
    run->trace ^= run->trace >> 29;
}

void run_event(struct sim_run *run, enum run_event event, uint64_t a, uint64_t b) {
    struct run_happened *happened = &run->happened[run->happened_count++ % RUN_EVENTS_KEPT];
    *happened = (struct run_happened){run->step, run->now_us, event, a, b};
    mix(run, (uint64_t)event << 56 ^ run->step);
    mix(run, run->now_us);
    mix(run, a);
    mix(run, b);
    if (run_is_verbose(run)) print(happened);
}

void run_mix(struct sim_run *run, const void *bytes, uint32_t size) {
    const uint8_t *at = bytes;
    for (; size >= 8; size -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        mix(run, word);
    }
    for (; size > 0; size--) mix(run, *at++);
}

void run_print_last(const struct sim_run *run) {
    uint64_t from = run->happened_count > RUN_EVENTS_KEPT ? run->happened_count - RUN_EVENTS_KEPT
                                                          : 0;
    for (; from < run->happened_count; from++) print(&run->happened[from % RUN_EVENTS_KEPT]);
}

void run_fail(struct sim_run *run, enum sim_check check, const char *format, ...) {
    if (run->failed) return;
    va_list arguments;
    run->failed = check;
    va_start(arguments, format);
    (void)vsnprintf(run->text, sizeof run->text, format, arguments); /* cut if it must be */
    va_end(arguments);
}
