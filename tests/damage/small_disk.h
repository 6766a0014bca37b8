/* small_disk.h - a real ext4 file system of a few MiB, mounted where a data folder should be
 *
 * It lives in a mount namespace of the test program, so the mount is gone, and the loop device
 * free, when the last of its processes has ended, however that comes about. Needs root and a loop
 * device.
 */
#ifndef USHER_TESTS_DAMAGE_SMALL_DISK_H
#define USHER_TESTS_DAMAGE_SMALL_DISK_H

#include <stdbool.h>
#include <stdint.h>

struct small_disk {
    char image[96], folder[96], filler[112];
    bool mounted;
};

/* small_disk_enter - a mount namespace of our own; once, before any thread
 * Return: whether a disk can be mounted here; says why not */
bool small_disk_enter(void);

/* small_disk_mount - make a file system in `directory`, mount it on `folder`, which is made
 * Ends the program if it cannot. */
void small_disk_mount(struct small_disk *disk, const char *directory, const char *folder,
                      uint32_t mib);
/* small_disk_unmount - nothing may be open on it; nothing if it is not mounted */
void small_disk_unmount(struct small_disk *disk);

/* small_disk_fill - a file that takes what is free, but for so many bytes */
void small_disk_fill(struct small_disk *disk, uint64_t leave_bytes);
/* small_disk_empty - remove that file */
void small_disk_empty(struct small_disk *disk);
uint64_t small_disk_free_bytes(const struct small_disk *disk);

#endif
