/* test_decision.c - records of the log: round trip of every kind, truncation, flips, old records */
#include "tests/support/random.h"
#include "tests/unit/engine/domain/domain_test.h"

#include "engine/domain/index.h"

static const uint16_t kinds[] = {
#define DECISION(number, NAME, name, OWNER) number,
#include "engine/domain/decision.def"
#undef DECISION
};
#define KIND_COUNT (sizeof kinds / sizeof kinds[0])

/* --- every field gets a value of its own ------------------------------------------------------ */

static char long_text[TEXT_BYTES_MAX];

/* variant 0: all zero; 1: distinct values; 2: the largest */
static void fill_u8(uint8_t *v, uint32_t variant) { *v = variant == 1 ? 7 : UINT8_MAX; }
static void fill_u16(uint16_t *v, uint32_t variant) { *v = variant == 1 ? 0x1234 : UINT16_MAX; }
static void fill_u32(uint32_t *v, uint32_t variant) { *v = variant == 1 ? 0x12345678 : UINT32_MAX; }
static void fill_u64(uint64_t *v, uint32_t variant) {
    *v = variant == 1 ? 0x123456789abcdef0ull : UINT64_MAX;
}
static void fill_id(struct id128 *v, uint32_t variant) {
    for (uint8_t i = 0; i < 16; i++) v->bytes[i] = variant == 1 ? i : 0xff;
}
static void fill_text(struct text *v, uint32_t variant) {
    *v = variant == 1 ? (struct text){"Gr\xc3\xbc\xc3\x9f", 6}
                      : (struct text){long_text, TEXT_BYTES_MAX};
}
static void fill_numbers(struct numbers *v, uint32_t variant) {
    v->count = variant == 1 ? 3 : SEATS_PER_USER_MAX;
    for (uint32_t i = 0; i < v->count; i++) v->values[i] = i + 100;
}
static void fill_policy(struct policy *v, uint32_t variant) {
    for (uint32_t i = 0; i < POLICY_FIELD_COUNT; i++) {
        policy_set(v, i, variant == 1 ? policy_row(i)->min : policy_row(i)->max);
    }
}

static struct decision sample(uint16_t kind, uint32_t variant) {
    struct decision decision;
    memset(&decision, 0, sizeof decision);
    decision.kind = kind;
    decision.partition = variant * 0x01020304;
    decision.time_ms = variant * 0x0102030405060708ull;
    switch (kind) {
#define FILL(type, field)                                                                          \
    if (variant > 0) fill_##type(&body->field, variant);
#define DECISION(number, NAME, name, OWNER)                                                        \
    case number: {                                                                                 \
        struct decision_##name *body = &decision.name;                                             \
        (void)body; /* a kind may have no fields */                                                \
        FIELDS_##name(FILL) break;                                                                 \
    }
#include "engine/domain/decision.def"
#undef DECISION
#undef FILL
    default: fail();
    }
    if (variant == 0 && kind == DECISION_DATE_CREATED) {
        policy_default(&decision.date_created.policy);
    }
    if (variant == 0 && kind == DECISION_POLICY_CHANGED) {
        policy_default(&decision.policy_changed.policy);
    }
    return decision;
}

/* --- a digest of all fields, through decision_visit() ----------------------------------------- */

static void mix(void *context, const void *bytes, uint32_t size) {
    uint64_t *digest = context;
    *digest = index_hash(bytes, size, *digest);
}
static void see_number(void *context, const char *field, uint64_t value) {
    mix(context, field, (uint32_t)strlen(field));
    mix(context, &value, sizeof value);
}
static void see_id(void *context, const char *field, const struct id128 *value) {
    mix(context, field, (uint32_t)strlen(field));
    mix(context, value, sizeof *value);
}
static void see_text(void *context, const char *field, const struct text *value) {
    mix(context, field, (uint32_t)strlen(field));
    mix(context, value->bytes, value->size);
}
static void see_numbers(void *context, const char *field, const struct numbers *value) {
    mix(context, field, (uint32_t)strlen(field));
    mix(context, value->values, value->count * (uint32_t)sizeof value->values[0]);
}
static void see_policy(void *context, const char *field, const struct policy *value) {
    mix(context, field, (uint32_t)strlen(field));
    mix(context, value, sizeof *value);
}

