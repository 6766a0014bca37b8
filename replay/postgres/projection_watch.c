/* projection_watch.c - see projection_watch.h
 *
 * Happy path: measure the lag; then one move of a machine of three moods, which speaks when it
 * moves.
 * Failure modes: none; numbers that do not fit together (a database of another world) saturate.
 */
#include "replay/postgres/projection_watch.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/require.h"

enum mood {
    MOOD_QUIET = 0,
    MOOD_AWAY = 1,    /* that was told */
    MOOD_CATCHING = 2 /* it is back, that was told, and it is still behind */
};

/* --- how far behind --------------------------------------------------------------------------- */

static uint64_t less(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }

/* What PostgreSQL has from before this run is its count less our own. Records of a block that is on
 * its way may be counted already: so the largest answer is the right one. */
static void complete(struct projection_watch *watch, const struct projection_status *status,
                     const struct projection_look *look) {
    uint64_t before = less(status->decisions, look->records);
    if (!watch->exact || before > watch->before) watch->before = before;
    watch->exact = true;
    watch->complete_ms = look->now_ms;
    watch->lag_decisions = watch->lag_ms = 0;
}

static uint64_t count_behind(const struct projection_watch *watch,
                             const struct projection_status *status,
                             const struct projection_look *look) {
    if (!status->reached) return look->records;
    if (watch->exact || look->start_lsn == 0) {
        return less(watch->before + look->records, status->decisions);
    }
    uint64_t decisions = look->start_decisions + look->records; /* in durable_lsn bytes */
    uint64_t mean_bytes = decisions ? look->durable_lsn / decisions : 0;
    return less(look->durable_lsn, status->applied_lsn) / (mean_bytes ? mean_bytes : 1);
}

static void measure(struct projection_watch *watch, const struct projection_status *status,
                    const struct projection_look *look) {
    if (watch->began_ms == 0) watch->began_ms = look->now_ms;
    if (status->reached && status->applied_lsn >= look->durable_lsn) {
        complete(watch, status, look);
        return;
    }
    uint64_t since_ms = watch->complete_ms;
    if (status->reached && status->applied_time_ms > since_ms) since_ms = status->applied_time_ms;
    if (since_ms == 0) since_ms = watch->began_ms;
    watch->lag_ms = less(look->now_ms, since_ms);
    watch->lag_decisions = count_behind(watch, status, look);
    /* It is behind, by however little. */
    bool logged = look->durable_lsn > 0;
    if (watch->lag_ms == 0) watch->lag_ms = logged;
    if (watch->lag_decisions == 0) watch->lag_decisions = logged;
}

/* --- what to say ------------------------------------------------------------------------------ */

#define SPAN_BYTES 32u

static const char *span(uint64_t ms, char ret_text[SPAN_BYTES]) {
    uint64_t s = ms / 1000;
    if (s < 120)
        snprintf(ret_text, SPAN_BYTES, "%llu s", (unsigned long long)s);
    else if (s < 7200)
        snprintf(ret_text, SPAN_BYTES, "%llu min", (unsigned long long)(s / 60));
    else
        snprintf(ret_text, SPAN_BYTES, "%llu h", (unsigned long long)(s / 3600));
    return ret_text;
}

/* libpq ends in a question now and then. */
static bool is_sentence(const char *text) {
    size_t size = strlen(text);
    return size > 0 && (text[size - 1] == '.' || text[size - 1] == '?');
}

static void say_away(struct projection_watch *watch, const struct projection_status *status,
                     const struct projection_look *look, char *ret_text) {
    watch->mood = MOOD_AWAY;
    watch->away_since_ms = status->failing_since_ms;
    watch->remind_ms = PROJECTION_WATCH_REMIND_MS_MIN;
    watch->remind_at_ms = look->now_ms + watch->remind_ms;
    snprintf(
        ret_text, PROJECTION_WATCH_TEXT_BYTES,
        "PostgreSQL is away: %s%s Sales go on, and it is tried again until it answers; then it "
        "catches up from the log by itself.",
        status->text, is_sentence(status->text) ? "" : ".");
}

static void say_still(struct projection_watch *watch, const struct projection_status *status,
                      const struct projection_look *look, char *ret_text) {
    char away[SPAN_BYTES], lag[SPAN_BYTES];
    watch->remind_ms *= 2;
    if (watch->remind_ms > PROJECTION_WATCH_REMIND_MS_MAX)
        watch->remind_ms = PROJECTION_WATCH_REMIND_MS_MAX;
    watch->remind_at_ms = look->now_ms + watch->remind_ms;
    snprintf(ret_text, PROJECTION_WATCH_TEXT_BYTES,
             "PostgreSQL is still away, for %s now; it is %s and %llu decisions behind: %s",
             span(less(look->now_ms, watch->away_since_ms), away), span(watch->lag_ms, lag),
             (unsigned long long)watch->lag_decisions, status->text);
}

static void say_back(struct projection_watch *watch, const struct projection_look *look,
                     char *ret_text) {
    char away[SPAN_BYTES];
    watch->mood = MOOD_CATCHING;
    snprintf(ret_text, PROJECTION_WATCH_TEXT_BYTES,
             "PostgreSQL is back after %s; %llu decisions are to catch up",
             span(less(look->now_ms, watch->away_since_ms), away),
             (unsigned long long)watch->lag_decisions);
}

bool projection_watch_step(struct projection_watch *watch, const struct projection_status *status,
                           const struct projection_look *look,
                           char ret_text[PROJECTION_WATCH_TEXT_BYTES]) {
    REQUIRE(watch && status && look && ret_text);
    measure(watch, status, look);
    if (status->state == PROJECTION_STOPPED) return false; /* the alarm was raised */
    bool failing = status->failing_since_ms != 0;
    bool away = failing && less(look->now_ms, status->failing_since_ms) >= PROJECTION_WATCH_AWAY_MS;
    if (watch->mood != MOOD_AWAY && away) {
        say_away(watch, status, look, ret_text);
    } else if (watch->mood == MOOD_AWAY && !failing) {
        say_back(watch, look, ret_text);
    } else if (watch->mood == MOOD_AWAY && look->now_ms >= watch->remind_at_ms) {
        say_still(watch, status, look, ret_text);
    } else if (watch->mood == MOOD_CATCHING && !failing &&
               watch->lag_ms <= PROJECTION_WATCH_CAUGHT_UP_MS) {
        watch->mood = MOOD_QUIET;
        snprintf(ret_text, PROJECTION_WATCH_TEXT_BYTES,
                 "PostgreSQL has caught up: it has everything up to LSN %llu",
                 (unsigned long long)status->applied_lsn);
    } else {
        return false;
    }
    return true;
}
