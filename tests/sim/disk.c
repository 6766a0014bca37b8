/* disk.c - see disk.h */
#include "tests/sim/disk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/require.h"
#include "wal/block.h"
#include "wal/bytes.h"
#include "tests/support/storage_memory.h"

#define PAGE_BYTES 4096u
#define NAMES_MAX 4096u /* handles of storage_memory */

/* A page that is not what it should be. */
struct lie {
    char name[WAL_FILE_NAME_BYTES];
    uint64_t offset;
    uint8_t expected[PAGE_BYTES];
};

struct disk {
    struct storage storage; /* first */
    struct sim_run *run;    /* borrowed */
    struct storage *inner;  /* owned */
    struct random random;
    bool restarted; /* after a crash: what reads now is the next process */
    uint64_t full_until_us, frozen_until_us;
    uint64_t read_errors;
    bool trusted;

    /* The write in flight. */
    bool in_flight, lying, flipping;
    int handle;
    uint64_t offset, due_us;
    const uint8_t *buffer; /* borrowed */
    uint32_t bytes;

    char names[NAMES_MAX][WAL_FILE_NAME_BYTES]; /* by handle */
    struct lie *lies;
    uint32_t lie_count, lie_capacity;
    uint64_t writes_since_lie; /* completed after the first lie */
};

static struct disk *disk_of(struct storage *storage) { return (struct disk *)storage; }

static const struct storage_operations *inner_operations(const struct disk *disk) {
    return disk->inner->operations;
}

/* --- lies ------------------------------------------------------------------------------------- */

static void forget_lies(struct disk *disk, const char *name, uint64_t from, uint64_t to) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < disk->lie_count; i++) {
        const struct lie *lie = &disk->lies[i];
        bool covered = strcmp(lie->name, name) == 0 && lie->offset >= from && lie->offset < to;
        if (!covered) disk->lies[kept++] = *lie;
    }
    disk->lie_count = kept;
}

static void add_lie(struct disk *disk, const char *name, uint64_t offset, const uint8_t *expected) {
    if (disk->lie_count == disk->lie_capacity) {
        disk->lie_capacity = disk->lie_capacity ? disk->lie_capacity * 2 : 16;
        disk->lies = realloc(disk->lies, disk->lie_capacity * sizeof *disk->lies);
        REQUIRE(disk->lies != NULL);
    }
    struct lie *lie = &disk->lies[disk->lie_count++];
    *lie = (struct lie){.offset = offset};
    strcpy(lie->name, name);
    memcpy(lie->expected, expected, PAGE_BYTES);
}

/* Most of a small block is padding; what matters is its header and its body. */
static void flip_used_bit(struct disk *disk, uint8_t *bytes) {
    uint32_t body = bytes_get_u32(disk->buffer + 32), used = BLOCK_HEADER_BYTES + body;
    if (used > disk->bytes) used = disk->bytes; /* a segment's header */
    uint64_t bit = random_below(&disk->random, used * 8ull);
    bytes[disk->offset + bit / 8] ^= (uint8_t)(1u << (bit % 8));
}

/* Complete the write in flight, which is not what it seems, and note what should be where. */
static int complete_lying(struct disk *disk) {
    const char *name = disk->names[disk->handle];
    uint64_t size = 0;
    uint8_t *bytes = storage_memory_bytes(disk->inner, name, &size);
    uint8_t *expected = malloc(size);
    REQUIRE(bytes != NULL && expected != NULL);
    memcpy(expected, bytes, size);
    for (uint32_t i = 0; i < disk->lie_count; i++) { /* what earlier lies have hidden */
        const struct lie *lie = &disk->lies[i];
        if (strcmp(lie->name, name) == 0) memcpy(expected + lie->offset, lie->expected, PAGE_BYTES);
    }
    memcpy(expected + disk->offset, disk->buffer, disk->bytes);
    if (disk->lie_count == 0) disk->writes_since_lie = 0; /* this one is the first */
    int result = inner_operations(disk)->complete(disk->inner, true);
    if (disk->flipping) flip_used_bit(disk, bytes);
    bytes = storage_memory_bytes(disk->inner, name, &size);
    forget_lies(disk, name, 0, UINT64_MAX); /* they are found again */
    for (uint64_t at = 0; at < size; at += PAGE_BYTES) {
        if (memcmp(bytes + at, expected + at, PAGE_BYTES) != 0)
            add_lie(disk, name, at, expected + at);
    }
    free(expected);
    disk->run->counters.lies += disk->lie_count > 0;
    return result;
}

