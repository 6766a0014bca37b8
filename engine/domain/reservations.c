#include "engine/domain/reservations.h"

#include <stddef.h>
#include <stdlib.h>

#include "engine/require.h"

static struct reservation *at(const struct reservations *all, uint32_t slot) {
    REQUIRE(slot < all->slot_count);
    return &all->chunks[slot / RESERVATIONS_CHUNK][slot % RESERVATIONS_CHUNK];
}

static void deadline_moved(void *owner, uint32_t slot, uint32_t position) {
    at(owner, slot)->heap_position = position;
}

void reservations_init(struct reservations *all, uint64_t seed) {
    memset(all, 0, sizeof *all);
    all->free_first = all->ended_first = all->ended_last = RESERVATION_NO_SLOT;
    index_init(&all->by_sequence);
    index_init(&all->by_user);
    heap_init(&all->deadlines, all, deadline_moved);
    all->seed = seed;
}

void reservations_deinit(struct reservations *all) {
    for (uint32_t i = 0; i < all->chunk_count; i++) free(all->chunks[i]);
    free(all->chunks);
    index_deinit(&all->by_sequence);
    index_deinit(&all->by_user);
    heap_deinit(&all->deadlines);
}

/* --- read ---------------------------------------------------------------------------------- */

bool reservation_is_live(const struct reservation *reservation) {
    switch (reservation->state) {
    case RESERVATION_HELD:
    case RESERVATION_PAYING:
    case RESERVATION_PAID:
    case RESERVATION_REFUNDING: return true;
    default: return false;
    }
}

const struct reservation *reservations_at(const struct reservations *all, uint32_t slot) {
    const struct reservation *reservation = at(all, slot);
    return reservation->sequence != 0 ? reservation : NULL;
}

static uint64_t sequence_hash(const struct reservations *all, uint32_t sequence) {
    return index_hash(&sequence, sizeof sequence, all->seed);
}

static uint32_t slot_of(const struct reservations *all, uint32_t sequence) {
    uint32_t slot;
    struct index_cursor cursor = index_find(&all->by_sequence, sequence_hash(all, sequence));
    while (index_next(&cursor, &slot)) {
        if (at(all, slot)->sequence == sequence) return slot;
    }
    return RESERVATION_NO_SLOT;
}

const struct reservation *reservations_find(const struct reservations *all, uint32_t sequence) {
    uint32_t slot = slot_of(all, sequence);
    return slot == RESERVATION_NO_SLOT ? NULL : at(all, slot);
}

static uint32_t newest_of(const struct reservations *all, const struct id128 *user, uint64_t hash) {
    uint32_t slot;
    struct index_cursor cursor = index_find(&all->by_user, hash);
    while (index_next(&cursor, &slot)) {
        if (id128_equal(&at(all, slot)->user, user)) return slot;
    }
    return RESERVATION_NO_SLOT;
}

static uint64_t user_hash(const struct reservations *all, const struct id128 *user) {
    return index_hash(user->bytes, sizeof user->bytes, all->seed);
}

const struct reservation *reservations_of(const struct reservations *all,
                                          const struct id128 *user) {
    uint32_t slot = newest_of(all, user, user_hash(all, user));
    return slot == RESERVATION_NO_SLOT ? NULL : at(all, slot);
}

const struct reservation *reservations_older(const struct reservations *all,
                                             const struct reservation *reservation) {
    return reservation->user_next == RESERVATION_NO_SLOT ? NULL : at(all, reservation->user_next);
}

const struct reservation *reservations_due(const struct reservations *all) {
    const struct heap_entry *first = heap_first(&all->deadlines);
    return first ? at(all, first->item) : NULL;
}

/* --- change -------------------------------------------------------------------------------- */

/* What the state hash covers: every field before the lists, the seats in use only. */
static uint64_t hash_of(const struct reservation *reservation) {
    struct {
        uint64_t amount, held_at, expires_at, changed_at, balance;
        uint32_t sequence, place, payment, state_and_flags;
        struct id128 user, secret, payment_key, cancel_key;
        uint32_t seats[SEATS_PER_USER_MAX];
    } image = {
        reservation->amount,     reservation->held_at,
        reservation->expires_at, reservation->changed_at,
        reservation->balance,    reservation->sequence,
        reservation->place,      reservation->payment,
        (uint32_t)reservation->state | (uint32_t)reservation->token_spent << 8 |
            (uint32_t)reservation->seats.count << 16,
        reservation->user,       reservation->secret,
        reservation->payment_key, reservation->cancel_key,
        {0},
    };
    size_t seat_bytes = reservation->seats.count * sizeof image.seats[0];
    memcpy(image.seats, reservation->seats.values, seat_bytes);
    return index_hash(&image, (uint32_t)(offsetof(__typeof__(image), seats) + seat_bytes), 0);
}

