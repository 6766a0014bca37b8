/* state_print.h - what `usher state` has found, in words and as JSON
 *
 * For usher_state.c; its sums also for usher_replay.c. One thread.
 */
#ifndef USHER_TOOLS_USHER_STATE_PRINT_H
#define USHER_TOOLS_USHER_STATE_PRINT_H

#include <jansson.h>

#include "engine/domain/image/image.h"
#include "replay/tell/follow.h"

/* One walk through the images of a world, and what it is for. */
struct state_walk {
    struct world *world; /* borrowed */
    uint64_t lsn;
    uint64_t last_time_ms; /* of the latest decision; 0: none yet */
    uint64_t asked_at;     /* Unix ms; 0: an LSN was asked for, or the end */
    struct subject subject;
    bool json;
    uint32_t flags; /* of describe.h */

    uint32_t date;    /* of the partition that is walked; 0: it is not a date's */
    uint32_t waiting; /* waiters of it so far: how many are ahead */
    bool in_account;  /* the ledger rows that come are the user's */
    uint64_t found;
    json_t *answer; /* owned; where json */
};

/* state_print_head - "date 7 at 2026-11-21T20:00:03.250Z, LSN 148320" */
void state_print_head(const struct state_walk *walk);
/* state_print - one entity that belongs to the answer */
void state_print(const struct state_walk *walk, const struct entity *entity);
/* state_print_free_seat - behind a seat that nobody has */
void state_print_free_seat(void);
void state_print_date(const struct state_walk *walk, uint32_t date);
void state_print_world(const struct state_walk *walk);

/* state_json - {"lsn","at","last_decision"}, to which the answer is added. Owned by the caller */
json_t *state_json(const struct state_walk *walk);
/* The same of a whole world; also for `usher replay`. */
json_t *state_money_json(const struct world *world);
json_t *state_dates_json(const struct world *world);
json_t *state_world_json(const struct state_walk *walk);
/* state_collect - one entity into walk->answer */
void state_collect(struct state_walk *walk, const struct entity *entity);

#endif
