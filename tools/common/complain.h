/* complain.h - one way for the programs to say on standard error what people should know
 *
 * Any thread; a whole message is one write, so that messages of several threads and processes do
 * not mix. Nobody needs a result: whoever must act on a failure has an exit status.
 */
#ifndef USHER_TOOLS_COMMON_COMPLAIN_H
#define USHER_TOOLS_COMMON_COMPLAIN_H

#include <stdarg.h>

/* Exit status of every program for a mistake in the call, beside EXIT_SUCCESS and EXIT_FAILURE. */
#define EXIT_USAGE 2

/* complain - "PROGRAM: text" and a newline
 * The program's name is that of argv[0], without folders. */
__attribute__((format(printf, 1, 2))) void complain(const char *format, ...);

/* complain_list - the same, for whoever has the arguments as a list */
__attribute__((format(printf, 1, 0))) void complain_list(const char *format, va_list arguments);

/* complain_more - a line that belongs to a complaint, or brings its own name: text and a newline */
__attribute__((format(printf, 1, 2))) void complain_more(const char *format, ...);

/* complain_part - part of a line: a prompt, a bar of progress */
__attribute__((format(printf, 1, 2))) void complain_part(const char *format, ...);

#endif
