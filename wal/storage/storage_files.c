/* storage_files.c - folders and files of the storages that have real ones
 *
 * Reads bypass the page cache like the writes do: after a failed flush the cache may hold what the
 * disk does not. Only where O_DIRECT is refused (tmpfs) does the cache come in.
 */
#include "wal/storage/storage_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/require.h"

#define ZEROS_BYTES (1024u * 1024u)
#define PAGE_BYTES 4096u
/* A device does one thing after the other: whoever comes waits for 128 KiB, not for a MiB. */
#define PACED_BYTES (128u * 1024u)
#define CLAIM_RETRIES 10
#define CLAIM_RETRY_US 10000

int storage_files_new(size_t bytes, const struct storage_operations *operations, const char *kind,
                      const char *directory, const char *folder, struct storage **ret_storage) {
    bool is_log = strcmp(folder, STORAGE_WAL) == 0;
    REQUIRE(is_log || strcmp(folder, STORAGE_SNAPSHOTS) == 0);
    int descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return -errno;
    struct storage_files *files = calloc(1, bytes);
    if (files == NULL) {
        (void)close(descriptor);
        return -ENOMEM;
    }
    files->storage.operations = operations;
    files->directory = descriptor;
    files->folder = is_log ? STORAGE_WAL : STORAGE_SNAPSHOTS;
    files->lock = -1;
    files->kind = kind;
    atomic_init(&files->buffered, false);
    *ret_storage = &files->storage;
    return 0;
}

void storage_files_destroy(struct storage *storage) {
    struct storage_files *files = (struct storage_files *)storage;
    storage_files_unclaim(storage);
    (void)close(files->directory);
    free(files);
}

void storage_files_info(struct storage *storage, struct storage_info *ret_info) {
    struct storage_files *files = (struct storage_files *)storage;
    bool buffered = atomic_load_explicit(&files->buffered, memory_order_relaxed);
    *ret_info = (struct storage_info){.kind = files->kind, .direct = !buffered};
}

int storage_files_identify(struct storage *storage, int handle,
                           struct storage_identity *ret_identity) {
    const struct storage_files *files = (const struct storage_files *)storage;
    int descriptor = handle == STORAGE_OF_DIRECTORY ? files->directory
                     : handle == STORAGE_OF_LOCK    ? files->lock
                                                    : handle;
    struct stat status;
    if (fstat(descriptor, &status) < 0) return -errno;
    *ret_identity = (struct storage_identity){
        .device = status.st_dev, .inode = status.st_ino, .links = status.st_nlink};
    return 0;
}

