/* json_print.h - building and printing JSON for the commands of usher
 *
 * There is no failure but memory, which ends the process, and a closed pipe, which is told.
 * Any thread.
 */
#ifndef USHER_TOOLS_USHER_JSON_PRINT_H
#define USHER_TOOLS_USHER_JSON_PRINT_H

#include <jansson.h>
#include <stdint.h>

/* json_put - set a key; takes the value. Text that is no UTF-8 becomes null. */
void json_put(json_t *object, const char *key, json_t *value);
void json_put_number(json_t *object, const char *key, uint64_t value);
void json_put_text(json_t *object, const char *key, const char *text);
/* json_put_time - null for 0 */
void json_put_time(json_t *object, const char *key, uint64_t time_ms);
/* json_put_hash - 16 hexadecimal digits, as elsewhere in text */
void json_put_hash(json_t *object, const char *key, uint64_t hash);
/* json_put_bytes - bytes as hexadecimal digits */
void json_put_bytes(json_t *object, const char *key, const uint8_t *bytes, uint32_t size);

/* json_print - on one line of standard output; takes the value
 * Return: 0; -1 nobody reads it any more, which fflush() at a command's end tells, too */
int json_print(json_t *value);

#endif
