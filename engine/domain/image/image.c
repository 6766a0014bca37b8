/* image.c - all partitions as entities, and back (image.h)
 *
 * Saving is a walk. Loading is a small machine that demands the order of entity.def: partitions by
 * id with none missing, kinds in order within a partition, numbers in order within a kind. When a
 * partition ends, its sums and its hash must be those stated.
 * Failure mode: only loading can fail, at the first entity that contradicts what came before.
 */
#include "engine/domain/image/image.h"

#include <stdlib.h>

#include "engine/base/require.h"
#include "engine/domain/catalogue/catalogue_rules.h"
#include "engine/domain/image/image_parts.h"

/* --- the kinds of partition ------------------------------------------------------------------- */

static int save_catalogue(const struct partition *partition, const struct image_sink *sink) {
    const struct catalogue *catalogue = (const struct catalogue *)partition;
    struct entity entity = {.kind = ENTITY_CONCERT};
    int result = 0;
    for (uint32_t i = 0; i < catalogue->concert_count && result == 0; i++) {
        const struct concert *concert = &catalogue->concerts[i];
        entity.concert = (struct entity_concert){
            i + 1, {concert->title.bytes, concert->title.size}, concert->key};
        result = image_put(sink, &entity);
    }
    entity.kind = ENTITY_CONCERT_DATE;
    for (uint32_t i = 0; i < catalogue->date_count && result == 0; i++) {
        const struct concert_date *date = &catalogue->dates[i];
        entity.concert_date = (struct entity_concert_date){
            i + 1,     date->concert,    date->starts_at, {date->title.bytes, date->title.size},
            date->key, date->policy_hash};
        result = image_put(sink, &entity);
    }
    return result;
}

static const char *load_catalogue(struct image_loader *loader, const struct entity *entity) {
    struct catalogue *catalogue = (struct catalogue *)loader->partition;
    if (entity->kind == ENTITY_CONCERT) {
        return catalogue_restore_concert(catalogue, &entity->concert);
    }
    return catalogue_restore_date(catalogue, &entity->concert_date);
}

static const char *end_catalogue(struct image_loader *loader) {
    (void)loader; /* its hash is demanded of every partition */
    return NULL;
}

static const struct image_part {
    int (*save)(const struct partition *, const struct image_sink *);
    const char *(*load)(struct image_loader *, const struct entity *);
    const char *(*end)(struct image_loader *);
} parts[OWNER_COUNT] = {
    [OWNER_CATALOGUE] = {save_catalogue, load_catalogue, end_catalogue},
    [OWNER_ACCOUNT] = {image_save_accounts, image_load_accounts, image_end_accounts},
    [OWNER_DATE] = {image_save_date, image_load_date, image_end_date},
};

static const struct image_part *part_of(const struct image_loader *loader) {
    return &parts[partition_owner(loader->stated.partition)];
}

/* --- save ------------------------------------------------------------------------------------- */

int image_save_partition(const struct partition *partition, const struct image_sink *sink) {
    struct entity entity = {.kind = ENTITY_PARTITION};
    entity.partition = (struct entity_partition){.partition = partition->id,
                                                 .decision_count = partition->decision_count,
                                                 .last_time_ms = partition->last_time_ms,
                                                 .hash = partition_hash(partition)};
    int result = image_put(sink, &entity);
    return result == 0 ? parts[partition->kind->owner].save(partition, sink) : result;
}

int image_save(const struct world *world, const struct image_sink *sink) {
    int result = 0;
    for (uint32_t i = 0; i < world_end(world) && result == 0; i++) {
        const struct partition *partition = world_at(world, i);
        if (partition) result = image_save_partition(partition, sink);
    }
    return result;
}

/* --- load ------------------------------------------------------------------------------------- */

struct image_loader *image_loader_open(struct world *world) {
    struct image_loader *loader = calloc(1, sizeof *loader);
    REQUIRE_MEMORY(loader != NULL);
    REQUIRE(world->date_count == 0 && world->catalogue->decision_count == 0);
    loader->world = world;
    return loader;
}

void image_loader_close(struct image_loader *loader) { free(loader); }

