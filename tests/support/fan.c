/* fan.c - see fan.h */
#include "tests/support/fan.h"

#include <stdio.h>
#include <string.h>

struct fan fan_of(struct engine_fixture *fixture, uint32_t date, uint8_t number) {
    struct fan fan = {.fixture = fixture, .date = date};
    /* Version 4; the last byte picks the account partition. */
    (void)snprintf(fan.user, sizeof fan.user, "fa000000-0000-4000-8000-0000000000%02x", number);
    return fan;
}

struct answer *fan_enters(struct fan *fan) {
    struct answer *answer = fixture_ask(fan->fixture, "queue.enter", with_number("date", fan->date),
                                        with_text("user", fan->user));
    if (answer_is_ok(answer)) answer_copy_text(answer, "token", fan->token, sizeof fan->token);
    return answer;
}

struct answer *fan_polls(const struct fan *fan) {
    return fixture_ask(fan->fixture, "queue.status", with_text("token", fan->token));
}

struct answer *fan_leaves(const struct fan *fan) {
    return fixture_ask(fan->fixture, "queue.leave", with_text("token", fan->token));
}

struct answer *fan_lists_seats(const struct fan *fan, bool all) {
    return fixture_ask(fan->fixture, "seats.list", with_text("token", fan->token),
                       with_flag("all", all));
}

static struct answer *remember(struct fan *fan, struct answer *answer) {
    if (answer_is_ok(answer)) fan->reservation = answer_number(answer, "reservation");
    return answer;
}

struct answer *fan_holds_(struct fan *fan, const uint32_t *seats) {
    uint32_t count = 0;
    while (seats[count]) count++;
    return remember(fan, fixture_ask(fan->fixture, "seats.hold", with_text("token", fan->token),
                                     with_numbers("seats", seats, count)));
}

struct answer *fan_holds_by_name(struct fan *fan, const char *name) {
    return remember(fan, fixture_ask(fan->fixture, "seats.hold", with_text("token", fan->token),
                                     with_name("seats", name)));
}

struct answer *fan_releases(const struct fan *fan) {
    return fixture_ask(fan->fixture, "seats.release", with_text("token", fan->token),
                       with_number("reservation", fan->reservation));
}

struct answer *fan_pays(const struct fan *fan, const char *key) {
    return fixture_ask(fan->fixture, "payment.pay", with_text("token", fan->token),
                       with_number("reservation", fan->reservation), with_text("key", key));
}

struct answer *fan_pays_as_user(const struct fan *fan, const char *key) {
    return fixture_ask(fan->fixture, "payment.pay", with_text("user", fan->user),
                       with_number("reservation", fan->reservation), with_text("key", key));
}

struct answer *fan_cancels(const struct fan *fan, const char *key) {
    return fixture_ask(fan->fixture, "reservation.cancel", with_text("user", fan->user),
                       with_number("reservation", fan->reservation), with_text("key", key));
}

struct answer *fan_charges(const struct fan *fan, uint64_t amount, const char *key) {
    return fixture_ask(fan->fixture, "wallet.charge", with_text("user", fan->user),
                       with_number("amount", amount), with_text("key", key));
}

struct answer *fan_history(const struct fan *fan) {
    return fixture_ask(fan->fixture, "wallet.history", with_text("user", fan->user));
}

struct answer *fan_reservations(const struct fan *fan) {
    return fixture_ask(fan->fixture, "reservation.list", with_text("user", fan->user));
}

uint64_t fan_balance(const struct fan *fan) {
    return answer_number(fixture_ask(fan->fixture, "wallet.balance", with_text("user", fan->user)),
                         "balance");
}

bool fan_reservation_is(const struct fan *fan, const char *state) {
    const struct value *all = answer_list(fan_reservations(fan), "reservations");
    for (uint32_t i = 0; i < value_count(all); i++) {
        const struct value *row = value_at(all, i);
        if (value_find_uint(row, "reservation", 0) != fan->reservation) continue;
        return value_text_equal(value_find(row, "state"), state);
    }
    return false;
}

bool fan_is(const struct fan *fan, const char *state) {
    return answer_says(fan_polls(fan), "state", state);
}

/* --- the organiser ---------------------------------------------------------------------------- */

uint32_t concert_of(struct engine_fixture *fixture, const char *title) {
    return (uint32_t)answer_number(
        fixture_ask(fixture, "admin.concert_create", with_text("title", title)), "concert");
}

#define POLICY_PARAMS_MAX 20u

