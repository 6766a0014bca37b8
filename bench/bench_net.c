/* bench_net.c - durable holds per second through nng, against an nng echo in the same run
 *
 * usage: bench_net USHERD [HOLDS]
 *
 * Starts the daemon and an echo server as processes of their own, adds dates with enough seats,
 * prepares frames of seats.hold requests (each a different free seat), and sends them closed-loop
 * from nng REQ contexts: one request a frame with 256 in flight, 64 a frame with 16 in flight. The
 * echo gets the same frames and answers as many bytes as the engine does. Rounds are interleaved
 * (engine, echo, engine, echo ...); quoted are medians of the rates and of the ratios of neighbours.
 * At the end the engine must show exactly as many held seats as holds were sent.
 */
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/load.h"
#include "bench/measure.h"
#include "engine/limits.h"
#include "engine/require.h"
#include "net/client.h"

#define ROUNDS 3
#define SEATS_PER_DATE 100000u
#define CONTEXTS 256u

struct bench {
    char folder[64];
    char url[128], admin_url[128], echo_url[128];
    pid_t usherd, echo;
    uint32_t dates;
    char (*tokens)[49]; /* by user of all dates: each has SEATS_PER_USER_MAX seats */
    uint32_t users_per_date;
    uint32_t next; /* hold to prepare next */
};

static _Noreturn void fail(const char *what) {
    (void)fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

/* Start a program and read its standard output. Return: its process */
static pid_t start(char *const arguments[], FILE **ret_output) {
    int ends[2];
    if (pipe(ends) != 0) fail("pipe");
    pid_t child = fork();
    if (child < 0) fail("fork");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execv(arguments[0], arguments);
        _exit(127);
    }
    close(ends[1]);
    *ret_output = fdopen(ends[0], "r");
    if (!*ret_output) fail("fdopen");
    return child;
}

static void start_usherd(struct bench *bench, char *usherd) {
    char listen[] = "--listen=tcp://127.0.0.1:0", data[80], admin[160], line[256];
    FILE *output;
    (void)snprintf(data, sizeof data, "--data=%s", bench->folder);
    (void)snprintf(bench->admin_url, sizeof bench->admin_url, "ipc://%s/a", bench->folder);
    (void)snprintf(admin, sizeof admin, "--admin=%s", bench->admin_url);
    bench->usherd = start((char *[]){usherd, data, listen, admin, NULL}, &output);
    while (fgets(line, sizeof line, output) && strcmp(line, "ready\n") != 0) {
        (void)sscanf(line, "listen %127s", bench->url);
    }
    if (bench->url[0] == 0) fail("usherd did not start");
}

static void start_echo(struct bench *bench, char *self, uint64_t small, uint64_t large) {
    char role[] = "--echo", sizes[2][16];
    FILE *output;
    (void)snprintf(sizes[0], sizeof sizes[0], "%llu", (unsigned long long)small);
    (void)snprintf(sizes[1], sizeof sizes[1], "%llu", (unsigned long long)large);
    bench->echo = start((char *[]){self, role, sizes[0], sizes[1], NULL}, &output);
    if (fscanf(output, "%127s", bench->echo_url) != 1) fail("the echo server did not start");
}

/* --- concert, dates, seats, tokens ------------------------------------------------------------------ */

static struct client_answer answer;

static const struct value *ask(struct client *client, const char *method,
                               struct value_writer *params) {
    if (client_call_wait(client, method, params, &answer) != CLIENT_OK || !answer.result) {
        char code[32];
        (void)fprintf(stderr, "bench: %s: %s %s\n", method, client_status_text(answer.status),
                      client_answer_code(&answer, code));
        exit(1);
    }
    value_writer_clear(params);
    return answer.result;
}

static void on_seats_added(void *context, const struct client_reply *reply) {
    if (reply->status != CLIENT_OK || reply->error) fail("admin.seats_add");
    __atomic_fetch_add((uint32_t *)context, 1, __ATOMIC_RELEASE);
}

static void add_seats(struct client *admin, uint32_t date, struct value_writer *params) {
    uint32_t sent = 0, done = 0;
    for (uint32_t first = 1; first <= SEATS_PER_DATE; first += SEATS_ADD_MAX, sent++) {
        uint32_t count = SEATS_PER_DATE - first + 1;
        if (count > SEATS_ADD_MAX) count = SEATS_ADD_MAX;
        value_writer_clear(params);
        value_write_map(params, 3);
        value_write_pair_uint(params, "date", date);
        value_write_pair_uint(params, "first", first);
        value_write_text(params, "seats");
        value_write_array(params, count);
        for (uint32_t i = 0; i < count; i++) {
            char row[16], seat[16];
            (void)snprintf(row, sizeof row, "%u", (first + i) / 100);
            (void)snprintf(seat, sizeof seat, "%u", (first + i) % 100);
            value_write_map(params, 4);
            value_write_pair_text(params, "section", "A");
            value_write_pair_text(params, "row", row);
            value_write_pair_text(params, "seat", seat);
            value_write_pair_uint(params, "price", 100);
        }
        while (client_call(admin, "admin.seats_add", params, on_seats_added, &done) != 0) {
            usleep(100); /* as many calls wait as may */
        }
    }
    while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) < sent) usleep(100);
    value_writer_clear(params);
}

