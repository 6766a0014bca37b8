/* storage_memory.c - a disk in memory that delays, tears, fails and crashes on command
 *
 * One mutex guards everything: this is for tests, not for speed.
 */
#include "wal/storage_memory.h"

#include "engine/require.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_FILES_MAX 4096
#define MEMORY_NAME_BYTES 32

struct memory_file {
    char name[MEMORY_NAME_BYTES]; /* empty: removed, the handle stays valid */
    uint8_t *bytes;               /* owned */
    uint64_t size;
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
    uint32_t delay_polls;
    struct memory_write write;
    enum storage_fault fault;
    uint64_t fault_after;
    uint64_t random; /* state of the generator */
    uint64_t writes;
};

/* SplitMix64: small, and good enough to pick sectors. */
static uint64_t next_random(struct storage_memory *memory) {
    uint64_t z = memory->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

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
        if (strcmp(memory->files[i].name, name) == 0) { return i; }
    }
    return -ENOENT;
}

/* Takes ownership of bytes. */
static int put(struct storage_memory *memory, const char *name, uint8_t *bytes, uint64_t size) {
    REQUIRE(strlen(name) > 0 && strlen(name) < MEMORY_NAME_BYTES);
    int index = find(memory, name);
    if (index < 0) {
        if (memory->file_count == MEMORY_FILES_MAX) {
            free(bytes);
            return -ENOSPC;
        }
        index = memory->file_count++;
    }
    struct memory_file *file = &memory->files[index];
    free(file->bytes);
    file->bytes = bytes;
    file->size = size;
    (void)strncpy(file->name, name, MEMORY_NAME_BYTES - 1); /* fits, the rest is zero */
    return 0;
}

/* Any subset of the sectors lands. */
static void land_torn(struct storage_memory *memory) {
    const struct memory_write *write = &memory->write;
    uint8_t *to = memory->files[write->handle].bytes + write->offset;
    uint64_t style = next_random(memory) % 4;
    uint32_t sectors = write->bytes / STORAGE_MEMORY_SECTOR_BYTES;
    uint32_t edge = (uint32_t)(next_random(memory) % (sectors + 1));
    for (uint32_t i = 0; i < sectors; i++) {
        bool lands = style == 0 ? i < edge : style == 1 ? i >= edge : next_random(memory) % 2 == 0;
        if (lands) {
            uint64_t at = (uint64_t)i * STORAGE_MEMORY_SECTOR_BYTES;
            memcpy(to + at, write->buffer + at, STORAGE_MEMORY_SECTOR_BYTES);
        }
    }
}

/* The write in flight reaches the disk, in its way. Return: what complete says */
static int land(struct storage_memory *memory) {
    const struct memory_write *write = &memory->write;
    struct memory_file *file = &memory->files[write->handle];
    uint8_t *to = file->bytes + write->offset;
    switch (write->fault) {
    case STORAGE_FAULT_FAIL: land_torn(memory); return -EIO;
    case STORAGE_FAULT_SHORT: memcpy(to, write->buffer, write->bytes / 2); return -EIO;
    case STORAGE_FAULT_DROP: return 0;
    case STORAGE_FAULT_TEAR: land_torn(memory); return 0;
    case STORAGE_FAULT_FLIP: {
        memcpy(to, write->buffer, write->bytes);
        uint64_t bit = next_random(memory) % ((uint64_t)write->bytes * 8);
        to[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        return 0;
    }
    case STORAGE_FAULT_NONE:
    case STORAGE_FAULT_SUBMIT:
    case STORAGE_FAULT_PREPARE: break;
    }
    memcpy(to, write->buffer, write->bytes);
    return 0;
}

/* --- the operations ------------------------------------------------------------------------ */

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
        if (memory->files[i].name[0] != '\0') { visit(context, memory->files[i].name); }
    }
    unlock(memory);
    return 0;
}

static int memory_open(struct storage *storage, const char *name, bool writable) {
    (void)writable; /* the log keeps to it */
    struct storage_memory *memory = lock(storage);
    int handle = find(memory, name);
    unlock(memory);
    return handle;
}

static void memory_close(struct storage *storage, int handle) {
    (void)storage; /* a handle is an index */
    (void)handle;
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
    if (rc == 0) { memcpy(buffer, file->bytes + offset, bytes); }
    unlock(memory);
    return rc;
}

static int memory_prepare(struct storage *storage, const char *name, uint64_t bytes) {
    uint8_t *zeros = calloc(1, bytes);
    if (zeros == NULL) { return -ENOMEM; }
    struct storage_memory *memory = lock(storage);
    int rc = -ENOSPC;
    if (memory->prepare_fails) {
        free(zeros);
    } else {
        rc = put(memory, name, zeros, bytes);
    }
    unlock(memory);
    return rc;
}

