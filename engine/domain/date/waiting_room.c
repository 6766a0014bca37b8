/* waiting_room.c - see waiting_room.h */
#include "engine/domain/date/waiting_room.h"

#include <stddef.h>
#include <stdlib.h>

#include "engine/base/hash.h"
#include "engine/base/prefetch.h"
#include "engine/base/require.h"

#define BLOCK_WORDS (ROOM_BLOCK / 64)
#define WHEEL_TICKS_PER_TIMEOUT 256u

_Static_assert(ROOM_WHEEL_SLOTS >= 2 * WHEEL_TICKS_PER_TIMEOUT,
               "a waiter heard from just now goes into a slot ahead of the hand");
_Static_assert(ROOM_CHUNK % ROOM_BLOCK == 0, "a chunk is whole blocks");

static uint32_t chunk_of(place_t place) { return (place - 1) / ROOM_CHUNK; }
static uint32_t block_of(place_t place) { return (place - 1) / ROOM_BLOCK; }

static struct waiter *at(const struct waiting_room *room, place_t place) {
    REQUIRE(place >= 1 && place <= room->last);
    struct room_chunk *chunk = room->chunks[chunk_of(place)];
    REQUIRE(chunk != NULL);
    return &chunk->waiters[(place - 1) % ROOM_CHUNK];
}

/* The chunk that is still being filled stays, whoever of it has ended. */
static bool chunk_is_filling(const struct waiting_room *room, uint32_t index) {
    return index == room->last / ROOM_CHUNK;
}

void room_init(struct waiting_room *room, uint64_t seed) {
    memset(room, 0, sizeof *room);
    index_init(&room->by_user);
    heap_init(&room->deadlines);
    room->seed = seed;
}

void room_deinit(struct waiting_room *room) {
    for (uint32_t i = 0; i < room->chunk_capacity; i++) free(room->chunks[i]);
    free(room->chunks);
    free(room->waiting_bits);
    free(room->waiting_sums);
    free(room->wheel);
    index_deinit(&room->by_user);
    heap_deinit(&room->deadlines);
}

/* --- who waits: bits, and a Fenwick tree over blocks of them ---------------------------------- */

static void bits_grow(struct waiting_room *room, uint32_t blocks) {
    uint32_t capacity = room->block_capacity ? room->block_capacity * 2 : 16;
    REQUIRE(capacity >= blocks);
    room->waiting_bits = realloc(room->waiting_bits,
                                 (size_t)capacity * BLOCK_WORDS * sizeof(uint64_t));
    room->waiting_sums = realloc(room->waiting_sums, ((size_t)capacity + 1) * sizeof(uint32_t));
    REQUIRE_MEMORY(room->waiting_bits != NULL && room->waiting_sums != NULL);
    memset(room->waiting_bits + (size_t)room->block_capacity * BLOCK_WORDS, 0,
           (size_t)(capacity - room->block_capacity) * BLOCK_WORDS * sizeof(uint64_t));
    room->block_capacity = capacity;
}

/* All sums from the bits, in one pass: a node passes its sum on to the next one that covers it. */
static void sums_build(struct waiting_room *room, uint32_t blocks) {
    memset(room->waiting_sums, 0, ((size_t)blocks + 1) * sizeof(uint32_t));
    for (uint32_t node = 1; node <= blocks; node++) {
        const uint64_t *bits = room->waiting_bits + (size_t)(node - 1) * BLOCK_WORDS;
        uint32_t sum = room->waiting_sums[node], above = node + (node & -node);
        for (uint32_t i = 0; i < BLOCK_WORDS; i++) sum += (uint32_t)__builtin_popcountll(bits[i]);
        room->waiting_sums[node] = sum;
        if (above <= blocks) room->waiting_sums[above] += sum;
    }
}

/* The node of a new, empty block sums the nodes below it. */
static void sums_append(struct waiting_room *room, uint32_t block) {
    uint32_t node = block + 1, sum = 0;
    for (uint32_t step = 1; step < (node & -node); step <<= 1) {
        sum += room->waiting_sums[node - step];
    }
    room->waiting_sums[node] = sum;
}

