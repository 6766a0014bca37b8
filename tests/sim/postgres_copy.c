/* postgres_copy.c - COPY's binary format back into records of the log
 *
 * Happy path: the columns of a row are read as their table was created, not as replay happens to
 * write them; each becomes the field of its name; the decision is encoded again.
 * Failure modes: a stream or a table that PostgreSQL would refuse, or a number that its field
 * cannot hold: a static text says so.
 */
#include <stddef.h>
#include <string.h>

#include "tests/sim/postgres_server.h"

#define POSTGRES_EPOCH_MS 946684800000ll /* 2000-01-01 in Unix ms */
#define BIGINT_OID 20u

/* --- tables ----------------------------------------------------------------------------------- */

static const struct {
    const char *words;
    enum column_type type;
    bool not_null;
} types[] = {
    {"bigint NOT NULL *", COLUMN_BIGINT, true},
    {"bigint[] NOT NULL *", COLUMN_BIGINTS, true},
    {"bigint *", COLUMN_BIGINT, false},
    {"timestamptz NOT NULL *", COLUMN_TIME, true},
    {"uuid *", COLUMN_UUID, false},
    {"text NOT NULL *", COLUMN_TEXT, true},
    {"jsonb NOT NULL *", COLUMN_JSONB, true},
};

static bool read_type(const char **at, const char *end, struct column *column) {
    struct match match;
    for (uint32_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (!match_statement(*at, end, types[i].words, &match, at)) continue;
        column->type = types[i].type;
        column->not_null = types[i].not_null;
        return true;
    }
    return false;
}

bool copy_table(uint32_t kind, const char *columns, const char *end,
                struct staging_table *ret_table) {
    const char *at = columns;
    struct match match;
    *ret_table = (struct staging_table){.kind = kind};
    do {
        if (ret_table->column_count == TABLE_COLUMNS_MAX) return false;
        struct column *column = &ret_table->columns[ret_table->column_count++];
        if (!match_statement(at, end, "%i *", &match, &at)) return false;
        memcpy(column->name, match.values[0].word, sizeof column->name);
        if (!read_type(&at, end, column)) return false;
    } while (match_statement(at, end, ", *", &match, &at));
    ret_table->keeps_rows = match_statement(at, end, ")", &match, NULL);
    return ret_table->keeps_rows ||
           match_statement(at, end, ") ON COMMIT DELETE ROWS", &match, NULL);
}

/* --- values ----------------------------------------------------------------------------------- */

struct cursor {
    const uint8_t *at, *end;
    bool bad;
};

/* One field of a row, whatever its type. */
struct value {
    bool null;
    uint64_t number;
    struct id128 id;
    struct text text;
    struct numbers numbers;
    struct policy policy;
};

static uint64_t big_endian(struct cursor *cursor, uint32_t bytes) {
    uint64_t value = 0;
    if (cursor->end - cursor->at < (ptrdiff_t)bytes) {
        cursor->bad = true;
        return 0;
    }
    for (uint32_t i = 0; i < bytes; i++) value = value << 8 | *cursor->at++;
    return value;
}

static void read_bigints(struct cursor *cursor, struct value *value) {
    uint64_t dimensions = big_endian(cursor, 4), has_null = big_endian(cursor, 4);
    uint64_t oid = big_endian(cursor, 4), count = 0, lower = 1;
    if (dimensions == 1) {
        count = big_endian(cursor, 4);
        lower = big_endian(cursor, 4);
    }
    if (dimensions > 1 || has_null || oid != BIGINT_OID || count > SEATS_PER_USER_MAX ||
        lower != 1) {
        cursor->bad = true;
        return;
    }
    value->numbers.count = (uint8_t)count;
    for (uint32_t i = 0; i < count; i++) {
        if (big_endian(cursor, 4) != 8) cursor->bad = true;
        uint64_t number = big_endian(cursor, 8);
        if (number > UINT32_MAX) cursor->bad = true;
        value->numbers.values[i] = (uint32_t)number;
    }
}

