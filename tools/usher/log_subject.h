/* log_subject.h - the seat, user or reservation that a command asks about, ready to be followed
 *
 * Brings together what that takes: a world to find the seat in and to name seats by, a follower,
 * and where the log's beginning was deleted, what an old snapshot knows of it. One thread.
 */
#ifndef USHER_TOOLS_USHER_LOG_SUBJECT_H
#define USHER_TOOLS_USHER_LOG_SUBJECT_H

#include "replay/tell/follow.h"
#include "tools/common/log_folder.h"
#include "tools/usher/usher_arguments.h"

struct log_subject {
    struct subject subject;
    struct follow *follow; /* owned; NULL where the subject is none */
    struct world *world;   /* owned; as of the LSN given; may be NULL if it was not wanted */
};

/* log_subject_open - for the decisions from the log's beginning to an LSN
 * @wants_world: fill in `world` in any case
 * Return: 0; -1 after saying what is wrong */
int log_subject_open(struct log_folder *folder, const struct usher_arguments *arguments,
                     uint64_t to_lsn, bool wants_world, struct log_subject *ret_subject);
void log_subject_close(struct log_subject *subject);

#endif
