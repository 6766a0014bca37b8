/* crowd.c - see crowd.h
 *
 * Failure modes: no engine, no such date: told at the beginning. A full client or a busy engine:
 * the fan asks again a little later. No answer: the fan decides. An engine that is gone for good:
 * every fan gives up by itself, at the latest after timeout_ms.
 */
#include "tools/crowd/crowd.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/base/require.h"
#include "engine/domain/error.h"
#include "engine/domain/heap.h"
#include "engine/base/uuid.h"
#include "net/client/client.h"
#include "tools/common/complain.h"
#include "tools/crowd/crowd_wire.h"

#define CLIENT_FULL_RETRY_MS 2u
#define COPIES_MAX 2u

/* One request under way. Written by the client's thread from sending until it is queued. */
struct call {
    struct crowd *crowd;
    struct call *next; /* in the queue of answers */
    uint32_t fan;
    uint8_t request; /* enum fan_request */
    uint64_t sent_us;
    uint64_t answered_us;
    struct fan_answer answer;
};

struct crowd {
    const struct crowd_options *options;
    struct crowd_result *result;
    struct client *client;
    struct crowd_date dates[CROWD_DATES_MAX];
    uint32_t date_count;
    struct crowd_fan *fans;
    struct fan_step *steps;            /* by fan: what it does next */
    uint8_t *phases;                   /* by fan: enum crowd_phase */
    uint8_t *under_way;                /* by fan: requests without an answer */
    struct call *calls;                /* COPIES_MAX by fan */
    uint32_t *owners[CROWD_DATES_MAX]; /* by seat: fan + 1 who paid for it */
    struct heap due;                   /* fans that wait, by the moment they act */
    uint32_t done;
    uint64_t begin_us; /* CLOCK_MONOTONIC */

    pthread_mutex_t lock; /* guards the two below */
    pthread_cond_t arrived;
    struct call *first, *last; /* answers in order of arrival */
};

