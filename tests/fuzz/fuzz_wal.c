/* fuzz_wal.c - segments of a log, through recovery, verification, reading and a new epoch
 *
 * Input: u8 mode, then pages: u8 segment, u8 page, u16 size, and the bytes that the page of 4 KiB
 * begins with; what is not given is zero. A segment exists if it has a page. Sums of 64 bits cannot
 * be guessed, so a mode (MODE_*) has the target put them right, and what depends on what came
 * before as well.
 *
 * What must hold, whatever is on the disk:
 * - recovery, verification and the reader take it or refuse it with a code and a sentence, and
 *   change nothing; wal_open refuses what wal_recover refuses, and changes nothing then either
 * - what recovery takes a reader delivers, record by record up to exactly the recovered end, also
 *   from any boundary in the middle; recovery that begins there finds the same end; a witness
 *   beyond the end is contradicted
 * - a log that was taken goes on: a new epoch begins at its end, and what is appended is there
 *   after the next recovery, behind what was there before
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "engine/base/hash.h"
#include "engine/base/limits.h"
#include "wal/reader.h"
#include "tests/support/storage_memory.h"
#include "wal/wal.h"

#define SEGMENTS 4u
#define SEGMENT_BYTES WAL_SEGMENT_BYTES_MIN
#define PAGE_BYTES 4096u
#define PAGES (SEGMENT_BYTES / PAGE_BYTES)
#define BLOCK_HEADER 80u
#define MARKS_MAX 2u

enum { MODE_SUMS = 1, MODE_SEQUENCE = 2, MODE_LIVE = 4 };

struct wal_image {
    uint8_t bytes[SEGMENTS][SEGMENT_BYTES];
    bool exists[SEGMENTS];
};

static void segment_file(uint32_t index, char name[WAL_FILE_NAME_BYTES]) {
    memcpy(name, "wal-0000000000000001.seg", 25);
    name[19] = (char)('1' + index);
}

/* --- the disk that the input describes -------------------------------------------------------- */

