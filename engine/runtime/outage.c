/* outage.c - see outage.h */
#include "engine/runtime/outage.h"

#include "engine/base/limits.h"
#include "engine/base/require.h"

void outage_init(struct outage *outage, uint64_t served_until_ms) {
    *outage = (struct outage){.since_ms = served_until_ms, .cause = OUTAGE_DOWN};
}

/* The first cause that is seen gives its name; the earliest beginning counts. */
static void begin(struct outage *outage, uint64_t since_ms, enum outage_cause cause) {
    if (outage->since_ms == 0) outage->cause = cause;
    if (outage->since_ms == 0 || since_ms < outage->since_ms) outage->since_ms = since_ms;
}

/* A log that moved a moment ago is slow: what was decided in the meantime has had its time, and
 * only what stood still is given back. Else a disk that is always slow would stop time for good. */
static uint64_t log_since_ms(const struct outage *outage) {
    bool slow = outage->log_still_ms < outage->log_slow_until_ms;
    return outage->log_still_ms + (slow ? OUTAGE_MS_MIN : 0);
}

/* Return: whether the log stands still while somebody waits for it */
static bool log_is_still(struct outage *outage, uint64_t now_ms, bool waits, uint64_t durable_lsn) {
    if (!waits) {
        outage->log_still_ms = 0;
    } else if (outage->log_still_ms == 0) {
        /* Since the latest step, which has appended. */
        outage->log_still_ms = outage->last_ms ? outage->last_ms : now_ms;
    } else if (durable_lsn > outage->durable_lsn) {
        outage->log_still_ms = now_ms; /* it moves */
    }
    outage->durable_lsn = durable_lsn;
    return waits && now_ms - outage->log_still_ms > OUTAGE_MS_MIN;
}

enum outage_sight outage_look(struct outage *outage, uint64_t now_ms, bool waits,
                              uint64_t durable_lsn) {
    REQUIRE(now_ms > 0);
    if (now_ms < outage->last_ms) now_ms = outage->last_ms;
    if (outage->promised && now_ms - outage->last_ms > SHARD_ROUND_MS_MAX + OUTAGE_MS_MIN) {
        begin(outage, outage->last_ms, OUTAGE_STALLED);
    }
    bool still = log_is_still(outage, now_ms, waits, durable_lsn);
    if (still) begin(outage, log_since_ms(outage), OUTAGE_LOG);
    outage->last_ms = now_ms;
    if (outage->since_ms == 0) return OUTAGE_NONE;
    if (still) return OUTAGE_LASTS;
    if (outage->since_ms < now_ms) return OUTAGE_OVER;
    outage->since_ms = 0; /* a clock that was set back over a restart: nothing to give */
    return OUTAGE_NONE;
}

void outage_promise(struct outage *outage, bool promised) { outage->promised = promised; }

uint64_t outage_limit_ms(const struct outage *outage) {
    if (outage->last_ms == 0) return UINT64_MAX;
    uint64_t from_ms = outage->last_ms;
    if (outage->log_still_ms != 0 && outage->log_still_ms < from_ms) {
        from_ms = outage->log_still_ms;
    }
    return from_ms + OUTAGE_MS_MIN;
}

uint64_t outage_end(struct outage *outage, enum outage_cause *ret_cause) {
    REQUIRE(outage->since_ms != 0 && outage->since_ms < outage->last_ms);
    uint64_t since_ms = outage->since_ms;
    if (since_ms < outage->credited_until_ms) since_ms = outage->credited_until_ms;
    *ret_cause = outage->cause;
    outage->since_ms = 0;
    outage->credited_until_ms = outage->last_ms;
    if (outage->cause == OUTAGE_LOG) outage->log_slow_until_ms = outage->last_ms + OUTAGE_SLOW_MS;
    return since_ms;
}

uint64_t outage_next_look_ms(const struct outage *outage) {
    if (outage->last_ms == 0) return outage->since_ms ? 0 : UINT64_MAX;
    return outage->promised ? outage->last_ms + SHARD_ROUND_MS_MAX : UINT64_MAX;
}

bool outage_lasts(const struct outage *outage) {
    return outage->since_ms != 0 && outage->last_ms != 0;
}
