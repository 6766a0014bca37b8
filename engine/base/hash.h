/* hash.h - every hash and checksum of usher: XXH3 of xxHash (https://xxhash.com)
 *
 * What is computed here is in logs, in snapshots and in PostgreSQL: it must be the same for ever,
 * from every compiler, at every level of optimisation. So hash.c alone includes xxhash.h, and tests
 * have the known answers (tests/golden/test_hashes.c).
 * No state, any thread.
 */
#ifndef USHER_ENGINE_BASE_HASH_H
#define USHER_ENGINE_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_DIGEST_BYTES 16u

/* hash_64 - checksums of log and snapshots, state hashes, places in hash tables
 * @bytes: borrowed; may be NULL if there are none
 * @seed:  0 for the plain XXH3 of 64 bits
 * A struct that is hashed stands between HASHED_STRUCT_BEGIN and HASHED_STRUCT_END. */
uint64_t hash_64(const void *bytes, size_t size, uint64_t seed);

/* hash_128 - XXH3 of 128 bits, canonical (big-endian): digests of idempotency keys */
void hash_128(const void *bytes, size_t size, uint8_t ret_digest[HASH_DIGEST_BYTES]);

/* A struct whose bytes are hashed has no padding: the language does not say what is in it. Between
 * these two the compiler refuses a struct that has. */
#define HASHED_STRUCT_BEGIN                                                                        \
    _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic error \"-Wpadded\"")
#define HASHED_STRUCT_END _Pragma("GCC diagnostic pop")

#endif
