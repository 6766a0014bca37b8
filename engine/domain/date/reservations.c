/* reservations.c - see reservations.h */
#include "engine/domain/date/reservations.h"

#include <stddef.h>
#include <stdlib.h>

#include "engine/base/hash.h"
#include "engine/base/prefetch.h"
#include "engine/base/require.h"

static struct reservation *at(const struct reservations *all, uint32_t slot) {
    REQUIRE(slot < all->slot_count);
    return &all->chunks[slot / RESERVATIONS_CHUNK][slot % RESERVATIONS_CHUNK];
}

void reservations_init(struct reservations *all, uint64_t seed) {
    memset(all, 0, sizeof *all);
    all->free_first = all->ended_first = all->ended_last = RESERVATION_NO_SLOT;
    index_init(&all->by_user);
    index_init(&all->kept_by_user);
    heap_init(&all->deadlines);
    heap_init(&all->kept_ends);
    all->seed = seed;
}

void reservations_deinit(struct reservations *all) {
    for (uint32_t i = 0; i < all->chunk_count; i++) free(all->chunks[i]);
    free(all->chunks);
    for (uint32_t i = 0; i < all->page_capacity; i++) free(all->pages[i]);
    free(all->pages);
    index_deinit(&all->by_user);
    index_deinit(&all->kept_by_user);
    heap_deinit(&all->deadlines);
    heap_deinit(&all->kept_ends);
}

/* --- read ------------------------------------------------------------------------------------- */

const struct reservation *reservations_at(const struct reservations *all, uint32_t slot) {
    const struct reservation *reservation = at(all, slot);
    return reservation->sequence != 0 ? reservation : NULL;
}

static uint32_t slot_of(const struct reservations *all, uint32_t sequence) {
    if (sequence < 1 || sequence > all->sequence_count) return RESERVATION_NO_SLOT;
    uint32_t index = sequence / SEQUENCE_PAGE;
    const struct sequence_page *page = index < all->page_capacity ? all->pages[index] : NULL;
    return page ? page->slots[sequence % SEQUENCE_PAGE] : RESERVATION_NO_SLOT;
}

static void slot_remember(struct reservations *all, uint32_t sequence, uint32_t slot) {
    uint32_t index = sequence / SEQUENCE_PAGE;
    if (index >= all->page_capacity) {
        uint32_t capacity = all->page_capacity ? all->page_capacity * 2 : 16;
        while (capacity <= index) capacity *= 2; /* after an image: more than one further */
        all->pages = realloc(all->pages, capacity * sizeof *all->pages);
        REQUIRE_MEMORY(all->pages != NULL);
        memset(all->pages + all->page_capacity, 0,
               (capacity - all->page_capacity) * sizeof *all->pages);
        all->page_capacity = capacity;
    }
    if (!all->pages[index]) {
        all->pages[index] = malloc(sizeof *all->pages[index]);
        REQUIRE_MEMORY(all->pages[index] != NULL);
        memset(all->pages[index]->slots, 0xff, sizeof all->pages[index]->slots);
        all->pages[index]->used = 0;
    }
    all->pages[index]->slots[sequence % SEQUENCE_PAGE] = slot;
    all->pages[index]->used++;
}

static void slot_forget(struct reservations *all, uint32_t sequence) {
    uint32_t index = sequence / SEQUENCE_PAGE;
    struct sequence_page *page = all->pages[index];
    page->slots[sequence % SEQUENCE_PAGE] = RESERVATION_NO_SLOT;
    REQUIRE(page->used > 0);
    page->used--;
    if (page->used > 0 || index == all->sequence_count / SEQUENCE_PAGE) return;
    free(page); /* all of it is forgotten, and no sequence comes twice */
    all->pages[index] = NULL;
}

const struct reservation *reservations_find(const struct reservations *all, uint32_t sequence) {
    uint32_t slot = slot_of(all, sequence);
    return slot == RESERVATION_NO_SLOT ? NULL : at(all, slot);
}

const struct reservation *reservations_next(const struct reservations *all, uint32_t sequence) {
    while (sequence < all->sequence_count) {
        sequence++;
        uint32_t index = sequence / SEQUENCE_PAGE;
        if (index >= all->page_capacity) break;
        if (!all->pages[index]) {
            sequence |= SEQUENCE_PAGE - 1;
            continue;
        }
        uint32_t slot = all->pages[index]->slots[sequence % SEQUENCE_PAGE];
        if (slot != RESERVATION_NO_SLOT) return at(all, slot);
    }
    return NULL;
}

