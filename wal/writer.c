/* writer.c - the steps of the log writer and of the preparer
 *
 * Happy path: records are copied out of the ring into an aligned block, the block gets its
 * checksums, goes to the storage, and when that is complete the durable LSN moves.
 *
 * Failure modes: anything the storage refuses ends the log (wal_failed): the durable LSN stays
 * where it is, no step does anything any more, the owner is told once.
 */
#include "wal/writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/require.h"
#include "wal/inside.h"

static void count_add(_Atomic uint64_t *counter, uint64_t value) {
    /* One thread writes: a load and a store are enough. */
    uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, now + value, memory_order_relaxed);
}

/* Takes an error that is already filled in. */
static int wal_failed(struct wal *wal, const struct wal_error *error) {
    REQUIRE(!atomic_load_explicit(&wal->failed, memory_order_relaxed));
    wal->writer.flight = FLIGHT_NONE;
    wal->error = *error;
    atomic_store_explicit(&wal->failed, true, memory_order_release);
    if (wal->open && wal->options.on_failed != NULL) {
        wal->options.on_failed(wal->options.callback_context, &wal->error);
    }
    return -error->code;
}

static int write_failed(struct wal *wal, int system_error) {
    struct writer *writer = &wal->writer;
    char name[WAL_FILE_NAME_BYTES];
    segment_name(writer->segment.number, name);
    uint64_t offset = writer->flight == FLIGHT_BLOCK ? writer->offset - writer->flight_bytes : 0;
    char what[128];
    (void)snprintf(what, sizeof what, "cannot write %u bytes at offset %llu of segment",
                   writer->flight_bytes, (unsigned long long)offset);
    struct wal_error error;
    (void)wal_error_system(&error, system_error, name, offset, what); /* the code is known */
    error.lsn = atomic_load_explicit(&wal->durable_lsn, memory_order_relaxed);
    return wal_failed(wal, &error);
}

static int submit(struct wal *wal, enum writer_flight flight, uint64_t offset, const uint8_t *bytes,
                  uint32_t count, uint64_t lsn) {
    struct writer *writer = &wal->writer;
    REQUIRE(writer->flight == FLIGHT_NONE);
    writer->flight = flight;
    writer->flight_bytes = count;
    writer->flight_lsn = lsn;
    struct storage *storage = wal->options.storage;
    int rc = storage->operations->submit(storage, writer->handle, offset, bytes, count);
    return rc < 0 ? write_failed(wal, -rc) : 0;
}

/* --- segments --------------------------------------------------------------------------------- */

int wal_prepare_step(struct wal *wal) {
    struct preparer *preparer = &wal->preparer;
    (void)pthread_mutex_lock(&preparer->mutex);
    uint64_t number = preparer->wanted;
    bool work = preparer->ready < number && preparer->failed == 0;
    int failed = preparer->failed;
    preparer->working = work;
    (void)pthread_mutex_unlock(&preparer->mutex);
    if (!work) return failed == 0 ? WAL_IDLE : -WAL_ERROR_IO;
    char name[WAL_FILE_NAME_BYTES];
    segment_name(number, name);
    struct storage *storage = wal->options.storage;
    int rc = storage->operations->prepare(storage, name, wal->options.segment_bytes);
    (void)pthread_mutex_lock(&preparer->mutex);
    preparer->working = false;
    if (rc < 0) {
        preparer->failed = -rc;
    } else {
        preparer->ready = number;
    }
    (void)pthread_cond_broadcast(&preparer->changed);
    (void)pthread_mutex_unlock(&preparer->mutex);
    return rc < 0 ? -WAL_ERROR_IO : 0;
}

/* Wait until the wanted segment is there. Without a preparer's thread, make it here.
 * Return: 0; <0 the log has failed */
