/* canary.c - the planted bugs, each in the function that its wrapped call goes to
 *
 * Each is as small as the bug that somebody could write: the state is changed in a way that the
 * engine's own REQUIREs let pass, so that the simulator's checks have to see it.
 */
#include "tests/sim/canary.h"

#include <string.h>
#include <time.h>

#include "engine/domain/account/account.h"
#include "engine/domain/date/date_rules.h"
#include "engine/domain/image/image.h"
#include "engine/domain/partition/world.h"
#include "engine/base/require.h"
#include "engine/runtime/clock.h"
#include "replay/postgres/projection_attach.h"
#include "replay/source/source_wal.h"
#include "replay/postgres/sql.h"
#include "tests/sim/words.h"
#include "wal/scan.h"
#include "wal/wal.h"

static struct {
    uint32_t which; /* enum canary */
    uint64_t struck;
    bool in_hold;           /* inside date_hold() */
    struct wal *wal;        /* whose journal was handed out last */
    struct journal journal; /* the real one */
    bool guard_had_no_row;
} planted;

#define IS(NAME) (__builtin_expect(planted.which == CANARY_##NAME, 0))

/* The first, and then every so many. */
static bool strikes(uint64_t every) { return planted.struck++ % every == 0; }

/* --- the table -------------------------------------------------------------------------------- */

static const struct {
    const char *name, *text;
    enum sim_check check;
} canaries[CANARY_COUNT] = {
#define X(NAME, name, check, text) {name, text, SIM_CHECK_##check},
    CANARIES(X)
#undef X
};

void canary_select(uint32_t canary) {
    REQUIRE(canary < CANARY_COUNT);
    memset(&planted, 0, sizeof planted);
    planted.which = canary;
}

uint32_t canary_find(const char *name) {
    uint32_t canary = 0;
    while (canary < CANARY_COUNT && strcmp(canaries[canary].name, name) != 0) canary++;
    return canary;
}

const char *canary_name(uint32_t canary) {
    REQUIRE(canary < CANARY_COUNT);
    return canaries[canary].name;
}

const char *canary_text(uint32_t canary) {
    REQUIRE(canary < CANARY_COUNT);
    return canaries[canary].text;
}

uint32_t canary_check(uint32_t canary) {
    REQUIRE(canary < CANARY_COUNT);
    return canaries[canary].check;
}

void canary_print(FILE *to) {
    for (uint32_t i = CANARY_NONE + 1; i < CANARY_COUNT; i++) {
        fprintf(to, "%-20s %-10s %s\n", canaries[i].name, sim_check_name(canaries[i].check),
                canaries[i].text);
    }
}

/* --- seats ------------------------------------------------------------------------------------ */

#define WRAPPED(type, function, ...)                                                               \
    type __real_##function(__VA_ARGS__);                                                           \
    type __wrap_##function(__VA_ARGS__);                                                           \
    type __wrap_##function(__VA_ARGS__)

WRAPPED(void, date_hold, const struct date *date, const struct command *command, uint64_t now_ms,
        struct verdict *verdict) {
    struct policy *policy = (struct policy *)(uintptr_t)&date->policy;
    uint64_t seats_max = policy->max_seats_per_user;
    planted.in_hold = IS(SOLD_TWICE);
    if (IS(SEAT_LIMIT)) policy->max_seats_per_user = SEATS_PER_USER_MAX;
    __real_date_hold(date, command, now_ms, verdict);
    policy->max_seats_per_user = seats_max;
    planted.in_hold = false;
}

WRAPPED(const struct seat *, seat_map_seat, const struct seat_map *map, uint32_t number) {
    static struct seat lie; /* lives as long as what the real one returns */
    const struct seat *seat = __real_seat_map_seat(map, number);
    if (!planted.in_hold || seat->reservation == 0 || !strikes(5)) return seat;
    lie = *seat;
    lie.reservation = 0;
    return &lie;
}

void __real_seat_map_free(struct seat_map *map, uint32_t number);

WRAPPED(void, seat_map_take, struct seat_map *map, uint32_t number, uint32_t reservation) {
    if (IS(SOLD_TWICE) && map->seats[number].reservation != 0) __real_seat_map_free(map, number);
    __real_seat_map_take(map, number, reservation);
}

void __wrap_seat_map_free(struct seat_map *map, uint32_t number);
void __wrap_seat_map_free(struct seat_map *map, uint32_t number) {
    if (IS(SOLD_TWICE) && map->seats[number].reservation == 0) return;
    __real_seat_map_free(map, number);
}