/* {"order": "fifo",...}: every field of a policy once, in any order. */
static bool read_policy(const char *at, const char *end, struct policy *policy) {
    struct match match;
    uint32_t seen = 0;
    if (!match_statement(at, end, "{ *", &match, &at)) return false;
    do {
        const char *value_at;
        if (!match_statement(at, end, "%i : *", &match, &value_at)) return false;
        int index = policy_find(match.values[0].word, (uint32_t)strlen(match.values[0].word));
        if (index < 0 || seen & 1u << index) return false;
        seen |= 1u << index;
        if (match_statement(value_at, end, "%n *", &match, &at)) {
            policy_set(policy, (uint32_t)index, match.values[0].number);
            continue;
        }
        if (!match_statement(value_at, end, "%i *", &match, &at)) return false;
        const char *word = match.values[0].word;
        int number = policy_value_find((uint32_t)index, word, (uint32_t)strlen(word));
        if (number < 0) return false;
        policy_set(policy, (uint32_t)index, (uint64_t)number);
    } while (match_statement(at, end, ", *", &match, &at));
    return seen == (1u << POLICY_FIELD_COUNT) - 1 && match_statement(at, end, "}", &match, NULL);
}

static void read_value(struct cursor *cursor, const struct column *column, struct value *value) {
    uint32_t size = (uint32_t)big_endian(cursor, 4);
    *value = (struct value){.null = size == UINT32_MAX};
    if (value->null) {
        if (column->not_null) cursor->bad = true;
        return;
    }
    if (cursor->bad || (uint64_t)(cursor->end - cursor->at) < size) {
        cursor->bad = true;
        return;
    }
    const uint8_t *end = cursor->at + size;
    switch (column->type) {
    case COLUMN_BIGINT: value->number = big_endian(cursor, 8); break;
    case COLUMN_TIME:
        value->number = (uint64_t)((int64_t)big_endian(cursor, 8) / 1000 + POSTGRES_EPOCH_MS);
        break;
    case COLUMN_UUID:
        if (size == sizeof value->id) memcpy(&value->id, cursor->at, sizeof value->id);
        cursor->at += size == sizeof value->id ? size : 0;
        break;
    case COLUMN_TEXT:
        if (size > TEXT_BYTES_MAX) cursor->bad = true;
        value->text = (struct text){(const char *)cursor->at, (uint8_t)size};
        cursor->at = end;
        break;
    case COLUMN_BIGINTS: read_bigints(cursor, value); break;
    case COLUMN_JSONB:
        if (size == 0 || cursor->at[0] != 1 ||
            !read_policy((const char *)cursor->at + 1, (const char *)end, &value->policy)) {
            cursor->bad = true;
        }
        cursor->at = end;
        break;
    }
    if (cursor->at != end) cursor->bad = true;
}

/* --- fields ----------------------------------------------------------------------------------- */

static bool set_u8(uint8_t *field, const struct value *value) {
    *field = (uint8_t)value->number;
    return value->number <= UINT8_MAX;
}
static bool set_u16(uint16_t *field, const struct value *value) {
    *field = (uint16_t)value->number;
    return value->number <= UINT16_MAX;
}
static bool set_u32(uint32_t *field, const struct value *value) {
    *field = (uint32_t)value->number;
    return value->number <= UINT32_MAX;
}
static bool set_u64(uint64_t *field, const struct value *value) {
    *field = value->number;
    return value->number <= INT64_MAX;
}
static bool set_id(struct id128 *field, const struct value *value) {
    *field = value->id; /* NULL is none, which is all zero */
    return true;
}
static bool set_text(struct text *field, const struct value *value) {
    *field = value->text;
    return true;
}
static bool set_numbers(struct numbers *field, const struct value *value) {
    *field = value->numbers;
    return true;
}
static bool set_policy(struct policy *field, const struct value *value) {
    *field = value->policy;
    return true;
}

