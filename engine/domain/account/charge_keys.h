/* charge_keys.h - idempotency keys of charges, recognised for a day, of one account partition
 *
 * A key is known from its charge on, and for KEY_KEPT_MS at least, whatever else happens meanwhile
 * (O4, P4). Memory is bounded by two limits, of a user and of the partition. Where one of them is
 * reached a charge with a new key is refused (KEYS_FULL): nothing is forgotten early to make room.
 *
 * Forgetting belongs to the state: it is done when a charge is applied, by the moments of decisions
 * alone, the oldest first and a few at a time. So a log and an image of it come to the same table.
 * The table is in images (entity charge_key) and takes no part in the state hash, like the keys of
 * ledger rows.
 *
 * Thread: the one that owns the partition.
 */
#ifndef USHER_ENGINE_DOMAIN_ACCOUNT_CHARGE_KEYS_H
#define USHER_ENGINE_DOMAIN_ACCOUNT_CHARGE_KEYS_H

#include "engine/domain/entity.h"
#include "engine/domain/index.h"

struct account;
struct account_partition;

#define CHARGE_KEY_NONE UINT32_MAX

struct charge_key {
    struct id128 key;    /* digest */
    uint64_t amount;     /* points that were charged */
    uint64_t balance;    /* as it was answered */
    uint64_t time_ms;    /* Unix ms; of the decision */
    uint32_t account;    /* index */
    uint32_t user_next;  /* slot of the same user's next younger one; the youngest's: the oldest */
    uint32_t next, prev; /* slots of the next younger and older one; unused slots: next unused */
};

/* All that a partition remembers. */
struct charge_keys {
    struct charge_key **chunks;
    uint32_t slot_count; /* slots ever used */
    uint32_t free_first; /* chain of unused slots */
    uint32_t oldest, youngest, count;
    struct index by_key; /* user and key -> slot */
};

/* What an account knows of its own. */
struct charge_keys_of_user {
    uint32_t youngest; /* slot; valid if count > 0 */
    uint32_t count;    /* at most KEYS_PER_USER_MAX */
};

void charge_keys_init(struct charge_keys *keys);
void charge_keys_deinit(struct charge_keys *keys);

/* charge_keys_find - Return: what this user charged with this key; borrowed; NULL if it is not
 * known */
const struct charge_key *charge_keys_find(const struct account_partition *all, uint32_t account,
                                          const struct id128 *key);

/* charge_keys_room_ms - from when on is there room for a key of this account?
 * @account:   NULL if the user has none yet
 * @ret_limit: the limit that is in the way; set where there is no room at now_ms
 * Return: Unix ms; at most now_ms: there is room */
uint64_t charge_keys_room_ms(const struct account_partition *all, const struct account *account,
                             uint64_t now_ms, uint32_t *ret_limit);

/* charge_keys_add - a charge is applied: remember its key, forget a few that are old enough
 * A log that an older usher decided may be beyond the limits: then the oldest goes. */
void charge_keys_add(struct account_partition *all, uint32_t account, const struct charge_key *key);

/* charge_keys_next - for a walk from the oldest to the youngest: begin with CHARGE_KEY_NONE
 * Return: the next one; borrowed; NULL: no more */
const struct charge_key *charge_keys_next(const struct account_partition *all, uint32_t *slot);

/* charge_keys_prefetch - a hint: a charge of this user with this key will be applied in a moment */
void charge_keys_prefetch(const struct account_partition *all, uint32_t account,
                          const struct id128 *key);

/* charge_keys_restore - one of this account from an image, in order of age
 * Return: NULL, or what the image contradicts */
const char *charge_keys_restore(struct account_partition *all,
                                const struct entity_charge_key *saved, uint32_t account);

#endif