WRAPPED(void, date_enter, const struct date *date, const struct command *command, uint64_t now_ms,
        struct verdict *verdict) {
    uint32_t *state = (uint32_t *)(uintptr_t)&date->state, real = *state;
    if (IS(ENTERS_CLOSED) && real == DATE_CLOSED) *state = DATE_OPEN;
    __real_date_enter(date, command, now_ms, verdict);
    *state = real;
}

/* --- the waiting room, and time --------------------------------------------------------------- */

WRAPPED(place_t, room_first, const struct waiting_room *room) {
    place_t first = __real_room_first(room);
    if (!IS(SECOND_FIRST) || first == 0 || room->waiting < 2) return first;
    for (place_t place = first + 1; place <= room->last; place++) {
        const struct waiter *waiter = room_find(room, place);
        if (waiter && waiter->state == TOKEN_WAITING) return place;
    }
    return first;
}

WRAPPED(bool, date_due, struct date *date, uint64_t now_ms, struct verdict *verdict) {
    uint64_t capacity = date->policy.active_capacity;
    date->policy.active_capacity += IS(ONE_TOO_MANY);
    bool due = __real_date_due(date, now_ms, verdict);
    date->policy.active_capacity = capacity;
    return due;
}

WRAPPED(uint64_t, date_next_due_ms, const struct date *date) {
    struct policy *policy = (struct policy *)(uintptr_t)&date->policy;
    uint64_t capacity = policy->active_capacity;
    policy->active_capacity += IS(ONE_TOO_MANY);
    uint64_t due_ms = __real_date_next_due_ms(date);
    policy->active_capacity = capacity;
    return due_ms;
}

WRAPPED(const struct reservation *, reservations_due, const struct reservations *all) {
    static struct reservation early; /* lives as long as what the real one returns */
    const struct reservation *due = __real_reservations_due(all);
    if (IS(HOLD_OUTLIVES)) return NULL;
    if (!IS(HOLD_CUT_SHORT) || !due) return due;
    early = *due;
    early.expires_at -= 1500;
    return &early;
}

WRAPPED(const struct heap_entry *, room_due, const struct waiting_room *room) {
    return IS(TOKEN_OUTLIVES) ? NULL : __real_room_due(room);
}

WRAPPED(bool, partition_outage, const struct partition *partition, enum outage_cause cause,
        uint64_t since_ms, uint64_t now_ms, struct verdict *verdict) {
    if (IS(OUTAGE_FORGOTTEN)) {
        verdict_begin(verdict);
        return false;
    }
    if (IS(CREDIT_DOUBLED)) since_ms -= now_ms - since_ms;
    return __real_partition_outage(partition, cause, since_ms, now_ms, verdict);
}

WRAPPED(bool, partition_unserved, struct partition *partition, uint64_t ms) {
    return __real_partition_unserved(partition, IS(SILENCE_COUNTS) ? 0 : ms);
}

WRAPPED(bool, clock_look, struct engine_clock *clock, const struct clock_reading *reading) {
    struct clock_figures before = clock->figures;
    bool changed = __real_clock_look(clock, reading);
    if (IS(STEP_UNSEEN)) clock->figures = before;
    return changed;
}

/* --- deciding, answering, starting again ------------------------------------------------------ */

WRAPPED(void, partition_decide, const struct partition *partition, const struct command *command,
        uint64_t now_ms, struct verdict *verdict) {
    __real_partition_decide(partition, command, now_ms, verdict);
    if (IS(NEVER_POSTED) && verdict->has_message && verdict->message.kind == COMMAND_FUNDS_POST) {
        verdict->has_message = false;
    }
    if (IS(POINT_FROM_NOWHERE) && verdict->count > 0) {
        struct decision *last = &verdict->decisions[verdict->count - 1];
        if (last->kind == DECISION_FUNDS_REFUNDED) {
            last->funds_refunded.amount++;
            last->funds_refunded.balance++;
        }
    }
    if (IS(ABORTS) && verdict->count > 0) REQUIRE(!strikes(100) || planted.struck == 1);
}

