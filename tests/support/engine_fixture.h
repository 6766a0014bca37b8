/* engine_fixture.h - a whole usher in one process, for tests: sockets, shards, log, a clock that
 * tests turn
 *
 * What is real: the nng server and the coalescing client (ipc in a temporary folder), the shards,
 * the log with its writer. What is not: the clock moves only by fixture_advance(), entropy follows
 * from a seed, and the disk is one in memory (or a temporary folder).
 *
 * Two ways to drive it. With threads: shards and log writer have their own, as in the daemon. By
 * hand: the test's thread runs every step, so that a test can stop the world between any two; only
 * nng has threads then.
 *
 * Happy path: fixture_open, fixture_ask ..., fixture_finish (which replays the log from nothing and
 * compares), fixture_close. Failure modes: whatever does not come true within FIXTURE_PATIENCE_MS
 * fails the test; fixture_close ends a fixture in any state, also one whose log is dead or whose
 * replies are held up.
 *
 * The fixture stands between the engine and its ports and keeps books: no reply may be released
 * before an independent look at the disk finds everything that it waits for (fixture_finish fails
 * otherwise).
 *
 * Thread: the test's, alone.
 */
#ifndef USHER_TESTS_SUPPORT_ENGINE_FIXTURE_H
#define USHER_TESTS_SUPPORT_ENGINE_FIXTURE_H

/* clang-format off: cmocka.h needs these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <stdbool.h>

#include "engine/domain/decision.h"
#include "engine/domain/partition/world.h"
#include "tests/support/answer.h"

struct engine;
struct storage;
struct engine_fixture;

/* How long a condition may take to come true, on the real clock. Generous: a loaded machine is not
 * a defect, and a test that fails waits no longer than this. */
#define FIXTURE_PATIENCE_MS 20000u
/* Where the fake clock starts: some moment in 2027. */
#define FIXTURE_BEGIN_MS 1800000000000ull
/* No test runs longer (alarm). */
#define FIXTURE_ALARM_S 240u

struct fixture_options {
    uint32_t shards;        /* 1..SHARDS_MAX */
    bool by_hand;           /* the test runs every step; false: threads */
    bool folder;            /* a log in a temporary folder; false: on a disk in memory */
    uint64_t segment_bytes; /* of the log; 0: 1 MiB */
    uint64_t buffer_bytes;  /* of the log; 0: 1 MiB */
};

/* fixture_open - start an usher with an empty log. Return: owned by the caller until
 * fixture_close() */
struct engine_fixture *fixture_open(const struct fixture_options *options);

/* fixture_finish - the end of a test that went well: stop everything in order, replay the log from
 * nothing, demand the same state hash, conserved points, and that no reply was early */
void fixture_finish(struct engine_fixture *fixture);

/* fixture_close - free everything, whatever state it is in. NULL: nothing */
void fixture_close(struct engine_fixture *fixture);

/* fixture_teardown - for cmocka: fixture_close(*state) */
int fixture_teardown(void **state);

/* --- asking ----------------------------------------------------------------------------------- */

/* fixture_send - ask, do not wait. Methods that begin with "admin." go to the admin listener. */
struct answer *fixture_send(struct engine_fixture *fixture, const char *method,
                            const struct param *params);
/* fixture_send_as_admin - any method, to the admin listener */
struct answer *fixture_send_as_admin(struct engine_fixture *fixture, const char *method,
                                     const struct param *params);
/* fixture_has_answer - the answer is here (or the connection is gone) */
bool fixture_has_answer(const struct answer *answer);
/* fixture_wait - until it is here. Return: the answer again */
struct answer *fixture_wait(struct engine_fixture *fixture, struct answer *answer);
/* fixture_wait_only - the same, but no shard and no log moves meanwhile; by hand only */
struct answer *fixture_wait_only(struct engine_fixture *fixture, struct answer *answer);
#define fixture_ask(fixture, method, ...)                                                          \
    fixture_wait(fixture, fixture_send(fixture, method, PARAMS(__VA_ARGS__)))

/* --- time ------------------------------------------------------------------------------------- */

uint64_t fixture_now(const struct engine_fixture *fixture);
/* fixture_advance - turn the clock, step by step as a shard looks at it; returns when every shard
 * has decided what this time decides. While the disk is held, time that passes is an outage of the
 * log. */
