/* testimony.h - what the clients were told, held against what the log says
 *
 * Both ways: everything acknowledged is in the log, and the log has no sale and no charge that
 * nobody was told of (so every worker must have found out every outcome before it ends).
 */
#ifndef USHER_TESTS_PROCESS_TESTIMONY_H
#define USHER_TESTS_PROCESS_TESTIMONY_H

#include "tests/oracle/oracle.h"
#include "tests/process/diary.h"

/* The engine's clock is the machine's, read at another moment, and both are cut to milliseconds. */
#define TESTIMONY_CLOCK_MS 25u

struct testimony {
    struct oracle *oracle;
    struct diary_entry *entries; /* of all processes */
    uint32_t count;
    uint32_t told[16]; /* entries by kind */
};

/* testimony_read - all diaries of the folder */
void testimony_read(struct testimony *testimony, const char *directory, uint32_t processes,
                    struct oracle *oracle);
void testimony_free(struct testimony *testimony);

/* testimony_check - complaints go to the oracle
 * @every_refusal: no answer was lost, so refusals agree one by one, with their moments (R4) */
void testimony_check(struct testimony *testimony, bool every_refusal);

/* testimony_check_owners - from the clients' own records alone: no seat has two owners */
void testimony_check_owners(struct testimony *testimony);

/* testimony_check_order - who had a place before another one asked is before that one (Q2) */
void testimony_check_order(struct testimony *testimony);

#endif
