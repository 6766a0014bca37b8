/* test_oracle.c - the oracle is right about a good log, and tells each of many forged ones
 *
 * `good` is a small life: a date, three users, a hold that is paid and refunded, one that cannot be
 * paid, an outage, an ending. Each forgery takes the log up to one of its decisions, changes
 * that decision in one way, and must be told with the rule that it breaks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/domain/error.h"
#include "engine/domain/policy.h"
#include "tests/oracle/oracle.h"

#define BEGIN_MS 1800000000000ull
#define TTL_MS 420000u
#define HOLD_MS 300000u
#define DAY_MS (24u * 3600u * 1000u)

static const struct id128 anna = {{1}}, bert = {{2}}, carl = {{3}};

/* --- a good log ------------------------------------------------------------------------------- */

enum step {
    CONCERT,
    DATE,
    SEAT_1,
    SEAT_2,
    SEAT_3, /* not for sale */
    OPENED,
    ANNA_ENTERS,
    ANNA_ADMITTED,
    BERT_ENTERS,
    BERT_ADMITTED,
    CARL_ENTERS, /* and waits: two may be active */
    ANNA_CHARGES,
    ANNA_HOLDS,
    BERT_REFUSED,
    BERT_HOLDS,
    ANNA_PAYS,
    RESERVED,
    SOLD,
    POSTED,
    CARL_ADMITTED,
    REFUND,
    REFUNDED,
    SEATS_BACK,
    CLOSED,
    BERT_PAYS,
    FUNDS_REFUSED,
    BERT_SHORT,
    OUTAGE,
    BERT_ENDS, /* his time is over, and his hold ends with it */
    CARL_LEAVES,
    DATE_CLOSED_NOW,
    STEPS
};

static struct decision good[STEPS];

static struct id128 key_of(uint8_t number) { return (struct id128){{number, 0x77}}; }

static struct decision *set(enum step step, uint32_t kind, uint32_t partition) {
    good[step].kind = (uint16_t)kind;
    good[step].partition = partition;
    good[step].time_ms = BEGIN_MS + (uint64_t)step * 10;
    return &good[step];
}
static struct decision *set_date(enum step step, uint32_t kind) {
    return set(step, kind, PARTITION_DATE_FIRST + 1);
}
static struct decision *set_user(enum step step, uint32_t kind, const struct id128 *user) {
    return set(step, kind, partition_of_user(user));
}

static void enters(enum step step, uint32_t place, const struct id128 *user) {
    set_date(step, DECISION_QUEUE_ENTERED)->queue_entered = (struct decision_queue_entered){
        .place = place, .user = *user, .secret = key_of((uint8_t)(100 + place))};
}
static void admitted(enum step step, uint32_t place) {
    struct decision *decision = set_date(step, DECISION_ADMITTED);
    decision->admitted.place = place;
    decision->admitted.expires_at = decision->time_ms + TTL_MS;
}
static void seat(enum step step, uint32_t number, uint64_t price, bool for_sale) {
    struct decision *decision = set_date(step, DECISION_SEAT_ADDED);
    decision->seat_added.number = number;
    decision->seat_added.price = price;
    decision->seat_added.for_sale = for_sale;
}
static void holds(enum step step, uint32_t reservation, uint32_t place, const struct id128 *user,
                  uint32_t number, uint64_t amount) {
    struct decision *decision = set_date(step, DECISION_SEATS_HELD);
    decision->seats_held = (struct decision_seats_held){.reservation = reservation,
                                                        .place = place,
                                                        .user = *user,
                                                        .seats = {.count = 1, .values = {number}},
                                                        .amount = amount,
                                                        .expires_at = decision->time_ms + HOLD_MS};
}
static void pays(enum step step, uint32_t payment, uint32_t reservation) {
    struct decision *decision = set_date(step, DECISION_PAYMENT_STARTED);
    decision->payment_started.payment = payment;
    decision->payment_started.reservation = reservation;
    decision->payment_started.key = key_of((uint8_t)(50 + payment));
}

