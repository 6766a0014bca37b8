/* rig.h - a whole usher in one process, for tests: sockets, shards, log, a clock that tests turn
 *
 * What is real: the nng server and the coalescing client (ipc in a temporary folder), the shards,
 * the log with its writer. What is not: the clock moves only by rig_advance(), entropy follows from
 * a seed, and the disk is one in memory (or a temporary folder).
 *
 * Two ways to drive it. With threads: shards and log writer have their own, as in the daemon. By
 * hand: the test's thread runs every step, so that a test can stop the world between any two; only
 * nng has threads then.
 *
 * Happy path: rig_open, rig_ask ..., rig_finish (which replays the log from nothing and compares),
 * rig_close. Failure modes: whatever does not come true within RIG_PATIENCE_MS fails the test;
 * rig_close ends a rig in any state, also one whose log is dead or whose replies are held up.
 *
 * The rig stands between the engine and its ports and keeps books: no reply may be released before
 * an independent look at the disk finds everything that it waits for (rig_finish fails otherwise).
 *
 * Thread: the test's, alone.
 */
#ifndef USHER_TESTS_SUPPORT_RIG_H
#define USHER_TESTS_SUPPORT_RIG_H

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
struct rig;

/* How long a condition may take to come true, on the real clock. Generous: a loaded machine is not
 * a defect, and a test that fails waits no longer than this. */
#define RIG_PATIENCE_MS 20000u
/* Where the fake clock starts: some moment in 2027. */
#define RIG_BEGIN_MS 1800000000000ull
/* No test runs longer (alarm). */
#define RIG_ALARM_S 240u

struct rig_options {
    uint32_t shards;        /* 1..SHARDS_MAX */
    bool by_hand;           /* the test runs every step; false: threads */
    bool folder;            /* a log in a temporary folder; false: on a disk in memory */
    uint64_t segment_bytes; /* of the log; 0: 1 MiB */
    uint64_t buffer_bytes;  /* of the log; 0: 1 MiB */
};

/* rig_open - start an usher with an empty log. Return: owned by the caller until rig_close() */
struct rig *rig_open(const struct rig_options *options);

/* rig_finish - the end of a test that went well: stop everything in order, replay the log from
 * nothing, demand the same state hash, conserved points, and that no reply was early */
void rig_finish(struct rig *rig);

/* rig_close - free everything, whatever state it is in. NULL: nothing */
void rig_close(struct rig *rig);

/* rig_teardown - for cmocka: rig_close(*state) */
int rig_teardown(void **state);

/* --- asking ----------------------------------------------------------------------------------- */

/* rig_send - ask, do not wait. Methods that begin with "admin." go to the admin listener. */
struct answer *rig_send(struct rig *rig, const char *method, const struct param *params);
/* rig_send_as_admin - any method, to the admin listener */
struct answer *rig_send_as_admin(struct rig *rig, const char *method, const struct param *params);
/* rig_has_answer - the answer is here (or the connection is gone) */
bool rig_has_answer(const struct answer *answer);
/* rig_wait - until it is here. Return: the answer again */
struct answer *rig_wait(struct rig *rig, struct answer *answer);
/* rig_wait_only - the same, but no shard and no log moves meanwhile; by hand only */
struct answer *rig_wait_only(struct rig *rig, struct answer *answer);
#define rig_ask(rig, method, ...) rig_wait(rig, rig_send(rig, method, PARAMS(__VA_ARGS__)))

/* --- time ------------------------------------------------------------------------------------- */

uint64_t rig_now(const struct rig *rig);
/* rig_advance - turn the clock, step by step as a shard looks at it; returns when every shard has
 * decided what this time decides. While the disk is held, time that passes is an outage of the
 * log. */
