/* test_follow.c - which decisions concern whom, and what is said of them
 *
 * The random tests have a second opinion: every decision about one person's place, reservation or
 * wallet concerns exactly that person, found here by plain tables.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/domain/date/date.h"
#include "engine/domain/error.h"
#include "engine/domain/image/image.h"
#include "replay/tell/follow.h"
#include "replay/tell/narrate.h"
#include "tests/support/random_history.h"

#define USERS 12u
#define REQUESTS 1500u
#define SEQUENCES_MAX 20000u

/* --- random histories ------------------------------------------------------------------------- */

/* Whose is a decision? By tables that are filled in as the log goes. */
struct follow_oracle {
    struct id128 by_place[RANDOM_HISTORY_DATES + 1][SEQUENCES_MAX];
    struct id128 by_reservation[RANDOM_HISTORY_DATES + 1][SEQUENCES_MAX];
};

/* Return: the user; none where the decision is about nobody */
static struct id128 owner(struct follow_oracle *oracle, const struct decision *d) {
    static const struct id128 nobody = {{0}};
    uint32_t date = partition_is_date(d->partition) ? d->partition - PARTITION_DATE_FIRST : 0;
    assert_true(date <= RANDOM_HISTORY_DATES);
    switch (d->kind) {
    case DECISION_QUEUE_ENTERED:
        return oracle->by_place[date][d->queue_entered.place] = d->queue_entered.user;
    case DECISION_ADMITTED: return oracle->by_place[date][d->admitted.place];
    case DECISION_TOKEN_EXPIRED: return oracle->by_place[date][d->token_expired.place];
    case DECISION_SEATS_HELD:
        return oracle->by_reservation[date][d->seats_held.reservation] = d->seats_held.user;
    case DECISION_HOLD_REFUSED: return d->hold_refused.user;
    case DECISION_RESERVATION_ENDED:
        return oracle->by_reservation[date][d->reservation_ended.reservation];
    case DECISION_PAYMENT_STARTED:
        return oracle->by_reservation[date][d->payment_started.reservation];
    case DECISION_PAYMENT_REFUSED:
        return oracle->by_reservation[date][d->payment_refused.reservation];
    case DECISION_SEATS_SOLD: return oracle->by_reservation[date][d->seats_sold.reservation];
    case DECISION_PAYMENT_ABORTED:
        return oracle->by_reservation[date][d->payment_aborted.reservation];
    case DECISION_REFUND_STARTED:
        return oracle->by_reservation[date][d->refund_started.reservation];
    case DECISION_SEATS_REFUNDED:
        return oracle->by_reservation[date][d->seats_refunded.reservation];
    case DECISION_WALLET_CHARGED: return d->wallet_charged.user;
    case DECISION_FUNDS_RESERVED: return d->funds_reserved.user;
    case DECISION_FUNDS_REFUSED: return d->funds_refused.user;
    case DECISION_FUNDS_POSTED: return d->funds_posted.user;
    case DECISION_FUNDS_VOIDED: return d->funds_voided.user;
    case DECISION_FUNDS_REFUNDED: return d->funds_refunded.user;
    case DECISION_REFUND_CLOSED: return d->refund_closed.user;
    default: return nobody;
    }
}

/* The log's next decision. Return: false at its end */
static bool next(struct record_source *source, struct decision *ret_decision, uint64_t *ret_lsn) {
    struct source_record record;
    struct source_error error;
    if (source->next(source->context, &record, &error) != 0) return false;
    assert_int_equal(decision_decode(record.bytes, record.size, ret_decision), DECISION_DECODE_OK);
    *ret_lsn = record.lsn;
    return true;
}

static void seek(struct record_source *source, uint64_t lsn) {
    struct source_error error;
    assert_int_equal(source->seek(source->context, lsn, &error), 0);
}