static void make_the_hall(void) {
    struct decision *date = set(DATE, DECISION_DATE_CREATED, PARTITION_CATALOGUE);
    set(CONCERT, DECISION_CONCERT_CREATED, PARTITION_CATALOGUE)->concert_created.concert = 1;
    date->date_created.date = date->date_created.concert = 1;
    policy_default(&date->date_created.policy);
    date->date_created.policy.active_capacity = 2;
    date->date_created.policy.max_seats_per_user = 1;
    seat(SEAT_1, 1, 10, true);
    seat(SEAT_2, 2, 20, true);
    seat(SEAT_3, 3, 30, false);
    set_date(OPENED, DECISION_DATE_OPENED);
}

static void make_the_payment(void) {
    const uint64_t payment = dated_id(1, 1), reservation = dated_id(1, 1);
    pays(ANNA_PAYS, 1, 1);
    set_user(RESERVED, DECISION_FUNDS_RESERVED, &anna)->funds_reserved =
        (struct decision_funds_reserved){anna, payment, reservation, 10, 90};
    set_date(SOLD, DECISION_SEATS_SOLD)->seats_sold = (struct decision_seats_sold){
        .payment = 1, .reservation = 1, .amount = 10, .balance = 90, .token_expired = 1};
    set_user(POSTED, DECISION_FUNDS_POSTED, &anna)->funds_posted = (struct decision_funds_posted){
        anna, payment, 10};
    set_date(REFUND, DECISION_REFUND_STARTED)->refund_started = (struct decision_refund_started){
        .reservation = 1, .payment = 1, .key = key_of(80)};
    set_user(REFUNDED, DECISION_FUNDS_REFUNDED, &anna)->funds_refunded =
        (struct decision_funds_refunded){anna, payment, reservation, 10, 100};
    set_date(SEATS_BACK, DECISION_SEATS_REFUNDED)->seats_refunded =
        (struct decision_seats_refunded){.reservation = 1, .payment = 1, .balance = 100};
    set_user(CLOSED, DECISION_REFUND_CLOSED, &anna)->refund_closed =
        (struct decision_refund_closed){anna, payment};
}

static int make_good(void **state) {
    (void)state;
    make_the_hall();
    enters(ANNA_ENTERS, 1, &anna);
    admitted(ANNA_ADMITTED, 1);
    enters(BERT_ENTERS, 2, &bert);
    admitted(BERT_ADMITTED, 2);
    enters(CARL_ENTERS, 3, &carl);
    set_user(ANNA_CHARGES, DECISION_WALLET_CHARGED, &anna)->wallet_charged =
        (struct decision_wallet_charged){anna, 100, 100, key_of(1)};
    holds(ANNA_HOLDS, 1, 1, &anna, 1, 10);
    set_date(BERT_REFUSED, DECISION_HOLD_REFUSED)->hold_refused = (struct decision_hold_refused){
        .place = 2, .user = bert, .error = ERROR_SEAT_TAKEN, .seat = 1};
    holds(BERT_HOLDS, 2, 2, &bert, 2, 20);
    make_the_payment();
    admitted(CARL_ADMITTED, 3);
    pays(BERT_PAYS, 2, 2);
    set_user(FUNDS_REFUSED, DECISION_FUNDS_REFUSED, &bert)->funds_refused =
        (struct decision_funds_refused){bert, dated_id(1, 2), dated_id(1, 2), 20, 0};
    set_date(BERT_SHORT, DECISION_PAYMENT_REFUSED)->payment_refused =
        (struct decision_payment_refused){
            .payment = 2, .reservation = 2, .balance = 0, .shortfall = 20};
    struct decision *outage = set_date(OUTAGE, DECISION_OUTAGE_CREDITED);
    outage->time_ms += 5000;
    outage->outage_credited = (struct decision_outage_credited){
        .cause = OUTAGE_STALLED, .since = outage->time_ms - 3000, .credit_ms = 3000};
    struct decision *ends = set_date(BERT_ENDS, DECISION_TOKEN_EXPIRED);
    ends->time_ms = good[BERT_ADMITTED].admitted.expires_at + 3000;
    ends->token_expired = (struct decision_token_expired){
        .place = 2, .end = TOKEN_END_TIME, .released = {.count = 1, .values = {2}}};
    for (int step = CARL_LEAVES; step < STEPS; step++) {
        set_date((enum step)step, DECISION_DATE_CLOSED)->time_ms = ends->time_ms + 10;
    }
    good[CARL_LEAVES].kind = DECISION_TOKEN_EXPIRED;
    good[CARL_LEAVES].token_expired = (struct decision_token_expired){.place = 3,
                                                                      .end = TOKEN_END_LEFT};
    return 0;
}

