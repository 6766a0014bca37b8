/* test_tables.c - the tables that are the vocabulary: errors, policy, states, commands */
#include "tests/unit/engine/domain/domain_test.h"

#include "engine/domain/error.h"

/* Two rows with one number would not compile (case labels); names and texts are checked here. */
static void errors_are_unique_and_complete(void **state) {
    static const struct error_row rows[] = {
#define E(number, name, text, data1, data2, data3) {number, #name, text, {data1, data2, data3}},
#include "engine/domain/error.def"
#undef E
    };
    const uint32_t count = sizeof rows / sizeof rows[0];
    for (uint32_t i = 0; i < count; i++) {
        const struct error_row *row = error_row(rows[i].number);
        assert_non_null(row);
        assert_int_equal(row->number, rows[i].number);
        assert_string_equal(row->name, rows[i].name);
        assert_string_equal(row->text, rows[i].text);
        assert_string_equal(error_name(rows[i].number), rows[i].name);
        assert_true(strlen(row->text) > 10 && row->text[strlen(row->text) - 1] == '.');
        if (i > 0) assert_true(rows[i].number > rows[i - 1].number); /* append-only, in order */
        for (uint32_t j = 0; j < i; j++) {
            assert_string_not_equal(rows[i].name, rows[j].name);
            assert_string_not_equal(rows[i].text, rows[j].text);
        }
        for (uint32_t d = 1; d < ERROR_DATA_COUNT; d++) { /* data have no gaps */
            if (row->data[d][0]) assert_true(row->data[d - 1][0] != 0);
        }
    }
    uint32_t known = 0;
    for (uint32_t number = 0; number < 70000; number++) known += error_row(number) != NULL;
    assert_int_equal(known, count);
    assert_string_equal(error_name(0), "NONE");
    assert_string_equal(error_name(9999), "UNKNOWN");
    (void)state;
}

/* What its reader does next, in the words of the text. */
static const struct {
    uint16_t number;
    const char *next;
} steps[] = {
    {ERROR_MALFORMED, "net/PROTOCOL.md shows the form"},
    {ERROR_UNKNOWN_METHOD, "net/PROTOCOL.md lists the methods"},
    {ERROR_BAD_PARAMS, "net/PROTOCOL.md says what the method takes"},
    {ERROR_BUSY, "send it again after retry_ms"},
    {ERROR_STOPPING, "send it again to its successor"},
    {ERROR_NO_SUCH_CONCERT, "catalogue.concerts lists"},
    {ERROR_NO_SUCH_DATE, "catalogue.dates lists"},
    {ERROR_CATALOGUE_FULL, "use another engine"},
    {ERROR_NOT_ON_SALE_YET, "Come back at opens_at"},
    {ERROR_DATE_CLOSED, "try again later"},
    {ERROR_DATE_CANCELLED, "there is nothing left to do"},
    {ERROR_DATE_NOT_DRAFT, "create another date"},
    {ERROR_DATE_WITHOUT_SEATS, "Add seats first"},
    {ERROR_SEATS_OUT_OF_ORDER, "go on with `next`"},
    {ERROR_SEATS_FULL, "put more seats on another date"},
    {ERROR_DUPLICATE_GUID, "give each seat a guid of its own"},
    {ERROR_BAD_POLICY, "give one from min to max"},
    {ERROR_SALES_ENDED, "what is paid stays yours"},
    {ERROR_NOT_CONFIRMED, "give the date's title or number again, as `confirm`"},
    {ERROR_TOKEN_INVALID, "Enter the waiting room"},
    {ERROR_TOKEN_EXPIRED, "Enter the waiting room again"},
    {ERROR_NOT_YOUR_TURN, "Poll queue.status"},
    {ERROR_QUEUE_FULL, "Try to enter again in a minute"},
    {ERROR_TOKEN_REQUIRED, "Enter the waiting room"},
    {ERROR_SEAT_UNKNOWN, "seats.list names the seats"},
    {ERROR_SEAT_AMBIGUOUS, "name the seat by its number"},
    {ERROR_SEAT_TAKEN, "choose another seat"},
    {ERROR_SEAT_NOT_FOR_SALE, "choose another seat"},
    {ERROR_SEAT_LIMIT, "choose fewer, or release some first"},
    {ERROR_SEAT_REPEATED, "name each seat once"},
    {ERROR_NO_SUCH_RESERVATION, "reservation.list shows"},
    {ERROR_RESERVATION_ENDED, "Hold the seats again"},
    {ERROR_PAYMENT_IN_PROGRESS, "ask again in a moment"},
    {ERROR_RESERVATION_PAID, "reservation.cancel refunds it"},
    {ERROR_REFUNDS_ENDED, "ask the organiser"},
    {ERROR_ALREADY_REFUNDED, "Hold seats again to buy"},
    {ERROR_SEAT_YOURS, "pay or release that one"},
    {ERROR_HOLD_TOO_EXPENSIVE, "hold fewer of them"},
    {ERROR_ALREADY_PAID, "reservation.list shows what is yours"},
    {ERROR_INSUFFICIENT_FUNDS, "charge the shortfall and pay again"},
    {ERROR_KEY_REUSED, "use a fresh key"},
    {ERROR_AMOUNT_INVALID, "send another amount"},
    {ERROR_BALANCE_LIMIT, "charge less"},
    {ERROR_ACCOUNTS_FULL, "tell the operator"},
    {ERROR_KEYS_FULL, "send it again, with the same key, after retry_ms"},
};

