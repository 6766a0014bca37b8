#include "tests/process/audit.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/domain/error.h"
#include "engine/base/require.h"
#include "tests/process/common.h"

#define EXPECT(audit, condition, ...)                                                              \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            audit_fail(audit, "not (" #condition "): " __VA_ARGS__);                               \
            return;                                                                                \
        }                                                                                          \
    } while (0)

void audit_fail(struct audit *audit, const char *format, ...) {
    char text[400];
    va_list arguments;
    if (audit->complaints++ >= AUDIT_COMPLAINTS_PRINTED) return;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments); /* cut where too long */
    va_end(arguments);
    note("audit: LSN %" PRIu64 ": %s", audit->lsn, text);
}

void audit_begin(struct audit *audit) {
    *audit = (struct audit){.dates = calloc(DATES_MAX + 1, sizeof *audit->dates)};
    REQUIRE(audit->dates);
}

void audit_deinit(struct audit *audit) {
    for (uint32_t i = 0; i <= DATES_MAX; i++) {
        struct audit_date *date = audit->dates[i];
        if (!date) continue;
        free(date->seats);
        free(date->reservations);
        free(date->payments);
        free(date->places);
        free(date->refusals);
        free(date);
    }
    free(audit->dates);
    free(audit->wallets);
    table_deinit(&audit->wallet_of);
    table_deinit(&audit->charges);
    table_deinit(&audit->seats_of);
    table_deinit(&audit->refusals_of);
}

/* Room for element count + 1 of an array that doubles at powers of two. */
static void *grown(void *array, uint32_t count, size_t size) {
    uint32_t used = count + 1; /* [0] included */
    if (array && (used < 64 || (used & (used - 1)) != 0)) return array;
    array = realloc(array, size * (used < 64 ? 64 : used * 2ull));
    REQUIRE(array);
    if (used == 1) memset(array, 0, size);
    return array;
}
#define APPEND(array, count)                                                                       \
    ((array) = grown(array, count, sizeof *(array)),                                               \
     memset(&(array)[(count) + 1], 0, sizeof *(array)), &(array)[++(count)])

/* --- lookups ---------------------------------------------------------------------------------- */

static struct audit_date *date_of(const struct audit *audit, uint64_t id) {
    uint32_t date = dated_id_date(id);
    return date <= DATES_MAX ? audit->dates[date] : NULL;
}

const struct audit_reservation *audit_reservation(const struct audit *audit, uint64_t id) {
    const struct audit_date *date = date_of(audit, id);
    uint32_t sequence = dated_id_sequence(id);
    bool known = date && sequence >= 1 && sequence <= date->reservation_count;
    return known ? &date->reservations[sequence] : NULL;
}

const struct audit_payment *audit_payment(const struct audit *audit, uint64_t id) {
    const struct audit_date *date = date_of(audit, id);
    uint32_t sequence = dated_id_sequence(id);
    bool known = date && sequence >= 1 && sequence <= date->payment_count;
    return known ? &date->payments[sequence] : NULL;
}

const struct audit_place *audit_place(const struct audit *audit, uint32_t date, uint32_t place) {
    const struct audit_date *found = date <= DATES_MAX ? audit->dates[date] : NULL;
    return found && place >= 1 && place <= found->place_count ? &found->places[place] : NULL;
}

const struct audit_wallet *audit_wallet(const struct audit *audit, const struct id128 *user) {
    struct table_key key = table_key(user, NULL);
    const uint64_t *index = table_find(&audit->wallet_of, &key);
    return index ? &audit->wallets[*index] : NULL;
}

/* --- dates: seats and reservations ------------------------------------------------------------ */

static uint64_t *seats_of(struct audit *audit, uint32_t date, const struct id128 *user) {
    struct table_key key = table_key_number(user, date);
    return table_at(&audit->seats_of, &key);
}

static void free_seats(struct audit *audit, struct audit_date *date, uint32_t id,
                       uint32_t sequence) {
    const struct audit_reservation *reservation = &date->reservations[sequence];
    for (uint32_t i = 0; i < reservation->seats.count; i++) {
        struct audit_seat *seat = &date->seats[reservation->seats.values[i]];
        EXPECT(audit, seat->reservation == sequence, "date %u seat %u is freed by reservation %u",
               id, reservation->seats.values[i], sequence);
        seat->reservation = 0;
    }
    *seats_of(audit, id, &reservation->user) -= reservation->seats.count;
}

