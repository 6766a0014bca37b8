/* wal.c - opening and closing the log, and the doors for shards
 *
 * Happy path of wal_open: take the lock, recover, flush what recovery has read, make the segment
 * of the new epoch, write its header where it says something new. Everything that can be refused is
 * refused before the first change on disk.
 */
#include "wal/wal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/require.h"
#include "wal/inside.h"
#include "wal/writer.h"

static int check_options(struct wal_options *options, struct wal_error *ret_error) {
    if (options->segment_bytes == 0) options->segment_bytes = WAL_SEGMENT_BYTES_DEFAULT;
    if (options->buffer_bytes == 0) options->buffer_bytes = WAL_BUFFER_BYTES_DEFAULT;
    if (options->account_partitions == 0) options->account_partitions = ACCOUNT_PARTITIONS;
    if (options->segment_bytes < WAL_SEGMENT_BYTES_MIN ||
        options->segment_bytes > WAL_SEGMENT_BYTES_MAX ||
        options->segment_bytes % WAL_BLOCK_ALIGN_BYTES != 0) {
        return wal_error_set(ret_error, WAL_ERROR_OPTIONS, NULL, 0, 0,
                             "segment size must be a multiple of %u between %llu and %llu bytes",
                             WAL_BLOCK_ALIGN_BYTES, WAL_SEGMENT_BYTES_MIN, WAL_SEGMENT_BYTES_MAX);
    }
    if (options->buffer_bytes < DRAIN_BYTES_MAX || options->buffer_bytes > WAL_BUFFER_BYTES_MAX ||
        (options->buffer_bytes & (options->buffer_bytes - 1)) != 0) {
        return wal_error_set(ret_error, WAL_ERROR_OPTIONS, NULL, 0, 0,
                             "log buffer must be a power of two between %u and %llu bytes",
                             DRAIN_BYTES_MAX, WAL_BUFFER_BYTES_MAX);
    }
    if (options->first_lsn > WAL_FIRST_LSN_MAX) {
        return wal_error_set(ret_error, WAL_ERROR_OPTIONS, NULL, 0, 0,
                             "the first LSN of a new log must be at most %llu", WAL_FIRST_LSN_MAX);
    }
    if (options->appenders < 1 || options->appenders > SHARDS_MAX) {
        return wal_error_set(ret_error, WAL_ERROR_OPTIONS, NULL, 0, 0,
                             "number of shards must be between 1 and %u", SHARDS_MAX);
    }
    return 0;
}

/* Blocks may have been read back from a cache of the device or of the kernel: a process that dies
 * leaves its last write there. Replies will build on them, so they become durable first. */
static int flush_last_segment(struct storage *storage, const struct wal_recovery *recovery,
                              struct wal_error *ret_error) {
    char name[WAL_FILE_NAME_BYTES];
    segment_name(recovery->last_number, name);
    int handle = storage->operations->open(storage, name, false);
    if (handle < 0) return wal_error_system(ret_error, -handle, name, 0, "cannot open segment");
    int rc = storage->operations->sync(storage, handle);
    storage->operations->close(storage, handle);
    return rc < 0 ? wal_error_system(ret_error, -rc, name, 0, "cannot flush segment") : 0;
}

/* Make the segment of the new epoch, or take one that a former run has prepared. */
static int make_segment(const struct wal_options *options, const struct wal_recovery *recovery,
                        struct segment_header *ret_header, struct wal_error *ret_error) {
    struct segment_header header = {
        .account_partitions = options->account_partitions,
        .epoch = recovery->epoch + 1,
        .first_lsn = recovery->end_lsn,
        .number = recovery->next_number,
        .chain = recovery->next_chain,
        .segment_bytes = options->segment_bytes,
        .created_ms = options->clock.now_ms(options->clock.context),
    };
    if (recovery->log_exists) {
        memcpy(header.log_id, recovery->log_id, WAL_LOG_ID_BYTES);
    } else {
        options->entropy.fill(options->entropy.context, header.log_id, WAL_LOG_ID_BYTES);
    }
    if (recovery->spare_bytes != options->segment_bytes) {
        char name[WAL_FILE_NAME_BYTES];
        segment_name(header.number, name);
        int rc = options->storage->operations->prepare(options->storage, name,
                                                       options->segment_bytes);
        if (rc < 0) {
            return writer_no_segment(options->storage, options->segment_bytes, -rc, name,
                                     ret_error);
        }
    }
    *ret_header = header;
    return 0;
}

/* Does the header of the new epoch say what the log does not say yet? README.md, "When an epoch
 * begins". */
static bool header_now(const struct wal_recovery *recovery) {
    return !recovery->log_exists || recovery->torn || !recovery->sealed;
}

