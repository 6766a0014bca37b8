/* test_hashes.c - the known answer of every hash, checksum and digest
 *
 * All of them are on disk, so they must come out the same from every compiler at every level of
 * optimisation. The answers here were computed by other code: python3-xxhash, over bytes that were
 * packed field by field. Structs are made on the stack, from values that the compiler does not
 * know, just before they are hashed, as the domain does it: there xxHash once read what was not
 * written yet.
 * Source: wal/FORMAT.md; replay/snapshot/FORMAT.md; engine/base/hash.h
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "engine/domain/partition/world.h"
#include "engine/base/hash.h"
#include "net/protocol/text.h"
#include "replay/snapshot/snapshot_file.h"
#include "wal/block.h"
#include "wal/bytes.h"
#include "wal/segment.h"
#include "tests/support/storage_memory.h"

#define assert_hash(is, wanted) assert_true((is) == (wanted))
#define MESSAGE_BYTES_MAX 65536u
#define SOME_SEED 0x0123456789abcdefull
#define SOME_TIME_MS 1763755200000ull

/* The compiler must not know what is hashed. */
static uint64_t unknown(uint64_t value) {
    volatile uint64_t hidden = value;
    return hidden;
}

static void fill(uint8_t *bytes, uint32_t size) {
    for (uint32_t i = 0; i < size; i++) bytes[i] = (uint8_t)unknown(i * 131ull + 7);
}

static struct id128 some_id(uint32_t number) {
    struct id128 id;
    for (uint32_t i = 0; i < 16; i++) id.bytes[i] = (uint8_t)unknown(number * 16ull + i);
    return id;
}

/* --- bytes ------------------------------------------------------------------------------------ */

/* Every path of XXH3: 0, 1..3, 4..8, 9..16, 17..128, 129..240 and more bytes. */
static void bytes_of_every_length(void **state) {
    static const struct {
        uint32_t size;
        uint64_t plain, seeded;
    } table[] = {
        {0, 0x2d06800538d394c2, 0xcc1ca35a1b089c5c},
        {1, 0x4c5cca45d0f4811f, 0x6dcb95d31de5966b},
        {3, 0x6e3e2670e61106ac, 0x911f06f10ddb4cd2},
        {4, 0x5c4c63133443d03f, 0xac127d990d6a1500},
        {8, 0xf9fd4dd0b04d78f5, 0x9c622ca7116e701f},
        {9, 0x7c20df9712c26edf, 0x6ccff5be3cc44ec4},
        {16, 0x86abf6baccea0858, 0x81ebfa79d47aa6f2},
        {17, 0xb58bf5dc5022d071, 0xfd2e9d73f8cca2d4},
        {24, 0x08ce26a7964ba200, 0x6236139efce83f13},
        {32, 0xe3712ed84c04a66e, 0xddd67146dd8432e2},
        {56, 0xa876fc9d8995d180, 0x2a07dd2a78a6071d},
        {64, 0x1291d2d4042330dd, 0xda20789f5c6994e7},
        {72, 0x41e399126d81c357, 0x594a3ca37ea1f6ba},
        {120, 0x1cb83bb6a8598177, 0x9cc08d7247565e4f},
        {128, 0x10d17f72c0ccba41, 0x357be72a285cd85e},
        {129, 0x1648bdc3db49d1a2, 0x1376e00df4c705f0},
        {240, 0xb6cfaf343fab81e6, 0xd43296f42088f6c4},
        {241, 0x956cae592c67279e, 0x4cbae25b11e4b16b},
        {1024, 0x70bd377d9574f4bb, 0x9239f56d73396e44},
        {1025, 0x66c4487c41e127a7, 0x651c371e7c277610},
        {4088, 0x26a4f7bba45ffc62, 0x79f9a66d8c481950},
        {MESSAGE_BYTES_MAX, 0x04404b28125b4786, 0x1b41c8cadd0401ce},
    };
    static uint8_t bytes[MESSAGE_BYTES_MAX + 1];
    for (uint32_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        for (uint32_t shift = 0; shift < 2; shift++) { /* alignment says nothing */
            fill(bytes + shift, table[i].size);
            assert_hash(hash_64(bytes + shift, table[i].size, 0), table[i].plain);
            assert_hash(hash_64(bytes + shift, table[i].size, SOME_SEED), table[i].seeded);
        }
    }
    assert_hash(hash_64(NULL, 0, 0), table[0].plain);
    (void)state;
}

