/* waiting_room.h - the line of one date and its active set
 *
 * A waiter is found by place in O(1): places are handed out 1, 2, 3 ... and waiters stand in chunks
 * in that order, so the token needs no table. "How many live waiters are ahead" is a Fenwick tree
 * (Fenwick 1994) over blocks of 512 places plus a popcount within the block: O(log n), one bit and
 * a fraction per place. Admission takes the first live place after the last one admitted: exact
 * entry order. A chunk is freed when all its places have ended.
 *
 * Signs of life are volatile: never logged, set afresh on recovery. They are kept in served time:
 * engine time less all time in which the engine could not serve (room_unserved), so that an outage
 * of any length costs one addition and nobody's silence grows by it. Silence is found by a wheel of
 * ROOM_WHEEL_SLOTS slots that together span four times `waiting_timeout`; a waiter who was heard
 * from meanwhile is put into a later slot only when the hand reaches its old one, so a poll touches
 * nothing but its own waiter. A waiter is dropped at most 1/256 of the timeout late, never early.
 */
#ifndef USHER_ENGINE_DOMAIN_DATE_WAITING_ROOM_H
#define USHER_ENGINE_DOMAIN_DATE_WAITING_ROOM_H

#include "engine/domain/entity.h"
#include "engine/domain/heap.h"
#include "engine/domain/index.h"

#define ROOM_CHUNK 4096u /* places */
#define ROOM_BLOCK 512u  /* places: one cache line of bits */
#define ROOM_WHEEL_SLOTS 1024u

struct waiter {
    struct id128 user;
    struct id128 secret;
    union {
        uint64_t heard_ms;   /* WAITING: last sign of life, in served time; volatile */
        uint64_t expires_at; /* ACTIVE: Unix ms; when the turn is over; logged */
    };
    uint32_t deadline;  /* ACTIVE: handle in `deadlines` */
    place_t wheel_next; /* volatile: next place in its wheel slot, 0: last. An ended waiter leaves
                           the wheel when the hand meets it. */
    uint8_t state;      /* enum token_state; 0: never used */
    uint8_t end;        /* enum token_end */
};

/* waiter_is_active - it is this waiter's turn. waiter_is_over - it was, and the timer has yet to
 * say so. */
static inline bool waiter_is_active(const struct waiter *waiter, uint64_t now_ms) {
    return waiter->state == TOKEN_ACTIVE && waiter->expires_at > now_ms;
}
static inline bool waiter_is_over(const struct waiter *waiter, uint64_t now_ms) {
    return waiter->state == TOKEN_ACTIVE && waiter->expires_at <= now_ms;
}
/* waiter_expires_at - Return: Unix ms; 0 unless ACTIVE */
static inline uint64_t waiter_expires_at(const struct waiter *waiter) {
    return waiter->state == TOKEN_ACTIVE ? waiter->expires_at : 0;
}

struct room_chunk {
    uint32_t in_use; /* WAITING, ACTIVE or in the wheel; 0 and full: freed */
    struct waiter waiters[ROOM_CHUNK];
};

struct waiting_room {
    struct room_chunk **chunks; /* by (place - 1) / ROOM_CHUNK; NULL when freed */
    uint32_t chunk_capacity;
    place_t last; /* last place handed out */
    uint32_t waiting, active;

    uint64_t *waiting_bits; /* bit (place - 1): WAITING */
    uint32_t *waiting_sums; /* Fenwick tree over blocks; [0] is never used */
    uint32_t block_capacity;
    uint64_t unserved_ms; /* volatile: what served time is behind engine time */

    struct index by_user;  /* live tokens: user -> place */
    struct heap deadlines; /* ACTIVE: end of active time -> place */

    /* Admission by interval (Q9): how many were admitted since interval_began_ms. */
    uint64_t interval_began_ms;
    uint32_t interval_admitted;

    /* Average time between two admissions, x 16, for the estimated wait; 0: none seen yet. */
    uint64_t last_admission_ms;
    uint64_t admission_gap_ms_x16;

    /* Volatile: the wheel of silence, in served time. NULL during replay, made by
     * room_wheel_reset(). */
    place_t *wheel;         /* ROOM_WHEEL_SLOTS heads, 0: empty */
    uint64_t wheel_tick;    /* the hand: every slot before this tick was looked at */
    uint64_t wheel_tick_ms; /* length of a tick */
    uint64_t wheel_timeout_ms;
    uint32_t wheel_count;

