/* caller.c - see caller.h */
#include "tests/process/caller.h"

#include <inttypes.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/require.h"
#include "engine/base/uuid.h"
#include "tests/process/common.h"

#define OPEN_PAUSE_US 2000u
#define RETRY_PAUSE_US 2000u
#define SEATS_PER_ROW 50u

/* Answers that are still to come. */
struct waiting {
    pthread_mutex_t mutex;
    pthread_cond_t all_here;
    uint32_t missing;
};
struct slot {
    struct waiting *waiting;
    struct caller_answer *answer;
};

/* --- reading ---------------------------------------------------------------------------------- */

static uint32_t find_error(const struct value *code) {
    for (uint32_t number = 1; number < 256; number++) {
        const struct error_row *row = error_row(number);
        if (row && value_text_equal(code, row->name)) return number;
    }
    REQUIRE_NEVER("a code of error.def");
}

static void read_error(const struct value *error, struct caller_answer *answer) {
    answer->error = find_error(value_find(error, "code"));
    const struct error_row *row = error_row(answer->error);
    for (int i = 0; i < ERROR_DATA_COUNT && row->data[i][0] != '\0'; i++) {
        answer->data[i] = value_find_uint(value_find(error, "data"), row->data[i], 0);
    }
}

/* The number of a state's name, 0 if it is none. */
static uint32_t find_state(const struct value *value, const char *(*name)(uint32_t)) {
    for (uint32_t state = 1; value_type(value) == VALUE_TEXT && state < 16; state++) {
        if (value_text_equal(value, name(state))) return state;
    }
    return 0;
}

static void read_seats(const struct value *seats, struct caller_answer *answer) {
    answer->seat_count = value_count(seats);
    REQUIRE(answer->seat_count <= SEATS_LIST_MAX);
    struct value_items items = value_items(seats, VALUE_ARRAY);
    for (uint32_t i = 0; i < answer->seat_count; i++) {
        const struct value *seat = value_next(&items);
        answer->seats[i] = (struct caller_seat){
            .number = (uint32_t)value_find_uint(seat, "number", 0),
            .price = value_find_uint(seat, "price", UINT64_MAX),
            .available = value_text_equal(value_find(seat, "state"), "available")};
    }
}

static void read_result(const struct value *result, struct caller_answer *answer) {
    const char *token;
    uint32_t size;
    const struct value *state = value_find(result, "state");
    const struct value *money = value_find(result, "money");
    const struct value *net = value_find(result, "net"), *log = value_find(result, "log");
    const struct value *rows = value_find(result, "reservations");
    if (value_get_text(value_find(result, "token"), &token, &size) && size == TOKEN_TEXT_BYTES) {
        memcpy(answer->token, token, size);
        answer->token_state = find_state(state, token_state_name);
        answer->token_end = find_state(value_find(result, "end"), token_end_name);
        answer->ahead = (uint32_t)value_find_uint(result, "ahead", 0);
    }
    answer->reservation_state = find_state(state, reservation_state_name);
    answer->concert = value_find_uint(result, "concert", 0);
    answer->date = value_find_uint(result, "date", 0);
    answer->next = value_find_uint(result, "next", 0);
    answer->reservation = value_find_uint(result, "reservation", 0);
    answer->payment = value_find_uint(result, "payment", 0);
    answer->amount = value_find_uint(result, "amount", 0);
    answer->balance = value_find_uint(result, "balance", 0);
    answer->reserved = value_find_uint(result, "reserved", 0);
    answer->expires_at = value_find_uint(result, "expires_at", 0);
    answer->now_ms = value_find_uint(result, "now", 0);
    answer->durable_lsn = value_find_uint(result, "durable_lsn", 0);
    answer->accounts = value_find_uint(money, "accounts", 0);
    answer->charged = value_find_uint(money, "charged", 0);
    answer->balances = value_find_uint(money, "balances", 0);
    answer->spent = value_find_uint(money, "spent", 0);
    answer->refunded = value_find_uint(money, "refunded", 0);
    const struct value *projection = value_find(result, "projection");
    answer->projection.wanted = value_find_uint(projection, "wanted", 0);
    answer->projection.connected = value_find_uint(projection, "connected", 0);
    answer->projection.stopped = value_find_uint(projection, "stopped", 0);
    answer->projection.taken_over = value_find_uint(projection, "taken_over", 0);
    answer->projection.applied_lsn = value_find_uint(projection, "applied_lsn", 0);
    answer->projection.lag_decisions = value_find_uint(projection, "lag_decisions", 0);
    answer->projection.lag_ms = value_find_uint(projection, "lag_ms", 0);
    answer->connections = value_find_uint(net, "connections", 0);
    answer->connections_refused = value_find_uint(net, "connections_refused", 0);
    answer->relistens = value_find_uint(net, "relistens", 0);
    answer->segment_missing_bytes = value_find_uint(log, "segment_missing_bytes", 0);
    answer->free_bytes = value_find_uint(log, "free_bytes", 0);
    answer->left_bytes = value_find_uint(log, "left_bytes", 0);
    if (money) answer->reserved = value_find_uint(money, "reserved", 0);
    (void)value_get_bool(value_find(result, "truncated"), &answer->truncated); /* false if absent */
    if (value_type(value_find(result, "seats")) == VALUE_ARRAY) {
        read_seats(value_find(result, "seats"), answer);
    }
    struct value_items items = value_items(rows, VALUE_ARRAY);
    for (uint32_t i = 0; i < CALLER_RESERVATIONS_MAX; i++) {
        const struct value *row = value_next(&items);
        if (!row) break;
        answer->reservations[i].id = value_find_uint(row, "reservation", 0);
        answer->reservations[i].payment = value_find_uint(row, "payment", 0);
        answer->reservations[i].state = find_state(value_find(row, "state"),
                                                   reservation_state_name);
        answer->reservation_count++;
    }
}

