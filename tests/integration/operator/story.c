/* story.c - see story.h
 *
 * Each decision is applied to a world as it is logged, so a story that the engine could not have
 * decided ends the test. The log is driven by hand: each scene is a block, written at its own time.
 */
#include "tests/integration/operator/story.h"

#include <string.h>

#include "engine/domain/error.h"
#include "engine/base/require.h"
#include "engine/base/uuid.h"
#include "tests/integration/operator/kit.h"
#include "wal/wal.h"

#define SIX_PM 1795284000000ull /* 2026-11-21T18:00:00Z */
#define AT(hour, minute, second, ms)                                                               \
    (SIX_PM + (uint64_t)((hour)-18) * 3600000u + (minute)*60000u + (second)*1000u + (ms))

struct story {
    struct wal *wal;
    struct world *world;
    uint64_t now_ms;
    struct id128 alice, bob, carol, dora;
    struct story_marks marks;
};

static uint64_t now(void *context) { return ((const struct story *)context)->now_ms; }

static void entropy(void *context, void *bytes, uint32_t size) {
    (void)context;
    memset(bytes, 0x5A, size); /* a log's id: any will do */
}

static struct id128 uuid(const char *text) {
    struct id128 id;
    REQUIRE(uuid_parse(text, UUID_TEXT_BYTES, &id));
    return id;
}

static struct text text(const char *bytes) { return (struct text){bytes, (uint8_t)strlen(bytes)}; }

static struct id128 key(uint8_t number) { return (struct id128){{number, 0x99}}; }