static void token_ends(struct audit_date *date, uint32_t place) {
    if (date->places[place].state == TOKEN_ACTIVE) date->active--;
    date->places[place].state = TOKEN_EXPIRED;
}

static void judge_held(struct audit *audit, struct audit_date *date, uint32_t id,
                       const struct decision *decision) {
    const struct decision_seats_held *held = &decision->seats_held;
    const struct numbers *seats = &held->seats;
    uint64_t amount = 0;
    EXPECT(audit, held->place >= 1 && held->place <= date->place_count, "place %u", held->place);
    const struct audit_place *place = &date->places[held->place];
    EXPECT(audit, date->state == DATE_OPEN, "date %u is in state %u", id, date->state);
    EXPECT(audit, place->state == TOKEN_ACTIVE && decision->time_ms < place->expires_at,
           "date %u place %u holds in state %u", id, held->place, place->state);
    EXPECT(audit, id128_equal(&place->user, &held->user), "place %u is another's", held->place);
    EXPECT(audit, held->reservation == date->reservation_count + 1, "reservation %u",
           held->reservation);
    for (uint32_t i = 0; i < seats->count; i++) {
        uint32_t number = seats->values[i];
        EXPECT(audit, number >= 1 && number <= date->seat_count, "seat %u", number);
        struct audit_seat *seat = &date->seats[number];
        EXPECT(audit, seat->reservation == 0 && seat->for_sale,
               "date %u seat %u is held by reservation %u but has %u already", id, number,
               held->reservation, seat->reservation);
        seat->reservation = held->reservation;
        amount += seat->price;
    }
    EXPECT(audit, amount == held->amount, "reservation %u", held->reservation);
    uint64_t *count = seats_of(audit, id, &held->user);
    *count += seats->count;
    EXPECT(audit, *count <= date->policy.max_seats_per_user, "date %u: %" PRIu64 " seats", id,
           *count);
    struct audit_reservation *reservation = APPEND(date->reservations, date->reservation_count);
    *reservation = (struct audit_reservation){.user = held->user,
                                              .place = held->place,
                                              .state = RESERVATION_HELD,
                                              .amount = amount,
                                              .expires_at = held->expires_at,
                                              .seats = *seats};
    audit->held++;
    if (held->token_expired) token_ends(date, held->place);
}

static void judge_refused(struct audit *audit, struct audit_date *date, uint32_t id,
                          const struct decision *decision) {
    const struct decision_hold_refused *refused = &decision->hold_refused;
    struct table_key key = table_key_number(&refused->user, id);
    uint64_t *chain = table_at(&audit->refusals_of, &key);
    struct audit_refusal *refusal = APPEND(date->refusals, date->refusal_count);
    *refusal = (struct audit_refusal){decision->time_ms, refused->error, refused->seat, 0, false};
    uint32_t first = (uint32_t)(*chain >> 32), last = (uint32_t)*chain;
    if (last != 0) date->refusals[last].next = date->refusal_count;
    *chain = (uint64_t)(first ? first : date->refusal_count) << 32 | date->refusal_count;

    const struct audit_place *place = &date->places[refused->place];
    EXPECT(audit, refused->place >= 1 && refused->place <= date->place_count, "no such place");
    EXPECT(audit, place->state == TOKEN_ACTIVE && id128_equal(&place->user, &refused->user),
           "date %u place %u", id, refused->place);
    bool own = refused->error == ERROR_SEAT_YOURS;
    if (!own && refused->error != ERROR_SEAT_TAKEN) return;
    audit->refused_taken++;
    EXPECT(audit, refused->seat >= 1 && refused->seat <= date->seat_count, "no such seat");
    uint32_t owner = date->seats[refused->seat].reservation;
    EXPECT(audit, owner != 0, "date %u seat %u was refused as taken, but is free", id,
           refused->seat);
    EXPECT(audit, id128_equal(&date->reservations[owner].user, &refused->user) == own,
           "date %u seat %u was refused as %s", id, refused->seat, own ? "one's own" : "taken");
}

static void end_reservation(struct audit *audit, struct audit_date *date, uint32_t id,
                            uint32_t sequence, uint32_t state, uint64_t time_ms) {
    EXPECT(audit, sequence >= 1 && sequence <= date->reservation_count, "%u", sequence);
    struct audit_reservation *reservation = &date->reservations[sequence];
    bool on_time = time_ms >= reservation->expires_at ||
                   date->places[reservation->place].state != TOKEN_ACTIVE;
    EXPECT(audit, reservation->state == RESERVATION_HELD, "date %u reservation %u ends in state %u",
           id, sequence, reservation->state);
    EXPECT(audit, state != RESERVATION_EXPIRED || on_time, "reservation %u ends early", sequence);
    EXPECT(audit, state != RESERVATION_CANCELLED || date->state == DATE_CANCELLED, "%u", sequence);
    free_seats(audit, date, id, sequence);
    reservation->state = state;
}

