/* uuid.h - the form that a UUID has on the wire, in SQL and for people (RFC 9562)
 *
 * Pure functions on bytes; any thread.
 */
#ifndef USHER_ENGINE_BASE_UUID_H
#define USHER_ENGINE_BASE_UUID_H

#include "engine/base/id128.h"

/* 8-4-4-4-12 hexadecimal digits. */
#define UUID_TEXT_BYTES 36u

/* uuid_format - canonical lower-case form, not terminated */
void uuid_format(const struct id128 *uuid, char ret_text[UUID_TEXT_BYTES]);
/* uuid_parse - canonical form, upper case accepted
 * Return: false, and *ret_uuid untouched, if this is none or the nil UUID (which means "nobody") */
bool uuid_parse(const char *bytes, uint32_t size, struct id128 *ret_uuid);

#endif
