/* describe.c - see describe.h
 *
 * Happy path: each visitor function looks its field up in `meanings` and writes one value. There is
 * no failure but memory of the JSON library, which ends the process: tools have nothing to save.
 * Thread: any; no state.
 */
#include "replay/tell/describe.h"

#include <stdarg.h>
#include <stdio.h>

#include "engine/domain/account/account.h"
#include "engine/domain/error.h"
#include "engine/base/require.h"
#include "replay/tell/text.h"

/* --- what a field means ----------------------------------------------------------------------- */

enum meaning {
    MEANING_PLAIN = 0,
    MEANING_TIME, /* Unix ms */
    MEANING_BOOL,
    MEANING_HASH,
    MEANING_NAME,   /* a number with a name */
    MEANING_SECRET, /* guards a token, or a table against crafted keys */
};

static const char *transfer_state_name(uint32_t state) {
    return state == TRANSFER_RESERVED   ? "reserved"
           : state == TRANSFER_REFUNDED ? "refunded"
                                        : "unknown";
}

/* The first row that fits counts. entity: of this kind alone; 0: of any, and of decisions. */
static const struct {
    uint16_t entity;
    const char *field;
    enum meaning meaning;
    const char *(*name)(uint32_t number);
} meanings[] = {
    {0, "starts_at", MEANING_TIME, NULL},
    {0, "expires_at", MEANING_TIME, NULL},
    {0, "sales_open_at", MEANING_TIME, NULL},
    {0, "sales_end_at", MEANING_TIME, NULL},
    {0, "refund_until", MEANING_TIME, NULL},
    {0, "held_at", MEANING_TIME, NULL},
    {0, "since", MEANING_TIME, NULL},
    {0, "changed_at", MEANING_TIME, NULL},
    {0, "time_ms", MEANING_TIME, NULL},
    {0, "last_time_ms", MEANING_TIME, NULL},
    {0, "interval_began_ms", MEANING_TIME, NULL},
    {0, "last_admission_ms", MEANING_TIME, NULL},
    {0, "for_sale", MEANING_BOOL, NULL},
    {0, "token_expired", MEANING_BOOL, NULL},
    {0, "at_once", MEANING_BOOL, NULL},
    {0, "token_spent", MEANING_BOOL, NULL},
    {0, "hash", MEANING_HASH, NULL},
    {0, "chain", MEANING_HASH, NULL},
    {0, "end", MEANING_NAME, token_end_name},
    {0, "error", MEANING_NAME, error_name},
    {0, "reason", MEANING_NAME, ledger_reason_name},
    {0, "cause", MEANING_NAME, outage_cause_name},
    {0, "secret", MEANING_SECRET, NULL},
    {0, "seed", MEANING_SECRET, NULL},
    {ENTITY_DATE, "state", MEANING_NAME, date_state_name},
    {ENTITY_WAITER, "state", MEANING_NAME, token_state_name},
    {ENTITY_TRANSFER, "state", MEANING_NAME, transfer_state_name},
    {0, "state", MEANING_NAME, reservation_state_name},
};

/* Whose fields these are, and how to show them. */
struct view {
    uint16_t entity; /* 0: a decision's */
    uint32_t flags;
};

#define HIDDEN "\xE2\x80\xA6" /* an ellipsis */

static enum meaning meaning_of(const struct view *view, const char *field,
                               const char *(**ret_name)(uint32_t)) {
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        if (meanings[i].entity != 0 && meanings[i].entity != view->entity) continue;
        if (strcmp(meanings[i].field, field) != 0) continue;
        *ret_name = meanings[i].name;
        return meanings[i].meaning;
    }
    return MEANING_PLAIN;
}

enum form { FORM_NUMBER, FORM_BOOL, FORM_TEXT, FORM_NONE };

/* How a number is shown. ret_text: on FORM_TEXT only. */
static enum form number_form(const struct view *view, const char *field, uint64_t value,
                             char ret_text[TEXT_TIME_BYTES]) {
    const char *(*name)(uint32_t) = NULL;
    switch (meaning_of(view, field, &name)) {
    case MEANING_TIME:
        /* A state has moments that have not come yet; a decision has no such thing. */
        if (view->entity != 0 && value == 0) return FORM_NONE;
        text_time(value, ret_text);
        return FORM_TEXT;
    case MEANING_SECRET:
        if (!(view->flags & DESCRIBE_TOKEN_SECRETS)) {
            snprintf(ret_text, TEXT_TIME_BYTES, "%s", HIDDEN);
            return FORM_TEXT;
        }
        __attribute__((fallthrough));
    case MEANING_HASH:
        snprintf(ret_text, TEXT_TIME_BYTES, "0x%016llx", (unsigned long long)value);
        return FORM_TEXT;
    case MEANING_NAME:
        snprintf(ret_text, TEXT_TIME_BYTES, "%s", name((uint32_t)value));
        return FORM_TEXT;
    case MEANING_BOOL: return FORM_BOOL;
    default: return FORM_NUMBER;
    }
}

static void id_text(const struct view *view, const char *field, const struct id128 *value,
                    char ret_text[TEXT_UUID_BYTES]) {
    const char *(*name)(uint32_t) = NULL;
    bool secret = meaning_of(view, field, &name) == MEANING_SECRET;
    if (secret && !(view->flags & DESCRIBE_TOKEN_SECRETS))
        snprintf(ret_text, TEXT_UUID_BYTES, "%s", HIDDEN);
    else if (id128_is_none(value))
        snprintf(ret_text, TEXT_UUID_BYTES, "none");
    else
        text_uuid(value, ret_text);
}

