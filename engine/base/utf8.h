/* utf8.h - what a well-formed character of UTF-8 is (RFC 3629; Unicode 15, table 3-7), said once
 *
 * The wire refuses what is not well-formed, what is told of a log replaces it. Pure; any thread.
 */
#ifndef USHER_ENGINE_BASE_UTF8_H
#define USHER_ENGINE_BASE_UTF8_H

#include <stdint.h>

/* The ranges of the second byte that make a sequence well-formed: no overlong forms, no surrogates,
 * nothing above U+10FFFF.
 * Return: bytes of the sequence that `first` begins, 0 if none does; it is not ASCII */
static inline uint32_t utf8_sequence(uint8_t first, uint8_t *ret_low, uint8_t *ret_high) {
    *ret_low = 0x80;
    *ret_high = 0xbf;
    if (first >= 0xc2 && first <= 0xdf) return 2;
    if (first >= 0xe0 && first <= 0xef) {
        if (first == 0xe0) *ret_low = 0xa0;
        if (first == 0xed) *ret_high = 0x9f;
        return 3;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        if (first == 0xf0) *ret_low = 0x90;
        if (first == 0xf4) *ret_high = 0x8f;
        return 4;
    }
    return 0;
}

/* utf8_character - the character that begins at `text`, of which `left` bytes are there, 1 or more
 * Return: its bytes; 0: none that is well-formed */
static inline uint32_t utf8_character(const uint8_t *text, uint32_t left) {
    if (text[0] < 0x80) return 1;
    uint8_t low, high;
    uint32_t bytes = utf8_sequence(text[0], &low, &high);
    if (bytes == 0 || bytes > left) return 0;
    if (text[1] < low || text[1] > high) return 0;
    for (uint32_t i = 2; i < bytes; i++) {
        if ((text[i] & 0xc0) != 0x80) return 0;
    }
    return bytes;
}

#endif