static void digests_of_keys(void **state) {
    static const struct {
        const char *key;
        uint8_t digest[HASH_DIGEST_BYTES + 1];
    } table[] = {
        {"", "\x99\xaa\x06\xd3\x01\x47\x98\xd8\x60\x01\xc3\x24\x46\x8d\x49\x7f"},
        {"k1", "\x3f\x02\xcb\xbe\x83\x75\x76\xca\x81\xaf\xbf\x86\xb7\x2a\x36\xc5"},
        {"abc", "\x06\xb0\x5a\xb6\x73\x3a\x61\x85\x78\xaf\x5f\x94\x89\x2f\x39\x50"},
        {"order-2026-11-27-0001",
         "\x5d\x7f\xdb\xdf\x3c\x4d\x4c\xbf\x42\x8e\x16\x0b\x68\x45\x23\x49"},
        {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
         "\x44\x5c\xab\xaf\x98\x20\xe9\x86\xac\x7d\x73\x0b\x79\xae\x94\x28"},
    };
    for (uint32_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct id128 digest;
        key_digest(table[i].key, (uint32_t)strlen(table[i].key), &digest);
        assert_memory_equal(digest.bytes, table[i].digest, HASH_DIGEST_BYTES);
    }
    (void)state;
}

/* --- structs on the stack --------------------------------------------------------------------- */

static uint64_t waiter_hash(uint64_t expires_at, uint32_t place, uint32_t token_state) {
    HASHED_STRUCT_BEGIN
    struct {
        struct id128 user, secret;
        uint64_t expires_at;
        uint32_t place, state;
    } image = {some_id(1), some_id(2), expires_at, place, token_state};
    HASHED_STRUCT_END
    return hash_64(&image, sizeof image, 0);
}

static uint64_t account_hash(uint64_t balance, uint64_t reserved, uint64_t chain) {
    HASHED_STRUCT_BEGIN
    struct {
        struct id128 user;
        uint64_t balance, reserved, charged, rows, chain;
    } image = {some_id(1), balance, reserved, balance + reserved, 3, chain};
    HASHED_STRUCT_END
    return hash_64(&image, sizeof image, 0);
}

static uint64_t reservation_hash(uint64_t amount, uint32_t place, const uint32_t seats[3]) {
    HASHED_STRUCT_BEGIN
    struct {
        uint64_t amount, held_at, expires_at, changed_at, balance;
        uint32_t sequence, place, payment, state_and_flags;
        struct id128 user, secret, payment_key, cancel_key;
        uint32_t seats[SEATS_PER_USER_MAX];
    } image = {amount,
               SOME_TIME_MS,
               SOME_TIME_MS + 300000,
               SOME_TIME_MS + 10000,
               560,
               9,
               place,
               5,
               2u | 1u << 8 | 3u << 16,
               some_id(1),
               some_id(2),
               some_id(3),
               some_id(0),
               {0}};
    HASHED_STRUCT_END
    memcpy(image.seats, seats, 3 * sizeof seats[0]);
    return hash_64(&image, offsetof(__typeof__(image), seats) + 3 * sizeof seats[0], 0);
}

