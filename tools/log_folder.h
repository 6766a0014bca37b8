/* log_folder.h - open a data folder's log to read it, and replay it, for the tools
 *
 * Takes no lock and writes nothing: works beside a running engine, on a stopped one's folder and on
 * a copy. Beside a running engine it reads up to where the log was when it looked.
 */
#ifndef USHER_TOOLS_LOG_FOLDER_H
#define USHER_TOOLS_LOG_FOLDER_H

#include "engine/domain/world.h"
#include "replay/recover.h"
#include "wal/recovery.h"
#include "wal/storage.h"

struct log_folder {
    struct storage *storage;   /* owned */
    struct wal_recovery state; /* as verified */
};

/* log_folder_open - verify the whole log in DIR/wal, with progress on standard error
 * Says what is wrong on standard error. Return: 0; -1 */
int log_folder_open(const char *directory, struct log_folder *ret_folder);
void log_folder_close(struct log_folder *folder);

/* log_folder_replay - replay it from nothing, with progress on standard error
 * @limit_lsn: no further than this; folder->state.end_lsn for all of it
 * @ret_world: on success only; free with world_free()
 * Says what is wrong on standard error. Return: 0; -1 */
int log_folder_replay(struct log_folder *folder, uint64_t limit_lsn, struct world **ret_world,
                      struct recover_result *ret_result);

/* money_conserved - charged = balances + reserved + spent - refunded */
bool money_conserved(const struct money_totals *money);

#endif