void disk_lies(const struct disk *disk, struct disk_lies *ret_lies) {
    *ret_lies = (struct disk_lies){.count = disk->lie_count};
    if (disk->lie_count == 0) return;
    ret_lies->last = disk->writes_since_lie == 0;
    ret_lies->offset = disk->lies[0].offset;
    strcpy(ret_lies->file, disk->lies[0].name);
}

void disk_restore(struct disk *disk) {
    for (uint32_t i = 0; i < disk->lie_count; i++) {
        uint64_t size = 0;
        uint8_t *bytes = storage_memory_bytes(disk->inner, disk->lies[i].name, &size);
        if (bytes && disk->lies[i].offset + PAGE_BYTES <= size) {
            memcpy(bytes + disk->lies[i].offset, disk->lies[i].expected, PAGE_BYTES);
        }
    }
    run_event(disk->run, RUN_EVENT_RESTORED, disk->lie_count, 0);
    disk_believe(disk);
}

void disk_believe(struct disk *disk) {
    disk->lie_count = 0;
    disk->writes_since_lie = 0;
}

/* --- the one write in flight ------------------------------------------------------------------ */

static const struct {
    enum sim_fault fault;
    enum storage_fault how;
} lie_kinds[] = {
    {SIM_FAULT_LIE_LOST, STORAGE_FAULT_DROP},
    {SIM_FAULT_LIE_TORN, STORAGE_FAULT_TEAR},
    {SIM_FAULT_LIE_FLIP, STORAGE_FAULT_FLIP},
    {SIM_FAULT_LIE_MISDIRECTED, STORAGE_FAULT_MISDIRECT},
};

/* What happens to the next write; a disk that has lied goes on lying only in runs of many
 * faults. */
static enum storage_fault draw_fault(struct disk *disk) {
    struct sim_run *run = disk->run;
    for (uint32_t i = 0; i < sizeof lie_kinds / sizeof lie_kinds[0]; i++) {
        if (run_fault(run, lie_kinds[i].fault)) {
            disk->lying = true;
            disk->flipping = lie_kinds[i].how == STORAGE_FAULT_FLIP &&
                             random_chance(&disk->random, 700000);
            return disk->flipping ? STORAGE_FAULT_NONE : lie_kinds[i].how;
        }
    }
    if (run_fault(run, SIM_FAULT_DISK_ERROR)) {
        return (enum storage_fault)random_pick(&disk->random, STORAGE_FAULT_SUBMIT,
                                               STORAGE_FAULT_FAIL, STORAGE_FAULT_SHORT);
    }
    return STORAGE_FAULT_NONE;
}

static uint64_t draw_latency_us(struct disk *disk) {
    struct sim_run *run = disk->run;
    uint64_t mean = run->plan.disk_us;
    if (!run_fault(run, SIM_FAULT_DISK_SLOW)) return random_below(&disk->random, 2 * mean);
    run->counters.slow_writes++;
    return mean + random_below(&disk->random, random_pick(&disk->random, 10000, 300000, 3000000));
}

static int disk_submit(struct storage *storage, int handle, uint64_t offset, const uint8_t *buffer,
                       uint32_t bytes) {
    struct disk *disk = disk_of(storage);
    disk->lying = disk->flipping = false;
    enum storage_fault fault = draw_fault(disk);
    if (fault) storage_memory_fault(disk->inner, fault, 0, random_next(&disk->random));
    int result = inner_operations(disk)->submit(disk->inner, handle, offset, buffer, bytes);
    run_event(disk->run, RUN_EVENT_SUBMIT, bytes, offset);
    disk->in_flight = result == 0;
    disk->handle = handle;
    disk->offset = offset;
    disk->buffer = buffer;
    disk->bytes = bytes;
    disk->due_us = disk->run->now_us + draw_latency_us(disk);
    if (result < 0) run_event(disk->run, RUN_EVENT_WRITE_FAILS, bytes, (uint64_t)-result);
    return result;
}

