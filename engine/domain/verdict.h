/* verdict.h - what a command leads to, and how the files that decide fill it in */
#ifndef USHER_ENGINE_DOMAIN_VERDICT_H
#define USHER_ENGINE_DOMAIN_VERDICT_H

#include "engine/base/require.h"
#include "engine/domain/partition_kind.h"

/* The most decisions of one command: admin.seats_add makes one per seat. */
#define VERDICT_DECISIONS_MAX SEATS_ADD_MAX

/* Reused by the shard for every command: nothing in it needs clearing but what verdict_begin()
 * clears. */
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

static inline void verdict_begin(struct verdict *verdict) {
    verdict->count = 0;
    verdict->has_message = false;
    verdict->reply_kind = REPLY_NONE;
    verdict->error = ERROR_NONE;
}

/* verdict_add - one more decision of this partition, at this moment
 * Return: for the caller to assign the whole body; borrowed until the next begin */
static inline struct decision *verdict_add(struct verdict *verdict,
                                           const struct partition *partition,
                                           enum decision_kind kind, uint64_t now_ms) {
    REQUIRE(verdict->count < VERDICT_DECISIONS_MAX);
    struct decision *decision = &verdict->decisions[verdict->count++];
    decision->kind = (uint16_t)kind;
    decision->partition = partition->id;
    decision->time_ms = now_ms;
    return decision;
}

/* verdict_error - refuse; the data are those that error.def names for it */
static inline void verdict_error(struct verdict *verdict, enum error error, uint64_t data1,
                                 uint64_t data2, uint64_t data3) {
    verdict->reply_kind = REPLY_ERROR;
    verdict->error = (uint16_t)error;
    verdict->data[0] = data1;
    verdict->data[1] = data2;
    verdict->data[2] = data3;
}

/* verdict_message - send a message after the decisions are logged; the caller fills in the rest */
static inline struct command *verdict_message(struct verdict *verdict, enum command_kind kind,
                                              uint32_t partition) {
    REQUIRE(!verdict->has_message);
    verdict->has_message = true;
    verdict->message.kind = (uint16_t)kind;
    verdict->message.is_admin = false;
    verdict->message.partition = partition;
    verdict->message.origin = 0;
    return &verdict->message;
}

#endif
