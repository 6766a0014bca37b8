/* decision.c - records of the log: encode, decode, visit, all driven by decision.def
 *
 * Happy path: the table's row expands to one straight line of field functions, each of which
 * advances a cursor. Failure mode: only decoding can fail; the first field that would run over the
 * record's end marks the cursor bad, and everything after it reads as zero.
 * Thread: any; no state.
 */
#include "engine/domain/decision.h"

#include "engine/require.h"

_Static_assert(RECORD_HEADER_BYTES + 4 * (1 + TEXT_BYTES_MAX) + 64 <= RECORD_BYTES_MAX,
               "the longest kind fits a record");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "put_/get_ copy little-endian integers");

/* --- encode -------------------------------------------------------------------------------- */

static inline uint8_t *put_u8(uint8_t *at, const uint8_t *value) {
    *at = *value;
    return at + 1;
}
static inline uint8_t *put_u16(uint8_t *at, const uint16_t *value) {
    memcpy(at, value, 2);
    return at + 2;
}
static inline uint8_t *put_u32(uint8_t *at, const uint32_t *value) {
    memcpy(at, value, 4);
    return at + 4;
}
static inline uint8_t *put_u64(uint8_t *at, const uint64_t *value) {
    memcpy(at, value, 8);
    return at + 8;
}
static inline uint8_t *put_id(uint8_t *at, const struct id128 *value) {
    memcpy(at, value->bytes, 16);
    return at + 16;
}
static inline uint8_t *put_text(uint8_t *at, const struct text *value) {
    *at = value->size;
    if (value->size > 0) memcpy(at + 1, value->bytes, value->size);
    return at + 1 + value->size;
}
static inline uint8_t *put_numbers(uint8_t *at, const struct numbers *value) {
    REQUIRE(value->count <= SEATS_PER_USER_MAX);
    *at = value->count;
    memcpy(at + 1, value->values, value->count * sizeof value->values[0]);
    return at + 1 + value->count * sizeof value->values[0];
}
static inline uint8_t *put_policy(uint8_t *at, const struct policy *value) {
    *at++ = POLICY_FIELD_COUNT;
    memcpy(at, value, sizeof *value);
    return at + sizeof *value;
}

uint32_t decision_encode(const struct decision *decision, uint8_t *bytes) {
    static const uint16_t reserved = 0;
    uint8_t *at = bytes + 4;
    at = put_u16(at, &decision->kind);
    at = put_u16(at, &reserved);
    at = put_u32(at, &decision->partition);
    at = put_u64(at, &decision->time_ms);
    switch (decision->kind) {
#define PUT(type, field) at = put_##type(at, &body->field);
#define DECISION(number, NAME, name)                                                               \
    case DECISION_##NAME: {                                                                        \
        const struct decision_##name *body = &decision->name;                                      \
        (void)body; /* a kind may have no fields */                                                \
        FIELDS_##name(PUT) break;                                                                  \
    }
#include "engine/domain/decision.def"
#undef DECISION
#undef PUT
    default: REQUIRE_NEVER("a kind of decision.def");
    }
    uint32_t size = (uint32_t)(at - bytes);
    REQUIRE(size <= RECORD_BYTES_MAX);
    put_u32(bytes, &size);
    return size;
}

/* --- decode -------------------------------------------------------------------------------- */

/* at == end is "no more fields": an older, shorter record. Anything else short is bad. */
struct cursor {
    const uint8_t *at, *end;
    bool bad;
};

static const uint8_t *take(struct cursor *cursor, uint32_t size) {
    if (cursor->bad || cursor->at == cursor->end) return NULL;
    if ((uint64_t)(cursor->end - cursor->at) < size) {
        cursor->bad = true;
        return NULL;
    }
    const uint8_t *from = cursor->at;
    cursor->at += size;
    return from;
}
static void get_bytes(struct cursor *cursor, void *value, uint32_t size) {
    const uint8_t *from = take(cursor, size);
    if (from) memcpy(value, from, size);
}
static void get_u8(struct cursor *cursor, uint8_t *value) { get_bytes(cursor, value, 1); }
static void get_u16(struct cursor *cursor, uint16_t *value) { get_bytes(cursor, value, 2); }
static void get_u32(struct cursor *cursor, uint32_t *value) { get_bytes(cursor, value, 4); }
static void get_u64(struct cursor *cursor, uint64_t *value) { get_bytes(cursor, value, 8); }
static void get_id(struct cursor *cursor, struct id128 *value) { get_bytes(cursor, value, 16); }