void fixture_advance(struct engine_fixture *fixture, uint64_t ms);
/* fixture_advance_shard - the same, but this shard and the log alone are stepped; by hand only */
void fixture_advance_shard(struct engine_fixture *fixture, uint32_t shard, uint64_t ms);
/* fixture_turn_clock - turn it and do nothing else: more than a moment is an outage; by hand only
 * */
void fixture_turn_clock(struct engine_fixture *fixture, uint64_t ms);

/* --- driving by hand -------------------------------------------------------------------------- */

/* One round of one shard, of all shards, of the log's writer. */
void fixture_step_shard(struct engine_fixture *fixture, uint32_t shard);
void fixture_step_shards(struct engine_fixture *fixture);
void fixture_step_log(struct engine_fixture *fixture);
/* fixture_settle - rounds of everything until nothing moves any more */
void fixture_settle(struct engine_fixture *fixture);
/* fixture_until_encoded - step the shards until this many replies were encoded since fixture_open()
 * */
void fixture_until_encoded(struct engine_fixture *fixture, uint64_t count);
uint64_t fixture_encoded(
    const struct engine_fixture *fixture); /* replies that wait at the gate, or have left */
uint64_t fixture_released(const struct engine_fixture *fixture); /* replies that have left */
/* fixture_until_submitted - until the server has put this many requests since fixture_open() into
 * mailboxes, or answered them by itself; steps nothing */
void fixture_until_submitted(struct engine_fixture *fixture, uint64_t count);
uint64_t fixture_submitted(const struct engine_fixture *fixture);
/* fixture_fill_mailbox - fill a shard's mailbox to the brim with requests of nobody; by hand only
 * */
void fixture_fill_mailbox(struct engine_fixture *fixture, uint32_t shard);

/* --- the disk, in memory only ----------------------------------------------------------------- */

/* fixture_hold_disk - true: no write completes until false */
void fixture_hold_disk(struct engine_fixture *fixture, bool hold);
/* fixture_break_disk - the next write fails; the log is dead from then on */
void fixture_break_disk(struct engine_fixture *fixture, uint64_t seed);
/* How often the log has said that it is dead. */
uint32_t fixture_log_failures(const struct engine_fixture *fixture);
/* LSN below which an independent reader of the disk finds every record. */
uint64_t fixture_disk_lsn(struct engine_fixture *fixture);
/* LSN up to which the shards have handed decisions to the log. */
uint64_t fixture_appended_lsn(const struct engine_fixture *fixture);

/* fixture_crash - the power fails now: a write in flight is torn, what was not written is gone,
 * nobody who waits is answered; then start again from what the disk has
 * @seed: what is random in it */
void fixture_crash(struct engine_fixture *fixture, uint64_t seed);
/* fixture_restart - stop in order, start again from the log; any disk */
void fixture_restart(struct engine_fixture *fixture);

/* --- looking inside --------------------------------------------------------------------------- */

/* fixture_hash - the engine's state hash; by hand only. fixture_recovered_hash - what the last
 * start replayed, before anything else was decided */
uint64_t fixture_hash(const struct engine_fixture *fixture);
uint64_t fixture_recovered_hash(const struct engine_fixture *fixture);
uint32_t fixture_shard_of_date(const struct engine_fixture *fixture, uint32_t date);
uint32_t fixture_shard_of_user(const struct engine_fixture *fixture, const char *user);

/* fixture_read_log - every decision that is durable, from the log's beginning */
void fixture_read_log(struct engine_fixture *fixture,
                      void (*visit)(void *context, const struct decision *decision), void *context);
/* fixture_count_log - how many decisions of a kind the log has */
uint32_t fixture_count_log(struct engine_fixture *fixture, enum decision_kind kind);

/* --- rules ------------------------------------------------------------------------------------ */

/* RULE - demand something in the name of a rule of the requirements ("Q6"); a failure says which */
#define RULE(fixture, rule, condition)                                                             \
    fixture_rule(fixture, !!(condition), rule, #condition, __FILE__, __LINE__)
void fixture_rule(struct engine_fixture *fixture, bool holds, const char *rule,
                  const char *condition, const char *file, int line);
/* fixture_demand_rules - each of these was demanded at least once, and no other
 * @rules: words separated by blanks, as at the head of the test's file */
void fixture_demand_rules(struct engine_fixture *fixture, const char *rules);

/* fixture_until - step (by hand) or wait (threads) until a condition comes true, bounded */
void fixture_until(struct engine_fixture *fixture, bool (*condition)(void *context), void *context,
                   const char *what);

#endif
