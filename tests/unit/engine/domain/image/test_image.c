/* test_image.c - images: entities round trip, and everything is in them
 *
 * That any log, split anywhere, gives the same state through an image is shown by test_property.c
 * with random histories; here are the limits that those do not reach. What is refused:
 * test_image_refusals.c.
 */
#include "tests/unit/engine/domain/domain_image.h"
#include "tests/unit/engine/domain/domain_test.h"

/* --- entities as bytes ------------------------------------------------------------------------ */

static int decode_copy(const uint8_t *bytes, uint32_t size, uint16_t stated) {
    uint8_t *copy = malloc(size + 1u); /* ASan sees one byte too far */
    uint8_t *from = copy + 1;
    struct entity entity;
    assert_non_null(copy);
    memcpy(from, bytes, size);
    if (size >= 2) memcpy(from, &stated, 2);
    int result = entity_decode(from, size, &entity);
    free(copy);
    return result;
}

static void entities_round_trip(void **state) {
    struct domain *domain = domain_image_sample();
    struct domain_image image = domain_image_of(domain->world);
    bool seen[64] = {0};
    for (uint32_t at = 0; at < image.size;) {
        const uint8_t *bytes = image.bytes + at;
        struct entity entity;
        uint8_t again[RECORD_BYTES_MAX];
        uint16_t size, none = 0, unknown = 63;
        memcpy(&size, bytes, sizeof size);
        assert_int_equal(entity_decode(bytes, size, &entity), DECISION_DECODE_OK);
        assert_int_equal(entity_encode(&entity, again), size);
        assert_memory_equal(again, bytes, size);
        seen[entity.kind] = true;
        for (uint16_t cut = 0; cut < size; cut++) { /* older: whole fields are missing; or bad */
            int result = decode_copy(bytes, cut, cut);
            assert_true(cut >= ENTITY_HEADER_BYTES || result == DECISION_DECODE_BAD_SIZE);
            assert_int_equal(decode_copy(bytes, cut, size), DECISION_DECODE_BAD_SIZE);
        }
        memcpy(again + size, &none, 1);
        assert_int_equal(decode_copy(again, size + 1u, (uint16_t)(size + 1)),
                         DECISION_DECODE_BAD_BODY);
        memcpy(again + 2, &unknown, 2);
        assert_int_equal(decode_copy(again, size, size), DECISION_DECODE_UNKNOWN_KIND);
        at += size;
    }
#define ENTITY(number, NAME, name, OWNER)                                                          \
    assert_true(seen[number]);                                                                     \
    assert_string_equal(entity_name(number), #name);
#include "engine/domain/entity.def"
#undef ENTITY
    assert_string_equal(entity_name(63), "unknown");
    domain_image_free(&image);
    domain_free(domain);
    (void)state;
}

static void a_missing_field_is_zero(void **state) {
    struct entity entity = {.kind = ENTITY_WAITER}, read;
    uint8_t bytes[RECORD_BYTES_MAX];
    memset(&entity.waiter, 0xff, sizeof entity.waiter);
    uint16_t size = (uint16_t)(entity_encode(&entity, bytes) - sizeof entity.waiter.expires_at);
    memcpy(bytes, &size, sizeof size);
    memset(&read, 0x55, sizeof read);
    assert_int_equal(entity_decode(bytes, size, &read), DECISION_DECODE_OK);
    assert_int_equal(read.waiter.end, 0xff);
    assert_int_equal(read.waiter.expires_at, 0);
    (void)state;
}

/* --- limits ----------------------------------------------------------------------------------- */

/* Chunks of places: one of which all have ended is freed, and is so too when its last token ends
 * after an image was loaded; one that is still being filled stays. */
static void freed_chunks_stay_freed(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    struct token tokens[2 * ROOM_CHUNK + 10];
    policy.active_capacity = 0;
    policy.waiting_timeout_ms = POLICY_YEAR_MS;
    uint32_t date = domain_date(domain, &policy, 1, 1);
    for (uint32_t user = 1; user <= 2 * ROOM_CHUNK + 3; user++) {
        tokens[user] = entered(domain, date, user);
        if (user == ROOM_CHUNK) continue; /* stays for a while */
        if (user <= 2 * ROOM_CHUNK - 5 || user > 2 * ROOM_CHUNK) {
            assert_int_equal(domain_leave(domain, &tokens[user]), ERROR_NONE);
        }
    }
    const struct waiting_room *room = &domain_date_of(domain, date)->room;
    assert_non_null(room_find(room, 1));
    domain_image_check_splits(domain, 3);
    assert_int_equal(domain_leave(domain, &tokens[ROOM_CHUNK]), ERROR_NONE);
    domain_image_check_splits(domain, 1);
    for (uint32_t user = 2 * ROOM_CHUNK - 4; user <= 2 * ROOM_CHUNK; user++) {
        assert_int_equal(domain_leave(domain, &tokens[user]), ERROR_NONE);
    }
    domain_crash(domain);
    room = &domain_date_of(domain, date)->room;
    assert_null(room_find(room, 1));
    assert_null(room_find(room, 2 * ROOM_CHUNK));
    assert_non_null(room_find(room, 2 * ROOM_CHUNK + 1));
    domain_image_check_splits(domain, 5);
}

/* What an ended token says (left, silent ...) is said after an image as well. */
static void ended_tokens_are_remembered(void **state) {
    struct domain *domain = domain_image_sample();
    char text[IMAGE_ERROR_BYTES] = "";
    struct domain_image image = domain_image_of(domain->world);
    struct token token = {1, 8, room_find(&domain_date_of(domain, 1)->room, 8)->secret};
    world_free(domain->world);
    domain->world = domain_image_load(&image, text);
    assert_non_null(domain->world);
    domain_resume(domain);
    domain->message_count = 0; /* as after a crash */
    domain->manual = false;
    assert_int_equal(domain_status(domain, &token), ERROR_NONE);
    assert_int_equal(domain->reply.token.state, TOKEN_EXPIRED);
    assert_int_equal(domain->reply.token.end, TOKEN_END_LEFT);
    domain_image_free(&image);
    domain_free(domain);
    (void)state;
}

/* A live room keeps chunks and positions that no log knows: they are not in its image. */
static void a_live_state_has_the_image_of_its_log(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_capacity = 10;
    uint32_t date = domain_date(domain, &policy, 10, 1);
    for (uint32_t user = 1; user <= ROOM_CHUNK + 2; user++) {
        struct token token = entered(domain, date, user);
        if (user <= ROOM_CHUNK) assert_int_equal(domain_leave(domain, &token), ERROR_NONE);
    }
    assert_non_null(domain_date_of(domain, date)->room.chunks[0]); /* by its wheel */
    struct domain_image live = domain_image_of(domain->world);
    domain_crash(domain);
    assert_null(domain_date_of(domain, date)->room.chunks[0]);
    struct domain_image replayed = domain_image_of(domain->world);
    assert_int_equal(live.size, replayed.size);
    assert_memory_equal(live.bytes, replayed.bytes, live.size);
    domain_image_free(&live);
    domain_image_free(&replayed);
}

/* More ended reservations than a user, and than a date, may have; more ledger rows than are
 * kept. */
static void what_is_forgotten_stays_forgotten(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_capacity = 5000;
    policy.active_ttl_ms = policy.hold_ttl_ms = POLICY_YEAR_MS;
    uint32_t date = domain_date(domain, &policy, 4, 1);
    uint32_t users = ENDED_RESERVATIONS_KEPT / ENDED_RESERVATIONS_KEPT_PER_USER + 1;
    for (uint32_t key = 1; key <= WALLET_HISTORY_KEPT + 9; key++) {
        assert_int_equal(domain_charge(domain, 1 + key % 2 * (key % 3), 3, key), ERROR_NONE);
    }
    for (uint32_t user = 1; user <= users; user++) {
        struct token token = entered(domain, date, user);
        for (uint32_t i = 0; i < ENDED_RESERVATIONS_KEPT_PER_USER + user % 3; i++) {
            uint64_t reservation = held(domain, &token, SEATS(1 + i % 4));
            assert_int_equal(domain_release(domain, &token, reservation), ERROR_NONE);
        }
    }
    const struct reservations *all = &domain_date_of(domain, date)->reservations;
    assert_int_equal(all->ended_count, ENDED_RESERVATIONS_KEPT);
    domain_image_check_splits(domain, 3);
}

/* Slots of transfers are used again, so they are not in order of payment; what a start takes up
 * again is, from an image as from the log. */
static void transfers_are_taken_up_in_order(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    uint32_t date = domain_date(domain, &policy, 3, 1);
    struct token tokens[3];
    uint64_t reservations[3];
    for (uint32_t i = 0; i < 3; i++) { /* all in one account partition */
        tokens[i] = entered(domain, date, 1 + 16 * i);
        assert_int_equal(domain_charge(domain, 1 + 16 * i, 10, 1), ERROR_NONE);
        reservations[i] = held(domain, &tokens[i], SEATS(i + 1));
    }
    domain->manual = true;
    for (uint32_t i = 0; i < 3; i++) {
        (void)domain_pay(domain, &tokens[i], reservations[i], 2);
        assert_true(domain_deliver(domain, domain->message_count - 1)); /* reserved */
        if (i != 1) continue;
        assert_true(domain_deliver(domain, 0)); /* the first is sold */
        assert_true(domain_deliver(domain, 1)); /* and posted: its slot is free */
    }
    struct id128 user = domain_user(1);
    const struct account_partition *all = (const struct account_partition *)world_find(
        domain->world, partition_of_user(&user));
    assert_int_equal(all->transfer_open, 2);
    assert_true(all->transfers[0].payment > all->transfers[1].payment);
    domain_image_check_splits(domain, 1);
}

/* --- saving ----------------------------------------------------------------------------------- */

struct stopping {
    uint32_t left;
};

static int stop_after(void *context, const struct entity *entity, const uint8_t *bytes,
                      uint32_t size) {
    struct stopping *stopping = context;
    (void)entity, (void)bytes, (void)size;
    return stopping->left-- == 0 ? -7 : 0;
}

static void a_sink_ends_the_saving(void **state) {
    struct domain *domain = domain_image_sample();
    struct domain_image image = domain_image_of(domain->world);
    for (uint32_t after = 0; after < image.count; after++) {
        struct stopping stopping = {after};
        const struct image_sink sink = {stop_after, &stopping};
        assert_int_equal(image_save(domain->world, &sink), -7);
        assert_int_equal(stopping.left, UINT32_MAX); /* not called again */
    }
    domain_image_free(&image);
    domain_free(domain);
    (void)state;
}

static void an_empty_world_has_an_image(void **state) {
    struct domain *domain = *state;
    domain_image_check_splits(domain, 1);
    struct domain_image image = domain_image_of(domain->world);
    assert_int_equal(image.count, 1 + 2 * ACCOUNT_PARTITIONS); /* and their totals */
    domain_image_free(&image);
}

/* More points than 64 bits hold, in one partition and in all: what is shown stays at the end of the
 * scale and never begins again at 0; the image is the same when it is saved again. */
static void totals_never_wrap(void **state) {
    struct domain *domain = *state;
    struct money_totals before = {0}, money;
    char text[IMAGE_ERROR_BYTES];
    for (uint32_t i = 1; i <= 2100; i++) {
        uint32_t user = 16 * i + (i > 2060); /* 2060 in one partition: more than 2^64 */
        assert_int_equal(domain_charge(domain, user, AMOUNT_MAX, 1), ERROR_NONE);
        world_money(domain->world, &money);
        assert_true(money.charged >= before.charged && money.balances >= before.balances);
        before = money;
    }
    assert_true(money.charged == UINT64_MAX && money.balances == UINT64_MAX);
    assert_int_equal(money.accounts, 2100);
    struct domain_image image = domain_image_of(domain->world);
    struct world *loaded = domain_image_load(&image, text);
    if (!loaded) fail_msg("%s", text);
    world_money(loaded, &money);
    assert_memory_equal(&money, &before, sizeof money);
    struct domain_image again = domain_image_of(loaded);
    assert_int_equal(again.size, image.size);
    assert_memory_equal(again.bytes, image.bytes, image.size);
    domain_image_free(&again);
    domain_image_free(&image);
    world_free(loaded);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(totals_never_wrap),
        cmocka_unit_test(entities_round_trip),
        cmocka_unit_test(a_missing_field_is_zero),
        T(freed_chunks_stay_freed),
        cmocka_unit_test(ended_tokens_are_remembered),
        T(a_live_state_has_the_image_of_its_log),
        T(what_is_forgotten_stays_forgotten),
        T(transfers_are_taken_up_in_order),
        cmocka_unit_test(a_sink_ends_the_saving),
        T(an_empty_world_has_an_image),
    };
    return cmocka_run_group_tests_name("image", tests, NULL, NULL);
}
