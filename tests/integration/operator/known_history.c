/* known_history.c - see known_history.h
 *
 * Each decision is applied to a world as it is logged, so a history that the engine could not have
 * decided ends the test. The log is driven by hand: each scene is a block, written at its own time.
 */
#include "tests/integration/operator/known_history.h"

#include <string.h>

#include "engine/domain/error.h"
#include "engine/base/require.h"
#include "engine/base/uuid.h"
#include "wal/wal.h"

#define SIX_PM 1795284000000ull /* 2026-11-21T18:00:00Z */
#define AT(hour, minute, second, ms)                                                               \
    (SIX_PM + (uint64_t)((hour)-18) * 3600000u + (minute)*60000u + (second)*1000u + (ms))

struct known_history {
    struct wal *wal;
    struct world *world;
    uint64_t now_ms;
    struct id128 alice, bob, carol, dora;
    struct known_history_marks marks;
};

static uint64_t now(void *context) { return ((const struct known_history *)context)->now_ms; }

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
static void decide(struct known_history *history, uint32_t partition, struct decision decision) {
    uint8_t bytes[RECORD_BYTES_MAX];
    decision.partition = partition;
    decision.time_ms = history->now_ms;
    uint32_t size = decision_encode(&decision, bytes);
    int result;
    while ((result = wal_append(history->wal, 0, bytes, size, &history->marks.end_lsn)) ==
           WAL_FULL) {
        REQUIRE(wal_writer_step(history->wal, true) >= 0);
    }
    REQUIRE(result == 0 && world_apply(history->world, &decision) == WORLD_APPLIED);
    history->marks.records++;
}
#define DATE_SAYS(history, KIND, body, ...)                                                        \
    decide(history, partition_of_date(1),                                                          \
           (struct decision){.kind = DECISION_##KIND, .body = {__VA_ARGS__}})
#define CATALOGUE_SAYS(history, KIND, body, ...)                                                   \
    decide(history, PARTITION_CATALOGUE,                                                           \
           (struct decision){.kind = DECISION_##KIND, .body = {__VA_ARGS__}})
#define WALLET_SAYS(history, who, KIND, body, ...)                                                 \
    decide(                                                                                        \
        history, partition_of_user(&(history)->who),                                               \
        (struct decision){.kind = DECISION_##KIND, .body = {.user = (history)->who, __VA_ARGS__}})

/* The scene is over: write it. */
static void flush(struct known_history *history) {
    while (wal_durable_lsn(history->wal) < history->marks.end_lsn) {
        REQUIRE(wal_writer_step(history->wal, true) >= 0);
    }
}

static void scene(struct known_history *history, uint64_t time_ms) {
    flush(history);
    history->now_ms = time_ms;
}

static void found_the_date(struct known_history *history) {
    static const char *const seats[] = {"6", "7", "8", "9"};
    static const char *const guids[] = {"A-12-6", "A-12-7", "A-12-8", "A-12-9"};
    struct policy policy;
    policy_default(&policy);
    scene(history, AT(19, 0, 0, 0));
    CATALOGUE_SAYS(history, CONCERT_CREATED, concert_created, 1, text("Resonance"), {{0}});
    CATALOGUE_SAYS(history, DATE_CREATED, date_created, 1, 1, text("Odesa"), AT(23, 0, 0, 0), {{7}},
                   policy, {{0}});
    for (uint32_t i = 0; i < 4; i++) {
        DATE_SAYS(history, SEAT_ADDED, seat_added, i + 1, 120, 1, text("A"), text("12"),
                  text(seats[i]), text(guids[i]));
    }
    DATE_SAYS(history, SEAT_ADDED, seat_added, 5, 50, 1, text("B"), text("1"), text("1"), text(""));
    DATE_SAYS(history, SEAT_ADDED, seat_added, 6, 50, 0, text("B"), text("1"), text("1"), text(""));
    scene(history, AT(19, 30, 0, 0));
    decide(history, partition_of_date(1), (struct decision){.kind = DECISION_DATE_OPENED});
}

static void hold_in_vain(struct known_history *history) {
    scene(history, AT(20, 0, 0, 0));
    DATE_SAYS(history, QUEUE_ENTERED, queue_entered, 1, history->alice, {{1, 2, 3}});
    DATE_SAYS(history, ADMITTED, admitted, 1, AT(20, 6, 56, 0), 0);
    scene(history, AT(20, 0, 1, 0));
    DATE_SAYS(history, QUEUE_ENTERED, queue_entered, 2, history->bob, {{4, 5, 6}});
    DATE_SAYS(history, ADMITTED, admitted, 2, AT(20, 7, 1, 0), 0);
    scene(history, AT(20, 0, 2, 0));
    DATE_SAYS(history, QUEUE_ENTERED, queue_entered, 3, history->dora, {{7, 8, 9}});
    WALLET_SAYS(history, dora, WALLET_CHARGED, wallet_charged, .amount = 10, .balance = 10,
                .key = key(5));
    DATE_SAYS(history, QUEUE_ENTERED, queue_entered, 4, history->carol, {{7, 8, 10}});
    scene(history, AT(20, 0, 3, 250));
    DATE_SAYS(history, SEATS_HELD, seats_held, 1, 1, history->alice, {1, {2}}, 120,
              AT(20, 5, 3, 250), 0);
    history->marks.held_lsn = history->marks.end_lsn;
    scene(history, AT(20, 0, 3, 300));
    DATE_SAYS(history, HOLD_REFUSED, hold_refused, 2, history->bob, ERROR_SEAT_TAKEN, 2);
    scene(history, AT(20, 5, 3, 250));
    DATE_SAYS(history, RESERVATION_ENDED, reservation_ended, 1, RESERVATION_EXPIRED, {{0}});
}

static void pay_at_the_second_try(struct known_history *history) {
    const uint64_t payment[] = {0, dated_id(1, 1), dated_id(1, 2)}, reservation = dated_id(1, 2);
    scene(history, AT(20, 5, 10, 0));
    DATE_SAYS(history, SEATS_HELD, seats_held, 2, 2, history->bob, {2, {2, 3}}, 240,
              AT(20, 10, 10, 0), 0);
    DATE_SAYS(history, SEATS_HELD, seats_held, 3, 1, history->alice, {1, {4}}, 120,
              AT(20, 10, 10, 0), 0);
    scene(history, AT(20, 6, 0, 0));
    DATE_SAYS(history, PAYMENT_STARTED, payment_started, 1, 2, key(1), 0);
    WALLET_SAYS(history, bob, FUNDS_REFUSED, funds_refused, .payment = payment[1],
                .reservation = reservation, .amount = 240);
    DATE_SAYS(history, PAYMENT_REFUSED, payment_refused, 1, 2, 0, 240);
    scene(history, AT(20, 6, 10, 0));
    WALLET_SAYS(history, bob, WALLET_CHARGED, wallet_charged, .amount = 1000, .balance = 1000,
                .key = key(2));
    scene(history, AT(20, 6, 20, 0));
    DATE_SAYS(history, PAYMENT_STARTED, payment_started, 2, 2, key(3), 0);
    WALLET_SAYS(history, bob, FUNDS_RESERVED, funds_reserved, .payment = payment[2],
                .reservation = reservation, .amount = 240, .balance = 760);
    DATE_SAYS(history, SEATS_SOLD, seats_sold, 2, 2, 240, 760, 1, 0);
    WALLET_SAYS(history, bob, FUNDS_POSTED, funds_posted, .payment = payment[2], .amount = 240);
    DATE_SAYS(history, OUTAGE_CREDITED, outage_credited, OUTAGE_STALLED, AT(20, 6, 16, 0), 4000);
    scene(history, AT(20, 7, 0, 0));
    DATE_SAYS(history, TOKEN_EXPIRED, token_expired, 1, TOKEN_END_TIME, {1, {3}});
    scene(history, AT(20, 10, 0, 0));
    DATE_SAYS(history, REFUND_STARTED, refund_started, 2, 2, key(4));
    WALLET_SAYS(history, bob, FUNDS_REFUNDED, funds_refunded, .payment = payment[2],
                .reservation = reservation, .amount = 240, .balance = 1000);
    DATE_SAYS(history, SEATS_REFUNDED, seats_refunded, 2, 2, 1000);
    WALLET_SAYS(history, bob, REFUND_CLOSED, refund_closed, .payment = payment[2]);
}

static void hash(struct known_history *history, const struct partition *partition) {
    if (!partition) return;
    decide(history, partition->id,
           (struct decision){.kind = DECISION_STATE_HASHED,
                             .state_hashed = {partition_hash(partition)}});
    flush(history); /* small blocks: the last segment has some, whatever the others hold */
}

static void fill(struct known_history *history) {
    scene(history, AT(20, 20, 0, 0));
    history->marks.filler_lsn = history->marks.end_lsn;
    for (uint32_t i = 1; i <= KNOWN_CHARGES; i++) {
        WALLET_SAYS(history, carol, WALLET_CHARGED, wallet_charged, .amount = 1, .balance = i,
                    .key = {{7, (uint8_t)i, (uint8_t)(i >> 8)}});
        if (i % 100 == 0) flush(history);
        history->now_ms++;
    }
    scene(history, AT(20, 30, 0, 0));
    hash(history, history->world->catalogue);
    for (uint32_t i = 0; i < ACCOUNT_PARTITIONS; i++) hash(history, history->world->accounts[i]);
    hash(history, history->world->dates[1]);
}

void known_history_write(const char *directory, struct world **ret_world,
                         struct known_history_marks *ret_marks) {
    static const struct id128 seed = {{3}};
    struct storage *storage;
    struct wal_error error;
    struct known_history history = {.world = world_create(&seed),
                                    .now_ms = AT(18, 30, 0, 0),
                                    .alice = uuid(ALICE),
                                    .bob = uuid(BOB),
                                    .carol = uuid(CAROL),
                                    .dora = uuid(DORA)};
    REQUIRE(storage_posix_open(directory, STORAGE_WAL, &storage) == 0);
    const struct wal_options options = {
        .storage = storage,
        .clock = {&history, now},
        .entropy = {NULL, entropy},
        .segment_bytes = KNOWN_SEGMENT_BYTES,
        .appenders = 1,
    };
    REQUIRE(wal_open(&options, NULL, &history.wal, &error) == 0);
    found_the_date(&history);
    hold_in_vain(&history);
    pay_at_the_second_try(&history);
    fill(&history);
    REQUIRE(wal_stop(history.wal) == 0);
    wal_close(history.wal);
    storage->operations->destroy(storage);
    *ret_world = history.world;
    *ret_marks = history.marks;
}
