/* domain_test.h - what every test file here includes: cmocka with the headers it needs, and one
 * world per test */
#ifndef USHER_TESTS_UNIT_ENGINE_DOMAIN_DOMAIN_TEST_H
#define USHER_TESTS_UNIT_ENGINE_DOMAIN_DOMAIN_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/engine/domain/domain_fixture.h"

static inline int setup_domain(void **state) {
    *state = domain_new();
    return 0;
}

static inline int teardown_domain(void **state) {
    domain_free(*state);
    return 0;
}

/* A test with a fresh domain in *state. */
#define T(name) cmocka_unit_test_setup_teardown(name, setup_domain, teardown_domain)

/* The latest reply is this error with these data. */
#define assert_refused(domain, error_, d1, d2, d3)                                                 \
    do {                                                                                           \
        assert_int_equal((domain)->reply.kind, REPLY_ERROR);                                       \
        assert_string_equal(error_name((domain)->reply.error), error_name(error_));                \
        assert_int_equal((domain)->reply.data[0], d1);                                             \
        assert_int_equal((domain)->reply.data[1], d2);                                             \
        assert_int_equal((domain)->reply.data[2], d3);                                             \
    } while (0)

static inline struct policy default_policy(void) {
    struct policy policy;
    policy_default(&policy);
    return policy;
}

/* A user who has a token of the date; it is ACTIVE where a slot is free. */
static inline struct token entered(struct domain *domain, uint32_t date, uint32_t user) {
    struct token token;
    assert_int_equal(domain_enter(domain, date, user, &token), ERROR_NONE);
    return token;
}

/* Held seats, or the test fails. */
static inline uint64_t held(struct domain *domain, const struct token *token,
                            const uint32_t *seats) {
    uint64_t reservation = 0;
    assert_int_equal(domain_hold(domain, token, seats, &reservation), ERROR_NONE);
    return reservation;
}

static inline uint8_t token_state(struct domain *domain, const struct token *token) {
    if (domain_status(domain, token) != ERROR_NONE) return 0;
    return domain->reply.token.state;
}

#endif
