/* decision.h - decisions as C values and as records of the log
 *
 * A record, all integers little-endian, no padding:
 *
 *   offset size field
 *        0    4 bytes       whole record, this header included; <= RECORD_BYTES_MAX
 *        4    2 kind        number of decision.def
 *        6    2 reserved    0
 *        8    4 partition   types.h; the partition that decided
 *       12    8 time_ms     Unix ms UTC; never falls within one partition
 *       20      body        fields of the kind, in order of decision.def
 */
#ifndef USHER_ENGINE_DOMAIN_DECISION_H
#define USHER_ENGINE_DOMAIN_DECISION_H

#include "engine/domain/policy.h"
#include "engine/domain/types.h"

#define RECORD_HEADER_BYTES 20u

/* Seat numbers, or sequence numbers of reservations. */
struct numbers {
    uint8_t count;
    uint32_t values[SEATS_PER_USER_MAX];
};

#define DECISION_TYPE_u8 uint8_t
#define DECISION_TYPE_u16 uint16_t
#define DECISION_TYPE_u32 uint32_t
#define DECISION_TYPE_u64 uint64_t
#define DECISION_TYPE_id struct id128
#define DECISION_TYPE_text struct text
#define DECISION_TYPE_numbers struct numbers
#define DECISION_TYPE_policy struct policy

/* struct decision_seats_held { uint32_t reservation; ... } and so on */
#include "engine/domain/decision_structs.h"

enum decision_kind {
#define DECISION(number, NAME, name, OWNER) DECISION_##NAME = (number),
#include "engine/domain/decision.def"
#undef DECISION
};

struct decision {
    uint16_t kind; /* enum decision_kind */
    uint32_t partition;
    uint64_t time_ms;
    union {
#define DECISION(number, NAME, name, OWNER) struct decision_##name name;
#include "engine/domain/decision.def"
#undef DECISION
    };
};

/* decision_encode - write a record
 * @bytes: room for RECORD_BYTES_MAX
 * Return: the record's size in bytes; cannot fail */
uint32_t decision_encode(const struct decision *decision, uint8_t *bytes);

enum decision_decode_result {
    DECISION_DECODE_OK = 0,
    DECISION_DECODE_BAD_SIZE = 1,     /* header and size disagree */
    DECISION_DECODE_UNKNOWN_KIND = 2, /* written by a newer usher */
    DECISION_DECODE_BAD_BODY = 3,     /* a field runs over the end or is out of range */
};

/* decision_decode - read a record
 * @ret_decision: on OK; its texts point into `bytes`
 * Never reads outside bytes[0..size). Return: enum decision_decode_result */
int decision_decode(const uint8_t *bytes, uint32_t size, struct decision *ret_decision);

/* decision_name - as in decision.def ("seats_held"); "unknown" outside the table */
const char *decision_name(uint32_t kind);

/* decision_owner - the kind of partition that decides this kind of decision: OWNER_ANY each,
 * OWNER_NONE for a number outside the table */
enum owner decision_owner(uint32_t kind);

/* decision_visit - call back once per field, in order; for description, SQL and tests */
struct decision_visitor {
    void *context;
    void (*number)(void *context, const char *field, uint64_t value);
    void (*id)(void *context, const char *field, const struct id128 *value);
    void (*text)(void *context, const char *field, const struct text *value);
    void (*numbers)(void *context, const char *field, const struct numbers *value);
    void (*policy)(void *context, const char *field, const struct policy *value);
};
void decision_visit(const struct decision *decision, const struct decision_visitor *visitor);

#endif
