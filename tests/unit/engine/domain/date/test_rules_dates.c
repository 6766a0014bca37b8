/* test_rules_dates.c - the catalogue's and the organiser's rules, C1 to C5, and live policy */
#include "tests/unit/engine/domain/domain_test.h"

static uint16_t create_concert(struct domain *domain) {
    struct command command = {.kind = COMMAND_CONCERT_CREATE, .concert = {.title = {"C", 1}}};
    return domain_do(domain, command);
}

static uint16_t create_date(struct domain *domain, uint32_t concert, const struct policy *policy) {
    struct command command = {.kind = COMMAND_DATE_CREATE,
                              .date = {.concert = concert,
                                       .title = {"D", 1},
                                       .starts_at = DOMAIN_EPOCH_MS,
                                       .policy = policy,
                                       .seed = domain_key(77)}};
    return domain_do(domain, command);
}

static uint16_t add_seats(struct domain *domain, uint32_t date, uint32_t first, uint32_t count,
                          const struct seat_spec *seats) {
    struct command command = {.kind = COMMAND_SEATS_ADD,
                              .partition = partition_of_date(date),
                              .seats = {.first = first, .count = count, .seats = seats}};
    return domain_do(domain, command);
}

static void C1_concerts_and_dates(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    assert_int_equal(create_date(domain, 1, &policy), ERROR_NO_SUCH_CONCERT);
    assert_refused(domain, ERROR_NO_SUCH_CONCERT, 1, 0, 0);
    assert_int_equal(create_concert(domain), ERROR_NONE);
    assert_int_equal(domain->reply.created.concert, 1);
    assert_int_equal(domain->reply.created.date, 0);
    assert_int_equal(create_date(domain, 1, &policy), ERROR_NONE);
    assert_int_equal(create_date(domain, 1, &policy), ERROR_NONE);
    assert_int_equal(domain->reply.created.concert, 1);
    assert_int_equal(domain->reply.created.date, 2);
    assert_int_equal(create_date(domain, 0, &policy), ERROR_NO_SUCH_CONCERT);
    assert_int_equal(create_date(domain, 2, &policy), ERROR_NO_SUCH_CONCERT);
    const struct catalogue *catalogue = (const struct catalogue *)domain->world->catalogue;
    assert_int_equal(catalogue->date_count, 2);
    assert_int_equal(catalogue->dates[1].starts_at, DOMAIN_EPOCH_MS);
    assert_int_equal(domain_date_of(domain, 2)->state, DATE_DRAFT);
    assert_int_equal(domain_date_of(domain, 2)->concert, 1);
}

static void C1_catalogue_full(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    assert_int_equal(create_concert(domain), ERROR_NONE);
    struct catalogue *catalogue = (struct catalogue *)domain->world->catalogue;
    catalogue->date_count = DATES_MAX; /* pretend */
    assert_int_equal(create_date(domain, 1, &policy), ERROR_CATALOGUE_FULL);
    assert_refused(domain, ERROR_CATALOGUE_FULL, DATES_MAX, 0, 0);
    catalogue->date_count = 0;
    for (uint32_t i = 1; i < CONCERTS_MAX; i++) assert_int_equal(create_concert(domain), 0);
    assert_int_equal(create_concert(domain), ERROR_CATALOGUE_FULL);
    assert_refused(domain, ERROR_CATALOGUE_FULL, CONCERTS_MAX, 0, 0);
}

static void C1_bad_policy(void **state) {
    struct domain *domain = *state;
    struct policy lowest;
    for (uint32_t i = 0; i < POLICY_FIELD_COUNT; i++) {
        policy_set(&lowest, i, policy_row(i)->min);
    }
    lowest.active_capacity = 1;
    uint32_t date = domain_date(domain, &lowest, 1, 1);
    for (uint32_t i = 0; i < POLICY_FIELD_COUNT; i++) {
        const struct policy_row *row = policy_row(i);
        for (uint32_t high = 0; high < 2; high++) {
            uint64_t edge = high ? row->max : row->min, beyond = high ? edge + 1 : edge - 1;
            assert_int_equal(domain_policy(domain, date, i, edge), ERROR_NONE);
            assert_int_equal(policy_get(&domain_date_of(domain, date)->policy, i), edge);
            if (!high && edge == 0) continue;
            assert_int_equal(domain_policy(domain, date, i, beyond), ERROR_BAD_POLICY);
            assert_refused(domain, ERROR_BAD_POLICY, i, row->min, row->max);
            assert_int_equal(policy_get(&domain_date_of(domain, date)->policy, i), edge);
            struct policy policy = default_policy();
            policy_set(&policy, i, beyond);
            assert_int_equal(create_date(domain, 1, &policy), ERROR_BAD_POLICY);
            assert_refused(domain, ERROR_BAD_POLICY, i, row->min, row->max);
        }
    }
}

