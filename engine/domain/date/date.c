/* date.c - see date.h */
#include "engine/domain/date/date.h"

#include <stdlib.h>

#include "engine/domain/date/date_rules.h"
#include "engine/base/hash.h"

static const struct partition_kind date_kind;

struct date *date_create(const struct decision_date_created *created) {
    struct date *date = calloc(1, sizeof *date);
    uint64_t seed;
    REQUIRE_MEMORY(date != NULL);
    REQUIRE(created->date >= 1 && created->date <= DATES_MAX);
    memcpy(&seed, created->seed.bytes, sizeof seed);
    date->partition = (struct partition){.kind = &date_kind,
                                         .id = partition_of_date(created->date)};
    date->id = created->date;
    date->concert = created->concert;
    date->starts_at = created->starts_at;
    date->title = title_of(&created->title);
    date->state = DATE_DRAFT;
    date->policy = created->policy;
    seat_map_init(&date->seats, seed);
    reservations_init(&date->reservations, seed);
    room_init(&date->room, seed);
    return date;
}

struct date *date_restore(const struct entity_date *saved, const struct title *title) {
    struct decision_date_created created = {.date = saved->date,
                                            .concert = saved->concert,
                                            .title = {title->bytes, title->size},
                                            .starts_at = saved->starts_at,
                                            .policy = saved->policy};
    memcpy(created.seed.bytes, &saved->seed, sizeof saved->seed);
    struct date *date = date_create(&created);
    date->state = saved->state;
    date->payment_count = saved->payments;
    date->points_sold = saved->points_sold;
    reservations_restore(&date->reservations, saved->reservations);
    room_restore(&date->room, saved);
    date->volatile_sweep = saved->reservations; /* as after replay */
    return date;
}

static void date_free(struct partition *partition) {
    struct date *date = (struct date *)partition;
    seat_map_deinit(&date->seats);
    reservations_deinit(&date->reservations);
    room_deinit(&date->room);
    free(date);
}

void date_counters(const struct date *date, struct date_counters *ret_counters) {
    const struct reservations *all = &date->reservations;
    uint32_t taken = date->seats.for_sale - date->seats.free;
    *ret_counters = (struct date_counters){
        .state = date->state,
        .seats_total = date->seats.count,
        .seats_for_sale = date->seats.for_sale,
        .seats_available = date->seats.free,
        .seats_held = taken - all->seats_sold,
        .seats_sold = all->seats_sold,
        .waiting = date->room.waiting,
        .active = date->room.active,
        .entered = date->room.last,
        .points_sold = date->points_sold,
        .sales_open_at = date->policy.sales_open_at,
        .sales_end_at = date->policy.sales_end_at,
        .gate_dates = date->policy.gate_dates != 0,
    };
}

bool date_row_is_draft(const struct date_counters *counters) {
    return counters->state == 0 || counters->state == DATE_DRAFT;
}

bool date_row_is_bookable(const struct date_counters *counters, uint64_t now_ms) {
    return counters->state == DATE_OPEN && now_ms >= counters->sales_open_at &&
           (counters->sales_end_at == 0 || now_ms < counters->sales_end_at) &&
           counters->seats_available > 0;
}

/* A field that is newer than the first logs takes part only where it is not at its default. */
static uint64_t newer_policy_hash(const struct date *date) {
    uint64_t hash = 0;
    for (uint32_t i = POLICY_FIELDS_FIRST; i < POLICY_FIELD_COUNT; i++) {
        uint64_t value = policy_get(&date->policy, i);
        if (value == policy_row(i)->initial) continue;
        hash += index_hash(&value, sizeof value, (uint64_t)i << 32 | date->partition.id);
    }
    return hash;
}

static uint64_t date_hash(const struct partition *partition) {
    const struct date *date = (const struct date *)partition;
    HASHED_STRUCT_BEGIN
    struct {
        uint64_t policy[POLICY_FIELDS_FIRST];
        uint64_t starts_at, points_sold, interval_began_ms;
        uint32_t id, concert, state, payments, places, reservations, admitted, free;
    } image = {{0},
               date->starts_at,
               date->points_sold,
               date->room.interval_began_ms,
               date->id,
               date->concert,
               date->state,
               date->payment_count,
               date->room.last,
               date->reservations.sequence_count,
               date->room.interval_admitted,
               date->seats.free};
    HASHED_STRUCT_END
    memcpy(image.policy, &date->policy, sizeof image.policy);
    return index_hash(&image, sizeof image, date->partition.id) + newer_policy_hash(date) +
           date->seats.hash + date->reservations.hash + date->room.hash;
}

static uint64_t date_hash_recount(const struct partition *partition) {
    const struct date *date = (const struct date *)partition;
    return date_hash(partition) - date->seats.hash - date->reservations.hash - date->room.hash +
           seat_map_hash_recount(&date->seats) + reservations_hash_recount(&date->reservations) +
           room_hash_recount(&date->room);
}

static bool date_unserved(struct partition *partition, uint64_t ms) {
    struct waiting_room *room = &((struct date *)partition)->room;
    room_unserved(room, ms);
    return room->waiting > 0;
}

void date_decide(const struct partition *partition, const struct command *command, uint64_t now_ms,
                 struct verdict *verdict) {
    const struct date *date = (const struct date *)partition;
    switch (command->kind) {
    case COMMAND_QUEUE_ENTER: date_enter(date, command, now_ms, verdict); break;
    case COMMAND_QUEUE_STATUS: date_status(date, command, now_ms, verdict); break;
    case COMMAND_QUEUE_LEAVE: date_leave(date, command, now_ms, verdict); break;
    case COMMAND_CATALOGUE_DATES: date_vouch(date, command, now_ms, verdict); break;
    case COMMAND_SEATS_LIST: date_list(date, command, now_ms, verdict); break;
    case COMMAND_SEATS_HOLD: date_hold(date, command, now_ms, verdict); break;
    case COMMAND_SEATS_RELEASE: date_release(date, command, now_ms, verdict); break;
    case COMMAND_PAYMENT_PAY: date_pay(date, command, now_ms, verdict); break;
    case COMMAND_RESERVATION_CANCEL: date_cancel_one(date, command, now_ms, verdict); break;
    case COMMAND_FUNDS_RESERVED: date_funds_reserved(date, command, now_ms, verdict); break;
    case COMMAND_FUNDS_REFUSED: date_funds_refused(date, command, now_ms, verdict); break;
    case COMMAND_FUNDS_REFUNDED: date_funds_refunded(date, command, now_ms, verdict); break;
    default: date_administer(date, command, now_ms, verdict); break;
    }
}

static const struct partition_kind date_kind = {.owner = OWNER_DATE,
                                                .free = date_free,
                                                .decide = date_decide,
                                                .apply = date_apply,
                                                .answer = date_answer,
                                                .hash = date_hash,
                                                .hash_recount = date_hash_recount,
                                                .due = date_due,
                                                .next_due_ms = date_next_due_ms,
                                                .heard = date_heard,
                                                .outage = date_outage,
                                                .unserved = date_unserved,
                                                .resume = date_resume,
                                                .prefetch = date_prefetch,
                                                .prefetch_command = date_prefetch_command};
