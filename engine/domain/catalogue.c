#include "engine/domain/catalogue.h"

#include <stdlib.h>

#include "engine/domain/catalogue_rules.h"
#include "engine/domain/index.h"
#include "engine/domain/verdict.h"

struct catalogue *catalogue_create(void) {
    struct catalogue *catalogue = calloc(1, sizeof *catalogue);
    REQUIRE_MEMORY(catalogue != NULL);
    catalogue->partition.id = PARTITION_CATALOGUE;
    catalogue->concerts = calloc(CONCERTS_MAX, sizeof *catalogue->concerts);
    catalogue->dates = calloc(DATES_MAX, sizeof *catalogue->dates);
    REQUIRE_MEMORY(catalogue->concerts != NULL && catalogue->dates != NULL);
    return catalogue;
}

void catalogue_free(struct catalogue *catalogue) {
    free(catalogue->concerts);
    free(catalogue->dates);
    free(catalogue);
}

/* --- decide -------------------------------------------------------------------------------- */

static void create_date(const struct catalogue *catalogue, const struct command *command,
                        uint64_t now_ms, struct verdict *verdict) {
    uint32_t concert = command->date.concert;
    int bad = policy_check(command->date.policy);
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
                                           .policy = *command->date.policy};
        verdict->reply_kind = REPLY_CREATED;
    }
}

static void create_concert(const struct catalogue *catalogue, const struct command *command,
                           uint64_t now_ms, struct verdict *verdict) {
    if (catalogue->concert_count == CONCERTS_MAX) {
        verdict_error(verdict, ERROR_CATALOGUE_FULL, CONCERTS_MAX, 0, 0);
        return;
    }
    verdict_add(verdict, &catalogue->partition, DECISION_CONCERT_CREATED, now_ms)->concert_created =
        (struct decision_concert_created){catalogue->concert_count + 1, command->concert.title};
    verdict->reply_kind = REPLY_CREATED;
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

void catalogue_decide(const struct catalogue *catalogue, const struct command *command,
                      uint64_t now_ms, struct verdict *verdict) {
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

#define PROTOCOL_VERSION 1

void catalogue_answer(const struct catalogue *catalogue, const struct command *command,
                      struct reply *reply) {
    switch (reply->kind) {
    case REPLY_CONCERTS: reply->concerts.catalogue = catalogue; break;
    case REPLY_DATES:
        reply->dates.catalogue = catalogue;
        reply->dates.concert = command->dates.concert;
        reply->dates.available_only = command->dates.available_only;
        reply->dates.has_token = command->dates.token_is_active &&
                                 command->dates.token_concert == command->dates.concert;
        break;
    case REPLY_CREATED: /* just now, so it is the last one */
        reply->created.concert = command->kind == COMMAND_CONCERT_CREATE ? catalogue->concert_count
                                                                         : command->date.concert;
        reply->created.date = command->kind == COMMAND_CONCERT_CREATE ? 0 : catalogue->date_count;
        break;
    case REPLY_PING: reply->ping.version = PROTOCOL_VERSION; break;
    case REPLY_STATS: break;
    default: REQUIRE_NEVER("a catalogue's reply");
    }
}

/* --- apply --------------------------------------------------------------------------------- */

static struct title title_of(const struct text *text) {
    struct title title = {.size = text->size};
    if (text->size > 0) memcpy(title.bytes, text->bytes, text->size);
    return title;
}

static uint64_t concert_hash(const struct title *title, uint32_t concert) {
    return index_hash(title->bytes, title->size, concert);
}

static uint64_t date_hash_of(const struct concert_date *date, uint32_t id) {
    return index_hash(date->title.bytes, date->title.size, (uint64_t)id << 32 | date->concert) +
           index_hash(&date->starts_at, sizeof date->starts_at, id);
}

uint64_t catalogue_hash_recount(const struct catalogue *catalogue) {
    uint64_t hash = 0;
    for (uint32_t i = 0; i < catalogue->concert_count; i++) {
        hash += concert_hash(&catalogue->concerts[i].title, i + 1);
    }
    for (uint32_t i = 0; i < catalogue->date_count; i++) {
        hash += date_hash_of(&catalogue->dates[i], i + 1);
    }
    return hash;
}

static void concert_add(struct catalogue *catalogue, const struct text *title) {
    struct concert *concert = &catalogue->concerts[catalogue->concert_count++];
    concert->title = title_of(title);
    catalogue->hash += concert_hash(&concert->title, catalogue->concert_count);
}

static void date_add(struct catalogue *catalogue, uint32_t concert, uint64_t starts_at,
                     const struct text *title) {
    struct concert_date *date = &catalogue->dates[catalogue->date_count++];
    *date = (struct concert_date){concert, starts_at, title_of(title)};
    catalogue->hash += date_hash_of(date, catalogue->date_count);
}

const char *catalogue_restore_concert(struct catalogue *catalogue,
                                      const struct entity_concert *saved) {
    if (catalogue->concert_count == CONCERTS_MAX) return "too many concerts";
    if (saved->concert != catalogue->concert_count + 1) return "concerts are out of order";
    concert_add(catalogue, &saved->title);
    return NULL;
}

const char *catalogue_restore_date(struct catalogue *catalogue,
                                   const struct entity_concert_date *saved) {
    if (catalogue->date_count == DATES_MAX) return "too many dates";
    if (saved->date != catalogue->date_count + 1) return "dates are out of order";
    if (saved->concert < 1 || saved->concert > catalogue->concert_count) {
        return "there is no such concert";
    }
    date_add(catalogue, saved->concert, saved->starts_at, &saved->title);
    return NULL;
}

void catalogue_apply(struct catalogue *catalogue, const struct decision *decision) {
    switch (decision->kind) {
    case DECISION_CONCERT_CREATED: {
        const struct decision_concert_created *body = &decision->concert_created;
        REQUIRE(body->concert == catalogue->concert_count + 1 && body->concert <= CONCERTS_MAX);
        concert_add(catalogue, &body->title);
        break;
    }
    case DECISION_DATE_CREATED: { /* the date's own partition is brought into being by world.c */
        const struct decision_date_created *body = &decision->date_created;
        REQUIRE(body->date == catalogue->date_count + 1 && body->date <= DATES_MAX);
        date_add(catalogue, body->concert, body->starts_at, &body->title);
        break;
    }
    default: REQUIRE_NEVER("a catalogue's decision");
    }
}
