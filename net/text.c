/* text.c - see text.h */
#include "net/text.h"

#include <xxhash.h>

#include "engine/require.h"

static const char digits[] = "0123456789abcdef";

/* What a digit stands for, with DIGIT set; 0 for everything else */
enum { DIGIT = 16 };
static const uint8_t digit_values[256] = {
    ['0'] = DIGIT | 0,  ['1'] = DIGIT | 1,  ['2'] = DIGIT | 2,  ['3'] = DIGIT | 3,
    ['4'] = DIGIT | 4,  ['5'] = DIGIT | 5,  ['6'] = DIGIT | 6,  ['7'] = DIGIT | 7,
    ['8'] = DIGIT | 8,  ['9'] = DIGIT | 9,  ['a'] = DIGIT | 10, ['b'] = DIGIT | 11,
    ['c'] = DIGIT | 12, ['d'] = DIGIT | 13, ['e'] = DIGIT | 14, ['f'] = DIGIT | 15,
    ['A'] = DIGIT | 10, ['B'] = DIGIT | 11, ['C'] = DIGIT | 12, ['D'] = DIGIT | 13,
    ['E'] = DIGIT | 14, ['F'] = DIGIT | 15,
};

static void hex_format(const uint8_t *bytes, uint32_t size, char *ret_text) {
    for (uint32_t i = 0; i < size; i++) {
        ret_text[2 * i] = digits[bytes[i] >> 4];
        ret_text[2 * i + 1] = digits[bytes[i] & 15];
    }
}

/* `text` has 2 * size characters. Return: whether all of them are digits */
static bool hex_parse(const char *text, uint32_t size, uint8_t *ret_bytes) {
    const uint8_t *from = (const uint8_t *)text;
    uint32_t all = DIGIT;
    for (uint32_t i = 0; i < size; i++, from += 2) {
        uint32_t high = digit_values[from[0]], low = digit_values[from[1]];
        all &= high & low;
        ret_bytes[i] = (uint8_t)(high << 4 | (low & 15));
    }
    return all != 0;
}

static void u32_store(uint32_t value, uint8_t *bytes) {
    for (int i = 0; i < 4; i++) bytes[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t u32_load(const uint8_t *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

void token_format(const struct token *token, char ret_text[TOKEN_TEXT_BYTES]) {
    uint8_t numbers[8];
    u32_store(token->date, numbers);
    u32_store(token->place, numbers + 4);
    hex_format(numbers, sizeof numbers, ret_text);
    hex_format(token->secret.bytes, sizeof token->secret.bytes, ret_text + 2 * sizeof numbers);
}

bool token_parse(const char *bytes, uint32_t size, struct token *ret_token) {
    uint8_t raw[TOKEN_TEXT_BYTES / 2];
    _Static_assert(sizeof raw == 8 + sizeof ret_token->secret.bytes, "date, place, secret");
    if (size != TOKEN_TEXT_BYTES || !hex_parse(bytes, sizeof raw, raw)) return false;
    ret_token->date = u32_load(raw);
    ret_token->place = u32_load(raw + 4);
    memcpy(ret_token->secret.bytes, raw + 8, sizeof ret_token->secret.bytes);
    return true;
}

/* A UUID's groups, in bytes. */
static const uint8_t uuid_groups[] = {4, 2, 2, 2, 6};

void uuid_format(const struct id128 *uuid, char ret_text[UUID_TEXT_BYTES]) {
    const uint8_t *from = uuid->bytes;
    char *to = ret_text;
    for (uint32_t i = 0; i < sizeof uuid_groups; i++) {
        if (i > 0) *to++ = '-';
        hex_format(from, uuid_groups[i], to);
        from += uuid_groups[i];
        to += 2 * uuid_groups[i];
    }
    REQUIRE(to == ret_text + UUID_TEXT_BYTES);
}

bool uuid_parse(const char *bytes, uint32_t size, struct id128 *ret_uuid) {
    struct id128 uuid;
    uint8_t *to = uuid.bytes;
    if (size != UUID_TEXT_BYTES) return false;
    for (uint32_t i = 0; i < sizeof uuid_groups; i++) {
        if (i > 0 && *bytes++ != '-') return false;
        if (!hex_parse(bytes, uuid_groups[i], to)) return false;
        to += uuid_groups[i];
        bytes += 2 * uuid_groups[i];
    }
    if (id128_is_none(&uuid)) return false;
    *ret_uuid = uuid;
    return true;
}

void key_digest(const char *bytes, uint32_t size, struct id128 *ret_digest) {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes, size));
    _Static_assert(sizeof canonical.digest == sizeof ret_digest->bytes, "128 bits");
    memcpy(ret_digest->bytes, canonical.digest, sizeof ret_digest->bytes);
    if (id128_is_none(ret_digest)) ret_digest->bytes[15] = 1;
}

/* The ranges of the second byte that make a sequence well-formed (Unicode 15, table 3-7): no
 * overlong forms, no surrogates, nothing above U+10FFFF.
 * Return: bytes of the sequence that `first` begins, 0 if none does */
static uint32_t utf8_sequence(uint8_t first, uint8_t *ret_low, uint8_t *ret_high) {
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

bool text_is_clean(const char *bytes, uint32_t size) {
    const uint8_t *text = (const uint8_t *)bytes;
    uint32_t i = 0;
    while (i < size) {
        if (text[i] < 0x80) {
            if (text[i] < 0x20 || text[i] == 0x7f) return false;
            i++;
            continue;
        }
        uint8_t low, high;
        uint32_t length = utf8_sequence(text[i], &low, &high);
        if (length == 0 || length > size - i) return false;
        if (text[i + 1] < low || text[i + 1] > high) return false;
        for (uint32_t k = 2; k < length; k++) {
            if ((text[i + k] & 0xc0) != 0x80) return false;
        }
        i += length;
    }
    return true;
}