static void every_decision_is_somebodys(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct memory_log log;
        struct random_history history;
        struct decision decision;
        struct follow *follows[USERS];
        struct follow_oracle *oracle = calloc(1, sizeof *oracle);
        uint64_t lsn, counted = 0;
        assert_non_null(oracle);
        printf("# seed %llu\n", (unsigned long long)seed);
        memory_log_init(&log);
        random_history_init(&history, &log, seed, USERS);
        random_history_run(&history, REQUESTS);
        for (uint32_t i = 0; i < USERS; i++) {
            const struct subject subject = {.kind = SUBJECT_USER, .user = random_history_user(i)};
            follows[i] = follow_open(&subject);
        }
        struct record_source source = memory_log_source(&log);
        seek(&source, 0);
        while (next(&source, &decision, &lsn)) {
            struct id128 expected = owner(oracle, &decision);
            for (uint32_t i = 0; i < USERS; i++) {
                struct id128 user = random_history_user(i);
                bool mine = follow_decision(follows[i], &decision);
                if (decision.kind == DECISION_DATE_CANCELLED ||
                    decision.kind == DECISION_OUTAGE_CREDITED) {
                    continue; /* concerns many */
                }
                if (mine != id128_equal(&user, &expected)) {
                    fail_msg("LSN %llu, %s: user %u", (unsigned long long)lsn,
                             decision_name(decision.kind), i);
                }
                counted += mine;
            }
        }
        assert_true(counted > REQUESTS / 3);
        for (uint32_t i = 0; i < USERS; i++) follow_close(follows[i]);
        free(oracle);
        random_history_deinit(&history);
        memory_log_deinit(&log);
    }
}

/* A seat's story: nobody holds it while somebody has it, and it is freed by who had it. */
static void a_seat_is_never_two_peoples(void **state) {
    (void)state;
    struct memory_log log;
    struct random_history history;
    struct decision decision;
    uint64_t lsn, holds = 0;
    memory_log_init(&log);
    random_history_init(&history, &log, 11, USERS);
    random_history_run(&history, REQUESTS);
    for (uint32_t seat = 1; seat <= 8; seat++) {
        const struct subject subject = {.kind = SUBJECT_SEAT, .date = 1, .seat = seat};
        struct follow *follow = follow_open(&subject);
        struct record_source source = memory_log_source(&log);
        uint64_t has = 0;
        seek(&source, 0);
        while (next(&source, &decision, &lsn)) {
            if (!follow_decision(follow, &decision)) continue;
            uint64_t about = follow_reservation_of(follow, &decision);
            switch (decision.kind) {
            case DECISION_SEATS_HELD:
                assert_int_equal(has, 0);
                has = about;
                holds++;
                break;
            case DECISION_RESERVATION_ENDED:
            case DECISION_PAYMENT_ABORTED:
            case DECISION_SEATS_REFUNDED:
                assert_int_equal(has, about);
                has = 0;
                break;
            case DECISION_TOKEN_EXPIRED: has = 0; break;
            default: assert_true(about == 0 || about == has);
            }
        }
        const struct date *date = (const struct date *)history.world->dates[1];
        assert_int_equal(seat_map_seat(&date->seats, seat)->reservation, dated_id_sequence(has));
        follow_close(follow);
    }
    assert_true(holds > 20);
    random_history_deinit(&history);
    memory_log_deinit(&log);
}

/* --- from an image ---------------------------------------------------------------------------- */

struct follow_learning {
    struct follow *follow;
    uint32_t partition;
};

static int learn(void *context, const struct entity *entity, const uint8_t *bytes, uint32_t size) {
    struct follow_learning *learning = context;
    assert_true(bytes != NULL && size >= ENTITY_HEADER_BYTES);
    if (entity->kind == ENTITY_PARTITION) learning->partition = entity->partition.partition;
    follow_entity(learning->follow, learning->partition, entity);
    return 0;
}

/* Subjects of the next test: all users, some seats, and the latest reservations of a date, of which
 * some are being paid or refunded. */
#define SEATS_FOLLOWED 4u
#define RESERVATIONS_FOLLOWED 60u
#define FOLLOWED (USERS + SEATS_FOLLOWED + RESERVATIONS_FOLLOWED)

static struct subject subject_of(const struct random_history *history, uint32_t number) {
    const struct date *date = (const struct date *)history->world->dates[1];
    if (number < USERS) {
        return (struct subject){.kind = SUBJECT_USER, .user = random_history_user(number)};
    }
    number -= USERS;
    if (number < SEATS_FOLLOWED) {
        return (struct subject){.kind = SUBJECT_SEAT, .date = 1, .seat = number + 1};
    }
    uint32_t sequence = date->reservations.sequence_count - (number - SEATS_FOLLOWED);
    return (struct subject){.kind = SUBJECT_RESERVATION, .reservation = dated_id(1, sequence)};
}

