/* snapshot_retain.c - what is not needed any more goes: old snapshots, and old segments of the log
 *
 * Happy path: find the newest valid snapshots; remove those before them, oldest first; then segment
 * by segment from the low end: copy to the archive, sync, read back, rename; only then delete.
 * Interrupted anywhere, what is left is: a log from some segment on without gaps, a valid snapshot
 * at or after its beginning, and an archive that has every segment that is gone.
 * Failure modes: fewer valid ones than are to be kept, or one beyond the log's end: nothing is
 * removed. The archive is full, fails, or has another file of that name: the segment stays.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/require.h"
#include "replay/snapshot/snapshot.h"
#include "replay/snapshot/snapshot_file.h"
#include "wal/trim.h"

#define COPY_BYTES (1024u * 1024u)

struct archiving {
    struct storage *log;
    struct storage *archive; /* NULL: segments just go */
    uint8_t *bytes;          /* COPY_BYTES each, aligned */
    uint8_t *other;
    struct snapshot_error *error;
};

static int fail(struct archiving *archiving, int system_error, const char *name, const char *what) {
    return snapshot_error_system(archiving->error, system_error, name, what);
}

/* One part of a file that is open. */
static int copy_part(struct archiving *archiving, int from, int to, uint64_t offset, uint32_t bytes,
                     const char *name) {
    struct storage *log = archiving->log, *archive = archiving->archive;
    int rc = log->operations->read(log, from, offset, archiving->bytes, bytes);
    if (rc < 0) return fail(archiving, -rc, name, "cannot read segment");
    rc = archive->operations->write(archive, to, offset, archiving->bytes, bytes);
    return rc < 0 ? fail(archiving, -rc, name, "cannot write to the archive a copy of segment") : 0;
}

/* Return: 0 equal, 1 not, <0 */
static int compare_part(struct archiving *archiving, int from, int to, uint64_t offset,
                        uint32_t bytes, const char *name) {
    struct storage *log = archiving->log, *archive = archiving->archive;
    int rc = log->operations->read(log, from, offset, archiving->bytes, bytes);
    if (rc < 0) return fail(archiving, -rc, name, "cannot read segment");
    rc = archive->operations->read(archive, to, offset, archiving->other, bytes);
    if (rc == -ENODATA) return 1;
    if (rc < 0) return fail(archiving, -rc, name, "cannot read the archive's copy of segment");
    return memcmp(archiving->bytes, archiving->other, bytes) != 0;
}

/* Is the file of that name in the archive the segment? Return: 0 yes, 1 no, -ENOENT: there is
 * none, other <0 */
static int compare(struct archiving *archiving, int from, uint64_t size, const char *in_archive) {
    struct storage *archive = archiving->archive;
    uint64_t other_size = 0;
    int to = archive->operations->open(archive, in_archive, false);
    if (to == -ENOENT) return to;
    int rc = to < 0 ? to : archive->operations->size(archive, to, &other_size);
    if (rc < 0) {
        rc = fail(archiving, -rc, in_archive, "cannot open the archive's copy of segment");
    } else if (other_size != size) {
        rc = 1;
    }
    for (uint64_t offset = 0; offset < size && rc == 0; offset += COPY_BYTES) {
        uint32_t part = size - offset < COPY_BYTES ? (uint32_t)(size - offset) : COPY_BYTES;
        rc = compare_part(archiving, from, to, offset, part, in_archive);
    }
    if (to >= 0) archive->operations->close(archive, to);
    return rc;
}

static int copy(struct archiving *archiving, int from, uint64_t size, const char *temporary) {
    struct storage *archive = archiving->archive;
    int to = archive->operations->create(archive, temporary);
    if (to < 0) return fail(archiving, -to, temporary, "cannot make in the archive");
    int rc = 0;
    for (uint64_t offset = 0; offset < size && rc == 0; offset += COPY_BYTES) {
        uint32_t part = size - offset < COPY_BYTES ? (uint32_t)(size - offset) : COPY_BYTES;
        rc = copy_part(archiving, from, to, offset, part, temporary);
    }
    if (rc == 0) {
        rc = archive->operations->sync(archive, to);
        if (rc < 0) rc = fail(archiving, -rc, temporary, "cannot sync in the archive");
    }
    archive->operations->close(archive, to);
    return rc;
}

