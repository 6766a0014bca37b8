/* storage_uring.c - the storage that writes with io_uring; the only file that knows liburing
 *
 * Happy path: submit puts one write into the ring, complete waits for it and demands that all of
 * it was written. The file has O_DSYNC, so a completed write is durable.
 *
 * Failure modes: an error, and a short write (-EIO), are the end of that log; nothing is retried.
 * A wait interrupted by a signal is not an error.
 *
 * One write in flight: submissions have no order among each other, and here there is no other.
 */
#include <errno.h>
#include <liburing.h>

#include "wal/storage/storage_files.h"
#include "engine/base/limits.h"
#include "engine/base/require.h"

struct storage_uring {
    struct storage_files files;
    struct io_uring ring; /* if ring_ready; the writer's thread */
    bool ring_ready;
    bool in_flight;        /* submitted, not completed */
    uint32_t flight_bytes; /* length of that write */
};

static int uring_claim(struct storage *storage) {
    struct storage_uring *uring = (struct storage_uring *)storage;
    int rc = storage_files_claim(storage);
    if (rc < 0) return rc;
    rc = io_uring_queue_init(2, &uring->ring, 0);
    if (rc < 0) {
        storage_files_unclaim(storage);
        return rc;
    }
    uring->ring_ready = true;
    return 0;
}

static int uring_submit(struct storage *storage, int handle, uint64_t offset, const uint8_t *buffer,
                        uint32_t bytes) {
    struct storage_uring *uring = (struct storage_uring *)storage;
    REQUIRE(uring->ring_ready && !uring->in_flight);
    REQUIRE(bytes > 0 && bytes <= WAL_BLOCK_BYTES_MAX);
    struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);
    REQUIRE(sqe != NULL); /* the queue has two places, and nothing is in flight */
    io_uring_prep_write(sqe, handle, buffer, bytes, offset);
    int count;
    do { count = io_uring_submit(&uring->ring); } while (count == -EINTR);
    if (count != 1) return count < 0 ? count : -EIO;
    uring->in_flight = true;
    uring->flight_bytes = bytes;
    return 0;
}

static int uring_complete(struct storage *storage, bool wait) {
    struct storage_uring *uring = (struct storage_uring *)storage;
    REQUIRE(uring->in_flight);
    struct io_uring_cqe *cqe = NULL;
    int rc;
    do {
        rc = wait ? io_uring_wait_cqe(&uring->ring, &cqe) : io_uring_peek_cqe(&uring->ring, &cqe);
    } while (rc == -EINTR);
    if (rc == -EAGAIN && !wait) return STORAGE_PENDING;
    if (rc < 0) return rc;
    int written = cqe->res;
    io_uring_cqe_seen(&uring->ring, cqe);
    uring->in_flight = false;
    if (written < 0) return written;
    return (uint32_t)written == uring->flight_bytes ? 0 : -EIO;
}

static void uring_unclaim(struct storage *storage) {
    struct storage_uring *uring = (struct storage_uring *)storage;
    if (uring->ring_ready) {
        if (uring->in_flight) {
            (void)uring_complete(storage, true); /* abandoned; only its buffer must be free */
        }
        io_uring_queue_exit(&uring->ring);
        uring->ring_ready = false;
        uring->in_flight = false;
    }
    storage_files_unclaim(storage);
}

static void uring_destroy(struct storage *storage) {
    uring_unclaim(storage);
    storage_files_destroy(storage);
}

static const struct storage_operations uring_operations = {
    .claim = uring_claim,
    .unclaim = uring_unclaim,
    .submit = uring_submit,
    .complete = uring_complete,
    .destroy = uring_destroy,
    STORAGE_FILES_OPERATIONS,
};

int storage_uring_open(const char *directory, const char *folder, struct storage **ret_storage) {
    return storage_files_new(sizeof(struct storage_uring), &uring_operations, "io_uring", directory,
                             folder, ret_storage);
}
