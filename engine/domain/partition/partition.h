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
 * Thread: the shard that owns the partition, alone.
 */
#ifndef USHER_ENGINE_DOMAIN_PARTITION_PARTITION_H
#define USHER_ENGINE_DOMAIN_PARTITION_PARTITION_H

#include "engine/domain/command.h"
#include "engine/domain/entity.h"
#include "engine/domain/reply.h"

/* The most decisions of one command: admin.seats_add makes one per seat. */
#define VERDICT_DECISIONS_MAX SEATS_ADD_MAX

/* What a command leads to. Reused by the shard for every command: nothing in it needs clearing but
 * what verdict_begin() clears. */
struct verdict {
    uint32_t count; /* decisions to log and apply, in order */
    bool has_message;
    struct command message; /* to another partition, after the decisions are logged; origin is 0:
                               the runtime puts the command's own */
    /* How to answer, filled in by partition_answer(). REPLY_NONE: not yet, the message's
     * consequences answer. */
    uint16_t reply_kind;
    uint16_t error;
    uint64_t data[ERROR_DATA_COUNT];
    /* What the answer is about; which of them matters depends on reply_kind. */
    place_t place;
    uint32_t reservation; /* sequence */
    uint32_t created;     /* id of the concert or date */
    uint64_t balance;
    struct decision decisions[VERDICT_DECISIONS_MAX];
};

/* One partition of any kind. The kinds' structs start with this header. */
struct partition {
    uint32_t id;
    uint64_t decision_count; /* applied since the log began, STATE_HASHED not counted */
    uint64_t last_time_ms;   /* of the latest decision applied */
    bool volatile_hashed;    /* the log has its state hash, and no decision after it */
};

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

/* partition_apply - change the state as the decision says
 * The decision was made by partition_decide() or partition_due() on this state, or comes from a log
 * that was verified; anything else breaks an invariant and ends the process. */
void partition_apply(struct partition *partition, const struct decision *decision);

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

/* partition_answer - build the reply; `verdict` after its decisions were applied */
void partition_answer(const struct partition *partition, const struct command *command,
                      const struct verdict *verdict, uint64_t now_ms, struct reply *ret_reply);

/* partition_resume - after replay: everybody was heard from just now, unfinished payments and
 * refunds are taken up again by partition_due() */
void partition_resume(struct partition *partition, uint64_t now_ms);

#endif