static uint64_t date_image_hash(const uint64_t policy[12], uint64_t starts_at, uint32_t places) {
    HASHED_STRUCT_BEGIN
    struct {
        uint64_t policy[12];
        uint64_t starts_at, points_sold, interval_began_ms;
        uint32_t id, concert, state, payments, places, reservations, admitted, free;
    } image = {{0}, starts_at, 440, SOME_TIME_MS, 1, 2, 2, 5, places, 9, 3, 1397};
    HASHED_STRUCT_END
    memcpy(image.policy, policy, sizeof image.policy);
    return hash_64(&image, sizeof image, PARTITION_DATE_FIRST + 1);
}

static uint64_t seat_hash(const char *texts, uint64_t price, uint64_t number) {
    uint64_t numbers[3] = {price, number, 1};
    return hash_64(texts, strlen(texts), hash_64(numbers, sizeof numbers, 0));
}

static void structs_on_the_stack(void **state) {
    static const uint64_t policy[12] = {0,      1, 0,    1,      60000, 10,
                                        420000, 5, 1000, 300000, 4,     1454900000000};
    static const uint32_t seats[3] = {17, 18, 400};
    assert_hash(waiter_hash(unknown(SOME_TIME_MS + 60000), 41, 2), 0xf86c9109282111d6);
    assert_hash(account_hash(unknown(1000), 250, 0x1122334455667788), 0x6f10892076e0f24c);
    assert_hash(reservation_hash(unknown(440), 41, seats), 0x72cbf88fbf4a9a75);
    assert_hash(date_image_hash(policy, unknown(1454950800000), 41), 0xd35711f9c7007e19);
    assert_hash(seat_hash("Parter35guid-1", unknown(250), 1), 0x98c4fe3293daca48);
    uint64_t own = unknown(0x123456789abcdef0);
    assert_hash(hash_64(&own, sizeof own, PARTITION_DATE_FIRST + 1), 0x140e5714ae9dbdf6);
    (void)state;
}

/* --- the domain ------------------------------------------------------------------------------- */

static uint64_t applied(struct world *world, const struct decision *decision) {
    assert_int_equal(world_apply(world, decision), WORLD_APPLIED);
    return partition_hash(world_find(world, decision->partition));
}

static void state_of_the_catalogue(void **state) {
    static const char concert[] = "Resonance", title[] = "Херсон";
    const struct id128 seed = some_id(9);
    struct world *world = world_create(&seed);
    struct decision decision = {.kind = DECISION_CONCERT_CREATED, .time_ms = SOME_TIME_MS};
    decision.concert_created = (struct decision_concert_created){
        .concert = 1, .title = {concert, sizeof concert - 1}};
    uint64_t hash = applied(world, &decision);
    assert_hash(hash, 0xfa3a173a3acb0b18);
    decision.kind = DECISION_DATE_CREATED;
    decision.date_created = (struct decision_date_created){.date = 1,
                                                           .concert = 1,
                                                           .title = {title, sizeof title - 1},
                                                           .starts_at = unknown(1454950800000),
                                                           .seed = seed};
    policy_default(&decision.date_created.policy);
    assert_hash(applied(world, &decision) - hash, 0x962c78e319d97ea7);
    world_free(world);
    (void)state;
}

/* A ledger's chain is a hash of hashes; while a payment is under way its transfer counts, too. */
static void state_of_a_wallet(void **state) {
    const struct id128 user = some_id(1), seed = some_id(9);
    struct world *world = world_create(&seed);
    struct decision decision = {.kind = DECISION_WALLET_CHARGED,
                                .partition = partition_of_user(&user),
                                .time_ms = SOME_TIME_MS};
    decision.wallet_charged = (struct decision_wallet_charged){
        .user = user, .amount = unknown(1000), .balance = 1000};
    assert_hash(applied(world, &decision), 0x9f5985f13d669d63);
    decision.kind = DECISION_FUNDS_RESERVED;
    decision.time_ms += 1000;
    decision.funds_reserved = (struct decision_funds_reserved){.user = user,
                                                               .payment = dated_id(1, 5),
                                                               .reservation = dated_id(1, 7),
                                                               .amount = unknown(250),
                                                               .balance = 750};
    assert_hash(applied(world, &decision), 0x60cfb0a7a1878658);
    world_free(world);
    (void)state;
}

