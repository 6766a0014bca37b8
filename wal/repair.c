/* repair.c - make a log that recovery refuses end before the damage; see inspect.h
 *
 * Happy path: survey the log, find the first segment that cannot stay, and end the log with the one
 * before it or, where its header is good, in it: a new segment of a new epoch, with nothing but a
 * seal, states in its header where the one before it ends, as after every crash. What was behind is
 * renamed. Only a segment of a wrong size is written anew.
 *
 * Why a new epoch: the LSNs behind the cut are given out again, and who has seen the lost ones (a
 * snapshot, PostgreSQL) must be recognisable: its epoch is lower than the one that those LSNs now
 * belong to. So the new one is above all that were lost.
 *
 * Why in this order: until the last step the log is refused, after it it is sound. From the high
 * end down, or there would be a gap. Source: wal/README.md, "Repair".
 *
 * Failure modes: every step can fail or be the last one before a crash. The next wal_repair_look
 * then sees what is still to be done.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wal/inspect.h"
#include "wal/survey.h"
#include "wal/wal.h"

#define KEPT_NAME_BYTES 64u
#define KEPT_NAMES_MAX 1000u

struct repair {
    struct storage *storage;
    struct wal_repair_plan plan;
    struct wal_error *error;
    struct segment_verdict last; /* the segment that the log will end with, once `kept` */
    bool kept;                   /* at least one segment stays */
    bool broken;                 /* the first damage is found; what follows goes */
    uint64_t aside_from;         /* list index of the first segment that goes */
    uint64_t list_count;         /* segments when they were surveyed */
    uint64_t *numbers;           /* of these, owned */
    uint64_t epoch;              /* highest of all segments, those that go included */
    uint64_t wall_ms;            /* latest of all blocks, Unix ms */
    uint64_t sound_from;         /* first LSN of the segment after the last damage */
    bool behind_in_use;          /* something but unused segments goes */
    bool gap; /* numbers are missing: recovery refuses, from wherever it starts */
};

/* --- looking ---------------------------------------------------------------------------------- */

static void set_damage(struct repair *repair, const char *file, uint64_t offset,
                       const char *proof) {
    repair->broken = true;
    /* Its code is the result of wal_recover, not of this. */
    (void)wal_error_set(
        &repair->plan.damage, WAL_ERROR_CORRUPT, file, offset, repair->plan.keep_lsn,
        "the log is damaged in segment %s at offset %llu, LSN %llu: %s", file,
        (unsigned long long)offset, (unsigned long long)repair->plan.keep_lsn, proof);
}

static void set_missing(struct repair *repair, uint64_t number) {
    char name[WAL_FILE_NAME_BYTES];
    segment_name(number, name);
    repair->broken = true;
    (void)wal_error_set(&repair->plan.damage, WAL_ERROR_MISSING, name, 0, repair->plan.keep_lsn,
                        "segment %s is missing, later ones are there", name);
}

static void count_lost(struct wal_repair_plan *plan, uint64_t blocks, uint64_t records,
                       uint64_t first_lsn, uint64_t end_lsn, uint64_t last_wall_ms) {
    if (blocks == 0) return;
    if (plan->lost_blocks == 0 || first_lsn < plan->lost_first_lsn) {
        plan->lost_first_lsn = first_lsn;
    }
    if (end_lsn > plan->lost_end_lsn) plan->lost_end_lsn = end_lsn;
    if (last_wall_ms > plan->lost_last_wall_ms) plan->lost_last_wall_ms = last_wall_ms;
    plan->lost_blocks += blocks;
    plan->lost_records += records;
}

static void count_stray(struct wal_repair_plan *plan, const struct segment_verdict *verdict) {
    const struct wal_segment_info *info = &verdict->info;
    count_lost(plan, info->stray_blocks, info->stray_records, info->stray_first_lsn,
               info->stray_end_lsn, verdict->stray_last_wall_ms);
}