static uint64_t monotonic_us(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* --- answers: the client's threads ------------------------------------------------------------ */

static void call_done(void *context, const struct client_reply *reply) {
    struct call *call = context;
    struct crowd *crowd = call->crowd;
    call->answered_us = monotonic_us();
    crowd_read_answer(reply, (enum fan_request)call->request, &call->answer);
    (void)pthread_mutex_lock(&crowd->lock);
    bool was_empty = crowd->first == NULL;
    call->next = NULL;
    if (was_empty) {
        crowd->first = call;
    } else {
        crowd->last->next = call;
    }
    crowd->last = call;
    if (was_empty) (void)pthread_cond_signal(&crowd->arrived);
    (void)pthread_mutex_unlock(&crowd->lock);
}

/* All answers that are there; waits for the first until `until_us`. */
static struct call *take_answers(struct crowd *crowd, uint64_t until_us) {
    const struct timespec until = {.tv_sec = (time_t)(until_us / 1000000),
                                   .tv_nsec = (long)(until_us % 1000000 * 1000)};
    (void)pthread_mutex_lock(&crowd->lock);
    int result = 0;
    while (!crowd->first && result == 0) {
        result = pthread_cond_timedwait(&crowd->arrived, &crowd->lock, &until);
    }
    struct call *first = crowd->first;
    crowd->first = crowd->last = NULL;
    (void)pthread_mutex_unlock(&crowd->lock);
    return first;
}

/* --- fans: the crowd's thread ----------------------------------------------------------------- */

static void note_violation(struct crowd *crowd, const struct crowd_fan *fan, const char *what) {
    struct crowd_result *result = crowd->result;
    if (result->violation_count < CROWD_VIOLATIONS_KEPT) {
        char user[UUID_TEXT_BYTES];
        uuid_format(&fan->user, user);
        (void)snprintf(result->violations[result->violation_count], sizeof result->violations[0],
                       "date %" PRIu32 ", user %.*s: %.130s", fan->date, (int)sizeof user, user,
                       what);
    }
    result->violation_count++;
}

static void set_phase(struct crowd *crowd, uint32_t index) {
    const struct crowd_fan *fan = &crowd->fans[index];
    const struct fan_step *step = &crowd->steps[index];
    enum crowd_phase phase = step->request == FAN_NOTHING  ? CROWD_DONE
                             : step->request == FAN_STATUS ? CROWD_WAITING
                             : fan->token[0] == '\0'       ? CROWD_AWAY
                                                           : CROWD_ACTIVE;
    if (crowd->phases[index] == phase) return;
    atomic_fetch_sub_explicit(&crowd->result->phases[crowd->phases[index]], 1,
                              memory_order_relaxed);
    atomic_fetch_add_explicit(&crowd->result->phases[phase], 1, memory_order_relaxed);
    crowd->phases[index] = (uint8_t)phase;
}

/* The fan's seats are its own, or nobody's again. A refund frees them when it is asked for: the
 * engine may sell them on before its answer is here. */
static void set_owner(struct crowd *crowd, uint32_t index, bool owns) {
    const struct crowd_fan *fan = &crowd->fans[index];
    uint32_t date = 0;
    while (crowd->dates[date].id != fan->date) date++;
    for (uint32_t i = 0; i < fan->seat_count; i++) {
        uint32_t *owner = &crowd->owners[date][fan->seats[i]];
        if (owns && *owner != 0 && *owner != index + 1) {
            note_violation(crowd, fan, "has paid for a seat that another fan has paid for");
        }
        *owner = owns ? index + 1 : 0;
    }
    uint64_t seats = owns ? fan->seat_count : (uint64_t)0 - fan->seat_count;
    atomic_fetch_add_explicit(&crowd->result->seats_bought, seats, memory_order_relaxed);
    crowd->result->points_paid += owns ? fan->amount : (uint64_t)0 - fan->amount;
}

static void finish(struct crowd *crowd, uint32_t index) {
    const struct crowd_fan *fan = &crowd->fans[index];
    struct crowd_result *result = crowd->result;
    result->outcomes[fan->outcome]++;
    crowd->done++;
    if (fan->outcome != FAN_OUTCOME_BOUGHT) return;
    for (uint32_t i = 0; i < fan->seat_count; i++) {
        result->purchases[result->purchase_count++] = (struct crowd_purchase){
            .user = fan->user, .date = fan->date, .seat = fan->seats[i]};
    }
}

static void schedule(struct crowd *crowd, uint32_t index, uint32_t delay_ms) {
    (void)heap_insert(&crowd->due, monotonic_us() / 1000 + delay_ms,
                      index); /* only the first is ever removed: no handle is needed */
}

static void hear(struct crowd *crowd, struct call *call) {
    struct crowd_result *result = crowd->result;
    struct crowd_fan *fan = &crowd->fans[call->fan];
    struct fan_step *step = &crowd->steps[call->fan];
    const struct fan_answer *answer = &call->answer;
    bool was_paid = fan->paid;
    uint64_t latency_us = call->answered_us - call->sent_us;

    REQUIRE(crowd->under_way[call->fan] > 0 && answer->error < CROWD_ERRORS_MAX);
    bool more = --crowd->under_way[call->fan] > 0;
    uint64_t second = (call->answered_us - crowd->begin_us) / 1000000;
    if (second >= CROWD_SECONDS_MAX) second = CROWD_SECONDS_MAX - 1;
    atomic_fetch_add_explicit(&result->requests, 1, memory_order_relaxed);
    result->requests_by_second[second]++;
    histogram_add(&result->latency, latency_us);
    result->lost += answer->lost;
    result->errors[answer->error] += answer->error != 0;

    fan_hear(fan, answer, more, step);
    free(call->answer.seats);
    call->answer.seats = NULL;
    if (step->violation[0] != '\0') note_violation(crowd, fan, step->violation);
    if (fan->paid && !was_paid) {
        result->bookings++;
        result->bookings_by_second[second]++;
        histogram_add(&result->payment_latency, latency_us);
        set_owner(crowd, call->fan, true);
    }
    if (more) return;
    if (step->request == FAN_CANCEL && call->request != FAN_CANCEL) {
        result->refunds++;
        set_owner(crowd, call->fan, false);
    }
    set_phase(crowd, call->fan);
    if (step->request == FAN_NOTHING) {
        finish(crowd, call->fan);
    } else {
        schedule(crowd, call->fan, step->delay_ms);
    }
}

static void act(struct crowd *crowd, uint32_t index) {
    uint8_t room[1024];
    struct value_writer writer;
    const struct fan_step *step = &crowd->steps[index];
    const char *method = crowd_method((enum fan_request)step->request);
    value_writer_init(&writer, room, sizeof room, sizeof room);
    crowd_write_params(&crowd->fans[index], (enum fan_request)step->request, &writer);
    REQUIRE(!writer.failed && step->copies >= 1 && step->copies <= COPIES_MAX);
    for (uint32_t copy = 0; copy < step->copies; copy++) {
        struct call *call = &crowd->calls[index * COPIES_MAX + copy];
        *call = (struct call){
            .crowd = crowd, .fan = index, .request = step->request, .sent_us = monotonic_us()};
        crowd->under_way[index]++;
        if (client_call(crowd->client, method, &writer, call_done, call) == 0) continue;
        crowd->under_way[index]--; /* the client is full: nothing was sent, nothing will come */
    }
    if (crowd->under_way[index] == 0) schedule(crowd, index, CLIENT_FULL_RETRY_MS);
}

static uint64_t act_all(struct crowd *crowd, uint64_t latest_us) {
    const struct heap_entry *entry;
    uint64_t now_ms = monotonic_us() / 1000;
    while ((entry = heap_first(&crowd->due)) && entry->due_ms <= now_ms) {
        uint32_t index = entry->item;
        heap_remove(&crowd->due, entry->handle);
        act(crowd, index);
    }
    return entry && entry->due_ms * 1000 < latest_us ? entry->due_ms * 1000 : latest_us;
}

static void begin(struct crowd *crowd) {
    const struct crowd_options *options = crowd->options;
    uint32_t count = options->fans;
    pthread_condattr_t attributes;
    crowd->fans = calloc(count, sizeof *crowd->fans);
    crowd->steps = calloc(count, sizeof *crowd->steps);
    crowd->phases = calloc(count, sizeof *crowd->phases);
    crowd->under_way = calloc(count, sizeof *crowd->under_way);
    crowd->calls = calloc((size_t)count * COPIES_MAX, sizeof *crowd->calls);
    REQUIRE_MEMORY(crowd->fans && crowd->steps && crowd->phases && crowd->under_way &&
                   crowd->calls);
    (void)pthread_mutex_init(&crowd->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&crowd->arrived, &attributes);
    heap_init(&crowd->due);
    for (uint32_t i = 0; i < crowd->date_count; i++) {
        crowd->owners[i] = calloc(crowd->dates[i].seats + 1u, sizeof *crowd->owners[i]);
        REQUIRE_MEMORY(crowd->owners[i]);
    }
    atomic_store_explicit(&crowd->result->phases[CROWD_AWAY], count, memory_order_relaxed);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = options->first_index + i;
        const struct crowd_date *date = &crowd->dates[index % crowd->date_count];
        fan_begin(&crowd->fans[i], options->seed, index, date->id, date->seats, options->arrival_ms,
                  &crowd->steps[i]);
        schedule(crowd, i, crowd->steps[i].delay_ms);
    }
}