static bool is_data(const struct error_row *row, const char *word, size_t size) {
    for (uint32_t i = 0; i < ERROR_DATA_COUNT; i++) {
        if (strlen(row->data[i]) == size && memcmp(row->data[i], word, size) == 0) return true;
    }
    return row->number == ERROR_NOT_CONFIRMED; /* it names a parameter */
}

/* What happened, a pause, what to do next; a value that the text speaks of is in the data. */
static void X8_every_error_says_what_to_do(void **state) {
    static const char *const values[] = {"retry_ms", "opens_at", "ended_at"};
    uint32_t known = 0;
    for (uint32_t number = 0; number < 1000; number++) known += error_row(number) != NULL;
    assert_int_equal(known, sizeof steps / sizeof steps[0]); /* a new error has its row above */
    for (uint32_t i = 0; i < known; i++) {
        const struct error_row *row = error_row(steps[i].number);
        const char *next = strstr(row->text, steps[i].next);
        if (!next) fail_msg("%s does not say \"%s\"", row->name, steps[i].next);
        assert_true(next - row->text > 20 && (strchr(row->text, '.') < next || next[-2] == ';'));
        if (i > 0) assert_true(steps[i].number > steps[i - 1].number); /* each once */
        const char *open = strchr(row->text, '`');
        if (open) {
            const char *close = strchr(open + 1, '`');
            assert_non_null(close);
            assert_true(is_data(row, open + 1, (size_t)(close - open - 1)));
        }
        for (uint32_t v = 0; v < sizeof values / sizeof values[0]; v++) {
            if (!strstr(row->text, values[v])) continue;
            assert_true(is_data(row, values[v], strlen(values[v])));
        }
    }
    (void)state;
}

static void policy_defaults_are_those_of_the_requirements(void **state) {
    struct policy policy = default_policy();
    assert_int_equal(policy.order, ORDER_FIFO);
    assert_int_equal(policy.reentry, REENTRY_KEEP);
    assert_int_equal(policy.token_expires_on, TOKEN_EXPIRES_ON_PAYMENT);
    assert_int_equal(policy.gate_dates, 0);
    assert_int_equal(policy.waiting_timeout_ms, 60 * 1000);
    assert_int_equal(policy.active_capacity, 10);
    assert_int_equal(policy.active_ttl_ms, 7 * 60 * 1000);
    assert_int_equal(policy.admit_per_interval, 0);
    assert_int_equal(policy.hold_ttl_ms, 5 * 60 * 1000);
    assert_int_equal(policy.sales_open_at, 0);
    assert_int_equal(policy.outage_credit, 1);
    assert_int_equal(policy.admit_first_at_once, 0);
    assert_int_equal(policy.sales_end_at, 0);
    assert_int_equal(policy.refund_until, 0);
    assert_int_equal(policy_check(&policy), -1);
    (void)state;
}

