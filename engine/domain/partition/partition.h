/* partition.h - the one shape of all partitions: decide, apply, due, answer
 *
 *   decide(state, command, now) -> verdict     changes nothing
 *   apply(state, decision)                     cannot fail; shared by live traffic and replay
 *   due(state, now) -> verdict                 what time, or an unfinished matter, decides next
 *   answer(state, verdict, now) -> reply       after its decisions were applied
 *
 * Besides the state that decisions make, a partition keeps a few volatile things that no log has
 * (a waiter's last sign of life, cursors of sweeps): they are named `volatile_*` or documented as
 * such, take no part in the state hash, and start afresh in partition_resume().
 *
 * What the three kinds of partition do for each of these: their tables, partition_kind.h.
 *
 * Thread: the shard that owns the partition, alone.
 */
#ifndef USHER_ENGINE_DOMAIN_PARTITION_PARTITION_H
#define USHER_ENGINE_DOMAIN_PARTITION_PARTITION_H

#include "engine/domain/entity.h"
#include "engine/domain/verdict.h"

/* partition_create - an empty partition
 * @id:    PARTITION_CATALOGUE or an account partition (dates are made by
 *         date_create(), from the catalogue's DATE_CREATED decision)
 * @seed:  secret of its hash tables
 * Return: owned by the caller until partition_free() */
struct partition *partition_create(uint32_t id, const struct id128 *seed);
void partition_free(struct partition *partition);

/* partition_restore - the counters of an image (image.c) */
void partition_restore(struct partition *partition, const struct entity_partition *saved);

/* partition_decide - see above; `command->partition` is this one
 * @verdict: overwritten */
void partition_decide(const struct partition *partition, const struct command *command,
                      uint64_t now_ms, struct verdict *verdict);

/* partition_missing - in place of partition_decide(), where the partition that the command names
 * does not exist: what answers it, or which message does (command.def, NAMED_BY)
 * @verdict: overwritten; no decisions */
void partition_missing(const struct command *command, struct verdict *verdict);

/* partition_apply - change the state as the decision says
 * The decision was made by partition_decide() or partition_due() on this state, or comes from a log
 * that was verified; anything else breaks an invariant and ends the process. */
void partition_apply(struct partition *partition, const struct decision *decision);

/* partition_born - the partition that a decision brings into being, beside what it changes
 * Return: owned by the caller until partition_free(); NULL: none, as with all but DATE_CREATED */
struct partition *partition_born(const struct decision *decision);

/* partition_seal - the STATE_HASHED of a partition, so that the log proves its own replay; the
 * caller logs it
 * Return: false: the log has it already, or there is nothing to state */
bool partition_seal(struct partition *partition, struct decision *ret_decision);

/* partition_hash - state hash: equal states have equal hashes. A sum of the hashes of its entities,
 * kept up to date as they change, so that this costs nothing like a walk over the state. */
uint64_t partition_hash(const struct partition *partition);

/* partition_hash_recount - the same by a walk over the whole state: what partition_hash() must be.
 * For tests and simulation: a hash that live and replay keep wrongly alike would prove nothing. */
uint64_t partition_hash_recount(const struct partition *partition);

/* partition_due - the next thing that time or an unfinished matter decides
 * @verdict: overwritten; its decisions are logged and applied before the next call
 * Return: true if there is anything (decisions, a message or both) */
bool partition_due(struct partition *partition, uint64_t now_ms, struct verdict *verdict);

/* partition_next_due_ms - when partition_due() has something next
 * Return: Unix ms, 0 for at once, UINT64_MAX for never */
uint64_t partition_next_due_ms(const struct partition *partition);

/* partition_heard - note a client's sign of life (Q5); volatile */
void partition_heard(struct partition *partition, const struct command *command, uint64_t now_ms);

/* partition_outage - the engine could not serve from `since` until now, for this cause: what that
 * gives back (X7). Before anything else is decided at this moment.
 * @verdict: overwritten; its decision is logged and applied
 * Return: true if there is anything */
bool partition_outage(const struct partition *partition, enum outage_cause cause, uint64_t since_ms,
                      uint64_t now_ms, struct verdict *verdict);

/* partition_unserved - so much time has passed that is nobody's silence (Q6, X7); volatile
 * Return: whether anybody waits */
bool partition_unserved(struct partition *partition, uint64_t ms);

/* partition_answer - build the reply; `verdict` after its decisions were applied
 * @partition: NULL after partition_missing() and visit_begin(): the verdict says all */
void partition_answer(const struct partition *partition, const struct command *command,
                      const struct verdict *verdict, uint64_t now_ms, struct reply *ret_reply);

/* partition_prefetch, partition_prefetch_command - this decision will be applied in a moment, this
 * command decided, perhaps: bring nearer what it will touch
 * @step: each of a batch with FIRST (what it names), then each with LAST (what that points to)
 * Change nothing, demand nothing: hints for who replays, and for a shard with requests before
 * it. */
void partition_prefetch(const struct partition *partition, const struct decision *decision,
                        enum prefetch step);
void partition_prefetch_command(const struct partition *partition, const struct command *command,
                                enum prefetch step);

/* partition_resume - after replay: everybody was heard from just now, unfinished payments and
 * refunds are taken up again by partition_due() */
void partition_resume(struct partition *partition, uint64_t now_ms);

#endif