static void C1_policy_set_twice_decides_once(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    uint32_t date = domain_date(domain, &policy, 1, 1);
    assert_int_equal(domain_policy(domain, date, POLICY_INDEX_hold_ttl_ms, 5000), ERROR_NONE);
    uint32_t records = domain->record_count;
    assert_int_equal(domain_policy(domain, date, POLICY_INDEX_hold_ttl_ms, 5000), ERROR_NONE);
    assert_int_equal(domain->record_count, records);
    domain_crash(domain);
    assert_int_equal(domain_date_of(domain, date)->policy.hold_ttl_ms, 5000);
    assert_int_equal(domain_date_of(domain, date)->policy.max_seats_per_user, 4);
}

static void C1_open_close_cancel(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    uint32_t empty = domain_date(domain, &policy, 0, 0), date = domain_date(domain, &policy, 2, 1);
    assert_int_equal(domain_switch(domain, empty, COMMAND_DATE_OPEN), ERROR_DATE_WITHOUT_SEATS);
    assert_int_equal(domain_switch(domain, empty, COMMAND_DATE_CLOSE), ERROR_NONE);
    assert_int_equal(domain_date_of(domain, empty)->state, DATE_DRAFT); /* not on sale anyway */

    struct token token = entered(domain, date, 1), other;
    (void)domain_charge(domain, 1, 100, 1);
    uint64_t reservation = held(domain, &token, SEATS(1));
    assert_int_equal(domain_switch(domain, date, COMMAND_DATE_CLOSE), ERROR_NONE);
    uint32_t records = domain->record_count;
    assert_int_equal(domain_switch(domain, date, COMMAND_DATE_CLOSE), ERROR_NONE);
    assert_int_equal(domain->record_count, records);
    assert_int_equal(domain_enter(domain, date, 2, &other), ERROR_DATE_CLOSED);
    assert_int_equal(domain_enter(domain, date, 1, &other), ERROR_NONE); /* keeps its token */
    assert_int_equal(domain_hold(domain, &token, SEATS(2), NULL), ERROR_DATE_CLOSED);
    assert_int_equal(domain_pay(domain, &token, reservation, 2), ERROR_NONE); /* holds are paid */

    assert_int_equal(domain_switch(domain, date, COMMAND_DATE_OPEN), ERROR_NONE);
    assert_int_equal(domain_enter(domain, date, 2, &other), ERROR_NONE);
    assert_int_equal(domain_switch(domain, date, COMMAND_DATE_CANCEL), ERROR_NONE);
    assert_int_equal(domain_switch(domain, date, COMMAND_DATE_CANCEL), ERROR_NONE);
    assert_int_equal(domain_switch(domain, date, COMMAND_DATE_OPEN), ERROR_DATE_CANCELLED);
    assert_int_equal(domain_switch(domain, date, COMMAND_DATE_CLOSE), ERROR_DATE_CANCELLED);
    assert_int_equal(domain_enter(domain, date, 3, &token), ERROR_DATE_CANCELLED);
    assert_int_equal(domain_enter(domain, date, 2, &token), ERROR_DATE_CANCELLED);
    assert_int_equal(domain_status(domain, &other), ERROR_DATE_CANCELLED);
    assert_int_equal(domain_leave(domain, &other), ERROR_DATE_CANCELLED);
    assert_int_equal(domain_list(domain, &other), ERROR_DATE_CANCELLED);
    assert_int_equal(domain_hold(domain, &other, SEATS(2), NULL), ERROR_DATE_CANCELLED);
    assert_int_equal(domain_count(domain, DECISION_DATE_CANCELLED), 1);
}