static int open_epoch(struct wal *wal, const struct segment_header *header, bool now,
                      struct wal_error *ret_error) {
    wal->seed = segment_seed(header->log_id);
    wal->writer.handle = -1;
    atomic_init(&wal->durable_lsn, header->first_lsn);
    if (log_buffer_init(&wal->buffer, wal->options.buffer_bytes, wal->options.appenders,
                        header->first_lsn) < 0) {
        return wal_error_set(ret_error, WAL_ERROR_MEMORY, NULL, 0, 0,
                             "no memory for a log buffer of %llu bytes",
                             (unsigned long long)wal->options.buffer_bytes);
    }
    REQUIRE(pthread_mutex_init(&wal->preparer.mutex, NULL) == 0);
    pthread_condattr_t attributes;
    REQUIRE(pthread_condattr_init(&attributes) == 0);
    REQUIRE(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    REQUIRE(pthread_cond_init(&wal->preparer.changed, &attributes) == 0);
    (void)pthread_condattr_destroy(&attributes);
    wal->preparer.ready = header->number;
    wal->preparer.wanted = header->number + now;
    int rc = writer_init(wal, header, now, ret_error);
    if (rc < 0) {
        writer_deinit(wal);
        log_buffer_deinit(&wal->buffer);
        return rc;
    }
    /* Only now: a failure of wal_open is its result, not a callback. */
    wal->open = true;
    return 0;
}

static int open_claimed(const struct wal_options *options, struct wal_recovery *ret_recovery,
                        struct wal **ret_wal, struct wal_error *ret_error) {
    struct wal_recovery_options recovery_options = {
        .from_lsn = options->recover_from_lsn,
        .witness_lsn = options->witness_lsn,
        .account_partitions = options->account_partitions,
    };
    int rc = wal_recover(options->storage, &recovery_options, ret_recovery, ret_error);
    if (rc < 0) return rc;
    if (!ret_recovery->log_exists) {
        ret_recovery->first_lsn = options->first_lsn;
        ret_recovery->end_lsn = options->first_lsn;
    } else if (options->first_lsn != 0) {
        return wal_error_set(ret_error, WAL_ERROR_OPTIONS, NULL, 0, 0,
                             "a log exists in this folder already, LSN %llu to %llu: a new one "
                             "cannot begin at LSN %llu; choose an empty folder",
                             (unsigned long long)ret_recovery->first_lsn,
                             (unsigned long long)ret_recovery->end_lsn,
                             (unsigned long long)options->first_lsn);
    } else {
        rc = flush_last_segment(options->storage, ret_recovery, ret_error);
        if (rc < 0) return rc;
    }
    if (ret_recovery->end_lsn > SEGMENT_COUNT_MAX || ret_recovery->epoch >= SEGMENT_COUNT_MAX ||
        ret_recovery->next_number > SEGMENT_COUNT_MAX) {
        return wal_error_set(ret_error, WAL_ERROR_CORRUPT, NULL, 0, ret_recovery->end_lsn,
                             "the log's LSN, epoch or segment number is at its end, which no log "
                             "reaches: the files were forged");
    }
    struct segment_header header = {0};
    rc = make_segment(options, ret_recovery, &header, ret_error);
    if (rc < 0) return rc;
    struct wal *wal = aligned_alloc(CACHE_LINE_BYTES, sizeof *wal);
    if (wal == NULL) {
        return wal_error_set(ret_error, WAL_ERROR_MEMORY, NULL, 0, 0, "no memory for the log");
    }
    memset(wal, 0, sizeof *wal);
    wal->options = *options;
    rc = open_epoch(wal, &header, header_now(ret_recovery), ret_error);
    if (rc < 0) {
        free(wal);
        return rc;
    }
    *ret_wal = wal;
    return 0;
}

int wal_open(const struct wal_options *options, struct wal_recovery *ret_recovery,
             struct wal **ret_wal, struct wal_error *ret_error) {
    struct wal_options checked = *options;
    int rc = check_options(&checked, ret_error);
    if (rc < 0) return rc;
    struct storage *storage = checked.storage;
    rc = storage->operations->claim(storage);
    if (rc == -EWOULDBLOCK) {
        return wal_error_set(ret_error, WAL_ERROR_LOCKED, NULL, 0, 0,
                             "another engine runs on this data folder (file LOCK); stop it first, "
                             "or give this one a folder of its own");
    }
    if (rc < 0) {
        return wal_error_system(ret_error, -rc, NULL, 0, "cannot claim the data folder");
    }
    struct wal_recovery recovery = {0};
    rc = open_claimed(&checked, &recovery, ret_wal, ret_error);
    if (rc < 0) {
        storage->operations->unclaim(storage);
        return rc;
    }
    if (ret_recovery != NULL) *ret_recovery = recovery;
    return 0;
}

void wal_close(struct wal *wal) {
    REQUIRE(!wal->running);
    struct storage *storage = wal->options.storage;
    writer_deinit(wal);
    log_buffer_deinit(&wal->buffer);
    REQUIRE(pthread_cond_destroy(&wal->preparer.changed) == 0);
    REQUIRE(pthread_mutex_destroy(&wal->preparer.mutex) == 0);
    storage->operations->unclaim(storage);
    free(wal);
}

int wal_start(struct wal *wal, struct wal_error *ret_error) {
    REQUIRE(!wal->running);
    int rc = writer_threads_start(wal);
    if (rc < 0) {
        return wal_error_system(ret_error, -rc, NULL, 0, "cannot start the threads of the log");
    }
    return 0;
}

int wal_stop(struct wal *wal) {
    if (wal->running) writer_threads_stop(wal);
    /* From here on this thread is the writer. */
    bool sealed = false;
    for (;;) {
        if (atomic_load_explicit(&wal->failed, memory_order_relaxed)) return -wal->error.code;
        if (writer_drained(wal)) {
            if (sealed) return 0;
            sealed = true;
            writer_seal(wal);
        }
        /* Its result: failed is looked at above; pending is impossible when waiting. */
        (void)wal_writer_step(wal, !writer_drained(wal));
    }
}

int wal_append(struct wal *wal, uint32_t appender, const uint8_t *bytes, uint32_t size,
               uint64_t *ret_lsn) {
    if (__builtin_expect(atomic_load_explicit(&wal->failed, memory_order_acquire), 0)) {
        return -wal->error.code;
    }
    return log_buffer_append(&wal->buffer, appender, bytes, size, ret_lsn);
}

uint64_t wal_durable_lsn(const struct wal *wal) {
    return atomic_load_explicit(&wal->durable_lsn, memory_order_acquire);
}

uint64_t wal_appended_lsn(const struct wal *wal) {
    return atomic_load_explicit(&wal->buffer.reserved, memory_order_acquire);
}

void wal_error_get(const struct wal *wal, struct wal_error *ret_error) {
    if (atomic_load_explicit(&wal->failed, memory_order_acquire)) {
        *ret_error = wal->error;
    } else {
        *ret_error = (struct wal_error){0};
    }
}

void wal_stats_get(const struct wal *wal, struct wal_stats *ret_stats) {
    const struct wal_counters *from = &wal->counters;
    *ret_stats = (struct wal_stats){
        .blocks = atomic_load_explicit(&from->blocks, memory_order_relaxed),
        .records = atomic_load_explicit(&from->records, memory_order_relaxed),
        .record_bytes = atomic_load_explicit(&from->record_bytes, memory_order_relaxed),
        .writes = atomic_load_explicit(&from->writes, memory_order_relaxed),
        .written_bytes = atomic_load_explicit(&from->written_bytes, memory_order_relaxed),
        .group_records_max = atomic_load_explicit(&from->group_records_max, memory_order_relaxed),
        .seals = atomic_load_explicit(&from->seals, memory_order_relaxed),
        .segments = atomic_load_explicit(&from->segments, memory_order_relaxed),
        .prepare_waits = atomic_load_explicit(&from->prepare_waits, memory_order_relaxed),
    };
}

void wal_space_get(struct wal *wal, struct wal_space *ret_space) {
    struct preparer *preparer = &wal->preparer;
    struct storage *storage = wal->options.storage;
    uint64_t number = atomic_load_explicit(&wal->counters.number, memory_order_relaxed);
    struct wal_space space = {
        .segment_bytes = wal->options.segment_bytes,
        .left_bytes = atomic_load_explicit(&wal->counters.room_bytes, memory_order_relaxed),
    };
    (void)pthread_mutex_lock(&preparer->mutex);
    bool ahead = preparer->ready > number;
    space.system_error = preparer->failed;
    space.next_ready = ahead || preparer->working;
    (void)pthread_mutex_unlock(&preparer->mutex);
    if (ahead) space.left_bytes += space.segment_bytes - SEGMENT_HEADER_BYTES;
    if (storage->operations->space(storage, &space.free_bytes) < 0) {
        space.free_bytes = UINT64_MAX;
    } else if (!space.next_ready && space.free_bytes < space.segment_bytes) {
        space.missing_bytes = space.segment_bytes - space.free_bytes;
    }
    *ret_space = space;
}

bool wal_segment_get(struct wal *wal, struct wal_segment *ret_segment) {
    (void)pthread_mutex_lock(&wal->preparer.mutex);
    *ret_segment = wal->preparer.current;
    (void)pthread_mutex_unlock(&wal->preparer.mutex);
    return ret_segment->inode != 0;
}

static int journal_append(void *context, uint32_t appender, const uint8_t *bytes, uint32_t size,
                          uint64_t *ret_lsn) {
    return wal_append(context, appender, bytes, size, ret_lsn) == 0 ? 0 : JOURNAL_FULL;
}

static uint64_t journal_durable_lsn(void *context) { return wal_durable_lsn(context); }

void wal_journal(struct wal *wal, struct journal *ret_journal) {
    *ret_journal = (struct journal){
        .context = wal, .append = journal_append, .durable_lsn = journal_durable_lsn};
}
