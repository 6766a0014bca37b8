/* storage.h - what the log needs from a disk, as a struct of functions
 *
 * One write is in flight at a time: submit, then complete. A storage is bound to one data folder
 * and to one folder in it when it is opened: "wal" or "snapshots". Three implementations: io_uring
 * (the engine), pwrite (snapshots; tools that intercept system calls), and memory (tests,
 * simulator). File names are plain names inside that folder.
 *
 * Threads: submit and complete belong to the log writer. prepare and remove belong to one other
 * thread each. open, read, size, list, close may be called by any number of readers at once.
 * Errors are negative errno values: the caller knows what it was doing and finds the words.
 */
#ifndef USHER_WAL_STORAGE_STORAGE_H
#define USHER_WAL_STORAGE_STORAGE_H

#include <stdbool.h>
#include <stdint.h>

struct storage;

struct storage_info {
    const char *kind; /* "io_uring", "posix", "memory" */
    bool direct;      /* writes bypass the page cache (O_DIRECT); false on tmpfs and the like */
};

enum { STORAGE_PENDING = 1 };

/* Which file it is, whatever it is called. */
struct storage_identity {
    uint64_t device, inode;
    uint64_t links; /* names that it has; 0: it was removed */
};
/* Instead of a handle, for identify: DIR itself, and the file of the lock (while claimed). */
enum { STORAGE_OF_DIRECTORY = -1, STORAGE_OF_LOCK = -2 };

struct storage_operations {
    /* claim - make the folder if it is not there and become its only writer
     * Return: 0; -EWOULDBLOCK if another process or storage has it */
    int (*claim)(struct storage *storage);
    /* unclaim - the opposite; nothing if not claimed */
    void (*unclaim)(struct storage *storage);
    /* list - call visit for every name, in any order; an absent folder is an empty one */
    int (*list)(struct storage *storage, void (*visit)(void *context, const char *name),
                void *context);
    /* open - return a handle >= 0, or -errno
     * @writable: for submit; else for read, size, sync */
    int (*open)(struct storage *storage, const char *name, bool writable);
    void (*close)(struct storage *storage, int handle);
    int (*size)(struct storage *storage, int handle, uint64_t *ret_bytes);
    /* read - exactly that many bytes, or -ENODATA where the file ends before
     * @offset, @bytes, @buffer: multiples of 4096 */
    int (*read)(struct storage *storage, int handle, uint64_t offset, uint8_t *buffer,
                uint32_t bytes);
    /* prepare - make a file full of zeros, durable, in one step: under a temporary name, synced,
     * renamed over whatever had the name, directory synced */
    int (*prepare)(struct storage *storage, const char *name, uint64_t bytes);
    /* remove - delete a file, durably: the folder is synced before this returns */
    int (*remove)(struct storage *storage, const char *name);
    /* submit - start the one write; the buffer is borrowed until complete says 0 or an error */
    int (*submit)(struct storage *storage, int handle, uint64_t offset, const uint8_t *buffer,
                  uint32_t bytes);
    /* complete - the one write is durable, all of it
     * Return: 0; STORAGE_PENDING (only if !wait); -errno, -EIO also for a short write */
    int (*complete)(struct storage *storage, bool wait);
    /* sync - flush what was written through any handle of that file, by any process */
    int (*sync)(struct storage *storage, int handle);
    /* create - a file for write, emptied if it exists; the folder itself is made if it is not there
     * Return: a handle >= 0, or -errno */
    int (*create)(struct storage *storage, const char *name);
    /* write - exactly that many bytes, durable after sync; for files that nobody reads yet. By any
     * one thread; has nothing to do with the one write of submit.
     * @offset, @bytes, @buffer: multiples of 4096 */
    int (*write)(struct storage *storage, int handle, uint64_t offset, const uint8_t *buffer,
                 uint32_t bytes);
    /* rename - durably, over whatever has the name; the file was synced before */
    int (*rename)(struct storage *storage, const char *from, const char *to);
    /* link - give a file a second name, durably; both stay when the other is renamed over or
     * removed
     * Return: 0; -EEXIST if something has that name already; -errno */
    int (*link)(struct storage *storage, const char *from, const char *to);
    void (*info)(struct storage *storage, struct storage_info *ret_info);
    /* identify - which file a handle, or one of STORAGE_OF_..., is
     * Return: 0; -errno; -ENOTSUP where files have no identity */
    int (*identify)(struct storage *storage, int handle, struct storage_identity *ret_identity);
    /* space - how many bytes of new files there is room for; any thread
     * Return: 0; -errno; -ENOTSUP where nobody knows */
    int (*space)(struct storage *storage, uint64_t *ret_bytes);
    /* destroy - free everything; no write in flight any more, or it is abandoned */
    void (*destroy)(struct storage *storage);
};

/* Implementations embed this as their first member. */
struct storage {
    const struct storage_operations *operations;
};

#define STORAGE_WAL "wal"
#define STORAGE_SNAPSHOTS "snapshots"

/* storage_uring_open, storage_posix_open - bind to a data folder
 * @directory:   the data folder; must exist; copied
 * @folder:      STORAGE_WAL or STORAGE_SNAPSHOTS: DIR/wal is locked by DIR/LOCK, DIR/snapshots by
 *               DIR/snapshots.LOCK
 * @ret_storage: free with operations->destroy
 * Reads nothing, writes nothing, takes no lock: a tool can use it beside a running engine.
 * storage_uring sets up its ring at claim, on first use as a writer.
 * Return: 0; -errno */
int storage_uring_open(const char *directory, const char *folder, struct storage **ret_storage);
int storage_posix_open(const char *directory, const char *folder, struct storage **ret_storage);

/* storage_posix_pace - from now on read and write in small parts with a rest after each, so that
 * others hardly wait for the device; for a reader beside a running engine
 * @bytes_per_second: at most so many, 128 KiB or more */
void storage_posix_pace(struct storage *storage, uint64_t bytes_per_second);

#endif
