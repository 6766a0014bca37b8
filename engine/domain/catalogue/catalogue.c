/* catalogue.c - see catalogue.h */
#include "engine/domain/catalogue/catalogue.h"

#include <stdlib.h>

#include "engine/domain/catalogue/catalogue_rules.h"
#include "engine/domain/index.h"
#include "engine/domain/verdict.h"
#include "engine/base/hash.h"

static const struct partition_kind catalogue_kind;

struct catalogue *catalogue_create(void) {
    struct catalogue *catalogue = calloc(1, sizeof *catalogue);
    REQUIRE_MEMORY(catalogue != NULL);
    catalogue->partition = (struct partition){.kind = &catalogue_kind, .id = PARTITION_CATALOGUE};
    catalogue->concerts = calloc(CONCERTS_MAX, sizeof *catalogue->concerts);
    catalogue->dates = calloc(DATES_MAX, sizeof *catalogue->dates);
    REQUIRE_MEMORY(catalogue->concerts != NULL && catalogue->dates != NULL);
    return catalogue;
}

static void catalogue_free(struct partition *partition) {
    struct catalogue *catalogue = (struct catalogue *)partition;
    free(catalogue->concerts);
    free(catalogue->dates);
    free(catalogue);
}

/* --- decide ----------------------------------------------------------------------------------- */

static void answer_created(struct verdict *verdict, uint32_t id) {
    verdict->reply_kind = REPLY_CREATED;
    verdict->created = id;
}

static bool title_is(const struct title *title, const struct text *text) {
    return title->size == text->size &&
           (text->size == 0 || memcmp(title->bytes, text->bytes, text->size) == 0);
}

/* Fields at their defaults add nothing: a policy that gains fields keeps its hash. */
static uint64_t hash_of_policy(const struct policy *policy) {
    uint64_t hash = 1; /* 0 is none */
    for (uint32_t i = 0; i < POLICY_FIELD_COUNT; i++) {
        uint64_t value = policy_get(policy, i);
        if (value != policy_row(i)->initial) hash += index_hash(&value, sizeof value, i);
    }
    return hash;
}

/* O4: the same key and parameters get the same id, the same key for another date is refused. There
 * are few of them, and organisers are not in a hurry: a walk. */
static bool date_created_before(const struct catalogue *catalogue, const struct command *command,
                                struct verdict *verdict) {
    const struct id128 *key = &command->date.key;
    if (id128_is_none(key)) return false;
    for (uint32_t i = 0; i < catalogue->date_count; i++) {
        const struct concert_date *date = &catalogue->dates[i];
        if (!id128_equal(&date->key, key)) continue;
        bool same = date->concert == command->date.concert &&
                    date->starts_at == command->date.starts_at &&
                    title_is(&date->title, &command->date.title) &&
                    date->policy_hash == hash_of_policy(command->date.policy);
        if (same) {
            answer_created(verdict, i + 1);
        } else {
            verdict_error(verdict, ERROR_KEY_REUSED, 0, 0, 0);
        }
        return true;
    }
    return false;
}

static bool concert_created_before(const struct catalogue *catalogue, const struct command *command,
                                   struct verdict *verdict) {
    const struct id128 *key = &command->concert.key;
    if (id128_is_none(key)) return false;
    for (uint32_t i = 0; i < catalogue->concert_count; i++) {
        const struct concert *concert = &catalogue->concerts[i];
        if (!id128_equal(&concert->key, key)) continue;
        if (title_is(&concert->title, &command->concert.title)) {
            answer_created(verdict, i + 1);
        } else {
            verdict_error(verdict, ERROR_KEY_REUSED, 0, 0, 0);
        }
        return true;
    }
    return false;
}

static void create_date(const struct catalogue *catalogue, const struct command *command,
                        uint64_t now_ms, struct verdict *verdict) {
    uint32_t concert = command->date.concert;
    int bad = policy_check(command->date.policy);
    if (date_created_before(catalogue, command, verdict)) return;
    if (concert < 1 || concert > catalogue->concert_count) {
        verdict_error(verdict, ERROR_NO_SUCH_CONCERT, concert, 0, 0);
    } else if (bad >= 0) {
        const struct policy_row *row = policy_row((uint32_t)bad);
        verdict_error(verdict, ERROR_BAD_POLICY, (uint64_t)bad, row->min, row->max);
    } else if (catalogue->date_count == DATES_MAX) {
        verdict_error(verdict, ERROR_CATALOGUE_FULL, DATES_MAX, 0, 0);
    } else {
        verdict_add(verdict, &catalogue->partition, DECISION_DATE_CREATED, now_ms)->date_created =
            (struct decision_date_created){.date = catalogue->date_count + 1,
                                           .concert = concert,
                                           .title = command->date.title,
                                           .starts_at = command->date.starts_at,
                                           .seed = command->date.seed,
                                           .policy = *command->date.policy,
                                           .key = command->date.key};
        answer_created(verdict, catalogue->date_count + 1);
    }
}