/* --- judging ---------------------------------------------------------------------------------- */

static struct {
    uint32_t complaints;
    char rule[8], text[ORACLE_TEXT_BYTES];
} heard;

static void hear(void *context, enum oracle_matter matter, const char *rule, const char *text) {
    (void)context;
    assert_true(matter < ORACLE_MATTER_COUNT);
    if (heard.complaints++ > 0) return;
    (void)snprintf(heard.rule, sizeof heard.rule, "%s", rule);
    (void)snprintf(heard.text, sizeof heard.text, "%s", text);
}

static void begin(struct oracle *oracle) {
    const struct oracle_ports ports = {.complain = hear};
    memset(&heard, 0, sizeof heard);
    oracle_init(oracle, &ports);
}

/* The good log, up to before a step. */
static void live_until(struct oracle *oracle, enum step end) {
    begin(oracle);
    for (uint32_t i = 0; i < end; i++) {
        bool allowed = oracle_judge(oracle, &good[i], (i + 1) * 100);
        if (!allowed) fail_msg("step %u of the good log: rule %s: %s", i, heard.rule, heard.text);
    }
}

static void demand_told(const char *rule, int line) {
    if (heard.complaints == 1 && strcmp(heard.rule, rule) == 0) return;
    fail_msg("line %d: rule %s must be told, but %u were, first %s: %s", line, rule,
             heard.complaints, heard.rule, heard.text);
}

static void judge_forged(enum step step, const struct decision *forged, const char *rule,
                         int line) {
    struct oracle oracle;
    live_until(&oracle, step);
    bool allowed = oracle_judge(&oracle, forged, (step + 1) * 100u);
    demand_told(rule, line);
    assert_false(allowed);
    assert_int_equal(oracle.complaints, 1);
    oracle_deinit(&oracle);
}

/* The decision of a step, changed in one way, breaks this rule. `it` is the decision. */
#define FORGED(step, rule, ...)                                                                    \
    do {                                                                                           \
        struct decision copy = good[step], *it = &copy;                                            \
        __VA_ARGS__;                                                                               \
        judge_forged(step, it, rule, __LINE__);                                                    \
    } while (0)
/* One decision of the good log, changed, in the place of another. */
#define INSTEAD(step, other, rule, ...)                                                            \
    do {                                                                                           \
        struct decision copy = good[other], *it = &copy;                                           \
        it->time_ms = good[step].time_ms;                                                          \
        __VA_ARGS__;                                                                               \
        judge_forged(step, it, rule, __LINE__);                                                    \
    } while (0)

static void a_good_log_is_allowed(void **state) {
    (void)state;
    struct oracle oracle;
    live_until(&oracle, STEPS);
    assert_true(oracle_rest(&oracle));
    assert_true(oracle_overdue(&oracle, oracle_date(&oracle, 1), good[STEPS - 1].time_ms));
    assert_int_equal(heard.complaints, 0);
    assert_int_equal(oracle.decisions, STEPS);
    assert_int_equal(oracle.held, 2);
    assert_int_equal(oracle.sold, 1);
    assert_int_equal(oracle.refunds, 1);
    assert_int_equal(oracle.refused_taken, 1);
    assert_int_equal(oracle.admitted, 3);
    assert_int_equal(oracle_wallet(&oracle, &anna)->balance, 100);
    assert_int_equal(oracle_date(&oracle, 1)->active_most, 2);
    oracle_deinit(&oracle);
}

