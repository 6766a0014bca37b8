/* test_encode.c - every kind of reply, and every error, from real state to bytes */
#include "tests/support/cmocka.h"

#include <stdio.h>

#include "engine/domain/account/account.h"
#include "engine/domain/catalogue/catalogue.h"
#include "engine/domain/date/date.h"
#include "engine/runtime/board.h"
#include "net/protocol/encode.h"
#include "net/protocol/limits.h"
#include "tests/support/notation.h"

#define NOW 1700000000000u
#define USER_TEXT "'123e4567-e89b-42d3-a456-426614174000'"

static const struct id128 user = {{0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x42, 0xd3, 0xa4, 0x56, 0x42,
                                   0x66, 0x14, 0x17, 0x40, 0x00}};
static const struct id128 secret = {{1, 2, 3}};

static struct {
    uint8_t buffer[NET_REPLY_INLINE_BYTES];
    struct value_writer writer;
    struct board *board;
    const struct process_figures *figures; /* NULL: nobody keeps any */
    struct date *date;
    struct partition *catalogue, *wallets;
    uint64_t lsn;
} f;

static struct text text(const char *bytes) {
    return (struct text){.bytes = bytes, .size = (uint8_t)strlen(bytes)};
}

/* Stamp a decision and apply it. */
static void apply(struct partition *partition, struct decision decision) {
    decision.partition = partition->id;
    decision.time_ms = NOW;
    partition_apply(partition, &decision);
}

static void add_seat(uint32_t number, const char *guid, bool for_sale) {
    apply(&f.date->partition, (struct decision){.kind = DECISION_SEAT_ADDED,
                                                .seat_added = {.number = number,
                                                               .price = 100 * number,
                                                               .for_sale = for_sale,
                                                               .section = text("A"),
                                                               .row = text("9"),
                                                               .seat = text("16 bis"),
                                                               .guid = text(guid)}});
}

/* Seats 1..5: 1 and 2 held together, 3 sold, 4 free, 5 not for sale. */
static int setup(void **state) {
    (void)state;
    struct decision_date_created created = {
        .date = 7, .concert = 1, .title = text("Friday"), .starts_at = NOW + 1000};
    policy_default(&created.policy);
    value_writer_init(&f.writer, f.buffer, sizeof f.buffer, NET_RESPONSE_BYTES_MAX);
    f.board = board_create();
    f.catalogue = partition_create(PARTITION_CATALOGUE, &secret);
    f.wallets = partition_create(PARTITION_ACCOUNT_FIRST, &secret);
    apply(f.catalogue,
          (struct decision){.kind = DECISION_CONCERT_CREATED,
                            .concert_created = {.concert = 1, .title = text("Requiem")}});
    apply(f.catalogue,
          (struct decision){.kind = DECISION_CONCERT_CREATED,
                            .concert_created = {.concert = 2, .title = text("Encore")}});
    for (uint32_t id = 1; id <= 7; id++) {
        struct decision_date_created other = created;
        other.date = id;
        other.concert = id == 3 || id == 5 ? 2 : 1;
        apply(f.catalogue, (struct decision){.kind = DECISION_DATE_CREATED, .date_created = other});
    }
    f.date = date_create(&created);
    for (uint32_t i = 1; i <= 5; i++) add_seat(i, i == 4 ? "g4" : "", i != 5);
    struct partition *date = &f.date->partition;
    apply(date, (struct decision){.kind = DECISION_DATE_OPENED});
    apply(date,
          (struct decision){.kind = DECISION_QUEUE_ENTERED, .queue_entered = {1, user, secret}});
    apply(date, (struct decision){.kind = DECISION_ADMITTED,
                                  .admitted = {.place = 1, .expires_at = NOW + 9}});
    apply(date, (struct decision){.kind = DECISION_SEATS_HELD,
                                  .seats_held = {.reservation = 1,
                                                 .place = 1,
                                                 .user = user,
                                                 .seats = {2, {1, 2}},
                                                 .amount = 300,
                                                 .expires_at = NOW + 5}});
    apply(date, (struct decision){.kind = DECISION_SEATS_HELD,
                                  .seats_held = {.reservation = 2,
                                                 .place = 1,
                                                 .user = user,
                                                 .seats = {1, {3}},
                                                 .amount = 300,
                                                 .expires_at = NOW + 5}});
    apply(date,
          (struct decision){.kind = DECISION_PAYMENT_STARTED,
                            .payment_started = {.payment = 1, .reservation = 2, .key = secret}});
    apply(date, (struct decision){
                    .kind = DECISION_SEATS_SOLD,
                    .seats_sold = {.payment = 1, .reservation = 2, .amount = 300, .balance = 700}});
    apply(f.wallets, (struct decision){.kind = DECISION_WALLET_CHARGED,
                                       .wallet_charged = {user, 1000, 1000, secret}});
    apply(f.wallets,
          (struct decision){.kind = DECISION_FUNDS_RESERVED,
                            .funds_reserved = {user, dated_id(7, 1), dated_id(7, 2), 300, 700}});
    apply(f.wallets, (struct decision){.kind = DECISION_FUNDS_POSTED,
                                       .funds_posted = {user, dated_id(7, 1), 300}});
    return 0;
}

