/* catalogue.h - concerts and their dates
 *
 * Seats, prices, policy and state of a date are the date's own; the catalogue knows that it exists.
 */
#ifndef USHER_ENGINE_DOMAIN_CATALOGUE_CATALOGUE_H
#define USHER_ENGINE_DOMAIN_CATALOGUE_CATALOGUE_H

#include "engine/domain/partition_kind.h"

struct concert {
    struct title title; /* its id is its index + 1 */
    struct id128 key;   /* of the request that made it; none: it had none */
};

struct concert_date {
    uint32_t concert;
    uint64_t starts_at;   /* Unix ms */
    struct title title;   /* its id is its index + 1 */
    struct id128 key;     /* of the request that made it; none: it had none */
    uint64_t policy_hash; /* of the policy that it was created with; 0: no key */
};

struct catalogue {
    struct partition partition;
    uint32_t concert_count, date_count;
    struct concert *concerts;   /* CONCERTS_MAX */
    struct concert_date *dates; /* DATES_MAX */
    uint64_t hash;              /* sum over concerts and dates */
    /* Which dates' lists need a token (C5) is the dates' policy: read from the board. */
};

#endif