static int segment_ready(struct wal *wal, uint64_t number) {
    struct preparer *preparer = &wal->preparer;
    (void)pthread_mutex_lock(&preparer->mutex);
    REQUIRE(preparer->wanted == number);
    if (preparer->failed != 0) {
        /* The disk may have been full then, and have room now: one more try, now that it counts.
         * A new file is made from the start; nothing that failed is relied upon. */
        preparer->failed = 0;
        (void)pthread_cond_broadcast(&preparer->changed);
    }
    bool late = preparer->ready < number;
    (void)pthread_mutex_unlock(&preparer->mutex);
    if (!wal->running) {
        (void)wal_prepare_step(wal);
    } else if (late) {
        count_add(&wal->counters.prepare_waits, 1);
    }
    (void)pthread_mutex_lock(&preparer->mutex);
    while (preparer->ready < number && preparer->failed == 0) {
        REQUIRE(wal->running); /* or nobody would end this wait */
        (void)pthread_cond_wait(&preparer->changed, &preparer->mutex);
    }
    int failed = preparer->failed;
    (void)pthread_mutex_unlock(&preparer->mutex);
    if (failed == 0) return 0;
    char name[WAL_FILE_NAME_BYTES];
    segment_name(number, name);
    struct wal_error error;
    (void)writer_no_segment(wal->options.storage, wal->options.segment_bytes, failed, name, &error);
    error.lsn = atomic_load_explicit(&wal->durable_lsn, memory_order_relaxed);
    return wal_failed(wal, &error);
}

static void segment_want(struct wal *wal, uint64_t number) {
    struct preparer *preparer = &wal->preparer;
    (void)pthread_mutex_lock(&preparer->mutex);
    preparer->wanted = number;
    (void)pthread_cond_broadcast(&preparer->changed);
    (void)pthread_mutex_unlock(&preparer->mutex);
}

/* Publish which file is written now. Where that cannot be known, nobody will miss it. */
static void segment_current(struct wal *wal, uint64_t number) {
    struct preparer *preparer = &wal->preparer;
    struct storage *storage = wal->options.storage;
    struct wal_segment current = {.number = number};
    struct storage_identity identity;
    if (storage->operations->identify(storage, wal->writer.handle, &identity) == 0) {
        current.device = identity.device;
        current.inode = identity.inode;
    }
    (void)pthread_mutex_lock(&preparer->mutex);
    preparer->current = current;
    (void)pthread_mutex_unlock(&preparer->mutex);
}

static void publish_room(struct wal *wal) {
    const struct writer *writer = &wal->writer;
    atomic_store_explicit(&wal->counters.number, writer->segment.number, memory_order_relaxed);
    atomic_store_explicit(&wal->counters.room_bytes, writer->segment.segment_bytes - writer->offset,
                          memory_order_relaxed);
}

/* Open a prepared segment and submit its header. The header is chained like a block. */
static int segment_begin(struct wal *wal, const struct segment_header *header) {
    struct writer *writer = &wal->writer;
    struct storage *storage = wal->options.storage;
    char name[WAL_FILE_NAME_BYTES];
    segment_name(header->number, name);
    if (writer->handle >= 0) {
        storage->operations->close(storage, writer->handle);
        writer->handle = -1;
    }
    int handle = storage->operations->open(storage, name, true);
    if (handle < 0) {
        struct wal_error error;
        (void)wal_error_system(&error, -handle, name, 0, "cannot open segment");
        return wal_failed(wal, &error);
    }
    writer->handle = handle;
    writer->begun = true;
    writer->segment = *header;
    segment_current(wal, header->number);
    segment_encode(&writer->segment, writer->header_page);
    writer->offset = SEGMENT_HEADER_BYTES;
    writer->chain = writer->segment.checksum;
    publish_room(wal);
    count_add(&wal->counters.segments, 1);
    uint64_t durable = atomic_load_explicit(&wal->durable_lsn, memory_order_relaxed);
    return submit(wal, FLIGHT_HEADER, 0, writer->header_page, SEGMENT_HEADER_BYTES, durable);
}

/* To the next segment, or to the first one of this run. */
static int segment_switch(struct wal *wal) {
    struct writer *writer = &wal->writer;
    uint64_t number = writer->segment.number + (writer->begun ? 1 : 0);
    int rc = segment_ready(wal, number);
    if (rc != 0) return rc;
    struct segment_header header = writer->segment;
    header.number = number;
    header.first_lsn = writer->stage.first_lsn;
    header.chain = writer->chain;
    /* The first one was made ready when the run began, and says so. */
    if (writer->begun) {
        header.created_ms = wal->options.clock.now_ms(wal->options.clock.context);
    }
    rc = segment_begin(wal, &header);
    if (rc == 0) segment_want(wal, number + 1);
    return rc;
}

/* --- blocks ----------------------------------------------------------------------------------- */

static uint64_t room(const struct writer *writer) {
    return writer->segment.segment_bytes - writer->offset;
}

