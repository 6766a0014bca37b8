/* storage_memory.c - a disk in memory that delays, tears, fails and crashes on command
 *
 * One mutex guards everything: this is for tests, not for speed.
 */
#include "tests/support/storage_memory.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/require.h"
#include "tests/support/random.h"

#define MEMORY_FILES_MAX 4096
#define MEMORY_NAME_BYTES 64

struct memory_file {
    char name[MEMORY_NAME_BYTES]; /* empty: removed; its place is free when no handle is left */
    uint8_t *bytes;               /* what is read; owned */
    uint64_t size;
    uint8_t *durable; /* what a crash leaves for certain; owned; NULL: all of bytes is durable */
    uint64_t durable_size;
    uint32_t handles;   /* open ones */
    bool name_volatile; /* made by create; a crash may take it away */
};

struct memory_write {
    bool in_flight;
    int handle;
    uint64_t offset;
    const uint8_t *buffer; /* borrowed from submit to complete */
    uint32_t bytes;
    uint32_t polls_left;
    enum storage_fault fault;
};

struct storage_memory {
    struct storage storage;
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t released;
    struct memory_file files[MEMORY_FILES_MAX];
    int file_count;
    bool claimed;
    bool crashed; /* the log that had the disk has not given it up yet */
    bool hold;
    bool prepare_fails;
    bool full;           /* a FULL fault is on its way */
    uint64_t full_after; /* operations that still find room */
    bool crash_due;      /* storage_memory_crash_in */
    uint64_t crash_after;
    uint32_t delay_polls;
    struct memory_write write;
    enum storage_fault fault;
    uint64_t fault_after;
    struct random random;
    uint64_t writes;
};

static struct storage_memory *lock(struct storage *storage) {
    struct storage_memory *memory = (struct storage_memory *)storage;
    REQUIRE(pthread_mutex_lock(&memory->mutex) == 0);
    return memory;
}

static void unlock(struct storage_memory *memory) {
    REQUIRE(pthread_mutex_unlock(&memory->mutex) == 0);
}

static int find(const struct storage_memory *memory, const char *name) {
    for (int i = 0; i < memory->file_count; i++) {
        if (strcmp(memory->files[i].name, name) == 0) return i;
    }
    return -ENOENT;
}

/* Takes ownership of bytes: the file's contents from now on, durable. */
static void set_contents(struct memory_file *file, uint8_t *bytes, uint64_t size) {
    free(file->bytes);
    free(file->durable);
    file->bytes = bytes;
    file->size = size;
    file->durable = NULL;
    file->durable_size = 0;
}

/* A place for a file of a new name, empty. Return: its handle, or -ENOSPC */
static int make_file(struct storage_memory *memory, const char *name) {
    REQUIRE(strlen(name) > 0 && strlen(name) < MEMORY_NAME_BYTES);
    int index = 0;
    while (index < memory->file_count &&
           (memory->files[index].name[0] != '\0' || memory->files[index].handles > 0)) {
        index++;
    }
    if (index == MEMORY_FILES_MAX) return -ENOSPC;
    if (index == memory->file_count) memory->file_count++;
    struct memory_file *file = &memory->files[index];
    set_contents(file, NULL, 0);
    *file = (struct memory_file){.name_volatile = false};
    (void)strncpy(file->name, name, MEMORY_NAME_BYTES - 1);
    return index;
}

/* Takes ownership of bytes. */
static int put(struct storage_memory *memory, const char *name, uint8_t *bytes, uint64_t size) {
    int index = find(memory, name);
    if (index < 0) index = make_file(memory, name);
    if (index < 0) {
        free(bytes);
        return index;
    }
    set_contents(&memory->files[index], bytes, size);
    return 0;
}

/* Any subset of the sectors lands. */
static void land_torn(struct storage_memory *memory, uint8_t *to, const uint8_t *from,
                      uint64_t bytes) {
    uint64_t style = random_next(&memory->random) % 4;
    uint64_t sectors = bytes / STORAGE_MEMORY_SECTOR_BYTES;
    uint64_t edge = random_next(&memory->random) % (sectors + 1);
    for (uint64_t i = 0; i < sectors; i++) {
        bool lands = style == 0   ? i < edge
                     : style == 1 ? i >= edge
                                  : random_next(&memory->random) % 2 == 0;
        if (lands) {
            uint64_t at = i * STORAGE_MEMORY_SECTOR_BYTES;
            memcpy(to + at, from + at, STORAGE_MEMORY_SECTOR_BYTES);
        }
    }
}