/* Who begins in the middle, with an image of that state, sees what the others see. */
static void an_image_is_as_good_as_the_beginning(void **state) {
    (void)state;
    struct memory_log log;
    struct random_history history;
    struct decision decision;
    uint64_t lsn, seen = 0;
    memory_log_init(&log);
    random_history_init(&history, &log, 5, USERS);
    random_history_run(&history, REQUESTS);
    uint64_t middle_lsn = log.size;
    struct follow *from_start[FOLLOWED], *from_middle[FOLLOWED];
    for (uint32_t i = 0; i < FOLLOWED; i++) {
        const struct subject subject = subject_of(&history, i);
        from_start[i] = follow_open(&subject);
        from_middle[i] = follow_open(&subject);
        struct follow_learning learning = {.follow = from_middle[i]};
        const struct image_sink sink = {learn, &learning};
        assert_int_equal(image_save(history.world, &sink), 0);
    }
    random_history_run(&history, REQUESTS);
    struct record_source source = memory_log_source(&log);
    seek(&source, 0);
    while (next(&source, &decision, &lsn)) {
        for (uint32_t i = 0; i < FOLLOWED; i++) {
            bool mine = follow_decision(from_start[i], &decision);
            if (lsn <= middle_lsn) continue;
            bool also = follow_decision(from_middle[i], &decision);
            if (mine != also) {
                fail_msg("LSN %llu, %s: subject %u", (unsigned long long)lsn,
                         decision_name(decision.kind), i);
            }
            seen += mine;
        }
    }
    assert_true(seen > REQUESTS / 3);
    for (uint32_t i = 0; i < FOLLOWED; i++) {
        follow_close(from_start[i]);
        follow_close(from_middle[i]);
    }
    random_history_deinit(&history);
    memory_log_deinit(&log);
}

/* All that is left of a reservation's story, and nothing else. */
static void a_reservation_without_its_beginning(void **state) {
    (void)state;
    const struct subject subject = {.kind = SUBJECT_RESERVATION, .reservation = dated_id(7, 12)};
    struct follow *follow = follow_open(&subject);
    struct decision decision = {.kind = DECISION_RESERVATION_ENDED,
                                .partition = partition_of_date(7),
                                .reservation_ended = {12, RESERVATION_EXPIRED, {{0}}}};
    assert_true(follow_decision(follow, &decision));
    assert_null(follow_known(follow, subject.reservation));
    decision.partition = partition_of_date(8);
    assert_false(follow_decision(follow, &decision));
    decision = (struct decision){.kind = DECISION_TOKEN_EXPIRED,
                                 .partition = partition_of_date(7),
                                 .token_expired = {3, TOKEN_END_TIME, {2, {11, 12}}}};
    assert_true(follow_decision(follow, &decision));
    decision.token_expired.released.count = 1;
    assert_false(follow_decision(follow, &decision));
    follow_close(follow);
}

/* --- sentences -------------------------------------------------------------------------------- */

#define ANN                                                                                        \
    {                                                                                              \
        { 0xA, 1 }                                                                                 \
    }
#define ANN_TEXT "0a010000-0000-0000-0000-000000000000"
#define NOON 1795262400000ull /* 2026-11-21T12:00:00Z */

/* In order: each is shown to a follower of the seat, the user and the reservation. NULL: it does
 * not concern that one. */
