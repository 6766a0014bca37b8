/* image_sink.h - where the entities of an image go
 *
 * Who saves encodes each entity once, here, whatever the sink does with it.
 */
#ifndef USHER_ENGINE_DOMAIN_IMAGE_IMAGE_SINK_H
#define USHER_ENGINE_DOMAIN_IMAGE_IMAGE_SINK_H

#include "engine/domain/entity.h"

/* Takes one entity; encoded so that who stores it need not. Both are borrowed for the call.
 * Return: 0; anything else ends the saving and is returned from it */
struct image_sink {
    int (*put)(void *context, const struct entity *entity, const uint8_t *bytes, uint32_t size);
    void *context;
};

/* image_put - encode and hand over. Return: what the sink returned */
int image_put(const struct image_sink *sink, const struct entity *entity);

#endif
