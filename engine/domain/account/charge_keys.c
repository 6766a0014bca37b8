/* charge_keys.c - see charge_keys.h
 *
 * Two lists run through the slots: all keys in order of age, and each user's own, a ring whose
 * youngest points to the oldest. The oldest of all is its user's oldest too, so whatever is
 * forgotten is the first of its user's ring. In the steady state nothing is allocated: slots are
 * used again. There is no failure but memory, which ends the process.
 */
#include "engine/domain/account/charge_keys.h"

#include <stdlib.h>

#include "engine/domain/account/account_rules.h"
#include "engine/base/require.h"

#define CHUNK 1024u /* slots per chunk */
/* How many old ones a charge forgets at most, of all and of its own user: more than it adds. */
#define FORGET_MAX 2u

static struct charge_key *at(const struct charge_keys *keys, uint32_t slot) {
    REQUIRE(slot < keys->slot_count);
    return &keys->chunks[slot / CHUNK][slot % CHUNK];
}

void charge_keys_init(struct charge_keys *keys) {
    *keys = (struct charge_keys){
        .free_first = CHARGE_KEY_NONE, .oldest = CHARGE_KEY_NONE, .youngest = CHARGE_KEY_NONE};
    index_init(&keys->by_key);
}

void charge_keys_deinit(struct charge_keys *keys) {
    for (uint32_t i = 0; i * CHUNK < keys->slot_count; i++) free(keys->chunks[i]);
    free(keys->chunks);
    index_deinit(&keys->by_key);
}

/* --- read ------------------------------------------------------------------------------------- */

static uint64_t key_hash(const struct account_partition *all, uint32_t account,
                         const struct id128 *key) {
    return index_hash(key->bytes, sizeof key->bytes, all->seed + account);
}

/* A log of an older usher may have charged one key twice: the later charge is meant. */
const struct charge_key *charge_keys_find(const struct account_partition *all, uint32_t account,
                                          const struct id128 *key) {
    const struct charge_key *found = NULL;
    uint32_t slot;
    struct index_cursor cursor = index_find(&all->keys.by_key, key_hash(all, account, key));
    while (index_next(&cursor, &slot)) {
        const struct charge_key *one = at(&all->keys, slot);
        if (one->account != account || !id128_equal(&one->key, key)) continue;
        if (!found || one->time_ms > found->time_ms) found = one;
    }
    return found;
}

void charge_keys_prefetch(const struct account_partition *all, uint32_t account,
                          const struct id128 *key) {
    index_prefetch(&all->keys.by_key, key_hash(all, account, key));
}

/* From this moment on it may be forgotten. */
static uint64_t forgotten_ms(const struct charge_key *key) {
    return key->time_ms + KEY_KEPT_MS + 1;
}

static const struct charge_key *oldest_of(const struct account_partition *all,
                                          const struct account *account) {
    return at(&all->keys, at(&all->keys, account->keys.youngest)->user_next);
}

uint64_t charge_keys_room_ms(const struct account_partition *all, const struct account *account,
                             uint64_t now_ms, uint32_t *ret_limit) {
    uint64_t room_ms = 0;
    if (account && account->keys.count >= KEYS_PER_USER_MAX) {
        room_ms = forgotten_ms(oldest_of(all, account));
        if (room_ms > now_ms) *ret_limit = KEYS_PER_USER_MAX;
    }
    if (all->keys.count >= KEYS_PER_PARTITION_MAX && room_ms <= now_ms) {
        room_ms = forgotten_ms(at(&all->keys, all->keys.oldest));
        if (room_ms > now_ms) *ret_limit = KEYS_PER_PARTITION_MAX;
    }
    return room_ms;
}

const struct charge_key *charge_keys_next(const struct account_partition *all, uint32_t *slot) {
    const struct charge_keys *keys = &all->keys;
    *slot = *slot == CHARGE_KEY_NONE ? keys->oldest : at(keys, *slot)->next;
    return *slot == CHARGE_KEY_NONE ? NULL : at(keys, *slot);
}

/* --- change ----------------------------------------------------------------------------------- */

static uint32_t slot_take(struct charge_keys *keys) {
    uint32_t slot = keys->free_first;
    if (slot != CHARGE_KEY_NONE) {
        keys->free_first = at(keys, slot)->next;
        return slot;
    }
    if (keys->slot_count % CHUNK == 0) {
        uint32_t count = keys->slot_count / CHUNK;
        keys->chunks = realloc(keys->chunks, (count + 1u) * sizeof *keys->chunks);
        REQUIRE_MEMORY(keys->chunks != NULL);
        keys->chunks[count] = calloc(CHUNK, sizeof *keys->chunks[count]);
        REQUIRE_MEMORY(keys->chunks[count] != NULL);
    }
    return keys->slot_count++;
}