static int teardown(void **state) {
    (void)state;
    value_writer_deinit(&f.writer);
    partition_free(&f.date->partition);
    partition_free(f.catalogue);
    partition_free(f.wallets);
    board_free(f.board);
    return 0;
}

/* Return: the response as text; borrowed until the next call */
static const char *encode(const struct reply *reply) {
    static const struct net_counters counters = {.frames = 1, .requests = 2, .relistens = 3};
    struct encode_sources sources = {
        .board = f.board, .durable_lsn = 99, .counters = &counters, .figures = f.figures};
    f.lsn = 5;
    encode_reply(&f.writer, 3, reply, &sources, &f.lsn);
    assert_false(f.writer.failed);
    return notation_print_bytes(f.writer.bytes, f.writer.size);
}

#define ASSERT_REPLY(expected, ...)                                                                \
    assert_string_equal(encode(&(struct reply){.now_ms = NOW, __VA_ARGS__}),                       \
                        "[1,3,nil," expected "]")

static void tokens(void **state) {
    (void)state;
    struct token token = {7, 9, secret};
    ASSERT_REPLY(
        "{'token':'000000070000000901020300000000000000000000000000','user':" USER_TEXT
        ",'date':7,'state':'waiting','position':4,'ahead':3,'eta_ms':8000,'next_poll_ms':500,"
        "'expires_at':1700000060000,'now':1700000000000}",
        .kind = REPLY_TOKEN, .token = {token, TOKEN_WAITING, 0, 3, 8000, 500, NOW + 60000, user});
    ASSERT_REPLY("{'token':'000000070000000901020300000000000000000000000000','user':" USER_TEXT
                 ",'date':7,'state':'active','position':0,'ahead':0,'eta_ms':0,'next_poll_ms':500,"
                 "'expires_at':1700000000009,'now':1700000000000}",
                 .kind = REPLY_TOKEN, .token = {token, TOKEN_ACTIVE, 0, 0, 0, 500, NOW + 9, user});
    ASSERT_REPLY("{'token':'000000070000000901020300000000000000000000000000','date':7,"
                 "'state':'expired','end':'silent','position':0,'ahead':0,'eta_ms':0,"
                 "'next_poll_ms':0,'expires_at':0,'now':1700000000000}",
                 .kind = REPLY_TOKEN,
                 .token = {token, TOKEN_EXPIRED, TOKEN_END_SILENT, 0, 0, 0, 0, {{0}}});
    /* Q1: whose it is, where that is still known. */
    ASSERT_REPLY("{'token':'000000070000000901020300000000000000000000000000','user':" USER_TEXT
                 ",'date':7,'state':'expired','end':'paid','position':0,'ahead':0,'eta_ms':0,"
                 "'next_poll_ms':0,'expires_at':0,'now':1700000000000}",
                 .kind = REPLY_TOKEN,
                 .token = {token, TOKEN_EXPIRED, TOKEN_END_PAID, 0, 0, 0, 0, user});
}

