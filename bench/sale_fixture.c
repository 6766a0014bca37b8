/* sale_fixture.c - see sale_fixture.h */
#include "bench/sale_fixture.h"

#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/measure.h"
#include "engine/base/limits.h"
#include "engine/base/require.h"
#include "net/protocol/text.h"
#include "tools/common/complain.h"

/* How far ahead of the hold that is written a token is asked for. */
#define SALE_TOKENS_AHEAD 16u

_Noreturn void sale_fail(const char *what) {
    static atomic_flag failing = ATOMIC_FLAG_INIT;
    while (atomic_flag_test_and_set(&failing)) (void)pause(); /* one thread may exit(), not two */
    complain("%s", what);
    exit(1);
}

pid_t sale_start(char *const arguments[], FILE **ret_output) {
    int ends[2];
    if (pipe(ends) != 0) sale_fail("pipe");
    pid_t child = fork();
    if (child < 0) sale_fail("fork");
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
    if (!*ret_output) sale_fail("fdopen");
    return child;
}

/* Return: seconds until it was ready */
static double start_usherd(struct sale_fixture *sale) {
    char line[256];
    FILE *output;
    uint64_t began_ns = measure_ns();
    sale->usherd = sale_start(sale->arguments, &output);
    sale->url[0] = 0;
    while (fgets(line, sizeof line, output) && strcmp(line, "ready\n") != 0) {
        (void)sscanf(line, "listen %127s", sale->url);
        (void)sscanf(line, "recovered %" SCNu64, &sale->recovered);
    }
    if (sale->url[0] == 0) sale_fail("usherd did not start");
    return (double)(measure_ns() - began_ns) / 1e9;
}

/* A copy, for as long as the process. */
static void add_argument(struct sale_fixture *sale, const char *text) {
    uint32_t count = 0;
    while (sale->arguments[count]) count++;
    REQUIRE(count < SALE_ARGUMENTS_MAX - 1);
    sale->arguments[count] = strdup(text);
    REQUIRE(sale->arguments[count]);
}

static void set_arguments(struct sale_fixture *sale, const char *usherd,
                          const struct sale_plan *plan) {
    char text[192];
    add_argument(sale, usherd);
    (void)snprintf(text, sizeof text, "--data=%s", sale->folder);
    add_argument(sale, text);
    (void)snprintf(sale->admin_url, sizeof sale->admin_url, "ipc://%s/a", sale->folder);
    (void)snprintf(text, sizeof text, "--admin=%s", sale->admin_url);
    add_argument(sale, text);
    (void)snprintf(text, sizeof text, "--listen=ipc://%s/s", sale->folder);
    add_argument(sale, plan->unix_socket ? text : "--listen=tcp://127.0.0.1:0");
    for (uint32_t i = 0; plan->extra && plan->extra[i]; i++) add_argument(sale, plan->extra[i]);
}

/* --- concert, dates, seats, tokens ------------------------------------------------------------ */

static struct client_answer answer;

static const struct value *ask(struct client *client, const char *method,
                               struct value_writer *params) {
    if (client_call_wait(client, method, params, &answer) != CLIENT_OK || !answer.result) {
        char code[32];
        complain("%s: %s %s", method, client_status_text(answer.status),
                 client_answer_code(&answer, code));
        exit(1);
    }
    value_writer_clear(params);
    return answer.result;
}

static void on_done(void *context, const struct client_reply *reply) {
    if (reply->status != CLIENT_OK || reply->error) sale_fail("a date could not be made");
    __atomic_fetch_add((uint32_t *)context, 1, __ATOMIC_RELEASE);
}

/* Calls that do not wait for each other; the client keeps their order. */
struct sending {
    struct client *client;
    uint32_t sent, done;
};

static void send_call(struct sending *sending, const char *method, struct value_writer *params) {
    while (client_call(sending->client, method, params, on_done, &sending->done) != 0) {
        usleep(100); /* as many calls wait as may */
    }
    sending->sent++;
    value_writer_clear(params);
}

static void wait_for_all(const struct sending *sending) {
    while (__atomic_load_n(&sending->done, __ATOMIC_ACQUIRE) < sending->sent) usleep(100);
}

static void send_seats(struct sending *sending, uint32_t date, uint32_t seats,
                       struct value_writer *params) {
    for (uint32_t first = 1; first <= seats; first += SEATS_ADD_MAX) {
        uint32_t count = seats - first + 1;
        if (count > SEATS_ADD_MAX) count = SEATS_ADD_MAX;
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
        send_call(sending, "admin.seats_add", params);
    }
}

static void send_date(struct sending *sending, struct value_writer *params) {
    value_write_map(params, 8);
    value_write_pair_uint(params, "concert", 1);
    value_write_pair_text(params, "title", "bench");
    value_write_pair_uint(params, "starts_at", 1);
    value_write_pair_uint(params, "active_capacity", ACTIVE_PER_DATE_MAX);
    value_write_pair_uint(params, "active_ttl_ms", 3600000);
    value_write_pair_uint(params, "hold_ttl_ms", 3600000);
    value_write_pair_uint(params, "waiting_timeout_ms", 3600000);
    value_write_pair_uint(params, "max_seats_per_user", SEATS_PER_USER_MAX);
    send_call(sending, "admin.date_create", params);
}

