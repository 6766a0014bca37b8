/* logs.c - one log with everything in it, and every kind of damage to it; see logs.h */
#include "tests/unit/wal/logs.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/hash.h"
#include "wal/block.h"
#include "wal/bytes.h"
#include "wal/inspect.h"

#define PAGE 4096u

static void blocks(struct wal_fixture *fixture, int count) {
    for (int i = 0; i < count; i++) (void)wal_fixture_block(fixture, LOGS_RECORD_BYTES);
}

void logs_write(struct wal_fixture *fixture) {
    wal_fixture_init(fixture);
    fixture->options.segment_bytes = WAL_SEGMENT_BYTES_MIN;
    wal_fixture_open_ok(fixture);
    blocks(fixture, 31);
    wal_fixture_stop(fixture);
    wal_fixture_open_ok(fixture);
    blocks(fixture, 5);
    wal_fixture_kill(fixture);
    uint64_t size;
    wal_fixture_segment(fixture->disk, 4, &size)[6 * PAGE + 600] = 1; /* a torn write */
    wal_fixture_open_ok(fixture);
    assert_int_equal(fixture->recovery.torn_tails, 1);
    blocks(fixture, 4);
    assert_int_equal(wal_prepare_step(fixture->wal), 0);
    wal_fixture_kill(fixture);
}

char logs_state_letter(uint32_t state) {
    assert_true(state <= WAL_SEGMENT_FOREIGN);
    return "STUDVF"[state];
}

/* --- damages ---------------------------------------------------------------------------------- */

static uint8_t *page(struct storage *disk, uint64_t number, uint64_t index) {
    uint64_t size;
    uint8_t *bytes = wal_fixture_segment(disk, number, &size);
    assert_true((index + 1) * PAGE <= size);
    return bytes + index * PAGE;
}

static void resize(struct storage *disk, uint64_t number, uint64_t bytes) {
    char name[WAL_FILE_NAME_BYTES];
    uint64_t size;
    segment_name(number, name);
    const uint8_t *old = wal_fixture_segment(disk, number, &size);
    uint8_t *copy = calloc(1, bytes);
    assert_non_null(copy);
    memcpy(copy, old, size < bytes ? size : bytes);
    assert_int_equal(storage_memory_put(disk, name, copy, bytes), 0);
    free(copy);
}

static void copy_segment(struct storage *from, uint64_t from_number, struct storage *to,
                         uint64_t to_number) {
    char name[WAL_FILE_NAME_BYTES];
    uint64_t size;
    segment_name(to_number, name);
    const uint8_t *bytes = wal_fixture_segment(from, from_number, &size);
    assert_int_equal(storage_memory_put(to, name, bytes, size), 0);
}

static void remove_segment(struct storage *disk, uint64_t number) {
    char name[WAL_FILE_NAME_BYTES];
    segment_name(number, name);
    assert_true(storage_memory_remove(disk, name));
}

/* Change a header, with a checksum that is right. */
static void edit_header(struct storage *disk, uint64_t from, uint64_t to,
                        void (*edit)(struct segment_header *header)) {
    struct segment_header header;
    uint32_t version;
    assert_int_equal(segment_decode(page(disk, from, 0), &header, &version), SEGMENT_USED);
    edit(&header);
    segment_encode(&header, page(disk, to, 0));
}

static void nothing(struct storage *disk) { (void)disk; }
static void flip_block_header(struct storage *disk) { page(disk, 2, 4)[20] ^= 8; }
static void flip_record(struct storage *disk) { page(disk, 2, 4)[2000] ^= 1; }
static void flip_padding(struct storage *disk) { page(disk, 2, 4)[4095] ^= 1; }
static void flip_full_end(struct storage *disk) { page(disk, 2, 15)[100] ^= 1; }
static void zero_block(struct storage *disk) { memset(page(disk, 2, 7), 0, PAGE); }
static void zero_before_torn(struct storage *disk) { memset(page(disk, 4, 5), 0, PAGE); }
static void zero_in_last(struct storage *disk) { memset(page(disk, 5, 3), 0, PAGE); }
static void flip_last_block(struct storage *disk) { page(disk, 5, 4)[99] ^= 2; }
static void flip_seal(struct storage *disk) { page(disk, 3, 2)[50] ^= 2; }
static void flip_header(struct storage *disk) { page(disk, 3, 0)[2000] ^= 2; }
static void flip_first_header(struct storage *disk) { page(disk, 1, 0)[16] ^= 2; }
static void flip_last_header(struct storage *disk) { page(disk, 5, 0)[16] ^= 2; }
static void zero_header(struct storage *disk) { memset(page(disk, 4, 0), 0, PAGE); }
static void zero_segment(struct storage *disk) {
    memset(page(disk, 3, 0), 0, WAL_SEGMENT_BYTES_MIN);
}
static void remove_second(struct storage *disk) { remove_segment(disk, 2); }
static void remove_third(struct storage *disk) { remove_segment(disk, 3); }
static void remove_first(struct storage *disk) { remove_segment(disk, 1); }
static void remove_before_unused(struct storage *disk) { remove_segment(disk, 5); }

