/* judge.h - is what a client is told what the durable log says?
 *
 * A reply may show the state at any point between the moment its request came in and what was
 * durable when it went out, and nothing that is not durable: so every claim in it is looked for in
 * the model's histories between those two. That is linearizability object by object: no stale
 * reads, no reads of what a crash can undo. Rows of the board (catalogue.dates) may be older, never
 * newer.
 */
#ifndef USHER_TESTS_SIM_JUDGE_H
#define USHER_TESTS_SIM_JUDGE_H

#include "tests/sim/model.h"
#include "tests/sim/people.h"

/* When a frame was in the engine. */
struct judge_window {
    uint64_t from_lsn;       /* what was decided when it came in */
    uint64_t to_lsn;         /* what was durable when its reply went out */
    uint64_t from_ms, to_ms; /* on the engine's clock */
};

struct judge;

struct judge *judge_open(struct sim_run *run, const struct people *people);
void judge_close(struct judge *judge);

/* judge_reply - a reply frame is about to leave
 * @requests: in the frame that it answers
 * @ret_told_lsn: raised to the LSN that the claims rest on: what must never be lost from now on */
void judge_reply(struct judge *judge, const struct model *model, const struct judge_window *window,
                 const uint8_t *bytes, uint32_t size, uint64_t *ret_told_lsn);

#endif