/* --- dates: payment --------------------------------------------------------------------------- */

/* The reservation moves from one state to another because of this payment. */
static struct audit_reservation *pay_move(struct audit *audit, struct audit_date *date,
                                          uint32_t sequence, uint32_t payment, uint32_t from,
                                          uint32_t to) {
    struct audit_reservation *reservation = NULL;
    if (sequence >= 1 && sequence <= date->reservation_count) {
        reservation = &date->reservations[sequence];
    }
    if (!reservation || reservation->state != from || reservation->payment != payment ||
        payment < 1 || payment > date->payment_count) {
        audit_fail(audit, "payment %u moves reservation %u from %u to %u, but it is in %u", payment,
                   sequence, from, to, reservation ? reservation->state : 0);
        return NULL;
    }
    if (from == RESERVATION_PAYING) audit->paying--;
    reservation->state = to;
    return reservation;
}

static void judge_started(struct audit *audit, struct audit_date *date,
                          const struct decision_payment_started *started, uint64_t time_ms) {
    EXPECT(audit, started->payment == date->payment_count + 1, "payment %u", started->payment);
    EXPECT(audit, started->reservation >= 1 && started->reservation <= date->reservation_count,
           "reservation %u", started->reservation);
    struct audit_reservation *reservation = &date->reservations[started->reservation];
    EXPECT(audit, reservation->state == RESERVATION_HELD && time_ms < reservation->expires_at,
           "reservation %u is paid in state %u", started->reservation, reservation->state);
    struct audit_payment *payment = APPEND(date->payments, date->payment_count);
    payment->key = started->key;
    payment->reservation = started->reservation;
    reservation->payment = started->payment;
    reservation->payer = started->payer;
    reservation->state = RESERVATION_PAYING;
    audit->paying++;
}

static void judge_sold(struct audit *audit, struct audit_date *date, uint32_t id,
                       const struct decision_seats_sold *sold) {
    struct audit_reservation *reservation = pay_move(audit, date, sold->reservation, sold->payment,
                                                     RESERVATION_PAYING, RESERVATION_PAID);
    if (!reservation) return;
    struct audit_payment *payment = &date->payments[sold->payment];
    EXPECT(audit, payment->reserved == 1 && payment->voided == 0 && payment->posted == 0,
           "date %u payment %u sells without money set aside", id, sold->payment);
    EXPECT(audit, ++payment->sold == 1, "payment %u", sold->payment);
    EXPECT(audit, sold->amount == reservation->amount, "payment %u", sold->payment);
    for (uint32_t i = 0; i < reservation->seats.count; i++) {
        EXPECT(audit, date->seats[reservation->seats.values[i]].reservation == sold->reservation,
               "date %u seat %u is sold to one who does not have it", id,
               reservation->seats.values[i]);
    }
    audit->sold++;
    if (!sold->token_expired) return;
    uint32_t payer = reservation->payer ? reservation->payer : reservation->place;
    EXPECT(audit, sold->payer == reservation->payer, "payment %u", sold->payment);
    EXPECT(audit, date->places[payer].state == TOKEN_ACTIVE, "place %u", payer);
    token_ends(date, payer);
}

static void judge_refunded(struct audit *audit, struct audit_date *date, uint32_t id,
                           const struct decision_seats_refunded *refunded) {
    if (!pay_move(audit, date, refunded->reservation, refunded->payment, RESERVATION_REFUNDING,
                  RESERVATION_REFUNDED)) {
        return;
    }
    EXPECT(audit, date->payments[refunded->payment].refunded == 1, "payment %u", refunded->payment);
    free_seats(audit, date, id, refunded->reservation);
    audit->refunded++;
}

/* --- dates: waiting room ---------------------------------------------------------------------- */

static void judge_entered(struct audit *audit, struct audit_date *date,
                          const struct decision_queue_entered *entered) {
    EXPECT(audit, entered->place == date->place_count + 1, "place %u", entered->place);
    struct audit_place *place = APPEND(date->places, date->place_count);
    *place = (struct audit_place){
        .user = entered->user, .secret = entered->secret, .state = TOKEN_WAITING};
}

