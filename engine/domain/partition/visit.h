/* visit.h - a request that every date answers in turn (reservation.list)
 *
 * The rows of a user's reservations are spread over all dates. Where the request names one date,
 * that one answers; otherwise each date of this world does, and then, where there are several, the
 * worlds of the other shards.
 * Thread: the shard that owns the world, alone.
 */
#ifndef USHER_ENGINE_DOMAIN_PARTITION_VISIT_H
#define USHER_ENGINE_DOMAIN_PARTITION_VISIT_H

#include "engine/domain/partition/world.h"

struct visit {
    const struct world *world;
    const struct command *command;
    uint32_t date;                 /* that is being asked */
    uint32_t last;                 /* the last one that is asked */
    const struct reservation *row; /* the next row of it; NULL: none is left */
};

/* visit_begin - judge the request and go to its first row; borrows world and command
 * @verdict: overwritten: how the request ends after its rows, with an error without any */
void visit_begin(struct visit *visit, const struct world *world, const struct command *command,
                 struct verdict *verdict);

/* visit_next - Return: whether there was a row; then ret_reply has it */
bool visit_next(struct visit *visit, uint64_t now_ms, struct reply *ret_reply);

#endif
