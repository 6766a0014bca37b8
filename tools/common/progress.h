/* progress.h - one line on standard error that says how far a long job is
 *
 * On a terminal the line is redrawn at most ten times a second; elsewhere (a log file, a pipe)
 * nothing is written but the last line, and only for jobs of more than a second. One thread.
 */
#ifndef USHER_TOOLS_COMMON_PROGRESS_H
#define USHER_TOOLS_COMMON_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *what; /* borrowed: "seats imported" */
    bool terminal;
    bool drawn;
    uint64_t started_ms; /* CLOCK_MONOTONIC */
    uint64_t drawn_ms;
};

void progress_begin(struct progress *progress, const char *what);

/* progress_at - done of total, and a note of its own for the end of the line ("" for none) */
void progress_at(struct progress *progress, uint64_t done, uint64_t total, const char *note);

/* progress_end - draw the final state and leave the line standing */
void progress_end(struct progress *progress, uint64_t done, uint64_t total, const char *note);

#endif
