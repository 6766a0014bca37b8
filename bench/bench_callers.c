/* bench_callers.c - many callers, each with one durable hold under way, through the C client
 *
 * usage: bench_callers --name NAME --address USHERD --folder DIR [--callers N] [--connections
 *                      FRAMES] [--seats N] [--seconds N] [--half]
 *
 * What a gateway does: each caller calls client_call() and calls again when it is answered; the
 * client lets calls share frames by itself. Prints one line of JSON: bench/peers/callers.h, where
 * the job and the options are that bench/compare gives to other systems, too.
 *
 * --half: then, on the same daemon, an open loop at half of the rate that the callers reached
 * (callers_open_loop). A second line of JSON.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/peers/callers.h"
#include "bench/sale_fixture.h"
#include "engine/base/require.h"

struct callers_bench {
    struct sale_fixture sale;
    struct callers callers;
    struct client *client;
    struct callers_caller {
        struct callers_bench *bench;
        uint32_t index;
    } * callers_of_client; /* what the callbacks get */
};

static void call(struct callers_caller *caller, const struct callers_hold *hold,
                 client_done *done) {
    struct callers_bench *bench = caller->bench;
    uint8_t room[256];
    struct value_writer params;
    int status;
    value_writer_init(&params, room, sizeof room, sizeof room);
    sale_write_hold(&bench->sale, hold->number, &params);
    while ((status = client_call(bench->client, "seats.hold", &params, done, caller)) ==
           CLIENT_FULL) {
        usleep(CALLERS_TICK_US); /* an open loop that is far behind; a closed one has too few */
    }
    if (status != 0) callers_fail("client_call", client_status_text(status));
}

static void note_answer(struct callers_caller *caller, const struct client_reply *reply) {
    if (reply->status != CLIENT_OK) callers_fail("usher", client_status_text(reply->status));
    callers_answer(&caller->bench->callers, caller->index, reply->error == NULL);
}

static void on_answer(void *context, const struct client_reply *reply);

static void call_next(struct callers_caller *caller) {
    struct callers_hold hold;
    if (callers_next(&caller->bench->callers, caller->index, &hold)) call(caller, &hold, on_answer);
}

static void on_answer(void *context, const struct client_reply *reply) {
    note_answer(context, reply);
    call_next(context);
}

static void run(struct callers_bench *bench, const struct callers_options *options, uint32_t first,
                void (*ask)(struct callers_bench *bench)) {
    bench->callers_of_client = calloc(options->callers, sizeof *bench->callers_of_client);
    REQUIRE(bench->callers_of_client);
    for (uint32_t i = 0; i < options->callers; i++) {
        bench->callers_of_client[i] = (struct callers_caller){.bench = bench, .index = i};
    }
    callers_begin(&bench->callers, options, first);
    ask(bench);
    do {
        usleep(50000); /* longer than a callback is between its answer and its next call */
    } while (!callers_all_answered(&bench->callers));
    callers_end(&bench->callers);
    free(bench->callers_of_client);
    callers_report(&bench->callers, sale_held_seats(&bench->sale));
}

static void ask_closed_loop(struct callers_bench *bench) {
    for (uint32_t i = 0; i < bench->callers.options->callers; i++) {
        call_next(&bench->callers_of_client[i]);
    }
}

/* --- half of it, open loop -------------------------------------------------------------------- */

static void on_answer_due(void *context, const struct client_reply *reply) {
    note_answer(context, reply);
}

static void ask_due(void *context, uint32_t caller, const struct callers_hold *hold) {
    struct callers_bench *bench = context;
    call(&bench->callers_of_client[caller], hold, on_answer_due);
}

static void ask_open_loop(struct callers_bench *bench) {
    callers_open_loop(&bench->callers, ask_due, bench);
}

static void run_half(struct callers_bench *bench, const struct callers_options *options) {
    struct callers_figures most;
    callers_figures(&bench->callers, &most);
    uint32_t first = atomic_load(&bench->callers.next);
    callers_free(&bench->callers);
    struct callers_options half = *options;
    half.name = "half of it, open loop";
    half.rate = (uint32_t)(most.per_second / 2);
    half.callers = options->seats - first; /* as many holds as there may be */
    if (half.callers < half.rate * (uint64_t)(options->seconds + 1)) {
        callers_fail("--half", "too few seats for both; give more --seats");
    }
    run(bench, &half, first, ask_open_loop);
}

/* The seat of the first hold for the user of the second; then a token that nobody has. */
static void check_refusals(struct callers_bench *bench) {
    struct client_answer answer = {0};
    struct value_writer params;
    char code[32], *tokens = bench->sale.tokens[bench->sale.dates];
    char token[49];
    value_writer_init(&params, NULL, 0, UINT32_MAX);
    memcpy(token, bench->sale.tokens[0], sizeof token);
    memcpy(bench->sale.tokens[0], tokens, sizeof token); /* n = 0 is user 0's */
    sale_write_hold(&bench->sale, 0, &params);
    memcpy(bench->sale.tokens[0], token, sizeof token);
    (void)client_call_wait(bench->client, "seats.hold", &params, &answer); /* the code tells */
    if (strcmp(client_answer_code(&answer, code), "SEAT_TAKEN") != 0) {
        callers_fail("usher: a seat was held twice", code);
    }
    value_writer_clear(&params);
    value_write_map(&params, 2);
    token[47] = token[47] == '0' ? '1' : '0'; /* the last digit of the secret */
    value_write_pair_text(&params, "token", token);
    value_write_text(&params, "seats");
    value_write_array(&params, 1);
    value_write_uint(&params, 1);
    (void)client_call_wait(bench->client, "seats.hold", &params, &answer); /* likewise */
    if (strcmp(client_answer_code(&answer, code), "TOKEN_INVALID") != 0) {
        callers_fail("usher: a hold without a turn", code);
    }
    value_writer_deinit(&params);
    client_answer_deinit(&answer);
}

int main(int argc, char **argv) {
    static struct callers_bench bench;
    struct callers_options options;
    callers_read_options(argc, argv, &options);
    const struct sale_plan plan = {.dates = options.seats / SALE_SEATS_PER_DATE,
                                   .seats_per_date = SALE_SEATS_PER_DATE,
                                   .users_per_date = CALLERS_USERS_PER_DATE,
                                   .unix_socket = true,
                                   .extra = (char *[]){(char[]){"--snapshot-mib=0"}, NULL}};
    sale_open_plan(&bench.sale, options.address, &plan);
    struct client_options of_client = {.frames_in_flight = options.connections};
    if (client_open(bench.sale.url, &of_client, &bench.client) != 0) sale_fail("connect");
    run(&bench, &options, 0, ask_closed_loop);
    if (options.half) run_half(&bench, &options);
    check_refusals(&bench);
    return sale_close(&bench.sale);
}
