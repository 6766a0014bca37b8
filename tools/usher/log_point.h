/* log_point.h - a place in the log as an operator names it: an LSN or a moment
 *
 * A moment means the LSN before the first decision that is later than it: a consistent cut through
 * all partitions, since every prefix of the log is one. Shards stamp their decisions by themselves,
 * so decisions behind the cut may bear times up to some milliseconds before the moment.
 */
#ifndef USHER_TOOLS_USHER_LOG_POINT_H
#define USHER_TOOLS_USHER_LOG_POINT_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/common/log_folder.h"
#include "tools/usher/moment.h"

#define LOG_POINT_FORM "an LSN (digits only), or a moment: " MOMENT_ISO_FORM

struct log_point {
    const char *text; /* borrowed, as given; NULL: not given */
    bool is_moment;
    uint64_t value; /* LSN, or Unix ms UTC */
};

/* log_point_parse - Return: 0; -1 not of this form (ret_point untouched) */
int log_point_parse(const char *text, struct log_point *ret_point);

enum log_point_side {
    LOG_POINT_FROM, /* where reading begins: before the log's beginning is its beginning */
    LOG_POINT_AT,   /* where a state is wanted: the log must have a decision before it, unless it
                       begins with nothing */
};

/* log_point_resolve - the LSN
 * @point:   one that was not given means `missing_lsn`
 * @ret_lsn: within the log, on success only; may be inside a record, where it was given as an LSN
 * Return: 0; -1 after saying what is wrong */
int log_point_resolve(struct log_folder *folder, const struct log_point *point,
                      enum log_point_side side, uint64_t missing_lsn, uint64_t *ret_lsn);

#endif
