/* outages.c - see outages.h */
#include "tests/sim/outages.h"

#include <stdlib.h>

#include "engine/base/require.h"

struct span {
    uint64_t from_ms, to_ms;
};

struct spans {
    struct span *spans; /* in order, none touches another */
    uint32_t count, capacity;
};

struct outages {
    struct spans of[PLAN_DATES_MADE_MAX][OUTAGES_KINDS]; /* by date - 1 */
};

struct outages *outages_create(void) {
    struct outages *outages = calloc(1, sizeof *outages);
    REQUIRE(outages != NULL);
    return outages;
}

void outages_free(struct outages *outages) {
    for (uint32_t i = 0; i < PLAN_DATES_MADE_MAX; i++) {
        for (uint32_t kind = 0; kind < OUTAGES_KINDS; kind++) free(outages->of[i][kind].spans);
    }
    free(outages);
}

void outages_note(struct outages *outages, uint32_t date, enum outages_kind kind, uint64_t from_ms,
                  uint64_t to_ms) {
    struct spans *of = &outages->of[date - 1][kind];
    REQUIRE(date >= 1 && date <= PLAN_DATES_MADE_MAX);
    if (from_ms >= to_ms) return;
    while (of->count > 0 && of->spans[of->count - 1].to_ms >= from_ms) {
        const struct span *last = &of->spans[--of->count];
        if (last->from_ms < from_ms) from_ms = last->from_ms;
        if (last->to_ms > to_ms)
            to_ms = last->to_ms; /* over a start the clock may have gone back */
    }
    if (of->count == of->capacity) {
        of->capacity = of->capacity ? of->capacity * 2 : 8;
        of->spans = realloc(of->spans, of->capacity * sizeof *of->spans);
        REQUIRE(of->spans != NULL);
    }
    of->spans[of->count++] = (struct span){from_ms, to_ms};
}

static void cut(struct spans *of, uint64_t now_ms) {
    while (of->count > 0 && of->spans[of->count - 1].from_ms >= now_ms) of->count--;
    if (of->count > 0 && of->spans[of->count - 1].to_ms > now_ms) {
        of->spans[of->count - 1].to_ms = now_ms;
    }
}

void outages_cut(struct outages *outages, uint64_t now_ms) {
    for (uint32_t i = 0; i < PLAN_DATES_MADE_MAX; i++) {
        for (uint32_t kind = 0; kind < OUTAGES_KINDS; kind++) cut(&outages->of[i][kind], now_ms);
    }
}

uint32_t outages_forget(struct outages *outages, uint32_t date, uint64_t credited_ms) {
    struct spans *of = &outages->of[date - 1][OUTAGES_OWED];
    uint32_t lost = 0;
    for (; of->count > 0 && of->spans[of->count - 1].to_ms > credited_ms; of->count--) {
        const struct span *span = &of->spans[of->count - 1];
        lost += span->to_ms - span->from_ms > OUTAGES_ROUND_MS;
    }
    return lost;
}

uint64_t outages_ms(const struct outages *outages, uint32_t date, enum outages_kind kind,
                    uint64_t from_ms, uint64_t to_ms, uint32_t *ret_count) {
    const struct spans *of = &outages->of[date - 1][kind];
    uint64_t sum_ms = 0;
    uint32_t count = 0;
    for (uint32_t i = of->count; i-- > 0;) {
        uint64_t from = of->spans[i].from_ms > from_ms ? of->spans[i].from_ms : from_ms;
        uint64_t to = of->spans[i].to_ms < to_ms ? of->spans[i].to_ms : to_ms;
        if (of->spans[i].to_ms < from_ms) break;
        if (from >= to) continue;
        sum_ms += to - from;
        count++;
    }
    if (ret_count) *ret_count = count;
    return sum_ms;
}
