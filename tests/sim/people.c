/* people.c - see people.h */
#include "tests/sim/people.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/require.h"
#include "tests/sim/people_fan.h"

#define FRAME_REQUESTS_MAX 8u
#define FRAME_BYTES_ROOM (64u * 1024u)

struct people_gateway {
    struct value_writer writer; /* the frame that is being collected */
    uint8_t *buffer;
    uint32_t requests;
    uint64_t flush_us; /* when it is sent at the latest */
};

struct people {
    struct sim_run *run;     /* borrowed */
    struct network *network; /* borrowed */
    struct random random;
    struct people_fan fans[PLAN_FANS_MAX + 1]; /* the last one, PLAN_FANS_MAX, is the organiser */
    struct people_hall hall;
    struct people_gateway gateways[PLAN_GATEWAYS_MAX + 1];
    struct wire_call **calls; /* by number - 1 */
    uint32_t call_count, call_capacity;
    struct wire_reader *reader;
    bool resting;
};

struct people *people_open(struct sim_run *run, struct network *network) {
    struct people *people = calloc(1, sizeof *people);
    REQUIRE(people != NULL);
    people->run = run;
    people->network = network;
    people->random = random_stream(run->options->seed, 30);
    people->reader = wire_reader_open();
    people->hall.run = run;
    for (uint32_t i = 0; i <= PLAN_FANS_MAX; i++) {
        people_fan_init(&people->fans[i], &people->hall, i, run->options->seed);
    }
    for (uint32_t i = 0; i <= PLAN_GATEWAYS_MAX; i++) {
        struct people_gateway *gateway = &people->gateways[i];
        gateway->buffer = malloc(FRAME_BYTES_ROOM);
        REQUIRE(gateway->buffer != NULL);
        value_writer_init(&gateway->writer, gateway->buffer, FRAME_BYTES_ROOM, FRAME_BYTES_ROOM);
    }
    return people;
}

void people_close(struct people *people) {
    for (uint32_t i = 0; i < people->call_count; i++) free(people->calls[i]);
    for (uint32_t i = 0; i <= PLAN_GATEWAYS_MAX; i++) {
        value_writer_deinit(&people->gateways[i].writer);
        free(people->gateways[i].buffer);
    }
    free(people->calls);
    wire_reader_close(people->reader);
    free(people);
}

const struct wire_call *people_call(const struct people *people, uint32_t number) {
    return number < 1 || number > people->call_count ? NULL : people->calls[number - 1];
}

/* The organiser comes last; fans beyond the plan's number do not exist. */
static struct people_fan *person_at(struct people *people, uint32_t index) {
    return &people->fans[index < people->run->plan.fans ? index : PLAN_FANS_MAX];
}

/* --- gateways --------------------------------------------------------------------------------- */

static uint32_t gateway_of(const struct people *people, const struct people_fan *fan) {
    return fan->number == PLAN_FANS_MAX ? NETWORK_ADMIN : fan->number % people->run->plan.gateways;
}

static void flush(struct people *people, uint32_t number) {
    struct people_gateway *gateway = &people->gateways[number];
    if (gateway->requests == 0) return;
    REQUIRE(!gateway->writer.failed);
    people->run->counters.frames++;
    network_send(people->network, number, true, gateway->writer.bytes, gateway->writer.size);
    value_writer_clear(&gateway->writer);
    gateway->requests = 0;
}

static void send(struct people *people, struct people_fan *fan, const struct wire_call *call) {
    uint32_t number = gateway_of(people, fan);
    struct people_gateway *gateway = &people->gateways[number];
    const struct plan_manners *manners = &people->run->plan.manners;
    uint32_t copies = random_chance(&people->random, manners->double_click) ? 2 : 1;
    people_fan_asks(fan, call);
    for (; copies > 0; copies--) {
        wire_request(&gateway->writer, call);
        gateway->requests++;
        people->run->counters.requests++;
        gateway->flush_us = people->run->now_us + 1000;
        bool full = gateway->requests >= FRAME_REQUESTS_MAX;
        if (full || random_chance(&people->random, 500000)) flush(people, number);
    }
}

/* --- asking and being answered ---------------------------------------------------------------- */

static void ask(struct people *people, struct people_fan *fan, const struct wire_call *wanted) {
    struct wire_call *call = malloc(sizeof *call);
    REQUIRE(call != NULL);
    if (people->call_count == people->call_capacity) {
        people->call_capacity = people->call_capacity ? people->call_capacity * 2 : 1024;
        people->calls = realloc(people->calls, people->call_capacity * sizeof(struct wire_call *));
        REQUIRE(people->calls != NULL);
    }
    *call = *wanted;
    call->person = fan->number;
    people->calls[people->call_count++] = call;
    call->number = people->call_count;
    run_event(people->run, RUN_EVENT_CALL, fan->number, call->number);
    fan->call = call->number;
    fan->tries = 1;
    send(people, fan, call);
}

/* No answer within the time that a gateway allows. */
static void ask_again(struct people *people, struct people_fan *fan) {
    struct sim_run *run = people->run;
    if (!people->resting && fan->tries >= PEOPLE_TRIES_MAX && fan->number != PLAN_FANS_MAX) {
        run_event(run, RUN_EVENT_GIVE_UP, fan->number, fan->call);
        fan->call = 0;
        people_fan_pauses(fan);
        return;
    }
    const struct wire_call *call = people_call(people, fan->call);
    fan->tries++;
    run->counters.retries++;
    send(people, fan, call);
    fan->wake_us = run->now_us + PEOPLE_TIMEOUT_US;
    /* Each of these that is decided makes one more, answered or not: less and less often. */
    bool makes = call->kind == COMMAND_DATE_CREATE || call->kind == COMMAND_CONCERT_CREATE;
    if (makes) fan->wake_us += PEOPLE_TIMEOUT_US << (fan->tries < 7 ? fan->tries : 7);
}