/* --- text ------------------------------------------------------------------------------------- */

struct described_line {
    char *at, *end;
    struct view view;
};

__attribute__((format(printf, 2, 3))) static void put(struct described_line *line,
                                                      const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line->at, (size_t)(line->end - line->at), format, arguments);
    va_end(arguments);
    REQUIRE(size >= 0 && size < line->end - line->at); /* DESCRIBE_LINE_BYTES is enough */
    line->at += size;
}

static void text_number(void *context, const char *field, uint64_t value) {
    struct described_line *line = context;
    char text[TEXT_TIME_BYTES];
    switch (number_form(&line->view, field, value, text)) {
    case FORM_NONE: put(line, " %s=none", field); break;
    case FORM_TEXT: put(line, " %s=%s", field, text); break;
    case FORM_BOOL: put(line, " %s=%s", field, value ? "true" : "false"); break;
    default: put(line, " %s=%llu", field, (unsigned long long)value);
    }
}

static void text_id(void *context, const char *field, const struct id128 *value) {
    struct described_line *line = context;
    char text[TEXT_UUID_BYTES];
    id_text(&line->view, field, value, text);
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
        else if (byte == 0xC2 && (uint8_t)clean[i + 1] < 0xA0) /* U+0080..U+009F steer terminals */
            put(context, "\\u%04x", (uint8_t)clean[++i]);
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
    struct described_line *line = context;
    put(line, " %s={", field);
    for (uint32_t i = 0; i < POLICY_FIELD_COUNT; i++) {
        uint64_t number = policy_get(value, i);
        const char *name = policy_row(i)->name, *word = policy_value_name(i, number);
        char text[TEXT_TIME_BYTES];
        put(line, "%s%s=", i ? " " : "", name);
        if (word)
            put(line, "%s", word);
        else if (number != 0 && number_form(&line->view, name, number, text) == FORM_TEXT)
            put(line, "%s", text);
        else
            put(line, "%llu", (unsigned long long)number);
    }
    put(line, "}");
}

static struct decision_visitor text_visitor(struct described_line *line) {
    return (struct decision_visitor){line,      text_number,  text_id,
                                     text_text, text_numbers, text_policy};
}

size_t describe_text(const struct decision *decision, uint64_t lsn, uint32_t flags,
                     char ret_line[DESCRIBE_LINE_BYTES]) {
    struct described_line line = {ret_line, ret_line + DESCRIBE_LINE_BYTES, {0, flags}};
    const struct decision_visitor visitor = text_visitor(&line);
    char time[TEXT_TIME_BYTES], partition[TEXT_PARTITION_BYTES];
    text_time(decision->time_ms, time);
    text_partition(decision->partition, partition);
    put(&line, "lsn=%llu %s %s %s", (unsigned long long)lsn, time, partition,
        decision_name(decision->kind));
    decision_visit(decision, &visitor);
    return (size_t)(line.at - ret_line);
}

size_t describe_entity_text(const struct entity *entity, uint32_t flags,
                            char ret_line[DESCRIBE_LINE_BYTES]) {
    struct described_line line = {ret_line, ret_line + DESCRIBE_LINE_BYTES, {entity->kind, flags}};
    const struct decision_visitor visitor = text_visitor(&line);
    put(&line, "%s", entity_name(entity->kind));
    entity_visit(entity, &visitor);
    return (size_t)(line.at - ret_line);
}

/* --- JSON ------------------------------------------------------------------------------------- */

struct object {
    json_t *fields;
    struct view view;
};

static void set(json_t *object, const char *key, json_t *value) {
    int failed = json_object_set_new(object, key, value);
    REQUIRE(!failed); /* memory, or text that text_clean() let through */
}

static void json_number(void *context, const char *field, uint64_t value) {
    struct object *object = context;
    char text[TEXT_TIME_BYTES];
    switch (number_form(&object->view, field, value, text)) {
    case FORM_NONE: set(object->fields, field, json_null()); break;
    case FORM_TEXT: set(object->fields, field, json_string(text)); break;
    case FORM_BOOL: set(object->fields, field, json_boolean(value != 0)); break;
    default: set(object->fields, field, json_integer((json_int_t)value));
    }
}

static void json_id(void *context, const char *field, const struct id128 *value) {
    struct object *object = context;
    char text[TEXT_UUID_BYTES];
    id_text(&object->view, field, value, text);
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

static struct decision_visitor json_visitor(struct object *object) {
    return (struct decision_visitor){object,    json_number,  json_id,
                                     json_text, json_numbers, json_policy};
}

json_t *describe_entity_fields(const struct entity *entity, uint32_t flags) {
    struct object object = {json_object(), {entity->kind, flags}};
    const struct decision_visitor visitor = json_visitor(&object);
    entity_visit(entity, &visitor);
    return object.fields;
}

json_t *describe_decision(const struct decision *decision, uint64_t lsn, uint32_t flags) {
    struct object object = {json_object(), {0, flags}};
    const struct decision_visitor visitor = json_visitor(&object);
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
    return line;
}

size_t describe_json(const struct decision *decision, uint64_t lsn, uint32_t flags,
                     char ret_line[DESCRIBE_LINE_BYTES]) {
    json_t *line = describe_decision(decision, lsn, flags);
    size_t size = json_dumpb(line, ret_line, DESCRIBE_LINE_BYTES - 1, JSON_COMPACT);
    REQUIRE(size > 0 && size < DESCRIBE_LINE_BYTES);
    ret_line[size] = '\0';
    json_decref(line);
    return size;
}
