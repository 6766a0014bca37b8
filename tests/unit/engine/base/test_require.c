/* test_require.c - what a broken invariant says before the process ends; slow checks */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/require.h"
#include "engine/base/subject.h"

static char said[1u << 14];
static bool without_files; /* no file can be opened any more */

static void break_it(uint32_t partition) {
    const struct rlimit no_core = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &no_core);
    (void)signal(SIGABRT, SIG_DFL); /* cmocka catches it */
    if (without_files) (void)setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, 0});
    if (partition != SUBJECT_NONE) subject_set(partition);
    REQUIRE(partition == 12345);
}

/* In a child process. Return: its status; its words are in `said` */
static int fail_in_child(uint32_t partition) {
    int ends[2], status;
    size_t size = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)dup2(ends[1], STDERR_FILENO);
        break_it(partition);
        _exit(0);
    }
    (void)close(ends[1]);
    for (ssize_t got; (got = read(ends[0], said + size, sizeof said - 1 - size)) > 0;) {
        size += (size_t)got;
    }
    said[size] = '\0';
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void place_partition_and_stack(void **state) {
    (void)state;
    int status = fail_in_child(0x01000007);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(said, "usher: broken invariant: partition == 12345 ("));
    assert_non_null(strstr(said, "test_require.c:"));
    assert_non_null(strstr(said, "partition 0x01000007 last\n"));
    const char *stack = strstr(said, "the stack, innermost first");
    assert_non_null(stack);
    assert_non_null(strstr(stack, "test_require(")); /* a frame of this program: its offset */
    assert_non_null(strstr(stack, "(+0x"));
}

static void no_partition(void **state) {
    (void)state;
    (void)fail_in_child(SUBJECT_NONE);
    assert_non_null(strstr(said, "the stack, innermost first"));
    assert_null(strstr(said, "worked on partition"));
}

/* A library that must be loaded first could not be, or not while a disk stands still. */
static void the_stack_needs_no_file(void **state) {
    (void)state;
    require_prepare();
    without_files = true;
    int status = fail_in_child(SUBJECT_NONE);
    without_files = false;
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(said, "(+0x"));
}

static void slow_checks_are_due_eight_times_a_doubling(void **state) {
    (void)state;
    static const struct {
        uint64_t from, to; /* counts, `to` not among them */
        uint32_t due;
    } table[] = {
        {0, 16, 16}, {16, 32, 8}, {32, 64, 8}, {1024, 2048, 8}, {1 << 20, 1 << 21, 8},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        uint32_t due = 0;
        for (uint64_t count = table[i].from; count < table[i].to; count++) {
            due += slow_check_is_due(count);
        }
        assert_int_equal(due, table[i].due);
    }
    assert_true(slow_check_is_due(1ull << 63));
    assert_false(slow_check_is_due(UINT64_MAX));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(place_partition_and_stack),
        cmocka_unit_test(no_partition),
        cmocka_unit_test(the_stack_needs_no_file),
        cmocka_unit_test(slow_checks_are_due_eight_times_a_doubling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
