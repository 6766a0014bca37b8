/* outage_watch.h - what the daemon looks at once a second for the sake of those who wait (X7)
 *
 * Tells each outage of OUTAGE_LONG_MS or more in one sentence on standard error, and knows whether
 * anybody's time runs, so that the log shows signs of life (wal_beat) only then.
 * Thread: the one that waits for signals.
 */
#ifndef USHER_TOOLS_USHERD_OUTAGE_WATCH_H
#define USHER_TOOLS_USHERD_OUTAGE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/runtime/board.h"

struct outage_watch {
    uint64_t told_ms[SHARDS_MAX]; /* of long outages, by shard */
    uint64_t dates;               /* credits of all shards until then */
};

/* outage_watch_tell - what has come since the last call, if it is worth a sentence
 * @text: room for OUTAGE_TEXT_BYTES
 * Return: whether there is something to say */
#define OUTAGE_TEXT_BYTES 400u
bool outage_watch_tell(struct outage_watch *watch, const struct board *board, char *text);

/* outage_watch_anybody - Return: whether anybody waits, is active or holds seats unpaid */
bool outage_watch_anybody(const struct board *board);

#endif