static void waiting_change(struct waiting_room *room, place_t place, bool waits) {
    uint64_t bit = 1ull << ((place - 1) % 64);
    uint64_t *word = &room->waiting_bits[(place - 1) / 64];
    uint32_t blocks = block_of(room->last) + 1;
    REQUIRE(((*word & bit) != 0) != waits);
    *word ^= bit;
    for (uint32_t node = block_of(place) + 1; node <= blocks; node += node & -node) {
        room->waiting_sums[node] += waits ? 1u : -1u;
    }
    room->waiting += waits ? 1u : -1u;
}

uint32_t room_ahead(const struct waiting_room *room, place_t place) {
    REQUIRE(place >= 1 && place <= room->last);
    uint32_t ahead = 0;
    for (uint32_t node = block_of(place); node > 0; node -= node & -node) {
        ahead += room->waiting_sums[node];
    }
    uint32_t word = block_of(place) * BLOCK_WORDS, last = (place - 1) / 64;
    for (; word < last; word++) {
        ahead += (uint32_t)__builtin_popcountll(room->waiting_bits[word]);
    }
    uint64_t below = (1ull << ((place - 1) % 64)) - 1;
    return ahead + (uint32_t)__builtin_popcountll(room->waiting_bits[last] & below);
}

place_t room_first(const struct waiting_room *room) {
    if (room->waiting == 0) return 0;
    /* Descend to the last node before which nobody waits. */
    uint32_t blocks = block_of(room->last) + 1, node = 0;
    for (uint32_t step = 1u << (31 - __builtin_clz(blocks)); step > 0; step >>= 1) {
        if (node + step <= blocks && room->waiting_sums[node + step] == 0) node += step;
    }
    REQUIRE(node < blocks);
    uint32_t word = node * BLOCK_WORDS;
    while (room->waiting_bits[word] == 0) word++;
    return word * 64 + (uint32_t)__builtin_ctzll(room->waiting_bits[word]) + 1;
}

/* --- read ------------------------------------------------------------------------------------- */

const struct waiter *room_find(const struct waiting_room *room, place_t place) {
    if (place < 1 || place > room->last || !room->chunks[chunk_of(place)]) return NULL;
    return at(room, place);
}

place_t room_place_of(const struct waiting_room *room, const struct id128 *user) {
    uint32_t place;
    struct index_cursor cursor = index_find(
        &room->by_user, index_hash(user->bytes, sizeof user->bytes, room->seed));
    while (index_next(&cursor, &place)) {
        if (id128_equal(&at(room, place)->user, user)) return place;
    }
    return 0;
}

const struct heap_entry *room_due(const struct waiting_room *room) {
    return heap_first(&room->deadlines);
}

static bool chunk_is_remembered(const struct waiting_room *room, uint32_t index) {
    const struct room_chunk *chunk = room->chunks[index];
    if (!chunk || chunk_is_filling(room, index)) return chunk != NULL;
    if (!room->wheel) return true;
    for (uint32_t i = 0; i < ROOM_CHUNK; i++) {
        if (token_is_live(chunk->waiters[i].state)) return true;
    }
    return false;
}

place_t room_next(const struct waiting_room *room, place_t place) {
    while (place < room->last) {
        uint32_t index = chunk_of(place + 1);
        place_t first = index * ROOM_CHUNK + 1;
        if (place + 1 != first || chunk_is_remembered(room, index)) return place + 1;
        if (room->last - first < ROOM_CHUNK) break; /* it was the last one */
        place += ROOM_CHUNK;
    }
    return 0;
}

void room_prefetch(const struct waiting_room *room, place_t place) {
    const struct waiter *waiter = room_find(room, place);
    if (!waiter) return;
    prefetch_write(waiter);
    prefetch_write(&waiter->end); /* most lie across two cache lines */
    prefetch_write(&room->waiting_bits[block_of(place) * BLOCK_WORDS]);
}

void room_prefetch_user(const struct waiting_room *room, const struct id128 *user) {
    index_prefetch(&room->by_user, index_hash(user->bytes, sizeof user->bytes, room->seed));
}

uint64_t room_bytes(const struct waiting_room *room) {
    uint64_t bytes = index_bytes(&room->by_user) + room->chunk_capacity * sizeof(void *) +
                     room->block_capacity * (BLOCK_WORDS * sizeof(uint64_t) + sizeof(uint32_t)) +
                     room->deadlines.capacity * sizeof(struct heap_entry);
    for (uint32_t i = 0; i < room->chunk_capacity; i++) {
        if (room->chunks[i]) bytes += sizeof *room->chunks[i];
    }
    return bytes;
}

