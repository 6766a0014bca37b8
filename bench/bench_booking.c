/* bench_booking.c - whole bookings a second: many callers, one coalescing client, a real daemon
 *
 * usage: bench_booking --name NAME --address USHERD --folder DIR [--callers N] [--connections
 *                      FRAMES] [--seats N] [--seconds N]
 *
 * Each caller is one fan after the other: queue.enter, and the answer says that the fan is active
 * at once, as the room is large; seats.hold of one seat; payment.pay with a key. Four matters in
 * three calls, and the log is asked before each answer. Then comes the next fan, with a new user,
 * wallet and seat. Wallets are charged beforehand, outside of what is timed: in reality that
 * happens days before.
 *
 * The options and the clock are those of bench/peers/callers.h; its "hold" is a booking here.
 * Prints one line of JSON. Whoever is refused ends the process, and so do the engine's own counts,
 * if at the end they tell of another number of seats, of points or of refusals than of bookings
 * answered.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/peers/callers.h"
#include "bench/sale_fixture.h"
#include "engine/base/require.h"
#include "tools/common/complain.h"
#include "tools/common/histogram.h"

#define PRICE 100u /* of every seat of the sale */

enum { STEP_ENTER, STEP_HOLD, STEP_PAY, STEP_COUNT };

struct booking_bench {
    struct sale_fixture sale;
    struct callers callers;
    struct client *client;
    uint32_t *began_us[STEP_COUNT]; /* by booking; STEP_ENTER: callers.asked_us */
    uint32_t charged;
    struct booking_caller {
        struct booking_bench *bench;
        uint32_t index;
        uint32_t number; /* of the booking */
        char token[49];
        uint64_t reservation;
    } * callers_of_client;
};

static void must_be_done(const char *method, const struct client_reply *reply) {
    if (reply->status != CLIENT_OK) callers_fail(method, client_status_text(reply->status));
    if (!reply->result) callers_fail(method, "refused");
}

static void call(struct booking_bench *bench, const char *method, struct value_writer *params,
                 client_done *done, void *context) {
    int status;
    while ((status = client_call(bench->client, method, params, done, context)) == CLIENT_FULL) {
        usleep(100); /* while charging; callers are too few to come here */
    }
    if (status != 0) callers_fail(method, client_status_text(status));
}

/* --- a fan ------------------------------------------------------------------------------------ */

static void enter_next(struct booking_caller *caller);

static void on_paid(void *context, const struct client_reply *reply) {
    struct booking_caller *caller = context;
    must_be_done("payment.pay", reply);
    callers_answer(&caller->bench->callers, caller->index, true);
    enter_next(caller);
}

static void on_held(void *context, const struct client_reply *reply) {
    struct booking_caller *caller = context;
    struct booking_bench *bench = caller->bench;
    uint8_t room[256];
    char key[16];
    struct value_writer params;
    must_be_done("seats.hold", reply);
    caller->reservation = value_find_uint(reply->result, "reservation", 0);
    bench->began_us[STEP_PAY][caller->number] = callers_clock_us(&bench->callers);
    (void)snprintf(key, sizeof key, "pay-%08x", caller->number);
    value_writer_init(&params, room, sizeof room, sizeof room);
    value_write_map(&params, 3);
    value_write_pair_text(&params, "token", caller->token);
    value_write_pair_uint(&params, "reservation", caller->reservation);
    value_write_pair_text(&params, "key", key);
    call(bench, "payment.pay", &params, on_paid, caller);
}

static void on_entered(void *context, const struct client_reply *reply) {
    struct booking_caller *caller = context;
    struct booking_bench *bench = caller->bench;
    const char *token;
    uint32_t size;
    uint8_t room[256];
    struct value_writer params;
    must_be_done("queue.enter", reply);
    if (!value_text_equal(value_find(reply->result, "state"), "active")) {
        callers_fail("queue.enter", "the fan was not admitted at once");
    }
    if (!value_get_text(value_find(reply->result, "token"), &token, &size) || size != 48) {
        callers_fail("queue.enter", "no token");
    }
    memcpy(caller->token, token, size);
    bench->began_us[STEP_HOLD][caller->number] = callers_clock_us(&bench->callers);
    struct callers_hold hold = callers_hold(caller->number);
    value_writer_init(&params, room, sizeof room, sizeof room);
    value_write_map(&params, 2);
    value_write_pair_text(&params, "token", caller->token);
    value_write_text(&params, "seats");
    value_write_array(&params, 1);
    value_write_uint(&params, hold.seat % CALLERS_SEATS_PER_DATE + 1);
    call(bench, "seats.hold", &params, on_held, caller);
}

static void enter_next(struct booking_caller *caller) {
    struct booking_bench *bench = caller->bench;
    struct callers_hold hold;
    char user[40];
    uint8_t room[256];
    struct value_writer params;
    if (!callers_next(&bench->callers, caller->index, &hold)) return;
    caller->number = hold.number;
    sale_write_user(hold.number, user);
    value_writer_init(&params, room, sizeof room, sizeof room);
    value_write_map(&params, 2);
    value_write_pair_uint(&params, "date", hold.seat / CALLERS_SEATS_PER_DATE + 1);
    value_write_pair_text(&params, "user", user);
    call(bench, "queue.enter", &params, on_entered, caller);
}

/* --- before and after ------------------------------------------------------------------------- */

static void on_charged(void *context, const struct client_reply *reply) {
    struct booking_bench *bench = context;
    must_be_done("wallet.charge", reply);
    (void)__atomic_fetch_add(&bench->charged, 1, __ATOMIC_RELEASE);
}