static uint32_t get_u32(const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static uint64_t get_u64(const uint8_t *at) {
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static void put_u64(uint8_t *at, uint64_t value) { memcpy(at, &value, sizeof value); }

/* A walk over the segments that puts right what the mode says. Offsets: wal/FORMAT.md. */
struct wal_mender {
    uint8_t mode;
    bool begun;
    uint64_t lsn, chain, epoch, seed;
};

/* Return: how many bytes of the segment are dealt with */
static uint64_t mend_block(struct wal_mender *mender, uint8_t *block, uint64_t room) {
    uint64_t body = get_u32(block + 32);
    uint64_t size = (BLOCK_HEADER + body + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    if (memcmp(block, "USHERBLK", 8) != 0 || size > room) return PAGE_BYTES;
    if (mender->mode & MODE_SEQUENCE) {
        put_u64(block + 16, mender->epoch);
        put_u64(block + 24, mender->lsn);
        put_u64(block + 56, mender->chain);
    }
    put_u64(block + 64, hash_64(block + 80, size - 80, mender->seed));
    put_u64(block + 72, hash_64(block, 72, mender->seed));
    mender->lsn += body;
    mender->chain = get_u64(block + 72);
    return size;
}

static void mend_segment(struct wal_mender *mender, uint8_t *segment, uint32_t index) {
    if (memcmp(segment, "USHERSEG", 8) == 0) {
        if (mender->mode & MODE_SEQUENCE) {
            put_u64(segment + 32, index + 1);
            if (mender->begun) put_u64(segment + 48, mender->lsn);
            if (mender->begun) put_u64(segment + 56, mender->chain);
            put_u64(segment + 64, SEGMENT_BYTES);
        }
        put_u64(segment + 4088, hash_64(segment, 4088, 0));
        mender->seed = get_u64(segment + 16);
        mender->epoch = get_u64(segment + 40);
        mender->lsn = get_u64(segment + 48);
        mender->chain = get_u64(segment + 4088);
        mender->begun = true;
    }
    for (uint64_t at = PAGE_BYTES; at < SEGMENT_BYTES;) {
        at += mend_block(mender, segment + at, SEGMENT_BYTES - at);
    }
}

static void read_image(struct input *input, uint8_t mode, struct wal_image *ret_image) {
    memset(ret_image, 0, sizeof *ret_image);
    while (input->left > 0) {
        uint32_t segment = input_u8(input) % SEGMENTS, page = input_u8(input) % PAGES;
        size_t size, room = SEGMENT_BYTES - (size_t)page * PAGE_BYTES;
        const uint8_t *bytes = input_bytes(input, input_u16(input), &size);
        ret_image->exists[segment] = true;
        memcpy(ret_image->bytes[segment] + page * PAGE_BYTES, bytes, size < room ? size : room);
    }
    struct wal_mender mender = {.mode = mode};
    for (uint32_t i = 0; i < SEGMENTS && mode & (MODE_SUMS | MODE_SEQUENCE); i++) {
        if (ret_image->exists[i]) mend_segment(&mender, ret_image->bytes[i], i);
    }
}

static struct storage *make_disk(const struct wal_image *image) {
    struct storage *disk;
    char name[WAL_FILE_NAME_BYTES];
    REQUIRE(storage_memory_open(&disk) == 0);
    for (uint32_t i = 0; i < SEGMENTS; i++) {
        if (!image->exists[i]) continue;
        segment_file(i, name);
        REQUIRE(storage_memory_put(disk, name, image->bytes[i], SEGMENT_BYTES) == 0);
    }
    return disk;
}

/* --- what must hold --------------------------------------------------------------------------- */

static void is_unchanged(struct storage *disk, const struct wal_image *image) {
    for (uint32_t i = 0; i < SEGMENTS; i++) {
        char name[WAL_FILE_NAME_BYTES];
        uint64_t size = 0;
        segment_file(i, name);
        const uint8_t *bytes = storage_memory_bytes(disk, name, &size);
        REQUIRE((bytes != NULL) == image->exists[i]);
        REQUIRE(!bytes || size == SEGMENT_BYTES);
        REQUIRE(!bytes || memcmp(bytes, image->bytes[i], SEGMENT_BYTES) == 0);
    }
}

static void error_is_right(const struct wal_error *error, int result) {
    REQUIRE(result < 0 && error->code == -result);
    REQUIRE(error->text[0] != '\0' && memchr(error->text, '\0', sizeof error->text) != NULL);
    REQUIRE(memchr(error->file, '\0', sizeof error->file) != NULL);
}

/* Boundaries between records, somewhere in the log. */
struct marks {
    uint64_t lsn[MARKS_MAX];
    uint32_t count;
};

/* Read what recovery has promised. Return: how many records */
static uint64_t read_log(struct storage *disk, uint64_t first_lsn, uint64_t end_lsn,
                         struct marks *marks) {
    struct wal_reader *reader;
    struct wal_record record;
    struct wal_error error;
    uint64_t records = 0, lsn = first_lsn;
    int result;
    REQUIRE(wal_reader_open(disk, first_lsn, &reader, &error) == 0);
    while ((result = wal_reader_next(reader, end_lsn, &record, &error)) == 0) {
        lsn += record.size;
        records++;
        REQUIRE(record.lsn == lsn && get_u32(record.bytes) == record.size);
        if (marks && marks->count < MARKS_MAX) marks->lsn[marks->count++] = lsn;
    }
    REQUIRE(result == WAL_READER_CAUGHT_UP && lsn == end_lsn);
    REQUIRE(wal_reader_lsn(reader) == end_lsn);
    wal_reader_close(reader);
    return records;
}

/* Whatever is there, sound or not: without a promise the reader stops where it stops. */
static void read_anything(struct storage *disk) {
    struct wal_reader *reader;
    struct wal_record record;
    struct wal_error error;
    int result = wal_reader_open(disk, 0, &reader, &error);
    if (result < 0) {
        error_is_right(&error, result);
        return;
    }
    while ((result = wal_reader_next(reader, WAL_READER_NO_LIMIT, &record, &error)) == 0) continue;
    if (result < 0) error_is_right(&error, result);
    wal_reader_close(reader);
}

static void read_what_was_found(struct storage *disk, const struct wal_recovery *found) {
    struct marks marks = {.count = 0};
    struct wal_recovery_options options = {.witness_lsn = found->end_lsn + 1};
    struct wal_recovery other;
    struct wal_error error;
    REQUIRE(found->end_lsn >= found->first_lsn && found->durable_lsn <= found->end_lsn);
    REQUIRE(read_log(disk, found->first_lsn, found->end_lsn, &marks) == found->records);
    if (options.witness_lsn > 0) { /* it did not wrap around */
        int result = wal_recover(disk, &options, &other, &error);
        error_is_right(&error, result);
    }
    for (uint32_t i = 0; i < marks.count; i++) {
        uint64_t left = read_log(disk, marks.lsn[i], found->end_lsn, NULL);
        REQUIRE(left == found->records - i - 1);
        options = (struct wal_recovery_options){.from_lsn = marks.lsn[i]};
        REQUIRE(wal_recover(disk, &options, &other, &error) == 0);
        REQUIRE(other.end_lsn == found->end_lsn && other.next_chain == found->next_chain);
    }
}

static uint64_t now_ms(void *context) { return (*(uint64_t *)context)++; }

static void fill(void *context, void *bytes, uint32_t size) {
    (void)context;
    memset(bytes, 0x5a, size);
}

static int open_log(struct storage *disk, uint64_t *clock, struct wal_recovery *ret_found,
                    struct wal **ret_wal, struct wal_error *ret_error) {
    struct wal_options options = {
        .storage = disk,
        .clock = {clock, now_ms},
        .entropy = {NULL, fill},
        .segment_bytes = SEGMENT_BYTES,
        .buffer_bytes = DRAIN_BYTES_MAX,
        .appenders = 1,
    };
    return wal_open(&options, ret_found, ret_wal, ret_error);
}

/* A new epoch behind what was found. */
static void goes_on(struct storage *disk, const struct wal_recovery *found) {
    static const uint8_t record[24] = {24, 0, 0, 0, 'o', 'n', 'e'};
    uint64_t clock = 1800000000000u, lsn;
    struct wal_recovery again;
    struct wal_error error;
    struct wal *wal;
    int result = open_log(disk, &clock, &again, &wal, &error);
    if (result < 0) { /* no number, no epoch or no LSN is left for another one */
        error_is_right(&error, result);
        return;
    }
    REQUIRE(again.log_exists == found->log_exists && again.end_lsn == found->end_lsn);
    REQUIRE(wal_append(wal, 0, record, sizeof record, &lsn) == 0);
    REQUIRE(lsn == found->end_lsn + sizeof record);
    REQUIRE(wal_stop(wal) == 0 && wal_durable_lsn(wal) == lsn);
    wal_close(wal);
    REQUIRE(wal_verify(disk, NULL, NULL, &again, &error) == 0);
    REQUIRE(again.end_lsn == lsn && again.records == found->records + 1 && !again.torn);
    REQUIRE(read_log(disk, found->first_lsn, lsn, NULL) == again.records);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static struct wal_image image; /* large; overwritten by each input */
    struct input input = {bytes, size};
    uint8_t mode = input_u8(&input);
    struct wal_recovery_options options = {.live = mode & MODE_LIVE};
    struct wal_recovery found, verified;
    struct wal_error error;
    read_image(&input, mode, &image);
    struct storage *disk = make_disk(&image);
    int result = wal_recover(disk, &options, &found, &error);
    if (result < 0) error_is_right(&error, result);
    REQUIRE(wal_verify(disk, NULL, NULL, &verified, &error) == result);
    read_anything(disk);
    if (result == 0) {
        REQUIRE(verified.end_lsn == found.end_lsn && verified.records == found.records);
        read_what_was_found(disk, &found);
        is_unchanged(disk, &image);
        goes_on(disk, &found);
    } else {
        uint64_t clock = 1800000000000u;
        struct wal *wal;
        error_is_right(&error, open_log(disk, &clock, &found, &wal, &error));
        is_unchanged(disk, &image);
    }
    disk->operations->destroy(disk);
    return 0;
}
