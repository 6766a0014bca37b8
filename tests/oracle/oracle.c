/* oracle.c - the frame around the rules: records in, complaints out; see oracle.h */
#include "tests/oracle/oracle.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/require.h"
#include "tests/oracle/oracle_parts.h"

void oracle_init(struct oracle *oracle, const struct oracle_ports *ports) {
    *oracle = (struct oracle){0};
    if (ports) oracle->ports = *ports;
}

void oracle_deinit(struct oracle *oracle) {
    for (uint32_t i = 1; i <= oracle->date_count; i++) {
        struct oracle_date *date = oracle->dates[i];
        free(date->seats);
        free(date->reservations);
        free(date->payments);
        free(date->places);
        free(date->refusals);
        free(date->live);
        free(date->standing);
        free(date);
    }
    for (uint32_t i = 1; i <= oracle->wallet_count; i++) free(oracle->wallets[i].balances);
    free(oracle->dates);
    free(oracle->wallets);
    free(oracle->charges);
    table_deinit(&oracle->wallet_of);
    table_deinit(&oracle->charge_of);
    table_deinit(&oracle->secrets);
    table_deinit(&oracle->live_of);
    table_deinit(&oracle->seats_of);
    table_deinit(&oracle->newest_of);
    table_deinit(&oracle->refusals_of);
}

/* --- complaints ------------------------------------------------------------------------------- */

void oracle_complain(struct oracle *oracle, enum oracle_matter matter, const char *rule,
                     const char *format, ...) {
    char text[ORACLE_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments); /* cut where too long */
    va_end(arguments);
    oracle->complaints++;
    if (oracle->ports.complain) {
        oracle->ports.complain(oracle->ports.context, matter, rule, text);
    } else if (oracle->complaints <= ORACLE_COMPLAINTS_PRINTED) {
        (void)fprintf(stderr, "# oracle: rule %s: %s\n", rule, text);
    }
}

void oracle_forbid(struct oracle *oracle, enum oracle_matter matter, const char *rule,
                   const char *what) {
    const struct decision *decision = oracle->decision;
    oracle_complain(oracle, matter, rule, "LSN %llu, %s of partition %x at %llu: not so: %s",
                    (unsigned long long)oracle->lsn, decision_name(decision->kind),
                    decision->partition, (unsigned long long)decision->time_ms, what);
}

/* --- memory ----------------------------------------------------------------------------------- */

/* Room for element count + 1 of an array that doubles at powers of two; [0] is zero. */
void *oracle_grown(void *array, uint32_t count, size_t size) {
    uint32_t used = count + 1; /* [0] included */
    if (array && (used < 16 || (used & (used - 1)) != 0)) return array;
    array = realloc(array, size * (used < 16 ? 16 : used * 2ull));
    REQUIRE(array);
    if (used == 1) memset(array, 0, size);
    return array;
}

void oracle_changed(struct oracle *oracle, enum oracle_what what, uint32_t date, uint32_t number,
                    uint64_t value) {
    if (!oracle->ports.changed) return;
    oracle->ports.changed(oracle->ports.context, what, date, number, value);
}

uint64_t *oracle_of_user(struct table *table, const struct id128 *user, uint32_t date) {
    struct table_key key = table_key_number(user, date);
    return table_at(table, &key);
}

/* --- lookups ---------------------------------------------------------------------------------- */

struct oracle_date *oracle_date(const struct oracle *oracle, uint32_t date) {
    return date >= 1 && date <= oracle->date_count ? oracle->dates[date] : NULL;
}

const struct oracle_place *oracle_place(const struct oracle_date *date, uint32_t place) {
    return date && place >= 1 && place <= date->place_count ? &date->places[place] : NULL;
}

struct oracle_reservation *oracle_reservation(const struct oracle_date *date, uint32_t sequence) {
    bool known = date && sequence >= 1 && sequence <= date->reservation_count;
    return known ? &date->reservations[sequence] : NULL;
}

const struct oracle_payment *oracle_payment(const struct oracle_date *date, uint32_t sequence) {
    bool known = date && sequence >= 1 && sequence <= date->payment_count;
    return known ? &date->payments[sequence] : NULL;
}

const struct oracle_wallet *oracle_wallet(const struct oracle *oracle, const struct id128 *user) {
    struct table_key key = table_key(user, NULL);
    const uint64_t *index = table_find(&oracle->wallet_of, &key);
    return index ? &oracle->wallets[*index] : NULL;
}

const struct oracle_charge *oracle_charge(const struct oracle *oracle, const struct id128 *user,
                                          const struct id128 *key) {
    struct table_key both = table_key(user, key);
    const uint64_t *index = table_find(&oracle->charge_of, &both);
    return index ? &oracle->charges[*index] : NULL;
}