static uint64_t digest_of(const struct decision *decision) {
    uint64_t digest = 0;
    const struct decision_visitor visitor = {.context = &digest,
                                             .number = see_number,
                                             .id = see_id,
                                             .text = see_text,
                                             .numbers = see_numbers,
                                             .policy = see_policy};
    see_number(&digest, "kind", decision->kind);
    see_number(&digest, "partition", decision->partition);
    see_number(&digest, "time_ms", decision->time_ms);
    decision_visit(decision, &visitor);
    return digest;
}

/* Decode from an allocation of exactly `size` bytes, so that ASan sees one byte too far. The copy
 * stays: texts of the decision point into it. */
static int decode_copy(const uint8_t *bytes, uint32_t size, struct decision *ret_decision,
                       uint8_t **ret_copy) {
    *ret_copy = malloc(size ? size : 1);
    assert_non_null(*ret_copy);
    memcpy(*ret_copy, bytes, size);
    return decision_decode(*ret_copy, size, ret_decision);
}

static void every_kind_round_trips(void **state) {
    for (uint32_t i = 0; i < KIND_COUNT; i++) {
        for (uint32_t variant = 0; variant < 3; variant++) {
            uint8_t bytes[RECORD_BYTES_MAX], again[RECORD_BYTES_MAX], *copy;
            struct decision decision = sample(kinds[i], variant), decoded;
            uint32_t size = decision_encode(&decision, bytes);
            assert_int_equal(decode_copy(bytes, size, &decoded, &copy), DECISION_DECODE_OK);
            assert_true(digest_of(&decoded) == digest_of(&decision));
            assert_int_equal(decision_encode(&decoded, again), size);
            assert_memory_equal(again, bytes, size);
            free(copy);
        }
    }
    (void)state;
}

static void header_is_as_documented(void **state) {
    uint8_t bytes[RECORD_BYTES_MAX];
    struct decision decision = sample(DECISION_STATE_HASHED, 1);
    assert_int_equal(decision_encode(&decision, bytes), RECORD_HEADER_BYTES + 8);
    const uint8_t expected[] = {28, 0, 0, 0, 60, 0, 0,    0,    4,    3,    2,    1,    8,    7,
                                6,  5, 4, 3, 2,  1, 0xf0, 0xde, 0xbc, 0x9a, 0x78, 0x56, 0x34, 0x12};
    assert_memory_equal(bytes, expected, sizeof expected);
    (void)state;
}

static void put_size(uint8_t *bytes, uint32_t size) { memcpy(bytes, &size, sizeof size); }

/* With the size as it was: refused. With the size made to fit: an older record or refused; what it
 * lacks reads as zero. */
static void every_truncation_is_refused_or_older(void **state) {
    for (uint32_t i = 0; i < KIND_COUNT; i++) {
        uint8_t bytes[RECORD_BYTES_MAX], *copy;
        struct decision decision = sample(kinds[i], 1), decoded;
        uint32_t size = decision_encode(&decision, bytes);
        for (uint32_t cut = 0; cut < size; cut++) {
            put_size(bytes, size);
            assert_int_equal(decode_copy(bytes, cut, &decoded, &copy), DECISION_DECODE_BAD_SIZE);
            free(copy);
            put_size(bytes, cut);
            int result = decode_copy(bytes, cut, &decoded, &copy);
            if (cut < RECORD_HEADER_BYTES) {
                assert_int_equal(result, DECISION_DECODE_BAD_SIZE);
            } else if (cut == RECORD_HEADER_BYTES) {
                assert_int_equal(result, DECISION_DECODE_OK); /* the oldest: no field at all */
            } else {
                assert_true(result == DECISION_DECODE_OK || result == DECISION_DECODE_BAD_BODY);
            }
            if (result == DECISION_DECODE_OK) (void)digest_of(&decoded);
            free(copy);
        }
    }
    (void)state;
}