static void policy_by_index_and_name(void **state) {
    for (uint32_t i = 0; i < POLICY_FIELD_COUNT; i++) {
        struct policy policy = default_policy();
        const struct policy_row *row = policy_row(i);
        uint32_t size = (uint32_t)strlen(row->name);
        assert_int_equal(policy_find(row->name, size), i);
        assert_int_equal(policy_find(row->name, size - 1), -1);
        assert_true(row->min <= row->initial && row->initial <= row->max);
        policy_set(&policy, i, row->max);
        assert_int_equal(policy_get(&policy, i), row->max);
        assert_int_equal(policy_check(&policy), -1);
        policy_set(&policy, i, row->max + 1);
        assert_int_equal(policy_check(&policy), i);
        for (uint64_t value = 0; value < 5; value++) { /* words there and back */
            const char *word = policy_value_name(i, value);
            if (!word) continue;
            assert_true(value <= row->max);
            assert_int_equal(policy_value_find(i, word, (uint32_t)strlen(word)), value);
            assert_int_equal(policy_value_find(i, word, (uint32_t)strlen(word) - 1), -1);
        }
    }
    assert_int_equal(policy_find("hold_ttl", 8), -1);
    assert_int_equal(policy_find("", 0), -1);
    assert_string_equal(policy_value_name(POLICY_INDEX_reentry, REENTRY_REQUEUE), "requeue");
    assert_string_equal(policy_value_name(POLICY_INDEX_token_expires_on, 1), "reservation");
    assert_null(policy_value_name(POLICY_INDEX_hold_ttl_ms, 1));
    assert_null(policy_value_name(POLICY_INDEX_reentry, UINT64_MAX));
    (void)state;
}

static void names_of_states(void **state) {
    assert_string_equal(date_state_name(DATE_CANCELLED), "cancelled");
    assert_string_equal(token_state_name(TOKEN_WAITING), "waiting");
    assert_string_equal(token_end_name(TOKEN_END_REQUEUED), "requeued");
    assert_string_equal(reservation_state_name(RESERVATION_REFUNDING), "refunding");
    assert_string_equal(ledger_reason_name(LEDGER_VOID), "void");
    assert_string_equal(outage_cause_name(OUTAGE_STALLED), "stalled");
    assert_string_equal(date_state_name(0), "unknown");
    assert_string_equal(token_state_name(4), "unknown");
    assert_string_equal(token_end_name(7), "unknown");
    assert_string_equal(reservation_state_name(9), "unknown");
    assert_string_equal(ledger_reason_name(5), "unknown");
    assert_string_equal(outage_cause_name(0), "unknown");
    (void)state;
}

