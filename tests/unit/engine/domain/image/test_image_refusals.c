/* test_image_refusals.c - nothing false is loaded from an image
 *
 * A table of everything that the loader refuses, the limits, and images with random damage: what is
 * loaded all the same is sound, goes on living, and is saved as the same bytes.
 *
 * USHER_SEED=n picks the damage, USHER_SEEDS=n how many thousand images.
 */
#include "tests/unit/engine/domain/domain_image.h"
#include "tests/unit/engine/domain/domain_test.h"
#include "tests/support/random.h"

/* --- an image that can be edited -------------------------------------------------------------- */

#define ENTITIES_MAX 512u

struct edited {
    struct domain_image image; /* the texts of the entities point into it */
    struct entity entities[ENTITIES_MAX];
    uint32_t count;
};

static void decode_all(struct edited *edited) {
    edited->count = 0;
    for (uint32_t at = 0; at < edited->image.size;) {
        uint16_t size;
        memcpy(&size, edited->image.bytes + at, sizeof size);
        assert_true(edited->count < ENTITIES_MAX);
        assert_int_equal(
            entity_decode(edited->image.bytes + at, size, &edited->entities[edited->count++]),
            DECISION_DECODE_OK);
        at += size;
    }
}

static struct domain_image encode_all(const struct edited *edited) {
    struct domain_image image = {.capacity = edited->count * RECORD_BYTES_MAX + 1};
    image.bytes = malloc(image.capacity);
    assert_non_null(image.bytes);
    for (uint32_t i = 0; i < edited->count; i++) {
        image.size += entity_encode(&edited->entities[i], image.bytes + image.size);
    }
    image.count = edited->count;
    return image;
}

/* --- what the loader refuses: one line per case ----------------------------------------------- */

enum edit { EDIT_SET, EDIT_SAME, EDIT_DROP, EDIT_TWICE, EDIT_SWAP, EDIT_CUT };

struct image_refusal {
    enum edit edit;
    uint16_t kind; /* of the nth entity of this kind, from 1 */
    uint32_t nth;
    size_t offset, size; /* EDIT_SET: of the field */
    uint64_t value;
    const char *text; /* part of what is said */
};

#define SET(kind_, nth_, field, value_, text_)                                                     \
    {                                                                                              \
        EDIT_SET, ENTITY_##kind_, nth_, offsetof(struct entity, field),                            \
            sizeof((struct entity *)0)->field, value_, text_                                       \
    }
/* as in the entity before it */
#define SAME(kind_, nth_, field, text_)                                                            \
    {                                                                                              \
        EDIT_SAME, ENTITY_##kind_, nth_, offsetof(struct entity, field),                           \
            sizeof((struct entity *)0)->field, 0, text_                                            \
    }
