/* stepper.h - the one place that steps partitions by hand, as a shard does: hear, decide, encode,
 * apply, and what is due at once
 *
 * One thread, no mailbox, no reply. Records gather in `log`; when that is full, or stepper_flush()
 * is called, they go to `flush`, or are forgotten where nobody wants them. A message is left in the
 * verdict: whoever steps decides when it arrives. Anything unexpected ends the process (REQUIRE).
 */
#ifndef USHER_TESTS_SUPPORT_STEPPER_H
#define USHER_TESTS_SUPPORT_STEPPER_H

#include "engine/domain/date/date.h"
#include "engine/domain/partition/world.h"

struct stepper {
    struct world *world; /* owned */
    uint64_t now_ms;
    uint64_t decisions;
    /* world_apply: as replay does, and each decision must fit. NULL: apply as a shard does. */
    int (*apply)(struct world *world, const struct decision *decision);
    void (*flush)(void *context, const uint8_t *bytes, uint32_t size); /* may be NULL */
    void *flush_context;
    uint32_t log_bytes, log_capacity; /* log_capacity: at most DRAIN_BYTES_MAX */
    uint8_t log[DRAIN_BYTES_MAX];
    struct verdict verdict; /* of the latest command */
    struct verdict due;     /* of what followed from it */
};

/* stepper_new - some moment of a world, which it takes; NULL: an empty one
 * Return: owned by the caller until stepper_free() */
struct stepper *stepper_new(struct world *world);
void stepper_free(struct stepper *stepper);

/* stepper_date - a concert with one date, open, of `seats` seats at 100 points each
 * Return: its partition, resumed */
struct partition *stepper_date(struct stepper *stepper, uint32_t seats, uint64_t active_capacity);

/* stepper_step - hear and decide one command, carry its verdict out; nothing else */
void stepper_step(struct stepper *stepper, struct partition *partition,
                  const struct command *command);
/* stepper_carry_out - log and apply what was decided; a new date is adopted and resumed */
void stepper_carry_out(struct stepper *stepper, struct partition *partition,
                       const struct verdict *verdict);
/* stepper_due_once - the next thing that time decides by now, in `due`
 * Return: false if there was none, although one may have been expected */
bool stepper_due_once(struct stepper *stepper, struct partition *partition);

/* stepper_decide - one command, and what is due at once (admission) */
void stepper_decide(struct stepper *stepper, struct partition *partition, struct command *command);
/* stepper_decide_all - and the messages that follow, delivered at once as within one shard */
void stepper_decide_all(struct stepper *stepper, struct partition *partition,
                        struct command *command);
/* stepper_due - what time decides by now: admissions, ends of active times and holds */
void stepper_due(struct stepper *stepper, struct partition *partition);
/* stepper_flush - hand over what has gathered */
void stepper_flush(struct stepper *stepper);

/* The user with this number, and a secret for the same. */
struct id128 stepper_user(uint32_t n);

/* A user's requests. */
struct token stepper_enter(struct stepper *stepper, struct partition *date, uint32_t n);
void stepper_charge(struct stepper *stepper, uint32_t n, uint64_t amount);
uint64_t stepper_hold(struct stepper *stepper, struct partition *date, const struct token *token,
                      uint32_t seat); /* Return: the reservation; 0: refused */
void stepper_release(struct stepper *stepper, struct partition *date, const struct token *token,
                     uint64_t reservation);
void stepper_leave(struct stepper *stepper, struct partition *date, const struct token *token);
void stepper_pay(struct stepper *stepper, struct partition *date, const struct token *token,
                 uint64_t reservation);

#endif