static void commands_have_methods_and_owners(void **state) {
    for (uint32_t kind = 1; kind < COMMAND_COUNT; kind++) {
        const struct command_row *row = command_row(kind);
        assert_int_equal(row->method[0] == 0, row->listener == LISTENER_MESSAGE);
        assert_int_equal(strncmp(row->method, "admin.", 6) == 0, row->listener == LISTENER_ADMIN);
        assert_int_equal(row->named_by == NAMED_BY_SENDER, row->listener == LISTENER_MESSAGE);
        for (uint32_t other = 1; other < kind && row->method[0]; other++) {
            assert_string_not_equal(row->method, command_method(other));
        }
        bool is_date = row->owner == OWNER_DATE || row->owner == OWNER_EVERY_DATE;
        assert_true(is_date || row->owner == OWNER_ACCOUNT || row->owner == OWNER_CATALOGUE);
        struct command command = {.kind = (uint16_t)kind};
        const struct id128 *random = command_entropy(&command);
        if (kind == COMMAND_QUEUE_ENTER) {
            assert_ptr_equal(random, &command.enter.secret);
        } else if (kind == COMMAND_DATE_CREATE) {
            assert_ptr_equal(random, &command.date.seed);
        } else {
            assert_null(random);
        }
    }
    assert_int_equal(command_row(COMMAND_SEATS_HOLD)->owner, OWNER_DATE);
    assert_int_equal(command_row(COMMAND_WALLET_CHARGE)->owner, OWNER_ACCOUNT);
    assert_int_equal(command_row(COMMAND_DATE_CREATE)->owner, OWNER_CATALOGUE);
    (void)state;
}

/* What answers where no partition can: by what names it, and by nothing else. */
static void a_missing_partition_is_answered(void **state) {
    static struct verdict verdict;
    static const struct {
        uint16_t kind, error;
        uint64_t data;
    } cases[] = {
        {COMMAND_QUEUE_ENTER, ERROR_NO_SUCH_DATE, 7},
        {COMMAND_DATE_OPEN, ERROR_NO_SUCH_DATE, 7},
        {COMMAND_DATE_SEATS, ERROR_NO_SUCH_DATE, 7},
        {COMMAND_QUEUE_STATUS, ERROR_TOKEN_INVALID, 0},
        {COMMAND_QUEUE_LEAVE, ERROR_TOKEN_INVALID, 0},
        {COMMAND_SEATS_LIST, ERROR_TOKEN_INVALID, 0},
        {COMMAND_SEATS_HOLD, ERROR_TOKEN_INVALID, 0},
        {COMMAND_SEATS_RELEASE, ERROR_TOKEN_INVALID, 0},
        {COMMAND_PAYMENT_PAY, ERROR_TOKEN_INVALID, 0},
    };
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct command command = {.kind = cases[i].kind, .partition = partition_of_date(7)};
        partition_missing(&command, &verdict);
        assert_int_equal(verdict.reply_kind, REPLY_ERROR);
        assert_int_equal(verdict.error, cases[i].error);
        assert_int_equal(verdict.data[0], cases[i].data);
        assert_true(verdict.count == 0 && !verdict.has_message);
    }
    struct command pay = {.kind = COMMAND_PAYMENT_PAY,
                          .partition = partition_of_date(7),
                          .pay = {.user = domain_user(1), .reservation = dated_id(7, 3)}};
    partition_missing(&pay, &verdict);
    assert_int_equal(verdict.error, ERROR_NO_SUCH_RESERVATION);
    assert_true(verdict.data[0] == dated_id(7, 3));
    struct command cancel = {.kind = COMMAND_RESERVATION_CANCEL,
                             .partition = partition_of_date(7),
                             .cancel = {.user = domain_user(1), .reservation = dated_id(7, 4)}};
    partition_missing(&cancel, &verdict);
    assert_int_equal(verdict.error, ERROR_NO_SUCH_RESERVATION);
    assert_true(verdict.data[0] == dated_id(7, 4));
    struct command dates = {.kind = COMMAND_CATALOGUE_DATES,
                            .is_admin = true,
                            .partition = partition_of_date(7),
                            .dates = {.concert = 5, .has_token = true}};
    partition_missing(&dates, &verdict);
    assert_true(verdict.has_message && verdict.reply_kind == REPLY_NONE);
    assert_int_equal(verdict.message.partition, PARTITION_CATALOGUE);
    assert_true(verdict.message.is_admin && verdict.message.dates.is_judged);
    assert_int_equal(verdict.message.dates.concert, 5);
    assert_int_equal(verdict.message.dates.refusal, ERROR_TOKEN_INVALID);
    (void)state;
}

