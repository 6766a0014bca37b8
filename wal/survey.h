/* survey.h - every segment of a log judged with its neighbours; private to inspect.c and repair.c
 *
 * Happy path: survey_open, survey_judge for index 0, 1, ... each with the verdict on the one
 * before, survey_close. The rules are those of recovery, but a segment that breaks them is
 * described, and the next one judged.
 */
#ifndef USHER_WAL_SURVEY_H
#define USHER_WAL_SURVEY_H

#include "wal/scan.h"
#include "wal/segment_info.h"

struct survey {
    struct segment_list list; /* gaps and all */
    uint64_t used;            /* segments up to the last one with a good header */
    bool log_known;           /* some header is good: it says which log this is */
    uint8_t log_id[WAL_LOG_ID_BYTES];
    struct scan scan;
    struct scan ahead; /* for the headers of others */
    struct wal_error *error;
};

struct segment_verdict {
    struct wal_segment_info info;
    struct segment_header header; /* if belongs */
    bool belongs;         /* a good header of this log, version and number, with a possible size */
    bool misplaced;       /* it belongs, but does not go on where the one before it has ended */
    bool odd_size;        /* it belongs, but the file has not the size that its header states */
    bool whole;           /* the next one must go on exactly where it ends */
    uint64_t chain;       /* reached */
    uint64_t durable_lsn; /* highest that it states, behind damage, too */
    uint64_t epoch;       /* highest that a good header of its own or of a stray block states */
    uint64_t stray_last_wall_ms;
};

/* survey_open - list the segments and read the headers; close with survey_close, also on failure
 * @error: filled in by all that fails, until survey_close */
int survey_open(struct survey *survey, struct storage *storage, struct wal_error *error);
void survey_close(struct survey *survey);

enum { SURVEY_GONE = 1 };

/* survey_judge - judge one segment
 * @index:  in survey->list
 * @before: of the one before it in the list; NULL = none
 * Return: 0; SURVEY_GONE (deleted since it was listed); <0 */
int survey_judge(struct survey *survey, uint64_t index, const struct segment_verdict *before,
                 struct segment_verdict *ret_verdict);

#endif