static void swap(struct storage *disk) {
    struct storage *before;
    assert_int_equal(storage_memory_clone(disk, &before), 0);
    copy_segment(before, 2, disk, 3);
    copy_segment(before, 3, disk, 2);
    before->operations->destroy(before);
}
static void copy_over(struct storage *disk) { copy_segment(disk, 2, disk, 3); }

static void foreign(struct storage *disk) {
    struct wal_fixture other;
    wal_fixture_init(&other);
    other.entropy = (struct random){99};
    other.options.segment_bytes = WAL_SEGMENT_BYTES_MIN;
    wal_fixture_open_ok(&other);
    blocks(&other, 31);
    wal_fixture_kill(&other);
    copy_segment(other.disk, 3, disk, 3);
    wal_fixture_deinit(&other);
}

static void version(struct storage *disk) {
    uint8_t *header = page(disk, 3, 0);
    header[8] = 2;
    bytes_put_u64(header + 4088, hash_64(header, 4088, 0));
}

static void set_number_6(struct segment_header *header) {
    header->number = 6;
    header->epoch = 1;
}
static void epoch_backwards(struct storage *disk) { edit_header(disk, 5, 6, set_number_6); }

static void set_far_6(struct segment_header *header) {
    header->number = 6;
    header->first_lsn = 500000;
}
static void far_ahead(struct storage *disk) { edit_header(disk, 5, 6, set_far_6); }

static void set_chain(struct segment_header *header) { header->chain ^= 1; }
static void other_chain(struct storage *disk) { edit_header(disk, 3, 3, set_chain); }

static void set_huge(struct segment_header *header) { header->segment_bytes = 1ull << 60; }
static void huge_size(struct storage *disk) { edit_header(disk, 5, 5, set_huge); }

static void cut_short(struct storage *disk) { resize(disk, 2, 5 * PAGE); }
static void cut_odd(struct storage *disk) { resize(disk, 2, 5 * PAGE + 77); }
static void cut_to_header(struct storage *disk) { resize(disk, 2, PAGE); }
static void cut_to_nothing(struct storage *disk) { resize(disk, 3, 0); }
static void cut_header(struct storage *disk) { resize(disk, 3, 100); }
static void cut_last(struct storage *disk) { resize(disk, 5, 3 * PAGE + 1); }
static void longer(struct storage *disk) { resize(disk, 1, 17 * PAGE); }
static void unused_written(struct storage *disk) { page(disk, 6, 2)[9] = 1; }
static void unused_odd(struct storage *disk) { resize(disk, 6, 4097); }
static void two_places(struct storage *disk) {
    flip_record(disk);
    zero_before_torn(disk);
}

#define REPAIR(keep, cut, offset, behind, lost, sound)                                             \
    {                                                                                              \
        .needed = true, .keep_lsn = (keep), .cut_number = (cut), .cut_offset = (offset),           \
        .aside = (behind), .lost_records = (lost), .sound_from_lsn = (sound)                       \
    }
#define NO_REPAIR(end)                                                                             \
    { .keep_lsn = (end) }
#define REFUSED(code)                                                                              \
    { .refused = (code) }

