/* hash.c - the one place that includes xxhash.h; see hash.h
 *
 * Inlined (XXH_INLINE_ALL), since most keys are short: a call would cost as much as the hash.
 * Inlined code is optimised together with its callers, and there xxHash 0.8.3 has a trap: it reads
 * integers through pointers to a type of its own (XXH_FORCE_MEMORY_ACCESS=1, its default with gcc).
 * To the compiler that type cannot be the caller's struct. So gcc 14 at -O3 with link-time
 * optimisation moved the reads before the writes of the struct: wrong state hashes, from a sound
 * state. Method 0 reads with memcpy, which may read anything; it costs the same.
 */
#include "engine/base/hash.h"

#include <string.h>

#define XXH_FORCE_MEMORY_ACCESS 0
#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash_64(const void *bytes, size_t size, uint64_t seed) {
    return XXH3_64bits_withSeed(bytes, size, seed);
}

void hash_128(const void *bytes, size_t size, uint8_t ret_digest[HASH_DIGEST_BYTES]) {
    XXH128_canonical_t canonical;
    _Static_assert(sizeof canonical.digest == HASH_DIGEST_BYTES, "128 bits");
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes, size));
    memcpy(ret_digest, canonical.digest, HASH_DIGEST_BYTES);
}
