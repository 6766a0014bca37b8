/* entity.h - entities of entity.def as C values and as bytes
 *
 * Encoded, all integers little-endian, no padding:
 *
 *   offset size field
 *        0    2 bytes   whole entity, this header included; 4..RECORD_BYTES_MAX
 *        2    2 kind    number of entity.def
 *        4      body    fields of the kind, in order of entity.def; types as in decision.def
 */
#ifndef USHER_ENGINE_DOMAIN_ENTITY_H
#define USHER_ENGINE_DOMAIN_ENTITY_H

#include "engine/domain/decision.h"

#define ENTITY_HEADER_BYTES 4u

/* One struct per row: struct entity_waiter { uint32_t place; ... }. Two passes over the table, as
 * in decision_structs.h. */
#define ENTITY(number, NAME, name, OWNER)
#include "engine/domain/entity.def"
#undef ENTITY
#define ENTITY_FIELD(type, field) DECISION_TYPE_##type field;
#define ENTITY(number, NAME, name, OWNER)                                                          \
    struct entity_##name {                                                                         \
        FIELDS_ENTITY_##name(ENTITY_FIELD)                                                         \
    };
#include "engine/domain/entity.def"
#undef ENTITY

enum entity_kind {
#define ENTITY(number, NAME, name, OWNER) ENTITY_##NAME = (number),
#include "engine/domain/entity.def"
#undef ENTITY
};

struct entity {
    uint16_t kind; /* enum entity_kind */
    union {
#define ENTITY(number, NAME, name, OWNER) struct entity_##name name;
#include "engine/domain/entity.def"
#undef ENTITY
    };
};

/* entity_encode - write an entity
 * @bytes: room for RECORD_BYTES_MAX
 * Return: its size in bytes; cannot fail */
uint32_t entity_encode(const struct entity *entity, uint8_t *bytes);

/* entity_decode - read an entity; never reads beyond `size`, whatever the bytes are
 * @size:       exactly one entity
 * @ret_entity: texts are borrowed from `bytes`; of use on success only
 * Return: DECISION_DECODE_OK, or one of the others of enum decision_decode_result */
int entity_decode(const uint8_t *bytes, uint32_t size, struct entity *ret_entity);

/* entity_name - "waiter"; "unknown" for a number outside the table */
const char *entity_name(uint32_t kind);

/* entity_owner - the kind of partition that has this kind of entity: OWNER_ANY each, OWNER_NONE for
 * a number outside the table */
enum owner entity_owner(uint32_t kind);

/* entity_visit - call the visitor for each field in order (decision.h) */
void entity_visit(const struct entity *entity, const struct decision_visitor *visitor);

#endif
