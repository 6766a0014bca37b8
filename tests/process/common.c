/* common.c - see common.h */
#include "tests/process/common.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void note(const char *format, ...) {
    char line[1024];
    va_list arguments;
    int used = snprintf(line, sizeof line, "# ");
    va_start(arguments, format);
    int size = vsnprintf(line + used, sizeof line - 1 - (size_t)used, format, arguments);
    va_end(arguments);
    used = used + size < (int)sizeof line - 1 ? used + size : (int)sizeof line - 2;
    line[used++] = '\n';
    /* One write: lines of several processes do not mix. Nobody may be reading. */
    if (write(STDERR_FILENO, line, (size_t)used) < 0) return;
}