/* A segment before which nothing is damaged: does it stay? */
static int take_segment(struct repair *repair, uint64_t index,
                        const struct segment_verdict *verdict) {
    const struct wal_segment_info *info = &verdict->info;
    struct wal_repair_plan *plan = &repair->plan;
    if (info->state == WAL_SEGMENT_FOREIGN || info->state == WAL_SEGMENT_VERSION) {
        int code = info->state == WAL_SEGMENT_FOREIGN ? WAL_ERROR_FOREIGN : WAL_ERROR_VERSION;
        return wal_error_set(repair->error, code, info->name, 0, plan->keep_lsn,
                             "segment %s: %s. That is the wrong file, not a damaged one: put the "
                             "right one in its place, or take it out of the folder and look again",
                             info->name, info->proof);
    }
    repair->aside_from = index;
    if (info->state == WAL_SEGMENT_UNUSED) return 0;
    if (info->state == WAL_SEGMENT_DAMAGED && (!verdict->belongs || verdict->misplaced)) {
        set_damage(repair, info->name, 0, info->proof);
        return 0;
    }
    repair->last = *verdict;
    repair->kept = true;
    repair->aside_from = index + 1;
    plan->keep_lsn = info->end_lsn;
    if (info->state == WAL_SEGMENT_DAMAGED) {
        set_damage(repair, info->name, info->bad_offset, info->proof);
        count_stray(plan, verdict);
        if (verdict->odd_size) {
            memcpy(plan->cut_file, info->name, sizeof plan->cut_file);
            plan->cut_offset = info->used_bytes;
        }
    }
    return 0;
}

static void lose_segment(struct repair *repair, const struct segment_verdict *verdict) {
    const struct wal_segment_info *info = &verdict->info;
    repair->behind_in_use = repair->behind_in_use || info->state != WAL_SEGMENT_UNUSED;
    count_lost(&repair->plan, info->blocks, info->records, info->first_lsn, info->end_lsn,
               info->last_wall_ms);
    count_stray(&repair->plan, verdict);
}

