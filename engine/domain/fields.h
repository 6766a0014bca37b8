/* fields.h - the types of field that decision.def and entity.def are made of: as bytes, and visited
 *
 * Happy path: a table's row expands to one straight line of these, each of which advances a cursor.
 * Failure mode: only reading can fail; the first field that would run over the end marks the cursor
 * bad. A field that is not there because what was written is older reads as zero (a policy: as its
 * defaults).
 * For decision.c and entity.c; no state, any thread.
 */
#ifndef USHER_ENGINE_DOMAIN_FIELDS_H
#define USHER_ENGINE_DOMAIN_FIELDS_H

#include "engine/domain/decision.h"
#include "engine/base/require.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "field_put_/field_get_ copy little-endian integers");

/* --- write; return where the next field goes -------------------------------------------------- */

static inline uint8_t *field_put_bytes(uint8_t *at, const void *from, uint32_t size) {
    if (size > 0) memcpy(at, from, size);
    return at + size;
}
static inline uint8_t *field_put_u8(uint8_t *at, const uint8_t *value) {
    return field_put_bytes(at, value, 1);
}
static inline uint8_t *field_put_u16(uint8_t *at, const uint16_t *value) {
    return field_put_bytes(at, value, 2);
}
static inline uint8_t *field_put_u32(uint8_t *at, const uint32_t *value) {
    return field_put_bytes(at, value, 4);
}
static inline uint8_t *field_put_u64(uint8_t *at, const uint64_t *value) {
    return field_put_bytes(at, value, 8);
}
static inline uint8_t *field_put_id(uint8_t *at, const struct id128 *value) {
    return field_put_bytes(at, value->bytes, 16);
}
static inline uint8_t *field_put_text(uint8_t *at, const struct text *value) {
    return field_put_bytes(field_put_u8(at, &value->size), value->bytes, value->size);
}
static inline uint8_t *field_put_numbers(uint8_t *at, const struct numbers *value) {
    REQUIRE(value->count <= SEATS_PER_USER_MAX);
    return field_put_bytes(field_put_u8(at, &value->count), value->values,
                           value->count * (uint32_t)sizeof value->values[0]);
}
static inline uint8_t *field_put_policy(uint8_t *at, const struct policy *value) {
    static const uint8_t count = POLICY_FIELD_COUNT;
    return field_put_bytes(field_put_u8(at, &count), value, sizeof *value);
}

/* --- read ------------------------------------------------------------------------------------- */

/* With a size that is known, a read is one move instead of a call. */
#define FIELD_INLINE static inline __attribute__((always_inline))

/* at == end is "no more fields": older and shorter. Anything else short is bad. */
struct field_cursor {
    const uint8_t *at, *end;
    bool bad;
};

/* Return: the bytes, or NULL: there are none, or too few (bad) */
FIELD_INLINE const uint8_t *field_take(struct field_cursor *cursor, uint32_t size) {
    const uint8_t *from = cursor->at;
    if (from == cursor->end) return NULL;
    if ((uint64_t)(cursor->end - from) < size) {
        cursor->bad = true;
        cursor->at = cursor->end;
        return NULL;
    }
    cursor->at = from + size;
    return from;
}
FIELD_INLINE void field_get_bytes(struct field_cursor *cursor, void *value, uint32_t size) {
    const uint8_t *from = field_take(cursor, size);
    if (from) {
        memcpy(value, from, size);
    } else {
        memset(value, 0, size);
    }
}
static inline void field_get_u8(struct field_cursor *cursor, uint8_t *value) {
    field_get_bytes(cursor, value, 1);
}
static inline void field_get_u16(struct field_cursor *cursor, uint16_t *value) {
    field_get_bytes(cursor, value, 2);
}
static inline void field_get_u32(struct field_cursor *cursor, uint32_t *value) {
    field_get_bytes(cursor, value, 4);
}
static inline void field_get_u64(struct field_cursor *cursor, uint64_t *value) {
    field_get_bytes(cursor, value, 8);
}
static inline void field_get_id(struct field_cursor *cursor, struct id128 *value) {
    field_get_bytes(cursor, value, 16);
}

/* A count or size byte promises that many bytes: running out after it is never "older". */
static inline const uint8_t *field_take_counted(struct field_cursor *cursor, uint32_t size) {
    if (size == 0) return NULL;
    if (cursor->at == cursor->end) cursor->bad = true;
    return field_take(cursor, size);
}
static inline void field_get_text(struct field_cursor *cursor, struct text *value) {
    uint8_t size;
    field_get_u8(cursor, &size);
    const uint8_t *from = field_take_counted(cursor, size);
    *value = from ? (struct text){(const char *)from, size} : (struct text){0};
}
static inline void field_get_numbers(struct field_cursor *cursor, struct numbers *value) {
    field_get_u8(cursor, &value->count);
    if (value->count > SEATS_PER_USER_MAX) {
        cursor->bad = true;
        return;
    }
    uint32_t size = value->count * (uint32_t)sizeof value->values[0];
    const uint8_t *from = field_take_counted(cursor, size);
    if (from) memcpy(value->values, from, size);
}
static inline void field_get_policy(struct field_cursor *cursor, struct policy *value) {
    uint8_t count;
    policy_default(value);
    field_get_u8(cursor, &count);
    if (count > POLICY_FIELD_COUNT) { /* fields of a newer usher, which this one cannot obey */
        cursor->bad = true;
        return;
    }
    const uint8_t *from = field_take_counted(cursor, count * (uint32_t)sizeof(uint64_t));
    for (uint32_t i = 0; from && i < count; i++) {
        uint64_t field;
        memcpy(&field, from + i * sizeof field, sizeof field);
        policy_set(value, i, field);
    }
    if (policy_check(value) >= 0) cursor->bad = true;
}

/* --- visit: FIELD_VISIT(type, field) where `visitor` and `body` are in scope ------------------ */

#define FIELD_VISIT(type, field) FIELD_VISIT_##type(field)
#define FIELD_VISIT_u8(field) visitor->number(visitor->context, #field, body->field);
#define FIELD_VISIT_u16 FIELD_VISIT_u8
#define FIELD_VISIT_u32 FIELD_VISIT_u8
#define FIELD_VISIT_u64 FIELD_VISIT_u8
#define FIELD_VISIT_id(field) visitor->id(visitor->context, #field, &body->field);
#define FIELD_VISIT_text(field) visitor->text(visitor->context, #field, &body->field);
#define FIELD_VISIT_numbers(field) visitor->numbers(visitor->context, #field, &body->field);
#define FIELD_VISIT_policy(field) visitor->policy(visitor->context, #field, &body->field);

#endif
