/* trim.h - delete the segments that nobody needs any more
 *
 * May run beside the writer and readers, on one thread at a time: it never touches the last segment
 * in use. A reader that stands in a deleted segment finishes it.
 */
#ifndef USHER_WAL_TRIM_H
#define USHER_WAL_TRIM_H

#include <stdint.h>

#include "wal/error.h"
#include "wal/storage/storage.h"

/* wal_trim - delete from the low end
 * @storage:     the one of the running log, or claimed by the caller
 * @keep_lsn:    the lowest LSN that somebody may still want to start reading from: the smallest of
 *               verified snapshot, PostgreSQL's applied LSN, archive
 * @ret_removed: segments deleted; also set on failure
 * Return: 0, <0
 * Source: wal/README.md, "Deleting old segments" */
int wal_trim(struct storage *storage, uint64_t keep_lsn, uint64_t *ret_removed,
             struct wal_error *ret_error);

/* wal_trim_with - the same, and each segment is shown before it goes: to copy it elsewhere
 * @before: anything but 0 leaves the segment and all after it, and is returned
 * Return: 0, what before returned, <0 */
int wal_trim_with(struct storage *storage, uint64_t keep_lsn,
                  int (*before)(void *context, const char *name), void *context,
                  uint64_t *ret_removed, struct wal_error *ret_error);

#endif
