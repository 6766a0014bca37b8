/* bytes.h - little-endian integers at any address; compilers turn each into one move */
#ifndef USHER_WAL_BYTES_H
#define USHER_WAL_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline void bytes_put_u32(uint8_t *bytes, uint32_t value) {
    for (int i = 0; i < 4; i++) bytes[i] = (uint8_t)(value >> (8 * i));
}

static inline void bytes_put_u64(uint8_t *bytes, uint64_t value) {
    for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(value >> (8 * i));
}

static inline uint32_t bytes_get_u32(const uint8_t *bytes) {
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

static inline uint64_t bytes_get_u64(const uint8_t *bytes) {
    return (uint64_t)bytes_get_u32(bytes) | (uint64_t)bytes_get_u32(bytes + 4) << 32;
}

/* Shifted against itself: one memcmp at memory speed. */
static inline bool bytes_all_zero(const uint8_t *bytes, uint64_t count) {
    return count == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, count - 1) == 0);
}

#endif
