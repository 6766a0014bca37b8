/* operator_fixture.h - a data folder with a history that is known by heart, and the real `usher`
 * run on it
 *
 * The history (known_history.c) is of one date, "Odesa", with six seats: 1 to 4 are section A, row
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
 *   20:20:00 on   Carol charges 1 point each millisecond, OPERATOR_CHARGES times: several segments
 *   20:30:00      every partition logs its state hash
 *
 * Thread: the test's.
 */
#ifndef USHER_TESTS_OPERATOR_FIXTURE_H
#define USHER_TESTS_OPERATOR_FIXTURE_H

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
#define OPERATOR_CHARGES 3000u
#define OPERATOR_SEGMENT_BYTES (64u * 1024u)
#define OPERATOR_PATH_BYTES 96u

struct operator_fixture {
    char directory[32];             /* mkdtemp; everything below is in it */
    char data[OPERATOR_PATH_BYTES]; /* the folder with the history */
    struct world *world;            /* what the history leads to; owned */
    uint64_t end_lsn, records;
    uint64_t held_lsn;   /* just after Alice's hold of A/12/7 */
    uint64_t filler_lsn; /* just before Carol's first charge */
    /* Of the latest run of usher: */
    int status;
    char *out, *err; /* owned, terminated */
};

/* operator_setup, operator_teardown - for cmocka: the history in a folder of its own, engine
 * stopped cleanly */
int operator_setup(void **state);
int operator_teardown(void **state);

/* usher - run the real one; `status`, `out` and `err` of the fixture say what came of it FOLDER
 * among the arguments is the history's folder. USHER_RO: the folder is mounted read-only for it;
 * status is then OPERATOR_CANNOT_MOUNT where this machine does not let us. */
#define FOLDER "{DIR}"
#define OPERATOR_CANNOT_MOUNT 125
#define USHER(fixture, ...)                                                                        \
    operator_usher(fixture, false, (const char *const[]){"usher", __VA_ARGS__, NULL}, __FILE__,    \
                   __LINE__)
#define USHER_RO(fixture, ...)                                                                     \
    operator_usher(fixture, true, (const char *const[]){"usher", __VA_ARGS__, NULL}, __FILE__,     \
                   __LINE__)
void operator_usher(struct operator_fixture *fixture, bool read_only, const char *const *arguments,
                    const char *file, int line);

/* What the run has to have done. Failures print the run. */
#define DONE(fixture) operator_status(fixture, 0, __FILE__, __LINE__)
#define FAILED(fixture, complaint) operator_complained(fixture, 1, complaint, __FILE__, __LINE__)
#define MISUSED(fixture, complaint) operator_complained(fixture, 2, complaint, __FILE__, __LINE__)
#define SAYS(fixture, text) operator_says(fixture, text, true, __FILE__, __LINE__)
#define SAYS_NOT(fixture, text) operator_says(fixture, text, false, __FILE__, __LINE__)
#define PRINTS(fixture, text) operator_prints(fixture, text, __FILE__, __LINE__) /* exactly that */
void operator_status(const struct operator_fixture *fixture, int status, const char *file,
                     int line);
void operator_complained(const struct operator_fixture *fixture, int status, const char *complaint,
                         const char *file, int line);
void operator_says(const struct operator_fixture *fixture, const char *text, bool expected,
                   const char *file, int line);
void operator_prints(const struct operator_fixture *fixture, const char *text, const char *file,
                     int line);

/* operator_json - the output as JSON, one array element a line. Return: owned by the caller */
json_t *operator_json(const struct operator_fixture *fixture);
/* operator_number, operator_text - of an object; a key that is not there fails the test */
uint64_t operator_number(const json_t *object, const char *key);
const char *operator_text(const json_t *object, const char *key);

/* operator_path - a path in fixture->directory. ret_path: OPERATOR_PATH_BYTES */
void operator_path(const struct operator_fixture *fixture, const char *name, char *ret_path);
/* operator_copy - copy the history's folder to another name in fixture->directory, and make it
 * {DIR}
 * */
void operator_copy(struct operator_fixture *fixture, const char *name);
/* operator_flip - flip a bit of a file below the data folder */
void operator_flip(const struct operator_fixture *fixture, const char *file, uint64_t offset);
/* operator_fingerprint - of all files below the data folder: names, sizes, contents */
uint64_t operator_fingerprint(const struct operator_fixture *fixture);
/* operator_trim - delete segments that lie wholly below an LSN. Return: how many went */
uint64_t operator_trim(const struct operator_fixture *fixture, uint64_t keep_lsn);
/* operator_exists - is there a file of this name below the data folder? */
bool operator_exists(const struct operator_fixture *fixture, const char *file);

#endif