/* --- asking ----------------------------------------------------------------------------------- */

static void on_reply(void *context, const struct client_reply *reply) {
    const struct slot *slot = context;
    struct waiting *waiting = slot->waiting;
    struct caller_answer *answer = slot->answer;
    answer->received_us = monotonic_us();
    answer->received_wall_ms = wall_ms();
    answer->status = reply->status;
    if (reply->status == CLIENT_OK && reply->error) read_error(reply->error, answer);
    if (reply->status == CLIENT_OK && reply->result) read_result(reply->result, answer);
    pthread_mutex_lock(&waiting->mutex);
    if (--waiting->missing == 0) pthread_cond_signal(&waiting->all_here);
    pthread_mutex_unlock(&waiting->mutex);
}

static void answer_begin(struct caller_answer *answer) {
    memset(answer, 0,
           offsetof(struct caller_answer, seats)); /* the lists are behind their counts */
    answer->truncated = false;
    answer->reservation_count = 0;
    answer->sent_us = monotonic_us();
    answer->sent_wall_ms = wall_ms();
}

void caller_ask_copies(struct caller *caller, const struct ask *const asks[], uint32_t count,
                       struct caller_answer *ret_answers) {
    struct waiting waiting = {.missing = count};
    struct slot slots[CALLER_COPIES_MAX];
    REQUIRE(count >= 1 && count <= CALLER_COPIES_MAX);
    REQUIRE(pthread_mutex_init(&waiting.mutex, NULL) == 0);
    REQUIRE(pthread_cond_init(&waiting.all_here, NULL) == 0);
    for (uint32_t i = 0; i < count; i++) {
        REQUIRE(!asks[i]->params.failed);
        slots[i] = (struct slot){&waiting, &ret_answers[i]};
        answer_begin(&ret_answers[i]);
        REQUIRE(client_call(caller->client, asks[i]->method, &asks[i]->params, on_reply,
                            &slots[i]) == 0);
    }
    pthread_mutex_lock(&waiting.mutex);
    /* The client promises exactly one callback each, within its time-out. */
    while (waiting.missing > 0) pthread_cond_wait(&waiting.all_here, &waiting.mutex);
    pthread_mutex_unlock(&waiting.mutex);
    (void)pthread_cond_destroy(&waiting.all_here);
    (void)pthread_mutex_destroy(&waiting.mutex);
    for (uint32_t i = 0; i < count; i++) caller->lost += ret_answers[i].status != CLIENT_OK;
}

int caller_ask(struct caller *caller, const struct ask *ask, struct caller_answer *ret_answer) {
    caller_ask_copies(caller, &ask, 1, ret_answer);
    return ret_answer->status == CLIENT_OK ? (int)ret_answer->error : -1;
}