/* A date can be filled once it is there, and opened once it has its seats. */
static void add_dates(struct client *admin, const struct sale_fixture *sale,
                      struct value_writer *params) {
    struct sending sending = {.client = admin};
    for (uint32_t i = 0; i < sale->dates; i++) send_date(&sending, params);
    wait_for_all(&sending);
    for (uint32_t i = 1; i <= sale->dates; i++) {
        send_seats(&sending, i, sale->seats_per_date, params);
    }
    wait_for_all(&sending);
    for (uint32_t i = 1; i <= sale->dates; i++) {
        value_write_map(params, 1);
        value_write_pair_uint(params, "date", i);
        send_call(&sending, "admin.date_open", params);
    }
    wait_for_all(&sending);
}

static void on_token(void *context, const struct client_reply *reply) {
    const char *text;
    uint32_t size;
    if (reply->status != CLIENT_OK || reply->error ||
        !value_get_text(value_find(reply->result, "token"), &text, &size) || size != 48) {
        sale_fail("queue.enter");
    }
    memcpy(context, text, size);
    __atomic_store_n((char *)context + 48, 1, __ATOMIC_RELEASE);
}

void sale_write_user(uint32_t n, char ret_text[40]) {
    (void)snprintf(ret_text, 40, "00000000-0000-4000-8000-%012x", n + 1);
}

static void enter_all(struct sale_fixture *sale, struct client *client,
                      struct value_writer *params) {
    uint32_t users = sale->dates * sale->users_per_date;
    sale->tokens = calloc(users, sizeof *sale->tokens);
    REQUIRE(sale->tokens != NULL);
    for (uint32_t i = 0; i < users; i++) {
        char user[40];
        sale_write_user(i, user);
        value_writer_clear(params);
        value_write_map(params, 2);
        value_write_pair_uint(params, "date", i % sale->dates + 1);
        value_write_pair_text(params, "user", user);
        while (client_call(client, "queue.enter", params, on_token, sale->tokens[i]) != 0) {
            usleep(100);
        }
    }
    for (uint32_t i = 0; i < users; i++) {
        while (__atomic_load_n(&sale->tokens[i][48], __ATOMIC_ACQUIRE) == 0) usleep(100);
        sale->tokens[i][48] = 0;
    }
    value_writer_clear(params);
}

/* Hold number n: one date after the other, as one famous date at a time is on sale; within it seats
 * in shuffled order, users taking turns. */
void sale_write_hold(const struct sale_fixture *sale, uint32_t n, struct value_writer *params) {
    uint32_t date = n / sale->seats_per_date;
    uint32_t user = n % sale->users_per_date * sale->dates + date;
    uint32_t seat = (uint32_t)(n * 48271ull % sale->seats_per_date); /* prime: each seat once */
    REQUIRE(date < sale->dates);
    /* Tokens lie far apart: what is measured is not the generator's waiting for its memory. */
    uint32_t later = user + SALE_TOKENS_AHEAD * sale->dates;
    if (later < sale->dates * sale->users_per_date) {
        __builtin_prefetch(sale->tokens[later]);
        __builtin_prefetch(sale->tokens[later] + TOKEN_TEXT_BYTES); /* most lie in two lines */
    }
    value_write_map(params, 2);
    value_write_text(params, "token");
    value_write_text_bytes(params, sale->tokens[user], TOKEN_TEXT_BYTES);
    value_write_text(params, "seats");
    value_write_array(params, 1);
    value_write_uint(params, seat + 1);
}

static void write_request(struct sale_fixture *sale, struct value_writer *frame) {
    uint32_t n = sale->next++;
    value_write_array(frame, 4);
    value_write_uint(frame, 0);
    value_write_uint(frame, n);
    value_write_text(frame, "seats.hold");
    sale_write_hold(sale, n, frame);
}

struct frames sale_prepare(struct sale_fixture *sale, uint32_t count, uint32_t per_frame) {
    struct value_writer writer;
    value_writer_init(&writer, NULL, 0, UINT32_MAX);
    struct frames frames = {.ends = malloc(count * sizeof(uint32_t)), .count = count};
    REQUIRE(frames.ends != NULL);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t n = 0; n < per_frame; n++) write_request(sale, &writer);
        frames.ends[i] = writer.size;
    }
    REQUIRE(!writer.failed);
    frames.bytes = writer.bytes;
    return frames;
}

