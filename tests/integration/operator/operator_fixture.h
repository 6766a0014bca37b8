/* operator_fixture.h - a data folder with a history that is known by heart, and the real `usher`
 * run on it
 *
 * What happened in it stands in known_history.h.
 *
 * Thread: the test's.
 */
#ifndef USHER_TESTS_INTEGRATION_OPERATOR_OPERATOR_FIXTURE_H
#define USHER_TESTS_INTEGRATION_OPERATOR_OPERATOR_FIXTURE_H

/* clang-format off: cmocka.h needs these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <jansson.h>
#include <stdbool.h>

#include "tests/integration/operator/known_history.h"
#include "wal/storage/storage.h"

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
