/* text.h - the forms that ids have on the wire: tokens, UUIDs, idempotency keys, UTF-8
 *
 * Pure functions on bytes; any thread.
 */
#ifndef USHER_NET_PROTOCOL_TEXT_H
#define USHER_NET_PROTOCOL_TEXT_H

#include "engine/domain/types.h"

/* Date (8), place (8) and secret (32) as hexadecimal digits, most significant first. */
#define TOKEN_TEXT_BYTES 48u
/* 8-4-4-4-12 hexadecimal digits (RFC 9562). */
#define UUID_TEXT_BYTES 36u

/* token_format - lower-case digits, not terminated */
void token_format(const struct token *token, char ret_text[TOKEN_TEXT_BYTES]);
/* token_parse - upper case is accepted. Any three numbers parse: whether such a date exists is
 * not decided here.
 * Return: false, and *ret_token untouched, if this is no token */
bool token_parse(const char *bytes, uint32_t size, struct token *ret_token);

/* uuid_format - canonical lower-case form, not terminated */
void uuid_format(const struct id128 *uuid, char ret_text[UUID_TEXT_BYTES]);
/* uuid_parse - canonical form, upper case accepted
 * Return: false, and *ret_uuid untouched, if this is none or the nil UUID (which means "nobody") */
bool uuid_parse(const char *bytes, uint32_t size, struct id128 *ret_uuid);

/* key_digest - what the engine remembers of an idempotency key: XXH3, 128 bits, canonical
 * (big-endian) form; never none. It guards a client against its own retries, not against forgery:
 * keys are compared within one user's operations only. */
void key_digest(const char *bytes, uint32_t size, struct id128 *ret_digest);

/* text_is_clean - well-formed UTF-8 without control characters (U+0000..U+001F, U+007F): what the
 * log, SQL and a terminal can all carry */
bool text_is_clean(const char *bytes, uint32_t size);

#endif
