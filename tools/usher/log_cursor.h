/* log_cursor.h - the decisions of a log from one LSN to another, for the tools
 *
 * Reading begins with the segment that holds the first LSN. Shows its progress on standard error.
 * What goes wrong is said there, too. One thread.
 */
#ifndef USHER_TOOLS_USHER_LOG_CURSOR_H
#define USHER_TOOLS_USHER_LOG_CURSOR_H

#include "engine/domain/decision.h"
#include "tools/common/log_folder.h"
#include "tools/common/progress.h"
#include "wal/reader.h"

struct log_cursor {
    const char *directory;     /* borrowed; for complaints */
    struct wal_reader *reader; /* owned */
    uint64_t from_lsn, to_lsn;
    uint64_t lsn; /* just after the latest decision; before the first: where reading begins */
    struct decision decision; /* the latest; its texts live until the next call */
    struct progress progress;
    uint32_t unshown; /* decisions since progress was shown */
};

enum { LOG_CURSOR_END = 1 };

/* log_cursor_open - decisions whose LSN is above from_lsn and not above to_lsn
 * @folder: borrowed; outlives the cursor
 * @from_lsn, to_lsn: any numbers, within a record means its beginning; within the log's ends
 * Return: 0; -1 */
int log_cursor_open(struct log_folder *folder, uint64_t from_lsn, uint64_t to_lsn,
                    struct log_cursor *ret_cursor);
void log_cursor_close(struct log_cursor *cursor);

/* log_cursor_next - the next one, in cursor->decision
 * Return: 0; LOG_CURSOR_END; -1 */
int log_cursor_next(struct log_cursor *cursor);

#endif