static void end(struct crowd *crowd) {
    for (uint32_t i = 0; i < crowd->date_count; i++) free(crowd->owners[i]);
    heap_deinit(&crowd->due);
    free(crowd->fans);
    free(crowd->steps);
    free(crowd->phases);
    free(crowd->under_way);
    free(crowd->calls);
}

int crowd_run(const struct crowd_options *options, struct crowd_result *result) {
    static struct crowd crowd;
    REQUIRE(options && result && options->fans > 0);
    crowd = (struct crowd){.options = options, .result = result};
    int opened = client_open(options->url, NULL, &crowd.client);
    if (opened != 0) {
        complain("%s: %s", options->url, client_status_text(opened));
        return -1;
    }
    crowd.date_count = crowd_find_dates(crowd.client, options, crowd.dates);
    if (crowd.date_count == 0) return -1; /* nothing is under way: leave the client to the exit */
    uint64_t on_sale = 0;
    for (uint32_t i = 0; i < crowd.date_count; i++) on_sale += crowd.dates[i].seats_available;
    atomic_store_explicit(&result->seats_on_sale, on_sale, memory_order_relaxed);

    crowd.begin_us = monotonic_us();
    begin(&crowd);
    const uint64_t latest_us = crowd.begin_us + (uint64_t)options->timeout_ms * 1000;
    while (crowd.done < options->fans && monotonic_us() < latest_us) {
        uint64_t until_us = act_all(&crowd, latest_us);
        struct call *call = take_answers(&crowd, until_us);
        while (call) {
            struct call *next = call->next; /* hearing may send the call again */
            hear(&crowd, call);
            call = next;
        }
    }
    result->elapsed_us = monotonic_us() - crowd.begin_us;
    result->finished = crowd.done == options->fans;
    client_close(crowd.client); /* after this no callback touches the calls */
    end(&crowd);
    return 0;
}