int storage_files_claim(struct storage *storage) {
    struct storage_files *files = (struct storage_files *)storage;
    REQUIRE(files->lock < 0);
    const char *name = strcmp(files->folder, STORAGE_WAL) == 0 ? "LOCK" : "snapshots.LOCK";
    int lock = openat(files->directory, name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (lock < 0) return -errno;
    int rc = flock(lock, LOCK_EX | LOCK_NB);
    /* Tools hold the lock for an instant: shared to ask whether an engine runs, or to sync. */
    for (int i = 0; i < CLAIM_RETRIES && rc < 0 && errno == EWOULDBLOCK; i++) {
        (void)usleep(CLAIM_RETRY_US);
        rc = flock(lock, LOCK_EX | LOCK_NB);
    }
    if (rc == 0) {
        rc = mkdirat(files->directory, files->folder, 0755);
        rc = rc < 0 && errno == EEXIST ? 0 : rc;
    }
    if (rc == 0) { rc = fsync(files->directory); /* the folder's name must outlive a crash */ }
    if (rc < 0) {
        rc = -errno;
        (void)close(lock);
        return rc;
    }
    files->lock = lock;
    return 0;
}

void storage_files_unclaim(struct storage *storage) {
    struct storage_files *files = (struct storage_files *)storage;
    if (files->lock >= 0) {
        (void)close(files->lock); /* gives the lock up; nothing was written to it */
        files->lock = -1;
    }
}

static int open_folder(struct storage_files *files) {
    int folder = openat(files->directory, files->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return folder < 0 ? -errno : folder;
}

/* Of the folder, which may be a link to another disk than DIR's. */
int storage_files_space(struct storage *storage, uint64_t *ret_bytes) {
    struct statvfs status;
    int folder = open_folder((struct storage_files *)storage);
    if (folder < 0) return folder;
    int rc = fstatvfs(folder, &status) < 0 ? -errno : 0;
    (void)close(folder);
    if (rc == 0 && status.f_blocks == 0) { rc = -ENOTSUP; /* a file system that does not count */ }
    if (rc == 0) *ret_bytes = (uint64_t)status.f_bavail * status.f_frsize;
    return rc;
}

int storage_files_list(struct storage *storage, void (*visit)(void *context, const char *name),
                       void *context) {
    int folder = open_folder((struct storage_files *)storage);
    if (folder < 0) return folder == -ENOENT ? 0 : folder;
    DIR *stream = fdopendir(folder);
    if (stream == NULL) {
        int rc = -errno;
        (void)close(folder);
        return rc;
    }
    int rc = 0;
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(stream);
        if (entry == NULL) {
            rc = -errno;
            break;
        }
        visit(context, entry->d_name);
    }
    (void)closedir(stream);
    return rc;
}

/* Open a file of the folder, without the page cache where the file system can. */
static int open_file(struct storage_files *files, const char *name, int flags) {
    char path[64];
    int length = snprintf(path, sizeof path, "%s/%s", files->folder, name);
    REQUIRE(length > 0 && (size_t)length < sizeof path);
    int handle = openat(files->directory, path, flags | O_DIRECT | O_CLOEXEC, 0644);
    if (handle < 0 && errno == EINVAL) {
        handle = openat(files->directory, path, flags | O_CLOEXEC, 0644);
        if (handle >= 0) atomic_store_explicit(&files->buffered, true, memory_order_relaxed);
    }
    return handle < 0 ? -errno : handle;
}

int storage_files_open(struct storage *storage, const char *name, bool writable) {
    return open_file((struct storage_files *)storage, name, writable ? O_RDWR | O_DSYNC : O_RDONLY);
}

void storage_files_close(struct storage *storage, int handle) {
    (void)storage;
    (void)close(handle); /* every write was synchronous and has been checked */
}

int storage_files_size(struct storage *storage, int handle, uint64_t *ret_bytes) {
    (void)storage;
    struct stat status;
    if (fstat(handle, &status) < 0) return -errno;
    *ret_bytes = (uint64_t)status.st_size;
    return 0;
}

/* --- pace: small parts, and a rest after each ------------------------------------------------- */

void storage_posix_pace(struct storage *storage, uint64_t bytes_per_second) {
    REQUIRE(bytes_per_second >= PACED_BYTES);
    ((struct storage_files *)storage)->part_ns = PACED_BYTES * 1000000000ull / bytes_per_second;
}

/* How much of what is left is read or written at once */
static size_t part(const struct storage_files *files, uint32_t left) {
    return files->part_ns > 0 && left > PACED_BYTES ? PACED_BYTES : left;
}

static void rest(const struct storage_files *files) {
    const struct timespec pause = {.tv_sec = (time_t)(files->part_ns / 1000000000u),
                                   .tv_nsec = (long)(files->part_ns % 1000000000u)};
    if (files->part_ns > 0) (void)nanosleep(&pause, NULL);
}

int storage_files_read(struct storage *storage, int handle, uint64_t offset, uint8_t *buffer,
                       uint32_t bytes) {
    const struct storage_files *files = (const struct storage_files *)storage;
    REQUIRE(offset % PAGE_BYTES == 0 && bytes % PAGE_BYTES == 0);
    uint32_t done = 0;
    while (done < bytes) {
        ssize_t count = pread(handle, buffer + done, part(files, bytes - done),
                              (off_t)(offset + done));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return -errno;
        if (count == 0) return -ENODATA;
        done += (uint32_t)count;
        rest(files);
    }
    return 0;
}

int storage_files_create(struct storage *storage, const char *name) {
    struct storage_files *files = (struct storage_files *)storage;
    if (mkdirat(files->directory, files->folder, 0755) == 0) {
        if (fsync(files->directory) < 0) return -errno;
    } else if (errno != EEXIST) {
        return -errno;
    }
    return open_file(files, name, O_RDWR | O_CREAT | O_TRUNC);
}

int storage_files_write(struct storage *storage, int handle, uint64_t offset, const uint8_t *buffer,
                        uint32_t bytes) {
    const struct storage_files *files = (const struct storage_files *)storage;
    REQUIRE(offset % PAGE_BYTES == 0 && bytes % PAGE_BYTES == 0);
    uint32_t done = 0;
    while (done < bytes) {
        ssize_t count = pwrite(handle, buffer + done, part(files, bytes - done),
                               (off_t)(offset + done));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return -errno;
        if (count == 0) return -EIO;
        done += (uint32_t)count;
        rest(files);
    }
    return 0;
}

int storage_files_rename(struct storage *storage, const char *from, const char *to) {
    int folder = open_folder((struct storage_files *)storage);
    if (folder < 0) return folder;
    int rc = renameat(folder, from, folder, to);
    if (rc == 0) rc = fsync(folder);
    if (rc < 0) rc = -errno;
    (void)close(folder);
    return rc;
}

int storage_files_link(struct storage *storage, const char *from, const char *to) {
    int folder = open_folder((struct storage_files *)storage);
    if (folder < 0) return folder;
    int rc = linkat(folder, from, folder, to, 0);
    if (rc == 0) rc = fsync(folder);
    if (rc < 0) rc = -errno;
    (void)close(folder);
    return rc;
}

static int write_zeros(int handle, uint64_t bytes) {
    uint8_t *zeros = aligned_alloc(PAGE_BYTES, ZEROS_BYTES);
    if (zeros == NULL) return -ENOMEM;
    memset(zeros, 0, ZEROS_BYTES);
    int rc = 0;
    for (uint64_t done = 0; done < bytes && rc == 0;) {
        uint64_t left = bytes - done;
        size_t part = left < ZEROS_BYTES ? (size_t)left : ZEROS_BYTES;
        ssize_t count = pwrite(handle, zeros, part, (off_t)done);
        if (count < 0) {
            rc = errno == EINTR ? 0 : -errno;
        } else if (count == 0) {
            rc = -EIO;
        } else {
            /* Short is fine here: this file counts only once all of it is written and synced. */
            done += (uint64_t)count;
        }
    }
    free(zeros);
    return rc;
}

/* Make the zeros durable under the temporary name. */
static int prepare_file(struct storage_files *files, const char *temporary, uint64_t bytes) {
    int handle = open_file(files, temporary, O_RDWR | O_CREAT | O_TRUNC);
    if (handle < 0) return handle;
    int rc = write_zeros(handle, bytes);
    if (rc == 0 && fsync(handle) < 0) rc = -errno;
    if (close(handle) < 0 && rc == 0) rc = -errno;
    return rc;
}

int storage_files_prepare(struct storage *storage, const char *name, uint64_t bytes) {
    struct storage_files *files = (struct storage_files *)storage;
    REQUIRE(files->lock >= 0);
    REQUIRE(bytes % PAGE_BYTES == 0 && strlen(name) < 48);
    char temporary[64];
    (void)snprintf(temporary, sizeof temporary, "%s.tmp", name);
    int folder = open_folder(files);
    if (folder < 0) return folder;
    (void)unlinkat(folder, temporary, 0); /* left by a crash, as a rule it is not there */
    uint64_t room = 0;
    /* Not even tried where it cannot fit: others need the last room more. */
    int rc = storage_files_space(storage, &room) == 0 && room < bytes ? -ENOSPC : 0;
    if (rc == 0) rc = prepare_file(files, temporary, bytes);
    if (rc == 0 && renameat(folder, temporary, folder, name) < 0) rc = -errno;
    if (rc == 0 && fsync(folder) < 0) rc = -errno;
    if (rc < 0) {
        (void)unlinkat(folder, temporary, 0); /* leaves the room to others; nobody reads it */
    }
    (void)close(folder);
    return rc;
}

int storage_files_remove(struct storage *storage, const char *name) {
    int folder = open_folder((struct storage_files *)storage);
    if (folder < 0) return folder;
    int rc = unlinkat(folder, name, 0);
    if (rc == 0) rc = fsync(folder);
    if (rc < 0) rc = -errno;
    (void)close(folder);
    return rc;
}

int storage_files_sync(struct storage *storage, int handle) {
    (void)storage;
    return fdatasync(handle) < 0 ? -errno : 0;
}