/* A count or size byte promises that many bytes: running out after it is never "older". */
static const uint8_t *take_counted(struct cursor *cursor, uint32_t size) {
    if (size == 0) return NULL;
    if (cursor->at == cursor->end) cursor->bad = true;
    return take(cursor, size);
}
static void get_text(struct cursor *cursor, struct text *value) {
    uint8_t size = 0;
    get_u8(cursor, &size);
    const uint8_t *from = take_counted(cursor, size);
    if (from) *value = (struct text){(const char *)from, size};
}
static void get_numbers(struct cursor *cursor, struct numbers *value) {
    uint8_t count = 0;
    get_u8(cursor, &count);
    if (count > SEATS_PER_USER_MAX) {
        cursor->bad = true;
        return;
    }
    const uint8_t *from = take_counted(cursor, count * (uint32_t)sizeof value->values[0]);
    if (!from) return;
    value->count = count;
    memcpy(value->values, from, count * sizeof value->values[0]);
}
static void get_policy(struct cursor *cursor, struct policy *value) {
    uint8_t count = 0;
    policy_default(value);
    get_u8(cursor, &count);
    if (count > POLICY_FIELD_COUNT) { /* fields of a newer usher, which this one cannot obey */
        cursor->bad = true;
        return;
    }
    const uint8_t *from = take_counted(cursor, count * (uint32_t)sizeof(uint64_t));
    for (uint32_t i = 0; from && i < count; i++) {
        uint64_t field;
        memcpy(&field, from + i * sizeof field, sizeof field);
        policy_set(value, i, field);
    }
    if (policy_check(value) >= 0) cursor->bad = true;
}

int decision_decode(const uint8_t *bytes, uint32_t size, struct decision *ret_decision) {
    struct cursor cursor = {bytes, bytes + size, false};
    uint32_t stated = 0;
    uint16_t reserved = 0;
    if (size < RECORD_HEADER_BYTES || size > RECORD_BYTES_MAX) return DECISION_DECODE_BAD_SIZE;
    get_u32(&cursor, &stated);
    if (stated != size) return DECISION_DECODE_BAD_SIZE;

    struct decision *decision = ret_decision;
    memset(decision, 0, sizeof *decision);
    get_u16(&cursor, &decision->kind);
    get_u16(&cursor, &reserved);
    get_u32(&cursor, &decision->partition);
    get_u64(&cursor, &decision->time_ms);
    switch (decision->kind) {
#define GET(type, field) get_##type(&cursor, &body->field);
#define DECISION(number, NAME, name)                                                               \
    case DECISION_##NAME: {                                                                        \
        struct decision_##name *body = &decision->name;                                            \
        (void)body; /* a kind may have no fields */                                                \
        FIELDS_##name(GET) break;                                                                  \
    }
#include "engine/domain/decision.def"
#undef DECISION
#undef GET
    default: return DECISION_DECODE_UNKNOWN_KIND;
    }
    /* Bytes left over are fields of a newer usher: dropping them would lose what they decide. */
    if (cursor.bad || cursor.at != cursor.end || reserved != 0) return DECISION_DECODE_BAD_BODY;
    return DECISION_DECODE_OK;
}

/* --- describe ------------------------------------------------------------------------------ */

const char *decision_name(uint32_t kind) {
    switch (kind) {
#define DECISION(number, NAME, name)                                                               \
    case number:                                                                                   \
        return #name;
#include "engine/domain/decision.def"
#undef DECISION
    default: return "unknown";
    }
}

#define VISIT_u8(field) visitor->number(visitor->context, #field, body->field);
#define VISIT_u16 VISIT_u8
#define VISIT_u32 VISIT_u8
#define VISIT_u64 VISIT_u8
#define VISIT_id(field) visitor->id(visitor->context, #field, &body->field);
#define VISIT_text(field) visitor->text(visitor->context, #field, &body->field);
#define VISIT_numbers(field) visitor->numbers(visitor->context, #field, &body->field);
#define VISIT_policy(field) visitor->policy(visitor->context, #field, &body->field);

void decision_visit(const struct decision *decision, const struct decision_visitor *visitor) {
    switch (decision->kind) {
#define VISIT(type, field) VISIT_##type(field)
#define DECISION(number, NAME, name)                                                               \
    case DECISION_##NAME: {                                                                        \
        const struct decision_##name *body = &decision->name;                                      \
        (void)body; /* a kind may have no fields */                                                \
        FIELDS_##name(VISIT) break;                                                                \
    }
#include "engine/domain/decision.def"
#undef DECISION
#undef VISIT
    default: REQUIRE_NEVER("a kind of decision.def");
    }
}
