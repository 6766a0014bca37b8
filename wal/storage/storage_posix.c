/* storage_posix.c - the storage that writes with pwrite
 *
 * The same files and flags as the io_uring storage, but with system calls that fault-injecting
 * tools can see. A write is done within submit; complete reports how it went.
 */
#include <errno.h>
#include <unistd.h>

#include "wal/storage/storage_files.h"
#include "engine/base/require.h"

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
    (void)wait;
    struct storage_posix *posix = (struct storage_posix *)storage;
    REQUIRE(posix->in_flight);
    posix->in_flight = false;
    return posix->result;
}

static const struct storage_operations posix_operations = {
    .claim = storage_files_claim,
    .unclaim = storage_files_unclaim,
    .submit = posix_submit,
    .complete = posix_complete,
    .destroy = storage_files_destroy,
    STORAGE_FILES_OPERATIONS,
};

int storage_posix_open(const char *directory, const char *folder, struct storage **ret_storage) {
    return storage_files_new(sizeof(struct storage_posix), &posix_operations, "posix", directory,
                             folder, ret_storage);
}
