/* judge_parts.h - what the judge's own files share */
#ifndef USHER_TESTS_SIM_JUDGE_PARTS_H
#define USHER_TESTS_SIM_JUDGE_PARTS_H

#include "tests/sim/judge.h"

struct judge {
    struct sim_run *run;         /* borrowed */
    const struct people *people; /* borrowed */
    struct wire_reader *reader;
    /* The reply that is judged. */
    const struct model *model;
    struct judge_window window;
    const struct wire_call *call;
    const struct wire_answer *answer;
    uint64_t told_lsn;
};

void judge_wrong(struct judge *judge, const char *what, uint64_t told);

/* judge_had - had it this value while the request was in the engine? */
bool judge_had(struct judge *judge, const struct model_history *history, uint64_t value);
/* judge_always - and never another one, up to now? */
bool judge_always(const struct judge *judge, const struct model_history *history, uint64_t value);
/* judge_is_over - an active token whose time is over counts as expired before the timer has said
 * so */
bool judge_is_over(const struct judge *judge, const struct model_waiter *waiter);

/* Return: NULL if the log has none, or with another secret */
const struct model_waiter *judge_waiter(const struct judge *judge, const struct token *token);
const struct model_reservation *judge_reservation(const struct judge *judge, uint64_t id);

void judge_refusal(struct judge *judge);

#endif
