/* canary.h - planted bugs, one or more for each class of invariant: they prove that a check can
 * fail
 *
 * The engine has no switch for them. The simulator's program is linked with --wrap (CANARY_WRAPS in
 * meson.build), so calls from one file of the engine to another pass through canary.c, which goes
 * straight on to the real function unless a canary is selected.
 * Thread: one. What is selected is the one mutable global here, for a wrapped function has no other
 * place to look.
 */
#ifndef USHER_TESTS_SIM_CANARY_H
#define USHER_TESTS_SIM_CANARY_H

#include <stdint.h>
#include <stdio.h>

/* X(NAME, "name", CHECK, "what is broken"): CHECK of SIM_CHECKS must fail. tests/sim/README.md has
 * the same table. */
#define CANARIES(X)                                                                                \
    X(NONE, "none", NONE, "nothing")                                                               \
    X(SOLD_TWICE, "sold-twice", SEAT, "a hold takes a seat that somebody has")                     \
    X(GATE_OPEN, "gate-open", LOST, "replies leave before their LSN is durable")                   \
    X(NOT_RESUMED, "not-resumed", HALF, "after a crash nobody takes up payments under way")        \
    X(NEVER_POSTED, "never-posted", HALF, "the account is not told that the seats were sold")      \
    X(SECOND_FIRST, "second-first", FIFO, "the second in line is admitted")                        \
    X(ONE_TOO_MANY, "one-too-many", CAPACITY, "one more is admitted than there is room for")       \
    X(HOLD_OUTLIVES, "hold-outlives", TIME, "a hold does not end when its time is over")           \
    X(HOLD_CUT_SHORT, "hold-cut-short", TIME, "a hold ends a second and a half early")             \
    X(TOKEN_OUTLIVES, "token-outlives", TIME, "an active token does not end")                      \
    X(OUTAGE_FORGOTTEN, "outage-forgotten", OUTAGE,                                                \
      "an outage is not credited to turns and holds")                                              \
    X(CREDIT_DOUBLED, "credit-doubled", OUTAGE, "an outage is taken for twice as long as it was")  \
    X(SILENCE_COUNTS, "silence-counts", OUTAGE,                                                    \
      "an outage counts as the silence of those who wait")                                         \
    X(STEP_UNSEEN, "step-unseen", CLOCK, "a step of the clock is not counted")                     \
    X(POINT_FROM_NOWHERE, "point-from-nowhere", POINTS,                                            \
      "a refund gives a point more than was paid")                                                 \
    X(REPLAY_DIFFERS, "replay-differs", HASH, "replay keeps another key of a payment than live")   \
    X(ROWS_TWICE, "rows-twice", PROJECTION, "a batch's rows are copied twice")                     \
    X(ROWS_MISSING, "rows-missing", PROJECTION, "a batch is committed without some of its rows")   \
    X(GUARD_IGNORED, "guard-ignored", PROJECTION, "a batch goes on although its guard has no row") \
    X(TAKEN_BACK, "taken-back", PROJECTION, "who lost the database to a clone takes it back")      \
    X(TOLD_ACTIVE, "told-active", TOLD, "somebody who waits is told to be active")                 \
    X(SEAT_LIMIT, "seat-limit", CAPACITY, "a user may hold more seats than the policy says")       \
    X(ENTERS_CLOSED, "enters-closed", RECORD, "a closed date lets people in")                      \
    X(TORN_MIDDLE, "torn-middle", REFUSAL, "recovery takes damage in the middle for a torn tail")  \
    X(IMAGE_FORGETS, "image-forgets", SNAPSHOT, "a snapshot forgets the keys of charges")          \
    X(LAST_REPLY_KEPT, "last-reply-kept", STUCK, "the gate keeps the reply to the last decision")  \
    X(ABORTS, "aborts", CRASHED, "an invariant is broken and the process ends")                    \
    X(NOT_REPEATABLE, "not-repeatable", TRACE, "a reply depends on the real clock")

enum canary {
#define X(NAME, name, check, text) CANARY_##NAME,
    CANARIES(X)
#undef X
        CANARY_COUNT
};

/* canary_select - plant this one, from now on; CANARY_NONE takes it out again
 * Forgets how often the last one has struck, so that a run stays a function of its options. */
void canary_select(uint32_t canary);

/* canary_find - Return: enum canary; CANARY_COUNT if there is none of this name */
uint32_t canary_find(const char *name);
const char *canary_name(uint32_t canary);
const char *canary_text(uint32_t canary);
/* canary_check - Return: enum sim_check that must fail with it */
uint32_t canary_check(uint32_t canary);

/* canary_print - the table, a line each */
void canary_print(FILE *to);

#endif