static void stage(struct wal *wal, uint32_t bytes, uint32_t count) {
    struct writer *writer = &wal->writer;
    REQUIRE(!writer->staged);
    uint8_t *block = writer->blocks[writer->block_index];
    if (bytes > 0) {
        log_buffer_take(&wal->buffer, writer->lsn, bytes, block + BLOCK_HEADER_BYTES);
    }
    writer->stage = (struct block_header){
        .record_count = count,
        .body_bytes = bytes,
        .epoch = writer->segment.epoch,
        .first_lsn = writer->lsn,
        .body_checksum = block_seal_body(block, bytes, wal->seed),
    };
    writer->lsn += bytes;
    writer->staged = true;
}

/* Take as many records as fit into what is left of the segment; if none does, into a new one. */
static void stage_records(struct wal *wal, uint64_t copied) {
    struct writer *writer = &wal->writer;
    uint64_t left = room(writer);
    uint32_t limit = left < writer->block_bytes_limit ? (uint32_t)left : writer->block_bytes_limit;
    uint32_t count = 0;
    uint32_t bytes = 0;
    if (limit >= WAL_BLOCK_ALIGN_BYTES) {
        bytes = log_buffer_group(&wal->buffer, writer->lsn, copied, limit - BLOCK_HEADER_BYTES,
                                 &count);
    }
    if (count == 0) {
        bytes = log_buffer_group(&wal->buffer, writer->lsn, copied,
                                 writer->block_bytes_limit - BLOCK_HEADER_BYTES, &count);
    }
    REQUIRE(count > 0);
    stage(wal, bytes, count);
}

bool writer_drained(struct wal *wal) {
    struct writer *writer = &wal->writer;
    return writer->flight == FLIGHT_NONE && !writer->staged &&
           log_buffer_copied(&wal->buffer) == writer->lsn;
}

void writer_seal(struct wal *wal) {
    /* The ring may have got something meanwhile: it comes after the seal then. */
    REQUIRE(wal->writer.flight == FLIGHT_NONE && !wal->writer.staged);
    if (wal->writer.unsealed) stage(wal, 0, 0);
}

static int submit_staged(struct wal *wal) {
    struct writer *writer = &wal->writer;
    uint32_t bytes = block_bytes(writer->stage.body_bytes);
    if (!writer->begun || bytes > room(writer)) return segment_switch(wal);
    uint8_t *block = writer->blocks[writer->block_index];
    writer->stage.wall_ms = wal->options.clock.now_ms(wal->options.clock.context);
    writer->stage.durable_lsn = atomic_load_explicit(&wal->durable_lsn, memory_order_relaxed);
    writer->stage.chain = writer->chain;
    block_encode_header(&writer->stage, wal->seed, block);
    writer->chain = writer->stage.checksum;
    uint64_t offset = writer->offset;
    writer->offset += bytes;
    publish_room(wal);
    writer->block_index = 1 - writer->block_index;
    writer->staged = false;
    bool sealing = writer->stage.record_count == 0;
    writer->unsealed = !sealing;
    count_add(&wal->counters.seals, sealing);
    count_add(&wal->counters.blocks, !sealing);
    count_add(&wal->counters.records, writer->stage.record_count);
    count_add(&wal->counters.record_bytes, writer->stage.body_bytes);
    uint64_t most = atomic_load_explicit(&wal->counters.group_records_max, memory_order_relaxed);
    if (writer->stage.record_count > most) {
        count_add(&wal->counters.group_records_max, writer->stage.record_count - most);
    }
    return submit(wal, FLIGHT_BLOCK, offset, block, bytes,
                  writer->stage.first_lsn + writer->stage.body_bytes);
}

static int step_flight(struct wal *wal, bool wait) {
    struct writer *writer = &wal->writer;
    if (!writer->staged) {
        uint64_t copied = log_buffer_copied(&wal->buffer);
        if (copied - writer->lsn >= writer->block_bytes_limit) stage_records(wal, copied);
    }
    struct storage *storage = wal->options.storage;
    int rc = storage->operations->complete(storage, wait);
    if (rc == STORAGE_PENDING) return WAL_IDLE;
    if (rc < 0) return write_failed(wal, -rc);
    bool block = writer->flight == FLIGHT_BLOCK;
    writer->flight = FLIGHT_NONE;
    count_add(&wal->counters.writes, 1);
    count_add(&wal->counters.written_bytes, writer->flight_bytes);
    uint64_t durable = atomic_load_explicit(&wal->durable_lsn, memory_order_relaxed);
    REQUIRE(writer->flight_lsn >= durable);
    if (block) writer->idle_since_ms = wal->options.clock.now_ms(wal->options.clock.context);
    if (writer->flight_lsn > durable) {
        atomic_store_explicit(&wal->durable_lsn, writer->flight_lsn, memory_order_release);
        if (wal->options.on_durable != NULL) {
            wal->options.on_durable(wal->options.callback_context, writer->flight_lsn);
        }
    }
    return 0;
}

