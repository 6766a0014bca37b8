/* decision.c - records of the log: encode, decode, visit, all driven by decision.def (fields.h)
 *
 * Thread: any; no state.
 */
#include "engine/domain/decision.h"

#include "engine/domain/fields.h"

_Static_assert(RECORD_HEADER_BYTES + 4 * (1 + TEXT_BYTES_MAX) + 64 <= RECORD_BYTES_MAX,
               "the longest kind fits a record");

/* --- encode ----------------------------------------------------------------------------------- */

uint32_t decision_encode(const struct decision *decision, uint8_t *bytes) {
    static const uint16_t reserved = 0;
    uint8_t *at = bytes + 4;
    at = field_put_u16(at, &decision->kind);
    at = field_put_u16(at, &reserved);
    at = field_put_u32(at, &decision->partition);
    at = field_put_u64(at, &decision->time_ms);
    switch (decision->kind) {
#define PUT(type, field) at = field_put_##type(at, &body->field);
#define DECISION(number, NAME, name, OWNER)                                                        \
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
    field_put_u32(bytes, &size);
    return size;
}

/* --- decode ----------------------------------------------------------------------------------- */

int decision_decode(const uint8_t *bytes, uint32_t size, struct decision *ret_decision) {
    uint32_t stated;
    uint16_t reserved;
    if (size < RECORD_HEADER_BYTES || size > RECORD_BYTES_MAX) return DECISION_DECODE_BAD_SIZE;
    memcpy(&stated, bytes, sizeof stated);
    if (stated != size) return DECISION_DECODE_BAD_SIZE;

    struct decision *decision = ret_decision;
    memcpy(&decision->kind, bytes + 4, sizeof decision->kind);
    memcpy(&reserved, bytes + 6, sizeof reserved);
    memcpy(&decision->partition, bytes + 8, sizeof decision->partition);
    memcpy(&decision->time_ms, bytes + 12, sizeof decision->time_ms);
    struct field_cursor cursor = {bytes + RECORD_HEADER_BYTES, bytes + size, false};
    switch (decision->kind) {
#define GET(type, field) field_get_##type(&cursor, &body->field);
#define DECISION(number, NAME, name, OWNER)                                                        \
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

/* --- describe --------------------------------------------------------------------------------- */

const char *decision_name(uint32_t kind) {
    switch (kind) {
#define DECISION(number, NAME, name, OWNER)                                                        \
    case number:                                                                                   \
        return #name;
#include "engine/domain/decision.def"
#undef DECISION
    default: return "unknown";
    }
}

enum owner decision_owner(uint32_t kind) {
    static const uint8_t owners[] = {
#define DECISION(number, NAME, name, OWNER) [number] = OWNER_##OWNER,
#include "engine/domain/decision.def"
#undef DECISION
    };
    return kind < sizeof owners ? (enum owner)owners[kind] : OWNER_NONE;
}

void decision_visit(const struct decision *decision, const struct decision_visitor *visitor) {
    switch (decision->kind) {
#define DECISION(number, NAME, name, OWNER)                                                        \
    case DECISION_##NAME: {                                                                        \
        const struct decision_##name *body = &decision->name;                                      \
        (void)body; /* a kind may have no fields */                                                \
        FIELDS_##name(FIELD_VISIT) break;                                                          \
    }
#include "engine/domain/decision.def"
#undef DECISION
    default: REQUIRE_NEVER("a kind of decision.def");
    }
}
