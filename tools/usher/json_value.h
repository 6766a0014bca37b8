/* json_value.h - JSON on the command line, MessagePack on the wire
 *
 * jansson's values to net's and back, for tools; the engine itself speaks no JSON. Any thread; a
 * writer or value belongs to one thread at a time.
 */
#ifndef USHER_TOOLS_USHER_JSON_VALUE_H
#define USHER_TOOLS_USHER_JSON_VALUE_H

#include <jansson.h>

#include "net/protocol/value.h"

enum json_value_result {
    JSON_VALUE_OK = 0,
    JSON_VALUE_FRACTION = 1, /* a number with a fraction: the protocol has none */
    JSON_VALUE_DEEP = 2,     /* nested deeper than any message of the protocol */
};

/* json_value_write - append a JSON value
 * A writer that is too small says so by itself (value_writer.failed).
 * Return: enum json_value_result */
int json_value_write(struct value_writer *writer, const json_t *json);

/* json_value_read - the JSON of a value
 * What JSON cannot hold becomes a text: an integer above 2^63-1 its digits, a text that is no UTF-8
 * "(not UTF-8)". Return: owned by the caller */
json_t *json_value_read(const struct value *value);

#endif
