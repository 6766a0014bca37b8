/* state_print.c - see state_print.h */
#include "tools/usher/state_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/domain/catalogue/catalogue.h"
#include "engine/domain/date/date.h"
#include "engine/base/require.h"
#include "replay/tell/describe.h"
#include "replay/tell/narrate.h"
#include "replay/tell/text.h"
#include "tools/usher/json_print.h"
#include "tools/common/log_folder.h"

/* --- words ------------------------------------------------------------------------------------ */

void state_print_head(const struct state_walk *walk) {
    char time[TEXT_TIME_BYTES] = "";
    uint64_t time_ms = walk->asked_at > 0 ? walk->asked_at : walk->last_time_ms;
    if (time_ms > 0) text_time(time_ms, time);
    if (walk->subject.kind == SUBJECT_SEAT) printf("date %" PRIu32 " ", walk->subject.date);
    printf("%s%s%sLSN %" PRIu64 "\n", walk->subject.kind == SUBJECT_SEAT ? "at " : "", time,
           time[0] ? ", " : "", walk->lsn);
}

static void print_uuid(const char *label, const struct id128 *user) {
    char text[TEXT_UUID_BYTES];
    text_uuid(user, text);
    printf("  %-12s %s\n", label, text);
}

static void print_time(const char *label, uint64_t time_ms) {
    char text[TEXT_TIME_BYTES];
    text_time(time_ms, text);
    printf(" %s %s", label, text);
}

static void print_seat(const struct state_walk *walk, const struct entity_seat *seat) {
    char name[NARRATE_SEAT_BYTES];
    narrate_seat(walk->world, walk->date, seat->number, name);
    printf("%s, %" PRIu64 " points%s", name, seat->price, seat->for_sale ? "" : ", not for sale");
}

/* Of a seat: who has it, in what state. */
static void print_holder(const struct state_walk *walk,
                         const struct entity_reservation *reservation) {
    char id[NARRATE_ID_BYTES];
    narrate_dated_id(dated_id(walk->date, reservation->reservation), id);
    printf(": %s\n", reservation_state_name(reservation->state));
    print_uuid("by", &reservation->user);
    printf("  %-12s %s, held", "reservation", id);
    print_time("at", reservation->held_at);
    if (reservation_is_unpaid(reservation->state)) {
        print_time("until", reservation->expires_at);
    } else {
        printf(", %s", reservation_state_name(reservation->state));
        print_time("at", reservation->changed_at);
    }
    printf(", %" PRIu64 " points\n", reservation->amount);
}

static void print_reservation(const struct state_walk *walk,
                              const struct entity_reservation *reservation) {
    char id[NARRATE_ID_BYTES];
    uint64_t whole = dated_id(walk->date, reservation->reservation);
    narrate_dated_id(whole, id);
    printf("reservation %s (%" PRIu64 "): %s, %" PRIu64 " points, held", id, whole,
           reservation_state_name(reservation->state), reservation->amount);
    print_time("at", reservation->held_at);
    print_time("until", reservation->expires_at);
    if (reservation->state != RESERVATION_HELD) {
        printf(", %s", reservation_state_name(reservation->state));
        print_time("at", reservation->changed_at);
    }
    printf("\n");
    if (walk->subject.kind != SUBJECT_USER) print_uuid("by", &reservation->user);
    for (uint32_t i = 0; i < reservation->seats.count; i++) {
        char name[NARRATE_SEAT_BYTES];
        narrate_seat(walk->world, walk->date, reservation->seats.values[i], name);
        printf("  %-12s %s\n", "seat", name);
    }
    if (reservation->payment == 0) return;
    narrate_dated_id(dated_id(walk->date, reservation->payment), id);
    printf("  %-12s %s", "payment", id);
    if (reservation_was_paid(reservation->state)) {
        printf(", balance after it %" PRIu64, reservation->balance);
    }
    printf("\n");
}