/* Nothing to write. Return: ms until the seal is due; 0 = now; UINT64_MAX = never */
static uint64_t seal_due_ms(const struct wal *wal) {
    if (!wal->writer.unsealed) return UINT64_MAX;
    uint64_t now = wal->options.clock.now_ms(wal->options.clock.context);
    uint64_t due = wal->writer.idle_since_ms + WAL_SEAL_AFTER_MS;
    return now >= due ? 0 : due - now;
}

void wal_beat(struct wal *wal) {
    atomic_store_explicit(&wal->beat, true, memory_order_relaxed);
    waker_wake(&wal->buffer.writer); /* one that is just going to sleep hears the next one */
}

/* A sign of life is not worth the end of the log: where the segment is full, and the disk too full
 * for another one, there is none until there is room. */
static bool beat_has_room(struct wal *wal) {
    const struct writer *writer = &wal->writer;
    struct preparer *preparer = &wal->preparer;
    if (!writer->begun || room(writer) >= WAL_BLOCK_ALIGN_BYTES) return true;
    (void)pthread_mutex_lock(&preparer->mutex);
    bool ready = preparer->ready > writer->segment.number;
    (void)pthread_mutex_unlock(&preparer->mutex);
    return ready;
}

/* Nothing to write. Return: whether the log is to show a sign of life now */
static bool beat_is_due(struct wal *wal) {
    if (!atomic_load_explicit(&wal->beat, memory_order_relaxed)) return false;
    atomic_store_explicit(&wal->beat, false, memory_order_relaxed);
    uint64_t now = wal->options.clock.now_ms(wal->options.clock.context);
    return now >= wal->writer.idle_since_ms + WAL_BEAT_MS && beat_has_room(wal);
}

int wal_writer_step(struct wal *wal, bool wait) {
    struct writer *writer = &wal->writer;
    if (atomic_load_explicit(&wal->failed, memory_order_relaxed)) return -wal->error.code;
    if (writer->flight != FLIGHT_NONE) return step_flight(wal, wait);
    if (!writer->staged) {
        uint64_t copied = log_buffer_copied(&wal->buffer);
        if (copied > writer->lsn) {
            stage_records(wal, copied);
        } else {
            uint64_t due_ms = seal_due_ms(wal);
            if (due_ms == 0) {
                writer_seal(wal);
            } else if (beat_is_due(wal)) {
                stage(wal, 0, 0);
            } else {
                if (wait) log_buffer_sleep(&wal->buffer, writer->lsn, due_ms);
                return WAL_IDLE;
            }
        }
    }
    return submit_staged(wal);
}

/* --- threads and lifetime --------------------------------------------------------------------- */

static void *writer_main(void *context) {
    struct wal *wal = context;
    for (;;) {
        int rc = wal_writer_step(wal, true);
        if (rc < 0) break;
        if (rc == WAL_IDLE && atomic_load(&wal->buffer.closing) && writer_drained(wal)) break;
    }
    return NULL;
}

static struct timespec retry_time(void) {
    struct timespec time;
    REQUIRE(clock_gettime(CLOCK_MONOTONIC, &time) == 0);
    time.tv_sec += WAL_PREPARE_RETRY_MS / 1000;
    return time;
}

/* Wait for something to do; a failure is tried again after a while. */
static void preparer_wait(struct preparer *preparer) {
    const struct timespec retry = retry_time();
    while (!preparer->stopping && (preparer->ready >= preparer->wanted || preparer->failed)) {
        if (preparer->failed == 0) {
            (void)pthread_cond_wait(&preparer->changed, &preparer->mutex);
        } else if (pthread_cond_timedwait(&preparer->changed, &preparer->mutex, &retry) != 0) {
            preparer->failed = 0;
        }
    }
}