#define SEAT(number, price)                                                                        \
    "{'number':" number ",'section':'A','row':'9','seat':'16 bis','price':" price "}"
#define HELD                                                                                       \
    "{'reservation':30064771073,'date':7,'state':'held','seats':[" SEAT("1", "100") "," SEAT(      \
        "2", "200") "],'amount':300,'held_at':1700000000000,'expires_at':1700000000005,"           \
                    "'changed_at':1700000000000}"
#define SOLD                                                                                       \
    "{'reservation':30064771074,'date':7,'state':'paid','seats':[" SEAT(                           \
        "3", "300") "],"                                                                           \
                    "'amount':300,'held_at':1700000000000,'expires_at':1700000000005,"             \
                    "'changed_at':1700000000000,'payment':30064771073}"

static void reservations(void **state) {
    (void)state;
    const struct reservation *held = reservations_find(&f.date->reservations, 1);
    const struct reservation *sold = reservations_find(&f.date->reservations, 2);
    ASSERT_REPLY(HELD, .kind = REPLY_RESERVATION, .reservation = {f.date, held});
    ASSERT_REPLY(SOLD, .kind = REPLY_RESERVATION, .reservation = {f.date, sold});
    ASSERT_REPLY("{'payment':30064771073,'reservation':30064771074,'date':7,'amount':300,"
                 "'balance':700,'seats':[" SEAT("3", "300") "],'paid_at':1700000000000}",
                 .kind = REPLY_PAYMENT, .payment = {f.date, sold, 700});
}

static void reservation_list(void **state) {
    (void)state;
    struct reservation_list list = {0};
    struct reply reply = {.kind = REPLY_RESERVATION_ITEM};
    encode_reservation_end(&f.writer, 3, &list);
    assert_string_equal(notation_print_bytes(f.writer.bytes, f.writer.size),
                        "[1,3,nil,{'reservations':[],'truncated':false}]");
    for (uint32_t i = 2; i >= 1; i--) {
        reply.reservation.date = f.date;
        reply.reservation.reservation = reservations_find(&f.date->reservations, i);
        encode_reservation_item(&f.writer, 3, &reply, &list);
    }
    encode_reservation_end(&f.writer, 3, &list);
    assert_string_equal(notation_print_bytes(f.writer.bytes, f.writer.size),
                        "[1,3,nil,{'reservations':[" SOLD "," HELD "],'truncated':false}]");
}

static void reservation_list_is_bounded(void **state) {
    (void)state;
    struct reservation_list list = {0};
    struct reply reply = {.kind = REPLY_RESERVATION_ITEM,
                          .reservation = {f.date, reservations_find(&f.date->reservations, 1)}};
    const struct value *response;
    uint32_t used;
    bool truncated = false;
    for (int i = 0; i < 20000; i++) encode_reservation_item(&f.writer, 3, &reply, &list);
    encode_reservation_end(&f.writer, 3, &list);
    assert_false(f.writer.failed);
    assert_in_range(f.writer.size, NET_RESERVATION_LIST_BYTES_MAX,
                    NET_RESERVATION_LIST_BYTES_MAX + 1000);
    assert_int_equal(value_parse(f.writer.bytes, f.writer.size, &response, &used), VALUE_OK);
    const struct value *result = value_at(response, 3);
    assert_true(value_get_bool(value_find(result, "truncated"), &truncated));
    assert_true(truncated);
    assert_in_range(value_count(value_find(result, "reservations")), 1000, 19999);
}

