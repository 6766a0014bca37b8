/* hex.h - hexadecimal digits sixteen at a time
 *
 * With the vectors that every amd64 has (SSE2): each fan's every request names him by 48 digits.
 * Inlined, since a call would cost as much. Pure; any thread.
 */
#ifndef USHER_ENGINE_BASE_HEX_H
#define USHER_ENGINE_BASE_HEX_H

#include <emmintrin.h>
#include <stdbool.h>
#include <stdint.h>

#define HEX_DIGITS 16u
#define HEX_BYTES (HEX_DIGITS / 2)

/* Lanes of `bytes` that are not above `most`: all ones */
static inline __m128i hex_not_above(__m128i bytes, char most) {
    return _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(most)), bytes);
}

/* hex_format - lower-case digits, not terminated */
static inline void hex_format(const uint8_t bytes[HEX_BYTES], char ret_digits[HEX_DIGITS]) {
    const __m128i low_bits = _mm_set1_epi8(15);
    __m128i all = _mm_loadl_epi64((const __m128i *)(const void *)bytes);
    __m128i high = _mm_and_si128(_mm_srli_epi16(all, 4), low_bits);
    __m128i values = _mm_unpacklo_epi8(high, _mm_and_si128(all, low_bits));
    __m128i letters = _mm_andnot_si128(hex_not_above(values, 9), _mm_set1_epi8('a' - '0' - 10));
    __m128i digits = _mm_add_epi8(_mm_add_epi8(values, _mm_set1_epi8('0')), letters);
    _mm_storeu_si128((__m128i *)(void *)ret_digits, digits);
}

/* hex_parse - upper case is accepted. Return: whether all of them are digits */
static inline bool hex_parse(const char digits[HEX_DIGITS], uint8_t ret_bytes[HEX_BYTES]) {
    __m128i all = _mm_loadu_si128((const __m128i *)(const void *)digits);
    __m128i number = _mm_sub_epi8(all, _mm_set1_epi8('0'));
    __m128i letter = _mm_sub_epi8(_mm_or_si128(all, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
    __m128i is_number = hex_not_above(number, 9), is_letter = hex_not_above(letter, 5);
    letter = _mm_add_epi8(letter, _mm_set1_epi8(10));
    __m128i values = _mm_or_si128(_mm_and_si128(is_number, number),
                                  _mm_and_si128(is_letter, letter));
    /* A pair of lanes is a byte: the first one has its upper half. */
    __m128i pairs = _mm_or_si128(_mm_slli_epi16(values, 4), _mm_srli_epi16(values, 8));
    pairs = _mm_and_si128(pairs, _mm_set1_epi16(0xff));
    _mm_storel_epi64((__m128i *)(void *)ret_bytes, _mm_packus_epi16(pairs, pairs));
    return _mm_movemask_epi8(_mm_or_si128(is_number, is_letter)) == 0xffff;
}

#endif
