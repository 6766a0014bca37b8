/* words.c - see words.h */
#include <stdio.h>
#include <string.h>

#include "tests/sim/words.h"

#define X(name, text) {#name, text},
static const struct { const char *name, *text; } checks[] = {SIM_CHECKS(X)};
#undef X
#define X(name, word, text) {word, text},
static const struct { const char *word, *text; } faults[] = {SIM_FAULTS(X)};
#undef X
#define X(name, text, needed) {text, needed},
static const struct {
    const char *text;
    bool needed;
} counters[] = {SIM_COUNTERS(X)};
#undef X

_Static_assert(sizeof counters / sizeof counters[0] == SIM_COUNTER_COUNT, "one row for each");

const char *sim_check_name(uint32_t check) {
    return check < SIM_CHECK_COUNT ? checks[check].name : "unknown";
}

const char *sim_check_text(uint32_t check) {
    return check < SIM_CHECK_COUNT ? checks[check].text : "unknown";
}

const char *sim_fault_word(uint32_t fault) {
    return fault < SIM_FAULT_COUNT ? faults[fault].word : "unknown";
}

const char *sim_fault_text(uint32_t fault) {
    return fault < SIM_FAULT_COUNT ? faults[fault].text : "unknown";
}

int sim_fault_find(const char *word) {
    for (int i = 0; i < SIM_FAULT_COUNT; i++) {
        if (strcmp(faults[i].word, word) == 0) return i;
    }
    return -1;
}

static uint64_t get(const struct sim_counters *from, size_t index) {
    uint64_t value;
    memcpy(&value, (const uint8_t *)from + index * sizeof value, sizeof value);
    return value;
}

void sim_counters_add(struct sim_counters *to, const struct sim_counters *from) {
    for (size_t i = 0; i < SIM_COUNTER_COUNT; i++) {
        uint64_t sum = get(to, i) + get(from, i);
        memcpy((uint8_t *)to + i * sizeof sum, &sum, sizeof sum);
    }
}

void sim_counters_print(const struct sim_counters *of) {
    for (size_t i = 0; i < SIM_COUNTER_COUNT; i++) {
        printf("#   %-42s %12llu\n", counters[i].text, (unsigned long long)get(of, i));
    }
}

const char *sim_counters_missing(const struct sim_counters *of) {
    for (size_t i = 0; i < SIM_COUNTER_COUNT; i++) {
        if (counters[i].needed && get(of, i) == 0) return counters[i].text;
    }
    return NULL;
}