static void seats(void **state) {
    (void)state;
#define ROW(number, guid, price, state)                                                            \
    "{'number':" number ",'section':'A','row':'9','seat':'16 bis','guid':'" guid                   \
    "','price':" price ",'state':'" state "'}"
    ASSERT_REPLY("{'seats':[" ROW("4", "g4", "400", "available") "],'next':nil}",
                 .kind = REPLY_SEATS, .seats = {f.date, 1, 500, false});
    ASSERT_REPLY("{'seats':[" ROW("1", "", "100", "held") "," ROW("2", "", "200", "held") "," ROW(
                     "3", "", "300", "sold") "],'next':4}",
                 .kind = REPLY_SEATS, .seats = {f.date, 1, 3, true});
    ASSERT_REPLY("{'seats':[" ROW("4", "g4", "400", "available") "," ROW(
                     "5", "", "500", "not_for_sale") "],'next':nil}",
                 .kind = REPLY_SEATS, .seats = {f.date, 4, 3, true});
    ASSERT_REPLY("{'seats':[],'next':nil}", .kind = REPLY_SEATS,
                 .seats = {f.date, UINT32_MAX, 500, true});
    /* A page that is just full has no next page. */
    ASSERT_REPLY("{'seats':[" ROW("4", "g4", "400", "available") "],'next':nil}",
                 .kind = REPLY_SEATS, .seats = {f.date, 1, 1, false});
#undef ROW
}

static void wallets(void **state) {
    (void)state;
    const struct account_partition *all = (struct account_partition *)f.wallets;
    ASSERT_REPLY("{'user':" USER_TEXT ",'balance':700,'reserved':300}", .kind = REPLY_WALLET,
                 .wallet = {user, 700, 300});
    ASSERT_REPLY("{'user':" USER_TEXT ",'rows':[],'rows_total':0}", .kind = REPLY_HISTORY,
                 .history = {user, all, NULL});
    ASSERT_REPLY("{'user':" USER_TEXT ",'rows':[{'reason':'charge','amount':1000,'balance':1000,"
                 "'time':1700000000000},{'reason':'payment','amount':300,'balance':700,"
                 "'time':1700000000000,'payment':30064771073,'reservation':30064771074}],"
                 "'rows_total':2}",
                 .kind = REPLY_HISTORY, .history = {user, all, account_find(all, &user)});
}

static void write_board(uint32_t date, uint32_t date_state, uint32_t available, uint64_t opens_at,
                        bool gated, uint64_t lsn) {
    struct date_counters counters = {
        .state = date_state,
        .seats_total = 5,
        .seats_available = available,
        .waiting = 2,
        .active = 1,
        .sales_open_at = opens_at,
        .gate_dates = gated,
    };
    board_write_date(f.board, date, &counters, lsn);
}

static void concerts(void **state) {
    (void)state;
    ASSERT_REPLY("{'concerts':[{'concert':1,'title':'Requiem','dates':[1,2,4,6,7]},"
                 "{'concert':2,'title':'Encore','dates':[3,5]}]}",
                 .kind = REPLY_CONCERTS, .concerts = {(struct catalogue *)f.catalogue, true});
    /* O2: the public sees no drafts; a date without a row on the board is one. */
    write_board(2, DATE_DRAFT, 0, 0, false, 30);
    write_board(4, DATE_CLOSED, 0, 0, false, 31);
    write_board(3, DATE_OPEN, 0, 0, false, 32);
    write_board(7, DATE_CANCELLED, 0, 0, false, 29);
    ASSERT_REPLY("{'concerts':[{'concert':1,'title':'Requiem','dates':[4,7]},"
                 "{'concert':2,'title':'Encore','dates':[3]}]}",
                 .kind = REPLY_CONCERTS, .concerts = {(struct catalogue *)f.catalogue, false});
    assert_int_equal(f.lsn, 32);
}

#define DATE_ROW(date, opens, state, total, available, bookable, waiting, active)                  \
    DATE_ROW_ENDING(date, opens, "0", state, total, available, bookable, waiting, active)
#define DATE_ROW_ENDING(date, opens, ends, state, total, available, bookable, waiting, active)     \
    "{'date':" date ",'title':'Friday','starts_at':1700000001000,'sales_open_at':" opens           \
    ",'sales_end_at':" ends ",'state':'" state "','seats_total':" total                            \
    ",'seats_available':" available ",'bookable':" bookable ",'waiting':" waiting                  \
    ",'active':" active "}"

#define LIST(...) .kind = REPLY_DATES, .dates = {.catalogue = catalogue, .concert = 2, __VA_ARGS__}

