/* bench_curve.c - one point of a scaling curve: a real daemon of a given size under a closed loop
 *
 * usage: bench_curve USHERD AXIS VALUE [SECONDS]     seconds that count; default: 2
 *
 * | axis    | VALUE                         | all else                                            |
 * |---------|-------------------------------|-----------------------------------------------------|
 * | callers | under way at a time           | one date of 102,400 seats                           |
 * | dates   | on sale at once               | 4,096 callers and 102,400 seats, spread over them   |
 * | shards  | usherd --shards               | 16 dates, 4,096 callers, 102,400 seats              |
 * | seats   | of the one date               | 48 callers: the smallest hall has no room for more  |
 * | log     | decisions, a line for each    | as callers, 4,096; the daemon is killed and started |
 * |         | of several lengths on the way | again at some of them, and serves with that state   |
 * | frames  | requests of a frame           | 16 frames under way, prepared beforehand: load.h    |
 *
 * But for `frames`, which holds free seats, each caller is one active user with seats of its own,
 * who holds one of them, releases it when that is durable, holds the next one, and so on: the state
 * stays as it is, however long that goes on. Callers share frames through one `struct client` with
 * its defaults. Prints a line of JSON a point. At the end the engine must show as many held seats
 * as callers hold.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/peers/callers.h"
#include "bench/sale_fixture.h"
#include "engine/base/require.h"

#define SEATS 102400u
#define CALLERS 4096u
#define CALLERS_OF_SMALLEST_HALL 48u
#define DATES_OF_SHARDS 16u
#define FRAMES_IN_FLIGHT 16u
#define REQUESTS_PER_SECOND_MAX 2000000u /* room for so many is reserved */
#define FRAMES_REQUESTS 320000u          /* 1 to 3 seconds of them */
#define STRETCH_MAX 5000000u             /* of the log, between two starts */

struct curve_bench {
    const char *axis;
    uint64_t value;
    struct sale_fixture sale;
    struct callers callers;
    uint32_t callers_count;
    double cpu_us; /* of the daemon, for each request of the last run */
    struct curve_caller {
        struct curve_bench *bench;
        uint32_t index;
        uint32_t turn;        /* hold to do next, or under way */
        bool holds;           /* a seat: `reservation` */
        uint64_t reservation; /* of the last hold */
    } * callers_of_client;
};

/* --- callers who hold and release ------------------------------------------------------------- */

static void ask_next(struct curve_caller *caller);

static void on_answer(void *context, const struct client_reply *reply) {
    struct curve_caller *caller = context;
    if (reply->status != CLIENT_OK) callers_fail("usher", client_status_text(reply->status));
    caller->holds = !caller->holds;
    if (caller->holds) {
        caller->reservation = value_find_uint(reply->result, "reservation", 0);
        caller->turn++;
    }
    callers_answer(&caller->bench->callers, caller->index, reply->error == NULL);
    ask_next(caller);
}

/* Every user_count-th seat of its date belongs to a caller, which takes them in shuffled order. */
static uint32_t seat_of(const struct sale_fixture *sale, const struct curve_caller *caller) {
    uint32_t own = sale->seats_per_date / sale->users_per_date;
    uint32_t nth = (uint32_t)(caller->turn * 48271ull % own);
    return nth * sale->users_per_date + caller->index / sale->dates + 1;
}

static void ask_next(struct curve_caller *caller) {
    struct curve_bench *bench = caller->bench;
    struct callers_hold unused; /* of the clock's own job */
    uint8_t room[256];
    struct value_writer params;
    if (!callers_next(&bench->callers, caller->index, &unused)) return;
    value_writer_init(&params, room, sizeof room, sizeof room);
    value_write_map(&params, 2);
    value_write_pair_text(&params, "token", bench->sale.tokens[caller->index]);
    if (caller->holds) {
        value_write_pair_uint(&params, "reservation", caller->reservation);
    } else {
        value_write_text(&params, "seats");
        value_write_array(&params, 1);
        value_write_uint(&params, seat_of(&bench->sale, caller));
    }
    int status = client_call(bench->sale.client, caller->holds ? "seats.release" : "seats.hold",
                             &params, on_answer, caller);
    if (status != 0) callers_fail("client_call", client_status_text(status));
}

