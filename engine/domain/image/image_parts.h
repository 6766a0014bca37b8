/* image_parts.h - shared by the files of images; not for others
 *
 *   image.c          the walk over partitions, the order of everything, the catalogue
 *   image_date.c     dates
 *   image_account.c  accounts
 *   image_money.c    what dates and accounts say about each other
 */
#ifndef USHER_ENGINE_DOMAIN_IMAGE_IMAGE_PARTS_H
#define USHER_ENGINE_DOMAIN_IMAGE_IMAGE_PARTS_H

#include "engine/domain/account/account.h"
#include "engine/domain/catalogue/catalogue.h"
#include "engine/domain/date/date.h"
#include "engine/domain/image/image_sink.h"
#include "engine/domain/partition/world.h"

struct image_loader {
    struct world *world;
    bool begun;                     /* there was a PARTITION entity */
    struct entity_partition stated; /* the latest */
    struct partition *partition;    /* that one; NULL for a date until its DATE entity */
    uint64_t count;                 /* entities of it */
    uint16_t kind;                  /* of the entity before; 0 at the beginning of a partition */
    uint64_t number;                /* of the entity before, where numbers rise within a kind */

    /* An account is complete when the next entity is not a row of it. */
    struct entity_account account;
    bool account_open;
    uint32_t row_count;
    struct entity_ledger_row rows[WALLET_HISTORY_KEPT];
    struct entity_totals totals; /* the latest */
};

/* The kinds' parts. Saving returns what the sink returned. Loading gets entities of kinds that this
 * kind of partition has, in order of kind, and returns NULL or what contradicts what; end: the
 * partition's last entity was loaded. */
int image_save_date(const struct partition *partition, const struct image_sink *sink);
const char *image_load_date(struct image_loader *loader, const struct entity *entity);
const char *image_end_date(struct image_loader *loader);

int image_save_accounts(const struct partition *partition, const struct image_sink *sink);
const char *image_load_accounts(struct image_loader *loader, const struct entity *entity);
const char *image_end_accounts(struct image_loader *loader);

/* image_check_money - when all is loaded: what dates have sold and what accounts have paid, payment
 * by payment and to the point. Return: NULL, or what contradicts what */
const char *image_check_money(const struct world *world);

/* image_rises - is this number above the one before it, of the same kind? */
static inline bool image_rises(struct image_loader *loader, uint64_t number) {
    if (number <= loader->number) return false;
    loader->number = number;
    return true;
}

#endif
