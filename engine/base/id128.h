/* id128.h - 128 opaque bytes: a user's UUID (big-endian, as printed), a token's secret, the digest
 * of an idempotency key. All zero means "none".
 */
#ifndef USHER_ENGINE_BASE_ID128_H
#define USHER_ENGINE_BASE_ID128_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct id128 {
    uint8_t bytes[16];
};

static inline bool id128_equal(const struct id128 *a, const struct id128 *b) {
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}
/* Takes the same time whatever differs: for secrets that a client presents. */
static inline bool id128_equal_secret(const struct id128 *a, const struct id128 *b) {
    uint8_t difference = 0;
    for (uint32_t i = 0; i < sizeof a->bytes; i++) difference |= a->bytes[i] ^ b->bytes[i];
    return difference == 0;
}
static inline bool id128_is_none(const struct id128 *id) {
    static const struct id128 none = {{0}};
    return id128_equal(id, &none);
}

#endif
