/* test_complain.c - what the programs say on standard error */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/common/complain.h"

static int ends[2], saved;

static void listen_to_it(void) {
    assert_int_equal(pipe2(ends, O_DIRECT), 0); /* each write stays apart */
    saved = dup(STDERR_FILENO);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
}

/* What one read gives: a message is one write, so it is there whole. */
static void said(const char *wanted) {
    char text[256] = "";
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    assert_string_equal(text, wanted);
}

static void stop_listening(void) {
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    (void)close(saved);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void one_write_each(void **state) {
    char wanted[256];
    (void)state;
    listen_to_it();
    complain("%s has %d seats", "date 7", 3);
    (void)snprintf(wanted, sizeof wanted, "%s: date 7 has 3 seats\n",
                   program_invocation_short_name);
    said(wanted);
    complain_more("  %s", "and a line more");
    said("  and a line more\n");
    complain_part("%d %%", 40);
    said("40 %");
    stop_listening();
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_write_each)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
