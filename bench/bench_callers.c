/* bench_callers.c - many callers, each with one durable hold under way, through the C client
 *
 * usage: bench_callers --name NAME --address USHERD --folder DIR [--callers N] [--connections FRAMES]
 *                      [--seats N] [--seconds N]
 *
 * What a gateway does: each caller calls client_call() and calls again when it is answered; the client
 * lets calls share frames by itself. A socket of the daemon is made in DIR. Prints one line of JSON:
 * bench/peers/callers.h, where the job and the options are that bench/compare gives to other systems, too.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/peers/callers.h"
#include "bench/stage.h"
#include "engine/require.h"

struct bench {
    struct stage stage;
    struct callers callers;
    struct client *client;
    struct caller {
        struct bench *bench;
        uint32_t index;
    } * callers_of_client; /* what the callbacks get */
};

static void on_answer(void *context, const struct client_reply *reply);

static void call_next(struct caller *caller) {
    struct bench *bench = caller->bench;
    struct callers_hold hold;
    uint8_t room[256];
    struct value_writer params;
    if (!callers_next(&bench->callers, caller->index, &hold)) return;
    value_writer_init(&params, room, sizeof room, sizeof room);
    stage_write_hold(&bench->stage, hold.number, &params);
    int status = client_call(bench->client, "seats.hold", &params, on_answer, caller);
    if (status != 0) callers_fail("client_call", client_status_text(status));
}

static void on_answer(void *context, const struct client_reply *reply) {
    struct caller *caller = context;
    if (reply->status != CLIENT_OK) callers_fail("usher", client_status_text(reply->status));
    callers_answer(&caller->bench->callers, caller->index, reply->error == NULL);
    call_next(caller);
}

/* The seat of the first hold for the user of the second; then a token that nobody has. */
static void check_refusals(struct bench *bench) {
    struct client_answer answer = {0};
    struct value_writer params;
    char code[32], *tokens = bench->stage.tokens[bench->stage.dates];
    char token[49];
    value_writer_init(&params, NULL, 0, UINT32_MAX);
    memcpy(token, bench->stage.tokens[0], sizeof token);
    memcpy(bench->stage.tokens[0], tokens, sizeof token); /* n = 0 is user 0's */
    stage_write_hold(&bench->stage, 0, &params);
    memcpy(bench->stage.tokens[0], token, sizeof token);
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
    static struct bench bench;
    struct callers_options options;
    char usherd[512], listen[256], snapshots[] = "--snapshot-mib=0";
    callers_read_options(argc, argv, &options);
    (void)snprintf(usherd, sizeof usherd, "%s", options.address);
    (void)snprintf(listen, sizeof listen, "--listen=ipc://%s/s", options.folder);
    stage_open(&bench.stage, usherd, (char *[]){listen, snapshots, NULL},
               options.seats - 1); /* so many dates, no more */
    struct client_options of_client = {.frames_in_flight = options.connections};
    if (client_open(bench.stage.url, &of_client, &bench.client) != 0) stage_fail("connect");
    bench.callers_of_client = calloc(options.callers, sizeof *bench.callers_of_client);
    REQUIRE(bench.callers_of_client);
    callers_begin(&bench.callers, &options);
    for (uint32_t i = 0; i < options.callers; i++) {
        bench.callers_of_client[i] = (struct caller){.bench = &bench, .index = i};
        call_next(&bench.callers_of_client[i]);
    }
    do {
        usleep(50000); /* longer than a callback is between its answer and its next call */
    } while (!callers_all_answered(&bench.callers));
    callers_end(&bench.callers);
    uint64_t held = stage_held_seats(&bench.stage);
    check_refusals(&bench);
    callers_report(&bench.callers, held);
    return stage_close(&bench.stage);
}
