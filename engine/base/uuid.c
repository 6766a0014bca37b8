/* uuid.c - see uuid.h */
#include "engine/base/uuid.h"

#include "engine/base/hex.h"
#include "engine/base/require.h"

/* A UUID's groups, in digits. */
static const uint8_t uuid_groups[] = {8, 4, 4, 4, 12};

void uuid_format(const struct id128 *uuid, char ret_text[UUID_TEXT_BYTES]) {
    char digits[2 * HEX_DIGITS], *to = ret_text;
    const char *from = digits;
    hex_format(uuid->bytes, digits);
    hex_format(uuid->bytes + HEX_BYTES, digits + HEX_DIGITS);
    for (uint32_t i = 0; i < sizeof uuid_groups; i++) {
        if (i > 0) *to++ = '-';
        memcpy(to, from, uuid_groups[i]);
        from += uuid_groups[i];
        to += uuid_groups[i];
    }
    REQUIRE(to == ret_text + UUID_TEXT_BYTES);
}

bool uuid_parse(const char *bytes, uint32_t size, struct id128 *ret_uuid) {
    char digits[2 * HEX_DIGITS], *to = digits;
    struct id128 uuid;
    if (size != UUID_TEXT_BYTES) return false;
    for (uint32_t i = 0; i < sizeof uuid_groups; i++) {
        if (i > 0 && *bytes++ != '-') return false;
        memcpy(to, bytes, uuid_groups[i]);
        bytes += uuid_groups[i];
        to += uuid_groups[i];
    }
    if (!hex_parse(digits, uuid.bytes)) return false;
    if (!hex_parse(digits + HEX_DIGITS, uuid.bytes + HEX_BYTES)) return false;
    if (id128_is_none(&uuid)) return false;
    *ret_uuid = uuid;
    return true;
}
