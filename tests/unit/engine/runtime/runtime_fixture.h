/* runtime_fixture.h - an engine stepped by hand, with fake ports: a journal in memory that says
 * what is durable, a clock that the test turns, callers that keep what they were told
 *
 * Thread: the test's, alone.
 */
#ifndef USHER_TESTS_UNIT_ENGINE_RUNTIME_RUNTIME_FIXTURE_H
#define USHER_TESTS_UNIT_ENGINE_RUNTIME_RUNTIME_FIXTURE_H

/* clang-format off: cmocka.h needs these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <stdlib.h>
#include <string.h>

#include "engine/domain/decision.h"
#include "engine/runtime/engine.h"

/* One caller and what it was told. */
struct runtime_caller {
    struct request request; /* first */
    struct reply reply;
    uint32_t items; /* REPLY_RESERVATION_ITEM seen */
    uint32_t encoded, released;
    uint64_t durable_at_release;
    uint64_t reservation;
};

struct world_under_test {
    struct engine *engine;
    uint32_t shards;
    uint64_t now_ms, leap_ms; /* leap: the clock jumps after its next reading */
    uint8_t entropy;
    bool journal_full;
    uint8_t *log;
    uint64_t log_bytes, durable;
    struct policy policy;
};

/* open_engine - serve a world; served_until_ms: see engine_options */
void open_engine(struct world_under_test *t, struct world *world, uint64_t served_until_ms);

/* setup - an empty world, served by so many shards. teardown - free it */
struct world_under_test *setup(uint32_t shards);
void teardown(struct world_under_test *t);

/* step - some rounds of all shards; nothing becomes durable. submit - put a call into its mailbox.
 * call - submit, run, make durable, run: it has its answer */
void step(struct world_under_test *t);
void submit(struct world_under_test *t, struct runtime_caller *caller);
void call(struct world_under_test *t, struct runtime_caller *caller);

/* Users and keys by a small number; calls to fill in, or ready. */
struct id128 user_of(uint8_t n);
struct runtime_caller calling(enum command_kind kind, uint32_t partition);
struct runtime_caller hold_call(struct token token, const struct seat_ref *seat);
struct runtime_caller charge_call(uint8_t user, uint64_t amount, uint8_t key);
struct runtime_caller pay_call(struct token token, uint64_t reservation, uint8_t key);

/* create_date - a concert with one open date of `t->policy`. enter, charge: done and answered */
void create_date(struct world_under_test *t, uint32_t seats);
struct token enter(struct world_under_test *t, uint32_t date, uint8_t user);
void charge(struct world_under_test *t, uint8_t user, uint64_t amount);

#endif