static void count(struct reservations *all, uint8_t state, uint32_t by) {
    switch (state) {
    case RESERVATION_HELD: all->held += by; break;
    case RESERVATION_PAYING: all->paying += by; break;
    case RESERVATION_PAID: all->paid += by; break;
    case RESERVATION_REFUNDING: all->refunding += by; break;
    default: break; /* the ended ones are counted by their list */
    }
}

static bool is_sold(const struct reservation *reservation) {
    return reservation->state == RESERVATION_PAID || reservation->state == RESERVATION_REFUNDING;
}

static uint32_t slot_take(struct reservations *all) {
    uint32_t slot = all->free_first;
    if (slot != RESERVATION_NO_SLOT) {
        all->free_first = at(all, slot)->user_next;
        return slot;
    }
    if (all->slot_count == all->chunk_count * RESERVATIONS_CHUNK) {
        if (all->chunk_count == all->chunk_capacity) {
            all->chunk_capacity = all->chunk_capacity ? all->chunk_capacity * 2 : 16;
            all->chunks = realloc(all->chunks, all->chunk_capacity * sizeof(void *));
            REQUIRE(all->chunks != NULL);
        }
        all->chunks[all->chunk_count] = calloc(RESERVATIONS_CHUNK, sizeof(struct reservation));
        REQUIRE(all->chunks[all->chunk_count] != NULL);
        all->chunk_count++;
    }
    return all->slot_count++;
}

static void user_link(struct reservations *all, uint32_t slot) {
    struct reservation *reservation = at(all, slot);
    uint64_t hash = user_hash(all, &reservation->user);
    uint32_t newest = newest_of(all, &reservation->user, hash);
    reservation->user_prev = RESERVATION_NO_SLOT;
    reservation->user_next = newest;
    if (newest == RESERVATION_NO_SLOT) {
        index_insert(&all->by_user, hash, slot);
    } else {
        at(all, newest)->user_prev = slot;
        index_replace(&all->by_user, hash, newest, slot);
    }
}

static void user_unlink(struct reservations *all, uint32_t slot) {
    struct reservation *reservation = at(all, slot);
    uint32_t next = reservation->user_next, prev = reservation->user_prev;
    if (next != RESERVATION_NO_SLOT) at(all, next)->user_prev = prev;
    if (prev != RESERVATION_NO_SLOT) {
        at(all, prev)->user_next = next;
    } else if (next != RESERVATION_NO_SLOT) {
        index_replace(&all->by_user, user_hash(all, &reservation->user), slot, next);
    } else {
        index_remove(&all->by_user, user_hash(all, &reservation->user), slot);
    }
}

const struct reservation *reservations_add(struct reservations *all,
                                           const struct decision_seats_held *held,
                                           const struct id128 *secret, uint64_t now_ms) {
    REQUIRE(held->reservation == all->sequence_count + 1);
    REQUIRE(held->seats.count >= 1 && held->seats.count <= SEATS_PER_USER_MAX);
    uint32_t slot = slot_take(all);
    struct reservation *reservation = at(all, slot);
    *reservation = (struct reservation){
        .user = held->user,
        .secret = *secret,
        .amount = held->amount,
        .held_at = now_ms,
        .expires_at = held->expires_at,
        .changed_at = now_ms,
        .seats = held->seats,
        .sequence = held->reservation,
        .place = held->place,
        .state = RESERVATION_HELD,
        .ended_prev = RESERVATION_NO_SLOT,
        .ended_next = RESERVATION_NO_SLOT,
    };
    all->sequence_count++;
    all->held++;
    index_insert(&all->by_sequence, sequence_hash(all, reservation->sequence), slot);
    user_link(all, slot);
    heap_insert(&all->deadlines, reservation->expires_at, slot);
    all->hash += hash_of(reservation);
    return reservation;
}

void reservations_spend_token(struct reservations *all, const struct id128 *user, place_t place) {
    uint32_t slot = newest_of(all, user, user_hash(all, user));
    while (slot != RESERVATION_NO_SLOT) {
        struct reservation *reservation = at(all, slot);
        if (reservation->place == place && (reservation->state == RESERVATION_HELD ||
                                            reservation->state == RESERVATION_PAYING)) {
            all->hash -= hash_of(reservation);
            reservation->token_spent = true;
            all->hash += hash_of(reservation);
        }
        slot = reservation->user_next;
    }
}