    uint64_t seed;
    uint64_t hash; /* sum over live tokens */
};

void room_init(struct waiting_room *room, uint64_t seed);
void room_deinit(struct waiting_room *room);

/* room_find - Return: the waiter, borrowed; NULL if the place was never handed out or its chunk is
 * freed, which means that the token has ended (place <= room->last) */
const struct waiter *room_find(const struct waiting_room *room, place_t place);
/* room_place_of - the live token of a user. Return: its place, 0 if none */
place_t room_place_of(const struct waiting_room *room, const struct id128 *user);
/* room_ahead - live waiters before this place */
uint32_t room_ahead(const struct waiting_room *room, place_t place);
/* room_first - the first WAITING place, 0 if nobody waits */
place_t room_first(const struct waiting_room *room);
/* room_due - the ACTIVE token that ends first, NULL if none is active */
const struct heap_entry *room_due(const struct waiting_room *room);
/* room_bytes - memory of the room, for the budget and the benchmarks */
uint64_t room_bytes(const struct waiting_room *room);

/* room_next - the next place above `place` that is remembered by the log's rules alone: its chunk
 * is still being filled, or somebody of it still has a live token. (A wheel may keep a chunk
 * longer.)
 * Return: its place, 0: no more */
place_t room_next(const struct waiting_room *room, place_t place);

/* room_prefetch - a hint: this place, or the index of users at this user, will be touched soon */
void room_prefetch(const struct waiting_room *room, place_t place);
void room_prefetch_user(const struct waiting_room *room, const struct id128 *user);

/* room_hash_recount - what room->hash must be, by a walk over all places */
uint64_t room_hash_recount(const struct waiting_room *room);

/* From an image (image_date.c): as if every decision had been applied. First the counters; then
 * each waiter that is remembered, in order of place; at last what only the whole can tell.
 * Return: NULL, or what the image contradicts: the whole is then of no use */
void room_restore(struct waiting_room *room, const struct entity_date *saved);
const char *room_restore_waiter(struct waiting_room *room, const struct entity_waiter *saved);
const char *room_restored(struct waiting_room *room);

/* changes of state, from date_apply.c alone */
void room_enter(struct waiting_room *room, place_t place, const struct id128 *user,
                const struct id128 *secret, uint64_t now_ms);
void room_admit(struct waiting_room *room, const struct decision_admitted *admitted,
                uint64_t now_ms, uint64_t interval_ms);
void room_expire(struct waiting_room *room, place_t place, uint8_t end);
/* room_postpone - every active token ends so much later (X7), at TIME_MS_MAX at the latest */
void room_postpone(struct waiting_room *room, uint64_t by_ms);

/* volatile: signs of life; now_ms is engine time everywhere */
/* room_unserved - the engine could not serve for so long: it counts as nobody's silence. O(1) */
void room_unserved(struct waiting_room *room, uint64_t ms);
/* room_silent_ms - when this waiter, WAITING, counts as silent unless heard from, in engine time */
static inline uint64_t room_silent_ms(const struct waiting_room *room, const struct waiter *waiter,
                                      uint64_t waiting_timeout_ms) {
    return waiter->heard_ms + waiting_timeout_ms + room->unserved_ms;
}
/* room_heard - a sign of life of whoever waits at this place, if anybody, with this secret; NULL:
 * any */
void room_heard(struct waiting_room *room, place_t place, const struct id128 *secret,
                uint64_t now_ms);
/* room_silent - turn the wheel up to now
 * Return: a WAITING place not heard from for the timeout, or 0. At most `budget` looks per call;
 * reaching it returns 0 with room_wheel_due_ms() still in the past. The place has left the wheel:
 * the caller expires it before anything else. */
place_t room_silent(struct waiting_room *room, uint64_t now_ms, uint32_t *budget);
/* room_is_silent - Return: whether this WAITING place has not been heard from for the timeout */
bool room_is_silent(const struct waiting_room *room, place_t place, uint64_t now_ms);
/* room_wheel_due_ms - when room_silent() has something to look at; UINT64_MAX if the wheel is
 * empty */
uint64_t room_wheel_due_ms(const struct waiting_room *room);
/* room_wheel_reset - everybody who waits was heard from at `now` (recovery), or keeps the last sign
 * of life but under another timeout (policy change): O(waiters) */
void room_wheel_reset(struct waiting_room *room, uint64_t now_ms, uint64_t waiting_timeout_ms,
                      bool heard_now);

#endif
