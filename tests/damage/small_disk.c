/* small_disk.c - see small_disk.h */
#include "tests/damage/small_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/require.h"
#include "tests/process/common.h"

#define ARGUMENTS_MAX 12

/* Run a program to its end, quietly. Return: its exit status; -1 if it could not run */
static int run(const char *const arguments[ARGUMENTS_MAX]) {
    char *copies[ARGUMENTS_MAX] = {0};
    int status = -1;
    for (int i = 0; arguments[i]; i++) copies[i] = strdup(arguments[i]);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        if (null < 0 || dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0) _exit(126);
        execvp(copies[0], copies);
        _exit(127);
    }
    while (waitpid(pid, &status, 0) < 0) REQUIRE(errno == EINTR);
    for (int i = 0; copies[i]; i++) free(copies[i]);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int make_and_mount(struct small_disk *disk, const char *directory, const char *folder,
                          uint32_t mib) {
    *disk = (struct small_disk){0};
    (void)snprintf(disk->image, sizeof disk->image, "%.80s/disk.image", directory);
    (void)snprintf(disk->folder, sizeof disk->folder, "%.95s", folder);
    (void)snprintf(disk->filler, sizeof disk->filler, "%.95s/filler", folder);
    int file = open(disk->image, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || ftruncate(file, (off_t)mib << 20) != 0) return -1;
    (void)close(file); /* nothing was written through it */
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) return -1;
    /* No blocks kept back for root, so that free means free. */
    if (run((const char *[ARGUMENTS_MAX]){"mke2fs", "-q", "-F", "-t", "ext4", "-m", "0",
                                          disk->image}) != 0 ||
        run((const char *[ARGUMENTS_MAX]){"mount", "-o", "loop", disk->image, folder}) != 0) {
        return -1;
    }
    disk->mounted = true;
    return 0;
}

bool small_disk_enter(void) {
    struct small_disk disk;
    char directory[] = "/tmp/usher-disk-XXXXXX", folder[64];
    const char *why = NULL;
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        note("no mount namespace: %s", strerror(errno));
        return false;
    }
    REQUIRE(mkdtemp(directory) != NULL);
    (void)snprintf(folder, sizeof folder, "%s/on", directory);
    if (make_and_mount(&disk, directory, folder, 16) != 0) why = "mke2fs or mount failed";
    small_disk_unmount(&disk);
    (void)unlink(disk.image); /* only leftovers in /tmp, as the next two */
    (void)rmdir(folder);
    (void)rmdir(directory);
    if (why) note("no small disk: %s", why);
    return why == NULL;
}

void small_disk_mount(struct small_disk *disk, const char *directory, const char *folder,
                      uint32_t mib) {
    REQUIRE(make_and_mount(disk, directory, folder, mib) == 0);
}

void small_disk_unmount(struct small_disk *disk) {
    if (disk->mounted && umount2(disk->folder, MNT_DETACH) != 0) {
        note("cannot unmount %s: %s", disk->folder, strerror(errno));
    }
    disk->mounted = false;
}

uint64_t small_disk_free_bytes(const struct small_disk *disk) {
    struct statvfs about;
    REQUIRE(statvfs(disk->folder, &about) == 0);
    return (uint64_t)about.f_bavail * about.f_frsize;
}

/* In small steps, until nothing more goes: a file system's own bookkeeping takes room as well. */
void small_disk_fill(struct small_disk *disk, uint64_t leave_bytes) {
    static const uint8_t zeros[4096];
    int file = open(disk->filler, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    REQUIRE(file >= 0);
    while (small_disk_free_bytes(disk) > leave_bytes) {
        if (write(file, zeros, 1024) != 1024 || fsync(file) != 0) break;
        uint64_t left = small_disk_free_bytes(disk);
        if (left > leave_bytes + (128u << 10)) { /* far away: a stride */
            uint64_t stride = left - leave_bytes - (64u << 10);
            for (uint64_t i = 0; i < stride / sizeof zeros; i++) {
                if (write(file, zeros, sizeof zeros) < 0) break;
            }
        }
    }
    (void)close(file); /* synced */
}

void small_disk_empty(struct small_disk *disk) { REQUIRE(unlink(disk->filler) == 0); }