int caller_ask_until_answered(struct caller *caller, const struct ask *ask,
                              struct caller_answer *ret_answer) {
    const uint64_t give_up_us = monotonic_us() + CALLER_PATIENCE_MS * 1000ull;
    for (;;) {
        int error = caller_ask(caller, ask, ret_answer);
        if (error >= 0 && error != ERROR_BUSY && error != ERROR_STOPPING) return error;
        if (monotonic_us() > give_up_us) {
            note("%s: no answer for %u ms: %s", ask->method, CALLER_PATIENCE_MS,
                 client_status_text(ret_answer->status));
            _Exit(EXIT_FAILURE);
        }
        pause_us(RETRY_PAUSE_US);
    }
}

void caller_open(struct caller *caller, const char *url, uint32_t timeout_ms) {
    const struct client_options options = {.timeout_ms = timeout_ms, .requests_per_frame_max = 1};
    const uint64_t give_up_us = monotonic_us() + CALLER_PATIENCE_MS * 1000ull;
    *caller = (struct caller){0};
    for (;;) {
        int status = client_open(url, &options, &caller->client);
        if (status == 0) return;
        if (status != CLIENT_UNREACHABLE || monotonic_us() > give_up_us) {
            note("%s: %s", url, client_status_text(status));
            _Exit(EXIT_FAILURE);
        }
        pause_us(OPEN_PAUSE_US);
    }
}

void caller_close(struct caller *caller) {
    if (caller->client) client_close(caller->client);
    caller->client = NULL;
}

/* --- requests --------------------------------------------------------------------------------- */

void ask_begin(struct ask *ask, const char *method, uint32_t params) {
    ask->method = method;
    value_writer_init(&ask->params, ask->bytes, sizeof ask->bytes, sizeof ask->bytes);
    value_write_map(&ask->params, params);
}

static void write_user(struct ask *ask, const struct id128 *user) {
    char text[UUID_TEXT_BYTES];
    uuid_format(user, text);
    value_write_text(&ask->params, "user");
    value_write_text_bytes(&ask->params, text, sizeof text);
}

void ask_enter(struct ask *ask, uint32_t date, const struct id128 *user) {
    ask_begin(ask, "queue.enter", 2);
    value_write_pair_uint(&ask->params, "date", date);
    write_user(ask, user);
}

void ask_token(struct ask *ask, const char *method, const char *token) {
    ask_begin(ask, method, 1);
    value_write_pair_text(&ask->params, "token", token);
}

void ask_list(struct ask *ask, const char *token, uint32_t first, uint32_t limit, bool all) {
    ask_begin(ask, "seats.list", 4);
    value_write_pair_text(&ask->params, "token", token);
    value_write_pair_uint(&ask->params, "first", first);
    value_write_pair_uint(&ask->params, "limit", limit);
    value_write_pair_bool(&ask->params, "all", all);
}

void ask_hold(struct ask *ask, const char *token, const uint32_t *seats, uint32_t count) {
    ask_begin(ask, "seats.hold", 2);
    value_write_pair_text(&ask->params, "token", token);
    value_write_text(&ask->params, "seats");
    value_write_array(&ask->params, count);
    for (uint32_t i = 0; i < count; i++) value_write_uint(&ask->params, seats[i]);
}

void ask_release(struct ask *ask, const char *token, uint64_t reservation) {
    ask_begin(ask, "seats.release", 2);
    value_write_pair_text(&ask->params, "token", token);
    value_write_pair_uint(&ask->params, "reservation", reservation);
}

void ask_pay(struct ask *ask, const char *token, uint64_t reservation, const char *key) {
    ask_begin(ask, "payment.pay", 3);
    value_write_pair_text(&ask->params, "token", token);
    value_write_pair_uint(&ask->params, "reservation", reservation);
    value_write_pair_text(&ask->params, "key", key);
}

void ask_cancel(struct ask *ask, const struct id128 *user, uint64_t reservation, const char *key) {
    ask_begin(ask, "reservation.cancel", 3);
    write_user(ask, user);
    value_write_pair_uint(&ask->params, "reservation", reservation);
    value_write_pair_text(&ask->params, "key", key);
}

void ask_charge(struct ask *ask, const struct id128 *user, uint64_t amount, const char *key) {
    ask_begin(ask, "wallet.charge", 3);
    write_user(ask, user);
    value_write_pair_uint(&ask->params, "amount", amount);
    value_write_pair_text(&ask->params, "key", key);
}

void ask_user(struct ask *ask, const char *method, const struct id128 *user) {
    ask_begin(ask, method, 1);
    write_user(ask, user);
}