static void dates(void **state) {
    (void)state;
    const struct catalogue *catalogue = (struct catalogue *)f.catalogue;
    write_board(3, DATE_OPEN, 4, NOW, false, 40);
    ASSERT_REPLY("{'dates':[" DATE_ROW("3", "1700000000000", "open", "5", "4", "true", "2",
                                       "1") "," DATE_ROW("5", "0", "draft", "0", "0", "false", "0",
                                                         "0") "]}",
                 LIST(.drafts = true));
    assert_int_equal(f.lsn, 40); /* the reply waits for what it shows */
    /* O2: the public does not see drafts */
    ASSERT_REPLY(
        "{'dates':[" DATE_ROW("3", "1700000000000", "open", "5", "4", "true", "2", "1") "]}",
        LIST(.drafts = false));
    ASSERT_REPLY(
        "{'dates':[" DATE_ROW("3", "1700000000000", "open", "5", "4", "true", "2", "1") "]}",
        LIST(.available_only = true));
    /* Not bookable: sales begin in a millisecond; no seats; closed. */
    write_board(3, DATE_OPEN, 4, NOW + 1, false, 41);
    write_board(5, DATE_OPEN, 0, 0, false, 42);
    ASSERT_REPLY(
        "{'dates':[" DATE_ROW("3", "1700000000001", "open", "5", "4", "false", "2",
                              "1") "," DATE_ROW("5", "0", "open", "5", "0", "false", "2", "1") "]}",
        LIST(.drafts = false));
    write_board(3, DATE_CLOSED, 4, 0, false, 43);
    ASSERT_REPLY(
        "{'dates':[" DATE_ROW("3", "0", "closed", "5", "4", "false", "2",
                              "1") "," DATE_ROW("5", "0", "open", "5", "0", "false", "2", "1") "]}",
        LIST(.drafts = false));
}

/* C2: available_only lists what somebody who enters now can buy, and nothing else. */
static void only_what_can_be_bought(void **state) {
    static const struct {
        uint32_t state, available;
        uint64_t opens_at, ends_at;
        bool listed;
    } rows[] = {
        {DATE_OPEN, 1, NOW, 0, true},     {DATE_OPEN, 1, NOW + 1, 0, false},
        {DATE_OPEN, 1, 0, NOW + 1, true}, {DATE_OPEN, 1, 0, NOW, false},
        {DATE_OPEN, 0, 0, 0, false},      {DATE_DRAFT, 1, 0, 0, false},
        {DATE_CLOSED, 1, 0, 0, false},    {DATE_CANCELLED, 1, 0, 0, false},
    };
    const struct catalogue *catalogue = (struct catalogue *)f.catalogue;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct date_counters counters = {.state = rows[i].state,
                                         .seats_available = rows[i].available,
                                         .sales_open_at = rows[i].opens_at,
                                         .sales_end_at = rows[i].ends_at};
        board_write_date(f.board, 3, &counters, 50 + i);
        const char *text = encode(
            &(struct reply){.now_ms = NOW, LIST(.drafts = true, .available_only = true)});
        if ((strstr(text, "'date':3,") != NULL) != rows[i].listed) fail_msg("row %zu", i);
        text = encode(&(struct reply){.now_ms = NOW, LIST(.drafts = true)});
        if ((strstr(text, "'bookable':true") != NULL) != rows[i].listed) fail_msg("row %zu", i);
    }
}

/* C5: one gated date is enough to hide the list from those without a token, and only its own
 * concert's list. What is wrong with a token is said there, and nowhere else. */
