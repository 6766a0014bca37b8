/* text.c - see text.h */
#include "replay/tell/text.h"

#include <stdio.h>
#include <time.h>

#include "engine/base/require.h"
#include "engine/base/utf8.h"

void text_time(uint64_t time_ms, char ret_text[TEXT_TIME_BYTES]) {
    struct tm parts;
    time_t seconds = (time_t)(time_ms / 1000);
    if (time_ms > TIME_MS_MAX || !gmtime_r(&seconds, &parts)) {
        snprintf(ret_text, TEXT_TIME_BYTES, "@%llu", (unsigned long long)time_ms);
        return;
    }
    size_t size = strftime(ret_text, TEXT_TIME_BYTES, "%Y-%m-%dT%H:%M:%S", &parts);
    REQUIRE(size > 0 && size + 6 <= TEXT_TIME_BYTES);
    snprintf(ret_text + size, TEXT_TIME_BYTES - size, ".%03uZ", (unsigned)(time_ms % 1000));
}

void text_uuid(const struct id128 *id, char ret_text[TEXT_UUID_BYTES]) {
    uuid_format(id, ret_text);
    ret_text[UUID_TEXT_BYTES] = '\0';
}

void text_partition(uint32_t partition, char ret_text[TEXT_PARTITION_BYTES]) {
    if (partition == PARTITION_CATALOGUE) {
        snprintf(ret_text, TEXT_PARTITION_BYTES, "catalogue");
    } else if (partition_is_date(partition)) {
        snprintf(ret_text, TEXT_PARTITION_BYTES, "date/%u", partition - PARTITION_DATE_FIRST);
    } else if (partition_is_account(partition)) {
        snprintf(ret_text, TEXT_PARTITION_BYTES, "account/%u", partition - PARTITION_ACCOUNT_FIRST);
    } else {
        snprintf(ret_text, TEXT_PARTITION_BYTES, "unknown/%u", partition);
    }
}

size_t text_clean(const struct text *text, char ret_text[TEXT_CLEAN_BYTES]) {
    char *out = ret_text;
    for (uint32_t i = 0; i < text->size;) {
        const uint8_t *at = (const uint8_t *)text->bytes + i;
        uint32_t size = at[0] != 0 ? utf8_character(at, text->size - i) : 0;
        if (size == 0) {
            memcpy(out, "\xEF\xBF\xBD", 3);
            out += 3;
            i += 1;
        } else {
            memcpy(out, at, size);
            out += size;
            i += size;
        }
    }
    *out = '\0';
    REQUIRE(out < ret_text + TEXT_CLEAN_BYTES);
    return (size_t)(out - ret_text);
}
