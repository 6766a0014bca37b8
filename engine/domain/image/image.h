/* image.h - the whole logged state of partitions as a sequence of entities, and back
 *
 * For snapshots, for `usher state` and `usher diff`. An image does not know where it is stored.
 * Saving cannot fail by itself. Loading takes nothing on trust: an image that contradicts itself,
 * or whose partition does not have the hash that it states, is refused with the reason; it never
 * breaks an invariant of the state that it builds.
 *
 * What is volatile (signs of life, sweeps) is not in an image: a loaded partition is as after
 * replay, and partition_resume() starts it.
 *
 * Thread: the one that owns the partitions.
 */
#ifndef USHER_ENGINE_DOMAIN_IMAGE_IMAGE_H
#define USHER_ENGINE_DOMAIN_IMAGE_IMAGE_H

#include "engine/domain/image/image_sink.h"
#include "engine/domain/partition/world.h"

/* image_save_partition - every entity of a partition, the PARTITION entity first
 * Return: 0, or what the sink returned */
int image_save_partition(const struct partition *partition, const struct image_sink *sink);

/* image_save - every partition of a world: catalogue, accounts, dates, each by id. What a shard's
 * world does not have is left out; loading demands all of them. */
int image_save(const struct world *world, const struct image_sink *sink);

#define IMAGE_ERROR_BYTES 160u

struct image_loader;

/* image_loader_open - load into an empty world (world_create); the world is borrowed
 * Return: owned by the caller until image_loader_close() */
struct image_loader *image_loader_open(struct world *world);
void image_loader_close(struct image_loader *loader);

/* image_load - the next entity of the image
 * @ret_text: on failure only: what contradicts what, without LSN or file name
 * Return: 0; -1 refused: throw loader and world away */
int image_load(struct image_loader *loader, const struct entity *entity,
               char ret_text[IMAGE_ERROR_BYTES]);

/* image_finish - the image ends here: demand that it is whole
 * Return: 0; -1 refused */
int image_finish(struct image_loader *loader, char ret_text[IMAGE_ERROR_BYTES]);

#endif
