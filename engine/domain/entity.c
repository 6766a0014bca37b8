/* entity.c - entities of an image: encode, decode, visit, all driven by entity.def (fields.h)
 *
 * Thread: any; no state.
 */
#include "engine/domain/entity.h"

#include "engine/domain/fields.h"

_Static_assert(RECORD_BYTES_MAX <= UINT16_MAX, "a size fits the header");

uint32_t entity_encode(const struct entity *entity, uint8_t *bytes) {
    uint8_t *at = field_put_u16(bytes + 2, &entity->kind);
    switch (entity->kind) {
#define PUT(type, field) at = field_put_##type(at, &body->field);
#define ENTITY(number, NAME, name, OWNER)                                                          \
    case ENTITY_##NAME: {                                                                          \
        const struct entity_##name *body = &entity->name;                                          \
        FIELDS_ENTITY_##name(PUT) break;                                                           \
    }
#include "engine/domain/entity.def"
#undef ENTITY
#undef PUT
    default: REQUIRE_NEVER("a kind of entity.def");
    }
    uint16_t size = (uint16_t)(at - bytes);
    REQUIRE(at - bytes <= RECORD_BYTES_MAX);
    field_put_u16(bytes, &size);
    return size;
}

int entity_decode(const uint8_t *bytes, uint32_t size, struct entity *ret_entity) {
    struct field_cursor cursor = {bytes, bytes + size, false};
    uint16_t stated = 0;
    if (size < ENTITY_HEADER_BYTES || size > RECORD_BYTES_MAX) return DECISION_DECODE_BAD_SIZE;
    field_get_u16(&cursor, &stated);
    if (stated != size) return DECISION_DECODE_BAD_SIZE;

    struct entity *entity = ret_entity;
    field_get_u16(&cursor, &entity->kind);
    switch (entity->kind) {
#define GET(type, field) field_get_##type(&cursor, &body->field);
#define ENTITY(number, NAME, name, OWNER)                                                          \
    case ENTITY_##NAME: {                                                                          \
        struct entity_##name *body = &entity->name;                                                \
        FIELDS_ENTITY_##name(GET) break;                                                           \
    }
#include "engine/domain/entity.def"
#undef ENTITY
#undef GET
    default: return DECISION_DECODE_UNKNOWN_KIND;
    }
    /* Bytes left over are fields of a newer usher: dropping them would lose state. */
    return cursor.bad || cursor.at != cursor.end ? DECISION_DECODE_BAD_BODY : DECISION_DECODE_OK;
}

const char *entity_name(uint32_t kind) {
    switch (kind) {
#define ENTITY(number, NAME, name, OWNER)                                                          \
    case number:                                                                                   \
        return #name;
#include "engine/domain/entity.def"
#undef ENTITY
    default: return "unknown";
    }
}

enum owner entity_owner(uint32_t kind) {
    switch (kind) {
#define ENTITY(number, NAME, name, OWNER)                                                          \
    case number:                                                                                   \
        return OWNER_##OWNER;
#include "engine/domain/entity.def"
#undef ENTITY
    default: return OWNER_NONE;
    }
}

void entity_visit(const struct entity *entity, const struct decision_visitor *visitor) {
    switch (entity->kind) {
#define ENTITY(number, NAME, name, OWNER)                                                          \
    case ENTITY_##NAME: {                                                                          \
        const struct entity_##name *body = &entity->name;                                          \
        FIELDS_ENTITY_##name(FIELD_VISIT) break;                                                   \
    }
#include "engine/domain/entity.def"
#undef ENTITY
    default: REQUIRE_NEVER("a kind of entity.def");
    }
}
