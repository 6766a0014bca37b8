/* describe.c - see describe.h
 *
 * Happy path: each visitor function looks its field up in `meanings` and writes one value. There is
 * no failure but memory of the JSON library, which ends the process: tools have nothing to save.
 * Thread: any; no state.
 */
#include "replay/describe.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>

#include "engine/domain/error.h"
#include "engine/require.h"
#include "replay/text.h"

/* --- what a field means -------------------------------------------------------------------- */

enum meaning {
    MEANING_PLAIN = 0,
    MEANING_TIME, /* Unix ms */
    MEANING_BOOL,
    MEANING_HASH,
    MEANING_NAME,   /* a number with a name */
    MEANING_SECRET, /* guards a token */
};

static const struct {
    const char *field;
    enum meaning meaning;
    const char *(*name)(uint32_t number);
} meanings[] = {
    {"starts_at", MEANING_TIME, NULL},     {"expires_at", MEANING_TIME, NULL},
    {"sales_open_at", MEANING_TIME, NULL}, {"for_sale", MEANING_BOOL, NULL},
    {"token_expired", MEANING_BOOL, NULL}, {"hash", MEANING_HASH, NULL},
    {"end", MEANING_NAME, token_end_name}, {"state", MEANING_NAME, reservation_state_name},
    {"error", MEANING_NAME, error_name},   {"secret", MEANING_SECRET, NULL},
};

#define HIDDEN "\xE2\x80\xA6" /* an ellipsis */

static enum meaning meaning_of(const char *field, const char *(**ret_name)(uint32_t)) {
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        if (strcmp(meanings[i].field, field) != 0) continue;
        *ret_name = meanings[i].name;
        return meanings[i].meaning;
    }
    return MEANING_PLAIN;
}

/* The text of a number that is more than a number; false if it is plain or a bool. */
static bool number_text(const char *field, uint64_t value, char ret_text[TEXT_TIME_BYTES]) {
    const char *(*name)(uint32_t) = NULL;
    switch (meaning_of(field, &name)) {
    case MEANING_TIME: text_time(value, ret_text); return true;
    case MEANING_HASH:
        snprintf(ret_text, TEXT_TIME_BYTES, "0x%016llx", (unsigned long long)value);
        return true;
    case MEANING_NAME:
        snprintf(ret_text, TEXT_TIME_BYTES, "%s", name((uint32_t)value));
        return true;
    default: return false;
    }
}

static bool number_is_bool(const char *field) {
    const char *(*name)(uint32_t) = NULL;
    return meaning_of(field, &name) == MEANING_BOOL;
}

static void id_text(const char *field, const struct id128 *value, uint32_t flags,
                    char ret_text[TEXT_UUID_BYTES]) {
    const char *(*name)(uint32_t) = NULL;
    bool hidden = meaning_of(field, &name) == MEANING_SECRET && !(flags & DESCRIBE_TOKEN_SECRETS);
    if (hidden)
        snprintf(ret_text, TEXT_UUID_BYTES, "%s", HIDDEN);
    else if (id128_is_none(value))
        snprintf(ret_text, TEXT_UUID_BYTES, "none");
    else
        text_uuid(value, ret_text);
}

/* --- text ---------------------------------------------------------------------------------- */

struct line {
    char *at, *end;
    uint32_t flags;
};

__attribute__((format(printf, 2, 3))) static void put(struct line *line, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line->at, (size_t)(line->end - line->at), format, arguments);
    va_end(arguments);
    REQUIRE(size >= 0 && size < line->end - line->at); /* DESCRIBE_LINE_BYTES is enough */
    line->at += size;
}

static void text_number(void *context, const char *field, uint64_t value) {
    char text[TEXT_TIME_BYTES];
    if (number_text(field, value, text))
        put(context, " %s=%s", field, text);
    else if (number_is_bool(field))
        put(context, " %s=%s", field, value ? "true" : "false");
    else
        put(context, " %s=%llu", field, (unsigned long long)value);
}

static void text_id(void *context, const char *field, const struct id128 *value) {
    struct line *line = context;
    char text[TEXT_UUID_BYTES];
    id_text(field, value, line->flags, text);
    put(line, " %s=%s", field, text);
}

static void text_text(void *context, const char *field, const struct text *value) {
    char clean[TEXT_CLEAN_BYTES];
    size_t size = text_clean(value, clean);
    put(context, " %s=\"", field);
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)clean[i];
        if (byte == '"' || byte == '\\')
            put(context, "\\%c", byte);
        else if (byte < 0x20 || byte == 0x7F)
            put(context, "\\u%04x", byte);
        else
            put(context, "%c", byte);
    }
    put(context, "\"");
}