/* Until the time is over, or so many requests were answered. */
static void run(struct curve_bench *bench, uint32_t seconds, uint32_t requests,
                struct callers_figures *ret_figures) {
    const struct callers_options options = {.name = bench->axis,
                                            .folder = bench->sale.folder,
                                            .callers = bench->callers_count,
                                            .seats = requests,
                                            .seconds = seconds};
    uint64_t held = 0;
    double cpu_seconds = sale_usage(&bench->sale).cpu_seconds;
    callers_begin(&bench->callers, &options, 0);
    for (uint32_t i = 0; i < bench->callers_count; i++) ask_next(&bench->callers_of_client[i]);
    do {
        usleep(50000); /* longer than a callback is between its answer and its next call */
    } while (!callers_all_answered(&bench->callers));
    callers_end(&bench->callers);
    cpu_seconds = sale_usage(&bench->sale).cpu_seconds - cpu_seconds;
    bench->cpu_us = 1e6 * cpu_seconds / atomic_load(&bench->callers.next);
    callers_figures(&bench->callers, ret_figures);
    callers_free(&bench->callers);
    for (uint32_t i = 0; i < bench->callers_count; i++) held += bench->callers_of_client[i].holds;
    if (sale_held_seats(&bench->sale) != held) {
        callers_fail(bench->axis, "the engine shows another number of held seats");
    }
}

/* --- points ----------------------------------------------------------------------------------- */

static void print_point(const struct curve_bench *bench, uint64_t value, double per_second,
                        const uint64_t quantiles_us[3], const char *more) {
    struct sale_usage usage = sale_usage(&bench->sale);
    printf("{\"axis\": \"%s\", \"value\": %llu, \"per_second\": %.0f, \"p50_us\": %llu, "
           "\"p99_us\": %llu, \"p999_us\": %llu, \"cpu_us\": %.3f, \"resident_bytes\": %llu, "
           "\"peak_bytes\": %llu%s}\n",
           bench->axis, (unsigned long long)value, per_second, (unsigned long long)quantiles_us[0],
           (unsigned long long)quantiles_us[1], (unsigned long long)quantiles_us[2], bench->cpu_us,
           (unsigned long long)usage.resident_bytes, (unsigned long long)usage.peak_bytes, more);
    (void)fflush(stdout);
}

static void print_run(const struct curve_bench *bench, uint64_t value,
                      const struct callers_figures *figures, const char *more) {
    const uint64_t quantiles_us[3] = {figures->p50_us, figures->p99_us, figures->p999_us};
    print_point(bench, value, figures->per_second, quantiles_us, more);
}

static void open_stage(struct curve_bench *bench, const char *usherd, uint32_t callers,
                       uint32_t dates, uint32_t seats) {
    char shards[32];
    (void)snprintf(shards, sizeof shards, "--shards=%llu", (unsigned long long)bench->value);
    char *const extra[] = {(char[]){"--snapshot-mib=0"},
                           strcmp(bench->axis, "shards") == 0 ? shards : NULL, NULL};
    const struct sale_plan plan = {.dates = dates,
                                   .seats_per_date = seats,
                                   .users_per_date = (callers + dates - 1) / dates,
                                   .extra = extra,
                                   .unix_socket = true};
    if (plan.users_per_date > seats) sale_fail("each caller needs a seat of its own");
    sale_open_plan(&bench->sale, usherd, &plan);
    bench->callers_count = callers;
    bench->callers_of_client = calloc(callers, sizeof *bench->callers_of_client);
    REQUIRE(bench->callers_of_client);
    for (uint32_t i = 0; i < callers; i++) {
        bench->callers_of_client[i] = (struct curve_caller){.bench = bench, .index = i};
    }
}

static void bench_size(struct curve_bench *bench, const char *usherd, uint32_t seconds) {
    uint32_t value = (uint32_t)bench->value;
    struct callers_figures figures;
    if (strcmp(bench->axis, "callers") == 0) {
        open_stage(bench, usherd, value, 1, SEATS);
    } else if (strcmp(bench->axis, "dates") == 0) {
        open_stage(bench, usherd, CALLERS, value, SEATS / value);
    } else if (strcmp(bench->axis, "shards") == 0) {
        open_stage(bench, usherd, CALLERS, DATES_OF_SHARDS, SEATS / DATES_OF_SHARDS);
    } else if (strcmp(bench->axis, "seats") == 0) {
        open_stage(bench, usherd, CALLERS_OF_SMALLEST_HALL, 1, value);
    } else {
        sale_fail("no such axis; see the head of bench/bench_curve.c");
    }
    run(bench, seconds, (seconds + 1) * REQUESTS_PER_SECOND_MAX, &figures);
    print_run(bench, value, &figures, "");
}

