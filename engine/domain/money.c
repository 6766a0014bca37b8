/* money.c - see money.h */
#include "engine/domain/money.h"

static void add(uint64_t *sum, uint64_t part) {
    *sum = *sum > UINT64_MAX - part ? UINT64_MAX : *sum + part;
}

void money_add(struct money_totals *sum, const struct money_totals *part) {
    add(&sum->accounts, part->accounts);
    add(&sum->charged, part->charged);
    add(&sum->balances, part->balances);
    add(&sum->reserved, part->reserved);
    add(&sum->spent, part->spent);
    add(&sum->refunded, part->refunded);
}

bool money_conserved(const struct money_totals *money) {
    const uint64_t sums[] = {money->charged, money->balances, money->reserved, money->spent,
                             money->refunded};
    for (uint32_t i = 0; i < sizeof sums / sizeof sums[0]; i++) {
        if (sums[i] == UINT64_MAX) return true;
    }
    return money->charged + money->refunded == money->balances + money->reserved + money->spent;
}
