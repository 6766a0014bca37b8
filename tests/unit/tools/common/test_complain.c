/* test_complain.c - what the programs say on standard error */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
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

/* There is no memory: whoever wants some for a text gets none. */
int vasprintf(char **ret_text, const char *format, va_list arguments) {
    (void)format;
    (void)arguments;
    *ret_text = NULL;
    return -1;
}

/* What is said when memory ends is said, and is no reason to end a process that sells. */
static void without_memory(void **state) {
    char text[256] = "", wanted[256];
    (void)state;
    listen_to_it();
    pid_t child = fork(); /* it ends where it wants memory */
    if (child == 0) {
        complain("no process can be started: %s", strerror(ENOMEM));
        _exit(EXIT_SUCCESS);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    stop_listening();
    (void)snprintf(wanted, sizeof wanted, "%s: no process can be started: Cannot allocate memory\n",
                   program_invocation_short_name);
    assert_string_equal(text, wanted);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_write_each),
                                       cmocka_unit_test(without_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
