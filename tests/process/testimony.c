/* testimony.c - see testimony.h */
#include "tests/process/testimony.h"

#include <inttypes.h>
#include <stdlib.h>

#include "engine/base/require.h"

/* What clients were told stays true: the rule that everything else serves. */
#define COMPLAIN(oracle, ...) oracle_complain(oracle, ORACLE_RECORD, "told", __VA_ARGS__)
#define EXPECT(oracle, condition, ...)                                                             \
    do {                                                                                           \
        if (!(condition))                                                                          \
            COMPLAIN(oracle, "a client was told otherwise (" #condition "): " __VA_ARGS__);        \
    } while (0)

void testimony_read(struct testimony *testimony, const char *directory, uint32_t processes,
                    struct oracle *oracle) {
    *testimony = (struct testimony){.oracle = oracle};
    for (uint32_t i = 0; i < processes; i++) {
        uint32_t count;
        struct diary_entry *entries = diary_read(directory, i, &count);
        size_t size = sizeof *entries;
        testimony->entries = realloc(testimony->entries, (testimony->count + count + 1) * size);
        REQUIRE(testimony->entries);
        memcpy(testimony->entries + testimony->count, entries, count * size);
        testimony->count += count;
        free(entries);
    }
    for (uint32_t i = 0; i < testimony->count; i++) {
        REQUIRE(testimony->entries[i].kind < sizeof testimony->told / sizeof testimony->told[0]);
        testimony->told[testimony->entries[i].kind]++;
    }
}

void testimony_free(struct testimony *testimony) {
    free(testimony->entries);
    *testimony = (struct testimony){0};
}

static bool same_numbers(const struct numbers *a, const struct numbers *b) {
    if (a->count != b->count) return false;
    return memcmp(a->values, b->values, a->count * sizeof a->values[0]) == 0;
}

static void check_reservation(struct oracle *oracle, const struct diary_entry *entry) {
    uint64_t id = entry->reservation;
    const struct oracle_reservation *reservation = oracle_reservation(
        oracle_date(oracle, dated_id_date(id)), dated_id_sequence(id));
    if (!reservation) {
        COMPLAIN(oracle, "reservation %" PRIx64 " was acknowledged and is not in the log", id);
        return;
    }
    EXPECT(oracle, id128_equal(&reservation->user, &entry->user), "reservation %" PRIx64, id);
    EXPECT(oracle, reservation->amount == entry->amount, "reservation %" PRIx64, id);
    switch (entry->kind) {
    case DIARY_HELD:
        EXPECT(oracle, same_numbers(&reservation->seats, &entry->seats), "reservation %" PRIx64,
               id);
        break;
    case DIARY_RELEASED:
        EXPECT(oracle, reservation->state == RESERVATION_RELEASED, "reservation %" PRIx64, id);
        break;
    case DIARY_CANCELLED:
        EXPECT(oracle, reservation->state == RESERVATION_REFUNDED, "reservation %" PRIx64, id);
        break;
    case DIARY_OWNS:
        EXPECT(oracle, reservation->state == RESERVATION_PAID, "reservation %" PRIx64, id);
        break;
    case DIARY_HOLDS:
        EXPECT(oracle, reservation->state == RESERVATION_HELD, "reservation %" PRIx64, id);
        break;
    default: break;
    }
}

static void check_paid(struct oracle *oracle, const struct diary_entry *entry) {
    const struct oracle_payment *payment = oracle_payment(
        oracle_date(oracle, dated_id_date(entry->payment)), dated_id_sequence(entry->payment));
    if (!payment) {
        COMPLAIN(oracle, "payment %" PRIx64 " was acknowledged and is not in the log",
                 entry->payment);
        return;
    }
    EXPECT(oracle, payment->sold && payment->reserved_lsn > 0, "payment %" PRIx64, entry->payment);
    EXPECT(oracle, payment->reservation == dated_id_sequence(entry->reservation),
           "payment %" PRIx64, entry->payment);
    EXPECT(oracle, id128_equal(&payment->key, &entry->key), "payment %" PRIx64, entry->payment);
    check_reservation(oracle, entry);
}

static void check_one(struct oracle *oracle, const struct diary_entry *entry) {
    switch (entry->kind) {
    case DIARY_ENTERED: {
        const struct oracle_place *place = oracle_place(oracle_date(oracle, entry->date),
                                                        entry->place);
        EXPECT(oracle,
               place && id128_equal(&place->user, &entry->user) &&
                   id128_equal(&place->secret, &entry->secret),
               "date %u place %u", entry->date, entry->place);
        break;
    }
    case DIARY_CHARGED: {
        const struct oracle_charge *charge = oracle_charge(oracle, &entry->user, &entry->key);
        EXPECT(oracle, charge && charge->amount == entry->amount, "a charge of %" PRIu64,
               entry->amount);
        break;
    }
    case DIARY_PAID: check_paid(oracle, entry); break;
    case DIARY_BALANCE: {
        const struct oracle_wallet *wallet = oracle_wallet(oracle, &entry->user);
        EXPECT(oracle, (wallet ? wallet->balance : 0) == entry->balance,
               "a balance of %" PRIu64 " and not %" PRIu64, entry->balance,
               wallet ? wallet->balance : 0);
        break;
    }
    case DIARY_REFUSED: break;
    default: check_reservation(oracle, entry);
    }
}

/* A client sends a request at most so many times before it has an answer. */
#define COPIES_MAX 4u

/* --- refusals, one by one --------------------------------------------------------------------- */

static int by_user_and_moment(const void *a, const void *b) {
    const struct diary_entry *left = a, *right = b;
    int order = memcmp(&left->user, &right->user, sizeof left->user);
    if (order == 0) order = (left->date > right->date) - (left->date < right->date);
    if (order == 0) {
        order = (left->received_us > right->received_us) - (left->received_us < right->received_us);
    }
    return order;
}

/* Does the refusal name a seat? */
static bool names_a_seat(uint32_t error) {
    return error == ERROR_SEAT_TAKEN || error == ERROR_SEAT_YOURS;
}

static void check_refusal(struct oracle *oracle, const struct diary_entry *entry,
                          const struct oracle_refusal *refusal) {
    bool named = names_a_seat(entry->error);
    bool asked = !named;
    for (uint32_t i = 0; named && i < entry->seats.count; i++) {
        asked = asked || entry->seats.values[i] == entry->data[0];
    }
    EXPECT(oracle, asked, "seat %" PRIu64 " was not asked for", entry->data[0]);
    EXPECT(oracle, refusal->error == entry->error && (!named || refusal->seat == entry->data[0]),
           "date %u: %s, seat %" PRIu64, entry->date, error_name(entry->error), entry->data[0]);
    EXPECT(oracle,
           refusal->time_ms + TESTIMONY_CLOCK_MS >= entry->sent_ms &&
               refusal->time_ms <= entry->received_ms + TESTIMONY_CLOCK_MS,
           "refused at %" PRIu64 ", asked at %" PRIu64 ", answered at %" PRIu64, refusal->time_ms,
           entry->sent_ms, entry->received_ms);
    if (entry->error != ERROR_SEAT_LIMIT) return;
    EXPECT(oracle, entry->data[1] + entry->seats.count > entry->data[0],
           "a limit of %" PRIu64 ", %" PRIu64 " taken, %u wanted", entry->data[0], entry->data[1],
           entry->seats.count);
}

static bool is_about(const struct oracle_refusal *refusal, const struct diary_entry *entry) {
    return refusal->error == entry->error &&
           (!names_a_seat(entry->error) || refusal->seat == entry->data[0]) &&
           refusal->time_ms + TESTIMONY_CLOCK_MS >= entry->sent_ms &&
           refusal->time_ms <= entry->received_ms + TESTIMONY_CLOCK_MS;
}

/* A user asks one thing after the other, so the n-th refusal that the client got is the n-th in the
 * log; only the answers to the copies of one request may overtake each other on their way back.
 * Return: the refusal that this answer is about, the earliest untold one if none fits, NULL if all
 * were told */
static struct oracle_refusal *refusal_for(const struct oracle_date *date, uint32_t first,
                                          const struct diary_entry *entry) {
    struct oracle_refusal *untold = NULL;
    uint32_t looked = 0;
    for (uint32_t i = first; i != 0 && looked < COPIES_MAX; i = date->refusals[i].next) {
        struct oracle_refusal *refusal = &date->refusals[i];
        if (refusal->told) continue;
        if (is_about(refusal, entry)) return refusal;
        if (!untold) untold = refusal;
        looked++;
    }
    return untold;
}

static void check_refusals(struct testimony *testimony) {
    struct oracle *oracle = testimony->oracle;
    uint64_t in_log = 0, told = 0;
    qsort(testimony->entries, testimony->count, sizeof *testimony->entries, by_user_and_moment);
    for (uint32_t i = 0; i < testimony->count; i++) {
        const struct diary_entry *entry = &testimony->entries[i];
        if (entry->kind != DIARY_REFUSED) continue;
        struct table_key key = table_key_number(&entry->user, entry->date);
        const uint64_t *chain = table_find(&oracle->refusals_of, &key);
        uint32_t first = chain ? (uint32_t)(*chain >> 32) : 0;
        struct oracle_refusal *refusal = refusal_for(oracle_date(oracle, entry->date), first,
                                                     entry);
        EXPECT(oracle, refusal != NULL, "a refusal on date %u is not in the log", entry->date);
        if (refusal) {
            refusal->told = true;
            check_refusal(oracle, entry, refusal);
        }
        told++;
    }
    for (uint32_t i = 1; i <= oracle->date_count; i++) {
        in_log += oracle->dates[i]->refusal_count;
    }
    EXPECT(oracle, told == in_log, "%" PRIu64 " refusals were told, %" PRIu64 " are in the log",
           told, in_log);
}

/* --- all of it -------------------------------------------------------------------------------- */

void testimony_check(struct testimony *testimony, bool every_refusal) {
    struct oracle *oracle = testimony->oracle;
    struct table payments = {0}, charges = {0};
    static const struct id128 nobody = {{0}};
    uint32_t owned = 0;
    for (uint32_t i = 0; i < testimony->count; i++) {
        const struct diary_entry *entry = &testimony->entries[i];
        struct table_key payment = table_key_number(&nobody, entry->payment);
        struct table_key charge = table_key(&entry->user, &entry->key);
        check_one(oracle, entry);
        if (entry->kind == DIARY_PAID) *table_at(&payments, &payment) = 1;
        if (entry->kind == DIARY_CHARGED) *table_at(&charges, &charge) = 1;
    }
    for (uint32_t i = 1; i <= oracle->date_count; i++) {
        const struct oracle_date *date = oracle->dates[i];
        for (uint32_t j = 1; j <= date->reservation_count; j++) {
            owned += date->reservations[j].state == RESERVATION_PAID;
        }
    }
    EXPECT(oracle, payments.count == oracle->sold, "%u sales were told, %" PRIu64 " are in the log",
           payments.count, oracle->sold);
    EXPECT(oracle, charges.count == oracle->charge_of.count,
           "%u charges were told, %u are in the log", charges.count, oracle->charge_of.count);
    EXPECT(oracle, owned == testimony->told[DIARY_OWNS], "%u are paid, clients own %u", owned,
           testimony->told[DIARY_OWNS]);
    table_deinit(&payments);
    table_deinit(&charges);
    if (every_refusal) check_refusals(testimony);
}

void testimony_check_owners(struct testimony *testimony) {
    struct table owners = {0};
    static const struct id128 nobody = {{0}};
    for (uint32_t i = 0; i < testimony->count; i++) {
        const struct diary_entry *entry = &testimony->entries[i];
        if (entry->kind != DIARY_OWNS && entry->kind != DIARY_HOLDS) continue;
        for (uint32_t j = 0; j < entry->seats.count; j++) {
            uint64_t seat = dated_id(entry->date, entry->seats.values[j]);
            struct table_key key = table_key_number(&nobody, seat);
            uint64_t *owner = table_at(&owners, &key);
            EXPECT(testimony->oracle, *owner == 0, "date %u seat %u belongs to two", entry->date,
                   entry->seats.values[j]);
            *owner = entry->reservation;
        }
    }
    table_deinit(&owners);
}

static int by_place(const void *a, const void *b) {
    const struct diary_entry *left = a, *right = b;
    if (left->date != right->date) return left->date < right->date ? -1 : 1;
    return (left->place > right->place) - (left->place < right->place);
}

void testimony_check_order(struct testimony *testimony) {
    uint64_t sent_latest_us = 0;
    uint32_t date = 0, place_of_it = 0;
    qsort(testimony->entries, testimony->count, sizeof *testimony->entries, by_place);
    for (uint32_t i = 0; i < testimony->count; i++) {
        const struct diary_entry *entry = &testimony->entries[i];
        if (entry->kind != DIARY_ENTERED) continue;
        if (entry->date != date) sent_latest_us = 0;
        date = entry->date;
        EXPECT(testimony->oracle, entry->received_us >= sent_latest_us,
               "date %u: place %u was given out before place %u was asked for", date, entry->place,
               place_of_it);
        if (entry->sent_us <= sent_latest_us) continue;
        sent_latest_us = entry->sent_us;
        place_of_it = entry->place;
    }
}