static void records(void **state) {
    (void)state;
    FORGED(CONCERT, "L", it->concert_created.concert = 2);
    FORGED(DATE, "L", it->date_created.date = 2);
    FORGED(DATE, "L", it->partition = PARTITION_ACCOUNT_FIRST);
    FORGED(DATE, "L", it->kind = DECISION_WALLET_CHARGED);
    FORGED(DATE, "C1", it->date_created.concert = 2);
    FORGED(SEAT_1, "L", it->partition++);
    FORGED(SEAT_2, "L", it->time_ms = good[SEAT_1].time_ms - 1);
    FORGED(SEAT_2, "C3", it->seat_added.number = 3);
    FORGED(OPENED, "L", it->kind = DECISION_DATE_CREATED);
    FORGED(OPENED, "C1", it->kind = DECISION_DATE_CLOSED);
    INSTEAD(SEAT_1, OPENED, "C1", );
    INSTEAD(ANNA_ENTERS, SEAT_1, "C1", it->seat_added.number = 4);
    INSTEAD(ANNA_ENTERS, OPENED, "C1", );
    FORGED(ANNA_CHARGES, "L", it->kind = DECISION_ADMITTED);
}

static void the_waiting_room(void **state) {
    (void)state;
    INSTEAD(OPENED, ANNA_ENTERS, "Q1", );
    FORGED(ANNA_ENTERS, "Q3", it->queue_entered.secret = (struct id128){{0}});
    FORGED(BERT_ENTERS, "Q2", it->queue_entered.place = 3);
    FORGED(BERT_ENTERS, "Q3", it->queue_entered.secret = good[ANNA_ENTERS].queue_entered.secret);
    FORGED(BERT_ENTERS, "Q4", it->queue_entered.user = anna);
    FORGED(ANNA_ADMITTED, "Q2", it->admitted.place = 2);
    FORGED(ANNA_ADMITTED, "Q8", it->admitted.expires_at++);
    FORGED(ANNA_ADMITTED, "Q9", it->admitted.at_once = 1);
    FORGED(ANNA_ADMITTED, "Q6", it->kind = DECISION_TOKEN_EXPIRED; it->token_expired.place = 1;
           it->token_expired.end = TOKEN_END_SILENT);
    INSTEAD(ANNA_CHARGES, CARL_ADMITTED, "Q7", );
    FORGED(CARL_LEAVES, "Q3", it->token_expired.place = 2);
    FORGED(CARL_LEAVES, "Q3", it->token_expired.end = TOKEN_END_PAID);
    FORGED(CARL_LEAVES, "Q4", it->token_expired.end = TOKEN_END_REQUEUED);
    FORGED(CARL_LEAVES, "Q6", it->token_expired.end = TOKEN_END_SILENT);
    FORGED(CARL_LEAVES, "Q8", it->token_expired.end = TOKEN_END_TIME);
    FORGED(BERT_ENDS, "Q8", it->time_ms -= 1);
    FORGED(BERT_ENDS, "Q8", it->token_expired.released.count = 0);
    FORGED(BERT_ENDS, "P5", it->token_expired.released.values[0] = 1);
}

