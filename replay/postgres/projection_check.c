/* projection_check.c - see projection_check.h
 *
 * Happy path: one snapshot, one query of check.sql per kind of entity, rows streamed and compared
 * one by one.
 * What PostgreSQL has and the engine has not, a row finds; what the engine has and PostgreSQL has
 * not, the counts find. Failure modes: no connection, or no projection in that database.
 * Thread: the one that owns the world.
 */
#include "replay/postgres/projection_check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/domain/account/account.h"
#include "engine/domain/catalogue/catalogue.h"
#include "engine/domain/date/date.h"
#include "engine/base/require.h"
#include "engine/base/uuid.h"
#include "replay/postgres/sql.h"
#include "replay/postgres/statements.h"
#include "replay/tell/text.h"

struct check {
    const struct world *world;
    struct projection_comparison *report;
    size_t size; /* of report->text */
};

__attribute__((format(printf, 2, 3))) static void differ(struct check *check, const char *format,
                                                         ...) {
    char *at = check->report->text + check->size;
    size_t left = PROJECTION_REPORT_BYTES - check->size;
    va_list arguments;
    check->report->mismatches++;
    va_start(arguments, format);
    int size = vsnprintf(at, left, format, arguments);
    va_end(arguments);
    REQUIRE(size >= 0);
    if ((size_t)size + 2 > left) { /* whole lines only */
        *at = '\0';
        return;
    }
    memcpy(at + size, "\n", 2);
    check->size += (size_t)size + 1;
}

static void same(struct check *check, const char *what, uint64_t of, uint64_t engine,
                 const char *postgres) {
    check->report->compared++;
    uint64_t there = postgres ? strtoull(postgres, NULL, 10) : 0;
    if (there == engine) return;
    differ(check, "%s of %" PRIu64 ": engine %" PRIu64 ", PostgreSQL %" PRIu64, what, of, engine,
           there);
}

static void same_text(struct check *check, const char *what, uint64_t of, const char *engine,
                      const char *postgres) {
    check->report->compared++;
    if (postgres && strcmp(engine, postgres) == 0) return;
    differ(check, "%s of %" PRIu64 ": engine %s, PostgreSQL %s", what, of, engine,
           postgres ? postgres : "NULL");
}

static uint64_t number_of(const char *value) { return value ? strtoull(value, NULL, 10) : 0; }

static const struct date *date_of(const struct check *check, uint64_t date) {
    return date >= 1 && date <= check->world->date_count
               ? (const struct date *)check->world->dates[date]
               : NULL;
}

/* --- catalogue and dates ---------------------------------------------------------------------- */

static void check_totals(void *context, int columns, const char *const *values) {
    struct check *check = context;
    const struct catalogue *catalogue = (const struct catalogue *)check->world->catalogue;
    struct money_totals money;
    REQUIRE(columns == 9);
    world_money(check->world, &money);
    same(check, "concerts", 0, catalogue->concert_count, values[0]);
    same(check, "dates", 0, catalogue->date_count, values[1]);
    same(check, "wallets", 0, money.accounts, values[2]);
    same(check, "points charged", 0, money.charged, values[3]);
    same(check, "points in balances", 0, money.balances, values[4]);
    same(check, "points reserved", 0, money.reserved, values[5]);
    same(check, "points spent", 0, money.spent, values[6]);
    same(check, "points refunded", 0, money.refunded, values[7]);
    check->report->applied_lsn = number_of(values[8]);
}

static void check_date(void *context, int columns, const char *const *values) {
    struct check *check = context;
    struct date_counters counters;
    uint64_t id = number_of(values[0]);
    const struct date *date = date_of(check, id);
    REQUIRE(columns == 20);
    if (!date) {
        differ(check, "date %" PRIu64 ": not in the engine", id);
        return;
    }
    date_counters(date, &counters);
    same(check, "concert of date", id, date->concert, values[1]);
    same_text(check, "state of date", id, date_state_name(date->state), values[2]);
    same(check, "seats of date", id, counters.seats_total, values[3]);
    same(check, "available seats of date", id, counters.seats_available, values[4]);
    same(check, "held seats of date", id, counters.seats_held, values[5]);
    same(check, "sold seats of date", id, counters.seats_sold, values[6]);
    same(check, "reservations of date", id, date->reservations.sequence_count, values[7]);
    same(check, "held reservations of date", id, date->reservations.held, values[8]);
    same(check, "paying reservations of date", id, date->reservations.paying, values[9]);
    same(check, "paid reservations of date", id, date->reservations.paid, values[10]);
    same(check, "refunding reservations of date", id, date->reservations.refunding, values[11]);
    same(check, "points sold of date", id, counters.points_sold, values[12]);
    same(check, "payments of date", id, date->payment_count, values[13]);
    same(check, "places handed out of date", id, counters.entered, values[14]);
    same(check, "waiting users of date", id, counters.waiting, values[15]);
    same(check, "active users of date", id, counters.active, values[16]);
    same(check, "start of date", id, date->starts_at, values[17]);
    same(check, "opening of sales of date", id, date->policy.sales_open_at, values[18]);
    same(check, "active_capacity of date", id, date->policy.active_capacity, values[19]);
}

/* --- seats, reservations, tokens, wallets ----------------------------------------------------- */

