/* known_history.h - a history that is known by heart, written with the real log
 *
 * It is of one date, "Odesa", with six seats: 1 to 4 are section A, row
 * 12, seats 6 to 9, guids A-12-6 to A-12-9; 5 and 6 have one label, B/1/1. Times of day on
 * 2026-11-21, UTC:
 *
 *   19:00:00      concert, date and seats      19:30:00 on sale
 *   20:00:00      Alice enters and is admitted  20:00:01 Bob, too
 *   20:00:02      Dora enters and charges 10 points, Carol enters: both go on waiting
 *   20:00:03.250  Alice holds A/12/7 until 20:05:03.250 (reservation 1-1, 120 points)
 *   20:00:03.300  Bob wants it: SEAT_TAKEN
 *   20:05:03.250  Alice's hold expires
 *   20:05:10      Bob holds A/12/7 and A/12/8 (1-2, 240 points); Alice A/12/9 (1-3, 120)
 *   20:06:00      Bob pays with an empty wallet: refused
 *   20:06:10      Bob charges 1000; 20:06:20 pays (1-2 sold, his token ends)
 *   20:07:00      Alice's active time is over: 1-3 expires with it
 *   20:10:00      Bob gives 1-2 back and is refunded
 *   20:20:00 on   Carol charges 1 point each millisecond, KNOWN_CHARGES times: several segments
 *   20:30:00      every partition logs its state hash
 */
#ifndef USHER_TESTS_INTEGRATION_OPERATOR_KNOWN_HISTORY_H
#define USHER_TESTS_INTEGRATION_OPERATOR_KNOWN_HISTORY_H

#include "engine/domain/partition/world.h"

#define ALICE "a11ce000-0000-4000-8000-000000000001"
#define BOB "b0b00000-0000-4000-8000-000000000002"
#define DORA "d0a00000-0000-4000-8000-000000000012" /* in Bob's partition */
#define CAROL "ca401000-0000-4000-8000-000000000003"
#define DAY "2026-11-21T"
#define KNOWN_CHARGES 3000u
#define KNOWN_SEGMENT_BYTES (64u * 1024u)

struct known_history_marks {
    uint64_t end_lsn, records;
    uint64_t held_lsn;   /* just after Alice's hold of A/12/7 */
    uint64_t filler_lsn; /* just before Carol's first charge */
};

/* known_history_write - into a data folder that exists
 * @ret_world: what it leads to; free with world_free() */
void known_history_write(const char *directory, struct world **ret_world,
                         struct known_history_marks *ret_marks);

#endif
