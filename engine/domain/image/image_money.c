/* image_money.c - do the dates of an image and its accounts agree about every point?
 *
 * Each partition was checked by itself when it was loaded. Here, once all are there, what dates
 * have sold is compared with what accounts have paid. Messages under way still have to move some.
 */
#include "engine/domain/image/image_parts.h"

static const char *check_buyers(const struct world *world, const struct date *date) {
    const struct reservation *one = NULL;
    while ((one = reservations_next(&date->reservations, one ? one->sequence : 0)) != NULL) {
        const struct partition *partition = world_find(world, partition_of_user(&one->user));
        const struct account_partition *all = (const struct account_partition *)partition;
        if (reservation_is_sold(one->state) && !account_find(all, &one->user)) {
            return "a reservation was paid for by a user without account";
        }
    }
    return NULL;
}

/* A transfer is about a payment that its date has started. @points gets what the date counts as
 * sold and the account's totals do not, or not any more: a message is still under way between
 * them. */
static const char *check_transfer(const struct world *world, const struct account_partition *all,
                                  const struct transfer *transfer, uint64_t *points) {
    uint64_t payment = transfer->payment, id = transfer->reservation;
    const struct date *date = (const struct date *)world->dates[dated_id_date(payment)];
    if (dated_id_sequence(payment) > date->payment_count ||
        dated_id_sequence(id) > date->reservations.sequence_count) {
        return "an account has a transfer of a payment that its date never started";
    }
    const struct reservation *reservation = reservations_find(&date->reservations,
                                                              dated_id_sequence(id));
    if (!reservation || reservation->payment != dated_id_sequence(payment)) return NULL;
    if (reservation->amount != transfer->amount ||
        !id128_equal(&reservation->user, &account_at(all, transfer->account)->user)) {
        return "a transfer and its reservation are not of one user and amount";
    }
    bool unposted = transfer->state == TRANSFER_RESERVED && reservation_is_sold(reservation->state);
    bool unclosed = transfer->state == TRANSFER_REFUNDED &&
                    reservation->state == RESERVATION_REFUNDING;
    if (unposted || unclosed) *points += transfer->amount;
    return NULL;
}

const char *image_check_money(const struct world *world) {
    uint64_t sold = 0, paid = 0;
    const char *wrong = NULL;
    for (uint32_t i = 1; i <= world->date_count && !wrong; i++) {
        const struct date *date = (const struct date *)world->dates[i];
        sold += date->points_sold;
        wrong = check_buyers(world, date);
    }
    for (uint32_t i = 0; i < ACCOUNT_PARTITIONS && !wrong; i++) {
        const struct account_partition *all = (const struct account_partition *)world->accounts[i];
        paid += (uint64_t)(all->totals.spent - all->totals.refunded);
        for (uint32_t slot = 0; slot < all->transfer_count && !wrong; slot++) {
            const struct transfer *transfer = &all->transfers[slot];
            if (transfer->payment == 0) continue; /* a slot that is not in use */
            wrong = check_transfer(world, all, transfer, &paid);
        }
    }
    if (wrong) return wrong;
    return paid == sold ? NULL : "the points that were paid are not those of what is sold";
}
