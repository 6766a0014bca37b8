/* image_sink.c - see image_sink.h */
#include "engine/domain/image/image_sink.h"

int image_put(const struct image_sink *sink, const struct entity *entity) {
    uint8_t bytes[RECORD_BYTES_MAX];
    return sink->put(sink->context, entity, bytes, entity_encode(entity, bytes));
}
