/* board.h - counters that partitions publish for everybody to read
 *
 * Lists that span partitions (dates with seats left, system.stats) read this board instead of
 * other partitions' state. One writer per row: the shard that owns the partition, once per drain
 * in which the partition changed, after the drain got its LSN. A row carries that LSN: a reply that
 * shows the row waits at the gate until it is durable.
 * Readers: any thread; wait-free for the writer, a reader retries while a row is being written
 * (sequence lock).
 */
#ifndef USHER_ENGINE_RUNTIME_BOARD_H
#define USHER_ENGINE_RUNTIME_BOARD_H

#include <stdint.h>

#include "engine/domain/date/date.h"
#include "engine/domain/partition/world.h"
#include "engine/base/limits.h"

/* Counters of one shard since it started. */
struct shard_counters {
    uint64_t requests;       /* answered, refusals included */
    uint64_t decisions;      /* appended to the journal */
    uint64_t drains;         /* appends */
    uint64_t refusals;       /* replies that are errors */
    uint64_t messages;       /* sent to partitions of this and other shards */
    uint64_t journal_full;   /* drains that had to wait for room in the log buffer */
    uint64_t gate_waiting;   /* replies at the gate now */
    uint64_t outages;        /* times in which somebody's time ran and nobody could be served */
    uint64_t outage_ms;      /* how long they were, together */
    uint64_t outage_dates;   /* credits that dates have got for them */
    uint64_t outage_cause;   /* of the latest one, enum outage_cause; 0: there was none */
    uint64_t outage_long_ms; /* those of OUTAGE_LONG_MS and more, together */
};

struct board;

struct board *board_create(void);
void board_free(struct board *board);

/* Writers: the owning shard. */
void board_write_date(struct board *board, uint32_t date, const struct date_counters *counters,
                      uint64_t lsn);
void board_write_account(struct board *board, uint32_t index, const struct money_totals *totals,
                         uint64_t lsn);
void board_write_shard(struct board *board, uint32_t shard, const struct shard_counters *counters);

/* Readers. ret_lsn: raised to the row's LSN if that is higher. A row that was never written is
 * all zero. */
void board_read_date(const struct board *board, uint32_t date, struct date_counters *ret_counters,
                     uint64_t *ret_lsn);
/* board_read_money - the sum over all account partitions, each row consistent in itself */
void board_read_money(const struct board *board, struct money_totals *ret_totals,
                      uint64_t *ret_lsn);
void board_read_shard(const struct board *board, uint32_t shard,
                      struct shard_counters *ret_counters);
/* board_read_shards - the sum over all shards; but outages are those of the shard that had most of
 * them, outage_ms likewise: one stall is seen by all; outage_cause is the first shard's that has
 * one */
void board_read_shards(const struct board *board, struct shard_counters *ret_counters);

#endif
