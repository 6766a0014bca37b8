/* text.h - the log's values as text for people, JSON and SQL
 *
 * All functions are pure; any thread.
 */
#ifndef USHER_REPLAY_TELL_TEXT_H
#define USHER_REPLAY_TELL_TEXT_H

#include <stddef.h>

#include "engine/base/uuid.h"
#include "engine/domain/types.h"

#define TEXT_TIME_BYTES 32u
#define TEXT_UUID_BYTES (UUID_TEXT_BYTES + 1u)
#define TEXT_PARTITION_BYTES 24u
/* A text of 255 bytes in which every byte became U+FFFD, and a terminator. */
#define TEXT_CLEAN_BYTES (3u * TEXT_BYTES_MAX + 1u)

/* text_time - ISO 8601 UTC with milliseconds, "2026-11-21T20:00:03.123Z"
 * A number that no usher writes (above TIME_MS_MAX) is printed as it is: "@18446744073709551615" */
void text_time(uint64_t time_ms, char ret_text[TEXT_TIME_BYTES]);

/* text_uuid - canonical form, lower case, terminated */
void text_uuid(const struct id128 *id, char ret_text[TEXT_UUID_BYTES]);

/* text_partition - "catalogue", "account/3", "date/7" */
void text_partition(uint32_t partition, char ret_text[TEXT_PARTITION_BYTES]);

/* text_clean - valid UTF-8 without NUL: what is not becomes U+FFFD, byte by byte
 * Return: size in bytes without the terminator */
size_t text_clean(const struct text *text, char ret_text[TEXT_CLEAN_BYTES]);

#endif
