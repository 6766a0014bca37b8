/* test_memory.c - what is kept, and what is forgotten when: bounded memory, same answers */
#include "tests/unit/engine/domain/domain_test.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/domain/heap.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

static struct policy roomy_policy(void) {
    struct policy policy = default_policy();
    policy.active_capacity = ACTIVE_PER_DATE_MAX;
    policy.active_ttl_ms = POLICY_YEAR_MS;
    policy.waiting_timeout_ms = POLICY_YEAR_MS;
    policy.max_seats_per_user = 16;
    return policy;
}

static void hold_and_release(struct domain *domain, const struct token *token, uint32_t seat,
                             uint32_t times) {
    for (uint32_t i = 0; i < times; i++) {
        uint64_t reservation = held(domain, token, (const uint32_t[]){seat, 0});
        assert_int_equal(domain_release(domain, token, reservation), ERROR_NONE);
    }
}

static void ended_reservations_of_one_user_are_forgotten(void **state) {
    struct domain *domain = *state;
    struct policy policy = roomy_policy();
    uint32_t date = domain_date(domain, &policy, 20, 1);
    struct token token = entered(domain, date, 1);
    uint64_t live = held(domain, &token, SEATS(1)), first = held(domain, &token, SEATS(2));
    assert_int_equal(domain_release(domain, &token, first), ERROR_NONE);
    hold_and_release(domain, &token, 2, ENDED_RESERVATIONS_KEPT_PER_USER - 1);
    assert_int_equal(domain_state(domain, first), RESERVATION_RELEASED);
    hold_and_release(domain, &token, 2, 1); /* one too many: the oldest goes */
    assert_int_equal(domain_state(domain, first), 0);
    assert_int_equal(domain_release(domain, &token, first), ERROR_NO_SUCH_RESERVATION);
    assert_int_equal(domain_state(domain, live), RESERVATION_HELD); /* live ones never */
    hold_and_release(domain, &token, 2, 1000);
    assert_int_equal(domain_date_of(domain, date)->reservations.ended_count,
                     ENDED_RESERVATIONS_KEPT_PER_USER);
    assert_true(domain_date_of(domain, date)->reservations.slot_count <
                ENDED_RESERVATIONS_KEPT_PER_USER + 5);
    assert_int_equal(domain_state(domain, live), RESERVATION_HELD);
    domain_check(domain, true);
    domain_crash(domain);
    domain_check(domain, true);
}

/* The one that ends now may be the oldest of its user: the answer is still about it. */
static void ended_now_is_never_forgotten_now(void **state) {
    struct domain *domain = *state;
    struct policy policy = roomy_policy();
    policy.active_capacity = 10;
    uint32_t date = domain_date(domain, &policy, 20, 1);
    struct token token = entered(domain, date, 1);
    (void)domain_charge(domain, 1, 100, 1);
    uint64_t paid = held(domain, &token, SEATS(1));
    assert_int_equal(domain_pay(domain, &token, paid, 2), ERROR_NONE);
    token = entered(domain, date, 1);
    uint64_t oldest = held(domain, &token, SEATS(2));
    hold_and_release(domain, &token, 3, ENDED_RESERVATIONS_KEPT_PER_USER + 5);
    assert_int_equal(domain_release(domain, &token, oldest), ERROR_NONE);
    assert_int_equal(domain->reply.reservation.reservation->sequence, dated_id_sequence(oldest));
    assert_int_equal(domain_cancel(domain, 1, paid, 3), ERROR_NONE);
    assert_int_equal(domain->reply.reservation.reservation->sequence, dated_id_sequence(paid));
    assert_int_equal(domain->reply.reservation.reservation->state, RESERVATION_REFUNDED);
    assert_int_equal(domain_balance(domain, 1), 100);
    domain_check(domain, true);
}

static void ended_reservations_of_a_date_are_forgotten(void **state) {
    struct domain *domain = *state;
    struct policy policy = roomy_policy();
    uint32_t date = domain_date(domain, &policy, 4, 1), user = 1, each = 16;
    struct token token = entered(domain, date, user);
    uint64_t first = held(domain, &token, SEATS(1));
    assert_int_equal(domain_release(domain, &token, first), ERROR_NONE);
    uint64_t live = held(domain, &token, SEATS(3)), newest = held(domain, &token, SEATS(1));
    assert_int_equal(domain_release(domain, &token, newest), ERROR_NONE);
    const struct reservations *all = &domain_date_of(domain, date)->reservations;
    while (all->ended_count < ENDED_RESERVATIONS_KEPT) {
        token = entered(domain, date, ++user);
        uint32_t left = ENDED_RESERVATIONS_KEPT - all->ended_count;
        hold_and_release(domain, &token, 2, left < each ? left : each);
    }
    assert_int_equal(domain_state(domain, first), RESERVATION_RELEASED);
    token = entered(domain, date, ++user);
    hold_and_release(domain, &token, 2, 1);
    assert_int_equal(domain_state(domain, first), 0);
    hold_and_release(domain, &token, 2, 5);
    assert_int_equal(all->ended_count, ENDED_RESERVATIONS_KEPT);
    assert_int_equal(all->slot_count, ENDED_RESERVATIONS_KEPT + 2); /* slots come round */
    assert_int_equal(domain_state(domain, newest), 0);
    assert_int_equal(domain_state(domain, live), RESERVATION_HELD);
    domain_check(domain, true);
    domain_crash(domain);
    assert_int_equal(domain_date_of(domain, date)->reservations.ended_count,
                     ENDED_RESERVATIONS_KEPT);
}

