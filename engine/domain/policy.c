/* policy.c - see policy.h */
#include "engine/domain/policy.h"

#include <string.h>

#include "engine/base/require.h"

_Static_assert(sizeof(struct policy) == POLICY_FIELD_COUNT * sizeof(uint64_t),
               "a policy is an array of its fields, in order of their index");

static const struct policy_row rows[POLICY_FIELD_COUNT] = {
#define P(index, name, initial, min, max) [index] = {#name, (initial), (min), (max)},
    POLICY_FIELDS(P)
#undef P
};

void policy_default(struct policy *policy) {
    for (uint32_t i = 0; i < POLICY_FIELD_COUNT; i++) policy_set(policy, i, rows[i].initial);
}

const struct policy_row *policy_row(uint32_t index) {
    REQUIRE(index < POLICY_FIELD_COUNT);
    return &rows[index];
}

int policy_find(const char *name, uint32_t size) {
    for (int i = 0; i < POLICY_FIELD_COUNT; i++) {
        if (strlen(rows[i].name) == size && memcmp(rows[i].name, name, size) == 0) return i;
    }
    return -1;
}

uint64_t policy_get(const struct policy *policy, uint32_t index) {
    uint64_t value;
    REQUIRE(index < POLICY_FIELD_COUNT);
    memcpy(&value, (const char *)policy + index * sizeof value, sizeof value);
    return value;
}

void policy_set(struct policy *policy, uint32_t index, uint64_t value) {
    REQUIRE(index < POLICY_FIELD_COUNT);
    memcpy((char *)policy + index * sizeof value, &value, sizeof value);
}

int policy_check(const struct policy *policy) {
    for (uint32_t i = 0; i < POLICY_FIELD_COUNT; i++) {
        uint64_t value = policy_get(policy, i);
        if (value < rows[i].min || value > rows[i].max) return (int)i;
    }
    return -1;
}

/* Words of the enumerated fields, in order of their values. */
#define WORDS_MAX 3
static const char *const words[POLICY_FIELD_COUNT][WORDS_MAX] = {
    [POLICY_INDEX_order] = {"fifo"},
    [POLICY_INDEX_reentry] = {"keep", "requeue"},
    [POLICY_INDEX_token_expires_on] = {"payment", "reservation"},
    [POLICY_INDEX_gate_dates] = {"false", "true"},
    [POLICY_INDEX_outage_credit] = {"false", "true"},
    [POLICY_INDEX_admit_first_at_once] = {"false", "true"},
};

enum policy_form policy_form(uint32_t index) {
    REQUIRE(index < POLICY_FIELD_COUNT);
    if (words[index][0]) {
        return strcmp(words[index][0], "false") == 0 ? POLICY_BOOLEAN : POLICY_WORD;
    }
    return rows[index].max == TIME_MS_MAX ? POLICY_MOMENT : POLICY_NUMBER;
}

const char *policy_value_name(uint32_t index, uint64_t value) {
    REQUIRE(index < POLICY_FIELD_COUNT);
    return value < WORDS_MAX ? words[index][value] : NULL;
}

int policy_value_find(uint32_t index, const char *word, uint32_t size) {
    REQUIRE(index < POLICY_FIELD_COUNT);
    for (int value = 0; value < WORDS_MAX; value++) {
        const char *candidate = words[index][value];
        if (candidate && strlen(candidate) == size && memcmp(candidate, word, size) == 0) {
            return value;
        }
    }
    return -1;
}
