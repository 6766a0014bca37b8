/* postgres_match.c - see postgres_server.h: a statement against a pattern, token by token */
#include "tests/sim/postgres_server.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum lex_kind { LEX_END, LEX_WORD, LEX_NUMBER, LEX_STRING, LEX_SIGN };

struct lexeme {
    enum lex_kind kind;
    bool quoted;
    const char *at;
    size_t size;
    const char *after;
};

static struct lexeme quoted(const char *at, const char *end, enum lex_kind kind) {
    const char *close = memchr(at + 1, *at, (size_t)(end - at - 1));
    if (!close) return (struct lexeme){LEX_SIGN, false, at, 1, at + 1};
    return (struct lexeme){kind, true, at + 1, (size_t)(close - at - 1), close + 1};
}

static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

static struct lexeme token_at(const char *at, const char *end) {
    while (at < end && isspace((unsigned char)*at)) at++;
    if (at == end) return (struct lexeme){LEX_END, false, at, 0, at};
    if (*at == '\'') return quoted(at, end, LEX_STRING);
    if (*at == '"') return quoted(at, end, LEX_WORD);
    size_t size = 0;
    while (at + size < end && is_word(at[size])) size++;
    if (size == 0) return (struct lexeme){LEX_SIGN, false, at, 1, at + 1};
    bool number = isdigit((unsigned char)*at);
    return (struct lexeme){number ? LEX_NUMBER : LEX_WORD, false, at, size, at + size};
}

static bool same(const struct lexeme *a, const struct lexeme *b) {
    if (a->kind != b->kind || a->size != b->size) return false;
    return a->kind == LEX_WORD ? strncasecmp(a->at, b->at, a->size) == 0
                               : memcmp(a->at, b->at, a->size) == 0;
}

/* %n, %i, %s */
static bool take(char what, const struct lexeme *token, struct match *match) {
    enum lex_kind wanted = what == 'n' ? LEX_NUMBER : what == 'i' ? LEX_WORD : LEX_STRING;
    if (token->kind != wanted || token->size >= MATCH_WORD_BYTES) return false;
    if (match->count == MATCH_VALUES_MAX) return false;
    struct match_value *value = &match->values[match->count++];
    memcpy(value->word, token->at, token->size);
    value->word[token->size] = '\0';
    value->number = what == 'n' ? strtoull(value->word, NULL, 10) : 0;
    return true;
}

bool match_statement(const char *text, const char *end, const char *pattern,
                     struct match *ret_match, const char **ret_rest) {
    const char *pattern_end = pattern + strlen(pattern);
    ret_match->count = 0;
    for (;;) {
        struct lexeme wanted = token_at(pattern, pattern_end), token = token_at(text, end);
        pattern = wanted.after;
        if (wanted.kind == LEX_SIGN && *wanted.at == '*') {
            if (ret_rest) *ret_rest = text;
            return true;
        }
        if (wanted.kind == LEX_SIGN && *wanted.at == '%') {
            char what = *pattern++;
            if (!take(what, &token, ret_match)) return false;
        } else if (!same(&wanted, &token)) {
            return false;
        }
        if (wanted.kind == LEX_END) return true;
        text = token.after;
    }
}

const char *match_next(const char *text) {
    const char *end = text + strlen(text);
    for (;;) {
        struct lexeme token = token_at(text, end);
        if (token.kind == LEX_END) return end;
        if (token.kind == LEX_SIGN && *token.at == ';') return token.at;
        text = token.after;
    }
}