/* Decide: log and apply. */
static void decide(struct story *story, uint32_t partition, struct decision decision) {
    uint8_t bytes[RECORD_BYTES_MAX];
    decision.partition = partition;
    decision.time_ms = story->now_ms;
    uint32_t size = decision_encode(&decision, bytes);
    int result;
    while ((result = wal_append(story->wal, 0, bytes, size, &story->marks.end_lsn)) == WAL_FULL) {
        REQUIRE(wal_writer_step(story->wal, true) >= 0);
    }
    REQUIRE(result == 0 && world_apply(story->world, &decision) == WORLD_APPLIED);
    story->marks.records++;
}
#define DATE_SAYS(story, KIND, body, ...)                                                          \
    decide(story, partition_of_date(1),                                                            \
           (struct decision){.kind = DECISION_##KIND, .body = {__VA_ARGS__}})
#define CATALOGUE_SAYS(story, KIND, body, ...)                                                     \
    decide(story, PARTITION_CATALOGUE,                                                             \
           (struct decision){.kind = DECISION_##KIND, .body = {__VA_ARGS__}})
#define WALLET_SAYS(story, who, KIND, body, ...)                                                   \
    decide(                                                                                        \
        story, partition_of_user(&(story)->who),                                                   \
        (struct decision){.kind = DECISION_##KIND, .body = {.user = (story)->who, __VA_ARGS__}})

/* The scene is over: write it. */
static void flush(struct story *story) {
    while (wal_durable_lsn(story->wal) < story->marks.end_lsn) {
        REQUIRE(wal_writer_step(story->wal, true) >= 0);
    }
}

static void scene(struct story *story, uint64_t time_ms) {
    flush(story);
    story->now_ms = time_ms;
}

static void found_the_date(struct story *story) {
    static const char *const seats[] = {"6", "7", "8", "9"};
    static const char *const guids[] = {"A-12-6", "A-12-7", "A-12-8", "A-12-9"};
    struct policy policy;
    policy_default(&policy);
    scene(story, AT(19, 0, 0, 0));
    CATALOGUE_SAYS(story, CONCERT_CREATED, concert_created, 1, text("Resonance"), {{0}});
    CATALOGUE_SAYS(story, DATE_CREATED, date_created, 1, 1, text("Odesa"), AT(23, 0, 0, 0), {{7}},
                   policy, {{0}});
    for (uint32_t i = 0; i < 4; i++) {
        DATE_SAYS(story, SEAT_ADDED, seat_added, i + 1, 120, 1, text("A"), text("12"),
                  text(seats[i]), text(guids[i]));
    }
    DATE_SAYS(story, SEAT_ADDED, seat_added, 5, 50, 1, text("B"), text("1"), text("1"), text(""));
    DATE_SAYS(story, SEAT_ADDED, seat_added, 6, 50, 0, text("B"), text("1"), text("1"), text(""));
    scene(story, AT(19, 30, 0, 0));
    decide(story, partition_of_date(1), (struct decision){.kind = DECISION_DATE_OPENED});
}

static void hold_in_vain(struct story *story) {
    scene(story, AT(20, 0, 0, 0));
    DATE_SAYS(story, QUEUE_ENTERED, queue_entered, 1, story->alice, {{1, 2, 3}});
    DATE_SAYS(story, ADMITTED, admitted, 1, AT(20, 6, 56, 0), 0);
    scene(story, AT(20, 0, 1, 0));
    DATE_SAYS(story, QUEUE_ENTERED, queue_entered, 2, story->bob, {{4, 5, 6}});
    DATE_SAYS(story, ADMITTED, admitted, 2, AT(20, 7, 1, 0), 0);
    scene(story, AT(20, 0, 2, 0));
    DATE_SAYS(story, QUEUE_ENTERED, queue_entered, 3, story->dora, {{7, 8, 9}});
    WALLET_SAYS(story, dora, WALLET_CHARGED, wallet_charged, .amount = 10, .balance = 10,
                .key = key(5));
    DATE_SAYS(story, QUEUE_ENTERED, queue_entered, 4, story->carol, {{7, 8, 10}});
    scene(story, AT(20, 0, 3, 250));
    DATE_SAYS(story, SEATS_HELD, seats_held, 1, 1, story->alice, {1, {2}}, 120, AT(20, 5, 3, 250),
              0);
    story->marks.held_lsn = story->marks.end_lsn;
    scene(story, AT(20, 0, 3, 300));
    DATE_SAYS(story, HOLD_REFUSED, hold_refused, 2, story->bob, ERROR_SEAT_TAKEN, 2);
    scene(story, AT(20, 5, 3, 250));
    DATE_SAYS(story, RESERVATION_ENDED, reservation_ended, 1, RESERVATION_EXPIRED, {{0}});
}

static void pay_at_the_second_try(struct story *story) {
    const uint64_t payment[] = {0, dated_id(1, 1), dated_id(1, 2)}, reservation = dated_id(1, 2);
    scene(story, AT(20, 5, 10, 0));
    DATE_SAYS(story, SEATS_HELD, seats_held, 2, 2, story->bob, {2, {2, 3}}, 240, AT(20, 10, 10, 0),
              0);
    DATE_SAYS(story, SEATS_HELD, seats_held, 3, 1, story->alice, {1, {4}}, 120, AT(20, 10, 10, 0),
              0);
    scene(story, AT(20, 6, 0, 0));
    DATE_SAYS(story, PAYMENT_STARTED, payment_started, 1, 2, key(1), 0);
    WALLET_SAYS(story, bob, FUNDS_REFUSED, funds_refused, .payment = payment[1],
                .reservation = reservation, .amount = 240);
    DATE_SAYS(story, PAYMENT_REFUSED, payment_refused, 1, 2, 0, 240);
    scene(story, AT(20, 6, 10, 0));
    WALLET_SAYS(story, bob, WALLET_CHARGED, wallet_charged, .amount = 1000, .balance = 1000,
                .key = key(2));
    scene(story, AT(20, 6, 20, 0));
    DATE_SAYS(story, PAYMENT_STARTED, payment_started, 2, 2, key(3), 0);
    WALLET_SAYS(story, bob, FUNDS_RESERVED, funds_reserved, .payment = payment[2],
                .reservation = reservation, .amount = 240, .balance = 760);
    DATE_SAYS(story, SEATS_SOLD, seats_sold, 2, 2, 240, 760, 1, 0);
    WALLET_SAYS(story, bob, FUNDS_POSTED, funds_posted, .payment = payment[2], .amount = 240);
    DATE_SAYS(story, OUTAGE_CREDITED, outage_credited, OUTAGE_STALLED, AT(20, 6, 16, 0), 4000);
    scene(story, AT(20, 7, 0, 0));
    DATE_SAYS(story, TOKEN_EXPIRED, token_expired, 1, TOKEN_END_TIME, {1, {3}});
    scene(story, AT(20, 10, 0, 0));
    DATE_SAYS(story, REFUND_STARTED, refund_started, 2, 2, key(4));
    WALLET_SAYS(story, bob, FUNDS_REFUNDED, funds_refunded, .payment = payment[2],
                .reservation = reservation, .amount = 240, .balance = 1000);
    DATE_SAYS(story, SEATS_REFUNDED, seats_refunded, 2, 2, 1000);
    WALLET_SAYS(story, bob, REFUND_CLOSED, refund_closed, .payment = payment[2]);
}

static void hash(struct story *story, const struct partition *partition) {
    if (!partition) return;
    decide(story, partition->id,
           (struct decision){.kind = DECISION_STATE_HASHED,
                             .state_hashed = {partition_hash(partition)}});
    flush(story); /* small blocks: the last segment has some, whatever the others hold */
}

static void fill(struct story *story) {
    scene(story, AT(20, 20, 0, 0));
    story->marks.filler_lsn = story->marks.end_lsn;
    for (uint32_t i = 1; i <= KIT_CHARGES; i++) {
        WALLET_SAYS(story, carol, WALLET_CHARGED, wallet_charged, .amount = 1, .balance = i,
                    .key = {{7, (uint8_t)i, (uint8_t)(i >> 8)}});
        if (i % 100 == 0) flush(story);
        story->now_ms++;
    }
    scene(story, AT(20, 30, 0, 0));
    hash(story, story->world->catalogue);
    for (uint32_t i = 0; i < ACCOUNT_PARTITIONS; i++) hash(story, story->world->accounts[i]);
    hash(story, story->world->dates[1]);
}

void story_write(const char *directory, struct world **ret_world, struct story_marks *ret_marks) {
    static const struct id128 seed = {{3}};
    struct storage *storage;
    struct wal_error error;
    struct story story = {.world = world_create(&seed),
                          .now_ms = AT(18, 30, 0, 0),
                          .alice = uuid(ALICE),
                          .bob = uuid(BOB),
                          .carol = uuid(CAROL),
                          .dora = uuid(DORA)};
    REQUIRE(storage_posix_open(directory, STORAGE_WAL, &storage) == 0);
    const struct wal_options options = {
        .storage = storage,
        .clock = {&story, now},
        .entropy = {NULL, entropy},
        .segment_bytes = KIT_SEGMENT_BYTES,
        .appenders = 1,
    };
    REQUIRE(wal_open(&options, NULL, &story.wal, &error) == 0);
    found_the_date(&story);
    hold_in_vain(&story);
    pay_at_the_second_try(&story);
    fill(&story);
    REQUIRE(wal_stop(story.wal) == 0);
    wal_close(story.wal);
    storage->operations->destroy(storage);
    *ret_world = story.world;
    *ret_marks = story.marks;
}