/* A date is cancelled for good only by whoever names it twice. */
static void O5_cancelling_names_the_date_again(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    (void)domain_date(domain, &policy, 1, 1);
    uint32_t date = domain_date(domain, &policy, 1, 1); /* number 2, called "Date" */
    const struct {
        uint64_t number;
        struct text name;
        bool confirmed;
    } cases[] = {
        {0, {0}, false},
        {1, {0}, false},
        {(1ull << 32) + 2, {0}, false},
        {0, {"date", 4}, false},
        {0, {"Dat", 3}, false},
        {0, {"Date ", 5}, false},
        {0, {"1", 1}, false},
        {0, {"02", 2}, false},
        {0, {"2 ", 2}, false},
        {0, {"4294967298", 10}, false},
        {0, {"", 0}, false},
        {0, {"Concert", 7}, false},
        {2, {0}, true},
        {0, {"2", 1}, true},
        {0, {"Date", 4}, true},
    };
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct command command = {.kind = COMMAND_DATE_CANCEL,
                                  .partition = partition_of_date(date),
                                  .confirm = {.number = cases[i].number, .name = cases[i].name}};
        uint32_t records = domain->record_count;
        uint16_t error = domain_do(domain, command);
        if (error != (cases[i].confirmed ? ERROR_NONE : ERROR_NOT_CONFIRMED)) fail_msg("%u", i);
        if (cases[i].confirmed) continue;
        assert_refused(domain, ERROR_NOT_CONFIRMED, date, 0, 0);
        assert_int_equal(domain->record_count, records);
    }
    assert_int_equal(domain_date_of(domain, date)->state, DATE_CANCELLED);
    assert_int_equal(domain_count(domain, DECISION_DATE_CANCELLED), 1);
    domain_crash(domain);
    assert_int_equal(domain_date_of(domain, date)->title.size, 4);
}

static void C1_paused_date_admits_nobody(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_capacity = 1;
    uint32_t date = domain_date(domain, &policy, 1, 1);
    struct token active = entered(domain, date, 1), waits = entered(domain, date, 2);
    assert_int_equal(domain_switch(domain, date, COMMAND_DATE_CLOSE), ERROR_NONE);
    assert_int_equal(domain_leave(domain, &active), ERROR_NONE);
    assert_int_equal(token_state(domain, &waits), TOKEN_WAITING);
    assert_int_equal(domain_switch(domain, date, COMMAND_DATE_OPEN), ERROR_NONE);
    assert_int_equal(token_state(domain, &waits), TOKEN_ACTIVE);
}

static void C2_counts_for_the_list_of_dates(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.gate_dates = 1;
    policy.sales_open_at = 1234;
    uint32_t date = domain_date(domain, &policy, 10, 7);
    struct token token = entered(domain, date, 1);
    (void)domain_charge(domain, 1, 100, 1);
    uint64_t paid = held(domain, &token, SEATS(1, 2));
    (void)held(domain, &token, SEATS(3));
    assert_int_equal(domain_pay(domain, &token, paid, 2), ERROR_NONE);
    struct date_counters counters;
    date_counters(domain_date_of(domain, date), &counters);
    assert_int_equal(counters.state, DATE_OPEN);
    assert_int_equal(counters.seats_total, 10);
    assert_int_equal(counters.seats_for_sale, 10);
    assert_int_equal(counters.seats_available, 7);
    assert_int_equal(counters.seats_held, 1);
    assert_int_equal(counters.seats_sold, 2);
    assert_int_equal(counters.points_sold, 14);
    assert_int_equal(counters.entered, 1);
    assert_int_equal(counters.active, 0);
    assert_int_equal(counters.sales_open_at, 1234);
    assert_true(counters.gate_dates);
}