/* What was written and not synced: any subset of its sectors, any length in between. */
static void settle_torn(struct storage_memory *memory, struct memory_file *file) {
    if (file->durable == NULL) return;
    uint64_t low = file->size < file->durable_size ? file->size : file->durable_size;
    uint64_t high = file->size < file->durable_size ? file->durable_size : file->size;
    uint64_t steps = (high - low) / STORAGE_MEMORY_SECTOR_BYTES;
    uint64_t style = random_next(&memory->random) % 3;
    uint64_t step = style == 0   ? 0
                    : style == 1 ? steps
                                 : random_next(&memory->random) % (steps + 1);
    uint64_t size = low + step * STORAGE_MEMORY_SECTOR_BYTES;
    uint8_t *settled = calloc(1, size > 0 ? size : 1);
    REQUIRE_MEMORY(settled != NULL);
    memcpy(settled, file->durable, size < file->durable_size ? size : file->durable_size);
    land_torn(memory, settled, file->bytes, size < file->size ? size : file->size);
    set_contents(file, settled, size);
}

/* From now on what changes is not durable. Return: 0, -ENOMEM */
static int begin_changing(struct memory_file *file) {
    if (file->durable != NULL) return 0;
    uint8_t *copy = malloc(file->size > 0 ? file->size : 1);
    if (copy == NULL) return -ENOMEM;
    if (file->size > 0) memcpy(copy, file->bytes, file->size);
    file->durable = copy;
    file->durable_size = file->size;
    return 0;
}

/* Another multiple of 4096 where a write fits into its file. Return: false if there is none */
static bool pick_elsewhere(struct storage_memory *memory, const struct memory_write *write,
                           uint64_t *ret_offset) {
    uint64_t places = (memory->files[write->handle].size - write->bytes) / 4096 + 1;
    if (places < 2) return false;
    uint64_t place = random_next(&memory->random) % (places - 1);
    *ret_offset = (place < write->offset / 4096 ? place : place + 1) * 4096;
    return true;
}