static void check_seat(void *context, int columns, const char *const *values) {
    struct check *check = context;
    const struct date *date = date_of(check, number_of(values[0]));
    uint32_t number = (uint32_t)number_of(values[1]);
    REQUIRE(columns == 6);
    if (!date || number < 1 || number > date->seats.count) {
        differ(check, "seat %u of date %s: not in the engine", number, values[0]);
        return;
    }
    const struct seat *seat = seat_map_seat(&date->seats, number);
    uint64_t id = dated_id(date->id, number);
    uint64_t reservation = seat->reservation ? dated_id(date->id, seat->reservation) : 0;
    const char *state = "available";
    if (seat->reservation) {
        const struct reservation *has = reservations_find(&date->reservations, seat->reservation);
        REQUIRE(has != NULL);
        state = reservation_is_sold(has->state) ? "sold" : "held";
    }
    same(check, "reservation of seat (date << 32 | number)", id, reservation, values[2]);
    same(check, "price of seat (date << 32 | number)", id, seat->price, values[3]);
    same(check, "for_sale of seat (date << 32 | number)", id, seat->for_sale, values[4]);
    same_text(check, "state of seat (date << 32 | number)", id, state, values[5]);
}

static void check_reservation(void *context, int columns, const char *const *values) {
    struct check *check = context;
    uint64_t id = number_of(values[0]);
    const struct date *date = date_of(check, dated_id_date(id));
    const struct reservation *reservation =
        date ? reservations_find(&date->reservations, dated_id_sequence(id)) : NULL;
    char user[TEXT_UUID_BYTES];
    REQUIRE(columns == 9);
    if (!reservation) {
        differ(check, "reservation %" PRIu64 ": not in the engine", id);
        return;
    }
    uint64_t payment = reservation->payment ? dated_id(date->id, reservation->payment) : 0;
    text_uuid(&reservation->user, user);
    same_text(check, "user of reservation", id, user, values[1]);
    same_text(check, "state of reservation", id, reservation_state_name(reservation->state),
              values[2]);
    same(check, "amount of reservation", id, reservation->amount, values[3]);
    same(check, "place of reservation", id, reservation->place, values[4]);
    same(check, "seats of reservation", id, reservation->seats.count, values[5]);
    same(check, "hold of reservation", id, reservation->held_at, values[6]);
    same(check, "deadline of reservation", id, reservation->expires_at, values[7]);
    same(check, "payment of reservation", id, payment, values[8]);
}

static void check_entry(void *context, int columns, const char *const *values) {
    struct check *check = context;
    const struct date *date = date_of(check, number_of(values[0]));
    place_t place = (place_t)number_of(values[1]);
    const struct waiter *waiter = date ? room_find(&date->room, place) : NULL;
    char user[TEXT_UUID_BYTES];
    REQUIRE(columns == 5);
    if (!waiter) {
        differ(check, "place %u of date %s: not in the engine", place, values[0]);
        return;
    }
    uint64_t id = dated_id(date->id, place);
    text_uuid(&waiter->user, user);
    same_text(check, "user of token (date << 32 | place)", id, user, values[2]);
    same_text(check, "state of token (date << 32 | place)", id, token_state_name(waiter->state),
              values[3]);
    same(check, "end of active time (date << 32 | place)", id, waiter_expires_at(waiter),
         values[4]);
}

static void check_wallet(void *context, int columns, const char *const *values) {
    struct check *check = context;
    struct id128 user;
    REQUIRE(columns == 6);
    const struct account *account = NULL;
    if (uuid_parse(values[0], (uint32_t)strlen(values[0]), &user)) {
        uint32_t index = partition_of_user(&user) - PARTITION_ACCOUNT_FIRST;
        account = account_find((const struct account_partition *)check->world->accounts[index],
                               &user);
    }
    if (!account) {
        differ(check, "wallet of %s: not in the engine", values[0]);
        return;
    }
    const uint64_t engine[] = {account->balance, account->reserved, account->charged, account->rows,
                               account->balance};
    static const char *const names[] = {"balance", "reserved points", "charged points",
                                        "ledger rows", "sum of the ledger"};
    for (uint32_t i = 0; i < sizeof engine / sizeof engine[0]; i++) {
        check->report->compared++;
        if (number_of(values[1 + i]) == engine[i]) continue;
        differ(check, "%s of %s: engine %" PRIu64 ", PostgreSQL %s", names[i], values[0], engine[i],
               values[1 + i]);
    }
}

/* --- the whole -------------------------------------------------------------------------------- */

int projection_check(const char *conninfo, const struct world *world,
                     struct projection_comparison *ret_report) {
    static const struct {
        const char *statement;
        sql_row_fn *row;
    } queries[] = {
        {statement_check_totals, check_totals}, {statement_check_dates, check_date},
        {statement_check_seats, check_seat},    {statement_check_reservations, check_reservation},
        {statement_check_entries, check_entry}, {statement_check_wallets, check_wallet},
    };
    *ret_report = (struct projection_comparison){0};
    struct check check = {.world = world, .report = ret_report};
    struct sql *sql = NULL;
    char text[SQL_ERROR_BYTES];
    if (sql_open(conninfo, -1, &sql, text) != SQL_OK) {
        snprintf(ret_report->text, sizeof ret_report->text, "%s", text);
        return -1;
    }
    int result = sql_run(sql, statement_check_begin, NULL, NULL, NULL);
    for (uint32_t i = 0; i < sizeof queries / sizeof queries[0] && result == SQL_OK; i++) {
        result = sql_run(sql, queries[i].statement, queries[i].row, &check, NULL);
    }
    if (result != SQL_OK) {
        snprintf(ret_report->text, sizeof ret_report->text, "%s", sql_error(sql));
    }
    sql_close(sql);
    return result == SQL_OK ? 0 : -1;
}
