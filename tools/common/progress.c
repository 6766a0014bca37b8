/* progress.c - see progress.h */
#include "tools/common/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/common/complain.h"

#define BAR_CELLS 30u
#define REDRAW_MS 100u
#define QUIET_MS 1000u

static uint64_t monotonic_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void progress_begin(struct progress *progress, const char *what) {
    *progress = (struct progress){
        .what = what, .terminal = isatty(STDERR_FILENO) == 1, .started_ms = monotonic_ms()};
}

static void draw(struct progress *progress, uint64_t done, uint64_t total, const char *note) {
    char bar[BAR_CELLS + 1];
    uint64_t share = total > 0 ? done * 1000 / total : 0;
    if (share > 1000) share = 1000;
    uint32_t full = (uint32_t)(share * BAR_CELLS / 1000);
    memset(bar, '#', full);
    memset(bar + full, '.', BAR_CELLS - full);
    bar[BAR_CELLS] = '\0';
    complain_part("%s[%s] %3" PRIu64 "%%  %" PRIu64 "/%" PRIu64 " %s%s%s%s",
                  progress->terminal ? "\r" : "", bar, share / 10, done, total, progress->what,
                  note[0] ? "  " : "", note, progress->terminal ? "\033[K" : "");
    progress->drawn = true;
}

void progress_at(struct progress *progress, uint64_t done, uint64_t total, const char *note) {
    if (!progress->terminal) return;
    uint64_t now_ms = monotonic_ms();
    if (progress->drawn && now_ms - progress->drawn_ms < REDRAW_MS) return;
    progress->drawn_ms = now_ms;
    draw(progress, done, total, note);
}

void progress_end(struct progress *progress, uint64_t done, uint64_t total, const char *note) {
    if (!progress->terminal && monotonic_ms() - progress->started_ms < QUIET_MS) return;
    draw(progress, done, total, note);
    complain_more("%s", "");
}