static void act(struct people *people, struct people_fan *fan) {
    struct wire_call call = {0};
    if (fan->call != 0) {
        ask_again(people, fan);
    } else if (people->resting || !people_fan_decides(fan, &call)) {
        people_fan_pauses(fan);
    } else {
        ask(people, fan, &call);
        fan->wake_us = people->run->now_us + PEOPLE_TIMEOUT_US;
    }
}

static bool is_due(const struct people *people, const struct people_fan *fan) {
    if (people->resting && fan->call == 0) return false;
    return fan->wake_us <= people->run->now_us;
}

bool people_step(struct people *people) {
    uint32_t persons = people->run->plan.fans + 1;
    for (uint32_t i = 0; i <= PLAN_GATEWAYS_MAX; i++) {
        const struct people_gateway *gateway = &people->gateways[i];
        if (gateway->requests == 0 || gateway->flush_us > people->run->now_us) continue;
        flush(people, i);
        return true;
    }
    uint32_t first = (uint32_t)random_below(&people->random, persons);
    for (uint32_t i = 0; i < persons; i++) {
        struct people_fan *fan = person_at(people, (first + i) % persons);
        if (!is_due(people, fan)) continue;
        act(people, fan);
        return true;
    }
    return false;
}

uint64_t people_due_us(const struct people *people) {
    uint64_t due_us = UINT64_MAX;
    for (uint32_t i = 0; i <= PLAN_GATEWAYS_MAX; i++) {
        const struct people_gateway *gateway = &people->gateways[i];
        if (gateway->requests > 0 && gateway->flush_us < due_us) due_us = gateway->flush_us;
    }
    for (uint32_t i = 0; i <= people->run->plan.fans; i++) {
        const struct people_fan *fan = person_at((struct people *)(uintptr_t)people, i);
        if (people->resting && fan->call == 0) continue;
        if (fan->wake_us < due_us) due_us = fan->wake_us;
    }
    return due_us;
}

static const struct wire_call *find(void *context, uint32_t number) {
    return people_call(context, number);
}

static void receive_one(struct people *people, uint32_t gateway, const struct wire_answer *answer) {
    struct wire_call *call = (struct wire_call *)(uintptr_t)people_call(people, answer->number);
    if (!call)
        return; /* the answer to a frame that was refused as a whole; the judge has seen it */
    struct people_fan *fan = &people->fans[call->person];
    call->answered = true;
    if (gateway_of(people, fan) != gateway || fan->call != answer->number) return; /* a late one */
    run_event(people->run, RUN_EVENT_ANSWER, fan->number, answer->number);
    if (answer->error == ERROR_BUSY || answer->error == ERROR_STOPPING) {
        fan->wake_us = people->run->now_us + 5000; /* nothing was done: the same again */
        return;
    }
    fan->call = 0;
    people_fan_learns(fan, call, answer);
    people_fan_pauses(fan);
}

void people_receive(struct people *people, const struct network_frame *frame) {
    uint32_t used = 0;
    for (uint32_t at = 0; at < frame->size; at += used) {
        const struct wire_answer *answer = wire_answer(people->reader, frame->bytes + at,
                                                       frame->size - at, find, people, &used);
        if (!answer) return; /* the judge has seen it */
        receive_one(people, frame->gateway, answer);
    }
}

void people_lose_gateway(struct people *people) {
    struct sim_run *run = people->run;
    uint32_t lost = (uint32_t)random_below(&people->random, run->plan.gateways);
    run->counters.client_losses++;
    run_event(run, RUN_EVENT_VANISH, lost, 0);
    network_cut(people->network, lost);
    value_writer_clear(&people->gateways[lost].writer);
    people->gateways[lost].requests = 0;
    for (uint32_t i = 0; i < run->plan.fans; i++) {
        struct people_fan *fan = &people->fans[i];
        if (gateway_of(people, fan) != lost) continue;
        fan->call = 0;
        if (random_chance(&people->random, 500000)) people_fan_forgets(fan);
        people_fan_pauses(fan);
    }
}

void people_tempt(struct people *people, uint32_t date) {
    struct people_fan *organiser = &people->fans[PLAN_FANS_MAX];
    if (people->resting || date > people->hall.dates) return;
    people->hall.tempting = date;
    people->run->counters.temptations++;
    if (organiser->call == 0) organiser->wake_us = people->run->now_us;
}

bool people_keeps_asking(const struct people *people, const struct id128 *user, uint32_t date,
                         uint32_t place, uint64_t pause_us) {
    for (uint32_t i = 0; i < people->run->plan.fans; i++) {
        const struct people_fan *fan = &people->fans[i];
        if (!id128_equal(&fan->user, user)) continue;
        return fan->has_token && fan->token.date == date && fan->token.place == place &&
               fan->asked_gap_us < pause_us && people->run->now_us - fan->asked_us < pause_us;
    }
    return false;
}

uint32_t people_waiting(const struct people *people, uint32_t *ret_fan) {
    uint32_t count = 0;
    for (uint32_t i = 0; i <= people->run->plan.fans; i++) {
        const struct people_fan *fan = person_at((struct people *)(uintptr_t)people, i);
        if (fan->call == 0) continue;
        *ret_fan = fan->number;
        count++;
    }
    return count;
}

bool people_rest(struct people *people, bool rest) {
    uint32_t fan;
    people->resting = rest;
    return people_waiting(people, &fan) == 0;
}