static void dates_gated(void **state) {
    (void)state;
    const struct catalogue *catalogue = (struct catalogue *)f.catalogue;
    write_board(3, DATE_OPEN, 4, 0, false, 40);
    write_board(5, DATE_OPEN, 0, 0, true, 50);
    const char *refusal = encode(&(struct reply){LIST(.drafts = false)});
    assert_non_null(strstr(refusal, "[1,3,{'code':'TOKEN_REQUIRED',"));
    assert_int_equal(f.lsn, 50);
    refusal = encode(&(struct reply){LIST(.refusal = ERROR_NOT_YOUR_TURN, .refusal_data = 7)});
    assert_non_null(strstr(refusal, "[1,3,{'code':'NOT_YOUR_TURN',"));
    assert_non_null(strstr(refusal, "'data':{'ahead':7}"));
    refusal = encode(&(struct reply){LIST(.refusal = ERROR_TOKEN_EXPIRED)});
    assert_non_null(strstr(refusal, "[1,3,{'code':'TOKEN_EXPIRED',"));
    ASSERT_REPLY("{'dates':[" DATE_ROW("3", "0", "open", "5", "4", "true", "2", "1") "]}",
                 LIST(.available_only = true, .has_token = true));
    /* Of a concert without a gated date they are listed whatever comes along; a gated draft gates
     * nobody out before it is public (O2). */
    write_board(5, DATE_DRAFT, 0, 0, true, 51);
    ASSERT_REPLY("{'dates':[" DATE_ROW("3", "0", "open", "5", "4", "true", "2", "1") "]}",
                 LIST(.refusal = ERROR_TOKEN_EXPIRED));
    write_board(1, DATE_OPEN, 4, 0, false, 52);
    assert_non_null(strstr(encode(&(struct reply){.kind = REPLY_DATES,
                                                  .dates = {.catalogue = catalogue, .concert = 1}}),
                           "[1,3,nil,{'dates':[{'date':1,"));
}

/* A refused policy names its field. */
static void bad_policy(void **state) {
    (void)state;
    struct reply reply = {.kind = REPLY_ERROR,
                          .error = ERROR_BAD_POLICY,
                          .data = {POLICY_INDEX_hold_ttl_ms, 100, 200}};
    assert_string_equal(encode(&reply),
                        "[1,3,{'code':'BAD_POLICY','message':'The policy field hold_ttl_ms must be "
                        "from 100 to 200. Nothing was changed.','data':{'field':9,'min':100,"
                        "'max':200,'param':'hold_ttl_ms'}},nil]");
    assert_false(f.writer.on_heap);
}

static void admin(void **state) {
    (void)state;
    ASSERT_REPLY("{}", .kind = REPLY_DONE);
    ASSERT_REPLY("{'concert':9}", .kind = REPLY_CREATED, .created = {9, 0});
    ASSERT_REPLY("{'concert':9,'date':4}", .kind = REPLY_CREATED, .created = {9, 4});
    ASSERT_REPLY("{'seats':64,'next':65}", .kind = REPLY_SEATS_ADDED, .seats_added = {64, 65});
    ASSERT_REPLY("{'date':7,'concert':1,'state':'open','starts_at':1700000001000,'seats_total':5,"
                 "'seats_available':1,'policy':{'order':'fifo','reentry':'keep',"
                 "'token_expires_on':'payment','gate_dates':false,'waiting_timeout_ms':60000,"
                 "'active_capacity':10,'active_ttl_ms':420000,'admit_per_interval':0,"
                 "'admit_interval_ms':0,'hold_ttl_ms':300000,'max_seats_per_user':4,"
                 "'sales_open_at':0,'outage_credit':true,'admit_first_at_once':false,"
                 "'sales_end_at':0,'refund_until':0}}",
                 .kind = REPLY_DATE, .date = {f.date});
}