static void text_numbers(void *context, const char *field, const struct numbers *value) {
    put(context, " %s=[", field);
    for (uint32_t i = 0; i < value->count; i++) {
        put(context, "%s%u", i ? "," : "", value->values[i]);
    }
    put(context, "]");
}

static void text_policy(void *context, const char *field, const struct policy *value) {
    put(context, " %s={", field);
    for (uint32_t i = 0; i < POLICY_FIELD_COUNT; i++) {
        uint64_t number = policy_get(value, i);
        const char *name = policy_row(i)->name, *word = policy_value_name(i, number);
        char text[TEXT_TIME_BYTES];
        put(context, "%s%s=", i ? " " : "", name);
        if (word)
            put(context, "%s", word);
        else if (number != 0 && number_text(name, number, text))
            put(context, "%s", text);
        else
            put(context, "%llu", (unsigned long long)number);
    }
    put(context, "}");
}

size_t describe_text(const struct decision *decision, uint64_t lsn, uint32_t flags,
                     char ret_line[DESCRIBE_LINE_BYTES]) {
    struct line line = {ret_line, ret_line + DESCRIBE_LINE_BYTES, flags};
    const struct decision_visitor visitor = {&line,     text_number,  text_id,
                                             text_text, text_numbers, text_policy};
    char time[TEXT_TIME_BYTES], partition[TEXT_PARTITION_BYTES];
    text_time(decision->time_ms, time);
    text_partition(decision->partition, partition);
    put(&line, "lsn=%llu %s %s %s", (unsigned long long)lsn, time, partition,
        decision_name(decision->kind));
    decision_visit(decision, &visitor);
    return (size_t)(line.at - ret_line);
}

/* --- JSON ---------------------------------------------------------------------------------- */

struct object {
    json_t *fields;
    uint32_t flags;
};

static void set(json_t *object, const char *key, json_t *value) {
    int failed = json_object_set_new(object, key, value);
    REQUIRE(!failed); /* memory, or text that text_clean() let through */
}

static void json_number(void *context, const char *field, uint64_t value) {
    struct object *object = context;
    char text[TEXT_TIME_BYTES];
    if (number_text(field, value, text))
        set(object->fields, field, json_string(text));
    else if (number_is_bool(field))
        set(object->fields, field, json_boolean(value != 0));
    else
        set(object->fields, field, json_integer((json_int_t)value));
}

static void json_id(void *context, const char *field, const struct id128 *value) {
    struct object *object = context;
    char text[TEXT_UUID_BYTES];
    id_text(field, value, object->flags, text);
    set(object->fields, field, json_string(text));
}

static void json_text(void *context, const char *field, const struct text *value) {
    struct object *object = context;
    char clean[TEXT_CLEAN_BYTES];
    size_t size = text_clean(value, clean);
    set(object->fields, field, json_stringn(clean, size));
}

static void json_numbers(void *context, const char *field, const struct numbers *value) {
    struct object *object = context;
    json_t *array = json_array();
    for (uint32_t i = 0; i < value->count; i++) {
        int failed = json_array_append_new(array, json_integer(value->values[i]));
        REQUIRE(!failed);
    }
    set(object->fields, field, array);
}

static void json_policy(void *context, const char *field, const struct policy *value) {
    struct object *object = context;
    json_t *policy = json_object();
    for (uint32_t i = 0; i < POLICY_FIELD_COUNT; i++) {
        uint64_t number = policy_get(value, i);
        const char *word = policy_value_name(i, number);
        set(policy, policy_row(i)->name,
            word ? json_string(word) : json_integer((json_int_t)number));
    }
    set(object->fields, field, policy);
}

size_t describe_json(const struct decision *decision, uint64_t lsn, uint32_t flags,
                     char ret_line[DESCRIBE_LINE_BYTES]) {
    struct object object = {json_object(), flags};
    const struct decision_visitor visitor = {&object,   json_number,  json_id,
                                             json_text, json_numbers, json_policy};
    char time[TEXT_TIME_BYTES], partition[TEXT_PARTITION_BYTES];
    text_time(decision->time_ms, time);
    text_partition(decision->partition, partition);
    decision_visit(decision, &visitor);

    json_t *line = json_object();
    set(line, "lsn", json_integer((json_int_t)lsn));
    set(line, "time", json_string(time));
    set(line, "partition", json_string(partition));
    set(line, "kind", json_string(decision_name(decision->kind)));
    set(line, "fields", object.fields);
    size_t size = json_dumpb(line, ret_line, DESCRIBE_LINE_BYTES - 1, JSON_COMPACT);
    REQUIRE(size > 0 && size < DESCRIBE_LINE_BYTES);
    ret_line[size] = '\0';
    json_decref(line);
    return size;
}
