/* reservations.h - every live reservation of one date, and the latest that ended
 *
 * States and the only moves between them (checked on every move):
 *
 *             +--> EXPIRED, RELEASED, CANCELLED            (unpaid)
 *     HELD ---+--> PAYING --+--> PAID --> REFUNDING --> REFUNDED
 *       ^----- refused -----+
 *                           +--> CANCELLED                 (date cancelled meanwhile)
 *
 * Of those that have ended a date remembers the latest. One that carries an idempotency key which
 * somebody may ask with again (refunded, or cancelled with a key) is then *kept* until it has ended
 * for a day (KEY_KEPT_MS): found by its number, and by its user's keys, but in no list of the user,
 * and no part of the state hash (which is that of logs from before keys were kept).
 */
#ifndef USHER_ENGINE_DOMAIN_DATE_RESERVATIONS_H
#define USHER_ENGINE_DOMAIN_DATE_RESERVATIONS_H

#include "engine/domain/entity.h"
#include "engine/domain/heap.h"
#include "engine/domain/index.h"

#define RESERVATION_NO_SLOT UINT32_MAX

struct reservation {
    struct id128 user;
    struct id128 secret;      /* of the token it was made with: guards pay and release */
    struct id128 payment_key; /* of the payment that started last, none before */
    struct id128 cancel_key;  /* of the cancellation, none before */
    uint64_t amount;          /* points, all seats */
    uint64_t held_at;         /* Unix ms */
    uint64_t expires_at;      /* Unix ms; of the hold */
    uint64_t changed_at;      /* Unix ms; latest change of state: paid at, refunded at */
    uint64_t balance;         /* spendable balance after the payment */
    struct numbers seats;
    uint32_t sequence; /* from 1; never reused */
    place_t place;     /* of the token it was made with */
    uint32_t payment;  /* sequence of the payment that started last, 0 before */
    place_t payer;     /* of the token that started it; 0: its own, or none was needed */
    uint8_t state;     /* enum reservation_state */
    bool token_spent;  /* the token ended by a hold or a payment (Q10): payable without it */
    bool kept;         /* forgotten but for its keys */

    uint64_t hash; /* what it contributes to the state hash; derived, as is everything below */
    /* Where it stands in the lists below. */
    uint32_t user_next, user_prev;   /* slots of the same user's others, newest first */
    uint32_t ended_prev, ended_next; /* slots that ended before and after it */
    uint32_t deadline;               /* HELD: handle in `deadlines`; kept: in `kept_ends` */
    uint32_t user_seats;             /* newest of its user: seats of all that are live */
    uint32_t user_ended;             /* newest of its user: how many ended ones are remembered */
    uint32_t user_last;              /* newest of its user: slot of the oldest of all */

    /* What the answer to a payment that was refused was, for clicks that were already under way.
     * Whoever waits for it is of this run: in no image. */
    uint32_t volatile_refused;         /* payment; 0: none was */
    uint64_t volatile_refused_balance; /* spendable then */
};

#define RESERVATIONS_CHUNK 256u
#define SEQUENCE_PAGE 256u

struct sequence_page {
    uint32_t used; /* entries that are not RESERVATION_NO_SLOT */
    uint32_t slots[SEQUENCE_PAGE];
};

struct reservations {
    struct reservation **chunks; /* of RESERVATIONS_CHUNK slots each */
    uint32_t chunk_count, chunk_capacity;
    uint32_t slot_count;                           /* slots ever used */
    uint32_t free_first;                           /* chain of unused slots by user_next */
    uint32_t sequence_count;                       /* sequences handed out */
    uint32_t held, paying, paid, refunding;        /* how many are in these states */
    uint32_t seats_sold;                           /* seats of PAID and REFUNDING */
    uint32_t ended_first, ended_last, ended_count; /* oldest first; forgotten above the limit */
    struct sequence_page *
        *pages; /* sequence -> slot: by sequence / SEQUENCE_PAGE, NULL: forgotten */
    uint32_t page_capacity;
    struct index by_user;      /* user -> slot of the newest */
    struct heap deadlines;     /* of HELD: end of the hold -> sequence */
    struct index kept_by_user; /* user -> slot of the one that was kept last */
    struct heap kept_ends;     /* of those kept: when a day is over -> sequence */
    uint64_t seed;
    uint64_t hash; /* sum over all that are remembered */
};

