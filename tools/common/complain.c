/* complain.c - see complain.h */
#include "tools/common/complain.h"

#include <errno.h>
#include <stdio.h>

/* No message is so long. It stands on the stack: what is said when memory ends needs none. */
#define TEXT_BYTES 16384u

__attribute__((format(printf, 2, 0))) static void tell(const char *name, const char *format,
                                                       const char *end, va_list arguments) {
    char text[TEXT_BYTES];
    (void)vsnprintf(text, sizeof text, format, arguments); /* cut where too long */
    (void)fprintf(stderr, "%s%s%s%s", name, name[0] ? ": " : "", text, end);
}

void complain_list(const char *format, va_list arguments) {
    tell(program_invocation_short_name, format, "\n", arguments);
}

void complain(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    complain_list(format, arguments);
    va_end(arguments);
}

void complain_more(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    tell("", format, "\n", arguments);
    va_end(arguments);
}

void complain_part(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    tell("", format, "", arguments);
    va_end(arguments);
}
