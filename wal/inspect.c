/* inspect.c - a log's segments one by one; see inspect.h, and survey.h for how they are judged */
#include "wal/inspect.h"

#include <stddef.h>

#include "wal/survey.h"

const char *wal_segment_state_name(uint32_t state) {
    static const char *const names[] = {
        [WAL_SEGMENT_SOUND] = "sound",     [WAL_SEGMENT_TORN] = "torn",
        [WAL_SEGMENT_UNUSED] = "unused",   [WAL_SEGMENT_DAMAGED] = "damaged",
        [WAL_SEGMENT_VERSION] = "version", [WAL_SEGMENT_FOREIGN] = "foreign",
    };
    return state < sizeof names / sizeof names[0] ? names[state] : "unknown";
}

int wal_inspect(struct storage *storage,
                int (*visit)(void *context, const struct wal_segment_info *info), void *context,
                struct wal_error *ret_error) {
    struct survey survey;
    struct segment_verdict verdicts[2];
    const struct segment_verdict *before = NULL;
    int rc = survey_open(&survey, storage, ret_error);
    for (uint64_t i = 0; rc == 0 && i < survey.list.count; i++) {
        struct segment_verdict *verdict = &verdicts[i % 2];
        rc = survey_judge(&survey, i, before, verdict);
        before = rc == 0 ? verdict : NULL;
        rc = rc == 0 ? visit(context, &verdict->info) : rc == SURVEY_GONE ? 0 : rc;
    }
    survey_close(&survey);
    return rc;
}
