/* text.h - the forms that tokens and keys have on the wire, and UTF-8 (UUIDs: engine/base/uuid.h)
 *
 * Pure functions on bytes; any thread.
 */
#ifndef USHER_NET_PROTOCOL_TEXT_H
#define USHER_NET_PROTOCOL_TEXT_H

#include "engine/domain/types.h"

/* Date (8), place (8) and secret (32) as hexadecimal digits, most significant first. */
#define TOKEN_TEXT_BYTES 48u

/* token_format - lower-case digits, not terminated */
void token_format(const struct token *token, char ret_text[TOKEN_TEXT_BYTES]);
/* token_parse - upper case is accepted. Any three numbers parse: whether such a date exists is
 * not decided here.
 * Return: false, and *ret_token untouched, if this is no token */
bool token_parse(const char *bytes, uint32_t size, struct token *ret_token);

/* key_digest - what the engine remembers of an idempotency key: XXH3, 128 bits, canonical
 * (big-endian) form; never none. It guards a client against its own retries, not against forgery:
 * keys are compared within one user's operations only. */
void key_digest(const char *bytes, uint32_t size, struct id128 *ret_digest);

/* text_is_clean - well-formed UTF-8 without control characters (U+0000..U+001F, U+007F): what the
 * log, SQL and a terminal can all carry */
bool text_is_clean(const char *bytes, uint32_t size);

#endif
