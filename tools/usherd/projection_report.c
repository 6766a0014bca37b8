/* projection_report.c - see projection_report.h */
#include "tools/usherd/projection_report.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/require.h"
#include "tools/common/complain.h"

static void put(_Atomic uint64_t *figure, uint64_t value) {
    atomic_store_explicit(figure, value, memory_order_relaxed);
}

/* What is not plain in a place is written as '?' (projection_attach.c). */
static bool is_elsewhere(const char *by, const char *place) {
    if (*by++ != '\'') return false; /* nobody has projected yet */
    for (; *place; place++, by++) {
        if (*by != *place && *by != '?') return true;
    }
    return *by != '\'';
}

void projection_report_start(const char *projected_by, const char *place) {
    REQUIRE(projected_by && place);
    if (!is_elsewhere(projected_by, place) || strncmp(projected_by, "'unknown'", 9) == 0) return;
    complain("PostgreSQL was projected into from elsewhere last: %s. This run takes "
             "over. If this folder was moved, all is well. If that engine still runs, one of "
             "the two is a copy: stop the wrong one.",
             projected_by);
}

void projection_report_step(struct projection_report *report,
                            const struct projection_status *status, const struct wal *wal,
                            uint64_t now_ms, struct process_figures *figures) {
    REQUIRE(report && status && wal && figures);
    char text[PROJECTION_WATCH_TEXT_BYTES];
    struct projection_look look = {.now_ms = now_ms,
                                   .durable_lsn = wal_durable_lsn(wal),
                                   .start_lsn = report->start_lsn,
                                   .start_decisions = report->start_decisions};
    struct wal_stats stats;
    wal_stats_get(wal, &stats); /* after the durable LSN: at least its records */
    look.records = stats.records;
    if (projection_watch_step(&report->watch, status, &look, text)) complain("%s", text);
    bool well = status->state == PROJECTION_FOLLOWING && status->failing_since_ms == 0;
    put(&figures->projection_wanted, 1);
    put(&figures->projection_connected, well);
    put(&figures->projection_stopped, status->state == PROJECTION_STOPPED);
    put(&figures->projection_taken_over, status->taken_over);
    put(&figures->projection_applied_lsn, status->applied_lsn);
    put(&figures->projection_lag_decisions, report->watch.lag_decisions);
    put(&figures->projection_lag_ms, report->watch.lag_ms);
    put(&figures->projection_failures, status->failures);
}
