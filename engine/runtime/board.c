/* board.c - see board.h */
#include "engine/runtime/board.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/require.h"

#define ROW_WORDS 14u

/* A sequence lock over words: odd while the one writer writes. The words are relaxed atomics, so
 * that a reader that overlaps a writer reads something defined, sees the sequence, and retries
 * (Boehm, "Can seqlocks get along with programming language memory models?", 2012). */
struct board_row {
    _Alignas(64) _Atomic uint64_t sequence;
    _Atomic uint64_t lsn;
    _Atomic uint64_t words[ROW_WORDS];
};

struct board {
    struct board_row dates[DATES_MAX + 1];
    struct board_row accounts[ACCOUNT_PARTITIONS];
    struct board_row shards[SHARDS_MAX];
};

struct board *board_create(void) {
    struct board *board = aligned_alloc(64, sizeof *board);
    REQUIRE_MEMORY(board != NULL);
    memset(board, 0, sizeof *board);
    return board;
}

void board_free(struct board *board) { free(board); }

static void row_write(struct board_row *row, const void *image, size_t bytes, uint64_t lsn) {
    uint64_t words[ROW_WORDS] = {0};
    REQUIRE(bytes <= sizeof words);
    memcpy(words, image, bytes);
    uint64_t sequence = atomic_load_explicit(&row->sequence, memory_order_relaxed);
    atomic_store_explicit(&row->sequence, sequence + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&row->lsn, lsn, memory_order_relaxed);
    for (uint32_t i = 0; i < ROW_WORDS; i++) {
        atomic_store_explicit(&row->words[i], words[i], memory_order_relaxed);
    }
    atomic_store_explicit(&row->sequence, sequence + 2, memory_order_release);
}

static void row_read(const struct board_row *row, void *ret_image, size_t bytes,
                     uint64_t *ret_lsn) {
    uint64_t words[ROW_WORDS], before, after, lsn;
    do {
        before = atomic_load_explicit(&row->sequence, memory_order_acquire);
        lsn = atomic_load_explicit(&row->lsn, memory_order_relaxed);
        for (uint32_t i = 0; i < ROW_WORDS; i++) {
            words[i] = atomic_load_explicit(&row->words[i], memory_order_relaxed);
        }
        atomic_thread_fence(memory_order_acquire);
        after = atomic_load_explicit(&row->sequence, memory_order_relaxed);
    } while (before != after || before % 2 != 0);
    memcpy(ret_image, words, bytes);
    if (lsn > *ret_lsn) *ret_lsn = lsn;
}

void board_write_date(struct board *board, uint32_t date, const struct date_counters *counters,
                      uint64_t lsn) {
    REQUIRE(date >= 1 && date <= DATES_MAX);
    row_write(&board->dates[date], counters, sizeof *counters, lsn);
}

void board_write_account(struct board *board, uint32_t index, const struct money_totals *totals,
                         uint64_t lsn) {
    REQUIRE(index < ACCOUNT_PARTITIONS);
    row_write(&board->accounts[index], totals, sizeof *totals, lsn);
}

void board_write_shard(struct board *board, uint32_t shard, const struct shard_counters *counters) {
    REQUIRE(shard < SHARDS_MAX);
    row_write(&board->shards[shard], counters, sizeof *counters, 0);
}

void board_read_date(const struct board *board, uint32_t date, struct date_counters *ret_counters,
                     uint64_t *ret_lsn) {
    REQUIRE(date >= 1 && date <= DATES_MAX);
    row_read(&board->dates[date], ret_counters, sizeof *ret_counters, ret_lsn);
}

void board_read_money(const struct board *board, struct money_totals *ret_totals,
                      uint64_t *ret_lsn) {
    *ret_totals = (struct money_totals){0};
    for (uint32_t i = 0; i < ACCOUNT_PARTITIONS; i++) {
        struct money_totals row;
        row_read(&board->accounts[i], &row, sizeof row, ret_lsn);
        money_add(ret_totals, &row);
    }
}

void board_read_shard(const struct board *board, uint32_t shard,
                      struct shard_counters *ret_counters) {
    uint64_t lsn = 0;
    REQUIRE(shard < SHARDS_MAX);
    row_read(&board->shards[shard], ret_counters, sizeof *ret_counters, &lsn);
}

static void raise_to(uint64_t *value, uint64_t least) {
    if (*value < least) *value = least;
}

void board_read_shards(const struct board *board, struct shard_counters *ret_counters) {
    *ret_counters = (struct shard_counters){0};
    for (uint32_t i = 0; i < SHARDS_MAX; i++) {
        struct shard_counters row;
        board_read_shard(board, i, &row);
        ret_counters->requests += row.requests;
        ret_counters->decisions += row.decisions;
        ret_counters->drains += row.drains;
        ret_counters->refusals += row.refusals;
        ret_counters->messages += row.messages;
        ret_counters->journal_full += row.journal_full;
        ret_counters->gate_waiting += row.gate_waiting;
        ret_counters->outage_dates += row.outage_dates;
        raise_to(&ret_counters->outages, row.outages);
        raise_to(&ret_counters->outage_ms, row.outage_ms);
        raise_to(&ret_counters->outage_long_ms, row.outage_long_ms);
        if (ret_counters->outage_cause == 0) ret_counters->outage_cause = row.outage_cause;
    }
}