void reservations_init(struct reservations *all, uint64_t seed);
void reservations_deinit(struct reservations *all);

/* reservations_at - slot 0..slot_count-1. Return: NULL for an unused slot; borrowed */
const struct reservation *reservations_at(const struct reservations *all, uint32_t slot);
/* reservations_find - Return: borrowed, or NULL: never existed, or ended long ago */
const struct reservation *reservations_find(const struct reservations *all, uint32_t sequence);
/* reservations_next - Return: the remembered one with the lowest number above this; NULL: no
 * more */
const struct reservation *reservations_next(const struct reservations *all, uint32_t sequence);
/* reservations_of - a user's newest. reservations_older - the one before. NULL: no more */
const struct reservation *reservations_of(const struct reservations *all, const struct id128 *user);
const struct reservation *reservations_older(const struct reservations *all,
                                             const struct reservation *reservation);
/* reservations_seats_of - seats of a user's live reservations (R5), in O(1) */
uint32_t reservations_seats_of(const struct reservations *all, const struct id128 *user);
/* reservations_kept_of - a user's that are kept for their keys; reservations_older() walks on
 * Return: NULL: none */
const struct reservation *reservations_kept_of(const struct reservations *all,
                                               const struct id128 *user);
/* reservations_keys_room_ms - from when on may another one end with a key, or be paid for?
 * @paid:      it is to be paid for; otherwise it only ends
 * @ret_limit: the limit that is in the way; set where there is no room at now_ms
 * Return: Unix ms; at most now_ms: at once */
uint64_t reservations_keys_room_ms(const struct reservations *all, const struct id128 *user,
                                   bool paid, uint64_t now_ms, uint32_t *ret_limit);
/* reservations_due - the HELD one whose hold ends first, or NULL */
const struct reservation *reservations_due(const struct reservations *all);

/* reservations_prefetch - a hint: this reservation, or the index of users at this user, will be
 * touched soon */
void reservations_prefetch(const struct reservations *all, uint32_t sequence);
void reservations_prefetch_user(const struct reservations *all, const struct id128 *user);

/* reservations_hash_recount - what all->hash must be, by a walk over all that are remembered */
uint64_t reservations_hash_recount(const struct reservations *all);

/* From an image (image_date.c): as if every decision had been applied. First the counter; then each
 * reservation, in order of sequence; then each that has ended, in the order in which they ended; at
 * last what only the whole can tell (@payments: handed out by the date).
 * Return: NULL, or what the image contradicts: the whole is then of no use */
void reservations_restore(struct reservations *all, uint32_t sequence_count);
const char *reservations_restore_one(struct reservations *all,
                                     const struct entity_reservation *saved);
const char *reservations_restore_ended(struct reservations *all, uint32_t sequence);
const char *reservations_restored(const struct reservations *all, uint32_t payments);

/* changes of state, from date_apply.c alone */

/* reservations_reserve - memory for `count` reservations, touched now: up to then a hold neither
 * allocates nor waits for the kernel to zero a page (a third of its cost when seats sell fast) */
void reservations_reserve(struct reservations *all, uint32_t count);
const struct reservation *reservations_add(struct reservations *all,
                                           const struct decision_seats_held *held,
                                           const struct id128 *secret, uint64_t now_ms);
/* reservations_spend_token - the token ended by a reservation or a payment (Q10): what the user
 * still holds with it stays payable without it */
void reservations_spend_token(struct reservations *all, const struct id128 *user, place_t place);
/* reservations_postpone - every unpaid one ends so much later (X7), at TIME_MS_MAX at the latest;
 * one that is being paid has the new deadline if its payment is refused */
void reservations_postpone(struct reservations *all, uint64_t by_ms);
/* What a move changes besides the state; NULL members stay as they are. */
struct reservation_move {
    uint8_t state;
    uint32_t payment;                /* 0: as it is, and so is the payer */
    place_t payer;                   /* of that payment */
    const struct id128 *payment_key; /* NULL: as it is */
    const struct id128 *cancel_key;  /* NULL: as it is */
    uint64_t balance;                /* UINT64_MAX: as it is */
    bool refused;                    /* the payment was, with this balance */
    uint64_t refused_balance;
};
void reservations_move(struct reservations *all, uint32_t sequence,
                       const struct reservation_move *move, uint64_t now_ms);

#endif
