/* logs.h - one log with everything in it that a log can have, and every kind of damage to it
 *
 * Segments of 64 KiB, records of 3000 bytes, one a block:
 *
 *   number epoch  first LSN  blocks  ends
 *        1     1          0      15  full
 *        2     1      45000      15  full
 *        3     1      90000       1  sealed
 *        4     2      93000       5  torn by a crash
 *        5     3     108000       4  end of the log, LSN 120000, not sealed
 *        6                            prepared, unused
 */
#ifndef USHER_TESTS_UNIT_WAL_LOGS_H
#define USHER_TESTS_UNIT_WAL_LOGS_H

#include "tests/unit/wal/wal_fixture.h"

#define LOGS_SEGMENTS 6u
#define LOGS_END_LSN 120000u
#define LOGS_RECORD_BYTES 3000u

/* What a repair is to find, where one is possible. */
struct logs_repair {
    int refused;         /* wal_error_code of wal_repair_look; 0 = none */
    bool needed;         /* if not, recovery accepts the log */
    uint64_t keep_lsn;   /* end of the log, repaired or as it is */
    uint64_t cut_number; /* segment; 0 = none */
    uint64_t cut_offset;
    uint64_t aside; /* segments */
    uint64_t lost_records;
    uint64_t sound_from_lsn;
};

struct logs_damage {
    const char *name;
    void (*apply)(struct storage *disk);
    const char *states; /* one letter a segment that is there, see logs_state_letter */
    struct logs_repair repair;
};

extern const struct logs_damage logs_damages[];
extern const size_t logs_damage_count;

/* A fixture whose log is closed. */
void logs_write(struct wal_fixture *fixture);

char logs_state_letter(uint32_t state); /* S T U D V F */

#endif