static void seats(void **state) {
    (void)state;
    FORGED(BERT_HOLDS, "R2", it->seats_held.seats.values[0] = 1);
    FORGED(BERT_HOLDS, "R2", it->seats_held.seats.count = 2; it->seats_held.seats.values[1] = 2);
    FORGED(BERT_HOLDS, "R4", it->seats_held.seats.values[0] = 3);
    FORGED(BERT_HOLDS, "R4", it->seats_held.seats.values[0] = 4);
    FORGED(BERT_HOLDS, "R5", it->seats_held.seats.count = 0);
    FORGED(BERT_HOLDS, "R5", it->seats_held.place = 1; it->seats_held.user = anna);
    FORGED(BERT_HOLDS, "R1", it->seats_held.amount = 19);
    FORGED(BERT_HOLDS, "R1", it->seats_held.expires_at++);
    FORGED(BERT_HOLDS, "L", it->seats_held.reservation = 3);
    FORGED(BERT_HOLDS, "C5", it->seats_held.place = 3; it->seats_held.user = carl);
    FORGED(BERT_HOLDS, "C5", it->seats_held.user = carl);
    FORGED(BERT_HOLDS, "C5", it->time_ms = good[BERT_ADMITTED].admitted.expires_at);
    FORGED(BERT_HOLDS, "Q10", it->seats_held.token_expired = 1);
    FORGED(BERT_REFUSED, "R4", it->hold_refused.seat = 2);
    FORGED(BERT_REFUSED, "R4", it->hold_refused.user = carl);
    FORGED(BERT_REFUSED, "R4", it->hold_refused.place = 3);
    FORGED(BERT_REFUSED, "R4", it->hold_refused.error = ERROR_SEAT_YOURS);
    FORGED(BERT_REFUSED, "R4", it->hold_refused.error = ERROR_SEAT_NOT_FOR_SALE);
    FORGED(BERT_REFUSED, "R4", it->hold_refused.error = ERROR_DATE_CLOSED);
    FORGED(BERT_REFUSED, "R4", it->hold_refused.error = ERROR_BUSY);
    FORGED(BERT_REFUSED, "R4", it->hold_refused.place = 1; it->hold_refused.user = anna);
    FORGED(BERT_REFUSED, "O3", it->hold_refused.error = ERROR_SALES_ENDED);
#define ENDS(how)                                                                                  \
    it->kind = DECISION_RESERVATION_ENDED;                                                         \
    it->reservation_ended = (struct decision_reservation_ended){.reservation = 1, .state = (how)}
    FORGED(BERT_REFUSED, "R3", ENDS(RESERVATION_EXPIRED));
    FORGED(BERT_REFUSED, "R3", ENDS(RESERVATION_PAID));
    FORGED(BERT_REFUSED, "R8", ENDS(RESERVATION_CANCELLED));
    FORGED(SOLD, "P5", ENDS(RESERVATION_EXPIRED));
    FORGED(BERT_REFUSED, "P5", ENDS(RESERVATION_RELEASED); it->reservation_ended.reservation = 2);
}

static void payments(void **state) {
    (void)state;
    FORGED(ANNA_PAYS, "L", it->payment_started.payment = 2);
    FORGED(ANNA_PAYS, "P1", it->payment_started.reservation = 3);
    FORGED(ANNA_PAYS, "P1", it->payment_started.payer = 2);
    FORGED(ANNA_PAYS, "P1", it->time_ms = good[ANNA_HOLDS].seats_held.expires_at);
    INSTEAD(SOLD, ANNA_PAYS, "P1", it->payment_started.payment = 2);
    INSTEAD(RESERVED, BERT_PAYS, "L", it->payment_started.payment = 3);
    FORGED(SOLD, "P5", it->seats_sold.reservation = 2);
    FORGED(SOLD, "P3", it->seats_sold.amount = 9);
    FORGED(SOLD, "P3", it->seats_sold.balance = 89);
    FORGED(SOLD, "P1", it->seats_sold.payer = 2);
    FORGED(SOLD, "Q10", it->seats_sold.token_expired = 0);
    INSTEAD(RESERVED, SOLD, "P3", );
    INSTEAD(POSTED, SOLD, "P5", );
    FORGED(SOLD, "R8", it->kind = DECISION_PAYMENT_ABORTED;
           it->payment_aborted = (struct decision_payment_aborted){1, 1});
    INSTEAD(POSTED, REFUND, "R8", it->refund_started.key = (struct id128){{0}});
    INSTEAD(SOLD, REFUND, "P5", );
    FORGED(SEATS_BACK, "P5", it->seats_refunded.payment = 2);
    INSTEAD(REFUNDED, SEATS_BACK, "R8", );
    FORGED(BERT_SHORT, "P2", it->payment_refused.shortfall = 19);
    INSTEAD(FUNDS_REFUSED, BERT_SHORT, "P2", );
    FORGED(BERT_SHORT, "P5", it->payment_refused.payment = 1);
}