static void print_waiter(const struct state_walk *walk, const struct entity_waiter *waiter) {
    printf("date %" PRIu32 ": place %" PRIu32 " in line, %s", walk->date, waiter->place,
           token_state_name(waiter->state));
    if (waiter->state == TOKEN_WAITING) printf(", %" PRIu32 " ahead", walk->waiting - 1);
    if (waiter->state == TOKEN_ACTIVE) print_time("until", waiter->expires_at);
    if (waiter->state == TOKEN_EXPIRED) printf(" (%s)", token_end_name(waiter->end));
    printf("\n");
}

static void print_ledger_row(const struct entity_ledger_row *row) {
    char id[NARRATE_ID_BYTES], time[TEXT_TIME_BYTES];
    text_time(row->time_ms, time);
    printf("  %s %-8s %s%" PRIu64 ", balance %" PRIu64, time, ledger_reason_name(row->reason),
           row->reason == LEDGER_PAYMENT ? "-" : "+", row->amount, row->balance);
    if (row->reservation != 0) {
        narrate_dated_id(row->reservation, id);
        printf(", reservation %s", id);
    }
    printf("\n");
}

void state_print(const struct state_walk *walk, const struct entity *entity) {
    char id[NARRATE_ID_BYTES];
    switch (entity->kind) {
    case ENTITY_SEAT: print_seat(walk, &entity->seat); break;
    case ENTITY_RESERVATION:
        if (walk->subject.kind == SUBJECT_SEAT) {
            print_holder(walk, &entity->reservation);
        } else {
            print_reservation(walk, &entity->reservation);
        }
        break;
    case ENTITY_WAITER: print_waiter(walk, &entity->waiter); break;
    case ENTITY_ACCOUNT:
        printf("wallet: balance %" PRIu64 ", reserved %" PRIu64 ", charged %" PRIu64
               " in all; %" PRIu64 " entries, the latest:\n",
               entity->account.balance, entity->account.reserved, entity->account.charged,
               entity->account.rows);
        break;
    case ENTITY_LEDGER_ROW: print_ledger_row(&entity->ledger_row); break;
    default:
        REQUIRE(entity->kind == ENTITY_TRANSFER);
        narrate_dated_id(entity->transfer.payment, id);
        printf("wallet: %" PRIu64 " points of payment %s under way\n", entity->transfer.amount, id);
    }
}

void state_print_free_seat(void) { printf(": free\n"); }

static const struct concert_date *catalogue_date(const struct state_walk *walk, uint32_t date) {
    const struct catalogue *catalogue = (const struct catalogue *)walk->world->catalogue;
    return date >= 1 && date <= catalogue->date_count ? &catalogue->dates[date - 1] : NULL;
}

void state_print_date(const struct state_walk *walk, uint32_t date) {
    const struct concert_date *known = catalogue_date(walk, date);
    struct date_counters counters;
    date_counters((const struct date *)walk->world->dates[date], &counters);
    printf("date %" PRIu32, date);
    if (known) {
        const struct text title = {known->title.bytes, known->title.size};
        char clean[TEXT_CLEAN_BYTES], time[TEXT_TIME_BYTES];
        (void)text_clean(&title, clean);
        text_time(known->starts_at, time);
        for (char *at = clean; *at; at++) {
            if ((unsigned char)*at < 0x20 || *at == 0x7F) *at = ' ';
        }
        printf(" \"%s\", concert %" PRIu32 ", starts at %s", clean, known->concert, time);
    }
    printf(": %s, %" PRIu32 " seats, %" PRIu32 " for sale, %" PRIu32 " sold for %" PRIu64
           " points, %" PRIu32 " held, %" PRIu32 " active, %" PRIu32 " waiting, %" PRIu64
           " entries\n",
           date_state_name(counters.state), counters.seats_total, counters.seats_for_sale,
           counters.seats_sold, counters.points_sold, counters.seats_held, counters.active,
           counters.waiting, counters.entered);
}

void state_print_world(const struct state_walk *walk) {
    struct money_totals money;
    const struct catalogue *catalogue = (const struct catalogue *)walk->world->catalogue;
    printf("concerts %" PRIu32 ", dates %" PRIu32 "\n", catalogue->concert_count,
           catalogue->date_count);
    for (uint32_t date = 1; date <= walk->world->date_count; date++) {
        if (walk->world->dates[date]) state_print_date(walk, date);
    }
    world_money(walk->world, &money);
    printf("wallets %" PRIu64 ": charged %" PRIu64 ", balances %" PRIu64 ", reserved %" PRIu64
           ", spent %" PRIu64 ", refunded %" PRIu64 "\n",
           money.accounts, money.charged, money.balances, money.reserved, money.spent,
           money.refunded);
    printf("points conserved %s\nstate hash %016" PRIx64 "\n",
           money_conserved(&money) ? "yes" : "NO", world_hash(walk->world));
}