/* Return: false if the decision's kind has no such field, or it cannot hold the value */
static bool set_field(struct decision *decision, const char *name, const struct value *value) {
    switch (decision->kind) {
#define SET(type, field)                                                                           \
    if (strcmp(name, #field) == 0) return set_##type(&body->field, value);
#define DECISION(number, NAME, name_, OWNER)                                                       \
    case DECISION_##NAME: {                                                                        \
        struct decision_##name_ *body = &decision->name_;                                          \
        (void)body;                                                                                \
        FIELDS_##name_(SET) return false;                                                          \
    }
#include "engine/domain/decision.def"
#undef DECISION
#undef SET
    default: return false;
    }
}

static uint32_t field_count(uint32_t kind) {
    switch (kind) {
#define ONE(type, field) +1
#define DECISION(number, NAME, name, OWNER)                                                        \
    case DECISION_##NAME:                                                                          \
        return 0 FIELDS_##name(ONE);
#include "engine/domain/decision.def"
#undef DECISION
#undef ONE
    default: return 0;
    }
}

/* --- rows ------------------------------------------------------------------------------------- */

struct user_of {
    bool found;
    struct id128 user;
};

static void skip_number(void *context, const char *field, uint64_t value) {
    (void)context, (void)field, (void)value;
}
static void skip_text(void *context, const char *field, const struct text *value) {
    (void)context, (void)field, (void)value;
}
static void skip_numbers(void *context, const char *field, const struct numbers *value) {
    (void)context, (void)field, (void)value;
}
static void skip_policy(void *context, const char *field, const struct policy *value) {
    (void)context, (void)field, (void)value;
}
static void find_user(void *context, const char *field, const struct id128 *value) {
    struct user_of *user = context;
    if (strcmp(field, "user") != 0) return;
    user->found = true;
    user->user = *value;
}

/* No column says it of accounts and the catalogue, but it follows from the row. */
static uint32_t partition_of_row(const struct decision *decision, const struct value *date) {
    struct user_of user = {0};
    const struct decision_visitor visitor = {&user,     skip_number,  find_user,
                                             skip_text, skip_numbers, skip_policy};
    if (!date->null) return partition_of_date((uint32_t)date->number);
    decision_visit(decision, &visitor);
    return user.found ? partition_of_user(&user.user) : PARTITION_CATALOGUE;
}

static const char *read_row(struct cursor *cursor, const struct staging_table *table,
                            struct rows *rows) {
    struct decision decision = {.kind = (uint16_t)table->kind};
    struct value value, date = {.null = true};
    uint8_t record[RECORD_BYTES_MAX];
    uint64_t lsn = 0;
    uint32_t fields = 0;
    for (uint32_t i = 0; i < table->column_count; i++) {
        const char *name = table->columns[i].name;
        read_value(cursor, &table->columns[i], &value);
        if (cursor->bad) return "a COPY row cannot be read as its table's columns";
        if (strcmp(name, "_lsn") == 0) {
            lsn = value.number;
        } else if (strcmp(name, "_at") == 0) {
            decision.time_ms = value.number;
        } else if (strcmp(name, "_date") == 0) {
            date = value;
        } else if (set_field(&decision, name, &value)) {
            fields++;
        } else {
            return "a column of a COPY row is no field of this kind, or out of its range";
        }
    }
    if (fields != field_count(table->kind)) return "a field of this kind has no column";
    decision.partition = partition_of_row(&decision, &date);
    rows_add(rows, lsn, record, decision_encode(&decision, record));
    return NULL;
}

const char *copy_rows(const struct staging_table *table, const uint8_t *bytes, size_t size,
                      struct rows *rows) {
    static const uint8_t header[19] = "PGCOPY\n\377\r\n";
    struct cursor cursor = {bytes, bytes + size, false};
    if (size < sizeof header || memcmp(bytes, header, sizeof header) != 0) {
        return "a COPY stream has no header";
    }
    cursor.at += sizeof header;
    for (;;) {
        uint64_t columns = big_endian(&cursor, 2);
        if (cursor.bad) return "a COPY stream has no end";
        if (columns == UINT16_MAX) break;
        if (columns != table->column_count) return "a COPY row has too few or too many columns";
        const char *wrong = read_row(&cursor, table, rows);
        if (wrong) return wrong;
    }
    return cursor.at == cursor.end ? NULL : "a COPY stream goes on after its end";
}