static void system_replies(void **state) {
    (void)state;
    struct money_totals money = {.accounts = 2, .charged = 9, .balances = 4, .spent = 5};
    struct shard_counters shard = {.requests = 10, .decisions = 8, .outages = 2, .outage_ms = 4100};
    struct shard_counters other = {.outages = 1, .outage_ms = 4000}; /* the same stall */
    ASSERT_REPLY("{'now':1700000000000,'version':1}", .kind = REPLY_PING);
    board_write_account(f.board, 0, &money, 60);
    board_write_shard(f.board, 0, &shard);
    board_write_shard(f.board, 1, &other);
    ASSERT_REPLY("{'now':1700000000000,'version':1,'durable_lsn':99,"
                 "'build':{'version':'unknown','git':'unknown','protocol':1,'log':1,'snapshot':1,"
                 "'schema':2},'engine':{'requests':10,"
                 "'decisions':8,'drains':0,'refusals':0,'messages':0,'journal_full':0,"
                 "'gate_waiting':0,'outages':2,'outage_ms':4100},"
                 "'money':{'accounts':2,'charged':9,'balances':4,'reserved':0,"
                 "'spent':5,'refunded':0},'net':{'frames':1,'requests':2,'malformed':0,'refused':0,"
                 "'busy':0,'replies_dropped':0,'slow_disconnects':0,'connections':0,'accepted':0,"
                 "'connections_refused':0,'relistens':3,'frames_in_flight':0},"
                 "'projection':{'wanted':0,'connected':0,'stopped':0,'taken_over':0,"
                 "'applied_lsn':0,'lag_decisions':0,'lag_ms':0,'failures':0},"
                 "'log':{'segment_bytes':0,'left_bytes':0,'free_bytes':0,"
                 "'segment_missing_bytes':0},"
                 "'clock':{'steps_forward':0,'steps_back':0,'behind_ms':0}}",
                 .kind = REPLY_STATS);
    assert_int_equal(f.lsn, 60);
}