static void older_records_read_zero(void **state) {
    uint8_t bytes[RECORD_BYTES_MAX];
    struct decision decoded, sold = sample(DECISION_SEATS_SOLD, 1);
    uint32_t size = decision_encode(&sold, bytes);
    put_size(bytes, size - 13); /* before balance, token_expired and payer were added */
    assert_int_equal(decision_decode(bytes, size - 13, &decoded), DECISION_DECODE_OK);
    assert_int_equal(decoded.seats_sold.amount, sold.seats_sold.amount);
    assert_int_equal(decoded.seats_sold.balance, 0);
    assert_int_equal(decoded.seats_sold.token_expired, 0);
    assert_int_equal(decoded.seats_sold.payer, 0);
    put_size(bytes, size - 9); /* inside a field */
    assert_int_equal(decision_decode(bytes, size - 9, &decoded), DECISION_DECODE_BAD_BODY);

    struct decision created = sample(DECISION_DATE_CREATED, 1), policy;
    size = decision_encode(&created, bytes);
    uint32_t at = size - 1 - POLICY_FIELD_COUNT * 8 - (uint32_t)sizeof(struct id128);
    put_size(bytes, at);
    assert_int_equal(decision_decode(bytes, at, &decoded), DECISION_DECODE_OK);
    policy_default(&policy.policy_changed.policy);
    assert_memory_equal(&decoded.date_created.policy, &policy.policy_changed.policy,
                        sizeof(struct policy));
    bytes[at] = POLICY_INDEX_max_seats_per_user; /* a policy of fewer fields: default */
    size = at + 1 + POLICY_INDEX_max_seats_per_user * 8;
    put_size(bytes, size);
    assert_int_equal(decision_decode(bytes, size, &decoded), DECISION_DECODE_OK);
    assert_int_equal(decoded.date_created.policy.hold_ttl_ms, 100);
    assert_int_equal(decoded.date_created.policy.max_seats_per_user, 4);
    (void)state;
}

static void newer_records_are_refused(void **state) {
    uint8_t bytes[RECORD_BYTES_MAX + 1] = {0};
    struct decision decoded;
    for (uint32_t i = 0; i < KIND_COUNT; i++) {
        struct decision decision = sample(kinds[i], 1);
        uint32_t size = decision_encode(&decision, bytes);
        bytes[size] = 0;
        put_size(bytes, size + 1); /* one byte of a field that this usher does not know */
        assert_int_equal(decision_decode(bytes, size + 1, &decoded), DECISION_DECODE_BAD_BODY);
    }
    struct decision decision = sample(DECISION_POLICY_CHANGED, 1);
    uint32_t size = decision_encode(&decision, bytes);
    bytes[RECORD_HEADER_BYTES] = POLICY_FIELD_COUNT + 1;
    memset(bytes + size, 0, 8);
    put_size(bytes, size + 8);
    assert_int_equal(decision_decode(bytes, size + 8, &decoded), DECISION_DECODE_BAD_BODY);
    for (uint32_t kind = 0; kind < 300; kind++) {
        bool known = false;
        for (uint32_t i = 0; i < KIND_COUNT; i++) known |= kinds[i] == kind;
        bytes[4] = (uint8_t)kind;
        bytes[5] = (uint8_t)(kind >> 8);
        put_size(bytes, RECORD_HEADER_BYTES);
        assert_int_equal(decision_decode(bytes, RECORD_HEADER_BYTES, &decoded),
                         known ? DECISION_DECODE_OK : DECISION_DECODE_UNKNOWN_KIND);
        assert_int_equal(strcmp(decision_name(kind), "unknown") != 0, known);
    }
    put_size(bytes, RECORD_BYTES_MAX + 1);
    assert_int_equal(decision_decode(bytes, RECORD_BYTES_MAX + 1, &decoded),
                     DECISION_DECODE_BAD_SIZE);
    (void)state;
}

/* More numbers than a record may have, all of them present. */
static void too_many_numbers_are_refused(void **state) {
    uint8_t bytes[RECORD_BYTES_MAX] = {0};
    struct decision decoded, expired = sample(DECISION_TOKEN_EXPIRED, 2);
    uint32_t size = decision_encode(&expired, bytes);
    assert_int_equal(decision_decode(bytes, size, &decoded), DECISION_DECODE_OK);
    assert_int_equal(decoded.token_expired.released.count, SEATS_PER_USER_MAX);
    for (uint32_t count = SEATS_PER_USER_MAX + 1; count < 256; count++) {
        uint32_t longer = size + 4 * (count - SEATS_PER_USER_MAX);
        bytes[RECORD_HEADER_BYTES + 5] = (uint8_t)count;
        put_size(bytes, longer);
        assert_int_equal(decision_decode(bytes, longer, &decoded), DECISION_DECODE_BAD_BODY);
    }
    (void)state;
}

/* Checksums find flips; the decoder must survive what they let through. A flip that decodes must
 * encode to exactly what was read: nothing is lost or made up. */
