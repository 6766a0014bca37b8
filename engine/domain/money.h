/* money.h - points over wallets, summed up */
#ifndef USHER_ENGINE_DOMAIN_MONEY_H
#define USHER_ENGINE_DOMAIN_MONEY_H

#include <stdbool.h>
#include <stdint.h>

/* A sum of UINT64_MAX means so many or more. */
struct money_totals {
    uint64_t accounts;
    uint64_t charged, balances, reserved, spent, refunded;
};

/* money_add - sums that would pass 2^64 stay at UINT64_MAX: a total never falls by growing */
void money_add(struct money_totals *sum, const struct money_totals *part);

/* money_conserved - charged = balances + reserved + spent - refunded. Where a sum is UINT64_MAX,
 * nothing can be said against it. */
bool money_conserved(const struct money_totals *money);

#endif