/* The oldest of this user, and of all or not. */
static void forget_oldest_of(struct account_partition *all, struct account *account) {
    struct charge_keys *keys = &all->keys;
    REQUIRE(account->keys.count > 0);
    struct charge_key *youngest = at(keys, account->keys.youngest);
    uint32_t slot = youngest->user_next;
    struct charge_key *gone = at(keys, slot);
    youngest->user_next = gone->user_next;
    account->keys.count--;
    if (gone->prev != CHARGE_KEY_NONE) at(keys, gone->prev)->next = gone->next;
    if (gone->next != CHARGE_KEY_NONE) at(keys, gone->next)->prev = gone->prev;
    if (keys->oldest == slot) keys->oldest = gone->next;
    if (keys->youngest == slot) keys->youngest = gone->prev;
    keys->count--;
    index_remove(&keys->by_key, key_hash(all, gone->account, &gone->key), slot);
    *gone = (struct charge_key){.next = keys->free_first};
    keys->free_first = slot;
}

static void append(struct account_partition *all, uint32_t index, const struct charge_key *key) {
    struct charge_keys *keys = &all->keys;
    struct account *account = account_entry(all, index);
    uint32_t slot = slot_take(keys);
    struct charge_key *added = at(keys, slot);
    *added = *key;
    added->account = index;
    added->next = CHARGE_KEY_NONE;
    added->prev = keys->youngest;
    added->user_next = slot;
    if (account->keys.count > 0) {
        added->user_next = at(keys, account->keys.youngest)->user_next;
        at(keys, account->keys.youngest)->user_next = slot;
    }
    account->keys.youngest = slot;
    account->keys.count++;
    if (keys->youngest == CHARGE_KEY_NONE) {
        keys->oldest = slot;
    } else {
        at(keys, keys->youngest)->next = slot;
    }
    keys->youngest = slot;
    keys->count++;
    index_insert(&keys->by_key, key_hash(all, index, &key->key), slot);
}

static struct account *owner_of_oldest(const struct account_partition *all) {
    return account_entry(all, at(&all->keys, all->keys.oldest)->account);
}

void charge_keys_add(struct account_partition *all, uint32_t index, const struct charge_key *key) {
    struct charge_keys *keys = &all->keys;
    struct account *account = account_entry(all, index);
    for (uint32_t i = 0; i < FORGET_MAX && account->keys.count > 0; i++) {
        if (forgotten_ms(oldest_of(all, account)) > key->time_ms) break;
        forget_oldest_of(all, account);
    }
    for (uint32_t i = 0; i < FORGET_MAX && keys->count > 0; i++) {
        if (forgotten_ms(at(keys, keys->oldest)) > key->time_ms) break;
        forget_oldest_of(all, owner_of_oldest(all));
    }
    if (account->keys.count >= KEYS_PER_USER_MAX) forget_oldest_of(all, account);
    if (keys->count >= KEYS_PER_PARTITION_MAX) forget_oldest_of(all, owner_of_oldest(all));
    append(all, index, key);
}

/* --- from an image ---------------------------------------------------------------------------- */

const char *charge_keys_restore(struct account_partition *all,
                                const struct entity_charge_key *saved, uint32_t index) {
    const struct charge_keys *keys = &all->keys;
    const struct account *account = account_entry(all, index);
    if (id128_is_none(&saved->key)) return "a charge without a key";
    if (saved->amount < 1 || saved->amount > account->charged || saved->balance < saved->amount ||
        saved->balance > account->charged) {
        return "its user has not charged so much";
    }
    if (saved->time_ms > all->partition.last_time_ms ||
        (keys->count > 0 && saved->time_ms < at(keys, keys->youngest)->time_ms)) {
        return "the keys are not in order of age";
    }
    if (keys->count == KEYS_PER_PARTITION_MAX) return "too many keys";
    if (account->keys.count == KEYS_PER_USER_MAX) return "its user has too many keys";
    append(all, index,
           &(struct charge_key){.key = saved->key,
                                .amount = saved->amount,
                                .balance = saved->balance,
                                .time_ms = saved->time_ms});
    return NULL;
}
