/* outage.h - has this shard served all the time? What it sees of stalls, of the log and of restarts
 *
 * Happy path: outage_look() at the beginning of every step; it says that all is well. A shard that
 * has anything due looks every SHARD_ROUND_MS_MAX; if much more has passed, it was frozen,
 * suspended or starved, or its clock leapt. Answers that wait for the log, while the log does not
 * move for OUTAGE_MS_MIN, mean that nothing can be made durable: time stands still for what is
 * decided, until it can. A log that stands still again soon after such an outage is slow: from then
 * on only the time that stood still is an outage, or a disk that is always slow would stop time for
 * good. An outage is over at the first look that finds neither; outage_end() then says since when,
 * and everything in between is credited once, whatever the causes. Pure: the clock and the log
 * arrive as numbers.
 * Thread: the shard that owns it, alone.
 */
#ifndef USHER_ENGINE_RUNTIME_OUTAGE_H
#define USHER_ENGINE_RUNTIME_OUTAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/domain/types.h"

struct outage {
    uint64_t last_ms;        /* clock at the latest look; 0: none yet */
    bool promised;           /* the next look comes within SHARD_ROUND_MS_MAX */
    uint64_t durable_lsn;    /* at the latest look */
    uint64_t log_still_ms;   /* since when answers wait and the log does not move; 0: none waits */
    uint64_t since_ms;       /* an outage has begun; 0: none */
    enum outage_cause cause; /* of that */
    uint64_t credited_until_ms; /* what lies before is dealt with */
    uint64_t log_slow_until_ms; /* a log that stands still again before then is slow */
};

/* What a look can find. */
enum outage_sight {
    OUTAGE_NONE,
    OUTAGE_LASTS, /* time stands still */
    OUTAGE_OVER,  /* outage_end() before anything is decided */
};

/* outage_init - @served_until_ms: the last moment at which the run before is known to have served,
 * 0: there was none. The first look ends that outage, if the clock is behind it at all. */
void outage_init(struct outage *outage, uint64_t served_until_ms);

/* outage_look - at the beginning of a step
 * @now_ms:      engine time; never 0
 * @waits:       decisions or answers wait for the log
 * @durable_lsn: of the log */
enum outage_sight outage_look(struct outage *outage, uint64_t now_ms, bool waits,
                              uint64_t durable_lsn);

/* outage_promise - at the end of a step: whether somebody's time runs, or an answer waits, so that
 * the next look must come within SHARD_ROUND_MS_MAX. Else it may take for ever and harms nobody. */
void outage_promise(struct outage *outage, bool promised);

/* outage_limit_ms - the latest moment at which this step may decide, until the next look has
 * judged: OUTAGE_MS_MIN after whatever may turn out to be the beginning of an outage. UINT64_MAX
 * before the first look. */
uint64_t outage_limit_ms(const struct outage *outage);

/* outage_end - after OUTAGE_OVER: since when nobody was served, until the latest look */
uint64_t outage_end(struct outage *outage, enum outage_cause *ret_cause);

/* outage_next_look_ms - when the next look is due; UINT64_MAX: whenever there is something to do */
uint64_t outage_next_look_ms(const struct outage *outage);

/* outage_lasts - as the latest look found it */
bool outage_lasts(const struct outage *outage);

#endif
