/* mailbox.h - bounded, lock-free queues into a shard
 *
 * struct mailbox: chains of requests, many senders (net's threads), one receiver (the shard).
 * struct lane: messages from one shard to one other. Both are rings of Concurrency Kit
 * (https://github.com/concurrencykit/ck): maintained, in Debian, verified on many architectures,
 * and its bounded MPSC and SPSC rings are just what is needed.
 */
#ifndef USHER_ENGINE_RUNTIME_MAILBOX_H
#define USHER_ENGINE_RUNTIME_MAILBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/domain/command.h"

struct request;
struct partition;

enum peer_kind {
    PEER_COMMAND = 1, /* a message between partitions */
    PEER_VISITOR,     /* a request that visits every shard (reservation.list) */
    PEER_PARTITION,   /* a partition that has come into being, for its owner */
};

struct peer_message {
    uint32_t kind; /* enum peer_kind */
    uint64_t lsn;  /* what its sender had appended when it was sent: what follows from it is told to
                      nobody before that is durable */
    union {
        struct command command;
        struct request *visitor;
        struct partition *partition;
    };
};

struct mailbox;
struct mailbox *mailbox_create(uint32_t capacity); /* a power of two */
void mailbox_free(struct mailbox *mailbox);
/* mailbox_send - any thread. Return: false if full */
bool mailbox_send(struct mailbox *mailbox, struct request *chain);
/* mailbox_receive - the owner. Return: NULL if empty */
struct request *mailbox_receive(struct mailbox *mailbox);
bool mailbox_is_empty(const struct mailbox *mailbox);

struct lane;
struct lane *lane_create(uint32_t capacity); /* a power of two */
void lane_free(struct lane *lane);
/* lane_send - the sending shard. Return: false if full */
bool lane_send(struct lane *lane, const struct peer_message *message);
/* lane_receive - the receiving shard. Return: false if empty */
bool lane_receive(struct lane *lane, struct peer_message *ret_message);
bool lane_is_empty(const struct lane *lane);

#endif