static const struct {
    struct decision decision;
    const char *seat, *user, *reservation;
} lines[] = {
    {{.kind = DECISION_SEAT_ADDED, .seat_added = {2, 1, 0, {"A", 1}, {"\n", 1}, {"", 0}, {"", 0}}},
     "added as section A, row  : 1 point, not for sale",
     NULL,
     NULL},
    {{.kind = DECISION_QUEUE_ENTERED, .queue_entered = {3, ANN, {{0}}}},
     NULL,
     "entered the line of date 7 at place 3",
     NULL},
    {{.kind = DECISION_OUTAGE_CREDITED, .outage_credited = {OUTAGE_LOG, NOON, 1}},
     NULL, /* who waits has no time that runs out: no record says so */
     NULL,
     NULL},
    {{.kind = DECISION_ADMITTED, .admitted = {.place = 3, .expires_at = NOON + 1000}},
     NULL,
     "admitted to date 7 until 12:00:01.000, place 3",
     NULL},
    {{.kind = DECISION_OUTAGE_CREDITED,
      .outage_credited = {OUTAGE_DOWN, NOON - 86400000, 86400000}},
     NULL,
     "turn and holds extended by 86400.000 s, date 7: the engine was down since "
     "2026-11-20T12:00:00.000Z",
     NULL},
    {{.kind = DECISION_SEATS_HELD,
      .seats_held = {12, 3, ANN, {3, {1, 2, 3}}, 360, NOON + 86400000, 0}},
     "held by " ANN_TEXT " until 2026-11-22T12:00:00.000Z, reservation 7-12, 360 points, with 2 "
     "other seats",
     "held until 2026-11-22T12:00:00.000Z, reservation 7-12, 360 points: date 7, number 1; number "
     "2; number 3",
     "held by " ANN_TEXT " until 2026-11-22T12:00:00.000Z, 360 points: date 7, number 1; number 2; "
     "number 3"},
    {{.kind = DECISION_HOLD_REFUSED, .hold_refused = {3, ANN, ERROR_SEAT_UNKNOWN, 0}},
     NULL,
     "refused: SEAT_UNKNOWN: date 7",
     NULL},
    {{.kind = DECISION_PAYMENT_STARTED,
      .payment_started = {.payment = 5, .reservation = 12, .key = {{1}}}},
     "payment 7-5 started by " ANN_TEXT ", reservation 7-12",
     "payment 7-5 started, reservation 7-12",
     "payment 7-5 started by " ANN_TEXT},
    {{.kind = DECISION_OUTAGE_CREDITED, .outage_credited = {OUTAGE_STALLED, NOON - 4017, 4017}},
     "hold extended by 4.017 s: the engine stood still since 11:59:55.983",
     "turn and holds extended by 4.017 s, date 7: the engine stood still since 11:59:55.983",
     "hold extended by 4.017 s: the engine stood still since 11:59:55.983"},
    {{.kind = DECISION_OUTAGE_CREDITED, /* of another date */
      .partition = PARTITION_DATE_FIRST + 8,
      .outage_credited = {OUTAGE_STALLED, NOON - 4017, 4017}},
     NULL,
     NULL,
     NULL},
    {{.kind = DECISION_FUNDS_RESERVED,
      .partition = PARTITION_ACCOUNT_FIRST,
      .funds_reserved = {ANN, 7ull << 32 | 5, 7ull << 32 | 12, 360, 40}},
     NULL,
     "wallet: 360 points set aside for payment 7-5, reservation 7-12; balance 40",
     "wallet: 360 points set aside for payment 7-5; balance 40"},
    {{.kind = DECISION_DATE_CANCELLED}, "date 7 cancelled", "date 7 cancelled", "date 7 cancelled"},
    {{.kind = DECISION_PAYMENT_ABORTED, .payment_aborted = {5, 12}},
     "freed: payment 7-5 by " ANN_TEXT
     " aborted, the date was cancelled meanwhile, reservation 7-12",
     "freed: payment 7-5 aborted, the date was cancelled meanwhile, reservation 7-12",
     "freed: payment 7-5 by " ANN_TEXT " aborted, the date was cancelled meanwhile"},
    {{.kind = DECISION_FUNDS_VOIDED,
      .partition = PARTITION_ACCOUNT_FIRST,
      .funds_voided = {ANN, 7ull << 32 | 5, 7ull << 32 | 12, 360, 400}},
     NULL,
     "wallet: 360 points given back from payment 7-5, reservation 7-12; balance 400",
     "wallet: 360 points given back from payment 7-5; balance 400"},
    {{.kind = DECISION_TOKEN_EXPIRED, .token_expired = {3, TOKEN_END_LEFT, {1, {12}}}},
     "freed: " ANN_TEXT " left, reservation 7-12",
     "left, date 7, place 3; with it expired reservation 7-12",
     "freed: " ANN_TEXT " left"},
    {{.kind = DECISION_TOKEN_EXPIRED, .token_expired = {3, TOKEN_END_SILENT, {0, {0}}}},
     NULL,
     "not heard from for too long: lost the place, date 7, place 3",
     NULL},
    {{.kind = DECISION_OUTAGE_CREDITED, .outage_credited = {OUTAGE_LOG, NOON - 1000, 1000}},
     NULL, /* nothing of theirs runs any more */
     NULL,
     NULL},
    {{.kind = DECISION_SEATS_HELD, .seats_held = {13, 4, {{9}}, {1, {9}}, 1, NOON, 0}},
     NULL,
     NULL,
     NULL},
    {{.kind = DECISION_RESERVATION_ENDED, .reservation_ended = {13, RESERVATION_RELEASED, {{0}}}},
     NULL,
     NULL,
     NULL},
};

