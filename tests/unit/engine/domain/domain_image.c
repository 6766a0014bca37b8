/* domain_image.c - see domain_image.h */
#include "tests/unit/engine/domain/domain_image.h"

#include "tests/unit/engine/domain/domain_test.h"

static int image_add(void *context, const struct entity *entity, const uint8_t *bytes,
                     uint32_t size) {
    struct domain_image *image = context;
    struct entity again;
    assert_int_equal(entity_decode(bytes, size, &again), DECISION_DECODE_OK);
    assert_int_equal(again.kind, entity->kind);
    if (image->size + size > image->capacity) {
        image->capacity = (image->size + size) * 2;
        image->bytes = realloc(image->bytes, image->capacity);
        assert_non_null(image->bytes);
    }
    memcpy(image->bytes + image->size, bytes, size);
    image->size += size;
    image->count++;
    return 0;
}

struct domain_image domain_image_of(const struct world *world) {
    struct domain_image image = {0};
    const struct image_sink sink = {image_add, &image};
    assert_int_equal(image_save(world, &sink), 0);
    return image;
}

void domain_image_free(struct domain_image *image) {
    free(image->bytes);
    *image = (struct domain_image){0};
}

/* @ret_partition: offset of the PARTITION entity that is being loaded. Return: as image_load */
static int load_into(struct world *world, const struct domain_image *image, uint32_t *ret_partition,
                     char ret_text[IMAGE_ERROR_BYTES]) {
    struct image_loader *loader = image_loader_open(world);
    int result = 0;
    for (uint32_t at = 0; at < image->size && result == 0;) {
        struct entity entity;
        uint16_t size;
        memcpy(&size, image->bytes + at, sizeof size);
        assert_int_equal(entity_decode(image->bytes + at, size, &entity), DECISION_DECODE_OK);
        result = image_load(loader, &entity, ret_text);
        if (result == 0 && entity.kind == ENTITY_PARTITION) *ret_partition = at;
        at += size;
    }
    if (result == 0) result = image_finish(loader, ret_text);
    image_loader_close(loader);
    return result;
}

static const struct id128 other_seed = {{9, 9}}; /* of no consequence */

struct world *domain_image_load(const struct domain_image *image,
                                char ret_text[IMAGE_ERROR_BYTES]) {
    struct world *world = world_create(&other_seed);
    uint32_t partition;
    if (load_into(world, image, &partition, ret_text) == 0) return world;
    world_free(world);
    return NULL;
}

void domain_image_refit(struct domain_image *image) {
    bool refitted = true;
    while (refitted) {
        char text[IMAGE_ERROR_BYTES] = "";
        uint32_t at = 0;
        struct world *world = world_create(&other_seed);
        refitted = load_into(world, image, &at, text) < 0 && strstr(text, "hash of the partition");
        if (refitted) {
            struct entity entity;
            uint16_t size;
            memcpy(&size, image->bytes + at, sizeof size);
            assert_int_equal(entity_decode(image->bytes + at, size, &entity), DECISION_DECODE_OK);
            entity.partition.hash = partition_hash(world_find(world, entity.partition.partition));
            assert_int_equal(entity_encode(&entity, image->bytes + at), size);
        }
        world_free(world);
    }
}

struct domain *domain_image_sample(void) {
    struct domain *domain = domain_new();
    struct policy policy = default_policy();
    struct token tokens[11];
    uint64_t reservation;
    policy.active_capacity = 6;
    uint32_t date = domain_date(domain, &policy, 20, 10);
    (void)domain_date(domain, &policy, 0, 10);
    for (uint32_t user = 1; user <= 10; user++) tokens[user] = entered(domain, date, user);
    for (uint32_t user = 1; user <= 3; user++) {
        assert_int_equal(domain_charge(domain, user, 100, user), ERROR_NONE);
    }
    (void)held(domain, &tokens[1], SEATS(1, 2));
    reservation = held(domain, &tokens[2], SEATS(3));
    assert_int_equal(domain_pay(domain, &tokens[2], reservation, 12), ERROR_NONE);
    domain_advance(domain, 1000);
    for (uint32_t seat = 5; seat <= 6; seat++) {
        reservation = held(domain, &tokens[4], SEATS(seat));
        assert_int_equal(domain_release(domain, &tokens[4], reservation), ERROR_NONE);
    }
    assert_int_equal(domain_leave(domain, &tokens[8]), ERROR_NONE);
    reservation = held(domain, &tokens[3], SEATS(4));
    domain->manual = true;
    assert_int_equal(domain_pay(domain, &tokens[3], reservation, 13), DOMAIN_UNANSWERED);
    assert_true(domain_deliver(domain, 0)); /* reserved, and the date does not know it yet */
    return domain;
}

