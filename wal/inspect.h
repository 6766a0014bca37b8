/* inspect.h - a log's segments one by one, and the repair of a log that recovery refuses
 *
 * Looking (wal_inspect, wal_repair_look) only reads, takes no lock, works beside a running engine
 * and on a copy. Unlike wal_recover it goes on behind damage: it tells what there is, not whether
 * the log can be believed. wal_repair alone changes something.
 *
 * Any thread, one at a time.
 */
#ifndef USHER_WAL_INSPECT_H
#define USHER_WAL_INSPECT_H

#include "wal/error.h"
#include "wal/recovery.h"
#include "wal/segment_info.h"
#include "wal/storage/storage.h"

const char *wal_segment_state_name(uint32_t state); /* "sound", "torn", ... */

/* wal_inspect - every segment in order of its number
 * A segment is judged with its neighbours, as recovery does: together they say whether it is whole.
 * @visit: return other than 0 ends the walk
 * Return: 0, what visit returned, or <0 a wal_error_code, negated */
int wal_inspect(struct storage *storage,
                int (*visit)(void *context, const struct wal_segment_info *info), void *context,
                struct wal_error *ret_error);

/* What wal_repair would do. The rules are in wal/README.md, "Repair". */
struct wal_repair_plan {
    bool needed; /* false: the log is sound, or ends in a torn tail, which needs no repair */
    struct wal_error damage; /* what is wrong; names file, offset and LSN */
    uint64_t keep_lsn;       /* the log will end here */
    /* Of a wrong size: written anew with zeros behind cut_offset, the original is kept; empty: no
     * segment is. */
    char cut_file[WAL_FILE_NAME_BYTES];
    uint64_t cut_offset;
    uint64_t segments_set_aside;        /* whole segments behind it */
    uint64_t lost_blocks, lost_records; /* readable ones behind the damage: certainly lost */
    uint64_t lost_first_lsn, lost_end_lsn, lost_last_wall_ms; /* of those; 0: none */
    uint64_t durable_lsn; /* highest LSN that any sound block or header says is durable: beyond
                             keep_lsn means that acknowledged decisions are lost */
    /* From the segment that begins here to its end the log is whole; 0: it is not. An engine that
     * has a snapshot at this LSN or behind it starts as it is, and a cut would lose for nothing. */
    uint64_t sound_from_lsn;
};

/* wal_repair_look - what a repair would do; changes nothing
 * Return: 0; <0 also where no repair is possible: nothing sound is left before the damage, or the
 * file is not damaged but the wrong one (WAL_ERROR_FOREIGN, WAL_ERROR_VERSION) */
int wal_repair_look(struct storage *storage, struct wal_repair_plan *ret_plan,
                    struct wal_error *ret_error);

/* wal_repair - make the log end before the damage: a new epoch's first segment overrules the rest
 * @plan: from wal_repair_look: refused if the log is in another state meanwhile
 * Nothing is destroyed: a segment that is cut and those behind it are kept as NAME.damaged (a name
 * that no reader looks at; NAME.2.damaged and so on where there is one already). Claims the
 * storage: refused beside a running engine. Interrupted at any point it leaves a log that is
 * refused as before, or is repaired; wal_repair_look and wal_repair again finish it.
 * Return: 0; <0 */
int wal_repair(struct storage *storage, const struct wal_repair_plan *plan,
               struct wal_error *ret_error);

#endif