uint64_t sale_held_seats(struct sale_fixture *sale) {
    struct value_writer params;
    value_writer_init(&params, NULL, 0, UINT32_MAX);
    value_write_map(&params, 1);
    value_write_pair_uint(&params, "concert", 1);
    const struct value *dates = value_find(ask(sale->client, "catalogue.dates", &params), "dates");
    struct value_items rows = value_items(dates, VALUE_ARRAY);
    uint64_t held = 0;
    for (const struct value *row; (row = value_next(&rows)) != NULL;) {
        held += value_find_uint(row, "seats_total", 0) - value_find_uint(row, "seats_available", 0);
    }
    value_writer_deinit(&params);
    return held;
}

uint64_t sale_stats(struct sale_fixture *sale, const char *group, const char *name) {
    struct value_writer params;
    value_writer_init(&params, NULL, 0, UINT32_MAX);
    value_write_map(&params, 0);
    const struct value *stats = ask(sale->client, "system.stats", &params);
    const struct value *counters = group ? value_find(stats, group) : stats;
    value_writer_deinit(&params);
    if (value_type(value_find(counters, name)) != VALUE_UINT) sale_fail("system.stats");
    return value_find_uint(counters, name, 0);
}

struct sale_usage sale_usage(const struct sale_fixture *sale) {
    char path[64], line[128];
    unsigned long long resident_kib = 0, peak_kib = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)sale->usherd);
    FILE *file = fopen(path, "r");
    if (!file) sale_fail(path);
    while (fgets(line, sizeof line, file)) {
        (void)sscanf(line, "VmRSS: %llu", &resident_kib);
        (void)sscanf(line, "VmHWM: %llu", &peak_kib);
    }
    (void)fclose(file);
    clockid_t clock;
    struct timespec cpu;
    if (clock_getcpuclockid(sale->usherd, &clock) != 0 || clock_gettime(clock, &cpu) != 0) {
        sale_fail("the daemon has no processor time");
    }
    return (struct sale_usage){resident_kib * 1024, peak_kib * 1024,
                               (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9};
}

/* Whatever ends the process, the daemon's folder does not stay; one sale a process. */
static struct sale_fixture *opened;

static void kill_usherd(const struct sale_fixture *sale) {
    if (sale->usherd <= 0) return; /* it never started; 0 would mean this process too */
    kill(sale->usherd, SIGKILL);
    (void)waitpid(sale->usherd, NULL, 0);
}

int sale_close(struct sale_fixture *sale) {
    char command[96];
    opened = NULL;
    kill_usherd(sale);
    (void)snprintf(command, sizeof command, "rm -rf %s", sale->folder);
    return system(command) == 0 ? 0 : 1;
}

static void close_at_exit(void) {
    if (opened) (void)sale_close(opened); /* its status is no matter any more */
}

void sale_open_plan(struct sale_fixture *sale, const char *usherd, const struct sale_plan *plan) {
    const char *parent = getenv("TMPDIR");
    REQUIRE(plan->dates > 0 && plan->seats_per_date > 0);
    *sale = (struct sale_fixture){.dates = plan->dates,
                                  .seats_per_date = plan->seats_per_date,
                                  .users_per_date = plan->users_per_date};
    int size = snprintf(sale->folder, sizeof sale->folder, "%s/usher-bench-XXXXXX",
                        parent ? parent : "/tmp");
    if (size >= (int)sizeof sale->folder) sale_fail("the path in TMPDIR is too long");
    if (!mkdtemp(sale->folder)) sale_fail("mkdtemp");
    opened = sale;
    if (atexit(close_at_exit) != 0) sale_fail("atexit");
    set_arguments(sale, usherd, plan);
    (void)start_usherd(sale);
    struct value_writer params;
    value_writer_init(&params, NULL, 0, UINT32_MAX);
    struct client *admin;
    if (client_open(sale->url, NULL, &sale->client) != 0) sale_fail("connect");
    struct client_options in_order = {
        .frames_in_flight = 1}; /* seats come in order of their number */
    if (client_open(sale->admin_url, &in_order, &admin) != 0) sale_fail("connect");
    value_write_map(&params, 1);
    value_write_pair_text(&params, "title", "bench");
    (void)ask(admin, "admin.concert_create", &params);
    add_dates(admin, sale, &params);
    enter_all(sale, sale->client, &params);
    value_writer_deinit(&params);
    client_close(admin);
}

void sale_open(struct sale_fixture *sale, const char *usherd, char *const *extra, uint64_t holds) {
    const struct sale_plan plan = {.dates = (uint32_t)(holds / SALE_SEATS_PER_DATE) + 1,
                                   .seats_per_date = SALE_SEATS_PER_DATE,
                                   .users_per_date = SALE_SEATS_PER_DATE / SEATS_PER_USER_MAX,
                                   .extra = extra};
    sale_open_plan(sale, usherd, &plan);
}

double sale_restart(struct sale_fixture *sale) {
    kill_usherd(sale);
    double seconds = start_usherd(sale);
    /* The client of before stays as it is: closing a broken connection can hang in nng. */
    if (client_open(sale->url, NULL, &sale->client) != 0) sale_fail("connect");
    return seconds;
}