/* In the list of a user's remembered ones (index: by_user) or kept ones (kept_by_user). */
static uint32_t newest_in(const struct reservations *all, const struct index *index,
                          const struct id128 *user, uint64_t hash) {
    uint32_t slot;
    struct index_cursor cursor = index_find(index, hash);
    while (index_next(&cursor, &slot)) {
        if (id128_equal(&at(all, slot)->user, user)) return slot;
    }
    return RESERVATION_NO_SLOT;
}

static uint32_t newest_of(const struct reservations *all, const struct id128 *user, uint64_t hash) {
    return newest_in(all, &all->by_user, user, hash);
}

static uint64_t user_hash(const struct reservations *all, const struct id128 *user) {
    return index_hash(user->bytes, sizeof user->bytes, all->seed);
}

const struct reservation *reservations_of(const struct reservations *all,
                                          const struct id128 *user) {
    uint32_t slot = newest_of(all, user, user_hash(all, user));
    return slot == RESERVATION_NO_SLOT ? NULL : at(all, slot);
}

const struct reservation *reservations_kept_of(const struct reservations *all,
                                               const struct id128 *user) {
    if (all->kept_ends.count == 0) return NULL; /* mostly */
    uint32_t slot = newest_in(all, &all->kept_by_user, user, user_hash(all, user));
    return slot == RESERVATION_NO_SLOT ? NULL : at(all, slot);
}

/* From this moment on it may be forgotten. */
static uint64_t keys_end_ms(const struct reservation *reservation) {
    return reservation->changed_at + KEY_KEPT_MS + 1;
}

uint64_t reservations_keys_room_ms(const struct reservations *all, const struct id128 *user,
                                   bool paid, uint64_t now_ms, uint32_t *ret_limit) {
    uint32_t limit = paid ? KEPT_RESERVATIONS_MAX : KEPT_RESERVATIONS_MAX / 2;
    uint64_t room_ms = 0;
    if (all->kept_ends.count >= limit) {
        room_ms = heap_first(&all->kept_ends)->due_ms;
        if (room_ms > now_ms) *ret_limit = limit;
    }
    const struct reservation *kept = room_ms > now_ms ? NULL : reservations_kept_of(all, user);
    if (!kept || kept->user_ended < KEPT_RESERVATIONS_PER_USER_MAX) return room_ms;
    uint64_t first_ms = UINT64_MAX;
    uint32_t count = 0;
    for (const struct reservation *one = kept; one; one = reservations_older(all, one)) {
        uint64_t end_ms = keys_end_ms(one);
        count += end_ms > now_ms;
        if (end_ms > now_ms && end_ms < first_ms) first_ms = end_ms;
    }
    if (count < KEPT_RESERVATIONS_PER_USER_MAX) return room_ms;
    *ret_limit = KEPT_RESERVATIONS_PER_USER_MAX;
    return first_ms;
}

uint32_t reservations_seats_of(const struct reservations *all, const struct id128 *user) {
    const struct reservation *newest = reservations_of(all, user);
    return newest ? newest->user_seats : 0;
}

const struct reservation *reservations_older(const struct reservations *all,
                                             const struct reservation *reservation) {
    return reservation->user_next == RESERVATION_NO_SLOT ? NULL : at(all, reservation->user_next);
}

const struct reservation *reservations_due(const struct reservations *all) {
    const struct heap_entry *first = heap_first(&all->deadlines);
    return first ? reservations_find(all, first->item) : NULL;
}

void reservations_prefetch(const struct reservations *all, uint32_t sequence) {
    const char *bytes = (const char *)reservations_find(all, sequence);
    if (!bytes) return;
    for (size_t i = 0; i < sizeof(struct reservation); i += 64) prefetch_write(bytes + i);
}

void reservations_prefetch_user(const struct reservations *all, const struct id128 *user) {
    index_prefetch(&all->by_user, user_hash(all, user));
}

/* --- change ----------------------------------------------------------------------------------- */