static void add_date(struct client *admin, struct value_writer *params) {
    value_write_map(params, 8);
    value_write_pair_uint(params, "concert", 1);
    value_write_pair_text(params, "title", "bench");
    value_write_pair_uint(params, "starts_at", 1);
    value_write_pair_uint(params, "active_capacity", ACTIVE_PER_DATE_MAX);
    value_write_pair_uint(params, "active_ttl_ms", 3600000);
    value_write_pair_uint(params, "hold_ttl_ms", 3600000);
    value_write_pair_uint(params, "waiting_timeout_ms", 3600000);
    value_write_pair_uint(params, "max_seats_per_user", SEATS_PER_USER_MAX);
    uint32_t date = (uint32_t)value_find_uint(ask(admin, "admin.date_create", params), "date", 0);
    add_seats(admin, date, params);
    value_write_map(params, 1);
    value_write_pair_uint(params, "date", date);
    (void)ask(admin, "admin.date_open", params);
}

static void on_token(void *context, const struct client_reply *reply) {
    const char *text;
    uint32_t size;
    if (reply->status != CLIENT_OK || reply->error ||
        !value_get_text(value_find(reply->result, "token"), &text, &size) || size != 48) {
        fail("queue.enter");
    }
    memcpy(context, text, size);
    __atomic_store_n((char *)context + 48, 1, __ATOMIC_RELEASE);
}

static void enter_all(struct bench *bench, struct client *client, struct value_writer *params) {
    uint32_t users = bench->dates * bench->users_per_date;
    bench->tokens = calloc(users, sizeof *bench->tokens);
    REQUIRE(bench->tokens != NULL);
    for (uint32_t i = 0; i < users; i++) {
        char user[40];
        (void)snprintf(user, sizeof user, "00000000-0000-4000-8000-%012x", i + 1);
        value_writer_clear(params);
        value_write_map(params, 2);
        value_write_pair_uint(params, "date", i % bench->dates + 1);
        value_write_pair_text(params, "user", user);
        while (client_call(client, "queue.enter", params, on_token, bench->tokens[i]) != 0) {
            usleep(100);
        }
    }
    for (uint32_t i = 0; i < users; i++) {
        while (__atomic_load_n(&bench->tokens[i][48], __ATOMIC_ACQUIRE) == 0) usleep(100);
        bench->tokens[i][48] = 0;
    }
    value_writer_clear(params);
}

/* Hold number n: one date after the other, as one famous date at a time is on sale; within it seats in
 * shuffled order, users taking turns. */
static void write_hold(struct bench *bench, struct value_writer *frame) {
    uint32_t n = bench->next++;
    uint32_t date = n / SEATS_PER_DATE;
    uint32_t user = n % bench->users_per_date * bench->dates + date;
    uint32_t seat = (uint32_t)(n * 48271ull %
                               SEATS_PER_DATE); /* no common factor: each seat once */
    REQUIRE(date < bench->dates);
    value_write_array(frame, 4);
    value_write_uint(frame, 0);
    value_write_uint(frame, n);
    value_write_text(frame, "seats.hold");
    value_write_map(frame, 2);
    value_write_pair_text(frame, "token", bench->tokens[user]);
    value_write_text(frame, "seats");
    value_write_array(frame, 1);
    value_write_uint(frame, seat + 1);
}

static struct frames prepare(struct bench *bench, uint32_t count, uint32_t per_frame) {
    struct value_writer writer;
    value_writer_init(&writer, NULL, 0, UINT32_MAX);
    struct frames frames = {.ends = malloc(count * sizeof(uint32_t)), .count = count};
    REQUIRE(frames.ends != NULL);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t n = 0; n < per_frame; n++) write_hold(bench, &writer);
        frames.ends[i] = writer.size;
    }
    REQUIRE(!writer.failed);
    frames.bytes = writer.bytes;
    return frames;
}

/* --- the runs ------------------------------------------------------------------------------------- */

struct figures {
    double engine[ROUNDS], echo[ROUNDS], ratio[ROUNDS];
    struct load_result latency; /* of the engine's last round */
};