static const struct seat_spec some_seats[] = {
    {.price = 5,
     .for_sale = true,
     .section = {"A", 1},
     .row = {"9A", 2},
     .seat = {"16 bis", 6},
     .guid = {"g1", 2}},
    {.price = 6,
     .for_sale = false,
     .section = {"A", 1},
     .row = {"9A", 2},
     .seat = {"17", 2},
     .guid = {"g2", 2}},
    {.price = 0, .for_sale = true, .section = {"A", 1}, .row = {"9A", 2}, .seat = {"17", 2}},
    {.price = 8, .for_sale = true, .guid = {"g1", 2}},
};

static void C3_seats_have_labels_and_prices(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    uint32_t date = domain_date(domain, &policy, 0, 0);
    assert_int_equal(add_seats(domain, date, 1, 3, some_seats), ERROR_NONE);
    assert_int_equal(domain->reply.seats_added.seats, 3);
    assert_int_equal(domain->reply.seats_added.next, 4);
    const struct seat_map *map = &domain_date_of(domain, date)->seats;
    assert_int_equal(seat_map_seat(map, 2)->price, 6);
    assert_false(seat_map_seat(map, 2)->for_sale);
    assert_int_equal(map->for_sale, 2);
    struct text row = seat_map_text(map, 1, SEAT_ROW), seat = seat_map_text(map, 1, SEAT_NUMBER);
    assert_memory_equal(row.bytes, "9A", 2);
    assert_memory_equal(seat.bytes, "16 bis", 6);
}

static void C3_seats_come_in_order(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    uint32_t date = domain_date(domain, &policy, 0, 0);
    assert_int_equal(add_seats(domain, date, 2, 1, some_seats), ERROR_SEATS_OUT_OF_ORDER);
    assert_refused(domain, ERROR_SEATS_OUT_OF_ORDER, 1, 0, 0);
    assert_int_equal(add_seats(domain, date, 0, 1, some_seats), ERROR_SEATS_OUT_OF_ORDER);
    assert_int_equal(add_seats(domain, date, 1, 2, some_seats), ERROR_NONE);
    assert_int_equal(add_seats(domain, date, 1, 2, some_seats), ERROR_SEATS_OUT_OF_ORDER);
    assert_refused(domain, ERROR_SEATS_OUT_OF_ORDER, 3, 0, 0); /* resent: go on at 3 */
    /* a guid that is there already; a guid twice in one request: nothing is added */
    assert_int_equal(add_seats(domain, date, 3, 1, some_seats), ERROR_DUPLICATE_GUID);
    assert_refused(domain, ERROR_DUPLICATE_GUID, 3, 0, 0);
    uint32_t other = domain_date(domain, &policy, 0, 0);
    assert_int_equal(add_seats(domain, other, 1, 4, some_seats), ERROR_DUPLICATE_GUID);
    assert_refused(domain, ERROR_DUPLICATE_GUID, 4, 0, 0);
    assert_int_equal(domain_date_of(domain, other)->seats.count, 0);
}

static void C3_seats_only_in_a_draft(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    uint32_t date = domain_date(domain, &policy, 1, 1);
    assert_int_equal(add_seats(domain, date, 2, 1, some_seats), ERROR_DATE_NOT_DRAFT);
    assert_int_equal(domain_switch(domain, date, COMMAND_DATE_CLOSE), ERROR_NONE);
    assert_int_equal(add_seats(domain, date, 2, 1, some_seats), ERROR_DATE_NOT_DRAFT);
}

static void C3_seats_full(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    uint32_t date = domain_date(domain, &policy, 0, 0);
    struct date *mutable_date = (struct date *)world_find(domain->world, partition_of_date(date));
    domain->manual = true;
    mutable_date->seats.count = SEATS_PER_DATE_MAX - 1; /* pretend */
    assert_int_equal(add_seats(domain, date, SEATS_PER_DATE_MAX, 2, some_seats), ERROR_SEATS_FULL);
    assert_refused(domain, ERROR_SEATS_FULL, SEATS_PER_DATE_MAX, 0, 0);
    mutable_date->seats.count = 0;
}