/* 1, 2, 5 and then every 5 million; the last one is what was asked for. */
static uint64_t next_length(uint64_t length, uint64_t last) {
    uint64_t next = length < 1000000   ? 1000000
                    : length < 2000000 ? 2000000
                                       : length / STRETCH_MAX * STRETCH_MAX + STRETCH_MAX;
    return next < last ? next : last;
}

/* A start reads the whole log: at 1, 2, 5, 10, 20, 40 million and at the last. */
static bool wants_start(uint64_t length, uint64_t last) {
    uint64_t stretches = length / STRETCH_MAX;
    return length >= last || stretches <= 2 || (stretches & (stretches - 1)) == 0;
}

static void bench_log(struct curve_bench *bench, const char *usherd) {
    open_stage(bench, usherd, CALLERS, 1, SEATS);
    uint64_t length = sale_stats(&bench->sale, "engine", "decisions"), begun_at = 0;
    while (length < bench->value) {
        uint64_t next = next_length(length, bench->value);
        uint32_t stretch = next - length > 1000000 ? (uint32_t)(next - length) : 1000000;
        struct callers_figures figures;
        char more[160] = "";
        run(bench, 60, stretch, &figures); /* a minute at most */
        length = begun_at + sale_stats(&bench->sale, "engine", "decisions");
        uint64_t log_bytes = sale_stats(&bench->sale, NULL, "durable_lsn");
        struct sale_usage usage = sale_usage(&bench->sale);
        int size = snprintf(
            more, sizeof more, ", \"log_bytes\": %llu, \"resident_bytes_before_start\": %llu",
            (unsigned long long)log_bytes, (unsigned long long)usage.resident_bytes);
        if (wants_start(length, bench->value)) {
            double start_seconds = sale_restart(&bench->sale);
            if (bench->sale.recovered < length) sale_fail("the start read too little");
            begun_at = length;
            (void)snprintf(more + size, sizeof more - (size_t)size, ", \"start_seconds\": %.3f",
                           start_seconds);
        }
        print_run(bench, length, &figures, more);
    }
}

static void bench_frames(struct curve_bench *bench, const char *usherd) {
    uint32_t per_frame = (uint32_t)bench->value;
    uint32_t frames = per_frame <= 16 ? FRAMES_REQUESTS / 16 : FRAMES_REQUESTS / per_frame;
    uint32_t warm_up = frames / 4;
    if (per_frame < 1 || per_frame > 1024) sale_fail("frames have 1 to 1024 requests");
    sale_open(&bench->sale, usherd, (char *[]){(char[]){"--snapshot-mib=0"}, NULL},
              FRAMES_REQUESTS + FRAMES_REQUESTS / 4); /* for all, so that memory compares */
    struct frames first = sale_prepare(&bench->sale, warm_up, per_frame);
    struct frames then = sale_prepare(&bench->sale, frames, per_frame);
    (void)load_run(bench->sale.url, &first, FRAMES_IN_FLIGHT, 0);
    double cpu_seconds = sale_usage(&bench->sale).cpu_seconds;
    struct load_result result = load_run(bench->sale.url, &then, FRAMES_IN_FLIGHT, 0);
    cpu_seconds = sale_usage(&bench->sale).cpu_seconds - cpu_seconds;
    bench->cpu_us = 1e6 * cpu_seconds / ((double)frames * per_frame);
    if (sale_held_seats(&bench->sale) != bench->sale.next) {
        sale_fail("some holds were refused or lost");
    }
    const uint64_t quantiles_us[3] = {result.p50_us, result.p99_us, result.p999_us};
    print_point(bench, per_frame, (double)frames * per_frame / result.seconds, quantiles_us, "");
}

int main(int argc, char **argv) {
    static struct curve_bench bench;
    if (argc < 4) sale_fail("usage: bench_curve USHERD AXIS VALUE [SECONDS]");
    bench.axis = argv[2];
    bench.value = strtoull(argv[3], NULL, 10);
    unsigned long seconds = argc > 4 ? strtoul(argv[4], NULL, 10) : 2;
    if (bench.value < 1 || bench.value > 1000000000) sale_fail("VALUE is out of range");
    if (seconds < 1 || seconds > 60) sale_fail("SECONDS: 1 to 60");
    if (strcmp(bench.axis, "frames") == 0) {
        bench_frames(&bench, argv[1]);
    } else if (strcmp(bench.axis, "log") == 0) {
        bench_log(&bench, argv[1]);
    } else {
        bench_size(&bench, argv[1], (uint32_t)seconds);
    }
    return sale_close(&bench.sale);
}