/* --- change ----------------------------------------------------------------------------------- */

static uint64_t hash_of(const struct waiter *waiter, place_t place) {
    HASHED_STRUCT_BEGIN
    struct {
        struct id128 user, secret;
        uint64_t expires_at;
        uint32_t place, state;
    } image = {waiter->user, waiter->secret, waiter_expires_at(waiter), place, waiter->state};
    HASHED_STRUCT_END
    return index_hash(&image, sizeof image, 0);
}

uint64_t room_hash_recount(const struct waiting_room *room) {
    uint64_t hash = 0;
    for (place_t place = 1; place <= room->last; place++) {
        const struct waiter *waiter = room_find(room, place);
        if (!waiter) continue;
        if (token_is_live(waiter->state)) hash += hash_of(waiter, place);
    }
    return hash;
}

static void chunks_grow(struct waiting_room *room, uint32_t chunk) {
    if (chunk >= room->chunk_capacity) {
        uint32_t capacity = room->chunk_capacity ? room->chunk_capacity * 2 : 16;
        room->chunks = realloc(room->chunks, capacity * sizeof *room->chunks);
        REQUIRE_MEMORY(room->chunks != NULL);
        REQUIRE(chunk < capacity);
        memset(room->chunks + room->chunk_capacity, 0,
               (capacity - room->chunk_capacity) * sizeof *room->chunks);
        room->chunk_capacity = capacity;
    }
    if (!room->chunks[chunk]) {
        room->chunks[chunk] = calloc(1, sizeof *room->chunks[chunk]);
        REQUIRE_MEMORY(room->chunks[chunk] != NULL);
    }
}

static void chunk_release(struct waiting_room *room, place_t place) {
    uint32_t index = chunk_of(place);
    struct room_chunk *chunk = room->chunks[index];
    REQUIRE(chunk->in_use > 0);
    chunk->in_use--;
    if (chunk->in_use == 0 && !chunk_is_filling(room, index)) {
        free(chunk);
        room->chunks[index] = NULL;
    }
}

/* Engine time less all outages: the time in which silence is measured. */
static uint64_t served_ms(const struct waiting_room *room, uint64_t now_ms) {
    return now_ms > room->unserved_ms ? now_ms - room->unserved_ms : 0;
}

static void wheel_link(struct waiting_room *room, place_t place) {
    struct waiter *waiter = at(room, place);
    uint64_t due_ms = waiter->heard_ms + room->wheel_timeout_ms;
    uint64_t tick = due_ms / room->wheel_tick_ms + 1; /* never early */
    if (tick < room->wheel_tick) tick = room->wheel_tick;
    /* A hand that stood still, since nobody waited, may be a whole turn behind: into the last slot
     * that it comes to, never into the one that it is at, or it would find the same waiter for
     * ever. */
    uint64_t last = room->wheel_tick + ROOM_WHEEL_SLOTS - 1;
    if (tick > last) tick = last;
    place_t *slot = &room->wheel[tick % ROOM_WHEEL_SLOTS];
    waiter->wheel_next = *slot;
    *slot = place;
    room->wheel_count++;
    room->chunks[chunk_of(place)]->in_use++;
}

void room_enter(struct waiting_room *room, place_t place, const struct id128 *user,
                const struct id128 *secret, uint64_t now_ms) {
    REQUIRE(place == room->last + 1 && place != 0);
    chunks_grow(room, chunk_of(place));
    room->last = place;
    uint32_t block = block_of(place);
    if (block >= room->block_capacity) bits_grow(room, block + 1);
    if ((place - 1) % ROOM_BLOCK == 0) sums_append(room, block);

    struct waiter *waiter = at(room, place);
    *waiter = (struct waiter){.user = *user,
                              .secret = *secret,
                              .heard_ms = served_ms(room, now_ms),
                              .state = TOKEN_WAITING};
    room->chunks[chunk_of(place)]->in_use++;
    waiting_change(room, place, true);
    index_insert(&room->by_user, index_hash(user->bytes, sizeof user->bytes, room->seed), place);
    room->hash += hash_of(waiter, place);
    if (room->wheel) wheel_link(room, place);
}

