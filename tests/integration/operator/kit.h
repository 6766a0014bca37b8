/* kit.h - a data folder with a history that is known by heart, and the real `usher` run on it
 *
 * The story (kit_story) is of one date, "Odesa", with six seats: 1 to 4 are section A, row 12,
 * seats 6 to 9, guids A-12-6 to A-12-9; 5 and 6 have one label, B/1/1. Times of day on 2026-11-21,
 * UTC:
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
 *   20:20:00 on   Carol charges 1 point each millisecond, KIT_CHARGES times: several segments
 *   20:30:00      every partition logs its state hash
 *
 * Thread: the test's.
 */
#ifndef USHER_TESTS_OPERATOR_KIT_H
#define USHER_TESTS_OPERATOR_KIT_H

/* clang-format off: cmocka.h needs these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <jansson.h>
#include <stdbool.h>

#include "engine/domain/partition/world.h"
#include "wal/storage/storage.h"

#define ALICE "a11ce000-0000-4000-8000-000000000001"
#define BOB "b0b00000-0000-4000-8000-000000000002"
#define DORA "d0a00000-0000-4000-8000-000000000012" /* in Bob's partition */
#define CAROL "ca401000-0000-4000-8000-000000000003"
#define DAY "2026-11-21T"
#define KIT_CHARGES 3000u
#define KIT_SEGMENT_BYTES (64u * 1024u)
#define KIT_PATH_BYTES 96u

struct kit {
    char directory[32];        /* mkdtemp; everything below is in it */
    char data[KIT_PATH_BYTES]; /* the folder with the story */
    struct world *world;       /* what the story leads to; owned */
    uint64_t end_lsn, records;
    uint64_t held_lsn;   /* just after Alice's hold of A/12/7 */
    uint64_t filler_lsn; /* just before Carol's first charge */
    /* Of the latest run of usher: */
    int status;
    char *out, *err; /* owned, terminated */
};

/* kit_setup, kit_teardown - for cmocka: the story in a folder of its own, engine stopped cleanly */
int kit_setup(void **state);
int kit_teardown(void **state);

/* usher - run the real one; `status`, `out` and `err` of the kit say what came of it FOLDER among
 * the arguments is the story's folder. USHER_RO: the folder is mounted read-only for it; status is
 * then KIT_CANNOT_MOUNT where this machine does not let us. */
#define FOLDER "{DIR}"
#define KIT_CANNOT_MOUNT 125
#define USHER(kit, ...)                                                                            \
    kit_usher(kit, false, (const char *const[]){"usher", __VA_ARGS__, NULL}, __FILE__, __LINE__)
#define USHER_RO(kit, ...)                                                                         \
    kit_usher(kit, true, (const char *const[]){"usher", __VA_ARGS__, NULL}, __FILE__, __LINE__)
void kit_usher(struct kit *kit, bool read_only, const char *const *arguments, const char *file,
               int line);

/* What the run has to have done. Failures print the run. */
#define DONE(kit) kit_status(kit, 0, __FILE__, __LINE__)
#define FAILED(kit, complaint) kit_complained(kit, 1, complaint, __FILE__, __LINE__)
#define MISUSED(kit, complaint) kit_complained(kit, 2, complaint, __FILE__, __LINE__)
#define SAYS(kit, text) kit_says(kit, text, true, __FILE__, __LINE__)
#define SAYS_NOT(kit, text) kit_says(kit, text, false, __FILE__, __LINE__)
#define PRINTS(kit, text) kit_prints(kit, text, __FILE__, __LINE__) /* exactly that */
void kit_status(const struct kit *kit, int status, const char *file, int line);
void kit_complained(const struct kit *kit, int status, const char *complaint, const char *file,
                    int line);
void kit_says(const struct kit *kit, const char *text, bool expected, const char *file, int line);
void kit_prints(const struct kit *kit, const char *text, const char *file, int line);

/* kit_json - the output as JSON, one array element a line. Return: owned by the caller */
json_t *kit_json(const struct kit *kit);
/* kit_number, kit_text - of an object; a key that is not there fails the test */
uint64_t kit_number(const json_t *object, const char *key);
const char *kit_text(const json_t *object, const char *key);

/* kit_path - a path in kit->directory. ret_path: KIT_PATH_BYTES */
void kit_path(const struct kit *kit, const char *name, char *ret_path);
/* kit_copy - copy the story's folder to another name in kit->directory, and make it {DIR} */
void kit_copy(struct kit *kit, const char *name);
/* kit_flip - flip a bit of a file below the data folder */
void kit_flip(const struct kit *kit, const char *file, uint64_t offset);
/* kit_fingerprint - of all files below the data folder: names, sizes, contents */
uint64_t kit_fingerprint(const struct kit *kit);
/* kit_trim - delete segments that lie wholly below an LSN. Return: how many went */
uint64_t kit_trim(const struct kit *kit, uint64_t keep_lsn);
/* kit_exists - is there a file of this name below the data folder? */
bool kit_exists(const struct kit *kit, const char *file);

#endif
