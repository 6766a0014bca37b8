/* usherd_words.c - see usherd_words.h */
#include "tools/usherd/usherd_words.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tools/common/complain.h"

void say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)vprintf(format, arguments); /* whoever reads may have gone; selling goes on */
    va_end(arguments);
    (void)putchar('\n');
    (void)fflush(stdout);
}

void give_up(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    complain_list(format, arguments);
    va_end(arguments);
    (void)fflush(NULL);
    _exit(EXIT_FAILURE);
}