/* A key pays one reservation, also one that was refunded, for a day (P4). */
static void keys_of_payments(void **state) {
    (void)state;
    struct oracle oracle;
    struct decision enter = good[CARL_ENTERS], admit = good[CARL_ADMITTED];
    struct decision hold = good[ANNA_HOLDS], pay = good[ANNA_PAYS];
    live_until(&oracle, STEPS - 1); /* open, and nobody is inside */
    uint64_t now_ms = good[STEPS - 1].time_ms;
    enter.time_ms = admit.time_ms = hold.time_ms = pay.time_ms = now_ms;
    enter.queue_entered.place = admit.admitted.place = hold.seats_held.place = 4;
    enter.queue_entered.user = anna;
    enter.queue_entered.secret = key_of(104);
    admit.admitted.expires_at = now_ms + TTL_MS;
    hold.seats_held.reservation = pay.payment_started.reservation = 3;
    hold.seats_held.expires_at = now_ms + HOLD_MS;
    pay.payment_started.payment = 3;
    assert_true(oracle_judge(&oracle, &enter, 10001));
    assert_true(oracle_judge(&oracle, &admit, 10002));
    assert_true(oracle_judge(&oracle, &hold, 10003));
    assert_false(oracle_judge(&oracle, &pay, 10004));
    demand_told("P4", __LINE__);
    pay.payment_started.key = key_of(99);
    assert_true(oracle_judge(&oracle, &pay, 10004));
    oracle_deinit(&oracle);
}

static void wallets(void **state) {
    (void)state;
    FORGED(ANNA_CHARGES, "W1", it->wallet_charged.amount = it->wallet_charged.balance = 0);
    FORGED(ANNA_CHARGES, "W2", it->wallet_charged.balance = 101);
    FORGED(ANNA_CHARGES, "L", it->partition = partition_of_user(&anna) ^ 1u);
    INSTEAD(ANNA_HOLDS, ANNA_CHARGES, "W1", it->wallet_charged.balance = 200);
    FORGED(RESERVED, "L", it->partition = partition_of_user(&anna) ^ 1u);
    FORGED(RESERVED, "P3", it->funds_reserved.payment = dated_id(1, 2));
    FORGED(RESERVED, "P3", it->funds_reserved.reservation = dated_id(1, 2));
    FORGED(RESERVED, "P3", it->funds_reserved.amount = 11);
    FORGED(RESERVED, "P1", it->funds_reserved.user = bert;
           it->partition = partition_of_user(&bert));
    FORGED(RESERVED, "W2", it->funds_reserved.balance = 91);
    FORGED(RESERVED, "P2", it->kind = DECISION_FUNDS_REFUSED);
    INSTEAD(SOLD, RESERVED, "P4", it->funds_reserved.balance = 80);
    INSTEAD(FUNDS_REFUSED, RESERVED, "P1", it->partition = partition_of_user(&bert);
            it->funds_reserved = (struct decision_funds_reserved){bert, dated_id(1, 2),
                                                                  dated_id(1, 2), 20, 0});
    INSTEAD(SOLD, POSTED, "P3", );
    INSTEAD(RESERVED, POSTED, "P3", );
    INSTEAD(CARL_ADMITTED, POSTED, "P3", );
    INSTEAD(POSTED, RESERVED, "P3", it->kind = DECISION_FUNDS_VOIDED;
            it->funds_voided = (struct decision_funds_voided){anna, dated_id(1, 1), dated_id(1, 1),
                                                              10, 100});
    INSTEAD(REFUND, REFUNDED, "R8", );
    INSTEAD(POSTED, REFUNDED, "R8", );
    INSTEAD(SEATS_BACK, REFUNDED, "R8", it->funds_refunded.balance = 110);
    FORGED(REFUNDED, "P3", it->funds_refunded.amount = 11; it->funds_refunded.balance = 101);
    FORGED(REFUNDED, "W2", it->funds_refunded.balance = 101);
    INSTEAD(SEATS_BACK, CLOSED, "R8", );
    INSTEAD(BERT_PAYS, CLOSED, "R8", );
}