static int memory_remove(struct storage *storage, const char *name) {
    return storage_memory_remove(storage, name) ? 0 : -ENOENT;
}

static int memory_submit(struct storage *storage, int handle, uint64_t offset,
                         const uint8_t *buffer, uint32_t bytes) {
    struct storage_memory *memory = lock(storage);
    REQUIRE(!memory->write.in_flight);
    REQUIRE(offset % 4096 == 0 && bytes % 4096 == 0 && (uintptr_t)buffer % 4096 == 0);
    REQUIRE(offset + bytes <= memory->files[handle].size);
    enum storage_fault fault = STORAGE_FAULT_NONE;
    if (memory->fault != STORAGE_FAULT_NONE && memory->fault_after-- == 0) {
        fault = memory->fault;
        memory->fault = STORAGE_FAULT_NONE;
    }
    int rc = memory->crashed ? -EIO : fault == STORAGE_FAULT_SUBMIT ? -EAGAIN : 0;
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
        rc = land(memory);
        memory->write.in_flight = false;
        memory->writes += rc == 0;
    }
    unlock(memory);
    return rc;
}

static int memory_sync(struct storage *storage, int handle) {
    (void)storage; /* what is on this disk is durable */
    (void)handle;
    return 0;
}

static void memory_info(struct storage *storage, struct storage_info *ret_info) {
    (void)storage;
    *ret_info = (struct storage_info){.kind = "memory", .direct = true};
}

static void memory_destroy(struct storage *storage) {
    struct storage_memory *memory = (struct storage_memory *)storage;
    for (int i = 0; i < memory->file_count; i++) { free(memory->files[i].bytes); }
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
    .info = memory_info,
    .destroy = memory_destroy,
};

/* --- for tests ----------------------------------------------------------------------------- */

int storage_memory_open(struct storage **ret_storage) {
    struct storage_memory *memory = calloc(1, sizeof *memory);
    if (memory == NULL) { return -ENOMEM; }
    memory->storage.operations = &memory_operations;
    REQUIRE(pthread_mutex_init(&memory->mutex, NULL) == 0);
    REQUIRE(pthread_cond_init(&memory->released, NULL) == 0);
    *ret_storage = &memory->storage;
    return 0;
}

int storage_memory_clone(struct storage *storage, struct storage **ret_storage) {
    struct storage *clone;
    int rc = storage_memory_open(&clone);
    if (rc < 0) { return rc; }
    struct storage_memory *memory = lock(storage);
    for (int i = 0; i < memory->file_count && rc == 0; i++) {
        const struct memory_file *file = &memory->files[i];
        if (file->name[0] != '\0') {
            rc = storage_memory_put(clone, file->name, file->bytes, file->size);
        }
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
    } else {
        memory->fault = fault;
        memory->fault_after = after;
        memory->random = seed;
    }
    unlock(memory);
}

void storage_memory_heal(struct storage *storage) {
    struct storage_memory *memory = lock(storage);
    memory->prepare_fails = false;
    memory->fault = STORAGE_FAULT_NONE;
    unlock(memory);
}

bool storage_memory_crash(struct storage *storage, uint64_t seed) {
    struct storage_memory *memory = lock(storage);
    bool in_flight = memory->write.in_flight;
    memory->random = seed;
    if (in_flight) {
        land_torn(memory);
        memory->write.in_flight = false;
    }
    memory->crashed = true;
    memory->claimed = false;
    memory->hold = false;
    memory->prepare_fails = false;
    memory->delay_polls = 0;
    memory->fault = STORAGE_FAULT_NONE;
    REQUIRE(pthread_cond_broadcast(&memory->released) == 0);
    unlock(memory);
    return in_flight;
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
    if (copy == NULL) { return -ENOMEM; }
    memcpy(copy, bytes, size);
    struct storage_memory *memory = lock(storage);
    int rc = put(memory, name, copy, size);
    unlock(memory);
    return rc;
}

bool storage_memory_remove(struct storage *storage, const char *name) {
    struct storage_memory *memory = lock(storage);
    int index = find(memory, name);
    if (index >= 0) { memory->files[index].name[0] = '\0'; }
    unlock(memory);
    return index >= 0;
}

uint64_t storage_memory_writes(struct storage *storage) {
    struct storage_memory *memory = lock(storage);
    uint64_t writes = memory->writes;
    unlock(memory);
    return writes;
}