static void forget_ended(struct reservations *all, uint32_t slot) {
    struct reservation *reservation = at(all, slot);
    uint32_t prev = reservation->ended_prev, next = reservation->ended_next;
    REQUIRE(!reservation_is_live(reservation) && all->ended_count > 0);
    if (prev != RESERVATION_NO_SLOT) at(all, prev)->ended_next = next;
    if (next != RESERVATION_NO_SLOT) at(all, next)->ended_prev = prev;
    if (all->ended_first == slot) all->ended_first = next;
    if (all->ended_last == slot) all->ended_last = prev;
    all->ended_count--;
    all->hash -= hash_of(reservation);
    index_remove(&all->by_sequence, sequence_hash(all, reservation->sequence), slot);
    user_unlink(all, slot);
    *reservation = (struct reservation){.user_next = all->free_first};
    all->free_first = slot;
}

/* The user's oldest ended reservation, if more are remembered than a user may have. */
static uint32_t too_many_of(const struct reservations *all, const struct id128 *user) {
    uint32_t count = 0, oldest = RESERVATION_NO_SLOT;
    uint32_t slot = newest_of(all, user, user_hash(all, user));
    for (; slot != RESERVATION_NO_SLOT; slot = at(all, slot)->user_next) {
        if (reservation_is_live(at(all, slot))) continue;
        count++;
        oldest = slot;
    }
    return count > ENDED_RESERVATIONS_KEPT_PER_USER ? oldest : RESERVATION_NO_SLOT;
}

static void remember_ended(struct reservations *all, uint32_t slot) {
    at(all, slot)->ended_prev = all->ended_last;
    if (all->ended_last == RESERVATION_NO_SLOT) {
        all->ended_first = slot;
    } else {
        at(all, all->ended_last)->ended_next = slot;
    }
    all->ended_last = slot;
    all->ended_count++;
    uint32_t excess = too_many_of(all, &at(all, slot)->user);
    if (excess != RESERVATION_NO_SLOT) forget_ended(all, excess);
    if (all->ended_count > ENDED_RESERVATIONS_KEPT) forget_ended(all, all->ended_first);
}

/* The table of allowed moves: the picture in reservations.h. */
static bool move_allowed(uint8_t from, uint8_t to) {
#define BIT(state) (1u << RESERVATION_##state)
    static const uint32_t allowed[] = {
        [RESERVATION_HELD] = BIT(PAYING) | BIT(EXPIRED) | BIT(RELEASED) | BIT(CANCELLED),
        [RESERVATION_PAYING] = BIT(HELD) | BIT(PAID) | BIT(CANCELLED),
        [RESERVATION_PAID] = BIT(REFUNDING),
        [RESERVATION_REFUNDING] = BIT(REFUNDED),
    };
#undef BIT
    return from < sizeof allowed / sizeof allowed[0] && (allowed[from] >> to & 1);
}

void reservations_move(struct reservations *all, uint32_t sequence,
                       const struct reservation_move *move, uint64_t now_ms) {
    uint32_t slot = slot_of(all, sequence);
    REQUIRE(slot != RESERVATION_NO_SLOT);
    struct reservation *reservation = at(all, slot);
    REQUIRE(move_allowed(reservation->state, move->state));

    all->hash -= hash_of(reservation);
    count(all, reservation->state, -1u);
    if (is_sold(reservation)) all->seats_sold -= reservation->seats.count;
    if (reservation->state == RESERVATION_HELD) {
        heap_remove(&all->deadlines, reservation->heap_position);
    }
    reservation->state = move->state;
    reservation->changed_at = now_ms;
    if (move->payment) reservation->payment = move->payment;
    if (move->payment_key) reservation->payment_key = *move->payment_key;
    if (move->cancel_key) reservation->cancel_key = *move->cancel_key;
    if (move->balance != UINT64_MAX) reservation->balance = move->balance;
    count(all, reservation->state, 1);
    if (is_sold(reservation)) all->seats_sold += reservation->seats.count;
    all->hash += hash_of(reservation);
    if (reservation->state == RESERVATION_HELD) {
        heap_insert(&all->deadlines, reservation->expires_at, slot);
    }
    if (!reservation_is_live(reservation)) remember_ended(all, slot);
}
