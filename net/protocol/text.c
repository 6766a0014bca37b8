/* text.c - see text.h */
#include "net/protocol/text.h"

#include <emmintrin.h>

#include "engine/base/hash.h"
#include "engine/base/hex.h"
#include "engine/base/utf8.h"

static void u32_store(uint32_t value, uint8_t *bytes) {
    for (int i = 0; i < 4; i++) bytes[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t u32_load(const uint8_t *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

void token_format(const struct token *token, char ret_text[TOKEN_TEXT_BYTES]) {
    uint8_t numbers[HEX_BYTES];
    u32_store(token->date, numbers);
    u32_store(token->place, numbers + 4);
    hex_format(numbers, ret_text);
    hex_format(token->secret.bytes, ret_text + HEX_DIGITS);
    hex_format(token->secret.bytes + HEX_BYTES, ret_text + 2 * HEX_DIGITS);
}

bool token_parse(const char *bytes, uint32_t size, struct token *ret_token) {
    uint8_t raw[TOKEN_TEXT_BYTES / 2];
    _Static_assert(sizeof raw == 8 + sizeof ret_token->secret.bytes, "date, place, secret");
    _Static_assert(TOKEN_TEXT_BYTES == 3 * HEX_DIGITS, "three times sixteen digits");
    if (size != TOKEN_TEXT_BYTES) return false;
    for (uint32_t i = 0; i < 3; i++) {
        if (!hex_parse(bytes + i * HEX_DIGITS, raw + i * HEX_BYTES)) return false;
    }
    ret_token->date = u32_load(raw);
    ret_token->place = u32_load(raw + 4);
    memcpy(ret_token->secret.bytes, raw + 8, sizeof ret_token->secret.bytes);
    return true;
}

void key_digest(const char *bytes, uint32_t size, struct id128 *ret_digest) {
    _Static_assert(sizeof ret_digest->bytes == HASH_DIGEST_BYTES, "128 bits");
    hash_128(bytes, size, ret_digest->bytes);
    if (id128_is_none(ret_digest)) ret_digest->bytes[15] = 1;
}

/* Most texts are plain ASCII, and each payment has a key. Return: so many bytes from the beginning
 * are printable ASCII, a multiple of 16; the next ones may be, too */
static uint32_t plain_bytes(const char *bytes, uint32_t size) {
    const __m128i below = _mm_set1_epi8(0x1f), above = _mm_set1_epi8(0x7f);
    uint32_t i = 0;
    for (; size - i >= sizeof below; i += (uint32_t)sizeof below) {
        __m128i all = _mm_loadu_si128((const __m128i *)(const void *)(bytes + i));
        /* As signed numbers all bytes from 0x80 on are below, too. */
        __m128i plain = _mm_and_si128(_mm_cmpgt_epi8(all, below), _mm_cmpgt_epi8(above, all));
        if (_mm_movemask_epi8(plain) != 0xffff) break;
    }
    return i;
}

bool text_is_clean(const char *bytes, uint32_t size) {
    const uint8_t *text = (const uint8_t *)bytes;
    uint32_t i = plain_bytes(bytes, size);
    while (i < size) {
        if (text[i] < 0x20 || text[i] == 0x7f) return false;
        uint32_t character = utf8_character(text + i, size - i);
        if (character == 0) return false;
        i += character;
    }
    return true;
}