/* Who goes in at once is not one of those that the interval paces (Q9). */
static void interval_note(struct waiting_room *room, uint64_t now_ms, uint64_t interval_ms) {
    if (interval_ms == 0 || now_ms - room->interval_began_ms >= interval_ms) {
        room->interval_began_ms = now_ms;
        room->interval_admitted = 0;
    }
    room->interval_admitted++;
}

static void admission_note(struct waiting_room *room, uint64_t now_ms) {
    if (room->last_admission_ms != 0) {
        uint64_t gap_x16 = (now_ms - room->last_admission_ms) * 16;
        uint64_t average = room->admission_gap_ms_x16;
        room->admission_gap_ms_x16 = average ? average - average / 16 + gap_x16 / 16 : gap_x16;
    }
    room->last_admission_ms = now_ms;
}

void room_admit(struct waiting_room *room, const struct decision_admitted *admitted,
                uint64_t now_ms, uint64_t interval_ms) {
    place_t place = admitted->place;
    struct waiter *waiter = at(room, place);
    REQUIRE(waiter->state == TOKEN_WAITING);
    room->hash -= hash_of(waiter, place);
    waiting_change(room, place, false);
    waiter->state = TOKEN_ACTIVE;
    waiter->expires_at = admitted->expires_at;
    room->active++;
    waiter->deadline = heap_insert(&room->deadlines, admitted->expires_at, place);
    room->hash += hash_of(waiter, place);
    if (!admitted->at_once) interval_note(room, now_ms, interval_ms);
    admission_note(room, now_ms);
}

void room_expire(struct waiting_room *room, place_t place, uint8_t end) {
    struct waiter *waiter = at(room, place);
    REQUIRE(token_is_live(waiter->state));
    room->hash -= hash_of(waiter, place);
    if (waiter->state == TOKEN_WAITING) {
        waiting_change(room, place, false);
    } else {
        heap_remove(&room->deadlines, waiter->deadline);
        room->active--;
    }
    index_remove(&room->by_user,
                 index_hash(waiter->user.bytes, sizeof waiter->user.bytes, room->seed), place);
    waiter->state = TOKEN_EXPIRED;
    waiter->end = end;
    chunk_release(room, place);
}

void room_postpone(struct waiting_room *room, uint64_t by_ms) {
    for (uint32_t i = 0; i < room->deadlines.count; i++) {
        place_t place = room->deadlines.entries[i].item;
        struct waiter *waiter = at(room, place);
        room->hash -= hash_of(waiter, place);
        waiter->expires_at = heap_shifted_ms(waiter->expires_at, by_ms, TIME_MS_MAX);
        room->hash += hash_of(waiter, place);
    }
    heap_shift(&room->deadlines, by_ms, TIME_MS_MAX);
}

/* --- from an image ---------------------------------------------------------------------------- */

void room_restore(struct waiting_room *room, const struct entity_date *saved) {
    REQUIRE(room->last == 0 && room->chunk_capacity == 0 && room->block_capacity == 0);
    room->last = saved->places;
    room->interval_began_ms = saved->interval_began_ms;
    room->interval_admitted = saved->interval_admitted;
    room->last_admission_ms = saved->last_admission_ms;
    room->admission_gap_ms_x16 = saved->admission_gap_ms_x16;
    if (room->last == 0) return;
    room->chunk_capacity = chunk_of(room->last) + 1;
    room->block_capacity = block_of(room->last) + 1;
    room->chunks = calloc(room->chunk_capacity, sizeof *room->chunks);
    room->waiting_bits = calloc((size_t)room->block_capacity * BLOCK_WORDS, sizeof(uint64_t));
    room->waiting_sums = calloc((size_t)room->block_capacity + 1, sizeof(uint32_t));
    REQUIRE_MEMORY(room->chunks != NULL && room->waiting_bits != NULL &&
                   room->waiting_sums != NULL);
}