static void sentences(void **state) {
    (void)state;
    static const struct id128 seed = {{1}};
    struct world *world = world_create(&seed);
    const struct subject subjects[] = {
        {.kind = SUBJECT_SEAT, .date = 7, .seat = 2},
        {.kind = SUBJECT_USER, .user = ANN},
        {.kind = SUBJECT_RESERVATION, .reservation = 7ull << 32 | 12},
    };
    for (size_t who = 0; who < 3; who++) {
        struct follow *follow = follow_open(&subjects[who]);
        for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
            char text[NARRATE_BYTES];
            const char *const all[] = {lines[i].seat, lines[i].user, lines[i].reservation};
            struct decision decision = lines[i].decision;
            decision.time_ms = NOON;
            if (decision.partition == 0) decision.partition = partition_of_date(7);
            assert_int_equal(follow_decision(follow, &decision), all[who] != NULL);
            if (!all[who]) continue;
            size_t size = narrate(&decision, &subjects[who], world, follow, text);
            assert_string_equal(text, all[who]);
            assert_int_equal(size, strlen(text));
        }
        follow_close(follow);
    }
    world_free(world);
}

/* The most and longest seats that there can be: it still fits, and is cut nowhere. */
static void the_longest_sentence_fits(void **state) {
    (void)state;
    static const struct id128 seed = {{1}};
    char worst[TEXT_BYTES_MAX], text[NARRATE_BYTES];
    struct world *world = world_create(&seed);
    struct decision concert = {.kind = DECISION_CONCERT_CREATED,
                               .concert_created = {.concert = 1, .title = {"x", 1}}};
    struct decision decision = {
        .kind = DECISION_DATE_CREATED,
        .date_created = {
            .date = 1, .concert = 1, .title = {"x", 1}, .starts_at = NOON, .seed = {{1}}}};
    assert_int_equal(world_apply(world, &concert), WORLD_APPLIED);
    memset(worst, 0xFF, sizeof worst); /* every byte becomes three */
    const struct text label = {worst, TEXT_BYTES_MAX};
    assert_int_equal(world_apply(world, &decision), WORLD_APPLIED);
    struct numbers seats = {.count = SEATS_PER_USER_MAX};
    for (uint32_t i = 1; i <= SEATS_PER_USER_MAX; i++) {
        decision = (struct decision){.kind = DECISION_SEAT_ADDED,
                                     .partition = partition_of_date(1),
                                     .seat_added = {i, 1, 1, label, label, label, {"", 0}}};
        assert_int_equal(world_apply(world, &decision), WORLD_APPLIED);
        seats.values[i - 1] = i;
    }
    const struct subject subject = {.kind = SUBJECT_USER, .user = ANN};
    struct follow *follow = follow_open(&subject);
    decision = (struct decision){.kind = DECISION_SEATS_HELD,
                                 .partition = partition_of_date(1),
                                 .seats_held = {1, 1, ANN, seats, 1, NOON, 0}};
    assert_true(follow_decision(follow, &decision));
    size_t size = narrate(&decision, &subject, world, follow, text);
    assert_true(size < NARRATE_BYTES - 1);
    assert_non_null(strstr(text, "(number 16)"));
    follow_close(follow);
    world_free(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_decision_is_somebodys),
        cmocka_unit_test(a_seat_is_never_two_peoples),
        cmocka_unit_test(an_image_is_as_good_as_the_beginning),
        cmocka_unit_test(a_reservation_without_its_beginning),
        cmocka_unit_test(sentences),
        cmocka_unit_test(the_longest_sentence_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
