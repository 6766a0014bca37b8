/* stage.c - see stage.h */
#include "replay/postgres/stage.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/base/require.h"
#include "replay/postgres/statements.h"
#include "replay/tell/text.h"

/* The binary COPY format: PostgreSQL's documentation of COPY, "Binary Format". Everything is
 * big-endian; a field is its size in 4 bytes, -1 for NULL, and its value as the type's send
 * function writes it. */
static const uint8_t copy_header[19] = "PGCOPY\n\377\r\n"; /* and 8 bytes of zero */
static const uint8_t copy_trailer[2] = {0xFF, 0xFF};
#define POSTGRES_EPOCH_MS 946684800000ll /* 2000-01-01 in Unix ms */
#define BIGINT_OID 20u

struct stream {
    uint8_t *bytes;
    size_t size, capacity;
    bool finished;
};

struct stage {
    struct stream streams[STAGE_KINDS_MAX]; /* by kind */
    uint64_t records;
    size_t bytes;
};

/* --- what is staged --------------------------------------------------------------------------- */

static bool decided_by_its_owner(const struct decision *decision) {
    uint32_t partition = decision->partition;
    switch (decision_owner(decision->kind)) {
    case OWNER_CATALOGUE: return partition == PARTITION_CATALOGUE;
    case OWNER_DATE:
        return partition > PARTITION_DATE_FIRST && partition <= partition_of_date(DATES_MAX);
    case OWNER_ACCOUNT: return partition_is_account(partition);
    default: return true;
    }
}

/* --- streams ---------------------------------------------------------------------------------- */

static uint8_t *reserve(struct stream *stream, size_t size) {
    if (stream->size + size > stream->capacity) {
        size_t capacity = stream->capacity ? stream->capacity * 2 : 4096;
        while (capacity < stream->size + size) capacity *= 2;
        stream->bytes = realloc(stream->bytes, capacity);
        REQUIRE_MEMORY(stream->bytes != NULL);
        stream->capacity = capacity;
    }
    uint8_t *at = stream->bytes + stream->size;
    stream->size += size;
    return at;
}

static void put_bytes(struct stream *stream, const void *bytes, size_t size) {
    if (size > 0) memcpy(reserve(stream, size), bytes, size);
}
static void put_u16(struct stream *stream, uint16_t value) {
    value = __builtin_bswap16(value);
    put_bytes(stream, &value, sizeof value);
}
static void put_u32(struct stream *stream, uint32_t value) {
    value = __builtin_bswap32(value);
    put_bytes(stream, &value, sizeof value);
}
static void put_u64(struct stream *stream, uint64_t value) {
    value = __builtin_bswap64(value);
    put_bytes(stream, &value, sizeof value);
}
static void put_null(struct stream *stream) { put_u32(stream, UINT32_MAX); }
static void put_bigint(struct stream *stream, uint64_t value) {
    put_u32(stream, 8);
    put_u64(stream, value);
}

struct stage_row {
    struct stream *stream;
    bool unfit;
};

static void put_number(void *context, const char *field, uint64_t value) {
    struct stage_row *row = context;
    (void)field; /* columns are in the fields' order */
    if (value > INT64_MAX) row->unfit = true;
    put_bigint(row->stream, value);
}

static void put_id(void *context, const char *field, const struct id128 *value) {
    struct stage_row *row = context;
    (void)field;
    if (id128_is_none(value)) {
        put_null(row->stream);
        return;
    }
    put_u32(row->stream, sizeof value->bytes);
    put_bytes(row->stream, value->bytes, sizeof value->bytes);
}

static void put_text(void *context, const char *field, const struct text *value) {
    struct stage_row *row = context;
    char clean[TEXT_CLEAN_BYTES];
    (void)field;
    size_t size = text_clean(value, clean);
    put_u32(row->stream, (uint32_t)size);
    put_bytes(row->stream, clean, size);
}

static void put_numbers(void *context, const char *field, const struct numbers *value) {
    struct stage_row *row = context;
    (void)field;
    bool empty = value->count == 0;
    put_u32(row->stream, empty ? 12u : 20u + 12u * value->count);
    put_u32(row->stream, empty ? 0 : 1); /* dimensions */
    put_u32(row->stream, 0);             /* has no NULL */
    put_u32(row->stream, BIGINT_OID);
    if (empty) return;
    put_u32(row->stream, value->count);
    put_u32(row->stream, 1); /* lower bound */
    for (uint32_t i = 0; i < value->count; i++) put_bigint(row->stream, value->values[i]);
}

