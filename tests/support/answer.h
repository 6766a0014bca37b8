/* answer.h - ask an engine by name and pairs, and read what it says
 *
 * An answer is a copy: it outlives the client's callback, and is read with functions that fail the
 * test where the answer lacks what is asked for.
 *
 * Threads: answer_send and all readers: the test's. One of nng's fills an answer in.
 */
#ifndef USHER_TESTS_SUPPORT_ANSWER_H
#define USHER_TESTS_SUPPORT_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "net/protocol/value.h"

struct client;

struct param {
    const char *key; /* NULL ends a list */
    enum { PARAM_TEXT, PARAM_NUMBER, PARAM_FLAG, PARAM_NUMBERS, PARAM_ONE_TEXT, PARAM_RAW } kind;
    const char *text;
    uint64_t number; /* PARAM_FLAG: 0 or 1 */
    const uint32_t *numbers;
    uint32_t count;
    const struct value_writer *raw; /* one whole value */
};
static inline struct param with_text(const char *key, const char *text) {
    return (struct param){.key = key, .kind = PARAM_TEXT, .text = text};
}
static inline struct param with_number(const char *key, uint64_t number) {
    return (struct param){.key = key, .kind = PARAM_NUMBER, .number = number};
}
static inline struct param with_flag(const char *key, bool flag) {
    return (struct param){.key = key, .kind = PARAM_FLAG, .number = flag};
}
static inline struct param with_numbers(const char *key, const uint32_t *numbers, uint32_t count) {
    return (struct param){.key = key, .kind = PARAM_NUMBERS, .numbers = numbers, .count = count};
}
/* An array with one text: a seat by its name. */
static inline struct param with_name(const char *key, const char *name) {
    return (struct param){.key = key, .kind = PARAM_ONE_TEXT, .text = name};
}
static inline struct param with_raw(const char *key, const struct value_writer *raw) {
    return (struct param){.key = key, .kind = PARAM_RAW, .raw = raw};
}
#define PARAMS(...) ((const struct param[]){__VA_ARGS__ __VA_OPT__(, ){.key = NULL}})

/* An answer, or the promise of one. */
struct answer;

/* answer_send - ask, do not wait
 * @deaf: while true, whatever comes counts as lost: the test has pulled the plug; borrowed
 * Return: owned by the caller until answer_free(), not before the client has called back
 * (client_close() makes it) */
struct answer *answer_send(struct client *client, const char *method, const struct param *params,
                           const _Atomic bool *deaf);
void answer_free(struct answer *answer);
/* answer_is_here - or it is sure that none comes; from then on it may be read */
bool answer_is_here(const struct answer *answer);

/* What it says. An answer that is not a result, or lacks the key, fails the test. */
bool answer_is_ok(const struct answer *answer);
/* The error's code; "" for a result; "(none)" where no response came. */
const char *answer_code(const struct answer *answer);
bool answer_is(const struct answer *answer, const char *code);
uint64_t answer_number(const struct answer *answer, const char *key);
bool answer_flag(const struct answer *answer, const char *key);
bool answer_says(const struct answer *answer, const char *key, const char *text);
bool answer_has(const struct answer *answer, const char *key);
void answer_copy_text(const struct answer *answer, const char *key, char *ret_text, uint32_t room);
/* An integer of the error's data. */
uint64_t answer_data(const struct answer *answer, const char *key);
const struct value *answer_list(const struct answer *answer, const char *key);
const struct value *answer_map(const struct answer *answer, const char *key);

#endif
