/* test_waiting_room.c - the waiting room alone: a million waiters, memory, the wheel of silence */
#include "tests/unit/engine/domain/domain_test.h"
#include "tests/support/random.h"

#define MILLION 1000000u

static struct id128 id_of(uint32_t number) {
    struct id128 id = {{5}};
    memcpy(id.bytes + 8, &number, sizeof number);
    return id;
}

static void enter(struct waiting_room *room, uint64_t now_ms) {
    struct id128 user = id_of(room->last + 1), secret = id_of(~room->last);
    room_enter(room, room->last + 1, &user, &secret, now_ms);
}

static void a_million_waiters(void **state) {
    static bool waits[MILLION + 1];
    struct waiting_room room;
    struct random random = {5};
    room_init(&room, 1);
    room_wheel_reset(&room, 1000, 60000, true);
    for (uint32_t i = 1; i <= MILLION; i++) {
        enter(&room, 1000 + i / 100);
        waits[i] = true;
        if (i % 4096 <= 2) assert_int_equal(room_ahead(&room, i), i - 1);
    }
    assert_int_equal(room.waiting, MILLION);
    assert_true(room_bytes(&room) / MILLION < 96);

    for (uint32_t i = 0; i < 700000; i++) { /* leave in any order */
        place_t place = 1 + random_index(&random, MILLION);
        if (!waits[place]) continue;
        waits[place] = false;
        room_expire(&room, place, TOKEN_END_LEFT);
    }
    uint32_t ahead = 0, next = 1 + random_index(&random, 2000);
    for (place_t place = 1; place <= MILLION; place++) {
        if (place == next) { /* naive count, sampled */
            assert_int_equal(room_ahead(&room, place), ahead);
            next += 1 + random_index(&random, 2000);
        }
        if (waits[place] && ahead == 0) assert_int_equal(room_first(&room), place);
        ahead += waits[place];
    }
    assert_int_equal(room.waiting, ahead);
    for (uint32_t i = 0; i < 100000; i++) { /* admitted in exact order */
        place_t first = room_first(&room);
        assert_true(waits[first]);
        waits[first] = false;
        room_admit(&room, &(struct decision_admitted){first, 1000000, 0}, 20000, 0);
        assert_int_equal(room_ahead(&room, first), 0);
    }
    assert_int_equal(room.active, 100000);
    room_deinit(&room);
    (void)state;
}

static uint32_t chunks_of(const struct waiting_room *room) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < room->chunk_capacity; i++) count += room->chunks[i] != NULL;
    return count;
}

static void chunks_are_freed_when_all_have_ended(void **state) {
    struct waiting_room room;
    room_init(&room, 1);
    for (uint32_t i = 0; i < 10 * ROOM_CHUNK; i++) enter(&room, 1000);
    assert_int_equal(chunks_of(&room), 10);
    for (place_t place = 1; place < ROOM_CHUNK; place++) room_expire(&room, place, 4);
    assert_int_equal(chunks_of(&room), 10);
    assert_non_null(room_find(&room, 1));
    room_expire(&room, ROOM_CHUNK, 4); /* the last of them */
    assert_int_equal(chunks_of(&room), 9);
    assert_null(room_find(&room, 1));
    assert_null(room_find(&room, ROOM_CHUNK));
    assert_non_null(room_find(&room, ROOM_CHUNK + 1));
    for (place_t place = ROOM_CHUNK + 1; place <= 10 * ROOM_CHUNK; place++) {
        assert_int_equal(room_first(&room), place);
        assert_int_equal(room_ahead(&room, place), 0);
        room_expire(&room, place, 4);
    }
    assert_int_equal(chunks_of(&room), 0);
    assert_int_equal(room_first(&room), 0);
    assert_int_equal(room.hash, 0); /* the sum over nobody */
    enter(&room, 2000);
    assert_int_equal(room_first(&room), 10 * ROOM_CHUNK + 1);
    room_deinit(&room);
    (void)state;
}

/* The wheel lets go of the ended even when nobody waits any more. */
static void chunks_are_freed_with_a_wheel(void **state) {
    struct waiting_room room;
    room_init(&room, 1);
    room_wheel_reset(&room, 1000, 60000, true);
    for (uint32_t i = 0; i < 2 * ROOM_CHUNK; i++) enter(&room, 1000);
    for (place_t place = 1; place <= 2 * ROOM_CHUNK; place++) room_expire(&room, place, 4);
    uint64_t now_ms = 1000;
    while (room_wheel_due_ms(&room) != UINT64_MAX) {
        uint32_t budget = 100;
        now_ms = room_wheel_due_ms(&room);
        assert_true(now_ms < 1000 + 2 * 60000);
        assert_int_equal(room_silent(&room, now_ms, &budget), 0);
    }
    assert_int_equal(chunks_of(&room), 0);
    room_deinit(&room);
    (void)state;
}

