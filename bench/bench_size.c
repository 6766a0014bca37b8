/* bench_size.c - one date of a given size in the domain alone: time and memory of an operation
 *
 * usage: bench_size waiters N      N fans enter a room that admits nobody, then random ones poll
 *        bench_size seats N        as many active users hold and release a seat each, shuffled
 *
 * On one core, without thread, socket and disk, as bench_domain.c; but one size a process, so that
 * the kernel can tell what memory it takes: resident memory beyond that of the empty stepper, and
 * the peak, which an index that grows may reach for a moment. Prints one line of JSON an operation.
 * The mean is of processor time; p99 and the greatest are of the wall clock around each, less the
 * clock's own time.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/support/stepper.h"
#include "bench/measure.h"
#include "engine/base/require.h"
#include "tools/common/complain.h"
#include "tools/common/histogram.h"

#define POLLS 1000000u
#define HOLDS 500000u

struct times {
    uint64_t cpu_ns, began_ns, clock_ns;
    struct histogram histogram; /* of nanoseconds here */
};

struct size {
    const char *axis;
    uint32_t value;
    uint64_t resident_before;
    struct stepper *stepper;
    struct partition *date;
    struct times times;
};

static uint64_t read_status(const char *field) {
    char line[128];
    unsigned long long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    REQUIRE(file != NULL);
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, field, strlen(field)) == 0)
            (void)sscanf(line + strlen(field), "%llu", &kib);
    }
    (void)fclose(file);
    return kib * 1024;
}

/* A function of its own, so that a profiler can be told to count in it alone. */
#define MEASURED __attribute__((noinline))

/* --- the clock -------------------------------------------------------------------------------- */

static uint64_t time_of_clock(void) {
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < 1000; i++) {
        uint64_t began = measure_ns(), took = measure_ns() - began;
        if (took < least) least = took;
    }
    return least;
}

static void times_begin(struct times *times) {
    memset(times, 0, sizeof *times);
    times->clock_ns = time_of_clock();
    times->cpu_ns = measure_cpu_ns();
}

static inline void operation_begin(struct times *times) { times->began_ns = measure_ns(); }

static inline void operation_end(struct times *times) {
    uint64_t took = measure_ns() - times->began_ns;
    histogram_add(&times->histogram, took > times->clock_ns ? took - times->clock_ns : 0);
}

/* The mean is without the two looks at the clock. */
static void report(struct size *size, const char *operation) {
    struct times *times = &size->times;
    const struct histogram *histogram = &times->histogram;
    double clocks = 2.0 * (double)times->clock_ns * (double)histogram->count;
    double ns = ((double)(measure_cpu_ns() - times->cpu_ns) - clocks) / (double)histogram->count;
    uint64_t resident = read_status("VmRSS:"), peak = read_status("VmHWM:");
    printf("{\"axis\": \"%s\", \"value\": %u, \"operation\": \"%s\", \"per_second\": %.0f, "
           "\"mean_ns\": %.1f, \"p99_ns\": %llu, \"max_ns\": %llu, \"resident_bytes\": %llu, "
           "\"peak_bytes\": %llu}\n",
           size->axis, size->value, operation, 1e9 / ns, ns,
           (unsigned long long)histogram_quantile(histogram, 990000),
           (unsigned long long)histogram->max,
           (unsigned long long)(resident - size->resident_before),
           (unsigned long long)(peak - size->resident_before));
    (void)fflush(stdout);
}

/* --- waiters ---------------------------------------------------------------------------------- */

/* The token of the n-th fan, as stepper_enter() made it: a table of them would be memory, too. */
static struct token token_of(const struct size *size, uint32_t n) {
    return (struct token){((const struct date *)size->date)->id, n + 1, stepper_user(n ^ 0x5555)};
}

MEASURED static void enter_all(struct size *size) {
    times_begin(&size->times);
    for (uint32_t n = 0; n < size->value; n++) {
        operation_begin(&size->times);
        (void)stepper_enter(size->stepper, size->date, n);
        operation_end(&size->times);
    }
    REQUIRE(((struct date *)size->date)->room.waiting == size->value);
    report(size, "enter");
}

MEASURED static void poll_some(struct size *size) {
    struct stepper *stepper = size->stepper;
    uint64_t random = 88172645463325252ull;
    times_begin(&size->times);
    for (uint32_t i = 0; i < POLLS; i++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        struct command command = {.kind = COMMAND_QUEUE_STATUS, .partition = size->date->id};
        struct reply reply;
        uint32_t n = (uint32_t)(random % size->value);
        command.queue.token = token_of(size, n);
        operation_begin(&size->times);
        partition_heard(size->date, &command, stepper->now_ms);
        partition_decide(size->date, &command, stepper->now_ms, &stepper->verdict);
        partition_answer(size->date, &command, &stepper->verdict, stepper->now_ms, &reply);
        operation_end(&size->times);
        REQUIRE(reply.token.ahead == n); /* nobody has left: exactly so many are ahead */
    }
    report(size, "poll");
}

/* --- seats ------------------------------------------------------------------------------------ */

MEASURED static void hold_and_release(struct size *size) {
    uint32_t seats = size->value;
    uint64_t *reservations = calloc(seats, sizeof *reservations);
    struct stepper *stepper = size->stepper;
    REQUIRE(reservations != NULL);
    for (uint32_t n = 0; n < seats; n++) (void)stepper_enter(stepper, size->date, n);
    times_begin(&size->times);
    for (uint32_t round = 0; round < (HOLDS + seats - 1) / seats; round++) {
        for (uint32_t i = 0; i < seats; i++) {
            struct token token = token_of(size, i);
            uint32_t seat = (uint32_t)((i * 48271ull + round) % seats) + 1;
            operation_begin(&size->times);
            reservations[i] = stepper_hold(stepper, size->date, &token, seat);
            operation_end(&size->times);
            REQUIRE(reservations[i] != 0);
        }
        for (uint32_t i = 0; i < seats; i++) {
            struct token token = token_of(size, i);
            operation_begin(&size->times);
            stepper_release(stepper, size->date, &token, reservations[i]);
            operation_end(&size->times);
        }
    }
    REQUIRE(((struct date *)size->date)->seats.free == seats);
    report(size, "hold, release");
    free(reservations);
}

int main(int argc, char **argv) {
    static struct size size;
    unsigned long value = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    bool waiters = argc == 3 && strcmp(argv[1], "waiters") == 0;
    bool seats = argc == 3 && strcmp(argv[1], "seats") == 0;
    if (value < 1 || value > (waiters ? WAITERS_PER_DATE_MAX : SEATS_PER_DATE_MAX) ||
        (!waiters && !seats)) {
        complain_more("usage: bench_size waiters 1..%u, bench_size seats 1..%u",
                      WAITERS_PER_DATE_MAX, SEATS_PER_DATE_MAX);
        return EXIT_USAGE;
    }
    size.axis = argv[1];
    size.value = (uint32_t)value;
    size.stepper = stepper_new(NULL);
    memset(size.stepper->log, 1, sizeof size.stepper->log);
    memset(&size.times, 1, sizeof size.times); /* pages that would count as the date's */
    size.resident_before = read_status("VmRSS:");
    size.date = stepper_date(size.stepper, waiters ? 1 : size.value, waiters ? 0 : size.value);
    if (waiters) {
        enter_all(&size);
        poll_some(&size);
    } else {
        hold_and_release(&size);
    }
    stepper_free(size.stepper);
    return 0;
}