static void judge_admitted(struct audit *audit, struct audit_date *date, uint32_t id,
                           const struct decision_admitted *admitted) {
    uint32_t first = date->first_waiting;
    while (first <= date->place_count && date->places[first].state != TOKEN_WAITING) first++;
    date->first_waiting = first;
    EXPECT(audit, admitted->place == first, "date %u admits place %u before place %u", id,
           admitted->place, first);
    date->places[first].state = TOKEN_ACTIVE;
    date->places[first].expires_at = admitted->expires_at;
    if (++date->active > date->active_most) date->active_most = date->active;
    audit->admitted++;
    EXPECT(audit, date->active <= date->policy.active_capacity, "date %u: %u are active", id,
           date->active);
}

static void judge_token_expired(struct audit *audit, struct audit_date *date, uint32_t id,
                                const struct decision *decision) {
    const struct decision_token_expired *expired = &decision->token_expired;
    EXPECT(audit, expired->place >= 1 && expired->place <= date->place_count, "%u", expired->place);
    struct audit_place *place = &date->places[expired->place];
    EXPECT(audit, token_is_live(place->state), "date %u place %u ends twice", id, expired->place);
    EXPECT(audit, expired->end != TOKEN_END_TIME || decision->time_ms >= place->expires_at,
           "date %u place %u ends early", id, expired->place);
    token_ends(date, expired->place);
    for (uint32_t i = 0; i < expired->released.count; i++) {
        end_reservation(audit, date, id, expired->released.values[i], RESERVATION_EXPIRED,
                        decision->time_ms);
    }
}

/* X7: every turn and every unpaid hold of the date gets the same. */
static void judge_credited(struct audit *audit, struct audit_date *date, uint32_t id,
                           const struct decision *decision) {
    const struct decision_outage_credited *credited = &decision->outage_credited;
    uint32_t extended = 0;
    EXPECT(audit, credited->credit_ms > 0 && date->policy.outage_credit == 1, "date %u", id);
    EXPECT(audit, credited->since + credited->credit_ms <= decision->time_ms,
           "date %u: %" PRIu64 " ms are credited for an outage since %" PRIu64, id,
           credited->credit_ms, credited->since);
    for (uint32_t i = 1; i <= date->place_count; i++) {
        if (date->places[i].state != TOKEN_ACTIVE) continue;
        date->places[i].expires_at += credited->credit_ms;
        extended++;
    }
    for (uint32_t i = 1; i <= date->reservation_count; i++) {
        uint32_t state = date->reservations[i].state;
        if (!reservation_is_unpaid(state)) continue;
        date->reservations[i].expires_at += credited->credit_ms;
        extended++;
    }
    EXPECT(audit, extended > 0, "date %u: a credit to nobody", id);
    audit->credited++;
}

static void judge_date(struct audit *audit, const struct decision *decision) {
    uint32_t id = decision->partition - PARTITION_DATE_FIRST;
    EXPECT(audit, id >= 1 && id <= DATES_MAX && audit->dates[id], "date %u does not exist", id);
    struct audit_date *date = audit->dates[id];
    switch (decision->kind) {
    case DECISION_SEAT_ADDED: {
        struct audit_seat *seat = APPEND(date->seats, date->seat_count);
        *seat = (struct audit_seat){decision->seat_added.price, 0, decision->seat_added.for_sale};
        EXPECT(audit, decision->seat_added.number == date->seat_count, "date %u", id);
        break;
    }
    case DECISION_DATE_OPENED: date->state = DATE_OPEN; break;
    case DECISION_DATE_CLOSED: date->state = DATE_CLOSED; break;
    case DECISION_DATE_CANCELLED: date->state = DATE_CANCELLED; break;
    case DECISION_POLICY_CHANGED: date->policy = decision->policy_changed.policy; break;
    case DECISION_OUTAGE_CREDITED: judge_credited(audit, date, id, decision); break;
    case DECISION_QUEUE_ENTERED: judge_entered(audit, date, &decision->queue_entered); break;
    case DECISION_ADMITTED: judge_admitted(audit, date, id, &decision->admitted); break;
    case DECISION_TOKEN_EXPIRED: judge_token_expired(audit, date, id, decision); break;
    case DECISION_SEATS_HELD: judge_held(audit, date, id, decision); break;
    case DECISION_HOLD_REFUSED: judge_refused(audit, date, id, decision); break;
    case DECISION_RESERVATION_ENDED:
        end_reservation(audit, date, id, decision->reservation_ended.reservation,
                        decision->reservation_ended.state, decision->time_ms);
        break;
    case DECISION_PAYMENT_STARTED:
        judge_started(audit, date, &decision->payment_started, decision->time_ms);
        break;
    case DECISION_PAYMENT_REFUSED:
        (void)pay_move(audit, date, decision->payment_refused.reservation,
                       decision->payment_refused.payment, RESERVATION_PAYING, RESERVATION_HELD);
        break;
    case DECISION_SEATS_SOLD: judge_sold(audit, date, id, &decision->seats_sold); break;
    case DECISION_PAYMENT_ABORTED:
        EXPECT(audit, date->state == DATE_CANCELLED, "date %u", id);
        if (pay_move(audit, date, decision->payment_aborted.reservation,
                     decision->payment_aborted.payment, RESERVATION_PAYING,
                     RESERVATION_CANCELLED)) {
            free_seats(audit, date, id, decision->payment_aborted.reservation);
        }
        break;
    case DECISION_REFUND_STARTED:
        (void)pay_move(audit, date, decision->refund_started.reservation,
                       decision->refund_started.payment, RESERVATION_PAID, RESERVATION_REFUNDING);
        break;
    case DECISION_SEATS_REFUNDED: judge_refunded(audit, date, id, &decision->seats_refunded); break;
    case DECISION_STATE_HASHED: break; /* recover() verifies it */
    default: audit_fail(audit, "a date does not decide %s", decision_name(decision->kind));
    }
}

