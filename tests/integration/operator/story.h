/* story.h - the story of kit.h, written with the real log
 *
 * story_write - into a data folder that exists
 * @ret_world: what it leads to; free with world_free()
 */
#ifndef USHER_TESTS_OPERATOR_STORY_H
#define USHER_TESTS_OPERATOR_STORY_H

#include "engine/domain/partition/world.h"

struct story_marks {
    uint64_t end_lsn, records;
    uint64_t held_lsn, filler_lsn; /* as in kit.h */
};

void story_write(const char *directory, struct world **ret_world, struct story_marks *ret_marks);

#endif
