/* crowd_options.h - what one gateway process of a crowd is told, and the limits of a crowd */
#ifndef USHER_TOOLS_CROWD_CROWD_OPTIONS_H
#define USHER_TOOLS_CROWD_CROWD_OPTIONS_H

#include <stdint.h>

#define CROWD_DATES_MAX 64u
#define CROWD_ERRORS_MAX 128u /* numbers of error.def are below; checked in crowd.c */

struct crowd_options {
    const char *url;
    uint32_t concert;                /* 0: the dates below */
    uint32_t dates[CROWD_DATES_MAX]; /* where concert is 0 */
    uint32_t date_count;
    uint64_t seed;
    uint32_t first_index; /* of this crowd's fans among all crowds of a run */
    uint32_t fans;        /* from 1 */
    uint32_t arrival_ms;  /* they arrive within this time */
    uint32_t timeout_ms;  /* give up after this */
};

#endif
