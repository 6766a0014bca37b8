/* projection_report.h - the daemon tells about PostgreSQL: words on standard error, figures for
 * system.stats
 *
 * Happy path: projection_report_start once, projection_report_step about once a second, as long as
 * the daemon runs.
 * Failure modes: none of its own; what goes wrong with PostgreSQL is what it tells.
 * Thread: the daemon's main thread.
 * Source: replay/postgres/README.md, "When PostgreSQL is away"
 */
#ifndef USHER_TOOLS_USHERD_PROJECTION_REPORT_H
#define USHER_TOOLS_USHERD_PROJECTION_REPORT_H

#include "net/protocol/figures.h"
#include "replay/postgres/projection_watch.h"
#include "wal/wal.h"

struct projection_report {
    struct projection_watch watch;
    uint64_t start_lsn, start_decisions; /* of the log, when this run began; about */
};

/* projection_report_start - say so if another machine or folder has projected last
 * @projected_by: as projection_applied_lsn() told; "" if PostgreSQL did not
 * @place:        of this run, as others will see it */
void projection_report_start(const char *projected_by, const char *place);

/* projection_report_step - look, tell, put down the figures
 * @status:  of the projection, as just read
 * @figures: those of the map `projection` are set
 * Reads the log's counters after the status, as the watch wants it. */
void projection_report_step(struct projection_report *report,
                            const struct projection_status *status, const struct wal *wal,
                            uint64_t now_ms, struct process_figures *figures);

#endif
