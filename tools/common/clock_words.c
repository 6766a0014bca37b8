/* clock_words.c - see clock_words.h */
#include "tools/common/clock_words.h"

#include <inttypes.h>
#include <stdio.h>

#include "engine/base/require.h"
#include "replay/tell/text.h"

/* No part of a sentence but the folder's name can be long: it is cut, and everything fits. */
#define DATA_CHARS_MAX 200

void clock_words_duration(uint64_t ms, char ret_text[CLOCK_DURATION_BYTES]) {
    uint64_t hours = ms / 3600000, minutes = ms / 60000 % 60, seconds = ms / 1000 % 60;
    int used = 0;
    ret_text[0] = '\0';
    if (hours > 0) used += snprintf(ret_text, CLOCK_DURATION_BYTES, "%" PRIu64 " h", hours);
    if (minutes > 0) {
        used += snprintf(ret_text + used, CLOCK_DURATION_BYTES - (size_t)used, "%s%" PRIu64 " min",
                         used > 0 ? " " : "", minutes);
    }
    if (ms % 60000 > 0 || used == 0) {
        used += snprintf(ret_text + used, CLOCK_DURATION_BYTES - (size_t)used, "%s%" PRIu64,
                         used > 0 ? " " : "", seconds);
        if (ms % 1000 > 0) {
            used += snprintf(ret_text + used, CLOCK_DURATION_BYTES - (size_t)used, ".%03" PRIu64,
                             ms % 1000);
        }
        used += snprintf(ret_text + used, CLOCK_DURATION_BYTES - (size_t)used, " s");
    }
    REQUIRE(used > 0 && (uint32_t)used < CLOCK_DURATION_BYTES);
}

/* Half speed: the wall clock gains half a second each second. Rounded up to whole seconds. */
static void met_after(uint64_t behind_ms, char ret_text[CLOCK_DURATION_BYTES]) {
    clock_words_duration((2 * behind_ms + 999) / 1000 * 1000, ret_text);
}

static void step_words(const struct clock_figures *now, const char *often, char *ret_text) {
    char step[CLOCK_DURATION_BYTES], after[CLOCK_DURATION_BYTES];
    uint64_t step_ms = now->step_last_ms < 0 ? 0 - (uint64_t)now->step_last_ms
                                             : (uint64_t)now->step_last_ms;
    clock_words_duration(step_ms, step);
    met_after(now->behind_ms, after);
    if (now->step_last_ms > 0 && now->behind_ms == 0) {
        (void)snprintf(
            ret_text, CLOCK_WORDS_BYTES,
            "the machine's clock was set forward by %s (or the machine was suspended)%s; "
            "the engine's time has followed at once",
            step, often);
    } else if (now->step_last_ms > 0) {
        (void)snprintf(
            ret_text, CLOCK_WORDS_BYTES,
            "the machine's clock was set forward by %s (or the machine was suspended)%s; "
            "it is still behind the engine's time, which goes on at half speed until the "
            "clock has met it, in about %s",
            step, often, after);
    } else if (now->behind_ms == 0) {
        (void)snprintf(ret_text, CLOCK_WORDS_BYTES,
                       "the machine's clock was set back by %s%s; the engine's time has met it",
                       step, often);
    } else {
        (void)snprintf(
            ret_text, CLOCK_WORDS_BYTES,
            "the machine's clock was set back by %s%s; the engine's time never goes back: "
            "it runs at half speed until the clock has met it, in about %s",
            step, often, after);
    }
}

bool clock_words_change(const struct clock_figures *told, const struct clock_figures *now,
                        char ret_text[CLOCK_WORDS_BYTES]) {
    char often[48] = "";
    uint64_t steps = now->steps_forward + now->steps_back - told->steps_forward - told->steps_back;
    if (steps > 1) {
        (void)snprintf(often, sizeof often, ", the last of %" PRIu64 " steps", steps);
    }
    if (steps > 0) {
        step_words(now, often, ret_text);
        return true;
    }
    if (told->behind_ms >= CLOCK_STEP_NS / CLOCK_NS_PER_MS && now->behind_ms == 0) {
        (void)snprintf(ret_text, CLOCK_WORDS_BYTES,
                       "the machine's clock has met the engine's time again");
        return true;
    }
    return false;
}

void clock_words_waits(uint64_t wall_ms, uint64_t last_ms, char ret_text[CLOCK_WORDS_BYTES]) {
    char wall[TEXT_TIME_BYTES], last[TEXT_TIME_BYTES];
    char behind[CLOCK_DURATION_BYTES], after[CLOCK_DURATION_BYTES];
    REQUIRE(last_ms > wall_ms);
    text_time(wall_ms, wall);
    text_time(last_ms, last);
    clock_words_duration(last_ms - wall_ms, behind);
    met_after(last_ms - wall_ms, after);
    (void)snprintf(
        ret_text, CLOCK_WORDS_BYTES,
        "the machine's clock says %s, but the log's last decision was made at %s: the clock "
        "is %s behind. The engine's time goes on from the decision's, at half speed until "
        "the clock has met it, in about %s",
        wall, last, behind, after);
}

void clock_words_refused(const char *data, uint64_t wall_ms, uint64_t last_ms,
                         char ret_text[CLOCK_WORDS_BYTES]) {
    char wall[TEXT_TIME_BYTES], last[TEXT_TIME_BYTES], behind[CLOCK_DURATION_BYTES];
    REQUIRE(last_ms > wall_ms);
    text_time(wall_ms, wall);
    text_time(last_ms, last);
    clock_words_duration(last_ms - wall_ms, behind);
    (void)snprintf(
        ret_text, CLOCK_WORDS_BYTES,
        "%.*s: the machine's clock says %s, but the log's last decision was made at %s: the clock "
        "is %s "
        "behind. At most %u minutes are waited for. If the clock is wrong now, set it and start "
        "again. "
        "If it was wrong when that decision was made, `usher restore %.*s NEW --to MOMENT` makes a "
        "folder as it was before (`usher wal cat` shows what was decided when); or start once with "
        "--accept-clock-behind: the engine's time goes on from the log's, and runs at half speed "
        "until "
        "the clock has met it",
        DATA_CHARS_MAX, data, wall, last, behind, CLOCK_START_BEHIND_MS_MAX / 60000, DATA_CHARS_MAX,
        data);
}
