/* network.c - see network.h */
#include "tests/sim/network.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/require.h"

struct network {
    struct sim_run *run; /* borrowed */
    struct random random;
    struct network_frame *frames; /* in no order */
    uint32_t count, capacity;
};

struct network *network_open(struct sim_run *run) {
    struct network *network = calloc(1, sizeof *network);
    REQUIRE(network != NULL);
    network->run = run;
    network->random = random_stream(run->options->seed, 20);
    return network;
}

void network_close(struct network *network) {
    for (uint32_t i = 0; i < network->count; i++) free(network->frames[i].bytes);
    free(network->frames);
    free(network);
}

static void put(struct network *network, struct network_frame frame, const uint8_t *bytes) {
    struct sim_run *run = network->run;
    uint64_t travels_us = random_below(&network->random, 2ull * run->plan.net_us);
    if (run_fault(run, SIM_FAULT_NET_DELAY)) {
        run->counters.net_delays++;
        travels_us += random_below(&network->random,
                                   random_pick(&network->random, 10000, 1000000, 10000000));
    }
    if (network->count == network->capacity) {
        network->capacity = network->capacity ? network->capacity * 2 : 64;
        network->frames = realloc(network->frames, network->capacity * sizeof *network->frames);
        REQUIRE(network->frames != NULL);
    }
    frame.due_us = run->now_us + travels_us;
    frame.bytes = malloc(frame.size > 0 ? frame.size : 1);
    REQUIRE(frame.bytes != NULL);
    memcpy(frame.bytes, bytes, frame.size);
    network->frames[network->count++] = frame;
}

void network_send(struct network *network, uint32_t gateway, bool to_engine, const uint8_t *bytes,
                  uint32_t size) {
    struct sim_run *run = network->run;
    struct network_frame frame = {.gateway = gateway, .to_engine = to_engine, .size = size};
    if (run_fault(run, SIM_FAULT_NET_DROP)) {
        run->counters.net_drops++;
        run_event(run, RUN_EVENT_NET_LOST, gateway, size);
        return;
    }
    put(network, frame, bytes);
    if (run_fault(run, SIM_FAULT_NET_DUPLICATE)) {
        run->counters.net_duplicates++;
        run_event(run, RUN_EVENT_NET_TWICE, gateway, size);
        put(network, frame, bytes);
    }
}

static void take_out(struct network *network, uint32_t index) {
    network->frames[index] = network->frames[--network->count];
}

bool network_take(struct network *network, bool engine_listens, struct network_frame *ret_frame) {
    if (network->count == 0) return false;
    uint32_t first = (uint32_t)random_below(&network->random, network->count);
    for (uint32_t i = 0; i < network->count; i++) {
        uint32_t index = (first + i) % network->count;
        const struct network_frame *frame = &network->frames[index];
        if (frame->due_us > network->run->now_us) continue;
        if (frame->to_engine && !engine_listens) continue;
        *ret_frame = *frame;
        take_out(network, index);
        return true;
    }
    return false;
}

static void lose(struct network *network, uint32_t index) {
    free(network->frames[index].bytes);
    take_out(network, index);
}

void network_cut(struct network *network, uint32_t gateway) {
    for (uint32_t i = network->count; i-- > 0;) {
        if (network->frames[i].gateway == gateway) lose(network, i);
    }
}

void network_refuse(struct network *network) {
    for (uint32_t i = network->count; i-- > 0;) {
        if (random_chance(&network->random, 500000)) lose(network, i);
    }
}

uint32_t network_count(const struct network *network) { return network->count; }

uint64_t network_due_us(const struct network *network) {
    uint64_t due_us = UINT64_MAX;
    for (uint32_t i = 0; i < network->count; i++) {
        if (network->frames[i].due_us < due_us) due_us = network->frames[i].due_us;
    }
    return due_us;
}