static int disk_complete(struct storage *storage, bool wait) {
    struct disk *disk = disk_of(storage);
    if (!wait && disk->run->now_us < disk_due_us(disk)) return STORAGE_PENDING;
    disk->in_flight = false;
    int result = disk->lying && !storage_memory_crashed(disk->inner)
                     ? complete_lying(disk)
                     : inner_operations(disk)->complete(disk->inner, true);
    if (result < 0) {
        run_event(disk->run, RUN_EVENT_WRITE_FAILS, disk->bytes, (uint64_t)-result);
        return result;
    }
    run_event(disk->run, RUN_EVENT_COMPLETE, disk->bytes, disk->offset);
    if (disk->lying) {
        run_event(disk->run, RUN_EVENT_LIE, disk->lie_count, disk->offset);
    } else if (disk->lie_count > 0) {
        disk->writes_since_lie++;
        forget_lies(disk, disk->names[disk->handle], disk->offset, disk->offset + disk->bytes);
    }
    return result;
}

uint64_t disk_due_us(const struct disk *disk) {
    if (!disk->in_flight) return UINT64_MAX;
    return disk->due_us > disk->frozen_until_us ? disk->due_us : disk->frozen_until_us;
}

/* --- the other operations --------------------------------------------------------------------- */

static int disk_claim(struct storage *storage) {
    struct disk *disk = disk_of(storage);
    disk->restarted = false;
    return inner_operations(disk)->claim(disk->inner);
}

static void disk_unclaim(struct storage *storage) {
    struct disk *disk = disk_of(storage);
    inner_operations(disk)->unclaim(disk->inner);
}

static int disk_list(struct storage *storage, void (*visit)(void *context, const char *name),
                     void *context) {
    struct disk *disk = disk_of(storage);
    return inner_operations(disk)->list(disk->inner, visit, context);
}

static void note_name(struct disk *disk, int handle, const char *name) {
    if (handle < 0) return;
    REQUIRE((uint32_t)handle < NAMES_MAX && strlen(name) < WAL_FILE_NAME_BYTES);
    strcpy(disk->names[handle], name);
}

static int disk_open_file(struct storage *storage, const char *name, bool writable) {
    struct disk *disk = disk_of(storage);
    int handle = inner_operations(disk)->open(disk->inner, name, writable);
    note_name(disk, handle, name);
    return handle;
}

static void disk_close_file(struct storage *storage, int handle) {
    struct disk *disk = disk_of(storage);
    inner_operations(disk)->close(disk->inner, handle);
}

static int disk_size(struct storage *storage, int handle, uint64_t *ret_bytes) {
    struct disk *disk = disk_of(storage);
    return inner_operations(disk)->size(disk->inner, handle, ret_bytes);
}

static int disk_read(struct storage *storage, int handle, uint64_t offset, uint8_t *buffer,
                     uint32_t bytes) {
    struct disk *disk = disk_of(storage);
    if (storage_memory_crashed(disk->inner) && !disk->restarted) return -EIO;
    if (!disk->trusted && random_chance(&disk->random, 50000) &&
        run_fault(disk->run, SIM_FAULT_DISK_ERROR)) {
        disk->read_errors++;
        disk->run->counters.read_errors++;
        return -EIO;
    }
    return inner_operations(disk)->read(disk->inner, handle, offset, buffer, bytes);
}

bool disk_is_full(const struct disk *disk) { return disk->run->now_us < disk->full_until_us; }

static int disk_prepare(struct storage *storage, const char *name, uint64_t bytes) {
    struct disk *disk = disk_of(storage);
    if (disk_is_full(disk)) {
        disk->run->counters.full_disks++;
        run_event(disk->run, RUN_EVENT_PREPARE_FAILS, bytes, 0);
        return -ENOSPC;
    }
    int result = inner_operations(disk)->prepare(disk->inner, name, bytes);
    if (result == 0) forget_lies(disk, name, 0, UINT64_MAX);
    run_event(disk->run, RUN_EVENT_PREPARE, bytes, (uint64_t)-result);
    return result;
}

static int disk_remove(struct storage *storage, const char *name) {
    struct disk *disk = disk_of(storage);
    int result = inner_operations(disk)->remove(disk->inner, name);
    if (result == 0) forget_lies(disk, name, 0, UINT64_MAX);
    return result;
}

static int disk_sync(struct storage *storage, int handle) {
    struct disk *disk = disk_of(storage);
    return inner_operations(disk)->sync(disk->inner, handle);
}

