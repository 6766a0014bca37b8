/* storage_files.h - folders and files, for the storages that have real ones
 *
 * All of storage_operations but submit and complete. Embedded as the first member by the storages
 * that add those two.
 */
#ifndef USHER_WAL_STORAGE_FILES_H
#define USHER_WAL_STORAGE_FILES_H

#include "wal/storage.h"

#include <stdatomic.h>

struct storage_files {
    struct storage storage;
    int directory;         /* descriptor of DIR */
    const char *folder;    /* STORAGE_WAL or STORAGE_SNAPSHOTS */
    int lock;              /* descriptor of the folder's lock while claimed; -1 = not */
    _Atomic bool buffered; /* a file had to be opened without O_DIRECT; any thread */
};

/* storage_files_init - open DIR
 * @folder: STORAGE_WAL or STORAGE_SNAPSHOTS
 * Return: 0, -errno */
int storage_files_init(struct storage_files *files, const char *directory, const char *folder);
void storage_files_deinit(struct storage_files *files);

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

#endif
