/* log_replay.h - replay a log from its beginning, with a look at its snapshots on the way
 *
 * Shows progress and says what is wrong on standard error. One thread.
 */
#ifndef USHER_TOOLS_USHER_LOG_REPLAY_H
#define USHER_TOOLS_USHER_LOG_REPLAY_H

#include "tools/common/log_folder.h"

/* A snapshot that the replayed state is held against. */
struct log_checkpoint {
    struct snapshot_info info;
    struct snapshot_error error; /* code 0: it is sound; else it is not compared */
    bool reached;                /* the replay came by, and had this hash there: */
    uint64_t hash;
};

struct log_checkpoints {
    struct log_checkpoint *items; /* by LSN, ascending; owned */
    uint32_t count;
};

void log_checkpoints_add(struct log_checkpoints *all, const struct log_checkpoint *checkpoint);
void log_checkpoints_free(struct log_checkpoints *all);
/* log_checkpoints_headers - all snapshots of this log whose headers are good. Return: 0; -1 */
int log_checkpoints_headers(struct log_folder *folder, struct log_checkpoints *all);

struct log_replay {
    /* what is wanted */
    uint64_t to_lsn;
    bool from_newest;                    /* from the newest valid snapshot; else from nothing */
    struct log_checkpoints *checkpoints; /* borrowed; NULL: none */
    /* what came out; set where log_replay_run() returns 0 */
    struct snapshot_info from; /* lsn 0 and no name: from nothing */
    struct world *world;       /* owned: log_replay_free() */
    struct recover_result result;
    uint64_t elapsed_us; /* of applying the log */
};

/* log_replay_run - Where the log's beginning was deleted it begins with the oldest snapshot that
 * serves, and says so. Return: 0; -1 */
int log_replay_run(struct log_folder *folder, struct log_replay *replay);
void log_replay_free(struct log_replay *replay);

#endif
