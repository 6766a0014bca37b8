/* domain_check.c - domain_check(): the invariants, each computed from scratch
 *
 * Nothing here trusts a counter, an index or a heap of the engine: it walks the entities and
 * compares. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/engine/domain/domain_fixture.h"

struct tally {
    uint32_t states[16]; /* reservations by state */
    uint32_t seats_held, seats_sold;
    uint64_t points_sold;
    uint64_t first_deadline_ms; /* of HELD */
};

/* R5, R7: the list of a reservation's user has it, and knows how much it has */
static void check_user_list(const struct reservations *all, const struct reservation *reservation) {
    bool listed = false;
    uint32_t seats = 0, ended = 0;
    const struct reservation *newest = reservation->kept
                                           ? reservations_kept_of(all, &reservation->user)
                                           : reservations_of(all, &reservation->user);
    for (const struct reservation *other = newest; other; other = reservations_older(all, other)) {
        listed |= other == reservation;
        assert_true(id128_equal(&other->user, &reservation->user));
        if (reservation_is_live(other->state)) {
            seats += other->seats.count;
        } else {
            ended++;
        }
    }
    assert_true(listed);
    assert_int_equal(newest->user_seats, seats);
    assert_int_equal(newest->user_ended, ended);
    if (reservation->kept) return; /* a limit of payments, not of what ends */
    assert_true(ended <= ENDED_RESERVATIONS_KEPT_PER_USER);
}

static void tally_reservation(const struct date *date, const struct reservation *reservation,
                              struct tally *tally) {
    const struct reservations *all = &date->reservations;
    uint64_t amount = 0;
    assert_ptr_equal(reservations_find(all, reservation->sequence), reservation);
    tally->states[reservation->state]++;
    bool live = reservation_is_live(reservation->state);
    bool sold = reservation_is_sold(reservation->state);
    for (uint32_t i = 0; i < reservation->seats.count; i++) {
        const struct seat *seat = seat_map_seat(&date->seats, reservation->seats.values[i]);
        amount += seat->price;
        assert_true(seat->for_sale);
        if (live) { /* R2 */
            assert_int_equal(seat->reservation, reservation->sequence);
        } else {
            assert_int_not_equal(seat->reservation, reservation->sequence);
        }
    }
    assert_int_equal(amount, reservation->amount);
    if (sold) {
        tally->seats_sold += reservation->seats.count;
        tally->points_sold += reservation->amount;
    } else if (live) {
        tally->seats_held += reservation->seats.count;
    }
    if (reservation->state == RESERVATION_HELD &&
        reservation->expires_at < tally->first_deadline_ms) {
        tally->first_deadline_ms = reservation->expires_at;
    }
    check_user_list(all, reservation);
}

static void check_reservations(const struct date *date, uint64_t now_ms, bool settled) {
    const struct reservations *all = &date->reservations;
    struct tally tally = {.first_deadline_ms = UINT64_MAX};
    for (uint32_t slot = 0; slot < all->slot_count; slot++) {
        const struct reservation *reservation = reservations_at(all, slot);
        if (reservation) tally_reservation(date, reservation, &tally);
    }
    assert_int_equal(tally.states[RESERVATION_HELD], all->held);
    assert_int_equal(tally.states[RESERVATION_PAYING], all->paying);
    assert_int_equal(tally.states[RESERVATION_PAID], all->paid);
    assert_int_equal(tally.states[RESERVATION_REFUNDING], all->refunding);
    const struct reservation *due = reservations_due(all);
    assert_int_equal(due ? due->expires_at : UINT64_MAX, tally.first_deadline_ms);
    if (settled) {
        assert_true(tally.first_deadline_ms > now_ms); /* R3 */
        assert_int_equal(all->paying + all->refunding, 0);
    }

    uint32_t available = 0, taken = 0, for_sale = 0;
    for (uint32_t number = 1; number <= date->seats.count; number++) {
        const struct seat *seat = seat_map_seat(&date->seats, number);
        for_sale += seat->for_sale;
        available += seat->for_sale && seat->reservation == 0;
        taken += seat->reservation != 0;
    }
    struct date_counters counters;
    date_counters(date, &counters);
    assert_int_equal(taken, tally.seats_held + tally.seats_sold);
    assert_int_equal(counters.seats_total, date->seats.count);
    assert_int_equal(counters.seats_for_sale, for_sale);
    assert_int_equal(counters.seats_available, available);
    assert_int_equal(counters.seats_held, tally.seats_held);
    assert_int_equal(counters.seats_sold, tally.seats_sold);
    assert_int_equal(counters.points_sold, tally.points_sold);
}

