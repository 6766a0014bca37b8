/* unicode.c - see unicode.h; the only file that knows utf8proc */
#include "tools/common/unicode.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "engine/base/require.h"
#include "net/protocol/text.h"

char *unicode_nfc(const char *text) {
    REQUIRE(text);
    utf8proc_uint8_t *result = NULL;
    const utf8proc_option_t form = UTF8PROC_NULLTERM | UTF8PROC_STABLE | UTF8PROC_COMPOSE;
    utf8proc_ssize_t size = utf8proc_map((const utf8proc_uint8_t *)text, 0, &result, form);
    REQUIRE(size >= 0 || size == UTF8PROC_ERROR_INVALIDUTF8);
    return size >= 0 ? (char *)result : NULL;
}

const char *unicode_byte_order_mark(const char *bytes, size_t size, size_t *ret_bytes) {
    /* UTF-32's begins like UTF-16's: the longer ones first. */
    static const struct {
        const char *encoding, *mark;
        size_t bytes;
    } marks[] = {
        {"UTF-32", "\xff\xfe\0\0", 4}, {"UTF-32", "\0\0\xfe\xff", 4}, {"UTF-8", "\xef\xbb\xbf", 3},
        {"UTF-16", "\xff\xfe", 2},     {"UTF-16", "\xfe\xff", 2},
    };
    *ret_bytes = 0;
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        if (size < marks[i].bytes || memcmp(bytes, marks[i].mark, marks[i].bytes) != 0) continue;
        *ret_bytes = marks[i].bytes;
        return marks[i].encoding;
    }
    return NULL;
}

/* Bytes of the well-formed, printable character at `text`; 0: there is none */
static size_t character_bytes(const char *text) {
    uint32_t size = 1, left = (uint32_t)strnlen(text, 4);
    while (size <= left && !text_is_clean(text, size)) size++;
    bool is_c1 = size == 2 && text[0] == '\xC2' && (unsigned char)text[1] < 0xA0;
    return size <= left && !is_c1 ? size : 0;
}

void unicode_make_printable(char *text) {
    while (*text) {
        size_t size = character_bytes(text);
        if (size == 0) *text = '?';
        text += size > 0 ? size : 1;
    }
}