static int disk_create(struct storage *storage, const char *name) {
    struct disk *disk = disk_of(storage);
    if (disk_is_full(disk)) return -ENOSPC;
    int handle = inner_operations(disk)->create(disk->inner, name);
    note_name(disk, handle, name);
    return handle;
}

static int disk_write(struct storage *storage, int handle, uint64_t offset, const uint8_t *buffer,
                      uint32_t bytes) {
    struct disk *disk = disk_of(storage);
    if (disk_is_full(disk)) return -ENOSPC;
    /* Whoever writes so reads it back and compares before it counts: nothing to remember. */
    enum storage_fault fault = draw_fault(disk);
    if (fault) storage_memory_fault(disk->inner, fault, 0, random_next(&disk->random));
    return inner_operations(disk)->write(disk->inner, handle, offset, buffer, bytes);
}

static int disk_rename(struct storage *storage, const char *from, const char *to) {
    struct disk *disk = disk_of(storage);
    return inner_operations(disk)->rename(disk->inner, from, to);
}

static int disk_link(struct storage *storage, const char *from, const char *to) {
    struct disk *disk = disk_of(storage);
    return inner_operations(disk)->link(disk->inner, from, to);
}

static void disk_info(struct storage *storage, struct storage_info *ret_info) {
    struct disk *disk = disk_of(storage);
    inner_operations(disk)->info(disk->inner, ret_info);
}

static int disk_identify(struct storage *storage, int handle,
                         struct storage_identity *ret_identity) {
    struct disk *disk = disk_of(storage);
    return inner_operations(disk)->identify(disk->inner, handle, ret_identity);
}

static int disk_space(struct storage *storage, uint64_t *ret_bytes) {
    struct disk *disk = disk_of(storage);
    return inner_operations(disk)->space(disk->inner, ret_bytes);
}

static void disk_destroy(struct storage *storage) { disk_close(disk_of(storage)); }

static const struct storage_operations operations = {
    .claim = disk_claim,
    .unclaim = disk_unclaim,
    .list = disk_list,
    .open = disk_open_file,
    .close = disk_close_file,
    .size = disk_size,
    .read = disk_read,
    .prepare = disk_prepare,
    .remove = disk_remove,
    .submit = disk_submit,
    .complete = disk_complete,
    .sync = disk_sync,
    .create = disk_create,
    .write = disk_write,
    .rename = disk_rename,
    .link = disk_link,
    .info = disk_info,
    .identify = disk_identify,
    .space = disk_space,
    .destroy = disk_destroy,
};

/* --- for the run ------------------------------------------------------------------------------ */

struct disk *disk_open(struct sim_run *run, uint64_t stream) {
    struct disk *disk = calloc(1, sizeof *disk);
    REQUIRE(disk != NULL);
    disk->storage.operations = &operations;
    disk->run = run;
    disk->random = random_stream(run->options->seed, stream);
    REQUIRE(storage_memory_open(&disk->inner) == 0);
    return disk;
}

void disk_close(struct disk *disk) {
    inner_operations(disk)->destroy(disk->inner);
    free(disk->lies);
    free(disk);
}

struct storage *disk_storage(struct disk *disk) {
    return &disk->storage;
}

struct storage *disk_inner(struct disk *disk) {
    return disk->inner;
}

bool disk_crash(struct disk *disk) {
    bool in_flight = disk->in_flight;
    (void)storage_memory_crash(disk->inner,
                               random_next(&disk->random)); /* we know what was in flight */
    disk->in_flight = false;
    disk->restarted = true;
    return in_flight;
}

void disk_crash_after(struct disk *disk, uint64_t operation_count) {
    if (operation_count > 0) {
        storage_memory_crash_in(disk->inner, operation_count, random_next(&disk->random));
    } else {
        storage_memory_heal(disk->inner);
    }
}

bool disk_has_crashed(const struct disk *disk) { return storage_memory_crashed(disk->inner); }

uint64_t disk_read_errors(const struct disk *disk) { return disk->read_errors; }

void disk_trust(struct disk *disk, bool trust) { disk->trusted = trust; }

void disk_freeze(struct disk *disk, uint64_t until_us) { disk->frozen_until_us = until_us; }

bool disk_is_frozen(const struct disk *disk) { return disk->run->now_us < disk->frozen_until_us; }

void disk_fill(struct disk *disk, uint64_t until_us) { disk->full_until_us = until_us; }