/* --- the organiser ---------------------------------------------------------------------------- */

uint64_t price_of(uint32_t seat) { return 100u + seat % 7u * 50u; }

/* Nothing that an organiser asks for in these tests may be refused. */
static void must(struct caller *admin, const struct ask *ask, struct caller_answer *answer) {
    int error = caller_ask(admin, ask, answer);
    if (error == 0) return;
    note("%s: %s", ask->method,
         error < 0 ? client_status_text(answer->status) : error_name((uint32_t)error));
    exit(EXIT_FAILURE);
}

uint64_t caller_concert(struct caller *admin, const char *title) {
    static struct ask ask;
    static struct caller_answer answer;
    ask_begin(&ask, "admin.concert_create", 1);
    value_write_pair_text(&ask.params, "title", title);
    must(admin, &ask, &answer);
    return answer.concert;
}

static void add_seats(struct caller *admin, uint32_t date, uint32_t first, uint32_t count) {
    static struct ask ask;
    static struct caller_answer answer;
    char label[64];
    ask_begin(&ask, "admin.seats_add", 3);
    value_write_pair_uint(&ask.params, "date", date);
    value_write_pair_uint(&ask.params, "first", first);
    value_write_text(&ask.params, "seats");
    value_write_array(&ask.params, count);
    for (uint32_t number = first; number < first + count; number++) {
        value_write_map(&ask.params, 5);
        value_write_pair_text(&ask.params, "section", "T");
        (void)snprintf(label, sizeof label, "%" PRIu32, (number - 1) / SEATS_PER_ROW + 1);
        value_write_pair_text(&ask.params, "row", label);
        (void)snprintf(label, sizeof label, "%" PRIu32, (number - 1) % SEATS_PER_ROW + 1);
        value_write_pair_text(&ask.params, "seat", label);
        (void)snprintf(label, sizeof label, "guid-%" PRIu32, number); /* all three fit */
        value_write_pair_text(&ask.params, "guid", label);
        value_write_pair_uint(&ask.params, "price", price_of(number));
    }
    must(admin, &ask, &answer);
    REQUIRE(answer.next == first + count);
}

uint32_t caller_date(struct caller *admin, uint64_t concert, const struct caller_date *date) {
    static struct ask ask;
    static struct caller_answer answer;
    uint32_t policies = 0;
    while (date->policy_names && date->policy_names[policies]) policies++;
    ask_begin(&ask, "admin.date_create", 3 + policies);
    value_write_pair_uint(&ask.params, "concert", concert);
    value_write_pair_text(&ask.params, "title", date->title);
    value_write_pair_uint(&ask.params, "starts_at", wall_ms() + 86400000u);
    for (uint32_t i = 0; i < policies; i++) {
        int index = policy_find(date->policy_names[i], (uint32_t)strlen(date->policy_names[i]));
        REQUIRE(index >= 0);
        const char *word = policy_value_name((uint32_t)index, date->policy_values[i]);
        if (policy_form((uint32_t)index) == POLICY_BOOLEAN) {
            value_write_pair_bool(&ask.params, date->policy_names[i], date->policy_values[i] != 0);
        } else if (word) {
            value_write_pair_text(&ask.params, date->policy_names[i], word);
        } else {
            value_write_pair_uint(&ask.params, date->policy_names[i], date->policy_values[i]);
        }
    }
    must(admin, &ask, &answer);
    uint32_t id = (uint32_t)answer.date;
    for (uint32_t first = 1; first <= date->seat_count; first += SEATS_ADD_MAX) {
        uint32_t left = date->seat_count + 1 - first;
        add_seats(admin, id, first, left < SEATS_ADD_MAX ? left : SEATS_ADD_MAX);
    }
    ask_begin(&ask, "admin.date_open", 1);
    value_write_pair_uint(&ask.params, "date", id);
    must(admin, &ask, &answer);
    return id;
}

struct id128 test_user(uint32_t family, uint32_t process, uint32_t number) {
    struct id128 user = {{0}};
    const uint32_t parts[3] = {family, process, number};
    for (uint32_t i = 0; i < 12; i++) user.bytes[i] = (uint8_t)(parts[i / 4] >> i % 4 * 8);
    user.bytes[12] = 0x42;                                   /* never none */
    user.bytes[15] = (uint8_t)(number * 31u + process * 7u); /* picks the account partition */
    return user;
}