/* What the state hash covers: every field before the lists, the seats in use only. */
static uint64_t hash_of(const struct reservation *reservation) {
    HASHED_STRUCT_BEGIN
    struct {
        uint64_t amount, held_at, expires_at, changed_at, balance;
        uint32_t sequence, place, payment, state_and_flags;
        struct id128 user, secret, payment_key, cancel_key;
        uint32_t seats[SEATS_PER_USER_MAX];
    } image = {
        reservation->amount,
        reservation->held_at,
        reservation->expires_at,
        reservation->changed_at,
        reservation->balance,
        reservation->sequence,
        reservation->place,
        reservation->payment,
        (uint32_t)reservation->state | (uint32_t)reservation->token_spent << 8 |
            (uint32_t)reservation->seats.count << 16,
        reservation->user,
        reservation->secret,
        reservation->payment_key,
        reservation->cancel_key,
        {0},
    };
    HASHED_STRUCT_END
    size_t seat_bytes = reservation->seats.count * sizeof image.seats[0];
    memcpy(image.seats, reservation->seats.values, seat_bytes);
    uint64_t hash = index_hash(&image, (uint32_t)(offsetof(__typeof__(image), seats) + seat_bytes),
                               0);
    /* Newer than the first logs, which keep their hashes. */
    if (reservation->payer) {
        hash += index_hash(&reservation->payer, sizeof reservation->payer, reservation->sequence);
    }
    return hash;
}

/* It has changed. */
static void rehash(struct reservations *all, struct reservation *reservation) {
    all->hash -= reservation->hash;
    reservation->hash = hash_of(reservation);
    all->hash += reservation->hash;
}

