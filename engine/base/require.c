/* require.c - see require.h */
#include "engine/base/require.h"

#include <execinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/subject.h"

#define TEXT_BYTES 1024u
#define FRAMES_MAX 48

_Thread_local uint32_t subject_partition = SUBJECT_NONE;

/* Nothing here allocates, and no stream is touched: a thread may hold its lock. */
__attribute__((format(printf, 1, 2))) static void tell(const char *format, ...) {
    char text[TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (size >= (int)sizeof text) size = (int)sizeof text - 1;
    ssize_t written = write(STDERR_FILENO, text, (size_t)size);
    (void)written;
}

void require_prepare(void) {
    void *frame;
    (void)backtrace(&frame, 1);
}

/* The stack comes last: unless it was prepared, glibc loads a library, which may need memory. */
_Noreturn void require_failed(const char *condition, const char *file, int line) {
    void *frames[FRAMES_MAX];
    tell("usher: broken invariant: %s (%s:%d). Please report this line.\n", condition, file, line);
    if (subject_partition != SUBJECT_NONE) {
        tell("usher: this thread worked on partition 0x%08x last\n", subject_partition);
    }
    tell("usher: the stack, innermost first; addr2line -Cfipe PROGRAM +OFFSET names a line:\n");
    backtrace_symbols_fd(frames, backtrace(frames, FRAMES_MAX), STDERR_FILENO);
    abort();
}

_Noreturn void memory_failed(const char *file, int line) {
    tell("usher: not enough memory (%s:%d). The process ends now; what was "
         "acknowledged is safe in the log. Give it more memory (the machine, ulimit -v, "
         "MemoryMax= of systemd) and start it again.\n",
         file, line);
    _exit(EXIT_FAILURE);
}