static void put_policy(void *context, const char *field, const struct policy *value) {
    struct stage_row *row = context;
    char json[2048];
    size_t size = 1;
    (void)field;
    json[0] = 1; /* version of jsonb's binary form */
    for (uint32_t i = 0; i < POLICY_FIELD_COUNT; i++) {
        uint64_t number = policy_get(value, i);
        const char *word = policy_value_name(i, number);
        char text[32];
        if (word)
            snprintf(text, sizeof text, "\"%s\"", word);
        else
            snprintf(text, sizeof text, "%llu", (unsigned long long)number);
        int added = snprintf(json + size, sizeof json - size, "%c\"%s\": %s", i ? ',' : '{',
                             policy_row(i)->name, text);
        REQUIRE(added > 0 && (size_t)added < sizeof json - size - 1);
        size += (size_t)added;
    }
    json[size++] = '}';
    put_u32(row->stream, (uint32_t)size);
    put_bytes(row->stream, json, size);
}

/* --- the public functions --------------------------------------------------------------------- */

struct stage *stage_create(void) {
    struct stage *stage = calloc(1, sizeof *stage);
    REQUIRE_MEMORY(stage != NULL);
    return stage;
}

void stage_free(struct stage *stage) {
    if (!stage) return;
    for (uint32_t kind = 0; kind < STAGE_KINDS_MAX; kind++) free(stage->streams[kind].bytes);
    free(stage);
}

void stage_clear(struct stage *stage) {
    for (uint32_t kind = 0; kind < STAGE_KINDS_MAX; kind++) {
        stage->streams[kind].size = 0;
        stage->streams[kind].finished = false;
    }
    stage->records = 0;
    stage->bytes = 0;
}

uint64_t stage_records(const struct stage *stage) { return stage->records; }
size_t stage_bytes(const struct stage *stage) { return stage->bytes; }

static uint16_t column_count(uint32_t kind) {
    switch (kind) {
#define ONE(type, field) +1
#define DECISION(number, NAME, name, OWNER)                                                        \
    case DECISION_##NAME:                                                                          \
        return 3 FIELDS_##name(ONE);
#include "engine/domain/decision.def"
#undef DECISION
#undef ONE
    default: REQUIRE_NEVER("a kind of decision.def");
    }
}

int stage_add(struct stage *stage, const struct decision *decision, uint64_t lsn) {
    REQUIRE(decision->kind < STAGE_KINDS_MAX);
    struct stream *stream = &stage->streams[decision->kind];
    struct stage_row row = {stream, false};
    const struct decision_visitor visitor = {&row,     put_number,  put_id,
                                             put_text, put_numbers, put_policy};
    REQUIRE(!stream->finished);
    if (!decided_by_its_owner(decision) || decision->time_ms > TIME_MS_MAX || lsn > INT64_MAX) {
        return STAGE_UNFIT;
    }
    if (!fold_reads(decision->kind)) { /* it changes no row */
        stage->records++;
        return 0;
    }
    size_t before = stream->size;
    if (before == 0) put_bytes(stream, copy_header, sizeof copy_header);
    put_u16(stream, column_count(decision->kind));
    put_bigint(stream, lsn);
    put_bigint(stream, (uint64_t)(((int64_t)decision->time_ms - POSTGRES_EPOCH_MS) * 1000));
    if (decision_owner(decision->kind) == OWNER_DATE) {
        put_bigint(stream, decision->partition - PARTITION_DATE_FIRST);
    } else {
        put_null(stream);
    }
    decision_visit(decision, &visitor);
    if (row.unfit) {
        stream->size = before;
        return STAGE_UNFIT;
    }
    stage->records++;
    stage->bytes += stream->size - before;
    return 0;
}

bool stage_stream(struct stage *stage, uint32_t kind, struct stage_stream *ret_stream) {
    REQUIRE(kind < STAGE_KINDS_MAX);
    struct stream *stream = &stage->streams[kind];
    if (stream->size == 0) return false;
    if (!stream->finished) put_bytes(stream, copy_trailer, sizeof copy_trailer);
    stream->finished = true;
    const struct statement_value into = {"kind", decision_name(kind), 0};
    statement_fill(ret_stream->command, sizeof ret_stream->command, statement_copy_decisions, &into,
                   1);
    ret_stream->bytes = stream->bytes;
    ret_stream->size = stream->size;
    return true;
}