static void every_flip_is_survived(void **state) {
    for (uint32_t i = 0; i < KIND_COUNT; i++) {
        uint8_t bytes[RECORD_BYTES_MAX], again[RECORD_BYTES_MAX], *copy;
        struct decision decision = sample(kinds[i], 1), decoded;
        uint32_t size = decision_encode(&decision, bytes);
        for (uint32_t at = 0; at < size; at++) {
            for (uint32_t value = 1; value < 256; value++) {
                bytes[at] ^= (uint8_t)value;
                int result = decode_copy(bytes, size, &decoded, &copy);
                if (at < 4) assert_int_equal(result, DECISION_DECODE_BAD_SIZE);
                if (at == 6 || at == 7) assert_int_not_equal(result, DECISION_DECODE_OK);
                if (result == DECISION_DECODE_OK && decoded.kind == decision.kind &&
                    kinds[i] != DECISION_POLICY_CHANGED && kinds[i] != DECISION_DATE_CREATED) {
                    uint32_t length = decision_encode(&decoded, again);
                    assert_true(length >= size); /* longer: absent fields are written out */
                    assert_memory_equal(again + 4, bytes + 4, size - 4);
                }
                if (result == DECISION_DECODE_OK) (void)digest_of(&decoded);
                bytes[at] ^= (uint8_t)value;
                free(copy);
            }
        }
    }
    (void)state;
}

static void random_bytes_are_survived(void **state) {
    struct random random = {17};
    for (uint32_t round = 0; round < 200000; round++) {
        uint8_t bytes[160], *copy;
        struct decision decoded;
        uint32_t size = RECORD_HEADER_BYTES + round % (160 - RECORD_HEADER_BYTES);
        for (uint32_t i = 0; i < size; i++) {
            bytes[i] = (uint8_t)random_next(&random) & (round % 3 ? 0xff : 0x07);
        }
        put_size(bytes, size);
        bytes[4] = (uint8_t)kinds[round % KIND_COUNT];
        bytes[5] = bytes[6] = bytes[7] = 0;
        if (decode_copy(bytes, size, &decoded, &copy) == DECISION_DECODE_OK) {
            (void)digest_of(&decoded);
        }
        free(copy);
    }
    (void)state;
}

/* A record that does not belong to its partition is refused, not applied. */
static void world_refuses_what_is_no_log_of_this_engine(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    uint32_t date = domain_date(domain, &policy, 1, 1);
    struct decision opened = {.kind = DECISION_DATE_OPENED, .time_ms = domain->now_ms};
    const struct {
        uint32_t partition;
        int result;
    } cases[] = {
        {PARTITION_CATALOGUE, WORLD_NOT_APPLICABLE},
        {PARTITION_ACCOUNT_FIRST, WORLD_NOT_APPLICABLE},
        {PARTITION_ACCOUNT_FIRST + ACCOUNT_PARTITIONS, WORLD_NO_PARTITION},
        {5, WORLD_NO_PARTITION},
        {partition_of_date(0), WORLD_NO_PARTITION},
        {partition_of_date(date + 1), WORLD_NO_PARTITION},
        {partition_of_date(DATES_MAX + 1), WORLD_NO_PARTITION},
        {UINT32_MAX, WORLD_NO_PARTITION},
        {partition_of_date(date), WORLD_APPLIED},
    };
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        opened.partition = cases[i].partition;
        assert_int_equal(world_apply(domain->world, &opened), cases[i].result);
    }
    opened.time_ms--; /* time runs backwards */
    assert_int_equal(world_apply(domain->world, &opened), WORLD_NOT_APPLICABLE);
    struct decision hashed = {.kind = DECISION_STATE_HASHED,
                              .partition = partition_of_date(date),
                              .time_ms = domain->now_ms};
    hashed.state_hashed.hash = partition_hash(world_find(domain->world, hashed.partition));
    assert_int_equal(world_apply(domain->world, &hashed), WORLD_APPLIED);
    hashed.state_hashed.hash++;
    assert_int_equal(world_apply(domain->world, &hashed), WORLD_HASH_MISMATCH);
}

int main(void) {
    memset(long_text, 'z', sizeof long_text);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_round_trips),
        cmocka_unit_test(header_is_as_documented),
        cmocka_unit_test(every_truncation_is_refused_or_older),
        cmocka_unit_test(older_records_read_zero),
        cmocka_unit_test(newer_records_are_refused),
        cmocka_unit_test(too_many_numbers_are_refused),
        cmocka_unit_test(every_flip_is_survived),
        cmocka_unit_test(random_bytes_are_survived),
        T(world_refuses_what_is_no_log_of_this_engine),
    };
    return cmocka_run_group_tests_name("decision", tests, NULL, NULL);
}
