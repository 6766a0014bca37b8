/* compare.h - two states of a partition, entity by entity
 *
 * Works on images: whatever is in them is compared, also kinds and fields that come later. Entities
 * are matched by what names them (a seat's number, a waiter's place, a row of a user's ledger), not
 * by where they stand. The order in which ended reservations will be forgotten is not compared.
 *
 * Memory: both images of the partition, encoded. Pure; any thread.
 */
#ifndef USHER_REPLAY_TELL_COMPARE_H
#define USHER_REPLAY_TELL_COMPARE_H

#include "engine/domain/image/image.h"

#define COMPARE_NAME_BYTES 80u

/* An entity that is not the same on both sides; left or right is NULL where it is missing. */
struct compare_difference {
    uint32_t partition;
    char name[COMPARE_NAME_BYTES]; /* "waiter 12", "ledger_row 7 of f9297424-..." */
    const struct entity *left, *right;
};

/* compare_partitions - NULL: the partition is not there, all entities are on the other side
 * @visit: per difference, in canonical order; return other than 0 ends it
 * Return: 0, or what visit returned */
int compare_partitions(const struct partition *left, const struct partition *right,
                       int (*visit)(void *context, const struct compare_difference *difference),
                       void *context);

#endif
