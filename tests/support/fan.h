/* fan.h - the people of a test: fans who queue and buy, and an organiser who sells
 *
 * A fan remembers token and reservation of the last answer that had one, so that tests read like
 * the lines they tell. Every function returns the answer; the test judges it.
 * Thread: the test's.
 */
#ifndef USHER_TESTS_SUPPORT_FAN_H
#define USHER_TESTS_SUPPORT_FAN_H

#include "tests/support/engine_fixture.h"

struct fan {
    struct engine_fixture *fixture;
    uint32_t date;
    char user[40];        /* UUID */
    char token[52];       /* of the last queue.enter; empty: none */
    uint64_t reservation; /* of the last seats.hold that went well; 0: none */
};

/* fan_of - somebody who wants to go there. number: 0..255; users of equal number are the same */
struct fan fan_of(struct engine_fixture *fixture, uint32_t date, uint8_t number);

struct answer *fan_enters(struct fan *fan);
struct answer *fan_polls(const struct fan *fan);
struct answer *fan_leaves(const struct fan *fan);
struct answer *fan_lists_seats(const struct fan *fan, bool all);
/* Seats by number; 0 ends the list. */
struct answer *fan_holds_(struct fan *fan, const uint32_t *seats);
#define fan_holds(fan, ...) fan_holds_(fan, (const uint32_t[]){__VA_ARGS__, 0})
struct answer *fan_holds_by_name(struct fan *fan, const char *name);
struct answer *fan_releases(const struct fan *fan);
struct answer *fan_pays_as_user(const struct fan *fan, const char *key);
struct answer *fan_pays(const struct fan *fan, const char *key);
struct answer *fan_cancels(const struct fan *fan, const char *key);
struct answer *fan_charges(const struct fan *fan, uint64_t amount, const char *key);
struct answer *fan_history(const struct fan *fan);
struct answer *fan_reservations(const struct fan *fan);
uint64_t fan_balance(const struct fan *fan);
/* State of the fan's reservation, as reservation.list tells it. */
bool fan_reservation_is(const struct fan *fan, const char *state);
/* State of the fan's token, as a poll tells it (so it is a sign of life). */
bool fan_is(const struct fan *fan, const char *state);

/* --- the organiser ---------------------------------------------------------------------------- */

uint32_t concert_of(struct engine_fixture *fixture, const char *title);
/* date_of - a date with these policies, in draft, without seats */
uint32_t date_of_(struct engine_fixture *fixture, uint32_t concert, const struct param *policy);
#define date_of(fixture, concert, ...) date_of_(fixture, concert, PARAMS(__VA_ARGS__))
/* date_add_seats - `count` seats more, all of one section and row, labels "SECTION/1/n", guid
 * "SECTION-n", n from 1 */
struct answer *date_add_seats(struct engine_fixture *fixture, uint32_t date, uint32_t count,
                              uint64_t price, const char *section);
/* date_on_sale - a date with `count` seats at `price`, open */
uint32_t date_on_sale_(struct engine_fixture *fixture, uint32_t count, uint64_t price,
                       const struct param *policy);
#define date_on_sale(fixture, count, price, ...)                                                   \
    date_on_sale_(fixture, count, price, PARAMS(__VA_ARGS__))
struct answer *date_opens(struct engine_fixture *fixture, uint32_t date);
struct answer *date_closes(struct engine_fixture *fixture, uint32_t date);
struct answer *date_is_cancelled(struct engine_fixture *fixture, uint32_t date);
/* date_row - one date's row of catalogue.dates. token: NULL for none. Return: NULL if not listed */
const struct value *date_row(struct engine_fixture *fixture, uint32_t concert, uint32_t date,
                             const char *token);

/* seat_row - a seat of a list; NULL if it is not there */
const struct value *seat_row(const struct answer *list, uint32_t number);
bool seat_is(const struct answer *list, uint32_t number, const char *state);

#endif