#define DROP(kind_, nth_, text_)                                                                   \
    { EDIT_DROP, ENTITY_##kind_, nth_, 0, 0, 0, text_ }
#define TWICE(kind_, nth_, text_)                                                                  \
    { EDIT_TWICE, ENTITY_##kind_, nth_, 0, 0, 0, text_ }
/* with the entity after it */
#define SWAP(kind_, nth_, text_)                                                                   \
    { EDIT_SWAP, ENTITY_##kind_, nth_, 0, 0, 0, text_ }
/* it and everything after it is gone */
#define CUT(kind_, nth_, text_)                                                                    \
    { EDIT_CUT, ENTITY_##kind_, nth_, 0, 0, 0, text_ }

#define FOREVER 99999999999999ull /* later than the sample's latest decision by more than a year */

static const struct image_refusal refusals[] = {
    /* partitions: 1 catalogue, 2..17 accounts, 18 and 19 dates */
    SET(PARTITION, 1, partition.partition, 7, "another partition is expected"),
    SET(PARTITION, 2, partition.partition, PARTITION_ACCOUNT_FIRST + 1, "another partition"),
    SET(PARTITION, 18, partition.partition, PARTITION_DATE_FIRST + 2, "another partition"),
    SET(PARTITION, 19, partition.partition, PARTITION_DATE_FIRST + 3, "another partition"),
    SET(PARTITION, 1, partition.hash, 1, "hash of the partition"),
    SET(PARTITION, 7, partition.hash, 1, "hash of the partition"),
    SET(PARTITION, 18, partition.hash, 1, "hash of the partition"),
    SET(PARTITION, 7, partition.last_time_ms, 1, "a ledger row later than its partition"),
    SET(PARTITION, 18, partition.last_time_ms, 1, "later than the latest decision"),
    SET(PARTITION, 18, partition.decision_count, 3, "it made more than it decided"),
    DROP(PARTITION, 1, "an image begins with a partition"),
    DROP(PARTITION, 2, "this kind of partition has no such entity"),
    DROP(PARTITION, 3, "nothing but keys comes after the totals"),
    DROP(PARTITION, 18, "this kind of partition has no such entity"),
    DROP(PARTITION, 19, "kinds of entities are out of order"),
    TWICE(PARTITION, 1, "hash of the partition"),
    TWICE(PARTITION, 2, "the totals are missing"),
    TWICE(PARTITION, 18, "a date without its own entity"),
    CUT(PARTITION, 1, "ends before its last partition"),
    CUT(PARTITION, 2, "ends before its last partition"),
    CUT(PARTITION, 18, "ends before its last partition"),
    CUT(PARTITION, 19, "ends before its last partition"),
    /* catalogue */
    SET(CONCERT, 1, concert.concert, 2, "concerts are out of order"),
    SET(CONCERT, 2, concert.title.size, 3, "hash of the partition"),
    TWICE(CONCERT, 1, "concerts are out of order"),
    DROP(CONCERT, 2, "there is no such concert"),
    SET(CONCERT_DATE, 1, concert_date.date, 0, "dates are out of order"),
    SET(CONCERT_DATE, 2, concert_date.concert, 9, "there is no such concert"),
    SET(CONCERT_DATE, 2, concert_date.starts_at, 9, "hash of the partition"),
    SET(CONCERT, 1, concert.key.bytes[0], 9, "hash of the partition"),
    SET(CONCERT_DATE, 2, concert_date.key.bytes[0], 9,
        "a date without key has the hash of a policy"),
    SET(CONCERT_DATE, 2, concert_date.policy_hash, 9, "or the other way round"),
    TWICE(CONCERT_DATE, 2, "dates are out of order"),
    SWAP(CONCERT, 2, "kinds of entities are out of order"),
    /* accounts */
    SET(ACCOUNT, 1, account.user.bytes[15], 6, "a user of another partition"),
    SET(ACCOUNT, 1, account.balance, 99, "the balance is not that of the newest ledger row"),
    SET(ACCOUNT, 1, account.charged, AMOUNT_MAX + 1, "charged above the limit"),
    SET(ACCOUNT, 1, account.charged, 99, "more points than were charged"),
    SET(ACCOUNT, 1, account.charged, 101, "do not add up to what was charged"),
    SET(ACCOUNT, 1, account.chain, 1, "or to their chain"),
    SET(ACCOUNT, 1, account.reserved, 1, "more points than were charged"),
    SET(ACCOUNT, 2, account.reserved, 1, "points are reserved without a transfer"),
    SET(ACCOUNT, 3, account.reserved, 9, "transfers of more than is reserved"),
    SET(ACCOUNT, 1, account.rows, 0, "an account without ledger"),
    SET(ACCOUNT, 1, account.rows, 2, "number of ledger rows is not the one stated"),
    SET(ACCOUNT, 1, account.rows, UINT64_MAX, "number of ledger rows is not the one stated"),
    DROP(ACCOUNT, 1, "a ledger row without account"),
    DROP(ACCOUNT, 3, "a ledger row without account"),
    TWICE(ACCOUNT, 1, "number of ledger rows is not the one stated"),
    SET(LEDGER_ROW, 1, ledger_row.reason, 0, "no such reason"),
    SET(LEDGER_ROW, 1, ledger_row.reason, LEDGER_REFUND + 1, "no such reason"),
    SET(LEDGER_ROW, 1, ledger_row.amount, 101, "balance is below its amount"),
    SET(LEDGER_ROW, 1, ledger_row.amount, 99, "balance does not follow"),
    SET(LEDGER_ROW, 2, ledger_row.amount, AMOUNT_MAX + 1, "an amount above the limit"),
    SET(LEDGER_ROW, 1, ledger_row.payment, 1, "reason contradicts its payment"),
    SET(LEDGER_ROW, 3, ledger_row.payment, 1, "reason contradicts its payment"),
    SET(LEDGER_ROW, 3, ledger_row.payment, 1ull << 33 | 1, "reason contradicts its payment"),
    SET(LEDGER_ROW, 3, ledger_row.reservation, 0, "reason contradicts its payment"),
    SET(LEDGER_ROW, 3, ledger_row.key.bytes[3], 1, "without charge has a key"),
    SET(LEDGER_ROW, 3, ledger_row.time_ms, 1, "time runs backwards"),
    SET(LEDGER_ROW, 1, ledger_row.time_ms, 1, "or to their chain"),
    DROP(LEDGER_ROW, 3, "number of ledger rows is not the one stated"),
    TWICE(LEDGER_ROW, 3, "number of ledger rows is not the one stated"),
    SET(TRANSFER, 1, transfer.payment, 0, "transfers are out of order"),
    SET(TRANSFER, 1, transfer.payment, 1ull << 34 | 1, "a date that does not exist"),
    SET(TRANSFER, 1, transfer.payment, 1ull << 32, "not of one date"),
    SET(TRANSFER, 1, transfer.payment, 1ull << 32 | 3, "that its date never started"),
    SET(TRANSFER, 1, transfer.reservation, 1ull << 32 | 6, "that its date never started"),
    SET(TRANSFER, 1, transfer.reservation, 1ull << 33 | 1, "not of one date"),
    SET(TRANSFER, 1, transfer.user.bytes[0], 9, "a user without account"),
    SET(TRANSFER, 1, transfer.amount, 11, "transfers of more than is reserved"),
    SET(TRANSFER, 1, transfer.amount, 9, "points are reserved without a transfer"),
    SET(TRANSFER, 1, transfer.state, 0, "no such state of a transfer"),
    SET(TRANSFER, 1, transfer.state, TRANSFER_REFUNDED, "reserved without a transfer"),
    SWAP(TRANSFER, 1, "kinds of entities are out of order"),
    DROP(TRANSFER, 1, "points are reserved without a transfer"),
    TWICE(TRANSFER, 1, "transfers are out of order"),
    SET(TOTALS, 6, totals.charged, 101, "not the sums of the accounts"),
    SET(TOTALS, 6, totals.balances, 1, "not the sums of the accounts"),
    SET(TOTALS, 16, totals.reserved, 1, "not the sums of the accounts"),
    SET(TOTALS, 11, totals.spent, 11, "the totals do not add up"),
    SET(TOTALS, 11, totals.refunded, 11, "the totals do not add up"),
    DROP(TOTALS, 1, "the totals are missing"),
    TWICE(TOTALS, 16, "nothing but keys comes after the totals"),
    CUT(TOTALS, 16, "the totals are missing"),
    SET(CHARGE_KEY, 1, charge_key.user.bytes[3], 1, "a key of a user without account"),
    SET(RESERVATION, 1, reservation.kept, 2, "kept is neither 0 nor 1"),
    SET(RESERVATION, 1, reservation.kept, 1, "it is kept for its keys, and has none"),
    SET(CHARGE_KEY, 1, charge_key.amount, 0, "its user has not charged so much"),
    SET(CHARGE_KEY, 1, charge_key.amount, 101, "its user has not charged so much"),
    SET(CHARGE_KEY, 1, charge_key.balance, 99, "its user has not charged so much"),
    SET(CHARGE_KEY, 1, charge_key.balance, 101, "its user has not charged so much"),
    SET(CHARGE_KEY, 1, charge_key.time_ms, FOREVER, "the keys are not in order of age"),
    /* a date */
    SET(DATE, 1, date.date, 2, "another date's entity"),
    SET(DATE, 1, date.concert, 2, "not those of the catalogue"),
    SET(DATE, 1, date.starts_at, 2, "not those of the catalogue"),
    SET(DATE, 1, date.state, 0, "no such state of a date"),
    SET(DATE, 1, date.state, DATE_CANCELLED + 1, "no such state of a date"),
    SET(DATE, 1, date.state, DATE_DRAFT, "a draft has sold something"),
    SET(DATE, 1, date.state, DATE_CLOSED, "hash of the partition"),
    SET(DATE, 2, date.state, DATE_OPEN, "a date on sale without seats"),
    SET(DATE, 1, date.payments, 1, "a payment that was never handed out"),
    SET(DATE, 1, date.payments, UINT32_MAX, "it made more than it decided"),
    SET(DATE, 1, date.reservations, 4, "this number was never handed out"),
    SET(DATE, 1, date.reservations, UINT32_MAX, "it made more than it decided"),
    SET(DATE, 1, date.reservations, 6, "hash of the partition"),
    SET(DATE, 1, date.places, 9, "this place was never handed out"),
    SET(DATE, 1, date.places, 11, "the last places are missing"),
    SET(DATE, 1, date.places, UINT32_MAX, "it made more than it decided"),
    SET(DATE, 1, date.points_sold, 20, "not the sum of what is sold"),
    SET(DATE, 1, date.interval_began_ms, FOREVER, "later than the latest decision"),
    SET(DATE, 1, date.last_admission_ms, FOREVER, "later than the latest decision"),
    SET(DATE, 1, date.admission_gap_ms_x16, UINT64_MAX, "later than the latest decision"),
    SET(DATE, 1, date.policy.hold_ttl_ms, 1000, "hash of the partition"),
    DROP(DATE, 1, "a date begins with its own entity"),
    DROP(DATE, 2, "a date without its own entity"),
    TWICE(DATE, 1, "a date comes twice"),
    SET(SEAT, 2, seat.number, 3, "seats are out of order"),
    SET(SEAT, 2, seat.price, AMOUNT_MAX + 1, "a price above the limit"),
    SET(SEAT, 3, seat.price, 11, "its amount is not the price of its seats"),
    SET(SEAT, 12, seat.price, 11, "hash of the partition"),
    SET(SEAT, 2, seat.for_sale, 2, "for_sale is neither 0 nor 1"),
    SET(SEAT, 2, seat.for_sale, 0, "a seat that is not for sale"),
    SET(SEAT, 11, seat.guid.size, 6, "another seat has the same guid"), /* "seat-1" */
    SET(SEAT, 11, seat.seat.size, 1, "hash of the partition"),
    DROP(SEAT, 2, "seats are out of order"),
    DROP(SEAT, 20, "hash of the partition"),
    SWAP(SEAT, 1, "seats are out of order"),
    SWAP(SEAT, 20, "kinds of entities are out of order"),
    /* reservations: 1 held, 2 paid, 3 and 4 released, 5 paying */
    SET(RESERVATION, 1, reservation.reservation, 0, "reservations are out of order"),
    SET(RESERVATION, 5, reservation.reservation, 6, "this number was never handed out"),
    SET(RESERVATION, 1, reservation.place, 0, "a token that does not exist"),
    SET(RESERVATION, 1, reservation.place, 11, "a token that does not exist"),
    SET(RESERVATION, 1, reservation.place, 2, "not of the same user"),
    SET(RESERVATION, 1, reservation.user.bytes[3], 2, "not of the same user"),
    SET(RESERVATION, 1, reservation.secret.bytes[0], 2, "not of the same user"),
    SET(RESERVATION, 1, reservation.state, 0, "no such state of a reservation"),
    SET(RESERVATION, 1, reservation.state, RESERVATION_CANCELLED + 1, "no such state"),
    SET(RESERVATION, 1, reservation.state, RESERVATION_PAYING, "without a payment"),
    SET(RESERVATION, 1, reservation.state, RESERVATION_EXPIRED, "missing in the order"),
    SET(RESERVATION, 2, reservation.state, RESERVATION_PAYING, "not the sum of what is sold"),
    SET(RESERVATION, 2, reservation.state, RESERVATION_REFUNDING, "hash of the partition"),
    SET(RESERVATION, 3, reservation.state, RESERVATION_HELD, "there is no ended reservation"),
    SET(RESERVATION, 1, reservation.token_spent, 2, "neither 0 nor 1"),
    SET(RESERVATION, 1, reservation.token_spent, 1, "a token that was spent is still live"),
    SET(RESERVATION, 1, reservation.seats.count, 0, "a reservation without seats"),
    SET(RESERVATION, 1, reservation.seats.count, 1, "its amount is not the price of its seats"),
    SET(RESERVATION, 1, reservation.seats.values[1], 0, "a seat that does not exist"),
    SET(RESERVATION, 1, reservation.seats.values[1], 21, "a seat that does not exist"),
    SET(RESERVATION, 1, reservation.seats.values[1], 1, "it names a seat twice"),
    SET(RESERVATION, 2, reservation.seats.values[0], 1, "another live reservation has one"),
    SET(RESERVATION, 3, reservation.seats.values[0], 7, "hash of the partition"),
    SET(RESERVATION, 1, reservation.amount, 21, "its amount is not the price of its seats"),
    SET(RESERVATION, 1, reservation.held_at, FOREVER, "it changed before it was made"),
    SET(RESERVATION, 1, reservation.changed_at, FOREVER, "contradict that of the latest"),
    SET(RESERVATION, 1, reservation.expires_at, FOREVER, "contradict that of the latest"),
    SET(RESERVATION, 5, reservation.payment, 1, "two reservations have the same payment"),
    SET(RESERVATION, 5, reservation.payment, 0, "without a payment"),
    SET(RESERVATION, 5, reservation.payment, 3, "a payment that was never handed out"),
    SET(RESERVATION, 2, reservation.balance, 3, "hash of the partition"),
    SWAP(RESERVATION, 1, "reservations are out of order"),
    TWICE(RESERVATION, 1, "reservations are out of order"),
    DROP(RESERVATION, 1, "hash of the partition"),
    DROP(RESERVATION, 3, "there is no ended reservation"),
    SET(ENDED, 1, ended.reservation, 1, "there is no ended reservation"),
    SET(ENDED, 1, ended.reservation, UINT32_MAX, "there is no ended reservation"),
    SET(ENDED, 1, ended.reservation, 4, "has ended twice"),
    TWICE(ENDED, 1, "has ended twice"),
    TWICE(ENDED, 2, "has ended twice"),
    DROP(ENDED, 1, "missing in the order in which they ended"),
    SWAP(ENDED, 2, "kinds of entities are out of order"),
    /* waiters: 1, 3..7 active, 2 and 8 ended, 9 and 10 wait */
    SET(WAITER, 3, waiter.place, 2, "waiters are out of order"),
    SET(WAITER, 10, waiter.place, 11, "this place was never handed out"),
    SET(WAITER, 1, waiter.state, 0, "no such state of a token"),
    SET(WAITER, 1, waiter.state, TOKEN_EXPIRED + 1, "no such state of a token"),
    SET(WAITER, 1, waiter.state, TOKEN_EXPIRED, "contradict each other"),
    SET(WAITER, 2, waiter.state, TOKEN_ACTIVE, "contradict each other"),
    SET(WAITER, 1, waiter.state, TOKEN_WAITING, "a deadline without being active"),
    SET(WAITER, 1, waiter.end, TOKEN_END_LEFT, "contradict each other"),
    SET(WAITER, 2, waiter.end, TOKEN_END_NONE, "contradict each other"),
    SET(WAITER, 2, waiter.end, TOKEN_END_REQUEUED + 1, "contradict each other"),
    SET(WAITER, 9, waiter.expires_at, 1, "a deadline without being active"),
    SET(WAITER, 2, waiter.expires_at, 1, "a deadline without being active"),
    SET(WAITER, 1, waiter.expires_at, FOREVER, "too far from the latest decision"),
    SET(WAITER, 1, waiter.expires_at, 1, "hash of the partition"),
    SET(WAITER, 10, waiter.state, TOKEN_ACTIVE, "while somebody who came before it waits"),
    SET(WAITER, 1, waiter.user.bytes[4], 200, "not of the same user"),
    SET(WAITER, 9, waiter.user.bytes[4], 200, "hash of the partition"),
    SET(WAITER, 1, waiter.secret.bytes[0], 200, "not of the same user"),
    SAME(WAITER, 10, waiter.user, "a user has two live tokens"),
    SAME(WAITER, 7, waiter.user, "a user has two live tokens"),
    DROP(WAITER, 1, "the place before it is missing"),
    DROP(WAITER, 5, "the place before it is missing"),
    DROP(WAITER, 10, "the last places are missing"),
    CUT(WAITER, 1, "the last places are missing"),
    SWAP(WAITER, 1, "the place before it is missing"),
    TWICE(WAITER, 10, "waiters are out of order"),
};

static uint32_t find_nth(const struct edited *edited, uint16_t kind, uint32_t nth) {
    for (uint32_t i = 0; i < edited->count; i++) {
        if (edited->entities[i].kind == kind && --nth == 0) return i;
    }
    fail_msg("the sample has too few entities of kind %s", entity_name(kind));
    return 0;
}

static void edit_one(struct edited *edited, const struct image_refusal *refusal) {
    uint32_t at = find_nth(edited, refusal->kind, refusal->nth);
    struct entity *entity = &edited->entities[at], other = *entity;
    uint32_t after = edited->count - at - 1;
    switch (refusal->edit) {
    case EDIT_SET: memcpy((char *)entity + refusal->offset, &refusal->value, refusal->size); break;
    case EDIT_SAME:
        memcpy((char *)entity + refusal->offset, (char *)(entity - 1) + refusal->offset,
               refusal->size);
        break;
    case EDIT_DROP:
        memmove(entity, entity + 1, after * sizeof *entity);
        edited->count--;
        break;
    case EDIT_TWICE:
        memmove(entity + 1, entity, (after + 1) * sizeof *entity);
        edited->count++;
        break;
    case EDIT_SWAP:
        *entity = entity[1];
        entity[1] = other;
        break;
    case EDIT_CUT: edited->count = at; break;
    }
}

static void every_contradiction_is_refused(void **state) {
    struct domain *domain = domain_image_sample();
    static struct edited edited;
    uint32_t wrong = 0;
    edited.image = domain_image_of(domain->world);
    for (uint32_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        char text[IMAGE_ERROR_BYTES] = "";
        decode_all(&edited);
        edit_one(&edited, &refusals[i]);
        struct domain_image image = encode_all(&edited);
        if (!strstr(refusals[i].text, "hash of the")) domain_image_refit(&image);
        struct world *world = domain_image_load(&image, text);
        if (world || !strstr(text, refusals[i].text)) {
            print_error("case %u (%s %u): expected \"%s\", got \"%s\"\n", i,
                        entity_name(refusals[i].kind), refusals[i].nth, refusals[i].text,
                        world ? "loaded" : text);
            wrong++;
        }
        world_free(world);
        domain_image_free(&image);
    }
    assert_int_equal(wrong, 0);
    domain_image_free(&edited.image);
    domain_free(domain);
    (void)state;
}

static void a_refusal_says_where(void **state) {
    struct domain *domain = domain_image_sample();
    static struct edited edited;
    char text[IMAGE_ERROR_BYTES] = "";
    edited.image = domain_image_of(domain->world);
    decode_all(&edited);
    edited.entities[find_nth(&edited, ENTITY_SEAT, 2)].seat.number = 9;
    struct domain_image image = encode_all(&edited);
    assert_null(domain_image_load(&image, text));
    assert_string_equal(text, "date 1, entity 3, seat: seats are out of order");
    domain_image_free(&image);
    domain_image_free(&edited.image);
    domain_free(domain);
    (void)state;
}

/* --- dates against accounts: each side is sound by itself ------------------------------------- */

static struct entity_reservation *find_reservation(struct edited *edited,
                                                   enum reservation_state state) {
    for (uint32_t i = 0; i < edited->count; i++) {
        struct entity *entity = &edited->entities[i];
        if (entity->kind == ENTITY_RESERVATION && entity->reservation.state == state) {
            return &entity->reservation;
        }
    }
    fail_msg("the sample has no reservation in state %d", (int)state);
    return NULL;
}

/* Its first seat costs a point more. */
static struct entity_reservation *raise_price(struct edited *edited, enum reservation_state state) {
    struct entity_reservation *one = find_reservation(edited, state);
    edited->entities[find_nth(edited, ENTITY_SEAT, one->seats.values[0])].seat.price++;
    one->amount++;
    return one;
}

static void sold_for_more_than_was_paid(struct edited *edited) {
    (void)raise_price(edited, RESERVATION_PAID);
    edited->entities[find_nth(edited, ENTITY_DATE, 1)].date.points_sold++;
}
static void costs_more_than_its_transfer(struct edited *edited) {
    (void)raise_price(edited, RESERVATION_PAYING);
}
static void paid_by_nobody(struct edited *edited) {
    struct entity_reservation *one = find_reservation(edited, RESERVATION_PAID);
    for (uint32_t i = 0; i < edited->count; i++) {
        struct entity *entity = &edited->entities[i];
        bool same = entity->kind == ENTITY_WAITER && entity->waiter.place == one->place;
        if (same) entity->waiter.user.bytes[9] ^= 1;
    }
    one->user.bytes[9] ^= 1;
}

static void dates_and_accounts_agree(void **state) {
    static const struct {
        void (*edit)(struct edited *edited);
        const char *text;
    } cases[] = {
        {sold_for_more_than_was_paid, "points that were paid are not those of what is sold"},
        {costs_more_than_its_transfer, "not of one user and amount"},
        {paid_by_nobody, "paid for by a user without account"},
    };
    struct domain *domain = domain_image_sample();
    static struct edited edited;
    edited.image = domain_image_of(domain->world);
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[IMAGE_ERROR_BYTES] = "";
        decode_all(&edited);
        cases[i].edit(&edited);
        struct domain_image image = encode_all(&edited);
        domain_image_refit(&image);
        assert_null(domain_image_load(&image, text));
        if (!strstr(text, cases[i].text)) fail_msg("\"%s\", not \"%s\"", text, cases[i].text);
        domain_image_free(&image);
    }
    domain_image_free(&edited.image);
    domain_free(domain);
    (void)state;
}

/* --- limits: one more is refused -------------------------------------------------------------- */

struct limit {
    uint16_t kind; /* everything before the first of this kind is loaded, then entities of next() */
    struct entity (*next)(uint32_t index);
    uint32_t accepted; /* how many of these */
    const char *text;
};

static struct entity next_concert(uint32_t index) {
    return (struct entity){.kind = ENTITY_CONCERT, .concert.concert = index + 1};
}
static struct entity next_date(uint32_t index) {
    return (struct entity){.kind = ENTITY_CONCERT_DATE,
                           .concert_date = {.date = index + 1, .concert = 1}};
}
static struct entity next_row(uint32_t index) {
    (void)index;
    return (struct entity){.kind = ENTITY_LEDGER_ROW};
}
static struct entity next_seat(uint32_t index) {
    return (struct entity){.kind = ENTITY_SEAT, .seat.number = index + 1};
}
static struct entity next_active(uint32_t index) {
    return (struct entity){.kind = ENTITY_WAITER,
                           .waiter = {.place = index + 1, .state = TOKEN_ACTIVE}};
}
static struct entity reservation_of(uint32_t sequence, uint32_t user, uint32_t seat,
                                    enum reservation_state state) {
    return (struct entity){.kind = ENTITY_RESERVATION,
                           .reservation = {.reservation = sequence,
                                           .place = 1,
                                           .user = domain_user(user),
                                           .state = (uint8_t)state,
                                           .seats = {1, {seat}},
                                           .amount = 10}};
}
static struct entity next_held(uint32_t index) {
    return reservation_of(index + 1, 1, index + 1, RESERVATION_HELD);
}
static struct entity next_released(uint32_t index) {
    return reservation_of(index + 1, 1, 1, RESERVATION_RELEASED);
}
static struct entity next_ended(uint32_t index) {
    uint32_t many = ENDED_RESERVATIONS_KEPT + 1;
    if (index < many) return reservation_of(index + 1, 1 + index / 32, 1, RESERVATION_RELEASED);
    return (struct entity){.kind = ENTITY_ENDED, .ended.reservation = index - many + 1};
}

static const struct limit limits[] = {
    {ENTITY_CONCERT, next_concert, CONCERTS_MAX, "too many concerts"},
    {ENTITY_CONCERT_DATE, next_date, DATES_MAX, "too many dates"},
    {ENTITY_LEDGER_ROW, next_row, WALLET_HISTORY_KEPT, "too many ledger rows"},
    {ENTITY_SEAT, next_seat, SEATS_PER_DATE_MAX, "too many seats"},
    {ENTITY_RESERVATION, next_held, SEATS_PER_USER_MAX, "its user has too many seats"},
    {ENTITY_RESERVATION, next_released, ENDED_RESERVATIONS_KEPT_PER_USER,
     "its user has too many ended reservations"},
    {ENTITY_RESERVATION, next_ended, 2 * ENDED_RESERVATIONS_KEPT + 1,
     "too many ended reservations"},
    {ENTITY_WAITER, next_active, ACTIVE_PER_DATE_MAX, "too many active tokens"},
};

static void limits_are_kept(void **state) {
    static const struct id128 seed = {{5}};
    struct domain *domain = domain_image_sample();
    static struct edited edited;
    edited.image = domain_image_of(domain->world);
    decode_all(&edited);
    struct entity *partition = &edited.entities[find_nth(&edited, ENTITY_PARTITION, 18)];
    struct entity *date = &edited.entities[find_nth(&edited, ENTITY_DATE, 1)];
    partition->partition.decision_count = UINT64_MAX;
    date->date.reservations = ENDED_RESERVATIONS_KEPT + 1;
    date->date.places = ACTIVE_PER_DATE_MAX + 1;
    for (uint32_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        struct world *world = world_create(&seed);
        struct image_loader *loader = image_loader_open(world);
        char text[IMAGE_ERROR_BYTES] = "";
        uint32_t first = find_nth(&edited, limits[i].kind, 1), count = 0;
        for (uint32_t at = 0; at < first; at++) {
            assert_int_equal(image_load(loader, &edited.entities[at], text), 0);
        }
        for (int result = 0; result == 0; count += result == 0) {
            struct entity next = limits[i].next(count);
            result = image_load(loader, &next, text);
        }
        assert_non_null(strstr(text, limits[i].text));
        assert_int_equal(count, limits[i].accepted);
        image_loader_close(loader);
        world_free(world);
    }
    domain_image_free(&edited.image);
    domain_free(domain);
    (void)state;
}

/* --- random damage: whatever is loaded is sound, and is saved as the same bytes --------------- */

/* One to three bytes of an encoded image are wrong. Mostly the hashes are then made to fit again,
 * so that nothing but the loader's other checks stands in the way. */
static struct domain_image damaged(const struct domain_image *image, struct random *random) {
    static const uint8_t likely[] = {0, 1, 2, 3, 0x7f, 0x80, 0xff};
    struct domain_image copy = {.size = image->size, .count = image->count};
    copy.bytes = malloc(image->size);
    assert_non_null(copy.bytes);
    memcpy(copy.bytes, image->bytes, image->size);
    for (uint64_t i = 1 + random_below(random, 3); i > 0; i--) {
        uint8_t *byte = &copy.bytes[random_below(random, image->size)];
        *byte = random_below(random, 2) ? likely[random_below(random, sizeof likely)]
                                        : (uint8_t)random_next(random);
    }
    return copy;
}

static bool is_readable(const struct domain_image *image) {
    for (uint32_t at = 0; at < image->size;) {
        struct entity entity;
        uint16_t size;
        if (image->size - at < sizeof size) return false;
        memcpy(&size, image->bytes + at, sizeof size);
        if (size > image->size - at || entity_decode(image->bytes + at, size, &entity)) {
            return false;
        }
        at += size;
    }
    return true;
}

/* Every invariant holds in it, and still does when it goes on living. Frees the world. */
static void check_life(const struct domain *domain, struct world *world) {
    struct domain *alive = domain_new();
    world_free(alive->world);
    alive->world = world;
    alive->now_ms = domain->now_ms;
    domain_check(alive, false);
    bool timely = true; /* no clock is ever behind what was decided */
    for (uint32_t i = 0; i < ACCOUNT_PARTITIONS; i++) {
        timely &= world->accounts[i]->last_time_ms <= domain->now_ms;
    }
    for (uint32_t i = 1; i <= world->date_count; i++) {
        timely &= world->dates[i]->last_time_ms <= domain->now_ms;
    }
    if (timely) {
        domain_resume(alive);
        domain_image_go_on(alive);
        domain_check(alive, false);
    }
    domain_free(alive);
}

static void damage_is_refused_or_harmless(void **state) {
    struct domain *domain = domain_image_sample();
    struct domain_image image = domain_image_of(domain->world);
    const struct random_seeds seeds = random_seeds(1, 3);
    struct random random = {seeds.first};
    uint32_t read = 0, loaded = 0, rounds = 1000 * (uint32_t)seeds.count;
    random_tell(seeds.first);
    for (uint32_t round = 0; round < rounds; round++) {
        char text[IMAGE_ERROR_BYTES] = "";
        struct domain_image copy = damaged(&image, &random);
        bool readable = is_readable(&copy);
        if (readable && round % 4 != 0) domain_image_refit(&copy);
        struct world *world = readable ? domain_image_load(&copy, text) : NULL;
        read += readable;
        if (world) {
            static struct edited full; /* with the empty fields that an end may leave out */
            full.image = copy;
            decode_all(&full);
            struct domain_image again = domain_image_of(world), same = encode_all(&full);
            assert_int_equal(again.size, same.size);
            assert_memory_equal(again.bytes, same.bytes, same.size);
            domain_image_free(&same);
            check_life(domain, world);
            domain_image_free(&again);
            loaded++;
        }
        domain_image_free(&copy);
    }
    print_message("# %u of %u could be read, %u were loaded\n", read, rounds, loaded);
    assert_true(read > loaded);
    domain_image_free(&image);
    domain_free(domain);
    (void)state;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_contradiction_is_refused), cmocka_unit_test(a_refusal_says_where),
        cmocka_unit_test(dates_and_accounts_agree),       cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(damage_is_refused_or_harmless),
    };
    return cmocka_run_group_tests_name("image_refusals", tests, NULL, NULL);
}
