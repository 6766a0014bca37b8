/* known_history.h - the history of operator_fixture.h, written with the real log
 *
 * known_history_write - into a data folder that exists
 * @ret_world: what it leads to; free with world_free()
 */
#ifndef USHER_TESTS_OPERATOR_KNOWN_HISTORY_H
#define USHER_TESTS_OPERATOR_KNOWN_HISTORY_H

#include "engine/domain/partition/world.h"

struct known_history_marks {
    uint64_t end_lsn, records;
    uint64_t held_lsn, filler_lsn; /* as in operator_fixture.h */
};

void known_history_write(const char *directory, struct world **ret_world,
                         struct known_history_marks *ret_marks);

#endif