uint32_t oracle_ahead(const struct oracle_date *date, uint32_t place) {
    uint32_t ahead = 0;
    for (uint32_t i = 1; i <= date->live_count && date->live[i] < place; i++) {
        ahead += date->places[date->live[i]].state == TOKEN_WAITING;
    }
    return ahead;
}

/* --- records ---------------------------------------------------------------------------------- */

static bool judge_catalogue(struct oracle *oracle, const struct decision *decision) {
    DEMAND(RECORD, "L", decision->partition == PARTITION_CATALOGUE, "there is such a partition");
    if (decision->kind == DECISION_CONCERT_CREATED) {
        DEMAND(RECORD, "L", decision->concert_created.concert == oracle->concert_count + 1,
               "concerts are numbered 1, 2, 3");
        oracle->concert_count++;
        return true;
    }
    const struct decision_date_created *body = &decision->date_created;
    DEMAND(RECORD, "L", decision->kind == DECISION_DATE_CREATED, "the catalogue decides this");
    DEMAND(RECORD, "L", body->date == oracle->date_count + 1, "dates are numbered 1, 2, 3");
    DEMAND(RECORD, "C1", body->concert >= 1 && body->concert <= oracle->concert_count,
           "its concert exists");
    struct oracle_date *date = calloc(1, sizeof *date);
    REQUIRE(date);
    *date = (struct oracle_date){.id = body->date,
                                 .concert = body->concert,
                                 .state = DATE_DRAFT,
                                 .policy = body->policy,
                                 .last_time_ms = decision->time_ms};
    *APPEND(oracle->dates, oracle->date_count) = date;
    oracle_changed(oracle, ORACLE_DATE_STATE, date->id, 0, DATE_DRAFT);
    oracle_changed(oracle, ORACLE_SEATS_MAX, date->id, 0, date->policy.max_seats_per_user);
    oracle_changed(oracle, ORACLE_SALES_OPEN, date->id, 0, date->policy.sales_open_at);
    oracle_changed(oracle, ORACLE_SALES_END, date->id, 0, date->policy.sales_end_at);
    oracle_changed(oracle, ORACLE_REFUND_UNTIL, date->id, 0, date->policy.refund_until);
    return true;
}

/* Time does not run backwards within a partition. */
static bool in_time(struct oracle *oracle, const struct decision *decision) {
    uint64_t *last;
    if (partition_is_date(decision->partition)) {
        struct oracle_date *date = oracle_date(oracle, decision->partition - PARTITION_DATE_FIRST);
        DEMAND(RECORD, "L", date != NULL, "its date exists");
        last = &date->last_time_ms;
    } else if (partition_is_account(decision->partition)) {
        uint32_t index = decision->partition - PARTITION_ACCOUNT_FIRST;
        DEMAND(RECORD, "L", index < ACCOUNT_PARTITIONS, "there is such an account partition");
        last = &oracle->account_time_ms[index];
    } else {
        last = &oracle->account_time_ms[ACCOUNT_PARTITIONS];
    }
    DEMAND(RECORD, "L", decision->time_ms >= *last, "time does not run backwards");
    *last = decision->time_ms;
    return true;
}

bool oracle_judge(struct oracle *oracle, const struct decision *decision, uint64_t lsn) {
    oracle->decision = decision;
    oracle->lsn = lsn;
    if (!in_time(oracle, decision)) return false;
    if (decision->kind == DECISION_STATE_HASHED) return true; /* recovery proves it */
    oracle->decisions++;
    if (oracle->last_time_ms < decision->time_ms) oracle->last_time_ms = decision->time_ms;
    if (partition_is_date(decision->partition)) return oracle_judge_date(oracle, decision);
    return partition_is_account(decision->partition) ? oracle_judge_account(oracle, decision)
                                                     : judge_catalogue(oracle, decision);
}

void oracle_visit(void *oracle, const struct decision *decision, uint64_t lsn) {
    (void)oracle_judge(oracle, decision, lsn); /* it is counted */
}

/* --- what time should have decided ------------------------------------------------------------ */

static bool late(struct oracle *oracle, const struct oracle_date *date, enum oracle_matter matter,
                 const char *rule, const char *what, uint32_t number, uint64_t now_ms) {
    oracle_complain(oracle, matter, rule, "date %u, after a round at %llu: %s %u", date->id,
                    (unsigned long long)now_ms, what, number);
    return false;
}