/* Some poll at random, some never: dropped never early and at most 1/256 and a tick late. */
static void wheel_at(uint64_t timeout_ms, uint64_t start_ms, uint32_t step_ms) {
    enum { WAITERS = 3000 };
    static uint64_t heard_ms[WAITERS + 1];
    struct waiting_room room;
    struct random random = {timeout_ms + step_ms};
    uint64_t now_ms = start_ms;
    uint64_t late_ms = timeout_ms / 256 + 1 + step_ms;
    uint32_t dropped = 0;
    room_init(&room, 1);
    room_wheel_reset(&room, now_ms, timeout_ms, true);
    uint64_t rounds = 6 * timeout_ms / step_ms;
    for (uint64_t round = 0; round < rounds; round++) {
        now_ms += 1 + random_index(&random, step_ms);
        for (uint32_t i = 0; i < 20 && room.last < WAITERS; i++) {
            enter(&room, now_ms);
            heard_ms[room.last] = now_ms;
        }
        for (uint32_t i = 0; i < 5; i++) {
            place_t place = 1 + random_index(&random, room.last);
            if (place % 2 || room_find(&room, place)->state != TOKEN_WAITING) continue;
            if (now_ms - heard_ms[place] >= timeout_ms) continue; /* its time is over */
            room_heard(&room, place, NULL, now_ms);
            heard_ms[place] = now_ms;
        }
        uint32_t budget = 1000000;
        for (place_t place; (place = room_silent(&room, now_ms, &budget)) != 0; dropped++) {
            assert_true(now_ms - heard_ms[place] >= timeout_ms);           /* never early */
            assert_true(now_ms - heard_ms[place] <= timeout_ms + late_ms); /* hardly late */
            room_expire(&room, place, TOKEN_END_SILENT);
        }
        for (place_t place = 1; place <= room.last; place++) {
            const struct waiter *waiter = room_find(&room, place);
            if (!waiter || waiter->state != TOKEN_WAITING) continue;
            assert_true(now_ms - heard_ms[place] <= timeout_ms + late_ms);
        }
    }
    assert_true(dropped > 0);
    room_deinit(&room);
}

static void wheel_is_never_early_and_hardly_late(void **state) {
    const struct {
        uint64_t timeout_ms, start_ms;
        uint32_t step_ms;
    } cases[] = {
        {60000, DOMAIN_EPOCH_MS, 300},
        {60000, DOMAIN_EPOCH_MS + 12345, 7000},
        {100, DOMAIN_EPOCH_MS, 1},
        {100, DOMAIN_EPOCH_MS + 7, 30},
        {255, DOMAIN_EPOCH_MS, 1},
        {257, DOMAIN_EPOCH_MS, 2},
        {1000, 3, 3},
        {POLICY_YEAR_MS, DOMAIN_EPOCH_MS, 100000000},
    };
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        wheel_at(cases[i].timeout_ms, cases[i].start_ms, cases[i].step_ms);
    }
    (void)state;
}

/* Nobody looked for a long time: all are found, whatever the budget of one look. */
static void wheel_after_a_long_sleep(void **state) {
    struct waiting_room room;
    room_init(&room, 1);
    room_wheel_reset(&room, 1000, 60000, true);
    for (uint32_t i = 0; i < 5000; i++) enter(&room, 1000 + i);
    for (place_t place = 1; place <= 5000; place += 2) room_heard(&room, place, NULL, 9990000);
    uint32_t dropped = 0;
    for (uint32_t looks = 0; room_wheel_due_ms(&room) <= 10000000; looks++) {
        uint32_t budget = 7;
        place_t place = room_silent(&room, 10000000, &budget);
        assert_true(looks < 10000);
        if (!place) continue;
        assert_int_equal(place % 2, 0);
        room_expire(&room, place, TOKEN_END_SILENT);
        dropped++;
    }
    assert_int_equal(dropped, 2500);
    assert_int_equal(room.waiting, 2500);
    room_deinit(&room);
    (void)state;
}

/* Nobody waited for a while, so the hand stood still: wherever it stands when somebody enters, it
 * comes past them and goes on. (It once found the same waiter for ever, a turn behind.) */
static void wheel_after_standing_still(void **state) {
    for (uint64_t still_ms = 0; still_ms < 5000; still_ms++) {
        struct waiting_room room;
        uint64_t now_ms = DOMAIN_EPOCH_MS + still_ms;
        uint32_t budget = 64;
        room_init(&room, 1);
        room_wheel_reset(&room, DOMAIN_EPOCH_MS, 1000, true);
        enter(&room, now_ms);
        now_ms += 10;
        assert_int_equal(room_silent(&room, now_ms, &budget), 0);
        assert_true(budget > 0);
        assert_true(room_wheel_due_ms(&room) > now_ms);
        budget = 64;
        assert_int_equal(room_silent(&room, now_ms + 1000, &budget), 1);
        room_deinit(&room);
    }
    (void)state;
}

static void reentry_by_user(void **state) {
    struct waiting_room room;
    struct id128 user = id_of(1), secret = id_of(2), nobody = id_of(3);
    room_init(&room, 1);
    for (place_t place = 1; place <= 100; place++) {
        room_enter(&room, place, &user, &secret, 1000);
        assert_int_equal(room_place_of(&room, &user), place);
        assert_int_equal(room_place_of(&room, &nobody), 0);
        room_expire(&room, place, TOKEN_END_REQUEUED);
        assert_int_equal(room_place_of(&room, &user), 0);
    }
    assert_null(room_find(&room, 0));
    assert_null(room_find(&room, 101));
    room_deinit(&room);
    (void)state;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_million_waiters),
        cmocka_unit_test(chunks_are_freed_when_all_have_ended),
        cmocka_unit_test(chunks_are_freed_with_a_wheel),
        cmocka_unit_test(wheel_is_never_early_and_hardly_late),
        cmocka_unit_test(wheel_after_a_long_sleep),
        cmocka_unit_test(wheel_after_standing_still),
        cmocka_unit_test(reentry_by_user),
    };
    return cmocka_run_group_tests_name("waiting_room", tests, NULL, NULL);
}