/* --- wallets ---------------------------------------------------------------------------------- */

static struct audit_wallet *wallet_of(struct audit *audit, const struct id128 *user) {
    struct table_key key = table_key(user, NULL);
    uint64_t *index = table_at(&audit->wallet_of, &key);
    if (*index == 0) {
        struct audit_wallet *wallet = APPEND(audit->wallets, audit->wallet_count);
        wallet->user = *user;
        *index = audit->wallet_count;
    }
    return &audit->wallets[*index];
}

static void judge_charged(struct audit *audit, const struct decision_wallet_charged *charged) {
    struct audit_wallet *wallet = wallet_of(audit, &charged->user);
    struct table_key key = table_key(&charged->user, &charged->key);
    uint64_t *amount = table_at(&audit->charges, &key);
    EXPECT(audit, *amount == 0, "one idempotency key charges twice: %" PRIu64 " points", *amount);
    *amount = charged->amount;
    wallet->charged += charged->amount;
    wallet->balance += charged->amount;
    EXPECT(audit, charged->balance == wallet->balance, "%" PRIu64, charged->balance);
}

/* All decisions on a payment's money have the same fields; `balance` where there is none: as is. */
struct funds {
    const struct id128 *user;
    uint64_t payment, amount, balance;
};

static void judge_funds(struct audit *audit, uint32_t kind, const struct funds *funds) {
    struct audit_date *date = date_of(audit, funds->payment);
    uint32_t sequence = dated_id_sequence(funds->payment);
    EXPECT(audit, date && sequence >= 1 && sequence <= date->payment_count, "payment %" PRIx64,
           funds->payment);
    struct audit_payment *payment = &date->payments[sequence];
    const struct audit_reservation *reservation = &date->reservations[payment->reservation];
    struct audit_wallet *wallet = wallet_of(audit, funds->user);
    uint64_t amount = kind == DECISION_REFUND_CLOSED ? 0 : funds->amount;
    EXPECT(audit, id128_equal(&reservation->user, funds->user), "payment %" PRIx64, funds->payment);
    EXPECT(audit, kind == DECISION_REFUND_CLOSED || amount == reservation->amount,
           "payment %" PRIx64, funds->payment);
    switch (kind) {
    case DECISION_FUNDS_RESERVED:
        EXPECT(audit, ++payment->reserved == 1, "payment %" PRIx64, funds->payment);
        EXPECT(audit, wallet->balance >= amount, "payment %" PRIx64, funds->payment);
        wallet->balance -= amount;
        wallet->reserved += amount;
        audit->open_transfers++;
        break;
    case DECISION_FUNDS_REFUSED:
        EXPECT(audit, wallet->balance < amount, "refused though there is enough");
        break;
    case DECISION_FUNDS_POSTED:
        EXPECT(audit, ++payment->posted == 1 && payment->sold == 1 && payment->voided == 0,
               "payment %" PRIx64, funds->payment);
        wallet->reserved -= amount;
        wallet->spent += amount;
        audit->open_transfers--;
        break;
    case DECISION_FUNDS_VOIDED:
        EXPECT(audit, ++payment->voided == 1 && payment->sold == 0 && payment->reserved == 1,
               "payment %" PRIx64, funds->payment);
        wallet->reserved -= amount;
        wallet->balance += amount;
        audit->open_transfers--;
        break;
    case DECISION_FUNDS_REFUNDED:
        EXPECT(audit, ++payment->refunded == 1 && payment->sold == 1, "payment %" PRIx64,
               funds->payment);
        EXPECT(audit, reservation->state == RESERVATION_REFUNDING, "payment %" PRIx64,
               funds->payment);
        wallet->balance += amount;
        wallet->refunded += amount;
        audit->open_transfers++;
        break;
    default:
        EXPECT(audit, ++payment->closed == 1 && payment->refunded == 1, "payment %" PRIx64,
               funds->payment);
        audit->open_transfers--;
        return;
    }
    EXPECT(audit, kind == DECISION_FUNDS_POSTED || funds->balance == wallet->balance,
           "payment %" PRIx64 ": the log says %" PRIu64 ", the rows add up to %" PRIu64,
           funds->payment, funds->balance, wallet->balance);
}