const struct logs_damage logs_damages[] = {
    {"nothing", nothing, "SSSTSU", NO_REPAIR(LOGS_END_LSN)},
    {"block header", flip_block_header, "SDSTSU", REPAIR(54000, 0, 0, 4, 21, 90000)},
    {"record", flip_record, "SDSTSU", REPAIR(54000, 0, 0, 4, 21, 90000)},
    {"padding", flip_padding, "SDSTSU", REPAIR(54000, 0, 0, 4, 21, 90000)},
    {"last block of a full one", flip_full_end, "SDSTSU", REPAIR(87000, 0, 0, 4, 10, 90000)},
    {"zeroed block", zero_block, "SDSTSU", REPAIR(63000, 0, 0, 4, 18, 90000)},
    {"zeroed before a torn one", zero_before_torn, "SSSDSU", REPAIR(105000, 0, 0, 2, 4, 108000)},
    {"zeroed in the last", zero_in_last, "SSSTDU", REPAIR(114000, 0, 0, 0, 1, 0)},
    {"last block", flip_last_block, "SSSTTU", NO_REPAIR(117000)},
    {"seal", flip_seal, "SSDTSU", REPAIR(93000, 0, 0, 3, 9, 93000)},
    {"segment header", flip_header, "SSDTSU", REPAIR(90000, 0, 0, 4, 10, 93000)},
    {"first header", flip_first_header, "DSSTSU", REFUSED(WAL_ERROR_CORRUPT)},
    {"last header", flip_last_header, "SSSTDU", REPAIR(108000, 0, 0, 2, 4, 0)},
    {"zeroed header", zero_header, "SSSDSU", REPAIR(93000, 0, 0, 3, 9, 108000)},
    {"zeroed segment", zero_segment, "SSDTSU", REPAIR(90000, 0, 0, 4, 9, 93000)},
    {"second removed", remove_second, "SSTSU", REPAIR(45000, 0, 0, 4, 10, 0)},
    {"third removed", remove_third, "SSTSU", REPAIR(90000, 0, 0, 3, 9, 0)},
    {"first removed", remove_first, "SSTSU", NO_REPAIR(LOGS_END_LSN)},
    {"last removed", remove_before_unused, "SSSTU", REPAIR(108000, 0, 0, 1, 0, 0)},
    {"swapped", swap, "SFFTSU", REFUSED(WAL_ERROR_FOREIGN)},
    {"copied over", copy_over, "SSFTSU", REFUSED(WAL_ERROR_FOREIGN)},
    {"foreign", foreign, "SSFTSU", REFUSED(WAL_ERROR_FOREIGN)},
    {"version", version, "SSVTSU", REFUSED(WAL_ERROR_VERSION)},
    {"epoch backwards", epoch_backwards, "SSSTSD", REPAIR(120000, 0, 0, 1, 0, 0)},
    {"far ahead", far_ahead, "SSSTDS", REPAIR(120000, 0, 0, 1, 0, 500000)},
    {"other chain", other_chain, "SSDTSU", REPAIR(90000, 0, 0, 4, 10, 93000)},
    {"impossible size", huge_size, "SSSTDU", REPAIR(108000, 0, 0, 2, 4, 0)},
    {"cut short", cut_short, "SDSTSU", REPAIR(57000, 2, 5 * PAGE, 4, 10, 90000)},
    {"cut inside a page", cut_odd, "SDSTSU", REPAIR(57000, 2, 5 * PAGE, 4, 10, 90000)},
    {"cut behind its header", cut_to_header, "SDSTSU", REPAIR(45000, 2, PAGE, 4, 10, 90000)},
    {"cut to nothing", cut_to_nothing, "SSDTSU", REPAIR(90000, 0, 0, 4, 9, 93000)},
    {"cut in its header", cut_header, "SSDTSU", REPAIR(90000, 0, 0, 4, 9, 93000)},
    {"last cut short", cut_last, "SSSTDU", REPAIR(114000, 5, 3 * PAGE, 0, 0, 0)},
    {"longer", longer, "DSSTSU", REPAIR(45000, 1, 16 * PAGE, 5, 25, 0)},
    {"unused, but written", unused_written, "SSSTSD", REPAIR(120000, 0, 0, 1, 0, 0)},
    {"unused, of no size", unused_odd, "SSSTSD", REPAIR(120000, 0, 0, 1, 0, 0)},
    {"two places", two_places, "SDSDSU", REPAIR(54000, 0, 0, 4, 20, 108000)},
};
const size_t logs_damage_count = sizeof logs_damages / sizeof logs_damages[0];