static void outages(void **state) {
    (void)state;
    FORGED(OUTAGE, "X7", it->outage_credited.credit_ms = 0);
    FORGED(OUTAGE, "X7", it->outage_credited.credit_ms++);
    FORGED(OUTAGE, "X7", it->outage_credited.cause = 9);
    INSTEAD(ANNA_ENTERS, OUTAGE, "X7", it->outage_credited.since = it->time_ms - 3000);
}

/* Sales that have not begun, or are over; refunds that are over; outages not given back. */
static void policies(void **state) {
    (void)state;
    static const struct {
        enum step before, then; /* the policy changes, and this decision follows */
        const char *rule;
        uint64_t open_ms, end_ms, refund_ms; /* after BEGIN_MS; 0: none */
        bool no_credit;
    } table[] = {
        {ANNA_ENTERS, ANNA_ENTERS, "Q13", .open_ms = DAY_MS},
        {ANNA_ENTERS, ANNA_ENTERS, "O3", .end_ms = 1},
        {ANNA_ADMITTED, ANNA_ADMITTED, "Q13", .open_ms = DAY_MS},
        {ANNA_ADMITTED, ANNA_ADMITTED, "O3", .end_ms = 1},
        {ANNA_HOLDS, ANNA_HOLDS, "O3", .end_ms = 1},
        {ANNA_PAYS, ANNA_PAYS, "O3", .end_ms = 1},
        {REFUND, REFUND, "O3", .refund_ms = 1},
        {OUTAGE, OUTAGE, "X7", .no_credit = true},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct oracle oracle;
        live_until(&oracle, table[i].before);
        struct decision change = {.kind = DECISION_POLICY_CHANGED,
                                  .partition = PARTITION_DATE_FIRST + 1,
                                  .time_ms = good[table[i].before].time_ms};
        struct policy *policy = &change.policy_changed.policy;
        *policy = good[DATE].date_created.policy;
        if (table[i].open_ms) policy->sales_open_at = BEGIN_MS + table[i].open_ms;
        if (table[i].end_ms) policy->sales_end_at = BEGIN_MS + table[i].end_ms;
        if (table[i].refund_ms) policy->refund_until = BEGIN_MS + table[i].refund_ms;
        if (table[i].no_credit) policy->outage_credit = 0;
        assert_true(oracle_judge(&oracle, &change, 9000));
        assert_false(oracle_judge(&oracle, &good[table[i].then], 9001));
        demand_told(table[i].rule, __LINE__);
        oracle_deinit(&oracle);
    }
}

/* --- what is missing -------------------------------------------------------------------------- */

static void what_time_should_have_decided(void **state) {
    (void)state;
    const struct {
        enum step until;
        uint64_t now_ms;
        const char *rule; /* NULL: nothing is overdue */
    } table[] = {
        {ANNA_ADMITTED, BEGIN_MS + 1000, "Q9"}, /* there is room */
        {BERT_ENTERS, BEGIN_MS + 1000, NULL},
        {ANNA_HOLDS, BEGIN_MS + 1000, NULL},
        {ANNA_HOLDS, BEGIN_MS + TTL_MS * 2, "Q8"},
        {BERT_REFUSED, BEGIN_MS + HOLD_MS, NULL},
        {BERT_REFUSED, BEGIN_MS + HOLD_MS + 1000, "R3"},
        {CARL_ADMITTED, BEGIN_MS + 1000, "Q9"},       /* Anna's slot is free */
        {BERT_ENDS, BEGIN_MS + HOLD_MS + 1000, NULL}, /* credited */
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct oracle oracle;
        live_until(&oracle, table[i].until);
        bool in_time = oracle_overdue(&oracle, oracle_date(&oracle, 1), table[i].now_ms);
        assert_int_equal(in_time, table[i].rule == NULL);
        if (table[i].rule) demand_told(table[i].rule, __LINE__);
        oracle_deinit(&oracle);
    }
}