static void create_concert(const struct catalogue *catalogue, const struct command *command,
                           uint64_t now_ms, struct verdict *verdict) {
    if (concert_created_before(catalogue, command, verdict)) return;
    if (catalogue->concert_count == CONCERTS_MAX) {
        verdict_error(verdict, ERROR_CATALOGUE_FULL, CONCERTS_MAX, 0, 0);
        return;
    }
    verdict_add(verdict, &catalogue->partition, DECISION_CONCERT_CREATED, now_ms)->concert_created =
        (struct decision_concert_created){catalogue->concert_count + 1, command->concert.title,
                                          command->concert.key};
    answer_created(verdict, catalogue->concert_count + 1);
}

static void list_dates(const struct catalogue *catalogue, const struct command *command,
                       struct verdict *verdict) {
    uint32_t concert = command->dates.concert;
    if (concert < 1 || concert > catalogue->concert_count) {
        verdict_error(verdict, ERROR_NO_SUCH_CONCERT, concert, 0, 0);
        return;
    }
    verdict->reply_kind = REPLY_DATES;
}

static void catalogue_decide(const struct partition *partition, const struct command *command,
                             uint64_t now_ms, struct verdict *verdict) {
    const struct catalogue *catalogue = (const struct catalogue *)partition;
    switch (command->kind) {
    case COMMAND_CATALOGUE_CONCERTS: verdict->reply_kind = REPLY_CONCERTS; break;
    case COMMAND_CATALOGUE_DATES: list_dates(catalogue, command, verdict); break;
    case COMMAND_SYSTEM_PING: verdict->reply_kind = REPLY_PING; break;
    case COMMAND_SYSTEM_STATS: verdict->reply_kind = REPLY_STATS; break;
    case COMMAND_CONCERT_CREATE: create_concert(catalogue, command, now_ms, verdict); break;
    case COMMAND_DATE_CREATE: create_date(catalogue, command, now_ms, verdict); break;
    default: REQUIRE_NEVER("a catalogue's command");
    }
}

static void catalogue_answer(const struct partition *partition, const struct command *command,
                             const struct verdict *verdict, uint64_t now_ms, struct reply *reply) {
    const struct catalogue *catalogue = (const struct catalogue *)partition;
    (void)now_ms;
    switch (reply->kind) {
    case REPLY_CONCERTS:
        reply->concerts.catalogue = catalogue;
        reply->concerts.drafts = command->is_admin;
        break;
    case REPLY_DATES:
        reply->dates.catalogue = catalogue;
        reply->dates.drafts = command->is_admin;
        reply->dates.refusal = command->dates.refusal;
        reply->dates.refusal_data = command->dates.refusal_data;
        reply->dates.concert = command->dates.concert;
        reply->dates.available_only = command->dates.available_only;
        reply->dates.has_token = command->dates.token_is_active &&
                                 command->dates.token_concert == command->dates.concert;
        break;
    case REPLY_CREATED: {
        bool concert = command->kind == COMMAND_CONCERT_CREATE;
        reply->created.concert = concert ? verdict->created : command->date.concert;
        reply->created.date = concert ? 0 : verdict->created;
        break;
    }
    case REPLY_PING:
    case REPLY_STATS: break; /* the moment alone is the catalogue's */
    default: REQUIRE_NEVER("a catalogue's reply");
    }
}

/* --- apply ------------------------------------------------------------------------------------ */

/* Nothing where there is no key: logs that are older than keys keep their hashes. */
static uint64_t key_hash(const struct id128 *key, uint64_t policy_hash, uint64_t id) {
    HASHED_STRUCT_BEGIN
    struct {
        struct id128 key;
        uint64_t policy_hash;
    } image = {*key, policy_hash};
    HASHED_STRUCT_END
    return id128_is_none(key) ? 0 : index_hash(&image, sizeof image, id);
}

