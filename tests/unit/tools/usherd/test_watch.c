/* test_watch.c - what is told of a check, and when; how descriptors are dealt out */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tools/usherd/usherd_descriptors.h"
#include "tools/usherd/usherd_watch.h"

static struct {
    enum watch_state state;
    const char *name;
    char text[WATCH_TEXT_BYTES];
    uint32_t count;
} told;

static void tell(enum watch_state state, const char *name, const char *text) {
    told.state = state;
    told.name = name;
    (void)snprintf(told.text, sizeof told.text, "%s", text);
    told.count++;
}

static enum watch_state found;
static char words[] = "words";

static enum watch_state look(void *context, char *ret_text) {
    if (found != WATCH_FINE) strcpy(ret_text, context);
    return found;
}

/* One row a look: what is found, and whether it is told. */
static void what_is_told_when(void **state) {
    (void)state;
    static const struct {
        uint64_t now_s;
        enum watch_state found;
        bool told;
    } table[] = {
        {1000, WATCH_FINE, false}, /* nothing to tell */
        {1001, WATCH_WARN, true},  /* it begins */
        {1002, WATCH_WARN, false}, /* known */
        {1060, WATCH_WARN, false},
        {1061, WATCH_WARN, true}, /* a minute later, once more */
        {1062, WATCH_WARN, false},
        {1070, WATCH_FINE, true}, /* it is over */
        {1071, WATCH_FINE, false},
        {1072, WATCH_WARN, false}, /* again, within the minute: no news */
        {1073, WATCH_FINE, false},
        {1074, WATCH_STOP, true}, /* that never waits */
    };
    struct usherd_watch watch;
    usherd_watch_init(&watch, tell);
    usherd_watch_add(&watch, "matter", look, words);
    told.count = 0;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        uint32_t before = told.count;
        found = table[i].found;
        usherd_watch_step(&watch, table[i].now_s * 1000);
        assert_int_equal(told.count - before, table[i].told);
        if (!table[i].told) continue;
        assert_int_equal(told.state, table[i].found);
        assert_string_equal(told.name, "matter");
        assert_string_equal(told.text, found == WATCH_FINE ? "" : "words");
    }
}

/* A matter of one check hides no other. */
static void each_check_by_itself(void **state) {
    (void)state;
    struct usherd_watch watch;
    usherd_watch_init(&watch, tell);
    for (int i = 0; i < 3; i++) usherd_watch_add(&watch, "matter", look, words);
    told.count = 0;
    found = WATCH_WARN;
    usherd_watch_step(&watch, 1000000);
    assert_int_equal(told.count, 3);
}

static void the_thread_looks_and_ends(void **state) {
    (void)state;
    struct usherd_watch watch;
    usherd_watch_init(&watch, tell);
    usherd_watch_add(&watch, "matter", look, words);
    told.count = 0;
    found = WATCH_WARN;
    assert_int_equal(usherd_watch_start(&watch), 0);
    usherd_watch_stop(&watch); /* joins: what it told is seen */
    assert_int_equal(told.count <= 1, 1);
    usherd_watch_stop(&watch); /* again: nothing */
}

static void descriptors_are_dealt_out(void **state) {
    (void)state;
    enum { OTHERS = DESCRIPTORS_OWN + DESCRIPTORS_ADMIN + DESCRIPTORS_KEPT };
    static const struct {
        uint32_t limit, wanted, connections_max; /* 0: refused */
    } table[] = {
        {0, 0, 0},
        {OTHERS - 1, 0, 0},
        {OTHERS + CONNECTIONS_MIN - 1, 0, 0},
        {OTHERS + CONNECTIONS_MIN, 0, CONNECTIONS_MIN},
        {OTHERS + CONNECTIONS_MIN - 1, 1, 1}, /* who asks for few gets few */
        {256, 0, 256 - OTHERS},
        {256, 256 - OTHERS, 256 - OTHERS},
        {256, 257 - OTHERS, 0},
        {1024, 100, 100},
        {DESCRIPTORS_MAX, 0, DESCRIPTORS_MAX - OTHERS},
        {DESCRIPTORS_MAX, DESCRIPTORS_MAX, 0},
        {UINT32_MAX, UINT32_MAX, 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct descriptors plan;
        char text[256];
        int rc = descriptors_plan(table[i].limit, table[i].wanted, &plan, text);
        assert_int_equal(rc, table[i].connections_max > 0 ? 0 : -1);
        if (rc != 0) {
            assert_non_null(strstr(text, "LimitNOFILE"));
            continue;
        }
        assert_int_equal(plan.connections_max, table[i].connections_max);
        assert_int_equal(plan.limit - plan.private_below, DESCRIPTORS_KEPT);
        assert_int_equal(plan.private_below - plan.public_below, DESCRIPTORS_ADMIN);
        assert_true(plan.connections_max + DESCRIPTORS_OWN <= plan.public_below);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_told_when),
        cmocka_unit_test(each_check_by_itself),
        cmocka_unit_test(the_thread_looks_and_ends),
        cmocka_unit_test(descriptors_are_dealt_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
