/* statements.c - see statements.h; the texts are in a file that statements.py makes
 *
 * Failure modes: none that data can bring about. A placeholder without a value, a value that would
 * end its quotes, and a text that does not fit are bugs of the caller.
 */
#include "replay/postgres/statements.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/require.h"

struct filling {
    char *text;
    size_t size, used;
};

static void put(struct filling *filling, const char *bytes, size_t size) {
    REQUIRE(size < filling->size - filling->used);
    memcpy(filling->text + filling->used, bytes, size);
    filling->used += size;
    filling->text[filling->used] = '\0';
}

/* A name of lower-case letters and "_". */
static size_t name_size(const char *at) { return strspn(at, "abcdefghijklmnopqrstuvwxyz_"); }

static const struct statement_value *find(const struct statement_value *values, uint32_t count,
                                          const char *name, size_t size) {
    for (uint32_t i = 0; i < count; i++) {
        if (strncmp(values[i].name, name, size) == 0 && !values[i].name[size]) return &values[i];
    }
    REQUIRE_NEVER("a value for each placeholder");
}

/* quote: ' or ", 0 for a number */
static void put_value(struct filling *filling, const struct statement_value *value, char quote) {
    char number[24];
    if (quote) {
        REQUIRE(value->text && !strpbrk(value->text, "'\"\\"));
        put(filling, &quote, 1);
        put(filling, value->text, strlen(value->text));
        put(filling, &quote, 1);
    } else {
        REQUIRE(!value->text);
        int size = snprintf(number, sizeof number, "%llu", (unsigned long long)value->number);
        put(filling, number, (size_t)size);
    }
}

/* "::" is a cast. */
const char *statement_fill(char *ret_text, size_t size, const char *statement,
                           const struct statement_value *values, uint32_t count) {
    struct filling filling = {ret_text, size, 0};
    REQUIRE(size > 0);
    ret_text[0] = '\0';
    for (const char *at = statement; *at;) {
        char quote = at[0] == ':' && (at[1] == '\'' || at[1] == '"') ? at[1] : '\0';
        size_t name = at[0] == ':' ? name_size(at + (quote ? 2 : 1)) : 0;
        if (name > 0) {
            put_value(&filling, find(values, count, at + (quote ? 2 : 1), name), quote);
            at += name + (quote ? 3 : 1);
        } else {
            size_t same = at[0] == ':' && at[1] == ':' ? 2 : 1;
            put(&filling, at, same);
            at += same;
        }
    }
    return ret_text;
}