static const char *check_saved(const struct waiting_room *room, const struct entity_waiter *saved) {
    bool ended = saved->state == TOKEN_EXPIRED;
    if (saved->place < 1 || saved->place > room->last) return "this place was never handed out";
    if (saved->state < TOKEN_WAITING || saved->state > TOKEN_EXPIRED) {
        return "there is no such state of a token";
    }
    if (saved->end > TOKEN_END_REQUEUED || (saved->end != TOKEN_END_NONE) != ended) {
        return "state and end of the token contradict each other";
    }
    if (saved->expires_at != 0 && saved->state != TOKEN_ACTIVE) {
        return "a deadline without being active";
    }
    if (saved->state == TOKEN_ACTIVE && room->waiting > 0) {
        return "it is active while somebody who came before it waits";
    }
    if (!ended && room->waiting + room->active == WAITERS_PER_DATE_MAX) return "too many waiters";
    if (saved->state == TOKEN_ACTIVE && room->active == ACTIVE_PER_DATE_MAX) {
        return "too many active tokens";
    }
    return NULL;
}

/* A chunk has all of its places or none of them. */
const char *room_restore_waiter(struct waiting_room *room, const struct entity_waiter *saved) {
    const char *wrong = check_saved(room, saved);
    if (wrong) return wrong;
    place_t place = saved->place;
    uint32_t index = (place - 1) % ROOM_CHUNK;
    const struct room_chunk *chunk = room->chunks[chunk_of(place)];
    if (index > 0 && (!chunk || chunk->waiters[index - 1].state == 0)) {
        return "the place before it is missing";
    }
    if (!chunk) chunks_grow(room, chunk_of(place));

    struct waiter *waiter = at(room, place);
    REQUIRE(waiter->state == 0); /* in order */
    *waiter = (struct waiter){.user = saved->user,
                              .secret = saved->secret,
                              .expires_at = saved->expires_at,
                              .state = saved->state,
                              .end = saved->end};
    if (!token_is_live(waiter->state)) return NULL;
    room->chunks[chunk_of(place)]->in_use++;
    room->hash += hash_of(waiter, place);
    if (waiter->state == TOKEN_WAITING) {
        room->waiting++;
        room->waiting_bits[(place - 1) / 64] |= 1ull << ((place - 1) % 64);
    } else {
        room->active++;
        waiter->deadline = heap_insert(&room->deadlines, waiter->expires_at, place);
    }
    return NULL;
}

static const char *check_chunks(const struct waiting_room *room) {
    for (uint32_t index = 0; index < room->chunk_capacity; index++) {
        const struct room_chunk *chunk = room->chunks[index];
        uint32_t places = room->last - index * ROOM_CHUNK;
        if (places > ROOM_CHUNK) places = ROOM_CHUNK;
        if (!chunk && !chunk_is_filling(room, index)) continue;
        if (!chunk || chunk->waiters[places - 1].state == 0) return "the last places are missing";
        if (chunk->in_use == 0 && !chunk_is_filling(room, index)) {
            return "tokens that have ended, and that nobody remembers any more";
        }
    }
    return NULL;
}

#define USERS_AT_ONCE 32u /* cache misses that overlap while users are indexed */

/* One live token a user. */
static const char *users_insert(struct waiting_room *room, const place_t *places,
                                const uint64_t *hashes, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        const struct id128 *user = &at(room, places[i])->user;
        struct index_cursor cursor = index_find(&room->by_user, hashes[i]);
        place_t other;
        while (index_next(&cursor, &other)) {
            if (id128_equal(&at(room, other)->user, user)) return "a user has two live tokens";
        }
        index_insert(&room->by_user, hashes[i], places[i]);
    }
    return NULL;
}

static const char *index_users(struct waiting_room *room) {
    place_t places[USERS_AT_ONCE];
    uint64_t hashes[USERS_AT_ONCE];
    uint32_t count = 0;
    const char *wrong = NULL;
    index_reserve(&room->by_user, room->waiting + room->active);
    for (place_t place = room_next(room, 0); place != 0 && !wrong; place = room_next(room, place)) {
        const struct waiter *waiter = at(room, place);
        if (!token_is_live(waiter->state)) continue;
        places[count] = place;
        hashes[count] = index_hash(waiter->user.bytes, sizeof waiter->user.bytes, room->seed);
        index_prefetch(&room->by_user, hashes[count++]);
        if (count < USERS_AT_ONCE) continue;
        wrong = users_insert(room, places, hashes, count);
        count = 0;
    }
    return wrong ? wrong : users_insert(room, places, hashes, count);
}

const char *room_restored(struct waiting_room *room) {
    const char *wrong = check_chunks(room);
    if (wrong || room->last == 0) return wrong;
    sums_build(room, block_of(room->last) + 1);
    return index_users(room);
}