void rig_advance(struct rig *rig, uint64_t ms);
/* rig_advance_shard - the same, but this shard and the log alone are stepped; by hand only */
void rig_advance_shard(struct rig *rig, uint32_t shard, uint64_t ms);
/* rig_turn_clock - turn it and do nothing else: more than a moment is an outage; by hand only */
void rig_turn_clock(struct rig *rig, uint64_t ms);

/* --- driving by hand -------------------------------------------------------------------------- */

/* One round of one shard, of all shards, of the log's writer. */
void rig_step_shard(struct rig *rig, uint32_t shard);
void rig_step_shards(struct rig *rig);
void rig_step_log(struct rig *rig);
/* rig_settle - rounds of everything until nothing moves any more */
void rig_settle(struct rig *rig);
/* rig_until_encoded - step the shards until this many replies were encoded since rig_open() */
void rig_until_encoded(struct rig *rig, uint64_t count);
uint64_t rig_encoded(const struct rig *rig);  /* replies that wait at the gate, or have left */
uint64_t rig_released(const struct rig *rig); /* replies that have left */
/* rig_until_submitted - until the server has put this many requests since rig_open() into
 * mailboxes, or answered them by itself; steps nothing */
void rig_until_submitted(struct rig *rig, uint64_t count);
uint64_t rig_submitted(const struct rig *rig);
/* rig_fill_mailbox - fill a shard's mailbox to the brim with requests of nobody; by hand only */
void rig_fill_mailbox(struct rig *rig, uint32_t shard);

/* --- the disk, in memory only ----------------------------------------------------------------- */

/* rig_hold_disk - true: no write completes until false */
void rig_hold_disk(struct rig *rig, bool hold);
/* rig_break_disk - the next write fails; the log is dead from then on */
void rig_break_disk(struct rig *rig, uint64_t seed);
/* How often the log has said that it is dead. */
uint32_t rig_log_failures(const struct rig *rig);
/* LSN below which an independent reader of the disk finds every record. */
uint64_t rig_disk_lsn(struct rig *rig);
/* LSN up to which the shards have handed decisions to the log. */
uint64_t rig_appended_lsn(const struct rig *rig);

/* rig_crash - the power fails now: a write in flight is torn, what was not written is gone, nobody
 * who waits is answered; then start again from what the disk has
 * @seed: what is random in it */
void rig_crash(struct rig *rig, uint64_t seed);
/* rig_restart - stop in order, start again from the log; any disk */
void rig_restart(struct rig *rig);

/* --- looking inside --------------------------------------------------------------------------- */

/* rig_hash - the engine's state hash; by hand only. rig_recovered_hash - what the last start
 * replayed, before anything else was decided */
uint64_t rig_hash(const struct rig *rig);
uint64_t rig_recovered_hash(const struct rig *rig);
uint32_t rig_shard_of_date(const struct rig *rig, uint32_t date);
uint32_t rig_shard_of_user(const struct rig *rig, const char *user);

/* rig_read_log - every decision that is durable, from the log's beginning */
void rig_read_log(struct rig *rig, void (*visit)(void *context, const struct decision *decision),
                  void *context);
/* rig_count_log - how many decisions of a kind the log has */
uint32_t rig_count_log(struct rig *rig, enum decision_kind kind);

/* --- rules ------------------------------------------------------------------------------------ */

/* RULE - demand something in the name of a rule of the requirements ("Q6"); a failure says which */
#define RULE(rig, rule, condition)                                                                 \
    rig_rule(rig, !!(condition), rule, #condition, __FILE__, __LINE__)
void rig_rule(struct rig *rig, bool holds, const char *rule, const char *condition,
              const char *file, int line);
/* rig_demand_rules - each of these was demanded at least once, and no other
 * @rules: words separated by blanks, as at the head of the test's file */
void rig_demand_rules(struct rig *rig, const char *rules);

/* rig_until - step (by hand) or wait (threads) until a condition comes true, bounded */
void rig_until(struct rig *rig, bool (*condition)(void *context), void *context, const char *what);

#endif
