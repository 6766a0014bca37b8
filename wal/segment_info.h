/* segment_info.h - what there is to say of one segment of a log: what wal_inspect shows of it, and
 * what survey.h judges
 */
#ifndef USHER_WAL_SEGMENT_INFO_H
#define USHER_WAL_SEGMENT_INFO_H

#include <stdint.h>

#include "wal/error.h"

/* Numbers are printed and documented: append only. */
enum wal_segment_state {
    WAL_SEGMENT_SOUND = 0,   /* every block up to its end, or up to zeros */
    WAL_SEGMENT_TORN = 1,    /* ends in a torn write: a later epoch overrules it, or the next start
                                will; beside a running engine also a write on its way */
    WAL_SEGMENT_UNUSED = 2,  /* no good header, and nothing behind it: prepared ahead */
    WAL_SEGMENT_DAMAGED = 3, /* something proves that blocks are lost, or it is not readable, or not
                                the one that follows the segment before it */
    WAL_SEGMENT_VERSION = 4, /* another version's */
    WAL_SEGMENT_FOREIGN = 5, /* another log's, or one that was renamed or copied over */
};

struct wal_segment_info {
    char name[WAL_FILE_NAME_BYTES];
    uint64_t number;     /* of the name; a gap in the numbers is a segment that is missing */
    uint64_t epoch;      /* this and the next three: 0 without a good header */
    uint64_t created_ms; /* Unix ms */
    uint64_t first_lsn, end_lsn; /* of the sound blocks in sequence */
    uint64_t file_bytes;         /* size of the file */
    uint64_t used_bytes;         /* header and sound blocks */
    uint64_t first_wall_ms;      /* of sound blocks; 0: none */
    uint64_t last_wall_ms;       /* likewise */
    uint64_t blocks;             /* with records, in sequence; so `records` and `seals` */
    uint64_t seals, records;
    enum wal_segment_state state;
    /* What a damaged one still has behind its sequence: blocks whose checksums are right, seals not
     * counted; the LSNs span all of them. */
    uint64_t stray_blocks, stray_records, stray_first_lsn, stray_end_lsn;
    uint64_t bad_offset; /* of the first bad place, if damaged; 0: the segment as a whole */
    const char *proof;   /* why it is damaged; static text; NULL: it is not */
};

#endif
