/* test_tables.c - the tables that are the vocabulary: errors, policy, states, commands */
#include "tests/unit/domain/domain_test.h"

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
    (void)state; /* none */
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
    assert_int_equal(policy_check(&policy), -1);
    (void)state; /* none */
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
    (void)state; /* none */
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
    (void)state; /* none */
}

static void commands_have_methods_and_deciders(void **state) {
    for (uint32_t kind = 1; kind < COMMAND_COUNT; kind++) {
        const char *method = command_method(kind);
        assert_int_equal(method[0] == 0, kind >= COMMAND_MESSAGE_FIRST);
        bool admin = kind >= COMMAND_ADMIN_FIRST && kind < COMMAND_MESSAGE_FIRST;
        assert_int_equal(strncmp(method, "admin.", 6) == 0, admin);
        for (uint32_t other = 1; other < kind && method[0]; other++) {
            assert_string_not_equal(method, command_method(other));
        }
        assert_in_range(command_decider(kind), DECIDER_CATALOGUE, DECIDER_EVERY_DATE);
    }
    assert_int_equal(command_decider(COMMAND_SEATS_HOLD), DECIDER_DATE);
    assert_int_equal(command_decider(COMMAND_WALLET_CHARGE), DECIDER_ACCOUNT);
    assert_int_equal(command_decider(COMMAND_DATE_CREATE), DECIDER_CATALOGUE);
    (void)state; /* none */
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
    (void)state; /* none */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_unique_and_complete),
        cmocka_unit_test(policy_defaults_are_those_of_the_requirements),
        cmocka_unit_test(policy_by_index_and_name),
        cmocka_unit_test(names_of_states),
        cmocka_unit_test(commands_have_methods_and_deciders),
        cmocka_unit_test(partitions_do_not_overlap),
    };
    return cmocka_run_group_tests_name("tables", tests, NULL, NULL);
}
