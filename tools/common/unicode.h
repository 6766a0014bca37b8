/* unicode.h - what people's texts need before they are compared, stored or shown
 *
 * Two texts that look the same may differ in their bytes: "ó" is one character, or an "o" and an
 * accent (Unicode Standard Annex 15). Editors write one, file systems and converters the other.
 * Everything here is pure; any thread.
 */
#ifndef USHER_TOOLS_COMMON_UNICODE_H
#define USHER_TOOLS_COMMON_UNICODE_H

#include <stddef.h>

/* unicode_nfc - a text in Unicode's form NFC, in which accents are part of their letters
 * @text: terminated
 * Return: owned by the caller; NULL if the text is no well-formed UTF-8 */
char *unicode_nfc(const char *text);

/* unicode_byte_order_mark - does a file begin with one?
 * @ret_bytes: how many bytes it takes; 0 without one
 * Return: the encoding that it announces, static: "UTF-8", "UTF-16" or "UTF-32"; NULL without
 * one */
const char *unicode_byte_order_mark(const char *bytes, size_t size, size_t *ret_bytes);

/* unicode_make_printable - replace what could steer a terminal, and what is no well-formed UTF-8,
 * by '?'. The text is somebody else's, and may have been cut inside a character. */
void unicode_make_printable(char *text);

#endif