static void measure(struct bench *bench, uint32_t round, uint32_t holds, uint32_t per_frame,
                    uint32_t in_flight, struct figures *figures) {
    struct frames frames = prepare(bench, holds / per_frame, per_frame);
    figures->latency = load_run(bench->url, &frames, in_flight);
    struct load_result echo = load_run(bench->echo_url, &frames, in_flight);
    double sent = (double)(holds / per_frame * per_frame);
    figures->engine[round] = sent / figures->latency.seconds;
    figures->echo[round] = sent / echo.seconds;
    figures->ratio[round] = figures->engine[round] / figures->echo[round];
    free(frames.bytes);
    free(frames.ends);
}

static void report(const char *what, struct figures *figures) {
    printf("  %-34s %10.0f %10.0f %7.0f %% %8llu %8llu %8llu\n", what,
           measure_median(figures->engine, ROUNDS), measure_median(figures->echo, ROUNDS),
           100 * measure_median(figures->ratio, ROUNDS),
           (unsigned long long)figures->latency.p50_us, (unsigned long long)figures->latency.p99_us,
           (unsigned long long)figures->latency.p999_us);
}

static uint64_t held_seats(struct client *client, struct value_writer *params) {
    value_write_map(params, 1);
    value_write_pair_uint(params, "concert", 1);
    const struct value *dates = value_find(ask(client, "catalogue.dates", params), "dates");
    uint64_t held = 0;
    for (uint32_t i = 0; i < value_count(dates); i++) {
        held += value_find_uint(value_at(dates, i), "seats_total", 0) -
                value_find_uint(value_at(dates, i), "seats_available", 0);
    }
    return held;
}

static void run(struct bench *bench, char *self, uint32_t holds) {
    struct client *client, *admin;
    struct value_writer params;
    value_writer_init(&params, NULL, 0, UINT32_MAX);
    if (client_open(bench->url, NULL, &client) != 0) fail("connect");
    struct client_options in_order = {
        .frames_in_flight = 1}; /* seats come in order of their number */
    if (client_open(bench->admin_url, &in_order, &admin) != 0) fail("connect");
    value_write_map(&params, 1);
    value_write_pair_text(&params, "title", "bench");
    (void)ask(admin, "admin.concert_create", &params);
    for (uint32_t i = 0; i < bench->dates; i++) add_date(admin, &params);
    enter_all(bench, client, &params);

    struct frames warm[2] = {prepare(bench, 2000, 1), prepare(bench, 200, 64)};
    struct load_result small = load_run(bench->url, &warm[0], 16);
    struct load_result large = load_run(bench->url, &warm[1], 16);
    start_echo(bench, self, small.reply_bytes / small.frames, large.reply_bytes / large.frames);
    static struct figures one, many;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        measure(bench, round, holds / 5, 1, 256, &one);
        measure(bench, round, holds, 64, 16, &many);
    }
    printf("durable holds through nng over TCP, both ends on this machine, median of %d rounds;\n"
           "an echo of equal frames in the same run\n",
           ROUNDS);
    printf("  %-34s %10s %10s %9s %8s %8s %8s\n", "", "holds/s", "echo/s", "of echo", "p50 us",
           "p99 us", "p99.9 us");
    report("1 a frame, 256 frames in flight", &one);
    report("64 a frame, 16 frames in flight", &many);
    uint64_t held = held_seats(client, &params);
    printf("  seats held: %llu, holds sent: %u\n", (unsigned long long)held, bench->next);
    value_write_map(&params, 0);
    const struct value *net = value_find(ask(client, "system.stats", &params), "net");
    printf("  listeners replaced by the watchdog: %llu\n",
           (unsigned long long)value_find_uint(net, "relistens", 0));
    if (held != bench->next) fail("some holds were refused or lost");
}

int main(int argc, char **argv) {
    if (argc == 4 && strcmp(argv[1], "--echo") == 0) {
        load_echo("tcp://127.0.0.1:0", (uint32_t)atoi(argv[2]), (uint32_t)atoi(argv[3]), CONTEXTS);
    }
    if (argc < 2) fail("usage: bench_net USHERD [HOLDS]");
    uint32_t holds = argc > 2 ? (uint32_t)atoi(argv[2]) : 500000;
    struct bench bench = {.folder = "/tmp/usher-bench-XXXXXX"};
    if (!mkdtemp(bench.folder)) fail("mkdtemp");
    uint64_t total = (uint64_t)ROUNDS * (holds + holds / 5) + 20000;
    bench.users_per_date = SEATS_PER_DATE / SEATS_PER_USER_MAX;
    bench.dates = (uint32_t)(total / SEATS_PER_DATE) + 1;
    start_usherd(&bench, argv[1]);
    run(&bench, argv[0], holds);
    kill(bench.echo, SIGKILL);
    kill(bench.usherd, SIGKILL);
    (void)waitpid(bench.usherd, NULL, 0);
    char command[96];
    (void)snprintf(command, sizeof command, "rm -rf %s", bench.folder);
    return system(command) == 0 ? 0 : 1;
}
