/* domain_image.h - images of worlds in memory, for tests */
#ifndef USHER_TESTS_UNIT_ENGINE_DOMAIN_DOMAIN_IMAGE_H
#define USHER_TESTS_UNIT_ENGINE_DOMAIN_DOMAIN_IMAGE_H

#include "engine/domain/image/image.h"
#include "tests/unit/engine/domain/domain_fixture.h"

/* Entities, encoded, one after the other. */
struct domain_image {
    uint8_t *bytes;
    uint32_t size, capacity; /* bytes */
    uint32_t count;          /* entities */
};

struct domain_image domain_image_of(const struct world *world);
void domain_image_free(struct domain_image *image);

/* domain_image_load - Return: a world, owned by the caller; NULL: refused, and why */
struct world *domain_image_load(const struct domain_image *image, char ret_text[IMAGE_ERROR_BYTES]);

/* domain_image_sample - a little of everything On date 1, place 1 holds seats 1 and 2, place 2 has
 * paid for seat 3, place 3 is paying for seat 4, place 4 held 5 and 6 and gave them back, 5 to 7
 * are active, 8 has left, 9 and 10 wait. Date 2 is a draft. Accounts of users 1 to 3, in three
 * partitions. One message is on the way.
 * Return: owned by the caller until domain_free() */
struct domain *domain_image_sample(void);

/* domain_image_refit - the partitions' stated hashes, made to fit what an edited image contains:
 * what is refused then is refused by something else than a hash */
void domain_image_refit(struct domain_image *image);

/* domain_image_go_on - some life in a world that was resumed: users come, pay and leave, time
 * passes */
void domain_image_go_on(struct domain *domain);

/* domain_image_check_splits - for `splits` places in the domain's log, spread evenly: the log up to
 * there as an image, loaded, and the rest of the log leave the same image as the whole log; and
 * what is decided from then on is the same, record by record */
void domain_image_check_splits(const struct domain *domain, uint32_t splits);

#endif