/* The partition that is being loaded ends here. */
static const char *end_partition(struct image_loader *loader) {
    if (!loader->begun) return NULL;
    const char *wrong = part_of(loader)->end(loader);
    if (wrong) return wrong;
    if (partition_hash(loader->partition) != loader->stated.hash) {
        return "the hash of the partition's state is not the one stated";
    }
    return NULL;
}

/* Return: the partition that comes next, UINT32_MAX after the last */
static uint32_t next_partition(const struct image_loader *loader) {
    const struct catalogue *catalogue = (const struct catalogue *)loader->world->catalogue;
    uint32_t id = loader->stated.partition;
    if (!loader->begun) return PARTITION_CATALOGUE;
    if (id == PARTITION_CATALOGUE) return PARTITION_ACCOUNT_FIRST;
    if (id == PARTITION_ACCOUNT_FIRST + ACCOUNT_PARTITIONS - 1) id = PARTITION_DATE_FIRST;
    return id == partition_of_date(catalogue->date_count) ? UINT32_MAX : id + 1;
}

static const char *begin_partition(struct image_loader *loader,
                                   const struct entity_partition *stated) {
    const char *wrong = end_partition(loader);
    if (wrong) return wrong;
    if (stated->partition != next_partition(loader)) {
        return "another partition is expected after this one";
    }
    loader->begun = true;
    loader->stated = *stated;
    loader->kind = 0;
    loader->count = 0;
    loader->partition = world_find(loader->world, stated->partition); /* NULL for a date, so far */
    if (loader->partition) partition_restore(loader->partition, stated);
    return NULL;
}

static const char *load(struct image_loader *loader, const struct entity *entity) {
    uint16_t kind = entity->kind;
    if (kind == ENTITY_PARTITION) return begin_partition(loader, &entity->partition);
    if (!loader->begun) return "an image begins with a partition";
    if (entity_owner(kind) != partition_owner(loader->stated.partition)) {
        return "this kind of partition has no such entity";
    }
    bool next_account = kind == ENTITY_ACCOUNT && loader->kind == ENTITY_LEDGER_ROW;
    if (kind < loader->kind && !next_account) return "the kinds of entities are out of order";
    if (kind != loader->kind) loader->number = 0;
    const char *wrong = part_of(loader)->load(loader, entity);
    loader->kind = kind;
    return wrong;
}

static const char *finish(struct image_loader *loader) {
    const char *wrong = end_partition(loader);
    if (wrong) return wrong;
    if (next_partition(loader) != UINT32_MAX) return "the image ends before its last partition";
    return image_check_money(loader->world);
}

/* --- what is said of a refusal: "date 3, entity 17, waiter: the place before it is missing" --- */

static char *say(char *at, const char *end, const char *text) {
    while (*text && at < end) *at++ = *text++;
    *at = '\0';
    return at;
}

static char *say_number(char *at, const char *end, uint64_t number) {
    char digits[21];
    uint32_t first = sizeof digits - 1;
    digits[first] = '\0';
    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return say(at, end, digits + first);
}

static int refuse(const struct image_loader *loader, const char *kind, const char *wrong,
                  char ret_text[IMAGE_ERROR_BYTES]) {
    char *at = ret_text, *end = ret_text + IMAGE_ERROR_BYTES - 1;
    uint32_t partition = loader->stated.partition;
    if (partition_is_date(partition)) {
        at = say_number(say(at, end, "date "), end, partition - PARTITION_DATE_FIRST);
    } else if (partition_is_account(partition)) {
        at = say_number(say(at, end, "accounts "), end, partition - PARTITION_ACCOUNT_FIRST);
    } else {
        at = say(at, end, "catalogue");
    }
    at = say_number(say(at, end, ", entity "), end, loader->count);
    at = say(say(say(at, end, ", "), end, kind), end, ": ");
    (void)say(at, end, wrong);
    return -1;
}

int image_load(struct image_loader *loader, const struct entity *entity,
               char ret_text[IMAGE_ERROR_BYTES]) {
    loader->count++;
    const char *wrong = load(loader, entity);
    return wrong ? refuse(loader, entity_name(entity->kind), wrong, ret_text) : 0;
}

int image_finish(struct image_loader *loader, char ret_text[IMAGE_ERROR_BYTES]) {
    const char *wrong = finish(loader);
    return wrong ? refuse(loader, "the last", wrong, ret_text) : 0;
}
