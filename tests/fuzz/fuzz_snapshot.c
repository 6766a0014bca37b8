/* fuzz_snapshot.c - a snapshot's file, through everything that reads one
 *
 * Input: u8 mode, then pages: u8 page, u16 size, and the bytes that the page of 4 KiB begins with
 * (they may run into the next); what is not given is zero. The file ends with the last page given.
 * Sums cannot be guessed, so a mode (MODE_*) has the target put them right, the places of blocks,
 * and what the end block says of them. (Behind the partitions' hashes gets fuzz_entity.c.)
 *
 * What must hold, whatever the file is:
 * - it is taken, or refused with a code and a sentence; what is loaded was whole and had a good
 *   header
 * - nothing that reads a snapshot changes it
 * - one that is loaded, saved again, is the same file, byte for byte; where an older usher wrote
 *   it, with fields that have been added since left out, that holds for what today's usher saves of
 *   it
 * - one that is refused is skipped, and said to be
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "engine/base/hash.h"
#include "replay/snapshot/snapshot.h"
#include "replay/snapshot/snapshot_file.h"
#include "tests/support/storage_memory.h"

#define PAGE_BYTES 4096u
#define PAGES 32u
#define NAME "snap-0000000000000100.snp"
#define NAME_LSN 0x100u
#define BLOCK_HEADER 64u

enum { MODE_SUMS = 1, MODE_SEQUENCE = 2, MODE_TOTALS = 4 };

/* --- the file that the input describes -------------------------------------------------------- */

struct snapshot_image {
    uint8_t bytes[PAGES * PAGE_BYTES];
    uint32_t size;
};

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

/* A walk over the file that puts right what the mode says. Offsets: replay/snapshot/FORMAT.md. */
struct snapshot_mender {
    uint8_t mode;
    uint64_t seed, chain, blocks, entities, entity_bytes;
};

static void mend_header(struct snapshot_mender *mender, uint8_t *header) {
    if (mender->mode & MODE_SEQUENCE) put_u64(header + 32, NAME_LSN);
    put_u64(header + 4088, hash_64(header, 4088, 0));
    mender->seed = get_u64(header + 16);
    mender->chain = get_u64(header + 4088);
}