static void check_room(const struct date *date, uint64_t now_ms, bool settled) {
    const struct waiting_room *room = &date->room;
    uint32_t waiting = 0, active = 0;
    place_t first = 0;
    uint64_t first_end_ms = UINT64_MAX;
    for (place_t place = 1; place <= room->last; place++) {
        const struct waiter *waiter = room_find(room, place);
        if (!waiter || waiter->state == TOKEN_EXPIRED) continue;
        assert_int_equal(room_place_of(room, &waiter->user), place);
        if (waiter->state == TOKEN_WAITING) {
            if (first == 0) first = place;
            assert_int_equal(room_ahead(room, place), waiting); /* Q5 */
            waiting++;
        } else {
            assert_int_equal(waiter->state, TOKEN_ACTIVE);
            active++;
            if (waiter->expires_at < first_end_ms) first_end_ms = waiter->expires_at;
        }
    }
    assert_int_equal(room->waiting, waiting);
    assert_int_equal(room->active, active);
    assert_int_equal(room_first(room), first);
    const struct heap_entry *due = room_due(room);
    assert_int_equal(due ? due->due_ms : UINT64_MAX, first_end_ms);
    if (settled) assert_true(first_end_ms > now_ms); /* Q8 */
}

/* W2: charged = balances + reserved + spent - refunded */
static void check_money(const struct domain *domain, bool settled) {
    struct money_totals totals, sums = {0};
    world_money(domain->world, &totals);
    for (uint32_t i = 0; i < ACCOUNT_PARTITIONS; i++) {
        const struct account_partition *all =
            (const struct account_partition *)domain->world->accounts[i];
        uint64_t under_way = 0, reserved = 0;
        for (uint32_t slot = 0; slot < all->transfer_count; slot++) {
            const struct transfer *transfer = &all->transfers[slot];
            if (transfer->payment == 0) continue;
            if (transfer->state == TRANSFER_RESERVED) under_way += transfer->amount;
            assert_false(settled); /* every transfer is closed */
        }
        for (uint32_t index = 0; index < all->account_count; index++) {
            const struct account *account = &all->accounts[index / 1024][index % 1024];
            sums.accounts++;
            sums.charged += account->charged;
            sums.balances += account->balance;
            reserved += account->reserved;
        }
        sums.reserved += reserved;
        assert_int_equal(reserved, under_way);
    }
    assert_int_equal(totals.accounts, sums.accounts);
    assert_int_equal(totals.charged, sums.charged);
    assert_int_equal(totals.balances, sums.balances);
    assert_int_equal(totals.reserved, sums.reserved);
    assert_int_equal(totals.charged,
                     totals.balances + totals.reserved + totals.spent - totals.refunded);
    if (!settled) return;
    uint64_t sold = 0; /* what users have paid is what dates have sold */
    for (uint32_t i = 1; i <= domain->world->date_count; i++) {
        sold += domain_date_of(domain, i)->points_sold;
    }
    assert_int_equal(totals.reserved, 0);
    assert_int_equal(totals.spent - totals.refunded, sold);
}

static void check_hash(const struct partition *partition) {
    assert_true(partition_hash(partition) == partition_hash_recount(partition));
}

void domain_check(const struct domain *domain, bool settled) {
    const struct world *world = domain->world;
    check_hash(world->catalogue);
    for (uint32_t i = 0; i < ACCOUNT_PARTITIONS; i++) check_hash(world->accounts[i]);
    for (uint32_t i = 1; i <= world->date_count; i++) check_hash(world->dates[i]);
    for (uint32_t i = 1; i <= domain->world->date_count; i++) {
        check_reservations(domain_date_of(domain, i), domain->now_ms, settled);
        check_room(domain_date_of(domain, i), domain->now_ms, settled);
    }
    check_money(domain, settled);
}