WRAPPED(void, partition_answer, const struct partition *partition, const struct command *command,
        const struct verdict *verdict, uint64_t now_ms, struct reply *ret_reply) {
    __real_partition_answer(partition, command, verdict, now_ms, ret_reply);
    if (ret_reply->kind != REPLY_TOKEN || ret_reply->token.state != TOKEN_WAITING) return;
    if (IS(TOLD_ACTIVE) && strikes(3)) ret_reply->token.state = TOKEN_ACTIVE;
    if (IS(NOT_REPEATABLE)) {
        struct timespec now;
        (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
        ret_reply->token.eta_ms += (uint64_t)now.tv_nsec;
    }
}

WRAPPED(void, partition_resume, struct partition *partition, uint64_t now_ms) {
    __real_partition_resume(partition, now_ms);
    if (!IS(NOT_RESUMED)) return;
    if (partition_is_date(partition->id)) {
        struct date *date = (struct date *)partition;
        date->volatile_sweep = date->reservations.sequence_count;
    } else if (partition_is_account(partition->id)) {
        struct account_partition *all = (struct account_partition *)partition;
        all->volatile_sweep = all->transfer_count;
    }
}

/* --- the log ---------------------------------------------------------------------------------- */

WRAPPED(int, world_apply, struct world *world, const struct decision *decision) {
    if (IS(REPLAY_DIFFERS) && decision->kind == DECISION_PAYMENT_STARTED && strikes(7)) {
        struct decision other = *decision;
        other.payment_started.key.bytes[0] ^= 1;
        return __real_world_apply(world, &other);
    }
    return __real_world_apply(world, decision);
}

static uint64_t wrong_durable_lsn(void *context) {
    uint64_t durable_lsn = planted.journal.durable_lsn(context);
    if (IS(GATE_OPEN)) return wal_appended_lsn(planted.wal);
    return IS(LAST_REPLY_KEPT) && durable_lsn > 0 ? durable_lsn - 1 : durable_lsn;
}

WRAPPED(void, wal_journal, struct wal *wal, struct journal *ret_journal) {
    __real_wal_journal(wal, ret_journal);
    planted.wal = wal;
    planted.journal = *ret_journal;
    if (IS(GATE_OPEN) || IS(LAST_REPLY_KEPT)) ret_journal->durable_lsn = wrong_durable_lsn;
}

/* The projection is no part of that bug: it goes on reading what is durable. */
WRAPPED(void, source_wal_init, struct source_wal *source, struct storage *storage,
        uint64_t (*durable_lsn)(void *context), void *durable_context, uint64_t fixed_limit_lsn,
        struct record_source *ret_port) {
    if (IS(GATE_OPEN) && durable_lsn) {
        durable_lsn = planted.journal.durable_lsn;
        durable_context = planted.journal.context;
    }
    __real_source_wal_init(source, storage, durable_lsn, durable_context, fixed_limit_lsn,
                           ret_port);
}

WRAPPED(int, scan_tail, struct scan *scan, struct scan_tail *ret_tail,
        struct wal_error *ret_error) {
    int result = __real_scan_tail(scan, ret_tail, ret_error);
    if (IS(TORN_MIDDLE) && result >= 0 && ret_tail->proof)
        *ret_tail = (struct scan_tail){true, NULL};
    return result;
}

WRAPPED(int, image_load, struct image_loader *loader, const struct entity *entity,
        char ret_text[IMAGE_ERROR_BYTES]) {
    if (IS(IMAGE_FORGETS) && entity->kind == ENTITY_CHARGE_KEY) return 0;
    if (!IS(IMAGE_FORGETS) || entity->kind != ENTITY_LEDGER_ROW) {
        return __real_image_load(loader, entity, ret_text);
    }
    struct entity forgotten = *entity;
    forgotten.ledger_row.key = (struct id128){{0}}; /* no hash covers it */
    return __real_image_load(loader, &forgotten, ret_text);
}

/* --- PostgreSQL ------------------------------------------------------------------------------- */

WRAPPED(int, sql_copy, struct sql *sql, const char *command, const uint8_t *bytes, size_t size) {
    if (IS(ROWS_MISSING) && strikes(10)) return SQL_OK;
    int result = __real_sql_copy(sql, command, bytes, size);
    if (result != SQL_OK || !IS(ROWS_TWICE) || !strikes(10)) return result;
    return __real_sql_copy(sql, command, bytes, size);
}

WRAPPED(int, sql_run, struct sql *sql, const char *statements, sql_row_fn *row, void *context,
        uint64_t *ret_affected) {
    int result = __real_sql_run(sql, statements, row, context, ret_affected);
    if (IS(GUARD_IGNORED) && result == SQL_OK && ret_affected &&
        strncmp(statements, "BEGIN;", 6) == 0)
        *ret_affected = 1;
    return result;
}

WRAPPED(bool, projection_is_taken_over, const struct projection_found *found, uint64_t run,
        const char *run_id) {
    return !IS(TAKEN_BACK) && __real_projection_is_taken_over(found, run, run_id);
}
