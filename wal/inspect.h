/* inspect.h - a log's segments one by one, for operators
 *
 * Reads only; takes no lock; works beside a running engine and on a copy. Unlike wal_recover it goes
 * on behind damage: it tells what there is, not whether the log can be believed.
 */
#ifndef USHER_WAL_INSPECT_H
#define USHER_WAL_INSPECT_H

#include "wal/error.h"
#include "wal/recovery.h"
#include "wal/storage.h"

enum wal_segment_state {
    WAL_SEGMENT_SOUND = 0, /* every block up to its end, or up to zeros */
    WAL_SEGMENT_TORN =
        1, /* ends in a torn tail that a later epoch overruled, or that is the last */
    WAL_SEGMENT_UNUSED = 2,  /* zeros: prepared ahead */
    WAL_SEGMENT_DAMAGED = 3, /* something behind its end that proves a loss, or no good header */
    WAL_SEGMENT_VERSION = 4, /* another version's */
    WAL_SEGMENT_FOREIGN = 5, /* another log's */
};

struct wal_segment_info {
    char name[WAL_FILE_NAME_BYTES];
    uint64_t number;
    uint64_t epoch;
    uint64_t file_bytes;
    uint64_t used_bytes; /* header and sound blocks */
    uint64_t first_lsn, end_lsn;
    uint64_t created_ms;                  /* header */
    uint64_t first_wall_ms, last_wall_ms; /* of sound blocks; 0: none */
    uint64_t blocks, seals, records;      /* in sequence */
    enum wal_segment_state state;
    /* What a damaged one still has behind the first bad place: blocks whose checksums are right. */
    uint64_t stray_blocks, stray_records, stray_first_lsn, stray_end_lsn;
    uint64_t bad_offset; /* of the first bad place; 0: none */
};

const char *wal_segment_state_name(uint32_t state); /* "sound", "torn", ... */

/* wal_inspect - every segment in order of its number
 * @visit: return other than 0 ends the walk
 * Return: 0, what visit returned, or <0 a wal_error_code, negated */
int wal_inspect(struct storage *storage,
                int (*visit)(void *context, const struct wal_segment_info *info), void *context,
                struct wal_error *ret_error);

/* What wal_repair would do, or has done. */
struct wal_repair_plan {
    bool needed; /* false: the log is sound, or ends in a torn tail, which needs no repair */
    struct wal_error damage;            /* what is wrong; names file, offset and LSN */
    uint64_t keep_lsn;                  /* the log will end here */
    char cut_file[WAL_FILE_NAME_BYTES]; /* rewritten with zeros behind cut_offset; empty: none */
    uint64_t cut_offset;
    uint64_t segments_set_aside;        /* whole segments behind it */
    uint64_t lost_blocks, lost_records; /* readable ones behind the damage: certainly lost */
    uint64_t lost_first_lsn, lost_end_lsn, lost_last_wall_ms; /* of those; 0: none */
    uint64_t durable_lsn; /* highest durable LSN that any sound block states: beyond keep_lsn means
                             that acknowledged decisions are lost */
};

/* wal_repair_look - what a repair would do; changes nothing */
int wal_repair_look(struct storage *storage, struct wal_repair_plan *ret_plan,
                    struct wal_error *ret_error);

/* wal_repair - make the log end before the damage. Nothing is destroyed: the damaged segment and
 * those behind it are kept as NAME.damaged (a name that no reader looks at); the log gets a copy of
 * the damaged one, cut. Claims the storage: refused beside a running engine. Interrupted at any
 * point it leaves a log that is refused as before, or is repaired; calling it again finishes it.
 * @plan: from wal_repair_look: refused if the damage is another one meanwhile
 * Return: 0; <0 */
int wal_repair(struct storage *storage, const struct wal_repair_plan *plan,
               struct wal_error *ret_error);

#endif
