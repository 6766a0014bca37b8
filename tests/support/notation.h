/* notation.h - MessagePack values as text, so that a test case is one line
 *
 * JSON with single quotes: {'date':1,'seats':[1,'A/1/2'],'all':true,'x':nil,'f':1.5}. Integers may
 * be negative; a number with a point becomes a float; #00ff is raw bytes put in as they are.
 */
#ifndef USHER_TESTS_SUPPORT_NOTATION_H
#define USHER_TESTS_SUPPORT_NOTATION_H

#include "net/protocol/value.h"

/* notation_write - append a value. Ends the test on a syntax error */
void notation_write(struct value_writer *writer, const char *text);

/* notation_print - the same text for a value
 * Return: borrowed until the next call; static buffer of 64 KiB */
const char *notation_print(const struct value *value);

/* notation_print_bytes - for the whole bytes of one or more values, separated by a space */
const char *notation_print_bytes(const uint8_t *bytes, uint32_t size);

#endif
