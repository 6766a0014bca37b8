/* outages.h - when nobody of a date could be served, as the simulated world knows it
 *
 * The engine has to find out by itself that it stood still. The world knows: it has halted it, or
 * kept its writes from completing. What must have been credited, and what may have been, are two
 * lists: an engine that sees more than the world is sure of is not wrong.
 */
#ifndef USHER_TESTS_SIM_OUTAGES_H
#define USHER_TESTS_SIM_OUTAGES_H

#include "tests/sim/plan.h"

/* As usher promises (engine/README.md, "Time and outages"): what is longer is an outage. */
#define OUTAGES_ROUND_MS 350u /* between two rounds of a shard, while anybody's time runs */
#define OUTAGES_LOG_MS 250u   /* without progress of the log, while anything waits for it */
/* How far the engine's beginning of an outage of the log may lie from the true one: a round. */
#define OUTAGES_SLACK_MS 360u
/* A start knows of the run before by its last block, which may be a beat older than what it
 * served. */
#define OUTAGES_DOWN_SLACK_MS 7000u
/* Nobody counts as silent so long after one. */
#define OUTAGES_HEARING_MS 1000u

enum outages_kind {
    OUTAGES_SURE,     /* at least this; it is nobody's silence */
    OUTAGES_OWED,     /* of that, what turns and holds must be given */
    OUTAGES_POSSIBLE, /* at most this */
    OUTAGES_KINDS
};

struct outages;

struct outages *outages_create(void);
void outages_free(struct outages *outages);

/* outages_note - nobody of this date was served between these moments of engine time
 * Noted in the order in which they end; those that overlap become one. */
void outages_note(struct outages *outages, uint32_t date, enum outages_kind kind, uint64_t from_ms,
                  uint64_t to_ms);

/* outages_cut - engine time goes on from here: a process whose clock was ahead has left no trace */
void outages_cut(struct outages *outages, uint64_t now_ms);

/* outages_forget - what was credited after this moment is lost with the process that did so
 * Return: how many outages of the date that was, those apart that are short enough to be none */
uint32_t outages_forget(struct outages *outages, uint32_t date, uint64_t credited_ms);

/* outages_ms - how much of the time between two moments that was
 * @ret_count: how many there were; may be NULL */
uint64_t outages_ms(const struct outages *outages, uint32_t date, enum outages_kind kind,
                    uint64_t from_ms, uint64_t to_ms, uint32_t *ret_count);

#endif
