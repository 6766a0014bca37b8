/* truth.c - a log whose every byte is known; see truth.h */
#include "tests/damage/truth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/source/recover.h"
#include "replay/source/source_wal.h"

#define PAGE 4096u
static const struct id128 table_seed = {{9}};

/* --- writing ---------------------------------------------------------------------------------- */

static uint64_t fake_now(void *context) { return ((struct truth *)context)->now_ms; }

static void fake_entropy(void *context, void *bytes, uint32_t size) {
    struct truth *truth = context;
    random_fill(&truth->entropy, bytes, size);
}

static struct wal_options options_of(struct truth *truth, struct storage *disk) {
    return (struct wal_options){
        .storage = disk,
        .clock = {.context = truth, .now_ms = fake_now},
        .entropy = {.context = truth, .fill = fake_entropy},
        .segment_bytes = TRUTH_SEGMENT_BYTES,
        .buffer_bytes = 1u << 19,
        .appenders = 1,
    };
}

struct truth_writing {
    struct truth *truth;
    struct random_history history;
    struct wal *wal;
};

static void settle(struct truth_writing *writing) {
    int rc;
    do { rc = wal_writer_step(writing->wal, false); } while (rc == 0);
    assert_int_equal(rc, WAL_IDLE);
}

static void begin_epoch(struct truth_writing *writing) {
    struct wal_options options = options_of(writing->truth, writing->truth->disk);
    struct wal_error error;
    writing->truth->now_ms += 60000;
    if (wal_open(&options, NULL, &writing->wal, &error) != 0) fail_msg("%s", error.text);
}

/* Append what the history has and the log has not: all of it in one append. */
static void append(struct truth_writing *writing) {
    const struct memory_log *records = &writing->truth->records;
    uint64_t lsn = wal_appended_lsn(writing->wal);
    uint32_t bytes = (uint32_t)(records->size - lsn);
    writing->truth->now_ms += 3;
    assert_int_equal(wal_append(writing->wal, 0, records->bytes + lsn, bytes, &lsn), 0);
    assert_int_equal(lsn, records->size);
}

/* So many requests, in one block if it fits into the segment. */
static void write_block(struct truth_writing *writing, uint32_t requests) {
    uint64_t before = writing->truth->records.size;
    do {
        random_history_run(&writing->history, requests);
    } while (writing->truth->records.size == before); /* a request may decide nothing */
    append(writing);
    settle(writing);
    assert_int_equal(wal_durable_lsn(writing->wal), writing->truth->records.size);
}

static void idle(struct truth_writing *writing) {
    writing->truth->now_ms += WAL_SEAL_AFTER_MS + 1;
    settle(writing);
}

/* The power fails while a block of some pages is being written. */
static void tear(struct truth_writing *writing, uint32_t requests, uint64_t seed) {
    random_history_run(&writing->history, requests);
    append(writing);
    storage_memory_hold(writing->truth->disk, true);
    while (wal_writer_step(writing->wal, false) == 0) {}
    assert_true(storage_memory_crash(writing->truth->disk, seed));
    storage_memory_hold(writing->truth->disk, false);
    wal_close(writing->wal);
}

static void write_log(struct truth_writing *writing, enum truth_end end) {
    struct truth *truth = writing->truth;
    begin_epoch(writing);
    append(writing); /* concert, dates, seats */
    settle(writing);
    for (uint32_t requests = 1; requests <= 181; requests += 60) {
        write_block(writing, requests);
        write_block(writing, 450 - requests);
    }
    idle(writing);
    write_block(writing, 900);
    idle(writing);
    write_block(writing, 40);
    tear(writing, 500, 3);

    begin_epoch(writing); /* what was torn comes again */
    append(writing);
    settle(writing);
    write_block(writing, 5);
    write_block(writing, 260);
    assert_int_equal(wal_stop(writing->wal), 0);
    wal_close(writing->wal);

    truth->now_ms += truth->fork_ms;
    begin_epoch(writing);
    write_block(writing, 700);            /* its header comes before it, and not sooner */
    (void)wal_prepare_step(writing->wal); /* the spare one */
    write_block(writing, 2);
    write_block(writing, 370);
    idle(writing);
    write_block(writing, 290);
    write_block(writing, 100);
    (void)wal_prepare_step(writing->wal); /* the spare one, if those have used it */
    truth->acknowledged_lsn = truth->end_lsn = truth->records.size;
    if (end == TRUTH_SEALED) {
        assert_int_equal(wal_stop(writing->wal), 0);
        wal_close(writing->wal);
    } else if (end == TRUTH_UNSEALED) {
        (void)storage_memory_crash(truth->disk, 1); /* nothing was in flight */
        wal_close(writing->wal);
    } else {
        tear(writing, 400, 5);
    }
}

/* --- what is on the disk ---------------------------------------------------------------------- */