/* A cancelled date gives back what was paid. */
static void a_cancelled_date(void **state) {
    (void)state;
    struct oracle oracle;
    live_until(&oracle, REFUND);
    struct decision cancelled = good[REFUND];
    cancelled.kind = DECISION_DATE_CANCELLED;
    assert_true(oracle_judge(&oracle, &cancelled, 9000));
    assert_false(oracle_overdue(&oracle, oracle_date(&oracle, 1), cancelled.time_ms));
    demand_told("R8", __LINE__);
    assert_false(oracle_judge(&oracle, &good[DATE_CLOSED_NOW], 9001)); /* for good */
    oracle_deinit(&oracle);
}

static void what_is_half_done(void **state) {
    (void)state;
    static const struct {
        enum step until;
        const char *rule; /* NULL: at rest */
    } table[] = {
        {ANNA_PAYS, NULL},     {RESERVED, "P3"},   {SOLD, "P3"},   {POSTED, "P3"},
        {CARL_ADMITTED, NULL}, {REFUNDED, "P3"},   {CLOSED, "P3"}, {BERT_PAYS, NULL},
        {FUNDS_REFUSED, "P3"}, {BERT_SHORT, "P3"}, {OUTAGE, NULL},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct oracle oracle;
        live_until(&oracle, table[i].until);
        assert_int_equal(oracle_rest(&oracle), table[i].rule == NULL);
        if (table[i].rule) demand_told(table[i].rule, __LINE__);
        oracle_deinit(&oracle);
    }
}

/* --- who bears witness ------------------------------------------------------------------------ */

static const char *refuses;
static bool witness(const char *name) { return strcmp(refuses, name) != 0; }
static bool admits(void *context, const struct oracle_date *date, uint32_t place) {
    (void)context, (void)date, (void)place;
    return witness("admits");
}
static bool drops(void *context, const struct oracle_date *date, uint32_t place) {
    (void)context, (void)date, (void)place;
    return witness("drops");
}
static bool ends(void *context, const struct oracle_date *date, uint64_t from_ms, uint64_t ttl_ms) {
    (void)context, (void)date;
    assert_true(from_ms == good[BERT_ADMITTED].time_ms && ttl_ms == TTL_MS);
    return witness("ends");
}
static bool credits(void *context, const struct oracle_date *date,
                    const struct decision_outage_credited *credited) {
    (void)context, (void)date;
    assert_int_equal(credited->credit_ms, 3000);
    return witness("credits");
}

static void witnesses_are_believed(void **state) {
    (void)state;
    static const struct {
        const char *name;
        enum step step; /* that is not allowed if this witness says so; STEPS: none */
    } table[] = {{"nobody", STEPS},
                 {"admits", ANNA_ADMITTED},
                 {"ends", BERT_ENDS},
                 {"credits", OUTAGE},
                 {"drops", CARL_LEAVES}};
    const struct oracle_ports ports = {
        .complain = hear, .admits = admits, .drops = drops, .ends = ends, .credits = credits};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct oracle oracle;
        refuses = table[i].name;
        oracle_init(&oracle, &ports);
        for (uint32_t step = 0; step <= table[i].step && step < STEPS; step++) {
            struct decision decision = good[step];
            if (table[i].step == CARL_LEAVES && step == CARL_ADMITTED) continue; /* he waits */
            if (table[i].step == CARL_LEAVES && step == CARL_LEAVES) {
                decision.token_expired.end = TOKEN_END_SILENT;
            }
            assert_int_equal(oracle_judge(&oracle, &decision, (step + 1) * 100),
                             step != table[i].step);
        }
        oracle_deinit(&oracle);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_log_is_allowed),
        cmocka_unit_test(records),
        cmocka_unit_test(the_waiting_room),
        cmocka_unit_test(seats),
        cmocka_unit_test(payments),
        cmocka_unit_test(keys_of_payments),
        cmocka_unit_test(wallets),
        cmocka_unit_test(outages),
        cmocka_unit_test(policies),
        cmocka_unit_test(what_time_should_have_decided),
        cmocka_unit_test(a_cancelled_date),
        cmocka_unit_test(what_is_half_done),
        cmocka_unit_test(witnesses_are_believed),
    };
    return cmocka_run_group_tests_name("oracle", tests, make_good, NULL);
}
