#include "engine/base/require.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

_Noreturn void require_failed(const char *condition, const char *file, int line) {
    (void)fprintf(stderr, "usher: broken invariant: %s (%s:%d). Please report this line.\n",
                  condition, file, line); /* nothing is left to do if standard error is gone */
    abort();
}

/* Nothing here allocates, and no stream is touched: a thread may hold its lock. */
_Noreturn void memory_failed(const char *file, int line) {
    char text[512];
    int size = snprintf(
        text, sizeof text,
        "usher: not enough memory (%s:%d). The process ends now; what was "
        "acknowledged is safe in the log. Give it more memory (the machine, ulimit -v, "
        "MemoryMax= of systemd) and start it again.\n",
        file, line); /* fits */
    ssize_t written = write(STDERR_FILENO, text, (size_t)size);
    (void)written; /* nobody may be reading */
    _exit(EXIT_FAILURE);
}
