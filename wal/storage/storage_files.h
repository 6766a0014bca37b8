/* storage_files.h - folders and files, for the storages that have real ones
 *
 * All of storage_operations but submit and complete. Embedded as the first member by the storages
 * that add those two.
 */
#ifndef USHER_WAL_STORAGE_STORAGE_FILES_H
#define USHER_WAL_STORAGE_STORAGE_FILES_H

#include <stdatomic.h>
#include <stddef.h>

#include "wal/storage/storage.h"

struct storage_files {
    struct storage storage;
    int directory;         /* descriptor of DIR */
    const char *folder;    /* STORAGE_WAL or STORAGE_SNAPSHOTS */
    int lock;              /* descriptor of the folder's lock while claimed; -1 = not */
    const char *kind;      /* for info */
    _Atomic bool buffered; /* a file had to be opened without O_DIRECT; any thread */
    uint64_t part_ns;      /* storage_posix_pace: how long a part may take at least; 0 = no pace */
};

/* storage_files_new - make a storage that begins with a struct storage_files
 * @bytes:     size of that storage; the rest of it is zero
 * @kind:      of storage_info; static text
 * @directory: DIR
 * @folder:    STORAGE_WAL or STORAGE_SNAPSHOTS
 * Return: 0, -errno */
int storage_files_new(size_t bytes, const struct storage_operations *operations, const char *kind,
                      const char *directory, const char *folder, struct storage **ret_storage);

/* The operations, as in storage.h. */
int storage_files_claim(struct storage *storage);
void storage_files_unclaim(struct storage *storage);
int storage_files_list(struct storage *storage, void (*visit)(void *context, const char *name),
                       void *context);
int storage_files_open(struct storage *storage, const char *name, bool writable);
void storage_files_close(struct storage *storage, int handle);
int storage_files_size(struct storage *storage, int handle, uint64_t *ret_bytes);
int storage_files_read(struct storage *storage, int handle, uint64_t offset, uint8_t *buffer,
                       uint32_t bytes);
int storage_files_prepare(struct storage *storage, const char *name, uint64_t bytes);
int storage_files_remove(struct storage *storage, const char *name);
int storage_files_sync(struct storage *storage, int handle);
int storage_files_create(struct storage *storage, const char *name);
int storage_files_write(struct storage *storage, int handle, uint64_t offset, const uint8_t *buffer,
                        uint32_t bytes);
int storage_files_rename(struct storage *storage, const char *from, const char *to);
int storage_files_link(struct storage *storage, const char *from, const char *to);
void storage_files_info(struct storage *storage, struct storage_info *ret_info);
int storage_files_identify(struct storage *storage, int handle,
                           struct storage_identity *ret_identity);
int storage_files_space(struct storage *storage, uint64_t *ret_bytes);
void storage_files_destroy(struct storage *storage);

/* Those that no storage does in its own way, for its table. */
#define STORAGE_FILES_OPERATIONS                                                                   \
    .list = storage_files_list, .open = storage_files_open, .close = storage_files_close,          \
    .size = storage_files_size, .read = storage_files_read, .prepare = storage_files_prepare,      \
    .remove = storage_files_remove, .sync = storage_files_sync, .create = storage_files_create,    \
    .write = storage_files_write, .rename = storage_files_rename, .link = storage_files_link,      \
    .info = storage_files_info, .identify = storage_files_identify, .space = storage_files_space

#endif