/* --- splits ----------------------------------------------------------------------------------- */

static void apply_from(struct world *world, const struct domain *domain, uint32_t first,
                       uint32_t end) {
    for (uint32_t i = first; i < end; i++) {
        struct decision decision = domain_record(domain, i);
        assert_int_equal(world_apply(world, &decision), WORLD_APPLIED);
    }
}

static void assert_images_equal(const struct world *a, const struct world *b) {
    struct domain_image image_a = domain_image_of(a), image_b = domain_image_of(b);
    assert_int_equal(image_a.count, image_b.count);
    assert_int_equal(image_a.size, image_b.size);
    assert_memory_equal(image_a.bytes, image_b.bytes, image_a.size);
    domain_image_free(&image_a);
    domain_image_free(&image_b);
}

static struct world *reload(struct world *world) {
    char text[IMAGE_ERROR_BYTES] = "";
    struct domain_image image = domain_image_of(world);
    struct world *loaded = domain_image_load(&image, text);
    assert_string_equal(text, "");
    assert_non_null(loaded);
    assert_images_equal(world, loaded);
    domain_image_free(&image);
    world_free(world);
    return loaded;
}

void domain_image_go_on(struct domain *domain) {
    domain_settle(domain);
    for (uint32_t turn = 0; turn < 3; turn++) {
        for (uint32_t date = 1; date <= domain->world->date_count; date++) {
            for (uint32_t user = 1; user <= 8; user++) {
                struct token token;
                uint64_t reservation;
                (void)domain_charge(domain, user, 5 + turn, 70000 + turn);
                if (domain_enter(domain, date, user, &token) != ERROR_NONE) continue;
                if (domain_hold(domain, &token, SEATS(user + turn), &reservation) == ERROR_NONE) {
                    (void)domain_pay(domain, &token, reservation, 71000 + turn);
                    if (user % 3 == 0) (void)domain_cancel(domain, user, reservation, 72000);
                }
            }
        }
        domain_advance(domain, 7000);
    }
    domain_advance(domain, 100000);
}

/* The same decisions from the log alone, and from the image of `split` records and the rest. */
static void check_continuation(const struct domain *from, struct world *world) {
    struct domain *plain = domain_recover(from, from->record_count);
    struct domain *loaded = domain_recover(from, from->record_count);
    world_free(loaded->world);
    loaded->world = world;
    domain_resume(loaded);
    domain_image_go_on(plain);
    domain_image_go_on(loaded);
    assert_int_equal(plain->record_count, loaded->record_count);
    assert_int_equal(plain->log_bytes, loaded->log_bytes);
    assert_memory_equal(plain->log, loaded->log, plain->log_bytes);
    assert_images_equal(plain->world, loaded->world);
    domain_check(loaded, true);
    domain_free(plain);
    domain_free(loaded);
}

void domain_image_check_splits(const struct domain *domain, uint32_t splits) {
    static const struct id128 seed = {{3}};
    struct world *whole = world_create(&seed);
    apply_from(whole, domain, 0, domain->record_count);
    for (uint32_t i = 0; i < splits; i++) {
        uint32_t split = (uint32_t)((uint64_t)domain->record_count * (i + 1) / splits);
        struct world *world = world_create(&seed);
        apply_from(world, domain, 0, split);
        world = reload(world);
        apply_from(world, domain, split, domain->record_count);
        assert_images_equal(whole, world);
        check_continuation(domain, world); /* frees it */
    }
    world_free(whole);
}
