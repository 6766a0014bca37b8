/* follow.c - see follow.h
 *
 * Happy path: concerns() looks at what the decision says and at what was learned; what it hands out
 * to the subject (a place, a reservation, a payment) goes into a tree.
 * There is no failure but memory, which ends the process: these are operators' tools.
 */
#include "replay/tell/follow.h"

#include <search.h>
#include <stdlib.h>

#include "engine/base/require.h"

/* A number that concerns the subject. Trees are ordered by id alone. */
struct known_payment {
    uint64_t payment, reservation; /* dated_id */
};
struct known_place {
    uint64_t place; /* dated_id of date and place */
    bool active;    /* now, as far as was shown */
};

struct follow {
    struct subject subject;
    /* Trees of tsearch(); their nodes begin with the id that they are ordered by. */
    void *reservations, *payments, *places;
    bool dates[DATES_MAX + 1];      /* where the user has been in line */
    uint32_t clocks[DATES_MAX + 1]; /* turns and holds of the subject that an outage would extend */
};

static int compare_ids(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static void *find(void *const *tree, uint64_t id) {
    void *node = tfind(&id, tree, compare_ids);
    return node ? *(void **)node : NULL;
}

/* A copy of the item goes into the tree, unless its id is there already. */
static void insert(void **tree, const void *item, size_t bytes) {
    if (find(tree, *(const uint64_t *)item)) return;
    void *copy = malloc(bytes);
    REQUIRE_MEMORY(copy);
    memcpy(copy, item, bytes);
    REQUIRE_MEMORY(tsearch(copy, tree, compare_ids));
}

struct follow *follow_open(const struct subject *subject) {
    REQUIRE(subject->kind != SUBJECT_NONE);
    struct follow *follow = calloc(1, sizeof *follow);
    REQUIRE_MEMORY(follow);
    follow->subject = *subject;
    return follow;
}

void follow_close(struct follow *follow) {
    if (!follow) return;
    tdestroy(follow->reservations, free);
    tdestroy(follow->payments, free);
    tdestroy(follow->places, free);
    free(follow);
}

const struct followed *follow_known(const struct follow *follow, uint64_t reservation) {
    return find(&follow->reservations, reservation);
}

/* --- what concerns the subject ---------------------------------------------------------------- */

static bool is_user(const struct follow *follow, const struct id128 *user) {
    return follow->subject.kind == SUBJECT_USER && id128_equal(&follow->subject.user, user);
}

static bool is_seat(const struct follow *follow, uint32_t date, uint32_t seat) {
    const struct subject *subject = &follow->subject;
    return subject->kind == SUBJECT_SEAT && subject->date == date && subject->seat == seat;
}

static bool has_seat(const struct follow *follow, uint32_t date, const struct numbers *seats) {
    for (uint32_t i = 0; i < seats->count; i++) {
        if (is_seat(follow, date, seats->values[i])) return true;
    }
    return false;
}

static bool has_place(const struct follow *follow, uint32_t date, uint32_t place) {
    return find(&follow->places, dated_id(date, place)) != NULL;
}

static bool learn_place(struct follow *follow, uint32_t date, uint32_t place,
                        const struct id128 *user) {
    if (!is_user(follow, user)) return false;
    const struct known_place known = {dated_id(date, place), false};
    insert(&follow->places, &known, sizeof known);
    if (date <= DATES_MAX) follow->dates[date] = true;
    return true;
}

static bool learn_reservation(struct follow *follow, uint32_t date, const struct followed *known) {
    const struct subject *subject = &follow->subject;
    bool mine = is_user(follow, &known->user) || has_seat(follow, date, &known->seats) ||
                (subject->kind == SUBJECT_RESERVATION &&
                 subject->reservation == known->reservation);
    if (mine) insert(&follow->reservations, known, sizeof *known);
    return mine;
}

/* Known, or the subject itself although its beginning was not shown. */
static bool is_reservation(const struct follow *follow, uint64_t reservation) {
    const struct subject *subject = &follow->subject;
    if (reservation == 0) return false;
    if (subject->kind == SUBJECT_RESERVATION) return subject->reservation == reservation;
    return follow_known(follow, reservation) != NULL;
}

static bool learn_payment(struct follow *follow, uint64_t payment, uint64_t reservation) {
    if (!is_reservation(follow, reservation)) return false;
    const struct known_payment known = {payment, reservation};
    insert(&follow->payments, &known, sizeof known);
    return true;
}

static uint64_t reservation_of_payment(const struct follow *follow, uint64_t payment) {
    const struct known_payment *known = find(&follow->payments, payment);
    return known ? known->reservation : 0;
}

/* --- whose time runs -------------------------------------------------------------------------- */

static void set_running(struct follow *follow, uint32_t date, bool *running, bool now) {
    if (date > DATES_MAX || *running == now) return;
    *running = now;
    follow->clocks[date] += now ? 1u : UINT32_MAX;
}

static void set_active(struct follow *follow, uint32_t date, uint32_t place, bool active) {
    struct known_place *known = find(&follow->places, dated_id(date, place));
    if (known) set_running(follow, date, &known->active, active);
}

static void set_unpaid(struct follow *follow, uint32_t date, uint32_t sequence, bool unpaid) {
    struct followed *known = find(&follow->reservations, dated_id(date, sequence));
    if (known) set_running(follow, date, &known->unpaid, unpaid);
}

static void sold(struct follow *follow, uint32_t date, const struct decision_seats_sold *body) {
    const struct followed *known = follow_known(follow, dated_id(date, body->reservation));
    if (known && body->token_expired) set_active(follow, date, known->place, false);
    set_unpaid(follow, date, body->reservation, false);
}

/* After the decision was learned from. */
static void track(struct follow *follow, uint32_t date, const struct decision *decision) {
    switch (decision->kind) {
    case DECISION_ADMITTED: set_active(follow, date, decision->admitted.place, true); break;
    case DECISION_TOKEN_EXPIRED:
        set_active(follow, date, decision->token_expired.place, false);
        for (uint32_t i = 0; i < decision->token_expired.released.count; i++) {
            set_unpaid(follow, date, decision->token_expired.released.values[i], false);
        }
        break;
    case DECISION_SEATS_HELD:
        set_unpaid(follow, date, decision->seats_held.reservation, true);
        if (decision->seats_held.token_expired) {
            set_active(follow, date, decision->seats_held.place, false);
        }
        break;
    case DECISION_RESERVATION_ENDED:
        set_unpaid(follow, date, decision->reservation_ended.reservation, false);
        break;
    case DECISION_SEATS_SOLD: sold(follow, date, &decision->seats_sold); break;
    case DECISION_PAYMENT_ABORTED:
        set_unpaid(follow, date, decision->payment_aborted.reservation, false);
        break;
    default: break;
    }
}

/* --- learning --------------------------------------------------------------------------------- */

void follow_entity(struct follow *follow, uint32_t partition, const struct entity *entity) {
    uint32_t date = partition_is_date(partition) ? partition - PARTITION_DATE_FIRST : 0;
    if (entity->kind == ENTITY_WAITER) {
        (void)learn_place(follow, date, entity->waiter.place,
                          &entity->waiter.user); /* of others: nothing to learn */
        if (entity->waiter.state == TOKEN_ACTIVE) {
            set_active(follow, date, entity->waiter.place, true);
        }
    } else if (entity->kind == ENTITY_RESERVATION) {
        const struct entity_reservation *body = &entity->reservation;
        const struct followed known = {dated_id(date, body->reservation),
                                       body->user,
                                       body->seats,
                                       body->amount,
                                       body->place,
                                       false};
        bool mine = learn_reservation(follow, date, &known);
        if (reservation_is_unpaid(body->state)) set_unpaid(follow, date, body->reservation, true);
        if (mine && body->payment != 0) {
            (void)learn_payment(follow, dated_id(date, body->payment),
                                known.reservation); /* mine */
        }
    } else if (entity->kind == ENTITY_TRANSFER) {
        (void)learn_payment(follow, entity->transfer.payment,
                            entity->transfer.reservation); /* of others: likewise */
    }
}

/* The reservation, as a sequence within the date that decided; 0: the decision is about none. */
static uint32_t sequence_of(const struct decision *decision) {
    switch (decision->kind) {
    case DECISION_SEATS_HELD: return decision->seats_held.reservation;
    case DECISION_RESERVATION_ENDED: return decision->reservation_ended.reservation;
    case DECISION_PAYMENT_STARTED: return decision->payment_started.reservation;
    case DECISION_PAYMENT_REFUSED: return decision->payment_refused.reservation;
    case DECISION_SEATS_SOLD: return decision->seats_sold.reservation;
    case DECISION_PAYMENT_ABORTED: return decision->payment_aborted.reservation;
    case DECISION_REFUND_STARTED: return decision->refund_started.reservation;
    case DECISION_SEATS_REFUNDED: return decision->seats_refunded.reservation;
    default: return 0;
    }
}

uint64_t follow_reservation_of(const struct follow *follow, const struct decision *decision) {
    switch (decision->kind) {
    case DECISION_FUNDS_RESERVED: return decision->funds_reserved.reservation;
    case DECISION_FUNDS_REFUSED: return decision->funds_refused.reservation;
    case DECISION_FUNDS_POSTED:
        return reservation_of_payment(follow, decision->funds_posted.payment);
    case DECISION_FUNDS_VOIDED: return decision->funds_voided.reservation;
    case DECISION_FUNDS_REFUNDED: return decision->funds_refunded.reservation;
    case DECISION_REFUND_CLOSED:
        return reservation_of_payment(follow, decision->refund_closed.payment);
    default: break;
    }
    uint32_t sequence = sequence_of(decision);
    return sequence == 0 ? 0 : dated_id(decision->partition - PARTITION_DATE_FIRST, sequence);
}

static const struct id128 *wallet_of(const struct decision *decision) {
    switch (decision->kind) {
    case DECISION_WALLET_CHARGED: return &decision->wallet_charged.user;
    case DECISION_FUNDS_RESERVED: return &decision->funds_reserved.user;
    case DECISION_FUNDS_REFUSED: return &decision->funds_refused.user;
    case DECISION_FUNDS_POSTED: return &decision->funds_posted.user;
    case DECISION_FUNDS_VOIDED: return &decision->funds_voided.user;
    case DECISION_FUNDS_REFUNDED: return &decision->funds_refunded.user;
    case DECISION_REFUND_CLOSED: return &decision->refund_closed.user;
    default: return NULL;
    }
}

static bool wallet_decision(const struct follow *follow, const struct decision *decision) {
    const struct id128 *user = wallet_of(decision);
    if (!user) return false;
    if (is_user(follow, user)) return true;
    return follow->subject.kind == SUBJECT_RESERVATION &&
           is_reservation(follow, follow_reservation_of(follow, decision));
}

static bool token_expired(const struct follow *follow, uint32_t date,
                          const struct decision_token_expired *expired) {
    if (has_place(follow, date, expired->place)) return true;
    for (uint32_t i = 0; i < expired->released.count; i++) {
        if (is_reservation(follow, dated_id(date, expired->released.values[i]))) return true;
    }
    return false;
}

static bool seats_held(struct follow *follow, uint32_t date,
                       const struct decision_seats_held *held) {
    const struct followed known = {dated_id(date, held->reservation),
                                   held->user,
                                   held->seats,
                                   held->amount,
                                   held->place,
                                   false};
    return learn_reservation(follow, date, &known);
}

/* A decision about the date as a whole. */
static bool date_decision(const struct follow *follow, uint32_t date, bool cancelled) {
    const struct subject *subject = &follow->subject;
    switch (subject->kind) {
    case SUBJECT_SEAT: return subject->date == date;
    case SUBJECT_USER: return cancelled && date <= DATES_MAX && follow->dates[date];
    case SUBJECT_RESERVATION: return cancelled && dated_id_date(subject->reservation) == date;
    default: return false;
    }
}

static bool date_concerns(struct follow *follow, uint32_t date, const struct decision *decision) {
    switch (decision->kind) {
    case DECISION_SEAT_ADDED: return is_seat(follow, date, decision->seat_added.number);
    case DECISION_DATE_OPENED:
    case DECISION_DATE_CLOSED: return date_decision(follow, date, false);
    case DECISION_DATE_CANCELLED: return date_decision(follow, date, true);
    case DECISION_QUEUE_ENTERED:
        return learn_place(follow, date, decision->queue_entered.place,
                           &decision->queue_entered.user);
    case DECISION_ADMITTED: return has_place(follow, date, decision->admitted.place);
    case DECISION_TOKEN_EXPIRED: return token_expired(follow, date, &decision->token_expired);
    case DECISION_SEATS_HELD: return seats_held(follow, date, &decision->seats_held);
    case DECISION_HOLD_REFUSED:
        return is_user(follow, &decision->hold_refused.user) ||
               is_seat(follow, date, decision->hold_refused.seat);
    case DECISION_PAYMENT_STARTED:
        return learn_payment(follow, dated_id(date, decision->payment_started.payment),
                             dated_id(date, decision->payment_started.reservation));
    case DECISION_OUTAGE_CREDITED: return date <= DATES_MAX && follow->clocks[date] > 0;
    default: break;
    }
    return is_reservation(follow, follow_reservation_of(follow, decision));
}

bool follow_decision(struct follow *follow, const struct decision *decision) {
    if (!partition_is_date(decision->partition)) return wallet_decision(follow, decision);
    uint32_t date = decision->partition - PARTITION_DATE_FIRST;
    bool mine = date_concerns(follow, date, decision);
    track(follow, date, decision);
    return mine;
}
