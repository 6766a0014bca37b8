/* test_specification.c - wal/FORMAT.md says what the engine's tables say
 *
 * Every row that the tables give must stand in the specification, in their order, and no other row
 * of that form. What a row means is for people and not compared.
 */
#include "tests/unit/wal/wal_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/hash.h"
#include "engine/domain/account/account.h"
#include "engine/domain/entity.h"
#include "engine/domain/error.h"

static char *specification; /* whole file, ended by zero */

static int read_specification(void **state) {
    (void)state;
    FILE *file = fopen(SPECIFICATION, "r");
    if (file == NULL) return -1;
    size_t room = 1u << 20;
    specification = calloc(1, room);
    size_t size = specification != NULL ? fread(specification, 1, room - 1, file) : 0;
    (void)fclose(file);
    return size > 0 && size < room - 1 ? 0 : -1;
}

static int forget_specification(void **state) {
    (void)state;
    free(specification);
    return 0;
}

/* The part under a heading, up to the next one. */
static char *section(const char *heading) {
    char *begin = strstr(specification, heading);
    if (begin == NULL) fail_msg("there is no heading: %s", heading);
    begin += strlen(heading);
    const char *end = strstr(begin, "\n#");
    size_t size = end != NULL ? (size_t)(end - begin) : strlen(begin);
    char *copy = calloc(1, size + 1);
    assert_non_null(copy);
    memcpy(copy, begin, size);
    return copy;
}

struct expected {
    char rows[64][1024];
    size_t count;
};

/* The rows of a section's table, but for its two rows of head, are these, and these only. */
static void assert_rows(const char *heading, const struct expected *expected) {
    char *text = section(heading);
    size_t row = 0;
    for (const char *line = strstr(text, "\n|---"); line != NULL; line = strchr(line, '\n')) {
        line += 1;
        if (line[0] != '|' || line[1] == '-') continue;
        if (row == expected->count) fail_msg("no such row: %.100s", line);
        const char *wanted = expected->rows[row++];
        if (strncmp(line, wanted, strlen(wanted)) != 0) {
            fail_msg("%s: there must be a row: %s\nnot: %.200s", heading, wanted, line);
        }
    }
    if (row < expected->count) fail_msg("missing: %s", expected->rows[row]);
    free(text);
}

__attribute__((format(printf, 2, 3))) static void expect(struct expected *expected,
                                                         const char *format, ...) {
    assert_true(expected->count < 64);
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(expected->rows[expected->count++], 1024, format, arguments);
    va_end(arguments);
    assert_true(size > 0 && size < 1024);
}

/* A list made of parts that each begin with a comma. */
static const char *list(const char *parts) { return parts[0] == '\0' ? "none" : parts + 2; }

#define FIELD(type, field) ", `" #field "` " #type

#define OWNER_NAME(OWNER) owner_names[OWNER_##OWNER]
static const char *const owner_names[] = {[OWNER_CATALOGUE] = "catalogue",
                                          [OWNER_ACCOUNT] = "account",
                                          [OWNER_DATE] = "date",
                                          [OWNER_ANY] = "any"};

static void test_decisions(void **state) {
    (void)state;
    static struct expected expected;
#define DECISION(number, NAME, name, OWNER)                                                        \
    expect(&expected, "| %d | `%s` | %s | %s | ", number, #name, OWNER_NAME(OWNER),                \
           list("" FIELDS_##name(FIELD)));
#include "engine/domain/decision.def"
#undef DECISION
    assert_rows("### Kinds of decision\n", &expected);
}

static void test_entities(void **state) {
    (void)state;
    static struct expected expected;
#define ENTITY(number, NAME, name, OWNER)                                                          \
    expect(&expected, "| %d | `%s` | %s | %s | ", number, #name, OWNER_NAME(OWNER),                \
           list("" FIELDS_ENTITY_##name(FIELD)));
#include "engine/domain/entity.def"
#undef ENTITY
    assert_rows("### Kinds of entity\n", &expected);
}

static void test_policy(void **state) {
    (void)state;
    static struct expected expected;
    for (uint32_t i = 0; i < POLICY_FIELD_COUNT; i++) {
        const struct policy_row *row = policy_row(i);
        expect(&expected, "| %u | `%s` | %llu | %llu | %llu | ", i, row->name,
               (unsigned long long)row->initial, (unsigned long long)row->min,
               (unsigned long long)row->max);
    }
    assert_rows("### Policy\n", &expected);
}

#define X(number, NAME, text) ", " #number " " text

static void test_numbers(void **state) {
    (void)state;
    static struct expected expected;
    expect(&expected, "| state of a date | %s |", list("" DATE_STATES(X)));
    expect(&expected, "| state of a waiter | %s |", list("" TOKEN_STATES(X)));
    expect(&expected, "| `end` of a token | %s |", list("" TOKEN_ENDS(X)));
    expect(&expected, "| state of a reservation | %s |", list("" RESERVATION_STATES(X)));
    expect(&expected, "| `reason` of a ledger row | %s |", list("" LEDGER_REASONS(X)));
    expect(&expected, "| state of a transfer | %d reserved, %d refunded |", TRANSFER_RESERVED,
           TRANSFER_REFUNDED);
    expect(&expected, "| `cause` of an outage | %s |", list("" OUTAGE_CAUSES(X)));
    assert_rows("### Numbers in fields\n", &expected);
}

/* Errors stand in running text: compared without its line breaks. */
static void test_errors(void **state) {
    (void)state;
    char *text = section("### Numbers in fields\n");
    for (char *at = strchr(text, '\n'); at != NULL; at = strchr(at, '\n')) *at = ' ';
#define E(number, NAME, ...) ", " #number " " #NAME
    static const char errors[] = ""
#include "engine/domain/error.def"
                                 ".";
#undef E
    if (strstr(text, list(errors)) == NULL) fail_msg("there must be: %s", list(errors));
    free(text);
}

static void test_checksums(void **state) {
    (void)state;
    char text[64];
    (void)snprintf(text, sizeof text, "%016llx with seed 0",
                   (unsigned long long)hash_64("abc", 3, 0)); /* fits */
    assert_non_null(strstr(specification, text));
    unsigned long long seeded = hash_64("abc", 3, 0x0123456789abcdefull);
    (void)snprintf(text, sizeof text, "%016llx with seed 0x0123456789abcdef", seeded);
    assert_non_null(strstr(specification, text));
    uint8_t digest[HASH_DIGEST_BYTES];
    hash_128("abc", 3, digest);
    for (int i = 0; i < 16; i++) {
        (void)snprintf(text + 2 * i, sizeof text - 32, "%02x", digest[i]);
    }
    assert_non_null(strstr(specification, text));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decisions), cmocka_unit_test(test_entities),
        cmocka_unit_test(test_policy),    cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_errors),    cmocka_unit_test(test_checksums),
    };
    return cmocka_run_group_tests(tests, read_specification, forget_specification);
}
