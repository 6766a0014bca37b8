/* partition.c - one shape for three kinds of partition: each call goes to the kind's own file */
#include "engine/domain/partition/partition.h"

#include "engine/domain/account/account_rules.h"
#include "engine/domain/catalogue/catalogue_rules.h"
#include "engine/domain/date/date_rules.h"
#include "engine/domain/verdict.h"

struct partition *partition_create(uint32_t id, const struct id128 *seed) {
    if (id == PARTITION_CATALOGUE) return &catalogue_create()->partition;
    return &account_partition_create(id, seed)->partition;
}

void partition_free(struct partition *partition) {
    if (!partition) return;
    if (partition_is_date(partition->id)) {
        date_free((struct date *)partition);
    } else if (partition_is_account(partition->id)) {
        account_partition_free((struct account_partition *)partition);
    } else {
        catalogue_free((struct catalogue *)partition);
    }
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
    if (partition_is_date(partition->id)) {
        date_decide((const struct date *)partition, command, now_ms, verdict);
    } else if (partition_is_account(partition->id)) {
        account_decide((const struct account_partition *)partition, command, now_ms, verdict);
    } else {
        catalogue_decide((const struct catalogue *)partition, command, now_ms, verdict);
    }
}

void partition_apply(struct partition *partition, const struct decision *decision) {
    REQUIRE(decision->partition == partition->id);
    REQUIRE(decision->time_ms >= partition->last_time_ms);
    if (decision->kind == DECISION_STATE_HASHED) return;
    partition->last_time_ms = decision->time_ms;
    partition->decision_count++;
    partition->volatile_hashed = false;
    if (partition_is_date(partition->id)) {
        date_apply((struct date *)partition, decision);
    } else if (partition_is_account(partition->id)) {
        account_apply((struct account_partition *)partition, decision);
    } else {
        catalogue_apply((struct catalogue *)partition, decision);
    }
}

uint64_t partition_hash(const struct partition *partition) {
    if (partition_is_date(partition->id)) return date_hash((const struct date *)partition);
    if (partition_is_account(partition->id)) {
        return ((const struct account_partition *)partition)->hash;
    }
    return ((const struct catalogue *)partition)->hash;
}

uint64_t partition_hash_recount(const struct partition *partition) {
    if (partition_is_date(partition->id)) {
        const struct date *date = (const struct date *)partition;
        return date_hash(date) - date->seats.hash - date->reservations.hash - date->room.hash +
               seat_map_hash_recount(&date->seats) +
               reservations_hash_recount(&date->reservations) + room_hash_recount(&date->room);
    }
    if (partition_is_account(partition->id)) {
        return account_hash_recount((const struct account_partition *)partition);
    }
    return catalogue_hash_recount((const struct catalogue *)partition);
}

bool partition_due(struct partition *partition, uint64_t now_ms, struct verdict *verdict) {
    if (partition_is_date(partition->id)) {
        return date_due((struct date *)partition, now_ms, verdict);
    }
    if (partition_is_account(partition->id)) {
        return account_due((struct account_partition *)partition, verdict);
    }
    return false;
}

uint64_t partition_next_due_ms(const struct partition *partition) {
    if (partition_is_date(partition->id)) {
        return date_next_due_ms((const struct date *)partition);
    }
    if (partition_is_account(partition->id)) {
        return account_next_due_ms((const struct account_partition *)partition);
    }
    return UINT64_MAX;
}

void partition_heard(struct partition *partition, const struct command *command, uint64_t now_ms) {
    if (partition_is_date(partition->id)) date_heard((struct date *)partition, command, now_ms);
}

bool partition_outage(const struct partition *partition, enum outage_cause cause, uint64_t since_ms,
                      uint64_t now_ms, struct verdict *verdict) {
    if (!partition_is_date(partition->id)) return false; /* time runs out for nobody there */
    return date_outage((const struct date *)partition, cause, since_ms, now_ms, verdict);
}

bool partition_unserved(struct partition *partition, uint64_t ms) {
    if (!partition_is_date(partition->id)) return false;
    struct waiting_room *room = &((struct date *)partition)->room;
    room_unserved(room, ms);
    return room->waiting > 0;
}

void partition_answer(const struct partition *partition, const struct command *command,
                      const struct verdict *verdict, uint64_t now_ms, struct reply *ret_reply) {
    REQUIRE(verdict->reply_kind != REPLY_NONE);
    ret_reply->kind = verdict->reply_kind;
    ret_reply->error = verdict->error;
    ret_reply->now_ms = now_ms;
    if (verdict->reply_kind == REPLY_ERROR) {
        memcpy(ret_reply->data, verdict->data, sizeof ret_reply->data);
    } else if (partition_is_date(partition->id)) {
        date_answer((const struct date *)partition, command, verdict, now_ms, ret_reply);
    } else if (partition_is_account(partition->id)) {
        account_answer((const struct account_partition *)partition, command, verdict, ret_reply);
    } else {
        catalogue_answer((const struct catalogue *)partition, command, verdict, ret_reply);
    }
}

void partition_resume(struct partition *partition, uint64_t now_ms) {
    if (partition_is_date(partition->id)) date_resume((struct date *)partition, now_ms);
    if (partition_is_account(partition->id)) {
        account_resume((struct account_partition *)partition);
    }
}