/* Make sure that the archive has the segment, whole and durable. */
static int archive_open_segment(struct archiving *archiving, int from, const char *name) {
    struct storage *archive = archiving->archive;
    char temporary[WAL_FILE_NAME_BYTES + 4];
    uint64_t size;
    int rc = archiving->log->operations->size(archiving->log, from, &size);
    if (rc < 0) return fail(archiving, -rc, name, "cannot open segment");
    rc = compare(archiving, from, size, name);
    if (rc == 0) return 0; /* an earlier run was interrupted just before the deletion */
    if (rc == 1) {
        return snapshot_error_set(archiving->error, SNAPSHOT_IO, name, 0,
                                  "the archive has another %s: is it the archive of another log? "
                                  "Name another folder; nothing was deleted",
                                  name);
    }
    if (rc != -ENOENT) return rc;
    (void)snprintf(temporary, sizeof temporary, "%s.tmp", name);
    rc = copy(archiving, from, size, temporary);
    if (rc == 0) rc = compare(archiving, from, size, temporary);
    if (rc == 1) {
        rc = snapshot_error_set(archiving->error, SNAPSHOT_IO, name, 0,
                                "the archive's disk gave back another %s than was written; nothing "
                                "was deleted",
                                temporary);
    }
    if (rc == 0) {
        rc = archive->operations->rename(archive, temporary, name);
        if (rc < 0) rc = fail(archiving, -rc, temporary, "cannot rename in the archive");
    }
    if (rc < 0) (void)archive->operations->remove(archive, temporary); /* nobody reads it */
    return rc;
}

/* wal_trim_with's: the segment is about to go. */
static int archive_segment(void *context, const char *name) {
    struct archiving *archiving = context;
    if (!archiving->archive) return 0;
    struct storage *log = archiving->log;
    int from = log->operations->open(log, name, false);
    if (from < 0) return fail(archiving, -from, name, "cannot open segment");
    int rc = archive_open_segment(archiving, from, name);
    log->operations->close(log, from);
    return rc;
}

static int trim(struct storage *log, uint64_t keep_lsn, struct storage *archive,
                uint64_t *ret_removed, struct snapshot_error *ret_error) {
    struct archiving archiving = {.log = log, .archive = archive, .error = ret_error};
    struct wal_error error = {.code = 0};
    int rc = 0;
    if (archive) {
        archiving.bytes = aligned_alloc(WAL_BLOCK_ALIGN_BYTES, COPY_BYTES);
        archiving.other = aligned_alloc(WAL_BLOCK_ALIGN_BYTES, COPY_BYTES);
        if (!archiving.bytes || !archiving.other) {
            rc = snapshot_error_set(ret_error, SNAPSHOT_RESOURCES, NULL, 0,
                                    "not enough memory to archive segments");
        }
    }
    if (rc == 0) {
        rc = wal_trim_with(log, keep_lsn, archive_segment, &archiving, ret_removed, &error);
        if (rc < 0 && error.code != 0) { /* not ours */
            rc = snapshot_error_set(ret_error, SNAPSHOT_LOG, NULL, 0, "%s", error.text);
        }
    }
    free(archiving.bytes);
    free(archiving.other);
    return rc;
}

static int trim_claimed(struct storage *log, uint64_t keep_lsn, struct storage *archive,
                        uint64_t *ret_removed, struct snapshot_error *ret_error) {
    if (!archive) return trim(log, keep_lsn, NULL, ret_removed, ret_error);
    int rc = archive->operations->claim(archive);
    if (rc < 0) {
        return snapshot_error_system(ret_error, -rc, NULL,
                                     rc == -EWOULDBLOCK
                                         ? "another process uses the folder of the archive"
                                         : "cannot use the folder of the archive");
    }
    rc = trim(log, keep_lsn, archive, ret_removed, ret_error);
    archive->operations->unclaim(archive);
    return rc;
}

/* The newest snapshots that may be relied on.
 * @ret_oldest: LSN of the last one of at most `keep`
 * @ret_count:  how many there are, at most `keep` */
static int find_kept(struct storage *log, struct storage *snapshots,
                     const struct snapshot_names *names, const uint8_t *log_id, uint32_t keep,
                     uint64_t *ret_oldest, uint32_t *ret_count, struct snapshot_error *ret_error) {
    *ret_count = 0;
    for (uint64_t i = 0; i < names->count && *ret_count < keep; i++) {
        char name[SNAPSHOT_NAME_BYTES];
        struct snapshot_error error;
        struct snapshot_info info;
        snapshot_name(names->lsns[i], name);
        int rc = snapshot_check(snapshots, name, log_id, &info, NULL, &error);
        if (rc == 0) rc = snapshot_check_history(log, &info, &error);
        if (rc == -SNAPSHOT_RESOURCES) {
            *ret_error = error;
            return rc;
        }
        if (rc < 0) continue; /* does not count; what is wrong is told when it is to be loaded */
        *ret_oldest = names->lsns[i];
        (*ret_count)++;
    }
    return 0;
}

