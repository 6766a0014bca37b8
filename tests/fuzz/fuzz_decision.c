/* fuzz_decision.c - one record of the log, from its bytes to a line for people and one for programs
 *
 * Input: the record.
 *
 * What must hold:
 * - bytes either decode or are refused with a reason; nothing outside them is read
 * - what was decoded encodes, and decodes again, to the same; a record that is as long as its
 *   encoding is the same bytes: nothing in a record goes unnoticed
 * - a described decision is one line, terminated, within its room, well-formed UTF-8, whatever its
 *   texts contain; the line for people has no control character, the other is JSON with the right
 *   LSN and kind
 */
#include "tests/fuzz/fuzz.h"

#include <jansson.h>
#include <stdlib.h>

#include "engine/domain/decision.h"
#include "replay/tell/describe.h"

static bool is_line(const char *line, size_t size, bool for_people) {
    if (size >= DESCRIBE_LINE_BYTES || line[size] != '\0' || strlen(line) != size) return false;
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)line[i];
        if (byte < 0x20) return false;
        if (for_people && (byte == 0x7F || (byte == 0xC2 && (uint8_t)line[i + 1] < 0xA0))) {
            return false;
        }
    }
    json_t *text = json_stringn(line, size); /* refuses what is no UTF-8 */
    json_decref(text);
    return text != NULL;
}

static void describes(const struct decision *decision, uint64_t lsn) {
    char line[DESCRIBE_LINE_BYTES];
    for (uint32_t flags = 0; flags <= DESCRIBE_TOKEN_SECRETS; flags++) {
        REQUIRE(is_line(line, describe_text(decision, lsn, flags, line), true));
        REQUIRE(is_line(line, describe_json(decision, lsn, flags, line), false));
        json_t *json = json_loads(line, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
        REQUIRE(json_is_object(json));
        REQUIRE(json_integer_value(json_object_get(json, "lsn")) == (json_int_t)lsn);
        const char *kind = json_string_value(json_object_get(json, "kind"));
        REQUIRE(kind != NULL && strcmp(kind, decision_name(decision->kind)) == 0);
        REQUIRE(json_is_object(json_object_get(json, "fields")));
        json_decref(json);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static uint8_t first[RECORD_BYTES_MAX], second[RECORD_BYTES_MAX];
    struct decision decision, again;
    if (size > 2 * RECORD_BYTES_MAX) return 0;
    int result = decision_decode(bytes, (uint32_t)size, &decision);
    REQUIRE(result >= DECISION_DECODE_OK && result <= DECISION_DECODE_BAD_BODY);
    if (result != DECISION_DECODE_OK) return 0;
    uint32_t first_size = decision_encode(&decision, first);
    REQUIRE(first_size >= size); /* longer where the record lacks fields that were added since */
    REQUIRE(first_size > size || memcmp(first, bytes, size) == 0);
    REQUIRE(decision_decode(first, first_size, &again) == DECISION_DECODE_OK);
    REQUIRE(decision_encode(&again, second) == first_size);
    REQUIRE(memcmp(first, second, first_size) == 0);
    describes(&decision, first_size);
    return 0;
}
