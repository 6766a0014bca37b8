/* trim.c - delete the segments that nobody needs any more; see trim.h
 *
 * A segment may go when it begins below keep_lsn, and the one after it is in use and begins at or
 * below keep_lsn. Lowest first, and each deletion durable before the next: a crash in between
 * leaves no gap in the numbers.
 *
 * One that begins at keep_lsn stays even where it has no block: a reader that stands at keep_lsn,
 * at the end of the one before, goes on with the next number.
 */
#include "wal/trim.h"

#include <stddef.h>

#include "wal/scan.h"

/* @first_lsn: of the segment; changed to that of the next one
 * Return: 1 (may go), 0 (must stay, and so must all after it), <0 */
static int may_go(struct scan *next, uint64_t next_number, uint64_t keep_lsn, uint64_t *first_lsn,
                  struct wal_error *ret_error) {
    uint64_t own_lsn = *first_lsn;
    int rc = scan_open(next, next_number, ret_error);
    if (rc < 0) return rc;
    if (next->state != SEGMENT_USED) return 0;
    *first_lsn = next->header.first_lsn;
    return own_lsn < keep_lsn && *first_lsn <= keep_lsn;
}

static int show_nobody(void *context, const char *name) {
    (void)context;
    (void)name;
    return 0;
}

static int trim_list(struct scan *next, const struct segment_list *list, uint64_t keep_lsn,
                     int (*before)(void *context, const char *name), void *context,
                     uint64_t *removed, struct wal_error *ret_error) {
    uint64_t first_lsn = 0;
    if (list->count > 0) { /* one that was never used stays: nothing after it is in use */
        int rc = scan_open(next, list->numbers[0], ret_error);
        if (rc < 0) return rc;
        if (next->state != SEGMENT_USED) return 0;
        first_lsn = next->header.first_lsn;
    }
    for (uint64_t i = 0; i + 1 < list->count; i++) {
        int rc = may_go(next, list->numbers[i + 1], keep_lsn, &first_lsn, ret_error);
        if (rc <= 0) return rc;
        char name[WAL_FILE_NAME_BYTES];
        segment_name(list->numbers[i], name);
        rc = before(context, name);
        if (rc != 0) return rc;
        rc = next->storage->operations->remove(next->storage, name);
        if (rc < 0) return wal_error_system(ret_error, -rc, name, 0, "cannot delete segment");
        (*removed)++;
    }
    return 0;
}

int wal_trim(struct storage *storage, uint64_t keep_lsn, uint64_t *ret_removed,
             struct wal_error *ret_error) {
    return wal_trim_with(storage, keep_lsn, show_nobody, NULL, ret_removed, ret_error);
}

int wal_trim_with(struct storage *storage, uint64_t keep_lsn,
                  int (*before)(void *context, const char *name), void *context,
                  uint64_t *ret_removed, struct wal_error *ret_error) {
    *ret_removed = 0;
    struct segment_list list;
    int rc = segment_list_read(storage, &list, ret_error);
    if (rc < 0) return rc;
    struct scan next;
    rc = scan_init(&next, storage, ret_error);
    if (rc == 0) {
        rc = trim_list(&next, &list, keep_lsn, before, context, ret_removed, ret_error);
        scan_deinit(&next);
    }
    segment_list_free(&list);
    return rc;
}