uint32_t date_of_(struct engine_fixture *fixture, uint32_t concert, const struct param *policy) {
    struct param params[POLICY_PARAMS_MAX] = {
        with_number("concert", concert),
        with_text("title", "evening"),
        with_number("starts_at", FIXTURE_BEGIN_MS + 30ull * 24 * 3600 * 1000),
    };
    uint32_t count = 3;
    for (; policy->key; policy++) {
        assert_true(count < POLICY_PARAMS_MAX - 1); /* the last stays empty */
        params[count++] = *policy;
    }
    struct answer *answer = fixture_wait(fixture,
                                         fixture_send(fixture, "admin.date_create", params));
    return (uint32_t)answer_number(answer, "date");
}

#define SEATS_PER_CALL 64u

static struct answer *add_some(struct engine_fixture *fixture, uint32_t date, uint32_t first,
                               uint32_t label, uint32_t count, uint64_t price,
                               const char *section) {
    struct value_writer seats;
    value_writer_init(&seats, NULL, 0, 1u << 20);
    value_write_array(&seats, count);
    for (uint32_t i = 0; i < count; i++) {
        char seat[16], guid[48];
        (void)snprintf(seat, sizeof seat, "%u", label + i);
        (void)snprintf(guid, sizeof guid, "%s-%u", section, label + i);
        value_write_map(&seats, 5);
        value_write_pair_text(&seats, "section", section);
        value_write_pair_text(&seats, "row", "1");
        value_write_pair_text(&seats, "seat", seat);
        value_write_pair_text(&seats, "guid", guid);
        value_write_pair_uint(&seats, "price", price);
    }
    struct answer *answer = fixture_ask(fixture, "admin.seats_add", with_number("date", date),
                                        with_number("first", first), with_raw("seats", &seats));
    value_writer_deinit(&seats);
    return answer;
}

struct answer *date_add_seats(struct engine_fixture *fixture, uint32_t date, uint32_t count,
                              uint64_t price, const char *section) {
    /* How many are there already? A number that cannot be right is answered with the right one. */
    struct answer *answer = add_some(fixture, date, 200000, 1, 1, price, section);
    uint32_t next = (uint32_t)answer_data(answer, "next");
    for (uint32_t done = 0; done < count; done += SEATS_PER_CALL) {
        uint32_t some = count - done < SEATS_PER_CALL ? count - done : SEATS_PER_CALL;
        answer = add_some(fixture, date, next + done, done + 1, some, price, section);
        assert_true(answer_is_ok(answer));
    }
    return answer;
}

uint32_t date_on_sale_(struct engine_fixture *fixture, uint32_t count, uint64_t price,
                       const struct param *policy) {
    uint32_t date = date_of_(fixture, concert_of(fixture, "concert"), policy);
    (void)date_add_seats(fixture, date, count, price, "A"); /* it has checked its answers */
    assert_true(answer_is_ok(date_opens(fixture, date)));
    return date;
}

struct answer *date_opens(struct engine_fixture *fixture, uint32_t date) {
    return fixture_ask(fixture, "admin.date_open", with_number("date", date));
}

struct answer *date_closes(struct engine_fixture *fixture, uint32_t date) {
    return fixture_ask(fixture, "admin.date_close", with_number("date", date));
}

struct answer *date_is_cancelled(struct engine_fixture *fixture, uint32_t date) {
    return fixture_ask(fixture, "admin.date_cancel", with_number("date", date),
                       with_number("confirm", date));
}

const struct value *date_row(struct engine_fixture *fixture, uint32_t concert, uint32_t date,
                             const char *token) {
    struct answer *answer =
        token ? fixture_ask(fixture, "catalogue.dates", with_number("concert", concert),
                            with_text("token", token))
              : fixture_ask(fixture, "catalogue.dates", with_number("concert", concert));
    const struct value *rows = answer_list(answer, "dates");
    for (uint32_t i = 0; i < value_count(rows); i++) {
        if (value_find_uint(value_at(rows, i), "date", 0) == date) return value_at(rows, i);
    }
    return NULL;
}

const struct value *seat_row(const struct answer *list, uint32_t number) {
    const struct value *seats = answer_list(list, "seats");
    for (uint32_t i = 0; i < value_count(seats); i++) {
        if (value_find_uint(value_at(seats, i), "number", 0) == number) return value_at(seats, i);
    }
    return NULL;
}

bool seat_is(const struct answer *list, uint32_t number, const char *state) {
    return value_text_equal(value_find(seat_row(list, number), "state"), state);
}
