/* driver.h - the domain driven as a shard drives it, for benchmarks: decide, encode, apply, what
 * follows
 *
 * One thread, no mailbox, no reply. Records gather in `log`; when that is full they go to `flush`,
 * or are forgotten where nobody wants them. Anything unexpected ends the process (REQUIRE).
 */
#ifndef USHER_BENCH_DRIVER_H
#define USHER_BENCH_DRIVER_H

#include "engine/domain/date/date.h"
#include "engine/domain/partition/world.h"

struct driver {
    struct world *world;
    uint64_t now_ms;
    uint64_t decisions;
    void (*flush)(void *context, const uint8_t *bytes, uint32_t size); /* may be NULL */
    void *flush_context;
    uint32_t log_bytes, log_capacity; /* log_capacity: at most DRAIN_BYTES_MAX */
    uint8_t log[DRAIN_BYTES_MAX];
    struct verdict verdict; /* of the latest command */
    struct verdict due;     /* of what followed from it */
};

/* driver_new - an empty world at some moment. Return: owned by the caller until driver_free() */
struct driver *driver_new(void);
void driver_free(struct driver *driver);

/* driver_date - a concert with one date, open, of `seats` seats at 100 points each
 * Return: its partition, resumed */
struct partition *driver_date(struct driver *driver, uint32_t seats, uint64_t active_capacity);

/* driver_decide - one command, and what is due at once (admission) */
void driver_decide(struct driver *driver, struct partition *partition, struct command *command);
/* driver_decide_all - and the messages that follow, delivered at once as within one shard */
void driver_decide_all(struct driver *driver, struct partition *partition, struct command *command);
/* driver_due - what time decides by now: admissions, ends of active times and holds */
void driver_due(struct driver *driver, struct partition *partition);
/* driver_flush - hand over what has gathered */
void driver_flush(struct driver *driver);

/* The user with this number, and a secret for the same. */
struct id128 driver_user(uint32_t n);

/* A user's requests. */
struct token driver_enter(struct driver *driver, struct partition *date, uint32_t n);
void driver_charge(struct driver *driver, uint32_t n, uint64_t amount);
uint64_t driver_hold(struct driver *driver, struct partition *date, const struct token *token,
                     uint32_t seat); /* Return: the reservation; 0: refused */
void driver_release(struct driver *driver, struct partition *date, const struct token *token,
                    uint64_t reservation);
void driver_leave(struct driver *driver, struct partition *date, const struct token *token);
void driver_pay(struct driver *driver, struct partition *date, const struct token *token,
                uint64_t reservation);

#endif
