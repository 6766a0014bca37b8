/* describe.h - one decision, or one entity of a state, as a line of text or as JSON
 *
 * Driven by decision_visit() and entity_visit(): a new kind or field describes itself. Fields with
 * a meaning of their own (moments, states, errors, secrets) are recognised by name; see the table
 * in describe.c.
 */
#ifndef USHER_REPLAY_TELL_DESCRIBE_H
#define USHER_REPLAY_TELL_DESCRIBE_H

#include <jansson.h>
#include <stddef.h>

#include "engine/domain/entity.h"

/* Token secrets are capabilities, seeds protect hash tables, and operators' logs leak: both are
 * hidden unless asked for. */
#define DESCRIBE_TOKEN_SECRETS 1u

/* Room for any decision: four texts of TEXT_BYTES_MAX, every byte escaped to six characters, and
 * the fields around them. */
#define DESCRIBE_LINE_BYTES 8192u

/* describe_text - for people: lsn, time, partition, kind, then field=value
 *   lsn=4242 2026-11-21T20:00:03.123Z date/7 seats_held reservation=12 place=3 user=... seats=[1,2]
 * @lsn:      just after the record
 * @flags:    0 or DESCRIBE_TOKEN_SECRETS
 * @ret_line: terminated, without a newline; one line whatever the texts contain
 * Return: its length in bytes */
size_t describe_text(const struct decision *decision, uint64_t lsn, uint32_t flags,
                     char ret_line[DESCRIBE_LINE_BYTES]);

/* describe_json - for programs: {"lsn":..,"time":"..","partition":"..","kind":"..","fields":{..}}
 * Integers are JSON integers; a state hash is a hexadecimal string, since no JSON reader keeps 64
 * unsigned bits. Return: as above */
size_t describe_json(const struct decision *decision, uint64_t lsn, uint32_t flags,
                     char ret_line[DESCRIBE_LINE_BYTES]);

/* describe_decision - the same as a JSON value, owned by the caller */
json_t *describe_decision(const struct decision *decision, uint64_t lsn, uint32_t flags);

/* describe_entity_text - "waiter place=3 user=... state=active ..."; a moment that has not come is
 * "none". Return: as above */
size_t describe_entity_text(const struct entity *entity, uint32_t flags,
                            char ret_line[DESCRIBE_LINE_BYTES]);

/* describe_entity_fields - {"place":3,...}; a moment that has not come is null
 * Return: owned by the caller */
json_t *describe_entity_fields(const struct entity *entity, uint32_t flags);

#endif
