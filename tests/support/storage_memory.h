/* storage_memory.h - a disk in memory that delays, tears, fails and crashes on command
 *
 * For tests and the simulator. One storage is one folder. What a completed write has covered is
 * durable; the one write in flight is not there at all until it is completed, or torn by a crash:
 * any subset of its 512-byte sectors may have landed. What was written with `write` can be read at
 * once, but until `sync` a crash leaves any subset of its sectors and any length between the old
 * one and the new one. The name of a file that `create` made is durable once anything was renamed,
 * removed or prepared; before that a crash may take the file away. Everything random comes from
 * seeds given by the caller.
 *
 * All functions may be called from any thread. The disk lives on over crashes and logs, until
 * operations->destroy.
 */
#ifndef USHER_TESTS_SUPPORT_STORAGE_MEMORY_H
#define USHER_TESTS_SUPPORT_STORAGE_MEMORY_H

#include "wal/storage/storage.h"

#define STORAGE_MEMORY_SECTOR_BYTES 512u

enum storage_fault {
    STORAGE_FAULT_NONE = 0,
    /* One write, by submit or by `write`; where submit only starts it, complete says how it
     * went. */
    STORAGE_FAULT_SUBMIT,    /* submit, or `write`, fails with EAGAIN; nothing has landed */
    STORAGE_FAULT_FAIL,      /* fails with EIO; a random part has landed */
    STORAGE_FAULT_SHORT,     /* a short write: the first half has landed, fails with EIO */
    STORAGE_FAULT_DROP,      /* the disk lies: nothing landed, says 0 */
    STORAGE_FAULT_TEAR,      /* the disk lies: a random part landed, says 0 */
    STORAGE_FAULT_FLIP,      /* one random bit is wrong on the disk, says 0 */
    STORAGE_FAULT_MISDIRECT, /* all of it landed at another multiple of 4096 of that file, says 0; a
                                file without another place for it loses it */
    /* Others. */
    STORAGE_FAULT_PREPARE, /* prepare fails with ENOSPC until storage_memory_heal */
    STORAGE_FAULT_FULL, /* create, `write` and prepare fail with ENOSPC until storage_memory_heal;
                              what exists can be written by submit */
    STORAGE_FAULT_READ, /* one read fails with EIO */
    STORAGE_FAULT_SYNC, /* one sync fails with EIO; a random part of what it was to flush landed,
                              and nobody remembers the rest */
};

/* storage_memory_open - an empty disk; Return: 0, -ENOMEM */
int storage_memory_open(struct storage **ret_storage);

/* storage_memory_clone - a copy of what is durable; not claimed, no faults; Return: 0, -ENOMEM */
int storage_memory_clone(struct storage *storage, struct storage **ret_storage);

/* storage_memory_delay - a write is pending for so many calls of complete without wait */
void storage_memory_delay(struct storage *storage, uint32_t polls);

/* storage_memory_hold - true: no write completes (complete with wait blocks) until false */
void storage_memory_hold(struct storage *storage, bool hold);

/* storage_memory_fault - one of the next operations goes wrong
 * @after: operations of that kind that are still fine: writes (at submit and `write`), reads,
 *         syncs, or whatever takes room (FULL); PREPARE knows no after
 * @seed:  for what is random in it
 * One fault at a time: a new one takes the place of one that has not happened yet. PREPARE and FULL
 * stand beside it. */
void storage_memory_fault(struct storage *storage, enum storage_fault fault, uint64_t after,
                          uint64_t seed);

/* storage_memory_heal - forget all faults that have not happened yet, and let there be room
 * again */
void storage_memory_heal(struct storage *storage);

/* storage_memory_crash - the power fails
 * The write in flight and what was not synced is torn, the claim is gone, faults and delays are
 * forgotten. Until the next claim whatever would change the disk fails with EIO; reading goes on,
 * for the tests. The log that used the disk must then be closed (which gives up nothing any more)
 * before the next opens it.
 * Return: whether a write was in flight */
bool storage_memory_crash(struct storage *storage, uint64_t seed);

/* storage_memory_crash_in - the power fails in the middle of one of the next operations that change
 * the disk: submit, create, write, sync, rename, link, remove, prepare
 * @after: how many of them are still done whole
 * That operation has happened or not, as the seed has it, and fails with EIO.
 * storage_memory_crashed() tells; heal and crash forget it. */
void storage_memory_crash_in(struct storage *storage, uint64_t after, uint64_t seed);

/* storage_memory_crashed - the power has failed and nobody has claimed the disk since */
bool storage_memory_crashed(struct storage *storage);

/* storage_memory_bytes - the bytes of a file, to look at and to damage; NULL = no such file
 * @ret_bytes: its size */
uint8_t *storage_memory_bytes(struct storage *storage, const char *name, uint64_t *ret_bytes);

/* storage_memory_put - make or replace a file, durably; Return: 0, -ENOMEM */
int storage_memory_put(struct storage *storage, const char *name, const uint8_t *bytes,
                       uint64_t size);

/* storage_memory_remove - remove a file; true if it was there */
bool storage_memory_remove(struct storage *storage, const char *name);

/* storage_memory_writes - how many writes were completed without an error, by submit or `write` */
uint64_t storage_memory_writes(struct storage *storage);

#endif