static uint64_t larger(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* What can be said of a segment whatever was before it. */
static void note_segment(struct repair *repair, const struct segment_verdict *verdict) {
    repair->epoch = larger(repair->epoch, verdict->epoch);
    repair->wall_ms = larger(repair->wall_ms, verdict->info.last_wall_ms);
    repair->wall_ms = larger(repair->wall_ms, verdict->stray_last_wall_ms);
    if (verdict->durable_lsn > repair->plan.durable_lsn) {
        repair->plan.durable_lsn = verdict->durable_lsn;
    }
    if (verdict->info.state > WAL_SEGMENT_UNUSED) {
        repair->sound_from = 0;
    } else if (repair->sound_from == 0 && verdict->belongs) {
        repair->sound_from = verdict->info.first_lsn;
    }
}

static int survey_all(struct repair *repair, struct survey *survey) {
    struct segment_verdict verdicts[2];
    const struct segment_verdict *before = NULL;
    for (uint64_t i = 0; i < survey->list.count; i++) {
        struct segment_verdict *verdict = &verdicts[i % 2];
        int rc = survey_judge(survey, i, before, verdict);
        if (rc < 0) return rc;
        before = rc == 0 ? verdict : NULL;
        if (rc == SURVEY_GONE) continue; /* leaves a gap, or was the oldest */
        uint64_t number = verdict->info.number;
        if (i > 0 && number != survey->list.numbers[i - 1] + 1) {
            repair->gap = true;
            repair->behind_in_use = true; /* whatever it is: it makes the gap */
            if (!repair->broken) {
                set_missing(repair, survey->list.numbers[i - 1] + 1);
                repair->aside_from = i;
            }
        }
        note_segment(repair, verdict);
        bool behind = repair->broken;
        if (!behind) rc = take_segment(repair, i, verdict);
        if (rc < 0) return rc;
        if (behind || (repair->broken && repair->aside_from == i)) {
            lose_segment(repair, verdict);
        }
    }
    return 0;
}

/* Behind the last damage the log may be whole: then a snapshot there makes the damage harmless. */
static void check_sound_from(struct repair *repair) {
    struct wal_recovery_options options = {.from_lsn = repair->sound_from, .live = true};
    struct wal_recovery found;
    struct wal_error error;
    if (repair->sound_from == 0 || repair->gap) return;
    if (wal_recover(repair->storage, &options, &found, &error) == 0) {
        repair->plan.sound_from_lsn = repair->sound_from;
    }
}

static int look(struct repair *repair) {
    struct wal_recovery_options options = {.live = true};
    struct wal_recovery found;
    struct survey survey;
    int refused = wal_recover(repair->storage, &options, &found, repair->error);
    if (refused == 0) {
        repair->plan.keep_lsn = found.end_lsn;
        repair->plan.durable_lsn = found.durable_lsn;
        return 0;
    }
    if (refused != -WAL_ERROR_CORRUPT && refused != -WAL_ERROR_MISSING) return refused;
    struct wal_error reason = *repair->error;
    int rc = survey_open(&survey, repair->storage, repair->error);
    if (rc == 0) rc = survey_all(repair, &survey);
    repair->list_count = survey.list.count;
    repair->numbers = survey.list.numbers;
    survey.list.numbers = NULL; /* ours now */
    survey_close(&survey);
    if (rc < 0) return rc;
    if (!repair->broken || !repair->kept) {
        return wal_error_set(repair->error, reason.code, reason.file, reason.offset, reason.lsn,
                             "%.300s. No repair is possible: nothing sound is left before the "
                             "damage",
                             reason.text);
    }
    repair->plan.needed = true;
    if (repair->behind_in_use) {
        repair->plan.segments_set_aside = repair->list_count - repair->aside_from;
    }
    check_sound_from(repair);
    return 0;
}

int wal_repair_look(struct storage *storage, struct wal_repair_plan *ret_plan,
                    struct wal_error *ret_error) {
    struct repair repair = {.storage = storage, .error = ret_error};
    int rc = look(&repair);
    free(repair.numbers);
    if (rc == 0) *ret_plan = repair.plan;
    return rc;
}

/* --- repairing -------------------------------------------------------------------------------- */

/* The first name for a segment that is kept which nothing has yet. */
static int kept_name(struct repair *repair, const char *name, char ret_name[KEPT_NAME_BYTES]) {
    const struct storage_operations *disk = repair->storage->operations;
    for (uint32_t i = 1; i <= KEPT_NAMES_MAX; i++) {
        char count[16] = "";
        if (i > 1) (void)snprintf(count, sizeof count, ".%u", i);
        (void)snprintf(ret_name, KEPT_NAME_BYTES, "%s%s.damaged", name, count);
        int handle = disk->open(repair->storage, ret_name, false);
        if (handle == -ENOENT) return 0;
        if (handle < 0) {
            return wal_error_system(repair->error, -handle, name, 0, "cannot set aside segment");
        }
        disk->close(repair->storage, handle);
    }
    return wal_error_system(repair->error, EEXIST, name, 0, "cannot set aside segment");
}

/* What a file that the repair writes has from an offset on.
 * @from: a segment, where one is copied
 * Return: how many bytes are in ret_bytes, at most WAL_BLOCK_BYTES_MAX; 0 = the file ends; <0 */
typedef int fill_function(struct repair *repair, struct scan *from, uint64_t offset,
                          uint8_t *ret_bytes);

/* The last segment that stays, in the size that it must have: what is sound, then zeros. */
static int fill_copy(struct repair *repair, struct scan *from, uint64_t offset,
                     uint8_t *ret_bytes) {
    uint64_t cut = repair->plan.cut_offset;
    uint64_t left = (offset < cut ? cut : repair->last.header.segment_bytes) - offset;
    uint32_t bytes = left < WAL_BLOCK_BYTES_MAX ? (uint32_t)left : WAL_BLOCK_BYTES_MAX;
    if (offset >= cut) {
        memset(ret_bytes, 0, bytes);
        return (int)bytes;
    }
    const uint8_t *page = NULL;
    int rc = scan_page(from, offset, bytes, bytes, &page, repair->error);
    if (rc == 0) memcpy(ret_bytes, page, bytes);
    return rc == 0 ? (int)bytes : rc;
}

/* The segment that ends the log: a header and a seal. The seal keeps it in its place: one without a
 * block could be replaced at the next start, and for a moment nothing would overrule the damage. */
static int fill_end(struct repair *repair, struct scan *from, uint64_t offset, uint8_t *ret_bytes) {
    (void)from;
    if (offset > 0) return 0;
    memset(ret_bytes, 0, WAL_SEGMENT_BYTES_MIN);
    struct segment_header header = repair->last.header;
    header.number++;
    header.epoch = repair->epoch + 1;
    header.first_lsn = repair->plan.keep_lsn;
    header.chain = repair->last.chain;
    header.segment_bytes = WAL_SEGMENT_BYTES_MIN;
    header.created_ms = repair->wall_ms;
    segment_encode(&header, ret_bytes);
    uint64_t seed = segment_seed(header.log_id);
    uint8_t *block = ret_bytes + SEGMENT_HEADER_BYTES;
    struct block_header seal = {
        .epoch = header.epoch,
        .first_lsn = header.first_lsn,
        .wall_ms = repair->wall_ms,
        .durable_lsn = header.first_lsn,
        .chain = header.checksum,
        .body_checksum = block_seal_body(block, 0, seed),
    };
    block_encode_header(&seal, seed, block);
    return (int)WAL_SEGMENT_BYTES_MIN;
}

/* Write a file, or read it back and compare.
 * @parts: two of WAL_BLOCK_BYTES_MAX, aligned */
static int file_pass(struct repair *repair, struct scan *from, fill_function *fill, int to,
                     const char *name, bool compare, uint8_t *const parts[2]) {
    const struct storage_operations *disk = repair->storage->operations;
    for (uint64_t offset = 0;;) {
        int bytes = fill(repair, from, offset, parts[0]);
        if (bytes <= 0) return bytes;
        int rc = compare ? disk->read(repair->storage, to, offset, parts[1], (uint32_t)bytes)
                         : disk->write(repair->storage, to, offset, parts[0], (uint32_t)bytes);
        if (rc == 0 && compare && memcmp(parts[0], parts[1], (size_t)bytes) != 0) rc = -EIO;
        if (rc < 0) {
            return wal_error_system(repair->error, -rc, name, offset,
                                    compare ? "cannot read back" : "cannot write");
        }
        offset += (uint64_t)bytes;
    }
}

static int write_open_file(struct repair *repair, struct scan *from, fill_function *fill, int to,
                           const char *name) {
    uint8_t *bytes = aligned_alloc(WAL_BLOCK_ALIGN_BYTES, 2ul * WAL_BLOCK_BYTES_MAX);
    if (bytes == NULL) {
        return wal_error_set(repair->error, WAL_ERROR_MEMORY, NULL, 0, 0,
                             "no memory to write a segment");
    }
    uint8_t *const parts[2] = {bytes, bytes + WAL_BLOCK_BYTES_MAX};
    int rc = file_pass(repair, from, fill, to, name, false, parts);
    if (rc == 0) {
        int synced = repair->storage->operations->sync(repair->storage, to);
        if (synced < 0) rc = wal_error_system(repair->error, -synced, name, 0, "cannot flush");
    }
    if (rc == 0) rc = file_pass(repair, from, fill, to, name, true, parts);
    free(bytes);
    return rc;
}

/* A file under a name that no reader looks at, durable and read back. */
static int write_file(struct repair *repair, struct scan *from, fill_function *fill,
                      const char *name) {
    const struct storage_operations *disk = repair->storage->operations;
    int to = disk->create(repair->storage, name);
    if (to < 0) return wal_error_system(repair->error, -to, name, 0, "cannot make");
    int rc = write_open_file(repair, from, fill, to, name);
    disk->close(repair->storage, to);
    if (rc < 0) { (void)disk->remove(repair->storage, name); /* nobody reads it, if it stays */ }
    return rc;
}

static int write_copy(struct repair *repair, const char *name) {
    struct scan from;
    int rc = scan_init(&from, repair->storage, repair->error);
    if (rc < 0) return rc;
    rc = scan_open_any(&from, repair->last.info.number, repair->error);
    if (rc == 0) rc = write_file(repair, &from, fill_copy, name);
    scan_deinit(&from);
    return rc;
}

/* Keep a segment under another name.
 * @stays: also under its own, which something else takes next */
static int set_aside(struct repair *repair, const char *name, bool stays) {
    const struct storage_operations *disk = repair->storage->operations;
    char kept[KEPT_NAME_BYTES];
    int rc = kept_name(repair, name, kept);
    if (rc < 0) return rc;
    rc = stays ? disk->link(repair->storage, name, kept)
               : disk->rename(repair->storage, name, kept);
    return rc < 0 ? wal_error_system(repair->error, -rc, name, 0, "cannot set aside segment") : 0;
}

static int put_in_place(struct repair *repair, const char *temporary, const char *name) {
    int rc = repair->storage->operations->rename(repair->storage, temporary, name);
    return rc < 0 ? wal_error_system(repair->error, -rc, name, 0, "cannot put in place segment")
                  : 0;
}

static int carry_out(struct repair *repair) {
    const struct wal_repair_plan *plan = &repair->plan;
    bool copied = plan->cut_file[0] != '\0';
    char end[WAL_FILE_NAME_BYTES];
    char new_end[KEPT_NAME_BYTES];
    char new_copy[KEPT_NAME_BYTES];
    segment_name(repair->last.info.number + 1, end);
    (void)snprintf(new_end, sizeof new_end, "%s.tmp", end);
    (void)snprintf(new_copy, sizeof new_copy, "%s.tmp", plan->cut_file);
    int rc = write_file(repair, NULL, fill_end, new_end);
    if (rc == 0 && copied) rc = write_copy(repair, new_copy);
    if (rc == 0 && copied) rc = set_aside(repair, plan->cut_file, true);
    for (uint64_t i = 0; i < plan->segments_set_aside && rc == 0; i++) {
        char name[WAL_FILE_NAME_BYTES];
        segment_name(repair->numbers[repair->list_count - 1 - i], name);
        rc = set_aside(repair, name, strcmp(name, end) == 0);
    }
    if (rc == 0) rc = put_in_place(repair, new_end, end);
    if (rc == 0 && copied) rc = put_in_place(repair, new_copy, plan->cut_file);
    return rc;
}

static bool same_plan(const struct wal_repair_plan *a, const struct wal_repair_plan *b) {
    return a->needed == b->needed && a->keep_lsn == b->keep_lsn &&
           a->damage.code == b->damage.code && strcmp(a->damage.file, b->damage.file) == 0 &&
           a->damage.offset == b->damage.offset && strcmp(a->cut_file, b->cut_file) == 0 &&
           a->cut_offset == b->cut_offset && a->segments_set_aside == b->segments_set_aside &&
           a->lost_records == b->lost_records && a->lost_end_lsn == b->lost_end_lsn;
}

static int repair_claimed(struct repair *repair, const struct wal_repair_plan *plan) {
    int rc = look(repair);
    if (rc < 0) return rc;
    if (!same_plan(&repair->plan, plan)) {
        return wal_error_set(repair->error, WAL_ERROR_OPTIONS, NULL, 0, 0,
                             "the log is not in the state that it was in when the repair was "
                             "planned; nothing was changed, look at it again");
    }
    rc = carry_out(repair);
    if (rc < 0) return rc;
    struct wal_recovery_options options = {0};
    struct wal_recovery found;
    rc = wal_recover(repair->storage, &options, &found, repair->error);
    if (rc == 0 && found.end_lsn != plan->keep_lsn) {
        return wal_error_set(repair->error, WAL_ERROR_CORRUPT, NULL, 0, found.end_lsn,
                             "after the repair the log ends at LSN %llu, not %llu: the disk does "
                             "not keep what is written. The originals are the files *.damaged",
                             (unsigned long long)found.end_lsn, (unsigned long long)plan->keep_lsn);
    }
    return rc;
}

int wal_repair(struct storage *storage, const struct wal_repair_plan *plan,
               struct wal_error *ret_error) {
    if (!plan->needed) return 0;
    int rc = storage->operations->claim(storage);
    if (rc == -EWOULDBLOCK) {
        return wal_error_set(ret_error, WAL_ERROR_LOCKED, NULL, 0, 0,
                             "an engine runs on this data folder (file LOCK); stop it first");
    }
    if (rc < 0) {
        return wal_error_system(ret_error, -rc, NULL, 0, "cannot claim the data folder");
    }
    struct repair repair = {.storage = storage, .error = ret_error};
    rc = repair_claimed(&repair, plan);
    free(repair.numbers);
    storage->operations->unclaim(storage);
    return rc;
}