/* What a date has sold is a sum that can always be counted. */
static void C3_seats_cost_what_can_be_counted(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    struct seat_spec specs[SEATS_ADD_MAX];
    uint32_t date = domain_date(domain, &policy, 0, 0);
    for (uint32_t i = 0; i < SEATS_ADD_MAX; i++) {
        specs[i] = (struct seat_spec){.price = AMOUNT_MAX, .for_sale = i % 2 == 0};
    }
    for (uint32_t first = 1; first <= 1024; first += SEATS_ADD_MAX) {
        assert_int_equal(add_seats(domain, date, first, SEATS_ADD_MAX, specs), ERROR_NONE);
    }
    assert_int_equal(domain_date_of(domain, date)->seats.points, DATE_POINTS_MAX);
    specs[0].price = 1;
    assert_int_equal(add_seats(domain, date, 1025, 1, specs), ERROR_SEATS_FULL);
    assert_refused(domain, ERROR_SEATS_FULL, DATE_POINTS_MAX, 0, 0);
    specs[0].price = 0;
    assert_int_equal(add_seats(domain, date, 1025, 1, specs), ERROR_NONE);
}

static void C4_seat_list_needs_no_decision(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    uint32_t date = domain_date(domain, &policy, 5, 1);
    struct token token = entered(domain, date, 1);
    uint32_t records = domain->record_count;
    struct command command = {.kind = COMMAND_SEATS_LIST,
                              .partition = partition_of_date(date),
                              .list = {.token = token, .first = 2, .limit = 3, .all = true}};
    assert_int_equal(domain_do(domain, command), ERROR_NONE);
    assert_int_equal(domain->reply.kind, REPLY_SEATS);
    assert_ptr_equal(domain->reply.seats.date, domain_date_of(domain, date));
    assert_int_equal(domain->reply.seats.first, 2);
    assert_int_equal(domain->reply.seats.limit, 3);
    assert_true(domain->reply.seats.all);
    assert_int_equal(domain->record_count, records);
}

/* Whoever imports a plan compares it with what is there, long before the date is open. */
static void C4_admins_list_the_seats_of_a_draft(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    uint32_t date = domain_date(domain, &policy, 0, 0);
    assert_int_equal(add_seats(domain, date, 1, 2, some_seats), ERROR_NONE);
    uint32_t records = domain->record_count;
    struct command command = {.kind = COMMAND_DATE_SEATS,
                              .partition = partition_of_date(date),
                              .list = {.first = 2, .limit = 3, .all = true}};
    assert_int_equal(domain_do(domain, command), ERROR_NONE);
    assert_int_equal(domain->reply.kind, REPLY_SEATS);
    assert_ptr_equal(domain->reply.seats.date, domain_date_of(domain, date));
    assert_int_equal(domain->reply.seats.first, 2);
    assert_true(domain->reply.seats.all);
    assert_int_equal(domain_switch(domain, date, COMMAND_DATE_CANCEL), ERROR_NONE);
    assert_int_equal(domain_do(domain, command), ERROR_NONE); /* for the record */
    assert_int_equal(domain->record_count, records + 1);
}

static uint16_t list_dates(struct domain *domain, uint32_t concert, const struct token *token) {
    struct command command = {.kind = COMMAND_CATALOGUE_DATES, .dates = {.concert = concert}};
    if (token) {
        command.partition = partition_of_date(token->date);
        command.dates.has_token = true;
        command.dates.token = *token;
    }
    return domain_do(domain, command);
}