/* --- volatile: signs of life ------------------------------------------------------------------ */

void room_unserved(struct waiting_room *room, uint64_t ms) { room->unserved_ms += ms; }

void room_heard(struct waiting_room *room, place_t place, const struct id128 *secret,
                uint64_t now_ms) {
    if (place < 1 || place > room->last || !room->chunks[chunk_of(place)]) return;
    struct waiter *waiter = at(room, place);
    if (waiter->state != TOKEN_WAITING) return;
    if (!secret || id128_equal_secret(&waiter->secret, secret)) {
        waiter->heard_ms = served_ms(room, now_ms);
    }
}

bool room_is_silent(const struct waiting_room *room, place_t place, uint64_t now_ms) {
    return room->wheel != NULL &&
           now_ms >= room_silent_ms(room, at(room, place), room->wheel_timeout_ms);
}

/* Take the first waiter out of the slot under the hand. Return: its place, 0 if the slot is
 * empty */
static place_t wheel_pop(struct waiting_room *room) {
    place_t *slot = &room->wheel[room->wheel_tick % ROOM_WHEEL_SLOTS];
    place_t place = *slot;
    if (place == 0) return 0;
    *slot = at(room, place)->wheel_next;
    room->wheel_count--;
    return place;
}

place_t room_silent(struct waiting_room *room, uint64_t now_ms, uint32_t *budget) {
    if (!room->wheel) return 0;
    uint64_t now_tick = served_ms(room, now_ms) / room->wheel_tick_ms;
    if (room->wheel_count == 0 && room->wheel_tick <= now_tick) room->wheel_tick = now_tick + 1;
    if (now_tick >= room->wheel_tick + ROOM_WHEEL_SLOTS) {
        room->wheel_tick = now_tick - ROOM_WHEEL_SLOTS + 1; /* each slot once is enough */
    }
    while (room->wheel_tick <= now_tick && *budget > 0) {
        place_t place = wheel_pop(room);
        if (place == 0) {
            room->wheel_tick++;
            continue;
        }
        (*budget)--;
        struct waiter *waiter = at(room, place);
        bool waits = waiter->state == TOKEN_WAITING;
        bool silent = waits && room_is_silent(room, place, now_ms);
        if (waits && !silent) wheel_link(room, place); /* heard from meanwhile */
        chunk_release(room, place); /* its stay in the slot; relinking counted anew */
        if (silent) return place;
    }
    return 0;
}

uint64_t room_wheel_due_ms(const struct waiting_room *room) {
    if (!room->wheel || room->wheel_count == 0) return UINT64_MAX;
    return room->wheel_tick * room->wheel_tick_ms + room->unserved_ms;
}

void room_wheel_reset(struct waiting_room *room, uint64_t now_ms, uint64_t waiting_timeout_ms,
                      bool heard_now) {
    if (!room->wheel) {
        room->wheel = calloc(ROOM_WHEEL_SLOTS, sizeof *room->wheel);
        REQUIRE_MEMORY(room->wheel != NULL);
    }
    for (uint32_t slot = 0; slot < ROOM_WHEEL_SLOTS; slot++) {
        while (room->wheel[slot] != 0) {
            place_t place = room->wheel[slot];
            room->wheel[slot] = at(room, place)->wheel_next;
            chunk_release(room, place);
        }
    }
    room->wheel_count = 0;
    room->wheel_timeout_ms = waiting_timeout_ms;
    room->wheel_tick_ms = waiting_timeout_ms / WHEEL_TICKS_PER_TIMEOUT;
    if (room->wheel_tick_ms == 0) room->wheel_tick_ms = 1;
    if (heard_now) room->unserved_ms = 0; /* served time begins anew */
    uint64_t served_now_ms = served_ms(room, now_ms);
    room->wheel_tick = served_now_ms / room->wheel_tick_ms + 1;
    for (uint32_t word = 0; word < room->block_capacity * BLOCK_WORDS; word++) {
        for (uint64_t bits = room->waiting_bits[word]; bits != 0; bits &= bits - 1) {
            place_t place = word * 64 + (uint32_t)__builtin_ctzll(bits) + 1;
            if (heard_now) at(room, place)->heard_ms = served_now_ms;
            wheel_link(room, place);
        }
    }
}
