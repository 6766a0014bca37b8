/* catalogue_rules.h - the catalogue's part of partition.h; for partition.c and catalogue.c */
#ifndef USHER_ENGINE_DOMAIN_CATALOGUE_CATALOGUE_RULES_H
#define USHER_ENGINE_DOMAIN_CATALOGUE_CATALOGUE_RULES_H

#include "engine/domain/catalogue/catalogue.h"

struct catalogue *catalogue_create(void);
void catalogue_free(struct catalogue *catalogue);
void catalogue_decide(const struct catalogue *, const struct command *, uint64_t now_ms,
                      struct verdict *);
void catalogue_apply(struct catalogue *, const struct decision *);
/* From an image (image.c), each in order of its id. Return: NULL, or what the image contradicts */
const char *catalogue_restore_concert(struct catalogue *, const struct entity_concert *);
const char *catalogue_restore_date(struct catalogue *, const struct entity_concert_date *);
uint64_t catalogue_hash_recount(const struct catalogue *);
void catalogue_answer(const struct catalogue *, const struct command *, const struct verdict *,
                      struct reply *);

#endif
