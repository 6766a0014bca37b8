/* storage_memory.h - a disk in memory that delays, tears, fails and crashes on command
 *
 * For tests and the simulator. What a completed write has covered is durable; the one write in
 * flight is not there at all until it is completed, or torn by a crash: any subset of its 512-byte
 * sectors may have landed. Everything random comes from seeds given by the caller.
 *
 * All functions may be called from any thread. The disk lives on over crashes and logs, until
 * operations->destroy.
 */
#ifndef USHER_WAL_STORAGE_MEMORY_H
#define USHER_WAL_STORAGE_MEMORY_H

#include "wal/storage.h"

#define STORAGE_MEMORY_SECTOR_BYTES 512u

enum storage_fault {
    STORAGE_FAULT_NONE = 0,
    STORAGE_FAULT_SUBMIT,  /* submit fails with EAGAIN */
    STORAGE_FAULT_FAIL,    /* complete fails with EIO; a random part has landed */
    STORAGE_FAULT_SHORT,   /* a short write: the first half has landed, complete fails with EIO */
    STORAGE_FAULT_DROP,    /* the disk lies: nothing landed, complete says 0 */
    STORAGE_FAULT_TEAR,    /* the disk lies: a random part landed, complete says 0 */
    STORAGE_FAULT_FLIP,    /* one random bit is wrong on the disk, complete says 0 */
    STORAGE_FAULT_PREPARE, /* prepare fails with ENOSPC until storage_memory_heal */
};

/* storage_memory_open - an empty disk; Return: 0, -ENOMEM */
int storage_memory_open(struct storage **ret_storage);

/* storage_memory_clone - a copy of what is durable; not claimed, no faults; Return: 0, -ENOMEM */
int storage_memory_clone(struct storage *storage, struct storage **ret_storage);

/* storage_memory_delay - a write is pending for so many calls of complete without wait */
void storage_memory_delay(struct storage *storage, uint32_t polls);

/* storage_memory_hold - true: no write completes (complete with wait blocks) until false */
void storage_memory_hold(struct storage *storage, bool hold);

/* storage_memory_fault - one of the next writes goes wrong
 * @after: writes that are still fine, counted at submit
 * @seed:  for what is random in it */
void storage_memory_fault(struct storage *storage, enum storage_fault fault, uint64_t after,
                          uint64_t seed);

/* storage_memory_heal - forget all faults that have not happened yet, and let prepare succeed */
void storage_memory_heal(struct storage *storage);

/* storage_memory_crash - the power fails
 * The write in flight is torn, the claim is gone, faults and delays are forgotten. The log that
 * used the disk must then be closed (which gives up nothing any more) before the next opens it.
 * Return: whether a write was in flight */
bool storage_memory_crash(struct storage *storage, uint64_t seed);

/* storage_memory_bytes - the bytes of a file, to look at and to damage; NULL = no such file
 * @ret_bytes: its size */
uint8_t *storage_memory_bytes(struct storage *storage, const char *name, uint64_t *ret_bytes);

/* storage_memory_put - make or replace a file; Return: 0, -ENOMEM */
int storage_memory_put(struct storage *storage, const char *name, const uint8_t *bytes,
                       uint64_t size);

/* storage_memory_remove - remove a file; true if it was there */
bool storage_memory_remove(struct storage *storage, const char *name);

/* storage_memory_writes - how many writes were completed without an error */
uint64_t storage_memory_writes(struct storage *storage);

#endif
