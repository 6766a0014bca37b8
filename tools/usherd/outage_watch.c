/* outage_watch.c - see outage_watch.h */
#include "tools/usherd/outage_watch.h"

#include <inttypes.h>
#include <stdio.h>

static const char *what_happened(uint64_t cause) {
    switch (cause) {
    case OUTAGE_DOWN: return "the engine did not run";
    case OUTAGE_LOG: return "nothing could be written to the log; look at its disk";
    default:
        return "the process stood still: stopped, suspended, short of processor time, or the clock "
               "was "
               "set forward";
    }
}

bool outage_watch_tell(struct outage_watch *watch, const struct board *board, char *text) {
    uint64_t longest_ms = 0, cause = 0, dates = 0;
    for (uint32_t i = 0; i < SHARDS_MAX; i++) {
        struct shard_counters counters;
        board_read_shard(board, i, &counters);
        uint64_t new_ms = counters.outage_long_ms - watch->told_ms[i];
        watch->told_ms[i] = counters.outage_long_ms;
        dates += counters.outage_dates;
        if (new_ms <= longest_ms) continue;
        longest_ms = new_ms; /* one stall is seen by every shard: its length counts once */
        cause = counters.outage_cause;
    }
    uint64_t new_dates = dates - watch->dates;
    watch->dates = dates;
    if (longest_ms == 0) return false;
    (void)snprintf(text, OUTAGE_TEXT_BYTES,
                   "nobody could be served for %" PRIu64 ".%" PRIu64
                   " s (%s); turns and unpaid holds of %" PRIu64
                   " date%s end that much later, and nobody in line has lost a place",
                   longest_ms / 1000, longest_ms % 1000 / 100, what_happened(cause), new_dates,
                   new_dates == 1 ? "" : "s");
    return true;
}

bool outage_watch_anybody(const struct board *board) {
    uint64_t lsn = 0; /* of no interest: nobody is told */
    for (uint32_t date = 1; date <= DATES_MAX; date++) {
        struct date_counters counters;
        board_read_date(board, date, &counters, &lsn);
        if (counters.state == 0) return false; /* dates are numbered without gaps */
        if (counters.waiting > 0 || counters.active > 0 || counters.seats_held > 0) return true;
    }
    return false;
}