static void charge_all(struct booking_bench *bench, uint32_t users) {
    for (uint32_t n = 0; n < users; n++) {
        char user[40], key[16];
        uint8_t room[256];
        struct value_writer params;
        sale_write_user(n, user);
        (void)snprintf(key, sizeof key, "charge-%08x", n);
        value_writer_init(&params, room, sizeof room, sizeof room);
        value_write_map(&params, 3);
        value_write_pair_text(&params, "user", user);
        value_write_pair_uint(&params, "amount", PRICE);
        value_write_pair_text(&params, "key", key);
        call(bench, "wallet.charge", &params, on_charged, bench);
    }
    while (__atomic_load_n(&bench->charged, __ATOMIC_ACQUIRE) < users) usleep(1000);
}

static void demand(const char *what, uint64_t engine, uint64_t ours) {
    if (engine == ours) return;
    complain("%s: the engine says %llu, it should be %llu", what, (unsigned long long)engine,
             (unsigned long long)ours);
    exit(1);
}

static void check(struct booking_bench *bench, uint32_t users) {
    struct sale_fixture *sale = &bench->sale;
    uint64_t bookings = atomic_load(&bench->callers.next), spent = bookings * PRICE;
    demand("seats sold", sale_held_seats(sale), bookings);
    demand("wallets", sale_stats(sale, "money", "accounts"), users);
    demand("points charged", sale_stats(sale, "money", "charged"), (uint64_t)users * PRICE);
    demand("points spent", sale_stats(sale, "money", "spent"), spent);
    demand("points left", sale_stats(sale, "money", "balances"), (uint64_t)users * PRICE - spent);
    demand("points reserved", sale_stats(sale, "money", "reserved"), 0);
    demand("points refunded", sale_stats(sale, "money", "refunded"), 0);
    demand("refusals", sale_stats(sale, "engine", "refusals"), 0);
}

/* One step's latencies, of the bookings that count. */
static void print_step(const struct booking_bench *bench, const char *name, const uint32_t *from_us,
                       const uint32_t *to_us) {
    static struct histogram latencies;
    memset(&latencies, 0, sizeof latencies);
    for (uint32_t n = 0; n < atomic_load(&bench->callers.next); n++) {
        if (callers_counts(&bench->callers, n)) histogram_add(&latencies, to_us[n] - from_us[n]);
    }
    printf(", \"%s_p50_us\": %llu, \"%s_p99_us\": %llu", name,
           (unsigned long long)histogram_quantile(&latencies, 500000), name,
           (unsigned long long)histogram_quantile(&latencies, 990000));
}

static void report(const struct booking_bench *bench, uint64_t decisions) {
    const struct callers *callers = &bench->callers;
    struct callers_figures figures;
    struct sale_usage usage = sale_usage(&bench->sale);
    uint32_t *const *began_us = bench->began_us;
    callers_figures(callers, &figures);
    printf("{\"name\": \"%s\", \"callers\": %u, \"connections\": %u, \"seconds\": %.3f, "
           "\"bookings\": %llu, \"bookings_per_second\": %.0f, \"p50_us\": %llu, \"p99_us\": %llu",
           callers->options->name, callers->options->callers, callers->options->connections,
           figures.seconds, (unsigned long long)figures.count, figures.per_second,
           (unsigned long long)figures.p50_us, (unsigned long long)figures.p99_us);
    print_step(bench, "enter", callers->asked_us, began_us[STEP_HOLD]);
    print_step(bench, "hold", began_us[STEP_HOLD], began_us[STEP_PAY]);
    print_step(bench, "pay", began_us[STEP_PAY], callers->answered_us);
    printf(", \"decisions_per_booking\": %.2f, \"resident_bytes\": %llu, \"sold_out\": %s}\n",
           (double)decisions / (double)atomic_load(&callers->next),
           (unsigned long long)usage.resident_bytes, figures.sold_out ? "true" : "false");
}

int main(int argc, char **argv) {
    static struct booking_bench bench;
    struct callers_options options;
    callers_read_options(argc, argv, &options);
    const struct sale_plan plan = {.dates = options.seats / CALLERS_SEATS_PER_DATE,
                                   .seats_per_date = CALLERS_SEATS_PER_DATE,
                                   .unix_socket = true,
                                   .extra = (char *[]){(char[]){"--snapshot-mib=0"}, NULL}};
    sale_open_plan(&bench.sale, options.address, &plan);
    struct client_options of_client = {.frames_in_flight = options.connections};
    if (client_open(bench.sale.url, &of_client, &bench.client) != 0) sale_fail("connect");
    bench.callers_of_client = calloc(options.callers, sizeof *bench.callers_of_client);
    bench.began_us[STEP_HOLD] = calloc(options.seats, sizeof(uint32_t));
    bench.began_us[STEP_PAY] = calloc(options.seats, sizeof(uint32_t));
    REQUIRE(bench.callers_of_client && bench.began_us[STEP_HOLD] && bench.began_us[STEP_PAY]);
    charge_all(&bench, options.seats);
    uint64_t decisions = sale_stats(&bench.sale, "engine", "decisions");
    callers_begin(&bench.callers, &options, 0);
    for (uint32_t i = 0; i < options.callers; i++) {
        bench.callers_of_client[i] = (struct booking_caller){.bench = &bench, .index = i};
        enter_next(&bench.callers_of_client[i]);
    }
    do {
        usleep(50000); /* longer than a callback is between its answer and its next call */
    } while (!callers_all_answered(&bench.callers));
    callers_end(&bench.callers);
    check(&bench, options.seats);
    report(&bench, sale_stats(&bench.sale, "engine", "decisions") - decisions);
    return sale_close(&bench.sale);
}