static void *preparer_main(void *context) {
    struct wal *wal = context;
    struct preparer *preparer = &wal->preparer;
    bool stopping = false;
    while (!stopping) {
        (void)wal_prepare_step(wal); /* a failure is kept for the writer */
        (void)pthread_mutex_lock(&preparer->mutex);
        preparer_wait(preparer);
        stopping = preparer->stopping;
        (void)pthread_mutex_unlock(&preparer->mutex);
    }
    return NULL;
}

static void preparer_stop(struct wal *wal) {
    struct preparer *preparer = &wal->preparer;
    (void)pthread_mutex_lock(&preparer->mutex);
    preparer->stopping = true;
    (void)pthread_cond_broadcast(&preparer->changed);
    (void)pthread_mutex_unlock(&preparer->mutex);
    REQUIRE(pthread_join(wal->preparer_thread, NULL) == 0);
}

int writer_threads_start(struct wal *wal) {
    wal->running = true;
    int rc = pthread_create(&wal->preparer_thread, NULL, preparer_main, wal);
    if (rc == 0) {
        rc = pthread_create(&wal->writer_thread, NULL, writer_main, wal);
        if (rc != 0) preparer_stop(wal);
    }
    wal->running = rc == 0;
    return -rc;
}

void writer_threads_stop(struct wal *wal) {
    log_buffer_close(&wal->buffer);
    REQUIRE(pthread_join(wal->writer_thread, NULL) == 0);
    preparer_stop(wal);
    wal->running = false;
}

int writer_no_segment(struct storage *storage, uint64_t segment_bytes, int system_error,
                      const char *name, struct wal_error *ret_error) {
    uint64_t free_bytes = 0;
    if (system_error != ENOSPC || storage->operations->space(storage, &free_bytes) < 0 ||
        free_bytes >= segment_bytes) {
        return wal_error_system(ret_error, system_error, name, 0, "cannot make the next segment");
    }
    int rc = wal_error_set(ret_error, WAL_ERROR_IO, name, 0, 0,
                           "cannot make the next segment %s: %s. It needs %llu KiB, %llu KiB are "
                           "free: %llu KiB are missing",
                           name, "No space left on device",
                           (unsigned long long)(segment_bytes / 1024),
                           (unsigned long long)(free_bytes / 1024),
                           (unsigned long long)((segment_bytes - free_bytes + 1023) / 1024));
    ret_error->system_error = system_error;
    return rc;
}

int writer_init(struct wal *wal, const struct segment_header *header, bool now,
                struct wal_error *ret_error) {
    struct writer *writer = &wal->writer;
    uint64_t most = header->segment_bytes - SEGMENT_HEADER_BYTES;
    writer->block_bytes_limit = most < WAL_BLOCK_BYTES_MAX ? (uint32_t)most : WAL_BLOCK_BYTES_MAX;
    writer->lsn = header->first_lsn;
    for (int i = 0; i < 2; i++) {
        writer->blocks[i] = aligned_alloc(WAL_BLOCK_ALIGN_BYTES, WAL_BLOCK_BYTES_MAX);
    }
    writer->header_page = aligned_alloc(WAL_BLOCK_ALIGN_BYTES, SEGMENT_HEADER_BYTES);
    if (writer->blocks[0] == NULL || writer->blocks[1] == NULL || writer->header_page == NULL) {
        return wal_error_set(ret_error, WAL_ERROR_MEMORY, NULL, 0, 0,
                             "no memory for the blocks of the log");
    }
    memset(writer->blocks[0], 0, WAL_BLOCK_BYTES_MAX);
    memset(writer->blocks[1], 0, WAL_BLOCK_BYTES_MAX);
    writer->segment = *header;
    writer->offset = SEGMENT_HEADER_BYTES;
    writer->chain = header->chain;
    publish_room(wal);
    int rc = now ? segment_begin(wal, header) : 0;
    if (rc == 0 && now) rc = step_flight(wal, true);
    if (rc < 0) *ret_error = wal->error;
    return rc;
}

void writer_deinit(struct wal *wal) {
    struct writer *writer = &wal->writer;
    if (writer->flight != FLIGHT_NONE) {
        /* The storage still reads the block. Nobody is left to be told how it ended. */
        (void)wal->options.storage->operations->complete(wal->options.storage, true);
    }
    if (writer->handle >= 0) {
        wal->options.storage->operations->close(wal->options.storage, writer->handle);
    }
    free(writer->blocks[0]);
    free(writer->blocks[1]);
    free(writer->header_page);
}