static void C5_active_token_vouches_for_date_lists(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_capacity = 1;
    policy.gate_dates = 1;
    uint32_t date = domain_date(domain, &policy, 5, 1);
    uint32_t other = domain_date(domain, &policy, 5, 1); /* of another concert */
    struct token active = entered(domain, date, 1), waits = entered(domain, date, 2);
    struct token elsewhere = entered(domain, other, 1);
    assert_int_equal(list_dates(domain, 1, NULL), ERROR_NONE);
    assert_false(domain->reply.dates.has_token); /* net refuses gated dates: TOKEN_REQUIRED */
    assert_int_equal(list_dates(domain, 1, &active), ERROR_NONE);
    assert_true(domain->reply.dates.has_token);
    assert_int_equal(domain->reply.dates.concert, 1);
    assert_int_equal(list_dates(domain, 1, &elsewhere), ERROR_NONE);
    assert_false(domain->reply.dates.has_token);
    /* What is wrong with a token is said by net, and only where a date is gated. */
    assert_int_equal(list_dates(domain, 1, &waits), ERROR_NONE);
    assert_false(domain->reply.dates.has_token);
    assert_int_equal(domain->reply.dates.refusal, ERROR_NOT_YOUR_TURN);
    assert_int_equal(domain->reply.dates.refusal_data, 0); /* ahead */
    assert_int_equal(domain_leave(domain, &waits), ERROR_NONE);
    assert_int_equal(list_dates(domain, 1, &waits), ERROR_NONE);
    assert_int_equal(domain->reply.dates.refusal, ERROR_TOKEN_EXPIRED);
    active.secret.bytes[3] ^= 4;
    assert_int_equal(list_dates(domain, 1, &active), ERROR_NONE);
    assert_false(domain->reply.dates.has_token);
    assert_int_equal(domain->reply.dates.refusal, ERROR_TOKEN_INVALID);
    assert_int_equal(list_dates(domain, 1, NULL), ERROR_NONE);
    assert_int_equal(domain->reply.dates.refusal, ERROR_NONE);
    assert_int_equal(list_dates(domain, 3, NULL), ERROR_NO_SUCH_CONCERT);
    assert_refused(domain, ERROR_NO_SUCH_CONCERT, 3, 0, 0);
}

static void C5_client_cannot_vouch_for_itself(void **state) {
    struct domain *domain = *state;
    struct policy policy = default_policy();
    policy.active_capacity = 0;
    uint32_t date = domain_date(domain, &policy, 5, 1);
    struct command command = {.kind = COMMAND_CATALOGUE_DATES,
                              .partition = partition_of_date(date),
                              .dates = {.concert = 1,
                                        .has_token = true,
                                        .token_is_active = true,
                                        .token_concert = 1,
                                        .token = entered(domain, date, 1)}};
    assert_int_equal(domain_do(domain, command), ERROR_NONE);
    assert_false(domain->reply.dates.has_token);
    assert_int_equal(domain->reply.dates.refusal, ERROR_NOT_YOUR_TURN);
    command.partition = PARTITION_CATALOGUE; /* past the date */
    command.dates.token_is_active = false;
    assert_int_equal(domain_do(domain, command), ERROR_NONE);
    assert_false(domain->reply.dates.has_token);
}

static void other_replies_of_the_catalogue(void **state) {
    struct domain *domain = *state;
    struct command ping = {.kind = COMMAND_SYSTEM_PING}, stats = {.kind = COMMAND_SYSTEM_STATS},
                   concerts = {.kind = COMMAND_CATALOGUE_CONCERTS};
    assert_int_equal(domain_do(domain, ping), ERROR_NONE);
    assert_int_equal(domain->reply.kind, REPLY_PING);
    assert_int_equal(domain_do(domain, stats), ERROR_NONE);
    assert_int_equal(domain->reply.kind, REPLY_STATS);
    assert_int_equal(domain_do(domain, concerts), ERROR_NONE);
    assert_ptr_equal(domain->reply.concerts.catalogue, domain->world->catalogue);
    assert_int_equal(domain->record_count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(C1_concerts_and_dates),
        T(C1_catalogue_full),
        T(C1_bad_policy),
        T(C1_policy_set_twice_decides_once),
        T(C1_open_close_cancel),
        T(O5_cancelling_names_the_date_again),
        T(C1_paused_date_admits_nobody),
        T(C2_counts_for_the_list_of_dates),
        T(C3_seats_have_labels_and_prices),
        T(C3_seats_come_in_order),
        T(C3_seats_only_in_a_draft),
        T(C3_seats_full),
        T(C3_seats_cost_what_can_be_counted),
        T(C4_seat_list_needs_no_decision),
        T(C4_admins_list_the_seats_of_a_draft),
        T(C5_active_token_vouches_for_date_lists),
        T(C5_client_cannot_vouch_for_itself),
        T(other_replies_of_the_catalogue),
    };
    return cmocka_run_group_tests_name("rules_dates", tests, NULL, NULL);
}