/* Whatever the numbers: who decides a kind is its row's column, and nothing else is applied. */
static void a_foreign_owner_is_refused(void **state) {
    static const struct {
        uint16_t kind;
        enum owner owner;
    } rows[] = {
#define DECISION(number, NAME, name, OWNER) {DECISION_##NAME, OWNER_##OWNER},
#include "engine/domain/decision.def"
#undef DECISION
    };
    struct domain *domain = domain_new();
    struct policy policy = default_policy();
    uint32_t date = domain_date(domain, &policy, 1, 100);
    const struct {
        uint32_t partition;
        enum owner owner;
    } partitions[] = {{PARTITION_CATALOGUE, OWNER_CATALOGUE},
                      {PARTITION_ACCOUNT_FIRST, OWNER_ACCOUNT},
                      {PARTITION_ACCOUNT_FIRST + ACCOUNT_PARTITIONS - 1, OWNER_ACCOUNT},
                      {partition_of_date(date), OWNER_DATE}};
    for (uint32_t i = 0; i < sizeof partitions / sizeof partitions[0]; i++) {
        uint32_t partition = partitions[i].partition, refused = 0, own = 0;
        uint64_t hash = world_hash(domain->world);
        assert_int_equal(partition_owner(partition), partitions[i].owner);
        assert_int_equal(world_find(domain->world, partition)->kind->owner, partitions[i].owner);
        for (uint32_t row = 0; row < sizeof rows / sizeof rows[0]; row++) {
            assert_int_equal(decision_owner(rows[row].kind), rows[row].owner);
            if (rows[row].owner == partitions[i].owner || rows[row].owner == OWNER_ANY) {
                own++;
                continue;
            }
            struct decision decision = {
                .kind = rows[row].kind, .partition = partition, .time_ms = domain->now_ms};
            assert_int_equal(world_apply(domain->world, &decision), WORLD_NOT_APPLICABLE);
            refused++;
        }
        assert_true(own > 1 && refused > 0 && own + refused == sizeof rows / sizeof rows[0]);
        assert_true(world_hash(domain->world) == hash);
    }
    assert_int_equal(decision_owner(0), OWNER_NONE);
    assert_int_equal(decision_owner(UINT32_MAX), OWNER_NONE);
    domain_free(domain);
    (void)state;
}

static void partitions_do_not_overlap(void **state) {
    for (uint32_t i = 0; i < 256; i++) {
        struct id128 user = {{0}};
        user.bytes[15] = (uint8_t)i;
        uint32_t partition = partition_of_user(&user);
        assert_true(partition_is_account(partition) && !partition_is_date(partition));
        assert_true(partition < PARTITION_ACCOUNT_FIRST + ACCOUNT_PARTITIONS);
    }
    assert_true(partition_is_date(partition_of_date(1)));
    assert_false(partition_is_account(partition_of_date(1)));
    assert_false(partition_is_date(PARTITION_CATALOGUE));
    uint64_t id = dated_id(DATES_MAX, UINT32_MAX);
    assert_true(id < AMOUNT_MAX); /* exact in JSON */
    assert_int_equal(dated_id_date(id), DATES_MAX);
    assert_int_equal(dated_id_sequence(id), UINT32_MAX);
    (void)state;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_unique_and_complete),
        cmocka_unit_test(X8_every_error_says_what_to_do),
        cmocka_unit_test(policy_defaults_are_those_of_the_requirements),
        cmocka_unit_test(policy_by_index_and_name),
        cmocka_unit_test(names_of_states),
        cmocka_unit_test(commands_have_methods_and_owners),
        cmocka_unit_test(a_missing_partition_is_answered),
        cmocka_unit_test(a_foreign_owner_is_refused),
        cmocka_unit_test(partitions_do_not_overlap),
    };
    return cmocka_run_group_tests_name("tables", tests, NULL, NULL);
}
