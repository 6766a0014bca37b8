/* log_point.c - see log_point.h
 *
 * The search for a moment begins with the last segment before which no decision can be later, and
 * reads on to the first decision that is later. A process writes a segment's header after
 * everything before it was decided. But the first header of a process may be made with a clock that
 * is behind the log. Its first decision is not: time goes on from the log's last one. So no
 * decision before a segment is later than both its header and its first decision. A header that is
 * too late costs time alone.
 */
#include "tools/usher/log_point.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/tell/text.h"
#include "tools/common/complain.h"
#include "tools/usher/log_cursor.h"

/* Shards and log writer read one clock, but not at the same instant. */
#define CLOCK_SLACK_MS 60000u

int log_point_parse(const char *text, struct log_point *ret_point) {
    struct log_point point = {.text = text};
    if (text[0] != '\0' && strspn(text, "0123456789") == strlen(text)) {
        char *end;
        if (strlen(text) > 19) return -1; /* no log is that long */
        point.value = strtoull(text, &end, 10);
    } else {
        point.is_moment = true;
        if (moment_parse_iso(text, &point.value) < 0) return -1;
    }
    *ret_point = point;
    return 0;
}

static int complain_beginning(const struct log_folder *folder, const struct log_point *point,
                              uint64_t first_ms) {
    char time[TEXT_TIME_BYTES];
    text_time(first_ms, time);
    complain("%s is before the log's first decision, at %s. %s", point->text, time,
             folder->first_lsn > 0
                 ? "The log's beginning was deleted; add the archived segments to a copy of "
                   "the folder to see what was before."
                 : "There was nothing yet.");
    return -1;
}

/* The end of what can be read is reached, and the moment is later: is that the log's end? */
static int at_end(const struct log_folder *folder, const struct log_point *point) {
    if (folder->damage.code == 0) return 0;
    complain("the log is sound up to LSN %" PRIu64 ", which is before %s: %s.\n"
             "Ask for LSN %" PRIu64 " to get the last that is known.",
             folder->end_lsn, point->text, folder->damage.text, folder->end_lsn);
    return -1;
}

/* A state hash decides nothing; older logs have it later than it should be. */
static bool decides(const struct log_cursor *cursor) {
    return cursor->decision.kind != DECISION_STATE_HASHED;
}

/* Can the search begin with this segment? Return: 1; 0; -1 */
static int begins_before(struct log_folder *folder, const struct log_segment *segment,
                         uint64_t moment_ms) {
    struct log_cursor cursor;
    if (segment->first_lsn > folder->end_lsn) return 0;
    if (segment->created_ms + CLOCK_SLACK_MS > moment_ms) return 0;
    if (log_cursor_open(folder, segment->first_lsn, folder->end_lsn, &cursor) < 0) return -1;
    int result;
    while ((result = log_cursor_next(&cursor)) == 0 && !decides(&cursor)) {}
    uint64_t first_ms = result == 0 ? cursor.decision.time_ms : UINT64_MAX - CLOCK_SLACK_MS;
    log_cursor_close(&cursor);
    return result < 0 ? -1 : first_ms + CLOCK_SLACK_MS <= moment_ms;
}

static int find_moment(struct log_folder *folder, const struct log_point *point,
                       enum log_point_side side, uint64_t *ret_lsn) {
    uint64_t start = folder->first_lsn;
    int begins = 0;
    for (uint32_t i = folder->segment_count; i > 0 && begins == 0; i--) {
        const struct log_segment *segment = &folder->segments[i - 1];
        if (segment->first_lsn <= start) break;
        begins = begins_before(folder, segment, point->value);
        if (begins < 0) return -1;
        if (begins > 0) start = segment->first_lsn;
    }
    struct log_cursor cursor;
    if (log_cursor_open(folder, start, folder->end_lsn, &cursor) < 0) return -1;
    uint64_t lsn = start;
    int result;
    while ((result = log_cursor_next(&cursor)) == 0 &&
           (!decides(&cursor) || cursor.decision.time_ms <= point->value)) {
        lsn = cursor.lsn;
    }
    uint64_t later_ms = result == 0 ? cursor.decision.time_ms : 0;
    log_cursor_close(&cursor);
    if (result < 0) return -1;
    if (result == LOG_CURSOR_END && at_end(folder, point) < 0) return -1;
    if (side == LOG_POINT_AT && lsn == folder->first_lsn && later_ms > 0) {
        return complain_beginning(folder, point, later_ms);
    }
    *ret_lsn = lsn;
    return 0;
}

static int check_lsn(const struct log_folder *folder, const struct log_point *point,
                     uint64_t *ret_lsn) {
    if (point->value > folder->end_lsn) {
        complain("LSN %" PRIu64 " is beyond the %s, LSN %" PRIu64 "%s%s.", point->value,
                 folder->damage.code != 0 ? "last sound record"
                 : folder->engine_runs    ? "durable end of the log"
                                          : "end of the log",
                 folder->end_lsn, folder->damage.code != 0 ? ": " : "",
                 folder->damage.code != 0 ? folder->damage.text : "");
        return -1;
    }
    if (point->value < folder->first_lsn) {
        complain("LSN %" PRIu64 " is before the log on disk, which begins at LSN "
                 "%" PRIu64 ": older segments were deleted. Add the archived ones to a copy "
                 "of the folder.",
                 point->value, folder->first_lsn);
        return -1;
    }
    *ret_lsn = point->value;
    return 0;
}

int log_point_resolve(struct log_folder *folder, const struct log_point *point,
                      enum log_point_side side, uint64_t missing_lsn, uint64_t *ret_lsn) {
    if (!point->text) {
        *ret_lsn = missing_lsn;
        return 0;
    }
    return point->is_moment ? find_moment(folder, point, side, ret_lsn)
                            : check_lsn(folder, point, ret_lsn);
}
