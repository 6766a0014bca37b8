/* projection_attach.h - what a database says about the projection in it; shared inside replay */
#ifndef USHER_REPLAY_PROJECTION_ATTACH_H
#define USHER_REPLAY_PROJECTION_ATTACH_H

#include "replay/projection.h"
#include "replay/sql.h"
#include "replay/text.h"

struct projection_found {
    bool exists; /* false: the rest is 0 */
    long version;
    char log_id[TEXT_UUID_BYTES];
    uint64_t epoch; /* of the run that projected last */
    uint64_t applied_lsn, decisions;
};

/* projection_look_up - read the state row. Return: enum sql_result */
int projection_look_up(struct sql *sql, struct projection_found *ret_found);

/* projection_is_ours - of this schema version, and of this log
 * @log_id:   NULL: any log
 * @ret_text: where it is not: what to do; PROJECTION_TEXT_BYTES */
bool projection_is_ours(const struct projection_found *found, const char *log_id, char *ret_text);

/* projection_create_schema - unless another engine was faster. Return: enum sql_result */
int projection_create_schema(struct sql *sql, const char *log_id, uint64_t epoch,
                             struct projection_found *ret_found);

#endif
