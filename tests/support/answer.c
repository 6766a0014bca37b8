/* answer.c - see answer.h */
#include "tests/support/answer.h"

/* clang-format off: cmocka.h needs these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "net/client/client.h"

#define ANSWER_BYTES_MAX (4u * 1024u * 1024u)

struct answer {
    char method[32];
    const _Atomic bool *deaf;
    struct value_writer bytes; /* of the error or the result; nng's thread until `here` */
    int status;                /* enum client_status; likewise */
    bool is_error;             /* likewise */
    _Atomic bool here;
    const struct value *value;
    char code[32];
};

static void filled_in(void *context, const struct client_reply *reply) {
    struct answer *answer = context;
    const struct value *value = reply->error ? reply->error : reply->result;
    answer->status = atomic_load(answer->deaf) ? CLIENT_LOST : reply->status;
    answer->is_error = reply->error != NULL;
    if (answer->status == CLIENT_OK) value_write_value(&answer->bytes, value);
    atomic_store_explicit(&answer->here, true, memory_order_release);
}

static void write_param(struct value_writer *writer, const struct param *param) {
    value_write_text(writer, param->key);
    switch (param->kind) {
    case PARAM_TEXT: value_write_text(writer, param->text); break;
    case PARAM_NUMBER: value_write_uint(writer, param->number); break;
    case PARAM_FLAG: value_write_bool(writer, param->number != 0); break;
    case PARAM_NUMBERS:
        value_write_array(writer, param->count);
        for (uint32_t i = 0; i < param->count; i++) value_write_uint(writer, param->numbers[i]);
        break;
    case PARAM_ONE_TEXT:
        value_write_array(writer, 1);
        value_write_text(writer, param->text);
        break;
    case PARAM_RAW: value_write_raw(writer, param->raw->bytes, param->raw->size); break;
    }
}

struct answer *answer_send(struct client *client, const char *method, const struct param *params,
                           const _Atomic bool *deaf) {
    struct answer *answer = calloc(1, sizeof *answer);
    assert_non_null(answer);
    strncpy(answer->method, method, sizeof answer->method - 1);
    answer->deaf = deaf;
    value_writer_init(&answer->bytes, NULL, 0, ANSWER_BYTES_MAX);
    struct value_writer writer;
    uint32_t count = 0;
    while (params[count].key) count++;
    value_writer_init(&writer, NULL, 0, ANSWER_BYTES_MAX);
    value_write_map(&writer, count);
    for (uint32_t i = 0; i < count; i++) write_param(&writer, &params[i]);
    assert_false(writer.failed);
    assert_int_equal(client_call(client, method, &writer, filled_in, answer), 0);
    value_writer_deinit(&writer);
    return answer;
}

void answer_free(struct answer *answer) {
    value_writer_deinit(&answer->bytes);
    free(answer);
}

bool answer_is_here(const struct answer *answer) {
    return atomic_load_explicit(&answer->here, memory_order_acquire);
}

/* --- reading ---------------------------------------------------------------------------------- */

static const struct value *value_of(const struct answer *answer) {
    struct answer *own =
        (struct answer *)(uintptr_t)answer; /* parsing is not a change to callers */
    uint32_t used;
    assert_true(answer_is_here(answer));
    if (answer->status != CLIENT_OK) {
        fail_msg("%s: %s", answer->method, client_status_text(answer->status));
    }
    if (!own->value) {
        assert_int_equal(value_parse(own->bytes.bytes, own->bytes.size, &own->value, &used),
                         VALUE_OK);
    }
    return own->value;
}

bool answer_is_ok(const struct answer *answer) {
    assert_true(answer_is_here(answer));
    return answer->status == CLIENT_OK && !answer->is_error;
}

const char *answer_code(const struct answer *answer) {
    struct answer *own = (struct answer *)(uintptr_t)answer; /* as above */
    const char *text;
    uint32_t size;
    assert_true(answer_is_here(answer));
    if (answer->status != CLIENT_OK) return "(none)";
    if (!answer->is_error) return "";
    assert_true(value_get_text(value_find(value_of(answer), "code"), &text, &size));
    assert_true(size < sizeof own->code);
    memcpy(own->code, text, size);
    own->code[size] = '\0';
    return own->code;
}

bool answer_is(const struct answer *answer, const char *code) {
    bool is = strcmp(answer_code(answer), code) == 0;
    if (!is) print_message("# %s answered \"%s\"\n", answer->method, answer_code(answer));
    return is;
}

static const struct value *result(const struct answer *answer, const char *key) {
    if (!answer_is_ok(answer)) {
        fail_msg("%s: %s instead of \"%s\"", answer->method, answer_code(answer), key);
    }
    const struct value *value = value_find(value_of(answer), key);
    if (!value) fail_msg("the answer to %s has no \"%s\"", answer->method, key);
    return value;
}

uint64_t answer_number(const struct answer *answer, const char *key) {
    uint64_t number = 0;
    assert_true(value_get_uint(result(answer, key), &number));
    return number;
}

bool answer_flag(const struct answer *answer, const char *key) {
    bool flag = false;
    assert_true(value_get_bool(result(answer, key), &flag));
    return flag;
}

bool answer_says(const struct answer *answer, const char *key, const char *text) {
    return value_text_equal(result(answer, key), text);
}

bool answer_has(const struct answer *answer, const char *key) {
    return answer_is_ok(answer) && value_find(value_of(answer), key) != NULL;
}

void answer_copy_text(const struct answer *answer, const char *key, char *ret_text, uint32_t room) {
    const char *text;
    uint32_t size;
    assert_true(value_get_text(result(answer, key), &text, &size));
    assert_true(size < room);
    memcpy(ret_text, text, size);
    ret_text[size] = '\0';
}

uint64_t answer_data(const struct answer *answer, const char *key) {
    uint64_t number = 0;
    assert_true(answer_is_here(answer) && answer->is_error);
    assert_true(value_get_uint(value_find(value_find(value_of(answer), "data"), key), &number));
    return number;
}

const struct value *answer_list(const struct answer *answer, const char *key) {
    const struct value *list = result(answer, key);
    assert_int_equal(value_type(list), VALUE_ARRAY);
    return list;
}

const struct value *answer_map(const struct answer *answer, const char *key) {
    const struct value *map = result(answer, key);
    assert_int_equal(value_type(map), VALUE_MAP);
    return map;
}