/* --- files ------------------------------------------------------------------------------------ */

#define BODY_BYTES 100u

static void checksums_of_a_block(void **state) {
    static uint8_t block[4096];
    const uint64_t seed = 0x1122334455667788;
    fill(block + BLOCK_HEADER_BYTES, BODY_BYTES);
    struct block_header header = {
        .record_count = 5,
        .body_bytes = BODY_BYTES,
        .epoch = 3,
        .first_lsn = 1000,
        .wall_ms = 1700000000123,
        .durable_lsn = 900,
        .chain = unknown(0xabcdef),
    };
    header.body_checksum = block_seal_body(block, BODY_BYTES, seed);
    block_encode_header(&header, seed, block);
    assert_hash(header.body_checksum, 0xc5421b145ebaf581);
    assert_hash(header.checksum, 0x9a6dfbb7ee186a23);
    assert_hash(bytes_get_u64(block + 64), header.body_checksum);
    assert_hash(bytes_get_u64(block + 72), header.checksum);
    (void)state;
}

static void checksum_of_a_segment(void **state) {
    static uint8_t bytes[SEGMENT_HEADER_BYTES];
    struct segment_header header = {
        .account_partitions = 64,
        .number = 2,
        .epoch = 3,
        .first_lsn = 1000,
        .chain = unknown(0xabcdef),
        .segment_bytes = 67108864,
        .created_ms = 1700000000123,
    };
    const struct id128 log_id = some_id(4);
    memcpy(header.log_id, log_id.bytes, sizeof header.log_id);
    segment_encode(&header, bytes);
    assert_hash(header.checksum, 0xd6c160b2e4938043);
    assert_hash(bytes_get_u64(bytes + 4088), header.checksum);
    (void)state;
}

static void checksums_of_a_snapshot(void **state) {
    struct storage *disk;
    struct snapshot_writer writer;
    struct snapshot_error error;
    struct snapshot_info info = {
        .lsn = 1000,
        .epoch = 3,
        .last_time_ms = 1700000000123,
        .created_ms = 1700000000456,
        .decision_count = 77,
        .world_hash = unknown(0x99),
        .account_partitions = 64,
    };
    const struct id128 log_id = some_id(4);
    uint8_t body[BODY_BYTES];
    uint64_t size;
    memcpy(info.log_id, log_id.bytes, sizeof info.log_id);
    fill(body, BODY_BYTES);
    assert_int_equal(storage_memory_open(&disk), 0);
    assert_int_equal(snapshot_writer_open(&writer, disk, &info, NULL, NULL, &error), 0);
    assert_int_equal(snapshot_writer_put(&writer, body, BODY_BYTES), 0);
    assert_int_equal(snapshot_writer_finish(&writer), 0);
    snapshot_writer_close(&writer);
    const uint8_t *file = storage_memory_bytes(disk, SNAPSHOT_TEMPORARY_NAME, &size);
    assert_int_equal(size, SNAPSHOT_HEADER_BYTES + 4096 + 4096);
    assert_hash(bytes_get_u64(file + 4088), 0xe9f290197c74df61);
    assert_hash(bytes_get_u64(file + 4096 + 48), 0xf76c7ce12815b457);
    assert_hash(bytes_get_u64(file + 4096 + 56), 0x6305939fb0ce858f);
    assert_hash(bytes_get_u64(file + 8192 + 40), 0x6305939fb0ce858f); /* the next one's chain */
    disk->operations->destroy(disk);
    (void)state;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_of_every_length), cmocka_unit_test(digests_of_keys),
        cmocka_unit_test(structs_on_the_stack),  cmocka_unit_test(state_of_the_catalogue),
        cmocka_unit_test(state_of_a_wallet),     cmocka_unit_test(checksums_of_a_block),
        cmocka_unit_test(checksum_of_a_segment), cmocka_unit_test(checksums_of_a_snapshot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
