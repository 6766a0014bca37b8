/* partition.c - what all kinds of partition demand and count; the rest goes to the kind's table */
#include "engine/domain/partition/partition.h"

#include "engine/base/require.h"
#include "engine/domain/account/account_rules.h"
#include "engine/domain/catalogue/catalogue_rules.h"
#include "engine/domain/date/date.h"

struct partition *partition_create(uint32_t id, const struct id128 *seed) {
    if (id == PARTITION_CATALOGUE) return &catalogue_create()->partition;
    return &account_partition_create(id, seed)->partition;
}

void partition_free(struct partition *partition) {
    if (partition) partition->kind->free(partition);
}

void partition_restore(struct partition *partition, const struct entity_partition *saved) {
    REQUIRE(partition->id == saved->partition && partition->decision_count == 0);
    partition->decision_count = saved->decision_count;
    partition->last_time_ms = saved->last_time_ms;
}

void partition_decide(const struct partition *partition, const struct command *command,
                      uint64_t now_ms, struct verdict *verdict) {
    REQUIRE(command->partition == partition->id);
    verdict_begin(verdict);
    partition->kind->decide(partition, command, now_ms, verdict);
}

/* The catalogue knows whether a token is needed there at all. */
static void judge_as_invalid(const struct command *command, struct verdict *verdict) {
    struct command *message = verdict_message(verdict, COMMAND_CATALOGUE_DATES,
                                              PARTITION_CATALOGUE);
    message->is_admin = command->is_admin;
    message->dates = command->dates;
    message->dates.is_judged = true;
    message->dates.refusal = ERROR_TOKEN_INVALID;
}

void partition_missing(const struct command *command, struct verdict *verdict) {
    verdict_begin(verdict);
    switch (command_row(command->kind)->named_by) {
    case NAMED_BY_DATE:
        verdict_error(verdict, ERROR_NO_SUCH_DATE, command->partition - PARTITION_DATE_FIRST, 0, 0);
        break;
    case NAMED_BY_TOKEN: verdict_error(verdict, ERROR_TOKEN_INVALID, 0, 0, 0); break;
    case NAMED_BY_RESERVATION:
        verdict_error(verdict, ERROR_NO_SUCH_RESERVATION, command->cancel.reservation, 0, 0);
        break;
    case NAMED_BY_PAYER:
        if (id128_is_none(&command->pay.user)) {
            verdict_error(verdict, ERROR_TOKEN_INVALID, 0, 0, 0);
        } else {
            verdict_error(verdict, ERROR_NO_SUCH_RESERVATION, command->pay.reservation, 0, 0);
        }
        break;
    case NAMED_BY_VOUCHER: judge_as_invalid(command, verdict); break;
    default: REQUIRE_NEVER("a command whose partition may be missing");
    }
}

void partition_apply(struct partition *partition, const struct decision *decision) {
    REQUIRE(decision->partition == partition->id);
    REQUIRE(decision->time_ms >= partition->last_time_ms);
    if (decision->kind == DECISION_STATE_HASHED) return;
    partition->last_time_ms = decision->time_ms;
    partition->decision_count++;
    partition->volatile_hashed = false;
    partition->kind->apply(partition, decision);
}

struct partition *partition_born(const struct decision *decision) {
    if (decision->kind != DECISION_DATE_CREATED) return NULL;
    return &date_create(&decision->date_created)->partition;
}

bool partition_seal(struct partition *partition, struct decision *ret_decision) {
    if (partition->decision_count == 0 || partition->volatile_hashed) return false;
    /* As of its latest decision: what comes next may follow on a machine whose clock is behind, and
     * time never falls within a partition. */
    *ret_decision = (struct decision){.kind = DECISION_STATE_HASHED,
                                      .partition = partition->id,
                                      .time_ms = partition->last_time_ms,
                                      .state_hashed.hash = partition_hash(partition)};
    partition->volatile_hashed = true;
    return true;
}

uint64_t partition_hash(const struct partition *partition) {
    return partition->kind->hash(partition);
}

uint64_t partition_hash_recount(const struct partition *partition) {
    return partition->kind->hash_recount(partition);
}

bool partition_due(struct partition *partition, uint64_t now_ms, struct verdict *verdict) {
    if (!partition->kind->due) return false;
    verdict_begin(verdict);
    return partition->kind->due(partition, now_ms, verdict);
}

uint64_t partition_next_due_ms(const struct partition *partition) {
    if (!partition->kind->next_due_ms) return UINT64_MAX;
    return partition->kind->next_due_ms(partition);
}

void partition_heard(struct partition *partition, const struct command *command, uint64_t now_ms) {
    if (partition->kind->heard) partition->kind->heard(partition, command, now_ms);
}

bool partition_outage(const struct partition *partition, enum outage_cause cause, uint64_t since_ms,
                      uint64_t now_ms, struct verdict *verdict) {
    if (!partition->kind->outage) return false; /* time runs out for nobody there */
    verdict_begin(verdict);
    return partition->kind->outage(partition, cause, since_ms, now_ms, verdict);
}

bool partition_unserved(struct partition *partition, uint64_t ms) {
    return partition->kind->unserved && partition->kind->unserved(partition, ms);
}

void partition_answer(const struct partition *partition, const struct command *command,
                      const struct verdict *verdict, uint64_t now_ms, struct reply *ret_reply) {
    REQUIRE(verdict->reply_kind != REPLY_NONE);
    ret_reply->kind = verdict->reply_kind;
    ret_reply->error = verdict->error;
    ret_reply->now_ms = now_ms;
    if (verdict->reply_kind == REPLY_ERROR) {
        memcpy(ret_reply->data, verdict->data, sizeof ret_reply->data);
    } else if (partition) {
        partition->kind->answer(partition, command, verdict, now_ms, ret_reply);
    }
}

void partition_resume(struct partition *partition, uint64_t now_ms) {
    if (partition->kind->resume) partition->kind->resume(partition, now_ms);
}

void partition_prefetch(const struct partition *partition, const struct decision *decision,
                        enum prefetch step) {
    if (partition->kind->prefetch) partition->kind->prefetch(partition, decision, step);
}

void partition_prefetch_command(const struct partition *partition, const struct command *command,
                                enum prefetch step) {
    if (partition->kind->prefetch_command) {
        partition->kind->prefetch_command(partition, command, step);
    }
}