/* --- JSON ------------------------------------------------------------------------------------- */

json_t *state_json(const struct state_walk *walk) {
    json_t *answer = json_object();
    json_put_number(answer, "lsn", walk->lsn);
    json_put_time(answer, "at", walk->asked_at);
    json_put_time(answer, "last_decision", walk->last_time_ms);
    return answer;
}

json_t *state_money_json(const struct world *world) {
    struct money_totals money;
    json_t *object = json_object();
    world_money(world, &money);
    json_put_number(object, "wallets", money.accounts);
    json_put_number(object, "charged", money.charged);
    json_put_number(object, "balances", money.balances);
    json_put_number(object, "reserved", money.reserved);
    json_put_number(object, "spent", money.spent);
    json_put_number(object, "refunded", money.refunded);
    json_put(object, "conserved", json_boolean(money_conserved(&money)));
    return object;
}

json_t *state_dates_json(const struct world *world) {
    json_t *dates = json_array();
    for (uint32_t date = 1; date <= world->date_count; date++) {
        if (!world->dates[date]) continue;
        struct date_counters counters;
        json_t *row = json_object();
        date_counters((const struct date *)world->dates[date], &counters);
        json_put_number(row, "date", date);
        json_put_text(row, "state", date_state_name(counters.state));
        json_put_number(row, "seats_total", counters.seats_total);
        json_put_number(row, "seats_for_sale", counters.seats_for_sale);
        json_put_number(row, "seats_available", counters.seats_available);
        json_put_number(row, "seats_held", counters.seats_held);
        json_put_number(row, "seats_sold", counters.seats_sold);
        json_put_number(row, "points_sold", counters.points_sold);
        json_put_number(row, "active", counters.active);
        json_put_number(row, "waiting", counters.waiting);
        json_put_number(row, "entered", counters.entered);
        REQUIRE_MEMORY(json_array_append_new(dates, row) == 0);
    }
    return dates;
}

json_t *state_world_json(const struct state_walk *walk) {
    const struct catalogue *catalogue = (const struct catalogue *)walk->world->catalogue;
    json_t *answer = state_json(walk);
    json_put_number(answer, "concerts", catalogue->concert_count);
    json_put(answer, "dates", state_dates_json(walk->world));
    json_put(answer, "money", state_money_json(walk->world));
    json_put_hash(answer, "state_hash", world_hash(walk->world));
    return answer;
}

static void append(json_t *answer, const char *key, json_t *value) {
    json_t *array = json_object_get(answer, key);
    if (!array) {
        array = json_array();
        json_put(answer, key, array);
    }
    REQUIRE_MEMORY(json_array_append_new(array, value) == 0);
}

void state_collect(struct state_walk *walk, const struct entity *entity) {
    json_t *fields = describe_entity_fields(entity, walk->flags);
    if (walk->date != 0) json_put_number(fields, "date", walk->date);
    switch (entity->kind) {
    case ENTITY_SEAT: json_put(walk->answer, "seat", fields); break;
    case ENTITY_RESERVATION:
        json_put_number(fields, "id", dated_id(walk->date, entity->reservation.reservation));
        append(walk->answer, "reservations", fields);
        break;
    case ENTITY_WAITER:
        if (entity->waiter.state == TOKEN_WAITING) {
            json_put_number(fields, "ahead", walk->waiting - 1);
        }
        append(walk->answer, "waiters", fields);
        break;
    case ENTITY_ACCOUNT: json_put(walk->answer, "account", fields); break;
    case ENTITY_LEDGER_ROW: append(walk->answer, "ledger", fields); break;
    default: REQUIRE(entity->kind == ENTITY_TRANSFER); append(walk->answer, "transfers", fields);
    }
}
