/* storage_posix.c - the storage that writes with pwrite
 *
 * The same files and flags as the io_uring storage, but with system calls that fault-injecting
 * tools can see. A write is done within submit; complete reports how it went.
 */
#include "wal/storage_files.h"

#include "engine/require.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct storage_posix {
    struct storage_files files;
    bool in_flight; /* submitted, not completed; writer's thread */
    int result;     /* of the write: 0, -errno */
};

static int posix_submit(struct storage *storage, int handle, uint64_t offset, const uint8_t *buffer,
                        uint32_t bytes) {
    struct storage_posix *posix = (struct storage_posix *)storage;
    REQUIRE(!posix->in_flight);
    ssize_t count;
    do {
        /* An interrupted pwrite has written nothing. */
        count = pwrite(handle, buffer, bytes, (off_t)offset);
    } while (count < 0 && errno == EINTR);
    posix->result = count < 0 ? -errno : (size_t)count == bytes ? 0 : -EIO;
    posix->in_flight = true;
    return 0;
}

static int posix_complete(struct storage *storage, bool wait) {
    (void)wait; /* it is done */
    struct storage_posix *posix = (struct storage_posix *)storage;
    REQUIRE(posix->in_flight);
    posix->in_flight = false;
    return posix->result;
}

static void posix_info(struct storage *storage, struct storage_info *ret_info) {
    struct storage_files *files = (struct storage_files *)storage;
    bool buffered = atomic_load_explicit(&files->buffered, memory_order_relaxed);
    *ret_info = (struct storage_info){.kind = "posix", .direct = !buffered};
}

static void posix_destroy(struct storage *storage) {
    storage_files_deinit((struct storage_files *)storage);
    free(storage);
}

static const struct storage_operations posix_operations = {
    .claim = storage_files_claim,
    .unclaim = storage_files_unclaim,
    .list = storage_files_list,
    .open = storage_files_open,
    .close = storage_files_close,
    .size = storage_files_size,
    .read = storage_files_read,
    .prepare = storage_files_prepare,
    .remove = storage_files_remove,
    .submit = posix_submit,
    .complete = posix_complete,
    .sync = storage_files_sync,
    .create = storage_files_create,
    .write = storage_files_write,
    .rename = storage_files_rename,
    .link = storage_files_link,
    .info = posix_info,
    .destroy = posix_destroy,
};

int storage_posix_open(const char *directory, const char *folder, struct storage **ret_storage) {
    struct storage_posix *posix = calloc(1, sizeof *posix);
    if (posix == NULL) { return -ENOMEM; }
    posix->files.storage.operations = &posix_operations;
    int rc = storage_files_init(&posix->files, directory, folder);
    if (rc < 0) {
        free(posix);
        return rc;
    }
    *ret_storage = &posix->files.storage;
    return 0;
}
