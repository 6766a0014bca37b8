/* callers.c - see callers.h */
#include "bench/peers/callers.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "bench/measure.h"
#include "tools/common/complain.h"

_Noreturn void callers_fail(const char *what, const char *why) {
    static atomic_flag failing = ATOMIC_FLAG_INIT;
    while (atomic_flag_test_and_set(&failing)) (void)pause(); /* one thread may exit(), not two */
    complain("%s: %s", what, why);
    exit(1);
}

static uint32_t read_number(const char *option, const char *text, uint32_t most) {
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*text == 0 || *end != 0 || value < 1 || value > most) {
        callers_fail(option, "wants a whole number in its range; see bench/peers/callers.h");
    }
    return (uint32_t)value;
}

void callers_read_options(int argc, char **argv, struct callers_options *ret_options) {
    static const struct option options[] = {{"name", required_argument, NULL, 'n'},
                                            {"address", required_argument, NULL, 'a'},
                                            {"folder", required_argument, NULL, 'f'},
                                            {"callers", required_argument, NULL, 'c'},
                                            {"connections", required_argument, NULL, 'k'},
                                            {"seats", required_argument, NULL, 's'},
                                            {"seconds", required_argument, NULL, 't'},
                                            {"batch", no_argument, NULL, 'b'},
                                            {"half", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    *ret_options = (struct callers_options){.folder = "/tmp",
                                            .callers = 256,
                                            .connections = 16,
                                            .seats = CALLERS_SEATS_PER_DATE,
                                            .seconds = 3};
    for (int key; (key = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (key) {
        case 'n': ret_options->name = optarg; break;
        case 'a': ret_options->address = optarg; break;
        case 'f': ret_options->folder = optarg; break;
        case 'c': ret_options->callers = read_number("--callers", optarg, 65536); break;
        case 'k': ret_options->connections = read_number("--connections", optarg, 65536); break;
        case 's': ret_options->seats = read_number("--seats", optarg, 50000000); break;
        case 't': ret_options->seconds = read_number("--seconds", optarg, 60); break;
        case 'b': ret_options->batch = true; break;
        case 'h': ret_options->half = true; break;
        default: exit(2); /* getopt has said why */
        }
    }
    if (!ret_options->name || !ret_options->address) callers_fail(argv[0], "--name and --address");
    if (ret_options->seats % CALLERS_SEATS_PER_DATE) callers_fail("--seats", "whole dates only");
    if (ret_options->connections > ret_options->callers) {
        ret_options->connections = ret_options->callers;
    }
}

static struct callers_disk read_disk(const char *folder) {
    struct callers_disk disk = {0};
    struct stat status;
    char path[64];
    if (stat(folder, &status) != 0) callers_fail(folder, "no such folder");
    (void)snprintf(path, sizeof path, "/sys/dev/block/%u:%u/stat", major(status.st_dev),
                   minor(status.st_dev));
    FILE *file = fopen(path, "r");
    if (!file) return disk;
    unsigned long long fields[16] = {0};
    for (uint32_t i = 0; i < 16 && fscanf(file, "%llu", &fields[i]) == 1;) i++;
    (void)fclose(file);
    return (struct callers_disk){
        .writes = fields[4], .sectors_written = fields[6], .flushes = fields[15]};
}

/* --- the run ---------------------------------------------------------------------------------- */

void callers_begin(struct callers *callers, const struct callers_options *options, uint32_t first) {
    *callers = (struct callers){.options = options,
                                .window_begin_us = CALLERS_WARM_UP_MS * 1000,
                                .window_end_us = CALLERS_WARM_UP_MS * 1000 +
                                                 options->seconds * 1000000,
                                .first = first,
                                .next = first};
    callers->current = calloc(options->callers, sizeof *callers->current);
    callers->asked_us = calloc(options->seats, sizeof *callers->asked_us);
    callers->answered_us = calloc(options->seats, sizeof *callers->answered_us);
    REQUIRE(callers->current && callers->asked_us && callers->answered_us);
    callers->disk = read_disk(options->folder);
    callers->begun_ns = measure_ns();
}

uint32_t callers_clock_us(const struct callers *callers) {
    return (uint32_t)((measure_ns() - callers->begun_ns) / 1000) + 1;
}

struct callers_hold callers_hold(uint32_t number) {
    uint32_t date = number / CALLERS_SEATS_PER_DATE;
    return (struct callers_hold){.number = number,
                                 .user = date * CALLERS_USERS_PER_DATE +
                                         number % CALLERS_USERS_PER_DATE,
                                 .seat = date * CALLERS_SEATS_PER_DATE +
                                         (uint32_t)(number * 48271ull % CALLERS_SEATS_PER_DATE)};
}

/* The same, when the hold was due at some time of the clock. */
static bool next_due(struct callers *callers, uint32_t caller, uint32_t due_us,
                     struct callers_hold *ret_hold) {
    REQUIRE(caller < callers->options->callers);
    if (due_us >= callers->window_end_us) return false;
    uint32_t number = atomic_load(&callers->next);
    do {
        if (number >= callers->options->seats) return false;
    } while (!atomic_compare_exchange_weak(&callers->next, &number, number + 1));
    callers->current[caller] = number;
    callers->asked_us[number] = due_us;
    *ret_hold = callers_hold(number);
    return true;
}

bool callers_next(struct callers *callers, uint32_t caller, struct callers_hold *ret_hold) {
    return next_due(callers, caller, callers_clock_us(callers), ret_hold);
}

static void sleep_until_tick(const struct callers *callers, uint32_t due_us) {
    uint64_t ticks = (due_us + CALLERS_TICK_US - 1) / CALLERS_TICK_US;
    uint64_t at_ns = callers->begun_ns + ticks * CALLERS_TICK_US * 1000;
    const struct timespec at = {(time_t)(at_ns / 1000000000u), (long)(at_ns % 1000000000u)};
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL); /* the caller looks again */
}

void callers_open_loop(struct callers *callers,
                       void (*ask)(void *context, uint32_t caller, const struct callers_hold *hold),
                       void *context) {
    struct callers_hold hold;
    REQUIRE(callers->options->rate > 0);
    (void)prctl(PR_SET_TIMERSLACK, 1ul); /* without it a wait may be 50 us longer */
    for (uint32_t i = 0; i < callers->options->callers; i++) {
        uint32_t due_us = (uint32_t)(i * 1000000ull / callers->options->rate) + 1;
        while (callers_clock_us(callers) < due_us) sleep_until_tick(callers, due_us);
        if (!next_due(callers, i, due_us, &hold)) return;
        histogram_add(&callers->late_us, callers_clock_us(callers) - due_us);
        ask(context, i, &hold);
    }
}

void callers_answer(struct callers *callers, uint32_t caller, bool held) {
    uint32_t number = callers->current[caller];
    REQUIRE(callers->answered_us[number] == 0);
    callers->answered_us[number] = callers_clock_us(callers);
    if (held) atomic_fetch_add(&callers->held, 1);
    atomic_fetch_add(&callers->answered, 1);
}

bool callers_all_answered(const struct callers *callers) {
    bool over = atomic_load(&callers->next) >= callers->options->seats ||
                callers_clock_us(callers) >= callers->window_end_us;
    return over && atomic_load(&callers->answered) == atomic_load(&callers->next) - callers->first;
}

void callers_end(struct callers *callers) {
    callers->disk_after = read_disk(callers->options->folder);
}

void callers_free(struct callers *callers) {
    free(callers->current);
    free(callers->asked_us);
    free(callers->answered_us);
}

/* --- the report ------------------------------------------------------------------------------- */

bool callers_counts(const struct callers *callers, uint32_t number) {
    uint32_t at_us = callers->answered_us[number];
    return at_us >= callers->window_begin_us && at_us < callers->window_end_us;
}

void callers_figures(const struct callers *callers, struct callers_figures *ret_figures) {
    struct histogram *latencies = calloc(1, sizeof *latencies);
    uint32_t next = atomic_load(&callers->next), last_us = 0;
    REQUIRE(latencies && callers_all_answered(callers));
    if (atomic_load(&callers->held) != next - callers->first) {
        callers_fail(callers->options->name, "what should have been done was refused");
    }
    for (uint32_t i = callers->first; i < next; i++) {
        uint32_t at_us = callers->answered_us[i];
        if (!callers_counts(callers, i)) continue;
        histogram_add(latencies, at_us - callers->asked_us[i]);
        if (at_us > last_us) last_us = at_us;
    }
    if (latencies->count == 0) {
        callers_fail(callers->options->name, "no answers in time, or too few seats");
    }
    bool sold_out = next == callers->options->seats;
    double seconds = ((sold_out ? last_us : callers->window_end_us) - callers->window_begin_us) /
                     1e6;
    *ret_figures = (struct callers_figures){.seconds = seconds,
                                            .per_second = (double)latencies->count / seconds,
                                            .count = latencies->count,
                                            .p50_us = histogram_quantile(latencies, 500000),
                                            .p99_us = histogram_quantile(latencies, 990000),
                                            .p999_us = histogram_quantile(latencies, 999000),
                                            .sold_out = sold_out};
    free(latencies);
}

void callers_report(const struct callers *callers, uint64_t held_there) {
    const struct callers_disk before = callers->disk, after = callers->disk_after;
    const struct callers_options *options = callers->options;
    struct callers_figures figures;
    uint32_t next = atomic_load(&callers->next);
    callers_figures(callers, &figures);
    if (held_there != next) {
        complain("%s: %llu seats are held, %u holds were answered", options->name,
                 (unsigned long long)held_there, next);
        exit(1);
    }
    printf("{\"name\": \"%s\", \"callers\": %u, \"connections\": %u, \"seconds\": %.3f, "
           "\"holds\": %llu, \"holds_per_second\": %.0f, \"p50_us\": %llu, \"p99_us\": %llu, "
           "\"p999_us\": %llu, \"sold_out\": %s, \"all_holds\": %u, \"disk_writes\": %llu, "
           "\"disk_bytes\": %llu, \"disk_flushes\": %llu",
           options->name, options->rate ? 0 : options->callers, options->connections,
           figures.seconds, (unsigned long long)figures.count, figures.per_second,
           (unsigned long long)figures.p50_us, (unsigned long long)figures.p99_us,
           (unsigned long long)figures.p999_us, figures.sold_out ? "true" : "false",
           next - callers->first, (unsigned long long)(after.writes - before.writes),
           (unsigned long long)(after.sectors_written - before.sectors_written) * 512,
           (unsigned long long)(after.flushes - before.flushes));
    if (options->rate) {
        printf(", \"rate\": %u, \"late_p50_us\": %llu, \"late_p99_us\": %llu", options->rate,
               (unsigned long long)histogram_quantile(&callers->late_us, 500000),
               (unsigned long long)histogram_quantile(&callers->late_us, 990000));
    }
    printf("}\n");
}