bool oracle_overdue(struct oracle *oracle, const struct oracle_date *date, uint64_t now_ms) {
    const struct policy *policy = &date->policy;
    for (uint32_t i = 1; i <= date->standing_count; i++) {
        uint32_t sequence = date->standing[i];
        const struct oracle_reservation *one = &date->reservations[sequence];
        if (one->state == RESERVATION_HELD && one->expires_at <= now_ms) {
            return late(oracle, date, ORACLE_TIME, "R3", "not expired yet: reservation", sequence,
                        now_ms);
        }
        bool unfinished = one->state == RESERVATION_HELD || one->state == RESERVATION_PAID;
        if (unfinished && date->state == DATE_CANCELLED) {
            return late(oracle, date, ORACLE_TIME, "R8",
                        "the date is cancelled, but nothing was done about reservation", sequence,
                        now_ms);
        }
    }
    for (uint32_t i = 1; i <= date->live_count; i++) {
        const struct oracle_place *place = &date->places[date->live[i]];
        if (place->state != TOKEN_ACTIVE || place->expires_at > now_ms) continue;
        return late(oracle, date, ORACLE_TIME, "Q8", "still active: place", date->live[i], now_ms);
    }
    /* The date's own time may be a moment ahead of the shard's look. */
    uint64_t sale_ms = now_ms > date->last_time_ms ? now_ms : date->last_time_ms;
    bool may_admit = date->state == DATE_OPEN && date->active < policy->active_capacity &&
                     now_ms >= policy->sales_open_at && !oracle_sales_ended(date, sale_ms) &&
                     oracle_interval_has_room(date, now_ms);
    uint32_t first = may_admit ? oracle_first_waiting(oracle->dates[date->id]) : 0;
    if (first == 0) return true;
    return late(oracle, date, ORACLE_FIFO, "Q9", "there is room, but not for place", first, now_ms);
}

/* --- at rest ---------------------------------------------------------------------------------- */

static bool date_rests(struct oracle *oracle, const struct oracle_date *date) {
    for (uint32_t i = 1; i <= date->standing_count; i++) {
        uint8_t state = date->reservations[date->standing[i]].state;
        if (state != RESERVATION_PAYING && state != RESERVATION_REFUNDING) continue;
        oracle_complain(oracle, ORACLE_HALF, "P3", "reservation %u of date %u is %s for ever",
                        date->standing[i], date->id, reservation_state_name(state));
        return false;
    }
    for (uint32_t i = 1; i <= date->payment_count; i++) {
        enum oracle_money money = date->payments[i].money;
        if (money == ORACLE_MONEY_RESERVED || money == ORACLE_MONEY_REFUNDED) {
            oracle_complain(oracle, ORACLE_HALF, "P3",
                            "points of payment %u of date %u are %s for "
                            "ever",
                            i, date->id,
                            money == ORACLE_MONEY_RESERVED ? "reserved"
                                                           : "refunded, but not closed,");
            return false;
        }
        if (date->payments[i].sold != (money >= ORACLE_MONEY_POSTED)) {
            oracle_complain(oracle, ORACLE_HALF, "P3", "payment %u of date %u: seats %s, points %s",
                            i, date->id, date->payments[i].sold ? "sold" : "not sold",
                            money >= ORACLE_MONEY_POSTED ? "spent" : "not spent");
            return false;
        }
    }
    return true;
}

/* What each user has spent is what their reservations cost. */
static bool points_and_seats_agree(struct oracle *oracle) {
    for (uint32_t i = 1; i <= oracle->wallet_count; i++) {
        const struct oracle_wallet *wallet = &oracle->wallets[i];
        uint64_t paid = 0;
        for (uint32_t d = 1; d <= oracle->date_count; d++) {
            const struct oracle_date *date = oracle->dates[d];
            uint32_t sequence = oracle_newest(oracle, date, &wallet->user);
            for (; sequence != 0; sequence = date->reservations[sequence].older) {
                const struct oracle_reservation *one = &date->reservations[sequence];
                if (one->state == RESERVATION_PAID) paid += one->amount;
            }
        }
        if (paid == wallet->spent - wallet->refunded && wallet->reserved == 0) continue;
        oracle_complain(oracle, ORACLE_HALF, "W2",
                        "user %u has paid %llu points for seats that cost %llu; %llu are reserved",
                        i, (unsigned long long)(wallet->spent - wallet->refunded),
                        (unsigned long long)paid, (unsigned long long)wallet->reserved);
        return false;
    }
    return true;
}

bool oracle_rest(struct oracle *oracle) {
    for (uint32_t i = 1; i <= oracle->date_count; i++) {
        if (!date_rests(oracle, oracle->dates[i])) return false;
    }
    return points_and_seats_agree(oracle);
}