/* Each under its own name, and none where nobody keeps them. */
static void figures_of_the_process(void **state) {
    (void)state;
    struct process_figures figures = {.build = {"1.2.3", "0123abcd"}};
    uint64_t number = 100;
    char expected[1024] = "";
#define FILL(map, name)                                                                            \
    figures.map##_##name = number;                                                                 \
    (void)snprintf(expected + strlen(expected), sizeof expected - strlen(expected), "'%s':%u,",    \
                   #name, (unsigned)number++);
#define FILL_MAP(map, FIGURES)                                                                     \
    (void)snprintf(expected + strlen(expected), sizeof expected - strlen(expected), ",'%s':{",     \
                   #map);                                                                          \
    FIGURES(FILL)                                                                                  \
    expected[strlen(expected) - 1] = '}';
    PROCESS_FIGURE_MAPS(FILL_MAP)
    (void)snprintf(expected + strlen(expected), sizeof expected - strlen(expected), "}]");
    f.figures = &figures;
    const char *text = encode(&(struct reply){.now_ms = NOW, .kind = REPLY_STATS});
    f.figures = NULL;
    assert_true(strlen(text) > strlen(expected));
    assert_string_equal(text + strlen(text) - strlen(expected), expected);
    assert_non_null(strstr(text, "'build':{'version':'1.2.3','git':'0123abcd','protocol':1,"));
}

static char specification[1u << 20]; /* PROTOCOL.md, its blanks made one */

static void read_specification(void) {
    FILE *file = fopen(SPECIFICATION, "r");
    size_t size = 0;
    assert_non_null(file);
    for (int byte; (byte = fgetc(file)) != EOF && size + 1 < sizeof specification;) {
        if (byte == '\n') byte = ' ';
        specification[size++] = (char)byte;
    }
    (void)fclose(file);
}

/* PROTOCOL.md names every map of system.stats, and every figure in it, in their order. */
static void stats_as_specified(void **state) {
    (void)state;
    uint32_t maps = 0;
    char wanted[1024];
    read_specification();
    const char *text = encode(&(struct reply){.now_ms = NOW, .kind = REPLY_STATS});
    /* 'net':{'frames':1,'requests':2} is to stand there as | `net` | frames, requests | */
    for (const char *open = strchr(text, '{') + 1; (open = strchr(open, '{')); open++, maps++) {
        const char *name = open - 2;
        while (name[-1] != '\'') name--;
        size_t size = (size_t)snprintf(wanted, sizeof wanted, "| `%.*s` | ", (int)(open - 2 - name),
                                       name);
        bool key = false;
        for (const char *at = open + 1; *at != '}'; at++) {
            if (*at == ',') {
                wanted[size++] = ',';
                wanted[size++] = ' ';
            }
            if (*at == ':' && at[1] == '\'')
                at = strchr(at + 2, '\''); /* a value that is a text */
            else if (*at == '\'')
                key = !key;
            else if (key)
                wanted[size++] = *at;
        }
        memcpy(wanted + size, " |", sizeof " |");
        if (!strstr(specification, wanted)) fail_msg("PROTOCOL.md does not say: %s", wanted);
    }
    assert_in_range(maps, 4, 20);
    assert_non_null(
        strstr(specification, "projection: {...}, log: {...}, clock: {...}}: counters"));
}

/* PROTOCOL.md names every method. */
static void methods_as_specified(void **state) {
    (void)state;
    read_specification();
    uint32_t methods = 0;
    for (uint32_t kind = COMMAND_NONE + 1; kind < COMMAND_COUNT; kind++) {
        char wanted[64];
        if (command_method(kind)[0] == '\0') continue; /* a message between partitions */
        (void)snprintf(wanted, sizeof wanted, "`%s`", command_method(kind));
        if (!strstr(specification, wanted)) fail_msg("PROTOCOL.md does not name %s", wanted);
        methods++;
    }
    assert_in_range(methods, 20, 100);
}

/* Every row of error.def, with its own data names, in the inline buffer. */
static void every_error(void **state) {
    (void)state;
    uint32_t errors = 0;
    for (uint32_t number = 0; number <= UINT16_MAX; number++) {
        const struct error_row *row = error_row(number);
        char expected[1024];
        if (!row || number == ERROR_BAD_POLICY) continue; /* has its own test */
        int size = snprintf(expected, sizeof expected, "[1,3,{'code':'%s','message':'%s','data':{",
                            row->name, row->text);
        for (int i = 0; i < ERROR_DATA_COUNT && row->data[i][0]; i++) {
            size += snprintf(expected + size, sizeof expected - (size_t)size, "%s'%s':%d",
                             i ? "," : "", row->data[i], 11 + i);
        }
        (void)snprintf(expected + size, sizeof expected - (size_t)size, "}},nil]");
        struct reply reply = {.kind = REPLY_ERROR, .error = (uint16_t)number, .data = {11, 12, 13}};
        assert_string_equal(encode(&reply), expected);
        assert_false(f.writer.on_heap);
        errors++;
    }
    assert_in_range(errors, 30, 200);
}

static void bad_param_names(void **state) {
    (void)state;
    static const struct {
        const char *param, *shown;
    } cases[] = {
        {"seats", "seats"},
        {"se\nats", "?"},
        {"\xff", "?"},
        {"12345678901234567890123456789012345678901234567890123456789012345", "?"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char expected[512];
        struct error_reply error = {.code = ERROR_BAD_PARAMS,
                                    .param = cases[i].param,
                                    .param_size = (uint32_t)strlen(cases[i].param)};
        encode_error(&f.writer, 3, &error);
        (void)snprintf(expected, sizeof expected,
                       "[1,3,{'code':'BAD_PARAMS','message':'%s','data':{'param':'%s'}},nil]",
                       error_row(ERROR_BAD_PARAMS)->text, cases[i].shown);
        assert_string_equal(notation_print_bytes(f.writer.bytes, f.writer.size), expected);
    }
}

/* What a writer cannot hold fails as a whole. */
static void too_big(void **state) {
    (void)state;
    struct value_writer small;
    uint8_t buffer[64];
    uint64_t lsn = 0;
    struct encode_sources sources = {.board = f.board};
    value_writer_init(&small, buffer, sizeof buffer, sizeof buffer);
    encode_reply(&small, 3, &(struct reply){.kind = REPLY_SEATS, .seats = {f.date, 1, 3, true}},
                 &sources, &lsn);
    assert_true(small.failed);
    value_writer_deinit(&small);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(tokens),
        TEST(reservations),
        TEST(reservation_list),
        TEST(reservation_list_is_bounded),
        TEST(seats),
        TEST(wallets),
        TEST(concerts),
        TEST(dates),
        TEST(only_what_can_be_bought),
        TEST(dates_gated),
        TEST(bad_policy),
        TEST(admin),
        TEST(system_replies),
        TEST(figures_of_the_process),
        TEST(stats_as_specified),
        TEST(methods_as_specified),
        TEST(every_error),
        TEST(bad_param_names),
        TEST(too_big),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