/* A write reaches the disk, in its way. Return: what complete says */
static int land(struct storage_memory *memory, const struct memory_write *write) {
    struct memory_file *file = &memory->files[write->handle];
    uint8_t *to = file->bytes + write->offset;
    switch (write->fault) {
    case STORAGE_FAULT_FAIL: land_torn(memory, to, write->buffer, write->bytes); return -EIO;
    case STORAGE_FAULT_SHORT: memcpy(to, write->buffer, write->bytes / 2); return -EIO;
    case STORAGE_FAULT_DROP: return 0;
    case STORAGE_FAULT_TEAR: land_torn(memory, to, write->buffer, write->bytes); return 0;
    case STORAGE_FAULT_FLIP: {
        memcpy(to, write->buffer, write->bytes);
        uint64_t bit = random_next(&memory->random) % ((uint64_t)write->bytes * 8);
        to[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        return 0;
    }
    case STORAGE_FAULT_MISDIRECT: {
        uint64_t offset;
        if (pick_elsewhere(memory, write, &offset)) {
            memcpy(file->bytes + offset, write->buffer, write->bytes);
        }
        return 0;
    }
    case STORAGE_FAULT_NONE:
    case STORAGE_FAULT_SUBMIT:
    case STORAGE_FAULT_PREPARE:
    case STORAGE_FAULT_FULL:
    case STORAGE_FAULT_READ:
    case STORAGE_FAULT_SYNC: break;
    }
    memcpy(to, write->buffer, write->bytes);
    return 0;
}

static bool is_write_fault(enum storage_fault fault) {
    return fault >= STORAGE_FAULT_SUBMIT && fault <= STORAGE_FAULT_MISDIRECT;
}

/* Is it the turn of the fault that waits? Then it happens now. */
static bool fault_is_due(struct storage_memory *memory) {
    if (memory->fault_after-- > 0) return false;
    memory->fault = STORAGE_FAULT_NONE;
    return true;
}

static enum storage_fault write_fault(struct storage_memory *memory) {
    enum storage_fault fault = memory->fault;
    return is_write_fault(fault) && fault_is_due(memory) ? fault : STORAGE_FAULT_NONE;
}

static bool other_fault(struct storage_memory *memory, enum storage_fault fault) {
    return memory->fault == fault && fault_is_due(memory);
}

static bool no_room(struct storage_memory *memory) {
    if (!memory->full) return false;
    if (memory->full_after == 0) return true;
    memory->full_after--;
    return false;
}

/* Whatever changes the names syncs the folder, and so all names in it. */
static void sync_names(struct storage_memory *memory) {
    for (int i = 0; i < memory->file_count; i++) memory->files[i].name_volatile = false;
}

/* Return: whether a write was in flight */
static bool crash(struct storage_memory *memory) {
    const struct memory_write *write = &memory->write;
    bool in_flight = write->in_flight;
    if (in_flight) {
        uint8_t *to = memory->files[write->handle].bytes + write->offset;
        land_torn(memory, to, write->buffer, write->bytes);
        memory->write.in_flight = false;
    }
    for (int i = 0; i < memory->file_count; i++) {
        struct memory_file *file = &memory->files[i];
        settle_torn(memory, file);
        if (file->name_volatile && random_next(&memory->random) % 2 == 0) file->name[0] = '\0';
        file->name_volatile = false;
    }
    memory->crashed = true;
    memory->claimed = false;
    memory->hold = false;
    memory->prepare_fails = false;
    memory->full = false;
    memory->crash_due = false;
    memory->delay_polls = 0;
    memory->fault = STORAGE_FAULT_NONE;
    REQUIRE(pthread_cond_broadcast(&memory->released) == 0);
    return in_flight;
}

/* Every operation that changes the disk asks first whether the power lasts.
 * Return: 0 (go on, and pass the result through end_change), -EIO (the power was gone) */
enum { POWER_FAILS_AFTER = 1 };
static int begin_change(struct storage_memory *memory) {
    if (memory->crashed) return -EIO;
    if (!memory->crash_due || memory->crash_after-- > 0) return 0;
    if (random_next(&memory->random) % 2 == 0) return POWER_FAILS_AFTER;
    crash(memory);
    return -EIO;
}

/* @begun: what begin_change said, not negative */
static int end_change(struct storage_memory *memory, int begun, int result) {
    if (begun != POWER_FAILS_AFTER) return result;
    crash(memory);
    return -EIO;
}

/* --- the operations --------------------------------------------------------------------------- */

static int memory_claim(struct storage *storage) {
    struct storage_memory *memory = lock(storage);
    bool taken = memory->claimed;
    memory->claimed = true;
    memory->crashed = false;
    unlock(memory);
    return taken ? -EWOULDBLOCK : 0;
}

static void memory_unclaim(struct storage *storage) {
    struct storage_memory *memory = lock(storage);
    memory->claimed = false;
    unlock(memory);
}

static int memory_list(struct storage *storage, void (*visit)(void *context, const char *name),
                       void *context) {
    struct storage_memory *memory = lock(storage);
    for (int i = 0; i < memory->file_count; i++) {
        if (memory->files[i].name[0] != '\0') visit(context, memory->files[i].name);
    }
    unlock(memory);
    return 0;
}

static int memory_open(struct storage *storage, const char *name, bool writable) {
    (void)writable; /* the log keeps to it */
    struct storage_memory *memory = lock(storage);
    int handle = find(memory, name);
    if (handle >= 0) memory->files[handle].handles++;
    unlock(memory);
    return handle;
}

static void memory_close(struct storage *storage, int handle) {
    struct storage_memory *memory = lock(storage);
    REQUIRE(handle >= 0 && handle < memory->file_count && memory->files[handle].handles > 0);
    memory->files[handle].handles--;
    unlock(memory);
}

static int memory_size(struct storage *storage, int handle, uint64_t *ret_bytes) {
    struct storage_memory *memory = lock(storage);
    *ret_bytes = memory->files[handle].size;
    unlock(memory);
    return 0;
}

static int memory_read(struct storage *storage, int handle, uint64_t offset, uint8_t *buffer,
                       uint32_t bytes) {
    struct storage_memory *memory = lock(storage);
    const struct memory_file *file = &memory->files[handle];
    int rc = offset + bytes <= file->size ? 0 : -ENODATA;
    if (other_fault(memory, STORAGE_FAULT_READ)) rc = -EIO;
    if (rc == 0) memcpy(buffer, file->bytes + offset, bytes);
    unlock(memory);
    return rc;
}

static int memory_identify(struct storage *storage, int handle,
                           struct storage_identity *ret_identity) {
    (void)storage;
    (void)handle;
    (void)ret_identity;
    return -ENOTSUP;
}

static int memory_space(struct storage *storage, uint64_t *ret_bytes) {
    struct storage_memory *memory = lock(storage);
    bool full = memory->prepare_fails || (memory->full && memory->full_after == 0);
    unlock(memory);
    *ret_bytes = 0;
    return full ? 0 : -ENOTSUP;
}

static int memory_prepare(struct storage *storage, const char *name, uint64_t bytes) {
    uint8_t *zeros = calloc(1, bytes);
    if (zeros == NULL) return -ENOMEM;
    struct storage_memory *memory = lock(storage);
    int begun = begin_change(memory);
    if (begun < 0 || memory->prepare_fails || no_room(memory)) {
        free(zeros);
        begun = begun < 0 ? begun : -ENOSPC;
    } else {
        begun = end_change(memory, begun, put(memory, name, zeros, bytes));
        sync_names(memory);
    }
    unlock(memory);
    return begun;
}

static int memory_remove(struct storage *storage, const char *name) {
    struct storage_memory *memory = lock(storage);
    int rc = begin_change(memory);
    if (rc >= 0) {
        int index = find(memory, name);
        if (index >= 0) {
            memory->files[index].name[0] = '\0';
            sync_names(memory);
        }
        rc = end_change(memory, rc, index >= 0 ? 0 : index);
    }
    unlock(memory);
    return rc;
}

static int memory_create(struct storage *storage, const char *name) {
    struct storage_memory *memory = lock(storage);
    int begun = begin_change(memory);
    int rc = begun;
    if (begun >= 0 && no_room(memory)) rc = -ENOSPC;
    if (rc >= 0) {
        rc = find(memory, name);
        bool is_new = rc < 0;
        if (is_new) rc = make_file(memory, name);
        if (rc >= 0) {
            struct memory_file *file = &memory->files[rc];
            if (is_new) file->name_volatile = true;
            int failed = begin_changing(file);
            file->size = failed == 0 ? 0 : file->size;
            rc = end_change(memory, begun, failed < 0 ? failed : rc);
        }
    }
    if (rc >= 0) memory->files[rc].handles++;
    unlock(memory);
    return rc;
}

/* Room up to there; what lies between is zero. */
static int extend(struct memory_file *file, uint64_t size) {
    if (size <= file->size) return 0;
    uint8_t *bytes = realloc(file->bytes, size);
    if (bytes == NULL) return -ENOMEM;
    memset(bytes + file->size, 0, size - file->size);
    file->bytes = bytes;
    file->size = size;
    return 0;
}

static int memory_write(struct storage *storage, int handle, uint64_t offset, const uint8_t *buffer,
                        uint32_t bytes) {
    REQUIRE(offset % 4096 == 0 && bytes % 4096 == 0 && (uintptr_t)buffer % 4096 == 0);
    struct storage_memory *memory = lock(storage);
    struct memory_file *file = &memory->files[handle];
    REQUIRE(file->handles > 0);
    int begun = begin_change(memory);
    int rc = begun;
    if (begun >= 0 && no_room(memory)) rc = -ENOSPC;
    struct memory_write write = {
        .handle = handle, .offset = offset, .buffer = buffer, .bytes = bytes};
    if (rc >= 0) {
        write.fault = write_fault(memory);
        rc = write.fault == STORAGE_FAULT_SUBMIT ? -EAGAIN : begin_changing(file);
        if (rc == 0) rc = extend(file, offset + bytes);
        if (rc == 0) rc = land(memory, &write);
        memory->writes += rc == 0;
        rc = end_change(memory, begun, rc);
    }
    unlock(memory);
    return rc;
}

static int memory_rename(struct storage *storage, const char *from, const char *to) {
    REQUIRE(strlen(to) > 0 && strlen(to) < MEMORY_NAME_BYTES);
    struct storage_memory *memory = lock(storage);
    int rc = begin_change(memory);
    if (rc >= 0) {
        int source = find(memory, from);
        int target = find(memory, to);
        if (source >= 0) {
            struct memory_file *file = &memory->files[source];
            REQUIRE(file->durable == NULL); /* synced before, or the name outlives its contents */
            if (target >= 0) memory->files[target].name[0] = '\0';
            memset(file->name, 0, sizeof file->name);
            (void)strncpy(file->name, to, MEMORY_NAME_BYTES - 1);
            sync_names(memory);
        }
        rc = end_change(memory, rc, source >= 0 ? 0 : source);
    }
    unlock(memory);
    return rc;
}

/* The bytes are copied: nobody writes to a file of two names. */
static int memory_link(struct storage *storage, const char *from, const char *to) {
    struct storage_memory *memory = lock(storage);
    int rc = begin_change(memory);
    if (rc >= 0) {
        int source = find(memory, from);
        int result = source < 0 ? source : find(memory, to) >= 0 ? -EEXIST : 0;
        if (result == 0) {
            const struct memory_file *file = &memory->files[source];
            REQUIRE(file->durable == NULL); /* synced before */
            uint8_t *copy = malloc(file->size > 0 ? file->size : 1);
            if (copy != NULL && file->size > 0) memcpy(copy, file->bytes, file->size);
            result = copy == NULL ? -ENOMEM : put(memory, to, copy, file->size);
            sync_names(memory);
        }
        rc = end_change(memory, rc, result);
    }
    unlock(memory);
    return rc;
}

static int memory_submit(struct storage *storage, int handle, uint64_t offset,
                         const uint8_t *buffer, uint32_t bytes) {
    struct storage_memory *memory = lock(storage);
    REQUIRE(!memory->write.in_flight);
    REQUIRE(offset % 4096 == 0 && bytes % 4096 == 0 && (uintptr_t)buffer % 4096 == 0);
    REQUIRE(offset + bytes <= memory->files[handle].size);
    REQUIRE(memory->files[handle].durable == NULL); /* `write` and submit do not share a file */
    int begun = begin_change(memory);
    int rc = begun;
    if (begun >= 0) {
        enum storage_fault fault = write_fault(memory);
        rc = fault == STORAGE_FAULT_SUBMIT ? -EAGAIN : 0;
        if (rc == 0) {
            memory->write = (struct memory_write){
                .in_flight = true,
                .handle = handle,
                .offset = offset,
                .buffer = buffer,
                .bytes = bytes,
                .polls_left = memory->delay_polls,
                .fault = fault,
            };
        }
        rc = end_change(memory, begun, rc);
    }
    unlock(memory);
    return rc;
}

static int memory_complete(struct storage *storage, bool wait) {
    struct storage_memory *memory = lock(storage);
    while (wait && memory->hold && !memory->crashed) {
        REQUIRE(pthread_cond_wait(&memory->released, &memory->mutex) == 0);
    }
    int rc;
    if (memory->crashed) {
        rc = -EIO;
    } else if (memory->hold || (!wait && memory->write.polls_left > 0)) {
        REQUIRE(memory->write.in_flight);
        memory->write.polls_left -= memory->write.polls_left > 0;
        rc = STORAGE_PENDING;
    } else {
        REQUIRE(memory->write.in_flight);
        rc = land(memory, &memory->write);
        memory->write.in_flight = false;
        memory->writes += rc == 0;
    }
    unlock(memory);
    return rc;
}

static int memory_sync(struct storage *storage, int handle) {
    struct storage_memory *memory = lock(storage);
    struct memory_file *file = &memory->files[handle];
    REQUIRE(file->handles > 0);
    int rc = begin_change(memory);
    if (rc >= 0) {
        bool fails = other_fault(memory, STORAGE_FAULT_SYNC);
        if (fails) settle_torn(memory, file);
        free(file->durable);
        file->durable = NULL;
        rc = end_change(memory, rc, fails ? -EIO : 0);
    }
    unlock(memory);
    return rc;
}

static void memory_info(struct storage *storage, struct storage_info *ret_info) {
    (void)storage;
    *ret_info = (struct storage_info){.kind = "memory", .direct = true};
}

static void memory_destroy(struct storage *storage) {
    struct storage_memory *memory = (struct storage_memory *)storage;
    for (int i = 0; i < memory->file_count; i++) set_contents(&memory->files[i], NULL, 0);
    REQUIRE(pthread_cond_destroy(&memory->released) == 0);
    REQUIRE(pthread_mutex_destroy(&memory->mutex) == 0);
    free(memory);
}

static const struct storage_operations memory_operations = {
    .claim = memory_claim,
    .unclaim = memory_unclaim,
    .list = memory_list,
    .open = memory_open,
    .close = memory_close,
    .size = memory_size,
    .read = memory_read,
    .prepare = memory_prepare,
    .remove = memory_remove,
    .submit = memory_submit,
    .complete = memory_complete,
    .sync = memory_sync,
    .create = memory_create,
    .write = memory_write,
    .rename = memory_rename,
    .link = memory_link,
    .identify = memory_identify,
    .space = memory_space,
    .info = memory_info,
    .destroy = memory_destroy,
};

/* --- for tests -------------------------------------------------------------------------------- */

int storage_memory_open(struct storage **ret_storage) {
    struct storage_memory *memory = calloc(1, sizeof *memory);
    if (memory == NULL) return -ENOMEM;
    memory->storage.operations = &memory_operations;
    REQUIRE(pthread_mutex_init(&memory->mutex, NULL) == 0);
    REQUIRE(pthread_cond_init(&memory->released, NULL) == 0);
    *ret_storage = &memory->storage;
    return 0;
}

int storage_memory_clone(struct storage *storage, struct storage **ret_storage) {
    struct storage *clone;
    int rc = storage_memory_open(&clone);
    if (rc < 0) return rc;
    struct storage_memory *memory = lock(storage);
    for (int i = 0; i < memory->file_count && rc == 0; i++) {
        const struct memory_file *file = &memory->files[i];
        if (file->name[0] == '\0' || file->name_volatile) continue;
        bool torn = file->durable != NULL;
        rc = storage_memory_put(clone, file->name, torn ? file->durable : file->bytes,
                                torn ? file->durable_size : file->size);
    }
    unlock(memory);
    if (rc < 0) {
        memory_destroy(clone);
        return rc;
    }
    *ret_storage = clone;
    return 0;
}

void storage_memory_delay(struct storage *storage, uint32_t polls) {
    struct storage_memory *memory = lock(storage);
    memory->delay_polls = polls;
    unlock(memory);
}

void storage_memory_hold(struct storage *storage, bool hold) {
    struct storage_memory *memory = lock(storage);
    memory->hold = hold;
    REQUIRE(pthread_cond_broadcast(&memory->released) == 0);
    unlock(memory);
}

void storage_memory_fault(struct storage *storage, enum storage_fault fault, uint64_t after,
                          uint64_t seed) {
    struct storage_memory *memory = lock(storage);
    if (fault == STORAGE_FAULT_PREPARE) {
        memory->prepare_fails = true;
    } else if (fault == STORAGE_FAULT_FULL) {
        memory->full = true;
        memory->full_after = after;
    } else {
        memory->fault = fault;
        memory->fault_after = after;
        memory->random = (struct random){seed};
    }
    unlock(memory);
}

void storage_memory_heal(struct storage *storage) {
    struct storage_memory *memory = lock(storage);
    memory->prepare_fails = false;
    memory->full = false;
    memory->crash_due = false;
    memory->fault = STORAGE_FAULT_NONE;
    unlock(memory);
}

bool storage_memory_crash(struct storage *storage, uint64_t seed) {
    struct storage_memory *memory = lock(storage);
    memory->random = (struct random){seed};
    bool in_flight = crash(memory);
    unlock(memory);
    return in_flight;
}

void storage_memory_crash_in(struct storage *storage, uint64_t after, uint64_t seed) {
    struct storage_memory *memory = lock(storage);
    memory->crash_due = true;
    memory->crash_after = after;
    memory->random = (struct random){seed};
    unlock(memory);
}

bool storage_memory_crashed(struct storage *storage) {
    struct storage_memory *memory = lock(storage);
    bool crashed = memory->crashed;
    unlock(memory);
    return crashed;
}

uint8_t *storage_memory_bytes(struct storage *storage, const char *name, uint64_t *ret_bytes) {
    struct storage_memory *memory = lock(storage);
    int index = find(memory, name);
    uint8_t *bytes = NULL;
    if (index >= 0) {
        bytes = memory->files[index].bytes;
        *ret_bytes = memory->files[index].size;
    }
    unlock(memory);
    return bytes;
}

int storage_memory_put(struct storage *storage, const char *name, const uint8_t *bytes,
                       uint64_t size) {
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (copy == NULL) return -ENOMEM;
    if (size > 0) memcpy(copy, bytes, size);
    struct storage_memory *memory = lock(storage);
    int rc = put(memory, name, copy, size);
    unlock(memory);
    return rc;
}

bool storage_memory_remove(struct storage *storage, const char *name) {
    struct storage_memory *memory = lock(storage);
    int index = find(memory, name);
    if (index >= 0) memory->files[index].name[0] = '\0';
    unlock(memory);
    return index >= 0;
}

uint64_t storage_memory_writes(struct storage *storage) {
    struct storage_memory *memory = lock(storage);
    uint64_t writes = memory->writes;
    unlock(memory);
    return writes;
}