/* Ours, and older than what is kept: sound or not, it goes. Another log's or another history's
 * stays where it is, for somebody to look at. */
static bool may_go(struct storage *log, struct storage *snapshots, const char *name,
                   const uint8_t *log_id) {
    struct snapshot_reader reader;
    struct snapshot_error error;
    int rc = snapshot_reader_open(&reader, snapshots, name, &error);
    bool ours = memcmp(reader.info.log_id, log_id, WAL_LOG_ID_BYTES) == 0;
    ours = ours && (rc < 0 || snapshot_check_history(log, &reader.info, &error) == 0);
    snapshot_reader_close(&reader);
    return rc == 0 ? ours : rc == -SNAPSHOT_DAMAGED;
}

static int remove_old(struct storage *log, struct storage *snapshots,
                      const struct snapshot_names *names, uint64_t oldest_lsn,
                      const uint8_t *log_id, uint64_t *removed, struct snapshot_error *ret_error) {
    for (uint64_t i = names->count; i-- > 0 && names->lsns[i] < oldest_lsn;) {
        char name[SNAPSHOT_NAME_BYTES];
        snapshot_name(names->lsns[i], name);
        if (!may_go(log, snapshots, name, log_id)) continue;
        int rc = snapshots->operations->remove(snapshots, name);
        if (rc < 0 && rc != -ENOENT) {
            return snapshot_error_system(ret_error, -rc, name, "cannot remove snapshot");
        }
        (*removed)++;
    }
    return 0;
}

/* What log this is, and that no snapshot knows more of it than it does itself. */
static int look(struct storage *log, struct storage *snapshots, struct wal_recovery *ret_recovery,
                struct snapshot_error *ret_error) {
    const struct wal_recovery_options options = {.from_lsn = UINT64_MAX, .live = true};
    struct wal_error error;
    struct snapshot_info witness;
    if (wal_recover(log, &options, ret_recovery, &error) < 0) {
        return snapshot_error_set(ret_error, SNAPSHOT_LOG, NULL, 0, "%s", error.text);
    }
    if (!ret_recovery->log_exists) {
        return snapshot_error_set(ret_error, SNAPSHOT_LOG, NULL, 0,
                                  "there is no log in the folder; nothing was removed");
    }
    int rc = snapshot_witness(snapshots, ret_recovery->log_id, &witness, ret_error);
    if (rc < 0 || witness.lsn <= ret_recovery->end_lsn) return rc;
    return snapshot_error_set(ret_error, SNAPSHOT_LOG, witness.name, 0,
                              "the log ends at LSN %" PRIu64
                              ", but %s knows more of it: the log has lost decisions. Restore it "
                              "from a copy; if they are given up, move that snapshot away. Nothing "
                              "was removed",
                              ret_recovery->end_lsn, witness.name);
}

static int retain(struct storage *log, struct storage *snapshots,
                  const struct snapshot_retention *retention, uint64_t *removed_snapshots,
                  uint64_t *removed_segments, struct snapshot_error *ret_error) {
    struct wal_recovery recovery;
    struct snapshot_names names;
    uint64_t keep_lsn = 0;
    uint32_t kept = 0;
    int rc = look(log, snapshots, &recovery, ret_error);
    if (rc == 0) rc = snapshot_names_read(snapshots, &names, ret_error);
    if (rc < 0) return rc;
    rc = find_kept(log, snapshots, &names, recovery.log_id, retention->keep, &keep_lsn, &kept,
                   ret_error);
    bool enough = rc == 0 && kept == retention->keep;
    if (enough) {
        rc = remove_old(log, snapshots, &names, keep_lsn, recovery.log_id, removed_snapshots,
                        ret_error);
    }
    snapshot_names_free(&names);
    if (rc < 0 || !enough || !retention->delete_log) return rc;
    if (retention->applied_lsn < keep_lsn) keep_lsn = retention->applied_lsn;
    return trim_claimed(log, keep_lsn, retention->archive, removed_segments, ret_error);
}

int snapshot_retain(struct storage *log, struct storage *snapshots,
                    const struct snapshot_retention *retention, uint64_t *ret_removed_snapshots,
                    uint64_t *ret_removed_segments, struct snapshot_error *ret_error) {
    REQUIRE(retention->keep >= 1);
    *ret_removed_snapshots = 0;
    *ret_removed_segments = 0;
    int rc = snapshot_claim(snapshots, ret_error);
    if (rc < 0) return rc;
    rc = retain(log, snapshots, retention, ret_removed_snapshots, ret_removed_segments, ret_error);
    snapshots->operations->unclaim(snapshots);
    return rc;
}