static uint64_t concert_hash(const struct concert *concert, uint32_t id) {
    return index_hash(concert->title.bytes, concert->title.size, id) +
           key_hash(&concert->key, 0, id);
}

static uint64_t date_hash_of(const struct concert_date *date, uint32_t id) {
    return index_hash(date->title.bytes, date->title.size, (uint64_t)id << 32 | date->concert) +
           index_hash(&date->starts_at, sizeof date->starts_at, id) +
           key_hash(&date->key, date->policy_hash, (uint64_t)id << 32 | date->concert);
}

static uint64_t catalogue_hash(const struct partition *partition) {
    return ((const struct catalogue *)partition)->hash;
}

static uint64_t catalogue_hash_recount(const struct partition *partition) {
    const struct catalogue *catalogue = (const struct catalogue *)partition;
    uint64_t hash = 0;
    for (uint32_t i = 0; i < catalogue->concert_count; i++) {
        hash += concert_hash(&catalogue->concerts[i], i + 1);
    }
    for (uint32_t i = 0; i < catalogue->date_count; i++) {
        hash += date_hash_of(&catalogue->dates[i], i + 1);
    }
    return hash;
}

static void concert_add(struct catalogue *catalogue, const struct text *title,
                        const struct id128 *key) {
    struct concert *concert = &catalogue->concerts[catalogue->concert_count++];
    *concert = (struct concert){title_of(title), *key};
    catalogue->hash += concert_hash(concert, catalogue->concert_count);
}

static void date_add(struct catalogue *catalogue, const struct entity_concert_date *added) {
    struct concert_date *date = &catalogue->dates[catalogue->date_count++];
    *date = (struct concert_date){added->concert, added->starts_at, title_of(&added->title),
                                  added->key, added->policy_hash};
    catalogue->hash += date_hash_of(date, catalogue->date_count);
}

const char *catalogue_restore_concert(struct catalogue *catalogue,
                                      const struct entity_concert *saved) {
    if (catalogue->concert_count == CONCERTS_MAX) return "too many concerts";
    if (saved->concert != catalogue->concert_count + 1) return "concerts are out of order";
    concert_add(catalogue, &saved->title, &saved->key);
    return NULL;
}

const char *catalogue_restore_date(struct catalogue *catalogue,
                                   const struct entity_concert_date *saved) {
    if (catalogue->date_count == DATES_MAX) return "too many dates";
    if (saved->date != catalogue->date_count + 1) return "dates are out of order";
    if (saved->concert < 1 || saved->concert > catalogue->concert_count) {
        return "there is no such concert";
    }
    if (id128_is_none(&saved->key) != (saved->policy_hash == 0)) {
        return "a date without key has the hash of a policy, or the other way round";
    }
    date_add(catalogue, saved);
    return NULL;
}

static void catalogue_apply(struct partition *partition, const struct decision *decision) {
    struct catalogue *catalogue = (struct catalogue *)partition;
    switch (decision->kind) {
    case DECISION_CONCERT_CREATED: {
        const struct decision_concert_created *body = &decision->concert_created;
        REQUIRE(body->concert == catalogue->concert_count + 1 && body->concert <= CONCERTS_MAX);
        concert_add(catalogue, &body->title, &body->key);
        break;
    }
    case DECISION_DATE_CREATED: { /* the date's own partition is brought into being by world.c */
        const struct decision_date_created *body = &decision->date_created;
        REQUIRE(body->date == catalogue->date_count + 1 && body->date <= DATES_MAX);
        bool keyed = !id128_is_none(&body->key);
        date_add(catalogue, &(struct entity_concert_date){
                                .concert = body->concert,
                                .starts_at = body->starts_at,
                                .title = body->title,
                                .key = body->key,
                                .policy_hash = keyed ? hash_of_policy(&body->policy) : 0});
        break;
    }
    default: REQUIRE_NEVER("a catalogue's decision");
    }
}

static const struct partition_kind catalogue_kind = {.owner = OWNER_CATALOGUE,
                                                     .free = catalogue_free,
                                                     .decide = catalogue_decide,
                                                     .apply = catalogue_apply,
                                                     .answer = catalogue_answer,
                                                     .hash = catalogue_hash,
                                                     .hash_recount = catalogue_hash_recount};
