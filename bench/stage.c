#include "bench/stage.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/measure.h"
#include "engine/limits.h"
#include "engine/require.h"

_Noreturn void stage_fail(const char *what) {
    (void)fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

pid_t stage_start(char *const arguments[], FILE **ret_output) {
    int ends[2];
    if (pipe(ends) != 0) stage_fail("pipe");
    pid_t child = fork();
    if (child < 0) stage_fail("fork");
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
    if (!*ret_output) stage_fail("fdopen");
    return child;
}

static void start_usherd(struct stage *stage, char *usherd, char *const *extra) {
    char listen[] = "--listen=tcp://127.0.0.1:0", data[80], admin[160], line[256];
    FILE *output;
    (void)snprintf(data, sizeof data, "--data=%s", stage->folder);
    (void)snprintf(stage->admin_url, sizeof stage->admin_url, "ipc://%s/a", stage->folder);
    (void)snprintf(admin, sizeof admin, "--admin=%s", stage->admin_url);
    char *arguments[16] = {usherd, data, listen, admin};
    for (uint32_t i = 0; extra && extra[i]; i++) {
        REQUIRE(i < 11);
        arguments[4 + i] = extra[i];
    }
    stage->usherd = stage_start(arguments, &output);
    while (fgets(line, sizeof line, output) && strcmp(line, "ready\n") != 0) {
        (void)sscanf(line, "listen %127s", stage->url);
    }
    if (stage->url[0] == 0) stage_fail("usherd did not start");
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
    if (reply->status != CLIENT_OK || reply->error) stage_fail("admin.seats_add");
    __atomic_fetch_add((uint32_t *)context, 1, __ATOMIC_RELEASE);
}

static void add_seats(struct client *admin, uint32_t date, struct value_writer *params) {
    uint32_t sent = 0, done = 0;
    for (uint32_t first = 1; first <= STAGE_SEATS_PER_DATE; first += SEATS_ADD_MAX, sent++) {
        uint32_t count = STAGE_SEATS_PER_DATE - first + 1;
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
        stage_fail("queue.enter");
    }
    memcpy(context, text, size);
    __atomic_store_n((char *)context + 48, 1, __ATOMIC_RELEASE);
}

static void enter_all(struct stage *stage, struct client *client, struct value_writer *params) {
    uint32_t users = stage->dates * stage->users_per_date;
    stage->tokens = calloc(users, sizeof *stage->tokens);
    REQUIRE(stage->tokens != NULL);
    for (uint32_t i = 0; i < users; i++) {
        char user[40];
        (void)snprintf(user, sizeof user, "00000000-0000-4000-8000-%012x", i + 1);
        value_writer_clear(params);
        value_write_map(params, 2);
        value_write_pair_uint(params, "date", i % stage->dates + 1);
        value_write_pair_text(params, "user", user);
        while (client_call(client, "queue.enter", params, on_token, stage->tokens[i]) != 0) {
            usleep(100);
        }
    }
    for (uint32_t i = 0; i < users; i++) {
        while (__atomic_load_n(&stage->tokens[i][48], __ATOMIC_ACQUIRE) == 0) usleep(100);
        stage->tokens[i][48] = 0;
    }
    value_writer_clear(params);
}

/* Hold number n: one date after the other, as one famous date at a time is on sale; within it seats in
 * shuffled order, users taking turns. */
void stage_write_hold(const struct stage *stage, uint32_t n, struct value_writer *params) {
    uint32_t date = n / STAGE_SEATS_PER_DATE;
    uint32_t user = n % stage->users_per_date * stage->dates + date;
    uint32_t seat = (uint32_t)(n * 48271ull %
                               STAGE_SEATS_PER_DATE); /* no common factor: each seat once */
    REQUIRE(date < stage->dates);
    value_write_map(params, 2);
    value_write_pair_text(params, "token", stage->tokens[user]);
    value_write_text(params, "seats");
    value_write_array(params, 1);
    value_write_uint(params, seat + 1);
}

static void write_request(struct stage *stage, struct value_writer *frame) {
    uint32_t n = stage->next++;
    value_write_array(frame, 4);
    value_write_uint(frame, 0);
    value_write_uint(frame, n);
    value_write_text(frame, "seats.hold");
    stage_write_hold(stage, n, frame);
}

struct frames stage_prepare(struct stage *stage, uint32_t count, uint32_t per_frame) {
    struct value_writer writer;
    value_writer_init(&writer, NULL, 0, UINT32_MAX);
    struct frames frames = {.ends = malloc(count * sizeof(uint32_t)), .count = count};
    REQUIRE(frames.ends != NULL);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t n = 0; n < per_frame; n++) write_request(stage, &writer);
        frames.ends[i] = writer.size;
    }
    REQUIRE(!writer.failed);
    frames.bytes = writer.bytes;
    return frames;
}

uint64_t stage_held_seats(struct stage *stage) {
    struct value_writer params;
    value_writer_init(&params, NULL, 0, UINT32_MAX);
    value_write_map(&params, 1);
    value_write_pair_uint(&params, "concert", 1);
    const struct value *dates = value_find(ask(stage->client, "catalogue.dates", &params), "dates");
    uint64_t held = 0;
    for (uint32_t i = 0; i < value_count(dates); i++) {
        held += value_find_uint(value_at(dates, i), "seats_total", 0) -
                value_find_uint(value_at(dates, i), "seats_available", 0);
    }
    value_writer_deinit(&params);
    return held;
}

uint64_t stage_relistens(struct stage *stage) {
    struct value_writer params;
    value_writer_init(&params, NULL, 0, UINT32_MAX);
    value_write_map(&params, 0);
    const struct value *net = value_find(ask(stage->client, "system.stats", &params), "net");
    value_writer_deinit(&params);
    return value_find_uint(net, "relistens", 0);
}

void stage_open(struct stage *stage, char *usherd, char *const *extra, uint64_t holds) {
    const char *parent = getenv("TMPDIR");
    *stage = (struct stage){0};
    int size = snprintf(stage->folder, sizeof stage->folder, "%s/usher-bench-XXXXXX",
                        parent ? parent : "/tmp");
    if (size >= (int)sizeof stage->folder) stage_fail("the path in TMPDIR is too long");
    if (!mkdtemp(stage->folder)) stage_fail("mkdtemp");
    stage->users_per_date = STAGE_SEATS_PER_DATE / SEATS_PER_USER_MAX;
    stage->dates = (uint32_t)(holds / STAGE_SEATS_PER_DATE) + 1;
    start_usherd(stage, usherd, extra);
    struct value_writer params;
    value_writer_init(&params, NULL, 0, UINT32_MAX);
    struct client *admin;
    if (client_open(stage->url, NULL, &stage->client) != 0) stage_fail("connect");
    struct client_options in_order = {
        .frames_in_flight = 1}; /* seats come in order of their number */
    if (client_open(stage->admin_url, &in_order, &admin) != 0) stage_fail("connect");
    value_write_map(&params, 1);
    value_write_pair_text(&params, "title", "bench");
    (void)ask(admin, "admin.concert_create", &params);
    for (uint32_t i = 0; i < stage->dates; i++) add_date(admin, &params);
    enter_all(stage, stage->client, &params);
    value_writer_deinit(&params);
}

int stage_close(struct stage *stage) {
    char command[96];
    kill(stage->usherd, SIGKILL);
    (void)waitpid(stage->usherd, NULL, 0);
    (void)snprintf(command, sizeof command, "rm -rf %s", stage->folder);
    return system(command) == 0 ? 0 : 1;
}