static void live_reservations_are_never_forgotten(void **state) {
    struct domain *domain = *state;
    struct policy policy = roomy_policy();
    policy.hold_ttl_ms = POLICY_YEAR_MS;
    uint32_t date = domain_date(domain, &policy, 1000, 1);
    uint64_t kept[1001];
    for (uint32_t user = 1; user <= 1000; user++) {
        struct token token = entered(domain, date, user);
        kept[user] = held(domain, &token, (const uint32_t[]){user, 0});
    }
    struct token token = entered(domain, date, 2000);
    for (uint32_t user = 2; user <= 1000; user += 2) {
        assert_int_equal(domain_cancel(domain, user, kept[user], 1), ERROR_NONE);
        hold_and_release(domain, &token, user, 3);
    }
    for (uint32_t user = 1; user <= 1000; user++) {
        assert_int_equal(domain_state(domain, kept[user]),
                         user % 2 ? RESERVATION_HELD : RESERVATION_RELEASED);
    }
    domain_check(domain, true);
    domain_crash(domain);
    domain_check(domain, true);
}

static const struct account *account_of(const struct domain *domain, uint32_t user,
                                        const struct account_partition **ret_all) {
    struct id128 id = domain_user(user);
    *ret_all = (const struct account_partition *)world_find(domain->world, partition_of_user(&id));
    return account_find(*ret_all, &id);
}

static void wallet_history_is_a_ring(void **state) {
    struct domain *domain = *state;
    const struct ledger_row *rows[WALLET_HISTORY_KEPT];
    const struct account_partition *all;
    for (uint32_t i = 1; i <= 3 * WALLET_HISTORY_KEPT; i++) {
        assert_int_equal(domain_charge(domain, 1, i, i), ERROR_NONE);
        assert_int_equal(domain_charge(domain, 17, 1, i), ERROR_NONE); /* rows between */
        const struct account *account = account_of(domain, 1, &all);
        uint32_t count = account_history(all, account, rows);
        assert_int_equal(account->rows, i);
        assert_int_equal(count, i < WALLET_HISTORY_KEPT ? i : WALLET_HISTORY_KEPT);
        uint64_t balance = (uint64_t)i * (i + 1) / 2;
        for (uint32_t row = count; row-- > 0; balance -= rows[row]->amount) {
            assert_int_equal(rows[row]->amount, i - (count - 1 - row)); /* oldest first */
            assert_int_equal(rows[row]->balance, balance);
        }
    }
    assert_true(all->row_count <= 2 * WALLET_HISTORY_KEPT); /* overwritten, not added */
    domain_crash(domain);
    const struct account *account = account_of(domain, 1, &all);
    assert_int_equal(account_history(all, account, rows), WALLET_HISTORY_KEPT);
    assert_int_equal(rows[0]->amount, 2 * WALLET_HISTORY_KEPT + 1);
}

static void transfers_are_reused(void **state) {
    struct domain *domain = *state;
    struct policy policy = roomy_policy();
    uint32_t date = domain_date(domain, &policy, 2, 1);
    const struct account_partition *all;
    (void)domain_charge(domain, 1, 1, 1);
    for (uint32_t i = 0; i < 300; i++) {
        struct token token = entered(domain, date, 1);
        uint64_t reservation = held(domain, &token, SEATS(1));
        assert_int_equal(domain_pay(domain, &token, reservation, 10 + 2 * i), ERROR_NONE);
        assert_int_equal(domain_cancel(domain, 1, reservation, 11 + 2 * i), ERROR_NONE);
        domain_advance(domain, KEY_KEPT_MS / 64); /* so many keys a user may have */
    }
    (void)account_of(domain, 1, &all);
    assert_true(all->transfer_count <= 2);
    assert_int_equal(all->transfer_open, 0);
    assert_int_equal(domain_balance(domain, 1), 1);
    domain_check(domain, true);
    domain_crash(domain);
}

#ifndef SANITIZED /* they need all addresses that there are */
/* In a child: grow until there is no more. */
static _Noreturn void grow(int errors) {
    const struct rlimit limit = {256u << 20, 256u << 20};
    struct heap heap;
    if (dup2(errors, STDERR_FILENO) < 0 || setrlimit(RLIMIT_AS, &limit) != 0) _exit(77);
    heap_init(&heap);
    for (uint64_t i = 0; i < UINT32_MAX; i++) (void)heap_insert(&heap, i, 1);
    _exit(0);
}

/* No invariant is broken by it, so nobody is asked to report it. */
static void no_memory_is_told_as_such(void **state) {
    (void)state;
    char text[1024];
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) grow(ends[1]);
    (void)close(ends[1]); /* the child's */
    size_t size = 0;
    for (ssize_t got; size < sizeof text - 1 &&
                      (got = read(ends[0], text + size, sizeof text - 1 - size)) > 0;) {
        size += (size_t)got;
    }
    text[size] = '\0';
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    print_message("# %s", text);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_non_null(strstr(text, "not enough memory"));
    assert_non_null(strstr(text, "start it again"));
    assert_null(strstr(text, "invariant"));
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
#ifndef SANITIZED
        cmocka_unit_test(no_memory_is_told_as_such),
#endif
        T(ended_reservations_of_one_user_are_forgotten),
        T(ended_now_is_never_forgotten_now),
        T(ended_reservations_of_a_date_are_forgotten),
        T(live_reservations_are_never_forgotten),
        T(wallet_history_is_a_ring),
        T(transfers_are_reused),
    };
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
