/* test_text.c - tokens, idempotency keys and UTF-8 */
#include "tests/support/cmocka.h"

#include <ctype.h>

#include "net/protocol/text.h"

static void token_round_trip(void **state) {
    (void)state;
    struct token token = {.date = 7, .place = 0x01020304}, parsed;
    char text[TOKEN_TEXT_BYTES], upper[TOKEN_TEXT_BYTES];
    for (uint32_t i = 0; i < 16; i++) token.secret.bytes[i] = (uint8_t)(0xa0 + i);
    token_format(&token, text);
    assert_memory_equal(text, "0000000701020304a0a1a2a3a4a5a6a7a8a9aaabacadaeaf", sizeof text);
    assert_true(token_parse(text, sizeof text, &parsed));
    assert_int_equal(parsed.date, token.date);
    assert_int_equal(parsed.place, token.place);
    assert_true(id128_equal(&parsed.secret, &token.secret));
    for (uint32_t i = 0; i < sizeof text; i++) {
        upper[i] = text[i] >= 'a' ? (char)(text[i] - 32) : text[i];
    }
    assert_true(token_parse(upper, sizeof upper, &parsed));
    assert_true(id128_equal(&parsed.secret, &token.secret));
}

static void token_refused(void **state) {
    (void)state;
    const char *good = "0000000701020304a0a1a2a3a4a5a6a7a8a9aaabacadaeaf";
    struct token token = {.date = 99};
    for (uint32_t size = 0; size < TOKEN_TEXT_BYTES; size++) {
        assert_false(token_parse(good, size, &token));
    }
    for (uint32_t i = 0; i < TOKEN_TEXT_BYTES; i++) {
        char bad[TOKEN_TEXT_BYTES];
        for (const char *c = "g/:@G`\x7f\xff"; *c; c++) {
            memcpy(bad, good, sizeof bad);
            bad[i] = *c;
            assert_false(token_parse(bad, sizeof bad, &token));
        }
    }
    assert_false(token_parse("0000000701020304a0a1a2a3a4a5a6a7a8a9aaabacadaeaf0", 49, &token));
    assert_int_equal(token.date, 99);
}

/* Every byte at every place of a token: a digit, as <ctype.h> says, or refused. */
static void every_digit(void **state) {
    (void)state;
    for (uint32_t place = 0; place < TOKEN_TEXT_BYTES; place++) {
        for (uint32_t byte = 0; byte < 256; byte++) {
            char text[TOKEN_TEXT_BYTES], again[TOKEN_TEXT_BYTES];
            struct token token;
            memset(text, '7', sizeof text);
            text[place] = (char)byte;
            bool good = token_parse(text, sizeof text, &token);
            if (good != (isxdigit((int)byte) != 0)) fail_msg("byte %u at %u", byte, place);
            if (!good) continue;
            token_format(&token, again);
            text[place] = (char)tolower((int)byte);
            assert_memory_equal(text, again, sizeof text);
        }
    }
}

static void digests(void **state) {
    (void)state;
    struct id128 a, b;
    key_digest("key", 3, &a);
    key_digest("key", 3, &b);
    assert_true(id128_equal(&a, &b));
    assert_false(id128_is_none(&a));
    key_digest("keY", 3, &b);
    assert_false(id128_equal(&a, &b));
    key_digest("ke", 2, &b);
    assert_false(id128_equal(&a, &b));
    /* It is written to the log: it must never change. */
    static const uint8_t fixed[16] = {0xa4, 0xbd, 0xf4, 0xe5, 0x64, 0x56, 0x4c, 0xf8,
                                      0xbb, 0xea, 0x0d, 0x63, 0xa0, 0x51, 0x65, 0xe3};
    assert_memory_equal(a.bytes, fixed, sizeof fixed);
}

static void clean_text(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool clean;
    } cases[] = {
        {"", true},
        {"Row 9A, seat 16 bis", true},
        {"K\xc3\xb6nigin der Nacht", true},
        {"\xe2\x82\xac", true},             /* euro */
        {"\xf0\x9f\x8e\xb5", true},         /* a note, four bytes */
        {"\xed\x9f\xbf\xee\x80\x80", true}, /* around the surrogates */
        {"\xf4\x8f\xbf\xbf", true},         /* U+10FFFF */
        {"line\nbreak", false},
        {"tab\t", false},
        {"delete\x7f", false},
        {"\x1b[31m", false},
        {"\x80", false},
        {"\xc0\xaf", false}, /* overlong */
        {"\xc1\xbf", false},
        {"\xe0\x9f\xbf", false},     /* overlong */
        {"\xed\xa0\x80", false},     /* surrogate */
        {"\xf0\x8f\xbf\xbf", false}, /* overlong */
        {"\xf4\x90\x80\x80", false}, /* above U+10FFFF */
        {"\xf5\x80\x80\x80", false},
        {"\xe2\x82", false}, /* cut short */
        {"\xe2\x82z", false},
        {"\xf0\x9f\x8e", false},
        {"\xff", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool clean = text_is_clean(cases[i].text, (uint32_t)strlen(cases[i].text));
        if (clean != cases[i].clean) fail_msg("case %zu", i);
    }
    assert_false(text_is_clean("a\0b", 3));
}

/* Wherever a byte stands, and whatever it is: plain text is read sixteen bytes at a time. */
static void clean_text_at_every_place(void **state) {
    (void)state;
    for (uint32_t size = 1; size <= 50; size++) {
        for (uint32_t at = 0; at < size; at++) {
            for (uint32_t byte = 0; byte < 256; byte++) {
                char text[50];
                memset(text, 'x', size);
                text[at] = (char)byte;
                bool clean = byte >= 0x20 && byte < 0x7f;
                if (text_is_clean(text, size) != clean) fail_msg("%u at %u of %u", byte, at, size);
            }
            if (at + 1 == size) continue;
            char text[50];
            memset(text, 'x', size);
            memcpy(text + at, "\xc3\xb3", 2);
            assert_true(text_is_clean(text, size));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(token_round_trip), cmocka_unit_test(token_refused),
        cmocka_unit_test(every_digit),      cmocka_unit_test(digests),
        cmocka_unit_test(clean_text),       cmocka_unit_test(clean_text_at_every_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