static uint64_t number_at(const uint8_t *bytes, uint32_t size) {
    uint64_t value = 0;
    for (uint32_t i = 0; i < size; i++) value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

static void add_element(struct truth *truth, struct truth_element element) {
    assert_true(truth->element_count < TRUTH_ELEMENTS_MAX);
    truth->elements[truth->element_count++] = element;
}

/* The blocks of a segment by the table of wal/FORMAT.md, up to the LSN at which the next begins. */
static void list_blocks(struct truth *truth, uint32_t segment, uint64_t until_lsn) {
    const uint8_t *bytes = truth->segments[segment].bytes;
    uint64_t lsn = number_at(bytes + 48, 8);
    add_element(
        truth,
        (struct truth_element){
            .segment = segment, .bytes = PAGE, .header = true, .first_lsn = lsn, .end_lsn = lsn});
    uint32_t offset = PAGE;
    while (offset < TRUTH_SEGMENT_BYTES && memcmp(bytes + offset, "USHERBLK", 8) == 0) {
        uint32_t records = (uint32_t)number_at(bytes + offset + 12, 4);
        uint32_t body = (uint32_t)number_at(bytes + offset + 32, 4);
        uint32_t size = (80 + body + PAGE - 1) / PAGE * PAGE;
        if (lsn + body > until_lsn) break; /* torn: the next epoch's header overrules it */
        assert_int_equal(number_at(bytes + offset + 24, 8), lsn);
        add_element(truth, (struct truth_element){.segment = segment,
                                                  .offset = offset,
                                                  .bytes = size,
                                                  .records = records,
                                                  .first_lsn = lsn,
                                                  .end_lsn = lsn + body});
        lsn += body;
        offset += size;
    }
    assert_int_equal(lsn, until_lsn);
}

static void list_segments(struct truth *truth) {
    for (uint64_t number = 1;; number++) {
        struct truth_segment *segment = &truth->segments[truth->segment_count];
        (void)snprintf(segment->name, sizeof segment->name, "wal-%016llx.seg",
                       (unsigned long long)number);
        uint64_t size = 0;
        const uint8_t *bytes = storage_memory_bytes(truth->disk, segment->name, &size);
        if (!bytes) break;
        assert_int_equal(size, TRUTH_SEGMENT_BYTES);
        assert_true(truth->segment_count + 1 < TRUTH_SEGMENTS_MAX);
        segment->bytes = malloc(size);
        assert_non_null(segment->bytes);
        memcpy(segment->bytes, bytes, size);
        truth->segment_count++;
    }
    assert_true(truth->segment_count >= 4);
    assert_int_equal(truth->segments[truth->segment_count - 1].bytes[0], 0); /* never used */
    for (uint32_t i = 0; i + 1 < truth->segment_count; i++) {
        const uint8_t *next = truth->segments[i + 1].bytes;
        list_blocks(truth, i, next[0] ? number_at(next + 48, 8) : truth->end_lsn);
    }
}

/* The state at every end, by replaying the records as they were before the log had them. */
static void hash_states(struct truth *truth, uint64_t live_hash) {
    struct world *world = world_create(&table_seed);
    struct record_source source = memory_log_source(&truth->records);
    struct recover_result result = {0};
    struct recover_error error;
    uint64_t lsn = 0;
    for (uint32_t i = 0; i < truth->element_count; i++) {
        struct recover_options options = {.from_lsn = lsn};
        truth->records.limit_lsn = truth->elements[i].end_lsn;
        if (recover(&source, world, &options, &result, &error) != 0) fail_msg("%s", error.text);
        lsn = truth->elements[i].end_lsn;
        truth->hashes[i] = world_hash(world);
    }
    assert_int_equal(lsn, truth->end_lsn);
    if (truth->end != TRUTH_TORN) assert_true(world_hash(world) == live_hash);
    world_free(world);
}

static void make(struct truth *truth, uint64_t seed, enum truth_end end, uint64_t fork_ms) {
    *truth = (struct truth){
        .end = end, .now_ms = 1763755200000, .entropy = {seed}, .fork_ms = fork_ms};
    struct truth_writing writing = {.truth = truth};
    assert_int_equal(storage_memory_open(&truth->disk), 0);
    memory_log_init(&truth->records);
    random_history_init(&writing.history, &truth->records, seed, 60);
    write_log(&writing, end);
    list_segments(truth);
    hash_states(truth, world_hash(writing.history.world));
    random_history_deinit(&writing.history);
}

void truth_make(struct truth *truth, uint64_t seed, enum truth_end end) {
    make(truth, seed, end, 0);
}

void truth_make_fork(struct truth *truth, uint64_t seed, enum truth_end end) {
    make(truth, seed, end, 1);
}

void truth_free(struct truth *truth) {
    for (uint32_t i = 0; i < truth->segment_count; i++) free(truth->segments[i].bytes);
    memory_log_deinit(&truth->records);
    truth->disk->operations->destroy(truth->disk);
}

uint32_t truth_segment_last(const struct truth *truth) { return truth->segment_count - 2; }

const struct truth_element *truth_element_last(const struct truth *truth) {
    return &truth->elements[truth->element_count - 1];
}

const struct truth_element *truth_element_at(const struct truth *truth, uint32_t segment,
                                             uint32_t offset) {
    for (uint32_t i = 0; i < truth->element_count; i++) {
        const struct truth_element *element = &truth->elements[i];
        if (element->segment == segment && offset >= element->offset &&
            offset < element->offset + element->bytes) {
            return element;
        }
    }
    return NULL;
}

const struct truth_element *truth_first_damage(const struct truth *truth, struct storage *disk) {
    for (uint32_t i = 0; i < truth->element_count; i++) {
        const struct truth_element *element = &truth->elements[i];
        const struct truth_segment *segment = &truth->segments[element->segment];
        uint64_t size = 0;
        const uint8_t *bytes = storage_memory_bytes(disk, segment->name, &size);
        if (!bytes || size != TRUTH_SEGMENT_BYTES) return element;
        if (memcmp(bytes + element->offset, segment->bytes + element->offset, element->bytes) !=
            0) {
            return element;
        }
    }
    return NULL;
}

uint8_t *truth_segment_bytes(struct storage *disk, const struct truth *truth, uint32_t segment) {
    uint64_t size = 0;
    uint8_t *bytes = storage_memory_bytes(disk, truth->segments[segment].name, &size);
    assert_non_null(bytes);
    return bytes;
}

/* --- judging ---------------------------------------------------------------------------------- */

/* Which of the ends is this one? An end in the middle of a block is a wrong state. */
static uint32_t end_index(const struct truth *truth, uint64_t lsn) {
    for (uint32_t i = 0; i < truth->element_count; i++) {
        if (truth->elements[i].end_lsn == lsn) return i;
    }
    fail_msg("the log ends at LSN %llu, where no block ends", (unsigned long long)lsn);
    return 0;
}

/* Every record up to the end, bit for bit.
 * Return: 0; <0 the reader refuses */
static int compare_records(const struct truth *truth, struct storage *disk, uint64_t end_lsn,
                           struct wal_error *ret_error) {
    struct wal_reader *reader = NULL;
    int rc = wal_reader_open(disk, 0, &reader, ret_error);
    if (rc < 0) return rc;
    uint64_t lsn = 0;
    struct wal_record record;
    while ((rc = wal_reader_next(reader, end_lsn, &record, ret_error)) == 0) {
        assert_int_equal(record.lsn, lsn + record.size);
        assert_true(record.lsn <= truth->end_lsn);
        if (memcmp(record.bytes, truth->records.bytes + lsn, record.size) != 0) {
            fail_msg("a wrong record ends at LSN %llu", (unsigned long long)record.lsn);
        }
        lsn = record.lsn;
    }
    wal_reader_close(reader);
    if (rc < 0) fail_msg("recovery believed what the reader refuses: %s", ret_error->text);
    assert_int_equal(lsn, end_lsn);
    return 0;
}

/* Equal records replay to equal states, so one replay for each end is enough. */
static void compare_state(struct truth *truth, struct storage *disk, uint32_t end) {
    if (truth->replayed[end]) return;
    struct world *world = world_create(&table_seed);
    struct source_wal source;
    struct record_source port;
    struct recover_result result;
    struct recover_error error;
    source_wal_init(&source, disk, NULL, NULL, truth->elements[end].end_lsn, &port);
    if (recover(&port, world, NULL, &result, &error) != 0) fail_msg("%s", error.text);
    assert_true(result.world_hash == truth->hashes[end]);
    source_wal_deinit(&source);
    world_free(world);
    truth->replayed[end] = true;
}

void truth_judge(struct truth *truth, struct storage *disk, uint64_t witness_lsn,
                 struct truth_finding *ret_finding) {
    struct wal_recovery_options options = {.witness_lsn = witness_lsn,
                                           .account_partitions = ACCOUNT_PARTITIONS};
    struct wal_recovery recovery;
    *ret_finding = (struct truth_finding){.outcome = TRUTH_REFUSED};
    if (wal_recover(disk, &options, &recovery, &ret_finding->error) != 0) return;
    if (compare_records(truth, disk, recovery.end_lsn, &ret_finding->error) != 0) return;
    compare_state(truth, disk, end_index(truth, recovery.end_lsn));
    assert_true(recovery.end_lsn <= truth->end_lsn);
    ret_finding->end_lsn = recovery.end_lsn;
    ret_finding->outcome = recovery.end_lsn == truth->end_lsn ? TRUTH_SAME : TRUTH_CUT;
}

int truth_open(struct truth *truth, struct storage *disk, uint64_t witness_lsn,
               struct wal_error *ret_error) {
    struct wal_options options = options_of(truth, disk);
    struct wal *wal = NULL;
    options.witness_lsn = witness_lsn;
    int rc = wal_open(&options, NULL, &wal, ret_error);
    if (rc == 0) wal_close(wal);
    return rc;
}