uint64_t reservations_hash_recount(const struct reservations *all) {
    uint64_t hash = 0;
    for (uint32_t slot = 0; slot < all->slot_count; slot++) {
        const struct reservation *reservation = at(all, slot);
        if (reservation->sequence != 0 && !reservation->kept) hash += hash_of(reservation);
    }
    return hash;
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

static void chunk_add(struct reservations *all) {
    if (all->chunk_count == all->chunk_capacity) {
        all->chunk_capacity = all->chunk_capacity ? all->chunk_capacity * 2 : 16;
        all->chunks = realloc(all->chunks, all->chunk_capacity * sizeof(void *));
        REQUIRE_MEMORY(all->chunks != NULL);
    }
    struct reservation *chunk = calloc(RESERVATIONS_CHUNK, sizeof *chunk);
    REQUIRE_MEMORY(chunk != NULL);
    /* The first touch of each page, which calloc leaves to whoever comes first; volatile, or the
     * compiler leaves it out. */
    volatile char *bytes = (volatile char *)chunk;
    for (size_t i = 0; i < RESERVATIONS_CHUNK * sizeof *chunk; i += 4096) bytes[i] = 0;
    all->chunks[all->chunk_count++] = chunk;
}

void reservations_reserve(struct reservations *all, uint32_t count) {
    while ((uint64_t)all->chunk_count * RESERVATIONS_CHUNK < count) chunk_add(all);
    heap_reserve(&all->deadlines, count);
}

static uint32_t slot_take(struct reservations *all) {
    uint32_t slot = all->free_first;
    if (slot != RESERVATION_NO_SLOT) {
        all->free_first = at(all, slot)->user_next;
        return slot;
    }
    if (all->slot_count == all->chunk_count * RESERVATIONS_CHUNK) chunk_add(all);
    return all->slot_count++;
}

static void user_link(struct reservations *all, struct index *index, uint32_t slot) {
    struct reservation *reservation = at(all, slot);
    uint64_t hash = user_hash(all, &reservation->user);
    uint32_t newest = newest_in(all, index, &reservation->user, hash);
    reservation->user_prev = RESERVATION_NO_SLOT;
    reservation->user_next = newest;
    reservation->user_seats = reservation->seats.count;
    reservation->user_last = slot;
    if (newest == RESERVATION_NO_SLOT) {
        index_insert(index, hash, slot);
    } else {
        at(all, newest)->user_prev = slot;
        reservation->user_seats += at(all, newest)->user_seats;
        reservation->user_ended = at(all, newest)->user_ended;
        reservation->user_last = at(all, newest)->user_last;
        index_replace(index, hash, newest, slot);
    }
}

static void user_unlink(struct reservations *all, struct index *index, uint32_t slot) {
    struct reservation *reservation = at(all, slot);
    uint64_t hash = user_hash(all, &reservation->user);
    uint32_t newest = newest_in(all, index, &reservation->user, hash);
    at(all, newest)->user_ended--;
    if (at(all, newest)->user_last == slot) at(all, newest)->user_last = reservation->user_prev;
    uint32_t next = reservation->user_next, prev = reservation->user_prev;
    if (next != RESERVATION_NO_SLOT) at(all, next)->user_prev = prev;
    if (prev != RESERVATION_NO_SLOT) {
        at(all, prev)->user_next = next;
    } else if (next != RESERVATION_NO_SLOT) { /* the next one is the newest now */
        at(all, next)->user_seats = reservation->user_seats;
        at(all, next)->user_ended = reservation->user_ended;
        at(all, next)->user_last = reservation->user_last;
        index_replace(index, hash, slot, next);
    } else {
        index_remove(index, hash, slot);
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
    slot_remember(all, reservation->sequence, slot);
    user_link(all, &all->by_user, slot);
    reservation->deadline = heap_insert(&all->deadlines, reservation->expires_at,
                                        reservation->sequence);
    rehash(all, reservation);
    return reservation;
}

void reservations_spend_token(struct reservations *all, const struct id128 *user, place_t place) {
    uint32_t slot = newest_of(all, user, user_hash(all, user));
    while (slot != RESERVATION_NO_SLOT) {
        struct reservation *reservation = at(all, slot);
        if (reservation->place == place && reservation_is_unpaid(reservation->state)) {
            reservation->token_spent = true;
            rehash(all, reservation);
        }
        slot = reservation->user_next;
    }
}

void reservations_postpone(struct reservations *all, uint64_t by_ms) {
    uint32_t unpaid = all->held + all->paying;
    for (uint32_t slot = 0; slot < all->slot_count && unpaid > 0; slot++) {
        struct reservation *reservation = at(all, slot);
        if (reservation->sequence == 0 || !reservation_is_unpaid(reservation->state)) continue;
        reservation->expires_at = heap_shifted_ms(reservation->expires_at, by_ms, TIME_MS_MAX);
        rehash(all, reservation);
        unpaid--;
    }
    heap_shift(&all->deadlines, by_ms, TIME_MS_MAX);
}

/* Does somebody who asks again with a key need it to get the same answer? A refused payment spends
 * none. */
static bool carries_key(const struct reservation *reservation) {
    return reservation->state == RESERVATION_REFUNDED || !id128_is_none(&reservation->cancel_key);
}

static void slot_free(struct reservations *all, uint32_t slot) {
    *at(all, slot) = (struct reservation){.user_next = all->free_first};
    all->free_first = slot;
}

static void keep(struct reservations *all, uint32_t slot) {
    struct reservation *reservation = at(all, slot);
    reservation->kept = true;
    reservation->hash = 0;
    reservation->user_ended = 0;
    reservation->ended_prev = reservation->ended_next = RESERVATION_NO_SLOT;
    user_link(all, &all->kept_by_user, slot);
    reservation->user_seats -= reservation->seats.count;
    reservation->user_ended++;
    reservation->deadline = heap_insert(&all->kept_ends, keys_end_ms(reservation),
                                        reservation->sequence);
}

static void forget_kept(struct reservations *all) {
    uint32_t slot = slot_of(all, heap_first(&all->kept_ends)->item);
    heap_remove(&all->kept_ends, at(all, slot)->deadline);
    user_unlink(all, &all->kept_by_user, slot);
    slot_forget(all, at(all, slot)->sequence);
    slot_free(all, slot);
}

/* A few at a time, but more than come: what is let in while the first is old enough adds none. The
 * hard limit is met by logs that an older usher decided. */
static void forget_old_keys(struct reservations *all, uint64_t now_ms) {
    for (uint32_t i = 0; i < 2 && all->kept_ends.count > 0; i++) {
        if (heap_first(&all->kept_ends)->due_ms > now_ms) break;
        forget_kept(all);
    }
    if (all->kept_ends.count > KEPT_RESERVATIONS_HARD_MAX) forget_kept(all);
}

static void forget_ended(struct reservations *all, uint32_t slot, uint64_t now_ms) {
    struct reservation *reservation = at(all, slot);
    uint32_t prev = reservation->ended_prev, next = reservation->ended_next;
    REQUIRE(!reservation_is_live(reservation->state) && all->ended_count > 0);
    if (prev != RESERVATION_NO_SLOT) at(all, prev)->ended_next = next;
    if (next != RESERVATION_NO_SLOT) at(all, next)->ended_prev = prev;
    if (all->ended_first == slot) all->ended_first = next;
    if (all->ended_last == slot) all->ended_last = prev;
    all->ended_count--;
    all->hash -= reservation->hash;
    user_unlink(all, &all->by_user, slot);
    if (carries_key(reservation) && keys_end_ms(reservation) > now_ms) {
        keep(all, slot);
        return;
    }
    slot_forget(all, reservation->sequence);
    slot_free(all, slot);
}

/* The oldest ended one in a user's list but for the one that is just ending, which is still to be
 * answered about; there is one. */
static uint32_t oldest_ended_of(const struct reservations *all, uint32_t newest, uint32_t ending) {
    uint32_t oldest = at(all, newest)->user_last;
    if (oldest != ending && !reservation_is_live(at(all, oldest)->state))
        return oldest; /* mostly */
    oldest = RESERVATION_NO_SLOT;
    for (uint32_t slot = newest; slot != RESERVATION_NO_SLOT; slot = at(all, slot)->user_next) {
        if (slot != ending && !reservation_is_live(at(all, slot)->state)) oldest = slot;
    }
    REQUIRE(oldest != RESERVATION_NO_SLOT);
    return oldest;
}

static void ended_append(struct reservations *all, uint32_t slot) {
    at(all, slot)->ended_prev = all->ended_last;
    if (all->ended_last == RESERVATION_NO_SLOT) {
        all->ended_first = slot;
    } else {
        at(all, all->ended_last)->ended_next = slot;
    }
    all->ended_last = slot;
    all->ended_count++;
}

static void remember_ended(struct reservations *all, uint32_t slot, uint64_t now_ms) {
    ended_append(all, slot);
    struct reservation *reservation = at(all, slot);
    uint32_t newest = newest_of(all, &reservation->user, user_hash(all, &reservation->user));
    at(all, newest)->user_seats -= reservation->seats.count;
    at(all, newest)->user_ended++;
    if (at(all, newest)->user_ended > ENDED_RESERVATIONS_KEPT_PER_USER) {
        forget_ended(all, oldest_ended_of(all, newest, slot), now_ms);
    }
    if (all->ended_count > ENDED_RESERVATIONS_KEPT) forget_ended(all, all->ended_first, now_ms);
    forget_old_keys(all, now_ms);
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

    count(all, reservation->state, -1u);
    if (reservation_is_sold(reservation->state)) all->seats_sold -= reservation->seats.count;
    if (reservation->state == RESERVATION_HELD) {
        heap_remove(&all->deadlines, reservation->deadline);
    }
    reservation->state = move->state;
    reservation->changed_at = now_ms;
    if (move->payment) {
        reservation->payment = move->payment;
        reservation->payer = move->payer;
    }
    if (move->payment_key) reservation->payment_key = *move->payment_key;
    if (move->cancel_key) reservation->cancel_key = *move->cancel_key;
    if (move->balance != UINT64_MAX) reservation->balance = move->balance;
    if (move->refused) {
        reservation->volatile_refused = reservation->payment;
        reservation->volatile_refused_balance = move->refused_balance;
    }
    count(all, reservation->state, 1);
    if (reservation_is_sold(reservation->state)) all->seats_sold += reservation->seats.count;
    rehash(all, reservation);
    if (reservation->state == RESERVATION_HELD) {
        reservation->deadline = heap_insert(&all->deadlines, reservation->expires_at, sequence);
    }
    if (move->state == RESERVATION_PAYING) forget_old_keys(all, now_ms);
    if (!reservation_is_live(reservation->state)) remember_ended(all, slot, now_ms);
}

/* --- from an image ---------------------------------------------------------------------------- */

void reservations_restore(struct reservations *all, uint32_t sequence_count) {
    REQUIRE(all->sequence_count == 0);
    all->sequence_count = sequence_count;
}

static const char *check_saved(const struct reservations *all,
                               const struct entity_reservation *saved) {
    if (saved->reservation < 1 || saved->reservation > all->sequence_count) {
        return "this number was never handed out";
    }
    if (saved->state < RESERVATION_HELD || saved->state > RESERVATION_CANCELLED) {
        return "there is no such state of a reservation";
    }
    if (saved->token_spent > 1) return "token_spent is neither 0 nor 1";
    if (saved->seats.count == 0) return "a reservation without seats";
    if (saved->changed_at < saved->held_at) return "it changed before it was made";
    bool charged = saved->state >= RESERVATION_PAYING && saved->state <= RESERVATION_REFUNDED;
    if (charged && saved->payment == 0) return "it is being paid, or was, without a payment";
    if (saved->kept > 1) return "kept is neither 0 nor 1";
    bool keyed = saved->state == RESERVATION_REFUNDED ||
                 (saved->state > RESERVATION_REFUNDED && !id128_is_none(&saved->cancel_key));
    if (saved->kept && !keyed) return "it is kept for its keys, and has none";
    return NULL;
}

const char *reservations_restore_one(struct reservations *all,
                                     const struct entity_reservation *saved) {
    const char *wrong = check_saved(all, saved);
    if (wrong) return wrong;
    REQUIRE(slot_of(all, saved->reservation) == RESERVATION_NO_SLOT); /* in order */
    uint32_t slot = slot_take(all);
    struct reservation *reservation = at(all, slot);
    *reservation = (struct reservation){
        .user = saved->user,
        .secret = saved->secret,
        .payment_key = saved->payment_key,
        .cancel_key = saved->cancel_key,
        .amount = saved->amount,
        .held_at = saved->held_at,
        .expires_at = saved->expires_at,
        .changed_at = saved->changed_at,
        .balance = saved->balance,
        .seats = saved->seats,
        .sequence = saved->reservation,
        .place = saved->place,
        .payment = saved->payment,
        .payer = saved->payer,
        .state = saved->state,
        .token_spent = saved->token_spent,
        .ended_prev = RESERVATION_NO_SLOT,
        .ended_next = RESERVATION_NO_SLOT,
    };
    count(all, reservation->state, 1);
    if (reservation_is_sold(reservation->state)) all->seats_sold += reservation->seats.count;
    slot_remember(all, reservation->sequence, slot);
    if (saved->kept) {
        keep(all, slot);
        bool fits = all->kept_ends.count <= KEPT_RESERVATIONS_HARD_MAX;
        return fits ? NULL : "too many are kept for their keys";
    }
    user_link(all, &all->by_user, slot);
    if (!reservation_is_live(reservation->state)) {
        reservation->user_seats -= reservation->seats.count;
        reservation->user_ended++;
    } else if (reservation->state == RESERVATION_HELD) {
        reservation->deadline = heap_insert(&all->deadlines, reservation->expires_at,
                                            reservation->sequence);
    }
    rehash(all, reservation);
    if (reservation->user_seats > SEATS_PER_USER_MAX) return "its user has too many seats";
    if (reservation->user_ended > ENDED_RESERVATIONS_KEPT_PER_USER) {
        return "its user has too many ended reservations";
    }
    return NULL;
}

const char *reservations_restore_ended(struct reservations *all, uint32_t sequence) {
    uint32_t slot = slot_of(all, sequence);
    if (slot == RESERVATION_NO_SLOT || reservation_is_live(at(all, slot)->state) ||
        at(all, slot)->kept) {
        return "there is no ended reservation with this number";
    }
    if (all->ended_first == slot || at(all, slot)->ended_prev != RESERVATION_NO_SLOT) {
        return "this reservation has ended twice";
    }
    if (all->ended_count == ENDED_RESERVATIONS_KEPT) return "too many ended reservations";
    ended_append(all, slot);
    return NULL;
}

static int compare_u32(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* A payment is of one reservation: accounts know it by its number alone. */
static const char *check_payments(const struct reservations *all, uint32_t payments) {
    uint32_t *numbers = malloc((all->slot_count + 1u) * sizeof *numbers), numbers_count = 0;
    REQUIRE_MEMORY(numbers != NULL);
    for (uint32_t slot = 0; slot < all->slot_count; slot++) {
        if (at(all, slot)->payment != 0) numbers[numbers_count++] = at(all, slot)->payment;
    }
    qsort(numbers, numbers_count, sizeof *numbers, compare_u32);
    const char *wrong = NULL;
    if (numbers_count > 0 && numbers[numbers_count - 1] > payments) {
        wrong = "a reservation has a payment that was never handed out";
    }
    for (uint32_t i = 1; i < numbers_count && !wrong; i++) {
        if (numbers[i] == numbers[i - 1]) wrong = "two reservations have the same payment";
    }
    free(numbers);
    return wrong;
}

const char *reservations_restored(const struct reservations *all, uint32_t payments) {
    uint32_t live = all->held + all->paying + all->paid + all->refunding;
    if (all->slot_count != live + all->ended_count + all->kept_ends.count) {
        return "an ended reservation is missing in the order in which they ended";
    }
    return check_payments(all, payments);
}