/* Return: how many bytes of the file are dealt with */
static uint32_t mend_block(struct snapshot_mender *mender, struct snapshot_image *image,
                           uint32_t at) {
    uint8_t *block = image->bytes + at;
    uint64_t body = get_u32(block + 32), room = image->size - at;
    uint64_t size = (BLOCK_HEADER + body + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    if (memcmp(block, "USHERSBK", 8) != 0 || size > room) return PAGE_BYTES;
    if (mender->mode & MODE_SEQUENCE) {
        put_u64(block + 16, mender->blocks);
        put_u64(block + 24, NAME_LSN);
        put_u64(block + 40, mender->chain);
    }
    if (mender->mode & MODE_TOTALS && get_u32(block + 12) == 0 && body == 40) {
        put_u64(block + 64, mender->blocks);
        put_u64(block + 72, mender->entities);
        put_u64(block + 80, mender->entity_bytes);
        put_u64(block + 88, image->size);
        put_u64(block + 96, get_u64(image->bytes + 72));
    }
    put_u64(block + 48, hash_64(block + BLOCK_HEADER, size - BLOCK_HEADER, mender->seed));
    put_u64(block + 56, hash_64(block, 56, mender->seed));
    mender->chain = get_u64(block + 56);
    mender->blocks++;
    mender->entities += get_u32(block + 12);
    mender->entity_bytes += body;
    return (uint32_t)size;
}

static void read_image(struct input *input, uint8_t mode, struct snapshot_image *ret_image) {
    memset(ret_image, 0, sizeof *ret_image);
    while (input->left > 0) {
        uint32_t at = input_u8(input) % PAGES * PAGE_BYTES;
        size_t size;
        const uint8_t *bytes = input_bytes(input, input_u16(input), &size);
        if (size > sizeof ret_image->bytes - at) size = sizeof ret_image->bytes - at;
        memcpy(ret_image->bytes + at, bytes, size);
        uint32_t end = (at + (uint32_t)size + PAGE_BYTES) / PAGE_BYTES * PAGE_BYTES;
        if (end > sizeof ret_image->bytes) end = sizeof ret_image->bytes;
        if (end > ret_image->size) ret_image->size = end;
    }
    struct snapshot_mender mender = {.mode = mode};
    if (ret_image->size == 0 || (mode & (MODE_SUMS | MODE_SEQUENCE | MODE_TOTALS)) == 0) return;
    mend_header(&mender, ret_image->bytes);
    for (uint32_t at = PAGE_BYTES; at < ret_image->size;) at += mend_block(&mender, ret_image, at);
}

/* --- what must hold --------------------------------------------------------------------------- */

static struct storage *make_disk(const struct snapshot_image *image) {
    struct storage *disk;
    REQUIRE(storage_memory_open(&disk) == 0);
    REQUIRE(storage_memory_put(disk, NAME, image->bytes, image->size) == 0);
    return disk;
}

static void is_that_file(struct storage *disk, const struct snapshot_image *image) {
    uint64_t size = 0;
    const uint8_t *bytes = storage_memory_bytes(disk, NAME, &size);
    REQUIRE(bytes != NULL && size == image->size);
    REQUIRE(memcmp(bytes, image->bytes, image->size) == 0);
}

static void error_is_right(const struct snapshot_error *error, int result) {
    REQUIRE(result < 0 && error->code == -result);
    REQUIRE(error->text[0] != '\0' && memchr(error->text, '\0', sizeof error->text) != NULL);
    REQUIRE(memchr(error->file, '\0', sizeof error->file) != NULL);
}

struct listed {
    uint32_t count;
    bool good;
};

static int list(void *context, const struct snapshot_info *info,
                const struct snapshot_error *error) {
    struct listed *listed = context;
    REQUIRE(strcmp(info->name, NAME) == 0);
    if (error) error_is_right(error, -error->code);
    listed->good = error == NULL;
    listed->count++;
    return 0;
}

static void count_skipped(void *context, const struct snapshot_error *error) {
    error_is_right(error, -error->code);
    (*(uint32_t *)context)++;
}

static void newest_is_right(struct storage *disk, const struct id128 *seed, bool loads) {
    uint32_t skipped = 0;
    struct snapshot_recover_options options = {
        .seed = seed, .to_lsn = UINT64_MAX, .skipped = count_skipped, .context = &skipped};
    struct snapshot_error error;
    struct world *world = NULL;
    int result = snapshot_newest(disk, NULL, UINT64_MAX, &options, NULL, &world, &error);
    REQUIRE(result == (loads ? 0 : -SNAPSHOT_NONE));
    REQUIRE(skipped == (loads ? 0 : 1));
    if (!loads) error_is_right(&error, result);
    world_free(world);
}

static struct storage *save(const struct world *world, const struct snapshot_info *info) {
    struct storage *disk;
    struct snapshot_error error;
    REQUIRE(storage_memory_open(&disk) == 0);
    REQUIRE(snapshot_save(disk, world, info, NULL, NULL, &error) == 0);
    return disk;
}

static bool is_same_file(struct storage *disk, const uint8_t *bytes, uint64_t size) {
    uint64_t saved_size = 0;
    const uint8_t *saved = storage_memory_bytes(disk, NAME, &saved_size);
    REQUIRE(saved != NULL);
    return saved_size == size && memcmp(saved, bytes, size) == 0;
}

static void saves_as_loaded(const struct world *world, const struct snapshot_info *info,
                            const struct snapshot_image *image, const struct id128 *seed) {
    struct storage *disk = save(world, info);
    if (!is_same_file(disk, image->bytes, image->size)) {
        struct snapshot_info again_info;
        struct snapshot_error error;
        struct world *again;
        uint64_t size = 0;
        const uint8_t *bytes = storage_memory_bytes(disk, NAME, &size);
        REQUIRE(snapshot_load(disk, NAME, seed, &again_info, &again, &error) == 0);
        REQUIRE(world_hash(again) == world_hash(world));
        struct storage *second = save(again, &again_info);
        REQUIRE(is_same_file(second, bytes, size));
        second->operations->destroy(second);
        world_free(again);
    }
    disk->operations->destroy(disk);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static struct snapshot_image image; /* large; overwritten by each input */
    static const struct id128 seed = {{3}};
    struct input input = {bytes, size};
    struct snapshot_info info;
    struct snapshot_error error;
    struct listed listed = {0};
    struct world *world = NULL;
    read_image(&input, input_u8(&input), &image);
    struct storage *disk = make_disk(&image);
    int checked = snapshot_check(disk, NAME, NULL, NULL, NULL, &error);
    if (checked < 0) error_is_right(&error, checked);
    REQUIRE(snapshot_list(disk, list, &listed, &error) == 0 && listed.count == 1);
    REQUIRE(listed.good || checked < 0);
    REQUIRE(snapshot_witness(disk, NULL, &info, &error) == 0);
    REQUIRE(info.lsn == (listed.good ? NAME_LSN : 0));
    int result = snapshot_load(disk, NAME, &seed, &info, &world, &error);
    REQUIRE(result < 0 || checked == 0);
    if (result < 0) error_is_right(&error, result);
    newest_is_right(disk, &seed, result == 0);
    is_that_file(disk, &image);
    if (result == 0) saves_as_loaded(world, &info, &image, &seed);
    world_free(world);
    disk->operations->destroy(disk);
    return 0;
}