static void judge_account(struct audit *audit, const struct decision *decision) {
#define FUNDS(body)                                                                                \
    &(struct funds) { &(body).user, (body).payment, (body).amount, (body).balance }
    switch (decision->kind) {
    case DECISION_WALLET_CHARGED: judge_charged(audit, &decision->wallet_charged); break;
    case DECISION_FUNDS_RESERVED:
        judge_funds(audit, decision->kind, FUNDS(decision->funds_reserved));
        break;
    case DECISION_FUNDS_REFUSED:
        judge_funds(audit, decision->kind, FUNDS(decision->funds_refused));
        break;
    case DECISION_FUNDS_POSTED: {
        const struct decision_funds_posted *posted = &decision->funds_posted;
        judge_funds(audit, decision->kind,
                    &(struct funds){&posted->user, posted->payment, posted->amount, 0});
        break;
    }
    case DECISION_FUNDS_VOIDED:
        judge_funds(audit, decision->kind, FUNDS(decision->funds_voided));
        break;
    case DECISION_FUNDS_REFUNDED:
        judge_funds(audit, decision->kind, FUNDS(decision->funds_refunded));
        break;
    case DECISION_REFUND_CLOSED:
        judge_funds(
            audit, decision->kind,
            &(struct funds){&decision->refund_closed.user, decision->refund_closed.payment, 0, 0});
        break;
    case DECISION_STATE_HASHED: break;
    default: audit_fail(audit, "an account does not decide %s", decision_name(decision->kind));
    }
#undef FUNDS
}

void audit_money(struct audit *audit, bool at_rest) {
    uint64_t charged = 0, balances = 0, reserved = 0, spent = 0, refunded = 0;
    for (uint32_t i = 1; i <= audit->wallet_count; i++) {
        const struct audit_wallet *wallet = &audit->wallets[i];
        charged += wallet->charged;
        balances += wallet->balance;
        reserved += wallet->reserved;
        spent += wallet->spent;
        refunded += wallet->refunded;
    }
    EXPECT(audit, charged + refunded == balances + reserved + spent, "points are not conserved");
    EXPECT(audit, !at_rest || (reserved == 0 && audit->paying == 0 && audit->open_transfers == 0),
           "%" PRIu64 " points, %" PRIu64 " payments and %" PRIu64 " transfers are half way",
           reserved, audit->paying, audit->open_transfers);
}

void audit_decision(void *context, const struct decision *decision, uint64_t lsn) {
    struct audit *audit = context;
    audit->lsn = lsn;
    audit->decisions += decision->kind != DECISION_STATE_HASHED;
    if (partition_is_date(decision->partition)) {
        judge_date(audit, decision);
    } else if (partition_is_account(decision->partition)) {
        judge_account(audit, decision);
    } else if (decision->kind == DECISION_DATE_CREATED) {
        uint32_t id = decision->date_created.date;
        EXPECT(audit, id >= 1 && id <= DATES_MAX && !audit->dates[id], "date %u", id);
        struct audit_date *date = audit->dates[id] = calloc(1, sizeof *date);
        REQUIRE(date);
        date->policy = decision->date_created.policy;
        date->state = DATE_DRAFT;
        date->first_waiting = 1;
    }
}
