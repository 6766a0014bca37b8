/* catalogue_rules.h - how a catalogue comes into being; for partition/ and image/ */
#ifndef USHER_ENGINE_DOMAIN_CATALOGUE_CATALOGUE_RULES_H
#define USHER_ENGINE_DOMAIN_CATALOGUE_CATALOGUE_RULES_H

#include "engine/domain/catalogue/catalogue.h"
#include "engine/domain/entity.h"

/* catalogue_create - Return: owned by the caller until partition_free() */
struct catalogue *catalogue_create(void);
/* From an image (image.c), each in order of its id. Return: NULL, or what the image contradicts */
const char *catalogue_restore_concert(struct catalogue *, const struct entity_concert *);
const char *catalogue_restore_date(struct catalogue *, const struct entity_concert_date *);

#endif
